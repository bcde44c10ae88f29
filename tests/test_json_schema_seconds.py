"""``max_seconds``: compiling ends in time, and only compiling."""

from __future__ import annotations

import time
from typing import Any

import pytest

from structgen import Compiler, Vocabulary
from structgen.errors import CompileLimitError, OptionError
from structgen.sources.json_schema import deadline


@pytest.fixture
def compiler() -> Compiler:
    return Compiler(Vocabulary([bytes([byte]) for byte in range(256)] + [None], eos_token_ids=[256]))


def large() -> dict[str, Any]:
    """Takes a while: many alternatives that must be merged."""
    options = [{"properties": {f"p{i}": {"type": "integer"}}, "required": [f"p{i}"]} for i in range(8)]
    return {"allOf": [{"oneOf": options}, {"anyOf": options}], "not": {"required": ["p9"]}}


def test_it_stops(compiler):
    begin = time.monotonic()
    with pytest.raises(CompileLimitError, match="max_seconds") as caught:
        compiler.json_schema(large(), max_seconds=1e-6)
    assert time.monotonic() - begin < 5
    assert caught.value.limit == "max_seconds"
    assert caught.value.allowed == 1e-6
    assert caught.value.given > 1e-6
    assert not caught.value.fixed
    assert "raise max_seconds" in str(caught.value)
    assert "not done after" in str(caught.value)


def test_it_does_not_count_after_compiling(compiler, monkeypatch):
    """A text may come to new states long after the grammar was compiled."""
    schema = {"properties": {f"p{i}": {"properties": {"a": {"minLength": i}}} for i in range(400)}}
    grammar = compiler.json_schema(schema, max_seconds=20, any_order=True)
    states = grammar.n_parser_states
    now = time.monotonic()
    monkeypatch.setattr(deadline.time, "monotonic", lambda: now + 1000)
    assert grammar.matcher().accept_bytes(b'{"p300":{"a":"' + b"x" * 300 + b'"}}')
    assert grammar.n_parser_states > states


def test_a_saved_grammar_has_no_deadline_any_more(compiler, monkeypatch, tmp_path):
    grammar = compiler.json_schema({"properties": {"a": {"minLength": 1}}}, max_seconds=20)
    ticks = iter(range(0, 10_000_000, 100))
    monkeypatch.setattr(deadline.time, "monotonic", lambda: next(ticks))
    grammar.save(tmp_path / "grammar")
    assert compiler.load(tmp_path / "grammar").matcher().accept_bytes(b'{"a":"b"}')


@pytest.mark.parametrize("wrong", [0, -1, True, "1", None, float("nan")])
def test_what_is_no_time(compiler, wrong):
    with pytest.raises(OptionError, match="max_seconds"):
        compiler.json_schema({}, max_seconds=wrong)


def test_a_recursive_schema_whose_merging_asks_about_itself(compiler):
    """Whether merged alternatives are plainly empty is asked while merging, and asking merges."""
    needed = {"required": ["a"], "properties": {"a": {"required": ["b"]}}}
    schema = {"dependencies": {"p": needed, "q": {}}, "properties": {"a": {"$ref": "#"}}}
    matcher = compiler.json_schema(schema, any_order=True).matcher()
    assert matcher.accept_bytes(b'{"p":1,"a":{"b":2}}')
    assert matcher.is_accepting
    assert not compiler.json_schema(schema, any_order=True).matcher().accept_bytes(b'{"p":1}')
