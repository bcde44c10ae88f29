"""Why files do not pass: a Markdown list, with what the `jsonschema` package says of their labels.

A file's label may be wrong: where the package disagrees with the label of the instance that decided the
outcome, and so agrees with the engine, the reason is "wrong data".
"""

from __future__ import annotations

import json
import re
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jsonschema import validators
from jsonschema.exceptions import SchemaError, UnknownType
from referencing.exceptions import Unresolvable
from rich.console import Console

from structgen_bench.deadline import TookTooLong, at_most
from structgen_bench.worker import OUTCOME_MEANING, OUTCOMES, FileResult

_SECONDS = 10.0  # for one file under `jsonschema`
_DETAIL = 500


def labels_of(schema: Any, tests: Sequence[dict[str, Any]]) -> tuple[dict[int, str], str]:
    """(instances whose label the package does not confirm, with what it says; why it could not tell).

    Every known format is asserted, whatever the draft: with that the package confirms all of MaskBench.
    """
    disagreeing: dict[int, str] = {}
    try:
        with warnings.catch_warnings(), at_most(_SECONDS):
            warnings.simplefilter("ignore")
            default = validators.Draft202012Validator
            checker = default.FORMAT_CHECKER
            validator: Any = validators.validator_for(schema, default=default)(schema, format_checker=checker)
            for index, test in enumerate(tests):
                error = next(validator.iter_errors(test["data"]), None)
                if (error is None) != bool(test["valid"]):
                    said = f"{error.json_path}: {error.message[:200]}" if error else "it validates"
                    disagreeing[index] = (
                        f"labelled {'valid' if test['valid'] else 'invalid'}; jsonschema: {said}"
                    )
    except (Unresolvable, SchemaError, UnknownType, RecursionError, re.error, TookTooLong) as error:
        return disagreeing, f"jsonschema cannot tell: {type(error).__name__}"
    return disagreeing, ""


def reason_of(result: FileResult, document: dict[str, Any]) -> str:
    """The reason in a line: 'wrong data' where the package disagrees with the label that decided it."""
    disagreeing, trouble = labels_of(document["schema"], document["tests"])
    found = re.match(r"instance (\d+)", result.detail)
    if found and int(found.group(1)) in disagreeing:
        return f"wrong data: instance {found.group(1)} is {disagreeing[int(found.group(1))]}"
    if disagreeing:
        return "labels in doubt: " + "; ".join(f"instance {i} {said}" for i, said in disagreeing.items())
    return trouble or "jsonschema agrees with the labels"


def write_reasons(
    path: Path, document: dict[str, Any], results: Sequence[FileResult], data: Path, console: Console
) -> None:
    """The Markdown report: figures of each engine, then each file that does not pass, by outcome."""
    lines = ["# MaskBench: what does not pass", "", f"`{document['command']}`, {document['date']}, "
             f"commit {document['git_commit']}", ""]  # fmt: skip
    for name, figures in document["engines"].items():
        lines += [f"## {name} {figures.get('version', '')}".rstrip(), "", *_figures(figures), ""]
        failed = [result for result in results if result.engine == name and result.outcome != "pass"]
        with console.status(f"asking jsonschema about {len(failed):,} files"):
            reasons = {result.file: _read_reason(result, data) for result in failed}
        wrong = sum(reason.startswith("wrong data") for reason in reasons.values())
        lines += [f"{len(failed):,} files do not pass; {wrong:,} of them for wrong data.", ""]
        for outcome in reversed(OUTCOMES):
            of_this = sorted((r for r in failed if r.outcome == outcome), key=lambda r: r.file)
            if not of_this:
                continue
            lines += [f"### {outcome}: {len(of_this):,} ({OUTCOME_MEANING[outcome]})", ""]
            lines += _most_frequent(of_this)
            lines += ["| file | why | labels |", "| --- | --- | --- |"]
            lines += [f"| {r.file} | {_cell(r.detail)} | {_cell(reasons[r.file])} |" for r in of_this]
            lines.append("")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines), encoding="utf-8")
    console.print(f"written: {path.name}")


def _read_reason(result: FileResult, data: Path) -> str:
    document = json.loads((data / f"{result.file}.json").read_text(encoding="utf-8"))
    return reason_of(result, document)


def _figures(figures: dict[str, Any]) -> list[str]:
    lines = ["| | n | p50 | p99 | max |", "| --- | --- | --- | --- | --- |"]
    for title, key, scale in (
        ("compile, ms", "compile_us", 1e-3),
        ("time to first mask, ms", "ttfm_us", 1e-3),
        ("time between masks, us", "tbm_us", 1.0),
        ("memory of a compiled schema, KiB", "compiled_kib", 1.0),
    ):
        summary = figures[key]
        if summary["n"]:
            cells = " | ".join(f"{summary[column] * scale:,.2f}" for column in ("p50", "p99", "max"))
            lines.append(f"| {title} | {summary['n']:,} | {cells} |")
    outcomes = ", ".join(f"{name} {count:,}" for name, count in figures["outcomes"].items() if count)
    return [*lines, "", f"{figures['files']:,} files: {outcomes}."]


def _most_frequent(results: Sequence[FileResult]) -> list[str]:
    """The frequent reasons of refusals, without their places."""
    counted = Counter(result.detail.partition(" at ")[0][:100] for result in results)
    frequent = [(reason, count) for reason, count in counted.most_common(15) if count > 1]
    return [*(f"- {count:,}: {_cell(reason)}" for reason, count in frequent), ""] if frequent else []


def _cell(text: str) -> str:
    return text[:_DETAIL].replace("\n", " ").replace("|", "\\|").replace("<", "&lt;") or "-"
