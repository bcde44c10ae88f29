"""What a run says at its end: tables for people, one JSON document for everything else."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from structgen_bench.records import (
    CURVE,
    PERCENTILES,
    compile_times_of,
    curve,
    first_masks_of,
    outcome_counts,
    sizes_of,
    steps_of,
    summarise,
)
from structgen_bench.worker import OUTCOME_MEANING, FileResult, Ready

SLOWEST = 10
DETAIL_CHARACTERS = 200  # the samples beside the output hold them whole


def engine_report(results: Sequence[FileResult], common: frozenset[str]) -> dict[str, Any]:
    """The figures of one engine. ``common``: the files that every engine of the run passes."""
    shared = [result for result in results if result.file in common]
    slow_steps = sorted(results, key=lambda result: -max(result.steps_us, default=0.0))[:SLOWEST]
    slow_starts = sorted(results, key=lambda result: -(result.ttfm_us or 0.0))[:SLOWEST]
    slow_compiles = sorted(results, key=lambda result: -(result.compile_us or 0.0))[:SLOWEST]
    return {
        "files": len(results),
        "outcomes": outcome_counts(results),
        "tbm_us": summarise(steps_of(results)),
        "ttfm_us": summarise(first_masks_of(results)),
        "compile_us": summarise(compile_times_of(results)),
        "compiled_kib": summarise(sizes_of(results)),
        "common": {
            "files": len(shared),
            "tbm_us": summarise(steps_of(shared)),
            "ttfm_us": summarise(first_masks_of(shared)),
        },
        "curve": {
            "percentiles": list(CURVE),
            "tbm_us": curve(steps_of(results)),
            "ttfm_us": curve(first_masks_of(results)),
        },
        "peak_mib": round(max((result.peak_mib for result in results), default=0.0), 1),
        "slowest_mask_us": {r.file: round(max(r.steps_us), 1) for r in slow_steps if r.steps_us},
        "slowest_compile_us": {r.file: round(r.compile_us, 1) for r in slow_compiles if r.compile_us},
        "slowest_start_us": {r.file: round(r.ttfm_us, 1) for r in slow_starts if r.ttfm_us is not None},
        "not_passing": {
            result.file: [result.outcome, result.detail[:DETAIL_CHARACTERS]]
            for result in sorted(results, key=lambda result: result.file)
            if result.outcome != "pass"
        },
    }


def build_report(
    header: dict[str, Any], results: Sequence[FileResult], engines: Sequence[str], ready: dict[str, Ready]
) -> dict[str, Any]:
    """The whole document: ``header`` (what was run, where) and the figures of each engine."""
    of_engine: dict[str, list[FileResult]] = {name: [] for name in engines}
    passed_by: dict[str, set[str]] = defaultdict(set)
    for result in results:
        of_engine[result.engine].append(result)
        if result.outcome == "pass":
            passed_by[result.file].add(result.engine)
    common = frozenset(file for file, names in passed_by.items() if names == set(engines))
    figures = {}
    for name in engines:
        figures[name] = engine_report(of_engine[name], common)
        if name in ready:
            start = ready[name]
            figures[name] |= {
                "version": start.version,
                "prepare_s": round(start.prepare_s, 3),
                "warmup_s": round(start.warmup_s, 3),
                "base_mib": round(start.base_mib, 1),
            }
    return header | {"common_files": len(common), "engines": figures}


def write_json(path: Path, document: dict[str, Any], *, ascii: bool = False) -> None:
    """Write a whole file or none. ``ascii``: escape the rest, for texts that may hold lone surrogates."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("w", encoding="utf-8") as file:
            json.dump(document, file, indent=1, ensure_ascii=ascii)
            file.write("\n")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def print_report(document: dict[str, Any], console: Console) -> None:
    """The tables: outcomes, time between masks, time to first mask, memory."""
    engines: dict[str, Any] = document["engines"]
    console.print(_outcome_table(engines))
    for outcome in _outcomes(engines):
        console.print(f"  {outcome}: {OUTCOME_MEANING[outcome]}", style="dim", highlight=False)
    console.print(
        _time_table("time between masks (us): mask + accept, every token", engines, "tbm_us", 1.0, False)
    )
    console.print(
        _time_table("time to first mask (ms): compile + first mask", engines, "ttfm_us", 1e-3, False)
    )
    console.print(_time_table("compile (ms)", engines, "compile_us", 1e-3, False))
    if any(figures["compiled_kib"]["n"] for figures in engines.values()):
        console.print(_time_table("memory of a compiled schema (KiB)", engines, "compiled_kib", 1.0, False))
    if len(engines) > 1:
        where = f"on the {document['common_files']:,} files that every engine passes"
        console.print(_time_table(f"time between masks (us), {where}", engines, "tbm_us", 1.0, True))
        console.print(_time_table(f"time to first mask (ms), {where}", engines, "ttfm_us", 1e-3, True))
    console.print(_start_table(engines))


def _outcomes(engines: dict[str, Any]) -> list[str]:
    """The outcomes that occur, and 'pass'."""
    occurs = {outcome for figures in engines.values() for outcome, n in figures["outcomes"].items() if n}
    return [outcome for outcome in OUTCOME_MEANING if outcome in occurs or outcome == "pass"]


def _outcome_table(engines: dict[str, Any]) -> Table:
    table = Table(title="outcomes (files)", title_justify="left")
    table.add_column("outcome")
    for name, figures in engines.items():
        table.add_column(f"{name} {figures.get('version', '')}".strip(), justify="right")
    for outcome in _outcomes(engines):
        table.add_row(outcome, *(f"{figures['outcomes'][outcome]:,}" for figures in engines.values()))
    table.add_section()
    table.add_row("files", *(f"{figures['files']:,}" for figures in engines.values()))
    return table


def _time_table(title: str, engines: dict[str, Any], key: str, scale: float, common: bool) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("engine")
    columns = ["mean", *(f"p{percentile:g}" for percentile in PERCENTILES), "max"]
    for column in ["n", *columns]:
        table.add_column(column, justify="right")
    for name, figures in engines.items():
        summary = figures["common"][key] if common else figures[key]
        cells = [_figure(summary[column] * scale) if column in summary else "-" for column in columns]
        table.add_row(name, f"{summary['n']:,}", *cells)
    return table


def _start_table(engines: dict[str, Any]) -> Table:
    table = Table(title="processes", title_justify="left")
    for column in ("engine", "prepare s", "warm-up s", "memory at start MiB", "peak memory MiB"):
        table.add_column(column, justify="left" if column == "engine" else "right")
    for name, figures in engines.items():
        start = [f"{figures[key]:,.2f}" if key in figures else "-" for key in ("prepare_s", "warmup_s")]
        table.add_row(name, *start, f"{figures.get('base_mib', 0):,.0f}", f"{figures['peak_mib']:,.0f}")
    return table


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:,.1f}" if value >= 10 else f"{value:,.2f}"
