"""Conjunction and union of facts: what two subschemas ask of the same value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import TypeVar

from structgen.errors import CompileLimitError
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
from structgen.sources.json_schema.values import common, unique

# Comparing every alternative with every other one is worth it only while they are few.
_COMPARED = 32
_T = TypeVar("_T")


class Budget:
    """How many merged alternatives a schema may still make."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._spent = 0

    def spend(self, count: int, pointer: str) -> None:
        """Raises `CompileLimitError` (``max_alternatives``)."""
        self._spent += count
        if self._spent > self._limit:
            raise CompileLimitError("max_alternatives", self._limit, self._spent, pointer)


def conjoin(left: Conjunction, right: Conjunction) -> Conjunction:
    """Both, each subschema once; ``false`` stands alone."""
    if not left or left is right:
        return right
    if not right or left[0].schema is False:
        return left
    if right[0].schema is False:
        return right
    return left + tuple(node for node in right if node not in left)


def merge_forms(left: NormalForm, right: NormalForm, budget: Budget, pointer: str) -> NormalForm:
    """What satisfies both."""
    if left is ANYTHING:
        return right
    if right is ANYTHING:
        return left
    by_type = tuple(
        _merge_alternatives(a, b, budget, pointer) for a, b in zip(left.by_type, right.by_type, strict=True)
    )
    return NormalForm(by_type)  # type: ignore[arg-type]


def union_forms(forms: Sequence[NormalForm]) -> NormalForm:
    """What satisfies any of them."""
    if any(form is ANYTHING for form in forms):
        return ANYTHING
    by_type = tuple(
        simplified([facts for form in forms for facts in form.by_type[t]], FREE[t]) for t in range(6)
    )
    return NormalForm(by_type)  # type: ignore[arg-type]


def simplified(alternatives: list[Facts], free: Facts) -> Alternatives:
    """The same union, with fewer alternatives."""
    if len(alternatives) <= 1:
        return tuple(alternatives)
    if free in alternatives:
        return (free,)
    finite: dict[Facts, list[object]] = {}  # facts without their values -> the values of all that have them
    kept: list[Facts] = []
    for facts in alternatives:
        frame = _without_values(facts)
        if frame is None:
            if len(kept) > _COMPARED or facts not in kept:
                kept.append(facts)
        elif frame in finite:
            finite[frame].extend(facts.values or ())
        else:
            finite[frame] = list(facts.values or ())
            kept.append(frame)
    if not finite:
        return tuple(kept)
    return tuple(_with_values(facts, finite) for facts in kept)


def _without_values(facts: Facts) -> Facts | None:
    """The facts beside an enumeration, when enumerations with the same can be put together."""
    if isinstance(facts, LiteralFacts):
        return LiteralFacts((), facts.residues)
    if isinstance(facts, (StringFacts, NumberFacts)) and facts.values is not None:
        return replace(facts, values=None)
    return None


def _with_values(facts: Facts, finite: dict[Facts, list[object]]) -> Facts:
    if isinstance(facts, (ArrayFacts, ObjectFacts)) or facts not in finite:
        return facts
    values = unique(finite[facts])
    if isinstance(facts, LiteralFacts):
        return LiteralFacts(values, facts.residues)
    return replace(facts, values=values)


def _merge_alternatives(
    left: Alternatives, right: Alternatives, budget: Budget, pointer: str
) -> Alternatives:
    if not left or not right:
        return ()
    if len(left) == len(right) == 1:
        merged = merge_facts(left[0], right[0])
        return () if merged is None else (merged,)
    budget.spend(len(left) * len(right), pointer)
    pairs = (merge_facts(a, b) for a in left for b in right)
    return simplified([facts for facts in pairs if facts is not None], _FREE_OF[type(left[0])])


_FREE_OF: dict[type, Facts] = {type(facts): facts for facts in FREE if not isinstance(facts, LiteralFacts)}
_FREE_OF[LiteralFacts] = LiteralFacts((False, True))


def merge_facts(left: Facts, right: Facts) -> Facts | None:
    """What satisfies both, of one type; None when plainly nothing does."""
    if left is right:
        return left
    merged: Facts | None
    if isinstance(left, LiteralFacts) and isinstance(right, LiteralFacts):
        merged = LiteralFacts(common(left.values, right.values), _both(left.residues, right.residues))
    elif isinstance(left, NumberFacts) and isinstance(right, NumberFacts):
        merged = _merge_numbers(left, right)
    elif isinstance(left, StringFacts) and isinstance(right, StringFacts):
        merged = _merge_strings(left, right)
    elif isinstance(left, ArrayFacts) and isinstance(right, ArrayFacts):
        merged = _merge_arrays(left, right)
    elif isinstance(left, ObjectFacts) and isinstance(right, ObjectFacts):
        merged = _merge_objects(left, right)
    else:
        raise TypeError(f"facts of different types: {type(left).__name__}, {type(right).__name__}")
    return None if merged is None or merged.values == () else merged


def _merge_numbers(left: NumberFacts, right: NumberFacts) -> NumberFacts | None:
    low, low_open = _tighter(left.low, left.low_open, right.low, right.low_open, 1)
    high, high_open = _tighter(left.high, left.high_open, right.high, right.high_open, -1)
    if low is not None and high is not None and (low > high or (low == high and (low_open or high_open))):
        return None
    return NumberFacts(
        max(left.integer, right.integer),
        low,
        low_open,
        high,
        high_open,
        _common_values(left.values, right.values),
        _both(left.residues, right.residues),
        _both(left.unless_integer, right.unless_integer),
    )


def _tighter(
    a: Fraction | int | None, a_open: bool, b: Fraction | int | None, b_open: bool, sign: int
) -> tuple[Fraction | int | None, bool]:
    if a is None:
        return b, b_open
    if b is None:
        return a, a_open
    if a == b:
        return a, a_open or b_open
    return (a, a_open) if (a > b) == (sign > 0) else (b, b_open)


def _merge_strings(left: StringFacts, right: StringFacts) -> StringFacts | None:
    minimum = max(left.min_length, right.min_length)
    maximum = _smaller(left.max_length, right.max_length)
    if maximum is not None and minimum > maximum:
        return None
    texts = {pattern.text for pattern in left.patterns}
    return StringFacts(
        minimum,
        maximum,
        left.patterns + tuple(pattern for pattern in right.patterns if pattern.text not in texts),
        _common_values(left.values, right.values),
        _both(left.residues, right.residues),
    )


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
        _common_values(left.values, right.values),
        _both(left.residues, right.residues),
    )


def _merge_objects(left: ObjectFacts, right: ObjectFacts) -> ObjectFacts:
    properties = {name: conjoin(inner, right.member(name)) for name, inner in left.properties.items()}
    for name, inner in right.properties.items():
        if name not in properties:
            properties[name] = conjoin(left.others, inner)
    return ObjectFacts(
        properties,
        conjoin(left.others, right.others),
        _both(left.required, right.required),
        _common_values(left.values, right.values),
        _both(left.residues, right.residues),
    )


def _common_values(left: tuple[_T, ...] | None, right: tuple[_T, ...] | None) -> tuple[_T, ...] | None:
    if left is None or right is None:
        return right if left is None else left
    return common(left, right)


def _both(left: tuple[_T, ...], right: tuple[_T, ...]) -> tuple[_T, ...]:
    if not left or left == right:
        return right
    return tuple(dict.fromkeys(left + right)) if right else left


def _smaller(left: int | None, right: int | None) -> int | None:
    if left is None or right is None:
        return right if left is None else left
    return min(left, right)
