"""Subschemas that the simplest values satisfy: seen at a glance, before their normal forms are worked out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from structgen.sources.json_schema.document import Node
from structgen.sources.json_schema.facts import Conjunction
from structgen.sources.json_schema.values import is_spellable

_ANY_VALUE = frozenset(
    ("allOf", "anyOf", "oneOf", "not", "if", "$ref", "$dynamicRef", "$recursiveRef", "enum", "const")
)
# What may refuse null, false, 0, "", [] and {}, beside ``type`` and the keywords above.
_OF_TYPE: dict[str, frozenset[str]] = {
    "null": frozenset(),
    "boolean": frozenset(),
    "number": frozenset(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")),
    "string": frozenset(("minLength", "pattern", "format")),
    "array": frozenset(("minItems", "contains")),
    "object": frozenset(("required", "minProperties")),
}
_EVERY_TYPE = frozenset(_OF_TYPE)
_NONE: frozenset[str] = frozenset()


def plainly_has_value(conjunction: Conjunction) -> bool:
    """True when a simple value satisfies every subschema; False says nothing."""
    if len(conjunction) == 1 and _has_listed_value(conjunction[0]):
        return True
    types = _EVERY_TYPE
    for node in conjunction:
        types &= _simple_types(node)
        if not types:
            return False
    return True


def _simple_types(node: Node) -> frozenset[str]:
    """The types whose simplest value satisfies ``node``."""
    if node.negated or node.schema_of_either is not None or node.is_unknown:
        return _NONE
    if isinstance(node.schema, bool):
        return _EVERY_TYPE if node.schema else _NONE
    schema = node.keywords
    if not _ANY_VALUE.isdisjoint(schema):
        return _NONE
    return frozenset(name for name in _types(schema) if _OF_TYPE[name].isdisjoint(schema))


def _has_listed_value(node: Node) -> bool:
    """Is there a string, boolean or null in its ``enum`` that has its ``type``, which is all that it asks?"""
    if node.negated or node.schema_of_either is not None or isinstance(node.schema, bool):
        return False
    schema = node.keywords
    if "enum" not in schema or not schema.keys() <= _LISTING:
        return False
    types = _types(schema)
    return any(
        ("null" in types and value is None)
        or ("boolean" in types and isinstance(value, bool))
        or ("string" in types and isinstance(value, str) and is_spellable(value))
        for value in schema["enum"]
    )


_LISTING = frozenset(("type", "enum", "title", "description", "default", "$comment", "$schema"))


def _types(schema: Mapping[str, Any]) -> frozenset[str]:
    given = schema.get("type")
    if given is None:
        return _EVERY_TYPE
    names = (given,) if isinstance(given, str) else given
    return frozenset("number" if name == "integer" else name for name in names)
