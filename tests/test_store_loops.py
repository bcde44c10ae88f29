"""Walks that leave out what a state loops over, against the walk of every node; children in lists."""

from __future__ import annotations

import random

import numpy as np
import pytest
from structgen_kernels.store import walk_terminal
from structgen_kernels.store_below import (
    BROKEN_AT,
    HEIGHT_AT,
    MOST_HEIGHT,
    N_KINDS,
    group_of,
    kind_of_lead,
)
from structgen_kernels.trie import CHILD_BITS, child_of

from structgen import store_entries
from structgen.compiler import Compiler
from structgen.mask_store import MaskStore
from structgen.vocabulary import Vocabulary

# Whole characters, halves of them, what is no UTF-8 at all, and mixtures: some of each below most nodes.
PIECES = [
    *(bytes([byte]) for byte in (*range(0x20, 0x7F), 0x80, 0xA9, 0xBF, 0xC3, 0xE2, 0xED, 0xF0, 0xF4, 0xFF)),
    *(
        text.encode()
        for text in ("é", "ß", "€", "\u0800", "\ud7ff", "\uffff", "😀", "\U0010ffff", "ab", "://")
    ),
    *(
        b"\xe2\x82",
        b"\xf0\x9f\x98",
        b"\xed\xa0\x80",
        b"\xc0\x80",
        b"\xf4\x90\x80\x80",
        b"\x82\xac",
        b"\\u00e9",
    ),
]
PATTERNS = [
    r"^[^/]*$", r"^[a-z]+$", r"^https?://.+$", r"foo", r"^[^\s]+$", r"^(?!a).*$", r"^[^é]*$", r"^[^a-f]*x?$",
    r"^[\u0000-\u007f]*$", r"^[\u0080-\uffff]*$", r"^[^\ud83d]*$", r"^(?:\d{4}|.*z)$", r"\.json$",
]  # fmt: skip


def drawn(seed: int) -> Vocabulary:
    rng = random.Random(seed)
    texts = {b"".join(rng.choices(PIECES, k=rng.randint(1, 6))) for _ in range(900)}
    texts |= {bytes([byte]) for byte in range(256)}
    return Vocabulary([*sorted(texts), None], len(texts))


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_nothing_is_lost_by_leaving_out_loops(pattern: str, seed: int) -> None:
    vocabulary = drawn(seed)
    machine = Compiler(vocabulary).json_schema({"type": "string", "pattern": pattern}).machine
    tables, trie = machine.tables, machine.store.walks
    looked = 0
    for state in range(1, tables.n_terminal_states):
        if tables.origin(state)[2]:  # a head leads into a counted terminal, and is walked step by step
            continue
        row, crossing = np.zeros(trie.n_words, np.int32), np.zeros(trie.nodes.shape[0], np.int32)
        count = walk_terminal(
            tables.static, tables.classes, trie.nodes, trie.token_ids, state, 1 << 60, row, crossing
        )
        found = store_entries.walked(trie, tables, state)
        assert np.array_equal(found.row, row), (pattern, state)
        assert np.array_equal(found.crossing, trie.in_order(crossing[:count])), (pattern, state)
        looked += 1
    assert looked > 2


def test_what_is_below_a_node() -> None:
    """Against the texts themselves: is any of them, from the node on, no beginning of UTF-8?"""
    trie = MaskStore(drawn(2)).walks
    n_nodes = trie.nodes.shape[0] - 1
    for node in range(0, n_nodes, 7):
        tails = [b""]
        depth = trie.nodes[node, 0] >> 8 if node else 0
        path: list[int] = []
        for below in range(node + 1, int(trie.nodes[node, 1]) if node else n_nodes):
            at = (trie.nodes[below, 0] >> 8) - depth
            path[at - 1 :] = [trie.nodes[below, 0] & 255]
            tails.append(bytes(path))
        broken = any(not begins_utf8(tail) for tail in tails)
        kinds = {kind(byte) for tail in tails for byte in tail} - {None}
        said = int(trie.below[node])
        assert bool((said >> BROKEN_AT) & 1) == broken, tails
        assert {i for i in range(N_KINDS) if (said >> i) & 1} == kinds, tails
        assert (said >> HEIGHT_AT) & MOST_HEIGHT == max(map(len, tails)), tails


def kind(byte: int) -> int | None:
    """None for a byte that goes on in a character, or is in none."""
    if byte < 0x80:
        return int(group_of(byte))
    return int(kind_of_lead(byte)) if byte >= 0xC2 else None


def begins_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return error.end == len(data) and error.reason == "unexpected end of data"
    return True


def test_children_are_listed_by_byte() -> None:
    store = MaskStore(drawn(3))
    trie, children = store.trie, store.children
    n_nodes = trie.shape[0] - 1
    expected: dict[int, list[tuple[int, int]]] = {node: [] for node in range(n_nodes)}
    for node in range(1, n_nodes):
        expected[int(trie[node, 3])].append((int(trie[node, 0] & 255), node))
    for node, pairs in expected.items():
        listed = children[children[node] : children[node + 1]]
        found = [(int(x >> CHILD_BITS) & 255, int(x & ((1 << CHILD_BITS) - 1))) for x in listed]
        assert found == sorted(pairs)
        known = dict(pairs)
        for byte in (0, 0x22, 0x61, 0x7F, 0x80, 0xC3, 0xFF):
            assert child_of(children, node, byte) == known.get(byte, 0)
