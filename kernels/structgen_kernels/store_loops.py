"""Walks of the trie that leave out what cannot fail: all tokens below a node are taken at once.

See `structgen_kernels.store_runs`. What is taken is kept as spans of tokens in the order of the trie, so that
a row of nearly all tokens costs only those that are not in it.
"""

from __future__ import annotations

import numpy as np

from structgen_kernels.jit import ByteArray, Int, Int32Array, kernel, lean_kernel
from structgen_kernels.layout import (
    ACCEPTS,
    BLOCK_BASE,
    BLOCK_DISTANCE,
    BLOCK_GREATEST,
    BLOCK_MAXIMUM,
    BLOCK_UNITS,
    LONGEST_TOKEN,
)
from structgen_kernels.store_below import BROKEN_AT, HEIGHT_AT, MOST_HEIGHT, Bits
from structgen_kernels.store_runs import (
    FIRST_ROW,
    FLAGS_AT,
    MOST_ALPHABETS,
    MOST_EXPLORED,
    SHIFT,
    WIDTH,
    find_runs,
    run_is_safe,
    view_of_block,
    view_of_table,
)
from structgen_kernels.terminals import block_of
from structgen_kernels.trie import CHILD_BITS

_NODE = (1 << CHILD_BITS) - 1
_FIRST_NODES = 64  # a walk of fewer nodes ends before runs are found


@lean_kernel
def _added(spans: Int32Array, n: Int, begin: Int, end: Int) -> Int:
    """Add a span of tokens behind the ``n`` in ``spans`` int32 (k, 2), k > n; returns how many there are.

    To make room is left to who calls: returning the array took a fifth of a walk's time.
    """
    if begin == end:
        return n
    if n > 0 and spans[n - 1, 1] == begin:
        spans[n - 1, 1] = end
        return n
    spans[n, 0] = begin
    spans[n, 1] = end
    return n + 1


@kernel
def _write_row(
    token_ids: Int32Array, spans: Int32Array, n: Int, n_tokens: Int, full: Int32Array, row: Int32Array
) -> None:
    """Write the tokens of ``n`` spans into ``row`` int32 (words,), by what is fewer: they or the others."""
    words = row.view(np.uint32)
    taken = np.int64(0)
    for i in range(n):
        taken += spans[i, 1] - spans[i, 0]
    if 2 * taken <= n_tokens:
        words[:] = 0
        for i in range(n):
            for t in range(spans[i, 0], spans[i, 1]):
                token = np.uint32(token_ids[t])
                words[np.int64(token >> np.uint32(5))] |= np.uint32(1) << (token & np.uint32(31))
        return
    for w in range(row.shape[0]):  # which compiles to wide moves; an assignment of slices does not
        row[w] = full[w]
    begin = np.int64(0)
    for i in range(n + 1):
        end = n_tokens if i == n else np.int64(spans[i, 0])
        for t in range(begin, end):
            token = np.uint32(token_ids[t])
            words[np.int64(token >> np.uint32(5))] &= ~(np.uint32(1) << (token & np.uint32(31)))
        if i < n:
            begin = np.int64(spans[i, 1])


@kernel
def walk_loops(
    tables: tuple[Int32Array, ByteArray],
    vocabulary: tuple[Int32Array, Int32Array, Int32Array, Bits, Int32Array],
    state: Int,
    base: Int,
    n_states: Int,
    limit: Int,
    row: Int32Array,
    crossing: Int32Array,
) -> Int:
    """`structgen_kernels.store.walk_terminal` within one table automaton.

    ``tables``: (static, classes). ``vocabulary``: (trie, its children, token_ids, what `bytes_below` says,
    the row of all tokens). The automaton's states are some of the ``n_states`` from ``base + 1`` on; it must
    not lead into a counted terminal. Returns how many crossing nodes there are; -1 when more than ``limit``
    nodes are visited. Children are read from their lists: most of them are refused, and they lie far apart
    in the trie.
    """
    static, classes = tables
    trie, children, token_ids, below, full = vocabulary
    columns = np.empty(256, np.int32)
    view = view_of_table(static, classes, state, base, columns)
    first_row, width, shift, flags_at = view[FIRST_ROW], view[WIDTH], view[SHIFT], view[FLAGS_AT]
    number = np.zeros(1, np.int32)
    wants = np.zeros(1, np.uint8)
    alphabets = np.zeros(1, np.uint64)
    runs = np.zeros((1, 1), np.uint8)
    n_alphabets = np.int64(0)
    stack = np.empty((static[LONGEST_TOKEN] + 2, 3), np.int64)
    depth = np.int64(0)
    place, past, here = np.int64(children[0]), np.int64(children[1]), first_row + (state - base) * width
    spans = np.empty((256, 2), np.int32)
    n_spans = np.int64(0)
    n_crossing = np.int64(0)
    visited = np.int64(0)
    while True:
        if place == past:
            if depth == 0:
                break
            depth -= 1
            place, past, here = stack[depth, 0], stack[depth, 1], stack[depth, 2]
            continue
        child = np.int64(children[place])
        place += 1
        after = np.int64(static[here + columns[(child >> CHILD_BITS) & 255]])
        if after == 0:
            continue
        after -= shift
        node = child & _NODE
        if n_spans + 1 >= spans.shape[0]:  # two at most are added for a node
            spans = np.concatenate((spans, spans))
        first, end = np.int64(children[node]), np.int64(children[node + 1])
        if first == end:
            visited += 1
            n_spans = _added(spans, n_spans, np.int64(trie[node, 2]), np.int64(trie[node + 1, 2]))
            continue
        if n_alphabets > 0 and number[after] != 0:
            info = below[node]
            known = np.int64(number[after])
            if (info >> np.uint64(BROKEN_AT + wants[known])) & np.uint64(1) == 0:
                height = np.int64(info >> np.uint64(HEIGHT_AT))
                if run_is_safe(info, alphabets, n_alphabets, runs, known, height):
                    n_spans = _added(
                        spans, n_spans, np.int64(trie[node, 2]), np.int64(trie[trie[node, 1], 2])
                    )
                    visited += 1
                    continue
        n_spans = _added(spans, n_spans, np.int64(trie[node, 2]), np.int64(trie[node + 1, 2]))
        if static[flags_at + after] & ACCEPTS:
            for k in range(first, end):
                if n_crossing < crossing.shape[0]:
                    crossing[n_crossing] = children[k] & _NODE
                n_crossing += 1
        visited += 1 + ((end - first) >> 3)
        if visited > limit:
            return np.int64(-1)
        if n_alphabets == 0 and visited >= _FIRST_NODES and number.shape[0] == 1:
            number = np.zeros(n_states + 1, np.int32)
            wants = np.zeros(MOST_EXPLORED + 1, np.uint8)
            alphabets = np.zeros(MOST_ALPHABETS, np.uint64)
            runs = np.zeros((MOST_ALPHABETS, MOST_EXPLORED + 1), np.uint8)
            n_alphabets = find_runs(static, view, columns, state - base, number, wants, alphabets, runs)
        stack[depth, 0], stack[depth, 1], stack[depth, 2] = place, past, here
        depth += 1
        place, past, here = first, end, first_row + after * width
    _write_row(token_ids, spans, n_spans, np.int64(trie[trie.shape[0] - 1, 2]), full, row)
    return n_crossing


@kernel
def walk_bounded(
    static: Int32Array,
    vocabulary: tuple[Int32Array, Int32Array, Int32Array, Bits, Int32Array],
    state: Int,
    tail: ByteArray,
    row: Int32Array,
    crossing: Int32Array,
) -> Int:
    """The same from a state of a bounded terminal, whose states are a unit and a count.

    ``tail`` uint8 (n,): the bytes after the content.
    """
    trie, children, token_ids, below, full = vocabulary
    block = block_of(static, state)
    columns = np.empty(256, np.int32)
    view = view_of_block(static, block, columns)
    first_row, width = view[FIRST_ROW], view[WIDTH]
    units = static[block + BLOCK_UNITS]
    relative = state - static[block + BLOCK_BASE]
    count = relative // units
    distance = np.int64(static[block + BLOCK_DISTANCE]) - 1
    # what a unit state may need to end, whichever it is
    reserve = np.int64(static[block + BLOCK_GREATEST])
    here = np.int64(relative - count * units + 1)  # unit state; -1 - i: inside the tail, i bytes read
    left = np.int64(static[block + BLOCK_MAXIMUM] - count)  # code points that may be completed
    number = np.zeros(units + 1, np.int32)
    wants = np.zeros(MOST_EXPLORED + 1, np.uint8)
    alphabets = np.zeros(MOST_ALPHABETS, np.uint64)
    runs = np.zeros((MOST_ALPHABETS, MOST_EXPLORED + 1), np.uint8)
    n_alphabets = find_runs(static, view, columns, here, number, wants, alphabets, runs)
    stack = np.empty((static[LONGEST_TOKEN] + 2, 4), np.int64)
    depth = np.int64(0)
    place, past = np.int64(children[0]), np.int64(children[1])
    spans = np.empty((256, 2), np.int32)
    n_spans = np.int64(0)
    n_crossing = np.int64(0)
    while True:
        if place == past:
            if depth == 0:
                break
            depth -= 1
            place, past, here, left = stack[depth, 0], stack[depth, 1], stack[depth, 2], stack[depth, 3]
            continue
        child = np.int64(children[place])
        place += 1
        byte = (child >> CHILD_BITS) & 255
        after = np.int64(0)
        remaining = left
        if here < 0:
            if byte != tail[-1 - here]:
                continue
            after = here - 1
        elif byte == tail[0] and static[distance + here] == 0:
            after = np.int64(-2)
        else:
            after = np.int64(static[first_row + here * width + columns[byte]])
            if after == 0:
                continue
            if after < 0:
                after = -after
                remaining -= 1
            if static[distance + after] > remaining:
                continue
        node = child & _NODE
        if n_spans + 1 >= spans.shape[0]:  # two at most are added for a node
            spans = np.concatenate((spans, spans))
        first, end = np.int64(children[node]), np.int64(children[node + 1])
        last = node + 1
        if first != end and after > 0 and number[after] != 0:
            info = below[node]
            known = np.int64(number[after])
            height = np.int64(info >> np.uint64(HEIGHT_AT))
            if (
                height < MOST_HEIGHT
                and height + reserve <= remaining  # each byte completes one code point at most
                and (info >> np.uint64(BROKEN_AT + wants[known])) & np.uint64(1) == 0
                and run_is_safe(info, alphabets, n_alphabets, runs, known, height)
            ):
                last = np.int64(trie[node, 1])
        n_spans = _added(spans, n_spans, np.int64(trie[node, 2]), np.int64(trie[last, 2]))
        if first == end or last != node + 1:
            continue
        if after == -1 - tail.shape[0]:
            for k in range(first, end):
                if n_crossing < crossing.shape[0]:
                    crossing[n_crossing] = children[k] & _NODE
                n_crossing += 1
            continue
        stack[depth, 0], stack[depth, 1], stack[depth, 2], stack[depth, 3] = place, past, here, left
        depth += 1
        place, past, here, left = first, end, after, remaining
    _write_row(token_ids, spans, n_spans, np.int64(trie[trie.shape[0] - 1, 2]), full, row)
    return n_crossing
