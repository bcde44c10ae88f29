"""Adaptive weighted rejection: one token from P restricted to the valid ones, checking few, with a weight.

Source: Lipkin et al. 2025, "Fast Controlled Generation from Language Models with Adaptive Weighted
Rejection Sampling" (two-round); the recursive and geometric estimators spend fewer checks. Tokens are drawn
without replacement until one is valid. For P over the tokens and A the valid ones, each estimator returns
x and w with

    E[w 1{x = a}] = P(a) 1{a in A}    for every token a,

so that E[w] is the mass of A (*properly weighted*). `tests/test_sampling_awrs.py` enumerates all random
paths and holds them to this.

Several draws from one row (particles with the same text) share what was found out: a token that one of them
met and that is invalid is left out for the next ones, whose weight is then the estimator's, for what is
left, times the mass that is left. Given what is known each draw is properly weighted, so that sums over them
are; and the more is known, the less a weight varies and the fewer tokens have to be checked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Literal, Protocol

import numpy as np

from structgen.sampling.prefix_trie import Float64
from structgen.sampling.randomness import Randomness, index_at

Variant = Literal["auto", "two-round", "recursive", "geometric"]

# From this probability of the likeliest token on, geometric needs fewer checks for the same variance.
GEOMETRIC_FROM: Final = 2 / 3
_NEGLIGIBLE: Final = 2.0**-52  # mass left over at which a row counts as having no valid token


class Geometric(Protocol):
    """What `geometric` needs of `Randomness`."""

    def geometric(self, p_continue: float) -> int: ...


class Pool(Protocol):
    """A distribution that is drawn from without replacement."""

    @property
    def removed(self) -> float:
        """Probability, under the whole distribution, of what was removed."""

    def draw(self) -> tuple[int, float] | None:
        """A token of those left and its probability among them; None when nothing is left."""

    def remove(self, token: int) -> None:
        """Leave a token out from now on."""


class Row:
    """One distribution, to make pools of. ``p`` float64 (V,), not negative, not all 0; need not sum to 1.

    left: mass of all but the tokens that were `exclude`d. top: share of the likeliest token, of all.
    """

    __slots__ = ("cdf", "left", "out", "p", "top", "valid", "whole")

    def __init__(self, p: Float64) -> None:
        self.p = p
        self.cdf: Float64 = np.cumsum(p)
        self.whole = float(self.cdf[-1])
        self.left = self.whole
        self.top = float(p.max() / self.whole)
        self.out: set[int] = set()  # excluded since `cdf` was made
        self.valid: set[int] = set()  # known to be

    @property
    def share_left(self) -> float:
        return min(1.0, self.left / self.whole)

    def exclude(self, tokens: Sequence[int]) -> None:
        """Leave tokens that are invalid, none of which was left out before, out of all pools to come."""
        if not tokens:
            return
        self.out.update(tokens)
        self.left -= float(self.p[list(tokens)].sum())
        if self.left < 0.5 * float(self.cdf[-1]):
            self.p = self.p.copy()
            self.p[list(self.out)] = 0.0
            self.cdf = np.cumsum(self.p)
            self.left, self.out = float(self.cdf[-1]), set()


class RowPool:
    """A pool over a `Row`, which it leaves as it is. A draw costs O(log V) while half the mass is left."""

    __slots__ = ("_cdf", "_out", "_out_mass", "_randomness", "_removed", "_row", "_total")

    def __init__(self, row: Row, randomness: Randomness) -> None:
        self._row = row
        self._randomness = randomness
        self._cdf = row.cdf
        self._removed: dict[int, float] = {}
        self._out: set[int] = set(row.out)  # removed since `_cdf` was made
        self._total = float(row.cdf[-1])
        self._out_mass = self._total - row.left

    @property
    def removed(self) -> float:
        if self._row.left <= 0:
            return 1.0
        return min(1.0, sum(self._removed.values()) / self._row.left)

    def draw(self) -> tuple[int, float] | None:
        if self._out_mass > 0.5 * self._total:
            rest = self._row.p.copy()
            rest[list(self._row.out)] = 0.0
            rest[list(self._removed)] = 0.0
            self._cdf = np.cumsum(rest)
            self._out, self._out_mass, self._total = set(), 0.0, float(self._cdf[-1])
        left = self._total - self._out_mass
        if left <= _NEGLIGIBLE * self._row.whole:
            return None
        while True:  # at most two rounds are expected
            token = index_at(self._cdf, float(self._randomness.uniforms(1)[0]))
            if token not in self._out:
                return token, min(1.0, float(self._row.p[token]) / left)

    def remove(self, token: int) -> None:
        self._removed[token] = float(self._row.p[token])
        self._out.add(token)
        self._out_mass += self._removed[token]


Checker = Callable[[int], bool]


def two_round(pool: Pool, is_valid: Checker) -> tuple[int | None, float]:
    """Reject until one is accepted, then again from what is left, the accepted one included.

    w = (1 - P(R1)) / (r1 + r2 + 1), R1 the rejects of the first round, r1 and r2 their numbers.
    """
    accepted, rejects = None, 0
    first_rejects = 0.0
    for round_number in (1, 2):
        while True:
            drawn = pool.draw()
            if drawn is None:
                return None, 0.0
            token, _ = drawn
            if token == accepted or is_valid(token):
                break
            pool.remove(token)
            rejects += 1
        if round_number == 1:
            accepted, first_rejects = token, pool.removed
    return accepted, (1 - first_rejects) / (rejects + 1)


def recursive(pool: Pool, is_valid: Checker) -> tuple[int | None, float]:
    """Each reject multiplies w by 1 - q, q its probability among those left; then one more is tried.

    With the accepted one taken out too, another token is drawn: w stays if it is valid, and is multiplied
    by the accepted one's probability among those left if not.
    """
    weight = 1.0
    while True:
        drawn = pool.draw()
        if drawn is None:
            return None, 0.0
        token, q = drawn
        if is_valid(token):
            break
        pool.remove(token)
        weight *= 1 - q
    pool.remove(token)
    another = pool.draw()
    if another is not None and not is_valid(another[0]):
        weight *= q
    return token, weight


def geometric(
    pool: Pool, is_valid: Checker, randomness: Geometric, accepts: int = 2
) -> tuple[int | None, float]:
    """Sampling with replacement until ``accepts`` accepts, where rejects met before cost no check.

    How often these would have come before the next of the others is geometric. w = (a - 1) / (n - 1), with
    n accepts and rejects in all: the unbiased estimate of inverse binomial sampling (Haldane 1945).
    """
    accepted, n_accepted, n_rejected = None, 0, 0
    known: set[int] = set()
    while n_accepted < accepts:
        n_rejected += randomness.geometric(pool.removed)
        drawn = pool.draw()
        if drawn is None:
            return None, 0.0
        token, _ = drawn
        if token in known or is_valid(token):
            known.add(token)
            n_accepted += 1
            accepted = token if accepted is None else accepted
        else:
            pool.remove(token)
            n_rejected += 1
    return accepted, (accepts - 1) / (n_accepted + n_rejected - 1)


def weighted_token(
    row: Row, is_valid: Checker, randomness: Randomness, variant: Variant
) -> tuple[int | None, float]:
    """One token and its weight, None and 0 where no token is valid. What is found out stays in ``row``."""
    known_mass = row.share_left
    invalid: list[int] = []

    def answer(token: int) -> bool:
        if token in row.valid:
            return True
        if is_valid(token):
            row.valid.add(token)
            return True
        invalid.append(token)
        return False

    pool = RowPool(row, randomness)
    if variant == "two-round":
        token, weight = two_round(pool, answer)
    elif variant == "geometric" or (variant == "auto" and row.top >= GEOMETRIC_FROM):
        token, weight = geometric(pool, answer, randomness)
    else:
        token, weight = recursive(pool, answer)
    row.exclude(list(dict.fromkeys(invalid)))
    return token, known_mass * weight
