"""Plain objects and arrays allow what their forms do; what all sources name alike is one."""

from __future__ import annotations

import random
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from json_texts import BYTES
from structgen_kernels.members import STATES, VALUE

from structgen.bitmask import allocate_bitmask
from structgen.compiler import Compiler
from structgen.errors import StructgenError, UnsatisfiableSchemaError
from structgen.growing import GrowingTables
from structgen.mask_store import MaskStore
from structgen.parser_states import Call, Jump, Key, MemberKey, PlainKey, Read, State
from structgen.sources.json_schema import json_schema_states, value_states
from structgen.sources.json_schema.assertions import conjunction_of
from structgen.sources.json_schema.plain_containers import PlainArray, PlainObject, plain_container

OPTIONS: list[dict[str, Any]] = [
    {},
    {"any_order": True},
    {"indent": 2},
    {"escapes": "needed"},
    {"whitespace": "compact", "integers": "plain"},
]
NAMES = st.sampled_from(["a", "b", "ab", "é", '"\\', "x" * 20, "\ud800"])
SCALARS = st.sampled_from(
    [
        {"type": "string"},
        {"type": "integer", "description": "a whole number"},
        {"type": "string", "maxLength": 2},
        {"type": ["string", "null"]},
        {"enum": ["p", "q", 1]},
        {"type": "number", "minimum": 0},
        {"type": "boolean", "pattern": "x"},
        {"title": "says nothing"},
        {"$ref": "#/$defs/r"},
        {"$ref": "#/$defs/s"},
        {"allOf": [{"title": "nothing either"}]},
        {"x-unknown": {"type": "string"}},
        {"not": {}},
        True,
        False,
    ]
)


def _objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries(
        {"type": st.just("object")},
        optional={
            "properties": st.dictionaries(NAMES, inner, max_size=4),
            "required": st.lists(NAMES, max_size=3, unique=True),
            "additionalProperties": inner,
            "description": st.just("an object"),
            "minLength": st.just(3),
        },
    )


def _arrays(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries(
        {"type": st.just("array")},
        optional={
            "items": inner,
            "minItems": st.integers(0, 2),
            "maxItems": st.just(3),
            "default": st.just([]),
        },
    )


SCHEMAS = st.recursive(SCALARS, lambda inner: _objects(inner) | _arrays(inner), max_leaves=8)


def _walk(schema: Any, options: dict[str, Any], seed: int) -> tuple[str, list[bytes], list[int]]:
    """Masks and tokens of a text drawn from the masks; or the name of the error."""
    rng = random.Random(seed)
    row = allocate_bitmask(1, BYTES.size)
    masks: list[bytes] = []
    tokens: list[int] = []
    try:
        matcher = Compiler(BYTES, cache_size=0).json_schema(schema, **options).matcher()
    except StructgenError as error:
        return type(error).__name__, masks, tokens
    for _ in range(60):
        matcher.fill_bitmask(row)
        masks.append(row.tobytes())
        allowed = np.flatnonzero(np.unpackbits(row[0].view(np.uint8), bitorder="little"))
        usual = [token for token in allowed.tolist() if token < 128 and chr(token) in '{}[]":,ab1pqe0x']
        if not allowed.size:
            break
        token = rng.choice(usual or allowed.tolist())
        if token == 256:
            break
        assert matcher.accept(token)
        tokens.append(token)
    return "", masks, tokens


@settings(max_examples=150, deadline=None)
@given(SCHEMAS, st.sampled_from(OPTIONS), st.integers(0, 1 << 16), st.sampled_from([None, "04", "07"]))
def test_the_same_masks_as_by_forms(
    schema: Any, options: dict[str, Any], seed: int, draft: str | None
) -> None:
    if isinstance(schema, bool):
        schema = {"type": "object", "additionalProperties": schema}
    schema = {**schema, "$defs": {"r": schema, "s": {"type": "array", "items": {"type": "null"}}}}
    if draft is not None:
        schema["$schema"] = f"http://json-schema.org/draft-{draft}/schema#"
        schema["definitions"] = schema.pop("$defs")
        schema = _renamed(schema)
    plainly = _walk(schema, options, seed)
    with mock.patch.object(value_states, "SurveyedContainers", lambda survey: None):
        one_by_one = _walk(schema, options, seed)
        with mock.patch.object(value_states, "plain_container", lambda document, conjunction: None):
            by_forms = _walk(schema, options, seed)
    assert plainly == one_by_one == by_forms


def _renamed(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {
            key: value.replace("$defs", "definitions") if key == "$ref" else _renamed(value)
            for key, value in schema.items()
        }
    return [_renamed(value) for value in schema] if isinstance(schema, list) else schema


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        ({"type": "object"}, PlainObject),
        ({"type": "object", "properties": {"a": {"anyOf": [{}]}}, "required": ["a", "b"]}, PlainObject),
        ({"type": "array", "items": {"$ref": "#"}, "minItems": 1}, PlainArray),
        ({"type": "object", "patternProperties": {"a": {}}}, None),
        ({"type": "object", "minProperties": 1}, None),
        ({"type": "object", "additionalProperties": False, "required": ["a"]}, None),
        ({"type": "object", "unevaluatedProperties": False}, None),
        ({"type": "object", "enum": [{}]}, None),
        ({"type": "array", "uniqueItems": True}, None),
        ({"type": "array", "minItems": 2}, None),
        ({"type": ["object"]}, None),
        ({"properties": {}}, None),
    ],
)
def test_what_is_plain(schema: Any, kind: type | None) -> None:
    states = json_schema_states({"properties": {"x": schema}})
    document = states.forms.document
    conjunction = conjunction_of(document, document.child(document.root, "properties", "x"))
    found = plain_container(document, conjunction)
    assert found is None if kind is None else isinstance(found, kind)


def test_a_subschema_that_says_nothing_is_none() -> None:
    for schema in ({}, True, {"title": "t"}, {"x-y": 1}, {"allOf": [{"description": "d"}]}):
        document = json_schema_states({"properties": {"x": schema}}).forms.document
        assert conjunction_of(document, document.child(document.root, "properties", "x")) == ()
    with pytest.raises(UnsatisfiableSchemaError):
        json_schema_states({"not": {"title": "t"}})
    with pytest.raises(UnsatisfiableSchemaError):
        json_schema_states({"type": "array", "items": {"not": {"title": "t"}}, "minItems": 1})


def _described(state: State) -> list[Any]:
    return [
        (edge.terminal.digest, edge.target)
        if isinstance(edge, Read)
        else (edge.callee, edge.target)
        if isinstance(edge, Call)
        else edge.target
        if isinstance(edge, Jump)
        else edge
        for edge in state.edges
    ]


def test_states_that_are_there_from_the_beginning_are_those_of_any_schema() -> None:
    schema = {"type": "object", "properties": {"a": {"items": {"enum": [1]}}, "b": {}}, "required": ["b"]}
    tables = Compiler(BYTES, cache_size=0).json_schema(schema).tables
    assert isinstance(tables, GrowingTables)
    usual = [key for key, number in tables._numbers.items() if 0 < number < tables._first_own]
    assert len(usual) > 4
    source, of_any = json_schema_states(schema), json_schema_states(True)
    for states in (source, of_any):
        states.bar_names()
    for key in usual:
        given, expected = source.expand(key), of_any.expand(key)
        assert _described(given) == _described(expected) and given.kind == expected.kind
        number = tables.number(key)
        tables._wake()
        flat = tables._edges_of(number, number)
        count, words = 0, list(zip(flat[::2], flat[1::2], strict=True))
        for edge, (symbol, target) in zip(given.edges, words, strict=True):
            if isinstance(edge, Read):
                assert (symbol, target) == (tables._terminal(edge.terminal), tables.number(edge.target))
            elif isinstance(edge, Call):
                assert (symbol, target) == (-tables.number(edge.callee), tables.number(edge.target))
            count += 1
        assert count == len(words)
    # and nothing of them is asked for
    with mock.patch.object(type(tables.source), "expand", side_effect=AssertionError):
        matcher = Compiler(BYTES, cache_size=0).json_schema(True).matcher()
        assert matcher.accept_bytes(b'{"a": [1, {"b": "c"}, {}, []], "d": null}') and matcher.is_accepting


def test_entries_of_usual_states_are_asked_for_once() -> None:
    compiler = Compiler(BYTES)
    text = b'{"k": {"l": "m", "n": [1, 2]}}'
    asked: list[int] = []
    entries_near = MaskStore.entries_near

    def noted(self: MaskStore, tables: Any, state: int, saved: Any = None) -> tuple[int, Any]:
        if state < tables.n_usual:
            asked.append(state)
        return entries_near(self, tables, state, saved)

    def masks(name: str) -> list[bytes]:
        row = allocate_bitmask(1, BYTES.size)
        matcher = compiler.json_schema({"properties": {name: {"type": "object"}}}).matcher()
        found = []
        for byte in text:
            matcher.fill_bitmask(row)
            found.append(row.tobytes())
            assert matcher.accept(byte)
        return found

    with (
        mock.patch.object(MaskStore, "entries_near", noted),
        mock.patch("structgen.growing_arrays.STORED_NODES", 0),  # so that all states are stored ones
    ):
        first = masks("x")
        n_first = len(asked)
        assert n_first
        assert masks("y") == first and len(asked) == n_first
        compiler.store.clear()  # a new epoch: nothing of the old one is taken
        assert masks("z") == first and len(asked) == 2 * n_first


def test_ahead_of_a_text_plain_containers_are_made_and_dear_values_left_open() -> None:
    schema = {
        "type": "object",
        "properties": {
            "p": {"pattern": "^a+$"},
            "o": {"type": "object", "properties": {"q": {"type": "null"}}},
        },
    }
    # in the survey's records each of `properties` has one, too
    at_once = PlainKey(0, VALUE), PlainKey(0, STATES + VALUE), PlainKey(3, VALUE)
    _is_made_ahead(schema, *at_once)
    with mock.patch.object(value_states, "SurveyedContainers", lambda survey: None):
        outer, inner = ("in_order", 1, 0), ("in_order", 2, 0)
        _is_made_ahead(
            schema, MemberKey(outer, 0, VALUE), MemberKey(outer, 1, VALUE), MemberKey(inner, 0, VALUE)
        )


def _is_made_ahead(schema: Any, dear: Key, container: Key, inner: Key) -> None:
    tables = Compiler(BYTES, cache_size=0).json_schema(schema).tables
    assert isinstance(tables, GrowingTables)
    assert not tables._has_edges(tables.number(dear))
    assert tables._has_edges(tables.number(container))
    known = tables.n_parser_states
    assert tables._has_edges(tables.number(inner))
    assert tables.n_parser_states == known
