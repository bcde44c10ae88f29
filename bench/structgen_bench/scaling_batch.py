"""Batches of masks: rows by threads, and what of it is Python."""

from __future__ import annotations

import json
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any
from unittest import mock

import numpy as np

from structgen_bench.scaling_parts import PERSON, Row, tool_call, tool_schema

ROUNDS = 400
IN_A_ROW = 100  # batches
LEFT_OUT = 10  # of these, the first: they find the caches as the other work left them, and helpers asleep
SIZES = (1, 4, 16, 64, 128, 256)
# from the end of a batch to the next one, microseconds; what this thread does then; rounds; batches in a row
GAPS = (
    (0, "nothing", 20, IN_A_ROW),
    (200, "computes", 10, IN_A_ROW),
    (200, "sleeps", 10, IN_A_ROW),
    (1_000, "sleeps", 5, IN_A_ROW),
    (20_000, "sleeps", 4, 3 * LEFT_OUT),
)


def mixed_grammars(compiler: Any) -> list[tuple[Any, str]]:
    """30 JSON Schemas, 10 regexes, 3 grammars with a lexer: (grammar, a text of it)."""
    grammars: list[tuple[Any, str]] = []
    for number in range(20):
        properties = {f"{key}{number}": value for key, value in PERSON["properties"].items()}  # type: ignore[attr-defined]
        schema = {"type": "object", "properties": properties, "additionalProperties": False}
        text = {f"name{number}": "hello there", f"score{number}": 1.5, f"tags{number}": ["some", "words"]}
        grammars.append((compiler.json_schema(schema), json.dumps(text)))
    for number in range(10):
        grammars.append((compiler.json_schema(tool_schema(3 + number, number)), tool_call(number)))
    for number in range(10):
        grammars.append((compiler.regex(rf"[a-z ]{{1,{20 + number}}}\d+(foo|bar)*"), "hello there 123foo"))
    grammars.append((compiler.grammar("python"), "def f(x):\n    return x + 1\n"))
    grammars.append((compiler.grammar("json"), '{"a": [1, 2, {"b": null}]}'))
    grammars.append((compiler.grammar("sql"), "SELECT a, b FROM t WHERE x > 1"))
    return grammars


def by_batch(compiler: Any, seed: int) -> list[Row]:
    """Masks that are known, of mixed grammars, each somewhere in its text: batches back to back."""
    import structgen.batch
    from structgen import fill_bitmasks

    matchers, bitmask = _known(compiler, seed)
    rows = []
    for size in SIZES:
        chosen = matchers[:size]

        def filled(threads: int, chosen: list[Any] = chosen) -> None:
            fill_bitmasks(chosen, bitmask, threads=threads)

        def one_by_one(chosen: list[Any] = chosen) -> None:
            for row, matcher in enumerate(chosen):
                matcher.fill_bitmask(bitmask, row)

        filled(2)
        works = [lambda f=filled: f(1), lambda f=filled: f(2), one_by_one]  # type: ignore[misc]
        with _apart():
            times = _in_a_row(works)
            turns = _by_turns(works)
        with mock.patch.object(structgen.batch, "fill_shown", _nothing):
            python = _by_turns([lambda f=filled: f(1)])[0]  # type: ignore[misc]
        rows.append(
            {
                "rows": size,
                "one_thread_us": _low(times[0]),
                "two_threads_us": _low(times[1]),
                "one_by_one_us": _low(times[2]),
                "one_thread_p50_us": float(np.median(times[0])),
                "two_threads_p50_us": float(np.median(times[1])),
                "ratio": _low(times[0]) / _low(times[1]),
                "ratio_of_minima": float(times[0].min() / times[1].min()),
                # one after another, so that each finds the rows in the caches of whoever wrote them last
                "ratio_by_turns": _low(turns[0]) / _low(turns[1]),
                "python_us_a_row": _low(python) / size,
            }
        )
    return rows


def by_gap(compiler: Any, seed: int) -> list[Row]:
    """The largest batch with pauses before each: threads on cores of their own, or wherever they land."""
    from structgen import fill_bitmasks

    matchers, bitmask = _known(compiler, seed)
    fill_bitmasks(matchers, bitmask, threads=2)
    works = [lambda t=threads: fill_bitmasks(matchers, bitmask, threads=t) for threads in (1, 2)]  # type: ignore[misc]
    rows = []
    for cores in ("apart", "any"):
        with _apart() if cores == "apart" else nullcontext():
            for gap_us, meanwhile, rounds, number in GAPS:
                one, two = _in_a_row(works, rounds, number, gap_us * 1e-6, meanwhile == "sleeps")
                rows.append(
                    {
                        "cores": cores,
                        "gap_us": gap_us,
                        "meanwhile": meanwhile,
                        "one_thread_us": _low(one),
                        "two_threads_us": _low(two),
                        "one_thread_p50_us": float(np.median(one)),
                        "two_threads_p50_us": float(np.median(two)),
                        "ratio": _low(one) / _low(two),
                        "ratio_p50": float(np.median(one) / np.median(two)),
                    }
                )
    return rows


def _known(compiler: Any, seed: int) -> tuple[list[Any], Any]:
    """Matchers whose masks are known, as many as the largest batch has, and a bitmask for them."""
    from structgen import allocate_bitmask, fill_bitmasks

    rng = random.Random(seed)
    grammars = mixed_grammars(compiler)
    vocabulary = compiler.vocabulary
    tokens = [vocabulary.tokenize_bytes(text.encode()) for _, text in grammars]
    matchers = []
    for _ in range(max(SIZES)):
        which = rng.randrange(len(grammars))
        matcher = grammars[which][0].matcher()
        for token in tokens[which][: rng.randrange(len(tokens[which]))]:
            matcher.accept(token)
        matchers.append(matcher)
    bitmask = allocate_bitmask(max(SIZES), vocabulary.size)
    fill_bitmasks(matchers, bitmask)
    return matchers, bitmask


def by_steps(compiler: Any, seed: int) -> list[Row]:
    """256 texts side by side, all grammars new, so that masks are found and copied: by threads."""
    from structgen import allocate_bitmask, fill_bitmasks

    rows = []
    runs: dict[int, list[float]] = {1: [], 2: []}
    for attempt in range(6):
        threads = 1 + attempt % 2
        rng = random.Random(seed)
        grammars = mixed_grammars(compiler)
        vocabulary = compiler.vocabulary
        bitmask = allocate_bitmask(256, vocabulary.size)
        tokens = [vocabulary.tokenize_bytes(text.encode()) for _, text in grammars]
        chosen = [rng.randrange(len(grammars)) for _ in range(256)]
        matchers = [grammars[which][0].matcher() for which in chosen]
        spent = 0.0
        for place in range(max(map(len, tokens))):
            begin = time.perf_counter()
            fill_bitmasks(matchers, bitmask, threads=threads)
            spent += time.perf_counter() - begin
            for matcher, which in zip(matchers, chosen, strict=True):
                if place < len(tokens[which]):
                    matcher.accept(tokens[which][place])
        runs[threads].append(spent * 1e3)
    for threads, spent_ms in runs.items():
        rows.append(
            {"threads": threads, "all_masks_ms": min(spent_ms), "median_ms": float(np.median(spent_ms))}
        )
    return rows


@contextmanager
def _apart() -> Iterator[None]:
    """This thread on one core and helpers on another: where other programs run, all may land on one core."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    usable = os.sched_getaffinity(0)
    first = min(usable)
    helpers = [thread.native_id for thread in threading.enumerate() if thread.name == "structgen"]
    others = usable - {first} or usable
    try:
        os.sched_setaffinity(0, {first})
        for helper in helpers:
            if helper is not None:
                os.sched_setaffinity(helper, others)
        yield
    finally:
        for thread_id in (0, *(helper for helper in helpers if helper is not None)):
            os.sched_setaffinity(thread_id, usable)


def _in_a_row(
    works: list[Callable[[], None]],
    rounds: int = 20,
    in_a_row: int = IN_A_ROW,
    gap: float = 0.0,
    sleeps: bool = False,
) -> list[np.ndarray]:  # type: ignore[type-arg]
    """Microseconds of each work: ``in_a_row`` times, ``gap`` seconds before each, then the next."""
    times: list[list[float]] = [[] for _ in works]
    for _ in range(rounds):
        for work, spent in zip(works, times, strict=True):
            for number in range(in_a_row):
                until = time.perf_counter() + gap
                if sleeps:
                    time.sleep(gap)
                while time.perf_counter() < until:
                    pass
                begin = time.perf_counter()
                work()
                if number >= LEFT_OUT:
                    spent.append((time.perf_counter() - begin) * 1e6)
    return [np.array(spent) for spent in times]


def _by_turns(works: list[Callable[[], None]]) -> list[np.ndarray]:  # type: ignore[type-arg]
    times: list[list[float]] = [[] for _ in works]
    for _ in range(ROUNDS):
        for work, spent in zip(works, times, strict=True):
            begin = time.perf_counter()
            work()
            spent.append((time.perf_counter() - begin) * 1e6)
    return [np.array(spent) for spent in times]


def _low(times: np.ndarray) -> float:  # type: ignore[type-arg]
    """The 10th percentile: what it takes where nothing else runs on the machine."""
    return float(np.percentile(times, 10))


def _nothing(*_: object) -> None:
    pass
