"""Spelled terminals: the implicit states of a name, or of several texts, against the automaton."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from structgen_kernels import layout
from structgen_kernels.terminals import add_alive, representative, terminal_flags, terminal_step

from structgen.automata import json_text
from structgen.automata.dfa import Dfa, SpelledText, SpelledTexts
from structgen.growing import GrowingTables
from structgen.parser_states import ENDS, Key, Read, State
from structgen.sources.json_schema import scalars
from structgen.sources.json_schema.strings import Pattern, StringFacts, string_language

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
    n_records = 0

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
    tables, starts = _starts(names)
    for name, start in zip(names, starts, strict=True):
        _check_states(tables, start, json_text.key(name))


def _check_states(tables: GrowingTables, start: int, automaton: Dfa) -> None:
    """Every state that a text reaches: what may follow, whether it may end, and where each byte leads."""
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
            assert (after > 0) == (expected > 0) == bool(bits[byte]), (state, byte)
            if after and (after, expected) not in seen:
                seen.add((after, expected))
                pending.append((after, expected))


def test_as_the_automata_of_the_names() -> None:
    _check_alike(NAMES)


@settings(max_examples=60)
@given(st.lists(TEXTS, min_size=1, max_size=4, unique=True))
def test_any_names(names: list[str]) -> None:
    _check_alike(names)


class _Sets:
    """Reads one of the texts of a set, then of the next one, and ends."""

    start: Key = 0
    n_records = 0

    def __init__(self, sets: list[tuple[str, ...]]) -> None:
        self._sets = sets

    def expand(self, key: Key) -> State:
        assert isinstance(key, int)
        if key == len(self._sets):
            return State((), ENDS)
        return State([Read(SpelledTexts(self._sets[key]), key + 1)])

    def resolve(self, key: Key, text: bytes) -> Key | None:
        return None


def _check_sets(sets: list[tuple[str, ...]]) -> None:
    tables = GrowingTables(_Sets(sets), [], 100)
    starts = []
    for i in range(len(sets)):
        tables.expand(tables.number(i))
    static = tables.static
    for i in range(len(sets)):
        begin = int(static[static[layout.RTN_BEGIN] + tables.number(i)])
        starts.append(int(static[static[layout.RTN_EDGES] + 2 * begin]))
    for texts, start in zip(sets, starts, strict=True):
        _check_states(tables, start, json_text.strings(texts))


def _ordered(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(texts)))


def test_sets_as_their_automata() -> None:
    # what is written of a surrogate pair and of what lies beside surrogates begins alike; so do raw bytes
    near = [
        "\ud7ff",
        "\ud000",
        "\ue000",
        "\U00010000",
        "\U0001f600",
        "\U0001f601",
        "\U0010ffff",
        "\U0001f600x",
    ]
    like = ["é", "è", "éa", "ﾀ", "߿", "\x07", "\x08", "/", "//", "u", "b", '"', "\\", "a", "ab", "abc", ""]
    _check_sets([_ordered(NAMES), _ordered(near), _ordered(like), _ordered(near + like + NAMES)])


@settings(max_examples=60)
@given(st.lists(st.lists(TEXTS, min_size=2, max_size=8, unique=True).map(_ordered), min_size=1, max_size=3))
def test_any_sets(sets: list[tuple[str, ...]]) -> None:
    _check_sets(sets)


@settings(max_examples=40)
@given(
    st.lists(st.text("\ud7ff\ue000\U00010000\U0001f600\U0001f601éèaAu/", max_size=3), min_size=2, unique=True)
)
def test_sets_of_texts_that_begin_alike(texts: list[str]) -> None:
    _check_sets([_ordered(texts)])


def test_sets_are_found_when_the_tables_have_grown() -> None:
    sets = [_ordered([f"{i} {j}" for j in range(50)]) for i in range(200)]
    tables = GrowingTables(_Sets(sets), [], 100)
    starts = []
    for i in range(len(sets)):
        tables.expand(tables.number(i))
        static = tables.static
        begin = int(static[static[layout.RTN_BEGIN] + tables.number(i)])
        starts.append(int(static[static[layout.RTN_EDGES] + 2 * begin]))
    for texts, start in zip(sets, starts, strict=True):
        for text, is_in in ((texts[7], True), ("x", False), (texts[7] + "0", False)):
            state = start
            for byte in f'"{text}"'.encode():
                state = int(terminal_step(tables.static, tables.classes, state, byte))
            assert bool(state and terminal_flags(tables.static, state) & layout.ACCEPTS) == is_in


PIECES = st.sampled_from(["a", "b", "é", "[ab]", "(a|bc)", "(?:b|a?)", "x{1,2}", r"\\d", r"\\/", "😀", ""])


@settings(max_examples=150, deadline=None)
@given(
    st.lists(PIECES, max_size=4).map("".join),
    st.lists(PIECES, max_size=3).map("".join),
    st.integers(0, 3),
    st.none() | st.integers(0, 4),
    st.frozensets(st.sampled_from(["a", "ab", "b1"]), max_size=2),
)
@example("", "a", 0, None, frozenset())
@example("a", "b", 2, None, frozenset())
@example("[ab]", "é", 0, None, frozenset("ab"))
def test_patterns_of_few_texts_are_these(
    one: str, other: str, minimum: int, maximum: int | None, excluded: frozenset[str]
) -> None:
    for patterns in ((f"^({one}|{other})$",), (f"^{one}{other}$", "^(a|b)")):
        facts = StringFacts(
            minimum, maximum, tuple(Pattern(text, "") for text in patterns), excluded=excluded
        )
        listed = scalars._listed(facts)
        if listed is None:
            continue
        wanted = string_language(facts, 100_000, whole=True)
        pieces = list(scalars._spelled(listed))
        assert len(pieces) == len(wanted) == (1 if listed else 0)
        for (piece,), (automaton,) in zip(pieces, wanted, strict=True):
            assert isinstance(piece, SpelledText | SpelledTexts)
            texts = (piece.text,) if isinstance(piece, SpelledText) else piece.texts
            assert automaton == json_text.strings(texts)


def test_lone_surrogates_are_in_no_set() -> None:
    assert list(scalars._spelled(["\ud800", "a", "a\udfff"])) == [(SpelledText("a"),)]
    assert list(scalars._spelled(["\ud800"])) == []
    assert list(scalars._spelled(["b", "a", "b"])) == [(SpelledTexts(("a", "b")),)]


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
