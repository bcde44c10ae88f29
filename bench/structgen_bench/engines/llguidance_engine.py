"""llguidance, through its Python package."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from structgen_bench.engines import Engine, Refusal
from structgen_bench.errors import BenchError
from structgen_bench.tokenizers import TokenBytes


class LlguidanceEngine(Engine):
    """Default options, its slices for JSON (the setting that its authors advise for schemas)."""

    name: ClassVar[str] = "llguidance"

    def prepare(self, vocabulary: TokenBytes) -> None:
        try:
            import llguidance
            from llguidance.numpy import fill_next_token_bitmask
        except ImportError as error:
            raise BenchError("llguidance is not installed", "pip install llguidance") from error
        self.version = llguidance.__version__
        self.eos_ids = vocabulary.eos_ids
        self.bitmask = np.zeros((1, (vocabulary.vocab_size + 31) // 32), dtype=np.int32)
        self._matcher_type = llguidance.LLMatcher
        self._fill = fill_next_token_bitmask
        # A forced string is narrowed to its usual tokens, so llguidance needs the true tokenizer: with
        # another one its masks refuse valid texts.
        slices = llguidance.LLTokenizer.json_slices()
        if vocabulary.definition:
            self._tokenizer = llguidance.LLTokenizer(
                vocabulary.definition, vocabulary.vocab_size, list(vocabulary.eos_ids), slices
            )
        elif vocabulary.pattern:
            self._tokenizer = llguidance.LLTokenizer.from_tiktoken(
                encoder={token: i for i, token in enumerate(vocabulary.tokens) if token is not None},
                special_tokens={
                    f"<special_{i}>": i for i, token in enumerate(vocabulary.tokens) if token is None
                },
                pattern=vocabulary.pattern,
                eos_token=list(vocabulary.eos_ids),
                n_vocab=vocabulary.vocab_size,
                slices=slices,
            )
        else:
            raise BenchError("llguidance needs a tokenizer with its definition", "choose another --tokenizer")

    def compile(self, schema: Any) -> Any:
        try:
            grammar = self._matcher_type.grammar_from_json_schema(schema)
        except (ValueError, TypeError) as error:
            raise Refusal(str(error)) from error
        matcher = self._matcher_type(self._tokenizer, grammar, log_level=0)
        if matcher.is_error():
            raise Refusal(matcher.get_error())
        return matcher

    def new_matcher(self, compiled: Any) -> Any:
        return compiled.deep_copy()

    def mask(self, matcher: Any) -> None:
        self._fill(matcher, self.bitmask, 0)

    def accept(self, matcher: Any, token: int) -> bool:
        return bool(matcher.consume_token(token))
