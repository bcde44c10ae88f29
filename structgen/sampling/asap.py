"""Sampling with adaptive approximate expected futures (ASAp).

Source: Park et al. 2024, "Grammar-Aligned Decoding", algorithm 1. Tokens are drawn under the mask in
proportion to P times the bound of what they lead to, so that every text is valid; the bounds come down to
the true probabilities of ending valid as texts are seen, and only then are the draws from the target. Of
each draw the probability is known, so that P / q corrects it (its log weight).
"""

from __future__ import annotations

import math

import numpy as np

from structgen.sampling.result import SampleResult, distortion, log_z_of_weights
from structgen.sampling.run import Run, draw_of, result_of
from structgen.sampling.walk import Walk


def asap(run: Run, n: int) -> SampleResult:
    """``n`` draws, one after another: each learns from those before."""
    walker = run.walker()
    walks: list[Walk] = []
    try:
        while len(walks) < n and run.trie.log_bound > -math.inf:
            if walks and run.is_spent():
                break
            walk = walker.walk([run.trie.root], "asap")[0]
            run.trie.update(walk.nodes)
            walks.append(walk)
            run.report("asap", len(walks), n, len(walks))
    except KeyboardInterrupt:
        run.stopped = "interrupted"
    alive = [walk for walk in walks if walk.is_valid]
    draws = [draw_of(walk, walk.logp - walk.log_proposal, walk.log_proposal) for walk in alive]
    log_weights = np.array([draw.log_weight for draw in draws])
    log_z, stderr = log_z_of_weights(log_weights, len(walks)) if walks else (-math.inf, math.inf)
    kl, chi2 = distortion(log_weights, len(walks)) if walks else (None, None)
    masses = [mass for walk in alive for mass in walk.log_allowed]
    return result_of(
        run,
        "asap",
        "asymptotic",
        draws,
        log_z=log_z,
        log_z_stderr=stderr,
        tries=len(walks),
        dead_ends=len(walks) - len(alive),
        allowed_mass=math.exp(sum(masses) / len(masses)) if masses else None,
        kl=kl,
        chi2=chi2,
        log_z_upper=run.trie.log_bound,
    )
