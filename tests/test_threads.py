"""Eight threads on one compiler: what each finds is what one thread finds by itself."""

from __future__ import annotations

import hashlib
import random
import sys
import threading
from itertools import product

import numpy as np

from structgen.batch import fill_bitmasks
from structgen.bitmask import allocate_bitmask
from structgen.compiler import Compiler
from structgen.vocabulary import Vocabulary

THREADS = 8
WORDS = [
    b'{"',
    b'":',
    b'", "',
    b"true",
    b"  ",
    b"return",
    b"def f",
    b"12",
    b'"id',
    b"name",
    b"], ",
    b"aa",
    b"ab",
]
TOKENS = [*[bytes([byte]) for byte in range(256)], *WORDS, None]
VOCABULARY = Vocabulary(TOKENS, len(TOKENS) - 1)
TEXT = {"type": "string"}
SCHEMAS = [
    {"type": "object", "properties": {"id": {"type": "integer"}, "name": TEXT}, "required": ["id"]},
    {"type": "object", "properties": {"name": TEXT, "tags": {"type": "array", "items": TEXT}}},
    {"type": "array", "items": {"maxLength": 5}, "uniqueItems": True},
    {"anyOf": [{"const": n} for n in ("aa", "ab", 12)] + [{"type": "string", "pattern": "^a+b*$"}]},
    {"$defs": {"t": {"type": "array", "items": {"$ref": "#/$defs/t"}}}, "$ref": "#/$defs/t"},
    {"type": "object", "additionalProperties": {"type": "string", "maxLength": 300}, "maxProperties": 3},
]
MAKE = [
    *[lambda c, s=schema: c.json_schema(s) for schema in SCHEMAS],
    lambda c: c.json_schema(SCHEMAS[0], any_order=True),
    lambda c: c.regex(r"(a{1,30}b|[^x]{2,9}y)*"),
    lambda c: c.gbnf('root ::= "(" root ")" | [0-9]+ root?'),
    lambda c: c.grammar("csv"),
    lambda c: c.lark('start: (NAME | "return" | start "," start)\nNAME: /[a-z]+/\n%ignore " "'),
]
SEEDS = range(2)


def walk(compiler, which, seed):
    """A hash of all masks on a walk with forks and steps back, in a batch and one by one."""
    rng = random.Random(100 * which + seed)
    matchers = [MAKE[which](compiler).matcher() for _ in range(2)]
    bitmask = allocate_bitmask(3, VOCABULARY.size)
    content = hashlib.blake2b()
    for _ in range(20):
        fill_bitmasks(matchers, bitmask, threads=1 + seed % 2)
        matchers[1].fill_bitmask(bitmask, 2)
        assert np.array_equal(bitmask[1], bitmask[2])
        content.update(bitmask.tobytes())
        for i, matcher in enumerate(matchers):
            bits = np.unpackbits(bitmask[i].view(np.uint8), bitorder="little")
            allowed = np.flatnonzero(bits).tolist()
            choice = rng.random()
            if not allowed or choice < 0.1:
                matcher.rollback(rng.randrange(min(matcher.n_accepted, 5) + 1))
            elif choice < 0.2:
                matchers[i] = matcher.fork()
                assert matcher.accept(rng.choice(allowed))
            else:
                assert matcher.accept(rng.choice(allowed))
            content.update(matcher.forced_bytes() + bytes([matcher.is_accepting]))
    return content.hexdigest()


def test_eight_threads_find_what_one_finds():
    items = list(product(range(len(MAKE)), SEEDS))
    alone = Compiler(VOCABULARY)
    expected = {item: walk(alone, *item) for item in items}
    shared = Compiler(VOCABULARY, cache_size=4)  # so that the same schemas are compiled at the same time, too
    found: list[dict[tuple[int, int], str]] = [{} for _ in range(THREADS)]
    barrier = threading.Barrier(THREADS)

    def work(number):
        order = items.copy()
        random.Random(number // 2).shuffle(order)  # two threads each come to the same things side by side
        barrier.wait()
        for item in order:
            found[number][item] = walk(shared, *item)

    usual = sys.getswitchinterval()
    sys.setswitchinterval(2e-5)
    threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(usual)
    for results in found:
        assert results == expected


def test_eight_threads_on_one_grammar():
    """All share one machine, whose records are made by whoever comes first."""
    alone = Compiler(VOCABULARY)
    for which in range(len(MAKE)):
        expected = [walk(alone, which, seed) for seed in range(THREADS)]
        shared = Compiler(VOCABULARY)
        MAKE[which](shared)
        found = [""] * THREADS

        def work(number, which=which, shared=shared, found=found):
            found[number] = walk(shared, which, number)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == expected
