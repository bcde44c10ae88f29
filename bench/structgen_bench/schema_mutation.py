"""Real schemas changed a little: a subschema dropped, doubled, negated, wrapped, swapped; keywords added."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator
from typing import Any

from structgen_bench.schema_generator import SchemaGenerator

_SINGLE = (
    "items", "additionalItems", "additionalProperties", "contains", "not", "if", "then", "else",
    "propertyNames", "unevaluatedItems", "unevaluatedProperties",
)  # fmt: skip
_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems", "items")
_TABLES = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies")
Place = tuple[Any, str | int]  # a subschema as (its container, its key there)


def places(schema: Any) -> Iterator[Place]:
    """Every subschema below the root, as the place that holds it."""
    waiting = [schema]
    while waiting:
        part = waiting.pop()
        if not isinstance(part, dict):
            continue
        found: list[Place] = [(part, keyword) for keyword in _SINGLE if keyword in part]
        for keyword in _LISTS:
            if isinstance(part.get(keyword), list):
                found += [(part[keyword], index) for index in range(len(part[keyword]))]
        for keyword in _TABLES:
            if isinstance(part.get(keyword), dict):
                found += [(part[keyword], name) for name in part[keyword]]
        for container, key in found:
            if isinstance(container[key], (dict, bool)):
                yield container, key
                waiting.append(container[key])


class SchemaMutator:
    """``mutated(schema)``: a changed copy, one to three changes."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self._changes: tuple[Callable[[Any, list[Place]], None], ...] = (
            self._drop, self._double, self._negate, self._wrap, self._swap, self._add_keywords,
            self._change_number, self._require, self._forbid_others,
        )  # fmt: skip

    def mutated(self, schema: Any) -> Any:
        schema = copy.deepcopy(schema)
        for _ in range(self.rng.choice((1, 1, 2, 3))):
            found = list(places(schema))
            self.rng.choice(self._changes)(schema, found)
        return schema

    def _some(self, found: list[Place]) -> Place | None:
        return self.rng.choice(found) if found else None

    def _drop(self, schema: Any, found: list[Place]) -> None:
        place = self._some(found)
        if place is not None:
            container, key = place
            if isinstance(container, dict):
                del container[key]
            elif len(container) > 1:
                del container[int(key)]

    def _double(self, schema: Any, found: list[Place]) -> None:
        place = self._some(found)
        if place is not None:
            container, key = place
            if isinstance(container, list):
                container.append(copy.deepcopy(container[int(key)]))
            else:
                inner = container[key]
                container[key] = {
                    self.rng.choice(("allOf", "anyOf", "oneOf")): [inner, copy.deepcopy(inner), {}]
                }

    def _negate(self, schema: Any, found: list[Place]) -> None:
        place = self._some(found)
        if place is not None:
            container, key = place
            container[key] = {"not": container[key]}
            if self.rng.random() < 0.5:
                container[key] = {"not": container[key]}

    def _wrap(self, schema: Any, found: list[Place]) -> None:
        place, other = self._some(found), self._some(found)
        if place is None or other is None:
            return
        container, key = place
        inner, beside = container[key], copy.deepcopy(other[0][other[1]])
        container[key] = self.rng.choice(
            (
                {"anyOf": [inner, beside]},
                {"oneOf": [inner, beside]},
                {"allOf": [inner, {"not": beside}]},
                {"if": beside, "then": inner},
                {"if": inner, "else": beside},
                {"type": "array", "items": inner, "uniqueItems": True, "maxItems": 3},
                {"type": "array", "contains": inner},
            )
        )

    def _swap(self, schema: Any, found: list[Place]) -> None:
        place, other = self._some(found), self._some(found)
        if place is not None and other is not None:
            first, second = place[0][place[1]], other[0][other[1]]
            place[0][place[1]], other[0][other[1]] = copy.deepcopy(second), copy.deepcopy(first)

    def _target(self, schema: Any, found: list[Place]) -> Any:
        place = self._some(found) if self.rng.random() < 0.7 else None
        return schema if place is None else place[0][place[1]]

    def _add_keywords(self, schema: Any, found: list[Place]) -> None:
        target = self._target(schema, found)
        if isinstance(target, dict):
            declared = schema.get("$schema") if isinstance(schema, dict) else None
            draft = 4 if isinstance(declared, str) and "draft-04" in declared else 7
            made = SchemaGenerator(self.rng, draft, depth=1).schema(1)
            if isinstance(made, dict):
                # no references: what they name is not in this schema
                target.update({k: v for k, v in made.items() if "$ref" not in str(v) and k != "$ref"})

    def _change_number(self, schema: Any, found: list[Place]) -> None:
        target = self._target(schema, found)
        if isinstance(target, dict):
            numbers = [k for k, v in target.items() if isinstance(v, int) and not isinstance(v, bool)]
            for keyword in numbers[:2]:
                target[keyword] = max(0, target[keyword] + self.rng.choice((-1, 1)))

    def _require(self, schema: Any, found: list[Place]) -> None:
        target = self._target(schema, found)
        if isinstance(target, dict):
            named = [*target["properties"]] if isinstance(target.get("properties"), dict) else []
            target["required"] = self.rng.sample([*named, "extra"], 1 + min(1, len(named)))

    def _forbid_others(self, schema: Any, found: list[Place]) -> None:
        target = self._target(schema, found)
        if isinstance(target, dict):
            target["additionalProperties"] = self.rng.choice((False, {"type": "string"}, {"not": {}}))
