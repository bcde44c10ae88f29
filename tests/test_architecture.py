"""Imports point upstream only, importing is light, and the public names are what they are."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import structgen

ROOT = Path(structgen.__file__).resolve().parent

# The data's way: a module imports from its own line and from those above it.
LAYERS = [
    ["errors"],
    ["untracked"],
    ["threads"],
    ["small_pages", "row_helpers"],
    ["charset"],
    ["regex"],
    ["automata"],
    ["tensor_file"],
    ["cache"],
    ["trie"],
    ["tokenizers"],
    ["vocabulary"],
    ["grammar"],
    ["parser_states"],
    ["sources"],
    ["symbols"],
    ["rtn"],
    ["tables"],
    ["laid_members", "static_layout"],
    ["laid_containers"],
    ["growing_arrays"],
    ["growing"],
    ["schema_copy"],
    ["remains"],
    ["dormant_states"],
    ["schema_tables"],
    ["store_entries"],
    ["general_store"],
    ["near_entries"],
    ["mask_store"],
    ["saved_entries"],
    ["general_grammars"],
    ["budget"],
    ["growth"],
    ["lexing"],
    ["lexed_store"],
    ["lexed_machine"],
    ["spelling"],
    ["machine"],
    ["bitmask"],
    ["matcher"],
    ["batch"],
    ["expectation"],
    ["explanation"],
    ["compiled"],
    ["warmup"],
    ["compiler"],
    ["apply"],
    ["sampling"],
    ["hf"],
    ["generation"],
    ["model"],
    ["cli"],
]
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
# What is only imported for its type, upwards.
TYPE_ONLY = {
    ("matcher", "compiled"),
    ("expectation", "matcher"),
    ("explanation", "compiled"),
}


def imports_of(path: Path) -> set[str]:
    """The parts of structgen that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
            if node.module == "structgen":
                names = [f"structgen.{alias.name}" for alias in node.names if alias.name in RANK]
        found |= {name.split(".")[1] for name in names if name.startswith("structgen.")}
    return found


def test_imports_point_upstream():
    wrong = []
    for path in sorted(ROOT.rglob("*.py")):
        part = path.relative_to(ROOT).with_suffix("").parts[0]
        if part == "__init__":
            continue
        assert part in RANK, f"{part}: which place has it in the data's way?"
        for other in imports_of(path):
            if RANK[other] > RANK[part] and (part, other) not in TYPE_ONLY:
                wrong.append(f"{path.relative_to(ROOT)} imports structgen.{other}")
    assert not wrong


def test_importing_is_light():
    """No torch, transformers, numba, pydantic or matplotlib before they are needed."""
    code = (
        "import sys, structgen;"
        "heavy = ('torch', 'transformers', 'numba', 'matplotlib', 'numpy', 'lark', 'pydantic');"
        "print([m for m in heavy if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_public_names():
    assert sorted(structgen.__all__) == [
        "Budget",
        "CompiledGrammar",
        "Compiler",
        "LogitsProcessor",
        "Matcher",
        "SampleResult",
        "StructgenError",
        "Vocabulary",
        "__version__",
        "allocate_bitmask",
        "apply_bitmask_",
        "fill_bitmasks",
        "generate",
        "parse_as",
        "sample",
        "schema_of",
        "warm_up",
    ]
    for name in structgen.__all__:
        assert getattr(structgen, name) is not None
    assert set(structgen.__all__) <= set(dir(structgen))


def test_modules_are_of_a_readable_length():
    long = {
        str(path.relative_to(ROOT.parent)): lines
        for folder in ("structgen", "kernels", "bench", "tests", "grammars")
        for path in (ROOT.parent / folder).rglob("*.py")
        # a table that a script wrote is data
        if path.name not in {"unicode_tables.py"}
        and (lines := len(path.read_text(encoding="utf-8").splitlines())) > 700
    }
    assert not long
