"""Languages as automata over sets of characters: Brzozowski derivatives and state elimination.

Only the hard cases of `lowering` need them: a lookahead that reaches across a lookbehind, or out of a
repeat. The automata are those of the lookaround's content, so they are small; limits hold where not.

Sources: J. A. Brzozowski, Derivatives of Regular Expressions, JACM 11(4), 1964; S. Owens, J. Reppy,
A. Turon, Regular-expression derivatives re-examined, JFP 19(2), 2009 (character classes); J. E. Hopcroft,
J. D. Ullman, Introduction to Automata Theory, 1979, section 2.5 (state elimination).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from functools import lru_cache
from itertools import pairwise
from typing import TypeVar

from structgen.charset import ANY, MAX_CODE_POINT, CharSet
from structgen.regex.construct import (
    charset_of,
    complement,
    concat,
    intersect,
    is_nothing,
    nullable,
    repeat,
    size,
    union,
)
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
from structgen.untracked import untracked

Node = TypeVar("Node", bound=Hashable)

MAX_STATES = 60  # of one lookaround's content; state elimination is cubic in it, its result may be more
MAX_SIZE = 20_000  # nodes of a tree made by state elimination


class TooComplexError(Exception):
    """An internal limit is reached: the parser raises the typed error for it. ``offset``: where in the
    pattern, filled in by whoever knows it first."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        self.offset: int | None = None
        super().__init__(reason)


def derivative(node: Regex, code_point: int) -> Regex:
    """What may follow the character: ``{w : cw in node}``."""
    if isinstance(node, Chars):
        return EPSILON if code_point in node.charset else NOTHING
    if isinstance(node, Literal):
        begins = bool(node.text) and ord(node.text[0]) == code_point
        return Literal(node.text[1:]) if begins else NOTHING
    if isinstance(node, Concat):
        head, rest = node.parts[0], concat(node.parts[1:])
        through = concat([derivative(head, code_point), rest])
        return union([through, derivative(rest, code_point)]) if nullable(head) else through
    if isinstance(node, Union):
        return union(derivative(option, code_point) for option in node.options)
    if isinstance(node, Repeat):
        left = None if node.maximum is None else node.maximum - 1
        again = repeat(node.item, max(node.minimum - 1, 0), left)
        return concat([derivative(node.item, code_point), again])
    if isinstance(node, Intersection):
        return intersect(derivative(node.left, code_point), derivative(node.right, code_point))
    return complement(derivative(node.item, code_point))


def partition(sets: Iterable[CharSet]) -> list[CharSet]:
    """The coarsest partition of all characters that every set is a union of blocks of."""
    toggled: dict[int, int] = {0: 0, MAX_CODE_POINT + 1: 0}
    for bit, charset in enumerate(dict.fromkeys(sets)):
        for low, high in charset.ranges:
            for boundary in (low, high + 1):
                toggled[boundary] = toggled.get(boundary, 0) ^ (1 << bit)
    boundaries = sorted(toggled)
    blocks: dict[int, list[tuple[int, int]]] = {}
    members = 0
    for low, after in pairwise(boundaries):
        members ^= toggled[low]
        blocks.setdefault(members, []).append((low, after - 1))
    made = [CharSet.of(ranges) for ranges in blocks.values()]
    return [block for block in made if block]


def charsets(node: Regex) -> set[CharSet]:
    """Every set of characters that the tree tests for."""
    if isinstance(node, Chars):
        return {node.charset}
    if isinstance(node, Literal):
        return {CharSet.chars(char) for char in node.text}
    if isinstance(node, Concat):
        return set().union(*map(charsets, node.parts))
    if isinstance(node, Union):
        return set().union(*map(charsets, node.options))
    if isinstance(node, Intersection):
        return charsets(node.left) | charsets(node.right)
    return charsets(node.item)


class Automaton:
    """The states of a language: what may follow, as regular expressions, made when first needed."""

    def __init__(self, language: Regex) -> None:
        sets = sorted(charsets(language), key=lambda charset: charset.ranges)
        self.blocks = partition(sets)
        self._moves: dict[Regex, tuple[Regex, ...]] = {}
        self.start = canonical(language)

    def moves(self, state: Regex) -> tuple[Regex, ...]:
        """The state after a character of each block. Raises `TooComplexError` at too many states."""
        found = self._moves.get(state)
        if found is None:
            if len(self._moves) >= MAX_STATES:
                raise TooComplexError(f"a lookaround with more than {MAX_STATES} states")
            found = tuple(canonical(derivative(state, block.ranges[0][0])) for block in self.blocks)
            self._moves[state] = found
        return found

    def after(self, state: Regex, char: str) -> Regex:
        code_point = ord(char)
        for block, target in zip(self.blocks, self.moves(state), strict=True):
            if code_point in block:
                return target
        return NOTHING

    def edges(self, state: Regex, within: CharSet) -> dict[tuple[Regex, Regex], Regex]:
        """The automaton from ``state`` on, over the characters of a set: (from, to) -> characters."""
        blocks = [block & within for block in self.blocks]
        made: dict[tuple[Regex, Regex], Regex] = {}
        waiting, seen = [state], {state}
        while waiting:
            source = waiting.pop()
            for block, target in zip(blocks, self.moves(source), strict=True):
                if not block or is_nothing(target):
                    continue
                known = made.get((source, target))
                made[source, target] = Chars(block) if known is None else union([known, Chars(block)])
                if target not in seen:
                    seen.add(target)
                    waiting.append(target)
        return made


def canonical(node: Regex) -> Regex:
    """The same language with the options of unions and the sides of intersections in one order, complements
    outside: only so are there finitely many derivatives (Brzozowski 1964, theorem 5.2)."""
    if isinstance(node, Union):
        node = union(sorted({canonical(option) for option in node.options}, key=_order))
    elif isinstance(node, Intersection):
        sides = {canonical(side) for side in _sides(node)}
        excluded = sorted((side.item for side in sides if isinstance(side, Complement)), key=_order)
        node = canonical(complement(union(excluded))) if excluded else ANYTHING
        for side in sorted((side for side in sides if not isinstance(side, Complement)), key=_order):
            node = intersect(node, side)
    elif isinstance(node, Complement):
        node = complement(canonical(node.item))
    elif isinstance(node, Concat):
        node = concat(canonical(part) for part in node.parts)
    if size(node) > MAX_SIZE:
        raise TooComplexError("a lookaround of too large a size")
    return node


@lru_cache(maxsize=4096)
@untracked
def _order(node: Regex) -> str:
    return repr(node)


def _sides(node: Regex) -> list[Regex]:
    if isinstance(node, Intersection):
        return _sides(node.left) + _sides(node.right)
    return [node]


@lru_cache(maxsize=64)
def automaton_of(language: Regex) -> Automaton:
    return Automaton(language)


def advance(constraint: Regex, node: Regex) -> list[tuple[Regex, Regex]]:
    """Pass a constraint on all that follows over ``node``, which comes first.

    Returns (part of ``node``, constraint on what follows that part): the parts together are ``node``, but
    for texts after which the constraint cannot be met. Raises `TooComplexError`.
    """
    automaton = automaton_of(constraint)
    reached = _advance(automaton, automaton.start, node)
    return [(part, state) for state, part in reached.items() if not is_nothing(part)]


def _advance(automaton: Automaton, state: Regex, node: Regex) -> dict[Regex, Regex]:
    """State after -> part of ``node`` that leads there."""
    if state == ANYTHING:
        return {ANYTHING: node}
    reached: dict[Regex, Regex] = {state: EPSILON}
    if isinstance(node, Literal):
        for char in node.text:
            state = automaton.after(state, char)
        reached = {state: node}
    elif isinstance(node, Chars):
        reached = {}
        for block, target in zip(automaton.blocks, automaton.moves(state), strict=True):
            both = block & node.charset
            if both:
                reached[target] = union([reached.get(target, NOTHING), Chars(both)])
    elif isinstance(node, Concat):
        for part in node.parts:
            longer: dict[Regex, Regex] = {}
            for source, prefix in reached.items():
                for target, piece in _advance(automaton, source, part).items():
                    longer[target] = union([longer.get(target, NOTHING), concat([prefix, piece])])
            reached = longer
    elif isinstance(node, Union):
        reached = {}
        for option in node.options:
            for target, piece in _advance(automaton, state, option).items():
                reached[target] = union([reached.get(target, NOTHING), piece])
    else:
        reached = _advance_through(automaton, state, node)
    reached.pop(NOTHING, None)
    if sum(size(part) for part in reached.values()) > MAX_SIZE:
        raise TooComplexError("a lookaround that splits the text in too many ways")
    return reached


def _advance_through(automaton: Automaton, state: Regex, node: Regex) -> dict[Regex, Regex]:
    """By the paths of the automaton: for repeats, intersections, complements."""
    item = charset_of(node.item) if isinstance(node, Repeat) else None
    edges = automaton.edges(state, ANY if item is None else item)
    reached = {}
    for target in dict.fromkeys([state, *(target for _, target in edges)]):
        words = paths(edges, state, [target])
        if item is None or not isinstance(node, Repeat) or (node.minimum, node.maximum) != (0, None):
            words = intersect(node, words)
        reached[target] = words
    return reached


def paths(edges: Mapping[tuple[Node, Node], Regex], start: Node, finals: Iterable[Node]) -> Regex:
    """The words on the paths of a graph from ``start`` to any of ``finals``, by state elimination.

    Raises `TooComplexError` when the result would be a tree of more than `MAX_SIZE` nodes.
    """
    numbers: dict[Node, int] = {}
    for node in [start, *(node for pair in edges for node in pair)]:
        numbers.setdefault(node, len(numbers))
    source, sink = -1, -2
    table = {(numbers[a], numbers[b]): (label, size(label)) for (a, b), label in edges.items()}
    table[source, numbers[start]] = (EPSILON, 1)
    table |= {(numbers[final], sink): (EPSILON, 1) for final in finals if final in numbers}
    left = set(numbers.values())
    while left:
        incoming, outgoing = dict.fromkeys(left, 0), dict.fromkeys(left, 0)
        for begin, end in table:
            if begin != end:
                if begin in outgoing:
                    outgoing[begin] += 1
                if end in incoming:
                    incoming[end] += 1
        gone = min(left, key=lambda node: (incoming[node] * outgoing[node], node))
        left.remove(gone)
        _bypass(table, gone)
    return table.get((source, sink), (NOTHING, 1))[0]


def _bypass(table: dict[tuple[int, int], tuple[Regex, int]], gone: int) -> None:
    """Take a node out of the graph; what went through it goes past it."""
    loop, loop_size = table.pop((gone, gone), (NOTHING, 0))
    around = repeat(loop, 0, None)
    before = [(begin, table.pop((begin, end))) for begin, end in list(table) if end == gone]
    after = [(end, table.pop((begin, end))) for begin, end in list(table) if begin == gone]
    for begin, (head, head_size) in before:
        for end, (tail, tail_size) in after:
            known, known_size = table.get((begin, end), (NOTHING, 0))
            total = known_size + head_size + loop_size + tail_size + 3
            if total > MAX_SIZE:
                raise TooComplexError("a lookaround that splits the text in too many ways")
            table[begin, end] = (union([known, concat([head, around, tail])]), total)
