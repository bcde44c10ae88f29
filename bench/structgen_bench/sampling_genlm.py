"""structgen beside genlm-control: the same model, prompt, constraint and number of particles.

genlm-control runs in an environment of its own (`genlm_probe.py`, by that environment's Python). Accuracy
is the error of the estimate of Z over runs, against a reference of many populations under the grammar. The
engines take turns, a few runs each, so that a busy machine is busy for all.

genlm-control drops tokens with characters outside the regex's alphabet before it samples: its automaton has
no name for them. The same is given to structgen as the predicate's mask in one of its rows; and in another
genlm-control is given the bare predicate, as a potential of its own.

The *floor* is the model alone: the same number of calls with the same rows each, keys and values kept, and
nothing done with the logits.
"""

from __future__ import annotations

import json
import math
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np

from structgen_bench.errors import BenchError
from structgen_bench.sampling_toy import PROMPT

PROBE_SECONDS = 900.0
PARTICLES = 20
REFERENCE = 200  # populations
ROUNDS = 5  # in which the engines take turns


class _Quoted:
    """`"[a-z ]{1,8}"`, by a predicate."""

    regex = '"[a-z ]{1,8}"'
    max_tokens = 14
    alphabet = '["a-z ]*'
    prefixes = r'("([a-z ]{0,8}|[a-z ]{1,8}"))?'

    def check(self, prefix: str) -> bool:
        return re.fullmatch(self.prefixes, prefix) is not None

    def accepts(self, text: str) -> bool:
        return re.fullmatch(self.regex, text) is not None


class _Sentence:
    """` [a-z ]{1,40}\\.`, by a predicate."""

    regex = r" [a-z ]{1,40}\."
    max_tokens = 50
    alphabet = r"[a-z .]*"
    prefixes = r"( ([a-z ]{0,40}|[a-z ]{1,40}\.))?"

    def check(self, prefix: str) -> bool:
        return re.fullmatch(self.prefixes, prefix) is not None

    def accepts(self, text: str) -> bool:
        return re.fullmatch(self.regex, text) is not None


def compare(
    python: Path, default: tuple[Any, Any, Path], toy: Path | None, runs: int
) -> list[dict[str, Any]]:
    """Both libraries on the embedded model, and on a model of four layers over 50,000 ids (its folder)."""
    from structgen.model import load

    network, tokenizer, folder = default
    prompt = tokenizer('{"type":"string","pattern":"^[a-z ]{1,8}$"}\n\nJSON:\n')["input_ids"]
    results = [_case("embedded model", network, tokenizer, folder, prompt, _Quoted(), python, runs)]
    if toy is not None:
        network, tokenizer = load(toy)
        prompt = tokenizer(PROMPT)["input_ids"]
        results.append(_case("4 layers, 50k ids", network, tokenizer, toy, prompt, _Sentence(), python, runs))
    return results


def _case(
    name: str,
    network: Any,
    tokenizer: Any,
    folder: Path,
    prompt: list[int],
    rules: Any,
    python: Path,
    runs: int,
) -> dict[str, Any]:
    import torch

    from structgen import Compiler, sample
    from structgen.cli.generate import vocabulary_of_model
    from structgen.sampling import PredicateConstraint, PrefixTrie

    grammar = Compiler(vocabulary_of_model(network, tokenizer)).regex(rules.regex)
    vocabulary = grammar.vocabulary
    common = {
        "model": network, "tokenizer": tokenizer, "prompt": prompt, "max_new_tokens": rules.max_tokens,
        "method": "smc", "particles": PARTICLES,
    }  # fmt: skip
    reference = sample(**common, constraint=grammar, n=REFERENCE, generator=torch.Generator().manual_seed(99))
    in_alphabet = re.compile(rules.alphabet.encode())
    writable = np.array(
        [not token or in_alphabet.fullmatch(token) is not None for token in vocabulary.tokens]
    )

    def asked(mask: Any) -> PredicateConstraint:  # a new one for each run: it remembers answers
        return PredicateConstraint(rules.check, vocabulary, accepts=rules.accepts, mask=mask)

    # from run to run, as genlm-control keeps its logits
    kept, prompted = PrefixTrie(None), PrefixTrie(None)
    engines: dict[str, Any] = {
        "structgen smc, grammar, kept trie": lambda: {"constraint": grammar, "state": kept},
        "structgen smc, grammar, no twist, kept prompt": lambda: {
            "constraint": grammar,
            "twist": "none",
            "state": prompted,
        },
        "structgen smc, grammar": lambda: {"constraint": grammar},
        "structgen smc, grammar, no twist": lambda: {"constraint": grammar, "twist": "none"},
        "structgen smc, awrs on a predicate": lambda: {"constraint": asked(None)},
        "structgen smc, awrs, mask of the alphabet": lambda: {"constraint": asked(lambda _: writable)},
    }
    answers: dict[str, list[dict[str, Any]]] = {label: [] for label in engines}
    genlm: dict[str, list[dict[str, Any]]] = {"awrs": [], "predicate": []}
    floors: list[dict[str, float]] = []
    for turn in range(ROUNDS):
        seeds = range(turn * runs // ROUNDS, (turn + 1) * runs // ROUNDS)
        for label, options in engines.items():
            sample(**common, **options(), generator=torch.Generator().manual_seed(7))  # warms up
            for seed in seeds:
                given = options()
                begin, cpu = time.perf_counter(), time.process_time()
                result = sample(**common, **given, generator=torch.Generator().manual_seed(1_000 + seed))
                seconds, cpu = time.perf_counter() - begin, time.process_time() - cpu
                steps = max((len(w) + 1 for w in result.sequences), default=1)
                tokens = result.diagnostics.forwards_logical
                answers[label].append(
                    {
                        "log_z": result.log_z, "seconds": seconds, "cpu": cpu, "steps": steps,
                        "checks": result.diagnostics.checks / max(1, tokens),
                    }
                )  # fmt: skip
        floors.append(_floor(network, common, grammar))
        for method, done in genlm.items():
            done += _probe(python, folder, prompt, rules, seeds, method)
    answers["genlm-control smc, awrs"] = genlm["awrs"]
    answers["genlm-control smc, awrs on a predicate"] = genlm["predicate"]
    return {
        "case": name,
        "ids": vocabulary.size,
        "regex": rules.regex,
        "particles": PARTICLES,
        "runs": runs,
        "reference_log_z": reference.log_z,
        "reference_stderr": reference.log_z_stderr,
        "floor": {name: float(np.mean([each[name] for each in floors])) for name in floors[0]},
        "engines": {label: _summary(each, reference.log_z) for label, each in answers.items()},
    }


def _floor(network: Any, common: dict[str, Any], grammar: Any) -> dict[str, float]:
    """The passes of one population without twist, as the library calls for them, run bare once more."""
    import torch
    import transformers

    from structgen import sample

    shapes: list[tuple[int, int]] = []
    hook = network.register_forward_pre_hook(
        lambda _, args, given: shapes.append(tuple(given["input_ids"].shape)), with_kwargs=True
    )
    try:
        sample(**common, constraint=grammar, twist="none", generator=torch.Generator().manual_seed(1_000))
    finally:
        hook.remove()
    rows = [height for height, width in shapes if width == 1]
    prompt = torch.tensor([common["prompt"]])
    times = []
    with torch.no_grad():
        for _ in range(6):
            begin, cpu = time.perf_counter(), time.process_time()
            cache: Any = transformers.DynamicCache()
            network(prompt, past_key_values=cache, use_cache=True, logits_to_keep=1)
            for height in rows:
                index = torch.arange(height) % cache.layers[0].keys.shape[0]
                cache = transformers.DynamicCache(
                    [(layer.keys[index], layer.values[index]) for layer in cache.layers]
                )
                network(index[:, None], past_key_values=cache, use_cache=True, logits_to_keep=1)
            times.append((time.perf_counter() - begin, time.process_time() - cpu))
    wall, cpu = (float(each) for each in np.median(times[1:], axis=0) / (len(rows) + 1))
    return {"rows_a_step": float(np.mean(rows)), "ms_a_step": 1e3 * wall, "cpu_ms_a_step": 1e3 * cpu}


def _summary(runs: list[dict[str, Any]], log_z: float) -> dict[str, float]:
    """rmse: of Z relative to the reference; its stderr by the spread of the squared errors."""
    errors = np.array([math.exp(run["log_z"] - log_z) - 1 for run in runs])
    mean_square = float(np.mean(errors**2))
    rmse = math.sqrt(mean_square)
    spread = float(np.std(errors**2, ddof=1)) / math.sqrt(len(runs))
    summary = {
        "ms_a_step": 1e3 * float(np.median([run["seconds"] / run["steps"] for run in runs])),
        "cpu_ms_a_step": 1e3 * float(np.median([run["cpu"] / run["steps"] for run in runs])),
        "seconds_a_run": float(np.median([run["seconds"] for run in runs])),
        "z_relative_rmse": rmse,
        "z_relative_rmse_stderr": spread / (2 * rmse) if rmse else 0.0,
        "z_mean_over_reference": 1 + float(errors.mean()),
    }
    if "checks" in runs[0]:
        summary["checks_a_token"] = float(np.mean([run["checks"] for run in runs]))
    return summary


def _probe(
    python: Path, folder: Path, prompt: list[int], rules: Any, seeds: range, method: str
) -> list[dict[str, Any]]:
    import torch

    probe = Path(__file__).with_name("genlm_probe.py")
    # -P: this folder holds modules with the names of others' packages
    command = [
        str(python), "-P", str(probe), str(folder), json.dumps(prompt), rules.regex, str(PARTICLES),
        f"{seeds.start}:{seeds.stop}", str(rules.max_tokens - 1), method, rules.prefixes,
        str(torch.get_num_threads()),
    ]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PROBE_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BenchError(f"genlm-control could not be run: {error}", "see bench/README.md") from error
    if done.returncode != 0:
        end = "\n".join(done.stderr.strip().splitlines()[-3:])
        raise BenchError(f"genlm-control failed with exit status {done.returncode}", end)
    answers: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return answers
