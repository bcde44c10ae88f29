"""Offline kernel: one code point of several kinds, in all its spellings, as one deterministic automaton.

Written out as edges of sets, united and determinised, the same took ten times as long.
"""

from __future__ import annotations

import numpy as np

from structgen_kernels.code_points import BACKSLASH, QUOTE, SUPPLEMENTARY, U, short_escape
from structgen_kernels.jit import BoolArray, ByteArray, Int, Int32Array, Int64Array, kernel
from structgen_kernels.minimise import distinct_columns
from structgen_kernels.sorting import sort_part

NONE = -1  # of a window: no code point of any kind is in it
_MIXED = -2
_FIRST_END = 2  # states: 0 dead, 1 start, then the end of each kind
# Sorts of inner states, by what comes next; with how many more of these, or where in a low surrogate
_CONTINUATION = 0  # bytes of UTF-8
_HEX = 1  # hex digits of a code point, or of a high surrogate
_LOW = 2  # \uDC00: 0 the backslash, 1 u, 2 d, 3 c to f, 4 and 5 hex digits
_LEVELS = 6
_HIGH_BEGIN, _LOW_BEGIN, _LOW_END = 0xD800, 0xDC00, 0xE000
_HALF = 0x400  # code points of a high surrogate


@kernel
def find_kinds(ranges: Int32Array, n_sets: Int, most: Int) -> tuple[Int32Array, Int32Array, Int]:
    """Code points that some sets do not tell apart are of one kind.

    ranges int32 (r, 3): first and last code point and set of each range, disjoint within a set. Returns
    (int32 (s, 3), first, last and kind of disjoint ranges, in order; int32 (t, 3), set and first and last
    kind of the runs of kinds that each set has; the number of kinds). Kinds are numbered as they come first;
    what is in no set is of none. Where there are more than ``most``, the rest is missing. O(r log r + s
    kinds).
    """
    n_events = 2 * ranges.shape[0]
    events = np.zeros(n_events, np.int64)  # code point, set, begins or ends
    for i in range(ranges.shape[0]):
        events[2 * i] = (np.int64(ranges[i, 0]) << 32) | (np.int64(ranges[i, 2]) << 1) | 1
        events[2 * i + 1] = (np.int64(ranges[i, 1] + 1) << 32) | (np.int64(ranges[i, 2]) << 1)
    sort_part(events, np.int64(0), np.int64(n_events))
    inside = np.zeros(n_sets, np.int32)
    n_inside = 0
    held = np.zeros((most + 1, n_sets), np.int32)
    hashes = np.zeros(most + 1, np.uint64)
    now = np.uint64(0)
    segments = np.zeros((n_events, 3), np.int32)
    n_segments = 0
    n_kinds = np.int64(0)
    i = 0
    while i < n_events:
        point = events[i] >> 32
        while i < n_events and events[i] >> 32 == point:
            which = (events[i] & 0xFFFFFFFF) >> 1
            step = 1 if events[i] & 1 else -1
            inside[which] += step
            n_inside += step
            weight = np.uint64(which + 1) * np.uint64(0x9E3779B97F4A7C15)
            now ^= weight ^ (weight >> np.uint64(29))
            i += 1
        if n_inside == 0:
            continue
        kind = np.int64(0)
        while kind < n_kinds:
            if hashes[kind] == now:
                j = 0
                while j < n_sets and held[kind, j] == inside[j]:
                    j += 1
                if j == n_sets:
                    break
            kind += 1
        if kind == n_kinds:
            if n_kinds == most:
                return segments, segments, most + 1
            hashes[kind] = now
            held[kind, :] = inside
            n_kinds += 1
        past = events[i] >> 32
        if (
            n_segments > 0
            and segments[n_segments - 1, 2] == kind
            and segments[n_segments - 1, 1] + 1 == point
        ):
            segments[n_segments - 1, 1] = past - 1
        else:
            segments[n_segments, 0] = point
            segments[n_segments, 1] = past - 1
            segments[n_segments, 2] = kind
            n_segments += 1
    runs = np.zeros((n_sets * n_kinds, 3), np.int32)
    n_runs = 0
    for which in range(n_sets):
        for i in range(n_kinds):
            if held[i, which] != 0:
                if i == 0 or held[i - 1, which] == 0:
                    runs[n_runs, 0] = which
                    runs[n_runs, 1] = i
                    n_runs += 1
                runs[n_runs - 1, 2] = i
    return segments[:n_segments].copy(), runs[:n_runs].copy(), n_kinds


@kernel
def _kind_within(ranges: Int32Array, base: Int, size: Int) -> Int:
    """The kind of all code points from ``base`` on; NONE, or _MIXED."""
    begin, end = 0, ranges.shape[0]  # the first range that ends at base or behind it
    while begin < end:
        middle = (begin + end) // 2
        if ranges[middle, 1] < base:
            begin = middle + 1
        else:
            end = middle
    if begin == ranges.shape[0] or ranges[begin, 0] >= base + size:
        return np.int64(NONE)
    if ranges[begin, 0] <= base and ranges[begin, 1] >= base + size - 1:
        return np.int64(ranges[begin, 2])
    return np.int64(_MIXED)


@kernel
def _hex_kind(ranges: Int32Array, base: Int, size: Int) -> Int:
    """The same for what four hex digits from ``base`` on may begin: a high surrogate all that follows it."""
    if base >= _LOW_END or base + size <= _HIGH_BEGIN:
        return _kind_within(ranges, base, size)
    if base >= _LOW_BEGIN:
        return np.int64(NONE)
    if base >= _HIGH_BEGIN and base + size <= _LOW_BEGIN:
        return _kind_within(ranges, SUPPLEMENTARY + (base - _HIGH_BEGIN) * _HALF, size * _HALF)
    return np.int64(_MIXED)


@kernel
def _grown(table: Int32Array) -> Int32Array:
    bigger = np.zeros((2 * table.shape[0], 256), np.int32)
    bigger[: table.shape[0]] = table
    return bigger


@kernel
def spell_kinds(ranges: Int32Array, n_kinds: Int, in_string: bool) -> Int32Array:
    """int32 (m, 256): state 0 dead, 1 start, 2 + i the end of kind i, which leads nowhere; the rest between.

    ranges int32 (r, 3): first, last and kind of ranges, in order and disjoint, without surrogates.
    ``in_string``: in all ways of JSON strings, not in UTF-8 alone; and a quote that is no code point, but a
    string's, is one more kind, the last of the ``n_kinds``.
    Sets of code points that are all of one kind have one state each; others, one for each way to begin.
    O(ranges x 256).
    """
    table = np.zeros((64, 256), np.int32)
    count = _FIRST_END + n_kinds
    while count + 64 > table.shape[0]:
        table = _grown(table)
    alike = np.zeros((3, _LEVELS, n_kinds), np.int32)  # inner states of one kind only
    # what is yet to be spelled: state, sort, level, first code point (of hex digits: their value)
    work = np.zeros((64, 4), np.int64)
    n_work = 0
    kind = np.int64(0)
    target = np.int32(0)
    # of the start, the bytes of UTF-8
    for lead in range(0xF5):
        if lead < 0x80:
            if in_string and (lead < 0x20 or lead in (QUOTE, BACKSLASH)):
                continue
            kind = _kind_within(ranges, np.int64(lead), np.int64(1))
            if kind >= 0:
                table[1, lead] = _FIRST_END + kind
            continue
        if lead < 0xC2:
            continue
        level = 1 if lead < 0xE0 else (2 if lead < 0xF0 else 3)
        bits = lead & (0x1F if level == 1 else (0x0F if level == 2 else 0x07))
        base, size = np.int64(bits) << (6 * level), np.int64(1) << (6 * level)
        if level == 2 and bits == 0:  # no overlong forms, which would be other spellings
            base, size = np.int64(0x800), np.int64(0x800)
        elif level == 3 and bits == 0:
            base, size = np.int64(SUPPLEMENTARY), np.int64(0x30000)
        kind = _kind_within(ranges, base, size)
        if kind == NONE:
            continue
        whole = size == np.int64(1) << (6 * level)
        if kind >= 0 and whole and alike[_CONTINUATION, level, kind] > 0:
            table[1, lead] = alike[_CONTINUATION, level, kind]
            continue
        table[1, lead] = count
        if kind >= 0 and whole:
            alike[_CONTINUATION, level, kind] = count
        work[n_work, 0], work[n_work, 1], work[n_work, 2] = count, _CONTINUATION, level
        work[n_work, 3] = np.int64(bits) << (6 * level)
        n_work += 1
        count += 1
    if in_string:
        table[1, QUOTE] = _FIRST_END + n_kinds - 1
        table[1, BACKSLASH] = count
        escape = count
        count += 1
        for point in range(0x5D):
            letter = short_escape(np.int64(point))
            kind = _kind_within(ranges, np.int64(point), np.int64(1))
            if letter >= 0 and kind >= 0:
                table[escape, letter] = _FIRST_END + kind
        table[escape, U] = count
        work[n_work, 0], work[n_work, 1], work[n_work, 2], work[n_work, 3] = count, _HEX, 4, 0
        n_work += 1
        count += 1
    while n_work > 0:
        n_work -= 1
        state, sort, level, first = work[n_work, 0], work[n_work, 1], work[n_work, 2], work[n_work, 3]
        n_digits = 64 if sort == _CONTINUATION else (1 if sort == _LOW and level < 3 else 16)
        for digit in range(n_digits):
            if sort == _LOW and level == 3 and digit < 12:
                continue  # DC00 and beyond
            # the code points behind this digit, and what comes next
            base, size, next_sort, next_level = first, np.int64(1), sort, level - 1
            if sort == _CONTINUATION:
                size = np.int64(1) << (6 * (level - 1))
                base = first + digit * size
                if (base < 0x800 and level == 2 and first == 0) or (
                    level == 3 and first == 0 and base < 0x10000
                ):
                    continue
                kind = _kind_within(ranges, base, size)
            elif sort == _HEX:
                size = np.int64(1) << (4 * (level - 1))
                base = first + digit * size
                kind = _hex_kind(ranges, base, size)
                if level == 1 and _HIGH_BEGIN <= base < _LOW_BEGIN:
                    base = SUPPLEMENTARY + (base - _HIGH_BEGIN) * _HALF
                    size, next_sort, next_level = np.int64(_HALF), np.int64(_LOW), np.int64(0)
            else:
                next_level = level + 1
                size = np.int64(_HALF)
                if level >= 3:
                    size = np.int64(0x100) >> (4 * (level - 3))
                    base = first + (digit - (12 if level == 3 else 0)) * size
                kind = _kind_within(ranges, base, size)
            if kind == NONE:
                continue
            is_end = (sort != _LOW and next_sort != _LOW and level == 1) or (sort == _LOW and level == 5)
            if is_end:
                target = np.int32(_FIRST_END + kind)
            elif (
                kind >= 0
                and alike[next_sort, next_level, kind] > 0
                # digits of a high surrogate are followed by a low one, others by none
                and not (next_sort == _HEX and _HIGH_BEGIN <= base < _LOW_BEGIN)
            ):
                target = alike[next_sort, next_level, kind]
            else:
                if count == table.shape[0]:
                    table = _grown(table)
                if n_work == work.shape[0]:
                    more = np.zeros((2 * n_work, 4), np.int64)
                    more[:n_work] = work
                    work = more
                target = np.int32(count)
                if kind >= 0 and not (next_sort == _HEX and _HIGH_BEGIN <= base < _LOW_BEGIN):
                    alike[next_sort, next_level, kind] = target
                work[n_work, 0], work[n_work, 1] = count, next_sort
                work[n_work, 2], work[n_work, 3] = next_level, base
                n_work += 1
                count += 1
            if sort == _CONTINUATION:
                table[state, 0x80 + digit] = target
            elif sort == _LOW and level == 0:
                table[state, BACKSLASH] = target
            elif sort == _LOW and level == 1:
                table[state, U] = target
            elif sort == _LOW and level == 2:
                table[state, 0x44] = target
                table[state, 0x64] = target
            elif digit < 10:
                table[state, 0x30 + digit] = target
            else:
                table[state, 0x41 + digit - 10] = target
                table[state, 0x61 + digit - 10] = target
    return table[:count].copy()


@kernel
def spelled_kinds(
    ranges: Int32Array, n_kinds: Int, in_string: bool
) -> tuple[Int32Array, ByteArray, Int32Array, Int64Array]:
    """`spell_kinds` over classes of bytes, without states that are alike.

    Returns (table int32 (m, w); uint8 (256,), the class of each byte; int32 (m,), which kind a state is the
    end of, -1 for others; int64, the inner states that are left, those that come later in a spelling first).
    """
    wide = spell_kinds(ranges, n_kinds, in_string)
    columns, like = distinct_columns(wide)
    m, width = wide.shape[0], columns.shape[0]
    table = np.empty((m, width), np.int32)
    for s in range(m):
        for c in range(width):
            table[s, c] = wide[s, columns[c]]
    byte_class = np.empty(256, np.uint8)
    for byte in range(256):
        byte_class[byte] = like[byte]
    kind_of = np.full(m, NONE, np.int32)
    for kind in range(n_kinds):
        kind_of[_FIRST_END + kind] = kind
    height = heights(table, n_kinds)
    n_inner = m - _FIRST_END - n_kinds
    order = np.zeros(n_inner, np.int64)
    placed = 0
    level = np.int64(0)
    while placed < n_inner:
        for s in range(_FIRST_END + n_kinds, m):
            if height[s] == level:
                order[placed] = s
                placed += 1
        level += 1
    return table, byte_class, kind_of, merge_alike(table, order)


@kernel
def in_quotes(table: Int32Array, accepting: BoolArray, quote: Int) -> tuple[Int32Array, BoolArray]:
    """An automaton over kinds, int32 (n, k), between two of the kind ``quote``, which is in no text of it."""
    n, k = table.shape
    result = np.zeros((n + 2, k), np.int32)
    accepts = np.zeros(n + 2, np.bool_)
    accepts[n + 1] = True
    result[1, quote] = 2
    for s in range(1, n):
        for c in range(k):
            if table[s, c] > 0:
                result[s + 1, c] = table[s, c] + 1
        if accepting[s]:
            result[s + 1, quote] = n + 1
    return result, accepts


@kernel
def heights(table: Int32Array, n_ends: Int) -> Int64Array:
    """How far each state of a spelling is from the ends, which are those after the start; 0 for these."""
    n = table.shape[0]
    height = np.zeros(n, np.int64)
    changed = True
    while changed:  # a dozen times at most
        changed = False
        for s in range(n - 1, 0, -1):
            if 2 <= s < 2 + n_ends:
                continue
            most = np.int64(0)
            for c in range(table.shape[1]):
                most = max(most, height[table[s, c]])
            if most + 1 != height[s]:
                height[s] = most + 1
                changed = True
    return height


@kernel
def merge_alike(table: Int32Array, order: Int64Array) -> Int64Array:
    """Of states that have the same steps one is kept, and stands for the others in all rows.

    table int32 (m, w); order: inner states, those that come later in a spelling first. Returns those of
    ``order`` that are kept. O(m w).
    """
    m, width = table.shape
    like = np.zeros(m, np.int32)
    for i in range(m):
        like[i] = i
    size = 4
    while size < 2 * m:
        size *= 2
    slots = np.zeros(size, np.int32)
    mask = np.uint64(size - 1)
    kept = np.zeros(order.shape[0], np.int64)
    n_kept = 0
    for i in range(order.shape[0] + 1):
        s: Int = order[i] if i < order.shape[0] else np.int64(1)  # the start last
        h = np.uint64(0)
        for c in range(width):
            table[s, c] = like[table[s, c]]
            h = (h ^ np.uint64(table[s, c])) * np.uint64(0x9E3779B97F4A7C15)
            h ^= h >> np.uint64(29)
        if s == 1:
            break
        p = h & mask
        while slots[np.int64(p)] != 0:
            other = slots[np.int64(p)]
            c = 0
            while c < width and table[other, c] == table[s, c]:
                c += 1
            if c == width:
                like[s] = other
                break
            p = (p + np.uint64(1)) & mask
        if like[s] == s:
            slots[np.int64(p)] = s
            kept[n_kept] = s
            n_kept += 1
    return kept[:n_kept].copy()
