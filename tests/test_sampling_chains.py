"""What has to hold exactly of chains and populations: detailed balance, resampling, unbiased Z."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from toy_models import PROMPT, Branches, Toy, log_softmax, make_toy

from structgen.sampling.constraint import GrammarConstraint
from structgen.sampling.futures import Future, Futures
from structgen.sampling.language_model import LanguageModel
from structgen.sampling.mcmc import cut_probabilities, log_acceptance
from structgen.sampling.particles import LocalProposal
from structgen.sampling.prefix_trie import Node, PrefixTrie
from structgen.sampling.randomness import Randomness, Scheme, ancestors
from structgen.sampling.result import Budget
from structgen.sampling.run import Run
from structgen.sampling.smc import Pilot, Resampler, run_twisted, smc
from structgen.sampling.target import Target
from structgen.sampling.twisted import TrieParticles
from structgen.sampling.walk import Walker


@pytest.fixture(scope="module")
def tiny_support() -> Toy:
    return make_toy("choice", ["a", "ab", "b", "bca", "cab", "c(a)"], 6, seed=4)


def steps_of(made: Toy, w: tuple[int, ...]) -> tuple[list[float], list[float], list[float]]:
    """log Z_t, entropies and log local probabilities at each step of a text, straight from the table."""
    log_allowed, entropies, log_local = [], [], []
    for at in range(len(w) + 1):
        p = np.exp(log_softmax(made.model.lookup(torch.tensor([[*PROMPT, *w[:at]]]))[0]))
        continuing = {v[at] for v in made.target if v[:at] == w[:at] and len(v) > at}
        masses = {token: float(p[token]) for token in continuing}
        if w[:at] in made.target:
            masses[6] = float(p[6] + p[7])
        z = sum(masses.values())
        log_allowed.append(math.log(z))
        entropies.append(-sum(m / z * math.log(m / z) for m in masses.values()))
        log_local.append(math.log(masses[w[at] if at < len(w) else 6] / z))
    return log_allowed, entropies, log_local


@pytest.mark.parametrize("cut", ["uniform", "priority", "restart"])
def test_the_transition_matrix_keeps_the_target(tiny_support: Toy, cut: str) -> None:
    texts = sorted(tiny_support.target)
    pi = np.array([tiny_support.target[w] for w in texts])
    steps = {w: steps_of(tiny_support, w) for w in texts}
    k = np.zeros((len(texts), len(texts)))
    for i, x in enumerate(texts):
        for at, chosen in enumerate(cut_probabilities(tuple(steps[x][1]), cut)):
            for j, y in enumerate(texts):
                if chosen > 0 and y[:at] == x[:at] and len(y) >= at:
                    proposed = chosen * math.exp(sum(steps[y][2][at:]))
                    log_accept = log_acceptance(
                        tuple(steps[x][0]),
                        tuple(steps[x][1]),
                        tuple(steps[y][0]),
                        tuple(steps[y][1]),
                        at,
                        cut,
                    )
                    k[i, j] += proposed * math.exp(log_accept)
        k[i, i] += 1 - k[i].sum()
    assert k.min() >= -1e-12 and np.abs(pi @ k - pi).sum() <= 1e-10
    flow = pi[:, None] * k
    assert np.abs(flow - flow.T).max() <= 1e-12
    assert abs(np.linalg.matrix_power(k, 3000)[0] - pi).sum() <= 1e-6  # and it is the only law kept


def test_accepting_everything_would_not_keep_it(tiny_support: Toy) -> None:
    """The negative control: without the acceptance step the law is that of local masking."""
    texts = sorted(tiny_support.target)
    pi = np.array([tiny_support.target[w] for w in texts])
    local = np.array([math.exp(sum(steps_of(tiny_support, w)[2])) for w in texts])
    assert local.sum() == pytest.approx(1) and np.abs(local - pi).sum() > 0.1


@pytest.mark.parametrize("scheme", ["stratified", "systematic"])
def test_every_particle_comes_as_often_as_its_weight_says(scheme: Scheme) -> None:
    """Exactly: the number of copies is integrated over the uniforms, which it is constant between."""
    for weights in ([0.5, 0.3, 0.2], [0.05, 0.9, 0.05], [1.0, 0.0, 0.0], [0.25, 0.25, 0.25, 0.25]):
        w = np.array(weights)
        copies = np.zeros(len(w))
        for u, probability in uniforms_by_cell(w, scheme):
            copies += probability * np.bincount(ancestors(w, u, scheme), minlength=len(w))
        np.testing.assert_allclose(copies, len(w) * w, atol=1e-12)


def uniforms_by_cell(weights: np.ndarray, scheme: Scheme) -> list[tuple[np.ndarray, float]]:
    """One point of each cell of the uniforms in which `ancestors` is constant, and the cell's volume."""
    n = len(weights)
    inner = n * np.cumsum(weights)
    cells = []
    for stratum in range(n):
        edges = sorted({0.0, 1.0, *(float(x - stratum) for x in inner if 0 < x - stratum < 1)})
        cells.append([((a + b) / 2, b - a) for a, b in itertools.pairwise(edges)])
    if scheme == "systematic":
        edges = sorted({0.0, 1.0, *(float(x - math.floor(x)) for x in inner)})
        return [(np.array([(a + b) / 2]), b - a) for a, b in itertools.pairwise(edges)]
    return [
        (np.array([u for u, _ in chosen]), math.prod(volume for _, volume in chosen))
        for chosen in itertools.product(*cells)
    ]


class EnumeratedRandomness(Randomness):
    """All outcomes of a population: tokens by their probabilities, ancestors by the cells of the uniforms."""

    def __init__(self, branches: Branches) -> None:
        super().__init__()
        self.branches = branches

    def tokens(self, masses, sums, rows, counts):
        assert masses.sum(axis=1) == pytest.approx(sums.sum(axis=1))
        return [
            token
            for row, count in zip(rows, counts, strict=True)
            for token in self.one_set(masses[row], count)
        ]

    def one_set(self, masses, count):
        if count == 1:
            return [self.branches.choose((masses / masses.sum()).tolist())]
        spread = self.stratified(masses.astype(np.float64), count)
        orders = list(itertools.permutations(spread))
        return list(orders[self.branches.choose([1 / len(orders)] * len(orders))])

    def stratified(self, weights, count):
        edges = count * np.cumsum(weights) / weights.sum()
        places = []
        for stratum in range(count):
            inner = sorted(
                {0.0, 1.0, *(float(x - stratum) for x in edges if 1e-12 < x - stratum < 1 - 1e-12)}
            )
            cells = [((a + b) / 2, b - a) for a, b in itertools.pairwise(inner)]
            at = stratum + cells[self.branches.choose([volume for _, volume in cells])][0]
            places.append(int(np.searchsorted(edges, at, side="right")))
        return places

    def resampled(self, weights, scheme):
        cells = uniforms_by_cell(weights, scheme)
        chosen = self.branches.choose([volume for _, volume in cells])
        return ancestors(weights, cells[chosen][0], scheme).tolist()


@pytest.mark.parametrize("scheme", ["stratified", "systematic"])
def test_smc_by_enumeration(scheme: Scheme) -> None:
    """All runs of two particles with resampling: E[Z] = Z, and E[mean of w 1{x}] = P(x) for every text."""
    made = make_toy("choice", ["a", "ab", "b", "ca"], 4, seed=2)
    model = LanguageModel(made.model, PROMPT, target_of(made))
    expected: dict[tuple[int, ...], float] = {}
    z = total = 0.0
    resampled = 0
    for branches in Branches.all():
        randomness = EnumeratedRandomness(branches)
        rules = GrammarConstraint(made.grammar)
        run = Run(model, rules, randomness, PrefixTrie(None), Budget(), 64)
        result = smc(
            run,
            LocalProposal(randomness),
            n=None,
            particles=2,
            ess_threshold=0.95,
            scheme=scheme,
            critic=None,
        )
        total += branches.probability
        z += branches.probability * math.exp(result.log_z)
        resampled += result.diagnostics.resamplings
        for w, log_weight in zip(result.sequences, result.log_weights, strict=True):
            expected[w] = expected.get(w, 0.0) + branches.probability * math.exp(log_weight) / 2
    assert total == pytest.approx(1, abs=1e-9) and resampled > 0
    assert z == pytest.approx(made.z, rel=1e-9)
    for w, p in made.target.items():
        assert expected[w] == pytest.approx(p * made.z, rel=1e-9)


class Taught(Pilot):
    """A pilot that runs nothing: the trie is as the test made it."""

    def teach(self, groups: int, each: int, resampler: Resampler) -> None:
        pass


@pytest.mark.parametrize("error", [0.0, 2.0])
@pytest.mark.parametrize("taught", [(), ((0, 1), (2,)), ((2, 0), (1,), (0,))])
@pytest.mark.parametrize("scheme", ["stratified", "systematic"])
def test_twisted_smc_by_enumeration(
    scheme: Scheme, taught: tuple[tuple[int, ...], ...], error: float
) -> None:
    """The same with particles on a trie, whatever it knows and expects, rightly or wrongly."""
    made = make_toy("choice", ["a", "ab", "b", "ca"], 4, seed=2)
    model = LanguageModel(made.model, PROMPT, target_of(made))
    expected: dict[tuple[int, ...], float] = {}
    z = total = 0.0
    resampled = 0
    for branches in Branches.all():
        randomness = EnumeratedRandomness(branches)
        run = Run(model, GrammarConstraint(made.grammar), randomness, PrefixTrie(None), Budget(), 64)
        teach(run, taught)
        run.trie.futures = Mistaken(run.walker(), error)
        before = run.trie.root.bound
        resampler = Resampler(randomness, 0.95, scheme)
        (particles,) = run_twisted(run, Taught(run), groups=1, each=2, critic=None, resampler=resampler)
        assert (before < 1) == bool(taught) and run.trie.root.bound <= before + 1e-12
        total += branches.probability
        z += branches.probability * sum(math.exp(one.log_weight) for one in particles) / 2
        resampled += resampler.resamplings
        for one in particles:
            if one.ending == "stop":
                share = branches.probability * math.exp(one.log_weight) / 2
                expected[one.tokens] = expected.get(one.tokens, 0.0) + share
    assert total == pytest.approx(1, abs=1e-9) and (resampled > 0 or taught)
    assert z == pytest.approx(made.z, rel=1e-9)
    assert expected.keys() == made.target.keys()
    for w, p in made.target.items():
        assert expected[w] == pytest.approx(p * made.z, rel=1e-9)


def teach(run: Run, prefixes: tuple[tuple[int, ...], ...]) -> None:
    """Visit the nodes on the way to each prefix, and bring the bounds up to date."""
    walker = run.walker()
    for prefix in prefixes:
        node = run.trie.root
        for token in (*prefix, None):
            if not node.is_visited:
                walker.run_at([node], {}, None)
            if token is not None:
                child = run.trie.child(node, token, node.log_probability(token), None)
                child.state = walker.mask.extended(walker.state_of(node), token)
                node = child
        run.trie.update([node])


class Mistaken(Futures):
    """Expectations that are wrong by factors of up to e^error, different ones for each token and place."""

    def __init__(self, walker: Walker, error: float) -> None:
        super().__init__(walker)
        self._error = error
        self.teach(walker.trie.walk())

    def _expect(self, walker: Walker, node: Node, future: Future) -> None:
        super()._expect(walker, node, future)
        some = np.random.default_rng([node.depth, node.token + 1]).uniform(size=len(future.log_twist) + 1)
        future.log_twist = future.log_twist + self._error * (2 * some[:-1] - 1)
        future.log_rest += self._error * (2 * float(some[-1]) - 1)


def test_twisted_particles_know_what_a_twist_is_worth() -> None:
    """The negative control: with what the twist put in never taken out, the mean of the weights is not Z."""
    made = make_toy("choice", ["a", "ab", "b", "ca"], 4, seed=2)
    model = LanguageModel(made.model, PROMPT, target_of(made))
    wrong = 0.0
    for branches in Branches.all():
        randomness = EnumeratedRandomness(branches)
        run = Run(model, GrammarConstraint(made.grammar), randomness, PrefixTrie(None), Budget(), 64)
        teach(run, ((0, 1), (2,)))
        expected = TrieParticles(run.walker(), 1, 1).expected
        resampler = Resampler(randomness, 0.95, "stratified")
        (particles,) = run_twisted(run, Taught(run), groups=1, each=1, critic=None, resampler=resampler)
        wrong += branches.probability * math.exp(particles[0].log_weight - expected)
    assert abs(wrong - made.z) > 0.1 * made.z


def target_of(made: Toy) -> Target:
    return Target(made.grammar.vocabulary, made.max_new_tokens)


def test_local_by_enumeration() -> None:
    made = make_toy("choice", ["a", "ab", "b", "cab"], 5, seed=6)
    total = sum(
        math.exp(sum(local) + sum(allowed)) for allowed, _, local in (steps_of(made, w) for w in made.target)
    )
    assert total == pytest.approx(made.z, rel=1e-12)
