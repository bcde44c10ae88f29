"""Steps of terminal automata: tables, and counted terminals whose copies are implicit."""

from __future__ import annotations

import numpy as np

from structgen_kernels.jit import ByteArray, Int, Int32Array, kernel
from structgen_kernels.layout import (
    ALIVE,
    BLOCK_ALIVE,
    BLOCK_BASE,
    BLOCK_COUNTS,
    BLOCK_MAXIMUM,
    BLOCK_MINIMUM,
    BLOCK_SIZE,
    BLOCK_TABLE,
    BLOCK_TAIL_BYTE,
    BLOCK_TAIL_STATE,
    BLOCK_UNITS,
    BLOCKS,
    CLASS_MAP,
    FLAGS,
    LEADS_ON,
    LONGEST_TOKEN,
    N_BLOCKS,
    N_STATES,
    ROW,
    UNIT_DONE,
)


@kernel
def block_of(static: Int32Array, state: Int) -> Int:
    """Offset in ``static`` of the counted terminal that a state number past the tables belongs to."""
    low = 0
    high = static[N_BLOCKS] - 1
    while low < high:
        middle = (low + high + 1) // 2
        if static[static[BLOCKS] + middle * BLOCK_SIZE + BLOCK_BASE] <= state:
            low = middle
        else:
            high = middle - 1
    return np.int64(static[BLOCKS] + low * BLOCK_SIZE)


@kernel
def _counted_step(static: Int32Array, state: Int, byte: Int) -> Int:
    block = block_of(static, state)
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


@kernel
def terminal_step(static: Int32Array, classes: ByteArray, state: Int, byte: Int) -> Int:
    """The state of a terminal after one byte; 0 is dead. O(1)."""
    if state < static[N_STATES]:
        column = classes[np.int64(static[static[CLASS_MAP] + state]) + byte]
        return np.int64(static[np.int64(static[static[ROW] + state]) + column])
    return _counted_step(static, state, byte)


@kernel
def terminal_flags(static: Int32Array, state: Int) -> Int:
    """ACCEPTS and LEADS_ON of a terminal state."""
    if state < static[N_STATES]:
        return static[static[FLAGS] + state]
    return np.int32(LEADS_ON)  # a counted terminal ends in its tail, which is a table


@kernel
def add_alive(static: Int32Array, state: Int, out: Int32Array, at: Int) -> None:
    """OR the bitset of the bytes that lead on from ``state`` into ``out[at : at + 8]``."""
    if state < static[N_STATES]:
        source = static[ALIVE] + state * 8
        for i in range(8):
            out[at + i] |= static[source + i]
        return
    block = block_of(static, state)
    units = static[block + BLOCK_UNITS]
    relative = state - static[block + BLOCK_BASE]
    count = relative // units
    unit = relative - count * units
    maximum = static[block + BLOCK_MAXIMUM]
    if unit != 0 or maximum < 0 or count < maximum:
        source = static[block + BLOCK_ALIVE] + unit * 8
        for i in range(8):
            out[at + i] |= static[source + i]
    if unit == 0 and count >= static[block + BLOCK_MINIMUM]:
        byte = static[block + BLOCK_TAIL_BYTE]
        out[at + (byte >> 5)] |= np.int32(np.uint32(1) << np.uint32(byte & 31))


@kernel
def representative(static: Int32Array, state: Int) -> Int:
    """The state whose tokens are those of ``state``: counts that no token is long enough to reach are alike.

    Table states stand for themselves; so does a counted state near one of its bounds.
    """
    if state < static[N_STATES]:
        return np.int64(state)
    block = block_of(static, state)
    units = static[block + BLOCK_UNITS]
    relative = state - static[block + BLOCK_BASE]
    count = relative // units
    minimum = static[block + BLOCK_MINIMUM]
    maximum = static[block + BLOCK_MAXIMUM]
    longest = static[LONGEST_TOKEN]
    if maximum >= 0 and maximum - count <= longest + 1:
        return np.int64(state)
    if count >= minimum:
        return np.int64(state - (count - minimum) * units)
    if minimum - count > longest + 1:
        return np.int64(state - count * units)
    return np.int64(state)
