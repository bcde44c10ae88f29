"""Entries of the mask store that a text will soon ask for: other states of an automaton that is being read.

Each entry that a machine asks for is a step that takes several times as long as others, and most of them are
known from other grammars: a date has a dozen states, whatever the schema. So whoever asks for one gets the
known ones near it as well.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from structgen import store_entries
from structgen.store_entries import Place
from structgen.tables import StateTables

_MOST = 64  # entries that come along
_MOST_COUNTS = 24  # and so many counts: few tokens have more characters
_BEHIND = 8  # of the former, for states that are numbered before: loops lead back

_At = tuple[int, ...]  # see `Place`


class NearEntries:
    """By place in an automaton, where known entries are. Not safe for several threads."""

    def __init__(self) -> None:
        self._known: dict[bytes, dict[_At, int]] = {}

    def note(self, place: Place, offset: int) -> None:
        """Keep where an entry is."""
        self._known.setdefault(place.automaton, {})[place.at] = offset

    def near(self, tables: StateTables, state: int, place: Place) -> list[tuple[int, int]]:
        """(state, offset) of known entries near that of ``state``, which is at ``place``."""
        known = self._known.get(place.automaton, {})
        if store_entries.is_counted(tables, state):
            around = _around_counted(tables, state)
        else:
            around = _around(state, place.at[0], known)
        return [(other, known[at]) for other, at in around if other != state and at in known]


def _around(state: int, local: int, known: Collection[_At]) -> Iterator[tuple[int, _At]]:
    """States of a table automaton that may be asked for next, and where they are in it."""
    near: Iterable[_At] = known
    if len(known) > _MOST:
        near = ((other,) for other in range(local - _BEHIND, local + _MOST - _BEHIND))
    return ((state - local + at[0], at) for at in near)


def _around_counted(tables: StateTables, state: int) -> Iterator[tuple[int, _At]]:
    """The same of a counted one: those with the same unit and further counts."""
    counts, count = store_entries.counts_of(tables, state)
    for further in range(count, min(counts.counts, count + _MOST_COUNTS)):
        yield counts.first + further * counts.units, counts.room(further)
