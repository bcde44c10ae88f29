"""Run-time records: allocation, and interning (one record per content, Ershov 1958)."""

from __future__ import annotations

import numpy as np

from structgen_kernels.jit import ByteArray, Int, Int32Array, lean_kernel
from structgen_kernels.layout import (
    CELL,
    CELL_OPEN,
    CONFIG_HEAD,
    CONTINUATION_SIZE,
    NEED_INTERNED,
    NEED_POOL,
    POOL_INTERNED,
    POOL_USED,
    TAG_BARRED,
    TAG_CONFIG,
    TAG_CONTINUATION,
    TAG_ENTRY,
    TAG_FRESH,
    TAG_NODE,
    TAG_PARTIAL,
    TAG_RESOLVED,
    TAG_TEXT,
    TAG_TRACKED,
    TEXT_STARTED,
    TEXT_UNKNOWN,
    UNKNOWN,
)


@lean_kernel
def _mix(h: np.uint64, value: Int) -> np.uint64:
    h = (h ^ np.uint64(np.int64(value) & 0xFFFFFFFF)) * np.uint64(0x9E3779B97F4A7C15)
    return h ^ (h >> np.uint64(31))


@lean_kernel
def content_hash(pool: Int32Array, record: Int) -> np.uint64:
    """Hash of what makes an interned record unique."""
    tag = pool[record]
    h = _mix(np.uint64(0x243F6A8885A308D3), tag)
    if tag in (TAG_CONTINUATION, TAG_TEXT, TAG_PARTIAL, TAG_RESOLVED, TAG_FRESH, TAG_BARRED):
        return _mix(_mix(h, pool[record + 1]), pool[record + 2])
    if tag == TAG_ENTRY:
        return _mix(h, pool[record + 1])
    n = pool[record + 1]
    h = _mix(h, n)
    begin = record + 2
    if tag == TAG_CONFIG:
        h = _mix(h, pool[record + 2])
        begin = record + CONFIG_HEAD
    for i in range(begin, begin + 2 * n):
        h = _mix(h, pool[i])
    return h


@lean_kernel
def same_content(pool: Int32Array, a: Int, b: Int) -> bool:
    """True when two interned records have the same tag and content."""
    tag = pool[a]
    if tag != pool[b] or pool[a + 1] != pool[b + 1]:
        return False
    if tag == TAG_ENTRY:
        return True
    if tag in (TAG_CONTINUATION, TAG_TEXT, TAG_PARTIAL, TAG_RESOLVED, TAG_FRESH, TAG_BARRED):
        return bool(pool[a + 2] == pool[b + 2])
    begin = 2
    if tag == TAG_CONFIG:
        if pool[a + 2] != pool[b + 2]:
            return False
        begin = CONFIG_HEAD
    for i in range(begin, begin + 2 * pool[a + 1]):  # noqa: SIM110 (numba compiles no generators)
        if pool[a + i] != pool[b + i]:
            return False
    return True


@lean_kernel
def intern(pool: Int32Array, interned: Int32Array, record: Int, size: Int) -> Int:
    """The one record with the content of the record just written at the end of the pool.

    ``record`` stands at ``pool[POOL_USED]`` and is not yet allocated; it is, when it is new. Returns its
    id or a status. O(1) expected.
    """
    mark = np.int32(np.uint32(content_hash(pool, record)))
    last = interned.shape[0] - 1
    p = (2 * np.int64(mark)) & last
    while True:
        other = interned[p]
        if other == 0:
            break
        if interned[p + 1] == mark and same_content(pool, other, record):
            return np.int64(other)
        p = (p + 2) & last
    if (pool[POOL_INTERNED] + 1) * 4 > interned.shape[0]:
        return np.int64(NEED_INTERNED)
    interned[p] = record
    interned[p + 1] = mark
    pool[POOL_INTERNED] += 1
    pool[POOL_USED] = record + size
    return np.int64(record)


@lean_kernel
def rehash_interned(old: Int32Array, new: Int32Array) -> None:
    """Move all records of ``old`` into the empty, larger ``new``."""
    last = new.shape[0] - 1
    for i in range(0, old.shape[0], 2):
        if old[i] != 0:
            p = (2 * np.int64(old[i + 1])) & last
            while new[p] != 0:
                p = (p + 2) & last
            new[p] = old[i]
            new[p + 1] = old[i + 1]


@lean_kernel
def continuation(pool: Int32Array, interned: Int32Array, parser_state: Int, node: Int) -> Int:
    """The interned continuation (parser state, stacks), or a status."""
    record = np.int64(pool[POOL_USED])
    if record + CONTINUATION_SIZE > pool.shape[0]:
        return np.int64(NEED_POOL)
    pool[record] = TAG_CONTINUATION
    pool[record + 1] = parser_state
    pool[record + 2] = node
    pool[record + 3] = 0
    pool[record + 4] = 0
    return intern(pool, interned, record, CONTINUATION_SIZE)


@lean_kernel
def single_node(pool: Int32Array, interned: Int32Array, return_state: Int, parent: Int) -> Int:
    """The interned node with one (return state, parent), or a status. A negative one makes it a cell."""
    record = np.int64(pool[POOL_USED])
    if record + 4 > pool.shape[0]:
        return np.int64(NEED_POOL)
    is_open = return_state < 0 and (-return_state % CELL) & CELL_OPEN != 0
    pool[record] = TAG_TRACKED if is_open or pool[parent] == TAG_TRACKED else TAG_NODE
    pool[record + 1] = 1
    pool[record + 2] = return_state
    pool[record + 3] = parent
    return intern(pool, interned, record, 4)


@lean_kernel
def merged_node(pool: Int32Array, interned: Int32Array, a: Int, b: Int) -> Int:
    """The interned union of two nodes (both sorted by return state, then parent), or a status."""
    record = np.int64(pool[POOL_USED])
    n_a = pool[a + 1]
    n_b = pool[b + 1]
    if record + 2 + 2 * (n_a + n_b) > pool.shape[0]:
        return np.int64(NEED_POOL)
    i = 0
    j = 0
    n = 0
    while i < n_a or j < n_b:
        order = 0
        if j == n_b:
            order = -1
        elif i == n_a:
            order = 1
        else:
            order = pool[a + 2 + 2 * i] - pool[b + 2 + 2 * j]
            if order == 0:
                order = pool[a + 3 + 2 * i] - pool[b + 3 + 2 * j]
        if order <= 0:
            pool[record + 2 + 2 * n] = pool[a + 2 + 2 * i]
            pool[record + 3 + 2 * n] = pool[a + 3 + 2 * i]
            i += 1
            if order == 0:
                j += 1
        else:
            pool[record + 2 + 2 * n] = pool[b + 2 + 2 * j]
            pool[record + 3 + 2 * n] = pool[b + 3 + 2 * j]
            j += 1
        n += 1
    pool[record] = TAG_NODE
    pool[record + 1] = n
    return intern(pool, interned, record, 2 + 2 * n)


@lean_kernel
def child_text(pool: Int32Array, interned: Int32Array, before: Int, byte: Int) -> Int:
    """The interned text that is one byte longer, or a status."""
    record = np.int64(pool[POOL_USED])
    if record + 4 > pool.shape[0]:
        return np.int64(NEED_POOL)
    pool[record] = TAG_TEXT
    pool[record + 1] = before
    pool[record + 2] = byte
    pool[record + 3] = 1 if before <= TEXT_STARTED else pool[before + 3] + 1
    return intern(pool, interned, record, 4)


@lean_kernel
def copy_text(pool: Int32Array, text: Int, copy: ByteArray) -> None:
    """Write a remembered text into ``copy``, of as many bytes as the fourth word of its record says."""
    at = copy.shape[0]
    while text > TEXT_UNKNOWN:
        at -= 1
        copy[at] = pool[text + 2]
        text = np.int64(pool[text + 1])


@lean_kernel
def partial_text(pool: Int32Array, interned: Int32Array, before: Int, code: Int) -> Int:
    """The interned text with an unfinished escape behind it, or a status."""
    record = np.int64(pool[POOL_USED])
    if record + 3 > pool.shape[0]:
        return np.int64(NEED_POOL)
    pool[record] = TAG_PARTIAL
    pool[record + 1] = before
    pool[record + 2] = code
    return intern(pool, interned, record, 3)


@lean_kernel
def noted(pool: Int32Array, interned: Int32Array, tag: Int, first: Int, second: Int) -> Int:
    """What `note` has noted of two numbers under a tag, or UNKNOWN."""
    mark = np.int32(np.uint32(_mix(_mix(_mix(np.uint64(0x243F6A8885A308D3), tag), first), second)))
    last = interned.shape[0] - 1
    p = (2 * np.int64(mark)) & last
    while interned[p] != 0:
        other = interned[p]
        if (
            interned[p + 1] == mark
            and pool[other] == tag
            and pool[other + 1] == first
            and pool[other + 2] == second
        ):
            return np.int64(pool[other + 3])
        p = (p + 2) & last
    return np.int64(UNKNOWN)


@lean_kernel
def note(pool: Int32Array, interned: Int32Array, tag: Int, first: Int, second: Int, value: Int) -> Int:
    """Note a value, not negative, of two numbers under a tag. Returns an id or a status."""
    record = np.int64(pool[POOL_USED])
    if record + 4 > pool.shape[0]:
        return np.int64(NEED_POOL)
    pool[record] = tag
    pool[record + 1] = first
    pool[record + 2] = second
    pool[record + 3] = value
    return intern(pool, interned, record, 4)


@lean_kernel
def entry_of(pool: Int32Array, interned: Int32Array, terminal_state: Int) -> Int:
    """Offset in the store of a terminal state's entry, NARROW, or UNKNOWN."""
    mark = np.int32(np.uint32(_mix(_mix(np.uint64(0x243F6A8885A308D3), TAG_ENTRY), terminal_state)))
    last = interned.shape[0] - 1
    p = (2 * np.int64(mark)) & last
    while interned[p] != 0:
        other = interned[p]
        if interned[p + 1] == mark and pool[other] == TAG_ENTRY and pool[other + 1] == terminal_state:
            return np.int64(pool[other + 2])
        p = (p + 2) & last
    return np.int64(UNKNOWN)


@lean_kernel
def add_entry(pool: Int32Array, interned: Int32Array, terminal_state: Int, offset: Int) -> Int:
    """Note where the store keeps the entry of a terminal state, or NARROW. Returns an id or a status.

    What was noted before, and forgotten (`forget_store`), is written over.
    """
    record = np.int64(pool[POOL_USED])
    if record + 3 > pool.shape[0]:
        return np.int64(NEED_POOL)
    pool[record] = TAG_ENTRY
    pool[record + 1] = terminal_state
    pool[record + 2] = offset
    noted = intern(pool, interned, record, 3)
    if noted > 0:
        pool[noted + 2] = offset
    return noted


@lean_kernel
def add_entries(pool: Int32Array, interned: Int32Array, entries: Int32Array) -> Int:
    """`add_entry` for each of ``entries`` int32 (n, 2): (terminal state, offset). Returns 0 or a status."""
    for i in range(entries.shape[0]):
        noted = add_entry(pool, interned, np.int64(entries[i, 0]), np.int64(entries[i, 1]))
        if noted < 0:
            return noted
    return np.int64(0)


@lean_kernel
def forget_store(pool: Int32Array, interned: Int32Array) -> None:
    """Forget all masks, and where the store keeps entries: it has thrown its rows away. O(records)."""
    for i in range(0, interned.shape[0], 2):
        record = np.int64(interned[i])
        if record == 0:
            continue
        if pool[record] == TAG_CONFIG:
            pool[record + 3] = 0
        elif pool[record] == TAG_ENTRY and pool[record + 2] >= 0:
            pool[record + 2] = UNKNOWN
