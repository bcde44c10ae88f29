"""Masks of grammars with a lexer, which a batch finds by a table of its own, without a lock."""

from __future__ import annotations

import sys
import threading
import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structgen_kernels import whole_masks
from structgen_kernels.shared_memory import address_of

from structgen.batch import fill_bitmasks
from structgen.bitmask import allocate_bitmask
from structgen.compiler import Compiler
from structgen.errors import BitmaskError
from structgen.threads import readers
from structgen.vocabulary import Vocabulary

VOCABULARY = Vocabulary([*[bytes([byte]) for byte in range(256)], None], 256)
TEXT = b"def f(a, b):\n    return [a + 1, 'x', {b: 2}] if a < b else f(b, a)\n"


def table_of(slots):
    table = np.zeros(whole_masks.HEAD + 2 * slots, np.int64)
    whole_masks.copy_noted(np.zeros(whole_masks.HEAD, np.int64), table)
    return table


# numbers that meet in the same slots, and again and again
CONFIGS = st.sampled_from([1, 2, 3, 5, 17, 33, 65, 129, 1 << 20, (1 << 29) + 1, (1 << 29) - 1])


@settings(deadline=None)
@given(st.lists(st.tuples(CONFIGS, st.integers(0, 3))))
def test_a_table_is_a_dictionary(changes):
    known: dict[int, int] = {}
    table = table_of(8)
    for config, address in changes:
        known[config] = address
        while not whole_masks.note(table, config, address):
            larger = table_of(2 * (table.shape[0] - whole_masks.HEAD) // 2)
            whole_masks.copy_noted(table, larger)
            table = larger
        for each in (*known, 4, 1 << 30):
            assert whole_masks.find(address_of(table), each) == known.get(each, 0)


@pytest.fixture
def grammar():
    """With room for 16 masks."""
    grammar = Compiler(VOCABULARY).grammar("python")
    grammar.machine._most_masks = 16
    return grammar


def along(grammar):
    """Matchers at all places of a text."""
    matcher = grammar.matcher()
    matchers = [matcher.fork()]
    for byte in TEXT:
        assert matcher.accept(byte)
        matchers.append(matcher.fork())
    return matchers


def one_by_one(matchers):
    expected = allocate_bitmask(len(matchers), VOCABULARY.size)
    for row, matcher in enumerate(matchers):
        matcher.fill_bitmask(expected, row)
    return expected


def test_masks_come_and_go(grammar):
    machine = grammar.machine
    matchers = along(grammar)
    expected = one_by_one(matchers)
    assert len(machine._masks) == 16 < len({matcher.configuration for matcher in matchers})
    for _ in range(40):  # each drops what the one before has made
        for threads in (1, 2):
            bitmask = np.full_like(expected, -1)
            fill_bitmasks(matchers, bitmask, threads=threads)
            assert np.array_equal(bitmask, expected)
    assert len(machine._masks) == 16 and machine._table.shape[0] <= 512
    for matcher in matchers:
        known = machine._masks.get(matcher.configuration)
        address = whole_masks.find(address_of(machine._table), matcher.configuration)
        assert address == (0 if known is None else address_of(known))


def test_a_batch_finds_them_without_the_grammar(grammar, monkeypatch):
    grammar.machine._most_masks = 1000
    matchers = along(grammar)
    expected = one_by_one(matchers)

    def fill(*_):
        raise AssertionError("a known mask was looked for")

    monkeypatch.setattr(type(grammar.machine), "fill", fill)
    bitmask = np.full((len(matchers), 12), -1, np.int32)
    fill_bitmasks(matchers, bitmask, threads=1)
    assert np.array_equal(bitmask[:, :9], expected) and not bitmask[:, 9:].any()
    monkeypatch.undo()
    with pytest.raises(BitmaskError, match="the vocabulary needs 9 words a row"):
        fill_bitmasks(matchers, np.zeros((len(matchers), 8), np.int32), threads=2)


def test_what_is_dropped_lives_as_long_as_a_batch_reads(grammar):
    machine = grammar.machine
    matchers = along(grammar)
    matchers[0].fill_bitmask(allocate_bitmask(1, VOCABULARY.size))
    mask = weakref.ref(machine._masks[matchers[0].configuration])
    table = weakref.ref(machine._table)
    reading = readers.now
    for _ in range(5):
        one_by_one(matchers)
    assert machine._table is not table() is not None and mask() is not None
    assert matchers[0].configuration not in machine._masks
    del reading
    assert mask() is None and table() is None


def test_they_go_while_batches_are_filled(grammar):
    matchers = along(grammar)
    expected = one_by_one(matchers)
    wrong, usual = [], sys.getswitchinterval()

    def fill(first):
        mine = matchers[first:] + matchers[:first]
        for _ in range(60):
            bitmask = np.full_like(expected, -1)
            fill_bitmasks(mine, bitmask, threads=2)
            if not np.array_equal(bitmask, np.roll(expected, -first, 0)):
                wrong.append(first)

    fillers = [threading.Thread(target=fill, args=(9 * number,)) for number in range(4)]
    sys.setswitchinterval(1e-5)
    try:
        for filler in fillers:
            filler.start()
        for filler in fillers:
            filler.join()
    finally:
        sys.setswitchinterval(usual)
    assert not wrong
