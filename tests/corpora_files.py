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


def cases(grammar: str, kind: str) -> Iterator[Case]:
    """The cases of a grammar of a kind: accept, reject or departures (texts with their sign)."""
    path = CORPORA / grammar / f"{kind}.txt"
    if not path.exists():
        return
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
