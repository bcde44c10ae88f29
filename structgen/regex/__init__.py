"""Regular expressions: two dialects, one syntax tree."""

from __future__ import annotations

from structgen.regex.parser import parse

__all__ = ["parse"]
