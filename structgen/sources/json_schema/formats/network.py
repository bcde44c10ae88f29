"""``ipv4``, ``ipv6`` and ``uuid``: RFC 2673, 4291 and 4122.

`IP_V6_ADDRESS` is the rule of RFC 3986, section 3.2.2, which puts the text of RFC 4291, section 2.2, into
ABNF; there is no zone in it (RFC 4007 has those).
"""

from __future__ import annotations

from structgen.regex.syntax import EPSILON, Regex
from structgen.sources.json_schema.formats.abnf import (
    DIGIT,
    HEXDIG,
    alt,
    between,
    exactly,
    opt,
    seq,
    text,
    times,
)

# RFC 3986, section 3.2.2
DEC_OCTET = alt(
    DIGIT,
    seq(between(("1", "9")), DIGIT),
    seq(text("1"), exactly(2, DIGIT)),
    seq(text("2"), between(("0", "4")), DIGIT),
    seq(text("25"), between(("0", "5"))),
)
IP_V4_ADDRESS = seq(DEC_OCTET, exactly(3, text("."), DEC_OCTET))
H16 = times(1, 4, HEXDIG)
_H16_COLON = seq(H16, text(":"))
LS32 = alt(seq(_H16_COLON, H16), IP_V4_ADDRESS)


def _h16s(most: int) -> Regex:
    """``[ *<most>( h16 ":" ) h16 ]``"""
    return opt(times(0, most, _H16_COLON), H16)


IP_V6_ADDRESS = alt(
    seq(exactly(6, _H16_COLON), LS32),
    seq(EPSILON, text("::"), exactly(5, _H16_COLON), LS32),
    seq(_h16s(0), text("::"), exactly(4, _H16_COLON), LS32),
    seq(_h16s(1), text("::"), exactly(3, _H16_COLON), LS32),
    seq(_h16s(2), text("::"), exactly(2, _H16_COLON), LS32),
    seq(_h16s(3), text("::"), exactly(1, _H16_COLON), LS32),
    seq(_h16s(4), text("::"), LS32),
    seq(_h16s(5), text("::"), H16),
    seq(_h16s(6), text("::")),
)

# RFC 4122, section 3: any version and variant
UUID = seq(*(exactly(count, HEXDIG) if count else text("-") for count in (8, 0, 4, 0, 4, 0, 4, 0, 12)))
