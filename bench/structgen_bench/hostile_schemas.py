"""Schemas made to hurt: too deep, too wide, exponential, endless, of wrong types, or no JSON at all.

Each recipe is named, and makes the same schema from the same seed; that is how a finding is replayed, since
some of them cannot be written down as JSON.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from structgen_bench.schema_generator import NAMES, SchemaGenerator


def _nested(keyword: str, depth: int, innermost: Any, *, as_list: bool = False) -> Any:
    schema = innermost
    for _ in range(depth):
        schema = {keyword: [schema] if as_list else schema}
    return schema


def _deep_items(rng: random.Random) -> Any:
    return _nested("items", rng.choice((50, 127, 129, 1000, 5000)), {"type": "integer"})


def _deep_not(rng: random.Random) -> Any:
    return _nested("not", rng.choice((10, 63, 200, 3000)), {"type": "integer"})


def _deep_all_of(rng: random.Random) -> Any:
    return _nested("allOf", rng.choice((20, 150, 2000)), {"type": "string"}, as_list=True)


def _deep_properties(rng: random.Random) -> Any:
    schema: Any = {"type": "null"}
    for _ in range(rng.choice((40, 126, 400))):
        schema = {"type": "object", "properties": {"a": schema}, "required": ["a"]}
    return schema


def _deep_enum(rng: random.Random) -> Any:
    value: Any = 1
    for _ in range(rng.choice((100, 900, 5000))):
        value = [value]
    return {"enum": [value]}


def _wide_enum(rng: random.Random) -> Any:
    size = rng.choice((1000, 10_000))
    kind = rng.choice(("strings", "integers", "mixed"))
    if kind == "strings":
        return {"enum": [f"value {rng.getrandbits(40):x} {i}" for i in range(size)]}
    if kind == "integers":
        return {"enum": [i * 7 - 1000 for i in range(size)], "minimum": 5}
    return {"enum": [i if i % 3 else [i, {"a": i}] for i in range(size)], "not": {"const": 4}}


def _wide_properties(rng: random.Random) -> Any:
    size = rng.choice((300, 2000))
    names = [f"name{i}" for i in range(size)]
    schema: dict[str, Any] = {"properties": {name: {"type": "integer"} for name in names}}
    if rng.random() < 0.5:
        schema["required"] = names
    if rng.random() < 0.3:
        schema["additionalProperties"] = False
    return schema


def _long_strings(rng: random.Random) -> Any:
    huge = rng.choice((10**5, 10**9, 10**18, 2**63, 10**40))
    return rng.choice(
        (
            {"type": "string", "maxLength": huge},
            {"type": "string", "minLength": huge},
            {"type": "string", "maxLength": huge, "pattern": "^(ab|a)*$"},
            {"type": "array", "items": {"type": "null"}, "maxItems": huge},
            {"type": "array", "minItems": huge},
            {"type": "object", "minProperties": huge},
            {"type": "object", "maxProperties": huge},
            {"type": "array", "contains": {"type": "null"}, "minContains": huge},
        )
    )


def _patterns(rng: random.Random) -> Any:
    pattern = rng.choice(
        (
            "^(a+)+$", "^(a|a)*$", "^(a|aa)+$", "(x+x+)+y", "^.{1,100000}$", "^a{1,100000}b$", "a{100000}",
            "^((a{1,100}){1,100}){1,100}$", "(a?){50}a{50}", "^(.*a.{20})$", "(.*a){12}", "[a-z]*b[a-z]{12}$",
            "^(?=.*a)(?=.*b)(?=.*c)(?=.*d).{8,}$", "(?!x{1000})", "\\p{L}{50}", "(" * 400 + ")" * 400, "a**",
            "(?<!a)b", "(a)\\1", "\\", "[z-a]", "{", "a{2,1}", "\ud800", "[\\ud83d\\ude00]", "(?i)a",
        )
    )  # fmt: skip
    schema: dict[str, Any] = {"type": "string", "pattern": pattern}
    if rng.random() < 0.3:
        schema["maxLength"] = rng.choice((3, 1000, 10**6))
    if rng.random() < 0.2:
        return {"patternProperties": {pattern: {"type": "integer"}, "^a": {}}, "additionalProperties": False}
    return {"not": schema} if rng.random() < 0.25 else schema


def _many_patterns(rng: random.Random) -> Any:
    patterns = [f"{a}.*{b}.{{{n}}}" for a in "abc" for b in "xyz" for n in (3, 7)]
    chosen = rng.sample(patterns, rng.choice((4, 9, 18)))
    if rng.random() < 0.5:
        return {"allOf": [{"pattern": pattern} for pattern in chosen]}
    return {"patternProperties": {pattern: {"minimum": i} for i, pattern in enumerate(chosen)}}


def _exponential(rng: random.Random) -> Any:
    size = rng.choice((6, 12, 24))
    keyword = rng.choice(("oneOf", "anyOf"))
    branches = [
        {"properties": {f"p{i}": {"type": "integer"}, f"p{(i + 1) % size}": {"const": i}}}
        for i in range(size)
    ]
    if rng.random() < 0.5:
        return {keyword: branches}
    pairs = [{keyword: [{"required": [f"p{i}"]}, {"required": [f"q{i}"]}]} for i in range(size)]
    return {"allOf": pairs, "type": "object"}


def _many_conditions(rng: random.Random) -> Any:
    size = rng.choice((5, 15, 40))
    return {
        "type": "object",
        "properties": {"k": {"type": "string"}},
        "allOf": [
            {
                "if": {"properties": {"k": {"const": f"v{i}"}}, "required": ["k"]},
                "then": {"required": [f"p{i}"]},
                "else": {"properties": {f"p{i}": False}},
            }
            for i in range(size)
        ],
    }


def _nested_one_of(rng: random.Random) -> Any:
    schema: Any = {"type": "integer"}
    for i in range(rng.choice((4, 10, 20))):
        schema = {"oneOf": [schema, {"type": "array", "items": schema}, {"const": i}]}
    return schema


def _reference_loops(rng: random.Random) -> Any:
    return rng.choice(
        (
            {"$ref": "#"},
            {"allOf": [{"$ref": "#"}]},
            {"not": {"$ref": "#"}},
            {"anyOf": [{"$ref": "#"}, {"type": "null"}]},
            {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}},
            {"oneOf": [{"$ref": "#"}, {"type": "integer"}]},
            {"if": {"$ref": "#"}, "then": False},
            {"properties": {"a": {"$ref": "#"}}, "required": ["a"]},
            {"type": "array", "items": {"$ref": "#"}, "minItems": 1},
            {"items": {"not": {"$ref": "#"}}},
            {"properties": {"a": {"not": {"$ref": "#"}}}, "unevaluatedProperties": False},
            {"$dynamicRef": "#x", "$dynamicAnchor": "x"},
            {"$ref": "#/nowhere"},
            {"$ref": "http://nowhere.invalid/x.json"},
            {"$ref": "#/%"},
            {"$ref": "#/%ff~2"},
            {"$ref": 7},
            {"$id": "http://[", "$ref": "x"},
        )
    )


def _unicode_oddities(rng: random.Random) -> Any:
    return rng.choice(
        (
            {"const": "\ud800"},
            {"properties": {"\udc00": {"type": "integer"}}, "required": ["\udc00"]},
            {"enum": ["\u0000", "\u2028", "\U0010ffff", "\ufeff"]},
            {"propertyNames": {"const": "\ud83d"}},
            {"required": ["\x00"], "additionalProperties": False, "properties": {"\x00": {}}},
            {"type": "string", "pattern": "^\\u0000$"},
        )
    )


def _huge_numbers(rng: random.Random) -> Any:
    number = rng.choice((10**400, -(10**400), 1e308, 5e-324, 1e-300, 2**64, 10**5000, 123456789.123456789))
    return rng.choice(
        (
            {"const": number},
            {"minimum": number},
            {"maximum": number, "multipleOf": 3},
            {"multipleOf": abs(number)},
            {"type": "integer", "minimum": number, "maximum": number},
            {"type": "integer", "multipleOf": 10**30, "minimum": 1},
            {"multipleOf": 1e-15, "maximum": 1},
            {"multipleOf": 999983, "not": {"multipleOf": 1000003}},
            {"allOf": [{"multipleOf": p} for p in (2, 3, 5, 7, 11, 13, 17, 19, 23)]},
            {"minLength": number},
            {"enum": [number, -number]},
        )
    )


def _many_items(rng: random.Random) -> Any:
    size = rng.choice((10, 60, 1000))
    return rng.choice(
        (
            {"prefixItems": [{"const": i} for i in range(size)], "uniqueItems": True},
            {"items": {"enum": list(range(size))}, "uniqueItems": True, "minItems": size},
            {"items": {"enum": list(range(12))}, "uniqueItems": True, "contains": {"const": 3}},
            {"contains": {"minimum": 3}, "minContains": size, "maxContains": size},
            {"allOf": [{"contains": {"const": i}} for i in range(min(size, 14))], "maxItems": 14},
            {"properties": {f"p{i}": {} for i in range(size)}, "minProperties": size - 1},
            {"propertyNames": {"pattern": "^[ab]{2}$"}, "minProperties": 4},
            {"propertyNames": {"enum": ["a", "b"]}, "minProperties": 3},
        )
    )


def _wrong_types(rng: random.Random) -> Any:
    """A random schema with the value of one keyword or two replaced by something else."""
    schema = SchemaGenerator(rng, rng.choice((4, 7, 2020, None)), depth=2).document()
    odd = (
        None,
        True,
        -1,
        1.5,
        "x",
        [],
        {},
        [1],
        {"a": 1},
        ["a", "a"],
        float("nan"),
        float("inf"),
        "#/x",
        [[]],
    )
    for _ in range(rng.choice((1, 2))):
        keyword = rng.choice((*schema, *_KEYWORDS))
        schema[keyword] = rng.choice(odd)
    return schema


_KEYWORDS = (
    "type", "enum", "const", "multipleOf", "maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum",
    "maxLength", "minLength", "pattern", "items", "prefixItems", "additionalItems", "maxItems", "minItems",
    "uniqueItems", "contains", "maxContains", "minContains", "maxProperties", "minProperties", "required",
    "properties", "patternProperties", "additionalProperties", "dependencies", "dependentRequired",
    "dependentSchemas", "propertyNames", "unevaluatedItems", "unevaluatedProperties", "allOf", "anyOf",
    "oneOf", "not", "if", "then", "else", "format", "$ref", "$id", "id", "$anchor", "$dynamicRef",
    "$dynamicAnchor", "$recursiveRef", "$recursiveAnchor", "$defs", "definitions", "$schema", "$vocabulary",
)  # fmt: skip


def _no_schemas(rng: random.Random) -> Any:
    """No schema at all, as a document or inside of one."""
    odd = rng.choice(
        (None, 3, 1.5, [], [{}], float("nan"), b"bytes", {1, 2}, {1: 2}, object, "", "{", "[1]", (1,))
    )
    return odd if rng.random() < 0.5 else {"properties": {rng.choice(NAMES): odd}}


def _cycles(rng: random.Random) -> Any:
    """Python objects that hold themselves."""
    schema: dict[str, Any] = {"type": "object"}
    keyword = rng.choice(("properties", "items", "not", "enum", "const", "default"))
    if keyword == "properties":
        schema["properties"] = {"a": schema}
    elif keyword == "enum":
        values: list[Any] = [1]
        values.append(values)
        schema["enum"] = values
    else:
        schema[keyword] = schema
    return schema


def _json_texts(rng: random.Random) -> Any:
    """Schemas given as text, deep or broken."""
    depth = rng.choice((100, 100_000))
    return rng.choice(
        (
            "[" * depth,
            '{"items":' * depth + "{}" + "}" * depth,
            '{"type": "integer"} x',
            "NaN",
            '{"a":1,"a":2}',
            "",
        )
    )


RECIPES: dict[str, Callable[[random.Random], Any]] = {
    recipe.__name__.lstrip("_"): recipe
    for recipe in (
        _deep_items, _deep_not, _deep_all_of, _deep_properties, _deep_enum, _wide_enum, _wide_properties,
        _long_strings, _patterns, _patterns, _many_patterns, _exponential, _many_conditions, _nested_one_of,
        _reference_loops, _unicode_oddities, _huge_numbers, _many_items, _wrong_types, _no_schemas, _cycles,
        _json_texts,
    )
}  # fmt: skip


def hostile_schema(rng: random.Random, recipe: str) -> Any:
    """The schema that a recipe makes."""
    return RECIPES[recipe](rng)
