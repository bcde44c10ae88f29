"""Entries of the mask store: one terminal state against the whole vocabulary.

An entry holds the tokens that stay inside the terminal (or end with it), as a bitmask, and the trie nodes
just past a place where the terminal may have ended: from there a token goes on into whatever follows.
"""

from __future__ import annotations

import numpy as np

from structgen_kernels.jit import ByteArray, Int, Int32Array, Int64Array, kernel, lean_kernel
from structgen_kernels.layout import (
    ACCEPTS,
    CLASS_MAP,
    LONGEST_TOKEN,
    N_STATES,
    N_TABLE,
    ROW,
)
from structgen_kernels.terminals import terminal_flags, terminal_step


@kernel
def allow_tokens(trie: Int32Array, token_ids: Int32Array, node: Int, row: Int32Array) -> None:
    """Set the bits of the tokens that end at a trie node in ``row`` int32 (words,)."""
    for t in range(trie[node, 2], trie[node + 1, 2]):
        token = np.uint32(token_ids[t])
        row[np.int64(token >> np.uint32(5))] |= np.int32(np.uint32(1) << (token & np.uint32(31)))


@kernel
def change_row(tokens: Int32Array, row: Int32Array) -> None:
    """Set in ``row`` int32 (words,) the bits of ``tokens`` int32 (n,) >= 0; clear those of ids that are given
    as -1 - id, as `walk_difference` has them. O(n).
    """
    for i in range(tokens.shape[0]):
        given = np.int64(tokens[i])
        token = np.uint32(given if given >= 0 else -1 - given)
        bit = np.int32(np.uint32(1) << (token & np.uint32(31)))
        word = np.int64(token >> np.uint32(5))
        if given >= 0:
            row[word] |= bit
        else:
            row[word] &= ~bit


@kernel
def walk_terminal(
    static: Int32Array,
    classes: ByteArray,
    trie: Int32Array,
    token_ids: Int32Array,
    state: Int,
    limit: Int,
    row: Int32Array,
    crossing: Int32Array,
) -> Int:
    """One walk of the trie with a terminal alone, by `terminal_step`: for few nodes, or many states.

    trie int32 (nodes + 1, 4), token_ids int32. Writes the inside tokens into ``row`` int32 (words,), cleared
    by the caller, and the crossing nodes into ``crossing`` int32 as far as there is room. Returns how many
    crossing nodes there are; -1, and ``row`` is half done, when more than ``limit`` nodes are visited.
    O(nodes that the terminal reaches).
    """
    n_nodes = trie.shape[0] - 1
    longest = static[LONGEST_TOKEN] + 2
    by_depth = np.zeros(longest, np.int64)
    ends = np.zeros(longest, np.bool_)  # may the terminal have ended at this depth?
    by_depth[0] = state
    n_crossing = 0
    visited = 0
    node = np.int64(1)
    while node < n_nodes:
        visited += 1
        if visited > limit:
            return np.int64(-1)
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
    return np.int64(n_crossing)


@lean_kernel
def reaches_more(
    static: Int32Array,
    classes: ByteArray,
    trie: Int32Array,
    token_ids: Int32Array,
    state: Int,
    limit: Int,
    by_depth: Int64Array,
) -> bool:
    """True when a terminal alone reaches more than ``limit`` nodes of the trie. O(limit + dead branches).

    Works in the first ``limit + 2`` words of ``by_depth`` int64.
    """
    first_nodes = token_ids.shape[0] - 256
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
    stays = 0
    for byte in range(256):  # majority vote (Boyer and Moore 1981)
        after = terminal_step(static, classes, state, byte)
        if after == state:
            stays += 1
        if after == 0 or after == state:
            continue
        if votes == 0:
            candidate = after
        votes += 1 if after == candidate else -1
    if stays >= 192:  # it is the base of others
        return np.int64(0)
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
    limit: Int,
    tokens: Int32Array,
    nodes: Int32Array,
) -> tuple[Int, Int]:
    """`walk_terminal`, where only what is not as in ``base`` is visited.

    Writes the inside tokens in which the two differ into ``tokens``, int32 and as far as there is room: the
    id where only the state has it, -1 - id where only the base has; and likewise the crossing nodes into
    ``nodes``. Returns how many there are of either; (-1, -1) when more than ``limit`` nodes are visited.
    O(nodes where the two are in different states).
    """
    n_nodes = trie.shape[0] - 1
    longest = static[LONGEST_TOKEN] + 2
    own = np.zeros(longest, np.int64)
    other = np.zeros(longest, np.int64)
    own[0] = state
    other[0] = base
    n_tokens = 0
    n_crossing = 0
    visited = 0
    node = np.int64(1)
    while node < n_nodes:
        visited += 1
        if visited > limit:
            return np.int64(-1), np.int64(-1)
        label = np.uint32(trie[node, 0])
        depth = np.int64(label >> np.uint32(8))
        byte = np.int64(label & np.uint32(255))
        a = own[depth - 1]
        b = other[depth - 1]
        if depth > 1:
            own_ends = a != 0 and (terminal_flags(static, a) & ACCEPTS) != 0
            base_ends = b != 0 and (terminal_flags(static, b) & ACCEPTS) != 0
            if own_ends != base_ends:
                if n_crossing < nodes.shape[0]:
                    nodes[n_crossing] = node if own_ends else -1 - node
                n_crossing += 1
        if a != 0:
            a = terminal_step(static, classes, a, byte)
        if b != 0:
            b = terminal_step(static, classes, b, byte)
        if a == b:
            node = np.int64(trie[node, 1])
            continue
        own[depth] = a
        other[depth] = b
        if (a == 0) != (b == 0):
            for t in range(trie[node, 2], trie[node + 1, 2]):
                if n_tokens < tokens.shape[0]:
                    tokens[n_tokens] = token_ids[t] if a != 0 else -1 - token_ids[t]
                n_tokens += 1
        node += 1
    return np.int64(n_tokens), np.int64(n_crossing)


@kernel
def residual_runs(static: Int32Array, classes: ByteArray, state: Int, limit: Int, out: Int32Array) -> Int:
    """Write what may follow in a table state in a form that depends on nothing else, for hashing.

    The automata are minimal, so the states reached, numbered breadth-first over ascending bytes, are the
    minimal automaton of the residual language. Per state: accepting, then (first byte, target) for each run
    of bytes with one target. Returns how many words of ``out``, int32 (limit * 513,), that takes; 0 when more
    than ``limit`` states are reached. O(256 + states reached x runs of bytes of one class).
    """
    columns = np.int64(static[static[CLASS_MAP] + state])  # of all states of the automaton
    first_bytes = np.empty(256, np.int64)
    n_runs = np.int64(0)
    for byte in range(256):
        if byte == 0 or classes[columns + byte] != classes[columns + byte - 1]:
            first_bytes[n_runs] = byte
            n_runs += 1
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
        previous = np.int64(-1)
        out[size] = -1 - (terminal_flags(static, current) & ACCEPTS)
        size += 1
        for run in range(n_runs):
            byte = first_bytes[run]
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
