"""What is below a trie's nodes, said of a vocabulary once: which bytes, how deep, and whether they are UTF-8.

A walk that knows in how many bytes of which kinds a terminal cannot fail leaves whole branches out by it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from structgen_kernels.jit import Int, Int32Array, kernel

Bits = NDArray[np.uint64]

N_UTF8 = 8  # states of the automaton of UTF-8, of which 0 is between two characters
N_GROUPS = 41  # of bytes below 0x80: see `group_of`
N_KINDS = N_GROUPS + 7  # and of characters from U+0080 on, by their first byte: see `kind_of_lead`
# What is said of a node in 64 bits: which kinds there are; by states of UTF-8, if not all below is a
# beginning of well-formed text from there; how many bytes deep it goes.
BROKEN_AT = N_KINDS
HEIGHT_AT = BROKEN_AT + N_UTF8
MOST_HEIGHT = 255  # and more
KINDS = (np.uint64(1) << np.uint64(N_KINDS)) - np.uint64(1)
EVERY_KIND = ~np.uint64(0)


@kernel
def group_of(byte: Int) -> Int:
    """Which group a byte below 0x80 is in: digits, letters and what no text has are taken together."""
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
def kind_of_lead(byte: Int) -> Int:
    """The kind of a byte from 0xC2 on. White space of Unicode begins with 0xC2, 0xE1, 0xE2, 0xE3 and 0xEF,
    and patterns hardly tell apart what begins with others.
    """
    if byte == 0xC2 or byte == 0xEF:
        return np.int64(N_GROUPS)
    if byte < 0xE0:
        return np.int64(N_GROUPS + 1)
    if byte == 0xE1:
        return np.int64(N_GROUPS + 2)
    if byte == 0xE2:
        return np.int64(N_GROUPS + 3)
    if byte == 0xE3:
        return np.int64(N_GROUPS + 4)
    return np.int64(N_GROUPS + 5 if byte < 0xF0 else N_GROUPS + 6)


@kernel
def utf8_step(state: Int, byte: Int) -> Int:
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
    """Write what is below each node into ``below`` uint64 (nodes,): see `BROKEN_AT`. O(nodes)."""
    n_nodes = trie.shape[0] - 1
    broken = np.zeros(n_nodes, np.uint8)  # by states of UTF-8
    height = np.zeros(n_nodes, np.uint8)
    below[:] = 0
    for node in range(n_nodes - 1, 0, -1):
        parent = trie[node, 3]
        byte = np.int64(trie[node, 0] & 255)
        bits = below[node]
        if byte < 0x80:
            bits |= np.uint64(1) << np.uint64(group_of(byte))
        elif byte >= 0xC2:  # what goes on from such a byte is no kind of its own
            bits |= np.uint64(1) << np.uint64(kind_of_lead(byte))
        below[parent] |= bits
        height[parent] = min(MOST_HEIGHT, max(np.int64(height[parent]), np.int64(height[node]) + 1))
        for state in range(N_UTF8):
            after = utf8_step(state, byte)
            if after < 0 or (broken[node] >> after) & 1:
                broken[parent] |= np.uint8(1 << state)
    for node in range(n_nodes):
        below[node] |= np.uint64(broken[node]) << np.uint64(BROKEN_AT)
        below[node] |= np.uint64(height[node]) << np.uint64(HEIGHT_AT)
