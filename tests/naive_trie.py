"""Plain twins of the token trie's kernels: nested dicts and recursion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache


@dataclass
class NaiveTrie:
    byte: list[int] = field(default_factory=list)
    depth: list[int] = field(default_factory=list)
    parent: list[int] = field(default_factory=list)
    end: list[int] = field(default_factory=list)
    token_begin: list[int] = field(default_factory=list)
    token_ids: list[int] = field(default_factory=list)


def naive_trie(tokens: Sequence[bytes | None]) -> NaiveTrie:
    """The trie that `structgen.trie.build_trie` builds, by insertion into nested dicts."""
    ids_of: dict[bytes, list[int]] = {}
    for token_id, token in enumerate(tokens):
        if token:
            ids_of.setdefault(token, []).append(token_id)
    root: dict = {}
    for token in ids_of:
        branch = root
        for byte in token:
            branch = branch.setdefault(byte, {})

    trie = NaiveTrie()

    def lay_out(branch: dict, text: bytes, parent: int) -> None:
        node = len(trie.byte)
        trie.byte.append(text[-1] if text else 0)
        trie.depth.append(len(text))
        trie.parent.append(parent)
        trie.token_begin.append(len(trie.token_ids))
        trie.token_ids.extend(ids_of.get(text, []))
        trie.end.append(-1)
        for byte in sorted(branch):
            lay_out(branch[byte], text + bytes([byte]), node)
        trie.end[node] = len(trie.byte)

    lay_out(root, b"", -1)
    trie.token_begin.append(len(trie.token_ids))
    return trie


def naive_spelling(tokens: Sequence[bytes | None], data: bytes) -> list[int] | None:
    """Longest token first, the lowest id of equal ones, the rest spellable; None where impossible."""
    lowest: dict[bytes, int] = {}
    for token_id, token in enumerate(tokens):
        if token:
            lowest.setdefault(token, token_id)
    longest_first = sorted(lowest, key=len, reverse=True)

    @cache
    def spell(place: int) -> tuple[int, ...] | None:
        if place == len(data):
            return ()
        for token in longest_first:
            if data.startswith(token, place):
                rest = spell(place + len(token))
                if rest is not None:
                    return (lowest[token], *rest)
        return None

    spelled = spell(0)
    return None if spelled is None else list(spelled)


def naive_farthest(tokens: Sequence[bytes | None], data: bytes) -> int:
    """Length of the longest prefix of ``data`` that tokens spell."""
    return max(k for k in range(len(data) + 1) if naive_spelling(tokens, data[:k]) is not None)
