"""Python types: what their schemas allow, that pydantic then takes it, and what is refused by name."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import functools
import ipaddress
import json
import pathlib
import re
import sys
import typing
import uuid
import zoneinfo
from typing import Annotated, Any, Generic, Literal, NamedTuple, NotRequired, Optional, TypeVar, Union

import jsonschema
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter
from typing_extensions import TypedDict

from structgen import Compiler, Vocabulary, parse_as, schema_of
from structgen.errors import InvalidSchemaError, PythonTypeError, PythonValueError
from structgen.sources.python_types import PythonType
from structgen.sources.python_types.foreign_patterns import ForeignPatternError, ecma_pattern

T = TypeVar("T")


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Person(BaseModel):
    name: Annotated[str, Field(min_length=1, max_length=10)]
    age: Annotated[int, Field(ge=0, le=120)]
    email: str | None = None


class Tree(BaseModel):
    label: str
    children: list[Tree] = []


@dataclasses.dataclass
class Point:
    x: int
    y: int = 0
    norm: int = dataclasses.field(init=False, default=3)


@pydantic.dataclasses.dataclass
class Segment:
    begin: Point
    end: Point


class Movie(TypedDict):
    title: str
    year: NotRequired[int]


class Pair(NamedTuple):
    left: int
    right: str = "x"


class Box(BaseModel, Generic[T]):
    content: T


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"
    lives: int = 9


class Dog(BaseModel):
    kind: Literal["dog", "wolf"]
    name: str = ""


Pet = Annotated[Cat | Dog, Field(discriminator="kind")]


class Numbers(pydantic.RootModel[list[int]]):
    pass


class Renamed(BaseModel):
    number: int = Field(alias="No")
    choice: int = Field(validation_alias=pydantic.AliasChoices("first", pydantic.AliasPath("a", "b")))


class ByName(BaseModel):
    model_config = ConfigDict(validate_by_alias=False, validate_by_name=True)
    number: int = Field(alias="No")


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, int]
    a: int


class Stripped(BaseModel):
    model_config = ConfigDict(str_strip_whitespace=True, str_min_length=2, str_max_length=4)
    text: str


class Hexadecimal(BaseModel):
    model_config = ConfigDict(val_json_bytes="hex", ser_json_bytes="hex")
    data: bytes


class Base64(BaseModel):
    model_config = ConfigDict(val_json_bytes="base64", ser_json_bytes="base64")
    data: bytes


def money(digits: int | None = None, places: int | None = None, **bounds: Any) -> Any:
    return Annotated[decimal.Decimal, Field(max_digits=digits, decimal_places=places, **bounds)]


def text(**constraints: Any) -> Any:
    return Annotated[str, StringConstraints(**constraints)]


UUID4 = "00000000-0000-4000-8000-000000000000"

# type, {text: value}, texts outside the schema (pydantic may take them)
TYPES: list[tuple[Any, dict[str, Any], list[str]]] = [
    (int, {"1": 1, "1.0": 1, "9007199254740993.0": 9007199254740992}, ["1.5", '"1"', "true"]),
    (Annotated[int, pydantic.Strict()], {"1.0": 1, "123456789012345678901.00": 123456789012345678901}, []),
    (Annotated[int, Field(gt=0, multiple_of=3)], {"3": 3}, ["0", "4"]),
    (Annotated[int, pydantic.AfterValidator(abs), Field(ge=2)], {"3": 3}, ["1"]),
    (float, {"1": 1.0, "1.5e3": 1500.0}, ['"1"', "null"]),
    (bool, {"true": True}, ["1", '"true"']),
    (str, {'"1.0"': "1.0", '"\\u00e9"': "é"}, ["1"]),
    (None, {"null": None}, ["0"]),
    (Any, {'[1, {"a": 1.0}]': [1, {"a": 1.0}]}, []),
    (Literal["a", 1, None], {'"a"': "a", "1": 1, "1.0": 1, "null": None}, ['"b"', "2"]),
    (Literal[Level.LOW], {"1": Level.LOW}, ["2"]),
    (Colour, {'"red"': Colour.RED}, ['"RED"']),
    (Level, {"1": Level.LOW, "2.0": Level.HIGH}, ["3", '"1"']),
    (Optional[int], {"null": None, "2": 2}, ['"2"']),  # noqa: UP045
    (Union[int, float], {"1": 1, "1.0": 1.0}, []),  # noqa: UP007
    (int | list[str], {"1": 1, '["a"]': ["a"]}, ["[1]"]),
    (list[int], {"[1, 2]": [1, 2]}, ['["1"]']),
    (Annotated[list[int], Field(min_length=1, max_length=2)], {"[1]": [1]}, ["[]", "[1,2,3]"]),
    (set[int], {"[1, 2]": {1, 2}}, ["[1, 1]"]),
    (frozenset[tuple[int, str]], {'[[1, "a"]]': frozenset({(1, "a")})}, ['[["a", 1]]']),
    (tuple[int, str], {'[1, "a"]': (1, "a")}, ["[1]", '[1, "a", 2]']),
    (tuple[int, ...], {"[]": (), "[1, 2]": (1, 2)}, ['["a"]']),
    (tuple[()], {"[]": ()}, ["[1]"]),
    (collections.deque[int], {"[1]": collections.deque([1])}, ['["a"]']),
    (typing.Sequence[int], {"[1]": [1]}, ['["a"]']),
    (dict[str, int], {'{"a": 1}': {"a": 1}}, ['{"a": "b"}']),
    (dict[int, str], {'{"-12": "b"}': {-12: "b"}}, ['{"a": "b"}', '{"01": "b"}']),
    (dict[float, int], {'{"1.5": 1}': {1.5: 1}}, ['{"a": 1}']),
    (dict[bool, int], {'{"true": 1}': {True: 1}}, ['{"a": 1}']),
    (dict[Colour, int], {'{"red": 1}': {Colour.RED: 1}}, ['{"green": 1}']),
    (dict[Literal["a", "b"], int], {"{}": {}, '{"b": 1}': {"b": 1}}, ['{"c": 1}', '{"a": "x"}']),
    (dict[int | None, int], {'{"1": 1}': {1: 1}}, ['{"x": 1}']),
    (dict[int | str, int], {'{"1": 1, "x": 2}': {"1": 1, "x": 2}}, []),
    (dict[text(pattern="^a", min_length=2), int], {'{"ab": 1}': {"ab": 1}}, ['{"a": 1}', '{"ba": 1}']),
    (dict[uuid.UUID, int], {f'{{"{UUID4}": 1}}': {uuid.UUID(UUID4): 1}}, ['{"x": 1}']),
    (Annotated[dict[str, int], Field(min_length=1, max_length=1)], {'{"a": 1}': {"a": 1}}, ["{}"]),
    (Person, {'{"name": "Ada", "age": 36}': Person(name="Ada", age=36)}, ['{"name": "", "age": 1}', "{}"]),
    (Person, {}, ['{"name": "Ada", "age": 36, "more": 1}']),
    (Tree, {'{"label": "a", "children": [{"label": "b"}]}': Tree(label="a", children=[Tree(label="b")])}, []),
    (Point, {'{"x": 1}': Point(1)}, ['{"x": 1, "norm": 5}', '{"x": 1, "z": 1}']),
    (Segment, {'{"begin": {"x": 1}, "end": {"x": 2}}': Segment(Point(1), Point(2))}, ['{"begin": {"x": 1}}']),
    (Movie, {'{"title": "M"}': {"title": "M"}}, ['{"title": "M", "more": 1}', "{}"]),
    (Pair, {'[1, "a"]': Pair(1, "a"), "[1]": Pair(1)}, ["[]", '{"left": 1}']),
    (Box[int], {'{"content": 1}': Box[int](content=1)}, ['{"content": "a"}']),
    (Numbers, {"[1]": Numbers([1])}, ['["a"]']),
    (Pet, {'{"kind": "cat"}': Cat(), '{"kind": "wolf"}': Dog(kind="wolf")}, ["{}", '{"lives": 3}']),
    (list[Pet], {'[{"kind": "cat", "lives": 2}]': [Cat(lives=2)]}, ['[{"kind": "dog", "lives": 2}]']),
    (Renamed, {'{"No": 1, "first": 2}': Renamed(No=1, first=2)}, ['{"number": 1, "choice": 2}']),
    (ByName, {'{"number": 1}': ByName(number=1)}, ['{"No": 1}']),
    (Open, {'{"a": 1, "b": 2}': Open(a=1, b=2)}, ['{"a": 1, "b": "x"}']),
    (text(min_length=2, max_length=3), {'"ab"': "ab"}, ['"a"', '"abcd"']),
    (text(strip_whitespace=True), {'" a "': "a"}, []),
    (text(strip_whitespace=True, min_length=1), {'"a b"': "a b"}, ['" "', '" a"', '"a\\u0085"', '""']),
    (text(strip_whitespace=True, pattern="^a"), {'"ab"': "ab"}, ['" ab"', '"ba"']),
    (text(ascii_only=True), {'"a"': "a"}, ['"é"']),
    (text(pattern=r"^\d+$"), {'"12"': "12"}, ['"٣"', '"1a"']),
    (text(pattern=re.compile(r"\Ab+\Z")), {'"bb"': "bb"}, ['"ab"']),
    (Stripped, {'{"text": "ab"}': Stripped(text="ab")}, ['{"text": "  a "}', '{"text": "abcde"}']),
    (bytes, {'"é"': b"\xc3\xa9"}, ["1"]),
    (Annotated[bytes, Field(max_length=2)], {'"ab"': b"ab"}, ['"éé"', '"abc"']),
    (Hexadecimal, {'{"data": "0aff"}': Hexadecimal(data="0aff")}, ['{"data": "0"}', '{"data": "xy"}']),
    (Base64, {'{"data": "aGk="}': Base64(data="aGk=")}, ['{"data": "a"}', '{"data": "aGl="}']),
    (pydantic.Base64Bytes, {'"aGk="': b"hi"}, ['"a"', '"aGl="', '"é"']),
    (dt.date, {'"2024-02-29"': dt.date(2024, 2, 29)}, ['"2023-02-29"', '"0000-01-01"', '"1900-02-29"']),
    (dt.time, {'"23:59:59"': dt.time(23, 59, 59)}, ['"23:59:60"', '"24:00:00"']),
    (dt.datetime, {'"2020-01-01T00:00:00"': dt.datetime(2020, 1, 1)}, ['"2020-01-01T00:00:60Z"', '"x"']),
    (pydantic.NaiveDatetime, {'"2020-01-01T00:00:00"': dt.datetime(2020, 1, 1)}, ['"2020-01-01T00:00:00Z"']),
    (pydantic.AwareDatetime, {}, ['"2020-01-01T00:00:00"']),
    (dt.timedelta, {'"-P1DT2.5S"': -dt.timedelta(days=1, seconds=2.5)}, ['"P"', '"PT"', '"P1DT"', '"1"']),
    (uuid.UUID, {f'"{UUID4}"': uuid.UUID(UUID4)}, ['"x"']),
    (pydantic.UUID4, {f'"{UUID4}"': uuid.UUID(UUID4)}, ['"00000000-0000-1000-8000-000000000000"']),
    (decimal.Decimal, {'"1.10"': decimal.Decimal("1.10")}, ['"x"', '"NaN"', "1e999"]),
    (money(4, 2), {"12.5": decimal.Decimal("12.5"), '"12.50"': decimal.Decimal("12.50")}, ['"123"', "100"]),
    (money(4, 2), {}, ["0.125", '"0.125"', '"1e1"', "-100"]),
    (money(3), {'"0.001"': decimal.Decimal("0.001"), '"123"': decimal.Decimal(123)}, ['"1.234"', "1"]),
    (money(None, 1), {'"12345.5"': decimal.Decimal("12345.5")}, ['"0.25"']),
    (money(None, 1, ge=0), {"12345.5": decimal.Decimal("12345.5")}, ["0.25", "-1"]),
    (money(ge=0, multiple_of=5), {"15": decimal.Decimal(15)}, ["3", "-5"]),
    (money(2, 2), {"0.99": decimal.Decimal("0.99")}, ["1", '"1"']),
    (money(4, 2, ge=0, lt=1000), {"99.99": decimal.Decimal("99.99")}, ["-1", '"1"', "100"]),
    (fractions.Fraction, {'"1/3"': fractions.Fraction(1, 3)}, ['"1/0"', "0.5"]),
    (Annotated[fractions.Fraction, Field(ge=0)], {"0.5": fractions.Fraction(1, 2)}, ["-1", '"1/3"']),
    (complex, {'"1-2j"': 1 - 2j, '"2j"': 2j}, ['"x"', '"1+2"']),
    (pathlib.Path, {'"a/b"': pathlib.Path("a/b")}, ["1"]),
    (pydantic.SecretStr, {'"a"': pydantic.SecretStr("a")}, ["1"]),
    (zoneinfo.ZoneInfo, {'"Europe/Berlin"': zoneinfo.ZoneInfo("Europe/Berlin")}, ['"x"']),
    (ipaddress.IPv4Address, {'"1.2.3.4"': ipaddress.IPv4Address("1.2.3.4")}, ['"01.2.3.4"', '"256.1.1.1"']),
    (ipaddress.IPv6Address, {'"::1"': ipaddress.IPv6Address("::1")}, ['":::"', '"1::2::3"']),
    (ipaddress.IPv4Interface, {'"1.2.3.4/8"': ipaddress.IPv4Interface("1.2.3.4/8")}, ['"1.2.3.4/33"']),
    (pydantic.IPvAnyAddress, {'"::"': ipaddress.IPv6Address("::")}, ['"x"']),
    (pydantic.HttpUrl, {'"http://a.b/c?d#e"': pydantic.HttpUrl("http://a.b/c?d#e")}, ['"ftp://a"', '"http://a.1"']),
    (pydantic.AnyUrl, {'"x://a-b.c"': pydantic.AnyUrl("x://a-b.c")}, ['"http://xn--a"', '"http://a:99999"']),
]  # fmt: skip


@pytest.mark.parametrize(("type_", "good", "bad"), TYPES)
def test_schema_and_parse(type_: Any, good: dict[str, Any], bad: list[str]) -> None:
    schema = schema_of(type_)
    assert json.loads(json.dumps(schema)) == schema
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    for written, value in good.items():
        assert validator.is_valid(json.loads(written)), written
        read = parse_as(type_, written)
        assert read == value and type(read) is type(value), written
    for written in bad:
        assert not validator.is_valid(json.loads(written)), written


def greet(name: str, times: Annotated[int, Field(ge=1)] = 1, *, loud: bool = Field(False)) -> str:
    """Say hello."""
    return name * times + "!" * loud


class Robot:
    def move(self, to: Point, speed: float = 1.0) -> None: ...

    def __call__(self, x: int) -> int:
        return x


def later(point: Point, rest: list[Later] | None = None) -> None: ...


class Later(BaseModel):
    z: int


FUNCTIONS: list[tuple[Any, dict[str, dict[str, Any]], list[str]]] = [
    (greet, {'{"name": "a"}': {"name": "a", "loud": False}}, ['{"name": "a", "times": 0}', "[]"]),
    (greet, {}, ['{"name": "a", "more": 1}']),
    (functools.partial(greet, "a"), {'{"times": 2}': {"times": 2, "loud": False}}, ['{"name": "b"}']),
    (Robot().move, {'{"to": {"x": 1}}': {"to": Point(1)}}, ['{"self": 1, "to": {"x": 1}}']),
    (later, {'{"point": {"x": 1}, "rest": [{"z": 1}]}': {"point": Point(1), "rest": [Later(z=1)]}}, []),
    (pydantic.validate_call(greet), {'{"name": "a", "loud": true}': {"name": "a", "loud": True}}, []),
    (functools.lru_cache(greet), {'{"name": "a", "loud": true}': {"name": "a", "loud": True}}, []),
    (lambda: None, {"{}": {}}, ['{"a": 1}']),
]  # fmt: skip


@pytest.mark.parametrize(("function", "good", "bad"), FUNCTIONS)
def test_functions(function: Any, good: dict[str, dict[str, Any]], bad: list[str]) -> None:
    test_schema_and_parse(function, good, bad)
    for written in good:
        function(**parse_as(function, written))


def test_the_schema_of_a_function_tells_its_name_and_purpose() -> None:
    schema = schema_of(greet)
    assert (schema["title"], schema["description"]) == ("greet", "Say hello.")
    assert list(schema["properties"]) == ["name", "times", "loud"] and schema["required"] == ["name"]


class Arbitrary: ...


class WithAPath(BaseModel):
    a: int = Field(validation_alias=pydantic.AliasPath("x", 0))


class Odd(enum.Enum):
    A = (1, 2)


class Nested(BaseModel):
    born: pydantic.PastDate


class Encoded(BaseModel):
    model_config = ConfigDict(val_json_bytes="base64")
    data: Annotated[bytes, Field(max_length=3)]


def variadic(*names: str) -> None: ...
def keywords(**names: str) -> None: ...
def positional(name: str, /) -> None: ...
def untyped(name) -> None: ...  # type: ignore[no-untyped-def]
def lost(name: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821


Ipv4Alias = typing.NewType("Ipv4Alias", ipaddress.IPv4Network)

REFUSED: list[tuple[Any, list[str]]] = [
    (Arbitrary, ["type Arbitrary", "Unable to generate", "WithJsonSchema"]),
    (list[Arbitrary], ["Arbitrary"]),
    (5, ["type 5"]),
    ("int", ["'int'", "a text is not a type"]),
    (typing.Never, ["Never"]),
    (typing.Callable[[int], int], ["Callable"]),
    (type[int], ["a class has no JSON form"]),
    (typing.ForwardRef("Missing"), ["Missing"]),
    (typing.TypedDict("Old", {"a": int}), ["typing_extensions.TypedDict"])
    if sys.version_info < (3, 12)
    else (Arbitrary, []),
    (Literal[b"x"], ["b'x'", "use str, int"]),
    (Literal[Colour.RED], ["<Colour.RED: 'red'>", "its value"]),
    (Odd, ["in", "(1, 2)"]),
    (set[list[int]], ["unhashable", "use a list"]),
    (set[Person], ["unhashable"]),
    (frozenset[Any], ["unhashable"]),
    (set, ["unhashable"]),
    (dict[tuple[int, int], int], ["keys of a dict"]),
    (dict[Annotated[int, Field(ge=0)], int], ["keys of a dict"]),
    (dict[Literal[1], int], ["keys of a dict"]),
    (Annotated[dt.date, Field(ge=dt.date(2020, 1, 1))], ["no bounds for a date", "2020-01-01"]),
    (Annotated[dt.timedelta, Field(gt=dt.timedelta(0))], ["no bounds for a timedelta"]),
    (Nested, ["type Nested: in Nested:", "now_op=past"]),
    (Encoded, ["number of characters in base64"]),
    (Annotated[decimal.Decimal, Field(max_digits=3, ge=0)], ["its digits and its bounds"]),
    (pydantic.Json[int], ["holds JSON", "use the type that is in it"]),
    (re.Pattern, ["regular expressions"]),
    (ipaddress.IPv4Network, ["ipv4network"]),
    (Ipv4Alias, ["ipv4network"]),
    (WithAPath, ["AliasPath ['x', 0]"]),
    (text(pattern=re.compile("a", re.I)), ["re.IGNORECASE", "[Aa]"]),
    (text(pattern="(?i)a"), ["'(?i)' at offset 0 of the pattern '(?i)a'", "ECMA-262"]),
    (text(pattern="a(b"), ["regex parse error"]),
    (variadic, ["type variadic", "*names", "a parameter that is a list"]),
    (keywords, ["**names", "named parameters"]),
    (positional, ["positional-only", "remove the '/'"]),
    (untyped, ["'name' has no annotation", "typing.Any"]),
    (Robot.move, ["'self' has no annotation"]),
    (lost, ["Nowhere"]),
    (print, ["parameter *args"]),
]  # fmt: skip


@pytest.mark.parametrize(("type_", "said"), REFUSED)
def test_refused_types(type_: Any, said: list[str]) -> None:
    for call in (lambda: schema_of(type_), lambda: parse_as(type_, "1")):
        with pytest.raises(PythonTypeError) as error:
            call()
        assert error.value.type is type_ and error.value.remedy
        for piece in said:
            assert piece in str(error.value)


def test_without_pydantic(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydantic", None)
    with pytest.raises(PythonTypeError, match=r"pip install 'structgen\[pydantic\]'"):
        schema_of(int)


def not_odd(value: int) -> int:
    if value % 2:
        raise ValueError("odd")
    return value


class Even(BaseModel):
    numbers: list[Annotated[int, pydantic.AfterValidator(not_odd)]]


def test_a_text_that_is_refused_is_told_whole() -> None:
    written = '{"numbers": [2, 3, 5]}'
    with pytest.raises(PythonValueError) as error:
        parse_as(Even, written)
    assert (error.value.type, error.value.text) == (Even, written)
    assert [place for place, _ in error.value.problems] == ["/numbers/1", "/numbers/2"]
    assert str(error.value).splitlines() == [
        "the text is not a value of Even:",
        "  at /numbers/1: Value error, odd",
        "  at /numbers/2: Value error, odd",
        f"the text: {written}",
    ]
    with pytest.raises(PythonValueError, match=r"at \(root\): Invalid JSON"):
        parse_as(Person, '{"name": "A')
    with pytest.raises(PythonValueError, match=r"the text: 5\.00"):  # what was given, not what was tried
        parse_as(Annotated[str, pydantic.Strict()], "5.00")


def test_whole_numbers_within_texts_stay_as_they_are() -> None:
    class Strict(BaseModel):
        model_config = ConfigDict(strict=True)
        number: int
        note: str

    assert parse_as(Strict, '{"number": 1.0, "note": "\\"1.0, 2.0"}').note == '"1.0, 2.0'


def test_the_compiler_takes_types() -> None:
    compiler = Compiler(Vocabulary([bytes([byte]) for byte in range(256)] + [None], 256))
    grammar = compiler.json_schema(Colour)
    assert (
        grammar is compiler.json_schema(Colour) is compiler.json_schema(schema_of(Colour), integers="plain")
    )
    assert grammar is not compiler.json_schema(Colour, whitespace="compact")
    assert grammar.matcher().accept_bytes(b'"red"') and not grammar.matcher().accept_bytes(b'"green"')
    assert compiler.json_schema(str).matcher().accept_bytes(b'"x"')
    for wrong in (None, 5, [Colour], b"{}"):
        with pytest.raises(InvalidSchemaError):
            compiler.json_schema(wrong)
    with pytest.raises(PythonTypeError):
        compiler.json_schema(Arbitrary)


# -- what pydantic writes, it and the schema take again ------------------------------------------------

NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
SMALL = st.integers(-(2**70), 2**70)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
OFFSETS = st.timezones() | st.none()
CENTS = st.decimals(-99, 99, places=2)
PERSONS = st.builds(Person, name=st.text("abc é", min_size=1, max_size=10), age=st.integers(0, 120))
LEAVES = st.builds(Tree, label=NAMES)
TREES = st.recursive(
    LEAVES, lambda t: st.builds(Tree, label=NAMES, children=st.lists(t, max_size=3)), max_leaves=5
)
CATS = st.builds(Cat, lives=SMALL)
DOGS = st.builds(Dog, kind=st.sampled_from(["dog", "wolf"]), name=NAMES)
ROUND_TRIPS: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (int, SMALL),
    (float, FINITE),
    (str, NAMES),
    (bytes, NAMES.map(str.encode)),
    (Literal["a", 1, None], st.sampled_from(["a", 1, None])),
    (Colour, st.sampled_from(Colour)),
    (Level | None, st.sampled_from(Level) | st.none()),
    (int | str | list[float], SMALL | NAMES | st.lists(FINITE)),
    (set[int], st.sets(SMALL)),
    (frozenset[str], st.frozensets(NAMES)),
    (tuple[int, str], st.tuples(SMALL, NAMES)),
    (dict[int, list[str]], st.dictionaries(SMALL, st.lists(NAMES))),
    (dict[Colour, int], st.dictionaries(st.sampled_from(Colour), SMALL)),
    (dict[dt.date, bool], st.dictionaries(st.dates(), st.booleans())),
    (dict[uuid.UUID, None], st.dictionaries(st.uuids(), st.none())),
    (Person, PERSONS),
    (Tree, TREES),
    (Movie, st.fixed_dictionaries({"title": NAMES}, optional={"year": SMALL})),
    (Pair, st.builds(Pair, SMALL, NAMES)),
    (Box[list[str]], st.builds(Box[list[str]], content=st.lists(NAMES))),
    (list[Pet], st.lists(CATS | DOGS)),
    (dt.date, st.dates()),
    (dt.time, st.times()),
    (dt.datetime, st.datetimes(timezones=OFFSETS)),
    (dt.timedelta, st.timedeltas(dt.timedelta(-10**7), dt.timedelta(10**7))),
    (uuid.UUID, st.uuids()),
    (decimal.Decimal, st.decimals(allow_nan=False, allow_infinity=False)),
    (money(4, 2), CENTS),
    (money(4), CENTS),
    (money(None, 2), CENTS),
    (fractions.Fraction, st.fractions()),
    (complex, st.complex_numbers(allow_nan=False, allow_infinity=False, max_magnitude=1e6)),
    (ipaddress.IPv4Address, st.ip_addresses(v=4)),
    (ipaddress.IPv6Address, st.ip_addresses(v=6)),
    (ipaddress.IPv4Interface, st.ip_addresses(v=4).map(lambda a: ipaddress.IPv4Interface(f"{a}/7"))),
    (Hexadecimal, st.builds(Hexadecimal, data=st.binary().map(bytes.hex))),
]  # fmt: skip
PREPARED = [
    (PythonType(t), TypeAdapter(t), jsonschema.Draft202012Validator(schema_of(t)), values)
    for t, values in ROUND_TRIPS
]


@given(st.data())
@pytest.mark.parametrize("case", range(len(PREPARED)), ids=[str(t) for t, _ in ROUND_TRIPS])
def test_what_pydantic_writes_is_in_the_schema_and_read_back(case: int, data: st.DataObject) -> None:
    python_type, adapter, validator, values = PREPARED[case]
    value = data.draw(values)
    written = adapter.dump_json(value).decode()
    assert validator.is_valid(json.loads(written)), written
    read = python_type.parse(written)
    # an offset's seconds and a zone's name are not written
    assert read == value or adapter.dump_json(read).decode() == written


# -- patterns -------------------------------------------------------------------------------------------

PATTERNS: list[tuple[str, str | None, str | None]] = [
    # given, read as Rust's, read as Python's; None: refused
    (r"^[A-Z]{2}-[0-9]+$", r"^[A-Z]{2}-[0-9]+$", r"^[A-Z]{2}-[0-9]+$"),
    (r"\d\D", r"[0-9]\P{Nd}", r"[0-9]\P{Nd}"),
    (r"[\d_]", r"[0-9_]", r"[0-9_]"),
    (r"[^\d]", r"[^\p{Nd}]", r"[^\p{Nd}]"),
    (r"[\S]", r"[\P{White_Space}]", None),
    (r"[\W]", None, None),
    (r"[\s\S]*.", r"[\s\S]*[^\n]", r"[\s\S]*[^\n]"),
    (r"\Aa\z", r"^a$", None),
    (r"\Aa\Z", None, r"^a$"),
    (r"a(?!\d$)", r"a(?!\p{Nd}$)", r"a(?!\p{Nd}(?=\n?$))"),
    (r"(?P<x>a)(?<y>b)(?:c)", "(?:a)(?:b)(?:c)", "(?:a)(?:b)(?:c)"),
    (r"a{,3}?{b}", r"a{0,3}?\{b\}", r"a{0,3}?\{b\}"),
    (r"\x41\u00e9\U0001F600\t\a", r"\u0041\u00e9\u{1f600}\t\x07", r"\u0041\u00e9\u{1f600}\t\x07"),
    (r"\x{41}\pL\p{Lu}", r"\u0041\p{L}\p{Lu}", None),
    (r"\-\.\/\ ", r"\-\.\/\ ", r"\-\.\/\ "),
    (r"[[:alpha:]]", None, None),
    (r"[a&&b]", None, None),
    (r"[]a]", None, None),
    (r"a++", None, None),
    (r"(?i)a", None, None),
    (r"(?>a)", None, None),
    (r"(a)\1", None, None),
    (r"\p{Greek}", None, None),
    ("[a", None, None),
    ("a\\", None, None),
]  # fmt: skip


@pytest.mark.parametrize(("pattern", "rust", "python"), PATTERNS)
def test_patterns(pattern: str, rust: str | None, python: str | None) -> None:
    for dialect, expected in (("rust", rust), ("python", python)):
        if expected is None:
            with pytest.raises(ForeignPatternError):
                ecma_pattern(pattern, dialect)
        else:
            assert ecma_pattern(pattern, dialect) == expected
