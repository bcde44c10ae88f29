"""Steps of spelled terminals: a JSON string of one text, in every spelling (RFC 8259, section 7).

They have no tables: a state is which code point comes next, and how far it is written. So thousands of names
of members cost their code points.
"""

from __future__ import annotations

import numpy as np

from structgen_kernels.jit import Int, Int32Array, kernel
from structgen_kernels.layout import BLOCK_BASE, BLOCK_TABLE, BLOCK_TAIL_STATE

UNITS = 16
_BOUNDARY = 0  # nothing of the code point is written; 1 to 3: so many of its bytes in UTF-8
_ESCAPE = 4  # a backslash is
_HEX = 5  # and a u; up to _HEX + 3: so many digits
_LOW = 9  # the first surrogate is
_LOW_ESCAPE = 10  # and a backslash
_LOW_HEX = 11  # and a u; up to _LOW_HEX + 3: so many digits
OPENING = 15  # the opening quote comes before the first code point
_QUOTE, _BACKSLASH, _U = 0x22, 0x5C, 0x75
_SUPPLEMENTARY = 0x10000


@kernel
def spelled_step(static: Int32Array, block: Int, state: Int, byte: Int) -> Int:
    """The state after one byte; 0 is dead."""
    relative = state - static[block + BLOCK_BASE]
    place, unit = relative // UNITS, relative % UNITS
    point = np.int64(static[static[block + BLOCK_TABLE] + place])
    following = np.int64(state - unit + UNITS)
    result = np.int64(0)
    if unit == OPENING:
        if byte == _QUOTE:
            result = np.int64(state - unit)
    elif point < 0:
        if byte == _QUOTE:
            result = np.int64(static[block + BLOCK_TAIL_STATE])
    elif unit == _BOUNDARY and byte == _BACKSLASH:
        result = np.int64(state + _ESCAPE)
    elif unit < _ESCAPE:
        size = _utf8_size(point)
        if byte == _utf8_byte(point, size, unit):
            result = following if unit + 1 == size else np.int64(state + 1)
    elif unit == _ESCAPE:
        if byte == _U:
            result = np.int64(state + 1)
        elif byte == _short_escape(point):
            result = following
    elif unit == _LOW:
        if byte == _BACKSLASH:
            result = np.int64(state + 1)
    elif unit == _LOW_ESCAPE:
        if byte == _U:
            result = np.int64(state + 1)
    elif _hex_value(byte) == _digit(point, unit):
        last = _HEX + 3 if point < _SUPPLEMENTARY else _LOW_HEX + 3
        result = following if unit == last else np.int64(state + 1)
    return result


@kernel
def add_spelled_alive(static: Int32Array, block: Int, state: Int, out: Int32Array, at: Int) -> None:
    """OR the bitset of the bytes that lead on from ``state`` into ``out[at : at + 8]``."""
    relative = state - static[block + BLOCK_BASE]
    place, unit = relative // UNITS, relative % UNITS
    point = np.int64(static[static[block + BLOCK_TABLE] + place])
    if unit == OPENING or point < 0:
        _set(out, at, _QUOTE)
        return
    if unit in (_BOUNDARY, _LOW):
        _set(out, at, _BACKSLASH)
    if unit < _ESCAPE:
        byte = _utf8_byte(point, _utf8_size(point), unit)
        if byte >= 0:
            _set(out, at, byte)
    elif unit in (_ESCAPE, _LOW_ESCAPE):
        _set(out, at, _U)
        if unit == _ESCAPE and _short_escape(point) > 0:
            _set(out, at, _short_escape(point))
    elif unit != _LOW:
        digit = _digit(point, unit)
        if digit < 10:
            _set(out, at, 0x30 + digit)
        else:
            _set(out, at, 0x41 - 10 + digit)
            _set(out, at, 0x61 - 10 + digit)


@kernel
def _set(out: Int32Array, at: Int, byte: Int) -> None:
    out[at + (byte >> 5)] |= np.int32(np.uint32(1) << np.uint32(byte & 31))


@kernel
def _utf8_size(point: Int) -> Int:
    if point < 0x80:
        return 1
    if point < 0x800:
        return 2
    return 3 if point < _SUPPLEMENTARY else 4


@kernel
def _utf8_byte(point: Int, size: Int, place: Int) -> Int:
    """A byte of a code point as it stands in a string; -1 where it may not stand there itself."""
    if point < 0x20 or point in (_QUOTE, _BACKSLASH) or place >= size:
        return np.int64(-1)
    if size == 1:
        return np.int64(point)
    bits = point >> (6 * (size - 1 - place))
    if place > 0:
        return np.int64(0x80 | (bits & 0x3F))
    return np.int64(((0xF00 >> size) & 0xFF) | bits)


@kernel
def _short_escape(point: Int) -> Int:
    """The letter behind the backslash; -1: none."""
    letter = -1
    if point in (_QUOTE, _BACKSLASH, 0x2F):
        letter = point
    elif point == 0x08:
        letter = 0x62
    elif point == 0x0C:
        letter = 0x66
    elif point == 0x0A:
        letter = 0x6E
    elif point == 0x0D:
        letter = 0x72
    elif point == 0x09:
        letter = 0x74
    return np.int64(letter)


@kernel
def _digit(point: Int, unit: Int) -> Int:
    """The value of the hexadecimal digit that comes next."""
    if unit >= _LOW_HEX:
        value, place = 0xDC00 + ((point - _SUPPLEMENTARY) & 0x3FF), unit - _LOW_HEX
    else:
        value, place = point, unit - _HEX
        if point >= _SUPPLEMENTARY:
            value = 0xD800 + ((point - _SUPPLEMENTARY) >> 10)
    return np.int64((value >> (12 - 4 * place)) & 15)


@kernel
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
