"""Steps of terminal automata: tables, and counted terminals whose copies are implicit."""

from __future__ import annotations

import numpy as np
from numba import njit

from structgen_kernels.layout import (
    ACCEPTS,
    ALIVE,
    BLOCK_ALIVE,
    BLOCK_BASE,
    BLOCK_COUNTS,
    BLOCK_FLAGS,
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
    N_BLOCKS,
    N_STATES,
    ROW,
    UNIT_DONE,
)


@njit(cache=True, nogil=True)
def block_of(static, state):
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


@njit(cache=True, nogil=True)
def _counted_step(static, state, byte):
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


@njit(cache=True, nogil=True)
def terminal_step(static, classes, state, byte):
    """The state of a terminal after one byte; 0 is dead. O(1)."""
    if state < static[N_STATES]:
        column = classes[np.int64(static[static[CLASS_MAP] + state]) + byte]
        return np.int64(static[np.int64(static[static[ROW] + state]) + column])
    return _counted_step(static, state, byte)


@njit(cache=True, nogil=True)
def terminal_flags(static, state):
    """ACCEPTS, LEADS_ON, WIDE of a terminal state."""
    if state < static[N_STATES]:
        return static[static[FLAGS] + state]
    block = block_of(static, state)
    unit = (state - static[block + BLOCK_BASE]) % static[block + BLOCK_UNITS]
    return LEADS_ON | static[static[block + BLOCK_FLAGS] + unit]


@njit(cache=True, nogil=True)
def add_alive(static, state, out, at):
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


@njit(cache=True, nogil=True)
def accepts(static, state):
    return (terminal_flags(static, state) & ACCEPTS) != 0
