"""Texts that are remembered while they are read: keys and items that may not come twice.

A stack may hold cells beside its frames. An open cell takes every byte that is read above it; a closed one
is a string that was seen. They are part of the stack, so of the configuration: fork, rollback and what is
remembered of a configuration hold for them as for the rest.

Strings are compared decoded: an escape is replaced by its code point in UTF-8 as soon as it is complete. An
unfinished one is a `TAG_PARTIAL`, whose code says where in it we are:

    1: \\   2..5: \\u and 0..3 hex digits   6, 7: a high surrogate, and \\
    8..11: \\u and 0..3 digits of a low one
"""

from __future__ import annotations

import numpy as np

from structgen_kernels.jit import ByteArray, Int, Int32Array, Int64Array, kernel
from structgen_kernels.layout import (
    CELL,
    CELL_NEW,
    CELL_OPEN,
    CELL_RAW,
    NEED_EXACT,
    NEED_SCRATCH,
    SECTIONS,
    TAG_PARTIAL,
    TAG_TRACKED,
    TEXT_EMPTY,
    TEXT_STARTED,
    TEXT_UNKNOWN,
)
from structgen_kernels.records import child_text, continuation, partial_text, single_node
from structgen_kernels.terminals import terminal_step

_QUOTE = 0x22
_BACKSLASH = 0x5C
_TEXT_BITS = 27  # as those of a pool offset


@kernel
def _cell_text(cell: Int) -> Int:
    return np.int64(-cell) // CELL


@kernel
def _cell_flags(cell: Int) -> Int:
    return np.int64(-cell) % CELL


@kernel
def _cell(text: Int, flags: Int) -> Int:
    return -(np.int64(text) * CELL + flags)


@kernel
def _depth(pool: Int32Array, text: Int) -> Int:
    """Bytes of a decoded text."""
    return np.int64(0) if text <= TEXT_STARTED else np.int64(pool[text + 3])


@kernel
def _is_partial(pool: Int32Array, text: Int) -> bool:
    return bool(text > TEXT_UNKNOWN and pool[text] == TAG_PARTIAL)


@kernel
def _hex_value(byte: Int) -> Int:
    if byte <= 0x39:
        return np.int64(byte - 0x30)
    return np.int64((byte | 0x20) - 0x61 + 10)


@kernel
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


@kernel
def _short_escape(byte: Int) -> Int:
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


@kernel
def append_decoded(pool: Int32Array, interned: Int32Array, text: Int, byte: Int) -> Int:
    """A JSON string's decoded text after one more byte of its spelling, or a status.

    The bytes are those of a well-formed string: its terminal has seen to that. A quote that is not escaped
    begins and ends it.
    """
    if text == TEXT_UNKNOWN:
        return np.int64(text)
    if text == TEXT_EMPTY:
        return np.int64(TEXT_STARTED)
    if not _is_partial(pool, text):
        if byte == _BACKSLASH:
            return partial_text(pool, interned, text, 1)
        if byte == _QUOTE:
            return np.int64(text)
        return child_text(pool, interned, text, byte)
    before = np.int64(pool[text + 1])
    code = np.int64(pool[text + 2])
    place = code & 15
    if place == 1:
        if byte == 0x75:
            return partial_text(pool, interned, before, 2)
        return child_text(pool, interned, before, _short_escape(byte))
    if place == 6 or place == 7:
        return partial_text(pool, interned, before, code + 1)
    value = code >> 4
    if place < 5:
        return partial_text(pool, interned, before, (((value << 4) | _hex_value(byte)) << 4) | (place + 1))
    if place == 5:
        value = (value << 4) | _hex_value(byte)
        if 0xD800 <= value < 0xDC00:
            return partial_text(pool, interned, before, ((value & 0x3FF) << 4) | 6)
        return _with_code_point(pool, interned, before, value)
    # the low surrogate: its 16 bits stand below the 10 of the high one
    value = (value << 4) | _hex_value(byte)
    if place < 11:
        return partial_text(pool, interned, before, (value << 4) | (place + 1))
    return _with_code_point(pool, interned, before, 0x10000 + ((value >> 16) << 10) + (value & 0x3FF))


@kernel
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
        if cell < 0 and _cell_flags(cell) & CELL_OPEN:
            text = _cell_text(cell)
            flags = _cell_flags(cell)
            if byte < 0:
                text = np.int64(TEXT_UNKNOWN)
            elif flags & CELL_RAW:
                if text != TEXT_UNKNOWN:
                    text = child_text(pool, interned, text, byte)
            else:
                text = append_decoded(pool, interned, text, byte)
            if text < 0:
                return text
            cell = _cell(text, flags)
        node = single_node(pool, interned, cell, node)
        if node < 0:
            return node
    return node


@kernel
def _ancestor(pool: Int32Array, text: Int, depth: Int) -> Int:
    while _depth(pool, text) > depth:
        text = np.int64(pool[text + 1])
    return np.int64(text)


@kernel
def _is_seen(pool: Int32Array, cells: Int, text: Int) -> Int:
    """1 when ``text`` is one of the closed cells from node ``cells`` on, 0, or NEED_EXACT."""
    answer = np.int64(0)
    while pool[cells + 2] < 0 and _cell_flags(pool[cells + 2]) & CELL_OPEN == 0:
        seen = _cell_text(pool[cells + 2])
        if seen == text:
            return np.int64(1)
        if seen == TEXT_UNKNOWN:
            answer = np.int64(NEED_EXACT)
        cells = np.int64(pool[cells + 3])
    return answer


@kernel
def _is_new(pool: Int32Array, cells: Int, text: Int) -> bool:
    """True when no seen string begins like ``text``, a decoded one."""
    depth = _depth(pool, text)
    while pool[cells + 2] < 0 and _cell_flags(pool[cells + 2]) & CELL_OPEN == 0:
        seen = _cell_text(pool[cells + 2])
        if seen == TEXT_UNKNOWN:
            return False
        if _depth(pool, seen) >= depth and _ancestor(pool, seen, depth) == text:
            return False
        cells = np.int64(pool[cells + 3])
    return True


@kernel
def _find_followers(pool: Int32Array, scratch: Int64Array, bits: Int, cells: Int, text: Int) -> None:
    """Which bytes seen strings go on with after ``text``: written as a set from ``scratch[bits]`` on."""
    for w in range(8):
        scratch[bits + w] = 0
    depth = _depth(pool, text)
    while pool[cells + 2] < 0 and _cell_flags(pool[cells + 2]) & CELL_OPEN == 0:
        seen = _cell_text(pool[cells + 2])
        if seen != TEXT_UNKNOWN and _depth(pool, seen) > depth:
            child = _ancestor(pool, seen, depth + 1)
            if pool[child + 1] == text:
                byte = np.int64(pool[child + 2])
                scratch[bits + (byte >> 5)] |= np.int64(1) << (byte & 31)
        cells = np.int64(pool[cells + 3])


@kernel
def _after_escape(static: Int32Array, classes: ByteArray, state: Int, c: Int) -> Int:
    """The terminal state after an escape of a code point below 0x80; 0 when there is none."""
    after = np.int64(state)
    low = c & 15
    low += 0x30 if low < 10 else 0x57
    for byte in (_BACKSLASH, 0x75, 0x30, 0x30, 0x30 + (c >> 4), low):
        after = terminal_step(static, classes, after, byte)
        if after == 0:
            break
    if after == 0:  # the canonical spelling has the short ones only
        letter = c
        for short in (0x62, 0x66, 0x6E, 0x72, 0x74):
            if _short_escape(short) == c:
                letter = short
        after = terminal_step(static, classes, state, _BACKSLASH)
        if after != 0:
            after = terminal_step(static, classes, after, letter)
    return np.int64(after)


@kernel
def can_be_new(
    static: Int32Array,
    classes: ByteArray,
    pool: Int32Array,
    interned: Int32Array,
    scratch: Int64Array,
    state: Int,
    node: Int,
) -> Int:
    """1 when the string being read in ``node``'s cell can still become one that was not seen; 0; a status.

    ``state``: of the string's terminal, inside the string. A string that begins like none that was seen can
    be finished in any way; otherwise the seen ones are followed, and what leaves them is looked for. The
    language does not depend on the spelling, so one spelling of each code point is enough.
    """
    section = scratch.shape[0] // SECTIONS
    work = 4 * section
    bits = work + section - 8
    cells = np.int64(pool[node + 3])
    unknown = 1 if _is_seen(pool, cells, TEXT_UNKNOWN) == 1 else 0
    scratch[work] = (np.int64(state) << _TEXT_BITS) | _cell_text(pool[node + 2])
    n = 1
    free = 0
    while n > 0:
        n -= 1
        state = scratch[work + n] >> _TEXT_BITS
        text = scratch[work + n] & ((np.int64(1) << _TEXT_BITS) - 1)
        if n + 300 > section:
            return np.int64(NEED_SCRATCH)
        if _is_partial(pool, text):
            place = pool[text + 2] & 15
            for byte in range(_QUOTE, 0x7B):
                if place >= 2 and place not in (6, 7) and 0x41 <= byte <= 0x5A:
                    continue  # the other case of a hex digit says nothing new
                after = terminal_step(static, classes, state, byte)
                if after != 0:
                    longer = append_decoded(pool, interned, text, byte)
                    if longer < 0:
                        return longer
                    scratch[work + n] = (after << _TEXT_BITS) | longer
                    n += 1
            continue
        if text == TEXT_EMPTY:
            after = terminal_step(static, classes, state, _QUOTE)
            scratch[work + n] = (after << _TEXT_BITS) | TEXT_STARTED
            n += 1
            continue
        if unknown == 0 and _is_new(pool, cells, text):
            return np.int64(1)
        if terminal_step(static, classes, state, _QUOTE) != 0 and _is_seen(pool, cells, text) != 1:
            free += 1
        _find_followers(pool, scratch, bits, cells, text)
        for byte in range(256):
            if byte in (_QUOTE, _BACKSLASH) or byte < 0x20:
                after = _after_escape(static, classes, state, byte)
            else:
                after = terminal_step(static, classes, state, byte)
            if after == 0:
                continue
            if (scratch[bits + (byte >> 5)] >> (byte & 31)) & 1 == 0:
                free += 1
                if free > unknown:
                    return np.int64(1)
                continue
            longer = child_text(pool, interned, text, byte)
            if longer < 0:
                return longer
            scratch[work + n] = (after << _TEXT_BITS) | longer
            n += 1
        if free > unknown:
            return np.int64(1)
    # where one unknown string was seen, a single way out might be that one
    return np.int64(NEED_EXACT) if free > 0 else np.int64(0)


@kernel
def tracked_step(
    static: Int32Array,
    classes: ByteArray,
    pool: Int32Array,
    interned: Int32Array,
    scratch: Int64Array,
    k: Int,
    byte: Int,
    after: Int,
    ends: Int,
) -> Int:
    """Continuation ``k``, whose node is tracked, after one more byte; 0 when only seen strings are left.

    ``after``: the terminal's state after the byte. ``ends``: nonzero when the terminal ends with it.
    """
    node = append_open(pool, interned, scratch, np.int64(pool[k + 2]), byte)
    if node < 0:
        return node
    cell = np.int64(pool[node + 2])
    if cell < 0 and _cell_flags(cell) == CELL_OPEN and ends == 0:
        cells = np.int64(pool[node + 3])
        text = _cell_text(cell)
        if text != TEXT_UNKNOWN and not _is_partial(pool, text) and _is_new(pool, cells, text):
            node = single_node(pool, interned, _cell(text, CELL_OPEN | CELL_NEW), cells)
            if node < 0:
                return node
        elif text != TEXT_UNKNOWN:
            alive = can_be_new(static, classes, pool, interned, scratch, after, node)
            if alive <= 0:
                return alive
    return continuation(pool, interned, np.int64(pool[k + 1]), node)


@kernel
def begun(pool: Int32Array, interned: Int32Array, node: Int, raw: Int) -> Int:
    """``node`` with an open cell on top, or a status."""
    flags = CELL_OPEN | CELL_RAW if raw else CELL_OPEN
    text = TEXT_STARTED if raw else TEXT_EMPTY
    return single_node(pool, interned, _cell(text, flags), node)


@kernel
def key_ended(pool: Int32Array, interned: Int32Array, node: Int) -> Int:
    """``node`` with the open cell on top closed; 0 when its string was seen before; or a status."""
    cell = np.int64(pool[node + 2])
    text = _cell_text(cell)
    cells = np.int64(pool[node + 3])
    if text != TEXT_UNKNOWN and _cell_flags(cell) & CELL_NEW == 0:
        seen = _is_seen(pool, cells, text)
        if seen != 0:
            return np.int64(0) if seen == 1 else seen
    return single_node(pool, interned, _cell(text, 0), cells)


@kernel
def open_text(pool: Int32Array, node: Int) -> Int:
    """The text of the open cell on top of ``node``."""
    return _cell_text(pool[node + 2])


@kernel
def compares(pool: Int32Array, node: Int) -> bool:
    """True when the cell on top of ``node`` is an open key that may yet turn out to be a seen one."""
    cell = np.int64(pool[node + 2])
    return bool(cell < 0 and _cell_flags(cell) == CELL_OPEN and pool[np.int64(pool[node + 3]) + 2] < 0)


@kernel
def below_cells(pool: Int32Array, node: Int) -> Int:
    """The first node from ``node`` downwards that is no cell."""
    while pool[node + 2] < 0:
        node = np.int64(pool[node + 3])
    return np.int64(node)
