"""Builtin grammars the plain way: longest match by `regex`, a generalised LR parser over Lark's LALR states.

The twin of the engine for whole texts: it knows nothing of vocabularies, masks or prefixes.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import regex
from lark.common import ParserConf
from lark.lexer import PatternStr
from lark.load_grammar import load_grammar
from lark.parsers.lalr_analysis import LALR_Analyzer
from structgen_grammars.profile import Mode, Profile

END = "$END"


class Refused(Exception):
    """The text is not of the language; ``place``: the character at which that was seen."""

    def __init__(self, reason: str, place: int) -> None:
        super().__init__(f"{reason} at character {place}")
        self.reason, self.place = reason, place


class Tables(LALR_Analyzer):
    """LALR(1) actions, all conflicts kept: state -> terminal -> (shift target or 0, rules to reduce by)."""

    def __init__(self, rules, starts):
        super().__init__(ParserConf(rules, {}, starts))
        self.compute_lr0_states()
        self.compute_reads_relations()
        self.compute_includes_lookback()
        self.compute_lookaheads()
        number = {itemset: i + 1 for i, itemset in enumerate(self.lr0_itemsets)}
        self.actions = {}
        self.gotos = {}
        self.conflicts = []
        self.itemsets = {number[s]: s for s in self.lr0_itemsets}
        for itemset, state in number.items():
            actions = defaultdict(lambda: [0, []])
            gotos = {}
            for symbol, target in itemset.transitions.items():
                if symbol.is_term:
                    actions[symbol.name][0] = number[target]
                else:
                    gotos[symbol.name] = number[target]
            for symbol, reduced in itemset.lookaheads.items():
                for rule in reduced:
                    actions[symbol.name][1].append((rule.origin.name, len(rule.expansion), rule))
            for name, (shift, reductions) in actions.items():
                if (shift != 0) + len(reductions) > 1:
                    self.conflicts.append((state, name, shift, [rule for _, _, rule in reductions]))
            self.actions[state] = dict(actions)
            self.gotos[state] = gotos
        self.start_states = {start: number[s] for start, s in self.lr0_start_states.items()}
        for start, state in self.start_states.items():  # the end of the text is shifted like a terminal
            self.actions[self.gotos[state][start]][END] = [-1, []]


@dataclass(frozen=True)
class _Cut:
    """A mode, ready to cut texts."""

    mode: Mode
    regexes: list[tuple[str, int, object]]  # terminal, priority, compiled
    strings: dict[str, str]
    longest_string: int


class Language:
    """A profile, to be asked about texts."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        grammar, _ = load_grammar(profile.text, str(profile.path), [], False)
        keep = {t[0] if isinstance(t, tuple) else t.name for t in grammar.term_defs}
        terminals, rules, ignored = grammar.compile(list(profile.starts), keep)
        self.ignored = frozenset(ignored)
        self.terminals = {t.name: t for t in terminals}
        self.tables = Tables(rules, list(profile.starts))
        modes = profile.modes or (Mode("all"),)
        self.first_mode = modes[0].name
        self.modes = {mode.name: self._cut(mode) for mode in modes}

    def _cut(self, mode: Mode) -> _Cut:
        names = set(self.terminals) if mode.only is None else set(mode.only)
        names = (names - mode.without) | set(mode.patterns)
        regexes, strings = [], {}
        for name in sorted(names):
            if name in mode.patterns:
                regexes.append((name, 0, regex.compile(mode.patterns[name])))
                continue
            definition = self.terminals[name]
            pattern = definition.pattern
            if isinstance(pattern, PatternStr) and not pattern.flags:
                strings[pattern.value] = name
            else:
                is_string = isinstance(pattern, PatternStr)
                compiled = regex.compile(pattern.to_regexp())
                regexes.append((name, 2 * definition.priority + is_string, compiled))
        regexes.sort(key=lambda entry: -entry[1])
        return _Cut(mode, regexes, strings, max(map(len, strings), default=0))

    def __hash__(self) -> int:
        return id(self)

    def check(self, text: str, start: str | None = None) -> None:
        """Raises `Refused` where the text is not of the language."""
        start = start or self.profile.starts[0]
        run = _Parse(self.tables, start)
        place = 0
        for terminal, place in self.lexemes(text, run):
            run.feed(terminal, place)
        run.finish(place)

    def accepts(self, text: str, start: str | None = None) -> bool:
        try:
            self.check(text, start)
        except Refused:
            return False
        return True

    def lexemes(self, text: str, run: _Parse) -> Iterator[tuple[str, int]]:
        """The terminals that go to the parser, each with the place where it starts."""
        stack = [self.first_mode]
        indentation = self.profile.indentation
        levels = [(0, 0)]
        contextual = self.profile.lexer == "contextual"
        place, line_start, line_has = 0, indentation is not None, False
        while place < len(text):
            if line_start and indentation is not None:
                line_start = False
                found = _line(text, place, indentation.comment)
                if found is None:
                    place = len(text)
                    break
                place, column, other = found
                yield from ((name, place) for name in _blocks(levels, column, other, indentation, place))
                line_has = False
                continue
            cut = self.modes[stack[-1]]
            name, end = self.longest(cut, text, place, run if contextual else None)
            if name not in self.ignored:
                yield name, place
                line_has = True
                if indentation is not None and name == indentation.newline:
                    line_start, line_has = True, False
                mode = cut.mode
                if name in mode.push:
                    stack.append(mode.push[name])
                elif name in mode.pop:
                    stack.pop()
                elif name in mode.goto:
                    stack[-1] = mode.goto[name]
                elif mode.otherwise:
                    stack[-1] = mode.otherwise
            place = end
        if indentation is not None:
            if line_has:
                yield indentation.newline, place
            for _ in levels[1:]:
                yield indentation.dedent, place

    def longest(self, cut: _Cut, text: str, place: int, run: _Parse | None) -> tuple[str, int]:
        best, end = "", place
        may = None if run is None else run.may()
        for name, _, compiled in cut.regexes:
            match = compiled.match(text, place)
            counts = may is None or name in may or name in self.ignored
            if match is not None and match.end() > end and counts:
                best, end = name, match.end()
        for length in range(min(cut.longest_string, len(text) - place), max(end - place, 1) - 1, -1):
            name = cut.strings.get(text[place : place + length])
            if name is not None and (may is None or name in may or name in self.ignored):
                return name, place + length
        if not best:
            raise Refused("no terminal matches", place)
        return best, end


@functools.lru_cache
def language(profile_name: str) -> Language:
    from structgen_grammars import profiles

    return Language(profiles()[profile_name])


class _Parse:
    """The stacks of a parse, as linked nodes; equal ones are one object."""

    def __init__(self, tables: Tables, start: str) -> None:
        self.tables = tables
        self.nodes = {}
        self.tops = [self.node(tables.start_states[start], None)]

    def node(self, state, below):
        key = (state, id(below))
        if key not in self.nodes:
            self.nodes[key] = (state, below)
        return self.nodes[key]

    def step(self, tops, terminal):
        actions, gotos = self.tables.actions, self.tables.gotos
        shifted, work, seen = {}, list(tops), {id(top) for top in tops}
        while work:
            top = work.pop()
            found = actions[top[0]].get(terminal)
            if found is None:
                continue
            if found[0]:
                node = self.node(found[0], top)
                shifted[id(node)] = node
            for origin, length, _ in found[1]:
                below = top
                for _ in range(length):
                    below = below[1]
                node = self.node(gotos[below[0]][origin], below)
                if id(node) not in seen:
                    seen.add(id(node))
                    work.append(node)
        return list(shifted.values())

    def feed(self, terminal, place):
        tops = self.step(self.tops, terminal)
        if not tops:
            raise Refused(f"{terminal} cannot follow; {', '.join(sorted(self.may()))[:300]} can", place)
        self.tops = tops

    def may(self):
        names = {name for top in self.tops for name in self.tables.actions[top[0]]}
        return {name for name in names if name != END and self.step(self.tops, name)}

    def finish(self, place):
        if not self.step(self.tops, END):
            raise Refused("the text ends too early", place)


_BLANKS = regex.compile(r"[ \t\f]*")


def _line(text, place, comment):
    """The place of the first terminal of the next line that has any, and its two columns; None at the end."""
    compiled = regex.compile(comment)
    while True:
        column = other = 0
        joined = False
        while place < len(text) and text[place] in " \t\f\\":
            char = text[place]
            if char == "\\":
                match = regex.compile(r"\\(\r\n?|\n)").match(text, place)
                if match is None or match.end() == len(text):
                    raise Refused("a backslash that joins no lines", place)
                place, joined = match.end(), True
                continue
            if not joined:
                if char == " ":
                    column, other = column + 1, other + 1
                elif char == "\t":
                    column, other = (column // 8 + 1) * 8, other + 1
                else:
                    column = other = 0
            place += 1
        match = compiled.match(text, place)
        end = match.end() if match is not None else place
        if end == len(text):
            return None
        if text[end] not in "\r\n":
            return place, column, other
        place = end + (2 if text.startswith("\r\n", end) else 1)


def _blocks(levels, column, other, indentation, place):
    if column == levels[-1][0]:
        if other != levels[-1][1]:
            raise Refused("inconsistent tabs", place)
        return
    if column > levels[-1][0]:
        if other <= levels[-1][1]:
            raise Refused("inconsistent tabs", place)
        levels.append((column, other))
        yield indentation.indent
        return
    while column < levels[-1][0]:
        levels.pop()
        yield indentation.dedent
    if column != levels[-1][0]:
        raise Refused("no such level of indentation", place)
    if other != levels[-1][1]:
        raise Refused("inconsistent tabs", place)


def describe_conflicts(found: Language, limit: int = 20) -> str:
    lines = [f"{len(found.tables.itemsets)} states, {len(found.tables.conflicts)} conflicts"]
    for state, name, shift, rules in found.tables.conflicts[:limit]:
        lines.append(f"state {state} on {name}: {'shift' if shift else ''} {[str(r) for r in rules]}")
    return "\n".join(lines)


__all__ = ["END", "Language", "Refused", "describe_conflicts", "language"]
