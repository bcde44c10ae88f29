"""Automata over the few bytes that numbers are made of, and the pieces that all of them share.

All number languages are put together from automata over the same 15 columns, so that products need no
common byte classes and rows can be written as short lists: a range of integers is compiled in a fraction
of a millisecond. Only the result becomes a `Dfa`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from structgen_kernels.number_bounds import (
    EXPONENT,
    MINUS,
    N_COLUMNS,
    NO_BOUND,
    PLUS,
    ZERO,
    naturals,
    room_of_natural,
)

from structgen.automata.dfa import Dfa
from structgen.errors import CompileLimitError

DIGITS, NONZERO = slice(ZERO, ZERO + 10), slice(ZERO + 1, ZERO + 10)
_COLUMN_BYTES = np.frombuffer(b"\0+-.0123456789E", np.uint8)
_COLUMN_OF_BYTE = np.zeros(256, np.uint8)
_COLUMN_OF_BYTE[_COLUMN_BYTES] = np.arange(N_COLUMNS)
_COLUMN_OF_BYTE[ord("e")] = EXPONENT

INTERSECTION, DIFFERENCE, UNION = 0, 1, 2


LARGEST_EXPONENT, SMALLEST_EXPONENT = 308, -324
"""Of doubles (IEEE 754 binary64), subnormal ones included."""


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """A minimal automaton. ``table``: int32 (states, 15), state 0 dead, 1 start; ``accepting``: bool."""

    table: npt.NDArray[np.int32]
    accepting: npt.NDArray[np.bool_]

    def __post_init__(self) -> None:
        self.table.flags.writeable = False
        self.accepting.flags.writeable = False

    @property
    def n_states(self) -> int:
        return len(self.accepting)


def minimal(table: npt.NDArray[np.int32], accepting: npt.NDArray[np.bool_]) -> Columns:
    """The minimal automaton of a complete table, which may be written over."""
    from structgen_kernels.minimise import minimise

    return Columns(*minimise(table, accepting))


def combine(operation: int, left: Columns, right: Columns, max_states: int) -> Columns:
    """Raises `CompileLimitError` (``max_states``)."""
    from structgen_kernels.automata import TOO_MANY_STATES, least_product

    table, accepting, count = least_product(
        left.table, left.accepting, right.table, right.accepting, operation, max_states
    )
    if count == TOO_MANY_STATES:
        raise CompileLimitError("max_states", max_states, max_states + 1)
    return Columns(table, accepting)


def columns_of(automaton: Dfa) -> Columns:
    """The same language (of number texts) in columns."""
    table = np.ascontiguousarray(automaton.transitions[:, automaton.byte_class[_COLUMN_BYTES]])
    return minimal(table, automaton.accepting.copy())


def dfa_of(columns: Columns) -> Dfa:
    """The same language as a `Dfa`, numbered as `automata.build.canonical` does."""
    from structgen_kernels.minimise import canonical_form

    table, accepting = columns.table.copy(), columns.accepting.copy()  # may be written: as other tables
    return Dfa(*canonical_form(table, table.shape[0], accepting, _COLUMN_OF_BYTE))


class Rows:
    """An automaton under construction, row by row: states are places in ``rows``; 0 dead, 1 start."""

    def __init__(self) -> None:
        self.rows: list[list[int]] = [[0] * N_COLUMNS, [0] * N_COLUMNS]
        self.accepting = [False, False]
        self._exponents: dict[object, int] = {}
        self._naturals: dict[tuple[int | None, int | None], int] = {}

    def state(self, accepts: bool = False) -> int:
        self.rows.append([0] * N_COLUMNS)
        self.accepting.append(accepts)
        return len(self.rows) - 1

    def by_digit(self, state: int, pivot: int, less: int, equal: int, greater: int) -> None:
        """Digits below ``pivot`` lead to ``less``, and so on."""
        self.rows[state][DIGITS] = [less] * pivot + [equal] + [greater] * (9 - pivot)

    def all_digits(self, state: int, target: int) -> None:
        self.rows[state][DIGITS] = [target] * 10

    def finish(self) -> Columns:
        return minimal(np.array(self.rows, np.int32), np.array(self.accepting, np.bool_))

    def exponent(self, at_least: int | None, at_most: int | None) -> int:
        """The state after ``e`` for the exponents within the bounds, of which one or both are None."""
        key = (at_least, at_most)
        if key not in self._exponents:
            low = at_least if at_least is not None and at_least > 0 else None
            positive = self._natural(low, at_most)
            low = -at_most if at_most is not None and at_most < 0 else None
            negative = self._natural(low, None if at_least is None else -at_least)
            self._exponents[key] = self._signed(positive, negative)
        return self._exponents[key]

    def common_exponent(self) -> int:
        """The state after ``e`` for the exponents that doubles have."""
        return self._signed(self._natural(None, LARGEST_EXPONENT), self._natural(None, -SMALLEST_EXPONENT))

    def exponents(self, values: frozenset[int]) -> int:
        """The state after ``e`` for exactly these exponents, at least one."""
        if values not in self._exponents:
            positive = self._naturals_of({value for value in values if value >= 0})
            negative = self._naturals_of({-value for value in values if value <= 0})
            self._exponents[values] = self._signed(positive, negative)
        return self._exponents[values]

    def _signed(self, positive: int, negative: int) -> int:
        after = self.state()
        self.rows[after][DIGITS] = self.rows[positive][DIGITS]
        self.rows[after][PLUS] = positive
        self.rows[after][MINUS] = negative
        return after

    def _natural(self, low: int | None, high: int | None) -> int:
        """The digits, leading zeros included, of the natural numbers within bounds; one or both None."""
        key = (low, high)
        if key not in self._naturals:
            least, most = NO_BOUND if low is None else low, NO_BOUND if high is None else high
            n_states = 2 + max(room_of_natural(least), room_of_natural(most))
            table, accepting, start = naturals(least, most, n_states)
            moved = len(self.rows) - 2  # its dead state and its start are not copied
            self.rows += np.where(table[2:] > 0, table[2:] + moved, 0).tolist()
            self.accepting += accepting[2:].tolist()
            self._naturals[key] = start + moved if start else 0
        return self._naturals[key]

    def _naturals_of(self, values: Iterable[int]) -> int:
        start, zero = self.state(), self.state()
        for value in sorted(values):
            if value == 0:
                self.accepting[zero] = True
                continue
            state = start
            for digit in str(value):
                after = self.rows[state][ZERO + int(digit)]
                if not after:
                    after = self.rows[state][ZERO + int(digit)] = self.state()
                state = after
            self.accepting[state] = True
        self.rows[zero] = list(self.rows[start])
        self.rows[start][ZERO] = self.rows[zero][ZERO] = zero
        return start
