"""A time limit for code that runs in this process: a signal that raises `TookTooLong` in the main thread.

The time is the process's own on the processor, so that a busy machine makes no hangs. Native code that never
comes back to Python is not ended by it; the fuzz runner kills such a process.
"""

from __future__ import annotations

import signal
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class TookTooLong(BaseException):
    """The time is over; ``where``: the stack. No `Exception`, so that the code under test lets it go."""

    def __init__(self, seconds: float, where: str) -> None:
        self.seconds = seconds
        self.where = where
        super().__init__(seconds, where)

    def __str__(self) -> str:
        return f"no end within {self.seconds:g} s, in {self.where}"


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Raise `TookTooLong` inside the block when it takes longer. One at a time; main thread only."""
    rung: list[TookTooLong] = []

    def ring(number: int, frame: FrameType | None) -> None:
        stack = traceback.extract_stack(frame)[-40:]
        own = [f"{entry.name}:{entry.lineno}" for entry in stack if "structgen" in entry.filename]
        rung.append(TookTooLong(seconds, " > ".join(own[-6:]) or "foreign code"))
        raise rung[0]

    before = signal.signal(signal.SIGPROF, ring)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    except Exception:  # any: native code makes another error of the one raised in it (numba: SystemError)
        if rung:
            raise rung[0] from None
        raise
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
