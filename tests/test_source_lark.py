"""The Lark front end: judged by Lark itself, by tables of texts, and by tables of errors."""

from __future__ import annotations

import itertools
import random
import re
import time
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from lark import Lark
from lark.exceptions import LarkError, UnexpectedInput
from naive_cfg import accepts, matches

from structgen.errors import (
    InvalidGrammarError,
    InvalidRegexError,
    OptionError,
    StructgenError,
    UnsupportedGrammarError,
    UnsupportedRegexError,
)
from structgen.grammar import Choice, Repetition, RuleRef, Sequence, Terminal
from structgen.regex import parse
from structgen.regex.syntax import Literal
from structgen.sources.lark import lark_grammar
from structgen.sources.lark_patterns import _cased_text, read_pattern, width
from structgen.sources.lark_preference import longest_first, preferred_texts

FUZZ = settings(
    max_examples=120, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.filter_too_much]
)

# name -> (grammar, fragments that texts are made of, some texts to begin with)
CROSS_CHECKED = {
    "json": (
        r"""
        ?start: value
        ?value: object | array | string | SIGNED_NUMBER -> number | "true" -> true | "false" | "null"
        array  : "[" [value ("," value)*] "]"
        object : "{" [pair ("," pair)*] "}"
        pair   : string ":" value
        string : ESCAPED_STRING
        %import common.ESCAPED_STRING
        %import common.SIGNED_NUMBER
        %import common.WS
        %ignore WS
        """,
        [*"{}[],:.-1", '"a"', '"', "\\", '"\\""', "1.5", "e3", "true", " ", "\n"],
        ['{"a": [1, -2.5e3, "\\"x"]}', "[true,false,\tnull]", '"a" "b"', "{}", "[ ]", "1 2", "--1", '"\\\\"'],
    ),
    "arithmetic": (
        r"""
        start: sum
        ?sum: product | sum "+" product | sum "-" product
        ?product: atom | product "*" atom | product "/" atom
        ?atom: NUMBER | "-" atom | NAME | "(" sum ")"
        %import common.CNAME -> NAME
        %import common.NUMBER
        %import common.WS_INLINE
        %ignore WS_INLINE
        """,
        ["1", "23", "4.", ".5", "6e7", "x", "e", "_y2", "+", "-", "*", "/", "(", ")", " ", "\t"],
        ["1+2*x", "(1 + -2)/_y2", "1 2", "x1", "1x", "3e", "((1))", "1e5", "-", "1.5.5"],
    ),
    "ignores": (
        r"""
        start: stmt*
        stmt: NAME "=" INT ";"
        %import common (CNAME, INT, WS, C_COMMENT, CPP_COMMENT, NEWLINE)
        NAME: CNAME
        %ignore WS
        %ignore C_COMMENT
        %ignore CPP_COMMENT
        """,
        ["a", "=", "1", ";", " ", "\n", "/*", "*/", "//", "*", "/", "b2"],
        ["a=1;", "/* x */a = 1;// y", "a/**/=/* * */1;", "a=1;/* a */ b */", "/**/", "", " ", "a=/*1;"],
    ),
    "templates": (
        r"""
        start: list{pair{KEY, value}} | wrap{list, "x"}
        list{item}: "[" (item ("," item)*)? "]"
        pair{key, val}: key ":" val
        wrap{f, x}: "w" f{x} f{opt{x}}
        opt{x}: x?
        value: DIGIT | list{value} | list{"n"i}
        KEY: LETTER+
        %import common (DIGIT, LETTER)
        """,
        ["[", "]", ",", ":", "a", "n", "N", "1", "w", "x"],
        ["[a:1]", "[ab:[1,2],c:[n,N]]", "w[x,x][x,,]", "w[x][]", "[]", "[a:]", "w[x]", "[a:[[n],1]]"],
    ),
    "case and flags": (
        r"""
        start: ("select"i | FROM | "Where") WORD (DOTS | /x y # comment
            z/x)?
        FROM: "from"i
        WORD: /[a-c]+/i
        DOTS: /.\n./s
        """,
        ["select", "SELECT", "Sel", "ect", "from", "FroM", "Where", "where", "a", "B", "c", "xyz", "\n", "."],
        ["selectabc", "SELECTaBC", "fromA", "Wherea", "wherea", "fromaxyz", "froma.\n.", "ſelecta", "fromK"],
    ),
    "priorities": (
        r"""
        start: (a | b)+
        a.2: A "!"? | KEYWORD
        b.-1: B+
        A.5: /a+/
        B: /[ab]+/
        KEYWORD.10: "ab"
        """,
        ["a", "b", "ab", "!", "c"],
        ["aab!", "ab", "a!a!", "!", "ba!", "bab!a"],
    ),
    "repetitions": (
        r"""
        start: "a"~2 B~1..3 ("c" "d")~0..1 _e~0 [("f"|"g")+ | "h"*]
        B: "b"~2..3
        _e: "e"
        """,
        ["a", "b", "bb", "bbb", "cd", "c", "e", "f", "g", "h"],
        ["aabb", "aabbbbcdfg", "aabbhhh", "aab", "aabbfh", "aabbe", "aa" + "b" * 9, "aa" + "b" * 10],
    ),
    "terminals put together": (
        r"""
        start: (HEX | RANGE | MIX | LAZY | OPT)+
        HEX: "0x" HEXDIGIT+
        RANGE: "a".."c" "-" "0".."2"
        MIX: /p|q/ "r"
        LAZY: "<" /.*?/ ">" ("!" | "?")?
        OPT: ["+"|"-"] DIGIT ~ 2 (_TAIL)?
        _TAIL: "e" | "E"
        %import common.HEXDIGIT
        %import common.DIGIT
        """,
        ["0x", "F", "g", "a-0", "c-2", "d", "p", "q", "qr", "pr", *"<>!?x+", "12", "3", "e"],
        ["0xFF", "a-0", "p", "pr", "qr", "<>", "<x>!", "<x>y>", "<<>>", "+12e", "1", "12E-34", "q"],
    ),
    "ambiguous": (
        r"""
        start: s
        s: s s | "a" | "b" s? |
        """,
        ["a", "b", "c"],
        ["", "a", "ab", "ba", "abab", "c"],
    ),
    "preferred matches": (
        r"""
        start: (ONE | TWO | THREE)+ "."
        ONE: /a|ab/
        TWO: /x??y?/ "z"
        THREE: /(c|cd)(d|e)?/
        """,
        ["a", "b", "x", "y", "z", "c", "d", "e", "."],
        ["a.", "ab.", "xyz.", "z.", "cd.", "cde.", "ce.", "cdd.", "axyzc."],
    ),
    "lark's own regexes": (
        r"""
        start: (REGEXP | STRING)+
        STRING: /"(\\"|\\\\|[^"\n])*?"i?/
        REGEXP: /\/(?!\/)(\\\/|\\\\|[^\/])*?\/[imslux]*/
        """,
        ["/", '"', "\\", "a", "i", "x", "\n", "//"],
        ["/a/", "/a/ix", '"a"i', '"a""b"', '"\\""', "/\\//", "//", '"a\\"', "/a/i/a/", '"\n"', "/\n/"],
    ),
    "unicode": (
        r"""
        start: WORD (SPACE WORD)*
        WORD: /[^\W\d_]+/
        SPACE: /[\s\u3000]/ | "\u00a0"
        """,
        ["é", "日", "ß", "1", "_", " ", "\u3000", "\xa0", "\x1c", "x"],
        ["é 日", "a\u3000b", "1", "a\xa0b", "ſß", "a_b"],
    ),
    "inlining and aliases": (
        r"""
        start: _list ";" -> done
             | x y?      -> other
        _list: item | _list "," item
        ?item: "i" | "(" _list ")"
        !x: "x"
        ?y: "y" "z" |
        """,
        ["i", ",", "(", ")", ";", "x", "y", "z"],
        ["i;", "i,i;", "(i,(i));", "x", "xyz", "i,;", "xy", ";"],
    ),
}  # fmt: skip


@cache
def _both(name):
    grammar = CROSS_CHECKED[name][0]
    reference = Lark(grammar, parser="earley", lexer="dynamic_complete", ambiguity="forest")
    return lark_grammar(grammar), reference


def _lark_accepts(reference, text):
    try:
        reference.parse(text)
    except UnexpectedInput:
        return False
    return True


@pytest.mark.parametrize("name", CROSS_CHECKED)
def test_agrees_with_lark_on_chosen_texts(name):
    ours, reference = _both(name)
    texts = CROSS_CHECKED[name][2]
    verdicts = {text: _lark_accepts(reference, text) for text in texts}
    assert {text: accepts(ours, text) for text in texts} == verdicts
    assert set(verdicts.values()) == {True, False}


@FUZZ
@given(st.data())
@pytest.mark.parametrize("name", CROSS_CHECKED)
def test_agrees_with_lark_on_made_texts(name, data):
    ours, reference = _both(name)
    _, fragments, seeds = CROSS_CHECKED[name]
    if data.draw(st.booleans()):
        text = "".join(data.draw(st.lists(st.sampled_from(fragments), max_size=8)))
    else:  # a text that may well be right, with one piece exchanged
        text = data.draw(st.sampled_from(seeds))
        i = data.draw(st.integers(0, len(text)))
        j = data.draw(st.integers(i, min(i + 2, len(text))))
        text = text[:i] + data.draw(st.sampled_from(["", *fragments])) + text[j:]
    assert accepts(ours, text) == _lark_accepts(reference, text), text


def _random_grammar(rng):
    """A small grammar with every construct of rules and terminals, and lazy and ordered regexes."""

    def regex(depth):
        if depth == 0 or rng.random() < 0.35:
            return rng.choice(["a", "b", ".", "[ab]", "[^a]"])
        first, second = regex(depth - 1), regex(depth - 1)
        quantifier = rng.choice(["*", "+", "?", "*?", "+?", "??", "{1,2}"])
        return rng.choice([first + second, f"(?:{first}|{second})", f"(?:{first}){quantifier}"])

    def literal():
        return rng.choice(
            ['"a"', '"b"', '"ab"', '"A"i', '"c"', '"a".."b"', f"/{regex(2)}/", f"/{regex(1)}/i"]
        )

    def terminal(depth, names):
        if depth == 0 or rng.random() < 0.4:
            return rng.choice([literal(), *names])
        first, second = terminal(depth - 1, names), terminal(depth - 1, names)
        operator = rng.choice(["?", "+", "*", "~2", "~1..2"])
        return rng.choice([f"{first} {second}", f"({first} | {second})", f"({first}){operator}"])

    def rule(depth):
        if depth == 0 or rng.random() < 0.3:
            return rng.choice(["x", "y", "A", "B", "C", literal(), f"t{{{rng.choice('xyABC')}}}"])
        first, second = rule(depth - 1), rng.choice(["", rule(depth - 1)])
        operator = rng.choice(["?", "+", "*", "~2", "~0..2"])
        return rng.choice(
            [f"{first} {second}", f"({first} | {second})", f"({first}){operator}", f"[{first}]"]
        )

    lines = [f"{name}: {rule(3)}" for name in ("start", "x", "y")]
    lines.append("t{p}: p " + rng.choice(["| p t{p}", '"c"?', "[p]"]))
    names = []
    for name in "ABC":
        lines.append(f"{name}{rng.choice(['', '.2'])}: {terminal(2, names)}")
        names.append(name)
    return "\n".join(lines)


_RANDOM_TEXTS = [
    "".join(chars) for alphabet, size in (("ab", 6), ("aAbc", 4)) for n in range(size)
    for chars in itertools.product(alphabet, repeat=n)
]  # fmt: skip


def test_agrees_with_lark_on_random_grammars():
    compared = 0
    for seed in range(60):
        text = _random_grammar(random.Random(seed))
        try:
            reference = Lark(text, parser="earley", lexer="dynamic_complete", ambiguity="forest")
        except LarkError:  # zero-width terminals, colliding optionals
            continue
        ours = lark_grammar(text)
        verdicts = {each: _lark_accepts(reference, each) for each in _RANDOM_TEXTS}
        assert {each: accepts(ours, each) for each in _RANDOM_TEXTS} == verdicts, text
        compared += 1
    assert compared > 40


# --- the texts of a terminal are those that `re` takes whole

_ATOMS = st.sampled_from(["a", "b", ".", "[ab]", "[^a]", "(?i:a)", "(?s:.)"])
_COUNTS = st.sampled_from(["*", "+", "?", "{2}", "{1,2}", "{0,2}", "{2,}", "*?", "+?", "??", "{1,2}?"])
_LOOKS = st.sampled_from(["(?=", "(?!", "(?<=", "(?<!"])
_PATTERNS = st.recursive(
    _ATOMS,
    lambda inner: st.one_of(
        st.builds("{}{}".format, inner, inner),
        st.builds("(?:{}|{})".format, inner, st.one_of(inner, st.just(""))),
        st.builds("(?:{}){}".format, inner, _COUNTS),
        st.builds("{}{}{})".format, inner, _LOOKS, _ATOMS),
        st.builds("{}{}{}".format, inner, st.sampled_from([r"\b", r"\B", "(?m:^)", "(?m:$)"]), inner),
    ),
    max_leaves=6,
)
_SHORT_TEXTS = [
    "".join(chars) for alphabet, size in (("ab", 6), ("aA\n ", 4)) for n in range(size)
    for chars in itertools.product(alphabet, repeat=n)
]  # fmt: skip


@settings(max_examples=400, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(_PATTERNS)
@example(r"a.*?b(?<!ab)(?:aa)*?b")
@example(r"(?:(?:(?:a|)(?:b)??){2,}?)*")
@example(r"(?:(?:(?:(?:a|)|[ab]a)|b.[ab].)){0,2}(?:(?:A|(?:[^a]A){0,2}?))?a")
@example(r"a(?:(?!ba)[ab])*?ba")
@example(r"(?:a{2,3})*")
@example(r"(?:a+){2}")
def test_texts_of_a_terminal_are_those_that_re_takes_whole(pattern):
    try:
        node = read_pattern(pattern)
        chosen = preferred_texts(node)
        regex = parse(pattern) if chosen is None else chosen
    except (InvalidRegexError, UnsupportedRegexError):
        assume(False)
    if longest_first(node):
        assert chosen is None
    compiled = re.compile(pattern)
    for text in _SHORT_TEXTS:
        found = compiled.match(text)
        assert matches(regex, text) == (found is not None and found.end() == len(text)), text


@pytest.mark.parametrize(
    ("pattern", "is_longest_first"),
    [
        (r"[a-z]+", True),
        (r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?", True),
        (r'"([^"\\]|\\.)*"', True),
        (r"[a-z]{1,100000}", True),
        (r"(?!\d)\w+(\.\w+)*", True),
        (r"(ab)?(cd)?", True),
        (r"(a|b|)c?", True),
        (r"a*?", False),
        (r"a|ab", False),
        (r"a?ab", False),
        (r"(|a)b?", False),
        (r"(a{2,3})*", False),
        (r"(a+){2}", False),
        (r"(a?)+", False),
    ],
)
def test_the_cheap_test_of_longest_first(pattern, is_longest_first):
    assert longest_first(read_pattern(pattern)) is is_longest_first


LANGUAGES = [
    # (regex, texts, no texts)
    (r'".*?(?<!\\)(\\\\)*?"',
     ['""', '"a"', r'"\""', r'"\\"', r'"\n\\"'], ['"', '"a""', '"a" "b"', '"\n"', r'"\"']),
    (r"/\*(.|\n)*?\*/", ["/**/", "/* * /\n*/", "/***/"], ["/*/", "/**/*/", "/* */ */"]),
    (r"<!--.*?-->", ["<!---->", "<!-- - -- >-->"], ["<!--->", "<!---->-->"]),
    (r"a.*?b.*", ["ab", "abb", "axxbyyb"], ["a", "b"]),
    (r"a??", [""], ["a"]),
    (r"(a|ab)(c|bcd)(d*)", ["ac", "abcd", "abcddd", "acdd"], ["ab", "ad"]),
]  # fmt: skip


@pytest.mark.parametrize(("pattern", "good", "bad"), LANGUAGES)
def test_lazy_quantifiers(pattern, good, bad):
    regex = preferred_texts(read_pattern(pattern)) or parse(pattern)
    assert [text for text in good if not matches(regex, text)] == []
    assert [text for text in bad if matches(regex, text)] == []
    for text in good + bad:
        found = re.match(pattern, text)
        assert matches(regex, text) == (found is not None and found.end() == len(text))


_CASED = ["a", "ß", "ſ", "K", "[ǅ-ǆ]", "[^k]", r"[^\WI]", "µ", r"[\d_ı]", "ΐ", "[Α-Ω]"]


@pytest.mark.parametrize("pattern", _CASED)
def test_ignored_case_is_that_of_re(pattern):
    node = read_pattern(f"(?i:{pattern})")
    every = [chr(c) for c in range(0x11000) if not 0xD800 <= c < 0xE000]
    expected = re.compile(pattern, re.IGNORECASE)
    assert [c for c in every if (ord(c) in node.charset) != bool(expected.fullmatch(c))] == []


def test_no_character_beyond_the_searched_ones_has_case():
    assert not any(chr(c).lower() != chr(c) or chr(c).upper() != chr(c) for c in range(0x20000, 0x110000))
    assert len(_cased_text()) > 2800


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("a", (1, 1)),
        ("", (0, 0)),
        ("a?b{2,3}", (2, 4)),
        ("a|bc*", (1, None)),
        ("(?=a)(a|)", (0, 1)),
        ("(){9}", (0, 0)),
    ],
)
def test_width(pattern, expected):
    low, high = width(read_pattern(f"(?:{pattern})xxx"))
    assert (low - 3, high if high is None else high - 3) == expected


# --- how a grammar is read


def test_structure():
    grammar = lark_grammar('start: "a" b~2..1000 | [C]\nb: C* -> x\nC.3: "c"')
    assert grammar.source_kind == "lark"
    assert grammar.start == "start"
    a, c = Terminal(Literal("a"), '"a"'), Terminal(Literal("c"), "C")
    assert grammar.rules == {
        "start": Choice((Sequence((a, Repetition(RuleRef("b"), 2, 1000))), Repetition(c, 0, 1))),
        "b": Repetition(c, 0, None),
    }
    assert grammar.ignore is None
    places = {name: (p.line, p.column) for name, p in grammar.positions.items()}
    assert places == {"start": (1, 1), "b": (2, 1)}


def test_ignored_terminals():
    grammar = lark_grammar('start: "a"\n%ignore " "\n%ignore /#[^\\n]*/\n%ignore WS\nWS: "\\t"\n%ignore WS')
    assert isinstance(grammar.ignore, Choice)
    assert len(grammar.ignore.options) == 3
    assert not accepts(grammar, " # x \t")
    assert accepts(grammar, " \ta # x")


def test_large_repetitions_stay_small():
    begin = time.perf_counter()
    grammar = lark_grammar('start: (("a" | "b" c~5..100)~1000000 | "d")~3..4000\nc: "c"?')
    assert time.perf_counter() - begin < 1
    assert len(grammar.rules) == 2


def test_only_what_start_reaches_is_read():
    text = 'start: "a"\nother: /(?<=x)y/ B\nB: /(a)\\1/\n%declare C'
    assert set(lark_grammar(text).rules) == {"start"}
    with pytest.raises(UnsupportedGrammarError):
        lark_grammar(text, "other")


def test_any_rule_may_be_the_start():
    text = 'start: a\na: "x" b\nb: "y"'
    assert accepts(lark_grammar(text, "a"), "xy")
    assert accepts(lark_grammar(text, start="b"), "y")


def test_unicode_properties():
    grammar = lark_grammar(r"start: A B" + "\n" + r'A: /[\p{Lu}_]/ "x"' + "\n" + r"B: /\p{Nd}*?\P{Nd}|\\p/")
    assert [text for text in ("Éx12a", "_xa") if not accepts(grammar, text)] == []
    assert [text for text in ("éxa", "Éx1", "Éx1ab", "Éx\\p") if accepts(grammar, text)] == []
    # \P{Nd} comes first and takes the backslash, so the second option is never whole
    assert accepts(grammar, "Éx\\")


def test_grammars_of_larks_library():
    python = lark_grammar("%import python (name, number, lambda_params, del_stmt)\nstart: name", "start")
    assert accepts(python, "match")
    words = lark_grammar("%import common.WORD\n%import unicode.WS_INLINE\n%ignore WS_INLINE\nstart: WORD+")
    assert accepts(words, "a\xa0b c")
    with pytest.raises(UnsupportedGrammarError, match="terminal lark__OP") as caught:
        lark_grammar("start: rule+\n%import lark.rule")
    assert caught.value.position is not None
    assert caught.value.position.line == 2


# --- files


def test_a_file_and_its_imports(tmp_path):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "numbers.lark").write_text(
        '%import .digits.DIGIT\nnumber: sign? DIGIT+\nsign: "-"\n%ignore "never"\nunused: other\nother: "x"'
    )
    (tmp_path / "lib" / "digits.lark").write_text('DIGIT: "0".."9"')
    main = tmp_path / "main.lark"
    main.write_text(
        '\ufeffstart: n ("," n)*\n%import .lib.numbers.number -> n\n%import .lib.numbers.sign\n'
        '%override sign: "~"\n%extend n: "zero"\n',
        encoding="utf-8",
    )
    grammar = lark_grammar(main)
    for text, expected in {"1": True, "~12,zero": True, "-1": False, "1,": False, "": False}.items():
        assert accepts(grammar, text) is expected, text
    assert grammar.positions["n"].line == 5
    text = main.read_text(encoding="utf-8-sig").replace("%import .", "%import ")
    assert accepts(lark_grammar(text, import_paths=[tmp_path]), "zero,~1")


def test_import_paths_come_before_the_library(tmp_path):
    (tmp_path / "common.lark").write_text('WS: "_"')
    text = '%import common.WS\nstart: "a" WS'
    assert accepts(lark_grammar(text, import_paths=[tmp_path]), "a_")
    assert accepts(lark_grammar(text), "a ")


def test_errors_in_files(tmp_path):
    with pytest.raises(InvalidGrammarError, match=r"cannot read .*none\.lark"):
        lark_grammar(tmp_path / "none.lark")
    with pytest.raises(InvalidGrammarError, match="cannot read"):
        lark_grammar(tmp_path)
    latin = tmp_path / "latin.lark"
    latin.write_bytes(b'start: "\xe9"')
    with pytest.raises(InvalidGrammarError, match="is not UTF-8 text"):
        lark_grammar(latin)
    with pytest.raises(InvalidGrammarError, match="is not UTF-8 text"):
        lark_grammar("%import .latin.X\nstart: X", import_paths=[tmp_path])
    (tmp_path / "broken.lark").write_text("a: b\nX: (\nY: z")
    with pytest.raises(InvalidGrammarError) as caught:
        lark_grammar("%import broken.X\nstart: X", import_paths=[tmp_path])
    assert "broken.lark: unexpected the end of the line; expected" in str(caught.value)
    assert "line 2, column 5" in str(caught.value)
    (tmp_path / "one.lark").write_text("%import .two.x\ny: x")
    (tmp_path / "two.lark").write_text("%import .one.y\nx: y")
    with pytest.raises(InvalidGrammarError, match="imported over and over"):
        lark_grammar("%import one.y\nstart: y", import_paths=[tmp_path])


# --- errors: (grammar, line, column, part of the reason, part of the remedy); line 0: no position

INVALID = [
    ("", 0, 0, "the start rule 'start' is not defined", "define it"),
    ('begin: "a"', 0, 0, "the start rule 'start' is not defined", "begin"),
    ('strat: "a"\nb: "c"', 0, 0, "the start rule 'start' is not defined", "strat"),
    ("start{x}: x", 1, 1, "is a template", "plain rule"),
    ("start: a", 1, 8, "rule 'a' used but not defined (in rule start)", "%import"),
    ("start: b\nb: A", 2, 4, "terminal 'A' used but not defined", "%import"),
    ('start: A\nA: "x" B', 2, 8, "terminal used but not defined: B", "%import"),
    ('start: "a"\nstart: "b"', 2, 1, "rule 'start' defined more than once", "|"),
    ('A: "a"\nA: "b"\nstart: A', 2, 1, "terminal 'A' defined more than once", "|"),
    ("%import common.WS\nWS: \"x\"\nstart: WS", 2, 1, "defined more than once", "%override"),
    ('start: A\nA: A "x" | "y"', 2, 1, "recursion in terminal 'A'", ""),
    ("start: A\nA: B\nB: A", 2, 1, "recursion in terminal 'A'", ""),
    ("start: A\nA: start", 2, 4, "rules aren't allowed inside terminals (start in A)", ""),
    ('start: "a"\n%ignore start', 2, 9, "rules aren't allowed inside terminals", ""),
    ('start: "a"\n%ignore X', 2, 9, "marked to ignore but were not defined", ""),
    ("start: /a*/", 1, 8, "the terminal /a*/ matches the empty text", "optional where it is used"),
    ("start: A\nA: /a/?", 2, 1, "terminal A matches the empty text", "optional where it is used"),
    ('start: "a"\n%ignore /x*/', 2, 9, "the ignored terminal matches the empty text", "optional"),
    ('start: ""', 1, 8, "Empty terminals are not allowed", ""),
    ("start: A\nA: ", 2, 1, "has no texts but the empty one", ""),
    ("start: /(/", 1, 8, "missing ), unterminated subpattern (character 1 of its regex", ""),
    ('start: A\nA: "x" /(a/', 2, 1, "terminal A: missing ), unterminated subpattern (character 2 of its", ""),
    ('start: A\nA: "x" | /(a/', 2, 1, "terminal A: missing ), unterminated subpattern", ""),
    ("start: /[z-a]/", 1, 8, "bad character range z-a", ""),
    ("start: /(?<=a*)b/", 1, 8, "look-behind requires fixed-width pattern", ""),
    ("start: /a{99999999999999999999}/", 1, 8, "the repetition number is too large", ""),
    ("start: /a/l", 1, 8, "unknown extension ?l", ""),
    (r'start: "\x4"', 1, 8, "truncated \\xXX escape", ""),
    (r'start: "a" "\ud800"', 1, 12, "a lone surrogate", ""),
    ('start: "\ud800"', 1, 9, "a lone surrogate is no character", "remove it"),
    ("start: /a\n/", 1, 8, "newlines in regular expressions", ""),
    ('start: "a".."bc"', 1, 8, '"bc" is no end of a range', "one character"),
    ('start: "a"i.."z"', 1, 8, '"a"i is no end of a range', "one character"),
    ('start: "b".."a"', 1, 8, "is backwards", ""),
    ('start: "^".."z"', 1, 8, "as the regex [^-z]", "escaped"),
    ('start: "A".."]"', 1, 8, "as the regex [A-]]", "escaped"),
    ('start: "a"~3..2', 1, 12, "3 to 2 times is impossible", ""),
    ('start: "a"~-1', 1, 12, "-1 to -1 times is impossible", ""),
    ('start: A\nA: "x" -> foo', 2, 1, "Aliasing not allowed in terminals", ""),
    ('start: _a\n_a: "x" -> b', 2, 1, "rule _a is inlined", ""),
    ('start: _a\n?_a: "x"', 2, 2, "inlined rules (_rule) cannot use the ?rule modifier", ""),
    ("%override start: \"x\"", 1, 11, "cannot override a nonexisting rule start", ""),
    ("%extend start: \"x\"", 1, 9, "can't extend rule start", ""),
    ('start: a{"x"}', 1, 8, "template 'a' used but not defined", "%import"),
    ("start: a\na{x}: x", 1, 1, "template a is used without arguments in the rule start", ""),
    ('a{x}: x\nstart: a{"1","2"}', 2, 8, "expected 1, got 2", ""),
    ('start: x{"a"}\nx{y}: y\ny: "b"', 3, 1, "template Parameter conflicts with rule y", ""),
    ('start: "b" c{a}\na{x}: x\nc{f}: f', 3, 1, "template a is used without arguments in the rule c", ""),
    ('start: c{"x"}\nc{f}: f{"y"}', 2, 1, "f is no template, and is given 1", ""),
    ('start: c{a}\nc{f}: f{"y"}\na: "z"', 2, 1, "a takes 0 arguments, and is given 1", ""),
    ("%import common\nstart: \"x\"", 1, 9, "nothing was imported", ""),
    ("%import common.NOTHING\nstart: NOTHING", 2, 8, "terminal 'NOTHING' used but not defined", "%import"),
    ("%import nothing.X\nstart: X", 1, 9, "cannot find nothing.lark to import", "Lark's library"),
    ("start: X\n%import .a.b.X", 2, 10, "cannot find a/b.lark to import", "import_paths"),
    ("start: (", 1, 9, "unexpected the end of the line; expected ')'", ""),
    ("start: )", 1, 8, "unexpected ')'; expected '->' or", ""),
    ("start: [", 1, 9, "or ']' or", ""),
    ('start: ("a"]', 1, 12, "unexpected ']'; expected ')'", ""),
    ('start: "a\n', 1, 8, "unexpected '\"' (is a string closed on its line?)", ""),
    ("start: 'a'", 1, 8, "unexpected \"'\"", ""),
    ('start "a"', 1, 7, "unexpected '\"a\"'; expected '.' or ':' or '{'", ""),
    ('Start: "a"', 1, 2, "unexpected 'tart'; expected '.' or ':'", "all lower case"),
    ('start: "a" -> B', 1, 15, "unexpected 'B'; expected a rule's name", ""),
    ('start: ("a"', 1, 12, "expected ')'", ""),
    ("%import", 1, 8, "unexpected the end of the line; expected '.' or a rule's name", ""),
    ('"a"', 1, 1, "expected '?' or '!' or a rule's name", ""),
    ("start: x*+\nx: \"a\"", 1, 10, "unexpected '+'", ""),
    ("grammar.lark", 1, 9, "unexpected 'lark'", "pathlib.Path"),
]  # fmt: skip

_DOUBLING = "\n".join(f"A{i + 1}: A{i} A{i}" for i in range(40)) + '\nA0: "x"\nstart: A40'

UNSUPPORTED = [
    (r"start: /a\b/", 1, 8, r"'\\b' may look at text outside the terminal", "take the characters"),
    (r"start: /\bab/", 1, 8, "may look at text outside", "take the characters"),
    ('start: "a" /^b/', 1, 12, "'^' may look at text outside", "take the characters"),
    ("start: B\nB: /a$/", 2, 1, "terminal B: '$' may look at text outside", "take the characters"),
    ("start: /b(?!a)/", 1, 8, "the lookaround (?!...) may look at text outside", "take the characters"),
    ("start: /b(?=a)/", 1, 8, "the lookaround (?=...) may look at text outside", "take the characters"),
    ("start: /(?<!a)b/", 1, 8, "the lookaround (?<!...) may look at text outside", "take the characters"),
    ('start: "c" /(?<=a)b/', 1, 12, "the lookaround (?<=...) may look at text outside", "take"),
    ('start: /(?=.*;)[a-z]+/', 1, 8, "may look at text outside", "take the characters"),
    ("%import python.STRING\nstart: STRING", 1, 16, "terminal STRING: the lookaround (?!...)", "take"),
    ("start: /a(?=b(?!c))bcd/", 1, 8, "a condition inside a lookaround", ""),
    (r"start: /(a)\1/", 1, 8, "a back-reference is not supported", ""),
    ("start: /(?>a)b/", 1, 8, "an atomic group is not supported", ""),
    ("start: /a++/", 1, 8, "a possessive quantifier is not supported", ""),
    (r"start: /(?i:\p{Lu}a)/", 1, 8, "where case is ignored", ""),
    ("start: /.*a.{12}/", 1, 8, "too large to tell which of its matches `re` prefers", "smaller"),
    ("%declare A\nstart: A", 1, 10, "terminal A is only declared", "define it"),
    ("%declare a\nstart: a", 1, 10, "rule a is only declared", ""),
    ('%declare A\nstart: "x"\n%ignore A', 1, 10, "terminal A is only declared", "define it"),
    ('start: %json {"type": "object"}', 1, 8, "%json is not Lark's own", ""),
    ('%llguidance {}\nstart: "x"', 1, 1, "%llguidance is not Lark's own", ""),
    ("start: <|im_end|>", 1, 8, "special tokens", "write a string"),
    ('start: "a" <think>', 1, 12, "special tokens", "write a string"),
    ('t{x}: t{t{x}} | x\nstart: t{"a"}', 1, 1, "needs itself with ever larger arguments", ""),
    ('start: "a"~99999999999', 1, 12, "a repetition of over 1,000,000,000 times", ""),
    ("start: " + "(" * 200 + '"a"' + ")" * 200, 1, 1, "nested too deep", "rules of their own"),
    ("start: " + "(" * 3000 + '"a"' + ")" * 3000, 1, 1, "nested too deep", ""),
    ("A: " + "(" * 3000 + '"a"' + ")" * 3000 + "\nstart: A", 1, 1, "nested too deep", ""),
    ("start: /" + "(" * 3000 + "a" + ")" * 3000 + "/", 1, 8, "groups nested too deep", ""),
    (_DOUBLING, 16, 1, "terminal A16 has over 100,000 parts", "make it a rule"),
]  # fmt: skip


def _check_error(kind, grammar, line, column, reason, remedy):
    with pytest.raises(kind) as caught:
        lark_grammar(grammar)
    error = caught.value
    assert reason in error.reason
    assert remedy in error.remedy
    place = (0, 0) if error.position is None else (error.position.line, error.position.column)
    assert place == (line, column)
    assert str(error).isprintable() or "\n" in str(error)


@pytest.mark.parametrize(("grammar", "line", "column", "reason", "remedy"), INVALID)
def test_invalid_grammars_say_where_and_what(grammar, line, column, reason, remedy):
    _check_error(InvalidGrammarError, grammar, line, column, reason, remedy)


@pytest.mark.parametrize(("grammar", "line", "column", "reason", "remedy"), UNSUPPORTED)
def test_unsupported_grammars_say_where_and_what(grammar, line, column, reason, remedy):
    _check_error(UnsupportedGrammarError, grammar, line, column, reason, remedy)


@pytest.mark.parametrize(
    ("arguments", "option"), [((None,), "source"), ((b"start: a",), "source"), (('start: "a"', 3), "start")]
)
def test_wrong_arguments(arguments, option):
    with pytest.raises(OptionError) as caught:
        lark_grammar(*arguments)
    assert caught.value.option == option


_BASE = """start: a{"x"} B~1..2 | [c]
a{p}: p+ -> y
B: "b".."d" /e|f/i
_c: "g"
?c: _c
%import common.WS
%ignore WS
"""
_DAMAGE = st.text('abBs:|~.,(){}[]%"/\\-> \n_?!*+1\x00é', max_size=3)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.integers(0, len(_BASE)), st.integers(0, 4), _DAMAGE)
def test_damaged_grammars_raise_typed_errors_only(at, cut, put):
    try:
        lark_grammar(_BASE[:at] + put + _BASE[at + cut :])
    except StructgenError as error:
        assert str(error)


def test_importing_the_front_end_does_not_import_lark():
    import subprocess
    import sys

    code = "import sys, structgen.sources.lark; sys.exit('lark' in sys.modules)"
    root = Path(__file__).resolve().parents[1]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
