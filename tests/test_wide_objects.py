"""Objects of many members: laid out part by part, and alive by a look at the whole document."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from structgen.bitmask import allocate_bitmask
from structgen.compiler import Compiler
from structgen.errors import UnsatisfiableSchemaError
from structgen.growing import GrowingTables
from structgen.sources.json_schema import assertions, value_states
from structgen.sources.json_schema.dialects import DIALECTS
from structgen.sources.json_schema.keywords import Draft
from structgen.sources.json_schema.options import SchemaOptions
from structgen.sources.json_schema.snapshot import Snapshot
from structgen.sources.json_schema.survey import survey
from structgen.vocabulary import Vocabulary

TOKENS: list[bytes | None] = [bytes([byte]) for byte in range(256)]
VOCABULARY = Vocabulary([*TOKENS, b'","', b'":', b'{"', b'"a', b"1,", None], len(TOKENS) + 5)
NUMBER = {"type": "integer"}
NAMES = [f"a{i}" for i in range(12)]


def of(required: list[int], **others: Any) -> dict[str, Any]:
    """Twelve members, of which the fourth and the tenth can never be there."""
    properties: dict[str, Any] = dict.fromkeys(NAMES, NUMBER) | {
        "a3": False,
        "a9": False,
        "a5": {"$ref": "#"},
    }
    return {"properties": properties, "required": [f"a{i}" for i in required], **others}


SCHEMAS = {
    "all optional": of([]),
    "one required at the beginning": of([0]),
    "one in the middle": of([6]),
    "the last": of([11]),
    "several": of([1, 4, 8]),
    "closed": of([0, 4], additionalProperties=False),
    "objects alone": of([0, 4], type="object"),
    "objects alone, closed, the last": of([2, 11], type="object", additionalProperties=False),
    "no member behind": {
        "type": "object",
        "properties": {"a0": NUMBER, **dict.fromkeys(NAMES[1:], False)},
        "required": ["a0"],
        "additionalProperties": False,
    },
    "others alone behind": {
        "properties": {"a0": NUMBER, **dict.fromkeys(NAMES[1:], False)},
        "required": ["a0"],
    },
    "others that take more than a glance, the last members dead": {
        "type": "object",
        "properties": {"a0": NUMBER, "a1": NUMBER, **dict.fromkeys(NAMES[2:], False)},
        "required": ["a0"],
        "additionalProperties": {"anyOf": [NUMBER, {"type": "array"}]},
    },
    "told apart": {"anyOf": [of([0, i], type="object") | {"title": str(i)} for i in (2, 7, 11)]},
}


def texts(schema: dict[str, Any]) -> list[bytes]:
    chosen = [range(12), [0, 4], [0, 4, 11], [6], [1, 4, 8, 10], [2, 11], [0], [0, 7]]
    values = [{NAMES[i]: {"a0": 1} if i == 5 else 1 for i in indices} for indices in chosen]
    values += [{"a0": 1, "a1": 1, "z": 2}, {"a6": 1, "z": 2}, {"z": 1}]
    return [json.dumps(value, separators=(",", ":")).encode() for value in values]


@pytest.mark.parametrize("name", SCHEMAS)
def test_parts_are_the_whole(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = allocate_bitmask(2, VOCABULARY.size)
    whole = Compiler(VOCABULARY).json_schema(SCHEMAS[name])
    matchers = [whole.matcher() for _ in texts(SCHEMAS[name])]
    monkeypatch.setattr(value_states, "_MANY", 2)
    monkeypatch.setattr(assertions, "_MANY", 0)
    parts = Compiler(VOCABULARY).json_schema(SCHEMAS[name])
    for text, one in zip(texts(SCHEMAS[name]), matchers, strict=True):
        other = parts.matcher()
        for byte in text:
            monkeypatch.setattr(value_states, "_MANY", 64)
            one.fill_bitmask(rows, 0)
            monkeypatch.setattr(value_states, "_MANY", 2)
            other.fill_bitmask(rows, 1)
            assert np.array_equal(rows[0], rows[1])
            monkeypatch.setattr(value_states, "_MANY", 64)
            taken = one.accept(byte)
            monkeypatch.setattr(value_states, "_MANY", 2)
            assert other.accept(byte) == taken
            if not taken:
                break
        assert one.is_accepting == other.is_accepting


def test_what_no_text_came_to_is_not_laid_out() -> None:
    names = [f"a{i}" for i in range(500)]
    schema = {"properties": dict.fromkeys(names, NUMBER), "required": names}
    grammar = Compiler(VOCABULARY).json_schema(schema)
    assert isinstance(grammar.tables, GrowingTables)
    assert grammar.tables.n_parser_states < 400
    matcher = grammar.matcher()
    text = json.dumps(dict.fromkeys(names, 1), separators=(",", ":")).encode()
    assert matcher.accept_bytes(text) and matcher.is_accepting
    assert grammar.tables.n_parser_states > 2000
    short = json.dumps(dict.fromkeys(names[:-1], 1), separators=(",", ":")).encode()
    assert grammar.explain(short) is not None and "a499" in str(grammar.explain(short))
    assert grammar.matcher().accept_bytes(short[:-1])


def definitions(last: dict[str, Any]) -> dict[str, Any]:
    """A hundred objects, each of which must hold the next."""
    chain = {
        f"d{i}": {
            "type": "object",
            "properties": {"x": {"$ref": f"#/definitions/d{i + 1}"}},
            "required": ["x"],
        }
        for i in range(99)
    }
    members = {f"d{i}": {"$ref": f"#/definitions/d{i}"} for i in range(100)}
    return {
        "definitions": {**chain, "d99": last},
        "type": "object",
        "properties": members,
        "required": [*members],
    }


def test_a_look_follows_references() -> None:
    def alive(last: dict[str, Any]) -> list[bool]:
        snapshot = Snapshot.of(definitions(last))
        assert snapshot is not None
        found = survey(snapshot, DIALECTS[Draft.UNION], SchemaOptions.parse({}))
        assert found is not None
        (members,) = (number for number in found.inside(0) if found.name(number) == "properties")
        return [found.is_alive(number) for number in found.inside(members)]

    assert all(alive(NUMBER))
    assert not any(
        alive({"type": "object", "properties": {"x": {"$ref": "#/definitions/d0"}}, "required": ["x"]})
    )
    assert not any(alive({"not": {}}))


@pytest.mark.parametrize("last", [{"not": {}}, {"$ref": "#/definitions/d3"}, False])
def test_a_dead_member_is_refused(last: Any) -> None:
    if last is not False and "$ref" in last:
        last = {"type": "object", "properties": {"x": last}, "required": ["x"]}
    with pytest.raises(UnsatisfiableSchemaError):
        Compiler(VOCABULARY).json_schema(definitions(last))
