"""``--tokenizer``: a name, a file or a model id, and the vocabulary that it means."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from structgen.errors import TokenizerError

if TYPE_CHECKING:
    from structgen import Vocabulary

BYTES = "bytes"
DEFAULT = "default"
_KNOWN = (
    "give 'default' (the embedded model's), 'bytes', a model id, a folder, a tokenizer.json, a Tekken "
    "file or a SentencePiece .model"
)


@dataclass(frozen=True, slots=True)
class NamedVocabulary:
    """A vocabulary, what messages call it, and the kind of the tokenizer that it was read from."""

    name: str
    kind: str
    vocabulary: Vocabulary


def load_vocabulary(spec: str) -> NamedVocabulary:
    """The vocabulary that ``spec`` names. Raises `TokenizerError` for none, or one of no known kind."""
    from structgen import Vocabulary

    if spec == BYTES:
        return NamedVocabulary(spec, "256 bytes and an EOS id", byte_vocabulary())
    if spec == DEFAULT:
        from structgen.model import default_model_path

        return _from_pretrained(str(default_model_path()), spec)
    path = Path(spec)
    if path.is_file():
        tokenizer, kind = _read_file(path)
        return NamedVocabulary(path.name, kind, Vocabulary.from_tokenizer(tokenizer))
    return _from_pretrained(spec, path.name if path.is_dir() else spec)


def byte_vocabulary() -> Vocabulary:
    """Each byte is the token of its number; 256 ends the text."""
    from structgen import Vocabulary

    return Vocabulary([*(bytes([byte]) for byte in range(256)), None], 256)


def _read_file(path: Path) -> tuple[Any, str]:
    if path.suffix != ".json":
        return _read_sentencepiece(path), "SentencePiece"
    try:
        head = json.loads(path.read_bytes())
    except ValueError as error:
        raise TokenizerError(f"{path.name}: not JSON, so no tokenizer.json\n{_KNOWN}") from error
    if isinstance(head, dict) and isinstance(head.get("vocab"), list) and "config" in head:
        return _read_tekken(path), "Tekken"
    return _read_hugging_face(path, head), "Hugging Face"


def _read_hugging_face(path: Path, head: Any) -> Any:
    """A tokenizer.json on its own names no EOS token: the one of the usual names that it holds is taken."""
    if not isinstance(head, dict) or "model" not in head:
        raise TokenizerError(f"{path.name}: not a tokenizer.json (it has no 'model')\n{_KNOWN}")
    from transformers import PreTrainedTokenizerFast

    added = {entry.get("content") for entry in head.get("added_tokens", ()) if isinstance(entry, dict)}
    usual = ("<|endoftext|>", "<|end_of_text|>", "<|eot_id|>", "<|im_end|>", "</s>", "<eos>", "<|end|>")
    ends = next((name for name in usual if name in added), None)
    fast: Any = PreTrainedTokenizerFast  # its constructor is not annotated
    return fast(tokenizer_file=str(path), eos_token=ends)


def _read_tekken(path: Path) -> Any:
    try:
        from mistral_common.tokens.tokenizers.tekken import Tekkenizer
    except ImportError as error:
        raise TokenizerError(
            f"{path.name}: a Tekken file needs mistral-common\npip install mistral-common"
        ) from error
    return Tekkenizer.from_file(path)


def _read_sentencepiece(path: Path) -> Any:
    try:
        import sentencepiece
    except ImportError as error:
        raise TokenizerError(
            f"{path.name}: this file needs sentencepiece\npip install sentencepiece"
        ) from error
    try:
        return sentencepiece.SentencePieceProcessor(model_file=str(path))
    except RuntimeError as error:
        raise TokenizerError(f"{path.name}: not a SentencePiece model\n{_KNOWN}") from error


def _from_pretrained(spec: str, name: str) -> NamedVocabulary:
    """A folder or model id, read as transformers does; width and further EOS ids from the model's configs."""
    from transformers import AutoConfig, AutoTokenizer, GenerationConfig

    from structgen import Vocabulary

    try:
        tokenizer = AutoTokenizer.from_pretrained(spec)
    except Exception as error:
        # the Rust tokenizers raise a bare Exception for a damaged file; other classes would be bugs
        if type(error) is not Exception and not isinstance(error, (OSError, ValueError, KeyError, TypeError)):
            raise
        raise TokenizerError(f"no tokenizer {name!r}: {_first_line(error)}\n{_KNOWN}") from error
    width: int | None = None
    ends: list[int] = []
    for source in (AutoConfig, GenerationConfig):
        try:
            config = source.from_pretrained(spec)
        except (OSError, ValueError):
            continue  # a tokenizer without a model beside it: its own EOS id and width count
        text = config.get_text_config() if hasattr(config, "get_text_config") else config
        given = getattr(text, "eos_token_id", None)
        ends.extend(given if isinstance(given, list) else [] if given is None else [given])
        width = getattr(text, "vocab_size", None) or width
    kind = type(tokenizer).__name__
    if width is not None and width < len(tokenizer):
        width = None
    return NamedVocabulary(name, kind, Vocabulary.from_tokenizer(tokenizer, width, ends or None))


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
