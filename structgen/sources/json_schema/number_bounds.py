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

from structgen.sources.json_schema.number_columns import (
    DIGITS,
    DOT,
    EQUAL,
    EXPONENT,
    GREATER,
    LESS,
    MINUS,
    NONZERO,
    ZERO,
    Columns,
    Rows,
)
from structgen.sources.json_schema.number_facts import Number
from structgen.untracked import untracked


@lru_cache(maxsize=1024)
@untracked
def at_least(bound: Number, is_open: bool) -> Columns:
    """Plain and scientific texts of numbers >= ``bound`` (> when open)."""
    if bound > 0:
        return _two_sided(_Side(bound, (EQUAL, GREATER)[is_open:]), None, zero=False)
    if bound == 0:
        return _two_sided(_ALL, None, zero=not is_open)
    return _two_sided(_ALL, _Side(-bound, (LESS, EQUAL)[: 2 - is_open]), zero=True)


@lru_cache(maxsize=1024)
@untracked
def at_most(bound: Number, is_open: bool) -> Columns:
    """Plain and scientific texts of numbers <= ``bound`` (< when open)."""
    if bound < 0:
        return _two_sided(None, _Side(-bound, (EQUAL, GREATER)[is_open:]), zero=False)
    if bound == 0:
        return _two_sided(None, _ALL, zero=not is_open)
    return _two_sided(_Side(bound, (LESS, EQUAL)[: 2 - is_open]), _ALL, zero=True)


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


class _Side:
    """Nonzero numbers without sign by their order against a positive bound; ``wanted``: allowed orders."""

    def __init__(self, bound: Number, wanted: Iterable[int]) -> None:
        self.digits, self.scale = decimal_digits(bound)
        self.wanted = frozenset(wanted)


_ALL = _Side(1, (LESS, EQUAL, GREATER))


def _two_sided(positive: _Side | None, negative: _Side | None, *, zero: bool) -> Columns:
    rows = Rows()
    rows.rows[1] = _numbers_of(rows, positive, zero)
    minus = rows.state()
    rows.rows[minus] = _numbers_of(rows, negative, zero)
    rows.rows[1][MINUS] = minus
    return rows.finish()


def _numbers_of(rows: Rows, side: _Side | None, zero: bool) -> list[int]:
    """The row before a number without sign."""
    return _Magnitudes(rows, side or _Side(1, ()), zero).first()


class _Magnitudes:
    """The states that compare a number's digits with those of a bound, in the order they are read."""

    def __init__(self, rows: Rows, side: _Side, zero: bool) -> None:
        self.rows = rows
        self.digits = [int(digit) for digit in side.digits]
        self.scale = side.scale
        self.wanted = side.wanted
        self.zero = zero
        # digits after the point, once the order is known
        self.fraction = {order: rows.state(True) if order in self.wanted else 0 for order in (-1, 0, 1)}
        self.dot = {order: rows.state() if order in self.wanted else 0 for order in (-1, 0, 1)}
        for order, state in self.fraction.items():
            if state:
                rows.all_digits(state, state)
                rows.all_digits(self.dot[order], state)
        self.exponent_after = {order: self._exponent(order) for order in (LESS, EQUAL, GREATER)}

    def first(self) -> list[int]:
        """The transitions on the first digit."""
        before = self.rows.state()
        if self.wanted:
            less, equal, greater = self._integer_digits()
            self.rows.by_digit(before, self.digits[0], less, equal, greater)
        self.rows.rows[before][ZERO] = self._leading_zero()
        return self.rows.rows[before]

    def _order_at_end(self, order: int, n: int) -> int:
        """The order of a number that ends after ``n`` digits with this order against as many of the bound."""
        return order if order != EQUAL or n >= len(self.digits) else LESS

    def _exponent(self, mantissa_order: int) -> int:
        """After ``e``: the exponents that, with such a mantissa, make a wanted order."""
        same = mantissa_order in self.wanted
        if LESS in self.wanted:
            if GREATER in self.wanted:
                return self.rows.exponent(None, None)
            return self.rows.exponent(None, self.scale if same else self.scale - 1)
        if GREATER in self.wanted:
            return self.rows.exponent(self.scale if same else self.scale + 1, None)
        return 0

    def _integer_digits(self) -> tuple[int, int, int]:
        """After the first digit, not zero, by its order against the bound's first."""
        rows = self.rows
        length = max(self.scale, 0) + 1  # the bound's digits before the point, those of smaller bounds apart
        longer = 0
        if GREATER in self.wanted:
            longer = rows.state(True)
            rows.all_digits(longer, longer)
            rows.rows[longer][DOT] = self.dot[GREATER]
        following = (longer, longer, longer)
        for n in range(length, 0, -1):
            current = []
            for order in (LESS, EQUAL, GREATER):
                plain = LESS if n < length else self._order_at_end(order, n)
                if self.scale < 0:
                    plain = GREATER
                state = rows.state(plain in self.wanted)
                row = rows.rows[state]
                if order == EQUAL and n < length:
                    rows.by_digit(state, self._digit(n), *following)
                else:
                    rows.all_digits(state, following[order + 1])
                if n == 1:
                    row[DOT] = self._mantissa_dot(order)
                    row[EXPONENT] = self.exponent_after[self._order_at_end(order, 1)]
                elif n < length or order != EQUAL:
                    row[DOT] = self.dot[LESS if n < length else order]
                else:
                    row[DOT] = self._without_accepting(self._fraction_digits(n))
                current.append(state)
            following = (current[0], current[1], current[2])
        return following

    def _digit(self, n: int) -> int:
        return self.digits[n] if n < len(self.digits) else 0

    def _without_accepting(self, state: int) -> int:
        """A state like that one that does not end a number: after the point there must be a digit."""
        copy = self.rows.state()
        self.rows.rows[copy][DIGITS] = self.rows.rows[state][DIGITS]
        return copy

    def _fraction_digits(self, n: int) -> int:
        """After ``n`` digits equal to the bound's, the last perhaps before the point: plain numbers only."""
        rows = self.rows
        after = rows.state(EQUAL in self.wanted)
        rows.by_digit(after, 0, 0, after, self.fraction[GREATER])
        for i in range(len(self.digits) - 1, n - 1, -1):
            state = rows.state(LESS in self.wanted)
            rows.by_digit(state, self.digits[i], self.fraction[LESS], after, self.fraction[GREATER])
            after = state
        return after

    def _mantissa_dot(self, order: int) -> int:
        """After one digit, of this order against the bound's first, and the point."""
        return self._without_accepting(self._mantissa(order))

    def _mantissa(self, order: int) -> int:
        """In the fraction after one digit: a plain number, or an exponent follows."""
        rows = self.rows
        less, greater = self._settled(LESS), self._settled(GREATER)
        if order != EQUAL:
            return less if order == LESS else greater
        after = self._mantissa_state(EQUAL)
        rows.by_digit(after, 0, 0, after, greater)
        for i in range(len(self.digits) - 1, 0, -1):
            state = self._mantissa_state(LESS)
            rows.by_digit(state, self.digits[i], less, after, greater)
            after = state
        return after

    def _settled(self, order: int) -> int:
        state = self._mantissa_state(order)
        self.rows.all_digits(state, state)
        return state

    def _mantissa_state(self, order: int) -> int:
        """A mantissa that has this order when it ends here."""
        plain = order if self.scale == 0 else LESS if self.scale > 0 else GREATER
        state = self.rows.state(plain in self.wanted)
        self.rows.rows[state][EXPONENT] = self.exponent_after[order]
        return state

    def _leading_zero(self) -> int:
        """After a first digit 0: zero itself, in any spelling, or a number below 1."""
        rows = self.rows
        exponent = rows.exponent(None, None) if self.zero else 0
        smaller = self._zero_so_far(exponent)
        rows.rows[smaller][ZERO] = smaller
        rows.rows[smaller][NONZERO] = [self.fraction[LESS]] * 9
        after = smaller
        if self.scale < 0 and self.wanted:
            after = self._zero_so_far(exponent)
            rows.by_digit(
                after, self.digits[0], self.fraction[LESS], self._fraction_digits(1), self.fraction[GREATER]
            )
            rows.rows[after][ZERO] = smaller
            for _ in range(-self.scale - 1):
                state = self._zero_so_far(exponent)
                rows.rows[state][ZERO] = after
                rows.rows[state][NONZERO] = [self.fraction[GREATER]] * 9
                after = state
        zero = self._zero_so_far(exponent)
        rows.rows[zero][DOT] = self._without_accepting(after)
        return zero

    def _zero_so_far(self, exponent: int) -> int:
        state = self.rows.state(self.zero)
        self.rows.rows[state][EXPONENT] = exponent
        return state


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
