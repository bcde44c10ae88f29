"""Particles: texts written side by side, a token each a step, each with an importance weight.

`local`, `awrs` and `smc` are this loop. They differ in how a token is proposed (under a mask, or by
adaptive weighted rejection) and in whether particles are resampled. Particles with the same text so far
are one row of the model's pass.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

import numpy as np

from structgen.errors import GenerationError
from structgen.sampling import awrs
from structgen.sampling.constraint import State
from structgen.sampling.language_model import LanguageModel
from structgen.sampling.mask import TokenMask
from structgen.sampling.prefix_trie import Float64
from structgen.sampling.randomness import Randomness
from structgen.sampling.result import decode
from structgen.sampling.scored_rows import ScoredRows, together
from structgen.sampling.target import Target

Critic = Callable[[str, bool], float]


@dataclass(slots=True)
class Particle:
    """One text. ``row``: its row of the pass under way; ``origin``: the particle it began as."""

    group: int
    origin: int
    state: State
    row: int = 0
    tokens: tuple[int, ...] = ()
    ending: Literal["stop", "cut", "dead"] | None = None
    log_weight: float = 0.0
    logp: float = 0.0
    log_proposal: float = 0.0
    potential: float = 0.0  # what the critic said last; part of log_weight
    log_allowed: list[float] = field(default_factory=list)


class Proposal(Protocol):
    """How a next token is drawn."""

    def propose(
        self, rows: ScoredRows, states: Sequence[State], row_of: Sequence[int], groups: Sequence[int]
    ) -> tuple[list[int], Float64]:
        """A token for each entry of ``row_of``, -1 for none, and the log of its weight float64 (n,).

        rows: P under the mask. groups: of the particles, which are independent of those of other groups.
        """


class LocalProposal:
    """Mask, renormalise, sample. The weight is Z_t, the mass that the mask left (importance sampling)."""

    def __init__(self, randomness: Randomness) -> None:
        self._randomness = randomness

    def propose(
        self, rows: ScoredRows, states: Sequence[State], row_of: Sequence[int], groups: Sequence[int]
    ) -> tuple[list[int], Float64]:
        tokens, mass = rows.tokens(row_of, self._randomness, groups)
        return tokens, mass[list(row_of)]


class AwrsProposal:
    """Adaptive weighted rejection under the mask; the weight is its own times the mass the mask left."""

    def __init__(
        self, randomness: Randomness, mask: TokenMask, stop: int, variant: awrs.Variant = "auto"
    ) -> None:
        self._randomness = randomness
        self._mask = mask
        self._stop = stop
        self._variant = variant

    def propose(
        self, rows: ScoredRows, states: Sequence[State], row_of: Sequence[int], groups: Sequence[int]
    ) -> tuple[list[int], Float64]:
        masses = rows.masses(sorted(set(row_of)))
        known = {row: awrs.Row(p, sums) for row, (p, sums, _) in masses.items()}
        tokens, log_weights = [-1] * len(row_of), np.full(len(row_of), -math.inf)
        # only auto and averaged give the tokens of several particles at once
        strata = groups if self._variant in ("auto", "averaged") else range(len(row_of))
        for row, places in together(row_of, strata):
            if row not in known:
                continue
            drawn, weight = self._draw(known[row], states[row], len(places))
            if weight > 0:
                log_weights[places] = math.log(weight) + math.log(known[row].whole) + masses[row][2]
                for place, token in zip(places, drawn, strict=True):
                    tokens[place] = token
        return tokens, log_weights

    def _draw(self, row: awrs.Row, state: State, count: int) -> tuple[list[int], float]:
        is_valid = self._checker(state)
        if self._variant in ("auto", "averaged"):
            return awrs.weighted_tokens(row, is_valid, self._randomness, count)
        token, weight = awrs.weighted_token(row, is_valid, self._randomness, self._variant)
        return ([] if token is None else [token]), weight

    def _checker(self, state: State) -> Callable[[int], bool]:
        def is_valid(token: int) -> bool:
            return (
                state.is_complete() if token == self._stop else self._mask.extended(state, token) is not None
            )

        return is_valid


class Particles:
    """``groups`` times ``each`` particles, to be stepped until all have ended.

    critic: ``critic(text, complete)``, log potentials. While a text grows, the weight holds the potential
    of the text so far as a twist, which the next step takes out again; at the end that of the whole stays.
    """

    def __init__(
        self,
        model: LanguageModel,
        start: State,
        proposal: Proposal,
        mask: TokenMask,
        groups: int,
        each: int,
        critic: Critic | None = None,
    ) -> None:
        self.all = [Particle(group, origin, start) for group in range(groups) for origin in range(each)]
        self.depth = 0
        self._model = model
        self._target = model.target
        self._proposal = proposal
        self._mask = mask
        self._critic = critic
        self._rows = model.begin()
        self._scored = model.first_row()
        self._states: list[State] = [start]

    @property
    def going(self) -> list[Particle]:
        return [particle for particle in self.all if particle.ending is None]

    def step(self) -> None:
        """One more token for each particle that has not ended."""
        going = self.going
        self._model.forwards.logical += len(going)
        self._scored.mask(self._mask.of(self._states, [self.depth] * len(self._states)))
        row_of = [particle.row for particle in going]
        tokens, log_weights = self._proposal.propose(
            self._scored, self._states, row_of, [particle.group for particle in going]
        )
        chosen = self._scored.log_p_of(row_of, tokens)
        after: dict[tuple[int, int], State] = {}
        for particle, token, logp, log_weight in zip(
            going, tokens, chosen, log_weights.tolist(), strict=True
        ):
            self._extend(particle, token, logp, log_weight, after)
        self.depth += 1
        for particle in going:
            if particle.ending is None and self._target.is_cut_at(self.depth):
                particle.ending = "cut"
            if self._critic is not None and particle.ending != "dead":
                self._twist(particle, self._critic)

    def run_model(self) -> None:
        """The model's pass for the particles that go on: those with one text share a row."""
        going = self.going
        if not going:
            return
        pairs: dict[tuple[int, int], int] = {}
        states = []
        for particle in going:
            key = (particle.row, particle.tokens[-1])
            if key not in pairs:
                pairs[key] = len(pairs)
                states.append(particle.state)
            particle.row = pairs[key]
        del self._scored  # its memory is what the next rows, as large, are written to
        self._scored, self._rows = self._rows.advance(
            [row for row, _ in pairs], [token for _, token in pairs]
        )
        self._states = states

    def replace_group(self, group: int, parents: Sequence[Particle], log_weight: float) -> None:
        """Put copies of ``parents``, all of the same weight, in the place of a group's particles."""
        places = [place for place, particle in enumerate(self.all) if particle.group == group]
        for place, parent in zip(places, parents, strict=True):
            self.all[place] = replace(parent, log_weight=log_weight, log_allowed=list(parent.log_allowed))

    def _extend(
        self,
        particle: Particle,
        token: int,
        logp: float,
        log_weight: float,
        after: dict[tuple[int, int], State],
    ) -> None:
        particle.log_weight += log_weight
        particle.log_allowed.append(log_weight)
        if token < 0:
            particle.ending, particle.log_weight = "dead", -math.inf
            return
        particle.logp += logp
        particle.log_proposal += logp - log_weight
        if token == self._target.stop:
            particle.ending = "stop"
            return
        key = (particle.row, token)
        if key not in after:
            state = self._mask.extended(particle.state, token)
            if state is None:
                raise GenerationError(f"token {token} was proposed, but the constraint refuses it")
            after[key] = state
        particle.state = after[key]
        particle.tokens = (*particle.tokens, token)

    def _twist(self, particle: Particle, critic: Critic) -> None:
        potential = potential_of(critic, self._target, particle.tokens, particle.ending is not None)
        if potential == -math.inf:
            particle.ending, particle.log_weight = "dead", -math.inf
        else:
            particle.log_weight += potential - particle.potential
            particle.potential = potential


def potential_of(critic: Critic, target: Target, tokens: Sequence[int], complete: bool) -> float:
    """What a critic says of a text. Raises `GenerationError` for NaN and +inf."""
    text = decode(target.vocabulary.decode(tokens))
    potential = float(critic(text, complete))
    if math.isnan(potential) or potential == math.inf:
        raise GenerationError(f"the critic returned {potential} for {text[-60:]!r}")
    return potential
