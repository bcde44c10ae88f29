"""Percentile curves of a MaskBench run: where engines differ is the tail, so the tail gets the room."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from structgen_bench.errors import BenchError
from structgen_bench.machine import describe_machine
from structgen_bench.pictures import pyplot
from structgen_bench.records import CURVE, curve, first_masks_of, read_samples, steps_of, summarise

# Percentile 100 is drawn here; the axis is -log10 of the share that is slower.
SHOWN_PERCENTILES = (0, 50, 90, 99, 99.9, 99.99)
COLOURS = {"structgen": "#0b6e4f", "llguidance": "#c1666b", "xgrammar": "#4357ad"}


def plot(
    results: Annotated[
        Path, typer.Argument(help="What `structgen bench maskbench` wrote: results or samples.")
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The picture (default: beside it).")
    ] = None,
) -> None:
    """Draw a run's percentile curves as a PNG or SVG."""
    beside = results.with_name(results.name.removesuffix(".samples.jsonl")).with_suffix(".png")
    target = beside if output is None else output
    draw(read_results(results), target)
    typer.echo(f"written: {target.name}")


def read_results(path: Path) -> dict[str, Any]:
    """The document of a MaskBench run, from its results or its samples. Raises `BenchError` for others."""
    if path.name.endswith(".samples.jsonl"):
        return _of_samples(path)
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BenchError(f"{path.name} is not JSON: {error}") from error
    if not isinstance(document, dict) or document.get("benchmark") != "maskbench":
        raise BenchError(f"{path.name} is not the result of a MaskBench run")
    return document


def _of_samples(path: Path) -> dict[str, Any]:
    """As much of the document as `draw` takes, of a run that may not have ended. Of this machine, says it."""
    results, header = read_samples(path)
    engines: dict[str, Any] = {}
    for name in dict.fromkeys(result.engine for result in results):
        own = [result for result in results if result.engine == name]
        tbm, ttfm = steps_of(own), first_masks_of(own)
        engines[name] = {
            "version": header["versions"].get(name, ""),
            "tbm_us": summarise(tbm),
            "ttfm_us": summarise(ttfm),
            "curve": {"percentiles": list(CURVE), "tbm_us": curve(tbm), "ttfm_us": curve(ttfm)},
        }
    files = len({result.file for result in results})
    return {**header, "selected": files, "engines": engines, "machine": describe_machine()}


def draw(document: dict[str, Any], target: Path) -> None:
    """Two panels: time between masks, time to first mask."""
    plots = pyplot()
    from math import log10

    def axis(percentile: float) -> float:
        return -log10(max(1e-5, 1 - percentile / 100))

    figure, panels = plots.subplots(1, 2, figsize=(11, 4.2), constrained_layout=True)
    titles = ("time between masks (mask + accept)", "time to first mask (compile + first mask)")
    for panel, key, scale, unit, title in zip(
        panels, ("tbm_us", "ttfm_us"), (1.0, 1e-3), ("microseconds", "milliseconds"), titles, strict=True
    ):
        for name, figures in document["engines"].items():
            curve = figures["curve"]
            if not curve[key]:
                continue
            mean = figures[key]["mean"] * scale
            panel.plot(
                [axis(percentile) for percentile in curve["percentiles"]],
                [value * scale for value in curve[key]],
                label=f"{name} {figures.get('version', '')}, mean {mean:,.3g}",
                color=COLOURS.get(name),
                linewidth=1.8,
            )
        panel.set_yscale("log")
        panel.set_xticks([axis(percentile) for percentile in SHOWN_PERCENTILES])
        panel.set_xticklabels([f"{percentile:g}" for percentile in SHOWN_PERCENTILES])
        panel.set_xlabel("percentile")
        panel.set_ylabel(unit)
        panel.set_title(title, fontsize=10)
        panel.grid(True, which="both", alpha=0.25)
        panel.legend(fontsize=8)
    machine = document["machine"]
    figure.suptitle(
        f"MaskBench, {document['selected']:,} files, {document['tokenizer']['name']} "
        f"({document['tokenizer']['vocab_size']:,} ids), {machine['cpu']}",
        fontsize=10,
    )
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, dpi=140)
    plots.close(figure)
