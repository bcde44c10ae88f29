"""Strings as text: lengths, patterns and enumerations as one automaton."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, reduce

import numpy as np

from structgen.automata import json_text
from structgen.automata.build import compile_regex, intersect, most_states, union
from structgen.automata.counting import is_within_reach
from structgen.automata.dfa import START, BoundedDfa, CountedDfa, Dfa
from structgen.automata.marked import MarkedDfa, marked
from structgen.charset import ANY, CharSet
from structgen.errors import (
    CompileLimitError,
    InvalidRegexError,
    InvalidSchemaError,
    UnsupportedRegexError,
    UnsupportedSchemaError,
)
from structgen.regex import parse
from structgen.regex.absorb import absorbed
from structgen.regex.bounds import are_apart, beginning, begins_anywhere, lengths
from structgen.regex.matching import matches_whole
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
from structgen.sources.json_schema.formats import format_automaton, format_complement, format_matches
from structgen.untracked import untracked

# Up to so many characters are spelled out in the automaton; more are counted while reading.
_SPELLED_OUT = 16
# A beginning of several possible lengths takes an alternative for each.
_MOST_BEGINNINGS = 8
# A pattern with a bound on the length: about so many states are spelled out; more are counted while reading.
_MOST_BOUNDED_STATES = 2000
_QUOTES = 2
_MOST_COUNTED = 64  # longer strings of a pattern with repetition are taken as many
_BACKSLASH = 0x5C
# Code points that are never written as they are, in one spelling each.
_ESCAPED = [json_text.encoded(chr(c)) for c in (*range(0x20), 0x22, 0x5C)]

Automaton = Dfa | CountedDfa | BoundedDfa | MarkedDfa
Parts = tuple[tuple[Automaton, ...], ...]
"""A language of strings: any one of the alternatives, each a few automata one after the other."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """``pattern`` of the subschema at ``pointer``: an unanchored ECMA-262 regular expression."""

    text: str
    pointer: str


@dataclass(frozen=True, slots=True)
class StringFacts:
    """Lengths in code points. ``patterns`` are found in the string, ``missed`` are not; it is of all
    ``formats`` and of none of ``other_formats``; one of ``values`` (None: any) and none of ``excluded``.
    """

    min_length: int = 0
    max_length: int | None = None
    patterns: tuple[Pattern, ...] = ()
    missed: tuple[Pattern, ...] = ()
    formats: tuple[str, ...] = ()
    other_formats: tuple[str, ...] = ()
    values: tuple[str, ...] | None = None
    excluded: frozenset[str] = frozenset()
    contents: tuple[Dfa, ...] = ()  # what is inside is in each of these, too

    @property
    def is_plain(self) -> bool:
        """True when only the length counts."""
        return not self.excluded and self.is_but_for_excluded

    @property
    def is_but_for_excluded(self) -> bool:
        """True when only the length counts, and which texts are excluded."""
        return self.values is None and not (
            self.patterns or self.missed or self.formats or self.other_formats or self.contents
        )


def merge_strings(left: StringFacts, right: StringFacts) -> StringFacts | None:
    """What satisfies both; None when plainly nothing does."""
    minimum = max(left.min_length, right.min_length)
    maximum = _smaller(left.max_length, right.max_length)
    if maximum is not None and minimum > maximum:
        return None
    values = left.values if right.values is None else right.values
    if left.values is not None and right.values is not None:
        values = tuple(value for value in left.values if value in right.values)
    merged = StringFacts(
        minimum,
        maximum,
        _joined(left.patterns, right.patterns),
        _joined(left.missed, right.missed),
        tuple(dict.fromkeys(left.formats + right.formats)),
        tuple(dict.fromkeys(left.other_formats + right.other_formats)),
        values,
        left.excluded | right.excluded,
        tuple(dict.fromkeys(left.contents + right.contents)),
    )
    if values is None:
        return merged
    if merged != StringFacts(values=values):
        values = tuple(value for value in values if string_matches(merged, value))
    return StringFacts(values=values) if values else None


def united(alternatives: Sequence[StringFacts], max_states: int) -> list[StringFacts]:
    """The same strings as those of all alternatives; those of the same lengths become one.

    It is what keeps conjunctions of disjunctions of patterns from being multiplied out.
    """
    groups: dict[tuple[int, int | None], list[StringFacts]] = {}
    for facts in alternatives:
        groups.setdefault((facts.min_length, facts.max_length), []).append(facts)
    found = []
    for (minimum, maximum), group in groups.items():
        if len(group) == 1:
            found += group
            continue
        contents = [_content(_language_key(facts), max_states) for facts in group]
        found.append(StringFacts(minimum, maximum, contents=(union(contents, max_states),)))
    return found


def string_language(facts: StringFacts, max_states: int, *, whole: bool = False) -> Parts:
    """All ways to write a string that the facts allow; no alternative when there is none.

    ``whole``: each alternative is one automaton. Raises `InvalidSchemaError` for a bad pattern,
    `UnsupportedSchemaError` for one that cannot be enforced exactly, `CompileLimitError` (``max_states``).
    """
    if facts.values is not None:
        values = (value for value in facts.values if string_matches(facts, value))
        return _alone(json_text.strings(tuple(sorted(values))))
    if facts.is_plain:
        return _alone(json_text.sized_string(facts.min_length, facts.max_length))
    if facts.is_but_for_excluded and facts.min_length == 0 and facts.max_length is None:
        return _alone(json_text.string_except(facts.excluded))
    for pattern in (*facts.patterns, *facts.missed):
        pattern_regex(pattern)  # its errors name the place, which the cached automaton does not know
    try:
        return _matching(_language_key(facts), max_states, whole)
    except CompileLimitError as error:
        pointer = next((pattern.pointer for pattern in (*facts.patterns, *facts.missed)), "")
        raise CompileLimitError(error.limit, error.allowed, error.given, pointer) from None


def string_content(facts: StringFacts, max_states: int) -> Dfa:
    """The same as the inside of JSON strings, spelled out. Raises as `string_language`."""
    if facts.values is not None:
        texts = tuple(Literal(value) for value in sorted(facts.values) if string_matches(facts, value))
        return compile_regex(Union(texts), "json-string", max_states)
    content = _content(_language_key(facts), max_states)
    if facts.min_length > 0 or facts.max_length is not None:
        sized = compile_regex(
            Repeat(Chars(ANY), facts.min_length, facts.max_length), "json-string", max_states
        )
        content = intersect(content, sized, max_states)
    return content


def string_matches(facts: StringFacts, text: str) -> bool:
    """Does a string satisfy the facts, its being one of ``values`` apart?"""
    if len(text) < facts.min_length or (facts.max_length is not None and len(text) > facts.max_length):
        return False
    if text in facts.excluded:
        return False
    return (
        all(matches(pattern, text) for pattern in facts.patterns)
        and all(content.accepts(json_text.encoded(text)) for content in facts.contents)
        and not any(matches(pattern, text) for pattern in facts.missed)
        and all(format_matches(name, text) for name in facts.formats)
        and not any(format_matches(name, text) for name in facts.other_formats)
    )


def matches(pattern: Pattern, text: str) -> bool:
    """Is ``pattern`` found in ``text``?"""
    pattern_regex(pattern)  # its errors name the place
    return _is_found(pattern.text, text)


@lru_cache(maxsize=4096)
def _is_found(pattern: str, text: str) -> bool:
    """Objects of a schema ask the same of the same names."""
    return matches_whole(_parsed(pattern), text)


@lru_cache(maxsize=4096)
def _few_texts(text: str, limit: int) -> tuple[str, ...] | None:
    found = _texts(_parsed(text), limit)
    return None if found is None else tuple(dict.fromkeys(found))


def few_texts(pattern: Pattern, limit: int) -> tuple[str, ...] | None:
    """The texts that a pattern is found in, as ``^[ab]$`` in two; None where there may be more than ``limit``
    of them, or that is not plain.
    """
    pattern_regex(pattern)  # its errors name the place
    return _few_texts(pattern.text, limit)


def _texts(node: Regex, limit: int) -> list[str] | None:
    if isinstance(node, Literal):
        return [node.text]
    if isinstance(node, Chars):
        ranges = node.charset.ranges
        if len(node.charset) > limit:
            return None
        return [chr(point) for low, high in ranges for point in range(low, high + 1)]
    if isinstance(node, Union):
        found: list[str] = []
        for option in node.options:
            texts = _texts(option, limit)
            if texts is None or len(found) + len(texts) > limit:
                return None
            found += texts
        return found
    if isinstance(node, Repeat):
        if node.maximum is None or node.maximum > limit:
            return None
        return _joined_texts([node.item] * node.minimum, node.item, node.maximum - node.minimum, limit)
    if isinstance(node, Concat):
        return _joined_texts(node.parts, None, 0, limit)
    return None


def _joined_texts(parts: Sequence[Regex], item: Regex | None, n_more: int, limit: int) -> list[str] | None:
    """One text of each part, and up to ``n_more`` of ``item``."""
    found = [""]
    for part in parts:
        texts = _texts(part, limit)
        if texts is None or len(found) * len(texts) > limit:
            return None
        found = [text + more for text in found for more in texts]
    last = found
    for _ in range(n_more if item is not None and found else 0):
        texts = None if item is None else _texts(item, limit)
        if texts is None or len(found) + len(last) * len(texts) > limit:
            return None
        last = [text + more for text in last for more in texts]
        found = found + last
    return found


def string_values(facts: StringFacts, limit: int, max_states: int) -> tuple[str, ...] | None:
    """All strings of the facts when they are at most ``limit``; None: more, or infinitely many."""
    if facts.values is not None:
        values = tuple(value for value in facts.values if string_matches(facts, value))
        return values if len(values) <= limit else None
    if facts.is_plain:
        return ("",) if facts.max_length == 0 else None
    if not (facts.patterns or facts.formats or facts.contents) and facts.max_length != 0:
        return None  # what is left out is finite, or leaves much
    return _finite_values(_language_key(facts), facts.min_length, facts.max_length, limit, max_states)


@dataclass(frozen=True, slots=True)
class _Key:
    """What the automaton of string facts depends on: no pointers, so that schemas share it."""

    patterns: tuple[str, ...]
    missed: tuple[str, ...]
    formats: tuple[str, ...]
    other_formats: tuple[str, ...]
    excluded: tuple[str, ...]
    contents: tuple[Dfa, ...]
    minimum: int
    maximum: int | None


def _language_key(facts: StringFacts) -> _Key:
    return _Key(
        tuple(dict.fromkeys(pattern.text for pattern in facts.patterns)),
        tuple(dict.fromkeys(pattern.text for pattern in facts.missed)),
        facts.formats,
        facts.other_formats,
        tuple(sorted(facts.excluded)),
        facts.contents,
        facts.min_length,
        facts.max_length,
    )


def _joined(left: tuple[Pattern, ...], right: tuple[Pattern, ...]) -> tuple[Pattern, ...]:
    texts = {pattern.text for pattern in left}
    return left + tuple(pattern for pattern in right if pattern.text not in texts)


def pattern_regex(pattern: Pattern) -> Regex:
    """The texts that ``pattern`` is found in. Raises as `string_language`."""
    try:
        return _parsed(pattern.text)
    except InvalidRegexError as error:
        raise InvalidSchemaError(pattern.pointer, str(error)) from None
    except UnsupportedRegexError as error:
        raise UnsupportedSchemaError(pattern.pointer, "pattern", str(error)) from None


@lru_cache(maxsize=4096)
def unsupported(text: str) -> str:
    """Why a pattern cannot be enforced exactly; '' where it can."""
    try:
        _parsed(text)
    except UnsupportedRegexError as error:
        return str(error)
    except InvalidRegexError:
        return ""
    return ""


@lru_cache(maxsize=512)  # not more: the collector looks at all of their nodes
@untracked
def _parsed(text: str) -> Regex:
    return absorbed(parse(text, "ecma", search=True))


@lru_cache(maxsize=512)
@untracked
def _matching(key: _Key, max_states: int, whole: bool) -> Parts:
    minimum, maximum = key.minimum, key.maximum
    if len(key.patterns) > 1 and are_apart(map(_pattern_beginning, key.patterns)):
        return ()
    node = _regex_of(key)
    shortest = 0
    if node is not None:
        shortest, longest = lengths(node)
        if shortest >= minimum and (maximum is None or (longest is not None and longest <= maximum)):
            minimum, maximum = 0, None  # they say nothing new
        if not (whole or key.missed or key.excluded or key.formats or key.other_formats or key.contents):
            counted = _counted(node, minimum, maximum, max_states)
            if counted is not None:
                return counted
        if shortest >= max_states:  # a state for each character
            raise CompileLimitError("max_states", max_states, shortest + 1)
    is_regex = node is not None and not (key.formats or key.other_formats or key.contents)
    if node is not None and is_regex and minimum > shortest:
        long_enough = Repeat(Chars(ANY), minimum, None)
        if maximum is None:
            string = _string(Intersection(node, long_enough), max_states, long_enough)
            return _alone(json_text.sized_string(minimum, None) if string is None else string)
        content = _compiled(Intersection(node, long_enough), max_states)
        if content == compile_regex(long_enough, "json-string", max_states):
            return _alone(json_text.sized_string(minimum, maximum))
    elif node is not None and is_regex and maximum is None and minimum == 0:
        counted_string = None if whole else marked(_apart(node), max_states)
        return _alone(counted_string or _string(node, max_states))
    else:
        content = _content(key, max_states)
    if content.is_empty or (maximum is not None and minimum > maximum):
        return ()
    if minimum == 1 and not is_regex and not content.accepts_empty:
        minimum = 0
    if minimum > 0 or maximum is not None:
        if content == compile_regex(ANYTHING, "json-string"):
            return _alone(json_text.sized_string(minimum, maximum))
        if (minimum, maximum) == (1, None):
            return _alone(json_text.quoted(content, empty=False))
        sized = Repeat(Chars(ANY), minimum, maximum)
        if maximum is not None and content.n_states * maximum > _MOST_BOUNDED_STATES:
            if shortest < minimum and not is_regex:
                content = intersect(
                    content,
                    compile_regex(replace(sized, maximum=None), "json-string", max_states),
                    max_states,
                )
            bounded = BoundedDfa(b'"', content, maximum, b'"')
            return _alone(bounded) if is_within_reach(bounded) else ()
        if node is None or not is_regex:
            content = intersect(content, compile_regex(sized, "json-string", max_states), max_states)
        elif maximum is not None:
            content = _compiled(Intersection(node, sized), max_states)
    return _alone(json_text.quoted(content))


def surely_within(facts: StringFacts, max_states: int) -> bool:
    """True when the automata of `string_language` plainly have at most ``max_states``, found without making
    them. Of facts with one pattern and lengths. Raises as `string_language`, but for the place.
    """
    node = pattern_regex(facts.patterns[0])
    shortest, longest = lengths(node)
    minimum, maximum = facts.min_length, facts.max_length
    if shortest >= max_states:
        return False
    if shortest >= minimum and (maximum is None or (longest is not None and longest <= maximum)):
        minimum, maximum = 0, None
    if _counted(node, minimum, maximum, max_states) is not None:
        return True
    if minimum > shortest:
        node = Intersection(node, Repeat(Chars(ANY), minimum, None))
    most = most_states(_apart(node), "json-string", max_states)
    if most is None or most + _QUOTES > max_states:
        return False
    # where the maximum is spelled out, it is so for few states
    return maximum is None or most + _MOST_BOUNDED_STATES < max_states


def _regex_of(key: _Key) -> Regex | None:
    """The patterns and what must not be, together."""
    parts: list[Regex] = [_parsed(text) for text in key.patterns]
    if key.missed:
        parts.append(Complement(Union(tuple(map(_parsed, key.missed)))))
    if key.excluded:
        parts.append(Complement(Union(tuple(map(Literal, key.excluded)))))
    return reduce(Intersection, parts) if parts else None


@lru_cache(maxsize=128)
@untracked
def _content(key: _Key, max_states: int) -> Dfa:
    """The inside of the strings, whatever their length."""
    node = _regex_of(key)
    wanted = [] if node is None else [_compiled(node, max_states)]
    wanted += key.contents
    wanted += [format_automaton(name, max_states) for name in key.formats]
    wanted += [
        compile_regex(format_complement(name), "json-string", max_states) for name in key.other_formats
    ]
    content = wanted[0] if wanted else compile_regex(ANYTHING, "json-string")
    for automaton in wanted[1:]:
        content = intersect(content, automaton, max_states)
    return content


@lru_cache(maxsize=128)
@untracked
def _finite_values(
    key: _Key, minimum: int, maximum: int | None, limit: int, max_states: int
) -> tuple[str, ...] | None:
    content = _content(key, max_states)
    if minimum > 0 or maximum is not None:
        if maximum is not None and maximum > _MOST_COUNTED and _has_loop(content):
            return None
        sized = compile_regex(Repeat(Chars(ANY), minimum, maximum), "json-string", max_states)
        content = intersect(content, sized, max_states)
    if _has_loop(content) or _has_more(content, limit):
        return None
    wide = content.transitions[:, content.byte_class]
    found: list[str] = []
    pending = [(START, b"")]
    while pending:
        state, text = pending.pop()
        if content.accepting[state]:
            found.append(json.loads(b'"' + text + b'"'))
        pending += [
            (after, text + spelled) for spelled in _ESCAPED if (after := content.step(state, spelled))
        ]
        for byte in np.flatnonzero(wide[state])[::-1].tolist():
            if byte != _BACKSLASH:
                pending.append((int(wide[state, byte]), text + bytes((byte,))))
    return tuple(found)


def _has_more(automaton: Dfa, limit: int) -> bool:
    """Are there more than ``limit`` texts in an automaton without loops, each in its plain spelling?"""
    weights = np.bincount(automaton.byte_class, minlength=automaton.transitions.shape[1])
    weights[automaton.byte_class[_BACKSLASH]] -= 1
    targets = [automaton.transitions]
    for spelled in _ESCAPED:
        after = np.arange(automaton.n_states)
        for byte in spelled:
            after = automaton.transitions[after, automaton.byte_class[byte]]
        targets.append(after[:, None])
    following = np.concatenate(targets, axis=1)
    ways = np.concatenate([weights, np.ones(len(_ESCAPED), np.int64)])
    n_each = ways.tolist()
    following[:, ways == 0] = 0
    counts = {0: 0}
    stack = [START]
    while stack:
        state = stack[-1]
        if state in counts:
            stack.pop()
            continue
        after_each = following[state].tolist()
        missing = [target for target in dict.fromkeys(after_each) if target not in counts]
        if missing:
            stack += missing
            continue
        counts[state] = int(automaton.accepting[state]) + sum(
            counts[target] * n for target, n in zip(after_each, n_each, strict=True) if target
        )
        if counts[state] > limit:  # each of these texts has a beginning that leads here
            return True
    return False


def _has_loop(automaton: Dfa) -> bool:
    """True when a state can come back to itself: the language is infinite, as every state leads to an end."""
    following = [set(row.tolist()) - {0} for row in automaton.transitions]
    done: set[int] = set()
    open_: set[int] = set()
    stack: list[tuple[int, bool]] = [(START, False)]
    while stack:
        state, leaving = stack.pop()
        if leaving:
            open_.discard(state)
            done.add(state)
            continue
        if state in open_:
            return True
        if state in done:
            continue
        open_.add(state)
        stack.append((state, True))
        for after in following[state]:
            if after in open_:
                return True
            if after not in done:
                stack.append((after, False))
    return False


def _compiled(node: Regex, max_states: int) -> Dfa:
    """`compile_regex`, with one precaution: see `_apart`."""
    shortest = lengths(node)[0]
    if shortest >= max_states:  # a state for each of its characters
        raise CompileLimitError("max_states", max_states, shortest + 1)
    return compile_regex(_apart(node), "json-string", max_states)


def _string(node: Regex, max_states: int, unless: Regex | None = None) -> Dfa | None:
    """`json_text.matching`, with the same precaution."""
    return json_text.matching(_apart(node), max_states, unless)


def _apart(node: Regex) -> Regex:
    """Options that may each be found anywhere (``a|b|c`` without anchors) have, before it is minimised, a
    deterministic automaton with a state for every set of options found; so they are united one by one,
    minimised in between, as the complement of the intersection of their complements.
    """
    if isinstance(node, Intersection):
        return Intersection(_apart(node.left), _apart(node.right))
    if isinstance(node, Complement):
        inner = _apart(node.item)
        return inner.item if isinstance(inner, Complement) else Complement(inner)
    if isinstance(node, Union):
        if sum(map(begins_anywhere, node.options)) <= 2:
            return node
        missed: Regex = Complement(node.options[0])
        for option in node.options[1:]:
            missed = Intersection(missed, Complement(option))
        return Complement(missed)
    return node


def patterns_apart(patterns: Sequence[Pattern]) -> bool:
    """True when plainly no text has all the patterns: often so of keys' patterns."""
    for pattern in patterns:
        pattern_regex(pattern)  # its errors name the place
    return len(patterns) > 1 and are_apart(_pattern_beginning(pattern.text) for pattern in patterns)


@lru_cache(maxsize=512)
@untracked
def _pattern_beginning(text: str) -> tuple[CharSet, ...]:
    return tuple(beginning(_parsed(text)))


def _alone(automaton: Automaton | None) -> Parts:
    is_empty = automaton is None or (isinstance(automaton, Dfa) and automaton.is_empty)
    return () if automaton is None or is_empty else ((automaton,),)


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
