"""The vocabulary's byte strings as one trie in flat arrays.

It knows nothing of grammars: a walk over it is a scan of ``byte``, with ``end`` to skip a branch.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from structgen.errors import VocabularyError

ROOT: Final = 0
MAX_TOKEN_LENGTH: Final = 65_535  # what ``depth`` (uint16) can hold

_DTYPES: Final = {
    "byte": np.uint8,
    "depth": np.uint16,
    "parent": np.int32,
    "end": np.int32,
    "token_begin": np.int32,
    "token_ids": np.int32,
}


@dataclass(frozen=True, slots=True, eq=False)
class TokenTrie:
    """A trie of the distinct token byte strings, its ``n`` nodes in depth-first preorder, read-only.

    ``byte``: uint8 (n,), the label of each node; the root is node 0, label 0. ``depth``: uint16 (n,).
    ``parent``: int32 (n,), -1 at the root. ``end``: int32 (n,), one past the last descendant: the
    children of ``v`` are ``v + 1``, then ``end[child]`` while less than ``end[v]``, their bytes
    ascending. ``token_ids``: int32 (m,); those from ``token_begin[v]`` to ``token_begin[v + 1]`` (int32
    (n + 1,)) are the ids whose bytes end at ``v``, ascending. Ids without bytes are not in it.
    The tokens at or below ``v`` are thus one slice: token_begin[v] to token_begin[end[v]].

    Raises `VocabularyError` when the arrays are no such trie.
    """

    byte: npt.NDArray[np.uint8]
    depth: npt.NDArray[np.uint16]
    parent: npt.NDArray[np.int32]
    end: npt.NDArray[np.int32]
    token_begin: npt.NDArray[np.int32]
    token_ids: npt.NDArray[np.int32]

    def __post_init__(self) -> None:
        for field in fields(self):
            array = getattr(self, field.name)
            if not isinstance(array, np.ndarray) or array.dtype != _DTYPES[field.name] or array.ndim != 1:
                raise VocabularyError(
                    f"token trie: array {field.name!r} is not a one-dimensional array of "
                    f"{np.dtype(_DTYPES[field.name]).name}"
                )
            array.flags.writeable = False
        if not _is_trie(self):
            raise VocabularyError("token trie: the arrays contradict each other")

    @property
    def n_nodes(self) -> int:
        """Number of nodes, the root included."""
        return int(self.byte.shape[0])

    @property
    def n_tokens(self) -> int:
        """Number of token ids in the trie."""
        return int(self.token_ids.shape[0])

    @property
    def max_depth(self) -> int:
        """Length of the longest token in bytes."""
        return int(self.depth.max())

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """The arrays by field name, for a file."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def build_trie(blob: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64]) -> TokenTrie:
    """The trie of tokens given as one run of bytes.

    ``blob``: uint8 (bytes,); ``offsets``: int64 (V + 1,); token ``t`` is blob[offsets[t]:offsets[t + 1]],
    an empty one is left out. Raises `VocabularyError` for a token of more than `MAX_TOKEN_LENGTH` bytes.
    """
    from structgen_kernels import trie as kernels

    lengths = np.diff(offsets)
    if lengths.size and int(lengths.max()) > MAX_TOKEN_LENGTH:
        longest = int(lengths.argmax())
        raise VocabularyError(
            f"token {longest} has {int(lengths[longest]):,} bytes; at most {MAX_TOKEN_LENGTH:,} are possible"
        )
    order = _sorted_ids(blob, offsets)
    # Read-only and writable arrays are two types to numba: freezing inputs saves a second compilation.
    for array in (blob, offsets, order):
        array.flags.writeable = False
    shared = np.empty(order.size, np.uint16)
    n_nodes = int(kernels.shared_prefixes(blob, offsets, order, shared))
    shared.flags.writeable = False

    byte = np.empty(n_nodes, np.uint8)
    depth = np.empty(n_nodes, np.uint16)
    parent = np.empty(n_nodes, np.int32)
    last = np.empty(order.size, np.int32)
    kernels.fill_nodes(blob, offsets, order, shared, byte, depth, parent, last)
    parent.flags.writeable = False
    end = np.empty(n_nodes, np.int32)
    kernels.close_nodes(parent, end)

    # ``last`` ascends, because sorted byte strings end at nodes in preorder: ``order`` is the CSR's data.
    token_begin = np.zeros(n_nodes + 1, np.int32)
    np.cumsum(np.bincount(last, minlength=n_nodes), out=token_begin[1:])
    return TokenTrie(byte, depth, parent, end, token_begin, order)


def _sorted_ids(blob: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
    """The ids of the tokens that have bytes, sorted by these, equal ones by id."""
    content = blob.tobytes()
    bounds = offsets.tolist()
    tokens = [content[begin:end] for begin, end in pairwise(bounds)]
    ids = np.flatnonzero(np.diff(offsets)).tolist()
    ids.sort(key=tokens.__getitem__)
    return np.array(ids, np.int32)


def _is_trie(trie: TokenTrie) -> bool:
    """Whether sizes, links and orders fit, so that no walk can leave the arrays."""
    n, m = trie.byte.size, trie.token_ids.size
    if (
        n == 0
        or any(a.size != n for a in (trie.depth, trie.parent, trie.end))
        or trie.token_begin.size != n + 1
    ):
        return False
    begin, above = trie.token_begin, trie.parent[1:]
    if begin[0] != 0 or begin[n] != m or np.any(begin[1:] < begin[:-1]) or np.any(trie.token_ids < 0):
        return False
    if trie.depth[ROOT] != 0 or trie.parent[ROOT] != -1 or trie.end[ROOT] != n:
        return False
    numbers = np.arange(1, n, dtype=np.int32)
    ends = trie.end[1:]
    return bool(
        np.all(above >= 0)
        and np.all(above < numbers)
        and np.all(trie.depth[1:] == trie.depth[above] + 1)
        and np.all(ends > numbers)
        and np.all(ends <= trie.end[above])
    )
