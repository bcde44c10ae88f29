"""Large states that nobody needs any more, freed bit by bit.

Python frees what an object refers to along with it, however much that is: the states of a schema under which
a long text was read took 30 ms, in the middle of compiling another.
"""

from __future__ import annotations

_AT_ONCE = 16  # parts that are freed in the time of a question, a tenth of what answering it takes
_SHARE = 256  # of those that wait: so many that they never become many more
_PART_BYTES = 2500  # about, measured


class Remains:
    """``keep`` holds the parts of something that goes, ``free_some`` lets go of a few of all that are held.
    Safe for several threads: what is done with the list is done at once.
    """

    __slots__ = ("_parts",)

    def __init__(self) -> None:
        self._parts: list[object] = []

    @property
    def nbytes(self) -> int:
        """Bytes that wait to be freed, about."""
        return _PART_BYTES * len(self._parts)

    def keep(self, parts: list[object]) -> None:
        self._parts += parts

    def free_some(self) -> None:
        parts = self._parts
        if parts:
            del parts[-_AT_ONCE - len(parts) // _SHARE :]

    def free_all(self) -> None:
        del self._parts[:]
