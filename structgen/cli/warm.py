"""``structgen warm``: what is made once for a machine and a vocabulary, ahead of time."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from structgen.cli.failures import UsageError


def warm(
    tokenizer: Annotated[
        str, typer.Option(help="'default', 'bytes', a model id, a folder or a tokenizer file.")
    ] = "default",
    lexer: Annotated[bool, typer.Option(help="Also the kernels of grammars with a lexer.")] = True,
) -> None:
    """Compile the kernels and make the tokenizer's trie and mask store, so that no first call has to.

    All of it lies in the user's cache folder (STRUCTGEN_CACHE_DIR), shared by all processes.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from structgen.cli.tokenizer_choice import load_vocabulary
    from structgen.general_grammars import LEAST_NODES, general_store
    from structgen.warmup import ensure_kernels

    console = Console(stderr=True)
    begin = time.perf_counter()
    with console.status("the kernels of this machine"):
        ensure_kernels()
        ensure_kernels("sampling")
        if lexer:
            ensure_kernels("lexer")
    typer.echo(f"kernels     {time.perf_counter() - begin:.1f} s")
    with console.status("reading the tokenizer"):
        named = load_vocabulary(tokenizer)
    begin = time.perf_counter()
    columns = (TextColumn("mask store"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("mask store", total=None)

        def advance(done: int, total: int, _name: str) -> None:
            progress.update(task, completed=done, total=total)

        store = general_store(named.vocabulary, advance)
    seconds = time.perf_counter() - begin
    if store is not None:
        size = f"{store.n_entries:,} entries, {store.nbytes / 1e6:.1f} MB"
        typer.echo(f"mask store  {seconds:.1f} s, {size}, {named.name}")
    elif named.vocabulary.trie.n_nodes < LEAST_NODES:
        typer.echo(f"mask store  none: {named.name} is small, its masks are as quickly made as read")
    else:
        raise UsageError(
            "the cache folder takes no files", "set STRUCTGEN_CACHE_DIR to one that can be written"
        )
