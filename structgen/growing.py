"""Tables of a grammar that is compiled while it is used: parser states are made when they are first entered.

What a JSON Schema allows next may hang on what was written before (the keys that are still missing, the
items that were seen), so its parser has more states than could ever be listed. A `StateSource` describes
them one by one; here they get numbers and a place in the flat arrays that the kernels read.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Hashable, Sequence

import numpy as np
import numpy.typing as npt
from structgen_kernels import layout, members
from structgen_kernels.automata import write_table
from structgen_kernels.growing_tables import begin_as
from structgen_kernels.shared_memory import address_of
from structgen_kernels.spelled import OPENING, UNITS

from structgen.automata import json_text
from structgen.automata.build import literal
from structgen.automata.dfa import START, BoundedDfa, CountedDfa, Dfa, SpelledText, SpelledTexts
from structgen.automata.marked import MarkedDfa
from structgen.laid_members import LaidMembers
from structgen.parser_states import (
    ENDS,
    OPEN,
    PLAIN,
    Call,
    Enter,
    Key,
    MemberKey,
    Members,
    NoSource,
    Others,
    Read,
    State,
    StateSource,
    Usual,
    Value,
)
from structgen.static_layout import MOST_WORDS, laid_out
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
from structgen.untracked import untrack_one

_MOST_ALONG = 2  # states described along with one whose calls are followed: an array's, and not all within it
_MANY_EDGES = 4  # whose spelled terminals are laid out together
_FIRST_COUNTED = 1 << 26  # numbers below are table states
_HEAD, _RESTING = b"\1", memoryview(b"")
_SPELLED = SpelledText, SpelledTexts  # a union would be made at each look


class GrowingTables:
    """Like `structgen.tables.Tables`, and growing: arrays are replaced when they are full, so take them anew.
    ``place``: the address of a cell that tells kernels where they are now (`structgen_kernels.layout`).

    Not safe for several threads: `Machine` holds its lock around every call.
    """

    __slots__ = (
        "_at_begin", "_at_count", "_at_edges", "_at_kind", "_cell", "_class_offsets", "_classes",
        "_classes_view", "_eos", "_first_own", "_heap_base", "_heap_used", "_keys",
        "_laid", "_lists", "_members", "_n_begun", "_n_blocks", "_n_edges", "_n_expanded",
        "_n_table", "_next_counted", "_numbers", "_origins", "_quoted", "_room", "_source",
        "_spelled", "_starts", "_static", "_static_view", "_texts", "_words", "n_layouts",
        "n_usual", "place", "usual",
    )  # fmt: skip
    accepts_empty = False

    def __init__(
        self,
        source: StateSource,
        eos_token_ids: Sequence[int],
        longest_token: int,
        spelled: Callable[[Terminal], Terminal | None] | None = None,
        usual: Usual | None = None,
    ) -> None:
        """``spelled``: a terminal as far as the vocabulary has the bytes for it; None: not at all. It
        is not given where the vocabulary has all bytes. ``usual``: what is laid out from the beginning.
        """
        self._source = source
        self._spelled = spelled
        self._n_expanded = 0
        self._texts: dict[str | tuple[str, ...], int] = {}  # starts of spelled terminals
        self._eos = tuple(eos_token_ids)
        self.n_layouts = 0  # how often the arrays were replaced
        self._cell = np.empty(layout.TABLES_SIZE, np.int64)
        self.place: int
        # as they were last asked for
        self._static_view: Int32Array | None
        self._classes_view: npt.NDArray[np.uint8] | None
        self.usual: Hashable = None  # names the table states that are there from the beginning; None: none
        if usual is not None and spelled is None:
            self._begin_with(usual, longest_token)
        else:
            self._begin_empty(longest_token)
        self.n_usual = self._n_table
        self._n_begun = len(self._numbers)
        self._first_own = len(self._keys)  # parser states below are there from the beginning
        self._words[layout.RTN_START] = self.number(source.start)

    def _begin_empty(self, longest_token: int) -> None:
        self.place = address_of(self._cell)
        self._numbers: dict[Key, int] = {}
        # by state number; 0 is the end of the stack; a negative int: of members, which of `_laid`
        self._keys: list[Key] = []
        self._members: dict[Key, int] = {}
        self._laid: list[LaidMembers] = []
        self._starts: dict[bytes, int | None] = {}
        self._lists: dict[tuple[str, ...], int] = {(): 0}  # of barred strings
        self._quoted = 0  # the state after their closing quote
        self._class_offsets: dict[bytes, int] = {}
        # of automata, by the number before their first states: the digest, and b"\1" for a head
        self._origins: dict[int, bytes] = {}
        self._n_edges = self._n_blocks = self._heap_base = self._heap_used = 0
        self._n_table = 1
        self._next_counted = _FIRST_COUNTED
        self._room = {"rtn": 256, "edges": 512, "table": 1024, "blocks": 32, "heap": 16384}
        self._classes = np.zeros(256 * 16, np.uint8)
        self._static = np.zeros(layout.HEADER_SIZE, np.int32)
        self._static[layout.N_STATES] = _FIRST_COUNTED
        self._static[layout.N_EOS] = len(self._eos)
        self._static[layout.LONGEST_TOKEN] = longest_token
        self._static[layout.STORED_NODES] = STORED_NODES
        self._static[layout.LACKS_BYTES] = self._spelled is not None
        self._lay_out()
        self._add_state(None)  # the end of the stack
        self._describe(0, (), PLAIN)

    def _begin_with(self, usual: Usual, longest_token: int) -> None:
        """Begin with a copy of tables that have these terminals and states: one by one they take ten times
        as long.
        """
        key = longest_token, self._eos, usual.states is not None, usual.name
        begun = _begun.get(key)
        if begun is None:
            source = NoSource() if usual.states is None else usual.states()
            begun = GrowingTables(source, self._eos, longest_token)
            for terminal in usual.terminals:
                begun._terminal(terminal)
            begun._after_quote()
            if usual.states is not None:
                begun.expand_some(MOST_WORDS, MOST_WORDS)
            begun._source = NoSource()  # needed no more
            if len(_begun) >= _MOST_BEGUN:
                _begun.clear()
            _begun[key] = begun
        self.usual = key
        self._numbers, self._keys = begun._numbers.copy(), begun._keys.copy()
        self._members, self._laid, self._lists = (
            begun._members.copy(),
            begun._laid.copy(),
            begun._lists.copy(),
        )
        self._starts, self._room = begun._starts.copy(), begun._room.copy()
        self._class_offsets, self._origins = begun._class_offsets.copy(), begun._origins.copy()
        self._quoted, self._next_counted = begun._quoted, begun._next_counted
        self._n_edges, self._n_table, self._n_blocks = begun._n_edges, begun._n_table, begun._n_blocks
        self._heap_base, self._heap_used = begun._heap_base, begun._heap_used
        self._classes, self._static = begun._classes.copy(), np.empty_like(begun._static)
        self._static_view = self._classes_view = None
        self.place = begin_as(
            begun._static, self._static, self._n_edges, self._heap_used, self._classes, self._cell
        )
        self._look_at(self._static)

    def rest(self) -> None:
        """Nothing more is asked for now: leave no container for the garbage collector to look at."""
        self._words = _RESTING
        for known in (self._keys, self._laid, self._numbers, self._members, self._lists):
            untrack_one(known)

    # -- what kernels and the mask store read --------------------------------------------------------

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

    @property
    def n_terminal_states(self) -> int:
        """Table states, the dead one included."""
        return self._n_table

    @property
    def n_parser_states(self) -> int:
        """States that have a number."""
        return len(self._keys) - 1

    @property
    def n_expanded(self) -> int:
        """How many descriptions were asked of the source: of states, and of the members of an object."""
        return self._n_expanded

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays, and an estimate of what the source holds for each state (3 kB, measured)."""
        held = 3000 * (len(self._numbers) - self._n_begun) + getattr(self._source, "nbytes", 0)
        return int(self._static.nbytes + self._classes.nbytes) + held

    def origin(self, state: int) -> tuple[bytes, int, bool]:
        """Of a table state: its automaton's digest, its number there, and whether the automaton is a head."""
        bases = list(self._origins)
        base = bases[bisect_left(bases, state) - 1]
        origin = self._origins[base]
        return origin[:16], state - base, origin[16:] == _HEAD

    def origins(self) -> tuple[Int32Array, npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
        """``bases``, ``digests`` and ``heads`` as `structgen.tables.Tables` has them."""
        origins = self._origins.values()
        digests = np.frombuffer(b"".join(origin[:16] for origin in origins), np.uint8).reshape(-1, 16)
        heads = np.array([origin[16:] == _HEAD for origin in origins], np.bool_)
        return np.array([*self._origins], np.int32), digests, heads

    @property
    def source(self) -> StateSource:
        return self._source

    def key(self, number: int) -> Key:
        """What the source calls a parser state."""
        key = self._own_key(number)
        return self._source.member(key) if isinstance(key, MemberKey) else key

    def _own_key(self, number: int) -> Key:
        key = self._keys[number]
        return self._laid[~key].named(number) if isinstance(key, int) and key < 0 else key

    # -- growing ---------------------------------------------------------------------------------------

    def number(self, key: Key) -> int:
        """The number of the state ``key``, a new one when it is new."""
        known = self._numbers.get(key)
        if known is not None:
            return known
        self._wake()
        if isinstance(key, MemberKey):
            place = self._members.get(key.members)
            if place is None:
                place = self._add_members(key.members, self._source.members(key.members))
            return self._laid[place].first + members.STATES * key.at + key.role
        return self._add_state(key)

    def expand(self, number: int) -> None:
        """Find the edges of a state; and of those that it jumps to or calls, as a closure would come to them
        next; and of the one that follows ``number`` where there is no choice, as behind a key's colon.
        """
        self._wake()
        first = number
        n_along = 0
        pending = [number]
        while pending:
            number = pending.pop()
            if self._has_edges(number):
                key = self._keys[number]
                if isinstance(key, int) and key < 0 and (beyond := self._laid[~key].beyond):
                    pending.append(beyond)
                continue
            state = self._source.expand(self._own_key(number))
            for key, more in state.along:
                if isinstance(more, Members):
                    if key not in self._members:
                        self._add_members(key, more)
                elif not self._has_edges(other := self.number(key)):
                    n_along += 1
                    self._lay(other, more, pending if n_along <= _MOST_ALONG else [])
            target = self._lay(number, state, pending)
            if number == first and target is not None:
                pending.append(target)

    def _lay(self, number: int, state: State, pending: list[int]) -> int | None:
        """Write the edges of a state, and append to ``pending`` those that it jumps to or calls. Returns the
        one that follows, where that is a single one.
        """
        flat: list[int] = []
        target: int | None = None
        if len(state.edges) > _MANY_EDGES:
            texts = (edge.terminal for edge in state.edges if isinstance(edge, Read))
            self._spelled_starts([text.text for text in texts if isinstance(text, SpelledText)])  # at once
        for edge in state.edges:
            if isinstance(edge, Read):
                start = self._terminal(edge.terminal)
                if start is not None:
                    target = self.number(edge.target)
                    flat += (start, target)
            elif isinstance(edge, Call):
                callee = self.number(edge.callee)
                flat += (-callee, self.number(edge.target))
                pending.append(callee)
            else:
                jumped = self.number(edge.target)
                pending.append(jumped)
                if state.kind > ENDS:
                    flat += (self._barred(state.barred), jumped)
                elif len(state.edges) == 1 and state.kind == PLAIN and self._is_plain(jumped):
                    flat += self._edges_of(jumped, jumped)  # as good as being there
                else:
                    flat += (-jumped, 0)
        self._describe(number, flat, state.kind)
        self._n_expanded += 1
        return target if len(state.edges) == 1 else None

    def expand_some(
        self, max_states: int, max_table: int, max_numbers: int = MOST_WORDS, *, leaves_open: bool = False
    ) -> bool:
        """Expand what the start reaches, nearest first. True when that was all.

        It ends when ``max_states`` were described, or ``max_numbers`` have numbers, or there are
        ``max_table`` states of terminals, all besides the usual ones. ``leaves_open``: not the values of
        members that `Members` leaves open, which may be dear.
        """
        self._wake()
        queue = deque([int(self._static[layout.RTN_START])])
        seen = set(queue)
        is_all = True
        while queue:
            number = queue.popleft()
            is_enough = (
                self._n_expanded >= max_states
                or self._n_table - self.n_usual >= max_table
                or len(self._keys) - self._first_own >= max_numbers
            )
            if is_enough and not self._has_edges(number):
                return False
            self.expand(number)
            for after in self._led_to(number, seen):
                if after >= self._first_own and after not in seen:
                    seen.add(after)
                    key = self._keys[after]
                    is_laid = isinstance(key, int) and key < 0
                    is_open = is_laid or (isinstance(key, tuple) and key[0] in OPEN)
                    if leaves_open and is_open and not self._has_edges(after):
                        is_all = False
                    else:
                        queue.append(after)
        return is_all

    def compact(self) -> None:
        """Give back the room that nothing is in yet, for a file."""
        self._room = {what: max(1, size) for what, size in self._used().items()}
        self._lay_out()
        self._static[self._static[layout.ROW]] = 0  # the dead state has no row that could have moved
        n_classes = max(1, len(self._class_offsets))
        self._classes = self._classes[: 256 * n_classes].copy()
        self._show()

    def resolve(self, number: int, text: bytes) -> int:
        """Where an END_TEXT state goes on after ``text``; 0: nowhere."""
        key = self._source.resolve(self.key(number), text)
        return 0 if key is None else self.number(key)

    def _has_edges(self, number: int) -> bool:
        return self._words[self._at_count + number] != layout.UNEXPANDED

    def _is_plain(self, number: int) -> bool:
        """Does no more happen in the state than that its edges are taken? False while they are not known."""
        return self._has_edges(number) and self._words[self._at_kind + number] == PLAIN

    def _edges_of(self, first: int, last: int) -> list[int]:
        """Symbol and target of each edge of states that were described one after the other."""
        words, begin = self._words, self._words[self._at_begin + first]
        end = words[self._at_begin + last] + words[self._at_count + last]
        flat: list[int] = words[self._at_edges + 2 * begin : self._at_edges + 2 * end].tolist()
        return flat

    def _led_to(self, number: int, seen: set[int]) -> list[int]:
        """The states that a state calls or leads to. Those between the members of an object count as one:
        ``seen`` gets all of them, but for the values that are yet to be expanded.
        """
        key, first, last, laid = self._keys[number], number, number, None
        if isinstance(key, int) and key < 0 and number not in self._laid[~key].values:
            laid = self._laid[~key]
            first, last = laid.states[0], laid.states[-1]
        flat = self._edges_of(first, last)
        found = dict.fromkeys(-symbol for symbol in flat[::2] if symbol < 0)
        found.update(dict.fromkeys(flat[1::2]))
        if laid is not None:
            seen.update(laid.states)
            # of members that there may be: their colon is led to
            values = (value for value in laid.values if value - 1 in found)
            seen.difference_update(value for value in values if not self._has_edges(value))
        return [*found]

    def _add_state(self, key: Key) -> int:
        number = len(self._keys)
        self._numbers[key] = number
        self._keys.append(key)
        if number >= self._room["rtn"]:
            self._make_room("rtn", number + 1)
        words = self._words
        words[self._at_count + number] = layout.UNEXPANDED
        words[layout.N_RTN] = number + 1
        return number

    def _add_members(self, key: Key, described: Members) -> int:
        """Lay out the states of an object's members; returns their place in `_laid`."""
        n = len(described.names)
        done = 0 if described.done is None else self.number(described.done)
        beyond, others = 0, []
        if isinstance(described.beyond, Others):
            others = self._others(described.beyond)
        elif described.beyond is not None:
            beyond = self.number(described.beyond)
        texts = [t.text for ts in described.values if ts for t in ts if type(t) is SpelledText]
        starts = self._spelled_starts([*described.names, *texts])
        marks = [self._terminal(mark) or 0 for mark in (described.colon, described.comma, described.end)]
        words = [n, *marks, len(others), *others]
        values: list[int] = []
        for name, optional, given in zip(starts, described.optional, described.values, strict=False):
            words += (name, optional, -1 if given is None else len(given))
            if given:
                values += map(self._value, given)
        first = len(self._keys)
        n_states = members.STATES * n + (members.OTHER_STATES if others else 0)
        n_edges = 5 * n + len(values) + len(others) + members.OTHER_STATES  # at most
        # room first: what is laid out anew then holds what there was, and a limit leaves all as it was
        if first + n_states > self._room["rtn"]:
            self._make_room("rtn", first + n_states)
        if self._n_edges + n_edges > self._room["edges"]:
            self._make_room("edges", self._n_edges + n_edges)
        self._n_edges += members.write_members(
            self._static, first, self._n_edges, np.array(words + values, np.int32), beyond, done
        )
        self._words[layout.N_RTN] = first + n_states
        place = len(self._laid)
        self._keys += [~place] * n_states
        beyond = beyond if all(described.optional) else 0
        self._laid.append(LaidMembers(key, first, n, bool(others), beyond))
        self._members[key] = place
        self._n_expanded += 1
        return place

    def _others(self, described: Others) -> list[int]:
        """What `structgen_kernels.members.write_members` takes of members with other names."""
        names = [self._terminal(name) or 0 for name in described.names]
        values = described.values
        numbers = [] if values is None else [self._value(value) for value in values]
        n_values = -1 if values is None else len(values)
        return [self._barred(described.barred), n_values, len(names), *names, *numbers]

    def _value(self, value: Value) -> int:
        """The symbol of an edge that reads a value of members."""
        return -self.number(value.callee) if isinstance(value, Enter) else self._terminal(value) or 0

    def _wake(self) -> None:
        if self._words is _RESTING:
            self._words = self._static.data

    def _describe(self, number: int, flat: Sequence[int], kind: int) -> None:
        count = len(flat) // 2
        if self._n_edges + count > self._room["edges"]:
            self._make_room("edges", self._n_edges + count)
        words = self._words
        at = self._at_edges + 2 * self._n_edges
        for value in flat:  # hardly ever many
            words[at] = value
            at += 1
        words[self._at_begin + number] = self._n_edges
        words[self._at_count + number] = count
        words[self._at_kind + number] = kind
        self._n_edges += count

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
        self._origins[base] = digest + (_HEAD if is_head else b"")
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

    def _make_room(self, what: str, wanted: int) -> None:
        while self._room[what] < wanted:
            self._room[what] *= 2
        # what would be full soon grows along: all of it is laid out anew
        for other, count in self._used().items():
            if 3 * count > 2 * self._room[other]:
                self._room[other] *= 2
        self._lay_out()

    def _lay_out(self) -> None:
        """A new array with the rooms there are now, and all that the old one holds."""
        old = self._static
        static = laid_out(old, self._room, self._used(), self._eos)
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


_MOST_BEGUN = 16
_begun: dict[tuple[object, ...], GrowingTables] = {}  # tables with nothing but usual terminals
