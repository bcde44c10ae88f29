"""``structgen check``: does a text match a grammar, and if not, where and why not."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from structgen.expectation import describe_next
from structgen.cli.failures import NO_MATCH, UsageError
from structgen.cli.grammar_options import (
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
from structgen.errors import SourcePosition

if TYPE_CHECKING:
    from structgen import CompiledGrammar

_STRIDE = 4096  # bytes taken at once; only the stride that is refused is gone through byte by byte


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a text matches. ``offset``: the byte that cannot stand where it does, or the text's length
    where it ends too early. ``expected``: what may stand there, in words."""

    matches: bool
    offset: int = 0
    expected: tuple[str, ...] = ()


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
    start: StartOption = "start",
    compact: CompactOption = False,
    exact: Annotated[
        bool, typer.Option("--exact", help="FILE's last line break is part of the text.")
    ] = False,
) -> None:
    """Does a text match? If not: where it fails and what may stand there (exit status 1).

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
    )
    data = _read(file, text)
    if tokenizer is not None and artifact is None:
        raise UsageError(
            "--tokenizer without --artifact", "other grammars are checked byte by byte, without one"
        )
    grammar = _grammar(source, tokenizer)
    verdict = check_bytes(grammar, data)
    if not verdict.matches and file is not None and not exact:
        bare = data.removesuffix(b"\n").removesuffix(b"\r")
        if verdict.offset == len(bare) < len(data):
            verdict = check_bytes(grammar, bare)
    if not verdict.matches:
        typer.echo(render_failure(data, verdict, source.label))
        raise typer.Exit(NO_MATCH)
    typer.echo(f"matches: {len(data):,} bytes, {source.label}")


def check_bytes(grammar: CompiledGrammar, data: bytes) -> Verdict:
    """Feed a text to a grammar; where it is refused, the first byte that cannot stand there."""
    matcher = grammar.matcher()
    offset = 0
    while offset < len(data) and matcher.accept_bytes(data[offset : offset + _STRIDE]):
        offset += _STRIDE
    while offset < len(data) and matcher.accept_bytes(data[offset : offset + 1]):
        offset += 1
    if offset >= len(data) and matcher.is_accepting:
        return Verdict(True)
    return Verdict(False, min(offset, len(data)), tuple(describe_next(matcher)))


def render_failure(data: bytes, verdict: Verdict, label: str) -> str:
    """The message: line, column, the line with a caret, what was expected."""
    shown = data.decode("utf-8", "replace")
    place = len(data[: verdict.offset].decode("utf-8", "ignore"))
    what = "ends too early" if verdict.offset == len(data) else "does not match"
    where = SourcePosition(shown, min(place, len(shown))).render()
    expected = f"\nexpected: {', '.join(verdict.expected)}" if verdict.expected else ""
    return f"{what}: {label}\nat {where}{expected}"


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
