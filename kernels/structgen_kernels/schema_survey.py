"""Looks at a whole JSON Schema at once, in a snapshot of it (`snapshots`): is it plainly one, where are its
subschemas, and which of them plainly have a value?

What it does not know plainly it refuses to judge: who asks then looks closely, subschema by subschema.
"""

from __future__ import annotations

from typing import Any

from structgen_kernels.jit import ByteArray, Int, Int32Array, Int64Array, lean_kernel
from structgen_kernels.snapshots import (
    ASCII,
    DICT,
    END,
    FALSE,
    FLOAT,
    INT,
    LIST,
    LONG,
    SHORT_ASCII,
    TEXT,
    TOO_LARGE,
    TRUE,
    pass_over,
    size_of,
    word,
)

UNCLEAR = -1

# Columns of a record: of a subschema, or of the object or array that a keyword has its subschemas in.
RECORD_SIZE = 7
BEGIN, LIMIT = 0, 1  # its bytes
LAST = 2  # the last record of what is in it: the next one is beside it, or behind what it is in
PARENT = 3
NAME = 4  # where the keyword or name is written that it stands under; -1 - i of an item
FLAGS = 5
MEMBERS = 6  # of a subschema: the record of its ``properties``; -1: it has none

ALIVE = 1  # a subschema: it plainly has a value; a container: all in it plainly have, and are harmless
HARMLESS = 2  # to work its form out later raises no error
LISTED = 4  # it is one of a few plain strings, and no more is asked
TAGGABLE = 8  # a plain object whose first member must be there and is `LISTED`
TAGGED = 16  # of a container: all options are `TAGGABLE`, by the same member
HOLDER = 32  # it is no subschema

# Notes: what is to be looked at before a schema is compiled.
NOTE_SIZE = 5  # kind, record of the subschema, region, base, and where the value is written
REFERENCE, PATTERNED, REGION = 0, 1, 2

# What a keyword's value must be.
(UNKNOWN, ANY, STRING, TYPES, LISTED_VALUES, ONE_VALUE, NUMBER, POSITIVE, COUNT, BOOLEAN, NUMBER_OR_BOOLEAN,
 STRINGS, REFERS, PATTERN, OF_ROOT, STRANGE) = range(16)  # fmt: skip
# Where its subschemas are.
(NOWHERE, HERE, ITEMS, VALUES, HERE_OR_ITEMS) = range(5)
RULE_SIZE = 4  # check, where, is it applied in place, does it hold what is referred to

# Numbers of the keywords whose values are looked at.
(K_TYPE, K_ENUM, K_CONST, K_REQUIRED, K_PROPERTIES, K_ADDITIONAL, K_ITEMS, K_MIN_LENGTH, K_MAX_LENGTH,
 K_MIN_ITEMS, K_MAX_ITEMS, K_MINIMUM, K_MAXIMUM, K_PATTERN_PROPERTIES, K_IF, K_THEN, K_ELSE, K_ANY_OF,
 K_ONE_OF, K_REF, K_MIN_PROPERTIES, K_MAX_PROPERTIES, K_UNIQUE_ITEMS,
 K_DIALECT, FIRST_FREE) = range(25)  # fmt: skip
FIRST_TYPE = 64  # numbers of the types' names, in the table of words
NULL_TYPE, BOOLEAN_TYPE, NUMBER_TYPE, STRING_TYPE, ARRAY_TYPE, OBJECT_TYPE, INTEGER_TYPE = range(7)
_EVERY_TYPE = 127
_ONE_NAME = 128  # beside the types: they are one name, no array

# Words of ``limits``.
MAX_DEPTH, MAX_SUBSCHEMAS, MAX_VALUES, REF_STANDS_ALONE, MAX_LENGTH = range(5)
N_SUBSCHEMAS, N_VALUES, N_NOTES = 5, 6, 7  # are written
# Sets of keywords, bit by bit (`plain_values`, `plain_containers`).
HARMFUL, BESIDE_LISTED, BESIDE_OPTIONS, BESIDE_BOUND, NOT_SCALAR, NO_PLAIN_OBJECT = 8, 9, 10, 11, 12, 13
DIALECT = 14  # where the root's $schema is written, 0 for nowhere; is written
LIMITS_SIZE = 15

WORD_SIZE = 32  # of the table of words: length, number, letters
WORDS = 512

# Columns of a frame.
FRAME_SIZE = 19
(_KIND, _RECORD, _REGION, _BASE, _DEPTH, _SEEN, _TYPES, _REQUIRED, _PROPERTIES, _ADDITIONAL, _ITEMS,
 _LISTED, _MIN_LENGTH, _MAX_LENGTH, _MIN_ITEMS, _MAX_ITEMS, _LEFT, _NUMBER, _OPTIONS) = range(19)  # fmt: skip
_SCHEMA, _MAP, _LIST = 0, 1, 2
_NEW_BASE = -(1 << 40)
_MOST_COMPARED = 1 << 16  # names with names
_MOST_LISTED = 8
_MOST_OPTIONS = 256


@lean_kernel
def place_of(first: Int, last: Int, length: Int) -> Int:
    """Where a word is looked for in the table of words."""
    return (first * 5 + last * 31 + length * 97) & (WORDS - 1)


@lean_kernel
def _number_of(data: ByteArray, at: Int, words: ByteArray) -> Int:
    """The number of the word that is written at a place; -1 of others."""
    if data[at] != SHORT_ASCII:
        return -1
    length = int(data[at + 1])
    if length == 0 or length > WORD_SIZE - 2:
        return -1
    slot = place_of(int(data[at + 2]), int(data[at + 1 + length]), length)
    while words[slot, 0] != 0:
        if words[slot, 0] == length:
            same = True
            for i in range(length):
                if words[slot, 2 + i] != data[at + 2 + i]:
                    same = False
                    break
            if same:
                return int(words[slot, 1])
        slot = (slot + 1) & (WORDS - 1)
    return -1


@lean_kernel
def _are_same(data: ByteArray, left: Int, right: Int) -> bool:
    """Are two strings the same?"""
    size = size_of(data, left)
    if size != size_of(data, right):
        return False
    same = 0
    while same < size and data[left + same] == data[right + same]:
        same += 1
    return bool(same == size)


@lean_kernel
def _is_string(code: Int) -> Any:
    return code in (SHORT_ASCII, ASCII, TEXT)


@lean_kernel
def _fits(data: ByteArray, at: Int, check: Int) -> Any:
    """Is a scalar plainly what a keyword asks for?"""
    code = data[at]
    if check in (STRING, PATTERN):
        return _is_string(code)
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
def _is_nonzero(data: ByteArray, at: Int, size: Int) -> bool:
    total = 0
    for i in range(size):
        total += int(data[at + i])
    return total > 0


@lean_kernel
def _types_at(data: ByteArray, at: Int, words: ByteArray) -> Int:
    """The types that ``type`` names, as bits; 0 where that is not plain."""
    if data[at] != LIST:
        number = _number_of(data, at, words)
        return _ONE_NAME | 1 << number - FIRST_TYPE if number >= FIRST_TYPE else 0
    found = 0
    n, at = word(data, at + 1), at + 5
    for _ in range(n):
        number = _number_of(data, at, words)
        if number < FIRST_TYPE:
            return 0
        found |= 1 << number - FIRST_TYPE
        at += size_of(data, at)
    return found


@lean_kernel
def _is_listed(data: ByteArray, frame: Int64Array) -> bool:
    """Is ``enum`` or ``const`` plainly one of a few ASCII strings?"""
    at = frame[_LISTED]
    n = 1
    if frame[_SEEN] & 1 << K_ENUM:
        if frame[_SEEN] & 1 << K_CONST:
            return False
        n, at = word(data, at + 1), at + 5
    if n == 0 or n > _MOST_LISTED:
        return False
    for _ in range(n):
        if data[at] != SHORT_ASCII and data[at] != ASCII:
            return False
        at += size_of(data, at)
    return True


@lean_kernel
def _has_listed(data: ByteArray, frame: Int64Array) -> bool:
    """Is there an ASCII string in ``enum`` or ``const``?"""
    at = frame[_LISTED]
    n = 1
    if frame[_SEEN] & 1 << K_ENUM:
        if frame[_SEEN] & 1 << K_CONST:
            return False
        n, at = word(data, at + 1), at + 5
    # what is behind the first one may be anything
    return n > 0 and (data[at] == SHORT_ASCII or data[at] == ASCII)


@lean_kernel
def _property(data: ByteArray, records: Int32Array, holder: Int, name: Int) -> Int:
    """The record of the member that has the name written at ``name``; -1: there is none."""
    if holder < 0:
        return -1
    at, last = holder + 1, records[holder, LAST]
    while at <= last:
        if _are_same(data, records[at, NAME], name):
            return at
        at = records[at, LAST] + 1
    return -1


@lean_kernel
def _has_required(data: ByteArray, records: Int32Array, frame: Int64Array) -> bool:
    """Has the object of just the required members plainly a value?"""
    at = frame[_REQUIRED]
    n, at = word(data, at + 1), at + 5
    holder = frame[_PROPERTIES]
    if n > 0 and holder >= 0 and n * (records[holder, LAST] - holder) > _MOST_COMPARED:
        return False
    for _ in range(n):
        if data[at] != SHORT_ASCII and data[at] != ASCII:
            return False
        inner = _property(data, records, holder, at)
        if inner < 0:
            inner = frame[_ADDITIONAL]
        if inner >= 0 and not records[inner, FLAGS] & ALIVE:
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
    return seen & bounds != bounds and types & _ONE_NAME != 0 and seen & limits[NOT_SCALAR] == 0


@lean_kernel
def _has_array(records: Int32Array, frame: Int64Array) -> Any:
    least = frame[_MIN_ITEMS]
    if least < 1:
        return True
    if least > frame[_MAX_ITEMS] >= 0 or (least > 1 and frame[_SEEN] & 1 << K_UNIQUE_ITEMS):
        return False
    return frame[_ITEMS] < 0 or records[frame[_ITEMS], FLAGS] & ALIVE != 0


@lean_kernel
def _flags_of(data: ByteArray, records: Int32Array, frame: Int64Array, limits: Int64Array) -> Int:
    """What is plain about a subschema that ends."""
    seen, types = frame[_SEEN], frame[_TYPES]
    if types == 0:
        types = _EVERY_TYPE
    if seen & 1 << K_ANY_OF and seen & limits[BESIDE_OPTIONS] == 0:
        return ALIVE if records[frame[_OPTIONS], FLAGS] & ALIVE else 0
    if seen & limits[HARMFUL] or frame[_LEFT] or frame[_MAX_LENGTH] > limits[MAX_LENGTH]:
        return 0
    if frame[_MIN_LENGTH] > limits[MAX_LENGTH]:
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
        most = frame[_MAX_LENGTH]
        if frame[_MIN_LENGTH] < 1 or (seen & limits[NOT_SCALAR] == 0 and not 0 <= most < frame[_MIN_LENGTH]):
            return flags | ALIVE
    if _has_number(seen, types, limits):
        return flags | ALIVE
    if types & 1 << ARRAY_TYPE and _has_array(records, frame):
        return flags | ALIVE
    if types & 1 << OBJECT_TYPE and seen & 1 << K_MIN_PROPERTIES == 0:
        if frame[_REQUIRED] < 0:
            return flags | ALIVE
        if seen & 1 << K_MAX_PROPERTIES == 0 and _has_required(data, records, frame):
            flags |= ALIVE
            if types == _ONE_NAME | 1 << OBJECT_TYPE and seen & limits[NO_PLAIN_OBJECT] == 0:
                flags |= _taggable(data, records, frame)
    return flags


@lean_kernel
def _taggable(data: ByteArray, records: Int32Array, frame: Int64Array) -> Int:
    """`TAGGABLE` where all required members are named, and the first name's is among them and `LISTED`."""
    holder = frame[_PROPERTIES]
    if holder < 0 or records[holder, LAST] == holder or not records[holder + 1, FLAGS] & LISTED:
        return 0
    first = records[holder + 1, NAME]
    if data[first] != SHORT_ASCII:
        return 0
    at = frame[_REQUIRED]
    n, at = word(data, at + 1), at + 5
    is_required = False
    for _ in range(n):
        if _property(data, records, holder, at) < 0:
            return 0
        is_required = is_required or _are_same(data, at, first)
        at += size_of(data, at)
    return TAGGABLE if is_required else 0


@lean_kernel
def _flags_of_options(data: ByteArray, records: Int32Array, holder: Int) -> Int:
    """What is plain about all options of a keyword."""
    flags = HOLDER | ALIVE | TAGGED
    at, last = holder + 1, records[holder, LAST]
    first = n = 0
    while at <= last:
        here = records[at, FLAGS]
        n += 1
        if here & (ALIVE | HARMLESS) != ALIVE | HARMLESS or n > _MOST_OPTIONS:
            flags &= ~ALIVE
        if flags & TAGGED:
            if not here & TAGGABLE:
                flags &= ~TAGGED
            else:
                name = records[records[at, MEMBERS] + 1, NAME]  # of the first member
                if first == 0:
                    first = name
                elif not _are_same(data, first, name):
                    flags &= ~TAGGED
        at = records[at, LAST] + 1
    return flags if flags & ALIVE else flags & ~TAGGED


@lean_kernel
def survey(
    data: ByteArray,
    words: ByteArray,
    rules: Int32Array,
    records: Int32Array,
    notes: Int32Array,
    frames: Int64Array,
    stack: Int32Array,
    limits: Int64Array,
) -> Int:
    """Check a schema and find its subschemas. Returns the number of records.

    data uint8 (n,): a snapshot; words uint8 (`WORDS`, `WORD_SIZE`): keywords and types with their numbers;
    rules int32 (64, `RULE_SIZE`): what the dialect says of each keyword; records int32 (m, `RECORD_SIZE`) and
    notes int32 (k, `NOTE_SIZE`): are written, subschemas before what is in them; frames int64 (d,
    `FRAME_SIZE`), stack int32 (e,): scratch; limits int64 (`LIMITS_SIZE`,): limits, results, keyword sets.

    `UNCLEAR` where something is no plain schema, or one that a look at single subschemas understands, or
    a limit is met; `TOO_LARGE` where there are more records or notes than there is room for.
    """
    found = stack[:2]
    scratch = stack[2:]
    n = n_notes = n_subschemas = n_values = n_regions = 0
    limits[DIALECT] = 0
    top = -1
    at = 0
    name = region = base = 0
    depth = 1
    parent = -1
    begins = True  # a subschema begins at ``at``
    while True:
        if begins:
            begins = False
            n_subschemas += 1
            if depth > limits[MAX_DEPTH] or n_subschemas > limits[MAX_SUBSCHEMAS]:
                return UNCLEAR
            if n == records.shape[0]:
                return TOO_LARGE
            records[n, BEGIN] = at
            records[n, PARENT] = parent
            records[n, NAME] = name
            records[n, MEMBERS] = -1
            code = data[at]
            if code in (TRUE, FALSE):
                at += 1
                records[n, LIMIT] = at
                records[n, LAST] = n
                records[n, FLAGS] = ALIVE | HARMLESS if code == TRUE else 0
                n += 1
            elif code == DICT:
                at += 1
                top += 1
                if top == frames.shape[0]:
                    return UNCLEAR
                for i in range(FRAME_SIZE):
                    frames[top, i] = -1
                frames[top, _KIND] = _SCHEMA
                frames[top, _RECORD] = n
                frames[top, _REGION] = region
                frames[top, _BASE] = base if base != _NEW_BASE else n_subschemas
                frames[top, _DEPTH] = depth
                frames[top, _SEEN] = frames[top, _TYPES] = frames[top, _LEFT] = 0
                n += 1
            else:
                return UNCLEAR
            if top < 0:
                break
            continue
        kind = frames[top, _KIND]
        if kind == _LIST:
            if frames[top, _LEFT] > 0:
                name = frames[top, _LEFT] - frames[top, _NUMBER] - 1
                frames[top, _LEFT] -= 1
                begins = True
        elif data[at] == END:
            at += 1
        elif kind == _MAP:
            name = at
            at += size_of(data, at)
            begins = True
            if frames[top, _NUMBER] >= 0:  # each is a region of its own
                n_regions += 1
                frames[top, _REGION] = n_regions
                frames[top, _BASE] = -n_regions
                if n_notes == notes.shape[0]:
                    return TOO_LARGE
                notes[n_notes, 0] = REGION
                notes[n_notes, 1] = n  # which it will be
                n_notes += 1
        else:
            name = at
            number = _number_of(data, at, words)
            at += size_of(data, at)
            check = where = UNKNOWN
            if 0 <= number < FIRST_TYPE:
                check, where = rules[number, 0], rules[number, 1]
            if check == UNKNOWN:
                size = size_of(data, at)
                at = at + size if size > 0 else pass_over(data, at, scratch, found)
                if at < 0:
                    return UNCLEAR
                continue
            if check == STRANGE or (
                check == OF_ROOT and not (frames[top, _DEPTH] == 1 and _is_string(data[at]))
            ):
                return UNCLEAR
            frames[top, _SEEN] |= 1 << number
            value = at
            if where == NOWHERE:
                if check in (OF_ROOT, ANY):
                    if number == K_DIALECT:
                        limits[DIALECT] = value
                    at = pass_over(data, at, scratch, found)
                elif check in (LISTED_VALUES, ONE_VALUE):
                    if check == LISTED_VALUES and data[at] != LIST:
                        return UNCLEAR
                    at = pass_over(data, at, scratch, found)
                    n_values += found[0]
                    if at >= 0 and (found[1] > limits[MAX_DEPTH] or n_values > limits[MAX_VALUES]):
                        return UNCLEAR
                    frames[top, _LISTED] = value
                elif check == TYPES:
                    frames[top, _TYPES] = _types_at(data, at, words)
                    if frames[top, _TYPES] == 0:
                        return UNCLEAR
                    at = pass_over(data, at, scratch, found)
                elif check == STRINGS:
                    if data[at] != LIST:
                        return UNCLEAR
                    left = word(data, at + 1)
                    at += 5
                    for _ in range(left):
                        if not _is_string(data[at]):
                            return UNCLEAR
                        at += size_of(data, at)
                    if number == K_REQUIRED:
                        frames[top, _REQUIRED] = value
                else:
                    if not _fits(data, at, check):
                        return UNCLEAR
                    at += size_of(data, at)
                    if number == K_MIN_LENGTH:
                        frames[top, _MIN_LENGTH] = word(data, value + 1)
                    elif number == K_MAX_LENGTH:
                        frames[top, _MAX_LENGTH] = word(data, value + 1)
                    elif number == K_MIN_ITEMS:
                        frames[top, _MIN_ITEMS] = word(data, value + 1)
                    elif number == K_MAX_ITEMS:
                        frames[top, _MAX_ITEMS] = word(data, value + 1)
                    if check in (REFERS, PATTERN):
                        if n_notes == notes.shape[0]:
                            return TOO_LARGE
                        notes[n_notes, 0] = REFERENCE if check == REFERS else PATTERNED
                        notes[n_notes, 1] = frames[top, _RECORD]
                        notes[n_notes, 2] = frames[top, _REGION]
                        notes[n_notes, 3] = frames[top, _BASE]
                        notes[n_notes, 4] = value
                        n_notes += 1
                if at < 0:
                    return UNCLEAR
                continue
            if number == K_PATTERN_PROPERTIES:
                if n_notes == notes.shape[0]:
                    return TOO_LARGE
                notes[n_notes, 0] = PATTERNED
                notes[n_notes, 1] = frames[top, _RECORD]
                notes[n_notes, 2] = frames[top, _REGION]
                notes[n_notes, 3] = frames[top, _BASE]
                notes[n_notes, 4] = value
                n_notes += 1
            region = frames[top, _REGION]
            base = frames[top, _BASE] if rules[number, 2] else _NEW_BASE
            depth = frames[top, _DEPTH] + 1
            parent = frames[top, _RECORD]
            code = data[at]
            if where == HERE_OR_ITEMS:
                where = ITEMS if code == LIST else HERE
                if where == ITEMS:
                    frames[top, _LEFT] = 1  # which no plain array has
            if where == HERE:
                if number == K_ITEMS:
                    frames[top, _ITEMS] = n
                elif number == K_ADDITIONAL:
                    frames[top, _ADDITIONAL] = n
                begins = True
                continue
            if code != (DICT if where == VALUES else LIST):
                return UNCLEAR
            if n == records.shape[0]:
                return TOO_LARGE
            if number == K_PROPERTIES:
                frames[top, _PROPERTIES] = records[parent, MEMBERS] = n
            elif number == K_ANY_OF:
                frames[top, _OPTIONS] = n
            records[n, BEGIN] = at
            records[n, PARENT] = parent
            records[n, NAME] = name
            records[n, MEMBERS] = -1
            top += 1
            if top == frames.shape[0]:
                return UNCLEAR
            frames[top, _RECORD] = n
            frames[top, _REGION] = region
            frames[top, _BASE] = base
            frames[top, _DEPTH] = depth
            if where == VALUES:
                frames[top, _KIND] = _MAP
                frames[top, _NUMBER] = 1 if rules[number, 3] else -1
                at += 1
            else:
                frames[top, _KIND] = _LIST
                frames[top, _LEFT] = frames[top, _NUMBER] = word(data, at + 1)
                at += 5
                if frames[top, _LEFT] == 0 and number != K_ITEMS:
                    return UNCLEAR
            n += 1
            continue
        if begins:
            region, base, depth, parent = (
                frames[top, _REGION],
                frames[top, _BASE],
                frames[top, _DEPTH],
                frames[top, _RECORD],
            )
            continue
        # what the frame is of ends
        record = frames[top, _RECORD]
        records[record, LIMIT] = at
        records[record, LAST] = n - 1
        if kind == _SCHEMA:
            seen = frames[top, _SEEN]
            if seen & (1 << K_THEN | 1 << K_ELSE) and not seen & 1 << K_IF:
                return UNCLEAR
            if (
                seen & 1 << K_REF
                and limits[REF_STANDS_ALONE]
                and not _stands_alone(records, record, seen, rules)
            ):
                return UNCLEAR
            records[record, FLAGS] = _flags_of(data, records, frames[top], limits)
        elif kind == _LIST:
            records[record, FLAGS] = _flags_of_options(data, records, record)
        else:
            records[record, FLAGS] = HOLDER
        top -= 1
        if top < 0:
            break
    limits[N_SUBSCHEMAS] = n_subschemas
    limits[N_VALUES] = n_values
    limits[N_NOTES] = n_notes
    return n


@lean_kernel
def _stands_alone(records: Int32Array, record: Int, seen: Int, rules: Int32Array) -> bool:
    """Are there neither patterns nor subschemas beside a $ref but those that are only referred to?"""
    for number in range(FIRST_TYPE):
        applies = rules[number, 0] == PATTERN or (rules[number, 1] != NOWHERE and not rules[number, 3])
        if applies and seen >> number & 1:
            return False
    return True


MEMBER_SIZE = 4  # where the key begins, the value, where it ends; its record, -1 where it has none


@lean_kernel
def members_of(
    data: ByteArray, records: Int32Array, record: Int, stack: Int32Array, members: Int32Array
) -> Int:
    """What stands in a subschema's object. Returns how many members there are.

    data, records: as `survey` has them; stack int32 (e,): scratch; members int32 (m, `MEMBER_SIZE`): is
    written. `TOO_LARGE` where there is not room for all.
    """
    at = records[record, BEGIN] + 1
    inner = record + 1
    n = 0
    while data[at] != END:
        if n == members.shape[0]:
            return TOO_LARGE
        members[n, 0] = at
        at += size_of(data, at)
        members[n, 1] = at
        members[n, 3] = -1
        if inner <= records[record, LAST] and records[inner, BEGIN] == at:
            members[n, 3] = inner
            at = records[inner, LIMIT]
            inner = records[inner, LAST] + 1
        else:
            at = pass_over(data, at, stack[2:], stack[:2])
            if at < 0:
                return TOO_LARGE
        members[n, 2] = at
        n += 1
    return n


@lean_kernel
def end_of(data: ByteArray, at: Int, stack: Int32Array) -> Int:
    """Where the value at a place ends; `TOO_LARGE` where it is too deep for ``stack``."""
    return pass_over(data, at, stack[2:], stack[:2])
