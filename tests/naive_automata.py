"""The minimal automaton by Moore's (1956) definition, in plain Python: what the kernels must give."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt


def minimal_automaton(
    table: npt.NDArray[np.int32], accepting: npt.NDArray[np.bool_]
) -> tuple[list[list[int]], list[bool]]:
    """Rows and accepting flags of the minimal automaton of a complete table: state 0 dead, 1 start."""
    n_classes = table.shape[1]
    rows = table.tolist()
    block = [int(accepts) for accepts in accepting.tolist()]
    block[0] = 0
    while True:
        kinds = [(block[s], tuple(block[t] for t in rows[s])) for s in range(len(rows))]
        numbers = {kind: i for i, kind in enumerate(dict.fromkeys(kinds))}
        refined = [numbers[kind] for kind in kinds]
        if len(set(refined)) == len(set(block)):
            break
        block = refined
    dead = block[0]  # the states from which nothing is accepted are all like it
    if block[1] == dead:
        return [[0] * n_classes, [0] * n_classes], [False, False]
    number = {dead: 0, block[1]: 1}
    order = [0, 1]
    for state in order:
        for target in rows[state] if state else ():
            if block[target] not in number:
                number[block[target]] = len(order)
                order.append(target)
    least = [[number[block[t]] for t in rows[s]] for s in order]
    return [[0] * n_classes, *least[1:]], [False, *(bool(accepting[s]) for s in order[1:])]


def runs_of_rows(table: npt.NDArray[np.int32]) -> list[int]:
    """Where the targets of each row change: -1 - column and target, and 0 behind each row."""
    found = []
    for row in table.tolist():
        for c, (before, after) in enumerate(zip([0, *row], row, strict=False)):
            if before != after:
                found += [-1 - c, after]
        found.append(0)
    return found


def places_beside(table: list[list[int]], other: list[list[int]]) -> dict[int, int] | None:
    """The state of ``other`` in which each state of ``table`` is met, from 1 and 1 on; None where there are
    several, or ``other`` goes nowhere.
    """
    met = {(1, 1)}
    pending = [(1, 1)]
    while pending:
        state, beside = pending.pop()
        for after, place in zip(table[state], other[beside], strict=True):
            if after and (after, place) not in met:
                met.add((after, place))
                pending.append((after, place))
    places = dict(met)
    return places if len(places) == len(met) and all(places.values()) else None


def longest_safe_run(
    step: Callable[[int, int], int], fails: Callable[[int], bool], start: int, heads: list[bytes], limit: int
) -> int:
    """How many bytes of texts, each a character of ``heads`` or the beginning of one at the end, can be read
    from ``start`` on whatever they are, at most ``limit``, before a state may be one that ``fails``.
    """
    beginnings = {head[:k] for head in heads for k in range(len(head))}
    reached = {(start, b"")}
    for length in range(limit):
        following = set()
        for state, begun in reached:
            for byte in {head[len(begun)] for head in heads if head.startswith(begun)}:
                after, text = step(state, byte), begun + bytes([byte])
                if fails(after):
                    return length
                following.add((after, text if text in beginnings else b""))
        reached = following
    return limit
