"""Smart constructors of plain regular expressions, and operations that stay within their syntax.

The constructors keep trees small: neutral elements go, literals join, what cannot match is `NOTHING`.
None of them unrolls a repeat.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from structgen.charset import ANY, CharSet
from structgen.regex.syntax import (
    ANYTHING,
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

T = TypeVar("T")

SOMETHING = Repeat(Chars(ANY), 1, None)


def chars(charset: CharSet) -> Regex:
    """One character of the set, as a `Literal` if it has but one."""
    ranges = charset.ranges
    if len(ranges) == 1 and ranges[0][0] == ranges[0][1]:
        return Literal(chr(ranges[0][0]))
    return Chars(charset)


def concat(parts: Iterable[Regex]) -> Regex:
    flat: list[Regex] = []
    for part in parts:
        for piece in part.parts if isinstance(part, Concat) else (part,):
            if is_nothing(piece):
                return NOTHING
            if isinstance(piece, Literal):
                if not piece.text:
                    continue
                if flat and isinstance(flat[-1], Literal):
                    flat[-1] = Literal(flat[-1].text + piece.text)
                    continue
            elif flat and piece == ANYTHING == flat[-1]:
                continue
            flat.append(piece)
    if not flat:
        return EPSILON
    return flat[0] if len(flat) == 1 else Concat(tuple(flat))


def union(options: Iterable[Regex]) -> Regex:
    flat = distinct(
        choice
        for option in options
        for choice in (option.options if isinstance(option, Union) else (option,))
        if not is_nothing(choice)
    )
    if ANYTHING in flat:
        return ANYTHING
    if len(flat) > 1:
        sets = [charset_of(choice) for choice in flat]
        if None not in sets:
            return chars(CharSet.of(pair for charset in sets if charset for pair in charset.ranges))
    if len(flat) == 2 and EPSILON in flat:
        other = flat[0] if flat[1] == EPSILON else flat[1]
        return other if nullable(other) else Repeat(other, 0, 1)
    return flat[0] if len(flat) == 1 else Union(tuple(flat))


def distinct(items: Iterable[T]) -> list[T]:
    """Each item once, in order. Few are compared: trees with large classes take long to hash."""
    given = list(items)
    if len(given) > 8:
        return list(dict.fromkeys(given))
    found: list[T] = []
    for item in given:
        if item not in found:
            found.append(item)
    return found


def repeat(item: Regex, minimum: int, maximum: int | None) -> Regex:
    if maximum == 0:
        return EPSILON
    if is_nothing(item):
        return EPSILON if minimum == 0 else NOTHING
    if item == EPSILON or (minimum == 1 and maximum == 1):
        return item
    return Repeat(item, minimum, maximum)


def intersect(left: Regex, right: Regex) -> Regex:
    if left == right or right == ANYTHING:
        return left
    if left == ANYTHING:
        return right
    if is_nothing(left) or is_nothing(right):
        return NOTHING
    for small, other in ((left, right), (right, left)):
        words = _few_words(small)
        if words is not None:
            return union(Literal(word) for word in words if len(word) in ends(other, word, 0))
    one, another = charset_of(left), charset_of(right)
    if one is not None and another is not None:
        return chars(one & another) if one & another else NOTHING
    return Intersection(left, right)


def complement(item: Regex) -> Regex:
    if isinstance(item, Complement):
        return item.item
    if is_nothing(item):
        return ANYTHING
    return NOTHING if item == ANYTHING else Complement(item)


def is_nothing(node: Regex) -> bool:
    """True for `NOTHING`. A class without members stays as it is written: it has the width of a character,
    which Python's rule for lookbehinds counts."""
    return isinstance(node, Union) and not node.options


def charset_of(node: Regex) -> CharSet | None:
    """The set of a node that is one character of a set; None for other nodes."""
    if isinstance(node, Chars):
        return node.charset
    if isinstance(node, Literal) and len(node.text) == 1:
        return CharSet.chars(node.text)
    return None


def ends(node: Regex, text: str, begin: int) -> set[int]:
    """Where the matches of ``node`` that begin at ``begin`` end in ``text``. For short texts."""
    if isinstance(node, Chars):
        return {begin + 1} if begin < len(text) and ord(text[begin]) in node.charset else set()
    if isinstance(node, Literal):
        return {begin + len(node.text)} if text.startswith(node.text, begin) else set()
    if isinstance(node, Concat):
        reached = {begin}
        for part in node.parts:
            reached = {end for place in reached for end in ends(part, text, place)}
        return reached
    if isinstance(node, Union):
        return {end for option in node.options for end in ends(option, text, begin)}
    if isinstance(node, Repeat):
        return _ends_of_repeat(node, text, begin)
    if isinstance(node, Intersection):
        return ends(node.left, text, begin) & ends(node.right, text, begin)
    return set(range(begin, len(text) + 1)) - ends(node.item, text, begin)


def _ends_of_repeat(node: Repeat, text: str, begin: int) -> set[int]:
    minimum = 0 if nullable(node.item) else node.minimum
    found = {begin} if minimum == 0 else set()
    reached, count = {begin}, 0
    # iterations that match nothing add nothing, so there are at most as many as characters left
    while reached and count < len(text) - begin and (node.maximum is None or count < node.maximum):
        reached = {end for place in reached for end in ends(node.item, text, place) if end > place}
        count += 1
        if count >= minimum:
            found |= reached
    return found


def _few_words(node: Regex) -> list[str] | None:
    """The words of a language that is plainly finite and small."""
    if isinstance(node, Literal):
        return [node.text]
    if isinstance(node, Repeat) and isinstance(node.item, Literal) and (node.minimum, node.maximum) == (0, 1):
        return ["", node.item.text]
    return None


def nullable(node: Regex) -> bool:
    """True when ``node`` matches the empty text."""
    if isinstance(node, Chars):
        return False
    if isinstance(node, Literal):
        return not node.text
    if isinstance(node, Concat):
        return all(nullable(part) for part in node.parts)
    if isinstance(node, Union):
        return any(nullable(option) for option in node.options)
    if isinstance(node, Repeat):
        return node.minimum == 0 or nullable(node.item)
    if isinstance(node, Intersection):
        return nullable(node.left) and nullable(node.right)
    return not nullable(node.item)


def nonempty(node: Regex) -> Regex:
    """``node`` without the empty text."""
    if not nullable(node):
        return node
    if isinstance(node, Literal):
        return NOTHING
    if isinstance(node, Union):
        return union(nonempty(option) for option in node.options)
    if isinstance(node, Repeat):
        # an empty iteration adds nothing, so the others may be taken as not empty
        return repeat(nonempty(node.item), 1, node.maximum)
    if isinstance(node, Concat) and len(node.parts) <= 4:
        # by the first part that is not empty
        return union(concat([nonempty(part), *node.parts[i + 1 :]]) for i, part in enumerate(node.parts))
    return intersect(node, SOMETHING)


def first_among(node: Regex, allowed: CharSet) -> Regex:
    """The texts of ``node``, which does not match the empty one, that begin with a character of a set."""
    if not allowed:
        return NOTHING
    if allowed == ANY:
        return node
    if isinstance(node, Chars):
        both = node.charset & allowed
        if both == node.charset:
            return node
        return chars(both) if both else NOTHING
    if isinstance(node, Literal):
        return node if ord(node.text[0]) in allowed else NOTHING
    if isinstance(node, Union):
        return union(first_among(option, allowed) for option in node.options)
    if isinstance(node, Repeat):
        head = first_among(node.item, allowed)
        if head == node.item:
            return node
        left = None if node.maximum is None else node.maximum - 1
        return concat([head, repeat(node.item, max(node.minimum - 1, 0), left)])
    if isinstance(node, Concat):
        head, rest = node.parts[0], node.parts[1:]
        if not nullable(head):
            restricted = first_among(head, allowed)
            return node if restricted == head else concat([restricted, *rest])
        with_head = concat([first_among(nonempty(head), allowed), *rest])
        without = concat(rest)
        return union([with_head, first_among(without, allowed)])
    return intersect(node, concat([chars(allowed), ANYTHING]))


def reverse(node: Regex) -> Regex:
    """The mirror images of the texts."""
    if isinstance(node, Literal):
        return Literal(node.text[::-1])
    if isinstance(node, Concat):
        return Concat(tuple(reverse(part) for part in reversed(node.parts)))
    if isinstance(node, Union):
        return Union(tuple(reverse(option) for option in node.options))
    if isinstance(node, Repeat):
        return Repeat(reverse(node.item), node.minimum, node.maximum)
    if isinstance(node, Intersection):
        return Intersection(reverse(node.left), reverse(node.right))
    if isinstance(node, Complement):
        return Complement(reverse(node.item))
    return node


def last_among(node: Regex, allowed: CharSet) -> Regex:
    """The texts of ``node``, which does not match the empty one, that end with a character of a set."""
    if allowed == ANY:
        return node
    mirrored = reverse(node)
    restricted = first_among(mirrored, allowed)
    return node if restricted == mirrored else reverse(restricted)


def size(node: Regex) -> int:
    """How many nodes the tree has."""
    if isinstance(node, Concat):
        return 1 + sum(size(part) for part in node.parts)
    if isinstance(node, Union):
        return 1 + sum(size(option) for option in node.options)
    if isinstance(node, Repeat | Complement):
        return 1 + size(node.item)
    if isinstance(node, Intersection):
        return 1 + size(node.left) + size(node.right)
    return 1
