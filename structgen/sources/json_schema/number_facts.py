"""What a schema asks of a number, decided on values: conjunction, membership, finite sets, emptiness.

Numbers are compared as exact decimals, as their text says: 0.3 is a multiple of 0.1, and 1e23 is
10 to the 23rd. The texts that write such numbers are in `numbers`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum
from fractions import Fraction
from math import gcd, isfinite, lcm
from typing import Any

Number = Fraction | int


class Integer(IntEnum):
    """Must a number be an integer? ``PLAIN``: as draft 4 has it, ``1.0`` and ``1e2`` are none.

    So ``PLAIN`` speaks about the text, ``YES`` about the value.
    """

    NO = 0
    YES = 1
    PLAIN = 2


@dataclass(frozen=True, slots=True)
class NumberFacts:
    """Assertions about a number that must all hold; all numbers in it are finite decimals.

    ``not_integer``: must not be an integer in that sense. ``low``/``high``: bounds or None, exclusive when
    ``low_open``/``high_open``. ``multiples``: a multiple of each of these, ``non_multiples``: of none of
    these (all positive). ``values``: equal to one of these, or None; ``excluded``: to none of these.
    """

    integer: Integer = Integer.NO
    not_integer: Integer = Integer.NO
    low: Number | None = None
    low_open: bool = False
    high: Number | None = None
    high_open: bool = False
    multiples: tuple[Number, ...] = ()
    non_multiples: tuple[Number, ...] = ()
    values: tuple[Any, ...] | None = None
    excluded: tuple[Any, ...] = ()


def exact(value: float | Decimal | Fraction) -> Number:
    """A number as its decimal text says it; an int when it is integral.

    Raises `ValueError` or `OverflowError` for an infinity or a NaN.
    """
    if isinstance(value, int):
        return value
    fraction = Fraction(repr(value)) if isinstance(value, float) else Fraction(value)
    return fraction.numerator if fraction.denominator == 1 else fraction


def merge_numbers(left: NumberFacts, right: NumberFacts) -> NumberFacts | None:
    """What satisfies both; None when plainly nothing does (`is_number_empty` decides it wholly)."""
    low, low_open = _tighter(left.low, left.low_open, right.low, right.low_open, 1)
    high, high_open = _tighter(left.high, left.high_open, right.high, right.high_open, -1)
    integer = max(left.integer, right.integer)
    not_integer = max(left.not_integer, right.not_integer, key=_NEGATED_STRENGTH.index)
    if integer is not Integer.NO and not_integer in (Integer.YES, integer):
        return None
    divisor = common_multiple((*left.multiples, *right.multiples))
    merged = NumberFacts(
        integer,
        not_integer,
        low,
        low_open,
        high,
        high_open,
        () if divisor is None else (divisor,),
        _together(left.non_multiples, right.non_multiples),
        _common_values(left.values, right.values),
        _together(left.excluded, right.excluded),
    )
    if merged.values is not None:
        # how they may be written outlives the check
        merged = NumberFacts(
            Integer.PLAIN if integer is Integer.PLAIN else Integer.NO,
            Integer.PLAIN if not_integer is Integer.PLAIN else Integer.NO,
            values=allowed_values(merged),
        )
    return None if _is_plainly_empty(merged) else merged


# not to be an integer at all is more than not to be written as one
_NEGATED_STRENGTH = (Integer.NO, Integer.PLAIN, Integer.YES)


def number_matches(facts: NumberFacts, value: Any) -> bool:
    """Do the facts hold of a number, decided exactly? False for a boolean, an infinity or a NaN.

    A float, a `Decimal` or a `Fraction` counts as written with a fraction or an exponent (`Integer.PLAIN`).
    """
    if isinstance(value, bool) or not _is_finite(value):
        return False
    is_plain = isinstance(value, int)
    if facts.integer is Integer.PLAIN and not is_plain:
        return False
    if facts.not_integer is Integer.PLAIN and is_plain:
        return False
    number = exact(value)
    if facts.values is not None and all(exact(other) != number for other in facts.values):
        return False
    return value_holds(facts, number)


def _is_finite(value: float | Decimal | Fraction) -> bool:
    if isinstance(value, Decimal):
        return value.is_finite()
    return not isinstance(value, float) or isfinite(value)


def value_holds(facts: NumberFacts, number: Number) -> bool:
    """Do the facts hold of a value in some way to write it, an enumeration in ``values`` apart?"""
    if facts.low is not None and (number < facts.low or (facts.low_open and number == facts.low)):
        return False
    if facts.high is not None and (number > facts.high or (facts.high_open and number == facts.high)):
        return False
    is_integer = is_multiple(number, 1)
    if (facts.integer is not Integer.NO and not is_integer) or (
        facts.not_integer is Integer.YES and is_integer
    ):
        return False
    if any(not is_multiple(number, divisor) for divisor in facts.multiples):
        return False
    if any(is_multiple(number, divisor) for divisor in facts.non_multiples):
        return False
    return all(exact(other) != number for other in facts.excluded)


def allowed_values(facts: NumberFacts) -> tuple[Any, ...]:
    """The enumerated values that the other facts allow, each once; () when none are enumerated."""
    kept: dict[Number, Any] = {}
    for value in facts.values or ():
        number = exact(value)
        if number not in kept and value_holds(facts, number):
            kept[number] = value
    return tuple(kept.values())


def divisor_of(facts: NumberFacts) -> Number | None:
    """The number whose multiples are those that ``multiples`` and ``integer`` allow (None: all numbers)."""
    divisors = facts.multiples if facts.integer is Integer.NO else (*facts.multiples, 1)
    return common_multiple(divisors)


def non_divisors_of(facts: NumberFacts) -> tuple[Number, ...]:
    """The numbers that must not divide the value, those apart that follow from others."""
    divisors = facts.non_multiples
    if facts.not_integer is Integer.YES:
        divisors = (*divisors, 1)
    smallest: list[Number] = []
    for divisor in sorted(set(divisors)):
        if not any(is_multiple(divisor, smaller) for smaller in smallest):
            smallest.append(divisor)
    return tuple(smallest)


def steps_within(facts: NumberFacts, divisor: Number) -> tuple[int | None, int | None]:
    """Which integers n have ``n * divisor`` within the bounds: the smallest and largest (None: no bound)."""
    first = last = None
    if facts.low is not None:
        first = facts.low // divisor + 1 if facts.low_open else -(-facts.low // divisor)
    if facts.high is not None:
        last = -(-facts.high // divisor) - 1 if facts.high_open else facts.high // divisor
    return first, last


def number_values(facts: NumberFacts, limit: int) -> tuple[Number, ...] | None:
    """The values that the facts allow, ascending, when there are at most ``limit``; None otherwise.

    Also None when it would take looking at more than ``limit`` plus some thousand candidates.
    """
    if facts.values is not None:
        values = sorted(exact(value) for value in allowed_values(facts))
        return tuple(values) if len(values) <= limit else None
    divisor = divisor_of(facts)
    if divisor is None:
        if facts.low is None or facts.high is None or facts.low < facts.high:
            return None if not _is_plainly_empty(facts) else ()
        return (exact(facts.low),) if value_holds(facts, exact(facts.low)) else ()
    first, last = steps_within(facts, divisor)
    if first is None or last is None:
        return () if _is_plainly_empty(facts) else None
    if last - first >= limit + _CANDIDATES:
        return None
    found: list[Number] = []
    for number in _multiples_of(divisor, first, last):
        if value_holds(facts, number):
            found.append(number)
            if len(found) > limit:
                return None
    return tuple(found)


def is_number_empty(facts: NumberFacts) -> bool:
    """True when no number satisfies the facts.

    Exact, by arithmetic alone. Of the multiples n of a divisor those that are no multiples of certain others
    repeat with a period in n; if the divisor itself is none of theirs, n = 1 modulo the period is one. So
    looking at one period more than there are excluded values is enough. A period too long to look through
    (and a window too short to hold it) counts as not empty: then the language tells.
    """
    if facts.values is not None:
        if _is_contradictory(facts):
            return True
        return not allowed_values(facts)
    if _is_plainly_empty(facts):
        return True
    divisor = divisor_of(facts)
    if divisor is None:
        # decimals are dense: only a single point can be shut out
        if facts.low is None or facts.high is None or facts.low < facts.high:
            return False
        return not value_holds(facts, exact(facts.low))
    first, last = steps_within(facts, divisor)
    if first is None or last is None:
        return False
    if not facts.excluded and not non_divisors_of(facts):
        return first > last
    period = lcm(*((Fraction(divisor) / other).denominator for other in non_divisors_of(facts)))
    enough = period * (len(facts.excluded) + 1)
    if last - first >= enough:
        return False
    candidates = _multiples_of(divisor, first, min(last, first + _MOST_CANDIDATES))
    if any(value_holds(facts, number) for number in candidates):
        return False
    return last - first <= _MOST_CANDIDATES


_CANDIDATES = 4096
_MOST_CANDIDATES = 100_000


def _is_contradictory(facts: NumberFacts) -> bool:
    return facts.integer is not Integer.NO and facts.not_integer in (Integer.YES, facts.integer)


def _is_plainly_empty(facts: NumberFacts) -> bool:
    if facts.values == () or _is_contradictory(facts):
        return True
    if facts.values is not None:
        return False
    low, high = facts.low, facts.high
    bounded = low is not None and high is not None
    if bounded and (low > high or (low == high and (facts.low_open or facts.high_open))):  # type: ignore[operator]
        return True
    divisor = divisor_of(facts)
    if divisor is None:
        return False
    if any(is_multiple(divisor, other) for other in non_divisors_of(facts)):
        return True
    first, last = steps_within(facts, divisor)
    return first is not None and last is not None and first > last


def _multiples_of(divisor: Number, first: int, last: int) -> Iterator[Number]:
    for n in range(first, last + 1):
        yield exact(n * Fraction(divisor))


def is_multiple(number: Number, divisor: Number) -> bool:
    """Exactly, as the specification has it: the quotient is an integer. ``divisor`` is not zero."""
    if isinstance(number, int) and isinstance(divisor, int):
        return number % divisor == 0
    return (Fraction(number) / divisor).denominator == 1


def common_multiple(numbers: tuple[Number, ...]) -> Number | None:
    """The least number that is a multiple of each; None when there are none."""
    if len(numbers) <= 1:
        return exact(numbers[0]) if numbers else None
    fractions = [Fraction(number) for number in numbers]
    top = lcm(*(fraction.numerator for fraction in fractions))
    return exact(Fraction(top, gcd(*(fraction.denominator for fraction in fractions))))


def _tighter(
    a: Number | None, a_open: bool, b: Number | None, b_open: bool, sign: int
) -> tuple[Number | None, bool]:
    if a is None:
        return b, b_open and b is not None
    if b is None:
        return a, a_open
    if a == b:
        return a, a_open or b_open
    return (a, a_open) if (a > b) == (sign > 0) else (b, b_open)


def _common_values(left: tuple[Any, ...] | None, right: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
    if left is None or right is None:
        return right if left is None else left
    numbers = {exact(value) for value in right}
    return tuple(value for value in left if exact(value) in numbers)


def _together(left: tuple[Any, ...], right: tuple[Any, ...]) -> tuple[Any, ...]:
    if not left or left == right:
        return right
    return tuple(dict.fromkeys(left + right)) if right else left
