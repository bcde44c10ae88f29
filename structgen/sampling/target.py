"""The target: which distribution over token sequences is to be sampled, before any constraint.

P(w) is the model's own probability of the tokens w and the stop that ends them, after temperature (and
top-k or top-p, where given). A method samples pi(w) proportional to P(w) 1[w is valid]. The rule for the
length is part of what is valid, so that it is the same for all methods:

- "condition": only texts that end within ``max_new_tokens`` tokens, the stop id counted as one.
- "truncate": texts that reach ``max_new_tokens`` tokens without having ended count too, as they are.

Several stop ids are one event: the probability of ending is their sum, written at the first of them.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import Literal, get_args

import torch

from structgen.errors import BitmaskError, GenerationError, OptionError
from structgen.sampling.scored_rows import ArrayRows, ScoredRows, TensorRows
from structgen.vocabulary import Vocabulary

LengthRule = Literal["condition", "truncate"]


@dataclass(frozen=True, slots=True)
class Target:
    """What turns logits into P(. | prefix). Checked when made; raises `OptionError`.

    top_k, top_p: as transformers defines them, applied to the model's distribution *before* the constraint
        (at most k tokens, ties by the lower id; the smallest set of likeliest tokens with mass >= p), then
        renormalised. They change P itself, so every method keeps its guarantee, for that P. Applied after a
        mask, as logits warpers do, they would be no part of any distribution over whole texts.
    """

    vocabulary: Vocabulary
    max_new_tokens: int
    length: LengthRule = "condition"
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None

    def __post_init__(self) -> None:
        if not is_count(self.max_new_tokens):
            raise OptionError("max_new_tokens", self.max_new_tokens, "a positive int")
        if self.length not in get_args(LengthRule):
            raise OptionError("length", self.length, "'condition' or 'truncate'")
        if not _is_real(self.temperature) or not 0 < self.temperature < math.inf:
            raise OptionError(
                "temperature",
                self.temperature,
                "a number above 0: at 0 there is one text and nothing to sample; use structgen.generate",
            )
        if self.top_k is not None and not is_count(self.top_k):
            raise OptionError("top_k", self.top_k, "a positive int, or None for all tokens")
        if self.top_p is not None and (not _is_real(self.top_p) or not 0 < self.top_p <= 1):
            raise OptionError("top_p", self.top_p, "a number above 0 and at most 1, or None")

    @property
    def stop(self) -> int:
        """The id that stands for all stop ids."""
        return self.vocabulary.eos_token_ids[0]

    @property
    def digest(self) -> str:
        """Hash of all that P and the length rule depend on, the model left out."""
        text = f"{self.max_new_tokens} {self.length} {self.temperature!r} {self.top_k} {self.top_p!r}"
        content = hashlib.blake2b(text.encode(), digest_size=16)
        content.update(self.vocabulary.digest)
        return content.hexdigest()

    def only_stop_fits(self, depth: int) -> bool:
        """Whether after ``depth`` tokens nothing but a stop may come."""
        return self.length == "condition" and depth >= self.max_new_tokens - 1

    def is_cut_at(self, depth: int) -> bool:
        """Whether a text of ``depth`` tokens is taken as it is, without a stop."""
        return self.length == "truncate" and depth >= self.max_new_tokens

    def log_probabilities(self, logits: torch.Tensor) -> torch.Tensor:
        """log P(. | prefix) float64 (rows, width) of logits (rows, width), all stop ids merged into `stop`.

        Columns past the vocabulary keep their probability: the model may draw them, no text holds them.
        Raises `GenerationError` where the model's logits are NaN or infinite.
        """
        scores = logits.to(torch.float64)
        if self.temperature != 1.0:
            scores = scores / self.temperature
        if self.top_k is not None and self.top_k < scores.shape[1]:
            scores = _keep_top_k(scores, self.top_k)
        logp = torch.log_softmax(scores, dim=1)
        if bool(torch.isnan(logp[:, 0]).any()):  # one NaN or +inf in a row makes all of the row NaN
            raise GenerationError(
                "the model's logits are NaN or infinite; its weights, its precision or its input are broken"
            )
        if self.top_p is not None and self.top_p < 1:
            logp = torch.log_softmax(_keep_top_p(logp, self.top_p), dim=1)
        stops = self.vocabulary.eos_token_ids
        if len(stops) > 1:
            logp[:, stops[0]] = torch.logsumexp(logp[:, list(stops)], dim=1)
            logp[:, list(stops[1:])] = -math.inf
        return logp

    def scored(self, logits: torch.Tensor) -> ScoredRows:
        """P of ``logits`` (rows, width), to be masked and drawn from. Raises as `log_probabilities`."""
        if logits.device.type != "cpu":
            return TensorRows(self.log_probabilities(logits))
        if self.top_k is not None or self.top_p is not None or len(self.vocabulary.eos_token_ids) > 1:
            return ArrayRows(self.log_probabilities(logits))
        # as exact as the logits are: the model rounded them to as many bits
        scores = (logits if logits.dtype == torch.float64 else logits.to(torch.float32)).contiguous()
        return ArrayRows(scores if self.temperature == 1.0 else scores / self.temperature)

    def check_width(self, width: int) -> None:
        """Raise `BitmaskError` if ids of the vocabulary that matter have no column in logits so wide."""
        vocabulary = self.vocabulary
        for token in range(width, vocabulary.size):
            if vocabulary.tokens[token] or token in vocabulary.eos_token_ids:
                raise BitmaskError(
                    f"the model's logits have {width} columns, but id {token} of the vocabulary has text or "
                    "ends it; was the grammar compiled for another tokenizer?"
                )


def is_count(value: object) -> bool:
    """Whether ``value`` is an int above 0 (True is none)."""
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _is_real(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _keep_top_k(scores: torch.Tensor, k: int) -> torch.Tensor:
    order = torch.sort(scores, dim=1, descending=True, stable=True).indices
    return scores.scatter(1, order[:, k:], -math.inf)


def _keep_top_p(logp: torch.Tensor, p: float) -> torch.Tensor:
    ordered, order = torch.sort(logp, dim=1, descending=True, stable=True)
    before = torch.cumsum(ordered.exp(), dim=1) - ordered.exp()  # mass of the likelier ones
    dropped = before >= p
    dropped[:, 0] = False
    return logp.masked_fill(torch.zeros_like(dropped).scatter(1, order, dropped), -math.inf)
