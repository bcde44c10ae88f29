"""What counts as an annotation: it makes no difference, and what is not one does."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest
from json_texts import BYTES

from structgen.compiler import Compiler
from structgen.growing import GrowingTables
from structgen.sources.json_schema.keyword_sets import EITHER, SAYING, UNKNOWN
from structgen.sources.json_schema.keywords import VOCABULARIES

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
