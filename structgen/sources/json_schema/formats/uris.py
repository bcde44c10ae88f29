"""``uri``, ``uri-reference``, ``iri``, ``iri-reference`` and ``uri-template``: RFC 3986, 3987 and 6570.

Rules and names are those of RFC 3986, appendix A. RFC 3987, section 2.2, has the same ones with an i in
front, over more characters: `Generic` holds either set.
"""

from __future__ import annotations

from dataclasses import dataclass

from structgen.regex.syntax import EPSILON, Chars, Regex
from structgen.sources.json_schema.formats.abnf import (
    ALNUM,
    ALPHA,
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
    word,
)
from structgen.sources.json_schema.formats.network import IP_V6_ADDRESS

# RFC 3986, sections 2.1 to 2.3
PCT_ENCODED = seq(text("%"), exactly(2, HEXDIG))
SUB_DELIMS = one_of("!$&'()*+,;=")
UNRESERVED = Chars(ALNUM.charset | one_of("-._~").charset)
# RFC 3987, section 2.2
UCSCHAR = between(
    (0xA0, 0xD7FF),
    (0xF900, 0xFDCF),
    (0xFDF0, 0xFFEF),
    *((plane + 0x0000, plane + 0xFFFD) for plane in range(0x10000, 0xE0000, 0x10000)),
    (0xE1000, 0xEFFFD),
)
IPRIVATE = between((0xE000, 0xF8FF), (0xF0000, 0xFFFFD), (0x100000, 0x10FFFD))
IUNRESERVED = Chars(UNRESERVED.charset | UCSCHAR.charset)

# RFC 3986, section 3.2.2
IP_V_FUTURE = seq(word("v"), some(HEXDIG), text("."), some(alt(UNRESERVED, SUB_DELIMS, one_of(":"))))
IP_LITERAL = seq(text("["), alt(IP_V6_ADDRESS, IP_V_FUTURE), text("]"))
SCHEME = seq(ALPHA, many(alt(ALNUM, one_of("+-."))))  # section 3.1
PORT = many(DIGIT)  # section 3.2.3


@dataclass(frozen=True, slots=True)
class Generic:
    """The generic syntax over the characters that stand for themselves (RFC 3986, section 3)."""

    unreserved: Chars
    private: Chars | None = None

    def _some_of(self, more: str) -> Regex:
        return alt(self.unreserved, SUB_DELIMS, one_of(more), PCT_ENCODED)

    @property
    def authority(self) -> Regex:
        """``[ userinfo "@" ] host [ ":" port ]`` (section 3.2). An IPv4 address is a ``reg-name`` too."""
        userinfo = many(self._some_of(":"))
        reg_name = many(alt(self.unreserved, SUB_DELIMS, PCT_ENCODED))
        return seq(opt(userinfo, text("@")), alt(IP_LITERAL, reg_name), opt(text(":"), PORT))

    def _path(self, first_segment: Regex) -> Regex:
        """``//authority path-abempty / path-absolute / path-<rootless or noscheme> / path-empty``."""
        pchar = self._some_of(":@")
        path_abempty = many(text("/"), many(pchar))
        path_absolute = seq(text("/"), opt(some(pchar), path_abempty))
        return alt(
            seq(text("//"), self.authority, path_abempty),
            path_absolute,
            seq(first_segment, path_abempty),
            EPSILON,
        )

    @property
    def _query_and_fragment(self) -> Regex:
        in_fragment = self._some_of(":@/?")
        in_query = in_fragment if self.private is None else alt(in_fragment, self.private)
        return seq(opt(text("?"), many(in_query)), opt(text("#"), many(in_fragment)))

    @property
    def absolute(self) -> Regex:
        """``URI``, ``IRI`` (section 3)."""
        return seq(SCHEME, text(":"), self._path(some(self._some_of(":@"))), self._query_and_fragment)

    @property
    def relative(self) -> Regex:
        """``relative-ref`` (section 4.2): no colon in the first segment."""
        return seq(self._path(some(self._some_of("@"))), self._query_and_fragment)

    @property
    def reference(self) -> Regex:
        """``URI-reference``, ``IRI-reference`` (section 4.1)."""
        return alt(self.absolute, self.relative)


_URIS = Generic(UNRESERVED)
_IRIS = Generic(IUNRESERVED, IPRIVATE)
URI, URI_REFERENCE = _URIS.absolute, _URIS.reference
IRI, IRI_REFERENCE = _IRIS.absolute, _IRIS.reference

# RFC 6570, section 2.1, with the apostrophe that erratum 6937 gives back
LITERALS = alt(
    between((0x21, 0x21), (0x23, 0x24), (0x26, 0x3B), (0x3D, 0x3D), (0x3F, 0x5B)),
    between((0x5D, 0x5D), (0x5F, 0x5F), (0x61, 0x7A), (0x7E, 0x7E)),
    UCSCHAR,
    IPRIVATE,
    PCT_ENCODED,
)
# Section 2.2: the operators of levels 2 and 3; "=", ",", "!", "@" and "|" are reserved and have no meaning
OPERATOR = one_of("+#./;?&")
# Sections 2.3 and 2.4
VARCHAR = alt(ALNUM, text("_"), PCT_ENCODED)
VARNAME = seq(VARCHAR, many(opt(text(".")), VARCHAR))
MAX_LENGTH = seq(between(("1", "9")), times(0, 3, DIGIT))
VARSPEC = seq(VARNAME, opt(alt(seq(text(":"), MAX_LENGTH), text("*"))))
VARIABLE_LIST = seq(VARSPEC, many(text(","), VARSPEC))
EXPRESSION = seq(text("{"), opt(OPERATOR), VARIABLE_LIST, text("}"))
URI_TEMPLATE = many(alt(LITERALS, EXPRESSION))
