"""Spelled terminals: the implicit states of a name against the automaton of the same name."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structgen_kernels import layout
from structgen_kernels.terminals import add_alive, representative, terminal_flags, terminal_step

from structgen.automata import json_text
from structgen.automata.dfa import SpelledText
from structgen.growing import GrowingTables
from structgen.parser_states import ENDS, Key, Read, State

NAMES = [
    "",
    "a",
    "name",
    'q"uo\\te',
    "a/b",
    "\b\f\n\r\t",
    "\x00\x1f\x7f",
    "é߿ࠀ￿",
    "𐀀😀􏿿",
    "ꯍEf",
    "u",
    "\\u0041",
]
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)


class _Names:
    """Reads one of the names, and ends."""

    start: Key = "start"

    def __init__(self, names: list[str]) -> None:
        self._names = names

    def expand(self, key: Key) -> State:
        if key == "end":
            return State((), ENDS)
        return State([Read(SpelledText(name), "end") for name in self._names])

    def resolve(self, key: Key, text: bytes) -> Key | None:
        return None


def _starts(names: list[str]) -> tuple[GrowingTables, list[int]]:
    tables = GrowingTables(_Names(names), [], 100)
    tables.expand(tables.number("start"))
    static = tables.static
    begin = int(static[static[layout.RTN_BEGIN] + tables.number("start")])
    edges = static[static[layout.RTN_EDGES] + 2 * begin :][: 2 * len(names) : 2]
    return tables, edges.tolist()


def _check_alike(names: list[str]) -> None:
    """Every state that a text reaches: what may follow, whether it may end, and where each byte leads."""
    tables, starts = _starts(names)
    for name, start in zip(names, starts, strict=True):
        automaton = json_text.key(name)
        pending, seen = [(start, 1)], {(start, 1)}
        while pending:
            state, place = pending.pop()
            accepts = bool(terminal_flags(tables.static, state) & layout.ACCEPTS)
            assert accepts == bool(automaton.accepting[place])
            assert representative(tables.static, state) == state
            alive = np.zeros(10, np.int32)
            add_alive(tables.static, state, alive, 1)
            assert alive[0] == alive[9] == 0
            bits = np.unpackbits(alive[1:9].view(np.uint8), bitorder="little")
            for byte in range(256):
                after = int(terminal_step(tables.static, tables.classes, state, byte))
                expected = automaton.step(place, bytes([byte]))
                assert (after > 0) == (expected > 0) == bool(bits[byte]), (name, state, byte)
                if after and (after, expected) not in seen:
                    seen.add((after, expected))
                    pending.append((after, expected))


def test_as_the_automata_of_the_names() -> None:
    _check_alike(NAMES)


@settings(max_examples=60)
@given(st.lists(TEXTS, min_size=1, max_size=4, unique=True))
def test_any_names(names: list[str]) -> None:
    _check_alike(names)


def test_a_name_has_one_place_however_often_it_is_read() -> None:
    _, starts = _starts(["a", "b", "a"])
    assert starts[0] == starts[2] != starts[1]


@pytest.mark.parametrize("n", [1, 3000])
def test_blocks_are_found_when_the_tables_have_grown(n: int) -> None:
    names = [f"name {i}" for i in range(n)]
    tables, starts = _starts(names)
    for name, start in zip(names, starts, strict=True):
        state = start
        for byte in f'"{name}"'.encode():
            state = int(terminal_step(tables.static, tables.classes, state, byte))
        assert terminal_flags(tables.static, state) & layout.ACCEPTS
