"""The texts of the multiples of a number, and of those that are none.

A divisor is m / 10^k with integers m and k. Reading digits left to right, the remainder modulo m is all
that has to be known of them: after i digits behind the point the number is a multiple when the remainder
times 10^(k-i) is none, and digits behind the k-th must be zeros.

*Scientific* texts (``d.ddde+XX``): the digits D with j of them behind the point are D times 10^(X-j); this
is a multiple exactly when X >= j - k + z, where z is the number of zeros after which D is a multiple of m,
provided that D does not end in a zero. With j at most `MANTISSA_DIGITS` that is finite: enough for what
programs write (17 significant digits hold a double). Zeros at the end make the condition sufficient only,
so they are allowed for multiples, and not for what must be none.
"""

from __future__ import annotations

from functools import lru_cache
from math import gcd

import numpy as np
import numpy.typing as npt
from structgen_kernels.number_bounds import DOT, EXPONENT, MINUS, N_COLUMNS, ZERO

from structgen.errors import CompileLimitError
from structgen.sources.json_schema.number_bounds import decimal_digits
from structgen.sources.json_schema.number_columns import (
    DIFFERENCE,
    DIGITS,
    NONZERO,
    UNION,
    Columns,
    Rows,
    combine,
    minimal,
)
from structgen.sources.json_schema.number_facts import Number
from structgen.untracked import untracked

MANTISSA_DIGITS = 16
"""So many digits behind the point may stand before an exponent."""
# With more remainders to tell apart, texts with exponents are left out: 17 times as many states.
_MOST_WITH_EXPONENT = 64
# Classes of remainders are first searched for up to so many, which takes at most some 10 ms.
_MOST_CLASSES = 512
_MOST_BITS = 256


@lru_cache(maxsize=256)
@untracked
def multiples(divisor: Number, max_states: int) -> Columns:
    """The texts of the multiples of ``divisor``.

    Without exponents when more than 64 remainders have to be told apart. Raises `CompileLimitError`.
    """
    remainders = _Remainders(divisor, max_states)
    plain = _plain(remainders, max_states)
    if remainders.count > _MOST_WITH_EXPONENT:
        return plain
    return combine(UNION, plain, _scientific(remainders, wanted=True), max_states)


@lru_cache(maxsize=256)
@untracked
def non_multiples(divisor: Number, max_states: int) -> Columns:
    """The texts of the numbers that are no multiples of ``divisor``, as far as `multiples` goes."""
    remainders = _Remainders(divisor, max_states)
    plain = combine(DIFFERENCE, _plain_numbers(), _plain(remainders, max_states), max_states)
    if remainders.count > _MOST_WITH_EXPONENT:
        return plain
    return combine(UNION, plain, _scientific(remainders, wanted=False), max_states)


def least_remainders(divisor: Number) -> int:
    """A lower bound of the number of remainders to be told apart: m without its factors 2 and 5."""
    return _coprime_part(int(divisor * 10 ** _places(divisor)))


def _coprime_part(modulus: int) -> int:
    while (common := gcd(modulus, 10)) > 1:
        modulus //= common
    return modulus


def _places(divisor: Number) -> int:
    digits, scale = decimal_digits(divisor)
    return max(len(digits) - 1 - scale, 0)


class _Remainders:
    """The classes of remainders modulo m that no further digits tell apart.

    ``step``: int32 (count, 10), the class after one more digit; class 0 is that of remainder 0.
    ``zeros``: int64 (count,), after how many zeros a class becomes that of a multiple; -1: never.
    """

    def __init__(self, divisor: Number, max_states: int) -> None:
        self.places = _places(divisor)
        modulus = int(divisor * 10**self.places)
        table = _few_classes(modulus) if modulus > _MOST_CLASSES else None
        if table is None:
            if modulus > max_states:
                raise CompileLimitError("max_states", max_states, modulus)
            table = np.zeros((modulus + 1, 10), np.int32)
            table[1:] = (10 * np.arange(modulus)[:, None] + np.arange(10)) % modulus + 1
        divisible = np.zeros(len(table), np.bool_)
        divisible[1] = True
        classes = minimal(table, divisible)
        self.count = classes.n_states - 1
        self.step = classes.table[1:] - 1
        divisible = classes.accepting[1:]
        self.zeros = np.full(self.count, -1, np.int64)
        reached = np.arange(self.count)
        for n in range(modulus.bit_length() + 1):
            self.zeros[(self.zeros < 0) & divisible[reached]] = n
            reached = self.step[reached, 0]


def _few_classes(modulus: int) -> npt.NDArray[np.int32] | None:
    """The steps between classes of remainders, row 1 that of remainder 0, when they are far fewer than these.

    So it is when the modulus has large powers of 2 and 5, as a million has. After l more digits w there is a
    multiple when r * 10^l + w is 0 modulo m, which one w at most, the remainder of -r * 10^l, makes it while
    10^l <= m. Past that, and past the powers of 2 and 5, only the remainder modulo the rest of m counts.
    """
    coprime = _coprime_part(modulus)
    if coprime > _MOST_CLASSES or modulus.bit_length() > _MOST_BITS:
        return None
    powers = [1]
    while powers[-1] < modulus or gcd(powers[-1], modulus) * coprime < modulus:
        powers.append(powers[-1] * 10)

    def signature(remainder: int) -> tuple[int, ...]:
        following = [-remainder * power % modulus for power in powers]
        return (
            *(w if w < power else -1 for w, power in zip(following, powers, strict=True)),
            remainder % coprime,
        )

    classes = {signature(0): 1}
    representatives = [0]
    rows = [[0] * 10]
    for remainder in representatives:
        row = []
        for digit in range(10):
            after = (10 * remainder + digit) % modulus
            number = classes.setdefault(signature(after), len(representatives) + 1)
            if number > len(representatives):
                if number > _MOST_CLASSES:
                    return None
                representatives.append(after)
            row.append(number)
        rows.append(row)
    return np.array(rows, np.int32)


def _plain(remainders: _Remainders, max_states: int) -> Columns:
    count, places, step = remainders.count, remainders.places, remainders.step
    minus, zero, tail, tail_dot, integer, dot = 2, 3, 4, 5, 6, 6 + count
    # after the i-th digit behind the point: fraction + i * count
    fraction = 6 + count
    size = 6 + count * (places + 2 if places else 1)
    if size > max_states:
        raise CompileLimitError("max_states", max_states, size)
    table, accepting = _blank(size)
    table[integer : integer + count, DIGITS] = step + integer
    ends = remainders.zeros
    accepting[integer : integer + count] = (ends >= 0) & (ends <= places)
    if places:
        table[integer : integer + count, DOT] = np.arange(count) + dot
    else:
        table[integer : integer + count, DOT] = np.where(ends == 0, tail_dot, 0)
    for i in range(places):
        block = slice(fraction + i * count, fraction + (i + 1) * count)
        table[block, DIGITS] = step + fraction + (i + 1) * count
        accepting[block] = (ends >= 0) & (ends <= places - i) & (i > 0)
    if places:
        last = slice(fraction + places * count, size)
        table[last, ZERO] = np.where(ends == 0, tail, 0)
        accepting[last] = ends == 0
    table[[tail, tail_dot], ZERO] = tail
    accepting[tail] = accepting[zero] = True
    table[zero, DOT] = table[integer, DOT]
    _begin(table, minus, zero, step[0, 1:] + integer)
    return minimal(table, accepting)


def _scientific(remainders: _Remainders, *, wanted: bool) -> Columns:
    """The multiples with an exponent, or the others."""
    count, step, ends = remainders.count, remainders.step, remainders.zeros
    rows = Rows()  # what follows the exponent's e
    thresholds = np.arange(MANTISSA_DIGITS + 1)[:, None] - remainders.places + ends
    after_e = np.zeros((MANTISSA_DIGITS + 1, count), np.int32)
    for threshold in np.unique(thresholds[:, ends >= 0]).tolist():
        after = rows.exponent(threshold, None) if wanted else rows.exponent(None, threshold - 1)
        after_e[(thresholds == threshold) & (ends >= 0)] = after
    any_exponent = rows.exponent(None, None)
    if not wanted:
        after_e[:, ends < 0] = any_exponent
    base = len(rows.rows)
    minus, zero, zero_dot, zeros, dot = range(base, base + 5)
    mantissa = dot + count
    # after j digits behind the point: mantissa + 2 * j * count, and count more when the last was a zero
    size = mantissa + 2 * count * (MANTISSA_DIGITS + 1)
    table, accepting = _blank(size)
    table[:base] = rows.rows
    accepting[:base] = rows.accepting
    for j in range(MANTISSA_DIGITS + 1):
        here, next_layer = mantissa + 2 * j * count, mantissa + 2 * (j + 1) * count
        table[here : here + count, EXPONENT] = after_e[j]
        if wanted:
            table[here + count : here + 2 * count, EXPONENT] = after_e[j]
        if j == MANTISSA_DIGITS:
            break
        for block in (dot,) if j == 0 else (here, here + count):
            table[block : block + count, NONZERO] = step[:, 1:] + next_layer
            table[block : block + count, ZERO] = step[:, 0] + next_layer + count
    table[mantissa : mantissa + count, DOT] = np.arange(count) + dot
    if wanted:  # zero is a multiple of every number
        table[[zero, zeros], EXPONENT] = any_exponent
        table[zero, DOT] = zero_dot
        table[[zero_dot, zeros], ZERO] = zeros
    _begin(table, minus, zero, step[0, 1:] + mantissa)
    return minimal(table, accepting)


@lru_cache(maxsize=1)
def _plain_numbers() -> Columns:
    """All numbers without exponent."""
    rows = Rows()
    integer, zero, dot, fraction = rows.state(True), rows.state(True), rows.state(), rows.state(True)
    rows.all_digits(integer, integer)
    rows.rows[integer][DOT] = rows.rows[zero][DOT] = dot
    rows.all_digits(dot, fraction)
    rows.all_digits(fraction, fraction)
    minus = rows.state()
    for start in (1, minus):
        rows.by_digit(start, 0, 0, zero, integer)
    rows.rows[1][MINUS] = minus
    return rows.finish()


def _blank(size: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.bool_]]:
    return np.zeros((size, N_COLUMNS), np.int32), np.zeros(size, np.bool_)


def _begin(table: npt.NDArray[np.int32], minus: int, zero: int, digits: npt.NDArray[np.int32]) -> None:
    """The start: a sign or none, then 0 or one of the other digits."""
    table[[1, minus], ZERO] = zero
    table[[1, minus], NONZERO] = digits
    table[1, MINUS] = minus
