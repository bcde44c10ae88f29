"""Memory is bounded, and what goes changes no mask: entries and records dropped at any moment of a text."""

from __future__ import annotations

import gc
import json
import random
import threading
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from structgen import Compiler, Vocabulary, allocate_bitmask, machine
from structgen.budget import Budget
from structgen.errors import OptionError
from structgen.sources.json_schema import scalars

BYTES = [bytes([byte]) for byte in range(256)]
MORE = [
    b'":',
    b'","',
    b'", "',
    b'"a',
    b'ab"',
    b"true",
    b"]}",
    b'": [',
    b"abcabc",
    b'","b":"',
    b"1.",
    b"\\u00",
    b'a"]',
]
VOCABULARY = Vocabulary([*BYTES, *MORE, None], len(BYTES) + len(MORE))
SCHEMAS = [
    {"additionalProperties": {"type": "string", "maxLength": 40}},
    {"properties": {"a": {"type": "integer"}, "ab": {"enum": ["x", "xy"]}}, "required": ["ab"]},
    {"type": "array", "uniqueItems": True, "items": {"type": "string", "minLength": 1, "maxLength": 9}},
    {"type": "array", "items": {"type": "string", "pattern": "^(ab|c)*d?$", "maxLength": 20}},
    {"type": "object", "propertyNames": {"pattern": "^[a-c]+$"}, "additionalProperties": {"type": "number"}},
    {"type": "string", "format": "email"},
]


def mask(matcher) -> np.ndarray:
    bitmask = allocate_bitmask(1, VOCABULARY.size)
    matcher.fill_bitmask(bitmask, 0)
    return np.flatnonzero(np.unpackbits(bitmask.view(np.uint8), bitorder="little"))


def compiled(compiler: Compiler, schema: object, stored: int = 0):
    with mock.patch("structgen.growing_arrays.STORED_NODES", stored):
        return compiler.json_schema(schema)


class Dropper:
    """Drops what may be dropped: the store's entries, the records of a grammar."""

    def __init__(self, compiler, grammars, random_source):
        self.compiler, self.grammars, self.random = compiler, grammars, random_source

    def __call__(self):
        what = self.random.randrange(4)
        if what == 0:
            self.compiler.store.clear()
        elif what == 1:
            self.random.choice(self.grammars).shed()


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, len(SCHEMAS) - 1), st.integers(0, len(SCHEMAS) - 1), st.randoms(use_true_random=False))
def test_random_evictions_change_no_mask(first, second, source):
    """Accepts, rollbacks and forks with evictions between them, against a compiler that keeps everything."""
    compiler, other = Compiler(VOCABULARY), Compiler(VOCABULARY, cache_bytes=None)
    chosen = [SCHEMAS[first], SCHEMAS[second]]
    grammars = [compiled(compiler, schema) for schema in chosen]
    kept = [compiled(other, schema) for schema in chosen]
    drop = Dropper(compiler, grammars, source)
    pairs = [(a.matcher(), b.matcher()) for a, b in zip(grammars, kept, strict=True)]
    for _ in range(40):
        number = source.randrange(len(pairs))
        left, right = pairs[number]
        drop()
        allowed = mask(left)
        assert np.array_equal(allowed, mask(right))
        drop()
        act = source.random()
        if act < 0.1 and right.n_accepted:
            count = source.randint(1, right.n_accepted)
            left.rollback(count)
            right.rollback(count)
        elif act < 0.2:
            pairs.append((left.fork(), right.fork()))
        elif allowed.size:
            token = int(source.choice(allowed.tolist()))
            assert left.accept(token) and right.accept(token)
        assert left.is_accepting == right.is_accepting
        assert left.is_terminated == right.is_terminated
        assert left.n_accepted == right.n_accepted
    for left, right in pairs:
        drop()
        assert np.array_equal(mask(left), mask(right))
        left.rollback(left.n_accepted)
        right.rollback(right.n_accepted)
        assert np.array_equal(mask(left), mask(right))


def test_a_store_without_room_still_gives_every_mask():
    """With no byte allowed there is an epoch for almost each mask."""
    small, large = Compiler(VOCABULARY, cache_bytes=0), Compiler(VOCABULARY, cache_bytes=None)
    with mock.patch("structgen.mask_store._LEAST_BYTES", 1_500):  # room that nothing is in does not count
        for schema in SCHEMAS:
            left, right = (compiled(c, schema).matcher() for c in (small, large))
            for _ in range(60):
                allowed = mask(left)
                assert np.array_equal(allowed, mask(right))
                if not allowed.size:
                    break
                token = int(allowed[len(allowed) // 2])
                assert left.accept(token) and right.accept(token)
    assert small.store.epoch > 10


def test_one_machine_that_grows_is_given_up_and_its_text_read_again():
    """A single text that makes more and more records: the machine is replaced, the masks stay the same."""
    schema = {"type": "array", "uniqueItems": True, "items": {"type": "string"}}
    small, large = Compiler(VOCABULARY, cache_bytes=1), Compiler(VOCABULARY, cache_bytes=None)
    with mock.patch("structgen.budget._LEAST_MACHINE", 1 << 20):
        grammar = small.json_schema(schema)
        left, right = grammar.matcher(), large.json_schema(schema).matcher()
        machines = {id(left._machine): left._machine}
        for i in range(250):
            text = ("[" if i == 0 else ",") + json.dumps(f"text {i}")
            for token in VOCABULARY.tokenize_bytes(text.encode()):
                assert np.array_equal(mask(left), mask(right))
                assert left.accept(token) and right.accept(token)
                machines[id(left._machine)] = left._machine
    assert 3 < len(machines) < 40  # a fresh one when records have become many, not for each token
    assert left._machine.nbytes < 2 << 20 < right._machine.nbytes
    count = left.n_accepted
    assert count == right.n_accepted
    left.rollback(count - 3)
    right.rollback(count - 3)
    assert np.array_equal(mask(left), mask(right))


def test_what_is_kept_stays_under_the_bound():
    bound = 6 << 20
    compiler = Compiler(VOCABULARY, cache_bytes=bound)
    source = random.Random(3)
    most = 0
    for i in range(150):
        names = {f"name{i}{k}": {"type": "string", "maxLength": 1 + k} for k in range(12)}
        grammar = compiler.json_schema({"properties": names})
        matcher = grammar.matcher()
        for _ in range(30):
            allowed = mask(matcher)
            if not allowed.size or not matcher.accept(int(source.choice(allowed.tolist()))):
                break
        most = max(most, compiler.nbytes)
    assert most < 1.2 * bound
    assert 0 < len(compiler._cache) < 150


def test_a_grammar_that_somebody_holds_loses_only_its_records():
    compiler = Compiler(VOCABULARY, cache_bytes=1 << 20)
    held = compiler.json_schema(SCHEMAS[0])
    matcher = held.matcher()
    assert matcher.accept_bytes(b'{"a": "b')
    before = mask(matcher)
    for i in range(30):
        compiler.json_schema({"properties": {f"n{i}{k}": {"const": "x" * k} for k in range(40)}}).matcher()
    assert held._machine is None
    assert np.array_equal(mask(matcher), before)
    assert matcher.accept_bytes(b'c"')
    assert matcher._machine is held.machine  # it has moved
    assert compiler.json_schema(SCHEMAS[0]) is not held  # and is compiled again for others


def test_the_budget_forgets_grammars_that_die():
    class Grammar:
        def __init__(self, size):
            self.nbytes = size

        def shed(self):
            self.nbytes = 0

    gone = []
    budget = Budget(100, gone.append)
    first, second = Grammar(40), Grammar(50)
    budget.report(first)
    budget.report(second)
    assert budget.nbytes == 90
    del first
    gc.collect()
    assert budget.nbytes == 50
    third, fourth = Grammar(45), Grammar(30)
    budget.report(third)
    budget.touch(second)
    budget.report(fourth)
    assert gone == [third] and third.nbytes == 0 and second.nbytes == 50
    assert budget.nbytes == 80


def test_a_grammar_that_was_made_is_counted_before_another_and_once():
    class Grammar:
        nbytes = 40

        def shed(self):
            self.nbytes = 0

    gone = []
    budget = Budget(100, gone.append)
    first, second, third = Grammar(), Grammar(), Grammar()
    budget.expect(first)
    assert budget.nbytes == 40
    budget.expect(second)
    reference = budget.reference(second)
    budget.report(second)
    assert budget.reference(second) is reference and budget.nbytes == 80
    budget.expect(third)
    del third
    assert budget.nbytes == 80
    third = Grammar()
    budget.expect(third)
    assert not gone
    budget.expect(Grammar())
    assert gone == [first] and budget.nbytes == 80


def test_eight_threads_share_a_compiler_that_evicts():
    """Each compares every mask with one that was made before, while entries and records come and go."""
    expected = []
    large = Compiler(VOCABULARY, cache_bytes=None)
    for schema in SCHEMAS:
        matcher, steps = compiled(large, schema).matcher(), []
        for _ in range(40):
            allowed = mask(matcher)
            if not allowed.size:
                break
            token = int(allowed[len(allowed) * 2 // 3])
            steps.append((allowed, token))
            matcher.accept(token)
        expected.append(steps)
    shared = Compiler(VOCABULARY, cache_bytes=300_000)
    with mock.patch("structgen.growing_arrays.STORED_NODES", 0):
        wrong = []

        def work(seed):
            source = random.Random(seed)
            for _ in range(12):
                number = source.randrange(len(SCHEMAS))
                grammar = shared.json_schema(SCHEMAS[number])
                matcher = grammar.matcher()
                for allowed, token in expected[number]:
                    if not np.array_equal(mask(matcher), allowed) or not matcher.accept(token):
                        wrong.append((seed, number))
                        return
                    if source.random() < 0.02:
                        shared.store.clear()
                    if source.random() < 0.02:
                        grammar.shed()

        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=240)
            assert not thread.is_alive()
    assert not wrong


def test_names_alone_fill_a_store():
    """States of ever new grammars that all have one and the same row: they count as well."""
    compiler = Compiler(VOCABULARY, cache_bytes=200_000)
    with mock.patch("structgen.mask_store._LEAST_BYTES", 50_000):
        for i in range(60):
            schema = {"type": "string", "not": {"const": f"a{i}{'b' * 12}"}}
            matcher = compiled(compiler, schema).matcher()
            for byte in b'"a%d' % i + b"b" * 12:
                mask(matcher)
                assert matcher.accept(byte)
            assert compiler.store.nbytes < 80_000
    assert compiler.store.epoch > 2


@pytest.mark.parametrize("given_bytes", [-1, True, 1.5, "1"])
def test_a_bound_is_a_number_of_bytes(given_bytes):
    with pytest.raises(OptionError, match="cache_bytes"):
        Compiler(VOCABULARY, cache_bytes=given_bytes)


def test_what_is_known_of_plain_schemas_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scalars, "_MOST_BYTES", 100_000)
    monkeypatch.setattr(scalars, "_known", {})
    monkeypatch.setattr(scalars, "_known_bytes", [0])
    compiler = Compiler(VOCABULARY, cache_size=0)
    sizes = []
    for i in range(60):
        values = [f"{i} {'x' * (20 * (i % 7))} {k}" for k in range(12)]
        grammar = compiler.json_schema({"enum": values, "type": "string", "maxLength": 999})
        assert not grammar.matcher().accept_bytes(b'"other"')
        sizes.append((scalars._known_bytes[0], len(scalars._known)))
    assert max(size for size, _ in sizes) <= 100_000
    assert 1 < max(count for _, count in sizes) < 60  # kept, and begun anew


def test_memory_as_it_was_found_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Arrays that are not cleared hold what was there before."""
    schema = {
        "properties": {
            "a": {"maxLength": 3},
            "b": {"items": {"enum": [1, "x"]}},
            "c": {"pattern": "^[a-c]+$"},
        },
        "additionalProperties": {"type": "integer", "minimum": 2},
        "required": ["b"],
    }
    text = b'{"a": "xyz", "b": [1, "x"], "c": "abc", "e": 10}'

    def masks_and_tables():
        monkeypatch.setattr(machine, "_own", machine._Own())
        grammar = Compiler(VOCABULARY).json_schema(schema)
        matcher, masks = grammar.matcher(), []
        for token in VOCABULARY.tokenize_bytes(text):
            masks.append(mask(matcher).tolist())
            assert matcher.accept(token)
        grammar.tables.compact()
        return masks, grammar.tables.static.tolist()

    masks_and_tables()  # what other documents have found of scalars is laid out with the object
    before = masks_and_tables()
    monkeypatch.setattr(np, "empty", lambda shape, dtype=float, **_: np.full(shape, 0x5A, dtype))
    monkeypatch.setattr(np, "empty_like", lambda array, dtype=None, **_: np.full_like(array, 0x5A, dtype))
    assert masks_and_tables() == before
