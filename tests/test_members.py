"""Members that are laid out at once are what their states, described one by one, would be."""

from __future__ import annotations

from dataclasses import dataclass
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from json_texts import BYTES
from naive_members import (
    AFTER,
    COLON,
    NAME,
    OTHER,
    OTHER_AFTER,
    OTHER_COLON,
    OTHER_NAME,
    OTHER_READ,
    OTHER_VALUE,
    VALUE,
    naive_members,
)
from structgen_kernels import layout, members

from structgen.automata import json_text
from structgen.automata.build import literal
from structgen.bitmask import allocate_bitmask
from structgen.compiled import CompiledGrammar, GrammarSource
from structgen.compiler import Compiler
from structgen.errors import CompileLimitError
from structgen.growing import GrowingTables
from structgen.mask_store import MaskStore
from structgen.parser_states import (
    ENDS,
    PLAIN,
    Call,
    Enter,
    Jump,
    Key,
    MemberKey,
    Members,
    Others,
    Read,
    State,
)

ROLES = {NAME: members.NAME, COLON: members.COLON, VALUE: members.VALUE, AFTER: members.AFTER}
OTHER_ROLES = {
    OTHER: members.OTHER,
    OTHER_NAME: members.OTHER_NAME,
    OTHER_READ: members.OTHER_READ,
    OTHER_COLON: members.OTHER_COLON,
    OTHER_VALUE: members.OTHER_VALUE,
    OTHER_AFTER: members.OTHER_AFTER,
}
DONE = State((), ENDS)
VALUES = [literal(b"1"), literal(b"22"), literal(b"true"), Enter("inner")]
MASKS = MaskStore(BYTES)


@dataclass
class OneByOne:
    """The states of an object, without `Members`."""

    described: Members
    start: Key = "start"
    n_records: int = 0

    def __post_init__(self) -> None:
        self.states: dict[Key, State] = {
            "start": State((Read(literal(b"{"), "first"),)),
            "first": State((Jump(("m", 0, NAME if self.described.names else OTHER)),)),
            "value": State((Read(VALUES[0], ("m", 0, AFTER)),)),
            "inner": State((Read(literal(b"[]"), "done"),)),
            "beyond": State((Read(literal(b"*"), "star"),)),
            "star": State((Read(self.described.end, "done"),)),
            "done": DONE,
            **naive_members(self.described, "m"),
        }
        n = len(self.described.names)
        for i, values in enumerate(self.described.values):
            if values is None:
                self.states["m", i, VALUE] = State((Read(VALUES[2], ("m", i, AFTER)),))
        if isinstance(self.described.beyond, Others) and self.described.beyond.values is None:
            self.states["m", n, OTHER_VALUE] = State((Read(VALUES[2], ("m", n, OTHER_AFTER)),))

    def expand(self, key: Key) -> State:
        return self.states[key]


class AtOnce(OneByOne):
    """The same by `Members`."""

    def expand(self, key: Key) -> State:
        if key == "first":
            return State((Jump(MemberKey("m", 0, members.NAME)),))
        if isinstance(key, MemberKey):
            after = members.AFTER if key.role == members.VALUE else members.OTHER_AFTER
            return State((Read(VALUES[2], key._replace(role=after)),))
        return self.states[key]

    def members(self, key: Key) -> Members:
        assert key == "m"
        return self.described

    def member(self, key: MemberKey) -> Key:
        roles = ROLES if key.at < len(self.described.names) else OTHER_ROLES
        role = next(role for role, number in roles.items() if number == key.role)
        return key.members, key.at, role


NAMES = st.lists(st.one_of(st.none(), st.text('aé"\\😀b', max_size=3)), max_size=6)


@st.composite
def described(draw: st.DrawFn) -> Members:
    names = draw(NAMES)
    names = [name if name not in names[:i] else None for i, name in enumerate(names)]
    optional = [name is None or draw(st.booleans()) for name in names]
    some = st.lists(st.sampled_from(VALUES), min_size=1, max_size=2)
    values = [draw(st.one_of(st.none(), some)) for _ in names]
    # an object that can be entered can be ended
    barred = tuple(name for name in names if name is not None)
    others = Others(barred, [json_text.string()], draw(st.one_of(st.none(), some)))
    is_entered = any(name is not None for name in names)
    # without names, only what has others is laid out
    beyond = draw(st.sampled_from([others, *([None] * is_entered), *(["beyond"] * bool(names))]))
    done = draw(st.sampled_from(["done", None])) if beyond == "beyond" else "done"
    return Members(names, optional, values, literal(b":"), literal(b","), literal(b"}"), beyond, done)


def edges(made: GrowingTables, number: int) -> list[tuple[int, int]]:
    flat = made._edges_of(number, number)
    return list(zip(flat[::2], flat[1::2], strict=True))


def words(made: GrowingTables, section: int, number: int) -> int:
    return int(made.static[made.static[section] + number])


@given(described())
def test_edges(given_members: Members) -> None:
    made = GrowingTables(AtOnce(given_members), BYTES.eos_token_ids, 1)
    made.expand(made.number("first"))
    first = made.number(MemberKey("m", 0, members.NAME))
    n = len(given_members.names)

    def number(target: Key) -> int:
        if isinstance(target, tuple):
            return first + members.STATES * target[1] + {**ROLES, **OTHER_ROLES}[target[2]]
        return made.number(target)

    places = [("m", i, role) for i in range(n) for role in ROLES]
    if isinstance(given_members.beyond, Others):
        places += [("m", n, role) for role in OTHER_ROLES]
    assert [made.key(first + i) for i in range(len(places))] == places
    twin = naive_members(given_members, "m")
    for place in places:
        at = number(place)
        state = twin.get(place)
        if state is None:
            assert words(made, layout.RTN_COUNT, at) == layout.UNEXPANDED
            continue
        assert words(made, layout.RTN_FINAL, at) == state.kind
        expected = [
            (made._terminal(edge.terminal), number(edge.target))
            if isinstance(edge, Read)
            else (-number(edge.callee), number(edge.target))
            if isinstance(edge, Call)
            else (-number(edge.target), 0)
            if state.kind == PLAIN
            else (made._barred(state.barred), number(edge.target))
            for edge in state.edges
        ]
        assert edges(made, at) == expected


@given(described(), st.lists(st.integers(0, 255), max_size=40))
def test_texts(given_members: Members, choices: list[int]) -> None:
    """A walk by the masks of both: the same bytes are allowed all the way."""
    matchers = [
        CompiledGrammar(
            GrowingTables(source(given_members), BYTES.eos_token_ids, 1),
            MASKS,
            GrammarSource("json_schema", ""),
        ).matcher()
        for source in (OneByOne, AtOnce)
    ]
    rows = allocate_bitmask(2, BYTES.size)
    for choice in choices:
        for row, matcher in enumerate(matchers):
            matcher.fill_bitmask(rows, row)
        assert np.array_equal(rows[0], rows[1])
        allowed = np.flatnonzero(np.unpackbits(rows[0].view(np.uint8), bitorder="little"))
        if not allowed.size:
            return
        token = int(allowed[choice % allowed.size])
        assert [matcher.accept(token) for matcher in matchers] == [True, True]


def test_names_of_all_planes_are_laid_out() -> None:
    """Blocks of spelled terminals, written at once and one after another, are the same."""
    names = ["", "a", 'é"', "😀" * 40, "\x00", "a\\"]
    given_members = Members(names, [True] * 6, [None] * 6, VALUES[0], VALUES[1], VALUES[2], None, "done")
    at_once = GrowingTables(AtOnce(given_members), BYTES.eos_token_ids, 1)
    alone = GrowingTables(OneByOne(given_members), BYTES.eos_token_ids, 1)
    at_once.number(MemberKey("m", 0, 0))
    for i in range(6):
        alone.expand(alone.number(("m", i, NAME)))

    def blocks(made: GrowingTables) -> list[list[int]]:
        count, begin = int(made.static[layout.N_BLOCKS]), int(made.static[layout.BLOCKS])
        found = []
        for block in made.static[begin:][: count * layout.BLOCK_SIZE].reshape(count, -1):
            points = int(block[layout.BLOCK_TABLE])
            fixed = [
                int(word)
                for i, word in enumerate(block)
                if i not in (layout.BLOCK_TABLE, layout.BLOCK_TAIL_STATE)
            ]
            found.append(fixed + made.static[points : points + int(block[layout.BLOCK_COUNTS])].tolist())
        return found

    assert blocks(at_once) == blocks(alone)


def test_too_long_names_meet_the_limit() -> None:
    names = ["a" * (1 << 21) + str(i) for i in range(70)]
    given_members = Members(names, [True] * 70, [None] * 70, VALUES[0], VALUES[1], VALUES[2], None, "done")
    made = GrowingTables(AtOnce(given_members), BYTES.eos_token_ids, 1)
    with pytest.raises(CompileLimitError, match="max_counted_states"):
        made.number(MemberKey("m", 0, 0))


@pytest.mark.parametrize("n", [3_000, 8_000, 20_000])
def test_many_members_that_cannot_be(n: int) -> None:
    dead = {"properties": {f"p{i}": False for i in range(n)}, "type": "object"}
    compiler = Compiler(BYTES)
    for schema, text in ((dead, b'{"x": 1}'), ({"properties": {"a": dead}}, b'{"a": {"x": {"p1": 1}}}')):
        grammar = compiler.json_schema(schema)
        matcher = grammar.matcher()
        assert matcher.accept_bytes(text) and matcher.is_accepting
        assert not grammar.matcher().accept_bytes(b'{"a": {"p1":' if schema is not dead else b'{"p1":')


def test_a_limit_while_members_are_laid_out_leaves_all_as_it_was() -> None:
    given_members = Members(["a", "b"], [True] * 2, [None] * 2, VALUES[0], VALUES[1], VALUES[2], None, "done")
    made = GrowingTables(AtOnce(given_members), BYTES.eos_token_ids, 1)
    made.number("before")
    made._room["rtn"] = 3  # so that room has to be made
    with mock.patch("structgen.static_layout.MOST_WORDS", 10), pytest.raises(CompileLimitError):
        made.number(MemberKey("m", 0, 0))
    made._room["rtn"] = 256
    made.expand(made.number("first"))
    assert made.key(made.number(MemberKey("m", 1, members.VALUE))) == ("m", 1, VALUE)


def test_each_member_has_the_alternatives_of_a_state_of_its_own() -> None:
    """Twelve members of thousands of alternatives each, met in a text: the limit is for one of them."""

    def one_of_many(name: str) -> dict[str, object]:
        kinds = [
            {"properties": {name: {"const": i}, "q": {"const": i}}, "required": [name]} for i in range(60)
        ]
        return {"anyOf": [{"type": "object", **kind} for kind in kinds]}

    members_of_x = {f"m{i}": {"allOf": [one_of_many(f"a{i}"), one_of_many(f"b{i}")]} for i in range(12)}
    nested = {"type": "array", "items": {"properties": {"v": {"type": "object", "properties": members_of_x}}}}
    schema = {"properties": {"x": {"properties": {"y": nested}}}}
    grammar = Compiler(BYTES).json_schema(schema)
    for _ in range(2):
        assert grammar.matcher().accept_bytes(b'{"x": {"y": [{"v": {')
