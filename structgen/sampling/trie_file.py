"""Prefix tries as files: safetensors layout, with what the trie belongs to in the metadata.

Nodes are numbered breadth-first, the root is 0; every node's parent comes before it. Keys and values are
not saved: they are run again where a walk needs them.
"""

from __future__ import annotations

import json
import os

import numpy as np

from structgen.errors import ArtifactError, OptionError
from structgen.sampling.prefix_trie import Node, PrefixTrie
from structgen.tensor_file import read_tensors, write_tensors

_KIND = "prefix-trie"
_PARTS = ("model", "prompt", "constraint", "target")


def save_trie(trie: PrefixTrie, path: str | os.PathLike[str]) -> None:
    """Write a trie, whole or not at all.

    Raises `OptionError` for one that was never used, or whose predicate has no ``name`` to know it by.
    """
    if set(trie.identity) != set(_PARTS):
        raise OptionError("state", "an unused PrefixTrie", "one that was given to sample(..., state=)")
    if trie.identity["constraint"].startswith("unnamed"):
        raise OptionError(
            "state",
            "a PrefixTrie of a predicate without a name",
            "one whose predicate has a name (an attribute `name`), as it cannot be told from others later",
        )
    nodes = [trie.root]
    parents = [-1]
    number = {id(trie.root): 0}
    for node in nodes:  # grows as it goes
        for child in node.children.values():
            number[id(child)] = len(nodes)
            parents.append(number[id(node)])
            nodes.append(child)
    rows = [node.ids if node.ids is not None else np.zeros(0, np.int32) for node in nodes]
    values = [node.log_p for node in nodes]
    arrays = {
        "parent": np.array(parents, np.int64),
        "token": np.array([node.token for node in nodes], np.int64),
        "log_bound": np.array([node.log_bound for node in nodes]),
        "visited": np.array([node.is_visited for node in nodes]),
        "log_rest": np.array([node.log_rest for node in nodes]),
        "log_allowed": np.array([node.log_allowed for node in nodes]),
        "entropy": np.array([node.entropy for node in nodes]),
        "begin": np.cumsum([0, *map(len, rows)], dtype=np.int64),
        "ids": np.concatenate(rows),
        "log_p": np.concatenate(values),
    }
    write_tensors(path, _KIND, arrays, {"identity": json.dumps(trie.identity, sort_keys=True)})


def load_trie(path: str | os.PathLike[str], *, max_bytes: int | None = None) -> PrefixTrie:
    """Read what `save_trie` wrote. What it belongs to is checked when it is given to `sample`.

    Raises `ArtifactError` when the file is missing, damaged, or of another kind or version.
    """
    file = read_tensors(path, _KIND)
    remedy = "make it again with sample(..., state=) and save it"
    try:
        identity = json.loads(file.metadata["identity"])
        arrays = {name: file.arrays[name] for name in (
            "parent", "token", "log_bound", "visited", "log_rest", "log_allowed", "entropy", "begin", "ids",
            "log_p",
        )}  # fmt: skip
    except (KeyError, ValueError) as error:
        raise ArtifactError(path, f"not a whole prefix trie: {error}", remedy) from None
    count = len(arrays["parent"])
    each = ("token", "log_bound", "visited", "log_rest", "log_allowed", "entropy")
    sizes = {len(arrays[name]) for name in each}
    parent, begin = arrays["parent"], arrays["begin"]
    ordered = (
        count > 0 and parent[0] == -1 and bool(np.all((parent[1:] >= 0) & (parent[1:] < np.arange(1, count))))
    )
    sound = (
        ordered
        and sizes == {count}
        and len(begin) == count + 1
        and begin[0] == 0
        and bool(np.all(np.diff(begin) >= 0))
        and begin[-1] == len(arrays["ids"]) == len(arrays["log_p"])
        and set(identity) == set(_PARTS)
    )
    if not sound:
        raise ArtifactError(path, "not a whole prefix trie: its arrays do not fit each other", remedy)
    trie = PrefixTrie(None) if max_bytes is None else PrefixTrie(None, max_bytes=max_bytes)
    trie.identity = {str(key): str(value) for key, value in identity.items()}
    nodes: list[Node] = []
    for i in range(count):
        if i == 0:
            node = trie.root
        else:
            above = nodes[int(parent[i])]
            token = int(arrays["token"][i])
            node = Node(above, token, None)
            above.children[token] = node
            trie.n_nodes += 1
        nodes.append(node)
        if arrays["visited"][i]:
            row = slice(int(begin[i]), int(begin[i + 1]))
            ids, log_p = arrays["ids"][row].astype(np.int64), arrays["log_p"][row].astype(np.float64)
            rest, allowed, entropy = (
                float(arrays[name][i]) for name in ("log_rest", "log_allowed", "entropy")
            )
            trie.visit(node, ids, log_p, rest, allowed, entropy)
        node.log_bound = float(arrays["log_bound"][i])
    trie.update(nodes)
    return trie
