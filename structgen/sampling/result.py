"""What `sample` returns: texts with their weights, what is guaranteed about them, and how it went."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from structgen.errors import OptionError
from structgen.sampling.randomness import Randomness
from structgen.sampling.target import LengthRule, is_count

Float64 = npt.NDArray[np.float64]

# exact-iid           the texts are independent draws from the target; all weights are equal
# weighted-unbiased   each text with its weight: E[weight f(text)] = Z E_target[f]; biased without
# asymptotic          the law of the texts goes to the target with the number of draws (asap) or steps (mcmc)
# biased              the texts follow another law than the target; what log_weights holds corrects it
Guarantee = Literal["biased", "asymptotic", "weighted-unbiased", "exact-iid"]


@dataclass(frozen=True, slots=True)
class Budget:
    """The most that a call of `sample` may spend. None: no limit.

    forwards: rows that the model runs (physical forward passes). checks: calls of a predicate.
    A budget is looked at between rounds, so that the last round may exceed it.
    """

    forwards: int | None = None
    checks: int | None = None

    def __post_init__(self) -> None:
        for name, value in (("forwards", self.forwards), ("checks", self.checks)):
            if value is not None and not is_count(value):
                raise OptionError(f"budget.{name}", value, "a positive int, or None for no limit")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a call of `sample` is: ``done`` of ``wanted`` (texts; for particles: tokens of at most)."""

    method: str
    done: int
    wanted: int
    tries: int
    forwards: int


ProgressCallback = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Diagnostics:
    """How it went.

    ess: effective sample size of the weights, (sum w)^2 / sum w^2.
    largest_weight: the largest normalised weight.
    tries, accepted: texts begun, and those that became valid (particles: that did not end dead).
    forwards_logical, forwards_physical, calls: see `structgen.sampling.language_model`.
    checks: calls of a predicate. dead_ends: tries that ended with nothing allowed, or at the length limit.
    allowed_mass: geometric mean of Z_t, the share of the model's mass that the constraint leaves, a step.
    kl: estimate of KL(q || target) in nats, q the law of the texts as they were drawn, weights left out;
        log Z - E_q[log W], so it is 0 only if masking changes nothing. None where W is not known.
    chi2: estimate of chi^2 = E_q[W^2] / Z^2 - 1 of the same two, which importance sampling pays for.
    log_z_upper: exact upper bound on log Z, from the prefix trie. resamplings: of smc.
    acceptance: of the tries, or of the proposals (mcmc). stopped: "" | "budget" | "interrupted".
    notes: what else should be known.
    """

    ess: float
    largest_weight: float
    tries: int
    accepted: int
    acceptance: float
    forwards_logical: int
    forwards_physical: int
    calls: int
    checks: int
    dead_ends: int = 0
    allowed_mass: float | None = None
    kl: float | None = None
    chi2: float | None = None
    log_z_upper: float | None = None
    resamplings: int = 0
    stopped: Literal["", "budget", "interrupted"] = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class SampleResult:
    """Texts and weights.

    sequences: token ids of each text, without the stop. texts: the same, decoded. complete: whether each
        ended by a stop; False only for those cut off (length="truncate", or an interrupted call).
    log_weights: float64 (n,). logp_model: log P of each, the stop included. logp_proposal: log of the
        probability with which it was drawn (nan where that is not known).
    log_z, log_z_stderr: estimate of log Z, Z the probability that the model's own text is valid, and its
        standard error.
    """

    method: str
    guarantee: Guarantee
    length: LengthRule
    sequences: tuple[tuple[int, ...], ...]
    texts: tuple[str, ...]
    complete: tuple[bool, ...]
    log_weights: Float64
    logp_model: Float64
    logp_proposal: Float64
    log_z: float
    log_z_stderr: float
    diagnostics: Diagnostics = field(repr=False)

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def weights(self) -> Float64:
        """The weights, normalised to sum 1; float64 (n,)."""
        return normalised(self.log_weights)

    def resample(self, count: int, generator: torch.Generator | None = None) -> list[str]:
        """``count`` texts by weight, with replacement: of equal weight (importance resampling)."""
        if not is_count(count):
            raise OptionError("count", count, "a positive int")
        weights = self.weights
        if not len(weights) or weights.sum() == 0:
            return []
        randomness = Randomness(generator)
        return [self.texts[randomness.index(weights)] for _ in range(count)]


def normalised(log_weights: Float64) -> Float64:
    """exp of the log weights, divided by their sum; zeros where all are zero."""
    if not len(log_weights) or not np.isfinite(best := log_weights.max()):
        return np.zeros(len(log_weights))
    weights: Float64 = np.exp(log_weights - best)
    weights /= weights.sum()
    return weights


def log_mean(log_values: Float64, count: int) -> float:
    """log of (sum exp(log_values) / count); -inf for none."""
    if not len(log_values) or not np.isfinite(best := log_values.max()):
        return -math.inf
    return float(best + math.log(np.exp(log_values - best).sum() / count))


def effective_sample_size(log_weights: Float64) -> float:
    """(sum w)^2 / sum w^2."""
    weights = normalised(log_weights)
    return float(1 / np.square(weights).sum()) if weights.sum() > 0 else 0.0


def log_z_of_weights(log_weights: Float64, count: int) -> tuple[float, float]:
    """log of the mean of ``count`` independent weights (those not given are 0) and its standard error."""
    log_z = log_mean(log_weights, count)
    if log_z == -math.inf or count < 2:
        return log_z, math.inf if log_z == -math.inf else math.nan
    ratios = np.exp(log_weights - log_z)
    variance = (np.square(ratios).sum() - count) / (count - 1)
    return log_z, math.sqrt(max(0.0, variance) / count)


def distortion(log_weights: Float64, count: int) -> tuple[float | None, float | None]:
    """(KL(q || pi), chi^2(pi, q)) from draws of q and their importance weights.

    Of ``count`` draws those not given ended dead. q is then the law of the others, alpha their share:
    KL = log Z - log alpha - E_q[log W], chi^2 = alpha E_q[W^2] alpha / Z^2 - 1.
    """
    finite = log_weights[np.isfinite(log_weights)]
    if not len(finite):
        return None, None
    log_z = log_mean(finite, count)
    log_alive = math.log(len(finite) / count)
    kl = log_z - log_alive - float(finite.mean())
    ratios = np.exp(finite - log_z + log_alive)
    return max(0.0, kl), max(0.0, float(np.square(ratios).mean()) - 1)


def decode(data: bytes) -> str:
    """As UTF-8; what is not (a character cut off at the end) becomes U+FFFD."""
    return data.decode(errors="replace")
