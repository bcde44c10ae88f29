"""Masks of many sequences in one call: one kernel copies the rows that are known, on several threads."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, pairwise
from struct import pack_into
from typing import TYPE_CHECKING

import numpy as np
from structgen_kernels import layout
from structgen_kernels.batch import JOB_SIZE, describe, fill_shown, show
from structgen_kernels.posting import finish

from structgen import row_helpers
from structgen.bitmask import checked_bitmask
from structgen.errors import BitmaskError, OptionError, StructgenError
from structgen.lexed_machine import LexedMachine
from structgen.mask_store import MaskStore
from structgen.matcher import Matcher
from structgen.row_helpers import RowHelpers
from structgen.tables import Int32Array
from structgen.threads import Team, readers, usable_cores

if TYPE_CHECKING:
    import numpy.typing as npt

    from structgen.bitmask import Bitmask

_FEW = 4  # rows that are done sooner one by one than together
_ROWS_A_THREAD = 64  # with fewer, sharing the work costs about what it saves
# 256 rows of 16 kB are copied in 70 us if nothing else was done meanwhile, and in 400 where 20 ms went by
_MANY = 128  # rows that take longer to copy than a sleeping helper to wake
_SHOWN = (0, 32, 128)  # a helper copies the first rows while the others are looked up


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
    store = next((matcher._machine.store for matcher in matchers if matcher is not None), None)
    if store is None:
        return
    done = bytearray(8 * n)  # a word each, so that threads do not write to one cache line
    _copy_known(matchers, store, out, done, threads)
    if layout.ROW_UNKNOWN in done or layout.ROW_NARROW in done:
        _find(matchers, out, done, threads)


def _copy_known(
    matchers: list[Matcher | None], store: MaskStore, out: Int32Array, done: bytearray, threads: int
) -> None:
    """Fill the rows whose masks are known, and say in ``done`` how each went."""
    n = len(matchers)
    view = store.view
    found = np.empty((2, n), np.int64)  # places, configurations
    described = (id(store), view.epoch, view.rows, out, np.frombuffer(done, np.int64))
    job = np.zeros(JOB_SIZE, np.int64)
    address = describe(job, found, *described)
    held: list[object] = [readers.now, job, found, described, matchers]
    if threads == 1:
        _look_up(matchers, 0, n, found, done, held)
        show(job, n)
        fill_shown(address, False)
        return
    if not row_helpers.are_there():

        def fill(_held: object = held) -> None:  # which an interruption may leave to helpers yet to begin
            fill_shown(address, False)

        team = Team(threads, fill)
        try:
            _look_up(matchers, 0, n, found, done, held)
            show(job, n)
        finally:
            team.finish()
        return
    helpers = RowHelpers(threads - 1, n >= _MANY)
    try:
        helpers.post(address, held)
        # they begin with the first rows while the others are looked up, and the caller at the end after that
        for begin, end in pairwise((*(row for row in _SHOWN if row < n), n)):
            _look_up(matchers, begin, end, found, done, held)
            show(job, end)
        fill_shown(address, True)
    finally:
        finish(helpers.blocks, row_helpers.PATIENCE)
        helpers.release()


def _look_up(
    matchers: list[Matcher | None],
    begin: int,
    end: int,
    found: npt.NDArray[np.int64],
    done: bytearray,
    held: list[object],
) -> None:
    """Write where the masks of rows ``begin`` to ``end`` are into ``found`` int64 (2, n).

    What has to live while they are read goes into ``held``.
    """
    part = matchers[begin:end]
    try:
        # a row costs a tenth of a microsecond here; everything else is in one kernel
        where = [matcher._place for matcher in part]  # type: ignore[union-attr]
        which = [matcher._config for matcher in part]  # type: ignore[union-attr]
    except AttributeError:
        where, which = _with_gaps(part, begin, done)
    if 0 in where:
        _add_lexed(part, where, which, held)
    words = f"{end - begin}n"  # half the time of np.fromiter
    pack_into(words, found.data, 8 * begin, *where)
    pack_into(words, found.data, 8 * (found.shape[1] + begin), *which)


def _with_gaps(matchers: list[Matcher | None], first: int, done: bytearray) -> tuple[list[int], list[int]]:
    """Places and configurations where some matchers are None: their rows are marked in ``done``.

    ``first``: the row of the first matcher.
    """
    places, configs = [], []
    for row, matcher in enumerate(matchers, first):
        if matcher is None:
            done[8 * row] = layout.ROW_SKIPPED
        places.append(-1 if matcher is None else matcher._place)
        configs.append(0 if matcher is None else matcher._config)
    return places, configs


def _add_lexed(
    matchers: list[Matcher | None], places: list[int], configs: list[int], held: list[object]
) -> None:
    """Replace what stands for grammars with a lexer by their whole masks, where known."""
    row = -1
    for _ in range(places.count(0)):
        row = places.index(0, row + 1)
        matcher = matchers[row]
        if configs[row] and matcher is not None and isinstance(matcher._machine, LexedMachine):
            known = matcher._machine.known_mask(configs[row])
            if known is not None:
                places[row], words = known
                configs[row] = -words.shape[0]
                held.append(words)


def _find(matchers: list[Matcher | None], out: Int32Array, done: bytearray, threads: int) -> None:
    """Fill the rows that are still unknown, those of one grammar one after another."""
    left: dict[int, list[tuple[int, Matcher]]] = {}
    for row, matcher in enumerate(matchers):
        if matcher is not None and done[8 * row] in (layout.ROW_UNKNOWN, layout.ROW_NARROW):
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
