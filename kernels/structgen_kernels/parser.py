"""The parser's step: configurations over bytes.

A configuration is a set of threads (terminal state, continuation); a continuation is (parser state,
stacks), the stacks being a hash-consed graph-structured stack (Tomita 1986), read from the top. Everything
is interned, so a configuration met again is the same number, and what was once computed for it is kept.
"""

from __future__ import annotations

import numpy as np

from structgen_kernels.fresh_texts import tracked_step
from structgen_kernels.jit import ByteArray, Int, Int32Array, Int64Array, lean_kernel
from structgen_kernels.layout import (
    ACCEPTS,
    BEGIN_KEY,
    BEGIN_TEXT,
    CONFIG_HEAD,
    CONFIG_TRACKED,
    END_KEY,
    ENDS,
    LEADS_ON,
    MAX_THREADS,
    N_STATES,
    NEED_EXACT,
    NEED_POOL,
    NEED_SCRATCH,
    NEED_STATE,
    NEED_STEPS,
    NEED_TEXT,
    NOT_KNOWN,
    POOL_EPOCH,
    POOL_STEPS,
    POOL_TEXT,
    POOL_USED,
    POOL_WANTED,
    RTN_BEGIN,
    RTN_COUNT,
    RTN_EDGES,
    RTN_FINAL,
    RTN_START,
    SECTIONS,
    STEP_KEY_BITS,
    STEP_VALUE_BITS,
    TAG_CLOSURE,
    TAG_CONFIG,
    TAG_RESOLVED,
    TAG_TRACKED,
    TEXT_UNKNOWN,
    TOO_MANY_THREADS,
    UNEXPANDED,
    UNKNOWN,
    WANTED_SECTION,
)
from structgen_kernels.records import continuation, intern, merged_node, noted, single_node
from structgen_kernels.shared_memory import publish, published
from structgen_kernels.sorting import sort_part
from structgen_kernels.terminals import (
    add_alive,
    add_alive_in_block,
    block_near,
    step_in_block,
    terminal_flags,
    terminal_step,
)
from structgen_kernels.texts import begun, below_cells, key_ended, open_text


@lean_kernel
def _remembering(
    static: Int32Array, pool: Int32Array, interned: Int32Array, scratch: Int64Array, state: Int, node: Int
) -> Int:
    """Where a state that begins or ends a text goes on: a continuation; 0: nowhere; or a status."""
    action = static[static[RTN_FINAL] + state]
    edge = np.int64(static[RTN_EDGES]) + 2 * np.int64(static[static[RTN_BEGIN] + state])
    barred = np.int64(static[edge])
    target = np.int64(static[edge + 1])
    if action in (BEGIN_KEY, BEGIN_TEXT):
        node = begun(static, pool, interned, scratch, node, np.int64(action == BEGIN_TEXT), barred)
    elif action == END_KEY:
        node = key_ended(pool, interned, scratch, node, barred)
    else:
        text = open_text(pool, node)
        if text == TEXT_UNKNOWN:
            return np.int64(NEED_EXACT)
        target = noted(pool, interned, np.int64(TAG_RESOLVED), state, text)
        if target == UNKNOWN:
            pool[POOL_WANTED] = state
            pool[POOL_TEXT] = text
            return np.int64(NEED_TEXT)
        if target == 0:
            return np.int64(0)
        node = np.int64(pool[node + 3])
    if node <= 0:
        return np.int64(node)
    return continuation(pool, interned, target, node)


@lean_kernel
def _want(scratch: Int64Array, state: Int) -> None:
    """Note a parser state that has no edges yet; beyond the room there is, it will be met again."""
    section = scratch.shape[0] // SECTIONS
    at = WANTED_SECTION * section
    count = scratch[at]
    if count + 1 < section:
        scratch[at + 1 + count] = state
        scratch[at] = count + 1


@lean_kernel
def closure(static: Int32Array, pool: Int32Array, interned: Int32Array, scratch: Int64Array, k: Int) -> Int:
    """The threads that can begin in continuation ``k``, and whether the text may end there.

    Follows calls (push), ends of rules (pop), and texts that begin or end, to the terminals. Left recursion
    was compiled away, so this ends. Returns the id of the closure record, kept in ``k``, or a status. Uses
    the second and third section of ``scratch``.
    """
    if pool[k + 3] != 0:
        return np.int64(pool[k + 3])
    section = scratch.shape[0] // SECTIONS
    work = section
    n_work = 1
    threads = 2 * section
    n_threads = 0
    accepting = 0
    pool[POOL_EPOCH] += 1
    epoch = pool[POOL_EPOCH]
    scratch[work] = k
    pool[k + 4] = epoch
    edges = np.int64(static[RTN_EDGES])
    is_missing = False  # all states that are missing are asked for at once
    while n_work > 0:
        n_work -= 1
        current = scratch[work + n_work]
        state = np.int64(pool[current + 1])
        node = np.int64(pool[current + 2])
        count = static[static[RTN_COUNT] + state]
        if count == UNEXPANDED:
            _want(scratch, state)
            is_missing = True
            continue
        action = static[static[RTN_FINAL] + state]
        if action > ENDS:
            after = _remembering(static, pool, interned, scratch, state, node)
            if after < 0:
                return after
            if after > 0 and pool[after + 4] != epoch:
                pool[after + 4] = epoch
                if n_work + 1 >= section:
                    return np.int64(NEED_SCRATCH)
                scratch[work + n_work] = after
                n_work += 1
            continue
        begin = np.int64(static[static[RTN_BEGIN] + state])
        for e in range(begin, begin + count):
            symbol = static[edges + 2 * e]
            target = np.int64(static[edges + 2 * e + 1])
            if symbol > 0:
                after = continuation(pool, interned, target, node)
                if after < 0:
                    return after
                if n_threads + 1 >= section:
                    return np.int64(NEED_SCRATCH)
                scratch[threads + n_threads] = (np.int64(symbol) << 32) | after
                n_threads += 1
                continue
            if target == 0:  # the call ends the rule: nothing to come back to
                inner = node
            else:
                inner = single_node(pool, interned, target, node)
                if inner < 0:
                    return inner
            after = continuation(pool, interned, np.int64(-symbol), inner)
            if after < 0:
                return after
            if pool[after + 4] != epoch:
                pool[after + 4] = epoch
                if n_work + 1 >= section:
                    return np.int64(NEED_SCRATCH)
                scratch[work + n_work] = after
                n_work += 1
        if action == ENDS:
            node = below_cells(pool, node)
            for i in range(pool[node + 1]):
                back = np.int64(pool[node + 2 + 2 * i])
                parent = np.int64(pool[node + 3 + 2 * i])
                if back == 0:
                    accepting = 1
                    continue
                after = continuation(pool, interned, back, parent)
                if after < 0:
                    return after
                if pool[after + 4] != epoch:
                    pool[after + 4] = epoch
                    if n_work + 1 >= section:
                        return np.int64(NEED_SCRATCH)
                    scratch[work + n_work] = after
                    n_work += 1
    if is_missing:
        return np.int64(NEED_STATE)
    record = np.int64(pool[POOL_USED])
    size = 3 + 2 * n_threads
    if record + size > pool.shape[0]:
        return np.int64(NEED_POOL)
    pool[record] = TAG_CLOSURE
    pool[record + 1] = n_threads
    pool[record + 2] = accepting
    for i in range(n_threads):
        thread = scratch[threads + i]
        pool[record + 3 + 2 * i] = thread >> 32
        pool[record + 4 + 2 * i] = thread & 0xFFFFFFFF
    pool[POOL_USED] = record + size
    pool[k + 3] = record
    return record


@lean_kernel
def _may_merge(pool: Int32Array, node: Int) -> bool:
    """False where there are cells: each of them must know what lies below it."""
    return bool(pool[node] != TAG_TRACKED and pool[node + 2] >= 0)


@lean_kernel
def _merge_threads(pool: Int32Array, interned: Int32Array, scratch: Int64Array, n: Int) -> Int:
    """Threads of one terminal state and one parser state become one, with the union of their stacks.

    Works on the sorted first ``n`` of ``scratch`` and beside them in the second section. Returns how many
    remain, or a status.
    """
    aside = scratch.shape[0] // SECTIONS
    kept = 0
    i = 0
    while i < n:
        state = scratch[i] >> 32
        size = 0
        while i < n and scratch[i] >> 32 == state:
            k = scratch[i] & 0xFFFFFFFF
            scratch[aside + size] = (np.int64(pool[k + 1]) << 32) | k
            size += 1
            i += 1
        begin = kept
        if size == 1:
            scratch[kept] = (state << 32) | k
            kept += 1
            continue
        sort_part(scratch, aside, aside + size)  # by parser state
        j = 0
        while j < size:
            parser_state = scratch[aside + j] >> 32
            together = np.int64(0)
            while j < size and scratch[aside + j] >> 32 == parser_state:
                k = scratch[aside + j] & 0xFFFFFFFF
                j += 1
                if j > 1 and scratch[aside + j - 2] & 0xFFFFFFFF == k:
                    continue
                if not _may_merge(pool, pool[k + 2]):
                    scratch[kept] = (state << 32) | k
                    kept += 1
                elif together == 0:
                    together = k
                else:
                    node = merged_node(pool, interned, pool[together + 2], pool[k + 2])
                    if node < 0:
                        return node
                    together = continuation(pool, interned, parser_state, node)
                    if together < 0:
                        return together
            if together > 0:
                scratch[kept] = (state << 32) | together
                kept += 1
        sort_part(scratch, begin, kept)
    return np.int64(kept)


@lean_kernel
def configuration(
    static: Int32Array, pool: Int32Array, interned: Int32Array, scratch: Int64Array, n: Int, accepting: Int
) -> Int:
    """The interned configuration of the first ``n`` threads in ``scratch``; 0 when there are none."""
    if n == 0 and accepting == 0:
        return np.int64(0)
    if n > 1:
        sort_part(scratch, 0, n)
        n = _merge_threads(pool, interned, scratch, n)
        if n < 0:
            return n
        if n > MAX_THREADS:
            pool[POOL_WANTED] = n
            return np.int64(TOO_MANY_THREADS)
    record = np.int64(pool[POOL_USED])
    size = CONFIG_HEAD + 2 * n
    if record + size > pool.shape[0]:
        return np.int64(NEED_POOL)
    pool[record] = TAG_CONFIG
    pool[record + 1] = n
    pool[record + 2] = accepting
    for i in range(3, CONFIG_HEAD):
        pool[record + i] = 0
    block = np.int64(0)
    for i in range(n):
        state = scratch[i] >> 32
        pool[record + CONFIG_HEAD + 2 * i] = state
        k = np.int64(scratch[i] & 0xFFFFFFFF)
        pool[record + CONFIG_HEAD + 2 * i + 1] = k
        if pool[pool[k + 2]] == TAG_TRACKED:
            pool[record + CONFIG_TRACKED] = 1
        if state < static[N_STATES]:
            add_alive(static, state, pool, record + 4)
        else:
            block = block_near(static, state, block)
            add_alive_in_block(static, block, state, pool, record + 4)
    return intern(pool, interned, record, size)


@lean_kernel
def _add_closure(
    static: Int32Array, pool: Int32Array, interned: Int32Array, scratch: Int64Array, k: Int, n: Int
) -> tuple[Int, Int]:
    """Append the threads of ``k``'s closure at ``scratch[n:]``; returns (new n or status, accepting)."""
    begin = closure(static, pool, interned, scratch, k)
    if begin < 0:
        return begin, 0
    count = pool[begin + 1]
    if n + count >= scratch.shape[0] // SECTIONS:
        return np.int64(NEED_SCRATCH), 0
    for i in range(count):
        state = np.int64(pool[begin + 3 + 2 * i])
        scratch[n + i] = (state << 32) | np.int64(pool[begin + 4 + 2 * i])
    return np.int64(n + count), np.int64(pool[begin + 2])


@lean_kernel
def entry_configuration(
    static: Int32Array, pool: Int32Array, interned: Int32Array, scratch: Int64Array, k: Int
) -> Int:
    """The configuration at the beginning of continuation ``k``, or a status."""
    n, accepting = _add_closure(static, pool, interned, scratch, k, 0)
    if n < 0:
        return n
    return configuration(static, pool, interned, scratch, n, accepting)


@lean_kernel
def stays(static: Int32Array, classes: ByteArray, pool: Int32Array, config: Int, byte: Int) -> bool:
    """True when a byte leaves a configuration of one thread as it is, as most do inside a string.

    Cheaper than the memo, and it keeps the memo free of such steps.
    """
    if pool[config + 1] != 1 or pool[config + 2] != 0 or pool[config + CONFIG_TRACKED] != 0:
        return False
    state = np.int64(pool[config + CONFIG_HEAD])
    if terminal_step(static, classes, state, byte) != state:
        return False
    return bool(terminal_flags(static, state) & ACCEPTS == 0)


@lean_kernel
def step(
    static: Int32Array,
    classes: ByteArray,
    pool: Int32Array,
    interned: Int32Array,
    steps: Int64Array,
    scratch: Int64Array,
    config: Int,
    byte: Int,
    forgets: Int,
) -> Int:
    """The configuration after one more byte; 0 when no thread can take it; or a status.

    ``forgets``: 1 where it is only asked what may follow: then keys need not be known (see `tracked_step`),
    or NEED_EXACT is the answer. Memoised: O(1) when met before, else O(threads + their closures).
    """
    if (pool[config + 4 + (byte >> 5)] >> (byte & 31)) & 1 == 0:
        return np.int64(0)
    if pool[config + CONFIG_TRACKED] == 0:
        forgets = 0
    key = (np.int64(forgets) << STEP_KEY_BITS) + np.int64(config) * 256 + np.int64(byte)
    mask = np.uint64(steps.shape[0] - 1)
    p = ((np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32)) & mask
    while True:
        slot = steps[np.int64(p)]
        if slot == 0:
            break
        if slot >> STEP_VALUE_BITS == key:
            return slot & ((np.int64(1) << STEP_VALUE_BITS) - 1)
        p = (p + np.uint64(1)) & mask
    if (pool[POOL_STEPS] + 1) * 2 > steps.shape[0]:
        return np.int64(NEED_STEPS)
    n = np.int64(0)
    accepting = np.int64(0)
    is_missing = False
    section = scratch.shape[0] // SECTIONS
    block = np.int64(0)
    for i in range(pool[config + 1]):
        state = np.int64(pool[config + CONFIG_HEAD + 2 * i])
        k = np.int64(pool[config + CONFIG_HEAD + 2 * i + 1])
        if state < static[N_STATES]:
            after = terminal_step(static, classes, state, byte)
        else:
            block = block_near(static, state, block)
            after = step_in_block(static, block, state, byte)
        if after == 0:
            continue
        flags = terminal_flags(static, after)
        if pool[pool[k + 2]] == TAG_TRACKED:
            ends = np.int64(flags & ACCEPTS)
            k = tracked_step(static, classes, pool, interned, scratch, k, byte, after, ends, forgets)
            if k < 0:
                return k
            if k == 0:
                continue
        if flags & LEADS_ON:
            if n + 1 >= section:
                return np.int64(NEED_SCRATCH)
            scratch[n] = (after << 32) | k
            n += 1
        if flags & ACCEPTS:
            added, may_end = _add_closure(static, pool, interned, scratch, k, n)
            if added == NEED_STATE:
                is_missing = True
                continue
            if added < 0:
                return added
            n = added
            accepting |= may_end
    if is_missing:
        return np.int64(NEED_STATE)
    result = configuration(static, pool, interned, scratch, n, accepting)
    if result <= 0:
        return result
    publish(steps, np.int64(p), (key << STEP_VALUE_BITS) | result)  # `advance_known` looks without a lock
    pool[POOL_STEPS] += 1
    return result


@lean_kernel
def rehash_steps(old: Int64Array, new: Int64Array) -> None:
    """Move all entries of ``old`` into the empty, larger ``new``."""
    mask = np.uint64(new.shape[0] - 1)
    for i in range(old.shape[0]):
        if old[i] != 0:
            key = old[i] >> STEP_VALUE_BITS
            p = ((np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32)) & mask
            while new[np.int64(p)] != 0:
                p = (p + np.uint64(1)) & mask
            new[np.int64(p)] = old[i]


@lean_kernel
def advance(
    static: Int32Array,
    classes: ByteArray,
    pool: Int32Array,
    interned: Int32Array,
    steps: Int64Array,
    scratch: Int64Array,
    config: Int,
    data: ByteArray,
) -> Int:
    """The configuration after the bytes ``data`` uint8 (n,); 0 when refused; or a status."""
    for i in range(data.shape[0]):
        config = step(static, classes, pool, interned, steps, scratch, config, np.int64(data[i]), 0)
        if config <= 0:
            return config
    return np.int64(config)


@lean_kernel
def forced(
    static: Int32Array,
    classes: ByteArray,
    pool: Int32Array,
    interned: Int32Array,
    steps: Int64Array,
    scratch: Int64Array,
    config: Int,
    out: ByteArray,
) -> Int:
    """Write the bytes that must follow into ``out`` uint8 (n,). Returns how many, or a status.

    Stops where more than one byte may follow, where the text may end, or when ``out`` is full.
    """
    n = 0
    while n < out.shape[0] and pool[config + 2] == 0:
        only = -1
        tracked = pool[config + CONFIG_TRACKED] != 0  # then not every byte that the terminals have is taken
        for w in range(8):
            word = np.uint32(pool[config + 4 + w])
            if word != 0 and not tracked and (word & (word - np.uint32(1)) != 0 or only >= 0):
                return np.int64(n)
            bit = 0
            while word != 0:
                if word & np.uint32(1):
                    byte = w * 32 + bit
                    if tracked:
                        after = step(static, classes, pool, interned, steps, scratch, config, byte, 0)
                        if after < 0:
                            return after
                        if after > 0 and only >= 0:
                            return np.int64(n)
                        only = byte if after > 0 else only
                    else:
                        only = byte
                word >>= np.uint32(1)
                bit += 1
        if only < 0:
            return np.int64(n)
        config = step(static, classes, pool, interned, steps, scratch, config, only, 0)
        if config < 0:
            return config
        out[n] = only
        n += 1
    return np.int64(n)


@lean_kernel
def start_configuration(
    static: Int32Array, pool: Int32Array, interned: Int32Array, scratch: Int64Array, accepts_empty: Int
) -> Int:
    """The configuration before any text: the start rule over the bottom of the stack. Or a status."""
    bottom = single_node(pool, interned, np.int64(0), np.int64(0))
    if bottom < 0:
        return bottom
    n = np.int64(0)
    if static[RTN_START] != 0:
        k = continuation(pool, interned, np.int64(static[RTN_START]), bottom)
        if k < 0:
            return k
        n, _ = _add_closure(static, pool, interned, scratch, k, 0)
        if n < 0:
            return n
    return configuration(static, pool, interned, scratch, n, np.int64(accepts_empty))


@lean_kernel
def advance_known(
    static: Int32Array,
    classes: ByteArray,
    pool: Int32Array,
    steps: Int64Array,
    blob: ByteArray,
    offsets: Int64Array,
    config: Int,
    token: Int,
) -> Int:
    """`advance` by the bytes of one token, through steps that are memoised or stay; NOT_KNOWN at another.

    blob uint8 and offsets int64 (V + 1,): the bytes of all tokens. It writes nothing.
    """
    mask = np.uint64(steps.shape[0] - 1)
    for i in range(offsets[token], offsets[token + 1]):
        byte = np.int64(blob[i])
        if (pool[config + 4 + (byte >> 5)] >> (byte & 31)) & 1 == 0:
            return np.int64(0)
        key = np.int64(config) * 256 + byte
        p = ((np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32)) & mask
        while True:
            slot = published(steps, np.int64(p))
            if slot == 0:
                if stays(static, classes, pool, config, byte):
                    break
                return np.int64(NOT_KNOWN)
            if slot >> STEP_VALUE_BITS == key:
                config = slot & ((np.int64(1) << STEP_VALUE_BITS) - 1)
                break
            p = (p + np.uint64(1)) & mask
    return np.int64(config)
