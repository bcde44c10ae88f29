"""The profile of each builtin grammar."""

from __future__ import annotations

import functools
from pathlib import Path

from structgen_grammars.profile import Indentation, Profile
from structgen_grammars.python_modes import python_modes

_HERE = Path(__file__).parent


def _json() -> Profile:
    return Profile(
        "json",
        _HERE / "json.lark",
        ("start",),
        lexer="dynamic_complete",
        summary="JSON texts",
        reference="RFC 8259",
    )


def _python() -> Profile:
    return Profile(
        "python",
        _HERE / "python.lark",
        ("file_input", "statement", "expression"),
        lexer="basic",
        summary="Python 3.11",
        reference="The Python Language Reference 3.11",
        layout="indentation",
        modes=python_modes(),
        indentation=Indentation("NEWLINE", "INDENT", "DEDENT", comment=r"#[^\r\n\x00]*"),
    )


@functools.cache
def profiles() -> dict[str, Profile]:
    """All builtin grammars by name, in the order of their names."""
    made = [_json(), _python()]
    return {profile.name: profile for profile in sorted(made, key=lambda profile: profile.name)}
