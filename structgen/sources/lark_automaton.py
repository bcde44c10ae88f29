"""Automata that know which match Python's `re` prefers.

A pattern becomes a program for threads (R. Cox, "Regular expression matching: the virtual machine
approach", 2009). The states of the automaton are lists of threads in order of preference; a thread that
matches ends all that come after it, since `re` would never have tried them.

A thread can only pass a lookahead on credit: it carries what the lookahead still has to see, and dies
when that turns out false. `read_pattern` made sure that all is seen before the thread matches.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from structgen.charset import ANY, CharSet
from structgen.errors import UnsupportedRegexError
from structgen.sources.lark_patterns import Alt, Char, Look, Node, Rep, Seq

MAX_INSTRUCTIONS = 20_000
MAX_STATES = 5_000
MAX_STEPS = 1_000_000


@dataclass(frozen=True, slots=True)
class _Take:
    """Read one character of ``charset`` and go to ``then``."""

    charset: CharSet
    then: int


@dataclass(frozen=True, slots=True)
class _Fork:
    """Go to each of these, in order of preference."""

    targets: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Loop:
    """One more iteration of ``body``, or on to ``leave``.

    After an empty iteration `re` only goes on: ``group`` tells which repetition this belongs to.
    """

    body: int
    leave: int
    lazy: bool
    group: int


@dataclass(frozen=True, slots=True)
class _Check:
    """Go to ``then`` if the condition ``look`` holds here."""

    look: int
    then: int


@dataclass(frozen=True, slots=True)
class _Match:
    pass


_Instruction = _Take | _Fork | _Loop | _Check | _Match


@dataclass(slots=True)
class _Condition:
    """A lookaround: its own program, and where that begins."""

    program: Program
    start: int
    ahead: bool
    negated: bool


@dataclass(slots=True)
class Program:
    code: list[_Instruction] = field(default_factory=list)
    conditions: list[_Condition] = field(default_factory=list)
    groups: int = 0

    def add(self, instruction: _Instruction) -> int:
        if len(self.code) >= MAX_INSTRUCTIONS:
            raise _too_large()
        self.code.append(instruction)
        return len(self.code) - 1

    def emit_match(self) -> int:
        return self.add(_Match())

    def emit(self, node: Node, then: int) -> int:
        """Add the node's instructions, which go on to ``then``; where they begin."""
        if isinstance(node, Char):
            return self.add(_Take(node.charset, then))
        if isinstance(node, Seq):
            for item in reversed(node.items):
                then = self.emit(item, then)
            return then
        if isinstance(node, Alt):
            return self.add(_Fork(tuple(self.emit(option, then) for option in node.options)))
        if isinstance(node, Rep):
            return self.emit_repetition(node, then)
        if isinstance(node, Look):
            inner = Program()
            start = inner.emit(node.item, inner.emit_match())
            self.conditions.append(_Condition(inner, start, node.ahead, node.negated))
            return self.add(_Check(len(self.conditions) - 1, then))
        raise AssertionError(node)  # anchors are spelled out when the pattern is read

    def emit_repetition(self, node: Rep, then: int) -> int:
        leave = then
        self.groups += 1
        group = self.groups
        if node.maximum is None:
            then = self.add(_Match())  # keeps the place: the body must know where to return to
            self.code[then] = _Loop(self.emit(node.item, then), leave, node.lazy, group)
        else:
            for _ in range(node.maximum - node.minimum):
                then = self.add(_Loop(self.emit(node.item, then), leave, node.lazy, group))
        for _ in range(node.minimum):
            then = self.emit(node.item, then)
        return then


def _too_large() -> UnsupportedRegexError:
    return UnsupportedRegexError(
        "too large to tell which of its matches `re` prefers",
        remedy="make bounded repetitions smaller, or write the alternatives so that no two can begin alike",
    )


def character_classes(program: Program) -> list[CharSet]:
    """All characters, split so that those of one class are alike to every instruction."""
    programs = [program, *(condition.program for condition in program.conditions)]
    instructions = [instruction for each in programs for instruction in each.code]
    charsets = list(dict.fromkeys(i.charset for i in instructions if isinstance(i, _Take)))
    events: list[tuple[int, int]] = []  # where a charset begins or stops to hold
    for index, charset in enumerate(charsets):
        for low, high in charset.ranges:
            events += [(low, index), (high + 1, index)]
    events.sort()
    inside: set[int] = set()
    ranges: dict[frozenset[int], list[tuple[int, int]]] = {}
    for (at, index), (next_at, _) in pairwise(events):
        inside ^= {index}
        if next_at > at and inside:
            ranges.setdefault(frozenset(inside), []).append((at, next_at - 1))
    classes = [CharSet.of(found) for found in ranges.values()]
    rest = ANY
    for charset in classes:
        rest -= charset
    return [*classes, rest] if rest else classes


# --- threads

# What a thread still owes: for each lookahead it passed, (which, the threads of its own program).
_Debts = frozenset[tuple[int, frozenset[int]]]
_Thread = tuple[int, _Debts]
_NO_DEBTS: _Debts = frozenset()


@dataclass(slots=True)
class _Stepper:
    """One program over character classes: what each instruction takes, and its conditions' steppers."""

    program: Program
    classes: list[CharSet]
    takes: list[frozenset[int]] = field(default_factory=list)  # per instruction, the classes it takes
    conditions: list[_Stepper] = field(default_factory=list)

    def __post_init__(self) -> None:
        known: dict[CharSet, frozenset[int]] = {}
        for instruction in self.program.code:
            charset = instruction.charset if isinstance(instruction, _Take) else None
            if charset is not None and charset not in known:
                chosen = [i for i, each in enumerate(self.classes) if each.ranges[0][0] in charset]
                known[charset] = frozenset(chosen)
            self.takes.append(known[charset] if charset is not None else frozenset())
        self.conditions = [_Stepper(each.program, self.classes) for each in self.program.conditions]

    def close(self, begin: int) -> frozenset[int]:
        """The instructions reached without reading, in a program without conditions."""
        found: set[int] = set()
        pending = [begin]
        while pending:
            at = pending.pop()
            if at not in found:
                found.add(at)
                pending += _targets(self.program.code[at])
        return frozenset(at for at in found if isinstance(self.program.code[at], _Take | _Match))

    def advance(self, threads: frozenset[int], char: int) -> frozenset[int]:
        found: set[int] = set()
        for at in threads:
            instruction = self.program.code[at]
            if isinstance(instruction, _Take) and char in self.takes[at]:
                found |= self.close(instruction.then)
        return frozenset(found)

    def matched(self, threads: frozenset[int]) -> bool:
        return any(isinstance(self.program.code[at], _Match) for at in threads)


def _targets(instruction: _Instruction) -> tuple[int, ...]:
    if isinstance(instruction, _Loop):
        return (instruction.body, instruction.leave)
    return instruction.targets if isinstance(instruction, _Fork) else ()


@dataclass(frozen=True, slots=True)
class _State:
    """Threads in order of preference, and what each look-behind has read."""

    threads: tuple[_Thread, ...]
    behind: tuple[frozenset[int], ...]


@dataclass(slots=True)
class Automaton:
    """The deterministic automaton of a program; with ``ordered``, of the texts that `re` takes whole.

    ``rows``: per state, the next state by character class, those that lead nowhere left out.
    """

    program: Program
    start: int
    classes: list[CharSet]
    ordered: bool
    rows: list[dict[int, int]] = field(default_factory=list)
    accepting: list[bool] = field(default_factory=list)
    stepper: _Stepper = field(init=False)
    steps: int = 0
    closed: dict[tuple[tuple[_Thread, ...], tuple[frozenset[int], ...]], _State] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.stepper = _Stepper(self.program, self.classes)
        behind = tuple(
            frozenset() if condition.ahead else stepper.close(condition.start)
            for condition, stepper in self.conditions()
        )
        first = self.state([(self.start, _NO_DEBTS)], behind)
        numbers = {first: 0}
        states = [first]
        for state in states:
            row: dict[int, int] = {}
            self.accepting.append(any(self.is_match(thread) for thread in state.threads))
            for char, following in self.successors(state):
                if following.threads:
                    if following not in numbers:
                        numbers[following] = len(states)
                        states.append(following)
                    row[char] = numbers[following]
            self.rows.append(row)
            if len(states) > MAX_STATES or self.steps > MAX_STEPS:
                raise _too_large()

    def conditions(self) -> Iterator[tuple[_Condition, _Stepper]]:
        return zip(self.program.conditions, self.stepper.conditions, strict=True)

    def is_match(self, thread: _Thread) -> bool:
        return isinstance(self.program.code[thread[0]], _Match)

    def successors(self, state: _State) -> Iterator[tuple[int, _State]]:
        entries: dict[int, list[_Thread]] = {}
        for at, debts in state.threads:
            instruction = self.program.code[at]
            if isinstance(instruction, _Take):
                for char in self.stepper.takes[at]:
                    remaining = self.pay(debts, char)
                    if remaining is not None:
                        entries.setdefault(char, []).append((instruction.then, remaining))
        for char, reached in entries.items():
            behind = tuple(
                frozenset()
                if condition.ahead
                else stepper.advance(read, char) | stepper.close(condition.start)
                for (condition, stepper), read in zip(self.conditions(), state.behind, strict=True)
            )
            yield char, self.state(reached, behind)

    def pay(self, debts: _Debts, char: int) -> _Debts | None:
        """What is still owed after ``char``; None if a condition turned out false."""
        remaining: list[tuple[int, frozenset[int]]] = []
        for which, threads in debts:
            stepper = self.stepper.conditions[which]
            after = stepper.advance(threads, char)
            verdict = self.verdict(which, after)
            if verdict is False:
                return None
            if verdict is None:
                remaining.append((which, after))
        return frozenset(remaining)

    def verdict(self, which: int, threads: frozenset[int]) -> bool | None:
        """Whether a lookahead holds, given how far it got; None if more text must tell."""
        negated = self.program.conditions[which].negated
        if self.stepper.conditions[which].matched(threads):
            return not negated
        return None if threads else negated

    def state(self, entries: list[_Thread], behind: tuple[frozenset[int], ...]) -> _State:
        """The state of these threads once they went as far as they can without reading."""
        key = (tuple(entries), behind)
        known = self.closed.get(key)
        if known is None:
            known = self.closed[key] = _State(self.close(entries, behind), behind)
        return known

    def close(self, entries: list[_Thread], behind: tuple[frozenset[int], ...]) -> tuple[_Thread, ...]:
        """The threads reached without reading, in order; those after a match are cut if ``ordered``."""
        found: dict[_Thread, None] = {}
        seen: set[tuple[int, _Debts, frozenset[int]]] = set()
        # (where, debts, the repetitions of which an iteration began here)
        pending = [(at, debts, frozenset[int]()) for at, debts in reversed(entries)]
        while pending:
            self.steps += 1
            way = pending.pop()
            if way in seen:
                continue
            seen.add(way)
            at, debts, begun = way
            instruction = self.program.code[at]
            if isinstance(instruction, _Take | _Match):
                found.setdefault((at, debts))
                if self.ordered and isinstance(instruction, _Match):
                    break
            elif isinstance(instruction, _Check):
                passed = self.check(instruction.look, debts, behind)
                if passed is not None:
                    pending.append((instruction.then, passed, begun))
            elif isinstance(instruction, _Fork):
                pending += [(target, debts, begun) for target in reversed(instruction.targets)]
            else:
                leave = (instruction.leave, debts, begun - {instruction.group})
                body = (instruction.body, debts, begun | {instruction.group})
                if instruction.group in begun:
                    pending.append(leave)
                else:
                    pending += [body, leave] if instruction.lazy else [leave, body]
        return tuple(found) if self.ordered else tuple(sorted(found, key=_thread_key))

    def check(self, which: int, debts: _Debts, behind: tuple[frozenset[int], ...]) -> _Debts | None:
        condition = self.program.conditions[which]
        stepper = self.stepper.conditions[which]
        if not condition.ahead:
            return debts if stepper.matched(behind[which]) != condition.negated else None
        threads = stepper.close(condition.start)
        verdict = self.verdict(which, threads)
        if verdict is None:
            return debts | {(which, threads)}
        return debts if verdict else None


def _thread_key(thread: _Thread) -> tuple[int, list[tuple[int, list[int]]]]:
    return thread[0], sorted((which, sorted(threads)) for which, threads in thread[1])


def same_language(left: Automaton, right: Automaton) -> bool:
    """Whether two automata over the same classes accept the same texts; -1 is the dead state."""
    seen = {(0, 0)}
    pending = [(0, 0)]
    while pending:
        a, b = pending.pop()
        if (a >= 0 and left.accepting[a]) != (b >= 0 and right.accepting[b]):
            return False
        row_a = left.rows[a] if a >= 0 else {}
        row_b = right.rows[b] if b >= 0 else {}
        for char in row_a.keys() | row_b.keys():
            pair = (row_a.get(char, -1), row_b.get(char, -1))
            if pair not in seen:
                seen.add(pair)
                pending.append(pair)
    return True
