"""``structgen bench fuzz``: random, mutated and hostile schemas against the oracle, in both directions."""

from __future__ import annotations

import json
import time
from collections import Counter, deque
from multiprocessing.connection import wait
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress

from structgen_bench.differential import DOUBTFUL, KIND_MEANING, Effort, check, shows
from structgen_bench.errors import BenchError
from structgen_bench.fuzz_cases import SHARES, CaseMaker
from structgen_bench.fuzz_worker import Record, Settings, Worker
from structgen_bench.machine import command_line, describe_machine, git_commit, package_versions
from structgen_bench.maskbench import progress_bar
from structgen_bench.report import write_json
from structgen_bench.schema_generator import FIRST_VERSION, WEIGHTS
from structgen_bench.subject import Subject

_KEYWORDS = {"all": WEIGHTS, "first-version": FIRST_VERSION}
_MOST_SHOWN = 12
_MOST_KEPT_QUESTIONS = 60


class FuzzJournal:
    """A line a case, as soon as it is checked; the first line says what the run is."""

    def __init__(self, path: Path, identity: dict[str, Any], *, resume: bool) -> None:
        self.path = path
        self.records: list[Record] = []
        if resume and path.is_file():
            self._read(identity)
            self._file = path.open("a", encoding="utf-8")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("w", encoding="utf-8")
            self._write(identity)

    def add(self, record: Record) -> None:
        self.records.append(record)
        self._write(record)

    def close(self) -> None:
        self._file.close()

    def _write(self, line: dict[str, Any]) -> None:
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()

    def _read(self, identity: dict[str, Any]) -> None:
        whole = 0
        with self.path.open("rb") as file:
            for number, line in enumerate(file):
                if not line.endswith(b"\n"):
                    break  # a killed run
                try:
                    entry = json.loads(line)
                except ValueError as error:
                    raise BenchError(f"{self.path.name}, line {number + 1}: {error}") from error
                if number:
                    self.records.append(entry)
                elif entry != json.loads(json.dumps(identity)):
                    raise BenchError(
                        f"{self.path.name} is of another run", "give the same options, or leave out --resume"
                    )
                whole += len(line)
        with self.path.open("r+b") as file:
            file.truncate(whole)


def run_cases(workers: list[Worker], numbers: deque[int], journal: FuzzJournal, progress: Progress) -> bool:
    """Check the cases of these numbers; False if Ctrl-C ended it early."""
    tally: Counter[str] = Counter()
    for record in journal.records:
        _count(tally, record)
    task = progress.add_task(
        "", total=len(numbers) + len(journal.records), completed=len(journal.records), note=""
    )

    def note(record: Record) -> None:
        journal.add(record)
        _count(tally, record)
        progress.update(task, advance=1, note=" ".join(f"{k} {v:,}" for k, v in sorted(tally.items())))

    try:
        while True:
            for worker in workers:
                if worker.number is None and numbers:
                    worker.give(numbers.popleft())
            busy = [worker for worker in workers if worker.number is not None]
            if not busy:
                return True
            ready = wait([worker.connection for worker in busy], timeout=1.0)
            for worker in busy:
                if worker.connection in ready:
                    note(worker.take())
                elif time.monotonic() - worker.begun > worker.longest:
                    note(worker.give_up())
    except KeyboardInterrupt:
        return False


def _count(tally: Counter[str], record: Record) -> None:
    tally["compiled"] += record["outcome"] == "compiled"
    for finding in record.get("findings", ()):
        tally[finding["kind"]] += 1


def summarise(records: list[Record]) -> dict[str, Any]:
    """Outcomes by kind of case, what was tried, times, and every finding, the smallest schemas first."""
    outcomes: dict[str, Counter[str]] = {}
    refused: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    findings, questions = [], []
    for record in records:
        outcomes.setdefault(record["name"].partition("/")[0], Counter())[record["outcome"]] += 1
        counts.update(record["counts"])
        if record["outcome"] in ("UnsupportedSchemaError", "CompileLimitError"):
            refused[record["detail"].partition(" at ")[0][:100]] += 1
        origin = {"number": record["number"], "name": record["name"]}
        findings += [origin | finding for finding in record.get("findings", ())]
        if "question" in record:
            questions.append(
                origin
                | {"question": record["question"], "detail": record["detail"], "schema": record["schema"]}
            )
    findings.sort(key=lambda finding: (finding["kind"], len(json.dumps(finding["schema"]))))
    asked = Counter(question["question"] for question in questions)
    times = sorted(record["seconds"] for record in records)
    return {
        "cases": len(records),
        "outcomes": {kind: dict(counter.most_common()) for kind, counter in outcomes.items()},
        "tried": dict(counts),
        "refused": dict(refused.most_common(40)),
        "seconds": {
            "p50": _quantile(times, 0.5),
            "p99": _quantile(times, 0.99),
            "max": _quantile(times, 1.0),
        },
        "findings_by_kind": dict(Counter(finding["kind"] for finding in findings)),
        "findings": findings,
        "questions_by_kind": dict(asked),
        "questions": questions[:_MOST_KEPT_QUESTIONS],
    }


def _quantile(values: list[float], quantile: float) -> float:
    return values[min(len(values) - 1, int(quantile * len(values)))] if values else 0.0


def fuzz(
    cases: Annotated[int, typer.Option(min=1, help="How many schemas.")] = 20_000,
    seed: Annotated[int, typer.Option(help="The same seed and number make the same case.")] = 0,
    seconds_per_case: Annotated[
        float, typer.Option(min=0.1, help="Compiling that takes longer is a finding.")
    ] = 5.0,
    data: Annotated[Path | None, typer.Option(help="MaskBench files, for mutated schemas.")] = None,
    output: Annotated[
        Path, typer.Option("--json", help="Results, JSON; a line a case goes beside it.")
    ] = Path("fuzz.json"),
    any_order: Annotated[
        bool,
        typer.Option("--any-order/--schema-order", help="Valid instances as they are, or in some order."),
    ] = True,
    keywords: Annotated[str, typer.Option(help=f"Of random schemas: {', '.join(_KEYWORDS)}.")] = "all",
    only: Annotated[str, typer.Option(help=f"Kinds of cases, by comma: {', '.join(SHARES)}.")] = "",
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 2,
    resume: Annotated[
        bool, typer.Option(help="Go on with the run whose lines lie beside the output.")
    ] = False,
    shrink: Annotated[bool, typer.Option(help="Make the schemas and texts of findings small.")] = True,
    replay: Annotated[Path | None, typer.Option(help="Check the findings of such a file again.")] = None,
    check_: Annotated[bool, typer.Option("--check", help="Exit with 1 where there is a finding.")] = False,
) -> None:
    """Random, mutated and hostile schemas: no crash, no hang, and the same verdicts as `jsonschema`."""
    console = Console()
    if replay is not None:
        raise typer.Exit(1 if replayed(replay, console, data) else 0)
    kinds = [kind.strip() for kind in only.split(",") if kind.strip()] or list(SHARES)
    if keywords not in _KEYWORDS or not set(kinds) <= SHARES.keys():
        raise BenchError("unknown --keywords or --only", f"{', '.join(_KEYWORDS)}; {', '.join(SHARES)}")
    if "mutated" in kinds and only and data is None:
        raise BenchError("mutated schemas need --data", "give the folder of the MaskBench files")
    identity = {
        "benchmark": "fuzz", "seed": seed, "seconds_per_case": seconds_per_case, "any_order": any_order,
        "keywords": keywords, "kinds": kinds, "data": data is not None,
        "versions": package_versions(("structgen", "jsonschema", "hypothesis")),
    }  # fmt: skip
    maker = make_maker(identity, data)
    settings = Settings(maker, Effort(seconds_per_case), {"any_order": True} if any_order else {}, shrink)
    journal = FuzzJournal(output.with_suffix(".cases.jsonl"), identity, resume=resume)
    done = {record["number"] for record in journal.records}
    numbers = deque(number for number in range(cases) if number not in done)
    begin = time.perf_counter()
    pool: list[Worker] = []
    try:
        with console.status("starting"):
            pool.extend(Worker(settings) for _ in range(workers))
        unknown = pool[0].unknown_options
        if unknown:
            console.print(
                f"options that this engine does not know, left out: {', '.join(unknown)}", style="yellow"
            )
        with progress_bar(console) as progress:
            finished = run_cases(pool, numbers, journal, progress)
    finally:
        for worker in pool:
            worker.stop()
        journal.close()
    document = identity | {
        "unknown_options": unknown,
        "finished": finished,
        "seconds_run": round(time.perf_counter() - begin, 1),
        "command": command_line("fuzz"),
        "git_commit": git_commit(),
        "machine": describe_machine(),
        **summarise(journal.records),
    }
    write_json(output, document, ascii=True)
    print_summary(document, console)
    console.print(
        f"written: {output.name} (cases: {journal.path.name}); --replay {output.name} checks findings"
    )
    if not finished:
        console.print("interrupted; the cases so far are kept. Go on with the same command and --resume")
        raise typer.Exit(130)
    if check_ and document["findings_by_kind"].keys() - DOUBTFUL:
        raise typer.Exit(1)


def make_maker(identity: dict[str, Any], data: Path | None) -> CaseMaker:
    """The cases of a run, from what its results say about it."""
    files = sorted(data.glob("*.json")) if data is not None else []
    shares = {kind: SHARES[kind] for kind in identity["kinds"]}
    return CaseMaker(identity["seed"], files, shares, _KEYWORDS[identity["keywords"]])


def print_summary(document: dict[str, Any], console: Console) -> None:
    """Outcomes, what was tried, and the smallest findings of each kind."""
    for kind, outcomes in document["outcomes"].items():
        line = ", ".join(f"{name} {count:,}" for name, count in outcomes.items())
        console.print(f"{kind}: {line}", highlight=False, soft_wrap=True)
    for title in ("tried", "refused", "seconds", "questions_by_kind"):
        line = ", ".join(f"{name} {count:,}" for name, count in document[title].items())
        console.print(
            f"{title.replace('_', ' ')}: {line or 'none'}", highlight=False, markup=False, soft_wrap=True
        )
    shown: Counter[str] = Counter()
    for finding in document["findings"]:
        shown[finding["kind"]] += 1
        if shown[finding["kind"]] == 1:
            count = document["findings_by_kind"][finding["kind"]]
            console.print(f"{finding['kind']}: {count:,} ({KIND_MEANING[finding['kind']]})", style="red")
        if shown[finding["kind"]] <= _MOST_SHOWN:
            schema = json.dumps(finding["schema"])[:400]
            console.print(
                f"  #{finding['number']} {finding['name']}: {schema}\n    {finding['text'][:200]!r}\n"
                f"    {finding['detail'][:300]}",
                highlight=False, markup=False, soft_wrap=True,
            )  # fmt: skip
    if not document["findings"]:
        console.print("no findings")


def replayed(path: Path, console: Console, data: Path | None) -> int:
    """How many of a file's findings are still there."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        findings = document["findings"]
    except (OSError, ValueError, KeyError) as error:
        raise BenchError(f"{path.name}: no results of a fuzz run: {error}") from error
    subject = Subject(**({"any_order": True} if document.get("any_order") else {}))
    seconds = document.get("seconds_per_case", 5.0)
    there = 0
    for finding in findings:
        if finding["schema"] is not None:
            still = shows(
                subject,
                finding["kind"],
                finding["schema"],
                finding["text"],
                seconds=seconds,
                detail=finding["detail"],
            )
        else:
            case, rng = make_maker(document, data).make(finding["number"])
            result = check(subject, case, rng, Effort(seconds))
            still = any(found.kind == finding["kind"] for found in result.findings)
        there += still
        state = "still there" if still else "gone"
        schema = json.dumps(finding["schema"])[:200]
        console.print(
            f"{state}: {finding['kind']} #{finding['number']} {schema}", highlight=False, markup=False
        )
    console.print(f"{there} of {len(findings)} findings are still there")
    return there
