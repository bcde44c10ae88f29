"""Vocabulary: what it holds, what it refuses, its hash, its trie through the cache, spelling."""

from __future__ import annotations

import base64
import json
import logging
import pickle
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive_trie import naive_spelling, naive_trie

from structgen import cache
from structgen.errors import TokenIdError, VocabularyError
from structgen.vocabulary import Vocabulary

TOKENS: list[bytes | None] = [None, b"</s>", b"a", b"ab", "é".encode(), b"ab", b"", b"b", b"\xc3", b"\xa9"]


@pytest.fixture(autouse=True, scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("cache")
    cache.set_cache_dir(path)
    yield path
    cache.set_cache_dir(None)


def tekken_tokens() -> list[bytes | None]:
    mistral_common = pytest.importorskip("mistral_common")
    path = Path(mistral_common.__file__).parent / "data" / "tekken_240911.json"
    content = json.loads(path.read_text())["vocab"][: 131_072 - 1000]
    return [None] * 1000 + [base64.b64decode(token["token_bytes"]) for token in content]


def test_what_it_holds() -> None:
    vocabulary = Vocabulary(TOKENS, [1], special_tokens={"<pad>": 0})
    assert vocabulary.size == len(vocabulary) == 10
    assert vocabulary.tokens == (None, None, *TOKENS[2:])
    assert vocabulary.eos_token_ids == (1,)
    assert dict(vocabulary.special_tokens) == {"<pad>": 0}
    assert vocabulary.max_token_length == 2
    assert np.flatnonzero(vocabulary.alphabet).tolist() == [0x61, 0x62, 0xA9, 0xC3]
    assert vocabulary.is_byte_complete
    assert vocabulary.blob.tobytes() == b"ab".join([b"a", "é".encode(), b"b\xc3\xa9"])
    assert vocabulary.offsets.tolist() == [0, 0, 0, 1, 3, 5, 7, 7, 8, 9, 10]
    assert "10 ids, EOS [1], 1 special" in repr(vocabulary)
    for array in (vocabulary.blob, vocabulary.offsets, vocabulary.alphabet):
        assert not array.flags.writeable
    with pytest.raises(TypeError):
        vocabulary.special_tokens["x"] = 1  # type: ignore[index]
    with pytest.raises(AttributeError):
        vocabulary.size = 3  # type: ignore[misc]


def test_not_byte_complete() -> None:
    assert not Vocabulary([b"ab", b"a", None], 2).is_byte_complete


def test_eos_and_special_ids_never_match_text() -> None:
    vocabulary = Vocabulary([b"a", b"b", b"c", b"d"], {3, 1}, special_tokens={"<c>": 2})
    assert vocabulary.eos_token_ids == (1, 3)
    assert vocabulary.tokens == (b"a", None, None, None)
    assert vocabulary.trie.token_ids.tolist() == [0]


@pytest.mark.parametrize("eos", [2, np.int64(2), [2], (2, 2), {2}, np.array([2]), iter([2])])
def test_eos_ids_in_every_form(eos: object) -> None:
    assert Vocabulary([b"a", b"b", None], eos).eos_token_ids == (2,)  # type: ignore[arg-type]


BAD = [
    ("ab", 0, {}, "tokens: expected a sequence of bytes or None, got str"),
    (b"ab", 0, {}, "tokens: expected a sequence of bytes or None, got bytes"),
    ({"a": 1}, 0, {}, "tokens: expected a sequence of bytes or None, got dict"),
    (None, 0, {}, "tokens: expected a sequence of bytes or None, got NoneType"),
    ([b"a", "b"], 0, {}, "token 1: expected bytes or None, got str 'b'"),
    ([b"a", 7], 0, {}, "token 1: expected bytes or None, got int 7"),
    ([b"a", bytearray(b"b")], 0, {}, "token 1: expected bytes or None, got bytearray"),
    ([], 0, {}, "EOS id: 0 is outside the vocabulary of 0 ids"),
    ([None, b"", None], 0, {}, "no token has bytes"),
    ([b"a"], 0, {}, "no token has bytes"),
    ([b"a", b"b"], 2, {}, "EOS id: 2 is outside the vocabulary of 2 ids"),
    ([b"a", b"b"], -1, {}, "EOS id: -1 is outside"),
    ([b"a", b"b"], [], {}, "no EOS id"),
    ([b"a", b"b"], None, {}, "EOS id: expected a token id, got None"),
    ([b"a", b"b"], True, {}, "EOS id: expected a token id, got True"),
    ([b"a", b"b"], [0, True], {}, "EOS id: expected a token id, got True"),
    ([b"a", b"b"], 1.0, {}, "EOS id: expected a token id, got 1.0"),
    ([b"a", b"b"], "</s>", {}, "EOS ids: expected token ids, got '</s>'"),
    ([b"a", b"b"], ["1"], {}, "EOS id: expected a token id, got '1'"),
    ([b"a", b"b"], 1, {"<c>": 2}, "special token '<c>': 2 is outside"),
    ([b"a", b"b"], 1, {"<c>": None}, "special token '<c>': expected a token id, got None"),
    ([b"a", b"b"], 1, {1: 1}, "special tokens: expected names that are not empty, got 1"),
    ([b"a", b"b"], 1, {"": 1}, "special tokens: expected names that are not empty, got ''"),
]


@pytest.mark.parametrize(("tokens", "eos", "special", "message"), BAD)
def test_what_it_refuses(tokens: object, eos: object, special: dict, message: str) -> None:
    with pytest.raises(VocabularyError) as caught:
        Vocabulary(tokens, eos, special_tokens=special)  # type: ignore[arg-type]
    assert message in str(caught.value)


@pytest.mark.parametrize("token_id", [-1, 10, 1 << 40, np.int64(10)])
def test_ids_out_of_range(token_id: int) -> None:
    vocabulary = Vocabulary(TOKENS, 1)
    for call in (vocabulary.token_bytes, lambda wrong: vocabulary.decode([2, wrong])):
        with pytest.raises(TokenIdError, match="is outside the vocabulary of 10 ids") as caught:
            call(token_id)
        assert (caught.value.token, caught.value.vocab_size) == (token_id, 10)


def test_decode_leaves_out_ids_without_bytes() -> None:
    vocabulary = Vocabulary(TOKENS, 1)
    assert vocabulary.token_bytes(np.int32(3)) == b"ab"
    assert vocabulary.token_bytes(1) is None
    assert vocabulary.decode(np.array([3, 0, 8, 9, 6, 1])) == "abé".encode()


def test_digest_tells_contents_apart() -> None:
    base = Vocabulary([b"a", b"b", b"cd", None, None], 3)
    others = [
        Vocabulary([b"a", b"b", b"cd", None], 3),
        Vocabulary([b"a", b"b", b"cd", None, b""], 3),
        Vocabulary([b"a", b"b", b"cd", None, None], 4),
        Vocabulary([b"a", b"b", b"cd", None, None], [3, 4]),
        Vocabulary([b"a", b"bc", b"d", None, None], 3),
        Vocabulary([b"b", b"a", b"cd", None, None], 3),
    ]
    assert len({vocabulary.digest for vocabulary in [base, *others]}) == 7
    assert base.digest.hex() == "e8812a7bdd8111113cfb7470a4f434d0"  # stays: files are named by it
    same = Vocabulary((b"a", b"b", b"cd", b"eos", None), [3], special_tokens={"<pad>": 4})
    assert same == base and hash(same) == hash(base) and same != others[0] and base != "base"


def test_pickle() -> None:
    vocabulary = Vocabulary(TOKENS, 1, special_tokens={"<pad>": 0})
    copy = pickle.loads(pickle.dumps(vocabulary))
    assert copy == vocabulary and copy.special_tokens == vocabulary.special_tokens


@given(
    st.lists(st.text("ab", max_size=4).map(str.encode) | st.binary(max_size=2), min_size=1, max_size=15),
    st.text("abc", max_size=12).map(str.encode),
)
@settings(max_examples=150, deadline=None, derandomize=True)
def test_tokenize_bytes(tokens: list[bytes], data: bytes) -> None:
    tokens = [*tokens, b"a", b"</s>"]
    vocabulary = Vocabulary(tokens, len(tokens) - 1)
    expected = naive_spelling(vocabulary.tokens, data)
    if expected is None:
        with pytest.raises(VocabularyError, match="no tokens spell the bytes from"):
            vocabulary.tokenize_bytes(data)
    else:
        assert vocabulary.tokenize_bytes(data) == expected
        assert vocabulary.decode(expected) == data


def test_tokenize_bytes_is_not_merely_greedy() -> None:
    vocabulary = Vocabulary([b"ab", b"a", b"bc", None], 3)
    assert vocabulary.tokenize_bytes(b"abc") == [1, 2]
    with pytest.raises(VocabularyError, match=r"from 5 on: b'bx'"):
        vocabulary.tokenize_bytes(b"abaabbx")


def test_trie_is_stored_once_and_loaded(folder: Path) -> None:
    tokens: Sequence[bytes | None] = [b"stored", b"st", None, b"st"]
    first, second = Vocabulary(tokens, 2), Vocabulary(tokens, 2)
    assert first.trie is first.trie
    stored = folder / cache.LAYOUT / "trie" / f"{first.digest.hex()}.safetensors"
    assert stored.exists()
    assert not second.trie.byte.flags.owndata  # mapped from the file
    expected = naive_trie(tokens)
    for trie in (first.trie, second.trie):
        for name, array in trie.arrays().items():
            assert array.tolist() == getattr(expected, name)


@pytest.mark.parametrize("damage", ["bytes", "arrays", "contradiction", "foreign ids"])
def test_damaged_stored_trie_is_made_again(
    damage: str, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    vocabulary = Vocabulary([b"damaged", b"da", None], 2)
    whole = vocabulary.trie
    key = vocabulary.digest.hex()
    stored = folder / cache.LAYOUT / "trie" / f"{key}.safetensors"
    arrays = whole.arrays()
    if damage == "bytes":
        stored.write_bytes(stored.read_bytes()[:-3])
    elif damage == "arrays":
        cache.store_arrays("trie", key, {"byte": arrays["byte"]})
    elif damage == "contradiction":
        cache.store_arrays("trie", key, arrays | {"end": arrays["end"] + np.int32(1)})
    else:
        cache.store_arrays("trie", key, arrays | {"token_ids": np.array([0, 3], np.int32)})
    with caplog.at_level(logging.WARNING):
        again = Vocabulary([b"damaged", b"da", None], 2).trie
    assert len(caplog.records) == 1 and "made again" in caplog.text
    for name, array in again.arrays().items():
        assert array.tolist() == arrays[name].tolist()
    assert not Vocabulary([b"damaged", b"da", None], 2).trie.byte.flags.owndata


def test_threads_share_one_trie() -> None:
    vocabulary = Vocabulary([*(bytes([k]) for k in range(256)), None], 256)
    seen: list[int] = []
    threads = [threading.Thread(target=lambda: seen.append(id(vocabulary.trie))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 8 and len(set(seen)) == 1


def test_tekken_trie_figures() -> None:
    tokens = tekken_tokens()
    Vocabulary([b"compile the kernels", None], 1).trie  # noqa: B018
    begin = time.perf_counter()
    cold = Vocabulary(tokens, 2)
    assert (cold.trie.n_nodes, cold.trie.max_depth, cold.blob.size) == (266_313, 76, 878_258)
    built = time.perf_counter() - begin
    begin = time.perf_counter()
    warm = Vocabulary(tokens, 2).trie
    loaded = time.perf_counter() - begin
    assert not warm.byte.flags.owndata
    for name, array in warm.arrays().items():
        assert np.array_equal(array, cold.trie.arrays()[name])
    # The limits are 1.5 s and 0.05 s for the trie; here the vocabulary is in it, and the machine is shared.
    assert built < 1.5
    assert loaded < 0.25
    text = "Grüße, 世界! \x00\n\t🎉".encode()
    assert cold.decode(cold.tokenize_bytes(text)) == text
    assert cold.is_byte_complete and cold.max_token_length == 76
