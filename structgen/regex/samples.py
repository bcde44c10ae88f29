"""Texts that a regular expression matches, drawn at random from a fixed seed.

A text in hand proves that a language is not empty, and many texts that it is not small, at a fraction of what
an automaton costs. Finding none proves nothing.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from structgen.charset import CharSet
from structgen.regex.matching import matches_whole
from structgen.regex.syntax import ANYTHING, Chars, Complement, Concat, Intersection, Literal, Regex, Repeat

# Characters that are tried before others of a set: patterns speak of such more often than not.
_USUAL = "aeiounrstlkmz_x0129AEX-./: "
_LONGEST = 400  # a longer text is not drawn
_MORE = 3  # repetitions beyond those that must be, at most so many
_ANYTHING_LONGEST = 6


class _TooLongError(ValueError):
    pass


def samples(node: Regex, count: int) -> Iterator[str]:
    """Up to ``count`` texts that ``node`` matches, perhaps some twice; fewer where it is hard to say."""
    chance = random.Random(0)
    for _ in range(count):
        try:
            text = _drawn(node, chance)
        except _TooLongError:
            return
        if text is not None:
            yield text


def _drawn(node: Regex, chance: random.Random) -> str | None:
    if isinstance(node, Literal):
        return node.text
    if isinstance(node, Chars):
        return _character(node.charset, chance)
    if node == ANYTHING:
        return "".join(chance.choices(_USUAL, k=chance.randrange(_ANYTHING_LONGEST)))
    if isinstance(node, Repeat):
        return _repeated(node, chance)
    if isinstance(node, Concat):
        return _joined([_drawn(part, chance) for part in node.parts])
    if isinstance(node, Intersection):
        text = _drawn(node.left, chance)
        return text if text is not None and matches_whole(node.right, text) else None
    if isinstance(node, Complement):
        text = _drawn(ANYTHING, chance)
        return text if text is not None and not matches_whole(node.item, text) else None
    return _drawn(chance.choice(node.options), chance) if node.options else None


def _repeated(node: Repeat, chance: random.Random) -> str | None:
    if node.minimum > _LONGEST:
        raise _TooLongError
    count = node.minimum + chance.randrange(_MORE + 1)
    if node.maximum is not None:
        count = min(count, node.maximum)
    return _joined([_drawn(node.item, chance) for _ in range(count)])


def _joined(parts: list[str | None]) -> str | None:
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    text = "".join(known)
    if len(text) > _LONGEST:
        raise _TooLongError
    return text


def _character(charset: CharSet, chance: random.Random) -> str | None:
    if not charset:
        return None
    for _ in range(2):
        char = chance.choice(_USUAL)
        if ord(char) in charset:
            return char
    low, high = chance.choice(charset.ranges[:8])  # of a large set the beginning, which is ASCII
    return chr(chance.randint(low, min(high, low + 63)))
