"""Snapshots of Python values that are JSON: `marshal`'s bytes with nothing shared in them.

`marshal` writes what stands in several places once, and which strings that are depends on how the value came
about. Written out, equal values are equal bytes, and each part of them can be read alone.
"""

from __future__ import annotations

from structgen_kernels.jit import ByteArray, Int, Int32Array, lean_kernel
from structgen_kernels.wide import WIDTH, copy_wide

# What a value begins with (CPython, Python/marshal.c).
NONE, TRUE, FALSE = 78, 84, 70  # N T F
INT, LONG, FLOAT = 105, 108, 103  # i l g
SHORT_ASCII, ASCII, TEXT = 122, 97, 117  # z a u
SHORT_ASCII_INTERNED, ASCII_INTERNED, TEXT_INTERNED = 90, 65, 116  # Z A t
LIST, TUPLE, SMALL_TUPLE, DICT = 91, 40, 41, 123  # [ ( ) {
END = 48  # 0: of a dict
SHARED = 114  # r: what stands somewhere before
_NOTED = 0x80  # it may be meant by such a one

TOO_LARGE = -2
"""More room would be needed."""
OTHER = -1
"""It is not plainly JSON."""
_MOST_DIGITS = 800  # of 15 bits: what Python writes as text, and some less
# What is expected next in a container: a count of items, or one of these.
_KEY, _VALUE = -1, -2


@lean_kernel
def word(data: ByteArray, at: Int) -> Int:
    """Four bytes as a signed number."""
    low = int(data[at]) | int(data[at + 1]) << 8 | int(data[at + 2]) << 16
    high = int(data[at + 3])
    if high >= 128:
        high -= 256
    return low + high * 16777216


@lean_kernel
def size_of(data: ByteArray, at: Int) -> Int:
    """How many bytes the scalar at a place takes; 0 for a list, a dict or the end of one."""
    code = data[at]
    if code == SHORT_ASCII:
        return 2 + int(data[at + 1])
    if code in (NONE, TRUE, FALSE):
        return 1
    if code == INT:
        return 5
    if code == FLOAT:
        return 9
    if code in (ASCII, TEXT):
        return 5 + word(data, at + 1)
    if code == LONG:
        return 5 + 2 * abs(word(data, at + 1))
    return 0


@lean_kernel
def _copy(source: ByteArray, begin: Int, length: Int, out: ByteArray, to: Int) -> None:
    """Copy some bytes, and write up to `WIDTH` behind them, for which there must be room."""
    if begin + length + WIDTH > source.shape[0]:
        for i in range(length):
            out[to + i] = source[begin + i]
        return
    done = 0
    while done < length:
        copy_wide(source, begin + done, out, to + done)
        done += WIDTH


@lean_kernel
def write_out(source: ByteArray, out: ByteArray, noted: Int32Array, stack: Int32Array) -> Int:
    """Write a value that `marshal` (version 4) wrote with nothing shared in it. Returns the number of bytes.

    source uint8 (n,); out uint8: is written; noted int32 (m, 2), stack int32 (d, 2): scratch, d limits the
    depth. Tuples become lists. `OTHER` where something is no JSON that can be written, or holds itself,
    `TOO_LARGE` where there is not room enough.
    """
    at = to = depth = n_noted = 0
    while True:
        code = int(source[at])
        at += 1
        expects_key = depth > 0 and stack[depth - 1, 0] == _KEY
        mine = -1
        if code >= _NOTED:
            code -= _NOTED
            if n_noted == noted.shape[0]:
                return TOO_LARGE
            mine = n_noted
            noted[mine, 0] = to
            noted[mine, 1] = -1
            n_noted += 1
        if to + 16 > out.shape[0]:
            return TOO_LARGE
        begin, length = at, 0  # of what is copied
        opened = 0
        is_end = False
        if code in (SHORT_ASCII, SHORT_ASCII_INTERNED):
            out[to] = SHORT_ASCII
            length = 1 + int(source[at])
            to += 1
        elif code == SHARED:
            which = word(source, at)
            at += 4
            begin = noted[which, 0]
            length = noted[which, 1] - begin
            if length < 0:
                return OTHER
            if expects_key and out[begin] != SHORT_ASCII and out[begin] != ASCII and out[begin] != TEXT:
                return OTHER
            if to + length + 16 + WIDTH > out.shape[0]:
                return TOO_LARGE
            _copy(out, begin, length, out, to)
            to += length
            length = 0
        elif code in (ASCII, ASCII_INTERNED):
            out[to] = ASCII
            length = 4 + word(source, at)
            to += 1
        elif code in (TEXT, TEXT_INTERNED):
            out[to] = TEXT
            length = 4 + word(source, at)
            to += 1
        elif expects_key:
            if code != END:
                return OTHER
            out[to] = END
            to += 1
            is_end = True
        elif code == INT:
            out[to] = INT
            to += 1
            length = 4
        elif code in (TRUE, FALSE, NONE):
            out[to] = code
            to += 1
        elif code == DICT:
            out[to] = DICT
            to += 1
            opened = _KEY
        elif code in (LIST, TUPLE, SMALL_TUPLE):
            if code == SMALL_TUPLE:
                opened = int(source[at])
                at += 1
            else:
                opened = word(source, at)
                at += 4
            out[to] = LIST
            for i in range(4):
                out[to + 1 + i] = opened >> 8 * i & 255
            to += 5
        elif code == FLOAT:
            if source[at + 7] & 127 == 127 and source[at + 6] >= 240:
                return OTHER  # infinite, or not a number
            out[to] = FLOAT
            to += 1
            length = 8
        elif code == LONG:
            size = abs(word(source, at))
            if size > _MOST_DIGITS:
                return OTHER
            out[to] = LONG
            to += 1
            length = 4 + 2 * size
        else:
            return OTHER
        if length > 0:
            if to + length + WIDTH > out.shape[0]:
                return TOO_LARGE
            _copy(source, begin, length, out, to)
            at += length
            to += length
        if opened != 0:
            if depth == stack.shape[0]:
                return TOO_LARGE
            stack[depth, 0] = opened
            stack[depth, 1] = mine
            depth += 1
            continue
        if is_end:
            depth -= 1
            mine = stack[depth, 1]
        while True:  # a value has ended
            if mine >= 0:
                noted[mine, 1] = to
            if depth == 0:
                return to
            left = stack[depth - 1, 0]
            if left < 0:
                stack[depth - 1, 0] = _VALUE if left == _KEY else _KEY
                break
            stack[depth - 1, 0] = left - 1
            if left > 1:
                break
            depth -= 1
            mine = stack[depth, 1]


@lean_kernel
def pass_over(data: ByteArray, at: Int, stack: Int32Array, found: Int32Array) -> Int:
    """Where the value at a place of a snapshot ends.

    stack int32 (d,): scratch; found int32 (3,): how many values it is, itself and those in it, how deep they
    are in one another, and how many keys there are, are written. `TOO_LARGE` where it is too deep.
    """
    n_values = n_keys = depth = deepest = 0
    while True:
        if depth > 0 and stack[depth - 1] == _KEY:
            if data[at] != END:
                at += size_of(data, at)
                stack[depth - 1] = _VALUE
                n_keys += 1
            else:
                at += 1
                depth -= 1
                if depth == 0:
                    break
                stack[depth - 1] = _KEY if stack[depth - 1] == _VALUE else stack[depth - 1]
                continue
        elif depth > 0 and stack[depth - 1] == 0:
            depth -= 1
            if depth == 0:
                break
            stack[depth - 1] = _KEY if stack[depth - 1] == _VALUE else stack[depth - 1]
            continue
        if depth > 0 and stack[depth - 1] > 0:
            stack[depth - 1] -= 1
        n_values += 1
        size = size_of(data, at)
        if size > 0:
            at += size
            if depth == 0:
                break
            if stack[depth - 1] == _VALUE:
                stack[depth - 1] = _KEY
            deepest = max(deepest, depth)
            continue
        deepest = max(deepest, depth)
        if depth == stack.shape[0]:
            return TOO_LARGE
        if data[at] == DICT:
            stack[depth] = _KEY
            at += 1
        else:
            stack[depth] = word(data, at + 1)
            at += 5
        depth += 1
    found[0] = n_values
    found[1] = deepest
    found[2] = n_keys
    return at


@lean_kernel
def count_colons(text: ByteArray) -> Int:
    """How many keys there are in the objects of a JSON text: the colons outside its strings."""
    n = at = 0
    while at < text.shape[0]:
        byte = text[at]
        if byte == 34:  # a string
            at += 1
            while text[at] != 34:
                at += 2 if text[at] == 92 else 1
        elif byte == 58:
            n += 1
        at += 1
    return n
