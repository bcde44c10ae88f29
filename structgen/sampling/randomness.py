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

    def tokens(self, logp: torch.Tensor, row_of: Sequence[int]) -> tuple[list[int], Float64]:
        """One token for each entry of ``row_of``, from its row of ``logp`` float64 (rows, width).

        Rows need not be normalised; -inf is never drawn. Returns the tokens, -1 for a row without any mass,
        and log of each row's mass float64 (rows,).
        """
        u = self.uniforms(len(row_of))
        if logp.device.type == "cpu":
            return _tokens_of_rows(logp.numpy(), row_of, u)
        best = logp.amax(dim=1, keepdim=True)
        alive = torch.isfinite(best[:, 0])
        cdf = torch.exp(logp - torch.where(alive[:, None], best, 0.0)).cumsum_(dim=1)
        log_mass = (best[:, 0] + cdf[:, -1].log()).cpu().numpy()
        log_mass = np.where(alive.cpu().numpy(), log_mass, -math.inf)
        return self._tokens_on_device(logp, cdf, row_of, u, log_mass), log_mass

    def _tokens_on_device(
        self, logp: torch.Tensor, cdf: torch.Tensor, row_of: Sequence[int], u: Float64, log_mass: Float64
    ) -> list[int]:
        """As above where the rows are not on the CPU: one search for all, only the tokens come back."""
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


def _tokens_of_rows(logp: Float64, row_of: Sequence[int], u: Float64) -> tuple[list[int], Float64]:
    """`Randomness.tokens` for numpy rows. Only what has mass is looked at: after a mask that is little."""
    tokens = [-1] * len(row_of)
    log_mass = np.full(len(logp), -math.inf)
    places: dict[int, list[int]] = {}
    for place, row in enumerate(row_of):
        places.setdefault(row, []).append(place)
    for row, values in enumerate(logp):
        ids = np.flatnonzero(values > -math.inf)
        if not len(ids):
            continue
        allowed = values[ids]
        best = float(allowed.max())
        cdf = np.cumsum(np.exp(allowed - best))
        log_mass[row] = best + math.log(float(cdf[-1]))
        for place in places.get(row, ()):
            tokens[place] = int(ids[index_at(cdf, float(u[place]))])
    return tokens, log_mass


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
