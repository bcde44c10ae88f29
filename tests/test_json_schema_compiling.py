"""What is done when a schema is compiled, and what is put off until text comes there: never an error."""

from __future__ import annotations

import gc
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from json_schemas import URIS, SchemaMaker

from structgen import Compiler, Vocabulary
from structgen.errors import CompileLimitError, InvalidSchemaError, StructgenError
from structgen.sources.json_schema.assertions import conjunction_of
from structgen.sources.json_schema.deadline import Deadline
from structgen.sources.json_schema.document import Document
from structgen.sources.json_schema.emptiness import Emptiness
from structgen.sources.json_schema.large_patterns import check_large_patterns
from structgen.sources.json_schema.normal_form import NormalForms
from structgen.sources.json_schema.options import SchemaOptions
from structgen.sources.json_schema.plain_values import Look, plainly_has_value
from structgen.sources.json_schema.pointers import written
from structgen.sources.json_schema.reach import Reach, _is_plainly_enforced

BYTES = Vocabulary([bytes([byte]) for byte in range(256)] + [b"</s>"], 256)
MASKBENCH = Path(__file__).resolve().parents[2] / "shared" / "data" / "maskbench"
PLAIN = SchemaOptions()


def random_schemas(count: int) -> Iterator[Any]:
    rng = random.Random(20)
    for _ in range(count):
        yield SchemaMaker(rng, rng.choice([None, *URIS])).document()


def real_schemas(step: int) -> Iterator[Any]:
    for path in sorted(MASKBENCH.glob("data/*.json"))[::step]:
        yield json.loads(path.read_text(encoding="utf-8"))["schema"]


def schemas() -> list[Any]:
    return [*random_schemas(300), *real_schemas(40)]


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("", ""),
        ("/a", "/a"),
        (("", "properties", "a/b~"), "/properties/a~1b~0"),
        ((("/x", "anyOf", 3), "items"), "/x/anyOf/3/items"),
    ],
)
def test_paths_are_written_as_pointers(given: Any, text: str) -> None:
    assert written(given) == text


def test_what_is_plainly_enforced_is_enforced() -> None:
    """The quick look at a document never passes what the close one refuses."""
    told = 0
    for schema in schemas():
        try:
            document = Document(schema, PLAIN)
        except StructgenError:
            continue
        if _is_plainly_enforced(document, PLAIN, Deadline(30.0)):
            told += 1
            reach = Reach(Document(schema, PLAIN))
            assert not reach.problems
            nodes = reach.nodes.values()
            check_large_patterns(((node.keywords, node.pointer) for node in nodes), PLAIN, Deadline(30.0))
    assert told > 200


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"$ref": "#/definitions/a", "definitions": {"a": {"$ref": "#/definitions/a"}}}, "/definitions/a"),
        ({"properties": {"a": {"$ref": "#/nowhere"}}}, "/properties/a/$ref"),
        ({"$ref": "#/other/a", "other": {"a": {"pattern": "("}}}, "/other/a/pattern"),
        ({"$ref": "#/other/a", "other": {"a": {"allOf": [{"$ref": "#/other/a"}]}}}, "/other/a"),
        ({"items": {"$ref": "#/other"}, "other": {"type": "x"}}, "/other/type"),
        (
            {"items": {"$ref": "#/other/items"}, "other": {"items": {"minLength": -1}}},
            "/other/items/minLength",
        ),
        ({"anyOf": [{"properties": {"a": {"pattern": "a{2"}}}, {"pattern": "("}]}, "/anyOf/1/pattern"),
    ],
)
def test_errors_name_their_places(schema: Any, expected: str) -> None:
    with pytest.raises(InvalidSchemaError) as caught:
        Compiler(BYTES).validate(schema)
    assert caught.value.pointer == expected


@pytest.mark.parametrize(
    "schema",
    [
        {"definitions": {"a": {"pattern": "("}}},
        {"then": {"pattern": "("}},
        {"additionalItems": {"pattern": "("}, "items": {}},
        {
            "$schema": URIS[7],
            "$ref": "#/definitions/a",
            "allOf": [{"pattern": "("}],
            "definitions": {"a": {}},
        },
        {"type": "object", "pattern": "("},
    ],
)
def test_what_applies_to_nothing_is_not_looked_at(schema: Any) -> None:
    document = Document(schema, PLAIN)
    assert document.contents is not None
    reached = document.contents.reached(document.region_at)
    assert reached is not None
    assert [
        found for found in document.contents.patterned if found.region in reached
    ] == [] or "type" in schema
    assert not Reach(document).problems


def test_a_reference_to_a_place_of_no_keyword_is_scanned_once() -> None:
    schema = {
        "contains": {"$ref": "#/x"},
        "items": {"$ref": "#/x/properties/p"},  # the last one is looked at first
        "x": {"properties": {"p": {"properties": {"q": {"pattern": "a"}}}}},
    }
    document = Document(schema, PLAIN)
    assert document.contents is not None
    reached = document.contents.reached(document.region_at)
    assert reached is not None and len(reached) == 3
    assert len(document.contents.patterned) == 1


def test_subschemas_get_their_nodes_when_they_are_asked_for() -> None:
    properties = {f"p{i}": {"type": "object", "properties": {"q": {"type": "string"}}} for i in range(50)}
    document = Document({"properties": properties}, PLAIN)
    assert len(document._nodes) == 1
    child = document.child(document.root, "properties", "p3")
    assert document.child(document.root, "properties", "p3") is child
    assert dict(document.children(document.root, "properties"))["p3"] is child
    assert document.resolve(document.root, "#/properties/p3", "$ref") is child


def test_what_plainly_has_a_value_has_one() -> None:
    """Against the fixpoint, which looks at everything that is needed."""
    told = 0
    for schema in schemas():
        for options in (PLAIN, SchemaOptions(max_digits=2)):
            try:
                document = Document(schema, options)
                reach = Reach(document)
            except StructgenError:
                continue
            looking = NormalForms(document, options)
            deciding = Emptiness(NormalForms(document, options), options, None)
            deciding._is_plain = lambda conjunction: False  # type: ignore[method-assign]
            for node in list(reach.nodes.values())[:60]:
                conjunction = conjunction_of(document, node)
                try:
                    plain = plainly_has_value(conjunction, Look(looking, options.max_digits is None, {}))
                except CompileLimitError:
                    continue
                if plain:
                    told += 1
                    assert deciding.is_alive(conjunction), (schema, node)
    assert told > 1000


@pytest.mark.parametrize(
    ("schema", "plain"),
    [
        (
            {"type": "object", "required": ["a"], "properties": {"a": {"type": "string", "format": "date"}}},
            True,
        ),
        ({"type": "object", "required": ["a"], "properties": {"a": {"type": "integer", "minimum": 5}}}, True),
        (
            {
                "type": "object",
                "required": ["a"],
                "properties": {"a": {"type": "integer", "minimum": 5, "maximum": 4}},
            },
            False,
        ),
        ({"type": "object", "required": ["a"], "properties": {"a": {"$ref": "#"}}}, False),
        ({"type": "object", "required": ["a"], "additionalProperties": False}, False),
        ({"type": "object", "required": ["a"], "maxProperties": 0}, False),
        ({"type": "object", "required": ["a"], "patternProperties": {"a": False}}, False),
        ({"type": "object", "required": ["\ud800"]}, False),
        ({"type": "array", "minItems": 1, "items": {"const": "a"}}, True),
        ({"type": "array", "minItems": 2, "uniqueItems": True, "items": {"const": "a"}}, False),
        ({"type": "array", "minItems": 2, "maxItems": 1}, False),
        ({"type": "string", "minLength": 3, "maxLength": 2}, False),
        ({"type": "string", "const": 1}, False),
        ({"anyOf": [{"required": ["a"]}, {"const": "b"}]}, True),
        ({"anyOf": [{"required": ["a"]}, False]}, False),
        ({"anyOf": [{"const": "a"}], "enum": ["b"]}, False),
    ],
)
def test_plain_values(schema: Any, plain: bool) -> None:
    forms = NormalForms(Document(schema, PLAIN), PLAIN)
    root = conjunction_of(forms.document, forms.document.root)
    assert plainly_has_value(root, Look(forms, True, {})) is plain


def test_a_limit_is_met_when_compiling() -> None:
    """Though the first option has plainly a value, the others are a part of the form."""
    long = {"type": "object", "required": ["a"], "properties": {"a": {"type": "string", "minLength": 10**9}}}
    with pytest.raises(CompileLimitError):
        Compiler(BYTES).validate({"type": "object", "required": ["x"], "properties": {"x": long}})


def test_facts_of_a_vocabulary_are_found_once() -> None:
    assert BYTES.has_all_bytes and BYTES.max_token_length == BYTES.trie.max_depth == 1
    some = Vocabulary([b"ab", b"a", b"b", b"</s>"], 3)
    assert not some.has_all_bytes and some.max_token_length == some.trie.max_depth == 2


def test_few_objects_are_left_to_the_garbage_collector() -> None:
    """They are counted, as every full collection looks at each of every grammar that is kept."""
    compiler = Compiler(BYTES)

    def schema(number: int) -> dict[str, Any]:
        properties = {
            f"id{number}": {"type": "integer", "minimum": 0},
            "name": {"type": "string", "maxLength": 40},
            "tags": {"type": "array", "items": {"type": "string"}},
            "at": {"type": "object", "properties": {"x": {"type": "number"}}, "required": ["x"]},
        }
        return {"type": "object", "properties": properties, "required": ["name", "at"]}

    text = b'{"id%d": 1, "name": "a", "tags": ["b"], "at": {"x": 1.5}}'
    kept = []
    for number in range(12):
        if number == 2:  # what all of them share is there
            gc.collect()
            before = len(gc.get_objects())
        grammar = compiler.json_schema(json.dumps(schema(number)))
        matcher = grammar.matcher()
        assert all(matcher.accept(byte) for byte in text % number)
        kept.append(grammar)
        del matcher
    gc.collect()
    assert (len(gc.get_objects()) - before) / 10 < 200
