"""The part of the mask store on disk: what a vocabulary and general terminals give, for all processes.

One file per vocabulary in the user's cache folder, memory-mapped; made by `structgen.general_grammars`. An
entry is copied from it when it is asked for, and checked by its digest, which is its address. A file that is
damaged is deleted with a logged warning and counts as none: what it held is computed.
"""

from __future__ import annotations

import hashlib
import logging
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from structgen_kernels.jit import sources_digest

from structgen import cache
from structgen.store_entries import Content, Profile, content_digest, row_digest
from structgen.tables import Int32Array, layout_digest
from structgen.vocabulary import Vocabulary

KIND = "masks"
MEANING = "2"  # of names and contents; raise it when `structgen.store_entries` gives others

_logger = logging.getLogger(__name__)
_INDEX = (
    "names",
    "named",
    "contents",
    "content_rows",
    "crossing_begin",
    "row_digests",
    "profile_names",
    "profile_begin",
    "profile_sums",
)


class GeneralStore:
    """The general entries of one vocabulary, read from its file. Safe for several threads."""

    def __init__(self, key: str, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Raises KeyError or ValueError for arrays that are no such store."""
        index = {name: arrays[name] for name in _INDEX}
        if index_digest(index) != arrays["index_digest"].tobytes():
            raise ValueError("its index does not have its checksum")
        self._key = key
        self._rows: Int32Array = arrays["rows"].view(np.int32)
        self._crossing: Int32Array = arrays["crossing"].view(np.int32)
        self._needs: Int32Array = arrays["profile_needs"].view(np.int32)
        self._profile_crossing: Int32Array = arrays["profile_crossing"].view(np.int32)
        self._named = dict(zip(_digests(index["names"]), index["named"].tolist(), strict=True))
        self._numbers = {digest: i for i, digest in enumerate(_digests(index["contents"]))}
        self._contents = _digests(index["contents"])
        self._content_rows: list[int] = index["content_rows"].tolist()
        self._begin: list[int] = index["crossing_begin"].tolist()
        self._row_digests = _digests(index["row_digests"])
        self._profiles = {name: i for i, name in enumerate(_digests(index["profile_names"]))}
        self._profile_begin: list[int] = index["profile_begin"].tolist()
        self._profile_sums: list[int] = index["profile_sums"].tolist()
        self._is_good = True

    @property
    def n_entries(self) -> int:
        return len(self._contents)

    @property
    def n_rows(self) -> int:
        return int(self._rows.shape[0])

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays in the file."""
        arrays = (self._rows, self._crossing, self._needs, self._profile_crossing)
        return int(sum(array.nbytes for array in arrays)) + 40 * len(self._named)

    def named(self, name: bytes) -> Content | None:
        """The content of the terminal states of a name."""
        number = self._named.get(_as_digest(name))
        return None if number is None else self._content(number)

    def content(self, digest: bytes) -> Content | None:
        """The content of a digest."""
        number = self._numbers.get(digest)
        return None if number is None else self._content(number)

    def digests(self) -> list[bytes]:
        """Those of all contents."""
        return list(self._contents)

    def rows_by_content(self) -> Int32Array:
        """int32 (contents, words): the row of each, in the order of `digests`. A copy, of many megabytes."""
        rows: Int32Array = self._rows[self._content_rows]
        return rows

    def profile(self, name: bytes) -> Profile | None:
        """The profile of a name."""
        number = self._profiles.get(name)
        if number is None or not self._is_good:
            return None
        needs = self._needs[number].copy()
        begin, end = self._profile_begin[number], self._profile_begin[number + 1]
        crossing = self._profile_crossing[begin:end].copy()
        if profile_sum(Profile(needs, crossing)) != self._profile_sums[number]:
            self._drop("a profile")
            return None
        return Profile(needs, crossing)

    def _content(self, number: int) -> Content | None:
        if not self._is_good:
            return None
        place = self._content_rows[number]
        row = self._rows[place].copy()
        crossing = self._crossing[self._begin[number] : self._begin[number + 1]].copy()
        of_row = self._row_digests[place]
        if row_digest(row) != of_row or content_digest(of_row, crossing) != self._contents[number]:
            self._drop("an entry")
            return None
        return Content(row, crossing)

    def _drop(self, what: str) -> None:
        self._is_good = False
        _logger.warning("the mask store %s: %s is damaged; it is deleted and made again", self._key, what)
        cache.discard(KIND, self._key)


def store_key(vocabulary: Vocabulary) -> str:
    """Of the file: hangs on the vocabulary, the kernels and what entries mean."""
    parts = (vocabulary.digest.hex(), vocabulary.size, MEANING, layout_digest(), sources_digest())
    return hashlib.blake2b(repr(parts).encode(), digest_size=16).hexdigest()


def load_general_store(vocabulary: Vocabulary) -> GeneralStore | None:
    """The vocabulary's store, memory-mapped; None where there is none, or it was damaged."""
    key = store_key(vocabulary)
    arrays = cache.load_arrays(KIND, key, verify=False)
    if arrays is None:
        return None
    try:
        return GeneralStore(key, arrays)
    except (KeyError, ValueError) as error:
        _logger.warning("the mask store %s: %s; it is deleted and made again", key, error)
        cache.discard(KIND, key)
        return None


def write_general_store(
    vocabulary: Vocabulary,
    named: Mapping[bytes, Content],
    others: Sequence[Content],
    profiles: Mapping[bytes, Profile],
) -> bool:
    """Write a vocabulary's store, whole or not at all. Returns whether the cache folder took it.

    ``others``: contents without a name, which the files of grammars may refer to.
    """
    n_words = (vocabulary.size + 31) // 32
    contents: dict[bytes, int] = {}
    rows: dict[bytes, int] = {}
    row_arrays: list[Int32Array] = []
    content_rows: list[int] = []
    crossings: list[Int32Array] = []
    numbers: list[int] = []
    for content in (*named.values(), *others):
        of_row = row_digest(content.row)
        digest = content_digest(of_row, content.crossing)
        if digest not in contents:
            contents[digest] = len(contents)
            if of_row not in rows:
                rows[of_row] = len(rows)
                row_arrays.append(content.row)
            content_rows.append(rows[of_row])
            crossings.append(content.crossing)
        numbers.append(contents[digest])
    kept = list(profiles.values())
    index: dict[str, npt.NDArray[Any]] = {
        "names": _packed([_as_digest(name) for name in named]),
        "named": np.array(numbers[: len(named)], np.int32),
        "contents": _packed(contents),
        "content_rows": np.array(content_rows, np.int32),
        "crossing_begin": np.cumsum([0, *map(len, crossings)], dtype=np.int64),
        "row_digests": _packed(rows),
        "profile_names": _packed(profiles),
        "profile_begin": np.cumsum([0, *(len(profile.crossing) for profile in kept)], dtype=np.int64),
        "profile_sums": np.array([profile_sum(profile) for profile in kept], np.int64),
    }
    arrays: dict[str, npt.NDArray[Any]] = {
        **index,
        "index_digest": np.frombuffer(index_digest(index), np.uint8),
        "rows": np.stack(row_arrays) if row_arrays else np.zeros((0, n_words), np.int32),
        "crossing": np.concatenate([np.zeros(0, np.int32), *crossings]),
        "profile_needs": np.stack([profile.needs for profile in kept])
        if kept
        else np.zeros((0, vocabulary.size), np.int32),
        "profile_crossing": np.concatenate(
            [np.zeros((0, 2), np.int32), *(profile.crossing for profile in kept)]
        ),
    }
    return cache.store_arrays(KIND, store_key(vocabulary), arrays)


def index_digest(index: Mapping[str, npt.NDArray[Any]]) -> bytes:
    content = hashlib.blake2b(digest_size=16)
    for name in _INDEX:
        content.update(repr((name, index[name].dtype.str, index[name].shape)).encode())
        content.update(np.ascontiguousarray(index[name]).data)
    return content.digest()


def profile_sum(profile: Profile) -> int:
    """Of half a megabyte, so that a quick checksum is used against damage."""
    return zlib.crc32(profile.crossing.tobytes(), zlib.crc32(profile.needs.data))


def _as_digest(name: bytes) -> bytes:
    """A name in 16 bytes."""
    return name if len(name) == 16 else hashlib.blake2b(name, digest_size=16).digest()


def _packed(digests: Iterable[bytes]) -> npt.NDArray[np.uint8]:
    return np.frombuffer(bytearray(b"".join(digests)), np.uint8).reshape(-1, 16)


def _digests(packed: npt.NDArray[Any]) -> list[bytes]:
    data = packed.tobytes()
    return [data[i : i + 16] for i in range(0, len(data), 16)]
