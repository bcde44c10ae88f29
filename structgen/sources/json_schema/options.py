"""What a caller may choose: white space, separators, limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from referencing import Registry

from structgen.errors import OptionError
from structgen.sources.json_schema.remote import SchemaRegistry

_BLANKS = " \t\n\r"
_MAX_WHITESPACE_LIMIT = 1024
_MAX_DEPTH_LIMIT = 200


@dataclass(frozen=True, slots=True)
class SchemaOptions:
    """Options of a JSON Schema's compilation; `parse` checks them.

    Text. ``any_order``: members in every order; else in that of the schema (see `json_schema_states`).
    ``whitespace``: "flexible" (up to ``max_whitespace`` blanks between any two JSON tokens, none before
    or after the document) or "compact" (none). ``separators``: exactly these texts between items and
    between a key and its value, as in `json.dumps`, and no other white space. ``indent``: exactly the lines
    of ``json.dumps(..., indent=n)``. The last two replace ``whitespace``. ``escapes``: "any" spelling of
    a string's or name's characters, or the "needed" escapes only, as ``json.dumps(..., ensure_ascii=False)``
    writes them. ``max_digits``: so many digits before and after a
    number's point at the most. ``integers``: in "any" form that JSON Schema calls one (1.0, 1e2), or as
    "plain" digits.

    Meaning. ``format``: "assert" or "annotate" the formats that JSON Schema defines. ``registry``: schemas by
    URI that ``$ref`` may name. ``lenient``: leave out what cannot be enforced and list it on the result.

    Limits: ``max_depth`` (nesting of the schema and of what applies to one value), ``max_subschemas`` (in the
    document), ``max_values`` (enumerated, with all that they hold), ``max_alternatives`` (merged
    alternatives in the whole schema), ``max_rules`` (combinations of subschemas), ``max_states`` (states of
    one automaton), ``max_seconds`` (of compiling, as far as it is done before the first token).
    """

    any_order: bool = False
    whitespace: Literal["flexible", "compact"] = "flexible"
    max_whitespace: int = 64
    separators: tuple[str, str] | None = None
    indent: int | None = None
    escapes: Literal["any", "needed"] = "any"
    max_digits: int | None = None
    integers: Literal["any", "plain"] = "any"
    format: Literal["assert", "annotate"] = "assert"
    registry: SchemaRegistry | None = None
    lenient: bool = False
    max_depth: int = 128
    max_subschemas: int = 100_000
    max_values: int = 1_000_000
    max_alternatives: int = 20_000
    max_rules: int = 50_000
    max_states: int = 100_000
    max_seconds: float = 30.0

    @staticmethod
    def parse(given: Mapping[str, object]) -> SchemaOptions:
        """Raises `OptionError` for an unknown name (naming the known ones) or an unfit value."""
        if not given:
            return _DEFAULTS
        for name, value in given.items():
            check = _CHECKS.get(name)
            if check is None:
                raise OptionError(name, value, "one of the known options: " + ", ".join(sorted(_CHECKS)))
            check(name, value)
        layouts = [name for name in ("separators", "indent") if given.get(name) is not None]
        if layouts and ("whitespace" in given or len(layouts) > 1):
            name = layouts[0]
            other = "'whitespace'" if "whitespace" in given else f"{layouts[1]!r}"
            raise OptionError(name, given[name], f"not to be given beside {other}")
        values: dict[str, Any] = dict(given)
        if values.get("separators") is not None:
            values["separators"] = tuple(values["separators"])
        return SchemaOptions(**values)


def _check_flag(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise OptionError(name, value, "True or False")


def _one_of(*choices: str) -> Callable[[str, object], None]:
    def check(name: str, value: object) -> None:
        if value not in choices:
            raise OptionError(name, value, " or ".join(map(repr, choices)))

    return check


def _check_indent(name: str, value: object) -> None:
    if value is not None and (not _is_int(value) or not 0 <= value <= 16):  # type: ignore[operator]
        raise OptionError(name, value, "an integer from 0 to 16, or None")


def _check_registry(name: str, value: object) -> None:
    if value is not None and not isinstance(value, (Mapping, Registry)):
        raise OptionError(name, value, "a mapping of schemas by URI, or a referencing.Registry")


def _check_digits(name: str, value: object) -> None:
    if value is not None:
        _check_limit(name, value)


def _check_seconds(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
        raise OptionError(name, value, "a positive number of seconds")


def _check_max_whitespace(name: str, value: object) -> None:
    if not _is_int(value) or not 1 <= value <= _MAX_WHITESPACE_LIMIT:  # type: ignore[operator]
        raise OptionError(name, value, f"an integer from 1 to {_MAX_WHITESPACE_LIMIT}")


def _check_separators(name: str, value: object) -> None:
    if value is None:
        return
    fits = (
        isinstance(value, (tuple, list))
        and len(value) == 2
        and all(isinstance(text, str) for text in value)
        and [text.strip(_BLANKS) for text in value] == [",", ":"]
        and all(len(text) <= _MAX_WHITESPACE_LIMIT for text in value)
    )
    if not fits:
        raise OptionError(name, value, "two texts, a ',' and a ':' with any JSON white space around them")


def _check_limit(name: str, value: object) -> None:
    if not _is_int(value) or value < 1:  # type: ignore[operator]
        raise OptionError(name, value, "an integer of at least 1")


def _check_depth(name: str, value: object) -> None:
    # values are walked recursively, a few Python frames for each level
    if not _is_int(value) or not 1 <= value <= _MAX_DEPTH_LIMIT:  # type: ignore[operator]
        raise OptionError(name, value, f"an integer from 1 to {_MAX_DEPTH_LIMIT}")


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_DEFAULTS = SchemaOptions()
_CHECKS: dict[str, Callable[[str, object], None]] = {
    "any_order": _check_flag,
    "lenient": _check_flag,
    "whitespace": _one_of("flexible", "compact"),
    "escapes": _one_of("any", "needed"),
    "integers": _one_of("any", "plain"),
    "format": _one_of("assert", "annotate"),
    "indent": _check_indent,
    "registry": _check_registry,
    "max_digits": _check_digits,
    "max_seconds": _check_seconds,
    "max_whitespace": _check_max_whitespace,
    "separators": _check_separators,
    "max_depth": _check_depth,
    "max_subschemas": _check_limit,
    "max_values": _check_limit,
    "max_alternatives": _check_limit,
    "max_rules": _check_limit,
    "max_states": _check_limit,
}
