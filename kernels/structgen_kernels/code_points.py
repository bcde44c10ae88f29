"""How a code point is written inside a JSON string (RFC 8259, section 7; RFC 3629)."""

from __future__ import annotations

import numpy as np

from structgen_kernels.jit import Int, lean_kernel

QUOTE, BACKSLASH, U = 0x22, 0x5C, 0x75
SUPPLEMENTARY = 0x10000  # from here on it takes two surrogates


@lean_kernel
def utf8_size(point: Int) -> Int:
    """How many bytes it takes."""
    if point < 0x80:
        return 1
    if point < 0x800:
        return 2
    return 3 if point < SUPPLEMENTARY else 4


@lean_kernel
def utf8_byte(point: Int, size: Int, place: Int) -> Int:
    """A byte of it as it stands in a string; -1 where it may not stand there itself."""
    if point < 0x20 or point in (QUOTE, BACKSLASH) or place >= size:
        return np.int64(-1)
    if size == 1:
        return np.int64(point)
    bits = point >> (6 * (size - 1 - place))
    if place > 0:
        return np.int64(0x80 | (bits & 0x3F))
    return np.int64(((0xF00 >> size) & 0xFF) | bits)


@lean_kernel
def short_escape(point: Int) -> Int:
    """The letter behind the backslash; -1: none."""
    letter = -1
    if point in (QUOTE, BACKSLASH, 0x2F):
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


@lean_kernel
def hex_digit(point: Int, half: Int, place: Int) -> Int:
    """The value of a digit behind ``\\u``: of the code point, or of its surrogate 0 or 1."""
    value = point
    if point >= SUPPLEMENTARY:
        offset = point - SUPPLEMENTARY
        value = 0xDC00 + (offset & 0x3FF) if half else 0xD800 + (offset >> 10)
    return np.int64((value >> (12 - 4 * place)) & 15)
