"""Reader of ``tests/corpora``: see its README."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CORPORA = Path(__file__).parent / "corpora"
_MARKS = str.maketrans({"⏎": "\n", "⇥": "\t", "␍": "\r", "␌": "\f", "␀": "\0", "␠": " ", "∅": None})
_PARTS = re.compile(r"⟨([0-9a-f ]*)⟩|⟪(.*?)×([0-9]+)⟫")


@dataclass(frozen=True)
class Case:
    grammar: str
    shows: str
    start: str | None
    text: bytes
    written: str

    @property
    def id(self) -> str:
        return f"{self.grammar}: {self.shows}: {self.written[:40]}"


# What 3.11 refuses and later versions read has a file of its own, with the cases of both: accepted, refused.
_FILES = {
    ("python", "accept"): ("python/accept", "python/later"),
    ("python3.11", "accept"): ("python/accept",),
    ("python3.11", "reject"): ("python/reject", "python/later"),
    ("python3.11", "departures"): ("python/departures",),
}


def cases(grammar: str, kind: str) -> Iterator[Case]:
    """The cases of a grammar of a kind: accept, reject or departures (texts with their sign)."""
    for name in _FILES.get((grammar, kind), (f"{grammar}/{kind}",)):
        path = CORPORA / f"{name}.txt"
        if path.exists():
            yield from _cases(grammar, path)


def _cases(grammar: str, path: Path) -> Iterator[Case]:
    shows, start = "", None
    for line in path.read_text(encoding="utf-8").split("\n"):
        if line.startswith("== "):
            match = re.fullmatch(r"== (.*?)(?: \[(\w+)\])?", line)
            shows, start = match[1], match[2]
        elif line:
            yield Case(grammar, shows, start, decoded(line), line)


def decoded(written: str) -> bytes:
    """The bytes that a line stands for."""
    out, place = b"", 0
    for match in _PARTS.finditer(written):
        out += _plain(written[place : match.start()])
        out += bytes.fromhex(match[1]) if match[1] is not None else _plain(match[2]) * int(match[3])
        place = match.end()
    return out + _plain(written[place:])


def _plain(written: str) -> bytes:
    return written.translate(_MARKS).encode()
