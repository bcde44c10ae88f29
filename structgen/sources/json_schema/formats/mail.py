"""``email`` and ``idn-email``: the rule ``Mailbox`` of RFC 5321, section 4.1.2, and of RFC 6531.

JSON Schema (Validation, section 7.3.2) names that rule, so the limits of RFC 5321, section 4.5.3.1 (64
octets before the at-sign, 255 after), which stand in its prose, are none of the format's.
"""

from __future__ import annotations

from structgen.regex.syntax import Chars, Regex
from structgen.sources.json_schema.formats.abnf import (
    ALNUM,
    DIGIT,
    HEXDIG,
    NON_ASCII,
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
    word,
)

# RFC 5321, section 4.1.3. "General-address-literal" has no member: IPv6 is the only registered tag.
SNUM = alt(
    times(1, 2, DIGIT),
    seq(one_of("01"), exactly(2, DIGIT)),
    seq(text("2"), between(("0", "4")), DIGIT),
    seq(text("25"), between(("0", "5"))),
)
IPV4_ADDRESS_LITERAL = seq(SNUM, exactly(3, text("."), SNUM))
IPV6_HEX = times(1, 4, HEXDIG)


def _hexes(most: int) -> Regex:
    """``[IPv6-hex *<most - 1>(":" IPv6-hex)]``"""
    return opt(IPV6_HEX, times(0, most - 1, text(":"), IPV6_HEX)) if most else text("")


IPV6_FULL = seq(IPV6_HEX, exactly(7, text(":"), IPV6_HEX))
IPV6_COMP = alt(*(seq(_hexes(before), text("::"), _hexes(6 - before)) for before in range(7)))
IPV6V4_FULL = seq(IPV6_HEX, exactly(5, text(":"), IPV6_HEX), text(":"), IPV4_ADDRESS_LITERAL)
IPV6V4_COMP = alt(
    *(
        seq(
            _hexes(before),
            text("::"),
            times(0, 4 - before, IPV6_HEX, text(":")),
            IPV4_ADDRESS_LITERAL,
        )
        for before in range(5)
    )
)
IPV6_ADDRESS_LITERAL = seq(word("IPv6:"), alt(IPV6_FULL, IPV6_COMP, IPV6V4_FULL, IPV6V4_COMP))
ADDRESS_LITERAL = seq(text("["), alt(IPV4_ADDRESS_LITERAL, IPV6_ADDRESS_LITERAL), text("]"))

_ATEXT = Chars(ALNUM.charset | one_of("!#$%&'*+-/=?^_`{|}~").charset)  # RFC 5322, section 3.2.3
_QTEXT = between((32, 33), (35, 91), (93, 126))  # RFC 5321, section 4.1.2
QUOTED_PAIR = seq(text("\\"), between((32, 126)))


def _mailbox(atext: Chars, qtext: Chars, let_dig: Chars) -> Regex:
    """``Mailbox = Local-part "@" ( Domain / address-literal )`` (RFC 5321, section 4.1.2)."""
    dot_string = seq(some(atext), many(text("."), some(atext)))
    quoted_string = seq(text('"'), many(alt(qtext, QUOTED_PAIR)), text('"'))
    sub_domain = seq(let_dig, many(many(text("-")), let_dig))
    domain = seq(sub_domain, many(text("."), sub_domain))
    return seq(alt(dot_string, quoted_string), text("@"), alt(domain, ADDRESS_LITERAL))


def _with(charset: Chars, more: Chars) -> Chars:
    return Chars(charset.charset | more.charset)


EMAIL = _mailbox(_ATEXT, _QTEXT, ALNUM)
