"""Types to grammars and back: every text that the masks allow is a value, and every value can be written."""

from __future__ import annotations

import datetime as dt
import decimal
import ipaddress
import json
import random
import uuid
from typing import Annotated, Any, Literal

import numpy as np
import pydantic
import pytest
import torch
from pydantic import Field, TypeAdapter
from test_python_types import (
    Base64,
    Box,
    Cat,
    Colour,
    Dog,
    Even,
    Hexadecimal,
    Level,
    Movie,
    Numbers,
    Open,
    Pair,
    Person,
    Pet,
    Point,
    Renamed,
    Segment,
    Stripped,
    Tree,
    greet,
    money,
    text,
)

from structgen import Compiler, Vocabulary, generate
from structgen.bitmask import allocate_bitmask
from structgen.compiled import CompiledGrammar
from structgen.errors import OptionError, PythonTypeError, PythonValueError
from structgen.sources.python_types import PythonType

# No blanks but the one between tokens, few letters, so that a drawn text ends soon.
TOKENS = [bytes([byte]) for byte in range(256)] + [b'",', b'":', b'"}', b"true", b"null", "é".encode(), None]
VOCABULARY = Vocabulary(TOKENS, len(TOKENS) - 1)
TEXTS = 40

# A type, and values of it that the grammar must let be written as pydantic writes them.
TYPES: list[tuple[Any, list[Any]]] = [
    (int, [0, -12, 10**30]),
    (Annotated[int, pydantic.Strict()], [3]),
    (Annotated[int, Field(ge=-5, lt=100)], [-5, 99]),
    (bool | None, [True, None]),
    (str, ["", 'a"\\\né😀']),
    (text(min_length=2, max_length=4), ["ab", "éééé"]),
    (text(pattern=r"^\d{2}\D$"), ["12a", "12é"]),
    (text(pattern=r"\bé\b"), ["a é b"]),
    (text(strip_whitespace=True, min_length=1), ["a b"]),
    (text(strip_whitespace=True, pattern="[a-c]$", min_length=2), ["aa"]),
    (text(ascii_only=True), ["ab"]),
    (Stripped, [Stripped(text="ab")]),
    (Literal["a", "b", 3], ["a", 3]),
    (Colour, list(Colour)),
    (list[Level], [[Level.LOW, Level.HIGH]]),
    (Annotated[list[int], Field(min_length=1, max_length=3)], [[1], [1, 2, 3]]),
    (tuple[int, str], [(1, "a")]),
    (dict[str, int], [{}, {"a": 1}]),
    (dict[Colour, int], [{Colour.RED: 1}]),
    (int | str | list[bool], [1, "a", [True]]),
    (Person, [Person(name="Ada", age=36), Person(name="x", age=0, email="a@b.c")]),
    (Tree, [Tree(label="a", children=[Tree(label="b"), Tree(label="c")])]),
    (Point, []),
    (Segment, []),
    (Movie, [{"title": "M"}, {"title": "M", "year": 1}]),
    (Pair, [Pair(1, "a")]),
    (Box[list[str]], [Box[list[str]](content=["a"])]),
    (Numbers, [Numbers([1])]),
    (Renamed, []),
    (Open, [Open(a=1), Open(a=1, b=2)]),
    (list[Pet], [[Cat(), Dog(kind="wolf", name="x")]]),
    (bytes, [b"ab"]),
    (Annotated[bytes, Field(max_length=3)], [b"abc"]),
    (Hexadecimal, [Hexadecimal(data="0aff")]),
    (Base64, [Base64(data="aGk=")]),
    (dt.date, [dt.date(2024, 2, 29), dt.date.min, dt.date.max]),
    (dt.time, [dt.time(1, 2, 3, 4), dt.time(1, tzinfo=dt.UTC)]),
    (dt.datetime, [dt.datetime(2020, 1, 1), dt.datetime.max.replace(tzinfo=dt.UTC)]),
    (pydantic.AwareDatetime, [dt.datetime(2020, 1, 1, tzinfo=dt.UTC)]),
    (dt.timedelta, [dt.timedelta(0), dt.timedelta(-1, 2, 3), dt.timedelta(400)]),
    (uuid.UUID, [uuid.UUID(int=0)]),
    (pydantic.UUID4, [uuid.UUID("00000000-0000-4000-8000-000000000000")]),
    (decimal.Decimal, [decimal.Decimal("1.50"), decimal.Decimal("1E+3")]),
    (complex, [1 - 2j, 2j]),
    (ipaddress.IPv4Address, [ipaddress.IPv4Address("1.2.3.4")]),
    (ipaddress.IPv6Address, [ipaddress.IPv6Address("::1"), ipaddress.IPv6Address("1:2::3")]),
    (pydantic.HttpUrl, [pydantic.HttpUrl("http://a.b:80/c?d#e")]),
    (pydantic.AnyUrl, [pydantic.AnyUrl("x://a-b.c")]),
    (pydantic.FileUrl, [pydantic.FileUrl("file:///a/b")]),
    (pydantic.PostgresDsn, [pydantic.PostgresDsn("postgres://user:secret@host:5432/name")]),
    (pydantic.Base64Bytes, []),
    # numbers that need not be integers, with bounds
    (float, [1.5, -1e-7]),
    (Annotated[float, Field(ge=-0.5, le=2.25)], [-0.5, 2.25]),
    (Annotated[float, Field(multiple_of=0.25, ge=0, le=100)], [0.25, 99.75]),
    (money(4, 2), [decimal.Decimal("12.50")]),
    (money(4, 2, ge=0), []),
    # uniqueItems
    (set[int], [{1, 2}]),
    (frozenset[Colour], [frozenset(Colour)]),
    (Annotated[set[Literal["a", "b", "c"]], Field(min_length=2)], [{"a", "c"}]),
    # propertyNames
    (dict[int, str], [{-12: "a"}]),
    (dict[dt.date, int], [{dt.date(2020, 1, 1): 1}]),
    (dict[text(pattern="^a"), int], [{"ab": 1}]),
    # minProperties, maxProperties
    (Annotated[dict[str, int], Field(min_length=1, max_length=2)], [{"a": 1}]),
    (Annotated[dict[Colour, int], Field(min_length=1)], [{Colour.RED: 1}]),
]


@pytest.fixture(scope="module")
def compiler() -> Compiler:
    return Compiler(VOCABULARY)


def drawn(grammar: CompiledGrammar, rng: random.Random) -> str | None:
    """A text drawn from the masks; None where it has not ended after many tokens."""
    matcher = grammar.matcher()
    bitmask = allocate_bitmask(1, VOCABULARY.size)
    eos = VOCABULARY.eos_token_ids[0]
    ending = np.array([t is not None and t[-1:] in b'"}],: ' and t != b" " for t in VOCABULARY.tokens])
    plain = np.array([t is not None and t.isascii() and t.decode().isprintable() for t in VOCABULARY.tokens])
    written = b""
    for _ in range(300):
        matcher.fill_bitmask(bitmask, 0)
        allowed = np.unpackbits(bitmask.view(np.uint8), bitorder="little")[: VOCABULARY.size].astype(bool)
        assert allowed.any()
        if allowed[eos] and rng.random() < 0.5:
            return written.decode()
        for preferred, likelihood in ((ending, 0.4), (plain, 0.9)):
            if (allowed & preferred).any() and rng.random() < likelihood:
                allowed = allowed & preferred
        allowed[eos] &= not allowed[:eos].any()
        token = int(rng.choice(np.flatnonzero(allowed).tolist()))
        if token == eos:
            return written.decode()
        assert matcher.accept(token)
        written += VOCABULARY.tokens[token] or b""
    return None


@pytest.mark.parametrize(("type_", "values"), TYPES, ids=[str(type_) for type_, _ in TYPES])
def test_what_the_masks_allow_is_a_value_and_values_can_be_written(
    compiler: Compiler, type_: Any, values: list[Any]
) -> None:
    python_type = PythonType(type_)
    grammar = compiler.json_schema(type_)
    rng = random.Random(5)
    ended = 0
    for _ in range(TEXTS):
        written = drawn(grammar, rng)
        if written is not None:
            ended += 1
            python_type.parse(written)  # raises PythonValueError where pydantic refuses
    assert ended
    adapter = TypeAdapter(type_)
    for value in values:
        matcher = grammar.matcher()
        written = adapter.dump_json(value, by_alias=True)
        assert matcher.accept_bytes(written) and matcher.is_accepting, written


def test_arguments_of_a_function(compiler: Compiler) -> None:
    grammar = compiler.json_schema(greet)
    python_type = PythonType(greet)
    rng = random.Random(5)
    for _ in range(TEXTS):
        written = drawn(grammar, rng)
        if written is not None:
            greet(**python_type.parse(written))


# -- generate ---------------------------------------------------------------------------------------


def test_generate_gives_values(tiny) -> None:
    torch.manual_seed(0)
    options = {"do_sample": True, "temperature": 3.0, "max_new_tokens": 40}
    results = generate(tiny.model, tiny.tokenizer, ["x"] * 12, output_type=list[Colour] | bool, **options)
    seen = set()
    for result in results:
        seen.add(result.status)
        if result.status == "complete":
            assert result.value == TypeAdapter(list[Colour] | bool).validate_json(result.text)
        else:
            assert result.value is None
        assert result.refusal is None
    assert seen == {"complete", "truncated"}


def test_generate_with_none_a_function_and_one_prompt(tiny) -> None:
    result = generate(tiny.model, tiny.tokenizer, "x", output_type=None)
    assert (result.text, result.status, result.value) == ("null", "complete", None)

    def set_colour(colour: Literal["red"]) -> None: ...

    result = generate(tiny.model, tiny.tokenizer, "x", output_type=set_colour, max_new_tokens=120)
    if result.status == "complete":
        set_colour(**result.value)
    assert generate(tiny.model, tiny.tokenizer, [], output_type=bool) == []


def test_a_text_cut_off_has_no_value_and_raises_nothing(tiny) -> None:
    result = generate(tiny.model, tiny.tokenizer, "x", output_type=Literal["a long text"], max_new_tokens=3)
    assert (result.status, result.value, result.refusal) == ("truncated", None, None)


def test_a_text_that_a_validator_refuses_raises_where_its_value_is_read(tiny) -> None:
    def refuse(value: str) -> str:
        if value == "a":
            raise ValueError("never")
        return value

    type_ = Annotated[Literal["a", "b"], pydantic.AfterValidator(refuse)]
    torch.manual_seed(0)
    options = {"do_sample": True, "temperature": 20.0}
    results = generate(tiny.model, tiny.tokenizer, ["x"] * 16, output_type=type_, **options)
    refused = [result for result in results if result.refusal is not None]
    assert {json.loads(result.text) for result in refused} == {"a"} and len(refused) < len(results)
    assert {result.value for result in results if result.refusal is None} == {"b"}
    with pytest.raises(PythonValueError, match="never") as error:
        _ = refused[0].value
    assert error.value.text == refused[0].text


def test_the_compiler_of_a_tokenizer_is_kept(tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    generate(tiny.model, tiny.tokenizer, "x", output_type=bool)
    monkeypatch.setattr(Compiler, "__init__", None)
    assert generate(tiny.model, tiny.tokenizer, "x", output_type=bool).status == "complete"


def test_wrong_arguments(tiny) -> None:
    grammar = tiny.compiler.choice(["yes"])
    with pytest.raises(OptionError, match=r"option 'output_type'.*not to be given beside 'grammar'"):
        generate(tiny.model, tiny.tokenizer, "x", grammar, output_type=bool)
    with pytest.raises(OptionError, match=r"option 'grammar': got None.*or an output_type"):
        generate(tiny.model, tiny.tokenizer, "x")
    with pytest.raises(PythonTypeError, match="unhashable"):
        generate(tiny.model, tiny.tokenizer, "x", output_type=set[list[int]])
    with pytest.raises(OptionError, match="option 'model'"):
        generate(None, tiny.tokenizer, "x", output_type=bool)
    result = generate(tiny.model, tiny.tokenizer, "x", grammar)
    assert (result.value, result.refusal) == (None, None)


def test_an_even_number_is_what_the_grammar_cannot_say(compiler: Compiler) -> None:
    assert compiler.json_schema(Even).matcher().accept_bytes(b'{"numbers": [1')
