"""Conjunction and union of facts: what two subschemas ask of the same value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from itertools import chain
from typing import Protocol, TypeVar

from structgen.automata.build import MAX_STATES
from structgen.errors import CompileLimitError
from structgen.sources.json_schema.deadline import Deadline
from structgen.sources.json_schema.facts import (
    ANYTHING,
    FREE,
    Alternatives,
    ArrayFacts,
    Conjunction,
    Facts,
    LiteralFacts,
    NormalForm,
    NumberFacts,
    ObjectFacts,
    StringFacts,
)
from structgen.sources.json_schema.numbers import merge_numbers
from structgen.sources.json_schema.presence import as_clauses
from structgen.sources.json_schema.strings import merge_strings, united
from structgen.sources.json_schema.values import common, unique

# Comparing every alternative with every other one is worth it only while they are few.
_COMPARED = 32
# When conjunctions have more alternatives, those without a value are looked for.
_MULTIPLIED = 3
# Where more would be made of objects, those that only ask which members there are become clauses.
_MULTIPLIED_AS_THEY_ARE = 8
# Each alternative of one place is a thread of the parser there. A real schema (tson) has 784; thousands take
# seconds a mask.
_MOST_MULTIPLIED = 4096
# So many alternatives of a string are kept apart; more become one automaton.
_UNITED = 4
_T = TypeVar("_T")

_MOST_SEARCHED = 100_000  # some seconds


class Judge(Protocol):
    """Who can tell quickly."""

    def is_quickly_empty(self, facts: Facts) -> bool:
        """True only for what has plainly no value."""


class Budget:
    """How many merged alternatives a schema may still make, and how many ways to finish objects may be tried.

    ``judge``: is asked where alternatives multiply.
    """

    __slots__ = ("_deadline", "_judge", "_limit", "_n_searched", "_spent")

    def __init__(self, limit: int, judge: Judge, deadline: Deadline) -> None:
        self._limit = limit
        self._judge = judge
        self._deadline = deadline
        self._spent = 0
        self._n_searched = 0

    def is_empty(self, facts: Facts) -> bool:
        """Has it plainly no value?"""
        return self._judge.is_quickly_empty(facts)

    def renew(self) -> None:
        """What was spent and tried is forgotten: for what is worked out while texts are read."""
        self._spent = self._n_searched = 0

    def renew_search(self) -> None:
        """The same for what was tried alone: for each parser state."""
        self._n_searched = 0

    def search(self) -> None:
        """One more way is tried. Raises `CompileLimitError` (``max_searched``, ``max_seconds``)."""
        self._n_searched += 1
        self._deadline.check()
        if self._n_searched > _MOST_SEARCHED:
            raise CompileLimitError("max_searched", _MOST_SEARCHED, self._n_searched, fixed=True)

    def spend(self, count: int, pointer: str) -> None:
        """Raises `CompileLimitError` (``max_alternatives``, ``max_seconds``)."""
        self._spent += count
        self._deadline.check(pointer)
        if self._spent > self._limit:
            raise CompileLimitError("max_alternatives", self._limit, self._spent, pointer)


def conjoin(left: Conjunction, right: Conjunction) -> Conjunction:
    """Both, each subschema once; one that is false stands alone."""
    if not left or left is right:
        return right
    if not right or left[0].is_false:
        return left
    if right[0].is_false:
        return right
    return left + tuple(node for node in right if node not in left)


def merge_forms(left: NormalForm, right: NormalForm, budget: Budget, pointer: str) -> NormalForm:
    """What satisfies both."""
    if left is ANYTHING:
        return right
    if right is ANYTHING:
        return left
    return NormalForm(
        [
            ()
            if not (a and b)
            else a
            if b is free or b is a
            else b
            if a is free
            else _merge_alternatives(a, b, budget, pointer)
            for a, b, free in zip(left, right, ANYTHING, strict=True)
        ]
    )


def merge_many(
    alternatives: Sequence[Alternatives], place: int, budget: Budget, pointer: str
) -> Alternatives:
    """What satisfies one of each, of the type at a place. Single objects are merged all at once: one after
    the other, each would be compared with all before it.
    """
    if not all(alternatives):
        return ()
    free = ANYTHING.by_type[place]
    said = [given for given in alternatives if given is not free]
    single = [given[0] for given in said if len(given) == 1 and isinstance(given[0], ObjectFacts)]
    if len(single) == len(said) > 2:
        merged = _merge_all_objects(single)
        return () if merged is None else (merged,)
    found = free
    for given in said:
        found = given if found is free else _merge_alternatives(found, given, budget, pointer)
    return found


def union_forms(forms: Sequence[NormalForm]) -> NormalForm:
    """What satisfies any of them."""
    if any(form is ANYTHING for form in forms):
        return ANYTHING
    by_type = tuple(
        simplified([facts for form in forms for facts in form.by_type[t]], FREE[t]) for t in range(6)
    )
    return NormalForm(by_type)


def simplified(alternatives: list[Facts], free: Facts) -> Alternatives:
    """The same union, with fewer alternatives."""
    if len(alternatives) <= 1:
        return tuple(alternatives)
    if free in alternatives:
        return (free,)
    # facts without their values -> the place of their enumeration in `kept`, and the values of all of them
    finite: dict[Facts, tuple[int, list[object]]] = {}
    kept: list[Facts] = []
    for facts in alternatives:
        frame = _without_values(facts)
        if frame is None:
            if len(kept) > _COMPARED or facts not in kept:
                kept.append(facts)
        elif frame in finite:
            finite[frame][1].extend(_values_of(facts))
        else:
            finite[frame] = len(kept), list(_values_of(facts))
            kept.append(facts)
    for place, values in finite.values():
        kept[place] = _with_values(kept[place], unique(values))
    strings = [facts for facts in kept if isinstance(facts, StringFacts) and facts.values is None]
    if len(strings) > _UNITED:
        enumerated = [facts for facts in kept if facts not in strings]
        return (*enumerated, *united(strings, MAX_STATES))
    return tuple(kept)


def _without_values(facts: Facts) -> Facts | None:
    """The facts beside an enumeration, when enumerations with the same can be put together."""
    if isinstance(facts, LiteralFacts):
        return LiteralFacts(())
    if isinstance(facts, (StringFacts, NumberFacts)) and facts.values is not None:
        return replace(facts, values=None)
    return None


def _values_of(facts: Facts) -> tuple[object, ...]:
    if isinstance(facts, (LiteralFacts, StringFacts, NumberFacts)):
        return facts.values or ()
    return ()


def _with_values(facts: Facts, values: tuple[object, ...]) -> Facts:
    if isinstance(facts, (StringFacts, NumberFacts)):
        # one of the facts that had these values: they are of its type
        return replace(facts, values=values)  # type: ignore[arg-type]
    return LiteralFacts(values)


def _merge_alternatives(
    left: Alternatives, right: Alternatives, budget: Budget, pointer: str
) -> Alternatives:
    if not left or not right:
        return ()
    if len(left) == len(right) == 1:
        merged = merge_facts(left[0], right[0])
        if merged is left[0]:
            return left
        return () if merged is None else right if merged is right[0] else (merged,)
    if len(left) * len(right) > _MULTIPLIED_AS_THEY_ARE and isinstance(left[0], ObjectFacts):
        left, right = _with_clauses(left), _with_clauses(right)
    budget.spend(len(left) * len(right), pointer)
    pairs = (merge_facts(a, b) for a in left for b in right)
    found = [facts for facts in pairs if facts is not None]
    if len(found) > _MULTIPLIED:
        found = [facts for facts in found if not budget.is_empty(facts)]
        if len(found) > _MOST_MULTIPLIED and len(left) > 1 and len(right) > 1:
            raise CompileLimitError(
                "max_merged_alternatives", _MOST_MULTIPLIED, len(found), pointer, fixed=True
            )
    return simplified(found, _FREE_OF[type(left[0])])


def _with_clauses(alternatives: Alternatives) -> Alternatives:
    if len(alternatives) == 1:
        return alternatives
    together = as_clauses(alternatives)
    return alternatives if together is None else (together,)


_FREE_OF: dict[type, Facts] = {type(facts): facts for facts in FREE if not isinstance(facts, LiteralFacts)}
_FREE_OF[LiteralFacts] = LiteralFacts((False, True))


def merge_facts(left: Facts, right: Facts) -> Facts | None:
    """What satisfies both, of one type; None when plainly nothing does."""
    if left is right:
        return left
    free = _FREE_OF[type(left)]
    if right is free or right == free:
        return left
    if left is free or left == free:
        return right
    if isinstance(left, LiteralFacts) and isinstance(right, LiteralFacts):
        values = common(left.values, right.values)
        return LiteralFacts(values) if values else None
    if isinstance(left, NumberFacts) and isinstance(right, NumberFacts):
        return merge_numbers(left, right)
    if isinstance(left, StringFacts) and isinstance(right, StringFacts):
        return merge_strings(left, right)
    if isinstance(left, ArrayFacts) and isinstance(right, ArrayFacts):
        return _merge_arrays(left, right)
    if isinstance(left, ObjectFacts) and isinstance(right, ObjectFacts):
        return _merge_objects(left, right)
    raise TypeError(f"facts of different types: {type(left).__name__}, {type(right).__name__}")


def _merge_arrays(left: ArrayFacts, right: ArrayFacts) -> ArrayFacts | None:
    minimum = max(left.min_items, right.min_items)
    maximum = _smaller(left.max_items, right.max_items)
    if maximum is not None and minimum > maximum:
        return None
    length = max(len(left.prefix), len(right.prefix))
    return ArrayFacts(
        tuple(conjoin(left.item(i), right.item(i)) for i in range(length)),
        conjoin(left.rest, right.rest),
        minimum,
        maximum,
        _both(left.contains, right.contains),
        _both(left.clauses, right.clauses),
        _both(left.unique, right.unique),
        _both(left.repeats, right.repeats),
    )


def _merge_objects(left: ObjectFacts, right: ObjectFacts) -> ObjectFacts | None:
    minimum = max(left.min_members, right.min_members)
    maximum = _smaller(left.max_members, right.max_members)
    required = _both(left.required, right.required)
    if maximum is not None and max(minimum, len(required)) > maximum:
        return None
    return ObjectFacts(
        _both(left.tables, right.tables),
        required,
        conjoin(left.keys, right.keys),
        minimum,
        maximum,
        _both(left.clauses, right.clauses),
    )


def _merge_all_objects(given: Sequence[ObjectFacts]) -> ObjectFacts | None:
    minimum = max(facts.min_members for facts in given)
    maximum = reduce(_smaller, (facts.max_members for facts in given))
    required = _all([facts.required for facts in given])
    if maximum is not None and max(minimum, len(required)) > maximum:
        return None
    tables = _all([facts.tables for facts in given])
    keys = reduce(conjoin, (facts.keys for facts in given))
    return ObjectFacts(tables, required, keys, minimum, maximum, _all([facts.clauses for facts in given]))


def _all(given: Sequence[tuple[_T, ...]]) -> tuple[_T, ...]:
    """Each once, where it comes first."""
    return tuple(dict.fromkeys(chain.from_iterable(given)))


def _both(left: tuple[_T, ...], right: tuple[_T, ...]) -> tuple[_T, ...]:
    if not left or left == right:
        return right
    return tuple(dict.fromkeys(left + right)) if right else left


def _smaller(left: int | None, right: int | None) -> int | None:
    if left is None or right is None:
        return right if left is None else left
    return min(left, right)
