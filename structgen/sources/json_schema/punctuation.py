"""The marks of JSON with the white space that the options allow around them.

White space belongs to the mark: after an opening bracket, before a closing one, around commas and
colons. A value never has any of its own, so no two runs of it meet, and the bound on each is a bound on
the text. In an array or object without items the opening bracket has it all.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from structgen.automata import json_text
from structgen.grammar import Terminal
from structgen.sources.json_schema.options import SchemaOptions


@dataclass(frozen=True, slots=True)
class Punctuation:
    """``end_*`` follow an item, ``close_*`` directly follow the opening bracket."""

    open_object: Terminal
    end_object: Terminal
    close_object: Terminal
    open_array: Terminal
    end_array: Terminal
    close_array: Terminal
    comma: Terminal
    colon: Terminal


def punctuation(options: SchemaOptions) -> Punctuation:
    return _punctuation(options.whitespace, options.max_whitespace, options.separators)


@lru_cache(maxsize=64)
def _punctuation(whitespace: str, max_whitespace: int, separators: tuple[str, str] | None) -> Punctuation:
    width = max_whitespace if whitespace == "flexible" and separators is None else 0

    def mark(text: str, before: int, after: int) -> Terminal:
        return Terminal(json_text.padded(text, before, after), text)

    item_separator, key_separator = separators or (",", ":")
    return Punctuation(
        open_object=mark("{", 0, width),
        end_object=mark("}", width, 0),
        close_object=mark("}", 0, 0),
        open_array=mark("[", 0, width),
        end_array=mark("]", width, 0),
        close_array=mark("]", 0, 0),
        comma=mark(item_separator, width, width),
        colon=mark(key_separator, width, width),
    )
