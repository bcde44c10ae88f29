"""What `structgen bench scaling` measures: one function a question, each with rows for the results' file."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from structgen_bench.tokenizers import TokenBytes

Row = dict[str, Any]
REPEATS = 15  # of a compilation; the median counts
WORDS = ("alpha", "beta", "gamma", "delta", "region", "filter", "page", "owner", "status", "query")
PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 200},
        "born": {"type": "string", "format": "date"},
        "score": {"type": "number"},
        "kind": {"enum": ["user", "admin", "guest"]},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["name", "kind"],
    "additionalProperties": False,
}
TREE = {
    "$defs": {
        "node": {
            "type": "object",
            "properties": {"name": {"type": "string"}, "child": {"$ref": "#/$defs/node"}},
            "required": ["name"],
            "additionalProperties": False,
        }
    },
    "$ref": "#/$defs/node",
}


def vocabularies(real: TokenBytes, seed: int) -> Iterator[tuple[str, Any]]:
    """(name, Vocabulary): the first 4,096 and 32,768 merges of the real one, it itself, and twice its size.

    The last one's further tokens are pairs of its tokens with letters, as a larger training would merge them.
    """
    from structgen import Vocabulary

    texts = [token for token in real.tokens if token]
    for size in (4096, 32768):
        yield f"first {size:,}", Vocabulary([*texts[: size - 1], None], size - 1)
    yield "whole", Vocabulary(real.tokens, real.eos_ids)
    known = set(texts)
    pieces = [token for token in texts[:40_000] if token.isalpha() or token[1:].isalpha()]
    rng = random.Random(seed)
    larger = list(real.tokens)
    while len(larger) < 262_144:
        merged = rng.choice(pieces) + rng.choice(pieces).strip()
        if len(merged) < 24 and merged not in known:
            known.add(merged)
            larger.append(merged)
    yield "synthetic", Vocabulary(larger, real.eos_ids)


def tool_schema(count: int, offset: int = 0) -> dict[str, Any]:
    """Calls of ``count`` tools, about 1.7 kB of schema each."""
    tools = []
    for number in range(offset, offset + count):
        properties: dict[str, Any] = {}
        for i, word in enumerate(WORDS):
            kind: dict[str, Any] = (
                {"type": "string", "maxLength": 50 + i},
                {"type": "integer", "minimum": 0},
                {"type": "boolean"},
                {"enum": [f"{word}_{n}" for n in range(5)]},
                {"type": "array", "items": {"type": "string"}},
            )[i % 5]
            description = f"The {word} that tool {number} works with; leave it out where it does not matter."
            properties[f"{word}_{number % 7}"] = {**kind, "description": description}
        arguments = {
            "type": "object",
            "properties": properties,
            "required": list(properties)[:2],
            "additionalProperties": False,
        }
        call = {"name": {"const": f"tool_{number}"}, "arguments": arguments}
        tools.append({"type": "object", "properties": call, "required": list(call)})
    return {"anyOf": tools}


def tool_call(number: int) -> str:
    """Arguments that the tool takes."""
    keys = [f"{word}_{number % 7}" for word in WORDS]
    arguments = {
        keys[0]: "some text here",
        keys[1]: 12,
        keys[2]: True,
        keys[3]: "delta_2",
        keys[4]: ["a", "b"],
    }
    return json.dumps({"name": f"tool_{number}", "arguments": arguments})


def take(grammar: Any, tokens: Iterable[int], bitmask: npt.NDArray[np.int32]) -> npt.NDArray[np.float64]:
    """Microseconds of mask + accept of each token. Raises ValueError where one is refused."""
    matcher = grammar.matcher()
    clock, times = time.perf_counter, []
    for token in tokens:
        begin = clock()
        matcher.fill_bitmask(bitmask)
        taken = matcher.accept(token)
        times.append(clock() - begin)
        if not taken:
            raise ValueError(f"token {token} refused after {len(times) - 1}")
    return np.array(times) * 1e6


def median_ms(work: Callable[[int], Any], repeats: int = REPEATS) -> float:
    """Of ``repeats`` runs; each gets its number."""
    times = []
    for number in range(repeats):
        begin = time.perf_counter()
        work(number)
        times.append(time.perf_counter() - begin)
    return float(np.median(times)) * 1e3


def by_vocabulary(real: TokenBytes, seed: int) -> list[Row]:
    """Three schemas and a text each: with a store that knows nothing, then with one that knows it all."""
    from structgen import Compiler, allocate_bitmask

    schemas: list[tuple[Any, str]] = [
        (
            PERSON,
            json.dumps({"name": "Ada Lovelace", "born": "1815-12-10", "kind": "user", "tags": ["a", "b c"]}),
        ),
        (tool_schema(10), tool_call(3)),
        (True, json.dumps({"any": [1, 2.5, {"thing": None}], "text": "hello world, \n and more"})),
    ]
    rows = []
    for name, vocabulary in vocabularies(real, seed):
        compiler = Compiler(vocabulary, cache_size=0)
        bitmask = allocate_bitmask(1, vocabulary.size)
        begin = time.perf_counter()
        grammars = [compiler.json_schema(schema) for schema, _ in schemas]
        compiled = time.perf_counter() - begin
        tokens = [vocabulary.tokenize_bytes(text.encode()) for _, text in schemas]
        cold = [take(g, t, bitmask) for g, t in zip(grammars, tokens, strict=True)]
        anew = [compiler.json_schema(schema) for schema, _ in schemas]  # its masks are new, the store is not
        fresh = np.concatenate([take(g, t, bitmask) for g, t in zip(anew, tokens, strict=True)])
        warm = np.concatenate(
            [take(g, t, bitmask) for g, t in zip(anew, tokens, strict=True) for _ in range(20)]
        )
        rows.append(
            {
                "vocabulary": name,
                "ids": vocabulary.size,
                "compile_ms": compiled * 1e3,
                "store_mib": compiler.store.nbytes / 2**20,
                "first_pass_ms": float(sum(times.sum() for times in cold)) / 1e3,
                "new_grammar_p50_us": float(np.percentile(fresh, 50)),
                "new_grammar_p99_us": float(np.percentile(fresh, 99)),
                "known_p50_us": float(np.percentile(warm, 50)),
                "known_p99_us": float(np.percentile(warm, 99)),
            }
        )
    return rows


def by_tools(compiler: Any) -> list[Row]:
    """5 to 60 tools. Each compilation is of other tools, so that nothing is there already."""
    from structgen import allocate_bitmask

    bitmask = allocate_bitmask(1, compiler.vocabulary.size)
    compiler.json_schema(tool_schema(5, 5000)).matcher().fill_bitmask(bitmask)
    rows = []
    for count in (5, 10, 20, 40, 60):
        schemas = [tool_schema(count, 60 * number) for number in range(REPEATS)]
        compiled: list[Any] = []
        compile_ms = median_ms(lambda n, s=schemas, c=compiled: c.append(compiler.json_schema(s[n])))  # type: ignore[misc]
        nbytes = float(np.median([grammar.nbytes for grammar in compiled]))
        first_ms = median_ms(lambda n, c=compiled: c[n].matcher().fill_bitmask(bitmask))  # type: ignore[misc]
        tokens = compiler.vocabulary.tokenize_bytes(tool_call(count - 1).encode())
        times = take(compiled[0], tokens, bitmask)
        rows.append(
            {
                "tools": count,
                "schema_kb": len(json.dumps(schemas[0])) / 1e3,
                "compile_ms": compile_ms,
                "first_mask_ms": first_ms,
                "kib": nbytes / 1024,
                "kib_after_a_text": compiled[0].nbytes / 1024,
                "text_p50_us": float(np.percentile(times, 50)),
                "text_p99_us": float(np.percentile(times, 99)),
            }
        )
    return rows


def by_length(compiler: Any) -> list[Row]:
    """``maxLength`` 10 to 100,000, a little different each time."""
    from structgen import allocate_bitmask

    bitmask = allocate_bitmask(1, compiler.vocabulary.size)
    tokens = compiler.vocabulary.tokenize_bytes(b'{"text": "a few"}')
    rows = []
    for longest in (10, 100, 1000, 10_000, 100_000):

        def schema(number: int, longest: int = longest) -> dict[str, Any]:
            text = {"type": "string", "maxLength": longest + number}
            return {"type": "object", "properties": {"text": text}, "required": ["text"]}

        compiled: list[Any] = []
        compile_ms = median_ms(lambda n, s=schema, c=compiled: c.append(compiler.json_schema(s(n))))  # type: ignore[misc]
        times = [take(grammar, tokens, bitmask) for grammar in compiled]
        rows.append(
            {
                "max_length": longest,
                "compile_ms": compile_ms,
                "first_text_ms": float(np.median([each.sum() for each in times])) / 1e3,
                "kib": float(np.median([grammar.nbytes for grammar in compiled])) / 1024,
            }
        )
    return rows


def by_place(compiler: Any) -> list[Row]:
    """Mask + accept 10 and 10,000 tokens into texts: medians of 500 tokens, of the second time through."""
    from structgen import allocate_bitmask

    rng = random.Random(0)
    vocabulary = compiler.vocabulary
    bitmask = allocate_bitmask(1, vocabulary.size)
    people = [
        {
            "name": " ".join(rng.choices(WORDS, k=4)),
            "kind": rng.choice(["user", "admin"]),
            "tags": ["a", "bc"],
        }
        for _ in range(800)
    ]
    string = " ".join(rng.choices(WORDS, k=12_000))
    texts = {
        "array of objects": (compiler.json_schema({"type": "array", "items": PERSON}), json.dumps(people)),
        "one string": (compiler.json_schema({"type": "string"}), json.dumps(string)),
        "JSON with a lexer": (compiler.grammar("json"), json.dumps(people)),
    }
    rows = []
    for name, (grammar, text) in texts.items():
        tokens = vocabulary.tokenize_bytes(text.encode())[:11_000]
        first = take(grammar, tokens, bitmask)
        again = np.min([take(grammar, tokens, bitmask) for _ in range(5)], axis=0)
        for place in (10, 100, 1000, 5000, 10_000):
            window = slice(place, place + 500)
            rows.append(
                {
                    "text": name,
                    "tokens": place,
                    "first_p50_us": float(np.median(first[window])),
                    "again_p50_us": float(np.median(again[window])),
                    "again_mean_us": float(np.mean(again[window])),
                }
            )
    return rows


def by_depth(compiler: Any) -> list[Row]:
    """Texts nested 50 deep, in grammars that nest: mask + accept by depth, of grammars that are new."""
    from structgen import allocate_bitmask

    vocabulary = compiler.vocabulary
    bitmask = allocate_bitmask(1, vocabulary.size)
    deep = 52

    def nested(opening: str, inner: str, closing: str) -> list[str]:
        return [opening] * deep + [inner] + [closing] * deep

    cases: dict[str, tuple[Callable[[Any], Any], list[str]]] = {
        "any JSON, arrays": (lambda c: c.json_schema(True), nested("[1, ", "2", "]")),
        "any JSON, objects": (lambda c: c.json_schema(True), nested('{"a": 1, "b": ', "2", "}")),
        "recursive schema": (
            lambda c: c.json_schema(TREE),
            nested('{"name": "x", "child": ', '{"name": "y"}', "}"),
        ),
        "expressions (GBNF)": (
            lambda c: c.gbnf('root ::= term ([-+*] term)*\nterm ::= [0-9]+ | "(" root ")"'),
            nested("(1+", "2", ")"),
        ),
        "JSON with a lexer": (lambda c: c.grammar("json"), nested('{"a": 1, "b": ', "2", "}")),
    }
    rows = []
    for name, (make, parts) in cases.items():
        tokens = [vocabulary.tokenize_bytes(part.encode()) for part in parts]
        flat = [token for part in tokens for token in part]
        take(make(compiler), flat, bitmask)  # the store has met the terminals
        best = np.min([take(make(compiler), flat, bitmask) for _ in range(7)], axis=0)
        ends = np.cumsum([len(part) for part in tokens])
        for depth in (2, 5, 10, 20, 30, 40, 50):
            opening = best[ends[depth - 2] : ends[depth - 1]]
            closing = best[ends[2 * deep - depth] : ends[2 * deep - depth + 1]]
            rows.append(
                {
                    "grammar": name,
                    "depth": depth,
                    "opening_mean_us": float(opening.mean()),
                    "closing_mean_us": float(closing.mean()),
                }
            )
    return rows
