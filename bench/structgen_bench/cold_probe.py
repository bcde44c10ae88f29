"""What one fresh process measures of itself, for `structgen_bench.cold`: prints one JSON object.

Run as ``python -m structgen_bench.cold_probe PROBE TOKENS [FILES]``. Nothing but the standard library is
imported before the clock starts.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from structgen import Vocabulary

SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 40},
        "age": {"type": "integer", "minimum": 0, "maximum": 150},
        "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "maxItems": 5},
    },
    "required": ["name"],
}
TEXT = b'{"name": "a", "tags": ["a", "b"]}'


def read_vocabulary(path: Path) -> Vocabulary:
    """The vocabulary from the flat file that `structgen_bench.cold` writes."""
    import numpy as np

    from structgen import Vocabulary

    with np.load(path) as arrays:
        blob, lengths, eos = arrays["blob"].tobytes(), arrays["lengths"].tolist(), arrays["eos"].tolist()
    tokens: list[bytes | None] = []
    begin = 0
    for length in lengths:
        tokens.append(None if length < 0 else blob[begin : begin + length])
        begin += max(length, 0)
    return Vocabulary(tokens, eos)


def first_mask(tokens: Path, _files: Path | None) -> dict[str, float]:
    """From the first import to the first mask, step by step (seconds)."""
    steps: dict[str, float] = {}
    begin = time.perf_counter()

    def step(name: str) -> None:
        nonlocal begin
        now = time.perf_counter()
        steps[name] = now - begin
        begin = now

    import structgen

    step("import_structgen")
    from structgen import Compiler, Vocabulary, allocate_bitmask  # noqa: F401

    step("import_engine")
    vocabulary = read_vocabulary(tokens)
    step("vocabulary")
    compiler = Compiler(vocabulary)
    compiled = compiler.json_schema(SCHEMA)
    step("compile")
    bitmask = structgen.allocate_bitmask(1, vocabulary.size)
    matcher = compiled.matcher()
    matcher.fill_bitmask(bitmask)
    step("mask")
    steps["total"] = sum(steps.values())
    return steps


def all_kernels(tokens: Path, _files: Path | None) -> dict[str, float]:
    """Everything that calls a kernel, once: on an empty numba cache this is the time of their compilation."""
    begin = time.perf_counter()
    import torch

    from structgen import Compiler, allocate_bitmask, apply_bitmask_, fill_bitmasks
    from structgen.warmup import ensure_kernels

    vocabulary = read_vocabulary(tokens)
    imported = time.perf_counter()
    ensure_kernels()
    compiled = time.perf_counter()
    compiler = Compiler(vocabulary)
    store = time.perf_counter() - compiled
    grammars = [
        compiler.json_schema(SCHEMA),
        compiler.regex(r"(\d{1,3}|[a-z]+x)*"),
        compiler.gbnf('root ::= "(" root ")" | [a-z]*'),
        compiler.choice(["yes", "no"]),
    ]
    bitmask = allocate_bitmask(len(grammars), vocabulary.size)
    matchers = [grammar.matcher() for grammar in grammars]
    fill_bitmasks(matchers, bitmask)
    matcher = matchers[0]
    for token in vocabulary.tokenize_bytes(TEXT):
        matcher.fill_bitmask(bitmask, 0)
        if not matcher.accept(token):
            raise SystemExit(f"the probe's own text is refused at token {token}")
    matcher.forced_bytes()
    matcher.rollback(2)
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        apply_bitmask_(torch.zeros(len(grammars), vocabulary.size, dtype=dtype), bitmask)
    seconds = time.perf_counter() - imported - store
    return {"imports_and_vocabulary": imported - begin, "kernels": seconds, "store": store}


def memory(tokens: Path, files: Path | None) -> dict[str, float]:
    """Compile every schema of a list of files, keep them all, each with a matcher and its first mask."""
    from structgen import Compiler, StructgenError, allocate_bitmask
    from structgen_bench.machine import peak_memory_mib

    if files is None:
        raise SystemExit("the probe 'memory' needs a list of files")
    vocabulary = read_vocabulary(tokens)
    compiler = Compiler(vocabulary)
    bitmask = allocate_bitmask(1, vocabulary.size)
    base = peak_memory_mib()
    kept = []
    refused = 0
    begin = time.perf_counter()
    for name in files.read_text(encoding="utf-8").splitlines():
        schema = json.loads(Path(name).read_text(encoding="utf-8"))["schema"]
        try:
            matcher = compiler.json_schema(schema).matcher()
        except StructgenError:
            refused += 1
            continue
        matcher.fill_bitmask(bitmask)
        kept.append(matcher)
    return {
        "schemas": len(kept),
        "refused": refused,
        "seconds": time.perf_counter() - begin,
        "base_mib": base,
        "peak_mib": peak_memory_mib(),
    }


def warming(tokens: Path, files: Path | None) -> dict[str, Any]:
    """How fast the mask store warms: the first instance of one schema after the other, in a fresh process.

    Per group of files: microseconds a mask (mean), entries found and walks of the trie per file.
    """
    from structgen import Compiler, StructgenError, allocate_bitmask

    if files is None:
        raise SystemExit("the probe 'warming' needs a list of files")
    vocabulary = read_vocabulary(tokens)
    compiler = Compiler(vocabulary)
    bitmask = allocate_bitmask(1, vocabulary.size)
    names = files.read_text(encoding="utf-8").splitlines()
    groups: dict[str, Any] = {}
    for first, last in ((0, 1), (1, 10), (10, 50), (50, len(names))):
        found, walked = compiler.store.n_found, compiler.store.n_walked
        seconds, masks, done = 0.0, 0, 0
        for name in names[first:last]:
            document = json.loads(Path(name).read_text(encoding="utf-8"))
            valid = [test["data"] for test in document["tests"] if test["valid"]]
            if not valid:
                continue
            text = json.dumps(valid[0], ensure_ascii=False).encode()
            try:
                matcher = compiler.json_schema(document["schema"]).matcher()
                for token in vocabulary.tokenize_bytes(text):
                    begin = time.perf_counter()
                    matcher.fill_bitmask(bitmask)
                    seconds += time.perf_counter() - begin
                    masks += 1
                    if not matcher.accept(token):
                        break
            except StructgenError:
                continue
            done += 1
        if done:
            groups[f"files {first + 1} to {last}"] = {
                "mask_us": round(1e6 * seconds / max(masks, 1), 1),
                "entries_per_file": round((compiler.store.n_found - found) / done, 1),
                "walks_per_file": round((compiler.store.n_walked - walked) / done, 2),
            }
    return groups


PROBES: dict[str, Callable[[Path, Path | None], dict[str, Any]]] = {
    "first_mask": first_mask,
    "all_kernels": all_kernels,
    "memory": memory,
    "warming": warming,
}

if __name__ == "__main__":
    probe, token_file, *rest = sys.argv[1:]
    print(json.dumps(PROBES[probe](Path(token_file), Path(rest[0]) if rest else None)))
