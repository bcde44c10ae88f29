"""``structgen bench sampling``: how far each method is from the target, and what it costs."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from structgen_bench.errors import BenchError
from structgen_bench.machine import run_header
from structgen_bench.pictures import pyplot
from structgen_bench.report import write_json

PACKAGES = ("structgen", "torch", "transformers", "numpy", "numba")
PARTS = ("distance", "awrs", "overhead", "genlm")


def sampling(
    data: Annotated[Path | None, typer.Option(help="Folder of SyGuS problems (gad): *.ebnf, *.txt.")] = None,
    parts: Annotated[
        str, typer.Option(help="Of distance, awrs, overhead, genlm; with commas.")
    ] = "distance,awrs,overhead",
    model: Annotated[str, typer.Option(help="'default', a folder or a hub id, for distance.")] = "default",
    folders: Annotated[str, typer.Option(help="Of DIR; with commas: BV4, SLIA, CP.")] = "BV4,SLIA",
    seconds: Annotated[float, typer.Option(help="For each method on each problem, at most.")] = 60.0,
    problems: Annotated[int, typer.Option(min=1, help="Of each folder, at most.")] = 3,
    n: Annotated[int, typer.Option("-n", min=10, help="Draws of each method.")] = 200,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Part of the target.")] = 14,
    prompt_tokens: Annotated[int, typer.Option(min=1, help="Of the prompt's end that are given.")] = 160,
    adapt_steps: Annotated[
        int, typer.Option("--adapt", min=0, help="First teach the model SyGuS, by so many steps.")
    ] = 0,
    genlm_python: Annotated[
        Path | None, typer.Option(help="Python of an environment with genlm-control, for genlm.")
    ] = None,
    toy: Annotated[
        Path | None, typer.Option(help="Folder of a model, for genlm: see bench/README.md.")
    ] = None,
    toy_tokenizer: Annotated[
        Path | None, typer.Option(help="tokenizer.json: a model of four layers is made in --toy by it.")
    ] = None,
    runs: Annotated[int, typer.Option(min=2, help="Populations of each engine, for genlm.")] = 20,
    threads: Annotated[int, typer.Option(min=1, help="Of torch, for every engine.")] = 1,
    seed: Annotated[int, typer.Option(help="Seed of all draws.")] = 0,
    output: Annotated[Path, typer.Option("--output", "-o", help="Results, JSON.")] = Path("sampling.json"),
) -> None:
    """Distance to the target against forward passes; AWRS's checks; what `local` adds to a model's time."""
    import torch

    from structgen import Compiler, Vocabulary
    from structgen.cli.generate import vocabulary_of_model
    from structgen.model import load

    chosen = [part.strip() for part in parts.split(",")]
    for part in chosen:
        if part not in PARTS:
            raise BenchError(f"no part {part!r}", f"give some of {', '.join(PARTS)}")
    if "distance" in chosen and data is None:
        raise BenchError("no data for the distances", "give --data DIR, or --parts awrs,overhead")
    if "genlm" in chosen and genlm_python is None:
        raise BenchError("no genlm-control", "give --genlm-python PATH, or leave genlm out of --parts")
    torch.set_num_threads(threads)
    console = Console()
    network, tokenizer = load(model)
    compiler = Compiler(vocabulary_of_model(network, tokenizer))
    document: dict[str, Any] = {
        **run_header("sampling", PACKAGES),
        "model": {"name": Path(model).name, "parameters": sum(p.numel() for p in network.parameters())},
        "seed": seed,
        "torch_threads": threads,
    }
    if "distance" in chosen and data is not None:
        from structgen_bench.sampling_distance import adapt, measure_problem, read_problem

        if adapt_steps:
            with console.status("teaching the model SyGuS"):
                losses = adapt(
                    network, tokenizer, data, folders.split(","), steps=adapt_steps,
                    prompt_tokens=prompt_tokens, seed=seed,
                )  # fmt: skip
            document["adapted"] = {"steps": adapt_steps, "loss": [losses[0], losses[-1]]}
        document["distance"] = []
        for path in find_problems(data, folders.split(","), problems):
            with console.status(path.stem):
                figures = measure_problem(
                    network, tokenizer, compiler, read_problem(path, tokenizer, prompt_tokens), n=n,
                    max_new_tokens=max_new_tokens, seed=seed, seconds=seconds,
                )  # fmt: skip
            document["distance"].append(figures)
            console.print(distance_table(figures))
            write_json(output, document)
        draw(document["distance"], output.with_suffix(".png"))
    if "awrs" in chosen:
        from structgen_bench.sampling_speed import awrs_checks, grammar_checker
        from structgen_bench.tokenizers import load_tokenizer

        with console.status("checks of AWRS"):
            document["awrs"] = awrs_checks(seed)
            read = load_tokenizer("tekken").vocabulary
            tekken = Vocabulary(list(read.tokens), read.eos_ids)
            document["awrs_grammar"] = grammar_checker(Compiler(tekken), tekken, seed)
        console.print(awrs_table(document["awrs"]))
        console.print(document["awrs_grammar"])
    if "overhead" in chosen:
        from structgen_bench.sampling_speed import local_overhead

        with console.status("overhead of local"):
            document["overhead"] = local_overhead(tokenizer, compiler, seed)
        console.print(document["overhead"])
    if genlm_python is not None and "genlm" in chosen:
        from structgen.model import default_model_path
        from structgen_bench.sampling_genlm import compare

        if toy is not None and toy_tokenizer is not None and not (toy / "config.json").is_file():
            from structgen_bench.sampling_toy import make_toy

            with console.status("teaching the toy"):
                make_toy(toy_tokenizer, toy)
        # without a status line, whose thread would run beside what is timed
        console.print("beside genlm-control ...")
        default = (*load("default"), default_model_path())
        document["genlm"] = compare(genlm_python, default, toy, runs)
        console.print(document["genlm"])
    write_json(output, document)
    console.print(f"written: {output.name}")


def find_problems(data: Path, folders: list[str], most: int) -> list[Path]:
    """At most so many .ebnf files of each folder."""
    found = [
        path
        for folder in folders
        for path in sorted((data / folder).glob("*.ebnf"))[:most]
        if path.with_suffix(".txt").is_file()
    ]
    if not found:
        raise BenchError(f"no problems in {data.name!r}", "give the folder that holds BV4, SLIA, CP")
    return found


def distance_table(figures: dict[str, Any]) -> Table:
    facts = figures["target"]
    known = "log_z" in facts
    table = Table(
        title=f"{figures['problem']}: log Z {facts['log_z']:.2f}, {facts['texts_seen']} texts seen, "
        f"{facts['mass_unseen']:.1%} of the mass not"
        + (f"; by two long runs, TV {facts['tv_between_runs']:.3f}" if "long_runs" in facts else "")
        if known
        else f"{figures['problem']}: no target; {facts['draws']} exact draws of {facts['tries']} tries, "
        f"log Z at most {facts['log_z_upper']:.1f}",
        title_justify="left",
    )
    for column in ("method", "texts", "passes", "without sharing", "TV", "TV weighted", "KL", "log Z"):
        table.add_column(column, justify="left" if column == "method" else "right")
    for row in figures["methods"]:
        table.add_row(
            row["label"], str(row["texts"]), f"{row['physical']:,}",
            f"{row['logical']:,}" if "logical" in row else "", *(
                f"{row[name]:.3f}" if name in row else "" for name in ("tv", "tv_weighted", "kl_plug_in")
            ), f"{row['log_z']:.2f}",
        )  # fmt: skip
    if known:
        exact, cost = figures["exact_draws"], figures["rejection"]
        table.add_row(
            "exact draws (expected)", "", "", "", f"{exact['tv']:.3f}", "", f"{exact['kl_plug_in']:.3f}", ""
        )
        run = "run" if "physical" in cost else "expected"
        passes = cost.get("physical", cost["physical_expected"])
        table.add_row(f"plain rejection ({run})", "", f"{passes:.4g}", "", "", "", "", "")
    return table


def awrs_table(rows: list[dict[str, Any]]) -> Table:
    table = Table(title="AWRS: checks and time a token", title_justify="left")
    for column in ("ids", "rejected", "variant", "checks (median)", "us a token"):
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(
            f"{row['ids']:,}", f"{row['rejected_mass']:.2f}", row["variant"],
            f"{row['checks_median']:g}", f"{row['us_a_token']:,.0f}",
        )  # fmt: skip
    return table


def draw(problems: list[dict[str, Any]], target: Path) -> None:
    """A panel a problem whose target is known: TV against physical passes."""
    problems = [figures for figures in problems if "log_z" in figures["target"]]
    if not problems:
        return
    plots = pyplot()
    columns = min(3, len(problems))
    rows = math.ceil(len(problems) / columns)
    figure, axes = plots.subplots(
        rows, columns, figsize=(4.6 * columns, 3.6 * rows), squeeze=False, constrained_layout=True
    )
    for axis in axes.flat[len(problems) :]:
        axis.remove()
    for figures, axis in zip(problems, axes.flat, strict=False):
        for place, row in enumerate(figures["methods"]):
            mark = "os"[place // 10]  # after ten the colours come again
            axis.plot(row["physical"] / max(1, row["texts"]), row["tv"], mark, label=row["label"])
        axis.axhline(figures["exact_draws"]["tv"], color="grey", linestyle="--", linewidth=0.8)
        axis.set_xscale("log")
        axis.set_ylim(0, 1.02)
        axis.set_title(f"{figures['problem']}, log Z {figures['target']['log_z']:.1f}", fontsize=8)
        axis.set_xlabel("forward passes a text", fontsize=8)
        axis.set_ylabel("TV to the target", fontsize=8)
    axes.flat[0].legend(fontsize=6)
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, dpi=120)
    plots.close(figure)
