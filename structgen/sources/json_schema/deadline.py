"""The time that compiling a schema may take: looked at where work is done in loops, never by a signal."""

from __future__ import annotations

import time

from structgen.errors import CompileLimitError

_NEVER = float("inf")  # when a deadline that was lifted ends


class Deadline:
    """``seconds`` from now, until it is lifted: what is compiled while texts are read has no such limit."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._begin = time.monotonic()
        self._end = self._begin + seconds

    def check(self, pointer: str = "") -> None:
        """Raises `CompileLimitError` (``max_seconds``) when the time is over."""
        if self._end != _NEVER and time.monotonic() > self._end:
            raise CompileLimitError(
                "max_seconds", self._seconds, time.monotonic() - self._begin, pointer[:200]
            )

    def lift(self) -> None:
        self._end = _NEVER
