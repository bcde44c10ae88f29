"""Subschemas that simple values satisfy: seen at a glance, before the normal forms of objects and arrays are
worked out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from structgen.sources.json_schema.assertions import child
from structgen.sources.json_schema.document import Node
from structgen.sources.json_schema.facts import Conjunction, LiteralFacts, NumberFacts, StringFacts
from structgen.sources.json_schema.keyword_sets import (
    ANY_VALUE,
    BESIDE_BOUND,
    BESIDE_LISTED,
    BESIDE_OPTIONS,
    HARMFUL,
    MAX_LENGTH,
    NOT_SCALAR,
)
from structgen.sources.json_schema.keywords import TYPE_NAMES
from structgen.sources.json_schema.normal_form import NormalForms
from structgen.sources.json_schema.numbers import is_number_empty
from structgen.sources.json_schema.string_samples import surely_has_string
from structgen.sources.json_schema.survey import Options
from structgen.sources.json_schema.values import ARRAY, is_spellable

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
_OF_ONE_TYPE = frozenset[str]().union(*_OF_TYPE.values())
_NONE: frozenset[str] = frozenset()
_NO_KEYWORDS: Mapping[str, Any] = {}
_DEEPEST = 6  # members and items in each other
_MOST_OPTIONS = 256  # of ``anyOf``


class Look(NamedTuple):
    """A look into a document. ``any_digits``: numbers may have any number of digits. ``known``: what is known
    to have a value, or none; what is found is added.
    """

    forms: NormalForms
    any_digits: bool
    known: dict[Conjunction, bool]
    depth: int = 0

    def deeper(self) -> Look:
        return Look(self.forms, self.any_digits, self.known, self.depth + 1)


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
        node, document = conjunction[0], look.forms.document
        return (
            (node is document.root and document.is_alive and look.any_digits)
            or bool(_simple_types(node))
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
    if node.negated or (node.is_made and (node.schema_of_either is not None or node.is_unknown)):
        return _NONE
    if isinstance(node.schema, bool):
        return _EVERY_TYPE if node.schema else _NONE
    schema = node.keywords
    if not ANY_VALUE.isdisjoint(schema):
        return _NONE
    types = _types(schema)
    if _OF_ONE_TYPE.isdisjoint(schema):  # as mostly
        return types
    return frozenset(name for name in types if _OF_TYPE[name].isdisjoint(schema))


def _has_listed_value(node: Node) -> bool:
    """Is there a string, boolean or null in ``enum`` or ``const`` that has its ``type``, if that is all?"""
    if node.negated or node.schema_of_either is not None or isinstance(node.schema, bool):
        return False
    schema = node.keywords
    if "enum" in schema:
        values = () if "const" in schema else schema["enum"]
    else:
        values = (schema["const"],) if "const" in schema else ()
    if not values or not BESIDE_LISTED.isdisjoint(schema):
        return False
    types = _types(schema)
    return any(_is_simple(value, types) for value in values)


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
        return BESIDE_OPTIONS.isdisjoint(schema) and _has_option(node, look)
    if NOT_SCALAR.isdisjoint(schema):
        return (look.any_digits and _has_number(schema)) or _has_scalar(node, look)
    if not _is_harmless(schema) or "enum" in schema or "const" in schema:
        return False
    types = _types(schema)
    return ("object" in types and _has_object(node, look)) or ("array" in types and _has_array(node, look))


def _is_harmless(schema: Mapping[str, Any]) -> bool:
    return (
        HARMFUL.isdisjoint(schema)
        and not isinstance(schema.get("items"), (list, tuple))
        and schema.get("maxLength", 0) <= MAX_LENGTH
        and schema.get("minLength", 0) <= MAX_LENGTH
    )


def _has_option(node: Node, look: Look) -> bool:
    """Have all options a value? One would do, but what the forms of the others raise has to be raised."""
    given = node.keywords["anyOf"]
    if look.any_digits and isinstance(given, Options) and given.is_alive:
        return True
    number = len(given)
    if number > _MOST_OPTIONS:
        return False
    options = [child(look.forms.document, node, "anyOf", i) for i in range(number)]
    for option in options:
        schema = option[0].keywords if option else _NO_KEYWORDS
        if "patternProperties" in schema and "required" not in schema:  # no name is held against them
            schema = {keyword: value for keyword, value in schema.items() if keyword != "patternProperties"}
        if _is_harmless(schema) or ("anyOf" in schema and BESIDE_OPTIONS.isdisjoint(schema)):
            continue  # of options in an option the same is asked
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
            inner = child(look.forms.document, node, "properties", name)
        elif "additionalProperties" in schema:
            inner = child(look.forms.document, node, "additionalProperties")
        else:
            inner = ()
        if not is_spellable(name) or not plainly_has_value(inner, look):
            return False
    return True


def _has_number(schema: Mapping[str, Any]) -> bool:
    """Is it a number or an integer with one bound, or none?"""
    given = schema.get("type")
    if given not in ("number", "integer") or not BESIDE_BOUND.isdisjoint(schema):
        return False
    return "minimum" not in schema or "maximum" not in schema


def _has_scalar(node: Node, look: Look) -> bool:
    """Has a subschema that speaks of scalars only, and of no other subschema, a number, string or literal?"""
    for group in look.forms.of((node,))[:ARRAY]:
        for facts in group:
            if isinstance(facts, StringFacts):
                found = surely_has_string(facts)
            elif isinstance(facts, NumberFacts):
                found = look.any_digits and not is_number_empty(facts)
            else:
                found = isinstance(facts, LiteralFacts) and bool(facts.values)
            if found:
                return True
    return False


def _has_array(node: Node, look: Look) -> bool:
    """The array of the fewest items."""
    schema = node.keywords
    least = schema.get("minItems", 0)
    if least > schema.get("maxItems", least):
        return False
    if "uniqueItems" in schema and least > 1:
        return False
    return (
        not least
        or "items" not in schema
        or plainly_has_value(child(look.forms.document, node, "items"), look)
    )


def _types(schema: Mapping[str, Any]) -> frozenset[str]:
    given = schema.get("type")
    if given is None:
        return _EVERY_TYPE
    if isinstance(given, str):
        return _ONE_TYPE[given]
    return frozenset("number" if name == "integer" else name for name in given)


_ONE_TYPE = {name: frozenset(("number" if name == "integer" else name,)) for name in TYPE_NAMES}
