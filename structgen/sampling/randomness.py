"""Where chance comes from: one `torch.Generator`, so that the same seed gives the same result.

Tokens are drawn from a float64 distribution function. Over 130,000 float32 entries, as `torch.multinomial`
adds them up, a token of negligible mass, or of none, comes out now and then; here a token without mass is
never returned.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from structgen_kernels.rows import draw

Float64 = npt.NDArray[np.float64]
Scheme = Literal["stratified", "systematic"]


class Randomness:
    """Uniform numbers and draws from them. ``generator``: of the CPU; None for torch's global one."""

    def __init__(self, generator: torch.Generator | None = None) -> None:
        self._generator = generator

    def uniforms(self, count: int) -> Float64:
        """float64 (count,) in [0, 1)."""
        drawn: Float64 = torch.rand(count, generator=self._generator, dtype=torch.float64).numpy()
        return drawn

    def index(self, weights: Float64) -> int:
        """An index of ``weights`` float64 (k,), not negative, not all 0, by weight."""
        return index_at(np.cumsum(weights), float(self.uniforms(1)[0]))

    def coin(self, p: float) -> bool:
        """True with probability ``p``."""
        return float(self.uniforms(1)[0]) < p

    def one_of(self, weights: dict[int, float]) -> int:
        """A key by weight; not all are 0."""
        return list(weights)[self.index(np.array(list(weights.values())))]

    def stratified(self, weights: Float64, count: int) -> list[int]:
        """``count`` indices of ``weights`` float64 (k,), not all 0, by weight: one a stratum."""
        cdf = np.cumsum(weights)
        u = (np.arange(count) + self.uniforms(count)) / count
        return [index_at(cdf, each) for each in u.tolist()]

    def spread(self, count: int) -> Float64:
        """float64 (count,): each by itself uniform in [0, 1), together one a stratum.

        In random order, so that it does not matter what they are used for one after another: whatever
        the weights of particles that draw by them are, each is as likely to get any stratum.
        """
        return self.spreads([count])

    def spreads(self, counts: Sequence[int]) -> Float64:
        """`spread` of each of ``counts``, one after another."""
        u = self.uniforms(sum(count if count == 1 else 2 * count for count in counts))
        if len(u) == len(counts):
            return u
        parts = []
        begin = 0
        for count in counts:
            end = begin + count
            part = u[begin:end]
            if count > 1:
                begin, end = end, end + count
                part = (np.argsort(u[begin:end]) + part) / count
            parts.append(part)
            begin = end
        return np.concatenate(parts)

    def tokens(
        self, masses: npt.NDArray[np.floating[Any]], sums: Float64, rows: Sequence[int], counts: Sequence[int]
    ) -> list[int]:
        """``counts[i]`` columns of ``masses[rows[i]]`` for each i, by mass, each set spread as above.

        masses: float (rows, width), not negative, none of the rows all 0. sums: of their blocks, float64, as
            `structgen_kernels.rows.draw` takes them.
        """
        tokens = np.empty(sum(counts), np.int64)
        row_of = np.repeat(np.array(rows, np.int64), np.array(counts, np.int64))
        draw(masses, sums, row_of, self.spreads(counts), tokens)
        drawn: list[int] = tokens.tolist()
        return drawn

    def geometric(self, p_continue: float) -> int:
        """How often an event of probability ``p_continue`` comes before its opposite: 0, 1, ..."""
        if p_continue <= 0:
            return 0
        u = 1.0 - float(self.uniforms(1)[0])  # in (0, 1]
        return int(min(math.log(u) / math.log(p_continue), 2.0**53)) if p_continue < 1 else 2**53

    def resampled(self, weights: Float64, scheme: Scheme) -> list[int]:
        """As many indices of ``weights`` float64 (N,), which sum to 1, by weight."""
        u = self.uniforms(len(weights) if scheme == "stratified" else 1)
        parents: list[int] = ancestors(weights, u, scheme).tolist()
        return parents


def index_at(cdf: npt.NDArray[Any], u: float) -> int:
    """The index that ``u`` in [0, 1) falls on in the running sums ``cdf`` float64 (k,); it has mass."""
    total = float(cdf[-1])
    x = u * total
    if x >= total:  # rounding
        return int(np.searchsorted(cdf, total, side="left"))
    return int(np.searchsorted(cdf, x, side="right"))


def ancestors(weights: Float64, u: Float64, scheme: Scheme) -> npt.NDArray[np.int64]:
    """Indices int64 (N,) of ``weights`` float64 (N,), which sum to 1: i comes N weights[i] times on average.

    u: uniforms in [0, 1), one for each stratum ("stratified") or one in all ("systematic").
    Source: Douc, Cappé, Moulines 2005, section 2.
    """
    count = len(weights)
    shifts = u if scheme == "stratified" else np.repeat(u[:1], count)
    cdf = np.cumsum(weights)
    places = (np.arange(count) + shifts) / count * cdf[-1]
    found = np.searchsorted(cdf, places, side="right")
    last = int(np.flatnonzero(weights)[-1])
    parents: npt.NDArray[np.int64] = np.minimum(found, last).astype(np.int64)
    return parents
