"""The mask store: terminal states against the vocabulary, computed once and shared by all grammars.

An entry is addressed by what may still follow in the terminal (the minimal automaton of that language), not
by the grammar it was met in: the inside of a JSON string is one entry, whatever the schema.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable

import numpy as np
from structgen_kernels import layout

from structgen.tables import Int32Array, StateTables
from structgen.vocabulary import Vocabulary

_FIRST_ROWS = 16
_FIRST_CROSSING = 1 << 12
_SHARED_STATES = 40  # an entry is shared between automata when what may follow has at most so many states
NO_TEXT, TEXT, STOP = range(3)  # what an id is to a matcher
_OWN_TABLE_STATES = 256  # a terminal of so many states is walked by a table of its own, 256 kB


class MaskStore:
    """Entries for one vocabulary; grows as terminal states are met. Safe for several threads.

    ``rows`` int32 (capacity, words): inside masks; ``entries`` int32: see `structgen_kernels.layout`. Both
    are replaced, never changed in what they already hold, when they grow; take them anew after `entry`.
    ``trie`` int32 (nodes + 1, 4): (byte | depth << 8, end, first token, parent) per node. ``token_ids`` int32
    (tokens + 256,): ids in the order of the trie; then, by byte, the root's child, 0 where there is none.
    ``is_byte_complete``: see `Vocabulary`. ``kinds``: TEXT, STOP or NO_TEXT of each id.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        trie = vocabulary.trie
        self.vocabulary = vocabulary
        self.is_byte_complete = vocabulary.is_byte_complete
        self.longest_token = trie.max_depth
        self.n_words = (vocabulary.size + 31) // 32
        packed = np.zeros((trie.n_nodes + 1, 4), np.int32)
        packed[:-1, 0] = trie.byte.astype(np.int32) | (trie.depth.astype(np.int32) << 8)
        packed[:-1, 1] = trie.end
        packed[:, 2] = trie.token_begin
        packed[:-1, 3] = trie.parent
        packed.flags.writeable = False
        self.trie: Int32Array = packed
        # a copy in memory: memory-mapped and plain arrays would compile the kernels twice
        self.token_ids: Int32Array = np.concatenate(
            [np.array(trie.token_ids, np.int32), _first_nodes(packed)]
        )
        self.token_ids.flags.writeable = False
        self.kinds = _kinds_of(vocabulary)
        self.rows: Int32Array = np.zeros((_FIRST_ROWS, self.n_words), np.int32)
        self.entries: Int32Array = np.zeros(_FIRST_CROSSING, np.int32)
        self._n_rows = 0
        self._n_entries = 0
        self._offsets: dict[bytes, int] = {}
        self._by_origin: dict[tuple[bytes, int], bytes] = {}  # spares finding residual automata again
        self._lock = threading.Lock()

    @property
    def n_rows(self) -> int:
        """Number of entries."""
        return self._n_rows

    @property
    def nbytes(self) -> int:
        return int(self.rows.nbytes + self.entries.nbytes + self.trie.nbytes + self.token_ids.nbytes)

    def entry(self, tables: StateTables, state: int) -> int:
        """Offset in ``entries`` of a terminal state's entry, computed when it is new."""
        digest = self._digest(tables, state)
        with self._lock:
            known = self._offsets.get(digest)
            if known is None:
                known = self._offsets[digest] = self._append(*self._found(tables, state))
            return known

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
            row, crossing = self._content(offset)
            return digest, row, crossing

    def _digest(self, tables: StateTables, state: int) -> bytes:
        if state >= tables.n_terminal_states:
            return _digest_of_counted_state(tables, state)
        digest, local, is_head = tables.origin(state)
        if is_head:  # what follows is no table; the counted terminal's digest and the place say it all
            return hashlib.blake2b(b"head %d" % local + digest, digest_size=16).digest()
        known = self._by_origin.get((digest, local))
        if known is None:
            known = self._by_origin[digest, local] = _digest_of_table_state(tables, state)
        return known

    def _found(self, tables: StateTables, state: int) -> tuple[Int32Array, Int32Array]:
        """(inside row, crossing nodes) of a terminal state, from a similar state's where there is one."""
        from structgen_kernels.store import base_of

        base = 0
        if state < tables.n_terminal_states:
            base = int(base_of(tables.static, tables.classes, state))
        if base == 0:
            return self._walked(tables, state)
        digest = self._digest(tables, base)
        if digest not in self._offsets:
            self._offsets[digest] = self._append(*self._walked(tables, base))
        return self._differing(tables, state, base, self._offsets[digest])

    def _walked(self, tables: StateTables, state: int) -> tuple[Int32Array, Int32Array]:
        walk = self._walk_of(tables, state)
        crossing = np.zeros(_FIRST_CROSSING, np.int32)
        while True:
            row = np.zeros(self.n_words, np.int32)
            count = walk(row, crossing)
            if count <= crossing.shape[0]:
                return row, crossing[:count]
            crossing = np.zeros(count, np.int32)

    def _walk_of(self, tables: StateTables, state: int) -> Callable[[Int32Array, Int32Array], int]:
        """The kernel that suits a state, to be called with a cleared row and room for crossing nodes."""
        from structgen_kernels.store import residual_table, walk_counted, walk_table, walk_terminal
        from structgen_kernels.store_bounded import walk_bounded

        static, classes, trie, token_ids = tables.static, tables.classes, self.trie, self.token_ids
        if state >= tables.n_terminal_states:
            block = _block_of(tables, state)
            tail = np.frombuffer(_tail_of(tables, block), np.uint8)
            walk = walk_bounded if block[layout.BLOCK_KIND] == layout.BOUNDED else walk_counted
            return lambda row, crossing: walk(static, trie, token_ids, state, tail, row, crossing)
        table = np.zeros(_OWN_TABLE_STATES * 256, np.int32)
        accepting = np.zeros(_OWN_TABLE_STATES, np.bool_)
        if residual_table(static, classes, state, table, accepting):
            return lambda row, crossing: walk_table(trie, token_ids, table, accepting, row, crossing)
        return lambda row, crossing: walk_terminal(static, classes, trie, token_ids, state, row, crossing)

    def _differing(
        self, tables: StateTables, state: int, base: int, offset: int
    ) -> tuple[Int32Array, Int32Array]:
        from structgen_kernels.store import walk_difference

        gained = lost = np.zeros(0, np.int32)
        while True:
            row, crossing = self._content(offset)
            n_gained, n_lost = walk_difference(
                tables.static, tables.classes, self.trie, self.token_ids, state, base, row, gained, lost
            )
            if n_gained <= gained.shape[0] and n_lost <= lost.shape[0]:
                kept = crossing[~np.isin(crossing, lost[:n_lost])]
                return row, np.concatenate([kept, gained[:n_gained]])
            gained, lost = np.zeros(n_gained, np.int32), np.zeros(n_lost, np.int32)

    def _content(self, offset: int) -> tuple[Int32Array, Int32Array]:
        entry = self.entries[offset:]
        size = int(entry[layout.ENTRY_BEGIN + 256])
        return self.rows[entry[layout.ENTRY_ROW]].copy(), entry[layout.ENTRY_HEAD : size].copy()

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


def _first_nodes(trie: Int32Array) -> Int32Array:
    """The root's child for each byte; its children lie far apart in memory."""
    first = np.zeros(256, np.int32)
    node = 1
    while node < trie[0, 1]:
        first[trie[node, 0] & 255] = node
        node = int(trie[node, 1])
    return first


def _kinds_of(vocabulary: Vocabulary) -> bytes:
    kinds = bytearray(TEXT if text else NO_TEXT for text in vocabulary.tokens)
    for token in vocabulary.eos_token_ids:
        kinds[token] = STOP
    return bytes(kinds)


def _digest_of_table_state(tables: StateTables, state: int) -> bytes:
    """Of what may follow: the minimal automaton, written down in one way only.

    A large one is not written down: it is hardly ever met in another automaton.
    """
    from structgen_kernels.store import residual_runs

    runs = np.empty(_SHARED_STATES * 513, np.int32)
    size = residual_runs(tables.static, tables.classes, state, _SHARED_STATES, runs)
    if size:
        return hashlib.blake2b(runs[:size].tobytes(), digest_size=16).digest()
    digest, local, _ = tables.origin(state)
    return hashlib.blake2b(b"state %d" % local + digest, digest_size=16).digest()


def _digest_of_counted_state(tables: StateTables, state: int) -> bytes:
    """Of what may follow: the unit or content, where in it, how many more may and must come, the tail."""
    static = tables.static
    block = _block_of(tables, state)
    units = int(block[layout.BLOCK_UNITS])
    count, unit = divmod(state - int(block[layout.BLOCK_BASE]), units)
    minimum, maximum = int(block[layout.BLOCK_MINIMUM]), int(block[layout.BLOCK_MAXIMUM])
    longest = int(static[layout.LONGEST_TOKEN])
    if block[layout.BLOCK_KIND] == layout.BOUNDED:
        far = longest + int(block[layout.BLOCK_GREATEST]) + 2
        content = hashlib.blake2b(b"bounded", digest_size=16)
        content.update(static[block[layout.BLOCK_DIGEST] :][:4].tobytes())
        content.update(repr((unit, min(maximum - count, far), _tail_of(tables, block))).encode())
        return content.digest()
    # no token is long enough to see further than this
    needed = min(max(minimum - count, 0), longest + 2)
    left = -1 if maximum < 0 else min(maximum - count, longest + 2)
    if left == longest + 2:
        left = -1
    content = hashlib.blake2b(b"counted", digest_size=16)
    content.update(static[block[layout.BLOCK_TABLE] :][: units * 256].tobytes())
    content.update(repr((unit, needed, left, _tail_of(tables, block))).encode())
    return content.digest()


def _block_of(tables: StateTables, state: int) -> Int32Array:
    from structgen_kernels.terminals import block_of

    return tables.static[block_of(tables.static, state) :][: layout.BLOCK_SIZE]


def _tail_of(tables: StateTables, block: Int32Array) -> bytes:
    static = tables.static
    tail = [int(block[layout.BLOCK_TAIL_BYTE])]
    state = int(block[layout.BLOCK_TAIL_STATE])
    while True:
        bits = np.ascontiguousarray(static[static[layout.ALIVE] + 8 * state :][:8]).view(np.uint8)
        following = np.flatnonzero(np.unpackbits(bits, bitorder="little"))
        if following.shape[0] == 0:
            return bytes(tail)
        byte = int(following[0])
        column = tables.classes[static[static[layout.CLASS_MAP] + state] + byte]
        state = int(static[static[static[layout.ROW] + state] + column])
        tail.append(byte)
