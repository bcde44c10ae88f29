"""Sets of texts: tries whose nodes are interned records, so that a set is one number, whatever its order.

A set with one text more shares all but the nodes along that text (Driscoll et al., Making data structures
persistent, 1989). Texts are those of `texts.py`, decoded; they are lists from their end, so they are written
into ``scratch`` to be followed from their beginning.
"""

from __future__ import annotations

import numpy as np

from structgen_kernels.jit import Int, Int32Array, Int64Array, lean_kernel
from structgen_kernels.layout import (
    NEED_POOL,
    NEED_SCRATCH,
    POOL_USED,
    SECTIONS,
    TAG_SET,
    TEXT_ENDS,
    TEXT_STARTED,
)
from structgen_kernels.records import intern


@lean_kernel
def _spread(pool: Int32Array, scratch: Int64Array, text: Int) -> Int:
    """Write the bytes of a text into the second half of the fifth section; returns how many, or a status."""
    half = scratch.shape[0] // SECTIONS // 2
    begin = 4 * (scratch.shape[0] // SECTIONS) + half
    length = np.int64(0) if text <= TEXT_STARTED else np.int64(pool[text + 3])
    if 2 * length > half:  # `with_text` notes as many sets behind
        return np.int64(NEED_SCRATCH)
    for i in range(length - 1, -1, -1):
        scratch[begin + i] = pool[text + 2]
        text = np.int64(pool[text + 1])
    return length


@lean_kernel
def text_follows(pool: Int32Array, texts: Int, byte: Int) -> Int:
    """Of a set (not an empty one), the texts that begin with ``byte``, without it; 0: there are none."""
    low = np.int64(0)
    high = np.int64(pool[texts + 1])
    while low < high:
        middle = (low + high) >> 1
        if pool[texts + 2 + 2 * middle] < byte:
            low = middle + 1
        else:
            high = middle
    if low < pool[texts + 1] and pool[texts + 2 + 2 * low] == byte:
        return np.int64(pool[texts + 3 + 2 * low])
    return np.int64(0)


@lean_kernel
def texts_after(pool: Int32Array, scratch: Int64Array, texts: Int, begin: Int) -> Int:
    """Of a set (0: empty), the texts that begin like ``begin``, without that; 0 (none); or a status."""
    if texts == 0:
        return np.int64(0)
    length = _spread(pool, scratch, begin)
    if length < 0:
        return length
    first = 4 * (scratch.shape[0] // SECTIONS) + scratch.shape[0] // SECTIONS // 2
    for i in range(first, first + length):
        texts = text_follows(pool, texts, scratch[i])
        if texts == 0:
            break
    return np.int64(texts)


@lean_kernel
def has_end(pool: Int32Array, texts: Int) -> bool:
    """Is the empty text in a set (0: empty)? It is the last of its pairs."""
    return bool(texts != 0 and pool[texts + 2 * pool[texts + 1]] == TEXT_ENDS)


@lean_kernel
def _with_pair(pool: Int32Array, interned: Int32Array, texts: Int, byte: Int, after: Int) -> Int:
    """The set (0: empty) with ``after`` as what follows ``byte``, or a status."""
    record = np.int64(pool[POOL_USED])
    n_old = np.int64(0) if texts == 0 else np.int64(pool[texts + 1])
    if record + 4 + 2 * n_old > pool.shape[0]:
        return np.int64(NEED_POOL)
    n = np.int64(0)
    is_written = False
    for i in range(n_old):
        other = pool[texts + 2 + 2 * i]
        if other >= byte and not is_written:
            pool[record + 2 + 2 * n] = byte
            pool[record + 3 + 2 * n] = after
            n += 1
            is_written = True
        if other != byte:
            pool[record + 2 + 2 * n] = other
            pool[record + 3 + 2 * n] = pool[texts + 3 + 2 * i]
            n += 1
    if not is_written:
        pool[record + 2 + 2 * n] = byte
        pool[record + 3 + 2 * n] = after
        n += 1
    pool[record] = TAG_SET
    pool[record + 1] = n
    return intern(pool, interned, record, 2 + 2 * n)


@lean_kernel
def _with_spread(pool: Int32Array, interned: Int32Array, scratch: Int64Array, texts: Int, length: Int) -> Int:
    """The set and one more text, which `_spread` has written."""
    first = 4 * (scratch.shape[0] // SECTIONS) + scratch.shape[0] // SECTIONS // 2
    for i in range(first, first + length):
        scratch[i + length] = texts
        if texts != 0:
            texts = text_follows(pool, texts, scratch[i])
    after = _with_pair(pool, interned, texts, np.int64(TEXT_ENDS), np.int64(1))
    for i in range(first + length - 1, first - 1, -1):
        if after < 0:
            return after
        after = _with_pair(pool, interned, scratch[i + length], scratch[i], after)
    return after


@lean_kernel
def with_text(pool: Int32Array, interned: Int32Array, scratch: Int64Array, texts: Int, text: Int) -> Int:
    """The set (0: empty) and one more text, or a status. O(length x bytes that may follow)."""
    length = _spread(pool, scratch, text)
    if length < 0:
        return length
    return _with_spread(pool, interned, scratch, texts, length)


@lean_kernel
def set_of(
    static: Int32Array, pool: Int32Array, interned: Int32Array, scratch: Int64Array, begin: Int, end: Int
) -> Int:
    """The set of the texts in ``static[begin:end]``, or a status. O(bytes).

    Each text has TEXT_ENDS behind it, and they ascend with that, so that a node's pairs come one after the
    other: those of the nodes along the present text are on a stack.
    """
    half = scratch.shape[0] // SECTIONS // 2
    first = 4 * (scratch.shape[0] // SECTIONS)  # by depth, where a node's pairs begin; of the root: at 0
    pairs = first + half
    n_pairs = np.int64(0)
    depth = 0  # nodes that are open, the root not counted
    after = np.int64(0)
    text = np.int64(begin)
    previous = text
    while True:
        common = 0
        if text < end:
            while common < depth and static[text + common] == static[previous + common]:
                common += 1
        while depth > common or (text == end and depth >= 0):  # it has all its pairs
            of_node = scratch[first + depth] if depth > 0 else np.int64(0)
            record = np.int64(pool[POOL_USED])
            n = n_pairs - of_node
            if record + 2 + 2 * n > pool.shape[0]:
                return np.int64(NEED_POOL)
            pool[record] = TAG_SET
            pool[record + 1] = n
            for i in range(n):
                pool[record + 2 + 2 * i] = scratch[pairs + 2 * (of_node + i)]
                pool[record + 3 + 2 * i] = scratch[pairs + 2 * (of_node + i) + 1]
            after = intern(pool, interned, record, 2 + 2 * n)
            if after < 0:
                return after
            n_pairs = of_node
            depth -= 1
            if depth >= 0:
                scratch[pairs + 2 * n_pairs - 1] = after
        if text == end:
            return after
        previous = text
        text += common
        while True:
            if 2 * n_pairs + 2 > half or depth + 2 > half:
                return np.int64(NEED_SCRATCH)
            scratch[pairs + 2 * n_pairs] = static[text]
            scratch[pairs + 2 * n_pairs + 1] = 1
            n_pairs += 1
            text += 1
            if static[text - 1] == TEXT_ENDS:
                break
            depth += 1
            scratch[first + depth] = n_pairs


@lean_kernel
def with_bytes(
    pool: Int32Array, interned: Int32Array, scratch: Int64Array, texts: Int, data: Int32Array
) -> Int:
    """The same with the text of the bytes ``data`` int32 (n,)."""
    half = scratch.shape[0] // SECTIONS // 2
    if 2 * data.shape[0] > half:
        return np.int64(NEED_SCRATCH)
    first = 4 * (scratch.shape[0] // SECTIONS) + half
    for i in range(data.shape[0]):
        scratch[first + i] = data[i]
    return _with_spread(pool, interned, scratch, texts, np.int64(data.shape[0]))
