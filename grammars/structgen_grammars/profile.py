"""How the texts of a builtin grammar are cut into terminals: what a Lark file alone cannot say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Lexer = Literal["contextual", "basic", "dynamic_complete"]
LayoutKind = Literal["none", "indentation", "semicolons"]


@dataclass(frozen=True, slots=True)
class Mode:
    """A way to cut text: the terminals among which the longest match is taken, and where each leads.

    ``only``: the terminals of the mode; None stands for all that the grammar gives a pattern.
    ``without``: those of them that the mode does not have. ``patterns``: regexes (Python's dialect) that the
    mode has for terminals, in place of the grammar's; the only ones of terminals that are just declared.
    A terminal that no rule uses (``NEVER``) keeps shorter matches from counting.
    Ignored terminals of the grammar are ignored in every mode that has them, and change nothing.

    A run has a stack of modes. After a terminal: ``push`` puts a mode on top, ``pop`` takes the top away,
    ``goto`` puts another in its place. ``otherwise`` names the one to go to after a terminal that is in none
    of the three and is not ignored; empty: the mode stays.
    """

    name: str
    only: frozenset[str] | None = None
    without: frozenset[str] = frozenset()
    patterns: Mapping[str, str] = field(default_factory=dict)
    push: Mapping[str, str] = field(default_factory=dict)
    goto: Mapping[str, str] = field(default_factory=dict)
    pop: frozenset[str] = frozenset()
    otherwise: str = ""


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
    name. ``base``: a file that comes before ``path``, which overrides some of its rules. ``summary`` and
    ``reference`` say what the language is and what it was written from.
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
    base: Path | None = None

    @property
    def text(self) -> str:
        """The grammar in Lark's syntax."""
        own = self.path.read_text(encoding="utf-8")
        return own if self.base is None else f"{self.base.read_text(encoding='utf-8')}\n{own}"
