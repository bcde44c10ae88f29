"""What tokens do in a lexical state, whatever the parser's stack: a trie of the terminals that they emit.

One pass over the vocabulary's trie follows all guesses about the ends of lexemes. A token is listed under the
sequence of terminals that it emits and the set of those that may be emitted next (`layout` of entries: see
`lexed_layout`). Ignored terminals after which the mode stays are no part of the sequence.
"""

from __future__ import annotations

import numpy as np

from structgen_kernels.jit import Int, Int32Array, Int64Array, kernel
from structgen_kernels.lexed_layout import (
    ADJACENT,
    CLASS_OF,
    DELTA,
    EMIT_BEGIN,
    EMITS_ID,
    EMITTED,
    IGNORE,
    N_CLASSES,
    N_MODES,
    N_TERMINALS,
    N_WORDS,
    NEXT,
    NEXT_BEGIN,
    OP,
    PARSE,
    START,
)

FULL = -1  # some array is too small
# What is found is one word each: (sequence, set, token).
TOKEN_BITS = 22
SET_BITS = 17


@kernel
def _child(
    nodes: Int32Array, table: Int32Array, count: Int32Array, parent: Int, terminal: Int, mode: Int
) -> Int:
    """The sequence ``parent`` and one more terminal: its number, or FULL. nodes int32 (n, 3), table a hash
    table.
    """
    mask = np.uint64(table.shape[0] - 1)
    h = (np.uint64(parent) * np.uint64(0x9E3779B97F4A7C15)) ^ (
        np.uint64(terminal * 4096 + mode + 1) * np.uint64(0xC2B2AE3D27D4EB4F)
    )
    slot = (h >> np.uint64(17)) & mask
    while table[np.int64(slot)] != 0:
        known = np.int64(table[np.int64(slot)])
        if nodes[known, 0] == parent and nodes[known, 1] == terminal and nodes[known, 2] == mode:
            return known
        slot = (slot + np.uint64(1)) & mask
    number = np.int64(count[0])
    if number >= nodes.shape[0] or 2 * number >= table.shape[0]:
        return np.int64(FULL)
    nodes[number, 0], nodes[number, 1], nodes[number, 2] = parent, terminal, mode
    table[np.int64(slot)] = number
    count[0] = number + 1
    return number


@kernel
def walk(
    static: Int32Array,
    trie: Int32Array,
    token_ids: Int32Array,
    lexical: Int,
    mode: Int,
    nodes: Int32Array,
    table: Int32Array,
    found: Int64Array,
    threads: Int32Array,
    count: Int32Array,
) -> Int:
    """Fill ``nodes`` int32 (n, 3) with sequences (parent, terminal, mode after it), number 0 the empty
    one, and ``found`` int64 with ((sequence << SET_BITS) | set) << TOKEN_BITS | token. Returns how many
    were found, or FULL.

    ``table`` int32, cleared, a power of 2; ``threads`` int32 (n, 3) working room; ``count[0]`` becomes the
    number of sequences, ``count[1]`` what was full: 0 sequences, 1 found, 2 threads. Cost: the trie nodes
    that some thread reaches.
    """
    n_classes = np.int64(static[N_CLASSES])
    n_modes = np.int64(static[N_MODES])
    n_terminals = np.int64(static[N_TERMINALS])
    n_words = np.int64(static[N_WORDS])
    begin = np.zeros(65_538, np.int64)  # of the threads at each depth
    count[0] = 1
    nodes[0, 0], nodes[0, 1], nodes[0, 2] = 0, -1, mode
    threads[0, 0], threads[0, 1], threads[0, 2] = 0, lexical, mode
    begin[0], begin[1] = 0, 1
    n_found = np.int64(0)
    node = np.int64(1)
    end = np.int64(trie[0, 1])
    while node < end:
        label = trie[node, 0]
        depth = np.int64(label >> 8)
        column = np.int64(static[static[CLASS_OF] + (label & 255)])
        first, last = begin[depth - 1], begin[depth]
        n = last
        first_token, last_token = trie[node, 2], trie[node + 1, 2]
        is_inner = trie[node, 1] > node + 1
        for i in range(first, last):
            after = np.int64(static[static[DELTA] + np.int64(threads[i, 1]) * n_classes + column])
            if after == 0:
                continue
            sequence, at_mode = np.int64(threads[i, 0]), np.int64(threads[i, 2])
            if last_token > first_token:
                key = (sequence << SET_BITS) | np.int64(static[static[EMITS_ID] + after])
                if n_found + last_token - first_token > found.shape[0]:
                    count[1] = 1
                    return np.int64(FULL)
                for t in range(first_token, last_token):
                    found[n_found] = (key << TOKEN_BITS) | np.int64(token_ids[t])
                    n_found += 1
            if not is_inner:
                continue
            if n + 1 >= threads.shape[0]:
                count[1] = 2
                return np.int64(FULL)
            threads[n, 0], threads[n, 1], threads[n, 2] = sequence, after, at_mode
            n += 1
            for e in range(static[static[EMIT_BEGIN] + after], static[static[EMIT_BEGIN] + after + 1]):
                emitted = np.int64(static[EMITTED]) + 2 * e
                terminal, pending = np.int64(static[emitted]), np.int64(static[emitted + 1])
                op = static[static[OP] + at_mode * n_terminals + terminal]
                before = np.int64(nodes[sequence, 1])
                if op == PARSE and before >= 0:
                    word = static[static[ADJACENT] + before * n_words + (terminal >> 5)]
                    if (word >> (terminal & 31)) & 1 == 0:
                        continue
                modes = np.int64(static[NEXT_BEGIN]) + at_mode * n_terminals + terminal
                for m in range(static[modes], static[modes + 1]):
                    next_mode = np.int64(static[static[NEXT] + m])
                    start = np.int64(static[static[START] + pending * n_modes + next_mode])
                    if start == 0:
                        continue
                    if op == IGNORE and next_mode == at_mode:
                        longer = sequence
                    else:
                        longer = _child(nodes, table, count, sequence, terminal, next_mode)
                        if longer < 0:
                            count[1] = 0
                            return np.int64(FULL)
                    if n + 1 >= threads.shape[0]:
                        count[1] = 2
                        return np.int64(FULL)
                    threads[n, 0], threads[n, 1], threads[n, 2] = longer, start, next_mode
                    n += 1
        if is_inner:
            if n == last:
                node = np.int64(trie[node, 1])
                continue
            begin[depth + 1] = n
        node += 1
    return n_found


@kernel
def group(found: Int64Array, n_found: Int, starts: Int64Array, keys: Int64Array, tokens: Int32Array) -> Int:
    """What `walk` found, by (sequence, set): how many groups there are.

    ``found[:n_found]`` is sorted by now (by numpy, in a sixth of the time it takes here); group i has key
    ``keys[i]`` and the tokens ``tokens[starts[i] : starts[i + 1]]``, each once. ``starts`` has room for one
    more than there are groups.
    """
    n = np.int64(0)
    at = np.int64(0)
    previous = np.int64(-1)
    for i in range(n_found):
        if i > 0 and found[i] == found[i - 1]:
            continue
        key = found[i] >> TOKEN_BITS
        if key != previous:
            keys[n] = key
            starts[n] = at
            n += 1
            previous = key
        tokens[at] = found[i] & ((1 << TOKEN_BITS) - 1)
        at += 1
    starts[n] = at
    return n
