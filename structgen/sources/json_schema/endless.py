"""Forms that have values without end, as is plainly seen: however many are excluded, others are left."""

from __future__ import annotations

from collections.abc import Callable

from structgen.sources.json_schema.facts import ArrayFacts, Conjunction, Facts, NormalForm, ObjectFacts
from structgen.sources.json_schema.merge import conjoin


def has_no_end(form: NormalForm, alive: Callable[[Conjunction], bool]) -> bool:
    """True when a form that has a value plainly has values without end; False says nothing.

    Every alternative must have them, once it has one: which of them have a value is not looked at.
    """
    return all(_has_no_end(facts, alive) for alternatives in form for facts in alternatives)


def _has_no_end(facts: Facts, alive: Callable[[Conjunction], bool]) -> bool:
    if isinstance(facts, ObjectFacts):
        return _takes_members(facts, alive)
    if isinstance(facts, ArrayFacts):
        return _takes_items(facts, alive)
    return False


def _takes_members(facts: ObjectFacts, alive: Callable[[Conjunction], bool]) -> bool:
    """May members always be added whose names are not spoken of? No clause waits for their absence."""
    if facts.max_members is not None or facts.keys:
        return False
    inner: Conjunction = ()
    for table in facts.tables:
        if table.patterns:  # they may leave few other names
            return False
        inner = conjoin(inner, table.others)
    return alive(inner)


def _takes_items(facts: ArrayFacts, alive: Callable[[Conjunction], bool]) -> bool:
    """May items always be added?"""
    if facts.max_items is not None or facts.unique or facts.repeats or facts.clauses:
        return False
    return all(wanted.most is None for wanted in facts.contains) and alive(facts.rest)


__all__ = ["has_no_end"]
