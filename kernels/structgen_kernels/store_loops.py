"""Walks of the trie that leave out what a terminal's state only loops over.

Inside most strings nearly all characters lead back to the same state. Of a trie node reached in such a state
all tokens below are allowed, if none has another byte; which bytes are below a node, the vocabulary says.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from structgen_kernels.jit import ByteArray, Int, Int32Array, kernel
from structgen_kernels.layout import ACCEPTS, CLASS_MAP, FLAGS, LONGEST_TOKEN, ROW

Bits = NDArray[np.uint64]

_N_UTF8 = 8  # states of the automaton of UTF-8, of which 0 is between two characters
_BEYOND = np.uint64(1) << np.uint64(62)  # there are bytes from 0x80 on
_BROKEN = np.uint64(1) << np.uint64(63)  # and not only of whole characters, or the beginning of one at an end
_NOT_YET = _BROKEN  # never among what a state loops over


@kernel
def _group(byte: Int) -> Int:
    """Which of 62 groups a byte below 0x80 is in: digits, letters and what no text has are taken together."""
    if byte < 0x20:
        return np.int64(0)
    if byte < 0x30:
        return np.int64(byte - 0x1F)  # 1 to 16
    if byte < 0x3A:
        return np.int64(17 if byte == 0x30 else 18)
    if byte < 0x41:
        return np.int64(byte - 0x3A + 19)  # to 25
    if byte < 0x5B:
        return np.int64(26 if byte < 0x47 else 27)
    if byte < 0x61:
        return np.int64(byte - 0x5B + 28)  # to 33
    if byte < 0x7B:
        return np.int64(34 if byte < 0x67 else 35)
    return np.int64(byte - 0x7B + 36)  # to 40


@kernel
def _utf8_step(state: Int, byte: Int) -> Int:
    """The automaton of UTF-8 (RFC 3629), -1: not well-formed. 1, 2 and 3 want so many more bytes, 4 to 7 too,
    the next of them after 0xE0, 0xED, 0xF0 and 0xF4.
    """
    if state == 0:
        if byte < 0x80:
            return np.int64(0)
        if byte < 0xC2 or byte > 0xF4:
            return np.int64(-1)
        if byte < 0xE0:
            return np.int64(1)
        if byte < 0xF0:
            return np.int64(4 if byte == 0xE0 else 5 if byte == 0xED else 2)
        return np.int64(6 if byte == 0xF0 else 7 if byte == 0xF4 else 3)
    if byte < 0x80 or byte > 0xBF:
        return np.int64(-1)
    if state < 4:
        return np.int64(state - 1)
    if state == 4:
        return np.int64(1 if byte >= 0xA0 else -1)
    if state == 5:
        return np.int64(1 if byte < 0xA0 else -1)
    if state == 6:
        return np.int64(2 if byte >= 0x90 else -1)
    return np.int64(2 if byte < 0x90 else -1)


@kernel
def bytes_below(trie: Int32Array, below: Bits) -> None:
    """Write for each node which bytes are below it into ``below`` uint64 (nodes,): groups, and what is said
    of those from 0x80 on where the node ends a character. O(nodes).
    """
    n_nodes = trie.shape[0] - 1
    broken = np.zeros(n_nodes, np.uint8)  # by states of UTF-8: not well-formed below, from such a state
    below[:] = 0
    for node in range(n_nodes - 1, 0, -1):
        parent = trie[node, 3]
        byte = np.int64(trie[node, 0] & 255)
        bits = below[node]
        if byte < 0x80:
            bits |= np.uint64(1) << np.uint64(_group(byte))
        else:
            bits |= _BEYOND
        below[parent] |= bits
        for state in range(_N_UTF8):
            after = _utf8_step(state, byte)
            if after < 0 or (broken[node] >> after) & 1:
                broken[parent] |= np.uint8(1 << state)
    for node in range(n_nodes):
        if broken[node] & 1:
            below[node] |= _BROKEN


@kernel
def _one_target(
    static: Int32Array, classes: ByteArray, columns: Int, state: Int, first: Int, last: Int
) -> Int:
    """Where a state goes by all bytes from ``first`` to ``last``; 0: not to one state, or nowhere."""
    row = np.int64(static[static[ROW] + state])
    target = np.int64(static[row + classes[columns + first]])
    for byte in range(first + 1, last + 1):
        if static[row + classes[columns + byte]] != target:
            return np.int64(0)
    return target


@kernel
def _loops_beyond(static: Int32Array, classes: ByteArray, columns: Int, state: Int) -> bool:
    """True when every character from U+0080 on leads from a state back to it, and never ends the terminal."""
    flags = np.int64(static[FLAGS])
    one = _one_target(static, classes, columns, state, 0xC2, 0xDF)
    two = _one_target(static, classes, columns, state, 0xE1, 0xEC)
    three = _one_target(static, classes, columns, state, 0xF1, 0xF3)
    if one == 0 or two == 0 or three == 0:
        return False
    if _one_target(static, classes, columns, state, 0xEE, 0xEF) != two:
        return False
    if (
        _one_target(static, classes, columns, one, 0x80, 0xBF) != state
        or _one_target(static, classes, columns, two, 0x80, 0xBF) != one
        or _one_target(static, classes, columns, three, 0x80, 0xBF) != two
    ):
        return False
    for after in (one, two, three):
        if static[flags + after] & ACCEPTS:
            return False
    for lead, first, last, wanted in (
        (0xE0, 0xA0, 0xBF, one),
        (0xED, 0x80, 0x9F, one),
        (0xF0, 0x90, 0xBF, two),
        (0xF4, 0x80, 0x8F, two),
    ):
        after = _one_target(static, classes, columns, state, lead, lead)
        if after == 0 or static[flags + after] & ACCEPTS:
            return False
        if _one_target(static, classes, columns, after, first, last) != wanted:
            return False
    return True


@kernel
def _looped(static: Int32Array, classes: ByteArray, columns: Int, state: Int) -> np.uint64:
    """What may be below a node, all of whose tokens a state takes without leaving it or ending there."""
    if static[static[FLAGS] + state] & ACCEPTS:
        return np.uint64(0)
    row = np.int64(static[static[ROW] + state])
    looped = ~np.uint64(0) & ~_BROKEN & ~_BEYOND
    for byte in range(128):
        if static[row + classes[columns + byte]] != state:
            looped &= ~(np.uint64(1) << np.uint64(_group(byte)))
    if looped != 0 and _loops_beyond(static, classes, columns, state):
        looped |= _BEYOND
    return looped


@kernel
def walk_loops(
    static: Int32Array,
    classes: ByteArray,
    trie: Int32Array,
    token_ids: Int32Array,
    below: Bits,
    looped: Bits,
    state: Int,
    row: Int32Array,
    crossing: Int32Array,
) -> Int:
    """`structgen_kernels.store.walk_terminal` within one table automaton, without a limit.

    The automaton must not lead into a counted terminal. ``below``: see `bytes_below`. ``looped`` uint64
    (states of all tables,) is working room. Returns how many crossing nodes there are. What is kept by depth
    is where a state's transitions are; all states of an automaton have the same columns.
    """
    n_nodes = np.uint64(trie.shape[0] - 1)
    longest = static[LONGEST_TOKEN] + 2
    row_of = np.uint64(static[ROW])
    flags_of = np.uint64(static[FLAGS])
    columns = np.uint64(static[static[CLASS_MAP] + state])
    by_depth = np.zeros(longest, np.uint64)
    ends = np.zeros(longest, np.bool_)
    by_depth[0] = np.uint64(static[row_of + np.uint64(state)])
    looped[:] = _NOT_YET
    n_crossing = 0
    node = np.uint64(1)
    one = np.uint64(1)
    words = row.view(np.uint32)
    while node < n_nodes:
        label = np.uint32(trie[node, 0])
        depth = np.uint64(label >> np.uint32(8))
        if ends[depth - one]:
            if n_crossing < crossing.shape[0]:
                crossing[n_crossing] = node
            n_crossing += 1
        column = np.uint64(classes[columns + np.uint64(label & np.uint32(255))])
        after = np.uint64(static[by_depth[depth - one] + column])
        end = np.uint64(trie[node, 1])
        if after == 0:
            node = end
            continue
        last = node + one
        if end > last:
            if looped[after] == _NOT_YET:
                looped[after] = _looped(static, classes, np.int64(columns), np.int64(after))
            if below[node] & ~looped[after] == 0:
                last = end
        for t in range(trie[node, 2], trie[last, 2]):
            token = np.uint32(token_ids[t])
            words[np.int64(token >> np.uint32(5))] |= np.uint32(1) << (token & np.uint32(31))
        by_depth[depth] = np.uint64(static[row_of + after])
        ends[depth] = (static[flags_of + after] & ACCEPTS) != 0
        node = last
    return np.int64(n_crossing)
