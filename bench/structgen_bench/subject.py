"""structgen as the judged party: a small vocabulary, the options it knows, and what it says of texts.

The options that a harness asks for may be newer than the engine (or left out of a build). `Subject` asks the
engine once which of them it knows; what it does not know is named in ``unknown_options`` and in every result,
and stands for nothing silently: without ``any_order`` an instance counts as accepted when some order of its
members is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from structgen import Compiler, Vocabulary, allocate_bitmask
from structgen.compiled import CompiledGrammar
from structgen.errors import OptionError
from structgen.matcher import Matcher

# Every byte, and a few longer tokens that cross the borders of JSON's parts.
PIECES = (
    '{"', '"}', '":', '": ', '", "', '","', ", ", "[[", "]]", "}}", "[]", "{}", '""', "},{", "null", "true",
    "false", "foo", "bar", "12", "00", "1.0", ".5", "e+", "  ", "aa", "ab", "\\u", "\\ud8", "é", "😀",
)  # fmt: skip
EOS = 256 + len(PIECES)
_MOST_STEPS = 3_000


class Subject:
    """A compiler with the options that it is judged under.

    ``wanted``: options of ``Compiler.json_schema`` by name. Those that the engine does not know are left out
    and listed in ``unknown_options``.
    """

    def __init__(self, **wanted: Any) -> None:
        tokens = [bytes([byte]) for byte in range(256)] + [piece.encode() for piece in PIECES]
        self.vocabulary = Vocabulary([*tokens, None], EOS)
        self.compiler = Compiler(self.vocabulary, cache_size=0)
        self.options: dict[str, Any] = {}
        self.unknown_options: list[str] = []
        for name, value in wanted.items():
            if self.knows(name, value):
                self.options[name] = value
            else:
                self.unknown_options.append(name)
        self._bitmask = allocate_bitmask(1, self.vocabulary.size)

    def knows(self, name: str, value: Any) -> bool:
        """Whether the engine has the option. A value that it finds unfit is another matter: that raises."""
        try:
            self.compiler.json_schema(True, **{name: value})
        except OptionError as error:
            if error.option == name and error.expected.startswith("one of the known options"):
                return False
            raise
        return True

    @property
    def keeps_order(self) -> bool:
        """Whether objects are accepted in one order only."""
        return not self.options.get("any_order", False)

    def compile(self, schema: Any, **options: Any) -> CompiledGrammar:
        """Raises what the engine raises; ``options`` on top of the subject's own, unknown ones left out."""
        more = {name: value for name, value in options.items() if name not in self.unknown_options}
        return self.compiler.json_schema(schema, **{**self.options, **more})

    def accepts(self, grammar: CompiledGrammar, text: bytes) -> bool:
        """Whether the whole text is taken and may end there."""
        matcher = grammar.matcher()
        return matcher.accept_bytes(text) and matcher.is_accepting

    def accepts_value(
        self, grammar: CompiledGrammar, value: Any, *, compact: bool, ascii: bool
    ) -> bool | None:
        """Whether ``json.dumps(value)`` is accepted; where the order is kept: in some order of the members.

        None where there are too many orders to tell.
        """
        text = spell(value, compact=compact, ascii=ascii)
        if self.accepts(grammar, text):
            return True
        if not self.keeps_order:
            return False
        try:
            found = _OrderSearch(compact, ascii).after(grammar.matcher(), value)
            return any(matcher.is_accepting for matcher in found)
        except _TooManyOrdersError:
            return None

    def allowed(self, matcher: Matcher) -> np.ndarray[Any, np.dtype[np.int64]]:
        """The token ids in the mask."""
        matcher.fill_bitmask(self._bitmask)
        bits = np.unpackbits(self._bitmask[0].view(np.uint8), bitorder="little")
        return np.flatnonzero(bits[: self.vocabulary.size])

    def walk_tokens(self, grammar: CompiledGrammar, text: bytes) -> tuple[bool, str]:
        """(accepted, disagreement): the text token by token, each looked up in the mask first."""
        matcher = grammar.matcher()
        for place, token in enumerate(self.vocabulary.tokenize_bytes(text)):
            masked = bool((self.allowed(matcher) == token).any())
            if matcher.accept(token) != masked:
                return False, f"token {place} ({self.vocabulary.tokens[token]!r}): in the mask: {masked}"
            if not masked:
                return False, ""
        ends = bool((self.allowed(matcher) == EOS).any())
        return ends, "" if ends == matcher.is_accepting else f"the end: in the mask: {ends}"


def spell(value: Any, *, compact: bool = False, ascii: bool = False) -> bytes:
    """``json.dumps``, with default separators or none; ASCII only where a lone surrogate leaves no choice."""
    separators = (",", ":") if compact else None
    try:
        return json.dumps(value, ensure_ascii=ascii, separators=separators).encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=separators).encode()


class _TooManyOrdersError(Exception):
    pass


class _OrderSearch:
    """All ways to write a value that a matcher takes, the members of its objects in every order."""

    def __init__(self, compact: bool, ascii: bool) -> None:
        self._comma, self._colon = (b",", b":") if compact else (b", ", b": ")
        self._ascii = ascii
        self._left = _MOST_STEPS

    def after(self, matcher: Matcher, value: Any) -> Iterator[Matcher]:
        """The matchers after the value."""
        if isinstance(value, dict) and value:
            yield from self._members(matcher, value, tuple(value), b"{")
        elif isinstance(value, list) and value:
            yield from self._items(matcher, value, 0)
        else:
            yield from self._fed(matcher, spell(value, ascii=self._ascii))

    def _fed(self, matcher: Matcher, text: bytes) -> Iterator[Matcher]:
        self._left -= 1
        if self._left < 0:
            raise _TooManyOrdersError
        fork = matcher.fork()
        if fork.accept_bytes(text):
            yield fork

    def _items(self, matcher: Matcher, items: list[Any], place: int) -> Iterator[Matcher]:
        if place == len(items):
            yield from self._fed(matcher, b"]")
            return
        for opened in self._fed(matcher, self._comma if place else b"["):
            for after in self.after(opened, items[place]):
                yield from self._items(after, items, place + 1)

    def _members(
        self, matcher: Matcher, table: dict[str, Any], left: tuple[str, ...], opening: bytes
    ) -> Iterator[Matcher]:
        if not left:
            yield from self._fed(matcher, b"}")
        for name in left:
            rest = tuple(other for other in left if other != name)
            for opened in self._fed(matcher, opening + spell(name, ascii=self._ascii) + self._colon):
                for after in self.after(opened, table[name]):
                    yield from self._members(after, table, rest, self._comma)
