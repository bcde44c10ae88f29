"""``structgen info`` and ``structgen grammars``: what an artifact, a tokenizer or structgen holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from structgen.cli.grammar_options import ARTIFACT_KIND
from structgen.errors import ArtifactError

if TYPE_CHECKING:
    from structgen.cli.tokenizer_choice import NamedVocabulary

_SHOWN_SPECIAL = 8
_SHOWN_SOURCE = 300


def info(
    what: Annotated[
        str, typer.Argument(help="An artifact file, or a tokenizer: name, file, folder, model id.")
    ],
) -> None:
    """What an artifact file or a tokenizer holds."""
    path = Path(what)
    if path.is_file() and path.suffix not in (".json", ".model"):
        lines = _artifact_lines(path)
    else:
        from structgen.cli.tokenizer_choice import load_vocabulary

        lines = _vocabulary_lines(load_vocabulary(what))
    width = max(len(name) for name, _ in lines)
    for name, value in lines:
        typer.echo(f"{name:<{width}}  {value}")


def grammars() -> None:
    """The grammars that come with structgen (for --builtin): start rules, lexer, layout."""
    from structgen_grammars import profiles

    rows = [("name", "start rules", "lexer", "layout", "what")]
    for profile in profiles().values():
        starts = ", ".join(profile.starts)
        what = f"{profile.summary} ({profile.reference})"
        rows.append((profile.name, starts, profile.lexer, profile.layout, what))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        typer.echo("  ".join(cells).rstrip())


def _artifact_lines(path: Path) -> list[tuple[str, str]]:
    from structgen.tensor_file import read_tensors

    file = read_tensors(path, ARTIFACT_KIND)
    metadata = file.metadata
    try:
        source = metadata["source_text"]
        options = json.loads(metadata["source_options"])
        rows = [
            ("artifact", path.name),
            ("size", f"{path.stat().st_size:,} bytes"),
            ("grammar", metadata["source_kind"]),
            ("options", ", ".join(f"{name}={value}" for name, value in options.items()) or "none"),
            ("vocabulary", f"{metadata['vocabulary']} (hash)"),
            ("stored masks", f"{file.arrays['entry_states'].shape[0]:,}"),
            ("tables", f"{file.arrays['static'].nbytes:,} bytes"),
            (
                "source",
                source if len(source) <= _SHOWN_SOURCE else f"{source[:_SHOWN_SOURCE]}... ({len(source):,})",
            ),
        ]
        rows += [("not enforced", f"{where}: {what}") for where, what in json.loads(metadata["warnings"])]
    except KeyError as error:
        raise ArtifactError(path, f"not a whole artifact: {error} is missing") from None
    return rows


def _vocabulary_lines(named: NamedVocabulary) -> list[tuple[str, str]]:
    vocabulary = named.vocabulary
    lengths = [len(token) for token in vocabulary.tokens if token]
    texts = {token for token in vocabulary.tokens if token}
    special = vocabulary.special_tokens
    names = ", ".join(f"{name} {special[name]}" for name in list(special)[:_SHOWN_SPECIAL])
    more = f", and {len(special) - _SHOWN_SPECIAL:,} more" if len(special) > _SHOWN_SPECIAL else ""
    return [
        ("tokenizer", f"{named.name} ({named.kind})"),
        ("ids", f"{vocabulary.size:,}, of them {len(lengths):,} with bytes"),
        ("EOS ids", ", ".join(f"{token}" for token in vocabulary.eos_token_ids)),
        ("special tokens", f"{len(special):,}" + (f": {names}{more}" if special else "")),
        ("bytes", f"{sum(lengths):,}, the longest token {max(lengths):,}"),
        ("same bytes twice", f"{len(lengths) - len(texts):,} ids"),
        ("bytes covered", f"{int(vocabulary.alphabet.sum())} of 256 occur in tokens"),
        ("trie", f"{vocabulary.trie.byte.shape[0]:,} nodes"),
        ("hash", vocabulary.digest.hex()),
    ]
