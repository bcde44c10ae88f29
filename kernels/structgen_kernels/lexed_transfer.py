"""Copies of configurations in another pool: what a mask is worked out with is thrown away now and then.

A mask tries hundreds of terminals that the text never takes. Their records would fill the pool in which the
configurations of texts stay for good, so they are made in a pool of their own, which is emptied when it is
large.
"""

from __future__ import annotations

import numpy as np

from structgen_kernels.jit import Int, Int32Array, Int64Array, kernel
from structgen_kernels.layout import NEED_POOL, NEED_SCRATCH, POOL_USED
from structgen_kernels.lexed_layout import (
    CONFIG,
    FRONTIER,
    INDENTS,
    MODES,
    N_WORDS,
    NODE,
    PLACE,
    PLACE_BEGUN,
    PLACE_CONTENT,
    PLACE_END,
    PLACE_INDENTS,
    PLACE_MODE,
    PLACE_VIABLE,
)
from structgen_kernels.lexed_records import has_room, intern, intern3


@kernel
def _insert(pool: Int32Array, begin: Int, end: Int, value: Int) -> None:
    """Put a value into its place in the ascending words ``pool[begin:end]``."""
    i = end
    while i > begin and pool[i - 1] > value:
        pool[i] = pool[i - 1]
        i -= 1
    pool[i] = value


@kernel
def _chain(
    pool: Int32Array,
    other: Int32Array,
    interned: Int32Array,
    moved: Int32Array,
    scratch: Int64Array,
    record: Int,
    link: Int,
) -> Int:
    """Copy a record of MODES or INDENTS and those below it, which its word ``link`` names; or a status."""
    n = 0
    at = np.int64(record)
    while at != 0 and moved[at] == 0:
        if n + 1 >= scratch.shape[0]:
            return np.int64(NEED_SCRATCH)
        scratch[n] = at
        n += 1
        at = np.int64(pool[at + link])
    while n > 0:
        n -= 1
        at = scratch[n]
        below = np.int64(pool[at + link])
        below = np.int64(moved[below]) if below != 0 else below
        if pool[at] == MODES:
            copy = intern3(other, interned, MODES, pool[at + 2], below, 0, 2, 0)
        else:
            copy = intern3(other, interned, INDENTS, pool[at + 2], pool[at + 3], below, 3, 1)
            if copy > 0:
                other[copy + 5] = pool[at + 5]
        if copy < 0:
            return copy
        moved[at] = copy
    return np.int64(moved[record]) if record != 0 else np.int64(0)


@kernel
def _frontier(
    static: Int32Array,
    pool: Int32Array,
    other: Int32Array,
    interned: Int32Array,
    moved: Int32Array,
    scratch: Int64Array,
    frontier: Int,
) -> Int:
    """Copy a frontier and all nodes below it; or a status."""
    if frontier == 0 or moved[frontier] != 0:
        return np.int64(moved[frontier]) if frontier != 0 else np.int64(0)
    # Depth first; a node stays on the stack until what is below it has been copied.
    n = np.int64(0)
    for i in range(frontier + 2, frontier + 2 + pool[frontier + 1]):
        if n + 1 >= scratch.shape[0]:
            return np.int64(NEED_SCRATCH)
        scratch[n] = pool[i]
        n += 1
    while n > 0:
        node = scratch[n - 1]
        if moved[node] != 0:
            n -= 1
            continue
        waits = False
        for i in range(node + 3, node + 2 + pool[node + 1]):
            if moved[pool[i]] == 0:
                if n + 1 >= scratch.shape[0]:
                    return np.int64(NEED_SCRATCH)
                scratch[n] = pool[i]
                n += 1
                waits = True
        if waits:
            continue
        n_below = pool[node + 1] - 1
        if not has_room(other, 3 + n_below):
            return np.int64(NEED_POOL)
        record = np.int64(other[POOL_USED])
        other[record] = NODE
        other[record + 1] = 1 + n_below
        other[record + 2] = pool[node + 2]
        for i in range(n_below):
            _insert(other, record + 3, record + 3 + i, moved[pool[node + 3 + i]])
        copy = intern(other, interned, 0)
        if copy < 0:
            return copy
        moved[node] = copy
        n -= 1
    n_words = np.int64(static[N_WORDS])
    n_nodes = pool[frontier + 1]
    if not has_room(other, 2 + n_nodes + n_words):
        return np.int64(NEED_POOL)
    record = np.int64(other[POOL_USED])
    other[record] = FRONTIER
    other[record + 1] = n_nodes
    for i in range(n_nodes):
        _insert(other, record + 2, record + 2 + i, moved[pool[frontier + 2 + i]])
    copy = intern(other, interned, n_words)
    if copy < 0:
        return copy
    for w in range(n_words):
        other[copy + 2 + n_nodes + w] = pool[frontier + 2 + n_nodes + w]
    moved[frontier] = copy
    return copy


@kernel
def _place(
    static: Int32Array,
    pool: Int32Array,
    other: Int32Array,
    interned: Int32Array,
    moved: Int32Array,
    scratch: Int64Array,
    place: Int,
) -> Int:
    """Copy a place; or a status."""
    if moved[place] != 0:
        return np.int64(moved[place])
    frontier = _frontier(static, pool, other, interned, moved, scratch, np.int64(pool[place + 2]))
    if frontier < 0:
        return frontier
    begun = _frontier(static, pool, other, interned, moved, scratch, np.int64(pool[place + PLACE_BEGUN]))
    if begun < 0:
        return begun
    modes = _chain(pool, other, interned, moved, scratch, np.int64(pool[place + 3]), 3)
    if modes < 0:
        return modes
    indents = _chain(pool, other, interned, moved, scratch, np.int64(pool[place + 4]), 4)
    if indents < 0:
        return indents
    later = _chain(pool, other, interned, moved, scratch, np.int64(pool[place + PLACE_INDENTS]), 4)
    if later < 0:
        return later
    n_words = np.int64(static[N_WORDS])
    if not has_room(other, 2 + PLACE_CONTENT + 4 + n_words):
        return np.int64(NEED_POOL)
    record = np.int64(other[POOL_USED])
    other[record] = PLACE
    other[record + 1] = PLACE_CONTENT
    other[record + 2] = frontier
    other[record + 3] = modes
    other[record + 4] = indents
    other[record + 5] = pool[place + 5]
    other[record + 6] = pool[place + 6]
    copy = intern(other, interned, 4 + n_words)
    if copy < 0:
        return copy
    other[copy + PLACE_MODE] = pool[place + PLACE_MODE]
    other[copy + PLACE_BEGUN] = begun
    other[copy + PLACE_INDENTS] = later
    other[copy + PLACE_END] = pool[place + PLACE_END]
    for w in range(n_words):
        other[copy + PLACE_VIABLE + w] = pool[place + PLACE_VIABLE + w]
    moved[place] = copy
    return copy


@kernel
def transfer(
    static: Int32Array,
    pool: Int32Array,
    config: Int,
    other: Int32Array,
    interned: Int32Array,
    moved: Int32Array,
    scratch: Int64Array,
) -> Int:
    """The copy in ``other`` (with its table ``interned``) of a configuration of ``pool``; or a status.

    ``moved`` int32 (pool words,): the copy of each record that has one, 0 elsewhere. Cost: the records
    that have none yet.
    """
    n = pool[config + 1]
    for i in range(config + 3, config + 2 + n, 2):
        copy = _place(static, pool, other, interned, moved, scratch, np.int64(pool[i]))
        if copy < 0:
            return copy
    if not has_room(other, 4 + n):
        return np.int64(NEED_POOL)
    record = np.int64(other[POOL_USED])
    other[record] = CONFIG
    other[record + 1] = n
    for i in range(2, 2 + n, 2):
        other[record + i] = pool[config + i]
        other[record + i + 1] = moved[pool[config + i + 1]]
    return intern(other, interned, 1)
