"""Configurations of grammars with a lexer: sets of threads (lexical state, place), advanced byte by byte.

A thread either reads a lexeme or, its lexical state being a start, has just ended one. Whether a lexeme
ends is guessed; the lexical states see to it that wrong guesses die (`structgen.lexing.product`). A thread
is kept while its lexical state may emit a terminal that its place takes.
"""

from __future__ import annotations

import numpy as np

from structgen_kernels.jit import ByteArray, Int, Int32Array, Int64Array, kernel
from structgen_kernels.layout import NEED_POOL, NEED_SCRATCH, NOT_KNOWN, POOL_USED
from structgen_kernels.lexed_layout import (
    CLASS_OF,
    CONFIG,
    DELTA,
    EMIT_BEGIN,
    EMITS,
    EMITTED,
    N_CLASSES,
    N_MODES,
    N_TERMINALS,
    N_WORDS,
    PLACE_VIABLE,
    START,
    SYMBOLS,
)
from structgen_kernels.lexed_places import may_end, mode_of, n_parts, part, start_place, step_place
from structgen_kernels.lexed_records import has_room, intern, keep_step, known_step


@kernel
def leads_to_end(static: Int32Array, words: Int) -> bool:
    """Whether a set of terminals, at ``static[words]``, says that the text may end, at once or a little
    later.
    """
    later = np.int64(static[N_TERMINALS])
    end = later - 1
    at_once = (static[words + (end >> 5)] >> (end & 31)) & 1
    return bool(at_once | ((static[words + (later >> 5)] >> (later & 31)) & 1))


@kernel
def is_alive(
    static: Int32Array,
    pool: Int32Array,
    interned: Int32Array,
    steps: Int64Array,
    scratch: Int64Array,
    lexical: Int,
    place: Int,
) -> Int:
    """1 where the thread can go on or end, else 0; or a status."""
    n_words = np.int64(static[N_WORDS])
    emits = static[EMITS] + lexical * n_words
    for w in range(n_words):
        if static[emits + w] & pool[place + PLACE_VIABLE + w]:
            return np.int64(1)
    if leads_to_end(static, emits):
        return may_end(static, pool, interned, steps, scratch, place)
    return np.int64(0)


@kernel
def configuration(pool: Int32Array, interned: Int32Array, scratch: Int64Array, n: Int) -> Int:
    """The configuration of the ``n`` threads (lexical << 32 | place) at the end of scratch; 0: none; or a
    status.
    """
    if n == 0:
        return np.int64(0)
    begin = scratch.shape[0] - 1 - n
    for i in range(begin + 1, begin + n):
        value = scratch[i]
        j = i - 1
        while j >= begin and scratch[j] > value:
            scratch[j + 1] = scratch[j]
            j -= 1
        scratch[j + 1] = value
    if not has_room(pool, 4 + 2 * n):
        return np.int64(NEED_POOL)
    record = np.int64(pool[POOL_USED])
    kept = 0
    for i in range(begin, begin + n):
        if i > begin and scratch[i] == scratch[i - 1]:
            continue
        pool[record + 2 + 2 * kept] = scratch[i] >> 32
        pool[record + 3 + 2 * kept] = scratch[i] & 0xFFFFFFFF
        kept += 1
    pool[record] = CONFIG
    pool[record + 1] = 2 * kept
    return intern(pool, interned, 1)


@kernel
def start_configuration(
    static: Int32Array, pool: Int32Array, interned: Int32Array, steps: Int64Array, scratch: Int64Array
) -> Int:
    """The configuration of the empty text; 0: no text at all is accepted; or a status."""
    place = start_place(static, pool, interned, steps, scratch)
    if place < 0:
        return place
    lexical = np.int64(static[static[START] + mode_of(pool, place)])
    if lexical == 0:
        return np.int64(0)
    alive = is_alive(static, pool, interned, steps, scratch, lexical, place)
    if alive <= 0:
        return alive
    scratch[scratch.shape[0] - 2] = (lexical << 32) | place
    return configuration(pool, interned, scratch, 1)


@kernel
def step(
    static: Int32Array,
    pool: Int32Array,
    interned: Int32Array,
    steps: Int64Array,
    scratch: Int64Array,
    config: Int,
    byte: Int,
) -> Int:
    """The configuration after one byte; 0 where it is refused; or a status. Remembered.

    The threads found are kept at the end of scratch, whose quarter there no other kernel writes to; the one
    place that they leave free at the very end is room for one more.
    """
    key = config * SYMBOLS + byte
    known = known_step(steps, key)
    if known != NOT_KNOWN:
        return known
    column = np.int64(static[static[CLASS_OF] + byte])
    n_classes = np.int64(static[N_CLASSES])
    n_modes = np.int64(static[N_MODES])
    last = scratch.shape[0] - 1
    quarter = scratch.shape[0] // 4
    rest = scratch[: scratch.shape[0] - quarter]
    n = np.int64(0)
    for i in range(config + 2, config + 2 + pool[config + 1], 2):
        lexical, place = np.int64(pool[i]), np.int64(pool[i + 1])
        lexical = np.int64(static[static[DELTA] + lexical * n_classes + column])
        if lexical == 0:
            continue
        alive = is_alive(static, pool, interned, steps, rest, lexical, place)
        if alive < 0:
            return alive
        if alive == 0:
            continue
        if n + 2 >= quarter:
            return np.int64(NEED_SCRATCH)
        n += 1
        scratch[last - n] = (lexical << 32) | place
        for e in range(static[static[EMIT_BEGIN] + lexical], static[static[EMIT_BEGIN] + lexical + 1]):
            emitted = np.int64(static[EMITTED]) + 2 * e
            after = step_place(static, pool, interned, steps, rest, place, np.int64(static[emitted]))
            if after < 0:
                return after
            if after == 0:
                continue
            pending = np.int64(static[emitted + 1])
            for j in range(n_parts(pool, after)):
                there = part(pool, after, j)
                start = np.int64(static[static[START] + pending * n_modes + mode_of(pool, there)])
                if start == 0:
                    continue
                alive = is_alive(static, pool, interned, steps, rest, start, there)
                if alive < 0:
                    return alive
                if alive > 0:
                    if n + 2 >= quarter:
                        return np.int64(NEED_SCRATCH)
                    n += 1
                    scratch[last - n] = (start << 32) | there
    after = configuration(pool, interned, scratch, n)
    return after if after < 0 else keep_step(pool, steps, key, after)


@kernel
def advance(
    static: Int32Array,
    pool: Int32Array,
    interned: Int32Array,
    steps: Int64Array,
    scratch: Int64Array,
    config: Int,
    data: ByteArray,
) -> Int:
    """The configuration after ``data`` uint8 (n,); 0 where it is refused; or a status."""
    config = np.int64(config)
    for i in range(data.shape[0]):
        if config <= 0:
            return config
        config = step(static, pool, interned, steps, scratch, config, np.int64(data[i]))
    return config


@kernel
def accepts(
    static: Int32Array,
    pool: Int32Array,
    interned: Int32Array,
    steps: Int64Array,
    scratch: Int64Array,
    config: Int,
) -> Int:
    """1 where the text so far is complete, else 0; or a status. Remembered."""
    known = config + 2 + pool[config + 1]
    if pool[known] != 0:
        return np.int64(pool[known]) - 1
    n_words = np.int64(static[N_WORDS])
    end = np.int64(static[N_TERMINALS]) - 1
    found = 0
    for i in range(config + 2, config + 2 + pool[config + 1], 2):
        word = static[static[EMITS] + np.int64(pool[i]) * n_words + (end >> 5)]
        if found == 0 and (word >> (end & 31)) & 1:
            ends = may_end(static, pool, interned, steps, scratch, np.int64(pool[i + 1]))
            if ends < 0:
                return ends
            found = ends
    pool[known] = found + 1
    return np.int64(found)


@kernel
def following(
    static: Int32Array,
    pool: Int32Array,
    interned: Int32Array,
    steps: Int64Array,
    scratch: Int64Array,
    config: Int,
    out: ByteArray,
) -> Int:
    """Set ``out`` uint8 (256,) where a byte may come next. Returns how many may, or a status."""
    count = np.int64(0)
    for byte in range(256):
        after = step(static, pool, interned, steps, scratch, config, byte)
        if after < 0:
            return after
        out[byte] = 1 if after > 0 else 0
        count += 1 if after > 0 else 0
    return count
