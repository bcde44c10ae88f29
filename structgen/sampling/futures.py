"""What is expected of the future of a prefix: the twist of particles that go down the prefix trie.

The best twist of a prefix u is the mass that is still valid after it (Guarniero, Johansen, Lee 2017). Here it
is estimated: where particles were, by

    V(u) = sum over the tokens a of P(a | u) V(ua),

and where nobody was by the surrogate of the model (`structgen.sampling.surrogate`). The trie's bounds, which
tries teach, are above V, and cap it; by themselves they are no twist where tries are hardly ever accepted:
they are 1 where nobody was, and all particles would go there. V may be wrong in both directions. Weights stay
unbiased by any positive twist that is fixed while a population runs, and V changes in `learn` alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

import numpy as np

from structgen.sampling.prefix_trie import REST, Float64, Node, log_sum
from structgen.sampling.surrogate import MOST_TOKENS, Ids, Surrogate
from structgen.sampling.walk import Walker

# of a row's average twist, which no token's is below: what V thinks little of is still looked at now and
# then, and a weight is not so much larger than the others when V was wrong. Where nobody was the surrogate
# may be wrong by much: with 0.01 there, too, the pilots of adapted models missed half of Z and agreed on it
_LEAST_SHARE: Final = math.log(1e-2)
_LEAST_SHARE_UNSEEN: Final = math.log(1e-1)
_FUTURE_BYTES: Final = 350  # measured: a future without entries
_ENTRY_BYTES: Final = 16


class Future:
    """What is expected after a node, as logarithms.

    kinds: int64, after the first entries of its row; log_twist: float64 (k,), of all of them; log_rest: of
    each further token; log_value: V of the node.
    """

    __slots__ = ("is_counted", "kinds", "log_rest", "log_twist", "log_value")

    def __init__(self, kinds: Ids, size: int) -> None:
        self.kinds = kinds
        self.log_twist: Float64 = np.zeros(size)
        self.log_rest = 0.0
        self.log_value = 0.0
        self.is_counted = False

    @property
    def nbytes(self) -> int:
        return _FUTURE_BYTES + _ENTRY_BYTES * len(self.log_twist)


class Futures:
    """The expectations of one trie's nodes."""

    def __init__(self, walker: Walker) -> None:
        self._surrogate = Surrogate(walker.target, walker.mask, walker.state_of(walker.trie.root))
        self._passed: dict[int, Node] = {}

    def of(self, walker: Walker, node: Node) -> Future:
        """A visited node's."""
        future: Future | None = node.future
        if future is None:
            after = self._surrogate.after(walker.state_of(node), _first_ids(node))
            future = node.future = Future(after, len(node.log_p))
            walker.trie.future_bytes += future.nbytes
            self._expect(walker, node, future)
        elif len(future.log_twist) < len(node.log_p):  # entries that tokens of the rest were given since
            more = len(node.log_p) - len(future.log_twist)
            future.log_twist = np.append(future.log_twist, np.full(more, future.log_rest))
        return future

    def teach(self, nodes: Iterable[Node]) -> None:
        """Take note of ``nodes``, all that a population passed; `learn` looks at them."""
        self._passed |= {id(node): node for node in nodes if node.is_visited}

    def learn(self, walker: Walker) -> None:
        """Work out again what is expected, before a population begins."""
        passed = sorted(self._passed.values(), key=lambda node: -node.depth)
        self._passed = {}
        is_new = False
        for node in passed:
            future = self.of(walker, node)
            if not future.is_counted and node.ids is not None:
                future.is_counted = is_new = True
                ids = _first_ids(node)
                self._surrogate.count(
                    walker.state_of(node), ids, np.exp(node.log_p[: len(ids)]), node.log_allowed
                )
        if is_new:
            self._surrogate.settle()
        for node in passed:  # the deepest first
            self._expect(walker, node, node.future)

    def _expect(self, walker: Walker, node: Node, future: Future) -> None:
        """Set a node's expectations by those of its children."""
        if node.ids is None:
            return
        target = walker.target
        if target.is_cut_at(node.depth + 1):
            twist = np.zeros(len(node.log_p))
        else:
            twist = np.full(len(node.log_p), math.nan)
            twist[: len(future.kinds)] = self._surrogate.log_future(
                future.kinds, target.max_new_tokens - node.depth - 1
            )
            twist[node.ids == target.stop] = 0.0
        least = np.full(len(node.log_p), _LEAST_SHARE_UNSEEN)
        for token, child in node.children.items():
            place = node.place_of(token)
            if place != REST and token != target.stop:
                value = twist[place]
                if child.future is not None:
                    value, least[place] = child.future.log_value, _LEAST_SHARE
                twist[place] = np.fmin(value, child.log_bound)  # NaN where the surrogate knows nothing
        known = ~np.isnan(twist)
        likely = log_sum(node.log_p[known])
        if likely > -math.inf:
            average = log_sum(node.log_p[known] + twist[known]) - likely
        else:
            average = self._entered_by(node)
        future.log_rest = average
        twist[~known] = average
        twist[node.log_mass == -math.inf] = -math.inf
        future.log_value = min(
            node.log_bound, log_sum(np.append(node.log_p + twist, node.log_rest + average))
        )
        future.log_twist = np.where(twist > -math.inf, np.maximum(twist, average + least), -math.inf)

    def _entered_by(self, node: Node) -> float:
        """The twist with which particles come to a node."""
        if node.parent is None or node.parent.future is None:
            return 0.0
        before: Future = node.parent.future
        place = node.parent.place_of(node.token)
        return float(before.log_twist[place]) if REST < place < len(before.log_twist) else before.log_rest


def _first_ids(node: Node) -> Ids:
    """The tokens of a row of which the kind after them is looked at: the likeliest, mostly."""
    return np.zeros(0, np.int64) if node.ids is None else node.ids[:MOST_TOKENS].astype(np.int64)
