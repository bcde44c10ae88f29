"""llama.cpp's grammar format (GBNF) to a `Grammar`.

The syntax is that of llama.cpp's own reader (``src/llama-grammar.cpp`` and ``grammars/README.md``), with
these differences, none of which lets a text through that llama.cpp would refuse:

- names may hold ``_`` (its documentation says so, and grammars in the wild use it);
- left recursion is allowed, and so are repetitions of any size (llama.cpp drops an upper bound over 2,000);
- a line that begins with ``|`` goes on with the rule above it;
- what llama.cpp silently bends is refused: a rule defined twice (it keeps the last), ``[]`` (it reads the
  empty text), ``[z-a]``, ``{3,2}``, escapes that name no character.

Characters are code points: ``\\xHH`` is the code point HH, never a byte.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import Literal as OneOf

from structgen.charset import ANY, MAX_CODE_POINT, CharSet
from structgen.errors import InvalidGrammarError, OptionError, SourcePosition, UnsupportedGrammarError
from structgen.grammar import EMPTY, Choice, Expr, Grammar, Repetition, RuleRef, Sequence, Terminal
from structgen.regex.syntax import Chars, Literal
from structgen.sources.source_text import refuse_lone_surrogates

MAX_NESTING = 100
_MAX_COUNT_DIGITS = 9

_NAME_CHARS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
_DIGITS = frozenset("0123456789")
_HEX_DIGITS = frozenset("0123456789abcdefABCDEF")
_HEX_ESCAPES = {"x": 2, "u": 4, "U": 8}
_PLAIN_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", '"': '"', "[": "[", "]": "]", "-": "-"}
_OPERATORS = {"*": (0, None), "+": (1, None), "?": (0, 1)}


def gbnf_grammar(text: str, root: str = "root", *, undefined: OneOf["error", "nothing"] = "error") -> Grammar:
    """The grammar that a GBNF text describes; ``root`` is the name of its start rule.

    A rule that is used but not defined is an error, as in llama.cpp. With ``undefined="nothing"`` it
    matches nothing, as in the theory of grammars: some grammars that programs wrote rely on it.

    Raises `InvalidGrammarError` (syntax, undefined or doubly defined rule, no ``root``) and
    `UnsupportedGrammarError` (token references such as ``<[123]>``), both with the position.
    """
    if not isinstance(text, str):
        raise OptionError("text", text, "a GBNF grammar as a str")
    if undefined not in ("error", "nothing"):
        raise OptionError("undefined", undefined, "'error' or 'nothing'")
    refuse_lone_surrogates(text)
    reader = _Reader(text)
    reader.read_rules()
    for name, offset in reader.references:
        if name not in reader.rules and undefined == "nothing":
            reader.rules[name] = Choice(())
        elif name not in reader.rules:
            raise InvalidGrammarError(
                f"rule {name!r} is used but not defined",
                text=text,
                offset=offset,
                remedy=_suggestion(name, reader.rules),
            )
    if root not in reader.rules:
        first = min(reader.offsets.values(), default=0)
        raise InvalidGrammarError(
            f"there is no rule {root!r} to start from",
            text=text,
            offset=first,
            remedy=f"add a line '{root} ::= ...'" if not reader.rules else _suggestion(root, reader.rules),
        )
    positions = {name: SourcePosition(text, offset) for name, offset in reader.offsets.items()}
    return Grammar(rules=reader.rules, start=root, source_kind="gbnf", positions=positions)


def _suggestion(name: str, rules: dict[str, Expr]) -> str:
    near = difflib.get_close_matches(name, rules, n=1)
    return f"did you mean {near[0]!r}?" if near else f"add a line '{name} ::= ...'"


@dataclass(slots=True)
class _Reader:
    """Recursive descent over the text; ``at`` is the offset of the next character."""

    text: str
    at: int = 0
    rules: dict[str, Expr] = field(default_factory=dict)
    offsets: dict[str, int] = field(default_factory=dict)
    references: list[tuple[str, int]] = field(default_factory=list)

    def read_rules(self) -> None:
        self.skip_space(newlines=True)
        while self.at < len(self.text):
            self.read_rule()
            self.skip_space(newlines=True)

    def read_rule(self) -> None:
        begin = self.at
        name = self.read_name()
        if not name:
            raise self.invalid(
                "expected the name of a rule", remedy="names are made of letters, digits, - and _"
            )
        self.skip_space(newlines=False)
        if not self.text.startswith("::=", self.at):
            raise self.invalid(f"expected '::=' after the rule name {name!r}")
        if name in self.rules:
            line = SourcePosition(self.text, self.offsets[name]).line
            raise self.invalid(
                f"rule {name!r} is defined twice (first in line {line})",
                at=begin,
                remedy="join the two with |, or rename one",
            )
        self.offsets[name] = begin
        self.at += 3
        self.skip_space(newlines=True)
        self.rules[name] = self.read_alternatives(depth=0)
        if self.at >= len(self.text) or self.text[self.at] in "\r\n":
            return
        found = self.text[self.at]
        if found == ")":
            raise self.invalid("')' closes no group")
        if self.text.startswith("::=", self.at):
            raise self.invalid(
                f"'::=' inside the rule {name!r}",
                remedy="what precedes it belongs to that rule: after '::=' and '|' a rule goes on below",
            )
        raise self.invalid(f"unexpected {found!r} in the rule {name!r}")

    def read_alternatives(self, depth: int) -> Expr:
        options = [self.read_sequence(depth)]
        while self.at_alternative(depth):
            self.at += 1
            self.skip_space(newlines=True)
            options.append(self.read_sequence(depth))
        return options[0] if len(options) == 1 else Choice(tuple(options))

    def at_alternative(self, depth: int) -> bool:
        """Whether ``|`` comes next, possibly at the beginning of a following line."""
        end_of_line = self.at
        if depth == 0:
            self.skip_space(newlines=True)
        if self.text.startswith("|", self.at):
            return True
        self.at = end_of_line
        return False

    def read_sequence(self, depth: int) -> Expr:
        items: list[Expr] = []
        stacked = 0  # operators on the last item
        while self.at < len(self.text):
            char = self.text[self.at]
            begin = self.at
            if char in _OPERATORS or char == "{":
                minimum, maximum = self.read_count(depth) if char == "{" else self.read_operator()
                if not items:
                    raise self.invalid(f"nothing before {char!r} to repeat", at=begin)
                stacked += 1
                self.check_nesting(depth + stacked, begin)
                items[-1] = EMPTY if maximum == 0 else Repetition(items[-1], minimum, maximum)
            elif char in _NAME_CHARS:
                name = self.read_name()
                self.references.append((name, begin))
                items.append(RuleRef(name))
                stacked = 0
            elif char in '"[.(':
                items.append(self.read_item(char, depth))
                stacked = 0
            elif char in "<!":
                raise self.token_reference()
            else:
                break
            self.skip_space(newlines=depth > 0)
        return items[0] if len(items) == 1 else Sequence(tuple(items))

    def read_item(self, char: str, depth: int) -> Expr:
        if char == '"':
            return self.read_literal()
        if char == "[":
            return self.read_class()
        begin = self.at
        self.at += 1
        if char == ".":
            return Terminal(Chars(ANY), ".")
        self.check_nesting(depth + 1, begin)
        self.skip_space(newlines=True)
        inner = self.read_alternatives(depth + 1)
        if not self.text.startswith(")", self.at):
            found = repr(self.text[self.at]) if self.at < len(self.text) else "the end of the text"
            raise self.invalid(
                f"expected ')', found {found}",
                remedy=f"the group opened in {self.where(begin)} is not closed",
            )
        self.at += 1
        return inner

    def read_literal(self) -> Expr:
        begin = self.at
        self.at += 1
        chars: list[str] = []
        while not self.text.startswith('"', self.at):
            self.expect_more("literal", begin)
            escaped = self.at
            code_point = self.read_char()
            if 0xD800 <= code_point <= 0xDFFF:
                raise self.invalid(
                    "a surrogate is no character", at=escaped, remedy="write it as \\UHHHHHHHH"
                )
            chars.append(chr(code_point))
        self.at += 1
        return Terminal(Literal("".join(chars)), self.text[begin : self.at]) if chars else EMPTY

    def read_class(self) -> Expr:
        begin = self.at
        self.at += 1
        negated = self.text.startswith("^", self.at)
        self.at += negated
        ranges: list[tuple[int, int]] = []
        while not self.text.startswith("]", self.at):
            self.expect_more("character class", begin)
            first = self.at
            low = high = self.read_char()
            # a '-' just before the closing bracket stands for itself
            if self.text.startswith("-", self.at) and not self.text.startswith("-]", self.at):
                self.at += 1
                self.expect_more("character class", begin)
                high = self.read_char()
            if high < low:
                raise self.invalid(
                    f"the range {self.text[first : self.at]!r} is backwards", at=first, remedy="swap its ends"
                )
            ranges.append((low, high))
        self.at += 1
        charset = CharSet.of(ranges)
        source = self.text[begin : self.at]
        if not ranges:
            raise self.invalid(
                f"the character class {source} is empty", at=begin, remedy="write . for any character"
            )
        if negated:
            charset = ~charset
        if not charset:
            raise self.invalid(f"no character is in {source}", at=begin)
        return Terminal(Chars(charset), source)

    def read_char(self) -> int:
        """One character or escape, as a code point."""
        if self.text[self.at] != "\\":
            self.at += 1
            return ord(self.text[self.at - 1])
        begin = self.at
        kind = self.text[begin + 1 : begin + 2]
        if kind in _HEX_ESCAPES:
            width = _HEX_ESCAPES[kind]
            digits = self.text[begin + 2 : begin + 2 + width]
            if len(digits) < width or not _HEX_DIGITS.issuperset(digits):
                raise self.invalid(f"expected {width} hexadecimal digits after \\{kind}", at=begin)
            self.at += 2 + width
            code_point = int(digits, 16)
            if code_point > MAX_CODE_POINT:
                raise self.invalid(f"\\{kind}{digits} is past the last code point, 10FFFF", at=begin)
            return code_point
        if kind == "" or kind not in _PLAIN_ESCAPES:
            raise self.invalid(
                f"unknown escape {self.text[begin : begin + 2]!r}",
                at=begin,
                remedy='the escapes are \\n \\r \\t \\\\ \\" \\[ \\] \\- \\xHH \\uHHHH \\UHHHHHHHH',
            )
        self.at += 2
        return ord(_PLAIN_ESCAPES[kind])

    def read_operator(self) -> tuple[int, int | None]:
        self.at += 1
        return _OPERATORS[self.text[self.at - 1]]

    def read_count(self, depth: int) -> tuple[int, int | None]:
        """``{m}``, ``{m,}`` or ``{m,n}``; the brace is next."""
        begin = self.at
        self.at += 1
        newlines = depth > 0
        self.skip_space(newlines)
        minimum = self.read_integer()
        if minimum is None:
            raise self.invalid("expected a number after '{'", remedy="write {0,n} for at most n times")
        maximum: int | None = minimum
        self.skip_space(newlines)
        if self.text.startswith(",", self.at):
            self.at += 1
            self.skip_space(newlines)
            maximum = self.read_integer()
            self.skip_space(newlines)
        if not self.text.startswith("}", self.at):
            raise self.invalid("expected '}'", remedy="a repetition is {m}, {m,} or {m,n}")
        self.at += 1
        if maximum is not None and maximum < minimum:
            raise self.invalid(f"at least {minimum} and at most {maximum} times: impossible", at=begin)
        return minimum, maximum

    def read_integer(self) -> int | None:
        begin = self.at
        while self.at < len(self.text) and self.text[self.at] in _DIGITS:
            self.at += 1
        digits = self.text[begin : self.at]
        if len(digits) > _MAX_COUNT_DIGITS:
            raise UnsupportedGrammarError(
                f"a repetition count of {len(digits)} digits ({_MAX_COUNT_DIGITS} at most)",
                text=self.text,
                offset=begin,
            )
        return int(digits) if digits else None

    def read_name(self) -> str:
        begin = self.at
        while self.at < len(self.text) and self.text[self.at] in _NAME_CHARS:
            self.at += 1
        return self.text[begin : self.at]

    def skip_space(self, newlines: bool) -> None:
        """Blanks and comments, and line breaks where they are free."""
        while self.at < len(self.text):
            char = self.text[self.at]
            if char == "#":
                while self.at < len(self.text) and self.text[self.at] not in "\r\n":
                    self.at += 1
            elif char in " \t" or (newlines and char in "\r\n"):
                self.at += 1
            else:
                return

    def expect_more(self, what: str, begin: int) -> None:
        if self.at >= len(self.text):
            raise self.invalid(f"the text ends inside a {what}", at=begin, remedy="it begins here")

    def check_nesting(self, depth: int, at: int) -> None:
        if depth > MAX_NESTING:
            raise UnsupportedGrammarError(
                f"groups and operators nested more than {MAX_NESTING} deep",
                text=self.text,
                offset=at,
                remedy="give the inner part a rule of its own",
            )

    def where(self, offset: int) -> str:
        position = SourcePosition(self.text, offset)
        return f"line {position.line}, column {position.column}"

    def invalid(self, reason: str, *, at: int | None = None, remedy: str = "") -> InvalidGrammarError:
        return InvalidGrammarError(
            reason, text=self.text, offset=self.at if at is None else at, remedy=remedy
        )

    def token_reference(self) -> UnsupportedGrammarError:
        return UnsupportedGrammarError(
            "token references (<[id]>, <name>, !<...>) are not supported",
            text=self.text,
            offset=self.at,
            remedy='for the text of a token write a literal, e.g. "<think>"',
        )
