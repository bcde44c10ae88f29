"""The mask store: terminal states against the vocabulary, computed once and shared by all grammars.

An entry is addressed by what may still follow in the terminal (the minimal automaton of that language), not
by the grammar it was met in: the inside of a JSON string is one entry, whatever the schema.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from structgen_kernels import layout

from structgen.automata.build import canonical
from structgen.automata.dfa import START
from structgen.tables import Int32Array, Tables
from structgen.vocabulary import Vocabulary

_FIRST_ROWS = 16
_FIRST_CROSSING = 1 << 12


class MaskStore:
    """Entries for one vocabulary; grows as terminal states are met. Safe for several threads.

    ``rows`` int32 (capacity, words): inside masks; ``entries`` int32: see `structgen_kernels.layout`. Both are
    replaced, never changed in what they already hold, when they grow; take them anew after `entry`.
    ``trie`` int32 (nodes + 1, 3): (byte | depth << 8, end, first token) per node. ``is_byte_complete``: see
    `Vocabulary`.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        trie = vocabulary.trie
        self.vocabulary = vocabulary
        self.is_byte_complete = vocabulary.is_byte_complete
        self.n_words = (vocabulary.size + 31) // 32
        packed = np.zeros((trie.n_nodes + 1, 3), np.int32)
        packed[:-1, 0] = trie.byte.astype(np.int32) | (trie.depth.astype(np.int32) << 8)
        packed[:-1, 1] = trie.end
        packed[:, 2] = trie.token_begin
        packed.flags.writeable = False
        self.trie: Int32Array = packed
        # a copy in memory: memory-mapped and plain arrays would compile the kernels twice
        self.token_ids: Int32Array = np.array(trie.token_ids, np.int32)
        self.token_ids.flags.writeable = False
        self.rows: Int32Array = np.zeros((_FIRST_ROWS, self.n_words), np.int32)
        self.entries: Int32Array = np.zeros(_FIRST_CROSSING, np.int32)
        self._n_rows = 0
        self._n_entries = 0
        self._offsets: dict[bytes, int] = {}
        self._by_origin: dict[tuple[bytes, int], int] = {}  # spares finding the residual automaton again
        self._lock = threading.Lock()

    @property
    def n_rows(self) -> int:
        """Number of entries."""
        return self._n_rows

    @property
    def nbytes(self) -> int:
        return int(self.rows.nbytes + self.entries.nbytes + self.trie.nbytes + self.token_ids.nbytes)

    def entry(self, tables: Tables, state: int) -> int:
        """Offset in ``entries`` of a terminal state's entry, computed when it is new."""
        if state < tables.n_terminal_states:
            return self._table_entry(tables, state)
        return self._counted_entry(tables, state)

    def adopt(self, digest: bytes, row: Int32Array, crossing: Int32Array) -> int:
        """Offset of the entry ``digest``, taken from an artifact when the store does not have it yet."""
        with self._lock:
            known = self._offsets.get(digest)
            if known is None:
                known = self._offsets[digest] = self._append(row, crossing)
            return known

    def read(self, offset: int) -> tuple[bytes, Int32Array, Int32Array]:
        """(digest, inside row, crossing nodes) of the entry at ``offset``, for an artifact."""
        with self._lock:
            digest = next(key for key, value in self._offsets.items() if value == offset)
            entry = self.entries[offset:]
            size = int(entry[layout.ENTRY_BEGIN + 256])
            row = self.rows[entry[layout.ENTRY_ROW]].copy()
            return digest, row, entry[layout.ENTRY_HEAD : size].copy()

    def _table_entry(self, tables: Tables, state: int) -> int:
        from structgen_kernels.store import walk_table

        origin = tables.origin(state)
        known = self._by_origin.get(origin)
        if known is not None:
            return known
        table, accepting = _residual_table(tables, state)
        residual = canonical(table, accepting)
        wide = np.ascontiguousarray(residual.transitions[:, residual.byte_class])

        def walk(row: Int32Array, crossing: Int32Array) -> int:
            count: int = walk_table(
                self.trie, self.token_ids, wide, residual.accepting, START, row, crossing
            )
            return count

        offset = self._by_origin[origin] = self._entry(residual.digest, walk)
        return offset

    def _counted_entry(self, tables: Tables, state: int) -> int:
        from structgen_kernels.store import walk_counted

        counted = _CountedState(tables, state, int(self.vocabulary.trie.max_depth))

        def walk(row: Int32Array, crossing: Int32Array) -> int:
            count: int = walk_counted(
                self.trie,
                self.token_ids,
                counted.units,
                counted.unit,
                counted.remaining,
                counted.needed,
                counted.tail,
                int(counted.tail[0]),
                row,
                crossing,
            )
            return count

        return self._entry(counted.digest, walk)

    def _entry(self, digest: bytes, walk: Callable[[Int32Array, Int32Array], int]) -> int:
        with self._lock:
            known = self._offsets.get(digest)
            if known is not None:
                return known
            row = np.zeros(self.n_words, np.int32)
            crossing = np.zeros(_FIRST_CROSSING, np.int32)
            count = walk(row, crossing)
            if count > crossing.shape[0]:
                crossing = np.zeros(count, np.int32)
                row[:] = 0
                walk(row, crossing)
            offset = self._append(row, crossing[:count])
            self._offsets[digest] = offset
            return offset

    def _append(self, row: Int32Array, crossing: Int32Array) -> int:
        if self._n_rows == self.rows.shape[0]:
            rows = np.zeros((2 * self._n_rows, self.n_words), np.int32)
            rows[: self._n_rows] = self.rows
            self.rows = rows
        self.rows[self._n_rows] = row
        labels = self.trie[crossing, 0] & 255
        order = np.argsort(labels, kind="stable")
        offset, size = self._n_entries, layout.ENTRY_HEAD + crossing.shape[0]
        if offset + size > self.entries.shape[0]:
            entries = np.zeros(max(2 * self.entries.shape[0], offset + size), np.int32)
            entries[:offset] = self.entries[:offset]
            self.entries = entries
        self.entries[offset + layout.ENTRY_ROW] = self._n_rows
        begin = offset + layout.ENTRY_BEGIN
        self.entries[begin] = layout.ENTRY_HEAD
        counts = np.bincount(labels, minlength=256)
        self.entries[begin + 1 : begin + 257] = layout.ENTRY_HEAD + np.cumsum(counts)
        self.entries[offset + layout.ENTRY_HEAD : offset + size] = crossing[order]
        self._n_rows += 1
        self._n_entries += size
        return offset


def _residual_table(tables: Tables, state: int) -> tuple[Int32Array, npt.NDArray[np.bool_]]:
    """The part of a terminal's table that ``state`` reaches, as int32 (states, 256) with it as state 1."""
    static, classes = tables.static, tables.classes
    rows = static[static[layout.ROW] :]
    maps = static[static[layout.CLASS_MAP] :]
    flags = static[static[layout.FLAGS] :]
    number = {0: 0, state: 1}
    order = [0, state]
    table = [np.zeros(256, np.int64)]
    while len(table) < len(order):
        current = order[len(table)]
        columns = classes[maps[current] : maps[current] + 256]
        after = static[rows[current] + columns.astype(np.int64)]
        for target in np.unique(after).tolist():
            if target not in number:
                number[target] = len(order)
                order.append(target)
        table.append(after)
    lookup_keys = np.array(sorted(number), np.int64)
    lookup = np.array([number[key] for key in lookup_keys.tolist()], np.int32)
    stacked = lookup[np.searchsorted(lookup_keys, np.stack(table))]
    accepting = (flags[np.array(order, np.int64)] & layout.ACCEPTS) != 0
    accepting[0] = False
    return np.ascontiguousarray(stacked, dtype=np.int32), accepting


class _CountedState:
    """A counted state with its counts cut to what one token can see: the longest token's length."""

    def __init__(self, tables: Tables, state: int, longest: int) -> None:
        from structgen_kernels.terminals import block_of

        static = tables.static
        block = static[block_of(static, state) :][: layout.BLOCK_SIZE]
        units = int(block[layout.BLOCK_UNITS])
        count, unit = divmod(state - int(block[layout.BLOCK_BASE]), units)
        minimum, maximum = int(block[layout.BLOCK_MINIMUM]), int(block[layout.BLOCK_MAXIMUM])
        begun = 0 if unit == 0 else 1
        self.unit = unit
        self.units: Int32Array = static[block[layout.BLOCK_TABLE] :][: units * 256].reshape(units, 256)
        self.needed = min(max(minimum - count, 0), longest + 1)
        left = maximum - count - begun
        self.remaining = -1 if maximum < 0 or left > longest else left
        self.tail = self._read_tail(tables, block)
        content = hashlib.blake2b(b"counted", digest_size=16)
        content.update(self.units.tobytes())
        content.update(repr((self.unit, self.needed, self.remaining)).encode())
        content.update(self.tail.tobytes())
        self.digest = content.digest()

    @staticmethod
    def _read_tail(tables: Tables, block: Int32Array) -> npt.NDArray[np.uint8]:
        static = tables.static
        tail = [int(block[layout.BLOCK_TAIL_BYTE])]
        state = int(block[layout.BLOCK_TAIL_STATE])
        while True:
            bits = static[static[layout.ALIVE] + 8 * state :][:8].view(np.uint8)
            following = np.flatnonzero(np.unpackbits(bits, bitorder="little"))
            if following.shape[0] == 0:
                return np.array(tail, np.uint8)
            byte = int(following[0])
            column = tables.classes[static[static[layout.CLASS_MAP] + state] + byte]
            state = int(static[static[static[layout.ROW] + state] + column])
            tail.append(byte)
