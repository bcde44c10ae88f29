"""Lexical states: where the lexeme being read is, and what earlier guesses about ends still wait for.

At each place where a lexeme may end, it is guessed that it does. The guess leaves *atoms*, which read on:

- a shadow: the lexeme, had it gone on. When the shadow matches, a longer lexeme was there, and the guess
  was wrong.
- a condition: text that must follow (or must not), of a terminal with a lookahead at its end.

So a text of any length is cut without ever going back, and each cut is the one of maximal munch. While
atoms are left, it is also known which terminals the parser may take at all after the one that ended: what
leads to none of them is not followed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Set
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
_State = tuple[int, Atoms, int]  # scanner state, atoms, what may be emitted next (0 without atoms)


@dataclass(slots=True)
class LexicalStates:
    """``delta`` int32 (states, classes), 0 dead. State p emits ``emitted[p]``: (terminal, pending) pairs.

    ``pending``: numbers of sets of atoms; ``start[pending, mode]`` int32: the state after an emission,
    where the mode goes on; 0: none, or a dead one. ``emits`` bool (states, terminals + 1): what may be
    emitted next from a state; the last column: the text may end here. ``met``: the modes that a state is
    met in, as bits.
    """

    delta: npt.NDArray[np.int32]
    byte_class: npt.NDArray[np.uint8]
    emitted: list[tuple[tuple[int, int], ...]]
    start: npt.NDArray[np.int32]
    emits: npt.NDArray[np.bool_]
    met: list[int]


def lexical_states(
    scanner: Scanner,
    n_terminals: int,
    n_modes: int,
    next_mode: Sequence[Sequence[Sequence[int]]],
    allowed_after: Sequence[int],
    emitted: int,
) -> LexicalStates:
    """All that can be reached. ``next_mode[mode][terminal]``: the modes in which text may go on;
    ``allowed_after``: the terminals that may follow each one, at least, as bits; ``emitted``: those that
    may be emitted at all. Others only keep shorter matches from being taken.

    Raises `CompileLimitError` (``max_lexical_states``).
    """
    return _Builder(scanner, n_terminals, n_modes, next_mode, allowed_after, emitted).build()


def scanner_emits(scanner: Scanner, n_terminals: int) -> npt.NDArray[np.bool_]:
    """bool (states, terminals): what each scanner state may emit next."""
    marks = np.zeros((scanner.delta.shape[0], n_terminals), np.bool_)
    for q, found in enumerate(scanner.labels):
        for terminal, _, _ in found:
            marks[q, terminal] = True
    return reachable(scanner.delta, marks)


class _Builder:
    def __init__(
        self,
        scanner: Scanner,
        n_terminals: int,
        n_modes: int,
        next_mode: Sequence[Sequence[Sequence[int]]],
        allowed_after: Sequence[int],
        emitted: int,
    ) -> None:
        self._scanner = scanner
        self._n_terminals = n_terminals
        self._n_modes = n_modes
        self._next_mode = next_mode
        self._met_in = modes_met(scanner.delta, {(state, mode) for mode, state in enumerate(scanner.starts)})
        self._allowed_after = allowed_after
        self._emitted_at_all = emitted
        self._n_classes = scanner.delta.shape[1]
        n = scanner.delta.shape[0]
        self._states: list[_State] = [(q, _NO_ATOMS, 0) for q in range(n)]
        self._numbers: dict[_State, int] = {}
        self._extra_rows: list[list[int]] = []
        self._emitted: list[tuple[tuple[int, int], ...]] = []
        self._pending: dict[tuple[Atoms, int], int] = {(_NO_ATOMS, 0): 0}
        self._start: dict[tuple[int, int], int] = {}
        self._after: dict[tuple[int, int], set[int]] = {}
        self._columns: dict[Atoms, list[Atoms | None]] = {}
        self._shadow_of, self._shadow_state = self._shadows()
        marks = scanner_emits(scanner, n_terminals)
        packed = np.packbits(marks, axis=1, bitorder="little")
        self._emits = [int.from_bytes(row.tobytes(), "little") & emitted for row in packed]

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
            self._start[0, mode] = self._scanner.starts[mode]
        done = 0
        while done < len(self._states):
            q, atoms, allowed = self._states[done]
            if done >= n:
                self._extra_rows.append(self._row(q, atoms, allowed))
            self._emitted.append(self._emissions(q, atoms, allowed) if q else ())
            done += 1
        delta = np.concatenate(
            [self._scanner.delta, np.array(self._extra_rows, np.int32).reshape(-1, self._n_classes)]
        )
        start = np.zeros((len(self._pending), self._n_modes), np.int32)
        for (pending, mode), state in self._start.items():
            start[pending, mode] = state
        return self._pruned(delta, start)

    def _number(self, q: int, atoms: Atoms, allowed: int) -> int:
        if not atoms:
            return q
        key = q, atoms, allowed
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self._states)
            if number > MAX_LEXICAL_STATES:
                raise CompileLimitError("max_lexical_states", MAX_LEXICAL_STATES, number, fixed=True)
            self._states.append(key)
        return number

    def _emissions(self, q: int, atoms: Atoms, allowed: int) -> tuple[tuple[int, int], ...]:
        found = []
        for terminal, holds, fails in self._scanner.labels[q]:
            if not (allowed if atoms else self._emitted_at_all) >> terminal & 1:
                continue
            after = set(atoms)
            if self._shadow_of[q]:
                after.add((_SHADOW, 0, self._shadow_of[q]))
            after |= {self._condition(condition, holds=True) for condition in holds}
            after |= {self._condition(condition, holds=False) for condition in fails}
            key = frozenset(after), self._allowed_after[terminal] & self._emitted_at_all if after else 0
            pending = self._pending.setdefault(key, len(self._pending))
            found.append((terminal, pending))
            for mode in self._modes_after(q, terminal):
                if (pending, mode) not in self._start:
                    self._start[pending, mode] = self._number(self._scanner.starts[mode], *key)
        return tuple(found)

    @staticmethod
    def _condition(condition: Condition, *, holds: bool) -> Atom:
        ahead, negated = condition
        return (_MUST_NOT if negated == holds else _MUST, ahead, 1)

    def _modes_after(self, q: int, terminal: int) -> set[int]:
        """The modes in which text may go on when a terminal is emitted in scanner state ``q``."""
        key = self._met_in[q], terminal
        known = self._after.get(key)
        if known is None:
            known = self._after[key] = {
                after
                for mode in range(self._n_modes)
                if self._met_in[q] >> mode & 1
                for after in self._next_mode[mode][terminal]
            }
        return known

    def _row(self, q: int, atoms: Atoms, allowed: int) -> list[int]:
        columns = self._columns.get(atoms)
        if columns is None:
            columns = self._columns[atoms] = [self._step(atoms, c) for c in range(self._n_classes)]
        row = []
        for target, after in zip(self._scanner.delta[q].tolist(), columns, strict=True):
            if target == 0 or after is None or not self._emits[target] & allowed:
                row.append(0)
            else:
                row.append(self._number(target, after, allowed))
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
        emits = np.zeros((delta.shape[0], self._n_terminals + 1), np.bool_)
        for state in self._start.values():
            emits[state, -1] = all(kind != _MUST for kind, _, _ in self._states[state][1])
        return _pruned(
            delta,
            self._scanner.byte_class,
            self._emitted,
            start,
            emits,
            lambda p, terminal: self._modes_after(self._states[p][0], terminal),
        )


def without_emissions(
    states: LexicalStates, lost: Set[tuple[int, int, int]], modes_after: Callable[[int, int], Iterable[int]]
) -> LexicalStates:
    """``states`` without the emissions (state, terminal, pending) of ``lost``, and what only led to them."""
    emitted = [
        tuple((t, pending) for t, pending in found if (p, t, pending) not in lost)
        for p, found in enumerate(states.emitted)
    ]
    return _pruned(states.delta, states.byte_class, emitted, states.start, states.emits, modes_after)


def _pruned(
    delta: npt.NDArray[np.int32],
    byte_class: npt.NDArray[np.uint8],
    emitted: list[tuple[tuple[int, int], ...]],
    start: npt.NDArray[np.int32],
    emits: npt.NDArray[np.bool_],
    modes_after: Callable[[int, int], Iterable[int]],
) -> LexicalStates:
    """Without states from which nothing can be emitted, and emissions that lead to such. Of ``emits`` only
    the last column counts.
    """
    may_end = emits[:, -1]
    while True:
        emits = np.zeros_like(emits)
        for p, found in enumerate(emitted):
            for terminal, _ in found:
                emits[p, terminal] = True
        emits = reachable(delta, emits)
        alive = emits.any(axis=1) | may_end
        alive[0] = False
        start = np.where(alive[start], start, 0)
        kept = [
            tuple((t, pending) for t, pending in found if any(start[pending, m] for m in modes_after(p, t)))
            for p, found in enumerate(emitted)
        ]
        if kept == emitted:
            break
        emitted = kept
    leads_on: npt.NDArray[np.bool_] = emits.max(axis=1)
    delta = np.where(leads_on[delta], delta, 0).astype(np.int32)
    emits[:, -1] = may_end
    start = start.astype(np.int32)
    met = modes_met(delta, modes_of_starts(start))
    return LexicalStates(delta, byte_class, emitted, start, emits, met)


def _match_kind(labels: Sequence[Label]) -> object:
    """Whether there is a match: surely, under conditions, or not."""
    if any(not holds for _, holds, _ in labels):
        return "sure"
    return frozenset(condition for _, holds, _ in labels for condition in holds)


def modes_met(delta: npt.NDArray[np.int32], starts: Iterable[tuple[int, int]]) -> list[int]:
    """For each state the modes, as bits, of the ``starts`` (state, mode) that lead to it."""
    met = [0] * delta.shape[0]
    pending = []
    for state, mode in starts:
        met[state] |= 1 << mode
        pending.append(state)
    targets: dict[int, list[int]] = {}
    while pending:
        state = pending.pop()
        after = targets.get(state)
        if after is None:
            after = targets[state] = np.unique(delta[state]).tolist()
        for target in after:
            if target and met[state] & ~met[target]:
                met[target] |= met[state]
                pending.append(target)
    met[0] = 0
    return met


def modes_of_starts(start: npt.NDArray[np.int32]) -> set[tuple[int, int]]:
    """(state, mode) of all states in which lexemes begin; ``start`` int32 (pendings, modes)."""
    return {
        (state, mode)
        for mode in range(start.shape[1])
        for state in np.unique(start[:, mode]).tolist()
        if state
    }


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
