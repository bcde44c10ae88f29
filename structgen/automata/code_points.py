"""Regular expressions that are large in bytes, compiled over kinds of code points first.

What an expression does not tell apart is of one *kind*: ``^(\\S+\\s+){0,99}\\S+$`` has two. An automaton over
kinds has a fortieth of the states that there are when each character is spelled in all ways that a JSON
string has for it, and all that is dear (subset construction, products, minimisation) is done on it. Then
each step is spelled in bytes at once. Spellings of code points are no beginnings of one another, and no state
in the middle of one allows what a state between two does: so nothing is left to be merged.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from structgen.automata.encoding import Encoding
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
_SURROGATES = 0xD800, 0xDFFF
# Characters and sets that are spelled: in UTF-8, from here on this is quicker than spelling each (measured on
# the patterns of 3,000 schemas); in JSON strings it always is. Those behind any text count more: they may be
# found side by side.
_MANY = 32
_BEHIND_ANYTHING = 4


class Kinds(NamedTuple):
    """``ranges`` int32 (s, 3), as bytes: first and last code point and kind of disjoint ranges, in order;
    ``n``: how many kinds there are, those first that come first; ``of``: by set and by character of the
    expression, runs of the kinds it has, first and last.
    """

    ranges: bytes
    n: int
    of: dict[CharSet | str, list[tuple[int, int]]]


class KindDfa(NamedTuple):
    """A minimal automaton over kinds: ``table`` int32 (states, kinds), state 0 dead, 1 start, numbered
    breadth-first; ``accepting`` bool (states,).
    """

    table: npt.NDArray[np.int32]
    accepting: npt.NDArray[np.bool_]

    def is_like(self, other: KindDfa) -> bool:
        """Are they of the same texts, over the same kinds?"""
        return np.array_equal(self.table, other.table) and np.array_equal(self.accepting, other.accepting)

    @property
    def is_empty(self) -> bool:
        return self.table.shape[0] == 2 and not self.accepting[1]


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
    from structgen_kernels.kind_spelling import find_kinds

    found: dict[CharSet | str, None] = {}
    _note_sets(node, found)
    ranges: list[tuple[int, int, int]] = []
    for i, which in enumerate(found):
        if isinstance(which, str):
            point = ord(which)
            if _SURROGATES[0] <= point <= _SURROGATES[1]:
                return None
            ranges.append((point, point, i))
        else:
            ranges += [(low, high, i) for low, high in which.ranges]
    segments, runs, n = find_kinds(np.array(ranges, np.int32).reshape(-1, 3), len(found), MOST_KINDS)
    if n > MOST_KINDS:
        return None
    each: list[list[tuple[int, int]]] = [[] for _ in found]
    for number, first, last in runs.tolist():
        each[number].append((first, last))
    return Kinds(segments.tobytes(), n, dict(zip(found, each, strict=True)))


def _note_sets(node: Regex, found: dict[CharSet | str, None]) -> None:
    """Note the sets of characters that an expression is made of, and single characters."""
    if isinstance(node, Chars):
        found[node.charset] = None
    elif isinstance(node, Literal):
        found.update(dict.fromkeys(node.text))
    elif isinstance(node, Repeat):
        _note_sets(node.item, found)
    elif isinstance(node, Intersection):
        _note_sets(node.left, found)
        _note_sets(node.right, found)
    elif isinstance(node, Complement):
        found[ANY] = None
        _note_sets(node.item, found)
    else:
        for part in node.parts if isinstance(node, Concat) else node.options:
            _note_sets(part, found)


class Spelling(NamedTuple):
    """One code point in bytes: see `structgen_kernels.expansion.expanded`."""

    table: npt.NDArray[np.int32]
    byte_class: npt.NDArray[np.uint8]
    kind_of: npt.NDArray[np.int32]
    order: npt.NDArray[np.int64]


@lru_cache(maxsize=256)
@untracked
def spelling_of(ranges: bytes, n_kinds: int, encoding: Encoding) -> Spelling:
    """Of code points of some kinds, with their ``ranges`` as `Kinds` has them; in JSON strings, the quote
    around one is a kind as well, the last of ``n_kinds``.
    """
    from structgen_kernels.kind_spelling import spelled_kinds

    each = np.frombuffer(ranges, np.int32).reshape(-1, 3)
    return Spelling(*spelled_kinds(each, n_kinds, encoding == "json-string"))
