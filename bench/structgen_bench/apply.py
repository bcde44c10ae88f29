"""Times `structgen.apply_bitmask_` against torch's masked_fill_ and XGrammar's kernel, on the CPU.

    python -m structgen_bench.apply [--vocab-size 131072] [--threads 1] [--json FILE]

All contenders work on the same logits and the same masks, warm, in one process; every round runs each of
them once in a random order, so that what one leaves in the caches falls on all alike. A ratio is the
median over the rounds of (theirs / ours): above 1, structgen is faster. masked_fill_ gets its boolean mask
ready made, which is unpacked nowhere else.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

ALLOWED = {"sparse": 0.001, "random": 0.5, "dense": 0.999}  # share of the ids that a mask allows


def run(
    *,
    vocab_size: int = 131_072,
    batches: Sequence[int] = (1, 32),
    dtypes: Sequence[str] = ("float32", "bfloat16"),
    threads: int = 1,
    seconds: float = 1.0,
    seed: int = 0,
) -> dict[str, Any]:
    """Time every combination for about ``seconds`` each, on ``threads`` threads of torch.

    Returns {"setup": {...}, "cases": [{"dtype", "batch", "mask", "rounds", "median_us": {name: us},
    "ratio": {name: theirs / ours}}, ...]}. XGrammar takes part if it is installed.
    """
    import torch

    generator = np.random.default_rng(seed)
    order = random.Random(seed)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        cases = [
            _case(generator, order, dtype, batch, mask, vocab_size, seconds)
            for dtype in dtypes
            for batch in batches
            for mask in ALLOWED
        ]
    finally:
        torch.set_num_threads(before)
    return {"setup": {"vocab_size": vocab_size, "threads": threads, "seed": seed}, "cases": cases}


def _case(
    generator: np.random.Generator,
    order: random.Random,
    dtype: str,
    batch: int,
    mask: str,
    vocab_size: int,
    seconds: float,
) -> dict[str, Any]:
    import torch

    words = -(-vocab_size // 32)
    allowed = generator.random((batch, 32 * words)) < ALLOWED[mask]
    bitmask = np.packbits(allowed, axis=1, bitorder="little").view(np.int32)
    banned = torch.from_numpy(~allowed[:, :vocab_size])
    start = torch.randn(batch, vocab_size, generator=torch.Generator().manual_seed(0))
    logits = start.to(getattr(torch, dtype))
    contenders = _contenders(logits, bitmask, banned)
    _check_equal(contenders, logits)

    times: dict[str, list[float]] = {name: [] for name in contenders}
    names = list(contenders)
    until = time.perf_counter() + seconds
    while time.perf_counter() < until or len(times["structgen"]) < 5:
        order.shuffle(names)
        for name in names:
            begin = time.perf_counter()
            contenders[name]()
            times[name].append(time.perf_counter() - begin)
    ours = times["structgen"]
    return {
        "dtype": dtype,
        "batch": batch,
        "mask": mask,
        "rounds": len(ours),
        "median_us": {name: round(1e6 * statistics.median(took), 2) for name, took in times.items()},
        "ratio": {
            name: round(statistics.median(a / b for a, b in zip(took, ours, strict=True)), 3)
            for name, took in times.items()
            if name != "structgen"
        },
    }


def _contenders(logits: Any, bitmask: Any, banned: Any) -> dict[str, Callable[[], Any]]:
    import torch

    from structgen.apply import apply_bitmask_

    tensor = torch.from_numpy(bitmask)
    contenders: dict[str, Callable[[], Any]] = {
        "structgen": lambda: apply_bitmask_(logits, tensor),
        "masked_fill_": lambda: logits.masked_fill_(banned, float("-inf")),
    }
    if find_spec("xgrammar"):
        from xgrammar import apply_token_bitmask_inplace

        contenders["xgrammar"] = lambda: apply_token_bitmask_inplace(logits, tensor)
    return contenders


def _check_equal(contenders: dict[str, Callable[[], Any]], logits: Any) -> None:
    """Only what is right is timed: from the same logits all come to the same, bit for bit."""
    import torch

    start = logits.clone()
    contenders["structgen"]()
    expected = logits.clone()
    for name, apply in contenders.items():
        logits.copy_(start)
        apply()
        if not torch.equal(logits, expected):
            raise RuntimeError(f"{name} and structgen disagree on the masked logits")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a table; exit code 1 if a contender was faster anywhere."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--vocab-size", type=int, default=131_072)
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 32])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=1.0, help="for each row of the table")
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    options = parser.parse_args(arguments)
    result = run(
        vocab_size=options.vocab_size,
        batches=options.batch,
        threads=options.threads,
        seconds=options.seconds,
    )
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    names = list(result["cases"][0]["median_us"])
    print(f"{options.vocab_size:,} columns, {options.threads} thread(s); microseconds, median of the rounds")
    print(f"{'dtype':9} {'batch':>5} {'mask':7}" + "".join(f"{name:>14}" for name in names))
    slower = False
    for case in result["cases"]:
        cells = f"{case['median_us']['structgen']:14.1f}"
        for name in names[1:]:
            slower |= case["ratio"][name] < 1
            cells += f"{case['median_us'][name]:8.1f} {case['ratio'][name]:4.1f}x"
        print(f"{case['dtype']:9} {case['batch']:5} {case['mask']:7}{cells}")
    return int(slower)


if __name__ == "__main__":
    sys.exit(main())
