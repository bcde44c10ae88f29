"""Strings as text: lengths, patterns and enumerations as one automaton."""

from __future__ import annotations

from functools import lru_cache

from structgen.automata import json_text
from structgen.automata.build import compile_regex, difference, intersect
from structgen.automata.counting import is_within_reach
from structgen.automata.dfa import BoundedDfa, CountedDfa, Dfa
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
    ANYTHING,
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

# Up to so many characters are spelled out in the automaton; more are counted while reading.
_SPELLED_OUT = 16
# A beginning of several possible lengths takes an alternative for each.
_MOST_BEGINNINGS = 8
# A pattern with a bound on the length: about so many states are spelled out; more are counted while reading.
_MOST_BOUNDED_STATES = 2000

Automaton = Dfa | CountedDfa | BoundedDfa
Parts = tuple[tuple[Automaton, ...], ...]
"""A language of strings: any one of the alternatives, each a few automata one after the other."""


def string_language(facts: StringFacts, max_states: int) -> Parts:
    """All ways to write a string that the facts allow; no alternative when there is none.

    Raises `InvalidSchemaError` for a bad pattern, `UnsupportedSchemaError` for one that cannot be
    enforced exactly, `CompileLimitError` (``max_states``).
    """
    if facts.values is not None:
        return _alone(json_text.strings(tuple(sorted(facts.values))))
    if not facts.patterns:
        return _alone(json_text.sized_string(facts.min_length, facts.max_length))
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
def _matching(patterns: tuple[str, ...], minimum: int, maximum: int | None, max_states: int) -> Parts:
    node = _parsed(patterns[0])
    for text in patterns[1:]:
        node = Intersection(node, _parsed(text))
    shortest, longest = lengths(node)
    if shortest >= minimum and (maximum is None or (longest is not None and longest <= maximum)):
        minimum, maximum = 0, None  # they say nothing new
    counted = _counted(node, minimum, maximum, max_states)
    if counted is not None:
        return counted
    content = _compiled(node, max_states)
    if minimum > 0 or maximum is not None:
        if content == compile_regex(ANYTHING, "json-string"):
            return _alone(json_text.sized_string(minimum, maximum))
        if maximum is not None and content.n_states * maximum > _MOST_BOUNDED_STATES:
            if shortest < minimum:
                long_enough = compile_regex(Repeat(Chars(ANY), minimum, None), "json-string", max_states)
                content = intersect(content, long_enough, max_states)
            bounded = BoundedDfa(b'"', content, maximum, b'"')
            return _alone(bounded) if minimum <= maximum and is_within_reach(bounded) else ()
        sized = compile_regex(Repeat(Chars(ANY), minimum, maximum), "json-string", max_states)
        content = intersect(content, sized, max_states)
    return _alone(json_text.quoted(content))


def _compiled(node: Regex, max_states: int) -> Dfa:
    """`compile_regex`, with one precaution.

    Options that may each be found anywhere (``a|b|c`` without anchors) have, before it is minimised, a
    deterministic automaton with a state for every set of options found; so they are united one by one,
    minimised in between, as the complement of the intersection of their complements.
    """
    if not isinstance(node, Union) or sum(map(_begins_anywhere, node.options)) <= 2:
        return compile_regex(node, "json-string", max_states)
    anything = compile_regex(ANYTHING, "json-string")
    missed = anything
    for option in node.options:
        found = compile_regex(option, "json-string", max_states)
        missed = intersect(missed, difference(anything, found, max_states), max_states)
    return difference(anything, missed, max_states)


def _begins_anywhere(node: Regex) -> bool:
    return isinstance(node, Concat) and bool(node.parts) and node.parts[0] == ANYTHING


def _alone(automaton: Automaton) -> Parts:
    return () if isinstance(automaton, Dfa) and automaton.is_empty else ((automaton,),)


def _counted(node: Regex, minimum: int, maximum: int | None, max_states: int) -> Parts | None:
    """A short beginning and then many characters of one set, counted rather than spelled out.

    It is what most patterns with a large bound look like: ``^[a-z]{1,255}$``, or ``^https?://`` with a
    ``maxLength``. Spelled out, each length costs twenty states. None: not of this kind, or not large.
    """
    parts = _last_repeat_widened(list(node.parts) if isinstance(node, Concat) else [node])
    last = parts[-1] if parts else None
    if not isinstance(last, Repeat) or not isinstance(last.item, Chars) or not last.item.charset:
        return None
    beginning = Concat(tuple(parts[:-1]))
    shortest, longest = lengths(beginning)
    most = _smaller(last.maximum, None if maximum is None else maximum - shortest)
    if most is not None and most < 0:
        return ()
    if max(most or 0, last.minimum, minimum - shortest) <= _SPELLED_OUT:
        return None
    if longest is None or longest - shortest > _MOST_BEGINNINGS:
        return None
    unit = compile_regex(last.item, "json-string")
    alternatives: list[tuple[Automaton, ...]] = []
    for length in range(shortest, longest + 1):
        least = max(last.minimum, minimum - length)
        most = _smaller(last.maximum, None if maximum is None else maximum - length)
        if most is not None and most < least:
            continue
        if longest == 0:
            alternatives.append((CountedDfa(b'"', unit, least, most, b'"'),))
            continue
        exactly: Regex = beginning
        if shortest < longest:
            exactly = Intersection(beginning, Repeat(Chars(ANY), length, length))
        begin = compile_regex(exactly, "json-string", max_states)
        if not begin.is_empty:
            alternatives.append((json_text.opened(begin), CountedDfa(b"", unit, least, most, b'"')))
    return tuple(alternatives)


def _last_repeat_widened(parts: list[Regex]) -> list[Regex]:
    """``a*b*`` at the end is ``b*`` where ``b`` has all characters of ``a``, and ``a+b*`` is ``ab*``."""
    while len(parts) >= 2:
        before, last = parts[-2], parts[-1]
        if not (
            isinstance(last, Repeat)
            and isinstance(last.item, Chars)
            and (last.minimum, last.maximum) == (0, None)
            and isinstance(before, Repeat)
            and isinstance(before.item, Chars)
            and before.maximum is None
            and not before.item.charset - last.item.charset
        ):
            break
        fixed = [Repeat(before.item, before.minimum, before.minimum)] if before.minimum else []
        parts = [*parts[:-2], *fixed, last]
        if fixed:
            break
    return parts


def _smaller(left: int | None, right: int | None) -> int | None:
    if left is None or right is None:
        return right if left is None else left
    return min(left, right)


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
