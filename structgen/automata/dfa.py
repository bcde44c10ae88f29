"""Byte-level deterministic automata: minimal, canonically numbered, addressed by content."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

DEAD = 0
START = 1
_LARGE = 1 << 14  # of a table; runs of a smaller one are found no sooner than it is hashed


@dataclass(frozen=True, slots=True, eq=False)
class Dfa:
    """A minimal, trimmed DFA over bytes.

    ``transitions``: int32 (states, classes), read-only; state 0 is dead, state 1 the start, the
    others are numbered breadth-first. Every state but the dead one leads to an accepting state.
    ``byte_class``: uint8 (256,), the class (column) of each byte. ``accepting``: bool (states,).
    Two automata of the same language have the same ``digest``. The empty language has the states 0
    and 1, neither accepting.
    """

    transitions: npt.NDArray[np.int32]
    byte_class: npt.NDArray[np.uint8]
    accepting: npt.NDArray[np.bool_]
    digest: bytes = field(default=b"")

    def __post_init__(self) -> None:
        for array in (self.transitions, self.byte_class, self.accepting):
            array.flags.writeable = False
        if not self.digest:
            content = hashlib.blake2b(digest_size=16)
            content.update(np.array(self.transitions.shape, np.int32).tobytes())
            content.update(_written(np.ascontiguousarray(self.transitions)).data)
            content.update(self.byte_class.tobytes())
            content.update(self.accepting.tobytes())
            object.__setattr__(self, "digest", content.digest())

    @property
    def n_states(self) -> int:
        """Number of states, the dead one included."""
        return int(self.transitions.shape[0])

    @property
    def nbytes(self) -> int:
        """Bytes of memory, with what Python's objects take, roughly."""
        arrays = (self.transitions, self.byte_class, self.accepting)
        return sum(array.nbytes for array in arrays) + 1000

    @property
    def is_empty(self) -> bool:
        """True when no text at all is accepted."""
        # all states lead to an accepting one, so only the start alone can be without
        return self.transitions.shape[0] == 2 and not bool(self.accepting[START])

    @property
    def accepts_empty(self) -> bool:
        """True when the empty text is accepted."""
        return bool(self.accepting[START])

    def step(self, state: int, data: bytes) -> int:
        """The state after ``data`` (0: dead)."""
        for byte in data:
            state = int(self.transitions[state, self.byte_class[byte]])
        return state

    def accepts(self, data: bytes) -> bool:
        return bool(self.accepting[self.step(START, data)])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Dfa) and other.digest == self.digest

    def __hash__(self) -> int:
        return hash(self.digest)


def _written(table: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """A table for hashing: as it is, or where it is large as the runs of its rows, which are much less."""
    from structgen_kernels.automata import write_runs

    if table.size < _LARGE:
        return table
    runs = np.empty(table.size + table.shape[0], np.int32)
    size = write_runs(table, runs)
    return runs[:size] if size else table


@dataclass(frozen=True, slots=True)
class CountedDfa:
    """``head`` then ``unit`` at least ``minimum`` and at most ``maximum`` times, then ``tail``.

    The copies of ``unit`` are implicit: a run-time state is (count, unit state), so that a
    ``maxLength`` of 10 and one of 100,000 cost the same. ``unit`` accepts no empty text and no text that
    is a proper prefix of another of its texts; ``tail`` is not empty and no unit begins with its first
    byte. ``maximum`` None: without bound.
    """

    head: bytes
    unit: Dfa
    minimum: int
    maximum: int | None
    tail: bytes
    digest: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        unit = self.unit
        if unit.is_empty or unit.accepts_empty or unit.transitions[unit.accepting].any():
            raise ValueError("the unit of a CountedDfa is a non-empty prefix-free language")
        if not self.tail or unit.step(START, self.tail[:1]) != DEAD:
            raise ValueError("the tail of a CountedDfa begins with a byte that no unit begins with")
        if not self.minimum >= 0 or (self.maximum is not None and self.maximum < self.minimum):
            raise ValueError("the bounds of a CountedDfa are 0 <= minimum <= maximum")
        content = hashlib.blake2b(unit.digest, digest_size=16)
        content.update(repr((self.head, self.minimum, self.maximum, self.tail)).encode())
        object.__setattr__(self, "digest", content.digest())

    @property
    def nbytes(self) -> int:
        """Bytes of memory, roughly."""
        return self.unit.nbytes

    @property
    def counts(self) -> int:
        """Number of counts to tell apart; without a maximum, counts past the minimum are alike."""
        return (self.minimum if self.maximum is None else self.maximum) + 1

    def __hash__(self) -> int:
        return hash(self.digest)


@dataclass(frozen=True, slots=True)
class BoundedDfa:
    """``head``, then a text of ``content`` of at most ``maximum`` code points, then ``tail``.

    ``content`` is in the json-string encoding. A copy of it for each length is implicit: a run-time state is
    (count, content state), so that any ``maximum`` costs the same. ``tail`` is not empty, and no text of
    ``content`` goes on with its first byte where it might also end.
    """

    head: bytes
    content: Dfa
    maximum: int
    tail: bytes
    digest: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.maximum < 0:
            raise ValueError("the maximum of a BoundedDfa is not negative")
        content = self.content
        if not self.tail or content.transitions[content.accepting, content.byte_class[self.tail[0]]].any():
            raise ValueError(
                "the tail of a BoundedDfa begins with a byte that the content does not go on with"
            )
        digest = hashlib.blake2b(b"bounded" + content.digest, digest_size=16)
        digest.update(repr((self.head, self.maximum, self.tail)).encode())
        object.__setattr__(self, "digest", digest.digest())

    @property
    def nbytes(self) -> int:
        """Bytes of memory, roughly."""
        return self.content.nbytes

    @property
    def counts(self) -> int:
        """Number of counts to tell apart."""
        return self.maximum + 1

    def __hash__(self) -> int:
        return hash(self.digest)


@dataclass(frozen=True, slots=True)
class SpelledText:
    """The JSON strings that mean ``text``, in every spelling, with their quotes. It has no lone surrogate.

    The language of `structgen.automata.json_text.key`, without an automaton: its states are implicit.
    """

    text: str


@dataclass(frozen=True, slots=True)
class SpelledTexts:
    """The JSON strings that mean any of ``texts``, two or more, sorted and distinct, in every spelling."""

    texts: tuple[str, ...]
