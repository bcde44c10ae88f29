"""What all texts of an expression have in common, at a glance: how long they are, and how they begin."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce
from operator import or_

from structgen.charset import CharSet
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


def begin_apart(nodes: Sequence[Regex]) -> bool:
    """True when plainly no text can begin as each of the nodes begins."""
    return are_apart(map(beginning, nodes))


def are_apart(beginnings: Iterable[Sequence[CharSet]]) -> bool:
    """`begin_apart`, of what `beginning` gave."""
    common: list[CharSet] = []
    for beginning in beginnings:
        for i, charset in enumerate(beginning):
            if i == len(common):
                common.append(charset)
            else:
                common[i] &= charset
                if not common[i]:
                    return True
    return False


def beginning(node: Regex) -> list[CharSet]:
    """What the first characters may be, as far as all texts have them and it is plain."""
    if isinstance(node, Chars):
        return [node.charset]
    if isinstance(node, Literal):
        return [CharSet.chars(char) for char in node.text]
    if isinstance(node, Repeat):
        once = beginning(node.item) if node.minimum else []
        fixed = lengths(node.item)
        return once * min(node.minimum, 8) if fixed == (len(once), len(once)) else once
    if isinstance(node, Concat):
        found: list[CharSet] = []
        for part in node.parts:
            begin = beginning(part)
            found += begin
            if lengths(part) != (len(begin), len(begin)):
                break
        return found
    if isinstance(node, Union) and node.options:
        options = [beginning(option) for option in node.options]
        return [reduce(or_, charsets) for charsets in zip(*options, strict=False)]
    return []


def begins_anywhere(node: Regex) -> bool:
    """True when any text may come before the rest."""
    return isinstance(node, Concat) and bool(node.parts) and node.parts[0] == ANYTHING
