"""Tables that grow: how they begin, and what changes in them when their array is laid out anew."""

from __future__ import annotations

import numpy as np

from structgen_kernels.jit import ByteArray, Int, Int32Array, Int64Array, kernel
from structgen_kernels.layout import (
    ALIVE,
    BLOCK_ALIVE,
    BLOCK_CLASSES,
    BLOCK_DIGEST,
    BLOCK_DISTANCE,
    BLOCK_KIND,
    BLOCK_SIZE,
    BLOCK_TABLE,
    BLOCKS,
    BOUNDED,
    CLASS_MAP,
    FLAGS,
    HEAP,
    N_BLOCKS,
    N_TABLE,
    ROW,
    RTN_EDGES,
    SPELLED,
    TABLES_CLASSES,
    TABLES_CLASSES_SIZE,
    TABLES_STATIC,
    TABLES_STATIC_SIZE,
)


@kernel
def begin_as(
    static: Int32Array, copy: Int32Array, n_edges: Int, heap_used: Int, classes: ByteArray, cell: Int64Array
) -> Int:
    """Copy growing tables into an array of the same size: what is in use, and the words of parser states that
    there may be; the rest stays as it was found.

    cell int64 (TABLES_SIZE,) points to ``copy`` and ``classes`` then. Returns its address.
    """
    _copy(static, copy, 0, static[RTN_EDGES] + 2 * n_edges)  # the header and, first, all of parser states
    for section in (ROW, CLASS_MAP, FLAGS):
        _copy(static, copy, static[section], static[N_TABLE])
    _copy(static, copy, static[ALIVE], 8 * static[N_TABLE])
    _copy(static, copy, static[BLOCKS], BLOCK_SIZE * static[N_BLOCKS])
    _copy(static, copy, static[HEAP], heap_used)
    cell[TABLES_STATIC] = np.int64(copy.ctypes.data)
    cell[TABLES_STATIC_SIZE] = copy.shape[0]
    cell[TABLES_CLASSES] = np.int64(classes.ctypes.data)
    cell[TABLES_CLASSES_SIZE] = classes.shape[0]
    return np.int64(cell.ctypes.data)


@kernel
def _copy(static: Int32Array, copy: Int32Array, begin: Int, size: Int) -> None:
    for i in range(begin, begin + size):  # in a third of the time that numba takes for slices
        copy[i] = static[i]


@kernel
def move_heap(static: Int32Array, n_table: Int, n_blocks: Int, moved: Int) -> None:
    """The heap has moved: so has what states of tables and blocks say of places in it. O(states + blocks)."""
    row = static[ROW]
    for state in range(n_table):
        static[row + state] += moved
    for i in range(n_blocks):
        block = static[BLOCKS] + i * BLOCK_SIZE
        static[block + BLOCK_TABLE] += moved
        if static[block + BLOCK_KIND] >= SPELLED:
            continue
        static[block + BLOCK_ALIVE] += moved
        if static[block + BLOCK_KIND] == BOUNDED:
            static[block + BLOCK_CLASSES] += moved
            static[block + BLOCK_DISTANCE] += moved
            static[block + BLOCK_DIGEST] += moved
