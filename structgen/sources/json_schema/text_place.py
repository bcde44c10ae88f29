"""Where in a JSON text a byte stands: in which value, and what may come there as far as JSON goes."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from structgen.sources.json_schema.pointers import escape

_TOKEN = re.compile(
    rb"""(?P<blank>[ \t\n\r]+)|(?P<string>"(?:[^"\\]|\\.)*")|(?P<number>-?[0-9][0-9.eE+-]*|-)"""
    rb"""|(?P<word>[a-z]+)|(?P<mark>[][{}:,])|(?P<open>".*)""",
    re.DOTALL,
)
NUMBER_BYTES = frozenset(b"0123456789.eE+-")


class Expected(Enum):
    """What stands at a place, or comes next there."""

    VALUE = "a value"
    INSIDE = "the inside of a string, number or word"
    KEY = "a key"
    INSIDE_KEY = "the inside of a key"
    COLON = "a colon"
    NEXT = "a comma or the end"
    END = "the end of the text"


@dataclass(slots=True)
class Container:
    """An object or array that is open. ``begin``: its bracket. ``names``: of its members so far.

    ``before``: an array's: where what stands before the last comma, or before the bracket, has ended; an
    object's: where its last key has ended. ``items``: begin and end of the items that are complete.
    """

    is_object: bool
    begin: int
    before: int
    names: list[str] = field(default_factory=list)
    items: list[tuple[int, int]] = field(default_factory=list)
    index: int = 0

    @property
    def token(self) -> str:
        return self.names[-1] if self.is_object else str(self.index)


@dataclass(slots=True)
class TextPlace:
    """``begin``: where the value or key begins that is ``expected`` or is being read."""

    containers: list[Container]
    expected: Expected
    begin: int
    is_first: bool  # nothing stands in the container yet

    @property
    def is_in_value(self) -> bool:
        return self.expected in (Expected.VALUE, Expected.INSIDE)

    @property
    def pointer(self) -> str:
        """JSON Pointer of the value; of the object or array where a key, comma or end is expected."""
        shown = self.containers if self.is_in_value else self.containers[:-1]
        return "".join("/" + escape(container.token) for container in shown)


def text_place(text: bytes) -> TextPlace:
    """The place behind ``text``, a beginning of some JSON text."""
    containers: list[Container] = []
    expected, begin, end, is_first = Expected.VALUE, 0, 0, False
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            break
        at = match.end()
        kind, token = match.lastgroup, match.group()
        inner = containers[-1] if containers else None
        if kind == "blank":
            continue
        if kind == "mark":
            if token in b"{[":
                containers.append(Container(token == b"{", match.start(), match.start()))
                expected, is_first = (Expected.KEY if token == b"{" else Expected.VALUE), True
            elif token in b"}]":
                begin = containers.pop().begin
                expected, is_first = _after_value(containers, begin, at), False
                end = at
            elif token == b":":
                expected = Expected.VALUE
            elif inner is not None:
                expected, is_first = (Expected.KEY if inner.is_object else Expected.VALUE), False
                if not inner.is_object:
                    inner.before, inner.index = end, inner.index + 1
            begin = at
            continue
        begin, end = match.start(), at
        if kind == "open" or (at == len(text) and kind in ("number", "word")):
            expected = Expected.INSIDE_KEY if expected is Expected.KEY else Expected.INSIDE
        elif expected is Expected.KEY and inner is not None:
            inner.names.append(json.loads(token))
            inner.before, expected = at, Expected.COLON
        else:
            expected, is_first = _after_value(containers, begin, at), False
    if expected in (Expected.KEY, Expected.VALUE):
        begin = len(text)
    return TextPlace(containers, expected, begin, is_first)


def _after_value(containers: list[Container], begin: int, end: int) -> Expected:
    if not containers:
        return Expected.END
    containers[-1].items.append((begin, end))
    return Expected.NEXT


def value_at(text: bytes, begin: int) -> tuple[Any, bool]:
    """The JSON value that begins at ``begin``, and whether there is a whole one."""
    try:
        decoded = text[begin:].decode("utf-8", "replace").lstrip(" \t\n\r")
        return json.JSONDecoder().raw_decode(decoded)[0], True
    except (ValueError, RecursionError):
        return None, False
