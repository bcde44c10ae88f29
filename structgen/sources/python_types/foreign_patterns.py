"""Patterns of pydantic's two dialects, Rust's regex crate and Python's re, as ECMA-262 reads them.

JSON Schema's ``pattern`` is ECMA-262, and the same text may mean another thing there: ``\\D`` takes the
digits of other scripts, ``[[:alpha:]]`` is a class and a bracket, ``\\A`` is the letter A. What comes out
here matches no text that the original does not match. Where the original matches more (``\\d`` is any
script's digit in both dialects, and [0-9] here), it is the usual meaning that stays.

Source: docs.rs/regex, "Syntax"; the documentation of Python's re; ECMA-262, section 22.2.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Dialect = Literal["rust", "python"]


class ForeignPatternError(ValueError):
    """A construct that ECMA-262 lacks or reads otherwise. ``construct``; ``offset`` into the pattern."""

    def __init__(self, construct: str, offset: int) -> None:
        self.construct = construct
        self.offset = offset
        super().__init__(construct, offset)


@dataclass(frozen=True, slots=True)
class _ClassEscapes:
    """What a class escape becomes: outside and inside brackets, where it may only match less (narrow) and
    where it must not match less, since it is negated (wide). None: cannot be said."""

    narrow: str | None
    narrow_inside: str | None
    wide: str | None
    wide_inside: str | None


_RUST_WORD = r"\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}"
_PYTHON_WORD = r"\p{L}\p{N}_"
_PYTHON_SPACE = r"\s\u0085\u001c-\u001f"
_DIGITS = _ClassEscapes("[0-9]", "0-9", r"\p{Nd}", r"\p{Nd}")
_NO_DIGITS = _ClassEscapes(r"\P{Nd}", r"\P{Nd}", r"\D", r"\D")
_SPACES = r"\t\n\v\f\r "
_ESCAPES: dict[Dialect, dict[str, _ClassEscapes]] = {
    "rust": {
        "d": _DIGITS,
        "D": _NO_DIGITS,
        "w": _ClassEscapes(r"\w", r"\w", f"[{_RUST_WORD}]", _RUST_WORD),
        "W": _ClassEscapes(f"[^{_RUST_WORD}]", None, r"\W", r"\W"),
        "s": _ClassEscapes(f"[{_SPACES}]", _SPACES, r"[\s\u0085]", r"\s\u0085"),
        "S": _ClassEscapes(r"[^\s\u0085]", r"\P{White_Space}", r"[\S\ufeff]", r"\S\ufeff"),
    },
    "python": {
        "d": _DIGITS,
        "D": _NO_DIGITS,
        "w": _ClassEscapes(r"\w", r"\w", f"[{_PYTHON_WORD}]", _PYTHON_WORD),
        "W": _ClassEscapes(f"[^{_PYTHON_WORD}]", None, r"\W", r"\W"),
        "s": _ClassEscapes(f"[{_SPACES}]", _SPACES, f"[{_PYTHON_SPACE}]", _PYTHON_SPACE),
        "S": _ClassEscapes(f"[^{_PYTHON_SPACE}]", None, r"[\S\ufeff]", r"\S\ufeff"),
    },
}
_BOUNDARY: dict[Dialect, str] = {"rust": f"[{_RUST_WORD}]", "python": f"[{_PYTHON_WORD}]"}
_CONTROLS = {"a": r"\x07", "f": r"\f", "n": r"\n", "r": r"\r", "t": r"\t", "v": r"\v"}
_PUNCTUATION = frozenset("!\"#$%&'()*+,-./:;=?@[\\]^_`{|}~ ")

_TOKEN = re.compile(
    r"""
    (?P<everything>\[\\(?:s\\S|S\\s|d\\D|D\\d|w\\W|W\\w)\])
  | (?P<category>\\(?P<sign>[pP])(?:\{(?P<long>[A-Z][a-z&]?)\}|(?P<short>[A-Z])))
  | (?P<code>\\(?:x(?P<x>[0-9a-fA-F]{2})|u(?P<u>[0-9a-fA-F]{4})|U(?P<U>[0-9a-fA-F]{8})
      |[xuU]\{(?P<braced>[0-9a-fA-F]{1,8})\}))
  | (?P<escape>\\.)
  | (?P<open>\((?:\?(?:P?<[A-Za-z_][A-Za-z0-9_]*>|:|<?[=!]))?(?!\?|\*))
  | (?P<class>\[\^?)
  | (?P<count>(?:[*+?]|\{(?P<low>[0-9]*)(?P<comma>,?)(?P<high>[0-9]*)\})\??)
  | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)


def ecma_pattern(pattern: str, dialect: Dialect) -> str:
    """The pattern for JSON Schema. Raises `ForeignPatternError`."""
    return _Translation(pattern, dialect).run()


class _Translation:
    def __init__(self, pattern: str, dialect: Dialect) -> None:
        self._pattern = pattern
        self._dialect = dialect
        self._at = 0
        # for each open group: must what is in it not match less, being under an odd number of negations
        self._wide = [False]

    def run(self) -> str:
        parts = []
        counted = False
        while self._at < len(self._pattern):
            token = self._next()
            if token["count"] is not None and _is_count(token):
                if counted:  # possessive in Python, repeated repeat in Rust
                    raise ForeignPatternError(token[0], self._at)
                counted = True
            else:
                counted = False
            self._at = token.end()
            parts.append(self._translated(token))
        return "".join(parts)

    def _next(self) -> re.Match[str]:
        token = _TOKEN.match(self._pattern, self._at)
        if token is None:  # a lone backslash at the end
            raise ForeignPatternError(self._pattern[self._at :], self._at)
        return token

    def _translated(self, token: re.Match[str]) -> str:
        if token["everything"] is not None:
            return r"[\s\S]"
        if token["category"] is not None or token["code"] is not None:
            return self._character(token)
        if token["escape"] is not None:
            return self._escape(token, inside=False, wide=self._wide[-1])
        if token["open"] is not None:
            negated = token["open"].endswith("!")
            self._wide.append(self._wide[-1] != negated)
            return "(?:" if token["open"].endswith(">") else token["open"]
        if token["class"] is not None:
            return self._class(token)
        if token["count"] is not None:
            if not _is_count(token):
                return r"\{" + token["count"][1:]
            return re.sub(r"^\{,", "{0,", token["count"])
        return self._plain(token)

    def _plain(self, token: re.Match[str]) -> str:
        text = token["other"]
        if text in "(\\":
            raise ForeignPatternError(self._pattern[token.start() : token.start() + 4], token.start())
        if text == ")" and len(self._wide) > 1:
            self._wide.pop()
        if text == ".":
            return r"[^\n]"
        if text == "$" and self._dialect == "python" and self._wide[-1]:
            return r"(?=\n?$)"
        return rf"\{text}" if text in "{}]" else text

    def _class(self, opening: re.Match[str]) -> str:
        negated = opening["class"].endswith("^")
        wide = self._wide[-1] != negated
        parts = [opening["class"]]
        begin = self._at
        while True:
            token = self._next()
            text = token[0]
            if text == "]" and self._at > begin:
                self._at = token.end()
                return "".join([*parts, "]"])
            pair = self._pattern[self._at : self._at + 2]
            if text[0] in "[]" or pair in ("&&", "--", "~~", "||"):
                raise ForeignPatternError(pair, self._at)
            if token["category"] is not None or token["code"] is not None:
                parts.append(self._character(token))
            elif token["escape"] is not None:
                parts.append(self._escape(token, inside=True, wide=wide))
            else:  # only the first character: in a class neither groups nor counts mean anything
                parts.append(text[0])
                self._at += 1
                continue
            self._at = token.end()

    def _character(self, token: re.Match[str]) -> str:
        if token["category"] is not None:
            return rf"\{token['sign']}{{{token['long'] or token['short']}}}"
        value = int(token["x"] or token["u"] or token["U"] or token["braced"], 16)
        if (self._dialect == "python" and token["braced"] is not None) or value > 0x10FFFF:
            raise ForeignPatternError(token[0], token.start())
        return rf"\u{value:04x}" if value < 0x10000 else rf"\u{{{value:x}}}"

    def _escape(self, token: re.Match[str], *, inside: bool, wide: bool) -> str:
        letter = token["escape"][1]
        known = _ESCAPES[self._dialect].get(letter)
        if known is not None:
            if inside:
                text = known.wide_inside if wide else known.narrow_inside
            else:
                text = known.wide if wide else known.narrow
            if text is not None:
                return text
        if letter in _CONTROLS:
            return _CONTROLS[letter]
        if letter in _PUNCTUATION:
            return token["escape"]
        if not inside and letter in "bB":
            word = _BOUNDARY[self._dialect]
            if letter == "b":
                return f"(?:(?<={word})(?!{word})|(?<!{word})(?={word}))"
            return f"(?:(?<={word})(?={word})|(?<!{word})(?!{word}))"
        if not inside and letter == "A":
            return "^"
        if not inside and letter == ("z" if self._dialect == "rust" else "Z"):
            return "$"
        raise ForeignPatternError(token["escape"], token.start())


def _is_count(token: re.Match[str]) -> bool:
    """Whether braces are a count and not just braces."""
    return token["count"][0] != "{" or bool(token["low"] or token["high"])
