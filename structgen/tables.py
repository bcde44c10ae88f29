"""A compiled grammar as two flat arrays: what the kernels read and an artifact holds.

The layout is `structgen_kernels.layout`; this module is the only one that writes it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Protocol

import numpy as np
import numpy.typing as npt
from structgen_kernels import layout
from structgen_kernels.members import write_spelled_set
from structgen_kernels.spelled import EDGE_SIZE, UNITS

from structgen.automata.build import literal
from structgen.automata.counting import counting_of
from structgen.automata.dfa import START, BoundedDfa, CountedDfa, Dfa, SpelledText, SpelledTexts
from structgen.automata.marked import MarkedDfa
from structgen.errors import CompileLimitError
from structgen.rtn import Rtn
from structgen.untracked import untracked

Int32Array = npt.NDArray[np.int32]
Terminal = Dfa | CountedDfa | BoundedDfa | MarkedDfa
AddSection = Callable[[npt.NDArray[np.generic]], int]
"""Appends to the static array; returns the offset."""

# A terminal state that reaches more nodes of the trie than this takes its tokens from the mask store. Walking
# so few nodes costs about as much as adding one more row to a mask (1 us at 131k ids).
STORED_NODES = 64
_MAX_STATE = 2**31 - 1
_TEXT_ENDS = chr(layout.TEXT_ENDS)

# Where a block says where its sections are, of which each kind has the first ones.
_HEAP_COLUMNS = (
    layout.BLOCK_TABLE,
    layout.BLOCK_ALIVE,
    layout.BLOCK_CLASSES,
    layout.BLOCK_DISTANCE,
    layout.BLOCK_DIGEST,
)
_N_HEAP_COLUMNS = {layout.SPELLED: 1, layout.SPELLED_SET: 1, layout.COUNTED: 2, layout.BOUNDED: 5}


@dataclass(frozen=True, slots=True, eq=False)
class Tables:
    """``static`` int32 and ``classes`` uint8, read-only.

    ``accepts_empty``: the empty text is in the language.

    ``bases`` int32 (automata,) and ``digests`` uint8 (automata, 16): the number before each table automaton's
    first state, ascending, and the automaton's digest. ``heads`` bool (automata,): where the automaton leads
    into a counted or bounded terminal, whose digest then stands in its place.
    """

    static: Int32Array
    classes: npt.NDArray[np.uint8]
    bases: Int32Array
    digests: npt.NDArray[np.uint8]
    heads: npt.NDArray[np.bool_]
    accepts_empty: bool

    @property
    def n_terminal_states(self) -> int:
        """Table states, the dead one included."""
        return int(self.static[layout.N_TABLE])

    @property
    def n_parser_states(self) -> int:
        return int(self.static[layout.N_RTN])

    @property
    def nbytes(self) -> int:
        return int(self.static.nbytes + self.classes.nbytes + self.bases.nbytes + self.digests.nbytes)

    def origin(self, state: int) -> tuple[bytes, int, bool]:
        """Of a table state: its automaton's digest, its number there, and whether the automaton is a head."""
        place = int(np.searchsorted(self.bases, state, side="left")) - 1
        return self.digests[place].tobytes(), state - int(self.bases[place]), bool(self.heads[place])


class StateTables(Protocol):
    """What the mask store reads of `Tables`, and of `structgen.growing.GrowingTables`."""

    @property
    def static(self) -> Int32Array: ...

    @property
    def classes(self) -> npt.NDArray[np.uint8]: ...

    @property
    def n_terminal_states(self) -> int: ...

    @property
    def n_parser_states(self) -> int: ...

    def origin(self, state: int) -> tuple[bytes, int, bool]: ...


@lru_cache(maxsize=1)
def layout_digest() -> str:
    """Hash of the layout's numbers: tables written with others would be read wrongly."""
    numbers = sorted((name, value) for name, value in vars(layout).items() if name.isupper())
    return hashlib.blake2b(repr(numbers).encode(), digest_size=8).hexdigest()


class _StaticWriter:
    """Appends sections to the static array and hands out their offsets."""

    def __init__(self) -> None:
        self._parts: list[Int32Array] = []
        self._size = layout.HEADER_SIZE
        self.header = np.zeros(layout.HEADER_SIZE, np.int32)

    def add(self, section: npt.NDArray[np.generic]) -> int:
        offset = self._size
        part = np.ascontiguousarray(section).astype(np.int32).ravel()
        self._parts.append(part)
        self._size += part.shape[0]
        if self._size > _MAX_STATE:
            raise CompileLimitError("max_table_words", _MAX_STATE, self._size, fixed=True)
        return offset

    def written(self) -> Int32Array:
        static: Int32Array = np.concatenate([self.header, *self._parts])
        static.flags.writeable = False
        return static


def build_tables(
    rtn: Rtn, terminals: Sequence[Terminal], eos_token_ids: Sequence[int], longest_token: int
) -> Tables:
    """Number all terminal states in one space, dead state 0, and lay everything out flat.

    Raises `CompileLimitError` when counted and bounded terminals need more than 2**31 state numbers.
    """
    explicit, blocks = _explicit_parts(terminals)
    writer = _StaticWriter()
    bases: list[int] = []
    n_states = 1
    for automaton in explicit:
        bases.append(n_states - 1)  # local state 1 becomes the next free number
        n_states += automaton.n_states - 1
    row = np.zeros(n_states, np.int64)
    class_map = np.zeros(n_states, np.int64)
    flags = np.zeros(n_states, np.int32)
    alive = np.zeros((n_states, 8), np.uint32)
    class_offsets: dict[bytes, int] = {}
    class_parts: list[npt.NDArray[np.uint8]] = []
    transitions: list[Int32Array] = []
    offsets: list[int] = []
    for automaton, base in zip(explicit, bases, strict=True):
        content = automaton.byte_class.tobytes()
        if content not in class_offsets:
            class_offsets[content] = 256 * len(class_parts)
            class_parts.append(automaton.byte_class)
        table = np.where(automaton.transitions > 0, automaton.transitions + base, 0).astype(np.int32)
        offset = writer.add(table)
        transitions.append(table)
        offsets.append(offset)
        here = slice(base + 1, base + automaton.n_states)
        row[here] = offset + np.arange(1, automaton.n_states) * table.shape[1]
        class_map[here] = class_offsets[content]
        alive[here], flags[here] = state_facts(automaton)
    # counted terminals: state numbers after all table states; their heads lead into them
    block_rows = []
    next_state = n_states
    head_states: list[tuple[int, int]] = []  # (explicit automaton, first counted state)
    for counted, head, tail in blocks:
        if isinstance(counted, CountedDfa):
            block = counted_block(writer.add, counted, next_state)
        else:
            block = bounded_block(writer.add, counted, next_state)
        block[layout.BLOCK_TAIL_BYTE] = counted.tail[0]
        block[layout.BLOCK_TAIL_STATE] = bases[tail] + 2  # one byte of the tail read
        block_rows.append(block)
        head_states.append((head, next_state))
        next_state += counted.counts * int(block[layout.BLOCK_UNITS])
    static_patches: list[tuple[int, int]] = []
    for head, first in head_states:
        # the head's accepting state is the first counted state: redirect what leads to it
        automaton, table = explicit[head], transitions[head]
        end = int(np.flatnonzero(automaton.accepting)[0]) + bases[head]
        for position in np.flatnonzero(table.ravel() == end).tolist():
            static_patches.append((offsets[head] + position, first))
    start_of = _terminal_starts(terminals, explicit, bases, blocks, head_states)
    edges = rtn.edges.copy()
    calls = edges[:, 0] < 0
    edges[~calls, 0] = start_of[edges[~calls, 0] - 1]
    header = writer.header
    header[layout.N_STATES] = n_states
    header[layout.ROW] = writer.add(row)
    header[layout.CLASS_MAP] = writer.add(class_map)
    header[layout.FLAGS] = writer.add(flags)
    header[layout.ALIVE] = writer.add(alive.view(np.int32))
    header[layout.N_BLOCKS] = len(block_rows)
    header[layout.BLOCKS] = writer.add(np.array(block_rows, np.int32).reshape(-1, layout.BLOCK_SIZE))
    header[layout.N_TABLE] = n_states
    header[layout.RTN_BEGIN] = writer.add(rtn.begin[:-1])
    header[layout.RTN_COUNT] = writer.add(np.diff(rtn.begin))
    header[layout.N_RTN] = rtn.n_states
    header[layout.RTN_EDGES] = writer.add(edges)
    header[layout.RTN_FINAL] = writer.add(rtn.final)
    header[layout.RTN_START] = rtn.start
    header[layout.LONGEST_TOKEN] = longest_token
    header[layout.STORED_NODES] = STORED_NODES
    header[layout.N_EOS] = len(eos_token_ids)
    header[layout.EOS] = writer.add(np.array(eos_token_ids, np.int32))
    static = writer.written()
    static.flags.writeable = True
    for position, first in static_patches:
        static[position] = first
    static.flags.writeable = False
    classes = np.concatenate(class_parts) if class_parts else np.zeros(256, np.uint8)
    classes.flags.writeable = False
    contents = [automaton.digest for automaton in explicit]
    heads = np.zeros(len(explicit), np.bool_)
    for counted, head, _ in blocks:
        contents[head] = counted.digest
        heads[head] = True
    digests = np.frombuffer(b"".join(contents), np.uint8).reshape(-1, 16)
    return Tables(static, classes, np.array(bases, np.int32), digests, heads, rtn.accepts_empty)


def _explicit_parts(
    terminals: Sequence[Terminal],
) -> tuple[list[Dfa], list[tuple[CountedDfa | BoundedDfa | MarkedDfa, int, int]]]:
    """All table automata, and for each terminal that counts which of them are its head and its tail."""
    explicit: list[Dfa] = []
    blocks = []
    for terminal in terminals:
        if isinstance(terminal, CountedDfa | BoundedDfa | MarkedDfa):
            blocks.append((terminal, len(explicit), len(explicit) + 1))
            explicit += [literal(terminal.head), literal(terminal.tail)]
        else:
            explicit.append(terminal)
    return explicit, blocks


def _terminal_starts(
    terminals: Sequence[Terminal],
    explicit: Sequence[Dfa],
    bases: Sequence[int],
    blocks: Sequence[tuple[CountedDfa | BoundedDfa | MarkedDfa, int, int]],
    head_states: Sequence[tuple[int, int]],
) -> Int32Array:
    """The start state of each terminal in the common numbering."""
    starts = []
    place = 0
    first_counted = dict(head_states)
    for terminal in terminals:
        if isinstance(terminal, CountedDfa | BoundedDfa | MarkedDfa):
            starts.append(bases[place] + START if terminal.head else first_counted[place])
            place += 2
        else:
            starts.append(bases[place] + START)
            place += 1
    return np.array(starts, np.int32)


def check_states(first: int, counts: int, units: int) -> None:
    """Raises `CompileLimitError` where so many implicit states, from number ``first`` on, are too many."""
    if first + counts * units > _MAX_STATE:
        raise CompileLimitError("max_counted_states", _MAX_STATE, first + counts * units, fixed=True)


def _new_block(kind: int, first: int, counts: int, units: int) -> Int32Array:
    """An int32 (BLOCK_SIZE,) with the states numbered from ``first`` on, and the rest to be filled in."""
    check_states(first, counts, units)
    block = np.zeros(layout.BLOCK_SIZE, np.int32)
    block[layout.BLOCK_KIND] = kind
    block[layout.BLOCK_BASE] = first
    block[layout.BLOCK_COUNTS] = counts
    block[layout.BLOCK_UNITS] = units
    return block


def counted_block(add: AddSection, counted: CountedDfa, first: int) -> Int32Array:
    """The block of a counted terminal, but for its tail."""
    units, alive = _unit_sections(counted.unit)
    block = _new_block(layout.COUNTED, first, counted.counts, units.shape[0])
    block[layout.BLOCK_MINIMUM] = counted.minimum
    block[layout.BLOCK_MAXIMUM] = -1 if counted.maximum is None else counted.maximum
    block[layout.BLOCK_TABLE] = add(units)
    block[layout.BLOCK_ALIVE] = add(alive)
    return block


def bounded_block(add: AddSection, bounded: BoundedDfa | MarkedDfa, first: int) -> Int32Array:
    """The block of a bounded terminal, but for its tail."""
    from structgen_kernels.automata import byte_sets

    counting, digest = counting_of(bounded)
    block = _new_block(layout.BOUNDED, first, bounded.counts, counting.table.shape[0])
    alive = byte_sets(counting.table, counting.byte_class)
    byte = bounded.tail[0]
    alive[counting.distance == 0, byte >> 5] |= np.uint32(1 << (byte & 31))
    block[layout.BLOCK_COLUMNS] = counting.table.shape[1]
    block[layout.BLOCK_MAXIMUM] = bounded.maximum
    block[layout.BLOCK_TABLE] = add(counting.table)
    block[layout.BLOCK_ALIVE] = add(alive.view(np.int32))
    block[layout.BLOCK_CLASSES] = add(counting.byte_class)
    block[layout.BLOCK_DISTANCE] = add(counting.distance)
    block[layout.BLOCK_GREATEST] = counting.distance.max()
    block[layout.BLOCK_DIGEST] = add(np.frombuffer(digest, np.int32))
    return block


def move_block(block: Int32Array, offset: int) -> None:
    """Let a block's sections, whose places are those in the heap, be so much further on."""
    for column in _HEAP_COLUMNS[: _N_HEAP_COLUMNS[block[layout.BLOCK_KIND]]]:
        block[column] += offset


def spelled_block(add: AddSection, spelled: SpelledText | SpelledTexts, first: int) -> Int32Array:
    """The block of a spelled terminal, but for its end."""
    if isinstance(spelled, SpelledTexts):
        return _spelled_set_block(add, spelled.texts, first)
    points = np.array([*map(ord, spelled.text), -1], np.int32)
    block = _new_block(layout.SPELLED, first, points.shape[0], UNITS)
    block[layout.BLOCK_TABLE] = add(points)
    return block


def _spelled_set_block(add: AddSection, texts: Sequence[str], first: int) -> Int32Array:
    points = np.frombuffer("".join(texts).encode("utf-32-le"), np.int32)
    begin = np.array([0, *accumulate(map(len, texts))], np.int32)
    most = points.size + len(texts)
    check_states(first, most, UNITS)
    written = np.zeros(layout.BLOCK_SIZE + EDGE_SIZE * most, np.int32)
    n_edges = write_spelled_set(written, 0, layout.BLOCK_SIZE, points, begin, first, 0)
    block = written[: layout.BLOCK_SIZE]
    block[layout.BLOCK_TABLE] = add(written[layout.BLOCK_SIZE :][: EDGE_SIZE * n_edges])
    return block


@lru_cache(maxsize=64)
@untracked
def _unit_sections(unit: Dfa) -> tuple[Int32Array, Int32Array]:
    """int32 (units, 256): next unit state + 1, `UNIT_DONE` at the unit's end, 0 dead; unit 0 is the start.
    int32 (units, 8): the bytes that each goes on with. Most units are any character, met again and again.
    """
    wide = unit.transitions[:, unit.byte_class]
    keep = [state for state in range(1, unit.n_states) if not unit.accepting[state]]
    number = np.zeros(unit.n_states, np.int32)
    for i, state in enumerate(keep):
        number[state] = i + 1
    number[unit.accepting] = layout.UNIT_DONE
    table = np.ascontiguousarray(number[wide[keep]])
    alive = _bitsets(table != 0).view(np.int32)
    table.flags.writeable = alive.flags.writeable = False
    return table, alive


def _bitsets(bits: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint32]:
    """bool (n, 256) to uint32 (n, 8), bit i of word w standing for 32 w + i."""
    packed = np.packbits(bits, axis=1, bitorder="little")
    return np.ascontiguousarray(packed).view(np.uint32)


@lru_cache(maxsize=4096)
@untracked
def state_facts(automaton: Dfa) -> tuple[npt.NDArray[np.uint32], Int32Array]:
    """The alive bitsets and flags of all states but the dead one. Most automata are met again and again."""
    bits = (automaton.transitions > 0)[:, automaton.byte_class]
    return _bitsets(bits)[1:], _flags(automaton.accepting, bits)[1:]


def _flags(accepting: npt.NDArray[np.bool_], bits: npt.NDArray[np.bool_]) -> Int32Array:
    count = bits.sum(axis=1)
    flags = np.where(accepting, layout.ACCEPTS, 0)
    flags |= np.where(count > 0, layout.LEADS_ON, 0)
    return flags.astype(np.int32)


def barred_words(texts: Sequence[str]) -> Int32Array:
    """What lies in the heap of a list of barred strings (see `structgen_kernels.layout`)."""
    # bytes as characters, and one that stands for the end
    words = [f"{text}{_TEXT_ENDS}" for text in texts]
    if not "".join(texts).isascii():
        words = [text.encode().decode("latin-1") + _TEXT_ENDS for text in texts]
    words.sort()
    written = "".join(words)
    return np.frombuffer(len(written).to_bytes(4, "little") + written.encode("utf-32-le"), np.int32)
