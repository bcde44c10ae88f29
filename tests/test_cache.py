"""The cache folder and its files: whole, checked, shared by processes, bounded."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from structgen import cache
from structgen.errors import ArtifactError, OptionError
from structgen.tensor_file import read_tensors, write_tensors

ARRAYS = {
    "bytes": np.arange(5, dtype=np.uint8),
    "words": np.arange(12, dtype=np.int32).reshape(3, 4),
    "wide": np.array([1 << 40, -1], np.int64),
    "flags": np.array([True, False, True]),
    "none": np.zeros((0, 3), np.uint16),
    "single": np.array(7, np.uint32),
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> Iterator[Path]:
    cache.set_cache_dir(tmp_path / "cache")
    yield tmp_path / "cache" / cache.LAYOUT
    cache.set_cache_dir(None)


def stored_file(folder: Path) -> Path:
    assert cache.store_arrays("kind", "key", ARRAYS)
    return folder / "kind" / "key.safetensors"


def test_round_trip_is_mapped_and_read_only() -> None:
    assert cache.load_arrays("kind", "key") is None
    assert cache.store_arrays("kind", "key", ARRAYS)
    loaded = cache.load_arrays("kind", "key")
    assert loaded is not None and loaded.keys() == ARRAYS.keys()
    for name, array in loaded.items():
        assert array.dtype == ARRAYS[name].dtype
        assert array.shape == ARRAYS[name].shape
        assert array.tolist() == ARRAYS[name].tolist()
        assert not array.flags.writeable and array.flags.c_contiguous and array.flags.aligned
        assert not array.flags.owndata
        with pytest.raises(ValueError):
            array.flags.writeable = True


def test_the_safetensors_package_reads_the_files(folder: Path) -> None:
    from safetensors import safe_open
    from safetensors.numpy import load_file

    path = stored_file(folder)
    loaded = load_file(path)
    assert {name: array.tolist() for name, array in loaded.items()} == {
        name: array.tolist() for name, array in ARRAYS.items()
    }
    with safe_open(path, "np") as file:
        assert file.metadata()["kind"] == "cache/kind/key"


def test_metadata_comes_back(tmp_path: Path) -> None:
    write_tensors(tmp_path / "a", "thing", {}, {"options": "é"})
    read = read_tensors(tmp_path / "a", "thing")
    assert (read.arrays, read.metadata) == ({}, {"options": "é"})


def test_big_endian_and_strided_arrays_are_stored_plainly(tmp_path: Path) -> None:
    values = np.arange(6, dtype=">i4").reshape(2, 3)
    write_tensors(tmp_path / "a", "thing", {"values": values.T})
    assert read_tensors(tmp_path / "a", "thing").arrays["values"].tolist() == values.T.tolist()


def flip(place: int) -> Callable[[bytes], bytes]:
    return lambda data: data[:place] + bytes([data[place] ^ 1]) + data[place:][1:]


def reheader(change: Callable[[dict], None]) -> Callable[[bytes], bytes]:
    """A file whose header was changed by one who does not care for its checksum."""

    def damage(data: bytes) -> bytes:
        length = int.from_bytes(data[:8], "little")
        header = json.loads(data[8 : 8 + length])
        change(header)
        text = json.dumps(header).encode()
        text += b" " * (-(8 + len(text)) % 64)
        return len(text).to_bytes(8, "little") + text + data[8 + length :]

    return damage


DAMAGES = {
    "empty": (lambda data: b"", "truncated: 0 bytes"),
    "a few bytes": (lambda data: data[:7], "truncated: 7 bytes"),
    "header cut": (lambda data: data[:100], "truncated or not a structgen file"),
    "not aligned": (lambda data: b"\x00" * 8 + data, "truncated or not a structgen file"),
    "arrays cut": (lambda data: data[:-1], "truncated: array"),
    "arrays all cut": (lambda data: data[: 8 + int.from_bytes(data[:8], "little")], "truncated: array"),
    "arrays longer": (lambda data: data + b"x", "damaged"),
    "bit in the arrays": (flip(-1), "damaged: the arrays do not have the checksum"),
    "bit in the header's length": (flip(7), "truncated or not a structgen file"),
    "another file": (lambda data: b"%PDF-1.7" + data, "truncated or not a structgen file"),
    "zeros": (lambda data: bytes(len(data)), "truncated or not a structgen file"),
    "header not JSON": (lambda data: data[:8] + b"(" + data[9:], "header is not JSON"),
    "header not UTF-8": (lambda data: data[:8] + b"\xff" + data[9:], "header is not JSON"),
    "header nested deep": (
        lambda data: (1 << 18).to_bytes(8, "little") + b" " * 56 + b"[" * (1 << 18),
        "truncated or not|header is not JSON",
    ),
    "no metadata": (reheader(lambda header: header.pop("__metadata__")), "no metadata"),
    "metadata no text": (reheader(lambda header: header["__metadata__"].update(kind=1)), "no metadata"),
    "of safetensors alone": (reheader(lambda header: header.update(__metadata__={})), "its format is None"),
    "another version": (
        reheader(lambda header: header["__metadata__"].update(format_version="0")),
        "format version '0', this structgen reads '1'",
    ),
    "another dtype": (
        reheader(lambda header: header["words"].update(dtype="U32")),
        "damaged: the header does not have its checksum",
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damaged_files_are_refused(name: str, folder: Path) -> None:
    damage, message = DAMAGES[name]
    path = stored_file(folder)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ArtifactError, match=message):
        read_tensors(path, "cache/kind/key")


@pytest.mark.parametrize("name", DAMAGES)
def test_damaged_files_are_deleted_and_made_again(
    name: str, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = stored_file(folder)
    path.write_bytes(DAMAGES[name][0](path.read_bytes()))
    with caplog.at_level(logging.WARNING):
        assert cache.load_arrays("kind", "key") is None
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert not path.exists()
    assert cache.store_arrays("kind", "key", ARRAYS)
    assert cache.load_arrays("kind", "key") is not None


def signed(change: Callable[[dict], None]) -> Callable[[bytes], bytes]:
    """A file whose header was changed by one who also wrote its checksum: it must still not be followed."""
    from structgen.tensor_file import _header_digest

    def sign(header: dict) -> None:
        change(header)
        header["__metadata__"]["header_checksum"] = _header_digest(header)

    return reheader(sign)


@pytest.mark.parametrize(
    "entry",
    [
        None,
        {},
        {"dtype": "F8", "shape": [5], "data_offsets": [0, 5]},
        {"dtype": "U8", "shape": [-5], "data_offsets": [0, 5]},
        {"dtype": "U8", "shape": [5.0], "data_offsets": [0, 5]},
        {"dtype": "U8", "shape": [True], "data_offsets": [0, 1]},
        {"dtype": "U8", "shape": [5], "data_offsets": [0, 5, 6]},
        {"dtype": "U8", "shape": [5], "data_offsets": [-5, 0]},
        {"dtype": "U8", "shape": [5], "data_offsets": [5, 0]},
        {"dtype": "U8", "shape": [5], "data_offsets": [0, 1 << 62]},
        {"dtype": "U8", "shape": [6], "data_offsets": [0, 5]},
        {"dtype": "U32", "shape": [1], "data_offsets": [1, 5]},
        {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]},
    ],
)
def test_wrong_headers_with_a_right_checksum_are_refused(entry: object, folder: Path) -> None:
    path = stored_file(folder)
    path.write_bytes(signed(lambda header: header.update(bytes=entry))(path.read_bytes()))
    with pytest.raises(ArtifactError, match=r"damaged|truncated"):
        read_tensors(path, "cache/kind/key")


def test_every_flipped_bit_is_found(folder: Path) -> None:
    path = stored_file(folder)
    whole = path.read_bytes()
    for place in range(len(whole)):
        if whole[place : place + 1] == b" " and place < 8 + int.from_bytes(whole[:8], "little"):
            continue  # the header's padding holds nothing
        path.write_bytes(flip(place)(whole))
        with pytest.raises(ArtifactError):
            read_tensors(path, "cache/kind/key")


def test_checksum_of_the_arrays_can_be_left_out(folder: Path) -> None:
    path = stored_file(folder)
    path.write_bytes(flip(-1)(path.read_bytes()))
    assert read_tensors(path, "cache/kind/key", verify=False).arrays.keys() == ARRAYS.keys()


def test_a_file_under_another_key_is_refused(folder: Path) -> None:
    stored_file(folder).rename(folder / "kind" / "other.safetensors")
    with pytest.raises(ArtifactError, match="of kind 'cache/kind/key', not 'cache/kind/other'"):
        read_tensors(folder / "kind" / "other.safetensors", "cache/kind/other")
    assert cache.load_arrays("kind", "other") is None


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="no such file"):
        read_tensors(tmp_path / "none", "thing")


def test_writing_fails_without_a_trace(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()  # a folder cannot be replaced by a file
    with pytest.raises(OSError):
        write_tensors(tmp_path / "target", "thing", ARRAYS)
    assert [path.name for path in tmp_path.iterdir() if path.name != "cache"] == ["target"]


@pytest.mark.parametrize(
    ("arrays", "metadata", "option"),
    [
        ({"a": np.array(["text"])}, {}, "arrays"),
        ({"a": np.array([1j])}, {}, "arrays"),
        ({"a": np.array([None])}, {}, "arrays"),
        ({"": np.zeros(1)}, {}, "arrays"),
        ({"__metadata__": np.zeros(1)}, {}, "arrays"),
        ({"a": np.zeros(1)}, {"kind": "b"}, "metadata"),
    ],
)
def test_what_cannot_be_stored(arrays: dict, metadata: dict, option: str) -> None:
    with pytest.raises(OptionError) as caught:
        cache.store_arrays("kind", "key", arrays, metadata)
    assert caught.value.option == option


@pytest.mark.parametrize("name", ["", "a/b", "..", "a.b", "é", "a\n", "a" * 129])
def test_names_that_are_no_file_names(name: str) -> None:
    with pytest.raises(OptionError, match="option 'key'"):
        cache.load_arrays("kind", name)
    with pytest.raises(OptionError, match="option 'kind'"):
        cache.store_arrays(name, "key", ARRAYS)


def test_a_folder_that_cannot_be_written_costs_only_the_caching(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    cache.set_cache_dir(tmp_path / "file")
    for _ in range(3):
        assert not cache.store_arrays("kind", "key", ARRAYS)
        assert cache.load_arrays("kind", "key") is None
    assert len(caplog.records) == 1
    assert cache.ENVIRONMENT_VARIABLE in caplog.text


def test_choice_of_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache.cache_dir() == tmp_path / "cache" / cache.LAYOUT
    cache.set_cache_dir(None)
    monkeypatch.setenv(cache.ENVIRONMENT_VARIABLE, str(tmp_path / "named"))
    assert cache.cache_dir() == tmp_path / "named" / cache.LAYOUT
    monkeypatch.setenv(cache.ENVIRONMENT_VARIABLE, "")
    assert "structgen" in cache.cache_dir().parts


def test_trim_deletes_what_was_used_least_recently(folder: Path) -> None:
    block = {"a": np.zeros(10_000, np.uint8)}
    for age, key in enumerate(["new", "old", "older"]):
        cache.store_arrays("kind", key, block)
        os.utime(folder / "kind" / f"{key}.safetensors", (0, 10**9 - age))
    mapped = cache.load_arrays("kind", "older")  # now the newest
    assert cache.trim(25_000) <= 25_000
    assert sorted(path.stem for path in (folder / "kind").iterdir()) == ["new", "older"]
    cache.trim(0)
    assert list((folder / "kind").iterdir()) == []
    assert mapped is not None and not mapped["a"].any()


def test_store_keeps_the_folder_within_its_limit(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MAX_BYTES", 50_000)
    for key in range(20):
        cache.store_arrays("kind", str(key), {"a": np.zeros(10_000, np.uint8)})
        assert sum(path.stat().st_size for path in folder.rglob("*.safetensors")) <= 50_000
    assert cache.load_arrays("kind", "19") is not None


def test_trim_deletes_what_dead_writers_left(folder: Path) -> None:
    stored_file(folder)
    stale, fresh = folder / "kind" / ".a.1-2.part", folder / "kind" / ".b.1-2.part"
    for path, age in ((stale, 200_000), (fresh, 10)):
        path.write_bytes(b"x")
        os.utime(path, (time.time() - age,) * 2)
    cache.trim()
    assert not stale.exists() and fresh.exists()


WRITER = """
import sys
import numpy as np
from structgen import cache

cache.set_cache_dir(sys.argv[1])
for turn in range(60):
    value = int(sys.argv[2]) * 1000 + turn
    assert cache.store_arrays("kind", "key", {"a": np.full(20_000, value), "b": np.full(5, value)})
    read = cache.load_arrays("kind", "key")
    assert read is not None
    assert (read["a"] == read["b"][0]).all()
"""


def test_several_processes_write_and_read_the_same_key(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path / "cache")]
    writers = [
        subprocess.Popen([*command, str(number)], stderr=subprocess.PIPE, text=True) for number in range(3)
    ]
    for writer in writers:
        _, complaints = writer.communicate(timeout=60)
        assert writer.returncode == 0 and not complaints, complaints
    assert [path.name for path in (tmp_path / "cache" / cache.LAYOUT / "kind").iterdir()] == [
        "key.safetensors"
    ]
