"""Adaptive weighted rejection: each estimator properly weighted, by enumeration of all random paths."""

from __future__ import annotations

import math
from collections import defaultdict
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from toy_models import Branches, powerset

from structgen.sampling import awrs
from structgen.sampling.randomness import Randomness

# P over at most 6 tokens: even, uneven, one that has most, one of no mass.
DISTRIBUTIONS = {
    "even": [0.25, 0.25, 0.25, 0.25],
    "uneven": [0.05, 0.4, 0.15, 0.3, 0.1],
    "peaked": [0.9, 0.04, 0.03, 0.02, 0.01],
    "with nothing": [0.5, 0.0, 0.3, 0.2],
    "six": [0.3, 0.25, 0.2, 0.1, 0.1, 0.05],
    "sure": [1.0, 0.0],
}
_TAIL = 1e-11  # of a geometric count that is left out


class EnumeratedPool:
    """A pool whose draws are branches."""

    def __init__(self, p: list[float], branches: Branches) -> None:
        self._p = dict(enumerate(p))
        self._branches = branches
        self.removed = 0.0

    def draw(self) -> tuple[int, float] | None:
        left = {token: p for token, p in self._p.items() if p > 0}
        if not left:
            return None
        total = math.fsum(left.values())
        probabilities = [p / total for p in left.values()]
        chosen = self._branches.choose(probabilities)
        return list(left)[chosen], probabilities[chosen]

    def remove(self, token: int) -> None:
        self.removed += self._p.pop(token)


class EnumeratedGeometric:
    def __init__(self, branches: Branches) -> None:
        self._branches = branches

    def geometric(self, p_continue: float) -> int:
        if p_continue <= 0 or p_continue >= 1:
            return 0  # at 1 nothing is left: the pool says so next
        longest = math.ceil(math.log(_TAIL) / math.log(p_continue))
        return self._branches.choose([(1 - p_continue) * p_continue**k for k in range(longest)])


def expectation(variant: str, p: list[float], valid: tuple[int, ...]) -> np.ndarray:
    """E[w 1{x = a}] for each token a."""
    expected = np.zeros(len(p))
    for branches in Branches.all():
        pool = EnumeratedPool(p, branches)
        if variant == "two-round":
            token, weight = awrs.two_round(pool, valid.__contains__)
        elif variant == "recursive":
            token, weight = awrs.recursive(pool, valid.__contains__)
        else:
            token, weight = awrs.geometric(pool, valid.__contains__, EnumeratedGeometric(branches))
        if token is not None:
            assert token in valid
            expected[token] += branches.probability * weight
    return expected


@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize("variant", ["two-round", "recursive"])
def test_properly_weighted(variant: str, name: str) -> None:
    p = DISTRIBUTIONS[name]
    for valid in powerset(range(len(p))):
        wanted = np.where(np.isin(np.arange(len(p)), valid), p, 0.0)
        assert np.abs(expectation(variant, p, valid) - wanted).max() <= 1e-9, valid


@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize("draws", [1, 2, 3, 7])
@pytest.mark.parametrize("found", [False, True])
def test_shares_are_proper(draws: int, name: str, found: bool) -> None:
    """E[share of a] = P(a) 1{a valid}, for any number of draws, whether or not it has to find one."""
    p = DISTRIBUTIONS[name]
    for valid in powerset(range(len(p))):
        expected = np.zeros(len(p))
        for branches in Branches.all():
            asked: list[int] = []

            def is_valid(token: int, asked=asked, valid=valid) -> bool:
                asked.append(token)
                return token in valid

            shares = awrs.averaged(EnumeratedPool(p, branches), is_valid, draws, found=found)
            assert len(set(asked)) == len(asked)
            assert shares.keys() == set(asked) & set(valid)
            # one more at most than up to the first valid one, should that come late
            late = 0 if found or not shares else asked.index(next(iter(shares))) + 2
            assert not found or len(asked) <= draws
            assert not shares or len(asked) <= max(draws, late)
            if not found and any(p[token] > 0 for token in valid):
                assert shares
            for token, share in shares.items():
                expected[token] += branches.probability * share
        wanted = np.where(np.isin(np.arange(len(p)), valid), p, 0.0)
        assert np.abs(expected - wanted).max() <= 1e-9, valid


def test_shares_vary_by_the_number_of_draws() -> None:
    """Raj's terms are uncorrelated: four of many small tokens vary by a quarter of what one does."""
    p = [1 / 12] * 12
    valid = set(range(9))
    variances = {}
    for draws in (1, 4):
        randomness = Randomness(torch.Generator().manual_seed(2))
        row = np.array(p)
        pools = [awrs.RowPool(awrs.Row(row), randomness) for _ in range(4_000)]
        sums = [
            math.fsum(awrs.averaged(pool, valid.__contains__, draws, found=True).values()) for pool in pools
        ]
        assert np.mean(sums) == pytest.approx(0.75, abs=5 * np.std(sums) / 4_000**0.5)
        variances[draws] = np.var(sums)
    assert variances[1] == pytest.approx(0.75 * 0.25, rel=0.1)
    assert variances[4] < 1.1 * variances[1] / 4


@pytest.mark.parametrize("valid", [(0, 2), (1,), (0, 1, 2, 3), (3,), ()])
@pytest.mark.parametrize("p", [DISTRIBUTIONS["uneven"], [0.93, 0.03, 0.03, 0.01]])
def test_tokens_of_several_particles_are_each_properly_weighted(
    p: list[float], valid: tuple[int, ...]
) -> None:
    """Whatever is known, the i-th of the tokens that share a weight is as good as one drawn by itself."""
    wanted = np.where(np.isin(np.arange(len(p)), valid), p, 0.0)
    for known in powerset(range(len(p))):
        unknown = math.fsum(mass for token, mass in enumerate(p) if token not in known)
        left = [0.0 if token in known else mass / unknown for token, mass in enumerate(p)] if unknown else p
        expected = np.zeros((2, len(p)))
        for branches in Branches.all():
            pool = EnumeratedPool(left, branches)
            tokens, weight = awrs.shared(
                {token: p[token] for token in known if token in valid},
                unknown,
                lambda pool=pool: awrs.averaged(pool, valid.__contains__, 3),
                EnumeratedSpread(branches),
                2,
            )
            assert len(tokens) == (2 if weight else 0)
            for place, token in enumerate(tokens):
                expected[place, token] += branches.probability * weight
        # the uniforms are two hundred points a stratum, the shares any numbers
        assert np.abs(expected - wanted).max() <= 0.004, known
        assert np.abs(expected.sum(axis=1) - wanted.sum()).max() <= 1e-9, known


class EnumeratedSpread:
    """The uniforms of two draws in the middle of cells, so that a sum over branches is an integral."""

    def __init__(self, branches: Branches) -> None:
        self._branches = branches

    def coin(self, p: float) -> bool:
        return self._branches.choose([p, 1 - p]) == 0

    def spread(self, count: int) -> np.ndarray:
        # the draws' other halves mirror each other: each by itself runs through all cells of both strata
        cell = self._branches.choose([1 / 400] * 400)
        u = (cell + 0.5) / 400
        return np.array([u, (u + 0.5) % 1])[:count]


@pytest.mark.parametrize(
    ("p", "valid"),
    [
        ([0.9, 0.1], (1,)),
        ([0.15, 0.85], (0, 1)),
        ([0.5, 0.3, 0.2], (0,)),
        ([0.5, 0.3, 0.2], (0, 2)),
        ([0.5, 0.3, 0.2], (1,)),
        ([0.4, 0.3, 0.2, 0.1], (0, 3)),
        ([0.4, 0.3, 0.2, 0.1], (0, 1, 3)),
        ([0.3, 0.25, 0.2, 0.1, 0.1, 0.05], (0, 1, 2, 4, 5)),
        ([0.6, 0.4], ()),
    ],
)
def test_geometric_is_properly_weighted(p: list[float], valid: tuple[int, ...]) -> None:
    """Its phantom rejects are infinitely many; those beyond a mass of 1e-11 are left out."""
    wanted = np.where(np.isin(np.arange(len(p)), valid), p, 0.0)
    assert np.abs(expectation("geometric", p, valid) - wanted).max() <= 1e-9


def test_the_test_finds_wrong_token_marginals() -> None:
    """A weight of the right mean with the wrong tokens, which a test of sums alone would let pass."""

    def wrong(pool: EnumeratedPool, is_valid) -> tuple[int | None, float]:
        weight = 1.0
        while True:
            drawn = pool.draw()
            if drawn is None:
                return None, 0.0
            token, q = drawn
            pool.remove(token)
            if is_valid(token):
                break
            weight *= 1 - q
        another = pool.draw()  # the second of the two is returned where it is valid
        if another is None or is_valid(another[0]):
            return (token if another is None else another[0]), weight
        return token, weight * q

    p, valid = DISTRIBUTIONS["uneven"], (0, 1, 3)
    expected = np.zeros(len(p))
    for branches in Branches.all():
        token, weight = wrong(EnumeratedPool(p, branches), valid.__contains__)
        if token is not None:
            expected[token] += branches.probability * weight
    assert abs(expected.sum() - sum(p[a] for a in valid)) <= 1e-9
    assert max(abs(expected[a] - p[a]) for a in valid) > 0.01


@pytest.mark.parametrize("variant", ["auto", "two-round", "recursive", "geometric", "averaged"])
def test_the_pool_that_is_used_gives_the_same(variant: awrs.Variant) -> None:
    p = np.array([0.02, 0.4, 0.1, 0.3, 0.15, 0.03])
    valid = {0, 2, 4}
    randomness = Randomness(torch.Generator().manual_seed(3))
    n = 60_000
    sums, squares = np.zeros(6), np.zeros(6)
    for _ in range(n):
        row = awrs.Row(7.0 * p)  # it need not be normalised
        token, weight = awrs.weighted_token(row, valid.__contains__, randomness, variant)
        assert token in valid
        sums[token] += weight
        squares[token] += weight**2
    mean = sums / n
    error = np.sqrt(np.maximum(squares / n - mean**2, 1e-12) / n)
    wanted = np.where(np.isin(np.arange(6), list(valid)), p, 0.0)
    assert (np.abs(mean - wanted) <= 4 * error).all()


class EnumeratedChance:
    def __init__(self, branches: Branches) -> None:
        self._branches = branches

    def coin(self, p: float) -> bool:
        return self._branches.choose([p, 1 - p]) == 0

    def one_of(self, weights: dict[int, float]) -> int:
        total = math.fsum(weights.values())
        return list(weights)[self._branches.choose([mass / total for mass in weights.values()])]


@pytest.mark.parametrize("valid", [(0, 2), (1,), (0, 1, 2, 3), (3,), ()])
@pytest.mark.parametrize("p", [DISTRIBUTIONS["uneven"], [0.93, 0.03, 0.03, 0.01], [0.01, 0.97, 0.01, 0.01]])
@pytest.mark.parametrize("variant", ["two-round", "recursive", "cut 0", "cut 2"])
def test_properly_weighted_given_what_is_known(variant: str, p: list[float], valid: tuple[int, ...]) -> None:
    """Exactly, whichever tokens are known; with little unknown mass it is not even drawn from each time."""
    wanted = np.where(np.isin(np.arange(len(p)), valid), p, 0.0)
    for known in powerset(range(len(p))):
        unknown = math.fsum(mass for token, mass in enumerate(p) if token not in known)
        left = [0.0 if token in known else mass / unknown for token, mass in enumerate(p)] if unknown else p
        expected = np.zeros(len(p))
        for branches in Branches.all():
            pool = EnumeratedPool(left, branches)
            estimator: Any = awrs.two_round if variant == "two-round" else awrs.recursive
            if variant.startswith("cut"):
                estimator = partial(awrs.recursive, most=int(variant[-1]))
            token, weight = awrs.combined(
                {token: p[token] for token in known if token in valid},
                unknown,
                lambda pool=pool, estimator=estimator: estimator(pool, valid.__contains__),
                EnumeratedChance(branches),
            )
            if token is not None:
                expected[token] += branches.probability * weight
        assert np.abs(expected - wanted).max() <= 1e-9, known


@pytest.mark.parametrize("variant", ["auto", "two-round", "recursive", "geometric"])
def test_draws_that_share_a_row(variant: awrs.Variant) -> None:
    """The last draw of a row as the first: properly weighted, with a weight that varies less; few checks."""
    p = 1 + np.arange(20) / 40  # none of them so likely that it would be checked first
    p /= p.sum()
    valid = {token for token in range(20) if token % 3}
    randomness = Randomness(torch.Generator().manual_seed(5))
    n, draws = 6_000, 8
    sums, squares = np.zeros((draws, 20)), np.zeros((draws, 20))
    asked = 0

    def is_valid(token: int) -> bool:
        nonlocal asked
        asked += 1
        return token in valid

    for _ in range(n):
        row = awrs.Row(p)
        for draw in range(draws):
            token, weight = awrs.weighted_token(row, is_valid, randomness, variant)
            sums[draw, token] += weight
            squares[draw, token] += weight**2
        assert row.valid.keys() <= valid
    mean = sums / n
    error = np.sqrt(np.maximum(squares / n - mean**2, 1e-12) / n)
    wanted = np.where(np.isin(np.arange(20), list(valid)), p, 0.0)
    assert (np.abs(mean - wanted) <= 4.5 * error).all()
    variance = squares.sum(axis=1) / n - mean.sum(axis=1) ** 2
    assert variance[-1] < variance[0] / 4
    assert asked <= 20 * n  # never twice about one token


def test_draws_without_replacement() -> None:
    """Every token once, in the order of Plackett and Luce, whatever was removed before."""
    p = np.array([0.5, 0.3, 0.0, 0.15, 0.05])
    row = awrs.Row(p)
    randomness = Randomness(torch.Generator().manual_seed(0))
    orders: dict[tuple[int, ...], int] = defaultdict(int)
    n = 20_000
    for _ in range(n):
        pool = awrs.RowPool(row, randomness)
        order = []
        while (drawn := pool.draw()) is not None:
            assert drawn[1] == pytest.approx(p[drawn[0]] / (1 - sum(p[t] for t in order)))
            order.append(drawn[0])
            pool.remove(drawn[0])
        assert sorted(order) == [0, 1, 3, 4]
        assert pool.removed == pytest.approx(1)
        orders[tuple(order)] += 1
    for order, count in orders.items():
        probability, left = 1.0, 1.0
        for token in order:
            probability *= p[token] / left
            left -= p[token]
        assert abs(count - n * probability) <= 5 * math.sqrt(n * probability) + 1


def test_nothing_valid() -> None:
    row = awrs.Row(np.array([0.5, 0.5]))
    for variant in ("two-round", "recursive", "geometric"):
        assert awrs.weighted_token(row, lambda _: False, Randomness(), variant) == (None, 0.0)


@pytest.mark.parametrize("variant", ["recursive", "geometric", "two-round", "averaged"])
def test_checks_do_not_grow_with_the_vocabulary(variant: awrs.Variant) -> None:
    """At a fixed rejected mass, of a third; one token in three is invalid, all over the range of P."""
    medians = {}
    for size in (1_000, 32_000, 152_000):
        generator = np.random.default_rng(size)
        p = generator.exponential(size=size) ** 3
        valid = np.arange(size) % 3 != 0
        p[~valid] *= (p[valid].sum() / 2) / p[~valid].sum()
        randomness = Randomness(torch.Generator().manual_seed(1))
        counts = []
        for _ in range(400):
            row = awrs.Row(p)  # a new one: what is known of a row need not be checked again
            checks = 0

            def is_valid(token: int, valid=valid) -> bool:
                nonlocal checks
                checks += 1
                return bool(valid[token])

            awrs.weighted_token(row, is_valid, randomness, variant)
            counts.append(checks)
        medians[size] = float(np.median(counts))
    assert len(set(medians.values())) == 1 and medians[1_000] <= 5, medians
