"""JSON Schemas through the front door, over single bytes: is a text accepted, and texts drawn at random."""

from __future__ import annotations

import json
import random
from fractions import Fraction
from typing import Any

import numpy as np

from structgen.compiled import CompiledGrammar
from structgen.compiler import Compiler
from structgen.vocabulary import Vocabulary

BYTES = Vocabulary([*(bytes([byte]) for byte in range(256)), None], 256)
_compiler: list[Compiler] = []

# What brings a value to its end, the best first; and what most texts are made of.
_ENDING = b'"}]:,0123456789eulsrtabfn'
_USUAL = frozenset(b'{}[]":,0123456789truefalsnb-.')
_SOON = 40
_LONGEST = 600


def compiled(schema: Any, **options: Any) -> CompiledGrammar:
    """The grammar of a schema, for the vocabulary of single bytes. Raises as `Compiler.json_schema`."""
    if not _compiler:
        _compiler.append(Compiler(BYTES, cache_size=0))
    return _compiler[0].json_schema(schema, **options)


def accepts(grammar: CompiledGrammar, text: str | bytes) -> bool:
    """Whether the whole text is in the grammar's language."""
    matcher = grammar.matcher()
    return matcher.accept_bytes(text.encode() if isinstance(text, str) else text) and matcher.is_accepting


def exact_value(text: bytes, *, plain: bool = False) -> Any:
    """The value of a JSON text, integers as int however written; ``plain``: only without fraction."""

    def number(literal: str) -> Any:
        exponent = literal.lower().partition("e")[2]
        if plain or len(exponent.lstrip("+-")) > 3:
            return float(literal)
        value = Fraction(literal)
        return value.numerator if value.denominator == 1 else value

    return json.loads(text, parse_float=number)


def random_text(grammar: CompiledGrammar, rng: random.Random) -> bytes | None:
    """A text of the grammar, byte by byte out of those that may follow, soon straight for the end.

    None where it did not come to an end in time. That there is always a way on is asserted.
    """
    matcher = grammar.matcher()
    text = bytearray()
    while len(text) < _LONGEST:
        allowed = np.flatnonzero(matcher.following_bytes()).tolist()
        if matcher.is_accepting and (not allowed or len(text) > _SOON or rng.random() < 0.5):
            return bytes(text)
        assert allowed, bytes(text)
        pool = allowed
        if len(text) > _SOON:
            best = [byte for byte in _ENDING if byte in allowed]
            pool = best[:1] if best and rng.random() < 0.9 else [b for b in allowed if b != 0x5C] or allowed
        elif rng.random() < 0.7:
            pool = [byte for byte in allowed if byte in _USUAL] or allowed
        byte = rng.choice(pool)
        assert matcher.accept_bytes(bytes([byte])), (bytes(text), byte)
        text.append(byte)
    return None
