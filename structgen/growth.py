"""When the records of a machine have become so many that a fresh machine should take over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Owner(Protocol):
    """Who has a machine, and wants to know when it has grown."""

    def report(self) -> None: ...


class Growth:
    """``limit``: bytes that a machine may hold, None for any number. ``owner``: gives who is told when it has
    grown, as long as there is one.

    ``is_over``: the machine should be given up, as it holds too much or was told to go.
    """

    __slots__ = ("_limit", "_owner", "_was_ended", "is_over")

    def __init__(self, limit: int | None = None, owner: Callable[[], Owner | None] | None = None) -> None:
        self.is_over = False
        self._limit = limit
        self._owner = owner  # weak, or the owner would not be freed before the garbage collector comes
        self._was_ended = False

    def to(self, nbytes: int) -> None:
        """The machine has grown to so many bytes."""
        self.is_over = self._was_ended or (self._limit is not None and nbytes > self._limit)
        owner = None if self._owner is None else self._owner()
        if owner is not None:
            owner.report()

    def leave_room(self, nbytes: int) -> None:
        """So many bytes were needed for texts that are being read: there may be four times as many.

        So a text is read again only after records of three times its own have been made.
        """
        if self._limit is not None:
            self._limit = max(self._limit, 4 * nbytes)
            self.is_over = self._was_ended

    def end(self) -> None:
        """The machine is given up."""
        self._was_ended = self.is_over = True
