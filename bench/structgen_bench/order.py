"""An instance with its properties in the order of the schema.

Engines that keep the schema's order refuse a valid instance that is written in another one. MaskBench's
instances were put in order where llguidance compiles the schema, and only there; so before a refusal is
counted as wrong, the instance is tried in order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jsonschema.exceptions import SchemaError
from jsonschema.validators import Draft202012Validator, validator_for
from referencing import Registry, Resource
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012, specification_with

_MOST_STEPS = 200_000  # visits of (value, subschema); beyond it the instance stays as it is
_DEEPEST = 32  # references and branches that apply to one value
_Place = tuple[Any, dict[str, Any]]  # a subschema, and the resolver of the references in it


def in_schema_order(data: Any, schema: Any) -> Any:
    """``data`` with the keys of every object in the order of ``properties``, other keys after them.

    Where several subschemas apply (``allOf``, the branches of ``anyOf`` and ``oneOf`` that the value
    satisfies), the first that names a key places it. Unresolvable references place nothing.
    """
    if not isinstance(schema, dict):
        return data
    declared = schema.get("$schema")
    specification = specification_with(declared if isinstance(declared, str) else "", default=DRAFT202012)
    resource: Any = Resource(contents=schema, specification=specification)
    registry: Any = Registry()
    resolver = registry.with_resource("", resource).resolver_with_root(resource)
    validator = validator_for(schema, default=Draft202012Validator)(schema)
    return _Orderer(validator).ordered(data, [(resolver, schema)])


class _Orderer:
    def __init__(self, validator: Any) -> None:
        self._validator = validator
        self._steps = 0

    def ordered(self, value: Any, places: list[_Place]) -> Any:
        """``places``: the subschemas that apply to the value."""
        self._steps += 1
        if self._steps > _MOST_STEPS or not isinstance(value, (dict, list)):
            return value
        applying = [found for place in places for found in self._applying(value, place, 0)]
        if isinstance(value, list):
            return [self.ordered(item, _inner(applying, _item, index)) for index, item in enumerate(value)]
        names = dict.fromkeys(
            name for _, schema in applying for name in _mapping(schema, "properties") if name in value
        )
        names |= dict.fromkeys(value)
        return {name: self.ordered(value[name], _inner(applying, _property, name)) for name in names}

    def _applying(self, value: Any, place: _Place, depth: int) -> list[_Place]:
        """The subschema itself, then what it refers to and combines, as far as the value satisfies it."""
        resolver, schema = place
        if depth > _DEEPEST:
            return []
        found = [place]
        reference = schema.get("$ref")
        if isinstance(reference, str):
            try:
                resolved = resolver.lookup(reference)
            except Unresolvable:
                resolved = None
            if resolved is not None and isinstance(resolved.contents, dict):
                found += self._applying(value, (resolved.resolver, resolved.contents), depth + 1)
        for keyword in ("allOf", "anyOf", "oneOf"):
            branches = schema.get(keyword)
            for branch in branches if isinstance(branches, list) else []:
                if isinstance(branch, dict) and (keyword == "allOf" or self._is_valid(branch, value)):
                    found += self._applying(value, (resolver, branch), depth + 1)
        return found

    def _is_valid(self, schema: dict[str, Any], value: Any) -> bool:
        self._steps += 100
        try:
            return bool(self._validator.evolve(schema=schema).is_valid(value))
        except (Unresolvable, SchemaError, RecursionError):
            return False


def _inner(places: list[_Place], step: Callable[[dict[str, Any], Any], Any], name: str | int) -> list[_Place]:
    """The subschemas of a property or an item."""
    found = [(resolver, step(schema, name)) for resolver, schema in places]
    return [(resolver, schema) for resolver, schema in found if isinstance(schema, dict)]


def _mapping(schema: dict[str, Any], keyword: str) -> dict[str, Any]:
    found = schema.get(keyword)
    return found if isinstance(found, dict) else {}


def _property(schema: dict[str, Any], name: str) -> Any:
    properties = _mapping(schema, "properties")
    return properties[name] if name in properties else schema.get("additionalProperties")


def _item(schema: dict[str, Any], place: int) -> Any:
    for keyword in ("prefixItems", "items"):
        items = schema.get(keyword)
        if isinstance(items, list) and place < len(items):
            return items[place]
    items = schema.get("items")
    return items if isinstance(items, dict) else None
