"""JSON values as the specification compares them: 1 equals 1.0, true does not equal 1."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

from structgen.sources.json_schema.number_facts import exact as exact

NULL, BOOLEAN, NUMBER, STRING, ARRAY, OBJECT = range(6)
"""Places of the JSON types in `NormalForm.by_type`."""


def type_of(value: Any) -> int:
    """The place of a value's type in `NormalForm.by_type`."""
    if isinstance(value, str):
        return STRING
    if value is None:
        return NULL
    if isinstance(value, bool):
        return BOOLEAN
    if isinstance(value, (int, float, Fraction, Decimal)):
        return NUMBER
    return OBJECT if isinstance(value, Mapping) else ARRAY


def equality_key(value: Any) -> Hashable:
    """Equal for two JSON values exactly when JSON Schema calls them equal."""
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, bool):
        return (value,)  # True would equal 1
    if isinstance(value, Mapping):
        return frozenset((name, equality_key(inner)) for name, inner in value.items())
    if isinstance(value, (list, tuple)):
        return ("array", *(equality_key(item) for item in value))
    return _decimal_key(value) if isinstance(value, (int, float, Fraction, Decimal)) else repr(value)


def _decimal_key(value: int | float | Fraction | Decimal) -> Hashable:
    """Sign, digits and exponent; a value of a large exponent is not written out."""
    exponent = 0
    if isinstance(value, Fraction):  # of a decimal text, so some power of ten makes it an integer
        while value.denominator > 1:
            value *= 10
            exponent -= 1
        value = value.numerator
    decimal = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    sign, digits, last = decimal.as_tuple()
    if not isinstance(last, int):  # an infinity or a NaN, which no text is
        return repr(value)
    text = "".join(map(str, digits))
    kept = text.rstrip("0")
    return ("number", sign, kept, exponent + last + len(text) - len(kept)) if kept else ("number", 0)


def unique(values: Iterable[Any]) -> tuple[Any, ...]:
    """Each value once, the first spelling of equal ones."""
    seen: dict[Hashable, Any] = {}
    for value in values:
        seen.setdefault(equality_key(value), value)
    return tuple(seen.values())


def common(left: Iterable[Any], right: Iterable[Any]) -> tuple[Any, ...]:
    """The values of ``left`` that ``right`` has too."""
    keys = {equality_key(value) for value in right}
    return tuple(value for value in left if equality_key(value) in keys)


def is_spellable(text: str) -> bool:
    """False for a lone surrogate: no JSON text in UTF-8 can be decoded to it."""
    return text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text)


def all_spellable(value: Any) -> bool:
    """`is_spellable` for every string and name inside a value."""
    if isinstance(value, str):
        return is_spellable(value)
    if isinstance(value, Mapping):
        return all(is_spellable(name) and all_spellable(inner) for name, inner in value.items())
    if isinstance(value, (list, tuple)):
        return all(all_spellable(item) for item in value)
    return True
