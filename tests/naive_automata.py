"""The minimal automaton by Moore's (1956) definition, in plain Python: what the kernels must give."""

from __future__ import annotations

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
