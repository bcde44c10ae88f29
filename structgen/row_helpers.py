"""Threads that copy rows of masks, and wait for that without Python's lock (`structgen_kernels.posting`)."""

from __future__ import annotations

import atexit
import ctypes
import os
import sys
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from structgen_kernels import posting
from structgen_kernels.jit import config
from structgen_kernels.shared_memory import address_of

from structgen.threads import MOST_HELPERS, HelperThread

# A helper watches for work that long after it had some: batches that come one after another find it awake.
# Waking a core that sleeps took 70 us where it was measured (a virtual machine), 15 of them the caller's.
_PATIENCE = 50_000  # nanoseconds
PATIENCE = 10_000  # a helper's last rows take 2 us, unless it does not run


class RowHelpers:
    """Some helpers for one job of `structgen_kernels.batch`, which is the caller's to do meanwhile.

    To be used like this, so that no interruption comes before the helpers are done::

        helpers = RowHelpers(count, wakes)
        try:
            helpers.post(address, held)
            ...
        finally:
            finish(helpers.blocks, PATIENCE)
            helpers.release()
    """

    __slots__ = ("_helpers", "blocks")

    def __init__(self, count: int, wakes: bool) -> None:
        """``wakes``: there is so much to do that those who sleep are woken for it."""
        self._helpers = [helper for _ in range(min(count, MOST_HELPERS)) if (helper := _idle_helper(wakes))]
        self.blocks = np.zeros(len(self._helpers), np.int64)
        for number, helper in enumerate(self._helpers):
            if posting.can_take(helper.block, wakes):
                self.blocks[number] = helper.address

    def post(self, address: int, held: object) -> None:
        """``address``: of the job. ``held`` lives as long as a helper may read it."""
        for helper, block in zip(self._helpers, self.blocks, strict=True):
            if block:
                helper.held = held
                posting.post(helper.block, address)

    def release(self) -> None:
        """They are done, and may help somebody else."""
        for helper, block in zip(self._helpers, self.blocks, strict=True):
            if block:
                helper.held = None
            _idle.append(helper)


def are_there() -> bool:
    """Whether there are such helpers: not on other systems than Linux, nor where numba compiles nothing."""
    return _c_functions() is not None


class _RowHelper(HelperThread):
    """Runs `posting.serve`, which comes back only to end: Python's lock is never asked for."""

    def __init__(self, functions: _CFunctions) -> None:
        super().__init__()
        self.block: npt.NDArray[np.int64] = np.zeros(posting.BLOCK_SIZE, np.int64)
        self.block[posting.SEM_POST] = functions.sem_post
        self.block[posting.SEM_WAIT] = functions.sem_wait
        self.block[posting.CLOCK] = functions.clock_gettime
        self.block[posting.GETCPU] = functions.sched_getcpu
        for semaphore in (posting.WAKE, posting.DONE):
            functions.sem_init(address_of(self.block[semaphore:]), 0, 0)
        self.address = address_of(self.block)
        self.held: object = None
        self.start()

    def run(self) -> None:
        posting.serve(self.address, _PATIENCE)


class _CFunctions:
    """Addresses of what helpers need of the C library."""

    __slots__ = ("clock_gettime", "sched_getcpu", "sem_init", "sem_post", "sem_wait")

    def __init__(self) -> None:
        library = ctypes.CDLL(None)
        self.sem_init = library.sem_init
        self.sem_init.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_uint)
        self.sem_post, self.sem_wait, self.clock_gettime, self.sched_getcpu = (
            ctypes.cast(library[name], ctypes.c_void_p).value or 0
            for name in ("sem_post", "sem_wait", "clock_gettime", "sched_getcpu")
        )


@lru_cache(maxsize=1)
def _c_functions() -> _CFunctions | None:
    """None where there are no such helpers: the words of a block are those of 64-bit Linux."""
    if not sys.platform.startswith("linux") or sys.maxsize < 1 << 32 or config.DISABLE_JIT:
        return None
    try:
        return _CFunctions()
    except (OSError, AttributeError):  # a C library of its own kind
        return None


def _idle_helper(wakes: bool) -> _RowHelper | None:
    """One that has no caller; a new one only if it ``wakes``."""
    try:
        return _idle.pop()
    except IndexError:
        pass
    functions = _c_functions()
    if not wakes or functions is None:
        return None
    try:
        helper = _RowHelper(functions)
    except RuntimeError:  # the system, or an interpreter that is ending, gives no more threads
        return None
    _all.append(helper)
    if len(_all) == 1:
        atexit.register(_halt_all)
    return helper


def _halt_all() -> None:
    """Before the interpreter ends, so that no kernel is running then."""
    _idle.clear()
    for helper in _all:
        posting.halt(helper.block)
    for helper in _all:
        helper.join(1)  # one that has work of another thread's may take longer


_idle: list[_RowHelper] = []
_all: list[_RowHelper] = []


def _forget_all() -> None:
    _idle.clear()
    _all.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)  # threads do not survive a fork
