"""Generalised LR parsing over hash-consed stacks (Tomita 1985).

A *node* is the set of stacks with one LR state on top; a *frontier* the nodes after a terminal. A pair (LR
state s, node b) stands for the stacks with s on those of b.

Reductions end because the productions were made so (`structgen.lexing.cfg.safe`).
"""

from __future__ import annotations

import numpy as np

from structgen_kernels.jit import Int, Int32Array, Int64Array, kernel
from structgen_kernels.layout import (
    NEED_POOL,
    NEED_SCRATCH,
    NOT_KNOWN,
    POOL_USED,
)
from structgen_kernels.lexed_layout import (
    FRONTIER,
    GOTO,
    N_HEADS,
    N_TERMINALS,
    N_WORDS,
    NODE,
    REDUCE,
    REDUCE_BEGIN,
    SHIFT,
    SHIFT_BITS,
    SYMBOLS,
)
from structgen_kernels.lexed_records import (
    has_room,
    intern,
    intern3,
    keep_step,
    known_step,
)

_PAIR = 2  # words of a pair in scratch, before its lookaheads


@kernel
def _node(pool: Int32Array, interned: Int32Array, state: Int, below: Int) -> Int:
    return intern3(pool, interned, NODE, state, below, 0, 2, 0)


@kernel
def _bases(pool: Int32Array, scratch: Int64Array, at: Int, node: Int, pops: Int) -> Int:
    """Write the nodes that are ``pops`` below ``node`` from ``scratch[at]`` on, each once; how many, or a
    status.
    """
    if at + 1 >= scratch.shape[0]:
        return np.int64(NEED_SCRATCH)
    while pops > 0 and pool[node + 1] == 2:
        node = np.int64(pool[node + 3])
        pops -= 1
    scratch[at] = node
    n = 1
    begin = at
    for _ in range(pops):
        end = begin + n
        more = end
        for i in range(begin, end):
            one = scratch[i]
            for j in range(one + 3, one + 2 + pool[one + 1]):
                found = False
                for k in range(end, more):
                    if scratch[k] == pool[j]:
                        found = True
                        break
                if not found:
                    if more + 1 >= scratch.shape[0]:
                        return np.int64(NEED_SCRATCH)
                    scratch[more] = pool[j]
                    more += 1
        begin = end
        n = more - end
    for i in range(n):
        scratch[at + i] = scratch[begin + i]
    return np.int64(n)


@kernel
def _reduced(
    static: Int32Array,
    pool: Int32Array,
    interned: Int32Array,
    scratch: Int64Array,
    frontier: Int,
    terminal: Int,
) -> Int:
    """All pairs from which ``terminal`` may be shifted or reduced on, from ``scratch[0]`` on; how many, or
    a status.
    """
    n_words = np.int64(static[N_WORDS])
    reduce_begin = static[REDUCE_BEGIN]
    goto = np.int64(static[GOTO])
    n_heads = np.int64(static[N_HEADS])
    word, bit = np.int64(terminal >> 5), np.int64(terminal & 31)
    room = scratch.shape[0] // 2
    n = np.int64(0)
    for i in range(frontier + 2, frontier + 2 + pool[frontier + 1]):
        node = np.int64(pool[i])
        if n + pool[node + 1] + 1 >= room // _PAIR:
            return np.int64(NEED_SCRATCH)
        if pool[node + 1] == 1:
            scratch[_PAIR * n], scratch[_PAIR * n + 1] = pool[node + 2], 0
            n += 1
        for j in range(node + 3, node + 2 + pool[node + 1]):
            scratch[_PAIR * n], scratch[_PAIR * n + 1] = pool[node + 2], pool[j]
            n += 1
    done = np.int64(0)
    while done < n:
        state, below = scratch[_PAIR * done], scratch[_PAIR * done + 1]
        done += 1
        first = np.int64(static[reduce_begin + state])
        last = np.int64(static[reduce_begin + state + 1])
        for r in range(first, last):
            at = np.int64(static[REDUCE]) + r * (2 + n_words)
            if (static[at + 2 + word] >> bit) & 1 == 0:
                continue
            head, length = np.int64(static[at]), np.int64(static[at + 1])
            if length == 0:
                base = _node(pool, interned, state, below) if below else bottom(pool, interned, state)
                if base < 0:
                    return base
                scratch[room] = base
                n_bases = np.int64(1)
            else:
                n_bases = _bases(pool, scratch, room, below, length - 1)
                if n_bases < 0:
                    return n_bases
            for i in range(room, room + n_bases):
                base = scratch[i]
                target = np.int64(static[goto + np.int64(pool[base + 2]) * n_heads + head])
                known = False
                for k in range(n):
                    if scratch[_PAIR * k + 1] == base and scratch[_PAIR * k] == target:
                        known = True
                        break
                if not known:
                    if n + 1 >= room // _PAIR:
                        return np.int64(NEED_SCRATCH)
                    scratch[_PAIR * n], scratch[_PAIR * n + 1] = target, base
                    n += 1
    return n


@kernel
def bottom(pool: Int32Array, interned: Int32Array, state: Int) -> Int:
    return intern3(pool, interned, NODE, state, 0, 0, 1, 0)


@kernel
def _sorted_unique(scratch: Int64Array, begin: Int, n: Int) -> Int:
    """Sort ``scratch[begin:begin + n]`` and drop repetitions; how many are left."""
    for i in range(begin + 1, begin + n):
        value = scratch[i]
        j = i - 1
        while j >= begin and scratch[j] > value:
            scratch[j + 1] = scratch[j]
            j -= 1
        scratch[j + 1] = value
    left = np.int64(0)
    for i in range(begin, begin + n):
        if left == 0 or scratch[i] != scratch[begin + left - 1]:
            scratch[begin + left] = scratch[i]
            left += 1
    return left


@kernel
def _joined(
    pool: Int32Array, interned: Int32Array, scratch: Int64Array, state: Int, begin: Int, n: Int
) -> Int:
    """The node of ``state`` on all the nodes ``scratch[begin:begin + n]``, or a status."""
    n = _sorted_unique(scratch, begin, n)
    if not has_room(pool, 3 + n):
        return np.int64(NEED_POOL)
    record = np.int64(pool[POOL_USED])
    pool[record] = NODE
    pool[record + 1] = 1 + n
    pool[record + 2] = state
    for i in range(n):
        pool[record + 3 + i] = scratch[begin + i]
    return intern(pool, interned, 0)


@kernel
def _shifted(
    static: Int32Array, pool: Int32Array, interned: Int32Array, scratch: Int64Array, n: Int, terminal: Int
) -> Int:
    """The frontier after ``terminal``, from the ``n`` pairs in scratch; 0: none shifts it; or a status."""
    n_terminals = np.int64(static[N_TERMINALS])
    room = scratch.shape[0] // 2
    shift = np.int64(static[SHIFT])
    n_shifting = np.int64(0)
    for i in range(n):
        target = static[shift + scratch[_PAIR * i] * n_terminals + terminal]
        if target != 0:
            scratch[_PAIR * n_shifting] = scratch[_PAIR * i]
            scratch[_PAIR * n_shifting + 1] = scratch[_PAIR * i + 1]
            n_shifting += 1
    if n_shifting == 0:
        return np.int64(0)
    if room + 3 * n_shifting + 8 >= scratch.shape[0]:
        return np.int64(NEED_SCRATCH)
    # first the nodes below, one for each state that shifts: (target << 32 | node) from `room` on
    n_below = np.int64(0)
    for i in range(n_shifting):
        state = scratch[_PAIR * i]
        if state < 0:
            continue
        gathered = room + n_shifting
        n_gathered = np.int64(0)
        is_bottom = False
        for j in range(i, n_shifting):
            if scratch[_PAIR * j] == state:
                if scratch[_PAIR * j + 1] == 0:
                    is_bottom = True
                else:
                    scratch[gathered + n_gathered] = scratch[_PAIR * j + 1]
                    n_gathered += 1
                if j > i:
                    scratch[_PAIR * j] = -1
        if is_bottom:
            node = bottom(pool, interned, state)
        elif n_gathered == 1:
            node = _node(pool, interned, state, scratch[gathered])
        else:
            node = _joined(pool, interned, scratch, state, gathered, n_gathered)
        if node < 0:
            return node
        target = np.int64(static[shift + state * n_terminals + terminal]) - 1
        scratch[room + n_below] = (target << 32) | node
        n_below += 1
    n_below = _sorted_unique(scratch, room, n_below)
    # then those on top, one for each target
    tops = room + n_below
    n_tops = np.int64(0)
    done = np.int64(0)
    while done < n_below:
        target = scratch[room + done] >> 32
        gathered = tops + n_below
        n_gathered = np.int64(0)
        while done < n_below and scratch[room + done] >> 32 == target:
            scratch[gathered + n_gathered] = scratch[room + done] & 0xFFFFFFFF
            n_gathered += 1
            done += 1
        node = _joined(pool, interned, scratch, target, gathered, n_gathered)
        if node < 0:
            return node
        scratch[tops + n_tops] = node
        n_tops += 1
    return frontier_of(static, pool, interned, scratch, tops, n_tops)


@kernel
def frontier_of(
    static: Int32Array, pool: Int32Array, interned: Int32Array, scratch: Int64Array, begin: Int, n: Int
) -> Int:
    """The frontier of the nodes ``scratch[begin:begin + n]``, its viable terminals found; or a status."""
    n_words = np.int64(static[N_WORDS])
    n = _sorted_unique(scratch, begin, n)
    if not has_room(pool, 2 + n + n_words):
        return np.int64(NEED_POOL)
    record = np.int64(pool[POOL_USED])
    pool[record] = FRONTIER
    pool[record + 1] = n
    for i in range(n):
        pool[record + 2 + i] = scratch[begin + i]
    frontier = intern(pool, interned, n_words)
    if frontier < 0:
        return frontier
    viable = frontier + 2 + n
    for w in range(n_words):
        if pool[viable + w] != 0:
            return frontier
    status = _find_viable(static, pool, interned, scratch, frontier)
    if status < 0:
        for w in range(n_words):  # half of them would look like all
            pool[viable + w] = 0
        return status
    return frontier


@kernel
def _find_viable(
    static: Int32Array, pool: Int32Array, interned: Int32Array, scratch: Int64Array, frontier: Int
) -> Int:
    """Set the bits of the terminals that some stack of the frontier takes. Returns 0 or a status.

    As `_reduced`, for all terminals at once: each pair carries the lookaheads that led to it.
    """
    n_words = np.int64(static[N_WORDS])
    reduce_begin = static[REDUCE_BEGIN]
    goto = np.int64(static[GOTO])
    n_heads = np.int64(static[N_HEADS])
    pair = _PAIR + 2 * n_words  # lookaheads, and those that were followed already
    room = scratch.shape[0] // 2
    work = scratch.shape[0] - n_words - 1
    n = np.int64(0)
    for i in range(frontier + 2, frontier + 2 + pool[frontier + 1]):
        node = np.int64(pool[i])
        if (n + pool[node + 1] + 1) * pair >= room:
            return np.int64(NEED_SCRATCH)
        is_bottom = 1 if pool[node + 1] == 1 else 0
        for j in range(node + 3 - is_bottom, node + 2 + pool[node + 1]):
            scratch[pair * n] = pool[node + 2]
            scratch[pair * n + 1] = 0 if is_bottom else pool[j]
            for w in range(n_words):
                scratch[pair * n + _PAIR + w] = 0xFFFFFFFF
                scratch[pair * n + _PAIR + n_words + w] = 0
            n += 1
    viable = frontier + 2 + pool[frontier + 1]
    again = True
    while again:
        again = False
        done = np.int64(0)
        while done < n:
            here = pair * done
            done += 1
            anything = False
            for w in range(n_words):
                fresh = scratch[here + _PAIR + w] & ~scratch[here + _PAIR + n_words + w]
                scratch[work + w] = fresh
                scratch[here + _PAIR + n_words + w] |= fresh
                anything = anything or fresh != 0
            if not anything:
                continue
            state, below = scratch[here], scratch[here + 1]
            shifts = np.int64(static[SHIFT_BITS]) + state * n_words
            for w in range(n_words):
                pool[viable + w] |= static[shifts + w] & np.int32(np.uint32(scratch[work + w]))
            for r in range(static[reduce_begin + state], static[reduce_begin + state + 1]):
                at = np.int64(static[REDUCE]) + r * (2 + n_words)
                anything = False
                for w in range(n_words):
                    anything = anything or (scratch[work + w] & static[at + 2 + w]) != 0
                if not anything:
                    continue
                head, length = np.int64(static[at]), np.int64(static[at + 1])
                if length == 0:
                    base = _node(pool, interned, state, below) if below else bottom(pool, interned, state)
                    if base < 0:
                        return base
                    scratch[room] = base
                    n_bases = np.int64(1)
                else:
                    n_bases = _bases(pool, scratch, room, below, length - 1)
                    if n_bases < 0:
                        return n_bases
                    if room + n_bases >= work:
                        return np.int64(NEED_SCRATCH)
                for i in range(room, room + n_bases):
                    base = scratch[i]
                    target = np.int64(static[goto + np.int64(pool[base + 2]) * n_heads + head])
                    place = np.int64(-1)
                    for k in range(n):
                        if scratch[pair * k + 1] == base and scratch[pair * k] == target:
                            place = pair * k
                            break
                    if place < 0:
                        if (n + 1) * pair >= room:
                            return np.int64(NEED_SCRATCH)
                        place = pair * n
                        scratch[place], scratch[place + 1] = target, base
                        for w in range(2 * n_words):
                            scratch[place + _PAIR + w] = 0
                        n += 1
                    for w in range(n_words):
                        more = scratch[work + w] & (np.int64(static[at + 2 + w]) & 0xFFFFFFFF)
                        scratch[place + _PAIR + w] |= more
                        if place < pair * done and more & ~scratch[place + _PAIR + n_words + w]:
                            again = True
    return np.int64(0)


@kernel
def is_viable(pool: Int32Array, frontier: Int, terminal: Int) -> bool:
    """Whether some stack of the frontier takes the terminal."""
    word = pool[frontier + 2 + pool[frontier + 1] + (terminal >> 5)]
    return bool((word >> (terminal & 31)) & 1)


@kernel
def shift(
    static: Int32Array,
    pool: Int32Array,
    interned: Int32Array,
    steps: Int64Array,
    scratch: Int64Array,
    frontier: Int,
    terminal: Int,
) -> Int:
    """The frontier after a terminal; 0 where it is refused; or a status. Remembered."""
    if not is_viable(pool, frontier, terminal):
        return np.int64(0)
    key = frontier * SYMBOLS + terminal
    known = known_step(steps, key)
    if known != NOT_KNOWN:
        return known
    n = _reduced(static, pool, interned, scratch, frontier, terminal)
    if n < 0:
        return n
    after = _shifted(static, pool, interned, scratch, n, terminal)
    return after if after < 0 else keep_step(pool, steps, key, after)
