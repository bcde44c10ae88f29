"""Sets of keywords: by what they speak of, and by what is plain where none of them is there."""

from __future__ import annotations

from structgen.sources.json_schema.keywords import VOCABULARIES

EITHER = ("either",)
"""The keyword, no string, of made subschemas that hold where one of several nodes does."""

UNKNOWN = ("unknown",)
"""The keyword of a made subschema of which nothing is known: neither it nor its negation refuses a value."""

NUMERIC_KEYWORDS = frozenset(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"))
STRING_KEYWORDS = frozenset(("minLength", "maxLength", "pattern", "format"))
ARRAY_KEYWORDS = frozenset(
    ["items", "prefixItems", "additionalItems", "contains", "minItems", "maxItems", "uniqueItems"]
)
OBJECT_KEYWORDS = frozenset(
    [
        "properties",
        "patternProperties",
        "additionalProperties",
        "propertyNames",
        "required",
        "minProperties",
        "maxProperties",
        "dependentRequired",
        "dependencies",
    ]
)
MAX_LENGTH = 50_000_000
"""Lengths are counted in state numbers, of which there are two thousand million."""
OWN = NUMERIC_KEYWORDS | STRING_KEYWORDS | ARRAY_KEYWORDS | OBJECT_KEYWORDS | {"type", "enum", "const"}
"""Keywords that this module gives a meaning."""


ASSERTING = OWN | {
    "$ref",
    "$dynamicRef",
    "$recursiveRef",
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "if",
    "dependentSchemas",
    "unevaluatedItems",
    "unevaluatedProperties",
}
"""Keywords that may refuse a value, or apply subschemas to it."""

SAYING = ASSERTING | {"$schema", EITHER, UNKNOWN}
"""All that can make a difference to what a subschema says: others are annotations, whether known or not."""

ANY_VALUE = frozenset(
    ("allOf", "anyOf", "oneOf", "not", "if", "$ref", "$dynamicRef", "$recursiveRef", "enum", "const")
)
OF_CONTAINERS = frozenset(
    (
        "items",
        "minItems",
        "maxItems",
        "uniqueItems",
        "properties",
        "additionalProperties",
        "required",
        "minProperties",
        "maxProperties",
    )
)
# Keywords whose forms are worked out without an error, so that it may be done later; with any of a document's
# unknown ones. The others are those that apply subschemas to the same value, that read patterns and formats,
# or that combine.
HARMFUL = (
    frozenset(keyword for known in VOCABULARIES.values() for keyword in known)
    - {
        "$schema",
        "$id",
        "id",
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
    }
    - OF_CONTAINERS
)
BESIDE_BOUND = frozenset(("enum", "const", "multipleOf", "exclusiveMinimum", "exclusiveMaximum"))
NOT_SCALAR = (HARMFUL - {"pattern", "format"}) | OF_CONTAINERS
BESIDE_LISTED = (OWN | HARMFUL) - {"type", "enum", "const", "$defs", "definitions", "id", "$id"}
BESIDE_OPTIONS = (OWN | HARMFUL) - {"anyOf", "definitions", "$defs"}
NO_PLAIN_OBJECT = ASSERTING - {"type", "properties", "required", "additionalProperties"}
NO_PLAIN_ARRAY = ASSERTING - {"type", "items", "minItems"}
