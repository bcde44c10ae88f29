"""Artifacts: saved and loaded grammars are the same grammar; anything else is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import grammars, vocabularies
from test_laws import allowed, laws

from structgen.bitmask import allocate_bitmask
from structgen.compiled import CompiledGrammar
from structgen.compiler import Compiler
from structgen.errors import ArtifactError, UnsatisfiableGrammarError
from structgen.tensor_file import read_tensors, write_tensors
from structgen.vocabulary import Vocabulary

BYTES = [bytes([byte]) for byte in range(256)]
VOCABULARY = Vocabulary([*BYTES, b"ab", b'": "', None], 258)
OTHER = Vocabulary([*BYTES, b"ba", b'": "', None], 258)


def compiled() -> CompiledGrammar:
    return Compiler(VOCABULARY).regex('"[^"]*"(: "[^"]{2,90}")?')


@laws
@given(grammars(), vocabularies(), st.randoms(use_true_random=False))
def test_a_loaded_grammar_is_the_same(tmp_path_factory, grammar, vocabulary, random):
    try:
        original = Compiler(vocabulary).compile(grammar)
    except UnsatisfiableGrammarError:
        return
    path = tmp_path_factory.mktemp("artifacts") / "grammar.sgc"
    original.save(path)
    loaded = CompiledGrammar.load(path, vocabulary)
    one, other = original.matcher(), loaded.matcher()
    for _ in range(6):
        tokens = allowed(one)
        assert allowed(other) == tokens
        assert one.is_accepting == other.is_accepting
        if not tokens:
            break
        token = random.choice(sorted(tokens))
        assert one.accept(token) and other.accept(token)
    shutil.rmtree(path.parent)


def test_a_loaded_grammar_brings_its_masks(tmp_path):
    path = tmp_path / "g.sgc"
    original = compiled()
    original.save(path)
    compiler = Compiler(VOCABULARY)
    loaded = compiler.load(path)
    matcher = loaded.matcher()
    bitmask = allocate_bitmask(1, VOCABULARY.size)
    for byte in b'"abc':
        matcher.fill_bitmask(bitmask, 0)
        assert matcher.accept(byte)
    assert compiler.store.n_entries > 0
    assert compiler.store.n_found == 0  # nothing had to be computed
    assert loaded.source.kind == "regex" and loaded.source.text == original.source.text
    assert repr(loaded).startswith("CompiledGrammar(regex")


def test_arrays_of_an_artifact_are_mapped_and_read_only(tmp_path):
    path = tmp_path / "g.sgc"
    compiled().save(path)
    tables = CompiledGrammar.load(path, VOCABULARY).tables
    for array in (tables.static, tables.classes, tables.bases, tables.digests):
        assert not array.flags.writeable and not array.flags.owndata


def rewritten(path: Path, kind: str = "compiled-grammar", **metadata: str) -> None:
    file = read_tensors(path, "compiled-grammar")
    arrays = {name: np.array(array) for name, array in file.arrays.items()}
    write_tensors(path, kind, arrays, file.metadata | metadata)


def without(path: Path, name: str) -> None:
    file = read_tensors(path, "compiled-grammar")
    arrays = {key: np.array(array) for key, array in file.arrays.items() if key != name}
    write_tensors(path, "compiled-grammar", arrays, file.metadata)


def flipped(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 0x10
    path.write_bytes(bytes(data))


def other_version(path: Path) -> None:
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    header["__metadata__"]["format_version"] = "999"
    text = json.dumps(header).encode()
    text += b" " * (-(8 + len(text)) % 64)
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + length :])


DAMAGES = {
    "empty": (lambda path: path.write_bytes(b""), "truncated"),
    "not an artifact": (lambda path: path.write_text("hello, world " * 100), "not a structgen file"),
    "cut in the header": (lambda path: path.write_bytes(path.read_bytes()[:40]), "truncated"),
    "cut in the arrays": (lambda path: path.write_bytes(path.read_bytes()[:-1]), ""),
    "longer": (lambda path: path.write_bytes(path.read_bytes() + b"\0"), ""),
    "a bit of the header flipped": (lambda path: flipped(path, 100), ""),
    "a bit of the last array flipped": (lambda path: flipped(path, -1), "checksum"),
    "another kind of file": (lambda path: rewritten(path, kind="trie"), "kind"),
    "another version": (other_version, "version"),
    "another layout of the tables": (
        lambda path: rewritten(path, layout="0"),
        "another version of structgen",
    ),
    "an array missing": (lambda path: without(path, "static"), "missing"),
    "missing": (lambda path: path.unlink(), "no such file"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_artifact_is_refused(tmp_path, name):
    damage, said = DAMAGES[name]
    path = tmp_path / "g.sgc"
    compiled().save(path)
    damage(path)
    with pytest.raises(ArtifactError) as error:
        CompiledGrammar.load(path, VOCABULARY)
    assert said in str(error.value) and "g.sgc" in str(error.value)


def test_every_byte_of_a_small_artifact_matters(tmp_path):
    path = tmp_path / "g.sgc"
    Compiler(Vocabulary([b"a", b"b", None], 2)).regex("a+b").save(path)
    vocabulary = Vocabulary([b"a", b"b", None], 2)
    whole = path.read_bytes()
    for place in range(0, len(whole), 97):
        data = bytearray(whole)
        data[place] ^= 0xFF
        path.write_bytes(bytes(data))
        with pytest.raises(ArtifactError):
            CompiledGrammar.load(path, vocabulary)


def test_another_vocabulary_is_refused(tmp_path):
    path = tmp_path / "g.sgc"
    compiled().save(path)
    with pytest.raises(ArtifactError, match="another vocabulary"):
        CompiledGrammar.load(path, OTHER)


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "g.sgc"
    compiled().save(path)
    before = path.read_bytes()

    def broken(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", broken)
    with pytest.raises(OSError, match="disk full"):
        Compiler(VOCABULARY).choice(["a"]).save(path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["g.sgc"]
