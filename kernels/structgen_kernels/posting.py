"""Work for a thread that waits without Python's lock: posted in shared memory, so that nobody asks Python.

Waking a thread that waits for Python's lock costs more than half a batch of known masks; telling one that
watches a cell costs a tenth of a microsecond. A helper watches for a while after its work, then sleeps in a
semaphore, and is woken only where that pays (`structgen.row_helpers`). How long it watches hangs on how
quickly batches come: longer than the last gap between two, unless that was so long that a core should not be
kept busy for it (as Linux's KVM polls before it halts a processor, `halt_poll_ns`).

Each helper has a *block*, int64 (BLOCK_SIZE,), which belongs to one caller at a time. Its word STATE goes

    AWAKE -> POSTED            the caller, from ASLEEP too (then it posts the semaphore WAKE)
    POSTED -> TAKEN            the helper;  POSTED -> AWAKE: the caller, who needs no help any more
    TAKEN -> AWAKE             the helper, done
    TAKEN -> AWAITED -> AWAKE  the caller has stopped watching and sleeps in DONE, which the helper posts
    AWAKE -> ASLEEP            the helper

Semaphores may return early (a signal, or a post that is older): who sleeps looks at the state again.
"""

from __future__ import annotations

from structgen_kernels.batch import fill_shown, share_from_front
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
YIELD = 52
CALLERS_CORE = 56  # when it posted
GAP = 57  # nanoseconds from the end of the batch before it to this one's beginning
ENDED = 58  # when the last batch ended (CLOCK_MONOTONIC), whether the helper was asked or not
VAIN = 59  # how often the helper is not to be woken now
PAUSE = 60  # and how often it was not, after it had been woken in vain
WOKEN = 61  # not 0: it was, for this batch
HELPERS_CORE = 64  # when it watched last
HALT = 72  # not 0: the helper is to end
HELPERS_TIME = 80  # room for a `timespec`
CALLERS_TIME = 88
BLOCK_SIZE = 96

LEAST_PAUSE, MOST_PAUSE = 16, 512  # batches, after one for which a helper was woken in vain
_LEAST_SHARE = 0.2  # of the rows: a helper that does less of them was woken in vain
_MONOTONIC = 1  # CLOCK_MONOTONIC of Linux


@kernel
def _nanoseconds(block: Int64Array, address: Int, room: Int) -> Int:
    """The time now, by way of the two words ``room`` of the block at ``address``."""
    call_clock(block[CLOCK], _MONOTONIC, address + 8 * room)
    return block[room] * 1_000_000_000 + block[room + 1]


@kernel
def _watches(gap: Int, least: Int, most: Int) -> Int:
    """Nanoseconds for which to watch after a batch that came ``gap`` after the one before it."""
    return least if gap > most else min(most, max(least, 2 * gap))


@kernel
def serve(address: Int, least: Int, most: Int) -> None:
    """Work as the helper of the block at ``address`` until it is told to end.

    ``least``, ``most``: nanoseconds to watch for work before sleeping. After the least of them a program that
    wants this core gets it.
    """
    block = int64_at(address, BLOCK_SIZE)
    began = _nanoseconds(block, address, HELPERS_TIME)
    patience = least
    while published(block, HALT) == 0:
        if published(block, STATE) == POSTED and swap_if(block, STATE, POSTED, TAKEN) == POSTED:
            began = _nanoseconds(block, address, HELPERS_TIME)
            patience = _watches(block[GAP], least, most)
            # on the caller's core there is nothing to gain, and rows would not be shown meanwhile
            alone = call_c(block[GETCPU], 0) == block[CALLERS_CORE]
            if alone:
                patience = 0
            # rows that the caller has yet to look up are waited for, but no longer than for other work
            while not alone and not fill_shown(block[JOB], False):
                if _nanoseconds(block, address, HELPERS_TIME) > began + least:
                    break
            if exchange(block, STATE, AWAKE) == AWAITED:
                call_c(block[SEM_POST], address + 8 * DONE)
            began = _nanoseconds(block, address, HELPERS_TIME)
        else:
            block[HELPERS_CORE] = call_c(block[GETCPU], 0)
            waited = _nanoseconds(block, address, HELPERS_TIME) - began
            if waited <= patience:
                if waited > least:
                    call_c(block[YIELD], 0)
                continue
            if swap_if(block, STATE, AWAKE, ASLEEP) == AWAKE:
                while published(block, STATE) == ASLEEP and published(block, HALT) == 0:
                    call_c(block[SEM_WAIT], address + 8 * WAKE)
            began = _nanoseconds(block, address, HELPERS_TIME)
            # what it was woken for may have been taken back, but the next may come soon
            patience = _watches(block[GAP], least, most)


@short_kernel
def can_take(block: Int64Array, wakes: bool) -> bool:
    """Whether the helper watches on another core than the caller's, or sleeps and one ``wakes`` it."""
    state = published(block, STATE)
    if state == AWAKE:
        return bool(block[HELPERS_CORE] != call_c(block[GETCPU], 0))
    return bool(wakes and state == ASLEEP and block[VAIN] <= 0)


@short_kernel
def post(blocks: Int64Array, job: Int, wakes: bool) -> Int:
    """Give the work at the address ``job`` to those helpers that can take it, and wake them. How many.

    ``blocks`` int64 (n,): addresses of blocks.
    """
    posted = 0
    for i in range(blocks.shape[0]):
        address = blocks[i]
        block = int64_at(address, BLOCK_SIZE)
        now = _nanoseconds(block, address, CALLERS_TIME)
        block[GAP] = now - block[ENDED]
        block[ENDED] = now
        if can_take(block, wakes):
            block[JOB] = job
            block[CALLERS_CORE] = call_c(block[GETCPU], 0)
            block[WOKEN] = exchange(block, STATE, POSTED) == ASLEEP
            if block[WOKEN] != 0:
                call_c(block[SEM_POST], address + 8 * WAKE)
            posted += 1
        elif wakes and block[VAIN] > 0:
            block[VAIN] -= 1
    return posted


@kernel
def finish(blocks: Int64Array, patience: Int) -> None:
    """Take back what was posted, or wait until the helpers that have begun are done.

    ``blocks`` int64 (n,): addresses of blocks, of which some may have been posted nothing. ``patience``:
    nanoseconds to watch before sleeping. Once more does nothing.
    """
    for i in range(blocks.shape[0]):
        address = blocks[i]
        block = int64_at(address, BLOCK_SIZE)
        if block[JOB] == 0:
            continue
        if swap_if(block, STATE, POSTED, AWAKE) != POSTED:
            until = _nanoseconds(block, address, CALLERS_TIME) + patience
            while published(block, STATE) == TAKEN:
                if _nanoseconds(block, address, CALLERS_TIME) <= until:
                    continue
                if swap_if(block, STATE, TAKEN, AWAITED) == TAKEN:
                    while published(block, STATE) == AWAITED:
                        call_c(block[SEM_WAIT], address + 8 * DONE)
        _judge(block, share_from_front(block[JOB]) * blocks.shape[0] >= _LEAST_SHARE)
        block[JOB] = 0
        block[ENDED] = _nanoseconds(block, address, CALLERS_TIME)


@kernel
def _judge(block: Int64Array, helped: bool) -> None:
    """Say how often the helper is not to be woken: more often each time that it comes too late."""
    if helped:
        block[VAIN] = block[PAUSE] = 0
    elif block[WOKEN] != 0:
        block[VAIN] = block[PAUSE] = min(MOST_PAUSE, max(LEAST_PAUSE, 2 * block[PAUSE]))


@kernel
def halt(block: Int64Array) -> None:
    """Tell the helper to end, after what it has begun."""
    exchange(block, HALT, 1)
    if swap_if(block, STATE, ASLEEP, AWAKE) == ASLEEP:
        call_c(block[SEM_POST], block.ctypes.data + 8 * WAKE)
