"""Grammar expressions to automata over symbols (terminals and rules): the first half of the compiler.

Terminals become byte automata, restricted to the bytes that the vocabulary has. In sources without
lexical structure (GBNF), regular neighbours are fused into larger terminals first: a terminal step costs
less than a parser step, and masks are stored per terminal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from structgen.automata.build import compile_regex, difference, literal, restrict_bytes
from structgen.automata.counting import is_within_reach
from structgen.automata.dfa import BoundedDfa, CountedDfa, Dfa
from structgen.automata.marked import MarkedDfa
from structgen.errors import CompileLimitError, InvalidGrammarError
from structgen.grammar import Choice, Expr, Grammar, Repetition, RuleRef, Sequence, Terminal
from structgen.regex.syntax import Chars, Concat, Literal, Regex, Repeat, Union

Edge = tuple[int, int]  # symbol, target state
MAX_RULE_STATES = 100_000  # a bounded repetition is written out, so this bounds the bounds
FUSED_WEIGHT = 400  # a fused terminal has at most about this many NFA states
_WIDE_CLASS = 40  # a repeated class of more code points makes a wide state


@dataclass(slots=True)
class SymbolAutomaton:
    """A nondeterministic automaton over symbols. State 0 is the start.

    Symbols: terminal t is ``t + 1``, rule r is ``-(r + 1)``. ``edges[s]``: (symbol, target) of state s.
    """

    edges: list[list[Edge]] = field(default_factory=lambda: [[]])
    empty: list[list[int]] = field(default_factory=lambda: [[]])
    final: set[int] = field(default_factory=set)

    def new_state(self) -> int:
        if len(self.edges) == MAX_RULE_STATES:
            raise CompileLimitError("max_rule_states", MAX_RULE_STATES, MAX_RULE_STATES + 1, fixed=True)
        self.edges.append([])
        self.empty.append([])
        return len(self.edges) - 1


def spelled(
    terminal: Dfa | CountedDfa | BoundedDfa | MarkedDfa, alphabet: npt.NDArray[np.bool_]
) -> Dfa | CountedDfa | BoundedDfa | None:
    """A terminal as far as it is spelled in ``alphabet``, bool (256,); None when nothing is left of it."""
    if isinstance(terminal, MarkedDfa):
        return spelled(terminal.whole(), alphabet)
    if isinstance(terminal, Dfa):
        table = restrict_bytes(terminal, alphabet)
        return None if table.is_empty else table
    around = np.unique(np.frombuffer(terminal.head + terminal.tail, np.uint8))
    if not bool(alphabet[around].all()):
        return None
    if isinstance(terminal, BoundedDfa):
        bounded = BoundedDfa(
            terminal.head, restrict_bytes(terminal.content, alphabet), terminal.maximum, terminal.tail
        )
        return bounded if is_within_reach(bounded) else None
    unit = restrict_bytes(terminal.unit, alphabet)
    if unit.is_empty:
        return None if terminal.minimum else literal(terminal.head + terminal.tail)
    if unit is terminal.unit:
        return terminal
    return CountedDfa(terminal.head, unit, terminal.minimum, terminal.maximum, terminal.tail)


@dataclass(slots=True)
class SymbolGrammar:
    """All rules as automata over symbols; ``names[r]`` is the name of rule r; rule 0 is the start."""

    rules: list[SymbolAutomaton]
    names: list[str]
    terminals: list[Dfa | CountedDfa | BoundedDfa]
    terminal_names: list[str]


def symbol_grammar(grammar: Grammar, alphabet: npt.NDArray[np.bool_]) -> SymbolGrammar:
    """The rules of ``grammar`` that the start reaches, over terminals spelled in ``alphabet``, bool (256,).

    Raises `InvalidGrammarError` for an undefined rule, `CompileLimitError` for too large a terminal.
    """
    rules: Mapping[str, Expr] = grammar.rules
    if grammar.start not in rules:
        raise InvalidGrammarError(f"the start rule {grammar.start!r} is not defined")
    if grammar.source_kind == "gbnf" and grammar.ignore is None:
        rules = _Fusion(rules).fused(grammar.start)
    return _Builder(grammar, rules, alphabet).build()


class _Builder:
    def __init__(self, grammar: Grammar, rules: Mapping[str, Expr], alphabet: npt.NDArray[np.bool_]) -> None:
        self._grammar = grammar
        self._rules = rules
        self._alphabet = alphabet
        self._numbers: dict[str, int] = {}
        self._queue: list[str] = []
        self._result = SymbolGrammar([], [], [], [])
        self._terminal_numbers: dict[bytes, int] = {}
        self._compiled: dict[Regex | Dfa | CountedDfa | BoundedDfa, tuple[int | None, bool]] = {}
        self._ignored: int | None = None

    def build(self) -> SymbolGrammar:
        start = self._rule(self._grammar.start)
        if self._grammar.ignore is not None:
            self._ignored, nullable = self._terminal(
                Terminal(_as_regex(self._grammar.ignore, self._rules), "%ignore")
            )
            if nullable:
                raise InvalidGrammarError("what is ignored may not be empty text")
        done = 0
        while done < len(self._queue):
            name = self._queue[done]
            automaton = SymbolAutomaton()
            source = 0
            if done == start and self._ignored is not None:
                automaton.edges[0].append((self._ignored, 0))
                # a fresh state, so that recursion into the start rule does not ignore twice
                source = automaton.new_state()
                automaton.empty[0].append(source)
            end = automaton.new_state()
            automaton.final.add(end)
            self._add(automaton, self._rules[name], source, end)
            self._result.rules.append(automaton)
            done += 1
        return self._result

    def _rule(self, name: str) -> int:
        number = self._numbers.get(name)
        if number is None:
            if name not in self._rules:
                raise InvalidGrammarError(f"rule {name!r} is not defined")
            number = self._numbers[name] = len(self._queue)
            self._queue.append(name)
            self._result.names.append(name)
        return number

    def _terminal(self, terminal: Terminal) -> tuple[int | None, bool]:
        """The symbol of the non-empty texts of a terminal (None: there are none), and nullability."""
        known = self._compiled.get(terminal.pattern)
        if known is not None:
            return known
        pattern = terminal.pattern
        nullable = False
        table = compile_regex(pattern) if not isinstance(pattern, Dfa | CountedDfa | BoundedDfa) else pattern
        automaton = spelled(table, self._alphabet)
        if isinstance(automaton, Dfa) and automaton.accepts_empty:
            nullable = True
            automaton = difference(automaton, literal(b""))
        symbol: int | None
        if automaton is None or (isinstance(automaton, Dfa) and automaton.is_empty):
            symbol = None
        else:
            number = self._terminal_numbers.get(automaton.digest)
            if number is None:
                number = self._terminal_numbers[automaton.digest] = len(self._result.terminals)
                self._result.terminals.append(automaton)
                self._result.terminal_names.append(terminal.name)
            symbol = number + 1
        self._compiled[pattern] = symbol, nullable
        return symbol, nullable

    def _add(self, automaton: SymbolAutomaton, expr: Expr, source: int, target: int) -> None:
        """Paths from ``source`` to ``target`` for what ``expr`` matches."""
        if isinstance(expr, Terminal):
            symbol, nullable = self._terminal(expr)
            if nullable:
                automaton.empty[source].append(target)
            if symbol is not None:
                if self._ignored is None:
                    automaton.edges[source].append((symbol, target))
                else:
                    after = automaton.new_state()
                    automaton.edges[source].append((symbol, after))
                    automaton.edges[after].append((self._ignored, after))
                    automaton.empty[after].append(target)
        elif isinstance(expr, RuleRef):
            automaton.edges[source].append((-(self._rule(expr.name) + 1), target))
        elif isinstance(expr, Sequence):
            for i, item in enumerate(expr.items):
                after = target if i == len(expr.items) - 1 else automaton.new_state()
                self._add(automaton, item, source, after)
                source = after
            if not expr.items:
                automaton.empty[source].append(target)
        elif isinstance(expr, Choice):
            for option in expr.options:
                self._add(automaton, option, source, target)
        else:
            for _ in range(expr.minimum):
                after = automaton.new_state()
                self._add(automaton, expr.item, source, after)
                source = after
            if expr.maximum is None:
                loop, back = automaton.new_state(), automaton.new_state()
                automaton.empty[source].append(loop)
                automaton.empty[loop].append(target)
                automaton.empty[back].append(loop)
                self._add(automaton, expr.item, loop, back)
            else:
                for _ in range(expr.maximum - expr.minimum):
                    automaton.empty[source].append(target)
                    after = automaton.new_state()
                    self._add(automaton, expr.item, source, after)
                    source = after
                automaton.empty[source].append(target)


def _as_regex(expr: Expr, rules: Mapping[str, Expr]) -> Regex:
    """A regular expression, without `Dfa` terminals and recursion, as one `Regex`."""
    if isinstance(expr, Terminal):
        if isinstance(expr.pattern, Dfa | CountedDfa | BoundedDfa):
            raise InvalidGrammarError("only regular expressions can be ignored")
        return expr.pattern
    if isinstance(expr, RuleRef):
        return _as_regex(rules[expr.name], rules)
    if isinstance(expr, Sequence):
        return Concat(tuple(_as_regex(item, rules) for item in expr.items))
    if isinstance(expr, Choice):
        return Union(tuple(_as_regex(option, rules) for option in expr.options))
    return Repeat(_as_regex(expr.item, rules), expr.minimum, expr.maximum)


@dataclass(frozen=True, slots=True)
class _Regular:
    """A regular expression to be, with what decides whether it may still grow."""

    regex: Regex
    weight: int
    wide: int  # how many wide loops it holds


class _Fusion:
    """Fuses regular neighbours into terminals with at most one wide loop each."""

    def __init__(self, rules: Mapping[str, Expr]) -> None:
        self._rules = rules
        self._regular: dict[str, _Regular | None] = {}
        self._open: set[str] = set()

    def fused(self, start: str) -> dict[str, Expr]:
        result: dict[str, Expr] = {}
        queue = [start]
        while queue:
            name = queue.pop()
            if name in result or name not in self._rules:
                continue
            result[name] = self._fuse(self._rules[name], queue)
        return result

    def _fuse(self, expr: Expr, queue: list[str]) -> Expr:
        whole = self._as_regular(expr)
        if whole is not None:
            return Terminal(whole.regex)
        if isinstance(expr, RuleRef):
            queue.append(expr.name)
            return expr
        if isinstance(expr, Repetition):
            return Repetition(self._fuse(expr.item, queue), expr.minimum, expr.maximum)
        if isinstance(expr, Choice):
            regular = [option for option in expr.options if self._as_regular(option) is not None]
            others = [self._fuse(option, queue) for option in expr.options if option not in regular]
            together = self._as_regular(Choice(tuple(regular)))
            if regular and together is not None:
                return Choice((Terminal(together.regex), *others))
            return Choice(tuple(self._fuse(option, queue) for option in expr.options))
        if isinstance(expr, Sequence):
            items: list[Expr] = []
            run: list[Expr] = []
            for item in (*expr.items, None):
                longer = None if item is None else self._as_regular(Sequence((*run, item)))
                if longer is not None and item is not None:
                    run.append(item)
                    continue
                if run:
                    joined = self._as_regular(Sequence(tuple(run)))
                    items.append(Terminal(joined.regex) if joined else Sequence(tuple(run)))
                run = []
                if item is not None:
                    if self._as_regular(item) is not None:
                        run = [item]
                    else:
                        items.append(self._fuse(item, queue))
            return items[0] if len(items) == 1 else Sequence(tuple(items))
        return expr

    def _as_regular(self, expr: Expr) -> _Regular | None:
        """``expr`` as one terminal, or None when it is recursive or would grow too large."""
        if isinstance(expr, Terminal):
            if isinstance(expr.pattern, Dfa | CountedDfa | BoundedDfa):
                return None
            return _Regular(expr.pattern, _weight(expr.pattern), _wide_loops(expr.pattern))
        if isinstance(expr, RuleRef):
            return self._rule_as_regular(expr.name)
        if isinstance(expr, Repetition):
            item = self._as_regular(expr.item)
            if item is None:
                return None
            regex = Repeat(item.regex, expr.minimum, expr.maximum)
            return _within_limits(_Regular(regex, _weight(regex), _wide_loops(regex)))
        parts = expr.items if isinstance(expr, Sequence) else expr.options
        regular = [self._as_regular(part) for part in parts]
        known = [part for part in regular if part is not None]
        if len(known) != len(regular):
            return None
        regexes = tuple(part.regex for part in known)
        joined: Regex = Concat(regexes) if isinstance(expr, Sequence) else Union(regexes)
        return _within_limits(
            _Regular(joined, sum(part.weight for part in known), sum(part.wide for part in known))
        )

    def _rule_as_regular(self, name: str) -> _Regular | None:
        if name in self._regular:
            return self._regular[name]
        if name in self._open or name not in self._rules:
            return None
        self._open.add(name)
        result = self._as_regular(self._rules[name])
        self._open.discard(name)
        # a rule met inside itself is recursive, and so is every rule on the way to it
        self._regular[name] = result
        return result


def _within_limits(candidate: _Regular) -> _Regular | None:
    return candidate if candidate.weight <= FUSED_WEIGHT and candidate.wide <= 1 else None


def _weight(regex: Regex) -> int:
    """About how many NFA states a regex makes."""
    if isinstance(regex, Chars):
        return 2
    if isinstance(regex, Literal):
        return len(regex.text) + 1
    if isinstance(regex, Concat):
        return sum(map(_weight, regex.parts))
    if isinstance(regex, Union):
        return sum(map(_weight, regex.options))
    if isinstance(regex, Repeat):
        copies = regex.minimum + 1 if regex.maximum is None else regex.maximum
        return _weight(regex.item) * max(copies, 1)
    return FUSED_WEIGHT  # set operations stay terminals of their own


def _wide_loops(regex: Regex) -> int:
    if isinstance(regex, Concat):
        return sum(map(_wide_loops, regex.parts))
    if isinstance(regex, Union):
        return sum(map(_wide_loops, regex.options))
    if isinstance(regex, Repeat):
        inner = _wide_loops(regex.item)
        loops = regex.maximum is None or regex.maximum > 8
        return max(inner, 1 if loops and _has_wide_class(regex.item) else 0)
    return 0


def _has_wide_class(regex: Regex) -> bool:
    if isinstance(regex, Chars):
        return len(regex.charset) > _WIDE_CLASS
    if isinstance(regex, Concat):
        return any(map(_has_wide_class, regex.parts))
    if isinstance(regex, Union):
        return any(map(_has_wide_class, regex.options))
    if isinstance(regex, Repeat):
        return _has_wide_class(regex.item)
    return not isinstance(regex, Literal)
