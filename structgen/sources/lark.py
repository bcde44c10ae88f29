"""Grammars written for Lark (https://github.com/lark-parser/lark) to a `Grammar`.

The text is read by the `lark` package itself, imports, templates and EBNF included, so that what Lark
accepts is read as Lark reads it. What differs is how a text is then split into terminals. Lark's usual
lexers cut it one way, before or beside the parser; here every split that fits the rules counts (*exact
lexing*), which is what Lark does with ``parser="earley", lexer="dynamic_complete"``:

- Priorities, of rules and of terminals, only rank derivations or lexers' choices. They cannot change
  which texts are accepted, so they are read and have no effect.
- A terminal's texts are those that its regex takes whole: ``re.match(regex, w).end() == len(w)``. Thus
  lazy quantifiers mean what they mean in Lark, and ``/a|ab/`` is ``a`` alone, since `re` tries the first
  alternative first (see `structgen.sources.lark_preference`). ``\\p{...}`` may be used.
- A lookaround, ``\\b``, ``^`` or ``$`` must be decided by characters of the terminal itself; one that may
  look at the text around it is refused with `UnsupportedGrammarError`.
- ``%ignore`` may stand any number of times before, between and after terminals.
- ``?rule``, ``!rule``, ``_rule`` and aliases shape trees; texts do not show them.

``%declare`` gives a terminal no pattern (a Python object is to supply it), so using one is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from structgen.errors import InvalidGrammarError, OptionError
from structgen.grammar import Grammar
from structgen.sources.source_text import refuse_lone_surrogates

if TYPE_CHECKING:
    from structgen.sources.lark_definitions import Definitions


def lark_grammar(source: str | Path, start: str = "start", *, import_paths: Sequence[Path] = ()) -> Grammar:
    """The grammar of a Lark text (a `str`) or file (a `Path`), from the rule ``start``.

    ``import_paths``: folders searched by ``%import`` before the one of the importing file and Lark's own
    library. A text has no folder of its own: its relative imports are found in ``import_paths`` only.

    Raises `InvalidGrammarError` for what Lark refuses too (syntax, undefined names, recursive or
    zero-width terminals, misused templates, unreadable files) and `UnsupportedGrammarError` for what
    cannot be enforced exactly, with the position where there is one.
    """
    # Lark takes a while to import: only those pay who use it.
    from structgen.sources.lark_rules import read_rules

    if not isinstance(start, str):
        raise OptionError("start", start, "the name of a rule")
    return read_rules(read_source(source, import_paths), start)


def read_source(source: str | Path, import_paths: Sequence[Path] = ()) -> Definitions:
    """The definitions of a Lark text or file. Raises as `lark_grammar`."""
    from structgen.sources.lark_definitions import read_definitions

    if not isinstance(source, str | Path):
        raise OptionError("source", source, "a Lark grammar as a str, or the Path of a file")
    path = source.absolute() if isinstance(source, Path) else None
    text = source if isinstance(source, str) else _read_file(source)
    refuse_lone_surrogates(text)
    return read_definitions(text, path, [Path(folder) for folder in import_paths])


def _read_file(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InvalidGrammarError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InvalidGrammarError(
            f"{path} is not UTF-8 text: {error.reason} at byte {error.start}"
        ) from error
