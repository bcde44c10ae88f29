"""Values to try on a schema: led by its keywords, taken from its constants, and changed a little."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from structgen_bench.oracle_formats import KNOWN
from structgen_bench.schema_generator import NAMES, NUMBERS, STRINGS, TYPES, random_value

_MOST_MENTIONED = 200
_LARGEST_MENTIONED = 400  # characters of a value's JSON
_NUMERIC = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")


class InstanceMaker:
    """Values for one schema. ``names`` and ``values``: the property names and constants that it mentions."""

    def __init__(self, rng: random.Random, schema: Any) -> None:
        self.rng = rng
        self.schema = schema
        names: dict[str, None] = {}
        values: list[Any] = []
        for keyword, value in _keywords(schema):
            _collect(keyword, value, names, values)
        self.names = tuple(names)[:_MOST_MENTIONED] or NAMES
        self.values = tuple(value for value in values if len(repr(value)) < _LARGEST_MENTIONED)
        self.values = self.values[:_MOST_MENTIONED]

    def hints(self) -> list[bytes]:
        """Texts that a walk over the masks may try: keys and constants as JSON."""
        made = [json.dumps(name, ensure_ascii=False) for name in self.names[:40]]
        for value in self.values[:40]:
            made.append(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
        return [text.encode() for text in made if text.isprintable() and _encodable(text)]

    def candidates(self, count: int) -> Iterator[Any]:
        """``count`` values, those led by the schema mixed with others."""
        made: list[Any] = []
        for _ in range(count):
            kind = self.rng.random()
            if kind < 0.55 or not made:
                value = self.led(self.schema, 5)
            elif kind < 0.85:
                value = self.changed(self.rng.choice(made))
            else:
                value = random_value(self.rng, self.values, 2)
            made.append(value)
            yield value

    def led(self, schema: Any, depth: int) -> Any:
        """A value that follows the keywords of the schema where that is easy, and often is valid."""
        rng = self.rng
        parts = list(self._applying(schema, 0))
        if depth <= 0 or not parts or rng.random() < 0.05:
            return random_value(rng, self.values, 1)
        for part in parts:
            if "const" in part:
                return copy.deepcopy(part["const"])
            if isinstance(part.get("enum"), list) and part["enum"] and rng.random() < 0.9:
                return copy.deepcopy(rng.choice(part["enum"]))
        kind = self._kind(parts)
        if kind == "object":
            return self._object(parts, depth)
        if kind == "array":
            return self._array(parts, depth)
        if kind == "string":
            return self._string(parts)
        if kind in ("integer", "number"):
            pool = [*NUMBERS, *(v for v in self.values if isinstance(v, (int, float)))]
            number = rng.choice([n for n in pool if not isinstance(n, bool)])
            return int(number) if kind == "integer" and abs(number) < 1e15 and rng.random() < 0.9 else number
        return rng.choice((True, False)) if kind == "boolean" else None

    def _applying(self, schema: Any, depth: int) -> Iterator[dict[str, Any]]:
        """The schema, and what it refers to and combines: one branch of each choice."""
        if not isinstance(schema, dict) or depth > 6:
            return
        yield schema
        reference = schema.get("$ref", schema.get("$dynamicRef"))
        if isinstance(reference, str):
            yield from self._applying(_lookup(self.schema, reference), depth + 1)
        if isinstance(schema.get("allOf"), list):
            for branch in schema["allOf"]:
                yield from self._applying(branch, depth + 1)
        for keyword in ("anyOf", "oneOf"):
            branches = schema.get(keyword)
            if isinstance(branches, list) and branches:
                yield from self._applying(self.rng.choice(branches), depth + 1)
        if "if" in schema:
            taken = self.rng.choice((("if", "then"), ("else",)))
            for keyword in taken:
                yield from self._applying(schema.get(keyword), depth + 1)
        if isinstance(schema.get("dependentSchemas"), dict) and self.rng.random() < 0.5:
            for branch in schema["dependentSchemas"].values():
                yield from self._applying(branch, depth + 1)

    def _kind(self, parts: list[dict[str, Any]]) -> str:
        rng = self.rng
        wanted = [
            part["type"] for part in parts if isinstance(part.get("type"), (str, list)) and part["type"]
        ]
        if wanted:
            kind = rng.choice(wanted)
            return str(kind if isinstance(kind, str) else rng.choice(kind))
        keywords = {keyword for part in parts for keyword in part}
        if keywords & {
            "properties",
            "required",
            "additionalProperties",
            "patternProperties",
            "minProperties",
        }:
            return "object"
        if keywords & {"items", "prefixItems", "contains", "uniqueItems", "minItems", "unevaluatedItems"}:
            return "array"
        if keywords & {"pattern", "minLength", "maxLength", "format"}:
            return "string"
        return rng.choice(TYPES)

    def _object(self, parts: list[dict[str, Any]], depth: int) -> dict[str, Any]:
        rng = self.rng
        made: dict[str, Any] = {}
        for part in parts:
            required = part.get("required")
            required = [n for n in required if isinstance(n, str)] if isinstance(required, list) else []
            table = part.get("properties") if isinstance(part.get("properties"), dict) else {}
            for name, inner in table.items():
                if rng.random() < (0.95 if name in required else 0.5):
                    made.setdefault(name, self.led(inner, depth - 1))
            other = part.get("additionalProperties", part.get("unevaluatedProperties", True))
            for name in required:
                if name not in made and rng.random() < 0.95:
                    made[name] = self.led(other, depth - 1)
            if other is not False and rng.random() < 0.3:
                made.setdefault(rng.choice(self.names), self.led(other, depth - 1))
        if rng.random() < 0.1:
            made[rng.choice((*self.names, "z", "aa", "abc", "1"))] = random_value(rng, self.values, 1)
        if rng.random() < 0.3:
            names = rng.sample(list(made), len(made))
            made = {name: made[name] for name in names}
        return made

    def _array(self, parts: list[dict[str, Any]], depth: int) -> list[Any]:
        rng = self.rng
        prefix: list[Any] = []
        rest: list[Any] = []
        least = 0
        for part in parts:
            items = part.get("items")
            first = part.get("prefixItems", items if isinstance(items, list) else [])
            prefix = first if isinstance(first, list) and len(first) > len(prefix) else prefix
            for keyword in ("items", "additionalItems", "contains", "unevaluatedItems"):
                if isinstance(part.get(keyword), dict):
                    rest.append(part[keyword])
            if isinstance(part.get("minItems"), int):
                least = max(least, min(part["minItems"], 12))
        made = [self.led(inner, depth - 1) for inner in prefix[: rng.choice((0, 1, 2, 12))]]
        for _ in range(max(least - len(made), rng.choice((0, 0, 1, 2, 3)))):
            made.append(self.led(rng.choice(rest) if rest else True, depth - 1))
        return made

    def _string(self, parts: list[dict[str, Any]]) -> str:
        rng = self.rng
        for part in parts:
            known = KNOWN.get(part["format"]) if isinstance(part.get("format"), str) else None
            if known and rng.random() < 0.8:
                return rng.choice(known[rng.random() < 0.3])
        mentioned = [value for value in self.values if isinstance(value, str)]
        text = rng.choice((*STRINGS, *mentioned))
        least = max((p["minLength"] for p in parts if isinstance(p.get("minLength"), int)), default=0)
        return text + "a" * (min(least, 50) - len(text)) if rng.random() < 0.5 else text

    def changed(self, value: Any) -> Any:
        """The value with one change somewhere in it."""
        rng = self.rng
        if isinstance(value, dict) and value:
            made = dict(value)
            name = rng.choice(list(made))
            kind = rng.random()
            if kind < 0.3:
                del made[name]
            elif kind < 0.5:
                made[rng.choice((*self.names, "z"))] = random_value(rng, self.values, 1)
            elif kind < 0.6:
                made = dict(reversed(list(made.items())))
            else:
                made[name] = self.changed(made[name])
            return made
        if isinstance(value, list) and value:
            items = list(value)
            place = rng.randrange(len(items))
            kind = rng.random()
            if kind < 0.25:
                del items[place]
            elif kind < 0.5:
                items.insert(place, rng.choice(items))
            elif kind < 0.6:
                items.reverse()
            else:
                items[place] = self.changed(items[place])
            return items
        if isinstance(value, str) and value and rng.random() < 0.6:
            place = rng.randrange(len(value))
            return value[:place] + rng.choice(("", "a", "é", value[place] * 2)) + value[place + 1 :]
        if isinstance(value, (int, float)) and not isinstance(value, bool) and rng.random() < 0.7:
            return value + rng.choice((-1, 1, 0.5)) if abs(value) < 1e15 else value
        return random_value(rng, self.values, 1)


def _collect(keyword: str, value: Any, names: dict[str, None], values: list[Any]) -> None:
    if keyword == "properties" and isinstance(value, dict):
        names.update(dict.fromkeys(value))
    elif keyword == "required" and isinstance(value, list):
        names.update(dict.fromkeys(name for name in value if isinstance(name, str)))
    elif keyword == "enum" and isinstance(value, list):
        values.extend(value[:50])
    elif keyword == "const":
        values.append(value)
    elif keyword in _NUMERIC and isinstance(value, (int, float)) and not isinstance(value, bool):
        values.extend((value, value + 1, value - 1, 2 * value) if abs(value) < 1e12 else (value,))
    elif keyword == "format" and isinstance(value, str) and value in KNOWN:
        values.extend(text for known in KNOWN[value] for text in known)
    elif keyword in ("minLength", "maxLength") and isinstance(value, int) and 0 <= value < 60:
        values.extend(("a" * value, "é" * (value + 1)))


def _keywords(schema: Any) -> Iterator[tuple[str, Any]]:
    """All (key, value) of all mappings in the document, at most so many."""
    waiting, seen = [schema], 0
    while waiting and seen < 5000:
        part = waiting.pop()
        if isinstance(part, dict):
            for keyword, value in part.items():
                seen += 1
                if isinstance(keyword, str):
                    yield keyword, value
                if isinstance(value, (dict, list)) and keyword not in (
                    "enum",
                    "const",
                    "default",
                    "examples",
                ):
                    waiting.append(value)
        elif isinstance(part, list):
            waiting.extend(item for item in part if isinstance(item, (dict, list)))


def _lookup(schema: Any, reference: str) -> Any:
    if reference == "#":
        return schema
    part = schema
    if reference.startswith("#/"):
        for step in unquote(reference[2:]).split("/"):
            name = step.replace("~1", "/").replace("~0", "~")
            if isinstance(part, dict) and name in part:
                part = part[name]
            elif isinstance(part, list) and name.isdecimal() and int(name) < len(part):
                part = part[int(name)]
            else:
                return None
        return part
    anchor = reference[1:]
    for keyword, value in _keywords({"": schema}):
        if (
            isinstance(value, dict)
            and keyword
            and anchor in (value.get("$anchor"), value.get("$dynamicAnchor"))
        ):
            return value
    return None


def _encodable(text: str) -> bool:
    return not any(0xD800 <= ord(char) < 0xE000 for char in text)
