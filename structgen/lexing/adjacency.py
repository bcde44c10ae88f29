"""What may follow what: which terminals can come next from a lexical state, and which never meet.

Maximal munch keeps some terminals apart: after the name ``a`` no name ``b`` can come at once, since ``ab``
is one. Mostly an ignored blank may stand between, and then nothing is lost. Where none may, the rules have
to know.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

import numpy as np
import numpy.typing as npt

from structgen.lexing.product import LexicalStates, reachable

Pair = tuple[int, int]
_Bits = npt.NDArray[np.bool_]


class Following:
    """``emits`` bool (states, terminals + 2): the terminals one of which must be taken if a text in a
    state is to go on; then whether the text may end in it, and whether it may end behind something ignored.

    An ignored terminal counts where everything may come after it that may come at all. Where not (a
    comment goes on to the end of the line, so that only a line break can follow) what may follow it counts
    in its stead. ``undecided``: a pair of terminals for which this differs between modes that a state is
    met in, or None.
    """

    def __init__(
        self, states: LexicalStates, unseen: Set[int], next_mode: Sequence[Sequence[Sequence[int]]]
    ) -> None:
        self._states = states
        self._unseen = unseen
        self._next_mode = next_mode
        self._n_modes = states.start.shape[1]
        self.end = states.emits.shape[1] - 1
        self.undecided: Pair | None = None
        self._modes: dict[tuple[int, int], list[int]] = {}
        self.emits = self._found()

    def modes_after(self, state: int, terminal: int) -> list[int]:
        """The modes in which text may go on when a terminal is emitted in a lexical state."""
        key = self._states.met[state], terminal
        if key not in self._modes:
            self._modes[key] = sorted(
                {
                    m
                    for mode in range(self._n_modes)
                    if key[0] >> mode & 1
                    for m in self._next_mode[mode][terminal]
                }
            )
        return self._modes[key]

    def _found(self) -> _Bits:
        states, end = self._states, self.end
        n = states.delta.shape[0]
        telling = np.ones(end + 1, np.bool_)
        telling[list(self._unseen)] = False
        direct = np.zeros((n, end + 2), np.bool_)
        instead: list[tuple[int, int, int]] = []
        full: dict[tuple[int, int], bool] = {}
        for p, found in enumerate(states.emitted):
            for terminal, pending in found:
                if terminal not in self._unseen:
                    direct[p, terminal] = True
                    continue
                verdicts = set()
                for mode in self.modes_after(p, terminal):
                    key = pending, mode
                    if key not in full:
                        lost = states.emits[states.start[0, mode]] & ~states.emits[states.start[key]]
                        full[key] = not (lost & telling).any()
                    verdicts.add(full[key])
                if verdicts == {True}:
                    direct[p, terminal] = True
                elif verdicts == {False}:
                    instead.append((p, terminal, pending))
                else:
                    self.undecided = terminal, terminal
        while True:
            emits = reachable(states.delta, direct)
            before = direct.copy()
            for p, terminal, pending in instead:
                for mode in self.modes_after(p, terminal):
                    direct[p] |= self._behind(emits, pending, mode)
            if np.array_equal(before, direct):
                break
        self._check_modes(emits, instead)
        emits[:, end] = states.emits[:, end]
        return emits

    def _behind(self, emits: _Bits, pending: int, mode: int) -> _Bits:
        after = self._states.start[pending, mode]
        found: _Bits = emits[after].copy()
        found[self.end + 1] |= self._states.emits[after, self.end]
        return found

    def _check_modes(self, emits: _Bits, instead: Sequence[tuple[int, int, int]]) -> None:
        for p, terminal, pending in instead:
            found = [(mode, self._behind(emits, pending, mode)) for mode in self.modes_after(p, terminal)]
            union = np.logical_or.reduce([bits for _, bits in found])
            for mode, bits in found:
                # states are shared: only what the mode itself has counts
                lost = (union & ~bits)[: self.end + 1] & self._states.emits[self._states.start[0, mode]]
                if lost.any():
                    self.undecided = terminal, int(np.flatnonzero(lost)[0])

    def _next_seen(self, pending: int, mode: int) -> _Bits:
        """What the parser may get next after an emission, blanks or none between; the last one: the end."""
        start = self._states.start
        after: _Bits = self.emits[start[pending, mode]]
        if after[list(self._unseen)].any():
            after = self._states.emits[start[0, mode]]
            return after
        here: _Bits = after[: self.end + 1].copy()
        here[self.end] |= after[self.end + 1]
        return here

    def leading_nowhere(self, needed: Mapping[Pair, _Bits]) -> set[tuple[int, int, int]]:
        """The emissions (state, terminal, pending) that nothing the parser takes can follow, in any mode."""
        found = set()
        for p, pairs in enumerate(self._states.emitted):
            for terminal, pending in pairs:
                modes = [mode for mode in self.modes_after(p, terminal) if (terminal, mode) in needed]
                if modes and not any(
                    (needed[terminal, mode] & self._next_seen(pending, mode)).any() for mode in modes
                ):
                    found.add((p, terminal, pending))
        return found

    def kept_apart(
        self, needed: Mapping[Pair, _Bits], complete_modes: bool
    ) -> tuple[dict[int, set[int]], Pair | None]:
        """For each terminal those that never come right after it though the parser would take them, and a
        pair for which that hangs on the very text (None: there is no such).

        ``needed[terminal, mode]`` bool (terminals + 1,): what the parser may take after a terminal where
        the mode goes on; ``complete_modes``: a mode is to have all of it (explicit modes need not). Where
        nothing is kept apart, whoever emits a terminal that the parser takes finds a way on.
        """
        states, end = self._states, self.end
        lost_by: dict[int, _Bits] = {}
        kept_by: dict[int, _Bits] = {}
        seen: set[tuple[int, int, int]] = set()
        for p, found in enumerate(states.emitted):
            for terminal, pending in found:
                for mode in self.modes_after(p, terminal):
                    wanted = needed.get((terminal, mode))
                    if wanted is None or (terminal, pending, mode) in seen:
                        continue
                    seen.add((terminal, pending, mode))
                    here = self._next_seen(pending, mode)
                    if not complete_modes:
                        wanted = wanted & states.emits[states.start[0, mode]]
                    nothing = np.zeros(end + 1, np.bool_)
                    kept_by[terminal] = kept_by.get(terminal, nothing) | (wanted & here)
                    lost_by[terminal] = lost_by.get(terminal, nothing) | (wanted & ~here)
        never: dict[int, set[int]] = {}
        for terminal, lost in lost_by.items():
            both = lost & kept_by[terminal]
            if both.any():
                return {}, (terminal, int(np.flatnonzero(both)[-1]))
            if lost.any():
                never[terminal] = set(np.flatnonzero(lost).tolist())
        return never, None
