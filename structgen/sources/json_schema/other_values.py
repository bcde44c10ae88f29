"""Clauses that a value is a witness of by not being a certain one: the ways in which it can be."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import Any

from structgen.sources.json_schema.document import Document, Node
from structgen.sources.json_schema.facts import Conjunction
from structgen.sources.json_schema.keyword_sets import SAYING
from structgen.sources.json_schema.merge import conjoin
from structgen.sources.json_schema.values import equality_key

Claim = tuple[int, Conjunction]
"""A clause, and what a value has to satisfy to be its witness."""

OtherValue = tuple[Conjunction, frozenset[int], tuple[Any, ...]]
"""That a value is none of some (as a conjunction, and as they are), and the clauses that ask for it."""

_BESIDE_LISTED = SAYING - {"type", "const", "enum"}
_MOST_LISTED = 64  # values that a claim excludes


def by_value(claims: Sequence[Claim]) -> tuple[list[OtherValue], list[Claim]]:
    """Of claims, those that exclude listed values, put together by what they exclude; and the others.

    Of a clause that has several, the first: a value that it excludes may be witness in the other ways.
    """
    excluding: dict[frozenset[Hashable], tuple[Conjunction, list[int], tuple[Any, ...]]] = {}
    others: list[Claim] = []
    taken: set[int] = set()
    for clause, asked in claims:
        values = excluded_values(asked[0]) if len(asked) == 1 and clause not in taken else None
        if values is None:
            others.append((clause, asked))
        else:
            taken.add(clause)
            excluding.setdefault(frozenset(values), (asked, [], tuple(values.values())))[1].append(clause)
    return [(asked, frozenset(clauses), values) for asked, clauses, values in excluding.values()], others


def excluded_values(node: Node) -> dict[Hashable, Any] | None:
    """The values that a subschema excludes, where that is all that it says."""
    if not node.negated or node.schema_of_either is not None or node.is_unknown:
        return None
    schema = node.keywords
    if not _BESIDE_LISTED.isdisjoint(schema):
        return None
    if "const" in schema:
        values: Sequence[Any] = () if "enum" in schema else (schema["const"],)
    else:
        values = schema.get("enum", ())
    if not 0 < len(values) <= _MOST_LISTED:
        return None
    if "type" in schema and not (schema["type"] == "string" and all(type(v) is str for v in values)):
        return None
    return {equality_key(value): value for value in values}


def ways(excluding: Sequence[OtherValue], document: Document) -> Iterator[tuple[Conjunction, frozenset[int]]]:
    """A value is one of those that are excluded, or none of them; each with the clauses it is a witness of.

    Values that the same clauses exclude are one way. These ways exclude each other, and there is at most one
    more than values; and where those are not all strings, null, true or false, one that is any value and a
    witness of nothing. If each clause could choose this witness or wait for another, there would be two to
    the power of that.
    """
    different: Conjunction = ()
    # for each value the clauses that exclude it: values of the same clauses, and of what conjunction all are
    found: dict[Hashable, tuple[Any, frozenset[int]]] = {}
    for asked, clauses, values in excluding:
        different = conjoin(different, asked)
        for value in values:
            key = equality_key(value)
            found[key] = value, found[key][1] | clauses if key in found else clauses
    every = frozenset(clause for _, clauses, _ in excluding for clause in clauses)
    alike: dict[frozenset[int], list[Any]] = {}
    for value, clauses in found.values():
        alike.setdefault(clauses, []).append(value)
    whole = {clauses: (asked, len(values)) for asked, clauses, values in excluding}
    for clauses, among in alike.items():
        asked, number = whole.get(clauses, ((), 0))
        if number == len(among):
            one = document.negation(asked[0])
        else:
            keys = frozenset(map(equality_key, among))
            one = document.made({"enum": among}, ("among", keys), excluding[0][0][0].pointer)
        yield (one,), every - clauses
    yield different, every
    if any(not isinstance(value, str | bool | None) for value, _ in found.values()):
        # not all spellings of other values are `different`: numbers, members in another order
        yield (), frozenset()


__all__ = ["Claim", "OtherValue", "by_value", "excluded_values", "ways"]
