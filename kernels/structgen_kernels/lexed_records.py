"""Run-time records of grammars with a lexer: interning by content, and the memo of steps."""

from __future__ import annotations

import numpy as np

from structgen_kernels.jit import Int, Int32Array, Int64Array, kernel
from structgen_kernels.layout import (
    NEED_INTERNED,
    NEED_POOL,
    NEED_STEPS,
    NOT_KNOWN,
    POOL_INTERNED,
    POOL_STEPS,
    POOL_USED,
)


@kernel
def _mix(h: np.uint64, value: Int) -> np.uint64:
    h = (h ^ np.uint64(np.int64(value) & 0xFFFFFFFF)) * np.uint64(0x9E3779B97F4A7C15)
    return h ^ (h >> np.uint64(29))


@kernel
def _hash(pool: Int32Array, record: Int) -> np.uint64:
    h = _mix(np.uint64(0x243F6A8885A308D3), pool[record])
    for i in range(record + 1, record + 2 + pool[record + 1]):
        h = _mix(h, pool[i])
    return h


@kernel
def intern(pool: Int32Array, interned: Int32Array, fields: Int) -> Int:
    """The one record with the content written at the end of the pool; its ``fields`` words are cleared if
    new.

    The caller wrote tag, n and n words of content from ``pool[POOL_USED]`` on, and has seen to the room (see
    `has_room`). Returns the record, or NEED_INTERNED.
    """
    record = np.int64(pool[POOL_USED])
    size = interned.shape[0]
    if 2 * (pool[POOL_INTERNED] + 1) > size:
        return np.int64(NEED_INTERNED)
    mask = np.uint64(size - 1)
    slot = _hash(pool, record) & mask
    n = 2 + pool[record + 1]
    while interned[np.int64(slot)] != 0:
        known = np.int64(interned[np.int64(slot)])
        same = True
        for i in range(n):
            if pool[known + i] != pool[record + i]:
                same = False
                break
        if same:
            return known
        slot = (slot + np.uint64(1)) & mask
    interned[np.int64(slot)] = record
    pool[POOL_INTERNED] += 1
    for i in range(record + n, record + n + fields):
        pool[i] = 0
    pool[POOL_USED] = record + n + fields
    return record


@kernel
def has_room(pool: Int32Array, words: Int) -> bool:
    """Whether a record of so many words fits."""
    return bool(pool[POOL_USED] + words <= pool.shape[0])


@kernel
def intern3(
    pool: Int32Array, interned: Int32Array, tag: Int, a: Int, b: Int, c: Int, n: Int, fields: Int
) -> Int:
    """`intern` of a record with the first ``n`` <= 3 of the words ``a``, ``b``, ``c``; or a status."""
    if not has_room(pool, 5 + fields):
        return np.int64(NEED_POOL)
    record = np.int64(pool[POOL_USED])
    pool[record] = tag
    pool[record + 1] = n
    pool[record + 2] = a
    pool[record + 3] = b
    pool[record + 4] = c
    return intern(pool, interned, fields)


@kernel
def rehash(pool: Int32Array, old: Int32Array, new: Int32Array) -> None:
    """Put the records of one table into another, empty one, whose size is a power of 2."""
    mask = np.uint64(new.shape[0] - 1)
    for i in range(old.shape[0]):
        record = np.int64(old[i])
        if record != 0:
            slot = _hash(pool, record) & mask
            while new[np.int64(slot)] != 0:
                slot = (slot + np.uint64(1)) & mask
            new[np.int64(slot)] = record


@kernel
def _slot(key: Int, mask: np.uint64) -> np.uint64:
    """Where a key is looked for first. Keys may be negative, which plain Python does not turn into uint64."""
    positive = np.uint64(np.int64(key) & np.int64(0x7FFFFFFFFFFFFFFF))
    return ((positive * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(20)) & mask


@kernel
def known_step(steps: Int64Array, key: Int) -> Int:
    """The value kept for ``key``, or NOT_KNOWN. steps int64 (2 * slots,), slots a power of 2."""
    mask = np.uint64((steps.shape[0] >> 1) - 1)
    slot = _slot(key, mask)
    while True:
        at = np.int64(slot) << 1
        if steps[at] == key + 1:
            return np.int64(steps[at + 1])
        if steps[at] == 0:
            return np.int64(NOT_KNOWN)
        slot = (slot + np.uint64(1)) & mask


@kernel
def keep_step(pool: Int32Array, steps: Int64Array, key: Int, value: Int) -> Int:
    """Keep ``value`` >= 0 for ``key``. Returns it, or NEED_STEPS."""
    if 4 * (pool[POOL_STEPS] + 1) > steps.shape[0]:
        return np.int64(NEED_STEPS)
    mask = np.uint64((steps.shape[0] >> 1) - 1)
    slot = _slot(key, mask)
    while True:
        at = np.int64(slot) << 1
        if steps[at] == key + 1:
            steps[at + 1] = value
            return np.int64(value)
        if steps[at] == 0:
            steps[at] = key + 1
            steps[at + 1] = value
            pool[POOL_STEPS] += 1
            return np.int64(value)
        slot = (slot + np.uint64(1)) & mask


@kernel
def rehash_steps(old: Int64Array, new: Int64Array) -> None:
    """Put the pairs of one table into another, empty one."""
    mask = np.uint64((new.shape[0] >> 1) - 1)
    for i in range(0, old.shape[0], 2):
        if old[i] != 0:
            slot = _slot(old[i] - 1, mask)
            while new[np.int64(slot) << 1] != 0:
                slot = (slot + np.uint64(1)) & mask
            new[np.int64(slot) << 1] = old[i]
            new[(np.int64(slot) << 1) + 1] = old[i + 1]
