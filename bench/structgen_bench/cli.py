"""``structgen bench ...``: the benchmarks as one command with a subcommand each.

Errors are left to the caller, `structgen.cli.main`, which shows them without a traceback.
"""

from __future__ import annotations

import typer

from structgen_bench.artifacts import artifacts
from structgen_bench.cold import cold
from structgen_bench.fuzz import fuzz
from structgen_bench.languages import languages
from structgen_bench.maskbench import maskbench
from structgen_bench.plot import plot
from structgen_bench.sampling import sampling
from structgen_bench.scaling import scaling
from structgen_bench.soak import soak
from structgen_bench.suite import suite

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Measure structgen and, where they are installed, its peers.",
)
app.command()(maskbench)
app.command()(cold)
app.command()(artifacts)
app.command()(soak)
app.command()(languages)
app.command()(sampling)
app.command()(scaling)
app.command()(plot)
app.command()(suite)
app.command()(fuzz)


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
)
def apply(context: typer.Context) -> None:
    """Applying bitmasks to logits: structgen, XGrammar and torch."""
    from structgen_bench.apply import main

    raise typer.Exit(main(list(context.args)))
