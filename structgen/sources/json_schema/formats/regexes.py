"""``regex``: ECMA-262 patterns.

Groups nest, numbers in braces and ends of ranges are in order: the language of all patterns is not
regular. `PATTERN` holds patterns whose groups nest `MAX_DEPTH` deep, and with them what people write:
alternatives, anchors, quantifiers, classes, groups, lookaround. Each of them is a pattern of ECMA-262
(2024, section 22.2.1) with the u flag and without, and of Python's `re`, which is what many validators ask;
so there are no named groups, no back-references, no ``\\p{..}``, which `re` has not or writes otherwise.
`is_pattern` is ECMA-262 alone.
"""

from __future__ import annotations

from structgen.charset import CharSet
from structgen.errors import InvalidRegexError, UnsupportedRegexError
from structgen.regex import parse
from structgen.regex.syntax import Chars, Regex
from structgen.sources.json_schema.formats.abnf import (
    ANY_CHARACTER,
    DIGIT,
    HEXDIG,
    alt,
    between,
    exactly,
    many,
    one_of,
    opt,
    seq,
    some,
    text,
    times,
)

MAX_DEPTH = 3

SYNTAX_CHARACTER = one_of("^$\\.*+?()[]{}|")
PATTERN_CHARACTER = Chars(~SYNTAX_CHARACTER.charset)
_NONZERO = between(("1", "9"))


def _no_less(digit: int) -> Chars:
    return between((str(digit), "9"))


def _number(digits: int) -> Regex:
    return seq(_NONZERO, exactly(digits - 1, DIGIT))


def _bounds() -> Regex:
    """``n,m`` with n <= m: by the number of digits, else by the first, of two after 10, 20, ... by both."""
    unequal = [
        seq(DIGIT, text(","), _NONZERO, times(1, 3, DIGIT)),
        seq(_number(2), text(","), _NONZERO, times(2, 3, DIGIT)),
        seq(_number(3), text(","), _number(4)),
    ]
    equal: list[Regex] = [seq(text("0,"), DIGIT)]
    for digit in range(1, 10):
        equal.append(seq(text(f"{digit},"), _no_less(digit)))
        for zeros in (1, 2):
            higher = between((str(digit + 1), "9")) if digit < 9 else None
            if higher is not None:
                equal.append(seq(text(str(digit)), exactly(zeros, DIGIT), text(","), higher, exactly(zeros, DIGIT)))
            equal.append(seq(text(f"{digit}{'0' * zeros},"), _no_less(digit), exactly(zeros, DIGIT)))
    return alt(*unequal, *equal)


_COUNT = alt(text("0"), seq(_NONZERO, times(0, 3, DIGIT)))
QUANTIFIER = seq(alt(one_of("*+?"), seq(text("{"), alt(_COUNT, seq(_COUNT, text(",")), _bounds()), text("}"))), opt(text("?")))

# A surrogate would make one character with another one after it.
_HEX4_BUT_SURROGATES = alt(
    seq(Chars(HEXDIG.charset - CharSet.chars("dD")), exactly(3, HEXDIG)),
    seq(one_of("dD"), between(("0", "7")), exactly(2, HEXDIG)),
)
_CODE_POINT = alt(seq(text("x"), exactly(2, HEXDIG)), seq(text("u"), _HEX4_BUT_SURROGATES))
CHARACTER_CLASS_ESCAPE = one_of("dDsSwW")
CHARACTER_ESCAPE = alt(one_of("tnrfv/"), SYNTAX_CHARACTER, _CODE_POINT)
ATOM_ESCAPE = seq(text("\\"), alt(CHARACTER_CLASS_ESCAPE, CHARACTER_ESCAPE))
ASSERTION = alt(one_of("^$"), seq(text("\\"), one_of("bB")))

# "[" is left out for Python, which warns of it
CLASS_CHARACTER = Chars(~CharSet.chars("\\]-[^"))
CLASS_ESCAPE = seq(text("\\"), alt(CHARACTER_CLASS_ESCAPE, CHARACTER_ESCAPE, one_of("b-")))
# Ranges whose ends are in order without a comparison: from the first of a kind, to its last, across kinds.
CLASS_RANGE = alt(
    seq(text("a-"), between(("a", "z"))),
    seq(between(("a", "z")), text("-z")),
    seq(text("A-"), between(("A", "Z"), ("a", "z"))),
    seq(between(("A", "Z")), text("-Z")),
    seq(text("0-"), between(("0", "9"), ("A", "Z"), ("a", "z"))),
    seq(text("1-"), _NONZERO),
    seq(DIGIT, text("-9")),
    seq(one_of(" !"), text("-"), one_of("/~")),
    seq(one_of(" !0aA"), text("-"), between((0x80, 0x10FFFF))),
    seq(between((0x80, 0xD7)), text("-"), between((0xD8, 0x10FFFF))),
    seq(between((0xD8, 0xFF)), text("-"), between((0xFF, 0x10FFFF))),
    seq(text("\u4e00-"), between((0x9FA5, 0x9FFF))),
    *(
        seq(text(f"\\u{low}"), exactly(3, HEXDIG), text("-\\u"), _higher, exactly(3, HEXDIG))
        for low, _higher in (
            ("0", between(("1", "9"), ("a", "c"), ("A", "C"), ("e", "f"), ("E", "F"))),
            ("4", between(("5", "9"), ("a", "c"), ("A", "C"), ("e", "f"), ("E", "F"))),
        )
    ),
    seq(text("\\x0"), HEXDIG, text("-\\x"), between(("1", "9"), ("a", "f"), ("A", "F")), HEXDIG),
)
CHARACTER_CLASS = seq(
    text("["),
    opt(text("^")),
    alt(
        text("-"),
        seq(opt(text("-")), some(alt(CLASS_CHARACTER, CLASS_ESCAPE, CLASS_RANGE)), opt(text("-"))),
    ),
    text("]"),
)
_ONE_CHARACTER = alt(PATTERN_CHARACTER, text("."), ATOM_ESCAPE, CHARACTER_CLASS)
# Python's lookbehind has one length
_LOOKBEHIND = seq(text("(?<"), one_of("=!"), many(_ONE_CHARACTER), text(")"))


def _disjunction(depth: int) -> Regex:
    """``Disjunction`` with groups nested so deep."""
    term = alt(ASSERTION, _LOOKBEHIND, seq(_ONE_CHARACTER, opt(QUANTIFIER)))
    if depth:
        inner = _disjunction(depth - 1)
        group = seq(text("("), opt(text("?:")), inner, text(")"), opt(QUANTIFIER))
        lookahead = seq(text("(?"), one_of("=!"), inner, text(")"))
        term = alt(term, group, lookahead)
    return many(alt(term, text("|")))


PATTERN = _disjunction(MAX_DEPTH)
# Nothing to repeat, or to close: no pattern in any dialect, whatever follows.
NO_PATTERN = seq(one_of("*+?)"), many(ANY_CHARACTER))


def is_pattern(pattern: str) -> bool:
    """Is it a pattern of ECMA-262?"""
    try:
        parse(pattern, "ecma")
    except InvalidRegexError:
        return False
    except UnsupportedRegexError:
        return True  # it is one, of no regular language
    return True
