"""Objects and arrays whose parts depend on each other: every small value against `jsonschema`, and no dead ends."""

# ruff: noqa: E501, E741 (a case a line; I for the integer type)
from __future__ import annotations

import json
import random
from itertools import permutations, product
from typing import Any

import pytest
from json_texts import accepts, compiled, exact_value, random_text
from jsonschema.validators import Draft202012Validator

from structgen.errors import InvalidSchemaError, UnsatisfiableSchemaError

S, I, B = {"type": "string"}, {"type": "integer"}, {"type": "boolean"}
A01, B01 = {"properties": {"a": {"enum": [0, 1]}}}, {"properties": {"b": {"enum": [0, 1]}}}
OBJECT = {"type": "object"}
CLOSED = {**OBJECT, "properties": {"a": True, "b": True, "c": True}, "additionalProperties": False}

OBJECTS: dict[str, dict[str, Any]] = {
    # clauses whose witness is an absent member, a present one, any other one
    "absent or present": {**CLOSED, "not": {"required": ["a", "b"]}},
    "not all of three": {**CLOSED, "not": {"required": ["a", "b", "c"]}, "minProperties": 2},
    "not this value": {**CLOSED, "not": {"properties": {"a": {"const": 1}}}},
    "some other member": {**OBJECT, "not": {"additionalProperties": I}},
    "some other member, of two": {**OBJECT, "properties": {"a": True}, "not": {"properties": {"a": True}, "additionalProperties": {"const": 0}}},
    "a member of a pattern": {**OBJECT, "not": {"patternProperties": {"^[bc]$": I}}},
    "a name that is not so": {**OBJECT, "not": {"propertyNames": {"enum": ["a", "b"]}}},
    "two clauses, one member": {**OBJECT, "maxProperties": 1, "allOf": [{"not": {"additionalProperties": I}}, {"not": {"additionalProperties": {"const": 0}}}]},
    "two clauses that need two members": {**OBJECT, "maxProperties": 2, "allOf": [{"not": {"additionalProperties": I}}, {"not": {"additionalProperties": S}}]},
    "too few for two clauses": {**OBJECT, "maxProperties": 1, "allOf": [{"not": {"additionalProperties": {"not": I}}}, {"not": {"additionalProperties": {"not": S}}}]},
    "not one of two objects": {**CLOSED, "not": {"enum": [{"a": 0}, {"a": 0, "b": 1}]}},
    "dependent and counted": {**CLOSED, "dependentRequired": {"a": ["b", "c"]}, "maxProperties": 2},
    "dependent that cannot be": {**CLOSED, "required": ["a"], "dependentRequired": {"a": ["b", "c"]}, "maxProperties": 2},
    "dependent backwards": {**CLOSED, "dependentRequired": {"c": ["a"], "b": ["c"]}},
    "dependent, and others not": {**CLOSED, "dependentSchemas": {"a": {"not": {"required": ["b"]}}, "c": {"required": ["b"]}}},
    "exactly one of three": {**CLOSED, "oneOf": [{"required": ["a"]}, {"required": ["b"]}, {"required": ["c"]}]},
    "one of two, by value": {**CLOSED, "oneOf": [{"properties": {"a": I}}, {"properties": {"a": {"const": 1}, "b": S}}]},
    "counts and required": {**CLOSED, "required": ["b"], "minProperties": 2, "maxProperties": 2},
    "more than there are": {**CLOSED, "minProperties": 4},
    "just as many as there are": {**CLOSED, "minProperties": 3},
    "counts and names": {**OBJECT, "propertyNames": {"enum": ["a", "c"]}, "minProperties": 2},
    "counts and patterns": {**OBJECT, "patternProperties": {"^[ab]$": I}, "additionalProperties": False, "minProperties": 2},
    "unevaluated": {**OBJECT, **A01, "anyOf": [{**B01, "required": ["b"]}, {"required": ["c"], "properties": {"c": True}}], "unevaluatedProperties": False},
    "if absent then": {**CLOSED, "if": {"not": {"required": ["a"]}}, "then": {"required": ["b"]}, "else": {"maxProperties": 2}},
}  # fmt: skip

ARRAYS: dict[str, dict[str, Any]] = {
    # contains, with tuples
    "contains": {"contains": S},
    "contains two": {"contains": S, "minContains": 2, "maxItems": 3},
    "contains at most": {"contains": S, "minContains": 0, "maxContains": 1},
    "contains exactly": {"contains": I, "minContains": 1, "maxContains": 1, "minItems": 2},
    "contains in a tuple": {"prefixItems": [I, S], "items": False, "contains": {"enum": ["a", 1]}},
    "contains that only a tuple can": {"prefixItems": [True, I], "items": S, "contains": I, "minContains": 2},
    "contains that cannot be": {"prefixItems": [I], "items": S, "contains": B},
    "contains in an optional part": {"prefixItems": [I, S, B], "items": False, "contains": B},
    "two contains": {"allOf": [{"contains": I}, {"contains": S}], "maxItems": 2},
    "two contains, one item": {"allOf": [{"contains": {"enum": [0, "a"]}}, {"contains": {"enum": [1, "a"]}}], "maxItems": 1},
    "contains and unique": {"contains": {"enum": [0, 1]}, "minContains": 2, "uniqueItems": True, "maxItems": 3},
    "contains too many unique": {"contains": {"enum": [0, 1]}, "minContains": 3, "uniqueItems": True},
    # clauses
    "some item is not so": {"not": {"items": I}},
    "some item behind a tuple": {"not": {"prefixItems": [I], "items": S}},
    "not this array": {"not": {"enum": [[], [0], [0, 1]]}},
    "shorter, or longer": {"not": {"minItems": 1, "maxItems": 2}},
    "not contains": {"not": {"contains": S}},
    "not enough": {"not": {"contains": S, "minContains": 2}},
    # uniqueItems
    "unique": {"uniqueItems": True},
    "unique booleans": {"uniqueItems": True, "items": B},
    "unique booleans, all of them": {"uniqueItems": True, "items": B, "minItems": 2},
    "unique booleans, too many": {"uniqueItems": True, "items": B, "minItems": 3},
    "unique constants": {"uniqueItems": True, "items": {"enum": [0, "a", True]}, "minItems": 3},
    "unique strings, all of them": {"uniqueItems": True, "items": {**S, "pattern": "^[ab]$"}, "minItems": 2},
    "unique strings, too many": {"uniqueItems": True, "items": {**S, "pattern": "^[ab]$"}, "minItems": 3},
    "unique in a tuple": {"uniqueItems": True, "prefixItems": [{"enum": [0, 1]}, {"enum": [0]}, {"enum": [0, "a"]}], "items": False, "minItems": 3},
    "unique in a tuple, by matching": {"uniqueItems": True, "prefixItems": [{"enum": [0, 1]}, {"enum": [0, 1]}, {"enum": [0, 1]}], "items": False, "minItems": 3},
    "unique in a tuple, then others": {"uniqueItems": True, "prefixItems": [{"enum": ["a", "b"]}], "items": {"enum": ["a", "b", 0]}, "minItems": 2},
    "repeated": {"not": {"uniqueItems": True}},
    "repeated booleans": {"not": {"uniqueItems": True}, "items": B},
    "repeated in a tuple": {"not": {"uniqueItems": True}, "prefixItems": [I, S, {"enum": [1, "b"]}], "items": False},
    "repeated that cannot be": {"not": {"uniqueItems": True}, "prefixItems": [I, S], "items": False},
    "repeated, at most two": {"not": {"uniqueItems": True}, "maxItems": 2},
    "repeated and unique": {"not": {"uniqueItems": True}, "uniqueItems": True},
    "unevaluated": {"prefixItems": [I], "contains": S, "unevaluatedItems": B},
    "unevaluated in a case": {"anyOf": [{"prefixItems": [I, I], "minItems": 2}, {"prefixItems": [S]}], "unevaluatedItems": False},
}  # fmt: skip

SCALARS = [0, 1, "a", "b", True, False, None]
ALL_OBJECTS = [
    dict(zip(names, values, strict=True))
    for names in [(), *(tuple(c) for n in (1, 2, 3) for c in permutations("abcd", n) if list(c) == sorted(c))]
    for values in product([0, 1, "x"], repeat=len(names))
]
ALL_ARRAYS = [list(items) for n in range(4) for items in product(SCALARS, repeat=n)] + [
    [[0], [0]],
    [[0], [1]],
]


def check(schema: dict[str, Any], values: list[Any], **options: Any) -> None:
    validator = Draft202012Validator(schema)
    valid = [value for value in values if validator.is_valid(value)]
    try:
        grammar = compiled(schema, **options)
    except UnsatisfiableSchemaError:
        assert valid == []
        return
    assert [value for value in valid if not accepts(grammar, json.dumps(value))] == []
    assert [value for value in values if value not in valid and accepts(grammar, json.dumps(value))] == []
    rng = random.Random(0)
    texts = [random_text(grammar, rng) for _ in range(12)]  # that there is always a way on is asserted there
    assert [text for text in texts if text is not None and not validator.is_valid(exact_value(text))] == []
    assert texts.count(None) < 12


UNSATISFIABLE = {
    "too few for two clauses", "dependent that cannot be", "more than there are",
    "contains that cannot be", "contains too many unique", "unique booleans, too many", "unique strings, too many",
    "unique in a tuple, by matching", "repeated that cannot be", "repeated and unique",
}  # fmt: skip


@pytest.mark.parametrize("name", [*OBJECTS, *ARRAYS])
def test_what_cannot_be_is_refused(name: str) -> None:
    schema = OBJECTS[name] if name in OBJECTS else {"type": "array", **ARRAYS[name]}
    if name not in UNSATISFIABLE:
        assert compiled(schema)
        return
    with pytest.raises(UnsatisfiableSchemaError):
        compiled(schema)


@pytest.mark.parametrize("name", OBJECTS)
def test_objects(name: str) -> None:
    orders = [dict(order) for value in ALL_OBJECTS for order in permutations(value.items())]
    check(OBJECTS[name], orders, any_order=True)


@pytest.mark.parametrize("name", OBJECTS)
def test_objects_in_the_schemas_order(name: str) -> None:
    """Each valid object has an order in which it is accepted, and nothing invalid has."""
    schema = OBJECTS[name]
    validator = Draft202012Validator(schema)
    try:
        grammar = compiled(schema)
    except UnsatisfiableSchemaError:
        return
    for value in ALL_OBJECTS:
        texts = [json.dumps(dict(order)) for order in permutations(value.items())]
        assert any(accepts(grammar, text) for text in texts) == validator.is_valid(value), value
    rng = random.Random(1)
    for _ in range(12):
        text = random_text(grammar, rng)
        assert text is None or validator.is_valid(exact_value(text)), text


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays(name: str) -> None:
    check({"type": "array", **ARRAYS[name]}, ALL_ARRAYS)


def test_integers_as_digits_only() -> None:
    for text, in_any_form, plain in (("12", True, True), ("12.0", True, False), ("1e2", True, False)):
        for integers, expected in (("any", in_any_form), ("plain", plain)):
            assert accepts(compiled({"type": "integer"}, integers=integers), text) is expected, (
                text,
                integers,
            )


def test_a_condition_that_is_the_schema_itself() -> None:
    with pytest.raises(InvalidSchemaError, match="without end"):
        compiled({"unevaluatedItems": {"type": "null"}, "if": {"$ref": "#"}})


def test_a_dead_class_of_keys_offers_no_comma() -> None:
    schema = {"properties": {"a": {}}, "required": ["a"], "additionalProperties": {"not": {}}}
    for any_order in (False, True):
        grammar = compiled(schema, any_order=any_order)
        assert accepts(grammar, '{"a":1}')
        matcher = grammar.matcher()
        assert not matcher.accept_bytes(b'{"a":1,')
