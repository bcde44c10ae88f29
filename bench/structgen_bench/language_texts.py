"""Texts of languages from files, and mutants of them: a lexeme deleted, doubled, or swapped with the next."""

from __future__ import annotations

import io
import random
import re
import sysconfig
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from structgen_bench.errors import BenchError

SUFFIXES = {
    "python": ".py",
    "python3.11": ".py",
    "go": ".go",
    "sql": ".sql",
    "c": ".c",
    "java": ".java",
    "json": ".json",
}
MOST_CHARACTERS = 30_000  # of a text that mutants are made of: an oracle reads each of them whole
PYTHONS = ("python", "python3.11")
_KINDS = ("deleted", "doubled", "swapped")
# Comments, strings, words and numbers, signs: near enough to the lexemes of all languages to cut well.
_LEXEMES = re.compile(
    r"(?P<skip>\s+|//[^\n]*|/\*.*?\*/|--[^\n]*)"
    r"|\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|`[^`]*`|\w+|[-+*/<>=!&|:^%]{1,2}|.",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Text:
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Mutant:
    """``text`` differs from a text of the language by ``kind``; ``place``: the character where it does."""

    name: str
    kind: str
    place: int
    text: str


def texts_of(grammar: str, folder: Path | None, data: Path | None) -> list[Text]:
    """The texts of ``folder`` (all files below it with the language's suffix; of ``.sql`` each line is one).

    Without a folder: the standard library for Python, ``DATA/code/NAME`` for the others. Raises `BenchError`.
    """
    if folder is None:
        folder = _default_folder(grammar, data)
    suffix = SUFFIXES.get(grammar, f".{grammar}")
    found = []
    for path in sorted(folder.rglob(f"*{suffix}")):
        text = read_text(path, grammar) if "site-packages" not in path.parts else None
        if text is None:
            continue
        name = path.relative_to(folder).as_posix()
        if grammar == "sql":
            lines = enumerate(text.splitlines(), 1)
            found += [Text(f"{name}:{number}", line) for number, line in lines if line.strip()]
        else:
            found.append(Text(name, text))
    if not found:
        raise BenchError(f"no {suffix} files in {folder.name!r}", "give a folder: --texts NAME=FOLDER")
    return found


def _default_folder(grammar: str, data: Path | None) -> Path:
    if grammar in PYTHONS:
        return Path(sysconfig.get_path("stdlib"))
    if data is None or not (data / "code" / grammar).is_dir():
        raise BenchError(
            f"no texts of {grammar}", f"give --data FOLDER with code/{grammar}, or --texts {grammar}=FOLDER"
        )
    return data / "code" / grammar


def read_text(path: Path, grammar: str) -> str | None:
    """A file's text in the encoding that it declares; None where it cannot be decoded."""
    try:
        if grammar in PYTHONS:
            with tokenize.open(path) as file:
                return file.read()
        return path.read_text(encoding="utf-8")
    except (SyntaxError, UnicodeDecodeError):
        return None


def mutants_of(texts: list[Text], grammar: str, seed: int) -> Iterator[Mutant]:
    """Mutants without end, five of a text, by the seed."""
    rng = random.Random(seed)
    short = [text for text in texts if 20 <= len(text.text) <= MOST_CHARACTERS]
    if not short:
        raise BenchError("no text is short enough to make mutants of", "give other --texts")
    while True:
        text = rng.choice(short)
        spans = lexemes(text.text, grammar)
        if len(spans) < 3:
            continue
        for _ in range(5):
            yield _mutant(text, spans, rng)


def _mutant(text: Text, spans: list[tuple[int, int]], rng: random.Random) -> Mutant:
    at = rng.randrange(len(spans) - 1)
    (first, end), (next_first, next_end) = spans[at], spans[at + 1]
    kind, whole = rng.choice(_KINDS), text.text
    if kind == "deleted":
        changed = whole[:first] + whole[end:]
    elif kind == "doubled":
        changed = f"{whole[:end]} {whole[first:end]}{whole[end:]}"
    else:
        between = whole[end:next_first]
        changed = whole[:first] + whole[next_first:next_end] + between + whole[first:end] + whole[next_end:]
    return Mutant(text.name, kind, first, changed)


def lexemes(text: str, grammar: str) -> list[tuple[int, int]]:
    """The places of a text's lexemes, without blanks and comments."""
    if grammar not in PYTHONS:
        found = _LEXEMES.finditer(text)
        return [match.span() for match in found if match["skip"] is None]
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    spans = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.string.strip() and token.type != tokenize.COMMENT:
                first = starts[token.start[0] - 1] + token.start[1]
                spans.append((first, starts[token.end[0] - 1] + token.end[1]))
    except (tokenize.TokenError, IndentationError, IndexError):
        return []
    return spans
