"""Modes of a lexer: which terminals each has, what each terminal does, and which mode comes next.

Explicit modes come with a grammar (see `structgen_grammars.profile`); the others are made here: one mode
of all terminals (``basic``), one for each set of terminals that a parser state takes (``contextual``),
and, for indentation, those of a line that has not begun.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from structgen.automata.build import compile_regex, restrict_bytes
from structgen.automata.dfa import Dfa
from structgen.errors import UnsupportedGrammarError
from structgen.lexing.scanner import Component
from structgen.regex.syntax import Literal, Regex
from structgen.sources.lark_lexed import LexTerminal, lexed_pattern

# What a terminal does when it is read in a mode.
PARSE, IGNORE, SPACE, TAB, FEED, EMPTY_LINE, JOIN = range(7)
# Which mode comes next: the same, another on top, another instead, the one below, or another instead and
# one on it
STAY, PUSH, GOTO, POP, GOTO_PUSH = range(5)

BLANKS = {" ": SPACE, "\t": TAB, "\f": FEED}


class ModeSpec(Protocol):
    """An explicit mode, as `structgen_grammars.profile.Mode` describes it."""

    @property
    def name(self) -> str: ...
    @property
    def only(self) -> frozenset[str] | None: ...
    @property
    def without(self) -> frozenset[str]: ...
    @property
    def patterns(self) -> Mapping[str, str]: ...
    @property
    def push(self) -> Mapping[str, str]: ...
    @property
    def goto(self) -> Mapping[str, str]: ...
    @property
    def pop(self) -> frozenset[str]: ...
    @property
    def otherwise(self) -> str: ...


class IndentationSpec(Protocol):
    """Names of the terminals of lines and blocks, as `structgen_grammars.profile.Indentation` has them."""

    @property
    def newline(self) -> str: ...
    @property
    def indent(self) -> str: ...
    @property
    def dedent(self) -> str: ...


@dataclass(slots=True)
class CompiledMode:
    """``components``: numbers of those that the mode has, of ``terminals``. ``op`` and ``action`` by
    terminal number.
    """

    name: str
    components: list[int] = field(default_factory=list)
    terminals: set[int] = field(default_factory=set)
    op: dict[int, int] = field(default_factory=dict)
    action: dict[int, tuple[int, int, int]] = field(default_factory=dict)

    def next_modes(self, terminal: int, below: frozenset[int]) -> set[int]:
        """The modes that may be in force after a terminal; ``below``: those that this one may lie on."""
        kind, first, second = self.action.get(terminal, (STAY, 0, 0))
        if kind == POP:
            return set(below)
        return {first} if kind in (PUSH, GOTO) else {second} if kind == GOTO_PUSH else set()


class LexiconBuilder:
    """Numbers terminals and compiles their patterns, each once."""

    def __init__(
        self, terminals: Mapping[str, LexTerminal], ignored: Sequence[str], alphabet: npt.NDArray[np.bool_]
    ) -> None:
        self.terminals = dict(terminals)
        self.names = list(terminals)
        self.numbers = {name: number for number, name in enumerate(self.names)}
        self.components: list[Component] = []
        self.ignored = [self.numbers[name] for name in ignored]
        self._alphabet = alphabet
        self._of_terminal: dict[tuple[str, str], list[int]] = {}
        self._automata: dict[Regex, Dfa] = {}

    def add_terminal(self, terminal: LexTerminal) -> int:
        if terminal.name not in self.numbers:
            self.numbers[terminal.name] = len(self.names)
            self.names.append(terminal.name)
            self.terminals[terminal.name] = terminal
        return self.numbers[terminal.name]

    def components_of(self, name: str, pattern: str = "") -> list[int]:
        """The components of a terminal; of ``pattern`` where a mode has one of its own."""
        key = name, pattern
        if key not in self._of_terminal:
            terminal = self.terminals[name]
            if pattern:
                terminal = lexed_pattern(name, pattern, terminal.priority)
            found = self._of_terminal[key] = []
            for part in terminal.parts:
                found.append(len(self.components))
                self.components.append(
                    Component(
                        self.automaton(part.texts),
                        self.numbers[name],
                        terminal.priority,
                        terminal.rank,
                        None if part.ahead is None else self.automaton(part.ahead),
                        part.negated,
                    )
                )
        return self._of_terminal[key]

    def automaton(self, regex: Regex) -> Dfa:
        if regex not in self._automata:
            self._automata[regex] = restrict_bytes(compile_regex(regex), self._alphabet)
        return self._automata[regex]

    def all_components(self, names: Sequence[str]) -> list[int]:
        return [number for name in names for number in self.components_of(name)]


def explicit_modes(builder: LexiconBuilder, specs: Sequence[ModeSpec]) -> list[CompiledMode]:
    """The modes of a grammar that describes its own; without ``specs`` one of all terminals."""
    if not specs:
        mode = CompiledMode("all", builder.all_components(list(builder.numbers)))
        mode.op = dict.fromkeys(builder.ignored, IGNORE)
        return [mode]
    numbers = {spec.name: number for number, spec in enumerate(specs)}
    for spec in specs:
        for name in spec.patterns:  # a terminal that no rule has stands for text that is never right
            builder.add_terminal(LexTerminal(name, (), 0, (True, 0, 0, name)))
    found = []
    for spec in specs:
        mode = CompiledMode(spec.name)
        for name in builder.names:
            if (spec.only is not None and name not in spec.only and name not in spec.patterns) or (
                name in spec.without
            ):
                continue
            mode.components += builder.components_of(name, spec.patterns.get(name, ""))
        mode.op = dict.fromkeys(builder.ignored, IGNORE)
        if spec.otherwise:
            for terminal in range(len(builder.names)):
                if terminal not in mode.op:
                    mode.action[terminal] = (GOTO, numbers[spec.otherwise], 0)
        for name, target in spec.goto.items():
            mode.action[builder.numbers[name]] = (GOTO, numbers[target], 0)
        for name, target in spec.push.items():
            mode.action[builder.numbers[name]] = (PUSH, numbers[target], 0)
        for name in spec.pop:
            mode.action[builder.numbers[name]] = (POP, 0, 0)
        found.append(mode)
    return found


def add_line_modes(
    builder: LexiconBuilder, modes: list[CompiledMode], spec: IndentationSpec
) -> tuple[int, int]:
    """Add the modes of a line that has not begun, and of one that is joined before it begins: their numbers.

    In the first, blanks are terminals of one byte each, that the parser counts instead of reading them.
    """
    main = modes[0]
    newline = builder.numbers[spec.newline]
    blank_bytes = b"".join(blank.encode() for blank in BLANKS)
    kept: list[int] = []
    joins: set[int] = set()
    comments: set[int] = set()
    for number in main.components:
        component = builder.components[number]
        if component.terminal not in builder.ignored:
            kept.append(number)
            continue
        automaton = component.automaton
        begins = [automaton.step(1, bytes([byte])) != 0 for byte in blank_bytes]
        if any(begins):
            allowed = [automaton.step(1, bytes([byte])) for byte in range(256) if byte not in blank_bytes]
            if any(allowed):
                raise UnsupportedGrammarError(
                    f"the ignored terminal {builder.names[component.terminal]} holds blanks and other text",
                    remedy="with indentation, blanks (space, tab, form feed) are a terminal of their own",
                )
            continue
        kept.append(number)
        after_break = _ends_with_break(automaton)
        (joins if after_break else comments).add(component.terminal)
    counted = []
    for blank, op in BLANKS.items():
        terminal = LexTerminal(f"(blank {op})", (), 0, (False, 0, 0, blank))
        builder.add_terminal(terminal)
        counted.append((builder.numbers[terminal.name], op, blank))
    line, joined = len(modes), len(modes) + 1
    for number, name in ((line, "line"), (joined, "joined line")):
        mode = CompiledMode(name)
        mode.components = list(kept)
        if number == line:
            for terminal_number, op, blank in counted:
                key = builder.names[terminal_number]
                builder._of_terminal[key, ""] = [len(builder.components)]
                builder.components.append(
                    Component(builder.automaton(Literal(blank)), terminal_number, 0, (False, 0, 0, blank))
                )
                mode.components += builder.components_of(key)
                mode.op[terminal_number] = op
        else:
            mode.components = list(main.components)
        for each in builder.ignored:
            mode.op[each] = JOIN if each in joins else IGNORE
        mode.op[newline] = EMPTY_LINE
        for each in range(len(builder.names)):
            if each in mode.op:
                continue
            kind, first, _ = main.action.get(each, (STAY, 0, 0))
            if kind == PUSH:
                mode.action[each] = (GOTO_PUSH, 0, first)
            elif kind == STAY:
                mode.action[each] = (GOTO, 0, 0)
            else:
                mode.action[each] = (kind, first, 0)
        mode.action[newline] = (GOTO, line, 0)
        modes.append(mode)
    main.action[newline] = (GOTO, line, 0)
    return line, joined


def _ends_with_break(automaton: Dfa) -> bool:
    """Whether all texts end with a line break."""
    breaks = automaton.byte_class[0x0A]
    for state in range(1, automaton.n_states):
        for column in range(automaton.transitions.shape[1]):
            target = int(automaton.transitions[state, column])
            if target and automaton.accepting[target] and column != breaks:
                return False
    return True


def modes_below(modes: Sequence[CompiledMode]) -> list[frozenset[int]]:
    """For each mode, those that it may lie on: an upper bound, from what pushes what."""
    below: list[set[int]] = [set() for _ in modes]
    grown = True
    while grown:
        grown = False
        for number, mode in enumerate(modes):
            for kind, first, second in mode.action.values():
                found: list[tuple[int, set[int]]] = []
                if kind == PUSH:
                    found = [(first, {number})]
                elif kind == GOTO:
                    found = [(first, below[number])]
                elif kind == GOTO_PUSH:
                    found = [(first, below[number]), (second, {first})]
                elif kind == POP:
                    # the mode that comes up lies on what it lay on before: already in its own set
                    continue
                for target, more in found:
                    if not more <= below[target]:
                        below[target] |= more
                        grown = True
    return [frozenset(found) for found in below]
