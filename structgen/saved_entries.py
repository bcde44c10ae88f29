"""The mask store's entries in the file of a grammar: what they add to general ones, which it need not hold.

An entry is written as the digest of a general one and the tokens and nodes in which it is different, or from
another entry of the file, or whole. Where the general one is not at hand, the entry is computed again.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from structgen.general_store import GeneralStore
from structgen.mask_store import MaskStore
from structgen.store_entries import Content, Trie, changed, content_digest, difference, row_digest
from structgen.tables import Int32Array

_WHOLE = -1  # instead of a base: the row is there itself
_GENERAL = -2  # the base is the general entry with the digest in ``base_digests``

_logger = logging.getLogger(__name__)


class SavedEntries:
    """Entries by terminal state, read from a file's arrays, each when it is asked for."""

    def __init__(self, arrays: Mapping[str, npt.NDArray[Any]], trie: Trie) -> None:
        """Raises KeyError when an array is missing."""
        self._trie = trie
        self._states: npt.NDArray[np.int64] = arrays["entry_states"]
        self._numbers: Int32Array = arrays["entry_numbers"]
        self._digests: npt.NDArray[np.uint8] = arrays["entry_digests"]
        self._bases: Int32Array = arrays["entry_bases"]
        self._base_digests: npt.NDArray[np.uint8] = arrays["base_digests"]
        self._rows: Int32Array = arrays["entry_rows"]
        self._row_of: Int32Array = arrays["entry_row_of"]
        self._tokens: Int32Array = arrays["entry_tokens"]
        self._nodes: Int32Array = arrays["entry_nodes"]
        self._token_begin: Int32Array = arrays["entry_token_begin"]
        self._node_begin: Int32Array = arrays["entry_node_begin"]

    @property
    def n_entries(self) -> int:
        return int(self._digests.shape[0])

    @property
    def states(self) -> list[int]:
        states: list[int] = self._states.tolist()
        return states

    def content(self, state: int, general: GeneralStore | None) -> Content | None:
        """The content of a terminal state; None where it is not saved or its general entry is missing."""
        place = int(np.searchsorted(self._states, state))
        if place == self._states.shape[0] or self._states[place] != state:
            return None
        number = int(self._numbers[place])
        content = self._built(number, general)
        if content is not None and content.digest() != self._digests[number].tobytes():
            _logger.warning("an entry of a grammar's file is damaged; it is computed again")
            return None
        return content

    def _built(self, number: int, general: GeneralStore | None) -> Content | None:
        base = int(self._bases[number])
        tokens = self._tokens[self._token_begin[number] : self._token_begin[number + 1]]
        nodes = self._nodes[self._node_begin[number] : self._node_begin[number + 1]]
        if base == _WHOLE:
            return Content(self._rows[self._row_of[number]], nodes)
        if base == _GENERAL:
            digest = self._base_digests[self._row_of[number]].tobytes()
            start = None if general is None else general.content(digest)
        else:
            start = self._built(base, general)
        if start is None:
            return None
        return changed(self._trie, start, tokens, nodes) if tokens.shape[0] or nodes.shape[0] else start


def saved_arrays(
    states: Sequence[int], contents: Sequence[Content], store: MaskStore
) -> dict[str, npt.NDArray[Any]]:
    """The arrays of a file for the entries of terminal states."""
    numbers: list[int] = []
    known: dict[bytes, int] = {}
    writer = _Writer(store)
    for content in contents:
        digest = content_digest(row_digest(content.row), content.crossing)
        if digest not in known:
            known[digest] = len(known)
            writer.add(digest, content)
        numbers.append(known[digest])
    order = np.argsort(np.array(states, np.int64), kind="stable")
    return {
        "entry_states": np.array(states, np.int64)[order],
        "entry_numbers": np.array(numbers, np.int32)[order],
        "entry_digests": _packed(list(known)),
        **writer.arrays(),
    }


class _Writer:
    """Finds for each entry the known one that it is least different from."""

    def __init__(self, store: MaskStore) -> None:
        self._n_words = store.n_words
        self._general = store.general
        self._general_digests = [] if store.general is None else store.general.digests()
        self._general_rows: Int32Array = np.zeros((0, store.n_words), np.int32)
        if store.general is not None:
            self._general_rows = store.general.rows_by_content()
        self._bases: list[int] = []
        self._row_of: list[int] = []
        self._base_digests: dict[bytes, int] = {}
        self._whole: list[tuple[int, Content]] = []
        self._tokens: list[Int32Array] = []
        self._nodes: list[Int32Array] = []

    def add(self, digest: bytes, content: Content) -> None:
        none = np.zeros(0, np.int32)
        number = len(self._bases)
        if self._general is not None and self._general.content(digest) is not None:
            self._write(_GENERAL, self._base_number(digest), none, none)
            return
        base, start, where = self._nearest(content)
        if start is not None:
            tokens, nodes = difference(content, start)
            if tokens.shape[0] + nodes.shape[0] < self._n_words:
                self._write(base, where, tokens, nodes)
                return
        self._write(_WHOLE, len(self._whole), none, content.crossing)
        self._whole.append((number, content))

    def _nearest(self, content: Content) -> tuple[int, Content | None, int]:
        """(base, its content, its number among the base digests) of the row with most words in common."""
        best, choice = self._n_words, None
        if self._general is not None and self._general_rows.shape[0]:
            unlike = (self._general_rows != content.row).sum(axis=1)
            nearest = int(unlike.argmin())
            start = self._general.content(self._general_digests[nearest])
            if start is not None:
                best, choice = int(unlike[nearest]), (_GENERAL, start, nearest)
        for number, other in self._whole:
            unlike_words = int((other.row != content.row).sum())
            if unlike_words < best:
                best, choice = unlike_words, (number, other, 0)
        if choice is None:
            return _WHOLE, None, 0
        base, start, nearest = choice
        where = self._base_number(self._general_digests[nearest]) if base == _GENERAL else 0
        return base, start, where

    def _base_number(self, digest: bytes) -> int:
        return self._base_digests.setdefault(digest, len(self._base_digests))

    def _write(self, base: int, where: int, tokens: Int32Array, nodes: Int32Array) -> None:
        self._bases.append(base)
        self._row_of.append(where)
        self._tokens.append(tokens)
        self._nodes.append(nodes)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        none = np.zeros(0, np.int32)
        rows = [content.row for _, content in self._whole]
        return {
            "entry_bases": np.array(self._bases, np.int32),
            "entry_row_of": np.array(self._row_of, np.int32),
            "base_digests": _packed(list(self._base_digests)),
            "entry_rows": np.stack(rows) if rows else np.zeros((0, self._n_words), np.int32),
            "entry_tokens": np.concatenate([none, *self._tokens]),
            "entry_nodes": np.concatenate([none, *self._nodes]),
            "entry_token_begin": np.cumsum([0, *map(len, self._tokens)], dtype=np.int32),
            "entry_node_begin": np.cumsum([0, *map(len, self._nodes)], dtype=np.int32),
        }


def _packed(digests: Sequence[bytes]) -> npt.NDArray[np.uint8]:
    packed = np.zeros((len(digests), 16), np.uint8)
    for i, digest in enumerate(digests):
        packed[i] = np.frombuffer(digest, np.uint8)
    return packed
