"""Patterns whose automata may be too large are made at once: the error comes when compiling, not in a text.

All other automata are made when text first comes to them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from structgen.errors import CompileLimitError
from structgen.regex.size import may_be_large
from structgen.sources.json_schema.deadline import Deadline
from structgen.sources.json_schema.options import SchemaOptions
from structgen.sources.json_schema.pointers import Path, written
from structgen.sources.json_schema.strings import (
    Pattern,
    StringFacts,
    pattern_regex,
    string_language,
    surely_within,
    unsupported,
)


def check_large_patterns(
    subschemas: Iterable[tuple[Mapping[str, Any], Path]], options: SchemaOptions, deadline: Deadline
) -> None:
    """``subschemas``: their keywords and their places. Raises `CompileLimitError` with the pointer of the
    pattern.
    """
    for schema, path in subschemas:
        if "pattern" in schema:
            lengths = (_length(schema, "minLength") or 0, _length(schema, "maxLength"))
            _check(schema["pattern"], (path, "pattern"), lengths, options)
        if "patternProperties" in schema:
            for text in schema["patternProperties"]:
                _check(text, (path, "patternProperties", text), (0, None), options)
        deadline.check()


def _check(text: str, path: Path, lengths: tuple[int, int | None], options: SchemaOptions) -> None:
    if unsupported(text):
        return  # left out, where that is allowed
    pattern = Pattern(text, written(path))
    pattern_regex(pattern)  # its errors name the place
    if _may_be_large(text):
        facts = StringFacts(*lengths, patterns=(pattern,))
        try:
            if surely_within(facts, options.max_states):
                return
        except CompileLimitError:
            pass  # met again, with the place
        string_language(facts, options.max_states)


@lru_cache(maxsize=4096)
def _may_be_large(text: str) -> bool:
    return may_be_large(pattern_regex(Pattern(text, "")))


def _length(schema: Mapping[str, Any], keyword: str) -> int | None:
    value = schema.get(keyword)
    return int(value) if value is not None else None
