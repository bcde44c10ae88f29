"""What every source text must be before its own syntax is looked at."""

from __future__ import annotations

import re

from structgen.errors import InvalidGrammarError

_SURROGATE = re.compile("[\ud800-\udfff]")


def refuse_lone_surrogates(text: str) -> None:
    """Raise `InvalidGrammarError` if the text holds half of a surrogate pair: that is no character."""
    found = _SURROGATE.search(text)
    if found is not None:
        raise InvalidGrammarError(
            "a lone surrogate is no character",
            text=_SURROGATE.sub("\ufffd", text),  # an error must be printable
            offset=found.start(),
            remedy="remove it; it often comes of text that was decoded wrongly",
        )
