"""What says whether a text is of a language: the language's own parser, where it is installed."""

from __future__ import annotations

import ast
import json
import shutil
import sqlite3
import subprocess
import warnings
from collections.abc import Callable
from typing import Any

from structgen_bench.errors import BenchError

# None: of the language. Else what the parser says.
Oracle = Callable[[str], str | None]

# What SQLite says of texts that are no SQL; all else it says is of tables and columns that are not there.
_SQL_SYNTAX = ("syntax error", "incomplete input", "unrecognized token", "should come after")


def oracle_for(grammar: str) -> Oracle | None:
    """The oracle of a builtin grammar; None where there is none. Raises `BenchError` where one is missing."""
    if grammar == "go" and shutil.which("gofmt") is None:
        raise BenchError(
            "gofmt is not installed, and Go's texts are judged by it", "apt-get install golang-go"
        )
    return {"python": python_says, "go": go_says, "sql": sql_says, "json": json_says}.get(grammar)


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


def go_says(text: str) -> str | None:
    """``gofmt -e``: Go's parser, all errors."""
    done = subprocess.run(["gofmt", "-e"], input=text.encode(), capture_output=True, check=False)
    return done.stderr.decode(errors="replace").split("\n", 1)[0] if done.returncode else None


def sql_says(text: str) -> str | None:
    """SQLite's parser, on an empty database: tables that are missing are no fault of the text."""
    connection = sqlite3.connect(":memory:")
    try:
        connection.execute(f"explain {text}")
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
