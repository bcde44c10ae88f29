"""Offline kernel that spells automata over kinds of code points in bytes.

It runs at compile time, so it allocates what it returns.
"""

from __future__ import annotations

import numpy as np

from structgen_kernels.jit import BoolArray, ByteArray, Int, Int32Array, Int64Array, kernel
from structgen_kernels.minimise import canonical_form

TOO_MANY_STATES = -1
_MOST_ROOM = 1 << 22  # words that are reserved at once


@kernel
def _hashed(values: Int32Array, begin: Int, end: Int, first: Int) -> np.uint64:
    h = np.uint64(first) * np.uint64(0x9E3779B97F4A7C15)
    for i in range(begin, end):
        h = (h ^ np.uint64(values[i])) * np.uint64(0x9E3779B97F4A7C15)
        h ^= h >> np.uint64(29)
    return h


@kernel
def expanded(
    table: Int32Array, spelling: Int32Array, kind_of: Int32Array, order: Int64Array, max_states: Int
) -> tuple[Int32Array, Int]:
    """Each step of ``table`` along a kind of code points as the bytes that spell those of that kind.

    table int32 (n, k): an automaton over kinds, state 0 dead, 1 start. spelling int32 (m, w), of one code
    point over w classes of bytes: 0 dead, 1 start, a tree but for shared ends; kind_of int32 (m,): which kind
    a state is the end of, -1 for others; order int64: its inner states but the start, those that come later
    in a spelling first. Returns (int32 (any, w), their number): the first n states are those of ``table``,
    and no two others have the same steps, so that nothing is left to merge where that is so in ``table``;
    TOO_MANY_STATES where there are more than ``max_states``. O(rows of ``table`` that differ, times m w) at
    worst.
    """
    n, k = table.shape
    m, width = spelling.shape
    # the kinds that are spelled behind each inner state: below[begin[x] : begin[x + 1]]
    is_below = np.zeros((m, k), np.bool_)
    for x in order:
        for c in range(width):
            y = spelling[x, c]
            if y > 0:
                if kind_of[y] >= 0:
                    is_below[x, kind_of[y]] = True
                else:
                    for kind in range(k):
                        is_below[x, kind] |= is_below[y, kind]
    # where the steps of each state change: its runs are run_column[run_begin[x] : run_begin[x + 1]]
    run_begin = np.zeros(m + 1, np.int64)
    run_column = np.zeros(m * width, np.int32)
    n_runs = 0
    for x in range(m):
        for c in range(width):
            if c == 0 or spelling[x, c] != spelling[x, c - 1]:
                run_column[n_runs] = c
                n_runs += 1
        run_begin[x + 1] = n_runs
    # as much room as there may be need for: what is not written to takes no memory
    capacity = n + 64 + min(n * order.shape[0], _MOST_ROOM // width)
    result = np.empty((capacity, width), np.int32)
    for q in range(n):
        for c in range(width):
            result[q, c] = 0
    count = n
    # inner states that were made, by their steps; and by where they stand with what follows each kind
    slots = np.zeros(1024, np.int32)
    known = np.zeros(1024, np.int32)  # an entry of the three below, plus one
    known_state = np.zeros(256, np.int32)
    known_place = np.zeros(256, np.int32)
    known_row = np.zeros(256, np.int32)
    n_known = 0
    number = np.zeros(m, np.int32)
    runs = np.zeros(2 * width + 2, np.int32)  # of a new state: the first column and the target of each
    targets = np.zeros(k, np.int32)
    for q in range(1, n):
        for x in order:
            n_targets = 0
            leads_on = False
            for kind in range(k):
                if is_below[x, kind]:
                    targets[n_targets] = table[q, kind]
                    leads_on = leads_on or table[q, kind] > 0
                    n_targets += 1
            if not leads_on:
                number[x] = 0
                continue
            h = _hashed(targets, 0, n_targets, x + 1)
            mask = np.uint64(known.shape[0] - 1)
            p = h & mask
            found = -1
            while known[np.int64(p)] != 0:
                entry = known[np.int64(p)] - 1
                if known_place[entry] == x:
                    other = known_row[entry]
                    same = True
                    for kind in range(k):
                        if is_below[x, kind] and table[other, kind] != table[q, kind]:
                            same = False
                            break
                    if same:
                        found = known_state[entry]
                        break
                p = (p + np.uint64(1)) & mask
            if found >= 0:
                number[x] = found
                continue
            n_written = 0
            for i in range(run_begin[x], run_begin[x + 1]):
                y = spelling[x, run_column[i]]
                target = np.int32(0)
                if y > 0:
                    target = table[q, kind_of[y]] if kind_of[y] >= 0 else number[y]
                if n_written == 0 or target != runs[n_written - 1]:
                    runs[n_written] = run_column[i]
                    runs[n_written + 1] = target
                    n_written += 2
            state = _interned(runs, n_written, result, slots, count)
            if state == count:
                count += 1
                if count > max_states:
                    return result, np.int64(TOO_MANY_STATES)
                if count >= capacity:
                    bigger = np.empty((2 * capacity, width), np.int32)
                    bigger[:capacity] = result
                    result = bigger
                    capacity *= 2
                if 2 * (count - n) > slots.shape[0]:
                    slots = np.zeros(4 * slots.shape[0], np.int32)
                    for s in range(n, count):
                        _place(result, slots, s, runs)
            number[x] = state
            if n_known == known_state.shape[0]:
                known_state = _twice(known_state)
                known_place = _twice(known_place)
                known_row = _twice(known_row)
            known_state[n_known] = state
            known_place[n_known] = x
            known_row[n_known] = q
            n_known += 1
            known[np.int64(p)] = n_known
            if 2 * n_known > known.shape[0]:
                known = np.zeros(4 * known.shape[0], np.int32)
                mask = np.uint64(known.shape[0] - 1)
                for entry in range(n_known):
                    n_targets = 0
                    for kind in range(k):
                        if is_below[known_place[entry], kind]:
                            targets[n_targets] = table[known_row[entry], kind]
                            n_targets += 1
                    p = _hashed(targets, 0, n_targets, known_place[entry] + 1) & mask
                    while known[np.int64(p)] != 0:
                        p = (p + np.uint64(1)) & mask
                    known[np.int64(p)] = entry + 1
        for c in range(width):
            y = spelling[1, c]
            if y > 0:
                result[q, c] = table[q, kind_of[y]] if kind_of[y] >= 0 else number[y]
    return result, np.int64(count)


@kernel
def spelled_out(
    table: Int32Array,
    accepting: BoolArray,
    spelling: Int32Array,
    byte_class: ByteArray,
    kind_of: Int32Array,
    order: Int64Array,
    max_states: Int,
) -> tuple[Int32Array, ByteArray, BoolArray, Int]:
    """A minimal automaton over kinds in bytes, in its canonical form; and its number of states, or
    TOO_MANY_STATES. The rest as of `expanded`.
    """
    wide, count = expanded(table, spelling, kind_of, order, max_states)
    if count == TOO_MANY_STATES:
        return wide, np.zeros(256, np.uint8), accepting.copy(), count
    result, merged, accepts = canonical_form(wide, count, accepting, byte_class)
    return result, merged, accepts, count


@kernel
def _interned(runs: Int32Array, n_runs: Int, result: Int32Array, slots: Int32Array, count: Int) -> Int:
    """The state whose steps have these runs; else it is written as ``result[count]``."""
    width = result.shape[1]
    mask = np.uint64(slots.shape[0] - 1)
    p = _hashed(runs, 0, n_runs, 0) & mask
    while slots[np.int64(p)] != 0:
        other = slots[np.int64(p)]
        i, c = 0, 0
        while c < width:
            if i < n_runs and runs[i] == c:
                i += 2
            if result[other, c] != runs[i - 1]:
                break
            c += 1
        if c == width:
            return np.int64(other)
        p = (p + np.uint64(1)) & mask
    slots[np.int64(p)] = count
    for i in range(0, n_runs, 2):
        past = runs[i + 2] if i + 2 < n_runs else width
        for c in range(runs[i], past):
            result[count, c] = runs[i + 1]
    return np.int64(count)


@kernel
def _place(result: Int32Array, slots: Int32Array, state: Int, runs: Int32Array) -> None:
    """Find a slot for a state that has none. ``runs``: room for its own."""
    n_runs = 0
    for c in range(result.shape[1]):
        if c == 0 or result[state, c] != result[state, c - 1]:
            runs[n_runs] = c
            runs[n_runs + 1] = result[state, c]
            n_runs += 2
    mask = np.uint64(slots.shape[0] - 1)
    p = _hashed(runs, 0, n_runs, 0) & mask
    while slots[np.int64(p)] != 0:
        p = (p + np.uint64(1)) & mask
    slots[np.int64(p)] = state


@kernel
def _twice(array: Int32Array) -> Int32Array:
    bigger = np.zeros(2 * array.shape[0], np.int32)
    bigger[: array.shape[0]] = array
    return bigger
