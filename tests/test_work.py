"""A ratchet on work: what a fixed set of grammars and texts costs in steps, not in seconds.

Counted are trie nodes walked, masks computed, entries of the mask store made and how (walks over the whole
trie, walks where two states differ), parser states made, records and steps kept. The counts depend on
nothing but the code. `tests/expected/work.json` holds them; more than that (and a little) fails, clearly less
asks for the file to be rewritten:

    STRUCTGEN_UPDATE_EXPECTED=1 pytest tests/test_work.py
"""

from __future__ import annotations

import json
import os
import pkgutil
import subprocess
import sys
import warnings
from collections import Counter
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import structgen_kernels

from structgen.bitmask import allocate_bitmask
from structgen.compiled import CompiledGrammar
from structgen.compiler import Compiler
from structgen.vocabulary import Vocabulary

EXPECTED = Path(__file__).parent / "expected" / "work.json"
UPDATE = os.environ.get("STRUCTGEN_UPDATE_EXPECTED") == "1"
SLACK = 1.02  # and 2 more: a change that is not about work may move a little of it
BETTER = 0.9

TOOLS = {
    "anyOf": [
        {
            "type": "object",
            "properties": {
                "tool": {"const": f"{verb}_{noun}"},
                "arguments": {
                    "type": "object",
                    "properties": {
                        "path": {"type": "string", "maxLength": 200},
                        "limit": {"type": "integer"},
                        "mode": {"enum": ["fast", "safe", noun]},
                    },
                    "required": ["path"],
                    "additionalProperties": False,
                },
            },
            "required": ["tool", "arguments"],
            "additionalProperties": False,
        }
        for verb in ("read", "write", "list")
        for noun in ("file", "table", "queue", "user")
    ]
}
TREE = {
    "$defs": {
        "node": {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
            },
            "required": ["name"],
        }
    },
    "$ref": "#/$defs/node",
}
PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 100_000},
        "born": {"type": "string", "format": "date"},
        "mail": {"type": "string", "pattern": "^[a-z.]+@[a-z]+\\.[a-z]{2,3}$"},
        "score": {"type": "number", "minimum": 0, "maximum": 100},
        "tags": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
    },
    "required": ["name", "tags"],
}
Make = Callable[[Compiler], CompiledGrammar]
CASES: dict[str, tuple[Make, list[str]]] = {
    "any JSON": (
        lambda c: c.json_schema(True),
        ['{"a": [1, 2.5e3, {"b": null}], "c": "text with \\"quotes\\" and \\u00e9"}', "[[[[[[true]]]]]]"],
    ),
    "tools": (
        lambda c: c.json_schema(TOOLS),
        [
            '{"tool": "read_file", "arguments": {"path": "/etc/hosts", "limit": 10}}',
            '{"tool": "list_user", "arguments": {"path": "x", "mode": "user"}}',
        ],
    ),
    "tree": (
        lambda c: c.json_schema(TREE),
        ['{"name": "a", "children": [{"name": "b", "children": [{"name": "c"}]}, {"name": "d"}]}'],
    ),
    "person": (
        lambda c: c.json_schema(PERSON),
        [
            '{"name": "Ada Lovelace", "born": "1815-12-10", "mail": "ada@example.org", "score": 99.5, '
            '"tags": ["first", "finest"]}'
        ],
    ),
    "person in any order": (
        lambda c: c.json_schema(PERSON, any_order=True),
        ['{"tags": ["a", "ab"], "score": 1, "other": [1, 2], "name": "B"}'],
    ),
    "enum": (
        lambda c: c.json_schema({"enum": [f"value {n:03}" for n in range(300)]}),
        ['"value 017"', '"value 299"'],
    ),
    "regex": (
        lambda c: c.regex(r"([a-z]{3,60} )*\d{4}-\d{2}(foo|bar)+"),
        ["hello there world 2024-05foobar"],
    ),
    "gbnf": (
        lambda c: c.gbnf('root ::= expr\nexpr ::= term ([-+*] term)*\nterm ::= [0-9]+ | "(" expr ")"'),
        ["(1+2)*(3-(4*55))+6"],
    ),
    "sql": (
        lambda c: c.grammar("sql"),
        ["SELECT name, count(*) FROM users AS u WHERE u.age > 21 AND name LIKE 'a%' GROUP BY name;"],
    ),
    "json with a lexer": (
        lambda c: c.grammar("json"),
        ['{"a": [1, 2, {"b": null}], "c": "text"}'],
    ),
}


def vocabulary() -> Vocabulary:
    """All bytes, and the 3,000 most frequent short pieces of the texts and schemas, in a fixed order."""
    source = [text for _, texts in CASES.values() for text in texts] + [json.dumps([TOOLS, TREE, PERSON])]
    pieces: Counter[bytes] = Counter()
    for text in source:
        data = text.encode()
        for size in range(2, 9):
            pieces.update(data[i : i + size] for i in range(len(data) - size + 1))
    frequent = sorted(pieces, key=lambda piece: (-pieces[piece], piece))[:3000]
    return Vocabulary([*[bytes([byte]) for byte in range(256)], *frequent, None], 256 + len(frequent))


def count_walks(walks: Counter[str], replace: Callable[[ModuleType, str, Any], None]) -> None:
    """Count the calls of the store's kernels, wherever their names were imported to."""
    for module in pkgutil.iter_modules(structgen_kernels.__path__, "structgen_kernels."):
        if module.name.startswith("structgen_kernels.store"):
            import_module(module.name)
    kernels: dict[int, tuple[str, Any]] = {}
    for name, module in list(sys.modules.items()):
        if name.startswith("structgen_kernels.store"):
            for attribute, value in vars(module).items():
                if attribute.startswith("walk_") and getattr(value, "__module__", "") == name:
                    kernels[id(value)] = (attribute, value)
    assert kernels, "the store's kernels have other names now"

    def counting(name: str, kernel: Any) -> Any:
        kind = "difference walks" if "difference" in name else "whole walks"

        def call(*arguments: Any) -> Any:
            walks[kind] += 1
            return kernel(*arguments)

        return call

    wrapped = {key: counting(*kernel) for key, kernel in kernels.items()}
    for name, module in list(sys.modules.items()):
        if name.startswith("structgen"):
            for attribute, value in list(vars(module).items()):
                if id(value) in wrapped:
                    replace(module, attribute, wrapped[id(value)])


def measure(replace: Callable[[ModuleType, str, Any], None]) -> dict[str, dict[str, int]]:
    """The work of each case, all with one compiler, one after another."""
    compiler = Compiler(vocabulary())
    words = compiler.vocabulary
    bitmask = allocate_bitmask(1, words.size)
    walks: Counter[str] = Counter()
    count_walks(walks, replace)
    found = {}
    for name, (make, texts) in CASES.items():
        before = walks.copy()
        grammar = make(compiler)
        for text in texts:
            matcher = grammar.matcher()
            for token in words.tokenize_bytes(text.encode()):
                matcher.fill_bitmask(bitmask)
                assert matcher.accept(token), (name, text)
            matcher.fill_bitmask(bitmask)
            assert matcher.is_accepting, (name, text)
        tables = grammar.machine.tables
        found[name] = {
            **grammar.machine.work(),
            "whole walks": walks["whole walks"] - before["whole walks"],
            "difference walks": walks["difference walks"] - before["difference walks"],
            "parser states": getattr(tables, "n_expanded", tables.n_parser_states),
            "terminal states": tables.n_terminal_states,
            "table words": int(tables.static.shape[0]),
        }
    return found


def compared(
    expected: dict[str, dict[str, int]], found: dict[str, dict[str, int]]
) -> tuple[list[str], list[str]]:
    """What is more than it may be, and what is clearly less."""
    assert expected.keys() == found.keys(), "other cases than in the file"
    more, less = [], []
    for name, counts in found.items():
        for what in expected[name].keys() | counts.keys():
            before, now = expected[name].get(what, 0), counts.get(what, 0)
            line = f"{name}: {what}: {now}, expected {before}"
            if now > before * SLACK + 2:
                more.append(line)
            elif now < before * BETTER - 2:
                less.append(line)
    return sorted(more), sorted(less)


def test_no_more_work_than_before(monkeypatch: pytest.MonkeyPatch) -> None:
    found = measure(monkeypatch.setattr)
    if UPDATE:
        EXPECTED.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    more, less = compared(json.loads(EXPECTED.read_text(encoding="utf-8")), found)
    assert not more, "\n".join(more)
    if less:
        shown = "\n".join(less)
        warnings.warn(
            f"less work than {EXPECTED.name} says; rewrite it with STRUCTGEN_UPDATE_EXPECTED=1\n{shown}",
            stacklevel=1,
        )


def test_the_counts_depend_on_the_code_alone() -> None:
    """Not on hash seeds, so not on the process."""
    code = "import json, test_work; print(json.dumps(test_work.measure(setattr)))"
    runs = []
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            capture_output=True,
            text=True,
            cwd=Path(__file__).parent,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        runs.append(json.loads(done.stdout.splitlines()[-1]))
    assert runs[0] == runs[1]


def test_more_work_fails_and_less_is_told() -> None:
    expected = {"case": {"steps": 100, "records": 100, "masks": 0}}
    assert compared(expected, {"case": {"steps": 104, "records": 88, "masks": 2}}) == (
        [],
        [],
    )
    more, less = compared(expected, {"case": {"steps": 105, "records": 80, "new": 3}})
    assert more == ["case: new: 3, expected 0", "case: steps: 105, expected 100"]
    assert less == ["case: records: 80, expected 100"]
