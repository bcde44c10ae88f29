"""How large an automaton may get, told by the syntax tree."""

from __future__ import annotations

from structgen.regex.syntax import Chars, Concat, Intersection, Literal, Regex, Repeat, Union

_MANY_POSITIONS = 300
_COUNTED = 6  # so many characters counted behind a loop may have to be told apart by two to that power


def n_positions(node: Regex) -> int:
    """The characters of ``node`` with repetitions written out: of that size is its Glushkov automaton."""
    if isinstance(node, Chars):
        return 1
    if isinstance(node, Literal):
        return len(node.text)
    if isinstance(node, Repeat):
        return n_positions(node.item) * max(node.minimum, node.maximum or 1)
    if isinstance(node, Concat):
        return sum(map(n_positions, node.parts))
    if isinstance(node, Union):
        return sum(map(n_positions, node.options))
    if isinstance(node, Intersection):
        return n_positions(node.left) + n_positions(node.right)
    return n_positions(node.item)


def may_be_large(node: Regex) -> bool:
    """False only where the automaton is surely of moderate size."""
    return n_positions(node) > _MANY_POSITIONS or _counts_behind_loop(node, False)[0]


def _counts_behind_loop(node: Regex, behind: bool) -> tuple[bool, bool]:
    """Is something counted after a loop, or where ``behind`` already? And: is what follows behind a loop?"""
    if isinstance(node, (Chars, Literal)):
        return False, behind
    if isinstance(node, Repeat):
        counted = behind and max(node.minimum, node.maximum or 0) * n_positions(node.item) >= _COUNTED
        loops = node.maximum is None
        inside, after = _counts_behind_loop(node.item, behind or loops)
        return counted or inside, after or loops
    if isinstance(node, Concat):
        for part in node.parts:
            found, behind = _counts_behind_loop(part, behind)
            if found:
                return True, behind
        return False, behind
    if isinstance(node, Union):
        options = [_counts_behind_loop(option, behind) for option in node.options]
        return any(found for found, _ in options), any(after for _, after in options) or behind
    if isinstance(node, Intersection):
        left, right = _counts_behind_loop(node.left, behind), _counts_behind_loop(node.right, behind)
        return left[0] or right[0], left[1] or right[1]
    return _counts_behind_loop(node.item, behind)
