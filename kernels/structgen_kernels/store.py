"""Entries of the mask store: one terminal state against the whole vocabulary.

An entry holds the tokens that stay inside the terminal (or end with it), as a bitmask, and the trie nodes
just past a place where the terminal may have ended: from there a token goes on into whatever follows.
"""

from __future__ import annotations

import numpy as np

from structgen_kernels.jit import ByteArray, Int, Int32Array, kernel
from structgen_kernels.layout import ACCEPTS, MAX_TOKEN_BYTES
from structgen_kernels.terminals import terminal_flags, terminal_step


@kernel
def walk_terminal(
    static: Int32Array,
    classes: ByteArray,
    trie: Int32Array,
    token_ids: Int32Array,
    state: Int,
    row: Int32Array,
    crossing: Int32Array,
) -> Int:
    """One walk of the trie with a terminal alone.

    trie int32 (nodes + 1, 3), token_ids int32. Writes the inside tokens into ``row`` int32 (words,), cleared
    by the caller, and the crossing nodes into ``crossing`` int32 as far as there is room. Returns how many
    crossing nodes there are. O(nodes that the terminal reaches).
    """
    n_nodes = trie.shape[0] - 1
    by_depth = np.zeros(MAX_TOKEN_BYTES + 1, np.int64)
    ends = np.zeros(MAX_TOKEN_BYTES + 1, np.bool_)  # may the terminal have ended at this depth?
    by_depth[0] = state
    n_crossing = 0
    node = np.int64(1)
    while node < n_nodes:
        label = np.uint32(trie[node, 0])
        depth = np.int64(label >> np.uint32(8))
        if ends[depth - 1]:
            if n_crossing < crossing.shape[0]:
                crossing[n_crossing] = node
            n_crossing += 1
        after = terminal_step(static, classes, by_depth[depth - 1], np.int64(label & np.uint32(255)))
        if after == 0:
            node = np.int64(trie[node, 1])
            continue
        by_depth[depth] = after
        ends[depth] = (terminal_flags(static, after) & ACCEPTS) != 0
        for t in range(trie[node, 2], trie[node + 1, 2]):
            token = np.uint32(token_ids[t])
            row[np.int64(token >> np.uint32(5))] |= np.int32(np.uint32(1) << (token & np.uint32(31)))
        node += 1
    return n_crossing


@kernel
def reaches_more(static: Int32Array, classes: ByteArray, trie: Int32Array, state: Int, limit: Int) -> bool:
    """True when a terminal alone reaches more than ``limit`` nodes of the trie. O(limit + dead branches)."""
    n_nodes = trie.shape[0] - 1
    by_depth = np.zeros(limit + 2, np.int64)
    by_depth[0] = state
    reached = 0
    node = np.int64(1)
    while node < n_nodes:
        label = np.uint32(trie[node, 0])
        depth = np.int64(label >> np.uint32(8))
        after = terminal_step(static, classes, by_depth[depth - 1], np.int64(label & np.uint32(255)))
        if after == 0:
            node = np.int64(trie[node, 1])
            continue
        reached += 1
        if reached > limit:
            return True
        by_depth[depth] = after
        node += 1
    return False
