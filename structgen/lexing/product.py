"""Lexical states: where the lexeme being read is, and what earlier guesses about ends still wait for.

At each place where a lexeme may end, it is guessed that it does. The guess leaves *atoms*, which read on:

- a shadow: the lexeme, had it gone on. When the shadow matches, a longer lexeme was there, and the guess
  was wrong.
- a condition: text that must follow (or must not), of a terminal with a lookahead at its end.

So a text of any length is cut without ever going back, and each cut is the one of maximal munch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from structgen.errors import CompileLimitError
from structgen.lexing.scanner import Condition, Label, Scanner, refined

MAX_LEXICAL_STATES = 1_000_000

_SHADOW, _MUST, _MUST_NOT = 0, 1, 2
Atom = tuple[int, int, int]  # (kind, ahead automaton or 0, state)
Atoms = frozenset[Atom]
_NO_ATOMS: Atoms = frozenset()


@dataclass(slots=True)
class LexicalStates:
    """``delta`` int32 (states, classes), 0 dead. State p emits ``emitted[p]``: (terminal, pending) pairs.

    ``pending``: numbers of sets of atoms; ``start[pending, mode]`` int32: the state after an emission, where the
    mode goes on; 0: none, or a dead one. ``emits`` bool (states, terminals + 1): what may be emitted next from
    a state; the last column: the text may end here.
    """

    delta: npt.NDArray[np.int32]
    byte_class: npt.NDArray[np.uint8]
    emitted: list[tuple[tuple[int, int], ...]]
    start: npt.NDArray[np.int32]
    emits: npt.NDArray[np.bool_]


def lexical_states(
    scanner: Scanner,
    n_terminals: int,
    n_modes: int,
    modes_after: Mapping[int, Iterable[int]],
) -> LexicalStates:
    """All that can be reached. ``modes_after``: in which modes text may go on after a terminal.

    Raises `CompileLimitError` (``max_lexical_states``).
    """
    return _Builder(scanner, n_terminals, n_modes, modes_after).build()


class _Builder:
    def __init__(
        self, scanner: Scanner, n_terminals: int, n_modes: int, modes_after: Mapping[int, Iterable[int]]
    ) -> None:
        self._scanner = scanner
        self._n_terminals = n_terminals
        self._n_modes = n_modes
        self._modes_after = modes_after
        self._n_classes = scanner.delta.shape[1]
        n = scanner.delta.shape[0]
        self._states: list[tuple[int, Atoms]] = [(q, _NO_ATOMS) for q in range(n)]
        self._numbers: dict[tuple[int, Atoms], int] = {}
        self._extra_rows: list[list[int]] = []
        self._emitted: list[tuple[tuple[int, int], ...]] = []
        self._pending: dict[Atoms, int] = {_NO_ATOMS: 0}
        self._start: dict[tuple[int, int], int] = {}
        self._columns: dict[Atoms, list[Atoms | None]] = {}
        self._shadow_of, self._shadow_state = self._shadows()

    def _shadows(self) -> tuple[list[int], list[int]]:
        """Per scanner state the number of what happens if it goes on (0: nothing), and a state of each."""
        delta, labels = self._scanner.delta, self._scanner.labels
        kinds: dict[object, int] = {}
        # what counts in a shadow is whether it matches, surely or under conditions, not which terminal
        block = np.array(
            [
                kinds.setdefault("dead" if q == 0 else _match_kind(found), len(kinds))
                for q, found in enumerate(labels)
            ],
            np.int64,
        )
        block = refined(delta, block)
        numbers: dict[bytes, int] = {np.full(self._n_classes, block[0]).tobytes(): 0}
        representative = [0]
        shadow_of = []
        rows = block[delta]
        for q in range(delta.shape[0]):
            key = rows[q].tobytes()
            if key not in numbers:
                numbers[key] = len(representative)
                representative.append(q)
            shadow_of.append(numbers[key])
        return shadow_of, representative

    def build(self) -> LexicalStates:
        n = self._scanner.delta.shape[0]
        for mode in range(self._n_modes):
            self._start_state(0, mode)
        done = 0
        while done < len(self._states):
            q, atoms = self._states[done]
            if done >= n:
                self._extra_rows.append(self._row(q, atoms))
            self._emitted.append(self._emissions(q, atoms) if q else ())
            done += 1
        delta = np.concatenate(
            [self._scanner.delta, np.array(self._extra_rows, np.int32).reshape(-1, self._n_classes)]
        )
        start = np.zeros((len(self._pending), self._n_modes), np.int32)
        for (pending, mode), state in self._start.items():
            start[pending, mode] = state
        return self._pruned(delta, start)

    def _number(self, q: int, atoms: Atoms) -> int:
        if not atoms:
            return q
        number = self._numbers.get((q, atoms))
        if number is None:
            number = self._numbers[q, atoms] = len(self._states)
            if number > MAX_LEXICAL_STATES:
                raise CompileLimitError("max_lexical_states", MAX_LEXICAL_STATES, number, fixed=True)
            self._states.append((q, atoms))
        return number

    def _start_state(self, pending: int, mode: int) -> None:
        if (pending, mode) not in self._start:
            atoms = next(a for a, number in self._pending.items() if number == pending)
            self._start[pending, mode] = self._number(self._scanner.starts[mode], atoms)

    def _emissions(self, q: int, atoms: Atoms) -> tuple[tuple[int, int], ...]:
        found = []
        for terminal, holds, fails in self._scanner.labels[q]:
            after = set(atoms)
            if self._shadow_of[q]:
                after.add((_SHADOW, 0, self._shadow_of[q]))
            after |= {self._condition(condition, holds=True) for condition in holds}
            after |= {self._condition(condition, holds=False) for condition in fails}
            key = frozenset(after)
            pending = self._pending.setdefault(key, len(self._pending))
            found.append((terminal, pending))
            for mode in self._modes_after.get(terminal, ()):
                if (pending, mode) not in self._start:
                    self._start[pending, mode] = self._number(self._scanner.starts[mode], key)
        return tuple(found)

    @staticmethod
    def _condition(condition: Condition, *, holds: bool) -> Atom:
        ahead, negated = condition
        return (_MUST_NOT if negated == holds else _MUST, ahead, 1)

    def _row(self, q: int, atoms: Atoms) -> list[int]:
        columns = self._columns.get(atoms)
        if columns is None:
            columns = self._columns[atoms] = [self._step(atoms, c) for c in range(self._n_classes)]
        row = []
        for target, after in zip(self._scanner.delta[q].tolist(), columns, strict=True):
            row.append(0 if target == 0 or after is None else self._number(target, after))
        return row

    def _step(self, atoms: Atoms, column: int) -> Atoms | None:
        """The atoms after a byte; None where one of them turned out wrong."""
        found: set[Atom] = set()
        for kind, ahead, state in atoms:
            if kind == _SHADOW:
                q = int(self._scanner.delta[self._shadow_state[state], column])
                if any(not holds for _, holds, _ in self._scanner.labels[q]):
                    return None  # some terminal matches here, whatever follows
                for _, holds, _ in self._scanner.labels[q]:
                    found |= {self._condition(condition, holds=False) for condition in holds}
                if q and self._shadow_of[q]:
                    found.add((_SHADOW, 0, self._shadow_of[q]))
                continue
            table, accepting = self._scanner.aheads[ahead]
            after = int(table[state, column])
            met = bool(accepting[after]) if after else False
            if (kind == _MUST and after == 0) or (kind == _MUST_NOT and met):
                return None
            if after and not met:
                found.add((kind, ahead, after))
        return frozenset(found)

    def _pruned(self, delta: npt.NDArray[np.int32], start: npt.NDArray[np.int32]) -> LexicalStates:
        """Without states from which nothing can be emitted, and emissions that lead to such."""
        n, end = delta.shape[0], self._n_terminals
        may_end = np.zeros(n, np.bool_)
        for state in self._start.values():
            may_end[state] = all(kind != _MUST for kind, _, _ in self._states[state][1])
        emitted = self._emitted
        while True:
            emits = np.zeros((n, end + 1), np.bool_)
            for p, found in enumerate(emitted):
                for terminal, _ in found:
                    emits[p, terminal] = True
            emits = reachable(delta, emits)
            alive = emits.any(axis=1) | may_end
            alive[0] = False
            start = np.where(alive[start], start, 0)
            kept = [
                tuple(
                    (t, pending)
                    for t, pending in found
                    if any(start[pending, mode] for mode in self._modes_after.get(t, ()))
                )
                for found in emitted
            ]
            if kept == emitted:
                break
            emitted = kept
        delta = np.where(emits.any(axis=1)[delta], delta, 0).astype(np.int32)
        emits[:, end] = may_end
        return LexicalStates(delta, self._scanner.byte_class, emitted, start.astype(np.int32), emits)


def _match_kind(labels: Sequence[Label]) -> object:
    """Whether there is a match: surely, under conditions, or not."""
    if any(not holds for _, holds, _ in labels):
        return "sure"
    return frozenset(condition for _, holds, _ in labels for condition in holds)


def reachable(delta: npt.NDArray[np.int32], marks: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """``marks`` bool (states, n) of each state and of all that it leads to; the dead state has none."""
    words = np.packbits(marks, axis=1)
    words = np.pad(words, ((0, 0), (0, -words.shape[1] % 8))).view(np.uint64)
    words[0] = 0
    while True:
        before = words
        words = words.copy()
        for column in range(delta.shape[1]):
            words |= words[delta[:, column]]
        if np.array_equal(words, before):
            break
    return np.unpackbits(words.view(np.uint8), axis=1, count=marks.shape[1]).astype(np.bool_)


def blocked(
    states: LexicalStates,
    ignored: Sequence[int],
    needed: Mapping[tuple[int, int], npt.NDArray[np.bool_]],
) -> tuple[int, int] | None:
    """A pair of terminals that could not stand side by side, although the parser would take them so.

    ``needed[terminal, mode]`` bool (terminals + 1,): what may follow a terminal where the mode goes on. None:
    there is no such pair, so that whoever emits a terminal that the parser takes finds a way on.
    """
    end = states.emits.shape[1] - 1
    telling = np.ones(end + 1, np.bool_)
    telling[list(ignored)] = False
    n_modes = states.start.shape[1]
    # an ignored text that frees everything: behind it all can follow that could at a fresh start
    free = [states.emits[states.start[0, mode]] & telling for mode in range(n_modes)]
    frees = np.zeros((states.delta.shape[0], n_modes), np.bool_)
    ignored_set = set(ignored)
    for p, found in enumerate(states.emitted):
        for terminal, pending in found:
            if terminal in ignored_set:
                for mode in range(n_modes):
                    after = states.start[pending, mode]
                    if after and not (free[mode] & ~states.emits[after]).any():
                        frees[p, mode] = True
    frees = reachable(states.delta, frees)
    for p, found in enumerate(states.emitted):
        if not states.emits[p].any():
            continue
        for terminal, pending in found:
            for mode in range(n_modes):
                wanted = needed.get((terminal, mode))
                after = states.start[pending, mode]
                if wanted is None or not after:
                    continue
                missing = wanted & free[mode] & ~states.emits[after]
                if missing.any() and not frees[after, mode]:
                    return terminal, int(np.flatnonzero(missing)[0])
    return None
