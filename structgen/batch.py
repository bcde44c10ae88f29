"""Masks of many sequences in one call: one kernel copies the rows that are known, on several threads."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from threading import get_ident
from typing import TYPE_CHECKING, Any

import numpy as np
from structgen_kernels import layout
from structgen_kernels.batch import fill_rows

from structgen.bitmask import checked_bitmask
from structgen.errors import BitmaskError, OptionError, StructgenError
from structgen.lexed_machine import LexedMachine
from structgen.mask_store import MaskStore
from structgen.matcher import Matcher
from structgen.tables import Int32Array
from structgen.threads import Team, readers, usable_cores

if TYPE_CHECKING:
    from structgen.bitmask import Bitmask

_FEW = 4  # rows that are done sooner one by one than together
_ROWS_A_THREAD = 128  # waking another thread costs about as much as half as many copies of 16 kB


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
    work: list[tuple[Any, ...]] = []
    caller = get_ident()

    def copy() -> None:
        if work:
            fill_rows(*(*work[0], get_ident() != caller))

    done = bytearray(8 * n)  # a word each, so that threads do not write to one cache line
    held: list[object] = []
    team = Team(threads, copy)  # helpers wake while the rows are looked up
    with readers:
        try:
            work.append(_looked_up(matchers, store, out, done, held))
        finally:
            team.finish()
    if layout.ROW_UNKNOWN in done or layout.ROW_NARROW in done:
        _find(matchers, out, done, threads)


def _looked_up(
    matchers: list[Matcher | None], store: MaskStore, out: Int32Array, done: bytearray, held: list[object]
) -> tuple[Any, ...]:
    """The kernel's arguments. What has to live while it runs goes into ``held``."""
    n = len(matchers)
    try:
        # a row costs a tenth of a microsecond here; everything else is in one kernel
        places = [matcher._place for matcher in matchers]  # type: ignore[union-attr]
        configs = [matcher._config for matcher in matchers]  # type: ignore[union-attr]
    except AttributeError:
        places, configs = _with_gaps(matchers, done)
    if 0 in places:
        _add_lexed(matchers, places, configs, held)
    view = store.view
    return (
        np.fromiter(places, np.int64, n),
        np.fromiter(configs, np.int64, n),
        id(store),
        view.epoch,
        view.rows,
        out,
        np.frombuffer(done, np.int64),
        np.zeros(3, np.int64),
    )


def _with_gaps(matchers: list[Matcher | None], done: bytearray) -> tuple[list[int], list[int]]:
    """Places and configurations where some matchers are None, whose rows are marked in ``done``."""
    places, configs = [], []
    for row, matcher in enumerate(matchers):
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
