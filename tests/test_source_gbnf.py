"""The GBNF front end: language, positions of errors, and the grammars in the shared data."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive_cfg import accepts

from structgen.errors import InvalidGrammarError, OptionError, StructgenError, UnsupportedGrammarError
from structgen.grammar import EMPTY, Choice, Repetition, RuleRef, Sequence, Terminal
from structgen.regex.syntax import Chars, Literal
from structgen.sources.gbnf import MAX_NESTING, gbnf_grammar

GAD = Path(__file__).resolve().parents[2] / "shared" / "data" / "gad"

JSON = r"""
# any JSON value
root    ::= space value space
value   ::= object | array | string | number | ("true" | "false" | "null")
object  ::= "{" space ( pair ( space "," space pair )* )? space "}"
pair    ::= string space ":" space value
array   ::= "[" space (
              value
              ( space "," space value )*   # more of them
            )? space "]"
string  ::= "\"" ( [^"\\\x7F\x00-\x1F] | "\\" ( ["\\/bfnrt] | "u" [0-9a-fA-F]{4} ) )* "\""
number  ::= "-"? ( "0" | [1-9] [0-9]{0,15} ) ( "." [0-9]+ )? ( [eE] [-+]? [0-9]+ )?
space   ::= | " " | "\n" [ \t]{0,20}
"""

ARITHMETIC = r"""
root  ::= (expr "=" ws term "\n")+
expr  ::= term ([-+*/] term)*
term  ::= ident | num | "(" ws expr ")" ws
ident ::= [a-z] [a-z0-9_]* ws
num   ::= [0-9]+ ws
ws    ::= [ \t\n]*
"""

LIST = r"""
root ::= item+

# Excludes various line break characters
item ::= "- " [^\r\n\x0b\x0c\x85\u2028\u2029]+ "\n"
"""

CHESS = r"""
# `root` is the whole game
root ::= (
    # the first move of both sides
    "1. " move " " move "\n"

    ([1-9] [0-9]? ". " move " " move "\n")+
)
move    ::= (pawn | nonpawn | castle) [+#]?
nonpawn ::= [NBKQR] [a-h]? [1-8]? "x"? [a-h] [1-8]
pawn    ::= ([a-h] "x")? [a-h] [1-8] ("=" [NBKQR])?
castle  ::= "O-O" "-O"?
"""

C_LIKE = r"""
root       ::= function*
function   ::= type ws1 name "(" ( type ws1 name ( ", " type ws1 name )* )? ")" ws block
block      ::= "{" ws ( statement ws )* "}"
type       ::= "int" | "float" | "char"
name       ::= [a-zA-Z_] [a-zA-Z_0-9]*
statement  ::=
    ( type ws1 name ws "=" ws expression ";" ) |
    ( name ws "=" ws expression ";" ) |
    ( "return" ws1 expression ";" ) |
    ( "while" ws "(" condition ")" ws block )
condition  ::= expression ws ("<=" | "<" | "==" | "!=" | ">=" | ">") ws expression
expression ::= term (ws ("+" | "-") ws term)*
term       ::= factor (ws ("*" | "/") ws factor)*
factor     ::= name | [0-9]+ | "(" expression ")"
ws         ::= [ \t\n]*
ws1        ::= [ \t\n]+
"""

TEXTS = [
    (JSON, ["{}", "[]", ' "a"', "[1, 2,\n 3]", '{"a": {"b": [true, null]}}', '"\\u00e9é\\n"', "-0.5e+10"],
     ["", "{", "[1,]", "{a: 1}", '"\\x"', "01", "1.", '"\n"', "[1 2]", "truefalse", "1" * 17]),
    (ARITHMETIC, ["1=1\n", "a+b*3 = c\n", "(x -1)/y2=z\n2=3\n"], ["", "1=1", "+1=2\n", "1=\n", "A=1\n"]),
    (LIST, ["- a\n", "- a b\n- ééé\n"], ["", "- \n", "- a", "a\n", "- a\u2028\n", "- a\x85\n"]),
    (CHESS, ["1. e4 e5\n2. Nf3 Nc6\n", "1. e4 exd5\n12. O-O-O Qxe4+\n", "1. a8=Q+ b1\n3. O-O Kd2#\n"],
     ["", "1. e4 e5\n", "1. e4\n2. Nf3 Nc6\n", "1. e9 e5\n2. a1 a2\n", "2. e4 e5\n2. Nf3 Nc6\n"]),
    (C_LIKE, ["", "int f(){}", "int main(int a, char b) {\n  int x = a*(b+1);\n  return x;\n}",
              "float f() { while (x <= 3) { x = x + 1; } }"],
     ["int f()", "int f(){ x }", "long f(){}", "int f(int){}", "int f(){ return x }"]),
]  # fmt: skip

LANGUAGE = [
    # (body of root and other rules, accepted, refused)
    ('root ::= "a" "b"', ["ab"], ["", "a", "a b"]),
    ("root ::=", [""], ["a"]),
    ('root ::= ""', [""], ["a"]),
    ('root ::= "" | "a"', ["", "a"], ["aa"]),
    ('root ::= ""* "a"', ["a"], ["", "aa"]),
    ('root ::= | "a"', ["", "a"], ["aa"]),
    ('root ::= "a" |\n  "b" |\n\n  # why not\n  "c"', ["a", "b", "c"], ["", "ab"]),
    ('root ::= "a"\n  | "b"\n  # also\n  | "c"\nother ::= "d"', ["a", "b", "c"], ["d"]),
    ('root ::=\n  "a"', ["a"], [""]),
    ('root ::= ("a"\n "b"\n |\n "c")', ["ab", "c"], ["a"]),
    ('root ::= ( "a" ( "b" ) )', ["ab"], ["a"]),
    ('root ::= ()', [""], ["a"]),
    ('root ::= "ab"*', ["", "ab", "abab"], ["aba", "abb"]),
    ('root ::= "ab" *', ["", "abab"], ["aba"]),
    ('root ::= "a"+', ["a", "aaa"], [""]),
    ('root ::= "a"?', ["", "a"], ["aa"]),
    ('root ::= "a"+? "b"', ["b", "aab"], ["a"]),
    ('root ::= "a"{3}', ["aaa"], ["aa", "aaaa"]),
    ('root ::= "a"{2,}', ["aa", "aaaaa"], ["", "a"]),
    ('root ::= "a"{2,3}', ["aa", "aaa"], ["a", "aaaa"]),
    ('root ::= "a"{0,2}', ["", "aa"], ["aaa"]),
    ('root ::= "a"{ 1 , 2 }', ["a", "aa"], ["aaa"]),
    ('root ::= ("a"{\n1,\n2\n})', ["a", "aa"], ["aaa"]),
    ('root ::= "a"{0} "b"', ["b"], ["ab"]),
    ('root ::= "a"{0,0}', [""], ["a"]),
    ('root ::= ("a" | "b"){2}{2}', ["abab"], ["ab", "aba"]),
    ("root ::= [abc]", ["a", "b", "c"], ["d", "ab", ""]),
    ("root ::= [a-c0-9_]", ["b", "5", "_"], ["d", "-"]),
    ("root ::= [a-]", ["a", "-"], ["b"]),
    ("root ::= [-a]", ["a", "-"], ["b"]),
    ("root ::= [^a-c]", ["d", "\n", "é"], ["a", "c", ""]),
    ("root ::= [a^]", ["a", "^"], ["b"]),
    (r"root ::= [\]\\\[\-\"]", ["]", "\\", "[", "-", '"'], ["a"]),
    (r"root ::= [\n\t\r]", ["\n", "\t", "\r"], ["n", "\\"]),
    (r"root ::= [\x41-\x43]", ["A", "C"], ["D", "x"]),
    ('root ::= ["]', ['"'], ["'"]),
    ("root ::= .", ["a", "\n", "😀"], ["", "ab"]),
    (r'root ::= "\x41\u00e9\U0001F600"', ["Aé😀"], ["A"]),
    (r'root ::= "\xe9"', ["é"], ["\u00c3\u00a9"]),
    (r'root ::= "\n\r\t\\\"\[\]"', ['\n\r\t\\"[]'], ["n"]),
    ('root ::= "é日本"', ["é日本"], ["e"]),
    ('root ::= "a\nb"', ["a\nb"], ["ab"]),
    ('root ::= "#" # a comment\n', ["#"], [""]),
    ('# first\n\nroot ::= "a"\r\nb ::= "c"\r', ["a"], ["c"]),
    ("root ::= [ぁ-ゟ]+", ["ひらがな"], ["カ"]),
    ('root ::= root "a" | "b"', ["b", "baa"], ["", "a", "ab"]),
    ('root ::= a-B_1 "!"\na-B_1 ::= "x"', ["x!"], ["x"]),
    ('root ::= "(" root ")" | root root | ""', ["", "()", "(())()"], ["(", ")("]),
    ("root ::= 1\n1 ::= \"one\"", ["one"], ["1"]),
    ('root ::= "a" root "b" |', ["", "ab", "aabb"], ["aab", "ba"]),
]  # fmt: skip


@pytest.mark.parametrize(("grammar", "good", "bad"), TEXTS, ids=["json", "arithmetic", "list", "chess", "c"])
def test_grammars_in_the_style_of_those_llama_cpp_ships(grammar, good, bad):
    compiled = gbnf_grammar(grammar)
    assert [text for text in good if not accepts(compiled, text)] == []
    assert [text for text in bad if accepts(compiled, text)] == []


@pytest.mark.parametrize(("grammar", "good", "bad"), LANGUAGE)
def test_language(grammar, good, bad):
    compiled = gbnf_grammar(grammar)
    assert [text for text in good if not accepts(compiled, text)] == []
    assert [text for text in bad if accepts(compiled, text)] == []


def test_structure_and_positions():
    text = 'root ::= "a" b{2,2000000}\n\nb ::= [x-z] | "" | .*'
    grammar = gbnf_grammar(text)
    assert grammar.start == "root"
    assert grammar.source_kind == "gbnf"
    assert grammar.ignore is None
    root, b = grammar.rules["root"], grammar.rules["b"]
    assert root == Sequence((Terminal(Literal("a"), '"a"'), Repetition(RuleRef("b"), 2, 2_000_000)))
    assert isinstance(b, Choice)
    assert b.options[1] == EMPTY
    first = b.options[0]
    assert isinstance(first, Terminal)
    assert isinstance(first.pattern, Chars)
    assert first.name == "[x-z]"
    places = {name: (p.line, p.column) for name, p in grammar.positions.items()}
    assert places == {"root": (1, 1), "b": (3, 1)}


def test_another_root():
    assert accepts(gbnf_grammar('a ::= "x" b\nb ::= "y"', root="b"), "y")


INVALID = [
    # (grammar, line, column, part of the reason, part of the remedy)
    ("", 1, 1, "no rule 'root'", "root ::="),
    ('root ::= "\ud800"', 1, 11, "a lone surrogate is no character", "remove it"),
    ("# nothing\n", 1, 1, "no rule 'root'", "root ::="),
    ('rot ::= "a"', 1, 1, "no rule 'root'", "did you mean 'rot'"),
    ('root ::= item\nitems ::= "a"', 1, 10, "rule 'item' is used but not defined", "did you mean 'items'"),
    ('root ::= "a"\nb ::= "c" (d)', 2, 12, "rule 'd' is used but not defined", "d ::= ..."),
    ('root ::= "a"\nroot ::= "b"', 2, 1, "defined twice (first in line 1)", "|"),
    ('root "a"', 1, 6, "expected '::='", ""),
    ('root := "a"', 1, 6, "expected '::='", ""),
    ('"a"', 1, 1, "expected the name of a rule", "letters"),
    ('root ::= "a" ; b', 1, 14, "unexpected ';'", ""),
    ('root ::= "a" "b\n', 1, 14, "ends inside a literal", ""),
    ('root ::= "a" ["b', 1, 14, "ends inside a character class", ""),
    ('root ::= [a-', 1, 10, "ends inside a character class", ""),
    ('root ::= "a\\', 1, 12, "unknown escape", "\\xHH"),
    (r'root ::= "\q"', 1, 11, r"unknown escape '\\q'", "\\xHH"),
    (r'root ::= "ab\x4"', 1, 13, "expected 2 hexadecimal digits", ""),
    (r'root ::= "\uD83D"', 1, 11, "surrogate", "\\UHHHHHHHH"),
    (r'root ::= "\U00110000"', 1, 11, "past the last code point", ""),
    ("root ::= [\\uD800-\\uDFFF]", 1, 10, "no character is in", ""),
    (r"root ::= [^\x00-\U0010FFFF]", 1, 10, "no character is in", ""),
    ("root ::= []", 1, 10, "is empty", "."),
    ("root ::= [^]", 1, 10, "is empty", "."),
    ("root ::= [az-x]", 1, 12, "'z-x' is backwards", "swap"),
    ('root ::= ("a"', 1, 14, "expected ')', found the end of the text", "line 1, column 10"),
    ('root ::= "a")', 1, 13, "')' closes no group", ""),
    ('root ::= ("a"\nb ::= "c"', 2, 3, "expected ')', found ':'", "line 1, column 10"),
    ('root ::= "a" |\nb ::= "c"', 2, 3, "'::=' inside the rule 'root'", "goes on below"),
    ("root ::= *", 1, 10, "nothing before '*' to repeat", ""),
    ("root ::= ( + )", 1, 12, "nothing before '+' to repeat", ""),
    ("root ::= {2}", 1, 10, "nothing before '{' to repeat", ""),
    ('root ::= "a"\n*', 2, 1, "expected the name of a rule", ""),
    ('root ::= "a"{,2}', 1, 14, "expected a number", "{0,n}"),
    ('root ::= "a"{}', 1, 14, "expected a number", "{0,n}"),
    ('root ::= "a"{2', 1, 15, "expected '}'", "{m,n}"),
    ('root ::= "a"{2;3}', 1, 15, "expected '}'", "{m,n}"),
    ('root ::= "a"{3,2}', 1, 13, "at least 3 and at most 2", ""),
    ('root ::= é', 1, 10, "unexpected 'é'", ""),
    ('\ufeffroot ::= "a"', 1, 1, "expected the name of a rule", ""),
]  # fmt: skip

UNSUPPORTED = [
    ('root ::= "a" <[123]>', 1, 14, "token references"),
    ("root ::= <think> .*", 1, 10, "token references"),
    ("root ::= (\n  !</think>*\n)", 2, 3, "token references"),
    ('root ::= "a"{12345678901}', 1, 14, "11 digits"),
    ("root ::= " + "(" * (MAX_NESTING + 1), 1, 10 + MAX_NESTING, "nested more than"),
    ('root ::= "a"' + "*" * (MAX_NESTING + 1), 1, 13 + MAX_NESTING, "nested more than"),
]


@pytest.mark.parametrize(("grammar", "line", "column", "reason", "remedy"), INVALID)
def test_invalid_grammars_say_where_and_what(grammar, line, column, reason, remedy):
    with pytest.raises(InvalidGrammarError) as caught:
        gbnf_grammar(grammar)
    error = caught.value
    assert error.position is not None
    assert reason in error.reason
    assert remedy in error.remedy
    assert (error.position.line, error.position.column) == (line, column)
    assert f"line {line}, column {column}" in str(error)


@pytest.mark.parametrize(("grammar", "line", "column", "reason"), UNSUPPORTED)
def test_unsupported_grammars_say_where_and_what(grammar, line, column, reason):
    with pytest.raises(UnsupportedGrammarError) as caught:
        gbnf_grammar(grammar)
    error = caught.value
    assert error.position is not None
    assert reason in error.reason
    assert (error.position.line, error.position.column) == (line, column)


def test_undefined_rules_may_match_nothing():
    grammar = gbnf_grammar('root ::= "a" | "b" c', undefined="nothing")
    assert accepts(grammar, "a")
    assert not accepts(grammar, "b")
    with pytest.raises(OptionError, match="'error' or 'nothing'"):
        gbnf_grammar('root ::= "a"', undefined="ignore")  # type: ignore[arg-type]


@settings(max_examples=500, deadline=None, derandomize=True)
@given(
    st.integers(0, len(JSON)), st.integers(0, 4), st.text('ab:=|"\\\\[](){}<>!.*+?,^-0x# \n\r_é', max_size=3)
)
def test_damaged_grammars_raise_typed_errors_only(at, cut, put):
    try:
        gbnf_grammar(JSON[:at] + put + JSON[at + cut :])
    except StructgenError as error:
        assert "line" in str(error)


def test_not_a_text():
    with pytest.raises(OptionError, match="GBNF grammar as a str"):
        gbnf_grammar(b"root ::= .")  # type: ignore[arg-type]


def test_deepest_nesting_is_still_read():
    grammar = gbnf_grammar("root ::= " + "(" * MAX_NESTING + '"a"' + ")" * MAX_NESTING)
    assert accepts(grammar, "a")


@pytest.mark.skipif(not GAD.is_dir(), reason="shared data not present")
def test_all_shared_grammars_load():
    files = sorted(GAD.glob("*/*.ebnf"))
    assert len(files) == 17
    for path in files:
        # the constituency grammars name rules that they never define: those branches are dead
        undefined = "nothing" if path.parent.name == "CP" else "error"
        grammar = gbnf_grammar(path.read_text(encoding="utf-8"), undefined=undefined)
        assert "root" in grammar.positions, path


SHARED_TEXTS = [
    ("BV4/find_inv_eq_bvand_4bit.ebnf",
     ["(define-fun inv ((s (BitVec 4)) (t (BitVec 4))) (BitVec 4) (bvnot (bvadd s #x0)))"],
     ["(define-fun inv ((s (BitVec 4)) (t (BitVec 4))) (BitVec 4) (bvnot s t))"]),
    ("SLIA/firstname.ebnf",
     ['(define-fun f ((name String)) String (str.substr name 0 (str.indexof name " " 0)))'],
     ["(define-fun f ((name String)) String 0)", "(define-fun f ((name String)) String true)"]),
    ("CP/CP_re_ptb_486.ebnf",
     ["[ ( NP ( NN Exabyte ) ( NN Corp. ) ) ]"],
     ["[ ( NP ( NN Exabyte ) ( NN Corp. ) ]", "[ Exabyte ]"]),
]  # fmt: skip


@pytest.mark.skipif(not GAD.is_dir(), reason="shared data not present")
@pytest.mark.parametrize(("path", "good", "bad"), SHARED_TEXTS)
def test_texts_of_the_shared_grammars(path, good, bad):
    grammar = gbnf_grammar((GAD / path).read_text(encoding="utf-8"), undefined="nothing")
    assert [text for text in good if not accepts(grammar, text)] == []
    assert [text for text in bad if accepts(grammar, text)] == []
