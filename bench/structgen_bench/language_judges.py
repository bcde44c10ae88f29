"""Who judges a text of a builtin grammar: the language's own parser, or lark with the same grammar file.

Lark reads math, csv and smiles as they are, with its LALR parser and the lexer of the profile. Its lexers
take the first match in an order by theoretical length, and know no modes; the grammars of fol, c and java
mean the longest match, so there a lexer of a few lines cuts the text and lark's parser (Earley for c and
java, which are not LALR) judges it.
"""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from structgen_bench.language_oracles import Oracle, later_python_says, oracle_for

_NAMED = re.compile(r"^([A-Z]\w*)(?:\.\d+)?:", re.MULTILINE)
_LONGEST = {"fol": "lalr", "c": "earley", "java": "earley"}


def judge_of(grammar: str) -> tuple[str, Oracle]:
    """The judge's name, and the judge. Raises `BenchError` where the language's parser is not installed."""
    python = f"ast.parse of Python {sys.version_info[0]}.{sys.version_info[1]}"
    if grammar == "python":
        return f"{python}, then ruff (3.14)", later_python_says
    oracle = oracle_for(grammar)
    if oracle is not None:
        names = {
            "python3.11": python,
            "go": "gofmt -e",
            "sql": "SQLite's parser",
            "json": "Python's json",
        }
        return names[grammar], oracle
    parser = _LONGEST.get(grammar, "lalr")
    cut = "longest match" if grammar in _LONGEST else "its own lexer"
    return f"lark, {parser}, {cut}", functools.partial(_lark_says, grammar)


def _lark_says(grammar: str, text: str) -> str | None:
    from lark.exceptions import UnexpectedInput
    from structgen_grammars import profiles

    try:
        _lark(grammar).parse(text, start=profiles()[grammar].starts[0])
    except UnexpectedInput as error:
        return f"{type(error).__name__}: {error}"
    return None


@functools.cache
def _lark(grammar: str) -> Any:
    from lark import Lark
    from structgen_grammars import profiles

    profile = profiles()[grammar]
    start = list(profile.starts)  # all of them, so that the keywords of each are no names
    if grammar not in _LONGEST:
        return Lark(profile.text, parser="lalr", lexer=profile.lexer, start=start, regex=True)
    return Lark(
        profile.text,
        parser=_LONGEST[grammar],
        lexer=longest_match(grammar),
        start=start,
        regex=True,
        postlex=_KeepTerminals(tuple(_NAMED.findall(profile.text))),
    )


@dataclass(frozen=True)
class _KeepTerminals:
    """Has lark keep the terminals that no rule uses: reserved words, which are no names."""

    always_accept: tuple[str, ...]

    def process(self, stream: Iterator[Any]) -> Iterator[Any]:
        return stream


def longest_match(grammar: str) -> Any:
    """A lexer for lark: the longest match of all terminals, strings before regexes, priorities first."""
    import regex
    from lark.exceptions import UnexpectedCharacters
    from lark.lexer import Lexer, PatternStr, Token
    from structgen_grammars import profiles

    modes = profiles()[grammar].modes
    own = modes[0].patterns if modes else {}

    class LongestMatch(Lexer):
        def __init__(self, conf: Any) -> None:
            found = [
                (2 * one.priority + isinstance(one.pattern, PatternStr), one.name, one.pattern.to_regexp())
                for one in conf.terminals
                if one.name not in own
            ]
            found += [(0, name, pattern) for name, pattern in own.items()]
            found.sort(key=lambda entry: -entry[0])
            self._terminals = [(name, regex.compile(pattern)) for _, name, pattern in found]
            self._ignored = frozenset(conf.ignore)

        def lex(self, data: str) -> Iterator[Token]:  # type: ignore[override]
            place = 0
            while place < len(data):
                best, end = "", place
                for name, pattern in self._terminals:
                    match = pattern.match(data, place)
                    if match is not None and match.end() > end:
                        best, end = name, match.end()
                if not best:
                    raise UnexpectedCharacters(data, place, 1, place + 1)
                if best not in self._ignored:
                    yield Token(best, data[place:end], place)
                place = end

    return LongestMatch
