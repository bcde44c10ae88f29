"""Scores for `model.generate` that follow a prefix trie: the processor's methods "asap" and "cars".

The caller samples from softmax(scores / temperature); what is returned makes that P times the bounds of the
trie. There is a trie for every prompt and grammar: one shared by accident would mix their bounds.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch

from structgen.compiled import CompiledGrammar
from structgen.errors import GenerationError
from structgen.sampling.constraint import GrammarConstraint
from structgen.sampling.mask import TokenMask
from structgen.sampling.prefix_trie import ROW_LENGTH, Node, PrefixTrie
from structgen.sampling.target import Target

GuidedMethod = Literal["asap", "cars"]


@dataclass(slots=True)
class _Row:
    """A row of the call under way. ``node`` None: it was rejected. ``over``: a stop was drawn."""

    trie: PrefixTrie
    node: Node | None
    over: bool = False


class GuidedScores:
    """Rewrites scores step by step, and learns from what `generate` draws."""

    def __init__(self, grammars: Sequence[CompiledGrammar], method: GuidedMethod, temperature: float) -> None:
        self._constraints = [GrammarConstraint(grammar) for grammar in grammars]
        self._method = method
        # the length is generate's: a text that it cuts off is rejected, and nothing is learned from that
        self._target = Target(grammars[0].vocabulary, 1, "truncate", temperature)
        self._mask = TokenMask(self._target)
        self._tries: dict[tuple[int, bytes], PrefixTrie] = {}
        self._rows: list[_Row] = []
        self._ids: npt.NDArray[np.int64] | None = None  # of the last step
        self._seen: list[tuple[PrefixTrie, Node]] = []

    @property
    def bounds(self) -> list[float]:
        """For each prompt so far, the upper bound on the probability that the model's text is valid."""
        self.reset()
        return [trie.root.bound for trie in self._tries.values()]

    def reset(self) -> None:
        """End the call under way: take what was seen into the bounds, which it had to leave as they were."""
        for trie in {id(trie): trie for trie, _ in self._seen}.values():
            trie.update(node for other, node in self._seen if other is trie)
        self._seen = []
        self._ids = None

    def step(self, ids: npt.NDArray[np.int64], scores: torch.Tensor) -> torch.Tensor:
        """New scores (rows, width) for the ids so far int64 (rows, length) and the model's scores."""
        self._follow(ids)
        logp = self._target.log_probabilities(scores)
        out = torch.full_like(logp, -math.inf)
        out[:, list(self._target.vocabulary.eos_token_ids)] = 0.0  # for rows that are over
        going = [row for row, each in enumerate(self._rows) if each.node is not None and not each.over]
        if going:
            nodes = [self._node(row) for row in going]
            masked = logp[going]
            states: list[Any] = [node.state for node in nodes]
            self._mask.apply_(masked, states, [0] * len(nodes))
            known = [node.is_visited for node in nodes]  # before any of them is visited: rows share nodes
            for row, node, was_known, allowed in zip(going, nodes, known, masked, strict=True):
                self._visit(self._rows[row].trie, node, allowed)
                out[row] = _by_bounds(node, allowed) if was_known or self._method == "asap" else logp[row]
        return (self._target.temperature * out).to(scores.dtype)

    def accepted(self, ids: npt.NDArray[np.int64]) -> list[bool]:
        """Which rows of the call's final ids int64 (rows, length) are complete, valid texts; ends it."""
        if self._ids is not None and ids.shape[1] > self._ids.shape[1]:
            self._follow(ids[:, : self._ids.shape[1] + 1])
        if len(ids) != len(self._rows):
            raise GenerationError(f"{len(ids)} rows, but the last call of generate had {len(self._rows)}")
        self.reset()
        return [row.over and row.node is not None for row in self._rows]

    def _node(self, row: int) -> Node:
        node = self._rows[row].node
        if node is None:
            raise GenerationError(f"row {row} was rejected and cannot go on")
        return node

    def _follow(self, ids: npt.NDArray[np.int64]) -> None:
        """Take in the last column of ``ids``, or begin a new call whose prompts they are."""
        last = self._ids
        if last is not None and (len(ids), ids.shape[1] - 1) == last.shape:
            if np.array_equal(ids[:, :-1], last):
                self._ids = ids
                for row, token in zip(self._rows, ids[:, -1].tolist(), strict=True):
                    self._take(row, token)
                return
            known = {row.tobytes() for row in last}
            if all(row.tobytes() in known for row in np.ascontiguousarray(ids[:, :-1])):
                raise GenerationError(
                    f"rows were put in another order: method {self._method!r} is for sampling, not for beams"
                )
        self.reset()
        self._ids = ids
        self._rows = []
        for place, prompt in enumerate(ids):
            which = place * len(self._constraints) // len(ids)
            key = (which, hashlib.blake2b(prompt.tobytes(), digest_size=16).digest())
            if key not in self._tries:
                self._tries[key] = PrefixTrie(self._constraints[which].start())
            trie = self._tries[key]
            self._rows.append(_Row(trie, trie.root))

    def _take(self, row: _Row, token: int) -> None:
        node = row.node
        if node is None or row.over:
            return
        if token in self._target.vocabulary.eos_token_ids:
            row.over = True
            if node.state is None or not node.state.is_complete():
                row.node = None
            return
        child = node.children.get(token)
        if child is None:
            state = None if node.state is None else self._mask.extended(node.state, token)
            if state is None:
                row.node = None  # "cars" drew without the mask
                return
            place = node.place_of(token)
            log_p = float(node.log_p[place]) if place >= 0 else node.log_rest
            child = row.trie.child(node, token, log_p, state)
        row.node = child

    def _visit(self, trie: PrefixTrie, node: Node, masked: torch.Tensor) -> None:
        self._seen.append((trie, node))
        trie.touch(node)
        if node.is_visited:
            return
        top = torch.topk(masked, min(ROW_LENGTH, len(masked)))
        kept = torch.isfinite(top.values)
        others = masked.clone()
        others[top.indices] = -math.inf
        log_rest, log_allowed = float(torch.logsumexp(others, 0)), float(torch.logsumexp(masked, 0))
        ids, log_p = top.indices[kept].cpu().numpy(), top.values[kept].cpu().numpy()
        trie.visit(node, ids, log_p, log_rest, log_allowed, 0.0)


def _by_bounds(node: Node, masked: torch.Tensor) -> torch.Tensor:
    """log of P times the bounds, of all tokens that the mask allows."""
    out = masked.clone()
    for token, child in node.children.items():
        if child.log_bound < 0.0:
            out[token] += child.log_bound
    return out
