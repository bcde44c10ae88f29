"""Code points as bytes: automata that spell the members of a `CharSet` in an encoding.

Two encodings: ``utf-8``, and ``json-string``, where a code point stands for every way to write it
inside a JSON string (RFC 8259, section 7): raw, short escape, ``\\uXXXX`` in either hex case, surrogate
pair. Both are digit systems: a code point is cut into groups of bits, each group spelled by one byte,
with fixed bytes in between. A `Layout` says how; one recursion over sorted ranges builds the
deterministic acyclic automaton.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from structgen.charset import CharSet
from structgen.untracked import untracked

Encoding = Literal["utf-8", "json-string"]
ByteEdge = tuple[int, int, int, int]  # source, low byte, high byte, target

# A digit's spelling: for every value the byte ranges that write it.
Digit = tuple[tuple[tuple[int, int], ...], ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """How the code points ``first..last`` are written: fixed bytes (int) and digits, in order.

    The digits spell ``code_point - offset``, most significant first.
    """

    first: int
    last: int
    offset: int
    steps: tuple[int | Digit, ...]


@dataclass(frozen=True, slots=True)
class Fragment:
    """An acyclic automaton piece: state 0 is its start, state 1 its end, no edge leaves the end."""

    n_states: int
    edges: tuple[ByteEdge, ...]


def _digit(bits: int, base: int) -> Digit:
    return tuple(((base + value, base + value),) for value in range(1 << bits))


def _hex_digit(values: Sequence[int]) -> Digit:
    spelled = []
    for value in values:
        lower, upper = ord(f"{value:x}"), ord(f"{value:X}")
        spelled.append(((lower, lower),) if lower == upper else ((upper, upper), (lower, lower)))
    return tuple(spelled)


_CONTINUATION = _digit(6, 0x80)
_HEX = _hex_digit(range(16))
_BACKSLASH, _U = ord("\\"), ord("u")

UTF8_LAYOUTS = (
    Layout(0x0, 0x7F, 0, (_digit(7, 0),)),
    Layout(0x80, 0x7FF, 0, (_digit(5, 0xC0), _CONTINUATION)),
    Layout(0x800, 0xFFFF, 0, (_digit(4, 0xE0), _CONTINUATION, _CONTINUATION)),
    Layout(0x10000, 0x10FFFF, 0, (_digit(3, 0xF0), _CONTINUATION, _CONTINUATION, _CONTINUATION)),
)
_HIGH_SURROGATE = (_BACKSLASH, _U, _hex_digit([13]), _hex_digit([8, 9, 10, 11]), _HEX, _HEX)
_LOW_SURROGATE = (_BACKSLASH, _U, _hex_digit([13]), _hex_digit([12, 13, 14, 15]), _HEX, _HEX)
_ESCAPE_LAYOUTS = (
    Layout(0x0, 0xFFFF, 0, (_BACKSLASH, _U, _HEX, _HEX, _HEX, _HEX)),
    Layout(
        0x10000,
        0x10FFFF,
        0x10000,
        (*_HIGH_SURROGATE, *_LOW_SURROGATE),
    ),
)
# RFC 8259: these may not stand raw in a string.
JSON_NOT_RAW = CharSet.of([(0, 0x1F), (ord('"'), ord('"')), (_BACKSLASH, _BACKSLASH)])
JSON_SHORT_ESCAPES = {
    ord('"'): '"',
    _BACKSLASH: "\\",
    ord("/"): "/",
    0x08: "b",
    0x0C: "f",
    0x0A: "n",
    0x0D: "r",
    0x09: "t",
}


@lru_cache(maxsize=4096)
@untracked
def charset_fragment(charset: CharSet, encoding: Encoding) -> Fragment:
    """The automaton that spells exactly one code point of ``charset``.

    It may be nondeterministic at its start in ``json-string`` (several spellings begin with a
    backslash); the subset construction takes care of that.
    """
    builder = _FragmentBuilder()
    if encoding == "utf-8":
        for layout in UTF8_LAYOUTS:
            builder.add_layout(charset, layout)
    else:
        raw = charset - JSON_NOT_RAW
        for layout in UTF8_LAYOUTS:
            builder.add_layout(raw, layout)
        for layout in _ESCAPE_LAYOUTS:
            builder.add_layout(charset, layout)
        for code_point, letter in JSON_SHORT_ESCAPES.items():
            if code_point in charset:
                builder.add_word(b"\\" + letter.encode())
    return Fragment(builder.n_states, tuple(builder.edges))


def spell(text: str, encoding: Encoding) -> Sequence[bytes | CharSet]:
    """A literal as runs of plain bytes and single code points that have several spellings."""
    if encoding == "utf-8":
        return [text.encode("utf-8")] if text else []
    return [CharSet.chars(char) for char in text]


class _FragmentBuilder:
    def __init__(self) -> None:
        self.n_states = 2
        self.edges: list[ByteEdge] = []
        self._memo: dict[tuple[object, ...], int] = {}

    def add_word(self, word: bytes) -> None:
        source = 0
        for i, byte in enumerate(word):
            target = 1 if i == len(word) - 1 else self._new_state()
            self.edges.append((source, byte, byte, target))
            source = target

    def add_layout(self, charset: CharSet, layout: Layout) -> None:
        ranges = tuple(
            (max(low, layout.first) - layout.offset, min(high, layout.last) - layout.offset)
            for low, high in charset.ranges
            if low <= layout.last and high >= layout.first
        )
        if ranges:
            self._spell(0, ranges, layout.steps)

    def _new_state(self) -> int:
        self.n_states += 1
        return self.n_states - 1

    def _state_for(self, ranges: tuple[tuple[int, int], ...], steps: tuple[int | Digit, ...]) -> int:
        """The state from which exactly ``ranges`` are spelled by ``steps``; shared when met again."""
        if not steps:
            return 1
        key = (ranges, id(steps[0]), len(steps))
        state = self._memo.get(key)
        if state is None:
            state = self._memo[key] = self._new_state()
            self._spell(state, ranges, steps)
        return state

    def _spell(
        self, source: int, ranges: tuple[tuple[int, int], ...], steps: tuple[int | Digit, ...]
    ) -> None:
        step, rest = steps[0], steps[1:]
        if isinstance(step, int):
            self.edges.append((source, step, step, self._state_for(ranges, rest)))
            return
        width = 1  # how many values the remaining digits can tell apart
        for later in rest:
            if not isinstance(later, int):
                width *= len(later)
        targets: list[tuple[int, int, int]] = []  # low byte, high byte, target
        before: tuple[tuple[int, int], ...] = ()
        target = 0
        for value, inner in _cut(ranges, width):
            if inner is not before:  # whole values are the same object
                target, before = self._state_for(inner, rest), inner
            targets.extend((first, last, target) for first, last in step[value])
        targets.sort()
        for i, (low, high, target) in enumerate(targets):
            if i and targets[i - 1][2] == target and targets[i - 1][1] == low - 1:
                previous = self.edges.pop()
                self.edges.append((source, previous[1], high, target))
            else:
                self.edges.append((source, low, high, target))


def _cut(
    ranges: tuple[tuple[int, int], ...], width: int
) -> Iterator[tuple[int, tuple[tuple[int, int], ...]]]:
    """(value of the first digit, ranges of the digits behind it) for each value that ``ranges`` have."""
    whole = ((0, width - 1),)
    open_value = -1  # that further ranges may have, too
    inner: list[tuple[int, int]] = []
    for low, high in ranges:
        value, last = low // width, high // width
        if value != open_value:
            if inner:
                yield open_value, tuple(inner)
            open_value, inner = value, []
        while value < last:
            inner.append((low - value * width, width - 1))
            yield value, whole if inner[0] == whole[0] else tuple(inner)
            value += 1
            low = value * width
            open_value, inner = value, []
        inner.append((low - value * width, high - value * width))
    if inner:
        yield open_value, tuple(inner)
