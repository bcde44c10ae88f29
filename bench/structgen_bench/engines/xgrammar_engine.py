"""XGrammar, through its Python package."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from structgen_bench.engines import Engine, Refusal
from structgen_bench.errors import BenchError
from structgen_bench.tokenizers import TokenBytes


class XgrammarEngine(Engine):
    """One thread, no cache, ``strict_mode=False`` (strict would add ``additionalProperties: false``)."""

    name: ClassVar[str] = "xgrammar"

    def prepare(self, vocabulary: TokenBytes) -> None:
        try:
            import xgrammar
        except ImportError as error:
            raise BenchError("xgrammar is not installed", "pip install xgrammar") from error
        from importlib.metadata import version

        self.version = version("xgrammar")
        self.eos_ids = vocabulary.eos_ids
        info = xgrammar.TokenizerInfo(
            [b"" if token is None else token for token in vocabulary.tokens],
            xgrammar.VocabType.RAW,
            vocab_size=vocabulary.vocab_size,
            stop_token_ids=list(vocabulary.eos_ids),
        )
        self._compiler = xgrammar.GrammarCompiler(info, max_threads=1, cache_enabled=False)
        self._matcher_type = xgrammar.GrammarMatcher
        self._bitmask = xgrammar.allocate_token_bitmask(1, vocabulary.vocab_size)
        self.bitmask = self._bitmask.numpy()  # the same memory

    def compile(self, schema: Any) -> Any:
        try:
            return self._compiler.compile_json_schema(
                json.dumps(schema), any_whitespace=True, strict_mode=False
            )
        except (ValueError, RuntimeError) as error:
            raise Refusal(str(error)) from error

    def new_matcher(self, compiled: Any) -> Any:
        return self._matcher_type(compiled)

    def mask(self, matcher: Any) -> None:
        if not matcher.fill_next_token_bitmask(self._bitmask, 0):
            self.bitmask.fill(-1)  # False means that everything is allowed; the mask may be stale

    def accept(self, matcher: Any, token: int) -> bool:
        return bool(matcher.accept_token(token))
