"""Steps of spelled terminals: a JSON string of one text, in every spelling (RFC 8259, section 7).

They have no tables: a state is which code point comes next, and how far it is written. So thousands of names
of members cost their code points.
"""

from __future__ import annotations

import numpy as np

from structgen_kernels.code_points import (
    BACKSLASH,
    QUOTE,
    SUPPLEMENTARY,
    U,
    hex_digit,
    short_escape,
    utf8_byte,
    utf8_size,
)
from structgen_kernels.jit import Int, Int32Array, lean_kernel
from structgen_kernels.layout import BLOCK_BASE, BLOCK_TABLE, BLOCK_TAIL_STATE

UNITS = 16
_BOUNDARY = 0  # nothing of the code point is written; 1 to 3: so many of its bytes in UTF-8
_ESCAPE = 4  # a backslash is
_HEX = 5  # and a u; up to _HEX + 3: so many digits
_LOW = 9  # the first surrogate is
_LOW_ESCAPE = 10  # and a backslash
_LOW_HEX = 11  # and a u; up to _LOW_HEX + 3: so many digits
OPENING = 15  # the opening quote comes before the first code point


@lean_kernel
def spelled_step(static: Int32Array, block: Int, state: Int, byte: Int) -> Int:
    """The state after one byte; 0 is dead."""
    relative = state - static[block + BLOCK_BASE]
    place, unit = relative // UNITS, relative % UNITS
    point = np.int64(static[static[block + BLOCK_TABLE] + place])
    following = np.int64(state - unit + UNITS)
    result = np.int64(0)
    if unit == OPENING:
        if byte == QUOTE:
            result = np.int64(state - unit)
    elif point < 0:
        if byte == QUOTE:
            result = np.int64(static[block + BLOCK_TAIL_STATE])
    elif unit == _BOUNDARY and byte == BACKSLASH:
        result = np.int64(state + _ESCAPE)
    elif unit < _ESCAPE:
        size = utf8_size(point)
        if byte == utf8_byte(point, size, unit):
            result = following if unit + 1 == size else np.int64(state + 1)
    elif unit == _ESCAPE:
        if byte == U:
            result = np.int64(state + 1)
        elif byte == short_escape(point):
            result = following
    elif unit == _LOW:
        if byte == BACKSLASH:
            result = np.int64(state + 1)
    elif unit == _LOW_ESCAPE:
        if byte == U:
            result = np.int64(state + 1)
    elif _hex_value(byte) == _digit(point, unit):
        last = _HEX + 3 if point < SUPPLEMENTARY else _LOW_HEX + 3
        result = following if unit == last else np.int64(state + 1)
    return result


@lean_kernel
def add_spelled_alive(static: Int32Array, block: Int, state: Int, out: Int32Array, at: Int) -> None:
    """OR the bitset of the bytes that lead on from ``state`` into ``out[at : at + 8]``."""
    relative = state - static[block + BLOCK_BASE]
    place, unit = relative // UNITS, relative % UNITS
    point = np.int64(static[static[block + BLOCK_TABLE] + place])
    if unit == OPENING or point < 0:
        _set(out, at, QUOTE)
        return
    if unit in (_BOUNDARY, _LOW):
        _set(out, at, BACKSLASH)
    if unit < _ESCAPE:
        byte = utf8_byte(point, utf8_size(point), unit)
        if byte >= 0:
            _set(out, at, byte)
    elif unit in (_ESCAPE, _LOW_ESCAPE):
        _set(out, at, U)
        if unit == _ESCAPE and short_escape(point) > 0:
            _set(out, at, short_escape(point))
    elif unit != _LOW:
        digit = _digit(point, unit)
        if digit < 10:
            _set(out, at, 0x30 + digit)
        else:
            _set(out, at, 0x41 - 10 + digit)
            _set(out, at, 0x61 - 10 + digit)


@lean_kernel
def _set(out: Int32Array, at: Int, byte: Int) -> None:
    out[at + (byte >> 5)] |= np.int32(np.uint32(1) << np.uint32(byte & 31))


@lean_kernel
def _digit(point: Int, unit: Int) -> Int:
    """The value of the hexadecimal digit that comes next."""
    if unit >= _LOW_HEX:
        return hex_digit(point, 1, unit - _LOW_HEX)
    return hex_digit(point, 0, unit - _HEX)


@lean_kernel
def _hex_value(byte: Int) -> Int:
    """-1 for what is no hexadecimal digit."""
    value = -1
    if 0x30 <= byte <= 0x39:
        value = byte - 0x30
    elif 0x41 <= byte <= 0x46:
        value = byte - 0x41 + 10
    elif 0x61 <= byte <= 0x66:
        value = byte - 0x61 + 10
    return np.int64(value)
