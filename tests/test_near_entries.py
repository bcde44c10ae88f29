"""Entries that come along with one that was asked for: they are what each would be by itself."""

from __future__ import annotations

from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structgen_kernels.store_counted import IN_TAIL, REFUSED, counted_row, order_by_need

from structgen.bitmask import allocate_bitmask
from structgen.compiler import Compiler
from structgen.mask_store import MaskStore
from structgen.vocabulary import Vocabulary

PIECES = ["aa", "aaaa", 'a"', '",', '":', "12", "0-", "-1", "T1", "20", "\\u00", "é", "😀", '"}', "ab"]
VOCABULARY = Vocabulary(
    [*(bytes([byte]) for byte in range(256)), *(piece.encode() for piece in PIECES), None], 256 + len(PIECES)
)
# a table, a head in front of a counted terminal, counts with and without a maximum, bounded ones
SCHEMAS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "date": ({"type": "string", "format": "date"}, ['"2020-12-31"', '"1999-01-01"']),
    "at most": ({"type": "string", "maxLength": 6}, ['"aé😀a"', '"aaaaaa"']),
    "at least": ({"type": "string", "minLength": 5}, ['"aaaaaaaaaa"', '"\\u00e9abcd"']),
    "between": ({"type": "string", "minLength": 2, "maxLength": 5}, ['"abé"', '"aaaaa"']),
    "pattern and at most": (
        {"pattern": "^(ab)*c?$", "type": "string", "maxLength": 6},
        ['"ababc"', '"abab"'],
    ),
    "number": ({"type": "integer", "minimum": 12, "maximum": 120_212}, ["12", "1202", "120212"]),
}


def read(compiler: Compiler, schema: dict[str, Any], texts: list[str]) -> list[bytes]:
    """All masks of the texts, byte by byte."""
    grammar = compiler.json_schema(
        {"properties": {"x": schema}, "title": str(np.random.default_rng().bytes(8))}
    )
    row = allocate_bitmask(1, VOCABULARY.size)
    found = []
    for text in texts:
        matcher = grammar.matcher()
        for byte in f'{{"x": {text}}}'.encode():
            matcher.fill_bitmask(row)
            found.append(row.tobytes())
            assert matcher.accept(byte)
    return found


@pytest.mark.parametrize("name", SCHEMAS)
def test_what_comes_along_is_what_each_state_has_by_itself(name: str) -> None:
    schema, texts = SCHEMAS[name]
    compiler, alone = Compiler(VOCABULARY), MaskStore(VOCABULARY)
    entries_near = MaskStore.entries_near
    along = 0

    def checked(self: MaskStore, tables: Any, state: int, saved: Any = None) -> tuple[int, Any]:
        nonlocal along
        epoch, entries = entries_near(self, tables, state, saved)
        assert entries[0, 0] == state
        for other, offset in entries.tolist():
            expected, given = alone.content(tables, other), self._content(offset)
            assert np.array_equal(expected.row, given.row)
            assert np.array_equal(expected.crossing, given.crossing)
        along += len(entries) - 1
        return epoch, entries

    with (
        mock.patch("structgen.growing_arrays.STORED_NODES", 0),
        mock.patch.object(MaskStore, "entries_near", checked),
    ):
        first = [mask for text in texts for mask in read(compiler, schema, [text])]
        assert read(compiler, schema, texts) == first
        compiler.store.clear()
        assert read(compiler, schema, texts) == first
    assert along


def test_a_second_grammar_asks_once_for_an_automaton() -> None:
    schema, texts = SCHEMAS["date"]
    compiler = Compiler(VOCABULARY)
    asked: list[int] = []
    entries_near = MaskStore.entries_near

    def noted(self: MaskStore, tables: Any, state: int, saved: Any = None) -> tuple[int, Any]:
        if state >= tables.n_usual:
            asked.append(state)
        return entries_near(self, tables, state, saved)

    with (
        mock.patch("structgen.growing_arrays.STORED_NODES", 0),
        mock.patch.object(MaskStore, "entries_near", noted),
    ):
        read(compiler, schema, texts)
        n_first = len(asked)
        read(compiler, schema, texts)
    assert n_first > 8
    assert len(asked) - n_first <= 2  # the date's automaton, and the name's


@given(
    st.lists(st.one_of(st.just(REFUSED), st.integers(0, 9), st.integers(IN_TAIL, IN_TAIL + 9)), min_size=1),
    st.integers(0, 12),
    st.integers(0, 12) | st.just(1 << 16),
)
def test_rows_of_counted_states(needs: list[int], minimum: int, maximum: int) -> None:
    array = np.array(needs, np.int32)
    order, begin = np.empty(array.shape[0], np.int32), np.zeros(2 * 10 + 1, np.int32)
    order_by_need(array, order, begin)
    full, row = (np.zeros((array.shape[0] + 31) // 32, np.int32) for _ in range(2))
    counted_row(order, begin, full, 0, 0, row)  # what stands there is written over
    for token in np.flatnonzero(array < REFUSED).tolist():
        full.view(np.uint32)[token >> 5] |= np.uint32(1 << (token & 31))
    counted_row(order, begin, full, minimum, maximum, row)
    expected = [
        need < REFUSED and need % IN_TAIL <= maximum and (need < IN_TAIL or need % IN_TAIL >= minimum)
        for need in needs
    ]
    bits = np.unpackbits(row.view(np.uint8), bitorder="little")
    assert bits[: len(needs)].astype(bool).tolist() == expected
    assert not bits[len(needs) :].any()
