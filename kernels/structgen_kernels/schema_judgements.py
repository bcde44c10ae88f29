"""What is plain about one subschema of a snapshot (`schema_survey`), when all that is in it was looked at."""

from __future__ import annotations

from typing import Any

from structgen_kernels.jit import ByteArray, Int, Int32Array, Int64Array, lean_kernel
from structgen_kernels.schema_layout import (
    ALIVE,
    ARRAY_TYPE,
    BESIDE_BOUND,
    BESIDE_LISTED,
    BESIDE_OPTIONS,
    BOOLEAN,
    BOOLEAN_TYPE,
    COUNT,
    EVERY_TYPE,
    F_ADDITIONAL,
    F_ITEMS,
    F_LEFT,
    F_LISTED,
    F_MAX_ITEMS,
    F_MAX_LENGTH,
    F_MIN_ITEMS,
    F_MIN_LENGTH,
    F_OPTIONS,
    F_PROPERTIES,
    F_RECORD,
    F_REQUIRED,
    F_SEEN,
    F_TYPES,
    FILLED,
    FIRST_TYPE,
    FLAGS,
    HARMFUL,
    HARMLESS,
    HOLDER,
    INNER,
    INTEGER_TYPE,
    IS_REQUIRED,
    K_ANY_OF,
    K_CONST,
    K_ENUM,
    K_MAX_PROPERTIES,
    K_MAXIMUM,
    K_MIN_PROPERTIES,
    K_MINIMUM,
    K_TYPE,
    K_UNIQUE_ITEMS,
    LAST,
    LISTED,
    MAX_LENGTH,
    MEMBERS,
    MOST_COMPARED,
    MOST_LISTED,
    MOST_MEMBERS,
    MOST_OPTIONS,
    NAME,
    NO_PLAIN_ARRAY,
    NO_PLAIN_OBJECT,
    NOT_SCALAR,
    NULL_TYPE,
    NUMBER,
    NUMBER_OR_BOOLEAN,
    NUMBER_TYPE,
    OBJECT_TYPE,
    OF_TYPE,
    ONE_NAME,
    PATTERN,
    PENDING,
    PLAIN_ARRAY,
    PLAIN_OBJECT,
    POSITIVE,
    REFERRING,
    REFERS,
    SAYING,
    SAYS_NOTHING,
    SAYS_TYPE,
    STRING,
    STRING_TYPE,
    TAGGABLE,
    TAGGED,
    TARGET,
    WORD_SIZE,
    WORDS,
)
from structgen_kernels.snapshots import (
    ASCII,
    FALSE,
    FLOAT,
    INT,
    LIST,
    LONG,
    SHORT_ASCII,
    TEXT,
    TRUE,
    size_of,
    word,
)
from structgen_kernels.wide import eight_bytes


@lean_kernel
def place_of(first: Int, last: Int, length: Int) -> Int:
    """Where a word is looked for in the table of words."""
    return (first * 5 + last * 31 + length * 97) & (WORDS - 1)


@lean_kernel
def _are_equal(data: ByteArray, left: Int, others: ByteArray, right: Int, size: Int) -> bool:
    """Are these the same bytes? Places count all elements."""
    if size < 8:
        same = 0
        while same < size and data.flat[left + same] == others.flat[right + same]:
            same += 1
        return bool(same == size)
    for i in range(0, size - 8, 8):
        if eight_bytes(data, left + i) != eight_bytes(others, right + i):
            return False
    return bool(eight_bytes(data, left + size - 8) == eight_bytes(others, right + size - 8))


@lean_kernel
def number_of(data: ByteArray, at: Int, words: ByteArray) -> Int:
    """The number of the word that is written at a place; -1 of others."""
    if data[at] != SHORT_ASCII:
        return -1
    length = int(data[at + 1])
    if length == 0 or length > WORD_SIZE - 2:
        return -1
    slot = place_of(int(data[at + 2]), int(data[at + 1 + length]), length)
    while words[slot, 0] != 0:
        if words[slot, 0] == length:
            word_at = slot * WORD_SIZE + 2
            if length < 8 and at + 10 <= data.shape[0]:
                differing = eight_bytes(words, word_at) ^ eight_bytes(data, at + 2)
                same = differing & ((1 << 8 * length) - 1) == 0
            else:
                same = _are_equal(words, word_at, data, at + 2, length)
            if same:
                return int(words[slot, 1])
        slot = (slot + 1) & (WORDS - 1)
    return -1


@lean_kernel
def are_same(data: ByteArray, left: Int, right: Int) -> bool:
    """Are two strings the same?"""
    size = size_of(data, left)
    return size == size_of(data, right) and _are_equal(data, left, data, right, size)


@lean_kernel
def is_string(code: Int) -> Any:
    return code in (SHORT_ASCII, ASCII, TEXT)


@lean_kernel
def _is_nonzero(data: ByteArray, at: Int, size: Int) -> bool:
    total = 0
    for i in range(size):
        total += int(data[at + i])
    return total > 0


@lean_kernel
def fits(data: ByteArray, at: Int, check: Int) -> Any:
    """Is a scalar plainly what a keyword asks for?"""
    code = data[at]
    if check in (STRING, PATTERN):
        return is_string(code)
    if check == REFERS:
        return (code == SHORT_ASCII and data[at + 1] > 0 and data[at + 2] == 35) or (
            code == ASCII and data[at + 5] == 35
        )
    if check == BOOLEAN:
        return code in (TRUE, FALSE)
    if check == COUNT:
        return code == INT and data[at + 4] < 128
    if check == NUMBER_OR_BOOLEAN and (code in (TRUE, FALSE)):
        return True
    if check in (NUMBER, NUMBER_OR_BOOLEAN):
        return code in (INT, FLOAT, LONG)
    if check == POSITIVE:
        if code in (INT, LONG):
            return word(data, at + 1) > 0
        # its sign is in the last byte
        return code == FLOAT and data[at + 8] < 128 and _is_nonzero(data, at + 1, 8)
    return False


@lean_kernel
def types_at(data: ByteArray, at: Int, words: ByteArray) -> Int:
    """The types that ``type`` names, as bits; 0 where that is not plain."""
    if data[at] != LIST:
        number = number_of(data, at, words)
        return ONE_NAME | 1 << number - FIRST_TYPE if number >= FIRST_TYPE else 0
    found = 0
    n, at = word(data, at + 1), at + 5
    for _ in range(n):
        number = number_of(data, at, words)
        if number < FIRST_TYPE:
            return 0
        found |= 1 << number - FIRST_TYPE
        at += size_of(data, at)
    return found


@lean_kernel
def _is_listed(data: ByteArray, frame: Int64Array) -> bool:
    """Is ``enum`` or ``const`` plainly one of a few ASCII strings?"""
    at = frame[F_LISTED]
    n = 1
    if frame[F_SEEN] & 1 << K_ENUM:
        if frame[F_SEEN] & 1 << K_CONST:
            return False
        n, at = word(data, at + 1), at + 5
    if n == 0 or n > MOST_LISTED:
        return False
    for _ in range(n):
        if data[at] != SHORT_ASCII and data[at] != ASCII:
            return False
        at += size_of(data, at)
    return True


@lean_kernel
def _has_listed(data: ByteArray, frame: Int64Array) -> bool:
    """Is there an ASCII string in ``enum`` or ``const``?"""
    at = frame[F_LISTED]
    n = 1
    if frame[F_SEEN] & 1 << K_ENUM:
        if frame[F_SEEN] & 1 << K_CONST:
            return False
        n, at = word(data, at + 1), at + 5
    # what is behind the first one may be anything
    return n > 0 and (data[at] == SHORT_ASCII or data[at] == ASCII)


@lean_kernel
def property_of(data: ByteArray, records: Int32Array, holder: Int, name: Int) -> Int:
    """The record of the member that has the name written at ``name``; -1: there is none."""
    if holder < 0:
        return -1
    at, last = holder + 1, records[holder, LAST]
    while at <= last:
        if are_same(data, records[at, NAME], name):
            return at
        at = records[at, LAST] + 1
    return -1


@lean_kernel
def has_required(data: ByteArray, records: Int32Array, at: Int, holder: Int, additional: Int) -> bool:
    """Has the object of just the required members, whose names are written at a place, plainly a value?

    ``holder``: the record of ``properties``; ``additional``: of what others satisfy; -1 for none.
    """
    n, at = word(data, at + 1), at + 5
    if n > 0 and holder >= 0 and n * (records[holder, LAST] - holder) > MOST_COMPARED:
        return False
    for _ in range(n):
        if data[at] != SHORT_ASCII and data[at] != ASCII:
            return False
        inner = property_of(data, records, holder, at)
        if inner < 0:
            inner = additional
        if inner >= 0 and records[inner, FLAGS] == REFERRING:
            if records[inner, TARGET] < 0 or not records[records[inner, TARGET], FLAGS] & ALIVE:
                return False
        elif inner >= 0 and not records[inner, FLAGS] & ALIVE:
            return False
        at += size_of(data, at)
    return True


@lean_kernel
def _has_number(seen: Int, types: Int, limits: Int64Array) -> Any:
    """A number of any size, or with one bound."""
    numeric = 1 << NUMBER_TYPE | 1 << INTEGER_TYPE
    bounds = 1 << K_MINIMUM | 1 << K_MAXIMUM
    if types & numeric == 0 or seen & limits[BESIDE_BOUND]:
        return False
    if seen & bounds == 0:
        return True
    return seen & bounds != bounds and types & ONE_NAME != 0 and seen & limits[NOT_SCALAR] == 0


@lean_kernel
def _has_array(records: Int32Array, frame: Int64Array) -> Any:
    least = frame[F_MIN_ITEMS]
    if least < 1:
        return True
    if least > frame[F_MAX_ITEMS] >= 0 or (least > 1 and frame[F_SEEN] & 1 << K_UNIQUE_ITEMS):
        return False
    return frame[F_ITEMS] < 0 or records[frame[F_ITEMS], FLAGS] & ALIVE != 0


@lean_kernel
def _taggable(data: ByteArray, records: Int32Array, frame: Int64Array) -> Int:
    """`TAGGABLE` where all required members are named, and the first name's is among them and `LISTED`."""
    holder = frame[F_PROPERTIES]
    if holder < 0 or records[holder, LAST] == holder or not records[holder + 1, FLAGS] & LISTED:
        return 0
    first = records[holder + 1, NAME]
    if data[first] != SHORT_ASCII:
        return 0
    at = frame[F_REQUIRED]
    n, at = word(data, at + 1), at + 5
    is_required = False
    for _ in range(n):
        if property_of(data, records, holder, at) < 0:
            return 0
        is_required = is_required or are_same(data, at, first)
        at += size_of(data, at)
    return TAGGABLE if is_required else 0


@lean_kernel
def flags_of(data: ByteArray, records: Int32Array, frame: Int64Array, limits: Int64Array) -> Int:
    """What is plain about a subschema that ends."""
    seen, types = frame[F_SEEN], frame[F_TYPES]
    if types == 0:
        types = EVERY_TYPE
    if seen & 1 << K_ANY_OF and seen & limits[BESIDE_OPTIONS] == 0:
        return ALIVE if records[frame[F_OPTIONS], FLAGS] & ALIVE else 0
    if seen & limits[HARMFUL] or frame[F_LEFT] or frame[F_MAX_LENGTH] > limits[MAX_LENGTH]:
        return 0
    if frame[F_MIN_LENGTH] > limits[MAX_LENGTH]:
        return 0
    flags = HARMLESS
    has_string = types & 1 << STRING_TYPE
    if seen & (1 << K_ENUM | 1 << K_CONST):
        if seen & limits[BESIDE_LISTED] == 0 and has_string and _has_listed(data, frame):
            flags |= ALIVE
            if _is_listed(data, frame):
                flags |= LISTED
        return flags
    if types & (1 << NULL_TYPE | 1 << BOOLEAN_TYPE):
        return flags | ALIVE
    if has_string:
        most = frame[F_MAX_LENGTH]
        if frame[F_MIN_LENGTH] < 1 or (
            seen & limits[NOT_SCALAR] == 0 and not 0 <= most < frame[F_MIN_LENGTH]
        ):
            return flags | ALIVE
    if _has_number(seen, types, limits):
        return flags | ALIVE
    if types & 1 << ARRAY_TYPE and _has_array(records, frame):
        return flags | ALIVE
    if types & 1 << OBJECT_TYPE and seen & 1 << K_MIN_PROPERTIES == 0:
        if frame[F_REQUIRED] < 0:
            return flags | ALIVE
        if seen & 1 << K_MAX_PROPERTIES:
            return flags
        if not has_required(data, records, frame[F_REQUIRED], frame[F_PROPERTIES], frame[F_ADDITIONAL]):
            flags |= PENDING
        else:
            flags |= ALIVE
            if types == ONE_NAME | 1 << OBJECT_TYPE and seen & limits[NO_PLAIN_OBJECT] == 0:
                flags |= _taggable(data, records, frame)
    return flags


@lean_kernel
def plain_of(data: ByteArray, records: Int32Array, frame: Int64Array, limits: Int64Array) -> Int:
    """What a subschema that ends says no more than: `PLAIN_OBJECT` and the like, 0 where it says more. Its
    required members are marked.
    """
    said, types = frame[F_SEEN] & limits[SAYING], frame[F_TYPES]
    if said == 0:
        return SAYS_NOTHING
    if types & ONE_NAME == 0:
        return 0
    if types == ONE_NAME | 1 << ARRAY_TYPE:
        if said & limits[NO_PLAIN_ARRAY] or frame[F_LEFT] or frame[F_MIN_ITEMS] > 1:
            return 0
        records[frame[F_RECORD], INNER] = frame[F_ITEMS]
        return PLAIN_ARRAY | (FILLED if frame[F_MIN_ITEMS] == 1 else 0)
    if types != ONE_NAME | 1 << OBJECT_TYPE:
        return SAYS_TYPE | (types & EVERY_TYPE) * OF_TYPE if said == 1 << K_TYPE else 0
    if said & limits[NO_PLAIN_OBJECT]:
        return 0
    holder = frame[F_PROPERTIES]
    if holder >= 0:
        n, at = 0, holder + 1
        while at <= records[holder, LAST]:
            name = records[at, NAME]
            n += 1
            if n > MOST_MEMBERS or (data[name] != SHORT_ASCII and data[name] != ASCII):
                return 0
            at = records[at, LAST] + 1
    flags = PLAIN_OBJECT
    if frame[F_REQUIRED] >= 0:
        at = frame[F_REQUIRED]
        n, at = word(data, at + 1), at + 5
        if n > MOST_MEMBERS:
            return 0
        if n > 0:
            flags |= FILLED
        for _ in range(n):
            inner = property_of(data, records, holder, at)
            if inner < 0:
                return 0
            records[inner, IS_REQUIRED] = 1
            at += size_of(data, at)
    records[frame[F_RECORD], INNER] = frame[F_ADDITIONAL]
    return flags


@lean_kernel
def flags_of_options(data: ByteArray, records: Int32Array, holder: Int) -> Int:
    """What is plain about all options of a keyword."""
    flags = HOLDER | ALIVE | TAGGED
    at, last = holder + 1, records[holder, LAST]
    first = n = 0
    while at <= last:
        here = records[at, FLAGS]
        n += 1
        if here & (ALIVE | HARMLESS) != ALIVE | HARMLESS or n > MOST_OPTIONS:
            flags &= ~ALIVE
        if flags & TAGGED:
            if not here & TAGGABLE:
                flags &= ~TAGGED
            else:
                name = records[records[at, MEMBERS] + 1, NAME]  # of the first member
                if first == 0:
                    first = name
                elif not are_same(data, first, name):
                    flags &= ~TAGGED
        at = records[at, LAST] + 1
    return flags if flags & ALIVE else flags & ~TAGGED
