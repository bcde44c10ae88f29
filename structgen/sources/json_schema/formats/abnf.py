"""Augmented Backus-Naur form (RFC 5234) as functions, so that a format reads like its RFC.

An RFC's rule ``path-abempty = *( "/" segment )`` becomes ``PATH_ABEMPTY = many(text("/"), SEGMENT)``.
"""

from __future__ import annotations

from functools import reduce

from structgen.charset import CharSet
from structgen.regex.syntax import Chars, Complement, Concat, Intersection, Literal, Regex, Repeat, Union

MAX_ASCII = 0x7F


def seq(*parts: Regex) -> Regex:
    """One after the other (RFC 5234, section 3.1)."""
    return parts[0] if len(parts) == 1 else Concat(parts)


def alt(*options: Regex) -> Regex:
    """Any one of them (section 3.2); sets of characters become one set."""
    charsets = [option.charset for option in options if isinstance(option, Chars)]
    others = [option for option in options if not isinstance(option, Chars)]
    if len(charsets) > 1:
        return alt(Chars(reduce(CharSet.__or__, charsets)), *others)
    return options[0] if len(options) == 1 else Union(options)


def opt(*parts: Regex) -> Regex:
    """``[ ... ]``: once or not at all (section 3.8)."""
    return Repeat(seq(*parts), 0, 1)


def many(*parts: Regex) -> Regex:
    """``*( ... )``: any number of times (section 3.6)."""
    return Repeat(seq(*parts), 0, None)


def some(*parts: Regex) -> Regex:
    """``1*( ... )``: once or more often (section 3.6)."""
    return Repeat(seq(*parts), 1, None)


def times(minimum: int, maximum: int | None, *parts: Regex) -> Regex:
    """``<a>*<b>( ... )`` (section 3.6)."""
    return Repeat(seq(*parts), minimum, maximum)


def exactly(count: int, *parts: Regex) -> Regex:
    """``<n>( ... )`` (section 3.7)."""
    return Repeat(seq(*parts), count, count)


def text(word: str) -> Regex:
    """A word in just this case, as ``%s"..."`` (RFC 7405)."""
    return Literal(word)


def word(letters: str) -> Regex:
    """A quoted string of ABNF, whose letters may be of either case (RFC 5234, section 2.3)."""
    return Concat(tuple(Chars(CharSet.chars(letter.lower() + letter.upper())) for letter in letters))


def one_of(characters: str) -> Chars:
    """Any one of these characters."""
    return Chars(CharSet.chars(characters))


def between(*ranges: tuple[int | str, int | str]) -> Chars:
    """``%x30-39 / ...``: any one code point of the inclusive ranges (section 3.4)."""
    return Chars(CharSet.of((_code_point(low), _code_point(high)) for low, high in ranges))


def both(left: Regex, right: Regex) -> Regex:
    """What prose adds to a rule: texts of both languages."""
    return Intersection(left, right)


def but(node: Regex, excluded: Regex) -> Regex:
    """What prose takes from a rule: texts of ``node`` that are none of ``excluded``."""
    return Intersection(node, Complement(excluded))


def _code_point(bound: int | str) -> int:
    return ord(bound) if isinstance(bound, str) else bound


# RFC 5234, appendix B.1
ALPHA = between(("A", "Z"), ("a", "z"))
DIGIT = between(("0", "9"))
HEXDIG = between(("0", "9"), ("A", "F"), ("a", "f"))
ALNUM = Chars(ALPHA.charset | DIGIT.charset)
NON_ASCII = between((MAX_ASCII + 1, 0x10FFFF))
ANY_CHARACTER = between((0, 0x10FFFF))
