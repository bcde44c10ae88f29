"""structgen itself, through its public API only."""

from __future__ import annotations

from typing import Any, ClassVar

from structgen_bench.engines import Engine, Refusal
from structgen_bench.errors import BenchError
from structgen_bench.tokenizers import TokenBytes
from structgen_bench.verdicts import refusal


class StructgenEngine(Engine):
    """Default options, or those given (``any_order``)."""

    name: ClassVar[str] = "structgen"

    def prepare(self, vocabulary: TokenBytes) -> None:
        import structgen

        structgen.warm_up("engine")  # as a server does; the others have nothing to load
        self.version = structgen.__version__
        self.eos_ids = vocabulary.eos_ids
        self.bitmask = structgen.allocate_bitmask(1, vocabulary.vocab_size)
        self._errors = structgen.errors
        self._compiler = structgen.Compiler(structgen.Vocabulary(vocabulary.tokens, vocabulary.eos_ids))
        try:
            self._compiler.json_schema(True, **self.options)
        except structgen.errors.OptionError as error:
            raise BenchError(f"structgen {self.version} does not take the option: {error}") from error

    def compile(self, schema: Any) -> Any:
        errors = self._errors
        try:
            return self._compiler.json_schema(schema, **self.options)
        except errors.StructgenError as error:
            unsupported = isinstance(error, errors.UnsupportedSchemaError)
            raise Refusal(refusal(error), unsupported=unsupported) from error

    def nbytes(self, compiled: Any) -> int | None:
        return int(compiled.nbytes)

    def new_matcher(self, compiled: Any) -> Any:
        return compiled.matcher()

    def mask(self, matcher: Any) -> None:
        matcher.fill_bitmask(self.bitmask)

    def accept(self, matcher: Any, token: int) -> bool:
        return bool(matcher.accept(token))
