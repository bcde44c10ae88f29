"""Helpers that copy rows without Python's lock: they help, sleep, end, and hold nobody up."""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import subprocess
import sys
import threading
import time
import weakref

import numpy as np
import pytest
from numba import carray, cfunc, types
from structgen_kernels import posting
from structgen_kernels.batch import MISSED, fill_shown, show
from structgen_kernels.shared_memory import address_of, call_c, call_clock, exchange, int64_at, swap_if

from structgen import batch, row_helpers
from structgen.batch import fill_bitmasks
from structgen.bitmask import allocate_bitmask
from structgen.compiler import Compiler
from structgen.errors import BitmaskError
from structgen.row_helpers import PATIENCE, RowHelpers
from structgen.threads import readers
from structgen.vocabulary import Vocabulary

VOCABULARY = Vocabulary([*[bytes([byte]) for byte in range(256)], None], 256)
ROWS = 400
here = pytest.mark.skipif(not row_helpers.are_there(), reason="no such helpers here")


def known_matchers(rows, offset=0):
    """Matchers of three grammars at different places, all masks known."""
    compiler = Compiler(VOCABULARY)
    grammars = [compiler.regex(pattern) for pattern in ("[a-f]{3,40}", "(ab|[^x]{2,9}y)*", "[0-9]+[a-z]?")]
    texts = (b"abcdefabcdef", b"abab\xc3\xa9bby", b"0123456789")
    matchers = []
    for row in range(rows):
        which = (row + offset) % 3
        matcher = grammars[which].matcher()
        matcher.accept_bytes(texts[which][: (row + offset) % 9])
        matchers.append(matcher)
    fill_bitmasks(matchers, allocate_bitmask(rows, VOCABULARY.size), threads=1)
    return matchers


def one_by_one(matchers):
    expected = allocate_bitmask(len(matchers), VOCABULARY.size)
    for row, matcher in enumerate(matchers):
        matcher.fill_bitmask(expected, row)
    return expected


def job_of(matchers, bitmask):
    """A room with a job whose rows are all shown, and what has to live beside it."""
    store = matchers[0]._machine.store
    room, view = batch._Room(len(matchers)), store.view
    batch.aim(room.address, len(matchers), id(store), view.epoch, view.rows, bitmask)
    room.look_up(list(matchers), *room.parts(len(matchers), False))
    show(room.address, len(matchers))
    return room, (room, view, bitmask)


def done_of(room):
    return np.array(room.done)


def until(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "nobody came"
        time.sleep(0.001)


def awake_or_asleep(helper):
    return helper.block[posting.STATE] in (posting.AWAKE, posting.ASLEEP)


def posted_to_one(address, held):
    """A `RowHelpers` of one, which has the job."""
    for _ in range(2000):
        helpers = RowHelpers(1, True)
        helpers._claims[0].helper.block[posting.VAIN] = 0  # it may have been woken in vain a short time ago
        if helpers.post(address, held):
            return helpers
        helpers.release()  # it watches on this core
        time.sleep(0.001)
    raise AssertionError("no helper takes the job")


@pytest.fixture
def apart():
    """This thread on one core and helpers on another, as on a busy machine all may land on one core."""
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        pytest.skip("one core")
    matchers = known_matchers(ROWS)
    fill_bitmasks(matchers, allocate_bitmask(ROWS, VOCABULARY.size), threads=2)
    helpers = [
        thread.native_id for thread in threading.enumerate() if isinstance(thread, row_helpers._RowHelper)
    ]
    os.sched_setaffinity(0, usable[:1])
    for helper in helpers:
        os.sched_setaffinity(helper, usable[1:])
    yield matchers
    for thread in (0, *helpers):
        os.sched_setaffinity(thread, usable)


@here
def test_a_helper_does_the_work_by_itself(apart):
    """Where the caller takes its time, the helper writes all rows."""
    bitmask = np.full((ROWS, 9), -1, np.int32)
    room, held = job_of(apart, bitmask)
    helpers = posted_to_one(room.address, held)
    until(lambda: awake_or_asleep(helpers._claims[0].helper))
    posting.finish(helpers.blocks, PATIENCE)
    helpers.release()
    assert done_of(room).all() and room.words[MISSED] == 0
    assert np.array_equal(bitmask, one_by_one(apart))


@here
def test_a_helper_waits_for_rows_only_for_a_while(apart):
    """Rows that are never shown are not written, nor waited for for ever."""
    bitmask = np.full((ROWS, 9), -1, np.int32)
    room, held = job_of(apart, bitmask)
    show(room.address, 64)
    helpers = posted_to_one(room.address, held)
    until(lambda: awake_or_asleep(helpers._claims[0].helper))
    posting.finish(helpers.blocks, PATIENCE)
    helpers.release()
    assert done_of(room)[:64].all() and not done_of(room)[64:].any()
    assert np.array_equal(bitmask[:64], one_by_one(apart[:64])) and (bitmask[64:] == -1).all()


@here
def test_a_helper_that_has_begun_is_waited_for_asleep():
    """The caller's patience is over at once: it sleeps until the helper wakes it, and all rows are there."""
    matchers = known_matchers(ROWS)
    expected = one_by_one(matchers)
    for attempt in range(200):
        bitmask = np.full((ROWS, 9), -1, np.int32)
        room, held = job_of(matchers, bitmask)
        helpers = posted_to_one(room.address, held)
        if attempt % 2:
            fill_shown(room.address, True)
        posting.finish(helpers.blocks, 0)
        assert awake_or_asleep(helpers._claims[0].helper)
        helpers.release()
        fill_shown(room.address, True)  # what nobody has begun
        assert done_of(room).all() and room.words[MISSED] == 0
        assert np.array_equal(bitmask, expected)


@here
@pytest.mark.skipif(not hasattr(time, "pthread_getcpuclockid"), reason="no clocks of threads here")
def test_a_helper_sleeps_when_there_is_nothing_to_do():
    matchers = known_matchers(ROWS)
    bitmask = allocate_bitmask(ROWS, VOCABULARY.size)
    for _ in range(20):
        fill_bitmasks(matchers, bitmask, threads=2)
    helpers = [thread for thread in threading.enumerate() if isinstance(thread, row_helpers._RowHelper)]
    assert helpers
    until(lambda: all(helper.block[posting.STATE] == posting.ASLEEP for helper in helpers))
    clocks = [time.pthread_getcpuclockid(helper.ident) for helper in helpers]
    before = [time.clock_gettime_ns(clock) for clock in clocks]
    time.sleep(0.2)
    assert [time.clock_gettime_ns(clock) for clock in clocks] == before


@here
def test_few_rows_wake_nobody():
    matchers = known_matchers(ROWS)
    bitmask = allocate_bitmask(ROWS, VOCABULARY.size)
    fill_bitmasks(matchers, bitmask, threads=2)
    helper = row_helpers._idle[-1].helper
    until(lambda: helper.block[posting.STATE] == posting.ASLEEP)
    for _ in range(20):
        fill_bitmasks(matchers[:16], bitmask, threads=2)
        assert helper.block[posting.STATE] == posting.ASLEEP


def block_in(state):
    block = np.zeros(posting.BLOCK_SIZE, np.int64)
    functions = row_helpers._c_functions()
    if functions is not None:
        functions.into(block)
    block[posting.STATE] = state
    block[posting.HELPERS_CORE] = -1
    return block


@here
def test_who_can_take_a_job():
    assert posting.can_take(block_in(posting.AWAKE), False)
    assert posting.can_take(block_in(posting.ASLEEP), True)
    assert not posting.can_take(block_in(posting.ASLEEP), False)
    for busy in (posting.POSTED, posting.TAKEN, posting.AWAITED):
        assert not posting.can_take(block_in(busy), True)


def asked_in_vain(block, room):
    """How many batches go by before the helper of ``block``, asleep, is woken, which takes nothing then."""
    blocks = np.array([block.ctypes.data])
    for batches in range(10_000):
        posted = posting.post(blocks, room.address, True)
        assert posted == (block[posting.STATE] == posting.POSTED)
        posting.finish(blocks, PATIENCE)
        if posted:
            assert block[posting.STATE] == posting.AWAKE and block[posting.WOKEN] and not block[posting.JOB]
            block[posting.STATE] = posting.ASLEEP
            return batches
    raise AssertionError("never woken again")


@here
def test_a_helper_woken_in_vain_is_woken_less_and_less():
    room = batch._Room(ROWS)
    block = block_in(posting.ASLEEP)
    pauses = [asked_in_vain(block, room) for _ in range(9)]
    assert pauses == [0, 16, 32, 64, 128, 256, 512, 512, 512]
    block[posting.STATE] = posting.AWAKE  # what an awake helper does not take says nothing
    posting.post(np.array([block.ctypes.data]), room.address, True)
    posting.finish(np.array([block.ctypes.data]), PATIENCE)
    assert block[posting.VAIN] == 512


@here
def test_a_helper_that_helps_is_woken_again(apart):
    bitmask = np.full((ROWS, 9), -1, np.int32)
    room, held = job_of(apart, bitmask)
    helpers = posted_to_one(room.address, held)
    block = helpers._claims[0].helper.block
    block[posting.VAIN] = block[posting.PAUSE] = 64
    until(lambda: awake_or_asleep(helpers._claims[0].helper))
    posting.finish(helpers.blocks, PATIENCE)
    helpers.release()
    assert block[posting.VAIN] == block[posting.PAUSE] == 0


@here
def test_how_long_a_helper_watches():
    least, most = 50, 400
    assert [posting._watches(gap, least, most) for gap in (0, 20, 30, 150, 300, 400, 401, 10**9)] == [
        50, 50, 60, 300, 400, 400, 50, 50,
    ]  # fmt: skip


@pytest.fixture
def clock():
    """A helper of the test's own, by a clock of the test's, whose core is never the caller's.

    An int64 array: the time in nanoseconds, then the helper's block.
    """
    words = np.zeros(1 + posting.BLOCK_SIZE, np.int64)
    address = address_of(words)

    @cfunc(types.int32(types.int32, types.CPointer(types.int64)))
    def now(_, time):
        carray(time, 2)[:] = 0, int64_at(address, 1)[0]
        return 0

    block = words[1:]
    row_helpers._c_functions().into(block)
    block[posting.CLOCK] = now.address
    block[posting.GETCPU] = ctypes.cast(ctypes.CDLL(None).gettid, ctypes.c_void_p).value
    row_helpers._compile_kernels()
    helper = threading.Thread(target=posting.serve, args=(address_of(block), 50_000, 400_000))
    helper.start()
    yield words
    posting.halt(block)
    helper.join(20)
    assert not helper.is_alive() and now


@here
def test_a_helper_watches_while_batches_come_quickly(clock):
    """What is 200 us apart finds it awake, though it sleeps 50 us after a batch that came alone."""
    matchers = known_matchers(ROWS)
    bitmask = allocate_bitmask(ROWS, VOCABULARY.size)
    block = clock[1:]
    blocks = np.array([address_of(block)])

    def batch_after(gap):
        """The state in which it finds the helper, who does all of it."""
        time.sleep(0.002)  # which it has to go to sleep
        clock[0] += gap
        time.sleep(0.002)
        found = block[posting.STATE]
        room, held = job_of(matchers, bitmask)
        assert posting.post(blocks, room.address, True) == 1
        until(lambda: block[posting.STATE] in (posting.AWAKE, posting.ASLEEP))
        posting.finish(blocks, PATIENCE)
        assert done_of(room).all() and held
        return found

    def asleep_after(gap):
        clock[0] += gap
        until(lambda: block[posting.STATE] == posting.ASLEEP)

    asleep_after(50_001)
    assert batch_after(10_000_000) == posting.ASLEEP  # and came alone
    asleep_after(50_001)
    assert batch_after(200_000) == posting.ASLEEP  # the first that comes quickly
    assert [batch_after(200_000) for _ in range(20)] == [posting.AWAKE] * 20
    clock[0] += 400_000
    time.sleep(0.002)
    assert block[posting.STATE] == posting.AWAKE
    asleep_after(1)
    assert batch_after(500_000) == posting.ASLEEP  # too rare for a core to be kept busy
    asleep_after(50_001)


@here
def test_a_helper_that_rests_is_not_asked():
    matchers = known_matchers(ROWS)
    bitmask = allocate_bitmask(ROWS, VOCABULARY.size)
    fill_bitmasks(matchers, bitmask, threads=2)
    helper = row_helpers._idle[-1].helper
    until(lambda: helper.block[posting.STATE] == posting.ASLEEP)
    helper.block[posting.VAIN] = 3
    assert not row_helpers.rest(2, True)  # of several it is not told so quickly
    before = helper.block[posting.ENDED]
    assert row_helpers.rest(1, False) and helper.block[posting.VAIN] == 3
    assert [row_helpers.rest(1, True) for _ in range(4)] == [True, True, True, False]
    assert before < helper.block[posting.ENDED] <= time.monotonic_ns()
    assert row_helpers._idle[-1].helper is helper


def test_swaps_of_words():
    words = np.array([3, 5], np.int64)
    assert exchange.__doc__ and swap_if(words, 1, 4, 9) == 5 and words.tolist() == [3, 5]
    assert swap_if(words, 1, 5, 9) == 5 and exchange(words, 0, 7) == 3
    assert words.tolist() == [7, 9]


@here
def test_functions_of_c_by_address():
    functions = row_helpers._c_functions()
    room = np.zeros(2, np.int64)
    assert call_clock(functions.clock_gettime, 1, room.ctypes.data) == 0
    assert 0 <= time.monotonic_ns() - (room[0] * 10**9 + room[1]) < 10**9
    assert call_c(functions.sched_getcpu, 0) in os.sched_getaffinity(0)


@here
@pytest.mark.parametrize("fails", [False, True])
def test_a_helper_is_given_back_after_it_is_done(monkeypatch, fails):
    """It holds the job before it gets it, until it is over, and is nobody else's meanwhile."""
    matchers = known_matchers(ROWS)
    bitmask = allocate_bitmask(ROWS, VOCABULARY.size)
    fill_bitmasks(matchers, bitmask, threads=2)
    post, finish, order = posting.post, posting.finish, []

    def at(blocks):
        (helper,) = (helper for helper in row_helpers._all if helper.address == blocks[0])
        return helper.held is not None, any(claim.helper is helper for claim in row_helpers._idle)

    def noted_post(blocks, job, wakes):
        order.append(("post", *at(blocks)))
        post(blocks, job, wakes)
        return 1  # whether it could take it or not

    def noted_finish(blocks, patience):
        order.append(("finish", *at(blocks)))
        finish(blocks, patience)
        order.append(("finished", *at(blocks)))

    monkeypatch.setattr(row_helpers, "rest", lambda count, wakes: False)
    monkeypatch.setattr(posting, "post", noted_post)
    monkeypatch.setattr(batch, "finish", noted_finish)
    if fails:
        with pytest.raises(AttributeError):
            fill_bitmasks([*matchers[:-1], object()], bitmask, threads=2)  # type: ignore[list-item]
    else:
        fill_bitmasks(matchers, bitmask, threads=2)
    assert order == [("post", True, False), ("finish", True, False), ("finished", True, False)]
    assert all(helper.held is None for helper in row_helpers._all) and row_helpers._idle


@pytest.fixture(params=["helpers of rows", "plain threads"])
def either_way(request, monkeypatch):
    """With helpers as there are here, and as there are on other systems."""
    if request.param == "plain threads":
        monkeypatch.setattr(row_helpers, "are_there", lambda: False)


def test_many_callers_at_once(either_way):
    """Six threads with batches of their own, over 100 batches each: nobody gets a row of another's."""
    batches = [known_matchers(200 + 8 * number, number) for number in range(6)]
    expected = [one_by_one(matchers) for matchers in batches]
    wrong = []

    def fill(number):
        bitmask = np.zeros_like(expected[number])
        for turn in range(100):
            bitmask[:] = -1
            fill_bitmasks(batches[number], bitmask, threads=1 + (turn + number) % 3)
            if not np.array_equal(bitmask, expected[number]):
                wrong.append((number, turn))

    fillers = [threading.Thread(target=fill, args=(number,)) for number in range(6)]
    for filler in fillers:
        filler.start()
    for filler in fillers:
        filler.join()
    assert not wrong


def test_errors_while_rows_are_looked_up_leave_helpers_whole(either_way):
    matchers = known_matchers(ROWS)
    expected = one_by_one(matchers)
    bitmask = allocate_bitmask(ROWS, VOCABULARY.size)
    for turn in range(50):
        with pytest.raises(AttributeError):
            fill_bitmasks([*matchers[: 100 + turn], object()], bitmask, threads=2)  # type: ignore[list-item]
        bitmask[:] = 0
        fill_bitmasks(matchers, bitmask, threads=2)
        assert np.array_equal(bitmask, expected)
    with pytest.raises(BitmaskError, match="the bitmask has 8"):
        fill_bitmasks(matchers, np.zeros((ROWS, 8), np.int32), threads=2)


def test_plain_threads_that_begin_after_an_interruption_keep_what_they_read(monkeypatch):
    """What is raised between a helper's start and the caller's `try` leaves the helper with the task."""
    tasks = []

    class Interrupted(KeyboardInterrupt):
        pass

    class Late:
        def __init__(self, threads, task):
            tasks.append(task)
            raise Interrupted

    bitmask = allocate_bitmask(ROWS, VOCABULARY.size)
    matchers = known_matchers(ROWS)
    monkeypatch.setattr(row_helpers, "are_there", lambda: False)
    monkeypatch.setattr(batch, "Team", Late)
    kept = [weakref.ref(bitmask), weakref.ref(matchers[0]._machine._pool)]
    with pytest.raises(Interrupted):
        fill_bitmasks(matchers, bitmask, threads=2)
    replaced = np.zeros(1)
    kept.append(weakref.ref(replaced))
    readers.retire(replaced)
    del bitmask, matchers, replaced
    gc.collect()
    assert all(reference() is not None for reference in kept)
    tasks.clear()
    gc.collect()
    assert all(reference() is None for reference in kept)


@here
def test_helpers_that_callers_lose_are_found_again():
    """An interruption may come after a helper was taken, or before it is given back, or while it begins."""
    matchers = known_matchers(ROWS)
    bitmask = allocate_bitmask(ROWS, VOCABULARY.size)
    fill_bitmasks(matchers, bitmask, threads=3)
    before = list(row_helpers._all)
    for _ in range(5):
        lost = [RowHelpers(1, True) for _ in range(len(before))]
        assert {claim.helper for helpers in lost for claim in helpers._claims} == set(before)
        del lost
    assert row_helpers._all == before


@here
def test_a_helper_whose_start_was_interrupted_is_made_again(monkeypatch):
    class Interrupted(KeyboardInterrupt):
        pass

    def start(_):
        raise Interrupted

    busy = [RowHelpers(1, True) for _ in range(len(row_helpers._all))]
    before = list(row_helpers._all)
    assert {claim.helper for helpers in busy for claim in helpers._claims} == set(before)
    with monkeypatch.context() as patched:
        patched.setattr(row_helpers._RowHelper, "start", start)
        with pytest.raises(Interrupted):
            RowHelpers(1, True)
    (half_made,) = (helper for helper in row_helpers._all if helper not in before)
    helpers = RowHelpers(1, True)
    assert half_made not in row_helpers._all
    (claim,) = helpers._claims
    assert claim.helper.is_alive() and claim.helper not in before
    helpers.release()
    half_made.start()  # it was on its way: it ends at once
    half_made.join(20)
    assert not half_made.is_alive()
    for helpers in busy:
        helpers.release()


@here
def test_helpers_compile_nothing():
    """Else numba's lock stays locked in the child of a fork that comes meanwhile."""
    code = """
import threading
from structgen import row_helpers
from numba import carray, cfunc, types
from structgen_kernels import posting
compiled = []
start = row_helpers._RowHelper.start
def noting(helper):
    compiled.extend(bool(kernel.signatures) for kernel in (posting.serve, posting.finish, posting.post))
    start(helper)
row_helpers._RowHelper.start = noting
row_helpers.RowHelpers(1, True).release()
assert compiled == [True] * 3, compiled
"""
    subprocess.run([sys.executable, "-c", code], timeout=120, check=True)


def test_what_is_replaced_lives_as_long_as_who_read_it():
    def replaced():
        array = np.zeros(1)
        readers.retire(array)
        return weakref.ref(array)

    assert replaced()() is None
    first = readers.now
    one = replaced()
    second = readers.now
    two, three = replaced(), replaced()
    assert all(array() is not None for array in (one, two, three))
    del first
    assert one() is None and two() is not None and three() is not None
    del second
    assert two() is None and three() is None


def test_much_is_replaced_during_one_reading():
    reading = readers.now
    for _ in range(200_000):
        readers.retire(None)
    del reading  # what it kept goes one after another, not one within another


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_child_has_no_readers_but_its_own():
    inside, ended = threading.Event(), threading.Event()

    def read():
        reading = readers.now
        with readers._lock:
            inside.set()
            ended.wait(20)
        del reading

    reader = threading.Thread(target=read)
    reader.start()
    inside.wait(20)
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        array = np.zeros(1)
        readers.retire(array)
        replaced = weakref.ref(array)
        del array
        os._exit(0 if replaced() is None else 1)
    ended.set()
    reader.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_forks_while_helpers_sleep_watch_and_work():
    matchers = known_matchers(ROWS)
    expected = one_by_one(matchers)
    stop = threading.Event()

    def fill():
        bitmask = np.zeros_like(expected)
        while not stop.is_set():
            fill_bitmasks(matchers, bitmask, threads=2)
            time.sleep(0.0002)

    def in_child():
        bitmask = np.zeros_like(expected)
        for _ in range(20):
            bitmask[:] = 0
            fill_bitmasks(matchers, bitmask, threads=2)
            if not np.array_equal(bitmask, expected):
                return 2
        return 0 if all(helper.is_alive() for helper in row_helpers._all) else 3

    filler = threading.Thread(target=fill)
    filler.start()
    try:
        for turn in range(10):
            fill_bitmasks(matchers, np.zeros_like(expected), threads=2)
            time.sleep(0.005 * (turn % 2))
            child = os.fork()
            if child == 0:
                code = 1
                try:
                    code = in_child()
                finally:
                    os._exit(code)
            end = time.monotonic() + 60
            while (waited := os.waitpid(child, os.WNOHANG))[0] == 0:
                if time.monotonic() > end:
                    os.kill(child, 9)
                time.sleep(0.002)
            assert os.waitstatus_to_exitcode(waited[1]) == 0
    finally:
        stop.set()
        filler.join()


BEGINNING = """
import os, signal, sys, threading, time
sys.path.insert(0, sys.argv[1])
import numpy as np
from test_row_helpers import known_matchers, one_by_one, ROWS
from structgen import row_helpers
from structgen.batch import fill_bitmasks
matchers = known_matchers(ROWS)
expected = one_by_one(matchers)
bitmask = np.zeros_like(expected)
for _ in range(50):
    fill_bitmasks(matchers, bitmask, threads=3)
def for_ever():
    mine = np.zeros_like(expected)
    while True:
        fill_bitmasks(matchers, mine, threads=2)
"""
ENDINGS = {
    "nothing more": "",
    "asleep": "time.sleep(0.05)",
    "alone": "from structgen.threads import is_alone; assert is_alone(), threading.enumerate()",
    "an error": "raise SystemExit(0)",
    "others still fill": """
for _ in range(3):
    threading.Thread(target=for_ever, daemon=True).start()
time.sleep(0.05)
""",
    "filled at exit": "import atexit; atexit.register(lambda: fill_bitmasks(matchers, bitmask, threads=2))",
    "interrupted": """
class Stop(KeyboardInterrupt):
    pass
def stop(*_):
    raise Stop
signal.signal(signal.SIGALRM, stop)
begin, caught, whole = time.monotonic(), 0, 0
while time.monotonic() < begin + 2:
    bitmask = np.zeros_like(expected)
    try:
        # once more after a second: what is raised in a destructor, say, does not get here
        signal.setitimer(signal.ITIMER_REAL, 1e-6 * (20 + caught * 7 % 400), 1)
        while True:
            bitmask[:] = 0
            fill_bitmasks(matchers, bitmask, threads=2)
            whole += 1
            if not np.array_equal(bitmask, expected):
                os._exit(3)
    except Stop:
        caught += 1
signal.setitimer(signal.ITIMER_REAL, 0)
assert caught > 100, caught
if row_helpers.are_there():
    # who was lost by that is found again
    fill_bitmasks(matchers, bitmask, threads=3)
    assert len(row_helpers._all) <= 4 and threading.active_count() <= 5, (caught, threading.active_count())
""",
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_interpreter_ends(ending):
    if ending == "interrupted" and not hasattr(__import__("signal"), "setitimer"):
        pytest.skip("no timers here")
    code = BEGINNING + ENDINGS[ending]
    command = [sys.executable, "-c", code, os.path.dirname(__file__)]
    ended = subprocess.run(command, timeout=120, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "Error" not in ended.stderr, ended.stderr
