"""Random JSON Schemas in which every keyword of every draft meets every other.

The pools are small on purpose (four property names, small integers, a dozen patterns), so that keywords say
something about the same values. ``weights`` switches groups of keywords on and off, so that an engine that
knows fewer of them can be tested on what it knows.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

from structgen_bench.oracle_formats import FORMATS

URIS = {
    4: "http://json-schema.org/draft-04/schema#",
    6: "http://json-schema.org/draft-06/schema#",
    7: "http://json-schema.org/draft-07/schema#",
    2019: "https://json-schema.org/draft/2019-09/schema",
    2020: "https://json-schema.org/draft/2020-12/schema",
}
DRAFTS = (2020, 2020, 2020, 7, 7, 4, 4, 2019, 6)
NAMES = ("a", "b", "ab", "c", "é/~%")
TYPES = ("null", "boolean", "integer", "number", "string", "array", "object")
STRINGS = ("", "a", "ab", "b", "abc", "é", "😀a", '"\\', "aaa", "1", "a" * 12, "😀" * 6 + "b")
NUMBERS = (0, 1, -1, 2, 3, 4, 5, 10, 1.0, 1.5, -0.0, 0.5, 0.1, 0.3, 2.25, -2.5, 100, 7)
PATTERNS = (
    "^a", "b$", "^a*$", "é", "^.{1,2}$", "[^a]", "^(a|b)*$", "", "^[a-c]+$", "\\d", "^\\w{2,}$", "a|b", "^$",
    "^(?:ab?)+$", "^\\S*$", "a.b", "[ab]{2}", "^[^\\s]{0,3}$", "^é?a", "\\u0061", "(?=a)", "^(?!ab)",
)  # fmt: skip
SMALL = (0, 1, 1, 2, 2, 3)

# How often each group of keywords is drawn, relative to one another.
WEIGHTS: dict[str, float] = {
    "strings": 2, "formats": 0.7, "numbers": 2, "multiples": 0.8, "arrays": 2, "contains": 1, "unique": 1,
    "unevaluated_items": 0.6, "objects": 4, "pattern_properties": 1, "names": 0.7, "sizes": 1,
    "dependent": 1, "unevaluated_properties": 0.8, "enum": 1.5, "all_of": 1, "any_of": 1.2, "one_of": 1.2,
    "not": 1, "if": 1, "ref": 1.5, "anchor": 0.4, "dynamic": 0.3, "annotations": 0.4,
}  # fmt: skip
# What structgen enforced in its first version; for validating the harness on it.
FIRST_VERSION: dict[str, float] = {
    "strings": 2, "arrays": 2, "objects": 4, "enum": 1.5, "all_of": 1, "any_of": 1.5, "ref": 1.5,
    "annotations": 0.3,
}  # fmt: skip


class SchemaGenerator:
    """Random schemas of one draft (None: without ``$schema``). `document` makes a whole one."""

    def __init__(
        self, rng: random.Random, draft: int | None, weights: Mapping[str, float] = WEIGHTS, depth: int = 3
    ) -> None:
        self.rng = rng
        self.declared = draft
        self.draft = 2020 if draft is None else draft
        self.depth = depth
        self.n_definitions = rng.choice((0, 0, 1, 2, 3))
        self.anchored = False
        self.dynamic = self.draft >= 2020 and weights.get("dynamic", 0) > 0 and rng.random() < 0.15
        makers: dict[str, Callable[[dict[str, Any], int], None]] = {
            name: getattr(self, f"_{name}") for name in WEIGHTS
        }
        self._makers = [(makers[name], weight) for name, weight in weights.items() if weight > 0]

    def document(self) -> dict[str, Any]:
        """A root schema, an object, with the definitions that it refers to."""
        schema = self.schema(self.depth)
        while not isinstance(schema, dict):
            schema = self.schema(self.depth)
        keyword = "$defs" if self.draft >= 2019 else "definitions"
        definitions = {f"d{i}": self.schema(self.depth - 1) for i in range(self.n_definitions)}
        if self.anchored:
            anchored = self._object_schema()
            if self.draft >= 2019:
                definitions["anchored"] = {"$anchor": "here", **anchored}
            else:
                definitions["anchored"] = {("id" if self.draft == 4 else "$id"): "#here", **anchored}
        if self.dynamic:
            definitions["dynamic"] = {"$dynamicAnchor": "node", **self._object_schema()}
        if definitions:
            schema[keyword] = definitions
        return schema if self.declared is None else {"$schema": URIS[self.draft], **schema}

    def schema(self, depth: int) -> Any:
        """A subschema, at most ``depth`` levels deep."""
        rng = self.rng
        if self.draft != 4 and rng.random() < 0.05:
            return rng.random() < 0.5
        made: dict[str, Any] = {}
        if depth <= 0:
            kind = rng.random()
            if kind < 0.55:
                made["type"] = rng.choice(TYPES)
            elif kind < 0.8:
                made["enum"] = self.values(rng.randint(1, 3), 0)
            return made
        if rng.random() < 0.5:
            made["type"] = rng.choice(TYPES) if rng.random() < 0.7 else rng.sample(TYPES, rng.randint(1, 3))
        for _ in range(rng.choice((0, 1, 1, 2, 2, 3))):
            makers, weights = zip(*self._makers, strict=True)
            rng.choices(makers, weights)[0](made, depth)
        items = list(made.items())
        rng.shuffle(items)
        return dict(items)

    def values(self, count: int, depth: int = 1) -> list[Any]:
        """Values for ``enum``, none of them twice (draft 4 wants that)."""
        made: list[Any] = []
        for _ in range(count):
            value = random_value(self.rng, (), depth)
            if all(repr(_typed(value)) != repr(_typed(other)) for other in made):
                made.append(value)
        return made

    def _object_schema(self) -> dict[str, Any]:
        schema = self.schema(1)
        return schema if isinstance(schema, dict) else {}

    def _schemas(self, depth: int, most: int = 3) -> list[Any]:
        return [self.schema(depth - 1) for _ in range(self.rng.randint(1, most))]

    def _table(self, depth: int, names: tuple[str, ...], most: int = 3) -> dict[str, Any]:
        chosen = self.rng.sample(names, self.rng.randint(1, min(most, len(names))))
        return {name: self.schema(depth - 1) for name in chosen}

    # The keywords, group by group

    def _strings(self, made: dict[str, Any], depth: int) -> None:
        if self.rng.random() < 0.5:
            made["minLength"] = self.rng.choice(SMALL)
        if self.rng.random() < 0.5:
            made["maxLength"] = self.rng.choice((0, 1, 2, 3, 20))
        if self.rng.random() < 0.5:
            made["pattern"] = self.rng.choice(PATTERNS)

    def _formats(self, made: dict[str, Any], depth: int) -> None:
        made["format"] = self.rng.choice((*FORMATS, "no-such-format"))

    def _numbers(self, made: dict[str, Any], depth: int) -> None:
        for name, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
            if self.rng.random() < 0.5:
                made[name] = self.rng.choice(NUMBERS)
                if self.draft == 4 and self.rng.random() < 0.4:
                    made[exclusive] = self.rng.random() < 0.6
            if self.draft != 4 and self.rng.random() < 0.3:
                made[exclusive] = self.rng.choice(NUMBERS)

    def _multiples(self, made: dict[str, Any], depth: int) -> None:
        made["multipleOf"] = self.rng.choice((1, 2, 3, 0.5, 0.1, 1.5, 0.25, 0.01, 7))

    def _arrays(self, made: dict[str, Any], depth: int) -> None:
        rng = self.rng
        if self.draft >= 2020:
            if rng.random() < 0.6:
                made["items"] = self.schema(depth - 1)
            if rng.random() < 0.5:
                made["prefixItems"] = self._schemas(depth)
        elif rng.random() < 0.8:
            if rng.random() < 0.5:
                made["items"] = self.schema(depth - 1)
            else:
                made["items"] = self._schemas(depth)
            if rng.random() < 0.5:
                made["additionalItems"] = rng.choice((False, self.schema(depth - 1)))
        if rng.random() < 0.3:
            made["minItems"] = rng.choice(SMALL)
        if rng.random() < 0.3:
            made["maxItems"] = rng.choice(SMALL)

    def _contains(self, made: dict[str, Any], depth: int) -> None:
        if self.draft == 4:
            return
        made["contains"] = self.schema(depth - 1)
        if self.draft >= 2019:
            if self.rng.random() < 0.4:
                made["minContains"] = self.rng.choice(SMALL)
            if self.rng.random() < 0.4:
                made["maxContains"] = self.rng.choice(SMALL)

    def _unique(self, made: dict[str, Any], depth: int) -> None:
        made["uniqueItems"] = self.rng.random() < 0.9
        if self.rng.random() < 0.3:
            made["items"] = {"enum": self.values(3)}

    def _unevaluated_items(self, made: dict[str, Any], depth: int) -> None:
        if self.draft >= 2019:
            made["unevaluatedItems"] = self.rng.choice((False, False, self.schema(depth - 1)))

    def _objects(self, made: dict[str, Any], depth: int) -> None:
        rng = self.rng
        if rng.random() < 0.85:
            made["properties"] = self._table(depth, NAMES)
        if rng.random() < 0.4:
            made["required"] = rng.sample(NAMES, rng.randint(1, 2))
        if rng.random() < 0.4:
            made["additionalProperties"] = rng.choice((False, True, self.schema(depth - 1)))

    def _pattern_properties(self, made: dict[str, Any], depth: int) -> None:
        made["patternProperties"] = self._table(depth, PATTERNS, 2)

    def _names(self, made: dict[str, Any], depth: int) -> None:
        if self.draft == 4:
            return
        made["propertyNames"] = self.rng.choice(
            (
                {"pattern": self.rng.choice(PATTERNS)},
                {"maxLength": self.rng.choice(SMALL)},
                {"enum": self.rng.sample(NAMES, 2)},
                self.schema(depth - 1),
            )
        )

    def _sizes(self, made: dict[str, Any], depth: int) -> None:
        if self.rng.random() < 0.6:
            made["minProperties"] = self.rng.choice(SMALL)
        if self.rng.random() < 0.6:
            made["maxProperties"] = self.rng.choice(SMALL)

    def _dependent(self, made: dict[str, Any], depth: int) -> None:
        rng = self.rng
        names = rng.sample(NAMES, 2)
        if self.draft >= 2019:
            if rng.random() < 0.5:
                made["dependentRequired"] = {names[0]: [names[1]]}
            if rng.random() < 0.6:
                made["dependentSchemas"] = {names[1]: self.schema(depth - 1)}
        else:
            made["dependencies"] = {names[0]: rng.choice(([names[1]], self.schema(depth - 1)))}

    def _unevaluated_properties(self, made: dict[str, Any], depth: int) -> None:
        if self.draft >= 2019:
            made["unevaluatedProperties"] = self.rng.choice((False, False, self.schema(depth - 1)))

    def _enum(self, made: dict[str, Any], depth: int) -> None:
        if self.draft != 4 and self.rng.random() < 0.4:
            made["const"] = self.values(1)[0]
        else:
            made["enum"] = self.values(self.rng.randint(1, 6))

    def _all_of(self, made: dict[str, Any], depth: int) -> None:
        made["allOf"] = self._schemas(depth)

    def _any_of(self, made: dict[str, Any], depth: int) -> None:
        made["anyOf"] = self._schemas(depth)

    def _one_of(self, made: dict[str, Any], depth: int) -> None:
        made["oneOf"] = self._schemas(depth)

    def _not(self, made: dict[str, Any], depth: int) -> None:
        made["not"] = self.schema(depth - 1)

    def _if(self, made: dict[str, Any], depth: int) -> None:
        if self.draft in (4, 6):
            return
        made["if"] = self.schema(depth - 1)
        for branch in ("then", "else"):
            if self.rng.random() < 0.7:
                made[branch] = self.schema(depth - 1)

    def _ref(self, made: dict[str, Any], depth: int) -> None:
        if self.n_definitions and self.rng.random() < 0.8:
            keyword = "$defs" if self.draft >= 2019 else "definitions"
            made["$ref"] = f"#/{keyword}/d{self.rng.randrange(self.n_definitions)}"
        elif depth < self.depth and self.rng.random() < 0.3:
            made["$ref"] = "#"

    def _anchor(self, made: dict[str, Any], depth: int) -> None:
        self.anchored = True
        made["$ref"] = "#here"

    def _dynamic(self, made: dict[str, Any], depth: int) -> None:
        if self.draft == 2019 and depth < self.depth:
            made["$recursiveRef"] = "#"
        elif self.dynamic:
            made["$dynamicRef"] = "#node"

    def _annotations(self, made: dict[str, Any], depth: int) -> None:
        made[self.rng.choice(("title", "description", "$comment", "x-note"))] = "text"
        if self.rng.random() < 0.3:
            made["default"] = self.values(1)[0]


def random_value(rng: random.Random, pool: tuple[Any, ...], depth: int) -> Any:
    """A JSON value, from ``pool`` or made up."""
    kind = rng.random()
    if pool and kind < 0.35:
        return rng.choice(pool)
    if depth <= 0 or kind < 0.6:
        return rng.choice((None, True, False, rng.choice(NUMBERS), rng.choice(NUMBERS), rng.choice(STRINGS)))
    if kind < 0.78:
        items = [random_value(rng, pool, depth - 1) for _ in range(rng.randint(0, 4))]
        return items + items[:1] if rng.random() < 0.15 else items
    names = rng.sample((*NAMES, "z"), rng.randint(0, 4))
    return {name: random_value(rng, pool, depth - 1) for name in names}


def _typed(value: Any) -> Any:
    """Equal values alike (1 and 1.0), others not (1 and true)."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, (int, float)):
        return float(value) + 0.0
    if isinstance(value, list):
        return [_typed(item) for item in value]
    return {name: _typed(value[name]) for name in sorted(value)}
