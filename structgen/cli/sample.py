"""``structgen sample``: texts from the model's own distribution over what a grammar allows, with weights."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from structgen.cli.failures import INTERRUPTED, NO_MATCH, UsageError
from structgen.cli.generate import vocabulary_of_model
from structgen.cli.grammar_options import (
    ArtifactOption,
    BuiltinOption,
    ChoiceOption,
    CompactOption,
    DialectOption,
    GbnfOption,
    LarkOption,
    RegexOption,
    SchemaOption,
    StartOption,
    choose_grammar,
)

if TYPE_CHECKING:
    from structgen.sampling import SampleResult

_DISTORTION_DRAWS = 64  # of local masking, to estimate what it would distort
_SHOWN_CHARACTERS = 60


def sample(
    prompt: Annotated[str | None, typer.Option("--prompt", "-p", help="The prompt.")] = None,
    model: Annotated[
        str, typer.Option(help="'default' (the embedded model), a folder or a Hugging Face model id.")
    ] = "default",
    schema: SchemaOption = None,
    regex: RegexOption = None,
    lark: LarkOption = None,
    gbnf: GbnfOption = None,
    choice: ChoiceOption = None,
    builtin: BuiltinOption = None,
    artifact: ArtifactOption = None,
    dialect: DialectOption = "python",
    start: StartOption = None,
    compact: CompactOption = False,
    method: Annotated[
        str, typer.Option(help="auto, local, rejection, cars, asap, awrs, smc or mcmc.")
    ] = "auto",
    n: Annotated[int, typer.Option("-n", min=1, help="How many texts.")] = 10,
    particles: Annotated[int, typer.Option(min=1, help="Of a population, for smc.")] = 20,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="The most tokens, the stop counted.")] = 64,
    length: Annotated[
        str, typer.Option(help="'condition' (texts that end in time) or 'truncate' (cut texts count).")
    ] = "condition",
    temperature: Annotated[float, typer.Option(help="Above 0; part of the target.")] = 1.0,
    top_k: Annotated[
        int | None, typer.Option(help="Of the model's distribution, before the grammar.")
    ] = None,
    top_p: Annotated[
        float | None, typer.Option(help="Of the model's distribution, before the grammar.")
    ] = None,
    forwards: Annotated[int | None, typer.Option(min=1, help="Budget: rows that the model may run.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same texts.")] = 0,
    state: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep what is learned here, and go on from it.")
    ] = None,
    json_output: Annotated[bool, typer.Option("--json", help="One JSON document to stdout.")] = False,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw each method's distance to the target against its cost."),
    ] = None,
) -> None:
    """Texts drawn as the model would write them, given that they match; local masking alone distorts that.

    Each text comes with its weight; below them the estimate of Z (the probability that the model's own
    text matches), and how far local masking is from the target. Ctrl-C shows what is there.
    Exit status 1: no text was found.
    """
    source = choose_grammar(
        schema=schema,
        regex=regex,
        lark=lark,
        gbnf=gbnf,
        choice=choice,
        builtin=builtin,
        artifact=artifact,
        dialect=dialect,
        start=start,
        compact=compact,
    )
    if prompt is None and not (model == "default" and source.kind == "json_schema"):
        raise UsageError(
            "no prompt", "give --prompt TEXT; only --schema with the embedded model has a prompt of its own"
        )
    if plot is not None and not plot.parent.is_dir():
        raise UsageError(f"no folder {plot.parent}", "give --plot a file in a folder that exists")
    from rich.console import Console

    from structgen.model import load, prompt_for

    console = Console(stderr=True, highlight=False)
    with console.status(f"loading {model}"):
        network, tokenizer = load(model)
    with console.status(f"compiling {source.label}"):
        grammar = source.compile_or_load(vocabulary_of_model(network, tokenizer))
    import torch

    from structgen import Budget
    from structgen import sample as sample_texts
    from structgen.sampling import PrefixTrie, load_trie, save_trie

    trie = load_trie(state) if state is not None and state.exists() else PrefixTrie(None)
    common: dict[str, Any] = {
        "model": network,
        "tokenizer": tokenizer,
        "constraint": grammar,
        "prompt": prompt if prompt is not None else prompt_for(source.value),
        "max_new_tokens": max_new_tokens,
        "length": length,
        "temperature": temperature,
        "top_k": top_k,
        "top_p": top_p,
        "particles": particles,
    }
    with console.status(method) as status:
        result = sample_texts(
            **common,
            method=method,  # type: ignore[arg-type]  # checked there
            n=n,
            budget=Budget(forwards=forwards),
            generator=torch.Generator().manual_seed(seed),
            state=trie,
            progress=lambda now: status.update(
                f"{now.method}: {now.done:,} of {now.wanted:,}, {now.tries:,} tries, {now.forwards:,} passes"
            ),
        )
    if state is not None:
        save_trie(trie, state)
    interrupted = result.diagnostics.stopped == "interrupted"
    local = result
    if result.method != "local" and not interrupted:
        with console.status("local masking, for comparison"):
            local = sample_texts(
                **common, method="local", n=_DISTORTION_DRAWS, generator=torch.Generator().manual_seed(seed)
            )
    if json_output:
        typer.echo(json.dumps(as_json(result, local), ensure_ascii=False, indent=1))
    else:
        _show(result, local)
    if plot is not None and not interrupted:
        from structgen.cli.sample_plot import draw_distances

        with console.status("every method, for the plot"):
            draw_distances(common, n, seed, plot)
        console.print(f"written: {plot.name}")
    if interrupted:
        raise typer.Exit(INTERRUPTED)
    if not len(result):
        raise typer.Exit(NO_MATCH)


def as_json(result: SampleResult, local: SampleResult) -> dict[str, Any]:
    """The result as a JSON document; what is not finite is null."""
    diagnostics = result.diagnostics
    return {
        "method": result.method,
        "guarantee": result.guarantee,
        "length": result.length,
        "samples": [
            {"text": text, "complete": complete, "weight": weight, "log_weight": _finite(log_weight),
             "logp": _finite(logp), "tokens": list(tokens)}
            for text, complete, weight, log_weight, logp, tokens in zip(
                result.texts, result.complete, result.weights.tolist(), result.log_weights.tolist(),
                result.logp_model.tolist(), result.sequences, strict=True,
            )
        ],
        "log_z": _finite(result.log_z),
        "log_z_stderr": _finite(result.log_z_stderr),
        "local_masking": {"kl": local.diagnostics.kl, "chi2": local.diagnostics.chi2},
        "ess": diagnostics.ess,
        "tries": diagnostics.tries,
        "forwards_logical": diagnostics.forwards_logical,
        "forwards_physical": diagnostics.forwards_physical,
        "stopped": diagnostics.stopped,
        "notes": list(diagnostics.notes),
    }  # fmt: skip


def _show(result: SampleResult, local: SampleResult) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("weight", justify="right")
    table.add_column("log P", justify="right")
    table.add_column("text", overflow="fold")
    for text, weight, logp, complete in zip(
        result.texts, result.weights.tolist(), result.logp_model.tolist(), result.complete, strict=True
    ):
        table.add_row(
            f"{weight:.3f}", f"{logp:.2f}", _escaped(text) + ("" if complete else " [dim](cut)[/dim]")
        )
    console = Console(highlight=False)
    console.print(table)
    diagnostics = result.diagnostics
    lines = [f"{len(result)} texts by {result.method} ({result.guarantee})"]
    if math.isfinite(result.log_z):
        error = f" ± {result.log_z_stderr:.2f}" if math.isfinite(result.log_z_stderr) else ""
        lines.append(
            f"log Z = {result.log_z:.3f}{error}; "
            f"the model's own text matches with probability {math.exp(result.log_z):.3g}"
        )
    kl, chi2 = local.diagnostics.kl, local.diagnostics.chi2
    if kl is not None and chi2 is not None:
        lines.append(
            f"local masking: KL to the target about {kl:.2f} nats, chi^2 {chi2:.3g} "
            f"({local.diagnostics.tries} draws)"
        )
    lines.append(
        f"ESS {diagnostics.ess:.1f}, {diagnostics.tries:,} tries, "
        f"{diagnostics.forwards_physical:,} forward passes ({diagnostics.forwards_logical:,} without sharing)"
    )
    if diagnostics.stopped:
        lines.append(f"stopped early: {diagnostics.stopped}")
    lines += diagnostics.notes
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text.replace("\n", "\\n"))


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
