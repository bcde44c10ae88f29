"""The prefixes that were visited: their next-token masses, and bounds on the mass that is still valid.

A node is one prefix. Once the model has run on it, it holds a sparse row: the likeliest tokens that may
follow with their probabilities, the mass of the further ones (``rest``), and of all that may follow
(``allowed``). Its ``bound`` is an upper bound on the probability, under the model and given the prefix,
that the text ends up valid: 1 before it was visited, 0 when it is known to be invalid, and

    bound(u) = sum over the tokens a of P(a | u) bound(ua).

All of these are kept as logarithms: over a long text they are products beyond what a float64 can hold.
Sampling in proportion to P bound, and nothing else, is what CARS (Parys et al. 2025, "Constrained Adaptive
Rejection Sampling") and ASAp (Park et al. 2024, "Grammar-Aligned Decoding", algorithm 1) share. Accepted
texts stay: taken out, the samples would be without replacement, another distribution.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from structgen.errors import OptionError, StructgenError
from structgen.sampling.constraint import State

REST: Final = -1  # the place of all tokens that have no entry of their own
ROW_LENGTH: Final = 1024  # entries of a row at most
ROW_REST: Final = 1e-4  # of the allowed mass: entries after that are left to the rest
MAX_BYTES: Final = 256 << 20
_NODE_BYTES: Final = 700  # measured: objects and arrays' headers of a node without entries
_ENTRY_BYTES: Final = 20

Float64 = npt.NDArray[np.float64]


def log_sum(logs: Float64) -> float:
    """log of the sum of exp(logs) float64 (k,), -inf where there is nothing."""
    best = float(logs.max(initial=-math.inf))
    return best if best == -math.inf else best + math.log(float(np.exp(logs - best).sum()))


class StateError(StructgenError):
    """A prefix trie used with another model, prompt, constraint or target. ``what`` differs."""

    def __init__(self, what: str, given: str, expected: str) -> None:
        self.what = what
        self.given = given
        self.expected = expected
        super().__init__(what, given, expected)

    def __str__(self) -> str:
        return (
            f"the prefix trie belongs to another {self.what} ({self.expected}, not {self.given})\n"
            "leave out state=, or give the trie that was made with these"
        )


class Node:
    """A prefix. ``state`` is None for one whose constraint state has to be found again (after loading)."""

    __slots__ = (
        "children", "depth", "entropy", "future", "ids", "kept", "log_allowed", "log_bound", "log_mass",
        "log_p", "log_rest", "parent", "state", "token", "used",
    )  # fmt: skip

    def __init__(self, parent: Node | None, token: int, state: State | None) -> None:
        self.parent = parent
        self.token = token
        self.depth: int = 0 if parent is None else parent.depth + 1
        self.state = state
        self.kept: Any = None  # the language model's, for this token
        self.log_bound = 0.0
        self.children: dict[int, Node] = {}  # by token
        self.used = 0
        self.ids: npt.NDArray[np.int32] | None = None  # None: the model has not run here
        self.log_p: Float64 = _EMPTY
        self.log_mass: Float64 = _EMPTY  # of p times the child's bound
        self.log_rest = -math.inf
        self.log_allowed = 0.0
        self.entropy = 0.0  # of the allowed tokens, renormalised, nats
        self.future: Any = None  # `structgen.sampling.futures`

    @property
    def is_visited(self) -> bool:
        return self.ids is not None

    @property
    def bound(self) -> float:
        """The bound itself, which may be 0 by underflow; `log_bound` tells."""
        return math.exp(self.log_bound)

    def path(self) -> list[Node]:
        """The nodes from the one after the root to this one."""
        nodes = []
        node: Node | None = self
        while node is not None and node.parent is not None:
            nodes.append(node)
            node = node.parent
        return nodes[::-1]

    def tokens(self) -> tuple[int, ...]:
        return tuple(node.token for node in self.path())

    def place_of(self, token: int) -> int:
        """The entry of ``token``, or `REST`."""
        if self.ids is None:
            return REST
        found = np.flatnonzero(self.ids == token)
        return int(found[0]) if len(found) else REST

    def log_probability(self, token: int) -> float:
        """log P(token | prefix) of one that has an entry."""
        return float(self.log_p[self.place_of(token)])

    def set_bound(self) -> None:
        """Take the children's bounds into this node's."""
        if self.ids is not None:
            for token, child in self.children.items():
                place = self.place_of(token)
                self.log_mass[place] = self.log_p[place] + child.log_bound
            self.log_bound = min(0.0, log_sum(np.append(self.log_mass, self.log_rest)))


_EMPTY: Float64 = np.zeros(0)


class PrefixTrie:
    """Nodes of one prompt, model, constraint and target. ``identity`` names these.

    max_bytes: about how much the rows may take; the nodes not used for longest are forgotten then, which
        makes bounds looser and nothing wrong.
    """

    def __init__(self, root_state: State | None, *, max_bytes: int = MAX_BYTES) -> None:
        if not isinstance(max_bytes, int) or max_bytes < 1 << 16:
            raise OptionError("max_bytes", max_bytes, "at least 65,536 bytes")
        self.root = Node(None, -1, root_state)
        self.identity: dict[str, str] = {}
        self.prompt_cache: Any = None  # the language model's
        self.futures: Any = None  # `structgen.sampling.futures.Futures`, where particles have taught them
        self.constraint: Any = None  # that the nodes' states are of
        self.is_settled = False  # whether a population's estimate of Z was near what its futures said
        self.needs_no_twist: bool | None = None  # whether most of P is valid, where that was looked at
        self.max_bytes = max_bytes
        self.n_nodes = 1
        self.n_entries = 0
        self.future_bytes = 0  # of the nodes' futures
        self._clock = 0

    @property
    def nbytes(self) -> int:
        """About the bytes that nodes and rows take (keys and values are bounded by themselves)."""
        return self.n_nodes * _NODE_BYTES + self.n_entries * _ENTRY_BYTES + self.future_bytes

    @property
    def log_bound(self) -> float:
        """log of the upper bound on Z, the probability that the model's text is valid."""
        return self.root.log_bound

    def belongs_to(self, identity: dict[str, str]) -> None:
        """Take on an identity, or raise `StateError` where it is another's."""
        for what, expected in self.identity.items():
            if identity.get(what, expected) != expected:
                raise StateError(what, identity[what][:12], expected[:12])
        self.identity |= identity

    def visit(
        self,
        node: Node,
        ids: npt.NDArray[np.int64],
        log_p: Float64,
        log_rest: float,
        log_allowed: float,
        entropy: float,
    ) -> None:
        """Give a node its row. ids, log_p (k,): the likeliest that may follow; the others: as in `Node`."""
        node.ids = ids.astype(np.int32)
        node.log_p = log_p.astype(np.float64)
        node.log_mass = node.log_p.copy()
        node.log_rest = log_rest
        node.log_allowed = log_allowed
        node.entropy = entropy
        self.n_entries += len(ids)
        self.touch(node)

    def touch(self, node: Node) -> None:
        self._clock += 1
        node.used = self._clock

    def child(self, node: Node, token: int, log_p: float, state: State | None) -> Node:
        """The node after ``token``, made if need be; ``log_p``: of it, should it have no entry yet."""
        child = node.children.get(token)
        if child is None:
            self.entry(node, token, log_p)
            child = Node(node, token, state)
            node.children[token] = child
            self.n_nodes += 1
        elif child.state is None:
            child.state = state
        return child

    def entry(self, node: Node, token: int, log_p: float) -> None:
        """Give a token of the rest an entry of its own."""
        if node.ids is not None and node.place_of(token) == REST:
            node.ids = np.append(node.ids, np.int32(token))
            node.log_p = np.append(node.log_p, log_p)
            node.log_mass = np.append(node.log_mass, log_p)
            left = 1 - math.exp(log_p - node.log_rest) if log_p < node.log_rest else 0.0
            node.log_rest = node.log_rest + math.log(left) if left > 0 else -math.inf
            self.n_entries += 1

    def update(self, nodes: Iterable[Node]) -> None:
        """Bring the bounds of ``nodes`` and of all above them up to date, then forget what is too much."""
        self._set_bounds(nodes)
        if self.nbytes > self.max_bytes:
            self._forget()

    def _set_bounds(self, nodes: Iterable[Node]) -> None:
        above: dict[int, Node] = {}
        for start in nodes:
            node: Node | None = start
            while node is not None and id(node) not in above:
                above[id(node)] = node
                node = node.parent
        for node in sorted(above.values(), key=lambda each: -each.depth):
            node.set_bound()

    def walk(self) -> Iterator[Node]:
        """All nodes, parents first."""
        waiting = [self.root]
        while waiting:
            node = waiting.pop()
            yield node
            waiting += node.children.values()

    def merge(self, other: PrefixTrie) -> None:
        """Take in what another trie of the same model, prompt, constraint and target knows.

        Raises `StateError` for a trie of others.
        """
        self.belongs_to(other.identity)
        pairs = [(self.root, other.root)]
        changed = []
        while pairs:
            mine, theirs = pairs.pop()
            changed.append(mine)
            if theirs.ids is not None and mine.ids is None:
                ids = theirs.ids.astype(np.int64)
                self.visit(mine, ids, theirs.log_p, theirs.log_rest, theirs.log_allowed, theirs.entropy)
            if theirs.ids is None:
                mine.log_bound = min(mine.log_bound, theirs.log_bound)
            for token, child in theirs.children.items():
                log_p = theirs.log_probability(token)
                pairs.append((self.child(mine, token, log_p, child.state), child))
        self.update(changed)

    def _forget(self) -> None:
        """Drop visited nodes, longest unused first, to nine tenths of the room.

        A forgotten node is as one never visited: its bound is 1 again, since a bound without the rows that
        it came from could not be sampled from. One that is known to be invalid keeps its 0.
        """
        nodes = list(self.walk())
        self.is_settled = False
        self.n_nodes = len(nodes)
        self.n_entries = sum(len(node.ids) for node in nodes if node.ids is not None)
        self.future_bytes = sum(node.future.nbytes for node in nodes if node.future is not None)
        # used: a node is touched on every walk through it, so that a child was never used after its parent
        oldest = sorted(
            (node for node in nodes if node.is_visited and node.parent is not None),
            key=lambda node: node.used,
        )
        changed: list[Node] = []
        gone: set[int] = set()
        for node in oldest:
            if self.nbytes <= 0.9 * self.max_bytes:
                break
            if id(node) in gone:
                continue
            below = [node]
            while below:
                each = below.pop()
                gone.add(id(each))
                below += each.children.values()
                self.n_entries -= 0 if each.ids is None else len(each.ids)
                self.future_bytes -= 0 if each.future is None else each.future.nbytes
                self.n_nodes -= 1
            if node.parent is not None:
                del node.parent.children[node.token]
                place = node.parent.place_of(node.token)
                node.parent.log_mass[place] = node.parent.log_p[place]
                changed.append(node.parent)
        self._set_bounds(node for node in changed if id(node) not in gone)
