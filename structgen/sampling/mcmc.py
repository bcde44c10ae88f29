"""Markov chains over valid texts: cut the text, write the rest again under the mask, accept or not.

Source: Gonzalez et al. 2025, "Constrained Sampling for Language Models Should Be Easy: An MCMC Perspective".
With the cut i drawn from c(. | x), a proposal x' that shares x's first i tokens, and W_i the product of the
masses Z_t that the mask left from step i on,

    accept with probability min(1, W_i(x') c(i | x') / (W_i(x) c(i | x))),

which holds the target in detailed balance for each i. ``restart`` always cuts at 0: min(1, W' / W).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from structgen.sampling.particles import Particle, Proposal
from structgen.sampling.prefix_trie import Float64
from structgen.sampling.result import SampleResult
from structgen.sampling.run import Draw, Run, draw_of, result_of
from structgen.sampling.smc import draw_of_particle, run_particles
from structgen.sampling.walk import Walk, Walker

Cut = Literal["uniform", "priority", "restart"]
_BEGINNINGS = 64  # texts begun for a chain before it counts as one that cannot begin


@dataclass(frozen=True, slots=True)
class Link:
    """A chain's text: its logs for every step, the stop's included, from the first one on.

    log_allowed: log Z_t. entropies: of the masked, renormalised distribution that the step was drawn from.
    """

    walk: Walk
    log_allowed: tuple[float, ...]
    entropies: tuple[float, ...]
    steps: tuple[float, ...]


def cut_probabilities(entropies: tuple[float, ...], cut: Cut) -> Float64:
    """c(i | x) float64 (steps,). "priority": in proportion to the entropy at the step."""
    count = len(entropies)
    if cut == "restart":
        first: Float64 = np.eye(1, count)[0]
        return first
    weights = np.array(entropies) if cut == "priority" else np.ones(count)
    weights = np.maximum(weights, 0.0)
    if weights.sum() <= 0:
        weights = np.ones(count)
    result: Float64 = weights / weights.sum()
    return result


def log_acceptance(
    log_allowed: tuple[float, ...],
    entropies: tuple[float, ...],
    log_allowed_proposed: tuple[float, ...],
    entropies_proposed: tuple[float, ...],
    at: int,
    cut: Cut,
) -> float:
    """log of the probability to accept a proposal that was cut at step ``at``."""
    forth = cut_probabilities(entropies, cut)[at]
    back = cut_probabilities(entropies_proposed, cut)[at]
    if back <= 0:
        return -math.inf
    ratio = sum(log_allowed_proposed[at:]) - sum(log_allowed[at:]) + math.log(back) - math.log(forth)
    return min(0.0, ratio)


def mcmc(run: Run, n: int, steps: int, cut: Cut) -> SampleResult:
    """``n`` independent chains of ``steps`` steps each; the last text of each."""
    walker = run.walker()
    chains: list[Link] = []
    proposed = accepted = tries = dead = 0
    try:
        while len(chains) < n and not run.stopped:
            links, begun = _begin(walker, min(run.batch_size, n - len(chains)))
            tries += begun
            dead += begun - len(links)
            chains += links
            first = len(chains) - len(links)
            for _ in range(steps):
                moved, good, lost = _step(walker, chains[first:], cut)
                chains[first:] = moved
                proposed += len(moved)
                accepted += good
                dead += lost
                run.report("mcmc", len(chains), n, tries + proposed)
            if len(links) < 1 or (len(chains) < n and run.is_spent()):
                break
    except KeyboardInterrupt:
        run.stopped = "interrupted"
    if not chains:
        run.notes.append("no chain could begin: every text ran into the length limit")
    masses = [mass for link in chains for mass in link.log_allowed]
    return result_of(
        run,
        "mcmc",
        "asymptotic",
        [_draw(link) for link in chains],
        log_z=math.nan,
        log_z_stderr=math.nan,
        tries=tries + proposed,
        accepted=len(chains),
        acceptance=accepted / proposed if proposed else 0.0,
        dead_ends=dead,
        allowed_mass=math.exp(sum(masses) / len(masses)) if masses else None,
    )


def _begin(walker: Walker, count: int) -> tuple[list[Link], int]:
    """``count`` valid texts under the mask, and how many were begun."""
    links: list[Link] = []
    begun = 0
    for _ in range(_BEGINNINGS):
        walks = walker.walk([walker.trie.root] * (count - len(links)), "local")
        walker.trie.update(node for walk in walks for node in walk.nodes)
        begun += len(walks)
        links += [_link(walk) for walk in walks if walk.is_valid]
        if len(links) == count:
            break
    return links, begun


def _link(walk: Walk) -> Link:
    return Link(walk, tuple(walk.log_allowed), tuple(walk.entropies), tuple(walk.steps))


def _step(walker: Walker, links: list[Link], cut: Cut) -> tuple[list[Link], int, int]:
    """One step of every chain: the links after it, the proposals accepted, and those that ended dead."""
    if not links:
        return [], 0, 0
    randomness = walker.randomness
    cuts = [randomness.index(cut_probabilities(link.entropies, cut)) for link in links]
    walks = walker.walk([link.walk.nodes[at] for link, at in zip(links, cuts, strict=True)], "local")
    walker.trie.update(node for walk in walks for node in walk.nodes)
    u = randomness.uniforms(len(links)).tolist()
    moved, good, dead = [], 0, 0
    for link, at, walk, chance in zip(links, cuts, walks, u, strict=True):
        if not walk.is_valid:
            moved.append(link)
            dead += 1
            continue
        whole = Walk(
            link.walk.nodes[:at] + walk.nodes,
            0,
            walk.ending,
            math.fsum((*link.steps[:at], *walk.steps)),
        )
        proposal = Link(
            whole,
            (*link.log_allowed[:at], *walk.log_allowed),
            (*link.entropies[:at], *walk.entropies),
            (*link.steps[:at], *walk.steps),
        )
        log_accept = log_acceptance(
            link.log_allowed, link.entropies, proposal.log_allowed, proposal.entropies, at, cut
        )
        if math.log(1 - chance) < log_accept:
            moved.append(proposal)
            good += 1
        else:
            moved.append(link)
    return moved, good, dead


def _draw(link: Link) -> Draw:
    return draw_of(link.walk, 0.0, math.nan)


def restart_with_weights(run: Run, proposal: Proposal, n: int, steps: int) -> SampleResult:
    """The restart chain where the mask is not exact: its weights are the proposal's, properly weighted.

    Source: Andrieu, Doucet, Holenstein 2010, "Particle Markov chain Monte Carlo Methods" (independent
    Metropolis-Hastings on the extended space): unbiased weights in the place of exact ones leave the
    target as it is.
    """
    groups = run_particles(run, "mcmc", proposal, groups=n * (steps + 1), each=1)
    finals: list[Particle] = []
    accepted = proposed = 0
    per_chain = steps + 1
    for begin in range(0, len(groups) - per_chain + 1, per_chain):
        now = groups[begin][0]
        for group in groups[begin + 1 : begin + per_chain]:
            proposed += 1
            other = group[0]
            gain = other.log_weight - now.log_weight if now.ending != "dead" else math.inf
            u = float(run.randomness.uniforms(1)[0])
            if other.ending != "dead" and math.log(1 - u) < gain:
                now = other
                accepted += 1
        if now.ending in ("stop", "cut"):
            finals.append(now)
    if len(finals) < n:
        run.notes.append(f"{n - len(finals)} chains never came to a valid text")
    return result_of(
        run,
        "mcmc",
        "asymptotic",
        [draw_of_particle(particle, 0.0) for particle in finals],
        log_z=math.nan,
        log_z_stderr=math.nan,
        tries=len(groups),
        accepted=len(finals),
        acceptance=accepted / proposed if proposed else 0.0,
        dead_ends=sum(group[0].ending == "dead" for group in groups),
    )
