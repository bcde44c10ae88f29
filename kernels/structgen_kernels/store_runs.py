"""In how many bytes of which kinds a terminal cannot fail, whatever they are: its *runs*.

Inside most strings any letter may follow any other, for ever or for so many characters. A walk of the trie
that comes to such a state takes all tokens below a node at once, if none of them is longer than that, or has
another byte. Some *alphabets* are tried, sets of kinds of bytes that the automaton itself suggests: what may
be read at many of its states, and what they loop over.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from structgen_kernels.jit import ByteArray, Int, Int32Array, Int64Array, kernel
from structgen_kernels.layout import (
    ACCEPTS,
    BLOCK_CLASSES,
    BLOCK_COLUMNS,
    BLOCK_TABLE,
    CLASS_MAP,
    FLAGS,
    ROW,
)
from structgen_kernels.store_below import EVERY_KIND, KINDS, N_UTF8, Bits, group_of, kind_of_lead

# -- an automaton as rows of numbers, whether it is a table or the content of a bounded terminal

FIRST_ROW = 0  # where in `static` the row of state 0 would be
WIDTH = 1
SHIFT = 2  # what is in a row, without its sign, less the number of a state
FLAGS_AT = 3  # where the flags of state 0 would be; -1: no state accepts
VIEW_SIZE = 4

MOST_EXPLORED = 256  # states; from others on nothing is promised
MOST_ALPHABETS = 6
_MOST_SUGGESTED = 32
_MOST_STEPS = 180  # from one state: it has no more columns to tell apart
_MOST_SYMBOLS = 640  # 128 bytes of ASCII, 51 that begin a character, 384 that continue one
FOR_EVER = 255
_BACKSLASH = 0x5C


@kernel
def view_of_table(
    static: Int32Array, classes: ByteArray, state: Int, base: Int, columns: Int32Array
) -> Int64Array:
    """The automaton of a table state, whose states are those from ``base + 1`` on: int64 (VIEW_SIZE,).

    Writes the column of each byte into ``columns`` int32 (256,).
    """
    view = np.empty(VIEW_SIZE, np.int64)
    rows = np.int64(static[ROW])
    first = np.int64(static[rows + base + 1])
    width = np.int64(1)
    place = np.int64(static[static[CLASS_MAP] + state])
    for byte in range(256):
        columns[byte] = classes[place + byte]
        width = max(width, np.int64(columns[byte]) + 1)
    view[FIRST_ROW] = first - width
    view[WIDTH] = width
    view[SHIFT] = base
    view[FLAGS_AT] = np.int64(static[FLAGS]) + base
    return view


@kernel
def view_of_block(static: Int32Array, block: Int, columns: Int32Array) -> Int64Array:
    """The same of a bounded terminal's content; unit states are numbered from 1 on."""
    view = np.empty(VIEW_SIZE, np.int64)
    width = np.int64(static[block + BLOCK_COLUMNS])
    view[FIRST_ROW] = np.int64(static[block + BLOCK_TABLE]) - width
    view[WIDTH] = width
    view[SHIFT] = 0
    view[FLAGS_AT] = -1
    place = np.int64(static[block + BLOCK_CLASSES])
    for byte in range(256):
        columns[byte] = static[place + byte]
    return view


@kernel
def step_of(static: Int32Array, view: Int64Array, state: Int, column: Int) -> Int:
    """Where a state of the view goes; 0: nowhere."""
    after = np.int64(static[view[FIRST_ROW] + state * view[WIDTH] + column])
    if after == 0:
        return after
    return (after if after > 0 else -after) - view[SHIFT]


@kernel
def _add_symbols(
    columns: Int32Array,
    first: Int,
    last: Int,
    before: Int,
    after: Int,
    kind: Int,
    symbols: Int32Array,
    n: Int,
) -> Int:
    """Append one symbol for each column that the bytes from ``first`` to ``last`` have; returns how many."""
    begin = n
    for byte in range(first, last + 1):
        is_new = True
        for i in range(begin, n):
            if symbols[i, 3] == columns[byte]:
                is_new = False
                break
        if is_new:
            symbols[n, 0] = before
            symbols[n, 1] = after
            symbols[n, 2] = kind
            symbols[n, 3] = columns[byte]
            n += 1
    return n


@kernel
def _symbols(columns: Int32Array, symbols: Int32Array, begin: Int64Array) -> None:
    """Write what may be read: (state of UTF-8 before, after, kind, column) into ``symbols``, in the order of
    the state before; those of state u from ``begin[u]`` on. What goes on in a character has no kind: -1. The
    backslash is left out: what is behind it is not a matter of kinds.
    """
    n = np.int64(0)
    begin[0] = 0
    byte = 0
    while byte < 0x80:
        end = byte
        while end + 1 < 0x80 and group_of(end + 1) == group_of(byte):
            end += 1
        if byte != _BACKSLASH:
            n = _add_symbols(columns, byte, end, 0, 0, group_of(byte), symbols, n)
        byte = end + 1
    for first, last, after in (
        (0xC2, 0xC2, 1),
        (0xC3, 0xDF, 1),
        (0xE0, 0xE0, 4),
        (0xE1, 0xE1, 2),
        (0xE2, 0xE2, 2),
        (0xE3, 0xE3, 2),
        (0xE4, 0xEC, 2),
        (0xED, 0xED, 5),
        (0xEE, 0xEE, 2),
        (0xEF, 0xEF, 2),
        (0xF0, 0xF0, 6),
        (0xF1, 0xF3, 3),
        (0xF4, 0xF4, 7),
    ):
        n = _add_symbols(columns, first, last, 0, after, kind_of_lead(first), symbols, n)
    for before, first, last, after in (
        (1, 0x80, 0xBF, 0),
        (2, 0x80, 0xBF, 1),
        (3, 0x80, 0xBF, 2),
        (4, 0xA0, 0xBF, 1),
        (5, 0x80, 0x9F, 1),
        (6, 0x90, 0xBF, 2),
        (7, 0x80, 0x8F, 2),
    ):
        begin[before] = n
        n = _add_symbols(columns, first, last, before, after, -1, symbols, n)
    begin[N_UTF8] = n


@kernel
def _where_in_character(static: Int32Array, view: Int64Array, columns: Int32Array, state: Int) -> Int:
    """How many bytes a state wants before a character may begin, if it is within one; a guess."""
    for wanted in range(4):
        for byte in range(0x20, 0x7F):
            if step_of(static, view, state, columns[byte]) != 0:
                return np.int64(wanted)
        middle = np.int64(0)
        for byte in (0x90, 0x80, 0xA0):
            middle = step_of(static, view, state, columns[byte])
            if middle != 0:
                break
        if middle == 0:
            return np.int64(0)
        state = middle
    return np.int64(0)


@kernel
def _suggest(sets: Bits, weights: Int64Array, n: Int, kinds: np.uint64) -> Int:
    """Count a set of kinds once more; returns how many different ones there are."""
    if kinds == 0:
        return n
    for i in range(n):
        if sets[i] == kinds:
            weights[i] += 1
            return n
    if n == sets.shape[0]:
        return n
    sets[n] = kinds
    weights[n] = 1
    return n + 1


@kernel
def _explored(
    static: Int32Array,
    view: Int64Array,
    columns: Int32Array,
    start: Int,
    number: Int32Array,
    wants: ByteArray,
    begin: Int64Array,
) -> tuple[Int, Int32Array, Bits]:
    """Number the states that ``start`` reaches, nearest first, and merge the steps between any two of them.

    Writes ``number`` int32 (states,), zeros on entry; by number ``wants``: the state of UTF-8 in which what
    follows is read. Returns how many states there are, and two arrays that have the steps of number i from
    ``begin[i]`` on: their targets, 0 where the terminal fails or may end, or nothing is known, and the kinds.
    What is promised of a state does not hang on how it is reached, so that any ``wants`` would do; a step
    into one that wants something else counts as a failure.
    """
    symbols = np.empty((_MOST_SYMBOLS, 4), np.int32)
    of_utf8 = np.zeros(N_UTF8 + 1, np.int64)
    _symbols(columns, symbols, of_utf8)
    order = np.zeros(MOST_EXPLORED + 1, np.int64)
    n_states = np.int64(1)
    order[1] = start
    number[start] = 1
    wants[1] = _where_in_character(static, view, columns, start)
    edges = np.empty(4 * _MOST_STEPS, np.int32)
    bits = np.empty(4 * _MOST_STEPS, np.uint64)
    n_edges = np.int64(0)
    i = np.int64(1)
    while i <= n_states:
        begin[i] = n_edges
        if n_edges + _MOST_STEPS > edges.shape[0]:
            edges = np.concatenate((edges, edges))
            bits = np.concatenate((bits, bits))
        utf8 = np.int64(wants[i])
        row = view[FIRST_ROW] + order[i] * view[WIDTH]
        for s in range(of_utf8[utf8], of_utf8[utf8 + 1]):
            after = np.int64(static[row + symbols[s, 3]])
            target = np.int64(0)
            if after != 0:
                after = (after if after > 0 else -after) - view[SHIFT]
                if view[FLAGS_AT] < 0 or (static[view[FLAGS_AT] + after] & ACCEPTS) == 0:
                    target = np.int64(number[after])
                    if target == 0 and n_states < MOST_EXPLORED:
                        n_states += 1
                        target = n_states
                        number[after] = target
                        order[target] = after
                        wants[target] = symbols[s, 1]
                    if target != 0 and wants[target] != symbols[s, 1]:
                        target = np.int64(0)
            e = begin[i]
            while e < n_edges and edges[e] != target:
                e += 1
            if e == n_edges:
                edges[e] = target
                bits[e] = np.uint64(0)
                n_edges += 1
            kind = symbols[s, 2]
            bits[e] |= EVERY_KIND if kind < 0 else np.uint64(1) << np.uint64(kind)
        i += 1
    begin[n_states + 1] = n_edges
    return n_states, edges, bits


@kernel
def _homes(n_states: Int, edges: Int32Array, begin: Int64Array, wants: ByteArray, home: Int64Array) -> None:
    """Write by number where a character ends, ``home`` int64 (states + 1,): the one state of that kind that a
    state within a character leads to, -1 where it may fail, 0 where there are several; itself between two.
    """
    for i in range(1, n_states + 1):
        home[i] = i if wants[i] == 0 else -2
    for _ in range(3):  # a character has no more than three bytes behind the first
        for i in range(n_states, 0, -1):
            if home[i] != -2:
                continue
            found = np.int64(-2)
            is_known = True
            for e in range(begin[i], begin[i + 1]):
                place = np.int64(-1) if edges[e] == 0 else home[edges[e]]
                if place == -2:
                    is_known = False
                elif found == -2 or place == -1:
                    found = place
                elif found != -1 and found != place:
                    found = np.int64(0)
            if is_known:
                home[i] = -1 if found == -2 else found
    for i in range(1, n_states + 1):
        home[i] = max(home[i], -1)


@kernel
def _suggested(
    n_states: Int,
    edges: Int32Array,
    bits: Bits,
    begin: Int64Array,
    wants: ByteArray,
    sets: Bits,
    weights: Int64Array,
) -> Int:
    """Write sets of kinds that may be worth a try, and how much each is; returns how many. First those of the
    state that is started from: what may be read there, and what leads back to it.
    """
    home = np.zeros(MOST_EXPLORED + 1, np.int64)
    _homes(n_states, edges, begin, wants, home)
    n = np.int64(0)
    for i in range(1, n_states + 1):
        if wants[i] != 0:
            continue
        taken = np.uint64(0)
        looped = np.uint64(0)
        refused = np.uint64(0)
        elsewhere = np.uint64(0)
        for e in range(begin[i], begin[i + 1]):
            place = np.int64(-1) if edges[e] == 0 else home[edges[e]]
            if place < 0:
                refused |= bits[e]
            else:
                taken |= bits[e]
            if place == i:
                looped |= bits[e]
            else:
                elsewhere |= bits[e]
        n = _suggest(sets, weights, n, taken & ~refused)
        n = _suggest(sets, weights, n, looped & ~elsewhere)
    for i in range(n):
        size = 0
        rest = sets[i]
        while rest != 0:
            rest &= rest - np.uint64(1)
            size += 1
        weights[i] *= size
        if i < 2:
            weights[i] += 1 << 20
    return n


@kernel
def _run_lengths(
    n_states: Int, edges: Int32Array, bits: Bits, begin: Int64Array, kinds: np.uint64, runs: ByteArray
) -> None:
    """Write by number of state how many bytes of an alphabet cannot fail into ``runs`` uint8 (states + 1,).

    Breadth-first from the failures backwards, along the edges; O(edges).
    """
    runs[:] = FOR_EVER
    into = np.zeros(n_states + 2, np.int64)  # by target
    for e in range(begin[1], begin[n_states + 1]):
        if bits[e] & kinds:
            into[edges[e] + 1] += 1
    for i in range(n_states + 1):
        into[i + 1] += into[i]
    sources = np.zeros(into[n_states + 1] + 1, np.int32)
    fill = into.copy()
    for i in range(1, n_states + 1):
        for e in range(begin[i], begin[i + 1]):
            if bits[e] & kinds:
                sources[fill[edges[e]]] = i
                fill[edges[e]] += 1
    queue = np.zeros(n_states + 1, np.int64)  # from 0 on, which is failure
    n_queued = 1
    at = 0
    while at < n_queued:
        target = queue[at]
        at += 1
        length = np.int64(0) if target == 0 else np.int64(runs[target]) + 1
        for e in range(into[target], into[target + 1]):
            source = sources[e]
            if runs[source] == FOR_EVER:
                runs[source] = length if length < FOR_EVER else FOR_EVER - 1
                queue[n_queued] = source
                n_queued += 1


@kernel
def find_runs(
    static: Int32Array,
    view: Int64Array,
    columns: Int32Array,
    start: Int,
    number: Int32Array,
    wants: ByteArray,
    alphabets: Bits,
    runs: NDArray[np.uint8],
) -> Int:
    """The runs of the states near ``start``.

    Writes ``number`` int32 (states,), zeros on entry: 0 where nothing is promised; by number, ``wants`` uint8
    (MOST_EXPLORED + 1,): the state of UTF-8 in which what follows is read; ``alphabets`` uint64
    (MOST_ALPHABETS,): sets of kinds; ``runs`` uint8 (MOST_ALPHABETS, MOST_EXPLORED + 1): how many bytes of
    an alphabet, whatever they are, neither leave the terminal nor come to where it may end; FOR_EVER: any
    number. Returns how many alphabets there are. O(states explored x kinds).
    """
    begin = np.zeros(MOST_EXPLORED + 2, np.int64)
    n_states, edges, bits = _explored(static, view, columns, start, number, wants, begin)
    sets = np.zeros(_MOST_SUGGESTED, np.uint64)
    weights = np.zeros(_MOST_SUGGESTED, np.int64)
    n_sets = _suggested(n_states, edges, bits, begin, wants, sets, weights)
    n_alphabets = 0
    while n_alphabets < min(n_sets, MOST_ALPHABETS):
        best = 0
        for i in range(1, n_sets):
            if weights[i] > weights[best]:
                best = i
        weights[best] = -1
        alphabets[n_alphabets] = sets[best]
        _run_lengths(n_states, edges, bits, begin, sets[best], runs[n_alphabets])
        n_alphabets += 1
    return np.int64(n_alphabets)


@kernel
def run_is_safe(
    below: np.uint64, alphabets: Bits, n: Int, runs: NDArray[np.uint8], number: Int, height: Int
) -> bool:
    """True when all that is below a node is of an alphabet, and no longer than its run."""
    i = 0
    while i < n and (below & KINDS & ~alphabets[i] != 0 or runs[i, number] < height):
        i += 1
    return bool(i < n)
