"""Cuts: where in the vocabulary's trie a string turns out to be one that was seen before, or barred.

A mask takes such tokens away from the store's row of all strings that the terminal has. The trie is walked
only as far as its texts go on like those that were seen, which are a trie themselves (`seen.py`).
"""

from __future__ import annotations

import numpy as np

from structgen_kernels.fresh_texts import can_leave, may_be_seen, tracked_step
from structgen_kernels.jit import ByteArray, Int, Int32Array, Int64Array, lean_kernel
from structgen_kernels.layout import (
    ACCEPTS,
    LACKS_BYTES,
    NEED_SCRATCH,
    SECTIONS,
    TAG_PARTIAL,
    TEXT_EMPTY,
    TEXT_ENDS,
    TEXT_UNKNOWN,
    WANTED_SECTION,
)
from structgen_kernels.records import continuation
from structgen_kernels.terminals import terminal_flags, terminal_step
from structgen_kernels.texts import (
    BACKSLASH,
    QUOTE,
    append_open,
    compares,
    is_seen,
    open_text,
    seen_alike,
)
from structgen_kernels.trie import CHILD_BITS, child_of

_PENDING = 3  # words of what is yet to be looked at: see `find_cuts`


@lean_kernel
def after_text(
    pool: Int32Array, interned: Int32Array, scratch: Int64Array, trie: Int32Array, k: Int, node: Int
) -> Int:
    """Tracked continuation ``k`` after the bytes that lead to ``node``'s parent in the trie; or a status."""
    stack = np.int64(pool[k + 2])
    for depth in range(1, trie[node, 0] >> 8):
        above = np.int64(trie[node, 3])
        while trie[above, 0] >> 8 > depth:
            above = np.int64(trie[above, 3])
        stack = append_open(pool, interned, scratch, stack, np.int64(trie[above, 0] & 255))
        if stack < 0:
            return stack
    return continuation(pool, interned, np.int64(pool[k + 1]), stack)


@lean_kernel
def _look_by_bytes(
    static: Int32Array,
    classes: ByteArray,
    pool: Int32Array,
    interned: Int32Array,
    scratch: Int64Array,
    trie: Int32Array,
    child: Int,
    state: Int,
    reader: Int,
    alike: Int,
    n: Int,
    top: Int,
) -> tuple[Int, Int]:
    """Note a trie node as a cut, or as one below which cuts may be, or pass over it.

    ``state``, ``reader``: the terminal's state and the continuation at its parent; ``alike``: `seen_alike`
    there. ``n``, ``top``: where cuts and what is pending end. Returns these, or (status, 0).
    """
    byte = np.int64(trie[child, 0] & 255)
    if not may_be_seen(pool, np.int64(pool[reader + 2]), alike, byte):
        return n, top
    after = np.int64(terminal_step(static, classes, state, byte))
    if after == 0:
        return n, top
    ends = np.int64(terminal_flags(static, after) & ACCEPTS)
    reader = tracked_step(static, classes, pool, interned, scratch, reader, byte, after, ends, 0)
    if reader < 0:
        return reader, np.int64(0)
    is_cut = reader == 0
    if reader > 0 and ends != 0:
        seen = is_seen(pool, scratch, np.int64(pool[reader + 2]))
        if seen < 0:
            return seen, np.int64(0)
        is_cut = seen == 1
    if is_cut:
        scratch[n], scratch[n + 1] = child, trie[child, 1]
        n += 2
    elif ends == 0 and compares(pool, np.int64(pool[reader + 2])):
        top -= _PENDING
        scratch[top], scratch[top + 1], scratch[top + 2] = child, after, -reader
    return n, top


@lean_kernel
def _look_by_texts(
    static: Int32Array,
    classes: ByteArray,
    pool: Int32Array,
    interned: Int32Array,
    scratch: Int64Array,
    trie: Int32Array,
    children: Int32Array,
    node: Int,
    state: Int,
    here: Int,
    n: Int,
    top: Int,
) -> tuple[Int, Int]:
    """`_look_by_bytes` for all children of ``node`` at once, a backslash apart. ``here``: the seen strings
    that begin alike, from there on.
    """
    for i in range(pool[here + 1]):
        byte = np.int64(pool[here + 2 + 2 * i])
        if byte == TEXT_ENDS:
            child = child_of(children, node, QUOTE)
            if child != 0:
                scratch[n], scratch[n + 1] = child, trie[child, 1]
                n += 2
            continue
        if byte in (QUOTE, BACKSLASH):
            continue
        child = child_of(children, node, byte)
        after = np.int64(terminal_step(static, classes, state, byte)) if child != 0 else np.int64(0)
        if after == 0:
            continue
        follow = np.int64(pool[here + 3 + 2 * i])
        alive = can_leave(static, classes, pool, interned, scratch, after, follow)
        if alive < 0:
            return alive, np.int64(0)
        if alive == 0:
            scratch[n], scratch[n + 1] = child, trie[child, 1]
            n += 2
        elif children[child] < children[child + 1]:
            top -= _PENDING
            scratch[top], scratch[top + 1], scratch[top + 2] = child, after, follow
    return n, top


@lean_kernel
def find_cuts(
    static: Int32Array,
    classes: ByteArray,
    pool: Int32Array,
    interned: Int32Array,
    scratch: Int64Array,
    trie: Int32Array,
    children: Int32Array,
    state: Int,
    k: Int,
    cuts: Int,
) -> Int:
    """Where in the trie a string turns out to be one that was seen, or leaves only such: none of that may be.

    Writes (first node, end) from ``scratch[cuts]`` on, and -1. Returns the place behind it, or a status.
    ``state``, ``k``: of the thread that reads the string, all of whose text is known. O(nodes whose texts go
    on like one that was seen).
    """
    end = WANTED_SECTION * (scratch.shape[0] // SECTIONS)
    n = np.int64(cuts)
    top = np.int64(end)
    if compares(pool, np.int64(pool[k + 2])):
        # What is pending, a stack downwards: a node, the terminal's state there, and the seen strings that
        # begin alike, from there on; or, where an escape is unfinished or bytes are lacking, -(continuation).
        text = open_text(pool, np.int64(pool[k + 2]))
        node = np.int64(0)
        before = -np.int64(k)
        if static[LACKS_BYTES] == 0 and (text <= TEXT_UNKNOWN or pool[text] != TAG_PARTIAL):
            before = seen_alike(pool, scratch, np.int64(pool[k + 2]))
            if before < 0:
                return before
            if text == TEXT_EMPTY:
                node = child_of(children, np.int64(0), QUOTE)
                state = terminal_step(static, classes, state, QUOTE)
        if before != 0 and state != 0 and (node != 0 or before < 0 or text != TEXT_EMPTY):
            top -= _PENDING
            scratch[top], scratch[top + 1], scratch[top + 2] = node, state, before
        while top < end:
            node, state, before = scratch[top], scratch[top + 1], scratch[top + 2]
            top += _PENDING
            n_looks = pool[before + 1] + 1 if before > 0 else children[node + 1] - children[node]
            if n + (2 + _PENDING) * np.int64(n_looks) >= top:
                return np.int64(NEED_SCRATCH)
            if before > 0:
                n, top = _look_by_texts(
                    static, classes, pool, interned, scratch, trie, children, node, state, before, n, top
                )
                if n < 0:
                    return n
                child = child_of(children, node, BACKSLASH)
                if child == 0:
                    continue
                reader = after_text(pool, interned, scratch, trie, np.int64(k), child)
                if reader < 0:
                    return reader
                n, top = _look_by_bytes(
                    static, classes, pool, interned, scratch, trie, child, state, reader, before, n, top
                )
                if n < 0:
                    return n
                continue
            alike = seen_alike(pool, scratch, np.int64(pool[2 - before]))
            if alike < 0:
                return alike
            for place in range(children[node], children[node + 1]):
                child = np.int64(children[place] & ((1 << CHILD_BITS) - 1))
                n, top = _look_by_bytes(
                    static, classes, pool, interned, scratch, trie, child, state, -before, alike, n, top
                )
                if n < 0:
                    return n
    if n + 1 >= end:
        return np.int64(NEED_SCRATCH)
    scratch[n] = -1
    return n + 1


@lean_kernel
def or_cut_row(
    pool: Int32Array,
    scratch: Int64Array,
    trie: Int32Array,
    token_ids: Int32Array,
    rows: Int32Array,
    record: Int,
    row: Int,
    cuts: Int,
) -> None:
    """OR a row of the store, without the tokens within the cuts, into the dense mask at ``record``.

    The words behind the mask are working room.
    """
    n_words = rows.shape[1]
    work = record + 1 + n_words
    for w in range(n_words):
        pool[work + w] = rows[row, w]
    while scratch[cuts] >= 0:
        for t in range(trie[scratch[cuts], 2], trie[scratch[cuts + 1], 2]):
            token = token_ids[t]
            pool[work + (token >> 5)] &= ~np.int32(np.uint32(1) << np.uint32(token & 31))
        cuts += 2
    for w in range(n_words):
        pool[record + 1 + w] |= pool[work + w]
