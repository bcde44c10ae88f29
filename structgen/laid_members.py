"""Where the parser states of an object's members stand, which are laid out all at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from structgen_kernels.members import AFTER, NAME, OTHER_STATES, OTHER_VALUE, STATES, VALUE

from structgen.parser_states import Key, MemberKey


class LaidMembers(NamedTuple):
    """``key``: what the source calls them; ``first``: the number of the first state, of ``n`` names;
    ``others``: are there states of members with other names behind; ``beyond``: the state in which such may
    come, where it is reached without any of these, as a closure would (else 0).
    """

    key: Key
    first: int
    n: int
    others: bool
    beyond: int

    @property
    def states(self) -> range:
        """All of them."""
        n_states = STATES * self.n + (OTHER_STATES if self.others else 0)
        return range(self.first, self.first + n_states)

    @property
    def values(self) -> list[int]:
        """Those in which a value comes."""
        behind = self.first + STATES * self.n
        found = [*range(self.first + VALUE, behind, STATES)]
        if self.others:
            found.append(behind + OTHER_VALUE)
        return found

    def named(self, number: int) -> MemberKey:
        """What the source calls one of them."""
        at = min((number - self.first) // STATES, self.n)
        return MemberKey(self.key, at, number - self.first - STATES * at)

    def led_to(
        self, number: int, edges: list[int], has_edges: Callable[[int], bool]
    ) -> list[tuple[int, int]]:
        """The states that those from ``number`` on call or lead to, themselves apart but for values without
        edges: each behind how many steps away it is. ``edges``: symbol and target of each of their edges.
        """
        first, behind = self.first, self.first + STATES * self.n
        at, role = divmod(min(number, behind) - first, STATES)
        targets = {*edges[1::2]}
        calls = [
            (-symbol, target) for symbol, target in zip(edges[::2], edges[1::2], strict=True) if symbol < 0
        ]
        jumped_to = {called for called, target in calls if not target}
        steps = [0] * (self.n + 1)  # to each name, and behind them
        away = 0
        if role == AFTER:
            at, away = at + 1, 1
        for i in range(at, self.n + 1):
            steps[i] = away
            away += 1 if first + STATES * (i + 1) in jumped_to else AFTER - NAME + 1
        found = [
            (steps[(value - first) // STATES if value < behind else self.n] + VALUE - NAME, value)
            for value in self.values
            if value - 1 in targets
            and not has_edges(value)  # its colon is led to: there may be such a member
        ]
        found += [
            (steps[min((target - first) // STATES, self.n)] + VALUE - NAME + 1, called)
            for called, target in calls
            if target
        ]
        own = self.states
        found += [(steps[-1], after) for after in sorted(targets | jumped_to) if after not in own]
        return found
