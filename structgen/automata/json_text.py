"""Ready automata for the pieces of JSON text (RFC 8259): strings, keys, numbers, punctuation.

They are the same objects for every schema, so that what is worked out for one of them (its token
masks) serves all. A string here is what it decodes to: each of its code points may be written raw, as
a short escape, as ``\\uXXXX`` in either hex case, or as a surrogate pair; control characters never raw,
lone surrogates never.
"""

from __future__ import annotations

import json
from functools import cache, lru_cache
from itertools import accumulate

import numpy as np

from structgen.automata import code_points
from structgen.automata.build import MAX_STATES, arranged, compile_regex, minimal, over_kinds, spelled
from structgen.automata.dfa import START, CountedDfa, Dfa
from structgen.automata.kept import kept
from structgen.charset import ANY, CharSet
from structgen.regex.syntax import ANYTHING, NOTHING, Chars, Concat, Literal, Regex, Repeat, Union
from structgen.untracked import untracked

BLANK = CharSet.chars(" \t\n\r")
_DIGIT = Chars(CharSet.of([(0x30, 0x39)]))
_NONZERO = Chars(CharSet.of([(0x31, 0x39)]))
_QUOTE = 0x22
_OTHERS = np.delete(np.arange(256), _QUOTE)
# Below this many characters a bounded string is spelled out: as fast, and without a counter.
UNROLLED = 1

# An automaton with a start, an end and nothing in between: table, byte classes, accepting states.
_NOTHING_YET = (
    np.zeros((3, 1), np.int32),
    np.zeros(256, np.uint8),
    np.array([False, False, True]),
)
for _array in _NOTHING_YET:
    _array.flags.writeable = False  # as in a `Dfa`, or the kernel would be compiled twice


def optional(node: Regex) -> Regex:
    return Repeat(node, 0, 1)


_FRACTION = Concat((Literal("."), Repeat(_DIGIT, 1, None)))
_ZERO_FRACTION = Concat((Literal("."), Repeat(Literal("0"), 1, None)))
_EXPONENT = Concat(
    (Chars(CharSet.chars("eE")), optional(Chars(CharSet.chars("+-"))), Repeat(_DIGIT, 1, None))
)
_NATURAL = Union((Literal("0"), Concat((_NONZERO, Repeat(_DIGIT, 0, None)))))
_INTEGER = Concat((optional(Literal("-")), _NATURAL))


@cache
def string() -> Dfa:
    """Any JSON string, quotes included."""
    return quoted(compile_regex(ANYTHING, "json-string"))


@cache
def character() -> Dfa:
    """Exactly one character of a JSON string, in any spelling."""
    return compile_regex(Chars(ANY), "json-string")


@lru_cache(maxsize=256)
@untracked
def sized_string(minimum: int, maximum: int | None) -> Dfa | CountedDfa:
    """A JSON string of at least ``minimum`` and at most ``maximum`` code points."""
    if minimum == 0 and maximum is None:
        return string()
    if max(minimum, maximum or 0) <= UNROLLED:
        return quoted(compile_regex(Repeat(Chars(ANY), minimum, maximum), "json-string"))
    return CountedDfa(b'"', character(), minimum, maximum, b'"')


def matching(node: Regex, max_states: int = MAX_STATES, unless: Regex | None = None) -> Dfa | None:
    """The JSON strings of the texts that ``node`` matches: as `quoted` of its automaton, which is not made.
    None where these are the texts of ``unless``, which is made of `structgen.charset.ANY`. Raises
    `CompileLimitError` as `compile_regex`.
    """
    kinds = code_points.kinds_of(node if unless is None else Union((node, unless)))
    if kinds is None:
        content = compile_regex(node, "json-string", max_states)
        is_other = unless is not None and content == compile_regex(unless, "json-string", max_states)
        return None if is_other else quoted(content)
    over = over_kinds(node, kinds, max_states)
    if unless is not None and over.is_like(over_kinds(unless, kinds, max_states)):
        return None
    return spelled(over, kinds, "json-string", max_states, quoted=True)


def quoted(content: Dfa, *, empty: bool = True) -> Dfa:
    """A JSON string whose inside ``content`` matches (it writes its own quotes as escapes); where not
    ``empty``, that is not empty.
    """
    return _after_quote(content, closed=True, empty=empty)


def opened(content: Dfa) -> Dfa:
    """An opening quote and the beginning of a JSON string's inside, which ``content`` matches."""
    return _after_quote(content, closed=False)


def _after_quote(content: Dfa, *, closed: bool, empty: bool = True) -> Dfa:
    """A quote, ``content``, and where ``closed`` a quote, which where not ``empty`` is not the next byte.

    In a text of ``content`` quotes are escaped. So no two of its states become alike, and only the start may
    be like one of them, behind a backslash, that has to go on with a quote and then anew.
    """
    if content.is_empty:
        return content
    splits = closed and not empty and content.accepts_empty  # the start from where it is met again
    n, n_classes = content.transitions.shape
    inner = content.transitions[1:] + (content.transitions[1:] > 0)
    byte_class = content.byte_class.copy()
    byte_class[_QUOTE] = n_classes  # in a class of its own
    table = np.zeros((n + 1 + closed + splits, n_classes + 1), np.int32)
    # 0 dead, 1 the opening quote, 2.. the content's states, the last one the end
    table[2 : n + 1, :n_classes] = inner
    table[2 : n + 1, n_classes] = inner[:, content.byte_class[_QUOTE]]
    table[1, n_classes] = 2
    accepting = np.zeros(table.shape[0], np.bool_)
    if closed:
        table[np.flatnonzero(content.accepting) + 1, n_classes] = n + 1
        accepting[n + 1] = True
        if splits:
            table[1, n_classes] = n + 2
            table[n + 2] = table[2]
            table[n + 2, n_classes] = 0
            if not table[n + 2].any():
                return compile_regex(NOTHING)
            if bool(np.all(table[2:-1] == table[n + 2], axis=1).any()):
                return minimal(table, accepting, byte_class)
    else:
        accepting[2 : n + 1] = content.accepting[1:]
    alike = table[1:, n_classes] == 2
    alike[alike] = ~np.any(table[1:, np.unique(content.byte_class[_OTHERS])][alike], axis=1)
    if np.count_nonzero(alike) > 1:
        return minimal(table, accepting, byte_class)
    return arranged(table, accepting, byte_class)


@cache
def number() -> Dfa:
    """Any JSON number."""
    return compile_regex(Concat((_INTEGER, optional(_FRACTION), optional(_EXPONENT))))


@cache
def integer(plain: bool) -> Dfa:
    """Any integer: digits, and unless ``plain`` a fraction of zeros."""
    return compile_regex(_INTEGER if plain else Concat((_INTEGER, optional(_ZERO_FRACTION))))


@lru_cache(maxsize=256)
@untracked
def words(texts: tuple[str, ...]) -> Dfa:
    """Exactly one of these texts, byte for byte (``true``, ``null``, ...)."""
    return compile_regex(Union(tuple(Literal(text) for text in texts)))


@lru_cache(maxsize=64)
@untracked
def padded(mark: str, before: int, after: int) -> Dfa:
    """``mark`` with at most so many blanks on either side."""
    blank = Chars(BLANK)
    return compile_regex(Concat((Repeat(blank, 0, before), Literal(mark), Repeat(blank, 0, after))))


@lru_cache(maxsize=64)
@untracked
def pair(left: str, right: str, between: int) -> Dfa:
    """Two marks with at most so many blanks between them."""
    return compile_regex(Concat((Literal(left), Repeat(Chars(BLANK), 0, between), Literal(right))))


@kept(64 << 20)
def key(name: str) -> Dfa:
    """The JSON string of one name, in every spelling."""
    return _spelled((name,), others=False)


@kept(32 << 20)
def strings(texts: tuple[str, ...]) -> Dfa:
    """The JSON strings of any of these texts, in every spelling."""
    return _spelled(tuple(sorted(set(texts))), others=False) if texts else compile_regex(NOTHING)


@kept(32 << 20)
def string_except(texts: frozenset[str]) -> Dfa:
    """Any JSON string but these, in whatever spelling."""
    return _spelled(tuple(sorted(texts)), others=True) if texts else string()


def encoded(text: str) -> bytes:
    """The plain spelling of a text inside a JSON string, without the quotes."""
    return json.dumps(text, ensure_ascii=False)[1:-1].encode()


def _spelled(texts: tuple[str, ...], *, others: bool) -> Dfa:
    """The strings of these texts, sorted and distinct, or all strings but these."""
    from structgen_kernels.json_strings import spell_strings

    if others:
        everything = string()
        outer, outer_class, accepting = everything.transitions, everything.byte_class, everything.accepting
        inside, end_target = everything.step(START, b'"'), 0
    else:
        outer, outer_class, accepting = _NOTHING_YET
        inside, end_target = 0, 2
    table, byte_class, accepts = spell_strings(
        np.frombuffer("".join(texts).encode("utf-32-le"), np.int32),
        np.array([0, *accumulate(map(len, texts))], np.int32),
        outer,
        outer_class,
        accepting,
        inside,
        end_target,
    )
    return Dfa(table, byte_class, accepts)
