"""Errors of the command line itself, and how any error is shown: no traceback, one look."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from structgen.errors import SourceError, StructgenError

OK = 0
NO_MATCH = 1
BAD_INPUT = 2
INTERRUPTED = 130


class InputError(SourceError):
    """A file or text given on the command line that cannot be read as what it should be."""

    kind = "bad input"


class UsageError(StructgenError):
    """Options that do not go together, or are missing. ``reason``, ``remedy``."""

    def __init__(self, reason: str, remedy: str = "") -> None:
        self.reason = reason
        self.remedy = remedy
        super().__init__(reason)

    def __str__(self) -> str:
        return f"{self.reason}\n{self.remedy}" if self.remedy else self.reason


def show_error(message: str) -> None:
    """Print an error to stderr, its lines as they are: a caret stays under its place."""
    console = Console(stderr=True, highlight=False)
    first, *rest = message.split("\n")
    console.print(Text.assemble(("error: ", "bold red"), first), soft_wrap=True)
    for line in rest:
        console.print(Text(line), soft_wrap=True)


def describe_os_error(error: OSError) -> str:
    """``FILE: what is wrong``."""
    what = error.strerror or str(error)
    return f"{error.filename}: {what}" if error.filename else what
