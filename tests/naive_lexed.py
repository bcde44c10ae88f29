"""What a grammar with a lexer accepts, the obvious way: Python's `re` at every place, then every derivation.

A grammar here is data of its own, written out as Lark text for the engine, so that the twin shares no
reader with it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from lark.lexer import PatternRE

from structgen.lexing.cfg import plain_productions, safe, without_useless
from structgen.lexing.lalr import lalr_tables
from structgen.sources.lark_lexed import lexed_source


@dataclass(frozen=True)
class Token:
    """A terminal: a plain string, or a regex if ``is_regex``."""

    name: str
    pattern: str
    is_regex: bool
    priority: int = 0

    @cached_property
    def compiled(self) -> re.Pattern[str]:
        return re.compile(self.pattern if self.is_regex else re.escape(self.pattern))

    @cached_property
    def rank(self) -> tuple[object, ...]:
        width = PatternRE(self.pattern).max_width if self.is_regex else len(self.pattern)
        return self.is_regex, -width, -len(self.pattern), self.name

    def __str__(self) -> str:
        priority = f".{self.priority}" if self.priority else ""
        pattern = f"/{self.pattern}/" if self.is_regex else f'"{self.pattern}"'
        return f"{self.name}{priority}: {pattern}"


@dataclass(frozen=True)
class TwinGrammar:
    """``rules``: bodies by name; upper case symbols are tokens."""

    tokens: tuple[Token, ...]
    rules: dict[str, list[tuple[str, ...]]]
    ignored: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = []
        for name, bodies in self.rules.items():
            lines.append(f"{name}: " + " | ".join(" ".join(body) for body in dict.fromkeys(bodies)))
        lines += [str(token) for token in self.tokens]
        lines += [f"%ignore {name}" for name in self.ignored]
        return "\n".join(lines)

    def used(self) -> set[str]:
        """The tokens that rules reached from the start have."""
        reached, queue, found = {"start"}, ["start"], set()
        while queue:
            for body in self.rules[queue.pop()]:
                for symbol in body:
                    if symbol.isupper():
                        found.add(symbol)
                    elif symbol not in reached:
                        reached.add(symbol)
                        queue.append(symbol)
        return found


def longest(tokens: list[Token], text: str, at: int) -> tuple[Token, int] | None:
    """The token that maximal munch takes at a place, and where it ends."""
    matches = [(token, match.end()) for token in tokens if (match := token.compiled.match(text, at))]
    best = None
    for token, end in matches:
        key = (-token.priority, -end, token.rank)
        if end > at and (best is None or key < best[0]):
            best = key, token, end
    return None if best is None else best[1:]


def accepts_basic(grammar: TwinGrammar, text: str) -> bool:
    """Lex with all tokens, then try all derivations."""
    used = grammar.used() | set(grammar.ignored)
    tokens = [token for token in grammar.tokens if token.name in used]
    names: list[str] = []
    at = 0
    while at < len(text):
        found = longest(tokens, text, at)
        if found is None:
            return False
        at = found[1]
        if found[0].name not in grammar.ignored:
            names.append(found[0].name)
    return derives(grammar.rules, names)


def derives(rules: dict[str, list[tuple[str, ...]]], names: list[str]) -> bool:
    """Earley's recogniser over token names; sets are completed again until nothing is new."""
    sets: list[set[tuple[str, tuple[str, ...], int, int]]] = []
    for place in range(len(names) + 1):
        if place == 0:
            items = {("start", body, 0, 0) for body in rules["start"]}
        else:
            items = {
                (head, body, dot + 1, origin)
                for head, body, dot, origin in sets[-1]
                if dot < len(body) and body[dot] == names[place - 1]
            }
        sets.append(items)
        grown = True
        while grown:
            more = set()
            for head, body, dot, origin in items:
                if dot == len(body):
                    more |= {(h, b, d + 1, o) for h, b, d, o in sets[origin] if d < len(b) and b[d] == head}
                elif not body[dot].isupper():
                    more |= {(body[dot], other, 0, place) for other in rules[body[dot]]}
            grown = not more <= items
            items |= more
    return any(head == "start" and dot == len(body) and origin == 0 for head, body, dot, origin in sets[-1])


class ContextualTwin:
    """Every run of the LALR automaton, each with the lexer of the state that it is in."""

    def __init__(self, grammar: TwinGrammar) -> None:
        self.grammar = grammar
        source = lexed_source(str(grammar))
        names = list(source.terminals)
        self.names = names
        cfg = plain_productions(source.grammar, {name: i for i, name in enumerate(names)})
        self.tables = lalr_tables(safe(without_useless(cfg, ())), len(names))
        self.tokens = {token.name: token for token in grammar.tokens}

    def accepts(self, text: str) -> bool | None:
        """None: too many runs to tell."""
        pending = [(0, (0,))]
        seen = set(pending)
        while pending:
            at, stack = pending.pop()
            if len(seen) > 3000 or len(stack) > 60:
                return None
            taken = self.tables.lookaheads(stack[-1])
            allowed = [
                self.tokens[name]
                for i, name in enumerate(self.names)
                if taken >> i & 1 or name in self.grammar.ignored
            ]
            if at == len(text):
                after = self.moves(stack, self.tables.end)
                if any(top[-1] == self.tables.final for top in after):
                    return True
                continue
            found = longest(allowed, text, at)
            if found is None:
                continue
            if found[0].name in self.grammar.ignored:
                following = {stack}
            else:
                following = self.moves(stack, self.names.index(found[0].name))
            for other in following:
                if (found[1], other) not in seen:
                    seen.add((found[1], other))
                    pending.append((found[1], other))
        return False

    def moves(self, stack: tuple[int, ...], terminal: int) -> set[tuple[int, ...]]:
        """The stacks after reductions and the shift of a terminal."""
        tables = self.tables
        found, queue, seen = set(), [stack], {stack}
        while queue:
            one = queue.pop()
            if terminal in tables.shifts[one[-1]]:
                found.add((*one, tables.shifts[one[-1]][terminal]))
            for production, bits in tables.reduces[one[-1]]:
                if bits >> terminal & 1:
                    base = one[: len(one) - tables.lengths[production]]
                    after = (*base, tables.gotos[base[-1]][tables.heads[production]])
                    if after not in seen and len(seen) < 500:
                        seen.add(after)
                        queue.append(after)
        return found
