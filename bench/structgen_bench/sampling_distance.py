"""Distance to the target against forward passes, for every method, on SyGuS problems.

A problem is a folder's pair NAME.ebnf (GBNF) and NAME.txt (the prompt). What every solution begins with
(`(define-fun ...`) is put at the prompt's end: it is forced, so nothing of the distribution hangs on it, and
the embedded model, which never saw SyGuS, gives it a probability of about e^-200. The target is computed from
a long run of `cars`: of every text seen P is known exactly, and the trie bounds the mass of those not seen.
Where that accepts too little, two long runs of populations take its place, each with a trie of its own: of
what they saw P is known, Z they estimate without bias, and how far they are apart is the target's error.
"""

from __future__ import annotations

import math
import random
import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from structgen_bench.errors import BenchError

REFERENCE_DRAWS = 4_000
ENOUGH_DRAWS = 1_000  # of these, for a target
MEASURED_FROM = 1e-3  # of Z: below it plain rejection is not run to its end
LONG_PARTICLES = 200  # of a long run's populations
AGREED = 0.05  # how far long runs may be from each other, and what they may not have seen, for a target
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
    """A method with its options.

    skip: draws at the beginning that only teach (asap). alone: each text by a call of its own, which knows
    nothing of the others; else one call, and what a text taught serves the next ones.
    """

    method: Any  # of structgen.sample
    label: str
    options: dict[str, Any]
    skip: int = 0
    alone: bool = False


SETTINGS = (
    Setting("local", "local", {}),
    Setting("cars", "cars", {}),
    Setting("asap", "asap, first draws", {}),
    Setting("asap", "asap, after 1,000", {}, skip=1_000),
    Setting("awrs", "awrs, unweighted", {}),
    Setting("smc", "smc, 20, no twist", {"particles": 20, "twist": "none"}),
    Setting("smc", "smc, 5 particles", {"particles": 5}),
    Setting("smc", "smc, 20 particles", {"particles": 20}),
    Setting("smc", "smc, 20, each from nothing", {"particles": 20}, alone=True),
    Setting("mcmc", "mcmc restart, 20 steps", {"mcmc_steps": 20, "cut": "restart"}),
    Setting("mcmc", "mcmc priority, 20 steps", {"mcmc_steps": 20, "cut": "priority"}),
)


def read_problem(path: Path, tokenizer: Any, prompt_tokens: int) -> Problem:
    """The problem of a .ebnf file and the .txt beside it. Raises `BenchError`."""
    source = path.read_text(encoding="utf-8")
    text = path.with_suffix(".txt").read_text(encoding="utf-8")
    if path.parent.name == "CP":  # nothing is forced but the answer's line
        ids = tokenizer(text.rstrip("\n") + "\n")["input_ids"][-prompt_tokens:]
        return Problem(path.stem, ids, source)
    begin = re.match(r'root ::= "((?:[^"\\]|\\.)*)" (Start_ .*)\n', source)
    if begin is None:
        raise BenchError(f"{path.name}: the root rule does not begin with a text")
    forced = begin[1].replace('\\"', '"')
    # the space at its end stays in the grammar: a tokenizer would write it together with what follows
    prompt = text + forced.rstrip(" ")
    ids = tokenizer(prompt[-20 * prompt_tokens :])["input_ids"][-prompt_tokens:]
    space = " " * (len(forced) - len(forced.rstrip(" ")))
    return Problem(path.stem, ids, f'root ::= "{space}" {begin[2]}\n{source[begin.end() :]}')


def exact_target(common: dict[str, Any], seed: int, seconds: float) -> tuple[Target, dict[str, Any]]:
    """P of every text that a long run drew, normalised, and how exact that is."""
    import numpy as np
    import torch

    from structgen import sample
    from structgen.sampling import PrefixTrie

    trie = PrefixTrie(None)
    generator = torch.Generator().manual_seed(seed)
    run = sample(
        **common, method="cars", n=REFERENCE_DRAWS, generator=generator, state=trie,
        progress=_StopAfter(seconds=seconds),
    )  # fmt: skip
    logp = dict(zip(run.sequences, run.logp_model.tolist(), strict=True))
    facts: dict[str, Any] = {
        "draws": len(run),
        "tries": run.diagnostics.tries,
        "physical": run.diagnostics.forwards_physical,
        "log_z_upper": trie.log_bound,
        "texts_seen": len(logp),
    }
    if len(run) < ENOUGH_DRAWS:
        return {}, facts
    seen = math.fsum(map(math.exp, logp.values()))
    z = math.exp(run.log_z)  # between what was seen and the bound; its error is a thousandth
    z = min(max(z, seen), trie.root.bound)
    target = {w: math.exp(p) / z for w, p in logp.items()}
    target[UNSEEN] = max(0.0, 1 - seen / z)
    return target, facts | {
        "log_z": math.log(z),
        "log_z_stderr": run.log_z_stderr,
        "mass_unseen": target[UNSEEN],
        "entropy_seen": float(-np.sum([p * math.log(p) for p in target.values() if p > 0])),
    }


def long_run_target(common: dict[str, Any], seed: int, seconds: float) -> tuple[Target, dict[str, Any]]:
    """The target from two independent long runs of `smc`, or none where these do not agree."""
    runs = [_long_run(common, seed + 1_000 * (number + 1), seconds / 2) for number in range(2)]
    logs_z = [run["log_z"] for run in runs]
    logp = runs[0]["logp"] | runs[1]["logp"]
    facts: dict[str, Any] = {
        "long_runs": [
            {key: run[key] for key in ("populations", "log_z", "log_z_stderr", "physical")}
            | {"texts_seen": len(run["logp"])}
            for run in runs
        ]
    }
    if not logp or not all(map(math.isfinite, logs_z)):
        return {}, facts
    seen = _log_sum(list(logp.values()))
    log_z = max(_log_mean(logs_z), seen)  # the texts are all valid: Z is no less than what was seen
    each = [{w: math.exp(p - log_z) for w, p in run["logp"].items()} for run in runs]
    # the two as distributions, each with its own Z; what one did not see counts as far away
    ratios = [math.exp(log_z - log_z_of_one) for log_z_of_one in logs_z]
    apart = 0.5 * math.fsum(
        abs(each[0].get(w, 0.0) * ratios[0] - each[1].get(w, 0.0) * ratios[1]) for w in logp
    ) + 0.5 * abs(_unseen(each[0], ratios[0]) - _unseen(each[1], ratios[1]))
    target = {w: math.exp(p - log_z) for w, p in logp.items()}
    target[UNSEEN] = max(0.0, 1 - math.exp(seen - log_z))
    facts |= {
        "log_z_apart": abs(logs_z[0] - logs_z[1]),
        "tv_between_runs": apart,
        "mass_unseen": target[UNSEEN],
    }
    if facts["log_z_apart"] > AGREED or apart > AGREED or target[UNSEEN] > AGREED:
        return {}, facts
    return target, facts | {
        "texts_seen": len(logp),
        "log_z": log_z,
        "log_z_stderr": max(run["log_z_stderr"] for run in runs),
        "entropy_seen": -math.fsum(p * math.log(p) for p in target.values() if p > 0),
    }


def _unseen(shares_seen: Target, ratio: float) -> float:
    return max(0.0, 1 - ratio * math.fsum(shares_seen.values()))


def _long_run(common: dict[str, Any], seed: int, seconds: float) -> dict[str, Any]:
    """Populations on one trie for so long: log P of every text seen, and log of the mean estimate of Z."""
    import torch

    from structgen import sample
    from structgen.sampling import PrefixTrie

    begin = time.perf_counter()
    trie, generator = PrefixTrie(None), torch.Generator().manual_seed(seed)
    logp: dict[tuple[int, ...], float] = {}
    logs_z: list[float] = []
    physical = 0
    while time.perf_counter() - begin < seconds:
        result = sample(
            **common, method="smc", particles=LONG_PARTICLES, generator=generator, state=trie,
        )  # fmt: skip
        logp |= dict(zip(result.sequences, result.logp_model.tolist(), strict=True))
        logs_z.append(result.log_z)
        physical += result.diagnostics.forwards_physical
    later = logs_z[len(logs_z) // 4 :]  # unbiased like those before, which knew less: chosen by their place
    log_z = _log_mean(later)
    ratios = [math.exp(each - log_z) for each in later]
    variance = math.fsum((ratio - 1) ** 2 for ratio in ratios) / max(1, len(ratios) - 1)
    return {
        "logp": logp, "log_z": log_z, "log_z_stderr": math.sqrt(variance / len(ratios)),
        "populations": len(logs_z), "physical": physical,
    }  # fmt: skip


def distances(draws: dict[tuple[int, ...], tuple[float, float]], target: Target) -> tuple[float, float]:
    """(TV, KL(q || target)) of an empirical q. draws: of each text drawn, its share and the target's.

    KL is the plug-in estimate: of n exact draws it is above 0, too.
    """
    if not draws:
        return 1.0, math.inf
    undrawn = math.fsum(p for w, p in target.items() if w not in draws)
    tv = 0.5 * (math.fsum(abs(q - p) for q, p in draws.values()) + undrawn)
    return tv, math.fsum(q * math.log(q / max(p, 1e-300)) for q, p in draws.values() if q > 0)


def shares(
    sequences: Sequence[tuple[int, ...]], logps: Sequence[float], log_z: float, weights: Sequence[float]
) -> dict[tuple[int, ...], tuple[float, float]]:
    """Of each text drawn its share of the weights, and its probability under the target, which is known."""
    found: dict[tuple[int, ...], tuple[float, float]] = {}
    for w, weight, logp in zip(sequences, weights, logps, strict=True):
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
    model: Any, tokenizer: Any, compiler: Any, problem: Problem, *, n: int, max_new_tokens: int, seed: int,
    seconds: float,
) -> dict[str, Any]:  # fmt: skip
    """All methods on one problem, n draws each; each has so many seconds, the long run twice as many."""
    common: dict[str, Any] = {
        "model": model,
        "tokenizer": tokenizer,
        "constraint": compiler.gbnf(problem.grammar, undefined="nothing"),
        "prompt": problem.prompt,
        "max_new_tokens": max_new_tokens,
    }
    target, facts = exact_target(common, seed, 2 * seconds)
    if not target:
        target, long_facts = long_run_target(common, seed, 4 * seconds)
        facts |= long_facts
    log_z = facts.get("log_z") if target else None
    rows = [measure_setting(common, setting, target, log_z, n, seed, seconds) for setting in SETTINGS]
    figures: dict[str, Any] = {
        "problem": problem.name,
        "prompt_tokens": len(problem.prompt),
        "max_new_tokens": max_new_tokens,
        "target": facts,
        "n": n,
        "methods": rows,
    }
    if not target:
        return figures
    floor = expected(target, n, seed)
    by_label: dict[str, dict[str, Any]] = {row["label"]: row for row in rows}
    local, cars = by_label["local"], by_label["cars"]
    figures["exact_draws"] = {"tv": floor[0], "kl_plug_in": floor[1]}
    figures["to_local"] = {
        label: {"tv": row["tv"] / local["tv"], "kl_plug_in": row["kl_plug_in"] / local["kl_plug_in"]}
        for label, row in by_label.items()
        if "tv" in row
    }
    cost = rejection_cost(common, math.exp(facts["log_z"]), n, seed, seconds)
    figures["rejection"] = cost
    figures["cars_saves"] = cost.get("physical", cost["physical_expected"]) / cars["physical"]
    return figures


def measure_setting(
    common: dict[str, Any], setting: Setting, target: Target, log_z: float | None, n: int, seed: int,
    seconds: float,
) -> dict[str, Any]:  # fmt: skip
    """n draws of one method, or as many as the time allows; the distances where the target is known."""
    import torch

    from structgen import sample
    from structgen.sampling import PrefixTrie

    begin = time.perf_counter()
    generator = torch.Generator().manual_seed(seed + 1)
    sequences: list[tuple[int, ...]] = []
    logp: list[float] = []
    log_weights: list[float] = []
    spent = 0
    trie = PrefixTrie(None)
    if setting.skip:
        first = sample(
            **common, method=setting.method, n=setting.skip, generator=generator, state=trie,
            progress=_StopAfter(seconds=seconds),
        )  # fmt: skip
        spent = first.diagnostics.forwards_physical
    calls = n if setting.alone else 1
    logs_z = []
    done = 0
    while done < calls and (not done or time.perf_counter() - begin < seconds):
        result = sample(
            **common, method=setting.method, n=1 if setting.alone else n, generator=generator,
            state=PrefixTrie(None) if setting.alone else trie, progress=_StopAfter(seconds=seconds),
            **setting.options,
        )  # fmt: skip
        sequences += result.sequences
        logp += result.logp_model.tolist()
        log_weights += result.log_weights.tolist()
        spent += result.diagnostics.forwards_physical
        logs_z.append(result.log_z)
        done += 1
    row: dict[str, Any] = {
        "label": setting.label,
        "method": setting.method,
        "guarantee": result.guarantee,
        "texts": len(sequences),
        "tried": done if setting.alone else n,
        "physical": spent,
        "seconds": time.perf_counter() - begin,
        "log_z": _log_mean(logs_z),
        "stopped": result.diagnostics.stopped,
        "notes": list(result.diagnostics.notes),
    }
    if not setting.alone:
        row |= {
            "logical": result.diagnostics.forwards_logical,
            "calls": result.diagnostics.calls,
            "dead_ends": result.diagnostics.dead_ends,
            "kl_estimate": result.diagnostics.kl,
        }
    if log_z is not None:
        even = [1 / max(1, len(sequences))] * len(sequences)
        row["tv"], row["kl_plug_in"] = distances(shares(sequences, logp, log_z, even), target)
        if setting.method in ("local", "awrs", "smc"):
            by_weight = shares(sequences, logp, log_z, _normalised(log_weights))
            row["tv_weighted"] = distances(by_weight, target)[0]
    return row


def _normalised(log_weights: Sequence[float]) -> list[float]:
    best = max(log_weights, default=-math.inf)
    if not math.isfinite(best):
        return [0.0] * len(log_weights)
    weights = [math.exp(each - best) for each in log_weights]
    total = math.fsum(weights)
    return [weight / total for weight in weights]


def _log_sum(logs: Sequence[float]) -> float:
    best = max(logs)
    if not math.isfinite(best):
        return best
    return best + math.log(math.fsum(math.exp(each - best) for each in logs))


def _log_mean(logs: Sequence[float]) -> float:
    return _log_sum(logs) - math.log(len(logs))


def rejection_cost(common: dict[str, Any], z: float, n: int, seed: int, seconds: float) -> dict[str, Any]:
    """What n texts cost by plain rejection, which shares nothing between tries: n / Z tries, expected.

    Run where Z allows it (at Z = e^-20 it would take years); else the passes of a try are measured, on 2,000.
    """
    import torch

    from structgen.sampling.constraint import GrammarConstraint
    from structgen.sampling.language_model import LanguageModel
    from structgen.sampling.randomness import Randomness
    from structgen.sampling.target import Target as SampledTarget

    rules = GrammarConstraint(common["constraint"])
    rule = SampledTarget(rules.vocabulary, common["max_new_tokens"])
    # the last token of the prompt is run for each try: without sharing, its logits are nobody else's
    model = LanguageModel(common["model"], common["prompt"][:-1], rule)
    randomness = Randomness(torch.Generator().manual_seed(seed))
    whole = z > MEASURED_FROM
    before, begin = model.forwards.physical, time.perf_counter()
    tries = accepted = 0
    while accepted < n and (whole or tries < 2_000) and time.perf_counter() - begin < 10 * seconds:
        tries += _BATCH
        accepted += _plain_tries(model, rules, rule, common["prompt"][-1], randomness)
    passes = model.forwards.physical - before
    cost: dict[str, Any] = {
        "passes_a_try": passes / tries,
        "tries_expected": n / z,
        "physical_expected": passes / tries * n / z,
    }
    if accepted >= n:
        cost |= {"tries": tries, "accepted": accepted, "physical": passes * n / accepted}
    return cost


_BATCH = 64  # tries side by side


def _plain_tries(model: Any, rules: Any, rule: Any, last: int, randomness: Any) -> int:
    """One batch of tries, each from the prompt on; how many were valid."""
    scored, rows = model.begin().advance([0] * _BATCH, [last] * _BATCH)
    states = [rules.start()] * _BATCH
    accepted = depth = 0
    while states:
        tokens, _ = scored.tokens(list(range(len(states))), randomness)
        going = []
        for row, (state, token) in enumerate(zip(states, tokens, strict=True)):
            if token == rule.stop:
                accepted += state.is_complete()
            elif not rule.only_stop_fits(depth) and token < rules.vocabulary.size:
                after = state.extended(token)
                if after is not None:
                    going.append((row, token, after))
        states = [after for _, _, after in going]
        depth += 1
        if states:
            scored, rows = rows.advance([row for row, _, _ in going], [token for _, token, _ in going])
    return accepted


class _StopAfter:
    """Progress that ends a call after so many seconds, as Ctrl-C does."""

    def __init__(self, seconds: float) -> None:
        self._end = time.perf_counter() + seconds

    def __call__(self, now: Any) -> None:
        if time.perf_counter() > self._end:
            raise KeyboardInterrupt


# Worked examples in the prompts: a folder, question and solution, what the solution begins with.
_SYGUS = r"(\(synth-fun.*?Solution:\n)\(define-fun([^\n]*)"
_EXAMPLES = (
    ("BV4", _SYGUS, "(define-fun"),
    ("SLIA", _SYGUS, "(define-fun"),
    ("CP", r"([^\n]+\n->\n)(\[[^\n]*\])", ""),
)


def adapt(
    model: Any,
    tokenizer: Any,
    data: Path,
    folders: Sequence[str],
    *,
    steps: int,
    prompt_tokens: int,
    seed: int,
) -> list[float]:
    """Teach the embedded model what solutions look like, so that Z is not absurdly small.

    From the worked examples in the prompts (their last question has no solution and is left out). Returns
    the loss of each step. The model is changed in place; with the seed and one thread it is the same again.
    """
    import torch

    examples = sorted(
        {
            (question, begin + solution)
            for folder, pattern, begin in _EXAMPLES
            if folder in folders
            for path in data.glob(f"{folder}/*.txt")
            for question, solution in re.findall(pattern, path.read_text(encoding="utf-8"), re.DOTALL)
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
