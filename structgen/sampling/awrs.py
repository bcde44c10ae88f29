"""Adaptive weighted rejection: one token from P restricted to the valid ones, checking few, with a weight.

Source: Lipkin et al. 2025, "Fast Controlled Generation from Language Models with Adaptive Weighted
Rejection Sampling" (two-round). The recursive and geometric estimators spend fewer checks; `averaged`, which
is used unless another is asked for, makes more of each. Tokens are drawn without replacement until one is
valid. For P over the tokens and A the valid ones, each estimator returns x and w with

    E[w 1{x = a}] = P(a) 1{a in A}    for every token a,

so that E[w] is the mass of A (*properly weighted*). `tests/test_sampling_awrs.py` enumerates all random
paths and holds them to this.

What is known of a row is used exactly. The likeliest tokens are checked first, and all draws from one row
share their answers. The valid ones among those weigh their mass V, the others nothing; an estimator as above
(where V > 0, one that is cut short) gives a token y of the unknown mass U and its weight w, and one of the
two is chosen in proportion to V and w U. The weight is V + w U: given what is known it is proper, and varies
by w U only. Where U is small, y is drawn with a chance in proportion to U, and weighs that much more.

Particles of one population with the same text make their draws together (`weighted_tokens`): one estimate
of the mass, which all of them have as their weight, and tokens that are stratified.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, Final, Literal, Protocol

import numpy as np
import numpy.typing as npt
from structgen_kernels.rows import BLOCK, block_sums, fall_on, largest_of_blocks, take_out

from structgen.sampling.prefix_trie import Float64
from structgen.sampling.randomness import Randomness, index_at

Variant = Literal["auto", "two-round", "recursive", "geometric", "averaged"]

DRAWS: Final = 4  # for each particle, of averaged
_NEGLIGIBLE: Final = 2.0**-52  # mass left over at which a row counts as having no valid token
FIRST_FROM: Final = 1 / 8  # share of a token that is checked before anything is drawn
FIRST_MOST: Final = 4
_EAGER: Final = 8  # times U / (V + U): the chance that something unknown is drawn
_UNIFORMS: Final = 8  # at once, two a draw
_REJECTS: Final = 2  # before the last draw, where a valid token is known

Checker = Callable[[int], bool]
FloatRow = npt.NDArray[np.floating[Any]]


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


class _Blocks:
    """Masses p float (V,), not negative, that single tokens are taken out of. ``p`` itself is not written.

    sums float64 (V / `BLOCK`,): the mass left in each block. A block is copied when a token of it goes, so
    that to take one out costs O(`BLOCK`), and to draw one O(V / `BLOCK`).
    """

    __slots__ = ("_changed", "p", "sums")

    def __init__(self, p: FloatRow, sums: Float64, changed: dict[int, FloatRow]) -> None:
        self.p = p
        self.sums = sums
        self._changed = changed

    def fork(self) -> _Blocks:
        return _Blocks(self.p, self.sums.copy(), dict(self._changed))

    def block(self, number: int) -> FloatRow:
        changed = self._changed.get(number)
        return self.p[number * BLOCK : (number + 1) * BLOCK] if changed is None else changed

    def take(self, token: int) -> tuple[float, float]:
        """Set a token's mass to 0; what it was, and the largest left in its block."""
        number, place = divmod(token, BLOCK)
        block = self.block(number).copy()  # the one there may be a fork's too
        mass, self.sums[number], largest = take_out(block, place)
        self._changed[number] = block
        return mass, largest


class Row:
    """One distribution, and which of its tokens are known. ``p`` float (V,), not negative, not all 0.

    sums: those of its blocks float64 (V / `BLOCK`,), where they are known.
    whole: the sum of p, which need not be 1. valid: the known valid tokens and their p. unknown: mass of the
    tokens not known. top: the largest p among these.
    """

    __slots__ = ("_tops", "left", "looked", "unknown", "valid", "whole")

    def __init__(self, p: FloatRow, sums: Float64 | None = None) -> None:
        n_blocks = -(-len(p) // BLOCK)
        if sums is None:
            sums = np.empty(n_blocks)
            block_sums(p.reshape(1, -1), sums.reshape(1, -1))
        self.left = _Blocks(p, sums.copy(), {})  # the unknown ones
        self._tops = np.empty(n_blocks)
        largest_of_blocks(p, self._tops)
        self.whole = self.unknown = float(self.left.sums.sum())
        self.valid: dict[int, float] = {}
        self.looked = False  # whether the likeliest tokens were checked

    @property
    def top(self) -> float:
        return float(self._tops.max())

    def learn(self, answers: dict[int, bool]) -> None:
        """Take in which of some tokens, all unknown before, are valid."""
        for token, is_valid in answers.items():
            mass, self._tops[token // BLOCK] = self.left.take(token)
            if is_valid:
                self.valid[token] = mass
        self.unknown = float(self.left.sums.sum())

    def look(self, is_valid: Checker, draws: int = 1) -> None:
        """Check the likeliest tokens, once: those of `FIRST_FROM` of the mass, `FIRST_MOST` at most.

        For a row from which several draws will be made, so many times as many, and as much smaller ones: what
        an answer saves, it saves each of them.
        """
        if self.looked:
            return
        self.looked = True
        for _ in range(FIRST_MOST * draws):
            number = int(self._tops.argmax())
            if self._tops[number] * draws < FIRST_FROM * self.whole:
                break
            token = number * BLOCK + int(self.left.block(number).argmax())
            self.learn({token: is_valid(token)})


class RowPool:
    """A pool over the unknown tokens of a `Row`, which it leaves as it is."""

    __slots__ = ("_left", "_randomness", "_removed", "_row", "_uniforms")

    def __init__(self, row: Row, randomness: Randomness) -> None:
        self._row = row
        self._uniforms: list[float] = []
        self._left = row.left.fork()
        self._randomness = randomness
        self._removed = 0.0

    @property
    def removed(self) -> float:
        return min(1.0, self._removed / self._row.unknown)

    def draw(self) -> tuple[int, float] | None:
        u = self._uniforms
        if not u:
            u += self._randomness.uniforms(_UNIFORMS).tolist()
        number, _, left = fall_on(self._left.sums, u.pop())
        if left <= _NEGLIGIBLE * self._row.whole:
            return None
        place, mass, _ = fall_on(self._left.block(number), u.pop())
        return number * BLOCK + place, min(1.0, mass / left)

    def remove(self, token: int) -> None:
        self._removed += self._left.take(token)[0]


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


def recursive(pool: Pool, is_valid: Checker, most: int | None = None) -> tuple[int | None, float]:
    """Each reject multiplies w by 1 - q, q its probability among those left; then one more is tried.

    With the accepted one taken out too, another token is drawn: w stays if it is valid, and is multiplied
    by the accepted one's probability among those left if not. After ``most`` rejects one last token is
    drawn: w stays if it is valid, and is 0 if not. (Each level is proper if the next one is.)
    """
    weight = 1.0
    rejects = 0
    while True:
        drawn = pool.draw()
        if drawn is None:
            return None, 0.0
        token, q = drawn
        if is_valid(token):
            break
        if rejects == most:
            return None, 0.0
        pool.remove(token)
        rejects += 1
        weight *= 1 - q
    if rejects == most:
        return token, weight
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


def averaged(pool: Pool, is_valid: Checker, draws: int, *, found: bool = False) -> dict[int, float]:
    """Valid tokens with shares of the pool's mass: E[share of a] = P(a) 1{a in A} for every token a.

    Tokens are drawn without replacement. With q_j the probability of the j-th among those left, and
    U_j = (1 - q_1) ... (1 - q_j), the mass left after it,

        t_j  =  sum over i < j of P(a_i) 1{a_i in A}  +  U_(j-1) 1{a_j in A}

    is proper for each j: given a_1 ... a_(j-1), what is known counts with its mass, and of the others one is
    drawn with probability P / U_(j-1) and counts U_(j-1). The t_j are uncorrelated (Raj 1956, "Some
    estimators in sampling with varying probabilities without replacement"), so that the mean of ``draws`` of
    them varies by 1 / ``draws`` of what one does, and no answer goes to waste. A mixture sum w_j t_j is
    proper for any weights of sum 1 of which w_j may depend on the draws before the j-th only. So it goes on
    while nothing valid is found (nor was before: ``found``), with half of the weight left for each draw.
    """
    shares: dict[int, float] = {}
    left = weight = 1.0  # U_(j-1), and the sum of the w_i from j on
    for number in itertools.count(1):
        drawn = pool.draw()
        if drawn is None:
            break
        token, q = drawn
        mine = 1 / max(1 if found else 2, draws - number + 1)  # of the weight left, is this draw's
        if is_valid(token):
            found = True
            shares[token] = weight * left * (mine + (1 - mine) * q)
        if mine == 1:
            break
        pool.remove(token)
        left *= 1 - q
        weight *= 1 - mine
    return shares


class Chance(Protocol):
    """What `combined` needs of `Randomness`."""

    def coin(self, p: float) -> bool: ...

    def one_of(self, weights: dict[int, float]) -> int: ...


def combined(
    valid: dict[int, float], unknown: float, draw: Callable[[], tuple[int | None, float]], chance: Chance
) -> tuple[int | None, float]:
    """A token of those known to be valid, or of the unknown ones, and its weight.

    valid: mass by token. unknown: mass of the others, of which ``draw`` gives one with a proper weight for
    them renormalised.
    """
    known = sum(valid.values())
    token, weight = None, 0.0
    if unknown > 0:
        share = min(1.0, _EAGER * unknown / (known + unknown))
        if share >= 1 or chance.coin(share):
            token, weight = draw()
            weight *= unknown / share
    if known + weight <= 0:
        return None, 0.0
    if weight > 0 and (known <= 0 or chance.coin(weight / (known + weight))):
        return token, known + weight
    return chance.one_of(valid), known + weight


class Spread(Protocol):
    """What `weighted_tokens` needs of `Randomness` besides what `RowPool` does."""

    def coin(self, p: float) -> bool: ...

    def spread(self, count: int) -> Float64: ...


def shared(
    valid: dict[int, float], unknown: float, draw: Callable[[], dict[int, float]], chance: Spread, count: int
) -> tuple[list[int], float]:
    """``count`` tokens of those known to be valid and the unknown ones, and the weight that all of them have.

    As `combined`, but ``draw`` gives shares of the unknown mass. Each token by itself follows the shares,
    which makes each properly weighted; together they are stratified. No tokens, and 0, where none is valid.
    """
    masses = dict(valid)
    if unknown > 0:
        share = min(1.0, _EAGER * unknown / (sum(valid.values()) + unknown))
        if share >= 1 or chance.coin(share):
            masses |= {token: mass * unknown / share for token, mass in draw().items()}
    weight = sum(masses.values())
    if weight <= 0:
        return [], 0.0
    tokens, cdf = list(masses), np.cumsum(list(masses.values()))
    return [tokens[index_at(cdf, u)] for u in chance.spread(count).tolist()], weight


def weighted_tokens(
    row: Row, is_valid: Checker, randomness: Randomness, count: int
) -> tuple[list[int], float]:
    """``count`` tokens of one row by `averaged`, and the weight of each. What is found out stays in it."""
    row.look(is_valid, count)
    answers: dict[int, bool] = {}

    def answer(token: int) -> bool:
        answers[token] = is_valid(token)
        return answers[token]

    def draw() -> dict[int, float]:
        return averaged(RowPool(row, randomness), answer, DRAWS * count, found=bool(row.valid))

    unknown = row.unknown if row.unknown > _NEGLIGIBLE * row.whole else 0.0
    tokens, weight = shared(row.valid, unknown, draw, randomness, count)
    row.learn(answers)
    return tokens, weight / row.whole


def weighted_token(
    row: Row, is_valid: Checker, randomness: Randomness, variant: Variant
) -> tuple[int | None, float]:
    """One token and its weight, None and 0 where no token is valid. What is found out stays in ``row``."""
    if variant in ("auto", "averaged"):
        tokens, weight = weighted_tokens(row, is_valid, randomness, 1)
        return (tokens[0] if tokens else None), weight
    row.look(is_valid)
    answers: dict[int, bool] = {}

    def answer(token: int) -> bool:
        if token not in answers:
            answers[token] = is_valid(token)
        return answers[token]

    def draw() -> tuple[int | None, float]:
        pool = RowPool(row, randomness)
        if row.valid:  # there may be no other: to go on until one is found could be to check all
            return recursive(pool, answer, _REJECTS)
        if variant == "two-round":
            return two_round(pool, answer)
        if variant == "geometric":
            return geometric(pool, answer, randomness)
        return recursive(pool, answer)

    unknown = row.unknown if row.unknown > _NEGLIGIBLE * row.whole else 0.0
    token, weight = combined(row.valid, unknown, draw, randomness)
    row.learn(answers)
    return token, weight / row.whole
