"""Distance to the target against forward passes, for every method, on SyGuS problems.

A problem is a folder's pair NAME.ebnf (GBNF) and NAME.txt (the prompt). What every solution begins with
(`(define-fun ...`) is put at the prompt's end: it is forced, so nothing of the distribution hangs on it, and
the embedded model, which never saw SyGuS, gives it a probability of about e^-200. The target is computed from
a long run of `cars`: of every text seen P is known exactly, and the trie bounds the mass of those not seen.
"""

from __future__ import annotations

import math
import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from structgen_bench.errors import BenchError

REFERENCE_DRAWS = 4_000
MEASURED_FROM = 1e-3  # of Z: below it plain rejection is not run to its end
UNSEEN = (-1,)  # stands for all texts that the long run did not draw

Target = dict[tuple[int, ...], float]


@dataclass(frozen=True, slots=True)
class Problem:
    """One SyGuS problem. ``prompt``: ids, ``grammar``: GBNF of what follows."""

    name: str
    prompt: list[int]
    grammar: str


@dataclass(frozen=True, slots=True)
class Setting:
    """A method with its options. ``skip``: draws at the beginning that only teach (asap)."""

    method: Any  # of structgen.sample
    label: str
    options: dict[str, Any]
    skip: int = 0


SETTINGS = (
    Setting("local", "local", {}),
    Setting("cars", "cars", {}),
    Setting("asap", "asap, first draws", {}),
    Setting("asap", "asap, after 1,000", {}, skip=1_000),
    Setting("awrs", "awrs, unweighted", {}),
    Setting("smc", "smc, 5 particles", {"particles": 5}),
    Setting("smc", "smc, 20 particles", {"particles": 20}),
    Setting("mcmc", "mcmc restart, 5 steps", {"mcmc_steps": 5, "cut": "restart"}),
    Setting("mcmc", "mcmc restart, 20 steps", {"mcmc_steps": 20, "cut": "restart"}),
    Setting("mcmc", "mcmc priority, 20 steps", {"mcmc_steps": 20, "cut": "priority"}),
    Setting("mcmc", "mcmc uniform, 20 steps", {"mcmc_steps": 20, "cut": "uniform"}),
)


def read_problem(path: Path, tokenizer: Any, prompt_tokens: int) -> Problem:
    """The problem of a .ebnf file and the .txt beside it. Raises `BenchError`."""
    source = path.read_text(encoding="utf-8")
    begin = re.match(r'root ::= "((?:[^"\\]|\\.)*)" (Start_ .*)\n', source)
    if begin is None:
        raise BenchError(f"{path.name}: the root rule does not begin with a text")
    forced = begin[1].replace('\\"', '"')
    # the space at its end stays in the grammar: a tokenizer would write it together with what follows
    prompt = path.with_suffix(".txt").read_text(encoding="utf-8") + forced.rstrip(" ")
    ids = tokenizer(prompt[-20 * prompt_tokens :])["input_ids"][-prompt_tokens:]
    space = " " * (len(forced) - len(forced.rstrip(" ")))
    return Problem(path.stem, ids, f'root ::= "{space}" {begin[2]}\n{source[begin.end() :]}')


def exact_target(common: dict[str, Any], seed: int) -> tuple[Target, dict[str, float], Any]:
    """P of every text that a long run drew, normalised; how exact that is; and the run."""
    import numpy as np
    import torch

    from structgen import sample
    from structgen.sampling import PrefixTrie

    trie = PrefixTrie(None)
    generator = torch.Generator().manual_seed(seed)
    run = sample(**common, method="cars", n=REFERENCE_DRAWS, generator=generator, state=trie)
    logp = dict(zip(run.sequences, run.logp_model.tolist(), strict=True))
    seen = math.fsum(map(math.exp, logp.values()))
    z = math.exp(run.log_z)  # between what was seen and the bound; its error is a thousandth
    z = min(max(z, seen), trie.root.bound)
    target = {w: math.exp(p) / z for w, p in logp.items()}
    target[UNSEEN] = max(0.0, 1 - seen / z)
    facts = {
        "log_z": math.log(z),
        "log_z_stderr": run.log_z_stderr,
        "log_z_upper": trie.log_bound,
        "texts_seen": len(logp),
        "mass_unseen": target[UNSEEN],
        "entropy_seen": float(-np.sum([p * math.log(p) for p in target.values() if p > 0])),
    }
    return target, facts, run


def distances(draws: dict[tuple[int, ...], tuple[float, float]], target: Target) -> tuple[float, float]:
    """(TV, KL(q || target)) of an empirical q. draws: of each text drawn, its share and the target's.

    KL is the plug-in estimate: of n exact draws it is above 0, too.
    """
    if not draws:
        return 1.0, math.inf
    undrawn = math.fsum(p for w, p in target.items() if w not in draws)
    tv = 0.5 * (math.fsum(abs(q - p) for q, p in draws.values()) + undrawn)
    return tv, math.fsum(q * math.log(q / max(p, 1e-300)) for q, p in draws.values() if q > 0)


def shares(result: Any, log_z: float, weights: Sequence[float]) -> dict[tuple[int, ...], tuple[float, float]]:
    """Of each text drawn its share of the weights, and its probability under the target, which is known."""
    found: dict[tuple[int, ...], tuple[float, float]] = {}
    for w, weight, logp in zip(result.sequences, weights, result.logp_model.tolist(), strict=True):
        found[w] = (found.get(w, (0.0, 0.0))[0] + weight, math.exp(logp - log_z))
    return found


def expected(target: Target, n: int, seed: int) -> tuple[float, float]:
    """The distances that n exact draws have, on average over 50 runs."""
    chooser = random.Random(seed)
    texts, weights = list(target), list(target.values())
    runs = []
    for _ in range(50):
        counts = Counter(chooser.choices(texts, weights, k=n))
        runs.append(distances({w: (c / n, target[w]) for w, c in counts.items()}, target))
    return sum(tv for tv, _ in runs) / 50, sum(kl for _, kl in runs) / 50


def measure_problem(
    model: Any, tokenizer: Any, compiler: Any, problem: Problem, *, n: int, max_new_tokens: int, seed: int
) -> dict[str, Any]:
    """All methods on one problem, n draws each."""
    import torch

    from structgen import sample
    from structgen.sampling import PrefixTrie

    common: dict[str, Any] = {
        "model": model,
        "tokenizer": tokenizer,
        "constraint": compiler.gbnf(problem.grammar),
        "prompt": problem.prompt,
        "max_new_tokens": max_new_tokens,
    }
    target, facts, _ = exact_target(common, seed)
    rows = []
    for setting in SETTINGS:
        trie = PrefixTrie(None)
        generator = torch.Generator().manual_seed(seed + 1)
        spent = 0
        if setting.skip:
            first = sample(**common, method=setting.method, n=setting.skip, generator=generator, state=trie)
            spent = first.diagnostics.forwards_physical
        result = sample(
            **common, method=setting.method, n=n, generator=generator, state=trie, **setting.options
        )
        diagnostics = result.diagnostics
        even = [1 / max(1, len(result))] * len(result)
        tv, kl = distances(shares(result, facts["log_z"], even), target)
        row: dict[str, Any] = {
            "label": setting.label,
            "method": setting.method,
            "guarantee": result.guarantee,
            "texts": len(result),
            "tv": tv,
            "kl_plug_in": kl,
            "physical": diagnostics.forwards_physical + spent,
            "logical": diagnostics.forwards_logical,
            "calls": diagnostics.calls,
            "log_z": result.log_z,
            "dead_ends": diagnostics.dead_ends,
            "kl_estimate": diagnostics.kl,
        }
        if setting.method in ("local", "awrs"):
            by_weight = shares(result, facts["log_z"], result.weights.tolist())
            row["tv_weighted"] = distances(by_weight, target)[0]
        rows.append(row)
    floor = expected(target, n, seed)
    by_label: dict[str, dict[str, Any]] = {row["label"]: row for row in rows}
    rejection = rejection_cost(common, math.exp(facts["log_z"]), n, seed)
    cars = by_label["cars"]["physical"]
    return {
        "problem": problem.name,
        "prompt_tokens": len(problem.prompt),
        "target": facts,
        "n": n,
        "exact_draws": {"tv": floor[0], "kl_plug_in": floor[1]},
        "methods": rows,
        "rejection": rejection,
        "cars_saves": rejection["physical_expected"] / cars,
        "smc_20_to_local": by_label["smc, 20 particles"]["tv"] / by_label["local"]["tv"],
        "smc_20_to_local_kl": by_label["smc, 20 particles"]["kl_plug_in"] / by_label["local"]["kl_plug_in"],
    }


def rejection_cost(common: dict[str, Any], z: float, n: int, seed: int) -> dict[str, float]:
    """What n texts cost by plain rejection: passes a try, measured on 2,000 tries, times n / Z tries.

    Measured as a whole only where Z allows it: at Z = e^-20 it would take years.
    """
    import torch

    from structgen import Budget, sample

    tried = sample(
        **common, method="rejection", n=10**9, generator=torch.Generator().manual_seed(seed),
        budget=Budget(forwards=10**9), progress=_StopAfter(2_000),
    ).diagnostics  # fmt: skip
    each = tried.forwards_logical / tried.tries
    cost = {"passes_a_try": each, "tries_expected": n / z, "physical_expected": each * n / z}
    if z > MEASURED_FROM:
        whole = sample(**common, method="rejection", n=n, generator=torch.Generator().manual_seed(seed))
        cost["physical_measured"] = whole.diagnostics.forwards_logical
    return cost


class _StopAfter:
    """Progress that ends a call after so many tries, as Ctrl-C does."""

    def __init__(self, tries: int) -> None:
        self._tries = tries

    def __call__(self, now: Any) -> None:
        if now.tries >= self._tries:
            raise KeyboardInterrupt


def adapt(
    model: Any, tokenizer: Any, data: Path, *, steps: int, prompt_tokens: int, seed: int
) -> list[float]:
    """Teach the embedded model what SyGuS solutions look like, so that Z is not absurdly small.

    From the worked examples in the prompts (their last question has no solution and is left out). Returns
    the loss of each step. The model is changed in place; with the seed and one thread it is the same again.
    """
    import torch

    examples = sorted(
        {
            (question, "(define-fun" + solution)
            for path in data.glob("*/*.txt")
            for question, solution in re.findall(
                r"(\(synth-fun.*?Solution:\n)\(define-fun([^\n]*)",
                path.read_text(encoding="utf-8"),
                re.DOTALL,
            )
        }
    )
    if not examples:
        raise BenchError(f"no worked examples in {data.name!r}")
    chooser = random.Random(seed)
    torch.manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    stop = tokenizer.eos_token_id
    losses = []
    for _ in range(steps):
        rows = []
        for question, solution in chooser.choices(examples, k=8):
            before = tokenizer(question)["input_ids"][-prompt_tokens:]
            rows.append((len(before), [*before, *tokenizer(solution)["input_ids"], stop]))
        width = max(len(row) for _, row in rows)
        ids = torch.tensor([row + [stop] * (width - len(row)) for _, row in rows])
        labels = torch.tensor(
            [[-100] * begin + row[begin:] + [-100] * (width - len(row)) for begin, row in rows]
        )
        loss = model(input_ids=ids, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    model.eval()
    return losses
