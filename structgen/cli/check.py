"""``structgen check``: does a text match a grammar, and if not, where and why not."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from structgen.cli.failures import NO_MATCH, UsageError
from structgen.cli.grammar_options import (
    AnyOrderOption,
    ArtifactOption,
    BuiltinOption,
    ChoiceOption,
    CompactOption,
    DialectOption,
    GbnfOption,
    GrammarSource,
    LarkOption,
    RegexOption,
    SchemaOption,
    StartOption,
    TypeOption,
    choose_grammar,
    source_of_artifact,
)

if TYPE_CHECKING:
    from structgen import CompiledGrammar


def check(
    file: Annotated[Path | None, typer.Argument(help="The text; '-' reads from standard input.")] = None,
    text: Annotated[str | None, typer.Option("--text", "-t", help="The text itself.")] = None,
    schema: SchemaOption = None,
    type_: TypeOption = None,
    regex: RegexOption = None,
    lark: LarkOption = None,
    gbnf: GbnfOption = None,
    choice: ChoiceOption = None,
    builtin: BuiltinOption = None,
    artifact: ArtifactOption = None,
    tokenizer: Annotated[
        str | None, typer.Option(help="With --artifact: load it for this tokenizer, not only its source.")
    ] = None,
    dialect: DialectOption = "python",
    start: StartOption = None,
    compact: CompactOption = False,
    any_order: AnyOrderOption = False,
    exact: Annotated[
        bool, typer.Option("--exact", help="FILE's last line break is part of the text.")
    ] = False,
) -> None:
    """Does a text match? If not: where it fails, what may stand there, and which rule of a schema it breaks.

    The exit status is then 1.

    No model is needed: the text is checked byte by byte. One line break at the end of FILE, as editors
    put it, does not count where the grammar does not allow it (unless --exact).
    """
    source = choose_grammar(
        schema=schema,
        type_=type_,
        regex=regex,
        lark=lark,
        gbnf=gbnf,
        choice=choice,
        builtin=builtin,
        artifact=artifact,
        dialect=dialect,
        start=start,
        compact=compact,
        any_order=any_order,
    )
    data = _read(file, text)
    if tokenizer is not None and artifact is None:
        raise UsageError(
            "--tokenizer without --artifact", "other grammars are checked byte by byte, without one"
        )
    grammar = _grammar(source, tokenizer)
    explanation = grammar.explain(data)
    if explanation is not None and file is not None and not exact:
        bare = data.removesuffix(b"\n").removesuffix(b"\r")
        if explanation.offset == len(bare) < len(data):
            explanation = grammar.explain(bare)
    if explanation is not None:
        what = "ends too early" if explanation.incomplete else "does not match"
        typer.echo(f"{what}: {source.label}\n{explanation.details}")
        raise typer.Exit(NO_MATCH)
    typer.echo(f"matches: {len(data):,} bytes, {source.label}")


def _grammar(source: GrammarSource, tokenizer: str | None) -> CompiledGrammar:
    from structgen.cli.tokenizer_choice import byte_vocabulary, load_vocabulary

    if tokenizer is not None:
        return source.compile_or_load(load_vocabulary(tokenizer).vocabulary)
    if source.kind == "artifact":
        source = source_of_artifact(source.value)
    return source.compile_or_load(byte_vocabulary())


def _read(file: Path | None, text: str | None) -> bytes:
    if file is not None and text is not None:
        raise UsageError("two texts", "give FILE or --text TEXT")
    if text is not None:
        return text.encode("utf-8", "surrogateescape")
    if file is None:
        raise UsageError("no text", "give FILE, '-' for standard input, or --text TEXT")
    return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
