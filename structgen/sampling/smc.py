"""Sequential Monte Carlo: particles that are resampled when their weights have become too unequal.

Where the mask is exact they go down the prefix trie (`structgen.sampling.twisted`), taught by a pilot of
tries before; else, or with ``twist="none"``, they know nothing beyond their next token.

Source: Doucet, de Freitas, Gordon 2001, chapter 1; for language models Lew et al. 2023, "Sequential Monte
Carlo Steering". The estimate of Z, the product of the mean weights between resamplings, is unbiased. With
one particle nothing is resampled, and the law is that of `local`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, Literal, Protocol, TypeVar

import numpy as np

from structgen.sampling.mask import TokenMask
from structgen.sampling.particles import Critic, Particle, Particles, Proposal
from structgen.sampling.randomness import Randomness, Scheme
from structgen.sampling.result import (
    SampleResult,
    distortion,
    effective_sample_size,
    log_mean,
    log_z_of_weights,
    normalised,
)
from structgen.sampling.run import Draw, Run, result_of
from structgen.sampling.tries import Tries
from structgen.sampling.twisted import TrieParticle, TrieParticles

Twist = Literal["learned", "none"]

PILOT_SHARE: Final = 0.5  # of the passes of the populations at their full length, which the pilot may spend
# Tries of a round from which its share of accepted ones is believed; so many make the first one, since
# rounds of 1 and 2 take as many passes one after another, and settle nothing.
_SETTLED_ROUND: Final = 4
_SETTLED: Final = 0.5  # of a round's tries accepted: the bounds are within a factor of two, and enough


class OneOfMany(Protocol):
    """A particle, of either kind."""

    group: int
    origin: int
    ending: Literal["stop", "cut", "dead"] | None
    log_weight: float
    logp: float
    log_proposal: float

    @property
    def tokens(self) -> tuple[int, ...]: ...


One = TypeVar("One", bound=OneOfMany)


class Population(Protocol[One]):
    """All particles of some groups."""

    all: list[One]

    def replace_group(self, group: int, parents: Sequence[One], log_weight: float) -> None: ...


class Resampler:
    """Resamples a group of particles when its effective sample size is under ``threshold`` of its number."""

    def __init__(self, randomness: Randomness, threshold: float, scheme: Scheme) -> None:
        self._randomness = randomness
        self._threshold = threshold
        self._scheme = scheme
        self.resamplings = 0

    def resample(self, particles: Population[One], group: int) -> None:
        mine = [particle for particle in particles.all if particle.group == group]
        log_weights = np.array([particle.log_weight for particle in mine])
        if not np.isfinite(log_weights.max()) or all(particle.ending for particle in mine):
            return
        # half a particle's worth of room for rounding: equal weights have an ESS of N (1 - 1e-16)
        if effective_sample_size(log_weights) >= self._threshold * len(mine) * (1 - 1e-9):
            return
        parents = self._randomness.resampled(normalised(log_weights), self._scheme)
        particles.replace_group(group, [mine[i] for i in parents], log_mean(log_weights, len(mine)))
        self.resamplings += 1


def run_particles(
    run: Run,
    method: str,
    proposal: Proposal,
    *,
    groups: int,
    each: int,
    critic: Critic | None = None,
    resampler: Resampler | None = None,
) -> list[list[Particle]]:
    """The particles of each group at their end (or where a call was interrupted)."""
    mask = TokenMask(run.model.target)
    done: list[list[Particle]] = []
    together = max(1, run.batch_size // each)
    while len(done) < groups and not run.stopped:
        count = min(together, groups - len(done))
        particles = Particles(run.model, run.constraint.start(), proposal, mask, count, each, critic)
        try:
            while particles.going:
                particles.step()
                if resampler is not None:
                    for group in range(count):
                        resampler.resample(particles, group)
                run.report(method, particles.depth, run.model.target.max_new_tokens, len(done) * each)
                particles.run_model()
        except KeyboardInterrupt:
            run.stopped = "interrupted"
        done += [[one for one in particles.all if one.group == group] for group in range(count)]
        if len(done) < groups:
            run.is_spent()
    return done


class Pilot:
    """Tries (as of `cars`) that teach the trie before particles run. Their texts are dropped."""

    def __init__(self, run: Run, tries: Tries | None = None) -> None:
        self.tries = Tries(run, "cars", _SETTLED_ROUND) if tries is None else tries
        self._run = run

    @property
    def can_steer(self) -> bool:
        """Whether a try was accepted. Bounds by which none was are too loose to be a twist: branches that
        nobody saw, whose bound is 1, would get all particles."""
        return self.tries.accepted > 0 or self._run.trie.is_settled

    def teach(self, passes: int) -> None:
        """Try for so many passes, or half of what is left of the budget, or until the bounds have settled."""
        run, tries = self._run, self.tries
        before = run.model.forwards.physical
        if run.budget.forwards is not None:
            passes = min(passes, (run.budget.forwards - before) // 2)
        try:
            while not run.trie.is_settled and run.trie.log_bound > -math.inf:
                if run.model.forwards.physical - before >= passes:
                    break
                tried, accepted = tries.tries, tries.accepted
                tries.round(run.batch_size)
                run.report("smc: pilot", tries.accepted, tries.tries, tries.tries)
                size = tries.tries - tried
                run.trie.is_settled = size >= _SETTLED_ROUND and tries.accepted - accepted >= _SETTLED * size
        except KeyboardInterrupt:
            run.stopped = "interrupted"


def run_twisted(
    run: Run, pilot: Pilot, *, groups: int, each: int, critic: Critic | None, resampler: Resampler
) -> list[list[TrieParticle]]:
    """The particles of each group, on the trie. The first groups run alone: they teach the others most."""
    walker = run.walker()
    done: list[list[TrieParticle]] = []
    together = 1
    while len(done) < groups:
        count = min(together, max(1, run.batch_size // each), groups - len(done))
        together *= 2
        pilot.teach(int(PILOT_SHARE * count * each * run.model.target.max_new_tokens))
        if run.stopped:
            break
        particles = TrieParticles(walker, count, each, critic, steered=pilot.can_steer)
        try:
            while particles.going:
                particles.weigh()
                for group in range(count):
                    resampler.resample(particles, group)
                particles.move()
                run.report("smc", particles.depth, run.model.target.max_new_tokens, len(done) * each)
        except KeyboardInterrupt:
            run.stopped = "interrupted"
        particles.teach()
        done += [[one for one in particles.all if one.group == group] for group in range(count)]
        if len(done) < groups:
            run.is_spent()
    return done


def whole_ones(run: Run, groups: list[list[One]]) -> tuple[list[list[One]], bool]:
    """The groups whose texts have all ended, and whether there are any; all as they are, if not.

    A weight of a text that was interrupted is not one of the target: it lacks what the rest would cost.
    """
    whole = [group for group in groups if all(one.ending is not None for one in group)]
    if len(whole) == len(groups):
        return groups, True
    if whole:
        run.notes.append(f"interrupted: {len(groups) - len(whole)} unfinished left out")
        return whole, True
    run.notes.append("interrupted before the texts had ended: their weights are not yet of the target")
    return groups, False


def draw_of_particle(particle: OneOfMany, log_weight: float | None = None) -> Draw:
    weight = particle.log_weight if log_weight is None else log_weight
    return Draw(particle.tokens, particle.ending == "stop", weight, particle.logp, particle.log_proposal)


def independent(run: Run, method: str, proposal: Proposal, n: int, critic: Critic | None) -> SampleResult:
    """``n`` particles that know nothing of each other: `local` and `awrs`."""
    groups = run_particles(run, method, proposal, groups=n, each=1, critic=critic)
    groups, has_ended = whole_ones(run, groups)
    particles = [group[0] for group in groups]
    alive = [particle for particle in particles if particle.ending != "dead"]
    draws = [draw_of_particle(particle) for particle in alive]
    log_weights = np.array([draw.log_weight for draw in draws])
    log_z, stderr = log_z_of_weights(log_weights, len(particles)) if has_ended else (math.nan, math.nan)
    kl, chi2 = distortion(log_weights, len(particles)) if particles and has_ended else (None, None)
    masses = [mass for particle in alive for mass in particle.log_allowed]
    return result_of(
        run,
        method,
        "biased" if method == "local" else "weighted-unbiased",
        draws,
        log_z=log_z,
        log_z_stderr=stderr,
        tries=len(particles),
        dead_ends=len(particles) - len(alive),
        allowed_mass=math.exp(float(np.mean(masses))) if masses else None,
        kl=kl,
        chi2=chi2,
    )


def smc(
    run: Run,
    proposal: Proposal,
    *,
    n: int | None,
    particles: int,
    ess_threshold: float,
    scheme: Scheme,
    critic: Critic | None,
    twist: Twist = "none",
    pilot: Tries | None = None,
) -> SampleResult:
    """One population and all its particles (``n`` None), or n populations and one particle of each.

    A particle chosen by weight, with its population's estimate of Z as its weight, is properly weighted.
    ``twist`` "learned" is for constraints whose mask is exact; ``pilot``: tries that have taught the trie.
    """
    resampler = Resampler(run.randomness, ess_threshold, scheme)
    groups: list[list[TrieParticle]] | list[list[Particle]]
    if twist == "learned":
        teacher = Pilot(run, pilot)
        groups, has_ended = whole_ones(
            run, run_twisted(run, teacher, groups=n or 1, each=particles, critic=critic, resampler=resampler)
        )
        run.notes.append(
            "pilot: none, the trie had been taught"
            if not teacher.tries.tries
            else f"pilot: {teacher.tries.accepted} of {teacher.tries.tries} tries accepted"
            + ("" if teacher.can_steer else "; its bounds are too loose to steer by")
        )
    else:
        plain = run_particles(
            run, "smc", proposal, groups=n or 1, each=particles, critic=critic, resampler=resampler
        )
        groups, has_ended = whole_ones(run, plain)
    every = [particle for group in groups for particle in group]
    alive = [particle for particle in every if particle.ending != "dead"]
    weights = [np.array([particle.log_weight for particle in group]) for group in groups]
    log_zs = np.array([log_mean(each, particles) for each in weights])
    log_z, stderr = log_z_of_weights(log_zs, len(groups))
    if not has_ended:
        log_z = math.nan
    if n is None:
        draws = [draw_of_particle(particle) for particle in alive]
        stderr = _stderr_of_one(every, resampler.resamplings) if alive else math.inf
    else:
        draws = []
        for place, log_mass in enumerate(log_zs.tolist()):
            if log_mass > -math.inf:
                chosen = run.randomness.index(normalised(weights[place]))
                draws.append(draw_of_particle(groups[place][chosen], log_mass))
    for draw in draws:
        draw.log_proposal = math.nan  # resampling makes it the law of the whole population
    return result_of(
        run,
        "smc",
        "weighted-unbiased",
        draws,
        log_z=log_z,
        log_z_stderr=stderr,
        tries=len(every),
        accepted=len(alive),
        dead_ends=len(every) - len(alive),
        resamplings=resampler.resamplings,
    )


def _stderr_of_one(particles: Sequence[OneOfMany], resamplings: int) -> float:
    """Standard error of log Z from one population, by the particles' origins.

    Source: Lee and Whiteley 2018, "Variance estimation in the particle filter", equation 6. It is meant for
    multinomial resampling; stratified and systematic have less variance.
    """
    count = len(particles)
    if count < 2:
        return math.nan
    weights = normalised(np.array([particle.log_weight for particle in particles]))
    by_origin = np.zeros(count)
    np.add.at(by_origin, [particle.origin for particle in particles], weights)
    variance = 1 - (count / (count - 1)) ** (resamplings + 1) * (1 - float(np.square(by_origin).sum()))
    return math.sqrt(max(0.0, variance))
