"""The slow, obvious matcher of the regex syntax tree: Brzozowski derivatives, one code point at a time."""

from __future__ import annotations

from functools import lru_cache

from structgen.regex.syntax import (
    EPSILON,
    NOTHING,
    Chars,
    Complement,
    Concat,
    Intersection,
    Literal,
    Regex,
    Repeat,
    Union,
)


def matches(node: Regex, text: str) -> bool:
    """Whether ``node`` matches the whole of ``text``."""
    for char in text:
        node = derive(node, char)
    return matches_empty(node)


@lru_cache(maxsize=100_000)
def matches_empty(node: Regex) -> bool:
    match node:
        case Chars():
            return False
        case Literal(text):
            return text == ""
        case Concat(parts):
            return all(matches_empty(part) for part in parts)
        case Union(options):
            return any(matches_empty(option) for option in options)
        case Repeat(item, minimum, _):
            return minimum == 0 or matches_empty(item)
        case Intersection(left, right):
            return matches_empty(left) and matches_empty(right)
        case Complement(item):
            return not matches_empty(item)


@lru_cache(maxsize=100_000)
def derive(node: Regex, char: str) -> Regex:
    """The texts that make a match of ``node`` when they follow ``char``."""
    match node:
        case Chars(charset):
            return EPSILON if any(low <= ord(char) <= high for low, high in charset.ranges) else NOTHING
        case Literal(text):
            return Literal(text[1:]) if text[:1] == char else NOTHING
        case Concat(parts):
            if not parts:
                return NOTHING
            rest = Concat(parts[1:])
            through = _then(derive(parts[0], char), rest)
            return _either(through, derive(rest, char)) if matches_empty(parts[0]) else through
        case Union(options):
            found: Regex = NOTHING
            for option in options:
                found = _either(found, derive(option, char))
            return found
        case Repeat(item, minimum, maximum):
            if maximum == 0:
                return NOTHING
            fewer = Repeat(item, max(minimum - 1, 0), None if maximum is None else maximum - 1)
            return _then(derive(item, char), fewer)
        case Intersection(left, right):
            return Intersection(derive(left, char), derive(right, char))
        case Complement(item):
            return Complement(derive(item, char))


def _then(first: Regex, second: Regex) -> Regex:
    if NOTHING in (first, second):
        return NOTHING
    if first == EPSILON:
        return second
    return first if second in (EPSILON, Concat(())) else Concat((first, second))


def _either(a: Regex, b: Regex) -> Regex:
    options = dict.fromkeys((*_options(a), *_options(b)))
    return next(iter(options)) if len(options) == 1 else Union(tuple(options))


def _options(node: Regex) -> tuple[Regex, ...]:
    return node.options if isinstance(node, Union) else (node,)
