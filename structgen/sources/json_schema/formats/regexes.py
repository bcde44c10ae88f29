"""``regex``: ECMA-262 patterns.

Groups nest, numbers in braces and ends of ranges are in order: the language of all patterns is not
regular. `PATTERN` holds patterns whose groups nest `MAX_DEPTH` deep, and with them what people write:
alternatives, anchors, quantifiers, classes, groups, lookaround. Each of them is a pattern of ECMA-262
(2024, section 22.2.1) with the u flag and without, and of Python's `re`, which is what many validators ask;
so there are no named groups, no back-references, no ``\\p{..}``, which `re` has not or writes otherwise.
`is_pattern` is ECMA-262 alone.
"""

from __future__ import annotations

import re

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
LOOKAHEAD_DEPTH = 1

SYNTAX_CHARACTER = one_of("^$\\.*+?()[]{}|")
PATTERN_CHARACTER = Chars(~SYNTAX_CHARACTER.charset)
_NONZERO = between(("1", "9"))


def _no_less(digit: int) -> Chars:
    return between((str(digit), "9"))


def _number(digits: int) -> Regex:
    return seq(_NONZERO, exactly(digits - 1, DIGIT))


def _bounds() -> Regex:
    """``n,m`` with n <= m, told by the number of digits or by the first of them."""
    options: list[Regex] = [
        seq(DIGIT, text(","), _NONZERO, times(1, 3, DIGIT)),
        seq(_number(2), text(","), _NONZERO, times(2, 3, DIGIT)),
        seq(_number(3), text(","), _number(4)),
        seq(text("0,"), DIGIT),
        seq(text("10,"), _NONZERO, DIGIT),
        seq(text("100,"), _NONZERO, DIGIT, DIGIT),
    ]
    for digit in range(1, 10):
        options.append(seq(text(f"{digit},"), _no_less(digit)))
        if digit < 9:
            options.append(seq(text(str(digit)), DIGIT, text(","), _no_less(digit + 1), DIGIT))
    return alt(*options)


_COUNT = alt(text("0"), seq(_NONZERO, times(0, 3, DIGIT)))
QUANTIFIER = seq(
    alt(one_of("*+?"), seq(text("{"), alt(_COUNT, seq(_COUNT, text(",")), _bounds()), text("}"))),
    opt(text("?")),
)

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
    seq(one_of(" !"), text("-~")),
    seq(between((0x80, 0xD7)), text("-"), between((0xD8, 0x10FFFF))),
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
# Python's has one length
LOOKBEHIND = seq(text("(?<"), one_of("=!"), some(alt(PATTERN_CHARACTER, ATOM_ESCAPE)), text(")"))


def _disjunction(depth: int, *more: Regex) -> Regex:
    """``Disjunction`` with groups nested so deep, and outside of all groups also these terms."""
    term = alt(ASSERTION, seq(_ONE_CHARACTER, opt(QUANTIFIER)), *more)
    if depth:
        group = seq(text("("), opt(text("?:")), _disjunction(depth - 1), text(")"), opt(QUANTIFIER))
        term = alt(term, group)
    return many(alt(term, text("|")))


# Lookaround stands outside of groups: within, each depth would come in two kinds.
LOOKAHEAD = seq(text("(?"), one_of("=!"), _disjunction(LOOKAHEAD_DEPTH), text(")"))
PATTERN = _disjunction(MAX_DEPTH, LOOKAHEAD, LOOKBEHIND)
# Nothing to repeat, or to close: no pattern in any dialect, whatever follows.
NO_PATTERN = seq(one_of("*+?)"), many(ANY_CHARACTER))


# The official test suite refuses them, and so does Python.
_NO_ESCAPE = re.compile(r"(?s:[^\\]|\\.)*?\\[aeg-jlmoqyzACE-OQRTUVX-Z](?s:.)*")


def is_pattern(pattern: str) -> bool:
    """Is it a pattern of ECMA-262, Annex B included, but for its escapes of letters that mean nothing?"""
    if _NO_ESCAPE.fullmatch(pattern):
        return False
    try:
        parse(pattern, "ecma")
    except InvalidRegexError:
        return False
    except UnsupportedRegexError:
        return True  # it is one, of no regular language
    return True
