"""Options of unions: told apart by a first member, by listed values, by what contradicts; and which are empty."""

# ruff: noqa: E501 (a case a line)

from __future__ import annotations

import gc
import json
import random
from itertools import product
from typing import Any
from unittest import mock

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from json_texts import accepts, compiled

from structgen import Compiler, Vocabulary
from structgen.errors import StructgenError
from structgen.sources.json_schema import emptiness, json_schema_states
from structgen.sources.json_schema.assertions import conjunction_of
from structgen.sources.json_schema.document import Document
from structgen.sources.json_schema.facts import NOTHING
from structgen.sources.json_schema.normal_form import NormalForms
from structgen.sources.json_schema.options import SchemaOptions
from structgen.sources.json_schema.other_values import by_value, ways
from structgen.sources.json_schema.states import SchemaStates

VALUES = ["p", "q", "r", 1, 2, None]
KINDS = st.one_of(
    st.sampled_from(VALUES).map(lambda value: {"const": value}),
    st.lists(st.sampled_from(VALUES), min_size=1, max_size=3).map(lambda values: {"enum": values}),
    st.sampled_from(
        [{"type": "string", "enum": ["p", "q"]}, {"type": "string"}, {}, {"not": {"const": "p"}}]
    ),
)


@st.composite
def unions(draw: st.DrawFn) -> dict[str, Any]:
    """Options that name their kind in a first member, or do not."""
    options = []
    for _ in range(draw(st.integers(2, 5))):
        option: dict[str, Any] = {"type": "object", "properties": {"k": draw(KINDS)}}
        if draw(st.booleans()):
            option["properties"] |= {
                "a": draw(st.sampled_from([{"type": "integer"}, {"enum": ["p", 1]}, {}]))
            }
        option["required"] = draw(st.sampled_from([["k"], ["k"], ["k", "a"], []]))
        if draw(st.booleans()):
            option["additionalProperties"] = False
        options.append(option)
    return {"type": "object", draw(st.sampled_from(["oneOf", "anyOf", "oneOf"])): options}


def objects() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [{}, {"x": 1}]
    for kind in VALUES:
        found += [{"k": kind}, {"k": kind, "x": 1}, {"a": kind}, {"k": kind, "a": 3, "x": 1}]
        found += [{"k": kind, "a": value} for value in ("p", "s", 1)]
    return found


@given(unions(), st.booleans())
@settings(max_examples=60, deadline=None)
def test_against_jsonschema(schema: dict[str, Any], any_order: bool) -> None:
    judge = jsonschema.Draft202012Validator(schema)
    expected = [(json.dumps(value), judge.is_valid(value)) for value in objects()]
    try:
        grammar = compiled(schema, any_order=any_order)
    except StructgenError:
        assert not any(valid for _, valid in expected)
        return
    for text, valid in expected:
        assert accepts(grammar, text) == valid, text


# One clause that a member may be witness of in several ways
SEVERAL: list[tuple[dict[str, Any], dict[str, bool]]] = [
    (
        {
            "properties": {"ab": {}},
            "required": ["ab"],
            "maxProperties": 1,
            "not": {"patternProperties": {"^a": {"enum": [1, 3]}, "b$": {"enum": [2, 3]}}},
        },
        {'{"ab": 1}': True, '{"ab": 2}': True, '{"ab": 3}': False, '{"ab": 4}': True},
    ),
    (
        {
            "properties": {"ab": {}},
            "additionalProperties": False,
            "not": {"patternProperties": {"^a": {"const": 1}, "b$": {"const": 2}}},
        },
        {'{"ab": 1}': True, '{"ab": 2}': True, '{"ab": 4}': True, '{"ab": 1, "c": 1}': False, "{}": False},
    ),
]


@pytest.mark.parametrize("any_order", [False, True])
@pytest.mark.parametrize(("schema", "texts"), SEVERAL)
def test_one_of_several_ways(schema: dict[str, Any], texts: dict[str, bool], any_order: bool) -> None:
    grammar = compiled({"type": "object", **schema}, any_order=any_order)
    assert {text: accepts(grammar, text) for text in texts} == texts


@given(
    st.lists(st.lists(st.sampled_from(VALUES), min_size=1, max_size=4), min_size=1, max_size=4), st.randoms()
)
@settings(deadline=None)
def test_ways_are_a_partition(excluded: list[list[Any]], rng: random.Random) -> None:
    """A value is in just one of the ways, which says of which clauses it is a witness; but for the way that
    is any value and a witness of nothing, where a value may be spelled as none of the others have it.
    """
    document = Document({"oneOf": [{"enum": values} for values in excluded]}, SchemaOptions.parse({}))
    nodes = [
        document.negation(document.child(document.root, "oneOf", i)) for i, values in enumerate(excluded)
    ]
    claims = [(c, (node,)) for c, node in enumerate(nodes)]
    rng.shuffle(claims)
    excluding, others = by_value(claims)
    assert not others
    found = list(ways(excluding, document))
    listed = {repr(value): value for values in excluded for value in values}.values()
    free = [frozenset()] if any(not isinstance(value, str | bool | None) for value in listed) else []
    assert len(found) <= len(listed) + 1 + len(free)
    for value in [*VALUES, "another"]:
        held = [some for conjunction, some in found if all(_holds(node, value) for node in conjunction)]
        borne = frozenset(c for c, values in enumerate(excluded) if not _is_in(value, values))
        assert held == [borne, *free]


def _is_in(value: Any, values: list[Any]) -> bool:
    return any(type(value) is type(other) and value == other for other in values)


def _holds(node: Any, value: Any) -> bool:
    values = [node.keywords["const"]] if "const" in node.keywords else node.keywords["enum"]
    return _is_in(value, values) != node.negated


def test_kinds_that_clauses_exclude_do_not_multiply() -> None:
    """Twelve options with a kind, and one without that must be none of them."""
    options: list[dict[str, Any]] = [
        {"properties": {"k": {"enum": [f"kind {i}"]}}, "required": ["k", f"b{i}"]} for i in range(12)
    ]
    options.append({"properties": {"k": {}}, "required": ["k", "z"]})
    schema = {"oneOf": [{"type": "object", **option} for option in options]}
    states = json_schema_states(schema)
    language = states.objects_of(states.root)[-1]
    steps = list(language.named_steps("k", language.start, states.is_alive))
    assert len(steps) == 13  # not two to the power of twelve
    grammar = compiled(schema, any_order=True)
    assert accepts(grammar, '{"k": "kind 3", "b3": 1}') and accepts(grammar, '{"k": "none", "b3": 1, "z": 1}')
    assert accepts(grammar, '{"k": "kind 3", "b4": 1, "z": 1}')
    assert not accepts(grammar, '{"k": "kind 3", "b3": 1, "z": 1}')
    assert not accepts(grammar, '{"k": "none"}')


def test_options_are_laid_out_behind_their_kind() -> None:
    options = [
        {
            "type": "object",
            "properties": {"k": {"const": f"kind {i}"}, f"a{i}": {}, f"b{i}": {"type": "string"}},
            "required": ["k", f"b{i}"],
            "additionalProperties": False,
        }
        for i in range(20)
    ]
    with mock.patch.object(SchemaStates, "members", autospec=True, side_effect=SchemaStates.members) as laid:
        matcher = compiled({"oneOf": options}).matcher()
        assert matcher.accept_bytes(b'{"k": "kind ')
        assert matcher.following_bytes().sum() == 11  # digits, and a backslash
        assert laid.call_count == 0
        assert matcher.accept_bytes(b'7", ')
        assert laid.call_count == 1
        assert matcher.accept_bytes(b'"b7": "x"}') and matcher.is_accepting


@pytest.mark.parametrize("lenient", [False, True])
def test_a_subschema_and_its_negation(lenient: bool) -> None:
    schema = (
        {"properties": {"a": {"pattern": "(?=x)y", "minLength": 1}}}
        if lenient
        else {"properties": {"a": {"minLength": 1}}}
    )
    options = SchemaOptions.parse({"lenient": lenient})
    document = Document(schema, options)
    forms = NormalForms(document, options)
    inner = conjunction_of(document, document.child(document.root, "properties", "a"))
    both = (*inner, document.negation(inner[0]))
    assert (forms.of(both) == NOTHING) != lenient  # what is left out refuses nothing, nor does its negation


RECURSIVE = [
    {"$ref": "#/$defs/a"},
    {"type": "object", "properties": {"m": {"$ref": "#/$defs/a"}, "n": {"$ref": "#/$defs/b"}}, "required": ["m"]},
    {"type": "object", "properties": {"m": {"$ref": "#/$defs/b"}}, "required": ["m", "n"]},
    {"type": "array", "items": {"$ref": "#/$defs/b"}, "minItems": 1},
    {"type": "array", "items": {"$ref": "#/$defs/c"}, "contains": {"$ref": "#/$defs/a"}},
    {"not": {"properties": {"m": {"$ref": "#/$defs/c"}}}, "type": "object", "required": ["m"]},
    {"type": "string", "enum": ["p"]},
    {"const": "q"},
    False,
]  # fmt: skip


def test_depth_first_finds_what_breadth_first_does() -> None:
    """Which subschemas have a value does not depend on what is looked at first."""
    rng = random.Random(3)
    alive = dead = 0
    for _ in range(150):
        defs = {
            name: {
                rng.choice(["anyOf", "allOf", "anyOf"]): [
                    rng.choice(RECURSIVE) for _ in range(rng.randrange(1, 4))
                ]
            }
            for name in "abc"
        }
        found = []
        for deepest in (0, 2, emptiness._DEEPEST):
            with mock.patch.object(emptiness, "_DEEPEST", deepest):
                found.append([_is_alive(defs, name) for name in "abc"])
        assert found[0] == found[1] == found[2], defs
        alive += sum(answer is True for answer in found[0])
        dead += sum(answer is False for answer in found[0])
    assert alive > 50 and dead > 50


def _is_alive(defs: dict[str, Any], name: str) -> bool | str:
    options = SchemaOptions.parse({})
    try:
        document = Document({"$defs": defs}, options)
        forms = NormalForms(document, options)
        decides = emptiness.Emptiness(forms, options, None)
        return decides.is_alive(conjunction_of(document, document.child(document.root, "$defs", name)))
    except StructgenError as error:
        return type(error).__name__


def test_all_combinations_of_kinds() -> None:
    """Several members that each exclude what others name."""
    names, values = ("k", "l"), ("p", "q", "r")
    options = [
        {"type": "object", "properties": {"k": {"enum": ["p", "q"]}}, "required": ["k"]},
        {"type": "object", "properties": {"l": {"enum": ["q", "r"]}}, "required": ["l"]},
        {"type": "object", "properties": {"k": {"const": "q"}, "l": {"const": "p"}}, "required": ["k", "l"]},
    ]
    schema = {"oneOf": options}
    judge, grammar = jsonschema.Draft202012Validator(schema), compiled(schema, any_order=True)
    n_valid = 0
    for chosen in product((None, *values), repeat=2):
        value = {name: inner for name, inner in zip(names, chosen, strict=True) if inner is not None}
        assert accepts(grammar, json.dumps(value)) == judge.is_valid(value), value
        n_valid += judge.is_valid(value)
    assert n_valid > 3


@pytest.mark.parametrize("any_order", [False, True])
def test_a_number_may_be_spelled_in_any_way_where_another_member_bears_witness(any_order: bool) -> None:
    kind = {
        "type": "object",
        "properties": {"kind": {"const": "p"}, "x": {"enum": [{"b": 1}, 2]}},
        "required": ["x", "kind"],
        "additionalProperties": False,
    }
    schema = {"oneOf": [{"properties": {"a": False}}, kind]}
    assert accepts(compiled(schema, any_order=any_order), '{"x": 10e5}')


def test_what_is_decided_is_freed_without_the_collector() -> None:
    tree: dict[str, Any] = {
        "oneOf": [
            {"type": "string", "minLength": 2},
            {
                "type": "object",
                "properties": {"k": {"enum": ["a", "ab"]}, "c": {"$ref": "#/$defs/tree"}},
                "required": ["k", "c"],
                "patternProperties": {"^x": {"not": {"$ref": "#/$defs/tree"}}},
            },
            {"type": "object", "properties": {"k": {"pattern": "^b"}}, "required": ["k"]},
        ]
    }
    schema = {"$defs": {"tree": tree}, "$ref": "#/$defs/tree"}
    compiler = Compiler(Vocabulary([*(bytes([byte]) for byte in range(256)), None], 256), cache_size=0)

    def read() -> None:
        assert accepts(compiler.json_schema(schema), '{"k": "ab", "c": {"k": "b", "c": 1}}')

    read()  # what is kept for all
    gc.collect()
    gc.disable()
    try:
        read()
        assert gc.collect() < 100
    finally:
        gc.enable()


def test_exactly_one_of_many_that_share_a_base() -> None:
    """Nothing says that the kind must be there: without it all options hold, so none does."""
    kinds = ["a", "b", "c", "d", "e"]
    options: list[dict[str, Any]] = [
        {
            "allOf": [{"$ref": "#/$defs/base"}],
            "properties": {"kind": {"enum": [kind]}, **({"n": {"maximum": i}} if i % 2 else {})},
            "required": ["n"] if i == 2 else [],
        }
        for i, kind in enumerate(kinds)
    ]
    base = {"properties": {"kind": {"type": "string"}, "n": {"type": "integer"}}}
    schema = {"type": "object", "oneOf": options, "additionalProperties": False, "$defs": {"base": base}}
    schema["properties"] = {"kind": {}, "n": {"enum": [0, 1, 2, 3, 4, "x"]}}
    grammar, reference = compiled(schema), jsonschema.Draft202012Validator(schema)
    values = [
        {key: value for key, value in (("kind", kind), ("n", n)) if value is not None}
        for kind, n in product([*kinds, "f", None], [0, 1, 2, 3, 4, "x", None])
    ]
    for value in values:
        assert accepts(grammar, json.dumps(value)) == reference.is_valid(value), value
