"""``structgen compile``: a grammar and a tokenizer in, one artifact file out."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from structgen.cli.failures import UsageError
from structgen.cli.grammar_options import (
    AnyOrderOption,
    BuiltinOption,
    ChoiceOption,
    CompactOption,
    DialectOption,
    GbnfOption,
    LarkOption,
    RegexOption,
    SchemaOption,
    StartOption,
    TypeOption,
    choose_grammar,
)

if TYPE_CHECKING:
    from rich.console import Console

    from structgen import CompiledGrammar


def compile_grammar(
    output: Annotated[Path, typer.Option("--output", "-o", help="The artifact file to write.")],
    tokenizer: Annotated[
        str, typer.Option(help="'default', 'bytes', a model id, a folder or a tokenizer file.")
    ] = "default",
    schema: SchemaOption = None,
    type_: TypeOption = None,
    regex: RegexOption = None,
    lark: LarkOption = None,
    gbnf: GbnfOption = None,
    choice: ChoiceOption = None,
    builtin: BuiltinOption = None,
    dialect: DialectOption = "python",
    start: StartOption = None,
    compact: CompactOption = False,
    any_order: AnyOrderOption = False,
    force: Annotated[bool, typer.Option("--force", "-f", help="Overwrite the output file.")] = False,
) -> None:
    """Compile a grammar for a tokenizer, ahead of time, into one file.

    The file is written whole or not at all, and an existing one is kept unless --force is given.
    """
    source = choose_grammar(
        schema=schema,
        type_=type_,
        regex=regex,
        lark=lark,
        gbnf=gbnf,
        choice=choice,
        builtin=builtin,
        dialect=dialect,
        start=start,
        compact=compact,
        any_order=any_order,
    )
    if output.exists() and not force:
        raise UsageError(f"{output} exists", "give another --output, or --force to overwrite it")
    if not output.absolute().parent.is_dir():
        raise UsageError(f"no folder {output.parent}", "make it first")
    from rich.console import Console

    from structgen import Compiler
    from structgen.cli.tokenizer_choice import load_vocabulary

    console = Console(stderr=True)
    with console.status("reading the tokenizer"):
        named = load_vocabulary(tokenizer)
    begin = time.perf_counter()
    with console.status(f"compiling {source.label}"):
        compiled = source.compile(Compiler(named.vocabulary))
    seconds = time.perf_counter() - begin
    begin = time.perf_counter()
    _save(compiled, output, console)
    saving = time.perf_counter() - begin
    typer.echo(f"{output}: {output.stat().st_size:,} bytes")
    typer.echo(f"  grammar    {source.label} ({compiled.source.kind})")
    typer.echo(f"  tokenizer  {named.name}, {named.vocabulary.size:,} ids")
    typer.echo(f"  states     {compiled.n_parser_states:,} parser, {compiled.n_terminal_states:,} terminal")
    typer.echo(f"  time       {seconds:.3f} s to compile, {saving:.3f} s for masks and file")
    for where, what in compiled.warnings:
        typer.echo(f"  not enforced  {where}: {what}")


def _save(compiled: CompiledGrammar, output: Path, console: Console) -> None:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("masks"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("masks", total=None)

        def advance(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        compiled.save(output, progress=advance)
