"""The normal form of a schema: for each JSON type, alternatives of conjoined facts.

A value satisfies a `NormalForm` when it satisfies one of the alternatives of its type. What an
alternative asks of the children (members, items) is a `Conjunction`: subschemas, or negated ones, that must
all hold. A schema is an alternating tree automaton; this is the nondeterministic one (Comon et al., Tree
Automata Techniques and Applications, chapter 7), whose states are the conjunctions. "Some member" and "some
item", which negation brings, are clauses: disjunctions of witnesses, one of which the value must have.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from structgen.sources.json_schema.document import Node
from structgen.sources.json_schema.numbers import NumberFacts as NumberFacts
from structgen.sources.json_schema.strings import Pattern as Pattern
from structgen.sources.json_schema.strings import StringFacts as StringFacts
from structgen.sources.json_schema.values import ARRAY, OBJECT

Conjunction = tuple[Node, ...]
"""Subschemas that must all hold, each once, in the order of appearance; () is true of every value."""


@dataclass(frozen=True, slots=True)
class LiteralFacts:
    """null or booleans: those of ``values``."""

    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class ItemWitness:
    """An item at a place from ``first`` on, before ``end`` (None: any), that satisfies ``inner``."""

    first: int
    end: int | None
    inner: Conjunction


@dataclass(frozen=True, slots=True)
class Shorter:
    """The array has fewer than ``length`` items."""

    length: int


@dataclass(frozen=True, slots=True)
class Contains:
    """At least ``least`` and at most ``most`` items satisfy ``inner``; ``outer`` is its negation."""

    inner: Conjunction
    outer: Conjunction
    least: int
    most: int | None


@dataclass(frozen=True, slots=True)
class ArrayFacts:
    """``prefix``: one conjunction for each of the first items; ``rest``: for the others.

    ``clauses``: of each, one witness is among the items. ``unique``: pointers of the ``uniqueItems`` that
    ask for distinct items. ``repeats``: two items are equal, for the pointers of negated ``uniqueItems``.
    """

    prefix: tuple[Conjunction, ...] = ()
    rest: Conjunction = ()
    min_items: int = 0
    max_items: int | None = None
    contains: tuple[Contains, ...] = ()
    clauses: tuple[tuple[ItemWitness | Shorter, ...], ...] = ()
    unique: tuple[str, ...] = ()
    repeats: tuple[str, ...] = ()

    def item(self, index: int) -> Conjunction:
        return self.prefix[index] if index < len(self.prefix) else self.rest


@dataclass(frozen=True, slots=True, eq=False)
class MemberTable:
    """What one subschema asks of members: by name, by patterns of the name, and of all others."""

    properties: Mapping[str, Conjunction]
    patterns: tuple[tuple[Pattern, Conjunction], ...] = ()
    others: Conjunction = ()


@dataclass(frozen=True, slots=True)
class Absent:
    """A member that is not there."""

    name: str


@dataclass(frozen=True, slots=True)
class NamedMember:
    """The member of this name is there and satisfies ``inner``."""

    name: str
    inner: Conjunction


@dataclass(frozen=True, slots=True, eq=False)
class OtherMember:
    """Some member satisfies ``inner``; whose name matches ``pattern``, or is among the others of ``table``,
    or satisfies ``key``, where one of them is given.
    """

    inner: Conjunction
    pattern: Pattern | None = None
    table: MemberTable | None = None
    key: Conjunction | None = None


MemberWitness = Absent | NamedMember | OtherMember


@dataclass(frozen=True, slots=True)
class ObjectFacts:
    """``tables``: each says something of every member, and all must hold. ``keys``: what every name
    satisfies. ``clauses``: of each, one witness is there.
    """

    tables: tuple[MemberTable, ...] = ()
    required: tuple[str, ...] = ()
    keys: Conjunction = ()
    min_members: int = 0
    max_members: int | None = None
    clauses: tuple[tuple[MemberWitness, ...], ...] = ()


Facts = LiteralFacts | NumberFacts | StringFacts | ArrayFacts | ObjectFacts
Alternatives = tuple[Facts, ...]


_ByType = tuple[Alternatives, Alternatives, Alternatives, Alternatives, Alternatives, Alternatives]


class NormalForm(_ByType):
    """The alternatives of null, boolean, number, string, array and object."""

    __slots__ = ()

    @property
    def by_type(self) -> _ByType:
        return self

    @property
    def is_empty(self) -> bool:
        """True when not even one alternative is left."""
        return not any(self)

    @property
    def has_children(self) -> bool:
        """True when a value may be an array or an object."""
        return bool(self[ARRAY] or self[OBJECT])


FREE: tuple[Facts, ...] = (
    LiteralFacts((None,)),
    LiteralFacts((False, True)),
    NumberFacts(),
    StringFacts(),
    ArrayFacts(),
    ObjectFacts(),
)
"""For each type, the facts that hold of every value of it."""

ANYTHING = NormalForm(tuple((facts,) for facts in FREE))
NOTHING = NormalForm(((), (), (), (), (), ()))
