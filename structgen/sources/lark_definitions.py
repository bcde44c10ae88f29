"""The rules and terminals of a Lark grammar and of all that it imports, as Lark's trees.

Lark's own `GrammarBuilder` does the work. Lark reports most errors without a place, so the text is also
parsed here, for the places of the names in it; and files to import are found here, for the same reason.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lark.exceptions import GrammarError, LarkError, UnexpectedInput, UnexpectedToken
from lark.lexer import Token
from lark.load_grammar import (
    GrammarBuilder,
    _get_parser,
    stdlib_loader,
)
from lark.tree import Tree

from structgen.errors import InvalidGrammarError, UnsupportedGrammarError

# Lark's parser of grammars: not public, but nothing else keeps the places of names. It has no types.
_grammar_parser: Any = _get_parser

# A `lark.Tree`. Lark types its children as trees, but some are tokens and symbols.
LarkTree = Any

IGNORED_PREFIX = "__IGNORE_"  # what Lark calls the n-th %ignore, where that is no terminal's name
_MAX_IMPORTS_OF_A_FILE = 50
_MAX_TERMINAL_PARTS = 100_000
_STATEMENTS_OF_OTHERS = ("%json", "%regex", "%llguidance", "%lark")

# Where Lark's messages have the name that they are about.
_NAMED = re.compile(
    r"['`](\w+)['`]"
    r"|(?:Error at|rule|terminal|Parameter|parameters:|used for|not defined:) (\w+)"
    r"|terminals? [({](?:NonTerminal\()?'(\w+)"
)


@dataclass(frozen=True, slots=True)
class RuleDefinition:
    """``parameters``: of a template, else (). ``tree``: None if only declared."""

    parameters: tuple[str, ...]
    tree: LarkTree | None


@dataclass(frozen=True, slots=True)
class Definitions:
    """All that a grammar defines, by name; ``ignored`` are names of terminals, ``priorities`` those
    of terminals.

    ``offsets``: where the text defines or imports a name. ``own``: the names that it defines itself.
    ``imports``: what the names from an imported file begin with, and where that is imported.
    """

    text: str
    rules: dict[str, RuleDefinition]
    terminals: dict[str, LarkTree | None]
    priorities: dict[str, int]
    ignored: tuple[str, ...]
    offsets: dict[str, int]
    own: frozenset[str]
    imports: dict[str, int]

    def invalid(self, reason: str, offset: int | None, remedy: str = "") -> InvalidGrammarError:
        return InvalidGrammarError(reason, text=self.text, offset=offset, remedy=remedy)

    def unsupported(self, reason: str, offset: int | None, remedy: str = "") -> UnsupportedGrammarError:
        return UnsupportedGrammarError(reason, text=self.text, offset=offset, remedy=remedy)

    def place(self, name: str) -> int | None:
        """Where the text defines a name, or imports it, or what needs it."""
        if name in self.offsets:
            return self.offsets[name]
        matching = [prefix for prefix in self.imports if name.lstrip("_").startswith(prefix)]
        return self.imports[max(matching, key=len)] if matching else None


def read_definitions(text: str, path: Path | None, import_paths: Sequence[Path]) -> Definitions:
    """The definitions of ``text`` (the content of ``path``, if it has one) and of its imports.

    Raises `InvalidGrammarError` and `UnsupportedGrammarError`.
    """
    names = _Names()
    try:
        names.collect(_parse(text, ""))
        loader = _ImportLoader(text, names.imports, import_paths)
        builder = GrammarBuilder(False, [loader])
        builder.load_grammar(text, str(path) if path is not None else _NO_FILE)
        grammar = builder.build()
    except (LarkError, AssertionError) as error:  # Lark checks some of its input with `assert`
        raise _translated(error, text, names) from error
    except RecursionError as error:
        raise UnsupportedGrammarError("definitions nested too deep", text=text, offset=0) from error
    return Definitions(
        text=text,
        rules={name: RuleDefinition(tuple(params), tree) for name, params, tree, _ in grammar.rule_defs},
        terminals={name: tree for name, (tree, _) in grammar.term_defs},
        priorities={name: priority for name, (_, priority) in grammar.term_defs},
        ignored=tuple(dict.fromkeys(grammar.ignore)),
        offsets=names.imported | names.ignored | names.defined,
        own=frozenset(names.defined),
        imports={
            file.removesuffix(".lark").replace("/", "__") + "__": at for file, at in names.imports.items()
        },
    )


def _prefix_of(file: str) -> str:
    """What Lark puts before the names of an imported file: 'a__b__' for 'a/b.lark'."""
    return file.removesuffix(".lark").replace("/", "__") + "__"


def _parse(text: str, file: str) -> LarkTree:
    """The parse tree of a grammar's text, its names as tokens with their places."""
    where = f"{file}: " if file else ""
    try:
        # a last line without its end is fine to Lark
        tree = _grammar_parser().parse(text + "\n", "start")
    except UnexpectedInput as error:
        offset = min(error.pos_in_stream if error.pos_in_stream is not None else len(text), len(text))
        for statement in _STATEMENTS_OF_OTHERS:
            if text.startswith(statement, offset):
                raise UnsupportedGrammarError(
                    f"{where}{statement} is not Lark's own and is not supported", text=text, offset=offset
                ) from error
        if text.startswith("<", offset):
            raise UnsupportedGrammarError(
                f"{where}special tokens (<...>) are not supported",
                text=text,
                offset=offset,
                remedy='for the text of a token write a string, e.g. "<think>"',
            ) from error
        raise InvalidGrammarError(
            where + _syntax_reason(error),
            text=text,
            offset=offset,
            remedy=_syntax_remedy(error, text, offset),
        ) from error
    _check_terminal_sizes(tree, text, where)
    return tree


def _check_terminal_sizes(tree: LarkTree, text: str, where: str) -> None:
    """Refuse terminals that grow out of bounds when those they name are put in, before Lark does it."""
    parts: dict[str, list[str]] = {}
    offsets: dict[str, int] = {}
    for term in tree.find_data("term"):
        name = term.children[0]
        offsets[str(name)] = name.start_pos or 0
        nodes = term.children[-1].iter_subtrees()
        parts[str(name)] = [str(part) for node in nodes for part in node.children if isinstance(part, Token)]
    sizes: dict[str, int] = {}
    open_names: set[str] = set()
    for name in parts:
        pending = [name]
        while pending:
            current = pending[-1]
            needed = [part for part in parts[current] if part in parts and part not in sizes]
            if needed and current not in open_names:
                open_names.add(current)
                # a name that is open already is a circle, which Lark reports
                pending += [part for part in needed if part not in open_names]
                continue
            pending.pop()
            sizes[current] = 1 + sum(sizes.get(part, 1) for part in parts[current])
            if sizes[current] > _MAX_TERMINAL_PARTS:
                raise UnsupportedGrammarError(
                    f"{where}terminal {current} has over {_MAX_TERMINAL_PARTS:,} parts",
                    text=text,
                    offset=offsets[current],
                    remedy="make it a rule, in which parts are shared",
                )


# What the tokens of Lark's grammar of grammars look like.
_TOKEN_WORDS = {
    "$END": "the end of the text",
    "_NL": "the end of the line",
    "RULE": "a rule's name",
    "TERMINAL": "a terminal's name",
    "STRING": "a string",
    "REGEXP": "a regex",
    "NUMBER": "a number",
    "OP": "an operator",
    "TILDE": "'~'",
    "RULE_MODIFIERS": "'?' or '!'",
    "_LPAR": "'('",
    "_RPAR": "')'",
    "_LBRA": "'['",
    "_RBRA": "']'",
    "_LBRACE": "'{'",
    "_RBRACE": "'}'",
    "_COLON": "':'",
    "_COMMA": "','",
    "_OR": "'|'",
    "_NL_OR": "'|'",
    "_DOT": "'.'",
    "_DOTDOT": "'..'",
    "_TO": "'->'",
}
_VALUE_TOKENS = {"RULE", "TERMINAL", "STRING", "REGEXP", "_LPAR", "_LBRA"}


def _syntax_reason(error: UnexpectedInput) -> str:
    """What was found where a grammar's text goes wrong, and what could have stood there."""
    if not isinstance(error, UnexpectedToken):
        char = getattr(error, "char", "character")
        return f"unexpected {char!r}" + (" (is a string closed on its line?)" if char == '"' else "")
    possible = set(error.accepts or error.expected)
    words = set()
    if possible >= _VALUE_TOKENS:
        possible -= _VALUE_TOKENS
        words.add("a value")
    words |= {_TOKEN_WORDS.get(name, "%" + name.strip("_").lower()) for name in possible}
    found = _TOKEN_WORDS[error.token.type] if error.token.type in ("$END", "_NL") else repr(str(error.token))
    return (
        f"unexpected {found}; expected {' or '.join(sorted(words, key=lambda word: (word[0] == '%', word)))}"
    )


def _syntax_remedy(error: UnexpectedInput, text: str, offset: int) -> str:
    if "\n" not in text and text.endswith(".lark"):
        return "a str is the grammar itself: for a file give a pathlib.Path"
    if (
        isinstance(error, UnexpectedToken)
        and "_COLON" in error.expected
        and text[offset - 1 : offset].isalnum()
    ):
        return "names are all lower case (rules) or all upper case (terminals)"
    return ""


@dataclass(slots=True)
class _Names:
    """Offsets of the names in a text: where they are defined, imported, declared and first used."""

    defined: dict[str, int] = field(default_factory=dict)
    imported: dict[str, int] = field(default_factory=dict)
    used: dict[str, int] = field(default_factory=dict)
    repeated: dict[str, int] = field(default_factory=dict)  # the second definition of a name
    imports: dict[str, int] = field(default_factory=dict)  # 'a/b.lark': where its path stands
    conditional: dict[str, int] = field(default_factory=dict)  # rules written ?name
    ignored: dict[str, int] = field(default_factory=dict)  # by the names that Lark gives them

    def collect(self, tree: LarkTree) -> None:
        for statement in tree.children:
            if statement.data in ("override", "extend"):
                statement = statement.children[0]
            if statement.data == "rule":
                modifiers, name, *_ = statement.children
                self.define(name)
                if any("?" in modifier for modifier in modifiers.children):
                    self.conditional[str(name)] = name.start_pos or 0
            elif statement.data == "term":
                self.define(statement.children[0])
            elif statement.data == "declare":
                for symbol in statement.children:
                    self.define(symbol.children[0])
            elif statement.data == "import":
                self.collect_import(statement)
                continue
            elif statement.data == "ignore":
                tokens = [
                    t for node in statement.iter_subtrees() for t in node.children if isinstance(t, Token)
                ]
                name = f"{IGNORED_PREFIX}{len(self.ignored)}"
                self.ignored[name] = min((token.start_pos or 0 for token in tokens), default=0)
            for symbol in statement.find_data("terminal"):
                self.use(symbol.children[0])
            for symbol in statement.find_data("nonterminal"):
                self.use(symbol.children[0])

    def define(self, token: Token) -> None:
        offset = token.start_pos or 0
        if str(token) in self.defined:
            self.repeated.setdefault(str(token), offset)
        self.defined.setdefault(str(token), offset)

    def use(self, token: Token) -> None:
        offset = token.start_pos or 0
        self.used[str(token)] = min(offset, self.used.get(str(token), offset))

    def collect_import(self, statement: LarkTree) -> None:
        path, *rest = statement.children
        parts: list[Token] = list(path.children)
        listed: Any = rest[0].children if rest and isinstance(rest[0], Tree) else None
        folders = parts if listed is not None else parts[:-1]
        if folders:
            self.imports.setdefault("/".join(folders) + ".lark", parts[0].start_pos or 0)
        names: list[Token] = listed if listed is not None else [rest[0] if rest else parts[-1]]
        for token in names:
            self.imported.setdefault(str(token), token.start_pos or 0)

    def place(self, message: str) -> int | None:
        """The offset of the name that a message of Lark is about, or None."""
        used_first = "used but not defined" in message or "template arguments" in message
        tables = [self.defined, self.imported, self.used]
        if used_first or "aren't allowed" in message:
            tables = [self.used, self.defined, self.imported]
        elif "more than once" in message:
            tables = [self.repeated, *tables]
        if "?rule modifier" in message:
            return next((at for name, at in self.conditional.items() if name.startswith("_")), None)
        for match in _NAMED.finditer(message):
            name = match[1] or match[2] or match[3]
            for table in tables:
                if name in table:
                    return table[name]
        return None


def _translated(error: LarkError | AssertionError, text: str, names: _Names) -> InvalidGrammarError:
    message = str(error).split("\n", 1)[0] or "not a grammar that Lark can read"
    remedy = ""
    if "used but not defined" in message:
        remedy = "define it, or import it with %import"
    elif "more than once" in message:
        remedy = "join the two with |, or replace an imported one with %override"
    if not isinstance(error, GrammarError | AssertionError):
        message = f"{type(error).__name__}: {message}"
    offset = names.place(message)
    reason = re.sub(r"(?:Non)?Terminal\('(\w+)'\)", r"\1", message[0].lower() + message[1:])
    reason = re.sub(r"^rule (?='_?[A-Z])", "terminal ", reason)
    return InvalidGrammarError(reason, text=text, offset=offset, remedy=remedy)


# --- imports

# What Lark takes for the file of a grammar that came as text: a name in no folder.
_NO_FILE = "<text>"


@dataclass(slots=True)
class _ImportLoader:
    """Finds the files that ``%import`` names; Lark calls it with the importing file's folder.

    The folder is None for a library (``%import common``), '' where the importing grammar is a text.
    """

    text: str
    offsets: dict[str, int]
    folders: Sequence[Path]
    times: dict[str, int] = field(default_factory=dict)

    def __call__(self, base: Any, file: str) -> tuple[Any, str]:
        tried = list(self.folders)
        if isinstance(base, str) and base:
            tried.append(Path(base))
        for folder in tried:
            path = folder.absolute() / file
            try:
                text = path.read_text(encoding="utf-8")
            except OSError:
                continue
            except UnicodeDecodeError as error:
                raise self.invalid(f"{path} is not UTF-8 text", file) from error
            return self.checked(str(path), file, text)
        if base is None or not isinstance(base, str):
            try:
                resource, text = stdlib_loader(base, file)
            except OSError:
                pass  # found nowhere: reported below
            else:
                return self.checked(resource, file, text)
        places = [str(folder) for folder in tried] + (["Lark's library"] if base is None else [])
        remedy = f"looked in {', '.join(places)}" if places else ""
        if base == "":
            remedy = (
                "relative imports of a text are found in import_paths only; or give the grammar as a Path"
            )
        raise self.invalid(f"cannot find {file} to import", file, remedy)

    def checked(self, found: Any, file: str, text: str) -> tuple[Any, str]:
        self.times[str(found)] = self.times.get(str(found), 0) + 1
        if self.times[str(found)] > _MAX_IMPORTS_OF_A_FILE:
            raise self.invalid(f"{file} is imported over and over", file, "do grammars import each other?")
        _parse(text, file)  # for an error with the place in that file
        return found, text

    def invalid(self, reason: str, file: str, remedy: str = "") -> InvalidGrammarError:
        offset = self.offsets.get(Path(file).as_posix())
        return InvalidGrammarError(reason, text=self.text, offset=offset, remedy=remedy)
