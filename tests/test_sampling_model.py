"""The model's side: keys and values that are shared, joined and reordered give what a recompute gives."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import transformers
from conftest import TinyModel
from structgen_kernels.rows import BLOCK, block_sums, exp_and_sum
from toy_models import GRAMMARS, make_toy

from structgen import sample
from structgen.errors import GenerationError
from structgen.sampling.language_model import LanguageModel
from structgen.sampling.prefix_trie import ROW_LENGTH, ROW_REST
from structgen.sampling.randomness import Randomness, index_at
from structgen.sampling.scored_rows import ArrayRows, TensorRows
from structgen.sampling.target import Target

PROMPT = [3, 50, 70]


def recomputed(tiny: TinyModel, prefixes: list[tuple[int, ...]], target: Target, model=None) -> torch.Tensor:
    with torch.no_grad():
        rows = [(model or tiny.model)(torch.tensor([[*PROMPT, *w]])).logits[:, -1] for w in prefixes]
    return target.log_probabilities(torch.cat(rows))


def test_reordered_rows_give_what_a_recompute_gives(tiny: TinyModel) -> None:
    target = Target(tiny.vocabulary, 50)
    model = LanguageModel(tiny.model, PROMPT, target)
    rows = model.begin()
    torch.testing.assert_close(model.first_row().log_p(), recomputed(tiny, [()], target), atol=1e-5, rtol=0)
    generator = np.random.default_rng(0)
    for _ in range(10):
        count = len(rows.prefixes)
        parents = sorted(generator.integers(0, count, size=6).tolist(), key=lambda _: generator.random())
        tokens = generator.integers(0, 200, size=6).tolist()
        before = rows.prefixes
        scored, rows = rows.advance(parents, tokens)
        assert rows.prefixes == [(*before[a], t) for a, t in zip(parents, tokens, strict=True)]
        torch.testing.assert_close(scored.log_p(), recomputed(tiny, rows.prefixes, target), atol=1e-4, rtol=0)
    assert model.forwards.physical == 1 + 60 and model.forwards.calls == 11


@pytest.mark.parametrize("dropped", [0, 2, 5])
def test_rows_join_with_what_was_kept(tiny: TinyModel, dropped: int) -> None:
    target = Target(tiny.vocabulary, 50)
    model = LanguageModel(tiny.model, PROMPT, target)
    rows, path, kept = model.begin(), [], []
    for token in (10, 20, 30, 40, 60):
        _, rows = rows.advance([0], [token])
        path.append(token)
        kept += rows.keep()
    for row in kept[:dropped]:
        row.block.data = None  # as when there was no room
    other = model.begin()
    for token in (5, 6, 7, 8, 9):
        _, other = other.advance([0], [token])
    before = model.forwards.physical
    scored, after = other.advance([0, 0], [1, 2], [([*path, 77], [*kept, None])])
    torch.testing.assert_close(scored.log_p(), recomputed(tiny, after.prefixes, target), atol=1e-4, rtol=0)
    # what is kept after the first gap is of no use: all of it is run again, and counted
    assert model.forwards.physical - before == 3 + (5 if dropped else 0)


def test_kept_keys_are_bounded(tiny: TinyModel) -> None:
    model = LanguageModel(tiny.model, PROMPT, Target(tiny.vocabulary, 50))
    room = model.cache.kept
    rows, kept = model.begin(), []
    for token in range(30):
        _, rows = rows.advance([0], [token])
        kept += rows.keep()
        room.most_bytes = 10 * room.bytes if token == 0 else room.most_bytes
        assert room.bytes <= room.most_bytes
    assert [row.read() is not None for row in kept] == [False] * 20 + [True] * 10
    del kept, rows
    assert room.bytes == 0


def test_a_model_whose_cache_cannot_be_shared_is_run_as_a_whole(tiny: TinyModel) -> None:
    grammar = tiny.compiler.regex("[ab]{1,3}")
    config = transformers.MambaConfig(
        vocab_size=tiny.width, hidden_size=16, num_hidden_layers=1, state_size=4,
        eos_token_id=list(tiny.eos), initializer_range=0.3,
    )  # fmt: skip
    torch.manual_seed(0)
    model = transformers.MambaForCausalLM(config).eval()
    for method in ("local", "cars"):
        result = sample(
            model, tiny.tokenizer, grammar, PROMPT, method=method, n=3, max_new_tokens=6,
            generator=torch.Generator().manual_seed(0),
        )  # fmt: skip
        assert len(result) == 3 or method == "local"
        target = Target(tiny.vocabulary, 6)
        for w, logp in zip(result.sequences, result.logp_model, strict=True):
            rows = recomputed(tiny, [w[:end] for end in range(len(w) + 1)], target, model)
            steps = [float(row[t]) for row, t in zip(rows, (*w, target.stop), strict=True)]
            assert math.fsum(steps) == pytest.approx(logp, abs=1e-3)


@pytest.mark.parametrize("method", ["local", "cars", "rejection", "asap", "smc", "awrs", "mcmc"])
def test_log_probabilities_are_the_models(tiny: TinyModel, method: str) -> None:
    """Whatever was shared, joined or walked: logp_model is what the model says of the whole text."""
    grammar = tiny.compiler.gbnf('root ::= [a-z]+ ("1" | "yes") | [0-9]')
    n = 8 if method != "smc" else None
    result = sample(
        tiny.model, tiny.tokenizer, grammar, PROMPT, method=method, n=n, max_new_tokens=7,
        generator=torch.Generator().manual_seed(1), mcmc_steps=4, particles=8, temperature=1.3,
    )  # fmt: skip
    assert len(result)
    target = Target(tiny.vocabulary, 7, temperature=1.3)
    for w, logp in zip(result.sequences, result.logp_model, strict=True):
        rows = recomputed(tiny, [w[:end] for end in range(len(w) + 1)], target)
        expected = math.fsum(float(row[t]) for row, t in zip(rows, (*w, target.stop), strict=True))
        assert logp == pytest.approx(expected, abs=1e-3)


def test_nothing_is_run_twice() -> None:
    """On a table that counts what it is asked: as many positions as there are prefixes, and the prompt."""
    made = make_toy(*GRAMMARS["regex"])
    made.model.positions_run = 0
    result = sample(**made.arguments(), method="cars", n=200, generator=torch.Generator().manual_seed(0))
    prefixes = {w[:end] for w in made.target for end in range(len(w) + 1)}
    assert made.model.positions_run - 2 + 1 == result.diagnostics.forwards_physical <= len(prefixes) + 1
    assert result.diagnostics.forwards_logical > 5 * result.diagnostics.forwards_physical


@pytest.mark.parametrize("kind", [ArrayRows, TensorRows])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("strata", [None, [0] * 3001])
def test_no_token_without_mass_is_drawn(kind, dtype, strata) -> None:
    width = 131_072
    logp = torch.full((2, width), -math.inf, dtype=dtype)
    allowed = torch.arange(5, width, 997)
    logp[0, allowed] = -60 * torch.rand(len(allowed), dtype=dtype)
    logp[:, 6] = 3.0  # most of the mass, and all of the second row's; the mask takes it out
    bitmask = np.full((2, width // 32), -1, np.int32)
    bitmask[:, 0] ^= 1 << 6
    rows = kind(torch.log_softmax(logp, dim=1))
    rows.mask(bitmask)
    tokens, mass = rows.tokens([0] * 3000 + [1], Randomness(torch.Generator().manual_seed(0)), strata)
    assert set(tokens[:-1]) <= set(allowed.tolist())
    assert tokens[-1] == -1 and mass[1] == -math.inf
    wanted = float(torch.logsumexp(logp[0, allowed].double(), 0) - torch.logsumexp(logp[0].double(), 0))
    assert float(mass[0]) == pytest.approx(wanted, abs=1e-6 if dtype == torch.float32 else 1e-9)


def test_index_at_falls_on_mass() -> None:
    cdf = np.cumsum([0.0, 0.1, 0.0, 0.2, 0.0])
    assert {index_at(cdf, u) for u in (0.0, 0.2, 0.34, 0.99, 1 - 2**-53, 1.0)} == {1, 3}


def masked_rows(dtype: torch.dtype) -> tuple[ArrayRows, TensorRows, np.ndarray]:
    """On the CPU and as on a device, and log P under the mask float64: flat, peaked, a mask that leaves
    nearly nothing, one token, none."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(6, 3_000, generator=generator, dtype=dtype)
    logits[1] *= 20
    logits[2, 1] += 900.0
    bits = np.zeros((6, 3_008), np.bool_)
    bits[:3, :3_000:2] = True
    bits[3, 17] = True
    bits[5] = True
    bitmask = np.packbits(bits, axis=1, bitorder="little").view(np.int32)
    whole = torch.log_softmax(logits.double(), dim=1)
    values = np.where(bits[:, :3_000], whole.numpy(), -math.inf)
    array, tensor = ArrayRows(logits), TensorRows(whole)
    for rows in (array, tensor):
        rows.mask(bitmask)
    return array, tensor, values


@pytest.mark.parametrize(("dtype", "error"), [(torch.float64, 1e-9), (torch.float32, 5e-6)])
def test_masked_rows_are_the_same_on_the_cpu_and_on_a_device(dtype: torch.dtype, error: float) -> None:
    """Masses, draws of the whole row and of what is not named, and log P; against float64."""
    array, tensor, values = masked_rows(dtype)
    places = [0, 0, 1, 2, 3, 4, 5, 5]
    for rows in (array, tensor):
        for strata in (None, [0] * len(places)):
            tokens, log_mass = rows.tokens(places, Randomness(torch.Generator().manual_seed(1)), strata)
            assert log_mass == pytest.approx(np.logaddexp.reduce(values, axis=1), abs=error)
            assert [token >= 0 for token in tokens] == [row != 4 for row in places]
            drawn = [(row, token) for row, token in zip(places, tokens, strict=True) if token >= 0]
            got = rows.log_p_of(places, tokens)
            assert [log for log in got if log > -math.inf] == pytest.approx(
                [values[each] for each in drawn], abs=error
            )
            assert all(rows.allows(row, token) for row, token in drawn)
        assert not rows.allows(0, 1) and not rows.allows(4, 0)
        masses = rows.masses(range(6))
        assert sorted(masses) == [0, 1, 2, 3, 5]
        for row, (p, sums, unit) in masses.items():
            assert sums.sum() == pytest.approx(p.astype(np.float64).sum())
            total = unit + math.log(sums.sum())
            assert total == pytest.approx(np.logaddexp.reduce(values[row]), abs=error)
        most = np.argsort(-values[5])[:2_990].astype(np.int32)
        others = {rows.other_than(5, most, Randomness(torch.Generator().manual_seed(k))) for k in range(50)}
        assert not others & set(most.tolist()) and len(others) > 1
        assert rows.other_than(3, np.array([17], np.int32), Randomness()) == -1


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_scored_rows_are_the_log_probabilities(
    tiny: TinyModel, dtype: torch.dtype, temperature: float
) -> None:
    logits = (5 * torch.randn(4, tiny.width, generator=torch.Generator().manual_seed(0))).to(dtype)
    target = Target(tiny.vocabulary, 5, temperature=temperature)
    before = logits.clone()
    got = target.scored(logits).log_p()
    torch.testing.assert_close(got, target.log_probabilities(logits), atol=1e-5, rtol=0)
    assert torch.equal(logits, before)
    for broken in (math.nan, math.inf):
        logits[1, 7] = broken
        with pytest.raises(GenerationError, match="NaN or infinite"):
            target.scored(logits)


@pytest.mark.parametrize("width", [1, 255, 256, 5_000])
def test_masses_of_a_row(width: int) -> None:
    """Right to a few bits of float32 of each, from the largest to the least, and in sum; -inf is nothing."""
    generator = np.random.default_rng(width)
    scores = np.concatenate([generator.uniform(-95, 0, (2, width)), generator.normal(0, 4, (1, width))])
    scores = scores.astype(np.float32)
    scores[0, 0] = -np.inf
    shifts = np.array([0.0, scores[1].max(), scores[2].max()], np.float32)
    masses, sums = np.empty_like(scores), np.empty((3, -(-width // BLOCK)))
    exp_and_sum(scores, shifts, masses, sums)
    wanted = np.exp((scores - shifts[:, None]).astype(np.float64))
    clear = wanted > math.exp(-85.9)
    assert (np.abs(masses[clear] / wanted[clear] - 1) <= 4e-7).all()
    assert (masses[wanted < math.exp(-86.1)] == 0).all()
    assert sums.sum(axis=1) == pytest.approx(masses.astype(np.float64).sum(axis=1), rel=1e-12)
    again = np.empty_like(sums)
    block_sums(masses, again)
    np.testing.assert_allclose(again, sums, rtol=1e-12)


def test_stratified_draws_follow_the_row() -> None:
    """Each draw by itself, whichever of a set it is; together one more or less than their share."""
    logits = torch.randn(1, 700, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 2
    rows = ArrayRows(logits)
    p = torch.softmax(logits[0], 0).numpy()
    randomness = Randomness(torch.Generator().manual_seed(1))
    drawn = np.array([rows.tokens([0] * 10, randomness, [0] * 10)[0] for _ in range(4_000)])
    for column in drawn.T:
        counts = np.bincount(column, minlength=700)
        assert (np.abs(counts - 4_000 * p) <= 5 * np.sqrt(4_000 * p * (1 - p)) + 1).all()
    for end in (100, 256, 350):
        assert np.ptp((drawn < end).sum(axis=1)) == 1


@pytest.mark.parametrize(("top_k", "top_p"), [(3, None), (None, 0.8), (4, 0.7)])
def test_top_k_and_top_p_are_part_of_the_target(tiny: TinyModel, top_k, top_p) -> None:
    """As transformers' warpers do it to the model's own scores."""
    scores = 3 * torch.randn(5, tiny.width, generator=torch.Generator().manual_seed(0))
    target = Target(tiny.vocabulary, 5, temperature=0.7, top_k=top_k, top_p=top_p)
    warpers = [transformers.TemperatureLogitsWarper(0.7)]
    warpers += [transformers.TopKLogitsWarper(top_k)] if top_k else []
    warpers += [transformers.TopPLogitsWarper(top_p)] if top_p else []
    wanted = scores.double()
    for warper in warpers:
        wanted = warper(None, wanted)
    wanted = torch.softmax(wanted, dim=1)
    got = target.log_probabilities(scores).exp()
    first, *others = tiny.eos if tiny.eos[0] < tiny.eos[1] else tiny.eos[::-1]
    wanted[:, first] += wanted[:, others].sum(dim=1)
    wanted[:, others] = 0
    torch.testing.assert_close(got, wanted)
    with pytest.raises(Exception, match="NaN or infinite"):
        target.log_probabilities(torch.full((1, tiny.width), float("nan")))


def test_rows_of_the_trie_are_the_same_on_the_cpu_and_on_a_device() -> None:
    array, tensor, logs = masked_rows(torch.float64)
    every = list(range(6))
    for row, other, values in zip(array.sparse(every), tensor.sparse(every), logs, strict=True):
        assert np.array_equal(row.ids, other.ids) and len(set(row.ids.tolist())) == len(row.ids)
        for name in ("log_p", "log_allowed", "entropy"):
            assert getattr(row, name) == pytest.approx(getattr(other, name), abs=1e-9)
        assert row.log_p == pytest.approx(values[row.ids], abs=1e-9)
        allowed = float(np.logaddexp.reduce(values))
        assert row.log_allowed == pytest.approx(allowed, abs=1e-9)
        if len(row.ids):
            whole = np.logaddexp.reduce(np.append(row.log_p, row.log_rest))
            assert whole == pytest.approx(allowed, abs=1e-9)
            left = np.delete(values, row.ids)
            assert np.logaddexp.reduce(left) == pytest.approx(row.log_rest, abs=1e-6)
            assert len(row.ids) == ROW_LENGTH or row.log_rest <= allowed + math.log(ROW_REST)
            p = np.exp(values - allowed)
            assert row.entropy == pytest.approx(-(p[p > 0] * np.log(p[p > 0])).sum(), abs=1e-9)
        else:
            assert allowed == -math.inf and row.log_rest == -math.inf
