"""The token trie: kernels against plain twins, with and without compilation; checks; time."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive_trie import naive_farthest, naive_spelling, naive_trie

from structgen.errors import VocabularyError
from structgen.trie import MAX_TOKEN_LENGTH, TokenTrie, build_trie

Tokens = Sequence[bytes | None]

TOKENS = st.lists(
    st.none()
    | st.text("ab", max_size=5).map(str.encode)
    | st.binary(max_size=3)
    | st.sampled_from([b"", b"\x00", b"\x00\x00", b"\xff", b"\x7f\x80", b"a" * 40]),
    max_size=40,
)


def concatenated(tokens: Tokens) -> tuple[np.ndarray, np.ndarray]:
    offsets = np.zeros(len(tokens) + 1, np.int64)
    offsets[1:] = np.cumsum([len(token or b"") for token in tokens])
    return np.frombuffer(b"".join(token or b"" for token in tokens), np.uint8), offsets


def build(tokens: Tokens) -> TokenTrie:
    return build_trie(*concatenated(tokens))


@given(TOKENS)
@settings(max_examples=300, deadline=None, derandomize=True)
def test_twin_builds_the_same_trie(tokens: Tokens) -> None:
    trie, expected = build(tokens), naive_trie(tokens)
    for name, array in trie.arrays().items():
        assert array.tolist() == getattr(expected, name), name


@given(TOKENS, st.text("abc", max_size=12).map(str.encode) | st.binary(max_size=6))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_twin_spells_the_same(tokens: Tokens, data: bytes) -> None:
    from structgen_kernels import trie as kernels

    trie = build(tokens)
    text = np.frombuffer(data, np.uint8)
    longest = np.full(text.size + 1, -7, np.int32)
    kernels.longest_spelling(trie.byte, trie.end, trie.token_begin, text, longest)
    ids: list[int] | None = []
    place = 0
    while place < text.size and ids is not None:
        node = longest[place]
        ids = [*ids, int(trie.token_ids[trie.token_begin[node]])] if node else None
        place += int(trie.depth[node])
    assert ids == naive_spelling(tokens, data)
    assert longest[-1] == 0
    reached = np.zeros(text.size + 1, np.uint8)
    farthest = kernels.farthest_spelled(trie.byte, trie.end, trie.token_begin, text, reached)
    assert farthest == naive_farthest(tokens, data)


@pytest.mark.parametrize("variable", ["NUMBA_DISABLE_JIT", "NUMBA_BOUNDSCHECK"])
def test_twins_agree_in_another_mode(variable: str, tmp_path: Path) -> None:
    if variable in os.environ:
        pytest.skip("this is that other run")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__, "-k", "twin_"]
    environment = os.environ | {variable: "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
    assert "2 passed" in done.stdout


def test_layout_of_a_small_trie() -> None:
    trie = build([b"ab", None, b"a", b"b", b"abc", b"", b"ab", b"ad"])
    assert trie.byte.tolist() == [0, *b"abcdb"]
    assert trie.depth.tolist() == [0, 1, 2, 3, 2, 1]
    assert trie.parent.tolist() == [-1, 0, 1, 2, 1, 0]
    assert trie.end.tolist() == [6, 5, 4, 4, 5, 6]
    assert trie.token_begin.tolist() == [0, 0, 1, 3, 4, 5, 6]
    assert trie.token_ids.tolist() == [2, 0, 6, 4, 7, 3]
    assert (trie.n_nodes, trie.n_tokens, trie.max_depth) == (6, 6, 3)


def test_arrays_are_read_only_and_typed() -> None:
    trie = build([b"a", b"bc"])
    expected = {
        "byte": "uint8", "depth": "uint16", "parent": "int32", "end": "int32", "token_begin": "int32",
        "token_ids": "int32",
    }  # fmt: skip
    assert {name: array.dtype.name for name, array in trie.arrays().items()} == expected
    assert not any(array.flags.writeable for array in trie.arrays().values())


def test_longest_token() -> None:
    longest = b"x" * MAX_TOKEN_LENGTH
    assert build([longest]).max_depth == MAX_TOKEN_LENGTH
    with pytest.raises(VocabularyError, match="token 1 has 65,536 bytes; at most 65,535"):
        build([b"a", longest + b"y"])


DAMAGE = {
    "byte": [0, 97],
    "depth": [0, 1, 1, 1],
    "parent": [-1, 0, 2, 0],
    "end": [4, 3, 9, 4],
    "token_begin": [0, 0, 2, 1, 3],
    "token_ids": [0, 1, -1],
}


@pytest.mark.parametrize("name", [field.name for field in fields(TokenTrie)])
def test_contradicting_arrays_are_refused(name: str) -> None:
    trie = build([b"a", b"ab", b"c"])
    wrong = np.array(DAMAGE[name], trie.arrays()[name].dtype)
    with pytest.raises(VocabularyError, match="contradict"):
        replace(trie, **{name: wrong})
    with pytest.raises(VocabularyError, match=f"{name!r} is not a one-dimensional array"):
        replace(trie, **{name: trie.arrays()[name].astype(np.int64)})
