"""Many masks over many schemas for a long time: memory stays under its bound, and masks stay as fast.

The schemas are visited in turn, each time in another order. A visit compiles the schema (or finds it
compiled), takes the next stretch of its next instance and fills a mask before each of its tokens.
"""

from __future__ import annotations

import json
import os
import random
import time
from array import array
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import typer
from rich.console import Console
from rich.progress import Progress

from structgen import Compiler, StructgenError, Vocabulary, allocate_bitmask
from structgen_bench.artifacts import percentiles
from structgen_bench.errors import BenchError
from structgen_bench.machine import run_header
from structgen_bench.maskbench import progress_bar, read_file, select_files
from structgen_bench.pictures import pyplot
from structgen_bench.report import write_json
from structgen_bench.tokenizers import load_tokenizer

PACKAGES = ("structgen", "numpy", "numba", "mistral-common")
SAMPLES = 100  # of memory, over the run


@dataclass(slots=True)
class Text:
    """A schema with its instances as tokens, and where the next visit goes on."""

    name: str
    schema: Any
    instances: list[list[int]]
    instance: int = 0
    place: int = 0


@dataclass(slots=True)
class Soak:
    """What a run has found so far. ``steps_us``: mask + accept of each token by the clock;
    ``processor_us``: by the thread's processor time, which other processes do not lengthen.
    """

    steps_us: array[float] = field(default_factory=lambda: array("f"))
    processor_us: array[float] = field(default_factory=lambda: array("f"))
    compile_ms: list[float] = field(default_factory=list)
    samples: list[dict[str, float]] = field(default_factory=list)
    visits: int = 0
    refused: int = 0
    finished: bool = False

    def tenths(self, *, processor: bool = False) -> list[dict[str, float]]:
        """Percentiles of the steps of each tenth of the run."""
        steps = np.array(self.processor_us if processor else self.steps_us)
        return [percentiles(part.tolist()) for part in np.array_split(steps, 10) if part.size]


def resident_bytes() -> int:
    """Memory that this process has now."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def run_soak(
    compiler: Compiler,
    texts: list[Text],
    masks: int,
    per_visit: int,
    seed: int,
    progress: Progress | None = None,
) -> Soak:
    """Fill ``masks`` masks, at most ``per_visit`` before going on to another schema. Ctrl-C ends it early."""
    source = random.Random(seed)
    bitmask: npt.NDArray[np.int32] = allocate_bitmask(1, compiler.vocabulary.size)
    result = Soak()
    task = None if progress is None else progress.add_task("", total=masks, note="")
    begin = time.perf_counter()
    order: list[Text] = []
    open_texts = list(texts)
    try:
        while len(result.steps_us) < masks and open_texts:
            if not order:
                order = list(open_texts)
                source.shuffle(order)
            text = order.pop()
            if not visit(compiler, text, min(per_visit, masks - len(result.steps_us)), bitmask, result):
                open_texts.remove(text)
                order = [other for other in order if other is not text]
            done = len(result.steps_us)
            if done * SAMPLES >= len(result.samples) * masks:
                result.samples.append(sample(compiler, done, time.perf_counter() - begin))
                if progress is not None and task is not None:
                    mib = result.samples[-1]["nbytes"] / 2**20
                    progress.update(task, completed=done, note=f"{mib:,.0f} MiB held")
        result.finished = len(result.steps_us) >= masks
    except KeyboardInterrupt:
        result.finished = False
    return result


def visit(compiler: Compiler, text: Text, most: int, bitmask: npt.NDArray[np.int32], result: Soak) -> bool:
    """One stretch of one instance. False when the schema cannot be compiled."""
    begin = time.perf_counter()
    try:
        grammar = compiler.json_schema(text.schema)
    except StructgenError:
        result.refused += 1
        return False
    result.compile_ms.append(1e3 * (time.perf_counter() - begin))
    result.visits += 1
    tokens = text.instances[text.instance]
    matcher = grammar.matcher()
    taken = all(matcher.accept(token) for token in tokens[: text.place])
    stretch = tokens[text.place : text.place + most] if taken else []
    for token in stretch:
        used = time.thread_time()
        begin = time.perf_counter()
        try:
            matcher.fill_bitmask(bitmask, 0)
        except StructgenError:
            taken = False
            break
        taken = matcher.accept(token)
        result.steps_us.append(1e6 * (time.perf_counter() - begin))
        result.processor_us.append(1e6 * (time.thread_time() - used))
        if not taken:
            break
    text.place += most
    if not taken or text.place >= len(tokens):
        text.instance, text.place = (text.instance + 1) % len(text.instances), 0
    return True


def sample(compiler: Compiler, masks: int, seconds: float) -> dict[str, float]:
    """Memory now."""
    return {
        "masks": masks,
        "seconds": round(seconds, 2),
        "rss": resident_bytes(),
        "nbytes": compiler.nbytes,
        "store_nbytes": compiler.store.nbytes,
        "epoch": compiler.store.epoch,
        "grammars": compiler.n_cached,
    }


def soak(
    data: Annotated[Path, typer.Option(help="Folder of MaskBench files.")],
    masks: Annotated[int, typer.Option(min=1, help="Masks to fill.")] = 1_000_000,
    schemas: Annotated[int, typer.Option(min=1, help="Schemas, drawn by the seed.")] = 2000,
    per_visit: Annotated[int, typer.Option(min=1, help="Masks before going on to another schema.")] = 100,
    cache_mib: Annotated[int, typer.Option(min=0, help="The compiler's cache_bytes, in MiB.")] = 512,
    tokenizer: Annotated[
        str, typer.Option(help="'tekken', 'neox' or the path of a tokenizer.json.")
    ] = "tekken",
    seed: Annotated[int, typer.Option(help="Seed of the choice and the order.")] = 0,
    output: Annotated[Path, typer.Option("--output", "-o", help="Results, JSON; a PNG beside it.")] = Path(
        "soak.json"
    ),
) -> None:
    """Memory and latency over a million masks of two thousand schemas."""
    console = Console()
    chosen = load_tokenizer(tokenizer, data)
    texts = []
    with console.status("reading and tokenising"):
        for file in select_files(data, limit=schemas, seed=seed).files:
            document = read_file(file)
            instances = [
                chosen.encode(json.dumps(test["data"], ensure_ascii=False)) for test in document["tests"]
            ]
            if instances:
                texts.append(Text(file.stem, document["schema"], instances))
    vocabulary = Vocabulary(chosen.vocabulary.tokens, chosen.vocabulary.eos_ids)
    bound = cache_mib << 20
    compiler = Compiler(vocabulary, cache_bytes=bound)
    base = resident_bytes()
    begin = time.perf_counter()
    with progress_bar(console) as progress:
        result = run_soak(compiler, texts, masks, per_visit, seed, progress)
    if not result.samples:
        raise BenchError("no mask was filled")
    document = {
        **run_header("soak", PACKAGES),
        "load_average": os.getloadavg(),
        "tokenizer": {"name": chosen.name, "vocab_size": chosen.vocabulary.vocab_size},
        "seed": seed,
        "finished": result.finished,
        "seconds": round(time.perf_counter() - begin, 1),
        "schemas": len(texts),
        "refused": result.refused,
        "visits": result.visits,
        "masks": len(result.steps_us),
        "cache_bytes": bound,
        "most_nbytes": max(point["nbytes"] for point in result.samples),
        "base_rss": base,
        "most_rss": max(point["rss"] for point in result.samples),
        "compile_ms": percentiles(result.compile_ms),
        "step_us": percentiles(list(result.steps_us)),
        "step_us_by_tenth": result.tenths(),
        "processor_us": percentiles(list(result.processor_us)),
        "processor_us_by_tenth": result.tenths(processor=True),
        "samples": result.samples,
    }
    write_json(output, document)
    picture = output.with_suffix(".png")
    draw(document, picture)
    shown = ("masks", "most_nbytes", "most_rss", "step_us", "processor_us", "compile_ms")
    console.print(json.dumps({name: document[name] for name in shown}, indent=1))
    console.print(f"written: {output.name}, {picture.name}")
    if not result.finished:
        raise typer.Exit(130)


def draw(document: dict[str, Any], target: Path) -> None:
    """Two panels: memory over the run, latency by tenth."""
    plots = pyplot()
    figure, (memory, latency) = plots.subplots(1, 2, figsize=(11, 4.2), constrained_layout=True)
    points = document["samples"]
    at = [point["masks"] / 1000 for point in points]
    for key, label in (("rss", "resident"), ("nbytes", "held (nbytes)"), ("store_nbytes", "of these masks")):
        memory.plot(at, [point[key] / 2**20 for point in points], label=label, linewidth=1.8)
    memory.axhline(document["cache_bytes"] / 2**20, color="black", linestyle="--", label="cache_bytes")
    memory.set_xlabel("thousand masks")
    memory.set_ylabel("MiB")
    memory.set_ylim(bottom=0)
    tenths = document["processor_us_by_tenth"]
    for key in ("p50", "p90", "p99"):
        latency.plot(range(1, len(tenths) + 1), [tenth[key] for tenth in tenths], "o-", label=key)
    latency.set_yscale("log")
    latency.set_xlabel("tenth of the run")
    latency.set_ylabel("mask + accept, microseconds of processor time")
    for panel in (memory, latency):
        panel.grid(True, which="both", alpha=0.25)
        panel.legend(fontsize=8)
    figure.suptitle(
        f"{document['masks']:,} masks over {document['schemas']:,} schemas, {document['tokenizer']['name']}, "
        f"{document['machine']['cpu']}",
        fontsize=10,
    )
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, dpi=140)
    plots.close(figure)
