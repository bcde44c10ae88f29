"""The python dialect: against `re` itself, construct by construct and on random patterns."""

from __future__ import annotations

import re
import sys
import warnings

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from naive_regex import matches

from structgen.charset import CharSet
from structgen.errors import InvalidRegexError, OptionError, UnsupportedRegexError
from structgen.regex import parse
from structgen.regex.syntax import Chars, Literal

EVERY_CHARACTER = "".join(map(chr, range(sys.maxunicode + 1)))

# pattern, texts that it matches as a whole, texts that it does not
CASES: list[tuple[str, list[str], list[str]]] = [
    ("", [""], ["a"]),
    ("abc", ["abc"], ["ab", "abcd", ""]),
    ("a|", ["a", ""], ["b"]),
    ("a.c", ["abc", "a\rc"], ["a\nc", "ac"]),
    ("(?s)a.c", ["a\nc"], ["ac"]),
    ("(?s:.)(?-s:.)", ["\na"], ["a\n"]),
    ("[]a]+", ["]a]"], ["b"]),
    ("[^]a]", ["b"], ["]", "a"]),
    ("[a-]", ["a", "-"], ["b"]),
    (r"[\]\-\\]+", ["]-\\"], ["a"]),
    (r"[\b]", ["\b"], ["b"]),
    ("[[a]", ["[", "a"], ["]"]),
    (r"\x41\u00e9\U0001F600\N{DIGIT ONE}\101\0", ["Aé😀1A\0"], ["A"]),
    (r"\a\f\n\r\t\v\\", ["\a\f\n\r\t\v\\"], [""]),
    (r"\d+", ["12", "٣"], ["a", "²"]),
    (r"(?a)\d+", ["12"], ["٣"]),
    (r"\w+", ["aé_1٣"], ["-"]),
    (r"(?a:\w)\w", ["aé"], ["éa"]),
    (r"\s", [" ", "\x1c", "\u2028"], ["\u200b", "\ufeff"]),
    (r"(?a)\s", ["\v"], ["\x1c", "\u2028"]),
    ("a{2}b{1,}c{,2}d{1,2}", ["aabd", "aabbbccdd"], ["abd", "aabcccd"]),
    ("a{,}", ["", "aaa"], ["b"]),
    ("a{}b{x}c{1,2d", ["a{}b{x}c{1,2d"], ["a"]),
    ("{a", ["{a"], ["a"]),
    ("a*?b+?c??d{1,2}?", ["bd", "aabbcdd"], ["d"]),
    ("(a)(?:b)(?P<n>c)", ["abc"], ["ab"]),
    ("(?i)straße", ["STRAßE", "straẞe"], ["strasse"]),
    ("(?i)k", ["k", "K", "\u212a"], ["c"]),
    ("(?ai)k", ["k", "K"], ["\u212a"]),
    ("a(?i:b)c", ["abc", "aBc"], ["abC"]),
    ("(?i)a(?-i:b)", ["Ab"], ["AB"]),
    ("(?i)[^k]", ["c"], ["k", "K", "\u212a"]),
    ("(?x) a b # comment \\\n still\n c\\ d [ ]", ["abc d "], ["a b"]),
    ("(?x)ab *", ["a", "abb"], ["abab"]),
    ("ab(?#comment)*", ["a", "abb"], ["abab"]),
    ("(?x: a )b (?-x: )", ["ab  "], ["ab "]),
    ("^a$", ["a"], ["a\n", "ba"]),
    ("a$\n", ["a\n"], ["a"]),
    ("(?m)a$\nb", ["a\nb"], ["a\n"]),
    ("(?m)^a\n^b", ["a\nb"], ["ab"]),
    ("a^b|c$d", [], ["ab", "cd", ""]),
    (r"\Aa\Z", ["a"], ["a\n"]),
    (r"a\bb", [], ["ab"]),
    (r"a\b b", ["a b"], ["ab"]),
    (r"a\Bb", ["ab"], ["a b"]),
    (r"\b", [], ["", "a"]),
    ("(^a)*b", ["b", "ab"], ["aab"]),
    ("(a$|b)+", ["b", "ba", "a"], ["ab", ""]),
    (r"(?:\b\w+\b\W*)+", ["a b", "ab, c"], ["", " a"]),
    ("(?=ab)a.", ["ab"], ["ac"]),
    ("(?!ab)a.", ["ac"], ["ab"]),
    (".(?<=a)b", ["ab"], ["bb"]),
    (".(?<!a)b", ["bb"], ["ab"]),
    ("a(?=b|$)b?", ["a", "ab"], ["ac"]),
    ("(?=.*x)(?=.*y).{3}", ["axy", "yax"], ["axa", "xy"]),
    ("((?!ab).)*", ["", "ba", "aa"], ["ab", "bab"]),
    ("(?:(?!ab).)*b", ["b", "bb"], ["abb", "ab", "aab"]),
    ("(?:(?=a.b)..b|c)+", ["aab", "caxbc"], ["xab"]),
    ("x(?=y(?<=xy))y", ["xy"], ["xx"]),
    ("(?=^a)a", ["a"], ["b"]),
    ("(?!^)a|b", ["b"], ["a"]),
    (".(?=b(?!c))..", ["abd"], ["abc"]),
    ("..(?=b.)(?<=ab|cd)b.", ["abba", "cdbb"], ["aabb"]),
    (".(?=.*b).(?<=ab|aa).*", ["aab", "abb"], ["aaa", "cab"]),
    ("(?>ab|cd)e", ["abe", "cde"], ["ae"]),
    ("a++b|a?+c|a{1,2}+d", ["aab", "c", "ac", "aad"], ["b", "aac", "aaad"]),
    ("a*+a", [], ["a", "aa"]),
    ("(?:ab)*+a", ["a", "aba"], ["ab"]),
    ("[^\x00-\U0010ffff]", [], ["a", ""]),
    ("\ud800|a", ["a"], [""]),
]


@pytest.mark.parametrize(("pattern", "accepted", "refused"), CASES, ids=[case[0] for case in CASES])
def test_table(pattern: str, accepted: list[str], refused: list[str]) -> None:
    whole, anywhere = parse(pattern), parse(pattern, search=True)
    for text in accepted + refused:
        assert (_compiled(pattern).fullmatch(text) is not None) == (text in accepted), (
            text
        )  # the table is right
        assert matches(whole, text) == (text in accepted), text
        for around in (text, f"a{text}", f"{text}\n", f"-{text} b"):
            assert matches(anywhere, around) == (_compiled(pattern).search(around) is not None), around


def _compiled(pattern: str) -> re.Pattern[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # nested sets, which `re` may have one day
        return re.compile(pattern)


def test_flags_as_an_argument() -> None:
    assert matches(parse("a.b # c", flags="isx"), "A\nB")
    assert not matches(parse(r"\d", flags="a"), "٣")
    assert matches(parse("^b", flags="m", search=True), "a\nb")
    with pytest.raises(OptionError, match="aimsux"):
        parse("a", flags="q")
    with pytest.raises(OptionError, match="dialect"):
        parse("a", "perl")  # type: ignore[arg-type]


def test_properties_are_an_extension() -> None:
    assert matches(parse(r"\p{Lu}\P{Lu}[\p{greek}\d]{2}\p{^L}\p{script = latin}"), "Aaα1-z")
    assert matches(parse(r"(?i)\p{Lu}"), "a")


PATTERN_FLAGS = ["", "(?i)", "(?a)", "(?ai)"]
CLASSES = [
    *(r"\d", r"\D", r"\w", r"\W", r"\s", r"\S", "."),
    *("k", "i", "ß", "ſ", "µ", "İ", "ı", "Σ", "ς", "ΐ", "ﬆ", "ẞ", "Ω", "Ⓐ", "𐐀", "𐐨", "Ǆ"),
    *("[k]", "[^k]", "[kx]", "[a-z]", "[^a-z]", "[à-þ]", "[\u0370-\u03ff]", r"[\w]", r"[^\w-]", r"[\W\d]"),
    *("[𐐀x]", "[𐐨x]", "[𐐀-𐐃]", "[𐐨-𐐫]", "[^𐐀-𐐃]", "[z-𐐃]", "[A-𐐃]", "[\u1e00-\u1eff\u2126\u212a]"),
    *("[K-K]", "[ıi]", "[\u01c4-\u01cc]", "[\u13a0-\u13f5]", "[\uab70-\uabbf]", "[ﬅ]"),
]


@pytest.mark.parametrize("flags", PATTERN_FLAGS)
def test_one_character_over_all_code_points(flags: str) -> None:
    for pattern in CLASSES:
        runs = re.finditer(f"{flags}(?:{pattern})+", EVERY_CHARACTER)
        wanted = CharSet.of((run.start(), run.end() - 1) for run in runs)
        node = parse(flags + pattern)
        assert isinstance(node, Chars | Literal)
        found = CharSet.chars(node.text) if isinstance(node, Literal) else node.charset
        assert found == wanted, (flags + pattern, (found - wanted).ranges[:5], (wanted - found).ranges[:5])


# pattern, position of the error, part of the message: those of `re`
INVALID: list[tuple[str, int, str]] = [
    ("a(b", 1, "missing ), unterminated subpattern"),
    ("a)b", 1, "unbalanced parenthesis"),
    ("ab[cd", 2, "unterminated character set"),
    ("[]", 0, "unterminated character set"),
    ("a[b-a]", 2, "bad character range b-a"),
    (r"[a-\d]", 1, r"bad character range a-\d"),
    ("*a", 0, "nothing to repeat"),
    ("a|+", 2, "nothing to repeat"),
    ("^*", 1, "nothing to repeat"),
    ("a(?:*)", 4, "nothing to repeat"),
    ("(?i){2}", 4, "nothing to repeat"),
    ("a**", 2, "multiple repeat"),
    ("a{2}{3}", 4, "multiple repeat"),
    ("a{2,1}", 2, "min repeat greater than max repeat"),
    ("a{4294967295}", 2, "the repetition number is too large"),
    ("ab\\", 2, "bad escape (end of pattern)"),
    ("(?x)a#\\", 6, "bad escape (end of pattern)"),
    (r"a\q", 1, r"bad escape \q"),
    (r"a\c", 1, r"bad escape \c"),
    (r"[\B]", 1, r"bad escape \B"),
    (r"\x4", 0, r"incomplete escape \x4"),
    (r"a\u00e", 1, r"incomplete escape \u00e"),
    (r"\U00110000", 0, r"bad escape \U00110000"),
    (r"\400", 0, r"octal escape value \400 outside of range 0-0o377"),
    (r"[\9]", 1, r"bad escape \9"),
    (r"\N", 2, "missing {"),
    (r"\N{no such}", 0, "undefined character name 'no such'"),
    (r"\N{DIGIT", 3, "missing }, unterminated name"),
    (r"a\1", 2, "invalid group reference 1"),
    (r"(a\1)", 2, "cannot refer to an open group"),
    ("(?P<n>a)(?P<n>b)", 12, "redefinition of group name 'n' as group 2; was group 1"),
    ("(?P<1>a)", 4, "bad character in group name '1'"),
    ("(?P<>a)", 4, "missing group name"),
    ("(?P<n", 4, "missing >, unterminated name"),
    ("(?P=n)", 4, "unknown group name 'n'"),
    ("(?Px)", 1, "unknown extension ?Px"),
    ("(?<n>a)", 1, "unknown extension ?<n"),
    ("(?~a)", 1, "unknown extension ?~"),
    ("(?#a", 0, "missing ), unterminated comment"),
    ("(?", 2, "unexpected end of pattern"),
    ("a(?i)b", 1, "global flags not at the start of the expression"),
    ("(?q)a", 1, "unknown extension ?q"),
    ("(?iq)a", 3, "unknown flag"),
    ("(?i", 3, "missing -, : or )"),
    ("(?i-)a", 4, "missing flag"),
    ("(?-i)a", 4, "missing :"),
    ("(?i-i:a)", 5, "bad inline flags: flag turned on and off"),
    ("(?-a:a)", 4, "bad inline flags: cannot turn off flags 'a', 'u' and 'L'"),
    ("(?au:a)", 4, "bad inline flags: flags 'a', 'u' and 'L' are incompatible"),
    ("(?L)a", 3, "bad inline flags: cannot use 'L' flag with a str pattern"),
    ("(?a)(?u)b", 0, "ASCII and UNICODE flags are incompatible"),
    ("x(?<=a|bc)", 1, "look-behind requires fixed-width pattern"),
    ("(?<!a*)", 0, "look-behind requires fixed-width pattern"),
    (r"(a)(?(2)b|c)", 6, "invalid group reference 2"),
    (r"(a)(?(0)b)", 6, "bad group number"),
    (r"(a)(?(1)b|c|d)", 11, "conditional backref with more than two branches"),
]


@pytest.mark.parametrize(("pattern", "offset", "reason"), INVALID, ids=[case[0] for case in INVALID])
def test_what_re_refuses_is_refused_with_its_message(pattern: str, offset: int, reason: str) -> None:
    with pytest.raises((re.error, OverflowError, ValueError)) as theirs:
        re.compile(pattern)
    with pytest.raises(InvalidRegexError) as ours:
        parse(pattern)
    assert ours.value.reason == reason
    assert ours.value.position is not None and ours.value.position.offset == offset
    if isinstance(theirs.value, re.error) and sys.version_info < (3, 12):  # later ones may word it otherwise
        assert theirs.value.msg == reason
        assert theirs.value.pos in (None, offset)
    assert f"column {offset + 1}" in str(ours.value)


UNSUPPORTED: list[tuple[str, int, str]] = [
    (r"(a|b)\1", 5, "back-reference"),
    ("(?P<n>a)x(?P=n)", 9, "back-reference"),
    ("(a)?(?(1)b|c)", 4, "conditional"),
    ("x(?>a|ab)", 1, "atomic group"),
    ("(?:a|ab)*+b", 8, "possessive"),
    ("a[[:alpha:]]", 2, "POSIX class"),
    (r"\p{Changes_When_NFKC_Casefolded}", 0, "no data"),
    (r"x(?:(?<=ab)a(?=b.)|b)*", 1, "both of its sides"),
    ("(" * 101 + ")" * 101, 100, "nested deeper than 100"),
]


@pytest.mark.parametrize(
    ("pattern", "offset", "reason"), UNSUPPORTED, ids=[case[0][:40] for case in UNSUPPORTED]
)
def test_what_is_not_supported_says_where(pattern: str, offset: int, reason: str) -> None:
    with pytest.raises(UnsupportedRegexError, match=reason) as error:
        parse(pattern, search=True)
    assert error.value.position is not None and error.value.position.offset == offset


def test_invalid_comes_before_unsupported() -> None:
    with pytest.raises(InvalidRegexError, match="missing"):
        parse(r"(a)\1(b")


def test_unknown_property() -> None:
    with pytest.raises(InvalidRegexError, match="unknown Unicode property 'Foo'") as error:
        parse(r"ab\p{Foo}")
    assert error.value.position is not None and error.value.position.offset == 2


PIECES = st.sampled_from(
    [
        *"ab()[]{}|*+?^$.\\-,:=!<>#Pismxau012 \né",
        *("(?", "(?:", "(?P<n>", "(?<=", "(?<!", "(?=", "(?i)", "(?i:", "(?-i:", "(?x)", "(?#", "(?(1)"),
        *("(?>", "[^", "[]", "[a-", "{1,2}", "{,3}", "{2}", r"\1", r"\x4", r"\d", r"\08", r"\123"),
        *(r"\400", r"\Z", r"\b", r"\N{DIGIT ONE}"),
    ]
)


@given(st.lists(PIECES, max_size=9).map("".join))
@settings(max_examples=1500, suppress_health_check=list(HealthCheck))
def test_syntax_is_that_of_re(pattern: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            re.compile(pattern)
            valid = True
        except (re.error, OverflowError, ValueError):
            valid = False
    try:
        parse(pattern)
        taken = True
    except UnsupportedRegexError:
        taken = valid  # not to be told here; but what is invalid must be called so
    except InvalidRegexError:
        taken = False
    assert taken == valid


def patterns() -> st.SearchStrategy[str]:
    atoms = st.sampled_from(["a", "b", "ab", "-", r"\n", "[ab]", "[^a]", ".", r"\w", r"\W", "(?:)", "[a-]"])
    anchors = st.sampled_from(["^", "$", r"\b", r"\B", r"\A", r"\Z"])
    quantifiers = st.sampled_from(["*", "+", "?", "{2}", "{1,2}", "{0,3}", "*?", "{2,}"])
    behind = st.sampled_from(["a", "ab", "b[ab]", "(?:ab|bb)", "^a", "(?!ab)a", r"\b."])
    return st.recursive(
        st.one_of(atoms, anchors),
        lambda inner: st.one_of(
            st.lists(inner, min_size=2, max_size=3).map("".join),
            st.lists(inner, min_size=2, max_size=3).map(lambda options: f"(?:{'|'.join(options)})"),
            st.tuples(inner, quantifiers).map(lambda made: f"(?:{made[0]}){made[1]}"),
            st.tuples(st.sampled_from(["(?=", "(?!", "(?m:", "(?s:", "("]), inner).map(
                lambda m: f"{m[0]}{m[1]})"
            ),
            st.tuples(st.sampled_from(["(?<=", "(?<!"]), behind).map(lambda made: f"{made[0]}{made[1]})"),
        ),
        max_leaves=7,
    )


TEXTS = st.lists(st.text("aab- \n", max_size=7), min_size=5, max_size=25)


@given(patterns(), TEXTS)
@settings(max_examples=800, suppress_health_check=list(HealthCheck))
def test_random_patterns_match_what_re_matches(pattern: str, texts: list[str]) -> None:
    compiled = re.compile("(?a)" + pattern)
    try:
        whole = parse("(?a)" + pattern)
        anywhere = parse("(?a)" + pattern, search=True)
    except UnsupportedRegexError as error:
        assume("repeat" in error.reason)  # a lookaround in some repeats; nothing else may be refused
        return
    for text in ["", *texts]:
        assert matches(whole, text) == (compiled.fullmatch(text) is not None), text
        assert matches(anywhere, text) == (compiled.search(text) is not None), text
