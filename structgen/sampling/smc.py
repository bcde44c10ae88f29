"""Sequential Monte Carlo: particles that are resampled when their weights have become too unequal.

Where the mask is exact they go down the prefix trie (`structgen.sampling.twisted`), taught by small
populations before; else, or with ``twist="none"``, they know nothing beyond their next token.

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
from structgen.sampling.twisted import TrieParticle, TrieParticles

Twist = Literal["learned", "none"]

_FEWEST: Final = 4  # particles of a pilot's population, or
_PART: Final = 2  # one of so many of those asked for; a quarter agree too soon, on half of what there is
_MOST_PILOTS: Final = 12  # populations of the pilot, for each population that is wanted, up to
_MOST_TAUGHT: Final = 6  # so many
_AGREED: Final = 2  # populations of the pilot one after another that find what was expected; then it ends
_NEAR: Final = 0.7  # of log Z: what a population found is what was expected, within a factor of two


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

    def another(self) -> Resampler:
        """For a population that does not count: its resamplings are not those of the estimate."""
        return Resampler(self._randomness, self._threshold, self._scheme)

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


def needs_no_twist(run: Run, proposal: Proposal, resampler: Resampler) -> bool:
    """Whether a few particles without twist find most of P valid.

    Z is at most 1: no more than the rest can have been missed, and no weight is far from the others. Their
    mean is Z on average, so that it says so with probability 2 Z at most (Markov) where that is not so. Else
    the particles end as soon as it is seen, often after a few tokens. The trie remembers the answer.
    """
    if run.trie.needs_no_twist is not None:
        return run.trie.needs_no_twist
    wanted = run.model.target.max_new_tokens
    if run.budget.forwards is not None and run.budget.forwards < 4 * _FEWEST * wanted:
        return False  # the populations that count need it
    few = Particles(run.model, run.constraint.start(), proposal, TokenMask(run.model.target), 1, _FEWEST)
    found = 0.0
    while few.going and found >= -_NEAR:
        few.step()
        resampler.resample(few, 0)
        found = log_mean(np.array([particle.log_weight for particle in few.all]), _FEWEST)
        run.report("smc: pilot", few.depth, wanted, 0)
        few.run_model()
    run.trie.needs_no_twist = found >= -_NEAR
    return run.trie.needs_no_twist


class Pilot:
    """Small populations that teach the trie before those that count. Their texts are dropped.

    They end when two running find Z to be what was expected before they began, or after so many.
    """

    def __init__(self, run: Run) -> None:
        self.populations = 0
        self.expected = math.nan  # log Z, before the last population that counted
        self._agreed = 0
        self._run = run

    def teach(self, groups: int, each: int, resampler: Resampler) -> None:
        """``groups``, ``each``: of the populations that count."""
        run, few = self._run, max(_FEWEST, each // _PART)
        before = run.model.forwards.physical
        most = None if run.budget.forwards is None else (run.budget.forwards - before) // 2
        for _ in range(_MOST_PILOTS * min(groups, _MOST_TAUGHT)):
            spent = run.model.forwards.physical - before
            if run.trie.is_settled or (most is not None and spent >= most):
                break
            particles = TrieParticles(run.walker(), 1, few)
            expected = particles.expected
            try:
                _move_all(run, particles, resampler, "smc: pilot", self.populations)
            except KeyboardInterrupt:
                run.stopped = "interrupted"
                break
            finally:
                particles.teach()
            self.populations += 1
            found = log_mean(np.array([particle.log_weight for particle in particles.all]), few)
            self._agreed = self._agreed + 1 if abs(found - expected) <= _NEAR else 0
            run.trie.is_settled = self._agreed >= _AGREED

    @property
    def note(self) -> str:
        if not self.populations:
            return "pilot: " + ("interrupted" if self._run.stopped else "none, the trie had been taught")
        told = "" if self._run.trie.is_settled else "; the last ones did not find what was expected of them"
        return f"pilot: {self.populations} small populations{told}"


def _move_all(run: Run, particles: TrieParticles, resampler: Resampler, what: str, done: int) -> None:
    """Write all texts to their end. Raises `KeyboardInterrupt`."""
    groups = sorted({particle.group for particle in particles.all})
    while particles.going:
        particles.weigh()
        for group in groups:
            resampler.resample(particles, group)
        particles.move()
        run.report(what, particles.depth, run.model.target.max_new_tokens, done)


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
        pilot.teach(groups, each, resampler.another())
        if run.stopped:
            break
        particles = TrieParticles(walker, count, each, critic)
        pilot.expected = particles.expected
        try:
            _move_all(run, particles, resampler, "smc", len(done) * each)
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
    if not groups:
        run.notes.append("interrupted before there was any text")
        return groups, False
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
) -> SampleResult:
    """One population and all its particles (``n`` None), or n populations and one particle of each.

    A particle chosen by weight, with its population's estimate of Z as its weight, is properly weighted.
    ``twist`` "learned" is for constraints whose mask is exact.
    """
    resampler = Resampler(run.randomness, ess_threshold, scheme)
    pilot: Pilot | None = None
    groups: list[list[TrieParticle]] | list[list[Particle]]
    # many populations teach one another, and what was taught before is not left unused
    if twist == "learned" and (n or 1) == 1 and run.trie.futures is None:
        try:
            if needs_no_twist(run, proposal, resampler.another()):
                twist = "none"
                run.notes.append("no twist: most of what the model writes is valid as it is")
        except KeyboardInterrupt:
            run.stopped = "interrupted"
            run.notes.append("pilot: interrupted")
    if run.stopped:
        twisted: list[list[TrieParticle]] = []
        groups, has_ended = whole_ones(run, twisted)
    elif twist == "learned":
        pilot = Pilot(run)
        groups, has_ended = whole_ones(
            run, run_twisted(run, pilot, groups=n or 1, each=particles, critic=critic, resampler=resampler)
        )
        run.notes.append(pilot.note)
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
        log_z = stderr = math.nan
    if n is None:
        draws = [draw_of_particle(particle) for particle in alive]
        stderr = math.nan if not has_ended else _stderr_of_one(every) if alive else math.inf
        if pilot is not None and pilot.populations and not run.trie.is_settled and critic is None:
            # particles see only where they came: what was expected of other texts may be what they missed
            stderr = np.fmax(stderr, abs(log_z - pilot.expected)) if has_ended else math.nan
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


def _stderr_of_one(particles: Sequence[OneOfMany]) -> float:
    """Standard error of log Z from one population, by what came of each of the particles it began as.

    Source: Lee and Whiteley 2018, "Variance estimation in the particle filter", equation 6, without its
    factor (N / (N - 1))^resamplings. That takes out what multinomial resampling adds by chance; stratified
    and systematic add next to nothing, and after a few of them the factor would leave no variance at all.
    So it is too large, if anything: measured, 1 to 2.5 times the error.
    """
    count = len(particles)
    if count < 2:
        return math.nan
    weights = normalised(np.array([particle.log_weight for particle in particles]))
    by_origin = np.zeros(count)
    np.add.at(by_origin, [particle.origin for particle in particles], weights)
    variance = (count * float(np.square(by_origin).sum()) - 1) / (count - 1)
    return math.sqrt(max(0.0, variance))
