"""States that sleep while nothing new is asked: the same grammar, whenever they are made again."""

from __future__ import annotations

import gc
import threading
import types
import weakref
from collections import OrderedDict
from decimal import Decimal
from typing import Any
from unittest import mock

import numpy as np
import pytest
from test_json_schema_language import CASES, S

from structgen.bitmask import allocate_bitmask
from structgen.budget import Budget
from structgen.compiler import Compiler
from structgen.dormant_states import Awake, DormantStates
from structgen.errors import CompileLimitError, UnsatisfiableSchemaError
from structgen.growing import GrowingTables
from structgen.parser_states import Key, State
from structgen.sources.json_schema import SchemaStates, json_schema_states
from structgen.vocabulary import Vocabulary

TOKENS: list[bytes | None] = [bytes([byte]) for byte in range(256)]
VOCABULARY = Vocabulary([*TOKENS, b'","', b'":', b'{"', b'"a', b"[[", None], len(TOKENS) + 5)


def source_of(grammar: Any) -> DormantStates:
    assert isinstance(grammar.tables, GrowingTables)
    source = grammar.tables.source
    assert isinstance(source, DormantStates)
    return source


@pytest.mark.parametrize("name", CASES)
def test_texts_are_read_the_same_way_by_states_that_sleep_before_every_token(name: str) -> None:
    schema, good, bad = CASES[name]
    grammars = []
    for _ in range(2):
        try:
            grammars.append(Compiler(VOCABULARY).json_schema(schema))
        except UnsatisfiableSchemaError:
            return
    plain, sleepy = grammars
    rows = allocate_bitmask(2, VOCABULARY.size)
    for text in good + bad:
        one, other = plain.matcher(), sleepy.matcher()
        for token in VOCABULARY.tokenize_bytes(text.encode()):
            source_of(sleepy).sleep()
            one.fill_bitmask(rows, 0)
            other.fill_bitmask(rows, 1)
            assert np.array_equal(rows[0], rows[1])
            source_of(sleepy).sleep()
            taken = one.accept(token)
            assert other.accept(token) == taken
            if not taken:
                break
        assert one.is_accepting == other.is_accepting
    assert isinstance(sleepy.tables, GrowingTables) and isinstance(plain.tables, GrowingTables)
    for grammar in grammars:
        grammar.tables.compact()  # else there is whatever was in memory between what is in use
    assert np.array_equal(sleepy.tables.static, plain.tables.static)


def test_only_those_that_were_asked_last_are_awake() -> None:
    awake = Awake(3)

    def made() -> SchemaStates:
        return json_schema_states({"items": S})

    sources = [DormantStates(made(), made, awake) for _ in range(5)]
    for source in sources:
        source.expand(source.start)
    assert [source.is_awake for source in sources] == [False, False, True, True, True]
    sources[2].expand(sources[2].start)
    sources[0].expand(sources[0].start)
    assert [source.is_awake for source in sources] == [True, False, True, False, True]


def test_of_idle_ones_fewer_are_awake() -> None:
    awake = Awake(4, 2)

    def made() -> SchemaStates:
        return json_schema_states({"items": S})

    sources = [DormantStates(made(), made, awake) for _ in range(6)]
    uses = {i: sources[i].use() for i in (0, 2)}
    assert sources[2].use() is uses[2]
    for source in sources[:5]:
        source.expand(source.start)
    assert [source.is_awake for source in sources[:5]] == [True, False, True, True, True]
    del uses[2]
    assert sources[2].is_idle
    sources[5].expand(sources[5].start)  # the first is one too many now, two are idle
    assert [source.is_awake for source in sources] == [False, False, False, False, True, True]


def test_matchers_keep_states_in_use() -> None:
    grammar = Compiler(VOCABULARY).json_schema({"items": S})
    source = source_of(grammar)
    assert source.is_idle
    matcher = grammar.matcher()
    fork = matcher.fork()
    del matcher
    assert not source.is_idle
    del fork
    assert source.is_idle


def test_what_is_dropped_is_not_held() -> None:
    awake = Awake(3)
    source = DormantStates(json_schema_states(True), lambda: json_schema_states(True), awake)
    source.expand(source.start)
    gone = weakref.ref(source)
    del source
    assert gone() is None


def test_a_question_that_met_a_limit_is_asked_again() -> None:
    class Limited:
        """Each question that fails has taken a number all the same."""

        start: Key = ("value", 0)
        n_records = 0
        warnings = ()

        def __init__(self) -> None:
            self.asked = 0

        def expand(self, key: Key) -> State:
            self.asked += 1
            if key == "too much":
                raise CompileLimitError("max_claims", 1, 2, "", fixed=True)
            return State((), self.asked)

    source = DormantStates(Limited(), Limited, Awake())  # type: ignore[arg-type]
    with pytest.raises(CompileLimitError):
        source.expand("too much")
    assert source.expand("a").kind == 2
    source.sleep()
    assert source.expand("b").kind == 3


def test_a_compiler_keeps_few_awake() -> None:
    compiler = Compiler(VOCABULARY)
    value = {"anyOf": [{"type": "integer", "minimum": 5}, {"type": "array", "maxItems": 2}]}
    grammars = [compiler.json_schema({"properties": {f"a{i}": value}}) for i in range(70)]
    assert sum(source_of(grammar).is_awake for grammar in grammars) == 4
    matchers = [grammar.matcher() for grammar in grammars]  # in use: more stay awake
    assert all(matcher.accept_bytes(b'{"a%d": [{"c": 1}' % i) for i, matcher in enumerate(matchers))
    assert sum(source_of(grammar).is_awake for grammar in grammars) == 32
    for i, grammar in enumerate(grammars):  # and all of them still work
        matcher = grammar.matcher()
        assert matcher.accept_bytes(b'{"a%d": [{"c": 1}]}' % i) and matcher.is_accepting


def test_sleeping_grammars_leave_little_to_the_garbage_collector() -> None:
    compiler = Compiler(VOCABULARY)

    def used(i: int) -> Any:
        grammar = compiler.json_schema(
            {"properties": {f"a{i}": {"items": {"enum": ["x", i]}}, "b": {"properties": {"c": S}}}}
        )
        assert grammar.matcher().accept_bytes(b'{"a%d": ["x"], "b": {"c": "d"}}' % i)
        return grammar

    kept = [used(i) for i in range(4)]
    gc.collect()
    before = len(gc.get_objects())
    for grammar in kept:
        source_of(grammar).sleep()
    gc.collect()
    assert before - len(gc.get_objects()) > 4 * 60


def test_a_mapping_that_is_no_dict_can_be_made_again() -> None:
    view = types.MappingProxyType({"properties": types.MappingProxyType({"a": S})})
    grammar = Compiler(VOCABULARY).json_schema(view)
    source_of(grammar).sleep()
    matcher = grammar.matcher()
    assert matcher.accept_bytes(b'{"a": "b"}') and not grammar.matcher().accept_bytes(b'{"a": 1')


def test_threads_that_put_each_other_to_sleep() -> None:
    compiler = Compiler(VOCABULARY)
    compiler._awake = Awake(1)
    names = [name for name, (schema, good, _) in CASES.items() if good][:40]
    failed: list[str] = []

    def read(own: list[str]) -> None:
        for name in own:
            schema, good, _ = CASES[name]
            grammar = compiler.json_schema(schema)
            for text in good:
                matcher = grammar.matcher()
                if not (matcher.accept_bytes(text.encode()) and matcher.is_accepting):
                    failed.append(f"{name}: {text}")

    threads = [threading.Thread(target=read, args=(names[i::4] + names[:5],)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed


def wakes(grammar: Any) -> bool:
    """May the grammar sleep, and be made again?"""
    if not isinstance(grammar.tables.source, DormantStates):
        return False
    grammar.tables.source.sleep()
    return not grammar.tables.source.is_awake


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "integer", "default": float("inf")},
        {"type": "integer", "default": Decimal(1)},
        {"type": "integer", "default": 10**5000},
        {"type": "integer", "x-y": {1, 2}},
    ],
)
def test_a_schema_that_is_no_json_stays_awake(schema: dict[str, Any]) -> None:
    compiler = Compiler(VOCABULARY)
    grammar = compiler.json_schema({"items": schema})
    assert not wakes(grammar)
    assert grammar.matcher().accept_bytes(b"[12]")
    assert compiler.json_schema({"items": schema}) is not grammar  # its text does not tell it from others


def test_with_a_registry_that_may_change_states_stay_awake() -> None:
    registry = {"http://e/s": {"type": "integer"}}
    grammar = Compiler(VOCABULARY).json_schema(
        {"items": {"items": {"$ref": "http://e/s"}}}, registry=registry
    )
    assert not wakes(grammar)
    registry.clear()
    assert grammar.matcher().accept_bytes(b"[[1]]") and not grammar.matcher().accept_bytes(b'[["')


@pytest.mark.parametrize("kind", [dict, OrderedDict, types.MappingProxyType])
@pytest.mark.parametrize("sleeps", [False, True])
def test_a_schema_that_is_changed_after_compiling_is_what_it_was(kind: Any, sleeps: bool) -> None:
    inner = {"type": "integer"}
    value = kind({"properties": {"w": inner}})
    schema = {"properties": {"v": value}}
    grammar = Compiler(VOCABULARY).json_schema(schema)
    schema["properties"]["v"] = {"type": "string"}
    inner["type"] = "string"
    if sleeps:
        assert wakes(grammar)
    assert grammar.matcher().accept_bytes(b'{"v": {"w": 1}}')
    assert not grammar.matcher().accept_bytes(b'{"v": {"w": "')


def test_questions_that_were_answered_are_noted_once() -> None:
    grammar = Compiler(VOCABULARY).json_schema({"items": {"type": ["integer", "array"]}, "uniqueItems": True})
    text = b"[1, 2, [3], 4]"
    assert grammar.matcher().accept_bytes(text)
    source, before = source_of(grammar), grammar.nbytes
    asked = len(source._asked)
    for _ in range(5):
        grammar.shed()
        assert grammar.matcher().accept_bytes(text)
    assert len(source._asked) == asked
    assert grammar.tables.nbytes >= source.nbytes > 0 and grammar.nbytes >= before // 2


def test_states_that_were_asked_too_much_stay_awake() -> None:
    source = DormantStates(json_schema_states(True), lambda: json_schema_states(True), Awake())
    with mock.patch("structgen.dormant_states._MOST_ASKED", 1):
        source.expand(source.start)
        source.sleep()
        assert not source.is_awake
        source.expand(("container", 0, 0))
        source.sleep()
        assert source.is_awake


def test_an_interruption_in_a_question_keeps_the_states_awake() -> None:
    states = json_schema_states(True)
    source = DormantStates(states, lambda: json_schema_states(True), Awake())
    with mock.patch.object(states, "expand", side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        source.expand(source.start)
    source.sleep()
    assert source.is_awake and source.expand(source.start).edges


def test_large_states_are_freed_bit_by_bit() -> None:
    compiler = Compiler(VOCABULARY)
    item = {"type": "object", "properties": {"a": {"enum": ["x", "y"]}, "b": {"type": "integer"}}}
    grammar = compiler.json_schema({"type": "array", "uniqueItems": True, "items": item})
    matcher = grammar.matcher()
    texts = [f'{{"a":"{a}","b":{b}}}' for b in range(12) for a in "xy"]
    assert matcher.accept_bytes(("[" + ",".join(texts)).encode())
    remains, before = compiler._awake.remains, compiler._budget.nbytes
    source_of(grammar).sleep()
    assert not source_of(grammar).is_awake and remains.nbytes > 0
    assert compiler._budget.nbytes == before + remains.nbytes
    assert matcher.accept_bytes(b"," + texts[0].encode()[:-2])  # made again meanwhile, and the same
    waiting = remains.nbytes
    del matcher, grammar
    compiler._cache.clear()  # whose states were awake again, and are given back as well
    assert remains.nbytes > waiting
    for i in range(1000):
        waiting = remains.nbytes
        compiler.json_schema({"properties": {f"a{i}": {"type": "integer"}}})
        assert waiting == 0 or remains.nbytes < waiting
        if remains.nbytes == 0:
            break
    assert i > 1 and remains.nbytes == 0


def test_what_waits_to_be_freed_goes_before_others() -> None:
    awake = Awake()
    budget = Budget(10_000, None, awake.remains)
    awake.remains.keep([object(), object()])

    class Held:
        nbytes = 6000

        def shed(self) -> None:
            raise AssertionError("there was room")

    held = Held()
    budget.report(held)
    assert awake.remains.nbytes == 0 and budget.nbytes == 6000
