"""MaskBench: real schemas and instances through one engine or several, side by side.

For each file and engine: compile the schema; for each instance, at each token, fill the mask, look the
token up in it, accept it. A valid instance must be accepted and may then end; an invalid one must not.
After guidance-ai/jsonschemabench (its ``maskbench`` folder), which times the same steps.
"""

from __future__ import annotations

import dataclasses
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from structgen_bench.engines import ENGINES, load_engine
from structgen_bench.errors import BenchError
from structgen_bench.keywords import outside_subset
from structgen_bench.machine import command_line, describe_machine, git_commit, package_versions
from structgen_bench.order import in_schema_order
from structgen_bench.reasons import write_reasons
from structgen_bench.records import Journal
from structgen_bench.report import build_report, print_report, write_json
from structgen_bench.tokenizers import BenchTokenizer, load_tokenizer
from structgen_bench.worker import EngineProcess, FileResult, Job, Ready

WARMUP_SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1},
        "count": {"type": "integer"},
        "tags": {"type": "array", "items": {"enum": ["a", "b"]}},
        "ratio": {"type": "number"},
    },
    "required": ["name"],
}
WARMUP_INSTANCE = {"name": "warm-up", "count": 12, "tags": ["a", "b"], "ratio": 1.5, "more": [None, True, {}]}
PACKAGES = ("structgen", "llguidance", "xgrammar", "numpy", "numba", "mistral-common", "tokenizers")


@dataclasses.dataclass(frozen=True, slots=True)
class Selection:
    """The files of a run, in the order in which they are run. ``total``: how many the folder holds."""

    files: tuple[Path, ...]
    total: int


def select_files(
    data: Path, *, subset: str = "all", listing: Path | None = None, limit: int = 0, seed: int = 0
) -> Selection:
    """The files of the folder ``data`` to run: all or those in the subset, listed, at most ``limit``.

    The order is shuffled by ``seed``, so that the first N are a fair sample. Raises `BenchError`.
    """
    if subset not in ("all", "supported"):
        raise BenchError(f"unknown subset {subset!r}", "give 'all' or 'supported'")
    if not data.is_dir():
        raise BenchError(f"no folder {data.name!r}", "give the folder of the MaskBench files by --data")
    files = sorted(data.glob("*.json"))
    total = len(files)
    if listing is not None:
        try:
            names = [
                line.strip() for line in listing.read_text(encoding="utf-8").splitlines() if line.strip()
            ]
        except OSError as error:
            raise BenchError(
                f"{listing.name}: {error.strerror}", "give a file with one name a line"
            ) from error
        known = {file.stem: file for file in files}
        missing = [name for name in names if Path(name).name.removesuffix(".json") not in known]
        if missing:
            raise BenchError(f"{listing.name}: not in {data.name}: {', '.join(missing[:5])}")
        files = sorted({known[Path(name).name.removesuffix(".json")] for name in names})
    if subset == "supported":
        files = [file for file in files if not outside_subset(read_file(file)["schema"])]
    random.Random(seed).shuffle(files)
    if limit:
        files = files[:limit]
    if not files:
        raise BenchError(f"no file to run in {data.name!r}", "give another --data, --files or --subset")
    return Selection(tuple(files), total)


def read_file(path: Path) -> dict[str, Any]:
    """A MaskBench file: ``{"schema": ..., "tests": [{"valid": bool, "data": ...}]}``. Raises `BenchError`."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BenchError(f"{path.name}: cannot be read: {error}") from error
    if (
        not isinstance(document, dict)
        or "schema" not in document
        or not isinstance(document.get("tests"), list)
    ):
        raise BenchError(f"{path.name}: not a MaskBench file", 'each holds {"schema": ..., "tests": [...]}')
    return document


def make_job(name: str, document: dict[str, Any], tokenizer: BenchTokenizer) -> Job:
    """The file's schema and its instances, each as ``json.dumps`` writes it, tokenised as one string."""
    return Job(
        name,
        document["schema"],
        tuple(
            (bool(test["valid"]), tokenizer.encode(json.dumps(test["data"], ensure_ascii=False)))
            for test in document["tests"]
        ),
    )


def run_file(
    process: EngineProcess, job: Job, document: dict[str, Any], tokenizer: BenchTokenizer, seconds: float
) -> FileResult:
    """One file in one engine. A valid instance that is refused is tried again in the schema's order."""
    result = process.run(job, seconds)
    if result.outcome != "valid_refused":
        return result
    schema = document["schema"]
    tests = [test | {"data": in_schema_order(test["data"], schema)} for test in document["tests"]]
    again = process.run(make_job(job.file, document | {"tests": tests}, tokenizer), seconds)
    return dataclasses.replace(result, outcome="other_order") if again.outcome == "pass" else result


def run_engines(
    selection: Selection,
    processes: Sequence[EngineProcess],
    tokenizer: BenchTokenizer,
    journal: Journal,
    file_seconds: float,
    progress: Progress,
) -> bool:
    """Run every file through every engine, results to the journal; False if Ctrl-C ended it early.

    The engines take turns on each file, the first of them another each time, so that noise and the
    machine's changes over time fall on all alike.
    """
    done = {(result.file, result.engine) for result in journal.results}
    counts = Counter(result.outcome for result in journal.results)
    task = progress.add_task("", total=len(selection.files), note="")
    try:
        for index, path in enumerate(selection.files):
            turn = index % len(processes)
            open_turns = [
                p for p in (*processes[turn:], *processes[:turn]) if (path.stem, p.name) not in done
            ]
            if open_turns:
                document = read_file(path)
                job = make_job(path.stem, document, tokenizer)
                for process in open_turns:
                    result = run_file(process, job, document, tokenizer, file_seconds)
                    journal.add(result)
                    counts[result.outcome] += 1
            progress.update(task, advance=1, note=" ".join(f"{k} {v:,}" for k, v in sorted(counts.items())))
    except KeyboardInterrupt:
        return False
    return True


def maskbench(
    data: Annotated[Path, typer.Option(help="Folder of MaskBench files.")],
    engines: Annotated[str, typer.Option(help=f"Engines, by comma: {', '.join(ENGINES)}.")] = "structgen",
    tokenizer: Annotated[
        str, typer.Option(help="'tekken', 'neox', 'bytes' or the path of a tokenizer.json.")
    ] = "tekken",
    subset: Annotated[
        str, typer.Option(help="'all', or 'supported': only the first version's keywords.")
    ] = "all",
    files: Annotated[Path | None, typer.Option(help="A file with the names to run, one a line.")] = None,
    limit: Annotated[int, typer.Option(min=0, help="At most so many files, drawn by the seed (0: all).")] = 0,
    seed: Annotated[int, typer.Option(help="Seed of the order of the files.")] = 0,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Results, JSON; samples go beside it.")
    ] = Path("maskbench.json"),
    resume: Annotated[
        bool, typer.Option(help="Go on with the run whose samples lie beside the output.")
    ] = False,
    time_limit: Annotated[
        float, typer.Option(min=0.1, help="Seconds that a file may take in an engine.")
    ] = 60.0,
    memory_limit: Annotated[
        float, typer.Option(min=0, help="GiB of address space per engine (0: none).")
    ] = 16.0,
    core: Annotated[int | None, typer.Option(help="Pin every engine to this core (they take turns).")] = None,
    check: Annotated[bool, typer.Option(help="Exit with 1 unless structgen passes every file.")] = False,
    any_order: Annotated[
        bool, typer.Option("--any-order/--schema-order", help="structgen's option of that name.")
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option(help="Also write every file that does not pass, with its reason (Markdown)."),
    ] = None,
) -> None:
    """Time between masks, time to first mask and correctness on real schemas, engines side by side."""
    console = Console()
    names = [name.strip() for name in engines.split(",") if name.strip()]
    for name in names:
        load_engine(name)
    if not names or len(set(names)) != len(names):
        raise BenchError(f"no or repeated engine in {engines!r}", f"choose among {', '.join(ENGINES)}")
    selection = select_files(data, subset=subset, listing=files, limit=limit, seed=seed)
    chosen = load_tokenizer(tokenizer, data)
    vocabulary = chosen.vocabulary
    identity = {
        "benchmark": "maskbench",
        "engines": names,
        "tokenizer": {
            "name": chosen.name,
            "vocab_size": vocabulary.vocab_size,
            "digest": vocabulary.digest(),
        },
        "data": {"folder": data.resolve().name, "files": selection.total, "subset": subset},
        "selected": len(selection.files),
        "seed": seed,
        "time_limit_s": time_limit,
        "any_order": any_order,
        "versions": package_versions(PACKAGES),
    }
    console.print(
        f"{len(selection.files):,} of {selection.total:,} files, "
        f"{chosen.name} ({vocabulary.vocab_size:,} ids)"
    )
    journal = Journal(output.with_suffix(".samples.jsonl"), identity, resume=resume)
    warmup = Job("warm-up", WARMUP_SCHEMA, ((True, chosen.encode(json.dumps(WARMUP_INSTANCE))),))
    processes: list[EngineProcess] = []
    options = {"any_order": True} if any_order else {}
    begin = time.perf_counter()
    try:
        for name in names:
            with console.status(f"starting {name}"):
                processes.append(EngineProcess(name, vocabulary, warmup, core, memory_limit, options))
            started = processes[-1].ready
            if started.warmup_outcome != "pass":
                console.print(f"{name} does not pass the warm-up ({started.warmup_outcome})", style="yellow")
        with progress_bar(console) as progress:
            finished = run_engines(selection, processes, chosen, journal, time_limit, progress)
    finally:
        for process in processes:
            process.stop()
        journal.close()
    ready: dict[str, Ready] = {process.name: process.ready for process in processes}
    header = identity | {
        "format": 1,
        "finished": finished,
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "seconds": round(time.perf_counter() - begin, 1),
        "command": command_line("maskbench"),
        "git_commit": git_commit(),
        "machine": describe_machine(),
        "pinned_to_one_core": core is not None,
        "restarts": {process.name: process.restarts for process in processes},
    }
    document = build_report(header, journal.results, list(ready), ready)
    write_json(output, document)
    print_report(document, console)
    if report is not None:
        write_reasons(report, document, journal.results, data, console)
    console.print(f"written: {output.name} (samples: {journal.path.name})")
    if not finished:
        console.print("interrupted; the results so far are written. Go on with the same command and --resume")
        raise typer.Exit(130)
    if check and not _all_passed(journal.results):
        raise typer.Exit(1)


def _all_passed(results: Sequence[FileResult]) -> bool:
    return all(result.outcome == "pass" for result in results if result.engine == "structgen")


def progress_bar(console: Console) -> Progress:
    """A bar with counts, times and a note (the task's field ``note``)."""
    return Progress(
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
    )


if __name__ == "__main__":  # python -m structgen_bench.maskbench
    from structgen.cli import main

    sys.exit(main(["bench", "maskbench", *sys.argv[1:]]))
