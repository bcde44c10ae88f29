"""Number languages against exact arithmetic on fractions."""

from __future__ import annotations

import json
import random
import re
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from json_texts import accepts, compiled

from structgen.automata import json_text
from structgen.automata.build import canonical
from structgen.automata.dfa import START, Dfa
from structgen.errors import CompileLimitError
from structgen.sources.json_schema.number_bounds import at_least, at_most, decimal_digits
from structgen.sources.json_schema.numbers import (
    Integer,
    NumberFacts,
    is_number_empty,
    merge_numbers,
    number_language,
    number_matches,
    number_values,
)

YES, PLAIN = Integer.YES, Integer.PLAIN
F = Fraction
NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?\Z")
SCIENTIFIC = re.compile(r"-?([1-9])(?:\.([0-9]+))?[eE]([+-]?[0-9]+)\Z")
ZERO_WITH_EXPONENT = re.compile(r"-?0(\.0+)?[eE]([+-]?[0-9]+)\Z")


def multiple(value: Fraction, divisor: Any) -> bool:
    return (value / F(divisor)).denominator == 1


def holds(facts: NumberFacts, text: str) -> bool:
    """The facts by their definitions, of a number as text."""
    value = F(text)
    plain = re.fullmatch(r"-?[0-9]+", text) is not None
    is_integer = {Integer.NO: True, YES: value.denominator == 1, PLAIN: plain}[facts.integer]
    no_integer = {Integer.NO: True, YES: value.denominator != 1, PLAIN: not plain}[facts.not_integer]
    return (
        is_integer
        and no_integer
        and (facts.low is None or value > facts.low or (value == facts.low and not facts.low_open))
        and (facts.high is None or value < facts.high or (value == facts.high and not facts.high_open))
        and all(multiple(value, divisor) for divisor in facts.multiples)
        and not any(multiple(value, divisor) for divisor in facts.non_multiples)
        and (facts.values is None or value in [F(str(other)) for other in facts.values])
        and value not in [F(str(other)) for other in facts.excluded]
    )


def about_value(facts: NumberFacts) -> bool:
    return replace(facts, integer=Integer.NO, not_integer=Integer.NO) != NumberFacts() or YES in (
        facts.integer,
        facts.not_integer,
    )


def recognised(facts: NumberFacts, text: str) -> bool:
    """Texts whose place the language decides; of the others it may hold none or some that satisfy."""
    if "e" not in text.lower() or not about_value(facts):
        return True
    match = ZERO_WITH_EXPONENT.match(text) or SCIENTIFIC.match(text)
    if match is None or not -324 <= int(match[match.lastindex or 0]) <= 308:
        return False
    if not {1024, 86400}.isdisjoint(facts.multiples + facts.non_multiples):
        return False  # these have more than 64 remainders
    divides = facts.multiples or facts.non_multiples or YES in (facts.integer, facts.not_integer)
    fraction = match[2] if match.re is SCIENTIFIC else ""
    return not (divides and fraction) or (len(fraction) <= 16 and fraction[-1] != "0")


def check(facts: NumberFacts, texts: list[str], language: Dfa | None = None) -> None:
    language = number_language(facts) if language is None else language
    for text in texts:
        accepted = language.accepts(text.encode())
        expected = NUMBER.match(text) is not None and holds(facts, text)
        if accepted != expected:
            assert not accepted, (facts, text)
            assert not recognised(facts, text), (facts, text)


# --- all short texts ---------------------------------------------------------------------------------

SHORT = ["".join(parts) for n in range(1, 5) for parts in product("-0159.e", repeat=n)]
SHORT_NUMBERS = [text for text in SHORT if NUMBER.match(text)]
NO_NUMBERS = [text for text in SHORT if not NUMBER.match(text)]
BOUNDS = [None, -1000, -101, F("-10.5"), -10, -9, F("-0.15"), 0, F("0.005"), F("0.1"), 1, F("1.5"), 5, 10, 15]
BOUNDS += [99, F("99.95"), 100, 101, 159, 1000]


@pytest.mark.parametrize("low", BOUNDS)
@pytest.mark.parametrize("integer", list(Integer))
def test_bounds_on_all_short_texts(low: Any, integer: Integer) -> None:
    for i, high in enumerate(BOUNDS):
        facts = NumberFacts(integer, low=low, low_open=i % 2 == 1, high=high, high_open=i % 3 == 1)
        check(facts, SHORT_NUMBERS)
        language = number_language(facts)
        assert not any(language.accepts(text.encode()) for text in NO_NUMBERS[::7])
        assert language.is_empty == is_number_empty(facts)


DIVISORS = [
    1,
    2,
    3,
    5,
    7,
    10,
    12,
    15,
    25,
    50,
    100,
    F("0.5"),
    F("0.1"),
    F("0.01"),
    F("2.5"),
    F("0.15"),
    F("1e-8"),
    1024,
    3600,
    86400,
    10**6,
    10**20,
    F("0.0625"),
    F("12.5"),
]


@pytest.mark.parametrize("divisor", DIVISORS)
def test_multiples_on_all_short_texts(divisor: Any) -> None:
    check(NumberFacts(multiples=(divisor,)), SHORT_NUMBERS)
    check(NumberFacts(non_multiples=(divisor,)), SHORT_NUMBERS)
    check(NumberFacts(YES, non_multiples=(divisor,)), SHORT_NUMBERS)
    check(NumberFacts(PLAIN, multiples=(divisor,), non_multiples=(3,)), SHORT_NUMBERS)


def test_what_is_no_number() -> None:
    for facts in (NumberFacts(), NumberFacts(YES), NumberFacts(low=-5), NumberFacts(values=(0, 1, 1.5))):
        assert not any(number_language(facts).accepts(text.encode()) for text in NO_NUMBERS)


@pytest.mark.parametrize("bound", [10**40, 12345, 1, F(7, 10**30), F(123456789, 1000)])
@pytest.mark.parametrize("sign", [1, -1])
def test_bounds_of_many_digits(bound: Any, sign: int) -> None:
    """On both sides, open and closed, plain and with an exponent."""
    for columns, is_least in ((at_least(sign * bound, False), True), (at_most(sign * bound, True), False)):
        for text in _near(bound):
            for spelled in (text, "-" + text):
                state = 1
                for byte in spelled.encode():
                    state = int(columns.table[state, b"\0+-.0123456789E".index(byte)])
                value = F(spelled)
                assert bool(columns.accepting[state]) == (
                    value >= sign * bound if is_least else value < sign * bound
                ), spelled


def _near(bound: Any) -> list[str]:
    digits, scale = decimal_digits(bound)
    written = [digits, str(int(digits) - 1), str(int(digits) + 1), digits + "01", digits[:1]]
    found = ["0", "1", "9E+99", "1E-99"]
    for number in written:
        if number == "0":
            continue
        size = scale + len(number) - len(digits)
        point = "." + number[1:] if number[1:] else ""
        found += [f"{number[0]}{point}E{size + more:+}" for more in (-1, 0, 1)]
        if 0 <= size < len(number) - 1:
            found.append(f"{number[: size + 1]}.{number[size + 1 :]}")
        elif size >= 0:
            found.append(number + "0" * (size + 1 - len(number)))
        else:
            found.append("0." + "0" * (-size - 1) + number)
    return found


def test_ranges_of_random_large_integers() -> None:
    rng = random.Random(7)
    for _ in range(100):
        digits = rng.choice([1, 2, 3, 8, 19, 40, 120])
        low, high = sorted(rng.randint(-(10**digits), 10**digits) for _ in range(2))
        language = number_language(NumberFacts(PLAIN, low=low, high=high))
        near = [bound + step for bound in (low, high) for step in (-1, 0, 1)]
        for value in [*near, 0, rng.randint(low, high), low * 10, high * 10, -low, -high]:
            assert language.accepts(str(value).encode()) == (low <= value <= high)


# --- random facts, random texts ----------------------------------------------------------------------

decimals = st.one_of(
    st.integers(-12, 12),
    st.integers(-(10**6), 10**6),
    st.builds(lambda n, k: F(n, 10**k), st.integers(-2000, 2000), st.integers(1, 5)),
    st.builds(lambda n, k: F(n) * F(10) ** k, st.integers(-99, 99), st.integers(-30, 30)),
    st.sampled_from(
        [F("1e308"), F("-1.7e308"), F("1e-300"), F("5e-324"), 2**53, -(2**63), F("0.1"), F("1e23")]
    ),
)


@st.composite
def facts_of_numbers(draw: st.DrawFn) -> NumberFacts:
    integer = draw(st.sampled_from([Integer.NO, Integer.NO, YES, PLAIN]))
    not_integer = draw(st.sampled_from([Integer.NO] * 6 + [YES, PLAIN]))
    low, high = draw(st.none() | decimals), draw(st.none() | decimals)
    if low is not None and high is not None and low > high:
        low, high = high, low
    return NumberFacts(
        integer,
        not_integer,
        low,
        low is not None and draw(st.booleans()),
        high,
        high is not None and draw(st.booleans()),
        tuple(
            draw(
                st.lists(
                    st.sampled_from([1, 2, 3, 5, F("0.5"), F("0.1"), F("0.01"), F("2.5"), 10]), max_size=2
                )
            )
        ),
        tuple(draw(st.lists(st.sampled_from([1, 2, 3, 10, F("0.5"), F("0.1")]), max_size=1))),
        draw(st.none() | st.none() | st.lists(decimals, min_size=1, max_size=4).map(tuple)),
        tuple(draw(st.lists(decimals, max_size=2))),
    )


def decimal_text(value: Fraction | int) -> str:
    places = 0
    while (value * 10**places) % 1 != 0:
        places += 1
    digits = str(abs(int(value * 10**places))).rjust(places + 1, "0")
    text = digits[: len(digits) - places] + ("." + digits[len(digits) - places :] if places else "")
    return "-" + text if value < 0 else text


def scientific_text(value: Fraction | int) -> str:
    sign, digits, exponent = Decimal(decimal_text(value)).as_tuple()
    text = "".join(map(str, digits)).lstrip("0") or "0"
    assert isinstance(exponent, int)
    scale = exponent + len(text) - 1 if value else exponent
    text = text.rstrip("0") or "0"
    return "-" * sign + text[0] + ("." + text[1:] if text[1:] else "") + f"e{scale}"


@st.composite
def texts_near(draw: st.DrawFn, facts: NumberFacts) -> str:
    """A spelling of a number that has to do with the facts, or of any."""
    known = [
        facts.low,
        facts.high,
        *facts.multiples,
        *facts.non_multiples,
        *facts.excluded,
        *(facts.values or ()),
    ]
    value = F(draw(st.sampled_from([number for number in known if number is not None] or [F(1)]) | decimals))
    value = value * draw(st.sampled_from([1, 1, 1, -1, 2, 3, 7, F("0.1"), 10]))
    value += draw(st.sampled_from([0, 0, 0, 1, -1, F("0.1"), F("-0.01"), F("1e-9")]))
    text = draw(st.sampled_from([decimal_text, scientific_text]))(value)
    if draw(st.booleans()) and "e" not in text:
        text += ("" if "." in text else ".") + "0" * draw(st.integers(1, 20))
    elif draw(st.integers(0, 3)) == 0 and "e" in text:
        mantissa, _, exponent = text.partition("e")
        text = (
            mantissa
            + ("" if "." in mantissa else ".")
            + "0" * draw(st.integers(1, 20))
            + "E+" * (not exponent.startswith("-"))
        )
        text += exponent if not exponent.startswith("-") else "e-00" + exponent[1:]
    return "-" + text if value == 0 and draw(st.booleans()) else text


@settings(max_examples=300)
@given(facts=facts_of_numbers(), data=st.data())
def test_texts_near_the_facts(facts: NumberFacts, data: st.DataObject) -> None:
    texts = [data.draw(texts_near(facts)) for _ in range(8)]
    assert all(NUMBER.match(text) for text in texts)
    check(facts, texts)


def sampled(language: Dfa, rng: random.Random) -> str:
    """A random text of the language; every state leads to an accepting one."""
    byte_of = {number: byte for byte, number in reversed(list(enumerate(language.byte_class.tolist())))}
    bytes_of: dict[int, list[int]] = {number: [] for number in byte_of}
    for byte, number in enumerate(language.byte_class.tolist()):
        bytes_of[number].append(byte)
    distance = np.where(language.accepting, 0, 10**6)
    for _ in range(language.n_states):
        following = np.where(language.transitions > 0, distance[language.transitions], 10**6).min(axis=1) + 1
        if np.array_equal(np.minimum(distance, following), distance):
            break
        distance = np.minimum(distance, following)
    state, text = START, b""
    while True:
        if language.accepting[state] and (len(text) > 30 or rng.random() < 0.2):
            return text.decode()
        steps = [(c, t) for c, t in enumerate(language.transitions[state].tolist()) if t]
        if not steps:
            return text.decode()
        if len(text) > 30:
            steps = [min(steps, key=lambda step: distance[step[1]])]
        column, state = rng.choice(steps)
        text += bytes([rng.choice(bytes_of[column])])


@settings(max_examples=150)
@given(facts=facts_of_numbers(), seed=st.integers(0, 2**32))
def test_every_text_of_the_language_satisfies_the_facts(facts: NumberFacts, seed: int) -> None:
    language = number_language(facts)
    assert language.is_empty == is_number_empty(facts)
    assume(not language.is_empty and about_value(facts))
    rng = random.Random(seed)
    for _ in range(10):
        text = sampled(language, rng)
        assert language.accepts(text.encode())
        assert NUMBER.match(text)
        json.loads(text)
        assert holds(facts, text), (facts, text)


values = st.one_of(
    st.integers(-200, 200),
    st.integers(-(2**70), 2**70),
    st.builds(lambda n, k: n / 10**k, st.integers(-5000, 5000), st.integers(0, 6)),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0.0, -0.0, 1e16, 1e20, 1.5e300, 1e-7, 1.7976931348623157e308, 5e-324, 1e23, 0.1]),
)


@settings(max_examples=400)
@given(facts=facts_of_numbers(), given_values=st.lists(values, min_size=4, max_size=8))
def test_the_text_that_programs_write(facts: NumberFacts, given_values: list[float]) -> None:
    """No exception: `json.dumps` writes no other form, and these divisors have few remainders."""
    language = number_language(facts)
    for value in given_values:
        text = json.dumps(value)
        assert number_matches(facts, value) == holds(facts, text)
        assert language.accepts(text.encode()) == number_matches(facts, value), (facts, value)


@settings(max_examples=120)
@given(left=facts_of_numbers(), right=facts_of_numbers(), data=st.data())
def test_merging_is_conjunction(left: NumberFacts, right: NumberFacts, data: st.DataObject) -> None:
    merged = merge_numbers(left, right)
    for text in [data.draw(texts_near(data.draw(st.sampled_from([left, right])))) for _ in range(8)]:
        both = holds(left, text) and holds(right, text)
        assert both == (merged is not None and holds(merged, text))
    if merged is None:
        assert (
            is_number_empty(left)
            or is_number_empty(right)
            or (number_language(left).is_empty or not _common(left, right))
        )


def _common(left: NumberFacts, right: NumberFacts) -> bool:
    from structgen.automata.build import intersect

    return not intersect(number_language(left), number_language(right)).is_empty


NEGATIONS = [
    (NumberFacts(YES), NumberFacts(not_integer=YES)),
    (NumberFacts(PLAIN), NumberFacts(not_integer=PLAIN)),
    (NumberFacts(low=F("-1.5")), NumberFacts(high=F("-1.5"), high_open=True)),
    (NumberFacts(high=100), NumberFacts(low=100, low_open=True)),
    (NumberFacts(high=0), NumberFacts(low=0, low_open=True)),
    *((NumberFacts(multiples=(d,)), NumberFacts(non_multiples=(d,))) for d in DIVISORS),
    (NumberFacts(values=(0, 1.5, -3, 1e22)), NumberFacts(excluded=(0, 1.5, -3, 1e22))),
]


@pytest.mark.parametrize(("facts", "negated"), NEGATIONS)
def test_a_number_satisfies_the_facts_or_their_negation(facts: NumberFacts, negated: NumberFacts) -> None:
    rng = random.Random(3)
    pool = list(SHORT_NUMBERS)
    for _ in range(2000):
        value = F(
            rng.randint(-(10 ** rng.randint(1, 18)), 10 ** rng.randint(1, 18)), 10 ** rng.randint(0, 20)
        )
        pool += [
            decimal_text(value),
            scientific_text(value),
            decimal_text(int(value)),
            f"{rng.randint(1, 9)}e{rng.randint(-9, 30)}",
        ]
    is_true, is_false = number_language(facts), number_language(negated)
    for text in pool:
        if recognised(facts, text) and recognised(negated, text):
            assert is_true.accepts(text.encode()) != is_false.accepts(text.encode()), text
        else:
            assert not (is_true.accepts(text.encode()) and is_false.accepts(text.encode()))


# --- tables ------------------------------------------------------------------------------------------

WRITTEN: list[tuple[NumberFacts, str, str]] = [
    (NumberFacts(), "1 1.5e3 1E400 12e3 -0.5e-2", "01 1. .5 +1 1e"),
    (
        NumberFacts(YES),
        "0 -0 1 1.0 1.000 1e2 1E+20 1.5e1 1.50e2 1.2345678901234568e+16 0e5 0.0e-7",
        "1.5 1.5e0 1e-1 12e0",
    ),
    (NumberFacts(PLAIN), "0 -0 12", "1.0 1e2 1e+20"),
    (NumberFacts(not_integer=YES), "1.5 0.10 1e-7 1.5e0 -1.25e1", "1 1.0 1e0 1.5e1 0e-3"),
    (NumberFacts(not_integer=PLAIN), "1.0 1e2 12e3 0.5", "1 -0"),
    (NumberFacts(YES, not_integer=PLAIN), "1.0 1e2 -0.0", "1 1.5 -0"),
    (
        NumberFacts(low=0, high=1),
        "0 -0 1.00 1e0 0.5 5e-1 5.0E-01 1e-300 0e9",
        "-0.1 1.0001 1e1 1.1e0 -1e-300",
    ),
    (NumberFacts(low=0, low_open=True), "0.1 1e-300 1e308", "0 -0 0.0 0e5 -1 1e-400 1e309"),
    (NumberFacts(low=F("1e308")), "1e308 1e+308 1.7976931348623157e308", "9e307 1 1e-308"),
    (NumberFacts(high=F("1e-300")), "1e-300 1e-301 0 -5", "2e-300 1.1e-300 1"),
    (NumberFacts(multiples=(F("0.01"),)), "0 0.01 0.010 1e-2 1.5e0 1.23 7 1e5", "0.001 1e-3 1.5e-2"),
    (NumberFacts(multiples=(7,), low=0, high=100), "0 7 14.0 98 7e0 1.4e1 2.1E+01", "-7 105 8 7e1.0"),
    (NumberFacts(multiples=(4, 6)), "12 24 3.6e1 -0", "4 6 8 18"),
    (NumberFacts(multiples=(2,), non_multiples=(4,)), "2 6 10 1e1", "4 1 0 2e1"),
    (NumberFacts(values=(1,)), "1 1.0 1.000 1e0 1.0e+00", "1. 1.01 01 -1 1e1 10e-1"),
    (NumberFacts(values=(0,)), "0 -0 0.0 -0.00 0e7", "00 - 0.01"),
    (NumberFacts(values=(1e22,)), "1e+22 1E22 10000000000000000000000 10000000000000000000000.0", "1e+220"),
    (
        NumberFacts(values=(1e-7, 2.5e-10)),
        "1e-07 0.0000001 0.00000010 2.5e-10 0.00000000025",
        "1e-070 0.000000 2.5",
    ),
    (NumberFacts(values=(10**400,)), str(10**400), str(10**399) + " 1e400"),
    (NumberFacts(PLAIN, values=(1, 2.0)), "1 2", "1.0 2.0 1e0"),
    (
        NumberFacts(values=(1, 1.5, 15, 100, -0.25), low=1, excluded=(15.0,)),
        "1 1.5 1.5e0 100 1e2",
        "15 1.5e1 -0.25",
    ),
    (NumberFacts(excluded=(0, 12, 0.5)), "1 12.1 1e1 0.05", "0 -0 0.0e1 12 12.00 1.2e1 12e0 0.5 5e-1"),
]


@pytest.mark.parametrize(("facts", "good", "bad"), WRITTEN)
def test_ways_to_write(facts: NumberFacts, good: str, bad: str) -> None:
    language = number_language(facts)
    assert [text for text in good.split() if not language.accepts(text.encode())] == []
    assert [text for text in bad.split() if language.accepts(text.encode())] == []
    # the same automaton as the general construction makes
    wide = np.ascontiguousarray(language.transitions[:, language.byte_class])
    assert canonical(wide, language.accepting) == language


SCHEMAS: list[tuple[dict[str, object], list[str], list[str]]] = [
    ({"minimum": 1.5}, ["2", "2.0", "99"], ["1", "1.5", "-2"]),
    ({"maximum": -0.5}, ["-1", "-10"], ["0", "-0", "1"]),
    ({"exclusiveMinimum": 2}, ["3"], ["2", "2.0"]),
    ({"exclusiveMinimum": 2.5, "minimum": 3}, ["3"], ["2"]),
    ({"exclusiveMaximum": 3, "minimum": 1}, ["1", "2.00"], ["3", "0"]),
    ({"minimum": 3, "exclusiveMinimum": True}, ["4"], ["3"]),
    ({"maximum": 3, "exclusiveMaximum": True}, ["2"], ["3"]),
    ({"maximum": 3, "exclusiveMaximum": False}, ["3"], ["4"]),
    ({"minimum": 0}, ["0", "-0", "-0.0"], ["-1"]),
    ({"minimum": 1e20}, ["100000000000000000000", "1e20"], ["99999999999999999999"]),
    ({"minimum": -1e-7, "maximum": 1e-7}, ["0", "-0"], ["1", "-1"]),
    ({"minimum": 10**30, "maximum": 10**30}, [str(10**30)], [str(10**30 + 1)]),
    ({"multipleOf": 2.5}, ["5", "10.0", "1e1"], ["2.5", "2", "1"]),
]


@pytest.mark.parametrize(("keywords", "good", "bad"), SCHEMAS)
def test_schemas(keywords: dict[str, object], good: list[str], bad: list[str]) -> None:
    grammar = compiled({"type": "integer", **keywords})
    assert all(accepts(grammar, text) for text in good)
    assert not any(accepts(grammar, text) for text in bad)


def test_numbers_without_facts_are_the_shared_automata() -> None:
    assert number_language(NumberFacts()) is json_text.number()
    assert number_language(NumberFacts(PLAIN)) is json_text.integer(True)
    assert number_language(NumberFacts(YES)) is number_language(NumberFacts(YES))


def test_values_that_are_no_numbers() -> None:
    for value in (True, False, float("inf"), float("nan"), Decimal("inf")):
        assert not number_matches(NumberFacts(), value)
    assert number_matches(NumberFacts(multiples=(F("0.1"),)), Decimal("0.3"))
    assert number_matches(NumberFacts(high=10**400), F(10**399))


LISTED: list[tuple[NumberFacts, int, tuple[object, ...] | None]] = [
    (NumberFacts(), 5, None),
    (NumberFacts(YES, low=0), 5, None),
    (NumberFacts(YES, low=0, high=4), 5, (0, 1, 2, 3, 4)),
    (NumberFacts(YES, low=0, high=5), 5, None),
    (NumberFacts(YES, low=0, high=5, high_open=True, excluded=(2.0,)), 4, (0, 1, 3, 4)),
    (NumberFacts(low=1, high=1), 5, (1,)),
    (NumberFacts(low=1, high=1, not_integer=YES), 5, ()),
    (NumberFacts(low=1, high=2), 5, None),
    (
        NumberFacts(low=0, high=1, multiples=(F("0.25"),), non_multiples=(F("0.5"),)),
        5,
        (F("0.25"), F("0.75")),
    ),
    (NumberFacts(values=(3, 1.0, 1, 0.5)), 3, (F("0.5"), 1, 3)),
    (NumberFacts(values=(3, 1.0, 1, 0.5), low=1), 3, (1, 3)),
    (NumberFacts(values=(3, 1, 0.5)), 2, None),
    (NumberFacts(YES, not_integer=YES), 2, ()),
    (NumberFacts(YES, low=-(10**400), high=10**400), 100, None),
]


@pytest.mark.parametrize(("facts", "limit", "expected"), LISTED)
def test_finitely_many_values(facts: NumberFacts, limit: int, expected: tuple[object, ...] | None) -> None:
    assert number_values(facts, limit) == expected


EMPTY = [
    NumberFacts(low=2, high=1),
    NumberFacts(low=1, high=1, low_open=True),
    NumberFacts(YES, low=F("0.1"), high=F("0.9")),
    NumberFacts(YES, not_integer=YES),
    NumberFacts(PLAIN, not_integer=PLAIN, values=(1,)),
    NumberFacts(multiples=(4,), non_multiples=(2,)),
    NumberFacts(multiples=(2, 3), non_multiples=(6,)),
    NumberFacts(YES, low=0, high=2, excluded=(0, 1, 2)),
    NumberFacts(YES, low=2, high=4, non_multiples=(2, 3)),
    NumberFacts(low=0, high=0, excluded=(0,)),
    NumberFacts(values=(1, 2), low=3),
    NumberFacts(values=()),
    NumberFacts(multiples=(10**9,), low=1, high=10**9 - 1),
]


@pytest.mark.parametrize("facts", EMPTY)
def test_empty(facts: NumberFacts) -> None:
    assert is_number_empty(facts)
    assert number_language(facts).is_empty


def test_digits_can_be_bounded() -> None:
    texts = [
        "0",
        "-123",
        "1234",
        "1.123",
        "1.1234",
        "1e100",
        "1e1000",
        "1.123e-10",
        "1.1234e1",
        "0.000",
        "0.0000",
    ]
    short = ["0", "-123", "1.123", "1e100", "1.123e-10", "0.000"]
    language = number_language(NumberFacts(), max_digits=3)
    assert [text for text in texts if language.accepts(text.encode())] == short
    language = number_language(NumberFacts(YES, low=-500), max_digits=3)
    assert [text for text in texts if language.accepts(text.encode())] == ["0", "-123", "1e100", "0.000"]
    assert number_language(NumberFacts(low=1000, high=1000), max_digits=3).accepts(b"1e3")
    assert not number_language(NumberFacts(low=1000, high=1000), max_digits=3).accepts(b"1000")


def test_many_remainders() -> None:
    with pytest.raises(CompileLimitError) as caught:
        number_language(NumberFacts(YES, multiples=(F("0.123456789"),)))
    assert caught.value.limit == "max_states"
    # with bounds the multiples are listed instead
    bounded = number_language(NumberFacts(YES, multiples=(F("0.123456789"),), low=0, high=10**12))
    assert bounded.accepts(b"123456789") and bounded.accepts(b"1.23456789e8")
    assert not bounded.accepts(b"123456788")
    digits = number_language(NumberFacts(YES, multiples=(F("0.123456789"),)), max_digits=11)
    assert digits.accepts(b"-246913578") and not digits.accepts(b"1")
    assert not number_language(NumberFacts(multiples=(9973,), low=1, high=9972), max_states=100).accepts(b"1")
    # 10^40 has few remainders to be told apart, 2^40 has not
    assert number_language(NumberFacts(multiples=(10**40,))).accepts(b"3e41")
    with pytest.raises(CompileLimitError):
        number_language(NumberFacts(multiples=(2**40,)))
    assert number_language(NumberFacts(multiples=(2**40,), low=0, high=2**43)).accepts(str(2**42).encode())
    # more than 64 remainders: no exponents
    check(NumberFacts(multiples=(97,)), [str(97 * n + r) for n in range(0, 2000, 13) for r in (0, 1)])
    assert not number_language(NumberFacts(multiples=(97,))).accepts(b"9.7e1")
    check(NumberFacts(non_multiples=(97,)), [str(97 * n + r) for n in range(0, 2000, 13) for r in (0, 1)])


# --- the official suite ------------------------------------------------------------------------------

SUITE = Path(__file__).resolve().parents[2] / "shared" / "data" / "json-schema-test-suite"
FILES = ["type", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"]
FILES += ["optional/float-overflow", "optional/bignum"]
_NUMERIC = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "type", "$schema"}


@pytest.mark.skipif(not SUITE.is_dir(), reason="the shared data folder is not here")
@pytest.mark.parametrize("draft", ["draft2020-12", "draft7", "draft4"])
def test_official_suite(draft: str) -> None:
    seen = 0
    for name in FILES:
        file = SUITE / draft / f"{name}.json"
        for group in json.loads(file.read_text()) if file.is_file() else []:
            schema = group["schema"]
            if not _NUMERIC.issuperset(schema):
                continue
            schema = {"$schema": SCHEMA_OF[draft], **schema}
            if schema.get("multipleOf") == 0.123456789:  # as many states: `test_many_remainders`
                continue
            grammar = compiled(schema)
            for case in group["tests"]:
                assert accepts(grammar, json.dumps(case["data"])) == case["valid"], (schema, case)
                seen += 1
    assert seen > 90


SCHEMA_OF = {
    "draft2020-12": "https://json-schema.org/draft/2020-12/schema",
    "draft7": "http://json-schema.org/draft-07/schema#",
    "draft4": "http://json-schema.org/draft-04/schema#",
}
