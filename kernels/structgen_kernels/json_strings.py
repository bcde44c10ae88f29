"""Offline kernel: minimal automata of finite sets of JSON strings, and of all strings but these.

"Any other name" than a schema's properties is one of these, and so are enumerations and names in sets. Going
through regular expressions, determinising and minimising took ten times as long.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

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
from structgen_kernels.jit import BoolArray, ByteArray, Int, Int32Array, Int64Array, kernel
from structgen_kernels.minimise import canonical_form

Bits = NDArray[np.uint64]

_MOST_STEPS = 12  # \uD83D\uDE00
_SPELLINGS = 3
# what an escape is written with
_ALONE = np.frombuffer(b'"\\/bfnrtu0123456789ABCDEFabcdef', np.uint8)


@kernel
def _hex(digit: Int, step: Int, low: Int64Array, high: Int64Array) -> None:
    """Both cases of a hex digit as a step."""
    if digit < 10:
        low[step] = high[step] = 0x30 + digit
    else:
        low[step] = 0x41 + digit - 10
        high[step] = 0x61 + digit - 10


@kernel
def _spelling(point: Int, which: Int, low: Int64Array, high: Int64Array) -> Int:
    """One way to write a code point inside a JSON string (RFC 8259, section 7).

    which: 0 hex escape, 1 short escape, 2 raw UTF-8. Writes for each step its one or two bytes to low,
    high int64 (12,); returns the number of steps, 0 when the code point has no such spelling.
    """
    if which == 0:
        step = 0
        for half in range(1 if point < SUPPLEMENTARY else 2):
            low[step] = high[step] = BACKSLASH
            low[step + 1] = high[step + 1] = U
            for i in range(4):
                _hex(hex_digit(point, half, i), step + 2 + i, low, high)
            step += 6
        return step
    if which == 1:
        letter = short_escape(point)
        if letter < 0:
            return 0
        low[0] = high[0] = BACKSLASH
        low[1] = high[1] = letter
        return 2
    size = utf8_size(point)
    if utf8_byte(point, size, 0) < 0:
        return 0
    for i in range(size):
        low[i] = high[i] = utf8_byte(point, size, i)
    return size


@kernel
def _copy(source: Int32Array, i: Int, target: Int32Array, j: Int) -> None:
    # a loop: slices cost seconds of compilation
    for k in range(source.shape[1]):
        target[j, k] = source[i, k]


@kernel
def _weights(n_classes: Int) -> Bits:
    """Odd numbers without pattern (SplitMix: Steele, Lea, Flood, OOPSLA 2014)."""
    weights = np.zeros(n_classes, np.uint64)
    for i in range(n_classes):
        z = np.uint64(i + 1) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        weights[i] = z | np.uint64(1)
    return weights


@kernel
def _hash(rows: Int32Array, j: Int, weights: Bits) -> np.uint64:
    """A weighted sum, which compiles to wide instructions; rows are long, and mostly zeros."""
    total = np.uint64(0)
    for i in range(rows.shape[1]):
        total += np.uint64(rows[j, i]) * weights[i]
    return total ^ (total >> np.uint64(32))


@kernel
def _slot(table: Int32Array, slots: Int32Array, hashes: Bits, rows: Int32Array, j: Int, h: np.uint64) -> Int:
    """The slot of ``rows[j]``, whose hash is ``h``: of the state that has this row, or an empty one.

    ``hashes`` uint64 (states,): of the rows of ``table``.
    """
    mask = slots.shape[0] - 1
    slot = np.int64(h & np.uint64(mask))
    while slots[slot] != 0:
        known = slots[slot]
        same = hashes[known] == h
        i = 0
        while same and i < rows.shape[1]:
            same = table[known, i] == rows[j, i]
            i += 1
        if same:
            return slot
        slot = (slot + 1) & mask
    return slot


@kernel
def _slots(hashes: Bits, count: Int, size: Int) -> Int32Array:
    """A larger table of slots for the states 2 to ``count - 1``, no two of which are alike."""
    slots = np.zeros(size, np.int32)
    for state in range(2, count):
        slot = np.int64(hashes[state] & np.uint64(size - 1))
        while slots[slot] != 0:
            slot = (slot + 1) & (size - 1)
        slots[slot] = state
    return slots


@kernel
def _fine_classes(points: Int32Array, outer_class: ByteArray) -> tuple[ByteArray, Int64Array, Int]:
    """Byte classes by first byte: those of ``outer_class``, but each byte of a spelling on its own.

    Returns (class of each byte uint8 (256,), first byte of each class int64 (256,), number of classes).
    """
    alone = np.zeros(256, np.bool_)
    for i in range(_ALONE.shape[0]):
        alone[_ALONE[i]] = True
    low = np.zeros(_MOST_STEPS, np.int64)
    high = np.zeros(_MOST_STEPS, np.int64)
    for i in range(points.shape[0]):
        if points[i] < 0x80:
            alone[points[i]] = True
        else:
            for step in range(_spelling(np.int64(points[i]), np.int64(2), low, high)):
                alone[low[step]] = True
    class_of = np.zeros(256, np.uint8)
    first_byte = np.zeros(256, np.int64)
    of_outer = np.zeros(256, np.int64) - 1
    count = 0
    for byte in range(256):
        if alone[byte] or of_outer[outer_class[byte]] < 0:
            if not alone[byte]:
                of_outer[outer_class[byte]] = count
            class_of[byte] = count
            first_byte[count] = byte
            count += 1
        else:
            class_of[byte] = of_outer[outer_class[byte]]
    return class_of, first_byte, count


@kernel
def spell_strings(
    points: Int32Array,
    begin: Int32Array,
    outer: Int32Array,
    outer_class: ByteArray,
    accepting: BoolArray,
    inside: Int,
    end_target: Int,
) -> tuple[Int32Array, ByteArray, BoolArray]:
    """The strings of a sorted list, or all but these, as an automaton numbered breadth-first.

    points int32: the code points of all texts; begin int32 (n+1): where each begins; sorted, distinct.
    outer int32 (m, c), outer_class uint8 (256,), accepting bool (m,): the automaton outside the texts:
    0 dead, 1 start, ``inside`` the state after the opening quote. end_target: where a closing quote
    leads after one of the texts. For the texts alone, the outer one is two states and an accepting one,
    inside is 0 and end_target the accepting state; for all others, it is the automaton of any string,
    and end_target is 0. Returns (table int32 (k, d), byte class uint8 (256,), accepting bool (k,)) in
    the canonical form of `Dfa`.

    The texts are read in order; a trie node that no later text can reach is replaced by states for its
    spellings, found again when the same were made before (Daciuk et al., Incremental construction of
    minimal acyclic finite-state automata, 2000, algorithm 1). So the result is minimal as it is made,
    where the base is. O(code points x classes).
    """
    class_of, first_byte, n_classes = _fine_classes(points, outer_class)
    n_base = outer.shape[0]
    base = np.zeros((n_base, n_classes), np.int32)
    for state in range(n_base):
        for i in range(n_classes):
            base[state, i] = outer[state, outer_class[first_byte[i]]]
    n_texts = begin.shape[0] - 1
    table = np.zeros((2 * n_base + 64, n_classes), np.int32)
    for state in range(n_base):
        _copy(base, state, table, state)
    count: Int = np.int64(n_base)
    weights = _weights(n_classes)
    hashes = np.zeros(table.shape[0], np.uint64)
    for state in range(2, n_base):
        hashes[state] = _hash(table, state, weights)
    slots = _slots(hashes, count, 1024)
    longest = 0
    for t in range(n_texts):
        longest = max(longest, begin[t + 1] - begin[t])
    first_child = np.zeros(longest + 1, np.int64) - 1  # of the open trie node at each depth
    n_children = np.zeros(longest + 1, np.int64)
    is_end = np.zeros(longest + 1, np.bool_)
    child_point = np.zeros(points.shape[0] + 1, np.int64)
    child_state = np.zeros(points.shape[0] + 1, np.int32)
    next_child = np.zeros(points.shape[0] + 1, np.int64)
    used = 0
    low = np.zeros(_MOST_STEPS, np.int64)
    high = np.zeros(_MOST_STEPS, np.int64)
    quote = class_of[QUOTE]
    root: Int = np.int64(0)
    previous: Int = np.int64(-1)
    for t in range(n_texts + 1):
        shared: Int = np.int64(-1)  # depth of the last trie node in common with the text before
        if t < n_texts:
            shared = 0
            if previous >= 0:
                while (
                    begin[t] + shared < begin[t + 1]
                    and begin[previous] + shared < begin[previous + 1]
                    and points[begin[t] + shared] == points[begin[previous] + shared]
                ):
                    shared += 1
        depth: Int = np.int64(-1) if previous < 0 else np.int64(begin[previous + 1] - begin[previous])
        while depth > shared:
            # close the node: local states for the insides of its children's spellings; a row refers to
            # local state j by -j
            capacity = 1 + n_children[depth] * (_SPELLINGS * _MOST_STEPS)
            rows = np.empty((capacity, n_classes), np.int32)
            templates = np.zeros(capacity, np.int64)
            templates[0] = inside
            _copy(base, inside, rows, 0)
            n_rows = 1
            child = first_child[depth]
            while child >= 0:
                for which in range(_SPELLINGS):
                    n_steps = _spelling(child_point[child], np.int64(which), low, high)
                    current = 0
                    for step in range(n_steps - 1):
                        a, b = class_of[low[step]], class_of[high[step]]
                        if rows[current, a] >= 0:
                            templates[n_rows] = base[templates[current], a]
                            _copy(base, templates[n_rows], rows, n_rows)
                            rows[current, a] = -n_rows
                            rows[current, b] = -n_rows
                            n_rows += 1
                        current = -rows[current, a]
                    if n_steps > 0:
                        rows[current, class_of[low[n_steps - 1]]] = child_state[child]
                        rows[current, class_of[high[n_steps - 1]]] = child_state[child]
                child = next_child[child]
            if is_end[depth]:
                rows[0, quote] = end_target
            for j in range(n_rows - 1, -1, -1):
                for i in range(n_classes):
                    if rows[j, i] < 0:
                        rows[j, i] = templates[-rows[j, i]]
                h = _hash(rows, j, weights)
                slot = _slot(table, slots, hashes, rows, j, h)
                if slots[slot] == 0:
                    if count == table.shape[0]:
                        bigger = np.zeros((2 * count, n_classes), np.int32)
                        for other in range(count):
                            _copy(table, other, bigger, other)
                        table = bigger
                        hashes = np.concatenate((hashes, hashes))
                    _copy(rows, j, table, count)
                    hashes[count] = h
                    slots[slot] = count
                    count += 1
                    if 2 * count > slots.shape[0]:
                        slots = _slots(hashes, count, 2 * slots.shape[0])
                        slot = _slot(table, slots, hashes, rows, j, h)
                # a local state's template is needed no more: its place keeps the state's number
                templates[j] = slots[slot]
            state = templates[0]
            if depth == 0:
                root = state
            else:
                child_point[used] = points[begin[previous] + depth - 1]
                child_state[used] = state
                next_child[used] = first_child[depth - 1]
                first_child[depth - 1] = used
                n_children[depth - 1] += 1
                used += 1
            first_child[depth] = -1
            n_children[depth] = 0
            is_end[depth] = False
            depth -= 1
        if t < n_texts:
            is_end[begin[t + 1] - begin[t]] = True
        previous = t
    _copy(base, 1, table, 1)
    table[1, quote] = root
    accepts = np.zeros(table.shape[0], np.bool_)
    for state in range(n_base):
        accepts[state] = accepting[state]
    return canonical_form(table, count, accepts, class_of)
