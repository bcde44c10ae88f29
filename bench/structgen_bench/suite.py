"""``structgen bench suite``: the official JSON Schema Test Suite, per keyword file, and its ratchet files."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from structgen_bench.errors import BenchError
from structgen_bench.machine import command_line, describe_machine, git_commit, package_versions
from structgen_bench.official_suite import (
    DIALECTS,
    GRADES,
    Verdict,
    by_file,
    compare,
    expectation,
    judge,
    read_groups,
    remote_documents,
    tally,
)
from structgen_bench.report import write_json
from structgen_bench.subject import Subject

EXPECTED = Path(__file__).resolve().parents[2] / "tests" / "expected"


def expectation_file(draft: str, folder: Path = EXPECTED) -> Path:
    """Where a draft's expectation file lies."""
    return folder / f"suite-{draft}.json"


def make_subject(data: Path, *, any_order: bool = True) -> Subject:
    """structgen as the suite wants it: remote documents known, formats as annotations, any order."""
    return Subject(any_order=any_order, registry=remote_documents(data), format="annotate")


def run_suite(subject: Subject, data: Path, draft: str) -> list[Verdict]:
    """All tests of a draft."""
    return list(judge(subject, read_groups(data, draft)))


def suite(
    data: Annotated[Path, typer.Option(help="Folder of the JSON-Schema-Test-Suite (drafts, remotes).")],
    draft: Annotated[
        list[str] | None, typer.Option(help=f"A draft, as often as wanted: {', '.join(DIALECTS)}.")
    ] = None,
    any_order: Annotated[
        bool,
        typer.Option("--any-order/--schema-order", help="Members in any order, or in one order at least."),
    ] = True,
    output: Annotated[Path | None, typer.Option("--json", help="Results, JSON.")] = None,
    update_expected: Annotated[
        bool, typer.Option("--update-expected", help="Rewrite the expectation files of the test suite.")
    ] = False,
    expected: Annotated[Path, typer.Option(help="Folder of the expectation files.")] = EXPECTED,
    check: Annotated[bool, typer.Option(help="Exit with 1 where the expectation files want more.")] = False,
    show: Annotated[int, typer.Option(min=0, help="How many tests that are not right to print.")] = 20,
) -> None:
    """The official JSON Schema Test Suite: right, refused, valid rejected, invalid accepted, per file."""
    console = Console()
    if update_expected and not any_order:
        raise BenchError("the expectation files are for --any-order", "leave --schema-order out")
    subject = make_subject(data, any_order=any_order)
    if subject.unknown_options:
        console.print(
            f"options that this engine does not know, left out: {', '.join(subject.unknown_options)}",
            style="yellow",
        )
    document: dict[str, Any] = {
        "benchmark": "suite",
        "any_order": any_order,
        "unknown_options": subject.unknown_options,
        "command": command_line("suite"),
        "git_commit": git_commit(),
        "versions": package_versions(("structgen", "jsonschema")),
        "machine": describe_machine(),
        "drafts": {},
    }
    worse = 0
    for name in draft or list(DIALECTS):
        with console.status(name):
            verdicts = run_suite(subject, data, name)
        document["drafts"][name] = draft_report(verdicts)
        _print(console, name, verdicts, show)
        file = expectation_file(name, expected)
        if update_expected:
            write_json(file, expectation(name, verdicts))
            console.print(f"written: {file.name}")
        elif file.is_file() and any_order:
            found = compare(json.loads(file.read_text(encoding="utf-8")), verdicts)
            worse += len(found.worse)
            console.print(f"against {file.name}: {len(found.worse)} worse, {len(found.better)} better")
            for line in found.worse[:show]:
                console.print(f"  worse: {line}", style="red", highlight=False, markup=False)
    if output is not None:
        write_json(output, document)
    if check and worse:
        raise typer.Exit(1)


def draft_report(verdicts: list[Verdict]) -> dict[str, Any]:
    """A draft's figures: per part, per file, and each test that is not right with its reason."""
    return {
        "tests": tally(verdicts),
        "files": by_file(verdicts),
        "not_right": {v.key: [v.grade, v.detail] for v in verdicts if v.grade != "right"},
    }


def _print(console: Console, draft: str, verdicts: list[Verdict], show: int) -> None:
    table = Table(title=draft, title_justify="left")
    table.add_column("file", no_wrap=True)
    for grade in GRADES:
        table.add_column(grade.replace("_", "\n"), justify="right", no_wrap=True)
    for file, grades in by_file(verdicts).items():
        if set(grades) != {"right"}:
            table.add_row(file, *(f"{grades[g]:,}" if g in grades else "" for g in GRADES))
    table.add_section()
    for part, grades in tally(verdicts).items():
        table.add_row(part, *(f"{grades.get(g, 0):,}" for g in GRADES))
    console.print(table)
    reasons = Counter(v.detail.partition(" at ")[0] for v in verdicts if v.grade == "refused")
    for reason, count in reasons.most_common():
        console.print(f"  refused, {count:,} tests: {reason}", highlight=False, markup=False, soft_wrap=True)
    grave = sorted(
        (verdict for verdict in verdicts if verdict.grade not in ("right", "refused")),
        key=lambda verdict: -GRADES.index(verdict.grade),
    )
    for verdict in grave[:show]:
        console.print(
            f"  {verdict.grade}: {verdict.key}: {verdict.detail}",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
