"""LALR(1) tables with all conflicts kept.

Lookaheads by DeRemer and Pennello, "Efficient computation of LALR(1) look-ahead sets" (1982). Sets of
terminals are Python ints, bit ``t`` for terminal ``t``.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from structgen.errors import CompileLimitError
from structgen.lexing.cfg import Cfg, nullable_heads

MAX_STATES = 50_000

_Item = tuple[int, int]  # production, dot


@dataclass(slots=True)
class LalrTables:
    """``shifts``: per state, terminal -> state; ``gotos``: nonterminal -> state; ``reduces``: per state,
    (production, lookaheads). Production 0 is the augmented one, ended by shifting ``end`` into ``final``.
    """

    heads: list[int]
    lengths: list[int]
    shifts: list[dict[int, int]] = field(default_factory=list)
    gotos: list[dict[int, int]] = field(default_factory=list)
    reduces: list[list[tuple[int, int]]] = field(default_factory=list)
    accessing: list[int | None] = field(default_factory=list)  # the symbol that leads into a state
    end: int = 0
    final: int = 0

    @property
    def n_states(self) -> int:
        return len(self.shifts)

    def lookaheads(self, state: int) -> int:
        """The terminals that a state has an action for."""
        found = 0
        for terminal in self.shifts[state]:
            found |= 1 << terminal
        for _, bits in self.reduces[state]:
            found |= bits
        return found

    @property
    def n_conflicts(self) -> int:
        """Pairs of state and terminal with more than one action."""
        count = 0
        for state in range(self.n_states):
            seen = twice = 0
            for terminal in self.shifts[state]:
                seen |= 1 << terminal
            for _, bits in self.reduces[state]:
                twice |= seen & bits
                seen |= bits
            count += twice.bit_count()
        return count


def lalr_tables(cfg: Cfg, end: int) -> LalrTables:
    """The tables of ``cfg``; ``end``: the number of the terminal that stands for the end of the text.

    Raises `CompileLimitError` (``max_lalr_states``).
    """
    return _Builder(cfg, end).build()


class _Builder:
    def __init__(self, cfg: Cfg, end: int) -> None:
        n = len(cfg.productions)
        self._bodies: list[tuple[int, ...]] = [(~cfg.start, end)]
        self._of_head: list[range] = []
        heads = [n]
        for head, bodies in enumerate(cfg.productions):
            self._of_head.append(range(len(self._bodies), len(self._bodies) + len(bodies)))
            self._bodies += bodies
            heads += [head] * len(bodies)
        self._nullable = nullable_heads(cfg)
        self._tables = LalrTables(heads, [len(body) for body in self._bodies], end=end)
        self._kernels: list[tuple[_Item, ...]] = []
        self._closures: list[list[_Item]] = []

    def build(self) -> LalrTables:
        self._build_states()
        self._add_lookaheads()
        return self._tables

    def _build_states(self) -> None:
        tables = self._tables
        numbers: dict[tuple[_Item, ...], int] = {}

        def state_of(kernel: tuple[_Item, ...], symbol: int | None) -> int:
            number = numbers.get(kernel)
            if number is None:
                number = numbers[kernel] = len(self._kernels)
                if number >= MAX_STATES:
                    raise CompileLimitError("max_lalr_states", MAX_STATES, number + 1, fixed=True)
                self._kernels.append(kernel)
                tables.accessing.append(symbol)
            return number

        state_of(((0, 0),), None)
        state = 0
        while state < len(self._kernels):
            items = self._closure(self._kernels[state])
            self._closures.append(items)
            moves: dict[int, list[_Item]] = {}
            for production, dot in items:
                body = self._bodies[production]
                if dot < len(body):
                    moves.setdefault(body[dot], []).append((production, dot + 1))
            shifts: dict[int, int] = {}
            gotos: dict[int, int] = {}
            for symbol, kernel in moves.items():
                target = state_of(tuple(sorted(kernel)), symbol)
                if symbol >= 0:
                    shifts[symbol] = target
                else:
                    gotos[~symbol] = target
            tables.shifts.append(shifts)
            tables.gotos.append(gotos)
            state += 1
        tables.final = tables.shifts[tables.gotos[0][~self._bodies[0][0]]][tables.end]

    def _closure(self, kernel: tuple[_Item, ...]) -> list[_Item]:
        items = list(kernel)
        seen = set()
        for production, dot in items:
            body = self._bodies[production]
            if dot < len(body) and body[dot] < 0 and body[dot] not in seen:
                seen.add(body[dot])
                items += [(other, 0) for other in self._of_head[~body[dot]]]
        return items

    def _add_lookaheads(self) -> None:
        tables = self._tables
        transitions = [(state, head) for state in range(tables.n_states) for head in tables.gotos[state]]
        number = {transition: i for i, transition in enumerate(transitions)}
        direct: list[int] = []  # DR: terminals that can be read right after
        reads: list[list[int]] = []
        includes: list[list[int]] = [[] for _ in transitions]
        lookback: dict[tuple[int, int], list[int]] = {}
        for state, head in transitions:
            after = tables.gotos[state][head]
            bits = 0
            for terminal in tables.shifts[after]:
                bits |= 1 << terminal
            direct.append(bits)
            reads.append([number[after, other] for other in tables.gotos[after] if other in self._nullable])
        for i, (state, head) in enumerate(transitions):
            for production in self._of_head[head]:
                at = state
                body = self._bodies[production]
                for place, symbol in enumerate(body):
                    if symbol < 0 and all(s < 0 and ~s in self._nullable for s in body[place + 1 :]):
                        includes[number[at, ~symbol]].append(i)
                    at = tables.shifts[at][symbol] if symbol >= 0 else tables.gotos[at][~symbol]
                lookback.setdefault((at, production), []).append(i)
        follow = _closed(_closed(direct, reads), includes)
        for state in range(tables.n_states):
            found: list[tuple[int, int]] = []
            for production, dot in self._closures[state]:
                if production and dot == len(self._bodies[production]):
                    bits = 0
                    for i in lookback.get((state, production), ()):
                        bits |= follow[i]
                    if bits:
                        found.append((production, bits))
            tables.reduces.append(found)


def _closed(values: list[int], relation: list[list[int]]) -> list[int]:
    """The least sets with result[x] = values[x] | result[y] for all y related to x (their "digraph")."""
    n = len(values)
    result = list(values)
    depth_of = [0] * n
    stack: list[int] = []
    done = n + 1
    for root in range(n):
        if depth_of[root]:
            continue
        stack.append(root)
        depth_of[root] = len(stack)
        work = [(root, iter(relation[root]), len(stack))]
        while work:
            x, rest, depth = work[-1]
            for y in rest:
                if not depth_of[y]:
                    stack.append(y)
                    depth_of[y] = len(stack)
                    work.append((y, iter(relation[y]), len(stack)))
                    break
                depth_of[x] = min(depth_of[x], depth_of[y])
                result[x] |= result[y]
            else:
                work.pop()
                if depth_of[x] == depth:
                    while True:
                        top = stack.pop()
                        depth_of[top] = done
                        result[top] = result[x]
                        if top == x:
                            break
                if work:
                    above = work[-1][0]
                    depth_of[above] = min(depth_of[above], depth_of[x])
                    result[above] |= result[x]
    return result
