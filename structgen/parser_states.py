"""Parser states as a source describes them, one by one: what a front end gives whose states cannot be listed.

The other way to describe a language is a `structgen.grammar.Grammar`, whole.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from structgen_kernels import layout

from structgen.automata.dfa import BoundedDfa, CountedDfa, Dfa, SpelledText

Terminal = Dfa | CountedDfa | BoundedDfa
Key = Hashable
"""What a source calls a parser state; equal keys are one state. No negative int."""

# Kinds of states; the numbers of `structgen_kernels.layout`.
PLAIN = 0
ENDS = layout.ENDS
BEGIN_KEY = layout.BEGIN_KEY
BEGIN_TEXT = layout.BEGIN_TEXT
END_KEY = layout.END_KEY
END_TEXT = layout.END_TEXT


# named tuples: thousands are made while a text is read, and a frozen dataclass takes three times as long


class Read(NamedTuple):
    """Read a terminal, go on in ``target``."""

    terminal: Terminal | SpelledText
    target: Key


class Call(NamedTuple):
    """Read what ``callee`` leads to the end of, go on in ``target``."""

    callee: Key
    target: Key


class Jump(NamedTuple):
    """Go on in ``target`` without reading anything."""

    target: Key


Edge = Read | Call | Jump


class State(NamedTuple):
    """The edges out of a parser state, and its kind.

    ``BEGIN_KEY``, ``BEGIN_TEXT``, ``END_KEY``: one `Jump`, taken after what the name says. ``END_TEXT``: no
    edge; `StateSource.resolve` says where to go. ``barred``, of ``BEGIN_KEY``: strings that are no key; of
    ``END_KEY``: what is barred where the next one may begin.
    """

    edges: Sequence[Edge]
    kind: int = PLAIN
    barred: tuple[str, ...] = ()


class MemberKey(NamedTuple):
    """A state among those of `Members`: the one of the name at a place whose ``role`` is one of
    `structgen_kernels.members`.
    """

    members: Key
    at: int
    role: int


class Members(NamedTuple):
    """The members of an object whose names come in a fixed order, described at once.

    One by one, the states between them were half of what is made while a text is read. ``names``: None where
    no such member can be; ``optional`` uint8 (n,). ``values``: the terminals of which each value is one; None
    where the state is to be expanded when text comes there. ``beyond``: the state in which members of other
    names may come, after the last of these; None where there are none. ``done``: the state behind the object.
    """

    names: Sequence[str | None]
    optional: npt.NDArray[np.uint8]
    values: Sequence[Sequence[Terminal | SpelledText] | None]
    colon: Terminal
    comma: Terminal
    end: Terminal
    beyond: Key | None
    done: Key


class StateSource(Protocol):
    """Describes parser states on demand. Answers never change."""

    @property
    def start(self) -> Key: ...

    def expand(self, key: Key) -> State: ...

    def members(self, key: Key) -> Members:
        """What `MemberKey.members` stands for. Only of sources that give such keys, for vocabularies that
        have all bytes.
        """

    def member(self, key: MemberKey) -> Key:
        """The state as a key that `expand` knows."""

    def resolve(self, key: Key, text: bytes) -> Key | None:
        """Where the END_TEXT state ``key`` goes on after ``text``; None: the text is refused."""
