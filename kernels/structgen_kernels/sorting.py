"""Sorting in place: numba's own sort works on slices, which token-loop kernels do without (see `jit`)."""

from __future__ import annotations

from structgen_kernels.jit import Int, Int64Array, lean_kernel

_FEW = 24  # as many are sorted by insertion: nearly all there are


@lean_kernel
def sort_part(values: Int64Array, begin: Int, end: Int) -> None:
    """Sort ``values[begin:end]`` int64, ascending. O(n log n); many by heapsort (Williams 1964)."""
    if end - begin <= _FEW:
        for i in range(begin + 1, end):
            value = values[i]
            j = i
            while j > begin and values[j - 1] > value:
                values[j] = values[j - 1]
                j -= 1
            values[j] = value
        return
    for i in range((end - begin) // 2 - 1, -1, -1):
        _sift(values, begin, i, end - begin)
    for size in range(end - begin - 1, 0, -1):
        largest = values[begin]
        values[begin] = values[begin + size]
        values[begin + size] = largest
        _sift(values, begin, 0, size)


@lean_kernel
def _sift(values: Int64Array, begin: Int, at: Int, size: Int) -> None:
    """Let the value at a place of the heap ``values[begin : begin + size]`` sink to where it belongs."""
    value = values[begin + at]
    child = 2 * at + 1
    while child < size:
        if child + 1 < size and values[begin + child + 1] > values[begin + child]:
            child += 1
        if values[begin + child] <= value:
            break
        values[begin + at] = values[begin + child]
        at = child
        child = 2 * at + 1
    values[begin + at] = value
