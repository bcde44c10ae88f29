"""The running state of a grammar with a lexer: what `Machine` is for the others, over tables of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from structgen_kernels import (
    layout,
    lexed,
    lexed_layout,
    lexed_masks,
    lexed_records,
    lexed_transfer,
    machine,
    whole_masks,
)
from structgen_kernels.shared_memory import address_of

from structgen.errors import CompileLimitError
from structgen.growth import Growth
from structgen.lexed_store import LexedStore
from structgen.lexing.tables import LexedTables
from structgen.mask_store import MaskStore
from structgen.tables import Int32Array
from structgen.threads import readers

_FIRST_POOL = 1 << 14
_FIRST_TABLE = 1 << 11
_FIRST_SCRATCH = 1 << 12
_MAX_POOL = 1 << 29  # words; a record's number must fit in 31 bits
_MOST_TRIED = 1 << 22  # words of records that masks are worked out with, before they are thrown away
_MASK_BYTES = 64 << 20  # of masks kept; older ones make room
_FIRST_MASKS = 64  # slots of their table


class _Records:
    """Room for records: a pool, the table that interns them, the memo of steps, and working room."""

    __slots__ = ("interned", "pool", "scratch", "steps")

    def __init__(self) -> None:
        self.pool: Int32Array = np.zeros(_FIRST_POOL, np.int32)
        self.interned: Int32Array = np.zeros(_FIRST_TABLE, np.int32)
        self.steps: npt.NDArray[np.int64] = np.zeros(2 * _FIRST_TABLE, np.int64)
        self.scratch: npt.NDArray[np.int64] = np.zeros(_FIRST_SCRATCH, np.int64)
        self.pool[layout.POOL_USED] = layout.POOL_HEADER

    @property
    def nbytes(self) -> int:
        return int(self.pool.nbytes + self.interned.nbytes + self.steps.nbytes + self.scratch.nbytes)

    def clear(self) -> None:
        """Drop all records; counters of work stay."""
        self.pool[layout.POOL_USED] = layout.POOL_HEADER
        self.pool[layout.POOL_INTERNED] = self.pool[layout.POOL_STEPS] = 0
        self.interned[:] = 0
        self.steps[:] = 0

    def grow(self, status: int) -> None:
        """Make more of what a kernel found too small."""
        if status == layout.NEED_POOL:
            size = 2 * self.pool.shape[0]
            if size > _MAX_POOL:
                raise CompileLimitError("max_pool_words", _MAX_POOL, size, fixed=True)
            pool = np.zeros(size, np.int32)
            pool[: self.pool.shape[0]] = self.pool
            self.pool = pool
        elif status == layout.NEED_INTERNED:
            interned = np.zeros(2 * self.interned.shape[0], np.int32)
            lexed_records.rehash(self.pool, self.interned, interned)
            self.interned = interned
        elif status == layout.NEED_STEPS:
            steps = np.zeros(2 * self.steps.shape[0], np.int64)
            lexed_records.rehash_steps(self.steps, steps)
            self.steps = steps
        elif status == layout.NEED_SCRATCH:
            self.scratch = np.zeros(4 * self.scratch.shape[0], np.int64)
        else:
            raise ValueError(f"a kernel returned the status {status}")


class LexedMachine:
    """Configurations of one grammar over one vocabulary. All methods are thread-safe.

    A configuration is a positive int; 0 means refused. Records of texts stay; those of terminals that
    masks try are kept apart and thrown away when they are many. ``place``: the address of a cell that tells
    kernels where the masks are, so that `fill_bitmasks` reads them without a lock.
    """

    def __init__(
        self,
        tables: LexedTables,
        store: MaskStore,
        lexed_store: LexedStore | None = None,
        growth: Growth | None = None,
    ) -> None:
        self.growth = Growth() if growth is None else growth
        self.tables = tables
        self.store = store
        self.lexed_store = LexedStore(tables, store) if lexed_store is None else lexed_store
        self._blob = store.vocabulary.blob
        self._offsets = store.vocabulary.offsets
        self._lock = threading.Lock()
        self._texts = _Records()
        self._tried = _Records()
        self._moved: Int32Array = np.zeros(_FIRST_POOL, np.int32)
        self._most_masks = max(16, _MASK_BYTES // max(4 * store.n_words, 1))
        # words by configuration, oldest first; changed with the lock only, read without
        self._masks: dict[int, Int32Array] = {}
        self._cell = np.zeros(layout.VIEW_SIZE, np.int64)
        self.place = address_of(self._cell)
        self._cell[whole_masks.KIND] = whole_masks.WHOLE_MASKS
        self._cell[whole_masks.N_WORDS] = store.n_words
        self._table = self._new_table(_FIRST_MASKS)
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
            data = self._blob[self._offsets[token] : self._offsets[token + 1]]
            return self._run(lexed.advance, config, data)

    def fill(self, config: int, bitmask: Int32Array, row: int) -> bool:
        """Write the mask of ``config`` into ``bitmask[row]``, int32 (rows, words) and C-contiguous; False
        where its rows are too short.
        """
        n_words = self.store.n_words
        if bitmask.shape[1] < n_words:
            return False
        words = self._masks.get(config)
        if words is None:
            words = self._new_mask(config)
        bitmask[row, :n_words] = words
        bitmask[row, n_words:] = 0
        return True

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
            data = following.astype(np.uint8)
            data.flags.writeable = False  # as kernels are compiled for
            config = self.advance(config, data)
        return bytes(found)

    @property
    def nbytes(self) -> int:
        """Bytes of memory held by the records and masks (the store not counted)."""
        masks = len(self._masks) * 4 * self.store.n_words
        kept = masks + int(self._moved.nbytes + self._table.nbytes)
        return self._texts.nbytes + self._tried.nbytes + kept

    @property
    def is_retired(self) -> bool:
        """True when matchers should go on in the grammar's next machine."""
        return self.growth.is_over

    def settle(self) -> None:
        """A matcher has moved here with its text: what that took is no reason to retire."""
        self.growth.leave_room(self._texts.nbytes)

    def work(self) -> dict[str, int]:
        """Counters of the work done so far: entries walked, masks computed, records and steps kept."""
        return {
            "nodes_walked": int(self._tried.pool[layout.POOL_WALKED]),
            "masks_computed": int(self._tried.pool[layout.POOL_COMPUTED]),
            "records": int(self._texts.pool[layout.POOL_INTERNED]),
            "steps": int(self._texts.pool[layout.POOL_STEPS]),
        }

    def _run(self, kernel: Callable[..., int], *arguments: object) -> int:
        records = self._texts
        while True:
            result = int(
                kernel(
                    self.tables.static,
                    records.pool,
                    records.interned,
                    records.steps,
                    records.scratch,
                    *arguments,
                )
            )
            if result >= 0:
                return result
            records.grow(result)
            self.growth.to(records.nbytes)

    def _new_mask(self, config: int) -> Int32Array:
        with self._lock:
            known = self._masks.get(config)
            if known is None:
                known = np.zeros(self.store.n_words, np.int32)
                self._compute(config, known)
                if len(self._masks) >= self._most_masks:
                    self._drop_oldest()
                self._keep(config, known)
            return known

    def _keep(self, config: int, words: Int32Array) -> None:
        self._masks[config] = words  # first: the table is not to lead to what nobody keeps
        while not whole_masks.note(self._table, config, address_of(words)):
            before = self._table
            self._table = self._new_table(4 * len(self._masks), before)
            readers.retire(before)

    def _drop_oldest(self) -> None:
        oldest = next(iter(self._masks))
        whole_masks.note(self._table, oldest, 0)
        readers.retire(self._masks.pop(oldest))

    def _new_table(self, least: int, before: npt.NDArray[np.int64] | None = None) -> npt.NDArray[np.int64]:
        """A table of masks with room for more, of ``least`` slots, to which the cell points now."""
        slots = 1 << (least - 1).bit_length()
        table = np.zeros(whole_masks.HEAD + 2 * slots, np.int64)
        whole_masks.copy_noted(np.zeros(whole_masks.HEAD, np.int64) if before is None else before, table)
        machine.point(self._cell, whole_masks.TABLE, address_of(table))
        return table

    def _compute(self, config: int, out: Int32Array) -> None:
        tried, store = self._tried, self.lexed_store
        if tried.pool[layout.POOL_USED] > _MOST_TRIED:
            tried.clear()
            self._moved[:] = 0
        if self._moved.shape[0] < self._texts.pool.shape[0]:
            moved = np.zeros(self._texts.pool.shape[0], np.int32)
            moved[: self._moved.shape[0]] = self._moved
            self._moved = moved
        while True:
            copy = int(
                lexed_transfer.transfer(
                    self.tables.static,
                    self._texts.pool,
                    config,
                    tried.pool,
                    tried.interned,
                    self._moved,
                    tried.scratch,
                )
            )
            if copy > 0:
                break
            tried.grow(copy)
        while True:
            status = int(
                lexed_masks.compute_mask(
                    self.tables.static,
                    tried.pool,
                    tried.interned,
                    tried.steps,
                    tried.scratch,
                    store.entries,
                    store.lists,
                    store.rows,
                    copy,
                    out,
                )
            )
            if status > 0:
                return
            if status == layout.NEED_ENTRY:
                self._fetch_entry()
            else:
                tried.grow(status)

    def _fetch_entry(self) -> None:
        tried = self._tried
        lexical = int(tried.pool[layout.POOL_WANTED])
        mode = int(tried.pool[lexed_layout.POOL_MODE])
        offset = self.lexed_store.entry(lexical, mode)
        key = int(lexed_masks.entry_key(self.tables.static, lexical, mode))
        while lexed_records.keep_step(tried.pool, tried.steps, key, offset) < 0:
            tried.grow(layout.NEED_STEPS)
