"""Flat arrays of a grammar's tables that grow: the terminals in them, and the room there is.

What they say is what `structgen.tables.Tables` says; `structgen.growing` adds parser states one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from structgen_kernels import layout, members, plain_containers
from structgen_kernels.automata import write_table
from structgen_kernels.shared_memory import address_of
from structgen_kernels.spelled import OPENING, UNITS

from structgen.automata import json_text
from structgen.automata.build import literal
from structgen.automata.dfa import START, BoundedDfa, CountedDfa, Dfa, SpelledText, SpelledTexts
from structgen.automata.marked import MarkedDfa
from structgen.parser_states import Containers, Key
from structgen.static_layout import laid_out
from structgen.tables import (
    STORED_NODES,
    Int32Array,
    Terminal,
    barred_words,
    bounded_block,
    check_states,
    counted_block,
    move_block,
    spelled_block,
)

_FIRST_COUNTED = 1 << 26  # numbers below are table states
HEAD = b"\1"
_SPELLED = SpelledText, SpelledTexts  # a union would be made at each look


class GrowingArrays:
    """Arrays are replaced when they are full, so take them anew. ``place``: the address of a cell that tells
    kernels where they are now (`structgen_kernels.layout`).
    """

    __slots__ = (
        "_at_begin", "_at_count", "_at_edges", "_at_kind", "_cell", "_class_offsets", "_classes",
        "_classes_view", "_eos", "_heap_base", "_heap_used", "_keys", "_lists", "_n_blocks", "_n_edges",
        "_n_table", "_next_counted", "_origins", "_quoted", "_room", "_spelled", "_starts", "_static",
        "_static_view", "_texts", "_words", "n_layouts", "place",
    )  # fmt: skip

    def __init__(
        self, eos_token_ids: Sequence[int], spelled: Callable[[Terminal], Terminal | None] | None
    ) -> None:
        self._spelled = spelled
        self._texts: dict[str | tuple[str, ...], int] = {}  # starts of spelled terminals
        self._eos = tuple(eos_token_ids)
        self.n_layouts = 0  # how often the arrays were replaced
        self._cell = np.empty(layout.TABLES_SIZE, np.int64)
        self.place: int
        # as they were last asked for
        self._static_view: Int32Array | None
        self._classes_view: npt.NDArray[np.uint8] | None

    def _begin_arrays(self, longest_token: int) -> None:
        self.place = address_of(self._cell)
        # by state number; 0 is the end of the stack; a negative int: one of many that were laid out at once
        self._keys: list[Key] = []
        self._starts: dict[bytes, int | None] = {}
        self._lists: dict[tuple[str, ...], int] = {(): 0}  # of barred strings
        self._quoted = 0  # the state after their closing quote
        self._class_offsets: dict[bytes, int] = {}
        # of automata, by the number before their first states: the digest, and b"\1" for a head
        self._origins: dict[int, bytes] = {}
        self._n_edges = self._n_blocks = self._heap_base = self._heap_used = 0
        self._n_table = 1
        self._next_counted = _FIRST_COUNTED
        self._room = {"rtn": 256, "edges": 512, "table": 1280, "blocks": 32, "heap": 14336}
        self._classes = np.zeros(256 * 16, np.uint8)
        self._static = np.zeros(layout.HEADER_SIZE, np.int32)
        self._static[layout.N_STATES] = _FIRST_COUNTED
        self._static[layout.N_EOS] = len(self._eos)
        self._static[layout.LONGEST_TOKEN] = longest_token
        self._static[layout.STORED_NODES] = STORED_NODES
        self._static[layout.LACKS_BYTES] = self._spelled is not None
        self._lay_out(self._room)

    @property
    def static(self) -> Int32Array:
        # kernels are compiled for read-only arrays, which those of a file are
        view = self._static_view
        if view is None:
            view = self._static_view = self._static.view()
            view.flags.writeable = False
        return view

    @property
    def classes(self) -> npt.NDArray[np.uint8]:
        view = self._classes_view
        if view is None:
            view = self._classes_view = self._classes.view()
            view.flags.writeable = False
        return view

    # -- terminals -------------------------------------------------------------------------------------

    def _terminal(self, terminal: Terminal | SpelledText | SpelledTexts) -> int | None:
        """The first state of a terminal; None where the vocabulary cannot spell any text of it."""
        if isinstance(terminal, _SPELLED):
            if self._spelled is None:
                text = terminal.text if isinstance(terminal, SpelledText) else terminal.texts
                start = self._texts.get(text)
                if start is None:
                    start = self._texts[text] = self._add_spelled(terminal)
                return start
            if isinstance(terminal, SpelledText):
                terminal = json_text.key(terminal.text)
            else:
                terminal = json_text.strings(terminal.texts)
        start = self._starts.get(terminal.digest, -1)
        if start != -1:
            return start
        spelled = terminal if self._spelled is None else self._spelled(terminal)
        if spelled is None:
            start = None
        elif isinstance(spelled, Dfa):
            start = self._add_table(spelled, spelled.digest, is_head=False) + START
        else:
            start = self._add_counted(spelled)
        self._starts[terminal.digest] = start
        return start

    def _add_table(self, automaton: Dfa, digest: bytes, *, is_head: bool) -> int:
        """Append a table automaton; returns the number before its first state."""
        base = self._n_table - 1
        n_new = automaton.n_states - 1
        if self._n_table + n_new > self._room["table"]:
            self._make_room("table", self._n_table + n_new)
        width = automaton.transitions.shape[1]
        offset = self._reserve(n_new * width) + self._heap_base
        content = automaton.byte_class.tobytes()
        place = self._class_offsets.get(content)
        if place is None:
            place = self._class_offsets[content] = 256 * len(self._class_offsets)
            if place == self._classes.shape[0]:
                before = self._classes  # which the cell points to until `_show`
                self._classes = np.concatenate([before, np.zeros_like(before)])
                self._show()
            self._classes[place : place + 256] = automaton.byte_class
        write_table(
            self._static,
            automaton.transitions,
            automaton.byte_class,
            automaton.accepting,
            base,
            offset,
            place,
        )
        static = self._static
        self._n_table += n_new
        static[layout.N_TABLE] = self._n_table
        self._origins[base] = digest + (HEAD if is_head else b"")
        return base

    def _add_spelled(self, terminal: SpelledText | SpelledTexts) -> int:
        block = spelled_block(self._add_to_heap, terminal, self._next_counted)
        block[layout.BLOCK_TAIL_STATE] = self._after_quote()
        self._add_block(block)
        return int(block[layout.BLOCK_BASE]) + OPENING

    def _spelled_starts(self, names: Sequence[str | None]) -> list[int]:
        """The first states of names, as `_terminal` gives them; 0 for None."""
        if self._spelled is not None:
            return [0 if name is None else self._terminal(SpelledText(name)) or 0 for name in names]
        known = self._texts
        fresh = list(dict.fromkeys(name for name in names if name is not None and name not in known))
        if fresh:
            points = np.frombuffer("".join(fresh).encode("utf-32-le"), np.int32)
            lengths = np.array([*map(len, fresh)], np.int32)
            n = len(fresh)
            first, quoted = self._next_counted, self._after_quote()
            check_states(first, points.size + n, UNITS)
            offset = self._reserve(points.size + n)
            if self._n_blocks + n > self._room["blocks"]:
                self._make_room("blocks", self._n_blocks + n)
            static = self._static
            block = int(static[layout.BLOCKS]) + self._n_blocks * layout.BLOCK_SIZE
            members.write_spelled(static, block, self._heap_base + offset, points, lengths, first, quoted)
            self._n_blocks += n
            static[layout.N_BLOCKS] = self._n_blocks
            for name in fresh:
                known[name] = first + OPENING
                first += (len(name) + 1) * UNITS
            self._next_counted = first
        return [0 if name is None else known[name] for name in names]

    def _after_quote(self) -> int:
        """The state after a closing quote."""
        self._quoted = self._quoted or self._begun(b'"')
        return self._quoted

    def _begun(self, text: bytes) -> int:
        """The state after the first byte of a text."""
        return self._add_table(literal(text), literal(text).digest, is_head=False) + 2

    def _add_counted(self, terminal: CountedDfa | BoundedDfa | MarkedDfa) -> int:
        tail = self._after_quote() if terminal.tail == b'"' else self._begun(terminal.tail)
        first = self._next_counted
        # offsets within the heap first: it may move while sections are added
        if isinstance(terminal, CountedDfa):
            block = counted_block(self._add_to_heap, terminal, first)
        else:
            block = bounded_block(self._add_to_heap, terminal, first)
        block[layout.BLOCK_TAIL_BYTE], block[layout.BLOCK_TAIL_STATE] = terminal.tail[0], tail
        self._add_block(block)
        if not terminal.head:
            return first
        head = literal(terminal.head)
        base = self._add_table(head, terminal.digest, is_head=True)
        # what leads to the head's accepting state leads to the first counted state
        end = base + int(np.flatnonzero(head.accepting)[0])
        offset = int(self._static[self._static[layout.ROW] + base + 1])
        table = self._static[offset : offset + (head.n_states - 1) * head.transitions.shape[1]]
        table[table == end] = first
        return base + START

    def _add_block(self, block: Int32Array) -> None:
        self._next_counted += int(block[layout.BLOCK_COUNTS]) * int(block[layout.BLOCK_UNITS])
        if self._n_blocks == self._room["blocks"]:
            self._make_room("blocks", self._n_blocks + 1)
        move_block(block, self._heap_base)
        static = self._static
        at = int(static[layout.BLOCKS]) + self._n_blocks * layout.BLOCK_SIZE
        static[at : at + layout.BLOCK_SIZE] = block
        self._n_blocks += 1
        static[layout.N_BLOCKS] = self._n_blocks

    # -- parser states of many containers --------------------------------------------------------------

    def _write_containers(
        self,
        described: Containers,
        parts: tuple[Int32Array, Int32Array],
        values: tuple[Int32Array, Int32Array, Int32Array],
        states: tuple[Int32Array, Int32Array],
        done: int,
    ) -> Int32Array:
        """Lay out plain containers. Returns the rows that say where, as `structgen.laid_containers` has them.

        ``parts``: the first states of marks, and of names; ``values``: ``value_begin``, ``value_count`` and
        ``symbols``, ``states``: ``state_of`` and ``inside_of``, as `plain_containers.lay_out` has them.
        """
        n, n_members = len(described.containers), len(described.members)
        first = len(self._keys)
        quoted = self._after_quote()
        n_words = described.n_letters + n_members
        check_states(self._next_counted, n_words, UNITS)
        # room first, for the most there may be: a limit leaves all as it was
        n_states = (1 + members.OTHER_STATES) * n + (1 + members.STATES) * n_members
        self._room_for("rtn", first + n_states)
        inside = 5 * n_members + int(values[1].max(initial=1)) * n_members
        self._room_for("edges", self._n_edges + inside + (8 + len(parts[1])) * n)
        self._room_for("blocks", self._n_blocks + n_members)
        self._room_for("heap", self._heap_used + 2 * n_words + n)
        static = self._static
        counts = np.zeros(plain_containers.LAID_COUNTS, np.int64)
        blocks = int(static[layout.BLOCKS])
        counts[: plain_containers.L_LAID] = (
            first,
            self._n_edges,
            blocks + self._n_blocks * layout.BLOCK_SIZE,
            self._heap_used,
            self._next_counted,
        )
        counts[plain_containers.L_HEAP :] = self._heap_base, quoted, done
        laid = np.empty((2 * n + n_members, plain_containers.LAID_SIZE), np.int32)
        plain_containers.lay_out(
            static,
            described.data,
            described.containers,
            described.members,
            *values,
            *parts,
            *states,
            laid,
            counts,
        )
        end, self._n_edges, block, self._heap_used, self._next_counted, n_laid = counts.tolist()[:6]
        self._n_blocks = (block - blocks) // layout.BLOCK_SIZE
        static[layout.N_BLOCKS] = self._n_blocks
        static[layout.N_RTN] = end
        return laid[:n_laid].copy()

    # -- the static array ------------------------------------------------------------------------------

    def _barred(self, texts: tuple[str, ...]) -> int:
        """What an edge says of a list of barred strings."""
        known = self._lists.get(texts)
        if known is None:
            known = self._lists[texts] = 1 + self._add_to_heap(barred_words(texts))
        return known

    def _add_to_heap(self, section: npt.NDArray[np.generic]) -> int:
        """Append to the heap; returns the offset in it."""
        offset = self._reserve(section.size)
        begin = self._heap_base + offset
        self._static[begin : begin + section.size] = section.ravel()
        return offset

    def _reserve(self, size: int) -> int:
        if self._heap_used + size > self._room["heap"]:
            self._make_room("heap", self._heap_used + size)
        self._heap_used += size
        return self._heap_used - size

    def _used(self) -> dict[str, int]:
        """How much of each room is in use."""
        counts = (len(self._keys), self._n_edges, self._n_table, self._n_blocks, self._heap_used)
        return dict(zip(self._room, counts, strict=True))

    def _room_for(self, what: str, wanted: int) -> None:
        if wanted > self._room[what]:
            self._make_room(what, wanted)

    def _make_room(self, what: str, wanted: int) -> None:
        room = self._room.copy()
        while room[what] < wanted:
            room[what] *= 2
        # what would be full soon grows along: all of it is laid out anew
        for other, count in self._used().items():
            if 3 * count > 2 * room[other]:
                room[other] *= 2
        self._lay_out(room)

    def _lay_out(self, room: dict[str, int]) -> None:
        """A new array with these rooms, and all that the old one holds. A limit leaves all as it was."""
        old = self._static
        static = laid_out(old, room, self._used(), self._eos)
        self._room = room
        self._heap_base = int(static[layout.HEAP])
        self.n_layouts += 1
        self._static = static
        self._show()  # `old` lives until here: another thread may look without the lock
        self._look_at(static)

    def _show(self) -> None:
        """Let the cell point to the arrays that there are now."""
        static, classes = self._static, self._classes
        self._cell[:] = address_of(static), static.shape[0], address_of(classes), classes.shape[0]
        self._static_view = self._classes_view = None

    def _look_at(self, static: Int32Array) -> None:
        self._words = words = static.data  # single words are written in half the time
        self._at_begin, self._at_count = words[layout.RTN_BEGIN], words[layout.RTN_COUNT]
        self._at_kind, self._at_edges = words[layout.RTN_FINAL], words[layout.RTN_EDGES]
