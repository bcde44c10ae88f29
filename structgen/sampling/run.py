"""One call of `sample`: what all methods are given, and the records that they leave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from structgen.sampling.constraint import Constraint
from structgen.sampling.language_model import LanguageModel
from structgen.sampling.prefix_trie import PrefixTrie
from structgen.sampling.randomness import Randomness
from structgen.sampling.result import (
    Budget,
    Diagnostics,
    Guarantee,
    Progress,
    ProgressCallback,
    SampleResult,
    decode,
    effective_sample_size,
    normalised,
)
from structgen.sampling.walk import Walk, Walker


@dataclass(slots=True)
class Run:
    """The model, the constraint and the means of one call. ``trie``: of the prefixes visited."""

    model: LanguageModel
    constraint: Constraint
    randomness: Randomness
    trie: PrefixTrie
    budget: Budget
    batch_size: int
    progress: ProgressCallback | None = None
    checks_before: int = 0  # calls of the predicate before this call of `sample`
    stopped: Literal["", "budget", "interrupted"] = ""
    notes: list[str] = field(default_factory=list)

    def walker(self) -> Walker:
        return Walker(self.model, self.constraint, self.trie, self.randomness)

    @property
    def checks(self) -> int:
        return self.constraint.checks - self.checks_before

    def is_spent(self) -> bool:
        """Whether the budget is used up, which is noted."""
        forwards, checks = self.budget.forwards, self.budget.checks
        spent = (forwards is not None and self.model.forwards.physical >= forwards) or (
            checks is not None and self.checks >= checks
        )
        if spent and not self.stopped:
            self.stopped = "budget"
        return spent

    def report(self, method: str, done: int, wanted: int, tries: int) -> None:
        if self.progress is not None:
            self.progress(Progress(method, done, wanted, tries, self.model.forwards.physical))


@dataclass(slots=True)
class Draw:
    """A text that was drawn: its tokens and its logs. ``log_weight`` -inf: it ended dead."""

    tokens: tuple[int, ...]
    complete: bool
    log_weight: float
    logp: float
    log_proposal: float


def draw_of(walk: Walk, log_weight: float, log_proposal: float) -> Draw:
    """The draw that a valid walk from the root is."""
    return Draw(walk.tokens, walk.ending == "stop", log_weight, walk.logp, log_proposal)


def result_of(
    run: Run,
    method: str,
    guarantee: Guarantee,
    draws: Sequence[Draw],
    *,
    log_z: float,
    log_z_stderr: float,
    tries: int,
    accepted: int | None = None,
    **further: Any,
) -> SampleResult:
    """The result of a run. ``further``: fields of `Diagnostics`."""
    vocabulary = run.model.target.vocabulary
    log_weights = np.array([draw.log_weight for draw in draws])
    forwards = run.model.forwards
    kept = len(draws) if accepted is None else accepted
    weights = normalised(log_weights)
    acceptance = further.pop("acceptance", kept / tries if tries else 0.0)
    return SampleResult(
        method=method,
        guarantee=guarantee,
        length=run.model.target.length,
        sequences=tuple(draw.tokens for draw in draws),
        texts=tuple(decode(vocabulary.decode(draw.tokens)) for draw in draws),
        complete=tuple(draw.complete for draw in draws),
        log_weights=log_weights,
        logp_model=np.array([draw.logp for draw in draws]),
        logp_proposal=np.array([draw.log_proposal for draw in draws]),
        log_z=log_z,
        log_z_stderr=log_z_stderr,
        diagnostics=Diagnostics(
            ess=effective_sample_size(log_weights),
            largest_weight=float(weights.max(initial=0.0)),
            tries=tries,
            accepted=kept,
            acceptance=acceptance,
            forwards_logical=forwards.logical,
            forwards_physical=forwards.physical,
            calls=forwards.calls,
            checks=run.checks,
            stopped=run.stopped,
            notes=tuple(run.notes),
            **further,
        ),
    )
