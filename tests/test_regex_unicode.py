"""Unicode properties against the `regex` package, and the sets that stand for `re`'s classes."""

from __future__ import annotations

import sys
import unicodedata

import pytest
import regex
from naive_regex import matches

from structgen.charset import CharSet
from structgen.regex import parse
from structgen.regex.classes import ecma_class, ecma_fold
from structgen.regex.properties import UnknownPropertyError, folding_classes, property_set
from structgen.regex.unicode_tables import INDEX, SCRIPTS

EVERY_CHARACTER = "".join(chr(c) for c in range(sys.maxunicode + 1) if not 0xD800 <= c < 0xE000)
CATEGORIES = sorted({entry.split(":")[0][3:] for entry in INDEX.split() if entry.startswith("gc=")})
BINARY = sorted(entry.split(":")[0] for entry in INDEX.split() if "=" not in entry)
SCRIPT_NAMES = sorted(entry.split(":")[1] for entry in SCRIPTS.split())


def ranges_of(pattern: str) -> CharSet:
    found = regex.compile(f"(?:{pattern})+").findall(EVERY_CHARACTER)
    return CharSet.of((ord(c), ord(c)) for run in found for c in run)


def same_version() -> bool:
    return ranges_of(r"\P{Cn}") == property_set("Assigned")


@pytest.mark.skipif(not same_version(), reason="the regex package is of another Unicode version")
@pytest.mark.parametrize(
    "names",
    [
        [f"gc={name}" for name in CATEGORIES],
        [f"gc={name}" for name in ("L", "LC", "M", "N", "P", "S", "Z", "C")],
        [*BINARY, "ASCII", "Any"],
        [f"Script={name}" for name in SCRIPT_NAMES],
        [f"Script_Extensions={name}" for name in SCRIPT_NAMES],
    ],
    ids=["categories", "groups", "binary", "scripts", "script extensions"],
)
def test_properties_are_those_of_the_regex_package(names: list[str]) -> None:
    assert len(names) > 7
    for name in names:
        assert property_set(name) == ranges_of(rf"\p{{{name}}}"), name


def test_categories_are_those_of_unicodedata_where_it_knows_the_character() -> None:
    """A second source, older: a handful of characters have changed their category since."""
    changed = 0
    known = {c: unicodedata.category(c) for c in EVERY_CHARACTER}
    for name in CATEGORIES:
        ours = property_set(f"gc={name}")
        theirs = CharSet.of((ord(c), ord(c)) for c, category in known.items() if category == name)
        if name not in ("Cn", "Co"):
            changed += len(theirs - ours)
    assert changed < 60


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Lu", "Uppercase_Letter"),
        ("gc=Nd", "General_Category=Decimal_Number"),
        ("digit", "Nd"),
        ("punct", "P"),
        ("sc=Grek", "Script=Greek"),
        ("scx=Zyyy", "Script_Extensions=Common"),
        ("sc=Qaac", "Script=Coptic"),
        ("Alpha", "Alphabetic"),
        ("space", "White_Space"),
        ("XIDS", "XID_Start"),
    ],
)
def test_names_of_the_same(one: str, other: str) -> None:
    assert (
        property_set(one) == property_set(other) == property_set(other.lower().replace("_", " "), loose=True)
    )


@pytest.mark.parametrize(
    "name",
    ["", "lu", "Greek", "Script=greek", "Lu ", "gc=Greek", "sc=Lu", "Block=Latin", "=", "IsGreek", "L=l"],
)
def test_names_that_ecma_does_not_know(name: str) -> None:
    with pytest.raises(UnknownPropertyError):
        property_set(name)


def test_loose_names() -> None:
    assert property_set("greek", loose=True) == property_set("Script=Greek")
    assert property_set("old-italic", loose=True) == property_set("sc=Ital")
    assert property_set("GENERAL CATEGORY=lu", loose=True) == property_set("Lu")


def test_simple_folding_is_that_of_the_standard_library() -> None:
    """`str.casefold` is the full folding: the same where it gives one character. Later versions of Unicode
    added three pairs whose full folding is longer."""
    equal: dict[str, set[int]] = {}
    for char in EVERY_CHARACTER:
        folded = char.casefold()
        if len(folded) > 1 and len(char.lower()) == 1:
            folded = char.lower()
        equal.setdefault(folded if len(folded) == 1 else char, set()).add(ord(char))
    theirs = {frozenset(members) for members in equal.values() if len(members) > 1}
    ours = {
        frozenset(c for c in members if unicodedata.category(chr(c)) != "Cn")
        for members in folding_classes().values()
    }
    later = {frozenset({0x390, 0x1FD3}), frozenset({0x3B0, 0x1FE3}), frozenset({0xFB05, 0xFB06})}
    assert {members for members in ours if len(members) > 1} - later == theirs - later


def test_ecma_sets() -> None:
    assert ecma_class("w", ignore_case=True) - ecma_class("w") == CharSet.chars("ſ\u212a")
    assert ecma_class("S") == ~ecma_class("s")
    assert len(ecma_class("s")) == 25
    assert ecma_fold(CharSet.chars("σ")) == CharSet.chars("σςΣ")
    assert ecma_fold(CharSet.chars("iı1")) == CharSet.chars("iIı1")


def test_a_property_costs_little_and_is_made_once() -> None:
    node = parse(r"^\p{L}+$", "ecma")
    assert parse(r"^\p{L}+$", "ecma") is node
    assert matches(node, "né")
