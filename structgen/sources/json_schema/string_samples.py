"""Strings of some facts in hand: proof that there are any, or many, without an automaton."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache, reduce
from operator import or_

from structgen.charset import ANY, CharSet
from structgen.regex.bounds import begin_apart, beginning, begins_anywhere, lengths
from structgen.regex.samples import samples
from structgen.regex.syntax import ANYTHING, Chars, Concat, Literal, Regex, Repeat, Union
from structgen.sources.json_schema.formats import format_language
from structgen.sources.json_schema.strings import (
    Pattern,
    StringFacts,
    pattern_regex,
    string_matches,
)
from structgen.untracked import untracked

_TRIES_FOR_ONE = 12
_TRIES_FOR_EACH = 2  # of many
_MOST_SAMPLED = 128


def surely_has_string(facts: StringFacts) -> bool:
    """True when a string that can be generated is easily found; False says nothing."""
    if facts.is_plain:
        return True
    if facts.values is not None:
        return any(string_matches(facts, value) for value in facts.values)
    return _has_shortest(facts) or _plainly_without_end(facts) or bool(_sampled(facts, 1))


def surely_has_strings(facts: StringFacts, count: int) -> bool:
    """True when ``count`` different strings that can be generated are easily found; False says nothing."""
    if facts.is_but_for_excluded and facts.max_length is None:
        return True
    if _plainly_without_end(facts):
        return True
    if facts.values is not None or count > _MOST_SAMPLED:
        return False
    if facts.excluded:
        # the names of an object differ from schema to schema, the patterns beside them much less
        others = _sampled(replace(facts, excluded=frozenset()), count + len(facts.excluded))
        return len(others) - sum(text in facts.excluded for text in others) >= count
    return len(_sampled(facts, count)) >= count


def _plainly_without_end(facts: StringFacts) -> bool:
    """Are there strings without end by a repetition in the one pattern, or as no missed pattern begins like
    them? To draw some takes a hundred times as long.
    """
    if facts.max_length is not None or facts.values is not None or facts.formats or facts.other_formats:
        return False
    if facts.contents or bool(facts.patterns) == bool(facts.missed) or len(facts.patterns) > 1:
        return False
    for pattern in (*facts.patterns, *facts.missed):
        pattern_regex(pattern)  # its errors name the place
    if facts.patterns:
        return _repeats(facts.patterns[0].text)
    begun = [_first_of(pattern.text) for pattern in facts.missed]
    return bool(ANY - reduce(or_, begun))


@lru_cache(maxsize=4096)
def _repeats(text: str) -> bool:
    return _is_endless(pattern_regex(Pattern(text, "")))


def _is_endless(node: Regex) -> bool:
    """Does ``node`` plainly match texts of any length?"""
    if isinstance(node, Repeat):
        if node.maximum is None and lengths(node.item)[0] > 0:
            return _shortest_length(node.item) is not None
        return node.maximum != 0 and _is_endless(node.item)
    if isinstance(node, Concat):
        return any(map(_is_endless, node.parts)) and _shortest_length(node) is not None
    return isinstance(node, Union) and any(map(_is_endless, node.options))


@lru_cache(maxsize=4096)
@untracked
def _first_of(text: str) -> CharSet:
    """The characters that what a pattern is found in may begin with; ANY where that is not plain."""
    begun = beginning(pattern_regex(Pattern(text, "")))
    return begun[0] if begun else ANY


def _sampled(facts: StringFacts, count: int) -> tuple[str, ...]:
    nowhere = replace(
        facts,
        patterns=tuple(Pattern(pattern.text, "") for pattern in facts.patterns),
        missed=tuple(Pattern(pattern.text, "") for pattern in facts.missed),
    )
    for pattern in (*facts.patterns, *facts.missed):
        pattern_regex(pattern)  # its errors name the place
    return _sampled_once(nowhere, count)


@lru_cache(maxsize=256)
@untracked
def _sampled_once(facts: StringFacts, count: int) -> tuple[str, ...]:
    if facts.other_formats or len(facts.formats) > 1 or (facts.formats and facts.patterns):
        return ()  # whether a text is of a format is told by an automaton
    node = format_language(facts.formats[0]) if facts.formats else _source(facts)
    if node is None:
        return ()
    unformatted = replace(facts, formats=())
    tries = max(_TRIES_FOR_ONE, _TRIES_FOR_EACH * count)
    found: dict[str, None] = {}
    for text in samples(node, tries):
        if text not in found and string_matches(unformatted, text):
            found[text] = None
            if len(found) == count:
                break
    return tuple(found)


def _source(facts: StringFacts) -> Regex | None:
    """What is likely to hit; None where nothing can."""
    nodes = [pattern_regex(pattern) for pattern in facts.patterns]
    if not nodes:
        if facts.min_length or facts.max_length is not None:
            return Repeat(Chars(ANY), facts.min_length, facts.max_length)
        return ANYTHING
    if len(nodes) == 1:
        return nodes[0]
    if begin_apart(nodes):
        return None
    # What may be found anywhere is written behind what must be at the beginning.
    anywhere = [node for node in nodes if begins_anywhere(node)]
    fixed = [node for node in nodes if not begins_anywhere(node)]
    return (
        Concat((*fixed[:1], *anywhere)) if len(fixed) <= 1 else max(fixed, key=lambda node: lengths(node)[0])
    )


def _has_shortest(facts: StringFacts) -> bool:
    """Is a shortest text of the one pattern or format easily seen to be of the right length?"""
    if facts.missed or facts.other_formats or facts.contents or facts.excluded:
        return False
    if len(facts.patterns) + len(facts.formats) > 1:
        return False
    if facts.patterns:
        pattern_regex(facts.patterns[0])  # its error names the place
        length = _shortest_of_pattern(facts.patterns[0].text)
    else:
        length = _shortest_of_format(facts.formats[0])
    return (
        length is not None
        and length >= facts.min_length
        and (facts.max_length is None or length <= facts.max_length)
    )


@lru_cache(maxsize=4096)
def _shortest_of_pattern(text: str) -> int | None:
    return _shortest_length(pattern_regex(Pattern(text, "")))


@lru_cache(maxsize=64)
def _shortest_of_format(name: str) -> int | None:
    return _shortest_length(format_language(name))


def _shortest_length(node: Regex) -> int | None:
    """The length of some text that ``node`` matches; None where that is not easily told."""
    if isinstance(node, Chars):
        return 1 if node.charset else None
    if isinstance(node, Literal):
        return len(node.text)
    if isinstance(node, Repeat):
        if node.minimum == 0:
            return 0
        once = _shortest_length(node.item)
        return None if once is None else once * node.minimum
    if isinstance(node, Concat):
        parts = [_shortest_length(part) for part in node.parts]
        return None if None in parts else sum(part for part in parts if part is not None)
    if isinstance(node, Union):
        found = [length for option in node.options if (length := _shortest_length(option)) is not None]
        return min(found, default=None)
    return None
