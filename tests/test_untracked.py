"""What caches hold is not looked at by Python's garbage collector, and is freed all the same."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import weakref
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import pytest
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from structgen import Compiler, Vocabulary, untracked
from structgen.charset import CharSet
from structgen.regex import parse
from structgen.regex.syntax import Chars, Concat, Literal
from structgen.untracked import untrack, untrack_one

VOCABULARY = Vocabulary([bytes([byte]) for byte in range(256)] + [b"ab", None], 257)

pytestmark = pytest.mark.skipif(sys.implementation.name != "cpython", reason="the collector of CPython")


class Pair(NamedTuple):
    left: object
    right: object


@dataclass(slots=True)
class Mutable:
    inner: object


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    gc.collect()
    yield
    gc.collect()


def test_immutable_values_of_our_own_and_all_that_is_in_them() -> None:
    texts = [chr(97 + i) for i in range(3)]
    tree = Concat((*map(Literal, texts), Chars(CharSet(((1, 2), (5, 9)))), Chars(CharSet.chars("ab"))))
    assert gc.is_tracked(tree) and gc.is_tracked(tree.parts[0])
    assert untrack(tree) is tree
    pending: list[Any] = [tree]
    while pending:
        found = pending.pop()
        if isinstance(found, type):
            continue
        assert not gc.is_tracked(found)
        pending += gc.get_referents(found)


def test_what_may_change_and_what_is_not_ours_stays_tracked() -> None:
    for inner in ([1], {"a": []}, Mutable([]), Pair([], 1), {1, (2,)}, lambda: None):
        value = (inner, frozenset({(1, 2)}))
        untrack(value)
        assert not gc.is_tracked(value) and not gc.is_tracked(value[1])
        assert gc.is_tracked(inner)
        if isinstance(inner, Pair):
            assert gc.is_tracked(inner.left)


def test_weak_references_and_other_types_in_c_stay_tracked() -> None:
    """Their own functions, or the collector's for them, take that for granted."""
    target = Mutable([])
    reference_of = type("Reference", (weakref.ref,), {"__module__": "structgen.budget"})
    witness = type("Witness", (), {})()
    for value in (
        reference_of(witness),
        memoryview(b"a"),
        iter([target]),
        target.__init__,
        OrderedDict(a=[]),
    ):
        untrack_one(value)
        untrack((value,))
        assert gc.is_tracked(value)


def test_what_is_shared_in_a_value_is_looked_at_once() -> None:
    value: Any = Literal("a")
    for _ in range(200):  # 2^200 ways
        value = Concat((value, value))
    assert not gc.is_tracked(untrack(value))


def test_untracked_values_are_freed_with_all_that_they_hold() -> None:
    """Many of each kind, in a process of its own: a wrong list would kill it."""
    code = """
import gc
from structgen.regex.syntax import Concat, Literal
from structgen.parser_states import Jump, State
from structgen.untracked import untrack, untrack_one
gc.collect()
before = len(gc.get_objects())
for i in range(60_000):
    tree = Concat((Literal(str(i)), Literal("b")))
    value = untrack((tree, State((Jump((i, (i,))),)), frozenset({(i,)}), [i]))
    changing = [value, {i: value}, Concat((Literal("c"), Literal("d")))]
    untrack_one(changing)
    untrack_one(changing[1])
    changing.append([i])
    changing[1][i + 1] = (i, [i])
    if i % 1000 == 0:
        gc.collect(i % 3)
        untrack(value)
del tree, value, changing
gc.collect()
assert len(gc.get_objects()) - before < 20, len(gc.get_objects()) - before
print("done")
"""
    result = subprocess.run([sys.executable, "-X", "dev", "-c", code], capture_output=True, text=True)
    assert result.returncode == 0 and result.stdout == "done\n", result.stderr


def test_what_an_untracked_value_refers_to_lives_as_long_as_it_does() -> None:
    inner = Mutable(1)
    inner.inner = inner  # a cycle, which only the collector can free
    gone = weakref.WeakSet([witness := type("Witness", (), {})()])
    inner.inner = [inner, witness]
    value = untrack((inner,))
    del inner, witness
    gc.collect()
    assert len(gone) == 1
    del value
    gc.collect()
    assert not gone


def test_arguments_and_results_of_cached_functions() -> None:
    @lru_cache(maxsize=2)
    @untracked.untracked
    def made(node: Literal, *, other: Any = None) -> Concat:
        return Concat((node, Literal("z")))

    key, other = Literal("k"), Literal("o")
    result = made(key, other=other)
    assert not any(map(gc.is_tracked, (key, other, result, result.parts[1])))
    assert made(Literal("k"), other=other) is result
    assert made.cache_info().hits == 1


def test_an_error_of_a_cached_function_is_no_result() -> None:
    @untracked.untracked
    def fails(node: Literal) -> None:
        raise ValueError(node.text)

    with pytest.raises(ValueError, match="k"):
        fails(Literal("k"))


def test_without_the_interpreters_function_all_stays_tracked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.implementation, "name", "another")
    monkeypatch.setattr(untracked, "_take_off", untracked._from_interpreter())
    value = (Literal("a"),)
    assert untrack(value) is value and gc.is_tracked(value)
    untrack_one(value)
    assert gc.is_tracked(value)


def _schema(i: int) -> dict[str, Any]:
    pattern = f"^a{i}[0-{i % 10}]+(x|y{i})*$"
    names = {f"n{i}_{k}": {"enum": [f"u{i}{k}", f"v{i}"]} for k in range(6)}
    return {
        "properties": {
            **names,
            f"p{i}": {"type": "string", "pattern": pattern, "maxLength": 40 + i},
            f"q{i}": {"type": "integer", "minimum": i, "maximum": 3 * i + 7},
            "o": {"type": "object", "additionalProperties": {"items": {"not": {"enum": [f"w{i}"]}}}},
        }
    }


def test_kept_grammars_and_caches_hold_few_containers() -> None:
    """Of a grammar that sleeps, and of all that its patterns, numbers and names left in caches."""
    compiler = Compiler(VOCABULARY, cache_size=64)

    def use(i: int) -> None:
        matcher = compiler.json_schema(_schema(i)).matcher()
        text = json.dumps({f"n{i}_2": f"v{i}", f"p{i}": f"a{i}00xx", f"q{i}": i + 1, "o": {"k": [f"z{i}"]}})
        assert matcher.accept_bytes(text.encode())

    for i in range(20):
        use(i)
    gc.collect()
    gc.collect()
    before = len(gc.get_objects())
    for i in range(20, 60):
        use(i)
    gc.collect()
    gc.collect()
    # the keys of caches, as `lru_cache` makes them, and each grammar's lock
    assert (len(gc.get_objects()) - before) / 40 < 14


@pytest.mark.parametrize("of", ["grammar", "text", "eviction"])
def test_grammars_are_freed_without_the_collector(of: str) -> None:
    gc.disable()
    try:
        compiler = Compiler(VOCABULARY, cache_size=1)
        grammar = compiler.json_schema(_schema(1))
        assert grammar.matcher().accept_bytes(b'{"n1_0": "v1"}')
        gone = weakref.ref(grammar)
        matcher = grammar.matcher() if of == "text" else None
        del grammar
        if of == "eviction":
            compiler.json_schema(_schema(2))
            compiler.json_schema(_schema(3))
        else:
            del compiler
        assert (gone() is None) == (matcher is None)
        del matcher
        assert gone() is None
    finally:
        gc.enable()


def test_a_compiler_is_freed_with_all_its_grammars() -> None:
    compiler = Compiler(VOCABULARY)
    for i in range(4):
        assert compiler.json_schema(_schema(i)).matcher().accept_bytes(b"{}")
    gone = weakref.ref(compiler)
    budget = weakref.ref(compiler._budget)
    del compiler
    gc.collect()
    assert gone() is None and budget() is None


def test_a_registry_may_refer_to_the_grammar() -> None:
    """A cycle through what is the user's is the collector's to free, so such grammars stay tracked."""

    class Server:
        def __init__(self) -> None:
            registry: Any = Registry(retrieve=self.fetched)  # type: ignore[call-arg]
            registry = registry.with_resource("urn:other", self.fetched("urn:other"))
            schema = {"properties": {"a": {"$ref": "urn:other"}}}
            self.grammar = Compiler(VOCABULARY).json_schema(schema, registry=registry)

        def fetched(self, uri: str) -> Any:
            return Resource.from_contents({"type": "null"}, default_specification=DRAFT202012)

    server = Server()
    assert server.grammar.matcher().accept_bytes(b'{"a":null')
    gone = weakref.ref(server)
    del server
    gc.collect()
    assert gone() is None


def test_parsed_patterns_are_not_looked_at() -> None:
    tree = parse("^(a|bc){2,7}[x-z]+untracked$", "ecma", search=True)
    assert not gc.is_tracked(tree)
