"""The keywords of one subschema, its own ones only, as facts for each JSON type: what they ask, and what it
is not to satisfy them.

One function for each group of keywords, named as the specification groups them. A keyword speaks about
values of its own type only: it yields facts for that type and leaves the others free.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Any

from structgen.errors import CompileLimitError, InvalidSchemaError
from structgen.sources.json_schema.document import Document, Node
from structgen.sources.json_schema.facts import (
    ANYTHING,
    FREE,
    NOTHING,
    Absent,
    Alternatives,
    ArrayFacts,
    Conjunction,
    Contains,
    Facts,
    ItemWitness,
    LiteralFacts,
    MemberTable,
    MemberWitness,
    NamedMember,
    NormalForm,
    NumberFacts,
    ObjectFacts,
    OtherMember,
    Pattern,
    Shorter,
    StringFacts,
)
from structgen.sources.json_schema.formats import FORMATS, format_max_length
from structgen.sources.json_schema.keyword_sets import (
    ARRAY_KEYWORDS,
    ASSERTING,
    MAX_LENGTH,
    NUMERIC_KEYWORDS,
    OBJECT_KEYWORDS,
    OWN,
    STRING_KEYWORDS,
)
from structgen.sources.json_schema.keywords import Draft
from structgen.sources.json_schema.merge import merge_facts
from structgen.sources.json_schema.numbers import Integer
from structgen.sources.json_schema.strings import unsupported
from structgen.sources.json_schema.survey import Members
from structgen.sources.json_schema.values import (
    ARRAY,
    BOOLEAN,
    NULL,
    NUMBER,
    OBJECT,
    STRING,
    all_spellable,
    equality_key,
    exact,
    is_spellable,
    type_of,
    unique,
)
from structgen.untracked import untracked

_PLACE_OF_TYPE = {
    "null": NULL,
    "boolean": BOOLEAN,
    "number": NUMBER,
    "integer": NUMBER,
    "string": STRING,
    "array": ARRAY,
    "object": OBJECT,
}
_TYPE_ALONE = frozenset(("type",))
_LISTING = frozenset(("enum", "const"))
_MANY = 64  # members with names of their own


def child(document: Document, node: Node, keyword: str, *place: str | int) -> Conjunction:
    """The subschema at a place inside ``node``."""
    return conjunction_of(document, document.child(node, keyword, *place))


def negated_child(document: Document, node: Node, keyword: str, *place: str | int) -> Conjunction:
    """What the subschema at a place inside ``node`` does not hold of."""
    inner = child(document, node, keyword, *place)
    return (document.negation(inner[0]) if inner else false_at(document, node.at(keyword, *place)),)


def false_at(document: Document, pointer: str) -> Node:
    """``false``, for something that must not be."""
    return document.made(False, "false", pointer)


def conjunction_of(document: Document, node: Node) -> Conjunction:
    """One subschema alone; () when it asks nothing.

    One that only refers to another is that other one, so that both have one rule.
    """
    known = document.alone.get(node)
    if known is None and "$ref" not in node.keywords and "allOf" not in node.keywords:  # as most are
        says_nothing = ASSERTING.isdisjoint(node.keywords) and node.schema is not False
        known = document.alone[node] = () if says_nothing and not node.is_made else (node,)
    elif known is None:
        target, seen = node, {node}
        while (following := _alias(document, target)) is not None and following not in seen:
            target = following
            seen.add(target)
        alone = document.alone.get(target)
        if alone is None:
            says_nothing = ASSERTING.isdisjoint(target.keywords) and target.schema is not False
            alone = () if says_nothing and not target.is_made else (target,)
            document.alone[target] = alone
        known = document.alone[node] = alone
    return known


def _alias(document: Document, node: Node) -> Node | None:
    """The subschema that says all that ``node`` says, if there is one."""
    schema = node.keywords
    if "$ref" in schema:
        alone = node.draft <= Draft.DRAFT7 or ASSERTING.isdisjoint(schema.keys() - {"$ref"})
        return document.resolve(node, schema["$ref"], "$ref") if alone else None
    if len(schema.get("allOf", ())) == 1 and ASSERTING.isdisjoint(schema.keys() - {"allOf"}):
        return document.child(node, "allOf", 0)
    return None


class Properties(Mapping[str, Conjunction]):
    """What a subschema asks of members by name, of so many that each is looked at when it is asked about."""

    __slots__ = ("_document", "_known", "_node")

    def __init__(self, document: Document, node: Node) -> None:
        self._document = document
        self._node = node
        names = filter(is_spellable, node.keywords["properties"])
        self._known: dict[str, Conjunction | None] = dict.fromkeys(names)

    def __getitem__(self, name: str) -> Conjunction:
        known = self._known[name]
        if known is None:
            known = self._known[name] = child(self._document, self._node, "properties", name)
        return known

    def __contains__(self, name: object) -> bool:
        return name in self._known

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    def is_alive(self, name: str) -> bool:
        """Has the member plainly a value (of any digits), by a look at the whole? False says nothing."""
        given = self._node.keywords["properties"]
        return isinstance(given, Members) and name in self._known and given.is_alive(name)


class Assertions:
    """Facts of a document's subschemas. ``assert_formats``: does ``format`` assert anything?

    Patterns that a lenient document leaves out are true of every string, and so are their negations.

    Its methods raise `InvalidSchemaError` for keywords that contradict each other's form.
    """

    def __init__(self, document: Document, *, assert_formats: bool, plain_integers: bool = False) -> None:
        self._document = document
        self._lenient = document.lenient
        self._assert_formats = assert_formats
        self._plain_integers = plain_integers

    def own_form(self, node: Node) -> NormalForm:
        """What the keywords in `OWN` of ``node`` ask (its being negated apart)."""
        schema = node.schema
        if isinstance(schema, bool):
            return ANYTHING if schema else NOTHING
        schema = node.keywords
        present = OWN.intersection(schema)
        if not present:
            return ANYTHING
        if present == _TYPE_ALONE:
            return _form_of_types(_names(schema["type"]), self._plain_integers or node.draft is Draft.DRAFT4)
        if schema.get("type") == "object" and _LISTING.isdisjoint(schema):  # as most that are left
            return _form_of_one(OBJECT, self._objects(schema, node))
        by_type: list[list[Facts]] = [[facts] for facts in FREE]
        if "type" in schema:
            _types(_names(schema["type"]), self._plain_integers or node.draft is Draft.DRAFT4, by_type)
        if by_type[NUMBER] and not NUMERIC_KEYWORDS.isdisjoint(schema):
            _conjoin(by_type, NUMBER, _numbers(schema))
        if by_type[STRING] and not STRING_KEYWORDS.isdisjoint(schema):
            _conjoin(by_type, STRING, self._strings(schema, node))
        if by_type[ARRAY] and not ARRAY_KEYWORDS.isdisjoint(schema):
            _conjoin(by_type, ARRAY, self._arrays(schema, node))
        if by_type[OBJECT] and not OBJECT_KEYWORDS.isdisjoint(schema):
            _conjoin(by_type, OBJECT, self._objects(schema, node))
        for keyword in ("enum", "const"):
            if keyword in schema:
                values = schema[keyword] if keyword == "enum" else [schema[keyword]]
                self._values(values, by_type, node.at(keyword))
        return _form(by_type)

    def own_negation(self, node: Node) -> NormalForm:
        """What does not satisfy them all."""
        schema = node.schema
        if isinstance(schema, bool):
            return NOTHING if schema else ANYTHING
        schema = node.keywords
        by_type: list[list[Facts]] = [[] for _ in FREE]
        if "type" in schema:
            _other_types(_names(schema["type"]), node.draft is Draft.DRAFT4, by_type)
        if not NUMERIC_KEYWORDS.isdisjoint(schema):
            by_type[NUMBER] += _no_numbers(schema)
        if not STRING_KEYWORDS.isdisjoint(schema):
            by_type[STRING] += self._no_strings(schema, node)
        if not ARRAY_KEYWORDS.isdisjoint(schema):
            by_type[ARRAY] += self._no_arrays(schema, node)
        if not OBJECT_KEYWORDS.isdisjoint(schema):
            by_type[OBJECT] += self._no_objects(schema, node)
        for keyword in ("enum", "const"):
            if keyword in schema:
                values = schema[keyword] if keyword == "enum" else [schema[keyword]]
                for place, facts in enumerate(self._other_values(values, node.at(keyword))):
                    if facts is not None:
                        by_type[place].append(facts)
        return _form(by_type)

    # -- values --------------------------------------------------------------------------------------

    def _constant(self, value: Any, pointer: str, *, negated: bool = False) -> Conjunction:
        key = ("const", equality_key(value))
        return (self._document.made({"const": value}, key, pointer, negated=negated),)

    def _values(self, values: Sequence[Any], by_type: list[list[Facts]], pointer: str) -> None:
        allowed: list[list[Any]] = [[] for _ in FREE]
        for value in values:
            if all_spellable(value):
                allowed[type_of(value)].append(value)
        finite: list[list[Facts]] = [
            [LiteralFacts(unique(allowed[NULL]))],
            [LiteralFacts(unique(allowed[BOOLEAN]))],
            [NumberFacts(values=unique(allowed[NUMBER]))],
            [StringFacts(values=unique(allowed[STRING]))],
            [self._this_array(value, pointer) for value in unique(allowed[ARRAY])],
            [self._this_object(value, pointer) for value in unique(allowed[OBJECT])],
        ]
        for place, alternatives in enumerate(finite):
            if not allowed[place]:
                by_type[place] = []
                continue
            pairs = (merge_facts(before, after) for before in by_type[place] for after in alternatives)
            by_type[place] = [facts for facts in pairs if facts is not None]

    def _this_array(self, value: Sequence[Any], pointer: str) -> ArrayFacts:
        items = tuple(self._constant(item, pointer) for item in value)
        return ArrayFacts(items, (), len(items), len(items))

    def _this_object(self, value: Mapping[str, Any], pointer: str) -> ObjectFacts:
        members = {name: self._constant(inner, pointer) for name, inner in value.items()}
        table = MemberTable(members, (), (false_at(self._document, pointer),))
        return ObjectFacts((table,), tuple(members))

    def _other_values(self, values: Sequence[Any], pointer: str) -> list[Facts | None]:
        """All but these values, for each type."""
        given: list[list[Any]] = [[] for _ in FREE]
        for value in filter(all_spellable, values):  # no text is one of the others
            given[type_of(value)].append(value)
        booleans = tuple(value for value in (False, True) if value not in given[BOOLEAN])
        return [
            None if given[NULL] else LiteralFacts((None,)),
            LiteralFacts(booleans) if booleans else None,
            NumberFacts(excluded=unique(given[NUMBER])) if given[NUMBER] else FREE[NUMBER],
            StringFacts(excluded=frozenset(given[STRING])) if given[STRING] else FREE[STRING],
            ArrayFacts(clauses=tuple(self._another_array(value, pointer) for value in given[ARRAY]))
            if given[ARRAY]
            else FREE[ARRAY],
            ObjectFacts(clauses=tuple(self._another_object(value, pointer) for value in given[OBJECT]))
            if given[OBJECT]
            else FREE[OBJECT],
        ]

    def _another_array(self, value: Sequence[Any], pointer: str) -> tuple[ItemWitness | Shorter, ...]:
        differing = (
            ItemWitness(i, i + 1, self._constant(item, pointer, negated=True)) for i, item in enumerate(value)
        )
        return (Shorter(len(value)), ItemWitness(len(value), None, ()), *differing)

    def _another_object(self, value: Mapping[str, Any], pointer: str) -> tuple[MemberWitness, ...]:
        witnesses: list[MemberWitness] = [Absent(name) for name in value]
        witnesses += [
            NamedMember(name, self._constant(inner, pointer, negated=True)) for name, inner in value.items()
        ]
        return (*witnesses, OtherMember((), table=MemberTable(dict.fromkeys(value, ()))))

    # -- strings -------------------------------------------------------------------------------------

    def is_left_out(self, pattern: str) -> bool:
        """Is it unknown what a pattern matches?"""
        return self._lenient and bool(unsupported(pattern))

    def _format(self, schema: Mapping[str, Any], node: Node) -> str | None:
        name = schema.get("format")
        if not (self._assert_formats or node.resource.dialect.asserts_formats):
            return None
        return name if isinstance(name, str) and name in FORMATS else None

    def _strings(self, schema: Mapping[str, Any], node: Node) -> Facts | None:
        patterns: tuple[Pattern, ...] = ()
        if "pattern" in schema and not self.is_left_out(schema["pattern"]):
            patterns = (Pattern(schema["pattern"], node.at("pattern")),)
        name = self._format(schema, node)
        maximum = _count(schema, "maxLength")
        if name is not None and (longest := format_max_length(name)) is not None:
            maximum = longest if maximum is None else min(maximum, longest)
        minimum = int(schema.get("minLength", 0))
        for keyword in ("minLength", "maxLength"):
            if schema.get(keyword, 0) > MAX_LENGTH:
                raise CompileLimitError(
                    "max_length", MAX_LENGTH, int(schema[keyword]), node.at(keyword), fixed=True
                )
        if maximum is not None and minimum > maximum:
            return None
        return StringFacts(minimum, maximum, patterns, (), () if name is None else (name,))

    def _no_strings(self, schema: Mapping[str, Any], node: Node) -> list[Facts]:
        alternatives: list[Facts] = []
        if int(schema.get("minLength", 0)) > 0:
            alternatives.append(StringFacts(max_length=int(schema["minLength"]) - 1))
        if "maxLength" in schema:
            alternatives.append(StringFacts(min_length=int(schema["maxLength"]) + 1))
        if "pattern" in schema:
            left_out = self.is_left_out(schema["pattern"])
            missed = () if left_out else (Pattern(schema["pattern"], node.at("pattern")),)
            alternatives.append(StringFacts(missed=missed))
        name = self._format(schema, node)
        if name is not None:
            alternatives.append(StringFacts(other_formats=(name,)))
            longest = format_max_length(name)
            if longest is not None:
                alternatives.append(StringFacts(min_length=longest + 1))
        return alternatives

    # -- arrays --------------------------------------------------------------------------------------

    def _item_places(self, schema: Mapping[str, Any], node: Node) -> tuple[list[Node], Node | None]:
        """The subschemas of the first items, and that of the others."""
        items = schema.get("items")
        document = self._document
        if isinstance(items, (list, tuple)):  # until draft 2019-09
            if "prefixItems" in schema:
                raise InvalidSchemaError(
                    node.at("items"), "'items' is an array beside 'prefixItems'", "one schema goes here"
                )
            prefix = [document.child(node, "items", i) for i in range(len(items))]
            rest = document.child(node, "additionalItems") if "additionalItems" in schema else None
            return prefix, rest
        prefix = [document.child(node, "prefixItems", i) for i in range(len(schema.get("prefixItems", ())))]
        return prefix, None if items is None else document.child(node, "items")

    def _contains(self, schema: Mapping[str, Any], node: Node) -> tuple[Conjunction, Conjunction]:
        inner = child(self._document, node, "contains")
        return inner, negated_child(self._document, node, "contains")

    def _arrays(self, schema: Mapping[str, Any], node: Node) -> Facts | None:
        prefix, rest = self._item_places(schema, node)
        minimum, maximum = int(schema.get("minItems", 0)), _count(schema, "maxItems")
        if maximum is not None and minimum > maximum:
            return None
        contains: tuple[Contains, ...] = ()
        if "contains" in schema:
            least, most = _contained(schema)
            if least > 0 or most is not None:
                contains = (Contains(*self._contains(schema, node), least, most),)
        return ArrayFacts(
            tuple(conjunction_of(self._document, inner) for inner in prefix),
            () if rest is None else conjunction_of(self._document, rest),
            minimum,
            maximum,
            contains,
            (),
            (node.at("uniqueItems"),) if schema.get("uniqueItems") else (),
        )

    def _no_arrays(self, schema: Mapping[str, Any], node: Node) -> list[Facts]:
        prefix, rest = self._item_places(schema, node)
        alternatives: list[Facts] = []
        witnesses: list[ItemWitness | Shorter] = []
        for i, inner in enumerate(prefix):
            conjunction = conjunction_of(self._document, inner)
            if conjunction:
                witnesses.append(ItemWitness(i, i + 1, (self._document.negation(conjunction[0]),)))
        if rest is not None and (conjunction := conjunction_of(self._document, rest)):
            witnesses.append(ItemWitness(len(prefix), None, (self._document.negation(conjunction[0]),)))
        if int(schema.get("minItems", 0)) > 0:
            witnesses.append(Shorter(int(schema["minItems"])))
        if "maxItems" in schema:
            witnesses.append(ItemWitness(int(schema["maxItems"]), None, ()))
        if witnesses:
            alternatives.append(ArrayFacts(clauses=(tuple(witnesses),)))
        if "contains" in schema:
            least, most = _contained(schema)
            inner_outer = self._contains(schema, node)
            if least > 0:
                alternatives.append(ArrayFacts(contains=(Contains(*inner_outer, 0, least - 1),)))
            if most is not None:
                alternatives.append(ArrayFacts(contains=(Contains(*inner_outer, most + 1, None),)))
        if schema.get("uniqueItems"):
            alternatives.append(ArrayFacts(min_items=2, repeats=(node.at("uniqueItems"),)))
        return alternatives

    # -- objects -------------------------------------------------------------------------------------

    def member_table(self, node: Node, *, negated: bool = False) -> MemberTable:
        """``properties``, ``patternProperties`` and ``additionalProperties`` of ``node``.

        Any other name may match a pattern that is left out: its member satisfies what that asks, or what is
        asked of additional ones. ``negated``: the table is for telling what violates it.
        """
        schema, document = node.keywords, self._document
        properties: Mapping[str, Conjunction] = {}
        if "properties" in schema and len(schema["properties"]) > _MANY:
            properties = Properties(document, node)
        elif "properties" in schema:
            properties = {
                name: conjunction_of(document, inner)
                for name, inner in document.children(node, "properties")
                if is_spellable(name)
            }
        patterns = tuple(
            (
                Pattern(text, node.at("patternProperties", text)),
                child(document, node, "patternProperties", text),
            )
            for text in schema.get("patternProperties", ())
            if not self.is_left_out(text)
        )
        others: Conjunction = ()
        if "additionalProperties" in schema:
            others = child(document, node, "additionalProperties")
            for text, inner in () if negated else self._left_out(node):
                others = document.either(others, inner, node.at("patternProperties", text))
        return MemberTable(properties, patterns, others)

    def _left_out(self, node: Node) -> list[tuple[str, Conjunction]]:
        """The entries of ``patternProperties`` of which it is unknown what they match."""
        texts = node.keywords.get("patternProperties", ())
        return [
            (text, child(self._document, node, "patternProperties", text))
            for text in texts
            if self.is_left_out(text)
        ]

    def _objects(self, schema: Mapping[str, Any], node: Node) -> Facts | None:
        required = tuple(dict.fromkeys(schema.get("required", ())))
        if not all(is_spellable(name) for name in required):
            return None
        minimum, maximum = int(schema.get("minProperties", 0)), _count(schema, "maxProperties")
        if maximum is not None and max(minimum, len(required)) > maximum:
            return None
        clauses: list[tuple[MemberWitness, ...]] = []
        for name, needed in _name_dependencies(schema):
            clauses += [(Absent(name), NamedMember(other, ())) for other in needed if other not in required]
            if not all(map(is_spellable, needed)):  # one of them can never be there
                clauses.append((Absent(name),))
        table = self.member_table(node)
        tables = (table,) if table.properties or table.patterns or table.others else ()
        keys: Conjunction = ()
        if "propertyNames" in schema:
            keys = child(self._document, node, "propertyNames")
        return ObjectFacts(tables, required, keys, minimum, maximum, tuple(clauses))

    def _no_objects(self, schema: Mapping[str, Any], node: Node) -> list[Facts]:
        document = self._document
        alternatives: list[Facts] = []
        required = dict.fromkeys(schema.get("required", ()))
        if not all(is_spellable(name) for name in required):
            return [FREE[OBJECT]]
        witnesses: list[MemberWitness] = [Absent(name) for name in required]
        table = self.member_table(node, negated=True)
        for _, inner in self._left_out(node):
            if inner:
                witnesses.append(OtherMember((document.negation(inner[0]),)))
        for name, inner in table.properties.items():
            if inner:
                witnesses.append(NamedMember(name, (document.negation(inner[0]),)))
        for pattern, inner in table.patterns:
            if inner:
                witnesses.append(OtherMember((document.negation(inner[0]),), pattern=pattern))
        if table.others:
            witnesses.append(OtherMember((document.negation(table.others[0]),), table=table))
        if "propertyNames" in schema and (keys := child(document, node, "propertyNames")):
            witnesses.append(OtherMember((), key=(document.negation(keys[0]),)))
        if witnesses:
            alternatives.append(ObjectFacts(clauses=(tuple(witnesses),)))
        if int(schema.get("minProperties", 0)) > 0:
            alternatives.append(ObjectFacts(max_members=int(schema["minProperties"]) - 1))
        if "maxProperties" in schema:
            alternatives.append(ObjectFacts(min_members=int(schema["maxProperties"]) + 1))
        for name, needed in _name_dependencies(schema):
            if not all(map(is_spellable, needed)):
                alternatives.append(ObjectFacts(required=(name,)))
            elif needed:
                absent = tuple(Absent(other) for other in needed)
                alternatives.append(ObjectFacts(required=(name,), clauses=(absent,)))
        return alternatives


def _name_dependencies(schema: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """``dependentRequired`` and the lists of ``dependencies``."""
    return [
        (name, list(needed))
        for keyword in ("dependentRequired", "dependencies")
        for name, needed in schema.get(keyword, {}).items()
        if isinstance(needed, (list, tuple)) and is_spellable(name)
    ]


def _conjoin(by_type: list[list[Facts]], place: int, facts: Facts | None) -> None:
    merged = None if facts is None else merge_facts(by_type[place][0], facts)
    by_type[place] = [] if merged is None else [merged]


def _form(by_type: Sequence[list[Facts]]) -> NormalForm:
    return NormalForm(
        free if len(found) == 1 and found[0] is free[0] else tuple(found)
        for found, free in zip(by_type, ANYTHING, strict=True)
    )


def _form_of_one(place: int, facts: Facts | None) -> NormalForm:
    """Of values of one type of which no more is asked."""
    if facts is None:
        return NOTHING
    by_type: list[Alternatives] = [()] * len(FREE)
    by_type[place] = ANYTHING[place] if facts == FREE[place] else (facts,)
    return NormalForm(by_type)


def _names(given: str | Sequence[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def _count(schema: Mapping[str, Any], keyword: str) -> int | None:
    return int(schema[keyword]) if keyword in schema else None


def _contained(schema: Mapping[str, Any]) -> tuple[int, int | None]:
    """How many items ``contains`` asks for: at least, at most."""
    return int(schema.get("minContains", 1)), _count(schema, "maxContains")


@lru_cache(maxsize=256)
@untracked
def _form_of_types(names: tuple[str, ...], plain: bool) -> NormalForm:
    """``type`` alone, as most subschemas have it."""
    by_type: list[list[Facts]] = [[facts] for facts in FREE]
    _types(names, plain, by_type)
    return _form(by_type)


def _types(names: Sequence[str], plain: bool, by_type: list[list[Facts]]) -> None:
    """``plain``: 1.0 is no integer (draft 4)."""
    allowed = {_PLACE_OF_TYPE[name] for name in names}
    for place in range(len(by_type)):
        if place not in allowed:
            by_type[place] = []
    if "integer" in names and "number" not in names:
        by_type[NUMBER] = [NumberFacts(integer=Integer.PLAIN if plain else Integer.YES)]


def _other_types(names: Sequence[str], plain: bool, by_type: list[list[Facts]]) -> None:
    named = {_PLACE_OF_TYPE[name] for name in names}
    for place, facts in enumerate(FREE):
        if place not in named:
            by_type[place].append(facts)
    if "integer" in names and "number" not in names:
        by_type[NUMBER].append(NumberFacts(not_integer=Integer.PLAIN if plain else Integer.YES))


def _bounds(schema: Mapping[str, Any]) -> list[tuple[Fraction | int, bool, bool]]:
    """Every bound as (value, is it a lower one, is it exclusive)."""
    found = []
    for keyword, exclusive, is_low in (
        ("minimum", "exclusiveMinimum", True),
        ("maximum", "exclusiveMaximum", False),
    ):
        excluded = schema.get(exclusive, False)
        if keyword in schema:
            found.append((exact(schema[keyword]), is_low, excluded is True))  # draft 4 has booleans
        if not isinstance(excluded, bool):
            found.append((exact(excluded), is_low, True))
    return found


def _numbers(schema: Mapping[str, Any]) -> Facts | None:
    facts: Facts | None = NumberFacts()
    for value, is_low, is_open in _bounds(schema):
        bound = (
            NumberFacts(low=value, low_open=is_open) if is_low else NumberFacts(high=value, high_open=is_open)
        )
        facts = None if facts is None else merge_facts(facts, bound)
    if facts is not None and "multipleOf" in schema:
        step = exact(schema["multipleOf"])
        facts = merge_facts(
            facts,
            NumberFacts(integer=Integer.YES) if step == 1 else NumberFacts(multiples=(Fraction(step),)),
        )
    return facts


def _no_numbers(schema: Mapping[str, Any]) -> list[Facts]:
    alternatives: list[Facts] = []
    for value, is_low, is_open in _bounds(schema):
        if is_low:
            alternatives.append(NumberFacts(high=value, high_open=not is_open))
        else:
            alternatives.append(NumberFacts(low=value, low_open=not is_open))
    if "multipleOf" in schema:
        step = exact(schema["multipleOf"])
        alternatives.append(
            NumberFacts(not_integer=Integer.YES)
            if step == 1
            else NumberFacts(non_multiples=(Fraction(step),))
        )
    return alternatives
