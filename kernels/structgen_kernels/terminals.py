"""Steps of terminal automata: tables, and terminals whose states are implicit."""

from __future__ import annotations

import numpy as np

from structgen_kernels.jit import ByteArray, Int, Int32Array, lean_kernel
from structgen_kernels.layout import (
    ALIVE,
    BLOCK_ALIVE,
    BLOCK_BASE,
    BLOCK_CLASSES,
    BLOCK_COLUMNS,
    BLOCK_COUNTS,
    BLOCK_DISTANCE,
    BLOCK_GREATEST,
    BLOCK_KIND,
    BLOCK_MAXIMUM,
    BLOCK_MINIMUM,
    BLOCK_SIZE,
    BLOCK_TABLE,
    BLOCK_TAIL_BYTE,
    BLOCK_TAIL_STATE,
    BLOCK_UNITS,
    BLOCKS,
    BOUNDED,
    CLASS_MAP,
    FLAGS,
    LEADS_ON,
    LONGEST_TOKEN,
    N_BLOCKS,
    N_STATES,
    ROW,
    SPELLED,
    SPELLED_SET,
    UNIT_DONE,
)
from structgen_kernels.spelled import (
    add_spelled_alive,
    add_spelled_set_alive,
    spelled_set_step,
    spelled_step,
)


@lean_kernel
def block_of(static: Int32Array, state: Int) -> Int:
    """Offset in ``static`` of the block that a state number past the tables belongs to."""
    low = 0
    high = static[N_BLOCKS] - 1
    while low < high:
        middle = (low + high + 1) // 2
        if static[static[BLOCKS] + middle * BLOCK_SIZE + BLOCK_BASE] <= state:
            low = middle
        else:
            high = middle - 1
    return np.int64(static[BLOCKS] + low * BLOCK_SIZE)


@lean_kernel
def block_near(static: Int32Array, state: Int, before: Int) -> Int:
    """`block_of`, looked for behind the block ``before`` first (0: there is none): a configuration's threads
    are sorted by state, and those of an object's names stand in one block after the other.
    """
    last = np.int64(static[BLOCKS]) + (np.int64(static[N_BLOCKS]) - 1) * BLOCK_SIZE
    block = before + BLOCK_SIZE
    if (
        0 < before < last
        and static[block + BLOCK_BASE] <= state
        and (block == last or static[block + BLOCK_SIZE + BLOCK_BASE] > state)
    ):
        return np.int64(block)
    return block_of(static, state)


@lean_kernel
def _bounded_step(static: Int32Array, block: Int, state: Int, byte: Int) -> Int:
    units = static[block + BLOCK_UNITS]
    relative = state - static[block + BLOCK_BASE]
    count = relative // units
    unit = relative - count * units
    distance = np.int64(static[block + BLOCK_DISTANCE])
    if byte == static[block + BLOCK_TAIL_BYTE] and static[distance + unit] == 0:
        return np.int64(static[block + BLOCK_TAIL_STATE])
    column = static[static[block + BLOCK_CLASSES] + byte]
    after = static[static[block + BLOCK_TABLE] + unit * static[block + BLOCK_COLUMNS] + column]
    if after == 0:
        return np.int64(0)
    if after < 0:
        after = -after
        count += 1
    if static[distance + after - 1] > static[block + BLOCK_MAXIMUM] - count:
        return np.int64(0)
    return np.int64(static[block + BLOCK_BASE] + count * units + after - 1)


@lean_kernel
def step_in_block(static: Int32Array, block: Int, state: Int, byte: Int) -> Int:
    """`terminal_step` of a state number past the tables, in its block."""
    if static[block + BLOCK_KIND] == BOUNDED:
        return _bounded_step(static, block, state, byte)
    if static[block + BLOCK_KIND] == SPELLED:
        return spelled_step(static, block, state, byte)
    if static[block + BLOCK_KIND] == SPELLED_SET:
        return spelled_set_step(static, block, state, byte)
    units = static[block + BLOCK_UNITS]
    relative = state - static[block + BLOCK_BASE]
    count = relative // units
    unit = relative - count * units
    maximum = static[block + BLOCK_MAXIMUM]
    if unit == 0:
        if byte == static[block + BLOCK_TAIL_BYTE]:
            if count >= static[block + BLOCK_MINIMUM]:
                return np.int64(static[block + BLOCK_TAIL_STATE])
            return np.int64(0)
        if maximum >= 0 and count >= maximum:
            return np.int64(0)
    after = static[static[block + BLOCK_TABLE] + unit * 256 + byte]
    if after == 0:
        return np.int64(0)
    if after == UNIT_DONE:
        if count < static[block + BLOCK_COUNTS] - 1:
            count += 1
        return np.int64(static[block + BLOCK_BASE] + count * units)
    return np.int64(static[block + BLOCK_BASE] + count * units + after - 1)


@lean_kernel
def terminal_step(static: Int32Array, classes: ByteArray, state: Int, byte: Int) -> Int:
    """The state of a terminal after one byte; 0 is dead. O(1)."""
    if state < static[N_STATES]:
        column = classes[np.int64(static[static[CLASS_MAP] + state]) + byte]
        return np.int64(static[np.int64(static[static[ROW] + state]) + column])
    return step_in_block(static, block_of(static, state), state, byte)


@lean_kernel
def terminal_flags(static: Int32Array, state: Int) -> Int:
    """ACCEPTS and LEADS_ON of a terminal state."""
    if state < static[N_STATES]:
        return static[static[FLAGS] + state]
    return np.int32(LEADS_ON)  # a counted or bounded terminal ends in its tail, which is a table


@lean_kernel
def add_alive_in_block(static: Int32Array, block: Int, state: Int, out: Int32Array, at: Int) -> None:
    """`add_alive` of a state number past the tables, in its block."""
    if static[block + BLOCK_KIND] == SPELLED:
        add_spelled_alive(static, block, state, out, at)
        return
    if static[block + BLOCK_KIND] == SPELLED_SET:
        add_spelled_set_alive(static, block, state, out, at)
        return
    units = static[block + BLOCK_UNITS]
    relative = state - static[block + BLOCK_BASE]
    count = relative // units
    unit = relative - count * units
    maximum = static[block + BLOCK_MAXIMUM]
    if static[block + BLOCK_KIND] == BOUNDED and maximum - count <= static[block + BLOCK_GREATEST]:
        for byte in range(256):
            if _bounded_step(static, block, state, byte) != 0:
                out[at + (byte >> 5)] |= np.int32(np.uint32(1) << np.uint32(byte & 31))
        return
    if static[block + BLOCK_KIND] == BOUNDED or unit != 0 or maximum < 0 or count < maximum:
        source = static[block + BLOCK_ALIVE] + unit * 8
        for i in range(8):
            out[at + i] |= static[source + i]
    if static[block + BLOCK_KIND] != BOUNDED and unit == 0 and count >= static[block + BLOCK_MINIMUM]:
        byte = static[block + BLOCK_TAIL_BYTE]
        out[at + (byte >> 5)] |= np.int32(np.uint32(1) << np.uint32(byte & 31))


@lean_kernel
def add_alive(static: Int32Array, state: Int, out: Int32Array, at: Int) -> None:
    """OR the bitset of the bytes that lead on from ``state`` into ``out[at : at + 8]``."""
    if state >= static[N_STATES]:
        add_alive_in_block(static, block_of(static, state), state, out, at)
        return
    source = static[ALIVE] + state * 8
    for i in range(8):
        out[at + i] |= static[source + i]


@lean_kernel
def place_of(static: Int32Array, state: Int) -> Int:
    """The state itself; of a bounded terminal's, the one with the same unit and count 0."""
    if state < static[N_STATES]:
        return np.int64(state)
    block = block_of(static, state)
    if static[block + BLOCK_KIND] != BOUNDED:
        return np.int64(state)
    first = np.int64(static[block + BLOCK_BASE])
    return first + (state - first) % static[block + BLOCK_UNITS]


@lean_kernel
def counts_up(static: Int32Array, state: Int, after: Int) -> bool:
    """True when a step between two states of one bounded terminal has completed a code point."""
    if state < static[N_STATES] or after < static[N_STATES]:
        return False
    block = block_of(static, state)
    units = static[block + BLOCK_UNITS]
    first = static[block + BLOCK_BASE]
    if static[block + BLOCK_KIND] != BOUNDED:
        return False
    return bool((after - first) // units > (state - first) // units)


@lean_kernel
def representative(static: Int32Array, state: Int) -> Int:
    """The state whose tokens are those of ``state``: counts that no token is long enough to reach are alike.

    Table and spelled states stand for themselves; so does a counted or bounded one near one of its bounds.
    """
    if state < static[N_STATES]:
        return np.int64(state)
    block = block_of(static, state)
    if static[block + BLOCK_KIND] >= SPELLED:
        return np.int64(state)
    units = static[block + BLOCK_UNITS]
    relative = state - static[block + BLOCK_BASE]
    count = relative // units
    minimum = static[block + BLOCK_MINIMUM]
    maximum = static[block + BLOCK_MAXIMUM]
    longest = static[LONGEST_TOKEN]
    if static[block + BLOCK_KIND] == BOUNDED:
        near = maximum - count <= longest + static[block + BLOCK_GREATEST] + 1
        return np.int64(state if near else state - count * units)
    if maximum >= 0 and maximum - count <= longest + 1:
        return np.int64(state)
    if count >= minimum:
        return np.int64(state - (count - minimum) * units)
    if minimum - count > longest + 1:
        return np.int64(state - count * units)
    return np.int64(state)
