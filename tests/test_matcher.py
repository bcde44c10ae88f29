"""Matchers and bitmasks as callers meet them: misuse gets a clear error, and nothing has changed."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch
from test_laws import allowed

from structgen.batch import fill_bitmasks
from structgen.bitmask import allocate_bitmask
from structgen.compiler import Compiler
from structgen.errors import BitmaskError, MatcherError, OptionError, StructgenError, TokenIdError
from structgen.vocabulary import Vocabulary

VOCABULARY = Vocabulary([*[bytes([byte]) for byte in range(256)], b"ab", b"", None, None], [258, 259])
COMPILER = Compiler(VOCABULARY)


def matcher(pattern: str = "ab*"):
    return COMPILER.regex(pattern).matcher()


READ_ONLY = np.zeros((1, 9), np.int32)
READ_ONLY.flags.writeable = False
BAD_BITMASKS = {
    "a list": ([[0] * 9], 0, "a numpy array or a torch tensor, not list"),
    "int64": (np.zeros((1, 9), np.int64), 0, "int32, not int64"),
    "a torch bool tensor": (torch.zeros((1, 9), dtype=torch.bool), 0, "int32, not bool"),
    "one dimension": (np.zeros(9, np.int32), 0, r"not shape \(9,\)"),
    "too narrow": (np.zeros((1, 8), np.int32), 0, "needs 9 words a row, the bitmask has 8"),
    "not contiguous": (np.zeros((2, 18), np.int32)[:, ::2], 0, "C-contiguous"),
    "read-only": (READ_ONLY, 0, "writeable"),
    "row past the end": (np.zeros((1, 9), np.int32), 1, "row 1 of a bitmask with 1 rows"),
    "negative row": (np.zeros((1, 9), np.int32), -1, "row -1"),
}


@pytest.mark.parametrize("name", BAD_BITMASKS)
def test_a_wrong_bitmask_is_refused(name):
    bitmask, row, said = BAD_BITMASKS[name]
    with pytest.raises(BitmaskError, match=said):
        matcher().fill_bitmask(bitmask, row)


@pytest.mark.parametrize("token", [-1, 260, 10**9])
def test_a_token_id_out_of_range_is_an_error(token):
    subject = matcher()
    with pytest.raises(TokenIdError, match=f"{token} is outside the vocabulary of 260 ids"):
        subject.accept(token)
    assert subject.n_accepted == 0


@pytest.mark.parametrize("token", [257, 258, 259, ord("b")])
def test_what_is_not_allowed_is_not_accepted(token):
    subject = matcher()
    assert not subject.accept(token)
    assert subject.n_accepted == 0 and allowed(subject) == {ord("a"), 256}


def test_rollback_past_the_beginning_changes_nothing():
    subject = matcher()
    assert subject.accept(256) and subject.accept(ord("b"))
    with pytest.raises(MatcherError, match="rollback of 3 tokens, but only 2 were accepted"):
        subject.rollback(3)
    with pytest.raises(MatcherError, match="must not be negative"):
        subject.rollback(-1)
    assert subject.n_accepted == 2
    subject.rollback(2)
    assert allowed(subject) == {ord("a"), 256}


def test_every_stop_id_ends_the_text_and_can_be_rolled_back():
    subject = matcher()
    assert subject.accept(ord("a"))
    for stop in (258, 259):
        assert stop in allowed(subject)
        assert subject.accept(stop) and subject.is_terminated and subject.is_accepting
        assert allowed(subject) == set() and not subject.accept(ord("b"))
        assert subject.forced_bytes() == b"" and not subject.following_bytes().any()
        subject.rollback(1)
        assert not subject.is_terminated


@pytest.mark.parametrize(("rows", "size"), [(0, 5), (1, 0), (-1, 5), (1.5, 5), (True, 5), ("1", 5)])
def test_a_bitmask_of_no_size_is_refused(rows, size):
    with pytest.raises(OptionError, match="a positive int"):
        allocate_bitmask(rows, size)


def test_a_batch_is_filled_row_by_row():
    bitmask = allocate_bitmask(4, VOCABULARY.size)
    bitmask[2] = 7
    one, other = matcher(), matcher("[0-9]+")
    fill_bitmasks([one, other, None], bitmask)
    expected = allocate_bitmask(1, VOCABULARY.size)
    for row, subject in enumerate((one, other)):
        subject.fill_bitmask(expected, 0)
        assert (bitmask[row] == expected[0]).all()
    assert (bitmask[2] == 7).all() and not bitmask[3].any()
    with pytest.raises(BitmaskError, match="5 matchers, but the bitmask has 4 rows"):
        fill_bitmasks([one] * 5, bitmask)


def test_torch_bitmasks_share_their_memory():
    bitmask = torch.full((2, 12), -1, dtype=torch.int32)
    matcher().fill_bitmask(bitmask, 1)
    assert bitmask[0].eq(-1).all() and bitmask[1, 9:].eq(0).all()
    assert bitmask[1, ord("a") // 32].item() == 1 << (ord("a") % 32)


def test_threads_share_one_grammar():
    """Eight threads on one compiler: every mask is what one thread alone finds."""
    pattern = r'(\{"[a-z]{1,30}": ("[^"]*"|[0-9]+)\}\n)*'
    text = b'{"abcabc": "hello"}\n{"x": 12}\n' * 3
    alone = Compiler(VOCABULARY).regex(pattern).matcher()
    expected = []
    for byte in text:
        expected.append(allowed(alone))
        assert alone.accept(byte)
    shared = Compiler(VOCABULARY)
    failures: list[object] = []

    def work() -> None:
        try:
            for _ in range(5):
                subject = shared.regex(pattern).matcher()
                for place, byte in enumerate(text):
                    if allowed(subject) != expected[place] or not subject.accept(byte):
                        failures.append(place)
        except StructgenError as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


@pytest.mark.parametrize("row", [-1, 2, 2**70, -(2**70), np.int64(5)])
def test_a_row_that_is_not_there(row):
    with pytest.raises(BitmaskError, match=f"row {row} of a bitmask with 2 rows"):
        matcher().fill_bitmask(allocate_bitmask(2, VOCABULARY.size), row)


def test_a_row_may_be_any_integer():
    bitmask = allocate_bitmask(2, VOCABULARY.size)
    matcher().fill_bitmask(bitmask, np.int32(1))
    assert bitmask[1].any() and not bitmask[0].any()
