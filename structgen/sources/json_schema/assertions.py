"""The keywords of one subschema, its own ones only, as facts for each JSON type.

One function for each group of keywords, named as the specification groups them. A keyword speaks about
values of its own type only: it yields facts for that type and leaves the others free.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from typing import Any

from structgen.errors import InvalidSchemaError
from structgen.sources.json_schema.document import Document, Node
from structgen.sources.json_schema.facts import (
    ANYTHING,
    ARRAY,
    BOOLEAN,
    FREE,
    NOTHING,
    NULL,
    NUMBER,
    OBJECT,
    STRING,
    ArrayFacts,
    Conjunction,
    Facts,
    Integer,
    LiteralFacts,
    NormalForm,
    NumberFacts,
    ObjectFacts,
    Pattern,
    Residue,
    StringFacts,
)
from structgen.sources.json_schema.keywords import KNOWN_FORMATS, VOCABULARIES, Draft
from structgen.sources.json_schema.merge import merge_facts
from structgen.sources.json_schema.values import all_spellable, exact, is_spellable, type_of, unique

_PLACE_OF_TYPE = {
    "null": NULL,
    "boolean": BOOLEAN,
    "number": NUMBER,
    "integer": NUMBER,
    "string": STRING,
    "array": ARRAY,
    "object": OBJECT,
}
_NOT_YET = "is not enforced yet"
_NUMERIC = frozenset(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"))
_STRING = frozenset(("minLength", "maxLength", "pattern", "format"))
_ARRAY = frozenset(
    [
        "items",
        "prefixItems",
        "additionalItems",
        "contains",
        "minItems",
        "maxItems",
        "uniqueItems",
        "unevaluatedItems",
    ]
)
_OBJECT = frozenset(
    [
        "properties",
        "patternProperties",
        "additionalProperties",
        "propertyNames",
        "required",
        "minProperties",
        "maxProperties",
        "dependentRequired",
        "dependentSchemas",
        "dependencies",
        "unevaluatedProperties",
    ]
)
_ANY_TYPE = frozenset(("oneOf", "not", "if", "$dynamicRef", "$recursiveRef"))
_TYPE_ALONE = frozenset(("type",))
_ASSERTIONS = _NUMERIC | _STRING | _ARRAY | _OBJECT | _ANY_TYPE | {"type", "enum", "const"}
_CONSTRAINING = _ASSERTIONS | {"allOf", "anyOf"}


def own_form(document: Document, node: Node) -> NormalForm:
    """What the keywords of ``node`` ask, without ``$ref``, ``allOf`` and ``anyOf``.

    Raises `InvalidSchemaError` for keywords that contradict each other's form.
    """
    schema = node.schema
    if isinstance(schema, bool):
        return ANYTHING if schema else NOTHING
    present = _ASSERTIONS.intersection(schema)
    if not present:
        return ANYTHING
    if present == _TYPE_ALONE:
        return _form_of_types(_names(schema["type"]), node.draft is Draft.DRAFT4)
    schema = _known(schema, node.draft)
    by_type: list[list[Facts]] = [[facts] for facts in FREE]
    if "type" in schema:
        _types(_names(schema["type"]), node.draft is Draft.DRAFT4, by_type)
    if by_type[NUMBER] and not _NUMERIC.isdisjoint(schema):
        _conjoin(by_type, NUMBER, _numbers(schema, node))
    if by_type[STRING] and not _STRING.isdisjoint(schema):
        _conjoin(by_type, STRING, _strings(schema, node))
    if by_type[ARRAY] and not _ARRAY.isdisjoint(schema):
        _conjoin(by_type, ARRAY, _arrays(schema, node, document))
    if by_type[OBJECT] and not _OBJECT.isdisjoint(schema):
        _conjoin(by_type, OBJECT, _objects(schema, node, document))
    if "enum" in schema:
        _values(schema["enum"], by_type)
    if "const" in schema:
        _values([schema["const"]], by_type)
    if not _ANY_TYPE.isdisjoint(schema):
        residues = tuple(_applicators(schema, node))
        if residues:
            by_type = [[_with_residues(facts, residues) for facts in facts_of] for facts_of in by_type]
    return NormalForm(tuple(tuple(alternatives) for alternatives in by_type))  # type: ignore[arg-type]


def conjunction_of(document: Document, node: Node) -> Conjunction:
    """One subschema alone; () when it is true of every value.

    One that only refers to another is that other one, so that both have one rule.
    """
    seen = {node}
    while (target := _alias(document, node)) is not None and target not in seen:
        node = target
        seen.add(node)
    return () if _is_true(node.schema) else (node,)


def child(document: Document, node: Node, *place: str | int) -> Conjunction:
    """The subschema at a place inside ``node``."""
    return conjunction_of(document, document.node(node.at(*place)))


def _alias(document: Document, node: Node) -> Node | None:
    """The subschema of this document that says all that ``node`` says, if there is one."""
    schema = node.schema
    if isinstance(schema, bool):
        return None
    if "$ref" in schema:
        alone = node.draft <= Draft.DRAFT7 or _CONSTRAINING.isdisjoint(schema)
        return document.resolve(node, schema["$ref"], "$ref") if alone else None
    if len(schema.get("allOf", ())) == 1 and _ASSERTIONS.isdisjoint(schema) and "anyOf" not in schema:
        return document.node(node.at("allOf", 0))
    return None


def _known(schema: Mapping[str, Any], draft: Draft) -> Mapping[str, Any]:
    """Without the keywords that the dialect does not know."""
    vocabulary = VOCABULARIES[draft]
    if all(keyword in vocabulary for keyword in schema if keyword in _ASSERTIONS):
        return schema
    return {keyword: value for keyword, value in schema.items() if keyword in vocabulary}


def _conjoin(by_type: list[list[Facts]], place: int, facts: Facts | None) -> None:
    merged = None if facts is None else merge_facts(by_type[place][0], facts)
    by_type[place] = [] if merged is None else [merged]


def _names(given: str | Sequence[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


@lru_cache(maxsize=256)
def _form_of_types(names: tuple[str, ...], plain: bool) -> NormalForm:
    """``type`` alone, as most subschemas have it."""
    by_type: list[list[Facts]] = [[facts] for facts in FREE]
    _types(names, plain, by_type)
    return NormalForm(tuple(tuple(alternatives) for alternatives in by_type))  # type: ignore[arg-type]


def _types(names: Sequence[str], plain: bool, by_type: list[list[Facts]]) -> None:
    """``plain``: 1.0 is no integer (draft 4)."""
    allowed = {_PLACE_OF_TYPE[name] for name in names}
    for place in range(len(by_type)):
        if place not in allowed:
            by_type[place] = []
    if "integer" in names and "number" not in names:
        by_type[NUMBER] = [NumberFacts(Integer.PLAIN if plain else Integer.YES)]


def _values(values: list[Any], by_type: list[list[Facts]]) -> None:
    allowed: list[list[Any]] = [[] for _ in FREE]
    for value in values:
        if all_spellable(value):
            allowed[type_of(value)].append(value)
    finite: tuple[Facts, ...] = (
        LiteralFacts(unique(allowed[NULL])),
        LiteralFacts(unique(allowed[BOOLEAN])),
        NumberFacts(values=unique(allowed[NUMBER])),
        StringFacts(values=unique(allowed[STRING])),
        ArrayFacts(values=unique(allowed[ARRAY])),
        ObjectFacts({}, values=unique(allowed[OBJECT])),
    )
    for place, facts in enumerate(finite):
        if by_type[place]:
            if allowed[place]:
                _conjoin(by_type, place, facts)
            else:
                by_type[place] = []


def _numbers(schema: Mapping[str, Any], node: Node) -> Facts:
    low: Fraction | int | None = None
    high: Fraction | int | None = None
    low_open = high_open = False
    if "minimum" in schema:
        low = exact(schema["minimum"])
    if "maximum" in schema:
        high = exact(schema["maximum"])
    exclusive = schema.get("exclusiveMinimum", False)
    if isinstance(exclusive, bool):  # draft 4
        low_open = exclusive
    elif low is None or exact(exclusive) >= low:
        low, low_open = exact(exclusive), True
    exclusive = schema.get("exclusiveMaximum", False)
    if isinstance(exclusive, bool):
        high_open = exclusive
    elif high is None or exact(exclusive) <= high:
        high, high_open = exact(exclusive), True
    integer = Integer.NO
    residues: tuple[Residue, ...] = ()
    if "multipleOf" in schema:
        if exact(schema["multipleOf"]) == 1:
            integer = Integer.YES
        else:
            residues = (Residue(node.at("multipleOf"), "multipleOf", _NOT_YET),)
    bounds = tuple(
        Residue(node.at(keyword), keyword, "is enforced on integers only, so far")
        for keyword in ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum")
        if not isinstance(schema.get(keyword, False), bool)
    )
    return NumberFacts(
        integer,
        low,
        low_open and low is not None,
        high,
        high_open and high is not None,
        None,
        residues,
        bounds,
    )


def _strings(schema: Mapping[str, Any], node: Node) -> Facts:
    patterns: tuple[Pattern, ...] = ()
    if "pattern" in schema:
        patterns = (Pattern(schema["pattern"], node.at("pattern")),)
    residues: tuple[Residue, ...] = ()
    name = schema.get("format")
    if isinstance(name, str) and name in KNOWN_FORMATS:
        residues = (Residue(node.at("format"), "format", f"{name!r} {_NOT_YET}"),)
    maximum = schema.get("maxLength")
    return StringFacts(
        int(schema.get("minLength", 0)),
        None if maximum is None else int(maximum),
        patterns,
        None,
        residues,
    )


def _arrays(schema: Mapping[str, Any], node: Node, document: Document) -> Facts:
    prefix: tuple[Conjunction, ...] = ()
    rest: Conjunction = ()
    items = schema.get("items")
    if isinstance(items, (list, tuple)):  # until draft 2019-09
        if "prefixItems" in schema:
            raise InvalidSchemaError(
                node.at("items"), "'items' is an array beside 'prefixItems'", "one schema goes here"
            )
        prefix = tuple(child(document, node, "items", i) for i in range(len(items)))
        if "additionalItems" in schema:
            rest = child(document, node, "additionalItems")
    else:
        if "prefixItems" in schema:
            prefix = tuple(child(document, node, "prefixItems", i) for i in range(len(schema["prefixItems"])))
        if items is not None:
            rest = child(document, node, "items")
    maximum = schema.get("maxItems")
    minimum = int(schema.get("minItems", 0))
    unenforced = []
    needed = schema.get("minContains", 1)
    satisfied = needed == 0 or (_is_true(schema.get("contains")) and needed <= minimum)
    if "contains" in schema and ("maxContains" in schema or not satisfied):
        unenforced.append("contains")
    if schema.get("uniqueItems") and not (maximum is not None and maximum <= 1):
        unenforced.append("uniqueItems")
    if not _is_true(schema.get("unevaluatedItems", True)) and not (
        ("items" in schema and not isinstance(items, (list, tuple))) or "additionalItems" in schema
    ):
        unenforced.append("unevaluatedItems")
    return ArrayFacts(
        prefix,
        rest,
        minimum,
        None if maximum is None else int(maximum),
        None,
        tuple(Residue(node.at(keyword), keyword, _NOT_YET) for keyword in unenforced),
    )


def _objects(schema: Mapping[str, Any], node: Node, document: Document) -> Facts | None:
    required = tuple(dict.fromkeys(schema.get("required", ())))
    if not all(is_spellable(name) for name in required):
        return None
    properties = {
        name: child(document, node, "properties", name)
        for name in schema.get("properties", ())
        if is_spellable(name)
    }
    others: Conjunction = ()
    if "additionalProperties" in schema:
        others = child(document, node, "additionalProperties")
    unenforced = []
    patterns = schema.get("patternProperties", {})
    if patterns and not (others == () and all(_is_true(inner) for inner in patterns.values())):
        unenforced.append("patternProperties")
        others = ()  # names that match a pattern are not additional: until then, anything may come
    if not _is_true(schema.get("propertyNames", True)):
        unenforced.append("propertyNames")
    if schema.get("minProperties", 0) > len(required):
        unenforced.append("minProperties")
    maximum = schema.get("maxProperties")
    closed = not patterns and schema.get("additionalProperties") is False
    if maximum is not None and not (closed and maximum >= len(properties)):
        unenforced.append("maxProperties")
    if any(schema.get("dependentRequired", {}).values()):
        unenforced.append("dependentRequired")
    for keyword in ("dependentSchemas", "dependencies"):
        if not all(_is_true(inner) or inner in ([], ()) for inner in schema.get(keyword, {}).values()):
            unenforced.append(keyword)
    if not _is_true(schema.get("unevaluatedProperties", True)) and "additionalProperties" not in schema:
        unenforced.append("unevaluatedProperties")
    residues = tuple(Residue(node.at(keyword), keyword, _NOT_YET) for keyword in unenforced)
    return ObjectFacts(properties, others, required, None, residues)


def _applicators(schema: Mapping[str, Any], node: Node) -> list[Residue]:
    unenforced = []
    if len(schema.get("oneOf", ())) > 0:
        unenforced.append("oneOf")
    if "not" in schema and schema["not"] is not False:
        unenforced.append("not")
    if "if" in schema:
        branches = (schema.get("then", True), schema.get("else", True))
        if not all(_is_true(branch) for branch in branches):
            unenforced.append("if")
    unenforced += [keyword for keyword in ("$dynamicRef", "$recursiveRef") if keyword in schema]
    return [Residue(node.at(keyword), keyword, _NOT_YET) for keyword in unenforced]


def _with_residues(facts: Facts, residues: tuple[Residue, ...]) -> Facts:
    return replace(facts, residues=facts.residues + residues)


def _is_true(schema: Any) -> bool:
    return schema is True or (isinstance(schema, Mapping) and not schema)
