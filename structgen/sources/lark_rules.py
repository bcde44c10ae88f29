"""Rules of Lark to expressions of a `Grammar`.

Lark turns EBNF into plain rules before it parses. Here its trees are taken as they are before that, so
that ``x~1000`` stays one repetition. Only what the start rule reaches is read, as in Lark.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field

from lark.grammar import Symbol
from lark.lexer import Token

from structgen.errors import SourcePosition
from structgen.grammar import EMPTY, Choice, Expr, Grammar, Repetition, RuleRef, Sequence, Terminal
from structgen.sources.lark_definitions import Definitions, LarkTree
from structgen.sources.lark_terminals import Terminals

MAX_DEPTH = 300  # of a rule's tree, in which a pair of parentheses takes about three levels
MAX_COUNT = 1_000_000_000
_MAX_TEMPLATE_NESTING = 50
_OPERATORS = {"?": (0, 1), "*": (0, None), "+": (1, None)}


def read_rules(definitions: Definitions, start: str, terminals: Terminals | None = None) -> Grammar:
    """The grammar of what ``start`` reaches in ``definitions``. ``terminals``: what makes its terminals.

    Raises `InvalidGrammarError` and `UnsupportedGrammarError`.
    """
    _check_start(definitions, start)
    reader = _RuleReader(definitions, Terminals(definitions) if terminals is None else terminals)
    try:
        reader.read_all(start)
        ignored = tuple(reader.terminals.named(name, None) for name in definitions.ignored)
    except RecursionError as error:
        raise definitions.unsupported("definitions nested too deep", None) from error
    positions: dict[str, SourcePosition] = {}
    for name in reader.rules:
        place = definitions.place(name.split("{", 1)[0])
        if place is not None:
            positions[name] = SourcePosition(definitions.text, place)
    return Grammar(
        rules=reader.rules,
        start=start,
        source_kind="lark",
        ignore=Choice(ignored) if ignored else None,
        positions=positions,
    )


def _check_start(definitions: Definitions, start: str) -> None:
    rule = definitions.rules.get(start)
    if rule is None:
        names = [name for name, other in definitions.rules.items() if not other.parameters]
        near = difflib.get_close_matches(start, names, n=1) or names[:3]
        what = "is a terminal, not a rule" if start in definitions.terminals else "is not defined"
        raise definitions.invalid(
            f"the start rule {start!r} {what}",
            definitions.place(start),
            f"rules of this grammar: {', '.join(near)}" if near else "define it",
        )
    if rule.parameters:
        raise definitions.invalid(
            f"the start rule {start!r} is a template",
            definitions.place(start),
            "start from a plain rule",
        )


@dataclass(frozen=True, slots=True)
class _Scope:
    """What a rule's tree is read in: the rule's name, and the arguments if it comes of a template."""

    rule: str
    origin: str  # the rule or template that the text defines
    arguments: dict[str, Terminal | RuleRef]


@dataclass(slots=True)
class _RuleReader:
    definitions: Definitions
    terminals: Terminals
    rules: dict[str, Expr] = field(default_factory=dict)
    pending: dict[str, _Scope] = field(default_factory=dict)

    def read_all(self, start: str) -> None:
        self.pending[start] = _Scope(start, start, {})
        while self.pending:
            name = next(iter(self.pending))
            scope = self.pending.pop(name)
            tree = self.definitions.rules[scope.origin].tree
            if tree is None:
                raise self.definitions.unsupported(
                    f"rule {scope.origin} is only declared, so it has no texts", self.offset(scope)
                )
            self.rules[name] = EMPTY  # known from here on, for the references to itself
            self.rules[name] = self.read(tree, scope, 0)

    def offset(self, scope: _Scope, token: Token | None = None) -> int | None:
        """Where an error in this scope is: at ``token`` if the text itself holds it, else at the rule."""
        at = token.start_pos if token is not None and scope.origin in self.definitions.own else None
        if at is not None and self.definitions.text.startswith(str(token), at):
            return at
        return self.definitions.place(scope.origin)

    def read(self, tree: LarkTree, scope: _Scope, depth: int) -> Expr:
        if depth > MAX_DEPTH:
            raise self.definitions.unsupported(
                f"rule {scope.origin} is nested too deep",
                self.offset(scope),
                "give inner parts rules of their own",
            )
        if tree.data == "expansions":
            options = tuple(self.read(child, scope, depth + 1) for child in tree.children)
            return options[0] if len(options) == 1 else Choice(options)
        if tree.data == "expansion":
            items = tuple(self.read(child, scope, depth + 1) for child in tree.children)
            return items[0] if len(items) == 1 else Sequence(items)
        if tree.data == "alias":
            if scope.origin.startswith("_"):
                raise self.definitions.invalid(
                    f"rule {scope.origin} is inlined (its name begins with _), so it cannot have aliases",
                    self.offset(scope),
                )
            return self.read(tree.children[0], scope, depth + 1)
        if tree.data == "maybe":
            return Repetition(self.read(tree.children[0], scope, depth + 1), 0, 1)
        if tree.data == "expr":
            return self.read_repetition(tree, scope, depth)
        return self.read_value(tree, scope, depth)

    def read_repetition(self, tree: LarkTree, scope: _Scope, depth: int) -> Expr:
        item, operator, *counts = tree.children
        minimum: int
        maximum: int | None
        if operator in _OPERATORS:
            minimum, maximum = _OPERATORS[operator]
        else:
            minimum, maximum = int(counts[0][:12]), int(counts[-1][:12])
            offset = self.offset(scope, counts[0])
            if not 0 <= minimum <= maximum:
                raise self.definitions.invalid(
                    f"a repetition of {minimum} to {maximum} times is impossible", offset
                )
            if maximum > MAX_COUNT:
                raise self.definitions.unsupported(f"a repetition of over {MAX_COUNT:,} times", offset)
        inner = self.read(item, scope, depth + 1)
        return EMPTY if maximum == 0 else Repetition(inner, minimum, maximum)

    def read_value(self, tree: LarkTree, scope: _Scope, depth: int) -> Terminal | RuleRef:
        """A symbol, a string, a regex, a range or a use of a template; in a template, a parameter."""
        child = tree.children[0] if tree.data == "value" else tree
        if isinstance(child, Symbol):
            if child.is_term:
                return self.terminals.named(child.name, self.offset(scope))
            return self.read_reference(child.name, scope)
        if child.data == "template_usage":
            return self.read_template_usage(child, scope, depth)
        return self.terminals.anonymous(child, self.offset(scope, child.children[0]))

    def read_reference(self, name: str, scope: _Scope) -> Terminal | RuleRef:
        found = scope.arguments.get(name)
        if isinstance(found, Terminal):
            return found
        target = found.name if isinstance(found, RuleRef) else name
        if target in self.definitions.rules and self.definitions.rules[target].parameters:
            raise self.definitions.invalid(
                f"template {target} is used without arguments in the rule {scope.origin}", self.offset(scope)
            )
        if found is None:
            self.want(_Scope(name, name, {}))
        return RuleRef(target)

    def read_template_usage(self, tree: LarkTree, scope: _Scope, depth: int) -> RuleRef:
        symbol, *given = tree.children
        passed = scope.arguments.get(symbol.name)
        name = passed.name if isinstance(passed, RuleRef) else symbol.name
        template = self.definitions.rules.get(name) if not isinstance(passed, Terminal) else None
        if template is None or len(template.parameters) != len(given):
            takes = "is no template" if template is None else f"takes {len(template.parameters)} arguments"
            raise self.definitions.invalid(
                f"{name} {takes}, and is given {len(given)} in the rule {scope.origin}", self.offset(scope)
            )
        arguments = [self.read_argument(argument, scope, depth) for argument in given]
        instance = f"{name}{{{', '.join(argument.name for argument in arguments)}}}"
        if instance.count("{") > _MAX_TEMPLATE_NESTING:
            raise self.definitions.unsupported(
                f"template {name} needs itself with ever larger arguments", self.offset(scope)
            )
        self.want(_Scope(instance, name, dict(zip(template.parameters, arguments, strict=True))))
        return RuleRef(instance)

    def read_argument(self, tree: LarkTree, scope: _Scope, depth: int) -> Terminal | RuleRef:
        child = tree.children[0] if tree.data == "value" else tree
        if isinstance(child, Symbol) and not child.is_term:
            if child.name in scope.arguments:
                return scope.arguments[child.name]
            rule = self.definitions.rules.get(child.name)
            if rule is not None and rule.parameters:
                return RuleRef(child.name)  # a template handed on by its name
        return self.read_value(tree, scope, depth + 1)

    def want(self, scope: _Scope) -> None:
        if scope.rule not in self.rules and scope.rule not in self.pending:
            self.pending[scope.rule] = scope
