"""A function's parameters as one type: a TypedDict, whose values are its keyword arguments."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any, NotRequired

from pydantic import ConfigDict
from pydantic.fields import FieldInfo
from typing_extensions import TypedDict

from structgen.errors import PythonTypeError

_EMPTY = inspect.Parameter.empty
_REFUSED = {
    inspect.Parameter.POSITIONAL_ONLY: (
        "is positional-only: it has no name that a JSON object could give",
        "remove the '/' from the signature",
    ),
    inspect.Parameter.VAR_POSITIONAL: (
        "takes any number of values: they have no names that a JSON object could give",
        "replace it by a parameter that is a list",
    ),
    inspect.Parameter.VAR_KEYWORD: (
        "takes any names: nothing says which",
        "replace it by named parameters, or by one that is a dict",
    ),
}


def is_function(value: object) -> bool:
    """Whether a value is a function (of any kind: method, builtin, partial, decorated), not a type."""
    return inspect.isroutine(value) or isinstance(value, functools.partial) or hasattr(value, "__wrapped__")


def arguments_type(function: Callable[..., Any]) -> Any:
    """The TypedDict of a function's keyword arguments; parameters with a default may be left out.

    Raises `PythonTypeError` where a parameter has no annotation, or cannot be given by name.
    """
    try:
        # with eval_str, so that annotations that are texts are read in the function's own module
        signature = inspect.signature(function, eval_str=True)
    except (NameError, AttributeError, TypeError, ValueError, SyntaxError) as error:
        raise PythonTypeError(
            function, f"its signature cannot be read: {error}", "annotate each parameter with a type"
        ) from error
    members = {name: _member(function, parameter) for name, parameter in signature.parameters.items()}
    name = getattr(function, "__name__", type(function).__name__)
    make: Any = TypedDict  # type checkers know only those that are written out
    arguments = make(name, members)
    arguments.__pydantic_config__ = ConfigDict(extra="forbid", title=name)
    arguments.__doc__ = inspect.getdoc(function) if inspect.isroutine(function) else None
    return arguments


def _member(function: Callable[..., Any], parameter: inspect.Parameter) -> Any:
    if parameter.kind in _REFUSED:
        reason, remedy = _REFUSED[parameter.kind]
        raise PythonTypeError(function, f"its parameter {parameter} {reason}", remedy)
    annotation = parameter.annotation
    if annotation is _EMPTY:
        raise PythonTypeError(
            function,
            f"its parameter {parameter.name!r} has no annotation",
            "annotate it; typing.Any stands for every value",
        )
    if isinstance(parameter.default, FieldInfo):
        # `x: int = Field(3, ge=0)`: a call without x would get the FieldInfo; pydantic puts the default in
        annotation = Annotated[annotation, parameter.default]
        return annotation if parameter.default.is_required() else NotRequired[annotation]
    return annotation if parameter.default is _EMPTY else NotRequired[annotation]
