"""The marks of JSON with the white space that the options allow around them.

White space belongs to the mark: after an opening bracket, before a closing one, around commas and
colons. A value never has any of its own, so no two runs of it meet, and the bound on each is a bound on
the text. An array or object without items has none, or where white space is flexible, some.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from structgen.automata import json_text
from structgen.automata.build import literal
from structgen.automata.dfa import Dfa
from structgen.sources.json_schema.options import SchemaOptions
from structgen.untracked import untracked


class Punctuation(NamedTuple):
    """``open_*`` precede an item, ``end_*`` follow one, ``empty_*`` are both brackets."""

    open_object: Dfa
    end_object: Dfa
    empty_object: Dfa
    open_array: Dfa
    end_array: Dfa
    empty_array: Dfa
    object_comma: Dfa
    array_comma: Dfa
    colon: Dfa


def punctuation(options: SchemaOptions, level: int) -> Punctuation:
    """``level``: how many arrays and objects are around; it counts only with ``indent``."""
    if options.indent is not None:
        return _indented(options.indent, level)
    return _inline(options.whitespace, options.max_whitespace, options.separators)


@lru_cache(maxsize=64)
@untracked
def _inline(whitespace: str, max_whitespace: int, separators: tuple[str, str] | None) -> Punctuation:
    width = max_whitespace if whitespace == "flexible" and separators is None else 0
    comma, colon = separators or (",", ":")
    return Punctuation(
        open_object=json_text.padded("{", 0, width),
        end_object=json_text.padded("}", width, 0),
        empty_object=json_text.pair("{", "}", width),
        open_array=json_text.padded("[", 0, width),
        end_array=json_text.padded("]", width, 0),
        empty_array=json_text.pair("[", "]", width),
        object_comma=json_text.padded(comma, width, width),
        array_comma=json_text.padded(comma, width, width),
        colon=json_text.padded(colon, width, width),
    )


@lru_cache(maxsize=1024)
@untracked
def _indented(indent: int, level: int) -> Punctuation:
    """As `json.dumps` writes it with ``indent``."""
    outside = "\n" + " " * (indent * level)
    inside = "\n" + " " * (indent * (level + 1))
    return Punctuation(
        open_object=_exactly("{" + inside),
        end_object=_exactly(outside + "}"),
        empty_object=_exactly("{}"),
        open_array=_exactly("[" + inside),
        end_array=_exactly(outside + "]"),
        empty_array=_exactly("[]"),
        object_comma=_exactly("," + inside),
        array_comma=_exactly("," + inside),
        colon=_exactly(": "),
    )


def _exactly(text: str) -> Dfa:
    return literal(text.encode())
