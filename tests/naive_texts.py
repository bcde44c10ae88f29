"""The obvious oracle for texts that may not come twice: can these bytes be completed, are they complete?

Compact JSON of a few kinds: strings of a small language in every spelling, values from a list of texts,
arrays of distinct items, objects without repeated keys. Everything is tried: words over a small alphabet,
spellings of a character.
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Protocol

Found = tuple[list[tuple[int, Hashable]], bool]
"""(end, value) of every whole text that begins at a place; and whether all that follows begins one."""

_CHAR = re.compile(
    rb"[ !#-\[\]-\x7f]|[\xc2-\xdf][\x80-\xbf]"
    rb"|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]"
    rb"|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}"
    rb'|\\["\\/bfnrt]|\\u(?![dD][89a-fA-F])[0-9a-fA-F]{4}|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}'
)
_BEYOND = [
    "é",
    "߿",
    "ࠀ",
    "€",
    "\ud7ff",
    "\uf8ff",
    "\U00010000",
    "😀",
    "\U0010ffff",
]  # of every length in UTF-8
_MOST = 64  # words looked at to find a new one; more than are ever seen
_DEEPEST = 8


@dataclass(frozen=True)
class Words:
    """Strings over ``alphabet`` that match ``pattern`` as a whole, ``longest`` characters at the most; None:
    all strings there are.
    """

    pattern: str | None = None
    alphabet: str = "ab"
    longest: int = 1000

    def holds(self, word: str) -> bool:
        if len(word) > self.longest:
            return False
        return self.pattern is None or re.fullmatch(self.pattern, word) is not None

    def beginning_with(self, word: str) -> tuple[str, ...]:
        """Words, the shortest first: all of them, or enough."""
        return _words(self, word)


@cache
def _words(words: Words, begin: str) -> tuple[str, ...]:
    found: list[str] = []
    level = [begin]
    for length in range(len(begin), min(words.longest, len(begin) + _DEEPEST) + 1):
        found += filter(words.holds, level)
        if len(found) >= _MOST or length == words.longest:
            break
        level = [word + char for word in level for char in words.alphabet]
    return tuple(found)


@cache
def _read(raw: bytes) -> tuple[str, bytes]:
    """The whole characters at the beginning of a string's inside, and the bytes behind them."""
    at, chars = 0, ""
    while match := _CHAR.match(raw, at):
        chars += json.loads(b'"' + match.group() + b'"')
        at = match.end()
    return chars, raw[at:]


def spellings(char: str) -> list[str]:
    """Every way to write a code point in a JSON string, from RFC 8259."""
    units = char.encode("utf-16-be")
    escapes = [f"{units[i] << 8 | units[i + 1]:04x}" for i in range(0, len(units), 2)]
    ways = [""]
    for code in escapes:
        cases = [{digit, digit.upper()} for digit in code]
        ways = [way + "\\u" + "".join(digits) for way in ways for digits in product(*cases)]
    short = {
        '"': '\\"',
        "\\": "\\\\",
        "/": "\\/",
        "\b": "\\b",
        "\f": "\\f",
        "\n": "\\n",
        "\r": "\\r",
        "\t": "\\t",
    }
    if char in short:
        ways.append(short[char])
    if char >= " " and char not in '"\\':
        ways.append(char)
    return ways


@cache
def _chars_from(rest: bytes, alphabet: str) -> tuple[str, ...]:
    """Characters of ``alphabet`` of which a spelling begins with ``rest``."""
    return tuple(c for c in alphabet if any(way.encode().startswith(rest) for way in spellings(c)))


@cache
def _is_begun(rest: bytes) -> bool:
    """Is there any character of which a spelling begins with ``rest``?"""
    tails = [b"", b"n", *(c.encode()[i:] for c in _BEYOND for i in range(1, 4))]
    tails += [
        way.encode()[i:]
        for c in "\x00a\ud7ff\uffff\U00010000"
        for way in spellings(c)
        for i in range(1, len(way))
    ]
    return any(_CHAR.fullmatch(rest + tail) for tail in tails)


class Kind(Protocol):
    def find(self, data: bytes, i: int, seen: frozenset[Hashable]) -> Found:
        """Values in ``seen`` are none of this kind."""

    def number(self, limit: int) -> int:
        """How many values there are, or ``limit`` if there are more."""


@dataclass(frozen=True)
class Strings:
    words: Words

    def find(self, data: bytes, i: int, seen: frozenset[Hashable]) -> Found:
        if i == len(data):
            return [], self._continues(b"", seen)
        if data[i] != 0x22:
            return [], False
        match = re.compile(rb'((?:[^"\\]|\\.)*)"', re.DOTALL).match(data, i + 1)
        if match is None:
            return [], self._continues(data[i + 1 :], seen)
        word, rest = _read(match.group(1))
        if rest or word in seen or not self.words.holds(word):
            return [], False
        return [(match.end(), word)], False

    def _continues(self, raw: bytes, seen: frozenset[Hashable]) -> bool:
        word, rest = _read(raw)
        if self.words.pattern is None:  # an unfinished character can always become one of many
            if rest:
                return len(word) < self.words.longest and _is_begun(rest)
            return len(word) < self.words.longest or (len(word) == self.words.longest and word not in seen)
        begins = [word + char for char in _chars_from(rest, self.words.alphabet)] if rest else [word]
        return any(found not in seen for begin in begins for found in self.words.beginning_with(begin))

    def number(self, limit: int) -> int:
        return limit if self.words.pattern is None else min(limit, len(self.words.beginning_with("")))


@dataclass(frozen=True)
class Listed:
    """These texts and no others, each with its value."""

    texts: tuple[tuple[bytes, Hashable], ...]

    def find(self, data: bytes, i: int, seen: frozenset[Hashable]) -> Found:
        texts = [text for text, value in self.texts if value not in seen]
        ends = [
            (i + len(text), value)
            for text, value in self.texts
            if value not in seen and data.startswith(text, i)
        ]
        return ends, any(text.startswith(data[i:]) and len(text) > len(data) - i for text in texts)

    def number(self, limit: int) -> int:
        return min(limit, len({value for _, value in self.texts}))


@dataclass(frozen=True)
class Either:
    kinds: tuple[Kind, ...]

    def find(self, data: bytes, i: int, seen: frozenset[Hashable]) -> Found:
        found = [kind.find(data, i, seen) for kind in self.kinds]
        return [end for ends, _ in found for end in ends], any(goes_on for _, goes_on in found)

    def number(self, limit: int) -> int:
        return min(limit, sum(kind.number(limit) for kind in self.kinds))


@dataclass(frozen=True)
class ByKey:
    """What members are whose keys match a pattern: the first one that does."""

    kinds: tuple[tuple[str, Kind], ...]

    def of(self, key: Hashable) -> Kind:
        return next(kind for pattern, kind in self.kinds if re.fullmatch(pattern, str(key)))


@dataclass(frozen=True)
class Distinct:
    """An array of distinct items, or, with ``member``, an object: ``item`` is then what keys are."""

    item: Kind
    least: int = 0
    most: int = 1000
    member: Kind | ByKey | None = None
    required: Hashable = None  # a key that must be there

    def find(self, data: bytes, i: int, seen: frozenset[Hashable]) -> Found:
        """There are always more values than were seen."""
        open_, close = (b"[", b"]") if self.member is None else (b"{", b"}")
        if i == len(data):
            return [], True
        ends: list[tuple[int, Hashable]] = []
        if not data.startswith(open_, i):
            return [], False
        goes_on = False
        # (place, items so far, what is there, may the array end here?)
        pending: list[tuple[int, frozenset[Hashable], tuple[Hashable, ...]]] = []
        pending.append((i + 1, frozenset(), ()))
        while pending:
            at, items, written = pending.pop()
            may_end = len(items) >= self.least and (self.required is None or self.required in items)
            may_go_on = self._has_more(items)
            if at == len(data):
                goes_on = goes_on or may_end or may_go_on
                continue
            if may_end and data.startswith(close, at):
                ends.append((at + 1, (open_, frozenset(written) if self.member else written)))
            if not may_go_on:
                continue
            if items:
                if not data.startswith(b",", at):
                    continue
                at += 1
            found, inside = self.item.find(data, at, items)
            goes_on = goes_on or inside
            for end, value in found:
                for after, made, open_member in self._members(data, end, value):
                    goes_on = goes_on or open_member
                    if after is not None:
                        pending.append((after, items | {value}, (*written, made)))
        return [(end, value) for end, value in ends if value not in seen], goes_on

    def _has_more(self, items: frozenset[Hashable]) -> bool:
        """May there be another item?"""
        n = len(items)
        return n < self.most and self.item.number(n + 1) > n

    def _members(self, data: bytes, end: int, key: Hashable) -> Iterator[tuple[int | None, Hashable, bool]]:
        if self.member is None:
            yield end, key, False
        elif end == len(data):
            yield None, None, True
        elif data.startswith(b":", end):
            member = self.member.of(key) if isinstance(self.member, ByKey) else self.member
            found, inside = member.find(data, end + 1, frozenset())
            yield None, None, inside
            for after, value in found:
                yield after, (key, value), False

    def number(self, limit: int) -> int:
        return limit


def viable(kind: Kind, data: bytes) -> tuple[bool, bool]:
    """(can be completed, is complete)"""
    ends, goes_on = kind.find(data, 0, frozenset())
    complete = any(end == len(data) for end, _ in ends)
    return complete or goes_on, complete
