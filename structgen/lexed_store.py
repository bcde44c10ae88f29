"""Entries of lexical states for one grammar and vocabulary: which tokens emit which terminals.

Unlike the `MaskStore`, from which it takes the vocabulary's trie, it belongs to one grammar: what a token
emits depends on all terminals at once. Lists of tokens are kept once each, long ones as rows of a mask.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from structgen.errors import CompileLimitError
from structgen.lexing.tables import LexedTables
from structgen.mask_store import MaskStore
from structgen.tables import Int32Array

_FIRST = 1 << 12
MAX_ENTRIES = 50_000
_ROW_TOKENS = 1024  # a list of more tokens is a row: one costs about as much to add to a mask as the other


class LexedStore:
    """Grows as lexical states are met. Safe for several threads.

    ``entries``, ``lists`` int32: see `structgen_kernels.lexed_layout`; ``rows`` int32 (capacity, words).
    They are replaced, never changed in what they already hold, when they grow.
    """

    def __init__(self, tables: LexedTables, masks: MaskStore) -> None:
        from structgen_kernels.lexed_store import SET_BITS, TOKEN_BITS

        for limit, bits, given in (
            ("max_vocabulary_ids", TOKEN_BITS, 32 * masks.n_words),
            ("max_terminal_sets", SET_BITS, tables.n_sets),
        ):
            if given > 1 << bits:
                raise CompileLimitError(limit, 1 << bits, given, fixed=True)
        self.masks = masks
        self.entries: Int32Array = np.zeros(_FIRST, np.int32)
        self.lists: Int32Array = np.zeros(_FIRST, np.int32)
        self.rows: Int32Array = np.zeros((4, masks.n_words), np.int32)
        self._tables = tables
        self._n_entries = self._n_lists = self._n_rows = 0
        self._offsets: dict[tuple[int, int], int] = {}
        self._contents: dict[bytes, int] = {}
        self._known: dict[bytes, int] = {}
        self._lock = threading.Lock()
        n = masks.trie.shape[0]
        self._nodes: Int32Array = np.zeros((1 << 12, 3), np.int32)
        self._table: Int32Array = np.zeros(1 << 13, np.int32)
        self._found: npt.NDArray[np.int64] = np.zeros(max(n, 64), np.int64)
        self._threads: Int32Array = np.zeros((1 << 12, 3), np.int32)

    @property
    def nbytes(self) -> int:
        return int(self.entries.nbytes + self.lists.nbytes + self.rows.nbytes)

    @property
    def n_entries(self) -> int:
        return len(self._offsets)

    def entry(self, lexical: int, mode: int) -> int:
        """The entry of a lexical state in a mode: the offset of its root in ``entries``."""
        with self._lock:
            known = self._offsets.get((lexical, mode))
            if known is None:
                known = self._offsets[lexical, mode] = self._make(lexical, mode)
            return known

    def complete(self, progress: Callable[[int, int], None] | None = None) -> int:
        """Make the entries of all lexical states, in each mode that they are met in: how many.

        ``progress(done, total)`` is called after each. At most `MAX_ENTRIES`; further ones are made when they
        are met.
        """
        pairs = self._tables.met_in()[:MAX_ENTRIES]
        for done, (lexical, mode) in enumerate(pairs):
            self.entry(lexical, mode)
            if progress is not None:
                progress(done + 1, len(pairs))
        return len(pairs)

    def _make(self, lexical: int, mode: int) -> int:
        from structgen_kernels.lexed_store import SET_BITS, group

        n_found, n_nodes = self._walked(lexical, mode)
        keys = np.empty(n_found, np.int64)
        starts = np.empty(n_found + 1, np.int64)
        tokens = np.empty(n_found, np.int32)
        self._found[:n_found].sort()
        n_groups = int(group(self._found, n_found, starts, keys, tokens))
        sequences = keys[:n_groups] >> SET_BITS
        sets = (keys[:n_groups] & ((1 << SET_BITS) - 1)).astype(np.int32)
        content = tokens[: starts[n_groups]].tobytes()
        lists = [
            self._list(content[4 * a : 4 * b], tokens[a:b])
            for a, b in pairwise(starts[: n_groups + 1].tolist())
        ]
        # lists: single numbers of an array take ten times as long
        parents, terminals, modes = self._nodes[:n_nodes].T.tolist()
        # a sequence matters when tokens are listed under it or under one that goes on from it
        matters = bytearray(n_nodes)
        matters[0] = 1
        for sequence in sequences.tolist():
            while not matters[sequence]:
                matters[sequence] = 1
                sequence = parents[sequence]
        numbers = [number for number, is_needed in enumerate(matters) if is_needed]
        children: dict[int, list[int]] = {}
        for number in numbers[1:]:
            children.setdefault(parents[number], []).append(number)
        groups: dict[int, list[tuple[int, int]]] = {}
        for sequence, which, where in zip(sequences.tolist(), sets.tolist(), lists, strict=True):
            groups.setdefault(sequence, []).append((which, where))
        # children have greater numbers than what they go on from: written from the last on, they are there
        # first
        written: dict[int, int] = {}
        for number in reversed(numbers):
            record = [0, 0]
            for pair in groups.get(number, ()):
                record += pair
            edges = sorted(
                (terminals[child], modes[child], written[child]) for child in children.get(number, ())
            )
            for edge in edges:
                record += edge
            record[0], record[1] = len(groups.get(number, ())), len(edges)
            written[number] = self._record(np.array(record, np.int32))
        return written[0]

    def _walked(self, lexical: int, mode: int) -> tuple[int, int]:
        from structgen_kernels.lexed_store import walk

        count = np.zeros(2, np.int32)
        while True:
            self._table[:] = 0
            n_found = int(
                walk(
                    self._tables.static,
                    self.masks.trie,
                    self.masks.token_ids,
                    lexical,
                    mode,
                    self._nodes,
                    self._table,
                    self._found,
                    self._threads,
                    count,
                )
            )
            if n_found >= 0:
                return n_found, int(count[0])
            if count[1] == 0:
                self._nodes = np.zeros((2 * self._nodes.shape[0], 3), np.int32)
                self._table = np.zeros(2 * self._table.shape[0], np.int32)
            elif count[1] == 1:
                self._found = np.zeros(2 * self._found.shape[0], np.int64)
            else:
                self._threads = np.zeros((2 * self._threads.shape[0], 3), np.int32)

    def _list(self, key: bytes, tokens: Int32Array) -> int:
        """Where a list is, whose content is ``key``."""
        known = self._contents.get(key)
        if known is None:
            known = self._contents[key] = self._new_list(tokens)
        return known

    def _new_list(self, tokens: Int32Array) -> int:
        if tokens.shape[0] > _ROW_TOKENS:
            if self._n_rows == self.rows.shape[0]:
                rows = np.zeros((2 * self._n_rows, self.rows.shape[1]), np.int32)
                rows[: self._n_rows] = self.rows
                self.rows = rows
            bits = np.zeros(32 * self.rows.shape[1], np.uint8)
            bits[tokens] = 1
            self.rows[self._n_rows] = np.packbits(bits, bitorder="little").view(np.int32)
            self._n_rows += 1
            return self._n_rows - 1
        size = tokens.shape[0] + 1
        if self._n_lists + size > self.lists.shape[0]:
            lists = np.zeros(2 * max(self.lists.shape[0], size), np.int32)
            lists[: self._n_lists] = self.lists[: self._n_lists]
            self.lists = lists
        offset = self._n_lists
        self.lists[offset] = tokens.shape[0]
        self.lists[offset + 1 : offset + size] = tokens
        self._n_lists += size
        return -1 - offset

    def _record(self, record: Int32Array) -> int:
        """Where a node of an entry is, written if it is new: equal ones are shared."""
        key = record.tobytes()
        known = self._known.get(key)
        if known is None:
            size = record.shape[0]
            if self._n_entries + size > self.entries.shape[0]:
                entries = np.zeros(2 * max(self.entries.shape[0], size), np.int32)
                entries[: self._n_entries] = self.entries[: self._n_entries]
                self.entries = entries
            known = self._known[key] = self._n_entries
            self.entries[known : known + size] = record
            self._n_entries += size
        return known

    def saved(self) -> dict[str, npt.NDArray[np.int32]]:
        """Its arrays for a file."""
        keys = np.array([*self._offsets], np.int32).reshape(-1, 2)
        return {
            "entry_states": np.ascontiguousarray(keys[:, 0]),
            "entry_modes": np.ascontiguousarray(keys[:, 1]),
            "entry_offsets": np.array([*self._offsets.values()], np.int32),
            "entries": self.entries[: self._n_entries],
            "lists": self.lists[: self._n_lists],
            "rows": self.rows[: self._n_rows],
        }

    def restore(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Take what `saved` gave; only into a store that is empty. New entries are added behind it."""
        self.entries, self.lists = arrays["entries"], arrays["lists"]
        self.rows = arrays["rows"]
        self._n_entries, self._n_lists, self._n_rows = (
            self.entries.shape[0],
            self.lists.shape[0],
            self.rows.shape[0],
        )
        self._offsets = {
            (lexical, mode): offset
            for lexical, mode, offset in zip(
                arrays["entry_states"].tolist(),
                arrays["entry_modes"].tolist(),
                arrays["entry_offsets"].tolist(),
                strict=True,
            )
        }
