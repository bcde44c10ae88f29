"""structgen beside genlm-control: the same model, prompt, constraint and number of particles.

genlm-control runs in an environment of its own (`genlm_probe.py`, by that environment's Python). Accuracy
is the error of the estimate of Z over runs, against a reference of many weighted draws.
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

PROBE_SECONDS = 900.0
PARTICLES = 20


class _Quoted:
    """`"[a-z ]{1,8}"`, by a predicate."""

    regex = '"[a-z ]{1,8}"'
    max_tokens = 14
    reference = 1_000  # weighted draws

    def check(self, prefix: str) -> bool:
        return re.fullmatch(r'("([a-z ]{0,8}|[a-z ]{1,8}"))?', prefix) is not None

    def accepts(self, text: str) -> bool:
        return re.fullmatch(self.regex, text) is not None


class _Sentence:
    """` [a-z ]{1,40}\\.`, by a predicate."""

    regex = r" [a-z ]{1,40}\."
    max_tokens = 50
    reference = 400

    def check(self, prefix: str) -> bool:
        return re.fullmatch(r"( ([a-z ]{0,40}|[a-z ]{1,40}\.))?", prefix) is not None

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
        prompt = tokenizer("A sentence:")["input_ids"]
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

    grammar = Compiler(vocabulary_of_model(network, tokenizer)).regex(rules.regex)
    common = {
        "model": network, "tokenizer": tokenizer, "prompt": prompt, "max_new_tokens": rules.max_tokens,
    }  # fmt: skip
    reference = sample(
        **common, constraint=grammar, method="local", n=rules.reference,
        generator=torch.Generator().manual_seed(99),
    )  # fmt: skip
    figures: dict[str, Any] = {
        "case": name,
        "regex": rules.regex,
        "particles": PARTICLES,
        "runs": runs,
        "reference_log_z": reference.log_z,
        "reference_stderr": reference.log_z_stderr,
        "engines": {},
    }
    from structgen.sampling import PredicateConstraint

    asked = PredicateConstraint(rules.check, grammar.vocabulary, accepts=rules.accepts)
    for label, constraint in (
        ("structgen smc, grammar", grammar),
        ("structgen smc, awrs on a predicate", asked),
    ):
        runs_of_it = []
        for seed in range(runs + 1):
            begin = time.perf_counter()
            result = sample(
                **common, constraint=constraint, method="smc", particles=PARTICLES,
                generator=torch.Generator().manual_seed(seed),
            )  # fmt: skip
            seconds = time.perf_counter() - begin
            if seed:  # the first one warms up
                steps = max((len(w) + 1 for w in result.sequences), default=1)
                runs_of_it.append({"log_z": result.log_z, "seconds": seconds, "steps": steps})
        figures["engines"][label] = _summary(runs_of_it, reference.log_z)
    answers = _probe(python, folder, prompt, rules, runs, "awrs")
    figures["engines"]["genlm-control smc, awrs"] = _summary(answers, reference.log_z)
    return figures


def _summary(runs: list[dict[str, Any]], log_z: float) -> dict[str, float]:
    ratios = np.array([math.exp(run["log_z"] - log_z) for run in runs])
    return {
        "ms_a_step": 1e3 * float(np.median([run["seconds"] / run["steps"] for run in runs])),
        "seconds_a_run": float(np.median([run["seconds"] for run in runs])),
        "z_relative_rmse": float(np.sqrt(np.mean((ratios - 1) ** 2))),
        "z_mean_over_reference": float(ratios.mean()),
    }


def _probe(
    python: Path, folder: Path, prompt: list[int], rules: Any, runs: int, method: str
) -> list[dict[str, Any]]:
    probe = Path(__file__).with_name("genlm_probe.py")
    # -P: this folder holds modules with the names of others' packages
    command = [
        str(python), "-P", str(probe), str(folder), json.dumps(prompt), rules.regex, str(PARTICLES),
        str(runs), str(rules.max_tokens - 1), method,
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
