"""Ready automata for the pieces of JSON text (RFC 8259): strings, keys, numbers, punctuation.

They are the same objects for every schema, so that what is worked out for one of them (its token
masks) serves all. A string here is what it decodes to: each of its code points may be written raw, as
a short escape, as ``\\uXXXX`` in either hex case, or as a surrogate pair; control characters never raw,
lone surrogates never.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache

import numpy as np

from structgen.automata.build import canonical, compile_regex, difference
from structgen.automata.dfa import CountedDfa, Dfa
from structgen.automata.encoding import JSON_NOT_RAW, JSON_SHORT_ESCAPES
from structgen.charset import ANY, CharSet
from structgen.regex.syntax import ANYTHING, Chars, Concat, Literal, Regex, Repeat, Union

BLANK = CharSet.chars(" \t\n\r")
_DIGIT = Chars(CharSet.of([(0x30, 0x39)]))
_NONZERO = Chars(CharSet.of([(0x31, 0x39)]))
_QUOTE = 0x22
# Below this many characters a bounded string is spelled out: as fast, and without a counter.
_UNROLLED = 8

# One spelling of a code point: for each byte of it, the bytes that will do (hex digits have two cases).
Spelling = tuple[tuple[int, ...], ...]


def optional(node: Regex) -> Regex:
    return Repeat(node, 0, 1)


_FRACTION = Concat((Literal("."), Repeat(_DIGIT, 1, None)))
_ZERO_FRACTION = Concat((Literal("."), Repeat(Literal("0"), 1, None)))
_EXPONENT = Concat(
    (Chars(CharSet.chars("eE")), optional(Chars(CharSet.chars("+-"))), Repeat(_DIGIT, 1, None))
)
_NATURAL = Union((Literal("0"), Concat((_NONZERO, Repeat(_DIGIT, 0, None)))))
_INTEGER = Concat((optional(Literal("-")), _NATURAL))


@lru_cache(maxsize=None)
def string() -> Dfa:
    """Any JSON string, quotes included."""
    return quoted(compile_regex(ANYTHING, "json-string"))


@lru_cache(maxsize=None)
def character() -> Dfa:
    """Exactly one character of a JSON string, in any spelling."""
    return compile_regex(Chars(ANY), "json-string")


@lru_cache(maxsize=256)
def sized_string(minimum: int, maximum: int | None) -> Dfa | CountedDfa:
    """A JSON string of at least ``minimum`` and at most ``maximum`` code points."""
    if minimum == 0 and maximum is None:
        return string()
    if max(minimum, maximum or 0) <= _UNROLLED:
        return quoted(compile_regex(Repeat(Chars(ANY), minimum, maximum), "json-string"))
    return CountedDfa(b'"', character(), minimum, maximum, b'"')


def quoted(content: Dfa) -> Dfa:
    """A JSON string whose inside ``content`` matches (it writes its own quotes as escapes)."""
    n = content.n_states
    table = np.zeros((n + 2, 256), np.int32)
    # 0 dead, 1 the opening quote, 2.. the content's states, the last one the end
    inner = content.transitions[:, content.byte_class]
    table[2 : n + 1] = np.where(inner[1:] > 0, inner[1:] + 1, 0)
    table[1, _QUOTE] = 2
    table[2 : n + 1, _QUOTE] = np.where(content.accepting[1:], n + 1, 0)
    accepting = np.zeros(n + 2, np.bool_)
    accepting[n + 1] = True
    return canonical(table, accepting)


@lru_cache(maxsize=None)
def number() -> Dfa:
    """Any JSON number."""
    return compile_regex(Concat((_INTEGER, optional(_FRACTION), optional(_EXPONENT))))


@lru_cache(maxsize=None)
def integer(plain: bool) -> Dfa:
    """Any integer: digits, and unless ``plain`` a fraction of zeros."""
    return compile_regex(_INTEGER if plain else Concat((_INTEGER, optional(_ZERO_FRACTION))))


@lru_cache(maxsize=512)
def numbers(texts: tuple[str, ...], zeros: bool) -> Dfa:
    """Any of these numbers; with ``zeros`` also followed by zeros that do not change the value.

    Texts without exponent only, when ``zeros``.
    """
    options: list[Regex] = []
    for text in texts:
        options.append(Literal(text))
        if zeros and "." in text:
            options.append(Concat((Literal(text), Repeat(Literal("0"), 1, None))))
        elif zeros:
            options.append(Concat((Literal(text), _ZERO_FRACTION)))
    return compile_regex(Union(tuple(options)))


@lru_cache(maxsize=256)
def words(texts: tuple[str, ...]) -> Dfa:
    """Exactly one of these texts, byte for byte (``true``, ``null``, ...)."""
    return compile_regex(Union(tuple(Literal(text) for text in texts)))


@lru_cache(maxsize=64)
def padded(mark: str, before: int, after: int) -> Dfa:
    """``mark`` with at most so many blanks on either side."""
    blank = Chars(BLANK)
    return compile_regex(Concat((Repeat(blank, 0, before), Literal(mark), Repeat(blank, 0, after))))


@lru_cache(maxsize=65536)
def key(name: str) -> Dfa:
    """The JSON string of one name, in every spelling."""
    return _any_of((name,))


@lru_cache(maxsize=4096)
def strings(texts: tuple[str, ...]) -> Dfa:
    """The JSON strings of any of these texts, in every spelling."""
    return _any_of(texts)


@lru_cache(maxsize=4096)
def string_except(texts: frozenset[str]) -> Dfa:
    """Any JSON string but these, in whatever spelling."""
    return difference(string(), strings(tuple(sorted(texts)))) if texts else string()


def encoded(text: str) -> bytes:
    """The plain spelling of a text inside a JSON string, without the quotes."""
    return json.dumps(text, ensure_ascii=False)[1:-1].encode()


@lru_cache(maxsize=4096)
def _spellings(char: str) -> tuple[Spelling, ...]:
    point = ord(char)
    if point < 0x10000:
        units = [point]
    else:
        units = [0xD800 + (point - 0x10000 >> 10), 0xDC00 + (point - 0x10000 & 0x3FF)]
    escaped: list[tuple[int, ...]] = []
    for unit in units:
        escaped += [(0x5C,), (0x75,)]
        escaped += [tuple(sorted({ord(digit), ord(digit.upper())})) for digit in f"{unit:04x}"]
    found: list[Spelling] = [tuple(escaped)]
    if point in JSON_SHORT_ESCAPES:
        found.append(((0x5C,), (ord(JSON_SHORT_ESCAPES[point]),)))
    if point not in JSON_NOT_RAW:
        found.append(tuple((byte,) for byte in char.encode()))
    return tuple(found)


def _any_of(texts: Iterable[str]) -> Dfa:
    """The minimal automaton of a finite set of strings, built from its ends backwards.

    States with the same transitions are made once (Daciuk et al. 2000), so nothing is left to
    minimise; `_numbered` then numbers them breadth-first.
    """
    root: dict[str, object] = {}
    tries: list[dict[str, object]] = [root]  # a trie node stands after its parent
    for text in texts:
        place = root
        for char in text:
            inner = place.get(char)
            if inner is None:
                inner = place[char] = {}
                tries.append(inner)  # type: ignore[arg-type]
            place = inner  # type: ignore[assignment]
        place[""] = None  # a text ends here
    states = _States()
    final = states.make(())
    state_of: dict[int, int] = {}
    for trie in reversed(tries):
        ways = [
            (spelling, state_of[id(inner)])
            for char, inner in trie.items()
            if char
            for spelling in _spellings(char)
        ]
        if "" in trie:
            ways.append((((_QUOTE,),), final))
        state_of[id(trie)] = states.after(ways, 0)
    start = states.make(((_QUOTE, state_of[id(root)]),)) if texts else final
    return _numbered(states.edges, start, final)


class _States:
    """States known by their transitions: (byte, target), ascending."""

    def __init__(self) -> None:
        self.edges: list[tuple[tuple[int, int], ...]] = []
        self._known: dict[tuple[tuple[int, int], ...], int] = {}

    def make(self, edges: tuple[tuple[int, int], ...]) -> int:
        state = self._known.get(edges)
        if state is None:
            state = self._known[edges] = len(self.edges)
            self.edges.append(edges)
        return state

    def after(self, ways: list[tuple[Spelling, int]], depth: int) -> int:
        """The state from which each way's spelling, from ``depth`` on, leads to its target."""
        groups: dict[tuple[int, ...], list[tuple[Spelling, int]]] = {}
        for way in ways:
            groups.setdefault(way[0][depth], []).append(way)
        edges: list[tuple[int, int]] = []
        for choices, members in groups.items():
            spelling, target = members[0]
            if len(members) == 1:
                for step in spelling[:depth:-1]:
                    target = self.make(tuple([(byte, target) for byte in step]))
            elif len(spelling) > depth + 1:
                target = self.after(members, depth + 1)
            edges += [(byte, target) for byte in choices]
        edges.sort()
        return self.make(tuple(edges))


def _numbered(edges: list[tuple[tuple[int, int], ...]], start: int, final: int) -> Dfa:
    """A `Dfa` in canonical numbering from minimal states."""
    order = {start: 1}
    queue = [start]
    columns: dict[int, list[tuple[int, int]]] = {}
    for source in queue:
        number = order[source]
        for byte, target in edges[source]:
            after = order.get(target)
            if after is None:
                after = order[target] = len(order) + 1
                queue.append(target)
            columns.setdefault(byte, []).append((number, after))
    classes: dict[tuple[tuple[int, int], ...], int] = {}
    byte_class = np.zeros(256, np.uint8)
    for byte in range(256):
        byte_class[byte] = classes.setdefault(tuple(columns.get(byte, ())), len(classes))
    table = np.zeros((len(order) + 1, len(classes)), np.int32)
    for column, number in classes.items():
        for source, target in column:
            table[source, number] = target
    accepting = np.zeros(len(order) + 1, np.bool_)
    if final in order and start != final:
        accepting[order[final]] = True
    return Dfa(table, byte_class, accepting)
