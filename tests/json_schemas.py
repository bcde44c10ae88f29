"""Random schemas, and values to try on them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import islice, permutations, product
from typing import Any

URIS = {
    4: "http://json-schema.org/draft-04/schema#",
    6: "http://json-schema.org/draft-06/schema#",
    7: "http://json-schema.org/draft-07/schema#",
    2019: "https://json-schema.org/draft/2019-09/schema",
    2020: "https://json-schema.org/draft/2020-12/schema",
}
NAMES = ["a", "b", "c", "é/~%"]
STRINGS = ["", "a", "ab", "b", "é", "😀a", '"\\', "aaa", "a" * 20, "😀" * 20 + "b", "é" * 22]
SCALARS = [None, True, False, 0, 1, -1, 2, 3, 1.0, 1.5, -0.0, 10, *STRINGS]
TYPES = ["null", "boolean", "integer", "number", "string", "array", "object"]
PATTERNS = ["^a", "b$", "^a*$", "é", "^.{1,2}$", "[^a]", "^(a|b)*$", ""]


class SchemaMaker:
    """Random schemas of one draft (None: without ``$schema``), with definitions to refer to."""

    def __init__(self, rng: random.Random, draft: int | None) -> None:
        self.rng = rng
        self.draft = draft
        self.modern = draft is None or draft >= 2020
        self.definitions = rng.randint(0, 3)

    def document(self) -> dict[str, Any]:
        schema = self.schema(3)
        while not isinstance(schema, dict):
            schema = self.schema(3)
        if self.definitions:
            schema["definitions"] = {f"d{i}": self.schema(2) for i in range(self.definitions)}
        return schema if self.draft is None else {"$schema": URIS[self.draft], **schema}

    def schema(self, depth: int) -> Any:
        rng = self.rng
        if self.draft != 4 and rng.random() < 0.06:
            return rng.random() < 0.5
        if depth <= 0:
            return rng.choice([{}, {"type": rng.choice(TYPES)}, {"enum": self.values(2)}])
        made: dict[str, Any] = {}
        if rng.random() < 0.6:
            made["type"] = rng.choice(TYPES) if rng.random() < 0.7 else rng.sample(TYPES, rng.randint(1, 3))
        groups = [
            self.strings,
            self.arrays,
            self.objects,
            self.objects,
            self.in_place,
            self.in_place,
            self.enumerated,
        ]
        for group in rng.sample(groups, rng.choice([0, 1, 1, 2, 3])):
            group(made, depth)
        if made.get("type") == "integer":
            self.bounds(made)
        items = list(made.items())
        rng.shuffle(items)
        return dict(items)

    def values(self, count: int) -> list[Any]:
        pool = [*SCALARS, [], [1], ["a", 1], {}, {"a": 1}, {"b": "a", "a": []}]
        picked: list[Any] = []
        for value in self.rng.sample(pool, count):
            same = [other for other in picked if value == other]
            if not any(isinstance(value, bool) == isinstance(other, bool) for other in same):
                picked.append(value)
        return picked

    def enumerated(self, made: dict[str, Any], depth: int) -> None:
        if self.draft != 4 and self.rng.random() < 0.3:
            made["const"] = self.values(1)[0]
        else:
            made["enum"] = self.values(self.rng.randint(1, 6))

    def strings(self, made: dict[str, Any], depth: int) -> None:
        if self.rng.random() < 0.5:
            made["minLength"] = self.rng.randint(0, 2)
        if self.rng.random() < 0.5:
            made["maxLength"] = self.rng.choice([0, 1, 2, 3, 20])
        if self.rng.random() < 0.4:
            made["pattern"] = self.rng.choice(PATTERNS)

    def bounds(self, made: dict[str, Any]) -> None:
        for name, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
            if self.rng.random() < 0.4:
                made[name] = self.rng.choice([-1, 0, 1, 2, 0.5, 1.5])
                if self.draft == 4 and self.rng.random() < 0.4:
                    made[exclusive] = self.rng.random() < 0.6
            if self.draft != 4 and self.rng.random() < 0.2:
                made[exclusive] = self.rng.choice([-1, 0, 2, 1.5, 3])

    def arrays(self, made: dict[str, Any], depth: int) -> None:
        rng = self.rng
        if rng.random() < 0.6:
            if self.modern or rng.random() < 0.5:
                made["items"] = self.schema(depth - 1)
            else:
                made["items"] = [self.schema(depth - 1) for _ in range(rng.randint(1, 2))]
                if rng.random() < 0.5:
                    made["additionalItems"] = rng.choice([False, self.schema(depth - 1)])
        if self.modern and rng.random() < 0.4:
            made["prefixItems"] = [self.schema(depth - 1) for _ in range(rng.randint(1, 2))]
        if rng.random() < 0.3:
            made["minItems"] = rng.randint(0, 2)
        if rng.random() < 0.3:
            made["maxItems"] = rng.randint(0, 3)
        if rng.random() < 0.15:
            made["uniqueItems"] = True
        if self.draft != 4 and rng.random() < 0.15:
            made["contains"] = self.schema(depth - 1)
            if (self.draft or 2020) >= 2019 and rng.random() < 0.4:
                made["minContains"] = rng.randint(0, 2)
            if (self.draft or 2020) >= 2019 and rng.random() < 0.4:
                made["maxContains"] = rng.randint(0, 2)
        if (self.draft or 2020) >= 2020 and rng.random() < 0.1:
            made["unevaluatedItems"] = rng.choice([False, self.schema(depth - 1)])

    def objects(self, made: dict[str, Any], depth: int) -> None:
        rng = self.rng
        if rng.random() < 0.8:
            made["properties"] = {
                name: self.schema(depth - 1) for name in rng.sample(NAMES, rng.randint(1, 3))
            }
        if rng.random() < 0.4:
            made["required"] = rng.sample(NAMES, rng.randint(1, 2))
        if rng.random() < 0.4:
            made["additionalProperties"] = rng.choice([False, True, self.schema(depth - 1)])
        if rng.random() < 0.15:
            pattern = rng.choice(["^a", "b$", "^.$", "c|z"])
            made["patternProperties"] = {pattern: self.schema(depth - 1)}
        if self.draft != 4 and rng.random() < 0.1:
            made["propertyNames"] = rng.choice(
                [{"maxLength": 1}, {"pattern": "^[a-c]"}, {"enum": ["a", "c", "z"]}, {"not": {"const": "a"}}]
            )
        if rng.random() < 0.15:
            made["minProperties"] = rng.randint(0, 2)
        if rng.random() < 0.15:
            made["maxProperties"] = rng.randint(0, 2)
        if rng.random() < 0.1:
            name, other = rng.sample(NAMES, 2)
            if (self.draft or 2020) >= 2019:
                made["dependentRequired"] = {name: [other]}
                if rng.random() < 0.5:
                    made["dependentSchemas"] = {other: self.schema(depth - 1)}
            else:
                made["dependencies"] = {name: [other]}
        if (self.draft or 2020) >= 2020 and rng.random() < 0.1:
            made["unevaluatedProperties"] = rng.choice([False, self.schema(depth - 1)])

    def in_place(self, made: dict[str, Any], depth: int) -> None:
        rng = self.rng
        keyword = rng.choice(["anyOf", "allOf", "$ref", "anyOf", "allOf", "$ref", "oneOf", "not", "if"])
        if keyword == "not":
            made["not"] = self.schema(min(depth - 1, 1))
            return
        if keyword == "if":
            for name in ("if", "then", "else") if (self.draft or 2020) >= 7 else ():
                if name == "if" or rng.random() < 0.7:
                    made[name] = self.schema(depth - 1)
            return
        if keyword != "$ref":
            made[keyword] = [self.schema(depth - 1) for _ in range(rng.randint(1, 3))]
            if rng.random() < 0.5:  # merges of objects and arrays are where the mistakes are
                group = rng.choice([self.objects, self.arrays])
                for inner in made[keyword]:
                    if isinstance(inner, dict):
                        group(inner, depth - 1)
                group(made, depth - 1)
        elif self.definitions:
            made["$ref"] = f"#/definitions/d{rng.randrange(self.definitions)}"


def random_values(rng: random.Random, schema: Any, count: int) -> list[Any]:
    """Values that the schema mentions, and others of the same make."""
    pool = [*SCALARS, *_mentioned(schema)]
    made = [rng.choice(pool) for _ in range(count // 4)]
    for _ in range(count - len(made)):
        made.append(_random_value(rng, pool, 2))
    return made


def _mentioned(schema: Any) -> Iterator[Any]:
    if isinstance(schema, dict):
        for keyword, inner in schema.items():
            if keyword == "enum" and isinstance(inner, list):
                yield from inner
            elif keyword == "const":
                yield inner
            yield from _mentioned(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from _mentioned(inner)


def _random_value(rng: random.Random, pool: list[Any], depth: int) -> Any:
    kind = rng.random()
    if depth == 0 or kind < 0.2:
        return rng.choice(pool)
    if kind < 0.55:
        return [_random_value(rng, pool, depth - 1) for _ in range(rng.randint(0, 3))]
    names = rng.sample([*NAMES, "z"], rng.randint(0, 3 if depth > 1 else 1))
    return {name: _random_value(rng, pool, depth - 1) for name in names}


def orders(value: Any, most: int = 500) -> list[Any]:
    """A value with the members of its objects in every order (no more than ``most`` of them)."""
    return list(islice(_orders(value, most), most))


def _orders(value: Any, most: int) -> Iterator[Any]:
    if isinstance(value, list):
        for items in product(*(orders(item, most) for item in value)):
            yield list(items)
    elif isinstance(value, dict):
        for names in permutations(value):
            for inner in product(*(orders(value[name], most) for name in names)):
                yield dict(zip(names, inner, strict=True))
    else:
        yield value
