"""From a whole row of log-probabilities to the few entries that a trie's node keeps.

What is kept are the likeliest tokens that hold all but `ROW_REST` of the allowed mass, `ROW_LENGTH` at most.
On the CPU only the allowed tokens are looked at, and only those sorted that can be among the kept; on a
device the rows stay there, and the entries come back.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch

from structgen.sampling.prefix_trie import ROW_LENGTH, ROW_REST, Float64

_SHORT: Final = 64  # likeliest tokens, which are mostly enough: to find 1024 takes four times as long
_LIKELY: Final = 1e-5  # share of the mass: tokens above it are mostly enough, and some hundreds at most
_NO_LOG: Final = -1e6  # finite, and its exp is 0


@dataclass(frozen=True, slots=True)
class SparseRow:
    """ids, log_p (k,), likeliest first; logs of the mass of the other allowed ones, and of all; entropy."""

    ids: npt.NDArray[np.int64]
    log_p: Float64
    log_rest: float
    log_allowed: float
    entropy: float


def sparse_row(masses: npt.NDArray[np.floating[Any]], unit: float, mass: float, entropy: float) -> SparseRow:
    """Of ``masses`` (width,) of the allowed tokens, else 0, in units of e^unit; ``mass``: their sum."""
    if mass <= 0:
        return SparseRow(np.zeros(0, np.int64), np.zeros(0), -math.inf, -math.inf, 0.0)
    count = int(np.count_nonzero(masses))
    likely = np.flatnonzero(masses > _LIKELY * mass)
    p = masses[likely].astype(np.float64)
    if p.sum() < (1 - ROW_REST) * mass:
        # those below the bar hold ROW_REST of the mass at most, all of them together
        likely = np.flatnonzero(masses > ROW_REST * mass / count)
        p = masses[likely].astype(np.float64)
    if len(likely) > ROW_LENGTH:
        chosen = np.argpartition(-p, ROW_LENGTH)[:ROW_LENGTH]
        likely, p = likely[chosen], p[chosen]
    order = np.argsort(-p, kind="stable")
    return _kept(likely[order], p[order], unit, mass, count, entropy)


def rows_of_tensor(masked: torch.Tensor) -> list[SparseRow]:
    """A row each of ``masked`` float64 (rows, width), log P where allowed and -inf elsewhere."""
    best = masked.amax(dim=1)
    best = torch.where(torch.isfinite(best), best, 0.0)
    logs = masked - best[:, None]
    p = logs.exp()
    masses = p.sum(dim=1)
    # where 0 times -inf is 0
    entropies = (masses.log() - logs.clamp(min=_NO_LOG).mul_(p).sum(dim=1) / masses).tolist()
    counts = (masked > -math.inf).sum(dim=1).tolist()
    top = torch.topk(p, min(_SHORT, p.shape[1]), dim=1)
    if bool((top.values.sum(dim=1) < (1 - ROW_REST) * masses).any()):
        top = torch.topk(p, min(ROW_LENGTH, p.shape[1]), dim=1)
    ids, values, units, totals = (
        top.indices.cpu().numpy(), top.values.cpu().numpy(), best.tolist(), masses.tolist()
    )  # fmt: skip
    rows = []
    for row, count in enumerate(counts):
        has_mass = values[row] > 0
        found, kept = ids[row][has_mass], values[row][has_mass]
        rows.append(
            _kept(found, kept, units[row], totals[row], count, entropies[row])
            if count
            else SparseRow(found[:0], np.zeros(0), -math.inf, -math.inf, 0.0)
        )
    return rows


def _kept(
    ids: npt.NDArray[np.int64], p: Float64, unit: float, mass: float, count: int, entropy: float
) -> SparseRow:
    """The first entries that are enough of ``mass``. p (k,), descending, and mass in units of e^unit."""
    enough = np.flatnonzero(np.cumsum(p) >= (1 - ROW_REST) * mass)
    length = int(enough[0]) + 1 if len(enough) else len(p)
    # of all entries, what the difference leaves is rounding
    rest = mass - float(p[:length].sum()) if length < count else 0.0
    log_rest = unit + math.log(rest) if rest > 0 else -math.inf
    return SparseRow(ids[:length], unit + np.log(p[:length]), log_rest, unit + math.log(mass), entropy)
