"""Escapes and classes (``[...]``) as the standard library's `re` reads them, with ``\\p{..}`` besides."""

from __future__ import annotations

import re
import sys
from functools import lru_cache

from structgen.charset import CharSet
from structgen.regex.classes import ecma_fold, python_class, python_fold, python_fold_char
from structgen.regex.construct import chars
from structgen.regex.groups import POSIX_CLASS, Parser
from structgen.regex.syntax import Regex
from structgen.untracked import untracked

_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\"}
_HEX = {"x": 2, "u": 4, "U": 8}
_HEXADECIMAL = {letter: re.compile(f"[0-9a-fA-F]{{1,{count}}}") for letter, count in _HEX.items()}
_DECIMAL = frozenset("0123456789")
_OCTAL = re.compile("[0-7]{1,3}")


@lru_cache(maxsize=2048)
@untracked
def class_node(source: str, ignore_case: bool, ascii_only: bool) -> Regex:
    """The class that ``source`` is. Errors tell the position in ``source``."""
    return _ClassParser(source, ignore_case, ascii_only).parse()


class EscapeParser(Parser):
    """Reads escapes that stand for characters."""

    def property_class(self, ignore_case: bool) -> CharSet:
        """The set of ``\\p{..}`` here, and past it."""
        begin = self.at
        charset = self.property(begin, loose=True)
        if charset is None:
            self.invalid(f"bad escape {self.pattern[begin : begin + 2]}", begin, "write \\p{..}")
        return ecma_fold(charset) if ignore_case else charset

    def code_point(self, in_class: bool) -> int:
        """The character that the escape here stands for, and past it."""
        pattern, begin = self.pattern, self.at
        letter = pattern[begin + 1 : begin + 2]
        self.at = begin + 2
        if not letter:
            self.invalid("bad escape (end of pattern)", begin, "write \\\\ for a backslash")
        if letter in _ESCAPES and (in_class or letter != "b"):
            return ord(_ESCAPES[letter])
        if letter in _HEX:
            digits = _HEXADECIMAL[letter].match(pattern, self.at)
            found = digits.group() if digits else ""
            self.at += len(found)
            if len(found) < _HEX[letter]:
                self.invalid(f"incomplete escape {pattern[begin : self.at]}", begin)
            if int(found, 16) > sys.maxunicode:
                self.invalid(f"bad escape {pattern[begin : self.at]}", begin)
            return int(found, 16)
        if letter == "N":
            return self._named_character(begin)
        if letter in _DECIMAL:
            octal = _OCTAL.match(pattern, begin + 1)
            if octal is None:
                self.invalid(f"bad escape \\{letter}", begin)
            self.at = octal.end()
            if int(octal.group(), 8) > 0o377:
                self.invalid(f"octal escape value \\{octal.group()} outside of range 0-0o377", begin)
            return int(octal.group(), 8)
        if letter.isascii() and letter.isalpha():
            self.invalid(f"bad escape \\{letter}", begin)
        return ord(letter)

    def _named_character(self, begin: int) -> int:
        import unicodedata

        if not self.pattern.startswith("{", self.at):
            self.invalid("missing {", self.at)
        self.at += 1
        name = self.name_until("}", "character name")
        try:
            return ord(unicodedata.lookup(name))
        except (KeyError, TypeError):  # TypeError: a sequence of several characters
            self.invalid(f"undefined character name {name!r}", begin)

    def name_until(self, terminator: str, what: str) -> str:
        begin = self.at
        while self.at < len(self.pattern) and self.pattern[self.at] != terminator:
            self.at += 2 if self.pattern[self.at] == "\\" else 1
        name = self.pattern[begin : self.at]
        if not name:
            self.invalid(f"missing {what}", min(self.at, len(self.pattern)))
        if self.at >= len(self.pattern):
            self.invalid(f"missing {terminator}, unterminated name", begin)
        self.at += 1
        return name


class _ClassParser(EscapeParser):
    """A class, from its opening bracket on: the whole of the pattern here."""

    def __init__(self, source: str, ignore_case: bool, ascii_only: bool) -> None:
        super().__init__(source)
        self._ignore_case = ignore_case
        self._ascii_only = ascii_only
        self._sets: list[CharSet] = []
        self._singles: dict[int, None] = {}
        self._ranges: list[tuple[int, int]] = []

    def parse(self) -> Regex:
        self.at = 1
        negated = self.pattern.startswith("^", 1)
        if negated:
            self.at = 2
        first = self.at
        while not (self.pattern.startswith("]", self.at) and self.at > first):
            self._member()
        self.at += 1
        self.check_supported()
        found = self._found()
        return chars(~found if negated else found)

    def _member(self) -> None:
        low, low_at = self._item(), self.item_at
        if not self.pattern.startswith("-", self.at):
            self._add(low)
            return
        self.at += 1
        if self.pattern.startswith("]", self.at):
            self._add(low)
            self._singles[ord("-")] = None
            return
        high, high_at = self._item(), self.item_at
        if isinstance(low, int) and isinstance(high, int) and low <= high:
            self._ranges.append((low, high))
            return
        this, that = self._token(low_at), self._token(high_at)
        self.invalid(f"bad character range {this}-{that}", self.at - len(this) - 1 - len(that))

    def _token(self, begin: int) -> str:
        return self.pattern[begin : begin + (2 if self.pattern[begin] == "\\" else 1)]

    def _add(self, item: int | CharSet) -> None:
        if isinstance(item, int):
            self._singles[item] = None
        else:
            self._sets.append(item)

    def _item(self) -> int | CharSet:
        """A character or a set, and past it."""
        pattern, begin = self.pattern, self.at
        self.item_at = begin
        if begin >= len(pattern):
            self.invalid("unterminated character set", 0, "close it with ], or write \\[ for the character")
        if pattern[begin] != "\\":
            if pattern[begin] == "[" and POSIX_CLASS.match(pattern, begin):
                remedy = "use \\p{..} or ranges; write \\[ for the character"
                self.unsupported("a POSIX class", begin, remedy)
            self.at += 1
            return ord(pattern[begin])
        letter = pattern[begin + 1 : begin + 2]
        if letter and letter in "dDsSwW":
            self.at += 2
            return python_class(letter, self._ascii_only)
        if letter and letter in "pP":
            return self.property_class(self._ignore_case)
        return self.code_point(in_class=True)

    def _found(self) -> CharSet:
        if not self._ignore_case:
            pairs = [(code_point, code_point) for code_point in self._singles] + self._ranges
            return CharSet.of([*pairs, *(pair for charset in self._sets for pair in charset.ranges)])
        if len(self._singles) == 1 and not self._sets and not self._ranges:
            return python_fold_char(*self._singles, self._ascii_only)  # `re` treats it as if it stood alone
        return python_fold(list(self._singles), self._ranges, self._sets, self._ascii_only)
