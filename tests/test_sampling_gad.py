"""Sampling on real problems with the embedded model: SyGuS bit vectors and strings, constituency trees."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from structgen_bench.sampling_distance import (
    distances,
    exact_target,
    expected,
    read_problem,
    shares,
)

from structgen import Compiler, SampleResult, sample
from structgen.cli.generate import vocabulary_of_model
from structgen.model import load
from structgen.sampling import PrefixTrie

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "gad"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="no shared/data/gad")
N = 100
SYGUS = ["BV4/find_inv_bvsge_bvneg_4bit", "BV4/find_inv_ne_bvurem1_4bit", "SLIA/firstname"]


@cache
def model() -> tuple[Any, Any, Compiler]:
    network, tokenizer = load("default")
    return network, tokenizer, Compiler(vocabulary_of_model(network, tokenizer))


@cache
def arguments(name: str, max_new_tokens: int) -> dict[str, Any]:
    network, tokenizer, compiler = model()
    problem = read_problem(DATA / f"{name}.ebnf", tokenizer, 160)
    return {
        "model": network, "tokenizer": tokenizer, "prompt": problem.prompt, "max_new_tokens": max_new_tokens,
        "constraint": compiler.gbnf(problem.grammar, undefined="nothing"),
    }  # fmt: skip


@cache
def target_of(name: str) -> tuple[dict[tuple[int, ...], float], dict[str, Any]]:
    return exact_target(arguments(name, 14), 0, 600.0)


def draw(name: str, method: Any, n: int | None = N, max_new_tokens: int = 14, **options: Any) -> SampleResult:
    generator = torch.Generator().manual_seed(1)
    return sample(
        **arguments(name, max_new_tokens), method=method, n=n, generator=generator, state=PrefixTrie(None),
        **options,
    )  # fmt: skip


def tv(name: str, result: SampleResult) -> float:
    target, facts = target_of(name)
    even = [1 / max(1, len(result))] * len(result)
    return distances(shares(result.sequences, result.logp_model.tolist(), facts["log_z"], even), target)[0]


@pytest.mark.parametrize("name", SYGUS)
def test_the_target_is_exact(name: str) -> None:
    """Z about e^-21, and all of it is found: what was seen and the bound from above meet."""
    target, facts = target_of(name)
    assert -23 < facts["log_z"] < -20 and facts["mass_unseen"] < 0.01
    assert facts["log_z"] <= facts["log_z_upper"] + 1e-9 < facts["log_z"] + 0.02
    assert math.fsum(target.values()) == pytest.approx(1)


@pytest.mark.parametrize("name", SYGUS)
def test_exact_methods_and_particles_find_it_and_masking_does_not(name: str) -> None:
    floor = expected(target_of(name)[0], N, 0)[0]
    local = tv(name, draw(name, "local"))
    assert local > 0.5  # the negative control
    assert tv(name, draw(name, "cars")) <= 2.5 * floor + 0.02
    smc = draw(name, "smc", particles=20)
    assert smc.guarantee == "weighted-unbiased" and tv(name, smc) <= local / 4
    assert abs(smc.log_z - target_of(name)[1]["log_z"]) <= 5 * smc.log_z_stderr + 0.01
    untaught = draw(name, "smc", n=20, particles=20, twist="none")
    assert tv(name, untaught) > local / 4  # what was learned is what it takes


def test_one_population_from_nothing() -> None:
    """Each with its own pilot: Z is near, and its mean over populations is Z."""
    name = SYGUS[0]
    log_z = target_of(name)[1]["log_z"]
    ratios = []
    for seed in range(20):
        result = sample(
            **arguments(name, 14), method="smc", generator=torch.Generator().manual_seed(seed), particles=20
        )
        ratios.append(math.exp(result.log_z - log_z))
        assert math.fsum(result.weights) == pytest.approx(1)
    mean = sum(ratios) / len(ratios)
    error = math.sqrt(sum((ratio - mean) ** 2 for ratio in ratios) / 19 / 20)
    assert abs(mean - 1) <= 4 * error + 0.01 and max(abs(ratio - 1) for ratio in ratios) < 0.9


def tree_of(words: str) -> Callable[[str], bool]:
    """Whether a text is a bracketed tree over the first of these words, as the CP grammars have it."""
    leaves = words.split()

    def holds(text: str) -> bool:
        found = re.fullmatch(r"\[ (\( [A-Z$0-9-]+ .*\) )+\]", text)
        said = re.findall(r"\( [A-Z$0-9-]+ ([A-Za-z][a-z.]*|[A-Z]+) \)", text)
        return found is not None and said == leaves[: len(said)] and text.count("(") == text.count(")")

    return holds


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("CP/CP_re_ptb_486", "Exabyte Corp."),
        ("CP/CP_re_ptb_1434", "TREASURY BILLS"),
        ("CP/CP_re_ptb_460", "They are more sophisticated this time"),
    ],
)
def test_trees(name: str, words: str) -> None:
    """Too improbable for exact draws by the embedded model; the texts are trees, and Z keeps its bound."""
    holds = tree_of(words)
    tried = draw(name, "cars", n=1, max_new_tokens=96, budget=_few())
    assert not len(tried) and tried.diagnostics.stopped == "budget"
    for method in ("local", "smc"):
        result = draw(name, method, n=20 if method == "local" else 3, max_new_tokens=96, particles=8)
        assert len(result) and all(map(holds, result.texts)), result.texts
        assert result.log_z < tried.diagnostics.log_z_upper


@pytest.mark.parametrize("name", ["CP/CP_re_ptb_486", "CP/CP_re_ptb_460"])
def test_particles_find_what_no_try_reaches(name: str) -> None:
    """Trees of e^-80 and e^-62: two long runs agree; of what they saw P is known, and one call is near."""
    common = arguments(name, 64)
    runs: list[tuple[float, dict[tuple[int, ...], float]]] = []
    for seed in range(2):
        trie, generator = PrefixTrie(None), torch.Generator().manual_seed(seed)
        results = [
            sample(**common, method="smc", particles=200, generator=generator, state=trie) for _ in range(12)
        ]
        logp = {w: p for result in results for w, p in zip(result.sequences, result.logp_model, strict=True)}
        log_z = float(np.logaddexp.reduce([result.log_z for result in results[4:]])) - math.log(8)
        runs.append((log_z, logp))
    assert abs(runs[0][0] - runs[1][0]) < 0.1
    log_z = max(math.log(math.fsum(math.exp(p - each) for p in logp.values())) + each for each, logp in runs)
    seen = runs[0][1] | runs[1][1]
    target = {w: math.exp(p - log_z) for w, p in seen.items()}
    assert 0.95 < math.fsum(target.values()) < 1.05
    tvs = {}
    for method in ("local", "smc"):
        result = draw(name, method, n=200, max_new_tokens=64, particles=20)
        even = [1 / len(result)] * len(result)
        found = shares(result.sequences, result.logp_model.tolist(), log_z, even)
        tvs[method] = distances(found, target)[0]
    assert tvs["local"] > 0.9 and tvs["smc"] <= tvs["local"] / 4, tvs
    assert result.guarantee == "weighted-unbiased"


def _few() -> Any:
    from structgen import Budget

    return Budget(forwards=300)
