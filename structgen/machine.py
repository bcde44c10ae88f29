"""The running state of one compiled grammar: records shared by all its matchers, and the room they need.

Kernels work in arrays of fixed size and return a status when one is full; this module makes room and calls
again. What it holds are caches: a `Matcher` keeps one number, its configuration.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from structgen_kernels import known_masks, layout, machine, parser, records
from structgen_kernels.layout import MASK_HAS_NO_ROOM, MASK_UNKNOWN, NEED_ENTRY, NEED_STATE, NOT_KNOWN
from structgen_kernels.machine import accept_known_at, fill_at, known_at
from structgen_kernels.shared_memory import address_of

from structgen.errors import CompileLimitError
from structgen.growing import GrowingTables
from structgen.growth import Growth
from structgen.mask_store import MaskStore, SavedContents
from structgen.schema_tables import SavedTables
from structgen.small_pages import empty, zeros
from structgen.spelling import Spelling
from structgen.tables import Int32Array, Tables
from structgen.threads import readers
from structgen.untracked import untrack_one

# Words and slots at first: four grammars of five need no more. Each time that there is no room is a step that
# takes ten times as long as others, so there is four times as much then, while it is little. The pool is no
# memory until it is written: it is not cleared, as a record is whole before anything leads to it.
_FIRST_POOL = 1 << 15
_FIRST_STEPS = 1 << 12  # and twice as many words of the table of records
_MUCH = 1 << 17  # bytes: of more, there is twice as much
_SCRATCH = 1 << 13
_NOTHING: set[int] = set()  # one for all machines that need none
_MANY_STATES = 256  # parser states: so many more are reported


class _Own(threading.local):
    """What a thread has: working room, for all machines that it runs, one after the other."""

    def __init__(self) -> None:
        self.scratch: npt.NDArray[np.int64] = np.empty(_SCRATCH, np.int64)


_own = _Own()


class Machine:
    """Configurations of one grammar over one vocabulary. All methods are thread-safe.

    A configuration is a positive int; 0 means refused. ``place``: the address of a cell that tells kernels
    where the records are; records are written once and stay, so `fill_bitmasks` reads masks without a lock.
    """

    # no dictionaries of attributes: Python's collector looks at all that kept grammars hold
    __slots__ = (
        "_blob",
        "_block",
        "_cell",
        "_epoch",
        "_grown",
        "_interned",
        "_lock",
        "_narrowed",
        "_offsets",
        "_pool",
        "_saved",
        "_scratch",
        "_shown",
        "_spelling",
        "_steps",
        "_tables_cell",
        "growth",
        "place",
        "start",
        "store",
        "tables",
    )

    def __init__(
        self,
        tables: Tables | GrowingTables,
        store: MaskStore,
        saved: SavedContents | None = None,
        growth: Growth | None = None,
        lock: threading.Lock | None = None,
    ) -> None:
        """``saved``: what a file knows of the terminal states' entries. ``lock``: of all machines with these
        tables, which may grow.
        """
        self.growth = Growth() if growth is None else growth
        self.tables = tables
        self.store = store
        self._saved = saved
        self._blob = store.vocabulary.blob
        self._offsets = store.vocabulary.offsets
        self._lock = threading.Lock() if lock is None else lock
        self._narrowed = _NOTHING  # whose masks are spellable, where not all are
        self._grown = 0  # how far the tables had, when it was last said how large they are
        self._shown, entries = store.begun(tables.usual if isinstance(tables, GrowingTables) else None)
        self._epoch = self._shown.epoch  # what the pool says of the store holds for this epoch only
        self._pool: Int32Array = np.empty(_FIRST_POOL, np.int32)
        self._scratch = _own.scratch
        # one array for all that is cleared, and for the cell, which says where all this is, for kernels
        # that are told only the place (see `layout.VIEW_STORE` and below it)
        self._block = np.empty(machine.BLOCK_HEAD + 2 * _FIRST_STEPS, np.int64)
        self._cell = self._block[: machine.BLOCK_HEAD]
        self._steps = self._block[machine.BLOCK_HEAD : machine.BLOCK_HEAD + _FIRST_STEPS]
        self._interned: Int32Array = self._block[machine.BLOCK_HEAD + _FIRST_STEPS :].view(np.int32)
        self.place: int = machine.begin(
            self._block, self._pool, self._scratch, self._shown.cell, self._place_of_tables(), entries
        )
        self.start = self._run(machine.start_at, self.place, int(tables.accepts_empty))
        self._spelling = None if store.is_byte_complete else Spelling(tables, store.vocabulary)
        if self._spelling is not None:
            self._narrowed = set()

    def untrack(self) -> None:
        """Not for the garbage collector to look at (see `structgen.untracked`)."""
        untrack_one(self)
        untrack_one(self.growth)

    @property
    def is_satisfiable(self) -> bool:
        """False when the vocabulary's tokens can spell no text of the grammar."""
        return self._spelled(self.start) != 0

    def advance(self, config: int, data: npt.NDArray[np.uint8]) -> int:
        """The configuration after ``data`` uint8 (n,); 0 when refused."""
        with self._lock:
            return self._spelled(self._run(machine.advance_at, self.place, config, data))

    def accept(self, config: int, token: int) -> int:
        """The configuration after the bytes of one token id, which must have some; 0 when refused."""
        result: int = accept_known_at(self.place, config, token)
        if result != NOT_KNOWN and self._spelling is None:
            return result
        with self._lock:
            return self._spelled(self._run(machine.accept_at, self.place, config, token))

    def fill(self, config: int, bitmask: Int32Array, row: int) -> bool:
        """Write the mask of ``config`` into ``bitmask[row]``, int32 (rows, words) and C-contiguous; False
        where its rows are too short.
        """
        if self.store.view is self._shown:
            known = known_at(self.place, config, bitmask, row)
            if known != MASK_UNKNOWN:
                return known != MASK_HAS_NO_ROOM  # type: ignore[no-any-return]
        elif bitmask.shape[1] < self.store.n_words:
            return False
        with self._lock:
            self._fill_new(config, bitmask, row)
        return True

    def is_accepting(self, config: int) -> bool:
        """True when the text so far is complete."""
        return bool(self._pool[config + 2])

    def leads_on(self, config: int) -> bool:
        """True when more text may follow."""
        return bool(self._pool[config + 1])

    def following_bytes(self, config: int) -> npt.NDArray[np.bool_]:
        """bool (256,): the bytes that may come next."""
        words = self._pool[config + 4 : config + 12].view(np.uint8)
        following = np.unpackbits(words, bitorder="little").astype(np.bool_)
        if self._pool[config + layout.CONFIG_TRACKED]:  # a byte may leave only strings that were seen
            for byte in np.flatnonzero(following).tolist():
                data = np.frombuffer(bytes([byte]), np.uint8)  # read-only, as kernels are compiled for
                with self._lock:
                    following[byte] = self._run(machine.advance_at, self.place, config, data) > 0
        return following

    def parser_states(self, config: int) -> list[int]:
        """The parser states that follow the terminals being read, each once, for messages."""
        with self._lock:
            count = int(self._pool[config + 1]) if config else 0
            first = config + layout.CONFIG_HEAD
            continuations = self._pool[first + 1 : first + 2 * count : 2]
            return list(dict.fromkeys(self._pool[continuations + 1].tolist()))

    def forced(self, config: int, limit: int = 1 << 12) -> bytes:
        """The bytes that must follow, up to where there is a choice or the text may end."""
        out = np.zeros(limit, np.uint8)
        with self._lock:
            count = self._run(machine.forced_at, self.place, config, out)
        return out[:count].tobytes()

    @property
    def nbytes(self) -> int:
        """Bytes of memory held by the records (the shared store not counted)."""
        sizes = self._cell.data  # the cell's own words, in a third of the time
        n_words = sizes[layout.VIEW_POOL_WORDS] + 2 * machine.BLOCK_HEAD
        n_words += 2 * sizes[layout.VIEW_STEPS_SIZE] + sizes[layout.VIEW_INTERNED_SIZE]
        own = 0 if self._scratch.shape[0] == _SCRATCH else self._scratch.nbytes
        return 4 * n_words + own

    @property
    def is_retired(self) -> bool:
        """True when matchers should go on in the grammar's next machine."""
        return self.growth.is_over

    def settle(self) -> None:
        """A matcher has moved here with its text: what that took is no reason to retire."""
        self.growth.leave_room(self.nbytes)

    def work(self) -> dict[str, int]:
        """Counters of the work done so far: trie nodes walked, masks computed, records and steps kept.
        Records of where the store keeps entries are not counted: some are there from the beginning.
        """
        pool = self._pool
        entries = pool[self._interned[::2]] == layout.TAG_ENTRY
        return {
            "nodes_walked": int(pool[layout.POOL_WALKED]),
            "masks_computed": int(pool[layout.POOL_COMPUTED]),
            "records": int(pool[layout.POOL_INTERNED] - np.count_nonzero(entries)),
            "steps": int(pool[layout.POOL_STEPS]),
        }

    def _run(self, kernel: Callable[..., int], *arguments: object) -> int:
        if self._scratch is not _own.scratch:
            self._work_here()
        while True:
            result = kernel(*arguments)
            if result >= 0:
                return result
            self._make_room(result)

    def _spelled(self, config: int) -> int:
        """``config``, or 0 when the vocabulary cannot spell an end for it from here."""
        if config == 0 or self._spelling is None or self._spelling.is_viable(self._pool, config):
            return config
        return 0

    def _fill_new(self, config: int, bitmask: Int32Array, row: int) -> None:
        """Write the mask of ``config``, and compute it first where it is not known."""
        if self._scratch is not _own.scratch:
            self._work_here()
        store = self.store
        store.trim()
        if store.view is not self._shown:
            self._show_store()
        if self._spelling is not None and config not in self._narrowed:
            self._pool[config + 3] = 0  # it may be too wide, where narrowing it was interrupted
        status = fill_at(self.place, config, bitmask, row)
        while status < 0:
            self._make_room(status)
            if store.view is not self._shown:
                self._show_store()
            status = fill_at(self.place, config, bitmask, row)
        if self._spelling is not None and config not in self._narrowed:
            self._drop_unspellable(config, bitmask[row])
            self._narrowed.add(config)

    def _drop_unspellable(self, config: int, row: Int32Array) -> None:
        """Replace the mask just computed and written by one without the tokens after which no end can be
        spelled.
        """
        words = row.copy()
        # it is too wide: nobody may get it, whatever happens here
        self._pool[config + 3] = 0
        row[:] = 0
        allowed = np.unpackbits(words.view(np.uint8), bitorder="little")
        for token in np.flatnonzero(allowed).tolist():
            data = self._blob[self._offsets[token] : self._offsets[token + 1]]
            if data.shape[0] and not self._spelled(self._run(machine.advance_at, self.place, config, data)):
                words[token >> 5] &= ~(np.int32(1) << np.int32(token & 31))
        self._run(self._keep_mask, config, words[: self.store.n_words])
        row[:] = words

    def _keep_mask(self, config: int, words: Int32Array) -> int:
        result: int = known_masks.keep_dense(self._pool, config, words)
        return result

    def _make_room(self, status: int) -> None:
        """Grow what the kernel found too small, or fetch the store entry that it wants."""
        if status == NEED_STATE:  # the usual one
            self._expand_wanted()
            self._tables_have_grown()
        elif status == NEED_ENTRY:
            state = int(self._pool[layout.POOL_WANTED])
            epoch, entries = self.store.entries_near(self.tables, state, self._saved)
            if epoch == self._epoch:
                self._run(self._add_entries, entries)
            tables = self.tables
            if isinstance(tables, GrowingTables) and state < tables.n_usual and tables.usual is not None:
                self.store.note_usual(tables.usual, epoch, entries)
        elif status == layout.NEED_TEXT:
            state, text = int(self._pool[layout.POOL_WANTED]), int(self._pool[layout.POOL_TEXT])
            target = self._growing().resolve(state, self._text(text))
            self._run(self._add_resolved, state, text, target)
            self._tables_have_grown()
        else:
            self._enlarge(status)
            self.growth.to(self.nbytes)

    def _tables_have_grown(self) -> None:
        """Report it, unless it is hardly so."""
        tables = self._growing()
        grown = tables.n_layouts + tables.n_parser_states // _MANY_STATES
        if grown != self._grown:
            self._grown = grown
            self.growth.to(self.nbytes)

    def _enlarge(self, status: int) -> None:
        """Make an array of records larger that a kernel found full."""
        if status == layout.NEED_POOL:
            before = self._pool
            if before.shape[0] >= layout.MAX_POOL:
                given = 2 * before.shape[0]
                raise CompileLimitError("max_pool_words", layout.MAX_POOL, given, fixed=True)
            pool = empty(min(_more(before), layout.MAX_POOL))
            pool[: before.shape[0]] = before
            self._pool = pool
            self._show_pool()
            readers.retire(before)
        elif status == layout.NEED_INTERNED:
            interned = zeros(_more(self._interned))
            records.rehash_interned(self._interned, interned)
            self._interned = interned
            self._show(layout.VIEW_INTERNED, interned)
        elif status == layout.NEED_STEPS:
            steps = zeros(2 * _more(self._steps)).view(np.int64)
            parser.rehash_steps(self._steps, steps)
            self._show(layout.VIEW_STEPS, steps)  # first: another thread may look without the lock
            self._steps = steps
        elif status == layout.NEED_SCRATCH:
            self._scratch = zeros(8 * self._scratch.shape[0]).view(np.int64)
            self._show(layout.VIEW_SCRATCH, self._scratch)
        elif status == layout.TOO_MANY_THREADS:
            given = int(self._pool[layout.POOL_WANTED])
            raise CompileLimitError("max_threads", layout.MAX_THREADS, given, fixed=True)
        else:
            raise ValueError(f"a kernel returned the status {status}")

    def _work_here(self) -> None:
        """Use this thread's working room, unless more was needed once."""
        if self._scratch.shape[0] == _SCRATCH:
            self._scratch = _own.scratch
            self._show(layout.VIEW_SCRATCH, self._scratch)

    def _expand_wanted(self) -> None:
        words = self._scratch.data  # of single words, quicker than the array
        at = layout.WANTED_SECTION * (len(words) // layout.SECTIONS)
        wanted = words[at + 1 : at + 1 + words[at]].tolist()
        words[at] = 0  # for who is interrupted here by a handler that reads texts in the same working room
        growing = self._growing()
        for state in wanted if len(wanted) == 1 else dict.fromkeys(wanted):
            growing.expand(state)
        growing.rest()

    def _show_pool(self) -> None:
        # the size first: a batch without the lock must not find the new array with the old size
        self._cell[layout.VIEW_POOL_WORDS] = self._pool.shape[0]
        machine.point(self._cell, layout.VIEW_POOL, address_of(self._pool))

    def _show(self, where: int, array: npt.NDArray[Any]) -> None:
        """The address of an array, and behind it its size."""
        words = self._cell.data
        words[where], words[where + 1] = address_of(array), array.shape[0]

    def _show_store(self) -> None:
        """Let the cell point to the store's present arrays; masks made of those of another epoch go."""
        view = self.store.view
        if view.epoch != self._epoch:
            machine.point(self._cell, layout.VIEW_EPOCH, layout.NO_EPOCH)
        if view.cell is not self._shown.cell:
            words, shown = self._cell.data, view.cell.data
            for where in (layout.VIEW_ENTRIES, layout.VIEW_ROWS):
                words[where], words[where + 1] = shown[where], shown[where + 1]
        self._shown = view  # which keeps the arrays: those before are needed until the cell points to these
        if view.epoch != self._epoch:
            records.forget_store(self._pool, self._interned)
            self._narrowed.clear()
            self._epoch = view.epoch
            # last: a batch that finds this epoch here finds no mask of another
            machine.point(self._cell, layout.VIEW_EPOCH, view.epoch)

    def _place_of_tables(self) -> int:
        """The address of the tables' cell."""
        if isinstance(self.tables, GrowingTables):
            return self.tables.place
        static, classes = self.tables.static, self.tables.classes
        self._tables_cell = np.array(
            [address_of(static), static.shape[0], address_of(classes), classes.shape[0]], np.int64
        )
        return address_of(self._tables_cell)

    def _growing(self) -> GrowingTables:
        tables = self.tables
        if isinstance(tables, GrowingTables):
            return tables
        if not isinstance(tables, SavedTables):
            raise TypeError("tables that are complete have no states to expand")
        revived = tables.revived()
        self.tables = revived
        self._cell[layout.VIEW_TABLES] = revived.place  # what it pointed to lives until here
        return revived

    def _text(self, text: int) -> bytes:
        """The bytes of a remembered text."""
        if text <= layout.TEXT_UNKNOWN:
            return b""
        copy = np.empty(int(self._pool[text + 3]), np.uint8)
        records.copy_text(self._pool, text, copy)
        return copy.tobytes()

    def _add_resolved(self, state: int, text: int, target: int) -> int:
        result: int = records.note(self._pool, self._interned, layout.TAG_RESOLVED, state, text, target)
        return result

    def _add_entries(self, entries: Int32Array) -> int:
        result: int = records.add_entries(self._pool, self._interned, entries)
        return result


def _more(array: npt.NDArray[Any]) -> int:
    """The size of the array in place of a full one."""
    more = 4 if array.nbytes <= _MUCH else 2
    return more * int(array.shape[0])
