"""Strings as text: lengths, patterns and enumerations as one automaton."""

from __future__ import annotations

from functools import lru_cache

from structgen.automata import json_text
from structgen.automata.build import compile_regex
from structgen.automata.dfa import CountedDfa, Dfa
from structgen.charset import ANY
from structgen.errors import (
    CompileLimitError,
    InvalidRegexError,
    InvalidSchemaError,
    UnsupportedRegexError,
    UnsupportedSchemaError,
)
from structgen.regex import parse
from structgen.regex.syntax import (
    Chars,
    Complement,
    Concat,
    Intersection,
    Literal,
    Regex,
    Repeat,
    Union,
)
from structgen.sources.json_schema.facts import Pattern, StringFacts


def string_language(facts: StringFacts, max_states: int) -> Dfa | CountedDfa:
    """All ways to write a string that the facts allow; the empty language when there is none.

    Raises `InvalidSchemaError` for a bad pattern, `UnsupportedSchemaError` for one that cannot be
    enforced exactly, `CompileLimitError` (``max_states``).
    """
    if facts.values is not None:
        return json_text.strings(facts.values)
    if not facts.patterns:
        return json_text.sized_string(facts.min_length, facts.max_length)
    for pattern in facts.patterns:
        pattern_regex(pattern)  # its errors name the place, which the cached automaton does not know
    texts = tuple(pattern.text for pattern in facts.patterns)
    try:
        return _matching(texts, facts.min_length, facts.max_length, max_states)
    except CompileLimitError as error:
        raise CompileLimitError(error.limit, error.allowed, error.given, facts.patterns[0].pointer) from None


def string_matches(facts: StringFacts, text: str) -> bool:
    """Does a string satisfy lengths and patterns?"""
    if len(text) < facts.min_length or (facts.max_length is not None and len(text) > facts.max_length):
        return False
    return all(
        compile_regex(pattern_regex(pattern), "json-string").accepts(json_text.encoded(text))
        for pattern in facts.patterns
    )


def pattern_regex(pattern: Pattern) -> Regex:
    """The texts that ``pattern`` is found in. Raises as `string_language`."""
    try:
        return _parsed(pattern.text)
    except InvalidRegexError as error:
        raise InvalidSchemaError(pattern.pointer, str(error)) from None
    except UnsupportedRegexError as error:
        raise UnsupportedSchemaError(pattern.pointer, "pattern", str(error)) from None


@lru_cache(maxsize=4096)
def _parsed(text: str) -> Regex:
    return parse(text, "ecma", search=True)


@lru_cache(maxsize=1024)
def _matching(patterns: tuple[str, ...], min_length: int, max_length: int | None, max_states: int) -> Dfa:
    node = _parsed(patterns[0])
    for text in patterns[1:]:
        node = Intersection(node, _parsed(text))
    shortest, longest = lengths(node)
    if shortest < min_length or (max_length is not None and (longest is None or longest > max_length)):
        node = Intersection(node, Repeat(Chars(ANY), min_length, max_length))
    return json_text.quoted(compile_regex(node, "json-string", max_states))


def lengths(node: Regex) -> tuple[int, int | None]:
    """Bounds of the number of code points of whatever ``node`` matches; not always the tightest."""
    if isinstance(node, Chars):
        return 1, 1
    if isinstance(node, Literal):
        return len(node.text), len(node.text)
    if isinstance(node, Complement):
        return 0, None
    if isinstance(node, Repeat):
        shortest, longest = lengths(node.item)
        if node.maximum is None:
            return shortest * node.minimum, 0 if longest == 0 else None
        return shortest * node.minimum, None if longest is None else longest * node.maximum
    if isinstance(node, Intersection):
        (a, b), (c, d) = lengths(node.left), lengths(node.right)
        return max(a, c), d if b is None else b if d is None else min(b, d)
    bounds = [lengths(part) for part in (node.parts if isinstance(node, Concat) else node.options)]
    longests = [longest for _, longest in bounds if longest is not None]
    unbounded = len(longests) < len(bounds)
    if isinstance(node, Concat):
        return sum(shortest for shortest, _ in bounds), None if unbounded else sum(longests)
    if not isinstance(node, Union) or not bounds:
        return 0, 0
    return min(shortest for shortest, _ in bounds), None if unbounded else max(longests)
