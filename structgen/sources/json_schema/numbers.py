"""Numbers as text: which ways to write a number satisfy what a schema asks.

The language never holds a text whose exact decimal value violates the facts. Where the facts say nothing
about the value, it holds all the others. Where they do, it holds these of the others:

- *plain* texts, without exponent: all;
- *scientific* texts, as programs write them (``1.5e+300``: one digit before the point, and that is zero for
  zero only): all, when only bounds and enumerated values count. For integers, multiples and
  non-multiples those with at most 16 digits behind the point, the last of them not a zero; for multiples
  also those with zeros at the end, when no digit of the text is left behind the point (1.50e2, not 1.50e1);
  none at all when more than 64 remainders have to be told apart (`number_multiples`).

So all that `json.dumps` writes is there, that last case apart. Other texts with exponents (12e3, 0.5e2) are
left out, and so are exponents below -324 and above 308: programs read them as zero and infinity, which
satisfy other facts.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache, reduce

from structgen.automata import json_text
from structgen.automata.dfa import Dfa
from structgen.errors import CompileLimitError
from structgen.sources.json_schema.number_bounds import (
    all_numbers,
    at_least,
    at_most,
    common_exponents,
    short_numbers,
    spellings,
)
from structgen.sources.json_schema.number_columns import (
    DIFFERENCE,
    INTERSECTION,
    Columns,
    columns_of,
    combine,
    dfa_of,
)
from structgen.sources.json_schema.number_facts import (
    Integer,
    Number,
    NumberFacts,
    allowed_values,
    divisor_of,
    exact,
    is_number_empty,
    merge_numbers,
    non_divisors_of,
    number_matches,
    number_values,
)
from structgen.sources.json_schema.number_multiples import least_remainders, multiples, non_multiples
from structgen.untracked import untracked

__all__ = [
    "Integer",
    "NumberFacts",
    "is_number_empty",
    "merge_numbers",
    "number_language",
    "number_matches",
    "number_values",
]

MAX_STATES = 100_000
# So many multiples within bounds are enumerated, when remainders need more states than that.
_MOST_ENUMERATED = 10_000
_FEW_REMAINDERS = 64


@lru_cache(maxsize=4096)
@untracked
def number_language(
    facts: NumberFacts, *, max_digits: int | None = None, max_states: int = MAX_STATES
) -> Dfa:
    """All ways to write a number that the facts allow; the empty language when there is none.

    ``max_digits``: at most that many digits before and behind the point, and three in an exponent. Raises
    `CompileLimitError` (``max_states``) when multiples need a larger automaton.
    """
    free = facts == NumberFacts(facts.integer)
    if free and max_digits is None and facts.integer is not Integer.YES:
        return json_text.number() if facts.integer is Integer.NO else json_text.integer(True)
    if is_number_empty(facts):
        return dfa_of(spellings(()))
    parts = sorted(_parts(facts, max_digits, max_states), key=lambda part: part.n_states)
    language = reduce(lambda left, right: combine(INTERSECTION, left, right, max_states), parts)
    excluded = tuple(value for value in map(exact, facts.excluded) if facts.values is None)
    if excluded:
        language = combine(DIFFERENCE, language, spellings(excluded), max_states)
    return dfa_of(language)


def _parts(facts: NumberFacts, max_digits: int | None, max_states: int) -> Iterator[Columns]:
    """Languages whose intersection is that of the facts, exclusions apart."""
    about_value = _about_value(facts, max_digits, max_states)
    yield from about_value
    if facts.integer is Integer.PLAIN:
        yield _plain_integers()
    elif facts.not_integer is Integer.PLAIN:
        yield _all_but_plain_integers()
    elif not about_value:
        yield columns_of(json_text.number())
    if max_digits is not None:
        yield short_numbers(max_digits)


def _about_value(facts: NumberFacts, max_digits: int | None, max_states: int) -> list[Columns]:
    """Those that hang on the value, with the exponents that doubles have; none where it does not matter."""
    if facts.values is not None:
        return [spellings(tuple(map(exact, allowed_values(facts)))), common_exponents()]
    divisor = divisor_of(facts)
    if facts.integer is Integer.PLAIN and divisor == 1:
        divisor = None  # the text alone tells
    non_divisors = non_divisors_of(facts)
    divided: list[Columns] = []
    try:
        remainders = max(map(least_remainders, (*non_divisors, divisor or 1)))
        listed = None
        if remainders > _FEW_REMAINDERS:
            listed = _few(facts, max_digits, min(remainders // 8, _MOST_ENUMERATED))
        if listed is None:
            divided += [] if divisor is None else [_common_multiples(divisor, max_states)]
            divided += [non_multiples(number, max_states) for number in non_divisors]
    except CompileLimitError:
        listed = _few(facts, max_digits, _MOST_ENUMERATED)
        if listed is None:
            raise
    if listed is not None:
        return [spellings(listed), common_exponents()]
    found = [] if facts.low is None else [at_least(facts.low, facts.low_open)]
    if facts.high is not None:
        found.append(at_most(facts.high, facts.high_open))
    found += divided
    if not found and facts.excluded:
        found.append(all_numbers())
    if found and divisor is None:
        found.append(common_exponents())
    return found


@lru_cache(maxsize=256)
@untracked
def _common_multiples(divisor: Number, max_states: int) -> Columns:
    """Multiples with the exponents that doubles have: one product less for each integer within bounds."""
    return combine(INTERSECTION, multiples(divisor, max_states), common_exponents(), max_states)


def _few(facts: NumberFacts, max_digits: int | None, limit: int) -> tuple[Number, ...] | None:
    """The values, when there are few and their multiples many states."""
    if max_digits is not None:
        bound = 10**max_digits
        tight = merge_numbers(facts, NumberFacts(low=-bound, low_open=True, high=bound, high_open=True))
        if tight is None:
            return ()
        facts = tight
    return number_values(facts, limit)


@lru_cache(maxsize=1)
def _plain_integers() -> Columns:
    return columns_of(json_text.integer(True))


@lru_cache(maxsize=1)
def _all_but_plain_integers() -> Columns:
    return combine(DIFFERENCE, columns_of(json_text.number()), _plain_integers(), MAX_STATES)
