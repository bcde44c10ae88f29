"""Objects and arrays of which a subschema says no more than what their children are: seen in its text,
without a normal form, languages of facts, or places in them.

Most objects and arrays are such, and each is met once in a text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from structgen.sources.json_schema.assertions import child
from structgen.sources.json_schema.document import Document, Node
from structgen.sources.json_schema.facts import Conjunction
from structgen.sources.json_schema.keyword_sets import BESIDE_OPTIONS, NO_PLAIN_ARRAY, NO_PLAIN_OBJECT
from structgen.sources.json_schema.survey import Options
from structgen.sources.json_schema.values import is_spellable


class PlainObject(NamedTuple):
    """The objects that ``conjunction`` allows: ``names`` in their order, those of them that must be there,
    and what other members satisfy, None where there may be none. ``properties``: what the text asks of
    members.
    """

    conjunction: Conjunction
    names: tuple[str, ...]
    properties: Mapping[str, Any]
    required: frozenset[str]
    others: Conjunction | None

    def inner(self, document: Document, at: int) -> Conjunction:
        """What the member at a place in order satisfies; behind the names: one with another name."""
        if at == len(self.names) or self.names[at] not in self.properties:
            return self.others or ()
        return child(document, self.conjunction[0], "properties", self.names[at])


class TaggedObjects(NamedTuple):
    """Objects of several kinds, which their first member tells apart: ``tag`` is its name in all of them.
    ``options``: the subschemas of the kinds, each a plain object that has a value.
    """

    node: Node
    options: Options
    tag: str

    def option(self, document: Document, at: int) -> PlainObject:
        """The objects of one kind."""
        found = plain_container(document, child(document, self.node, "anyOf", at))
        if not isinstance(found, PlainObject) or found.names[0] != self.tag:
            raise TypeError(f"{self.node!r}: option {at} is no plain object with the tag {self.tag!r}")
        return found


class PlainArray(NamedTuple):
    """The arrays that ``conjunction`` allows: what each item satisfies, and whether one must be there."""

    conjunction: Conjunction
    inner: Conjunction
    is_filled: bool


_NONE: frozenset[str] = frozenset()
_NO_MEMBERS: Mapping[str, Any] = {}
ANY_OBJECT = PlainObject((), (), _NO_MEMBERS, _NONE, ())
ANY_ARRAY = PlainArray((), (), False)


def plain_container(document: Document, conjunction: Conjunction) -> PlainObject | PlainArray | None:
    """The values of a conjunction, where they are objects alone, or arrays alone, and that is plainly seen.

    Children are not looked at: they may have no value.
    """
    if len(conjunction) != 1:
        return None
    node = conjunction[0]
    if node.negated or type(node.schema) is not dict:
        return None
    schema = node.keywords
    kind = schema.get("type")
    if kind == "array":
        items = schema.get("items", True)
        if not NO_PLAIN_ARRAY.isdisjoint(schema) or isinstance(items, (list, tuple)):
            return None
        least = schema.get("minItems", 0)
        if least > 1:
            return None
        inner = child(document, node, "items") if "items" in schema else ()
        return PlainArray(conjunction, inner, least > 0)
    if kind != "object" or not NO_PLAIN_OBJECT.isdisjoint(schema):
        return None
    others: Conjunction = ()
    if "additionalProperties" in schema:
        others = child(document, node, "additionalProperties")
    is_closed = bool(others) and others[0].is_false
    properties: Mapping[str, Any] = schema.get("properties", _NO_MEMBERS)
    names: tuple[str, ...] = tuple(properties)
    if not "".join(names).isascii():
        names = tuple(filter(is_spellable, names))
    required = _NONE
    if "required" in schema:
        required = frozenset(schema["required"])
        if not required.issubset(properties):
            missing = dict.fromkeys(name for name in schema["required"] if name not in properties)
            if is_closed:
                return None
            names += tuple(missing)
        if not all(map(is_spellable, required)):
            return None
    return PlainObject(conjunction, names, properties, required, None if is_closed else others)


def tagged_objects(conjunction: Conjunction) -> TaggedObjects | None:
    """The values of a conjunction, where it is a union of plain objects that is known to be tagged."""
    if len(conjunction) != 1:
        return None
    node = conjunction[0]
    schema = node.keywords
    options = schema.get("anyOf")
    if not isinstance(options, Options) or not options.is_tagged or node.negated:
        return None
    if not BESIDE_OPTIONS.isdisjoint(schema):
        return None
    return TaggedObjects(node, options, options.tag)
