"""Syntax trees of regular expressions over code points.

Both dialects parse to these nodes, and so do the regular parts of grammars. `Intersection` and
`Complement` are there for lookaround, ``not`` and ``pattern`` beside ``minLength``; they are resolved
on automata. A node matches a whole text: unanchored search is spelled out as ``ANYTHING P ANYTHING``.
"""

from __future__ import annotations

from dataclasses import dataclass

from structgen.charset import ANY, CharSet


@dataclass(frozen=True, slots=True)
class Chars:
    """One code point out of a set. The empty set matches nothing."""

    charset: CharSet


@dataclass(frozen=True, slots=True)
class Literal:
    """A fixed text of any length; '' is the empty word."""

    text: str


@dataclass(frozen=True, slots=True)
class Concat:
    parts: tuple[Regex, ...]


@dataclass(frozen=True, slots=True)
class Union:
    """Any of the options; none at all matches nothing."""

    options: tuple[Regex, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """``item`` at least ``minimum`` and at most ``maximum`` times (None: without bound)."""

    item: Regex
    minimum: int
    maximum: int | None


@dataclass(frozen=True, slots=True)
class Intersection:
    """Texts that both sides match."""

    left: Regex
    right: Regex


@dataclass(frozen=True, slots=True)
class Complement:
    """Texts (of whole code points) that ``item`` does not match."""

    item: Regex


Regex = Chars | Literal | Concat | Union | Repeat | Intersection | Complement

EPSILON = Literal("")
NOTHING = Union(())
ANYTHING = Repeat(Chars(ANY), 0, None)
