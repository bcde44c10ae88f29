"""Alternatives that only say which members there are, as clauses: they add up where alternatives multiply.

Ten ``anyOf`` of two ``required`` each are 1,024 alternatives, or ten clauses.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product

from structgen.sources.json_schema.facts import Absent, Facts, MemberWitness, NamedMember, ObjectFacts

_MOST_CLAUSES = 32
_Clause = tuple[MemberWitness, ...]


def as_clauses(alternatives: Iterable[Facts]) -> ObjectFacts | None:
    """One object with clauses that is all the alternatives; None where they say more than what is there.

    The union of conjunctions is the conjunction of all clauses that take one part of each.
    """
    conjunctions: list[list[_Clause]] = []
    n_clauses = 1
    for facts in alternatives:
        parts = _parts(facts)
        if parts is None:
            return None
        conjunctions.append(parts)
        n_clauses *= len(parts)
        if n_clauses > _MOST_CLAUSES:
            return None
    clauses: list[_Clause] = []
    for chosen in product(*conjunctions):
        clause = tuple(dict.fromkeys(witness for part in chosen for witness in part))
        present = {w.name for w in clause if isinstance(w, NamedMember) and not w.inner}
        absent = {witness.name for witness in clause if isinstance(witness, Absent)}
        if present.isdisjoint(absent) and clause not in clauses:
            clauses.append(clause)
    return ObjectFacts(clauses=tuple(clauses))


def _parts(facts: Facts) -> list[_Clause] | None:
    """Which members an object has to have, and which not, as clauses; None where that is not all."""
    if not isinstance(facts, ObjectFacts) or facts.keys:
        return None
    if facts.min_members or facts.max_members is not None:
        return None
    parts: list[_Clause] = [(NamedMember(name, ()),) for name in facts.required]
    parts += facts.clauses
    for table in facts.tables:
        if table.patterns or table.others:
            return None
        for name, inner in table.properties.items():
            if not inner or not inner[0].is_false:
                return None
            parts.append((Absent(name),))
    return parts
