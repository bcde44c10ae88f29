"""Terminals of Lark to `Terminal`: the regex that Lark would compile, as the set of its lexemes."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from lark.exceptions import LarkError, VisitError
from lark.lexer import Pattern, PatternRE, PatternStr, Token
from lark.load_grammar import PrepareLiterals, TerminalTreeToPattern, eval_escaping, nr_deepcopy_tree
from lark.tree import Tree

from structgen.charset import CharSet
from structgen.errors import InvalidRegexError, UnsupportedRegexError
from structgen.grammar import Terminal
from structgen.regex import parse
from structgen.regex.syntax import Chars, Literal, Regex
from structgen.sources.lark_definitions import IGNORED_PREFIX, Definitions, LarkTree
from structgen.sources.lark_patterns import read_pattern, width
from structgen.sources.lark_preference import longest_first, preferred_texts

# Characters for private use at the end of Unicode stand for \p{...} while Lark and `re` look at a regex.
_FIRST_STAND_IN = 0x10FF00
_MAX_STAND_INS = 200
_ESCAPE = re.compile(r"\\(?:[pP]\{[^{}]*\}|.)", re.DOTALL)


@dataclass(slots=True)
class Terminals:
    """The terminals that rules ask for, each made once."""

    definitions: Definitions
    made: dict[str, Terminal] = field(default_factory=dict)
    properties: dict[str, str] = field(default_factory=dict)  # stand-in -> \p{...}

    def named(self, name: str, used_at: int | None) -> Terminal:
        """A terminal of the grammar; ``used_at``: where a rule names it, if it has no place of its own."""
        if name not in self.made:
            place = self.definitions.place(name)
            offset = used_at if place is None else place
            tree = self.definitions.terminals.get(name)
            if tree is None:
                raise self.definitions.unsupported(
                    f"terminal {name} is only declared, so it has no texts",
                    offset,
                    remedy="define it with a string or a regex: what %declare relies on is Python code",
                )
            ignored = name.startswith(IGNORED_PREFIX)
            what = "the ignored terminal" if ignored else f"terminal {name}"
            texts = self.texts(self.pattern(tree, what, offset), what, offset)
            self.made[name] = Terminal(texts, "%ignore" if ignored else name)
        return self.made[name]

    def anonymous(self, tree: LarkTree, offset: int | None) -> Terminal:
        """A string, regex or range that stands in a rule."""
        source = "..".join(str(token) for token in tree.children).replace("\n", "\\n")
        if source not in self.made:
            what = f"the terminal {source if len(source) < 80 else source[:77] + '...'}"
            pattern = self.pattern(Tree("value", [tree]), what, offset)
            self.made[source] = Terminal(self.texts(pattern, what, offset), source)
        return self.made[source]

    def pattern(self, tree: LarkTree, what: str, offset: int | None) -> Pattern:
        """What Lark makes of a terminal's definition: one string, or one regex out of all parts."""
        for node in tree.iter_subtrees():
            if node.data == "range":
                self.check_range(node.children[0], node.children[1], what, offset)
        empty = [node for node in tree.find_data("expansion") if not node.children]
        if empty and len(list(tree.find_data("expansion"))) == 1:
            raise self.definitions.invalid(f"{what} has no texts but the empty one", offset)
        try:
            made = PrepareLiterals().transform(_copy(tree))
            for node in made.find_data("pattern"):
                node.children = [self.without_properties(node.children[0], what, offset)]
            made = TerminalTreeToPattern().transform(made)
        except LarkError as error:
            raise self.definitions.invalid(f"{what}: {_reason(error)}", offset) from error
        if not isinstance(made, Pattern):
            raise self.definitions.invalid(f"{what} is no string or regex", offset)
        return made

    def without_properties(self, pattern: Pattern, what: str, offset: int | None) -> Pattern:
        """The pattern with a character in the place of each ``\\p{...}``, which Lark cannot measure."""

        def stand_in(match: re.Match[str]) -> str:
            if match[0][1] not in "pP":
                return match[0]
            for char, source in self.properties.items():
                if source == match[0]:
                    return char
            char = chr(_FIRST_STAND_IN + len(self.properties))
            self.properties[char] = match[0]
            return char

        if not isinstance(pattern, PatternRE):
            return pattern
        replaced = _ESCAPE.sub(stand_in, pattern.value)
        if replaced == pattern.value:
            return pattern
        if len(self.properties) > _MAX_STAND_INS or any(ord(c) >= _FIRST_STAND_IN for c in pattern.value):
            raise self.definitions.unsupported(f"{what}: \\p{{...}} beside characters of plane 16", offset)
        return PatternRE(replaced, pattern.flags, raw=pattern.raw)

    def property_sets(self, regex: str) -> dict[int, CharSet]:
        """What the characters of a regex that stand for ``\\p{...}`` mean."""
        return {ord(char): _one_of(name) for char, name in self.properties.items() if char in regex}

    def check_range(self, first: Token, last: Token, what: str, offset: int | None) -> None:
        """Refuse the ranges that Lark fails on, or turns into another class than they say."""
        ends = []
        for token in (first, last):
            char = "" if token[-1] != '"' else _unescape(token[1:-1])
            if len(char) != 1:
                raise self.definitions.invalid(
                    f"{what}: {token} is no end of a range", offset, "write one character in quotes"
                )
            ends.append(char)
        if ends[0] > ends[1]:
            raise self.definitions.invalid(f"{what}: the range {first}..{last} is backwards", offset)
        if ends[0] == "^" or ends[1] == "]":
            raise self.definitions.invalid(
                f"{what}: Lark reads {first}..{last} as the regex [{first[1:-1]}-{last[1:-1]}]",
                offset,
                "write the class as a regex, with the bracket or ^ escaped",
            )

    def texts(self, pattern: Pattern, what: str, offset: int | None) -> Regex:
        """The texts that Lark's matcher takes whole as this terminal."""
        if any("\ud800" <= char <= "\udfff" for char in pattern.value):
            raise self.definitions.invalid(f"{what} has a lone surrogate, which is no character", offset)
        if isinstance(pattern, PatternStr) and not pattern.flags:
            return Literal(pattern.value)
        regex = pattern.to_regexp()
        source = "".join(self.properties.get(char, char) for char in regex)
        try:
            node = read_pattern(regex, self.property_sets(regex))
            if width(node)[0] == 0:
                raise self.definitions.invalid(
                    f"{what} matches the empty text",
                    offset,
                    "Lark refuses zero-width terminals; make it optional where it is used instead",
                )
            preferred = None if longest_first(node) else preferred_texts(node)
            return parse(source) if preferred is None else preferred
        except InvalidRegexError as error:
            raise self.definitions.invalid(f"{what}: {_in_regex(error)}", offset, error.remedy) from error
        except UnsupportedRegexError as error:
            raise self.definitions.unsupported(f"{what}: {_in_regex(error)}", offset, error.remedy) from error


def _one_of(name: str) -> CharSet:
    """The characters of ``\\p{...}``."""
    regex = parse(name)
    if not isinstance(regex, Chars):
        raise UnsupportedRegexError(f"{name} stands for more than single characters")
    return regex.charset


# These two come without types.
_copy: Any = nr_deepcopy_tree
_unescape: Any = eval_escaping


def _in_regex(error: InvalidRegexError | UnsupportedRegexError) -> str:
    if error.position is None:
        return error.reason
    return f"{error.reason} (character {error.position.offset + 1} of its regex /{error.position.text}/)"


def _reason(error: LarkError) -> str:
    """What is wrong with a string or a regex, out of Lark's error about the tree that it is in."""
    cause: BaseException = error.orig_exc if isinstance(error, VisitError) else error
    for detail in cause.args:
        if isinstance(detail, SyntaxError):  # Lark reads escapes with Python's own reader of strings
            return str(detail.msg)
    if isinstance(cause.__context__, re.error):  # measuring a regex that is none
        return str(cause.__context__)
    return str(cause).split("\n", 1)[0]
