"""Patterns as ECMA-262 reads them, over code points: with the u flag, else as Annex B allows.

JSON Schema asks for the u flag, but schemas are full of what it forbids (``\\-``, ``\\_``, a lone ``]``).
Each construct is read as with u; where that is a syntax error and Annex B has a meaning for it, that one
holds. Source: ECMA-262, 16th edition, sections 22.2.1 and B.1.2.
"""

from __future__ import annotations

import re

from structgen.charset import ANY
from structgen.errors import InvalidRegexError, OptionError, UnsupportedRegexError
from structgen.regex.assertions import (
    Look,
    Node,
    line_end,
    line_start,
    no_word_boundary,
    text_end,
    text_start,
    word_boundary,
)
from structgen.regex.classes import LINE_TERMINATORS, ecma_class, ecma_fold
from structgen.regex.construct import chars, concat
from structgen.regex.ecma_classes import EscapeParser, class_node
from structgen.regex.groups import choice, repeated, series, text
from structgen.regex.syntax import EPSILON, Chars, Regex
from structgen.charset import CharSet

_IGNORE_CASE, _MULTILINE, _DOT_ALL = 1, 2, 4
_FLAGS = {"i": _IGNORE_CASE, "m": _MULTILINE, "s": _DOT_ALL}
_RUN = re.compile(r"[^\\.\[\](){}*+?^$|]+")
_CLASS = re.compile(r"\[(?:[^\]\\]|\\.)*\]", re.DOTALL)
_COUNT = re.compile(r"\{([0-9]+)(,?)([0-9]*)\}")
_NAME = re.compile(r"\(\?<(?![=!])")
_DECIMAL = re.compile("[1-9][0-9]*")
_REFERENCE = re.compile(r"<([^>]*)>")
_DOT = Chars(~LINE_TERMINATORS)
_ANY_CHARACTER = Chars(ANY)


class EcmaParser(EscapeParser):
    """One pattern, read once by `parse`."""

    def __init__(self, pattern: str, flags: str) -> None:
        self._flags = 0
        for letter in flags:
            if letter not in "imsu":
                raise OptionError("flags", flags, "letters of 'imsu'")
            self._flags |= _FLAGS.get(letter, 0)
        super().__init__(pattern, "u" in flags, _has_named_groups(pattern))
        self._names: dict[str, int] = {}
        self._n_groups: int | None = None

    def parse(self) -> Node:
        """The tree, assertions still in it. Raises `InvalidRegexError`, `UnsupportedRegexError`."""
        node = self._disjunction(self._flags)
        if self.at < len(self.pattern):
            self.invalid("unmatched )", self.at, "write \\) for the character")
        self.check_supported()
        return node

    def _disjunction(self, flags: int) -> Node:
        options = [self._alternative(flags)]
        while self.pattern.startswith("|", self.at):
            self.at += 1
            options.append(self._alternative(flags))
        return options[0] if len(options) == 1 else choice(options)

    def _alternative(self, flags: int) -> Node:
        pattern, end = self.pattern, len(self.pattern)
        parts: list[Node] = []
        while self.at < end:
            begin = self.at
            found = _RUN.match(pattern, begin)
            if found is not None:
                run, self.at = found.group(), found.end()
                if len(run) > 1 and self.at < end and pattern[self.at] in "*+?{":
                    parts.append(self._text(run[:-1], flags))  # a quantifier belongs to the last one alone
                    run = run[-1]
                parts.append(self._quantified(self._text(run, flags), self.at - 1))
                continue
            char = pattern[begin]
            if char in "|)":
                break
            if char in "*+?" or (char == "{" and _COUNT.match(pattern, begin)):
                self.invalid("nothing to repeat", begin, "write a backslash before it for the character")
            anchor = self._anchor(char, flags)
            if anchor is not None:
                parts.append(anchor)
                continue
            parts.append(self._quantified(self._atom(char, flags), begin))
        return series(parts) if parts else EPSILON

    def _atom(self, char: str, flags: int) -> Node:
        begin = self.at
        if char == "(":
            return self._group(flags)
        if char == "[":
            return self._class(flags)
        if char == "\\":
            return self._escape(flags)
        self.at += 1
        if char == ".":
            return _ANY_CHARACTER if flags & _DOT_ALL else _DOT
        self.only_without_u(f"lone {char}", begin, "write a backslash before it for the character")
        return text(char)  # ] or { or }

    def _anchor(self, char: str, flags: int) -> Node | None:
        """The assertion here that no quantifier may follow, and past it."""
        begin = self.at
        if char in "^$":
            self.at += 1
            if char == "^":
                return line_start(LINE_TERMINATORS, begin) if flags & _MULTILINE else text_start(begin)
            return line_end(LINE_TERMINATORS, begin) if flags & _MULTILINE else text_end(begin)
        if char == "\\" and self.pattern[begin + 1 : begin + 2] in ("b", "B"):
            self.at += 2
            word = ecma_class("w", bool(flags & _IGNORE_CASE))
            if self.pattern[begin + 1] == "b":
                return word_boundary(word, begin)
            return no_word_boundary(word, begin, in_empty_text=True)
        if self.pattern.startswith(("(?<=", "(?<!"), begin):
            negative = self.pattern[begin + 3] == "!"
            item = self._group_body(begin, begin + 4, flags)
            return Look(item, ahead=False, negative=negative, offset=begin)
        return None

    def _text(self, characters: str, flags: int) -> Regex:
        if not flags & _IGNORE_CASE:
            return text(characters)
        return concat(chars(ecma_fold(CharSet.of([(ord(c), ord(c))]))) for c in characters)

    def _quantified(self, item: Node, item_at: int) -> Node:
        pattern, begin = self.pattern, self.at
        char = pattern[begin : begin + 1]
        if not char or char not in "*+?{":
            return item
        if char == "{":
            count = _COUNT.match(pattern, begin)
            if count is None:
                return item
            low, comma, high = count.groups()
            minimum = int(low)
            maximum = (int(high) if high else None) if comma else minimum
            self.at = count.end()
            if maximum is not None and maximum < minimum:
                self.invalid("numbers out of order in quantifier", begin)
        else:
            minimum, maximum = (1 if char == "+" else 0), (1 if char == "?" else None)
            self.at += 1
        if isinstance(item, Look):
            self.only_without_u("nothing to repeat", begin, "an assertion cannot be repeated")
        if pattern.startswith("?", self.at):
            self.at += 1
        return repeated(item, minimum, maximum, item_at)

    def _escape(self, flags: int) -> Node:
        begin = self.at
        letter = self.pattern[begin + 1 : begin + 2]
        ignore_case = bool(flags & _IGNORE_CASE)
        charset = self.set_escape(ignore_case)
        if charset is not None:
            return Chars(charset)
        if letter == "k" and (self.named_groups or self.strict):
            return self._named_reference(begin)
        number = _DECIMAL.match(self.pattern, begin + 1)
        if number is not None:
            if int(number.group()) <= self._group_count():
                self.at = number.end()
                return self._reference(begin)
            self.only_without_u("invalid group reference", begin)
        return self._text(chr(self.code_point(in_class=False)), flags)

    def _named_reference(self, begin: int) -> Node:
        name = _REFERENCE.match(self.pattern, begin + 2)
        if name is None:
            self.invalid("invalid named reference", begin)
        if f"(?<{name.group(1)}>" not in self.pattern:
            self.invalid("invalid named capture referenced", begin)
        self.at = name.end()
        return self._reference(begin)

    def _reference(self, begin: int) -> Regex:
        remedy = "write out what the group matches, if that is one fixed text"
        return self.unsupported("a back-reference is not a regular language", begin, remedy)

    def _class(self, flags: int) -> Regex:
        begin = self.at
        found = _CLASS.match(self.pattern, begin)
        source = found.group() if found else self.pattern[begin:]
        self.at += len(source)
        try:
            return class_node(source, bool(flags & _IGNORE_CASE), self.strict, self.named_groups)
        except (InvalidRegexError, UnsupportedRegexError) as error:
            offset = begin + (error.position.offset if error.position else 0)
            raise type(error)(error.reason, text=self.pattern, offset=offset, remedy=error.remedy) from None

    def _group(self, flags: int) -> Node:
        pattern, begin = self.pattern, self.at
        if not pattern.startswith("?", begin + 1):
            return self._group_body(begin, begin + 1, flags)
        kind = pattern[begin + 2 : begin + 3]
        if kind == ":":
            return self._group_body(begin, begin + 3, flags)
        if kind and kind in "=!":
            item = self._group_body(begin, begin + 3, flags)
            return Look(item, ahead=True, negative=kind == "!", offset=begin)
        if kind == "<":
            return self._group_body(begin, self._group_name(begin), flags)
        if kind and kind in "ims-":
            return self._modified(begin, flags)
        remedy = "this is Python's syntax; ECMA-262 has (?<name>...)" if kind == "P" else ""
        self.invalid("invalid group", begin, remedy)
