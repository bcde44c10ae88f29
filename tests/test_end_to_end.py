"""Real schemas, the real engine, both ways: what it writes is valid, and what is valid it lets be written."""

from __future__ import annotations

import json
import random
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from tokenizers import Tokenizer

from structgen.bitmask import allocate_bitmask
from structgen.compiled import CompiledGrammar
from structgen.compiler import Compiler
from structgen.errors import CompileLimitError, UnsupportedSchemaError
from structgen.model import default_model_path
from structgen.vocabulary import Vocabulary

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "maskbench"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the shared data folder is not here")
N_FILES = 150


@pytest.fixture(scope="module")
def compiler() -> Compiler:
    tokenizer = Tokenizer.from_file(str(default_model_path() / "tokenizer.json"))
    return Compiler(Vocabulary.from_tokenizer(tokenizer, eos_token_ids=0))


def sampled_files() -> list[Path]:
    files = sorted(DATA.glob("*.json")) if DATA.is_dir() else []
    return random.Random(7).sample(files, min(N_FILES, len(files)))


def random_text(grammar: CompiledGrammar, rng: random.Random, limit: int = 400) -> bytes | None:
    """A text drawn from the masks: any allowed token, but an end or a closing one where there is one."""
    vocabulary = grammar.vocabulary
    matcher = grammar.matcher()
    bitmask = allocate_bitmask(1, vocabulary.size)
    closing = np.array([t is not None and t[:1] in (b'"', b"}", b"]", b",") for t in vocabulary.tokens])
    text = b""
    for _ in range(limit):
        matcher.fill_bitmask(bitmask, 0)
        allowed = np.unpackbits(bitmask.view(np.uint8), bitorder="little")[: vocabulary.size].astype(bool)
        if allowed[list(vocabulary.eos_token_ids)].any() and rng.random() < 0.7:
            return text
        preferred = allowed & closing
        pool = preferred if preferred.any() and rng.random() < 0.6 else allowed
        token = int(rng.choice(np.flatnonzero(pool).tolist()))
        if token in vocabulary.eos_token_ids:
            return text
        assert matcher.accept(token)
        text += vocabulary.tokens[token] or b""
    return None


def accepted(grammar: CompiledGrammar, text: bytes) -> bool:
    matcher = grammar.matcher()
    return (
        all(matcher.accept(token) for token in grammar.vocabulary.tokenize_bytes(text))
        and matcher.is_accepting
    )


@needs_data
def test_what_is_written_is_valid_and_what_is_valid_can_be_written(compiler):
    rng = random.Random(11)
    checked = written = instances = 0
    for path in sampled_files():
        content = json.loads(path.read_text(encoding="utf-8"))
        schema = content["schema"]
        try:
            grammar = compiler.json_schema(schema)
        except (UnsupportedSchemaError, CompileLimitError):
            continue  # refused with its reason: nothing is promised
        checked += 1
        validator = jsonschema.validators.validator_for(schema, jsonschema.Draft202012Validator)(schema)
        for _ in range(3):
            text = random_text(grammar, rng)
            if text is not None:
                written += 1
                value = json.loads(text.decode("utf-8"))
                assert validator.is_valid(value), (path.name, text)
                # another spelling of the same value, as json.dumps has it, is in the language too;
                # a number past the range of floats has none
                again = json.dumps(value).encode()
                assert not _repeats_a_key(text), (path.name, text)
                if b"Infinity" not in again:
                    assert accepted(grammar, again), (path.name, text)
        for test in content["tests"][:6]:
            instances += 1
            text = json.dumps(test["data"], ensure_ascii=False).encode()
            if len(text) < 4000 and accepted(grammar, text) != test["valid"]:
                # some valid instances were not put in their schema's order, which is the default's
                free = compiler.json_schema(schema, any_order=True)
                assert test["valid"] and accepted(free, text), path.name
    assert checked >= N_FILES // 2 and written >= checked and instances >= 2 * checked


def _repeats_a_key(text: bytes) -> bool:
    """Is a key written twice in an object? Then the value read is not the text's."""
    repeated = []

    def note(pairs: list[tuple[str, object]]) -> dict[str, object]:
        repeated.append(len(dict(pairs)) < len(pairs))
        return dict(pairs)

    json.loads(text, object_pairs_hook=note)
    return any(repeated)
