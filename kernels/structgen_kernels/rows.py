"""Rows of next-token masses: sums by block, and what a mask that leaves little needs.

Masses are added up in float64, several of them at a time: a row of 50,000 takes 4 us so, in order 67. A
block's sum tells where a draw falls, so that of a row only one block is read again, and none is copied.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from structgen_kernels.jit import Int, kernel, reordering_kernel, short_kernel

BLOCK: Final = 256  # columns whose masses are added up together
WORD: Final = 32
# Of float32: bits, and coefficients of exp from Cephes.
LEAST, ZERO, HALF, ONE = np.float32(-86.0), np.float32(0.0), np.float32(0.5), np.float32(1.0)
LOG2_E = np.float32(1.4426950408889634)
LN2_HIGH, LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
C3, C4, C5 = np.float32(1.6666665459e-1), np.float32(4.1665795894e-2), np.float32(8.3334519073e-3)
C6, C7 = np.float32(1.3981999507e-3), np.float32(1.9875691500e-4)
BIAS, MANTISSA = np.int32(127), np.int32(23)


@reordering_kernel
def block_sums(masses: NDArray[np.floating], sums: NDArray[np.float64]) -> None:
    """Add up each block of each row.

    masses: float32 or float64 (rows, width), read. sums: float64 (rows, ceil(width / BLOCK)), written.
    Cost: one pass.
    """
    rows, width = masses.shape
    for r in range(rows):
        row = masses[r]
        for b in range(sums.shape[1]):
            begin = np.uint64(b * BLOCK)  # a signed index is checked for being negative at each access
            total = np.float64(0)
            for i in range(np.uint64(min(width, (b + 1) * BLOCK)) - begin):
                total += row[begin + np.uint64(i)]
            sums[r, b] = total


@reordering_kernel
def exp_and_sum(
    scores: NDArray[np.float32],
    shifts: NDArray[np.float32],
    masses: NDArray[np.float32],
    sums: NDArray[np.float64],
) -> None:
    """exp(score - shift), and the sum of each block of them: in a third of the time of one after the other.

    scores: float32 (rows, width), not NaN, at most the row's shift, read. shifts: float32 (rows,), finite,
    read. masses: float32 (rows, width), written, right to 4e-7 of each; 0 below e^-86. sums: float64
    (rows, ceil(width / BLOCK)), written.
    Source: Cephes, expf: 2^n times a polynomial on [-ln 2 / 2, ln 2 / 2]. Cost: one pass.
    """
    rows, width = scores.shape
    for r in range(rows):
        row, out, shift = scores[r], masses[r], shifts[r]
        for b in range(sums.shape[1]):
            begin = np.uint64(b * BLOCK)
            total = np.float64(0)  # numpy would add up float32 to a float in float32
            for j in range(np.uint64(min(width, (b + 1) * BLOCK)) - begin):
                i = begin + np.uint64(j)
                x = row[i] - shift
                inside = x if x > LEAST else LEAST
                n = np.int32(inside * LOG2_E - HALF)  # to the nearest: towards 0, of what is negative
                f = inside - np.float32(n) * LN2_HIGH - np.float32(n) * LN2_LOW
                y = C7 * f + C6
                y = y * f + C5
                y = y * f + C4
                y = y * f + C3
                y = y * f + HALF
                y = y * f * f + f + ONE
                power = np.int32((n + BIAS) << MANTISSA).view(np.float32)
                mass = y * power if x > LEAST else ZERO
                out[i] = mass
                total += mass
            sums[r, b] = total


@reordering_kernel
def mean_log(masses: NDArray[np.floating], scores: NDArray[np.floating], shift: float) -> tuple[float, float]:
    """The sum of one row's masses, and that of mass times (score - shift).

    masses, scores: float32 or float64 (width,), read; where there is no mass the score does not matter.
    """
    total = weighted = np.float64(0)
    for i in range(len(masses)):
        mass = masses[i]
        if mass > 0:
            total += mass
            weighted += mass * (scores[i] - shift)
    return total, weighted


@kernel
def masses_of_few(
    masses: NDArray[np.floating], scores: NDArray[np.floating], bitmask: NDArray[np.int32]
) -> float:
    """Write one row's masses in units of its likeliest allowed token; return that one's score.

    For rows of whose mass next to nothing is allowed: in units of the likeliest of all tokens they would
    come out as 0. Returns -inf, and all masses are 0, where no token with mass is allowed.
    masses: (width,), written. scores: (width,), read. bitmask: int32 (words,), read.
    """
    width = len(scores)
    best = -math.inf
    for i in range(min(width, WORD * len(bitmask))):
        if (bitmask[i // WORD] >> np.int32(i % WORD)) & 1 and scores[i] > best:
            best = scores[i]
    masses[:] = 0.0
    if best > -math.inf:
        for i in range(min(width, WORD * len(bitmask))):
            if (bitmask[i // WORD] >> np.int32(i % WORD)) & 1:
                masses[i] = math.exp(scores[i] - best)
    return best


@kernel
def draw(
    masses: NDArray[np.floating],
    sums: NDArray[np.float64],
    rows: NDArray[np.int64],
    u: NDArray[np.float64],
    tokens: NDArray[np.int64],
) -> None:
    """For each of ``u`` float64 (n,) in [0, 1) the column that it falls on, by mass; one that has mass.

    masses: float (rows, width), not negative. sums: float64 (rows, ceil(width / BLOCK)), of its blocks.
    rows: int64 (n,), the row of each, which is not all 0. tokens: int64 (n,), written. What is left of a
    uniform within its block decides there. Cost: the blocks' sums, and one block, for each.
    """
    for i in range(u.shape[0]):
        row = rows[i]
        block, left, _ = _falls_on(sums[row], u[i])
        begin = block * BLOCK
        inner = masses[row, begin : min(begin + BLOCK, masses.shape[1])]
        column, _, _ = _falls_on(inner, min(1.0, max(0.0, left / sums[row, block])))
        tokens[i] = begin + column


@kernel
def _falls_on(weights: NDArray[np.floating], u: float) -> tuple[int, float, float]:
    """The index, with weight, that ``u`` of the whole falls on; how far into it; and the whole."""
    total = np.float64(0)
    last = 0
    for i in range(weights.shape[0]):
        before = total
        total += np.float64(weights[i])
        if total > before:
            last = i
    x = u * total
    below = np.float64(0)
    for i in range(weights.shape[0]):
        after = below + np.float64(weights[i])
        # u may round up to the whole: then the last with weight
        if after > x or (i == last and after > below):
            return i, x - below, total
        below = after
    return last, 0.0, total


@short_kernel
def fall_on(weights: NDArray[np.floating], u: float) -> tuple[int, float, float]:
    """The index of ``weights`` (k,) that ``u`` in [0, 1) falls on, its weight, and the sum of all."""
    index, _, total = _falls_on(weights, u)
    return index, np.float64(weights[index]), total


@short_kernel
def take_out(block: NDArray[np.floating], place: Int) -> tuple[float, float, float]:
    """Set one mass of ``block`` to 0: what it was, and of the others the sum and the largest."""
    mass = np.float64(block[place])
    block[place] = 0
    total = largest = np.float64(0)
    for i in range(block.shape[0]):
        each = np.float64(block[i])
        total += each
        largest = max(largest, each)
    return mass, total, largest


@reordering_kernel
def largest_of_blocks(masses: NDArray[np.floating], largest: NDArray[np.float64]) -> None:
    """The largest of each block of ``masses`` (width,), into float64 (ceil(width / BLOCK),)."""
    for b in range(largest.shape[0]):
        most = masses[b * BLOCK]
        for i in range(b * BLOCK + 1, min(masses.shape[0], (b + 1) * BLOCK)):
            most = max(most, masses[i])
        largest[b] = most
