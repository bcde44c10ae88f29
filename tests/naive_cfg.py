"""The slow, obvious recogniser of a `Grammar`: what the front ends' results are judged by.

Everything is a set of end positions: ``ends(node, i)`` are the j such that ``text[i:j]`` is in the node's
language. Rules are solved by running all of them again until nothing is added, so left recursion,
ambiguity and nullable loops need no thought.
"""

from __future__ import annotations

from structgen.automata.dfa import Dfa
from structgen.grammar import Choice, Expr, Grammar, Repetition, RuleRef, Sequence, Terminal
from structgen.regex.syntax import Chars, Complement, Concat, Intersection, Literal, Regex, Repeat, Union


def accepts(grammar: Grammar, text: str) -> bool:
    """Whether the whole text is in the grammar's language."""
    return _Recogniser(grammar, text).accepts()


def matches(regex: Regex, text: str) -> bool:
    """Whether the whole text is in the regex's language."""
    return len(text) in _RegexEnds(text).ends(regex, 0)


class _RegexEnds:
    def __init__(self, text: str) -> None:
        self.text = text
        self.memo: dict[tuple[int, int], frozenset[int]] = {}

    def ends(self, node: Regex, i: int) -> frozenset[int]:
        key = (id(node), i)
        if key not in self.memo:
            self.memo[key] = frozenset(self.compute(node, i))
        return self.memo[key]

    def compute(self, node: Regex, i: int) -> set[int]:
        text = self.text
        if isinstance(node, Chars):
            return {i + 1} if i < len(text) and ord(text[i]) in node.charset else set()
        if isinstance(node, Literal):
            return {i + len(node.text)} if text.startswith(node.text, i) else set()
        if isinstance(node, Concat):
            reached = {i}
            for part in node.parts:
                reached = {k for j in reached for k in self.ends(part, j)}
            return reached
        if isinstance(node, Union):
            return {j for option in node.options for j in self.ends(option, i)}
        if isinstance(node, Intersection):
            return set(self.ends(node.left, i) & self.ends(node.right, i))
        if isinstance(node, Complement):
            return set(range(i, len(text) + 1)) - self.ends(node.item, i)
        if isinstance(node, Repeat):
            return _repeat(lambda j: self.ends(node.item, j), i, node.minimum, node.maximum)
        raise AssertionError(node)


def _repeat(step, i, minimum, maximum):
    reached = {i}
    for _ in range(minimum):
        reached = {k for j in reached for k in step(j)}
    found = set(reached)
    count = minimum
    while reached and (maximum is None or count < maximum):
        reached = {k for j in reached for k in step(j)} - found
        found |= reached
        count += 1
    return found


class _Recogniser:
    def __init__(self, grammar: Grammar, text: str) -> None:
        self.grammar = grammar
        self.text = text
        self.regex_ends = _RegexEnds(text)
        self.table: dict[tuple[str, int], frozenset[int]] = {}

    def accepts(self) -> bool:
        begins = self.skip({0})
        wanted = {(self.grammar.start, i) for i in begins}
        self.table = {key: frozenset() for key in wanted}
        while True:
            before = dict(self.table)
            for name, i in list(self.table):
                self.table[name, i] |= self.ends(self.grammar.rules[name], i)
            if self.table == before:
                return any(len(self.text) in self.table[key] for key in wanted)

    def ends(self, expr: Expr, i: int) -> frozenset[int]:
        if isinstance(expr, Terminal):
            return frozenset(self.skip(self.terminal_ends(expr, i)))
        if isinstance(expr, RuleRef):
            return self.table.setdefault((expr.name, i), frozenset())
        if isinstance(expr, Sequence):
            reached = {i}
            for item in expr.items:
                reached = {k for j in reached for k in self.ends(item, j)}
            return frozenset(reached)
        if isinstance(expr, Choice):
            return frozenset(j for option in expr.options for j in self.ends(option, i))
        if isinstance(expr, Repetition):
            return frozenset(_repeat(lambda j: self.ends(expr.item, j), i, expr.minimum, expr.maximum))
        raise AssertionError(expr)

    def terminal_ends(self, terminal: Terminal, i: int) -> set[int]:
        if isinstance(terminal.pattern, Dfa):
            stops = range(i, len(self.text) + 1)
            return {j for j in stops if terminal.pattern.accepts(self.text[i:j].encode())}
        return set(self.regex_ends.ends(terminal.pattern, i))

    def skip(self, positions: set[int]) -> set[int]:
        """The positions after any number of ignored parts."""
        if self.grammar.ignore is None:
            return positions
        found = set(positions)
        pending = list(found)
        while pending:
            for j in self.ignored_ends(self.grammar.ignore, pending.pop()):
                if j not in found:
                    found.add(j)
                    pending.append(j)
        return found

    def ignored_ends(self, expr: Expr, i: int) -> set[int]:
        if isinstance(expr, Terminal):
            return self.terminal_ends(expr, i)
        if isinstance(expr, Choice):
            return {j for option in expr.options for j in self.ignored_ends(option, i)}
        raise AssertionError("ignored parts are terminals")
