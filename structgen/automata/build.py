"""Regular expressions over code points to minimal automata over bytes, and operations on these."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from structgen.automata import code_points
from structgen.automata.code_points import KindDfa, Kinds
from structgen.automata.dfa import Dfa
from structgen.automata.encoding import ByteEdge, Encoding, charset_fragment, spell
from structgen.charset import CharSet
from structgen.errors import CompileLimitError
from structgen.regex.syntax import (
    ANYTHING,
    NOTHING,
    Chars,
    Complement,
    Concat,
    Intersection,
    Literal,
    Regex,
    Repeat,
    Union,
)
from structgen.untracked import untracked

MAX_STATES = 200_000
_INTERSECTION, _DIFFERENCE, _UNION = 0, 1, 2
_QUOTES = 2  # states of a string that are not of its inside
_MANY_EDGES = 24  # of a set of characters: so many are numbered as an array
_MANY_COPIES = 4  # of an item: so many are numbered as an array
# Steps of single states in a subset construction: bounds its time, which the number of its states does not.
_MOST_WORK = 1 << 25


@lru_cache(maxsize=256)
@untracked
def compile_regex(node: Regex, encoding: Encoding = "utf-8", max_states: int = MAX_STATES) -> Dfa:
    """The minimal `Dfa` of the whole texts that ``node`` matches, in the given encoding.

    Raises `CompileLimitError` (``max_states``) when an automaton on the way would be larger.
    """
    if encoding == "json-string" or code_points.is_large(node):
        kinds = code_points.kinds_of(node)
        if kinds is not None and kinds.n:
            return spelled(over_kinds(node, kinds, max_states), kinds, encoding, max_states, quoted=False)
    if isinstance(node, Intersection):
        return intersect(
            compile_regex(node.left, encoding, max_states),
            compile_regex(node.right, encoding, max_states),
            max_states,
        )
    if isinstance(node, Complement):
        everything = compile_regex(ANYTHING, encoding, max_states)
        return difference(everything, compile_regex(node.item, encoding, max_states), max_states)
    nfa = _Nfa(encoding, max_states)
    start, final = nfa.new_state(), nfa.new_state()
    nfa.add(node, start, final)
    return nfa.determinise(start, final)


def most_states(node: Regex, encoding: Encoding, max_states: int) -> int | None:
    """At most so many states has `compile_regex`'s automaton, which is not made; None where that is not
    quickly told. Raises as `compile_regex`.
    """
    kinds = code_points.kinds_of(node) if code_points.is_large(node) else None
    if kinds is None or not kinds.n:
        return None
    automaton = over_kinds(node, kinds, max_states)
    n_inner: int = spelling_of(kinds, encoding).order.shape[0]
    return int(automaton.table.shape[0]) * (1 + n_inner)


def over_kinds(node: Regex, kinds: Kinds, max_states: int) -> KindDfa:
    """An automaton over kinds of code points in place of bytes; a last kind is in no text."""
    if isinstance(node, Intersection):
        left, right = over_kinds(node.left, kinds, max_states), over_kinds(node.right, kinds, max_states)
        return _kind_product(left, right, _INTERSECTION, max_states)
    if isinstance(node, Complement):
        everything = np.zeros((2, kinds.n + 1), np.int32)
        everything[1, : kinds.n] = 1
        anything = KindDfa(everything, np.array((False, True)))
        return _kind_product(anything, over_kinds(node.item, kinds, max_states), _DIFFERENCE, max_states)
    nfa = _KindNfa(max_states, kinds)
    start, final = nfa.new_state(), nfa.new_state()
    nfa.add(node, start, final)
    return nfa.over_kinds(start, final)


def _kind_product(left: KindDfa, right: KindDfa, operation: int, max_states: int) -> KindDfa:
    from structgen_kernels.automata import TOO_MANY_STATES, least_product

    table, accepting, count = least_product(*left, *right, operation, max_states)
    if count == TOO_MANY_STATES:
        raise CompileLimitError("max_states", max_states, max_states + 1)
    return KindDfa(table, accepting)


def spelling_of(kinds: Kinds, encoding: Encoding) -> code_points.Spelling:
    """How the kinds are spelled; the last one there is a quote around strings."""
    return code_points.spelling_of(kinds.ranges, kinds.n + 1, encoding)


def spelled(automaton: KindDfa, kinds: Kinds, encoding: Encoding, max_states: int, *, quoted: bool) -> Dfa:
    """An automaton over kinds of code points, in bytes; ``quoted``: between two quotes."""
    from structgen_kernels.expansion import TOO_MANY_STATES, spelled_out
    from structgen_kernels.kind_spelling import in_quotes

    if automaton.is_empty:
        return compile_regex(NOTHING)
    room = max_states  # that of the text alone
    if quoted:
        automaton = KindDfa(*in_quotes(*automaton, kinds.n))
        room += _QUOTES
    spelling = spelling_of(kinds, encoding)
    table, byte_class, accepting, count = spelled_out(
        *automaton, spelling.table, spelling.byte_class, spelling.kind_of, spelling.order, room
    )
    if count == TOO_MANY_STATES:
        raise CompileLimitError("max_states", max_states, max_states + 1)
    return Dfa(table, byte_class, accepting)


def intersect(left: Dfa, right: Dfa, max_states: int = MAX_STATES) -> Dfa:
    """Texts that both accept."""
    return _product(left, right, _INTERSECTION, max_states)


def difference(left: Dfa, right: Dfa, max_states: int = MAX_STATES) -> Dfa:
    """Texts that ``left`` accepts and ``right`` does not."""
    return _product(left, right, _DIFFERENCE, max_states)


def union(automata: Iterable[Dfa], max_states: int = MAX_STATES) -> Dfa:
    """Texts that any of them accepts."""
    nfa = _Nfa("utf-8", max_states)
    start, final = nfa.new_state(), nfa.new_state()
    for automaton in automata:
        nfa.add_dfa(automaton, start, final)
    return nfa.determinise(start, final)


def concat(automata: Iterable[Dfa], max_states: int = MAX_STATES) -> Dfa:
    """A text of the first, then one of the second, and so on."""
    nfa = _Nfa("utf-8", max_states)
    start = source = nfa.new_state()
    for automaton in automata:
        target = nfa.new_state()
        nfa.add_dfa(automaton, source, target)
        source = target
    return nfa.determinise(start, source)


def repeat(automaton: Dfa, minimum: int, maximum: int | None, max_states: int = MAX_STATES) -> Dfa:
    """``automaton`` at least ``minimum`` and at most ``maximum`` times (None: without bound)."""
    nfa = _Nfa("utf-8", max_states)
    start, final = nfa.new_state(), nfa.new_state()
    nfa.add_repeat(
        lambda part, source, target: part.add_dfa(automaton, source, target), minimum, maximum, start, final
    )
    return nfa.determinise(start, final)


@lru_cache(maxsize=256)
@untracked
def literal(data: bytes) -> Dfa:
    """Exactly these bytes."""
    classes = sorted(set(data))
    byte_class = np.zeros(256, np.uint8)
    first_other = next(b for b in range(256) if b not in classes)
    ordered = sorted([*classes, first_other])  # classes are numbered by their first byte
    byte_class[:] = ordered.index(first_other)
    for byte in classes:
        byte_class[byte] = ordered.index(byte)
    table = np.zeros((len(data) + 2, len(ordered)), np.int32)
    for i, byte in enumerate(data):
        table[i + 1, byte_class[byte]] = i + 2
    accepting = np.zeros(len(data) + 2, np.bool_)
    accepting[-1] = True
    return Dfa(table, byte_class, accepting)


def restrict_bytes(automaton: Dfa, alphabet: npt.NDArray[np.bool_]) -> Dfa:
    """The texts of ``automaton`` spelled with the bytes of ``alphabet``, bool (256,), only."""
    if bool(alphabet.all()):
        return automaton
    wide = automaton.transitions[:, automaton.byte_class].copy()
    wide[:, ~alphabet] = 0
    return canonical(wide, automaton.accepting)


def canonical(table: npt.NDArray[np.int32], accepting: npt.NDArray[np.bool_]) -> Dfa:
    """The minimal `Dfa` of a complete table, int32 (states, 256): state 0 dead, 1 start."""
    representatives, byte_class = equal_columns(table, EVERY_BYTE)
    return minimal(np.ascontiguousarray(table[:, representatives]), accepting, byte_class)


def residual(automaton: Dfa, state: int) -> Dfa:
    """What may still follow in ``state``: the minimal `Dfa` of that language."""
    if state == 1:
        return automaton
    n = automaton.n_states
    order = np.arange(n, dtype=np.int32)
    order[1], order[state] = state, 1
    table = order[automaton.transitions[order]]
    return minimal(np.ascontiguousarray(table), automaton.accepting[order], automaton.byte_class)


def _product(left: Dfa, right: Dfa, operation: int, max_states: int) -> Dfa:
    from structgen_kernels.automata import TOO_MANY_STATES, product

    representatives, byte_class = common_classes(left, right)
    table, accepting, _, count = product(
        left.transitions,
        left.accepting,
        right.transitions,
        right.accepting,
        left.byte_class[representatives].astype(np.int64),
        right.byte_class[representatives].astype(np.int64),
        operation,
        max_states,
    )
    if count == TOO_MANY_STATES:
        raise CompileLimitError("max_states", max_states, max_states + 1)
    return minimal(table, accepting, byte_class)


def common_classes(left: Dfa, right: Dfa) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
    """Bytes that are alike in both: one byte of each class, and uint8 (256,) the class of each byte."""
    columns = left.byte_class.astype(np.int64) * 256 + right.byte_class
    _, representatives, byte_class = np.unique(columns, return_index=True, return_inverse=True)
    return representatives, byte_class.astype(np.uint8)


def minimal(
    table: npt.NDArray[np.int32], accepting: npt.NDArray[np.bool_], byte_class: npt.NDArray[np.uint8]
) -> Dfa:
    """Minimise, merge equal columns, number classes by their first byte and states breadth-first."""
    from structgen_kernels.minimise import minimal_form

    # copies: kernels would be compiled anew for arrays that may not be written
    return Dfa(*minimal_form(table, accepting.copy(), byte_class.copy()))


def arranged(
    table: npt.NDArray[np.int32], accepting: npt.NDArray[np.bool_], byte_class: npt.NDArray[np.uint8]
) -> Dfa:
    """The `Dfa` of a table, int32 (states, classes), that is minimal but for its columns and numbers."""
    from structgen_kernels.minimise import canonical_form

    return Dfa(*canonical_form(table, table.shape[0], accepting, byte_class))


def equal_columns(
    table: npt.NDArray[np.int32], byte_class: npt.NDArray[np.uint8]
) -> tuple[list[int], npt.NDArray[np.uint8]]:
    """Of columns that are alike one, in the order of their first bytes; and the new class of each byte."""
    from structgen_kernels.minimise import distinct_columns

    _, like = distinct_columns(table)
    numbers: dict[int, int] = {}  # by the first column that is alike
    new_class = np.zeros(table.shape[1], np.uint8)
    kept: list[int] = []
    kinds = like.tolist()
    for column in dict.fromkeys(byte_class.tolist()):
        number = numbers.get(kinds[column])
        if number is None:
            number = numbers[kinds[column]] = len(kept)
            kept.append(column)
        new_class[column] = number
    return kept, new_class[byte_class]


EVERY_BYTE = np.arange(256, dtype=np.uint8)


class _Nfa:
    """A nondeterministic automaton under construction (Thompson 1968)."""

    def __init__(self, encoding: Encoding, max_states: int) -> None:
        self._encoding = encoding
        self._max_states = max_states
        self._n_states = 0
        self._edges: list[ByteEdge] = []
        self._blocks: list[npt.NDArray[np.int32]] = []  # further edges
        self._empty: list[tuple[int, int]] = []
        self._empty_blocks: list[npt.NDArray[np.int32]] = []

    def new_state(self) -> int:
        return self.new_states(1)

    def new_states(self, count: int) -> int:
        first = self._n_states
        self._n_states += count
        # an NFA may be larger than its DFA, but not without bound
        if self._n_states > 8 * self._max_states:
            raise CompileLimitError("max_states", self._max_states, self._n_states)
        return first

    def add(self, node: Regex, source: int, target: int) -> None:
        """Paths from ``source`` to ``target`` that spell what ``node`` matches."""
        if isinstance(node, Chars):
            self._add_charset(node.charset, source, target)
        elif isinstance(node, Literal):
            self._add_literal(node.text, source, target)
        elif isinstance(node, Concat):
            for i, part in enumerate(node.parts):
                after = target if i == len(node.parts) - 1 else self.new_state()
                self.add(part, source, after)
                source = after
            if not node.parts:
                self._empty.append((source, target))
        elif isinstance(node, Union):
            for option in node.options:
                self.add(option, source, target)
        elif isinstance(node, Repeat):
            item = node.item
            self.add_repeat(
                lambda part, s, t: part.add(item, s, t), node.minimum, node.maximum, source, target
            )
        else:
            self._add_inner(node, source, target)

    def _add_inner(self, node: Regex, source: int, target: int) -> None:
        """The same for what needs an automaton of its own."""
        self.add_dfa(compile_regex(node, self._encoding, self._max_states), source, target)

    def _another(self) -> _Nfa:
        """An empty one of the same sort."""
        return _Nfa(self._encoding, self._max_states)

    def add_repeat(
        self,
        add_item: Callable[[_Nfa, int, int], None],
        minimum: int,
        maximum: int | None,
        source: int,
        target: int,
    ) -> None:
        """``add_item(nfa, source, target)`` adds the paths of one item."""
        source = self._add_copies(add_item, minimum, source, None)
        if maximum is None:
            # a state of its own, so that the loop cannot be entered or left half-way
            loop, back = self.new_state(), self.new_state()
            self._empty += [(source, loop), (loop, target), (back, loop)]
            add_item(self, loop, back)
            return
        source = self._add_copies(add_item, maximum - minimum, source, target)
        self._empty.append((source, target))

    def _add_copies(
        self, add_item: Callable[[_Nfa, int, int], None], count: int, source: int, leave: int | None
    ) -> int:
        """``count`` items one after another, each of which may be left out for ``leave``; where they end."""
        if count < _MANY_COPIES:
            for _ in range(count):
                if leave is not None:
                    self._empty.append((source, leave))
                after = self.new_state()
                add_item(self, source, after)
                source = after
            return source
        item = self._another()
        begin, end = item.new_state(), item.new_state()
        add_item(item, begin, end)
        inner = item._n_states - 2
        first = self.new_states(count * (inner + 1))
        # where the states of each copy go: its begin, its end, its inner ones
        places = np.empty((count, inner + 2), np.int32)
        places[:, 1] = np.arange(first, first + count)
        places[0, 0] = source
        places[1:, 0] = places[:-1, 1]
        places[:, 2:] = first + count + np.arange(count * inner).reshape(count, inner)
        edges = item._all_edges()
        copied = np.empty((count, len(edges), 4), np.int32)
        copied[:, :, 1:3] = edges[:, 1:3]
        copied[:, :, 0] = places[:, edges[:, 0]]
        copied[:, :, 3] = places[:, edges[:, 3]]
        self._blocks.append(copied.reshape(-1, 4))
        self._empty_blocks.append(places[:, item._all_empty()].reshape(-1, 2))
        if leave is not None:
            self._empty += [(at, leave) for at in places[:, 0].tolist()]
        return int(places[-1, 1])

    def _all_edges(self) -> npt.NDArray[np.int32]:
        """int32 (edges, 4): source, first byte, last byte, target."""
        edges = np.array(self._edges, np.int32).reshape(-1, 4)
        return np.ascontiguousarray(np.concatenate([edges, *self._blocks])) if self._blocks else edges

    def _all_empty(self) -> npt.NDArray[np.int32]:
        """int32 (edges, 2): source, target."""
        edges = np.array(self._empty, np.int32).reshape(-1, 2)
        if not self._empty_blocks:
            return edges
        # what was copied column by column comes out transposed
        return np.ascontiguousarray(np.concatenate([edges, *self._empty_blocks]))

    def add_dfa(self, automaton: Dfa, source: int, target: int) -> None:
        base = self.new_states(automaton.n_states)
        self._empty.append((source, base + 1))
        wide = automaton.transitions[:, automaton.byte_class]
        for state in range(1, automaton.n_states):
            row = wide[state]
            cuts = np.flatnonzero(np.diff(row)) + 1
            lows = np.concatenate(([0], cuts))
            highs = np.concatenate((cuts - 1, [255]))
            for low, high in zip(lows.tolist(), highs.tolist(), strict=True):
                after = int(row[low])
                if after:
                    self._edges.append((base + state, low, high, base + after))
            if automaton.accepting[state]:
                self._empty.append((base + state, target))

    def _add_charset(self, charset: CharSet, source: int, target: int) -> None:
        fragment = charset_fragment(charset, self._encoding)
        base = self.new_states(fragment.n_states - 2) - 2
        if len(fragment.edges) > _MANY_EDGES:
            edges = _edge_array(charset, self._encoding)
            moved = edges + np.array((base, 0, 0, base), np.int32)
            for column in (0, 3):
                moved[edges[:, column] == 0, column] = source
                moved[edges[:, column] == 1, column] = target
            self._blocks.append(moved)
            return
        place = [source, target, *range(base + 2, base + fragment.n_states)]
        self._edges += [(place[begin], low, high, place[end]) for begin, low, high, end in fragment.edges]

    def _add_literal(self, text: str, source: int, target: int) -> None:
        for piece in spell(text, self._encoding):
            if isinstance(piece, bytes):
                for byte in piece:
                    after = self.new_state()
                    self._edges.append((source, byte, byte, after))
                    source = after
            else:
                after = self.new_state()
                self._add_charset(piece, source, after)
                source = after
        self._empty.append((source, target))

    def determinise(self, start: int, final: int) -> Dfa:
        from structgen_kernels.automata import least_over_bytes

        table, byte_class, accepting, count = least_over_bytes(
            self._all_edges(),
            self._all_empty(),
            self._n_states,
            start,
            final,
            self._max_states,
            _MOST_WORK,
        )
        self._check(count)
        return Dfa(table, byte_class, accepting)

    def _check(self, count: int) -> None:
        from structgen_kernels.automata import TOO_MANY_STATES, TOO_MUCH_WORK

        if count == TOO_MANY_STATES:
            raise CompileLimitError("max_states", self._max_states, self._max_states + 1)
        if count == TOO_MUCH_WORK:
            raise CompileLimitError("max_subset_work", _MOST_WORK, _MOST_WORK + 1, fixed=True)


class _KindNfa(_Nfa):
    """One over kinds of code points, each of which stands for a byte."""

    def __init__(self, max_states: int, kinds: Kinds) -> None:
        super().__init__("utf-8", max_states)
        self._kinds = kinds

    def _add_inner(self, node: Regex, source: int, target: int) -> None:
        automaton = over_kinds(node, self._kinds, self._max_states)
        base = self.new_states(automaton.table.shape[0])
        self._empty.append((source, base + 1))
        for state, row in enumerate(automaton.table.tolist()):
            self._edges += [(base + state, i, i, base + after) for i, after in enumerate(row) if after]
        self._empty += [(base + state, target) for state in np.flatnonzero(automaton.accepting).tolist()]

    def _another(self) -> _Nfa:
        return _KindNfa(self._max_states, self._kinds)

    def over_kinds(self, start: int, final: int) -> KindDfa:
        from structgen_kernels.automata import least_over_kinds

        table, accepting, count = least_over_kinds(
            self._all_edges(),
            self._all_empty(),
            self._n_states,
            start,
            final,
            self._kinds.n + 1,
            self._max_states,
            _MOST_WORK,
        )
        self._check(count)
        return KindDfa(table, accepting)

    def _add_charset(self, charset: CharSet, source: int, target: int) -> None:
        self._add_kinds(charset, source, target)

    def _add_kinds(self, which: CharSet | str, source: int, target: int) -> None:
        self._edges += [(source, first, last, target) for first, last in self._kinds.of[which]]

    def _add_literal(self, text: str, source: int, target: int) -> None:
        for i, char in enumerate(text):
            after = target if i == len(text) - 1 else self.new_state()
            self._add_kinds(char, source, after)
            source = after
        if not text:
            self._empty.append((source, target))


@lru_cache(maxsize=256)
@untracked
def _edge_array(charset: CharSet, encoding: Encoding) -> npt.NDArray[np.int32]:
    """int32 (edges, 4): the fragment's edges."""
    return np.array(charset_fragment(charset, encoding).edges, np.int32)
