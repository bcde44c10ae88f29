"""``date``, ``time``, ``date-time`` and ``duration``: RFC 3339.

The calendar is exact: days of each month, and 29 February in the leap years of the Gregorian rule
(appendix C). A leap second (section 5.7) is the last second of a day in UTC, 23:59:60, whatever the local
offset makes of it; and with a date, that day is the last of June or of December, as all of them were
(appendix D).
"""

from __future__ import annotations

import re

from structgen.regex.syntax import Regex
from structgen.sources.json_schema.formats.abnf import (
    DIGIT,
    alt,
    between,
    exactly,
    one_of,
    opt,
    seq,
    some,
    text,
    word,
)

_MINUTES_A_DAY = 24 * 60
_LAST_MINUTE = 23 * 60 + 59
# The offsets, in minutes, at which leap seconds are generated. An offset is read only after the leap second
# that depends on it, so each takes 60 states of its own, and all of them 90,000.
_HALF_HOURS = range(-_LAST_MINUTE + 29, _LAST_MINUTE, 30)
# With a date: the whole hours that are a local time somewhere.
_ZONES = range(-12 * 60, 14 * 60 + 1, 60)

# Section 5.6
DATE_FULLYEAR = exactly(4, DIGIT)
TIME_HOUR = alt(seq(one_of("01"), DIGIT), seq(text("2"), between(("0", "3"))))
TIME_MINUTE = seq(between(("0", "5")), DIGIT)
TIME_SECFRAC = seq(text("."), some(DIGIT))
TIME_NUMOFFSET = seq(one_of("+-"), TIME_HOUR, text(":"), TIME_MINUTE)
TIME_OFFSET = alt(word("Z"), TIME_NUMOFFSET)

_DAYS_TO_28 = alt(
    seq(text("0"), between(("1", "9"))), seq(text("1"), DIGIT), seq(text("2"), between(("0", "8")))
)
_DAYS_TO_30 = alt(_DAYS_TO_28, text("29"), text("30"))
_DAYS_TO_31 = alt(_DAYS_TO_30, text("31"))
_DAY_OF_ANY_YEAR = alt(
    seq(alt(*map(text, ("01", "03", "05", "07", "08", "10", "12"))), text("-"), _DAYS_TO_31),
    seq(alt(*map(text, ("04", "06", "09", "11"))), text("-"), _DAYS_TO_30),
    seq(text("02-"), _DAYS_TO_28),
)
_FOURTHS = alt(seq(one_of("02468"), one_of("048")), seq(one_of("13579"), one_of("26")))
_FOURTHS_BUT_ZERO = alt(
    seq(text("0"), one_of("48")),
    seq(one_of("2468"), one_of("048")),
    seq(one_of("13579"), one_of("26")),
)
# Appendix C: every fourth year, of the hundreds every fourth
LEAP_YEAR = alt(seq(_FOURTHS, text("00")), seq(DIGIT, DIGIT, _FOURTHS_BUT_ZERO))
FULL_DATE = alt(seq(DATE_FULLYEAR, text("-"), _DAY_OF_ANY_YEAR), seq(LEAP_YEAR, text("-02-29")))

_ORDINARY_TIME = seq(
    TIME_HOUR, text(":"), TIME_MINUTE, text(":"), between(("0", "5")), DIGIT, opt(TIME_SECFRAC), TIME_OFFSET
)


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _leap_second(offset: int) -> Regex:
    """23:59:60 in UTC, as written at an offset of so many minutes."""
    local = f"{_clock((_LAST_MINUTE + offset) % _MINUTES_A_DAY)}:60"
    sign = one_of("+-") if offset == 0 else text("-" if offset < 0 else "+")
    numeric = seq(sign, text(_clock(abs(offset))))
    return seq(text(local), opt(TIME_SECFRAC), alt(word("Z"), numeric) if offset == 0 else numeric)


# Section 5.6
FULL_TIME = alt(_ORDINARY_TIME, *map(_leap_second, _HALF_HOURS))
# Where the offset is positive, a day that ends in UTC has already ended in local time.
DATE_TIME = alt(
    seq(FULL_DATE, word("T"), _ORDINARY_TIME),
    seq(
        seq(DATE_FULLYEAR, alt(text("-06-30"), text("-12-31")), word("T")),
        alt(*(_leap_second(offset) for offset in _ZONES if offset <= 0)),
    ),
    seq(
        seq(DATE_FULLYEAR, alt(text("-07-01"), text("-01-01")), word("T")),
        alt(*(_leap_second(offset) for offset in _ZONES if offset > 0)),
    ),
)
# Every leap second, among others that are none: what is not here is no time at all.
_LOOSE_TIME = seq(TIME_HOUR, text(":"), TIME_MINUTE, text(":60"), opt(TIME_SECFRAC), TIME_OFFSET)
TIME_OR_NOT = alt(_ORDINARY_TIME, _LOOSE_TIME)
DATE_TIME_OR_NOT = seq(FULL_DATE, word("T"), TIME_OR_NOT)

_LEAP_SECOND = re.compile(r"(?:(?P<date>.{10})[Tt])?(?P<hour>..):(?P<minute>..):60[^-+zZ]*(?P<offset>.*)")


def _minutes_of(offset: str) -> int:
    if offset in "Zz":
        return 0
    minutes = 60 * int(offset[1:3]) + int(offset[4:])
    return -minutes if offset[0] == "-" else minutes


def is_leap_second(moment: str) -> bool:
    """Is a text of `DATE_TIME_OR_NOT` or `TIME_OR_NOT` the leap second of a day that may have one?"""
    found = _LEAP_SECOND.fullmatch(moment)
    if found is None:
        return False
    offset = _minutes_of(found["offset"])
    local = 60 * int(found["hour"]) + int(found["minute"])
    if (local - offset) % _MINUTES_A_DAY != _LAST_MINUTE:
        return False
    ends = ("06-30", "12-31") if offset <= 0 else ("07-01", "01-01")
    return found["date"] is None or found["date"].endswith(ends)


def _units(letters: str) -> Regex:
    """Numbers of units in this order, none left out between two that are there."""
    largest, smaller = letters[0], letters[1:]
    number = seq(some(DIGIT), text(largest))
    return seq(number, opt(_units(smaller))) if smaller else number


# Appendix A: a unit may be followed by the next smaller one only. Designators are the capitals of ISO 8601:
# ABNF would take small letters too, which no one else does.
DUR_TIME = seq(text("T"), alt(_units("HMS"), _units("MS"), _units("S")))
DUR_DATE = seq(alt(_units("YMD"), _units("MD"), _units("D")), opt(DUR_TIME))
DUR_WEEK = seq(some(DIGIT), text("W"))
DURATION = seq(text("P"), alt(DUR_DATE, DUR_TIME, DUR_WEEK))
