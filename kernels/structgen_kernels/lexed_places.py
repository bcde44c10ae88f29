"""Places: a frontier of the parser with the modes of the lexer and, where lines and blocks count, their
columns.

This is the layout between lexer and parser. In the mode of a line that has not begun, blanks move the
column and the parser sees nothing; the first terminal of the line is preceded by INDENT or DEDENTs.
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
    ACTION,
    ALWAYS,
    DEDENT,
    EMPTY_LINE,
    FEED,
    GOTO_MODE,
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
    N_TERMINALS,
    N_WORDS,
    NEWLINE,
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
    SPACE,
    STAY,
    SYMBOLS,
    TAB,
)
from structgen_kernels.lexed_parser import bottom, frontier_of, is_viable, shift
from structgen_kernels.lexed_records import (
    has_room,
    intern,
    intern3,
    keep_step,
    known_step,
)


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
def _next_modes(
    static: Int32Array, pool: Int32Array, interned: Int32Array, modes: Int, mode: Int, terminal: Int
) -> Int:
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
        # what stands before the first backslash is the indentation
        if column > 0 and mode == static[LINE]:
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
        part = frontier_of(static, pool, interned, scratch, taken + n, n_nodes)
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
    node = bottom(pool, interned, 0)
    if node < 0:
        return node
    if scratch.shape[0] < 64:
        return np.int64(NEED_SCRATCH)
    scratch[scratch.shape[0] - 40] = node
    frontier = frontier_of(static, pool, interned, scratch, scratch.shape[0] - 40, 1)
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
