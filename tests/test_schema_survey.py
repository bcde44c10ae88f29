"""A look at a whole schema in its snapshot says nothing that a scan of its subschemas would not."""

from __future__ import annotations

import copy
import json
import marshal
import random
from typing import Any

import numpy as np
import pytest
from json_schemas import SchemaMaker
from structgen_kernels import schema_layout as kernels

from structgen import Compiler, Vocabulary, allocate_bitmask
from structgen.errors import CompileLimitError, InvalidSchemaError, StructgenError
from structgen.sources.json_schema import survey as surveys
from structgen.sources.json_schema.assertions import conjunction_of
from structgen.sources.json_schema.contents import Contents
from structgen.sources.json_schema.document import Document
from structgen.sources.json_schema.emptiness import Emptiness
from structgen.sources.json_schema.normal_form import NormalForms
from structgen.sources.json_schema.options import SchemaOptions
from structgen.sources.json_schema.plain_containers import tagged_objects
from structgen.sources.json_schema.pointers import written
from structgen.sources.json_schema.snapshot import Snapshot
from structgen.sources.json_schema.survey import Members, Options, Survey

DRAFTS = [None, 4, 6, 7, 2019, 2020]
JUNK: list[Any] = [
    None, True, False, 0, -1, 1, 2.5, -0.5, 0.0, 10**12, "", "a", "é", "x" * 300, [], {}, [[]], ["a"],
    ["a", 1], [{}], {"a": 1}, {"a": {}}, "string", ["string", "null"], ["strange"], [True], {"b": False},
    3.0, -(10**12),
]  # fmt: skip
KEYWORDS = [*sorted(surveys._NUMBERS), "title", "description", "strange", "x" * 300, "é"]
VOCABULARY = Vocabulary(
    [*(bytes([byte]) for byte in range(256)), b'{"', b'":', b'", "', b"a_", b"tool", b'"}', b"true", None],
    263,
)


def found_of(schema: Any, options: SchemaOptions | None = None) -> tuple[Document, Survey | None]:
    """The document, and what a look at the whole found."""
    kept: list[Survey | int | None] = []

    def watched(*given: Any) -> Survey | int | None:
        kept.append(surveys.survey(*given))
        return kept[-1]

    snapshot = Snapshot.of(schema)
    assert snapshot is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("structgen.sources.json_schema.document.survey", watched)
        document = Document(snapshot, options or SchemaOptions())
    found = kept[-1] if kept else None
    assert not isinstance(found, int)
    return document, found


def broken(schema: Any, rng: random.Random) -> Any:
    """The same with something else in one or two places."""
    schema = copy.deepcopy(schema)
    for _ in range(rng.choice([1, 1, 2])):
        places: list[tuple[Any, Any]] = []
        pending = [schema]
        while pending:
            value = pending.pop()
            keys = value if isinstance(value, dict) else range(len(value))
            for key in keys:
                places.append((value, key))
                if isinstance(value[key], (dict, list)):
                    pending.append(value[key])
        if not places:
            break
        holder, key = rng.choice(places)
        if isinstance(holder, dict) and rng.random() < 0.5:
            holder[rng.choice(KEYWORDS)] = copy.deepcopy(rng.choice(JUNK))
        else:
            holder[key] = copy.deepcopy(rng.choice(JUNK))
    return schema


def noted(contents: Contents) -> tuple[Any, ...]:
    """What was noted, in words: regions and bases by their pointers."""
    pointers = {number: pointer for pointer, number in contents._regions.items()}

    def base(number: int) -> str:
        return "of its own" if number > 0 else pointers[-number]

    references = sorted((pointers.get(r.region, ""), base(r.base), r.text) for r in contents.references)
    patterned = sorted(
        (pointers.get(p.region, "") if contents.references else "", p.counts, written(p.path))
        for p in contents.patterned
    )
    return references, patterned, contents.is_plain


def test_snapshots_are_equal_for_equal_values():
    rng = random.Random(1)
    for number in range(300):
        schema = SchemaMaker(rng, rng.choice(DRAFTS)).document()
        shared = {"type": "string", "enum": ["a", "é" * 200, "b" * 300]}
        schema["$comment"] = [shared, [shared, 1.5, -3, 10**30, -(10**20), None, True], (1, shared)]
        anew = json.loads(json.dumps(schema))
        one, other = Snapshot.of(schema), Snapshot.of(anew)
        assert one is not None and one == other and hash(one) == hash(other), number
        assert one.value() == anew and json.dumps(one.value()) == one.text == json.dumps(schema)
        assert one.data == naive_bytes(anew)


def naive_bytes(value: Any) -> bytes:
    """Plain twin of `structgen_kernels.snapshots.write_out`."""
    if isinstance(value, dict):
        return b"{" + b"".join(naive_bytes(key) + naive_bytes(inner) for key, inner in value.items()) + b"0"
    if isinstance(value, list):
        return b"[" + len(value).to_bytes(4, "little") + b"".join(map(naive_bytes, value))
    if isinstance(value, str):
        text = value.encode("utf-8", "surrogatepass")
        if not value.isascii():
            return b"u" + len(text).to_bytes(4, "little") + text
        return (
            b"z" + bytes([len(text)]) + text
            if len(text) < 256
            else b"a" + len(text).to_bytes(4, "little") + text
        )
    return marshal.dumps(value, 2)


@pytest.mark.parametrize(
    "value",
    [{1: 2}, {"a": float("nan")}, {"a": [float("inf")]}, {"a": {1}}, {"a": 10**4000}, {"a": b"x"}, {"a": 1j},
     {"a": {None: 1}}, {("a",): 1}],
)  # fmt: skip
def test_what_is_no_json_has_no_snapshot(value):
    assert Snapshot.of(value) is None


def test_loops_and_depth_have_no_snapshot():
    loop: dict[str, Any] = {}
    loop["items"] = loop
    deep: dict[str, Any] = {}
    for _ in range(1500):
        deep = {"items": deep}
    wide: Any = {"type": "string"}
    for _ in range(40):  # a million million values, were they written out
        wide = {"a": wide, "b": wide}
    assert Snapshot.of(loop) is None and Snapshot.of(deep) is None and Snapshot.of(wide) is None


def test_it_finds_what_a_scan_finds(monkeypatch):
    """Also of schemas that are none: where the look is content, so is the scan."""
    monkeypatch.setattr(surveys, "_READ_WHOLE", 0)
    rng = random.Random(2)
    n_found = n_refused = n_wrong = 0
    for number in range(1200):
        schema = SchemaMaker(rng, rng.choice(DRAFTS)).document()
        if rng.random() < 0.2 and "$schema" in schema:  # it need not come first
            schema["$schema"] = schema.pop("$schema")
        if rng.random() < 0.4:
            schema = broken(schema, rng)
        strict = rng.random() < 0.1
        options = SchemaOptions(max_depth=4, max_values=10) if strict else SchemaOptions()
        try:
            plain = Document(copy.deepcopy(schema), options)
        except StructgenError as error:
            n_wrong += 1
            with pytest.raises(type(error)) as raised:
                found_of(schema, options)
            assert str(raised.value) == str(error), (number, schema)
            continue
        document, found = found_of(schema, options)
        assert document.root.schema == schema, (number, schema)
        assert plain.contents is not None and document.contents is not None
        assert (document._n_subschemas, document._n_values) == (plain._n_subschemas, plain._n_values), schema
        if found is None:
            n_refused += 1
            continue
        n_found += 1
        if document.contents.references:
            assert noted(document.contents) == noted(plain.contents), (number, schema)
        else:
            assert not plain.contents.references and plain.contents.is_plain
            assert sorted(written(p.path) for p in document.contents.patterned) == sorted(
                written(p.path) for p in plain.contents.patterned
            )
    assert n_found > 300 and n_wrong > 200 and n_refused < n_found, (n_found, n_refused, n_wrong)


def test_what_is_plainly_alive_has_a_value_and_raises_nothing():
    rng = random.Random(3)
    options = SchemaOptions()
    n_alive = 0
    for number in range(300):
        schema = SchemaMaker(rng, rng.choice(DRAFTS)).document()
        if rng.random() < 0.5:
            schema = broken(schema, rng)
        try:
            _, found = found_of(schema)
        except StructgenError:
            continue
        if found is None:
            continue
        document = Document(schema, options)
        forms = NormalForms(document, options)
        emptiness = Emptiness(forms, options, None)
        nodes = {"": document.root}
        for record in range(len(found._records)):
            flags = found.flags(record)
            if flags & kernels.HOLDER:
                continue
            pointer = found.pointer(record)
            node = document._descend(document._resource_at[""], pointer, "", pointer)
            nodes[pointer] = node
            conjunction = conjunction_of(document, node)
            if flags & kernels.HARMLESS:
                forms.of(conjunction)
            if flags & kernels.ALIVE:
                n_alive += 1
                emptiness._decided.clear()
                if conjunction:
                    emptiness._decide(conjunction)
                    assert emptiness._decided[conjunction], (number, pointer, schema)
    assert n_alive > 200


def test_a_wrong_subschema_is_refused_wherever_it_is():
    tools = [tool(number) for number in range(40)]
    for place in (0, 17, 39):
        wrong = copy.deepcopy(tools)
        wrong[place]["properties"]["arguments"]["properties"]["b"]["maxLength"] = -1
        with pytest.raises(
            InvalidSchemaError, match=f"/anyOf/{place}/properties/arguments/properties/b/maxL"
        ):
            Compiler(VOCABULARY).json_schema({"anyOf": wrong})


def tool(number: int, extra: Any = None) -> dict[str, Any]:
    """A call of a tool."""
    kinds: list[Any] = [
        {"type": "string", "maxLength": 4},
        {"type": "integer"},
        {"enum": ["x", "y"]},
        {"type": "array", "items": {"type": "boolean"}},
    ]
    members = {name: kinds[(number + i) % 4] for i, name in enumerate("abc")}
    arguments = {
        "type": "object",
        "properties": members,
        "required": ["b"],
        "additionalProperties": number % 2 == 0,
    }
    call = {"name": {"const": f"tool_{number}"}, "arguments": arguments if extra is None else extra}
    return {"type": "object", "properties": call, "required": ["name", "arguments"][: 1 + number % 2]}


TAGGED: dict[str, Any] = {
    "tools": {"anyOf": [tool(number) for number in range(12)]},
    "calls": {"type": "array", "items": {"anyOf": [tool(number) for number in range(5)]}, "minItems": 1},
    "closed": {"anyOf": [{**tool(number), "additionalProperties": False} for number in range(5)]},
    "same tag twice": {"anyOf": [tool(1), tool(1, {"type": "null"}), tool(2)]},
    "several strings": {
        "anyOf": [
            {
                "type": "object",
                "properties": {"k": {"enum": ["a", "b", "a"]}, "x": {"type": "null"}},
                "required": ["k"],
            },
            {"type": "object", "properties": {"k": {"enum": ["b", "bc"]}}, "required": ["k"]},
            {"type": "object", "properties": {"k": {"const": "", "type": "string"}}, "required": ["k"]},
        ]
    },
    "inside": {
        "type": "object",
        "properties": {"call": {"anyOf": [tool(number) for number in range(3)]}, "z": {"type": "null"}},
        "required": ["call"],
    },
}
TAGGED |= {
    "referred to": {
        "anyOf": [{"$ref": f"#/$defs/t{number}", "title": "x"} for number in range(4)],
        "$defs": {f"t{number}": tool(number) for number in range(4)},
    },
}
NOT_TAGGED: dict[str, Any] = {
    "another name": {
        "anyOf": [tool(1), {"type": "object", "properties": {"n": {"const": "a"}}, "required": ["n"]}]
    },
    "not required": {
        "anyOf": [tool(1), {"type": "object", "properties": {"name": {"const": "a"}}, "required": []}]
    },
    "a number": {
        "anyOf": [tool(1), {"type": "object", "properties": {"name": {"const": 1}}, "required": ["name"]}]
    },
    "no value": {"anyOf": [tool(1), tool(3, {"type": "string", "minLength": 2, "maxLength": 1})]},
    "not first": {
        "anyOf": [
            tool(1),
            {
                "type": "object",
                "properties": {"a": {"const": "a"}, "name": {"const": "b"}},
                "required": ["name", "a"],
            },
        ]
    },
    "beside a type": {"type": "object", "anyOf": [tool(1), tool(2)]},
    "two types": {"anyOf": [tool(1), {**tool(2), "type": ["object", "null"]}]},
    "a minimum": {"anyOf": [tool(1), {**tool(2), "minProperties": 3}]},
    "one of": {"oneOf": [tool(1), tool(2)]},
    "referred to by a reference": {
        "anyOf": [{"$ref": "#/$defs/a"}, tool(3)],
        "$defs": {"a": {"$ref": "#/$defs/b"}, "b": tool(2)},
    },
    "beside a reference": {
        "anyOf": [{"$ref": "#/$defs/a", "minProperties": 3}, tool(3)],
        "$defs": {"a": tool(2)},
    },
    "referred to elsewhere": {
        "anyOf": [{"$ref": "#/definitions/a/anyOf/0"}, tool(3)],
        "definitions": {"a": {"anyOf": [tool(2)]}, "b": tool(4)},
    },
}


@pytest.mark.parametrize("options", [{}, {"any_order": True}, {"escapes": "needed"}])
@pytest.mark.parametrize("name", [*TAGGED, *NOT_TAGGED])
def test_masks_are_those_of_the_union(name, options, monkeypatch):
    """Of the schema as text nothing is known to be tagged."""
    monkeypatch.setattr(surveys, "_READ_WHOLE", 0)
    schema = {**TAGGED, **NOT_TAGGED}[name]
    compiler = Compiler(VOCABULARY)
    monkeypatch.setattr(Snapshot, "of_text", lambda text: None)
    tagged, plain = (
        compiler.json_schema(schema, **options),
        compiler.json_schema(json.dumps(schema), **options),
    )
    assert tagged is not plain
    rng = random.Random(4)
    one, other = allocate_bitmask(1, VOCABULARY.size), allocate_bitmask(1, VOCABULARY.size)
    n_ended = 0
    for _ in range(6):
        left, right = tagged.matcher(), plain.matcher()
        for _ in range(120):
            left.fill_bitmask(one)
            right.fill_bitmask(other)
            assert np.array_equal(one, other), (name, left)
            allowed = np.flatnonzero(np.unpackbits(one.view(np.uint8), bitorder="little"))
            quiet = allowed[~np.isin(allowed, [9, 10, 13, 32])]
            token = int(rng.choice(quiet if quiet.size and rng.random() < 0.95 else allowed))
            assert left.accept(token) and right.accept(token)
            if token == 263:
                n_ended += 1
                break
    assert n_ended > 0 or options or name in ("calls", "inside")


@pytest.mark.parametrize(
    ("name", "is_tagged"), [*((n, True) for n in TAGGED), *((n, False) for n in NOT_TAGGED)]
)
def test_which_are_tagged(name, is_tagged, monkeypatch):
    monkeypatch.setattr(surveys, "_READ_WHOLE", 0)
    schema = {**TAGGED, **NOT_TAGGED}[name]
    document, found = found_of(schema)
    assert found is not None
    node = document.root
    if "properties" in schema:
        node = document.child(node, "properties", "call")
    elif "items" in schema:
        node = document.child(node, "items")
    assert (tagged_objects((node,)) is not None) == is_tagged


def test_what_was_not_read_is_read_however_it_is_asked_for(monkeypatch):
    monkeypatch.setattr(surveys, "_READ_WHOLE", 0)
    schema: Any = {
        "properties": {"a": {"type": "null"}, "é": {"enum": [1]}, "c" * 300: True},
        "anyOf": [{}, {"not": {}}],
    }
    asked: list[Any] = [
        lambda m: dict(m), lambda m: {**m}, lambda m: m.copy(), lambda m: m | {}, lambda m: dict(m.items()),
        lambda m: dict(zip(m.keys(), m.values(), strict=True)), lambda m: {key: m[key] for key in m},
        lambda m: {key: m.get(key) for key in m}, lambda m: copy.deepcopy(m), lambda m: m,
    ]  # fmt: skip
    for ask in asked:
        members = found_of(schema)[1].schema(0)["properties"]  # type: ignore[union-attr]
        assert isinstance(members, Members) and ask(members) == schema["properties"]
        assert members.get("no") is None
    listed: list[Any] = [
        lambda o: list(o), lambda o: [*o], lambda o: o[:], lambda o: o[::-1][::-1], lambda o: tuple(o),
        lambda o: [*reversed(o)][::-1], lambda o: o.__add__([]), lambda o: o.copy(),
        lambda o: copy.deepcopy(o), lambda o: [o[-2], o[-1]],
    ]  # fmt: skip
    for ask in listed:
        options = found_of(schema)[1].schema(0)["anyOf"]  # type: ignore[union-attr]
        assert isinstance(options, Options) and [*ask(options)] == schema["anyOf"]
        assert {} in options and 1 not in options


def test_texts_are_looked_at_as_well():
    rng = random.Random(5)
    for _ in range(200):
        schema = SchemaMaker(rng, rng.choice(DRAFTS)).document()
        schema["$comment"] = ['":{', "\\", 'x"y', {"é:": ":"}]
        for text in (json.dumps(schema), json.dumps(schema, ensure_ascii=False, indent=1)):
            found = Snapshot.of_text(text)
            assert found is not None and found.value() == schema and found.text == text


@pytest.mark.parametrize(
    "text",
    ['{"a": 1, "a": 2}', '{"a": {"b": [{"c": 1, "c": 1}]}}', '{"a": NaN}', '{"a": 1e999}', '{"a": 1', "[]",
     '{"a": "\ud800"} ', "", '{"a": Infinity}'],
)  # fmt: skip
def test_texts_that_are_looked_at_closely(text):
    assert Snapshot.of_text(text) is None


def test_a_schema_may_change_after_it_was_compiled():
    schema = {"anyOf": [tool(number) for number in range(40)]}
    grammar = Compiler(VOCABULARY).json_schema(schema)
    schema["anyOf"][3]["properties"]["name"]["const"] = "other"
    schema["anyOf"].clear()
    assert grammar.matcher().accept_bytes(b'{"name": "tool_3", "arguments": {"b": "x"}}')
    assert json.loads(grammar.source.text)["anyOf"][3]["properties"]["name"] == {"const": "tool_3"}


def test_memory_hardly_grows_with_what_no_text_came_to():
    compiler = Compiler(VOCABULARY)
    few, many = ({"anyOf": [tool(number) for number in range(count)]} for count in (5, 200))
    small, large = compiler.json_schema(few).nbytes, compiler.json_schema(many).nbytes
    more = len(json.dumps(many)) - len(json.dumps(few))
    assert large - small < 2 * more


@pytest.mark.parametrize("option", ["max_values", "max_subschemas"])
def test_limits_beyond_what_kernels_count(option: str) -> None:
    schema = {"properties": {"a": {"enum": [1, 2, 3]}}}
    assert Compiler(VOCABULARY).json_schema(schema, **{option: 2**63}).matcher().accept_bytes(b'{"a": 3}')


def test_what_is_deep_within_an_annotation_is_written_as_text() -> None:
    deep: Any = True
    for _ in range(900):
        deep = {"items": deep}
    assert isinstance(Compiler(VOCABULARY).json_schema({"default": deep}).source.text, str)


def test_the_limit_of_states_is_told_as_it_was_given() -> None:
    schema = {"type": "string", "pattern": "^([é-ÿ]x){9}[あ-ん]$"}
    with pytest.raises(CompileLimitError, match="40"):
        Compiler(VOCABULARY).json_schema(schema, max_states=40).matcher().accept_bytes(b'"')
