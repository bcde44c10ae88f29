"""What both dialects' parsers share: putting nodes together, and refusing with a position."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NoReturn

from structgen.charset import CharSet
from structgen.errors import InvalidRegexError, UnsupportedRegexError
from structgen.regex.assertions import PLAIN, Choice, Look, Loop, Node, Series, widths
from structgen.regex.construct import concat, repeat, union
from structgen.regex.properties import UnknownPropertyError, property_set
from structgen.regex.syntax import EPSILON, Chars, Literal, Regex, Repeat

MAX_DEPTH = 100  # nested groups; keeps every recursion over the tree far from Python's limit
POSIX_CLASS = re.compile(
    r"\[:\^?(alnum|alpha|ascii|blank|cntrl|digit|graph|lower|print|punct|space|upper|word|xdigit):\]"
)
_SURROGATE = re.compile("[\ud800-\udfff]")


class Parser:
    """A place in a pattern, and what was found that is valid but not supported.

    Such a construct is reported only once the whole pattern is known to be valid.
    """

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0
        self.depth = 0
        self._unsupported: UnsupportedRegexError | None = None

    def invalid(self, reason: str, offset: int, remedy: str = "") -> NoReturn:
        raise InvalidRegexError(reason, text=self.pattern, offset=offset, remedy=remedy)

    def unsupported(self, reason: str, offset: int, remedy: str = "") -> Regex:
        if self._unsupported is None:
            self._unsupported = UnsupportedRegexError(reason, text=self.pattern, offset=offset, remedy=remedy)
        return EPSILON

    def check_supported(self) -> None:
        if self._unsupported is not None:
            raise self._unsupported

    @property
    def anything_unsupported(self) -> bool:
        return self._unsupported is not None

    def enter_group(self, offset: int) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise UnsupportedRegexError(
                f"groups nested deeper than {MAX_DEPTH}",
                text=self.pattern,
                offset=offset,
                remedy="nest fewer groups",
            )

    def property(self, begin: int, loose: bool) -> CharSet | None:
        """The set of ``\\p{..}`` or ``\\P{..}``, its backslash at ``begin``; moves past it. None if there is
        no closing brace."""
        end = self.pattern.find("}", begin)
        if not self.pattern.startswith("{", begin + 2) or end < 0:
            return None
        expression = self.pattern[begin + 3 : end]
        negated = self.pattern[begin + 1] == "P"
        if loose and expression.startswith("^"):
            expression, negated = expression[1:], not negated
        try:
            found = property_set(expression, loose)
        except UnknownPropertyError as error:
            if error.known:
                raise UnsupportedRegexError(
                    f"no data for the Unicode property {expression!r}", text=self.pattern, offset=begin
                ) from None
            remedy = "names are those of ECMA-262, e.g. \\p{Lu}, \\p{Script=Greek}, \\p{Alphabetic}"
            self.invalid(f"unknown Unicode property {expression!r}", begin, remedy)
        self.at = end + 1
        return ~found if negated else found


def series(parts: Sequence[Node]) -> Node:
    """The parts in a row; plain ones that stand together become one."""
    if len(parts) == 1:
        return parts[0]
    plain = [part for part in parts if isinstance(part, PLAIN)]
    if len(plain) == len(parts):
        return concat(plain)
    merged: list[Node] = []
    run: list[Regex] = []
    for part in parts:
        if isinstance(part, PLAIN):
            run.append(part)
            continue
        if run:
            merged.append(concat(run))
            run = []
        merged.extend(part.parts if isinstance(part, Series) else (part,))
    if run:
        merged.append(concat(run))
    return Series(tuple(merged))


def choice(options: Sequence[Node]) -> Node:
    plain = [option for option in options if isinstance(option, PLAIN)]
    return union(plain) if len(plain) == len(options) else Choice(tuple(options))


def repeated(item: Node, minimum: int, maximum: int | None, offset: int) -> Node:
    if isinstance(item, PLAIN):
        return repeat(item, minimum, maximum)
    return item if minimum == maximum == 1 else Loop(item, minimum, maximum, offset)


def text(characters: str) -> Regex:
    """A fixed text. Lone surrogates stand in no text that can be encoded: they match nothing."""
    if characters.isascii() or not _SURROGATE.search(characters):
        return Literal(characters)
    pieces = (Chars(CharSet(())) if _SURROGATE.match(c) else Literal(c) for c in characters)
    return concat(pieces)


def without_backtracking(item: Node, offset: int) -> Node | None:
    """What an atomic group around ``item`` matches; None when that is not known to be regular here.

    If all texts of the item have one length, it does not matter which is tried first. A repeat of such an
    item ends at its greatest count, or where the item does not follow.
    """
    least, most = widths(item)
    if least == most:
        return item
    if not isinstance(item, Repeat | Loop):
        return None
    once = item.item
    least, most = widths(once)
    if least != most:
        return None
    stop = Look(once, ahead=True, negative=True, offset=offset)
    if item.maximum is None:
        return series([item, stop])
    most_often = repeated(once, item.maximum, item.maximum, offset)
    less_often = repeated(once, item.minimum, item.maximum - 1, offset)
    return choice([most_often, series([less_often, stop])])
