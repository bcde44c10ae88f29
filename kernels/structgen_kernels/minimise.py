"""Offline kernels that make byte automata minimal and number their states.

Automata are complete tables (state 0 dead, state 1 start). These run at compile time, not in the token
loop, so they allocate what they return.
"""

from __future__ import annotations

import numpy as np

from structgen_kernels.jit import BoolArray, ByteArray, Int, Int32Array, Int64Array, kernel


@kernel
def minimise(table: Int32Array, accepting: BoolArray) -> tuple[Int32Array, BoolArray]:
    """The minimal trimmed automaton of a complete table, numbered breadth-first.

    table int32 (k, c), accepting bool (k,): state 0 dead, 1 start. Returns (table, accepting), state 0
    dead, 1 start; the empty language has both states and accepts in neither. Columns that are alike count as
    one; states from which no cycle is reached are merged bottom-up (Revuz 1992), O(k c); the others by
    `_refined`, O(m log n).
    """
    n_classes = table.shape[1]
    columns, like = distinct_columns(table)
    if columns.shape[0] < n_classes:
        narrow = np.zeros((table.shape[0], columns.shape[0]), np.int32)
        for s in range(table.shape[0]):
            for c in range(columns.shape[0]):
                narrow[s, c] = table[s, columns[c]]
    else:
        narrow = table.copy()
    useful, order = _trimmed(narrow, accepting)
    if not useful[1]:
        return np.zeros((2, n_classes), np.int32), np.zeros(2, np.bool_)
    is_acyclic, order = _merge_acyclic(narrow, accepting, order)
    if is_acyclic:
        least, accepts = numbered(narrow, accepting)
    else:
        least, accepts = _refined(narrow, accepting, order)
    if columns.shape[0] == n_classes:
        return least, accepts
    wide = np.zeros((least.shape[0], n_classes), np.int32)
    for s in range(least.shape[0]):
        for c in range(n_classes):
            wide[s, c] = least[s, like[c]]
    return wide, accepts


@kernel
def distinct_columns(table: Int32Array) -> tuple[Int64Array, Int64Array]:
    """(int64, the first of each kind of column; int64 (c,), which of these each column is like)."""
    k, n_classes = table.shape
    # most columns are like the one before: those are told by a pass that compiles to wide instructions
    differs = np.zeros(n_classes, np.int32)
    for s in range(k):
        for c in range(1, n_classes):
            differs[c] |= table[s, c] ^ table[s, c - 1]
    hashes = np.full(n_classes, 1469598103934665603, np.uint64)
    columns = np.zeros(n_classes, np.int64)
    n = 0
    for c in range(n_classes):
        if c == 0 or differs[c] != 0:
            columns[n] = c
            n += 1
    for s in range(k):
        for i in range(n):
            c = columns[i]
            hashes[c] = (hashes[c] ^ np.uint64(table[s, c])) * np.uint64(1099511628211)
    like = np.zeros(n_classes, np.int64)
    n = 0
    for c in range(n_classes):
        if c > 0 and differs[c] == 0:
            like[c] = like[c - 1]
            continue
        kind = n
        for i in range(n):
            if hashes[columns[i]] == hashes[c]:
                s = 0
                while s < k and table[s, columns[i]] == table[s, c]:
                    s += 1
                if s == k:
                    kind = i
                    break
        if kind == n:
            columns[n] = c
            n += 1
        like[c] = kind
    return columns[:n].copy(), like


@kernel
def _trimmed(table: Int32Array, accepting: BoolArray) -> tuple[BoolArray, Int32Array]:
    """Cut what is not reached or leads to no accepting state out of ``table``.

    Returns bool (k,), the states that are left, and these breadth-first; the start counts as left only when
    it leads to an accepting state.
    """
    k, n_classes = table.shape
    reached = np.zeros(k, np.bool_)
    order = np.zeros(k, np.int32)
    reached[1] = True
    order[0] = 1
    n_order = 1
    i = 0
    while i < n_order:
        for c in range(n_classes):
            t = table[order[i], c]
            if t != 0 and not reached[t]:
                reached[t] = True
                order[n_order] = t
                n_order += 1
        i += 1
    begin, tails = _incoming(table, order[:n_order])
    useful = np.zeros(k, np.bool_)
    stack = np.zeros(k, np.int32)
    n_stack = 0
    for i in range(n_order):
        if accepting[order[i]]:
            useful[order[i]] = True
            stack[n_stack] = order[i]
            n_stack += 1
    while n_stack > 0:
        n_stack -= 1
        s = stack[n_stack]
        for e in range(begin[s], begin[s + 1]):
            if not useful[tails[e]]:
                useful[tails[e]] = True
                stack[n_stack] = tails[e]
                n_stack += 1
    n = 0
    for i in range(n_order):
        s = order[i]
        if useful[s]:
            order[n] = s
            n += 1
            for c in range(n_classes):
                if not useful[table[s, c]]:
                    table[s, c] = 0
    return useful, order[:n].copy()


@kernel
def _incoming(table: Int32Array, order: Int32Array) -> tuple[Int64Array, Int32Array]:
    """From which states of ``order`` each state is reached: int64 (k + 1,) offsets; int32 states."""
    k, n_classes = table.shape
    begin = np.zeros(k + 1, np.int64)
    last = np.zeros(k, np.int32)  # from where a state was reached last
    for i in range(order.shape[0]):
        for c in range(n_classes):
            t = table[order[i], c]
            if t != 0 and last[t] != order[i]:
                last[t] = order[i]
                begin[t + 1] += 1
    for i in range(k):
        begin[i + 1] += begin[i]
    last[:] = 0
    fill = begin.copy()
    tails = np.zeros(max(1, int(begin[k])), np.int32)
    for i in range(order.shape[0]):
        for c in range(n_classes):
            t = table[order[i], c]
            if t != 0 and last[t] != order[i]:
                last[t] = order[i]
                tails[fill[t]] = order[i]
                fill[t] += 1
    return begin, tails


@kernel
def _merge_acyclic(table: Int32Array, accepting: BoolArray, order: Int32Array) -> tuple[bool, Int32Array]:
    """Lead every transition into one of the states that are alike and reach no cycle.

    A trimmed table and its states. A state is looked at when all that follow it have been, so that two are
    alike exactly when both accept or neither does, and their rows are the same. Returns whether these were
    all states, and the states that are left, in their order.
    """
    k, n_classes = table.shape
    n = order.shape[0]
    begin, tails = _incoming(table, order)
    missing = np.zeros(k, np.int32)  # states that follow and were not looked at
    ready = np.zeros(n + 1, np.int32)
    n_ready = 0
    for e in range(begin[k]):
        missing[tails[e]] += 1
    for i in range(n):
        if missing[order[i]] == 0:
            ready[n_ready] = order[i]
            n_ready += 1
    like = np.arange(k).astype(np.int32)
    size = 4
    while size < 2 * n:
        size *= 2
    mask = np.uint64(size - 1)
    slots = np.zeros(size, np.int32)
    done = 0
    while done < n_ready:
        s = ready[done]
        done += 1
        h = np.uint64(1469598103934665603)
        for c in range(n_classes):
            table[s, c] = like[table[s, c]]
            h = (h ^ np.uint64(table[s, c])) * np.uint64(1099511628211)
            h ^= h >> np.uint64(29)
        if accepting[s]:
            h = ~h
        p = h & mask
        while slots[np.int64(p)] != 0:
            other = slots[np.int64(p)]
            if accepting[other] == accepting[s]:
                c = 0
                while c < n_classes and table[other, c] == table[s, c]:
                    c += 1
                if c == n_classes:
                    like[s] = other
                    break
            p = (p + np.uint64(1)) & mask
        if like[s] == s:
            slots[np.int64(p)] = s
        for e in range(begin[s], begin[s + 1]):
            missing[tails[e]] -= 1
            if missing[tails[e]] == 0:
                ready[n_ready] = tails[e]
                n_ready += 1
    left = np.zeros(n, np.int32)
    n_left = 0
    for i in range(n):
        s = order[i]
        if missing[s] > 0:
            for c in range(n_classes):
                table[s, c] = like[table[s, c]]
        if like[s] == s:
            left[n_left] = s
            n_left += 1
    return n_ready == n, left[:n_left].copy()


@kernel
def numbered(table: Int32Array, accepting: BoolArray) -> tuple[Int32Array, BoolArray]:
    """The states that are reached, numbered breadth-first along the columns: as `minimise` returns them.

    table int32 (k, c), accepting bool (k,).
    """
    k, n_classes = table.shape
    number = np.zeros(k, np.int32)
    order = np.zeros(k, np.int32)
    number[1] = 1
    order[1] = 1
    count = 2
    i = 1
    while i < count:
        for c in range(n_classes):
            t = table[order[i], c]
            if t != 0 and number[t] == 0:
                number[t] = count
                order[count] = t
                count += 1
        i += 1
    result = np.zeros((count, n_classes), np.int32)
    accepts = np.zeros(count, np.bool_)
    for i in range(1, count):
        accepts[i] = accepting[order[i]]
        for c in range(n_classes):
            result[i, c] = number[table[order[i], c]]
    return result, accepts


@kernel
def canonical_form(
    table: Int32Array, count: Int, accepting: BoolArray, byte_class: ByteArray
) -> tuple[Int32Array, ByteArray, BoolArray]:
    """The canonical form of a minimal automaton: like columns are one class, classes are numbered by their
    first byte, states breadth-first.

    table int32 (any, c): its first ``count`` rows count, of which all are reached. accepting bool (any,): of
    the first states, others do not accept. byte_class uint8 (256,). The table is copied once: that is what
    most of the time goes into where it is large, as its memory is new. O(k c).
    """
    columns, like = distinct_columns(table[:count])
    width = columns.shape[0]
    class_of = np.full(width, -1, np.int64)
    by_first = np.zeros(width, np.int64)
    merged = np.zeros(256, np.uint8)
    n = 0
    for byte in range(256):
        kind = like[byte_class[byte]]
        if class_of[kind] < 0:
            class_of[kind] = n
            by_first[n] = columns[kind]
            n += 1
        merged[byte] = class_of[kind]
    number = np.zeros(count, np.int32)
    order = np.zeros(count, np.int32)
    number[1] = 1
    order[1] = 1
    n_numbered = 2
    i = 1
    while i < n_numbered:
        for j in range(n):
            after = table[order[i], by_first[j]]
            if after != 0 and number[after] == 0:
                number[after] = n_numbered
                order[n_numbered] = after
                n_numbered += 1
        i += 1
    result = np.empty((n_numbered, n), np.int32)
    accepts = np.zeros(n_numbered, np.bool_)
    result[0, :] = 0
    for i in range(1, n_numbered):
        accepts[i] = order[i] < accepting.shape[0] and accepting[order[i]]
        for j in range(n):
            result[i, j] = number[table[order[i], by_first[j]]]
    return result, merged, accepts


@kernel
def minimal_form(
    table: Int32Array, accepting: BoolArray, byte_class: ByteArray
) -> tuple[Int32Array, ByteArray, BoolArray]:
    """The minimal automaton of a complete table, int32 (k, c), in its canonical form."""
    merged, accepts = minimise(table, accepting)
    return canonical_form(merged, merged.shape[0], accepts, byte_class)


@kernel
def _refined(table: Int32Array, accepting: BoolArray, order: Int32Array) -> tuple[Int32Array, BoolArray]:
    """The minimal automaton of a trimmed table and its states, the start first."""
    n_classes = table.shape[1]
    block_of, n_blocks = _blocks(table, accepting, order)
    merged = np.zeros((n_blocks + 1, n_classes), np.int32)
    accepts = np.zeros(n_blocks + 1, np.bool_)
    # the start's block becomes state 1; `numbered` puts the others in order
    start = block_of[1]
    for i in range(order.shape[0]):
        b = block_of[order[i]]
        state = 1 if b == start else (start if b == 1 else b)
        accepts[state] = accepting[order[i]]
        for c in range(n_classes):
            b = block_of[table[order[i], c]]
            merged[state, c] = 1 if b == start else (start if b == 1 else b)
    return numbered(merged, accepts)


@kernel
def _blocks(table: Int32Array, accepting: BoolArray, order: Int32Array) -> tuple[Int32Array, Int]:
    """Which states of a trimmed table are alike: int32 (k,), the block of each, from 1 on; their number.

    Rounds as Moore's (1956), but a round looks only at states from which a state is reached whose block got
    another number in the last one. All others of their blocks are unlike them, as numbers are new; and the
    largest part of a block keeps its number, as Hopcroft's (1971), so that a state's number changes at most
    log2 n times.
    """
    k, n_classes = table.shape
    n = order.shape[0]
    begin, tails = _incoming(table, order)
    block_of = np.zeros(k, np.int32)
    # the states of block b: elements[first[b] : past[b]]
    elements = np.zeros(n, np.int32)
    location = np.zeros(k, np.int32)
    first = np.zeros(n + 2, np.int32)
    past = np.zeros(n + 2, np.int32)
    at = 0
    n_blocks = 0
    for accepts in (accepting[order[0]], not accepting[order[0]]):
        first[n_blocks + 1] = at
        for i in range(n):
            if accepting[order[i]] == accepts:
                block_of[order[i]] = n_blocks + 1
                location[order[i]] = at
                elements[at] = order[i]
                at += 1
        past[n_blocks + 1] = at
        if at > first[n_blocks + 1]:
            n_blocks += 1
    dirty = order.copy()
    n_dirty = n
    is_dirty = np.ones(k, np.bool_)
    group_of = np.zeros(n, np.int32)  # of dirty[i]
    group_begin = np.zeros(n + 2, np.int32)
    by_group = np.zeros(n, np.int32)
    representative = np.zeros(n + 1, np.int32)
    largest = np.zeros(n + 2, np.int32)  # of a block: its largest group, and how many of its states are dirty
    n_dirty_in = np.zeros(n + 2, np.int32)
    changed = np.zeros(n, np.int32)
    while n_dirty > 0:
        # states with equal rows of blocks form groups
        size = 4
        while size < 2 * n_dirty:
            size *= 2
        mask = np.uint64(size - 1)
        slots = np.zeros(size, np.int32)
        n_groups = 0
        group_begin[: n_dirty + 2] = 0
        for i in range(n_dirty):
            s = dirty[i]
            h = np.uint64(block_of[s])
            for c in range(n_classes):
                h = (h ^ np.uint64(block_of[table[s, c]])) * np.uint64(0x9E3779B97F4A7C15)
                h ^= h >> np.uint64(29)
            p = h & mask
            group = 0
            while slots[np.int64(p)] != 0:
                other = representative[slots[np.int64(p)]]
                if block_of[other] == block_of[s]:
                    c = 0
                    while c < n_classes and block_of[table[other, c]] == block_of[table[s, c]]:
                        c += 1
                    if c == n_classes:
                        group = slots[np.int64(p)]
                        break
                p = (p + np.uint64(1)) & mask
            if group == 0:
                n_groups += 1
                group = n_groups
                representative[group] = s
                slots[np.int64(p)] = group
            group_of[i] = group
            group_begin[group + 1] += 1
        for group in range(1, n_groups + 1):
            block = block_of[representative[group]]
            count = group_begin[group + 1]
            kept = largest[block]
            if kept == 0 or count > group_begin[kept + 1] - group_begin[kept]:
                largest[block] = group
            n_dirty_in[block] += count
            group_begin[group + 1] += group_begin[group]
        for i in range(n_dirty):
            group = group_of[i]
            by_group[group_begin[group]] = dirty[i]
            group_begin[group] += 1
        for group in range(n_groups, 0, -1):
            group_begin[group] = group_begin[group - 1] if group > 1 else 0
        # the parts of a block but its largest get new numbers
        n_changed = 0
        n_before = n_blocks
        for group in range(1, n_groups + 1):
            block = block_of[representative[group]]
            if n_dirty_in[block] > 0:  # the first of this block's groups
                kept = largest[block]
                n_clean = past[block] - first[block] - n_dirty_in[block]
                n_dirty_in[block] = 0
                if n_clean >= group_begin[kept + 1] - group_begin[kept]:
                    largest[block] = -1
                elif n_clean > 0:
                    begin_changed = n_changed
                    for i in range(first[block], past[block]):
                        if not is_dirty[elements[i]]:
                            changed[n_changed] = elements[i]
                            n_changed += 1
                    n_blocks += 1
                    _move(changed, begin_changed, n_changed, block, n_blocks, elements, location, first, past)
            if largest[block] == group:
                continue
            begin_changed = n_changed
            for i in range(group_begin[group], group_begin[group + 1]):
                changed[n_changed] = by_group[i]
                n_changed += 1
            n_blocks += 1
            _move(changed, begin_changed, n_changed, block, n_blocks, elements, location, first, past)
        for group in range(1, n_groups + 1):
            largest[block_of[representative[group]]] = 0
        for i in range(n_dirty):
            is_dirty[dirty[i]] = False
        for block in range(n_before + 1, n_blocks + 1):
            for i in range(first[block], past[block]):
                block_of[elements[i]] = block
        n_dirty = 0
        for i in range(n_changed):
            for e in range(begin[changed[i]], begin[changed[i] + 1]):
                s = tails[e]
                if not is_dirty[s]:
                    is_dirty[s] = True
                    dirty[n_dirty] = s
                    n_dirty += 1
    return block_of, n_blocks


@kernel
def _move(
    states: Int32Array,
    low: Int,
    high: Int,
    block: Int,
    new_block: Int,
    elements: Int32Array,
    location: Int32Array,
    first: Int32Array,
    past: Int32Array,
) -> None:
    """Make ``states[low:high]`` a block of their own: they go to the end of theirs."""
    for i in range(low, high):
        past[block] -= 1
        other = elements[past[block]]
        place = location[states[i]]
        elements[place] = other
        location[other] = place
        elements[past[block]] = states[i]
        location[states[i]] = past[block]
    first[new_block] = past[block]
    past[new_block] = past[block] + high - low
