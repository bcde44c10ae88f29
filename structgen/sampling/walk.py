"""Walks down a prefix trie: many tries at once, depth by depth, the model run only where it never was.

All walks are at the same depth at the same time, so that the prefixes that have to be run are rows of one
pass without padding, and two walks at one prefix are one row. A walk through visited nodes costs no pass.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from structgen.sampling.constraint import Constraint, State
from structgen.sampling.language_model import LanguageModel, Rows
from structgen.sampling.mask import TokenMask
from structgen.sampling.prefix_trie import (
    REST,
    Float64,
    Node,
    PrefixTrie,
    StateError,
    log_sum,
)
from structgen.sampling.randomness import Randomness
from structgen.sampling.scored_rows import ScoredRows

# What is drawn from, at a visited node and at a new one:
#   rejection   P, and P
#   cars        P times the bounds, and P
#   asap        P times the bounds, and P under the mask
#   local       P under the mask, at both
Policy = Literal["rejection", "cars", "asap", "local"]


@dataclass(slots=True)
class Walk:
    """One try, from ``begin`` tokens on. ``nodes``: those passed, the first one included.

    ending: None while it goes on; "stop", "cut" (by the length, which counts), or "rejected".
    logp: of the model, float, of all tokens drawn and the stop; log_proposal: of the law of the draws;
    log_allowed: sum of log Z_t, the mass that the mask left at each step.
    """

    nodes: list[Node]
    begin: int
    ending: Literal["stop", "cut", "rejected"] | None = None
    logp: float = 0.0
    log_proposal: float = 0.0
    log_allowed: list[float] = field(default_factory=list)
    entropies: list[float] = field(default_factory=list)
    steps: list[float] = field(default_factory=list)  # log P of each token drawn, the stop included

    @property
    def is_valid(self) -> bool:
        return self.ending in ("stop", "cut")

    @property
    def tokens(self) -> tuple[int, ...]:
        """The text's tokens, the stop left out."""
        return self.nodes[-1].tokens()


@dataclass(frozen=True, slots=True)
class Pass:
    """What the model said at some nodes: P under the mask, and without it where that was asked for.

    place_of: the row of each node, by id. rows: to go on from.
    """

    masked: ScoredRows
    whole: ScoredRows | None
    place_of: dict[int, int]
    rows: Rows | None


class Walker:
    """Draws walks over one trie with one model under one constraint."""

    def __init__(
        self, model: LanguageModel, constraint: Constraint, trie: PrefixTrie, randomness: Randomness
    ) -> None:
        self.model = model
        self.constraint = constraint
        self.trie = trie
        self.randomness = randomness
        self.target = model.target
        self.mask = TokenMask(model.target)
        if trie.root.state is None:
            trie.root.state = constraint.start()

    def walk(self, starts: Sequence[Node], policy: Policy) -> list[Walk]:
        """One walk from each of ``starts`` to its end. The trie's bounds stay as they are meanwhile.

        They have to: a walk is a draw from P given "not known to be invalid" only when all its steps are by
        the bounds of one time. Call `PrefixTrie.update` afterwards, with the nodes of the walks.
        """
        walks = [Walk([node], node.depth) for node in starts]
        going = [walk for walk in walks if not self._ends_by_length(walk)]
        live: dict[int, int] = {}  # id of a node that was run in the last pass -> its row
        rows: Rows | None = None
        depth = min((walk.nodes[-1].depth for walk in going), default=0)
        while going:
            here = [walk for walk in going if walk.nodes[-1].depth == depth]
            self.model.forwards.logical += len(here)
            for walk in here:
                self.trie.touch(walk.nodes[-1])
            drawn = {id(walk): self._draw_visited(walk, policy) for walk in here}
            waiting = [walk for walk in here if drawn[id(walk)] == REST]
            if waiting:
                live, rows = self._draw_with_rows(waiting, policy, live, rows)
            else:
                live, rows = {}, None
            going = [walk for walk in going if walk.ending is None and not self._ends_by_length(walk)]
            depth += 1
            if going and not any(walk.nodes[-1].depth == depth for walk in going):
                depth = min(walk.nodes[-1].depth for walk in going)
        return walks

    def state_of(self, node: Node) -> State:
        """The constraint's state at a node, found again along the path where it was not kept."""
        if node.state is not None:
            return node.state
        state = self.constraint.start() if self.trie.root.state is None else self.trie.root.state
        for each in node.path():
            if each.state is None:
                each.state = self.mask.extended(state, each.token)
                if each.state is None:
                    raise StateError("constraint", "it refuses a prefix of the trie", "one that allows it")
            state = each.state
        return state

    def _ends_by_length(self, walk: Walk) -> bool:
        if walk.ending is None and self.target.is_cut_at(walk.nodes[-1].depth):
            walk.ending = "cut"
        return walk.ending is not None

    # -- at a node that the model has run on ---------------------------------------------------------

    def _draw_visited(self, walk: Walk, policy: Policy) -> int:
        """Draw from a visited node's row and move on; `REST` where its whole row is needed."""
        node = walk.nodes[-1]
        if not node.is_visited:
            return REST
        logs = _log_weights(node, policy)
        total = log_sum(logs)
        if total == -math.inf:
            walk.ending = "rejected"
            return 0
        place = self.randomness.index(np.exp(logs - total))
        if place == len(node.log_p):
            return REST
        if place > len(node.log_p):
            walk.ending = "rejected"
            return 0
        token = int(node.ids[place]) if node.ids is not None else 0
        self._step(walk, token, float(node.log_p[place]), float(logs[place]) - total)
        return 0

    # -- where the model has to run --------------------------------------------------------------------

    def _draw_with_rows(
        self, walks: Sequence[Walk], policy: Policy, live: dict[int, int], rows: Rows | None
    ) -> tuple[dict[int, int], Rows | None]:
        nodes: list[Node] = list({id(walk.nodes[-1]): walk.nodes[-1] for walk in walks}.values())
        new = {id(node) for node in nodes if not node.is_visited}
        unmasked = policy in ("rejection", "cars")
        now = self.run_at(nodes, live, rows, unmasked=unmasked)
        masked, place_of, after = now.masked, now.place_of, now.rows
        fresh = [walk for walk in walks if id(walk.nodes[-1]) in new]
        of_rest = [walk for walk in walks if id(walk.nodes[-1]) not in new]
        if fresh:
            source = masked if now.whole is None else now.whole
            row_of = [place_of[id(walk.nodes[-1])] for walk in fresh]
            tokens, mass = source.tokens(row_of, self.randomness)
            logs = source.log_p_of(row_of, tokens)
            for walk, token, row, log_p in zip(fresh, tokens, row_of, logs, strict=True):
                if token < 0:
                    walk.ending = "rejected"
                    continue
                self._step(walk, token, log_p, log_p - float(mass[row]), masked=masked, row=row)
        for walk in of_rest:
            self._draw_rest(walk, masked, place_of[id(walk.nodes[-1])], policy)
        return place_of, after

    def run_at(
        self, nodes: list[Node], live: dict[int, int], rows: Rows | None, *, unmasked: bool = False
    ) -> Pass:
        """Run the model at ``nodes``, all of one depth; those that were not visited get their rows.

        live: by id, the nodes run in the pass before and their places in its ``rows``. unmasked: whether P
        without the mask is needed, too.
        """
        scored, order, after = self._run(nodes, live, rows)
        place_of = {id(node): place for place, node in enumerate(order)}
        whole = scored.copy() if unmasked else None
        scored.mask(self.mask.of([self.state_of(node) for node in order], [node.depth for node in order]))
        self._visit([node for node in order if not node.is_visited], scored, place_of)
        return Pass(scored, whole, place_of, after)

    def _run(
        self, nodes: list[Node], live: dict[int, int], rows: Rows | None
    ) -> tuple[ScoredRows, list[Node], Rows | None]:
        """P at ``nodes``, all of one depth, and the order of the rows."""
        if nodes[0].parent is None:
            return self.model.first_row(), nodes, self.model.begin()
        if nodes[0].depth == 1:
            live, rows = {id(self.trie.root): 0}, self.model.begin()
        going_on = [node for node in nodes if id(node.parent) in live]
        joining = [node for node in nodes if id(node.parent) not in live]
        before = rows if rows is not None else self.model.begin()
        scored, after = before.advance(
            [live[id(node.parent)] for node in going_on],
            [node.token for node in going_on],
            [(node.tokens(), [each.kept for each in node.path()]) for node in joining],
        )
        order = going_on + joining
        for node, kept in zip(order, after.keep(), strict=True):
            node.kept = kept
        return scored, order, after

    def _visit(self, nodes: list[Node], masked: ScoredRows, place_of: dict[int, int]) -> None:
        rows = masked.sparse([place_of[id(node)] for node in nodes]) if nodes else []
        for node, row in zip(nodes, rows, strict=True):
            self.trie.visit(node, row.ids, row.log_p, row.log_rest, row.log_allowed, row.entropy)

    def _draw_rest(self, walk: Walk, masked: ScoredRows, row: int, policy: Policy) -> None:
        """A token that has no entry of its own in a visited node's row, from the whole row."""
        node = walk.nodes[-1]
        token = masked.other_than(row, node.ids, self.randomness)
        if token < 0:  # rounding had left a rest where there is none
            node.log_rest = -math.inf
            self._draw_visited(walk, policy)
            return
        (log_p,) = masked.log_p_of([row], [token])
        self._step(walk, token, log_p, log_p - log_sum(_log_weights(node, policy)))

    # -- a step ------------------------------------------------------------------------------------------

    def _step(
        self,
        walk: Walk,
        token: int,
        log_p: float,
        log_proposal: float,
        *,
        masked: ScoredRows | None = None,
        row: int = 0,
    ) -> None:
        """Move on by ``token``, or reject. ``masked``: the row's mask, where the token was drawn without."""
        node = walk.nodes[-1]
        walk.logp += log_p
        walk.log_proposal += log_proposal
        walk.steps.append(log_p)
        walk.log_allowed.append(node.log_allowed)
        walk.entropies.append(node.entropy)
        if masked is not None and not masked.allows(row, token):
            walk.ending = "rejected"
            return
        if token == self.target.stop:
            walk.ending = "stop" if self._stop_is_valid(node, log_p) else "rejected"
            return
        child = node.children.get(token)
        if child is None:
            child = self.trie.child(node, token, log_p, None)
            child.state = self.mask.extended(self.state_of(node), token)
            if child.state is None:
                child.log_bound = -math.inf
        if child.log_bound == -math.inf and not child.is_visited:
            walk.ending = "rejected"
        walk.nodes.append(child)

    def _stop_is_valid(self, node: Node, log_p: float) -> bool:
        if self.constraint.is_exact:
            return True  # the mask said so
        valid = self.state_of(node).is_complete()
        if not valid:
            self.trie.child(node, self.target.stop, log_p, None).log_bound = -math.inf
        return valid


def _log_weights(node: Node, policy: Policy) -> Float64:
    """Weights of a draw at a visited node: of its entries, the rest, for "rejection" what is invalid."""
    if policy != "rejection":
        return np.append(node.log_mass if policy in ("cars", "asap") else node.log_p, node.log_rest)
    invalid = 1 - math.exp(node.log_allowed)
    return np.concatenate([node.log_p, [node.log_rest, math.log(invalid) if invalid > 0 else -math.inf]])
