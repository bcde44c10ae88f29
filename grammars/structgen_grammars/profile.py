"""How the texts of a builtin grammar are cut into terminals: what a Lark file alone cannot say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Lexer = Literal["contextual", "basic", "dynamic_complete"]
LayoutKind = Literal["none", "indentation", "semicolons"]

@dataclass(frozen=True, slots=True)
class Change:
    """What a terminal does to the stack of modes: ``pop`` of them go, then ``push`` come, the last on top."""

    pop: int = 0
    push: tuple[str, ...] = ()


STAY = Change()


@dataclass(frozen=True, slots=True)
class Mode:
    """A way to cut text: the terminals among which the longest match is taken, and where each leads.

    ``only``: the terminals of the mode; None stands for all that the grammar gives a pattern.
    ``without``: those of them that the mode does not have. ``patterns``: regexes (Python's dialect) that the
    mode has for terminals, in place of the grammar's; the only ones of terminals that are just declared.
    A terminal that no rule uses (``NEVER``) keeps shorter matches from counting.
    Ignored terminals of the grammar are ignored in every mode that has them, and change nothing.

    ``after``: what a terminal changes; ``otherwise``: what the others do that are not ignored.
    """

    name: str
    only: frozenset[str] | None = None
    without: frozenset[str] = frozenset()
    patterns: Mapping[str, str] = field(default_factory=dict)
    after: Mapping[str, Change] = field(default_factory=dict)
    otherwise: Change = STAY


@dataclass(frozen=True, slots=True)
class Indentation:
    """Names of the terminals of lines and blocks, and the comment that a line may consist of (a regex)."""

    newline: str
    indent: str
    dedent: str
    comment: str


@dataclass(frozen=True, slots=True)
class Profile:
    """A builtin grammar: its file, what it may start with, and how its texts are cut into terminals.

    ``starts``: rules that are units of their own; the first is the default. ``modes``: the first is the one
    that a text begins in; empty: one mode of all terminals. ``indentation`` belongs to the layout of this
    name. ``summary`` and ``reference`` say what the language is and what it was written from.
    """

    name: str
    path: Path
    starts: tuple[str, ...]
    lexer: Lexer
    summary: str
    reference: str
    layout: LayoutKind = "none"
    modes: tuple[Mode, ...] = ()
    indentation: Indentation | None = None
