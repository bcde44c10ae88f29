"""Every error structgen raises, in one tree.

Each error keeps the raw facts as attributes (where, what was given, what to do) and renders them in
``__str__``, so that a program can read the one and a person the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import FunctionType, MethodType


class StructgenError(Exception):
    """Base of all errors raised by structgen."""


@dataclass(frozen=True, slots=True)
class SourcePosition:
    """A place in a source text: 1-based line and column (in code points), and the text itself."""

    text: str
    offset: int

    @property
    def line(self) -> int:
        return self.text.count("\n", 0, self.offset) + 1

    @property
    def column(self) -> int:
        return self.offset - (self.text.rfind("\n", 0, self.offset) + 1) + 1

    def render(self) -> str:
        """The line that holds the position, with a caret under it."""
        begin = self.text.rfind("\n", 0, self.offset) + 1
        end = self.text.find("\n", self.offset)
        line = self.text[begin : len(self.text) if end < 0 else end]
        shift = self.offset - begin
        if len(line) > 100:  # keep the caret in view on very long lines
            first = max(0, shift - 50)
            line, shift = line[first : first + 100], shift - first
        return f"line {self.line}, column {self.column}:\n  {line}\n  {' ' * shift}^"


class SourceError(StructgenError):
    """A source text (regex, Lark, GBNF) that cannot be compiled.

    Attributes: ``reason``; ``position`` (a `SourcePosition` or None); ``remedy`` ('' when none).
    """

    kind = "source"

    def __init__(
        self,
        reason: str,
        *,
        text: str | None = None,
        offset: int | None = None,
        remedy: str = "",
    ) -> None:
        self.reason = reason
        self.remedy = remedy
        self.position = (
            SourcePosition(text, min(offset, len(text))) if text is not None and offset is not None else None
        )
        super().__init__(reason)

    def __str__(self) -> str:
        parts = [f"{self.kind}: {self.reason}"]
        if self.position is not None:
            parts.append(f"at {self.position.render()}")
        if self.remedy:
            parts.append(self.remedy)
        return "\n".join(parts)


class InvalidRegexError(SourceError):
    """Not a regular expression of the chosen dialect."""

    kind = "invalid regex"


class UnsupportedRegexError(SourceError):
    """A regular expression whose construct cannot be enforced exactly (back-references, ...)."""

    kind = "unsupported regex"


class InvalidGrammarError(SourceError):
    """Not a grammar of the chosen format: syntax error, undefined rule, ..."""

    kind = "invalid grammar"


class UnsupportedGrammarError(SourceError):
    """A grammar whose construct cannot be enforced exactly."""

    kind = "unsupported grammar"


class UnsatisfiableGrammarError(SourceError):
    """A grammar that matches no text at all (with the bytes that the vocabulary can spell)."""

    kind = "unsatisfiable grammar"


class SchemaError(StructgenError):
    """Base of the errors about a JSON Schema. ``pointer``: JSON Pointer into it ('' = root)."""

    def __init__(self, pointer: str, reason: str, remedy: str = "") -> None:
        self.pointer = pointer
        self.reason = reason
        self.remedy = remedy
        super().__init__(pointer, reason)

    def __str__(self) -> str:
        where = self.pointer if self.pointer else "(root)"
        tail = f"\n{self.remedy}" if self.remedy else ""
        return f"at {where}: {self.reason}{tail}"


class InvalidSchemaError(SchemaError):
    """Not a JSON Schema."""


class UnsupportedSchemaError(SchemaError):
    """A keyword that cannot be enforced exactly. ``keyword``: its name."""

    def __init__(self, pointer: str, keyword: str, reason: str, remedy: str = "") -> None:
        self.keyword = keyword
        super().__init__(pointer, reason, remedy)

    def __str__(self) -> str:
        return f"keyword {self.keyword!r} {super().__str__()}"


class UnsatisfiableSchemaError(SchemaError):
    """A schema that no JSON text satisfies."""


class PythonTypeError(StructgenError, TypeError):
    """A Python type that has no exact JSON Schema. ``type``: as given; ``reason``; ``remedy``."""

    def __init__(self, type_: object, reason: str, remedy: str = "") -> None:
        self.type = type_
        self.reason = reason
        self.remedy = remedy
        super().__init__(type_, reason)

    def __str__(self) -> str:
        tail = f"\n{self.remedy}" if self.remedy else ""
        return f"type {_type_name(self.type)}: {self.reason}{tail}"


class PythonValueError(StructgenError, ValueError):
    """A text that is no value of a Python type. ``type``; ``text``, whole; ``problems``: for each a JSON
    Pointer into the text ('' = all of it), as far as pydantic tells it, and what is wrong there.
    """

    def __init__(self, type_: object, text: str, problems: tuple[tuple[str, str], ...]) -> None:
        self.type = type_
        self.text = text
        self.problems = problems
        super().__init__(type_, text, problems)

    def __str__(self) -> str:
        lines = [f"the text is not a value of {_type_name(self.type)}:"]
        lines += [f"  at {pointer or '(root)'}: {message}" for pointer, message in self.problems]
        return "\n".join([*lines, f"the text: {self.text}"])


def _type_name(type_: object) -> str:
    if isinstance(type_, (type, FunctionType, MethodType)):
        return type_.__qualname__
    shown = repr(type_).replace("typing.", "")
    return shown if len(shown) <= 200 else f"{shown[:199]}…"


class CompileLimitError(StructgenError):
    """A source too large for a limit. ``limit``: its name; ``allowed``; ``given``; ``pointer``.

    ``fixed``: the limit is the engine's own, not an option.
    """

    def __init__(
        self, limit: str, allowed: float, given: float, pointer: str = "", *, fixed: bool = False
    ) -> None:
        self.limit = limit
        self.allowed = allowed
        self.given = given
        self.pointer = pointer
        self.fixed = fixed
        super().__init__(limit, allowed, given, pointer)

    def __str__(self) -> str:
        where = f" at {self.pointer}" if self.pointer else ""
        remedy = "make the source smaller" if self.fixed else f"raise {self.limit} or make the source smaller"
        given, allowed = f"{self.given:,} needed", f"{self.allowed:,} allowed"
        if self.limit == "max_seconds":
            given = f"not done after {self.given:,.3g} seconds"
        return f"{self.limit} reached{where}: {given}, {allowed}\n{remedy}"


class OptionError(StructgenError, ValueError):
    """An unknown option, or a value outside what it accepts. ``option``, ``given``, ``expected``."""

    def __init__(self, option: str, given: object, expected: str) -> None:
        self.option = option
        self.given = given
        self.expected = expected
        super().__init__(option, given, expected)

    def __str__(self) -> str:
        return f"option {self.option!r}: got {self.given!r}, expected {self.expected}"


class VocabularyError(StructgenError):
    """A vocabulary that cannot be: bytes of the wrong type, EOS ids out of range, ..."""


class TokenizerError(VocabularyError):
    """A tokenizer whose exact token bytes cannot be told."""


class TokenIdError(StructgenError, IndexError):
    """A token id outside the vocabulary. ``token``, ``vocab_size``."""

    def __init__(self, token: int, vocab_size: int) -> None:
        self.token = token
        self.vocab_size = vocab_size
        super().__init__(token, vocab_size)

    def __str__(self) -> str:
        return f"token id {self.token} is outside the vocabulary of {self.vocab_size} ids"


class BitmaskError(StructgenError, ValueError):
    """A bitmask or logits array of the wrong shape, dtype, device or layout."""


class MatcherError(StructgenError):
    """A call that the matcher's state does not allow, e.g. rolling back further than the start."""


class ArtifactError(StructgenError):
    """A file that is not a whole artifact of this version and vocabulary. ``path``, ``reason``."""

    def __init__(self, path: object, reason: str, remedy: str = "compile it again") -> None:
        self.path = str(path)
        self.reason = reason
        self.remedy = remedy
        super().__init__(self.path, reason)

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}\n{self.remedy}"


class GenerationError(StructgenError):
    """Generation came to a state that must not be: a token outside the mask, an empty mask, ..."""


class ModelLoadError(StructgenError):
    """A model or its tokenizer that cannot be loaded. ``name`` (id or path), ``reason``, ``remedy``."""

    def __init__(self, name: object, reason: str, remedy: str = "") -> None:
        self.name = str(name)
        self.reason = reason
        self.remedy = remedy
        super().__init__(self.name, reason)

    def __str__(self) -> str:
        tail = f"\n{self.remedy}" if self.remedy else ""
        return f"cannot load model {self.name!r}: {self.reason}{tail}"
