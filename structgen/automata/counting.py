"""Automata over the inside of JSON strings, with the places where one more code point has been read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from structgen.automata.build import common_classes, compile_regex
from structgen.automata.dfa import START, BoundedDfa, Dfa
from structgen.automata.marked import MarkedDfa
from structgen.regex.syntax import ANYTHING
from structgen.untracked import untracked


@dataclass(frozen=True, slots=True, eq=False)
class CountingTable:
    """The units of a `BoundedDfa`'s content: its states, told apart where a code point ends and where not.

    ``table`` int32 (units, classes): 0 dead, else next unit + 1, negative where this completes a code
    point; unit 0 is the start. ``byte_class`` uint8 (256,). ``distance`` int32 (units,): how many code
    points at least must still be completed before the content may end; 0 exactly where it may end at once.
    """

    table: npt.NDArray[np.int32]
    byte_class: npt.NDArray[np.uint8]
    distance: npt.NDArray[np.int32]


@lru_cache(maxsize=64)
@untracked
def counting_table(content: Dfa) -> CountingTable:
    """The counting table of texts in the json-string encoding.

    A minimal automaton may have one state for a place between two code points and one within, so it is
    run beside the automaton of all texts, which is at its start between two code points and nowhere else.
    Where no state has both, that is a matter of finding the place of each.
    Raises ValueError when ``content`` accepts a text that no JSON string holds.
    """
    from structgen_kernels.automata import find_places, least_distance, product

    anything = compile_regex(ANYTHING, "json-string")
    representatives, byte_class = common_classes(content, anything)
    own_classes = content.byte_class[representatives].astype(np.int64)
    other_classes = anything.byte_class[representatives].astype(np.int64)
    place = np.zeros(content.n_states, np.int64)
    table = content.transitions.take(own_classes, axis=1)
    accepting = content.accepting.copy()  # kernels are compiled for arrays that may be written, too
    # hardly any automaton has a state for two places: then it is its own product
    if not find_places(table, anything.transitions, other_classes, place):
        table, accepting, pairs, _ = product(
            content.transitions,
            content.accepting,
            anything.transitions,
            anything.accepting,
            own_classes,
            other_classes,
            0,
            content.n_states * anything.n_states + 2,
        )
        state, place = np.divmod(pairs, anything.n_states)
        leads_on = content.transitions[state][:, own_classes] != 0
        if not (np.array_equal(table != 0, leads_on) and np.array_equal(accepting, content.accepting[state])):
            raise ValueError("the content of a BoundedDfa is texts in the json-string encoding")
    elif not np.array_equal(place[accepting], np.full(np.count_nonzero(accepting), START)):
        raise ValueError("the content of a BoundedDfa is texts in the json-string encoding")
    boundary = place == START
    signed = np.arange(table.shape[0], dtype=np.int32)
    signed[boundary] *= -1
    result = CountingTable(
        signed[table[START:]],
        byte_class,
        least_distance(table, accepting, boundary)[START:].copy(),
    )
    for array in (result.table, result.byte_class, result.distance):
        array.flags.writeable = False
    return result


def counting_of(bounded: BoundedDfa | MarkedDfa) -> tuple[CountingTable, bytes]:
    """The units of a bounded terminal, and a digest of what they are."""
    if isinstance(bounded, BoundedDfa):
        return counting_table(bounded.content), bounded.content.digest
    return CountingTable(bounded.table, bounded.byte_class, bounded.distance), bounded.content_digest


def is_within_reach(bounded: BoundedDfa) -> bool:
    """False when even the shortest text of the content is longer than the maximum."""
    content = bounded.content
    return not content.is_empty and int(counting_table(content).distance[0]) <= bounded.maximum
