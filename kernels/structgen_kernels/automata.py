"""Offline kernels on byte automata: subset construction, product, minimisation, canonical numbering.

Automata come as edge arrays or as complete tables (state 0 dead, state 1 start). These run at compile
time, not in the token loop, so they allocate what they return.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from structgen_kernels.jit import BoolArray, ByteArray, Int, Int32Array, Int64Array, kernel
from structgen_kernels.layout import ACCEPTS, ALIVE, CLASS_MAP, FLAGS, LEADS_ON, ROW

# Refused sizes are reported by a negative count rather than an exception.
TOO_MANY_STATES = -1
TOO_MUCH_WORK = -2


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
    were needed, TOO_MUCH_WORK when more than max_work steps of an NFA state under a class were taken.
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
    # the steps of a set: for each class a linked list of targets
    head = np.zeros(n_classes, np.int64)
    step_target = np.zeros(256, np.int32)
    step_next = np.zeros(256, np.int64)
    count = 2  # the dead state and the start
    set_begin[1] = 0
    source = 1
    first = True
    while source < count or first:
        n_seen_classes = 1 if first else n_classes
        if not first:
            head[:] = -1
            n_listed = np.int64(0)
            for i in range(set_begin[source], set_begin[source + 1]):
                state = members[i]
                for e in range(edge_begin[state], edge_begin[state + 1]):
                    width = np.int64(edges[e, 1] - edges[e, 0]) + 1
                    while n_listed + width > step_target.shape[0]:
                        step_target = _grown(step_target, 2 * step_target.shape[0])
                        step_next = _grown(step_next, 2 * step_next.shape[0])
                    for c in range(edges[e, 0], edges[e, 1] + 1):
                        step_target[n_listed] = edges[e, 2]
                        step_next[n_listed] = head[c]
                        head[c] = n_listed
                        n_listed += 1
            n_steps += n_listed
            if n_steps > max_work:
                return table, accepting, TOO_MUCH_WORK
        for c in range(n_seen_classes):
            # seeds: targets of the byte class (or the start state, the very first time)
            n_seeds = 0
            clock += 1
            if first:
                seeds[0] = start
                stamp[start] = clock
                n_seeds = 1
            else:
                at = head[c]
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
            ordered = np.sort(found[:n_found])
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
                table[source, c] = target_id
        if first:
            first = False
        else:
            source += 1
    return table[:count].copy(), accepting[:count].copy(), count


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
def _split(
    elements: Int32Array,
    location: Int32Array,
    block_of: Int32Array,
    first: Int32Array,
    past: Int32Array,
    marked: Int32Array,
    touched: Int32Array,
    n_touched: Int,
    n_blocks: Int,
) -> Int:
    """Cut each touched block into its marked and unmarked part; the smaller one gets a new number."""
    for i in range(n_touched):
        block = touched[i]
        middle = first[block] + marked[block]
        if middle == past[block]:
            marked[block] = 0
            continue
        if marked[block] <= past[block] - middle:
            first[n_blocks] = first[block]
            past[n_blocks] = middle
            first[block] = middle
        else:
            first[n_blocks] = middle
            past[n_blocks] = past[block]
            past[block] = middle
        for j in range(first[n_blocks], past[n_blocks]):
            block_of[elements[j]] = n_blocks
        marked[block] = 0
        marked[n_blocks] = 0
        n_blocks += 1
    return n_blocks


@kernel
def _mark(
    element: Int,
    elements: Int32Array,
    location: Int32Array,
    block_of: Int32Array,
    first: Int32Array,
    marked: Int32Array,
    touched: Int32Array,
    n_touched: Int,
) -> Int:
    block = block_of[element]
    i = location[element]
    j = first[block] + marked[block]
    elements[i] = elements[j]
    location[elements[i]] = i
    elements[j] = element
    location[element] = j
    if marked[block] == 0:
        touched[n_touched] = block
        n_touched += 1
    marked[block] += 1
    return n_touched


@kernel
def numbered(table: Int32Array, accepting: BoolArray) -> tuple[Int32Array, BoolArray]:
    """A minimal automaton, as `minimise` returns it, numbered breadth-first again: its columns were moved.

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
    result = np.zeros((k, n_classes), np.int32)
    accepts = np.zeros(k, np.bool_)
    for i in range(1, count):
        accepts[i] = accepting[order[i]]
        for c in range(n_classes):
            result[i, c] = number[table[order[i], c]]
    return result, accepts


@kernel
def minimise(table: Int32Array, accepting: BoolArray) -> tuple[Int32Array, BoolArray]:
    """The minimal trimmed automaton of a complete table, numbered breadth-first.

    table int32 (k, c), accepting bool (k,): state 0 dead, 1 start. Returns (table, accepting), state 0
    dead, 1 start; the empty language has both states and accepts in neither. Partition refinement over
    the existing transitions only (Valmari and Lehtinen 2008): O(m log n).
    """
    k, n_classes = table.shape
    # trim: reachable, and leading to an accepting state
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
    in_begin = np.zeros(k + 1, np.int64)
    for i in range(n_order):
        for c in range(n_classes):
            t = table[order[i], c]
            if t != 0:
                in_begin[t + 1] += 1
    for i in range(k):
        in_begin[i + 1] += in_begin[i]
    fill = in_begin.copy()
    in_tail = np.zeros(max(1, int(in_begin[k])), np.int32)
    for i in range(n_order):
        for c in range(n_classes):
            t = table[order[i], c]
            if t != 0:
                in_tail[fill[t]] = order[i]
                fill[t] += 1
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
        for e in range(in_begin[s], in_begin[s + 1]):
            if not useful[in_tail[e]]:
                useful[in_tail[e]] = True
                stack[n_stack] = in_tail[e]
                n_stack += 1
    if not useful[1]:
        return np.zeros((2, n_classes), np.int32), np.zeros(2, np.bool_)
    # dense numbers for the useful states
    number = np.full(k, -1, np.int32)
    n = 0
    for i in range(n_order):
        if useful[order[i]]:
            number[order[i]] = n
            n += 1
    m = 0
    for i in range(n_order):
        s = order[i]
        if useful[s]:
            for c in range(n_classes):
                t = table[s, c]
                if t != 0 and useful[t]:
                    m += 1
    tail = np.zeros(max(1, m), np.int32)
    label = np.zeros(max(1, m), np.int32)
    head = np.zeros(max(1, m), np.int32)
    m = 0
    for c in range(n_classes):  # by label, so that the first partition of the transitions is by label
        for i in range(n_order):
            s = order[i]
            if useful[s]:
                t = table[s, c]
                if t != 0 and useful[t]:
                    tail[m] = number[s]
                    label[m] = c
                    head[m] = number[t]
                    m += 1
    # states partition: accepting or not
    elements = np.arange(n).astype(np.int32)
    location = np.arange(n).astype(np.int32)
    block_of = np.zeros(n, np.int32)
    first = np.zeros(n + 1, np.int32)
    past = np.zeros(n + 1, np.int32)
    marked = np.zeros(n + 1, np.int32)
    touched = np.zeros(n + 1, np.int32)
    past[0] = n
    n_blocks = 1
    n_touched = 0
    for s in range(n_order):
        if useful[order[s]] and accepting[order[s]]:
            n_touched = _mark(
                number[order[s]], elements, location, block_of, first, marked, touched, n_touched
            )
    n_blocks = _split(elements, location, block_of, first, past, marked, touched, n_touched, n_blocks)
    # transitions partition ("cords"): by label
    c_elements = np.arange(max(1, m)).astype(np.int32)
    c_location = np.arange(max(1, m)).astype(np.int32)
    c_block = np.zeros(max(1, m), np.int32)
    c_first = np.zeros(m + 1, np.int32)
    c_past = np.zeros(m + 1, np.int32)
    c_marked = np.zeros(m + 1, np.int32)
    c_touched = np.zeros(m + 1, np.int32)
    n_cords = 0
    for t in range(m):
        if t == 0 or label[t] != label[t - 1]:
            c_first[n_cords] = t
            n_cords += 1
        c_past[n_cords - 1] = t + 1
        c_block[t] = n_cords - 1
    # transitions by head
    by_head = np.zeros(n + 1, np.int64)
    for t in range(m):
        by_head[head[t] + 1] += 1
    for s in range(n):
        by_head[s + 1] += by_head[s]
    fill2 = by_head.copy()
    incoming = np.zeros(max(1, m), np.int32)
    for t in range(m):
        incoming[fill2[head[t]]] = t
        fill2[head[t]] += 1
    block = 1
    cord = 0
    while cord < n_cords:
        n_touched = 0
        for i in range(c_first[cord], c_past[cord]):
            n_touched = _mark(
                tail[c_elements[i]], elements, location, block_of, first, marked, touched, n_touched
            )
        n_blocks = _split(elements, location, block_of, first, past, marked, touched, n_touched, n_blocks)
        cord += 1
        while block < n_blocks:
            n_touched = 0
            for i in range(first[block], past[block]):
                s = elements[i]
                for e in range(by_head[s], by_head[s + 1]):
                    n_touched = _mark(
                        incoming[e], c_elements, c_location, c_block, c_first, c_marked, c_touched, n_touched
                    )
            n_cords = _split(
                c_elements, c_location, c_block, c_first, c_past, c_marked, c_touched, n_touched, n_cords
            )
            block += 1
    # number the blocks breadth-first from the start's
    member = np.zeros(n_blocks, np.int32)
    for i in range(n_order):
        s = order[i]
        if useful[s]:
            member[block_of[number[s]]] = s
    new_number = np.zeros(n_blocks, np.int32)
    queue = np.zeros(n_blocks, np.int32)
    queue[0] = block_of[number[1]]
    new_number[queue[0]] = 1
    n_queue = 1
    result = np.zeros((n_blocks + 1, n_classes), np.int32)
    accepts = np.zeros(n_blocks + 1, np.bool_)
    i = 0
    while i < n_queue:
        s = member[queue[i]]
        accepts[i + 1] = accepting[s]
        for c in range(n_classes):
            t = table[s, c]
            if t != 0 and useful[t]:
                b = block_of[number[t]]
                if new_number[b] == 0:
                    new_number[b] = n_queue + 1
                    queue[n_queue] = b
                    n_queue += 1
                result[i + 1, c] = new_number[b]
        i += 1
    return result[: n_queue + 1].copy(), accepts[: n_queue + 1].copy()


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
    alive = np.zeros(8, np.uint32)
    for state in range(1, transitions.shape[0]):
        row = offset + (state - 1) * width
        leads_on = 0
        alive[:] = 0
        for c in range(width):
            after = transitions[state, c]
            if after > 0:
                static[row + c] = after + base
                leads_on = 1
                for w in range(8):
                    alive[w] |= bytes_of[c, w]
            else:
                static[row + c] = 0
        number = base + state
        static[static[ROW] + number] = row
        static[static[CLASS_MAP] + number] = place
        flags = ACCEPTS if accepting[state] else 0
        static[static[FLAGS] + number] = flags | (LEADS_ON if leads_on > 0 else 0)
        first = np.int64(static[ALIVE]) + 8 * number
        for w in range(8):
            static[first + w] = np.int32(alive[w])
