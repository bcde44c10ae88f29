"""What the parsers make of a pattern: regular expressions with assertions between the characters.

A node without assertions is a plain `Regex`; these classes stand only where an assertion is inside.
`lowering` turns them into a plain `Regex` of the whole text.
"""

from __future__ import annotations

from dataclasses import dataclass

from structgen.charset import ANY, EMPTY, CharSet
from structgen.regex.syntax import Chars, Complement, Concat, Intersection, Literal, Regex, Repeat, Union


@dataclass(frozen=True, slots=True)
class Side:
    """What may stand next to a position, on one side of it: the text's edge, or a character of a set."""

    edge: bool
    chars: CharSet

    def __and__(self, other: Side) -> Side:
        if other == FREE:
            return self
        if self == FREE:
            return other
        return Side(self.edge and other.edge, self.chars & other.chars)

    def __invert__(self) -> Side:
        return Side(not self.edge, ~self.chars)

    @property
    def possible(self) -> bool:
        return self.edge or bool(self.chars)


FREE = Side(True, ANY)
ONLY_EDGE = Side(True, EMPTY)


@dataclass(frozen=True, slots=True)
class Neighbours:
    """A position whose two neighbours are one of ``pairs`` (left, right): ``^``, ``$``, ``\\b``, ..."""

    pairs: tuple[tuple[Side, Side], ...]
    offset: int


@dataclass(frozen=True, slots=True)
class Look:
    """Lookahead or lookbehind (``ahead``), positive or ``negative``."""

    item: Node
    ahead: bool
    negative: bool
    offset: int


@dataclass(frozen=True, slots=True)
class Series:
    """One part after the other."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """Any of the options."""

    options: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Loop:
    """``item`` from ``minimum`` to ``maximum`` times; ``offset``: where the item stands in the pattern."""

    item: Node
    minimum: int
    maximum: int | None
    offset: int


Node = Regex | Neighbours | Look | Series | Choice | Loop
PLAIN = (Chars, Literal, Concat, Union, Repeat, Intersection, Complement)


def text_start(offset: int) -> Neighbours:
    return Neighbours(((ONLY_EDGE, FREE),), offset)


def text_end(offset: int) -> Neighbours:
    return Neighbours(((FREE, ONLY_EDGE),), offset)


def line_start(newlines: CharSet, offset: int) -> Neighbours:
    return Neighbours(((Side(True, newlines), FREE),), offset)


def line_end(newlines: CharSet, offset: int) -> Neighbours:
    return Neighbours(((FREE, Side(True, newlines)),), offset)


def end_or_last_newline(offset: int) -> Look:
    """Python's ``$``: at the end, or before a newline that ends the text."""
    rest = Series((Repeat(Literal("\n"), 0, 1), text_end(offset)))
    return Look(rest, ahead=True, negative=False, offset=offset)


def word_boundary(word: CharSet, offset: int) -> Neighbours:
    inside, outside = Side(False, word), Side(True, ~word)
    return Neighbours(((inside, outside), (outside, inside)), offset)


def no_word_boundary(word: CharSet, offset: int, in_empty_text: bool) -> Neighbours:
    """``\\B``. ``in_empty_text``: whether it holds in the empty text (in Python: from 3.14 on)."""
    inside, outside = Side(False, word), Side(True, ~word)
    if in_empty_text:
        return Neighbours(((inside, inside), (outside, outside)), offset)
    not_word = Side(False, ~word)
    return Neighbours(((inside, inside), (not_word, outside), (ONLY_EDGE, not_word)), offset)


def widths(node: Node) -> tuple[int, int | None]:
    """Fewest and most code points that ``node`` can match (None: no most). Assertions have no width."""
    if isinstance(node, Chars):
        return 1, 1
    if isinstance(node, Literal):
        return len(node.text), len(node.text)
    if isinstance(node, Concat | Series):
        found = [widths(part) for part in node.parts]
        highs = [high for _, high in found if high is not None]
        return sum(low for low, _ in found), sum(highs) if len(highs) == len(found) else None
    if isinstance(node, Union | Choice):
        found = [widths(option) for option in node.options]
        highs = [high for _, high in found if high is not None]
        least = min((low for low, _ in found), default=0)
        return least, max(highs, default=0) if len(highs) == len(found) else None
    if isinstance(node, Repeat | Loop):
        low, high = widths(node.item)
        if high == 0 or node.maximum == 0:
            return 0, 0
        return low * node.minimum, None if high is None or node.maximum is None else high * node.maximum
    if isinstance(node, Intersection):
        (low_a, high_a), (low_b, high_b) = widths(node.left), widths(node.right)
        highs = [high for high in (high_a, high_b) if high is not None]
        return max(low_a, low_b), min(highs, default=None)
    if isinstance(node, Complement):
        return 0, None
    return 0, 0
