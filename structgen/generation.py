"""`generate`: prompts and a compiled grammar in, texts out that match it."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, overload
from weakref import WeakKeyDictionary

import torch
import transformers

from structgen.bitmask import allocate_bitmask
from structgen.compiled import CompiledGrammar
from structgen.compiler import Compiler
from structgen.errors import GenerationError, OptionError, PythonValueError
from structgen.hf import LogitsProcessor, checked_grammars
from structgen.matcher import Matcher
from structgen.sources.python_types import PythonType
from structgen.tokenizers import eos_ids_of
from structgen.vocabulary import Vocabulary

# Options of transformers' generate that this function sets itself, or that would undo what it promises.
_RESERVED = {
    "inputs": "the prompts, given as text",
    "input_ids": "the prompts, given as text",
    "inputs_embeds": "the prompts, given as text",
    "attention_mask": "none: it follows from the prompts",
    "max_length": "max_new_tokens",
    "eos_token_id": "none: the grammar's vocabulary says which ids end the text",
    "pad_token_id": "none: pads are never part of the text",
    "return_dict_in_generate": "none: use model.generate with a LogitsProcessor for more than texts",
    "assistant_model": "none: a draft model would be held to the grammar only afterwards",
    "assistant_early_exit": "none: a draft model would be held to the grammar only afterwards",
    "prompt_lookup_num_tokens": "none: drafts would be held to the grammar only afterwards",
    "custom_generate": "none: use model.generate with a LogitsProcessor",
}
_COMPARED = 64  # ids of which the tokenizer is asked what they spell

# For output types: the last compiler made for each tokenizer, with its number of ids, those of the model,
# and the EOS ids. A tokenizer may be given more tokens, and serve several models.
_Made = tuple[tuple[int, int, tuple[int, ...]], Compiler]
_compilers: WeakKeyDictionary[Any, _Made] = WeakKeyDictionary()
_compilers_lock = threading.Lock()
_NO_TYPE: Any = object()  # None is a type: that of null


@dataclass(frozen=True, slots=True)
class GenerationResult:
    """One generated text.

    text: what was generated, without the prompt: the bytes of the tokens, joined, as UTF-8.
    status: "complete": the model ended the text where the grammar lets it end, or nothing else could have
        followed; the text matches the grammar. "truncated": it was cut off (``max_new_tokens``, a
        stopping criterion); some continuation of the text matches.
    token_ids: the ids of the text, without the one that ended it.
    value: with an ``output_type``, the text as a value of it; None where the text was truncated. Where
        the text is complete and a validator of the type refuses it, reading ``value`` raises ``refusal``.
    refusal: that `PythonValueError`, or None: one text refused takes no other result away.
    """

    text: str
    status: Literal["complete", "truncated"]
    token_ids: tuple[int, ...]
    refusal: PythonValueError | None = None
    _parsed: Any = field(repr=False, default=None)

    @property
    def value(self) -> Any:
        if self.refusal is not None:
            raise self.refusal
        return self._parsed


@overload
def generate(
    model: Any,
    tokenizer: Any,
    prompts: str,
    grammar: CompiledGrammar | None = ...,
    *,
    output_type: Any = ...,
    max_new_tokens: int = ...,
    streamer: Any = ...,
    add_special_tokens: bool = ...,
    **options: Any,
) -> GenerationResult: ...
@overload
def generate(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[str],
    grammar: CompiledGrammar | Sequence[CompiledGrammar] | None = ...,
    *,
    output_type: Any = ...,
    max_new_tokens: int = ...,
    streamer: Any = ...,
    add_special_tokens: bool = ...,
    **options: Any,
) -> list[GenerationResult]: ...
def generate(
    model: Any,
    tokenizer: Any,
    prompts: str | Sequence[str],
    grammar: CompiledGrammar | Sequence[CompiledGrammar] | None = None,
    *,
    output_type: Any = _NO_TYPE,
    max_new_tokens: int = 256,
    streamer: Any = None,
    add_special_tokens: bool = True,
    **options: Any,
) -> GenerationResult | list[GenerationResult]:
    """Continue each prompt with text that matches the grammar, or that is a value of a Python type.

    model, tokenizer: a decoder-only model of transformers and its tokenizer.
    prompts: one text or several; several are padded on the left and generated as one batch.
    grammar: compiled for the model's vocabulary; one for all prompts, or one for each.
    output_type: in place of a grammar, a Python type or a function (see `structgen.schema_of`); it is
        compiled for the tokenizer, once, and each result has a ``value``: the text as that type, for a
        function its keyword arguments.
    streamer: of transformers, for a single prompt.
    options: those of transformers' ``generate`` (``do_sample``, ``temperature``, ``num_beams``, ...).

    Returns one result for one prompt; for a list of prompts a list, in order, with
    ``num_return_sequences`` results for each.

    Raises `OptionError` on wrong or unknown arguments, `PythonTypeError` and the errors of
    `Compiler.json_schema` for an ``output_type`` that cannot be compiled, `BitmaskError` if the model's
    logits have no columns for some of the grammar's vocabulary, `GenerationError` where the options
    contradict the grammar (all that it allows is forbidden by another option).
    """
    python_type = None
    if output_type is not _NO_TYPE:
        if grammar is not None:
            raise OptionError("output_type", output_type, "not to be given beside 'grammar'")
        _check_model(model, tokenizer)
        python_type = PythonType(output_type)
        grammar = _compiler_for(model, tokenizer).json_schema(python_type.schema, integers="plain")
    elif grammar is None:
        raise OptionError("grammar", None, "a compiled grammar (see Compiler), or an output_type")
    grammars = checked_grammars(grammar, "grammar")
    vocabulary = grammars[0].vocabulary
    texts = _checked_prompts(prompts, grammars)
    _check_model(model, tokenizer)
    _check_options(model, options, max_new_tokens, single=isinstance(prompts, str))
    _check_same_vocabulary(tokenizer, vocabulary)
    if not texts:
        return []
    if streamer is not None and len(texts) * options.get("num_beams", 1) > 1:
        raise OptionError(
            "streamer", streamer, "None with several prompts or beams: a streamer takes one text"
        )

    pad = vocabulary.eos_token_ids[0] if tokenizer.pad_token_id is None else int(tokenizer.pad_token_id)
    encoded = [_encode(tokenizer, text, add_special_tokens) for text in texts]
    prompt_length = max(map(len, encoded))
    ids = torch.tensor([[pad] * (prompt_length - len(row)) + row for row in encoded])
    real = torch.tensor([[0] * (prompt_length - len(row)) + [1] * len(row) for row in encoded])
    processors = [
        *(options.pop("logits_processor", None) or []),
        LogitsProcessor(grammars, prompt_length=prompt_length, pad_token_id=pad),
    ]
    if options.get("stop_strings") is not None:
        options.setdefault("tokenizer", tokenizer)
    written = model.generate(
        input_ids=ids.to(model.device),
        attention_mask=real.to(model.device),
        max_new_tokens=max_new_tokens,
        eos_token_id=list(vocabulary.eos_token_ids),
        pad_token_id=pad,
        logits_processor=transformers.LogitsProcessorList(processors),
        streamer=streamer,
        return_dict_in_generate=False,
        **options,
    )
    rows = written[:, prompt_length:].tolist()
    each = len(rows) // len(texts)
    results = [
        _result(grammars[row // each * len(grammars) // len(texts)], generated, pad, python_type)
        for row, generated in enumerate(rows)
    ]
    return results[0] if isinstance(prompts, str) else results


def _checked_prompts(prompts: str | Sequence[str], grammars: list[CompiledGrammar]) -> list[str]:
    if isinstance(prompts, bytes) or not isinstance(prompts, Sequence):
        raise OptionError("prompts", prompts, "a text or a list of texts")
    texts = [prompts] if isinstance(prompts, str) else list(prompts)
    for text in texts:
        if not isinstance(text, str):
            raise OptionError("prompts", text, "a text or a list of texts")
    if len(grammars) not in (1, len(texts)):
        raise OptionError("grammar", f"{len(grammars)} grammars", f"one for all prompts, or {len(texts)}")
    return texts


def _check_model(model: Any, tokenizer: Any) -> None:
    if not isinstance(model, transformers.PreTrainedModel) or not model.can_generate():
        raise OptionError("model", type(model).__name__, "a model of transformers that can generate")
    if model.config.is_encoder_decoder:
        raise OptionError(
            "model",
            type(model).__name__,
            "a decoder-only model; call the generate of an encoder-decoder model with a LogitsProcessor",
        )
    if not isinstance(tokenizer, transformers.PreTrainedTokenizerBase):
        raise OptionError("tokenizer", type(tokenizer).__name__, "the model's tokenizer, of transformers")


def _check_options(model: Any, options: dict[str, Any], max_new_tokens: int, *, single: bool) -> None:
    if isinstance(max_new_tokens, bool) or not isinstance(max_new_tokens, int) or max_new_tokens < 1:
        raise OptionError("max_new_tokens", max_new_tokens, "a positive int")
    known = {
        *vars(transformers.GenerationConfig()),  # type: ignore[no-untyped-call]
        *inspect.signature(model.generate).parameters,
        *inspect.signature(model.forward).parameters,
        "tokenizer",
    }
    for name, value in options.items():
        if name in _RESERVED:
            raise OptionError(name, value, _RESERVED[name])
        if name not in known:
            raise OptionError(name, value, "an option of transformers' generate")
    if single and options.get("num_return_sequences", 1) not in (1, None):
        raise OptionError(
            "num_return_sequences", options["num_return_sequences"], "1 for a single prompt; pass [prompt]"
        )


def _check_same_vocabulary(tokenizer: Any, vocabulary: Vocabulary) -> None:
    """Refuse a grammar compiled for another tokenizer: compare what some ids spell.

    Only ids of ASCII letters and digits are compared, as tokenizers decode all others each in its way.
    """
    if len(tokenizer) > vocabulary.size:
        raise OptionError(
            "tokenizer",
            f"{len(tokenizer)} ids",
            f"at most the {vocabulary.size} of the vocabulary that the grammar was compiled for",
        )
    plain = [
        (token, text.strip(b" "))
        for token, text in enumerate(vocabulary.tokens[: len(tokenizer)])
        if text and text.isascii() and text.strip(b" ").isalnum()
    ]
    for token, text in plain[:: max(1, len(plain) // _COMPARED)]:
        spelled = str(tokenizer.decode([token])).strip(" ")
        if spelled != text.decode("ascii"):
            raise OptionError(
                "tokenizer",
                f"id {token} = {spelled!r}",
                f"id {token} = {text.decode('ascii')!r}, as in the vocabulary of the grammar",
            )


def _encode(tokenizer: Any, text: str, add_special_tokens: bool) -> list[int]:
    ids = list(tokenizer(text, add_special_tokens=add_special_tokens)["input_ids"])
    if not ids:
        if tokenizer.bos_token_id is None:
            raise OptionError("prompts", text, "at least one token: this tokenizer begins no text by itself")
        ids = [int(tokenizer.bos_token_id)]
    return ids


def _compiler_for(model: Any, tokenizer: Any) -> Compiler:
    """The compiler for a model's vocabulary, as wide as its logits; made once for each tokenizer."""
    eos = tuple(eos_ids_of(model, tokenizer))
    width = int(model.get_output_embeddings().weight.shape[0])
    key = (len(tokenizer), width, eos)
    with _compilers_lock:
        known = _compilers.get(tokenizer)
    if known is not None and known[0] == key:
        return known[1]
    compiler = Compiler(Vocabulary.from_tokenizer(tokenizer, vocab_size=width, eos_token_ids=eos))
    with _compilers_lock:
        _compilers[tokenizer] = (key, compiler)
    return compiler


def _result(
    grammar: CompiledGrammar, generated: list[int], pad: int, python_type: PythonType | None
) -> GenerationResult:
    """Read the ids as the grammar does, which checks once more that each of them was allowed."""
    matcher = grammar.matcher()
    vocabulary = grammar.vocabulary
    taken: list[int] = []
    for token in generated:
        if not matcher.accept(token):
            if token != pad:
                raise GenerationError(f"the model wrote token {token}, which the grammar refuses")
            break
        if matcher.is_terminated:
            break
        taken.append(token)
    complete = matcher.is_terminated or _only_eos_follows(matcher, vocabulary)
    text = _decode(vocabulary.decode(taken))
    if not complete:
        return GenerationResult(text, "truncated", tuple(taken))
    if python_type is None:
        return GenerationResult(text, "complete", tuple(taken))
    try:
        value = python_type.parse(text)
    except PythonValueError as refusal:
        return GenerationResult(text, "complete", tuple(taken), refusal=refusal)
    return GenerationResult(text, "complete", tuple(taken), _parsed=value)


def _only_eos_follows(matcher: Matcher, vocabulary: Vocabulary) -> bool:
    if not matcher.is_accepting:
        return False
    bitmask = allocate_bitmask(2, vocabulary.size)
    matcher.fill_bitmask(bitmask, 0)
    for token in vocabulary.eos_token_ids:
        bitmask[1].view("uint32")[token // 32] |= 1 << token % 32
    return not (bitmask[0] & ~bitmask[1]).any()


def _decode(data: bytes) -> str:
    """As UTF-8. A character that was cut off at the end becomes U+FFFD; nothing else is replaced."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        if error.end == len(data) and error.reason == "unexpected end of data":
            return data[: error.start].decode() + "\N{REPLACEMENT CHARACTER}"
        raise GenerationError(f"the grammar allows text that is not UTF-8: {error}") from error
