"""Numbers as text: which ways to write a number satisfy what a schema asks."""

from __future__ import annotations

import json
from decimal import Decimal
from functools import lru_cache
from math import ceil, floor

import numpy as np

from structgen.automata import json_text
from structgen.automata.build import canonical, union
from structgen.automata.dfa import Dfa
from structgen.sources.json_schema.facts import Integer, NumberFacts
from structgen.sources.json_schema.values import exact

_MINUS, _DOT, _ZERO = ord("-"), ord("."), ord("0")


def number_language(facts: NumberFacts) -> Dfa:
    """All ways to write a number that the facts allow; the empty language when there is none.

    Integers are written without exponent, with a fraction of zeros unless draft 4 forbids it.
    """
    plain = facts.integer is Integer.PLAIN
    if facts.values is not None:
        return _written(tuple(_texts(value) for value in facts.values), plain)
    if facts.integer is Integer.NO:
        return json_text.number()
    low, high = integer_bounds(facts)
    if low is None and high is None:
        return json_text.integer(plain)
    return integer_range(low, high, plain)


def integer_bounds(facts: NumberFacts) -> tuple[int | None, int | None]:
    """The smallest and the largest integer within the bounds (None: no bound)."""
    low = high = None
    if facts.low is not None:
        low = floor(facts.low) + 1 if facts.low_open else ceil(facts.low)
    if facts.high is not None:
        high = ceil(facts.high) - 1 if facts.high_open else floor(facts.high)
    return low, high


@lru_cache(maxsize=1024)
def integer_range(low: int | None, high: int | None, plain: bool) -> Dfa:
    """The integers from ``low`` to ``high``, of any size, without leading zeros; -0 is 0.

    One state for each (sign, number of digits read, order of these against the digits of either
    bound), since the length of the number is not known before its end.
    """
    positive = _magnitudes(max(low or 0, 0), high)
    negative = _magnitudes(max(-high, 0) if high is not None else 0, -low if low is not None else None)
    states: dict[tuple[object, ...], int] = {("dead",): 0, ("start",): 1}
    rows: list[dict[int, int]] = [{}, {}]
    accepting = [False, False]
    queue: list[tuple[object, ...]] = []

    def state(name: tuple[object, ...], accepts: bool) -> int:
        number = states.get(name)
        if number is None:
            number = states[name] = len(rows)
            rows.append({})
            accepting.append(accepts)
            queue.append(name)
        return number

    def begin(source: int, sign: str, magnitudes: _Magnitudes | None) -> None:
        if magnitudes is None:
            return
        if magnitudes.low == "0":
            rows[source][_ZERO] = state((sign, "zero"), True)
        for digit in "123456789":
            place = magnitudes.start(digit)
            rows[source][ord(digit)] = state((sign, *place), magnitudes.accepts(place))

    begin(1, "+", positive)
    rows[1][_MINUS] = state(("minus",), False)
    begin(states[("minus",)], "-", negative)
    queue.remove(("minus",))
    while queue:
        name = queue.pop()
        source = states[name]
        if name[0] in ("+", "-") and name[1] != "zero":
            magnitudes = positive if name[0] == "+" else negative
            if magnitudes is not None:
                for digit in "0123456789":
                    place = magnitudes.step(name[1:], digit)
                    if place is not None:
                        rows[source][ord(digit)] = state((name[0], *place), magnitudes.accepts(place))
        if plain:
            continue
        if name[0] in ("+", "-") and accepting[source]:
            rows[source][_DOT] = state(("dot",), False)
        elif name[0] in ("dot", "zeros"):
            rows[source][_ZERO] = state(("zeros",), True)
    table = np.zeros((len(rows), 256), np.int32)
    for source, row in enumerate(rows):
        for byte, target in row.items():
            table[source, byte] = target
    return canonical(table, np.array(accepting, np.bool_))


class _Magnitudes:
    """Decimal numbers from ``low`` to ``high`` digit by digit.

    A place is (digits read, order against the same number of digits of low, and of high); past the
    end of a bound the order is no longer of interest.
    """

    def __init__(self, low: int, high: int | None) -> None:
        self.low = str(low)
        self.high = None if high is None else str(high)
        self._longest = max(len(self.low), len(self.high or ""))

    def start(self, digit: str) -> tuple[int, int, int]:
        return 1, _order(digit, self.low[0]), 0 if self.high is None else _order(digit, self.high[0])

    def step(self, place: tuple[object, ...], digit: str) -> tuple[int, int, int] | None:
        length, over_low, over_high = place
        if not isinstance(length, int) or not isinstance(over_low, int) or not isinstance(over_high, int):
            return None
        if self.high is not None and length >= len(self.high):
            return None
        if over_low == 0 and length < len(self.low):
            over_low = _order(digit, self.low[length])
        elif length >= len(self.low):
            over_low = 1
        if self.high is not None and over_high == 0:
            over_high = _order(digit, self.high[length])
        return min(length + 1, self._longest + 1), over_low, over_high

    def accepts(self, place: tuple[int, int, int]) -> bool:
        length, over_low, over_high = place
        if length < len(self.low) or (length == len(self.low) and over_low < 0):
            return False
        return self.high is None or length < len(self.high) or (length == len(self.high) and over_high <= 0)


def _magnitudes(low: int, high: int | None) -> _Magnitudes | None:
    return None if high is not None and high < low else _Magnitudes(low, high)


def _order(a: str, b: str) -> int:
    return (a > b) - (a < b)


def _texts(value: int | float) -> tuple[str, ...]:
    """The plain decimal text of a number (two for zero), then its `json.dumps` if that differs."""
    number = exact(value)
    if isinstance(number, int):
        texts = ("0", "-0") if number == 0 else (str(number),)
    else:
        texts = (format(Decimal(repr(value)), "f"),)
    dumped = json.dumps(value)
    return texts if "e" not in dumped else (*texts, dumped)


@lru_cache(maxsize=1024)
def _written(texts: tuple[tuple[str, ...], ...], plain: bool) -> Dfa:
    decimal = tuple(text for group in texts for text in group if "e" not in text)
    exponential = tuple(text for group in texts for text in group if "e" in text)
    if plain or not exponential:
        return json_text.numbers(decimal, not plain)
    return union([json_text.numbers(decimal, True), json_text.words(exponential)])
