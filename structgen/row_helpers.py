"""Threads that copy rows of masks, and wait for that without Python's lock (`structgen_kernels.posting`)."""

from __future__ import annotations

import atexit
import ctypes
import os
import sys
import threading
import weakref
from functools import lru_cache
from time import monotonic_ns

import numpy as np
import numpy.typing as npt
from structgen_kernels import posting
from structgen_kernels.jit import config
from structgen_kernels.shared_memory import address_of

from structgen.threads import MOST_HELPERS, HelperThread

# Nanoseconds that a helper watches for work after it had some, so that batches that come one after another
# find it awake. Waking a core that sleeps took 70 us where it was measured (a virtual machine), 15 of them
# the caller's, and 256 rows are copied in 70: nothing is gained by that if their masks are in the caches.
_LEAST_WATCH = 50_000
_MOST_WATCH = 400_000  # where batches come so quickly
PATIENCE = 10_000  # a helper's last rows take 2 us, unless it does not run


class RowHelpers:
    """Some helpers for one job of `structgen_kernels.batch`, which is the caller's to do meanwhile.

    To be used like this, so that no interruption comes before the helpers are done: a kernel that is compiled
    already runs before Python looks for signals, a function of Python does not. Where `release` is cut short,
    the helpers are found again (`_Claim`)::

        helpers = RowHelpers(count, wakes)
        try:
            helpers.post(address, held)
            ...
        finally:
            finish(helpers.blocks, PATIENCE)
            helpers.release()
    """

    __slots__ = ("_claims", "_wakes", "blocks")

    def __init__(self, count: int, wakes: bool) -> None:
        """``wakes``: there is so much to do that those who sleep are woken for it."""
        self._wakes = wakes
        if count == 1:  # in as few steps as will do: where batches are rare, each is slow
            claim = _claimed(wakes)
            self._claims = [] if claim is None else [claim]
            self.blocks = _NO_BLOCKS if claim is None else claim.helper.blocks
            return
        self._claims = [claim for _ in range(min(count, MOST_HELPERS)) if (claim := _claimed(wakes))]
        self.blocks = np.array([claim.helper.address for claim in self._claims], np.int64)

    def post(self, address: int, held: object) -> bool:
        """Give them the job at ``address``; False where none can take it, which is known at once.

        ``held`` lives as long as a helper may read it.
        """
        for claim in self._claims:
            claim.helper.held = held
        return bool(posting.post(self.blocks, address, self._wakes))

    def release(self) -> None:
        """They are done, and may help somebody else."""
        for claim in self._claims:
            claim.helper.held = None
        _idle.extend(self._claims)


def rest(count: int, wakes: bool) -> bool:
    """Whether ``count`` helpers are sure not to take a job now: of a single one that sleeps that is told in a
    few steps, each of which is slow where batches are rare.
    """
    if count > 1:
        return False
    try:
        words = _idle[-1].helper.words
    except IndexError:
        return False
    if words[posting.STATE] != posting.ASLEEP or (wakes and words[posting.VAIN] <= 0):
        return False
    if wakes:
        words[posting.VAIN] -= 1
    words[posting.ENDED] = monotonic_ns()
    return True


def are_there() -> bool:
    """Whether there are such helpers: not on other systems than Linux, nor where numba compiles nothing."""
    return _c_functions() is not None


class _RowHelper(HelperThread):
    """Runs `posting.serve`, which comes back only to end: Python's lock is never asked for.

    Belongs to whom `claim` is kept by, which is nobody if that is gone. To be started by its maker.
    """

    def __init__(self, functions: _CFunctions) -> None:
        super().__init__()
        self.block: npt.NDArray[np.int64] = np.zeros(posting.BLOCK_SIZE, np.int64)
        self.words = self.block.data
        functions.into(self.block)
        self.address = address_of(self.block)
        self.blocks: npt.NDArray[np.int64] = np.array([self.address], np.int64)  # of a caller with no others
        self.held: object = None
        self.claim: weakref.ref[_Claim] = weakref.ref(_Claim(self))  # gone at once

    def run(self) -> None:
        posting.serve(self.address, _LEAST_WATCH, _MOST_WATCH)


class _Claim:
    """The right to use a helper: one that is idle, or of one caller.

    An interruption between any two steps of a caller may lose it, and sets its helper free by that.
    """

    __slots__ = ("__weakref__", "helper")

    def __init__(self, helper: _RowHelper) -> None:
        self.helper = helper


class _CFunctions:
    """Addresses of what helpers need of the C library."""

    __slots__ = ("clock_gettime", "sched_getcpu", "sched_yield", "sem_init", "sem_post", "sem_wait")

    def __init__(self) -> None:
        library = ctypes.CDLL(None)
        self.sem_init = library.sem_init
        self.sem_init.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_uint)
        self.sem_post, self.sem_wait, self.clock_gettime, self.sched_getcpu, self.sched_yield = (
            ctypes.cast(library[name], ctypes.c_void_p).value or 0
            for name in ("sem_post", "sem_wait", "clock_gettime", "sched_getcpu", "sched_yield")
        )

    def into(self, block: npt.NDArray[np.int64]) -> None:
        """Write them into a block, and make its semaphores."""
        block[posting.SEM_POST] = self.sem_post
        block[posting.SEM_WAIT] = self.sem_wait
        block[posting.CLOCK] = self.clock_gettime
        block[posting.GETCPU] = self.sched_getcpu
        block[posting.YIELD] = self.sched_yield
        for semaphore in (posting.WAKE, posting.DONE):
            self.sem_init(address_of(block[semaphore:]), 0, 0)


@lru_cache(maxsize=1)
def _c_functions() -> _CFunctions | None:
    """None where there are no such helpers: the words of a block are those of 64-bit Linux."""
    if not sys.platform.startswith("linux") or sys.maxsize < 1 << 32 or config.DISABLE_JIT:
        return None
    try:
        return _CFunctions()
    except (OSError, AttributeError):  # a C library of its own kind
        return None


@lru_cache(maxsize=1)
def _compile_kernels() -> None:
    """In the thread of a caller, before anything is posted.

    A helper that compiles would hold numba's lock, for ever in the child of a fork. And an interruption may
    come while something is compiled: were that `posting.finish`, helpers would go on alone.
    """
    block = np.zeros(posting.BLOCK_SIZE, np.int64)
    functions = _c_functions()
    assert functions is not None
    functions.into(block)
    blocks = np.array([address_of(block)], np.int64)
    posting.can_take(block, False)
    posting.post(blocks, 0, False)
    posting.finish(blocks, PATIENCE)
    posting.halt(block)
    posting.serve(address_of(block), _LEAST_WATCH, _MOST_WATCH)


def _claimed(wakes: bool) -> _Claim | None:
    """A helper that has no caller; a new one only if it ``wakes``."""
    global _looking
    try:
        return _idle.pop()
    except IndexError:
        pass
    if not wakes or not are_there():
        return None
    _compile_kernels()
    with _lock:
        if _looking:  # what interrupts this thread here, a handler of signals say, gets none
            return None
        _looking = True
        try:
            return _found_or_made()
        finally:
            _looking = False


def _found_or_made() -> _Claim | None:
    for helper in list(_all):
        if helper.claim() is None:
            if helper.ident is None:  # its start was interrupted: if it does begin, it is to end
                posting.halt(helper.block)
                _all.remove(helper)
                continue
            claim = _Claim(helper)
            helper.claim = weakref.ref(claim)
            return claim
    functions = _c_functions()
    if functions is None:
        return None
    helper = _RowHelper(functions)
    claim = _Claim(helper)
    helper.claim = weakref.ref(claim)
    _all.append(helper)
    try:
        helper.start()
    except RuntimeError:  # the system, or an interpreter that is ending, gives no more threads
        _all.remove(helper)
        return None
    return claim


def _halt_all() -> None:
    """Before the interpreter ends, so that no kernel is running then."""
    _idle.clear()
    helpers = [helper for helper in _all if helper.ident is not None]
    for helper in helpers:
        posting.halt(helper.block)
    for helper in helpers:
        helper.join(1)  # one that has work of another thread's may take longer


_NO_BLOCKS: npt.NDArray[np.int64] = np.zeros(0, np.int64)
_idle: list[_Claim] = []
_all: list[_RowHelper] = []
_lock = threading.RLock()  # of `_all` and the claims in it, and of who looks for a helper
_looking = False
atexit.register(_halt_all)


def _forget_all() -> None:
    global _lock, _looking
    _idle.clear()
    _all.clear()
    _lock = threading.RLock()
    _looking = False


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)  # threads do not survive a fork
