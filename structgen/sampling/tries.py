"""Exact samples by trying: `rejection` and `cars`.

A try draws a text from the model, unmasked, and is rejected at its first invalid token. `cars` (Parys et
al. 2025, "Constrained Adaptive Rejection Sampling") draws it from the model given that it is none of the
texts known to be invalid: what is accepted follows the target exactly, whatever is known, so that samples
are independent and exact from the first one, and the acceptance rate never falls. Tries go in rounds; the
bounds stay as they are during a round, and a round counts as a whole, since to take the texts that end
first would favour short ones.
"""

from __future__ import annotations

import math
from typing import Final, Literal

import numpy as np

from structgen.sampling.result import SampleResult
from structgen.sampling.run import Draw, Run, draw_of, result_of
from structgen.sampling.walk import Walk

_FIRST_ROUND: Final = 1  # the first tries teach the most: one at a time


class Tries:
    """Tries from the root, in rounds, and what they add up to."""

    def __init__(
        self, run: Run, method: Literal["rejection", "cars"], first_round: int = _FIRST_ROUND
    ) -> None:
        self.run = run
        self.method = method
        self.tries = 0
        self.accepted = 0
        self.dead_ends = 0
        # log of the sum over the tries of 1 / (bound on Z at the try): accepted / weight estimates Z
        self.log_weight = -math.inf
        self._walker = run.walker()
        self._round = first_round

    def round(self, wanted: int) -> list[Walk]:
        """Try some; the accepted ones, all of them. ``wanted``: how many more are needed."""
        trie = self.run.trie
        log_bound = trie.log_bound if self.method == "cars" else 0.0
        if log_bound == -math.inf:
            return []
        rate = (self.accepted + 1) / (self.tries + 2)
        size = max(1, min(self._round, self.run.batch_size, math.ceil(wanted / rate)))
        walks = self._walker.walk([trie.root] * size, self.method)
        trie.update(node for walk in walks for node in walk.nodes)
        self._round *= 2
        good = [walk for walk in walks if walk.is_valid]
        self.tries += size
        self.accepted += len(good)
        self.log_weight = float(np.logaddexp(self.log_weight, math.log(size) - log_bound))
        self.dead_ends += sum(
            walk.ending == "rejected"
            and walk.nodes[-1].is_visited
            and walk.nodes[-1].log_allowed == -math.inf
            for walk in walks
        )
        return good

    @property
    def log_z(self) -> float:
        """The estimate whose error has mean 0 at any stopping time: E[accepted - Z weight] = 0."""
        if self.run.trie.log_bound == -math.inf or not self.accepted:
            return -math.inf
        return math.log(self.accepted) - self.log_weight

    @property
    def log_z_stderr(self) -> float:
        """Of a Bernoulli count with the mean rate of acceptance."""
        if not self.accepted:
            return math.inf
        return math.sqrt(max(0.0, 1 - self.accepted / self.tries) / self.accepted)


def by_trying(run: Run, method: Literal["rejection", "cars"], n: int) -> SampleResult:
    """``n`` independent draws from the target, or as many as the budget had room for."""
    tries = Tries(run, method)
    return collect(tries, n)


def collect(tries: Tries, n: int) -> SampleResult:
    """Try until ``n`` are accepted."""
    run, method = tries.run, tries.method
    accepted: list[Walk] = []
    try:
        while len(accepted) < n:
            if run.trie.log_bound == -math.inf:
                run.notes.append("no text is valid: every text of the model's was ruled out")
                break
            if tries.tries and run.is_spent():
                break
            accepted += tries.round(n - len(accepted))
            run.report(method, len(accepted), n, tries.tries)
    except KeyboardInterrupt:
        run.stopped = "interrupted"
    if run.stopped and len(accepted) < n:
        run.notes.append(
            "stopped early: how many texts there are depends on what they cost, which favours short ones"
        )
    draws = [_draw(walk) for walk in accepted[:n]]
    masses = [mass for walk in accepted[:n] for mass in walk.log_allowed]
    return result_of(
        run,
        method,
        "exact-iid",
        draws,
        log_z=tries.log_z,
        log_z_stderr=tries.log_z_stderr,
        tries=tries.tries,
        accepted=tries.accepted,
        dead_ends=tries.dead_ends,
        allowed_mass=math.exp(sum(masses) / len(masses)) if masses else None,
        kl=0.0 if draws else None,
        chi2=0.0 if draws else None,
        log_z_upper=run.trie.log_bound,
    )


def _draw(walk: Walk) -> Draw:
    return draw_of(walk, 0.0, walk.log_proposal)
