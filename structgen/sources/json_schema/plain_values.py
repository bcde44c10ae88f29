"""Subschemas that the simplest values satisfy: seen at a glance, before their normal forms are worked out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from structgen.sources.json_schema.assertions import MAX_LENGTH, OWN, child
from structgen.sources.json_schema.document import Document, Node
from structgen.sources.json_schema.facts import Conjunction
from structgen.sources.json_schema.keywords import TYPE_NAMES, VOCABULARIES
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


# Keywords whose forms are worked out without an error, so that it may be done later; with any of a document's
# unknown ones. The others are those that apply subschemas to the same value, that read patterns and formats,
# or that combine.
_HARMFUL = frozenset(keyword for known in VOCABULARIES.values() for keyword in known) - {
    "$schema",
    "$anchor",
    "$defs",
    "definitions",
    "type",
    "enum",
    "const",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "items",
    "minItems",
    "maxItems",
    "properties",
    "additionalProperties",
    "required",
    "minProperties",
    "maxProperties",
}
_OTHER_THAN_ANY_OF = (OWN | _HARMFUL) - {"anyOf", "definitions", "$defs"}
_DEEPEST = 6  # members and items in each other
_MOST_OPTIONS = 256  # of ``anyOf``


class Look(NamedTuple):
    """A look into ``document``. ``any_digits``: numbers may have any number of digits. ``known``: what is
    known to have a value, or none; what is found is added.
    """

    document: Document
    any_digits: bool
    known: dict[Conjunction, bool]
    depth: int = 0

    def deeper(self) -> Look:
        return self._replace(depth=self.depth + 1)


def plainly_has_value(conjunction: Conjunction, look: Look) -> bool:
    """True when a simple value satisfies every subschema; False says nothing.

    True comes without an error that the form of what was looked at would have raised.
    """
    if not conjunction:
        return True
    known = look.known.get(conjunction)
    if known is None:
        known = _has_plain_value(conjunction, look)
        if known:
            look.known[conjunction] = True
    return known


def _has_plain_value(conjunction: Conjunction, look: Look) -> bool:
    if len(conjunction) == 1:
        node = conjunction[0]
        return (
            bool(_simple_types(node))
            or _has_listed_value(node)
            or (look.depth < _DEEPEST and _has_made_value(node, look.deeper()))
        )
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
    if "enum" not in schema or not _BESIDE_LISTING.isdisjoint(schema):
        return False
    types = _types(schema)
    return any(_is_simple(value, types) for value in schema["enum"])


def _is_simple(value: object, types: frozenset[str]) -> bool:
    """A string, boolean or null of one of these types?"""
    return (
        ("string" in types and isinstance(value, str) and is_spellable(value))
        or ("null" in types and value is None)
        or ("boolean" in types and isinstance(value, bool))
    )


def _has_made_value(node: Node, look: Look) -> bool:
    """Is there plainly a value that needs more than being the simplest one of its type?"""
    if node.negated or node.schema_of_either is not None or isinstance(node.schema, bool):
        return False
    schema = node.keywords
    if "anyOf" in schema:
        return _OTHER_THAN_ANY_OF.isdisjoint(schema) and _has_option(node, look)
    if not _is_harmless(schema) or "enum" in schema:
        return False
    if "const" in schema:
        value = schema["const"]
        return _is_simple(value, _types(schema)) and OWN.isdisjoint(schema.keys() - {"type", "const"})
    types = _types(schema)
    return (
        ("object" in types and _has_object(node, look))
        or ("string" in types and schema.get("minLength", 0) <= schema.get("maxLength", MAX_LENGTH))
        or ("number" in types and look.any_digits and _has_number(schema))
        or ("array" in types and _has_array(node, look))
    )


def _is_harmless(schema: Mapping[str, Any]) -> bool:
    return (
        _HARMFUL.isdisjoint(schema)
        and not isinstance(schema.get("items"), (list, tuple))
        and schema.get("maxLength", 0) <= MAX_LENGTH
        and schema.get("minLength", 0) <= MAX_LENGTH
    )


def _has_option(node: Node, look: Look) -> bool:
    """Have all options a value? One would do, but what the forms of the others raise has to be raised."""
    number = len(node.keywords["anyOf"])
    if number > _MOST_OPTIONS:
        return False
    options = [child(look.document, node, "anyOf", i) for i in range(number)]
    for option in options:
        if option and not _is_harmless(option[0].keywords):
            return False
    return all(plainly_has_value(option, look) for option in options)


def _has_object(node: Node, look: Look) -> bool:
    """The object of just the required members."""
    schema = node.keywords
    required = dict.fromkeys(schema.get("required", ()))
    if schema.get("minProperties", 0) > len(required) or schema.get("maxProperties", len(required)) < len(
        required
    ):
        return False
    properties = schema.get("properties", {})
    for name in required:
        if name in properties:
            inner = child(look.document, node, "properties", name)
        elif "additionalProperties" in schema:
            inner = child(look.document, node, "additionalProperties")
        else:
            inner = ()
        if not is_spellable(name) or not plainly_has_value(inner, look):
            return False
    return True


def _has_number(schema: Mapping[str, Any]) -> bool:
    """A bound, or an integer as the lower of two bounds."""
    low, high = schema.get("minimum"), schema.get("maximum")
    if "multipleOf" in schema:
        return False
    if "exclusiveMinimum" in schema or "exclusiveMaximum" in schema:
        # as numbers they are bounds of their own, as booleans they sharpen those beside them
        return not ("minimum" in schema or "maximum" in schema) and _is_one_number_of(
            schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
        )
    if low is None or high is None:
        return True
    return type(low) is int and low <= high


def _is_one_number_of(low: object, high: object) -> bool:
    return (low is None) != (high is None) and not isinstance(low, bool) and not isinstance(high, bool)


def _has_array(node: Node, look: Look) -> bool:
    """The array of the fewest items."""
    schema = node.keywords
    least = schema.get("minItems", 0)
    if least > schema.get("maxItems", least):
        return False
    return not least or "items" not in schema or plainly_has_value(child(look.document, node, "items"), look)


_BESIDE_LISTING = (OWN | _HARMFUL) - {"type", "enum", "$defs", "definitions"}


def _types(schema: Mapping[str, Any]) -> frozenset[str]:
    given = schema.get("type")
    if given is None:
        return _EVERY_TYPE
    if isinstance(given, str):
        return _ONE_TYPE[given]
    names = given
    return frozenset("number" if name == "integer" else name for name in names)


_ONE_TYPE = {name: frozenset(("number" if name == "integer" else name,)) for name in TYPE_NAMES}
