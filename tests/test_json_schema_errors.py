"""What is refused, with which error, where and with what words: one table for each kind."""

# ruff: noqa: E501, E741 (a case a line; I for the integer type)
from __future__ import annotations

import json
from typing import Any

import pytest
from json_texts import compiled

from structgen import Compiler, Vocabulary
from structgen.errors import (
    CompileLimitError,
    InvalidSchemaError,
    OptionError,
    UnsatisfiableSchemaError,
    UnsupportedSchemaError,
)
from structgen.sources.json_schema import json_schema_states

D4 = "http://json-schema.org/draft-04/schema#"
D7 = "http://json-schema.org/draft-07/schema#"
D2019 = "https://json-schema.org/draft/2019-09/schema"
D2020 = "https://json-schema.org/draft/2020-12/schema"
S, I = {"type": "string"}, {"type": "integer"}

INVALID: list[tuple[Any, str, str]] = [
    # schema, pointer, words
    ('{"type": "string"', "", "not JSON: Expecting ',' delimiter (line 1, column 18)"),
    ('{\n  "type" "string"}', "", "(line 2, column 10)"),
    ("", "", "not JSON: Expecting value (line 1, column 1)"),
    ('{"minimum": NaN}', "", "NaN is not JSON"),
    ('{"type": "string", "type": "null"}', "", "the key 'type' stands twice"),
    ('{"const": ' + "1" * 5000 + "}", "", "not JSON that can be read"),
    ("[]", "", "a schema must be an object or a boolean, not an array"),
    (3, "", "not a number"),
    (None, "", "not null"),
    ({"properties": {"a": 1}}, "/properties/a", "a schema must be an object or a boolean, not a number"),
    ({"properties": []}, "/properties", "'properties' must be an object, not an array ([])"),
    ({"properties": {"a/b~c": "x"}}, "/properties/a~1b~0c", "not a string"),
    ({1: {}}, "", "a keyword must be a string, not a number"),
    ({"type": "any"}, "/type", "one of array, boolean, integer, null, number, object, string"),
    ({"type": []}, "/type", "non-empty array"),
    ({"type": ["string", 3]}, "/type", "'type' must be one of"),
    ({"required": True}, "/required", "list the required names in the object around it"),
    ({"required": ["a", 1]}, "/required", "an array of strings"),
    ({"items": [S], "prefixItems": [S]}, "/items", "'items' is an array beside 'prefixItems'"),
    ({"$schema": D2020, "items": [S]}, "/items", "draft 2020-12 calls this prefixItems"),
    ({"items": 1}, "/items", "a schema or an array of schemas"),
    ({"minLength": -1}, "/minLength", "a non-negative integer, not a number (-1)"),
    ({"maxLength": 1.5}, "/maxLength", "a non-negative integer"),
    ({"maxItems": True}, "/maxItems", "a non-negative integer, not a boolean"),
    ({"minimum": "1"}, "/minimum", "'minimum' must be a number, not a string ('1')"),
    ({"maximum": float("inf")}, "/maximum", "'maximum' must be a finite number"),
    ({"type": "integer", "maximum": 10**5000}, "/maximum", "not a number of thousands of digits"),
    ({"enum": [10**5000]}, "/enum", "has thousands of digits"),
    ({"$schema": D4, "exclusiveMinimum": 1}, "/exclusiveMinimum", "a boolean"),
    ({"$schema": D7, "exclusiveMinimum": True}, "/exclusiveMinimum", "'exclusiveMinimum' must be a number"),
    ({"enum": "a"}, "/enum", "an array"),
    ({"enum": [{1, 2}]}, "/enum", "{1, 2} is not a JSON value"),
    ({"const": {"a": float("nan")}}, "/const", "a number is infinite"),
    ({"anyOf": []}, "/anyOf", "a non-empty array of schemas"),
    ({"allOf": {}}, "/allOf", "a non-empty array of schemas"),
    ({"anyOf": [S, 1]}, "/anyOf/1", "a schema must be"),
    ({"pattern": 1}, "/pattern", "a string"),
    ({"pattern": "a(b"}, "/pattern", "invalid regex"),
    ({"$ref": 1}, "/$ref", "'$ref' must be a string"),
    ({"$ref": "#/$defs/a"}, "/$ref", "'#/$defs/a' leads nowhere: there is no '$defs' in (root)"),
    ({"$defs": {"a": {}}, "$ref": "#/$defs/b"}, "/$ref", "there is no 'b' in /$defs"),
    ({"allOf": [{}], "$ref": "#/allOf/01"}, "/$ref", "there is no '01' in /allOf"),
    ({"$ref": "#nowhere"}, "/$ref", "names no anchor"),
    ({"type": S, "$ref": "#/type"}, "/type", "'type' must be"),
    ({"title": "x", "$ref": "#/title"}, "/title", "a schema must be an object or a boolean, not a string"),
    ({"$ref": "#"}, "", "the schema applies itself to the same value, without end"),
    ({"properties": {"a": {"anyOf": [S, {"$ref": "#/properties/a"}]}}}, "/properties/a", "applies itself"),
    (
        {"properties": {"a": {"$ref": "#/$defs/t"}}, "$defs": {"t": {"not": {"$ref": "#/$defs/t"}}}},
        "/$defs/t",
        "applies itself",
    ),
    ({"$id": "http://[", "$ref": "x"}, "/$ref", "is no URI: Invalid IPv6 URL"),
    ({"$id": "http://a/", "items": {"$id": "//[", "$ref": "x"}}, "/items", "is no URI"),
    ({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"allOf": [{"$ref": "#/$defs/a"}]}}, "$ref": "#/$defs/a"}, "/$defs/", "without end"),
    ({"anyOf": [S, {"$ref": "#"}]}, "", "without end"),
    ({"$defs": {"unused": {"minLength": "x"}}}, "/$defs/unused/minLength", "a non-negative integer"),
    ({"$schema": 4}, "/$schema", "'$schema' must be a string"),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "pointer", "words"), INVALID)
def test_not_a_schema(schema: Any, pointer: str, words: str) -> None:
    with pytest.raises(InvalidSchemaError) as caught:
        compiled(schema)
    assert (
        caught.value.pointer.startswith(pointer) if pointer.endswith("/") else caught.value.pointer == pointer
    )
    assert words in str(caught.value)


UNSUPPORTED: list[tuple[Any, str, str]] = [
    # schema, pointer, keyword
    ({"$ref": "http://example.org/other.json"}, "/$ref", "$ref"),
    ({"$ref": "other.json#/x"}, "/$ref", "$ref"),
    ({"$schema": "http://json-schema.org/draft-03/schema#"}, "/$schema", "$schema"),
    ({"$schema": "https://example.org/mine"}, "/$schema", "$schema"),
    ({"pattern": "(a)\\1"}, "/pattern", "pattern"),
    ({"patternProperties": {"(a)\\1": S}}, "/patternProperties/(a)\\1", "patternProperties"),
    ({"items": {"not": {"pattern": "^(?=a)(b)\\1"}}}, "/items/not/pattern", "pattern"),
    ({"$defs": {"d": {"$ref": "x.json"}}, "properties": {"x": {"$ref": "#/$defs/d"}}}, "/$defs/d/$ref", "$ref"),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "pointer", "keyword"), UNSUPPORTED)
def test_not_enforced(schema: Any, pointer: str, keyword: str) -> None:
    with pytest.raises(UnsupportedSchemaError) as caught:
        compiled(schema)
    assert (caught.value.pointer, caught.value.keyword) == (pointer, keyword)
    assert keyword in str(caught.value) and pointer in str(caught.value)


UNSATISFIABLE: list[tuple[Any, str, str]] = [
    (False, "", "no JSON value satisfies this"),
    ({"enum": []}, "", "no JSON value"),
    ({**S, "enum": [1]}, "", "no JSON value"),
    ({"allOf": [S, I]}, "", "no JSON value"),
    ({**I, "minimum": 3, "maximum": 2}, "", "no JSON value"),
    ({**I, "exclusiveMinimum": 3, "exclusiveMaximum": 4}, "", "no JSON value"),
    ({**S, "minLength": 3, "maxLength": 2}, "", "no JSON value"),
    ({**S, "pattern": "^a$", "minLength": 2}, "", "no JSON value"),
    ({**S, "pattern": "^a{20}$", "maxLength": 19}, "", "no JSON value"),
    ({**S, "pattern": "^(ab)+(cd){9}$", "maxLength": 19}, "", "no JSON value"),
    ({"type": "array", "minItems": 2, "maxItems": 1}, "", "no JSON value"),
    ({"type": "array", "items": False, "minItems": 1}, "/items", "(the value at /0)"),
    ({"type": "object", "required": ["a"], "properties": {"a": {"allOf": [S, I]}}}, "/properties/a", "(the value at /a)"),
    ({"type": "object", "required": ["z"], "additionalProperties": False}, "/additionalProperties", "(the value at /z)"),
    ({"type": "object", "required": ["\ud800"]}, "", "no JSON value"),
    ({"type": "object", "required": ["x"], "properties": {"x": {"$ref": "#"}}}, "", "the value at /x contains itself without end"),
    ({"type": "array", "minItems": 1, "items": {"$ref": "#"}}, "", "contains itself without end"),
    (
        {"$defs": {"a": {"type": "object", "required": ["b"], "properties": {"b": {"$ref": "#/$defs/b"}}},
                   "b": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/a"}}},
         "$ref": "#/$defs/a"},
        "/$defs/a",
        "the value at /b/0 contains itself without end",
    ),
    ({"anyOf": [False, {"type": "object", "required": ["q"], "properties": {"q": False}}]}, "/anyOf/1/properties/q", "at /q"),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "pointer", "words"), UNSATISFIABLE)
def test_nothing_validates(schema: Any, pointer: str, words: str) -> None:
    with pytest.raises(UnsatisfiableSchemaError) as caught:
        compiled(schema)
    assert caught.value.pointer == pointer
    assert words in str(caught.value)


OPTIONS: list[tuple[dict[str, object], str]] = [
    (
        {"white_space": "compact"},
        "one of the known options: any_order, escapes, format, indent, integers, lenient, max_alternatives",
    ),
    ({"whitespace": "none"}, "'flexible' or 'compact'"),
    ({"whitespace": None}, "'flexible' or 'compact'"),
    ({"max_whitespace": 0}, "an integer from 1 to 1024"),
    ({"max_whitespace": True}, "an integer from 1 to 1024"),
    ({"max_whitespace": 10**9}, "an integer from 1 to 1024"),
    ({"separators": (",",)}, "two texts"),
    ({"separators": (";", ":")}, "two texts"),
    ({"separators": (",x", ":")}, "two texts"),
    ({"separators": ", "}, "two texts"),
    ({"separators": (",", ":"), "whitespace": "flexible"}, "not to be given beside 'whitespace'"),
    ({"max_depth": 0}, "an integer from 1 to 200"),
    ({"max_depth": 10_000}, "an integer from 1 to 200"),
    ({"max_rules": 0}, "an integer of at least 1"),
    ({"max_states": "many"}, "an integer of at least 1"),
]


@pytest.mark.parametrize(("options", "words"), OPTIONS)
def test_options(options: dict[str, object], words: str) -> None:
    with pytest.raises(OptionError, match="option") as caught:
        compiled({}, **options)
    assert words in str(caught.value)
    assert caught.value.option in options


def nested(depth: int, keyword: str = "items") -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "integer"}
    for _ in range(depth):
        schema = {"items": schema} if keyword == "items" else {keyword: [schema]}
    return schema


def chain(length: int) -> dict[str, Any]:
    definitions = {str(i): {"$ref": f"#/$defs/{i + 1}", "minLength": i} for i in range(length)}
    return {"$defs": {**definitions, str(length): S}, "$ref": "#/$defs/0"}


def shared(depth: int) -> dict[str, Any]:
    """One Python object in 2**depth places."""
    schema: dict[str, Any] = {}
    for _ in range(depth):
        schema = {"properties": {"a": schema, "b": schema}}
    return schema


def shared_value(depth: int) -> Any:
    value: Any = 0
    for _ in range(depth):
        value = [value, value]
    return value


def cyclic() -> dict[str, Any]:
    schema: dict[str, Any] = {}
    schema["items"] = schema
    return schema


WORDS = "^(?:\\S+\\s+){0,29}\\S+$"
WIDE = [
    {"anyOf": [{"type": "object", "required": [f"{i}_{j}"], "maxProperties": 40 + j} for j in range(6)]}
    for i in range(12)
]


def line(length: int) -> dict[str, Any]:
    """Each has to hold the next one."""
    definitions: dict[str, Any] = {str(length): S}
    for i in range(length):
        inner = {"$ref": f"#/$defs/{i + 1}"}
        definitions[str(i)] = {"type": "object", "required": ["a"], "properties": {"a": inner}}
    return {"$defs": definitions, "$ref": "#/$defs/0"}


LIMITS: list[tuple[Any, str, dict[str, object]]] = [
    (nested(300), "max_depth", {}),
    (nested(20), "max_depth", {"max_depth": 20}),
    (nested(300, "allOf"), "max_depth", {}),
    (nested(300, "anyOf"), "max_depth", {}),
    (json.dumps(nested(300)), "max_depth", {}),
    ("[" * 100_000, "max_depth", {}),
    ('{"items":' * 50_000 + "{}" + "}" * 50_000, "max_depth", {}),
    (cyclic(), "max_depth", {}),
    (chain(200), "max_depth", {}),
    ({"const": json.loads("[" * 200 + "]" * 200)}, "max_depth", {}),
    ({"allOf": WIDE}, "max_merged_alternatives", {}),
    (line(100), "max_rules", {"max_rules": 50}),
    ({"pattern": "^(a|b)*a(a|b){20}$"}, "max_states", {"max_states": 1000}),
    ({"pattern": WORDS, "minLength": 300}, "max_states", {"max_states": 10_000}),
    ({"maxLength": 10**9}, "max_length", {}),
    (
        {"patternProperties": {f"^[^{c}]*{c}": {"maximum": i} for i, c in enumerate("abcdefgh")}},
        "max_alternatives",
        {"max_alternatives": 50},
    ),
]


@pytest.mark.parametrize(("schema", "limit", "options"), LIMITS)
def test_limits(schema: Any, limit: str, options: dict[str, object]) -> None:
    with pytest.raises(CompileLimitError) as caught:
        compiled(schema, **options)
    assert caught.value.limit == limit
    assert caught.value.given > caught.value.allowed


@pytest.mark.parametrize(
    ("schema", "limit"), [(shared(60), "max_subschemas"), ({"const": shared_value(60)}, "max_values")]
)
def test_objects_in_many_places(schema: Any, limit: str) -> None:
    with pytest.raises(CompileLimitError) as caught:
        json_schema_states(schema, lambda terminal: terminal)
    assert caught.value.limit == limit


def test_a_limit_names_the_place() -> None:
    with pytest.raises(CompileLimitError) as caught:
        compiled({"items": {"pattern": "^(a|b)*a(a|b){20}$"}}, max_states=1000)
    assert caught.value.pointer == "/items/pattern"


def test_deep_values_are_checked_within_pythons_limits() -> None:
    value: Any = 1
    for i in range(198):
        value = {"a": value} if i % 2 else [value]
    schema = {"enum": [value, 1], "items": {"$ref": "#"}, "properties": {"a": {"$ref": "#"}}}
    assert compiled(schema, max_depth=200)


@pytest.mark.parametrize("depth", [100, 127])
@pytest.mark.parametrize("keyword", ["items", "allOf", "anyOf"])
def test_what_the_limits_allow_compiles(depth: int, keyword: str) -> None:
    assert compiled(nested(depth, keyword))
    assert compiled(chain(depth - 1))
    assert compiled({"const": json.loads("[" * depth + "]" * depth)})


# a^n: the n-th step before the end (as for word automata, its conjunctions are the subsets of n steps)
SUBSETS = {
    "$defs": {
        "0": {"properties": {"a": {"$ref": "#/$defs/0"}, "b": {"allOf": [{"$ref": "#/$defs/0"}, {"$ref": "#/$defs/1"}]}}},
        **{str(i): {"properties": {name: {"$ref": f"#/$defs/{i + 1}"} for name in "ab"}} for i in range(1, 20)},
        "20": S,
    },
    "$ref": "#/$defs/0",
}  # fmt: skip

HUGE: list[Any] = [
    SUBSETS,
    line(120),
    {"enum": [f"value number {i}" for i in range(3000)]},
    {"enum": list(range(3000))},
    {"maxLength": 5 * 10**7},
    {"type": "array", "items": I, "maxItems": 10**9},
    {"type": "string", "pattern": "^[a-z]{1,100000}$"},
    {"type": "string", "pattern": "^https?://.+$", "maxLength": 10**6},
    {"type": "string", "pattern": WORDS, "maxLength": 300},
    {"anyOf": [{"const": i} for i in range(1000)]},
    {"properties": {f"property {i}": S for i in range(1000)}},
    {"type": "object", "required": [f"name {i}" for i in range(1000)]},
    {"type": "array", "prefixItems": [I] * 1000},
    {"const": [[i, str(i)] for i in range(1000)]},
]


@pytest.mark.parametrize("schema", HUGE)
def test_large_but_fine(schema: Any) -> None:
    assert compiled(schema)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array", "items": {"type": "integer"}, "maxItems": 4, "uniqueItems": True},
        {"type": "array", "items": {"type": "integer"}, "not": {"uniqueItems": True}},
    ],
)
def test_distinct_values_need_a_vocabulary_with_every_byte(schema: Any) -> None:
    tokens = [bytes([i]) for i in range(256) if i != ord("b")]
    compiler = Compiler(Vocabulary([*tokens, b"ab", None], [256]))
    with pytest.raises(UnsupportedSchemaError, match="not every byte is a token") as error:
        compiler.json_schema(schema)
    assert error.value.keyword == "uniqueItems"
    assert error.value.pointer
    few = compiler.json_schema({"type": "array", "items": {"type": "integer"}, "maxItems": 4})
    assert few.matcher().accept_bytes(b"[1,1]")
