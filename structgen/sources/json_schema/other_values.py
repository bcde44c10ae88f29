"""Clauses that a value is a witness of by not being a certain one: the ways in which it can be."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence

from structgen.sources.json_schema.document import Document
from structgen.sources.json_schema.facts import Conjunction
from structgen.sources.json_schema.merge import conjoin
from structgen.sources.json_schema.values import equality_key

Claim = tuple[int, Conjunction]
"""A clause, and what a value has to satisfy to be its witness."""

OtherValue = tuple[Conjunction, frozenset[int]]
"""That a value is not a certain one, and the clauses that ask for it."""


def by_value(claims: Sequence[Claim]) -> tuple[list[OtherValue], list[Claim]]:
    """Of claims, those that exclude single values, put together by the value; and the others."""
    excluding: dict[Hashable, tuple[Conjunction, list[int]]] = {}
    others: list[Claim] = []
    for clause, asked in claims:
        if len(asked) == 1 and asked[0].is_another_value:
            key = equality_key(asked[0].keywords["const"])
            excluding.setdefault(key, (asked, []))[1].append(clause)
        else:
            others.append((clause, asked))
    return [(asked, frozenset(clauses)) for asked, clauses in excluding.values()], others


def ways(excluding: Sequence[OtherValue], document: Document) -> Iterator[OtherValue]:
    """A value is one of those that are excluded, or none of them; each with the clauses it is a witness of.

    These ways exclude each other, and there is one more than values. If each clause could choose this
    witness or wait for another, there would be two to the power of that.
    """
    different: Conjunction = ()
    for asked, _ in excluding:
        different = conjoin(different, asked)
    every = frozenset(clause for _, clauses in excluding for clause in clauses)
    for asked, clauses in excluding:
        yield (document.negation(asked[0]),), every - clauses
    yield different, every


__all__ = ["Claim", "OtherValue", "by_value", "ways"]
