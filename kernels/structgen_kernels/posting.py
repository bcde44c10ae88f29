"""Work for a thread that waits without Python's lock: posted in shared memory, so that nobody asks Python.

Waking a thread that waits for Python's lock costs more than half a batch of known masks; telling one that
watches a cell costs a tenth of a microsecond. A helper watches for a few tens of microseconds after its work,
then sleeps in a semaphore, and is woken only where that pays (`structgen.row_helpers`).

Each helper has a *block*, int64 (BLOCK_SIZE,), which belongs to one caller at a time. Its word STATE goes

    AWAKE -> POSTED            the caller, from ASLEEP too (then it posts the semaphore WAKE)
    POSTED -> TAKEN            the helper;  POSTED -> AWAKE: the caller, who needs no help any more
    TAKEN -> AWAKE             the helper, done
    TAKEN -> AWAITED -> AWAKE  the caller has stopped watching and sleeps in DONE, which the helper posts
    AWAKE -> ASLEEP            the helper

Semaphores may return early (a signal, or a post that is older): who sleeps looks at the state again.
"""

from __future__ import annotations

from structgen_kernels.batch import fill_shown
from structgen_kernels.jit import Int, Int64Array, kernel, short_kernel
from structgen_kernels.shared_memory import call_c, call_clock, exchange, int64_at, published, swap_if

AWAKE, ASLEEP, POSTED, TAKEN, AWAITED = range(5)

# words of a block: those that different threads write lie a cache line (8 words) apart
STATE = 0
JOB = 8  # the address of what `fill_shown` takes
WAKE = 16  # semaphores of C, up to 8 words
DONE = 32
SEM_POST = 48  # addresses of C functions
SEM_WAIT = 49
CLOCK = 50
GETCPU = 51
CALLERS_CORE = 56  # when it posted
HELPERS_CORE = 64  # when it watched last
VAIN = 65  # how often it is not to be woken now
HALT = 72  # not 0: the helper is to end
HELPERS_TIME = 80  # room for a `timespec`
CALLERS_TIME = 88
BLOCK_SIZE = 96

_PAUSE = 16  # batches, after one for which a helper was woken in vain
_MONOTONIC = 1  # CLOCK_MONOTONIC of Linux


@kernel
def _nanoseconds(block: Int64Array, address: Int, room: Int) -> Int:
    """The time now, by way of the two words ``room`` of the block at ``address``."""
    call_clock(block[CLOCK], _MONOTONIC, address + 8 * room)
    return block[room] * 1_000_000_000 + block[room + 1]


@kernel
def serve(address: Int, patience: Int) -> None:
    """Work as the helper of the block at ``address`` until it is told to end.

    ``patience``: nanoseconds to watch for work before sleeping.
    """
    block = int64_at(address, BLOCK_SIZE)
    until = _nanoseconds(block, address, HELPERS_TIME) + patience
    while published(block, HALT) == 0:
        if published(block, STATE) == POSTED and swap_if(block, STATE, POSTED, TAKEN) == POSTED:
            until = _nanoseconds(block, address, HELPERS_TIME) + patience
            core = call_c(block[GETCPU], 0)
            # on the caller's core there is nothing to gain, and rows would not be shown meanwhile
            alone = core == block[CALLERS_CORE]
            if alone:
                block[VAIN] = _PAUSE
            # rows that the caller has yet to look up are waited for, but no longer than for other work
            while not alone and not fill_shown(block[JOB], False):
                if _nanoseconds(block, address, HELPERS_TIME) > until:
                    break
            if exchange(block, STATE, AWAKE) == AWAITED:
                call_c(block[SEM_POST], address + 8 * DONE)
            until = _nanoseconds(block, address, HELPERS_TIME) + (0 if alone else patience)
        else:
            block[HELPERS_CORE] = call_c(block[GETCPU], 0)
            if _nanoseconds(block, address, HELPERS_TIME) <= until:
                continue
            if swap_if(block, STATE, AWAKE, ASLEEP) == AWAKE:
                while published(block, STATE) == ASLEEP and published(block, HALT) == 0:
                    call_c(block[SEM_WAIT], address + 8 * WAKE)
            until = _nanoseconds(block, address, HELPERS_TIME) + patience


@short_kernel
def can_take(block: Int64Array, wakes: bool) -> bool:
    """Whether the helper watches on another core than the caller's, or sleeps and one ``wakes`` it."""
    state = published(block, STATE)
    if state == AWAKE:
        return bool(block[HELPERS_CORE] != call_c(block[GETCPU], 0))
    if not wakes or state != ASLEEP:
        return False
    if block[VAIN] > 0:
        block[VAIN] -= 1
        return False
    return True


@kernel
def post(block: Int64Array, job: Int) -> None:
    """Give the work at the address ``job`` to a helper that is AWAKE or ASLEEP, and wake it."""
    block[JOB] = job
    block[CALLERS_CORE] = call_c(block[GETCPU], 0)
    if exchange(block, STATE, POSTED) == ASLEEP:
        call_c(block[SEM_POST], block.ctypes.data + 8 * WAKE)


@kernel
def finish(blocks: Int64Array, patience: Int) -> None:
    """Take back what was posted, or wait until the helpers that have begun are done.

    ``blocks`` int64 (n,): addresses of blocks, 0: none. ``patience``: nanoseconds to watch before sleeping.
    """
    for i in range(blocks.shape[0]):
        address = blocks[i]
        if address == 0:
            continue
        block = int64_at(address, BLOCK_SIZE)
        if swap_if(block, STATE, POSTED, AWAKE) == POSTED:
            block[VAIN] = _PAUSE  # all other cores are busy, or slow to wake
            continue
        until = _nanoseconds(block, address, CALLERS_TIME) + patience
        while published(block, STATE) == TAKEN:
            if _nanoseconds(block, address, CALLERS_TIME) <= until:
                continue
            if swap_if(block, STATE, TAKEN, AWAITED) == TAKEN:
                while published(block, STATE) == AWAITED:
                    call_c(block[SEM_WAIT], address + 8 * DONE)


@kernel
def halt(block: Int64Array) -> None:
    """Tell the helper to end, after what it has begun."""
    exchange(block, HALT, 1)
    if swap_if(block, STATE, ASLEEP, AWAKE) == ASLEEP:
        call_c(block[SEM_POST], block.ctypes.data + 8 * WAKE)
