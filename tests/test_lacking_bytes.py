"""Vocabularies without some byte of JSON's own: what cannot be written is refused, what can be is not."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from structgen.bitmask import allocate_bitmask
from structgen.compiler import Compiler
from structgen.errors import UnsatisfiableSchemaError
from structgen.matcher import Matcher
from structgen.vocabulary import Vocabulary

ALPHABET = '{}[]:,"a1ntrue\\ \n'  # null cannot be written, nor any name with \u0061
MOST = 600  # configurations
SCHEMAS: list[Any] = [
    True,
    {"type": "object"},
    {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
    {"type": "object", "properties": {"a": {"type": "null"}}, "required": ["a"]},
    {"type": "object", "properties": {"a": {"type": "null"}, "n": {"enum": ["a", 1]}}},
    {"type": "array", "items": {"type": "integer"}, "minItems": 2},
    {"type": "array", "maxItems": 2},
    {"type": "object", "minProperties": 1, "additionalProperties": {"items": {"const": 1}}},
    {
        "anyOf": [
            {"type": "object", "properties": {"a": {"type": "array"}}, "required": ["a", "n"]},
            {"type": "array", "items": {"type": "object"}, "minItems": 1},
            {"type": "null"},
        ]
    },
    {"type": ["object", "null"], "additionalProperties": False},
    {"type": "array", "uniqueItems": True, "items": {"enum": [1, "a"]}},
    {"type": "object", "patternProperties": {"^a": {"type": "boolean"}}, "additionalProperties": False},
    {"enum": [None, True, [1], {"a": 1}]},
]
OPTIONS: dict[str, dict[str, Any]] = {
    "default": {},
    "any order": {"any_order": True},
    "compact": {"whitespace": "compact"},
    "indented": {"indent": 1},
}
VALUES: list[Any] = [
    None, True, 1, 11, "", "a", [], [1], ["a"], [1, 1], [1, "a"], [[]], [{}], [None], {}, {"a": 1},
    {"a": None}, {"a": True}, {"a": []}, {"n": 1}, {"n": "a"}, {"a": [], "n": 1}, {"a": [1], "n": {}},
    [[1], {}],
]  # fmt: skip


def vocabulary(lacking: str) -> tuple[Vocabulary, list[bytes]]:
    tokens = [character.encode() for character in dict.fromkeys(ALPHABET) if character not in lacking]
    return Vocabulary([*tokens, None], len(tokens)), tokens


def explore(matcher: Matcher, tokens: list[bytes]) -> tuple[dict[int, list[int]], set[int]]:
    """Configurations and where they lead to, and those where the text may end. Masks are looked at, too."""
    row = allocate_bitmask(1, len(tokens) + 1)
    known, leads, accepting = {matcher.configuration}, {}, set()
    pending = [matcher]
    for current in pending:
        current.fill_bitmask(row)
        allowed = np.unpackbits(row.view(np.uint8).ravel(), bitorder="little")
        leads[current.configuration] = []
        if current.is_accepting:
            accepting.add(current.configuration)
        for token in range(len(tokens)):
            after = current.fork()
            assert after.accept(token) == bool(allowed[token]), tokens[token]
            if allowed[token]:
                leads[current.configuration].append(after.configuration)
                if after.configuration not in known and len(known) < MOST:
                    known.add(after.configuration)
                    pending.append(after)
        assert current.is_accepting or leads[current.configuration]
    return leads, accepting


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("lacking", ["", *'{}[]:,"n1t\\\n ', "{[", "}:", ",:"])
def test_every_text_can_be_ended_and_nothing_is_left_out(lacking: str, options: str) -> None:
    given = OPTIONS[options]
    chosen, tokens = vocabulary(lacking)
    for schema in SCHEMAS:
        separators = (",", ":") if given.get("whitespace") == "compact" else None
        written = [json.dumps(value, indent=given.get("indent"), separators=separators) for value in VALUES]
        validator = Draft202012Validator(schema)
        possible = [
            text.encode()
            for text, value in zip(written, VALUES, strict=True)
            if all(character.encode() in tokens for character in text) and validator.is_valid(value)
        ]
        try:
            grammar = Compiler(chosen, cache_size=0).json_schema(schema, **given)
        except UnsatisfiableSchemaError:
            assert not possible, schema
            continue
        for text in possible:
            matcher = grammar.matcher()
            assert matcher.accept_bytes(text) and matcher.is_accepting, (schema, text)
        leads, accepting = explore(grammar.matcher(), tokens)
        ending = set(accepting)
        while more := {
            one for one, after in leads.items() if one not in ending and not ending.isdisjoint(after)
        }:
            ending |= more
        if len(leads) < MOST:
            assert ending == set(leads), schema
