"""Lays out what the members of an object in a fixed order need: their names, and the parser states between.

For each name there are four states side by side (`NAME`, `COLON`, `VALUE`, `AFTER`), so that a number tells
which name it belongs to, and the next one's state is `STATES` further on. Behind them there may be those of
members with other names (`OTHER` to `OTHER_AFTER`), whose text is remembered.
"""

from __future__ import annotations

import numpy as np

from structgen_kernels.jit import Int, Int32Array, kernel
from structgen_kernels.layout import (
    BEGIN_KEY,
    BLOCK_BASE,
    BLOCK_COUNTS,
    BLOCK_KIND,
    BLOCK_SIZE,
    BLOCK_TABLE,
    BLOCK_TAIL_STATE,
    BLOCK_UNITS,
    END_KEY,
    RTN_BEGIN,
    RTN_COUNT,
    RTN_EDGES,
    RTN_FINAL,
    SPELLED,
    SPELLED_SET,
    UNEXPANDED,
)
from structgen_kernels.spelled import EDGE_AFTER, EDGE_PAST, EDGE_POINT, EDGE_SIZE, UNITS

STATES = 4
NAME = 0  # a name may come: this one, or a later one where it may be left out
COLON = 1  # the name was read
VALUE = 2  # the colon was read; mostly its edges are found when a text comes there
AFTER = 3  # the value was read

OTHER_STATES = 6
OTHER = 0  # another name may come: it begins to be remembered
OTHER_NAME = 1
OTHER_READ = 2  # it was read: no more is remembered of it than that it was seen
OTHER_COLON = 3
OTHER_VALUE = 4
OTHER_AFTER = 5


@kernel
def write_spelled_block(
    static: Int32Array, block: Int, kind: Int, counts: Int, first: Int, table: Int, quoted: Int
) -> None:
    """Write the block of a spelled terminal (`layout`): its kind, how many counts it tells apart, the number
    of its first state, where its content is, and the state behind its closing quote.
    """
    for word in range(BLOCK_SIZE):
        static[block + word] = 0
    static[block + BLOCK_KIND] = kind
    static[block + BLOCK_BASE] = first
    static[block + BLOCK_COUNTS] = counts
    static[block + BLOCK_UNITS] = UNITS
    static[block + BLOCK_TABLE] = table
    static[block + BLOCK_TAIL_STATE] = quoted


@kernel
def write_spelled(
    static: Int32Array,
    block: Int,
    offset: Int,
    points: Int32Array,
    lengths: Int32Array,
    first: Int,
    quoted: Int,
) -> None:
    """Lay out spelled terminals, one a text.

    points int32 (sum of lengths,): the code points of all texts; lengths int32 (n,). ``block``: where in
    ``static`` their n blocks go, ``offset``: where the code points go, each text's with a -1 behind;
    ``first``: the number of the first state; ``quoted``: the state behind a closing quote.
    """
    taken = 0
    for i in range(lengths.shape[0]):
        write_spelled_block(static, block, SPELLED, lengths[i] + 1, first, offset, quoted)
        for _ in range(lengths[i]):
            static[offset] = points[taken]
            taken += 1
            offset += 1
        static[offset] = -1
        offset += 1
        block += BLOCK_SIZE
        first += (lengths[i] + 1) * UNITS


@kernel
def write_spelled_set(
    static: Int32Array,
    block: Int,
    offset: Int,
    points: Int32Array,
    begin: Int32Array,
    first: Int,
    quoted: Int,
) -> Int:
    """Lay out a spelled terminal of several texts. Returns how many edges their trie has.

    points int32: the code points of all texts, sorted and distinct; begin int32 (n + 1,): where each begins.
    There is room for an edge of each code point and one of each text from ``offset`` on; the rest as of
    `write_spelled`. O(code points).
    """
    # nodes whose edges are yet to be written: the first text behind, the first one that is not, how deep it
    # is, and the edge that leads there
    nodes = np.zeros((points.shape[0] + 2, 4), np.int32)
    nodes[0, 1] = begin.shape[0] - 1
    nodes[0, 3] = -1
    n_nodes = 1
    n_edges = 0
    i = 0
    while i < n_nodes:
        text, past, depth, parent = nodes[i, 0], nodes[i, 1], nodes[i, 2], nodes[i, 3]
        i += 1
        if parent >= 0:
            static[offset + EDGE_SIZE * parent + EDGE_AFTER] = n_edges
        first_edge = n_edges
        while text < past:
            edge = offset + EDGE_SIZE * n_edges
            if begin[text] + depth == begin[text + 1]:
                static[edge + EDGE_POINT] = -1
                static[edge + EDGE_AFTER] = 0
                text += 1
            else:
                point = points[begin[text] + depth]
                static[edge + EDGE_POINT] = point
                nodes[n_nodes, 0] = text
                while text < past and points[begin[text] + depth] == point:
                    text += 1
                nodes[n_nodes, 1] = text
                nodes[n_nodes, 2] = depth + 1
                nodes[n_nodes, 3] = n_edges
                n_nodes += 1
            n_edges += 1
        for edge in range(first_edge, n_edges):
            static[offset + EDGE_SIZE * edge + EDGE_PAST] = n_edges
    write_spelled_block(static, block, SPELLED_SET, n_edges, first, offset, quoted)
    return np.int64(n_edges)


@kernel
def write_members(
    static: Int32Array, first: Int, edge: Int, described: Int32Array, beyond: Int, done: Int
) -> Int:
    """Lay out the states of the members of an object. Returns how many edges that took.

    described int32: the number n of names; the first states of the terminals of the colon, the comma and the
    closing bracket; how many words say what members with other names are laid out behind these, 0 for none,
    and these words: what an edge says of the barred names, the number of values, that of terminals for a
    name, their first states, the values. Then of each of the n names, three words: the first state of its
    terminal, 0 where no such member can be; whether it may be left out; the number of its values. Then these:
    first states of terminals, or negative parser states that are called, one of which is the value. Numbers
    of values are -1 where that is not known yet. ``first``: the number of the first parser state; ``edge``:
    of the first edge; ``beyond``: where other members are not laid out, the state in which such may come, 0
    for none; ``done``: the state behind the object, 0 where it cannot end in these.
    """
    n = described[0]
    marks = described[1:4]
    others = described[5 : 5 + described[4]]
    names = described[5 + described[4] : 5 + described[4] + 3 * n]
    values = described[5 + described[4] + 3 * n :]
    if others.shape[0] > 0:
        beyond = first + STATES * n
    begin, count, final = static[RTN_BEGIN], static[RTN_COUNT], static[RTN_FINAL]
    edges = static[RTN_EDGES]
    last_required = -1
    last_member = n if beyond > 0 else -1  # the last place at which a member may come
    for i in range(n):
        if names[3 * i + 1] == 0:
            last_required = i
        if names[3 * i] > 0 and beyond == 0:
            last_member = i
    free = edge
    taken = 0
    for i in range(n):
        state = first + STATES * i
        following = state + STATES if i + 1 < n else beyond
        for role in range(STATES):
            static[final + state + role] = 0
        static[begin + state + NAME] = free
        name, optional, n_values = names[3 * i], names[3 * i + 1], names[3 * i + 2]
        if name > 0:
            static[edges + 2 * free] = name
            static[edges + 2 * free + 1] = state + COLON
            free += 1
        if optional != 0 and following > 0:
            static[edges + 2 * free] = -following
            static[edges + 2 * free + 1] = 0
            free += 1
        static[count + state + NAME] = free - static[begin + state + NAME]
        static[begin + state + COLON] = free
        static[edges + 2 * free] = marks[0]
        static[edges + 2 * free + 1] = state + VALUE
        free += 1
        static[count + state + COLON] = 1
        static[begin + state + VALUE] = free
        static[count + state + VALUE] = n_values if n_values >= 0 else UNEXPANDED
        for _ in range(n_values):
            static[edges + 2 * free] = values[taken]
            static[edges + 2 * free + 1] = state + AFTER
            taken += 1
            free += 1
        static[begin + state + AFTER] = free
        if last_member > i:
            static[edges + 2 * free] = marks[1]
            static[edges + 2 * free + 1] = following
            free += 1
        if i >= last_required and done > 0:
            static[edges + 2 * free] = marks[2]
            static[edges + 2 * free + 1] = done
            free += 1
        static[count + state + AFTER] = free - static[begin + state + AFTER]
    if others.shape[0] > 0:
        free = _write_others(static, first + STATES * n, free, others, marks, done)
    return free - edge


@kernel
def _write_others(
    static: Int32Array, state: Int, free: Int, others: Int32Array, marks: Int32Array, done: Int
) -> Int:
    """Lay out the states of a member with another name, from ``state`` on. Returns the next free edge."""
    begin, count, final = static[RTN_BEGIN], static[RTN_COUNT], static[RTN_FINAL]
    edges = static[RTN_EDGES]
    for role in range(OTHER_STATES):
        static[final + state + role] = 0
    static[final + state + OTHER] = BEGIN_KEY
    static[final + state + OTHER_READ] = END_KEY
    barred, n_values, n_names = others[0], others[1], others[2]
    for role in range(OTHER_STATES):
        static[begin + state + role] = free
        if role in (OTHER, OTHER_READ):
            static[edges + 2 * free] = barred
            static[edges + 2 * free + 1] = state + role + 1
            free += 1
        elif role == OTHER_NAME:
            for i in range(n_names):
                static[edges + 2 * free] = others[3 + i]
                static[edges + 2 * free + 1] = state + OTHER_READ
                free += 1
        elif role == OTHER_COLON:
            static[edges + 2 * free] = marks[0]
            static[edges + 2 * free + 1] = state + OTHER_VALUE
            free += 1
        elif role == OTHER_VALUE:
            for i in range(n_values):
                static[edges + 2 * free] = others[3 + n_names + i]
                static[edges + 2 * free + 1] = state + OTHER_AFTER
                free += 1
        else:
            static[edges + 2 * free] = marks[1]
            static[edges + 2 * free + 1] = state
            static[edges + 2 * free + 2] = marks[2]
            static[edges + 2 * free + 3] = done
            free += 2
        static[count + state + role] = free - static[begin + state + role]
    if n_values < 0:
        static[count + state + OTHER_VALUE] = UNEXPANDED
    return free
