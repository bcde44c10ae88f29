"""Token bitmask onto logits, on the CPU.

The floats are handled through an integer view of the same width, so one kernel serves float16, bfloat16,
float32 and float64 (numba knows no bfloat16), and an allowed logit keeps its bits.

Why it is written as it is, measured on one core at 131,072 columns of float32: indices are unsigned (a
signed one is checked for being negative at each access); the columns of a word are blended without a
branch in a loop whose length is no constant (a constant one is unrolled into 32 branches before LLVM looks
for vectors: 480 us a row, against 15 us); words are tested eight at a time (1.2 ns a word against 0.3),
and in a mixed group the words to handle are first collected as bits, which halves the mispredicted
branches of nearly full masks. Filling the columns of all-zero words without reading them gains nothing
once the logits are larger than the cache, and 5 us a row before.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from structgen_kernels.jit import kernel

GROUP = np.uint64(8)  # words tested together
WORD = np.uint64(32)
ONE = np.uint64(1)
LOWEST_BIT = np.zeros(1 << int(GROUP), np.uint8)  # position of the only set bit of the index
LOWEST_BIT[1 << np.arange(int(GROUP))] = np.arange(int(GROUP))


@kernel
def _all_ones(row: NDArray[np.int32], w: np.uint64) -> bool:
    """Whether the eight words from ``w`` on are all ones. Written out: a loop is 2.4 times slower."""
    low = row[w] & row[w + np.uint64(1)] & row[w + np.uint64(2)] & row[w + np.uint64(3)]
    high = row[w + np.uint64(4)] & row[w + np.uint64(5)] & row[w + np.uint64(6)] & row[w + np.uint64(7)]
    return bool((low & high) == -1)


@kernel
def _blend(
    flat: NDArray[np.signedinteger], begin: np.uint64, end: np.uint64, word: np.int32, value: np.signedinteger
) -> None:
    """``value`` into ``flat[begin + b]``, before ``end``, for each bit b that the word has not set."""
    for b in range(min(WORD, end - begin)):
        keep = np.int32(word << np.int32(31 - b)) >> np.int32(31)  # all ones where bit b is set
        flat[begin + b] = (flat[begin + b] & keep) | (value & ~keep)


@kernel
def mask_rows(
    flat: NDArray[np.signedinteger],
    stride: int,
    width: int,
    bitmask: NDArray[np.int32],
    rows: NDArray[np.int64],
    minus_infinity: np.signedinteger,
) -> None:
    """Write minus infinity over every logit that its row of the bitmask does not allow.

    flat: int16, int32 or int64 (n,), written: the logits' bits, row r from ``r * stride`` on.
    width: columns of a row; at least ``32 * (words - 1) + 1``. Those past ``32 * words`` are overwritten.
    bitmask: int32 (k, words), read: bit i of word w allows column 32w + i.
    rows: int64 (k,), read: the logits row of each bitmask row, none twice.
    minus_infinity: its bits, of flat's dtype.

    Cost: one pass over the words, and over the logits of the words that are not all ones.
    """
    words = np.uint64(bitmask.shape[1])
    grouped = words - words % GROUP
    for k in range(rows.shape[0]):
        row = bitmask[k]
        origin = np.uint64(rows[k]) * np.uint64(stride)
        end = origin + np.uint64(width)
        w = np.uint64(0)
        while w < grouped:
            if not _all_ones(row, w):
                mixed = np.uint64(0)
                for j in range(GROUP):
                    mixed |= np.uint64(row[w + np.uint64(j)] != -1) << np.uint64(j)
                while mixed != 0:
                    rest = mixed & (mixed - ONE)
                    v = w + np.uint64(LOWEST_BIT[mixed ^ rest])
                    _blend(flat, origin + WORD * v, end, row[v], minus_infinity)
                    mixed = rest
            w += GROUP
        while w < words:
            _blend(flat, origin + WORD * w, end, row[w], minus_infinity)
            w += ONE
        for i in range(min(origin + WORD * words, end), end):
            flat[i] = minus_infinity
