"""How much memory the grammars of one compiler take, and whose records go when that is too much.

What is counted are caches: tables that can be compiled again, records and masks that can be computed again. A
grammar that is used least recently loses its records first; matchers that are in the middle of a text find
out at their next token, and read their text again in new records.
"""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Protocol, TypeVar, cast

from structgen.remains import Remains

_LEAST_MACHINE = 4 << 20  # a machine may always hold so much before it is given up
_PARTS = 8  # of all, what one machine may hold
_LOW = 0.8  # make so much room that what follows does not have to at once


class Held(Protocol):
    """A grammar, as the budget sees it."""

    @property
    def nbytes(self) -> int: ...

    def shed(self) -> None:
        """Drop all records, without waiting for anybody."""


_Grammar = TypeVar("_Grammar", bound=Held)


class _Entry(weakref.ref["Held"]):
    """A grammar, weakly: its place, and what it took when it last reported."""

    __slots__ = ("key", "size")
    key: int
    size: int


class Budget:
    """Counts the bytes of grammars, weakly held, least recently used first. Safe for several threads.

    ``max_bytes``: at most so much, or None. ``on_full``: is told which grammar has to go, before it sheds its
    records: whoever keeps it may let go of it. ``remains``: of grammars that are gone; they count, and are
    freed at once where there is too much. Bounds what is kept, not what one text needs.
    """

    def __init__(
        self,
        max_bytes: int | None,
        on_full: Callable[[Held], None] | None = None,
        remains: Remains | None = None,
    ) -> None:
        self.max_bytes = max_bytes
        self._on_full = on_full
        self._remains = Remains() if remains is None else remains
        self._held: OrderedDict[int, _Entry] = OrderedDict()
        self._made: _Entry | None = None  # the last one that was made, until it is counted
        self._dead: deque[weakref.ref[Held]] = deque()  # grammars die at any moment: no lock then
        self._note_dead = self._dead.append  # one for all
        self._total = 0
        self._lock = threading.Lock()

    @property
    def nbytes(self) -> int:
        """What the grammars that are alive took when they last reported, and what is left of others."""
        made = self._made
        grammar = None if made is None else made()
        if grammar is not None:
            self.report(grammar)
        with self._lock:
            self._bury()
            return self._total + self._remains.nbytes

    @property
    def machine_bytes(self) -> int | None:
        """What one machine may hold before it is given up for a fresh one."""
        return None if self.max_bytes is None else max(_LEAST_MACHINE, self.max_bytes // _PARTS)

    def expect(self, grammar: Held) -> None:
        """``grammar`` was made. It is counted when another is made, or when it reports: mostly at once, as it
        gets its records.
        """
        made = _Entry(grammar, self._note_dead)
        made.key, made.size = id(grammar), 0
        with self._lock:
            before, self._made = self._made, made
        waiting = None if before is None else before()
        if waiting is not None:
            self.report(waiting)

    def report(self, grammar: Held) -> None:
        """``grammar`` was made or has grown: it is the last to go now. Makes room where that is needed."""
        key, size = id(grammar), grammar.nbytes
        with self._lock:
            self._bury()
            entry = self._held.get(key)
            if entry is not None and entry() is grammar:
                self._total += size - entry.size
                entry.size = size
                self._held.move_to_end(key)
            else:
                self._forget(key)
                entry, self._made = self._made, None
                if entry is None or entry() is not grammar:
                    self._made, entry = entry, _Entry(grammar, self._note_dead)
                self._held[key] = entry
                entry.key, entry.size = key, size
                self._total += size
            if self.max_bytes is not None and self._total + self._remains.nbytes > self.max_bytes:
                if self._total > self.max_bytes:
                    self._make_room(grammar, int(_LOW * self.max_bytes))
                self._remains.free_all()

    def reference(self, grammar: _Grammar) -> weakref.ref[_Grammar]:
        """One to a grammar of ours, for all who need one: the garbage collector looks at each."""
        with self._lock:
            found = self._made
            if found is None or found() is not grammar:
                found = self._held.get(id(grammar))
        if found is None or found() is not grammar:
            return weakref.ref(grammar)
        return cast("weakref.ref[_Grammar]", found)

    def touch(self, grammar: Held) -> None:
        """``grammar`` is used: it is the last to go now."""
        with self._lock:
            if id(grammar) in self._held:
                self._held.move_to_end(id(grammar))

    def _make_room(self, keep: Held, low: int) -> None:
        for key in list(self._held):
            self._bury()
            if self._total <= low:
                return
            found = self._held.get(key)
            grammar = None if found is None else found()
            if found is None or grammar is None or grammar is keep:
                continue
            if self._on_full is not None:
                self._on_full(grammar)
            grammar.shed()
            size = grammar.nbytes
            self._total += size - found.size
            found.size = size
            del grammar  # if nobody else has it, it is gone, and has told so
        self._bury()

    def _bury(self) -> None:
        while self._dead:
            gone = self._dead.popleft()
            # the key may be another grammar's by now
            if isinstance(gone, _Entry) and self._held.get(gone.key) is gone:
                self._forget(gone.key)

    def _forget(self, key: int) -> None:
        found = self._held.pop(key, None)
        if found is not None:
            self._total -= found.size
