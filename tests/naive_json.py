"""A slow, obvious recogniser for the grammars that JSON Schemas become.

``ends(expr, i)`` is the set of j such that ``data[i:j]`` is in the language of ``expr``, straight from
the definition of each node. Automata are stepped byte by byte. The grammars must not be left-recursive
(JSON's never are).
"""

from __future__ import annotations

import json
import sys
from functools import cache

from structgen.automata.dfa import BoundedDfa, CountedDfa, Dfa
from structgen.grammar import Choice, Expr, Grammar, Repetition, RuleRef, Sequence, Terminal


def accepts(grammar: Grammar, text: str | bytes) -> bool:
    """Whether the whole text is in the grammar's language."""
    data = text.encode() if isinstance(text, str) else text
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, 50_000))
    try:
        return len(data) in _Ends(grammar, data).rule(grammar.start, 0)
    finally:
        sys.setrecursionlimit(limit)


class _Ends:
    def __init__(self, grammar: Grammar, data: bytes) -> None:
        self.grammar = grammar
        self.data = data
        self.memo: dict[tuple[object, int], frozenset[int]] = {}

    def rule(self, name: str, i: int) -> frozenset[int]:
        key = (name, i)
        if key not in self.memo:
            self.memo[key] = self.ends(self.grammar.rules[name], i)
        return self.memo[key]

    def ends(self, expr: Expr, i: int) -> frozenset[int]:
        if isinstance(expr, RuleRef):
            return self.rule(expr.name, i)
        key = (id(expr), i)
        if key not in self.memo:
            self.memo[key] = frozenset(self.compute(expr, i))
        return self.memo[key]

    def compute(self, expr: Expr, i: int) -> set[int]:
        if isinstance(expr, Terminal):
            if isinstance(expr.pattern, CountedDfa):
                return counted_ends(expr.pattern, self.data, i)
            if isinstance(expr.pattern, BoundedDfa):
                return bounded_ends(expr.pattern, self.data, i)
            if isinstance(expr.pattern, BoundedDfa):
                return bounded_ends(expr.pattern, self.data, i)
            return dfa_ends(expr.pattern, self.data, i)
        if isinstance(expr, Sequence):
            reached = {i}
            for item in expr.items:
                reached = {k for j in reached for k in self.ends(item, j)}
                if not reached:
                    break
            return reached
        if isinstance(expr, Choice):
            return {j for option in expr.options for j in self.ends(option, i)}
        if isinstance(expr, Repetition):
            reached, count = {i}, 0
            while count < expr.minimum and reached:
                reached, count = {k for j in reached for k in self.ends(expr.item, j)}, count + 1
            found = set(reached)
            while reached and (expr.maximum is None or count < expr.maximum):
                reached = {k for j in reached for k in self.ends(expr.item, j)} - found
                found |= reached
                count += 1
            return found
        raise AssertionError(expr)


def dfa_ends(dfa: Dfa, data: bytes, i: int) -> set[int]:
    rows, accepting = table(dfa)
    state, found = 1, set()
    while state:
        if accepting[state]:
            found.add(i)
        if i == len(data):
            break
        state = rows[state][data[i]]
        i += 1
    return found


def counted_ends(counted: CountedDfa, data: bytes, i: int) -> set[int]:
    if not data.startswith(counted.head, i):
        return set()
    i += len(counted.head)
    count, found = 0, set()
    while True:
        if count >= counted.minimum and data.startswith(counted.tail, i):
            found.add(i + len(counted.tail))
        ends = dfa_ends(counted.unit, data, i)
        if not ends or count == counted.maximum:
            return found
        (i,) = ends
        count += 1


def bounded_ends(bounded: BoundedDfa, data: bytes, i: int) -> set[int]:
    if not data.startswith(bounded.head, i):
        return set()
    i += len(bounded.head)
    found = set()
    for end in dfa_ends(bounded.content, data, i):
        # what the inside of a JSON string decodes to, counted by code points
        if (
            data.startswith(bounded.tail, end)
            and len(json.loads(b'"' + data[i:end] + b'"')) <= bounded.maximum
        ):
            found.add(end + len(bounded.tail))
    return found


@cache
def table(dfa: Dfa) -> tuple[list[list[int]], list[bool]]:
    return dfa.transitions[:, dfa.byte_class].tolist(), dfa.accepting.tolist()
