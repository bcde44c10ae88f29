"""Which schemas use nothing but the keywords of structgen's first version (``--subset supported``).

The schema is walked as a schema (a property may well be called "not"), from its root, through the
keywords that hold schemas and through local references.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

ENFORCED = frozenset(
    (
        "type",
        "enum",
        "const",
        "anyOf",
        "$ref",
        "properties",
        "required",
        "additionalProperties",
        "items",
        "prefixItems",
        "minItems",
        "maxItems",
        "minLength",
        "maxLength",
        "pattern",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
    )
)
# Everything else that asserts something in some draft. What is neither here nor above is an annotation.
OTHER_ASSERTIONS = frozenset(
    (
        "not",
        "allOf",
        "oneOf",
        "if",
        "dependencies",
        "dependentRequired",
        "dependentSchemas",
        "contains",
        "uniqueItems",
        "minProperties",
        "maxProperties",
        "patternProperties",
        "propertyNames",
        "multipleOf",
        "unevaluatedItems",
        "unevaluatedProperties",
        "$dynamicRef",
        "$recursiveRef",
        "divisibleBy",
        "disallow",
        "extends",
    )
)
# An unknown format is an annotation; these are the known ones of all drafts.
FORMATS = frozenset(
    (
        "date-time",
        "date",
        "time",
        "duration",
        "email",
        "idn-email",
        "hostname",
        "idn-hostname",
        "ipv4",
        "ipv6",
        "uri",
        "uri-reference",
        "iri",
        "iri-reference",
        "uuid",
        "uri-template",
        "json-pointer",
        "relative-json-pointer",
        "regex",
        "color",
        "ip-address",
        "host-name",
        "phone",
        "style",
        "utc-millisec",
    )
)
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")


def outside_subset(schema: Any) -> list[tuple[str, str]]:
    """The places (JSON Pointer, keyword) that ask for more than `ENFORCED`; none: it is in the subset."""
    found: list[tuple[str, str]] = []
    seen: set[str] = set()
    waiting: list[tuple[str, Any]] = [("", schema)]
    while waiting:
        pointer, part = waiting.pop()
        if pointer in seen:
            continue
        seen.add(pointer)
        if isinstance(part, bool):
            continue
        if not isinstance(part, dict):
            found.append((pointer, "not a schema"))
            continue
        found.extend((f"{pointer}/{_escape(keyword)}", keyword) for keyword in _beyond(part))
        waiting.extend((pointer + step, inner) for step, inner in _subschemas(part))
        reference = part.get("$ref")
        if isinstance(reference, str):
            target = _resolve(schema, reference)
            if target is None:
                found.append((f"{pointer}/$ref", "$ref"))
            else:
                waiting.append(target)
    return found


def _beyond(part: dict[str, Any]) -> list[str]:
    beyond = [keyword for keyword in part if keyword in OTHER_ASSERTIONS]
    if part.get("format") in FORMATS:
        beyond.append("format")
    kinds = part.get("type")
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if any(bound in part for bound in _BOUNDS) and (not isinstance(kinds, list) or "number" in kinds):
        beyond.append("bounds on numbers that need not be integers")
    if isinstance(part.get("items"), list) and part.get("additionalItems", True) not in (True, {}):
        beyond.append("additionalItems")
    if isinstance(part.get("required"), bool):  # draft 3
        beyond.append("required")
    return beyond


def _subschemas(part: dict[str, Any]) -> list[tuple[str, Any]]:
    inner: list[tuple[str, Any]] = []
    properties = part.get("properties")
    if isinstance(properties, dict):
        inner.extend((f"/properties/{_escape(name)}", value) for name, value in properties.items())
    for keyword in ("anyOf", "prefixItems", "items"):
        value = part.get(keyword)
        if isinstance(value, list):
            inner.extend((f"/{keyword}/{index}", item) for index, item in enumerate(value))
        elif keyword == "items" and keyword in part:
            inner.append(("/items", value))
    if "additionalProperties" in part:
        inner.append(("/additionalProperties", part["additionalProperties"]))
    return inner


def _resolve(schema: Any, reference: str) -> tuple[str, Any] | None:
    """(JSON Pointer, subschema) of a reference within the document, None for any other."""
    if reference != "#" and not reference.startswith("#/"):
        return None
    pointer = unquote(reference[1:])
    part = schema
    for step in pointer.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(part, dict) and name in part:
            part = part[name]
        elif isinstance(part, list) and name.isdecimal() and int(name) < len(part):
            part = part[int(name)]
        else:
            return None
    return pointer, part


def _escape(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
