"""``escapes="needed"``: strings and names in one spelling, as ``json.dumps`` without ``ensure_ascii``."""

from __future__ import annotations

import json
from typing import Any

import pytest
from json_texts import accepts, compiled

from structgen import Compiler, Vocabulary

TEXTS = [
    "",
    "a",
    "a/b",
    "é",
    "\U0001f600",
    'say "x"',
    "a\\b",
    "\b\f\n\r\t",
    "\x00\x1f\x7f",
    "\u2028",
    "abc" * 30,
]
OTHER_SPELLINGS = [
    r"\u0061",
    r"\/",
    r"\u00e9",
    r"\ud83d\ude00",
    r"\u0022",
    r"\u005c",
    r"\u000a",
    r"\u001F",
    r"\u007f",
]


@pytest.fixture(scope="module")
def compiler() -> Compiler:
    tokens = [bytes([byte]) for byte in range(256)] + [None]
    return Compiler(Vocabulary(tokens, eos_token_ids=[256]))


def matches(compiler: Compiler, schema: Any, text: str, **options: Any) -> bool:
    matcher = compiler.json_schema(schema, **options).matcher()
    return matcher.accept_bytes(text.encode()) and matcher.is_accepting


SCHEMAS: list[Any] = [
    {"type": "string"},
    {"maxLength": 5000},  # counted
    {"minLength": 0, "maxLength": 200},
    {"pattern": "", "maxLength": 100},
    {"pattern": r"^(.|\n|[\u2028\r])*$", "maxLength": 3000},
    {"pattern": r"^[^!]{0,500}$"},  # split
    {"not": {"enum": ["no", "never"]}},
    {"enum": TEXTS},
    {"not": {"pattern": "!"}, "maxLength": 400},  # bounded
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=json.dumps)
@pytest.mark.parametrize("text", TEXTS, ids=ascii)
def test_the_canonical_spelling_is_taken(compiler, schema, text):
    assert matches(compiler, schema, json.dumps(text, ensure_ascii=False), escapes="needed")


@pytest.mark.parametrize("schema", [*SCHEMAS[:7], SCHEMAS[8]], ids=json.dumps)
@pytest.mark.parametrize("spelled", OTHER_SPELLINGS)
def test_any_other_is_refused(compiler, schema, spelled):
    assert matches(compiler, schema, f'"{spelled}"')
    assert not matches(compiler, schema, f'"{spelled}"', escapes="needed")


@pytest.mark.parametrize("any_order", [False, True])
def test_names_are_spelled_so_too(compiler, any_order):
    schema = {"properties": {"é": {"type": "integer"}}, "patternProperties": {"^x": {"type": "null"}}}
    options = {"any_order": any_order, "whitespace": "compact"}
    cases = [
        ('{"é":1}', True),
        ('{"x":null}', True),
        ('{"other":"a"}', True),
        (r'{"\u00e9":1}', False),
        (r'{"\u0078":null}', False),
        (r'{"x\u0061":null}', False),
        (r'{"a\/b":[]}', False),
        (r'{"a\n":{"\"":[]}}', True),
        (r'{"a":{"\u000a":[]}}', False),
    ]
    for text, fits in cases:
        assert matches(compiler, schema, text, **options), text
        assert matches(compiler, schema, text, escapes="needed", **options) is fits, text


def test_items_that_are_kept_apart(compiler):
    schema = {"items": {"type": "string"}, "uniqueItems": True}
    assert matches(compiler, schema, '["a", "é"]', escapes="needed")
    assert not matches(compiler, schema, '["a", "a"]', escapes="needed")
    assert not matches(compiler, schema, r'["\u0061"]', escapes="needed")
    pairs = {"items": {"enum": ["a", "b"]}, "uniqueItems": True}
    assert matches(compiler, pairs, '["b", "a"]', escapes="needed")
    assert not matches(compiler, pairs, r'["\u0062", "a"]', escapes="needed")


def test_a_vocabulary_without_the_bytes_is_told(compiler):
    """What only an escape could spell has no value."""
    ascii_only = Vocabulary([bytes([byte]) for byte in range(0x80)] + [None], eos_token_ids=[128])
    small = Compiler(ascii_only)
    assert matches(small, {"const": "é"}, r'"\u00e9"')
    from structgen.errors import UnsatisfiableSchemaError

    with pytest.raises(UnsatisfiableSchemaError):
        small.json_schema({"const": "é"}, escapes="needed")
    with pytest.raises(UnsatisfiableSchemaError):
        small.json_schema({"required": ["é"], "type": "object"}, escapes="needed")


@pytest.mark.parametrize("wrap", [lambda s: s, lambda s: {"not": {"not": s}}])
def test_a_name_that_depends_on_one_that_cannot_be_written_is_never_there(wrap: Any) -> None:
    schema = wrap({"type": "object", "dependentRequired": {"a": ["b", "\ud800"]}})
    grammar = compiled(schema)
    for text, expected in (
        ('{"a": 1}', False),
        ('{"a": 1, "b": 2}', False),
        ('{"b": 1}', True),
        ("{}", True),
    ):
        assert accepts(grammar, text) == expected, text


def test_the_negation_of_such_a_dependency() -> None:
    grammar = compiled({"type": "object", "not": {"dependentRequired": {"a": ["\ud800"]}}})
    for text, expected in (('{"a": 1}', True), ('{"b": 1}', False), ("{}", False)):
        assert accepts(grammar, text) == expected, text
