"""Sets of code points against Python's sets."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from structgen.charset import ANY, EMPTY, MAX_CODE_POINT, CharSet

edges = st.sampled_from([0, 1, 5, 9, 10, 0xD7FF, 0xD800, 0xDFFF, 0xE000, 0x10FFFE, MAX_CODE_POINT])
ranges = st.lists(st.tuples(edges, edges).map(lambda pair: (min(pair), max(pair))), max_size=5)
PROBES = [0, 1, 2, 5, 9, 10, 11, 0xD7FF, 0xD800, 0xDFFF, 0xE000, 0x10FFFE, MAX_CODE_POINT]


def members(charset: CharSet) -> set[int]:
    return {point for point in PROBES if point in charset}


def given_members(made: list[tuple[int, int]]) -> set[int]:
    return {p for p in PROBES if any(a <= p <= b for a, b in made) and not 0xD800 <= p <= 0xDFFF}


@given(ranges, ranges)
def test_operations(left, right):
    a, b = CharSet.of(left), CharSet.of(right)
    assert members(a) == given_members(left)
    assert members(a | b) == members(a) | members(b)
    assert members(a & b) == members(a) & members(b)
    assert members(a - b) == members(a) - members(b)
    assert members(~a) == members(ANY) - members(a)
    assert ~~a == a and hash(~~a) == hash(a)
    for charset in (a, a | b, a & b, a - b, ~a):  # one content, one form
        assert CharSet.of(charset.ranges) == charset
        assert len(charset) == sum(high - low + 1 for low, high in charset.ranges)
        assert bool(charset) == (charset != EMPTY)


def test_surrogates_are_no_members():
    assert len(ANY) == 0x110000 - 0x800
    assert CharSet.of([(0xD000, 0xE000)]).ranges == ((0xD000, 0xD7FF), (0xE000, 0xE000))
    assert CharSet.chars("ba") == CharSet.of([(97, 98)])
