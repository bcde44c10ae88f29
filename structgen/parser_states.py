"""Parser states as a source describes them, one by one: what a front end gives whose states cannot be listed.

The other way to describe a language is a `structgen.grammar.Grammar`, whole.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from structgen_kernels import layout

from structgen.automata.dfa import BoundedDfa, CountedDfa, Dfa, SpelledText, SpelledTexts
from structgen.automata.marked import MarkedDfa

Terminal = Dfa | CountedDfa | BoundedDfa | MarkedDfa
Key = Hashable
"""What a source calls a parser state; equal keys are one state. No negative int."""

OPEN = frozenset(("kind",))
"""What keys begin with, of tuples, whose states are not made ahead: they may have very many edges."""

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

    terminal: Terminal | SpelledText | SpelledTexts
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
    ``END_KEY``: what is barred where the next one may begin. ``along``: states and members that text mostly
    comes to next, by their keys.
    """

    edges: Sequence[Edge]
    kind: int = PLAIN
    barred: tuple[str, ...] = ()
    along: Sequence[tuple[Key, State | Members]] = ()


class MemberKey(NamedTuple):
    """A state among those of `Members`: the one of the name at a place whose ``role`` is one of
    `structgen_kernels.members`. Behind the names: of `Others`.
    """

    members: Key
    at: int
    role: int


class PlainKey(NamedTuple):
    """A state of a plain container, the one with this ``record``, of a schema that was looked at as a whole.
    ``at``: -1, it begins; else which of the states in it, as `structgen_kernels.plain_containers` has them.
    """

    record: int
    at: int


class Enter(NamedTuple):
    """A value that is read by what ``callee`` leads to the end of."""

    callee: Key


Value = Terminal | SpelledText | SpelledTexts | Enter


class Others(NamedTuple):
    """Members with other names than those that are spoken of, whose text is remembered.

    ``barred``: the names that none of them may have; ``names``: the terminals of which a name is one;
    ``values``: see `Members`.
    """

    barred: tuple[str, ...]
    names: Sequence[Terminal]
    values: Sequence[Value] | None


class Members(NamedTuple):
    """The members of an object whose names come in a fixed order, described at once.

    One by one, the states between them were half of what is made while a text is read. ``names``: None where
    no such member can be; ``optional``: may it be left out? ``values``: of which each value is one; None
    where the state is to be expanded when text comes there. ``beyond``: what may come after the last of
    these: others, or a state in which further members may come; None where there are none. ``done``: the
    state behind the object; None where it cannot end before further members.
    """

    names: Sequence[str | None]
    optional: Sequence[bool]
    values: Sequence[Sequence[Value] | None]
    colon: Terminal
    comma: Terminal
    end: Terminal
    beyond: Others | Key | None
    done: Key | None


class UsualParts(NamedTuple):
    """What the states of plain containers of a source have in common: ``marks``, in the order of
    `structgen_kernels.plain_containers`; ``types``: of which values of each type are one; ``names``: the
    terminals of which any name is one; ``done``: the state behind a container.
    """

    marks: Sequence[Terminal]
    types: Sequence[Sequence[Value]]
    names: Sequence[Terminal]
    done: Key


class Containers(NamedTuple):
    """Plain containers, described at once by `structgen_kernels.plain_containers.describe`.

    ``data``: the snapshot, uint8; ``containers``, ``members``: int32 rows; ``n_letters``: of all names;
    ``values``: the answers to the questions: of which a value is one, None where the state is to be expanded
    when text comes there, () where there is no such value.
    """

    data: npt.NDArray[np.uint8]
    containers: npt.NDArray[np.int32]
    members: npt.NDArray[np.int32]
    n_letters: int
    values: Sequence[Sequence[Value] | None]


class StateSource(Protocol):
    """Describes parser states on demand. Answers never change."""

    @property
    def start(self) -> Key: ...

    @property
    def n_records(self) -> int:
        """Of the schema, where it was looked at as a whole; 0: there are no `PlainKey`."""

    @property
    def usual_parts(self) -> UsualParts:
        """Only of sources that give `PlainKey`, as `containers`."""

    def containers(self, record: int) -> Containers:
        """The plain container of a record, and others in it."""

    def expand(self, key: Key) -> State:
        """The state ``key``; or a value that `Members` or `Containers` leave open."""

    def members(self, key: Key) -> Members:
        """What `MemberKey.members` stands for. Only of sources that give such keys, for vocabularies that
        have all bytes.
        """

    def member(self, key: MemberKey | PlainKey) -> Key:
        """The state as a key that says what it is, for messages."""

    def resolve(self, key: Key, text: bytes) -> Key | None:
        """Where the END_TEXT state ``key`` goes on after ``text``; None: the text is refused."""


class NoSource:
    """Of tables that no parser state is in."""

    start: Key = None
    n_records = 0

    @property
    def usual_parts(self) -> UsualParts:
        raise KeyError

    def containers(self, record: int) -> Containers:
        raise KeyError(record)

    def expand(self, key: Key) -> State:
        raise KeyError(key)

    def members(self, key: Key) -> Members:
        raise KeyError(key)

    def member(self, key: MemberKey | PlainKey) -> Key:
        raise KeyError(key)

    def resolve(self, key: Key, text: bytes) -> Key | None:
        raise KeyError(key)


class Usual(NamedTuple):
    """What sources of a kind mostly have: ``terminals``, and, made when needed, a source of which all
    ``states`` are those of any other: equal keys mean the same, and say so by themselves; their terminals are
    among ``terminals``. ``name``: tells these terminals from others. ``parts``: what plain containers have in
    common; terminals among these, too.
    """

    terminals: Sequence[Terminal]
    states: Callable[[], StateSource] | None
    name: Hashable
    parts: UsualParts | None = None
