"""The vocabulary of JSON Schema: which drafts know a keyword, what its value looks like.

The shapes are those of the drafts' meta-schemas, read leniently where the meaning is still plain
(booleans as schemas in draft 4, an empty or repeating ``required``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import IntEnum
from math import isfinite
from typing import Any

Schema = Any
"""A subschema as parsed from JSON: a mapping or a boolean once `Document` has checked it."""


class Draft(IntEnum):
    """A dialect. ``UNION``: no ``$schema`` given, every keyword is understood."""

    DRAFT4 = 4
    DRAFT6 = 6
    DRAFT7 = 7
    DRAFT2019 = 8
    DRAFT2020 = 9
    UNION = 10


# by the URI without its scheme and its empty fragment
DRAFT_OF_URI = {
    "json-schema.org/draft-04/schema": Draft.DRAFT4,
    "json-schema.org/draft-06/schema": Draft.DRAFT6,
    "json-schema.org/draft-07/schema": Draft.DRAFT7,
    "json-schema.org/draft/2019-09/schema": Draft.DRAFT2019,
    "json-schema.org/draft/2020-12/schema": Draft.DRAFT2020,
    # "the latest version", withdrawn by the specification
    "json-schema.org/schema": Draft.UNION,
}

TYPE_NAMES = ("null", "boolean", "number", "string", "array", "object", "integer")


def kind(value: object) -> str:
    """What a JSON value is called in an error message."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, str):
        return "a string"
    if isinstance(value, (list, tuple)):
        return "an array"
    if isinstance(value, Mapping):
        return "an object"
    return f"a Python {type(value).__name__}"


# A check returns what was expected, or '' when the value fits.
Check = Callable[[Any], str]


def _schema(value: Any) -> str:
    return (
        ""
        if type(value) is dict or isinstance(value, (bool, Mapping))
        else "a schema (an object or a boolean)"
    )


def _schemas(value: Any) -> str:
    return "" if isinstance(value, (list, tuple)) and value else "a non-empty array of schemas"


def _schema_or_list(value: Any) -> str:
    fits = type(value) is dict or isinstance(value, (bool, list, tuple, Mapping))
    return "" if fits else "a schema or an array of schemas"


def _object(value: Any) -> str:
    if type(value) is not dict and not isinstance(value, Mapping):
        return "an object"
    for name in value:
        if type(name) is not str and not isinstance(name, str):
            return "an object"
    return ""


def _dependencies(value: Any) -> str:
    if _object(value):
        return "an object"
    for dependency in value.values():
        if isinstance(dependency, (list, tuple)):
            if _strings(dependency):
                return "an object of schemas or arrays of strings"
        elif _schema(dependency):
            return "an object of schemas or arrays of strings"
    return ""


def _name_lists(value: Any) -> str:
    fits = not _object(value) and not any(_strings(names) for names in value.values())
    return "" if fits else "an object of arrays of strings"


def _string(value: Any) -> str:
    return "" if isinstance(value, str) else "a string"


def _strings(value: Any) -> str:
    if not isinstance(value, (list, tuple)):
        return "an array of strings"
    for item in value:
        if type(item) is not str and not isinstance(item, str):
            return "an array of strings"
    return ""


def _array(value: Any) -> str:
    return "" if isinstance(value, (list, tuple)) else "an array"


def _types(value: Any) -> str:
    if type(value) is str and value in TYPE_NAMES:  # as nearly always
        return ""
    names = (value,) if isinstance(value, str) else value
    fits = (
        isinstance(names, (list, tuple))
        and names
        and all(isinstance(name, str) and name in TYPE_NAMES for name in names)
    )
    return "" if fits else "one of " + ", ".join(sorted(TYPE_NAMES)) + ", or a non-empty array of these"


def _count(value: Any) -> str:
    fits = not _number(value) and value >= 0 and value == int(value)
    return "" if fits else "a non-negative integer"


def _number(value: Any) -> str:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return "a number"
    return "" if is_writable(value) else f"a finite number of at most {_MAX_DIGITS} digits"


# Python itself refuses to write more than 4,300 digits (sys.set_int_max_str_digits).
_MAX_DIGITS = 4000


def is_writable(value: int | float) -> bool:
    """Neither infinite nor of thousands of digits."""
    return isfinite(value) if isinstance(value, float) else value.bit_length() <= 3.3219 * _MAX_DIGITS


def _positive(value: Any) -> str:
    return "" if not _number(value) and value > 0 else "a number above 0"


def _boolean(value: Any) -> str:
    return "" if isinstance(value, bool) else "a boolean"


def _number_or_boolean(value: Any) -> str:
    return "" if isinstance(value, bool) or not _number(value) else "a number or a boolean"


def _any(value: Any) -> str:
    return ""


# Where a keyword's value holds subschemas: itself, the items of an array, the values of an object,
# or any of these that is there (``items``, ``dependencies``).
HERE, ITEMS, VALUES = "here", "items", "values"
HERE_OR_ITEMS, SCHEMA_VALUES = "here or items", "schema values"

_ALL = (Draft.DRAFT4, Draft.UNION)
_SINCE_6 = (Draft.DRAFT6, Draft.UNION)
_SINCE_7 = (Draft.DRAFT7, Draft.UNION)
_SINCE_2019 = (Draft.DRAFT2019, Draft.UNION)
_UNTIL_7 = (Draft.DRAFT4, Draft.DRAFT7)
_UNTIL_2019 = (Draft.DRAFT4, Draft.DRAFT2019)

# name -> (first and last draft, check, subschemas); ``UNION`` knows every keyword.
_KEYWORDS: dict[str, tuple[tuple[Draft, Draft], Check, str | None]] = {
    "$ref": (_ALL, _string, None),
    "$schema": (_ALL, _string, None),
    "id": ((Draft.DRAFT4, Draft.DRAFT4), _any, None),
    "$id": (_SINCE_6, _string, None),
    "$anchor": (_SINCE_2019, _string, None),
    "$dynamicAnchor": ((Draft.DRAFT2020, Draft.UNION), _string, None),
    "$dynamicRef": ((Draft.DRAFT2020, Draft.UNION), _string, None),
    "$recursiveRef": ((Draft.DRAFT2019, Draft.DRAFT2019), _string, None),
    "$defs": (_SINCE_2019, _object, VALUES),
    "definitions": (_ALL, _object, VALUES),
    "type": (_ALL, _types, None),
    "enum": (_ALL, _array, None),
    "const": (_SINCE_6, _any, None),
    "allOf": (_ALL, _schemas, ITEMS),
    "anyOf": (_ALL, _schemas, ITEMS),
    "oneOf": (_ALL, _schemas, ITEMS),
    "not": (_ALL, _schema, HERE),
    "if": (_SINCE_7, _schema, HERE),
    "then": (_SINCE_7, _schema, HERE),
    "else": (_SINCE_7, _schema, HERE),
    "minimum": (_ALL, _number, None),
    "maximum": (_ALL, _number, None),
    "exclusiveMinimum": (_ALL, _number_or_boolean, None),
    "exclusiveMaximum": (_ALL, _number_or_boolean, None),
    "multipleOf": (_ALL, _positive, None),
    "minLength": (_ALL, _count, None),
    "maxLength": (_ALL, _count, None),
    "pattern": (_ALL, _string, None),
    "format": (_ALL, _any, None),
    "items": (_ALL, _schema_or_list, HERE_OR_ITEMS),
    "prefixItems": ((Draft.DRAFT2020, Draft.UNION), _schemas, ITEMS),
    "additionalItems": (_UNTIL_2019, _schema, HERE),
    "contains": (_SINCE_6, _schema, HERE),
    "minContains": (_SINCE_2019, _count, None),
    "maxContains": (_SINCE_2019, _count, None),
    "minItems": (_ALL, _count, None),
    "maxItems": (_ALL, _count, None),
    "uniqueItems": (_ALL, _boolean, None),
    "unevaluatedItems": (_SINCE_2019, _schema, HERE),
    "properties": (_ALL, _object, VALUES),
    "patternProperties": (_ALL, _object, VALUES),
    "additionalProperties": (_ALL, _schema, HERE),
    "propertyNames": (_SINCE_6, _schema, HERE),
    "required": (_ALL, _strings, None),
    "minProperties": (_ALL, _count, None),
    "maxProperties": (_ALL, _count, None),
    "dependentRequired": (_SINCE_2019, _name_lists, None),
    "dependentSchemas": (_SINCE_2019, _object, VALUES),
    "dependencies": (_UNTIL_7, _dependencies, SCHEMA_VALUES),
    "unevaluatedProperties": (_SINCE_2019, _schema, HERE),
}


def _vocabulary(draft: Draft) -> dict[str, tuple[Check, str | None]]:
    known = {
        name: (check, subschemas)
        for name, ((first, last), check, subschemas) in _KEYWORDS.items()
        if first <= draft <= last or (draft is Draft.UNION and name != "id")
    }
    if draft is Draft.DRAFT4:
        known["exclusiveMinimum"] = known["exclusiveMaximum"] = (_boolean, None)
    elif draft is not Draft.UNION:
        known["exclusiveMinimum"] = known["exclusiveMaximum"] = (_number, None)
    if draft is Draft.DRAFT2020:
        known["items"] = (_schema, HERE)
    return known


VOCABULARIES = {draft: _vocabulary(draft) for draft in Draft}
"""For each draft: keyword -> (check of its value, where its subschemas are)."""
