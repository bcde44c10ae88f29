"""Values whose texts can always go on: whatever was written, there is no end to what they may become.

Distinct items of such types need not be told from those that were seen while they are written: that the last
byte is refused after a text that would repeat one is no dead end, for another member or item may follow.
"""

from __future__ import annotations

from collections.abc import Callable

from structgen.sources.json_schema.facts import (
    ArrayFacts,
    Conjunction,
    Facts,
    NormalForm,
    ObjectFacts,
)
from structgen.sources.json_schema.merge import conjoin


def types_going_on(form: NormalForm, alive: Callable[[Conjunction], bool]) -> frozenset[int]:
    """The types of which all alternatives have only texts that can go on. Types without a value are none."""
    return frozenset(
        place
        for place, alternatives in enumerate(form)
        if alternatives and all(_goes_on(facts, alive) for facts in alternatives)
    )


def _goes_on(facts: Facts, alive: Callable[[Conjunction], bool]) -> bool:
    if isinstance(facts, ObjectFacts):
        return _takes_members(facts, alive)
    if isinstance(facts, ArrayFacts):
        return _takes_items(facts, alive)
    return False


def _takes_members(facts: ObjectFacts, alive: Callable[[Conjunction], bool]) -> bool:
    """May members of other names always be added? They come last, and what an object lacks without them it
    does not lack for them: clauses that wait for a member's absence wait for that of a name they know.
    """
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


__all__ = ["types_going_on"]
