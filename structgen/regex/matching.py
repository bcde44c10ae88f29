"""Is one text matched? By the places where a part may end, without an automaton.

For single texts of a schema (names, enumerated values), for which an automaton would be dear. Cost: the size
of the expression times the square of the text's length at worst.
"""

from __future__ import annotations

from structgen.regex.syntax import Chars, Complement, Concat, Intersection, Literal, Regex, Repeat


def matches_whole(node: Regex, text: str) -> bool:
    """Does ``node`` match all of ``text``?"""
    return len(text) in _ends(node, text, {0})


def _ends(node: Regex, text: str, starts: set[int]) -> set[int]:
    """Where ``node`` may end, begun at any of ``starts``."""
    if isinstance(node, Chars):
        return {i + 1 for i in starts if i < len(text) and ord(text[i]) in node.charset}
    if isinstance(node, Literal):
        return {i + len(node.text) for i in starts if text.startswith(node.text, i)}
    if isinstance(node, Concat):
        for part in node.parts:
            if not starts:
                break
            starts = _ends(part, text, starts)
        return starts
    if isinstance(node, Repeat):
        return _repeated(node, text, starts)
    if isinstance(node, Intersection):
        return {end for i in starts for end in _ends(node.left, text, {i}) & _ends(node.right, text, {i})}
    if isinstance(node, Complement):
        return {end for i in starts for end in {*range(i, len(text) + 1)} - _ends(node.item, text, {i})}
    return {end for option in node.options for end in _ends(option, text, starts)}


def _repeated(node: Repeat, text: str, starts: set[int]) -> set[int]:
    seen: list[set[int]] = []
    for _ in range(node.minimum):
        if not starts or starts in seen:  # from here on the sets come back in turn
            break
        seen.append(starts)
        starts = _ends(node.item, text, starts)
    if starts in seen:
        begin = seen.index(starts)
        starts = seen[begin + (node.minimum - begin) % (len(seen) - begin)]
    found, fresh = set(starts), starts
    count = node.minimum
    while fresh and (node.maximum is None or count < node.maximum):
        fresh = _ends(node.item, text, fresh) - found
        found |= fresh
        count += 1
    return found
