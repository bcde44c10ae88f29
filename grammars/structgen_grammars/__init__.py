"""The grammars that come with structgen, as Lark files."""

from __future__ import annotations

from pathlib import Path


def builtin_grammars() -> dict[str, Path]:
    """The Lark file of each builtin grammar, by name."""
    return {path.stem: path for path in sorted(Path(__file__).parent.glob("*.lark"))}
