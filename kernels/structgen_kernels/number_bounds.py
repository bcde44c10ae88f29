"""The automaton of the numbers on one side of a bound, written row by row.

Texts are plain or scientific (see `structgen.sources.json_schema.number_bounds`). In either form the order
against a bound is found reading from left to right with finitely many states. Tables int32 (states, 15), over
the columns below; state 0 is dead, 1 the start. ``used`` int32 (1,): how many states there are so far. An
order is 0 (less), 1 (equal) or 2 (greater); ``wanted``, a bit for each order.
"""

from __future__ import annotations

import numpy as np

from structgen_kernels.jit import BoolArray, ByteArray, Int, Int32Array, kernel
from structgen_kernels.minimise import minimise

# The columns, ordered by byte: any other byte, "+", "-", ".", the digits, "E" and "e".
PLUS, MINUS, DOT, ZERO, EXPONENT, N_COLUMNS = 1, 2, 3, 4, 14, 15
LESS, EQUAL, GREATER = 0, 1, 2
NO_BOUND = 1 << 30  # of an exponent


def room(digits: int, scale: int) -> int:
    """At least as many states as a side with so many digits takes."""
    of_exponents = 4 * (1 + 2 * room_of_natural(abs(scale) + 1))
    return 32 + of_exponents + 3 * (abs(scale) + 1) + 4 * digits


def room_of_natural(bound: int) -> int:
    """At least as many states as the natural numbers up to or from ``bound`` take."""
    return 3 * len(str(bound)) + 4


@kernel
def naturals(low: Int, high: Int, most: Int) -> tuple[Int32Array, BoolArray, int]:
    """The digits of the natural numbers within bounds, see `_natural`: (table, accepting, the state before
    them), of which 0 and 1 are not used. most: states that there is room for, see `room_of_natural`.
    """
    table = np.zeros((most, N_COLUMNS), np.int32)
    accepting = np.zeros(most, np.bool_)
    used = np.full(1, 2, np.int32)
    start = _natural(table, accepting, used, low, high)
    return table[: used[0]], accepting[: used[0]], start


@kernel
def two_sided(
    positive: ByteArray,
    scale: Int,
    wanted: Int,
    negative: ByteArray,
    negative_scale: Int,
    negative_wanted: Int,
    zero: bool,
    most: Int,
) -> tuple[Int32Array, BoolArray]:
    """The minimal automaton of the numbers whose order against a bound is wanted, (table, accepting).

    positive, negative uint8 (n,): the digits of the bound of numbers without and with a sign, ``d.ddd`` times
    10 to the scale. zero: is zero among them? most: states that there is room for, see `room`.
    """
    table = np.zeros((most, N_COLUMNS), np.int32)
    accepting = np.zeros(most, np.bool_)
    used = np.full(1, 2, np.int32)
    table[1] = table[_magnitudes(table, accepting, used, positive, scale, wanted, zero)]
    minus = _state(accepting, used, False)
    table[minus] = table[_magnitudes(table, accepting, used, negative, negative_scale, negative_wanted, zero)]
    table[1, MINUS] = minus
    return minimise(table[: used[0]], accepting[: used[0]])


@kernel
def _state(accepting: BoolArray, used: Int32Array, accepts: bool) -> int:
    state = used[0]
    accepting[state] = accepts
    used[0] = state + 1
    return int(state)


@kernel
def _all_digits(table: Int32Array, state: Int, target: Int) -> None:
    for column in range(ZERO, ZERO + 10):
        table[state, column] = target


@kernel
def _by_digit(table: Int32Array, state: Int, pivot: Int, less: Int, equal: Int, greater: Int) -> None:
    """Digits below ``pivot`` lead to ``less``, and so on."""
    for digit in range(10):
        table[state, ZERO + digit] = less if digit < pivot else equal if digit == pivot else greater


@kernel
def _magnitudes(
    table: Int32Array,
    accepting: BoolArray,
    used: Int32Array,
    digits: ByteArray,
    scale: Int,
    wanted: Int,
    zero: bool,
) -> int:
    """The state before a number without sign."""
    # digits after the point, once the order is known; and the point before them
    fraction = np.zeros(3, np.int32)
    dot = np.zeros(3, np.int32)
    exponent_after = np.zeros(3, np.int32)
    for order in range(3):
        if wanted >> order & 1:
            fraction[order] = _state(accepting, used, True)
            dot[order] = _state(accepting, used, False)
            _all_digits(table, fraction[order], fraction[order])
            _all_digits(table, dot[order], fraction[order])
        exponent_after[order] = _exponent_after(table, accepting, used, scale, wanted, order)
    before = _state(accepting, used, False)
    if wanted:
        less, equal, greater = _integer_digits(
            table, accepting, used, digits, scale, wanted, (fraction, dot, exponent_after)
        )
        _by_digit(table, before, int(digits[0]), less, equal, greater)
    table[before, ZERO] = _leading_zero(table, accepting, used, digits, scale, wanted, zero, fraction)
    return before


@kernel
def _order_at_end(order: Int, n: Int, digits: ByteArray) -> int:
    """The order of a number that ends after ``n`` digits with this order against as many of the bound."""
    return int(order) if order != EQUAL or n >= digits.shape[0] else LESS


@kernel
def _integer_digits(
    table: Int32Array,
    accepting: BoolArray,
    used: Int32Array,
    digits: ByteArray,
    scale: Int,
    wanted: Int,
    after: tuple[Int32Array, Int32Array, Int32Array],
) -> tuple[int, int, int]:
    """After the first digit, not zero, by its order against the bound's first."""
    fraction, dot, exponent_after = after
    length = max(scale, 0) + 1  # the bound's digits before the point, those of smaller bounds apart
    longer = 0
    if wanted >> GREATER & 1:
        longer = _state(accepting, used, True)
        _all_digits(table, longer, longer)
        table[longer, DOT] = dot[GREATER]
    following = (longer, longer, longer)
    for n in range(length, 0, -1):
        less = _state(accepting, used, False)
        _state(accepting, used, False)
        _state(accepting, used, False)
        for order in range(3):
            state = less + order
            plain = LESS if n < length else _order_at_end(order, n, digits)
            if scale < 0:
                plain = GREATER
            accepting[state] = wanted >> plain & 1
            if order == EQUAL and n < length:
                digit = int(digits[n]) if n < digits.shape[0] else 0
                _by_digit(table, state, digit, following[0], following[1], following[2])
            else:
                _all_digits(table, state, following[order])
            if n == 1:
                table[state, DOT] = _mantissa_dot(
                    table, accepting, used, digits, scale, wanted, exponent_after, order
                )
                table[state, EXPONENT] = exponent_after[_order_at_end(order, 1, digits)]
            elif n < length or order != EQUAL:
                table[state, DOT] = dot[LESS if n < length else order]
            else:
                equal = _fraction_digits(table, accepting, used, digits, n, wanted, fraction)
                table[state, DOT] = _not_accepting(table, accepting, used, equal)
        following = (less, less + 1, less + 2)
    return following


@kernel
def _not_accepting(table: Int32Array, accepting: BoolArray, used: Int32Array, state: Int) -> int:
    """A state like that one that does not end a number: after the point there must be a digit."""
    copy = _state(accepting, used, False)
    for column in range(ZERO, ZERO + 10):
        table[copy, column] = table[state, column]
    return copy


@kernel
def _fraction_digits(
    table: Int32Array,
    accepting: BoolArray,
    used: Int32Array,
    digits: ByteArray,
    n: Int,
    wanted: Int,
    fraction: Int32Array,
) -> int:
    """After ``n`` digits equal to the bound's, the last perhaps before the point: plain numbers only."""
    after = _state(accepting, used, wanted >> EQUAL & 1 != 0)
    _by_digit(table, after, 0, 0, after, fraction[GREATER])
    for i in range(digits.shape[0] - 1, n - 1, -1):
        state = _state(accepting, used, wanted >> LESS & 1 != 0)
        _by_digit(table, state, int(digits[i]), fraction[LESS], after, fraction[GREATER])
        after = state
    return after


@kernel
def _mantissa_dot(
    table: Int32Array,
    accepting: BoolArray,
    used: Int32Array,
    digits: ByteArray,
    scale: Int,
    wanted: Int,
    exponent_after: Int32Array,
    order: Int,
) -> int:
    """After one digit, of this order against the bound's first, and the point: a plain number, or an exponent
    follows.
    """
    first = used[0]
    for settled in range(3):  # a mantissa that has this order when it ends here
        plain = settled if scale == 0 else LESS if scale > 0 else GREATER
        state = _state(accepting, used, wanted >> plain & 1 != 0)
        table[state, EXPONENT] = exponent_after[settled]
        if settled != EQUAL:
            _all_digits(table, state, state)
    less, after, greater = first, first + EQUAL, first + GREATER
    if order != EQUAL:
        return _not_accepting(table, accepting, used, less if order == LESS else greater)
    _by_digit(table, after, 0, 0, after, greater)
    for i in range(digits.shape[0] - 1, 0, -1):
        state = _state(accepting, used, accepting[less])
        table[state, EXPONENT] = exponent_after[LESS]
        _by_digit(table, state, int(digits[i]), less, after, greater)
        after = state
    return _not_accepting(table, accepting, used, after)


@kernel
def _leading_zero(
    table: Int32Array,
    accepting: BoolArray,
    used: Int32Array,
    digits: ByteArray,
    scale: Int,
    wanted: Int,
    zero: bool,
    fraction: Int32Array,
) -> int:
    """After a first digit 0: zero itself, in any spelling, or a number below 1."""
    exponent = _exponent(table, accepting, used, NO_BOUND, NO_BOUND) if zero else 0
    smaller = _zero_so_far(table, accepting, used, zero, exponent)
    _by_digit(table, smaller, 0, 0, smaller, fraction[LESS])
    after = smaller
    if scale < 0 and wanted:
        after = _zero_so_far(table, accepting, used, zero, exponent)
        equal = _fraction_digits(table, accepting, used, digits, 1, wanted, fraction)
        _by_digit(table, after, int(digits[0]), fraction[LESS], equal, fraction[GREATER])
        table[after, ZERO] = smaller
        for _ in range(-scale - 1):
            state = _zero_so_far(table, accepting, used, zero, exponent)
            _by_digit(table, state, 0, 0, after, fraction[GREATER])
            after = state
    state = _zero_so_far(table, accepting, used, zero, exponent)
    table[state, DOT] = _not_accepting(table, accepting, used, after)
    return state


@kernel
def _zero_so_far(table: Int32Array, accepting: BoolArray, used: Int32Array, zero: bool, exponent: Int) -> int:
    state = _state(accepting, used, zero)
    table[state, EXPONENT] = exponent
    return state


@kernel
def _exponent_after(
    table: Int32Array, accepting: BoolArray, used: Int32Array, scale: Int, wanted: Int, order: Int
) -> int:
    """After ``e``: the exponents that, with a mantissa of this order, make a wanted order."""
    is_same = wanted >> order & 1
    if wanted >> LESS & 1:
        if wanted >> GREATER & 1:
            return _exponent(table, accepting, used, NO_BOUND, NO_BOUND)
        return _exponent(table, accepting, used, NO_BOUND, scale - 1 + is_same)
    if wanted >> GREATER & 1:
        return _exponent(table, accepting, used, scale + 1 - is_same, NO_BOUND)
    return 0


@kernel
def _exponent(table: Int32Array, accepting: BoolArray, used: Int32Array, low: Int, high: Int) -> int:
    """The state after ``e`` for the exponents within bounds, one or both of which are NO_BOUND."""
    at_least = low if low != NO_BOUND and low > 0 else NO_BOUND
    positive = _natural(table, accepting, used, at_least, high)
    at_least = -high if high < 0 else NO_BOUND
    negative = _natural(table, accepting, used, at_least, NO_BOUND if low == NO_BOUND else -low)
    after = _state(accepting, used, False)
    for column in range(ZERO, ZERO + 10):
        table[after, column] = table[positive, column]
    table[after, PLUS] = positive
    table[after, MINUS] = negative
    return after


@kernel
def _natural(table: Int32Array, accepting: BoolArray, used: Int32Array, low: Int, high: Int) -> int:
    """The digits, leading zeros included, of the natural numbers within bounds, one or both NO_BOUND."""
    if high < 0:
        return 0
    has_high = high != NO_BOUND
    start = _state(accepting, used, False)
    longer = 0
    if not has_high:
        longer = _state(accepting, used, True)
        _all_digits(table, longer, longer)
        if low == NO_BOUND:
            _all_digits(table, start, longer)
            return start
    zero = _state(accepting, used, has_high)
    bound = high if has_high else low
    length, unit = 1, 1
    while bound // unit >= 10:
        length += 1
        unit *= 10
    first = bound // unit
    # after n digits, by their order against as many of the bound
    following = (longer, longer, longer)
    unit = 1
    for n in range(length, 0, -1):
        less = _state(accepting, used, has_high)
        equal = _state(accepting, used, has_high or n == length)
        greater = _state(accepting, used, n < length if has_high else n == length)
        _all_digits(table, less, following[0])
        if n < length:
            _by_digit(table, equal, bound // unit % 10, following[0], following[1], following[2])
            unit *= 10
        else:
            _all_digits(table, equal, following[1])
        _all_digits(table, greater, following[2])
        following = (less, equal, greater)
    for state in (start, zero):
        _by_digit(table, state, first, following[0], following[1], following[2])
        table[state, ZERO] = zero
    return start
