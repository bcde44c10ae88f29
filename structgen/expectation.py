"""What may come next, in words: the allowed bytes as a short list that a person can read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from structgen import Matcher

_WHITE = {0x20: "space", 0x09: "tab", 0x0A: "line break", 0x0D: "carriage return"}
_BACKSLASH = 0x5C
_PRINTABLE = range(0x21, 0x7F)
_MANY = 60  # printable characters; from here on the others are named
_FEW = 8  # first bytes that are followed to the end of what they force
_LONGEST = 32  # bytes shown of a forced text


def describe_next(matcher: Matcher) -> list[str]:
    """What may follow: texts, ranges, 'white space', 'the end of the text'."""
    allowed = [byte for byte, follows in enumerate(matcher.following_bytes()) if follows]
    white = [_WHITE[byte] for byte in allowed if byte in _WHITE]
    visible = [byte for byte in allowed if byte in _PRINTABLE]
    control = [byte for byte in allowed if (byte < 0x20 and byte not in _WHITE) or byte == 0x7F]
    beyond = [byte for byte in allowed if byte >= 0x80]
    parts: list[str] = []
    if len(visible) >= _MANY:
        missing = "".join(chr(byte) for byte in _PRINTABLE if byte not in visible)
        parts.append(
            f"any visible character except {' '.join(missing)}" if missing else "any visible character"
        )
    elif len(visible) <= _FEW:
        # In JSON any character of a string may also be spelled as an escape; saying so hides the rest.
        escape = _BACKSLASH if matcher.grammar.source.kind == "json_schema" else None
        shown = [byte for byte in visible if byte != escape] or visible
        parts.extend(_forced_text(matcher, byte, escape) for byte in shown)
    else:
        parts.extend(_ranges(visible))
    if beyond:
        inside = all(0x80 <= byte < 0xC0 for byte in beyond)
        parts.append("the rest of a character" if inside else "characters beyond ASCII")
    if len(white) == len(_WHITE):
        parts.append("white space")
    else:
        parts.extend(white)
    if control:
        parts.append("control characters")
    if matcher.is_accepting:
        parts.append("the end of the text")
    return parts


def _forced_text(matcher: Matcher, byte: int, passed_over: int | None) -> str:
    """The byte and what must follow it, quoted. ``passed_over``: a byte that is no choice worth telling."""
    ahead = matcher.fork()
    text = bytes([byte])
    ahead.accept_bytes(text)
    while len(text) <= _LONGEST and not ahead.is_accepting:
        following = [b for b, follows in enumerate(ahead.following_bytes()) if follows and b != passed_over]
        if len(following) != 1:
            break
        text += bytes(following)
        ahead.accept_bytes(bytes(following))
    shown = text.decode("utf-8", "backslashreplace")
    return quoted(shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}...")


def _ranges(values: Sequence[int]) -> list[str]:
    runs: list[list[int]] = []
    for value in values:
        if runs and value == runs[-1][1] + 1 and _kind(value) == _kind(value - 1):
            runs[-1][1] = value
        else:
            runs.append([value, value])
    names: list[str] = []
    for first, last in runs:
        if last - first < 2:
            names.extend(quoted(chr(value)) for value in range(first, last + 1))
        else:
            names.append(f"{chr(first)}-{chr(last)}")
    return names


def _kind(value: int) -> str:
    character = chr(value)
    kinds = (("digit", character.isdigit()), ("upper", character.isupper()), ("lower", character.islower()))
    return next((name for name, fits in kinds if fits), "other")


def quoted(text: str) -> str:
    """The text between single quotes, with escapes for what cannot be seen."""
    seen = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
    return f"'{seen}'"
