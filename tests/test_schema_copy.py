"""A schema that is given as Python objects: its text, and its private copy."""

from __future__ import annotations

import json
import types
from collections import OrderedDict
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from json_texts import BYTES

from structgen.compiler import Compiler
from structgen.errors import CompileLimitError, InvalidSchemaError
from structgen.schema_copy import json_text, private_copy


def test_what_is_copied_is_equal_and_shares_nothing() -> None:
    inner = {"b": [1, {"c": None}], "d": 1.0, "e": True}
    given = {"a": inner, "x": OrderedDict(y=types.MappingProxyType({"z": (1, 2)}))}
    copy = private_copy(given)
    assert copy == {"a": inner, "x": {"y": {"z": [1, 2]}}}
    inner["b"][1]["c"] = 7  # type: ignore[index]
    assert copy["a"]["b"][1] == {"c": None}
    assert type(copy["x"]) is dict and type(copy["x"]["y"]["z"]) is list


def test_what_is_shared_stays_shared() -> None:
    shared: Any = {"type": "string"}
    for _ in range(40):  # a million million values, were they written out
        shared = {"a": shared, "b": shared}
    copy = private_copy(shared)
    assert copy["a"] is copy["b"] and copy["a"] is not shared["a"]


@pytest.mark.parametrize("value", [True, False, "{}", 1, None])
def test_scalars_are_themselves(value: object) -> None:
    assert private_copy(value) is value


def test_numbers_of_other_libraries() -> None:
    grammar = Compiler(BYTES).json_schema({"minimum": np.float64(1.5), "type": np.str_("integer")})
    assert grammar.matcher().accept_bytes(b"2") and json.loads(grammar.source.text)["minimum"] == 1.5
    for wrong in (np.int64(3), Decimal(1)):
        with pytest.raises(InvalidSchemaError, match=f"not a Python {type(wrong).__name__}"):
            Compiler(BYTES).json_schema({"minimum": wrong})


def test_loops_and_depth_meet_the_limit() -> None:
    loop: dict[str, Any] = {}
    loop["items"] = loop
    deep: dict[str, Any] = {}
    for _ in range(5_000):
        deep = {"items": deep}
    for schema in (loop, deep):
        with pytest.raises(CompileLimitError, match="max_depth"):
            Compiler(BYTES).json_schema(schema)


@pytest.mark.parametrize(
    ("schema", "is_json"),
    [
        ({"a": [1, None]}, True),
        (types.MappingProxyType({"a": types.MappingProxyType({})}), True),
        ({"default": float("nan")}, False),
        ({"default": {1, 2}}, False),
        ({"default": 10**5000}, False),
    ],
)
def test_text(schema: object, is_json: bool) -> None:
    text, found = json_text(schema)
    assert found == is_json
    if is_json:
        assert json.loads(text) == private_copy(schema)
