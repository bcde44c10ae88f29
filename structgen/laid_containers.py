"""Where the parser states of plain containers stand, of which many are laid out at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from structgen_kernels.members import OTHER_STATES, STATES
from structgen_kernels.plain_containers import ARRAY_STATES

from structgen.laid_members import LaidMembers
from structgen.parser_states import PlainKey


class LaidContainers:
    """``rows``: int32 (n, 3) as `structgen_kernels.plain_containers.lay_out` writes them; ``end``: the number
    behind the last state.
    """

    __slots__ = ("_end", "_rows")
    beyond = 0

    def __init__(self, rows: npt.NDArray[np.int32], end: int) -> None:
        self._rows = rows
        self._end = end

    def named(self, number: int) -> PlainKey:
        """What the source calls one of them."""
        first, record, is_inside = self._rows[self._row(number)].tolist()
        return PlainKey(record, number - first if is_inside else -1)

    def members_at(self, number: int) -> LaidMembers | None:
        """The states among which one is, where they are those of an object's members."""
        row = self._row(number)
        first, record, is_inside = self._rows[row].tolist()
        end = int(self._rows[row + 1, 0]) if row + 1 < len(self._rows) else self._end
        size = end - first
        if not is_inside or size == ARRAY_STATES:
            return None
        # an object has STATES for each of its names, and may have OTHER_STATES, which are no multiple of them
        others = size % STATES != 0
        n = (size - OTHER_STATES if others else size) // STATES
        return LaidMembers(PlainKey(record, 0), first, n, others, 0)

    def _row(self, number: int) -> int:
        return int(self._rows[:, 0].searchsorted(number, "right")) - 1
