"""The normal form of a schema: for each JSON type, alternatives of conjoined facts.

A value satisfies a `NormalForm` when it satisfies one of the alternatives of its type. What an
alternative asks of the children (properties, items) is a `Conjunction`: subschemas that must all hold.
A schema with ``anyOf``, ``allOf`` and ``$ref`` is an alternating tree automaton; this is the
nondeterministic one (Comon et al., Tree Automata Techniques and Applications, chapter 7), whose states
are the conjunctions.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from fractions import Fraction
from typing import Any

from structgen.sources.json_schema.document import Node

Conjunction = tuple[Node, ...]
"""Subschemas that must all hold, each once, in the order of appearance; () is true of every value."""

NULL, BOOLEAN, NUMBER, STRING, ARRAY, OBJECT = range(6)
"""Places of the JSON types in `NormalForm.by_type`."""


class Integer(IntEnum):
    """Must a number be an integer? ``PLAIN``: as draft 4 has it, ``1.0`` is none."""

    NO = 0
    YES = 1
    PLAIN = 2


@dataclass(frozen=True, slots=True)
class Residue:
    """An assertion that is not enforced yet: an error as soon as a value could depend on it."""

    pointer: str
    keyword: str
    reason: str


@dataclass(frozen=True, slots=True)
class LiteralFacts:
    """null or booleans: those of ``values``."""

    values: tuple[Any, ...]
    residues: tuple[Residue, ...] = ()


@dataclass(frozen=True, slots=True)
class NumberFacts:
    """``values``: one of these (JSON equality), or None. ``low``/``high``: bounds or None.

    ``unless_integer``: residues of the bounds, which count when the number need not be an integer.
    """

    integer: Integer = Integer.NO
    low: Fraction | int | None = None
    low_open: bool = False
    high: Fraction | int | None = None
    high_open: bool = False
    values: tuple[Any, ...] | None = None
    residues: tuple[Residue, ...] = ()
    unless_integer: tuple[Residue, ...] = ()


@dataclass(frozen=True, slots=True)
class Pattern:
    """``pattern`` of the subschema at ``pointer``: an unanchored ECMA-262 regular expression."""

    text: str
    pointer: str


@dataclass(frozen=True, slots=True)
class StringFacts:
    """Lengths in code points."""

    min_length: int = 0
    max_length: int | None = None
    patterns: tuple[Pattern, ...] = ()
    values: tuple[Any, ...] | None = None
    residues: tuple[Residue, ...] = ()


@dataclass(frozen=True, slots=True)
class ArrayFacts:
    """``prefix``: one conjunction for each of the first items; ``rest``: for the others."""

    prefix: tuple[Conjunction, ...] = ()
    rest: Conjunction = ()
    min_items: int = 0
    max_items: int | None = None
    values: tuple[Any, ...] | None = None
    residues: tuple[Residue, ...] = ()

    def item(self, index: int) -> Conjunction:
        return self.prefix[index] if index < len(self.prefix) else self.rest


@dataclass(frozen=True, slots=True)
class ObjectFacts:
    """``properties``: named ones in the order of the text; ``others``: for all other names."""

    properties: dict[str, Conjunction]
    others: Conjunction = ()
    required: tuple[str, ...] = ()
    values: tuple[Any, ...] | None = None
    residues: tuple[Residue, ...] = ()

    def member(self, name: str) -> Conjunction:
        return self.properties.get(name, self.others)


Facts = LiteralFacts | NumberFacts | StringFacts | ArrayFacts | ObjectFacts
Alternatives = tuple[Facts, ...]


@dataclass(frozen=True, slots=True)
class NormalForm:
    """``by_type``: the alternatives of null, boolean, number, string, array and object."""

    by_type: tuple[Alternatives, Alternatives, Alternatives, Alternatives, Alternatives, Alternatives]

    @property
    def is_empty(self) -> bool:
        """True when not even one alternative is left."""
        return not any(self.by_type)

    @property
    def has_children(self) -> bool:
        """True when a value may be an array or an object."""
        return bool(self.by_type[ARRAY] or self.by_type[OBJECT])


FREE: tuple[Facts, ...] = (
    LiteralFacts((None,)),
    LiteralFacts((False, True)),
    NumberFacts(),
    StringFacts(),
    ArrayFacts(),
    ObjectFacts({}),
)
"""For each type, the facts that hold of every value of it."""

ANYTHING = NormalForm(tuple((facts,) for facts in FREE))  # type: ignore[arg-type]
NOTHING = NormalForm(((), (), (), (), (), ()))
