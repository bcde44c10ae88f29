"""Terminals of Lark to `Terminal`: the regex that Lark would compile, as the set of its lexemes."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from lark.exceptions import GrammarError
from lark.lexer import Pattern, PatternStr, Token
from lark.load_grammar import PrepareLiterals, TerminalTreeToPattern, eval_escaping, nr_deepcopy_tree
from lark.tree import Tree

from structgen.errors import InvalidRegexError, UnsupportedRegexError
from structgen.grammar import Terminal
from structgen.regex import parse
from structgen.regex.syntax import Literal, Regex
from structgen.sources.lark_definitions import Definitions, LarkTree
from structgen.sources.lark_patterns import read_pattern, width
from structgen.sources.lark_preference import longest_first, preferred_texts

_MAX_PATTERN_PARTS = 100_000


@dataclass(slots=True)
class Terminals:
    """The terminals that rules ask for, each made once."""

    definitions: Definitions
    made: dict[str, Terminal] = field(default_factory=dict)

    def named(self, name: str, used_at: int | None) -> Terminal:
        """A terminal of the grammar; ``used_at``: where a rule names it, for one without a place of its own."""
        if name not in self.made:
            offset = self.definitions.offsets.get(name, used_at)
            tree = self.definitions.terminals.get(name)
            if tree is None:
                raise self.definitions.unsupported(
                    f"terminal {name} is only declared, so it has no texts",
                    offset,
                    remedy="define it with a string or a regex; %declare relies on code that structgen never runs",
                )
            pattern = self.pattern(tree, name, offset)
            self.made[name] = Terminal(self.texts(pattern, f"terminal {name}", offset), name)
        return self.made[name]

    def anonymous(self, tree: LarkTree, offset: int | None) -> Terminal:
        """A string, regex or range that stands in a rule."""
        source = "..".join(str(token) for token in tree.children)
        if source not in self.made:
            pattern = self.pattern(Tree("value", [tree]), source, offset)
            self.made[source] = Terminal(self.texts(pattern, f"the terminal {source}", offset), source)
        return self.made[source]

    def pattern(self, tree: LarkTree, name: str, offset: int | None) -> Pattern:
        """What Lark makes of a terminal's definition: one string, or one regex put together from its parts."""
        if _parts(tree, {}) > _MAX_PATTERN_PARTS:
            raise self.definitions.unsupported(f"terminal {name} has over {_MAX_PATTERN_PARTS:,} parts", offset)
        for node in tree.iter_subtrees():
            if node.data == "range":
                self.check_range(node.children[0], node.children[1], name, offset)
        empty = [node for node in tree.find_data("expansion") if not node.children]
        if empty and len(list(tree.find_data("expansion"))) == 1:
            raise self.definitions.invalid(f"terminal {name} has no texts but the empty one", offset)
        try:
            made = (PrepareLiterals() * TerminalTreeToPattern()).transform(nr_deepcopy_tree(tree))
        except GrammarError as error:
            raise self.definitions.invalid(f"terminal {name}: {_first_line(error)}", offset) from error
        except (ValueError, ImportError, re.error, OverflowError) as error:
            # what comes of it when Lark measures a regex that is none
            raise self.definitions.invalid(f"terminal {name}: {_first_line(error)}", offset) from error
        if not isinstance(made, Pattern):
            raise self.definitions.invalid(f"terminal {name} is no string or regex", offset)
        return made

    def check_range(self, first: Token, last: Token, name: str, offset: int | None) -> None:
        """Refuse the ranges that Lark fails on, or turns into another class than they say."""
        ends = []
        for token in (first, last):
            char = "" if token[-1] != '"' else eval_escaping(token[1:-1])
            if len(char) != 1:
                raise self.definitions.invalid(
                    f"terminal {name}: {token} is no end of a range", offset, "write one character in quotes"
                )
            ends.append(char)
        if ends[0] > ends[1]:
            raise self.definitions.invalid(f"terminal {name}: the range {first}..{last} is backwards", offset)
        if ends[0] == "^" or ends[1] == "]":
            raise self.definitions.invalid(
                f"terminal {name}: Lark reads {first}..{last} as the regex [{first[1:-1]}-{last[1:-1]}]",
                offset,
                "write the class as a regex, with the bracket or ^ escaped",
            )

    def texts(self, pattern: Pattern, what: str, offset: int | None) -> Regex:
        """The texts that Lark's matcher takes whole as this terminal."""
        if isinstance(pattern, PatternStr) and not pattern.flags:
            return Literal(pattern.value)
        regex = pattern.to_regexp()
        try:
            node = read_pattern(regex)
            if width(node)[0] == 0:
                raise self.definitions.invalid(
                    f"{what} matches the empty text",
                    offset,
                    "Lark refuses zero-width terminals; make it optional where it is used instead",
                )
            chosen = None if longest_first(node) else preferred_texts(node, regex)
            return parse(regex) if chosen is None else chosen
        except InvalidRegexError as error:
            raise self.definitions.invalid(
                f"{what}: {_in_regex(error)}", offset, error.remedy
            ) from error
        except UnsupportedRegexError as error:
            raise self.definitions.unsupported(
                f"{what}: {_in_regex(error)}", offset, error.remedy
            ) from error


def _in_regex(error: InvalidRegexError | UnsupportedRegexError) -> str:
    if error.position is None:
        return error.reason
    return f"{error.reason} (character {error.position.offset + 1} of its regex /{error.position.text}/)"


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0]


def _parts(tree: Any, known: dict[int, int]) -> int:
    """Nodes of a terminal's tree, counted as often as they are used: trees of other terminals are shared."""
    if not isinstance(tree, Tree):
        return 1
    if id(tree) not in known:
        known[id(tree)] = 1 + sum(_parts(child, known) for child in tree.children)
    return known[id(tree)]
