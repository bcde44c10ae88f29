"""`fill_bitmasks` gives each row what `Matcher.fill_bitmask` gives it, whatever the batch and the threads."""

from __future__ import annotations

import gc
import os
import random
import sys
import threading
import weakref
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from structgen import threads as helper_threads
from structgen.batch import fill_bitmasks
from structgen.bitmask import allocate_bitmask
from structgen.compiler import Compiler
from structgen.errors import BitmaskError, CompileLimitError, OptionError
from structgen.vocabulary import Vocabulary

WORDS = [
    b"ab",
    b'"a',
    b'":',
    b'", "',
    b"true",
    b"  ",
    b"return",
    b"def f",
    b"):\n    ",
    b"12",
    b"1, 2",
    b"}]",
]
TOKENS = [*[bytes([byte]) for byte in range(256)], *WORDS, None, None, b""]
VOCABULARY = Vocabulary(TOKENS, [256 + len(WORDS), 257 + len(WORDS)])
STOP = 256 + len(WORDS)
# not every byte is a token of its own: masks are narrowed after they were computed
SPARSE = Vocabulary([b"a", b"ab", b"bb", b"c", b"", None], 5)
ASCII = Vocabulary([*[bytes([byte]) for byte in range(128)], None], 128)

GRAMMARS = {
    "object": lambda c: c.json_schema(
        {
            "type": "object",
            "properties": {"a": {"type": "string"}, "b": {"type": "array", "items": {"type": "integer"}}},
        }
    ),
    "any order": lambda c: c.json_schema(
        {"properties": {"a": {"type": "string"}, "b": {"maxLength": 3}}, "required": ["b"]}, any_order=True
    ),
    "distinct": lambda c: c.json_schema({"type": "array", "items": {"maxLength": 2}, "uniqueItems": True}),
    "regex": lambda c: c.regex(r"(ab*|[^x]{3,9})+"),
    "counted": lambda c: c.regex(r"[a-z]{1,40}(true)?"),
    "recursive": lambda c: c.gbnf('root ::= "(" root ")" | [0-9]+ root?'),
    "python": lambda c: c.grammar("python"),
    "csv": lambda c: c.grammar("csv"),
    "lark": lambda c: c.lark('start: (NAME | "return" | start "," start)\nNAME: /[a-z]+/\n%ignore " "'),
    "choice": lambda c: c.choice(["true", "false", "12"]),
}


def compiled(compiler):
    return [make(compiler) for make in GRAMMARS.values()]


@cache
def warm():
    """Kept, so that masks are known; made at the first use, since a lexer needs compiled kernels."""
    return compiled(Compiler(VOCABULARY))


OTHER = Compiler(VOCABULARY).regex("[0-9]*ab")  # of another store
NARROWED = Compiler(SPARSE).regex("(ab|bb|c)*")


def wander(grammar, seed, length):
    """Tokens of a text, the stop id among them."""
    matcher, tokens = grammar.matcher(), []
    rng = random.Random(seed)
    row = allocate_bitmask(1, matcher.grammar.vocabulary.size)
    for _ in range(length):
        matcher.fill_bitmask(row)
        allowed = np.flatnonzero(np.unpackbits(row.view(np.uint8), bitorder="little"))
        if not allowed.size:
            break
        tokens.append(int(rng.choice(allowed.tolist())))
        assert matcher.accept(tokens[-1])
    return tokens


def after(grammar, tokens):
    matcher = grammar.matcher()
    assert all(map(matcher.accept, tokens))
    return matcher


def one_by_one(matchers, before):
    expected = before.copy()
    for row, matcher in enumerate(matchers):
        if matcher is not None:
            matcher.fill_bitmask(expected, row)
    return expected


PLACES = st.lists(
    st.one_of(
        st.none(),
        st.tuples(st.integers(0, len(GRAMMARS) + 1), st.integers(0, 2**16), st.integers(0, 12)),
    ),
    max_size=40,
)


@settings(deadline=None, max_examples=60)
@given(PLACES, st.sampled_from([1, 2, 3]), st.booleans(), st.integers(0, 3))
def test_a_batch_equals_its_rows(places, threads, cold, more):
    known = [*warm(), OTHER, NARROWED]
    # without a cache these are compiled anew, so that none of their masks are known
    used = [*compiled(Compiler(VOCABULARY, cache_size=0)), OTHER, NARROWED] if cold else known
    matchers = [
        None if place is None else after(used[place[0]], wander(known[place[0]], *place[1:]))
        for place in places
    ]
    words = len(TOKENS) // 32 + 1 + more
    bitmask = np.random.default_rng(0).integers(-(2**31), 2**31, (len(places) + 1, words)).astype(np.int32)
    filled = bitmask.copy()
    fill_bitmasks(matchers, filled, threads=threads)
    assert np.array_equal(filled, one_by_one(matchers, bitmask))
    fill_bitmasks(matchers, filled, threads=threads)  # all known now
    assert np.array_equal(filled, one_by_one(matchers, bitmask))


def test_a_matcher_that_has_ended_clears_its_row_and_comes_back():
    matcher = OTHER.matcher()
    assert all(map(matcher.accept, b"1ab")) and matcher.accept(STOP)
    bitmask = allocate_bitmask(2, VOCABULARY.size)
    bitmask[:] = -1
    fill_bitmasks([matcher, None], bitmask)
    assert not bitmask[0].any() and (bitmask[1] == -1).all()
    many = np.full((8, bitmask.shape[1]), -1, np.int32)
    fill_bitmasks([matcher, *[None] * 7], many)
    assert not many[0].any() and (many[1:] == -1).all()
    assert matcher.is_accepting and not matcher.accept(ord("1")) and not matcher.accept_bytes(b"1")
    matcher.rollback()
    fill_bitmasks([matcher], bitmask)
    assert bitmask[0].any() and not matcher.is_terminated


@pytest.mark.parametrize("threads", [0, -1, True, 1.5, "2"])
def test_threads_are_a_positive_int(threads):
    with pytest.raises(OptionError, match="a positive int, or None"):
        fill_bitmasks([OTHER.matcher()], allocate_bitmask(1, VOCABULARY.size), threads=threads)


@pytest.mark.parametrize("grammar", ["regex", "lexed"])
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("rows", [1, 9])
def test_a_narrow_bitmask_is_refused(grammar, known, rows):
    grammar = OTHER if grammar == "regex" else warm()[list(GRAMMARS).index("csv")]
    if known:
        grammar.matcher().fill_bitmask(allocate_bitmask(1, VOCABULARY.size))
    with pytest.raises(BitmaskError, match="the vocabulary needs 9 words a row, the bitmask has 8"):
        fill_bitmasks([None] * rows + [grammar.matcher()], np.zeros((rows + 1, 8), np.int32))


def test_an_error_is_raised_by_the_caller_and_its_rows_are_empty(monkeypatch):
    grammars = [Compiler(VOCABULARY).regex(f"a{{1,{n}}}b") for n in range(3, 9)]
    broken, machines = grammars[3].machine, type(grammars[3].machine)
    fills = machines.fill

    def fill(machine, *arguments):
        if machine is broken:
            raise CompileLimitError("max_pool_words", 1, 2, fixed=True)
        return fills(machine, *arguments)

    monkeypatch.setattr(machines, "fill", fill)
    matchers = [grammar.matcher() for grammar in grammars]
    bitmask = np.full((len(matchers), 9), -1, np.int32)
    with pytest.raises(CompileLimitError):
        fill_bitmasks(matchers, bitmask, threads=4)
    assert not bitmask[3].any()


def test_nothing_at_all():
    bitmask = np.full((2, 9), 7, np.int32)
    fill_bitmasks([], bitmask)
    fill_bitmasks([None, None], bitmask, threads=2)
    assert (bitmask == 7).all()


def test_a_helper_that_fails_does_not_hold_up_the_caller(monkeypatch):
    seen = []
    monkeypatch.setattr(threading, "excepthook", lambda args: seen.append(args.exc_type))
    caller = threading.get_ident()
    began = threading.Event()

    def task():
        if threading.get_ident() == caller:
            began.wait(5)
        else:
            began.set()
            raise ZeroDivisionError

    helper_threads.Team(2, task).finish()
    assert began.is_set()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_batch_after_a_fork():
    matchers = [grammar.matcher() for grammar in warm()] * 3
    bitmask = allocate_bitmask(len(matchers), VOCABULARY.size)
    fill_bitmasks(matchers, bitmask, threads=3)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            again = np.zeros_like(bitmask)
            fill_bitmasks(matchers, again, threads=3)
            code = 0 if np.array_equal(again, bitmask) else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_records_that_grow_while_they_are_read():
    """One thread makes the machines' arrays grow, others fill batches of the same grammars."""
    compiler = Compiler(VOCABULARY)
    grammars = [compiler.regex(rf"(a{{1,{n}}}b|[^x]{{2,9}}y)*") for n in range(4, 12)]
    texts = [wander(grammar, seed, 40) for seed, grammar in enumerate(grammars)]
    wrong, stop = [], threading.Event()
    usual = sys.getswitchinterval()

    def fill():
        while not stop.is_set():
            lengths = [random.randrange(len(text) + 1) for text in texts]
            matchers = [
                after(grammar, text[:length])
                for grammar, text, length in zip(grammars, texts, lengths, strict=True)
            ]
            bitmask = np.full((len(matchers), 9), -1, np.int32)
            fill_bitmasks(matchers, bitmask, threads=2)
            if not np.array_equal(bitmask, one_by_one(matchers, bitmask)):
                wrong.append(lengths)

    readers = [threading.Thread(target=fill) for _ in range(3)]
    sys.setswitchinterval(1e-5)
    try:
        for reader in readers:
            reader.start()
        for seed in range(60):
            for grammar in grammars:
                wander(grammar, seed, 30)
    finally:
        sys.setswitchinterval(usual)
        stop.set()
        for reader in readers:
            reader.join()
    assert not wrong
    # nothing that was replaced is kept
    before = weakref.ref(helper_threads.readers.now)
    helper_threads.readers.retire(None)
    assert before() is None
    assert all(grammar.machine.nbytes > 0 for grammar in grammars)


def test_rows_of_a_store_that_was_cleared_are_found_anew():
    """A new epoch of the store: what machines remember of its rows counts no more, in a batch neither."""
    compiler = Compiler(VOCABULARY)
    grammars = compiled(compiler)
    matchers = [after(grammar, wander(grammar, seed, 8)) for seed in range(3) for grammar in grammars]
    expected = np.zeros((len(matchers), 9), np.int32)
    fill_bitmasks(matchers, expected)
    for threads in (1, 2):
        compiler.store.clear()
        compiler.json_schema({"pattern": f"^x{{{threads}}}[a-z]{{3,}}"}).matcher().fill_bitmask(
            expected.copy()
        )
        bitmask = np.full_like(expected, -1)
        fill_bitmasks(matchers, bitmask, threads=threads)
        assert np.array_equal(bitmask, expected)
        fill_bitmasks(matchers, bitmask, threads=threads)
        assert np.array_equal(bitmask, expected)


def test_a_store_that_is_cleared_while_batches_are_filled():
    compiler = Compiler(VOCABULARY)
    grammars = compiled(compiler)[:6]
    matchers = [after(grammar, wander(grammar, seed, 8)) for seed in range(2) for grammar in grammars]
    expected = one_by_one(matchers, np.zeros((len(matchers), 9), np.int32))
    wrong, stop = [], threading.Event()

    def fill():
        mine = [matcher.fork() for matcher in matchers]
        while not stop.is_set():
            bitmask = np.full_like(expected, -1)
            fill_bitmasks(mine, bitmask, threads=2)
            if not np.array_equal(bitmask, expected):
                wrong.append(bitmask)

    fillers = [threading.Thread(target=fill) for _ in range(3)]
    for filler in fillers:
        filler.start()
    for _ in range(60):
        compiler.store.clear()
        wander(grammars[0], len(wrong), 3)
    stop.set()
    for filler in fillers:
        filler.join()
    assert not wrong


def changed(matchers, rng):
    """A pool of matchers after some steps, taken back steps, new beginnings, forks and ends."""
    row = allocate_bitmask(1, VOCABULARY.size)
    for matcher in rng.sample(matchers, len(matchers) // 3):
        what = rng.random()
        if what < 0.15:
            matcher.rollback(rng.randrange(matcher.n_accepted + 1))
        elif what < 0.25:
            matcher.reset()
        elif what < 0.4:
            matchers[rng.randrange(len(matchers))] = matcher.fork()
        elif not matcher.is_terminated:
            matcher.fill_bitmask(row)
            allowed = np.flatnonzero(np.unpackbits(row.view(np.uint8), bitorder="little"))
            matcher.accept(int(rng.choice(allowed.tolist())))


@pytest.mark.parametrize("seed", range(4))
def test_batches_one_after_another(seed):
    """What a batch remembers of those before it (places, room) never shows, whatever their sizes."""
    rng = random.Random(seed)
    grammars = [*compiled(Compiler(VOCABULARY)), OTHER]
    matchers = [rng.choice(grammars).matcher() for _ in range(60)]
    batch = [rng.choice(matchers) for _ in range(300)]
    for turn in range(40):
        changed(matchers, rng)
        if turn % 3 == 0:
            if rng.random() < 0.5:
                rng.choice(grammars).shed()  # as where a budget is spent: its matchers move to a new machine
            # some of them several times, some rows left out
            batch = [rng.choice([*matchers, None]) for _ in range(rng.choice([6, 40, 129, 300]))]
        if turn % 4 == 0:
            batch[rng.randrange(len(batch))] = rng.choice(matchers)
        bitmask = np.full((len(batch) + turn % 2, 9 + turn % 3), 7, np.int32)
        before = bitmask.copy()
        fill_bitmasks(batch, bitmask, threads=rng.choice([1, 2, 2, 3]))
        assert np.array_equal(bitmask, one_by_one(batch, before)), turn


def test_a_machine_that_is_left_lives_as_long_as_a_batch_reads():
    grammar = Compiler(VOCABULARY).regex("[a-f]{3,40}")
    matchers = [grammar.matcher() for _ in range(3)]
    assert all(matcher.accept(ord("a")) for matcher in matchers)
    cell = weakref.ref(matchers[0]._machine._cell)
    grammar.shed()
    reading = helper_threads.readers.now
    assert matchers[0].accept(ord("b"))
    matchers[1].reset()
    del matchers[2]
    assert matchers[0]._machine._cell is not cell() is not None
    del reading
    assert cell() is None


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_a_batch_that_is_over_keeps_nothing(threads):
    compiler = Compiler(VOCABULARY, cache_size=0)
    matchers = [compiler.regex(f"a{{1,{3 + row % 7}}}b").matcher() for row in range(200)]
    bitmask = np.zeros((200, 9), np.int32)
    for _ in range(3):
        fill_bitmasks(matchers, bitmask, threads=threads)
    gone = [weakref.ref(bitmask), *(weakref.ref(matcher._machine._pool) for matcher in matchers)]
    del matchers, bitmask
    gc.collect()
    assert not any(reference() is not None for reference in gone)


def test_matchers_that_another_thread_moves_on():
    """Not what they are made for; but each row is the mask of one of the matcher's places."""
    grammar = warm()[list(GRAMMARS).index("recursive")]
    matchers = [grammar.matcher() for _ in range(200)]
    places = np.zeros((2, 9), np.int32)
    matchers[0].fill_bitmask(places, 0)
    assert matchers[0].accept(ord("1"))
    matchers[0].fill_bitmask(places, 1)
    assert not np.array_equal(*places)
    stop, turns = threading.Event(), []

    def move():
        while not stop.is_set():
            for matcher in matchers:
                if matcher.n_accepted:
                    matcher.rollback()
                else:
                    matcher.accept(ord("1"))
            turns.append(None)

    mover = threading.Thread(target=move)
    mover.start()
    try:
        for turn in range(300):
            bitmask = np.full((200, 9), -1, np.int32)
            fill_bitmasks(matchers, bitmask, threads=1 + turn % 2)
            assert all(np.array_equal(row, places[0]) or np.array_equal(row, places[1]) for row in bitmask)
    finally:
        stop.set()
        mover.join()
    assert turns


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("compiler", ["the first one", "another"])
def test_a_mask_that_many_want_is_found_once(monkeypatch, threads, compiler):
    grammars = [Compiler(VOCABULARY).regex(f"a{{1,{n}}}b") for n in range(3, 9)]
    if compiler == "the first one":
        shared = Compiler(VOCABULARY)
        grammars = [shared.regex(f"a{{1,{n}}}b") for n in range(3, 9)]
    machines = type(grammars[0].machine)
    fills, asked = machines.fill, []

    def fill(machine, config, *arguments):
        asked.append((machine, config))
        return fills(machine, config, *arguments)

    matchers = [grammars[row % 6].matcher() for row in range(90)]
    for matcher in matchers[::5]:
        assert matcher.accept(ord("a"))
    monkeypatch.setattr(machines, "fill", fill)
    bitmask = np.full((90, 9), -1, np.int32)
    fill_bitmasks(matchers, bitmask, threads=threads)
    # of other compilers than the first matcher's they are copied one by one
    assert compiler == "another" or len(asked) == len(set(asked)) == 12
    assert np.array_equal(bitmask, one_by_one(matchers, bitmask))
