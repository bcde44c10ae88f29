"""Many masks in one call, from the records of many grammars.

Each grammar's machine keeps a *cell*, int64 (VIEW_SIZE,) of VIEW_* below: where its arrays are; that of one
with a lexer is described in `whole_masks`. What a cell points to stays readable while a batch is filled
(`structgen.threads.Readers` sees to that), and what it pointed to before does too. So kernels need one number
a machine, and no lock.
"""

from __future__ import annotations

import numpy as np

from structgen_kernels import whole_masks
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
_PLACES, _CONFIGS, _DONE = range(3)
_STORE, _EPOCH, _ROWS, _N_ROWS, _N_WORDS, _OUT, _OUT_WORDS, _N = range(8, 16)
_TAKEN = 16
_READY = 24
MISSED = 32  # how many rows there are that could not be written
JOB_SIZE = 40
_BACK_SHIFT = 32
_FRONT = (1 << _BACK_SHIFT) - 1
_AT_ONCE = 8  # rows that a thread takes from those left: two microseconds, and a cache line of `done`


@kernel
def _fill_row(place: Int, config: Int, store: Int, epoch: Int, rows: Int32Array, out: Int32Array) -> Int:
    if config == 0:
        clear(out, 0)
        return ROW_CLEARED
    cell = int64_at(place, VIEW_SIZE)
    if cell[whole_masks.KIND] == whole_masks.WHOLE_MASKS:
        return _fill_whole(cell, config, out)
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
def _fill_whole(cell: Int64Array, config: Int, out: Int32Array) -> Int:
    n_words = cell[whole_masks.N_WORDS]
    if n_words > out.shape[0]:
        return ROW_NARROW
    address = whole_masks.find(published(cell, whole_masks.TABLE), config)
    if address == 0:
        clear(out, 0)
        return ROW_UNKNOWN
    words = int32_at(address, n_words)
    for w in range(n_words):
        out[w] = words[w]
    clear(out, n_words)
    return ROW_WRITTEN


@kernel
def describe(job: Int64Array, found: Int64Array, done: Int64Array) -> Int:
    """Make ``job`` int64 (JOB_SIZE,), cleared, one for up to n rows. Returns its address.

    ``found`` int64 (2, n): places and configurations, and ``done`` int64 (n,), what becomes of each row
    (ROW_*), are for `aim` and those below it. The arrays are to be kept by the caller.
    """
    job[_PLACES] = found.ctypes.data
    job[_CONFIGS] = found.ctypes.data + 8 * found.shape[1]
    job[_DONE] = done.ctypes.data
    return job.ctypes.data


@short_kernel
def aim(address: Int, n: Int, store: Int, epoch: Int, rows: Int32Array, bitmask: Int32Array) -> None:
    """Say of the job at ``address``, of which nobody does anything, what `fill_shown` is to do.

    Row i < ``n`` of ``bitmask`` int32 (>= n, words) will be written from a place and a configuration,
    ``found[:, i]``, once `show` says that they are there. A positive configuration: of the machine whose cell
    is at the address that is the place, if it takes its rows from ``rows``, those of the store numbered
    ``store`` in its ``epoch``, or keeps whole masks. 0: the row is cleared. ``done[i]``, now 0, becomes
    ROW_WRITTEN or ROW_CLEARED, or ROW_UNKNOWN (cleared, too) where the mask has yet to be found, ROW_NARROW
    (untouched) where a mask does not fit; rows whose ``done`` is not 0 are left out.
    """
    job = int64_at(address, JOB_SIZE)
    done = int64_at(job[_DONE], n)
    for i in range(n):
        done[i] = 0
    job[_STORE] = store
    job[_EPOCH] = epoch
    job[_ROWS] = rows.ctypes.data
    job[_N_ROWS], job[_N_WORDS] = rows.shape
    job[_OUT] = bitmask.ctypes.data
    job[_OUT_WORDS] = bitmask.shape[1]
    job[_N] = n
    job[_TAKEN] = job[_READY] = job[MISSED] = 0


@short_kernel
def show(address: Int, ready: Int) -> None:
    """Places and configurations of the first ``ready`` rows are there."""
    publish(int64_at(address, JOB_SIZE), _READY, ready)


@kernel
def share_from_front(address: Int) -> float:
    """The part of a job's rows, 0 to 1, that was taken from the front, so by helpers."""
    job = int64_at(address, JOB_SIZE)
    return float((published(job, _TAKEN) & _FRONT) * _AT_ONCE / max(job[_N], 1))


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
    places, configs = int64_at(job[_PLACES], n), int64_at(job[_CONFIGS], n)
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
        missed = 0
        for i in range(part * _AT_ONCE, min((part + 1) * _AT_ONCE, n)):
            if done[i] == 0:
                done[i] = _fill_row(places[i], configs[i], store, epoch, rows, out[i])
                if done[i] == ROW_UNKNOWN or done[i] == ROW_NARROW:
                    missed += 1
        if missed > 0:
            _add(job, MISSED, missed)


@kernel
def _add(job: Int64Array, where: Int, more: Int) -> None:
    """Add to a word that other threads add to."""
    before = published(job, where)
    while swap_if(job, where, before, before + more) != before:
        before = published(job, where)
