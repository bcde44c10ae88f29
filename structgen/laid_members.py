"""Where the parser states of an object's members stand, which are laid out all at once."""

from __future__ import annotations

from typing import NamedTuple

from structgen_kernels.members import OTHER_STATES, OTHER_VALUE, STATES, VALUE

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
