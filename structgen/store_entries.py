"""What an entry of the mask store holds, found by walking the vocabulary's trie, and what it is called.

A *name* says what may still follow in a terminal; states of the same name have the same content, whatever
the grammar. A *content* is the result, addressed by its own bytes.
"""

from __future__ import annotations

import hashlib
from collections import deque
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from structgen_kernels import layout

from structgen.tables import Int32Array, StateTables

SHARED_STATES = 40  # an automaton of more states is named by where it comes from
_FEW_NODES = 1024
_MANY_NODES = 1 << 11
_FIRST_CROSSING = 1 << 12
_NO_LIMIT = 1 << 62
_NO_MAXIMUM = 1 << 16
_last_units: deque[tuple[bytes, bytes]] = deque(maxlen=8)


class Content(NamedTuple):
    """``row`` int32 (words,): the tokens inside the terminal; ``crossing`` int32 (n,): the trie nodes just
    past a place where it may end, by their byte and then ascending.
    """

    row: Int32Array
    crossing: Int32Array

    def digest(self) -> bytes:
        return content_digest(row_digest(self.row), self.crossing)


def row_digest(row: Int32Array) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(row).data, digest_size=16).digest()


def content_digest(of_row: bytes, crossing: Int32Array) -> bytes:
    return hashlib.blake2b(of_row + crossing.tobytes(), digest_size=16).digest()


class Profile(NamedTuple):
    """What tokens need of a counted terminal: see `structgen_kernels.store_counted.profile_counted`. The
    crossing nodes ascend.
    """

    needs: Int32Array
    crossing: Int32Array


@dataclass(frozen=True)
class Trie:
    """A vocabulary's trie as kernels read it: ``nodes`` int32 (n + 1, 4), ``children`` and ``token_ids``
    int32, see `MaskStore`; ``n_ids``; ``longest``, the bytes of the longest token.
    """

    nodes: Int32Array
    children: Int32Array
    token_ids: Int32Array
    n_ids: int
    longest: int

    @property
    def n_words(self) -> int:
        return (self.n_ids + 31) // 32

    @cached_property
    def below(self) -> npt.NDArray[np.uint64]:
        """uint64 (n,): see `structgen_kernels.store_below.bytes_below`; made for the first walk."""
        from structgen_kernels.store_below import bytes_below

        below = np.zeros(self.nodes.shape[0] - 1, np.uint64)
        bytes_below(self.nodes, below)
        below.flags.writeable = False
        return below

    @cached_property
    def for_walks(self) -> tuple[Int32Array, Int32Array, Int32Array, npt.NDArray[np.uint64], Int32Array]:
        """What `structgen_kernels.store_loops` takes: also the row of all tokens that have bytes."""
        full = np.zeros(self.n_words, np.int32)
        apply_tokens(full, self.token_ids[: self.nodes[-1, 2]])
        full.flags.writeable = False
        return self.nodes, self.children, self.token_ids, self.below, full

    def in_order(self, crossing: Int32Array) -> Int32Array:
        """Crossing nodes in the order that a content has them."""
        labels = self.nodes[crossing, 0] & 255
        keys = (labels.astype(np.int64) << 32) | crossing  # one column is sorted in less time than two
        keys.sort()
        ordered: Int32Array = keys.astype(np.int32)  # which cuts the label off
        return ordered


# -- names


def is_counted(tables: StateTables, state: int) -> bool:
    return state >= tables.n_terminal_states


class Place(NamedTuple):
    """Where in an automaton a terminal state is. ``at``: of a table state, its number there; of a counted
    one, how many units must and may still come.
    """

    automaton: bytes
    at: tuple[int, ...]


def place_of(tables: StateTables, state: int) -> Place:
    if is_counted(tables, state):
        return Place(_unit_name(tables, state), room_of(tables, state))
    digest, local, is_head = tables.origin(state)
    return Place((b"h" if is_head else b"s") + digest, (local,))


def name_of(place: Place) -> bytes:
    """A name that is quickly found."""
    return hashlib.blake2b(b"%b %a" % place, digest_size=16).digest()


def name_by_language(tables: StateTables, state: int) -> bytes | None:
    """Of a table state: the minimal automaton of what may follow, written down in one way only.

    None for a large one, which is hardly ever met in another automaton.
    """
    from structgen_kernels.store import residual_runs

    if is_counted(tables, state) or tables.origin(state)[2]:
        return None
    runs = np.empty(SHARED_STATES * 513, np.int32)
    size = residual_runs(tables.static, tables.classes, state, SHARED_STATES, runs)
    return hashlib.blake2b(runs[:size].data, digest_size=16).digest() if size else None


def profile_name(tables: StateTables, state: int) -> bytes | None:
    """What a counted state's profile hangs on: the unit, where in it, the tail. None: it has no profile."""
    if not is_counted(tables, state):
        return None
    block = block_of(tables, state)
    if block[layout.BLOCK_KIND] == layout.BOUNDED:
        return None
    units = int(block[layout.BLOCK_UNITS])
    unit = (state - int(block[layout.BLOCK_BASE])) % units
    content = hashlib.blake2b(b"profile", digest_size=16)
    content.update(_unit_digest(tables.static[block[layout.BLOCK_TABLE] :][: units * 256].tobytes()))
    content.update(repr((unit, _tail_of(tables, block))).encode())
    return content.digest()


def _unit_digest(table: bytes) -> bytes:
    """Of a unit's table, of 20 kB: nearly always one of the last few, so that they are compared first."""
    for known, digest in tuple(_last_units):  # other threads add to them
        if known == table:
            return digest
    digest = hashlib.blake2b(table, digest_size=16).digest()
    _last_units.append((table, digest))
    return digest


def _unit_name(tables: StateTables, state: int) -> bytes:
    """What names a counted state but for its count."""
    profile = profile_name(tables, state)
    if profile is not None:
        return b"counted" + profile
    block = block_of(tables, state)
    unit = (state - int(block[layout.BLOCK_BASE])) % int(block[layout.BLOCK_UNITS])
    content = hashlib.blake2b(b"bounded", digest_size=16)
    content.update(tables.static[block[layout.BLOCK_DIGEST] :][:4].tobytes())
    content.update(repr((unit, _tail_of(tables, block))).encode())
    return b"bounded" + content.digest()


class Counts(NamedTuple):
    """Of a counted state: its number with a count of 0, how many counts there are, and what bounds them.
    ``seen``: no token is long enough to see further than this.
    """

    first: int
    units: int
    counts: int
    minimum: int
    maximum: int
    is_bounded: bool
    seen: int

    def room(self, count: int) -> tuple[int, int]:
        """How many units must and may still come."""
        left = self.maximum - count
        if self.is_bounded:
            return 0, min(left, self.seen)
        needed = min(max(self.minimum - count, 0), self.seen)
        return needed, _NO_MAXIMUM if self.maximum < 0 or left >= self.seen else left


def counts_of(tables: StateTables, state: int) -> tuple[Counts, int]:
    """How a counted state is counted, and its count."""
    block = block_of(tables, state).tolist()
    base, units = block[layout.BLOCK_BASE], block[layout.BLOCK_UNITS]
    count, unit = divmod(state - base, units)
    is_bounded = block[layout.BLOCK_KIND] == layout.BOUNDED
    seen = int(tables.static[layout.LONGEST_TOKEN]) + 2 + (block[layout.BLOCK_GREATEST] if is_bounded else 0)
    minimum, maximum = block[layout.BLOCK_MINIMUM], block[layout.BLOCK_MAXIMUM]
    return Counts(base + unit, units, block[layout.BLOCK_COUNTS], minimum, maximum, is_bounded, seen), count


def room_of(tables: StateTables, state: int) -> tuple[int, int]:
    """How many units must and may still come."""
    counts, count = counts_of(tables, state)
    return counts.room(count)


def block_of(tables: StateTables, state: int) -> Int32Array:
    """int32 (BLOCK_SIZE,): the block of a counted state."""
    from structgen_kernels import terminals

    return tables.static[terminals.block_of(tables.static, state) :][: layout.BLOCK_SIZE]


def _tail_of(tables: StateTables, block: Int32Array) -> bytes:
    static = tables.static
    tail = [int(block[layout.BLOCK_TAIL_BYTE])]
    state = int(block[layout.BLOCK_TAIL_STATE])
    flags = int(static[layout.FLAGS])
    while static[flags + state] & layout.LEADS_ON:
        bits = np.ascontiguousarray(static[static[layout.ALIVE] + 8 * state :][:8]).view(np.uint8)
        following = np.flatnonzero(np.unpackbits(bits, bitorder="little"))
        byte = int(following[0])
        column = tables.classes[static[static[layout.CLASS_MAP] + state] + byte]
        state = int(static[static[static[layout.ROW] + state] + column])
        tail.append(byte)
    return bytes(tail)


# -- contents


def base_state(tables: StateTables, state: int) -> int:
    """A table state of nearly the same content, to start from; 0: none."""
    from structgen_kernels.store import base_of

    return 0 if is_counted(tables, state) else int(base_of(tables.static, tables.classes, state))


def few(trie: Trie, tables: StateTables, state: int) -> Content | None:
    """The content of a table state for which few nodes of the trie need a look; None for another."""
    if is_counted(tables, state):
        return None
    row = np.empty(trie.n_words, np.int32)
    crossing = np.empty(_FEW_NODES, np.int32)
    count = _walk_table(trie, tables, state, _FEW_NODES, row, crossing)
    # a node that is visited may have many just past it: more than there is room for
    return Content(row, trie.in_order(crossing[:count])) if 0 <= count <= _FEW_NODES else None


def walked(trie: Trie, tables: StateTables, state: int) -> Content:
    """The content of a terminal state that has no profile, in one walk of the trie."""
    from structgen_kernels.store_loops import walk_bounded

    crossing = np.empty(_FIRST_CROSSING, np.int32)
    while True:
        row = np.empty(trie.n_words, np.int32)
        if is_counted(tables, state):
            tail = np.frombuffer(_tail_of(tables, block_of(tables, state)), np.uint8)
            count = walk_bounded(tables.static, trie.for_walks, state, tail, row, crossing)
        else:
            count = _walk_table(trie, tables, state, _NO_LIMIT, row, crossing)
        if count <= crossing.shape[0]:
            return Content(row, trie.in_order(crossing[:count]))
        crossing = np.empty(count, np.int32)


def _walk_table(
    trie: Trie, tables: StateTables, state: int, limit: int, row: Int32Array, crossing: Int32Array
) -> int:
    """Walk from a table state; -1: more than ``limit`` nodes."""
    from structgen_kernels.store import walk_terminal
    from structgen_kernels.store_loops import walk_loops

    static, classes = tables.static, tables.classes
    _, local, is_head = tables.origin(state)
    if is_head:  # it leads into a counted terminal
        row[:] = 0
        return int(walk_terminal(static, classes, trie.nodes, trie.token_ids, state, limit, row, crossing))
    base = state - local
    return int(
        walk_loops(
            (static, classes),
            trie.for_walks,
            state,
            base,
            tables.n_terminal_states - base,
            limit,
            row,
            crossing,
        )
    )


def profile(trie: Trie, tables: StateTables, state: int) -> Profile:
    """The profile of a counted state's unit: one walk for all counts."""
    from structgen_kernels.store_counted import REFUSED, profile_counted

    tail = np.frombuffer(_tail_of(tables, block_of(tables, state)), np.uint8)
    crossing = np.zeros((_FIRST_CROSSING, 2), np.int32)
    while True:
        needs = np.full(trie.n_ids, REFUSED, np.int32)
        count = profile_counted(tables.static, trie.nodes, trie.token_ids, state, tail, needs, crossing)
        if count <= crossing.shape[0]:
            return Profile(needs, crossing[:count].copy())
        crossing = np.zeros((count, 2), np.int32)


class Counted:
    """The entries of a counted terminal's unit, whatever the count. ``profile``: what they come from."""

    def __init__(self, trie: Trie, profile: Profile) -> None:
        from structgen_kernels.store_counted import order_by_need

        self.profile = profile
        self._order = np.empty(trie.n_ids, np.int32)
        self._begin = np.zeros(2 * (trie.longest + 2) + 1, np.int32)
        order_by_need(profile.needs, self._order, self._begin)
        self._full = np.zeros(trie.n_words, np.int32)
        apply_tokens(self._full, self._order[: self._begin[-1]])
        nodes, completed = profile.crossing.T
        self._crossing = trie.in_order(nodes)
        self._completed = completed[nodes.searchsorted(self._crossing)]

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        arrays = (*self.profile, self._order, self._begin, self._full, self._crossing, self._completed)
        return sum(array.nbytes for array in arrays)

    def content(self, tables: StateTables, state: int) -> Content:
        """The content of a counted state of that unit."""
        from structgen_kernels.store_counted import counted_row

        needed, left = room_of(tables, state)
        row = np.empty(self._full.shape[0], np.int32)
        counted_row(self._order, self._begin, self._full, needed, left, row)
        fits = (self._completed >= needed) & (self._completed <= left)
        return Content(row, self._crossing[fits])


def differing(trie: Trie, tables: StateTables, state: int, base: int) -> tuple[Int32Array, Int32Array] | None:
    """In what a state's content is not its base's: see `structgen_kernels.store.walk_difference`. None where
    so many nodes would have to be looked at that a walk of its own is as quick.
    """
    from structgen_kernels.store import walk_difference

    room = np.zeros(1024, np.int32)
    tokens, nodes = room[:512], room[512:]
    while True:
        n_tokens, n_nodes = walk_difference(
            tables.static, tables.classes, trie.nodes, trie.token_ids, state, base, _MANY_NODES, tokens, nodes
        )
        if n_tokens < 0:
            return None
        if n_tokens <= tokens.shape[0] and n_nodes <= nodes.shape[0]:
            return tokens[:n_tokens], nodes[:n_nodes]
        tokens, nodes = np.zeros(n_tokens, np.int32), np.zeros(n_nodes, np.int32)


def changed(trie: Trie, content: Content, tokens: Int32Array, nodes: Int32Array) -> Content:
    """``content`` with the differences that `differing` gives: ids to add, and -1 - id to take away."""
    row = content.row.copy()
    apply_tokens(row, tokens)
    crossing = content.crossing
    if nodes.shape[0]:
        kept = crossing[~np.isin(crossing, -1 - nodes[nodes < 0])]
        crossing = trie.in_order(np.concatenate([kept, nodes[nodes >= 0]]))
    return Content(row, crossing)


def apply_tokens(row: Int32Array, tokens: Int32Array) -> None:
    """Set in ``row`` the bits of the ids >= 0, and clear those of ids given as -1 - id."""
    from structgen_kernels.store import change_row

    given = tokens.view()
    given.flags.writeable = False  # as some are: the kernel would be compiled twice
    change_row(given, row)


def difference(content: Content, base: Content) -> tuple[Int32Array, Int32Array]:
    """(tokens, nodes) such that `changed` makes ``content`` from ``base``."""
    was, now = _ids(base.row), _ids(content.row)
    tokens = np.concatenate([np.setdiff1d(now, was), -1 - np.setdiff1d(was, now)])
    gained = np.setdiff1d(content.crossing, base.crossing)
    lost = np.setdiff1d(base.crossing, content.crossing)
    return tokens.astype(np.int32), np.concatenate([gained, -1 - lost]).astype(np.int32)


def _ids(row: Int32Array) -> Int32Array:
    bits = np.unpackbits(np.ascontiguousarray(row).view(np.uint8), bitorder="little")
    return np.flatnonzero(bits).astype(np.int32)


def stored_states(trie: Trie, tables: StateTables) -> list[int]:
    """The terminal states that take tokens from the store; of counted ones, one for all alike."""
    from structgen_kernels.store import reaches_more
    from structgen_kernels.terminals import representative

    static, classes = tables.static, tables.classes
    candidates = list(range(1, tables.n_terminal_states))
    blocks = static[static[layout.BLOCKS] :][: static[layout.N_BLOCKS] * layout.BLOCK_SIZE]
    for block in blocks.reshape(-1, layout.BLOCK_SIZE):
        units = int(block[layout.BLOCK_UNITS])
        counts = int(block[layout.BLOCK_COUNTS])
        if block[layout.BLOCK_KIND] >= layout.SPELLED:
            continue
        minimum = int(block[layout.BLOCK_MINIMUM])
        reach = int(static[layout.LONGEST_TOKEN]) + 2
        units_taken = units
        near = {0, *range(max(0, minimum - reach), min(counts, minimum + 1))}
        near |= set(range(max(0, counts - 1 - reach), counts))
        if block[layout.BLOCK_KIND] == layout.BOUNDED:
            # too many units to take each at every count: those that stand for others, and the start
            near = {0}
            far = counts - 1 > reach - 1 + int(block[layout.BLOCK_GREATEST])
            units_taken = units if far else 1
        candidates += [
            int(block[layout.BLOCK_BASE]) + count * units + unit
            for count in sorted(near)
            for unit in range(units_taken)
        ]
    limit = int(static[layout.STORED_NODES])
    by_depth = np.zeros(limit + 2, np.int64)
    return [
        state
        for state in candidates
        if representative(static, state) == state
        and reaches_more(static, classes, trie.nodes, trie.token_ids, state, limit, by_depth)
    ]
