"""Sorting in place, against Python's."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from structgen_kernels.sorting import sort_part

NUMBERS = st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(0, 3), max_size=300)


@given(NUMBERS, st.integers(0, 5), st.integers(0, 5))
def test_a_part_is_sorted_and_the_rest_left(values: list[int], before: int, after: int) -> None:
    array = np.array([9] * before + values + [-9] * after, np.int64)
    sort_part(array, before, before + len(values))
    assert array.tolist() == [9] * before + sorted(values) + [-9] * after
