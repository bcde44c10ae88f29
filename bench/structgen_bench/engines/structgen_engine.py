"""structgen itself, through its public API only."""

from __future__ import annotations

from typing import Any, ClassVar

from structgen_bench.engines import Engine, Refusal
from structgen_bench.tokenizers import TokenBytes


class StructgenEngine(Engine):
    """Default options."""

    name: ClassVar[str] = "structgen"

    def prepare(self, vocabulary: TokenBytes) -> None:
        import structgen

        self.version = structgen.__version__
        self.eos_ids = vocabulary.eos_ids
        self.bitmask = structgen.allocate_bitmask(1, vocabulary.vocab_size)
        self._errors = structgen.errors
        self._compiler = structgen.Compiler(structgen.Vocabulary(vocabulary.tokens, vocabulary.eos_ids))

    def compile(self, schema: Any) -> Any:
        errors = self._errors
        try:
            return self._compiler.json_schema(schema)
        except errors.UnsupportedSchemaError as error:
            raise Refusal(str(error), unsupported=True) from error
        except errors.StructgenError as error:
            raise Refusal(f"{type(error).__name__}: {error}") from error

    def new_matcher(self, compiled: Any) -> Any:
        return compiled.matcher()

    def mask(self, matcher: Any) -> None:
        matcher.fill_bitmask(self.bitmask)

    def accept(self, matcher: Any, token: int) -> bool:
        return bool(matcher.accept(token))
