"""Bad input to the compiler: one table of what is wrong, the error's type, and what it must say."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from structgen import errors
from structgen.compiler import Compiler
from structgen.vocabulary import Vocabulary

VOCABULARY = Vocabulary([bytes([byte]) for byte in range(256)] + [None], 256)
WITHOUT_DIGITS = Vocabulary([bytes([b]) for b in range(256) if not 48 <= b < 58] + [None], 246)
ENDLESS = {"type": "array", "minItems": 1, "items": {"$ref": "#"}}
EMPTY_RANGE = {"type": "integer", "minimum": 3, "maximum": 2}
BACK_REFERENCE = {"items": {"pattern": "(a)\\1"}}
ENDLESS_STRING = {"type": "string", "maxLength": 10**12}

CASES = [
    # the call, the error, and pieces of its text
    (lambda c: c.json_schema('{"type": '), errors.InvalidSchemaError, ["not JSON", "line 1, column 10"]),
    (lambda c: c.json_schema("[1]"), errors.InvalidSchemaError, ["(root)", "an object or a boolean"]),
    (lambda c: c.json_schema({"items": {"type": "x"}}), errors.InvalidSchemaError, ["/items/type", "x"]),
    (lambda c: c.json_schema({"pattern": "a("}), errors.InvalidSchemaError, ["/pattern", "^"]),
    (lambda c: c.json_schema({"$ref": "#/nowhere"}), errors.InvalidSchemaError, ["/$ref", "nowhere"]),
    (lambda c: c.json_schema({}, colour="red"), errors.OptionError, ["'colour'", "whitespace"]),
    (lambda c: c.json_schema({}, whitespace="some"), errors.OptionError, ["'whitespace'", "'some'"]),
    (lambda c: c.json_schema(BACK_REFERENCE), errors.UnsupportedSchemaError, ["'pattern'", "/items/pattern"]),
    (lambda c: c.json_schema(EMPTY_RANGE), errors.UnsatisfiableSchemaError, []),
    (lambda c: c.json_schema(ENDLESS), errors.UnsatisfiableSchemaError, []),
    (lambda c: c.json_schema("[" * 10_000), errors.CompileLimitError, ["max_depth", "128 allowed"]),
    (lambda c: c.json_schema(ENDLESS_STRING), errors.CompileLimitError, ["make the source"]),
    (lambda c: c.regex("a(b"), errors.InvalidRegexError, ["column 2", "^"]),
    (lambda c: c.regex("[z-a]", "ecma"), errors.InvalidRegexError, ["column", "^"]),
    (lambda c: c.regex(r"(a+)\1"), errors.UnsupportedRegexError, ["back-reference", "column 5"]),
    (lambda c: c.regex("a", "perl"), errors.OptionError, ["'dialect'", "'perl'"]),  # type: ignore[arg-type]
    (lambda c: c.regex("a", flags="q"), errors.OptionError, ["'flags'"]),
    (lambda c: c.regex(5), errors.OptionError, ["'pattern'", "a string"]),  # type: ignore[arg-type]
    (lambda c: c.regex(r"[^\s\S]"), errors.UnsatisfiableGrammarError, ["no text matches"]),
    (lambda c: c.regex("(a{1,1000}){1,1000}"), errors.CompileLimitError, ["max_subset_work"]),
    (lambda c: c.lark("start: foo"), errors.InvalidGrammarError, ["'foo'", "column 8"]),
    (lambda c: c.lark("start: ("), errors.InvalidGrammarError, ["column 9"]),
    (lambda c: c.lark('start: "a"', start="other"), errors.InvalidGrammarError, ["'other'"]),
    (lambda c: c.lark('start: "a" start'), errors.UnsatisfiableGrammarError, ["without calling itself"]),
    (lambda c: c.gbnf("root ::= foo"), errors.InvalidGrammarError, ["'foo'", "column 10"]),
    (lambda c: c.gbnf('root ::= "a'), errors.InvalidGrammarError, ["column 10"]),
    (lambda c: c.gbnf('root ::= "a" root'), errors.UnsatisfiableGrammarError, ["without calling itself"]),
    (
        lambda c: c.lark('start: ("a" start?)~10000000', lexer="dynamic_complete"),
        errors.CompileLimitError,
        ["max_rule_states"],
    ),
    (
        lambda c: c.lark('start: A B | A "d" | "ac"\nA: /[ab]/\nB: "c"', lexer="basic"),
        errors.UnsupportedGrammarError,
        ["B may follow A", "longest match"],
    ),
    (lambda c: c.lark('start: "a"', lexer="lalr"), errors.OptionError, ["'lexer'", "'lalr'", "contextual"]),
    (lambda c: c.grammar("pyhton"), errors.OptionError, ["'name'", "python"]),
    (lambda c: c.grammar("python", "function"), errors.OptionError, ["'start'", "file_input"]),
    (lambda c: c.choice([]), errors.OptionError, ["'options'"]),
    (lambda c: c.choice("abc"), errors.OptionError, ["'options'"]),
    (lambda c: c.grammar("cobol"), errors.OptionError, ["'cobol'", "json"]),
    (lambda c: Compiler(c), errors.OptionError, ["'vocabulary'"]),
    (lambda c: Compiler(VOCABULARY, cache_size=-1), errors.OptionError, ["'cache_size'"]),
]  # fmt: skip


@pytest.mark.parametrize(("call", "kind", "said"), CASES)
def test_bad_input(call, kind, said):
    with pytest.raises(kind) as error:
        call(Compiler(VOCABULARY))
    for piece in said:
        assert piece in str(error.value)


def test_what_the_vocabulary_cannot_spell_is_unsatisfiable():
    with pytest.raises(errors.UnsatisfiableGrammarError, match="the vocabulary's tokens can spell"):
        Compiler(WITHOUT_DIGITS).regex("[0-9]+")
    with pytest.raises(errors.UnsatisfiableSchemaError, match="the vocabulary's tokens can spell"):
        Compiler(WITHOUT_DIGITS).json_schema({"type": "integer"})


def test_a_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        Compiler(VOCABULARY).lark(Path(tmp_path / "none.lark"))


def test_every_error_is_exported_and_rendered():
    position = errors.SourcePosition("a\nbcd\n", 3)
    assert (position.line, position.column) == (2, 2)
    assert position.render() == "line 2, column 2:\n  bcd\n   ^"
    long = errors.SourcePosition("x" * 500, 400).render()
    assert max(map(len, long.splitlines())) < 120 and long.splitlines()[2].index("^") == 52


def test_a_schema_that_holds_itself_beside_a_huge_one_is_refused_at_once():
    huge: dict[str, object] = {"type": "string"}
    for _ in range(40):
        huge = {"allOf": [huge, huge]}
    schema: dict[str, object] = {}
    schema["q"] = [schema, huge]
    begin = time.process_time()
    with pytest.raises(errors.StructgenError):
        Compiler(VOCABULARY).json_schema(schema)
    assert time.process_time() - begin < 2
