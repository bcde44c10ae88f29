"""Kernels of the token trie: building it, and spelling bytes with it. Offline: not in the hot path.

The trie is laid out depth first, so that the children of a node ``v`` are ``v + 1``, then each
next sibling at ``end[child]``, while that is less than ``end[v]``. Walking on is a scan of memory
in order, and leaving out a whole branch is one assignment.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from structgen_kernels.jit import Int, Int32Array, kernel

CHILD_BITS = 24  # of a node's number; above them its byte


@kernel
def shared_prefixes(
    blob: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    order: NDArray[np.int32],
    shared: NDArray[np.uint16],
) -> int:
    """Length of the prefix that each token shares with the one before it; counts the trie's nodes.

    ``blob`` uint8 (bytes,), ``offsets`` int64 (V + 1,): token ``t`` is blob[offsets[t]:offsets[t+1]].
    ``order`` int32 (m,): ids of the tokens, sorted by their bytes, none of them empty.
    Writes ``shared`` uint16 (m,). Returns the number of nodes, the root included. Cost: the bytes.
    """
    nodes = 1
    previous_begin = np.int64(0)
    previous_length = np.int64(0)
    for k in range(order.shape[0]):
        begin = offsets[order[k]]
        length = offsets[order[k] + 1] - begin
        limit = min(length, previous_length)
        prefix = np.int64(0)
        while prefix < limit and blob[begin + prefix] == blob[previous_begin + prefix]:
            prefix += 1
        shared[k] = prefix
        nodes += length - prefix
        previous_begin = begin
        previous_length = length
    return nodes


@kernel
def fill_nodes(
    blob: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    order: NDArray[np.int32],
    shared: NDArray[np.uint16],
    labels: NDArray[np.uint8],
    depth: NDArray[np.uint16],
    parent: NDArray[np.int32],
    last: NDArray[np.int32],
) -> None:
    """Write the trie's nodes in depth-first preorder, siblings by ascending byte.

    ``blob``, ``offsets``, ``order``, ``shared``: as `shared_prefixes` takes and gives them.
    Writes ``labels`` uint8 (n,), ``depth`` uint16 (n,), ``parent`` int32 (n,; -1 at the root) and
    ``last`` int32 (m,): the node where each token of ``order`` ends. Cost: the bytes.
    """
    labels[0] = 0
    depth[0] = 0
    parent[0] = -1
    node = np.int32(0)  # the last one written, which is also the deepest of the token before
    for k in range(order.shape[0]):
        begin = offsets[order[k]]
        length = offsets[order[k] + 1] - begin
        above = node
        while depth[above] > shared[k]:
            above = parent[above]
        for position in range(np.int64(shared[k]), length):
            node += np.int32(1)
            labels[node] = blob[begin + position]
            depth[node] = position + 1
            parent[node] = above
            above = node
        last[k] = above


@kernel
def close_nodes(
    parent: NDArray[np.int32],
    end: NDArray[np.int32],
) -> None:
    """Write ``end`` int32 (n,): one past the last descendant of each node (the skip pointer).

    ``parent`` int32 (n,), each less than its node's own number. Cost: n.
    """
    for node in range(end.shape[0]):
        end[node] = node + 1
    for node in range(end.shape[0] - 1, 0, -1):
        above = parent[node]
        if end[node] > end[above]:
            end[above] = end[node]


@kernel
def longest_spelling(
    labels: NDArray[np.uint8],
    end: NDArray[np.int32],
    token_begin: NDArray[np.int32],
    data: NDArray[np.uint8],
    longest: NDArray[np.int32],
) -> None:
    """For each place of ``data``, the longest token there from which the rest can be spelled too.

    ``labels`` uint8 (n,), ``end`` int32 (n,), ``token_begin`` int32 (n + 1,): the trie.
    ``data`` uint8 (k,). Writes ``longest`` int32 (k + 1,): the node of that token, 0 where the rest
    cannot be spelled (and at k). Cost: k times the longest token, dynamic programming from the end.
    """
    length = data.shape[0]
    longest[length] = 0
    for place in range(length - 1, -1, -1):
        longest[place] = 0
        node = np.int32(0)
        position = place
        while position < length:
            child = node + np.int32(1)
            while child < end[node] and labels[child] < data[position]:
                child = end[child]
            if child >= end[node] or labels[child] != data[position]:
                break
            node = child
            position += 1
            if token_begin[node] < token_begin[node + 1] and (position == length or longest[position] > 0):
                longest[place] = node


@kernel
def farthest_spelled(
    labels: NDArray[np.uint8],
    end: NDArray[np.int32],
    token_begin: NDArray[np.int32],
    data: NDArray[np.uint8],
    reached: NDArray[np.uint8],
) -> int:
    """The length of the longest prefix of ``data`` that tokens can spell.

    The trie's arrays and ``data`` as in `longest_spelling`. ``reached`` uint8 (k + 1,): zeros on
    entry; 1 where a token may begin or the text end. Cost: k times the longest token.
    """
    length = data.shape[0]
    reached[0] = 1
    farthest = 0
    for place in range(length):
        if reached[place] == 0:
            continue
        node = np.int32(0)
        position = place
        while position < length:
            child = node + np.int32(1)
            while child < end[node] and labels[child] < data[position]:
                child = end[child]
            if child >= end[node] or labels[child] != data[position]:
                break
            node = child
            position += 1
            if token_begin[node] < token_begin[node + 1]:
                reached[position] = 1
                farthest = max(farthest, position)
    return farthest


@kernel
def list_children(trie: Int32Array, children: Int32Array) -> None:
    """Write lists of the children of each node of ``trie`` int32 (n + 1, 4), which lie far apart in it.

    ``children`` int32 (2 * n,): from ``children[v]`` to ``children[v + 1]`` stand those of node v, by
    ascending byte, as byte << CHILD_BITS | node. O(n).
    """
    n_nodes = trie.shape[0] - 1
    children[: n_nodes + 1] = 0
    for node in range(1, n_nodes):
        children[trie[node, 3] + 1] += 1
    children[0] = n_nodes + 1
    for node in range(n_nodes):
        children[node + 1] += children[node]
    # filled from the front, with the first places as counters: these are those of the next node afterwards
    for node in range(1, n_nodes):
        parent = trie[node, 3]
        byte = np.int64(trie[node, 0] & 255)
        children[children[parent]] = (byte - 256 if byte > 127 else byte) * (1 << CHILD_BITS) + node
        children[parent] += 1
    for node in range(n_nodes, 0, -1):
        children[node] = children[node - 1]
    children[0] = n_nodes + 1


@kernel
def child_of(children: Int32Array, node: Int, byte: Int) -> Int:
    """The child of a node by its byte; 0: there is none. O(log(children))."""
    low = np.int64(children[node])
    end = np.int64(children[node + 1])
    high = end
    while low < high:
        middle = (low + high) >> 1
        if (children[middle] >> CHILD_BITS) & 255 < byte:
            low = middle + 1
        else:
            high = middle
    if low < end and (children[low] >> CHILD_BITS) & 255 == byte:
        return np.int64(children[low] & ((1 << CHILD_BITS) - 1))
    return np.int64(0)
