"""Lark grammars as people write them, judged against Lark; those that are refused, by name and line."""

from __future__ import annotations

import functools
import random
import re
from pathlib import Path

import lark
import pytest
from json_texts import BYTES
from lark import Lark
from lark.exceptions import UnexpectedInput
from lark_files import NAMES, mutants, wild

from structgen import Compiler
from structgen.errors import InvalidGrammarError, StructgenError, UnsupportedGrammarError

PACKAGE = Path(lark.__file__).parent / "grammars"
MUTANTS = 20  # of each text


@functools.cache
def compiler() -> Compiler:
    return Compiler(BYTES)


def accepts(grammar, text: str) -> bool:
    matcher = grammar.matcher()
    return matcher.accept_bytes(text.encode()) and matcher.is_accepting


@pytest.mark.parametrize("name", NAMES)
def test_grammar_decides_as_lark_does(name):
    found = wild(name)
    grammar = compiler().lark(found.path, lexer=found.lexer)
    chance = random.Random(0)
    verdicts = {True: 0, False: 0}
    for text, expected in found.texts:
        assert found.accepted_by_lark(text) is expected, text
        for candidate in (text, *mutants(text, chance, MUTANTS)):
            verdict = found.accepted_by_lark(candidate)
            assert accepts(grammar, candidate) is verdict, candidate
            verdicts[verdict] += 1
    assert min(verdicts.values()) >= 5


SNIPPETS = [
    *("", "a", "Z", "é", "_", "0", "42", "-7", "+3", "1.5", "1.", "-.5e3", "1e+5", "0x1F", "ab1", "a b"),
    *(" ", "\t", "\n", "\r\n", "\n\n \t", '"a"', '"a\\"b"', '"a\nb"', '""', '"a', "// c", "/* a */"),
    *("/* a */ */", "# c", "-- c", "aB", "F", "g", "\\", "日本", "²", "١", "\x0b", "\u2028", "1e", "1.2.3"),
    *("e5", "-", '"\\\\"', '"\\"'),
]


@pytest.mark.parametrize("file", ["common", "unicode"])
def test_terminals_that_lark_brings_along(file):
    names = re.findall(r"^([A-Z]\w*)(?:\.\d+)?\s*:", (PACKAGE / f"{file}.lark").read_text(), re.MULTILINE)
    assert names
    for name in names:
        text = f"start: {name}\n%import {file}.{name}\n"
        oracle = Lark(text, parser="lalr")
        grammar = compiler().lark(text)
        for snippet in SNIPPETS:
            try:
                oracle.parse(snippet)
                expected = True
            except UnexpectedInput:
                expected = False
            assert accepts(grammar, snippet) is expected, (name, snippet)


# A grammar or a file of Lark's package, the error, words of it, and its line.
REFUSED = [
    # Lark's own: a terminal's end hangs on text of any length behind it; a lookahead stands in the middle
    (PACKAGE / "lark.lark", UnsupportedGrammarError, "REGEXP may follow TOKEN", 52),
    (PACKAGE / "python.lark", UnsupportedGrammarError, "terminal STRING: the lookaround", 284),
    # as in Lark's turtle example: after one colour `f` is always another colour, after two it is a movement
    (
        'start: (MOVE INT | "c" COLOR [COLOR])+\nMOVE: "f"|"b"\nCOLOR: /[a-z]+/\nINT: /[0-9]+/\n%ignore " "',
        UnsupportedGrammarError,
        "MOVE may follow COLOR",
        2,
    ),
    # Lark reads [^\\"] as [^"], so that the string goes on behind its end if a quote comes
    (
        'start: "(" S* ")"\nS: /"(\\\\.|[^\\\\"])*"/\n%ignore " "',
        UnsupportedGrammarError,
        "S may follow",
        2,
    ),
    # what postlex objects bring
    (
        "start: NAME _NL [_INDENT start+ _DEDENT]\nNAME: /[a-z]+/\n_NL: /\\n/\n%declare _INDENT _DEDENT",
        UnsupportedGrammarError,
        "terminal _INDENT is only declared",
        4,
    ),
    # llguidance's additions to the syntax
    ("%llguidance {}\nstart: /a/", UnsupportedGrammarError, "%llguidance is not Lark's own", 1),
    ('start: "a"\n  %json {"type": "object"}', UnsupportedGrammarError, "%json is not Lark's own", 2),
    ('start: %regex {"substring_words": "a b"}', UnsupportedGrammarError, "%regex is not Lark's own", 1),
    ("start: x\nx: <|tool|> /a/", UnsupportedGrammarError, "special tokens", 2),
    ('start: TEXT\nTEXT[stop="x"]: /a/', InvalidGrammarError, "unexpected '['", 2),
    ("start: x\nx[max_tokens=5]: /a/", InvalidGrammarError, "unexpected '['", 2),
    ("start: A\nA: /a+/ & /b/", InvalidGrammarError, "unexpected '&'", 2),
    ("start: A\nA: ~/a/", InvalidGrammarError, "unexpected '~'", 2),
    ("start: @sub", InvalidGrammarError, "unexpected '@'", 1),
    # regexes
    ("start: A\nA: /(?<=x)a/", UnsupportedGrammarError, "the lookaround (?<=...)", 2),
    ("start: A\nA: /(a)\\1/", UnsupportedGrammarError, "a back-reference", 2),
    ("start: A\nA: /a*/", InvalidGrammarError, "matches the empty text", 2),
]


@pytest.mark.parametrize(("grammar", "error", "words", "line"), REFUSED)
def test_refusals_name_the_construct_and_the_line(grammar, error, words, line):
    start = "eval_input" if grammar == PACKAGE / "python.lark" else "start"
    with pytest.raises(StructgenError) as caught:
        compiler().lark(grammar, start)
    assert type(caught.value) is error
    assert words in str(caught.value)
    assert f"at line {line}," in str(caught.value)


def test_a_terminal_that_is_declared_and_not_used_is_no_fault():
    grammar = compiler().lark('start: A\n%declare B\nA: "a"')
    assert accepts(grammar, "a")
