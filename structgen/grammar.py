"""The one intermediate representation that all sources map into: rules over terminals.

A `Grammar` is a set of named rules; the body of a rule is an expression over terminals (regular
expressions over code points, or ready automata over bytes) and references to rules. Any context-free
grammar can be written: ambiguous, left-recursive, nullable.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from structgen.automata.dfa import BoundedDfa, CountedDfa, Dfa
from structgen.errors import SourcePosition
from structgen.regex.syntax import Regex


@dataclass(frozen=True, slots=True)
class Terminal:
    """A regular part of the text.

    ``pattern``: a `Regex` over code points, or a `Dfa`, `CountedDfa` or `BoundedDfa` over bytes.

    A `Regex` terminal may be merged with its regular neighbours into a larger automaton; a `Dfa`
    is kept as it is, so that its masks are shared between grammars. ``name`` is what error messages
    call it.
    """

    pattern: Regex | Dfa | CountedDfa | BoundedDfa
    name: str = ""


@dataclass(frozen=True, slots=True)
class RuleRef:
    name: str


@dataclass(frozen=True, slots=True)
class Sequence:
    """All items, one after the other; no items: the empty word."""

    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """Any one of the options; no options: matches nothing."""

    options: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Repetition:
    """``item`` at least ``minimum``, at most ``maximum`` times (None: without bound)."""

    item: Expr
    minimum: int
    maximum: int | None


Expr = Terminal | RuleRef | Sequence | Choice | Repetition

EMPTY = Sequence(())


@dataclass(frozen=True, slots=True)
class Grammar:
    """Rules by name, the start rule, and what may stand between any two terminals.

    ``ignore``: an expression allowed (any number of times) before, between and after terminals
    (Lark's ``%ignore``), or None. ``positions``: where each rule stands in the source, for errors.
    ``source_kind``: 'regex', 'lark', 'gbnf', 'choice' or 'json_schema'.
    """

    rules: Mapping[str, Expr]
    start: str
    source_kind: str
    ignore: Expr | None = None
    positions: Mapping[str, SourcePosition] = field(default_factory=dict)
