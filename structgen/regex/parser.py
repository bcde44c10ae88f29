"""The front door: a pattern of either dialect to the `Regex` of the whole texts that it matches.

The parsers are the project's own: interegular's keeps no positions for errors, knows ASCII classes only
and no ECMA-262 dialect; it serves the tests as an oracle.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

from structgen.errors import OptionError, UnsupportedRegexError
from structgen.regex.assertions import Node
from structgen.regex.derivative import TooComplexError
from structgen.regex.lowering import lower
from structgen.regex.syntax import Regex
from structgen.untracked import untracked

Dialect = Literal["python", "ecma"]


def parse(pattern: str, dialect: Dialect = "python", *, flags: str = "", search: bool = False) -> Regex:
    """The language of ``pattern`` over Unicode code points, exactly.

    ``dialect``: "python", the standard library's `re` for str, with ``\\p{..}`` besides; or "ecma",
    ECMA-262 with the u flag, where what only that flag forbids (``\\-``, a lone ``]`` or ``{``) has the
    meaning that Annex B gives it. ``flags``: letters as in ``(?aimsux)`` for Python, of "ims" for ECMA, and
    "u" to forbid Annex B. ``search=False``: the texts that match as a whole (`re.fullmatch`);
    ``search=True``: the texts in which the pattern matches somewhere (`re.search`, JSON Schema's
    ``pattern``). Greedy, lazy and capturing make no difference to a language.

    Raises `InvalidRegexError` for what the dialect refuses, `UnsupportedRegexError` for what is no regular
    language here (back-references, conditionals, most atomic groups) or needs too large a tree
    (lookaround in some repeats), both with the position; `OptionError` for an unknown dialect or flag.
    """
    if not isinstance(pattern, str):
        raise OptionError("pattern", pattern, "a string")
    if dialect not in ("python", "ecma"):
        raise OptionError("dialect", dialect, "'python' or 'ecma'")
    return _parse(pattern, dialect, flags, search)


@lru_cache(maxsize=256)
@untracked
def _parse(pattern: str, dialect: Dialect, flags: str, search: bool) -> Regex:
    node = _tree(pattern, dialect, flags)
    try:
        return lower(node, search)
    except TooComplexError as error:
        raise UnsupportedRegexError(
            error.reason,
            text=pattern,
            offset=error.offset or 0,
            remedy="write it without the assertion there, or with fewer cases",
        ) from None


def _tree(pattern: str, dialect: Dialect, flags: str) -> Node:
    # most programs need one dialect only
    if dialect == "python":
        from structgen.regex.python_dialect import PythonParser

        return PythonParser(pattern, flags).parse()
    from structgen.regex.ecma_dialect import EcmaParser

    return EcmaParser(pattern, flags).parse()
