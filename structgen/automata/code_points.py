"""Regular expressions that are large in bytes, compiled over kinds of code points first.

What an expression does not tell apart is of one *kind*: ``^(\\S+\\s+){0,99}\\S+$`` has two. An automaton over
kinds has a fortieth of the states that there are when each character is spelled in all ways that a JSON
string has for it, and all that is dear (subset construction, products, minimisation) is done on it. Then
each step is spelled in bytes at once. Spellings of code points are no beginnings of one another, and no state
in the middle of one allows what a state between two does: so nothing is left to be merged.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from structgen.automata.dfa import Dfa
from structgen.automata.encoding import JSON_NOT_RAW, Encoding
from structgen.charset import ANY, CharSet
from structgen.regex.syntax import (
    ANYTHING,
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

MOST_KINDS = 250
# Characters and sets that are spelled: from here on this is quicker than spelling each (measured on the
# patterns of 3,000 schemas). Those behind any text count more: they may be found side by side.
_MANY = 32
_BEHIND_ANYTHING = 4
_NO_KIND = -1


class Kinds(NamedTuple):
    """``sets``: the code points of each kind, those first that come first. ``of``: by set of the expression,
    the kinds it has.
    """

    sets: tuple[CharSet, ...]
    of: dict[CharSet, tuple[int, ...]]


def is_large(node: Regex) -> bool:
    """Does an expression have many characters to spell?"""
    size = _size(node, _MANY)
    return size >= _MANY or (_BEHIND_ANYTHING * size >= _MANY and _is_behind_anything(node))


def _is_behind_anything(node: Regex) -> bool:
    if isinstance(node, Concat):
        return bool(node.parts) and node.parts[0] == ANYTHING
    return isinstance(node, Union) and any(map(_is_behind_anything, node.options))


def _size(node: Regex, enough: int) -> int:
    """Characters and sets, each as often as it is repeated; not all of them where ``enough`` is reached."""
    if isinstance(node, Chars):
        return 1
    if isinstance(node, Literal):
        return len(node.text)
    if isinstance(node, Repeat):
        copies = node.minimum + 1 if node.maximum is None else node.maximum
        return copies * _size(node.item, enough) if copies else 0
    if isinstance(node, Intersection):
        # the size of a product
        return max(1, _size(node.left, enough)) * max(1, _size(node.right, enough))
    if isinstance(node, Complement):
        return _size(node.item, enough)
    size = 0
    for part in node.parts if isinstance(node, Concat) else node.options:
        size += _size(part, enough)
        if size >= enough:
            break
    return size


def kinds_of(node: Regex) -> Kinds | None:
    """None where there are more than `MOST_KINDS`, or a surrogate, which no text has."""
    found: dict[CharSet, None] = {}
    for charset in _charsets(node):
        if charset is None:
            return None
        found[charset] = None
    charsets = [charset for charset in found if charset]
    cuts = np.unique(
        np.array(
            [cut for charset in charsets for low, high in charset.ranges for cut in (low, high + 1)], np.int64
        )
    )
    if cuts.size < 2:
        return Kinds((), dict.fromkeys(found, ()))
    lows, highs = cuts[:-1], cuts[1:] - 1
    inside: npt.NDArray[np.bool_] = np.zeros((len(charsets), lows.size), np.bool_)
    for i, charset in enumerate(charsets):
        ranges = np.array(charset.ranges, np.int64)
        at = np.searchsorted(ranges[:, 0], lows, "right") - 1
        inside[i] = (at >= 0) & (lows <= ranges[at, 1])
    packed = np.ascontiguousarray(np.packbits(inside, axis=0).T)
    _, first, like = np.unique(
        packed.view(np.dtype((np.void, packed.shape[1]))).ravel(), return_index=True, return_inverse=True
    )
    used = np.any(inside[:, first], axis=0).tolist()  # what lies between the sets is of no kind
    in_order = [int(kind) for kind in np.argsort(first) if used[kind]]
    if len(in_order) > MOST_KINDS:
        return None
    number = np.full(first.size, _NO_KIND, np.int64)
    number[in_order] = np.arange(len(in_order))
    ranges_of: list[list[tuple[int, int]]] = [[] for _ in in_order]
    for kind, low, high in zip(number[like].tolist(), lows.tolist(), highs.tolist(), strict=True):
        if kind != _NO_KIND:
            ranges_of[kind].append((low, high))
    held = inside[:, first][:, in_order]
    of = {charset: tuple(np.flatnonzero(held[i]).tolist()) for i, charset in enumerate(charsets)}
    of.update((charset, ()) for charset in found if not charset)
    return Kinds(tuple(map(CharSet.of, ranges_of)), of)


def _charsets(node: Regex) -> Iterator[CharSet | None]:
    if isinstance(node, Chars):
        yield node.charset
    elif isinstance(node, Literal):
        for char in dict.fromkeys(node.text):
            yield one_of(char) or None
    elif isinstance(node, Repeat):
        yield from _charsets(node.item)
    elif isinstance(node, Intersection):
        yield from _charsets(node.left)
        yield from _charsets(node.right)
    elif isinstance(node, Complement):
        yield ANY
        yield from _charsets(node.item)
    else:
        for part in node.parts if isinstance(node, Concat) else node.options:
            yield from _charsets(part)


@lru_cache(maxsize=256)
@untracked
def one_of(char: str) -> CharSet:
    return CharSet.chars(char)


class Spelling(NamedTuple):
    """One code point in bytes: see `structgen_kernels.expansion.expanded`."""

    table: npt.NDArray[np.int32]
    byte_class: npt.NDArray[np.uint8]
    kind_of: npt.NDArray[np.int32]
    order: npt.NDArray[np.int64]


@lru_cache(maxsize=256)
@untracked
def spelling_of(sets: Sequence[CharSet], encoding: Encoding) -> Spelling:
    """Of code points of some kinds."""
    from structgen_kernels.kind_spelling import heights, merge_alike, spell_kinds

    from structgen.automata.build import EVERY_BYTE, equal_columns

    ranges = sorted((low, high, kind) for kind, charset in enumerate(sets) for low, high in charset.ranges)
    every = np.array(ranges, np.int32).reshape(-1, 3)
    if encoding == "utf-8":
        wide = spell_kinds(every, every[:0], len(sets))
    else:
        wide = spell_kinds(np.array(list(_raw(ranges)), np.int32).reshape(-1, 3), every, len(sets))
    kept, byte_class = equal_columns(wide, EVERY_BYTE)
    table = np.ascontiguousarray(wide[:, kept])
    n_ends = len(sets)
    kind_of = np.full(table.shape[0], _NO_KIND, np.int32)
    kind_of[2 : 2 + n_ends] = np.arange(n_ends)
    inner = np.arange(2 + n_ends, table.shape[0])
    order = inner[np.argsort(heights(table, n_ends)[inner], kind="stable")]
    return Spelling(table, byte_class, kind_of, merge_alike(table, order))


def _raw(ranges: Sequence[tuple[int, int, int]]) -> Iterator[tuple[int, int, int]]:
    """Of ranges with their kinds, what may stand in a JSON string as it is."""
    for low, high, kind in ranges:
        for first, last in JSON_NOT_RAW.ranges:
            if low < first <= high:
                yield low, first - 1, kind
            if first <= high:
                low = max(low, last + 1)
        if low <= high:
            yield low, high, kind


def over_kinds(automaton: Dfa, n_kinds: int) -> npt.NDArray[np.int32]:
    """An automaton whose bytes are kinds, as int32 (states, kinds)."""
    return np.ascontiguousarray(automaton.transitions[:, automaton.byte_class[:n_kinds]])
