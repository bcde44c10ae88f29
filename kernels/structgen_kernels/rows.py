"""Rows of next-token masses: sums by block, and what a mask that leaves little needs.

Masses are added up in float64, several of them at a time: a row of 50,000 takes 4 us so, in order 67. A
block's sum tells where a draw falls, so that of a row only one block is read again, and none is copied.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from structgen_kernels.jit import kernel, reordering_kernel

BLOCK: Final = 256  # columns whose masses are added up together
WORD: Final = 32


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
            total = 0.0
            for i in range(np.uint64(min(width, (b + 1) * BLOCK)) - begin):
                total += row[begin + np.uint64(i)]
            sums[r, b] = total


@reordering_kernel
def mean_log(masses: NDArray[np.floating], scores: NDArray[np.floating], shift: float) -> tuple[float, float]:
    """The sum of one row's masses, and that of mass times (score - shift).

    masses, scores: float32 or float64 (width,), read; where there is no mass the score does not matter.
    """
    total = weighted = 0.0
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
