"""What a benchmark run can refuse to do."""

from __future__ import annotations

from structgen.errors import StructgenError


class BenchError(StructgenError):
    """A run that cannot start or go on: no such data, a peer that is not installed, ...

    ``reason`` says what is wrong, ``remedy`` what to do.
    """

    def __init__(self, reason: str, remedy: str = "") -> None:
        self.reason = reason
        self.remedy = remedy
        super().__init__(reason)

    def __str__(self) -> str:
        return f"{self.reason}\n{self.remedy}" if self.remedy else self.reason
