"""From the rules and terminals of a Lark grammar to the tables of its lexer and parser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from structgen.errors import CompileLimitError, UnsatisfiableGrammarError, UnsupportedGrammarError
from structgen.lexing.adjacency import Following
from structgen.lexing.cfg import Cfg, plain_productions, safe, without_pairs, without_useless
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
from structgen.lexing.product import LexicalStates, lexical_states, scanner_emits, without_emissions
from structgen.lexing.scanner import Scanner, build_scanner
from structgen.lexing.tables import (
    LayoutTerminals,
    LexedTables,
    adjacent_terminals,
    lexed_tables,
    next_modes,
)
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
        self._shared = True

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
        self._check_declared(cfg)
        scanner: Scanner | None = None
        if self._lexer == "contextual":
            possible = {c.terminal for c in lexicon.components if not c.automaton.is_empty}
        else:
            scanner = self._scanner(modes, names)
            seen = scanner_emits(scanner, end)[scanner.starts].any(axis=0)
            possible = {*np.flatnonzero(seen).tolist(), self._numbers.indent, self._numbers.dedent}
        cfg = without_useless(cfg, set(range(end)) - possible)
        while True:
            tables, lost, never = self._attempt(cfg, modes, scanner if self._shared else None, names)
            if tables is not None:
                return tables
            cfg = without_pairs(without_useless(cfg, lost), never, end)

    def _attempt(
        self, cfg: Cfg, modes: list[CompiledMode], scanner: Scanner | None, names: Sequence[str]
    ) -> tuple[LexedTables | None, set[int], dict[int, frozenset[int]]]:
        """The tables; or None, and which terminals can never be, and which can never follow which."""
        cfg = safe(cfg)
        if not cfg.productions[cfg.start]:
            raise UnsatisfiableGrammarError(
                "no text matches", remedy="every rule needs an alternative that ends without calling itself"
            )
        lalr = lalr_tables(cfg, len(names) - 1)
        lr_modes: Sequence[int] | None = None
        if self._lexer == "contextual":
            modes, lr_modes = _contextual_modes(modes[0], lalr, self._lexicon)
            after = _modes_of_terminals(lalr, lr_modes, len(names))
            next_mode = [
                [[number] if mode.op.get(t) == IGNORE else after[t] for t in range(len(names))]
                for number, mode in enumerate(modes)
            ]
            scanner = None
        else:
            next_mode = next_modes(modes, modes_below(modes), self._numbers, len(names))
        if scanner is None:
            scanner = self._scanner(modes, names)
        for mode in modes:
            mode.terminals = {self._lexicon.components[number].terminal for number in mode.components}
        unseen = 0  # what the parser does not see may stand anywhere
        for mode in modes:
            unseen |= sum(1 << t for t, op in mode.op.items() if op != PARSE)
        adjacent = [bits | unseen for bits in adjacent_terminals(lalr, modes, self._numbers, len(names))]
        emitted = unseen
        for state in range(lalr.n_states):
            emitted |= lalr.lookaheads(state)
        states = lexical_states(scanner, len(names) - 1, len(modes), next_mode, adjacent, emitted)
        skipped = {t for t in range(len(names)) if unseen >> t & 1}
        following = Following(states, skipped, next_mode)
        needed = _needed(lalr, lr_modes, next_mode, len(names))
        while not self._specs:
            nowhere = following.leading_nowhere(needed)
            if not nowhere:
                break
            states = without_emissions(states, nowhere, following.modes_after)
            following = Following(states, skipped, next_mode)
        if following.undecided is not None and self._shared and len(modes) > 1:
            self._shared = False  # states that modes share were taken to go on alike
            return None, set(), {}
        can_be = following.emits[states.start[0]].any(axis=0)
        taken = {t for _, body in cfg.flat() for t in body if t >= 0}
        lost = {t for t in taken if not can_be[t] and t not in (self._numbers.indent, self._numbers.dedent)}
        if lost:
            return None, lost, {}
        if lr_modes is not None:
            self._check_start(states, lalr, lr_modes[0], names)
        never = self._kept_apart(following, needed, names)
        if never:
            return None, set(), never
        eos = self._vocabulary.eos_token_ids
        tables = lexed_tables(
            cfg,
            lalr,
            states,
            following.emits,
            modes,
            next_mode,
            lr_modes,
            adjacent,
            self._numbers,
            names,
            eos,
        )
        return tables, set(), {}

    def _scanner(self, modes: Sequence[CompiledMode], names: Sequence[str]) -> Scanner:
        components = [mode.components for mode in modes]
        return build_scanner(self._lexicon.components, components, names, shared=self._shared)

    def _check_declared(self, cfg: Cfg) -> None:
        """Each terminal of the rules has texts, or layout makes it."""
        given = {name for mode in self._specs for name in mode.patterns}
        if self._indentation is not None:
            given |= {self._indentation.newline, self._indentation.indent, self._indentation.dedent}
        used = {terminal for _, body in cfg.flat() for terminal in body if terminal >= 0}
        for number in sorted(used):
            name = self._lexicon.names[number]
            known = self._source.terminals.get(name)
            if known is not None and not known.parts and name not in given:
                raise self._source.unsupported(
                    f"terminal {name} is only declared, so it has no texts",
                    name,
                    "define it with a string or a regex: what %declare relies on is Python code",
                )

    def _check_start(self, states: LexicalStates, lalr: LalrTables, mode: int, names: Sequence[str]) -> None:
        emits = states.emits[states.start[0, mode]]
        for terminal, name in enumerate(names):
            if lalr.lookaheads(0) >> terminal & 1 and not emits[terminal]:
                raise self._source.unsupported(
                    f"{name} may begin a text, but other terminals always match what it matches",
                    name,
                    remedy="give it priority, or take it out",
                )

    def _kept_apart(
        self,
        following: Following,
        needed: Mapping[tuple[int, int], npt.NDArray[np.bool_]],
        names: Sequence[str],
    ) -> dict[int, frozenset[int]]:
        """What munching keeps apart, though the parser would take it side by side.

        Refuses the grammar where that hangs on the texts of the terminals.
        """
        never, pair = following.kept_apart(needed, not self._specs)
        pair = following.undecided or pair
        if pair is not None:
            first, second = names[pair[0]], names[pair[1]]
            raise self._source.unsupported(
                f"{second} may follow {first}, but with some texts or in some places the two are kept apart"
                " by the longest match or by another terminal",
                second if pair[1] < len(names) - 1 else first,
                remedy="let a blank stand between them, give one of them priority, or use"
                ' lexer="dynamic_complete"',
            )
        return {terminal: frozenset(others) for terminal, others in never.items()}


def _needed(
    lalr: LalrTables,
    lr_modes: Sequence[int] | None,
    next_mode: Sequence[Sequence[Sequence[int]]],
    n_terminals: int,
) -> dict[tuple[int, int], npt.NDArray[np.bool_]]:
    """For a terminal and the mode after it: what the parser may take next."""
    needed: dict[tuple[int, int], npt.NDArray[np.bool_]] = {}
    for state in range(lalr.n_states):
        terminal = lalr.accessing[state]
        if terminal is None or terminal < 0:
            continue
        bits = lalr.lookaheads(state)
        wanted = np.array([bits >> t & 1 for t in range(n_terminals)], np.bool_)
        targets = {m for row in next_mode for m in row[terminal]} if lr_modes is None else {lr_modes[state]}
        for mode in targets:
            known = needed.get((terminal, mode))
            needed[terminal, mode] = wanted if known is None else known | wanted
    return needed


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
