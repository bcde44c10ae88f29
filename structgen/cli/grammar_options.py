"""The options that name a grammar, the same in every command, and what they become."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from structgen.cli.failures import InputError, UsageError

if TYPE_CHECKING:
    from structgen import CompiledGrammar, Compiler, Vocabulary

ARTIFACT_KIND = "compiled-grammar"
_PANEL = "Grammar (one of them)"
_WAYS = (
    "--schema FILE, --type MODULE:NAME, --regex PATTERN, --lark FILE, --gbnf FILE, --choice TEXT (repeated), "
    "--builtin NAME"
)

SchemaOption = Annotated[
    Path | None, typer.Option("--schema", metavar="FILE", help="A JSON Schema.", rich_help_panel=_PANEL)
]
TypeOption = Annotated[
    str | None,
    typer.Option(
        "--type",
        metavar="MODULE:NAME",
        help="A Python type or function, imported from here: a pydantic model, a dataclass, ...",
        rich_help_panel=_PANEL,
    ),
]
RegexOption = Annotated[
    str | None,
    typer.Option("--regex", metavar="PATTERN", help="A regular expression.", rich_help_panel=_PANEL),
]
LarkOption = Annotated[
    Path | None, typer.Option("--lark", metavar="FILE", help="A Lark grammar.", rich_help_panel=_PANEL)
]
GbnfOption = Annotated[
    Path | None,
    typer.Option("--gbnf", metavar="FILE", help="A GBNF grammar (llama.cpp).", rich_help_panel=_PANEL),
]
ChoiceOption = Annotated[
    list[str] | None,
    typer.Option("--choice", metavar="TEXT", help="One of these texts (repeat it).", rich_help_panel=_PANEL),
]
BuiltinOption = Annotated[
    str | None,
    typer.Option(
        "--builtin",
        metavar="NAME",
        help="A grammar that is shipped: `structgen grammars`.",
        rich_help_panel=_PANEL,
    ),
]
ArtifactOption = Annotated[
    Path | None,
    typer.Option(
        "--artifact", metavar="FILE", help="What `structgen compile` wrote.", rich_help_panel=_PANEL
    ),
]
DialectOption = Annotated[str, typer.Option(help="Dialect of --regex: 'python' or 'ecma'.")]
StartOption = Annotated[
    str | None,
    typer.Option(help="Start rule of --lark (default: start) or --builtin (`structgen grammars`)."),
]
CompactOption = Annotated[
    bool, typer.Option("--compact", help="--schema, --type: no white space between JSON tokens.")
]

AnyOrderOption = Annotated[
    bool, typer.Option("--any-order", help="--schema, --type: members in any order, not the schema's.")
]


@dataclass(frozen=True, slots=True)
class GrammarSource:
    """A grammar as the command line names it. ``label`` is what messages call it."""

    kind: str
    value: Any
    label: str
    options: dict[str, Any] = field(default_factory=dict)

    def compile(self, compiler: Compiler) -> CompiledGrammar:
        """Compile it for the compiler's vocabulary. Raises what the compiler raises."""
        compiled: CompiledGrammar = getattr(compiler, self.kind)(self.value, **self.options)
        return compiled

    def compile_or_load(self, vocabulary: Vocabulary) -> CompiledGrammar:
        """Compile it, or load it where it is an artifact."""
        from structgen import CompiledGrammar, Compiler

        if self.kind == "artifact":
            return CompiledGrammar.load(self.value, vocabulary)
        return self.compile(Compiler(vocabulary))


def choose_grammar(
    *,
    schema: Path | None = None,
    type_: str | None = None,
    regex: str | None = None,
    lark: Path | None = None,
    gbnf: Path | None = None,
    choice: Sequence[str] | None = None,
    builtin: str | None = None,
    artifact: Path | None = None,
    dialect: str = "python",
    start: str | None = None,
    compact: bool = False,
    any_order: bool = False,
) -> GrammarSource:
    """The one grammar among the options. Raises `UsageError` for none or several, and what reading raises."""
    given = {
        "--schema": schema,
        "--type": type_,
        "--regex": regex,
        "--lark": lark,
        "--gbnf": gbnf,
        "--choice": choice or None,
        "--builtin": builtin,
        "--artifact": artifact,
    }
    named = [name for name, value in given.items() if value is not None]
    if len(named) != 1:
        raise UsageError(
            f"two grammars: {' and '.join(named)}" if named else "no grammar", f"give one of {_WAYS}"
        )
    json_options: dict[str, Any] = {"whitespace": "compact"} if compact else {}
    if any_order:
        json_options["any_order"] = True
    if schema is not None:
        return GrammarSource("json_schema", read_json(schema), schema.name, json_options)
    if type_ is not None:
        from structgen.sources.python_types import schema_of

        json_options["integers"] = "plain"  # as `Compiler.json_schema` has it for types
        return GrammarSource("json_schema", schema_of(import_object(type_)), type_, json_options)
    if regex is not None:
        return GrammarSource("regex", regex, f"regex {regex}", {"dialect": dialect})
    if lark is not None:
        _must_be_file(lark)
        return GrammarSource("lark", lark, lark.name, {"start": start or "start"})
    if gbnf is not None:
        return GrammarSource("gbnf", read_text(gbnf), gbnf.name)
    if choice:
        return GrammarSource("choice", list(choice), f"one of {len(choice)} texts")
    if builtin is not None:
        return GrammarSource("grammar", builtin, f"builtin {builtin}", {"start": start})
    return GrammarSource("artifact", artifact, artifact.name if artifact is not None else "")


def import_object(place: str) -> Any:
    """What ``module:name`` names (``name`` may have dots); modules of the working folder are found.

    Raises `UsageError` where there is no such module or name, and whatever importing the module raises.
    """
    module_name, colon, name = place.partition(":")
    parts = module_name.split(".") + name.split(".")
    if not colon or not all(part.isidentifier() for part in parts):
        raise UsageError(f"--type {place} is not MODULE:NAME", "for example --type models:Person")
    folder = os.getcwd()
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        found: Any = import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise  # the module is there, and one that it imports is not
        raise UsageError(
            f"no module {error.name}", f"it is looked for in {folder} and as installed"
        ) from error
    for part in name.split("."):
        if not hasattr(found, part):
            raise UsageError(f"{module_name} has no {name}", "give the name of a type or function in it")
        found = getattr(found, part)
    return found


def source_of_artifact(path: Path) -> GrammarSource:
    """The source that an artifact was compiled from. Raises `ArtifactError`."""
    from structgen.tensor_file import read_tensors

    metadata = read_tensors(path, ARTIFACT_KIND).metadata
    kind, text = metadata["source_kind"], metadata["source_text"]
    options = json.loads(metadata["source_options"])
    return GrammarSource(kind, json.loads(text) if kind == "choice" else text, path.name, options)


def read_text(path: Path) -> str:
    """A file's text, UTF-8. Raises `InputError` where it is not, `OSError` where it cannot be read."""
    data = path.read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path.name} is not UTF-8: byte {error.start} is {data[error.start]:#04x}"
        ) from error


def read_json(path: Path) -> Any:
    """A file's JSON value. Raises `InputError` with the position where it is not JSON."""
    text = read_text(path)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        reason = f"{path.name} is not JSON: {error.msg[0].lower()}{error.msg[1:]}"
        raise InputError(reason, text=text, offset=error.pos) from error
    except RecursionError as error:
        raise InputError(f"{path.name} is not usable: JSON nested too deep") from error


def _must_be_file(path: Path) -> None:
    """Raise the `OSError` of opening it, so that a missing grammar file is told like any other."""
    with path.open("rb"):
        pass
