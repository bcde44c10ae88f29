"""The profile of each builtin grammar."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path

from structgen_grammars.profile import Indentation, Lexer, Mode, Profile
from structgen_grammars.python_modes import python_3_11_modes, python_modes

_HERE = Path(__file__).parent


_PYTHON_LINES = Indentation("NEWLINE", "INDENT", "DEDENT", comment=r"#[^\r\n\x00]*")


def _python() -> Profile:
    return Profile(
        "python",
        _HERE / "python.lark",
        ("file_input", "statement", "expression"),
        lexer="basic",
        summary="Python 3.11 to 3.14",
        reference="The Python Language Reference 3.11; PEPs 695, 696, 701, 750, 758",
        layout="indentation",
        modes=python_modes(),
        indentation=_PYTHON_LINES,
    )


def _python_3_11() -> Profile:
    return replace(
        _python(),
        name="python3.11",
        path=_HERE / "python3.11.lark",
        base=_HERE / "python.lark",
        summary="Python that 3.11 reads, and all later versions",
        reference="The Python Language Reference 3.11",
        modes=python_3_11_modes(),
    )


# After these a line break ends a statement (Go's specification, "Semicolons").
_GO_ENDS = (
    *(
        "IDENTIFIER",
        "BLANK_NAME",
        "INTEGER",
        "FLOAT",
        "IMAGINARY",
        "CHARACTER",
        "STRING",
        "RAW_STRING",
        "IMPORT_PATH",
    ),
    *("BREAK", "CONTINUE", "FALLTHROUGH", "RETURN", "INCREMENT", "DECREMENT", "RPAR", "RSQB", "RBRACE"),
)
_ONE_LINE = r"[^*\n\x00]|\*+[^*/\n\x00]"
_LINES = r"[^*\x00]|\*+[^*/\x00]"


def _go() -> Profile:
    ends = dict.fromkeys(_GO_ENDS, "ended")
    going_on = Mode("going on", goto=ends)
    # A comment that holds a line break acts like one.
    broken_comment = rf"/\*(?:{_ONE_LINE})*\**\n(?:{_LINES})*\*+/"
    ended = Mode(
        "ended",
        without=frozenset({"LINE_BREAK"}),
        patterns={"SEMI": rf"[;\n]|{broken_comment}", "BLOCK_COMMENT": rf"/\*(?:{_ONE_LINE})*\*+/"},
        goto=ends,
        otherwise="going on",
    )
    return Profile(
        "go",
        _HERE / "go.lark",
        ("source_file", "statement_list", "expression"),
        lexer="basic",
        summary="Go 1.19",
        reference="The Go Programming Language Specification, June 29, 2022",
        layout="semicolons",
        modes=(going_on, ended),
    )


# Texts that are no terminal, though they begin with one. SQL: a number and a letter at once, which are no
# number with an alias, and x'1'. C: preprocessing numbers take a sign after e, so that 0xe+1 is no sum.
# Prover9: special characters side by side are one symbol, known or not.
_NO_SQL = (
    r"[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?[A-Za-z_$\x80-\U0010ffff]"
    r"|\.[0-9]+(?:[eE][+-]?[0-9]+)?[A-Za-z_$\x80-\U0010ffff]|[xX]'"
)
_NO_C = r"0[xX][0-9a-fA-F]*[eE][+-]"
_NO_FOL = r"[-+*/\\^<>=`~?@&|!#';]+"


def _one_mode(
    name: str, starts: str, summary: str, reference: str, *, lexer: Lexer = "basic", never: str = ""
) -> Profile:
    """A grammar whose texts are cut in one way everywhere. ``never``: a regex of what is no terminal."""
    modes = (Mode("all", patterns={"NEVER": never}),) if never else ()
    path = _HERE / f"{name}.lark"
    return Profile(name, path, tuple(starts.split()), lexer, summary, reference, modes=modes)


@functools.cache
def profiles() -> dict[str, Profile]:
    """All builtin grammars by name, in the order of their names."""
    made = [
        _one_mode("json", "start", "JSON texts", "RFC 8259", lexer="dynamic_complete"),
        _python(),
        _python_3_11(),
        _go(),
        _one_mode(
            "sql", "statements statement select expression", "SQLite 3.40: SELECT, DML, DDL, transactions",
            "SQL As Understood By SQLite, 3.40", never=_NO_SQL,
        ),
        _one_mode(
            "c", "translation_unit block_item_list expression", "C11 after preprocessing, directives skipped",
            "ISO/IEC 9899:2011 (N1570), annex A", never=_NO_C,
        ),
        _one_mode(
            "java", "compilation_unit member_list statement_list expression",
            "Java 17 without module declarations", "The Java Language Specification, Java SE 17 Edition",
        ),
        _one_mode(
            "math", "relation expression", "infix expressions with calls, and relations between them",
            "its own definition",
        ),
        _one_mode(
            "fol", "statements formula input", "first-order formulas, as Prover9 reads them",
            "Prover9 Manual, LADR-2009-11A", never=_NO_FOL,
        ),
        _one_mode("csv", "file text", "comma-separated values", "RFC 4180", lexer="contextual"),
        _one_mode(
            "smiles", "smiles", "molecules as SMILES", "OpenSMILES Specification 1.0", lexer="contextual"
        ),
    ]  # fmt: skip
    return {profile.name: profile for profile in sorted(made, key=lambda profile: profile.name)}
