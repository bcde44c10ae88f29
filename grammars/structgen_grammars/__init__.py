"""The grammars that come with structgen, as Lark files, and how their texts are cut into terminals."""

from __future__ import annotations

from pathlib import Path

from structgen_grammars.profile import Indentation, Mode, Profile
from structgen_grammars.profiles import profiles

__all__ = ["Indentation", "Mode", "Profile", "builtin_grammars", "profiles"]


def builtin_grammars() -> dict[str, Path]:
    """The Lark file of each builtin grammar, by name."""
    return {name: profile.path for name, profile in profiles().items()}
