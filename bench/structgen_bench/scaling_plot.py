"""The plots of `structgen bench scaling`: one panel a question."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from structgen_bench.pictures import pyplot

GREEN, RED, BLUE, GREY = "#0b6e4f", "#c1666b", "#4357ad", "#6b6b6b"
COLOURS = (GREEN, RED, BLUE, GREY, "#d98e04")


def draw_scaling(document: dict[str, Any], target: Path) -> None:
    """A panel for each part that was measured. Raises `BenchError` without matplotlib."""
    plots = pyplot()
    figures = document["figures"]
    panels = [(part, PANELS[part]) for part in figures if part in PANELS]
    if not panels:
        return
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    figure, axes = plots.subplots(
        rows, columns, figsize=(4.8 * columns, 3.7 * rows), constrained_layout=True, squeeze=False
    )
    for axis in axes.flat[len(panels) :]:
        axis.set_visible(False)
    for axis, (part, panel) in zip(axes.flat, panels, strict=False):
        panel(axis, figures[part])
        axis.grid(True, which="both", alpha=0.25)
        axis.legend(fontsize=7)
    machine, tokenizer = document["machine"], document["tokenizer"]
    figure.suptitle(
        f"structgen {document['versions']['structgen']} at {document['git_commit']}, {tokenizer['name']} "
        f"({tokenizer['vocab_size']:,} ids), {machine['cpu']}, {machine['cores']} cores",
        fontsize=10,
    )
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, dpi=130)
    plots.close(figure)


def _lines(axis: Any, rows: list[dict[str, Any]], x: str, curves: dict[str, str]) -> None:
    for (key, label), colour in zip(curves.items(), COLOURS, strict=False):
        axis.plot([row[x] for row in rows], [row[key] for row in rows], "o-", ms=3, color=colour, label=label)


def _by_name(axis: Any, rows: list[dict[str, Any]], name: str, x: str, y: str) -> None:
    for label, colour in zip(dict.fromkeys(row[name] for row in rows), COLOURS, strict=False):
        own = [row for row in rows if row[name] == label]
        axis.plot([row[x] for row in own], [row[y] for row in own], "o-", ms=3, color=colour, label=label)


def _vocabulary(axis: Any, rows: list[dict[str, Any]]) -> None:
    curves = {
        "known_p50_us": "known masks, p50",
        "known_p99_us": "known masks, p99",
        "new_grammar_p50_us": "new grammar, p50",
        "new_grammar_p99_us": "new grammar, p99",
    }
    _lines(axis, rows, "ids", curves)
    axis.set(
        title="vocabulary: mask + accept", xlabel="ids", ylabel="microseconds", xscale="log", yscale="log"
    )


def _tools(axis: Any, rows: list[dict[str, Any]]) -> None:
    _lines(axis, rows, "tools", {"compile_ms": "compile, ms", "first_mask_ms": "first mask, ms"})
    twin = axis.twinx()
    twin.plot([row["tools"] for row in rows], [row["kib"] for row in rows], "s--", ms=3, color=BLUE)
    twin.set_ylabel("KiB (dashed)", color=BLUE)
    twin.set_ylim(bottom=0)
    axis.set(title="schema: tools of 1.7 kB", xlabel="tools", ylabel="milliseconds")
    axis.set_ylim(bottom=0)


def _length(axis: Any, rows: list[dict[str, Any]]) -> None:
    _lines(axis, rows, "max_length", {"compile_ms": "compile, ms", "first_text_ms": "first text, ms"})
    twin = axis.twinx()
    twin.plot([row["max_length"] for row in rows], [row["kib"] for row in rows], "s--", ms=3, color=BLUE)
    twin.set_ylabel("KiB (dashed)", color=BLUE)
    twin.set_ylim(bottom=0)
    axis.set(title="maxLength", xlabel="maxLength", ylabel="milliseconds", xscale="log")
    axis.set_ylim(bottom=0)


def _place(axis: Any, rows: list[dict[str, Any]]) -> None:
    _by_name(axis, rows, "text", "tokens", "again_mean_us")
    axis.set(
        title="into the text: mask + accept", xlabel="tokens before", ylabel="microseconds", xscale="log"
    )
    axis.set_ylim(bottom=0)


def _depth(axis: Any, rows: list[dict[str, Any]]) -> None:
    _by_name(axis, rows, "grammar", "depth", "opening_mean_us")
    axis.set(title="depth: mask + accept, new grammar", xlabel="depth", ylabel="microseconds")
    axis.set_ylim(bottom=0)


def _batch(axis: Any, rows: list[dict[str, Any]]) -> None:
    curves = {
        "one_by_one_us": "fill_bitmask one by one",
        "one_thread_us": "fill_bitmasks, 1 thread",
        "two_threads_us": "fill_bitmasks, 2 threads",
    }
    _lines(axis, rows, "rows", curves)
    axis.set(title="batch of known masks", xlabel="rows", ylabel="microseconds", xscale="log", yscale="log")


PANELS = {
    "vocabulary": _vocabulary,
    "tools": _tools,
    "length": _length,
    "place": _place,
    "depth": _depth,
    "batch": _batch,
}
