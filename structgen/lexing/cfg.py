"""Rules as plain productions, made safe for a parser that follows all conflicts.

A production is a head and a tuple of symbols: a terminal's number, or ``~n`` for nonterminal ``n``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from structgen.errors import CompileLimitError
from structgen.grammar import Choice, Expr, Grammar, Repetition, RuleRef, Terminal
from structgen.grammar import Sequence as SequenceExpr

_MOST_ALTERNATIVES = 512  # of one expression before parts of it become rules of their own
_UNROLLED = 50  # copies of a counted repetition that are written out one by one
MAX_PRODUCTIONS = 200_000

Production = tuple[int, tuple[int, ...]]
_Alternatives = list[tuple[int, ...]]


@dataclass(slots=True)
class Cfg:
    """Productions by head; nonterminal ``start`` is where texts begin. ``names`` are for messages."""

    names: list[str]
    productions: list[list[tuple[int, ...]]]
    start: int

    def flat(self) -> list[Production]:
        return [(head, body) for head, bodies in enumerate(self.productions) for body in bodies]


def plain_productions(grammar: Grammar, terminals: Mapping[str, int]) -> Cfg:
    """The productions of a grammar whose terminals are numbered by ``terminals``.

    Optional parts are written out, as Lark does it, so that what is LALR(1) there is so here.
    Raises `CompileLimitError` (``max_productions``).
    """
    return _Writer(grammar, terminals).write()


class _Writer:
    def __init__(self, grammar: Grammar, terminals: Mapping[str, int]) -> None:
        self._grammar = grammar
        self._terminals = terminals
        self._cfg = Cfg([], [], 0)
        self._numbers: dict[str, int] = {}
        self._pending: list[str] = []
        self._helpers: dict[tuple[str, Expr, int], int] = {}
        self._written = 0

    def write(self) -> Cfg:
        self._cfg.start = self._rule(self._grammar.start)
        while self._pending:
            name = self._pending.pop()
            self._set(self._numbers[name], self._alternatives(self._grammar.rules[name]))
        return self._cfg

    def _rule(self, name: str) -> int:
        if name not in self._numbers:
            self._numbers[name] = self._new(name)
            self._pending.append(name)
        return self._numbers[name]

    def _new(self, name: str) -> int:
        self._cfg.names.append(name)
        self._cfg.productions.append([])
        return len(self._cfg.names) - 1

    def _set(self, head: int, bodies: _Alternatives) -> None:
        self._cfg.productions[head] = list(dict.fromkeys(bodies))
        self._written += len(bodies)
        if self._written > MAX_PRODUCTIONS:
            raise CompileLimitError("max_productions", MAX_PRODUCTIONS, self._written, fixed=True)

    def _alternatives(self, expr: Expr) -> _Alternatives:
        if isinstance(expr, Terminal):
            return [(self._terminals[expr.name],)]
        if isinstance(expr, RuleRef):
            return [(~self._rule(expr.name),)]
        if isinstance(expr, Choice):
            return [body for option in expr.options for body in self._alternatives(option)]
        if isinstance(expr, SequenceExpr):
            parts = [self._alternatives(item) for item in expr.items]
            return self._joined(parts, expr.items)
        return self._repeated(expr)

    def _joined(self, parts: list[_Alternatives], items: Sequence[Expr]) -> _Alternatives:
        size = 1
        for i, part in enumerate(parts):
            if size * len(part) > _MOST_ALTERNATIVES:
                parts[i] = [(self._helper("part", items[i], 0, part),)]
            size *= len(parts[i])
        return [tuple(symbol for piece in pieces for symbol in piece) for pieces in product(*parts)]

    def _helper(self, kind: str, item: Expr, count: int, bodies: _Alternatives) -> int:
        """A nonterminal with these bodies, one for each expression."""
        key = kind, item, count
        if key not in self._helpers:
            number = self._new(f"({kind})")
            self._helpers[key] = ~number
            self._set(number, bodies)
        return self._helpers[key]

    def _repeated(self, expr: Repetition) -> _Alternatives:
        item, minimum, maximum = expr.item, expr.minimum, expr.maximum
        inner = self._alternatives(item)
        if (minimum, maximum) == (0, 1):
            return [*inner, ()]
        if maximum is None:
            key = "repeated", item, 0
            if key not in self._helpers:
                number = self._new("(repeated)")
                self._helpers[key] = ~number
                self._set(number, [*inner, *((~number, *body) for body in inner)])
            loop = self._helpers[key]
            if minimum == 0:
                return [(), (loop,)]
            one = inner[0] if len(inner) == 1 else (self._helper("part", item, 0, inner),)
            if minimum - 1 <= _UNROLLED:
                return [(*one * (minimum - 1), loop)]
            return [(self._exactly(item, one, minimum - 1), loop)]
        one = inner[0] if len(inner) == 1 else (self._helper("part", item, 0, inner),)
        if maximum <= _UNROLLED:
            return [one * count for count in range(minimum, maximum + 1)]
        head = one * minimum if minimum <= _UNROLLED else (self._exactly(item, one, minimum),)
        if minimum == maximum:
            return [head]
        return [(*head, self._up_to(item, one, maximum - minimum))]

    def _exactly(self, item: Expr, one: tuple[int, ...], count: int) -> int:
        """``item`` so many times, by halves."""
        if count == 1:
            return self._helper("part", item, 0, [one])
        low = count // 2
        halves = self._exactly(item, one, low), self._exactly(item, one, count - low)
        return self._helper("times", item, count, [halves])

    def _up_to(self, item: Expr, one: tuple[int, ...], count: int) -> int:
        """``item`` at most so many times, by halves; each count in one way only."""
        if count == 1:
            return self._helper("up to", item, 1, [(), one])
        low = count // 2
        below = self._up_to(item, one, low)
        more = self._exactly(item, one, low + 1)
        bodies: _Alternatives = [(below,)]
        rest = count - low - 1
        bodies.append((more, self._up_to(item, one, rest)) if rest else (more,))
        return self._helper("up to", item, count, bodies)


def without_useless(cfg: Cfg, impossible: Collection[int]) -> Cfg:
    """Only what takes part in some text; ``impossible``: terminals that match nothing.

    The start rule stays, without productions where there is no text at all.
    """
    productive: set[int] = set()
    uses: dict[int, list[tuple[int, int]]] = {}
    missing: dict[tuple[int, int], int] = {}
    queue: list[int] = []
    for head, bodies in enumerate(cfg.productions):
        for i, body in enumerate(bodies):
            if any(symbol >= 0 and symbol in impossible for symbol in body):
                continue
            inner = {~symbol for symbol in body if symbol < 0}
            missing[head, i] = len(inner)
            for other in inner:
                uses.setdefault(other, []).append((head, i))
            if not inner:
                queue.append(head)
    while queue:
        head = queue.pop()
        if head in productive:
            continue
        productive.add(head)
        for user in uses.get(head, ()):
            missing[user] -= 1
            if not missing[user]:
                queue.append(user[0])
    kept = [
        [body for i, body in enumerate(bodies) if missing.get((head, i), 1) == 0]
        for head, bodies in enumerate(cfg.productions)
    ]
    reached = [cfg.start]
    number = {cfg.start: 0}
    for head in reached:
        for body in kept[head]:
            for symbol in body:
                if symbol < 0 and ~symbol not in number:
                    number[~symbol] = len(reached)
                    reached.append(~symbol)
    return Cfg(
        [cfg.names[head] for head in reached],
        [[tuple(s if s >= 0 else ~number[~s] for s in body) for body in kept[head]] for head in reached],
        0,
    )


def nullable_heads(cfg: Cfg) -> set[int]:
    nullable: set[int] = set()
    grown = True
    while grown:
        grown = False
        for head, bodies in enumerate(cfg.productions):
            if head not in nullable and any(all(s < 0 and ~s in nullable for s in body) for body in bodies):
                nullable.add(head)
                grown = True
    return nullable


def safe(cfg: Cfg) -> Cfg:
    """The same texts, without what would let a parser reduce without end.

    That is a nonterminal that derives itself, or one that does so behind something empty (hidden left
    recursion). Grammars without such are left as they are; from others all empty productions are taken.
    """
    nullable = nullable_heads(cfg)
    if not _reduces_without_end(cfg, nullable):
        return cfg
    productions: list[list[tuple[int, ...]]] = []
    size = 0
    for bodies in cfg.productions:
        found: dict[tuple[int, ...], None] = {}
        for body in bodies:
            if sum(s < 0 and ~s in nullable for s in body) > 16:
                raise CompileLimitError("max_productions", MAX_PRODUCTIONS, 1 << 17, fixed=True)
            ways = [((s,), ()) if s < 0 and ~s in nullable else ((s,),) for s in body]
            for pieces in product(*ways):
                shorter = tuple(s for piece in pieces for s in piece)
                if shorter:
                    found[shorter] = None
        size += len(found)
        if size > MAX_PRODUCTIONS:
            raise CompileLimitError("max_productions", MAX_PRODUCTIONS, size, fixed=True)
        productions.append(list(found))
    same = _unit_classes(productions)
    merged: list[dict[tuple[int, ...], None]] = [{} for _ in productions]
    for head, bodies in enumerate(productions):
        for body in bodies:
            renamed = tuple(s if s >= 0 else ~same[~s] for s in body)
            if renamed != (~same[head],):
                merged[same[head]][renamed] = None
    names = [*cfg.names, "(start)"]
    start = len(cfg.names)
    tops: list[tuple[int, ...]] = [(~same[cfg.start],)]
    if cfg.start in nullable:
        tops.append(())
    return without_useless(Cfg(names, [*(list(bodies) for bodies in merged), tops], start), ())


def _reduces_without_end(cfg: Cfg, nullable: set[int]) -> bool:
    """Whether a nonterminal derives itself alone, or begins itself behind something that may be empty."""
    left: dict[int, set[int]] = {}
    hidden: set[tuple[int, int]] = set()  # of `left`, those behind something empty
    alone: dict[int, set[int]] = {}  # all around may be empty
    for head, bodies in enumerate(cfg.productions):
        for body in bodies:
            for i, symbol in enumerate(body):
                if symbol >= 0:
                    break
                left.setdefault(head, set()).add(~symbol)
                if i > 0:
                    hidden.add((head, ~symbol))
                if all(s < 0 and ~s in nullable for s in body[i + 1 :]):
                    alone.setdefault(head, set()).add(~symbol)
                if ~symbol not in nullable:
                    break
    n = len(cfg.productions)
    component = _components(n, left)
    if any(component[a] == component[b] for a, b in hidden):
        return True
    component = _components(n, alone)
    return any(component[a] == component[b] for a, others in alone.items() for b in others)


def _unit_classes(productions: list[list[tuple[int, ...]]]) -> list[int]:
    units: dict[int, set[int]] = {}
    for head, bodies in enumerate(productions):
        units[head] = {~body[0] for body in bodies if len(body) == 1 and body[0] < 0}
    component = _components(len(productions), units)
    first: dict[int, int] = {}
    for head, number in enumerate(component):
        first.setdefault(number, head)
    return [first[number] for number in component]


def _components(n: int, edges: Mapping[int, set[int]]) -> list[int]:
    """Strongly connected components (Tarjan 1972, without recursion): a number for each vertex."""
    index = [0] * n
    low = [0] * n
    component = [-1] * n
    stack: list[int] = []
    counter = found = 0
    for root in range(n):
        if index[root]:
            continue
        work = [(root, iter(sorted(edges.get(root, ()))))]
        counter += 1
        index[root] = low[root] = counter
        stack.append(root)
        while work:
            vertex, rest = work[-1]
            for other in rest:
                if not index[other]:
                    counter += 1
                    index[other] = low[other] = counter
                    stack.append(other)
                    work.append((other, iter(sorted(edges.get(other, ())))))
                    break
                if component[other] < 0:
                    low[vertex] = min(low[vertex], index[other])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[vertex])
                if low[vertex] == index[vertex]:
                    while True:
                        other = stack.pop()
                        component[other] = found
                        if other == vertex:
                            break
                    found += 1
    return component


def without_pairs(cfg: Cfg, never_after: Mapping[int, frozenset[int]], end: int) -> Cfg:
    """The texts in which no terminal t is followed at once by one of ``never_after[t]``; ``end`` is the
    text's end.

    A product with the automaton of the last terminal (Bar-Hillel, Perles and Shamir 1961): a nonterminal
    there is (nonterminal, class of the terminal before it, class of its last one).
    """
    rows = list(dict.fromkeys([frozenset(), *never_after.values()]))
    class_of = {terminal: rows.index(row) for terminal, row in never_after.items()}
    n = len(rows)
    ends: list[list[set[int]]] = [[set() for _ in range(n)] for _ in cfg.names]

    def after(symbol: int, before: int) -> Collection[int]:
        if symbol >= 0:
            return () if symbol in rows[before] else (class_of.get(symbol, 0),)
        return ends[~symbol][before]

    grown = True
    while grown:
        grown = False
        for head, bodies in enumerate(cfg.productions):
            for before in range(n):
                for body in bodies:
                    classes = {before}
                    for symbol in body:
                        classes = {c for one in classes for c in after(symbol, one)}
                    if not classes <= ends[head][before]:
                        ends[head][before] |= classes
                        grown = True
    numbers: dict[tuple[int, int, int], int] = {}
    names = [cfg.names[cfg.start]]
    productions: list[list[tuple[int, ...]]] = [[]]
    queue: list[tuple[int, int, int]] = []

    def number_of(head: int, before: int, last: int) -> int:
        key = head, before, last
        if key not in numbers:
            numbers[key] = len(names)
            names.append(cfg.names[head])
            productions.append([])
            queue.append(key)
        return numbers[key]

    productions[0] = [
        (~number_of(cfg.start, 0, last),) for last in sorted(ends[cfg.start][0]) if end not in rows[last]
    ]
    for head, before, last in queue:
        found: dict[tuple[int, ...], None] = {}
        for body in cfg.productions[head]:
            ways: list[tuple[tuple[int, ...], int]] = [((), before)]
            for symbol in body:
                ways = [
                    ((*way, symbol if symbol >= 0 else ~number_of(~symbol, at, c)), c)
                    for way, at in ways
                    for c in sorted(after(symbol, at))
                ]
            found |= dict.fromkeys(way for way, at in ways if at == last)
        productions[numbers[head, before, last]] = list(found)
    return without_useless(Cfg(names, productions, 0), ())
