"""`Compiler.report` and ``structgen report``: what becomes of each keyword."""

from __future__ import annotations

import json
from typing import Any

import pytest

from structgen import Compiler, Vocabulary
from structgen.cli import main
from structgen.errors import InvalidSchemaError, OptionError, UnsupportedSchemaError


@pytest.fixture(scope="module")
def compiler() -> Compiler:
    return Compiler(Vocabulary([bytes([byte]) for byte in range(256)] + [None], eos_token_ids=[256]))


BACKREFERENCE = "unsupported regex: a back-reference is not a regular language"
CASES: list[tuple[str, Any, list[tuple[str, str, str]]]] = [
    ("nothing", True, []),
    (
        "assertions and annotations",
        {"title": "x", "type": "string", "pattern": "a+", "format": "path", "$comment": "?", "x-y": 1},
        [
            ("/title", "annotation", ""),
            ("/type", "enforced", ""),
            ("/pattern", "enforced", "exact"),
            ("/format", "annotation", "an unknown format"),
            ("/$comment", "annotation", ""),
            ("/x-y", "unknown keyword", ""),
        ],
    ),
    ("an exact format", {"format": "ipv4"}, [("/format", "enforced", "exact")]),
    ("a part of one", {"format": "regex"}, [("/format", "enforced", "a sound part of the format's texts")]),
    (
        "in the order of the text, pointers escaped",
        {"properties": {"a/b": {"minLength": 1}}, "required": ["a/b"]},
        [
            ("/properties", "enforced", ""),
            ("/required", "enforced", ""),
            ("/properties/a~1b/minLength", "enforced", ""),
        ],
    ),
    (
        "unsupported patterns",
        {"pattern": r"(a)\1", "patternProperties": {r"(b)\1": {"type": "null"}, "c": True}},
        [
            ("/pattern", "unsupported", BACKREFERENCE),
            ("/patternProperties", "enforced", ""),
            (r"/patternProperties/(b)\1", "unsupported", BACKREFERENCE),
            (r"/patternProperties/(b)\1/type", "enforced", ""),
        ],
    ),
    (
        "references",
        {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "http://x/y"}, "b": {"pattern": r"(b)\1"}}},
        [
            ("/$ref", "enforced", "is /$defs/a"),
            ("/$defs", "structure", ""),
            ("/$defs/a/$ref", "unsupported", "'http://x/y' is in another document, which is not given"),
            ("/$defs/b/pattern", "not reached", ""),
        ],
    ),
    (
        "a place that no keyword knows",
        {"$ref": "#/elsewhere", "elsewhere": {"const": 1}},
        [
            ("/$ref", "enforced", "is /elsewhere"),
            ("/elsewhere", "unknown keyword", ""),
            ("/elsewhere/const", "enforced", ""),
        ],
    ),
    (
        "beside $ref, draft 7",
        {"$schema": "http://json-schema.org/draft-07/schema#", "items": {"$ref": "#", "minLength": 1}},
        [
            ("/$schema", "structure", ""),
            ("/items", "enforced", ""),
            ("/items/$ref", "enforced", "is (root)"),
            ("/items/minLength", "ignored beside $ref", "in draft 7"),
        ],
    ),
    (
        "beside $ref, draft 2020-12",
        {"$schema": "https://json-schema.org/draft/2020-12/schema", "$ref": "#/$defs/a", "minLength": 1}
        | {"$defs": {"a": True}, "dependencies": {}},
        [
            ("/$schema", "structure", ""),
            ("/$ref", "enforced", "is /$defs/a"),
            ("/minLength", "enforced", ""),
            ("/$defs", "structure", ""),
            ("/dependencies", "unknown keyword", "not in draft 2020-12's dialect here"),
        ],
    ),
    (
        "what needs another keyword",
        {"then": {"minLength": 1}, "maxContains": 2, "additionalItems": False, "if": {}},
        [
            ("/then", "enforced", ""),
            ("/maxContains", "no effect", "there is no 'contains' beside it"),
            ("/additionalItems", "no effect", "there is no array 'items' beside it"),
            ("/if", "enforced", ""),
            ("/then/minLength", "enforced", ""),
        ],
    ),
    (
        "then without if",
        {"then": {"minLength": 1}},
        [
            ("/then", "no effect", "there is no 'if' beside it"),
            ("/then/minLength", "not reached", ""),
        ],
    ),
    (
        "an unknown dialect",
        {"$schema": "http://x/y", "minLength": 1},
        [
            ("/$schema", "unsupported", "'http://x/y' is no known dialect"),
            ("/minLength", "enforced", ""),
        ],
    ),
]


@pytest.mark.parametrize(("name", "schema", "rows"), CASES, ids=[case[0] for case in CASES])
def test_rows(compiler, name, schema, rows):
    report = compiler.report(schema)
    assert [(row.pointer, row.status, row.note) for row in report] == rows
    assert len(report) == len(rows)
    assert json.loads(json.dumps(report.as_dict()))["keywords"] == [
        {"pointer": row.pointer, "keyword": row.keyword, "status": row.status, "note": row.note}
        for row in report
    ]
    assert len(str(report).splitlines()) == len(rows)


def test_other_documents_and_options(compiler):
    schema = {"items": {"$ref": "http://x/y#/$defs/a"}, "format": "date"}
    documents = {"http://x/y": {"$defs": {"a": {"maximum": 1}, "b": {"minimum": 1}}}}
    report = compiler.report(schema, registry=documents, format="annotate")
    assert [(row.pointer, row.status) for row in report] == [
        ("/items", "enforced"),
        ("/format", "annotation"),
        ("/items/$ref", "enforced"),
        ("http://x/y#/$defs/a/maximum", "enforced"),
    ]
    assert report.counts == {"enforced": 3, "annotation": 1}


def test_what_is_unsupported_is_what_does_not_compile(compiler):
    for _, schema, _ in CASES:
        report = compiler.report(schema)
        try:
            compiler.validate(schema)
        except UnsupportedSchemaError as error:
            assert error.pointer in [row.pointer for row in report.unsupported]
        else:
            assert not report.unsupported


def test_python_types_have_one(compiler):
    assert [(row.pointer, row.status) for row in compiler.report(int)] == [("/type", "enforced")]


def test_errors(compiler):
    with pytest.raises(InvalidSchemaError, match="applies itself"):
        compiler.report({"$ref": "#"})
    with pytest.raises(InvalidSchemaError, match="minLength"):
        compiler.report({"minLength": "1"})
    with pytest.raises(OptionError, match="nonsense"):
        compiler.report({}, nonsense=1)


def test_the_command(tmp_path, capsys):
    (tmp_path / "s.json").write_text(json.dumps({"properties": {"[b]a": {"format": "uuid", "title": "x"}}}))
    assert main(["report", "--schema", str(tmp_path / "s.json")]) == 0
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["pointer", "status", "note"],
        ["/properties", "enforced"],
        ["/properties/[b]a/format", "enforced", "exact"],
        ["/properties/[b]a/title", "annotation"],
        ["s.json:", "2", "enforced,", "1", "annotation"],
    ]
    (tmp_path / "s.json").write_text(json.dumps({"pattern": "(a)\\1"}))
    assert main(["report", "--schema", str(tmp_path / "s.json"), "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["counts"] == {"unsupported": 1}
