"""Texts that are remembered while they are read: keys and items that may not come twice.

A stack may hold cells beside its frames. An open cell takes every byte that is read above it; a closed one
has the strings that were seen, as a set (`seen.py`). They are part of the stack, so of the configuration:
fork, rollback and what is remembered of a configuration hold for them as for the rest.

Strings are compared decoded: an escape is replaced by its code point in UTF-8 as soon as it is complete. An
unfinished one is a `TAG_PARTIAL`, whose code says where in it we are:

    1: \\   2..5: \\u and 0..3 hex digits   6, 7: a high surrogate, and \\
    8..11: \\u and 0..3 digits of a low one
"""

from __future__ import annotations

import numpy as np

from structgen_kernels.jit import Int, Int32Array, Int64Array, lean_kernel
from structgen_kernels.layout import (
    CELL,
    CELL_BARS,
    CELL_NEW,
    CELL_ONE_UNKNOWN,
    CELL_OPEN,
    CELL_RAW,
    HEAP,
    NEED_EXACT,
    NEED_SCRATCH,
    SECTIONS,
    TAG_BARRED,
    TAG_PARTIAL,
    TAG_TRACKED,
    TEXT_EMPTY,
    TEXT_ENDS,
    TEXT_STARTED,
    TEXT_UNKNOWN,
    UNKNOWN,
)
from structgen_kernels.records import child_text, note, noted, partial_text, single_node
from structgen_kernels.seen import has_end, set_of, texts_after, with_bytes, with_text

QUOTE = 0x22
BACKSLASH = 0x5C


@lean_kernel
def cell_text(cell: Int) -> Int:
    return np.int64(-cell) // CELL


@lean_kernel
def cell_flags(cell: Int) -> Int:
    return np.int64(-cell) % CELL


@lean_kernel
def cell_of(text: Int, flags: Int) -> Int:
    return -(np.int64(text) * CELL + flags)


@lean_kernel
def is_partial(pool: Int32Array, text: Int) -> bool:
    return bool(text > TEXT_UNKNOWN and pool[text] == TAG_PARTIAL)


@lean_kernel
def hex_value(byte: Int) -> Int:
    if byte <= 0x39:
        return np.int64(byte - 0x30)
    return np.int64((byte | 0x20) - 0x61 + 10)


@lean_kernel
def _with_code_point(pool: Int32Array, interned: Int32Array, text: Int, c: Int) -> Int:
    """``text`` and a code point in UTF-8, or a status."""
    if c < 0x80:
        return child_text(pool, interned, text, c)
    if c < 0x800:
        text = child_text(pool, interned, text, 0xC0 | (c >> 6))
    else:
        if c < 0x10000:
            text = child_text(pool, interned, text, 0xE0 | (c >> 12))
        else:
            text = child_text(pool, interned, text, 0xF0 | (c >> 18))
            if text > 0:
                text = child_text(pool, interned, text, 0x80 | ((c >> 12) & 0x3F))
        if text > 0:
            text = child_text(pool, interned, text, 0x80 | ((c >> 6) & 0x3F))
    if text > 0:
        text = child_text(pool, interned, text, 0x80 | (c & 0x3F))
    return text


@lean_kernel
def short_escape(byte: Int) -> Int:
    if byte == 0x62:
        return np.int64(0x08)
    if byte == 0x66:
        return np.int64(0x0C)
    if byte == 0x6E:
        return np.int64(0x0A)
    if byte == 0x72:
        return np.int64(0x0D)
    if byte == 0x74:
        return np.int64(0x09)
    return np.int64(byte)  # a quote, a backslash, a slash


@lean_kernel
def append_decoded(pool: Int32Array, interned: Int32Array, text: Int, byte: Int) -> Int:
    """A JSON string's decoded text after one more byte of its spelling, or a status.

    The bytes are those of a well-formed string: its terminal has seen to that. A quote that is not escaped
    begins and ends it.
    """
    if text == TEXT_UNKNOWN:
        return np.int64(text)
    if text == TEXT_EMPTY:
        return np.int64(TEXT_STARTED)
    if not is_partial(pool, text):
        if byte == BACKSLASH:
            return partial_text(pool, interned, text, 1)
        if byte == QUOTE:
            return np.int64(text)
        return child_text(pool, interned, text, byte)
    before = np.int64(pool[text + 1])
    code = np.int64(pool[text + 2])
    place = code & 15
    if place == 1:
        if byte == 0x75:
            return partial_text(pool, interned, before, 2)
        return child_text(pool, interned, before, short_escape(byte))
    if place == 6 or place == 7:
        return partial_text(pool, interned, before, code + 1)
    value = code >> 4
    if place < 5:
        return partial_text(pool, interned, before, (((value << 4) | hex_value(byte)) << 4) | (place + 1))
    if place == 5:
        value = (value << 4) | hex_value(byte)
        if 0xD800 <= value < 0xDC00:
            return partial_text(pool, interned, before, ((value & 0x3FF) << 4) | 6)
        return _with_code_point(pool, interned, before, value)
    # the low surrogate: its 16 bits stand below the 10 of the high one
    value = (value << 4) | hex_value(byte)
    if place < 11:
        return partial_text(pool, interned, before, (value << 4) | (place + 1))
    return _with_code_point(pool, interned, before, 0x10000 + ((value >> 16) << 10) + (value & 0x3FF))


@lean_kernel
def append_open(pool: Int32Array, interned: Int32Array, scratch: Int64Array, node: Int, byte: Int) -> Int:
    """A tracked node with ``byte`` appended to all its open cells; byte -1: with their texts unknown.

    Returns a node or a status. O(frames down to the lowest open cell).
    """
    section = scratch.shape[0] // SECTIONS
    path = 4 * section
    n = 0
    while pool[node] == TAG_TRACKED:
        if n == section:
            return np.int64(NEED_SCRATCH)
        scratch[path + n] = node
        n += 1
        node = np.int64(pool[node + 3])
    for i in range(n - 1, -1, -1):
        old = scratch[path + i]
        cell = np.int64(pool[old + 2])
        if cell < 0 and cell_flags(cell) & CELL_OPEN:
            text = cell_text(cell)
            flags = cell_flags(cell)
            if byte < 0:
                text = np.int64(TEXT_UNKNOWN)
            elif flags & CELL_RAW:
                if text != TEXT_UNKNOWN:
                    text = child_text(pool, interned, text, byte)
            else:
                text = append_decoded(pool, interned, text, byte)
            if text < 0:
                return text
            cell = cell_of(text, flags)
        node = single_node(pool, interned, cell, node)
        if node < 0:
            return node
    return node


@lean_kernel
def _is_closed(pool: Int32Array, node: Int) -> bool:
    cell = np.int64(pool[node + 2])
    return bool(cell < 0 and cell_flags(cell) & CELL_OPEN == 0)


@lean_kernel
def seen_below(pool: Int32Array, node: Int) -> Int:
    """The set of strings that were seen, of the cell below ``node``'s; 0 where none is known."""
    below = np.int64(pool[node + 3])
    return cell_text(np.int64(pool[below + 2])) if _is_closed(pool, below) else np.int64(0)


@lean_kernel
def one_unknown_below(pool: Int32Array, node: Int) -> Int:
    """1 where one more string was seen, which is not known."""
    below = np.int64(pool[node + 3])
    if _is_closed(pool, below) and cell_flags(np.int64(pool[below + 2])) & CELL_ONE_UNKNOWN:
        return np.int64(1)
    return np.int64(0)


@lean_kernel
def _with_barred(
    static: Int32Array, pool: Int32Array, interned: Int32Array, scratch: Int64Array, seen: Int, barred: Int
) -> Int:
    """The set ``seen`` and the strings of a list in the heap, or a status."""
    known = noted(pool, interned, np.int64(TAG_BARRED), seen, barred)
    if known != UNKNOWN:
        return known
    begin = np.int64(static[HEAP] + barred)
    end = begin + np.int64(static[begin - 1])
    if seen == 0:
        both = set_of(static, pool, interned, scratch, begin, end)
    else:
        both = np.int64(seen)
        for i in range(begin, end):
            if static[i] == TEXT_ENDS and both > 0:
                both = with_bytes(pool, interned, scratch, both, static[begin:i])
                begin = np.int64(i + 1)
    if both < 0:
        return both
    status = note(pool, interned, np.int64(TAG_BARRED), seen, barred, both)
    return both if status > 0 else status


@lean_kernel
def begun(
    static: Int32Array,
    pool: Int32Array,
    interned: Int32Array,
    scratch: Int64Array,
    node: Int,
    raw: Int,
    barred: Int,
) -> Int:
    """``node`` with an open cell on top, or a status. ``barred``: a list of strings that it must not become,
    as `structgen_kernels.layout` has it with BEGIN_KEY; 0: none.
    """
    if barred > 0:
        seen = np.int64(0)
        flags: Int = CELL_BARS
        if _is_closed(pool, node):
            seen = cell_text(np.int64(pool[node + 2]))
            flags |= cell_flags(np.int64(pool[node + 2])) & CELL_ONE_UNKNOWN
        both = _with_barred(static, pool, interned, scratch, seen, barred)
        if both < 0:
            return both
        node = single_node(pool, interned, cell_of(both, flags), node)
        if node < 0:
            return node
    flags = CELL_OPEN | CELL_RAW if raw else CELL_OPEN
    text = TEXT_STARTED if raw else TEXT_EMPTY
    return single_node(pool, interned, cell_of(text, flags), node)


@lean_kernel
def is_seen(pool: Int32Array, scratch: Int64Array, node: Int) -> Int:
    """1 when the string of the open cell on top was seen before, or is barred; 0; or a status."""
    cell = np.int64(pool[node + 2])
    if cell_flags(cell) & CELL_NEW:
        return np.int64(0)
    here = texts_after(pool, scratch, seen_below(pool, node), cell_text(cell))
    return here if here < 0 else np.int64(has_end(pool, here))


@lean_kernel
def key_ended(pool: Int32Array, interned: Int32Array, scratch: Int64Array, node: Int, barred: Int) -> Int:
    """``node`` with the string of the open cell on top among those that were seen; 0 when it was seen before,
    or is barred; or a status. ``barred``: the list of what is barred elsewhere in the same object.
    """
    cell = np.int64(pool[node + 2])
    text = cell_text(cell)
    unknown = one_unknown_below(pool, node)
    below = np.int64(pool[node + 3])
    both = np.int64(UNKNOWN)  # the seen ones and the barred ones
    if _is_closed(pool, below) and cell_flags(np.int64(pool[below + 2])) & CELL_BARS:
        both = cell_text(np.int64(pool[below + 2]))
        below = np.int64(pool[below + 3])
    seen = np.int64(0)
    if _is_closed(pool, below):
        seen = cell_text(np.int64(pool[below + 2]))
        below = np.int64(pool[below + 3])
    if text == TEXT_UNKNOWN:
        unknown = np.int64(1)
    else:
        was_seen = is_seen(pool, scratch, node)
        if was_seen < 0:
            return was_seen
        if was_seen == 1:
            return np.int64(0)
        if unknown and cell_flags(cell) & CELL_NEW == 0:
            return np.int64(NEED_EXACT)
        before = seen
        seen = with_text(pool, interned, scratch, before, text)
        if seen < 0:
            return seen
        if barred > 0:  # the set for the next key is this one, and a text more
            if both == UNKNOWN:
                both = noted(pool, interned, np.int64(TAG_BARRED), before, barred)
            if both != UNKNOWN:
                both = with_text(pool, interned, scratch, both, text)
                if both < 0:
                    return both
                status = note(pool, interned, np.int64(TAG_BARRED), seen, barred, both)
                if status < 0:
                    return status
    return single_node(pool, interned, cell_of(seen, CELL_ONE_UNKNOWN * unknown), below)


@lean_kernel
def open_text(pool: Int32Array, node: Int) -> Int:
    """The text of the open cell on top of ``node``."""
    return cell_text(pool[node + 2])


@lean_kernel
def compares(pool: Int32Array, node: Int) -> bool:
    """True when the cell on top of ``node`` is an open key that may yet turn out to be a seen one."""
    cell = np.int64(pool[node + 2])
    return bool(cell < 0 and cell_flags(cell) == CELL_OPEN and pool[np.int64(pool[node + 3]) + 2] < 0)


@lean_kernel
def seen_alike(pool: Int32Array, scratch: Int64Array, node: Int) -> Int:
    """Of the strings that were seen, those that begin like the open one on top of ``node``, without that, and
    without an escape that is unfinished; or a status.
    """
    text = open_text(pool, node)
    if is_partial(pool, text):
        text = np.int64(pool[text + 1])
    return texts_after(pool, scratch, seen_below(pool, node), text)


@lean_kernel
def below_cells(pool: Int32Array, node: Int) -> Int:
    """The first node from ``node`` downwards that is no cell."""
    while pool[node + 2] < 0:
        node = np.int64(pool[node + 3])
    return np.int64(node)
