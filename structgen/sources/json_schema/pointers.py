"""JSON Pointers (RFC 6901), written only where one is asked for."""

from __future__ import annotations

Path = str | tuple[object, ...]
"""A pointer that may not be written yet: its text, or (the path before, token, ...)."""


def escape(token: str) -> str:
    """A name as part of a JSON Pointer."""
    return token.replace("~", "~0").replace("/", "~1") if "~" in token or "/" in token else token


def written(path: Path) -> str:
    """The text of a path."""
    parts: list[str] = []
    while not isinstance(path, str):
        parts += [escape(str(token)) for token in path[:0:-1]]
        path = path[0]  # type: ignore[assignment]  # a path, as the type cannot say of itself
    parts.append(path)
    return "/".join(reversed(parts))
