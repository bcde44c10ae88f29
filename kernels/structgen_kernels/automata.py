"""Offline kernels on byte automata: subset construction, product, minimisation, canonical numbering.

Automata come as edge arrays or as complete tables (state 0 dead, state 1 start). These run at compile
time, not in the token loop, so they allocate what they return.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from structgen_kernels.jit import BoolArray, ByteArray, Int, Int32Array, Int64Array, kernel
from structgen_kernels.layout import (
    ACCEPTS,
    ALIVE,
    CLASS_MAP,
    FLAGS,
    LEADS_ON,
    ROW,
)
from structgen_kernels.minimise import minimal_form, minimise

# Refused sizes are reported by a negative count rather than an exception.
TOO_MANY_STATES = -1
TOO_MUCH_WORK = -2
_KNOWN_BITS = 6
_KNOWN_SETS = 1 << _KNOWN_BITS


@kernel
def _hash_run(values: Int32Array, begin: Int, end: Int) -> np.uint64:
    h = np.uint64(1469598103934665603)
    for i in range(begin, end):
        h = (h ^ np.uint64(values[i])) * np.uint64(1099511628211)
        h ^= h >> np.uint64(29)
    return h


@kernel
def _grown(array: npt.NDArray[Any], needed: Int) -> npt.NDArray[Any]:
    size = array.shape[0]
    while size < needed:
        size *= 2
    bigger = np.zeros(size, array.dtype)
    bigger[: array.shape[0]] = array
    return bigger


@kernel
def _sorted(values: Int32Array, count: Int) -> Int32Array:
    """The first ``count`` values in order; few of them are put in order where they are."""
    if count > 32:
        return np.sort(values[:count])
    for i in range(1, count):
        value = values[i]
        j = i
        while j > 0 and values[j - 1] > value:
            values[j] = values[j - 1]
            j -= 1
        values[j] = value
    return values


@kernel
def determinise(
    edge_begin: Int32Array,
    edges: Int32Array,
    eps_begin: Int32Array,
    eps: Int32Array,
    start: Int,
    final: Int,
    n_classes: Int,
    max_states: Int,
    max_work: Int,
) -> tuple[Int32Array, BoolArray, Int]:
    """Subset construction (Rabin and Scott 1959) of an NFA with edges over ranges of byte classes.

    edge_begin int32 (n+1), edges int32 (m, 3) rows (first class, last class, target) grouped by source;
    eps_begin int32 (n+1), eps int32: targets of empty edges. Returns (table int32 (k, n_classes),
    accepting bool (k,), count): state 0 dead, 1 start; count is TOO_MANY_STATES when more than max_states
    were needed, TOO_MUCH_WORK when more than max_work steps along an NFA's edges were taken.
    """
    n = edge_begin.shape[0] - 1
    capacity = 64
    table = np.zeros((capacity, n_classes), np.int32)
    accepting = np.zeros(capacity, np.bool_)
    set_begin = np.zeros(capacity + 1, np.int64)
    members = np.zeros(1024, np.int32)
    slots = np.zeros(256, np.int32)
    stamp = np.zeros(n, np.int64)
    work = np.zeros(n + 1, np.int32)
    found = np.zeros(n + 1, np.int32)
    seeds = np.zeros(n + 1, np.int32)
    clock = np.int64(0)
    n_steps = np.int64(0)
    # classes between two ends of a set's edges behave alike: they are stepped together, as one interval
    is_cut = np.zeros(n_classes + 1, np.bool_)
    interval_of = np.zeros(n_classes + 1, np.int32)
    begins = np.zeros(n_classes + 1, np.int32)
    # the steps of a set: for each interval a linked list of targets
    head = np.zeros(n_classes, np.int64)
    step_target = np.zeros(256, np.int32)
    step_next = np.zeros(256, np.int64)
    count = 2  # the dead state and the start
    set_begin[1] = 0
    source = 1
    first = True
    while source < count or first:
        n_intervals = 1
        if not first:
            is_cut[:] = False
            for i in range(set_begin[source], set_begin[source + 1]):
                state = members[i]
                for e in range(edge_begin[state], edge_begin[state + 1]):
                    is_cut[edges[e, 0]] = True
                    is_cut[edges[e, 1] + 1] = True
            n_intervals = 0
            for c in range(n_classes):
                if is_cut[c] or c == 0:
                    begins[n_intervals] = c
                    head[n_intervals] = -1
                    n_intervals += 1
                interval_of[c] = n_intervals - 1
            begins[n_intervals] = n_classes
            interval_of[n_classes] = n_intervals
            n_listed = np.int64(0)
            for i in range(set_begin[source], set_begin[source + 1]):
                state = members[i]
                for e in range(edge_begin[state], edge_begin[state + 1]):
                    low, past = interval_of[edges[e, 0]], interval_of[edges[e, 1] + 1]
                    if n_listed + past - low > step_target.shape[0]:
                        step_target = _grown(step_target, n_listed + past - low)
                        step_next = _grown(step_next, n_listed + past - low)
                    for t in range(low, past):
                        step_target[n_listed] = edges[e, 2]
                        step_next[n_listed] = head[t]
                        head[t] = n_listed
                        n_listed += 1
            n_steps += n_listed
            if n_steps > max_work:
                return table, accepting, TOO_MUCH_WORK
        for t in range(n_intervals):
            # seeds: targets of the interval (or the start state, the very first time)
            n_seeds = 0
            clock += 1
            if first:
                seeds[0] = start
                stamp[start] = clock
                n_seeds = 1
            else:
                at = head[t]
                while at >= 0:
                    target = step_target[at]
                    if stamp[target] != clock:
                        stamp[target] = clock
                        seeds[n_seeds] = target
                        n_seeds += 1
                    at = step_next[at]
            if n_seeds == 0:
                continue
            # closure over empty edges; only states with byte edges, and the final one, tell sets apart
            n_work = 0
            for i in range(n_seeds):
                work[n_work] = seeds[i]
                n_work += 1
            n_found = 0
            accepts = False
            while n_work > 0:
                n_work -= 1
                state = work[n_work]
                if state == final:
                    accepts = True
                if edge_begin[state + 1] > edge_begin[state]:
                    found[n_found] = state
                    n_found += 1
                for e in range(eps_begin[state], eps_begin[state + 1]):
                    target = eps[e]
                    if stamp[target] != clock:
                        stamp[target] = clock
                        work[n_work] = target
                        n_work += 1
            ordered = _sorted(found, n_found)
            h = _hash_run(ordered, 0, n_found)
            if accepts:
                h = ~h
            mask = np.uint64(slots.shape[0] - 1)
            position = h & mask
            target_id = 0
            if not first:
                while slots[np.int64(position)] != 0:
                    other = slots[np.int64(position)]
                    begin = set_begin[other]
                    if set_begin[other + 1] - begin == n_found and accepting[other] == accepts:
                        same = True
                        for i in range(n_found):
                            if members[begin + i] != ordered[i]:
                                same = False
                                break
                        if same:
                            target_id = other
                            break
                    position = (position + np.uint64(1)) & mask
            if target_id == 0:
                target_id = 1 if first else count
                if not first:
                    count += 1
                if count > max_states:
                    return table, accepting, TOO_MANY_STATES
                if count + 1 >= capacity:
                    bigger = np.zeros((capacity * 2, n_classes), np.int32)
                    bigger[:capacity] = table
                    table = bigger
                    accepting = _grown(accepting, capacity * 2)
                    set_begin = _grown(set_begin, capacity * 2 + 1)
                    capacity *= 2
                begin = set_begin[target_id]
                if begin + n_found >= members.shape[0]:
                    members = _grown(members, begin + n_found + 1)
                for i in range(n_found):
                    members[begin + i] = ordered[i]
                set_begin[target_id + 1] = begin + n_found
                accepting[target_id] = accepts
                if count * 2 > slots.shape[0]:
                    slots = np.zeros(slots.shape[0] * 4, np.int32)
                    mask = np.uint64(slots.shape[0] - 1)
                    for other in range(1, count):
                        h2 = _hash_run(members, set_begin[other], set_begin[other + 1])
                        if accepting[other]:
                            h2 = ~h2
                        p = h2 & mask
                        while slots[np.int64(p)] != 0:
                            p = (p + np.uint64(1)) & mask
                        slots[np.int64(p)] = other
                else:
                    while slots[np.int64(position)] != 0:
                        position = (position + np.uint64(1)) & mask
                    slots[np.int64(position)] = target_id
            if not first:
                table[source, begins[t] : begins[t + 1]] = target_id
        if first:
            first = False
        else:
            source += 1
    return table[:count].copy(), accepting[:count].copy(), count


@kernel
def _grouped(pairs: Int32Array, n_states: Int) -> tuple[Int32Array, Int32Array]:
    """int32 (n_states + 1,), where the rows of each state begin; int32 (m,), the rows in that order.

    pairs int32 (m, any): of which the first column is the state.
    """
    begin = np.zeros(n_states + 1, np.int32)
    for i in range(pairs.shape[0]):
        begin[pairs[i, 0] + 1] += 1
    for state in range(n_states):
        begin[state + 1] += begin[state]
    fill = begin.copy()
    order = np.zeros(pairs.shape[0], np.int32)
    for i in range(pairs.shape[0]):
        order[fill[pairs[i, 0]]] = i
        fill[pairs[i, 0]] += 1
    return begin, order


@kernel
def subsets(
    edges: Int32Array,
    empty: Int32Array,
    n_states: Int,
    start: Int,
    final: Int,
    n_classes: Int,
    max_states: Int,
    max_work: Int,
) -> tuple[Int32Array, BoolArray, Int]:
    """`determinise` of edges int32 (m, 4), rows (source, first class, last class, target), and empty edges
    int32 (e, 2), rows (source, target), in any order.
    """
    edge_begin, edge_order = _grouped(edges, n_states)
    by_source = np.empty((edges.shape[0], 3), np.int32)
    for i in range(edges.shape[0]):
        for j in range(3):
            by_source[i, j] = edges[edge_order[i], j + 1]
    empty_begin, empty_order = _grouped(empty, n_states)
    targets = np.empty(empty.shape[0], np.int32)
    for i in range(empty.shape[0]):
        targets[i] = empty[empty_order[i], 1]
    return determinise(
        edge_begin, by_source, empty_begin, targets, start, final, n_classes, max_states, max_work
    )


@kernel
def least_over_kinds(
    edges: Int32Array,
    empty: Int32Array,
    n_states: Int,
    start: Int,
    final: Int,
    n_kinds: Int,
    max_states: Int,
    max_work: Int,
) -> tuple[Int32Array, BoolArray, Int]:
    """The minimal automaton of an NFA over kinds, (table int32 (k, n_kinds), accepting bool (k,), count) as
    `subsets` takes it and fails.
    """
    table, accepting, count = subsets(edges, empty, n_states, start, final, n_kinds, max_states, max_work)
    if count < 0:
        return table, accepting, count
    merged, accepts = minimise(table, accepting)
    return merged, accepts, count


@kernel
def least_over_bytes(
    edges: Int32Array,
    empty: Int32Array,
    n_states: Int,
    start: Int,
    final: Int,
    max_states: Int,
    max_work: Int,
) -> tuple[Int32Array, ByteArray, BoolArray, Int]:
    """The same of an NFA over bytes, in the canonical form of `structgen.automata.dfa.Dfa`."""
    cuts = np.zeros(257, np.bool_)
    cuts[0] = True
    for i in range(edges.shape[0]):
        cuts[edges[i, 1]] = True
        cuts[edges[i, 2] + 1] = True
    byte_class = np.zeros(256, np.uint8)
    n_classes = np.int64(0)
    for byte in range(256):
        if cuts[byte]:
            n_classes += 1
        byte_class[byte] = n_classes - 1
    classed = edges.copy()
    for i in range(edges.shape[0]):
        classed[i, 1] = byte_class[edges[i, 1]]
        classed[i, 2] = byte_class[edges[i, 2]]
    table, accepting, count = subsets(classed, empty, n_states, start, final, n_classes, max_states, max_work)
    if count < 0:
        return table, byte_class, accepting, count
    canonical, merged, accepts = minimal_form(table, accepting, byte_class)
    return canonical, merged, accepts, count


@kernel
def least_product(
    table_a: Int32Array,
    accepting_a: BoolArray,
    table_b: Int32Array,
    accepting_b: BoolArray,
    operation: Int,
    max_states: Int,
) -> tuple[Int32Array, BoolArray, Int]:
    """The minimal automaton of a `product` of two over the same kinds, (table, accepting, count)."""
    same = np.arange(table_a.shape[1])
    table, accepting, _, count = product(
        table_a, accepting_a, table_b, accepting_b, same, same, operation, max_states
    )
    if count < 0:
        return table, accepting, count
    merged, accepts = minimise(table, accepting)
    return merged, accepts, count


@kernel
def product(
    table_a: Int32Array,
    accepting_a: BoolArray,
    table_b: Int32Array,
    accepting_b: BoolArray,
    class_a: Int64Array,
    class_b: Int64Array,
    operation: Int,
    max_states: Int,
) -> tuple[Int32Array, BoolArray, Int64Array, Int]:
    """The reachable product of two complete tables over common classes.

    class_a, class_b int64 (c,): column of each common class in either table. operation: 0
    intersection, 1 difference, 2 union. Returns (table, accepting, pairs, count) as `determinise`; pairs
    int64 (k,): which states a and b each is made of, as a * (states of b) + b.
    """
    n_classes = class_a.shape[0]
    n_b = np.int64(table_b.shape[0])
    capacity = 64
    table = np.zeros((capacity, n_classes), np.int32)
    accepting = np.zeros(capacity, np.bool_)
    pairs = np.zeros(capacity, np.int64)
    slots = np.zeros(256, np.int32)
    pairs[1] = n_b + 1
    count = 2
    p = (np.uint64(pairs[1]) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32)
    slots[np.int64(p & np.uint64(255))] = 1
    source = 1
    while source < count:
        a = pairs[source] // n_b
        b = pairs[source] % n_b
        if operation == 0:
            accepting[source] = accepting_a[a] and accepting_b[b]
        elif operation == 1:
            accepting[source] = accepting_a[a] and not accepting_b[b]
        else:
            accepting[source] = accepting_a[a] or accepting_b[b]
        before, target = np.int64(0), 0
        for c in range(n_classes):
            ta = table_a[a, class_a[c]]
            tb = table_b[b, class_b[c]]
            if operation == 0 and (ta == 0 or tb == 0):
                continue
            if operation == 1 and ta == 0:
                continue
            if ta == 0 and tb == 0:
                continue
            pair = np.int64(ta) * n_b + np.int64(tb)
            if pair == before:  # as mostly: digits, letters
                table[source, c] = target
                continue
            before = pair
            mask = np.uint64(slots.shape[0] - 1)
            p = ((np.uint64(pair) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32)) & mask
            target = 0
            while slots[np.int64(p)] != 0:
                if pairs[slots[np.int64(p)]] == pair:
                    target = slots[np.int64(p)]
                    break
                p = (p + np.uint64(1)) & mask
            if target == 0:
                target = count
                count += 1
                if count > max_states:
                    return table, accepting, pairs, TOO_MANY_STATES
                if count >= capacity:
                    bigger = np.zeros((capacity * 2, n_classes), np.int32)
                    bigger[:capacity] = table
                    table = bigger
                    accepting = _grown(accepting, capacity * 2)
                    pairs = _grown(pairs, capacity * 2)
                    capacity *= 2
                pairs[target] = pair
                slots[np.int64(p)] = target
                if count * 2 > slots.shape[0]:
                    slots = np.zeros(slots.shape[0] * 4, np.int32)
                    mask = np.uint64(slots.shape[0] - 1)
                    for other in range(1, count):
                        q = (np.uint64(pairs[other]) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32)
                        q &= mask
                        while slots[np.int64(q)] != 0:
                            q = (q + np.uint64(1)) & mask
                        slots[np.int64(q)] = other
            table[source, c] = target
        source += 1
    return table[:count].copy(), accepting[:count].copy(), pairs[:count].copy(), count


@kernel
def write_runs(table: Int32Array, runs: Int32Array) -> Int:
    """Write where the targets of each row change: -1 - column and target, and 0 behind each row.

    table int32 (k, c); runs int32 (any,). Returns how many words that takes; 0 when there is no room.
    """
    n = 0
    for s in range(table.shape[0]):
        before = np.int32(0)
        if n + 2 * table.shape[1] >= runs.shape[0]:
            return np.int64(0)
        for c in range(table.shape[1]):
            if table[s, c] != before:
                before = table[s, c]
                runs[n] = -1 - c
                runs[n + 1] = before
                n += 2
        runs[n] = 0
        n += 1
    return np.int64(n)


@kernel
def find_places(table: Int32Array, other: Int32Array, other_class: Int64Array, place: Int64Array) -> bool:
    """Run an automaton beside another one, from the start of both.

    table int32 (k, c); other int32 (m, d), other_class int64 (c,): its column for each class. Writes the
    state of the other one in which each state is met into ``place`` int64 (k,), zeros on entry. Returns
    False, and ``place`` is half done, where one is met in two, or the other one goes nowhere. O(k c).
    """
    order = np.zeros(table.shape[0], np.int64)
    order[0] = 1
    place[1] = 1
    n_found = 1
    i = 0
    while i < n_found:
        state = order[i]
        i += 1
        for c in range(table.shape[1]):
            after = table[state, c]
            if after == 0:
                continue
            beside = np.int64(other[place[state], other_class[c]])
            if beside == 0:
                return False
            if place[after] == 0:
                place[after] = beside
                order[n_found] = after
                n_found += 1
            elif place[after] != beside:
                return False
    return True


@kernel
def least_distance(table: Int32Array, accepting: BoolArray, counts: BoolArray) -> Int32Array:
    """How many steps into states that count lie at least on the way from each state to an accepting one.

    table int32 (k, c), accepting and counts bool (k,): state 0 dead, all others lead to an accepting one.
    Returns int32 (k,), 0 for the dead state. O(k c): shortest paths with weights 0 and 1, level by level.
    """
    k, n_classes = table.shape
    begin = np.zeros(k + 1, np.int64)
    for s in range(k):
        for c in range(n_classes):
            if table[s, c] != 0:
                begin[table[s, c] + 1] += 1
    for i in range(k):
        begin[i + 1] += begin[i]
    fill = begin.copy()
    sources = np.zeros(begin[k] + 1, np.int32)
    for s in range(k):
        for c in range(n_classes):
            if table[s, c] != 0:
                sources[fill[table[s, c]]] = s
                fill[table[s, c]] += 1
    distance = np.full(k, -1, np.int32)
    distance[0] = 0
    level = np.zeros(begin[k] + k + 1, np.int32)
    later = np.zeros(begin[k] + k + 1, np.int32)
    n_level = 0
    for s in range(1, k):
        if accepting[s]:
            level[n_level] = s
            n_level += 1
    least = 0
    while n_level > 0:
        n_later = 0
        while n_level > 0:
            n_level -= 1
            s = level[n_level]
            if distance[s] >= 0:
                continue
            distance[s] = least
            for e in range(begin[s], begin[s + 1]):
                if distance[sources[e]] >= 0:
                    continue
                if counts[s]:
                    later[n_later] = sources[e]
                    n_later += 1
                else:
                    level[n_level] = sources[e]
                    n_level += 1
        level, later = later, level
        n_level = n_later
        least += 1
    return distance


@kernel
def write_table(
    static: Int32Array,
    transitions: Int32Array,
    byte_class: ByteArray,
    accepting: BoolArray,
    base: Int,
    offset: Int,
    place: Int,
) -> None:
    """Lay an automaton out in ``static``: its states get the numbers from ``base + 1`` on.

    transitions int32 (states, classes), byte_class uint8 (256,), accepting bool (states,); ``offset``: where
    its rows go; ``place``: where `classes` has its byte classes. Sections have room for all of it.
    """
    width = transitions.shape[1]
    bytes_of = np.zeros((width, 8), np.uint32)  # as sets
    for byte in range(256):
        bytes_of[byte_class[byte], byte >> 5] |= np.uint32(1) << np.uint32(byte & 31)
    # sets of bytes by the classes that lead on, as bits, of which there are few: the last one of each hash
    known = np.zeros(_KNOWN_SETS, np.uint64)
    alive = np.zeros((_KNOWN_SETS, 8), np.uint32)
    for state in range(1, transitions.shape[0]):
        row = offset + (state - 1) * width
        bits = np.uint64(0)
        for c in range(width):
            after = transitions[state, c]
            static[row + c] = after + base if after > 0 else 0
            bits |= np.uint64(after > 0) << np.uint64(c & 63)
        at = np.int64((bits * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(64 - _KNOWN_BITS))
        if bits != known[at] or width > 64:
            known[at] = bits
            for w in range(8):
                alive[at, w] = 0
            for c in range(width):
                if transitions[state, c] > 0:
                    for w in range(8):
                        alive[at, w] |= bytes_of[c, w]
        number = base + state
        static[static[ROW] + number] = row
        static[static[CLASS_MAP] + number] = place
        flags = ACCEPTS if accepting[state] else 0
        static[static[FLAGS] + number] = flags | (LEADS_ON if bits != 0 else 0)
        first = np.int64(static[ALIVE]) + 8 * number
        for w in range(8):
            static[first + w] = np.int32(alive[at, w])


@kernel
def byte_sets(table: Int32Array, byte_class: ByteArray) -> npt.NDArray[np.uint32]:
    """The bytes that lead on from each state, as uint32 (k, 8) bitsets.

    table int32 (k, c); byte_class uint8 (256,). O(k c) where few sets of classes lead on.
    """
    width = table.shape[1]
    bytes_of = np.zeros((width, 8), np.uint32)
    for byte in range(256):
        bytes_of[byte_class[byte], byte >> 5] |= np.uint32(1) << np.uint32(byte & 31)
    known = np.zeros(_KNOWN_SETS, np.uint64)
    last = np.zeros(_KNOWN_SETS, np.int64)  # a state that has the set
    result = np.zeros((table.shape[0], 8), np.uint32)
    for state in range(table.shape[0]):
        bits = np.uint64(0)
        for c in range(width):
            bits |= np.uint64(table[state, c] != 0) << np.uint64(c & 63)
        if bits == 0:
            continue
        at = np.int64((bits * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(64 - _KNOWN_BITS))
        if bits == known[at] and width <= 64:
            for w in range(8):
                result[state, w] = result[last[at], w]
            continue
        known[at] = bits
        last[at] = state
        for c in range(width):
            if table[state, c] != 0:
                for w in range(8):
                    result[state, w] |= bytes_of[c, w]
    return result
