"""A model's vocabulary: the bytes of every token id, the ids that end the text, and the byte trie."""

from __future__ import annotations

import hashlib
import logging
import operator
import threading
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, SupportsIndex

import numpy as np
import numpy.typing as npt

from structgen import cache
from structgen.errors import TokenIdError, VocabularyError
from structgen.trie import TokenTrie, build_trie

_logger = logging.getLogger(__name__)
_TRIE_KIND = "trie"


class Vocabulary:
    """Token ids and their bytes. Immutable, and safe to share between threads.

    ``tokens``: the bytes of each id, as many as the model's logits are wide; None (or no bytes) for ids
    that are no text: special, padding, unused. ``eos_token_ids``: the id or ids that end the text.
    ``special_tokens``: control tokens by name. EOS and special ids never match text: their bytes, where
    given, are dropped.

    Raises `VocabularyError`: a token that is neither bytes nor None, no token with bytes, no EOS id or
    one out of range, a special token's id out of range.
    """

    __slots__ = (
        "_alphabet", "_blob", "_digest", "_eos_token_ids", "_has_all_bytes", "_is_byte_complete", "_lock",
        "_max_token_length", "_offsets", "_special_tokens", "_tokens", "_trie",
    )  # fmt: skip

    def __init__(
        self,
        tokens: Sequence[bytes | None],
        eos_token_ids: int | Iterable[int],
        *,
        special_tokens: Mapping[str, int] | None = None,
    ) -> None:
        texts = _checked_tokens(tokens)
        size = len(texts)
        self._eos_token_ids = _checked_eos(eos_token_ids, size)
        self._special_tokens = MappingProxyType(_checked_special(special_tokens or {}, size))
        for control in (*self._eos_token_ids, *self._special_tokens.values()):
            texts[control] = None
        if not any(texts):
            raise VocabularyError("no token has bytes: nothing could be written")
        self._tokens: tuple[bytes | None, ...] = tuple(texts)

        lengths = np.fromiter((len(text or b"") for text in texts), np.int64, size)
        self._offsets = np.zeros(size + 1, np.int64)
        np.cumsum(lengths, out=self._offsets[1:])
        self._blob = np.frombuffer(b"".join(text or b"" for text in texts), np.uint8)
        self._alphabet = np.bincount(self._blob, minlength=256) > 0
        single = np.zeros(256, np.bool_)
        single[self._blob[self._offsets[:-1][lengths == 1]]] = True
        self._is_byte_complete = bool(np.array_equal(single, self._alphabet))
        self._has_all_bytes = bool(self._alphabet.all())
        self._max_token_length = int(lengths.max())
        for array in (self._offsets, self._blob, self._alphabet):
            array.flags.writeable = False
        self._digest = self._content_digest()
        self._lock = threading.Lock()
        self._trie: TokenTrie | None = None

    @classmethod
    def from_tokenizer(
        cls,
        tokenizer: Any,
        vocab_size: int | None = None,
        eos_token_ids: int | Iterable[int] | None = None,
    ) -> Vocabulary:
        """The vocabulary of a tokenizer object, with the exact bytes of each id.

        ``tokenizer``: a fast (or SentencePiece) tokenizer of transformers, `tokenizers.Tokenizer`,
        `tiktoken.Encoding`, a tokenizer of mistral_common, or a SentencePieceProcessor. ``vocab_size``:
        width of the model's logits, where more than the tokenizer's ids; those beyond have no bytes.
        ``eos_token_ids``: further ids that end the text (those of the model's config and generation
        config: see `structgen.tokenizers.eos_ids_of`); the tokenizer's own always counts.

        Raises `TokenizerError` for a tokenizer whose token bytes cannot be told exactly or that has no
        EOS id and is given none, `OptionError` for a ``vocab_size`` less than the tokenizer's.
        """
        from structgen.tokenizers import read_tokenizer

        content = read_tokenizer(tokenizer, vocab_size, eos_token_ids)
        return cls(content.tokens, content.eos_token_ids, special_tokens=content.special_tokens)

    @property
    def tokens(self) -> tuple[bytes | None, ...]:
        """The bytes of each id; None (or b"") where it has none."""
        return self._tokens

    @property
    def size(self) -> int:
        """Number of ids: the width of the model's logits."""
        return len(self._tokens)

    @property
    def eos_token_ids(self) -> tuple[int, ...]:
        """The ids that end the text, ascending."""
        return self._eos_token_ids

    @property
    def special_tokens(self) -> Mapping[str, int]:
        """Ids of the control tokens by name, read-only."""
        return self._special_tokens

    @property
    def digest(self) -> bytes:
        """Hash (16 bytes) of the size, the bytes of every id (none told from no bytes), and the EOS ids.

        The names of special tokens are left out: they change no mask.
        """
        return self._digest

    @property
    def blob(self) -> npt.NDArray[np.uint8]:
        """The bytes of all tokens in the order of the ids: uint8, read-only."""
        return self._blob

    @property
    def offsets(self) -> npt.NDArray[np.int64]:
        """int64 (size + 1,), read-only: token ``t`` is blob[offsets[t]:offsets[t + 1]]."""
        return self._offsets

    @property
    def alphabet(self) -> npt.NDArray[np.bool_]:
        """bool (256,), read-only: the bytes that occur in any token."""
        return self._alphabet

    @property
    def is_byte_complete(self) -> bool:
        """Whether each byte of the alphabet is a token of its own, so that all its strings can be spelled."""
        return self._is_byte_complete

    @property
    def max_token_length(self) -> int:
        """Bytes of the longest token."""
        return self._max_token_length

    @property
    def has_all_bytes(self) -> bool:
        """Whether the alphabet is all 256 bytes."""
        return self._has_all_bytes

    @property
    def trie(self) -> TokenTrie:
        """The byte trie: taken from the cache folder, or built at the first use (and stored there)."""
        with self._lock:
            if self._trie is None:
                self._trie = self._load_trie() or self._build_trie()
            return self._trie

    def token_bytes(self, token_id: SupportsIndex) -> bytes | None:
        """The bytes of one id, None where it has none. Raises `TokenIdError` when out of range."""
        index = operator.index(token_id)
        if not 0 <= index < len(self._tokens):
            raise TokenIdError(index, len(self._tokens))
        return self._tokens[index]

    def decode(self, token_ids: Iterable[SupportsIndex]) -> bytes:
        """The joined bytes of tokens; ids without bytes add none. Raises `TokenIdError`."""
        return b"".join(self.token_bytes(token_id) or b"" for token_id in token_ids)

    def tokenize_bytes(self, data: bytes) -> list[int]:
        """Token ids whose joined bytes are ``data``: the longest token at each place that leaves the
        rest spellable, the lowest id of equal ones. Not the model's own tokenization.

        Raises `VocabularyError` where no tokens spell it.
        """
        from structgen_kernels import trie as kernels

        trie = self.trie
        text = np.frombuffer(data, np.uint8)
        longest = np.empty(text.size + 1, np.int32)
        kernels.longest_spelling(trie.byte, trie.end, trie.token_begin, text, longest)
        ids: list[int] = []
        place = 0
        while place < text.size:
            node = longest[place]
            if node == 0:
                reached = np.zeros(text.size + 1, np.uint8)
                farthest = kernels.farthest_spelled(trie.byte, trie.end, trie.token_begin, text, reached)
                raise VocabularyError(
                    f"no tokens spell the bytes from {farthest} on: {data[farthest : farthest + 16]!r}"
                )
            ids.append(int(trie.token_ids[trie.token_begin[node]]))
            place += int(trie.depth[node])
        return ids

    def __len__(self) -> int:
        return len(self._tokens)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and other._digest == self._digest

    def __hash__(self) -> int:
        return hash(self._digest)

    def __repr__(self) -> str:
        return (
            f"Vocabulary({self.size:,} ids, EOS {list(self._eos_token_ids)}, "
            f"{len(self._special_tokens)} special, {self._digest.hex()[:8]})"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (self._tokens, self._eos_token_ids, dict(self._special_tokens))

    def _content_digest(self) -> bytes:
        lengths = np.diff(self._offsets)
        lengths[[k for k, token in enumerate(self._tokens) if token is None]] = -1
        content = hashlib.blake2b(digest_size=16, person=b"structgen vocab")
        content.update(np.array([len(self._tokens), len(self._eos_token_ids)], "<i8").tobytes())
        content.update(np.array(self._eos_token_ids, "<i8").tobytes())
        content.update(lengths.astype("<i8").tobytes())
        content.update(self._blob.data)
        return content.digest()

    def _load_trie(self) -> TokenTrie | None:
        arrays = cache.load_arrays(_TRIE_KIND, self._digest.hex())
        if arrays is None:
            return None
        try:
            trie = TokenTrie(**arrays)
            if trie.n_tokens == np.count_nonzero(np.diff(self._offsets)) and trie.token_ids.max() < self.size:
                return trie
            reason = "its ids are not those of the vocabulary"
        except (TypeError, VocabularyError) as error:  # TypeError: other arrays than the trie's
            reason = str(error)
        _logger.warning("cached trie %s: %s; it is made again", self._digest.hex(), reason)
        cache.discard(_TRIE_KIND, self._digest.hex())
        return None

    def _build_trie(self) -> TokenTrie:
        trie = build_trie(self._blob, self._offsets)
        cache.store_arrays(_TRIE_KIND, self._digest.hex(), trie.arrays())
        return trie


def _rebuild(
    tokens: Sequence[bytes | None], eos_token_ids: Iterable[int], special_tokens: Mapping[str, int]
) -> Vocabulary:
    return Vocabulary(tokens, eos_token_ids, special_tokens=special_tokens)


def _checked_tokens(tokens: Sequence[bytes | None]) -> list[bytes | None]:
    if isinstance(tokens, (str, bytes, bytearray)) or not isinstance(tokens, Sequence):
        raise VocabularyError(f"tokens: expected a sequence of bytes or None, got {type(tokens).__name__}")
    for token_id, token in enumerate(tokens):
        if token is not None and type(token) is not bytes:
            raise VocabularyError(
                f"token {token_id}: expected bytes or None, got {type(token).__name__} {token!r:.40}"
            )
    return list(tokens)


def _checked_eos(eos_token_ids: int | Iterable[int], size: int) -> tuple[int, ...]:
    given = eos_token_ids if isinstance(eos_token_ids, Iterable) else (eos_token_ids,)
    if isinstance(given, (str, bytes)):
        raise VocabularyError(f"EOS ids: expected token ids, got {given!r:.40}")
    ids = tuple(sorted({_checked_id("EOS id", value, size) for value in given}))
    if not ids:
        raise VocabularyError("no EOS id: the end of a text could never be told; give at least one")
    return ids


def _checked_special(special_tokens: Mapping[str, int], size: int) -> dict[str, int]:
    for name in special_tokens:
        if not isinstance(name, str) or not name:
            raise VocabularyError(f"special tokens: expected names that are not empty, got {name!r:.40}")
    return {
        name: _checked_id(f"special token {name!r}", value, size) for name, value in special_tokens.items()
    }


def _checked_id(what: str, value: object, size: int) -> int:
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, SupportsIndex):
        raise VocabularyError(f"{what}: expected a token id, got {value!r:.40}")
    index = operator.index(value)
    if not 0 <= index < size:
        raise VocabularyError(f"{what}: {index} is outside the vocabulary of {size} ids")
    return index
