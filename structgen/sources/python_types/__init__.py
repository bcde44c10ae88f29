"""Python types as sources: a type's JSON Schema, and texts read back as values of the type.

Types are all that pydantic knows (its models, dataclasses, TypedDict, NamedTuple, Enum, Literal, unions,
containers, Annotated with constraints, ...) and functions, whose keyword arguments are an object.

The schema allows only what pydantic then takes. Where pydantic's own schema is wider, it is made narrower
here, or the type is refused (`schema_generator`). What remains is what no JSON Schema can say, and is told
by `PythonValueError` when a text is parsed:

- validators, which are code: AfterValidator, ``field_validator``, ``model_validator``, callable
  discriminators, and types that are made of them (EmailStr, ByteSize, FilePath, ImportString, ...), with
  the constraints that stand behind them;
- numbers beyond a float's range where it must be finite, closer to an exclusive bound than a float can
  be, multiples of a fraction that are so large that a float misses them, integers of more than 4,300
  digits;
- items of a set with a least length that differ as JSON and are equal in Python (``1`` and ``true``);
- values nested deeper than pydantic reads (some 200 levels).

Members that pydantic only drops are not in the schema: unknown names (unless ``extra="allow"``), computed
fields, fields with ``init=False``.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, overload

from structgen.errors import PythonTypeError, PythonValueError

if TYPE_CHECKING:
    from pydantic import TypeAdapter

__all__ = ["PythonType", "parse_as", "schema_of"]

T = TypeVar("T")

_STRING_OR_WHOLE = re.compile(r'"(?:[^"\\]|\\.)*"|(?<![\w.])(-?[0-9]+)\.0+(?![0-9eE])')


def schema_of(type_: Any) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a Python type, or of a function's keyword arguments.

    Raises `PythonTypeError` where it has none, and where pydantic is not installed.
    """
    return PythonType(type_).schema


@overload
def parse_as(type_: type[T], text: str) -> T: ...
@overload
def parse_as(type_: Any, text: str) -> Any: ...
def parse_as(type_: Any, text: str) -> Any:
    """The value of a Python type that a JSON text stands for; for a function its keyword arguments.

    Raises `PythonTypeError` as `schema_of`, `PythonValueError` where pydantic refuses the text.
    """
    return PythonType(type_).parse(text)


@dataclass(frozen=True, slots=True, init=False)
class PythonType:
    """A type with its schema and its reader, for parsing more than one text.

    type: as given. schema: its JSON Schema. Raises `PythonTypeError` when made.
    """

    type: Any
    schema: dict[str, Any]
    _adapter: TypeAdapter[Any]

    def __init__(self, type_: Any) -> None:
        adapter = _adapter_of(type_)
        object.__setattr__(self, "type", type_)
        object.__setattr__(self, "_adapter", adapter)
        object.__setattr__(self, "schema", _schema_of(type_, adapter))

    @property
    def schema_text(self) -> str:
        """The schema as JSON text."""
        return json.dumps(self.schema, ensure_ascii=False)

    def parse(self, text: str) -> Any:
        """The value that a JSON text stands for. Raises `PythonValueError`."""
        from pydantic import ValidationError

        try:
            return self._adapter.validate_json(text)
        except ValidationError as error:
            refusal = error
        # 1.0 is an integer in JSON Schema, and not for pydantic where it is strict or the number long
        plain = _STRING_OR_WHOLE.sub(lambda found: found[1] or found[0], text)
        if plain != text:
            try:
                return self._adapter.validate_json(plain)
            except ValidationError:
                pass  # what is wrong with the text as it stands is what to tell
        problems = refusal.errors(include_url=False, include_context=False, include_input=False)
        raise PythonValueError(
            self.type, text, tuple((_pointer(problem["loc"]), problem["msg"]) for problem in problems)
        ) from refusal


def _adapter_of(type_: Any) -> TypeAdapter[Any]:
    try:
        from pydantic import TypeAdapter
        from pydantic_core import SchemaError
    except ImportError as error:
        raise PythonTypeError(
            type_, "Python types need pydantic, which is not installed", "pip install 'structgen[pydantic]'"
        ) from error
    from structgen.sources.python_types.signatures import arguments_type, is_function

    if isinstance(type_, str):
        raise PythonTypeError(type_, "a text is not a type", "give the type itself")
    read = arguments_type(type_) if is_function(type_) else type_
    try:
        return TypeAdapter(read)
    except (RuntimeError, TypeError, NameError, SchemaError) as error:
        raise _no_schema(type_, error) from error


def _schema_of(type_: Any, adapter: TypeAdapter[Any]) -> dict[str, Any]:
    from pydantic_core import PydanticSerializationError

    from structgen.sources.python_types.schema_generator import ExactJsonSchema

    class Generator(ExactJsonSchema):
        python_type = type_

    try:
        return adapter.json_schema(schema_generator=Generator, mode="validation")
    except PythonTypeError:  # a TypeError too, but one that says all
        raise
    except (RuntimeError, TypeError, NameError, PydanticSerializationError) as error:
        raise _no_schema(type_, error) from error


def _no_schema(type_: Any, error: Exception) -> PythonTypeError:
    """What pydantic says of a type that it cannot take, without its advice on pydantic itself."""
    first = str(error).strip().split("\n\n")[0]
    return PythonTypeError(
        type_,
        first.split(". Set `arbitrary_types_allowed")[0],
        "use a type that JSON has, a dataclass or a pydantic model; or give its schema with "
        "pydantic.WithJsonSchema",
    )


def _pointer(place: tuple[int | str, ...]) -> str:
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in place)
