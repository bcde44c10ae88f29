"""Texts drawn from regular expressions: matched ones only, and none where there are none."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from naive_regex import matches
from strategies import regexes

from structgen.automata.build import compile_regex
from structgen.regex import parse
from structgen.regex.bounds import begin_apart
from structgen.regex.samples import samples
from structgen.regex.syntax import Regex
from structgen.sources.json_schema.string_samples import surely_has_string, surely_has_strings
from structgen.sources.json_schema.strings import Pattern, StringFacts, string_language


@given(regexes())
def test_samples_match(node: Regex) -> None:
    for text in samples(node, 5):
        assert matches(node, text)


@pytest.mark.parametrize(
    "pattern",
    ["^[a-z]{3,9}$", r"\d", "^x-", r"^\p{L}{50}$", "^(?!ab)[a-c]+$", "^(?:(?!abc).)*$", "^$", "[^a]b?$"],
)
def test_there_are_samples_of_usual_patterns(pattern: str) -> None:
    node = parse(pattern, "ecma", search=True)
    automaton = compile_regex(node)
    found = list(samples(node, 20))
    assert found
    assert all(automaton.accepts(text.encode()) for text in found)


@pytest.mark.parametrize("pattern", ["^a{1000}$", "^(?:a{100}){100}$", "^(?:[ab]{300}c){9}$"])
def test_long_texts_are_given_up_soon(pattern: str) -> None:
    node = parse(pattern, "ecma", search=True)
    began = time.process_time()
    assert list(samples(node, 1000)) == []
    assert time.process_time() - began < 1


def _facts(*patterns: str, missed: tuple[str, ...] = (), **more: object) -> StringFacts:
    return StringFacts(
        patterns=tuple(Pattern(text, "") for text in patterns),
        missed=tuple(Pattern(text, "") for text in missed),
        **more,  # type: ignore[arg-type]
    )


CASES = [
    _facts("^a", "^b"),
    _facts("^ab", "^[ac]b", "c$"),
    _facts("a", "b", missed=("c",)),
    _facts(missed=("^.*$",)),
    _facts("^a{2}$", min_length=3),
    _facts("^a{2,}$", min_length=3, max_length=3),
    _facts("^(?:a|b)$", excluded=frozenset("ab")),
    _facts("^(?:a|b)$", excluded=frozenset("a")),
    _facts("^(?:a|bc)", "^(?:a|d)c?", "^[^a]"),
    _facts(formats=("date",)),
    _facts(formats=("ipv4",), missed=("^1",)),
    _facts(values=("a", "b"), missed=("a",)),
    _facts(values=("a",), missed=("a",)),
    _facts(min_length=2, max_length=3, missed=("^..$",)),
    _facts("^(?:[^\\s\\S]+|a)$"),
    _facts("^[^\\s\\S]+a$"),
    _facts("^a*[^\\s\\S]$"),
    _facts("^(?:a{0})*$", min_length=1),
    _facts("^(?:)*$", excluded=frozenset({""})),
    _facts(missed=("^[\\s\\S]", "^$")),
    _facts(missed=("^a", "^[^a]", "^$")),
]


@pytest.mark.parametrize("facts", CASES)
def test_sure_is_sure(facts: StringFacts) -> None:
    exists = bool(string_language(facts, 10_000))
    assert not surely_has_string(facts) or exists
    assert not surely_has_strings(facts, 17) or exists


def test_what_is_sure_and_what_is_not() -> None:
    assert surely_has_string(_facts("a", "b", missed=("c",)))
    assert surely_has_strings(_facts("^x-", missed=("y",), excluded=frozenset({"x-"})), 17)
    assert surely_has_strings(_facts("^a+$", min_length=1000, excluded=frozenset("a")), 10_000)
    assert surely_has_strings(_facts(missed=("^a", "^b."), excluded=frozenset("c")), 10_000)
    assert not surely_has_strings(_facts(missed=("^a", "b")), 10_000)
    assert not surely_has_strings(_facts("^[ab]$"), 3)
    assert surely_has_strings(_facts("^[ab]$"), 2)
    assert not surely_has_strings(_facts("^[ab]$", excluded=frozenset("a")), 2)


@pytest.mark.parametrize(
    ("patterns", "apart"),
    [
        (("^a", "^b"), True),
        (("^ab", "^[ab]c"), True),
        (("^a?b", "^c"), False),  # optional beginnings are not looked into
        (("^(?:ab|cd)", "^[ac][bd]"), False),
        (("^(?:ab|cd)", "^e"), True),
        (("a", "b"), False),
        (("^a*", "^b"), False),
        (("^[ab]{2}c", "^a{2}d"), True),
        (("^(?:a|bc)d", "^ae"), False),  # one text begins as both: "a", whatever follows
    ],
)
def test_begin_apart(patterns: tuple[str, ...], apart: bool) -> None:
    nodes = [parse(pattern, "ecma", search=True) for pattern in patterns]
    assert begin_apart(nodes) is apart
    if apart:
        assert not string_language(_facts(*patterns), 10_000)
