"""A schema that is given as Python objects: as text, and as a copy that its owner cannot change."""

from __future__ import annotations

import json
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
    if type(schema) in _PLAIN_TYPES:
        return schema
    try:
        return _copied(schema, {})
    except RecursionError:
        return schema  # which is too deep for the front end, too


def _copied(value: Any, known: dict[int, Any]) -> Any:
    """``known``: the copies so far, by the ids of their originals, so that what is shared stays so."""
    copy: Any = known.get(id(value))
    if copy is not None:
        return copy
    if type(value) is dict or isinstance(value, Mapping):
        copy = known[id(value)] = {}
        for key, inner in value.items():
            copy[key] = inner if type(inner) in _PLAIN_TYPES else _copied(inner, known)
        return copy
    if isinstance(value, (list, tuple)):
        copy = known[id(value)] = []
        copy += [inner if type(inner) in _PLAIN_TYPES else _copied(inner, known) for inner in value]
        return copy
    # of a subclass, such as numpy's float64, what it is
    return float(value) if isinstance(value, float) else str(value) if isinstance(value, str) else value


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
