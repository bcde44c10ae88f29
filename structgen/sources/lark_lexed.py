"""Lark grammars whose text is cut into terminals by a lexer: what the rules and the lexer are made of.

Rules are read as for exact lexing (`structgen.sources.lark_rules`); what is kept further are the things by
which a lexer chooses: priority, string or regex, width, and what must or must not follow a terminal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lark.lexer import Pattern, PatternRE, PatternStr
from lark.tree import Tree

from structgen.charset import CharSet
from structgen.errors import (
    InvalidRegexError,
    OptionError,
    UnsupportedGrammarError,
    UnsupportedRegexError,
)
from structgen.grammar import Grammar, Terminal
from structgen.regex import parse
from structgen.regex.syntax import NOTHING, Regex
from structgen.sources.lark import read_source
from structgen.sources.lark_definitions import LarkTree
from structgen.sources.lark_patterns import read_pattern, read_trailing, width
from structgen.sources.lark_preference import longest_first, node_texts
from structgen.sources.lark_rules import read_rules
from structgen.sources.lark_terminals import Terminals


@dataclass(frozen=True, slots=True)
class LexPart:
    """Texts of a terminal; ``ahead``: what must follow (or must not, if ``negated``), None: anything may."""

    texts: Regex
    ahead: Regex | None = None
    negated: bool = False


@dataclass(frozen=True, slots=True)
class LexTerminal:
    """A terminal as a lexer sees it. ``rank`` orders those that match the same text: the least one wins.

    ``parts``: () where it is only declared. Its ``name`` stands for it in the rules of the grammar.
    """

    name: str
    parts: tuple[LexPart, ...]
    priority: int
    rank: tuple[bool, int, int, str]


@dataclass(frozen=True, slots=True)
class LexedSource:
    """``grammar``: rules whose terminals count by their names only. ``terminals``: by name, the unused
    too. ``places``: where in ``text`` each is defined or, if it has no name, used first.
    """

    grammar: Grammar
    terminals: Mapping[str, LexTerminal]
    ignored: tuple[str, ...]
    places: Mapping[str, int | None] = field(default_factory=dict)
    text: str = ""

    def unsupported(self, reason: str, name: str, remedy: str) -> UnsupportedGrammarError:
        """An error at the place of a terminal, where it has one in the text."""
        return UnsupportedGrammarError(reason, text=self.text, offset=self.places.get(name), remedy=remedy)


def lexed_source(
    source: str | Path,
    start: str = "start",
    *,
    import_paths: Sequence[Path] = (),
    terminals: Iterable[str] = (),
    whole: Iterable[str] | None = None,
) -> LexedSource:
    """The rules and terminals of a Lark text or file. ``terminals``: names to have, also where no rule does.

    ``whole``: have the terminals of these start rules too, and all that the file names: then a text is cut in
    the same way whatever it starts with, and a reserved word that no rule uses is still no name.

    Raises `InvalidGrammarError` and `UnsupportedGrammarError`, as `structgen.sources.lark.lark_grammar` does.
    """
    if not isinstance(start, str):
        raise OptionError("start", start, "the name of a rule")
    definitions = read_source(source, import_paths)
    reader = _LexedTerminals(definitions)
    grammar = read_rules(definitions, start, reader)
    if whole is not None:
        for other in whole:
            read_rules(definitions, other, reader)
        for name in definitions.terminals:
            if not name.startswith("_"):  # those are parts of others
                reader.named(name, None)
    for name in terminals:
        if name in definitions.terminals:
            reader.named(name, None)
    ignored = tuple(reader.named(name, None).name for name in definitions.ignored)
    return LexedSource(grammar, reader.lexed, ignored, reader.places, definitions.text)


def lexed_pattern(name: str, pattern: str, priority: int = 0) -> LexTerminal:
    """A terminal with a regex of Python's dialect. Raises `InvalidRegexError`, `UnsupportedRegexError`."""
    return LexTerminal(name, _parts(pattern, {}), priority, _rank(PatternRE(pattern), name))


@dataclass(slots=True)
class _LexedTerminals(Terminals):
    """Terminals for `read_rules` that carry names only; what a lexer has to know of them is in ``lexed``."""

    lexed: dict[str, LexTerminal] = field(default_factory=dict)
    places: dict[str, int | None] = field(default_factory=dict)
    by_pattern: dict[Pattern, str] | None = None

    def named(self, name: str, used_at: int | None) -> Terminal:
        if name not in self.made:
            place = self.definitions.place(name)
            offset = used_at if place is None else place
            self.places[name] = offset
            tree = self.definitions.terminals.get(name)
            priority = self.definitions.priorities.get(name, 0)
            if tree is None:  # Lark gives these the priority 1, which nothing shows
                self.lexed[name] = LexTerminal(name, (), 0, (False, 0, 0, name))
            else:
                what = f"terminal {name}"
                pattern = self.pattern(tree, what, offset)
                self.lexed[name] = self.terminal(name, pattern, priority, what, offset)
            self.made[name] = Terminal(NOTHING, name)
        return self.made[name]

    def anonymous(self, tree: LarkTree, offset: int | None) -> Terminal:
        """A string or regex in a rule: the named terminal of the same pattern, as in Lark, or one of its
        own.
        """
        source = "..".join(str(token) for token in tree.children).replace("\n", "\\n")
        if source not in self.made:
            what = f"the terminal {source if len(source) < 80 else source[:77] + '...'}"
            pattern = self.pattern(Tree("value", [tree]), what, offset)
            if self.by_pattern is None:
                self.by_pattern = {
                    self.pattern(known, f"terminal {name}", self.definitions.place(name)): name
                    for name, known in self.definitions.terminals.items()
                    if known is not None
                }
            known_name = self.by_pattern.get(pattern)
            if known_name is not None:
                self.made[source] = self.named(known_name, offset)
            else:
                self.by_pattern[pattern] = source
                self.places[source] = offset
                self.lexed[source] = self.terminal(source, pattern, 0, what, offset)
                self.made[source] = Terminal(NOTHING, source)
        return self.made[source]

    def terminal(
        self, name: str, pattern: Pattern, priority: int, what: str, offset: int | None
    ) -> LexTerminal:
        if isinstance(pattern, PatternStr) and not pattern.flags:
            parts: tuple[LexPart, ...] = (LexPart(self.texts(pattern, what, offset)),)
        else:
            regex = pattern.to_regexp()
            sets = self.property_sets(regex)
            try:
                parts = _parts(regex, sets)
            except InvalidRegexError as error:
                raise self.definitions.invalid(f"{what}: {error.reason}", offset, error.remedy) from error
            except UnsupportedRegexError as error:
                raise self.definitions.unsupported(f"{what}: {error.reason}", offset, error.remedy) from error
            if not parts:
                raise self.definitions.invalid(
                    f"{what} matches the empty text",
                    offset,
                    "Lark refuses zero-width terminals; make it optional where it is used instead",
                )
        return LexTerminal(name, parts, priority, _rank(pattern, name))


def _rank(pattern: Pattern, name: str) -> tuple[bool, int, int, str]:
    return not isinstance(pattern, PatternStr), -pattern.max_width, -len(pattern.value), name


def _parts(regex: str, sets: Mapping[int, CharSet]) -> tuple[LexPart, ...]:
    """The parts of a regex; none at all where it matches the empty text."""
    try:
        node = read_pattern(regex, sets)
    except UnsupportedRegexError:
        ways = read_trailing(regex, sets)
        if all(way.ahead is None for way in ways):
            raise
        if any(width(way.body)[0] == 0 for way in ways):
            return ()
        return tuple(
            LexPart(node_texts(way.body), None if way.ahead is None else node_texts(way.ahead), way.negated)
            for way in ways
        )
    if width(node)[0] == 0:
        return ()
    if longest_first(node) and not sets:
        return (LexPart(parse(regex)),)
    return (LexPart(node_texts(node)),)
