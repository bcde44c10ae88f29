"""The ready automata of JSON's pieces: against Python's json, brute force and a plain twin."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from naive_json import counted_ends, dfa_ends
from naive_texts import spellings
from structgen_kernels import json_strings

from structgen.automata import json_text
from structgen.automata.build import compile_regex, difference
from structgen.automata.dfa import CountedDfa, Dfa
from structgen.regex.syntax import Literal, Union
from structgen.sources.json_schema.strings import Pattern, StringFacts, string_values

TEXT = st.text('ab"\\/\n\x00\x1fé€😀\U0010fffft', max_size=6)


def twin_strings(texts: frozenset[str]) -> Dfa:
    """`json_text.strings` by way of a regular expression."""
    options = tuple(Literal(text) for text in sorted(texts))
    return json_text.quoted(compile_regex(Union(options), "json-string"))


@given(st.frozensets(TEXT, max_size=8))
@example(frozenset())
@example(frozenset({""}))
@example(frozenset({"type", "types", "typeof", "kind"}))
@example(frozenset({"\ue000", "\ud7ff", "😀", "😁", "\U000fffff"}))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_twin_makes_the_same_automata(texts: frozenset[str]) -> None:
    expected = twin_strings(texts)
    assert json_text.strings(tuple(texts)) == expected
    assert json_text.string_except(texts) == difference(json_text.string(), expected)
    for text in texts:
        assert json_text.key(text) == twin_strings(frozenset({text}))


MODE_SCRIPT = """
import sys
import numpy as np
from structgen_kernels.json_strings import spell_strings
recorded = np.load(sys.argv[1])
for case in range(int(recorded["cases"])):
    given = [recorded[f"{case}_in{i}"] for i in range(7)]
    made = spell_strings(*given[:5], int(given[5]), int(given[6]))
    for i in range(3):
        assert np.array_equal(made[i], recorded[f"{case}_out{i}"]), (case, i)
print("agreed")
"""


@pytest.mark.parametrize("variable", ["NUMBA_DISABLE_JIT", "NUMBA_BOUNDSCHECK"])
def test_kernel_in_another_mode(variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded: dict[str, Any] = {"cases": 0}
    kernel = json_strings.spell_strings

    def record(*given: Any) -> Any:
        made = kernel(*given)
        case = recorded["cases"]
        recorded.update({f"{case}_in{i}": np.array(array) for i, array in enumerate(given)})
        recorded.update({f"{case}_out{i}": array for i, array in enumerate(made)})
        recorded["cases"] += 1
        return made

    monkeypatch.setattr(json_strings, "spell_strings", record)
    names = tuple(sorted(map(str, range(60))))
    for texts in (("",), ("ab", "ac", "b"), ('\x01"', "zz/", "é😀", "é😁"), names):
        for others in (False, True):
            json_text._spelled(texts, others=others)
    np.savez(tmp_path / "recorded.npz", **recorded)
    environment = os.environ | {
        variable: "1",
        "NUMBA_CACHE_DIR": str(tmp_path),  # code with other flags must not get into the usual cache
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    command = [sys.executable, "-W", "ignore:overflow:RuntimeWarning", "-c", MODE_SCRIPT]
    command.append(str(tmp_path / "recorded.npz"))
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stdout) == (0, "agreed\n"), done.stderr[-3000:]


@pytest.mark.parametrize("char", list('aA09"\\/\b\f\n\r\t\x00\x1f\x7f\x80é߿ࠀ€\ud7ff\ue000￿𐀀😀\U0010ffff'))
def test_every_spelling_of_a_character(char: str) -> None:
    for way in spellings(char):
        text = f'"{way}"'.encode()
        assert json.loads(text) == char
        assert json_text.string().accepts(text)
        assert json_text.key(char).accepts(text)
        assert not json_text.string_except(frozenset({char})).accepts(text)
        assert json_text.string_except(frozenset({char + "a"})).accepts(text)
        assert len(text) - 2 in dfa_ends(json_text.character(), way.encode(), 0)


@given(TEXT, st.frozensets(TEXT, max_size=4), st.booleans())
@settings(max_examples=300, deadline=None, derandomize=True)
def test_keys_and_other_keys_share_out_the_strings(
    text: str, names: frozenset[str], ascii_only: bool
) -> None:
    data = json.dumps(text, ensure_ascii=ascii_only).encode()
    assert json_text.string_except(names).accepts(data) == (text not in names)
    assert json_text.strings(tuple(names)).accepts(data) == (text in names)


NOT_STRINGS = [
    b'"', b'""a', b'"a', b'a"', b"''", b'"\n"', b'"\x00"', b'"\x1f"', b'"\\"', b'"\\a"', b'"\\u12"',
    b'"\\u123g"', b'"\\U0041"', b'"\\ud800"', b'"\\uD83D\\u0041"', b'"\\udc00"', b'"\\uD83Dx"',
    b'"\xff"', b'"\xc0\x80"', b'"\xed\xa0\x80"', b'"\xf4\x90\x80\x80"', b'"\xc3"', b'"\xe2\x82"',
]  # fmt: skip


@pytest.mark.parametrize("data", NOT_STRINGS)
def test_not_a_string(data: bytes) -> None:
    assert not json_text.string().accepts(data)
    assert not json_text.string_except(frozenset({"a"})).accepts(data)


@pytest.mark.parametrize(("minimum", "maximum"), [(0, 3), (2, 2), (1, None), (0, 12), (9, 11), (10, None)])
def test_lengths_count_code_points(minimum: int, maximum: int | None) -> None:
    sized = json_text.sized_string(minimum, maximum)
    for count in range(14):
        for piece in ("a", "é", "😀", "\\n", "\\u00e9", "\\ud83d\\ude00"):
            data = f'"{piece * count}"'.encode()
            ends = counted_ends(sized, data, 0) if isinstance(sized, CountedDfa) else dfa_ends(sized, data, 0)
            assert (len(data) in ends) == (minimum <= count and (maximum is None or count <= maximum))


def test_large_lengths_cost_nothing() -> None:
    assert isinstance(json_text.sized_string(0, 10**9), CountedDfa)


NUMBERS = [
    "0",
    "-0",
    "1",
    "-1",
    "10",
    "0.0",
    "0.5",
    "-1.50",
    "1e5",
    "1E+05",
    "1.5e-10",
    "0e0",
    "123456789012345678901",
]
NOT_NUMBERS = [
    "",
    "-",
    "+1",
    "01",
    "-01",
    "1.",
    ".5",
    "1.e5",
    "1e",
    "1e+",
    "0x1",
    "NaN",
    "Infinity",
    "1 ",
    "--1",
    "1_0",
]


def test_numbers() -> None:
    number, whole, plain = json_text.number(), json_text.integer(False), json_text.integer(True)
    for text in NUMBERS:
        json.loads(text)
        exponent = "e" in text.lower()
        zeros = not exponent and not text.partition(".")[2].strip("0")
        assert number.accepts(text.encode())
        assert whole.accepts(text.encode()) == zeros
        assert plain.accepts(text.encode()) == (zeros and "." not in text)
    for text in NOT_NUMBERS:
        assert not any(dfa.accepts(text.encode()) for dfa in (number, whole, plain))


def test_the_same_content_is_the_same_object() -> None:
    assert json_text.string() is json_text.string()
    assert json_text.key("name") is json_text.key("name")
    assert json_text.padded(",", 64, 64) is json_text.padded(",", 64, 64)


@pytest.mark.parametrize(
    ("pattern", "count"),
    [
        ("^[ab]{0,3}$", 15),
        ("^(?:x|yy|é)?$", 4),
        ('^["\\\\\\n]{2}$', 9),
        ("^[a-z]{1,40}$", None),
        ("^$", 1),
        ("^a{8000}$", 1),
        ("^😀{3}ꯍ?$", 2),
    ],
)
def test_few_strings_are_listed_and_many_are_not(pattern: str, count: int | None) -> None:
    facts = StringFacts(patterns=(Pattern(pattern, ""),))
    if count is None:
        assert string_values(facts, 1000, 100_000) is None
        return
    found = string_values(facts, count, 100_000)
    assert found is not None and len(set(found)) == count
    assert all(re.fullmatch(pattern.strip("^$"), text) for text in found)
    assert string_values(facts, count - 1, 100_000) is None
