"""A list of texts, any one of which may be said."""

from __future__ import annotations

from collections.abc import Sequence

from structgen.errors import OptionError
from structgen.grammar import Grammar, Terminal
from structgen.regex.syntax import Literal, Union

_START = "choice"


def choice_grammar(options: Sequence[str]) -> Grammar:
    """The grammar of exactly these texts: one terminal, whatever their number.

    Options may repeat, be prefixes of one another, or be empty. Raises `OptionError` for anything but a
    non-empty sequence of strings of whole characters (a lone surrogate has no bytes to be spelt with).
    """
    if isinstance(options, (str, bytes)) or not isinstance(options, Sequence):
        raise OptionError("options", options, "a list of strings")
    if not options:
        raise OptionError("options", options, "at least one string")
    for index, option in enumerate(options):
        if not isinstance(option, str):
            raise OptionError(f"options[{index}]", option, "a string")
        if any("\ud800" <= char <= "\udfff" for char in option):
            raise OptionError(f"options[{index}]", option, "a string without lone surrogates")
    literals = tuple(Literal(option) for option in dict.fromkeys(options))
    pattern = literals[0] if len(literals) == 1 else Union(literals)
    return Grammar(rules={_START: Terminal(pattern, _START)}, start=_START, source_kind="choice")
