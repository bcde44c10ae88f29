"""Tables of a grammar that is compiled while it is used: parser states are made when they are first entered.

What a JSON Schema allows next may hang on what was written before (the keys that are still missing, the
items that were seen), so its parser has more states than could ever be listed. A `StateSource` describes
them one by one; here they get numbers and a place in the flat arrays that the kernels read.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from structgen_kernels import layout, members
from structgen_kernels.growing_tables import begin_as

from structgen.automata.dfa import SpelledText
from structgen.growing_arrays import HEAD, GrowingArrays
from structgen.laid_containers import LaidContainers
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
    PlainKey,
    Read,
    State,
    StateSource,
    Usual,
    UsualParts,
    Value,
)
from structgen.static_layout import MOST_WORDS
from structgen.tables import (
    Int32Array,
    Terminal,
)
from structgen.untracked import untrack_one

_MOST_ALONG = 2  # states described along with one whose calls are followed: an array's, and not all within it
_MANY_EDGES = 4  # whose spelled terminals are laid out together
_RESTING = memoryview(b"")


class _Parts(NamedTuple):
    """First states of the terminals that plain containers have in common, and the symbols of their values."""

    marks: Int32Array
    names: Int32Array
    types: list[list[int]]
    values: tuple[Int32Array, Int32Array, Int32Array]  # the same, as `_as_arrays` has it
    done: int


class GrowingTables(GrowingArrays):
    """Like `structgen.tables.Tables`, and growing: arrays are replaced when they are full, so take them anew.
    ``place``: the address of a cell that tells kernels where they are now (`structgen_kernels.layout`).

    Not safe for several threads: `Machine` holds its lock around every call.
    """

    __slots__ = (
        "_first_own", "_inside_of", "_laid", "_members", "_n_begun", "_n_expanded", "_numbers", "_parts",
        "_source", "_state_of", "n_usual", "usual",
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
        super().__init__(eos_token_ids, spelled)
        self._source = source
        self._n_expanded = 0
        # of plain containers, by record
        self._state_of = np.zeros(source.n_records, np.int32)
        self._inside_of = np.zeros(source.n_records, np.int32)
        self._parts: _Parts | None = None
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
        self._numbers: dict[Key, int] = {}
        self._members: dict[Key, LaidMembers] = {}
        self._laid: list[LaidMembers | LaidContainers] = []
        self._begin_arrays(longest_token)
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
            if usual.parts is not None:
                begun._parts = begun._laid_parts(usual.parts)
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
        self._quoted, self._next_counted, self._parts = begun._quoted, begun._next_counted, begun._parts
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
        held += 16 * len(self._keys) + self._state_of.nbytes + self._inside_of.nbytes
        return int(self._static.nbytes + self._classes.nbytes) + held

    def origin(self, state: int) -> tuple[bytes, int, bool]:
        """Of a table state: its automaton's digest, its number there, and whether the automaton is a head."""
        bases = list(self._origins)
        base = bases[bisect_left(bases, state) - 1]
        origin = self._origins[base]
        return origin[:16], state - base, origin[16:] == HEAD

    def origins(self) -> tuple[Int32Array, npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
        """``bases``, ``digests`` and ``heads`` as `structgen.tables.Tables` has them."""
        origins = self._origins.values()
        digests = np.frombuffer(b"".join(origin[:16] for origin in origins), np.uint8).reshape(-1, 16)
        heads = np.array([origin[16:] == HEAD for origin in origins], np.bool_)
        return np.array([*self._origins], np.int32), digests, heads

    @property
    def source(self) -> StateSource:
        return self._source

    def key(self, number: int) -> Key:
        """What the source calls a parser state."""
        key = self._own_key(number)
        return self._source.member(key) if isinstance(key, MemberKey | PlainKey) else key

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
        if isinstance(key, PlainKey):
            return self._number_inside(key)
        if isinstance(key, MemberKey):
            laid = self._members.get(key.members)
            if laid is None:
                laid = self._add_members(key.members, self._source.members(key.members))
            return laid.first + members.STATES * key.at + key.role
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
            known = self._own_key(number)
            if isinstance(known, PlainKey) and known.at < 0:
                self._lay_containers(known.record)
                continue
            state = self._source.expand(known)
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
        members that `Members` leaves open, which may be dear; nor is it looked whether there is more then.
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
            if is_enough and (leaves_open or not self._has_edges(number)):
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
        self._lay_out({what: max(1, size) for what, size in self._used().items()})
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
        first = last = number
        laid = self._members_at(number)
        if laid is not None and number in laid.values:
            laid = None
        if laid is not None:
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

    def _members_at(self, number: int) -> LaidMembers | None:
        """The states among which one is, where they are those of an object's members."""
        key = self._keys[number]
        if not isinstance(key, int) or key >= 0:
            return None
        laid = self._laid[~key]
        return laid.members_at(number) if isinstance(laid, LaidContainers) else laid

    def _add_state(self, key: Key) -> int:
        number = len(self._keys)
        self._room_for("rtn", number + 1)  # first: a limit leaves all as it was
        self._numbers[key] = number
        self._keys.append(key)
        words = self._words
        words[self._at_count + number] = layout.UNEXPANDED
        words[layout.N_RTN] = number + 1
        return number

    def _number_inside(self, key: PlainKey) -> int:
        """The number of a state of a plain container."""
        record, at = key
        if at >= 0:
            if not self._inside_of[record]:
                self._lay_containers(record)
            return int(self._inside_of[record]) + at
        number = int(self._state_of[record])
        if not number:
            number = self._state_of[record] = self._add_state(key)
        return number

    def _lay_containers(self, record: int) -> None:
        """Lay out the states of a plain container, and of others in it."""
        described = self._source.containers(record)
        parts = self._parts
        if parts is None:
            parts = self._parts = self._laid_parts(self._source.usual_parts)
        texts = [t.text for values in described.values if values for t in values if type(t) is SpelledText]
        if len(texts) > 1:
            self._spelled_starts(texts)  # at once
        values = parts.values
        if described.values:
            asked = [None if values is None else [*map(self._value, values)] for values in described.values]
            values = _as_arrays([*parts.types, *asked])
        before = len(self._keys)
        try:
            rows = self._write_containers(
                described, (parts.marks, parts.names), values, (self._state_of, self._inside_of), parts.done
            )
            self._wake()
            end = int(self._words[layout.N_RTN])
            laid = LaidContainers(rows, end)
            self._laid.append(laid)
            self._keys += [~(len(self._laid) - 1)] * (end - before)
        except BaseException:  # an interruption: these numbers will be given again
            del self._keys[before:]
            for numbers in (self._state_of, self._inside_of):
                numbers[numbers >= before] = 0
            raise
        self._n_expanded += len(described.containers)

    def _laid_parts(self, usual: UsualParts) -> _Parts:
        types = [[*map(self._value, values)] for values in usual.types]
        return _Parts(
            np.array([*map(self._terminal, usual.marks)], np.int32),
            np.array([*map(self._terminal, usual.names)], np.int32),
            types,
            _as_arrays(types),
            self.number(usual.done),
        )

    def _add_members(self, key: Key, described: Members) -> LaidMembers:
        """Lay out the states of an object's members."""
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
        self._keys += [~len(self._laid)] * n_states
        beyond = beyond if all(described.optional) else 0
        laid = self._members[key] = LaidMembers(key, first, n, bool(others), beyond)
        self._laid.append(laid)
        self._n_expanded += 1
        return laid

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


_MOST_BEGUN = 16
_begun: dict[tuple[object, ...], GrowingTables] = {}  # tables with nothing but usual terminals


def _as_arrays(values: Sequence[Sequence[int] | None]) -> tuple[Int32Array, Int32Array, Int32Array]:
    """Symbols of values as `structgen_kernels.plain_containers.lay_out` takes them. None: not known yet."""
    begin: list[int] = []
    count: list[int] = []
    symbols: list[int] = []
    for value in values:
        begin.append(len(symbols))
        count.append(-1 if value is None else len(value))
        symbols += value or ()
    return np.array(begin, np.int32), np.array(count, np.int32), np.array(symbols, np.int32)
