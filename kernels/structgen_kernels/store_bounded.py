"""Entries of the mask store for bounded terminals, whose states are a unit and a count."""

from __future__ import annotations

import numpy as np

from structgen_kernels.jit import ByteArray, Int, Int32Array, kernel
from structgen_kernels.layout import (
    BLOCK_BASE,
    BLOCK_CLASSES,
    BLOCK_COLUMNS,
    BLOCK_DISTANCE,
    BLOCK_MAXIMUM,
    BLOCK_TABLE,
    BLOCK_UNITS,
    LONGEST_TOKEN,
)
from structgen_kernels.store import allow_tokens
from structgen_kernels.terminals import block_of


@kernel
def walk_bounded(
    static: Int32Array,
    trie: Int32Array,
    token_ids: Int32Array,
    state: Int,
    tail: ByteArray,
    row: Int32Array,
    crossing: Int32Array,
) -> Int:
    """`walk_terminal` from a state of a bounded terminal, with the counts in registers.

    ``tail`` uint8 (n,): the bytes after the content.
    """
    block = block_of(static, state)
    units = static[block + BLOCK_UNITS]
    relative = state - static[block + BLOCK_BASE]
    count = relative // units
    table = np.int64(static[block + BLOCK_TABLE])
    columns = np.int64(static[block + BLOCK_COLUMNS])
    column_of = np.int64(static[block + BLOCK_CLASSES])
    distance = np.int64(static[block + BLOCK_DISTANCE])
    longest = static[LONGEST_TOKEN] + 2
    at = np.zeros(longest, np.int64)  # unit state; -1 - i: inside the tail, i bytes read
    left = np.zeros(longest, np.int64)  # code points that may be completed
    at[0] = relative - count * units
    left[0] = static[block + BLOCK_MAXIMUM] - count
    n_nodes = trie.shape[0] - 1
    n_crossing = 0
    node = np.int64(1)
    while node < n_nodes:
        label = np.uint32(trie[node, 0])
        depth = np.int64(label >> np.uint32(8))
        byte = np.int64(label & np.uint32(255))
        parent = at[depth - 1]
        remaining = left[depth - 1]
        alive = True
        if parent >= 0:
            if byte == tail[0] and static[distance + parent] == 0:
                at[depth] = -2
            else:
                after = np.int64(static[table + parent * columns + static[column_of + byte]])
                alive = after != 0
                if after < 0:
                    after = -after
                    remaining -= 1
                if alive:
                    alive = static[distance + after - 1] <= remaining
                at[depth] = after - 1
        elif parent == -1 - tail.shape[0]:
            if n_crossing < crossing.shape[0]:
                crossing[n_crossing] = node
            n_crossing += 1
            alive = False
        else:
            alive = byte == tail[-1 - parent]
            at[depth] = parent - 1
        if not alive:
            node = np.int64(trie[node, 1])
            continue
        left[depth] = remaining
        allow_tokens(trie, token_ids, node, row)
        node += 1
    return n_crossing
