"""Patterns as ECMA-262 reads them, over code points: with the u flag, else as Annex B allows.

JSON Schema asks for the u flag, but schemas are full of what it forbids (``\\-``, ``\\_``, a lone ``]``).
Each construct is read as with u; where that is a syntax error and Annex B has a meaning for it, that one
holds. Two are refused all the same, because nobody means what Annex B makes of them: ``\\p{..}`` with an
unknown name and ``\\u{..}`` beyond the last code point.

Source: ECMA-262, 16th edition, sections 22.2.1 and B.1.2.
"""

from __future__ import annotations

import re

from structgen.charset import ANY, CharSet
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
from structgen.regex.properties import property_set
from structgen.regex.syntax import EPSILON, Chars, Regex

_IGNORE_CASE, _MULTILINE, _DOT_ALL = 1, 2, 4
_FLAGS = {"i": _IGNORE_CASE, "m": _MULTILINE, "s": _DOT_ALL}
_RUN = re.compile(r"[^\\.\[\](){}*+?^$|]+")
_CLASS = re.compile(r"\[(?:[^\]\\]|\\.)*\]", re.DOTALL)
_COUNT = re.compile(r"\{([0-9]+)(,?)([0-9]*)\}")
_GROUP_START = re.compile(r"\\.|\[(?:\\.|[^\]\\])*\]|(?P<group>\((?!\?)|(?P<named>\(\?<(?![=!])))", re.DOTALL)
_MAX_DIGITS = 18  # of a count; Python converts only so many, and no automaton has that many states
_DECIMAL = re.compile("[1-9][0-9]*")
_REFERENCE = re.compile(r"<([^>]*)>")
_NAME_ESCAPE = re.compile(
    r"\\u\{([0-9a-fA-F]{1,6})\}|\\u([0-9a-fA-F]{4})(?:\\u([dD][c-fC-F][0-9a-fA-F]{2}))?"
)
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
        # where each group name stands: the alternatives around it, outermost first
        self._names: dict[str, list[list[tuple[int, int]]]] = {}
        self._alternatives: list[tuple[int, int]] = []
        self._referenced_names: dict[str, int] = {}

    def parse(self) -> Node:
        """The tree, assertions still in it. Raises `InvalidRegexError`, `UnsupportedRegexError`."""
        node = self._disjunction(self._flags)
        if self.at < len(self.pattern):
            self.invalid("unmatched )", self.at, "write \\) for the character")
        for name, offset in self._referenced_names.items():
            if name not in self._names:
                self.invalid("invalid named capture referenced", offset)
        self.check_supported()
        return node

    def _disjunction(self, flags: int) -> Node:
        begin = self.at
        self._alternatives.append((begin, 0))
        options = [self._alternative(flags)]
        while self.pattern.startswith("|", self.at):
            self.at += 1
            self._alternatives[-1] = (begin, len(options))
            options.append(self._alternative(flags))
        self._alternatives.pop()
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
            low, comma, high = (part.lstrip("0") or part[:1] for part in count.groups())
            if max(len(low), len(high)) > _MAX_DIGITS:
                self.unsupported(f"a count of more than {_MAX_DIGITS} digits", begin)
                low = high = "1"
            minimum = int(low)
            maximum = (int(high) if high else None) if comma else minimum
            self.at = count.end()
            if maximum is not None and maximum < minimum:
                self.invalid("numbers out of order in quantifier", begin)
        else:
            minimum, maximum = (1 if char == "+" else 0), (1 if char == "?" else None)
            self.at += 1
        if pattern.startswith(("(?=", "(?!"), item_at):
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
            if len(number.group()) <= _MAX_DIGITS and int(number.group()) <= self._group_count():
                self.at = number.end()
                return self._reference(begin)
            self.only_without_u("invalid group reference", begin)
        return self._text(chr(self.code_point(in_class=False)), flags)

    def _named_reference(self, begin: int) -> Node:
        name = _REFERENCE.match(self.pattern, begin + 2)
        if name is None:
            self.invalid("invalid named reference", begin)
        self.at = name.end()
        self._referenced_names.setdefault(_decoded(name.group(1)), begin)
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

    def _group_body(self, begin: int, inner: int, flags: int) -> Node:
        """What is between ``inner`` and the closing parenthesis, and past it."""
        self.enter_group(begin)
        self.at = inner
        node = self._disjunction(flags)
        if not self.pattern.startswith(")", self.at):
            self.invalid("unterminated group", begin, "close it with ), or write \\( for the character")
        self.at += 1
        self.depth -= 1
        return node

    def _group_name(self, begin: int) -> int:
        """Registers the name of the group here; returns where the group's content begins."""
        end = self.pattern.find(">", begin)
        name = _decoded(self.pattern[begin + 3 : end]) if end > 0 else ""
        if not _is_name(name):
            self.invalid("invalid capture group name", begin + 3)
        here = list(self._alternatives)
        for other in self._names.get(name, []):
            # two groups may share a name if no match passes through both (ECMA-262, 2025)
            if not any(a[0] == b[0] and a[1] != b[1] for a, b in zip(here, other, strict=False)):
                self.invalid("duplicate capture group name", begin + 3)
        self._names.setdefault(name, []).append(here)
        return end + 1

    def _modified(self, begin: int, flags: int) -> Node:
        """``(?ims-ims:...)``."""
        added, removed, end = 0, 0, begin + 2
        seen: set[str] = set()
        minus = False
        while (letter := self.pattern[end : end + 1]) and letter in "ims-" and letter not in seen:
            seen.add(letter)
            if letter == "-":
                minus = True
            elif minus:
                removed |= _FLAGS[letter]
            else:
                added |= _FLAGS[letter]
            end += 1
        if letter != ":" or seen == {"-"}:
            remedy = "flags for a part are (?i:...); for the whole pattern they are given beside it"
            self.invalid("invalid group", begin, remedy)
        return self._group_body(begin, end + 1, (flags | added) & ~removed)

    def _group_count(self) -> int:
        return sum(1 for start in _GROUP_START.finditer(self.pattern) if start["group"])


def _has_named_groups(pattern: str) -> bool:
    return "(?<" in pattern and any(start["named"] for start in _GROUP_START.finditer(pattern))


def _decoded(name: str) -> str:
    """A group name with its Unicode escapes replaced."""

    def character(escape: re.Match[str]) -> str:
        braced, lead, trail = escape.groups()
        if braced:
            return chr(int(braced, 16)) if int(braced, 16) <= 0x10FFFF else escape.group()
        first = int(lead, 16)
        if not trail:
            return chr(first)
        if 0xD800 <= first < 0xDC00:
            return chr(0x10000 + ((first - 0xD800) << 10) + (int(trail, 16) - 0xDC00))
        return chr(first) + chr(int(trail, 16))

    return _NAME_ESCAPE.sub(character, name)


def _is_name(name: str) -> bool:
    """Whether it is a RegExpIdentifierName."""
    if name.isascii():
        return name.replace("$", "_").isidentifier()
    starts, continues = property_set("ID_Start"), property_set("ID_Continue")
    return (name[0] in "$_" or ord(name[0]) in starts) and all(
        char in "$_\u200c\u200d" or ord(char) in continues for char in name[1:]
    )
