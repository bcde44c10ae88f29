"""What a caller may choose: white space, separators, limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from structgen.errors import OptionError

_BLANKS = " \t\n\r"
_MAX_WHITESPACE_LIMIT = 1024
_MAX_DEPTH_LIMIT = 200


@dataclass(frozen=True, slots=True)
class SchemaOptions:
    """Options of `json_schema_grammar`; `parse` checks them.

    ``whitespace``: "flexible" (up to ``max_whitespace`` blanks between any two JSON tokens, none before
    or after the document) or "compact" (none). ``separators``: exactly these texts between items and
    between a key and its value, as in `json.dumps`, and no other white space; it replaces
    ``whitespace``. Limits: ``max_depth`` (nesting of the schema and of chains of ``$ref`` and
    ``allOf``), ``max_subschemas`` (in the document), ``max_values`` (enumerated, with all that they
    hold), ``max_alternatives`` (merged alternatives in the whole schema), ``max_rules`` (combinations of
    subschemas with a place of their own), ``max_states`` (states of one automaton).
    """

    whitespace: Literal["flexible", "compact"] = "flexible"
    max_whitespace: int = 64
    separators: tuple[str, str] | None = None
    max_depth: int = 128
    max_subschemas: int = 100_000
    max_values: int = 1_000_000
    max_alternatives: int = 20_000
    max_rules: int = 50_000
    max_states: int = 100_000

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
        if given.get("separators") is not None and "whitespace" in given:
            raise OptionError("separators", given["separators"], "not to be given beside 'whitespace'")
        values: dict[str, Any] = dict(given)
        if values.get("separators") is not None:
            values["separators"] = tuple(values["separators"])
        return SchemaOptions(**values)


def _check_whitespace(name: str, value: object) -> None:
    if value not in ("flexible", "compact"):
        raise OptionError(name, value, "'flexible' or 'compact'")


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
_CHECKS = {
    "whitespace": _check_whitespace,
    "max_whitespace": _check_max_whitespace,
    "separators": _check_separators,
    "max_depth": _check_depth,
    "max_subschemas": _check_limit,
    "max_values": _check_limit,
    "max_alternatives": _check_limit,
    "max_rules": _check_limit,
    "max_states": _check_limit,
}
