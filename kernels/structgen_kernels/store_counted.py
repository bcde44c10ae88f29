"""Entries of the mask store for counted terminals: one walk for all counts.

How many units a token completes does not hang on the count that it starts from. So a *profile* says of each
token and crossing node how many units it needs, and an entry is those that the count leaves room for.
"""

from __future__ import annotations

import numpy as np

from structgen_kernels.jit import ByteArray, Int, Int32Array, kernel
from structgen_kernels.layout import (
    BLOCK_BASE,
    BLOCK_TABLE,
    BLOCK_UNITS,
    LONGEST_TOKEN,
    UNIT_DONE,
)
from structgen_kernels.terminals import block_of

IN_TAIL = 1 << 16  # the token reaches the tail, so that the least number of units counts
REFUSED = 1 << 20


@kernel
def profile_counted(
    static: Int32Array,
    trie: Int32Array,
    token_ids: Int32Array,
    state: Int,
    tail: ByteArray,
    needs: Int32Array,
    crossing: Int32Array,
) -> Int:
    """What tokens need from a counted state on, whatever its count.

    ``tail`` uint8 (n,): the bytes after the last unit. ``needs`` int32 (ids,), REFUSED in all that the
    terminal does not allow, set by the caller: gets the units that a token begins, + IN_TAIL. ``crossing``
    int32 (capacity, 2) gets (node, units completed) as far as there is room. Returns how many crossing nodes
    there are. O(nodes of the trie).
    """
    block = block_of(static, state)
    units = static[block + BLOCK_UNITS]
    relative = state - static[block + BLOCK_BASE]
    table = np.int64(static[block + BLOCK_TABLE])
    longest = static[LONGEST_TOKEN] + 2
    at = np.zeros(longest, np.int64)  # unit state; -1 - i: inside the tail, i bytes read
    done = np.zeros(longest, np.int64)  # units completed
    at[0] = relative % units
    n_nodes = trie.shape[0] - 1
    n_crossing = 0
    node = np.int64(1)
    while node < n_nodes:
        label = np.uint32(trie[node, 0])
        depth = np.int64(label >> np.uint32(8))
        byte = np.int64(label & np.uint32(255))
        parent = at[depth - 1]
        completed = done[depth - 1]
        need = completed
        alive = True
        if parent >= 0:
            if parent == 0 and byte == tail[0]:
                at[depth] = -2
                need += IN_TAIL
            else:
                after = static[table + parent * 256 + byte]
                alive = after != 0
                need += 1
                if after == UNIT_DONE:
                    at[depth] = 0
                    completed += 1
                else:
                    at[depth] = after - 1
        elif parent == -1 - tail.shape[0]:
            if n_crossing < crossing.shape[0]:
                crossing[n_crossing, 0] = node
                crossing[n_crossing, 1] = completed
            n_crossing += 1
            alive = False
        else:
            alive = byte == tail[-1 - parent]
            at[depth] = parent - 1
            need += IN_TAIL
        if not alive:
            node = np.int64(trie[node, 1])
            continue
        done[depth] = completed
        for t in range(trie[node, 2], trie[node + 1, 2]):
            needs[token_ids[t]] = need
        node += 1
    return np.int64(n_crossing)


@kernel
def order_by_need(needs: Int32Array, order: Int32Array, begin: Int32Array) -> None:
    """Sort the ids by what they need: those that do not reach the tail first, then by how many units.

    ``needs``: see `profile_counted`. ``order`` int32 (ids,) gets the ids that are not REFUSED, and ``begin``
    int32 (2 * span + 1,) where those that need so many units begin in it, those that reach the tail from
    ``span`` on. No id may need ``span`` units. O(ids).
    """
    span = begin.shape[0] // 2
    begin[:] = 0
    for token in range(needs.shape[0]):
        if needs[token] < REFUSED:
            begin[_rank(needs[token], span) + 1] += 1
    for rank in range(2 * span):
        begin[rank + 1] += begin[rank]
    at = begin.copy()
    for token in range(needs.shape[0]):
        if needs[token] < REFUSED:
            rank = _rank(needs[token], span)
            order[at[rank]] = token
            at[rank] += 1


@kernel
def _rank(need: Int, span: Int) -> Int:
    return np.int64(need & (IN_TAIL - 1)) + (span if need >= IN_TAIL else 0)


@kernel
def counted_row(
    order: Int32Array, begin: Int32Array, full: Int32Array, minimum: Int, maximum: Int, row: Int32Array
) -> None:
    """The inside tokens when at least ``minimum`` and at most ``maximum`` units may come.

    ``order``, ``begin``: see `order_by_need`. ``full`` int32 (words,): the row of all of ``order``. Writes
    all of ``row`` int32 (words,). O(words + ids allowed, or not allowed where these are fewer).
    """
    span = begin.shape[0] // 2
    most = min(maximum, span - 1)
    inside = begin[most + 1]
    tail_end = begin[span + most + 1]
    tail = min(begin[span + min(minimum, span)], tail_end)
    if 2 * (inside + tail_end - tail) < begin[2 * span]:
        row[:] = 0
        _flip(order, 0, inside, row)
        _flip(order, tail, tail_end, row)
    else:
        row[:] = full
        _flip(order, inside, tail, row)
        _flip(order, tail_end, begin[2 * span], row)


@kernel
def _flip(order: Int32Array, first: Int, end: Int, row: Int32Array) -> None:
    for i in range(first, end):
        token = order[i]
        row[token >> 5] ^= np.int32(np.uint32(1) << np.uint32(token & 31))
