"""The tokenizers that the runner measures with: text to ids, and the bytes of every id."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from structgen_bench.errors import BenchError

TEKKEN_FILE = "tekken_240911.json"
NEOX_FILE = "gpt-neox-20b.json"


@dataclass(frozen=True, slots=True)
class TokenBytes:
    """What an engine gets to know of a tokenizer: cheap to send to another process.

    ``tokens``: the bytes of each id, None where an id has none. ``eos_ids``: the ids that end a text.
    ``pattern`` (byte-pair encodings in rank order) or ``definition`` (the text of a tokenizer.json) is for
    engines that tokenise by themselves.
    """

    tokens: list[bytes | None]
    eos_ids: tuple[int, ...]
    pattern: str = ""
    definition: str = ""

    @property
    def vocab_size(self) -> int:
        return len(self.tokens)

    def digest(self) -> str:
        """A hash of the ids, their bytes and the EOS ids, so that runs can be compared."""
        content = hashlib.blake2b(digest_size=16)
        content.update(repr(self.eos_ids).encode())
        for token in self.tokens:
            content.update(b"\xff\xff\xff\xff" if token is None else len(token).to_bytes(4, "little") + token)
        return content.hexdigest()


@dataclass(frozen=True, slots=True)
class BenchTokenizer:
    """A tokenizer by ``name``: its vocabulary and ``encode`` (one string to ids, no special tokens added)."""

    name: str
    vocabulary: TokenBytes
    encode: Callable[[str], list[int]]


def load_tokenizer(spec: str, data: Path | None = None) -> BenchTokenizer:
    """The tokenizer that ``spec`` names: 'tekken', 'neox', 'bytes' or the path of a ``tokenizer.json``.

    'neox' is looked up beside the data folder (``DATA/../tokenizers``). Raises `BenchError`.
    """
    if spec == "tekken":
        return _tekken()
    if spec == "bytes":
        return _bytes()
    if spec == "neox":
        path = Path(NEOX_FILE) if data is None else data.resolve().parent / "tokenizers" / NEOX_FILE
        return _hugging_face(path, "neox")
    return _hugging_face(Path(spec), Path(spec).stem)


def _bytes() -> BenchTokenizer:
    tokens: list[bytes | None] = [*(bytes([byte]) for byte in range(256)), None]
    return BenchTokenizer("bytes", TokenBytes(tokens, (256,)), lambda text: list(text.encode()))


def _tekken() -> BenchTokenizer:
    try:
        import mistral_common
        from mistral_common.tokens.tokenizers.tekken import Tekkenizer
    except ImportError as error:
        raise BenchError(
            "the Tekken vocabulary comes with mistral-common, which is not installed",
            "pip install mistral-common, or choose another --tokenizer",
        ) from error
    path = Path(mistral_common.__file__).parent / "data" / TEKKEN_FILE
    if not path.is_file():
        raise BenchError(
            f"this version of mistral-common ({mistral_common.__version__}) does not carry {TEKKEN_FILE}",
            "install the version that the optional dependency 'bench' names",
        )
    tekken = Tekkenizer.from_file(path)
    first = tekken.num_special_tokens
    tokens: list[bytes | None] = [None] * first
    tokens.extend(tekken.id_to_byte_piece(token) for token in range(first, tekken.n_words))

    def encode(text: str) -> list[int]:
        return list(tekken.encode(text, bos=False, eos=False))

    pattern = json.loads(path.read_text(encoding="utf-8"))["config"]["pattern"]
    return BenchTokenizer("tekken", TokenBytes(tokens, (tekken.eos_id,), pattern=pattern), encode)


def _hugging_face(path: Path, name: str) -> BenchTokenizer:
    if not path.is_file():
        raise BenchError(
            f"no tokenizer file {path.name!r}",
            "give 'tekken', 'neox' (a file beside the data folder), 'bytes' or the path of a tokenizer.json",
        )
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    from structgen import Vocabulary

    raw = Tokenizer.from_file(str(path))
    known = [
        token
        for token in ("<|endoftext|>", "</s>", "<eos>", "<|eot_id|>")
        if raw.token_to_id(token) is not None
    ]
    if not known:
        raise BenchError(f"cannot tell the end-of-text token of {path.name!r}", "choose another --tokenizer")
    fast = PreTrainedTokenizerFast(tokenizer_file=str(path), eos_token=known[0])
    vocabulary = Vocabulary.from_tokenizer(fast)

    def encode(text: str) -> list[int]:
        return list(raw.encode(text, add_special_tokens=False).ids)

    eos_ids = tuple(sorted(int(token) for token in vocabulary.eos_token_ids))
    definition = path.read_text(encoding="utf-8")
    return BenchTokenizer(name, TokenBytes(list(vocabulary.tokens), eos_ids, definition=definition), encode)
