"""Generalised LR parsing over hash-consed stacks (Tomita 1985), and the layout between lexer and parser.

A *node* is the set of stacks with one LR state on top; a *frontier* the nodes after a terminal; a *place* a frontier
with the modes of the lexer and, where lines and blocks count, the columns of the blocks and of the line
being begun. A pair (LR state s, node b) stands for the stacks with s on those of b.

Reductions end because the productions were made so (`structgen.lexing.cfg.safe`).
"""

from __future__ import annotations

import numpy as np

from structgen_kernels.jit import Int, Int32Array, Int64Array, kernel
from structgen_kernels.layout import NEED_POOL, NEED_SCRATCH, NOT_KNOWN, POOL_USED
from structgen_kernels.lexed_layout import (
    ACTION,
    ALWAYS,
    DEDENT,
    EMPTY_LINE,
    FEED,
    FRONTIER,
    GOTO,
    GOTO_MODE,
    GOTO_PUSH,
    IGNORE,
    INDENT,
    INDENTS,
    IS_CONTEXTUAL,
    JOIN,
    JOINED,
    LINE,
    LR_MODE,
    MIXED,
    MODES,
    N_HEADS,
    N_TERMINALS,
    N_WORDS,
    NEWLINE,
    NODE,
    OP,
    PARSE,
    PLACE,
    PLACE_BEGUN,
    PLACE_CONTENT,
    PLACE_END,
    PLACE_INDENTS,
    PLACE_MODE,
    PLACE_VIABLE,
    POP,
    PUSH,
    REDUCE,
    REDUCE_BEGIN,
    SHIFT,
    SHIFT_BITS,
    SPACE,
    STAY,
    SYMBOLS,
    TAB,
)
from structgen_kernels.lexed_records import has_room, intern, intern3, keep_step, known_step

_PAIR = 2  # words of a pair in scratch, before its lookaheads


@kernel
def _node(pool: Int32Array, interned: Int32Array, state: Int, below: Int) -> Int:
    return intern3(pool, interned, NODE, state, below, 0, 2, 0)


@kernel
def _bases(pool: Int32Array, scratch: Int64Array, at: Int, node: Int, pops: Int) -> Int:
    """Write the nodes that are ``pops`` below ``node`` from ``scratch[at]`` on, each once; how many, or a status."""
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
    static: Int32Array, pool: Int32Array, interned: Int32Array, scratch: Int64Array, frontier: Int, terminal: Int
) -> Int:
    """All pairs from which ``terminal`` may be shifted or reduced on, from ``scratch[0]`` on; how many, or a status."""
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
                base = _node(pool, interned, state, below) if below else _bottom(pool, interned, state)
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
def _bottom(pool: Int32Array, interned: Int32Array, state: Int) -> Int:
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
def _joined(pool: Int32Array, interned: Int32Array, scratch: Int64Array, state: Int, begin: Int, n: Int) -> Int:
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
            node = _bottom(pool, interned, state)
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
    i = np.int64(0)
    while i < n_below:
        target = scratch[room + i] >> 32
        gathered = tops + n_below
        n_gathered = np.int64(0)
        while i < n_below and scratch[room + i] >> 32 == target:
            scratch[gathered + n_gathered] = scratch[room + i] & 0xFFFFFFFF
            n_gathered += 1
            i += 1
        node = _joined(pool, interned, scratch, target, gathered, n_gathered)
        if node < 0:
            return node
        scratch[tops + n_tops] = node
        n_tops += 1
    return _frontier(static, pool, interned, scratch, tops, n_tops)


@kernel
def _frontier(
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
                    base = _node(pool, interned, state, below) if below else _bottom(pool, interned, state)
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


# --- places


@kernel
def _begun(
    static: Int32Array,
    pool: Int32Array,
    interned: Int32Array,
    steps: Int64Array,
    scratch: Int64Array,
    place: Int,
) -> Int:
    """Note in a place whose line has not begun what the parser is told when it does. 0, or a status."""
    frontier, indents = np.int64(pool[place + 2]), np.int64(pool[place + 4])
    column, other = pool[place + 5], pool[place + 6]
    pool[place + PLACE_BEGUN] = 0
    if column > pool[indents + 2]:
        if other <= pool[indents + 3]:
            return np.int64(0)
        frontier = shift(static, pool, interned, steps, scratch, frontier, static[INDENT])
        if frontier <= 0:
            return frontier
        depth = pool[indents + 5]
        indents = intern3(pool, interned, INDENTS, column, other, indents, 3, 1)
        if indents < 0:
            return indents
        pool[indents + 5] = depth + 1
    else:
        while column < pool[indents + 2]:
            frontier = shift(static, pool, interned, steps, scratch, frontier, static[DEDENT])
            if frontier <= 0:
                return frontier
            indents = np.int64(pool[indents + 4])
        if column != pool[indents + 2] or other != pool[indents + 3]:
            return np.int64(0)
    pool[place + PLACE_INDENTS] = indents
    pool[place + PLACE_BEGUN] = frontier
    return np.int64(0)


@kernel
def place_of(
    static: Int32Array,
    pool: Int32Array,
    interned: Int32Array,
    steps: Int64Array,
    scratch: Int64Array,
    frontier: Int,
    modes: Int,
    indents: Int,
    column: Int,
    other: Int,
) -> Int:
    """The place of these parts, its viable terminals found; or a status."""
    n_words = np.int64(static[N_WORDS])
    fields = 4 + n_words
    if not has_room(pool, 2 + PLACE_CONTENT + fields):
        return np.int64(NEED_POOL)
    record = np.int64(pool[POOL_USED])
    pool[record] = PLACE
    pool[record + 1] = PLACE_CONTENT
    pool[record + 2] = frontier
    pool[record + 3] = modes
    pool[record + 4] = indents
    pool[record + 5] = column
    pool[record + 6] = other
    place = intern(pool, interned, fields)
    if place < 0 or pool[place + PLACE_MODE] != 0:
        return place
    if static[IS_CONTEXTUAL]:
        mode = np.int64(static[static[LR_MODE] + pool[pool[frontier + 2] + 2]])
    else:
        mode = np.int64(pool[modes + 2])
    pool[place + PLACE_BEGUN] = frontier
    pool[place + PLACE_INDENTS] = indents
    if column >= 0:
        status = _begun(static, pool, interned, steps, scratch, place)
        if status < 0:
            return status
    begun = np.int64(pool[place + PLACE_BEGUN])
    for w in range(n_words):
        bits = static[static[ALWAYS] + mode * n_words + w]
        if begun != 0:
            bits |= pool[begun + 2 + pool[begun + 1] + w]
        pool[place + PLACE_VIABLE + w] = bits
    end = np.int64(static[N_TERMINALS]) - 1
    pool[place + PLACE_VIABLE + (end >> 5)] &= ~(np.int32(np.uint32(1) << np.uint32(end & 31)))
    pool[place + PLACE_MODE] = mode + 1
    return place


@kernel
def mode_of(pool: Int32Array, place: Int) -> Int:
    """The mode in which text goes on."""
    return np.int64(pool[place + PLACE_MODE]) - 1


@kernel
def may_end(
    static: Int32Array,
    pool: Int32Array,
    interned: Int32Array,
    steps: Int64Array,
    scratch: Int64Array,
    place: Int,
) -> Int:
    """1 where the text may end, else 0; or a status."""
    if pool[place + PLACE_END] != 0:
        return np.int64(pool[place + PLACE_END]) - 1
    frontier = np.int64(pool[place + 2])
    if static[NEWLINE] >= 0:
        if pool[place + 5] < 0 and not is_viable(pool, frontier, np.int64(static[N_TERMINALS]) - 1):
            frontier = shift(static, pool, interned, steps, scratch, frontier, np.int64(static[NEWLINE]))
        indents = np.int64(pool[place + 4])
        while frontier > 0 and pool[indents + 4] != 0:
            frontier = shift(static, pool, interned, steps, scratch, frontier, np.int64(static[DEDENT]))
            indents = np.int64(pool[indents + 4])
        if frontier < 0:
            return frontier
    ends = frontier > 0 and is_viable(pool, frontier, np.int64(static[N_TERMINALS]) - 1)
    pool[place + PLACE_END] = 2 if ends else 1
    return np.int64(1) if ends else np.int64(0)


@kernel
def _next_modes(static: Int32Array, pool: Int32Array, interned: Int32Array, modes: Int, mode: Int, terminal: Int) -> Int:
    """The stack of modes after a terminal; 0: there is none below; or a status."""
    at = np.int64(static[ACTION]) + (mode * np.int64(static[N_TERMINALS]) + terminal) * 3
    kind, first, second = static[at], static[at + 1], static[at + 2]
    below = np.int64(pool[modes + 3])
    if kind == STAY:
        return np.int64(modes)
    if kind == POP:
        return below
    if kind == PUSH:
        return intern3(pool, interned, MODES, first, modes, 0, 2, 0)
    if kind == GOTO_MODE:
        return intern3(pool, interned, MODES, first, below, 0, 2, 0)
    under = intern3(pool, interned, MODES, first, below, 0, 2, 0)
    return under if under < 0 else intern3(pool, interned, MODES, second, under, 0, 2, 0)


@kernel
def step_place(
    static: Int32Array,
    pool: Int32Array,
    interned: Int32Array,
    steps: Int64Array,
    scratch: Int64Array,
    place: Int,
    terminal: Int,
) -> Int:
    """The place (or MIXED) after a terminal; 0 where it is refused; or a status. Remembered."""
    word = pool[place + PLACE_VIABLE + (terminal >> 5)]
    if (word >> (terminal & 31)) & 1 == 0:
        return np.int64(0)
    key = place * SYMBOLS + terminal
    known = known_step(steps, key)
    if known != NOT_KNOWN:
        return known
    after = _stepped(static, pool, interned, steps, scratch, place, terminal)
    return after if after < 0 else keep_step(pool, steps, key, after)


@kernel
def _stepped(
    static: Int32Array,
    pool: Int32Array,
    interned: Int32Array,
    steps: Int64Array,
    scratch: Int64Array,
    place: Int,
    terminal: Int,
) -> Int:
    mode = mode_of(pool, place)
    frontier, modes, indents = np.int64(pool[place + 2]), np.int64(pool[place + 3]), np.int64(pool[place + 4])
    column, other = np.int64(pool[place + 5]), np.int64(pool[place + 6])
    op = static[static[OP] + mode * np.int64(static[N_TERMINALS]) + terminal]
    if op == SPACE:
        column += 1
        other += 1
    elif op == TAB:
        column = (column // 8 + 1) * 8
        other += 1
    elif op in (FEED, EMPTY_LINE):
        column = other = np.int64(0)
    elif op == JOIN:
        if column > 0:
            # what stands before the first backslash is the indentation
            if mode == static[LINE]:
                other = column
                modes = intern3(pool, interned, MODES, static[JOINED], np.int64(pool[modes + 3]), 0, 2, 0)
                if modes < 0:
                    return modes
        return place_of(static, pool, interned, steps, scratch, frontier, modes, indents, column, other)
    elif op == PARSE:
        frontier = np.int64(pool[place + PLACE_BEGUN])
        indents = np.int64(pool[place + PLACE_INDENTS])
        column = other = np.int64(-1)
        frontier = shift(static, pool, interned, steps, scratch, frontier, terminal) if frontier else frontier
        if frontier <= 0:
            return frontier
        if terminal == static[NEWLINE] and static[LINE] >= 0:
            column = other = np.int64(0)
    if op != IGNORE or not static[IS_CONTEXTUAL]:
        modes = _next_modes(static, pool, interned, modes, mode, terminal)
        if modes <= 0:
            return modes
    if not static[IS_CONTEXTUAL] or pool[frontier + 1] == 1:
        return place_of(static, pool, interned, steps, scratch, frontier, modes, indents, column, other)
    return _split(static, pool, interned, steps, scratch, frontier, modes)


@kernel
def _split(
    static: Int32Array,
    pool: Int32Array,
    interned: Int32Array,
    steps: Int64Array,
    scratch: Int64Array,
    frontier: Int,
    modes: Int,
) -> Int:
    """Places of a frontier whose LR states go on in modes of their own, as one record; or a status."""
    n = np.int64(pool[frontier + 1])
    lr_mode = np.int64(static[LR_MODE])
    taken = scratch.shape[0] - 3 * n - 8
    if taken < scratch.shape[0] * 3 // 4:
        return np.int64(NEED_SCRATCH)
    n_places = np.int64(0)
    for i in range(n):
        mode = static[lr_mode + pool[pool[frontier + 2 + i] + 2]]
        first = True
        for j in range(i):
            first = first and static[lr_mode + pool[pool[frontier + 2 + j] + 2]] != mode
        if not first:
            continue
        n_nodes = np.int64(0)
        for j in range(i, n):
            if static[lr_mode + pool[pool[frontier + 2 + j] + 2]] == mode:
                scratch[taken + n + n_nodes] = pool[frontier + 2 + j]
                n_nodes += 1
        part = _frontier(static, pool, interned, scratch, taken + n, n_nodes)
        if part < 0:
            return part
        place = place_of(static, pool, interned, steps, scratch, part, modes, 0, -1, -1)
        if place < 0:
            return place
        scratch[taken + n_places] = place
        n_places += 1
    if n_places == 1:
        return scratch[taken]
    if not has_room(pool, 2 + n_places):
        return np.int64(NEED_POOL)
    record = np.int64(pool[POOL_USED])
    pool[record] = MIXED
    pool[record + 1] = n_places
    for i in range(n_places):
        pool[record + 2 + i] = scratch[taken + i]
    return intern(pool, interned, 0)


@kernel
def n_parts(pool: Int32Array, after: Int) -> Int:
    """How many places a result of `step_place` stands for."""
    return np.int64(pool[after + 1]) if pool[after] == MIXED else np.int64(1)


@kernel
def part(pool: Int32Array, after: Int, i: Int) -> Int:
    """The i-th of them."""
    return np.int64(pool[after + 2 + i]) if pool[after] == MIXED else np.int64(after)


@kernel
def start_place(
    static: Int32Array, pool: Int32Array, interned: Int32Array, steps: Int64Array, scratch: Int64Array
) -> Int:
    """Where texts begin, or a status."""
    node = _bottom(pool, interned, 0)
    if node < 0:
        return node
    if scratch.shape[0] < 64:
        return np.int64(NEED_SCRATCH)
    scratch[scratch.shape[0] - 40] = node
    frontier = _frontier(static, pool, interned, scratch, scratch.shape[0] - 40, 1)
    if frontier < 0:
        return frontier
    begins_line = static[LINE] >= 0
    modes = intern3(pool, interned, MODES, static[LINE] if begins_line else 0, 0, 0, 2, 0)
    if modes < 0:
        return modes
    indents = np.int64(0)
    if begins_line:
        indents = intern3(pool, interned, INDENTS, 0, 0, 0, 3, 1)
        if indents < 0:
            return indents
    column = 0 if begins_line else -1
    return place_of(static, pool, interned, steps, scratch, frontier, modes, indents, column, column)
