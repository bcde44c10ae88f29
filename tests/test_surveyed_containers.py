"""Plain containers that are described many at once say what they say one by one."""

from __future__ import annotations

import json
import random
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structgen_kernels import plain_containers as kernels
from structgen_kernels import schema_layout as layout

from structgen import Compiler, Matcher, Vocabulary, allocate_bitmask
from structgen.errors import CompileLimitError, StructgenError
from structgen.growing import GrowingTables
from structgen.parser_states import PlainKey
from structgen.sources.json_schema import value_states
from structgen.sources.json_schema.dialects import DIALECTS
from structgen.sources.json_schema.keywords import Draft
from structgen.sources.json_schema.options import SchemaOptions
from structgen.sources.json_schema.snapshot import Snapshot
from structgen.sources.json_schema.survey import Survey, survey

TOKENS: list[bytes | None] = [bytes([byte]) for byte in range(256)]
VOCABULARY = Vocabulary([*TOKENS, b'","', b'":', b'{"', b'"a', b"1,", b"[{", b"]}", None], len(TOKENS) + 7)

STRING = {"type": "string"}
NUMBER = {"type": "number"}


def an_object(properties: dict[str, Any], **others: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, **others}


DEEP: dict[str, Any] = {"type": "integer"}
for level in range(60):
    DEEP = an_object({f"d{level}": DEEP}) if level % 3 else {"type": "array", "items": DEEP}

SCHEMAS: dict[str, Any] = {
    "types": an_object(
        {name[0]: {"type": name} for name in ("null", "boolean", "number", "string", "integer")}
        | {"a": {"type": "array"}, "o": {"type": "object"}, "x": {}, "y": True, "z": {"description": "any"}}
    ),
    "closed": an_object({"a": STRING, "b": NUMBER}, additionalProperties=False),
    "closed, nothing in it": {"type": "object", "additionalProperties": False},
    "closed, no member possible": an_object({"a": False}, additionalProperties=False),
    "some required": an_object({"a": STRING, "b": NUMBER, "c": STRING, "d": NUMBER}, required=["b", "c"]),
    "required, and closed": an_object({"a": STRING, "b": NUMBER}, required=["b"], additionalProperties=False),
    "required twice": an_object({"a": STRING, "b": NUMBER}, required=["a", "a"]),
    "required, not named": an_object({"a": STRING}, required=["a", "b"]),
    "some can never be there": an_object({"a": False, "b": STRING, "c": {"not": {}}, "d": NUMBER}),
    "others of a type": an_object({"a": STRING}, additionalProperties={"type": "integer"}),
    "others are objects": an_object({"a": STRING}, additionalProperties=an_object({"b": NUMBER})),
    "others take more than a look": an_object(
        {"ab": STRING}, additionalProperties={"anyOf": [STRING, NUMBER]}
    ),
    "others can never be there": an_object({"a": STRING}, additionalProperties={"enum": []}),
    "no names": {"type": "object", "additionalProperties": {"type": "array", "items": STRING}},
    "names that begin alike": an_object({"a": NUMBER, "ab": STRING, "abc": NUMBER, "b": STRING, "": STRING}),
    "names that are escaped": an_object({'a"b': NUMBER, "\n": STRING, "\\": NUMBER, "/~": STRING, "\0": {}}),
    "a name in another alphabet": an_object({"a": an_object({"é": NUMBER, "b": STRING})}),
    "the same name in several": an_object(
        {"a": an_object({"a": NUMBER, "b": STRING}), "b": an_object({"a": {}})}
    ),
    "enumerations and bounds": an_object(
        {
            "a": {"enum": ["x", "yz"]},
            "b": {"type": "string", "maxLength": 3},
            "c": {"type": "integer", "minimum": 3, "maximum": 12},
            "d": {"type": "string", "pattern": "^a+$"},
            "e": {"type": "string", "format": "date"},
            "f": {"type": ["string", "null"]},
            "g": {"const": 5},
        }
    ),
    "arrays": an_object(
        {
            "a": {"type": "array", "items": STRING},
            "b": {"type": "array", "items": {"type": "array", "items": {}}},
            "c": {"type": "array", "items": STRING, "minItems": 1},
            "d": {"type": "array", "items": False},
            "e": {"type": "array", "items": STRING, "minItems": 2},
            "f": {"type": "array", "items": {"enum": [1, "a"]}},
            "g": {"type": "array", "items": {"oneOf": [STRING, {"enum": ["ab", 1]}]}},
            "h": {"type": "array", "maxItems": 2},
        }
    ),
    "an array that can have no item, but needs one": an_object(
        {"a": {"type": "array", "items": {"enum": []}, "minItems": 1}, "b": STRING}
    ),
    "an array": {"type": "array", "items": an_object({"a": NUMBER}, required=["a"])},
    "references": an_object(
        {
            "a": {"$ref": "#/definitions/n"},
            "b": {"$ref": "#/definitions/s", "description": "also a reference"},
        },
        definitions={
            "n": an_object({"next": {"$ref": "#/definitions/n"}, "v": {"$ref": "#/definitions/s"}}),
            "s": {"$ref": "#/definitions/t"},
            "t": {"type": "integer"},
        },
    ),
    "a reference that others must be": an_object(
        {"a": {"$ref": "#/definitions/n"}},
        definitions={
            "n": an_object({"b": {"$ref": "#/definitions/m"}}, required=["b"]),
            "m": {"format": "date"},
        },
    ),
    "references in draft 7, beside what does not count": {
        "$schema": "http://json-schema.org/draft-07/schema#",
        **an_object(
            {"a": {"$ref": "#/definitions/n", "title": "x"}, "b": {"$ref": "#/definitions/n", "type": "null"}}
        ),
        "definitions": {"n": an_object({"a": {"type": "integer"}})},
    },
    "others by a reference to nothing": an_object(
        {"a": STRING}, additionalProperties={"$ref": "#/$defs/no"}, **{"$defs": {"no": False}}
    ),
    "the root again": an_object({"a": {"$ref": "#"}, "b": NUMBER}),
    "required members that are not plainly there": an_object(
        {"a": {"pattern": "^x", "type": "string"}, "b": an_object({"c": {"format": "time"}}, required=["c"])},
        required=["a", "b"],
    ),
    "options": an_object(
        {"a": {"anyOf": [an_object({"b": NUMBER}), an_object({"c": STRING}, required=["c"])]}}
    ),
    "tagged options": an_object(
        {
            "a": {
                "anyOf": [
                    an_object({"k": {"const": "x"}, "v": an_object({"b": NUMBER})}, required=["k"]),
                    an_object(
                        {"k": {"enum": ["y", "z"]}, "w": STRING},
                        required=["k", "w"],
                        additionalProperties=False,
                    ),
                ]
            }
        }
    ),
    "many members": an_object({f"m{i}": STRING if i % 2 else NUMBER for i in range(70)}),
    "many containers": an_object({f"m{i}": an_object({f"n{i}": NUMBER, "a": STRING}) for i in range(60)}),
    "deep": DEEP,
    "not plain at the root": {
        "oneOf": [an_object({"a": an_object({"b": NUMBER})}), {"type": "array", "items": STRING}]
    },
}


def compiled(schema: Any, *, at_once: bool, monkeypatch: pytest.MonkeyPatch, **options: Any) -> Any:
    """With a compiler of its own; not ``at_once``: as if the schema had not been looked at as a whole."""
    with monkeypatch.context() as patch:
        if not at_once:
            patch.setattr(value_states, "SurveyedContainers", lambda survey: None)
        return Compiler(VOCABULARY).json_schema(schema, **options)


def masks_along(matchers: list[Matcher], seed: int, steps: int) -> None:
    """All matchers have the same masks along a random text, until it ends."""
    bitmask = allocate_bitmask(len(matchers), VOCABULARY.size)
    chance = random.Random(seed)
    for _ in range(steps):
        for row, matcher in enumerate(matchers):
            matcher.fill_bitmask(bitmask, row)
        assert (bitmask == bitmask[0]).all(), matchers[0].text
        allowed = np.flatnonzero(np.unpackbits(bitmask[0].view(np.uint8), bitorder="little"))
        # structure rather than letters
        marks = [token for token in allowed if token >= 256 or token in b'{}[]",:\\1n']
        token = int(chance.choice(marks if marks and chance.random() < 0.7 else allowed.tolist()))
        for matcher in matchers:
            assert matcher.accept(token)
        if matchers[0].is_terminated:
            return


@pytest.mark.parametrize("name", SCHEMAS)
def test_described_at_once_or_one_by_one_masks_are_the_same(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema = SCHEMAS[name]
    one = compiled(schema, at_once=True, monkeypatch=monkeypatch)
    with monkeypatch.context() as patch:
        patch.setattr(value_states, "SurveyedContainers", lambda survey: None)
        other = compiled(schema, at_once=False, monkeypatch=monkeypatch)
        for seed in range(60):
            masks_along([one.matcher(), other.matcher()], seed, 80)
    assert one.tables.source.n_records > 0 and other.tables.source.n_records == 0


def plain_schemas() -> st.SearchStrategy[Any]:
    names = st.sampled_from(["a", "b", "ab", "c", "ba", 'q"'])
    leaves = st.one_of(
        st.sampled_from(["null", "boolean", "integer", "string"]).map(lambda name: {"type": name}),
        st.sampled_from([True, False, {}, {"enum": ["a", "b"]}, {"type": "string", "maxLength": 2}]),
        st.sampled_from([{"$ref": "#/$defs/x"}, {"$ref": "#/$defs/y"}, {"$ref": "#"}, {"pattern": "^a"}]),
    )

    def deeper(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        objects = st.fixed_dictionaries(
            {"type": st.just("object"), "properties": st.dictionaries(names, inner, max_size=4)},
            optional={"required": st.lists(names, max_size=2), "additionalProperties": inner},
        )
        arrays = st.fixed_dictionaries(
            {"type": st.just("array")}, optional={"items": inner, "minItems": st.integers(0, 2)}
        )
        return st.one_of(objects, arrays)

    schemas = st.recursive(leaves, deeper, max_leaves=8)
    roots = deeper(schemas)
    return st.tuples(roots, schemas, schemas).map(lambda all: all[0] | {"$defs": {"x": all[1], "y": all[2]}})


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(schema=plain_schemas(), seed=st.integers(0, 1000))
def test_any_plain_schema(schema: Any, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[Any] = []
    with monkeypatch.context() as patch:
        for at_once in (True, False):
            if not at_once:
                patch.setattr(value_states, "SurveyedContainers", lambda survey: None)
            try:
                found.append(compiled(schema, at_once=at_once, monkeypatch=monkeypatch))
            except StructgenError as error:
                found.append(str(error))
        if isinstance(found[0], str):
            assert found[0] == found[1]
            return
        for i in range(4):
            masks_along([grammar.matcher() for grammar in found], seed + i, 60)


def test_states_that_slept_go_on_with_the_same_numbers() -> None:
    """What is described after they were made again is what would have been described before."""
    schema = SCHEMAS["many containers"] | {"required": ["m3"]}
    text = b'{"m3":{"n3":1,"a":"x"},"m50":{"n50":2,"a":"y"},"m59":{"a":""},"z":[]}'
    compiler = Compiler(VOCABULARY)
    sleeper, awake = compiler.json_schema(schema), Compiler(VOCABULARY).json_schema(schema)
    assert sleeper.matcher().accept_bytes(text[:12])
    for i in range(40):
        others = compiler.json_schema(an_object({f"p{i}": an_object({"q": NUMBER})}))
        assert others.matcher().accept_bytes(b'{"p%d":{"q":1}}' % i)
    assert not sleeper.tables.source.is_awake
    matchers = [sleeper.matcher(), awake.matcher()]
    bitmask = allocate_bitmask(2, VOCABULARY.size)
    for byte in text:
        for row, matcher in enumerate(matchers):
            matcher.fill_bitmask(bitmask, row)
            assert matcher.accept(byte)
        assert (bitmask[0] == bitmask[1]).all()
    assert all(matcher.is_accepting for matcher in matchers)


def test_a_member_that_is_too_dear_is_in_the_way_of_no_other_text() -> None:
    """What it takes to tell whether there is such a member is refused when text comes to its object."""
    patterns = [{"anyOf": [{"pattern": f"a{i}"}, {"minLength": i}]} for i in range(8)]
    dear = {"type": "string", "allOf": patterns}
    schema = an_object({"a": NUMBER, "far": an_object({"b": an_object({"dear": dear, "c": NUMBER})})})
    grammar = Compiler(VOCABULARY).json_schema(schema, max_alternatives=20)
    assert grammar.matcher().accept_bytes(b'{"a":1,"z":{"b":1}}')
    assert grammar.matcher().accept_bytes(b'{"far":{"c":1,"d":{}}}')
    with pytest.raises(CompileLimitError, match="max_alternatives"):
        grammar.matcher().accept_bytes(b'{"far":{"b":{"c":1}}}')
    assert grammar.matcher().accept_bytes(b'{"far":{},"a2":1}')


@pytest.mark.parametrize(
    ("text", "pointer"),
    [
        ('{"b":{"c":tru', "/properties/b/properties/c"),
        ('{"b":{"c":[1,n', "/properties/b/properties/c/items"),
        ('{"a":1', "/properties/a"),
        ('{"b":{"q"', "/properties/b"),
    ],
)
def test_messages_name_the_subschema(text: str, pointer: str) -> None:
    inner = an_object({"c": {"type": "array", "items": {"type": "integer"}}}, additionalProperties=False)
    grammar = Compiler(VOCABULARY).json_schema(an_object({"a": STRING, "b": inner}))
    assert pointer in str(grammar.explain(text))


def surveyed(schema: Any) -> Survey:
    snapshot = Snapshot.of(schema)
    assert snapshot is not None
    found = survey(snapshot, DIALECTS[Draft.UNION], SchemaOptions.parse({}))
    assert isinstance(found, Survey)
    return found


@pytest.mark.parametrize(
    "name", [name for name in SCHEMAS if name != "references in draft 7, beside what does not count"]
)
def test_pointers_lead_to_records(name: str) -> None:
    found = surveyed(SCHEMAS[name])
    for record in range(found.n_records):
        pointer = found.pointer(record)
        if pointer and "~" not in pointer and pointer.isascii():
            encoded = np.frombuffer(pointer.encode(), np.uint8)
            assert kernels.record_at(found.data, found.records, encoded) == record
            for wrong in (f"{pointer}/nothing", f"{pointer}x", f"{pointer[:-1]}"):
                encoded = np.frombuffer(wrong.encode(), np.uint8)
                at = int(kernels.record_at(found.data, found.records, encoded))
                assert at < 0 or found.pointer(at) == wrong


def test_what_is_plain() -> None:
    """The flags of each member, by its name."""
    cases: dict[str, tuple[Any, int]] = {
        "o": (an_object({"a": STRING}), layout.PLAIN_OBJECT),
        "r": (an_object({"a": STRING}, required=["a"]), layout.PLAIN_OBJECT | layout.FILLED),
        "m": (an_object({"a": STRING}, required=["b"]), 0),
        "p": (an_object({}, patternProperties={"a": {}}), 0),
        "c": (an_object({"a": STRING}, minProperties=1), 0),
        "t": ({"type": ["object"]}, 0),
        "u": (an_object({"é": {}}), 0),
        "w": (an_object(dict.fromkeys(map(str, range(layout.MOST_MEMBERS + 1)), STRING)), 0),
        "f": (an_object(dict.fromkeys(map(str, range(layout.MOST_MEMBERS)), STRING)), layout.PLAIN_OBJECT),
        "a": ({"type": "array"}, layout.PLAIN_ARRAY),
        "i": ({"type": "array", "items": {}, "minItems": 1}, layout.PLAIN_ARRAY | layout.FILLED),
        "j": ({"type": "array", "minItems": 2}, 0),
        "k": ({"type": "array", "maxItems": 2}, 0),
        "s": (STRING, layout.SAYS_TYPE | 1 << layout.STRING_TYPE + 12),
        "n": ({"type": "integer", "title": "n"}, layout.SAYS_TYPE | 1 << layout.INTEGER_TYPE + 12),
        "e": ({"type": "string", "minLength": 1}, 0),
        "x": ({"title": "x"}, layout.SAYS_NOTHING),
        "y": (True, layout.SAYS_NOTHING),
        "z": (False, 0),
    }
    found = surveyed(an_object({name: schema for name, (schema, _) in cases.items()}))
    members = found.inside(found.inside(0)[0])
    told = ~(2 * layout.PENDING - 1)  # the others tell whether it has a value
    assert {str(found.name(at)): found.flags(at) & told for at in members} == {
        name: flags for name, (_, flags) in cases.items()
    }


def test_states_have_names() -> None:
    grammar = Compiler(VOCABULARY).json_schema(SCHEMAS["arrays"])
    tables = grammar.tables
    keys = {number: tables._own_key(number) for number in range(1, tables.n_parser_states + 1)}
    plain = {number: key for number, key in keys.items() if isinstance(key, PlainKey)}
    assert len(plain) > 20 and len(set(plain.values())) == len(plain)
    for number, key in plain.items():
        assert tables.number(key) == number
        assert tables.key(number)[0] != "plain"
    json.dumps([str(tables.key(number)) for number in plain])


def dear(number: int) -> dict[str, Any]:
    """A string whose form has many alternatives."""
    parts = [{"anyOf": [{"pattern": f"a{number}{i}"}, {"minLength": i + number}]} for i in range(3)]
    return {"type": "string", "allOf": parts}


def few(most: int) -> dict[str, Any]:
    return {"type": "object", "patternProperties": {"^a": STRING}, "maxProperties": most}


def test_states_made_again_meet_the_limits_that_were_met() -> None:
    """Or else what was described would be more, and conjunctions would have other numbers."""
    schema = an_object(
        {
            "d0": an_object({"x": dear(0)}),
            "d1": an_object({"x": dear(1), "z": few(1)}),
            "e": an_object({"z": few(9)}),
        }
    )
    for most in (4, 8, 12, 20, 60):
        compiler = Compiler(VOCABULARY)
        grammar = compiler.json_schema(schema, max_alternatives=most)
        assert grammar.matcher().accept_bytes(b'{"e":{"z":{"b":1')
        for i in range(40):
            other = compiler.json_schema(an_object({f"p{i}": an_object({})}))
            assert other.matcher().accept_bytes(b'{"p%d":{' % i)
        assert not grammar.tables.source.is_awake
        assert grammar.matcher().accept_bytes(b'{"e":{"z":{"b":1,"c":2,"d":3}}}')


def test_where_digits_are_few_a_number_may_have_no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    number = {"type": "integer", "minimum": 10**10}
    inner = {
        "a": an_object({"n": number}, required=["n"]),
        "b": {"type": "array", "items": number, "minItems": 1},
    }
    schema = an_object({"d": {"type": "null"}, **inner}, additionalProperties=False)
    grammar = Compiler(VOCABULARY).json_schema(schema, max_digits=3, integers="plain")
    assert grammar.matcher().accept_bytes(b'{"d":null}')
    for text in (b'{"a', b'{"b', b'{"d":null,'):
        assert not grammar.matcher().accept_bytes(text)


def test_a_limit_while_containers_are_laid_out_leaves_all_as_it_was() -> None:
    names = range(40)
    schema = an_object(
        {f"m{i}": an_object({f"n{i}_{k}": {"type": "null"} for k in range(60)}) for i in names}
    )
    grammar = Compiler(VOCABULARY).json_schema(schema)
    limit = grammar.tables.static.shape[0]
    with mock.patch("structgen.static_layout.MOST_WORDS", limit), pytest.raises(CompileLimitError):
        for i in names:
            assert grammar.matcher().accept_bytes(b'{"m%d":{"n%d_3":' % (i, i))
    for i in names:
        assert grammar.matcher().accept_bytes(b'{"m%d":{"n%d_3":null}}' % (i, i))
        assert not grammar.matcher().accept_bytes(b'{"m%d":{"n%d_3":1' % (i, i))


def test_an_interruption_while_containers_are_laid_out_leaves_all_as_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    properties = {
        f"n{k}": an_object({f"x{k}": {"type": "null"}}, additionalProperties=False) for k in range(60)
    }
    schema = an_object({f"m{i}": an_object(properties, additionalProperties=False) for i in range(20)})
    grammar = Compiler(VOCABULARY).json_schema(schema)
    write = GrowingTables._write_containers

    def interrupted(*given: Any) -> Any:
        write(*given)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(GrowingTables, "_write_containers", interrupted)
        with pytest.raises(KeyboardInterrupt):
            grammar.matcher().accept_bytes(b'{"m7":{"n3":{}}}')
    for i in (8, 7, 9, 7, 15):
        for k in (3, 4, 59):
            assert grammar.matcher().accept_bytes(b'{"m%d":{"n%d":{"x%d":null}}}' % (i, k, k))
            assert not grammar.matcher().accept_bytes(b'{"m%d":{"n%d":{"x%d"' % (i, k, k - 1))
