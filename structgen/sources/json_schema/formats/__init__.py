"""The formats of JSON Schema as grammars: each a transcription of its RFC, rule by rule.

``format`` speaks of the text that a string decodes to, so these are languages of code points. Where a format
is no regular language, or one of too many states, the language here is a part of it that is easily told,
and `format_matches` is exact on a given text.
"""

from __future__ import annotations

from structgen.sources.json_schema.formats.catalogue import (
    FORMATS,
    format_automaton,
    format_complement,
    format_is_exact,
    format_language,
    format_matches,
    format_max_length,
    open_format_automata,
)

__all__ = [
    "FORMATS",
    "format_automaton",
    "format_complement",
    "format_is_exact",
    "format_language",
    "format_matches",
    "format_max_length",
    "open_format_automata",
]
