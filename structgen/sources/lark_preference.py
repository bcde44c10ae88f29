"""Which texts a terminal of Lark takes whole: those that `re` prefers to end where they end.

Lark matches a terminal with ``re.match``, which tries the ways to match in an order (earlier alternatives
first, greedy repetitions long first, lazy ones short first) and stops at the first that works. A text w
is a lexeme of the pattern exactly if ``re.match(pattern, w)`` takes all of w. For most patterns that is
every text that the pattern can match. Not so for ``/\\*.*?\\*/``: it matches ``/* a */ b */`` too, but
never takes it, since it stops at the first ``*/``. The language of such a terminal is built here: an
automaton whose states are lists of threads in order of preference (as in R. Cox, "Regular expression
matching: the virtual machine approach", 2009), where a thread that matches ends all that come after it.

`longest_first` is the cheap test that answers for most patterns; `preferred_texts` the exact answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from itertools import pairwise

from structgen.charset import CharSet
from structgen.regex.syntax import EPSILON, NOTHING, Chars, Concat, Literal, Regex, Repeat, Union
from structgen.sources.lark_automaton import Automaton, Program, character_classes, same_language
from structgen.sources.lark_patterns import Alt, Char, Node, Rep, Seq


def longest_first(node: Node) -> bool:
    """True only if `re` takes whole every text that the pattern can match.

    That holds if all repetitions are greedy and, at every place, the next character leaves one way to go
    on: then the way of a text is unique, and going on is always tried before stopping. False means that
    it is not known.
    """
    places = _Places()
    return places.visit(node) is not None and places.deterministic()


@dataclass(slots=True)
class _Ends:
    nullable: bool
    first: list[int]
    last: list[int]


@dataclass(slots=True)
class _Places:
    """The characters of a pattern as places, and which may follow which (Glushkov's construction)."""

    charsets: list[CharSet] = field(default_factory=list)
    follow: list[dict[int, bool]] = field(default_factory=list)  # place -> made by an unbounded loop
    first: list[int] = field(default_factory=list)

    def visit(self, node: Node) -> _Ends | None:
        """First and last places of the node, or None where the order of matching may matter."""
        ends = self.ends(node)
        if ends is not None:
            self.first = ends.first
        return ends

    def ends(self, node: Node) -> _Ends | None:
        if isinstance(node, Char):
            self.charsets.append(node.charset)
            self.follow.append({})
            place = len(self.charsets) - 1
            return _Ends(False, [place], [place])
        if isinstance(node, Seq):
            return self.sequence_ends(node)
        if isinstance(node, Alt):
            return self.alternative_ends(node)
        if isinstance(node, Rep):
            return self.repetition_ends(node)
        return _Ends(True, [], [])  # a condition: it only takes ways away

    def sequence_ends(self, node: Seq) -> _Ends | None:
        total = _Ends(True, [], [])
        for item in node.items:
            part = self.ends(item)
            if part is None or not self.connect(total.last, part.first, looping=False):
                return None
            total.first += part.first if total.nullable else []
            total.last = part.last + (total.last if part.nullable else [])
            total.nullable = total.nullable and part.nullable
        return total

    def alternative_ends(self, node: Alt) -> _Ends | None:
        total = _Ends(False, [], [])
        for option in node.options:
            part = self.ends(option)
            if part is None or total.nullable:  # an empty option is tried before those after it
                return None
            total = _Ends(part.nullable, total.first + part.first, total.last + part.last)
        return total

    def repetition_ends(self, node: Rep) -> _Ends | None:
        if node.maximum == 0:
            return _Ends(True, [], [])
        part = self.ends(node.item)
        if part is None or node.lazy:
            return None
        if node.maximum != 1:
            unbounded = node.maximum is None and node.minimum <= 1
            if part.nullable or not self.connect(part.last, part.first, looping=unbounded):
                return None
        return _Ends(part.nullable or node.minimum == 0, part.first, part.last)

    def connect(self, before: list[int], after: list[int], *, looping: bool) -> bool:
        """False if a way between two places is there twice, and counts tell them apart."""
        for place in before:
            for following in after:
                known = self.follow[place].get(following)
                if known is not None and not (known and looping):
                    return False
                self.follow[place][following] = looping
        return True

    def deterministic(self) -> bool:
        return all(self.disjoint(places) for places in (self.first, *self.follow))

    def disjoint(self, places: Iterable[int]) -> bool:
        ranges = sorted(r for place in places for r in self.charsets[place].ranges)
        return all(left[1] < right[0] for left, right in pairwise(ranges))


def preferred_texts(node: Node) -> Regex | None:
    """The texts w that ``re.match(pattern, w)`` takes whole; None if that is all that the pattern matches.

    ``node``: what `read_pattern` made of the pattern. Raises `UnsupportedRegexError` where the automaton
    grows past the limits of this module.
    """
    program = Program()
    start = program.emit(node, program.emit_match())
    classes = character_classes(program)
    preferred = Automaton(program, start, classes, ordered=True)
    everything = Automaton(program, start, classes, ordered=False)
    if same_language(preferred, everything):
        return None
    return _to_regex(preferred, classes)


def node_texts(node: Node) -> Regex:
    """The texts that `re` takes whole as ``node``, as a `Regex`. Raises as `preferred_texts`."""
    preferred = None if longest_first(node) else preferred_texts(node)
    if preferred is not None:
        return preferred
    plain = _plain(node)
    if plain is not None:
        return plain
    program = Program()
    start = program.emit(node, program.emit_match())
    classes = character_classes(program)
    return _to_regex(Automaton(program, start, classes, ordered=False), classes)


def _plain(node: Node) -> Regex | None:
    """All texts that a node matches; None where it has conditions."""
    if isinstance(node, Char):
        return Chars(node.charset)
    if isinstance(node, Rep):
        item = _plain(node.item)
        return None if item is None else Repeat(item, node.minimum, node.maximum)
    if isinstance(node, Seq | Alt):
        parts = [_plain(part) for part in (node.items if isinstance(node, Seq) else node.options)]
        known = [part for part in parts if part is not None]
        if len(known) < len(parts):
            return None
        return _concat(known) if isinstance(node, Seq) else Union(tuple(known))
    return None


def _to_regex(automaton: Automaton, classes: list[CharSet]) -> Regex:
    """A regex of the automaton's language, by taking out one state after the other."""
    graph = _Graph(automaton, classes)
    heap = [(graph.cost(state), state) for state in graph.leaving if state >= 0]
    heapify(heap)
    while heap:
        cost, state = heappop(heap)
        if state not in graph.leaving:
            continue
        if graph.cost(state) > cost:  # it has grown since
            heappush(heap, (graph.cost(state), state))
            continue
        for neighbour in graph.take_out(state):
            heappush(heap, (graph.cost(neighbour), neighbour))
    return graph.leaving[_BEGIN].get(_END, NOTHING)


_BEGIN, _END = -1, -2


class _Graph:
    """States and, from each to each, the regex of the texts that lead there."""

    __slots__ = ("entering", "leaving")

    def __init__(self, automaton: Automaton, classes: list[CharSet]) -> None:
        block = _minimal_blocks(automaton)
        self.leaving: dict[int, dict[int, Regex]] = {state: {} for state in [_BEGIN, *block]}
        self.entering: dict[int, dict[int, Regex]] = {state: {} for state in [_END, *block]}
        self.join(_BEGIN, block[0], EPSILON)
        for state, row in enumerate(automaton.rows):
            if self.leaving[block[state]]:
                continue  # states of one block have the same rows
            targets: dict[int, CharSet] = {}
            for char, target in row.items():
                known = targets.get(block[target])
                targets[block[target]] = classes[char] if known is None else known | classes[char]
            for target, charset in targets.items():
                self.join(block[state], target, Chars(charset))
            if automaton.accepting[state]:
                self.join(block[state], _END, EPSILON)

    def join(self, a: int, b: int, way: Regex) -> None:
        known = self.leaving[a].get(b)
        self.leaving[a][b] = self.entering[b][a] = way if known is None else _union(known, way)

    def cost(self, state: int) -> int:
        return len(self.entering[state]) * len(self.leaving[state])

    def take_out(self, state: int) -> list[int]:
        """Lead all ways through ``state`` past it; the states whose ways changed."""
        entering, leaving = self.entering.pop(state), self.leaving.pop(state)
        loop = leaving.pop(state, None)
        entering.pop(state, None)
        middle = [] if loop is None else [Repeat(loop, 0, None)]
        for a in entering:
            del self.leaving[a][state]
        for b in leaving:
            del self.entering[b][state]
        for a, before in entering.items():
            for b, after in leaving.items():
                self.join(a, b, _concat([before, *middle, after]))
        return [other for other in {*entering, *leaving} if other >= 0]


def _minimal_blocks(automaton: Automaton) -> list[int]:
    """For each state the number of its class of states that accept alike (Moore's refinement)."""
    block = [int(accepting) for accepting in automaton.accepting]
    count = len(set(block))
    while True:
        numbers: dict[tuple[int, frozenset[tuple[int, int]]], int] = {}
        refined = []
        for state, row in enumerate(automaton.rows):
            signature = (block[state], frozenset((char, block[target]) for char, target in row.items()))
            refined.append(numbers.setdefault(signature, len(numbers)))
        block = refined
        if len(numbers) == count:
            return block
        count = len(numbers)


def _concat(parts: list[Regex]) -> Regex:
    flat: list[Regex] = []
    for part in parts:
        for item in part.parts if isinstance(part, Concat) else (part,):
            if isinstance(item, Literal) and flat and isinstance(flat[-1], Literal):
                flat[-1] = Literal(flat[-1].text + item.text)
            elif item != EPSILON:
                flat.append(item)
    if not flat:
        return EPSILON
    return flat[0] if len(flat) == 1 else Concat(tuple(flat))


def _union(left: Regex, right: Regex) -> Regex:
    options: list[Regex] = []
    for side in (left, right):
        options += side.options if isinstance(side, Union) else (side,)
    charsets = [option for option in options if isinstance(option, Chars)]
    if len(charsets) > 1:
        merged = charsets[0].charset
        for option in charsets[1:]:
            merged |= option.charset
        options = [Chars(merged), *(option for option in options if not isinstance(option, Chars))]
    return options[0] if len(options) == 1 else Union(tuple(options))
