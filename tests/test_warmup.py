"""The first run on a machine compiles every kernel, so that later ones compile none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import structgen
from structgen.errors import OptionError

SCRIPT = """
import importlib, json, pkgutil
import numba
import structgen
import structgen_kernels
from structgen.bitmask import allocate_bitmask

def compiled():
    found = {}
    for module in pkgutil.iter_modules(structgen_kernels.__path__):
        if module.name == "apply_triton":
            continue
        for name, value in vars(importlib.import_module("structgen_kernels." + module.name)).items():
            if isinstance(value, numba.core.registry.CPUDispatcher):
                found[f"{value.py_func.__module__}.{name}"] = len(value.signatures)
    return found

structgen.warm_up("engine", "lexer")
before = compiled()

from test_json_schema_language import CASES
from structgen import Compiler, Vocabulary
tokens = [bytes([byte]) for byte in range(256)] + [b'","', b'":', b'a"', b"true", None]
vocabulary = Vocabulary(tokens, len(tokens) - 1)
compiler = Compiler(vocabulary)
bitmask = allocate_bitmask(1, vocabulary.size)
def walk(grammar, text):
    matcher = grammar.matcher()
    for token in vocabulary.tokenize_bytes(text):
        matcher.fill_bitmask(bitmask)
        matcher.forced_bytes()
        matcher.following_bytes()
        if not matcher.accept(token):
            break
    return grammar
for name, (schema, good, bad) in CASES.items():
    grammar = compiler.json_schema(schema)
    for text in (good + bad)[:4]:
        walk(grammar, text.encode())
walk(compiler.regex("(ab|[a-z]{2,9})+x"), b"ababx")
walk(compiler.grammar("json"), b'{"a": [1, 2, "b"]}')
walk(compiler.choice(["yes", "no"]), b"no")
walk(compiler.json_schema(True), b'{"a":"' + b"abc" * 3000 + b'"}').precompute()
compiler.lark('start: (WORD | WORD "+" WORD)+\\nWORD: /[a-z]+/\\n%ignore " "', lexer="basic").precompute()
walk(compiler.grammar("python"), b"def f(x):\\n  return x\\n")
walk(compiler.grammar("csv"), b"a,b\\n")
after = compiled()
print(json.dumps(sorted(name for name in after if after[name] > before.get(name, 0))))
"""


def test_nothing_is_compiled_at_the_first_use(tmp_path: Path) -> None:
    folder = str(Path(__file__).parent)
    environment = os.environ | {
        "STRUCTGEN_CACHE_DIR": str(tmp_path),  # what is kept there needs no kernels
        "PYTHONPATH": os.pathsep.join(filter(None, (folder, os.environ.get("PYTHONPATH")))),
    }
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr[-2000:]


def test_unknown_parts_are_named() -> None:
    with pytest.raises(OptionError, match=r"'parts': got 'engin', expected some of engine, lexer, sampling"):
        structgen.warm_up("engin")  # type: ignore[arg-type]


def _printed(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip()


def test_no_module_is_loaded_by_the_first_schemas() -> None:
    code = """
import sys
import structgen
structgen.warm_up("engine")
vocabulary = structgen.Vocabulary([bytes([byte]) for byte in range(256)] + [None], 256)
compiler = structgen.Compiler(vocabulary)
before = set(sys.modules)
schemas = [
    {"properties": {"a": {"pattern": "^[a-z]+$"}, "b": {"pattern": r"\\p{Lu}$"}}},
    {"$ref": "http://json-schema.org/draft-07/schema#"},
    {"patternProperties": {"^x-": {"format": "date-time"}}, "oneOf": [{"const": 1}, {"multipleOf": 2}]},
    {"items": {"type": "object"}, "uniqueItems": True},
]
for schema in schemas:
    matcher = compiler.json_schema(schema).matcher()
    matcher.fill_bitmask(structgen.allocate_bitmask(1, vocabulary.size))
    matcher.accept_bytes(b'{"a": "b", "x-": "20')
compiler.regex("[a-z]{3}")
print(sorted(set(sys.modules) - before))
"""
    assert _printed(code) == "[]"


def test_freezing_is_asked_for() -> None:
    code = """
import gc
import structgen
structgen.warm_up("engine")
before = gc.get_freeze_count()
structgen.warm_up("engine", freeze=True)
print(before, gc.get_freeze_count() > 10_000, len(gc.get_objects()) < 1000)
"""
    assert _printed(code) == "0 True True"
