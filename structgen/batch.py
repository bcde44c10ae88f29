"""Masks of many sequences in one call: one kernel copies the rows that are known, on several threads."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, pairwise
from struct import Struct
from typing import TYPE_CHECKING

import numpy as np
from structgen_kernels import layout
from structgen_kernels.batch import JOB_SIZE, MISSED, aim, describe, fill_shown, show
from structgen_kernels.posting import finish

from structgen import row_helpers
from structgen.bitmask import checked_bitmask
from structgen.errors import BitmaskError, OptionError, StructgenError
from structgen.mask_store import MaskStore
from structgen.matcher import Matcher
from structgen.row_helpers import RowHelpers
from structgen.tables import Int32Array
from structgen.threads import Team, readers, usable_cores

if TYPE_CHECKING:
    from structgen.bitmask import Bitmask

_FEW = 4  # rows that are done sooner one by one than together
_ROWS_A_THREAD = 64  # with fewer, sharing the work costs about what it saves
# 256 rows of 16 kB are copied in 70 us if nothing else was done meanwhile, and in 400 where 20 ms went by
_MANY = 128  # rows that take longer to copy than a sleeping helper to wake
_SHOWN = (8, 64)  # a helper copies the first rows while the others are looked up
_LEAST_ROOM = 64  # rows
_MISSING = (layout.ROW_UNKNOWN, layout.ROW_NARROW)


def fill_bitmasks(
    matchers: Sequence[Matcher | None], bitmask: Bitmask, *, threads: int | None = None
) -> None:
    """Write the mask of each matcher into its row of ``bitmask``, int32 (rows >= len(matchers), words).

    The matchers may be of any grammars, and of several compilers (those of the first one's are faster).
    None leaves its row as it is; a matcher that has taken a stop id clears its row. ``threads``: how many
    may work on it, None: as many as pay. Raises `BitmaskError` as `Matcher.fill_bitmask`, `OptionError`.
    After an error, rows whose mask could not be found are cleared or as they were.
    """
    out = checked_bitmask(bitmask)
    n = len(matchers)
    if n > out.shape[0]:
        raise BitmaskError(f"{n} matchers, but the bitmask has {out.shape[0]} rows")
    if threads is None:
        threads = max(1, min(usable_cores(), n // _ROWS_A_THREAD))
    elif isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
        raise OptionError("threads", threads, "a positive int, or None")
    matchers = list(matchers)
    if n <= _FEW:
        for row, matcher in enumerate(matchers):
            if matcher is not None:
                matcher.fill_bitmask(out, row)
        return
    first = matchers[0] or next(filter(None, matchers), None)
    if first is None:
        return
    store = first._machine.store
    room = _room(n)
    _copy_known(matchers, store, out, room, threads)
    if room.words[MISSED]:
        again = _find(matchers, out, room, threads)
        if len(again) - again.count(None) > _FEW:
            _copy_known(again, store, out, room, threads)
            again = _missed(again, room) if room.words[MISSED] else []
        for row, matcher in enumerate(again):
            if matcher is not None:
                matcher.fill_bitmask(out, row)
    _rooms.append(room)  # where this was interrupted it may still be in use


class _Room:
    """A job for kernels, and room for what they need of up to ``size`` rows: of one caller at a time."""

    __slots__ = ("_arrays", "_configs", "_parts", "_places", "_rows", "address", "done", "size", "words")

    def __init__(self, size: int) -> None:
        self.size = size
        job, found, done = (
            np.zeros(JOB_SIZE, np.int64),
            np.zeros((2, size), np.int64),
            np.zeros(size, np.int64),
        )
        self._arrays = job, found, done
        self.address = describe(job, found, done)
        # of which Python reads and writes single words more quickly than those of arrays
        self.words, self.done = job.data, done.data
        self._places, self._configs = found[0].data, found[1].data
        self._rows = 0
        self._parts: list[_Part] = []

    def parts(self, rows: int, shared: bool) -> list[_Part]:
        """What to `look_up` before each `show`: where the rows are ``shared`` with a helper, few at first."""
        if self._rows != rows or shared != (len(self._parts) > 1):
            ends = [row for row in _SHOWN if shared and row < rows]
            self._parts = [_Part(*part) for part in pairwise((0, *ends, rows))]
            self._rows = rows
        return self._parts

    def look_up(self, matchers: list[Matcher | None], part: _Part) -> None:
        """Write where the masks of a part of all rows are."""
        if part.rows < len(matchers):
            matchers = matchers[part.begin : part.end]
        try:
            # a row costs a tenth of a microsecond here; everything else is in one kernel
            where = [matcher._place for matcher in matchers]  # type: ignore[union-attr]
            which = [matcher._config for matcher in matchers]  # type: ignore[union-attr]
        except AttributeError:
            where, which = self._with_gaps(matchers, part.begin)
        # mostly those of the batch before: then they are the same objects, which is told at once
        if where != part.places:
            part.pack_into(self._places, 8 * part.begin, *where)
            part.places = where
        part.pack_into(self._configs, 8 * part.begin, *which)

    def _with_gaps(self, matchers: list[Matcher | None], first: int) -> tuple[list[int], list[int]]:
        """Places and configurations where some matchers are None: their rows are marked as ROW_SKIPPED.

        ``first``: the row of the first matcher.
        """
        places, configs = [], []
        for row, matcher in enumerate(matchers, first):
            if matcher is None:
                self.done[row] = layout.ROW_SKIPPED
            places.append(0 if matcher is None else matcher._place)
            configs.append(0 if matcher is None else matcher._config)
        return places, configs


class _Part:
    """Some rows of a batch, and the places of these that were written last."""

    __slots__ = ("begin", "end", "pack_into", "places", "rows")

    def __init__(self, begin: int, end: int) -> None:
        self.begin, self.end, self.rows = begin, end, end - begin
        self.pack_into = Struct(f"{self.rows}n").pack_into  # half the time of np.fromiter
        self.places: list[int] | None = None


_rooms: list[_Room] = []  # those that nobody uses


def _room(rows: int) -> _Room:
    try:
        room = _rooms.pop()
    except IndexError:
        return _Room(max(rows, _LEAST_ROOM))
    return room if rows <= room.size else _Room(rows)


def _copy_known(
    matchers: list[Matcher | None], store: MaskStore, out: Int32Array, room: _Room, threads: int
) -> None:
    """Fill the rows whose masks are known; what became of each is in ``room``."""
    n = len(matchers)
    view = store.view
    address = room.address
    held = (readers.now, room, view, out, matchers)
    aim(address, n, id(store), view.epoch, view.rows, out)
    if threads > 1 and not row_helpers.are_there():
        _share(matchers, room, threads, held)
        return
    if threads > 1 and not row_helpers.rest(threads - 1, n >= _MANY):
        helpers = RowHelpers(threads - 1, n >= _MANY)
        try:
            if helpers.post(address, held):
                # they begin with the first rows while the others are looked up, the caller then at the end
                for part in room.parts(n, True):
                    room.look_up(matchers, part)
                    show(address, part.end)
                fill_shown(address, True)
                return
        finally:
            finish(helpers.blocks, row_helpers.PATIENCE)
            helpers.release()
    room.look_up(matchers, *room.parts(n, False))
    show(address, n)
    fill_shown(address, False)


def _share(matchers: list[Matcher | None], room: _Room, threads: int, held: object) -> None:
    """The same by plain threads."""
    address = room.address

    def fill(_held: object = held) -> None:  # which an interruption may leave to helpers yet to begin
        fill_shown(address, False)

    team = Team(threads, fill)
    try:
        room.look_up(matchers, *room.parts(len(matchers), False))
        show(address, len(matchers))
    finally:
        team.finish()


def _missed(matchers: list[Matcher | None], room: _Room) -> list[Matcher | None]:
    """The matchers whose rows could not be written, None for the others."""
    return [matcher if room.done[row] in _MISSING else None for row, matcher in enumerate(matchers)]


def _find(matchers: list[Matcher | None], out: Int32Array, room: _Room, threads: int) -> list[Matcher | None]:
    """Fill the rows that are still unknown, those of one grammar one after another.

    Of rows with the same mask only one is filled. Returns the matchers of the others, None for all else.
    """
    again = _missed(matchers, room)
    left: dict[int, list[tuple[int, Matcher]]] = {}
    met = set()
    for row, matcher in enumerate(again):
        if matcher is not None:
            mask = id(matcher._machine), matcher._config
            if mask not in met:
                met.add(mask)
                again[row] = None
                left.setdefault(id(matcher._machine), []).append((row, matcher))
    missed: list[tuple[int, Matcher]] = []

    def take() -> None:
        while left:
            try:
                _, rows = left.popitem()
            except KeyError:  # another thread took the last
                return
            missed.extend(rows)
            for row, matcher in rows:
                try:
                    matcher.fill_bitmask(out, row)
                except StructgenError:
                    return
                missed.remove((row, matcher))

    Team(min(threads, len(left)), take).finish()
    for row, matcher in chain(missed, *left.values()):
        matcher.fill_bitmask(out, row)  # what failed in a thread, so that its error is raised here
    return again
