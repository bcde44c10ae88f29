"""ECMA-262 patterns as Python's `re` must be given them, so that `jsonschema` judges them as the draft means.

`jsonschema` hands patterns to `re.search` as they are. There ``$`` also matches before a last newline,
``\\d``, ``\\w`` and ``\\s`` are those of Unicode, and so on. What cannot be said in `re` raises
`Untranslatable`.
"""

from __future__ import annotations

import re
from functools import lru_cache

_SPACES = r"\t\n\x0b\x0c\r \xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
_CLASSES = {"d": "0-9", "w": "A-Za-z0-9_", "s": _SPACES}
_PLAIN_ESCAPES = "fnrtv^$\\.*+?()[]{}|/bB-"


class Untranslatable(Exception):
    """A pattern whose meaning `re` cannot be told, or that is none."""


@lru_cache(maxsize=4096)
def python_pattern(pattern: str) -> str:
    """The pattern of `re` that matches what the ECMA-262 one (unicode mode) does. Raises `Untranslatable`."""
    made, place, in_class = [], 0, False
    while place < len(pattern):
        char = pattern[place]
        place += 1
        if char == "\\":
            text, place = _escape(pattern, place, in_class)
            made.append(text)
        elif in_class:
            in_class = char != "]"
            made.append("\\[" if char == "[" else "\\" + char if char in "&~|" else char)
        elif char == "[":
            if pattern.startswith(("]", "^]"), place):
                raise Untranslatable(pattern)
            in_class = True
            made.append(char)
            if pattern.startswith("^", place):
                made.append("^")
                place += 1
        elif char == "$":
            made.append(r"\Z")
        elif char == ".":
            made.append(r"[^\n\r\u2028\u2029]")
        elif (
            char == "("
            and pattern.startswith("?", place)
            and pattern[place + 1 : place + 2] not in (":", "=", "!")
        ):
            raise Untranslatable(pattern)  # look-behind, names, modifiers
        elif char in "*+?}" and pattern.startswith("+", place):
            raise Untranslatable(pattern)  # possessive in `re`, an error in ECMA-262
        else:
            made.append(char)
    text = "".join(made)
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise Untranslatable(pattern) from error
    return f"(?:{text})"


def _escape(pattern: str, place: int, in_class: bool) -> tuple[str, int]:
    """What stands for the escape after the backslash at ``place - 1``, and where it ends."""
    char = pattern[place : place + 1]
    if char in _CLASSES:
        return (_CLASSES[char] if in_class else f"[{_CLASSES[char]}]"), place + 1
    if char and char in "DWS" and not in_class:
        return f"[^{_CLASSES[char.lower()]}]", place + 1
    if char == "u":
        unit = pattern[place + 1 : place + 5]
        if re.fullmatch(r"[0-9A-Fa-f]{4}", unit) and not 0xD800 <= int(unit, 16) < 0xE000:
            return f"\\u{unit}", place + 5
    if char == "x" and re.fullmatch(r"[0-9A-Fa-f]{2}", pattern[place + 1 : place + 3]):
        return "\\" + pattern[place : place + 3], place + 3
    if char in ("b", "B") and not in_class:
        raise Untranslatable(pattern)  # a border of Unicode's words in `re`
    if char and char in _PLAIN_ESCAPES:
        return ("/" if char == "/" else "\\" + char), place + 1
    if char and char in "@ \"'#%&,:;<=>_`~!é":  # needless, tolerated outside unicode mode
        return re.escape(char), place + 1
    raise Untranslatable(pattern)


def python_patterns(schema: object) -> object:
    """The schema with its patterns translated, wherever a subschema may stand. Raises `Untranslatable`."""
    if isinstance(schema, list):
        return [python_patterns(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made: dict[str, object] = {}
    for keyword, value in schema.items():
        if keyword in _VALUES:
            made[keyword] = value
        elif keyword == "pattern" and isinstance(value, str):
            made[keyword] = python_pattern(value)
        elif keyword == "patternProperties" and isinstance(value, dict):
            made[keyword] = {python_pattern(name): python_patterns(inner) for name, inner in value.items()}
        elif keyword in _NAMED and isinstance(value, dict):
            made[keyword] = {name: python_patterns(inner) for name, inner in value.items()}
        else:
            made[keyword] = python_patterns(value)
    return made


_VALUES = frozenset(("enum", "const", "default", "examples", "required", "dependentRequired", "type"))
_NAMED = frozenset(("properties", "$defs", "definitions", "dependentSchemas", "dependencies"))
