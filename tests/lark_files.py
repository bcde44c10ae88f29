"""Reader of ``tests/corpora/lark``: grammars as users of Lark write them, with texts, and Lark as oracle.

The first line of a grammar names Lark's parser and lexer; the texts are written as in the other corpora.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corpora_files import CORPORA, decoded
from lark import Lark
from lark.exceptions import UnexpectedInput

FOLDER = CORPORA / "lark"
NAMES = sorted(path.stem for path in FOLDER.glob("*.lark"))


@dataclass(frozen=True)
class Wild:
    """A grammar with the way to read it, and texts with the verdicts that are expected."""

    path: Path
    parser: str
    lexer: str
    texts: tuple[tuple[str, bool], ...]

    @functools.cached_property
    def lark(self) -> Any:
        return Lark(self.path.read_text(encoding="utf-8"), parser=self.parser, lexer=self.lexer, regex=True)

    def accepted_by_lark(self, text: str) -> bool:
        try:
            self.lark.parse(text)
        except UnexpectedInput:
            return False
        return True


@functools.cache
def wild(name: str) -> Wild:
    path = FOLDER / f"{name}.lark"
    _, parser, lexer = path.read_text(encoding="utf-8").split("\n", 1)[0].split()
    texts, verdict = [], True
    for line in path.with_suffix(".txt").read_text(encoding="utf-8").split("\n"):
        if line.startswith("== "):
            verdict = line == "== accept"
        elif line:
            texts.append((decoded(line).decode(), verdict))
    return Wild(path, parser, lexer, tuple(texts))


def mutants(text: str, random: Any, n: int) -> list[str]:
    """``n`` texts that differ from ``text`` by a character deleted, doubled, swapped or put in."""
    found = []
    for _ in range(n):
        at = random.randrange(max(1, len(text)))
        kind = random.randrange(4)
        if kind == 0:
            found.append(text[:at] + text[at + 1 :])
        elif kind == 1:
            found.append(text[: at + 1] + text[at : at + 1] + text[at + 1 :])
        elif kind == 2:
            found.append(text[:at] + text[at + 1 : at + 2] + text[at : at + 1] + text[at + 2 :])
        else:
            found.append(text[:at] + random.choice(text or "a") + text[at:])
    return found
