"""Walks that leave out what a state loops over, against the walk of every node; children in lists."""

from __future__ import annotations

import random
from unittest import mock

import numpy as np
import pytest
from naive_automata import longest_safe_run
from structgen_kernels import layout
from structgen_kernels.store import walk_terminal
from structgen_kernels.store_below import (
    BROKEN_AT,
    HEIGHT_AT,
    MOST_HEIGHT,
    N_KINDS,
    group_of,
    kind_of_lead,
)
from structgen_kernels.store_runs import MOST_ALPHABETS, MOST_EXPLORED, find_runs, view_of_table
from structgen_kernels.terminals import terminal_step
from structgen_kernels.trie import CHILD_BITS, child_of

from structgen import store_entries
from structgen.automata.build import residual
from structgen.automata.json_text import matching
from structgen.compiler import Compiler
from structgen.mask_store import MaskStore
from structgen.regex import parse
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
    r"^.{3}$", r"^[a-z]{2,5}://.{0,3}$", r"^\S+( \S+){0,2}$", r"^[a-f]{4}-[^-]*$", r"^(.a)*$",
    r"^[^\u2000-\u3000]{2,9}b$",
]  # fmt: skip
BOUNDED = [r"^(ab|[c-z])*$", r"^\S+( \S+)*$", r"^(.a)*$", r"^[^é]*x[^é]*$", r"^(?:[^b]{7}b)*$"]


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


@pytest.mark.parametrize("maximum", [300, 3000])
@pytest.mark.parametrize("pattern", BOUNDED)
def test_nothing_is_lost_near_a_bound(pattern: str, maximum: int) -> None:
    """Of a bounded terminal: all its units, at counts from which a token may or may not reach the maximum."""
    schema = {"type": "string", "pattern": pattern, "maxLength": maximum}
    machine = Compiler(drawn(4)).json_schema(schema).machine
    tables, trie = machine.tables, machine.store.walks
    static = tables.static
    block = static[static[layout.BLOCKS] :][: layout.BLOCK_SIZE]
    assert block[layout.BLOCK_KIND] == layout.BOUNDED
    units, base = int(block[layout.BLOCK_UNITS]), int(block[layout.BLOCK_BASE])
    distance = static[block[layout.BLOCK_DISTANCE] :][:units]
    for left in (0, 1, 2, 5, 9, 20, 60, maximum):
        for unit in range(0, units, 1 + units // 12):
            if distance[unit] > left:
                continue  # no such state is met
            state = base + (maximum - left) * units + unit
            row, crossing = np.zeros(trie.n_words, np.int32), np.zeros(trie.nodes.shape[0], np.int32)
            count = walk_terminal(
                static, tables.classes, trie.nodes, trie.token_ids, state, 1 << 60, row, crossing
            )
            found = store_entries.walked(trie, tables, state)
            assert np.array_equal(found.row, row), (left, unit)
            assert np.array_equal(found.crossing, trie.in_order(crossing[:count])), (left, unit)


# One character or more of each kind, those of white space among them, and all lengths.
CHARACTERS = [
    *map(chr, range(0x80)),
    *"\u0085\u00a0é\u07ff\u0800\u1680\u1fff\u2000\u2003\u3000\u3042\u4e00\ud7ff\ue000\ufeff\uffff",
    "\U00010000", "\U0001f600", "\U000fffff", "\U0010ffff",
]  # fmt: skip


@pytest.mark.parametrize("pattern", PATTERNS)
def test_runs_do_not_fail(pattern: str) -> None:
    """What is promised of a state, against all texts of some characters."""
    tables = Compiler(drawn(0)).json_schema({"type": "string", "pattern": pattern}).machine.tables
    static, classes = tables.static, tables.classes
    promised = 0
    for start in range(1, tables.n_terminal_states):
        _, local, is_head = tables.origin(start)
        if is_head:
            continue
        base, columns = start - local, np.empty(256, np.int32)
        view = view_of_table(static, classes, start, base, columns)
        number = np.zeros(tables.n_terminal_states - base + 1, np.int32)
        wants = np.zeros(MOST_EXPLORED + 1, np.uint8)
        alphabets = np.zeros(MOST_ALPHABETS, np.uint64)
        runs = np.zeros((MOST_ALPHABETS, MOST_EXPLORED + 1), np.uint8)
        n = find_runs(static, view, columns, local, number, wants, alphabets, runs)
        for i in range(n):
            said = int(alphabets[i])
            heads = [text.encode() for text in CHARACTERS if (said >> (kind(text.encode()[0]) or 0)) & 1]
            length = runs[i, number[local]]
            if wants[number[local]] == 0 and heads and length:
                promised += 1
                limit = min(int(length), 12)
                assert limit == longest_safe_run(
                    lambda state, byte: int(terminal_step(static, classes, state, byte)),
                    lambda state: state == 0 or bool(static[static[layout.FLAGS] + state] & layout.ACCEPTS),
                    start,
                    heads,
                    limit,
                ), (pattern, start, heads)
    assert promised > 0


def test_a_walk_of_few_nodes_is_given_up_where_there_are_more() -> None:
    machine = Compiler(drawn(0)).json_schema({"type": "string", "pattern": "^[a-z]{3}-.*$"}).machine
    tables, trie = machine.tables, machine.store.walks
    for state in range(1, tables.n_terminal_states):
        if not tables.origin(state)[2]:
            with mock.patch.object(store_entries, "_FEW_NODES", 10):
                few = store_entries.few(trie, tables, state)
            whole = store_entries.walked(trie, tables, state)
            if few is not None:
                assert np.array_equal(few.row, whole.row) and np.array_equal(few.crossing, whole.crossing)
            else:
                assert np.count_nonzero(whole.row) > 1


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


def test_rows_of_equal_sums_are_told_apart() -> None:
    store = MaskStore(drawn(1))
    store._weights = np.zeros_like(store._weights)
    compiler = Compiler(drawn(1))
    tables = compiler.json_schema({"type": "string", "pattern": "^[a-z]{2}[0-9]$"}).machine.tables
    states = [state for state in range(1, tables.n_terminal_states) if not tables.origin(state)[2]]
    for _ in range(2):
        for state in states:
            found, expected = store.content(tables, state), compiler.store.content(tables, state)
            assert np.array_equal(found.row, expected.row)
            assert np.array_equal(found.crossing, expected.crossing)
    assert store.n_rows == len({store.content(tables, state).row.tobytes() for state in states}) > 2


@pytest.mark.parametrize("n_ids", [1, 31, 32, 100])
def test_bits_of_a_row_are_changed(n_ids: int) -> None:
    rng = random.Random(n_ids)
    allowed = {token for token in range(n_ids) if rng.random() < 0.5}
    row = np.zeros((n_ids + 31) // 32, np.int32)
    store_entries.apply_tokens(row, np.array(sorted(allowed), np.int32))
    changed = rng.choices(range(n_ids), k=n_ids)
    for token in dict.fromkeys(changed):  # each once, half of them as what is there already
        allowed ^= {token} if rng.random() < 0.5 else set()
    given = [token if token in allowed else -1 - token for token in dict.fromkeys(changed)]
    store_entries.apply_tokens(row, np.array(given, np.int32))
    bits = np.unpackbits(row.view(np.uint8), bitorder="little")
    assert np.flatnonzero(bits).tolist() == sorted(allowed)


def test_states_have_one_name_where_the_same_may_follow() -> None:
    compiler = Compiler(drawn(2))
    languages: dict[bytes | None, set[bytes]] = {}
    for pattern in PATTERNS:
        tables = compiler.json_schema({"type": "string", "pattern": pattern}).machine.tables
        automaton = matching(parse(pattern, "ecma", search=True))
        assert automaton is not None
        bases = [base for base, origin in tables._origins.items() if origin == automaton.digest]
        for state in range(1, automaton.n_states) if bases else ():
            name = store_entries.name_by_language(tables, bases[0] + state)
            language = residual(automaton, state)
            if name is not None:
                languages.setdefault(name, set()).add(language.digest)
            else:
                assert language.n_states > store_entries.SHARED_STATES
    assert len(languages) > 100
    assert all(len(digests) == 1 for digests in languages.values())
    assert len(set.union(*languages.values())) == len(languages)


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
