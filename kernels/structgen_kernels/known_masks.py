"""Masks that were computed: kept in the pool of records, and written into a row of a bitmask.

Rows are copied word by word: that compiles to wide moves, which an assignment of slices does not (it takes
twice as long for 16 kB).
"""

from __future__ import annotations

import numpy as np

from structgen_kernels.jit import Int, Int32Array, lean_kernel
from structgen_kernels.layout import NEED_POOL, POOL_USED, TAG_DENSE
from structgen_kernels.shared_memory import publish


@lean_kernel
def keep_dense(pool: Int32Array, config: Int, words: Int32Array) -> Int:
    """Keep ``words`` int32 (n,) as the mask of a configuration. Returns its record, or a status."""
    record = np.int64(pool[POOL_USED])
    if record + 1 + words.shape[0] > pool.shape[0]:
        return np.int64(NEED_POOL)
    pool[record] = TAG_DENSE
    for w in range(words.shape[0]):
        pool[record + 1 + w] = words[w]
    pool[POOL_USED] = record + 1 + words.shape[0]
    publish(pool, config + 3, record)
    return record


@lean_kernel
def write_mask(pool: Int32Array, rows: Int32Array, record: Int, out: Int32Array) -> bool:
    """Write the mask ``record`` into ``out`` int32 (words,), which is cleared past it.

    False, and ``out`` as it was, when ``rows`` is too old an array to have all rows of the mask. Cost: one
    copy of a row, plus the loose tokens.
    """
    n_words = rows.shape[1]
    if pool[record] == TAG_DENSE:
        for w in range(n_words):
            out[w] = pool[record + 1 + w]
        clear(out, n_words)
        return True
    n_rows = pool[record + 1]
    n_tokens = pool[record + 2]
    at = record + 3
    for i in range(at, at + n_rows):
        if pool[i] >= rows.shape[0]:
            return False
    if n_rows == 0:
        clear(out, 0)
    else:
        first = rows[pool[at]]
        for w in range(n_words):
            out[w] = first[w]
        clear(out, n_words)
        for i in range(1, n_rows):
            other = rows[pool[at + i]]
            for w in range(n_words):
                out[w] |= other[w]
    at += n_rows
    for i in range(at, at + n_tokens):
        token = pool[i]
        if token < 0:
            token = -1 - token
            out[token >> 5] &= ~np.int32(np.uint32(1) << np.uint32(token & 31))
        else:
            out[token >> 5] |= np.int32(np.uint32(1) << np.uint32(token & 31))
    return True


@lean_kernel
def clear(out: Int32Array, begin: Int) -> None:
    """Set the words of ``out`` from ``begin`` on to 0."""
    for w in range(begin, out.shape[0]):
        out[w] = 0
