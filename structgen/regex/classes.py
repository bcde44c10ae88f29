"""The predefined sets of each dialect (``\\d``, ``\\w``, ``\\s``, the dot) and how it ignores case.

Python's sets and case mappings are those of the running interpreter (`re` is what defines the dialect):
each is read off in one scan over all code points, when first needed. ECMA-262's are ASCII, but for white
space, and its case folding is Unicode's simple one.
"""

from __future__ import annotations

import re
import sys
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache

from structgen.charset import CharSet
from structgen.regex.properties import folding_classes, property_set
from structgen.untracked import untracked

DIGIT = CharSet.of([(0x30, 0x39)])
WORD = CharSet.of([(0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A)])
NEWLINE = CharSet.chars("\n")
LINE_TERMINATORS = CharSet.chars("\n\r\u2028\u2029")
_PYTHON_ASCII_SPACE = CharSet.chars(" \t\n\r\f\v")
_ECMA_SPACE = CharSet.chars("\t\v\f\ufeff") | LINE_TERMINATORS
_FIRST_ASTRAL = 0x10000


@lru_cache(maxsize=32)
@untracked
def ecma_class(letter: str, ignore_case: bool = False) -> CharSet:
    """The set of ``\\d``, ``\\w``, ``\\s`` or, in upper case, its complement (CharacterClassEscape)."""
    lower = letter.lower()
    if letter != lower:
        return ~ecma_class(lower, ignore_case)
    if lower == "d":
        return DIGIT
    if lower == "s":
        return _ECMA_SPACE | property_set("Zs")
    # WordCharacters: with i and u, also what folds to a word character (U+017F, U+212A)
    return ecma_fold(WORD) if ignore_case else WORD


@lru_cache(maxsize=256)
@untracked
def ecma_fold(charset: CharSet) -> CharSet:
    """All that Canonicalize makes equal to a member: simple case folding (ECMA-262, with u and i)."""
    classes = folding_classes()
    more = [member for key in _within(_folding_keys(), charset) for member in classes[key]]
    return CharSet.of([*charset.ranges, *_singles(more)]) if more else charset


@lru_cache(maxsize=32)
@untracked
def python_class(letter: str, ascii_only: bool = False) -> CharSet:
    """The set of ``\\d``, ``\\w``, ``\\s`` or, in upper case, its complement, as `re` has it for str."""
    lower = letter.lower()
    if letter != lower:
        return ~python_class(lower, ascii_only)
    if ascii_only:
        return {"d": DIGIT, "w": WORD, "s": _PYTHON_ASCII_SPACE}[letter]
    return CharSet.of((m.start(), m.end() - 1) for m in re.finditer(rf"\{letter}+", _every_character()))


@lru_cache(maxsize=512)
@untracked
def python_fold_char(code_point: int, ascii_only: bool) -> CharSet:
    """What one character, outside a class, matches under IGNORECASE."""
    cases = _cases(ascii_only)
    lower = cases.lower.get(code_point, code_point)
    members: list[int] = []
    for target in (lower, *cases.same_upper.get(lower, ())):
        members += (target, *cases.lowered_from.get(target, ()))
    return CharSet.of(_singles(members))


def python_fold(
    singles: Sequence[int], ranges: Sequence[tuple[int, int]], sets: Sequence[CharSet], ascii_only: bool
) -> CharSet:
    """What a class of characters, ranges and ``sets`` (``\\w``, ...) matches under IGNORECASE, before
    negation.

    `re` lowers the text's character and looks for it among the lowered members. Members beyond the BMP
    it does not lower: single ones are found only if they are lower case, ranges are tried with the upper
    case of the lowered character as well.
    """
    cases = _cases(ascii_only)
    basic = [(c, c) for c in singles if c < _FIRST_ASTRAL]
    basic += [(low, min(high, _FIRST_ASTRAL - 1)) for low, high in ranges if low < _FIRST_ASTRAL]
    members = [pair for charset in sets for pair in charset.ranges]
    members += cases.lowered(CharSet.of(basic)).ranges
    members += [(c, c) for c in singles if c >= _FIRST_ASTRAL]
    for low, high in ranges:
        if high >= _FIRST_ASTRAL:
            members.append((low, high))
            members += _singles(c for c, upper in _case_maps()[1].items() if low <= upper <= high)
    wanted = CharSet.of(members)
    matched = [c for key in _within(cases.targets, wanted) for c in cases.lowered_from[key]]
    return CharSet.of([*(wanted - cases.changing).ranges, *_singles(matched)])


class _Cases:
    """Lower-casing of single characters as `re` does it: for Unicode, or for ASCII alone.

    ``lower``: what changes, and to what; ``lowered_from``: the inverse; ``same_upper``: other lower-case
    characters of the same upper case (`re` takes them for equal).
    """

    def __init__(self, lower: Mapping[int, int], same_upper: Mapping[int, Sequence[int]]) -> None:
        self.lower = lower
        self.same_upper = same_upper
        self.changing = CharSet.of(_singles(lower))
        inverse: dict[int, list[int]] = {}
        for source, target in lower.items():
            inverse.setdefault(target, []).append(source)
        self.lowered_from = inverse
        self.targets = sorted(inverse)
        self._sources = sorted(lower)
        self._similar = sorted(same_upper)

    def lowered(self, charset: CharSet) -> CharSet:
        """The lower case of every member, and what has the same upper case."""
        changed = [self.lower[key] for key in _within(self._sources, charset)]
        lowered = CharSet.of([*(charset - self.changing).ranges, *_singles(changed)])
        similar = [c for key in _within(self._similar, lowered) for c in self.same_upper[key]]
        return CharSet.of([*lowered.ranges, *_singles(similar)]) if similar else lowered


@lru_cache(maxsize=2)
def _cases(ascii_only: bool) -> _Cases:
    if ascii_only:
        return _Cases({code_point: code_point + 32 for code_point in range(0x41, 0x5B)}, {})
    lower, _, same_upper = _case_maps()
    return _Cases(lower, same_upper)


@lru_cache(maxsize=1)
def _case_maps() -> tuple[dict[int, int], dict[int, int], dict[int, list[int]]]:
    """Of all characters that have case: lower case and upper case where they differ from the character
    itself, and the lower-case characters that share a (full) upper case with others."""
    lower: dict[int, int] = {}
    upper: dict[int, int] = {}
    sharing: dict[str, dict[int, None]] = {}
    every = _every_character()
    for begin in range(0, len(every), 256):
        block = every[begin : begin + 256]
        if block.lower() == block and block.upper() == block:
            continue
        for char in block:
            low, up = char.lower(), char.upper()
            # `re` uses the first character where a mapping gives several
            if low[0] != char:
                lower[ord(char)] = ord(low[0])
            if up[0] != char:
                upper[ord(char)] = ord(up[0])
            if len(low) == 1 and (low != char or up != char):
                sharing.setdefault(up, {})[ord(low)] = None
    same_upper = {
        member: [other for other in members if other != member]
        for members in sharing.values()
        if len(members) > 1
        for member in members
    }
    return lower, upper, same_upper


@lru_cache(maxsize=1)
def _every_character() -> str:
    code_points = array("I", range(sys.maxunicode + 1))
    return code_points.tobytes().decode(f"utf-32-{sys.byteorder[0]}e", "surrogatepass")


@lru_cache(maxsize=1)
def _folding_keys() -> list[int]:
    return sorted(folding_classes())


def _within(keys: Sequence[int], charset: CharSet) -> Iterator[int]:
    """Those of the sorted keys that the set holds."""
    for low, high in charset.ranges:
        yield from keys[bisect_left(keys, low) : bisect_right(keys, high)]


def _singles(code_points: Iterable[int]) -> list[tuple[int, int]]:
    return [(code_point, code_point) for code_point in code_points]
