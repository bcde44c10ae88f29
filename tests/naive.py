"""The slow, obvious oracle: Earley's recogniser (1970) over single bytes, and every token tried in turn.

A grammar becomes plain productions over bytes. Productions that cannot end are taken out first, so that a
prefix is viable exactly when the recogniser's last item set is not empty.
"""

from __future__ import annotations

import numpy as np

from structgen.automata.build import compile_regex, intersect, restrict_bytes
from structgen.automata.dfa import BoundedDfa, CountedDfa, Dfa
from structgen.charset import ANY
from structgen.grammar import Choice, Expr, Grammar, Repetition, RuleRef, Sequence, Terminal
from structgen.regex.syntax import Chars, Concat, Literal, Regex, Repeat, Union
from structgen.vocabulary import Vocabulary

Symbol = int | str  # a byte, or the name of a nonterminal
Productions = dict[str, list[tuple[Symbol, ...]]]
Item = tuple[str, tuple[Symbol, ...], int, int]  # head, body, dot, origin


class NaiveRecogniser:
    """Item sets of one text. ``alphabet``: the bytes that can be written at all."""

    def __init__(self, grammar: Grammar, alphabet: set[int]) -> None:
        productions: Productions = {}
        names = iter(range(10**9))

        def fresh() -> str:
            name = f"#{next(names)}"
            productions[name] = []
            return name

        def expr(node: Expr) -> str:
            head = fresh()
            if isinstance(node, Terminal):
                inner = terminal(node)
                if grammar.ignore is None:
                    productions[head].append((inner,))
                else:
                    productions[head].append((inner, ignored))
            elif isinstance(node, RuleRef):
                productions[head].append((f"rule {node.name}",))
            elif isinstance(node, Sequence):
                productions[head].append(tuple(expr(item) for item in node.items))
            elif isinstance(node, Choice):
                productions[head] += [(expr(option),) for option in node.options]
            else:
                assert isinstance(node, Repetition)
                repeat(head, expr(node.item), node.minimum, node.maximum)
            return head

        def repeat(head: str, item: str, minimum: int, maximum: int | None) -> None:
            if maximum is None:
                more = fresh()
                productions[more] += [(), (item, more)]
                productions[head].append((item,) * minimum + (more,))
            else:
                productions[head] += [(item,) * n for n in range(minimum, maximum + 1)]

        def terminal(node: Terminal) -> str:
            if isinstance(node.pattern, Dfa):
                return automaton(node.pattern)
            if isinstance(node.pattern, CountedDfa):
                head, unit = fresh(), automaton(node.pattern.unit)
                middle = fresh()
                repeat(middle, unit, node.pattern.minimum, node.pattern.maximum)
                productions[head].append((*node.pattern.head, middle, *node.pattern.tail))
                return head
            if isinstance(node.pattern, BoundedDfa):
                return bounded(node.pattern)
            return regex(node.pattern)

        def bounded(pattern: BoundedDfa) -> str:
            head = fresh()
            sized = compile_regex(Repeat(Chars(ANY), 0, pattern.maximum), "json-string")
            written = np.isin(np.arange(256), list(alphabet))
            content = automaton(restrict_bytes(intersect(pattern.content, sized), written))
            productions[head].append((*pattern.head, content, *pattern.tail))
            return head

        def automaton(dfa: Dfa) -> str:
            state_names = [fresh() for _ in range(dfa.n_states)]
            for state in range(1, dfa.n_states):
                if dfa.accepting[state]:
                    productions[state_names[state]].append(())
                for byte in range(256):
                    after = dfa.step(state, bytes([byte]))
                    if after:
                        productions[state_names[state]].append((byte, state_names[after]))
            return state_names[1]

        def regex(node: Regex) -> str:
            head = fresh()
            if isinstance(node, Chars):
                for low, high in node.charset.ranges:
                    productions[head] += [tuple(chr(c).encode()) for c in range(low, high + 1)]
            elif isinstance(node, Literal):
                productions[head].append(tuple(node.text.encode()))
            elif isinstance(node, Concat):
                productions[head].append(tuple(regex(part) for part in node.parts))
            elif isinstance(node, Union):
                productions[head] += [(regex(option),) for option in node.options]
            else:
                assert isinstance(node, Repeat)
                repeat(head, regex(node.item), node.minimum, node.maximum)
            return head

        ignored = fresh()
        productions[ignored].append(())
        if grammar.ignore is not None:
            ignore_expr, ignore = grammar.ignore, None
            grammar = Grammar(grammar.rules, grammar.start, grammar.source_kind)
            ignore = expr(ignore_expr)
            productions[ignored].append((ignore, ignored))
            grammar = Grammar(grammar.rules, grammar.start, grammar.source_kind, ignore_expr)
        for name, body in grammar.rules.items():
            productions[f"rule {name}"] = [(expr(body),)]
        productions["top"] = [(ignored, f"rule {grammar.start}")]
        self.productions = _productive(productions, alphabet)
        self.nullable = _nullable(self.productions)
        self.sets: list[set[Item]] = [
            self._completed({("top", body, 0, 0) for body in self.productions["top"]}, 0)
        ]

    def feed(self, data: bytes) -> bool:
        """Take the bytes if some text goes on with them; else change nothing."""
        before = len(self.sets)
        for byte in data:
            place = len(self.sets)
            moved = {
                (head, body, dot + 1, origin)
                for head, body, dot, origin in self.sets[-1]
                if dot < len(body) and body[dot] == byte
            }
            if not moved:
                del self.sets[before:]
                return False
            self.sets.append(set())
            self.sets[place] = self._completed(moved, place)
        return True

    def undo(self, n_bytes: int) -> None:
        del self.sets[len(self.sets) - n_bytes :]

    @property
    def is_viable(self) -> bool:
        return bool(self.sets[-1])

    @property
    def is_complete(self) -> bool:
        return any(head == "top" and dot == len(body) for head, body, dot, _ in self.sets[-1])

    def _completed(self, items: set[Item], place: int) -> set[Item]:
        """Predict and complete until nothing is new (nullable prediction: Aycock and Horspool 2002)."""
        found = set(items)
        queue = list(items)
        while queue:
            head, body, dot, origin = queue.pop()
            new: list[Item] = []
            if dot == len(body):
                earlier = found if origin == place else self.sets[origin]
                new = [(h, b, d + 1, o) for h, b, d, o in earlier if d < len(b) and b[d] == head]
            elif isinstance(body[dot], str):
                wanted = body[dot]
                assert isinstance(wanted, str)
                new = [(wanted, other, 0, place) for other in self.productions.get(wanted, [])]
                if wanted in self.nullable:
                    new.append((head, body, dot + 1, origin))
            for item in new:
                if item not in found:
                    found.add(item)
                    queue.append(item)
        return found


def _productive(productions: Productions, alphabet: set[int]) -> Productions:
    productive: set[str] = set()

    def ends(body: tuple[Symbol, ...]) -> bool:
        return all(s in productive if isinstance(s, str) else s in alphabet for s in body)

    grown = True
    while grown:
        grown = False
        for head, bodies in productions.items():
            if head not in productive and any(map(ends, bodies)):
                productive.add(head)
                grown = True
    return {head: [body for body in bodies if ends(body)] for head, bodies in productions.items()}


def _nullable(productions: Productions) -> set[str]:
    nullable: set[str] = set()
    grown = True
    while grown:
        grown = False
        for head, bodies in productions.items():
            if head not in nullable and any(all(s in nullable for s in body) for body in bodies):
                nullable.add(head)
                grown = True
    return nullable


class NaiveMatcher:
    """`structgen.Matcher`, the obvious way: one recogniser, every token tried byte by byte."""

    def __init__(self, grammar: Grammar, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        alphabet = {byte for token in vocabulary.tokens for byte in token or b""}
        self.recogniser = NaiveRecogniser(grammar, alphabet)
        self.accepted: list[int] = []
        self.is_terminated = False

    @property
    def is_accepting(self) -> bool:
        return self.recogniser.is_complete

    def allowed(self) -> set[int]:
        if self.is_terminated:
            return set()
        result = set()
        for token, data in enumerate(self.vocabulary.tokens):
            if data and self.recogniser.feed(data):
                self.recogniser.undo(len(data))
                result.add(token)
        if self.is_accepting:
            result.update(self.vocabulary.eos_token_ids)
        return result

    def accept(self, token: int) -> bool:
        if token not in self.allowed():
            return False
        if token in self.vocabulary.eos_token_ids:
            self.is_terminated = True
        else:
            self.recogniser.feed(self.vocabulary.tokens[token] or b"")
        self.accepted.append(token)
        return True

    def rollback(self, n: int) -> None:
        for _ in range(n):
            token = self.accepted.pop()
            if token in self.vocabulary.eos_token_ids:
                self.is_terminated = False
            else:
                self.recogniser.undo(len(self.vocabulary.tokens[token] or b""))
