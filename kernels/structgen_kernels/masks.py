"""Masks: which tokens a configuration allows.

The mask of a configuration is the union over its threads. A thread whose terminal state reaches many nodes
of the vocabulary's trie takes the tokens that stay inside the terminal from the mask store, and walks only
the places where a token has just left the terminal. All other threads walk the trie together; it is cut
where no thread goes on. What was found is kept in the pool as store rows and loose tokens.

The trie comes as ``trie`` int32 (nodes + 1, 4): (byte | depth << 8, end, first token, parent), see
`structgen.trie`; and as ``children``, see `structgen_kernels.trie.list_children`.
"""

from __future__ import annotations

import numpy as np

from structgen_kernels.cuts import after_text, find_cuts, or_cut_row
from structgen_kernels.jit import ByteArray, Int, Int32Array, Int64Array, lean_kernel
from structgen_kernels.layout import (
    BLOCK_KIND,
    CONFIG_HEAD,
    CONFIG_TRACKED,
    ENTRY_BEGIN,
    ENTRY_ROW,
    EOS,
    N_EOS,
    N_STATES,
    NARROW,
    NEED_ENTRY,
    NEED_EXACT,
    NEED_POOL,
    NEED_SCRATCH,
    NEED_STATE,
    POOL_COMPUTED,
    POOL_USED,
    POOL_WALKED,
    POOL_WANTED,
    SECTIONS,
    SPARSE_TOKENS,
    SPELLED,
    STORED_NODES,
    TAG_DENSE,
    TAG_MASK,
    TAG_TRACKED,
    UNKNOWN,
)
from structgen_kernels.parser import configuration, entry_configuration, stays, step
from structgen_kernels.records import add_entry, continuation, entry_of
from structgen_kernels.shared_memory import publish
from structgen_kernels.store import reaches_more
from structgen_kernels.terminals import block_near, representative
from structgen_kernels.texts import append_open
from structgen_kernels.trie import CHILD_BITS

_WANT_ENTRY = -100  # below UNKNOWN and NARROW; a status is added to it


@lean_kernel
def _walk(
    static: Int32Array,
    classes: ByteArray,
    pool: Int32Array,
    interned: Int32Array,
    steps: Int64Array,
    scratch: Int64Array,
    trie: Int32Array,
    children: Int32Array,
    root: Int,
    config: Int,
    n_found: Int,
    forgets: Int,
) -> Int:
    """Collect the trie nodes below ``root`` that ``config`` can reach, in the fourth scratch section.

    It holds found nodes, and from its end downwards, of the nodes above the present one, (next child, end of
    its children, configuration). Returns the new number of found nodes, or a status.
    """
    base = 3 * (scratch.shape[0] // SECTIONS)
    bottom = 4 * (scratch.shape[0] // SECTIONS)
    top = bottom
    place = np.int64(children[root])
    end = np.int64(children[root + 1])
    walked = 0
    is_missing = False  # beyond parser states without edges nothing is known, but others may be missing, too
    while True:
        if place == end:
            if top == bottom:
                break
            place, end, config = scratch[top], scratch[top + 1], scratch[top + 2]
            top += 3
            continue
        child = np.int64(children[place])
        place += 1
        walked += 1
        byte = (child >> CHILD_BITS) & 255
        if (pool[config + 4 + (byte >> 5)] >> (byte & 31)) & 1 == 0:
            continue
        node = child & ((1 << CHILD_BITS) - 1)
        if base + n_found + 5 >= top:
            return np.int64(NEED_SCRATCH)
        is_leaf = trie[node, 1] == node + 1  # its tokens stand in the same line of memory
        after = np.int64(config)
        if pool[config + CONFIG_TRACKED] != 0 or not (  # a leaf's configuration is of no interest
            is_leaf or stays(static, classes, pool, config, byte)
        ):
            after = step(static, classes, pool, interned, steps, scratch, config, byte, forgets)
            if after == NEED_STATE:
                is_missing = True
                continue
            if after < 0:
                return after
            if after == 0:
                continue
        if trie[node + 1, 2] > trie[node, 2]:
            scratch[base + n_found] = node
            n_found += 1
        if not is_leaf:
            top -= 3
            scratch[top], scratch[top + 1], scratch[top + 2] = place, end, config
            place, end, config = np.int64(children[node]), np.int64(children[node + 1]), after
    pool[POOL_WALKED] += walked
    return np.int64(NEED_STATE) if is_missing else np.int64(n_found)


@lean_kernel
def _cross_at(
    static: Int32Array,
    classes: ByteArray,
    pool: Int32Array,
    interned: Int32Array,
    steps: Int64Array,
    scratch: Int64Array,
    trie: Int32Array,
    children: Int32Array,
    config: Int,
    node: Int,
    n_found: Int,
    forgets: Int,
) -> Int:
    """Collect ``node``, if tokens end there, and what ``config``, which has read its byte, reaches below."""
    pool[POOL_WALKED] += 1
    section = scratch.shape[0] // SECTIONS
    if n_found + 2 >= section:
        return np.int64(NEED_SCRATCH)
    if trie[node + 1, 2] > trie[node, 2]:
        scratch[3 * section + n_found] = node
        n_found += 1
    if trie[node, 1] > node + 1:
        return _walk(
            static, classes, pool, interned, steps, scratch, trie, children, node, config, n_found, forgets
        )
    return np.int64(n_found)


@lean_kernel
def _walk_all(
    static: Int32Array,
    classes: ByteArray,
    pool: Int32Array,
    interned: Int32Array,
    steps: Int64Array,
    scratch: Int64Array,
    trie: Int32Array,
    children: Int32Array,
    token_ids: Int32Array,
    config: Int,
    n_found: Int,
    forgets: Int,
) -> Int:
    """`_walk` from the root, whose children are looked up by the bytes that ``config`` takes: it has up to
    256, each on a page of its own.
    """
    first_nodes = token_ids.shape[0] - 256
    is_tracked = pool[config + CONFIG_TRACKED] != 0
    is_missing = False
    for w in range(8):
        word = np.uint32(pool[config + 4 + w])
        bit = 0
        while word != 0:
            byte = w * 32 + bit
            node = np.int64(token_ids[first_nodes + byte]) if word & np.uint32(1) else np.int64(0)
            word >>= np.uint32(1)
            bit += 1
            if node == 0:
                continue
            after = np.int64(config)
            if is_tracked or (
                trie[node, 1] > node + 1 and not stays(static, classes, pool, np.int64(config), byte)
            ):
                after = step(static, classes, pool, interned, steps, scratch, np.int64(config), byte, forgets)
            if after == 0:
                continue
            found = after
            if after > 0:
                found = _cross_at(
                    static,
                    classes,
                    pool,
                    interned,
                    steps,
                    scratch,
                    trie,
                    children,
                    after,
                    node,
                    n_found,
                    forgets,
                )
            if found == NEED_STATE:
                is_missing = True
                continue
            if found < 0:
                return found
            n_found = found
    return np.int64(NEED_STATE) if is_missing else np.int64(n_found)


@lean_kernel
def _cross(
    static: Int32Array,
    classes: ByteArray,
    pool: Int32Array,
    interned: Int32Array,
    steps: Int64Array,
    scratch: Int64Array,
    trie: Int32Array,
    children: Int32Array,
    entries: Int32Array,
    entry: Int,
    k: Int,
    n_found: Int,
    forgets: Int,
) -> Int:
    """Collect the nodes where a token goes on from the end of a wide terminal into ``k``."""
    config = entry_configuration(static, pool, interned, scratch, k)
    if config < 0:
        return config
    is_missing = False
    for w in range(8):
        word = np.uint32(pool[config + 4 + w])
        bit = 0
        while word != 0:
            if word & np.uint32(1):
                byte = w * 32 + bit
                first = entries[entry + ENTRY_BEGIN + byte]
                last = entries[entry + ENTRY_BEGIN + byte + 1]
                if last > first:
                    after = step(static, classes, pool, interned, steps, scratch, config, byte, forgets)
                    if after == NEED_STATE:
                        is_missing = True
                        after = np.int64(0)
                    if after < 0:
                        return after
                    for i in range(entry + first, entry + last if after > 0 else 0):
                        node = np.int64(entries[i])
                        found = _cross_at(
                            static,
                            classes,
                            pool,
                            interned,
                            steps,
                            scratch,
                            trie,
                            children,
                            after,
                            node,
                            n_found,
                            forgets,
                        )
                        if found == NEED_STATE:
                            is_missing = True
                            continue
                        if found < 0:
                            return found
                        n_found = found
            word >>= np.uint32(1)
            bit += 1
    return np.int64(NEED_STATE) if is_missing else np.int64(n_found)


@lean_kernel
def _cross_tracked(
    static: Int32Array,
    classes: ByteArray,
    pool: Int32Array,
    interned: Int32Array,
    steps: Int64Array,
    scratch: Int64Array,
    trie: Int32Array,
    children: Int32Array,
    entries: Int32Array,
    entry: Int,
    k: Int,
    cuts: Int,
    n_found: Int,
    forgets: Int,
) -> Int:
    """As `_cross`, where the text is remembered that the terminal is part of.

    Each node has a text of its own. As hardly any token reaches a place where it matters, all are tried with
    an unknown text first, and once more with their own where that does not do. Nodes within a cut, from
    ``scratch[cuts]`` on as (first node, end) up to a -1, are left out.
    """
    unknown = append_open(pool, interned, scratch, np.int64(pool[k + 2]), -1)
    if unknown < 0:
        return unknown
    unknown = continuation(pool, interned, np.int64(pool[k + 1]), unknown)
    if unknown < 0:
        return unknown
    # NEED_EXACT here: every single text has to be tried
    shared = entry_configuration(static, pool, interned, scratch, unknown)
    if shared < 0 and shared != NEED_EXACT:
        return shared
    is_missing = False
    for byte in range(256):
        first = entries[entry + ENTRY_BEGIN + byte]
        last = entries[entry + ENTRY_BEGIN + byte + 1]
        if last == first:
            continue
        after = shared
        if shared > 0:
            after = step(static, classes, pool, interned, steps, scratch, shared, byte, forgets)
            if after == NEED_STATE:
                is_missing = True
                after = np.int64(0)
            if after == 0:
                continue
            if after < 0 and after != NEED_EXACT:
                return after
        for i in range(entry + first, entry + last):
            node = np.int64(entries[i])
            cut = cuts
            while scratch[cut] >= 0 and not scratch[cut] <= node < scratch[cut + 1]:
                cut += 2
            if scratch[cut] >= 0:
                continue
            found = after
            if after > 0:
                found = _cross_at(
                    static,
                    classes,
                    pool,
                    interned,
                    steps,
                    scratch,
                    trie,
                    children,
                    after,
                    node,
                    n_found,
                    forgets,
                )
            if found == NEED_EXACT:
                exact = after_text(pool, interned, scratch, trie, k, node)
                if exact < 0:
                    return exact
                exact = entry_configuration(static, pool, interned, scratch, exact)
                if exact > 0:
                    exact = step(static, classes, pool, interned, steps, scratch, exact, byte, forgets)
                if exact == NEED_STATE:
                    is_missing = True
                    exact = np.int64(0)
                if exact < 0:
                    return exact
                found = n_found
                if exact > 0:
                    found = _cross_at(
                        static,
                        classes,
                        pool,
                        interned,
                        steps,
                        scratch,
                        trie,
                        children,
                        exact,
                        node,
                        n_found,
                        forgets,
                    )
            if found == NEED_STATE:
                is_missing = True
                continue
            if found < 0:
                return found
            n_found = found
    return np.int64(NEED_STATE) if is_missing else np.int64(n_found)


@lean_kernel
def _stored(
    static: Int32Array,
    classes: ByteArray,
    pool: Int32Array,
    interned: Int32Array,
    scratch: Int64Array,
    trie: Int32Array,
    token_ids: Int32Array,
    state: Int,
) -> Int:
    """Where the store keeps the entry of a terminal state that is not spelled, NARROW, or a status below."""
    state = representative(static, state)
    entry = entry_of(pool, interned, state)
    if entry != UNKNOWN:
        return entry
    if reaches_more(static, classes, trie, token_ids, state, static[STORED_NODES], scratch):
        pool[POOL_WANTED] = state
        return np.int64(_WANT_ENTRY)
    noted = add_entry(pool, interned, state, NARROW)
    return np.int64(NARROW) if noted > 0 else noted + _WANT_ENTRY


@lean_kernel
def compute_mask(
    static: Int32Array,
    classes: ByteArray,
    pool: Int32Array,
    interned: Int32Array,
    steps: Int64Array,
    scratch: Int64Array,
    trie: Int32Array,
    children: Int32Array,
    token_ids: Int32Array,
    entries: Int32Array,
    rows: Int32Array,
    config: Int,
    n_words: Int,
    forgets: Int,
) -> Int:
    """Find the mask of a configuration and keep it in the pool. Returns its record, or a status.

    ``forgets``: 1: keys are forgotten where no seen string goes on like them, which is less work; NEED_EXACT
    where one has to be known after all. NEED_ENTRY: the store has to give the entry of the terminal state
    ``pool[POOL_WANTED]`` first. Cost: the trie nodes visited, counted in ``pool[POOL_WALKED]``.
    """
    n_threads = pool[config + 1]
    section = scratch.shape[0] // SECTIONS
    base = 3 * section
    n_found = np.int64(0)
    n_rows = 0
    first_row = 0  # of the threads with one; all are among those up to ``past_rows``
    past_rows = 0
    block = np.int64(0)
    for i in range(n_threads):
        state = np.int64(pool[config + CONFIG_HEAD + 2 * i])
        if state >= static[N_STATES]:
            block = block_near(static, state, block)
            if static[block + BLOCK_KIND] >= SPELLED:  # few tokens are inside one: the store has no entry
                continue
        entry = _stored(static, classes, pool, interned, scratch, trie, token_ids, state)
        if entry == _WANT_ENTRY:
            return np.int64(NEED_ENTRY)
        if entry < _WANT_ENTRY:
            return entry - _WANT_ENTRY
        if entry != NARROW:
            first_row = i if n_rows == 0 else first_row
            past_rows = i + 1
            n_rows += 1
    n_narrow = n_threads - n_rows
    cuts = 5 * section
    n_cuts = np.int64(cuts)
    is_missing = False
    for i in range(first_row, past_rows):
        state = np.int64(pool[config + CONFIG_HEAD + 2 * i])
        entry = entry_of(pool, interned, representative(static, state))
        if entry < 0:
            continue
        k = np.int64(pool[config + CONFIG_HEAD + 2 * i + 1])
        if pool[pool[k + 2]] == TAG_TRACKED:
            own = n_cuts
            n_cuts = find_cuts(static, classes, pool, interned, scratch, trie, children, state, k, own)
            if n_cuts < 0:
                return n_cuts
            found = _cross_tracked(
                static,
                classes,
                pool,
                interned,
                steps,
                scratch,
                trie,
                children,
                entries,
                entry,
                k,
                own,
                n_found,
                forgets,
            )
        else:
            found = _cross(
                static,
                classes,
                pool,
                interned,
                steps,
                scratch,
                trie,
                children,
                entries,
                entry,
                k,
                n_found,
                forgets,
            )
        if found == NEED_STATE:
            is_missing = True
            continue
        if found < 0:
            return found
        n_found = found
    n_cut = np.int64(0)  # tokens taken away; a tracked thread without cuts has written a -1 and nothing else
    at = np.int64(cuts)
    while at < n_cuts:
        if scratch[at] < 0:
            at += 1
            continue
        n_cut += trie[scratch[at + 1], 2] - trie[scratch[at], 2]
        at += 2
    if n_narrow > 0:
        narrow = config
        if n_rows > 0:
            n = 0
            if n_narrow >= section:
                return np.int64(NEED_SCRATCH)
            for i in range(n_threads):
                state = np.int64(pool[config + CONFIG_HEAD + 2 * i])
                is_outside = i < first_row or i >= past_rows
                if is_outside or entry_of(pool, interned, representative(static, state)) < 0:
                    scratch[n] = (state << 32) | np.int64(pool[config + CONFIG_HEAD + 2 * i + 1])
                    n += 1
            narrow = configuration(static, pool, interned, scratch, n, 0)
            if narrow < 0:
                return narrow
        n_found = _walk_all(
            static,
            classes,
            pool,
            interned,
            steps,
            scratch,
            trie,
            children,
            token_ids,
            narrow,
            n_found,
            forgets,
        )
        if n_found < 0:
            return n_found
    if is_missing:
        return np.int64(NEED_STATE)
    n_eos = static[N_EOS] if pool[config + 2] != 0 else 0
    n_tokens = n_cut + n_eos
    for i in range(n_found):
        node = scratch[base + i]
        n_tokens += trie[node + 1, 2] - trie[node, 2]
    record = np.int64(pool[POOL_USED])
    # of several rows each has its own cuts
    if n_tokens > SPARSE_TOKENS or (n_cut > 0 and n_rows > 1):
        size = 1 + np.int64(n_words)
        if record + size + n_words > pool.shape[0]:
            return np.int64(NEED_POOL)
        pool[record] = TAG_DENSE
        for w in range(n_words):
            pool[record + 1 + w] = 0
        for i in range(first_row, past_rows):
            state = np.int64(pool[config + CONFIG_HEAD + 2 * i])
            entry = entry_of(pool, interned, representative(static, state))
            if entry < 0:
                continue
            row = np.int64(entries[entry + ENTRY_ROW])
            k = np.int64(pool[config + CONFIG_HEAD + 2 * i + 1])
            if pool[pool[k + 2]] == TAG_TRACKED:
                or_cut_row(pool, scratch, trie, token_ids, rows, record, row, cuts)
                while scratch[cuts] >= 0:
                    cuts += 2
                cuts += 1
            else:
                for w in range(n_words):
                    pool[record + 1 + w] |= rows[row, w]
        for i in range(n_found):
            node = scratch[base + i]
            for t in range(trie[node, 2], trie[node + 1, 2]):
                token = token_ids[t]
                pool[record + 1 + (token >> 5)] |= np.int32(np.uint32(1) << np.uint32(token & 31))
        for i in range(n_eos):
            token = static[static[EOS] + i]
            pool[record + 1 + (token >> 5)] |= np.int32(np.uint32(1) << np.uint32(token & 31))
    else:
        size = 3 + n_rows + n_tokens
        if record + size > pool.shape[0]:
            return np.int64(NEED_POOL)
        pool[record] = TAG_MASK
        pool[record + 1] = n_rows
        pool[record + 2] = n_tokens
        at = record + 3
        for i in range(first_row, past_rows):
            state = np.int64(pool[config + CONFIG_HEAD + 2 * i])
            entry = entry_of(pool, interned, representative(static, state))
            if entry >= 0:
                # threads often share a row: any string, and any but some keys
                row = np.int64(entries[entry + ENTRY_ROW])
                other = record + 3
                while other < at and pool[other] != row:
                    other += 1
                if other == at:
                    pool[at] = row
                    at += 1
        size -= n_rows - (at - record - 3)
        pool[record + 1] = at - record - 3
        while n_cut > 0 and scratch[cuts] >= 0:
            for t in range(trie[scratch[cuts], 2], trie[scratch[cuts + 1], 2]):
                pool[at] = -1 - token_ids[t]
                at += 1
            cuts += 2
        for i in range(n_found):
            node = scratch[base + i]
            for t in range(trie[node, 2], trie[node + 1, 2]):
                pool[at] = token_ids[t]
                at += 1
        for i in range(n_eos):
            pool[at] = static[static[EOS] + i]
            at += 1
    pool[POOL_USED] = record + size
    pool[POOL_COMPUTED] += 1
    publish(pool, config + 3, record)
    return record
