"""Large repetitions that are counted while reading give the language that spelling them out gives."""

from __future__ import annotations

from unittest import mock

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from structgen_kernels import layout
from structgen_kernels.terminals import add_alive, terminal_flags, terminal_step
from test_laws import allowed

from structgen import tables
from structgen.automata import json_text
from structgen.automata.dfa import Dfa
from structgen.automata.marked import MarkedDfa, marked
from structgen.compiler import Compiler
from structgen.errors import CompileLimitError
from structgen.growing import GrowingTables
from structgen.matcher import Matcher
from structgen.parser_states import ENDS, Key, Read, State
from structgen.regex import parse
from structgen.sources.json_schema import strings
from structgen.sources.json_schema.strings import Pattern, StringFacts, string_language
from structgen.vocabulary import Vocabulary

WORDS = r"^(?:\S+\s+){0,199}\S+$"
COUNTED = [
    WORDS,
    r"^$|(^(?:\S+\s+){0,99}\S+$)",
    r"^(?:\S+\s+){3,90}\S+$",
    r"^(?:[a-z]+,){0,200}$",
    r"^(?:ab){0,300}$",
]
NOT_COUNTED = [
    r"^(?:\S+\s+){0,5}\S+$",  # few
    r"^(?:a|ab){0,90}b$",  # how often it was repeated is not told by the text
    r"^(?:a{1,3}b){0,90}(?:b|ab){0,90}$",
    r"^[a-z]{0,900}$",
]


class _Reads:
    n_records = 0
    start: Key = "start"

    def __init__(self, terminal: MarkedDfa) -> None:
        self._terminal = terminal

    def expand(self, key: Key) -> State:
        return State((), ENDS) if key == "end" else State([Read(self._terminal, "end")])

    def resolve(self, key: Key, text: bytes) -> Key | None:
        return None


def _check(counted: MarkedDfa, automaton: Dfa) -> None:
    """Every state that a text reaches: what may follow, whether it may end, and where each byte leads."""
    tables = GrowingTables(_Reads(counted), [], 100)
    tables.expand(tables.number("start"))
    static = tables.static
    begin = int(static[static[layout.RTN_BEGIN] + tables.number("start")])
    start = int(static[static[layout.RTN_EDGES] + 2 * begin])
    columns = np.unique(automaton.byte_class, return_index=True)[1].tolist() + list(b'"\\ \nau0d')
    beside = {start: 1}
    pending = [start]
    while pending:
        state = pending.pop()
        place = beside[state]
        accepts = bool(terminal_flags(static, state) & layout.ACCEPTS)
        assert accepts == bool(automaton.accepting[place])
        alive = np.zeros(8, np.int32)
        add_alive(static, state, alive, 0)
        bits = np.unpackbits(alive.view(np.uint8), bitorder="little")
        assert np.array_equal(bits > 0, (automaton.transitions[place] > 0)[automaton.byte_class])
        for byte in columns:
            after = int(terminal_step(static, tables.classes, state, byte))
            expected = automaton.step(place, bytes([byte]))
            assert (after > 0) == (expected > 0)
            # no state of the automaton is beside two, as it is minimal, but one may be beside several of it
            if after and after not in beside:
                beside[after] = expected
                pending.append(after)
            assert not after or beside[after] == expected


@pytest.mark.parametrize("text", COUNTED)
def test_as_spelled_out(text: str) -> None:
    counted = marked(parse(text, "ecma", search=True), 200_000)
    assert counted is not None
    _check(counted, counted.whole())
    assert string_language(StringFacts(patterns=(Pattern(text, ""),)), 200_000) == ((counted,),)


@pytest.mark.parametrize("text", NOT_COUNTED)
def test_what_is_not_counted(text: str) -> None:
    assert marked(parse(text, "ecma", search=True), 200_000) is None


def test_a_limit_holds_all_the_same() -> None:
    node = parse(WORDS, "ecma", search=True)
    size = json_text.matching(node)
    assert size is not None
    assert marked(node, size.n_states // 2) is None


PIECES = st.sampled_from(["a", "b", "[ab]", " ", r"\s", r"\S", "a?", "b*", "(?:a|b )", "é", "a{1,2}", r"\w+"])


@settings(max_examples=60, deadline=None)
@given(
    st.lists(PIECES, max_size=2).map("".join),
    st.lists(PIECES, min_size=1, max_size=3).map("".join),
    st.lists(PIECES, max_size=2).map("".join),
    st.sampled_from([(0, 60), (1, 60), (2, 40), (0, 150), (60, 60)]),
    st.booleans(),
)
@example("", r"\S\s+", r"\S", (0, 60), True)
@example("a", "ab", "", (0, 150), False)
@example("b*", "ab", "", (0, 150), False)
def test_any_repetition(before: str, item: str, after: str, times: tuple[int, int], or_none: bool) -> None:
    text = f"^{before}(?:{item}){{{times[0]},{times[1]}}}{after}$" + ("|^$" if or_none else "")
    try:
        counted = marked(parse(text, "ecma", search=True), 20_000)
    except CompileLimitError:
        return
    if counted is not None:
        _check(counted, counted.whole())


TOKENS = [bytes([byte]) for byte in range(256)]
TOKENS += [b"a ", b" a", b" a a", b"a a a a ", b'a"', b'",', b'",1', b"\\u", b"\\u00", b"0020", b"61", None]
VOCABULARY = Vocabulary(TOKENS, len(TOKENS) - 1)


@pytest.mark.parametrize("stored", [0, 2, 64])
def test_masks_as_of_the_automaton(stored: int) -> None:
    schema = {"items": {"type": "string", "pattern": r"^(?:\S+\s+){0,63}\S+$"}, "type": "array"}
    masks = []
    for patched in (False, True):
        strings._matching.cache_clear()
        with mock.patch.object(tables, "STORED_NODES", stored):
            if patched:
                with mock.patch.object(strings, "marked", lambda node, max_states: None):
                    grammar = Compiler(VOCABULARY).json_schema(schema)
                    masks.append(_masks(grammar.matcher()))
            else:
                grammar = Compiler(VOCABULARY).json_schema(schema)
                masks.append(_masks(grammar.matcher()))
    strings._matching.cache_clear()
    assert masks[0] == masks[1]


def _masks(matcher: Matcher) -> list[set[int]]:
    """Along a text whose words come to the maximum, and after escapes on the way."""
    found = []
    for byte in b'["' + b"a " * 55 + rb"\u0061\u0020" + b"\xc3\xa9 a " * 4 + b'","b':
        found.append(allowed(matcher))
        if not matcher.accept(byte):
            break
    found.append(allowed(matcher))
    return found


def test_without_all_bytes_and_in_one_spelling() -> None:
    schema = {"type": "string", "pattern": WORDS}
    lacking = [token for token in TOKENS[:-1] if token is not None and b"z" not in token]
    vocabulary = Vocabulary([*lacking, None], len(lacking))
    for grammar in (
        Compiler(vocabulary).json_schema(schema),
        Compiler(VOCABULARY).json_schema(schema, escapes="needed"),
    ):
        for words, is_in in ((1, True), (200, True), (201, False)):
            matcher = grammar.matcher()
            text = b'"' + b" ".join([b"a"] * words) + b'"'
            assert matcher.accept_bytes(text) == is_in
