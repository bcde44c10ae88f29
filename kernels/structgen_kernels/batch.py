"""Many masks in one call, from the records of many grammars.

Each grammar's machine keeps a *cell*, int64 (CELL_SIZE,) of VIEW_* below: where its arrays are. What a cell
points to stays readable while a batch is filled (`structgen.machine` sees to that), and what it pointed to
before does too. So kernels need one number a machine, and no lock.
"""

from __future__ import annotations

import numpy as np

from structgen_kernels.jit import Int, Int32Array, Int64Array, kernel, short_kernel
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
from structgen_kernels.shared_memory import (
    int32_at,
    int32_rows_at,
    int64_at,
    publish,
    published,
    swap_if,
)

# words of a job: those that threads write at the same time lie a cache line (8 words) apart
_FOUND, _STORE, _EPOCH, _ROWS, _N_ROWS, _N_WORDS, _OUT, _OUT_WORDS, _DONE, _N = range(10)
_TAKEN = 16
_READY = 24
JOB_SIZE = 32
_BACK_SHIFT = 32
_FRONT = (1 << _BACK_SHIFT) - 1
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
def describe(
    job: Int64Array,
    found: Int64Array,
    store: Int,
    epoch: Int,
    rows: Int32Array,
    bitmask: Int32Array,
    done: Int64Array,
) -> Int:
    """Write into ``job`` int64 (JOB_SIZE,), cleared, what `fill_shown` needs: returns its address.

    Row i of ``bitmask`` int32 (>= n, words) will be written from a place and a configuration, ``found[:, i]``
    of int64 (2, n), once `show` says that they are there. A positive configuration: of the machine whose cell
    is at the address that is the place (0: unknown), if it takes its rows from ``rows``, those of the store
    numbered ``store`` in its ``epoch``. A negative one: at the place are so many words. 0: the row is
    cleared. ``done`` int64 (n,) becomes ROW_WRITTEN or ROW_CLEARED, or ROW_UNKNOWN (cleared, too) where the
    mask has yet to be found, ROW_NARROW (untouched) where a mask does not fit; rows whose ``done`` is not 0
    are left out. The arrays are to be kept by the caller.
    """
    job[_FOUND] = found.ctypes.data
    job[_STORE] = store
    job[_EPOCH] = epoch
    job[_ROWS] = rows.ctypes.data
    job[_N_ROWS], job[_N_WORDS] = rows.shape
    job[_OUT] = bitmask.ctypes.data
    job[_OUT_WORDS] = bitmask.shape[1]
    job[_DONE] = done.ctypes.data
    job[_N] = found.shape[1]
    return job.ctypes.data


@short_kernel
def show(job: Int64Array, ready: Int) -> None:
    """Places and configurations of the first ``ready`` rows are there."""
    publish(job, _READY, ready)


@kernel
def fill_shown(address: Int, from_end: bool) -> bool:
    """Write rows of the job at ``address``: False where some are left that are not shown yet.

    Several threads may call it and share the rows. Some begin at the front, others (``from_end``) at the end,
    once all rows are shown, so that from batch to batch a row is mostly written by the same core. Cost: one
    copy of a row each.
    """
    job = int64_at(address, JOB_SIZE)
    n = job[_N]
    n_parts = (n + _AT_ONCE - 1) // _AT_ONCE
    places, configs = int64_at(job[_FOUND], n), int64_at(job[_FOUND] + 8 * n, n)
    done = int64_at(job[_DONE], n)
    rows = int32_rows_at(job[_ROWS], job[_N_ROWS], job[_N_WORDS])
    out = int32_rows_at(job[_OUT], n, job[_OUT_WORDS])
    store, epoch = job[_STORE], job[_EPOCH]
    while True:
        # parts that were taken from the front, and from the end: one word, so that they never meet
        taken = published(job, _TAKEN)
        front, back = taken & _FRONT, taken >> _BACK_SHIFT
        if front + back >= n_parts:
            return True
        ready = published(job, _READY)
        if ready < n and (from_end or (front + 1) * _AT_ONCE > ready):
            return False
        part = n_parts - 1 - back if from_end else front
        if swap_if(job, _TAKEN, taken, taken + ((1 << _BACK_SHIFT) if from_end else 1)) != taken:
            continue
        for i in range(part * _AT_ONCE, min((part + 1) * _AT_ONCE, n)):
            if done[i] == 0:
                done[i] = _fill_row(places[i], configs[i], store, epoch, rows, out[i])
