"""What counts as an annotation: it makes no difference, and what is not one does."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from json_texts import BYTES

from structgen.compiler import Compiler
from structgen.errors import UnsatisfiableSchemaError
from structgen.growing import GrowingTables
from structgen.sources.json_schema import scalars
from structgen.sources.json_schema.keyword_sets import EITHER, SAYING, UNKNOWN
from structgen.sources.json_schema.keywords import VOCABULARIES
from structgen.vocabulary import Vocabulary

SILENT = {"$id", "id", "$anchor", "$dynamicAnchor", "$defs", "definitions"}
BESIDE_OTHERS = {"then", "else", "minContains", "maxContains"}  # of "if" and "contains"


def test_each_keyword_says_something_or_is_known_to_say_nothing_by_itself() -> None:
    keywords = {keyword for known in VOCABULARIES.values() for keyword in known}
    assert keywords - SAYING == SILENT | BESIDE_OTHERS
    assert SAYING - keywords == {EITHER, UNKNOWN}


@pytest.mark.parametrize(
    "value",
    [
        {"type": "string", "x-note": {"deep": [1]}},
        {"type": "integer", "readonly": True, "example": 3, "_format": "date"},
        {"type": ["string", "null"]},
        {"type": ["boolean", "integer"], "description": "either"},
        {"enum": ["a", "b"], "type": "string", "x-names": ["A", "B"]},
        {"type": "string", "definitions": {"n": {"type": "null"}}},
    ],
)
def test_values_beside_annotations_are_laid_out_with_their_object(value: dict[str, Any]) -> None:
    silent = {keyword: said for keyword, said in value.items() if keyword in SAYING}
    texts = [b'"a"', b'"b"', b'"2020-01-01"', b"null", b"true", b"7", b"7.5", b"[]", b"{}"]
    accepted = []
    for schema in (value, silent):
        grammar = Compiler(BYTES, cache_size=0).json_schema({"type": "object", "properties": {"k": schema}})
        tables = grammar.tables
        assert isinstance(tables, GrowingTables)
        with mock.patch.object(type(tables.source), "expand", side_effect=AssertionError("asked in a text")):
            accepted.append([grammar.matcher().accept_bytes(b'{"k": ' + text + b"}") for text in texts])
    assert accepted[0] == accepted[1]
    assert any(accepted[0]) and not all(accepted[0])


DATES = {
    "type": "object",
    "properties": {
        "z": {"type": "string", "format": "date-time"},
        "u": {"type": "array", "uniqueItems": True, "items": {"type": ["integer", "array"]}},
    },
}


@pytest.mark.parametrize("is_known_when_saved", [False, True])
def test_files_do_not_hang_on_what_other_documents_have_found(
    is_known_when_saved: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = b'{"z": "2020-01-01T00:00:00Z", "u": [1]}'
    path = tmp_path / "dates.structgen"
    for is_saved in (True, False):
        monkeypatch.setattr(scalars, "_known", {})
        compiler = Compiler(BYTES, cache_size=0)
        if is_saved == is_known_when_saved:
            assert compiler.json_schema({"title": "before", **DATES}).matcher().accept_bytes(text)
            assert scalars._known
        if is_saved:
            grammar = compiler.json_schema(DATES)
            assert grammar.matcher().accept_bytes(text)
            grammar.save(path)
        else:
            matcher = compiler.load(path).matcher()
            assert matcher.accept_bytes(b'{"u": [1, 2, [3]]}') and matcher.is_accepting


def test_members_that_refer_to_different_anchors_of_one_name_are_told_apart() -> None:
    def half(name: str, member: str, kind: str) -> dict[str, Any]:
        return {
            "$id": f"http://{name}/",
            "properties": {member: {"$dynamicRef": "#n"}},
            "$defs": {"n": {"$anchor": "n", "type": kind}},
        }

    schema = {
        "$id": "http://r/",
        "type": "object",
        "allOf": [{"$ref": "http://a/"}, {"$ref": "http://b/"}],
        "$defs": {"A": half("a", "p", "integer"), "B": half("b", "q", "boolean")},
    }
    grammar = Compiler(BYTES, cache_size=0).json_schema(schema, any_order=True)
    for text, is_valid in ((b'{"p":1,"q":true}', True), (b'{"q":true,"p":1}', True), (b'{"q":1}', False)):
        matcher = grammar.matcher()
        assert (matcher.accept_bytes(text) and matcher.is_accepting) == is_valid


@pytest.mark.parametrize("lacking", ["{", "["])
def test_a_vocabulary_without_the_first_byte_of_all_values(lacking: str) -> None:
    tokens: list[bytes | None] = [bytes([byte]) for byte in range(32, 127) if chr(byte) != lacking]
    compiler = Compiler(Vocabulary([*tokens, None], len(tokens)))
    with pytest.raises(UnsatisfiableSchemaError, match="the vocabulary's tokens can spell"):
        compiler.json_schema({"type": "object" if lacking == "{" else "array"})
