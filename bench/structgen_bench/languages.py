"""``structgen bench languages``: builtin grammars on files of their languages, token by token, and texts
that the embedded model writes in them (see `structgen_bench.language_samples`).

Each pair of grammar and tokenizer runs in a process of its own, so that its memory is its own.
"""

from __future__ import annotations

import itertools
import multiprocessing
import resource
import sys
import tempfile
import time
from array import array
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import typer
from rich.console import Console
from rich.table import Table
from structgen_grammars import builtin_grammars

from structgen_bench.errors import BenchError
from structgen_bench.language_oracles import Oracle, oracle_for
from structgen_bench.language_samples import RULE, Samples, draw_samples, samples_table
from structgen_bench.language_texts import Mutant, Text, mutants_of, texts_of
from structgen_bench.machine import run_header
from structgen_bench.records import summarise
from structgen_bench.report import write_json
from structgen_bench.tokenizers import BenchTokenizer, load_tokenizer

PACKAGES = ("structgen", "numba", "numpy", "lark", "torch", "ruff")
PARTS = ("files", "samples")
DEFAULT_GRAMMARS = ("python", "python3.11", "go", "sql")  # of the part "files": there are files of these
SHOWN = 12  # differences that the table's end shows; the document holds all
_LOADS = 5


@dataclass(frozen=True, slots=True)
class Task:
    """What one process is to measure."""

    grammar: str
    tokenizer: str
    data: Path | None
    folder: Path | None
    files: int
    mutants: int
    seed: int


@dataclass(slots=True)
class Measured:
    """What it found. Seconds are of the processor but for ``load_s``; masks in microseconds of a thread."""

    grammar: str
    tokenizer: str
    compile_s: float = 0.0
    store_s: float = 0.0
    file_mb: float = 0.0
    load_s: float = 0.0
    files: int = 0
    accepted: int = 0
    tokens: int = 0
    skipped: int = 0  # files that the language's own parser refuses
    changed: int = 0  # files whose characters the tokenizer normalises
    mask_us: dict[str, Any] = field(default_factory=dict)
    warm_mask_us: dict[str, Any] = field(default_factory=dict)
    peak_mib: float = 0.0
    before_mib: float = 0.0  # of these: Python, the tokenizer, the kernels
    mutants_refused: int = 0  # by the oracle
    mutants_refused_alike: int = 0
    mutants_valid: int = 0
    mutants_valid_alike: int = 0
    refused_files: list[list[str]] = field(default_factory=list)
    differences: list[list[str]] = field(default_factory=list)


def languages(
    grammar: Annotated[
        list[str] | None,
        typer.Option(
            help="A builtin grammar (repeat it). Default: python, python3.11, go, sql; all for samples."
        ),
    ] = None,
    parts: Annotated[str, typer.Option(help="Which parts, by commas: files, samples.")] = "files,samples",
    data: Annotated[Path | None, typer.Option(help="Folder with code/NAME, and tokenizers beside.")] = None,
    texts: Annotated[
        list[str] | None, typer.Option(metavar="NAME=FOLDER", help="Texts of a grammar (repeat it).")
    ] = None,
    tokenizer: Annotated[
        list[str] | None,
        typer.Option(help="'tekken', 'neox', 'bytes', a tokenizer.json. Default: both first."),
    ] = None,
    files: Annotated[int, typer.Option(min=0, help="At most so many files a grammar; 0: all.")] = 0,
    mutants: Annotated[int, typer.Option(min=0, help="Mutants that the oracle refuses, a grammar.")] = 2000,
    samples: Annotated[int, typer.Option(min=1, help="Complete texts of the model, a grammar.")] = 200,
    seed: Annotated[int, typer.Option(help="Of the files chosen, the mutants and the samples.")] = 0,
    output: Annotated[Path, typer.Option("--output", "-o", help="Results, JSON.")] = Path("languages.json"),
) -> None:
    """Builtin grammars: files accepted, mutants refused, mask times, the store, memory; sampled texts."""
    console = Console()
    chosen = parts.split(",")
    for part in chosen:
        if part not in PARTS:
            raise BenchError(f"no part {part!r}", f"give some of {', '.join(PARTS)}")
    folders = _folders(texts or [])
    document: dict[str, Any] = {
        **run_header("languages", PACKAGES, form=2),
        "seed": seed,
    }
    found: list[Measured] = []
    if "files" in chosen:
        for name, spec in itertools.product(grammar or DEFAULT_GRAMMARS, tokenizer or ("tekken", "neox")):
            # The verdicts do not depend on the tokenizer: mutants with the first only.
            wanted = mutants if spec == (tokenizer or ["tekken"])[0] else 0
            with console.status(f"{name}, {spec}"):
                found.append(_in_own_process(Task(name, spec, data, folders.get(name), files, wanted, seed)))
            console.print(_summary(found[-1]))
            document["results"] = [asdict(one) for one in found]
            write_json(output, document)
    drawn: list[Samples] = []
    if "samples" in chosen:
        for name in grammar or builtin_grammars():
            with console.status(f"{name}, samples"):
                drawn.append(draw_samples(name, samples, seed))
            document["samples"] = {"rule": RULE, "grammars": [asdict(one) for one in drawn]}
            write_json(output, document)
    if found:
        console.print(_table(found))
    for one in found:
        for row in (one.refused_files + one.differences)[:SHOWN]:
            console.print(f"  {one.grammar}: {' | '.join(row)}", markup=False, highlight=False)
    if drawn:
        console.print(samples_table(drawn))
    for sample in drawn:
        for row in sample.invalid[:SHOWN]:
            console.print(f"  {sample.grammar}: {' | '.join(row)}", markup=False, highlight=False)
    console.print(f"written: {output.name}")


def _folders(given: list[str]) -> dict[str, Path]:
    folders = {}
    for pair in given:
        name, equals, folder = pair.partition("=")
        if not equals or not Path(folder).is_dir():
            raise BenchError(f"--texts {pair}: no folder", "for example --texts java=src")
        folders[name] = Path(folder)
    return folders


def _in_own_process(task: Task) -> Measured:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(task, there))
    process.start()
    there.close()
    try:
        result = here.recv()
    except EOFError as error:
        process.join()
        raise BenchError(f"{task.grammar} with {task.tokenizer} ended with {process.exitcode}") from error
    process.join()
    if isinstance(result, BenchError):
        raise result
    measured: Measured = result
    return measured


def _run(task: Task, pipe: Any) -> None:
    try:
        pipe.send(measure(task))
    except BenchError as error:
        pipe.send(BenchError(error.reason, error.remedy))
    finally:
        pipe.close()


def measure(task: Task) -> Measured:
    """Everything about one grammar with one tokenizer. Raises `BenchError` and what compiling raises."""
    from structgen import CompiledGrammar, Compiler, Vocabulary

    chosen = load_tokenizer(task.tokenizer, task.data / "maskbench" if task.data is not None else None)
    oracle = oracle_for(task.grammar)
    all_texts = texts_of(task.grammar, task.folder, task.data)
    vocabulary = Vocabulary(chosen.vocabulary.tokens, chosen.vocabulary.eos_ids)
    result = Measured(task.grammar, chosen.name)
    compiler = Compiler(vocabulary)
    compiler.choice(["x"]).matcher().accept_bytes(b"x")  # so that loading kernels counts for none of them
    result.before_mib = _peak_mib()
    start = time.process_time()
    compiled = compiler.grammar(task.grammar)
    result.compile_s = round(time.process_time() - start, 3)
    start = time.process_time()
    compiled.precompute()
    result.store_s = round(time.process_time() - start, 3)
    with tempfile.TemporaryDirectory(prefix="structgen-languages-") as folder:
        path = Path(folder) / "grammar"
        compiled.save(path)
        result.file_mb = round(path.stat().st_size / 1e6, 3)
        times = []
        for _ in range(_LOADS):
            began = time.perf_counter()
            CompiledGrammar.load(path, vocabulary)
            times.append(time.perf_counter() - began)
        result.load_s = round(float(np.median(times)), 4)
        _take_files(compiled, chosen, all_texts, oracle, task, result)
        if task.mutants and oracle is not None:
            _take_mutants(compiled, mutants_of(all_texts, task.grammar, task.seed), oracle, task, result)
    result.peak_mib = _peak_mib()
    return result


def _take_files(
    compiled: Any,
    tokenizer: BenchTokenizer,
    texts: list[Text],
    oracle: Oracle | None,
    task: Task,
    result: Measured,
) -> None:
    chosen = texts
    if task.files and task.files < len(texts):
        picks = np.random.default_rng(task.seed).permutation(len(texts))[: task.files]
        chosen = [texts[pick] for pick in sorted(picks)]
    from structgen import allocate_bitmask

    bitmask = allocate_bitmask(1, tokenizer.vocabulary.vocab_size)
    # not lists of ints, which would be a third of the memory that is measured
    times = array("q")
    again = array("q")
    for text in chosen:
        tokens = tokenizer.encode(text.text)
        # Some tokenizers normalise characters: the text is what the tokens say.
        spelled = b"".join(tokenizer.vocabulary.tokens[token] or b"" for token in tokens).decode()
        result.changed += spelled != text.text
        if oracle is not None and oracle(spelled) is not None:
            result.skipped += 1
            continue
        result.files += 1
        result.tokens += len(tokens)
        why = _take(compiled, tokens, bitmask, times)
        if why:
            result.refused_files.append([text.name, why])
        else:
            result.accepted += 1
            if len(again) < 200_000:
                _take(compiled, tokens, bitmask, again)
    if times:
        result.mask_us = _microseconds(times)
        result.warm_mask_us = _microseconds(again) if again else {}


def _take(compiled: Any, tokens: list[int], bitmask: npt.NDArray[np.int32], times: array[int]) -> str:
    """Fill a mask before each token, and take it. Says why where that fails, and "" where it does not."""
    matcher = compiled.matcher()
    taken: list[int] = []
    for token in tokens:
        before = time.thread_time_ns()
        matcher.fill_bitmask(bitmask)
        times.append(time.thread_time_ns() - before)
        allowed = bool(bitmask[0, token >> 5] >> (token & 31) & 1)
        if matcher.accept(token) != allowed:
            raise BenchError(f"the mask says {allowed} of token {token}, accepting it says {not allowed}")
        if not allowed:
            words = compiled.vocabulary.tokens
            end = b"".join(words[one] or b"" for one in taken[-12:])
            return f"{words[token]!r} refused after {end!r}"
        taken.append(token)
    return "" if matcher.is_accepting else "may not end at its end"


def _take_mutants(compiled: Any, mutants: Any, oracle: Oracle, task: Task, result: Measured) -> None:
    mutant: Mutant
    for mutant in mutants:
        if result.mutants_refused == task.mutants:
            return
        verdict = oracle(mutant.text)
        matcher = compiled.matcher()
        accepted = matcher.accept_bytes(mutant.text.encode()) and matcher.is_accepting
        if verdict is None:
            result.mutants_valid += 1
            result.mutants_valid_alike += accepted
        else:
            result.mutants_refused += 1
            result.mutants_refused_alike += not accepted
        if accepted != (verdict is None):
            near = mutant.text[max(0, mutant.place - 40) : mutant.place + 40]
            said = "accepted" if accepted else "refused"
            result.differences.append([mutant.name, mutant.kind, said, repr(near), verdict or ""])


def _microseconds(nanoseconds: array[int]) -> dict[str, Any]:
    return summarise(np.array(nanoseconds, np.float64) / 1000.0)


def _peak_mib() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10), 1)


def _summary(one: Measured) -> str:
    return (
        f"{one.grammar}, {one.tokenizer}: {one.accepted:,} of {one.files:,} files, "
        f"{one.mutants_refused_alike:,} of {one.mutants_refused:,} mutants refused"
    )


def _table(found: list[Measured]) -> Table:
    table = Table(title="builtin grammars on files of their languages")
    for head in (
        "grammar",
        "tokenizer",
        "files",
        "mutants refused",
        "mutants valid",
        "p50 us",
        "p99 us",
        "max ms",
    ):
        table.add_column(head, justify="left" if head in ("grammar", "tokenizer") else "right")
    for head in ("compiled s", "store s", "loaded ms", "file MB", "peak MiB"):
        table.add_column(head, justify="right")
    for one in found:
        masks = one.mask_us or {"p50": 0.0, "p99": 0.0, "max": 0.0}
        table.add_row(
            one.grammar,
            one.tokenizer,
            f"{one.accepted:,}/{one.files:,}",
            f"{one.mutants_refused_alike:,}/{one.mutants_refused:,}",
            f"{one.mutants_valid_alike:,}/{one.mutants_valid:,}",
            f"{masks['p50']:.1f}",
            f"{masks['p99']:.0f}",
            f"{masks['max'] / 1000:.1f}",
            f"{one.compile_s:.1f}",
            f"{one.store_s:.1f}",
            f"{one.load_s * 1000:.0f}",
            f"{one.file_mb:.1f}",
            f"{one.peak_mib:,.0f}",
        )
    return table
