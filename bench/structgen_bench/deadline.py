"""A time limit for code that runs in this process: an alarm that raises `TookTooLong` in the main thread.

Native code that never comes back to Python is not ended by it; the fuzz runner kills such a process.
"""

from __future__ import annotations

import signal
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class TookTooLong(BaseException):
    """The time is over; ``where``: the stack. No `Exception`, so that the code under test does not catch it."""

    def __init__(self, seconds: float, where: str) -> None:
        self.seconds = seconds
        self.where = where
        super().__init__(seconds, where)

    def __str__(self) -> str:
        return f"no end within {self.seconds:g} s, in {self.where}"


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Raise `TookTooLong` inside the block when it takes longer. One at a time; main thread only."""

    def ring(number: int, frame: FrameType | None) -> None:
        stack = traceback.extract_stack(frame)[-40:]
        own = [f"{entry.name}:{entry.lineno}" for entry in stack if "structgen" in entry.filename]
        raise TookTooLong(seconds, " > ".join(own[-6:]) or "foreign code")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
