"""``lenient=True``: what cannot be enforced is left out and listed, nothing else; without it, an error."""

from __future__ import annotations

import json
import random
from typing import Any

import jsonschema
import pytest

from structgen import Compiler, Vocabulary
from structgen.errors import InvalidSchemaError, UnsupportedSchemaError


@pytest.fixture(scope="module")
def compiler() -> Compiler:
    return Compiler(Vocabulary([bytes([byte]) for byte in range(256)] + [None], eos_token_ids=[256]))


def matches(grammar: Any, value: Any) -> bool:
    matcher = grammar.matcher()
    return matcher.accept_bytes(json.dumps(value).encode()) and matcher.is_accepting


TWICE = r"^(a+)\1$"
AWAY = "http://example.com/away"
WHY_PATTERN = "pattern is not enforced: unsupported regex: a back-reference is not a regular language"
WHY_NAMES = "patternProperties is not enforced: unsupported regex: a back-reference is not a regular language"
WHY_REFERENCE = f"$ref is not enforced: {AWAY!r} is in another document, which is not given"
UNEVALUATED = "unevaluatedProperties is not enforced: what is left out may evaluate further members"

# name: (schema, warnings, values that match, values that do not)
CASES: dict[str, tuple[Any, list[tuple[str, str]], list[Any], list[Any]]] = {
    "pattern": (
        {"pattern": TWICE, "minLength": 2, "type": "string"},
        [("/pattern", WHY_PATTERN)],
        ["aa", "bbb"],
        ["a", 1],
    ),
    "not a pattern": ({"not": {"pattern": TWICE}}, [("/not/pattern", WHY_PATTERN)], ["aa", "b"], [1, []]),
    "of one option": (
        {"oneOf": [{"type": "string", "pattern": TWICE}, {"type": "string", "maxLength": 2}]},
        [("/oneOf/0/pattern", WHY_PATTERN)],
        ["aa", "b", "bbb"],
        [1],
    ),
    "a condition": (
        {"if": {"pattern": TWICE}, "then": {"maxLength": 2}, "else": {"minLength": 2}},
        [("/if/pattern", WHY_PATTERN)],
        ["", "a", "aa", "aaaa"],
        [],
    ),
    "deep and optional": (
        {"properties": {"a": {"items": {"properties": {"b": {"pattern": TWICE, "maxLength": 4}}}}}},
        [("/properties/a/items/properties/b/pattern", WHY_PATTERN)],
        [{"a": [{"b": "bbb"}]}],
        [{"a": [{"b": "bbbbb"}]}],
    ),
    "a pattern of names": (
        {"patternProperties": {TWICE: {"type": "integer"}, "^b": {"type": "null"}}, "type": "object"},
        [("/patternProperties/^(a+)\\1$", WHY_NAMES)],
        [{"aa": 1}, {"aa": "x"}, {"b": None}],
        [{"b": 1}],
    ),
    "and additional members": (
        {"patternProperties": {TWICE: {"type": "integer"}}, "additionalProperties": False},
        [
            ("/patternProperties/^(a+)\\1$", WHY_NAMES),
            (
                "/additionalProperties",
                "additionalProperties is not enforced: "
                "a name may match what is left out of patternProperties",
            ),
        ],
        [{"aa": 1}, {}],
        [{"aa": "x"}],
    ),
    "not those": (
        {"not": {"patternProperties": {TWICE: {"type": "integer"}}}},
        [("/not/patternProperties/^(a+)\\1$", WHY_NAMES)],
        [{"aa": "x"}],
        [{}, {"aa": 1}, 1],
    ),
    "names": (
        {"propertyNames": {"pattern": TWICE}},
        [("/propertyNames/pattern", WHY_PATTERN)],
        [{"aa": 1}],
        [],
    ),
    "another document": (
        {"type": "integer", "allOf": [{"$ref": AWAY}]},
        [("/allOf/0/$ref", WHY_REFERENCE)],
        [1],
        ["a"],
    ),
    "not another document": ({"not": {"$ref": AWAY}}, [("/not/$ref", WHY_REFERENCE)], [1, "a", {}], []),
    "what it evaluates": (
        {"$ref": AWAY, "unevaluatedProperties": False, "properties": {"a": {"type": "null"}}},
        [("/$ref", WHY_REFERENCE), ("/unevaluatedProperties", UNEVALUATED)],
        [{"a": None, "b": 1}],
        [{"a": 1}],
    ),
    "a dialect": (
        {"$schema": AWAY, "minLength": 1},
        [("/$schema", f"$schema is ignored: {AWAY!r} is no known dialect")],
        ["a", 1],
        [""],
    ),
    "nothing: not a string": ({"type": "integer", "pattern": TWICE}, [], [1], ["aa"]),
    "nothing: not reached": ({"$defs": {"a": {"pattern": TWICE, "$ref": AWAY}}}, [], [1], []),
}


@pytest.mark.parametrize("name", CASES)
def test_left_out(compiler, name):
    schema, warnings, fitting, others = CASES[name]
    grammar = compiler.json_schema(schema, lenient=True)
    assert list(grammar.warnings) == warnings
    for value in fitting:
        assert matches(grammar, value), value
    for value in others:
        assert not matches(grammar, value), value


@pytest.mark.parametrize("name", CASES)
def test_an_error_without(compiler, name):
    schema, warnings, _, _ = CASES[name]
    if not warnings:
        assert compiler.json_schema(schema).warnings == ()
        compiler.validate(schema)
        return
    for compile_it in (compiler.json_schema, compiler.validate):
        with pytest.raises(UnsupportedSchemaError) as caught:
            compile_it(schema)
        pointer, warning = warnings[0]
        assert caught.value.pointer == pointer
        assert warning.startswith(caught.value.keyword)


def test_what_is_no_schema_is_still_none(compiler):
    for schema in ({"properties": {"a": {"pattern": "("}}}, {"items": {"$ref": "#/nowhere"}}):
        for lenient in (False, True):
            with pytest.raises(InvalidSchemaError):
                compiler.json_schema(schema, lenient=lenient)


def test_warnings_are_kept_in_files(compiler, tmp_path):
    compiler.json_schema({"pattern": TWICE}, lenient=True).save(tmp_path / "grammar")
    assert compiler.load(tmp_path / "grammar").warnings == (("/pattern", WHY_PATTERN),)


def test_whatever_is_valid_matches(compiler):
    """Leaving something out never takes a valid value away, negated or not."""
    random.seed(7)
    names = ["aa", "ab", "b"]

    def schema(depth: int) -> Any:
        leaf = random.choice(
            [{"pattern": TWICE}, {"type": "string"}, {"maxLength": 1}, True, {"const": "aa"}]
        )
        if depth == 0 or random.random() < 0.2:
            return leaf
        inner = [schema(depth - 1) for _ in range(2)]
        return random.choice(
            [
                {"not": inner[0]},
                {"oneOf": inner},
                {"anyOf": inner},
                {"allOf": inner},
                {"if": inner[0], "then": inner[1]},
                {"contains": inner[0]},
                {"properties": {"aa": inner[0]}, "additionalProperties": inner[1]},
                {"patternProperties": {TWICE: inner[0]}, "additionalProperties": inner[1]},
                {"patternProperties": {TWICE: inner[0]}, "unevaluatedProperties": inner[1]},
                {"propertyNames": inner[0]},
            ]
        )

    values = ["", "a", "aa", "b", 1, [], ["aa", "b"], {}, {"aa": "aa"}, {"ab": "b"}, {"aa": 1, "b": "aa"}]
    values += [{name: value} for name in names for value in ("aa", "b", 1)]
    checked = 0
    for _ in range(300):
        given = schema(3)
        valid = [value for value in values if jsonschema.Draft202012Validator(given).is_valid(value)]
        if not valid:
            continue
        grammar = compiler.json_schema(given, lenient=True, any_order=True)
        for value in valid:
            assert matches(grammar, value), (given, value)
            checked += 1
    assert checked > 1000


# -- dialects of the caller's ----------------------------------------------------------------------------

VOCABULARY = "https://json-schema.org/draft/2020-12/vocab/"
DRAFT = "https://json-schema.org/draft/2020-12/schema"


def dialect(**vocabularies: bool) -> dict[str, Any]:
    listed = {VOCABULARY + name.replace("_", "-"): needed for name, needed in vocabularies.items()}
    return {"http://x/meta": {"$schema": DRAFT, "$vocabulary": listed}}


def test_keywords_of_other_vocabularies_are_ignored(compiler):
    schema = {
        "$schema": "http://x/meta",
        "properties": {"a": {"minLength": 2, "type": "string"}},
        "required": ["a"],
    }
    with pytest.raises(UnsupportedSchemaError, match="registry"):
        compiler.json_schema(schema)
    grammar = compiler.json_schema(schema, registry=dialect(core=True, applicator=True))
    assert matches(grammar, {"a": 1})
    assert matches(grammar, {})
    grammar = compiler.json_schema(schema, registry=dialect(core=True, applicator=True, validation=True))
    assert not matches(grammar, {"a": "x"})
    grammar = compiler.json_schema(schema, registry=dialect(core=True, validation=True))
    assert not matches(grammar, {})
    assert matches(grammar, {"a": 1})


def test_a_vocabulary_that_must_be_known(compiler):
    schema = {"$schema": "http://x/meta", "minLength": 2}
    documents = dialect(core=True, validation=True)
    documents["http://x/meta"]["$vocabulary"]["http://x/strange"] = False
    assert not matches(compiler.json_schema(schema, registry=documents), "a")
    documents["http://x/meta"]["$vocabulary"]["http://x/strange"] = True
    with pytest.raises(UnsupportedSchemaError, match="http://x/strange") as caught:
        compiler.json_schema(schema, registry=documents)
    assert caught.value.pointer == "/$schema"
    assert caught.value.keyword == "$schema"


@pytest.mark.parametrize(
    ("vocabulary", "option", "asserted"),
    [
        ("format_annotation", "annotate", False),
        ("format_annotation", "assert", True),
        ("format_assertion", "annotate", True),
        ("format_assertion", "assert", True),
        (None, "assert", False),
    ],
)
def test_formats(compiler, vocabulary, option, asserted):
    listed = {"core": True} | ({vocabulary: True} if vocabulary else {})
    schema = {"$schema": "http://x/meta", "format": "ipv4"}
    grammar = compiler.json_schema(schema, registry=dialect(**listed), format=option)
    assert matches(grammar, "x") is not asserted


def test_dialects_of_dialects_and_loops(compiler):
    documents = {
        "http://x/a": {"$schema": "http://x/b"},
        "http://x/b": {"$schema": "http://json-schema.org/draft-04/schema#"},
        "http://x/c": {"$schema": "http://x/c"},
    }
    grammar = compiler.json_schema(
        {"$schema": "http://x/a", "maximum": 1, "exclusiveMaximum": True}, registry=documents
    )
    assert not matches(grammar, 1)
    with pytest.raises(UnsupportedSchemaError):
        compiler.json_schema({"$schema": "http://x/c"}, registry=documents)
