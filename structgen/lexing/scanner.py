"""Many terminals read at once: one automaton over bytes, with what may be emitted in each state.

A state is a tuple of (component, state of its automaton). A component is one way to match a terminal. Where a
component has matched, those of lower priority are dropped, since no match of theirs counts any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from structgen.automata.dfa import START, Dfa
from structgen.errors import CompileLimitError, UnsupportedGrammarError

MAX_STATES = 400_000


@dataclass(frozen=True, slots=True, eq=False)
class Component:
    """Texts of terminal ``terminal``; ``order``: the least wins among matches of one text.

    ``ahead``: what must follow the match, or must not (``negated``); None where anything may.
    """

    automaton: Dfa
    terminal: int
    priority: int
    order: tuple[object, ...]
    ahead: Dfa | None = None
    negated: bool = False


Condition = tuple[int, bool]  # (an ahead automaton, negated)
# Emitted in a state: (terminal, conditions that must hold, those that must not)
Label = tuple[int, tuple[Condition, ...], tuple[Condition, ...]]


@dataclass(slots=True)
class Scanner:
    """``delta`` int32 (states, classes), 0 dead; ``byte_class`` uint8 (256,); ``labels``: per state.

    ``starts``: the state in which each mode begins a lexeme; no other state leads there. ``aheads``: wide
    tables int32 (states, classes) and accepting states of what conditions look for.
    """

    delta: npt.NDArray[np.int32]
    byte_class: npt.NDArray[np.uint8]
    labels: list[tuple[Label, ...]]
    starts: list[int]
    aheads: list[tuple[npt.NDArray[np.int32], npt.NDArray[np.bool_]]]


def build_scanner(
    components: Sequence[Component],
    modes: Sequence[Iterable[int]],
    names: Sequence[str],
    *,
    shared: bool = True,
) -> Scanner:
    """The scanner of all ``modes`` (sets of component numbers). ``names``: of terminals, for errors;
    ``shared``: modes share the states that are alike in them.

    Raises `UnsupportedGrammarError`, `CompileLimitError` (``max_scanner_states``).
    """
    aheads = list(dict.fromkeys(c.ahead for c in components if c.ahead is not None))
    byte_class, samples = _common_classes([*(c.automaton for c in components), *aheads])
    tables = [c.automaton.transitions[:, c.automaton.byte_class[samples]].tolist() for c in components]
    accepting = [c.automaton.accepting.tolist() for c in components]
    conditions = {
        i: (aheads.index(c.ahead), c.negated) for i, c in enumerate(components) if c.ahead is not None
    }
    n_classes = len(samples)
    numbers: dict[tuple[int, tuple[tuple[int, int], ...]], int] = {}
    owners = [-1]  # the mode of each state, where they are not shared
    states: list[tuple[tuple[int, int], ...]] = [()]
    labels: list[tuple[Label, ...]] = [()]

    def settled(
        content: list[tuple[int, int]],
    ) -> tuple[tuple[tuple[int, int], ...], tuple[Label, ...]]:
        matched = [i for i, state in content if accepting[i][state]]
        if not matched:
            return tuple(content), ()
        matched.sort(key=lambda i: (-components[i].priority, components[i].order))
        certain = [i for i in matched if i not in conditions]
        best = max((components[i].priority for i in certain), default=None)
        alive = [(i, state) for i, state in content if best is None or components[i].priority >= best]
        found: list[Label] = []
        held: list[Condition] = []
        for i in matched:
            if best is not None and components[i].priority < best:
                continue
            terminal = components[i].terminal
            if i not in conditions:
                found.append((terminal, (), tuple(held)))
                break
            if any(components[j].terminal == terminal for j in certain):
                continue  # another way to match the same terminal needs no condition
            lower = [j for j, _ in content if components[j].priority < components[i].priority]
            if lower and (best is None or components[lower[0]].priority >= best):
                raise UnsupportedGrammarError(
                    f"terminal {names[terminal]} matches only before certain text, and"
                    f" {names[components[lower[0]].terminal]}, of lower priority, matches there too",
                    remedy="give both one priority, or take the lookahead out",
                )
            found.append((terminal, (conditions[i],), tuple(held)))
            held.append(conditions[i])
        return tuple(alive), tuple(found)

    def number_of(content: list[tuple[int, int]], owner: int) -> int:
        if not content:
            return 0
        key, found = settled(content)
        number = numbers.get((owner, key))
        if number is None:
            number = numbers[owner, key] = len(states)
            owners.append(owner)
            states.append(key)
            labels.append(found)
            if number > MAX_STATES:
                raise CompileLimitError("max_scanner_states", MAX_STATES, number, fixed=True)
        return number

    starts: dict[tuple[int, ...], int] = {}
    start_of: list[int] = []
    for mode in modes:
        content = tuple(sorted(i for i in mode if not components[i].automaton.is_empty))
        if content not in starts:
            starts[content] = len(states)
            owners.append(-1 if shared else len(starts))
            states.append(tuple((i, START) for i in content))
            labels.append(())
        start_of.append(starts[content])
    rows: list[list[int]] = [[0] * n_classes]
    known: dict[tuple[int, tuple[tuple[int, int], ...]], int] = {}
    done = 1
    while done < len(states):
        state, owner = states[done], owners[done]
        row = []
        parts = [(i, tables[i][s]) for i, s in state]
        for column in range(n_classes):
            after = [(i, r[column]) for i, r in parts if r[column]]
            target = known.get((owner, tuple(after)))
            if target is None:
                target = known[owner, tuple(after)] = number_of(after, owner)
            row.append(target)
        rows.append(row)
        done += 1
    delta = np.array(rows, np.int32)
    merged, labels, start_of = _merged(delta, labels, start_of, owners)
    columns, byte_class = _merged_columns(
        merged,
        byte_class,
        [a.transitions[:, a.byte_class[samples]] for a in aheads],
    )
    return Scanner(
        np.ascontiguousarray(merged[:, columns]),
        byte_class,
        labels,
        start_of,
        [(a.transitions[:, a.byte_class[samples]][:, columns].astype(np.int32), a.accepting) for a in aheads],
    )


def _common_classes(
    automata: Sequence[Dfa],
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """uint8 (256,), the class of each byte, and one byte of each class."""
    columns = np.stack([np.zeros(256, np.uint8), *(a.byte_class for a in automata)])
    _, first, classes = np.unique(columns, axis=1, return_index=True, return_inverse=True)
    return classes.reshape(-1).astype(np.uint8), first


def refined(delta: npt.NDArray[np.int32], block: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The coarsest partition of states that is finer than ``block`` and that ``delta`` respects (Moore 1956).

    Rows are compared by hashes while it is refined; what comes out is checked.
    """
    random = np.random.default_rng(20_231_117)
    factors: Any = random.integers(1, 2**63, delta.shape[1], dtype=np.uint64) | np.uint64(1)
    count = int(block.max()) + 1
    while True:
        values = random.integers(1, 2**63, count, dtype=np.uint64)
        marks: npt.NDArray[Any] = values[block]
        signature: npt.NDArray[Any] = marks * np.uint64(0x9E3779B97F4A7C15)
        for column in range(delta.shape[1]):
            signature += marks[delta[:, column]] * factors[column]
        block = np.unique(signature, return_inverse=True)[1]
        if int(block.max()) + 1 == count:
            break
        count = int(block.max()) + 1
    first = np.unique(block, return_index=True)[1]
    if not np.array_equal(block[delta], block[delta[first[block]]]):
        raise ArithmeticError("two rows of an automaton have one hash")
    return block


def _merged(
    delta: npt.NDArray[np.int32],
    labels: list[tuple[Label, ...]],
    starts: list[int],
    owners: list[int],
) -> tuple[npt.NDArray[np.int32], list[tuple[Label, ...]], list[int]]:
    """States that go on alike made one; starts stay what they are."""
    kinds: dict[object, int] = {}
    special = set(starts)
    block = np.array(
        [
            kinds.setdefault(
                ("start", i) if i in special else ("dead",) if i == 0 else (owners[i], label), len(kinds)
            )
            for i, label in enumerate(labels)
        ],
        np.int64,
    )
    block = refined(delta, block)
    n = int(block.max()) + 1
    first = np.zeros(n, np.int64)
    first[block[::-1]] = np.arange(len(labels))[::-1]
    order = np.argsort(first)  # dead first, then as they were found
    rank = np.zeros(n, np.int64)
    rank[order] = np.arange(n)
    chosen = first[order]
    return (
        rank[block][delta[chosen]].astype(np.int32),
        [labels[i] for i in chosen.tolist()],
        [int(rank[block[i]]) for i in starts],
    )


def _merged_columns(
    delta: npt.NDArray[np.int32],
    byte_class: npt.NDArray[np.uint8],
    others: Sequence[npt.NDArray[np.int32]],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
    """The columns that differ, and the class of each byte among them."""
    stacked = np.concatenate([delta, *others])
    _, first, inverse = np.unique(stacked, axis=1, return_index=True, return_inverse=True)
    return first, inverse.reshape(-1)[byte_class].astype(np.uint8)
