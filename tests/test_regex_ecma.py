"""The ecma dialect. What the tables say was verified with V8 (Node 20) when they were written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from naive_regex import matches

from structgen.errors import InvalidRegexError, OptionError, SourceError, UnsupportedRegexError
from structgen.regex import parse

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "maskbench"

# pattern, flags, texts in which it matches, texts in which it does not; all valid with the u flag
UNICODE: list[tuple[str, str, list[str], list[str]]] = [
    ("", "", ["", "a"], []),
    ("^abc$", "", ["abc"], ["abc\n", "xabc", "ab"]),
    ("b", "", ["abc"], ["ac"]),
    ("^a|b$", "", ["ax", "xb"], ["xa", "bx", ""]),
    ("^(a|b)$", "", ["a", "b"], ["ab", ""]),
    ("(^a$)|(^b$)", "", ["a", "b"], ["ab"]),
    ("^(?:ab)+$", "", ["ab", "abab"], ["aba", ""]),
    ("^.$", "", ["a", "é", "😀", "\x85"], ["\n", "\r", "\u2028", "\u2029", ""]),
    ("^.$", "s", ["\n", "\u2028"], ["ab"]),
    ("^b$", "m", ["a\nb", "b\ra", "a\u2028b\u2029c"], ["ab"]),
    ("^a$", "", ["a"], ["a\nb"]),
    (r"^\d$", "", ["7"], ["٣", "a"]),
    (r"^\w$", "", ["a", "_", "7"], ["é", "ſ", "-"]),
    (r"^\w$", "i", ["ſ", "\u212a"], ["é"]),
    (r"^\W$", "i", ["é"], ["ſ", "s"]),
    (r"^\s$", "", ["\ufeff", "\u2028", "\xa0", "\v", "\u3000"], ["\x1c", "\x85", "\u200b"]),
    (r"^[\s\S]$", "", ["\n", "a"], [""]),
    (r"\bé\b", "", ["aéa"], ["é", "xé"]),
    (r"\B", "", ["", "ab"], ["a"]),
    (r"\b", "", ["a"], ["", "-"]),
    ("^[]$", "", [], ["", "a"]),
    ("^[^]$", "", ["\n", "a"], [""]),
    (r"^[\b]$", "", ["\b"], ["b"]),
    (r"^[a\-z]$", "", ["a", "-", "z"], ["b"]),
    (r"^[-a]$", "", ["a", "-"], ["b"]),
    ("^[^a-c]$", "", ["d"], ["a", "b"]),
    (r"^\cA\x41\u0041\u{1f600}\ud83d\ude00\0\/\$\v$", "", ["\x01AA😀😀\0/$\v"], [""]),
    (r"^[\ud83d\ude00-\u{1f603}]$", "", ["😁"], ["😄"]),
    (r"^\ud83d", "", [], ["😀"]),
    ("^a{2}b{1,}c{0,2}$", "", ["aab", "aabbcc"], ["ab", "aabccc"]),
    ("^a*?b+?c??d{1,2}?$", "", ["bd", "aabbcdd"], ["d"]),
    ("^(?<year>a)(?<$ñ_>b)$", "", ["ab"], ["a"]),
    ("(?=a)b|(?!b)c", "", ["c", "bc"], ["b", "ab"]),
    ("^(?!.*foo)(?=.*bar).*$", "", ["bar", "xbarx"], ["foobar", "barfoo", "x"]),
    ("^((?!foo).)*$", "", ["fobar", ""], ["afoob"]),
    ("((?!foo).)*b$", "", ["foob", "b"], ["fooba"]),
    ("(?<=a+)b(?<!aab)", "", ["ab"], ["aab", "b"]),
    ("(?<=^|x)a", "", ["a", "xa"], ["ba"]),
    ("^(?:(?=[a-c])\\w)+$", "", ["abc"], ["abd"]),
    ("(?<![a-z]{2,})b", "", ["ab", "b"], ["aab"]),
    ("^straße$", "i", ["STRAẞE"], ["STRASSE"]),
    ("^k$", "i", ["K", "\u212a"], ["c"]),
    ("^[^k]$", "i", ["c"], ["K", "\u212a"]),
    (r"^\u0390$", "i", ["\u0390"], ["\u03aa"]),
    (r"^\p{Lu}\p{Letter}\P{L}$", "", ["Aa1"], ["aa1"]),
    (r"^\p{Lu}$", "i", ["a"], ["1"]),
    (r"^\P{Lu}$", "i", ["A"], []),
    (r"^\p{Script=Greek}\p{sc=Grek}\p{scx=Greek}$", "", ["αβ\u0342"], ["αa\u0342"]),
    (r"^\p{General_Category=Decimal_Number}\p{gc=Nd}\p{Nd}$", "", ["1٣9"], ["11a"]),
    (r"^[\p{Emoji}\p{ASCII}]\p{Any}\p{Assigned}\p{Alphabetic}$", "", ["a\u0378aé"], ["éaaa"]),
    (r"^[^\p{L}]$", "", ["1"], ["é"]),
]

# the same for what only Annex B allows; texts of the BMP
ANNEX_B: list[tuple[str, str, list[str], list[str]]] = [
    (r"^\-\_\@\'\é\:\Z\a\e\z$", "", ["-_@'é:Zaez"], [""]),
    (r"^[\_\.\:\Z]+$", "", ["_.:Z"], ["\\"]),
    ("^]{a}{,2}x{,2}{$", "", ["]{a}{,2}x{,2}{"], ["x"]),
    ("^a{1$", "", ["a{1"], ["a"]),
    ("^a{}$", "", ["a{}"], ["a"]),
    (r"^[\d-x]$", "", ["-", "x", "1"], ["a"]),
    (r"^[a-\d]$", "", ["-", "a", "1"], ["b"]),
    (r"^[\w-.]+$", "", ["a.-"], ["+"]),
    (r"^\1\8\08\123\400$", "", ["\x018\x008S 0"], ["1"]),
    (r"^[\1\08]+$", "", ["\x01\x008"], ["1"]),
    (r"^\c\c1[\c]$", "", ["\\c\\c1\\", "\\c\\c1c"], ["c"]),
    (r"^[\c1][\c_]$", "", ["\x11\x1f"], ["1_"]),
    (r"^\x4\xg\u00\u$", "", ["x4xgu00u"], [""]),
    (r"^\u{zz}$", "", ["u{zz}"], ["z"]),
    (r"^\k<a>\k$", "", ["k<a>k"], ["a"]),
    (r"^\pL\p$", "", ["pLp"], ["ap"]),
    ("^(?=a)*b(?!a)+c$", "", ["bc"], ["abc"]),
    (r"^[\B\k]+$", "", ["Bk"], ["b"]),
]

# where the two are mixed, each construct is read with u if it can be: what people mean
MIXED: list[tuple[str, list[str], list[str]]] = [
    (r"^[\p{L}\-_]+$", ["é-_"], ["p{L}", "1"]),
    (r"^\u{1F600}\-\p{Lu}$", ["😀-A"], ["u-A"]),
    (r"^😀\-.$", ["😀-😀"], ["😀--😀"]),
]


@pytest.mark.parametrize(("pattern", "flags", "accepted", "refused"), UNICODE, ids=[c[0] for c in UNICODE])
def test_with_u(pattern: str, flags: str, accepted: list[str], refused: list[str]) -> None:
    node = parse(pattern, "ecma", flags=flags, search=True)
    assert node == parse(pattern, "ecma", flags=flags + "u", search=True)
    assert [text for text in accepted + refused if matches(node, text)] == accepted


@pytest.mark.parametrize(("pattern", "flags", "accepted", "refused"), ANNEX_B, ids=[c[0] for c in ANNEX_B])
def test_annex_b(pattern: str, flags: str, accepted: list[str], refused: list[str]) -> None:
    node = parse(pattern, "ecma", flags=flags, search=True)
    assert [text for text in accepted + refused if matches(node, text)] == accepted
    with pytest.raises(InvalidRegexError):
        parse(pattern, "ecma", flags=flags + "u")


@pytest.mark.parametrize(("pattern", "accepted", "refused"), MIXED, ids=[case[0] for case in MIXED])
def test_mixed(pattern: str, accepted: list[str], refused: list[str]) -> None:
    node = parse(pattern, "ecma", search=True)
    assert [text for text in accepted + refused if matches(node, text)] == accepted


def test_the_whole_text_or_anywhere() -> None:
    assert matches(parse("b", "ecma", search=True), "abc")
    assert not matches(parse("b", "ecma"), "abc")
    assert matches(parse("a|^b$|c(?=$)", "ecma"), "c")


def test_modifiers_of_a_part() -> None:
    # ECMA-262 of 2025; V8 has them since version 12.5
    node = parse("^a(?i:b)(?s-i:.)$", "ecma", search=True)
    assert matches(node, "aB\n") and not matches(node, "AB\n")
    assert not matches(parse("^(?-i:a)b$", "ecma", flags="i"), "Ab")


def test_one_name_in_two_alternatives() -> None:
    # ECMA-262 of 2025
    assert matches(parse("(?<n>a)|(?<n>b)", "ecma"), "b")
    with pytest.raises(InvalidRegexError, match="duplicate capture group name"):
        parse("(?<n>a)(?<n>b)", "ecma")


# pattern, flags, position, part of the message
INVALID: list[tuple[str, str, int, str]] = [
    ("a(b", "", 1, "unterminated group"),
    ("a)b", "", 1, "unmatched )"),
    ("ab[cd", "", 2, "unterminated character class"),
    ("a[c-b]", "", 2, "range out of order"),
    ("*a", "", 0, "nothing to repeat"),
    ("a|+", "", 2, "nothing to repeat"),
    ("{1}", "", 0, "nothing to repeat"),
    ("a**", "", 2, "nothing to repeat"),
    ("a{2}{3}", "", 4, "nothing to repeat"),
    ("^*", "", 1, "nothing to repeat"),
    (r"\b+", "", 2, "nothing to repeat"),
    ("(?<=a)*", "", 6, "nothing to repeat"),
    ("a{2,1}", "", 1, "numbers out of order"),
    ("ab\\", "", 2, "\\ at end of pattern"),
    ("x(?i)a", "", 1, "invalid group"),
    ("(?P<n>a)", "", 0, "invalid group"),
    ("(?#a)", "", 0, "invalid group"),
    ("(?>a)", "", 0, "invalid group"),
    ("(?-:a)", "", 0, "invalid group"),
    ("(?ii:a)", "", 0, "invalid group"),
    ("(?<1>a)", "", 3, "invalid capture group name"),
    ("(?<>a)", "", 3, "invalid capture group name"),
    ("(?<n", "", 3, "invalid capture group name"),
    (r"(?<n>a)\k<m>", "", 7, "invalid named capture referenced"),
    (r"(?<n>a)\k", "", 7, "invalid named reference"),
    (r"(?<n>a)[\k]", "", 8, "invalid named reference"),
    (r"a\p{Foo}", "", 1, "unknown Unicode property 'Foo'"),
    (r"\p{lu}", "", 0, "unknown Unicode property 'lu'"),
    (r"\p{Greek}", "", 0, "unknown Unicode property 'Greek'"),
    (r"[\p{Script=Foo}]", "", 1, "unknown Unicode property 'Script=Foo'"),
    (r"\u{110000}", "", 0, "undefined Unicode code point"),
    (r"a\-b", "u", 1, "invalid escape"),
    ("a]b", "u", 1, "lone ]"),
    ("a{b", "u", 1, "lone {"),
    ("a}", "u", 1, "lone }"),
    (r"[\d-x]", "u", 1, "invalid character class"),
    (r"\1", "u", 0, "invalid group reference"),
    (r"[\1]", "u", 1, "invalid decimal escape"),
    (r"\c1", "u", 0, "invalid control escape"),
    (r"\u00", "u", 0, "invalid hexadecimal escape"),
    (r"\k", "u", 0, "invalid named reference"),
    (r"\p", "u", 0, "invalid property name"),
    ("(?=a)*", "u", 5, "nothing to repeat"),
]


@pytest.mark.parametrize(
    ("pattern", "flags", "offset", "reason"), INVALID, ids=[f"{c[0]}-{c[1]}" for c in INVALID]
)
def test_invalid(pattern: str, flags: str, offset: int, reason: str) -> None:
    with pytest.raises(InvalidRegexError) as error:
        parse(pattern, "ecma", flags=flags, search=True)
    assert reason in error.value.reason
    assert error.value.position is not None and error.value.position.offset == offset


UNSUPPORTED: list[tuple[str, int, str]] = [
    (r"(a)b\1", 4, "back-reference"),
    (r"\1(a)", 0, "back-reference"),
    (r"(?<n>a)\k<n>", 7, "back-reference"),
    ("[[:alpha:]]", 1, "POSIX class"),
    ("a{9999999999999999999}", 1, "a count of more than 18 digits"),
    ("(" * 101 + ")" * 101, 100, "nested deeper than 100"),
]


@pytest.mark.parametrize(("pattern", "offset", "reason"), UNSUPPORTED, ids=[c[0][:30] for c in UNSUPPORTED])
def test_unsupported(pattern: str, offset: int, reason: str) -> None:
    with pytest.raises(UnsupportedRegexError, match=reason) as error:
        parse(pattern, "ecma", search=True)
    assert error.value.position is not None and error.value.position.offset == offset


def test_unknown_flags() -> None:
    with pytest.raises(OptionError, match="imsu"):
        parse("a", "ecma", flags="v")


def patterns_of(schema: object) -> set[str]:
    """Every value of ``pattern`` and every key of ``patternProperties`` in a schema."""
    if isinstance(schema, list):
        return set().union(*map(patterns_of, schema))
    if not isinstance(schema, dict):
        return set()
    found = set().union(*map(patterns_of, schema.values()))
    if isinstance(schema.get("pattern"), str):
        found.add(schema["pattern"])
    if isinstance(schema.get("patternProperties"), dict):
        found |= set(schema["patternProperties"])
    return found


@pytest.mark.skipif(not DATA.is_dir(), reason="the benchmark's data are not here")
def test_patterns_of_schemas_in_the_wild() -> None:
    patterns: set[str] = set()
    for file in sorted(DATA.glob("*.json")):
        text = file.read_text(encoding="utf-8")
        if '"pattern' in text:
            patterns |= patterns_of(json.loads(text)["schema"])
    refused = {}
    for pattern in sorted(patterns):
        try:
            parse(pattern, "ecma", search=True)
        except SourceError as error:
            refused[pattern] = error.reason
    assert len(patterns) == 1932
    assert refused == {
        r"^\s*<([A-Za-z]+).+?(\/>|\/\1>)\s*$": "a back-reference is not a regular language",
    }
