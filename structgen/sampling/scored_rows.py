"""What the model says of the next token at several prefixes: P, what a mask leaves of it, draws from it.

Two classes do the same: `ArrayRows` on the CPU, `TensorRows` on a device, where the rows stay.

On the CPU a row is kept as masses exp(score - shift), of the scores' own precision (float32 for a model in
float32 or less, whose scores are rounded as much), and sums of blocks of them in float64. These give the
normaliser, what a mask leaves, and draws, which look at the sums and at one block; log P of single tokens
comes from the scores, in float64. So nothing of the vocabulary's size is written but the masses, once.
P sums to 1 within 1e-7. Where a mask leaves less than `_LITTLE` of a row, its masses are made again in
units of the likeliest token that is left, so that none is lost to underflow that could be drawn.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Sequence
from itertools import chain
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt
import torch
from structgen_kernels.apply_cpu import mask_rows
from structgen_kernels.rows import BLOCK, block_sums, exp_and_sum, masses_of_few, mean_log

from structgen.apply import apply_bitmask_
from structgen.errors import GenerationError
from structgen.sampling.constraint import Bitmask
from structgen.sampling.prefix_trie import Float64
from structgen.sampling.randomness import Randomness, index_at
from structgen.sampling.sparse_rows import SparseRow, rows_of_tensor, sparse_row

_LITTLE: Final = 1e-12  # share of a row's mass; tokens of 1e-26 of what is left have mass in float32 still
_SMALL_LOG: Final = -500.0  # exp of it has all bits still

_INTEGERS: Final[dict[int, Any]] = {4: np.int32, 8: np.int64}  # by the bytes of a float

FloatRow = npt.NDArray[np.floating[Any]]
Masses = tuple[FloatRow, Float64, float]


class ScoredRows(Protocol):
    """Rows of P, float (rows, width), that are masked once or not at all."""

    def __len__(self) -> int: ...

    def log_p(self) -> torch.Tensor:
        """log P float64 (rows, width); -inf for what was masked."""

    def copy(self) -> ScoredRows:
        """The same rows, to be masked by themselves."""

    def mask(self, bitmask: Bitmask) -> None:
        """Take out the tokens that int32 (rows, words) does not allow."""

    def log_p_of(self, rows: Sequence[int], tokens: Sequence[int]) -> list[float]:
        """log P of single tokens that were drawn; -inf for the token -1."""

    def allows(self, row: int, token: int) -> bool:
        """Whether a token has mass after the mask."""

    def tokens(
        self, row_of: Sequence[int], randomness: Randomness, strata: Sequence[Hashable] | None = None
    ) -> tuple[list[int], Float64]:
        """A token of what is left for each entry of ``row_of``, -1 where nothing is; log mass of each row.

        strata: entries of one row with the same key share a stratified set of uniforms: each by itself
            follows the row, together they are spread over it.
        """

    def other_than(self, row: int, ids: npt.NDArray[np.int32] | None, randomness: Randomness) -> int:
        """A token of what is left of one row other than ``ids``, -1 where nothing is."""

    def masses(self, rows: Sequence[int]) -> dict[int, Masses]:
        """For each row with mass: masses (width,), their sums by `BLOCK` float64, and the unit's log."""

    def sparse(self, rows: Sequence[int]) -> list[SparseRow]:
        """The likeliest entries of some rows after the mask."""


class ArrayRows:
    """``scores`` float32 or float64 (rows, width), on the CPU: log P but for a constant a row. Only read.

    Raises `GenerationError` where they are NaN or +inf.
    """

    __slots__ = ("_log_norm", "_p", "_scores", "_sums", "_unit")

    def __init__(self, scores: torch.Tensor) -> None:
        shift: FloatRow = scores.numpy().max(axis=1)  # NaN where one is
        if not np.isfinite(shift).all():
            raise GenerationError(
                "the model's logits are NaN or infinite; its weights, its precision or its input are broken"
            )
        self._scores: FloatRow = scores.numpy()
        self._p: FloatRow = np.empty_like(self._scores)
        self._sums = np.empty((len(self._p), -(-self._p.shape[1] // BLOCK)))
        if scores.dtype == torch.float32:
            exp_and_sum(self._scores, shift, self._p, self._sums)
        else:
            np.exp(self._scores - shift[:, None], out=self._p)
            block_sums(self._p, self._sums)
        self._unit = -np.log(self._sums.sum(axis=1))  # log P of a mass of 1
        self._log_norm = shift.astype(np.float64) - self._unit

    def __len__(self) -> int:
        return len(self._p)

    def log_p(self) -> torch.Tensor:
        logs = self._scores.astype(np.float64) - self._log_norm[:, None]
        logs[self._p == 0] = -math.inf
        return torch.from_numpy(logs)

    def copy(self) -> ArrayRows:
        other = object.__new__(ArrayRows)
        other._p, other._scores, other._sums = self._p.copy(), self._scores, self._sums.copy()
        other._unit, other._log_norm = self._unit.copy(), self._log_norm
        return other

    def mask(self, bitmask: Bitmask) -> None:
        little = _LITTLE * self._sums.sum(axis=1)
        height, width = self._p.shape
        integer = _INTEGERS[self._p.itemsize]  # whose 0 is 0.0
        words = bitmask[:, : -(-width // 32)]
        mask_rows(self._p.reshape(-1).view(integer), width, width, words, np.arange(height), integer(0))
        block_sums(self._p, self._sums)
        for row in np.flatnonzero(self._sums.sum(axis=1) < little).tolist():
            best = masses_of_few(self._p[row], self._scores[row], bitmask[row])
            block_sums(self._p[row : row + 1], self._sums[row : row + 1])
            if best > -math.inf:
                self._unit[row] = best - self._log_norm[row]

    def log_p_of(self, rows: Sequence[int], tokens: Sequence[int]) -> list[float]:
        return [
            float(self._scores[row, token]) - float(self._log_norm[row]) if token >= 0 else -math.inf
            for row, token in zip(rows, tokens, strict=True)
        ]

    def allows(self, row: int, token: int) -> bool:
        return bool(self._p[row, token] > 0)

    def tokens(
        self, row_of: Sequence[int], randomness: Randomness, strata: Sequence[Hashable] | None = None
    ) -> tuple[list[int], Float64]:
        total = self._sums.sum(axis=1)
        log_mass = np.full(len(total), -math.inf)
        alive = total > 0
        log_mass[alive] = self._unit[alive] + np.log(total[alive])
        sets = [(row, places) for row, places in together(row_of, strata) if alive[row]]
        drawn = randomness.tokens(
            self._p, self._sums, [row for row, _ in sets], [len(places) for _, places in sets]
        )
        tokens = [-1] * len(row_of)
        for place, token in zip(chain.from_iterable(places for _, places in sets), drawn, strict=True):
            tokens[place] = token
        return tokens, log_mass

    def other_than(self, row: int, ids: npt.NDArray[np.int32] | None, randomness: Randomness) -> int:
        p = self._p[row].copy()
        if ids is not None:
            p[ids] = 0.0
        cdf = np.cumsum(p, dtype=np.float64)
        return index_at(cdf, float(randomness.uniforms(1)[0])) if cdf[-1] > 0 else -1

    def masses(self, rows: Sequence[int]) -> dict[int, Masses]:
        return {
            row: (self._p[row], self._sums[row], float(self._unit[row]))
            for row in rows
            if self._sums[row].any()
        }

    def sparse(self, rows: Sequence[int]) -> list[SparseRow]:
        found = []
        for row in rows:
            unit = float(self._unit[row])
            total, weighted = mean_log(self._p[row], self._scores[row], self._log_norm[row] + unit)
            entropy = math.log(total) - weighted / total if total > 0 else 0.0
            found.append(sparse_row(self._p[row], unit, total, entropy))
        return found


class TensorRows:
    """``logp`` float64 (rows, width), on any device: log P, which is masked in place."""

    __slots__ = ("_logp",)

    def __init__(self, logp: torch.Tensor) -> None:
        self._logp = logp

    def __len__(self) -> int:
        return len(self._logp)

    def log_p(self) -> torch.Tensor:
        return self._logp

    def copy(self) -> TensorRows:
        return TensorRows(self._logp.clone())

    def mask(self, bitmask: Bitmask) -> None:
        apply_bitmask_(self._logp, bitmask[:, : -(-self._logp.shape[1] // 32)])

    def log_p_of(self, rows: Sequence[int], tokens: Sequence[int]) -> list[float]:
        logs: list[float] = self._logp[list(rows), [max(token, 0) for token in tokens]].tolist()
        return [log if token >= 0 else -math.inf for log, token in zip(logs, tokens, strict=True)]

    def allows(self, row: int, token: int) -> bool:
        return bool(torch.isfinite(self._logp[row, token]))

    def tokens(
        self, row_of: Sequence[int], randomness: Randomness, strata: Sequence[Hashable] | None = None
    ) -> tuple[list[int], Float64]:
        best = self._logp.amax(dim=1, keepdim=True)
        alive = torch.isfinite(best[:, 0])
        cdf = torch.exp(self._logp - torch.where(alive[:, None], best, 0.0)).cumsum_(dim=1)
        log_mass = (best[:, 0] + cdf[:, -1].log()).cpu().numpy()
        log_mass = np.where(alive.cpu().numpy(), log_mass, -math.inf)
        u = np.empty(len(row_of))
        for _, places in together(row_of, strata):
            u[places] = randomness.spread(len(places))
        return self._drawn(cdf, row_of, u, log_mass), log_mass

    def _drawn(self, cdf: torch.Tensor, row_of: Sequence[int], u: Float64, log_mass: Float64) -> list[int]:
        """One search for all; only the tokens come back."""
        logp = self._logp
        rows = torch.tensor(row_of, device=cdf.device)
        # a parallel sum need not be monotone to the last bit, which a search relies on
        functions = torch.cummax(cdf, dim=1).values
        total = functions[:, -1]
        x = torch.from_numpy(u).to(cdf.device) * total[rows]
        x = torch.minimum(x, torch.nextafter(total[rows], torch.zeros_like(x)))
        if len(row_of) == cdf.shape[0] and list(row_of) == list(range(len(row_of))):
            found = torch.searchsorted(functions, x[:, None], right=True)[:, 0]
        else:
            found = torch.searchsorted(functions[rows], x[:, None], right=True)[:, 0]
        found = found.clamp(max=logp.shape[1] - 1)
        massless = torch.isinf(logp[rows, found])
        tokens: list[int] = found.tolist()
        for place in torch.nonzero(massless).flatten().tolist():  # by rounding: the next one that has mass
            allowed = torch.nonzero(torch.isfinite(logp[row_of[place]])).flatten()
            if len(allowed):
                after = allowed[allowed >= tokens[place]]
                tokens[place] = int(after[0] if len(after) else allowed[-1])
        return [token if log_mass[row] > -math.inf else -1 for token, row in zip(tokens, row_of, strict=True)]

    def other_than(self, row: int, ids: npt.NDArray[np.int32] | None, randomness: Randomness) -> int:
        others = self._logp[row : row + 1].clone()
        if ids is not None:
            others[0, ids.astype(np.int64)] = -math.inf
        return TensorRows(others).tokens([0], randomness)[0][0]

    def masses(self, rows: Sequence[int]) -> dict[int, Masses]:
        # moved up where exp would come out as 0, or with few bits, for all of a row
        best = self._logp.amax(dim=1)
        shift = torch.where(torch.isfinite(best) & (best < _SMALL_LOG), best, 0.0)
        p = torch.exp(self._logp - shift[:, None] if bool(shift.any()) else self._logp).cpu().numpy()
        sums = np.empty((len(p), -(-p.shape[1] // BLOCK)))
        block_sums(p, sums)
        shifts = shift.tolist()
        return {row: (p[row], sums[row], shifts[row]) for row in rows if sums[row].any()}

    def sparse(self, rows: Sequence[int]) -> list[SparseRow]:
        return rows_of_tensor(self._logp[list(rows)])


def together(row_of: Sequence[int], strata: Sequence[Hashable] | None) -> Iterator[tuple[int, list[int]]]:
    """The rows with the places of entries that share a stratified set of uniforms; in order of appearance."""
    if strata is None:
        return ((row, [place]) for place, row in enumerate(row_of))
    places: dict[tuple[int, Hashable], list[int]] = {}
    for place, key in enumerate(zip(row_of, strata, strict=True)):
        places.setdefault(key, []).append(place)
    return ((row, each) for (row, _), each in places.items())
