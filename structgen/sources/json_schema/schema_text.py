"""A schema that is given as JSON text."""

from __future__ import annotations

import json
import re
from typing import Any

from structgen.errors import CompileLimitError, InvalidSchemaError


def parse_text(text: str, max_depth: int) -> Any:
    """JSON text to Python values. Raises `InvalidSchemaError` with line and column."""
    try:
        return json.loads(text, object_pairs_hook=_unique_pairs, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise InvalidSchemaError(
            "", f"not JSON: {error.msg} (line {error.lineno}, column {error.colno})"
        ) from None
    except RecursionError:
        raise CompileLimitError("max_depth", max_depth, _bracket_depth(text)) from None
    except ValueError as error:  # a number of thousands of digits, NaN, a repeated key
        raise InvalidSchemaError("", f"not JSON that can be read: {error}") from None


def _unique_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} stands twice in one object")
    return members


def _bracket_depth(text: str) -> int:
    depth = deepest = 0
    for mark in re.findall(r"[\[{\]}]", re.sub(r'"(?:[^"\\]|\\.)*"', "", text)):
        depth += 1 if mark in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
