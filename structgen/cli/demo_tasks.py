"""The tasks of ``structgen demo``: a grammar of each kind, a prompt, and a check that asks others."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

from structgen.cli.grammar_options import GrammarSource
from structgen.model import prompt_for

PERSON = """\
{"type": "object",
 "properties": {
  "name": {"type": "string", "minLength": 1, "maxLength": 30},
  "age": {"type": "integer", "minimum": 0, "maximum": 120},
  "roles": {"type": "array", "items": {"enum": ["admin", "editor", "reader"]}, "minItems": 1, "maxItems": 3},
  "address": {
   "type": "object",
   "properties": {
    "city": {"type": "string", "maxLength": 30},
    "zip": {"type": "string", "pattern": "^[0-9]{5}$"}},
   "required": ["city", "zip"], "additionalProperties": false}},
 "required": ["name", "age", "roles", "address"], "additionalProperties": false}"""
DATE = r"(19|20)\d\d-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
QUERY = """\
start: "SELECT " columns " FROM " NAME [where] [" LIMIT " COUNT] ";"
columns: "*" | NAME (", " NAME)~0..3
where: " WHERE " test (" AND " test)~0..2
test: NAME OPERATOR value
OPERATOR: " = " | " < " | " > "
value: COUNT | "'" NAME "'"
NAME: /[a-z][a-z_]{0,11}/
COUNT: /[1-9][0-9]{0,3}/
"""
MATRIX = """\
# two or three rows of two or three numbers
root   ::= "[" row (", " row){1,2} "]"
row    ::= "[" number (", " number){1,2} "]"
number ::= "0" | "-"? [1-9] [0-9]{0,2} ("." [0-9]{1,2})?
"""


@dataclass(frozen=True, slots=True)
class Task:
    """One grammar and one prompt.

    ``problem(text)``: what is wrong with a text, '' for nothing; it does not ask structgen. ``until``: what
    follows the text in the prompt's JSON; without a grammar the model is taken to be done there.
    """

    title: str
    source: GrammarSource
    shown: str
    language: str
    prompt: str
    until: str
    problem: Callable[[str], str]


def tasks() -> tuple[Task, ...]:
    """The tasks, in the order in which they are shown."""
    person = json.loads(PERSON)
    date_field = {"type": "object", "properties": {"date": {"type": "string"}}, "required": ["date"]}
    matrix = {"type": "object", "properties": {"matrix": {"type": "array"}}, "required": ["matrix"]}
    query = {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}
    return (
        Task(
            "JSON Schema",
            GrammarSource("json_schema", person, "a person"),
            PERSON,
            "json",
            prompt_for(person),
            "",
            _json_problem,
        ),
        Task(
            "regular expression",
            GrammarSource("regex", DATE, "a date"),
            DATE,
            "text",
            prompt_for(date_field) + '{"date": "',
            '"',
            _date_problem,
        ),
        Task(
            "Lark grammar",
            GrammarSource("lark", QUERY, "a query"),
            QUERY.rstrip(),
            "text",
            prompt_for(query) + '{"query": "',
            '"',
            _query_problem,
        ),
        Task(
            "GBNF grammar",
            GrammarSource("gbnf", MATRIX, "a matrix"),
            MATRIX.rstrip(),
            "text",
            prompt_for(matrix) + '{"matrix": ',
            "}",
            _matrix_problem,
        ),
    )


def _json_problem(text: str) -> str:
    from jsonschema import Draft202012Validator

    try:
        value = json.loads(text)
    except ValueError as error:
        return f"not JSON: {error}"
    errors = sorted(
        Draft202012Validator(json.loads(PERSON)).iter_errors(value), key=lambda error: error.json_path
    )
    return f"{errors[0].json_path}: {errors[0].message}" if errors else ""


def _date_problem(text: str) -> str:
    return "" if re.fullmatch(DATE, text) else "does not match the pattern"


def _query_problem(text: str) -> str:
    from lark import Lark
    from lark.exceptions import UnexpectedInput

    try:
        Lark(QUERY, parser="earley", lexer="dynamic_complete").parse(text)
    except UnexpectedInput as error:
        return f"lark refuses it at column {error.column}"
    return ""


def _matrix_problem(text: str) -> str:
    try:
        rows = json.loads(text)
    except ValueError as error:
        return f"not JSON: {error}"
    for row in rows if isinstance(rows, list) and 2 <= len(rows) <= 3 else [None]:
        if not isinstance(row, list) or not 2 <= len(row) <= 3:
            return "not two or three rows of two or three"
        if any(isinstance(number, bool) or not isinstance(number, (int, float)) for number in row):
            return "not all are numbers"
    return ""
