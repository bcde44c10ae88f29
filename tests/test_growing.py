"""Tables that grow: numbers, the order of expansion, and that what was laid out survives every move."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from json_texts import BYTES
from structgen_kernels import layout

from structgen.automata.build import compile_regex, literal
from structgen.automata.dfa import BoundedDfa, CountedDfa
from structgen.charset import CharSet
from structgen.compiled import CompiledGrammar, GrammarSource
from structgen.growing import GrowingTables
from structgen.mask_store import MaskStore
from structgen.parser_states import BEGIN_TEXT, END_TEXT, ENDS, Call, Jump, Key, Read, State
from structgen.regex.syntax import Chars, Literal, Repeat
from structgen.tables import Terminal


@dataclass
class Listed:
    """States from a dict. ``asked``: which were expanded, in order."""

    states: dict[Key, State]
    texts: dict[tuple[Key, bytes], Key] = field(default_factory=dict)
    start: Key = "start"
    asked: list[Key] = field(default_factory=list)
    n_records: int = 0

    def expand(self, key: Key) -> State:
        self.asked.append(key)
        return self.states[key]

    def resolve(self, key: Key, text: bytes) -> Key | None:
        return self.texts.get((key, text))


def tables(source: Listed) -> GrowingTables:
    return GrowingTables(source, BYTES.eos_token_ids, 1, None)


def grammar(made: GrowingTables) -> CompiledGrammar:
    return CompiledGrammar(made, MaskStore(BYTES), GrammarSource("json_schema", ""))


def accepts(compiled: CompiledGrammar, text: bytes) -> bool:
    matcher = compiled.matcher()
    return matcher.accept_bytes(text) and matcher.is_accepting


def text(data: str) -> Terminal:
    return literal(data.encode())


def count_of(made: GrowingTables, number: int) -> int:
    return int(made.static[made.static[layout.RTN_COUNT] + number])


DONE = State((), ENDS)


def test_equal_keys_are_one_state() -> None:
    made = tables(Listed({("a", 1): DONE}, start=("a", 1)))
    assert made.number(("a", 1)) == made.number(("a", 1)) == made.static[layout.RTN_START]
    assert made.number(("a", 2)) == made.number(("a", 1)) + 1
    assert [made.key(made.number(key)) for key in (("a", 1), ("a", 2))] == [("a", 1), ("a", 2)]
    assert made.static[layout.N_RTN] == made.number(("a", 2)) + 1


def test_a_state_is_expanded_once_and_where_it_jumps_and_calls_with_it() -> None:
    source = Listed(
        {
            "start": State((Read(text("a"), "later"), Jump("next"))),
            "next": State((Call("last", "later"),)),
            "last": State((Read(text("b"), "later"),)),
            "later": DONE,
        }
    )
    made = tables(source)
    assert source.asked == []
    made.expand(made.number("start"))
    made.expand(made.number("start"))
    assert source.asked == ["start", "next", "last"] and made.n_expanded == 3
    assert count_of(made, made.number("start")) == 2
    assert count_of(made, made.number("later")) == layout.UNEXPANDED


def test_where_there_is_no_choice_the_next_state_is_expanded_with_it() -> None:
    reads = {i: State((Read(text("a"), i + 1),)) for i in range(5)}
    source = Listed({**reads, 5: DONE}, start=0)
    made = tables(source)
    made.expand(made.number(0))
    assert source.asked == [0, 1]
    made.expand(made.number(1))
    assert source.asked == [0, 1]
    made.expand(made.number(2))
    assert source.asked == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("limit", "all_there"), [(1, False), (4, False), (11, False), (12, True), (100, True)]
)
def test_the_nearest_states_first(limit: int, all_there: bool) -> None:
    states: dict[Key, State] = {i: State((Read(text("a"), i + 1), Call(("in", i), i + 1))) for i in range(5)}
    states |= {("in", i): State((Read(text("b"), "done"),)) for i in range(5)}
    source = Listed({**states, 5: DONE, "done": DONE}, start=0)
    made = tables(source)
    assert made.expand_some(limit, 10**6) == all_there
    assert source.asked[:4] == [0, ("in", 0), 1, ("in", 1)][: len(source.asked)]
    # one more than asked for, where one comes with another
    assert min(limit, len(source.states)) <= len(source.asked) <= limit + 1


def test_where_a_text_leads_is_asked_for() -> None:
    source = Listed(
        {
            "start": State((Jump("item"),), BEGIN_TEXT),
            "item": State((Read(compile_regex(Repeat(Chars(CharSet.chars("ab")), 1, 3)), "read"),)),
            "read": State((), END_TEXT),
            "aa": State((Read(text("!"), "done"),)),
            "ab": State((Read(text("?"), "done"),)),
            "done": DONE,
        },
        {("read", b"aa"): "aa", ("read", b"ab"): "ab"},
    )
    compiled = grammar(tables(source))
    for data, expected in ((b"aa!", True), (b"ab?", True), (b"aa?", False), (b"b!", False), (b"aab!", False)):
        assert accepts(compiled, data) == expected


N = 90


def stage(i: int) -> tuple[Terminal, bytes, bytes]:
    """A terminal, a text of it, and one that is none."""
    if i % 3 == 0:
        return text(f"t{i};"), f"t{i};".encode(), f"t{i + 1};".encode()
    if i % 3 == 1:
        unit = compile_regex(Chars(CharSet.chars("ab")))
        return (
            CountedDfa(b"<", unit, 2, 30 + i, b">"),
            b"<" + b"a" * (30 + i) + b">",
            b"<" + b"a" * (31 + i) + b">",
        )
    content = compile_regex(Repeat(Literal("ab"), 0, None), "json-string")
    return (
        BoundedDfa(b"(", content, 30 + i, b")"),
        b"(" + b"ab" * ((30 + i) // 2) + b")",
        b"(" + b"ab" * (16 + i) + b")",
    )


STAGES = [stage(i) for i in range(N)]
LONG = Listed({**{i: State((Read(STAGES[i][0], i + 1),)) for i in range(N)}, N: DONE}, start=0)


@pytest.mark.parametrize("ahead", [0, 1, 7, 1000])
def test_terminals_survive_every_move(ahead: int) -> None:
    """Tables, counted and bounded terminals are added in turn, and all sections are moved on the way."""
    made = tables(Listed(LONG.states, start=0))
    made.expand_some(ahead, 10**6)
    compiled = grammar(made)
    whole = b"".join(good for _, good, _ in STAGES)
    before = made.static.shape[0]
    assert accepts(compiled, whole)
    assert made.n_expanded == N + 1
    assert ahead >= N or made.static.shape[0] > before
    for again in (compiled, grammar(made)):  # with what is remembered, and anew
        assert accepts(again, whole)
        for i in range(0, N, 7):
            begin = b"".join(good for _, good, _ in STAGES[:i])
            rest = b"".join(good for _, good, _ in STAGES[i + 1 :])
            assert not accepts(again, begin + STAGES[i][2] + rest)
    assert made.n_terminal_states == int(made.static[layout.N_TABLE])
    assert int(made.static[layout.N_BLOCKS]) == 2 * N // 3


def test_where_a_table_state_comes_from() -> None:
    made = tables(LONG)
    made.expand_some(1000, 10**6)
    heads = {made.origin(state)[0] for state in range(1, made.n_terminal_states) if made.origin(state)[2]}
    assert heads == {STAGES[i][0].digest for i in range(N) if i % 3}
    plain = {made.origin(state)[0] for state in range(1, made.n_terminal_states) if not made.origin(state)[2]}
    assert {STAGES[i][0].digest for i in range(0, N, 3)} <= plain
