"""Builtin grammars: their corpora by the plain twin and by the engine, their profiles, their conflicts."""

from __future__ import annotations

import functools

import pytest
from corpora_files import Case, cases
from json_texts import BYTES
from naive_languages import language
from structgen_grammars import builtin_grammars, profiles

from structgen import Compiler

NAMES = sorted(profiles())
VERDICTS = {"accept": True, "reject": False}
# Conflicts of the LALR tables, which cost time: none may come in unseen. Why there are any is said in README.
MOST_CONFLICTS = {"python": 16, "python3.11": 16, "go": 32, "sql": 6, "c": 36, "java": 95}
FEWEST_CASES = {"accept": 10, "reject": 10}


def all_cases(kind: str) -> list[Case]:
    return [case for name in NAMES for case in cases(name, kind)]


@functools.cache
def compiler() -> Compiler:
    return Compiler(BYTES)


@functools.cache
def compiled(name: str, start: str | None):
    return compiler().grammar(name, start)


def taken_by_engine(case: Case, text: bytes) -> bool:
    """Whether the text is taken byte by byte and may end there."""
    matcher = compiled(case.grammar, case.start).matcher()
    return matcher.accept_bytes(text) and matcher.is_accepting


def test_each_grammar_has_a_file_and_a_corpus():
    assert set(builtin_grammars()) == set(NAMES)
    for name in NAMES:
        assert profiles()[name].path.is_file()
        for kind, fewest in FEWEST_CASES.items():
            assert len(list(cases(name, kind))) >= fewest, (name, kind)


@pytest.mark.parametrize("name", NAMES)
def test_header_names_the_reference(name):
    first = profiles()[name].path.read_text(encoding="utf-8").split("\n\n", 1)[0]
    assert first.startswith("//")
    assert "ritten for structgen" in first.replace("\n// ", " ") or name == "math"


@pytest.mark.parametrize("name", NAMES)
def test_modes_lead_to_modes(name):
    modes = {mode.name: mode for mode in profiles()[name].modes}
    assert len(modes) == len(profiles()[name].modes)
    for mode in modes.values():
        for target in (*mode.push.values(), *mode.goto.values()):
            assert target in modes
        assert mode.otherwise in ("", *modes)


@pytest.mark.parametrize("name", [name for name in NAMES if profiles()[name].lexer != "dynamic_complete"])
def test_conflicts_are_counted(name):
    assert len(language(name).tables.conflicts) <= MOST_CONFLICTS.get(name, 0)


@pytest.mark.parametrize("name", [name for name in NAMES if profiles()[name].lexer != "dynamic_complete"])
@pytest.mark.parametrize("kind", VERDICTS)
def test_corpus_by_the_twin(name, kind):
    wrong = [
        case.id
        for case in cases(name, kind)
        if language(name).accepts(case.text.decode(), case.start) is not VERDICTS[kind]
    ]
    assert not wrong


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", VERDICTS)
def test_corpus_by_the_engine(name, kind):
    wrong = [case.id for case in cases(name, kind) if taken_by_engine(case, case.text) is not VERDICTS[kind]]
    assert not wrong


@pytest.mark.parametrize("case", all_cases("departures"), ids=lambda case: case.id)
def test_departures_are_still_there(case):
    """One that has gone belongs into the corpus."""
    sign, text = case.text[:1], case.text[1:]
    assert taken_by_engine(case, text) is (sign == b"+")
