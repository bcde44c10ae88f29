"""From the rules and terminals of a Lark grammar to the tables of its lexer and parser."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from structgen.errors import CompileLimitError, UnsatisfiableGrammarError, UnsupportedGrammarError
from structgen.lexing.cfg import Cfg, plain_productions, safe, without_useless
from structgen.lexing.lalr import LalrTables, lalr_tables
from structgen.lexing.modes import (
    IGNORE,
    PARSE,
    CompiledMode,
    IndentationSpec,
    LexiconBuilder,
    ModeSpec,
    add_line_modes,
    explicit_modes,
    modes_below,
)
from structgen.lexing.product import LexicalStates, blocked, lexical_states
from structgen.lexing.scanner import build_scanner
from structgen.lexing.tables import LayoutTerminals, LexedTables, lexed_tables, next_modes
from structgen.sources.lark_lexed import LexedSource
from structgen.vocabulary import Vocabulary

Lexer = Literal["contextual", "basic"]
MAX_TERMINALS = 1000  # what the memo of steps can tell apart


def build_lexed(
    source: LexedSource,
    lexer: Lexer,
    vocabulary: Vocabulary,
    modes: Sequence[ModeSpec] = (),
    indentation: IndentationSpec | None = None,
) -> LexedTables:
    """The tables of a grammar for a vocabulary's bytes. ``modes``: its own, for a ``basic`` lexer.

    Raises `UnsupportedGrammarError`, `UnsatisfiableGrammarError`, `CompileLimitError`.
    """
    return _Builder(source, lexer, vocabulary, modes, indentation).build()


class _Builder:
    def __init__(
        self,
        source: LexedSource,
        lexer: Lexer,
        vocabulary: Vocabulary,
        modes: Sequence[ModeSpec],
        indentation: IndentationSpec | None,
    ) -> None:
        self._source = source
        self._lexer = lexer
        self._vocabulary = vocabulary
        if lexer == "contextual" and (len(modes) > 1 or indentation is not None):
            raise UnsupportedGrammarError(
                "modes and indentation with the contextual lexer", remedy="choose the basic lexer"
            )
        self._lexicon = LexiconBuilder(source.terminals, source.ignored, vocabulary.alphabet)
        self._numbers = LayoutTerminals()
        self._specs = modes
        self._indentation = indentation

    def build(self) -> LexedTables:
        lexicon = self._lexicon
        modes = explicit_modes(lexicon, self._specs)
        indentation = self._indentation
        if indentation is not None:
            numbers = self._numbers
            numbers.line, numbers.joined = add_line_modes(lexicon, modes, indentation)
            numbers.newline = lexicon.numbers[indentation.newline]
            numbers.indent = lexicon.numbers[indentation.indent]
            numbers.dedent = lexicon.numbers[indentation.dedent]
        end = len(lexicon.names)
        if end >= MAX_TERMINALS:
            raise CompileLimitError("max_terminals", MAX_TERMINALS, end + 1, fixed=True)
        names = [*lexicon.names, "the end of the text"]
        cfg = plain_productions(self._source.grammar, lexicon.numbers)
        if self._lexer == "contextual":
            possible = {
                c.terminal for c in lexicon.components if not c.automaton.is_empty
            }
            cfg, lalr = self._parser(cfg, set(range(end)) - possible, end)
            modes, lr_modes = _contextual_modes(modes[0], lalr, lexicon)
            after = _modes_of_terminals(lalr, lr_modes, len(names))
            next_mode = [
                [[number] if mode.op.get(t) == IGNORE else after[t] for t in range(len(names))]
                for number, mode in enumerate(modes)
            ]
            states = self._states(modes, next_mode, names)
            self._check(states, lalr, lr_modes, next_mode, names)
            return self._tables(cfg, lalr, states, modes, next_mode, lr_modes, names)
        next_mode = next_modes(modes, modes_below(modes), self._numbers, len(names))
        states = self._states(modes, next_mode, names)
        seen = states.emits[states.start[0]].any(axis=0)
        layout = {self._numbers.indent, self._numbers.dedent}
        cfg, lalr = self._parser(cfg, {t for t in range(end) if not seen[t] and t not in layout}, end)
        self._check(states, lalr, None, next_mode, names)
        return self._tables(cfg, lalr, states, modes, next_mode, None, names)

    def _parser(self, cfg: Cfg, impossible: set[int], end: int) -> tuple[Cfg, LalrTables]:
        cfg = safe(without_useless(cfg, impossible))
        if not cfg.productions[cfg.start]:
            raise UnsatisfiableGrammarError(
                "no text matches", remedy="every rule needs an alternative that ends without calling itself"
            )
        return cfg, lalr_tables(cfg, end)

    def _states(
        self, modes: Sequence[CompiledMode], next_mode: Sequence[Sequence[Sequence[int]]], names: Sequence[str]
    ) -> LexicalStates:
        scanner = build_scanner(self._lexicon.components, [mode.components for mode in modes], names)
        after: dict[int, set[int]] = {}
        for mode, row in zip(modes, next_mode, strict=True):
            had = {self._lexicon.components[number].terminal for number in mode.components}
            for terminal in had:
                after.setdefault(terminal, set()).update(row[terminal])
        return lexical_states(scanner, len(names) - 1, len(modes), after)

    def _check(
        self,
        states: LexicalStates,
        lalr: LalrTables,
        lr_modes: Sequence[int] | None,
        next_mode: Sequence[Sequence[Sequence[int]]],
        names: Sequence[str],
    ) -> None:
        """Refuse the grammar where munching would keep apart what the parser wants side by side."""
        needed: dict[tuple[int, int], npt.NDArray[np.bool_]] = {}
        for state in range(lalr.n_states):
            terminal = lalr.accessing[state]
            if terminal is None or terminal < 0:
                continue
            bits = lalr.lookaheads(state)
            wanted = np.array([bits >> t & 1 for t in range(len(names))], np.bool_)
            targets = (
                {m for row in next_mode for m in row[terminal]} if lr_modes is None else {lr_modes[state]}
            )
            for mode in targets:
                known = needed.get((terminal, mode))
                needed[terminal, mode] = wanted if known is None else known | wanted
        ignored = [
            *self._lexicon.ignored,
            *(t for t in range(len(self._source.terminals), len(names) - 1)),
        ]
        found = blocked(states, ignored, needed)
        if found is not None:
            first, second = names[found[0]], names[found[1]]
            raise UnsupportedGrammarError(
                f"{second} may follow {first}, but the longest match takes the two together where they meet",
                remedy="let a blank stand between them, give one of them priority, or use"
                ' lexer="dynamic_complete"',
            )

    def _tables(
        self,
        cfg: Cfg,
        lalr: LalrTables,
        states: LexicalStates,
        modes: Sequence[CompiledMode],
        next_mode: Sequence[Sequence[Sequence[int]]],
        lr_modes: Sequence[int] | None,
        names: Sequence[str],
    ) -> LexedTables:
        eos = self._vocabulary.eos_token_ids
        return lexed_tables(cfg, lalr, states, modes, next_mode, lr_modes, self._numbers, names, eos)


def _contextual_modes(
    everything: CompiledMode, lalr: LalrTables, lexicon: LexiconBuilder
) -> tuple[list[CompiledMode], list[int]]:
    """A mode for each set of terminals that an LR state takes, and the mode of each LR state."""
    numbers: dict[int, int] = {}
    modes: list[CompiledMode] = []
    lr_modes = []
    of_terminal: dict[int, list[int]] = {}
    for number in everything.components:
        of_terminal.setdefault(lexicon.components[number].terminal, []).append(number)
    ignored = sum(1 << terminal for terminal in lexicon.ignored)
    for state in range(lalr.n_states):
        taken = lalr.lookaheads(state) & ~(1 << lalr.end) | ignored
        if taken not in numbers:
            numbers[taken] = len(modes)
            mode = CompiledMode(f"state {state}")
            for terminal, found in of_terminal.items():
                if taken >> terminal & 1:
                    mode.components += found
            mode.op = {t: op for t, op in everything.op.items() if op != PARSE}
            modes.append(mode)
        lr_modes.append(numbers[taken])
    return modes, lr_modes


def _modes_of_terminals(lalr: LalrTables, lr_modes: Sequence[int], n: int) -> list[list[int]]:
    found: list[set[int]] = [set() for _ in range(n)]
    for state in range(lalr.n_states):
        terminal = lalr.accessing[state]
        if terminal is not None and terminal >= 0:
            found[terminal].add(lr_modes[state])
    return [sorted(modes) for modes in found]
