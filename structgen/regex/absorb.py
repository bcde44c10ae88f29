"""What stands beside any text may be left out as far as any text takes it: ``[a-z]{1,255}.*`` is ``[a-z].*``.

Patterns are searched for, so most have any text on both sides.
"""

from __future__ import annotations

from structgen.regex.syntax import ANYTHING, EPSILON, Concat, Regex, Repeat, Union


def absorbed(node: Regex) -> Regex:
    """An expression that matches the same."""
    if isinstance(node, Union):
        return Union(tuple(map(absorbed, node.options)))
    if not isinstance(node, Concat) or ANYTHING not in node.parts:
        return node
    before = _without_what_follows(node.parts)
    return Concat(tuple(reversed(_without_what_follows(tuple(reversed(before)), backwards=True))))


def _without_what_follows(parts: tuple[Regex, ...], *, backwards: bool = False) -> tuple[Regex, ...]:
    """``parts`` without what `ANYTHING` behind them takes; ``backwards``: they are in reverse."""
    kept: list[Regex] = []
    for part in reversed(parts):
        if kept and kept[-1] == ANYTHING:
            part = _beside_anything(part, backwards=backwards)
        if part != EPSILON:
            kept.append(part)
    return tuple(reversed(kept))


def _beside_anything(node: Regex, *, backwards: bool) -> Regex:
    """What is left of a node that any text follows; ``backwards``: that any text precedes."""
    if isinstance(node, Repeat):
        if node.minimum == 0:
            return EPSILON
        if node.minimum == 1:
            return _beside_anything(node.item, backwards=backwards)
        return Repeat(node.item, node.minimum, node.minimum)
    if isinstance(node, Concat):
        parts = list(node.parts)
        while parts:
            at = 0 if backwards else -1
            parts[at] = _beside_anything(parts[at], backwards=backwards)
            if parts[at] != EPSILON:
                break
            del parts[at]
        return Concat(tuple(parts)) if parts else EPSILON
    if isinstance(node, Union):
        options = tuple(_beside_anything(option, backwards=backwards) for option in node.options)
        return EPSILON if EPSILON in options else Union(options)
    return node
