"""The commands, and what ends them: exit status 0 done, 1 does not match, 2 bad input, 130 interrupted."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from structgen.cli.check import check
from structgen.cli.compile import compile_grammar
from structgen.cli.demo import demo
from structgen.cli.failures import (
    BAD_INPUT,
    INTERRUPTED,
    OK,
    UsageError,
    describe_os_error,
    show_error,
)
from structgen.cli.generate import generate
from structgen.cli.info import grammars, info
from structgen.cli.report import report
from structgen.cli.sample import sample
from structgen.cli.warm import warm
from structgen.errors import StructgenError

app = typer.Typer(
    name="structgen",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="JSON Schemas, regexes and grammars compiled to exact token masks for language models.",
    epilog="Exit status: 0 done, 1 the text does not match or was cut off, 2 bad input or usage, 130 Ctrl-C.",
)
app.command("compile")(compile_grammar)
app.command("check")(check)
app.command("report")(report)
app.command("generate")(generate)
app.command("sample")(sample)
app.command("info")(info)
app.command("grammars")(grammars)
app.command("warm")(warm)
app.command("demo")(demo)


def _show_version(wanted: bool) -> None:
    if wanted:
        from structgen import __version__

        typer.echo(f"structgen {__version__}")
        raise typer.Exit


@app.callback()
def structgen(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command(
    "bench",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
)
def bench(context: typer.Context) -> None:
    """Measure and test: maskbench, languages, suite, fuzz, apply, cold, artifacts, soak, sampling, plot.

    Each has --help.
    """
    try:
        from structgen_bench.cli import app as benchmarks
    except ImportError as error:
        raise UsageError(
            f"the benchmarks cannot be imported: {error}", "pip install 'structgen[mistral,peers,plot]'"
        ) from error
    benchmarks(args=list(context.args), prog_name="structgen bench")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line ``arguments`` (default: those of the process); the exit status."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # each retry would be a line of its own
    try:
        app(args=given, prog_name="structgen")
    except SystemExit as ended:
        if ended.code == INTERRUPTED:
            show_error("interrupted")
        return ended.code if isinstance(ended.code, int) else OK if ended.code is None else BAD_INPUT
    except StructgenError as error:
        show_error(str(error))
        return BAD_INPUT
    except OSError as error:
        show_error(describe_os_error(error))
        return BAD_INPUT
    return OK
