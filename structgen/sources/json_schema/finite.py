"""The values of a conjunction, where there are just a few of them."""

from __future__ import annotations

from itertools import product
from typing import Any

from structgen.sources.json_schema.facts import (
    ArrayFacts,
    Conjunction,
    Facts,
    LiteralFacts,
    NumberFacts,
    ObjectFacts,
    StringFacts,
)
from structgen.sources.json_schema.normal_form import NormalForms, named_member
from structgen.sources.json_schema.numbers import number_values
from structgen.sources.json_schema.options import SchemaOptions
from structgen.sources.json_schema.strings import string_values
from structgen.sources.json_schema.values import unique

_DEEPEST = 4  # enumerated values nested deeper are taken as many


class FiniteValues:
    """Lists values; None stands for more than were asked for, or for what was not looked into."""

    def __init__(self, forms: NormalForms, options: SchemaOptions) -> None:
        self._forms = forms
        self._max_states = options.max_states

    def values(self, conjunction: Conjunction, limit: int, depth: int = 0) -> tuple[Any, ...] | None:
        """All distinct values, when they are at most ``limit``."""
        found: list[Any] = []
        for alternatives in self._forms.of(conjunction).by_type:
            for facts in alternatives:
                some = self._of_facts(facts, limit, depth)
                if some is None:
                    return None
                found += some
                if len(found) > 4 * limit:
                    return None
        values = unique(found)
        return values if len(values) <= limit else None

    def _of_facts(self, facts: Facts, limit: int, depth: int) -> tuple[Any, ...] | None:
        if isinstance(facts, LiteralFacts):
            return facts.values
        if isinstance(facts, NumberFacts):
            return number_values(facts, limit)
        if isinstance(facts, StringFacts):
            return string_values(facts, limit, self._max_states)
        if depth == _DEEPEST:
            return None
        if isinstance(facts, ArrayFacts):
            # others are listed too rarely to be worth it: what is in them must be exactly so
            if facts.max_items != facts.min_items or facts.min_items != len(facts.prefix):
                return None
            if facts.contains or facts.clauses or facts.unique or facts.repeats:
                return None
            items = self._each(facts.prefix, limit, depth)
            return None if items is None else tuple(list(item) for item in product(*items))
        return self._of_object(facts, limit, depth)

    def _of_object(self, facts: ObjectFacts, limit: int, depth: int) -> tuple[Any, ...] | None:
        names = set().union(*(table.properties for table in facts.tables))
        closed = any(
            not table.patterns and table.others and table.others[0].is_false for table in facts.tables
        )
        if not closed or names != set(facts.required) or facts.keys or facts.clauses:
            return None
        members = self._each(tuple(named_member(facts, name) for name in facts.required), limit, depth)
        if members is None:
            return None
        return tuple(dict(zip(facts.required, values, strict=True)) for values in product(*members))

    def _each(
        self, conjunctions: tuple[Conjunction, ...], limit: int, depth: int
    ) -> list[tuple[Any, ...]] | None:
        found = []
        number = 1
        for inner in conjunctions:
            values = self.values(inner, limit, depth + 1)
            if values is None:
                return None
            number *= len(values)
            if number > 4 * limit:
                return None
            found.append(values)
        return found
