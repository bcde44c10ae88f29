"""The mask store on disk: the same masks from it, whole or not at all, never from a damaged file."""

from __future__ import annotations

import json
import logging
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from structgen_kernels.jit import code_folder

from structgen import CompiledGrammar, Compiler, Vocabulary, allocate_bitmask, cache, general_grammars
from structgen.general_store import KIND, load_general_store, store_key
from structgen.mask_store import MaskStore
from structgen.saved_entries import SavedEntries, saved_arrays
from structgen.store_entries import content_digest, row_digest, stored_states

PAIRS = [bytes([a, b]) for a in b'abc":,{}[]0 ' for b in b'abc":,{}[]1 ']
TOKENS = [*(bytes([byte]) for byte in range(256)), *PAIRS, b'"abcabc', b'ab":', None]
VOCABULARY = Vocabulary(TOKENS, len(TOKENS) - 1)
SCHEMAS = [
    {"type": "string"},
    {"type": "string", "maxLength": 5},
    {"type": "string", "minLength": 2, "maxLength": 300},
    {"properties": {"abc": {"type": "number"}}},
    {"type": "string", "format": "email"},
]
FEW = [
    ("any", {}, {}),
    ("string", {"type": "string"}, {}),
    ("long", {"type": "string", "maxLength": 1000}, {}),
    ("format", {"type": "string", "format": "email"}, {}),
]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> Iterator[Path]:
    """An empty cache folder, and a store even for a small vocabulary."""
    cache.set_cache_dir(tmp_path / "cache")
    with (
        mock.patch.object(general_grammars, "LEAST_NODES", 0),
        mock.patch.object(general_grammars, "general_schemas", lambda: iter(FEW)),
    ):
        yield tmp_path / "cache"
    cache.set_cache_dir(None)


def store_file() -> Path:
    return cache.cache_dir() / KIND / f"{store_key(VOCABULARY)}.safetensors"


def masks(compiler: Compiler) -> list[list[int]]:
    """Along texts that wander through each schema."""
    found = []
    bitmask = allocate_bitmask(1, VOCABULARY.size)
    for schema in SCHEMAS:
        matcher = compiler.json_schema(schema).matcher()
        for step in range(25):
            matcher.fill_bitmask(bitmask, 0)
            allowed = np.flatnonzero(np.unpackbits(bitmask.view(np.uint8), bitorder="little")).tolist()
            found.append(allowed)
            if not allowed or not matcher.accept(allowed[7 * step % len(allowed)]):
                break
    return found


@pytest.fixture(scope="module")
def expected() -> list[list[int]]:
    with mock.patch.object(general_grammars, "LEAST_NODES", 10**9):
        compiler = Compiler(VOCABULARY)
    assert compiler.store.general is None
    return masks(compiler)


def test_masks_from_the_file_are_those_that_are_computed(expected, caplog):
    with mock.patch("structgen.store_entries._FEW_NODES", 0):
        first = Compiler(VOCABULARY)
        assert store_file().is_file()
        assert masks(first) == expected
        walked = first.store.n_walked
        second = Compiler(VOCABULARY)  # as another process would, from the file
        assert masks(second) == expected
        assert second.store.n_walked == walked
        with mock.patch.object(general_grammars, "LEAST_NODES", 10**9):
            without = Compiler(VOCABULARY)
        assert masks(without) == expected
    assert walked < without.store.n_walked  # the rest is what the properties' names make of strings
    assert not caplog.records


def test_a_general_state_needs_no_walk():
    with mock.patch("structgen.store_entries._FEW_NODES", 0):
        Compiler(VOCABULARY)
        compiler = Compiler(VOCABULARY)
        grammar = compiler.json_schema({"type": "array", "items": {"type": "string"}})
        grammar.precompute()
        assert compiler.store.n_entries == 2
        assert compiler.store.n_walked == 0


def test_each_entry_has_the_content_that_its_digest_says():
    Compiler(VOCABULARY)
    general = load_general_store(VOCABULARY)
    assert general is not None and general.n_entries > 10
    for digest in general.digests():
        content = general.content(digest)
        assert content is not None
        assert content_digest(row_digest(content.row), content.crossing) == digest


@pytest.mark.parametrize("array", ["rows", "crossing", "profile_needs", "profile_crossing", "names", "named"])
def test_a_damaged_file_is_dropped_with_a_warning_and_gives_no_mask(array, expected, caplog):
    Compiler(VOCABULARY)
    path = store_file()
    data = bytearray(path.read_bytes())
    length = int.from_bytes(data[:8], "little")
    begin, end = json.loads(data[8 : 8 + length])[array]["data_offsets"]
    for place in range(8 + length + begin, 8 + length + end, 3):
        data[place] ^= 0x11
    path.write_bytes(data)
    with (
        mock.patch("structgen.store_entries._FEW_NODES", 0),
        caplog.at_level(logging.WARNING, logger="structgen.general_store"),
    ):
        assert masks(Compiler(VOCABULARY)) == expected
        assert caplog.records and "made again" in caplog.text
        caplog.clear()
        assert masks(Compiler(VOCABULARY)) == expected
        assert not caplog.records
    assert load_general_store(VOCABULARY) is not None


def test_a_truncated_or_foreign_file_is_dropped(expected, caplog):
    Compiler(VOCABULARY)
    path = store_file()
    whole = path.read_bytes()
    other = Vocabulary([*VOCABULARY.tokens[:-1], b"zz", None], VOCABULARY.size)
    foreign = cache.cache_dir() / KIND / f"{store_key(other)}.safetensors"
    for content in (whole[: len(whole) // 2], whole[:100], b"", b"something else" * 100):
        path.write_bytes(content)
        assert masks(Compiler(VOCABULARY)) == expected
        assert path.read_bytes() == whole
    foreign.write_bytes(whole)  # another vocabulary's store, under this one's name
    assert load_general_store(other) is None
    assert not foreign.exists()
    assert len(caplog.records) == 5


def test_a_folder_that_cannot_be_written_costs_only_time(expected, tmp_path, caplog):
    (tmp_path / "file").write_text("no folder")
    cache.set_cache_dir(tmp_path / "file")
    with mock.patch.object(general_grammars, "_enter") as enter:
        compiler = Compiler(VOCABULARY)
    assert compiler.store.general is None
    assert not enter.called  # nothing is made that could not be kept
    assert masks(compiler) == expected


def test_a_small_vocabulary_has_no_file():
    with mock.patch.object(general_grammars, "LEAST_NODES", 50_000):
        assert Compiler(VOCABULARY).store.general is None
    assert not store_file().exists()


def test_the_real_list_has_the_formats_and_fits():
    names = [name for name, _, _ in REAL_SCHEMAS()]
    assert "format email" in names and "container 0" in names and len(names) < 100


REAL_SCHEMAS = general_grammars.general_schemas

WORK = """
import hashlib, sys
sys.path[:0] = {paths!r}
from structgen import general_grammars
general_grammars.LEAST_NODES = 0
from structgen import store_entries
store_entries._FEW_NODES = 0
few = {few!r}
general_grammars.general_schemas = lambda: iter(few)
import test_general_store as here
print(hashlib.sha256(repr(here.masks(here.Compiler(here.VOCABULARY))).encode()).hexdigest())
"""


def environment(folder: Path) -> dict[str, str]:
    paths = os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])
    return os.environ | {"STRUCTGEN_CACHE_DIR": str(folder), "PYTHONPATH": paths}


def script() -> str:
    return WORK.format(paths=[str(Path(__file__).parent)], few=FEW)


def test_four_processes_begin_at_once_on_an_empty_folder(tmp_path):
    """They make the store, and compile some kernels, at the same time: equal masks, no torn files."""
    kernels = code_folder()
    copied = tmp_path / "kernels" / kernels.name
    shutil.copytree(kernels, copied)
    missing = [path for path in copied.rglob("*") if path.name.startswith(("records.", "store_counted."))]
    assert missing
    for path in missing:
        path.unlink()
    where = environment(tmp_path / "empty") | {"NUMBA_CACHE_DIR": str(tmp_path / "kernels")}
    running = [
        subprocess.Popen(
            [sys.executable, "-c", script()],
            env=where,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    results = [process.communicate(timeout=500) for process in running]
    assert [process.returncode for process in running] == [0] * 4, results
    assert len({out for out, _ in results}) == 1
    assert all("made again" not in errors and "Traceback" not in errors for _, errors in results)
    parts = [path for path in (tmp_path / "empty").rglob("*") if path.suffix == ".part"]
    assert not parts
    cache.set_cache_dir(tmp_path / "empty")
    assert load_general_store(VOCABULARY) is not None
    again = subprocess.run(
        [sys.executable, "-c", script()], env=where, capture_output=True, text=True, timeout=300, check=True
    )
    assert again.stdout == results[0][0]


KILLED = """
import os, time
from structgen import cache, general_grammars
import test_general_store as here
from structgen.general_store import KIND, store_key, write_general_store
general_grammars.LEAST_NODES = 0
few = {few!r}
general_grammars.general_schemas = lambda: iter(few)
from structgen.mask_store import MaskStore
from structgen.saved_entries import SavedEntries, saved_arrays
store = MaskStore(here.VOCABULARY)
for _, schema, options in few:
    general_grammars._enter(store, schema, options)
renamed = os.replace
def slowly(*names):
    time.sleep(0.05)  # the file is there, under its temporary name
    renamed(*names)
os.replace = slowly
print("ready", flush=True)
while True:
    write_general_store(here.VOCABULARY, store.named(), store.contents(), store.profiles())
"""


def test_a_writer_that_is_killed_leaves_nothing_that_is_read(tmp_path):
    source = random.Random(1)
    cache.set_cache_dir(tmp_path / "killed")
    left = 0
    for _ in range(6):
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED.format(few=FEW)],
            env=environment(tmp_path / "killed"),
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        time.sleep(source.uniform(0.005, 0.08))
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=60)
        process.stdout.close()
        general = load_general_store(VOCABULARY)
        if general is not None:
            assert all(general.content(digest) is not None for digest in general.digests())
        left += sum(path.suffix == ".part" for path in (tmp_path / "killed").rglob("*"))
    assert left  # some were hit in the middle
    Compiler(VOCABULARY)
    assert load_general_store(VOCABULARY) is not None


def test_states_of_one_language_have_one_entry():
    """What two different automata have in common is one entry, found once."""
    store = MaskStore(VOCABULARY)
    compiler = Compiler(VOCABULARY)
    found = set()
    for name in ("abc", "abab", "cab"):
        made = compiler.json_schema({"properties": {name: {"type": "string"}}})
        for state in stored_states(store.walks, made.tables):
            found.add(store.content(made.tables, state).digest())
    assert store.n_entries == len(found)


@pytest.mark.parametrize("schema", SCHEMAS)
def test_a_grammar_file_refers_to_general_entries(schema, tmp_path):
    """Loaded beside the store nothing is computed; without it the masks are the same."""
    path = tmp_path / "grammar.sgc"
    with mock.patch("structgen.growing_arrays.STORED_NODES", 2):
        original = Compiler(VOCABULARY).json_schema(schema)
        original.save(path)
        expected = along(original)
        assert expected == along(CompiledGrammar.load(path, VOCABULARY))
        beside = Compiler(VOCABULARY)
        loaded = beside.load(path)
        assert along(loaded) == expected
        assert beside.store.n_found == 0
        shutil.rmtree(cache.cache_dir())
        assert along(CompiledGrammar.load(path, VOCABULARY)) == expected
        with mock.patch.object(general_grammars, "LEAST_NODES", 10**9):
            alone = Compiler(VOCABULARY)
        assert alone.store.general is None
        assert along(alone.load(path)) == expected


def along(grammar: CompiledGrammar) -> list[list[int]]:
    """Masks along one text."""
    bitmask = allocate_bitmask(1, VOCABULARY.size)
    matcher = grammar.matcher()
    found = []
    for step in range(30):
        matcher.fill_bitmask(bitmask, 0)
        allowed = np.flatnonzero(np.unpackbits(bitmask.view(np.uint8), bitorder="little")).tolist()
        found.append(allowed)
        if not allowed or not matcher.accept(allowed[5 * step % len(allowed)]):
            break
    return found


def test_a_grammar_file_holds_differences():
    """An entry that is nearly a general one is written as that and a few tokens, and read back the same."""
    compiler = Compiler(VOCABULARY)
    made = compiler.json_schema({"properties": {"abc": {}, "ab": {}, "cab": {}}})
    store = compiler.store
    states = stored_states(store.walks, made.tables)
    contents = [store.content(made.tables, state) for state in states]
    arrays = saved_arrays(states, contents, store)
    assert arrays["entry_rows"].shape[0] < len({content.digest() for content in contents})
    saved = SavedEntries(arrays, store.walks)
    for state, content in zip(states, contents, strict=True):
        again = saved.content(state, store.general)
        assert again is not None and again.digest() == content.digest()
    assert saved.content(10**9, store.general) is None
