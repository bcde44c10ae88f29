"""How a refusal is told in a line, in every report alike."""

from __future__ import annotations

from structgen.errors import CompileLimitError, SchemaError, StructgenError


def refusal(error: StructgenError) -> str:
    """A refusal in a line: class, keyword or limit, JSON Pointer, reason."""
    words = [type(error).__name__]
    keyword = getattr(error, "keyword", "")
    if keyword:
        words.append(f"keyword {keyword!r}")
    if isinstance(error, CompileLimitError):
        words.append(f"{error.limit}: {error.given:,} needed, {error.allowed:,} allowed")
    pointer = getattr(error, "pointer", None)
    if pointer is not None:
        words.append(f"at {pointer or '(root)'}")
    words.append(error.reason if isinstance(error, SchemaError) else "")
    return " ".join(word for word in words if word).replace("\n", " ")
