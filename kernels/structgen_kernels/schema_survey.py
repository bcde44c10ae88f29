"""Looks at a whole JSON Schema at once, in a snapshot of it (`snapshots`): is it plainly one, where are its
subschemas, and which of them plainly have a value?

What it does not know plainly it refuses to judge: who asks then looks closely, subschema by subschema.
"""

from __future__ import annotations

from typing import Any

from structgen_kernels.jit import ByteArray, Int, Int32Array, Int64Array, lean_kernel
from structgen_kernels.schema_judgements import (
    fits,
    flags_of,
    flags_of_options,
    has_required,
    is_string,
    number_of,
    plain_of,
    property_of,
    types_at,
)
from structgen_kernels.schema_layout import (
    ALIVE,
    ANY,
    AT_ITEMS,
    AT_MEMBERS,
    AT_SCHEMA,
    BEGIN,
    DIALECT,
    F_ADDITIONAL,
    F_BASE,
    F_DEPTH,
    F_ITEMS,
    F_KIND,
    F_LEFT,
    F_LISTED,
    F_MAX_ITEMS,
    F_MAX_LENGTH,
    F_MIN_ITEMS,
    F_MIN_LENGTH,
    F_NUMBER,
    F_OPTIONS,
    F_PROPERTIES,
    F_RECORD,
    F_REGION,
    F_REQUIRED,
    F_SEEN,
    F_TYPES,
    FIRST_TYPE,
    FLAGS,
    FRAME_SIZE,
    HARMLESS,
    HERE,
    HERE_OR_ITEMS,
    HOLDER,
    INNER,
    IS_REQUIRED,
    ITEMS,
    K_ADDITIONAL,
    K_ANY_OF,
    K_DIALECT,
    K_ELSE,
    K_IF,
    K_ITEMS,
    K_MAX_ITEMS,
    K_MAX_LENGTH,
    K_MIN_ITEMS,
    K_MIN_LENGTH,
    K_PATTERN_PROPERTIES,
    K_PROPERTIES,
    K_REF,
    K_REQUIRED,
    K_THEN,
    LAST,
    LIMIT,
    LISTED_VALUES,
    MANY_MEMBERS,
    MAX_DEPTH,
    MAX_SUBSCHEMAS,
    MAX_VALUES,
    MEMBERS,
    MOST_COMPARED,
    N_NOTES,
    N_SUBSCHEMAS,
    N_VALUES,
    NAME,
    NEW_BASE,
    NOWHERE,
    OF_ROOT,
    ONE_VALUE,
    PARENT,
    PATTERN,
    PATTERNED,
    PENDING,
    RECORDS_OF_COST,
    REF_STANDS_ALONE,
    REFERENCE,
    REFERRING,
    REFERS,
    REGION,
    SAYING,
    SAYS_NOTHING,
    STRANGE,
    STRINGS,
    TAGGABLE,
    TARGET,
    TYPES,
    UNCLEAR,
    UNKNOWN,
    VALUES,
)
from structgen_kernels.snapshots import (
    DICT,
    END,
    FALSE,
    LIST,
    SHORT_ASCII,
    TOO_LARGE,
    TRUE,
    pass_over,
    size_of,
    word,
)


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
    found = stack[:3]
    scratch = stack[3:]
    n = n_notes = n_subschemas = n_values = n_regions = n_referring = 0
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
            records[n, MEMBERS] = records[n, INNER] = -1
            records[n, IS_REQUIRED] = 0
            code = data[at]
            if code in (TRUE, FALSE):
                at += 1
                records[n, LIMIT] = at
                records[n, LAST] = n
                records[n, FLAGS] = ALIVE | HARMLESS | SAYS_NOTHING if code == TRUE else 0
                n += 1
            elif code == DICT:
                at += 1
                top += 1
                if top == frames.shape[0]:
                    return UNCLEAR
                for i in range(FRAME_SIZE):
                    frames[top, i] = -1
                frames[top, F_KIND] = AT_SCHEMA
                frames[top, F_RECORD] = n
                frames[top, F_REGION] = region
                frames[top, F_BASE] = base if base != NEW_BASE else n_subschemas
                frames[top, F_DEPTH] = depth
                frames[top, F_SEEN] = frames[top, F_TYPES] = frames[top, F_LEFT] = 0
                n += 1
            else:
                return UNCLEAR
            if top < 0:
                break
            continue
        kind = frames[top, F_KIND]
        if kind == AT_ITEMS:
            if frames[top, F_LEFT] > 0:
                name = frames[top, F_LEFT] - frames[top, F_NUMBER] - 1
                frames[top, F_LEFT] -= 1
                begins = True
        elif data[at] == END:
            at += 1
        elif kind == AT_MEMBERS:
            name = at
            at += size_of(data, at)
            begins = True
            if frames[top, F_NUMBER] >= 0:  # each is a region of its own
                n_regions += 1
                frames[top, F_REGION] = n_regions
                frames[top, F_BASE] = -n_regions
                if n_notes == notes.shape[0]:
                    return TOO_LARGE
                notes[n_notes, 0] = REGION
                notes[n_notes, 1] = n  # which it will be
                n_notes += 1
        else:
            name = at
            number = number_of(data, at, words)
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
                check == OF_ROOT and not (frames[top, F_DEPTH] == 1 and is_string(data[at]))
            ):
                return UNCLEAR
            frames[top, F_SEEN] |= 1 << number
            value = at
            if where == NOWHERE:
                if check in (OF_ROOT, ANY):
                    if number == K_DIALECT:
                        limits[DIALECT] = value
                    size = size_of(data, at)
                    at = at + size if size > 0 else pass_over(data, at, scratch, found)
                elif check in (LISTED_VALUES, ONE_VALUE):
                    if check == LISTED_VALUES and data[at] != LIST:
                        return UNCLEAR
                    at = pass_over(data, at, scratch, found)
                    n_values += found[0]
                    if at >= 0 and (found[1] > limits[MAX_DEPTH] or n_values > limits[MAX_VALUES]):
                        return UNCLEAR
                    frames[top, F_LISTED] = value
                elif check == TYPES:
                    frames[top, F_TYPES] = types_at(data, at, words)
                    if frames[top, F_TYPES] == 0:
                        return UNCLEAR
                    size = size_of(data, at)
                    at = at + size if size > 0 else pass_over(data, at, scratch, found)
                elif check == STRINGS:
                    if data[at] != LIST:
                        return UNCLEAR
                    left = word(data, at + 1)
                    at += 5
                    for _ in range(left):
                        if not is_string(data[at]):
                            return UNCLEAR
                        at += size_of(data, at)
                    if number == K_REQUIRED:
                        frames[top, F_REQUIRED] = value
                else:
                    if not fits(data, at, check):
                        return UNCLEAR
                    at += size_of(data, at)
                    if number == K_MIN_LENGTH:
                        frames[top, F_MIN_LENGTH] = word(data, value + 1)
                    elif number == K_MAX_LENGTH:
                        frames[top, F_MAX_LENGTH] = word(data, value + 1)
                    elif number == K_MIN_ITEMS:
                        frames[top, F_MIN_ITEMS] = word(data, value + 1)
                    elif number == K_MAX_ITEMS:
                        frames[top, F_MAX_ITEMS] = word(data, value + 1)
                    if number == K_REF:
                        frames[top, F_LISTED] = value
                    if check in (REFERS, PATTERN):
                        if n_notes == notes.shape[0]:
                            return TOO_LARGE
                        notes[n_notes, 0] = REFERENCE if check == REFERS else PATTERNED
                        notes[n_notes, 1] = frames[top, F_RECORD]
                        notes[n_notes, 2] = frames[top, F_REGION]
                        notes[n_notes, 3] = frames[top, F_BASE]
                        notes[n_notes, 4] = value
                        n_notes += 1
                if at < 0:
                    return UNCLEAR
                continue
            if number == K_PATTERN_PROPERTIES:
                if n_notes == notes.shape[0]:
                    return TOO_LARGE
                notes[n_notes, 0] = PATTERNED
                notes[n_notes, 1] = frames[top, F_RECORD]
                notes[n_notes, 2] = frames[top, F_REGION]
                notes[n_notes, 3] = frames[top, F_BASE]
                notes[n_notes, 4] = value
                n_notes += 1
            region = frames[top, F_REGION]
            base = frames[top, F_BASE] if rules[number, 2] else NEW_BASE
            depth = frames[top, F_DEPTH] + 1
            parent = frames[top, F_RECORD]
            code = data[at]
            if where == HERE_OR_ITEMS:
                where = ITEMS if code == LIST else HERE
                if where == ITEMS:
                    frames[top, F_LEFT] = 1  # which no plain array has
            if where == HERE:
                if number == K_ITEMS:
                    frames[top, F_ITEMS] = n
                elif number == K_ADDITIONAL:
                    frames[top, F_ADDITIONAL] = n
                begins = True
                continue
            if code != (DICT if where == VALUES else LIST):
                return UNCLEAR
            if n == records.shape[0]:
                return TOO_LARGE
            if number == K_PROPERTIES:
                frames[top, F_PROPERTIES] = records[parent, MEMBERS] = n
            elif number == K_ANY_OF:
                frames[top, F_OPTIONS] = n
            records[n, BEGIN] = at
            records[n, PARENT] = parent
            records[n, NAME] = name
            records[n, MEMBERS] = -1
            top += 1
            if top == frames.shape[0]:
                return UNCLEAR
            frames[top, F_RECORD] = n
            frames[top, F_REGION] = region
            frames[top, F_BASE] = base
            frames[top, F_DEPTH] = depth
            if where == VALUES:
                frames[top, F_KIND] = AT_MEMBERS
                frames[top, F_NUMBER] = 1 if rules[number, 3] else -1
                at += 1
            else:
                frames[top, F_KIND] = AT_ITEMS
                frames[top, F_LEFT] = frames[top, F_NUMBER] = word(data, at + 1)
                at += 5
                if frames[top, F_LEFT] == 0 and number != K_ITEMS:
                    return UNCLEAR
            n += 1
            continue
        if begins:
            region, base, depth, parent = (
                frames[top, F_REGION],
                frames[top, F_BASE],
                frames[top, F_DEPTH],
                frames[top, F_RECORD],
            )
            continue
        # what the frame is of ends
        record = frames[top, F_RECORD]
        records[record, LIMIT] = at
        records[record, LAST] = n - 1
        if kind == AT_SCHEMA:
            seen = frames[top, F_SEEN]
            if seen & (1 << K_THEN | 1 << K_ELSE) and not seen & 1 << K_IF:
                return UNCLEAR
            if (
                seen & 1 << K_REF
                and limits[REF_STANDS_ALONE]
                and not _stands_alone(records, record, seen, rules)
            ):
                return UNCLEAR
            if seen & limits[SAYING] == 1 << K_REF:
                records[record, FLAGS] = REFERRING
                records[record, TARGET] = -1
                records[record, MEMBERS] = -2 - frames[top, F_LISTED]
                n_referring += 1
            else:
                flags = flags_of(data, records, frames[top], limits)
                records[record, FLAGS] = flags | plain_of(data, records, frames[top], limits)
        elif kind == AT_ITEMS:
            records[record, FLAGS] = flags_of_options(data, records, record)
        else:
            records[record, FLAGS] = HOLDER
        top -= 1
        if top < 0:
            break
    if n_referring > 0:
        _settle(data, words, records[:n], stack)
        _follow(data, records[:n])
    limits[N_SUBSCHEMAS] = n_subschemas
    limits[N_VALUES] = n_values
    limits[N_NOTES] = n_notes
    return n


@lean_kernel
def _settle(data: ByteArray, words: ByteArray, records: Int32Array, stack: Int32Array) -> None:
    """Which objects have a value, as those have that their required members refer to: a least fixpoint, as
    far as that takes no longer than the survey. What members of many refer to is found, too.
    """
    budget = MOST_COMPARED
    n = records.shape[0]
    near = 1
    for holder in range(n):
        if not records[holder, FLAGS] & HOLDER or data[records[holder, BEGIN]] != DICT:
            continue
        if records[holder, LAST] - holder < MANY_MEMBERS:
            continue
        at = holder + 1
        while at <= records[holder, LAST] and budget > 0:
            if records[at, FLAGS] == REFERRING:
                near, budget = _point(data, records, at, near, budget)
            at = records[at, LAST] + 1
    grows = True
    while grows and budget > 0:
        grows = False
        budget -= 1 + n // RECORDS_OF_COST
        for record in range(n):
            if not records[record, FLAGS] & PENDING or budget <= 0:
                continue
            required, additional = _required(data, words, records, record, stack)
            holder = records[record, MEMBERS]
            n_required, at = word(data, required + 1), required + 5
            cost = n_required * (records[holder, LAST] - holder) if holder >= 0 else 0
            if cost > MOST_COMPARED:
                continue
            budget -= cost // RECORDS_OF_COST
            for _ in range(n_required):
                inner = property_of(data, records, holder, at)
                inner = inner if inner >= 0 else additional
                if inner >= 0 and records[inner, FLAGS] == REFERRING and records[inner, TARGET] < 0:
                    near, budget = _point(data, records, inner, near, budget)
                at += size_of(data, at)
            if has_required(data, records, required, holder, additional):
                records[record, FLAGS] ^= PENDING | ALIVE
                grows = True


@lean_kernel
def _point(data: ByteArray, records: Int32Array, record: Int, near: Int, budget: Int) -> Any:
    """Find what a `REFERRING` record names. Returns where to look for the next one first, and what is left of
    the budget.
    """
    target, cost = target_of(data, records, -2 - records[record, MEMBERS], near)
    records[record, TARGET] = target
    return target if target > 0 else near, budget - cost


@lean_kernel
def _required(data: ByteArray, words: ByteArray, records: Int32Array, record: Int, stack: Int32Array) -> Any:
    """Where the names of an object's required members are written, and the record of what is asked of those
    that are not named, -1 for none.
    """
    at, inner = records[record, BEGIN] + 1, record + 1
    required = additional = -1
    while data[at] != END:
        number = number_of(data, at, words)
        at += size_of(data, at)
        if number == K_REQUIRED:
            required = at
        if inner <= records[record, LAST] and records[inner, BEGIN] == at:
            if number == K_ADDITIONAL:
                additional = inner
            at = records[inner, LIMIT]
            inner = records[inner, LAST] + 1
        else:
            at = pass_over(data, at, stack[3:], stack[:3])
    return required, additional


@lean_kernel
def _follow(data: ByteArray, records: Int32Array) -> None:
    """Follow what is among a keyword's options no more than a $ref."""
    budget = MOST_COMPARED
    n = records.shape[0]
    for holder in range(n):
        if not records[holder, FLAGS] & HOLDER or data[records[holder, BEGIN]] != LIST:
            continue
        at, last = holder + 1, records[holder, LAST]
        has_followed = False
        while at <= last and budget > 0:
            if records[at, FLAGS] == REFERRING:
                target, cost = target_of(data, records, -2 - records[at, MEMBERS], 1)
                budget -= cost
                if target >= 0 and records[target, MEMBERS] >= 0:
                    records[at, FLAGS] |= records[target, FLAGS] & (ALIVE | HARMLESS | TAGGABLE)
                    records[at, MEMBERS] = records[target, MEMBERS]
                    has_followed = True
            at = records[at, LAST] + 1
        if has_followed:
            records[holder, FLAGS] = flags_of_options(data, records, holder)


@lean_kernel
def target_of(data: ByteArray, records: Int32Array, at: Int, near: Int) -> Any:
    """The subschema that a $ref of the form ``#/holder/name`` names, -1 where that is not plain; and how many
    names were compared. ``near``: a record that is tried first, if it is of the holder, and those behind it.
    """
    if data[at] != SHORT_ASCII:
        return -1, 1
    begin, end = at + 2, at + 2 + int(data[at + 1])
    cut = 0
    for i in range(begin, end):
        letter = data[i]
        if letter == 126 or letter == 37:  # ~ or %: something is written otherwise
            return -1, 1
        if letter == 47 and i > begin + 1:
            if cut > 0:
                return -1, 1
            cut = i
    if cut == 0 or data[begin + 1] != 47:
        return -1, 1
    holder = 1
    while holder < records.shape[0] and not _is_named(data, records, holder, begin + 2, cut):
        holder = records[holder, LAST] + 1
    if holder >= records.shape[0] or not records[holder, FLAGS] & HOLDER:
        return -1, 1
    if data[records[holder, BEGIN]] != DICT:
        return -1, 1
    last, n = records[holder, LAST], 1
    first = near if records[near, PARENT] == holder else holder + 1
    inner = first
    while inner <= last:
        if _is_named(data, records, inner, cut + 1, end):
            return inner, n
        inner = records[inner, LAST] + 1
        n += 1
    inner = holder + 1
    while inner < first:
        if _is_named(data, records, inner, cut + 1, end):
            return inner, n
        inner = records[inner, LAST] + 1
        n += 1
    return -1, n


@lean_kernel
def _is_named(data: ByteArray, records: Int32Array, record: Int, begin: Int, end: Int) -> bool:
    """Does a record stand under the ASCII name that is written between two places?"""
    name = records[record, NAME]
    if name < 0 or data[name] != SHORT_ASCII or data[name + 1] != end - begin:
        return False
    same = 0
    while same < end - begin and data[name + 2 + same] == data[begin + same]:
        same += 1
    return bool(same == end - begin)


@lean_kernel
def _stands_alone(records: Int32Array, record: Int, seen: Int, rules: Int32Array) -> bool:
    """Are there neither patterns nor subschemas beside a $ref but those that are only referred to?"""
    for number in range(FIRST_TYPE):
        applies = rules[number, 0] == PATTERN or (rules[number, 1] != NOWHERE and not rules[number, 3])
        if applies and seen >> number & 1:
            return False
    return True


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
            at = pass_over(data, at, stack[3:], stack[:3])
            if at < 0:
                return TOO_LARGE
        members[n, 2] = at
        n += 1
    return n


@lean_kernel
def end_of(data: ByteArray, at: Int, stack: Int32Array) -> Int:
    """Where the value at a place ends; `TOO_LARGE` where it is too deep for ``stack``."""
    return pass_over(data, at, stack[3:], stack[:3])
