"""What particles are steered by: the surrogate's sums, and that expectations come to be the masses."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from toy_models import GRAMMARS, PROMPT, Toy, make_toy

from structgen import allocate_bitmask, sample
from structgen.sampling import PrefixTrie, smc
from structgen.sampling import surrogate as surrogates
from structgen.sampling.constraint import GrammarConstraint, State
from structgen.sampling.futures import Futures
from structgen.sampling.language_model import LanguageModel
from structgen.sampling.mask import TokenMask
from structgen.sampling.randomness import Randomness
from structgen.sampling.result import Budget
from structgen.sampling.run import Run
from structgen.sampling.surrogate import Surrogate
from structgen.sampling.target import LengthRule, Target
from structgen.sampling.twisted import TrieParticles, futures_of

STOP = 6


def surrogate_of(made: Toy, length: LengthRule = "condition") -> tuple[Surrogate, TokenMask, State]:
    target = Target(made.grammar.vocabulary, made.max_new_tokens, length)
    mask, start = TokenMask(target), GrammarConstraint(made.grammar).start()
    return Surrogate(target, mask, start), mask, start


def summed(mask: TokenMask, state: State, p: Any, steps: int, is_cut: bool) -> float:
    """The mass of all ways on, one after another: P of a token by the kind of the state alone."""
    if steps == 0:
        return 1.0 if is_cut else 0.0
    row = p(state)
    total = row.get(STOP, 0.0)
    for token in range(STOP):
        after = mask.extended(state, token) if token in row else None
        if after is not None:
            total += row[token] * summed(mask, after, p, steps - 1, is_cut)
    return total


@pytest.mark.parametrize("length", ["condition", "truncate"])
@pytest.mark.parametrize("name", GRAMMARS)
def test_the_surrogate_sums_over_all_texts(name: str, length: LengthRule) -> None:
    """Before anything was counted P is even over what may follow, e^-1 of it; then as it was counted."""
    made = make_toy(*GRAMMARS[name])
    surrogate, mask, start = surrogate_of(made, length)
    steps, is_cut = made.max_new_tokens, length == "truncate"

    def even(state: State) -> dict[int, float]:
        bits = np.unpackbits(mask.of([state], [0])[0].view(np.uint8), bitorder="little")
        allowed = [token for token in range(STOP + 1) if bits[token]]
        return {token: math.exp(-1) / len(allowed) for token in allowed}

    surrogate.settle()
    for t in range(steps + 1):
        (found,) = surrogate.log_future(np.array([start.kind]), t)
        assert math.exp(found) == pytest.approx(summed(mask, start, even, t, is_cut), abs=1e-12), t
    (unknown,) = surrogate.log_future(np.array([10**9]), steps)
    assert math.isnan(unknown)
    if name in ("brackets", "ambiguous"):  # of thousands of kinds, too many to count each often
        return

    def uneven(state: State) -> dict[int, float]:
        row = even(state)
        some = np.random.default_rng(state.kind).dirichlet(np.ones(len(row))) * 0.8
        return dict(zip(row, some.tolist(), strict=True))

    states, depths = [start], [0]
    for state, depth in zip(states, depths, strict=True):  # grow as they go
        p = uneven(state)
        for _ in range(200):
            surrogate.count(state, np.array(list(p)), np.array(list(p.values())), math.log(0.8))
        for token in p:
            after = None if token == STOP else mask.extended(state, token)
            if after is None or depth == steps or after.kind in {each.kind for each in states}:
                continue
            states.append(after)
            depths.append(depth + 1)
    surrogate.settle()
    (found,) = surrogate.log_future(np.array([start.kind]), steps)
    # one prefix in 201 is made up
    assert math.exp(found) == pytest.approx(summed(mask, start, uneven, steps, is_cut), rel=0.05)


@pytest.mark.parametrize("name", GRAMMARS)
def test_expectations_become_the_masses(name: str) -> None:
    """A trie in which everything was visited knows Z, and no population's estimate is off any more."""
    made = make_toy(*GRAMMARS[name])
    model = LanguageModel(made.model, PROMPT, Target(made.grammar.vocabulary, made.max_new_tokens))
    randomness = Randomness(torch.Generator().manual_seed(0))
    run = Run(model, GrammarConstraint(made.grammar), randomness, PrefixTrie(None), Budget(), 64)
    walker = run.walker()
    waiting = [run.trie.root]
    while waiting:
        node = waiting.pop()
        walker.run_at([node], {}, None)
        assert node.ids is not None
        for token in node.ids.tolist():
            if token != STOP and node.depth < made.max_new_tokens - 1:
                child = run.trie.child(node, token, node.log_probability(token), None)
                child.state = walker.mask.extended(walker.state_of(node), token)
                waiting.append(child)
    futures = futures_of(walker)
    futures.teach(run.trie.walk())
    futures.learn(walker)
    assert run.trie.root.future.log_value == pytest.approx(math.log(made.z), abs=1e-6)
    particles = TrieParticles(walker, 1, 8)
    while particles.going:
        particles.weigh()
        particles.move()
    for one in particles.all:
        # but for the least share that even the worst branch is given
        assert one.log_weight == pytest.approx(math.log(made.z), abs=0.01)


def test_what_is_far_below_a_float_is_expected_still() -> None:
    """Texts of e^-1,500: sums of their probabilities would be 0, and their logarithms are not."""
    grammar = make_toy(*GRAMMARS["regex"]).compiler.regex("a{150}")
    target = Target(grammar.vocabulary, 200)
    mask, start = TokenMask(target), GrammarConstraint(grammar).start()
    surrogate = Surrogate(target, mask, start)
    state: State | None = start
    while state is not None and not state.is_complete():
        surrogate.count(state, np.array([0]), np.array([math.exp(-10)]), -10.0)
        state = mask.extended(state, 0)
    surrogate.settle()
    (found,) = surrogate.log_future(np.array([start.kind]), 200)
    assert found == pytest.approx(-1_500, abs=20)


def test_what_was_not_looked_at_is_not_hopeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few kinds are looked at, all of one branch that ends at once: the other has a future, too."""
    monkeypatch.setattr(surrogates, "_FEWEST_KINDS", 8)
    grammar = make_toy(*GRAMMARS["regex"]).compiler.regex("b{1,3}|a{60}")
    target = Target(grammar.vocabulary, 80)
    mask, start = TokenMask(target), GrammarConstraint(grammar).start()
    surrogate = Surrogate(target, mask, start)
    surrogate.settle()
    short, long = surrogate.log_future(surrogate.after(start, np.array([1, 0])), 79)
    assert short > -5
    assert -20 < long < 0


def test_a_prefix_that_nothing_may_follow_does_not_make_all_hopeless() -> None:
    grammar = make_toy(*GRAMMARS["regex"]).compiler.regex("[ab]{5}")
    target = Target(grammar.vocabulary, 10)
    mask, start = TokenMask(target), GrammarConstraint(grammar).start()
    surrogate = Surrogate(target, mask, start)
    surrogate.settle()
    (before,) = surrogate.log_future(np.array([start.kind]), 10)
    surrogate.count(start, np.zeros(0, np.int64), np.zeros(0), -math.inf)
    surrogate.settle()
    (after,) = surrogate.log_future(np.array([start.kind]), 10)
    assert before - 30 < after < before


def test_pilots_that_do_not_agree_widen_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Particles do not see what they missed: by themselves they would be sure of their estimate."""
    monkeypatch.setattr(smc, "_stderr_of_one", lambda particles: 0.0)
    made = make_toy(*GRAMMARS["brackets"])
    options = {**made.arguments(), "method": "smc", "particles": 6}
    agreed = sample(**options, generator=torch.Generator().manual_seed(0))
    assert agreed.log_z_stderr == 0.0
    monkeypatch.setattr(smc, "_MOST_PILOTS", 1)
    for seed in range(5):
        unsure = sample(**options, generator=torch.Generator().manual_seed(seed))
        assert "did not find what was expected" in unsure.diagnostics.notes[-1]
        assert unsure.log_z_stderr > 0.0


@pytest.mark.parametrize("threshold", [0.5, 1.0])
@pytest.mark.parametrize("name", ["regex", "ambiguous", "choice"])
def test_the_error_of_one_population_is_not_too_small(name: str, threshold: float) -> None:
    """Whether particles are resampled now and then or at every step; the pilot's do not count."""
    made = make_toy(*GRAMMARS[name])
    options = {**made.arguments(), "method": "smc", "particles": 8, "ess_threshold": threshold}
    errors, stderrs = [], []
    for seed in range(60):
        result = sample(**options, n=None, generator=torch.Generator().manual_seed(seed))
        errors.append(math.exp(result.log_z) / made.z - 1)
        stderrs.append(result.log_z_stderr)
    error, stderr = np.sqrt(np.mean(np.square(errors))), np.sqrt(np.mean(np.square(stderrs)))
    assert 0.8 * error < stderr < 4 * error


@pytest.mark.parametrize("n", [None, 1])
def test_what_is_mostly_valid_needs_no_twist(n: int | None) -> None:
    grammar = make_toy(*GRAMMARS["regex"]).compiler.regex(".{0,40}")
    made = make_toy(*GRAMMARS["regex"])
    options = {**made.arguments(), "method": "smc", "n": n, "particles": 8, "length": "truncate"}
    rare = sample(**options, generator=torch.Generator().manual_seed(0))
    assert made.z < 0.5 and rare.diagnostics.notes[0].startswith("pilot: ")
    trie = PrefixTrie(None)
    options |= {"constraint": grammar, "state": trie}
    result = sample(**options, generator=torch.Generator().manual_seed(0))
    assert result.log_z > -0.7, "the toy's texts are no longer mostly valid"
    assert result.diagnostics.notes == ("no twist: most of what the model writes is valid as it is",)
    assert trie.futures is None
    again = sample(**options, generator=torch.Generator().manual_seed(1))
    assert again.diagnostics.forwards_physical < result.diagnostics.forwards_physical  # it is remembered


def test_an_interrupted_look_at_what_is_valid_returns() -> None:
    made = make_toy(*GRAMMARS["regex"])

    def stop(progress: Any) -> None:
        raise KeyboardInterrupt

    result = sample(**made.arguments(), method="smc", progress=stop)
    assert len(result) == 0 and result.diagnostics.stopped == "interrupted" and math.isnan(result.log_z)


def test_futures_are_forgotten_with_their_nodes_and_are_not_saved(tmp_path: Any) -> None:
    from structgen.sampling import load_trie, save_trie

    made, trie = make_toy(*GRAMMARS["regex"]), PrefixTrie(None)
    options = {**made.arguments(), "method": "smc", "particles": 6}
    sample(**options, state=trie, generator=torch.Generator().manual_seed(0))
    assert isinstance(trie.futures, Futures) and trie.future_bytes > 0
    save_trie(trie, tmp_path / "trie")
    loaded = load_trie(tmp_path / "trie")
    assert loaded.futures is None and loaded.root.future is None
    result = sample(**options, state=loaded, generator=torch.Generator().manual_seed(1))
    assert abs(result.log_z - math.log(made.z)) < 1 and loaded.root.future is not None
    trie.max_bytes = 1
    trie.update([])
    kept = [node for node in trie.walk() if node.future is not None]
    assert trie.future_bytes == sum(node.future.nbytes for node in kept)
    result = sample(**options, state=trie, generator=torch.Generator().manual_seed(2))
    assert abs(result.log_z - math.log(made.z)) < 1


def test_texts_of_one_configuration_may_go_on_alike() -> None:
    grammar = make_toy(*GRAMMARS["regex"]).grammar
    masks: dict[int, bytes] = {}
    for text in (b"a", b"b", b"aab", b"bc", b"acc", b"ab", b"aabb", b"bb"):
        matcher = grammar.matcher()
        if matcher.accept_bytes(text):
            bitmask = allocate_bitmask(1, grammar.vocabulary.size)
            matcher.fill_bitmask(bitmask)
            assert masks.setdefault(matcher.configuration, bitmask.tobytes()) == bitmask.tobytes()
    assert 1 < len(masks) < 8  # some are of one configuration, others are not
    matcher = grammar.matcher()
    assert matcher.accept_bytes(b"a") and matcher.accept(STOP) and matcher.configuration == 0
