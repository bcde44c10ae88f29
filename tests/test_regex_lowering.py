"""How assertions become plain syntax: exactly, and at no cost where there is nothing to it."""

from __future__ import annotations

import random
import re
import string
import time
from itertools import product

import interegular
import pytest
from naive_regex import matches

from structgen.automata.build import compile_regex
from structgen.errors import UnsupportedRegexError
from structgen.regex import parse, parser
from structgen.regex.syntax import (
    ANYTHING,
    EPSILON,
    NOTHING,
    Complement,
    Concat,
    Intersection,
    Literal,
    Regex,
    Repeat,
    Union,
)


def nodes_of(node: Regex) -> list[Regex]:
    match node:
        case Concat(parts):
            below = parts
        case Union(options):
            below = options
        case Repeat(item, _, _) | Complement(item):
            below = (item,)
        case Intersection(left, right):
            below = (left, right)
        case _:
            below = ()
    return [node, *(inner for one in below for inner in nodes_of(one))]


PLAIN_RESULTS: list[tuple[str, Regex]] = [
    ("^abc$", Literal("abc")),
    ("abc", Concat((ANYTHING, Literal("abc"), ANYTHING))),
    ("^abc", Concat((Literal("abc"), ANYTHING))),
    ("abc$", Concat((ANYTHING, Literal("abc")))),
    ("^$", EPSILON),
    ("^(ab|cd)$", Union((Literal("ab"), Literal("cd")))),
    ("(^ab$)|(^cd$)", Union((Literal("ab"), Literal("cd")))),
    ("^(ab$|cd$)", Union((Literal("ab"), Literal("cd")))),
    ("^ab|cd$", Union((Concat((Literal("ab"), ANYTHING)), Concat((ANYTHING, Literal("cd")))))),
    ("^(?:ab)+$", Repeat(Literal("ab"), 1, None)),
    ("^(?:ab){3,1000}$", Repeat(Literal("ab"), 3, 1000)),
    ("^(^(ab)$)$", Literal("ab")),
    ("^a^b$", NOTHING),
    ("$a|b^", NOTHING),
    ("(?!)", NOTHING),
    ("^(?=ab)ab$", Literal("ab")),
    (r"\ba\Bb\b$", Literal("ab")),
]


@pytest.mark.parametrize(("pattern", "expected"), PLAIN_RESULTS, ids=[case[0] for case in PLAIN_RESULTS])
def test_common_anchors_cost_nothing(pattern: str, expected: Regex) -> None:
    found = parse(pattern, "ecma", search=True)
    assert not any(isinstance(node, Intersection | Complement) for node in nodes_of(found))
    texts = ["", "a", "b", "ab", "abab", "ababab", "cd", "abc", "xab", "abx", "cdx", "xcd", "xabcx", "ab cd"]
    assert [matches(found, text) for text in texts] == [matches(expected, text) for text in texts]
    if pattern not in (r"\ba\Bb\b$", "^(?=ab)ab$", "$a|b^", "^(ab$|cd$)"):
        assert found == expected


def test_python_dollar_in_a_search() -> None:
    found = parse("^ab$", search=True)
    assert found == Concat((Literal("ab"), Repeat(Literal("\n"), 0, 1)))
    assert parse("^ab$") == Literal("ab")


def test_trees_are_linear_and_repeats_stay() -> None:
    short, long = (nodes_of(parse(f"^({'[a-z]{{1,63}}x?' * n})$")) for n in (10, 100))
    assert len(long) < 11 * len(short)
    (repeat,) = [node for node in nodes_of(parse("[a-z]{2,100000}")) if isinstance(node, Repeat)]
    assert (repeat.minimum, repeat.maximum) == (2, 100_000)
    assert len(nodes_of(parse("a" * 100_000))) == 1


def all_texts(alphabet: str, longest: int) -> list[str]:
    return ["".join(chars) for n in range(longest + 1) for chars in product(alphabet, repeat=n)]


# each against `re` on every text of a small alphabet, whole and anywhere
HARD = [
    r"(?:(?!ab)[ab])*b",
    r"(?:(?!ab)[ab]){1,3}b?$",
    r"(?:(?!ab|ba).)*(?:a|bb)$",
    r"(?:a(?=b)|b(?!b))+",
    r"(?:a(?=.b)|b)*",
    r"(?:\w(?<!aa)(?<!bb))+",
    r"(?:\w(?<!ab)|-)*a",
    r"(?:\ba|\bb|-\b)+",
    r"(?:\w+\b-?)*a",
    r"(?:(^a|b$)|-)+",
    r"(?:^a|b$|-)+",
    r"(?:^a|\bb(?=-a)|-\b|a)+",
    r"(?:a\b|(?<=b-)b|(?<!a)-|^ab)+",
    r"(?:^a|-)+b",
    r"(?:^|a)(?:b|$)",
    r"(?:^a?){2,3}b",
    r"(?:\b|a){2}-",
    r"(?:\b|a){2,}-",
    r"(?:(?=a)|b){3}a",
    r"(?:a$|b){2,3}",
    r"(?:a\b|ab){2,3}",
    r"(?:a\b|b){2,}-",
    r"a(?=b.*-)b(?<=ab).*",
    r"(?<=a)(?=b)(?<!bba)(?!ba)",
    r".(?=.-).(?<=a.)[b-]",
    r".?(?=a?-).?(?<=^a)-",
    r"(?=(?:a|b)*(?<=b)-)\w+",
    r"(?!(?:a|b)*(?<=b)-)\w+-",
    r"(?<=(?=ab)..)-",
    r"(?<!(?!ab)..)-",
    r"(?!(?<!a)b|-$)[b-]",
    r"(?=a(?!b(?=-)))a",
    r"(?:(?=(?:ab)+)a|b(?=a|$))*",
    r"(?<=\b)a(?=\b)",
    r"(?!\b)a|(?=\B)b",
    r"\B-\B|\B",
    r"(?m:^a$)|(?m:$\n^b)",
    r"(?s:.)*?(?=-)",
    r"(?:(?:(?!-)\w)*-)+$",
    r"^(?!.*--)(?:a|b|-)*(?<!-)$",
    r"(?!a*b-)(?:ab?|-)+",
    r"(?:a++|b)*-",
    r"(?:ab|-b)*+(?:ab?)",
    r"(?>a?)a|(?>b-)",
]


@pytest.mark.parametrize("pattern", HARD)
def test_assertions_in_every_place(pattern: str) -> None:
    compiled = re.compile(pattern)
    whole, anywhere = parse(f"(?a){pattern}"), parse(f"(?a){pattern}", search=True)
    for text in all_texts("ab-", 5) + all_texts("a\n-", 3):
        assert matches(whole, text) == (compiled.fullmatch(text) is not None), text
        assert matches(anywhere, text) == (compiled.search(text) is not None), text


INTEREGULAR = [
    "abc|a[^b]c|[a-c]{2,3}",
    "(?:a|bc)*(?=c)c",
    "a(?!b)[a-c]+",
    "(?=[ab]+c)[a-c]*",
    "(?=a.*c)(?!.*bb)[abc]+",
    "a(?=bc)[abc]{2}",
    "(?:a(?!b)[ac]|b)*",
    "(?i:aB)c?",
    r"\d{2}-\w+\s?",
]


@pytest.mark.parametrize("pattern", INTEREGULAR)
def test_the_languages_are_those_of_interegular(pattern: str) -> None:
    oracle = interegular.parse_pattern(pattern).to_fsm()
    node = parse(pattern, flags="a")
    automaton = compile_regex(node)
    generator = random.Random(0)
    texts = all_texts("abc", 4)
    texts += ["".join(generator.choices("aAbBcCx01-_ \t", k=generator.randint(1, 6))) for _ in range(300)]
    for text in texts:
        assert matches(node, text) == oracle.accepts(text) == automaton.accepts(text.encode()), text


def test_byte_automata_agree() -> None:
    generator = random.Random(1)
    for pattern in (r"\bfoo\b", "^(?!foo)[fo]+(?<!oo)$", "((?!fo).)*o", r"(?i)[^f]\Wö", "(?s)f.o|$"):
        automaton = compile_regex(parse(pattern, search=True))
        for _ in range(300):
            text = "".join(generator.choices("fo öÖ\n", k=generator.randint(0, 6)))
            assert automaton.accepts(text.encode()) == (re.search(pattern, text) is not None), (pattern, text)


TOO_COMPLEX = [
    (r"x(?:(?<=ab)a(?=b.)|b)*", 1),
    (r"x(?:a{1,2}\b|b{1,2}\B){1,9}", 1),
]


@pytest.mark.parametrize(("pattern", "offset"), TOO_COMPLEX)
def test_what_would_be_too_large_says_where(pattern: str, offset: int) -> None:
    with pytest.raises(UnsupportedRegexError, match="assertion") as error:
        parse(pattern, search=True)
    assert error.value.position is not None and error.value.position.offset == offset


def test_hostile_patterns_are_quick() -> None:
    patterns = [
        "(^|a)" * 50,
        r"(\b|a?)*" * 20,
        r"(\b\w*)" * 20,
        "(?!a*b)" * 200 + "b",
        "(?:" * 99 + "^a" + ")*" * 99,
        "|".join(f"^w{i}$" for i in range(2000)),
        f"^({'|'.join(f'w{i}$' for i in range(2000))})",
        "".join(f"(?=.*{c})" for c in string.ascii_letters) + ".{8,}",
        "".join(f"(?:(?=.*{c})x|y)" for c in string.ascii_letters),
    ]
    begin = time.perf_counter()
    for pattern in patterns:
        try:
            parse(pattern, "ecma", search=True)
        except UnsupportedRegexError as error:
            assert "assertions that hold in more than" in error.reason
    assert time.perf_counter() - begin < 20


def test_parsing_takes_microseconds() -> None:
    """Some 25 us each on the machine of the design document; a loose bound, for a busy one."""
    best = float("inf")
    for _ in range(20):
        parser._parse.cache_clear()
        begin = time.perf_counter()
        for pattern in (r"^[a-z]+(foo|bar)\d{3}[A-Z]?$", r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}$"):
            parse(pattern, "ecma", search=True)
            parse(pattern, search=True)
        best = min(best, (time.perf_counter() - begin) / 4)
    assert best < 1e-3


@pytest.mark.parametrize(
    "pattern",
    ["(?:a|bc){4,6}x?", "(?:ab?|cx){5,}", "(?:(?:a|bc){4}x){4,5}", "(?:a{0,5}x){6}", "(?:[^a]{0,4}a){0,9}"],
)
def test_many_copies_of_one_item(pattern: str) -> None:
    generator = random.Random(2)
    automaton = compile_regex(parse(pattern))
    pieces = ("a", "b", "bc", "x", "ax", "aaaax", "abcaax", "é")
    texts = {"".join(generator.choices(pieces, k=generator.randint(0, 9))) for _ in range(3000)}
    texts |= {piece * n for piece in pieces for n in range(12)}
    accepted = {text for text in texts if re.fullmatch(pattern, text)}
    assert accepted
    assert {text for text in texts if automaton.accepts(text.encode())} == accepted
