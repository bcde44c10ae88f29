"""Particles that go down the prefix trie, and take what it knows of the future as their twist.

Between the first token and the last a population targets P(u) V(u), V what is expected of the mass that is
still valid after u (`structgen.sampling.futures`), a *twist*: Guarniero, Johansen, Lee 2017, "The Iterated
Auxiliary Particle Filter". A token a is drawn in proportion to P(a | u) V(ua), the locally optimal
proposal, and the weight changes by

    sum over a of P(a | u) V(ua)  /  V(u),

which is 1 where V(u) is made of the others. So known branches are entered as often as what they lead to
deserves, and a particle pays only for what turned out other than expected. V stays fixed while a population
runs and is above 0 wherever a valid text may lie, so that E[Z] = Z whatever the trie knows; the next
population gains by what this one saw.

The model runs before particles are resampled: Z_t counts before the token is drawn, copies go on by
different tokens (Pitt and Shephard 1999, *fully adapted*), and those at one node share one stratified set
of uniforms.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from structgen.sampling.futures import Futures
from structgen.sampling.language_model import Rows
from structgen.sampling.particles import Critic, potential_of
from structgen.sampling.prefix_trie import Float64, Node, log_sum
from structgen.sampling.scored_rows import ScoredRows
from structgen.sampling.walk import Walker


@dataclass(slots=True)
class TrieParticle:
    """One text, as far as ``node``. ``log_twist``: that with which it came there; part of log_weight."""

    group: int
    origin: int
    node: Node
    log_twist: float = 0.0
    ending: Literal["stop", "cut", "dead"] | None = None
    log_weight: float = 0.0
    logp: float = 0.0
    potential: float = 0.0
    log_proposal: float = math.nan  # resampling makes it the law of the whole population

    @property
    def tokens(self) -> tuple[int, ...]:
        return self.node.tokens()


def futures_of(walker: Walker) -> Futures:
    """The trie's, which are made with the root's row: its pass was the prompt's, and is there."""
    trie = walker.trie
    if trie.futures is None:
        if not trie.root.is_visited:
            walker.run_at([trie.root], {}, None)
        trie.futures = Futures(walker)
        trie.futures.teach([trie.root])
    futures: Futures = trie.futures
    return futures


class TrieParticles:
    """``groups`` times ``each`` particles, to be weighted, resampled and moved until all have ended.

    critic: as in `structgen.sampling.particles.Particles`; its potential is a second twist.
    """

    def __init__(
        self,
        walker: Walker,
        groups: int,
        each: int,
        critic: Critic | None = None,
    ) -> None:
        root = walker.trie.root
        self.all = [TrieParticle(group, origin, root) for group in range(groups) for origin in range(each)]
        self.depth = 0
        self.seen: dict[int, Node] = {id(root): root}
        self._walker = walker
        self._futures = futures_of(walker)
        self._futures.learn(walker)
        self._critic = critic
        self._live: dict[int, int] = {}
        self._rows: Rows | None = None
        self._masked: ScoredRows | None = None

    @property
    def expected(self) -> float:
        """log Z, as far as the trie knows it now."""
        return self._futures.of(self._walker, self._walker.trie.root).log_value

    @property
    def going(self) -> list[TrieParticle]:
        return [particle for particle in self.all if particle.ending is None]

    def weigh(self) -> None:
        """Visit the nodes where the particles are, and let the mass that may follow there count."""
        going = self.going
        walker = self._walker
        walker.model.forwards.logical += len(going)
        nodes = {id(particle.node): particle.node for particle in going}
        self._run([node for node in nodes.values() if not node.is_visited])
        for node in nodes.values():
            walker.trie.touch(node)
        for particle in going:
            total = log_sum(self._log_masses(particle.node))
            if total == -math.inf:
                particle.ending, particle.log_weight = "dead", -math.inf
            else:
                particle.log_weight += total - particle.log_twist

    def move(self) -> None:
        """A token for each particle that goes on."""
        together: dict[tuple[int, int], list[TrieParticle]] = {}
        for particle in self.going:
            together.setdefault((particle.group, id(particle.node)), []).append(particle)
        moves: list[tuple[TrieParticle, int, float, float]] = []
        of_rest: list[TrieParticle] = []
        for particles in together.values():
            node = particles[0].node
            logs = self._log_masses(node)
            # those of one group at one node have the same weight: none minds which stratum it gets
            drawn = self._walker.randomness.stratified(np.exp(logs - logs.max()), len(particles))
            for particle, place in zip(particles, drawn, strict=True):
                if place == len(node.log_p) or node.ids is None:
                    of_rest.append(particle)
                else:
                    log_p = float(node.log_p[place])
                    moves.append((particle, int(node.ids[place]), log_p, float(logs[place])))
        moves += self._of_rest(of_rest)
        self.depth += 1
        for particle, token, log_p, log_mass in moves:
            self._enter(particle, token, log_p, log_mass)

    def _of_rest(self, particles: list[TrieParticle]) -> list[tuple[TrieParticle, int, float, float]]:
        """Tokens that have no entry of their own, from whole rows: each with log P, which it was drawn by."""
        known = {id(one.node): one.node for one in particles if id(one.node) not in self._live}
        masked = {key: (self._masked, place) for key, place in self._live.items() if self._masked is not None}
        if known:
            now = self._walker.run_at(list(known.values()), {}, None)
            masked |= {key: (now.masked, place) for key, place in now.place_of.items()}
        moves = []
        for particle in particles:
            node = particle.node
            rows, row = masked[id(node)]
            token = rows.other_than(row, node.ids, self._walker.randomness)
            if token < 0:  # what the difference had left was rounding
                particle.ending, particle.log_weight = "dead", -math.inf
            else:
                (log_p,) = rows.log_p_of([row], [token])
                rest = self._futures.of(self._walker, node).log_rest
                moves.append((particle, token, log_p, log_p + rest))
        return moves

    def _enter(self, particle: TrieParticle, token: int, log_p: float, log_mass: float) -> None:
        walker, node = self._walker, particle.node
        particle.logp += log_p
        particle.log_twist = log_mass - log_p
        if token == walker.target.stop:
            particle.ending = "stop"
        else:
            child = node.children.get(token)
            if child is None:
                child = walker.trie.child(node, token, log_p, None)
                child.state = walker.mask.extended(walker.state_of(node), token)
            particle.node = child
            self.seen[id(child)] = child
            if walker.target.is_cut_at(self.depth):
                particle.ending = "cut"
        if particle.ending is not None:  # a text that has ended is valid: there is no future to bound
            particle.log_weight -= particle.log_twist
        if self._critic is not None:
            after = potential_of(self._critic, walker.target, particle.tokens, particle.ending is not None)
            particle.log_weight += after - particle.potential
            particle.potential = after
            if after == -math.inf:
                particle.ending = "dead"

    def replace_group(self, group: int, parents: Sequence[TrieParticle], log_weight: float) -> None:
        """Put copies of ``parents``, all of the same weight, in the place of a group's particles."""
        places = [place for place, particle in enumerate(self.all) if particle.group == group]
        for place, parent in zip(places, parents, strict=True):
            self.all[place] = replace(parent, log_weight=log_weight)

    def teach(self) -> None:
        """Bring the trie's bounds up to date by what was seen. Ends the use of this object."""
        self._walker.trie.update(self.seen.values())
        self._futures.teach(self.seen.values())

    def _log_masses(self, node: Node) -> Float64:
        """log of P times the twist: of each entry, and of the rest."""
        future = self._futures.of(self._walker, node)
        return np.append(node.log_p + future.log_twist, node.log_rest + future.log_rest)

    def _run(self, nodes: list[Node]) -> None:
        if not nodes:
            self._live, self._rows = {}, None
            return
        self._masked = None  # its memory is what the next rows, as large, are written to
        now = self._walker.run_at(nodes, self._live, self._rows)
        self._live, self._rows, self._masked = now.place_of, now.rows, now.masked
