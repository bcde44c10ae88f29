"""Integer ranges and enumerated numbers against brute force."""

from __future__ import annotations

import json
import random
from itertools import product

import pytest
from naive_json import accepts

from structgen.sources.json_schema import json_schema_grammar
from structgen.sources.json_schema.facts import Integer, NumberFacts
from structgen.sources.json_schema.numbers import integer_range, number_language

TEXTS = ["".join(parts) for n in range(1, 5) for parts in product("-0159.", repeat=n)]


def value_of(text: str) -> int | None:
    """The integer that a JSON number without exponent is, or None."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return None
    return int(value) if value == int(value) else None


VALUE_OF = {text: value_of(text) for text in TEXTS}
BOUNDS = [
    None,
    -1000,
    -101,
    -100,
    -99,
    -16,
    -10,
    -9,
    -1,
    0,
    1,
    5,
    9,
    10,
    11,
    15,
    95,
    99,
    100,
    101,
    159,
    550,
    1000,
]


@pytest.mark.parametrize("low", BOUNDS)
def test_ranges_of_all_short_texts(low: int | None) -> None:
    for high in BOUNDS:
        language = integer_range(low, high, False)
        plain = integer_range(low, high, True)
        assert language.is_empty == (low is not None and high is not None and low > high)
        for text, value in VALUE_OF.items():
            inside = value is not None and (low is None or low <= value) and (high is None or value <= high)
            assert language.accepts(text.encode()) == inside, (text, low, high)
            assert plain.accepts(text.encode()) == (inside and "." not in text), (text, low, high)


def test_ranges_of_random_large_integers() -> None:
    rng = random.Random(7)
    for _ in range(300):
        digits = rng.choice([1, 2, 3, 8, 19, 40, 120])
        low, high = sorted(rng.randint(-(10**digits), 10**digits) for _ in range(2))
        language = integer_range(low, high, False)
        near = [bound + step for bound in (low, high) for step in (-1, 0, 1)]
        for value in [*near, 0, rng.randint(low, high), low * 10, high * 10, -low, -high]:
            assert language.accepts(str(value).encode()) == (low <= value <= high)
        below, above = integer_range(None, high, True), integer_range(low, None, True)
        for value in near:
            assert below.accepts(str(value).encode()) == (value <= high)
            assert above.accepts(str(value).encode()) == (value >= low)


CASES = [
    ({"minimum": 1.5}, ["2", "2.0", "99"], ["1", "1.5", "-2"]),
    ({"maximum": -0.5}, ["-1", "-10"], ["0", "-0", "1"]),
    ({"exclusiveMinimum": 2}, ["3"], ["2", "2.0"]),
    ({"exclusiveMinimum": 2.5, "minimum": 3}, ["3"], ["2"]),
    ({"exclusiveMaximum": 3, "minimum": 1}, ["1", "2.00"], ["3", "0"]),
    ({"minimum": 3, "exclusiveMinimum": True}, ["4"], ["3"]),
    ({"maximum": 3, "exclusiveMaximum": True}, ["2"], ["3"]),
    ({"maximum": 3, "exclusiveMaximum": False}, ["3"], ["4"]),
    ({"minimum": 0}, ["0", "-0", "-0.0"], ["-1"]),
    ({"exclusiveMinimum": 0}, ["1"], ["0", "-0"]),
    ({"minimum": 1e20}, ["100000000000000000000"], ["99999999999999999999"]),
    ({"minimum": -1e-7, "maximum": 1e-7}, ["0", "-0"], ["1", "-1"]),
    ({"minimum": 10**30, "maximum": 10**30}, [str(10**30)], [str(10**30 + 1)]),
]


@pytest.mark.parametrize(("bounds", "good", "bad"), CASES)
def test_bounds(bounds: dict[str, object], good: list[str], bad: list[str]) -> None:
    grammar = json_schema_grammar({"type": "integer", **bounds})
    assert all(accepts(grammar, text) for text in good)
    assert not any(accepts(grammar, text) for text in bad)


WRITTEN = [
    (1, ["1", "1.0", "1.000"], ["1.", "1.01", "01", "1e0", "-1"]),
    (1.0, ["1", "1.0"], ["1.5"]),
    (0, ["0", "-0", "0.0", "-0.00"], ["00", "-"]),
    (-7, ["-7", "-7.0"], ["7"]),
    (0.1, ["0.1", "0.100"], [".1", "0.11", "1e-1", "0.1e0"]),
    (1e22, ["1e+22", "10000000000000000000000", "10000000000000000000000.0"], ["1e+220"]),
    (1e-7, ["1e-07", "0.0000001", "0.00000010"], ["1e-070", "0.000000"]),
    (2.5e-10, ["2.5e-10", "0.00000000025"], ["2.5"]),
    (10**400, [str(10**400)], [str(10**399)]),
]


@pytest.mark.parametrize(("value", "good", "bad"), WRITTEN)
def test_ways_to_write_an_enumerated_number(value: float, good: list[str], bad: list[str]) -> None:
    language = number_language(NumberFacts(values=(value,)))
    assert language.accepts(json.dumps(value).encode())
    assert all(language.accepts(text.encode()) for text in good)
    assert not any(language.accepts(text.encode()) for text in bad)


def test_draft_4_integers_have_no_fraction() -> None:
    language = number_language(NumberFacts(Integer.PLAIN, values=(1, 2.0)))
    assert [language.accepts(text) for text in (b"1", b"2", b"1.0", b"2.0")] == [True, True, False, False]
