"""What a machine does, by the address of its cell: an array as an argument would cost 0.15 us a call.

A cell, int64 (VIEW_SIZE,), says where the machine's arrays are, and leads to that of its tables (see
`layout`). The machine keeps what its cell points to, and is locked during these calls, but for `known_at`
and `accept_known_at`: they only read, and keep Python's lock, so that no array is replaced meanwhile, while
records may be added by a kernel of another thread.
"""

from __future__ import annotations

import numpy as np

from structgen_kernels import masks, parser, records
from structgen_kernels.jit import ByteArray, Int, Int32Array, Int64Array, kernel, short_kernel
from structgen_kernels.known_masks import write_mask
from structgen_kernels.layout import (
    MASK_HAS_NO_ROOM,
    MASK_UNKNOWN,
    MASK_WRITTEN,
    NEED_EXACT,
    NO_EPOCH,
    POOL_HEADER,
    POOL_USED,
    SECTIONS,
    TABLES_CLASSES,
    TABLES_CLASSES_SIZE,
    TABLES_SIZE,
    TABLES_STATIC,
    TABLES_STATIC_SIZE,
    VIEW_BLOB,
    VIEW_BLOB_SIZE,
    VIEW_CHILDREN,
    VIEW_CHILDREN_SIZE,
    VIEW_ENTRIES,
    VIEW_ENTRIES_SIZE,
    VIEW_EPOCH,
    VIEW_IDS,
    VIEW_INTERNED,
    VIEW_INTERNED_SIZE,
    VIEW_N_ROWS,
    VIEW_N_WORDS,
    VIEW_OFFSETS,
    VIEW_POOL,
    VIEW_POOL_WORDS,
    VIEW_ROWS,
    VIEW_SCRATCH,
    VIEW_SCRATCH_SIZE,
    VIEW_SIZE,
    VIEW_STEPS,
    VIEW_STEPS_SIZE,
    VIEW_STORE,
    VIEW_TABLES,
    VIEW_TOKEN_IDS,
    VIEW_TOKEN_IDS_SIZE,
    VIEW_TRIE,
    VIEW_TRIE_NODES,
    WANTED_SECTION,
)
from structgen_kernels.shared_memory import bytes_at, int32_at, int32_rows_at, int64_at, publish, published

BLOCK_HEAD = 32  # words of a machine's first block that its cell has: four lines of memory


@kernel
def point(cell: Int64Array, where: Int, address: Int) -> None:
    """Let a cell's word ``where`` point to an array whose content is complete."""
    publish(cell, where, address)


@kernel
def begin(
    block: Int64Array,
    pool: Int32Array,
    scratch: Int64Array,
    shown: Int64Array,
    tables: Int,
    entries: Int32Array,
) -> Int:
    """Lay out the first records of a machine, in memory as it was found. Returns its place.

    block int64: the cell and, from BLOCK_HEAD on, half `steps`, half `interned`; shown int64 (VIEW_SIZE,):
    what the cell has of the store; ``tables``: where the cell of the tables is; entries int32 (n, 2): as of
    `records.add_entries`; those for which there is no room are asked for when they are wanted.
    """
    block[BLOCK_HEAD:] = 0
    pool[:POOL_HEADER] = 0
    pool[POOL_USED] = POOL_HEADER
    place = np.int64(block.ctypes.data)
    size = (block.shape[0] - BLOCK_HEAD) // 2
    block[:VIEW_SIZE] = shown
    block[VIEW_TABLES] = tables
    block[VIEW_POOL] = np.int64(pool.ctypes.data)
    block[VIEW_POOL_WORDS] = pool.shape[0]
    block[VIEW_STEPS] = place + 8 * BLOCK_HEAD
    block[VIEW_STEPS_SIZE] = size
    block[VIEW_INTERNED] = place + 8 * (BLOCK_HEAD + size)
    block[VIEW_INTERNED_SIZE] = 2 * size
    block[VIEW_SCRATCH] = np.int64(scratch.ctypes.data)
    block[VIEW_SCRATCH_SIZE] = scratch.shape[0]
    interned = int32_at(block[VIEW_INTERNED], 2 * size)
    records.add_entries(pool, interned, entries)
    return place


@kernel
def start_at(place: Int, accepts_empty: Int) -> Int:
    """`parser.start_configuration` of the machine whose cell is at the address ``place``."""
    cell = int64_at(place, VIEW_SIZE)
    static, _ = _tables(cell)
    pool, interned, _, scratch = _records(cell)
    return parser.start_configuration(static, pool, interned, scratch, accepts_empty)


@short_kernel
def accept_known_at(place: Int, config: Int, token: Int) -> Int:
    """`accept_at` by steps that were taken before, or NOT_KNOWN. Needs no lock."""
    cell = int64_at(place, VIEW_SIZE)
    pool = int32_at(cell[VIEW_POOL], cell[VIEW_POOL_WORDS])
    steps = int64_at(cell[VIEW_STEPS], cell[VIEW_STEPS_SIZE])
    blob = bytes_at(cell[VIEW_BLOB], cell[VIEW_BLOB_SIZE])
    offsets = int64_at(cell[VIEW_OFFSETS], cell[VIEW_IDS] + 1)
    static, classes = _tables(cell)
    return parser.advance_known(static, classes, pool, steps, blob, offsets, config, token)


@kernel
def accept_at(place: Int, config: Int, token: Int) -> Int:
    """The configuration after the bytes of a token, which must have some; 0 when refused; or a status."""
    cell = int64_at(place, VIEW_SIZE)
    pool, interned, steps, scratch = _records(cell)
    blob = bytes_at(cell[VIEW_BLOB], cell[VIEW_BLOB_SIZE])
    offsets = int64_at(cell[VIEW_OFFSETS], cell[VIEW_IDS] + 1)
    static, classes = _tables(cell)
    data = blob[offsets[token] : offsets[token + 1]]
    return parser.advance(static, classes, pool, interned, steps, scratch, config, data)


@kernel
def advance_at(place: Int, config: Int, data: ByteArray) -> Int:
    """`parser.advance`: the configuration after ``data`` uint8 (n,); 0 when refused; or a status."""
    cell = int64_at(place, VIEW_SIZE)
    static, classes = _tables(cell)
    pool, interned, steps, scratch = _records(cell)
    return parser.advance(static, classes, pool, interned, steps, scratch, config, data)


@kernel
def forced_at(place: Int, config: Int, out: ByteArray) -> Int:
    """`parser.forced`: write the bytes that must follow; how many, or a status."""
    cell = int64_at(place, VIEW_SIZE)
    static, classes = _tables(cell)
    pool, interned, steps, scratch = _records(cell)
    return parser.forced(static, classes, pool, interned, steps, scratch, config, out)


@short_kernel
def known_at(place: Int, config: Int, bitmask: Int32Array, row: Int) -> Int:
    """Write the mask of a configuration into ``bitmask[row]``, if it was computed before.

    bitmask int32 (rows, words), C-contiguous; words past the mask are cleared. Returns MASK_WRITTEN,
    MASK_UNKNOWN, or MASK_HAS_NO_ROOM where rows have fewer words than the mask. Needs no lock: where it could
    find a mask that is not what it should be, it finds none.
    """
    cell = int64_at(place, VIEW_SIZE)
    if bitmask.shape[1] < cell[VIEW_N_WORDS]:
        return MASK_HAS_NO_ROOM
    if cell[VIEW_STORE] == 0 or cell[VIEW_EPOCH] == NO_EPOCH:
        return MASK_UNKNOWN
    pool = int32_at(cell[VIEW_POOL], cell[VIEW_POOL_WORDS])
    record = np.int64(published(pool, config + 3))
    if record != 0 and write_mask(pool, _rows(cell), record, bitmask[row]):
        return MASK_WRITTEN
    return MASK_UNKNOWN


@kernel
def fill_at(place: Int, config: Int, bitmask: Int32Array, row: Int) -> Int:
    """Compute the mask of a configuration, unless it is known, keep it, and write it into ``bitmask[row]``;
    or a status.
    """
    cell = int64_at(place, VIEW_SIZE)
    rows = _rows(cell)
    known = int32_at(cell[VIEW_POOL], cell[VIEW_POOL_WORDS])
    record = np.int64(known[config + 3])
    if record != 0 and write_mask(known, rows, record, bitmask[row]):
        return record
    entries = int32_at(cell[VIEW_ENTRIES], cell[VIEW_ENTRIES_SIZE])
    static, classes = _tables(cell)
    pool, interned, steps, scratch = _records(cell)
    trie = int32_rows_at(cell[VIEW_TRIE], cell[VIEW_TRIE_NODES], 4)
    children = int32_at(cell[VIEW_CHILDREN], cell[VIEW_CHILDREN_SIZE])
    token_ids = int32_at(cell[VIEW_TOKEN_IDS], cell[VIEW_TOKEN_IDS_SIZE])
    record = np.int64(NEED_EXACT)
    forgets = np.int64(1)  # if that does not do, once more without
    while record == NEED_EXACT and forgets >= 0:
        record = masks.compute_mask(
            static,
            classes,
            pool,
            interned,
            steps,
            scratch,
            trie,
            children,
            token_ids,
            entries,
            rows,
            config,
            rows.shape[1],
            forgets,
        )
        forgets -= 1
    if record > 0:
        write_mask(pool, rows, record, bitmask[row])
    return record


@kernel
def _tables(cell: Int64Array) -> tuple[Int32Array, ByteArray]:
    tables = int64_at(cell[VIEW_TABLES], TABLES_SIZE)
    static = int32_at(tables[TABLES_STATIC], tables[TABLES_STATIC_SIZE])
    return static, bytes_at(tables[TABLES_CLASSES], tables[TABLES_CLASSES_SIZE])


@kernel
def _rows(cell: Int64Array) -> Int32Array:
    return int32_rows_at(cell[VIEW_ROWS], cell[VIEW_N_ROWS], cell[VIEW_N_WORDS])


@kernel
def _records(cell: Int64Array) -> tuple[Int32Array, Int32Array, Int64Array, Int64Array]:
    """(pool, interned, steps, scratch). In the last no parser state is wanted yet."""
    scratch = int64_at(cell[VIEW_SCRATCH], cell[VIEW_SCRATCH_SIZE])
    scratch[WANTED_SECTION * (scratch.shape[0] // SECTIONS)] = 0
    return (
        int32_at(cell[VIEW_POOL], cell[VIEW_POOL_WORDS]),
        int32_at(cell[VIEW_INTERNED], cell[VIEW_INTERNED_SIZE]),
        int64_at(cell[VIEW_STEPS], cell[VIEW_STEPS_SIZE]),
        scratch,
    )
