"""The running state of a grammar with a lexer: what `Machine` is for the others, over tables of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from structgen_kernels import layout, lexed, lexed_layout, lexed_masks, lexed_parser, lexed_records

from structgen.errors import CompileLimitError
from structgen.lexed_store import LexedStore
from structgen.lexing.tables import LexedTables
from structgen.mask_store import MaskStore
from structgen.tables import Int32Array

_FIRST_POOL = 1 << 14
_FIRST_TABLE = 1 << 11
_FIRST_SCRATCH = 1 << 12
_MAX_POOL = 1 << 29  # words; a record's number must fit in 31 bits
_MASK_BYTES = 64 << 20  # of masks kept; older ones make room


class LexedMachine:
    """Configurations of one grammar over one vocabulary. All methods are thread-safe.

    A configuration is a positive int; 0 means refused.
    """

    def __init__(self, tables: LexedTables, store: MaskStore, lexed_store: LexedStore | None = None) -> None:
        self.tables = tables
        self.store = store
        self.lexed_store = LexedStore(tables, store) if lexed_store is None else lexed_store
        self._blob = store.vocabulary.blob
        self._offsets = store.vocabulary.offsets
        self._lock = threading.Lock()
        self._pool: Int32Array = np.zeros(_FIRST_POOL, np.int32)
        self._pool[layout.POOL_USED] = layout.POOL_HEADER
        self._interned: Int32Array = np.zeros(_FIRST_TABLE, np.int32)
        self._steps: npt.NDArray[np.int64] = np.zeros(2 * _FIRST_TABLE, np.int64)
        self._scratch: npt.NDArray[np.int64] = np.zeros(_FIRST_SCRATCH, np.int64)
        slots = max(16, _MASK_BYTES // max(4 * store.n_words, 1))
        self._most_masks = slots
        self._masks: Int32Array = np.zeros((16, store.n_words), np.int32)
        self._mask_of: Int32Array = np.zeros(slots, np.int32)  # the configuration that each slot is for
        self._n_masks = 0
        self.start = self._run(lexed.start_configuration)

    @property
    def is_satisfiable(self) -> bool:
        """False when the vocabulary's tokens can spell no text of the grammar."""
        return self.start != 0

    def advance(self, config: int, data: npt.NDArray[np.uint8]) -> int:
        """The configuration after ``data`` uint8 (n,); 0 when refused."""
        with self._lock:
            return self._run(lexed.advance, config, data)

    def accept(self, config: int, token: int) -> int:
        """The configuration after the bytes of one token id, which must have some; 0 when refused."""
        with self._lock:
            return self._run(
                lexed.advance, config, self._blob[self._offsets[token] : self._offsets[token + 1]]
            )

    def fill(self, config: int, bitmask: Int32Array, row: int) -> None:
        """Write the mask of ``config`` into ``bitmask[row]``, int32 (rows, words) and C-contiguous."""
        with self._lock:
            place = config + 2 + int(self._pool[config + 1])
            slot = int(self._pool[place]) - 1
            if slot < 0:
                slot = self._free_slot()
                self._compute(config, self._masks[slot])
                self._mask_of[slot] = config
                self._pool[place] = slot + 1
            n_words = self.store.n_words
            bitmask[row, :n_words] = self._masks[slot]
            bitmask[row, n_words:] = 0

    def is_accepting(self, config: int) -> bool:
        """True when the text so far is complete."""
        with self._lock:
            return bool(self._run(lexed.accepts, config))

    def leads_on(self, config: int) -> bool:
        """True when more text may follow."""
        return bool(self.following_bytes(config).any())

    def following_bytes(self, config: int) -> npt.NDArray[np.bool_]:
        """bool (256,): the bytes that may come next."""
        out = np.zeros(256, np.uint8)
        with self._lock:
            self._run(lexed.following, config, out)
        return out.astype(np.bool_)

    def forced(self, config: int, limit: int = 1 << 12) -> bytes:
        """The bytes that must follow, up to where there is a choice or the text may end."""
        found = bytearray()
        while len(found) < limit and not self.is_accepting(config):
            following = np.flatnonzero(self.following_bytes(config))
            if following.shape[0] != 1:
                break
            found.append(int(following[0]))
            config = self.advance(config, np.array(following, np.uint8))
        return bytes(found)

    @property
    def nbytes(self) -> int:
        """Bytes of memory held by the records and masks (the store not counted)."""
        arrays = (self._pool, self._interned, self._steps, self._scratch, self._masks, self._mask_of)
        return int(sum(array.nbytes for array in arrays))

    def work(self) -> dict[str, int]:
        """Counters of the work done so far: entries walked, masks computed, records and steps kept."""
        pool = self._pool
        return {
            "nodes_walked": int(pool[layout.POOL_WALKED]),
            "masks_computed": int(pool[layout.POOL_COMPUTED]),
            "records": int(pool[layout.POOL_INTERNED]),
            "steps": int(pool[layout.POOL_STEPS]),
        }

    def _free_slot(self) -> int:
        """A row for a mask, at last that of the configuration whose mask was made first."""
        slot = self._n_masks % self._most_masks
        self._n_masks += 1
        if slot == self._masks.shape[0]:
            grown = np.zeros((min(2 * slot, self._most_masks), self.store.n_words), np.int32)
            grown[:slot] = self._masks
            self._masks = grown
        owner = int(self._mask_of[slot])
        if owner:
            self._pool[owner + 2 + int(self._pool[owner + 1])] = 0
            self._mask_of[slot] = 0
        return slot

    def _compute(self, config: int, out: Int32Array) -> None:
        while True:
            store = self.lexed_store
            status = int(
                lexed_masks.compute_mask(
                    self.tables.static,
                    self._pool,
                    self._interned,
                    self._steps,
                    self._scratch,
                    store.entries,
                    store.lists,
                    store.rows,
                    config,
                    out,
                )
            )
            if status > 0:
                return
            self._make_room(status)

    def _run(self, kernel: Callable[..., int], *arguments: object) -> int:
        while True:
            result = int(
                kernel(
                    self.tables.static, self._pool, self._interned, self._steps, self._scratch, *arguments
                )
            )
            if result >= 0:
                return result
            self._make_room(result)

    def _make_room(self, status: int) -> None:
        """Grow what the kernel found too small, or fetch the store entry that it wants."""
        if status == layout.NEED_POOL:
            size = 2 * self._pool.shape[0]
            if size > _MAX_POOL:
                raise CompileLimitError("max_pool_words", _MAX_POOL, size, fixed=True)
            pool = np.zeros(size, np.int32)
            pool[: self._pool.shape[0]] = self._pool
            self._pool = pool
        elif status == layout.NEED_INTERNED:
            interned = np.zeros(2 * self._interned.shape[0], np.int32)
            lexed_records.rehash(self._pool, self._interned, interned)
            self._interned = interned
        elif status == layout.NEED_STEPS:
            steps = np.zeros(2 * self._steps.shape[0], np.int64)
            lexed_records.rehash_steps(self._steps, steps)
            self._steps = steps
        elif status == layout.NEED_SCRATCH:
            self._scratch = np.zeros(4 * self._scratch.shape[0], np.int64)
        else:
            lexical = int(self._pool[layout.POOL_WANTED])
            mode = int(self._pool[lexed_layout.POOL_MODE])
            offset = self.lexed_store.entry(lexical, mode)
            key = int(lexed_masks.entry_key(self.tables.static, lexical, mode))
            while lexed_records.keep_step(self._pool, self._steps, key, offset) < 0:
                self._make_room(layout.NEED_STEPS)


__all__ = ["LexedMachine", "lexed_parser"]
