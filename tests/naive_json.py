"""Terminals stepped byte by byte: where in a text can they end?"""

from __future__ import annotations

from functools import cache

from structgen.automata.dfa import CountedDfa, Dfa


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


@cache
def table(dfa: Dfa) -> tuple[list[list[int]], list[bool]]:
    return dfa.transitions[:, dfa.byte_class].tolist(), dfa.accepting.tolist()
