"""A schema that is given as Python objects: as text, and as a copy that its owner cannot change."""

from __future__ import annotations

import json
import marshal
from collections.abc import Mapping
from typing import Any

from structgen.errors import CompileLimitError

_FEW_VALUES = 100_000
_MOST_VALUES = 10_000_000
_PLAIN_TYPES = frozenset({str, bool, int, float, type(None)})


def json_text(schema: object) -> tuple[str, bool]:
    """The schema as text, and whether that is JSON which can be read again.

    Elsewhere the front end says what is wrong, if it matters. Raises `CompileLimitError`.
    """
    if not _is_small(schema) and _expanded_size(schema, {}) > _MOST_VALUES:
        raise CompileLimitError("max_schema_values", _MOST_VALUES, _MOST_VALUES + 1, fixed=True)
    try:
        return json.dumps(schema, default=_as_dict, allow_nan=False), True
    except (TypeError, ValueError, RecursionError):
        try:
            return repr(schema), False
        except (ValueError, RecursionError):  # a number of thousands of digits, deep nesting
            return object.__repr__(schema), False


def private_copy(schema: Any) -> Any:
    """A copy of all mappings and lists: what is compiled reads them when text comes there."""
    try:
        return marshal.loads(
            marshal.dumps(schema)
        )  # quicker than anything else, and keeps what is shared shared
    except ValueError:  # other types than the builtin ones, or too deep
        try:
            return _copied(schema)
        except RecursionError:
            return schema  # which the front end refuses


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copied(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_copied(inner) for inner in value]
    # of subclasses, such as numpy's, what they are
    for plain in (float, str):
        if isinstance(value, plain):
            return plain(value)
    return value


def _expanded_size(value: object, known: dict[int, int]) -> int:
    """How many values there are when shared objects are written out; what is too deep counts as 1."""
    if not isinstance(value, (Mapping, list, tuple)):
        return 1
    size = known.get(id(value))
    if size is None:
        known[id(value)] = 1  # a cycle is found by others
        inner = value.values() if isinstance(value, Mapping) else value
        try:
            size = 1 + sum([_expanded_size(part, known) for part in inner])
        except RecursionError:
            size = 1
        known[id(value)] = size
    return size


def _is_small(value: object) -> bool:
    """Are there few values, counted again wherever they are shared? The usual case, told quickly."""
    pending: list[object] = [value]
    count = 0
    while pending and count < _FEW_VALUES:
        inner = pending.pop()
        if type(inner) is dict or isinstance(inner, Mapping):
            values: Any = inner.values()
        elif isinstance(inner, (list, tuple)):
            values = inner
        else:
            continue
        count += len(values)
        for part in values:
            if type(part) not in _PLAIN_TYPES:
                pending.append(part)
    return count < _FEW_VALUES


def _as_dict(value: object) -> dict[Any, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is no JSON")
