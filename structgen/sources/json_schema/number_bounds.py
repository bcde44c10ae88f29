"""The texts of the numbers on one side of a bound, and of enumerated ones.

Texts here are of two forms: *plain*, digits and perhaps a fraction; and *scientific*, one digit that is
not zero, perhaps a fraction, and an exponent (1.5e+300, as programs write it), or zero with any
exponent. In either form the order against a bound is found reading from left to right with finitely many
states. In other forms (12e3, 0.5e2) the digits of mantissa and exponent would have to be counted against
each other, which no finite automaton does: these are left out as soon as a number's value matters.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from structgen_kernels.number_bounds import (
    DOT,
    EQUAL,
    EXPONENT,
    GREATER,
    LESS,
    MINUS,
    ZERO,
    room,
    two_sided,
)

from structgen.sources.json_schema.number_columns import Columns, Rows
from structgen.sources.json_schema.number_facts import Number
from structgen.untracked import untracked


@lru_cache(maxsize=1024)
@untracked
def at_least(bound: Number, is_open: bool) -> Columns:
    """Plain and scientific texts of numbers >= ``bound`` (> when open)."""
    if bound > 0:
        return _two_sided(_side(bound, *(EQUAL, GREATER)[is_open:]), _NONE, zero=False)
    if bound == 0:
        return _two_sided(_ALL, _NONE, zero=not is_open)
    return _two_sided(_ALL, _side(-bound, *(LESS, EQUAL)[: 2 - is_open]), zero=True)


@lru_cache(maxsize=1024)
@untracked
def at_most(bound: Number, is_open: bool) -> Columns:
    """Plain and scientific texts of numbers <= ``bound`` (< when open)."""
    if bound < 0:
        return _two_sided(_NONE, _side(-bound, *(EQUAL, GREATER)[is_open:]), zero=False)
    if bound == 0:
        return _two_sided(_NONE, _ALL, zero=not is_open)
    return _two_sided(_side(bound, *(LESS, EQUAL)[: 2 - is_open]), _ALL, zero=True)


@lru_cache(maxsize=1)
def all_numbers() -> Columns:
    """All plain and scientific texts."""
    return _two_sided(_ALL, _ALL, zero=True)


def decimal_digits(number: Number) -> tuple[str, int]:
    """(digits, exponent) of a positive decimal, ``d.ddd`` times 10 to the exponent, without zeros at the end.

    Raises `ValueError` when the number has no finite decimal expansion.
    """
    if isinstance(number, int):
        digits = str(number)
        return digits.rstrip("0") or "0", len(digits) - 1
    fraction = Fraction(number)
    places, rest = 0, fraction.denominator
    for prime in (2, 5):
        count = 0
        while rest % prime == 0:
            rest //= prime
            count += 1
        places = max(places, count)
    if rest != 1:
        raise ValueError(f"{number} is not a decimal")
    digits = str(fraction.numerator * 10**places // fraction.denominator)
    return digits.rstrip("0") or "0", len(digits) - 1 - places


class _Side(NamedTuple):
    """Nonzero numbers without sign by their order against a positive bound: ``digits``, uint8, ``d.ddd``
    times 10 to the ``scale``; ``wanted``: allowed orders, a bit each.
    """

    digits: npt.NDArray[np.uint8]
    scale: int
    wanted: int


def _side(bound: Number, *wanted: int) -> _Side:
    digits, scale = decimal_digits(bound)
    values = np.frombuffer(digits.encode(), np.uint8) - ord("0")
    values.flags.writeable = False
    return _Side(values, scale, sum(1 << order for order in wanted))


_ALL = _side(1, LESS, EQUAL, GREATER)
_NONE = _side(1)


def _two_sided(positive: _Side, negative: _Side, *, zero: bool) -> Columns:
    most = room(positive.digits.size, positive.scale) + room(negative.digits.size, negative.scale)
    return Columns(*two_sided(*positive, *negative, zero, most))


@lru_cache(maxsize=1)
def common_exponents() -> Columns:
    """Any digits, signs and points, and perhaps an exponent that doubles have."""
    rows = Rows()
    rows.accepting[1] = True
    rows.all_digits(1, 1)
    rows.rows[1][DOT] = rows.rows[1][MINUS] = 1
    rows.rows[1][EXPONENT] = rows.common_exponent()
    return rows.finish()


@lru_cache(maxsize=64)
@untracked
def short_numbers(max_digits: int) -> Columns:
    """At most so many digits before the point, as many after it, and three in the exponent."""
    rows = Rows()
    after_e, signed = rows.state(), rows.state()
    rows.rows[after_e][1:3] = [signed, signed]
    exponent = [rows.state(True) for _ in range(3)]
    for source, target in ((after_e, 0), (signed, 0), (exponent[0], 1), (exponent[1], 2)):
        rows.all_digits(source, exponent[target])
    dot = previous = rows.state()
    for _ in range(max_digits):
        state = rows.state(True)
        rows.all_digits(previous, state)
        rows.rows[state][EXPONENT] = after_e
        previous = state
    minus = previous = rows.state()
    for _ in range(max_digits):
        state = rows.state(True)
        rows.all_digits(previous, state)
        rows.rows[state][DOT] = dot
        rows.rows[state][EXPONENT] = after_e
        previous = state
    rows.rows[1] = list(rows.rows[minus])
    rows.rows[1][MINUS] = minus
    return rows.finish()


# in place of a set of exponents: zero has any
_ANY: frozenset[int] = frozenset((10**9,))


def spellings(numbers: Iterable[Number]) -> Columns:
    """All plain and scientific texts of these numbers, also with more zeros after the point.

    A trie of the shortest texts; where a number may end, zeros may follow, along the trie as long as it
    goes and then in a loop.
    """
    rows = Rows()
    minus = rows.rows[1][MINUS] = rows.state()
    # states where a value may end -> does it end as it is; with which exponents
    ends: dict[int, tuple[bool, frozenset[int]]] = {}
    fractional: set[int] = set()
    dots: set[int] = set()

    def insert(state: int, text: str) -> int:
        has_point = False
        for char in text:
            column = DOT if char == "." else ZERO + int(char)
            after = rows.rows[state][column]
            if not after:
                after = rows.rows[state][column] = rows.state()
            state = after
            if char == ".":
                has_point = True
                dots.add(state)
            elif has_point:
                fractional.add(state)
        return state

    def end(state: int, accepts: bool, exponents: frozenset[int]) -> None:
        others = ends.get(state, (False, frozenset()))
        ends[state] = (accepts or others[0], exponents | others[1])

    for number in numbers:
        if number == 0:
            for sign in (1, minus):
                end(insert(sign, "0"), True, _ANY)
            continue
        digits, scale = decimal_digits(-number if number < 0 else number)
        sign = minus if number < 0 else 1
        if scale < 0:
            text = "0." + "0" * (-scale - 1) + digits
        else:
            digits_before = digits[: scale + 1].ljust(scale + 1, "0")
            text = digits_before + ("." + digits[scale + 1 :] if digits[scale + 1 :] else "")
        end(insert(sign, text), True, frozenset())
        mantissa = digits[0] + ("." + digits[1:] if digits[1:] else "")
        end(insert(sign, mantissa), False, frozenset((scale,)))

    tails: dict[tuple[bool, frozenset[int], bool], int] = {}

    def tail(accepts: bool, exponents: frozenset[int], at_dot: bool) -> int:
        key = (accepts, exponents, at_dot)
        if key not in tails:
            state = tails[key] = rows.state(accepts and not at_dot)
            rows.rows[state][ZERO] = tail(accepts, exponents, False) if at_dot else state
            if not at_dot:
                rows.rows[state][EXPONENT] = after_e(exponents)
        return tails[key]

    def after_e(exponents: frozenset[int]) -> int:
        if not exponents:
            return 0
        return rows.exponent(None, None) if exponents == _ANY else rows.exponents(exponents)

    # a state's successors in the trie have higher numbers, and come later
    for state in range(2, len(rows.rows)):
        if state not in ends:
            continue
        accepts, exponents = ends[state]
        row = rows.rows[state]
        if state not in dots:
            rows.accepting[state] = accepts
            row[EXPONENT] = after_e(exponents)
        column = ZERO if state in dots or state in fractional else DOT
        if row[column]:
            end(row[column], accepts, exponents)
        else:
            row[column] = tail(accepts, exponents, column == DOT)
    return rows.finish()
