"""The formats of JSON Schema against tables, the official suite, the jsonschema package, real instances."""

from __future__ import annotations

import json
import random
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from structgen import cache as cache_folder
from structgen.automata.build import compile_regex, intersect
from structgen.automata.dfa import START, Dfa
from structgen.automata.json_text import encoded
from structgen.errors import CompileLimitError
from structgen.sources.json_schema.formats import (
    FORMATS,
    format_automaton,
    format_complement,
    format_is_exact,
    format_language,
    format_matches,
    format_max_length,
    open_format_automata,
    saved_automata,
)
from structgen.sources.json_schema.options import SchemaOptions

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
SUITE = DATA / "json-schema-test-suite"
MASKBENCH = DATA / "maskbench"
CHECKER = jsonschema.Draft202012Validator.FORMAT_CHECKER

LABEL63 = "a" * 63
# format -> texts of it, texts not of it: of what the official suite leaves out
CASES: dict[str, tuple[list[str], list[str]]] = {
    "date-time": (
        [
            "2024-02-29t00:00:00.0z",
            "2016-12-31T23:59:60Z",
            "2017-01-01T08:59:60+09:00",
            "2015-06-30T23:59:60-00:00",
        ],
        # a leap second ends June or December, in UTC (RFC 3339, section 5.7)
        ["2016-12-30T23:59:60Z", "2016-12-31T08:59:60+09:00", "2017-01-01T23:59:60Z", "2024-01-01 00:00:00Z"],
    ),
    "date": (["0000-02-29", "2000-02-29", "9999-12-31"], ["1900-02-29", "2023-02-29", "2024-06-31"]),
    "time": (["23:59:60.5Z", "00:00:00+23:59"], ["23:59:60.Z", "12:00Z", "23:59:60+00:01", "1:00:00Z"]),
    "duration": (["P1W", "PT1H", "P1Y2M3DT4H5M6S"], ["p1w", "P1Y1D", "PT1H1S", "P1.5D", "P-1D", "P1DT"]),
    "email": (
        ['""@a', '"\\""@a.b', "a@[IPv6:1:2:3:4:5:6:7:8]", "a@[ipv6:1::1.2.3.4]", "a@[001.2.3.4]", "a+b@1.2"],
        ["a@b..c", "a@-b", "a@b-", "a@[1.2.3]", "a@[IPv6:1]", '"a@b', "a\u00e9@b", "a@[tag:x]", "a@b."],
    ),
    "idn-email": (["d\u00f6@\u4f8b.jp", "a@b"], ["a@\u2028", "a@-\u4f8b", "a@EXAMPLE\u00c9"]),
    "hostname": (
        [LABEL63, "a.b-c.1", ".".join([LABEL63] * 3 + ["a" * 61])],
        [
            "a_b",
            "a.",
            "-a",
            "a" * 64,
            ".".join([LABEL63] * 3 + ["a" * 62]),
            "xn--a-\u00e9",
            "xn--zzzzzz99999",
        ],
    ),
    "idn-hostname": (
        ["\u4f8b\u3048.jp", "b\u00fccher.de", "\u0430-1\u3002\u0431"],
        ["B\u00fccher.de", "\u00fc-", "ab--\u00fc", "ab--c", "\ufb01", "\u00fc" * 60],
    ),
    "ipv4": (["0.0.0.0", "255.249.199.99"], ["1.2.3", "01.2.3.4", "1.2.3.256", "1.2.3.4.5"]),
    "ipv6": (
        ["::", "1::", "::8", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "1:2:3:4:5:6:1.2.3.4", "::ffff:1.2.3.4"],
        [
            "1:2:3:4:5:6:7:8::",
            "1::2:3:4:5:6:7:8",
            "::%eth0",
            "1.2.3.4::",
            "::1.2.3.4:5",
            "1:2:3:4:5:6:7:1.2.3.4",
        ],
    ),
    "uri": (
        ["a:", "a://", "a:///", "A+.-1:b:c", "a://[v1F.:]:", "a:/?#", "a:?/?#/?", "a://@:80", "a:%aF"],
        [
            "",
            ":",
            "a:%a",
            "a://[::1]b",
            "a:[",
            "a:#a#b",
            "a://a:b:c",
            "a:\u00e9",
            "a://[::1%25eth0]",
            "a:b\n",
        ],
    ),
    "uri-reference": (["", "a/b:c", "//a:1", "?", "#", "./a:b"], ["1a:b", ":a", "a b", "//a:b", "[a]"]),
    "iri": (
        ["a://\u00e9@\u00fc:1/\u4f8b?\ue000#\u4f8b", "a:\U00020000"],
        ["a:\ue000", "a:#\ue000", "a:\ufffe", "a:\U000e0001", "\u00e9:a", "a:\u009f", "a://[\u00e9]"],
    ),
    "iri-reference": (["\u4f8b/:", "//\u4f8b"], ["\u4f8b:", "\ufdd0"]),
    "uri-template": (
        ["{a}{+b:3,c*}", "%41{_.%41}"],
        ["{a b}", "{=a}", "{a:3*}", "%4", "{.}", "{a.}", "<", "{"],
    ),
    "uuid": (["00000000-0000-0000-0000-00000000000F"], ["{00000000-0000-0000-0000-000000000000}"]),
    "json-pointer": (["", "/", "/~0~1", '/"\\'], ["~0", "/~", "#/a"]),
    "relative-json-pointer": (["0", "10/a", "1#"], ["00", "0a", "#", "1##", "0-#"]),
    "regex": (
        [
            "",
            "^[a-z0-9]+(?:-[a-z0-9]+)*$",
            r"^\d{4}-\d{2}-\d{2}$",
            r"^(?=.*[A-Z])(?=.*\d)[A-Za-z\d@$!%*?&]{8,}$",
            r"^[\w.+-]+@[\w-]+\.[\w.-]+$",
            r"^(25[0-5]|2[0-4]\d|[01]?\d\d?)(\.(25[0-5]|2[0-4]\d|[01]?\d\d?)){3}$",
            r"^(\([0-9]{3}\))?[0-9]{3}-[0-9]{4}$",
            r"^#?([a-fA-F0-9]{6}|[a-fA-F0-9]{3})$",
            r"(((a|b)*?c)+|d)?",
            r"(?<!\$)\bx{2,10}|y{10,15}|z{100,255}",
            r"[^\u00e9\]À-ÿ-]",
            "^.*$",
            "^/([^/]+/)*$",
        ],
        ["(", ")", "a{3,2}", "[", "[z-a]", "*", "a**", r"\i", "(?<n>", "a\\", "(?P<n>a)", "[a-", r"\Z"],
    ),
}


@cache
def language(name: str) -> Dfa:
    return compile_regex(format_language(name), "json-string")


@cache
def complement(name: str) -> Dfa:
    return compile_regex(format_complement(name), "json-string")


def is_in_language(name: str, text: str) -> bool:
    longest = format_max_length(name)
    return language(name).accepts(encoded(text)) and (longest is None or len(text) <= longest)


def test_the_formats_are_those_of_the_specification():
    assert len(FORMATS) == 19
    assert set(CASES) == FORMATS


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_tables(name: str):
    valid, invalid = CASES[name]
    assert [text for text in valid if not is_in_language(name, text)] == []
    assert [text for text in valid if not format_matches(name, text)] == []
    assert [text for text in invalid if format_matches(name, text)] == []
    assert [text for text in invalid if is_in_language(name, text)] == []


# Upper bounds, measured: what a schema with the format pays in states.
STATES = {
    "date": 200,
    "date-time": 2100,
    "duration": 100,
    "email": 1000,
    "hostname": 1000,
    "idn-email": 1800,
    "idn-hostname": 4200,
    "ipv4": 150,
    "ipv6": 950,
    "iri": 1400,
    "iri-reference": 1500,
    "json-pointer": 50,
    "regex": 4000,
    "relative-json-pointer": 60,
    "time": 2900,
    "uri": 1200,
    "uri-reference": 1200,
    "uri-template": 150,
    "uuid": 260,
}


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_an_automaton_is_small(name: str):
    assert language(name).n_states <= STATES[name]


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_a_language_and_its_complement_are_apart(name: str):
    assert intersect(language(name), complement(name)).is_empty
    if format_is_exact(name):
        assert format_max_length(name) is None


def test_unknown_formats_are_not_known():
    with pytest.raises(KeyError):
        format_language("color")


# ---- the official suite -------------------------------------------------------------------------------

# Valid cases that no automaton of a reasonable size tells from invalid ones: the texts that only
# `format_matches` accepts. Exactly these: one more fails, and so does one less.
ONLY_MATCHED = {
    # A-labels: Punycode is arithmetic on all of the label (RFC 3492)
    "hostname": 16,
    # A-labels, right-to-left labels, characters that depend on context (RFC 5892, appendix A), long U-labels
    "idn-hostname": 19,
    # names, \\c, [], lookbehind of any length: not in Python's `re`
    "regex": 6,
}


def suite_cases() -> list[tuple[str, str, bool]]:
    found: dict[tuple[str, str, bool], None] = {}
    for path in sorted(SUITE.glob("draft*/optional/format/*.json")):
        for group in json.loads(path.read_text()):
            name = group["schema"].get("format") if isinstance(group["schema"], dict) else None
            for case in group["tests"]:
                if name in FORMATS and isinstance(case["data"], str):
                    found[name, case["data"], case["valid"]] = None
    return list(found)


@pytest.mark.skipif(not SUITE.exists(), reason="needs shared/data")
def test_official_suite():
    cases = suite_cases()
    assert len(cases) > 600
    assert [case for case in cases if format_matches(case[0], case[1]) != case[2]] == []
    assert [case for case in cases if is_in_language(case[0], case[1]) and not case[2]] == []
    assert [case for case in cases if complement(case[0]).accepts(encoded(case[1])) and case[2]] == []
    only_matched: dict[str, int] = {}
    for name, text, valid in cases:
        if valid and not is_in_language(name, text):
            only_matched[name] = only_matched.get(name, 0) + 1
    assert only_matched == ONLY_MATCHED


# ---- the jsonschema package ---------------------------------------------------------------------------


def samples(automaton: Dfa, count: int, seed: int) -> Iterator[str]:
    """Texts of an automaton over the json-string encoding: random walks, then the shortest way out."""
    generator = random.Random(seed)
    wide = automaton.transitions[:, automaton.byte_class]
    distance = np.where(automaton.accepting, 0, 10**6)
    while True:
        nearer = np.minimum(distance, np.where(wide != 0, distance[wide], 10**6).min(axis=1) + 1)
        if np.array_equal(nearer, distance):
            break
        distance = nearer
    for _ in range(count):
        data = bytearray()
        state = START
        length = generator.randrange(40)
        while not (automaton.accepting[state] and len(data) >= length):
            ways: dict[int, list[int]] = {}
            for byte in np.flatnonzero(wide[state]).tolist():
                if len(data) < length or distance[wide[state, byte]] < distance[state]:
                    ways.setdefault(int(automaton.byte_class[byte]), []).append(byte)
            if not ways:
                break
            plain = {key: found for key, found in ways.items() if found != [0x5C]}
            chosen = plain if plain and generator.random() < 0.97 else ways
            byte = generator.choice(generator.choice(list(chosen.values())))
            data.append(byte)
            state = int(wide[state, byte])
        if automaton.accepting[state]:
            yield json.loads(b'"' + bytes(data) + b'"')


def is_accepted(name: str, text: str) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # re warns of "[[" and "--" in classes
        return CHECKER.conforms(text, name)


# Where the checker refuses what is valid (1) or takes what is not (2):
# (1) date-time, time: it knows no leap seconds (RFC 3339, section 5.7).
# (1) date-time, date: it knows no year 0000 (RFC 3339, section 1: "between 0000AD and 9999AD").
# (1) iri, iri-reference: no planes above 0 (RFC 3987, section 2.2, ucschar), "::" of some lengths only and no
#     "V" in IP literals (RFC 3986, section 3.2.2).
# (1) relative-json-pointer: 10 may not be followed by another digit, nor 100 be written.
# (1) uri-template: %41 is no variable name where more follows, and a prefix is below 1000 (RFC 6570,
#     sections 2.3 and 2.4.1).
# (2) duration: fractions and signs. email, idn-email: whatever has an at-sign. hostname, idn-hostname: a dot
#     at the end, any A-label. uri: a line feed at the end. uri-template: "%" alone, any character. uuid: more
#     hyphens. regex: Python's own syntax.
def is_misjudged(name: str, text: str) -> bool:
    """Is this one of the valid texts that the checker is known to refuse?"""
    if name in ("date-time", "time"):
        return ":60" in text or text.startswith("0000")
    if name == "date":
        return text.startswith("0000")
    if name in ("iri", "iri-reference"):
        return "[" in text or any(ord(char) > 0xFFFF for char in text)
    if name == "relative-json-pointer":
        return "0" in text.partition("/")[0][:-1]
    return name == "uri-template" and ("%" in text or ":" in text)


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_the_checker_accepts_what_is_generated(name: str):
    longest = format_max_length(name)
    asked = 0
    for text in samples(language(name), 300, 7):
        if longest is not None and len(text) > longest:
            continue
        assert format_matches(name, text), text
        if not is_misjudged(name, text):
            asked += 1
            assert is_accepted(name, text), text
    assert asked >= 50


# The formats of which the checker is exact but for `is_misjudged`
STRICT = (
    "date",
    "date-time",
    "time",
    "ipv4",
    "ipv6",
    "uri-reference",
    "json-pointer",
    "relative-json-pointer",
)


@pytest.mark.parametrize("name", STRICT)
def test_what_the_checker_accepts_is_accepted(name: str):
    generator = random.Random(11)
    accepted = 0
    for text in samples(language(name), 400, 13):
        at = generator.randrange(len(text) + 1)
        more = generator.choice([*text, *":/.-[]%+0 \u00e9"])
        changed = text[:at] + generator.choice(["", more]) + text[at + generator.randrange(3) :]
        if not is_accepted(name, changed):
            continue
        if name == "relative-json-pointer" and not changed.partition("/")[0].isascii():
            continue  # it takes digits of any script
        accepted += 1
        assert is_in_language(name, changed), changed
    assert accepted >= 5


# ---- real schemas -------------------------------------------------------------------------------------


def formatted(schema: Any, value: Any) -> Iterator[tuple[str, str]]:
    """(format, text) where a subschema that is found by names and positions alone has a format."""
    if not isinstance(schema, dict):
        return
    if isinstance(value, str) and schema.get("format") in FORMATS:
        yield schema["format"], value
    if isinstance(value, dict) and isinstance(schema.get("properties"), dict):
        for name, inner in schema["properties"].items():
            if name in value:
                yield from formatted(inner, value[name])
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        for item in value:
            yield from formatted(schema["items"], item)
    for inner in schema.get("allOf", []):
        yield from formatted(inner, value)


@pytest.mark.skipif(not MASKBENCH.exists(), reason="needs shared/data")
def test_real_instances():
    texts: dict[tuple[str, str], str] = {}
    for path in sorted(MASKBENCH.glob("*.json")):
        content = path.read_text()
        if '"format"' not in content:
            continue
        data = json.loads(content)
        for test in data.get("tests", []):
            if test["valid"]:
                for found in formatted(data["schema"], test["data"]):
                    texts.setdefault(found, path.name)
    assert len(texts) > 400
    accepted = {found for found in texts if is_accepted(*found)}
    refused = sorted(
        (name, text, texts[name, text]) for name, text in accepted if not is_in_language(name, text)
    )
    assert [(name, text) for name, text, _ in refused] == []


def test_the_digests_of_saved_automata_are_those_of_the_formats() -> None:
    """Where this fails, a format is another language now, and these belong into `saved_automata.DIGESTS`."""
    enough = saved_automata.ENOUGH_STATES
    assert SchemaOptions().max_states >= enough
    made = {
        name: compile_regex(format_language(name), "json-string", enough).digest.hex()
        for name in sorted(FORMATS)
    }
    assert made == saved_automata.DIGESTS


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache folder, and no file open. Fewer formats than there are, which takes less time."""
    monkeypatch.setattr(saved_automata, "_open", {})
    few = {name: saved_automata.DIGESTS[name] for name in ("uuid", "ipv4")}
    monkeypatch.setattr(saved_automata, "DIGESTS", few)
    cache_folder.set_cache_dir(tmp_path)
    yield cache_folder.cache_dir() / saved_automata.KIND
    cache_folder.set_cache_dir(None)


def test_an_automaton_comes_from_the_file(folder: Path) -> None:
    assert saved_automata.saved("uuid") is None
    open_format_automata()
    assert len(list(folder.iterdir())) == 1
    read = saved_automata.saved("uuid")
    made = compile_regex(format_language("uuid"), "json-string")
    assert read is not None and read is not made and read == made
    assert np.array_equal(read.transitions, made.transitions)
    assert not read.transitions.flags.writeable
    assert format_automaton("uuid") is format_automaton("uuid", SchemaOptions().max_states) is read
    assert format_automaton("date") == compile_regex(format_language("date"), "json-string")
    with pytest.raises(CompileLimitError):  # as without a file
        format_automaton("uuid", 10)


def test_a_damaged_automaton_is_not_used(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    open_format_automata()
    path = next(folder.iterdir())
    data = bytearray(path.read_bytes())
    data[-600:] = bytes(byte ^ 1 for byte in data[-600:])
    path.write_bytes(data)
    saved_automata._open.clear()
    open_format_automata()
    found = [saved_automata.saved(name) for name in ("ipv4", "uuid")]
    assert None in found and "damaged" in caplog.text
    assert not list(folder.iterdir())
    for name in ("ipv4", "uuid"):
        assert format_automaton(name) == compile_regex(format_language(name), "json-string")
