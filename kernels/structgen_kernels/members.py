"""Lays out what the members of an object in a fixed order need: their names, and the parser states between.

For each name there are four states side by side (`NAME`, `COLON`, `VALUE`, `AFTER`), so that a number tells
which name it belongs to, and the next one's state is `STATES` further on.
"""

from __future__ import annotations

from structgen_kernels.jit import ByteArray, Int, Int32Array, kernel
from structgen_kernels.layout import (
    BLOCK_BASE,
    BLOCK_COUNTS,
    BLOCK_KIND,
    BLOCK_SIZE,
    BLOCK_TABLE,
    BLOCK_TAIL_STATE,
    BLOCK_UNITS,
    RTN_BEGIN,
    RTN_COUNT,
    RTN_EDGES,
    RTN_FINAL,
    SPELLED,
    UNEXPANDED,
)
from structgen_kernels.spelled import UNITS

STATES = 4
NAME = 0  # a name may come: this one, or a later one where it may be left out
COLON = 1  # the name was read
VALUE = 2  # the colon was read; mostly its edges are found when a text comes there
AFTER = 3  # the value was read


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
        for word in range(BLOCK_SIZE):
            static[block + word] = 0
        static[block + BLOCK_KIND] = SPELLED
        static[block + BLOCK_BASE] = first
        static[block + BLOCK_COUNTS] = lengths[i] + 1
        static[block + BLOCK_UNITS] = UNITS
        static[block + BLOCK_TABLE] = offset
        static[block + BLOCK_TAIL_STATE] = quoted
        for _ in range(lengths[i]):
            static[offset] = points[taken]
            taken += 1
            offset += 1
        static[offset] = -1
        offset += 1
        block += BLOCK_SIZE
        first += (lengths[i] + 1) * UNITS


@kernel
def write_members(
    static: Int32Array,
    first: Int,
    edge: Int,
    names: Int32Array,
    optional: ByteArray,
    n_values: Int32Array,
    values: Int32Array,
    marks: Int32Array,
    beyond: Int,
    done: Int,
) -> Int:
    """Lay out the states of the members of an object. Returns how many edges that took.

    names int32 (n,): the first state of each name's terminal, 0 where no such member can be; optional uint8
    (n,); n_values int32 (n,): how many of ``values`` int32, first states of terminals, one of which is the
    value, -1 where that is not known yet; marks int32 (3,): those of the colon, the comma and the closing
    bracket. ``first``: the number of
    the first parser state; ``edge``: of the first edge; ``beyond``: the state in which members of other names
    may come, after the last of these, 0 for none; ``done``: the state behind the object.
    """
    n = names.shape[0]
    begin, count, final = static[RTN_BEGIN], static[RTN_COUNT], static[RTN_FINAL]
    edges = static[RTN_EDGES]
    last_required = -1
    last_member = n if beyond > 0 else -1  # the last place at which a member may come
    for i in range(n):
        if optional[i] == 0:
            last_required = i
        if names[i] > 0 and beyond == 0:
            last_member = i
    free = edge
    taken = 0
    for i in range(n):
        state = first + STATES * i
        following = state + STATES if i + 1 < n else beyond
        for role in range(STATES):
            static[final + state + role] = 0
        static[begin + state + NAME] = free
        if names[i] > 0:
            static[edges + 2 * free] = names[i]
            static[edges + 2 * free + 1] = state + COLON
            free += 1
        if optional[i] != 0 and following > 0:
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
        static[count + state + VALUE] = n_values[i] if n_values[i] >= 0 else UNEXPANDED
        for _ in range(n_values[i]):
            static[edges + 2 * free] = values[taken]
            static[edges + 2 * free + 1] = state + AFTER
            taken += 1
            free += 1
        static[begin + state + AFTER] = free
        if last_member > i:
            static[edges + 2 * free] = marks[1]
            static[edges + 2 * free + 1] = following
            free += 1
        if i >= last_required:
            static[edges + 2 * free] = marks[2]
            static[edges + 2 * free + 1] = done
            free += 1
        static[count + state + AFTER] = free - static[begin + state + AFTER]
    return free - edge
