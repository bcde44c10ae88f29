"""Is one text matched? By the places where a part may end, without an automaton.

For single texts of a schema (names, enumerated values), for which an automaton would be dear. Places are the
bits of a number, so that most nodes cost a few operations whatever the text: that of the loop over a set of
characters is Cameron et al., Bitwise Data Parallelism in Regular Expression Matching (2014). At worst, the
size of the expression times the square of the text's length.
"""

from __future__ import annotations

from collections.abc import Callable

from structgen.charset import ANY, CharSet
from structgen.regex.syntax import Chars, Complement, Concat, Intersection, Literal, Regex, Repeat


def matches_whole(node: Regex, text: str) -> bool:
    """Does ``node`` match all of ``text``?"""
    return bool(_Places(text).ends(node, 1) >> len(text) & 1)


class _Places:
    """Sets of places in one text: bit ``i`` is before its character ``i``."""

    __slots__ = ("_among", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._among: dict[CharSet, int] = {}

    def ends(self, node: Regex, starts: int) -> int:
        """Where ``node`` may end, begun at any of ``starts``."""
        if isinstance(node, Chars):
            return (starts & self._characters(node.charset)) << 1
        if isinstance(node, Literal):
            return self._after_literal(node.text, starts)
        if isinstance(node, Concat):
            for part in node.parts:
                if not starts:
                    break
                starts = self.ends(part, starts)
            return starts
        if isinstance(node, Repeat):
            return self._repeated(node, starts)
        if isinstance(node, Intersection):
            return self._each(starts, lambda at: self.ends(node.left, at) & self.ends(node.right, at))
        if isinstance(node, Complement):
            every = (2 << len(self._text)) - 1
            return self._each(starts, lambda at: (every & -at) & ~self.ends(node.item, at))
        found = 0
        for option in node.options:
            found |= self.ends(option, starts)
        return found

    def _characters(self, charset: CharSet) -> int:
        """The places of characters of a set."""
        if charset is ANY:
            return (1 << len(self._text)) - 1
        known = self._among.get(charset)
        if known is None:
            known = 0
            for i, char in enumerate(self._text):
                known |= (ord(char) in charset) << i
            self._among[charset] = known
        return known

    def _after_literal(self, literal: str, starts: int) -> int:
        length, found = len(literal), 0
        at = self._text.find(literal)
        while at >= 0:
            found |= 1 << at
            at = self._text.find(literal, at + 1)
        return (found & starts) << length

    def _repeated(self, node: Repeat, starts: int) -> int:
        seen: list[int] = []
        for _ in range(node.minimum):
            if not starts or starts in seen:  # from here on the sets come back in turn
                break
            seen.append(starts)
            starts = self.ends(node.item, starts)
        if starts in seen:
            begin = seen.index(starts)
            starts = seen[begin + (node.minimum - begin) % (len(seen) - begin)]
        if node.maximum is None and isinstance(node.item, Chars):
            # adding carries a start to the end of the run that it is in, and changes all bits on its way
            among = self._characters(node.item.charset)
            return ((((starts & among) + among) ^ among) | starts) & ((2 << len(self._text)) - 1)
        found = fresh = starts
        count = node.minimum
        while fresh and (node.maximum is None or count < node.maximum):
            fresh = self.ends(node.item, fresh) & ~found
            found |= fresh
            count += 1
        return found

    def _each(self, starts: int, ends: Callable[[int], int]) -> int:
        """What is found from each start alone."""
        found = 0
        while starts:
            at = starts & -starts
            found |= ends(at)
            starts ^= at
        return found
