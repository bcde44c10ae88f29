"""``uniqueItems`` over objects and arrays, whether their texts can always go on or not."""

# ruff: noqa: E501 (a case a line)

from __future__ import annotations

import json
import random
from itertools import permutations, product
from typing import Any

import jsonschema
import numpy as np
import pytest
from json_texts import accepts, compiled

import structgen

S, I = {"type": "string"}, {"type": "integer"}  # noqa: E741
OPEN = {"type": "object", "properties": {"a": I, "b": S}}
CLOSED = {**OPEN, "additionalProperties": False}
ITEMS: dict[str, Any] = {
    "open": OPEN,
    "open, required": {**OPEN, "required": ["a", "b"]},
    "open, of strings": {**OPEN, "additionalProperties": S},
    "open, with clauses": {**OPEN, "anyOf": [{"required": ["a"]}, {"not": {"required": ["b"]}}]},
    "open, with a bound": {**OPEN, "maxProperties": 2},
    "open, with names": {**OPEN, "propertyNames": {"enum": ["a", "b", "x"]}},
    "open, with a pattern": {**OPEN, "patternProperties": {"^[^x]*$": {"maximum": 1}}},
    "open, but for a pattern": {
        "type": "object",
        "properties": {"a": {"enum": [0, 1]}, "b": {"enum": ["x"]}},
        "patternProperties": {r"^($|[^ab]|[\s\S]{2})": False},
    },
    "closed": CLOSED,
    "closed, required": {**CLOSED, "required": ["a"]},
    "closed, finite": {**CLOSED, "properties": {"a": {"enum": [0, 1]}, "b": {"enum": ["x"]}}},
    "closed, last finite": {**CLOSED, "properties": {"a": S, "b": {"enum": ["x", "y"]}}, "required": ["a"]},
    "closed, nested": {**CLOSED, "properties": {"a": I, "b": {**CLOSED, "required": ["a"]}}},
    "closed, nested open": {**CLOSED, "properties": {"a": I, "b": OPEN}},
    "closed, arrays": {**CLOSED, "properties": {"a": {"type": "array", "items": {"enum": [0, 1]}}, "b": S}},
    "one of two": {"oneOf": [{**CLOSED, "required": ["a"]}, {**OPEN, "required": ["x"]}]},
    "arrays": {"type": "array", "items": {"enum": [0, 1]}},
    "arrays, bounded": {"type": "array", "items": {"enum": [0, 1]}, "maxItems": 2},
    "arrays of one": {"type": "array", "items": {"enum": ["x", "y"]}, "maxItems": 1},
    "arrays that contain": {"type": "array", "contains": {"const": 1}, "items": {"enum": [0, 1, []]}},
    "arrays of arrays": {"type": "array", "items": {"type": "array", "items": {"const": 0}, "maxItems": 1}},
    "distinct arrays": {"type": "array", "items": {"enum": [0, 1]}, "uniqueItems": True},
    "anything": True,
    "types": {"type": ["object", "array", "integer", "string"], "maxItems": 1},
}
VALUES: tuple[Any, ...] = (
    {}, {"a": 0}, {"a": 1}, {"b": "x"}, {"b": "y"}, {"a": 0, "b": "x"}, {"a": 0, "b": "y"}, {"a": 1, "b": "x"},
    {"a": "", "b": "x"}, {"a": "", "b": "y"}, {"a": "z", "b": "y"}, {"x": "x"}, {"a": 0, "x": "x"}, {"a": 0, "b": "x", "x": "x"},
    {"b": {"a": 0}}, {"a": 0, "b": {"a": 0}}, {"a": 0, "b": {"a": 0, "b": "x"}}, {"a": [0, 1]}, {"a": [0]}, {"a": []},
    [], ["x"], ["y"], [0], [1], [0, 1], [1, 1], [[]], [[], [0]], 0, 1, "", "x",
)  # fmt: skip


def spellings(value: Any, rng: random.Random) -> str:
    """A text of the value in the order of the names, its numbers and strings spelled in any way."""
    if isinstance(value, dict):
        return (
            "{" + ", ".join(f"{spellings(name, rng)}:{spellings(value[name], rng)}" for name in value) + "}"
        )
    if isinstance(value, list):
        return "[" + ",".join(spellings(item, rng) for item in value) + "]"
    if isinstance(value, str):
        return (
            json.dumps(value)
            if rng.random() < 0.7
            else '"' + "".join(f"\\u{ord(c):04x}" for c in value) + '"'
        )
    return rng.choice([f"{value}", f"{value}.0", f"{value}e0"] if value else ["0", "-0", "0.00", "0e5"])


@pytest.mark.parametrize("any_order", [False, True])
@pytest.mark.parametrize("name", ITEMS)
def test_against_jsonschema(name: str, any_order: bool) -> None:
    schema = {"type": "array", "items": ITEMS[name], "uniqueItems": True}
    grammar = compiled(schema, any_order=any_order)
    judge = jsonschema.Draft202012Validator(schema)
    one = jsonschema.Draft202012Validator(ITEMS[name])
    rng = random.Random(name)
    valid = [value for value in VALUES if one.is_valid(value)]
    assert len(valid) > 2
    cases = [list(pair) for pair in product(valid, repeat=2)]
    cases += [[rng.choice(valid) for _ in range(rng.randrange(3, 6))] for _ in range(60)]
    cases += [rng.sample(valid, min(len(valid), 12)) for _ in range(3)]
    refused = 0
    for case in cases:
        if any_order:
            case = [_shuffled(value, rng) for value in case]
        text = spellings(case, rng)
        expected = judge.is_valid(case)
        refused += not expected
        if name in ("anything", "types") and not any_order:
            # names of other members have an order once an item before had them
            assert expected or not accepts(grammar, text), text
            continue
        assert accepts(grammar, text) == expected, text
    assert refused


def _shuffled(value: Any, rng: random.Random) -> Any:
    if isinstance(value, dict):
        names = list(value)
        rng.shuffle(names)
        return {name: _shuffled(value[name], rng) for name in names}
    return [_shuffled(item, rng) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("any_order", [False, True])
@pytest.mark.parametrize("name", ITEMS)
def test_no_dead_end(name: str, any_order: bool) -> None:
    """Walks that write again what is there, as long as they may."""
    schema = {"type": "array", "items": ITEMS[name], "uniqueItems": True}
    grammar = compiled(schema, any_order=any_order, whitespace="compact")
    judge = jsonschema.Draft202012Validator(schema)
    mask = structgen.allocate_bitmask(1, 257)
    rng = random.Random(name)
    ended = 0
    for _ in range(25):
        matcher, text = grammar.matcher(), b""
        follow = 0  # the place in the text that is written again
        for step in range(200):
            matcher.fill_bitmask(mask)
            allowed = np.flatnonzero(np.unpackbits(mask[0].view(np.uint8), bitorder="little")[:257])
            assert len(allowed), text
            ends = [t for t in allowed if t in (*b'"}],:', 256)]
            if follow < len(text) and text[follow] in allowed and rng.random() < 0.95:
                token = text[follow]
                follow += 1
            else:
                follow = 1 if text[-1:] == b"," and rng.random() < 0.8 else len(text) + 1
                token = int(rng.choice(ends if ends and rng.random() < 0.6 + step / 200 else list(allowed)))
            assert matcher.accept(token)
            if token == 256:
                ended += 1
                assert judge.is_valid(json.loads(text)), text
                break
            text += bytes([token])
    assert ended


def test_all_of_a_finite_language() -> None:
    item = ITEMS["closed, finite"]
    grammar = compiled({"items": item, "uniqueItems": True, "type": "array"}, whitespace="compact")
    values = [
        json.dumps(v, separators=(",", ":"))
        for v in VALUES
        if jsonschema.Draft202012Validator(item).is_valid(v)
    ]
    every = [*values, '{"a":1,"b":"x"}']
    every = list(dict.fromkeys(every))
    assert len(every) == 6
    for order in list(permutations(every))[::97]:
        text = "[" + ",".join(order)
        assert accepts(grammar, text + "]")
        assert not accepts(grammar, text + "," + order[0] + "]")
        matcher = grammar.matcher()
        assert all(matcher.accept(token) for token in text.encode())
        assert not matcher.accept(ord(","))  # there are no others


@pytest.mark.parametrize("item", [OPEN, CLOSED])
def test_many_distinct_items(item: dict[str, Any]) -> None:
    grammar = compiled(
        {"items": {**item, "properties": {"a": S, "b": S, "c": I}}, "uniqueItems": True, "type": "array"}
    )
    values = [{"a": f"x{i % 5}", "b": f"y{i // 5}", "c": i % 7} for i in range(40)]
    assert accepts(grammar, json.dumps(values))
    for i in (0, 17, 38):
        assert not accepts(grammar, json.dumps([*values, values[i]]))
        assert accepts(grammar, json.dumps([*values, {**values[i], "c": 9}]))


def test_many_arrays_in_distinct_items() -> None:
    item = {**CLOSED, "properties": {"a": {"type": "array", "items": I}}}
    grammar = compiled({"items": item, "uniqueItems": True, "type": "array"})
    values = [{"a": [0, i // 5, i % 5]} for i in range(20)]
    assert accepts(grammar, json.dumps(values))
    assert not accepts(grammar, json.dumps([*values, values[7]]))
    assert accepts(grammar, json.dumps([*values, {"a": [0, 1]}]))


def test_not_one_of_many_values() -> None:
    values = [{"a": i // 6, "b": [i % 6, i % 2]} for i in range(30)]
    grammar = compiled({"type": "object", "not": {"enum": values}})
    assert not any(accepts(grammar, json.dumps(value)) for value in values)
    assert accepts(grammar, '{"a":5,"b":[0,0]}') and accepts(grammar, '{"a":0,"b":[0]}')
    assert accepts(grammar, '{"a":0,"b":[0,0],"c":1}')
