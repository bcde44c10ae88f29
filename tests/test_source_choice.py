"""The choice front end."""

from __future__ import annotations

import time

import pytest
from naive_cfg import accepts

from structgen.errors import OptionError
from structgen.grammar import Terminal
from structgen.regex.syntax import Literal, Union
from structgen.sources.choice import choice_grammar


@pytest.mark.parametrize(
    ("options", "bad"),
    [
        (["yes"], ["", "ye", "yess"]),
        (["yes", "no"], ["", "y", "yesno"]),
        (["a", "ab", "abc", "a"], ["", "b", "abcd"]),
        (["", "x"], ["xx"]),
        (["é", "日本", "a.*"], ["e", "日", "ab"]),
        (("tuple", "too"), ["t"]),
    ],
)
def test_language(options, bad):
    grammar = choice_grammar(options)
    assert all(accepts(grammar, text) for text in options)
    assert not any(accepts(grammar, text) for text in bad)


def test_one_terminal():
    grammar = choice_grammar(["b", "a", "b"])
    assert grammar.source_kind == "choice"
    terminal = grammar.rules[grammar.start]
    assert isinstance(terminal, Terminal)
    assert terminal.pattern == Union((Literal("b"), Literal("a")))


def test_many_options_are_fast():
    options = [f"option number {n}" for n in range(10_000)]
    begin = time.perf_counter()
    grammar = choice_grammar(options)
    assert time.perf_counter() - begin < 0.5
    assert len(grammar.rules) == 1


@pytest.mark.parametrize(
    ("options", "option", "expected"),
    [
        ([], "options", "at least one string"),
        ("yes", "options", "a list of strings"),
        (b"yes", "options", "a list of strings"),
        (None, "options", "a list of strings"),
        ({"a", "b"}, "options", "a list of strings"),
        (["a", 1], "options[1]", "a string"),
        (["a", b"b"], "options[1]", "a string"),
        (["\ud800"], "options[0]", "without lone surrogates"),
    ],
)
def test_errors(options, option, expected):
    with pytest.raises(OptionError) as caught:
        choice_grammar(options)
    assert caught.value.option == option
    assert expected in str(caught.value)
