"""Strings of a pattern with a large repetition, which is counted while reading: ``^(\\S+\\s+){0,199}\\S+$``.

Its automaton has a copy of what is repeated for each number of times: here 14,000 states. Where all
copies are alike, a state is a count and a place in one of them, as of a `BoundedDfa`; what counts is not
code points, but steps that *mark* the next copy. Whether it is so is found on the automaton over kinds
of code points, which is small, by running it beside the one without the bound.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from structgen.automata import code_points
from structgen.automata.build import over_kinds, spelling_of
from structgen.automata.code_points import KindDfa, Kinds
from structgen.automata.dfa import Dfa
from structgen.automata.json_text import matching
from structgen.regex.syntax import Chars, Complement, Concat, Intersection, Literal, Regex, Repeat, Union

_LEAST_REPEATED = 16  # a repetition of fewer is spelled out
_FEW_STATES = 2000  # so are few states


@dataclass(frozen=True, slots=True, eq=False)
class MarkedDfa:
    """A quote, a text that ``node`` matches, a quote.

    A state is (count, unit). ``table`` int32 (units, classes): 0 dead, else next unit + 1, negative where the
    step counts; unit 0 is the start. ``byte_class`` uint8 (256,). ``distance`` int32 (units,): what the
    count must leave to ``maximum`` in a unit; 0 exactly where the text may end.
    """

    node: Regex
    max_states: int
    table: npt.NDArray[np.int32]
    byte_class: npt.NDArray[np.uint8]
    distance: npt.NDArray[np.int32]
    maximum: int
    content_digest: bytes = field(init=False, repr=False)  # of all but the maximum
    digest: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        content = hashlib.blake2b(b"marked", digest_size=16)
        content.update(np.array(self.table.shape, np.int32).tobytes())
        for array in (self.table, self.byte_class, self.distance):
            content.update(array.tobytes())
        object.__setattr__(self, "content_digest", content.digest())
        digest = hashlib.blake2b(self.content_digest + b"%d" % self.maximum, digest_size=16).digest()
        object.__setattr__(self, "digest", digest)

    @property
    def head(self) -> bytes:
        return b'"'

    @property
    def tail(self) -> bytes:
        return b'"'

    @property
    def nbytes(self) -> int:
        """Bytes of memory, roughly."""
        return self.table.nbytes + self.distance.nbytes + 1000

    @property
    def counts(self) -> int:
        """Number of counts to tell apart."""
        return self.maximum + 1

    def whole(self) -> Dfa:
        """The same without counting."""
        made = matching(self.node, self.max_states)
        assert made is not None  # as nothing else is excluded
        return made

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MarkedDfa) and other.digest == self.digest

    def __hash__(self) -> int:
        return hash(self.digest)


def marked(node: Regex, max_states: int) -> MarkedDfa | None:
    """The JSON strings of the texts that ``node`` matches, where a repetition makes them large and can be
    counted; None elsewhere, and where they need more than ``max_states`` without. Raises as `compile_regex`.
    """
    largest = _largest_repetition(node)
    if largest < _LEAST_REPEATED:
        return None
    kinds = code_points.kinds_of(node)
    if kinds is None:
        return None
    over = over_kinds(node, kinds, max_states)
    spelling = spelling_of(kinds, "json-string")
    most = over.table.shape[0] * (1 + spelling.order.shape[0])
    if over.is_empty or not _FEW_STATES < most <= max_states:
        return None
    found = _marks(over, over_kinds(_without_bound(node, largest), kinds, max_states))
    return None if found is None else _in_bytes(node, max_states, kinds, *found)


def _largest_repetition(node: Regex) -> int:
    """Of more than a set of characters."""
    if isinstance(node, Repeat):
        own = 0 if node.maximum is None or isinstance(node.item, Chars) else node.maximum
        return max(own, _largest_repetition(node.item))
    if isinstance(node, Concat | Union):
        return max(
            map(_largest_repetition, node.parts if isinstance(node, Concat) else node.options), default=0
        )
    return 0  # what is under a complement counts for nothing that must come


def _without_bound(node: Regex, maximum: int) -> Regex:
    """The same with repetitions of at most ``maximum`` of any number."""
    if isinstance(node, Repeat):
        bound = None if node.maximum == maximum else node.maximum
        return Repeat(_without_bound(node.item, maximum), node.minimum, bound)
    if isinstance(node, Concat):
        return Concat(tuple(_without_bound(part, maximum) for part in node.parts))
    if isinstance(node, Union):
        return Union(tuple(_without_bound(option, maximum) for option in node.options))
    assert isinstance(node, Chars | Literal | Complement | Intersection)
    return node


def _marks(over: KindDfa, free: KindDfa) -> tuple[KindDfa, int] | None:
    """How an automaton is one without bound, ``free``, and a count.

    Returns an automaton over the same kinds in which each state of ``free`` is there twice: what leads to the
    second one, ``free.table.shape[0]`` further on, counts; and the maximum of `MarkedDfa`.
    """
    from structgen_kernels.automata import find_places

    n, n_kinds = over.table.shape
    n_free = free.table.shape[0]
    if 4 * n_free > n:
        return None
    beside = free.table.copy()
    beside.flags.writeable = False  # or the kernel would be compiled twice
    place = np.zeros(n, np.int64)
    if not find_places(over.table, beside, np.arange(n_kinds), place):
        return None
    # states in the same place are those of one count after another, as they come
    count = np.zeros(n, np.int64)
    for state in range(1, n_free):
        alike = np.flatnonzero(place == state)
        count[alike] = np.arange(alike.size)
    here, counted = place[1:], count[1:, None]
    after, leads_on = over.table[1:], over.table[1:] > 0
    step = np.where(leads_on, count[after] - counted, 0)
    if not np.array_equal(over.accepting[1:], free.accepting[here]) or step.min() < 0 or step.max() > 1:
        return None
    counts, stays = np.zeros((n_free, n_kinds), np.bool_), np.zeros((n_free, n_kinds), np.bool_)
    for which, marks in ((1, counts), (0, stays)):
        rows, columns = np.nonzero(leads_on & (step == which))
        marks[here[rows], columns] = True
    if bool((counts & stays).any()):
        return None
    table = np.where(counts & (free.table > 0), free.table + n_free, free.table)
    twice = KindDfa(
        np.concatenate((table, table)).astype(np.int32), np.concatenate((free.accepting, free.accepting))
    )
    needed = _needed(twice, np.arange(2 * n_free) >= n_free)
    maximum = int(count.max()) + 1
    # the proof: what the count forbids is exactly what the automaton does not have
    target = free.table[here]
    allowed = (target > 0) & (needed[target] <= maximum - counted - counts[here])
    if not np.array_equal(allowed, leads_on) or needed[1] > maximum:
        return None
    return twice, maximum


def _needed(automaton: KindDfa, counts: npt.NDArray[np.bool_]) -> npt.NDArray[np.int32]:
    """int32 (states,): how many steps that count must still come before an end, and one more where it is
    not here: so 0 tells the ends.
    """
    from structgen_kernels.automata import least_distance

    distance = least_distance(automaton.table, automaton.accepting, counts)
    needed: npt.NDArray[np.int32] = (distance + ~automaton.accepting).astype(np.int32)
    return needed


def _in_bytes(node: Regex, max_states: int, kinds: Kinds, twice: KindDfa, maximum: int) -> MarkedDfa:
    from structgen_kernels.expansion import expanded

    spelling = spelling_of(kinds, "json-string")
    wide, n = expanded(twice.table, spelling.table, spelling.kind_of, spelling.order, max_states)
    n_twice = twice.table.shape[0]
    n_free = n_twice // 2
    accepting = np.zeros(n, np.bool_)
    accepting[:n_twice] = twice.accepting
    counts = np.zeros(n, np.bool_)
    counts[n_free:n_twice] = True
    table = wide[:n].copy()
    needed = _needed(KindDfa(table, accepting), counts)
    kept = np.flatnonzero(~counts)[1:]
    number = np.zeros(n, np.int32)
    number[kept] = np.arange(1, kept.size + 1)
    number[n_free:n_twice] = -number[:n_free]
    units, byte_class, distance = number[table[kept]], spelling.byte_class.copy(), needed[kept]
    for array in (units, byte_class, distance):
        array.flags.writeable = False
    return MarkedDfa(node, max_states, units, byte_class, distance, maximum)
