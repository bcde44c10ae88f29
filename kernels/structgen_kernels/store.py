"""Entries of the mask store: one terminal state against the whole vocabulary.

An entry holds the tokens that stay inside the terminal (or end with it), as a bitmask, and the trie nodes
just past a place where the terminal may have ended: from there a token goes on into whatever follows.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def walk_table(trie, token_ids, table, accepting, state, row, crossing):
    """One walk of the trie with a terminal's table.

    trie int32 (nodes + 1, 3); table int32 (states, 256), 0 dead; accepting bool (states,). Writes the
    inside tokens into ``row`` int32 (words,), cleared by the caller, and the crossing nodes into
    ``crossing`` int32 as far as there is room. Returns how many crossing nodes there are. O(nodes alive).
    """
    n_nodes = trie.shape[0] - 1
    by_depth = np.zeros(1 << 16, np.int32)
    by_depth[0] = state
    n_crossing = 0
    node = np.int64(1)
    while node < n_nodes:
        label = np.uint32(trie[node, 0])
        depth = np.int64(label >> np.uint32(8))
        parent = by_depth[depth - 1]
        if depth > 1 and accepting[parent]:
            if n_crossing < crossing.shape[0]:
                crossing[n_crossing] = node
            n_crossing += 1
        after = table[parent, np.int64(label & np.uint32(255))]
        if after == 0:
            # only a child of an accepting node can begin a crossing, and its siblings come next anyway
            node = np.int64(trie[node, 1])
            continue
        by_depth[depth] = after
        for t in range(trie[node, 2], trie[node + 1, 2]):
            token = np.uint32(token_ids[t])
            row[np.int64(token >> np.uint32(5))] |= np.int32(np.uint32(1) << (token & np.uint32(31)))
        node += 1
    return n_crossing


@njit(cache=True, nogil=True)
def walk_counted(
    trie, token_ids, units, unit, remaining, needed, tail, tail_byte, row, crossing
):
    """As `walk_table` for a counted terminal: unit table int32 (units, 256), see `layout`.

    ``unit``: where in a unit; ``remaining``: units that may still begin, this one not counted when the state is
    a boundary (-1: no bound); ``needed``: how many have to be completed before the tail. ``tail`` uint8
    (n,): its bytes, ``tail_byte`` the first.
    """
    n_nodes = trie.shape[0] - 1
    at = np.zeros(1 << 16, np.int64)  # unit state, or -1 - i: inside the tail, i bytes read
    left = np.zeros(1 << 16, np.int64)
    owed = np.zeros(1 << 16, np.int64)
    at[0] = unit
    left[0] = remaining
    owed[0] = needed
    n_tail = tail.shape[0]
    n_crossing = 0
    node = np.int64(1)
    while node < n_nodes:
        label = np.uint32(trie[node, 0])
        depth = np.int64(label >> np.uint32(8))
        byte = np.int64(label & np.uint32(255))
        parent = at[depth - 1]
        dead = False
        left[depth] = left[depth - 1]
        owed[depth] = owed[depth - 1]
        if parent < 0:
            read = -1 - parent
            if read == n_tail:
                if n_crossing < crossing.shape[0]:
                    crossing[n_crossing] = node
                n_crossing += 1
                dead = True
            elif tail[read] == byte:
                at[depth] = parent - 1
            else:
                dead = True
        elif parent == 0 and byte == tail_byte:
            if owed[depth] > 0:
                dead = True
            else:
                at[depth] = -2
        else:
            if parent == 0:
                if left[depth] == 0:
                    dead = True
                elif left[depth] > 0:
                    left[depth] -= 1
            if not dead:
                after = units[parent, byte]
                if after == 0:
                    dead = True
                elif after < 0:
                    at[depth] = 0
                    if owed[depth] > 0:
                        owed[depth] -= 1
                else:
                    at[depth] = after - 1
        if dead:
            node = np.int64(trie[node, 1])
            continue
        for t in range(trie[node, 2], trie[node + 1, 2]):
            token = np.uint32(token_ids[t])
            row[np.int64(token >> np.uint32(5))] |= np.int32(np.uint32(1) << (token & np.uint32(31)))
        node += 1
    return n_crossing
