"""Formats as the oracle judges them: exactly where it can, 'not sure' where the packages are known to err.

The checkers that `jsonschema` brings are of mixed quality (figures: its verdicts on the official suite's
optional/format tests). So each format has a policy:

- exact here: written from the RFC's grammar in a few lines (date-time, time, duration, uuid, json-pointer,
  relative-json-pointer), since the package's checkers accept trailing newlines, refuse leap seconds, accept
  ``P1D2T3H`` and so on;
- "both": the package's verdict is taken (date, ipv4, ipv6);
- "lax": it accepts too much (email is ``"@" in text``); only its "no" is taken;
- "strict": it refuses too much (iri); only its "yes" is taken;
- "unsure": neither is taken (regex is Python's `re`, not ECMA-262).

Texts of `KNOWN` are decided by the table, whatever the policy.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from jsonschema.exceptions import FormatError
from jsonschema.validators import Draft202012Validator

# A few texts of each format whose label is beyond doubt: (valid, invalid).
KNOWN: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "date-time": (
        ("2020-02-29T12:00:00Z", "1998-12-31T23:59:60Z", "2001-01-01t01:02:03.5+01:30"),
        ("2021-02-29T12:00:00Z", "2020-01-01 00:00:00Z", "2020-01-01T24:00:00Z", "2020-01-01T00:00:00"),
    ),
    "date": (("2020-02-29", "1999-12-31"), ("2021-02-29", "2020-1-1", "2020-13-01", "20200101")),
    "time": (("08:30:06Z", "23:59:60Z", "01:02:03.25-08:00"), ("8:30:06Z", "24:00:00Z", "08:30:06")),
    "duration": (("P1D", "PT1M", "P2W", "P1Y2M3DT4H5M6S"), ("P", "PT", "P1", "1D", "P1D2H", "PT1D")),
    "email": (("joe@example.com", "a.b+c@x.org"), ("joe", "@x", "a@", "a b@c.de")),
    "idn-email": (("joe@example.com", "실례@실례.테스트"), ("joe", "@x", "a@")),
    "hostname": (("example.com", "a", "x-1.y2"), ("-a", "a-", "a_b", "", "a..b")),
    "idn-hostname": (("example.com", "실례.테스트"), ("-a", "a-")),
    "ipv4": (("127.0.0.1", "255.255.255.255"), ("256.0.0.1", "1.2.3", "01.2.3.4", "a")),
    "ipv6": (("::1", "2001:db8::8:800:200c:417a", "::ffff:1.2.3.4"), ("12345::", ":::", "1:2", "::1%eth0")),
    "uri": (("http://example.com/a?b#c", "urn:x:y", "mailto:a@b.c"), ("//x/y", "a b", "http://a b", "\\\\x")),
    "uri-reference": (("/a/b", "a", "", "http://x", "#f"), ("a b", "\\\\x", "#a\\b")),
    "iri": (("http://ƒøø.ßår/é", "urn:x:y"), ("/é", "a b")),
    "iri-reference": (("/é", "#ƒ", "http://x"), ("a b", "\\\\x")),
    "uri-template": (("http://x/{a}", "a", "{a,b}"), ("http://x/{a", "a}")),
    "uuid": (
        ("2eb8aa08-aa98-11ea-b4aa-73b441d16380", "00000000-0000-0000-0000-000000000000"),
        ("2eb8aa08aa9811eab4aa73b441d16380", "2eb8aa08-aa98-11ea-b4aa-73b441d1638", "x"),
    ),
    "json-pointer": (("", "/a/0", "/~0~1"), ("a", "/~", "/~2", "#/a")),
    "relative-json-pointer": (("0", "1/a", "120#"), ("01", "/a", "-1", "0##")),
    "regex": (("a+b", "^[a-z]$", ""), ("(a", "[", "a**", "^(abc]")),
}  # fmt: skip
_POLICIES = {
    "date": "both",
    "ipv4": "both",
    "ipv6": "both",
    "email": "lax",
    "idn-email": "lax",
    "hostname": "lax",
    "idn-hostname": "lax",
    "uri": "lax",
    "uri-reference": "lax",
    "iri": "strict",
    "iri-reference": "strict",
    "uri-template": "unsure",
    "regex": "unsure",
}
# Formats of draft 3 and of `jsonschema`'s own: an engine may take them for unknown.
_DISPUTED = frozenset(("color", "ip-address", "host-name", "phone", "style", "utc-millisec"))

_POINTER = re.compile(r"(?:/(?:[^~/]|~[01])*)*")
_RELATIVE = re.compile(r"(?:0|[1-9][0-9]*)(?:#|(?:/(?:[^~/]|~[01])*)*)")
_UUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_TIME = re.compile(
    r"([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9]|60)(?:\.[0-9]+)?"
    r"(?:[Zz]|([+-])([01][0-9]|2[0-3]):([0-5][0-9]))"
)
_DURATION = re.compile(
    r"P(?:[0-9]+W|(?:[0-9]+Y(?:[0-9]+M(?:[0-9]+D)?)?|[0-9]+M(?:[0-9]+D)?|[0-9]+D)(?:T{t})?|T{t})".replace(
        "{t}", "(?:[0-9]+H(?:[0-9]+M(?:[0-9]+S)?)?|[0-9]+M(?:[0-9]+S)?|[0-9]+S)"
    )
)


def _is_date(text: str) -> bool:
    return bool(Draft202012Validator.FORMAT_CHECKER.conforms(text, "date"))


def _is_time(text: str) -> bool:
    """RFC 3339 full-time; a leap second is the last one of a day in UTC."""
    found = _TIME.fullmatch(text)
    if not found:
        return False
    hour, minute, second, sign, far, near = found.groups()
    if second != "60":
        return True
    shift = 0 if sign is None else int(sign + "1") * (int(far) * 60 + int(near))
    return (int(hour) * 60 + int(minute) - shift) % 1440 == 1439


def _is_datetime(text: str) -> bool:
    return len(text) > 10 and text[10] in "Tt" and _is_date(text[:10]) and _is_time(text[11:])


_EXACT: dict[str, Callable[[str], bool]] = {
    "date-time": _is_datetime,
    "time": _is_time,
    "duration": lambda text: bool(_DURATION.fullmatch(text)),
    "uuid": lambda text: bool(_UUID.fullmatch(text)),
    "json-pointer": lambda text: bool(_POINTER.fullmatch(text)),
    "relative-json-pointer": lambda text: bool(_RELATIVE.fullmatch(text)),
}
FORMATS = tuple(KNOWN)


class CarefulFormats:
    """Stands in for `jsonschema.FormatChecker`; ``unsure`` is set where a verdict is not to be trusted."""

    def __init__(self) -> None:
        self.unsure = False

    def check(self, instance: object, format: Any) -> None:
        """As `FormatChecker.check`: raises `FormatError` where the text is not of the format."""
        if isinstance(instance, str) and isinstance(format, str) and not self._holds(instance, format):
            raise FormatError(f"{instance!r} is not a {format!r}")

    def _holds(self, text: str, format: str) -> bool:
        valid, invalid = KNOWN.get(format, ((), ()))
        if text in valid or text in invalid:
            return text in valid
        if format in _EXACT:
            return _EXACT[format](text)
        policy = _POLICIES.get(format)
        if policy is None:
            self.unsure |= format in _DISPUTED
            return True
        said = bool(Draft202012Validator.FORMAT_CHECKER.conforms(text, format))
        if policy == "unsure" or (policy == "lax" and said) or (policy == "strict" and not said):
            self.unsure = True
        return said
