"""The `jsonschema` package as the oracle, with its known inexactness taken out or declared.

Changed, each by one small keyword function or by rewriting the schema beforehand:

- numbers are exact: texts and schemas are read with `Decimal`, ``multipleOf`` is computed with `Fraction`
  (the package divides floats: 0.3 is no multiple of 0.1 to it);
- ``uniqueItems`` compares every pair (the package sorts, and compares neighbours, which misses pairs where
  the order is not total);
- ``additionalItems`` is ignored beside ``items`` that is no array (the package raises where it is a boolean);
- patterns are ECMA-262 (`structgen_bench.oracle_patterns`), formats are careful
  (`structgen_bench.oracle_formats`).

`Oracle.verdict` answers None where it cannot tell: endless references, patterns that `re` cannot express,
formats without a trusted checker, references that are not resolvable, gigantic exponents, texts that are
not JSON (``Infinity``).
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

from jsonschema import validators
from jsonschema.exceptions import SchemaError, UnknownType, ValidationError
from referencing import Registry, Resource
from referencing.exceptions import Unresolvable
from referencing.jsonschema import specification_with

from structgen_bench.oracle_formats import CarefulFormats
from structgen_bench.oracle_patterns import Untranslatable, python_patterns

_LARGEST_EXPONENT = 2000
# What rpds, under `referencing`, makes of a RecursionError; a BaseException that cannot be imported.
_PANIC = "PanicException"


class _CannotTell(Exception):
    pass


class Oracle:
    """The verdicts of one schema. ``is_schema``: it is one by its metaschema."""

    def __init__(self, schema: Any, remotes: dict[str, Any] | None = None, *, formats: bool = True) -> None:
        self._formats = CarefulFormats()
        self._validator: Any = None
        self.is_schema = False
        self.draft = ""
        try:
            exact = exact_numbers(schema)
            kind = _validator_class(schema)
            self.draft = kind.META_SCHEMA.get("$schema", "")
            kind.check_schema(json.loads(json.dumps(schema)), format_checker=None)
            self.is_schema = True
            exact = python_patterns(exact)
        except (SchemaError, Untranslatable, TypeError, ValueError, RecursionError, UnknownType):
            return
        registry = _registry(remotes or {}, self.draft)
        checker = self._formats if formats else None
        self._validator = _exact_class(kind)(exact, format_checker=checker, registry=registry)

    def verdict(self, text: bytes | str) -> bool | None:
        """Whether the JSON text validates; None where the oracle cannot tell."""
        if self._validator is None:
            return None
        try:
            value = json.loads(text, parse_float=_decimal, parse_constant=_decimal)
            self._formats.unsure = False
            valid = bool(self._validator.is_valid(value))
        except (RecursionError, Unresolvable, SchemaError, UnknownType, ValueError, _CannotTell):
            return None
        except BaseException as error:
            if type(error).__name__ != _PANIC:
                raise
            return None
        return None if self._formats.unsure else valid

    def reason(self, text: bytes | str) -> str:
        """The first error of an invalid text, for people: where and what."""
        if self._validator is None:
            return "the oracle cannot tell"
        try:
            error = next(self._validator.iter_errors(json.loads(text, parse_float=_decimal)), None)
        except (RecursionError, Unresolvable, SchemaError, UnknownType, _CannotTell) as cannot:
            return f"the oracle cannot tell ({type(cannot).__name__})"
        if error is None:
            return ""
        path = "/".join(map(str, error.absolute_schema_path))
        return f"{error.json_path}: {error.message[:160]} (schema: /{path})"


def exact_numbers(value: Any) -> Any:
    """Floats as the decimals that they are written as. Raises ValueError for nan and infinities."""
    if isinstance(value, float):
        return _decimal(repr(value))
    if isinstance(value, list):
        return [exact_numbers(item) for item in value]
    if isinstance(value, dict):
        return {name: exact_numbers(inner) for name, inner in value.items()}
    return value


def _decimal(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except ArithmeticError as error:  # an exponent beyond what decimals hold
        raise _CannotTell(text) from error
    if not number.is_finite():
        raise ValueError(f"{text} is no JSON number")
    if number and abs(number.adjusted()) > _LARGEST_EXPONENT:
        raise _CannotTell(text)
    return number


def _validator_class(schema: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return validators.validator_for(schema, default=validators.Draft202012Validator)


def _registry(remotes: dict[str, Any], draft: str) -> Any:
    registry: Any = Registry()
    if not remotes:
        return registry
    default: Any = specification_with(draft)
    resources = [
        (uri, Resource.from_contents(contents, default_specification=default))
        for uri, contents in remotes.items()
    ]
    return registry.with_resources(resources)


def _is_number(checker: Any, instance: Any) -> bool:
    return isinstance(instance, (int, float, Decimal)) and not isinstance(instance, bool)


def _is_integer(checker: Any, instance: Any) -> bool:
    if isinstance(instance, bool):
        return False
    return isinstance(instance, int) or (isinstance(instance, Decimal) and instance == int(instance))


def _is_written_integer(checker: Any, instance: Any) -> bool:
    return isinstance(instance, int) and not isinstance(instance, bool)


def _multiple_of(validator: Any, divisor: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if _is_number(None, instance) and divisor and Fraction(instance) % Fraction(divisor):
        yield ValidationError(f"{instance} is not a multiple of {divisor}")


def same(one: Any, two: Any) -> bool:
    """Equality of JSON values: numbers by value, true is not 1."""
    if isinstance(one, bool) or isinstance(two, bool):
        return one is two
    if isinstance(one, list) and isinstance(two, list):
        return len(one) == len(two) and all(map(same, one, two))
    if isinstance(one, dict) and isinstance(two, dict):
        return one.keys() == two.keys() and all(same(one[name], two[name]) for name in one)
    return bool(one == two)


def _unique_items(validator: Any, wanted: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if wanted and isinstance(instance, list):
        for place, item in enumerate(instance):
            if any(same(item, other) for other in instance[:place]):
                yield ValidationError(f"{instance!r} has non-unique elements")
                return


def _additional_items(validator: Any, wanted: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    prefix = schema.get("items")
    if isinstance(instance, list) and isinstance(prefix, list):
        for index in range(len(prefix), len(instance)):
            yield from validator.descend(instance[index], wanted, path=index)


_classes: dict[int, Any] = {}


def _exact_class(kind: Any) -> Any:
    if id(kind) not in _classes:
        # in draft 4 a number with a fraction, even .0, is no integer
        draft4 = kind is validators.Draft4Validator or kind is validators.Draft3Validator
        checks = {"number": _is_number, "integer": _is_written_integer if draft4 else _is_integer}
        keywords: dict[str, Any] = {"multipleOf": _multiple_of, "uniqueItems": _unique_items}
        if "additionalItems" in kind.VALIDATORS:
            keywords["additionalItems"] = _additional_items
        _classes[id(kind)] = validators.extend(
            kind, keywords, type_checker=kind.TYPE_CHECKER.redefine_many(checks)
        )
    return _classes[id(kind)]
