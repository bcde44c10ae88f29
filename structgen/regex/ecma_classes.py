"""Escapes and classes (``[...]``) as ECMA-262 reads them: with the u flag, else as Annex B allows."""

from __future__ import annotations

import re
from functools import lru_cache

from structgen.charset import CharSet
from structgen.regex.classes import ecma_class, ecma_fold
from structgen.regex.construct import chars
from structgen.regex.groups import POSIX_CLASS, Parser
from structgen.regex.syntax import Regex
from structgen.untracked import untracked

SYNTAX_CHARACTERS = frozenset("^$\\.*+?()[]{}|/")
_CONTROLS = {"f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_HEX2 = re.compile("[0-9a-fA-F]{2}")
_HEX4 = re.compile("[0-9a-fA-F]{4}")
_BRACED = re.compile(r"\{([0-9a-fA-F]+)\}")
_TRAIL = re.compile(r"\\u([dD][c-fC-F][0-9a-fA-F]{2})")
_OCTAL = re.compile("[0-3][0-7]{0,2}|[4-7][0-7]?")  # LegacyOctalEscapeSequence
_MAX = 0x10FFFF


@lru_cache(maxsize=2048)
@untracked
def class_node(source: str, ignore_case: bool, strict: bool, named_groups: bool) -> Regex:
    """The class that ``source`` is. Errors tell the position in ``source``."""
    return _ClassParser(source, ignore_case, strict, named_groups).parse()


class EscapeParser(Parser):
    """Reads escapes that stand for characters or sets.

    ``strict``: the u flag's grammar alone. ``named_groups``: whether the pattern has any, in which case
    Annex B too has no ``\\k`` but for references.
    """

    def __init__(self, pattern: str, strict: bool, named_groups: bool) -> None:
        super().__init__(pattern)
        self.strict = strict
        self.named_groups = named_groups

    def only_without_u(self, reason: str, offset: int, remedy: str = "") -> None:
        """What the u flag forbids and Annex B allows."""
        if self.strict:
            self.invalid(reason, offset, remedy)

    def set_escape(self, ignore_case: bool) -> CharSet | None:
        """The set of ``\\d``, ``\\p{..}``, ... here, and past it; None for other escapes."""
        begin = self.at
        letter = self.pattern[begin + 1 : begin + 2]
        if letter and letter in "dDsSwW":
            self.at += 2
            return ecma_class(letter, ignore_case)
        if letter and letter in "pP":
            charset = self.property(begin, loose=False)
            if charset is None:
                self.only_without_u("invalid property name", begin, "write \\p{..}")
                return None
            return ecma_fold(charset) if ignore_case else charset
        return None

    def code_point(self, in_class: bool) -> int:
        """The character that the escape here stands for, and past it (CharacterEscape)."""
        pattern, begin = self.pattern, self.at
        letter = pattern[begin + 1 : begin + 2]
        self.at = begin + 2
        if not letter:
            self.invalid("\\ at end of pattern", begin, "write \\\\ for a backslash")
        if letter in _CONTROLS:
            return ord(_CONTROLS[letter])
        if in_class and letter == "b":
            return 8
        if letter in "xu":
            return self._hexadecimal(letter, begin)
        if letter == "c":
            return self._control(begin, in_class)
        if "0" <= letter <= "9":
            return self._digit(letter, begin)
        if letter == "k" and self.named_groups:
            self.invalid("invalid named reference", begin)
        if letter not in SYNTAX_CHARACTERS and not (in_class and letter == "-"):
            remedy = f"write {letter} without the backslash" if not letter.isalnum() else ""
            self.only_without_u("invalid escape", begin, remedy)
        return ord(letter)

    def _hexadecimal(self, letter: str, begin: int) -> int:
        pattern = self.pattern
        braced = _BRACED.match(pattern, self.at) if letter == "u" else None
        if braced is not None and int(braced.group(1), 16) <= _MAX:
            self.at = braced.end()
            return int(braced.group(1), 16)
        if braced is not None:
            self.invalid("undefined Unicode code point", begin, "the largest is \\u{10FFFF}")
        digits = (_HEX2 if letter == "x" else _HEX4).match(pattern, self.at)
        if digits is None:
            count = 2 if letter == "x" else 4
            self.only_without_u("invalid hexadecimal escape", begin, f"write {count} hex digits")
            return ord(letter)
        self.at = digits.end()
        value = int(digits.group(), 16)
        if letter == "u" and 0xD800 <= value < 0xDC00:
            trail = _TRAIL.match(pattern, self.at)
            if trail is not None:
                self.at = trail.end()
                return 0x10000 + ((value - 0xD800) << 10) + (int(trail.group(1), 16) - 0xDC00)
        return value

    def _control(self, begin: int, in_class: bool) -> int:
        letter = self.pattern[self.at : self.at + 1]
        if letter.isascii() and letter.isalpha():
            self.at += 1
            return ord(letter) % 32
        self.only_without_u("invalid control escape", begin, "write \\cA .. \\cZ")
        if in_class and letter.isascii() and (letter.isdigit() or letter == "_"):
            self.at += 1
            return ord(letter) % 32
        self.at = begin + 1  # the backslash stands for itself, and c comes next
        return ord("\\")

    def _digit(self, letter: str, begin: int) -> int:
        after = self.pattern[self.at : self.at + 1]
        if letter == "0" and not ("0" <= after <= "9"):
            return 0
        self.only_without_u("invalid decimal escape", begin)
        octal = _OCTAL.match(self.pattern, begin + 1)
        if octal is None:  # 8 and 9 stand for themselves
            return ord(letter)
        self.at = octal.end()
        return int(octal.group(), 8)


class _ClassParser(EscapeParser):
    """A class, from its opening bracket on: the whole of the pattern here."""

    def __init__(self, source: str, ignore_case: bool, strict: bool, named_groups: bool) -> None:
        super().__init__(source, strict, named_groups)
        self._ignore_case = ignore_case
        self._pairs: list[tuple[int, int]] = []

    def parse(self) -> Regex:
        negated = self.pattern.startswith("^", 1)
        self.at = 2 if negated else 1
        while not self.pattern.startswith("]", self.at):
            self._member()
        self.at += 1
        self.check_supported()
        found = CharSet.of(self._pairs)
        if self._ignore_case:
            found = ecma_fold(found)
        return chars(~found if negated else found)

    def _member(self) -> None:
        begin = self.at
        low = self._item()
        follows = self.pattern[self.at : self.at + 2]
        if not follows.startswith("-") or follows == "-]":
            self._add(low)
            return
        self.at += 1
        high = self._item()
        if isinstance(low, int) and isinstance(high, int):
            if high < low:
                self.invalid("range out of order in character class", begin)
            self._pairs.append((low, high))
            return
        self.only_without_u("invalid character class", begin, "write \\- for the character, or put it last")
        for item in (low, ord("-"), high):
            self._add(item)

    def _add(self, item: int | CharSet) -> None:
        if isinstance(item, int):
            self._pairs.append((item, item))
        else:
            self._pairs += item.ranges

    def _item(self) -> int | CharSet:
        pattern, begin = self.pattern, self.at
        if begin >= len(pattern):
            self.invalid("unterminated character class", 0, "close it with ], or write \\[ for the character")
        if pattern[begin] != "\\":
            if pattern[begin] == "[" and POSIX_CLASS.match(pattern, begin):
                remedy = "use \\p{..} or ranges; write \\[ for the character"
                self.unsupported("a POSIX class", begin, remedy)
            self.at += 1
            return ord(pattern[begin])
        charset = self.set_escape(self._ignore_case)
        return self.code_point(in_class=True) if charset is None else charset
