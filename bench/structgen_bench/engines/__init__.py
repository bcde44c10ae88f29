"""One small interface to every engine that is measured, and the engines by name.

The runner drives each engine in a process of its own (`structgen_bench.worker`), so an adapter may
import its engine at the top of `prepare` and keep state in itself.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from importlib import import_module
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from structgen_bench.errors import BenchError
from structgen_bench.tokenizers import TokenBytes

ENGINES = {
    "structgen": ("structgen_bench.engines.structgen_engine", "StructgenEngine"),
    "llguidance": ("structgen_bench.engines.llguidance_engine", "LlguidanceEngine"),
    "xgrammar": ("structgen_bench.engines.xgrammar_engine", "XgrammarEngine"),
}


class Refusal(Exception):
    """An engine that refuses a schema. ``unsupported``: it says that it knows, but cannot enforce it."""

    def __init__(self, message: str, *, unsupported: bool = False) -> None:
        self.message = message
        self.unsupported = unsupported
        super().__init__(message)


class Engine(ABC):
    """An engine under test. `compile`, `mask` and `accept` are timed; the rest is not.

    ``bitmask``: int32 (1, ceil(V/32)), made by `prepare`; `mask` writes it, bit i of word w = token 32w+i.
    """

    name: ClassVar[str]
    version: str
    bitmask: npt.NDArray[np.int32]
    eos_ids: tuple[int, ...]
    options: Mapping[str, Any] = {}

    @abstractmethod
    def prepare(self, vocabulary: TokenBytes) -> None:
        """Import the engine and build what it keeps per vocabulary. Raises `BenchError` if it is missing."""

    @abstractmethod
    def compile(self, schema: Any) -> Any:
        """The compiled form of a JSON Schema (as ``json.loads`` gives it). Raises `Refusal`."""

    @abstractmethod
    def new_matcher(self, compiled: Any) -> Any:
        """A matcher at the start of a text."""

    @abstractmethod
    def mask(self, matcher: Any) -> None:
        """Write the mask of the next token to ``bitmask``."""

    @abstractmethod
    def accept(self, matcher: Any, token: int) -> bool:
        """Move over a token; False if it is refused."""

    def nbytes(self, compiled: Any) -> int | None:
        """Memory that a compiled schema holds by itself, None where the engine does not tell."""
        return None

    def allows(self, token: int) -> bool:
        """Is ``token`` in the mask last written?"""
        return bool((int(self.bitmask[0, token >> 5]) >> (token & 31)) & 1)

    def is_complete(self, matcher: Any) -> bool:
        """May the text end here? (An EOS id is in the mask.)"""
        self.mask(matcher)
        return any(self.allows(token) for token in self.eos_ids)


def load_engine(name: str) -> Engine:
    """A fresh, unprepared adapter: one of `ENGINES`, or ``MODULE:CLASS`` for one from elsewhere.

    Raises `BenchError` where there is none.
    """
    module, _, attribute = name.partition(":")
    if not attribute:
        if name not in ENGINES:
            raise BenchError(
                f"unknown engine {name!r}", f"choose among {', '.join(ENGINES)}, or MODULE:CLASS"
            )
        module, attribute = ENGINES[name]
    try:
        engine = getattr(import_module(module), attribute)()
    except (ImportError, AttributeError) as error:
        raise BenchError(
            f"no engine {name!r}: {error}", "MODULE must be importable and hold CLASS"
        ) from error
    if not isinstance(engine, Engine):
        raise BenchError(f"{module}.{attribute} is not a {__name__}.Engine")
    return engine
