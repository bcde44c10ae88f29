"""How the cost grows: with the vocabulary, the schema, ``maxLength``, the text, the depth, the batch.

Times are of a machine that may be shared: medians and low percentiles are given, and the load beside them.
The compilers keep nothing that they compiled; the mask store and the code are warm, unless said otherwise.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from structgen_bench.errors import BenchError
from structgen_bench.machine import run_header
from structgen_bench.report import write_json
from structgen_bench.scaling_batch import by_batch, by_gap, by_steps
from structgen_bench.scaling_parts import Row, by_depth, by_length, by_place, by_tools, by_vocabulary
from structgen_bench.scaling_plot import draw_scaling
from structgen_bench.tokenizers import load_tokenizer

PARTS = ("vocabulary", "tools", "length", "place", "depth", "batch", "gaps", "steps")
PACKAGES = ("structgen", "numba", "numpy", "mistral-common")


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure and the least or most that it may be."""

    what: str
    value: float
    bound: float
    at_least: bool = False

    @property
    def kept(self) -> bool:
        return self.value >= self.bound if self.at_least else self.value <= self.bound


def scaling(
    parts: Annotated[str, typer.Option(help=f"Which of {', '.join(PARTS)}.")] = ",".join(PARTS),
    tokenizer: Annotated[
        str, typer.Option(help="'tekken', 'neox', 'bytes' or the path of a tokenizer.json.")
    ] = "tekken",
    seed: Annotated[int, typer.Option(help="Of vocabularies and batches.")] = 0,
    output: Annotated[Path, typer.Option("--output", "-o", help="Results, JSON.")] = Path("scaling.json"),
    picture: Annotated[Path | None, typer.Option(help="The plots (default: beside the results).")] = None,
    check: Annotated[bool, typer.Option(help="Exit with 1 where a goal is missed.")] = False,
) -> None:
    """Cost against vocabulary, schema size, maxLength, length of the text, depth, batch and threads."""
    from structgen import Compiler, Vocabulary

    console = Console()
    chosen = [part.strip() for part in parts.split(",") if part.strip()]
    unknown = sorted(set(chosen) - set(PARTS))
    if unknown or not chosen:
        raise BenchError(
            f"unknown parts: {', '.join(unknown) or 'none given'}", f"choose of {', '.join(PARTS)}"
        )
    loaded = load_tokenizer(tokenizer)
    vocabulary = Vocabulary(loaded.vocabulary.tokens, loaded.vocabulary.eos_ids)
    compiler = Compiler(vocabulary, cache_size=0)
    compiler.json_schema(True).matcher().forced_bytes()  # loads what is loaded once
    measured: dict[str, Callable[[], list[Row]]] = {
        "vocabulary": lambda: by_vocabulary(loaded.vocabulary, seed),
        "tools": lambda: by_tools(compiler),
        "length": lambda: by_length(compiler),
        "place": lambda: by_place(compiler),
        "depth": lambda: by_depth(compiler),
        "batch": lambda: by_batch(compiler, seed),
        "gaps": lambda: by_gap(compiler, seed),
        "steps": lambda: by_steps(compiler, seed),
    }
    figures: dict[str, list[Row]] = {}
    loads: dict[str, list[float]] = {}
    for part in chosen:
        before = os.getloadavg()[0]
        with console.status(part):
            figures[part] = measured[part]()
        loads[part] = [round(before, 2), round(os.getloadavg()[0], 2)]
        console.print(_table(part, figures[part]))
    goals = judge(figures)
    document = {
        **run_header("scaling", PACKAGES),
        "load_before_and_after": loads,
        "tokenizer": {"name": loaded.name, "vocab_size": vocabulary.size},
        "seed": seed,
        "figures": {part: [_rounded(row) for row in rows] for part, rows in figures.items()},
        "goals": {goal.what: [round(goal.value, 3), goal.bound, goal.kept] for goal in goals},
    }
    write_json(output, document)
    console.print(_goal_table(goals))
    target = output.with_suffix(".png") if picture is None else picture
    draw_scaling(document, target)
    console.print(f"written: {output.name}, {target.name}")
    if check and not all(goal.kept for goal in goals):
        raise typer.Exit(1)


def judge(figures: dict[str, list[Row]]) -> list[Goal]:
    """The goals of the parts that were measured."""
    goals: list[Goal] = []
    for part, what, unit in (
        ("tools", "60 tools over 5", "tools"),
        ("length", "maxLength 100,000 over 10", "max_length"),
    ):
        if part in figures:
            first, last = figures[part][0], figures[part][-1]
            assert first[unit] < last[unit]
            goals.append(Goal(f"{what}: compile time", last["compile_ms"] / first["compile_ms"], 2.0))
            goals.append(Goal(f"{what}: memory", last["kib"] / first["kib"], 2.0))
    if "tools" in figures:
        goals.append(Goal("60 tools: compile time, ms", figures["tools"][-1]["compile_ms"], 50.0))
    for text, rows in _grouped(figures.get("place", []), "text").items():
        near, far = (next(row for row in rows if row["tokens"] == tokens) for tokens in (10, 10_000))
        goals.append(
            Goal(f"10,000 tokens in over 10, {text}", far["again_mean_us"] / near["again_mean_us"], 1.2)
        )
    for grammar, rows in _grouped(figures.get("depth", []), "grammar").items():
        shallow, deep = (next(row for row in rows if row["depth"] == depth) for depth in (5, 50))
        goals.append(
            Goal(f"50 deep over 5, {grammar}", deep["opening_mean_us"] / shallow["opening_mean_us"], 1.5)
        )
    if "batch" in figures:
        largest = figures["batch"][-1]
        goals.append(
            Goal("256 known rows, back to back: one thread over two", largest["ratio"], 1.7, at_least=True)
        )
        goals.append(Goal("256 known rows: Python, us a row", largest["python_us_a_row"], 1.0))
    for row in figures.get("gaps", []):
        if row["gap_us"] >= 1_000:  # a second thread may not help, but is not to be in the way
            what = (
                f"256 known rows every {row['gap_us'] // 1_000} ms, cores {row['cores']}: one over two (p50)"
            )
            goals.append(Goal(what, row["ratio_p50"], 1.0, at_least=True))
    if "steps" in figures:
        one, two = figures["steps"]
        ratio = one["all_masks_ms"] / two["all_masks_ms"]
        goals.append(Goal("256 new texts: one thread over two", ratio, 1.7, at_least=True))
    return goals


def _grouped(rows: list[Row], key: str) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row[key], []).append(row)
    return groups


def _rounded(row: Row) -> Row:
    return {key: round(value, 3) if isinstance(value, float) else value for key, value in row.items()}


def _table(part: str, rows: list[Row]) -> Table:
    table = Table(title=part, title_justify="left")
    for key in rows[0]:
        table.add_column(key.replace("_", " "), justify="left" if isinstance(rows[0][key], str) else "right")
    for row in rows:
        table.add_row(*(value if isinstance(value, str) else f"{value:,.4g}" for value in row.values()))
    return table


def _goal_table(goals: list[Goal]) -> Table:
    table = Table(title="goals", title_justify="left")
    for column in ("figure", "value", "goal"):
        table.add_column(column, justify="left" if column == "figure" else "right")
    for goal in goals:
        bound = f"{'at least' if goal.at_least else 'at most'} {goal.bound:g}"
        table.add_row(goal.what, f"{goal.value:,.3g}", bound, style="" if goal.kept else "bold red")
    return table
