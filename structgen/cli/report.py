"""``structgen report``: what becomes of each keyword of a schema."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from structgen.cli.failures import BAD_INPUT
from structgen.cli.grammar_options import SchemaOption, TypeOption, choose_grammar

_STYLES = {"enforced": "green", "unsupported": "bold red", "unknown keyword": "yellow"}


def report(
    schema: SchemaOption = None,
    type_: TypeOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Which keywords of a JSON Schema are enforced, and why others are not.

    Exit status 2 where one is unsupported, so that the schema compiles with lenient=True only.
    """
    from structgen.sources.json_schema.report import schema_report

    source = choose_grammar(schema=schema, type_=type_)
    found = schema_report(source.value)
    if as_json:
        typer.echo(json.dumps(found.as_dict(), indent=2))
    else:
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table("pointer", "status", "note", box=None, pad_edge=False)
        for row in found:
            # a Text is taken as it is: pointers may look like markup
            table.add_row(Text(row.pointer), Text(row.status, _STYLES.get(row.status, "dim")), Text(row.note))
        Console(highlight=False).print(table)
        counts = ", ".join(f"{count:,} {status}" for status, count in found.counts.items())
        typer.echo(f"{source.label}: {counts or 'no keywords'}")
    if found.unsupported:
        raise typer.Exit(BAD_INPUT)
