"""Sequential Monte Carlo: particles that are resampled when their weights have become too unequal.

Source: Doucet, de Freitas, Gordon 2001, chapter 1; for language models Lew et al. 2023, "Sequential Monte
Carlo Steering". The estimate of Z, the product of the mean weights between resamplings, is unbiased. With
one particle nothing is resampled, and the law is that of `local`.
"""

from __future__ import annotations

import math

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


class Resampler:
    """Resamples a group of particles when its effective sample size is under ``threshold`` of its number."""

    def __init__(self, randomness: Randomness, threshold: float, scheme: Scheme) -> None:
        self._randomness = randomness
        self._threshold = threshold
        self._scheme = scheme
        self.resamplings = 0

    def resample(self, particles: Particles, group: int) -> None:
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


def draw_of_particle(particle: Particle, log_weight: float | None = None) -> Draw:
    weight = particle.log_weight if log_weight is None else log_weight
    return Draw(particle.tokens, particle.ending == "stop", weight, particle.logp, particle.log_proposal)


def independent(run: Run, method: str, proposal: Proposal, n: int, critic: Critic | None) -> SampleResult:
    """``n`` particles that know nothing of each other: `local` and `awrs`."""
    groups = run_particles(run, method, proposal, groups=n, each=1, critic=critic)
    particles = [group[0] for group in groups]
    alive = [particle for particle in particles if particle.ending != "dead"]
    draws = [draw_of_particle(particle) for particle in alive]
    log_weights = np.array([draw.log_weight for draw in draws])
    log_z, stderr = log_z_of_weights(log_weights, len(particles))
    kl, chi2 = distortion(log_weights, len(particles)) if particles else (None, None)
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
) -> SampleResult:
    """One population and all its particles (``n`` None), or n populations and one particle of each.

    A particle chosen by weight, with its population's estimate of Z as its weight, is properly weighted.
    """
    resampler = Resampler(run.randomness, ess_threshold, scheme)
    groups = run_particles(
        run, "smc", proposal, groups=n or 1, each=particles, critic=critic, resampler=resampler
    )
    every = [particle for group in groups for particle in group]
    alive = [particle for particle in every if particle.ending != "dead"]
    weights = [np.array([particle.log_weight for particle in group]) for group in groups]
    log_zs = np.array([log_mean(each, particles) for each in weights])
    log_z, stderr = log_z_of_weights(log_zs, len(groups))
    if n is None:
        draws = [draw_of_particle(particle) for particle in alive]
        stderr = _stderr_of_one(every, resampler.resamplings) if alive else math.inf
    else:
        draws = []
        for group, each, log_mass in zip(groups, weights, log_zs.tolist(), strict=True):
            if log_mass > -math.inf:
                draws.append(draw_of_particle(group[run.randomness.index(normalised(each))], log_mass))
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


def _stderr_of_one(particles: list[Particle], resamplings: int) -> float:
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
