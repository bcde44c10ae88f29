"""What starting costs: imports, the kernels' first compilation, the first mask of a process, memory.

Each figure is taken in a fresh process. "Cold" is an empty cache folder, as on a fresh machine.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from structgen_bench.errors import BenchError
from structgen_bench.keywords import outside_subset
from structgen_bench.machine import run_header
from structgen_bench.maskbench import read_file
from structgen_bench.report import write_json
from structgen_bench.tokenizers import TokenBytes, load_tokenizer

REPEATS = 5
PROBE_SECONDS = 900.0
PACKAGES = ("structgen", "numba", "numpy", "torch", "mistral-common")


@dataclass(frozen=True, slots=True)
class Limit:
    """A figure, its unit and the most that it may be (from the first issue of this project)."""

    what: str
    value: float
    unit: str
    most: float | None

    @property
    def kept(self) -> bool:
        return self.most is None or self.value <= self.most


def cold(
    data: Annotated[
        Path | None, typer.Option(help="Folder of MaskBench files, for the memory figure.")
    ] = None,
    tokenizer: Annotated[
        str, typer.Option(help="'tekken', 'neox', 'bytes' or the path of a tokenizer.json.")
    ] = "tekken",
    schemas: Annotated[
        int, typer.Option(min=1, help="Schemas compiled and kept for the memory figure.")
    ] = 1000,
    seed: Annotated[int, typer.Option(help="Seed of the choice of the schemas.")] = 0,
    output: Annotated[Path, typer.Option("--output", "-o", help="Results, JSON.")] = Path("cold.json"),
    check: Annotated[bool, typer.Option(help="Exit with 1 where a limit is exceeded.")] = False,
) -> None:
    """Import, first compilation of the kernels, first mask of a new process, memory of 1,000 schemas."""
    console = Console()
    chosen = load_tokenizer(tokenizer, data)
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="structgen-cold-") as folder:
        work = Path(folder)
        tokens = write_vocabulary(chosen.vocabulary, work / "tokens.npz")
        empty = {"NUMBA_CACHE_DIR": str(work / "numba"), "STRUCTGEN_CACHE_DIR": str(work / "cache")}
        with console.status("the kernels' first compilation, in an empty cache"):
            figures["kernels_cold"] = run_probe("all_kernels", tokens, None, empty)
        with console.status("the same again, compiled"):
            figures["kernels_warm"] = run_probe("all_kernels", tokens, None, empty)
        with console.status("the first mask of a new process"):
            runs = [run_probe("first_mask", tokens, None, empty) for _ in range(REPEATS)]
        figures["first_mask"] = {name: float(np.median([run[name] for run in runs])) for name in runs[0]}
        if data is not None:
            listing = work / "files"
            listing.write_text("\n".join(map(str, choose_schemas(data, schemas, seed))), encoding="utf-8")
            with console.status("the mask store while it warms"):
                figures["warming"] = run_probe("warming", tokens, listing, empty)
            with console.status(f"{schemas:,} schemas, compiled and kept"):
                figures["memory"] = run_probe("memory", tokens, listing, empty)
    limits = judge(figures)
    document = {
        **run_header("cold", PACKAGES),
        "tokenizer": {"name": chosen.name, "vocab_size": chosen.vocabulary.vocab_size},
        "seed": seed,
        "figures": figures,
        "limits": {limit.what: [limit.value, limit.unit, limit.most, limit.kept] for limit in limits},
    }
    write_json(output, document)
    console.print(_table(limits))
    console.print(f"written: {output.name}")
    if check and not all(limit.kept for limit in limits):
        raise typer.Exit(1)


def write_vocabulary(vocabulary: TokenBytes, path: Path) -> Path:
    """The token bytes as flat arrays, so that a probe reads them without the tokenizer's package."""
    np.savez(
        path,
        blob=np.frombuffer(b"".join(token or b"" for token in vocabulary.tokens), np.uint8),
        lengths=np.array([-1 if token is None else len(token) for token in vocabulary.tokens], np.int32),
        eos=np.array(vocabulary.eos_ids, np.int64),
    )
    return path


def choose_schemas(data: Path, count: int, seed: int) -> list[Path]:
    """``count`` files whose schemas are in the first version's subset, by the seed. Raises `BenchError`."""
    files = sorted(data.glob("*.json"))
    random.Random(seed).shuffle(files)
    chosen: list[Path] = []
    for file in files:
        if len(chosen) == count:
            break
        if not outside_subset(read_file(file)["schema"]):
            chosen.append(file.resolve())
    if len(chosen) < count:
        raise BenchError(
            f"only {len(chosen):,} schemas of the subset in {data.name!r}", "give a smaller --schemas"
        )
    return chosen


def run_probe(name: str, tokens: Path, files: Path | None, environment: dict[str, str]) -> dict[str, Any]:
    """One probe in a fresh process. Raises `BenchError` with the end of its output where it fails."""
    command = [sys.executable, "-m", "structgen_bench.cold_probe", name, str(tokens)]
    command += [] if files is None else [str(files)]
    paths = os.pathsep.join(path for path in sys.path if path)
    try:
        done = subprocess.run(
            command,
            env=os.environ | environment | {"PYTHONPATH": paths},
            capture_output=True,
            text=True,
            timeout=PROBE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"the probe {name!r} took longer than {PROBE_SECONDS:.0f} s") from error
    if done.returncode != 0:
        end = "\n".join(done.stderr.strip().splitlines()[-3:])
        raise BenchError(f"the probe {name!r} failed with exit status {done.returncode}", end)
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def judge(figures: dict[str, Any]) -> list[Limit]:
    """The figures that have a limit, and those that explain them."""
    cold_s = figures["kernels_cold"]["kernels"]
    limits = [
        Limit("kernels' first compilation", cold_s, "s", 60.0),
        Limit("the same calls, compiled before", figures["kernels_warm"]["kernels"], "s", None),
        Limit("the vocabulary's mask store made", figures["kernels_cold"].get("store", 0.0), "s", None),
        Limit("the same read", figures["kernels_warm"].get("store", 0.0), "s", None),
        Limit("import structgen", figures["first_mask"]["import_structgen"], "s", 0.3),
        Limit("first mask of a new process, imports included", figures["first_mask"]["total"], "s", 1.5),
    ]
    if "memory" in figures:
        memory = figures["memory"]
        limits.append(
            Limit(f"peak memory, {memory['schemas']:,} schemas kept", memory["peak_mib"], "MiB", 1430.5)
        )
    return limits


def _table(limits: list[Limit]) -> Table:
    table = Table(title="start and memory", title_justify="left")
    for column in ("figure", "value", "at most"):
        table.add_column(column, justify="left" if column == "figure" else "right")
    for limit in limits:
        most = "" if limit.most is None else f"{limit.most:g} {limit.unit}"
        style = "" if limit.kept else "bold red"
        table.add_row(limit.what, f"{limit.value:,.3f} {limit.unit}", most, style=style)
    return table
