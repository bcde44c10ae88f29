"""structgen: language models write only what a grammar or a JSON Schema allows, exactly."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from structgen.apply import apply_bitmask_
    from structgen.batch import fill_bitmasks
    from structgen.bitmask import allocate_bitmask
    from structgen.compiled import CompiledGrammar
    from structgen.compiler import Compiler
    from structgen.errors import StructgenError
    from structgen.generation import generate
    from structgen.hf import LogitsProcessor
    from structgen.matcher import Matcher
    from structgen.sampling import Budget, SampleResult, sample
    from structgen.sources.python_types import parse_as, schema_of
    from structgen.vocabulary import Vocabulary
    from structgen.warmup import warm_up

__version__ = "0.1.0"

# name -> module; modules are loaded at the first use of a name, so that `import structgen` stays light
_EXPORTS = {
    "Budget": "structgen.sampling",
    "CompiledGrammar": "structgen.compiled",
    "Compiler": "structgen.compiler",
    "LogitsProcessor": "structgen.hf",
    "Matcher": "structgen.matcher",
    "SampleResult": "structgen.sampling",
    "StructgenError": "structgen.errors",
    "Vocabulary": "structgen.vocabulary",
    "allocate_bitmask": "structgen.bitmask",
    "apply_bitmask_": "structgen.apply",
    "fill_bitmasks": "structgen.batch",
    "generate": "structgen.generation",
    "parse_as": "structgen.sources.python_types",
    "sample": "structgen.sampling",
    "schema_of": "structgen.sources.python_types",
    "warm_up": "structgen.warmup",
}

__all__ = [
    "Budget",
    "CompiledGrammar",
    "Compiler",
    "LogitsProcessor",
    "Matcher",
    "SampleResult",
    "StructgenError",
    "Vocabulary",
    "__version__",
    "allocate_bitmask",
    "apply_bitmask_",
    "fill_bitmasks",
    "generate",
    "parse_as",
    "sample",
    "schema_of",
    "warm_up",
]


def __getattr__(name: str) -> Any:
    if name in _EXPORTS:
        value = getattr(import_module(_EXPORTS[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'structgen' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
