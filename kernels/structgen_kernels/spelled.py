"""Steps of spelled terminals: a JSON string of one text or of a few, in every spelling (RFC 8259, section 7).

They have no tables: a state is which code point comes next, and how far it is written. So thousands of names
of members cost their code points. Of several texts the code points are a trie, whose edges lie node by node;
a state is the first edge of its node that begins as what is written.
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
_WRITTEN = 16  # all of the code point is
# Words of an edge: its code point, -1 where a text ends, which comes first; the first edge of the node it
# leads to; the first edge that is not of its own node
EDGE_POINT = 0
EDGE_AFTER = 1
EDGE_PAST = 2
EDGE_SIZE = 3


@lean_kernel
def spelled_step(static: Int32Array, block: Int, state: Int, byte: Int) -> Int:
    """The state of a single text after one byte; 0 is dead."""
    relative = state - static[block + BLOCK_BASE]
    place, unit = relative // UNITS, relative % UNITS
    point = np.int64(static[static[block + BLOCK_TABLE] + place])
    if unit == OPENING:
        return np.int64(state - unit) if byte == QUOTE else np.int64(0)
    if point < 0:
        return np.int64(static[block + BLOCK_TAIL_STATE]) if byte == QUOTE else np.int64(0)
    after = _after(point, unit, byte)
    return np.int64(state - unit + after) if after > 0 else np.int64(0)


@lean_kernel
def spelled_set_step(static: Int32Array, block: Int, state: Int, byte: Int) -> Int:
    """The same of several texts. O(edges of a node)."""
    base = np.int64(static[block + BLOCK_BASE])
    edge, unit = (state - base) // UNITS, (state - base) % UNITS
    if unit == OPENING:
        return np.int64(state - unit) if byte == QUOTE else np.int64(0)
    edges = np.int64(static[block + BLOCK_TABLE])
    at = edges + EDGE_SIZE * edge
    past = edges + EDGE_SIZE * np.int64(static[at + EDGE_PAST])
    if static[at + EDGE_POINT] < 0:  # so nothing is written
        if byte == QUOTE:
            return np.int64(static[block + BLOCK_TAIL_STATE])
        at += EDGE_SIZE
    first = at
    while at < past:
        point = np.int64(static[at + EDGE_POINT])
        after = _after(point, unit, byte)
        if after > 0 and (at == first or _begin_alike(np.int64(static[first + EDGE_POINT]), point, unit)):
            if after == _WRITTEN:
                return base + UNITS * np.int64(static[at + EDGE_AFTER])
            return base + UNITS * ((at - edges) // EDGE_SIZE) + after
        at += EDGE_SIZE
    return np.int64(0)


@lean_kernel
def _after(point: Int, unit: Int, byte: Int) -> Int:
    """How far a code point is written after one more byte; 0: it is not written so."""
    after = 0
    if unit == _BOUNDARY and byte == BACKSLASH:
        after = _ESCAPE
    elif unit < _ESCAPE:
        size = utf8_size(point)
        if byte == utf8_byte(point, size, unit):
            after = _WRITTEN if unit + 1 == size else unit + 1
    elif unit == _ESCAPE:
        if byte == U:
            after = unit + 1
        elif byte == short_escape(point):
            after = _WRITTEN
    elif unit == _LOW:
        if byte == BACKSLASH:
            after = unit + 1
    elif unit == _LOW_ESCAPE:
        if byte == U:
            after = unit + 1
    elif _hex_value(byte) == _digit(point, unit):
        last = _HEX + 3 if point < SUPPLEMENTARY else _LOW_HEX + 3
        after = _WRITTEN if unit == last else unit + 1
    return np.int64(after)


@lean_kernel
def _begin_alike(left: Int, right: Int, unit: Int) -> bool:
    """Is so much of two code points written in the same bytes?"""
    if unit in (_BOUNDARY, _ESCAPE, _HEX):
        return True
    if unit < _ESCAPE:
        size = utf8_size(left)
        bits = 6 * (size - unit)
        return bool(size == utf8_size(right) and (left >> bits) == (right >> bits))
    alike = unit < _LOW or (left >= SUPPLEMENTARY and right >= SUPPLEMENTARY)
    for i in range(min(unit - _HEX, 4)):
        alike = alike and hex_digit(left, 0, i) == hex_digit(right, 0, i)
    for i in range(unit - _LOW_HEX):
        alike = alike and hex_digit(left, 1, i) == hex_digit(right, 1, i)
    return bool(alike)


@lean_kernel
def add_spelled_alive(static: Int32Array, block: Int, state: Int, out: Int32Array, at: Int) -> None:
    """OR the bitset of the bytes that lead on from a state of a single text into ``out[at : at + 8]``."""
    relative = state - static[block + BLOCK_BASE]
    place, unit = relative // UNITS, relative % UNITS
    point = np.int64(static[static[block + BLOCK_TABLE] + place])
    if unit == OPENING or point < 0:
        _set(out, at, QUOTE)
    else:
        _add_alive(point, unit, out, at)


@lean_kernel
def add_spelled_set_alive(static: Int32Array, block: Int, state: Int, out: Int32Array, at: Int) -> None:
    """The same of several texts."""
    relative = state - static[block + BLOCK_BASE]
    edge, unit = relative // UNITS, relative % UNITS
    if unit == OPENING:
        _set(out, at, QUOTE)
        return
    edges = np.int64(static[block + BLOCK_TABLE])
    first = edges + EDGE_SIZE * edge
    past = edges + EDGE_SIZE * np.int64(static[first + EDGE_PAST])
    if static[first + EDGE_POINT] < 0:
        _set(out, at, QUOTE)
        first += EDGE_SIZE
    for here in range(first, past, EDGE_SIZE):
        point = np.int64(static[here + EDGE_POINT])
        if here == first or _begin_alike(np.int64(static[first + EDGE_POINT]), point, unit):
            _add_alive(point, unit, out, at)


@lean_kernel
def _add_alive(point: Int, unit: Int, out: Int32Array, at: Int) -> None:
    """The same of one code point."""
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
