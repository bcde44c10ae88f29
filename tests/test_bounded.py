"""Patterns with a maximal length: counting while reading gives the language that spelling out gives."""

from __future__ import annotations

import json
import time
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import regexes
from test_laws import allowed, laws, stored_limits

from structgen import tables
from structgen.automata.build import compile_regex, concat, intersect, literal
from structgen.automata.counting import counting_table, is_within_reach
from structgen.automata.dfa import BoundedDfa, Dfa
from structgen.charset import ANY
from structgen.compiled import CompiledGrammar
from structgen.compiler import Compiler
from structgen.errors import CompileLimitError, UnsatisfiableGrammarError
from structgen.grammar import Grammar, Sequence, Terminal
from structgen.regex import parse
from structgen.regex.syntax import Chars, Complement, Intersection, Regex, Repeat
from structgen.vocabulary import Vocabulary

LONGER = [
    "aa",
    "aaaa",
    "ab",
    'a"',
    '",',
    '",a',
    '\\"',
    "\\u",
    "\\u00",
    "61",
    "\\u0061",
    "éa",
    "😀",
    "\\ud83d",
    "1",
]
VOCABULARY = Vocabulary(
    [bytes([byte]) for byte in range(256)] + [text.encode() for text in LONGER] + [b"\xa9a", None],
    256 + len(LONGER) + 1,
)
COMPILER = Compiler(VOCABULARY)


def contents() -> st.SearchStrategy[Regex]:
    """Among them complements and intersections, whose automata merge ends of code points with insides."""
    plain = regexes('ab"é😀')
    anything = Repeat(Chars(ANY), 0, None)
    return st.one_of(
        plain,
        plain.map(lambda node: Repeat(node, 0, None)),
        plain.map(Complement),
        st.tuples(plain, plain).map(lambda pair: Intersection(Complement(pair[0]), Repeat(pair[1], 0, None))),
        st.sampled_from([anything, parse("(a|é(a|b|é){3})*", "ecma"), parse("a*(b.{4})?", "ecma")]),
    )


def explicit(bounded: BoundedDfa) -> Dfa:
    sized = compile_regex(Repeat(Chars(ANY), 0, bounded.maximum), "json-string")
    inside = intersect(bounded.content, sized)
    return inside if inside.is_empty else concat([literal(bounded.head), inside, literal(bounded.tail)])


def grammar(pattern: Dfa | BoundedDfa) -> Grammar:
    rule = Sequence((Terminal(pattern), Terminal(literal(b",")), Terminal(pattern)))
    return Grammar({"start": rule}, "start", "lark")


@laws
@given(
    contents(),
    st.integers(0, 30),
    st.sampled_from([b'"', b'["', b""]),
    st.sampled_from([b'"', b'"]']),
    stored_limits,
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_counting_is_spelling_out(tmp_path_factory, node, maximum, head, tail, stored, saved, random):
    content = compile_regex(node, "json-string")
    bounded = BoundedDfa(head, content, maximum, tail)
    spelled_out = explicit(bounded)
    assert is_within_reach(bounded) != spelled_out.is_empty
    with mock.patch.object(tables, "STORED_NODES", stored):
        if spelled_out.is_empty:
            with pytest.raises(UnsatisfiableGrammarError):
                Compiler(VOCABULARY).compile(grammar(bounded))
            return
        compiled = COMPILER.compile(grammar(bounded))
        other = Compiler(VOCABULARY).compile(grammar(spelled_out)).matcher()
    if saved:
        path = tmp_path_factory.mktemp("bounded") / "grammar.sgc"
        compiled.save(path)
        compiled = CompiledGrammar.load(path, VOCABULARY)
    one = compiled.matcher()
    for _ in range(25):
        tokens = allowed(other)
        assert allowed(one) == tokens
        assert one.is_accepting == other.is_accepting
        assert one.forced_bytes() == other.forced_bytes()
        assert (one.following_bytes() == other.following_bytes()).all()
        if not tokens:
            break
        token = random.choice(sorted(tokens))
        if random.random() < 0.5:  # seldom end, so that the maximum is reached
            token = random.choice(sorted(set(range(256, VOCABULARY.size)) & tokens) or [token])
        assert one.accept(token) and other.accept(token)


def test_states_are_told_apart_where_the_minimal_automaton_merges_them():
    content = compile_regex(parse("(a|b|\\u{1F600})*c?", "ecma"), "json-string")
    counting = counting_table(content)
    assert counting.distance[0] == 0 and counting.distance.max() == 1
    assert counting.table.shape[0] >= content.n_states - 1
    assert not counting.table.flags.writeable
    assert counting_table(content) is counting


CONTENT = compile_regex(parse("[ab]+", "ecma"), "json-string")
BAD = {
    "negative maximum": (lambda: BoundedDfa(b'"', CONTENT, -1, b'"'), "maximum"),
    "no tail": (lambda: BoundedDfa(b'"', CONTENT, 3, b""), "tail"),
    "a tail that goes on": (lambda: BoundedDfa(b'"', CONTENT, 3, b"a"), "tail"),
    "not within a string": (lambda: counting_table(literal(b'a"')), "json-string"),
    "half a character": (lambda: counting_table(literal(b"\xc3")), "json-string"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_bounded_is_refused(name):
    make, said = BAD[name]
    with pytest.raises(ValueError, match=said):
        make()


def test_the_state_numbers_are_limited():
    with pytest.raises(CompileLimitError, match="max_counted_states"):
        COMPILER.compile(grammar(BoundedDfa(b'"', CONTENT, 2**40, b'"')))


def test_one_content_shares_its_masks():
    compiler = Compiler(VOCABULARY)
    with mock.patch.object(tables, "STORED_NODES", 2):
        compiler.compile(grammar(BoundedDfa(b'"', CONTENT, 100, b'"'))).precompute()
        n_rows = compiler.store.n_rows
        other = compiler.compile(grammar(BoundedDfa(b'["', CONTENT, 5000, b'"')))
        other.precompute()
        matcher = other.matcher()
        for text in (b'["', b"a", b"b" * 3000):
            assert matcher.accept_bytes(text)
            allowed(matcher)
    assert compiler.store.n_rows <= n_rows + 2  # only what comes before the content is new


def words(count: int, length: int = 1) -> str:
    return " ".join(["x" * length] * count)


# schema, texts that fit, texts that do not
SCHEMAS = {
    "words": (
        {"pattern": r"^(?:\S+\s+){0,19}\S+$", "maxLength": 200, "minLength": 1},
        ["a", words(20), "é" * 200, "😀" * 200, words(20, 9) + "y", '"' * 199 + "\\"],
        ["", words(21), " a", "a ", "é" * 201, "😀" * 201, words(20, 10)],
    ),
    "words or nothing": (
        {"pattern": r"^$|(^(?:\S+\s+){0,99}\S+$)", "maxLength": 5000},
        ["", "a", words(100), words(100, 49), "a" * 5000],
        [" ", words(101), words(100, 50), "a" * 5001],
    ),
    "a package": (
        {
            "pattern": r"^[^\.\s\\/:\*\?\"<>\|\x01-\x1f]{1,32}(\.[^\.\s\\/:\*\?\"<>\|\x01-\x1f]{1,32}){1,8}$",
            "maxLength": 128,
        },
        ["a.b", "é.ü", ".".join(["a" * 31] * 4), ".".join(["a"] * 9)],
        ["a", "a.", "a..b", ".".join(["a" * 32] * 4), ".".join(["a"] * 10), "a" * 33 + ".b", "a b.c"],
    ),
    "at least": (
        {"pattern": "^(ab|c)*$", "minLength": 30, "maxLength": 300},
        ["ab" * 15, "c" * 30, "abc" * 100],
        ["ab" * 14, "c" * 29, "abc" * 101, "a" * 40],
    ),
    "two patterns": (
        {"allOf": [{"pattern": "^[a-z]+(-[a-z]+)*$"}, {"pattern": "x"}], "type": "string", "maxLength": 500},
        ["x", "a-x", "a" * 499 + "x"],
        ["a", "x-", "a" * 500 + "x"],
    ),
}


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_pattern_with_a_maximal_length_compiles_at_once(name):
    schema, good, bad = SCHEMAS[name]
    begin = time.process_time()
    compiled = COMPILER.json_schema({"type": "string", **schema})
    assert time.process_time() - begin < 1
    assert compiled.n_terminal_states < 1000
    for text in good + bad:
        for written in (json.dumps(text), json.dumps(text, ensure_ascii=False)):
            matcher = compiled.matcher()
            fits = matcher.accept_bytes(written.encode()) and matcher.is_accepting
            assert fits == (text in good), text[:60]


@pytest.mark.parametrize(
    ("schema", "satisfiable"),
    [
        ({"pattern": "^(ab){60}(c|d)*$", "maxLength": 119}, False),
        ({"pattern": "^(ab){60}(c|d)*$", "maxLength": 120}, True),
        ({"pattern": "^(ab|c)*$", "minLength": 500, "maxLength": 499}, False),
    ],
)
def test_a_string_that_cannot_be_short_enough(schema, satisfiable):
    compiled = COMPILER.json_schema({"anyOf": [{"type": "string", **schema}, {"const": 1}]})
    assert compiled.matcher().accept_bytes(b'"') == satisfiable


def test_a_vocabulary_that_cannot_spell_every_text():
    tokens = [bytes([byte]) for byte in range(256) if byte not in b"b6"]  # nor \u0062
    vocabulary = Vocabulary([*tokens, b"ab", b"bb", None], 256)
    schema = {"type": "string", "pattern": "^[ab]*b$", "maxLength": 100_000}
    matcher = Compiler(vocabulary).json_schema(schema).matcher()
    assert matcher.accept_bytes(b'"' + b"a" * 99_997)
    assert allowed(matcher) >= {tokens.index(b"a"), 254, 255}
    assert matcher.accept_bytes(b"a")  # two more: ab and bb both fit, a further a leaves no room for ab
    assert {254, 255} <= allowed(matcher) and tokens.index(b"a") not in allowed(matcher)


def test_the_pattern_alone_may_still_be_too_large():
    with pytest.raises(CompileLimitError) as error:
        COMPILER.json_schema({"type": "string", "pattern": "^(a|b)*a(a|b){20}$", "maxLength": 500})
    assert error.value.limit == "max_states"


MASKBENCH = Path(__file__).resolve().parents[2] / "shared" / "data" / "maskbench"
FILES = ["Github_hard---o62060", "Github_hard---o62061", "Github_hard---o21073", "Github_easy---o21053"]
FILES += ["Github_medium---o21142", "Github_ultra---o62058"]


@pytest.mark.skipif(not MASKBENCH.is_dir(), reason="no MaskBench data here")
@pytest.mark.parametrize("name", FILES)
def test_schemas_of_maskbench(name):
    problem = json.loads((MASKBENCH / f"{name}.json").read_text(encoding="utf-8"))
    compiled = COMPILER.json_schema(problem["schema"])
    for case in problem["tests"]:
        matcher = compiled.matcher()
        text = json.dumps(case["data"], ensure_ascii=False).encode()
        assert (matcher.accept_bytes(text) and matcher.is_accepting) == case["valid"]
