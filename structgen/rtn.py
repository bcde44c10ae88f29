"""Recursive transition networks: the parser as flat tables (Woods 1970).

From automata over symbols, in four steps: nullable calls become empty edges and every rule keeps only its
non-empty texts; empty edges go, or become jumps where they save many edges; left recursion goes; automata are
made deterministic and cut to what can both be reached and finished. A call never comes back to where it began
without a terminal in between, so a closure always ends.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from structgen.errors import CompileLimitError
from structgen.symbols import Edge, SymbolAutomaton, SymbolGrammar

MAX_PARSER_STATES = 2_000_000
END = 0  # parser state 0: nothing to come back to
JUMP = 0  # the symbol of an empty edge that was kept
# Empty edges are taken out where this leaves at most so many times the edges. In a list of n optional parts
# it would leave n * n / 2; there they stay, and a closure follows them.
_GROWTH = 4


@dataclass(frozen=True, slots=True, eq=False)
class Rtn:
    """The parser tables, read-only.

    ``begin`` int32 (states + 1,): first edge of each state. ``edges`` int32 (edges, 2): (symbol, target);
    symbol t + 1 is terminal t; symbol -s calls the rule that starts in state s and comes back to target, or
    ends the calling rule with it when target is `END`. ``final`` int32 (states,): 1 where a rule may end.
    ``start``: state; 0 when only the empty text, or none, is in the language. ``accepts_empty``: the empty
    text is in the language.
    """

    begin: npt.NDArray[np.int32]
    edges: npt.NDArray[np.int32]
    final: npt.NDArray[np.int32]
    start: int
    accepts_empty: bool

    @property
    def n_states(self) -> int:
        return int(self.final.shape[0])

    @property
    def is_empty(self) -> bool:
        """True when no text at all is in the language."""
        return self.start == END and not self.accepts_empty


@dataclass(slots=True)
class _Automaton:
    """State 0 is the start: no edge comes back to it, it is not final, and it has no `JUMP`."""

    edges: list[list[Edge]]
    final: list[bool]


def build_rtn(grammar: SymbolGrammar, max_states: int = MAX_PARSER_STATES) -> Rtn:
    """The parser of ``grammar``. Raises `CompileLimitError` (``max_parser_states``)."""
    nullable = _nullable_rules(grammar.rules)
    rules = [_without_empty_edges(rule, nullable) for rule in grammar.rules]
    rules = _without_unproductive(rules)
    rules = _without_left_recursion(rules, max_states)
    rules = [_deterministic(rule) for rule in rules]
    rules = _without_unproductive(rules)
    return _flatten(rules, bool(nullable[0]), max_states)


def _nullable_rules(rules: list[SymbolAutomaton]) -> list[bool]:
    """Which rules match the empty text: a least fixpoint."""
    nullable = [False] * len(rules)
    callers: list[set[int]] = [set() for _ in rules]
    for number, rule in enumerate(rules):
        for edges in rule.edges:
            for symbol, _ in edges:
                if symbol < 0:
                    callers[-symbol - 1].add(number)
    queue = deque(range(len(rules)))
    while queue:
        number = queue.popleft()
        if nullable[number]:
            continue
        rule = rules[number]
        if rule.final & _empty_closure(rule, 0, nullable):
            nullable[number] = True
            queue.extend(callers[number])
    return nullable


def _empty_closure(rule: SymbolAutomaton, state: int, nullable: list[bool]) -> set[int]:
    seen = {state}
    stack = [state]
    while stack:
        current = stack.pop()
        after = list(rule.empty[current])
        after.extend(target for symbol, target in rule.edges[current] if symbol < 0 and nullable[-symbol - 1])
        for target in after:
            if target not in seen:
                seen.add(target)
                stack.append(target)
    return seen


def _without_empty_edges(rule: SymbolAutomaton, nullable: list[bool]) -> _Automaton:
    """The same non-empty texts, with a start state of its own that nothing comes back to."""
    n = len(rule.edges)
    reaches: list[list[int]] = []
    budget = _GROWTH * (sum(map(len, rule.edges)) + sum(map(len, rule.empty))) + 64
    for state in range(n):
        closure = sorted(_empty_closure(rule, state, nullable))
        budget -= sum(len(rule.edges[member]) for member in closure)
        reaches.append(closure)
        if budget < 0:
            return _with_jumps(rule, nullable)
    edges = [list(dict.fromkeys(edge for m in closure for edge in rule.edges[m])) for closure in reaches]
    final = [bool(rule.final.intersection(closure)) for closure in reaches]
    return _with_fresh_start(edges, final, edges[0])


def _with_jumps(rule: SymbolAutomaton, nullable: list[bool]) -> _Automaton:
    edges = []
    for state, found in enumerate(rule.edges):
        skipped = [target for symbol, target in found if symbol < 0 and nullable[-symbol - 1]]
        jumps = dict.fromkeys((JUMP, target) for target in (*rule.empty[state], *skipped) if target != state)
        edges.append([*found, *jumps])
    start = [edge for m in sorted(_empty_closure(rule, 0, nullable)) for edge in rule.edges[m]]
    return _with_fresh_start(edges, [state in rule.final for state in range(len(edges))], start)


def _with_fresh_start(edges: list[list[Edge]], final: list[bool], start: list[Edge]) -> _Automaton:
    shifted = [[(symbol, target + 1) for symbol, target in found] for found in (start, *edges)]
    return _reachable(_Automaton(shifted, [False, *final]))


def _without_unproductive(rules: list[_Automaton]) -> list[_Automaton]:
    """Calls of rules that match nothing go, and so does every state that leads to no end."""
    productive = [False] * len(rules)
    # backward reachability from the final states, over edges whose rule is known to be productive
    incoming: list[list[list[Edge]]] = []
    for rule in rules:
        back: list[list[Edge]] = [[] for _ in rule.edges]
        for source, edges in enumerate(rule.edges):
            for symbol, target in edges:
                back[target].append((symbol, source))
        incoming.append(back)
    useful = [[False] * len(rule.edges) for rule in rules]
    waiting: dict[
        int, list[tuple[int, int]]
    ] = {}  # rule -> (rule, state) that a call of it would make useful
    stack = [(r, s) for r, rule in enumerate(rules) for s, end in enumerate(rule.final) if end]
    while stack:
        r, state = stack.pop()
        if useful[r][state]:
            continue
        useful[r][state] = True
        if state == 0 and not productive[r]:
            productive[r] = True
            stack.extend(waiting.pop(r, []))
        for symbol, source in incoming[r][state]:
            if symbol >= 0 or productive[-symbol - 1]:
                stack.append((r, source))
            else:
                waiting.setdefault(-symbol - 1, []).append((r, source))
    result = []
    for r, rule in enumerate(rules):
        keep = [
            [
                (symbol, target)
                for symbol, target in edges
                if useful[r][target] and (symbol >= 0 or productive[-symbol - 1])
            ]
            for edges in rule.edges
        ]
        result.append(_reachable(_Automaton(keep, rule.final)))
    return result


def _reachable(rule: _Automaton) -> _Automaton:
    number = {0: 0}
    order = [0]
    for state in order:
        for _, target in rule.edges[state]:
            if target not in number:
                number[target] = len(order)
                order.append(target)
    if len(order) == len(rule.edges) and order == list(range(len(order))):
        return rule
    edges = [[(symbol, number[target]) for symbol, target in rule.edges[state]] for state in order]
    return _Automaton(edges, [rule.final[state] for state in order])


def _left_calls(rule: _Automaton) -> set[int]:
    return {-symbol - 1 for symbol, _ in rule.edges[0] if symbol < 0}


def _without_left_recursion(rules: list[_Automaton], max_states: int) -> list[_Automaton]:
    """Rules that can begin with themselves become loops.

    Within a set of mutually left-recursive rules A_j, every text of A_k is built from the left: a beginning
    that is not one of them, which completes some A_j; then, as long as it goes on, the rest of a rule that
    begins with what is complete. With a hub state per A_j that is one automaton, whose end is the hub of A_k.
    """
    result = list(rules)
    for group in _cycles([_left_calls(rule) for rule in rules]):
        for wanted in group:
            result[wanted] = _left_loop(rules, group, wanted)
            if sum(len(rule.edges) for rule in result) > max_states:
                raise CompileLimitError("max_parser_states", max_states, max_states + 1)
    return result


def _left_loop(rules: list[_Automaton], group: list[int], wanted: int) -> _Automaton:
    automaton = SymbolAutomaton()
    hub = {rule: automaton.new_state() for rule in group}
    place = {}
    for rule in group:
        for state in range(1, len(rules[rule].edges)):
            place[rule, state] = automaton.new_state()
    for rule in group:
        body = rules[rule]
        for symbol, target in body.edges[0]:
            after = place[rule, target]
            if symbol < 0 and -symbol - 1 in hub:
                automaton.empty[hub[-symbol - 1]].append(after)
            else:
                automaton.edges[0].append((symbol, after))
        for state in range(1, len(body.edges)):
            at = place[rule, state]
            for symbol, target in body.edges[state]:
                if symbol == JUMP:
                    automaton.empty[at].append(place[rule, target])
                else:
                    automaton.edges[at].append((symbol, place[rule, target]))
            if body.final[state]:
                automaton.empty[at].append(hub[rule])
    automaton.final.add(hub[wanted])
    # nothing is nullable any more: every rule has lost its empty text
    return _trimmed(_without_empty_edges(automaton, [False] * len(rules)))


def _trimmed(rule: _Automaton) -> _Automaton:
    """Without states that lead to no end (all symbols taken as productive)."""
    incoming: list[list[int]] = [[] for _ in rule.edges]
    for source, edges in enumerate(rule.edges):
        for _, target in edges:
            incoming[target].append(source)
    useful = [False] * len(rule.edges)
    stack = [state for state, end in enumerate(rule.final) if end]
    while stack:
        state = stack.pop()
        if not useful[state]:
            useful[state] = True
            stack.extend(incoming[state])
    keep = [[edge for edge in edges if useful[edge[1]]] for edges in rule.edges]
    return _reachable(_Automaton(keep, rule.final))


def _cycles(graph: list[set[int]]) -> list[list[int]]:
    """Strongly connected components that hold a cycle (Tarjan 1972, without recursion)."""
    index: dict[int, int] = {}
    low: dict[int, int] = {}
    on_stack: set[int] = set()
    stack: list[int] = []
    result = []
    for root in range(len(graph)):
        if root in index:
            continue
        work = [(root, iter(sorted(graph[root])))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        while work:
            node, successors = work[-1]
            advanced = False
            for after in successors:
                if after not in index:
                    index[after] = low[after] = len(index)
                    stack.append(after)
                    on_stack.add(after)
                    work.append((after, iter(sorted(graph[after]))))
                    advanced = True
                    break
                if after in on_stack:
                    low[node] = min(low[node], index[after])
            if advanced:
                continue
            work.pop()
            if work:
                low[work[-1][0]] = min(low[work[-1][0]], low[node])
            if low[node] == index[node]:
                component = []
                while True:
                    member = stack.pop()
                    on_stack.discard(member)
                    component.append(member)
                    if member == node:
                        break
                if len(component) > 1 or node in graph[node]:
                    result.append(sorted(component))
    return result


def _deterministic(rule: _Automaton) -> _Automaton:
    """Subset construction over symbols, where it does not make the rule much larger."""
    if all(len({symbol for symbol, _ in edges}) == len(edges) for edges in rule.edges):
        return rule
    if any(symbol == JUMP for edges in rule.edges for symbol, _ in edges):
        return rule
    limit = 4 * len(rule.edges) + 16
    start = frozenset([0])
    number = {start: 0}
    order = [start]
    edges: list[list[Edge]] = []
    for members in order:
        targets: dict[int, set[int]] = {}
        for member in members:
            for symbol, target in rule.edges[member]:
                targets.setdefault(symbol, set()).add(target)
        found = []
        for symbol, states in targets.items():
            after = frozenset(states)
            if after not in number:
                number[after] = len(order)
                order.append(after)
                if len(order) > limit:
                    return rule
            found.append((symbol, number[after]))
        edges.append(found)
    return _Automaton(edges, [any(rule.final[member] for member in members) for members in order])


def _flatten(rules: list[_Automaton], accepts_empty: bool, max_states: int) -> Rtn:
    """Number the states of the rules that the start reaches; state 0 is `END`."""
    reached = {0: None}
    order = [0]
    for number in order:
        for edges in rules[number].edges:
            for symbol, _ in edges:
                if symbol < 0 and -symbol - 1 not in reached:
                    reached[-symbol - 1] = None
                    order.append(-symbol - 1)
    base: dict[int, int] = {}
    total = 1
    for number in order:
        base[number] = total
        total += len(rules[number].edges)
    if total > max_states:
        raise CompileLimitError("max_parser_states", max_states, total)
    begin = [0, 0]
    flat: list[tuple[int, int]] = []
    final = [0]
    for number in order:
        rule = rules[number]
        for state, edges in enumerate(rule.edges):
            for symbol, target in edges:
                if symbol > 0:
                    flat.append((symbol, base[number] + target))
                elif symbol == JUMP:  # a call that ends its caller goes on in its place
                    flat.append((-(base[number] + target), END))
                else:
                    tail = rule.final[target] and not rule.edges[target]
                    flat.append((-base[-symbol - 1], END if tail else base[number] + target))
            begin.append(len(flat))
            final.append(int(rule.final[state]))
    start = base[0] if rules[0].edges[0] else END
    arrays = (
        np.array(begin, np.int32),
        np.array(flat, np.int32).reshape(-1, 2),
        np.array(final, np.int32),
    )
    for array in arrays:
        array.flags.writeable = False
    return Rtn(*arrays, start, accepts_empty)
