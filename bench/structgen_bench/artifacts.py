"""What lies on disk: the mask store's shared file, the file of each grammar, and the way from it to a mask.

Each grammar is compiled, saved, and loaded by a compiler whose store is empty in memory, as in a process that
has just begun: the first mask takes its entries from the files.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console

from structgen import Compiler, StructgenError, Vocabulary, allocate_bitmask
from structgen_bench.errors import BenchError
from structgen_bench.machine import run_header
from structgen_bench.maskbench import progress_bar, read_file, select_files
from structgen_bench.report import write_json
from structgen_bench.tokenizers import BenchTokenizer, load_tokenizer

PACKAGES = ("structgen", "numpy", "numba", "mistral-common")
PERCENTILES = (50, 90, 99, 100)


@dataclass(frozen=True, slots=True)
class Artifact:
    """One grammar's file: bytes, and milliseconds. ``walked``: entries that took a walk of the trie, none of
    which should be left to do.
    """

    file: str
    nbytes: int
    save_ms: float
    load_ms: float
    mask_ms: float
    walked: int
    equal: bool


def measure(compiler: Compiler, schema: Any, name: str, path: Path) -> Artifact:
    """Compile, save, load, first mask. Raises what compiling raises."""
    vocabulary = compiler.vocabulary
    bitmask = allocate_bitmask(2, vocabulary.size)
    compiled = compiler.json_schema(schema)
    begin = time.perf_counter()
    compiled.save(path)
    save = time.perf_counter() - begin
    compiled.matcher().fill_bitmask(bitmask, 0)
    compiler.store.clear()
    walked = compiler.store.n_walked
    begin = time.perf_counter()
    loaded = compiler.load(path)
    load = time.perf_counter() - begin
    matcher = loaded.matcher()
    matcher.fill_bitmask(bitmask, 1)
    mask = time.perf_counter() - begin - load
    equal = bool(np.array_equal(bitmask[0], bitmask[1]))
    return Artifact(
        name,
        os.path.getsize(path),
        1e3 * save,
        1e3 * load,
        1e3 * mask,
        compiler.store.n_walked - walked,
        equal,
    )


def artifacts(
    data: Annotated[Path, typer.Option(help="Folder of MaskBench files.")],
    tokenizer: Annotated[
        str, typer.Option(help="'tekken', 'neox' or the path of a tokenizer.json.")
    ] = "tekken",
    limit: Annotated[
        int, typer.Option(min=0, help="At most so many files, drawn by the seed (0: all).")
    ] = 300,
    seed: Annotated[int, typer.Option(help="Seed of the order of the files.")] = 0,
    output: Annotated[Path, typer.Option("--output", "-o", help="Results, JSON.")] = Path("artifacts.json"),
) -> None:
    """Size of the shared store and of grammars' files; load and first mask from a file."""
    console = Console()
    chosen: BenchTokenizer = load_tokenizer(tokenizer, data)
    selection = select_files(data, limit=limit, seed=seed)
    vocabulary = Vocabulary(chosen.vocabulary.tokens, chosen.vocabulary.eos_ids)
    compiler = Compiler(vocabulary, cache_size=0)
    general = compiler.store.general
    if general is None:
        raise BenchError("this vocabulary has no store on disk", "choose a larger --tokenizer")
    results: list[Artifact] = []
    refused = 0
    with (
        tempfile.TemporaryDirectory(prefix="structgen-artifacts-") as folder,
        progress_bar(console) as progress,
    ):
        path = Path(folder) / "grammar.sgc"
        warm_up = measure(compiler, {"type": "object"}, "warm-up", path)
        if not warm_up.equal:
            raise BenchError("a loaded grammar gives another mask than the one that was saved")
        task = progress.add_task("", total=len(selection.files), note="")
        for file in selection.files:
            try:
                results.append(measure(compiler, read_file(file)["schema"], file.stem, path))
            except StructgenError:
                refused += 1
            progress.update(task, advance=1, note=f"refused {refused}")
    figures = {
        "store_bytes": general.nbytes,
        "store_entries": general.n_entries,
        "store_rows": general.n_rows,
        "grammars": len(results),
        "refused": refused,
        "different_masks": sum(not result.equal for result in results),
        "grammars_that_walked": sum(result.walked > 0 for result in results),
        "bytes": percentiles([result.nbytes for result in results]),
        "save_ms": percentiles([result.save_ms for result in results]),
        "load_ms": percentiles([result.load_ms for result in results]),
        "first_mask_ms": percentiles([result.mask_ms for result in results]),
        "ttfm_ms": percentiles([result.load_ms + result.mask_ms for result in results]),
    }
    document = {
        **run_header("artifacts", PACKAGES),
        "load_average": os.getloadavg(),
        "tokenizer": {"name": chosen.name, "vocab_size": chosen.vocabulary.vocab_size},
        "seed": seed,
        "figures": figures,
        "largest": sorted(((r.nbytes, r.file) for r in results), reverse=True)[:10],
    }
    write_json(output, document)
    console.print(json.dumps(figures, indent=1))
    console.print(f"written: {output.name}")


def percentiles(values: list[float] | list[int]) -> dict[str, float]:
    """By name p50, p90, ...; max."""
    array = np.array(values, np.float64)
    return {
        "max" if q == 100 else f"p{q}": round(float(np.percentile(array, q)), 3)
        for q in PERCENTILES
        if array.size
    }
