"""The mask store: terminal states against the vocabulary, computed once and shared by all grammars.

An entry belongs to what may still follow in the terminal, not to the grammar it was met in: the inside of a
JSON string is one entry, whatever the schema. Entries of equal content are one, and so are equal rows.

When it holds more than it may, all is thrown away and a new *epoch* begins: arrays that were handed out stay
as they are, machines see by the number of the epoch that their records point into older ones.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Hashable
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from structgen_kernels import layout
from structgen_kernels.shared_memory import address_of

from structgen import store_entries
from structgen.errors import VocabularyError
from structgen.general_store import GeneralStore
from structgen.near_entries import NearEntries
from structgen.small_pages import zeros
from structgen.store_entries import Content, Counted, Place, Profile, Trie
from structgen.tables import Int32Array, StateTables
from structgen.vocabulary import Vocabulary

NO_TEXT, TEXT, STOP = range(3)  # what an id is to a matcher
# Room that is no memory until something is written there, while growing copies all of it in the middle of a
# text: for rows, 67 MB at 131k ids, and for entries, in words and the same proportion to the vocabulary.
_FIRST_ROWS = 4096
_FIRST_ENTRIES = 1024
_NAME_BYTES = 500  # of a name in the dictionaries, roughly
_MOST_USUAL = 256  # entries that every machine begins with
_MOST_KINDS = 16  # of such beginnings
_NO_ENTRIES: Int32Array = np.zeros((0, 2), np.int32)
_LEAST_BYTES = 8 << 20  # what may always be held: more than the entries of one mask, which are needed at once


class StoreView(NamedTuple):
    """The arrays that kernels read, of one epoch: ``entries`` int32 (see `structgen_kernels.layout`) and
    ``rows`` int32 (capacity, words). Larger arrays of the same epoch begin with the same content. ``cell``
    int64: what a machine's cell has of the store that is looked at so.
    """

    epoch: int
    entries: Int32Array
    rows: Int32Array
    cell: npt.NDArray[np.int64]


class SavedContents(Protocol):
    """What an artifact knows of a grammar's terminal states."""

    def content(self, state: int, general: GeneralStore | None) -> Content | None:
        """The content of a state, None where it is not saved or cannot be put together."""
        ...


class MaskStore:
    """Entries for one vocabulary; grows as terminal states are met. Safe for several threads.

    ``trie`` int32 (nodes + 1, 4): (byte | depth << 8, end, first token, parent) per node. ``children``: see
    `structgen_kernels.trie.list_children`. ``token_ids``
    int32 (tokens + 256,): ids in the order of the trie; then, by byte, the root's child, 0 where there is
    none. ``is_byte_complete``: see `Vocabulary`. ``kinds``: TEXT, STOP or NO_TEXT of each id. ``general``:
    entries on disk to take from. ``max_bytes``: what it may hold before an epoch ends; None: no bound.
    ``walks``: the trie as the modules of entries take it. ``view``: the arrays as they are now, another
    object whenever they are others; take it anew after `entry`.
    """

    def __init__(
        self, vocabulary: Vocabulary, general: GeneralStore | None = None, max_bytes: int | None = None
    ) -> None:
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
        self.children = _children_of(packed)
        self.kinds = _kinds_of(vocabulary)
        self.general = general
        self.max_bytes = max_bytes
        self.n_found = 0  # entries that no grammar's file had, and of these (work counters)
        self.n_walked = 0  # walks of all the trie that this took
        self.walks = Trie(self.trie, self.children, self.token_ids, vocabulary.size, trie.max_depth)
        _ = self.walks.for_walks  # 2 ms at 131k ids, better now than in a text
        # where a machine finds what never changes (see `structgen_kernels.layout`)
        self._cell = np.zeros(layout.VIEW_SIZE, np.int64)
        for where, array in (
            (layout.VIEW_TRIE, self.trie),
            (layout.VIEW_CHILDREN, self.children),
            (layout.VIEW_TOKEN_IDS, self.token_ids),
            (layout.VIEW_BLOB, vocabulary.blob),
        ):
            self._cell[where : where + 2] = address_of(array), array.shape[0]
        self._cell[layout.VIEW_OFFSETS] = address_of(vocabulary.offsets)
        self._cell[layout.VIEW_IDS] = vocabulary.offsets.shape[0] - 1
        self._cell[layout.VIEW_N_WORDS] = self.n_words
        if self.is_byte_complete:  # else masks are narrowed after they were computed
            self._cell[layout.VIEW_STORE] = id(self)
        self._weights = _weights(self.n_words // 2)
        self._lock = threading.Lock()
        self._fits: tuple[StoreView, int] | None = None  # what was found not too large: view, names
        self._begin_epoch(0)

    @property
    def epoch(self) -> int:
        return self.view.epoch

    @property
    def n_entries(self) -> int:
        """How many different entries there are."""
        return len(self._by_content)

    @property
    def n_rows(self) -> int:
        """How many different rows there are."""
        return self._n_rows

    @property
    def nbytes(self) -> int:
        """Bytes of memory that entries take, the vocabulary's trie not counted."""
        arrays = 4 * (self._n_rows * self.n_words + self._n_words_used)
        return int(arrays + self._counted_bytes + _NAME_BYTES * len(self._offsets))

    def entry(self, tables: StateTables, state: int, saved: SavedContents | None = None) -> tuple[int, int]:
        """(epoch, offset in ``entries``) of a terminal state's entry, computed when it is new."""
        with self._lock:
            return self.view.epoch, self._offset(tables, state, saved, store_entries.place_of(tables, state))

    def entries_near(
        self, tables: StateTables, state: int, saved: SavedContents | None = None
    ) -> tuple[int, Int32Array]:
        """(epoch, int32 (n, 2)): (state, offset), as `entry` has it, and of states near it that are known."""
        with self._lock:
            place = store_entries.place_of(tables, state)
            entries = [
                (state, self._offset(tables, state, saved, place)),
                *self._near.near(tables, state, place),
            ]
            return self.view.epoch, np.array(entries, np.int32)

    def begun(self, usual: Hashable) -> tuple[StoreView, Int32Array]:
        """(view, int32 (n, 2)): of the table states that all grammars with ``usual`` begin with, the entries
        that one of them has asked for: (state, offset). None: there are no such states.
        """
        with self._lock:
            return self.view, self._usual.get(usual, _NO_ENTRIES)

    def note_usual(self, usual: Hashable, epoch: int, entries: Int32Array) -> None:
        """Keep entries, int32 (n, 2), for `begun`."""
        with self._lock:
            known = self._usual.get(usual, _NO_ENTRIES)
            fresh = entries[~np.isin(entries[:, 0], known[:, 0])][: _MOST_USUAL - len(known)]
            if len(self._usual) >= _MOST_KINDS:
                self._usual.clear()
            if epoch == self.view.epoch and len(fresh):
                self._usual[usual] = np.concatenate([known, fresh])

    def content(self, tables: StateTables, state: int) -> Content:
        """The content of a terminal state's entry."""
        with self._lock:
            return self._content(self._offset(tables, state, None, store_entries.place_of(tables, state)))

    def named(self) -> dict[bytes, Content]:
        """What was dear to compute in this epoch, by name, for a file."""
        with self._lock:
            return {name: self._content(offset) for name, offset in self._dear.items()}

    def contents(self) -> list[Content]:
        """All contents of this epoch."""
        with self._lock:
            return [self._content(offset) for offset in self._by_content.values()]

    def profiles(self) -> dict[bytes, Profile]:
        with self._lock:
            return {name: counted.profile for name, counted in self._counted.items()}

    def trim(self) -> None:
        """Begin a new epoch when there is more than `max_bytes`. Offsets of before mean nothing after it."""
        view, n_names = self.view, len(self._offsets)
        if self._fits is not None and self._fits[0] is view and self._fits[1] == n_names:
            return  # nothing was added since
        if self._is_full():
            with self._lock:
                if self._is_full():
                    self._begin_epoch(self.view.epoch + 1)
        else:
            self._fits = view, n_names

    def _is_full(self) -> bool:
        return self.max_bytes is not None and self.nbytes > max(self.max_bytes, _LEAST_BYTES)

    def clear(self) -> None:
        """Begin a new epoch now."""
        with self._lock:
            self._begin_epoch(self.view.epoch + 1)

    def _begin_epoch(self, epoch: int) -> None:
        rows = zeros(_FIRST_ROWS * self.n_words).reshape(-1, self.n_words)
        entries = zeros(_FIRST_ENTRIES * max(4, self.n_words))
        self._n_rows = 0
        self._n_words_used = 0
        self._offsets: dict[bytes, int] = {}  # by name
        self._near = NearEntries()
        self._by_content: dict[tuple[int, bytes], int] = {}  # by row and digest of the crossing nodes
        self._rows_by_sum: dict[int, tuple[int, ...]] = {}
        self._usual: dict[Hashable, Int32Array] = {}
        self._dear: dict[bytes, int] = {}  # by name, what took a walk of all the trie
        self._counted: dict[bytes, Counted] = {}  # by name
        self._counted_bytes = 0
        self.view = self._view_of(epoch, entries, rows)
        self._fits = None

    def _offset(self, tables: StateTables, state: int, saved: SavedContents | None, place: Place) -> int:
        name = store_entries.name_of(place)
        known = self._offsets.get(name)
        if known is None:
            content = None if saved is None else saved.content(state, self.general)
            if content is not None:
                known = self._place(content)
            else:
                known = self._found(tables, state, name)
            self._offsets[name] = known
            self._near.note(place, known)
        return known

    def _found(self, tables: StateTables, state: int, name: bytes) -> int:
        """Offset of the entry of a state that is not known by ``name``."""
        self.n_found += 1
        base = store_entries.base_state(tables, state)
        if base == 0:
            return self._found_alone(tables, state, name)
        base_place = store_entries.place_of(tables, base)
        base_name = store_entries.name_of(base_place)
        offset = self._offsets.get(base_name)
        if offset is None:
            offset = self._offsets[base_name] = self._found_alone(tables, base, base_name)
            self._near.note(base_place, offset)
        difference = store_entries.differing(self.walks, tables, state, base)
        if difference is None:
            return self._found_alone(tables, state, name)
        tokens, nodes = difference
        if tokens.shape[0] == 0 and nodes.shape[0] == 0:
            return offset
        return self._place(store_entries.changed(self.walks, self._content(offset), tokens, nodes))

    def _found_alone(self, tables: StateTables, state: int, name: bytes) -> int:
        """The same, from no other state's entry."""
        # a name first: it takes a fifth of the time of a walk of few nodes, and half of that of giving it up
        language = store_entries.name_by_language(tables, state)
        known = self._offsets.get(language) if language is not None else None
        if known is not None:
            return known
        content = None
        if self.general is not None:
            content = self.general.named(name if language is None else language)
        if content is None:
            content = store_entries.few(self.walks, tables, state)
        is_dear = content is None
        if content is None:
            content = self._computed(tables, state)
        offset = self._place(content)
        if is_dear:
            self._dear[name if language is None else language] = offset
        if language is not None:
            self._offsets[language] = offset
        return offset

    def _computed(self, tables: StateTables, state: int) -> Content:
        name = store_entries.profile_name(tables, state)
        if name is None:
            self.n_walked += 1
            return store_entries.walked(self.walks, tables, state)
        known = self._counted.get(name)
        if known is None:
            profile = None if self.general is None else self.general.profile(name)
            if profile is None:
                self.n_walked += 1
                profile = store_entries.profile(self.walks, tables, state)
            known = self._counted[name] = store_entries.Counted(self.walks, profile)
            self._counted_bytes += known.nbytes
        return known.content(tables, state)

    def _content(self, offset: int) -> Content:
        entry = self.view.entries[offset:]
        size = int(entry[layout.ENTRY_BEGIN + 256])
        return Content(self.view.rows[entry[layout.ENTRY_ROW]], entry[layout.ENTRY_HEAD : size])

    def _place(self, content: Content) -> int:
        """Offset of the entry with a content, appended when it is new."""
        row = self._row_number(content.row)
        known_as = row, hashlib.blake2b(content.crossing.data, digest_size=16).digest()
        offset = self._by_content.get(known_as)
        if offset is None:
            offset = self._by_content[known_as] = self._append_entry(row, content.crossing)
        return offset

    def _row_number(self, row: Int32Array) -> int:
        """The number of a row, appended when it is new. Those of equal sums are compared: a digest would take
        ten times as long as a sum.
        """
        pairs = row[: 2 * self._weights.shape[0]].view(np.int64)
        total = int(pairs.dot(self._weights))
        like = self._rows_by_sum.get(total, ())
        content = row.tobytes()
        for number in like:
            if self.view.rows[number].tobytes() == content:
                return number
        number = self._append_row(row)
        self._rows_by_sum[total] = (*like, number)
        return number

    def _view_of(self, epoch: int, entries: Int32Array, rows: Int32Array) -> StoreView:
        cell = self._cell.copy()
        cell[layout.VIEW_EPOCH] = epoch
        cell[layout.VIEW_ENTRIES : layout.VIEW_ENTRIES + 2] = address_of(entries), entries.shape[0]
        cell[layout.VIEW_ROWS : layout.VIEW_ROWS + 2] = address_of(rows), rows.shape[0]
        return StoreView(epoch, entries, rows, cell)

    def _has_grown(self, entries: Int32Array, rows: Int32Array) -> None:
        view = self.view
        if entries is view.entries and rows is view.rows:
            self.view = StoreView(*view)
        else:
            self.view = self._view_of(view.epoch, entries, rows)

    def _append_row(self, row: Int32Array) -> int:
        _, entries, rows, _ = self.view
        number = self._n_rows
        if number == rows.shape[0]:
            larger = zeros(2 * number * self.n_words).reshape(-1, self.n_words)
            larger[:number] = rows
            rows = larger
        rows[number] = row
        self._n_rows += 1
        self._has_grown(entries, rows)
        return number

    def _append_entry(self, row: int, crossing: Int32Array) -> int:
        _, entries, rows, _ = self.view
        offset, size = self._n_words_used, layout.ENTRY_HEAD + crossing.shape[0]
        if offset + size > entries.shape[0]:
            larger = zeros(max(2 * entries.shape[0], offset + size))
            larger[:offset] = entries[:offset]
            entries = larger
        entries[offset + layout.ENTRY_ROW] = row
        begin = offset + layout.ENTRY_BEGIN
        entries[begin] = layout.ENTRY_HEAD
        counts = np.bincount(self.trie[crossing, 0] & 255, minlength=256)
        entries[begin + 1 : begin + 257] = layout.ENTRY_HEAD + np.cumsum(counts)
        entries[offset + layout.ENTRY_HEAD : offset + size] = crossing
        self._n_words_used += size
        self._has_grown(entries, rows)
        return offset


def _weights(count: int) -> npt.NDArray[np.int64]:
    """Numbers without pattern, for sums (the mixing of SplitMix; importing a generator takes longer)."""
    z = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z.view(np.int64)


def _first_nodes(trie: Int32Array) -> Int32Array:
    """The root's child for each byte; its children lie far apart in memory."""
    first = np.zeros(256, np.int32)
    node = 1
    while node < trie[0, 1]:
        first[trie[node, 0] & 255] = node
        node = int(trie[node, 1])
    return first


def _children_of(trie: Int32Array) -> Int32Array:
    from structgen_kernels.trie import CHILD_BITS, list_children

    n_nodes = trie.shape[0] - 1
    if n_nodes >= 1 << CHILD_BITS:
        raise VocabularyError(f"token trie: at most {1 << CHILD_BITS} nodes, but the tokens need {n_nodes}")
    children = np.zeros(2 * n_nodes, np.int32)
    list_children(trie, children)
    children.flags.writeable = False
    return children


def _kinds_of(vocabulary: Vocabulary) -> bytes:
    kinds = bytearray(TEXT if text else NO_TEXT for text in vocabulary.tokens)
    for token in vocabulary.eos_token_ids:
        kinds[token] = STOP
    return bytes(kinds)
