"""Patterns as the standard library's `re` reads them (for str), with ``\\p{..}`` besides.

What `re.compile` refuses is refused, with its message and position. Its optimiser's oddity is not followed:
with IGNORECASE it makes a class of ``\\U00010400|x`` and then cannot find that letter.
"""

from __future__ import annotations

import re
import sys
from functools import lru_cache

from structgen.charset import ANY
from structgen.errors import InvalidRegexError, OptionError, UnsupportedRegexError
from structgen.regex.assertions import (
    Look,
    Node,
    end_or_last_newline,
    line_end,
    line_start,
    no_word_boundary,
    text_end,
    text_start,
    widths,
    word_boundary,
)
from structgen.regex.classes import NEWLINE, python_class, python_fold_char
from structgen.regex.construct import chars, concat
from structgen.regex.groups import choice, repeated, series, text, without_backtracking
from structgen.regex.python_classes import EscapeParser, class_node
from structgen.regex.syntax import EPSILON, Chars, Literal, Regex

_IGNORECASE, _MULTILINE, _DOTALL, _VERBOSE, _ASCII, _UNICODE, _LOCALE = 1, 2, 4, 8, 16, 32, 64
_FLAGS = {
    "i": _IGNORECASE,
    "m": _MULTILINE,
    "s": _DOTALL,
    "x": _VERBOSE,
    "a": _ASCII,
    "u": _UNICODE,
    "L": _LOCALE,
}
_TYPE_FLAGS = _ASCII | _UNICODE | _LOCALE
_MAXREPEAT = 4294967295  # `re` refuses this and more
_MAXCODE = 4294967295
_WHITESPACE = " \t\n\r\v\f"
_RUN = re.compile(r"[^\\.\[{()*+?^$|]+")
_VERBOSE_RUN = re.compile(r"[^\\.\[{()*+?^$|# \t\n\r\v\f]+")
_CLASS = re.compile(r"\[\^?+\]?+(?:[^\]\\]|\\.)*+\]", re.DOTALL)
_COUNT = re.compile(r"\{(?!\})([0-9]*)(,?)([0-9]*)\}")
_DECIMAL = frozenset("0123456789")
_THREE_OCTAL = re.compile("[0-7]{3}")
_TWO_DIGITS = re.compile("[0-9]{1,2}")
_HAS_LOWER_Z = sys.version_info >= (3, 14)
_DOT = Chars(~NEWLINE)
_ANY_CHARACTER = Chars(ANY)


@lru_cache(maxsize=1)
def _no_boundary_in_empty_text() -> bool:
    """Whether ``\\B`` holds in the empty text: it does from Python 3.14 on."""
    return re.search(r"\B", "") is not None


def _is_anchor(pattern: str, begin: int) -> bool:
    return pattern[begin] in "^$" or (pattern[begin] == "\\" and pattern[begin + 1] in "AbBZz")


class PythonParser(EscapeParser):
    """One pattern, read once by `parse`."""

    def __init__(self, pattern: str, flags: str) -> None:
        super().__init__(pattern)
        self._flags = 0
        for letter in flags:
            if letter not in "aimsux":
                raise OptionError("flags", flags, "letters of 'aimsux'")
            self._flags |= _FLAGS[letter]
        self._groups = 1
        self._closed: set[int] = set()
        self._names: dict[str, int] = {}
        self._open_lookbehind: int | None = None  # groups there were when the outermost one began
        self._conditions: dict[int, int] = {}
        self._bad_lookbehind: tuple[str, int] | None = None

    def parse(self) -> Node:
        """The tree, assertions still in it. Raises `InvalidRegexError`, `UnsupportedRegexError`."""
        node = self._disjunction(self._flags, top=True)
        if self.at < len(self.pattern):
            self.invalid("unbalanced parenthesis", self.at, "write \\) for the character")
        if self._flags & _ASCII and self._flags & _UNICODE:
            self.invalid("ASCII and UNICODE flags are incompatible", 0)
        for group, offset in self._conditions.items():
            if group >= self._groups:
                self.invalid(f"invalid group reference {group}", offset)
        if self._bad_lookbehind is not None:
            self.invalid(*self._bad_lookbehind)
        self.check_supported()
        return node

    def _disjunction(self, flags: int, top: bool = False) -> Node:
        options = [self._alternative(flags, may_set_flags=top)]
        while self.pattern.startswith("|", self.at):
            self.at += 1
            options.append(self._alternative(self._flags if top else flags))
        return options[0] if len(options) == 1 else choice(options)

    def _alternative(self, flags: int, may_set_flags: bool = False) -> Node:
        pattern, end = self.pattern, len(self.pattern)
        parts: list[Node] = []
        run = ""  # the last part, if it is a run of characters
        part_at = 0  # where the item of a quantifier begins
        may_repeat, why_not = False, "nothing to repeat"
        while self.at < end:
            if may_set_flags and not parts:
                flags = self._flags
            begin = self.at
            found = (_VERBOSE_RUN if flags & _VERBOSE else _RUN).match(pattern, begin)
            if found is not None:
                run, self.at = found.group(), found.end()
                part_at = self.at - 1
                parts.append(self._text(run, flags))
                may_repeat = True
                continue
            char = pattern[begin]
            if char in "|)":
                break
            if flags & _VERBOSE and (char in _WHITESPACE or char == "#"):
                self._skip(char)
                continue
            if char in "*+?{":
                bounds = self._bounds(char)
                if bounds is None:  # a brace that begins no quantifier
                    self.at = begin + 1
                    parts.append(Literal(char))
                    run, part_at, may_repeat = char, begin, True
                    continue
                if not may_repeat:
                    self.invalid(why_not, begin, "write a backslash before it for the character")
                if len(run) > 1:  # the quantifier belongs to the last character alone
                    parts[-1:] = [self._text(run[:-1], flags), self._text(run[-1], flags)]
                run = ""
                parts[-1] = self._quantified(parts[-1], *bounds, part_at, begin)
                may_repeat, why_not = False, "multiple repeat"
                continue
            part = self._group(flags, may_set_flags and not parts) if char == "(" else self._atom(char, flags)
            if part is None:  # a comment or flags
                continue
            parts.append(part)
            run, part_at = "", begin
            may_repeat, why_not = not _is_anchor(pattern, begin), "nothing to repeat"
        return series(parts) if parts else EPSILON

    def _atom(self, char: str, flags: int) -> Node:
        begin = self.at
        if char == "[":
            return self._class(flags)
        if char == "\\":
            return self._escape(flags)
        self.at += 1
        if char == ".":
            return _ANY_CHARACTER if flags & _DOTALL else _DOT
        if char == "^":
            return line_start(NEWLINE, begin) if flags & _MULTILINE else text_start(begin)
        return line_end(NEWLINE, begin) if flags & _MULTILINE else end_or_last_newline(begin)

    def _skip(self, char: str) -> None:
        """Past white space or a comment, which an escaped newline does not end."""
        self.at += 1
        while char == "#" and self.at < len(self.pattern):
            here = self.pattern[self.at]
            self.at += 2 if here == "\\" else 1
            if self.at > len(self.pattern):
                self.invalid("bad escape (end of pattern)", self.at - 2)
            if here == "\n":
                break

    def _text(self, characters: str, flags: int) -> Regex:
        if not flags & _IGNORECASE:
            return text(characters)
        ascii_only = bool(flags & _ASCII)
        return concat(chars(python_fold_char(ord(c), ascii_only)) for c in characters)

    def _bounds(self, char: str) -> tuple[int, int | None] | None:
        """The counts of the quantifier here, and past it; None for a brace that begins none."""
        if char != "{":
            self.at += 1
            return (1 if char == "+" else 0), (1 if char == "?" else None)
        begin = self.at
        count = _COUNT.match(self.pattern, begin)
        if count is None:
            return None
        self.at = count.end()
        low, comma, high = count.groups()
        if not comma:
            high = low
        for bound in (low, high):
            digits = bound.lstrip("0")
            if len(digits) > 10 or int(digits or 0) >= _MAXREPEAT:
                self.invalid("the repetition number is too large", begin + 1, f"use less than {_MAXREPEAT}")
        minimum, maximum = int(low or 0), int(high) if high else None
        if maximum is not None and maximum < minimum:
            self.invalid("min repeat greater than max repeat", begin + 1)
        return minimum, maximum

    def _quantified(self, item: Node, minimum: int, maximum: int | None, item_at: int, begin: int) -> Node:
        node = repeated(item, minimum, maximum, item_at)
        if self.pattern.startswith("?", self.at):
            self.at += 1
        elif self.pattern.startswith("+", self.at):
            self.at += 1
            possessive = without_backtracking(node, begin)
            if possessive is None:
                remedy = "leave out the + after the quantifier if both match the same"
                return self.unsupported("a possessive quantifier on what has several lengths", begin, remedy)
            return possessive
        return node

    def _escape(self, flags: int) -> Node:
        begin = self.at
        letter = self.pattern[begin + 1 : begin + 2]
        ascii_only = bool(flags & _ASCII)
        if letter and letter in "dDsSwW":
            self.at += 2
            return Chars(python_class(letter, ascii_only))
        if letter and letter in "AbBZz" and (letter != "z" or _HAS_LOWER_Z):
            self.at += 2
            if letter == "A":
                return text_start(begin)
            if letter in "Zz":
                return text_end(begin)
            word = python_class("w", ascii_only)
            if letter == "b":
                return word_boundary(word, begin)
            return no_word_boundary(word, begin, in_empty_text=_no_boundary_in_empty_text())
        if letter and letter in "pP":
            return Chars(self.property_class(bool(flags & _IGNORECASE)))
        if letter in _DECIMAL and letter != "0":
            reference = self._reference()
            if reference is not None:
                return reference
        return self._text(chr(self.code_point(in_class=False)), flags)

    def _reference(self) -> Node | None:
        """The back-reference here; None if the digits are an octal escape."""
        begin = self.at
        digits = _TWO_DIGITS.match(self.pattern, begin + 1)
        number = digits.group() if digits else ""
        if _THREE_OCTAL.match(self.pattern, begin + 1):
            return None
        self.at = begin + 1 + len(number)
        group = int(number)
        if group >= self._groups:
            self.invalid(f"invalid group reference {group}", begin + 1)
        return self._referenced(group, begin, begin)

    def _referenced(self, group: int, begin: int, name_at: int) -> Node:
        if group not in self._closed:
            self.invalid("cannot refer to an open group", name_at)
        self._check_lookbehind(group)
        remedy = "write out what the group matches, if that is one fixed text"
        return self.unsupported("a back-reference is not a regular language", begin, remedy)

    def _check_lookbehind(self, group: int) -> None:
        if self._open_lookbehind is None:
            return
        if group not in self._closed:
            self.invalid("cannot refer to an open group", self.at)
        if group >= self._open_lookbehind:
            self.invalid("cannot refer to group defined in the same lookbehind subpattern", self.at)

    def _class(self, flags: int) -> Regex:
        begin = self.at
        found = _CLASS.match(self.pattern, begin)
        source = found.group() if found else self.pattern[begin:]
        self.at += len(source)
        try:
            return class_node(source, bool(flags & _IGNORECASE), bool(flags & _ASCII))
        except (InvalidRegexError, UnsupportedRegexError) as error:
            offset = begin + (error.position.offset if error.position else 0)
            raise type(error)(error.reason, text=self.pattern, offset=offset, remedy=error.remedy) from None

    def _group(self, flags: int, may_set_flags: bool) -> Node | None:
        """The group here, and past it. None for a comment or flags for the whole pattern."""
        pattern, begin = self.pattern, self.at
        self.enter_group(begin)
        self.at += 1
        name = None
        captures = True
        kind = ""
        if pattern.startswith("?", self.at):
            captures = False
            kind = pattern[self.at + 1 : self.at + 2]
            self.at += 2
            if not kind:
                self.invalid("unexpected end of pattern", len(pattern))
            if kind == "P":
                name_at = self.at + 1
                name = self._python_extension(begin)
                if name is None:
                    node = self._named_reference(begin, name_at)
                    self.depth -= 1
                    return node
                captures = True
            elif kind == "<":
                kind = "<" + pattern[self.at : self.at + 1]
                self.at += 1
                if kind == "<":
                    self.invalid("unexpected end of pattern", len(pattern))
                if kind not in ("<=", "<!"):
                    self.invalid(f"unknown extension ?{kind}", begin + 1, "a named group is (?P<name>...)")
            elif kind == "#":
                self._comment(begin)
                self.depth -= 1
                return None
            elif kind == "(":
                node = self._conditional(flags, begin)
                self.depth -= 1
                return node
            elif kind in _FLAGS or kind == "-":
                scoped = self._inline_flags(flags, begin, may_set_flags)
                if scoped is None:
                    self.depth -= 1
                    return None
                flags = scoped
            elif kind not in (":", "=", "!", ">"):
                self.invalid(f"unknown extension ?{kind}", begin + 1)
        number = self._open(name) if captures else 0
        outermost = kind in ("<=", "<!") and self._open_lookbehind is None
        if outermost:
            self._open_lookbehind = self._groups
        node = self._disjunction(flags)
        if outermost:
            self._open_lookbehind = None
        if not pattern.startswith(")", self.at):
            self.invalid("missing ), unterminated subpattern", begin)
        self.at += 1
        self.depth -= 1
        if captures:
            self._closed.add(number)
            return node
        return self._assertion_or_atom(kind, node, begin)

    def _assertion_or_atom(self, kind: str, node: Node, begin: int) -> Node:
        if kind in ("=", "!"):
            return Look(node, ahead=True, negative=kind == "!", offset=begin)
        if kind in ("<=", "<!"):
            if not self.anything_unsupported and self._bad_lookbehind is None:
                least, most = widths(node)
                if least != most:
                    self._bad_lookbehind = ("look-behind requires fixed-width pattern", begin)
                elif least > _MAXCODE:
                    self._bad_lookbehind = ("looks too much behind", begin)
            return Look(node, ahead=False, negative=kind == "<!", offset=begin)
        if kind == ">":
            atomic = without_backtracking(node, begin)
            if atomic is None:
                return self.unsupported(
                    "an atomic group of what has several lengths", begin, "use (?:...) if both match the same"
                )
            return atomic
        return node

    def _open(self, name: str | None) -> int:
        number = self._groups
        self._groups += 1
        if name is not None:
            if name in self._names:
                was = f"as group {number}; was group {self._names[name]}"
                self.invalid(f"redefinition of group name {name!r} {was}", self.at - len(name) - 1)
            self._names[name] = number
        return number

    def _python_extension(self, begin: int) -> str | None:
        """The name of ``(?P<name>``, past it; None at ``(?P=``."""
        kind = self.pattern[self.at : self.at + 1]
        self.at += 1
        if kind == "=":
            return None
        if kind != "<":
            if not kind:
                self.invalid("unexpected end of pattern", len(self.pattern))
            self.invalid(f"unknown extension ?P{kind}", begin + 1)
        return self._group_name(">")

    def _group_name(self, terminator: str) -> str:
        begin = self.at
        name = self.name_until(terminator, "group name")
        if not name.isidentifier():
            self.invalid(f"bad character in group name {name!r}", begin)
        return name

    def _named_reference(self, begin: int, name_at: int) -> Node:
        name = self._group_name(")")
        if name not in self._names:
            self.invalid(f"unknown group name {name!r}", name_at)
        return self._referenced(self._names[name], begin, name_at)

    def _comment(self, begin: int) -> None:
        while self.at < len(self.pattern):
            here = self.pattern[self.at]
            self.at += 2 if here == "\\" else 1
            if here == ")":
                return
        self.invalid("missing ), unterminated comment", begin)

    def _conditional(self, flags: int, begin: int) -> Node:
        name_at = self.at
        name = self.name_until(")", "group name")
        if name.isidentifier():
            if name not in self._names:
                self.invalid(f"unknown group name {name!r}", name_at)
            group = self._names[name]
        else:
            group = self._group_number(name, name_at)
            self._conditions.setdefault(group, name_at)
        self._check_lookbehind(group)
        self._alternative(flags)
        if self.pattern.startswith("|", self.at):
            self.at += 1
            self._alternative(flags)
            if self.pattern.startswith("|", self.at):
                self.invalid("conditional backref with more than two branches", self.at)
        if not self.pattern.startswith(")", self.at):
            self.invalid("missing ), unterminated subpattern", begin)
        self.at += 1
        return self.unsupported("a conditional on a group", begin, "write out both cases as alternatives")

    def _group_number(self, name: str, name_at: int) -> int:
        try:
            group = int(name)
        except ValueError:
            group = -1
        if group < 0:
            self.invalid(f"bad character in group name {name!r}", name_at)
        if group == 0:
            self.invalid("bad group number", name_at)
        return group

    def _inline_flags(self, flags: int, begin: int, may_set_flags: bool) -> int | None:
        """The flags inside ``(?flags-flags:``, past the colon. None for ``(?flags)``, which is for all."""
        pattern = self.pattern
        self.at = begin + 2
        added = removed = 0
        while (letter := pattern[self.at : self.at + 1]) in _FLAGS:
            self.at += 1
            if letter == "L":
                self.invalid("bad inline flags: cannot use 'L' flag with a str pattern", self.at)
            added |= _FLAGS[letter]
            if _FLAGS[letter] & _TYPE_FLAGS and added & _TYPE_FLAGS != _FLAGS[letter]:
                reason = "bad inline flags: flags 'a', 'u' and 'L' are incompatible"
                self.invalid(reason, self.at)
        if not letter or letter not in ")-:":
            self.invalid("unknown flag" if letter.isalpha() else "missing -, : or )", self.at)
        self.at += 1
        if letter == ")":
            if not may_set_flags:
                remedy = "put them first, or use (?flags:...)"
                self.invalid("global flags not at the start of the expression", begin, remedy)
            self._flags |= added
            return None
        if letter == "-":
            removed = self._removed_flags()
        if added & removed:
            self.invalid("bad inline flags: flag turned on and off", self.at - 1)
        if added & _TYPE_FLAGS:
            flags &= ~_TYPE_FLAGS
        return (flags | added) & ~removed

    def _removed_flags(self) -> int:
        removed = 0
        while (letter := self.pattern[self.at : self.at + 1]) in _FLAGS:
            self.at += 1
            if _FLAGS[letter] & _TYPE_FLAGS:
                self.invalid("bad inline flags: cannot turn off flags 'a', 'u' and 'L'", self.at)
            removed |= _FLAGS[letter]
        if not removed or letter != ":":
            missing = "missing :" if removed else "missing flag"
            self.invalid("unknown flag" if letter.isalpha() else missing, self.at)
        self.at += 1
        return removed
