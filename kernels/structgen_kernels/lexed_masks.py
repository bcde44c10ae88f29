"""Masks of grammars with a lexer: the store's trie of emitted terminals, walked with the parser's stack.

For each thread of a configuration the entry of its lexical state is gone through from its root: a group of
tokens is allowed where one of the terminals that may come next is one that the place takes; an edge is
followed where the place takes its terminal.
"""

from __future__ import annotations

import numpy as np

from structgen_kernels.jit import Int, Int32Array, Int64Array, kernel
from structgen_kernels.layout import (
    NEED_ENTRY,
    NEED_SCRATCH,
    NOT_KNOWN,
    POOL_COMPUTED,
    POOL_WALKED,
    POOL_WANTED,
)
from structgen_kernels.lexed import accepts, leads_to_end
from structgen_kernels.lexed_layout import (
    EOS,
    N_EOS,
    N_MODES,
    N_WORDS,
    PLACE_VIABLE,
    POOL_MODE,
    SETS,
)
from structgen_kernels.lexed_places import may_end, mode_of, n_parts, part, step_place
from structgen_kernels.lexed_records import known_step


@kernel
def entry_key(static: Int32Array, lexical: Int, mode: Int) -> Int:
    """The key in the memo of steps under which the entry of a lexical state in a mode is kept."""
    return -2 - (np.int64(lexical) * np.int64(static[N_MODES]) + np.int64(mode))


@kernel
def compute_mask(
    static: Int32Array,
    pool: Int32Array,
    interned: Int32Array,
    steps: Int64Array,
    scratch: Int64Array,
    entries: Int32Array,
    lists: Int32Array,
    rows: Int32Array,
    config: Int,
    out: Int32Array,
) -> Int:
    """Write the mask of a configuration into ``out`` int32 (words,). Returns 1, or a status.

    NEED_ENTRY: the store has to give the entry of lexical state ``pool[POOL_WANTED]`` in mode
    ``pool[POOL_MODE]`` first. Cost: the groups and edges visited, counted in ``pool[POOL_WALKED]``.
    """
    n_words = np.int64(static[N_WORDS])
    out[:] = 0
    quarter = scratch.shape[0] // 4
    rest = scratch[: scratch.shape[0] - quarter]
    bottom = scratch.shape[0] - quarter
    walked = np.int64(0)
    for i in range(config + 2, config + 2 + pool[config + 1], 2):
        place = np.int64(pool[i + 1])
        mode = mode_of(pool, place)
        entry = known_step(steps, entry_key(static, np.int64(pool[i]), mode))
        if entry == NOT_KNOWN:
            pool[POOL_WANTED] = pool[i]
            pool[POOL_MODE] = mode
            return np.int64(NEED_ENTRY)
        n = np.int64(1)
        scratch[bottom] = (entry << 32) | place
        while n > 0:
            n -= 1
            node = scratch[bottom + n] >> 32
            place = scratch[bottom + n] & 0xFFFFFFFF
            n_groups, n_edges = np.int64(entries[node]), np.int64(entries[node + 1])
            walked += n_groups + n_edges
            at = node + 2
            for _ in range(n_groups):
                words = np.int64(static[SETS]) + np.int64(entries[at]) * n_words
                alive = False
                for w in range(n_words):
                    if static[words + w] & pool[place + PLACE_VIABLE + w]:
                        alive = True
                        break
                if not alive and leads_to_end(static, words):
                    ends = may_end(static, pool, interned, steps, rest, place)
                    if ends < 0:
                        return ends
                    alive = ends > 0
                if alive:
                    which = np.int64(entries[at + 1])
                    if which >= 0:
                        row = rows[which]
                        for w in range(row.shape[0]):
                            out[w] |= row[w]
                    else:
                        which = -1 - which
                        for t in range(which + 1, which + 1 + lists[which]):
                            token = np.uint32(lists[t])
                            out[np.int64(token >> np.uint32(5))] |= np.int32(
                                np.uint32(1) << (token & np.uint32(31))
                            )
                at += 2
            last = np.int64(-1)
            after = np.int64(0)
            for _ in range(n_edges):
                terminal = np.int64(entries[at])
                if terminal != last:
                    last = terminal
                    word = pool[place + PLACE_VIABLE + (terminal >> 5)]
                    after = np.int64(0)
                    if (word >> (terminal & 31)) & 1:
                        after = step_place(static, pool, interned, steps, rest, place, terminal)
                        if after < 0:
                            return after
                if after != 0:
                    for j in range(n_parts(pool, after)):
                        there = part(pool, after, j)
                        if mode_of(pool, there) == entries[at + 1]:
                            if n + 1 >= quarter:
                                return np.int64(NEED_SCRATCH)
                            scratch[bottom + n] = (np.int64(entries[at + 2]) << 32) | there
                            n += 1
                at += 3
    pool[POOL_WALKED] += walked
    pool[POOL_COMPUTED] += 1
    complete = accepts(static, pool, interned, steps, scratch, config)
    if complete < 0:
        return complete
    if complete:
        for i in range(static[N_EOS]):
            token = static[static[EOS] + i]
            out[token >> 5] |= np.int32(np.uint32(1) << np.uint32(token & 31))
    return np.int64(1)
