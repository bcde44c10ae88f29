"""The command ``structgen``: see `structgen.cli.app`."""

from __future__ import annotations

from structgen.cli.app import main

__all__ = ["main"]
