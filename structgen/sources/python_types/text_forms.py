"""How values without a JSON form of their own are written as JSON strings: one pattern for each.

Each pattern allows only what pydantic reads, and all that it writes within the limits named here. The
formats of JSON Schema do not do: ``date-time`` demands an offset, which a naive datetime lacks, ``date``
has a year 0000, ``time`` a second 60, which Python lacks. Patterns are of ECMA-262, without its u flag.
"""

from __future__ import annotations

from collections.abc import Iterable

_WHOLE = "(?:0|[1-9][0-9]*)"

# The Gregorian calendar from the year 1 on.
_YEAR = "(?:[0-9]{3}[1-9]|[0-9]{2}[1-9]0|[0-9][1-9]00|[1-9]000)"
_BY_FOUR = "(?:0[48]|[2468][048]|[13579][26])"
_LEAP_YEAR = f"(?:[0-9]{{2}}{_BY_FOUR}|{_BY_FOUR}00)"
_MONTH_AND_DAY = (
    "(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    "|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    "|02-(?:0[1-9]|1[0-9]|2[0-8]))"
)
_DATE = f"(?:{_YEAR}-{_MONTH_AND_DAY}|{_LEAP_YEAR}-02-29)"
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?"
_OFFSET = "(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
_WITH_OFFSET = {None: f"(?:{_OFFSET})?", "aware": _OFFSET, "naive": ""}

DATE = f"^{_DATE}$"


def time_form(offset: str | None) -> str:
    """A time of day. ``offset``: 'aware' (has one), 'naive' (has none), None (may have one)."""
    return f"^{_TIME}{_WITH_OFFSET[offset]}$"


def datetime_form(offset: str | None) -> str:
    """A date and a time. ``offset``: as for `time_form`."""
    return f"^{_DATE}T{_TIME}{_WITH_OFFSET[offset]}$"


def _some_in_order(parts: Iterable[str]) -> str:
    """At least one of the parts, in their order."""
    given = list(parts)
    return (
        "(?:" + "|".join(p + "".join(f"(?:{q})?" for q in given[i + 1 :]) for i, p in enumerate(given)) + ")"
    )


# Lengths that keep the sum within a timedelta's 999,999,999 days, and the part after the T within the
# 32 bits that pydantic counts its seconds in. Python's longest timedelta needs seven digits of years.
_DAYS = _some_in_order(["[0-9]{1,6}Y", "[0-9]{1,4}M", "[0-9]{1,6}W", "[0-9]{1,8}D"])
_SECONDS = _some_in_order(["[0-9]{1,5}H", "[0-9]{1,7}M", r"[0-9]{1,9}(?:\.[0-9]{1,6})?S"])
DURATION = f"^-?P(?:{_DAYS}(?:T{_SECONDS})?|T{_SECONDS})$"


def uuid_form(version: int | None) -> str:
    """A UUID with hyphens, of any version or of one."""
    third = f"{version:x}" if version is not None else "[0-9a-fA-F]"
    fourth = "[89abAB]" if version is not None else "[0-9a-fA-F]"
    hexadecimal = "[0-9a-fA-F]"
    return (
        f"^{hexadecimal}{{8}}-{hexadecimal}{{4}}-{third}{hexadecimal}{{3}}"
        f"-{fourth}{hexadecimal}{{3}}-{hexadecimal}{{12}}$"
    )


FRACTION = f"^-?{_WHOLE}(?:/[1-9][0-9]*)?$"
_DECIMAL = rf"{_WHOLE}(?:\.[0-9]+)?"
COMPLEX = rf"^-?{_DECIMAL}(?:[+-]{_DECIMAL}j|j)?$"


def decimal_form(max_digits: int | None, decimal_places: int | None) -> str:
    """A decimal number of at most so many digits, as pydantic counts them: without the zero before the point.

    An exponent only where neither is limited.
    """
    if max_digits is None and decimal_places is None:
        return rf"^-?{_DECIMAL}(?:[eE][+-]?[0-9]{{1,4}})?$"
    if max_digits is None:
        return f"^-?{_WHOLE}{_places(decimal_places or 0)}$"
    if decimal_places is not None:
        whole = max(0, max_digits - decimal_places)
        return f"^-?{_digits(whole)}{_places(min(max_digits, decimal_places))}$"
    forms = [f"0{_places(max_digits)}"]
    forms += [f"[1-9][0-9]{{{n - 1}}}{_places(max_digits - n)}" for n in range(1, max_digits + 1)]
    return f"^-?(?:{'|'.join(forms)})$"


def _digits(most: int) -> str:
    return f"(?:0|[1-9][0-9]{{0,{most - 1}}})" if most else "0"


def _places(most: int) -> str:
    return rf"(?:\.[0-9]{{1,{most}}})?" if most else ""


def _base64(last_two: str) -> str:
    """Base64 with padding, the bits that no byte uses being zero, as strict readers demand."""
    one = f"[A-Za-z0-9{last_two}]"
    return f"^(?:{one}{{4}})*(?:{one}[AQgw]==|{one}{{2}}[AEIMQUYcgkosw048]=)?$"


BASE64 = _base64("+/")
BASE64_URL = _base64("_-")
HEXADECIMAL = "^(?:[0-9a-f]{2})*$"
ASCII = r"^[\u0000-\u007f]*$"
# What `str.strip` of pydantic takes for white space is ECMA's \s without U+FEFF and with U+0085.
STRIPPED = r"^(?:[^\s\u0085]|[^\s\u0085][\s\S]*[^\s\u0085])?$"

_BYTE = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = rf"(?:{_BYTE}\.){{3}}{_BYTE}"
_GROUP = "[0-9a-fA-F]{1,4}"
_IPV6 = "|".join(
    [
        f"(?:{_GROUP}:){{7}}{_GROUP}",
        f"(?:{_GROUP}:){{1,7}}:",
        f":(?::{_GROUP}){{1,7}}",
        "::",
        *(f"(?:{_GROUP}:){{{n}}}(?::{_GROUP}){{1,{7 - n}}}" for n in range(1, 7)),
    ]
)
_BITS_4 = "(?:/(?:[12]?[0-9]|3[0-2]))?"
_BITS_6 = "(?:/(?:12[0-8]|1[01][0-9]|[1-9]?[0-9]))?"

# The formats that pydantic gives the types of `ipaddress` and its own; their names are not JSON Schema's.
ADDRESSES = {
    "ipv4": f"^{_IPV4}$",
    "ipv6": f"^(?:{_IPV6})$",
    "ipvanyaddress": f"^(?:{_IPV4}|{_IPV6})$",
    "ipv4interface": f"^{_IPV4}{_BITS_4}$",
    "ipv6interface": f"^(?:{_IPV6}){_BITS_6}$",
    "ipvanyinterface": f"^(?:{_IPV4}{_BITS_4}|(?:{_IPV6}){_BITS_6})$",
}

_LABEL = "[a-z0-9]+(?:-[a-z0-9]+)*"  # no two hyphens in a row: those begin names that must decode
_NAME = f"(?:{_LABEL}\\.)*(?:[a-z]+(?:-[a-z0-9]+)*)"  # a last label of digits would begin an IPv4 address
_PORT = "(?::(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}))?"
_REST = r"[A-Za-z0-9._~!$&'()*+,;=:@/-]"
_USER = "(?:[A-Za-z0-9._~-]+(?::[A-Za-z0-9._~-]*)?@)"


def url_form(schemes: Iterable[str] | None, *, host_required: bool, user_required: bool = False) -> str:
    """A URL with ``//``: scheme, user, host name or IPv4 address, port, path, query, fragment.

    ``schemes``: those allowed; None: any.
    """
    scheme = f"(?:{'|'.join(_escaped(s) for s in schemes)})" if schemes else "[a-z][a-z0-9+.-]*"
    user = _USER if user_required else f"{_USER}?"
    authority = f"{user}(?:{_NAME}|{_IPV4}){_PORT}"
    if schemes is not None and list(schemes) == ["file"]:
        authority = ""  # a file's host may have neither user nor port
    elif not host_required and schemes is not None and "file" in schemes:
        authority = f"(?:{_NAME}|{_IPV4})"
    return rf"^{scheme}://{authority}(?:/{_REST}*)?(?:\?(?:{_REST}|\?)*)?(?:#(?:{_REST}|\?)*)?$"


def _escaped(scheme: str) -> str:
    return "".join(c if c.isalnum() else f"\\{c}" for c in scheme)


# How a key of a dict is written: JSON has strings only.
INTEGER_KEY = "^(?:0|-?[1-9][0-9]*)$"
NUMBER_KEY = rf"^-?{_DECIMAL}$"
