"""Patterns whose automata may be too large are made at once: the error comes when compiling, not in a text.

All other automata are made when text first comes to them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from structgen.regex.size import may_be_large
from structgen.sources.json_schema.deadline import Deadline
from structgen.sources.json_schema.document import Node
from structgen.sources.json_schema.options import SchemaOptions
from structgen.sources.json_schema.strings import (
    Pattern,
    StringFacts,
    pattern_regex,
    string_language,
    unsupported,
)


def check_large_patterns(nodes: Iterable[Node], options: SchemaOptions, deadline: Deadline) -> None:
    """Raises `CompileLimitError` with the pointer of the pattern."""
    for node in nodes:
        schema = node.keywords
        if "pattern" in schema:
            lengths = (_length(schema, "minLength") or 0, _length(schema, "maxLength"))
            _check(schema["pattern"], node.at("pattern"), lengths, options)
        if "patternProperties" in schema:
            for text in schema["patternProperties"]:
                _check(text, node.at("patternProperties", text), (0, None), options)
        deadline.check(node.pointer)


def _check(text: str, pointer: str, lengths: tuple[int, int | None], options: SchemaOptions) -> None:
    if unsupported(text):
        return  # left out, where that is allowed
    pattern = Pattern(text, pointer)
    if may_be_large(pattern_regex(pattern)):
        string_language(StringFacts(*lengths, patterns=(pattern,)), options.max_states)


def _length(schema: Mapping[str, Any], keyword: str) -> int | None:
    value = schema.get(keyword)
    return int(value) if value is not None else None
