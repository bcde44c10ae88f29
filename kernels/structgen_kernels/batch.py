"""Many masks in one call, from the records of many grammars.

Each grammar's machine keeps a *cell*, int64 (CELL_SIZE,) of VIEW_* below: where its arrays are. What a cell
points to stays readable while a batch is filled (`structgen.machine` sees to that), and what it pointed to
before does too. So kernels need one number a machine, and no lock.
"""

from __future__ import annotations

import numpy as np

from structgen_kernels.jit import Int, Int32Array, Int64Array, kernel
from structgen_kernels.known_masks import clear, write_mask
from structgen_kernels.layout import (
    ROW_CLEARED,
    ROW_NARROW,
    ROW_UNKNOWN,
    ROW_WRITTEN,
    VIEW_EPOCH,
    VIEW_POOL,
    VIEW_POOL_WORDS,
    VIEW_SIZE,
    VIEW_STORE,
)
from structgen_kernels.shared_memory import int32_at, int64_at, published, take

_AT_ONCE = 8  # rows that a thread takes from those left: ten microseconds, and a cache line of `done`


@kernel
def _fill_row(place: Int, config: Int, store: Int, epoch: Int, rows: Int32Array, out: Int32Array) -> Int:
    if config == 0:
        clear(out, 0)
        return ROW_CLEARED
    if config < 0:
        if -config > out.shape[0]:
            return ROW_NARROW
        words = int32_at(place, -config)
        for w in range(-config):
            out[w] = words[w]
        clear(out, -config)
        return ROW_WRITTEN
    if place == 0:
        clear(out, 0)
        return ROW_UNKNOWN
    cell = int64_at(place, VIEW_SIZE)
    if cell[VIEW_STORE] != store or published(cell, VIEW_EPOCH) != epoch:
        clear(out, 0)
        return ROW_UNKNOWN
    if rows.shape[1] > out.shape[0]:
        return ROW_NARROW
    # the address first: the size is written before it, so that it is at least that of the array
    address = published(cell, VIEW_POOL)
    pool = int32_at(address, cell[VIEW_POOL_WORDS])
    record = np.int64(published(pool, config + 3))
    # the epoch before the record: masks of older ones are gone; and after it: this one is of no newer one
    if record == 0 or cell[VIEW_EPOCH] != epoch or not write_mask(pool, rows, record, out):
        clear(out, 0)
        return ROW_UNKNOWN
    return ROW_WRITTEN


@kernel
def fill_rows(
    places: Int64Array,
    configs: Int64Array,
    store: Int,
    epoch: Int,
    rows: Int32Array,
    bitmask: Int32Array,
    done: Int64Array,
    counters: Int64Array,
    from_end: bool,
) -> None:
    """Write row i of ``bitmask`` int32 (>= n, words) from ``places[i]``, ``configs[i]``, int64 (n,).

    A positive configuration: of the machine whose cell is at the address ``places[i]`` (0: unknown), if it
    takes its rows from ``rows``, those of the store numbered ``store`` in its ``epoch``. A negative one:
    ``places[i]`` is the address of so many words. 0: the row is cleared. ``done`` int64 (n,) becomes
    ROW_WRITTEN or ROW_CLEARED, or ROW_UNKNOWN (cleared, too) where the mask has yet to be found, ROW_NARROW
    (untouched) where a mask does not fit; rows whose ``done`` is not 0 are left out.

    Several threads may call it with one ``counters`` int64 (3,), 0 at first: they share the rows. Some begin
    at the front, others (``from_end``) at the end, so that from batch to batch a row is mostly written by the
    same core. Cost: one copy of a row each.
    """
    n = places.shape[0]
    n_parts = (n + _AT_ONCE - 1) // _AT_ONCE
    while take(counters, 0, 1) < n_parts:
        # parts taken in all are no more than there are, so those from the front and from the end never meet
        part = n_parts - 1 - take(counters, 2, 1) if from_end else take(counters, 1, 1)
        for i in range(part * _AT_ONCE, min((part + 1) * _AT_ONCE, n)):
            if done[i] == 0:
                done[i] = _fill_row(places[i], configs[i], store, epoch, rows, bitmask[i])
