"""The exact bytes of every token id, for each kind of tokenizer that is understood.

What a token *is* is what its tokenizer's decoder makes of it in the middle of a text. So the decoder is
read, not guessed: its steps are followed token by token, any step that cannot be followed exactly is
refused, and the outcome is compared with the tokenizer's own decoding before it is used.

**Dummy prefix.** SentencePiece tokenizers put one space before a text when they encode it
(``add_dummy_prefix``) and take one away from the beginning when they decode. Neither is part of any
token's bytes: the joined bytes of ``encode("a")`` are ``" a"``. Generated text continues a prompt, it
has no such prefix; a constraint sees each token's bytes as they are, a leading space included.

**Control tokens.** Ids that the tokenizer marks as special, control, unknown or unused have no bytes:
text never matches them. Added tokens that are not special are text: their own content.
"""

from __future__ import annotations

import json
import operator
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, SupportsIndex

from structgen.errors import OptionError, TokenizerError

_SPACE_MARK: Final = "▁"  # U+2581, SentencePiece's and Metaspace's space
_BYTE_PIECE: Final = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_UNDERSTOOD: Final = (
    "understood are: fast and SentencePiece tokenizers of transformers, tokenizers.Tokenizer, "
    "tiktoken.Encoding, mistral_common's tokenizers, sentencepiece.SentencePieceProcessor; for any other, "
    "give the bytes of each id: Vocabulary(tokens, eos_token_ids)"
)


@dataclass(slots=True)
class TokenizerContent:
    """What a tokenizer holds: the bytes of each id (None: no text), control tokens by name, EOS ids."""

    tokens: list[bytes | None]
    special_tokens: dict[str, int] = field(default_factory=dict)
    eos_token_ids: list[int] = field(default_factory=list)

    def make_special(self, name: str, token_id: int) -> None:
        self.tokens[token_id] = None
        self.special_tokens[name] = token_id


def read_tokenizer(
    tokenizer: Any,
    vocab_size: int | None = None,
    eos_token_ids: int | Iterable[int] | None = None,
) -> TokenizerContent:
    """The content of a tokenizer object, ids beyond it filled up to ``vocab_size`` without bytes.

    ``eos_token_ids`` adds to the tokenizer's own. Raises `TokenizerError` when the bytes cannot be told
    exactly or no EOS id is known, `OptionError` for a ``vocab_size`` less than the tokenizer's ids.
    """
    content = _read(tokenizer)
    size = len(content.tokens)
    if vocab_size is not None:
        if isinstance(vocab_size, bool) or not isinstance(vocab_size, SupportsIndex):
            raise OptionError("vocab_size", vocab_size, "an int, the width of the model's logits")
        width = operator.index(vocab_size)
        if width < size:
            raise OptionError("vocab_size", width, f"at least {size}, the number of the tokenizer's ids")
        content.tokens.extend([None] * (width - size))
    given = eos_token_ids if isinstance(eos_token_ids, Iterable) else [eos_token_ids]
    content.eos_token_ids.extend(token_id for token_id in given if token_id is not None)
    if not content.eos_token_ids:
        raise TokenizerError(
            f"{_kind(tokenizer)}: no EOS id is known, so the end of a text could never be told\n"
            "give it: eos_token_ids=..., that of the model's config and generation config"
        )
    return content


def eos_ids_of(model: Any, tokenizer: Any = None) -> list[int]:
    """All ids that end the text for a transformers model: of its generation config, its config (that of
    the text part, in a model of several) and the tokenizer, ascending. May be empty."""
    ids: set[int] = set()
    config = getattr(model, "config", None)
    text_config_of = getattr(config, "get_text_config", None)
    text_config = None if text_config_of is None else text_config_of()
    for source in (getattr(model, "generation_config", None), config, text_config, tokenizer):
        given = getattr(source, "eos_token_id", None)
        ids.update([] if given is None else given if isinstance(given, Iterable) else [given])
    return sorted(int(token_id) for token_id in ids)


def _read(tokenizer: Any) -> TokenizerContent:
    for module, name, read in _READERS:
        if _is_instance(tokenizer, module, name):
            return read(tokenizer)
    raise TokenizerError(f"{_kind(tokenizer)}: not a tokenizer whose token bytes can be told\n{_UNDERSTOOD}")


def _is_instance(value: object, module: str, name: str) -> bool:
    """isinstance without importing: of a module that is not loaded there are no objects."""
    cls = getattr(sys.modules.get(module), name, None)
    return isinstance(cls, type) and isinstance(value, cls)


def _kind(tokenizer: object) -> str:
    return f"{type(tokenizer).__module__}.{type(tokenizer).__qualname__}"


# transformers -------------------------------------------------------------------------------------


def _read_transformers(tokenizer: Any) -> TokenizerContent:
    if _is_instance(getattr(tokenizer, "backend_tokenizer", None), "tokenizers", "Tokenizer"):
        content = _read_backend(tokenizer.backend_tokenizer)
    elif _is_instance(
        getattr(tokenizer, "tokenizer", None), "mistral_common.tokens.tokenizers.mistral", "MistralTokenizer"
    ):
        return _read(tokenizer.tokenizer)
    elif _is_instance(getattr(tokenizer, "sp_model", None), "sentencepiece", "SentencePieceProcessor"):
        content = _read_slow(tokenizer)
    else:
        raise TokenizerError(
            f"{_kind(tokenizer)}: a slow tokenizer whose token bytes cannot be told\n"
            "load it with AutoTokenizer.from_pretrained(..., use_fast=True)"
        )
    for name, token_id in zip(tokenizer.all_special_tokens, tokenizer.all_special_ids, strict=True):
        if tokenizer.convert_ids_to_tokens(token_id) == name:  # one without an id has that of <unk>
            content.make_special(name, token_id)
    content.eos_token_ids = eos_ids_of(None, tokenizer)
    return content


def _read_slow(tokenizer: Any) -> TokenizerContent:
    """A tokenizer of transformers in Python over a SentencePiece model, if it keeps the model's ids."""
    content = _read_sentencepiece(tokenizer.sp_model)
    pieces = len(content.tokens)
    added: dict[int, Any] = tokenizer.added_tokens_decoder
    moved = next(
        (
            token_id
            for token_id in range(pieces)
            if token_id not in added
            and tokenizer.convert_ids_to_tokens(token_id) != tokenizer.sp_model.id_to_piece(token_id)
        ),
        None,
    )
    if moved is not None:
        raise TokenizerError(
            f"{_kind(tokenizer)}: a slow tokenizer that renumbers its SentencePiece model (id {moved})\n"
            "load it with AutoTokenizer.from_pretrained(..., use_fast=True)"
        )
    content.tokens.extend([None] * (max(added, default=-1) + 1 - pieces))
    for token_id, token in added.items():
        if token.special:
            content.make_special(token.content, token_id)
        elif token_id >= pieces:
            content.tokens[token_id] = token.content.encode()
    return content


# tokenizers (Hugging Face, Rust) --------------------------------------------------------------------


def _read_backend(tokenizer: Any) -> TokenizerContent:
    description = _describe(tokenizer)
    model, decoder = description["model"], description["decoder"]
    _check_model(model)
    to_bytes = _decoder_of(decoder, description)
    if model.get("byte_fallback") and "ByteFallback" not in _step_names(decoder):
        raise TokenizerError(
            "the tokenizer writes unknown characters as byte tokens, but its decoder has no ByteFallback "
            "step to read them\nset tokenizer.decoder to the one that belongs to the model"
        )
    size = max(tokenizer.get_vocab(with_added_tokens=True).values(), default=-1) + 1
    pieces: list[str | None] = [tokenizer.id_to_token(token_id) for token_id in range(size)]
    content = TokenizerContent([None if piece is None else to_bytes(piece) for piece in pieces])

    own = tokenizer.get_vocab(with_added_tokens=False)
    literal: list[int] = []
    for token in description["added_tokens"]:
        if token["special"]:
            content.make_special(token["content"], token["id"])
        elif "ByteLevel" in _step_names(decoder) and token["content"] not in own:
            # Such a token stands for its content (as the normalizer makes it), and is so matched in a
            # text. The decoder would read it in the byte alphabet, where "é" comes out as one byte.
            content.tokens[token["id"]] = (pieces[token["id"]] or "").encode()
            literal.append(token["id"])
    unknown = model.get("unk_token")
    unknown_id = tokenizer.token_to_id(unknown) if unknown is not None else model.get("unk_id")
    if unknown_id is not None:
        content.make_special(pieces[unknown_id] or "", unknown_id)

    # One by one: ``decode_batch`` would start threads, and a process that forks later be warned of it.
    _check_decoding(
        content,
        lambda pairs: [tokenizer.decode(pair, skip_special_tokens=False) for pair in pairs],
        "tokenizers.Tokenizer",
        exempt=literal,
    )
    return content


def _describe(tokenizer: Any) -> dict[str, Any]:
    """The tokenizer's JSON description."""
    try:
        text = tokenizer.to_str()
    except Exception as error:  # all that the library raises are bare ones: a step written in Python
        raise TokenizerError(f"the tokenizer cannot be inspected: {error}\n{_UNDERSTOOD}") from error
    description: dict[str, Any] = json.loads(text)
    return description


def _check_model(model: dict[str, Any]) -> None:
    kind = model.get("type")
    if kind == "WordPiece":
        raise TokenizerError(
            "a WordPiece tokenizer (as of BERT): its tokens do not hold their white space, so that they have "
            "no exact bytes\nuse a model with byte-level BPE or SentencePiece"
        )
    if kind not in ("BPE", "Unigram", "WordLevel"):
        raise TokenizerError(f"a tokenizer with a model of type {kind!r}; {_UNDERSTOOD}")
    for option in ("continuing_subword_prefix", "end_of_word_suffix"):
        if model.get(option):
            raise TokenizerError(
                f"a BPE tokenizer with {option} {model[option]!r}: its tokens do not hold their white space, "
                "so that they have no exact bytes\nuse a model with byte-level BPE or SentencePiece"
            )


def _steps(decoder: dict[str, Any] | None) -> Iterator[dict[str, Any]]:
    if decoder is None:
        return
    if decoder["type"] == "Sequence":
        for step in decoder["decoders"]:
            yield from _steps(step)
    else:
        yield decoder


def _step_names(decoder: dict[str, Any] | None) -> list[str]:
    return [step["type"] for step in _steps(decoder)]


def _decoder_of(decoder: dict[str, Any] | None, description: dict[str, Any]) -> Callable[[str], bytes]:
    """What a tokenizer's decoder makes of one token in the middle of a text, as bytes.

    Steps work on each token until ``Fuse`` joins them. After it, or after a step that yields bytes, a
    step works on the text and may reach over token borders: only the removal of the dummy prefix,
    which concerns no token in the middle, is allowed there.
    """
    if decoder is None:
        before = description.get("pre_tokenizer") or {}
        hint = "decoders.ByteLevel()" if "ByteLevel" in json.dumps(before) else "the one that fits the model"
        raise TokenizerError(
            f"the tokenizer has no decoder: it joins tokens with spaces\nset tokenizer.decoder to {hint}"
        )
    rewrites: list[Callable[[str], str]] = []
    finish: Callable[[str], bytes] = str.encode
    settled = ""  # the step after which tokens are no longer rewritten one by one
    for step in _steps(decoder):
        kind = step["type"]
        if kind == "Fuse":
            settled = settled or kind
        elif kind == "Strip" and settled:
            if step["content"] != " " or step["start"] > 1 or step["stop"] > 0:
                raise _refused(step, "it takes away more of the text than the dummy prefix")
        elif settled:
            raise _refused(step, f"it comes after {settled} and may reach over the borders of tokens")
        elif kind == "Replace":
            if "String" not in step["pattern"]:
                raise _refused(step, "its pattern is a regular expression")
            rewrites.append(_replacing(step["pattern"]["String"], step["content"]))
        elif kind == "Metaspace":
            rewrites.append(_replacing(step["replacement"], " "))
        elif kind == "Strip":
            rewrites.append(_stripping(step["content"], step["start"], step["stop"]))
        elif kind == "ByteFallback":
            finish, settled = _byte_piece_bytes, kind
        elif kind == "ByteLevel":
            finish, settled = _byte_level_bytes, kind
        else:
            raise _refused(step, "tokens do not hold their white space")

    def to_bytes(piece: str) -> bytes:
        for rewrite in rewrites:
            piece = rewrite(piece)
        return finish(piece)

    return to_bytes


def _refused(step: dict[str, Any], reason: str) -> TokenizerError:
    return TokenizerError(
        f"the tokenizer's decoder has the step {json.dumps(step, ensure_ascii=False)}, so that its tokens "
        f"have no exact bytes: {reason}\n{_UNDERSTOOD}"
    )


def _replacing(pattern: str, content: str) -> Callable[[str], str]:
    return lambda piece: piece.replace(pattern, content)


def _stripping(content: str, start: int, stop: int) -> Callable[[str], str]:
    def strip(piece: str) -> str:
        begin = 0
        while begin < min(start, len(piece)) and piece[begin] == content:
            begin += 1
        end = len(piece)
        while end > max(begin, len(piece) - stop) and piece[end - 1] == content:
            end -= 1
        return piece[begin:end]

    return strip


def _byte_piece_bytes(piece: str) -> bytes:
    """``<0x0A>`` is the byte 10; any other piece its own text."""
    byte = _BYTE_PIECE.fullmatch(piece)
    return bytes([int(byte[1], 16)]) if byte else piece.encode()


def _byte_alphabet() -> dict[str, int]:
    """GPT-2's letters for bytes: printable Latin-1 characters stand for themselves, the other bytes, in
    order, for U+0100 and on. Source: Radford et al. 2019, ``bytes_to_unicode`` of its code."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    letters = {chr(byte): byte for byte in printable}
    return letters | {chr(0x100 + place): byte for place, byte in enumerate(others)}


_BYTE_OF_LETTER: Final = _byte_alphabet()


def _byte_level_bytes(piece: str) -> bytes:
    """A piece in GPT-2's letters; one with any other character is its own text, as in the library."""
    try:
        return bytes([_BYTE_OF_LETTER[letter] for letter in piece])
    except KeyError:
        return piece.encode()


# SentencePiece, tiktoken, mistral_common -------------------------------------------------------------


def _read_sentencepiece(processor: Any) -> TokenizerContent:
    content = TokenizerContent([None] * processor.get_piece_size())
    for token_id in range(len(content.tokens)):
        piece = processor.id_to_piece(token_id)
        if processor.is_control(token_id) or processor.is_unknown(token_id):
            content.make_special(piece, token_id)
        elif processor.is_byte(token_id):
            content.tokens[token_id] = _byte_piece_bytes(piece)
        elif not processor.is_unused(token_id):
            content.tokens[token_id] = piece.replace(_SPACE_MARK, " ").encode()
    if processor.eos_id() >= 0:
        content.eos_token_ids = [processor.eos_id()]
    _check_decoding(content, processor.decode, _kind(processor))
    return content


def _read_tiktoken(encoding: Any) -> TokenizerContent:
    content = TokenizerContent([None] * encoding.n_vocab)
    special = {name: encoding.encode_single_token(name) for name in encoding.special_tokens_set}
    for token_id in range(encoding.n_vocab):
        try:
            content.tokens[token_id] = encoding.decode_single_token_bytes(token_id)
        except KeyError:
            continue  # the ids have gaps, e.g. between text and special tokens
    for name, token_id in sorted(special.items(), key=lambda item: item[1]):
        content.make_special(name, token_id)
    if "<|endoftext|>" in special:
        content.eos_token_ids = [special["<|endoftext|>"]]
    return content


def _read_tekken(tokenizer: Any) -> TokenizerContent:
    content = TokenizerContent([None] * tokenizer.n_words)
    for token_id in range(tokenizer.n_words):
        if tokenizer.is_special(token_id):
            content.make_special(tokenizer.id_to_piece(token_id), token_id)
        else:
            content.tokens[token_id] = tokenizer.id_to_byte_piece(token_id)
    content.eos_token_ids = [tokenizer.eos_id]
    return content


_READERS: Final[Sequence[tuple[str, str, Callable[[Any], TokenizerContent]]]] = (
    ("transformers.tokenization_utils_base", "PreTrainedTokenizerBase", _read_transformers),
    ("transformers.processing_utils", "ProcessorMixin", lambda processor: _read(processor.tokenizer)),
    ("tokenizers", "Tokenizer", _read_backend),
    ("tiktoken", "Encoding", _read_tiktoken),
    (
        "mistral_common.tokens.tokenizers.mistral",
        "MistralTokenizer",
        lambda tokenizer: _read(tokenizer.instruct_tokenizer),
    ),
    (
        "mistral_common.tokens.tokenizers.base",
        "InstructTokenizer",
        lambda tokenizer: _read(tokenizer.tokenizer),
    ),
    ("mistral_common.tokens.tokenizers.tekken", "Tekkenizer", _read_tekken),
    (
        "mistral_common.tokens.tokenizers.sentencepiece",
        "SentencePieceTokenizer",
        lambda tokenizer: _read_sentencepiece(tokenizer._model),
    ),
    ("sentencepiece", "SentencePieceProcessor", _read_sentencepiece),
)


# The proof --------------------------------------------------------------------------------------------


def _check_decoding(
    content: TokenizerContent,
    decode: Callable[[list[list[int]]], list[str]],
    kind: str,
    exempt: Sequence[int] = (),
) -> None:
    """Compare the bytes found with the tokenizer's own decoding of each token, after another one.

    Tokens that are no whole UTF-8 text cannot be compared, ``decode`` gives text. Raises
    `TokenizerError` at the first difference.
    """
    anchor = next((k for k, token in enumerate(content.tokens) if token and token.isalnum()), None)
    if anchor is None:
        return  # a vocabulary without a single ASCII letter or digit: nothing to set a token behind
    skip = set(exempt)
    compared: list[tuple[int, str]] = []
    for token_id, token in enumerate(content.tokens):
        if token is not None and token_id not in skip and _is_text(token):
            compared.append((token_id, token.decode()))
    before = (content.tokens[anchor] or b"").decode()
    texts = decode([[anchor, token_id] for token_id, _ in compared])
    for (token_id, expected), text in zip(compared, texts, strict=True):
        if text != before + expected:
            raise TokenizerError(
                f"{kind}: token {token_id} was read as {expected!r}, but after {before!r} it decodes to "
                f"{text!r}, so that its bytes cannot be told\n{_UNDERSTOOD}"
            )


def _is_text(token: bytes) -> bool:
    try:
        token.decode()
    except UnicodeDecodeError:
        return False
    return True
