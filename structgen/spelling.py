"""Vocabularies that cannot spell every text: which configurations can still be finished in whole tokens.

Where each byte of the vocabulary is a token of its own, as in real tokenizers, any text over these bytes can
be spelled, and this module is not used. Elsewhere (a token ``ab`` but no token ``b``) a token is only
allowed when what follows can be spelled from the boundary behind it. The spellable texts are a regular
language T*; its states are threaded through the parser as relations, in the manner of Bar-Hillel,
Perles and Shamir (1961): for every parser state, from which T*-states to which a rule can be finished.
"""

from __future__ import annotations

from collections import deque

import numpy as np
import numpy.typing as npt
from structgen_kernels import layout
from structgen_kernels.terminals import counts_up, place_of, terminal_flags, terminal_step
from structgen_kernels.texts import below_cells

from structgen.automata.build import literal, repeat, union
from structgen.automata.dfa import START, Dfa
from structgen.errors import CompileLimitError
from structgen.rtn import END
from structgen.tables import StateTables
from structgen.vocabulary import Vocabulary

MAX_SPELLING_STATES = 512
_Relation = npt.NDArray[np.bool_]  # (T*-states, T*-states), or a row of it


def spellable_texts(vocabulary: Vocabulary) -> Dfa:
    """T*: all texts that are a sequence of tokens. Raises `CompileLimitError` (``max_spelling_states``)."""
    texts = {token for token in vocabulary.tokens if token}
    automaton = repeat(union(literal(text) for text in sorted(texts)), 0, None)
    if automaton.n_states > MAX_SPELLING_STATES:
        raise CompileLimitError("max_spelling_states", MAX_SPELLING_STATES, automaton.n_states, fixed=True)
    return automaton


class Spelling:
    """Tells whether a configuration of one grammar can be finished in whole tokens.

    ``pool`` arguments are the machine's records, see `structgen_kernels.layout`.
    """

    def __init__(self, tables: StateTables, vocabulary: Vocabulary) -> None:
        self._tables = tables
        self._texts = spellable_texts(vocabulary)
        self._wide = self._texts.transitions[:, self._texts.byte_class]
        self._from_terminal: dict[tuple[int, int], _Relation] = {}
        self._finishes: dict[tuple[int, int], _Relation] = {}
        self._viable: dict[int, bool] = {}
        self._rules = self._rule_relations()

    def is_viable(self, pool: npt.NDArray[np.int32], config: int) -> bool:
        """True when the text of ``config``, ending at a token boundary, can be completed with tokens."""
        known = self._viable.get(config)
        if known is None:
            known = self._viable[config] = self._find_viable(pool, config)
        return known

    def _find_viable(self, pool: npt.NDArray[np.int32], config: int) -> bool:
        if pool[config + 2]:
            return True
        for i in range(int(pool[config + 1])):
            state = int(pool[config + layout.CONFIG_HEAD + 2 * i])
            k = int(pool[config + layout.CONFIG_HEAD + 2 * i + 1])
            ends = self._terminal_ends(state, START)
            if (ends & self._finishing(pool, int(pool[k + 1]), int(pool[k + 2]))).any():
                return True
        return False

    def _finishing(self, pool: npt.NDArray[np.int32], parser_state: int, node: int) -> _Relation:
        """bool (T*-states,): from which of them a continuation can be finished."""
        finishing = np.zeros(self._texts.n_states, np.bool_)
        seen = {(parser_state, node)}
        order = [(parser_state, node)]
        # stacks may be deep: first all continuations that are below, then from the bottom up
        for state, below in order:
            if (state, below) in self._finishes:
                continue
            below = below_cells(pool, below)
            for i in range(int(pool[below + 1])):
                after = int(pool[below + 2 + 2 * i]), int(pool[below + 3 + 2 * i])
                if after[0] != END and after not in seen:
                    seen.add(after)
                    order.append(after)
        changed = True
        while changed:  # `order` is no topological order where stacks share parts; a pass or two settle it
            changed = False
            for state, below in reversed(order):
                back = np.zeros(self._texts.n_states, np.bool_)
                frames = int(below_cells(pool, below))
                for i in range(int(pool[frames + 1])):
                    after = int(pool[frames + 2 + 2 * i]), int(pool[frames + 3 + 2 * i])
                    if after[0] == END:
                        back |= self._texts.accepting
                    else:
                        back |= self._finishes.get(after, np.zeros_like(back))
                finishing = np.asarray((self._rules[state] & back).any(axis=1))
                known = self._finishes.get((state, below))
                if known is None or not np.array_equal(known, finishing):
                    self._finishes[state, below] = finishing
                    changed = True
        return self._finishes[parser_state, node]

    def _terminal_ends(self, terminal_state: int, text_state: int) -> _Relation:
        """bool (T*-states,): where T* may be when a terminal, now in ``terminal_state``, ends."""
        known = self._from_terminal.get((terminal_state, text_state))
        if known is not None:
            return known
        static, classes = self._tables.static, self._tables.classes
        ends = np.zeros(self._texts.n_states, np.bool_)
        # The fewer characters a bounded terminal has read, the more may follow: only the first, lowest count
        # at which a place in it is met with a T*-state is gone on from.
        seen: set[tuple[int, int]] = set()
        queue = deque([(terminal_state, text_state)])
        while queue:
            terminal, text = queue.popleft()
            place = int(place_of(static, terminal)), text
            if place in seen:
                continue
            seen.add(place)
            for byte in np.flatnonzero(self._wide[text]).tolist():
                after = int(terminal_step(static, classes, terminal, byte)), int(self._wide[text, byte])
                if after[0] == 0:
                    continue
                if terminal_flags(static, after[0]) & layout.ACCEPTS:
                    ends[after[1]] = True
                if counts_up(static, terminal, after[0]):
                    queue.append(after)
                else:
                    queue.appendleft(after)
        self._from_terminal[terminal_state, text_state] = ends
        return ends

    def _rule_relations(self) -> list[_Relation]:
        """Per parser state: from which T*-state to which the rest of its rule reads. A least fixpoint."""
        static = self._tables.static
        n = self._texts.n_states
        n_states = self._tables.n_parser_states
        begin = static[static[layout.RTN_BEGIN] :]
        count = static[static[layout.RTN_COUNT] :]
        edges = static[static[layout.RTN_EDGES] :]
        final = static[static[layout.RTN_FINAL] :]
        identity = np.eye(n, dtype=np.bool_)
        relations = [
            identity.copy() if final[s] == layout.ENDS else np.zeros((n, n), np.bool_)
            for s in range(n_states)
        ]
        callers: dict[int, set[int]] = {s: set() for s in range(n_states)}
        terminals: dict[int, _Relation] = {}
        for state in range(n_states):
            for e in range(int(begin[state]), int(begin[state] + count[state])):
                symbol, target = int(edges[2 * e]), int(edges[2 * e + 1])
                callers[target].add(state)
                if symbol < 0:
                    callers[-symbol].add(state)
                elif symbol > 0 and symbol not in terminals:
                    ends = [self._terminal_ends(symbol, text) for text in range(1, n)]
                    terminals[symbol] = np.stack([np.zeros(n, np.bool_), *ends])
        queue = dict.fromkeys(range(n_states))
        while queue:
            state = next(iter(queue))
            del queue[state]
            relation = relations[state].copy()
            for e in range(int(begin[state]), int(begin[state] + count[state])):
                symbol, target = int(edges[2 * e]), int(edges[2 * e + 1])
                if symbol == 0:  # a text begins or ends: nothing is read
                    relation |= relations[target]
                    continue
                first = terminals[symbol] if symbol > 0 else relations[-symbol]
                relation |= first if target == END else _composed(first, relations[target])
            if not np.array_equal(relation, relations[state]):
                relations[state] = relation
                queue.update(dict.fromkeys(callers[state]))
        return relations


def _composed(first: _Relation, second: _Relation) -> _Relation:
    product: _Relation = (first.astype(np.float32) @ second.astype(np.float32)) > 0
    return product
