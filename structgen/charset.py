"""Sets of Unicode code points, as sorted disjoint ranges.

The universe is the Unicode scalar values: 0..0x10FFFF without the surrogates, since nothing else can
stand in UTF-8 text.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field

MAX_CODE_POINT = 0x10FFFF
_SURROGATES = (0xD800, 0xDFFF)


@dataclass(frozen=True, slots=True)
class CharSet:
    """An immutable set of code points. ``ranges``: sorted, disjoint, non-adjacent (low, high)."""

    ranges: tuple[tuple[int, int], ...]
    # a class such as \\w has hundreds of ranges, and is hashed with every tree that holds it
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash(self.ranges))

    def __hash__(self) -> int:
        return self._hash

    @staticmethod
    def of(ranges: Iterable[tuple[int, int]]) -> CharSet:
        """The union of inclusive ranges, in any order, surrogates taken out."""
        merged: list[tuple[int, int]] = []
        for low, high in sorted(_without_surrogates(ranges)):
            if merged and low <= merged[-1][1] + 1:
                if high > merged[-1][1]:
                    merged[-1] = (merged[-1][0], high)
            else:
                merged.append((low, high))
        return CharSet(tuple(merged))

    @staticmethod
    def chars(text: str) -> CharSet:
        return CharSet.of((ord(c), ord(c)) for c in text)

    def __or__(self, other: CharSet) -> CharSet:
        return CharSet.of(self.ranges + other.ranges)

    def __and__(self, other: CharSet) -> CharSet:
        common: list[tuple[int, int]] = []
        i = j = 0
        while i < len(self.ranges) and j < len(other.ranges):
            (low, high), (first, last) = self.ranges[i], other.ranges[j]
            if max(low, first) <= min(high, last):
                common.append((max(low, first), min(high, last)))
            if high < last:
                i += 1
            else:
                j += 1
        return CharSet(tuple(common))

    def __sub__(self, other: CharSet) -> CharSet:
        return self & ~other

    def __invert__(self) -> CharSet:
        gaps: list[tuple[int, int]] = []
        low = 0
        for first, last in self.ranges:
            if first > low:
                gaps.append((low, first - 1))
            low = last + 1
        if low <= MAX_CODE_POINT:
            gaps.append((low, MAX_CODE_POINT))
        return CharSet.of(gaps)

    def __contains__(self, code_point: int) -> bool:
        after = bisect_right(self.ranges, (code_point, MAX_CODE_POINT))
        return after > 0 and code_point <= self.ranges[after - 1][1]

    def __bool__(self) -> bool:
        return bool(self.ranges)

    def __len__(self) -> int:
        return sum(high - low + 1 for low, high in self.ranges)


def _without_surrogates(ranges: Iterable[tuple[int, int]]) -> Iterable[tuple[int, int]]:
    first, last = _SURROGATES
    for low, high in ranges:
        if high < first or low > last:
            yield low, high
            continue
        if low < first:
            yield low, first - 1
        if high > last:
            yield last + 1, high


EMPTY = CharSet(())
ANY = CharSet.of([(0, MAX_CODE_POINT)])
