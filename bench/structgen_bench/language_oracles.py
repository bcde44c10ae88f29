"""What says whether a text is of a language: the language's own parser, where it is installed."""

from __future__ import annotations

import ast
import json
import re
import shutil
import sqlite3
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from structgen_bench.errors import BenchError

# None: of the language. Else what the parser says.
Oracle = Callable[[str], str | None]

# What SQLite says of texts that are no SQL; all else it says is of tables and columns that are not there.
_SQL_SYNTAX = ("syntax error", "incomplete input", "unrecognized token", "should come after")
_BLANKS = r"(?:[\s;]|--[^\n]*(?:\n|\Z)|/\*.*?\*/)*"
_NO_STATEMENT = re.compile(_BLANKS, re.DOTALL)
_EXPLAINED = re.compile(rf"{_BLANKS}explain\b", re.DOTALL | re.IGNORECASE)


def oracle_for(grammar: str) -> Oracle | None:
    """The oracle of a builtin grammar; None where there is none. Raises `BenchError` where one is missing."""
    if grammar == "go" and shutil.which("gofmt") is None:
        raise BenchError(
            "gofmt is not installed, and Go's texts are judged by it", "apt-get install golang-go"
        )
    oracles = {"python": python_says, "python3.11": python_says, "go": go_says, "sql": sql_says}
    return (oracles | {"json": json_says}).get(grammar)


def python_says(text: str) -> str | None:
    """CPython's parser, the running version."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(text)
    except (SyntaxError, ValueError) as error:
        return str(error)
    except (RecursionError, MemoryError):
        return "nested too deep"
    return None


def later_python_says(text: str) -> str | None:
    """CPython's parser; what it refuses because it is older than 3.14 is asked of ruff's, which reads 3.14.

    Raises `BenchError` where ruff is not installed.
    """
    verdict = python_says(text)
    if verdict is None or sys.version_info >= (3, 14):
        return verdict
    beside = Path(sys.executable).with_name("ruff")
    ruff = str(beside) if beside.is_file() else shutil.which("ruff")
    if ruff is None:
        raise BenchError("ruff is not installed, and judges Python 3.14", "pip install ruff")
    command = [ruff, "check", "--isolated", "--select", "E9", "--target-version", "py314"]
    command += ["--output-format", "concise", "--stdin-filename", "text.py", "-"]
    done = subprocess.run(command, input=text.encode(), capture_output=True, check=False)
    return done.stdout.decode(errors="replace").split("\n", 1)[0] if done.returncode else None


def go_says(text: str) -> str | None:
    """``gofmt -e``: Go's parser, all errors."""
    done = subprocess.run(["gofmt", "-e"], input=text.encode(), capture_output=True, check=False)
    return done.stderr.decode(errors="replace").split("\n", 1)[0] if done.returncode else None


def sql_says(text: str) -> str | None:
    """SQLite's parser, statement by statement, on an empty database: tables that are missing are no fault."""
    begin = 0
    for place in [match.end() for match in re.finditer(";", text)] + [len(text)]:
        statement = text[begin:place]
        if place < len(text) and not sqlite3.complete_statement(statement):
            continue  # within a string, a comment or a trigger
        verdict = _statement_says(statement)
        if verdict is not None:
            return verdict
        begin = place
    return None


def _statement_says(statement: str) -> str | None:
    if _NO_STATEMENT.fullmatch(statement):
        return None
    connection = sqlite3.connect(":memory:")
    try:  # explained, so that nothing is done
        connection.execute(statement if _EXPLAINED.match(statement) else f"explain {statement}")
    except sqlite3.Error as error:
        return str(error) if any(words in str(error) for words in _SQL_SYNTAX) else None
    finally:
        connection.close()
    return None


def json_says(text: str) -> str | None:
    """Python's reader of JSON, without the words that RFC 8259 does not know."""

    def refuse(word: str) -> Any:
        raise ValueError(f"{word} is no JSON")

    try:
        json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        return str(error)
    return None
