"""Can a string that is being read still become one that was not seen before, or is barred?

Else the byte before was wrong: there would be no way on. The strings that were seen are followed as a trie
beside the terminal, until something leaves them.
"""

from __future__ import annotations

import numpy as np

from structgen_kernels.jit import ByteArray, Int, Int32Array, Int64Array, lean_kernel
from structgen_kernels.layout import (
    ALIVE,
    CELL_NEW,
    CELL_OPEN,
    CELL_RAW,
    LACKS_BYTES,
    N_STATES,
    NEED_EXACT,
    NEED_SCRATCH,
    SECTIONS,
    TAG_FRESH,
    TAG_TRACKED,
    TEXT_EMPTY,
    TEXT_STARTED,
    TEXT_UNKNOWN,
)
from structgen_kernels.records import child_text, continuation, note, noted, partial_text, single_node
from structgen_kernels.seen import has_end, text_follows, texts_after
from structgen_kernels.terminals import terminal_step
from structgen_kernels.texts import (
    BACKSLASH,
    QUOTE,
    append_decoded,
    append_open,
    cell_flags,
    cell_of,
    cell_text,
    hex_value,
    is_partial,
    one_unknown_below,
    open_text,
    seen_below,
    short_escape,
)

_TEXT_BITS = 27  # as those of a pool offset
_MOST_PUSHED = 2 * (0x7B - 0x22)  # by an unfinished escape


@lean_kernel
def _after_escape(static: Int32Array, classes: ByteArray, state: Int, c: Int) -> Int:
    """The terminal state after an escape of a code point below 0x80; 0 when there is none."""
    after = np.int64(state)
    low = c & 15
    low += 0x30 if low < 10 else 0x57
    for byte in (BACKSLASH, 0x75, 0x30, 0x30, 0x30 + (c >> 4), low):
        after = terminal_step(static, classes, after, byte)
        if after == 0:
            break
    if after == 0:  # the canonical spelling has the short ones only
        letter = c
        for short in (0x62, 0x66, 0x6E, 0x72, 0x74):
            if short_escape(short) == c:
                letter = short
        after = terminal_step(static, classes, state, BACKSLASH)
        if after != 0:
            after = terminal_step(static, classes, after, letter)
    return np.int64(after)


@lean_kernel
def _after_hex(static: Int32Array, classes: ByteArray, state: Int, c: Int) -> Int:
    """The terminal state after ``u00`` and the two digits of a code point below 0x80; 0: there is none."""
    low = c & 15
    low += 0x30 if low < 10 else 0x57
    after = np.int64(state)
    for byte in (0x75, 0x30, 0x30, 0x30 + (c >> 4), low):
        after = np.int64(terminal_step(static, classes, after, byte))
        if after == 0:
            break
    return after


@lean_kernel
def _plainly_leaves(static: Int32Array, pool: Int32Array, state: Int, here: Int) -> bool:
    """True when a terminal state takes more plain bytes than may follow in the strings ``here``."""
    if here == 0 or state >= static[N_STATES]:
        return bool(here == 0)
    left = np.int64(pool[here + 1])
    alive = np.int64(static[ALIVE]) + 8 * state
    for w in range(1, 8):  # not those below a blank
        word = np.uint32(static[alive + w])
        if w < 3:
            word &= ~(np.uint32(1) << np.uint32((QUOTE if w == 1 else BACKSLASH) & 31))
        while word != 0 and left >= 0:
            word &= word - np.uint32(1)
            left -= 1
    return bool(left < 0)


@lean_kernel
def _can_leave(
    static: Int32Array,
    classes: ByteArray,
    pool: Int32Array,
    interned: Int32Array,
    scratch: Int64Array,
    state: Int,
    text: Int,
    here: Int,
    seen: Int,
    unknown: Int,
) -> Int:
    """As `can_be_new`, for a string that is ``text`` so far; ``here`` are the ``seen`` ones from there on,
    where no escape is unfinished. ``unknown``: 1 where one more was seen, which is not known.
    """
    section = scratch.shape[0] // SECTIONS
    work = 4 * section  # a stack of (terminal state and text, the seen strings from here on)
    half = section // 2
    visited = work + half  # such pairs that were looked at; also where `texts_after` works
    n_visited = 0
    is_decoded = not is_partial(pool, text)
    scratch[work] = (np.int64(state) << _TEXT_BITS) | text
    scratch[work + 1] = here
    n = 2
    free = 0
    lacks_bytes = static[LACKS_BYTES] != 0
    is_chain = True  # only one way so far: what holds of its end holds of all of it
    n_chain = 0
    while n > 0 and free <= unknown:
        n -= 2
        state = scratch[work + n] >> _TEXT_BITS
        text = scratch[work + n] & ((np.int64(1) << _TEXT_BITS) - 1)
        here = scratch[work + n + 1]
        if n + _MOST_PUSHED > half:
            return np.int64(NEED_SCRATCH)
        if is_partial(pool, text):
            place = pool[text + 2] & 15
            for byte in range(QUOTE, 0x7B):
                if place >= 2 and place not in (6, 7) and 0x41 <= byte <= 0x5A:
                    continue  # the other case of a hex digit says nothing new
                after = terminal_step(static, classes, state, byte)
                if (  # no other text than that of the longer escape
                    place == 1
                    and byte != 0x75
                    and after != 0
                    and _after_hex(static, classes, state, short_escape(byte)) != 0
                ):
                    after = np.int64(0)
                if after != 0:
                    longer = append_decoded(pool, interned, text, byte)
                    if longer < 0:
                        return longer
                    if not is_partial(pool, longer):
                        here = texts_after(pool, scratch, seen, longer)
                        if here < 0:
                            return here
                    scratch[work + n] = (after << _TEXT_BITS) | longer
                    scratch[work + n + 1] = here
                    n += 2
            continue
        if text == TEXT_EMPTY:
            after = terminal_step(static, classes, state, QUOTE)
            scratch[work + n] = (after << _TEXT_BITS) | TEXT_STARTED
            scratch[work + n + 1] = here
            n += 2
            continue
        if unknown == 0:
            answer = np.int64(1) if here == 0 else noted(pool, interned, np.int64(TAG_FRESH), state, here)
            if answer == 0:
                continue
            if answer == 1:
                free = 1
                break
            is_chain = is_chain and n == 0
            if is_decoded and 2 * n_visited + 2 < half:
                scratch[visited + 2 * n_visited] = state
                scratch[visited + 2 * n_visited + 1] = here
                n_visited += 1
                n_chain = n_visited if is_chain else n_chain
        if terminal_step(static, classes, state, QUOTE) != 0 and not has_end(pool, here):
            free += 1
        escaped = np.int64(0)
        if lacks_bytes:
            escaped = np.int64(terminal_step(static, classes, state, BACKSLASH))
        if escaped != 0:
            longer = partial_text(pool, interned, text, 1)
            if longer < 0:
                return longer
            scratch[work + n] = (escaped << _TEXT_BITS) | longer
            scratch[work + n + 1] = 0
            n += 2
            is_decoded = False  # `texts_after` is about to work where they are
            n_visited = 0
            n_chain = 0
        following = here + 2  # its next byte that is not behind us
        last = here + 2 + 2 * pool[here + 1] if here > 0 else following
        for byte in range(256):
            if byte in (QUOTE, BACKSLASH) or byte < 0x20:
                after = _after_escape(static, classes, state, byte)
            else:
                after = terminal_step(static, classes, state, byte)
            while following < last and pool[following] < byte:
                following += 2
            if after == 0:
                continue
            if following == last or pool[following] != byte:
                free += 1
                if free > unknown:
                    break
                continue
            if n + 2 > half:
                return np.int64(NEED_SCRATCH)
            longer = np.int64(TEXT_STARTED)  # of the text it counts no more than that it is decoded
            if lacks_bytes:
                longer = child_text(pool, interned, text, byte)
                if longer < 0:
                    return longer
            scratch[work + n] = (after << _TEXT_BITS) | longer
            scratch[work + n + 1] = pool[following + 1]
            n += 2
    answer = np.int64(free > unknown)
    for i in range(n_chain if answer == 1 else n_visited):
        state, here = scratch[visited + 2 * i], scratch[visited + 2 * i + 1]
        status = note(pool, interned, np.int64(TAG_FRESH), state, here, answer)
        if status < 0:
            return status
    # where one unknown string was seen, a single way out might be that one, in one spelling or another
    if unknown == 1 and free > 0 and (free == 1 or lacks_bytes):
        return np.int64(NEED_EXACT)
    return answer


@lean_kernel
def _first_byte(c: Int) -> Int:
    """The first byte in UTF-8 of a code point below 0x10000; the least one above for half a pair."""
    if c < 0x80:
        return np.int64(c)
    if c < 0x800:
        return np.int64(0xC0 | (c >> 6))
    return np.int64(0xF0 if 0xD800 <= c < 0xE000 else 0xE0 | (c >> 12))


@lean_kernel
def _leaves_by_escape(
    static: Int32Array,
    classes: ByteArray,
    pool: Int32Array,
    scratch: Int64Array,
    state: Int,
    text: Int,
    seen: Int,
) -> bool:
    """True when the unfinished escape can easily be finished as in none of the ``seen`` strings."""
    here = texts_after(pool, scratch, seen, np.int64(pool[text + 1]))
    if here < 0:
        return False
    code = np.int64(pool[text + 2])
    place = code & 15
    if place == 1:
        for letter in (0x62, 0x66, 0x6E, 0x72, 0x74, 0x2F):
            if terminal_step(static, classes, state, letter) != 0 and (
                here == 0 or text_follows(pool, here, short_escape(letter)) == 0
            ):
                return True
        return False
    if place > 5:
        return False
    c = (code >> 4) << (4 * (6 - place))  # the digits that are missing are zeros
    if 0xD800 <= c < 0xE000 or (here != 0 and text_follows(pool, here, _first_byte(c)) != 0):
        return False
    for _ in range(6 - place):
        state = terminal_step(static, classes, state, 0x30)
        if state == 0:
            return False
    return True


@lean_kernel
def can_be_new(
    static: Int32Array,
    classes: ByteArray,
    pool: Int32Array,
    interned: Int32Array,
    scratch: Int64Array,
    state: Int,
    node: Int,
) -> Int:
    """1 when the string being read in ``node``'s cell can still become one that was not seen; 0; a status.

    ``state``: of the string's terminal, inside the string. A string that begins like none that was seen can
    be finished in any way; otherwise the seen ones are followed, and what leaves them is looked for. The
    language does not depend on the spelling, so one spelling of each code point is enough, where the
    vocabulary has bytes for all of them; else escapes are followed, too.
    """
    seen = seen_below(pool, node)
    text = open_text(pool, node)
    here = np.int64(0)
    if not is_partial(pool, text):
        here = texts_after(pool, scratch, seen, text)
        if here < 0:
            return here
    unknown = one_unknown_below(pool, node)
    if unknown == 0:
        if is_partial(pool, text):
            if _leaves_by_escape(static, classes, pool, scratch, state, text, seen):
                return np.int64(1)
        elif text != TEXT_EMPTY and _plainly_leaves(static, pool, state, here):
            return np.int64(1)
    return _can_leave(static, classes, pool, interned, scratch, state, text, here, seen, unknown)


@lean_kernel
def can_leave(
    static: Int32Array,
    classes: ByteArray,
    pool: Int32Array,
    interned: Int32Array,
    scratch: Int64Array,
    state: Int,
    here: Int,
) -> Int:
    """1 when a string can still become one that was not seen; 0; or a status. ``here``: the seen strings that
    begin like it, from there on. Only where the vocabulary has all bytes.
    """
    if _plainly_leaves(static, pool, state, here):
        return np.int64(1)
    text, none = np.int64(TEXT_STARTED), np.int64(0)  # of the text it counts no more than that it is decoded
    return _can_leave(static, classes, pool, interned, scratch, state, text, here, none, none)


@lean_kernel
def _forgotten(pool: Int32Array, interned: Int32Array, scratch: Int64Array, node: Int, byte: Int) -> Int:
    """The tracked ``node`` after one more byte of a key, with an unknown text in its cell: all keys are alike
    where no seen string goes on like them. 0 where it has to be known, or a status.
    """
    cell = np.int64(pool[node + 2])
    below = np.int64(pool[node + 3])
    flags = cell_flags(cell) if cell < 0 else np.int64(0)
    if flags & (CELL_OPEN | CELL_RAW) != CELL_OPEN or pool[below] == TAG_TRACKED:
        return np.int64(0)
    text = cell_text(cell)
    if flags & CELL_NEW and text == TEXT_UNKNOWN:
        return np.int64(node)
    if text in (TEXT_EMPTY, TEXT_UNKNOWN) or is_partial(pool, text) or byte in (QUOTE, BACKSLASH):
        return np.int64(0)
    if flags & CELL_NEW == 0:
        if one_unknown_below(pool, node) != 0:
            return np.int64(0)
        alike = texts_after(pool, scratch, seen_below(pool, node), text)
        if alike < 0:
            return alike
        if alike != 0 and text_follows(pool, alike, byte) != 0:
            return np.int64(0)
    return single_node(pool, interned, cell_of(TEXT_UNKNOWN, CELL_OPEN | CELL_NEW), below)


@lean_kernel
def tracked_step(
    static: Int32Array,
    classes: ByteArray,
    pool: Int32Array,
    interned: Int32Array,
    scratch: Int64Array,
    k: Int,
    byte: Int,
    after: Int,
    ends: Int,
    forgets: Int,
) -> Int:
    """Continuation ``k``, whose node is tracked, after one more byte; 0 when only seen strings are left.

    ``after``: the terminal's state after the byte. ``ends``: nonzero when the terminal ends with it.
    ``forgets``: nonzero where a key that is none of the seen ones need not be known (`_forgotten`).
    """
    if forgets != 0:
        node = _forgotten(pool, interned, scratch, np.int64(pool[k + 2]), byte)
        if node < 0:
            return node
        if node > 0:
            return continuation(pool, interned, np.int64(pool[k + 1]), node)
    node = append_open(pool, interned, scratch, np.int64(pool[k + 2]), byte)
    if node < 0:
        return node
    cell = np.int64(pool[node + 2])
    text = cell_text(cell)
    if cell < 0 and cell_flags(cell) == CELL_OPEN and ends == 0 and text != TEXT_UNKNOWN:
        is_new = False  # begins no seen string like this one?
        if not is_partial(pool, text) and one_unknown_below(pool, node) == 0:
            alike = texts_after(pool, scratch, seen_below(pool, node), text)
            if alike < 0:
                return alike
            is_new = alike == 0
        if is_new:
            node = single_node(pool, interned, cell_of(text, CELL_OPEN | CELL_NEW), np.int64(pool[node + 3]))
            if node < 0:
                return node
        else:
            alive = can_be_new(static, classes, pool, interned, scratch, after, node)
            if alive <= 0:
                return alive
    return continuation(pool, interned, np.int64(pool[k + 1]), node)


@lean_kernel
def may_be_seen(pool: Int32Array, node: Int, alike: Int, byte: Int) -> bool:
    """May the string go on with ``byte`` and be one of ``alike``, which `seen_alike` gave? False only where
    it may not.
    """
    text = open_text(pool, node)
    if not is_partial(pool, text):
        return bool(byte in (QUOTE, BACKSLASH) or (alike != 0 and text_follows(pool, alike, byte) != 0))
    code = np.int64(pool[text + 2])
    place = code & 15
    if place >= 6:
        return True
    if place == 1:
        return bool(byte == 0x75 or (alike != 0 and text_follows(pool, alike, short_escape(byte)) != 0))
    left = 4 * (5 - place)  # bits of the digits after this one
    least = (((code >> 4) << 4) | hex_value(byte)) << left
    greatest = least + (np.int64(1) << left) - 1
    low = _first_byte(least)
    high = _first_byte(greatest) if greatest < 0xD800 else np.int64(0xF4)
    for i in range(pool[alike + 1] if alike != 0 else 0):  # noqa: SIM110 (numba compiles no generators)
        if low <= pool[alike + 2 + 2 * i] <= high:
            return True
    return False
