"""Why a text does not match: where it leaves the grammar, what was allowed there, which rule refused it."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from structgen.errors import SourcePosition
from structgen.expectation import describe_next
from structgen.machine import Machine
from structgen.schema_tables import AT_ONCE, schema_tables
from structgen.sources.json_schema import SchemaStates

if TYPE_CHECKING:
    from structgen.compiled import CompiledGrammar
    from structgen.matcher import Matcher
    from structgen.parser_states import Key
    from structgen.sources.json_schema.refusal import Refusal

_STRIDE = 4096  # bytes taken at once; only the stride that is refused is gone through byte by byte
_MOST_RULES = 8  # shown; the attributes have all


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a text does not match. ``str()`` of it is a message with the line and a caret.

    ``offset``: the byte that cannot stand where it does, or the text's length where it is ``incomplete``: all
    of it may stand there, and more must follow. ``position``: the character there, with line, column and the
    text (bytes that are no UTF-8 replaced). ``allowed``: what may stand there, in words.

    Of a JSON Schema, further: ``instance_pointer``, the JSON Pointer of the value that is refused, or of the
    object or array whose key, comma or end is (None for other grammars); ``schema_pointers`` and
    ``keywords``, of the same length: the subschemas that refuse it, and the keyword in each ('' where it is
    the subschema as a whole); ``reasons``: what these alone do not tell, in words.
    """

    position: SourcePosition
    offset: int
    allowed: tuple[str, ...]
    incomplete: bool
    instance_pointer: str | None = None
    schema_pointers: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()

    @property
    def line(self) -> int:
        """From 1."""
        return self.position.line

    @property
    def column(self) -> int:
        """From 1, in code points."""
        return self.position.column

    @property
    def rules(self) -> tuple[str, ...]:
        """The rules in words: 'schema: POINTER, keyword NAME'."""
        return tuple(
            f"schema: {pointer or '(root)'}" + (f", keyword {keyword}" if keyword else "")
            for pointer, keyword in zip(self.schema_pointers, self.keywords, strict=True)
        )

    def __str__(self) -> str:
        return f"{'ends too early' if self.incomplete else 'does not match'}\n{self.details}"

    @property
    def details(self) -> str:
        """The message without its first line."""
        lines = [f"at {self.position.render()}"]
        if self.instance_pointer is not None:
            rules = list(self.rules[:_MOST_RULES])
            if len(self.rules) > _MOST_RULES:
                rules.append(f"and {len(self.rules) - _MOST_RULES} more")
            shown = f" ({'; '.join(rules)})" if rules else ""
            lines.append(f"at {self.instance_pointer or '(root)'}{shown}")
        lines += [f"  {reason}" for reason in self.reasons]
        if self.allowed:
            lines.append(f"expected: {', '.join(self.allowed)}")
        return "\n".join(lines)


def explain(grammar: CompiledGrammar, data: bytes) -> Explanation | None:
    """None: the text matches."""
    matcher = grammar.matcher()
    offset = 0
    while offset < len(data) and matcher.accept_bytes(data[offset : offset + _STRIDE]):
        offset += _STRIDE
    while offset < len(data) and matcher.accept_bytes(data[offset : offset + 1]):
        offset += 1
    if offset >= len(data) and matcher.is_accepting:
        return None
    return _explained(grammar, data, min(offset, len(data)), matcher)


def _explained(grammar: CompiledGrammar, data: bytes, offset: int, matcher: Matcher) -> Explanation:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")  # a character begun before is where it is
    place = len(decoder.decode(data[:offset]))
    position = SourcePosition(data.decode("utf-8", "replace"), place)
    allowed = tuple(describe_next(matcher))
    incomplete = offset == len(data)
    if grammar.source.kind != "json_schema":
        return Explanation(position, offset, allowed, incomplete)
    why = _refusal(grammar, data, offset, matcher)
    return Explanation(
        position,
        offset,
        allowed,
        incomplete,
        why.pointer,
        tuple(rule.pointer for rule in why.rules),
        tuple(rule.keyword for rule in why.rules),
        tuple(why.reasons),
    )


def _refusal(grammar: CompiledGrammar, data: bytes, offset: int, matcher: Matcher) -> Refusal:
    from structgen.sources.json_schema.refusal import refusal

    # made anew: what it works out for the message is neither kept nor shared between threads
    source = grammar.source
    tables = schema_tables(source.text, source.options, grammar.vocabulary, AT_ONCE, timed=False)
    if not isinstance(tables.source, SchemaStates):
        raise TypeError("the tables of a JSON Schema are made from its states")
    machine = Machine(tables, grammar.store)

    def keys_at(position: int) -> list[Key]:
        config = machine.start
        if position:
            config = machine.advance(config, np.frombuffer(data[:position], np.uint8))
        return [tables.key(number) for number in machine.parser_states(config)]

    following = bytes(byte for byte, follows in enumerate(matcher.following_bytes()) if follows)
    return refusal(tables.source, data, offset, keys_at, following)
