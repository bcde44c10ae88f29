"""Entries of the mask store: one terminal state against the whole vocabulary.

An entry holds the tokens that stay inside the terminal (or end with it), as a bitmask, and the trie nodes
just past a place where the terminal may have ended: from there a token goes on into whatever follows.
"""

from __future__ import annotations

import numpy as np

from structgen_kernels.jit import BoolArray, ByteArray, Int, Int32Array, kernel
from structgen_kernels.layout import (
    ACCEPTS,
    BLOCK_BASE,
    BLOCK_MAXIMUM,
    BLOCK_MINIMUM,
    BLOCK_TABLE,
    BLOCK_UNITS,
    CLASS_MAP,
    MAX_TOKEN_BYTES,
    N_STATES,
    N_TABLE,
    ROW,
    UNIT_DONE,
)
from structgen_kernels.terminals import block_of, terminal_flags, terminal_step


@kernel
def allow_tokens(trie: Int32Array, token_ids: Int32Array, node: Int, row: Int32Array) -> None:
    """Set the bits of the tokens that end at a trie node in ``row`` int32 (words,)."""
    for t in range(trie[node, 2], trie[node + 1, 2]):
        token = np.uint32(token_ids[t])
        row[np.int64(token >> np.uint32(5))] |= np.int32(np.uint32(1) << (token & np.uint32(31)))


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
    """One walk of the trie with a terminal alone, by `terminal_step`: for few nodes, or many states.

    trie int32 (nodes + 1, 4), token_ids int32. Writes the inside tokens into ``row`` int32 (words,), cleared
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
        allow_tokens(trie, token_ids, node, row)
        node += 1
    return n_crossing


@kernel
def walk_table(
    trie: Int32Array,
    token_ids: Int32Array,
    table: Int32Array,
    accepting: BoolArray,
    row: Int32Array,
    crossing: Int32Array,
) -> Int:
    """`walk_terminal` from state 1 of a table of its own, int32 (states * 256,): twice as fast a node."""
    n_nodes = np.uint64(trie.shape[0] - 1)
    by_depth = np.zeros(MAX_TOKEN_BYTES + 1, np.uint32)
    by_depth[0] = 1
    n_crossing = 0
    node = np.uint64(1)
    while node < n_nodes:
        label = np.uint32(trie[node, 0])
        depth = np.uint64(label >> np.uint32(8))
        parent = by_depth[depth - np.uint64(1)]
        if accepting[parent] and depth > np.uint64(1):
            if n_crossing < crossing.shape[0]:
                crossing[n_crossing] = node
            n_crossing += 1
        after = table[np.uint64((parent << np.uint32(8)) | (label & np.uint32(255)))]
        if after == 0:
            node = np.uint64(trie[node, 1])
            continue
        by_depth[depth] = after
        allow_tokens(trie, token_ids, np.int64(node), row)
        node += np.uint64(1)
    return n_crossing


@kernel
def residual_table(
    static: Int32Array, classes: ByteArray, state: Int, table: Int32Array, accepting: BoolArray
) -> Int:
    """The part of a terminal that a table state reaches, as a table of its own with that state as 1.

    Writes ``table`` int32 (capacity * 256,) and ``accepting`` bool (capacity,). Returns the number of states,
    the dead one included; 0 when there is no room or the terminal goes on in counted states.
    """
    capacity = accepting.shape[0]
    number = np.zeros(static[N_TABLE], np.int32)
    order = np.zeros(capacity, np.int32)
    number[state] = 1
    order[1] = state
    n = 2
    i = 1
    while i < n:
        current = np.int64(order[i])
        accepting[i] = (terminal_flags(static, current) & ACCEPTS) != 0
        for byte in range(256):
            after = terminal_step(static, classes, current, byte)
            if after == 0:
                continue
            if after >= static[N_STATES]:
                return np.int64(0)
            if number[after] == 0:
                if n == capacity:
                    return np.int64(0)
                number[after] = n
                order[n] = after
                n += 1
            table[i * 256 + byte] = number[after]
        i += 1
    return np.int64(n)


@kernel
def walk_counted(
    static: Int32Array,
    trie: Int32Array,
    token_ids: Int32Array,
    state: Int,
    tail: ByteArray,
    row: Int32Array,
    crossing: Int32Array,
) -> Int:
    """`walk_terminal` from a counted state, with the counts in registers instead of in state numbers.

    ``tail`` uint8 (n,): the bytes after the last unit.
    """
    block = block_of(static, state)
    units = static[block + BLOCK_UNITS]
    relative = state - static[block + BLOCK_BASE]
    count = relative // units
    table = np.int64(static[block + BLOCK_TABLE])
    maximum = static[block + BLOCK_MAXIMUM]
    at = np.zeros(MAX_TOKEN_BYTES + 1, np.int64)  # unit state; -1 - i: inside the tail, i bytes read
    left = np.zeros(MAX_TOKEN_BYTES + 1, np.int64)  # units that may be completed
    owed = np.zeros(MAX_TOKEN_BYTES + 1, np.int64)  # units that must be completed before the tail
    at[0] = relative - count * units
    left[0] = maximum - count if maximum >= 0 else MAX_TOKEN_BYTES + 1
    owed[0] = max(0, static[block + BLOCK_MINIMUM] - count)
    n_nodes = trie.shape[0] - 1
    n_crossing = 0
    node = np.int64(1)
    while node < n_nodes:
        label = np.uint32(trie[node, 0])
        depth = np.int64(label >> np.uint32(8))
        byte = np.int64(label & np.uint32(255))
        parent = at[depth - 1]
        remaining = left[depth - 1]
        needed = owed[depth - 1]
        alive = True
        if parent >= 0:
            if parent == 0 and byte == tail[0]:
                alive = needed == 0
                at[depth] = -2
            else:
                after = static[table + parent * 256 + byte]
                alive = after != 0 and remaining > 0
                if after == UNIT_DONE:
                    at[depth] = 0
                    remaining -= 1
                    needed = max(0, needed - 1)
                else:
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
        owed[depth] = needed
        allow_tokens(trie, token_ids, node, row)
        node += 1
    return n_crossing


@kernel
def reaches_more(
    static: Int32Array, classes: ByteArray, trie: Int32Array, token_ids: Int32Array, state: Int, limit: Int
) -> bool:
    """True when a terminal alone reaches more than ``limit`` nodes of the trie. O(limit + dead branches)."""
    first_nodes = token_ids.shape[0] - 256
    by_depth = np.zeros(limit + 2, np.int64)
    by_depth[0] = state
    reached = 0
    for first in range(256):
        node = np.int64(token_ids[first_nodes + first])
        if node == 0 or terminal_step(static, classes, state, first) == 0:
            continue
        end = np.int64(trie[node, 1])
        while node < end:
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


@kernel
def base_of(static: Int32Array, classes: ByteArray, state: Int) -> Int:
    """The state whose tokens are nearly those of a table state; 0 when there is none.

    A string that must not be one of some keys differs from any string only along the keys. The base is where
    most bytes lead, if most bytes then lead on alike.
    """
    best = 0
    best_votes = 0
    votes = 0
    candidate = 0
    for byte in range(256):  # majority vote (Boyer and Moore 1981)
        after = terminal_step(static, classes, state, byte)
        if after == 0 or after == state:
            continue
        if votes == 0:
            candidate = after
        votes += 1 if after == candidate else -1
    if candidate == 0 or candidate >= static[N_STATES]:
        return np.int64(0)
    for byte in range(256):
        if terminal_step(static, classes, state, byte) == terminal_step(static, classes, candidate, byte):
            best_votes += 1
            best = candidate
    return np.int64(best) if best_votes >= 192 else np.int64(0)


@kernel
def walk_difference(
    static: Int32Array,
    classes: ByteArray,
    trie: Int32Array,
    token_ids: Int32Array,
    state: Int,
    base: Int,
    row: Int32Array,
    gained: Int32Array,
    lost: Int32Array,
) -> tuple[Int, Int]:
    """`walk_terminal`, where only what is not as in ``base`` is visited.

    ``row`` comes in as the base's and goes out as the state's. Writes the crossing nodes that only the state
    has into ``gained`` and those that only the base has into ``lost``, both int32, as far as there is room.
    Returns how many there are of either. O(nodes where the two are in different states).
    """
    n_nodes = trie.shape[0] - 1
    own = np.zeros(MAX_TOKEN_BYTES + 1, np.int64)
    other = np.zeros(MAX_TOKEN_BYTES + 1, np.int64)
    own[0] = state
    other[0] = base
    n_gained = 0
    n_lost = 0
    node = np.int64(1)
    while node < n_nodes:
        label = np.uint32(trie[node, 0])
        depth = np.int64(label >> np.uint32(8))
        byte = np.int64(label & np.uint32(255))
        a = own[depth - 1]
        b = other[depth - 1]
        if depth > 1:
            own_ends = a != 0 and (terminal_flags(static, a) & ACCEPTS) != 0
            base_ends = b != 0 and (terminal_flags(static, b) & ACCEPTS) != 0
            if own_ends and not base_ends:
                if n_gained < gained.shape[0]:
                    gained[n_gained] = node
                n_gained += 1
            elif base_ends and not own_ends:
                if n_lost < lost.shape[0]:
                    lost[n_lost] = node
                n_lost += 1
        if a != 0:
            a = terminal_step(static, classes, a, byte)
        if b != 0:
            b = terminal_step(static, classes, b, byte)
        if a == b:
            node = np.int64(trie[node, 1])
            continue
        own[depth] = a
        other[depth] = b
        for t in range(trie[node, 2], trie[node + 1, 2]):
            token = np.uint32(token_ids[t])
            bit = np.int32(np.uint32(1) << (token & np.uint32(31)))
            if a != 0:
                row[np.int64(token >> np.uint32(5))] |= bit
            else:
                row[np.int64(token >> np.uint32(5))] &= ~bit
        node += 1
    return n_gained, n_lost


@kernel
def residual_runs(static: Int32Array, classes: ByteArray, state: Int, limit: Int, out: Int32Array) -> Int:
    """Write what may follow in a table state in a form that depends on nothing else, for hashing.

    The automata are minimal, so the states reached, numbered breadth-first over ascending bytes, are the
    minimal automaton of the residual language. Per state: accepting, then (first byte, target) for each run
    of bytes with one target. Returns how many words of ``out``, int32 (limit * 513,), that takes; 0 when more
    than ``limit`` states are reached. O(states reached x 256).
    """
    number = np.zeros(static[N_TABLE], np.int32)
    order = np.zeros(limit, np.int32)
    number[state] = 1
    order[0] = state
    n_states = 1
    size = 0
    i = 0
    while i < n_states:
        current = np.int64(order[i])
        i += 1
        row = np.int64(static[static[ROW] + current])
        columns = np.int64(static[static[CLASS_MAP] + current])
        previous = np.int64(-1)
        out[size] = -1 - (terminal_flags(static, current) & ACCEPTS)
        size += 1
        for byte in range(256):
            after = np.int64(static[row + classes[columns + byte]])
            if after != 0 and number[after] == 0:
                if n_states == limit:
                    return 0
                number[after] = n_states + 1
                order[n_states] = after
                n_states += 1
            target = np.int64(number[after])  # of the dead state: 0
            if target != previous:
                out[size] = byte
                out[size + 1] = target
                size += 2
                previous = target
    return size
