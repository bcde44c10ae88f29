"""Grammars with a lexer: tables of texts, Lark and Python as oracles, files, layout."""

from __future__ import annotations

import ast
import itertools

import numpy as np
import pytest
from lark import Lark
from lark.exceptions import LarkError
from test_laws import allowed

from structgen.compiled import CompiledGrammar
from structgen.compiler import Compiler
from structgen.errors import ArtifactError
from structgen.vocabulary import Vocabulary

BYTES: list[bytes | None] = [bytes([byte]) for byte in range(256)]
LONGER = [
    b"if",
    b" if",
    b"ifx",
    b"x=1",
    b");\n",
    b'""',
    b"\n    ",
    b"\n\n",
    b"def f(",
    b"):\n",
    b"}'",
    b"f'{",
]
VOCABULARY = Vocabulary([*BYTES, *LONGER, None], 256 + len(LONGER))


@pytest.fixture(scope="module")
def compiler() -> Compiler:
    return Compiler(VOCABULARY)


def accepts(grammar: CompiledGrammar, text: str) -> bool:
    matcher = grammar.matcher()
    return matcher.accept_bytes(text.encode()) and matcher.is_accepting


TOY = r"""
start: (statement ";")*
statement: "if" expression "then" statement | NAME "=" expression | "print" expression
?expression: expression "+" term | term
?term: NAME | NUMBER | "(" expression ")" | STRING
NAME: /[a-z]\w*/
NUMBER: /[0-9]+(?![a-z])/
STRING: /""(?!")|"[^"]+"/
COMMENT: /#[^\n]*/
%ignore /\s+/
%ignore COMMENT
"""
TEXTS = [
    ("", True, True),
    ("a=1;", True, True),
    ("ifx=1;", True, True),
    ("if=1;", False, False),
    ("if x then y=(z+1);", True, True),
    ("ifx then y=1;", False, False),
    ("if 1then y=1;", False, False),
    ("if(1)then y=1;", True, True),
    ('a="";', True, True),
    ('a="""";', False, False),
    ("a=1x;", False, False),
    ("a=1 # c\n;", True, True),
    ("a=1; # c", True, True),
    ("a=1 # c;", False, False),
    ("printer=1;print printer;", True, True),
    # `print` is no name for the basic lexer, nor where a statement begins
    ("print=1;", False, False),
    ("a=print;", False, True),  # where no statement can begin, `print` is a name to the contextual one
]


@pytest.mark.parametrize(("text", "basic", "contextual"), TEXTS)
def test_texts(compiler, text, basic, contextual):
    assert accepts(compiler.lark(TOY, lexer="basic"), text) == basic
    assert accepts(compiler.lark(TOY), text) == contextual
    assert accepts(compiler.lark(TOY, lexer="contextual"), text) == contextual


# Where no two terminals overlap in ways that Lark's order of terminals cannot tell, Lark is the oracle.
LARK = {
    "calculator": (
        """start: sum
        ?sum: product | sum "+" product | sum "-" product
        ?product: atom | product "*" atom
        ?atom: NUMBER | "-" atom | NAME | "(" sum ")"
        NUMBER: /[0-9]+/
        NAME: /[a-z]+/
        %ignore " "
        """,
        "1a+-( )",
    ),
    "keywords": (
        """start: ("a" NAME | "ab" | NAME "a")*
        NAME: /[ab]+/
        %ignore " "
        """,
        "ab ",
    ),
    "priorities": (
        """start: (A | B)+
        A.2: "aa"
        B: /a+b?/
        %ignore " "
        """,
        "ab ",
    ),
    "lists": (
        """start: "[" [item ("," item)*] "]"
        item: start | WORD ~ 1..2
        WORD: /[a-z]/
        """,
        "[],a",
    ),
}


@pytest.mark.parametrize("lexer", ["basic", "contextual"])
@pytest.mark.parametrize("name", LARK)
def test_lark_agrees(compiler, name, lexer):
    text, alphabet = LARK[name]
    grammar = compiler.lark(text, lexer=lexer)
    oracle = Lark(text, parser="lalr", lexer=lexer)
    n_accepted = 0
    for length in range(6):
        for chars in itertools.product(alphabet, repeat=length):
            candidate = "".join(chars)
            try:
                oracle.parse(candidate)
                expected = True
            except LarkError:
                expected = False
            n_accepted += expected
            assert accepts(grammar, candidate) == expected, candidate
    assert n_accepted > 5


def test_ends_that_nothing_can_follow_are_no_ends(compiler):
    """`a` is no A: what has to follow it makes it another terminal."""
    grammar = compiler.lark('start: A B | "ac"\nA: /[ab]/\nB: "c"', lexer="basic")
    texts = ["".join(chars) for n in range(4) for chars in itertools.product("abc", repeat=n)]
    assert [text for text in texts if accepts(grammar, text)] == ["ac", "bc"]


def test_ambiguous_and_left_recursive_grammars_are_followed_everywhere(compiler):
    grammar = compiler.lark('start: start start | start "b" | a* "c"?\na: "a" | a', lexer="basic")
    for length in range(6):
        for chars in itertools.product("abc", repeat=length):
            # a `b` may follow anything, even the empty text
            assert accepts(grammar, "".join(chars))
    deep = compiler.lark('start: "(" start ")" | start start | "x"', lexer="basic").matcher()
    assert deep.accept_bytes(b"(" * 3000 + b"x" + b")" * 2999)
    assert not deep.is_accepting and deep.accept_bytes(b")") and deep.is_accepting


PYTHON = [
    "x = # c\n1\n", "x = (# c\n1)\n", "x = 1 # c", "# c", "  # c\n", "if x:\n  y\n z\n",
    "if x:\n\ty\n        z\n",
    "if x:\n  y\n", "if x:\n  y", "f'{a!r:>{w}}' 'b'\n", "x = [\n  1,\n# c\n 2]\n", "", "\n\n\n", "x\n   ",
    "class A:\n  def f(self):\n    return 1\n\n  # c\n  x=2\ny\n", "x = 1 +\\\n  2\n", "  x\n",
    "if x:\n y\n  z\n", "match x:\n case 1: pass\n", "match = 1\n", "def f(a,/,b,*,c): ...\n",
    "lambda x: (yield)\n",
    "x = f'{{}}{x}'\n", "x: int = 3\n", "if 1:\n\\\n  x\n", "print 'a'\n", "a if b else\n", "x ifb else c\n",
    "async def f():\n  async with a as b: await c\n", "(y := 1)\n", "y := 1\n", "if x:\n\f  y\n",
    "'''a\n''' '\n",
]  # fmt: skip


@pytest.mark.parametrize("text", PYTHON)
def test_python_reads_what_its_own_parser_reads(compiler, text):
    try:
        ast.parse(text)
        expected = True
    except SyntaxError:
        expected = False
    grammar = compiler.grammar("python")
    assert accepts(grammar, text) == expected
    matcher = grammar.matcher()
    for byte in text.encode():  # masks on the way, with tokens that end lines and begin blocks
        mask = allowed(matcher)
        taken = {t for t, data in enumerate(VOCABULARY.tokens) if data and matcher.fork().accept_bytes(data)}
        assert mask - set(VOCABULARY.eos_token_ids) == taken
        assert mask
        if not matcher.accept_bytes(bytes([byte])):
            break


SMALL = r"""
start: (statement ";")*
statement: "if" expression | NAME "=" expression
?expression: NAME | NUMBER | "(" expression ")" | STRING
NAME: /[a-z]+/
NUMBER: /1+(?![a-z])/
STRING: /""(?!")|"[^"]+"/
COMMENT: /#[^\n]*/
%ignore /\s+/
%ignore COMMENT
"""


@pytest.mark.parametrize("lexer", ["basic", "contextual"])
def test_masks_along_a_small_text(lexer):
    """Small enough for kernels as plain Python, where `test_kernel_modes` runs it too."""
    longer: list[bytes | None] = [b"if", b"ifx", b"x=1", b" )", b'""', b"\n  "]
    vocabulary = Vocabulary([*(bytes([byte]) for byte in b'ifx=1a"#(c) ;\n'), *longer, None], 20)
    matcher = Compiler(vocabulary).lark(SMALL, lexer=lexer).matcher()
    for byte in b'if (x);ifx="a" ; #c\nx=1':
        taken = {t for t, data in enumerate(vocabulary.tokens) if data and matcher.fork().accept_bytes(data)}
        if matcher.is_accepting:
            taken |= set(vocabulary.eos_token_ids)
        assert allowed(matcher) == taken
        assert {t for t in range(vocabulary.size) if matcher.fork().accept(t)} == taken
        assert matcher.accept_bytes(bytes([byte]))


def test_indentation_forks_and_rolls_back(compiler):
    matcher = compiler.grammar("python").matcher()
    assert matcher.accept_bytes(b"if x:\n    y\n    ")
    fork = matcher.fork()
    assert fork.accept_bytes(b"z\n") and matcher.accept_bytes(b"if z:\n      w\n")
    assert fork.accept_bytes(b"v\n") and fork.is_accepting
    assert not matcher.fork().accept_bytes(b"     v")
    matcher.rollback(1)
    assert not matcher.accept_bytes(b"  v") and matcher.accept_bytes(b"\nv\n")


def test_a_file_holds_all(compiler, tmp_path):
    grammar = compiler.lark(TOY)
    grammar.save(tmp_path / "toy.sg")
    loaded = CompiledGrammar.load(tmp_path / "toy.sg", VOCABULARY)
    assert loaded.source == grammar.source
    entries = loaded.machine.lexed_store.n_entries
    one, two = grammar.matcher(), loaded.matcher()
    for byte in b'if a then b="" ; # c':
        assert allowed(one) == allowed(two)
        assert one.accept(byte) and two.accept(byte)
    assert loaded.machine.lexed_store.n_entries == entries  # nothing was worked out again
    with pytest.raises(ArtifactError, match="another vocabulary"):
        CompiledGrammar.load(tmp_path / "toy.sg", Vocabulary([*BYTES, None], 256))


def test_records_of_masks_are_thrown_away(compiler, monkeypatch):
    from structgen import lexed_machine

    text = b"a=1+(b+2);if x then print y;" * 4
    grammar = compiler.lark(TOY, lexer="basic")
    plain = grammar.matcher()
    monkeypatch.setattr(lexed_machine, "_MOST_TRIED", 500)
    monkeypatch.setattr(lexed_machine, "_MASK_BYTES", 0)
    other = Compiler(VOCABULARY).lark(TOY, lexer="basic").matcher()
    for byte in text:
        assert allowed(plain) == allowed(other)
        assert plain.accept(byte) and other.accept(byte)


def test_messages(compiler):
    explanation = compiler.lark(TOY).explain("if 1then y=1;")
    assert explanation is not None and explanation.offset == 4
    why = compiler.grammar("python").explain("def f(:\n")
    assert why is not None and why.offset == 6 and why.column == 7
    bitmask = np.zeros((1, (VOCABULARY.size + 31) // 32), np.int32)
    matcher = compiler.lark(TOY).matcher()
    matcher.accept_bytes(b"if x the")
    matcher.fill_bitmask(bitmask)
    assert bitmask.any()
