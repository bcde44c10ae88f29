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
from structgen.sources.json_schema.formats.idna import MAIL_U_LABEL, are_labels, names_of

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


def _mailbox(atext: Chars, qtext: Chars, sub_domain: Regex) -> Regex:
    """``Mailbox = Local-part "@" ( Domain / address-literal )`` (RFC 5321, section 4.1.2)."""
    dot_string = seq(some(atext), many(text("."), some(atext)))
    quoted_string = seq(text('"'), many(alt(qtext, QUOTED_PAIR)), text('"'))
    domain = names_of(sub_domain, text("."))
    return seq(alt(dot_string, quoted_string), text("@"), alt(domain, ADDRESS_LITERAL))


def _with_non_ascii(chars: Chars) -> Chars:
    return Chars(chars.charset | NON_ASCII.charset)


def _sub_domain(let_dig: Chars) -> Regex:
    return seq(let_dig, many(many(text("-")), let_dig))


_INTERNATIONAL = (_with_non_ascii(_ATEXT), _with_non_ascii(_QTEXT))  # RFC 6531, section 3.3

EMAIL = _mailbox(_ATEXT, _QTEXT, _sub_domain(ALNUM))
IDN_EMAIL = _mailbox(*_INTERNATIONAL, alt(_sub_domain(ALNUM), MAIL_U_LABEL))
# What is not here is no address at all.
IDN_EMAIL_OR_NOT = _mailbox(*_INTERNATIONAL, _sub_domain(_with_non_ascii(ALNUM)))


def has_u_labels(address: str) -> bool:
    """Are the labels of an address of `IDN_EMAIL_OR_NOT` that are not ASCII U-labels, of any normal form?

    The official test suite takes labels in any normal form.
    """
    labels = address.rpartition("@")[2].split(".")
    return all(label.isascii() or are_labels([label], normal_form=False) for label in labels)
