"""`CompiledGrammar.explain`: where a text leaves the grammar, and which rule refuses it."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from structgen import Compiler, Vocabulary
from structgen.cli import main
from structgen.explanation import Explanation


@pytest.fixture(scope="module")
def compiler() -> Compiler:
    return Compiler(Vocabulary([bytes([byte]) for byte in range(256)] + [None], eos_token_ids=[256]))


PERSONS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "persons": {
            "type": "array",
            "minItems": 1,
            "maxItems": 2,
            "items": {
                "type": "object",
                "properties": {
                    "name": {"type": "string", "maxLength": 5, "pattern": "^[A-Z]"},
                    "age": {"type": "integer", "minimum": 0, "maximum": 150},
                    "tag": {"anyOf": [{"const": "a"}, {"type": "integer"}]},
                    "a/b": {"$ref": "#/$defs/code"},
                },
                "required": ["name"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["persons"],
    "$defs": {"code": {"format": "ipv4"}},
}
PERSON = "/properties/persons/items"
IN = '{"persons":[{"name":"A"'
SCHEMA_CASES: dict[str, tuple[Any, str, int, str, list[tuple[str, str]], list[str]]] = {
    # name: (schema, text, offset, instance pointer, [(schema pointer, keyword)], reasons)
    "maximum": (
        PERSONS,
        IN + ',"age":151}]}',
        32,
        "/persons/0/age",
        [(PERSON + "/properties/age", "maximum")],
        [],
    ),
    "minimum": (
        PERSONS,
        IN + ',"age":-1}]}',
        31,
        "/persons/0/age",
        [(PERSON + "/properties/age", "minimum")],
        [],
    ),
    "integer": (
        PERSONS,
        IN + ',"age":1.5}]}',
        33,
        "/persons/0/age",
        [(PERSON + "/properties/age", "type")],
        [],
    ),
    "type": (PERSONS, '{"persons":[5]}', 12, "/persons/0", [(PERSON, "type")], []),
    "type of the root": (PERSONS, "[]", 0, "", [("", "type")], []),
    "pattern": (
        PERSONS,
        '{"persons":[{"name":"a"}]}',
        21,
        "/persons/0/name",
        [(PERSON + "/properties/name", "pattern")],
        [],
    ),
    "maxLength": (
        PERSONS,
        '{"persons":[{"name":"Abcdéf"}]}',
        27,
        "/persons/0/name",
        [(PERSON + "/properties/name", "maxLength")],
        [],
    ),
    "format behind a reference": (
        PERSONS,
        IN + ',"a/b":"1.256.0.0"}]}',
        35,
        "/persons/0/a~1b",
        [("/$defs/code", "format")],
        [],
    ),
    "anyOf": (
        PERSONS,
        IN + ',"tag":"b"}]}',
        31,
        "/persons/0/tag",
        [(PERSON + "/properties/tag", "anyOf"), (PERSON + "/properties/tag/anyOf/0", "const")],
        [],
    ),
    "additionalProperties": (
        PERSONS,
        IN + ',"x":1}]}',
        25,
        "/persons/0",
        [(PERSON, "additionalProperties")],
        ["no member 'x' may be there"],
    ),
    "twice": (
        PERSONS,
        IN + ',"name":"B"}]}',
        25,
        "/persons/0",
        [],
        ["the member 'name' is there already: no name may come twice"],
    ),
    "twice, spelled otherwise": (
        {"maxProperties": 2},
        r'{"a":1,"\u0061":2}',
        14,
        "",
        [],
        ["the member 'a' is there already: no name may come twice"],
    ),
    "required before": (
        PERSONS,
        '{"persons":[{"age":1,"name":"B"}]}',
        14,
        "/persons/0",
        [(PERSON, "required")],
        [
            "in the schema's order the required member 'name' comes before 'age'; "
            "any_order=True takes any order"
        ],
    ),
    "order": (
        PERSONS,
        IN + ',"tag":1,"age":2}]}',
        34,
        "/persons/0",
        [],
        ["in the schema's order 'age' cannot come after 'tag'; any_order=True takes any order"],
    ),
    "required": (PERSONS, "{}", 1, "", [("", "required")], ["missing: 'persons'"]),
    "minItems": (
        PERSONS,
        '{"persons":[]}',
        12,
        "/persons",
        [("/properties/persons", "minItems")],
        ["0 of 1 items"],
    ),
    "maxItems": (
        {"maxItems": 2},
        "[1,2,3]",
        4,
        "",
        [("", "maxItems")],
        ["there are 2 items already"],
    ),
    "maxItems after words": (
        {"maxItems": 1},
        "[true,false]",
        5,
        "",
        [("", "maxItems")],
        ["there are 1 items already"],
    ),
    "uniqueItems": (
        {"uniqueItems": True},
        "[1,[2],1.0]",
        10,
        "/2",
        [("", "uniqueItems")],
        ["item 2 equals item 0"],
    ),
    "no more items": (
        {"prefixItems": [True], "items": False},
        "[1,2]",
        2,
        "",
        [("", "items")],
        ["there may be no item 1"],
    ),
    "no item at all": ({"items": False}, "[1]", 1, "/0", [("", "items")], []),
    "minProperties": ({"minProperties": 2}, '{"a":1}', 6, "", [("", "minProperties")], ["1 of 2 members"]),
    "maxProperties": (
        {"maxProperties": 1},
        '{"a":1,"b":1}',
        6,
        "",
        [("", "maxProperties")],
        ["there are 1 members already"],
    ),
    "propertyNames": (
        {"propertyNames": {"maxLength": 1}},
        '{"ab":1}',
        3,
        "",
        [("", "propertyNames")],
        ["the name 'ab' is refused by propertyNames"],
    ),
    "dependentRequired": (
        {"dependentRequired": {"a": ["b"]}},
        '{"a":1}',
        6,
        "",
        [("", "dependentRequired")],
        ["missing beside 'a': 'b'"],
    ),
    "enum": ({"enum": ["ab", "cd"]}, '"ad"', 2, "", [("", "enum")], []),
    "const": ({"const": {"a": 1}}, '{"a":2}', 5, "/a", [("", "const")], []),
    "multipleOf": ({"multipleOf": 4}, "[6]".strip("[]"), 1, "", [("", "multipleOf")], []),
    "not": ({"not": {"type": "null"}}, "null", 0, "", [("", "not")], []),
    "false": (
        {"properties": {"a": False}},
        '{"a":1}',
        3,
        "",
        [("/properties/a", "")],
        ["no member 'a' may be there"],
    ),
    "boolean draft 4 bounds": (
        {"$schema": "http://json-schema.org/draft-04/schema#", "maximum": 5, "exclusiveMaximum": True},
        "55",
        1,
        "",
        [("", "maximum")],
        [],
    ),
    "two together": (
        {"exclusiveMaximum": 5, "minimum": 1},
        "5",
        0,
        "",
        [("", "exclusiveMaximum"), ("", "minimum")],
        ["no keyword refuses it alone, but these do together"],
    ),
    "white space": (
        True,
        "{ }}",
        3,
        "",
        [],
        ["the document is complete here"],
    ),
    "white space before": (
        True,
        " 1",
        0,
        "",
        [],
        ["white space cannot stand here: none before or after the document"],
    ),
    "no JSON": ({"items": {"type": "integer"}}, "[01]", 2, "/0", [], ["no JSON value is written so"]),
    "a comma too many": (True, "[1,]", 3, "/1", [], ["no JSON value is written so"]),
    "single quotes": (True, "{'a':1}", 1, "", [], ["a key is expected here"]),
}


@pytest.mark.parametrize("name", SCHEMA_CASES)
def test_schemas(compiler, name):
    schema, text, offset, pointer, rules, reasons = SCHEMA_CASES[name]
    found = compiler.json_schema(schema).explain(text)
    assert found is not None
    assert list(zip(found.schema_pointers, found.keywords, strict=True)) == rules
    assert list(found.reasons) == reasons
    assert found.instance_pointer == pointer
    assert found.offset == offset
    assert found.incomplete is (offset == len(text.encode()))


OPTION_CASES: list[tuple[dict[str, Any], str, list[str]]] = [
    ({"whitespace": "compact"}, "[1, 2]", ["white space cannot stand here: whitespace='compact' has none"]),
    ({"separators": (", ", ": ")}, "[1,  2]", ["white space cannot stand here: separators are given"]),
    ({"indent": 2}, "[1, 2]", ["white space is expected here, as the options ask"]),
    ({"max_whitespace": 2}, "[1,   2]", ["white space cannot stand here: at most 2 blanks in a row"]),
    (
        {"escapes": "needed"},
        r'["\u0061"]',
        ["escapes='needed' has one spelling only, without escapes that JSON can do without"],
    ),
    ({"max_digits": 2}, "[123]", ["max_digits=2"]),
    ({"any_order": True}, '{"b":1,"b":2}', ["the member 'b' is there already: no name may come twice"]),
]


@pytest.mark.parametrize(("options", "text", "reasons"), OPTION_CASES, ids=str)
def test_options(compiler, options, text, reasons):
    found = compiler.json_schema({"properties": {"a": {}, "b": {}}}, **options).explain(text)
    assert found is not None
    assert list(found.reasons) == reasons


def test_members_of_like_values_in_any_order(compiler):
    schema = {"properties": {name: {"type": "integer"} for name in "abc"}, "required": ["c"]}
    for name in "abc":
        found = compiler.json_schema(schema, any_order=True).explain(f'{{"{name}":"x"}}')
        assert found.schema_pointers == (f"/properties/{name}",)
        assert found.keywords == ("type",)


def test_what_matches(compiler):
    assert compiler.json_schema(PERSONS).explain(IN + "}]}") is None
    assert compiler.regex("a+").explain("aaa") is None


def test_too_short(compiler):
    found = compiler.json_schema(PERSONS).explain('{"persons":\n [{"name":"Ab')
    assert found is not None
    assert found.incomplete
    assert (found.offset, found.line, found.column) == (25, 2, 14)
    assert found.instance_pointer == "/persons/0/name"
    assert str(found).startswith('ends too early\nat line 2, column 14:\n   [{"name":"Ab\n')


def test_as_text(compiler):
    assert str(compiler.json_schema(PERSONS).explain(IN + ',"age":151}]}')) == (
        "does not match\n"
        "at line 1, column 33:\n"
        '  {"persons":[{"name":"A","age":151}]}\n'
        "                                  ^\n"
        "at /persons/0/age (schema: /properties/persons/items/properties/age, keyword maximum)\n"
        "expected: ',', '.0', '0', '}', white space"
    )


def test_other_grammars(compiler):
    found = compiler.regex("ab[cd]").explain("abé")
    assert found == Explanation(found.position, 2, ("'c'", "'d'"), False)
    assert found.instance_pointer is None
    assert (found.line, found.column) == (1, 3)
    assert str(found) == "does not match\nat line 1, column 3:\n  abé\n    ^\nexpected: 'c', 'd'"
    assert compiler.lark('start: "a" start | "b"').explain("aa").incomplete


def test_bytes_that_are_no_text(compiler):
    found = compiler.json_schema({"type": "string"}).explain(b'"\xc3"')
    assert (found.offset, found.column) == (2, 2)
    str(found).encode()
    assert compiler.json_schema({}).explain(b"\xff").offset == 0
    assert compiler.json_schema({}).explain("\ud800").offset == 0


def test_a_saved_grammar_explains_too(compiler, tmp_path):
    compiler.json_schema(PERSONS).save(tmp_path / "persons")
    found = compiler.load(tmp_path / "persons").explain("{}")
    assert found.keywords == ("required",)


def test_long_texts_and_deep_ones(compiler):
    schema = {"$ref": "#/$defs/tree", "$defs": {"tree": {"items": {"$ref": "#/$defs/tree"}, "type": "array"}}}
    deep = "[" * 3000
    found = compiler.json_schema(schema).explain(deep + "1")
    assert found.offset == 3000
    assert found.keywords == ("type",)
    assert found.schema_pointers == ("/$defs/tree",)
    many = "[" + "[]," * 20000 + "{}]"
    found = compiler.json_schema(schema).explain(many)
    assert found.instance_pointer == "/20000"
    huge = compiler.json_schema({"maxLength": 10**6}).explain('"' + "a" * (10**6 + 1) + '"')
    assert huge.keywords == ("maxLength",)
    assert len(str(huge)) < 1000


def test_several_threads(compiler):
    grammar = compiler.json_schema(PERSONS)
    texts = [case[1] for case in SCHEMA_CASES.values() if case[0] is PERSONS]
    expected = [grammar.explain(text) for text in texts]
    wrong = []

    def run() -> None:
        wrong.extend(
            text for text, known in zip(texts, expected, strict=True) if grammar.explain(text) != known
        )

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 200) | st.text('aAbé"\\', max_size=7),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["persons", "name", "age", "tag", "a/b", "x"]), inner, max_size=4)
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(
    value=VALUES,
    cut=st.integers(0, 60),
    junk=st.sampled_from(["", "x", "}", ",", '"', " "]),
    ordered=st.booleans(),
)
def test_whatever_the_text_is(compiler, value, cut, junk, ordered):
    """It says something exactly where the matcher refuses, and its pointers lead somewhere."""
    text = json.dumps({"persons": [value]})
    for given_text in (text, json.dumps(value), text[:cut] + junk + text[cut:]):
        grammar = compiler.json_schema(PERSONS, any_order=not ordered)
        found = grammar.explain(given_text)
        matcher = grammar.matcher()
        assert (found is None) is (matcher.accept_bytes(given_text.encode()) and matcher.is_accepting)
        if found is None:
            continue
        data = given_text.encode()
        assert grammar.matcher().accept_bytes(data[: found.offset])
        assert found.incomplete or not grammar.matcher().accept_bytes(data[: found.offset + 1])
        assert found.allowed
        assert found.incomplete or found.keywords or found.reasons
        for pointer, keyword in zip(found.schema_pointers, found.keywords, strict=True):
            place: Any = PERSONS
            for token in pointer.split("/")[1:]:
                place = place[int(token)] if isinstance(place, list) else place[token.replace("~1", "/")]
            assert keyword == "" or keyword in place
        str(found)


def test_the_command(tmp_path, capsys):
    (tmp_path / "s.json").write_text(json.dumps(PERSONS))
    (tmp_path / "t.json").write_text('{"persons": [\n  {"name": "Anna", "age": 151}]}\n')
    assert main(["check", "--schema", str(tmp_path / "s.json"), str(tmp_path / "t.json")]) == 1
    assert capsys.readouterr().out == (
        "does not match: s.json\n"
        "at line 2, column 29:\n"
        '    {"name": "Anna", "age": 151}]}\n'
        "                              ^\n"
        "at /persons/0/age (schema: /properties/persons/items/properties/age, keyword maximum)\n"
        "expected: ',', '.0', '0', '}', white space\n"
    )
    text = '{"persons": [{"age": 1, "name": "Anna"}]}'
    assert main(["check", "--schema", str(tmp_path / "s.json"), "--text", text]) == 1
    assert "any_order" in capsys.readouterr().out
    assert main(["check", "--schema", str(tmp_path / "s.json"), "--text", text, "--any-order"]) == 0
