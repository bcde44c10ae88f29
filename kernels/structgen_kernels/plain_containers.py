"""Describes the objects and arrays of a schema that are plain, from one of them on, nearest first, and lays
out the parser states of all of them (`members` has those of an object).

Of an array there are two states: `ITEMS`, in which an item may come, and `AFTER_ITEM`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from structgen_kernels.jit import ByteArray, Int, Int32Array, Int64Array, kernel
from structgen_kernels.layout import (
    BLOCK_SIZE,
    RTN_BEGIN,
    RTN_COUNT,
    RTN_EDGES,
    RTN_FINAL,
    SPELLED,
    TEXT_ENDS,
    UNEXPANDED,
)
from structgen_kernels.members import OTHER_STATES, STATES, write_members, write_spelled_block
from structgen_kernels.schema_judgements import are_same
from structgen_kernels.schema_layout import (
    ALIVE,
    BEGIN,
    EVERY_TYPE,
    FILLED,
    FLAGS,
    INNER,
    IS_REQUIRED,
    LAST,
    MEMBERS,
    MOST_MEMBERS,
    NAME,
    OF_TYPE,
    PLAIN_ARRAY,
    PLAIN_OBJECT,
    REFERRING,
    SAYS_NOTHING,
    SAYS_TYPE,
    TARGET,
)
from structgen_kernels.schema_survey import target_of
from structgen_kernels.snapshots import FALSE, SHORT_ASCII, TEXT, word
from structgen_kernels.spelled import OPENING, UNITS

ITEMS, AFTER_ITEM, ARRAY_STATES = 0, 1, 2

# Columns of a container: its record, its first member, how many names it has, and what else it is.
CONTAINER_SIZE = 4
C_RECORD, C_FIRST, C_NAMES, C_KIND = range(4)
IS_ARRAY, IS_FILLED, HAS_OTHERS = 1, 2, 4  # bits of its kind
# Columns of a member: where its name is written, -1 of items and of members with other names; may it be left
# out; what its value is.
MEMBER_SIZE = 4
M_NAME, M_OPTIONAL, M_VALUE, M_WHICH = range(4)
# What a value is: of a type (its number; of `ANY_VALUE`: anything); a container (its record); asked about (
# the number of the question, in ``asked``).
OF_A_TYPE, A_CONTAINER, ASKED = range(3)
ANY_VALUE, N_TYPES = 7, 8
# Results.
(N_CONTAINERS, N_MEMBERS, N_ASKED, N_LETTERS, COUNTS_SIZE) = range(5)
(L_STATES, L_EDGES, L_BLOCKS, L_WORDS, L_SPELLED, L_LAID, L_HEAP, L_QUOTED, L_DONE,
 LAID_COUNTS) = range(10)  # fmt: skip
# Columns of what was laid out: the first state, the record, whether these are its members' states.
LAID_SIZE = 3

# Marks, in the order in which their first states are given.
(OPEN_OBJECT, EMPTY_OBJECT, COLON, OBJECT_COMMA, END_OBJECT, OPEN_ARRAY, EMPTY_ARRAY, ARRAY_COMMA,
 END_ARRAY, N_MARKS) = range(10)  # fmt: skip

_MOST_HOPS = 8  # from one reference to the next
_MOST_COMPARED = 4096  # names with names, in one description; and about the largest index
_SLOTS = 1024  # for the names of one description: a power of two


@kernel
def _length(data: ByteArray, name: Int) -> Int:
    """Letters of the ASCII string that is written at a place."""
    return int(data[name + 1]) if data[name] == SHORT_ASCII else word(data, name + 1)


@kernel
def _text(data: ByteArray, name: Int) -> Int:
    """Where its letters begin."""
    return name + 2 if data[name] == SHORT_ASCII else name + 5


@kernel
def record_at(data: ByteArray, records: Int32Array, pointer: ByteArray) -> Int:
    """The record of the subschema at a JSON Pointer, of ASCII letters but ``~``; -1: there is none.

    data, records: as `schema_survey.survey` has them; pointer uint8 (n,).
    """
    record, begin, n = 0, 1, pointer.shape[0]
    while begin <= n:
        end, number = begin, 0  # an index, -1 for none
        while end < n and pointer[end] != 47:
            digit = int(pointer[end]) - 48
            number = 10 * number + digit if 0 <= digit <= 9 and 0 <= number < _MOST_COMPARED else -1
            end += 1
        if end == begin:
            number = -1
        inner, last = record + 1, records[record, LAST]
        while inner <= last:
            name = records[inner, NAME]
            if name < 0:
                is_here = number >= 0 and name == -1 - number
            else:
                length, text = _length(data, name), _text(data, name)
                is_here = data[name] != TEXT and length == end - begin
                for k in range(length if is_here else 0):
                    is_here = is_here and data[text + k] == pointer[begin + k]
            if is_here:
                break
            inner = records[inner, LAST] + 1
        if inner > last:
            return -1
        record, begin = inner, end + 1
    return record


@kernel
def _value_at(data: ByteArray, records: Int32Array, record: Int, left: Int) -> Any:
    """What a subschema says its values are: `M_VALUE`, `M_WHICH`, and how many comparisons are left."""
    target = record
    for _ in range(_MOST_HOPS):
        if not records[target, FLAGS] & REFERRING:
            break
        following = records[target, TARGET]
        if following < 0:
            if records[target, MEMBERS] > -2 or left <= 0:
                return ASKED, record, left
            following, cost = target_of(data, records, -2 - records[target, MEMBERS], 1)
            left -= cost
            if following < 0:
                return ASKED, record, left
            records[target, TARGET] = following
        target = following
    flags = records[target, FLAGS]
    if flags & SAYS_NOTHING:
        return OF_A_TYPE, ANY_VALUE, left
    if flags & SAYS_TYPE:
        types, number = flags // OF_TYPE & EVERY_TYPE, 0
        while types > 1:
            types //= 2
            number += 1
        return OF_A_TYPE, number, left
    if flags & (PLAIN_OBJECT | PLAIN_ARRAY) and flags & ALIVE:
        return A_CONTAINER, target, left
    return ASKED, record, left


@kernel
def describe(
    data: ByteArray,
    records: Int32Array,
    was_described: ByteArray,
    first: Int,
    most_members: Int,
    most_asked: Int,
    containers: Int32Array,
    members: Int32Array,
    asked: Int32Array,
    counts: Int64Array,
) -> None:
    """Describe the plain container whose record is ``first``, and plain ones in it that were not yet.

    data, records: as `schema_survey.survey` has them; was_described uint8 (records,): is marked. All but the
    first together have no more than ``most_members`` members and ``most_asked`` questions. containers int32
    (m + 1, `CONTAINER_SIZE`), members int32 (m + `MOST_MEMBERS` + 1, `MEMBER_SIZE`), asked int32 (m +
    `MOST_MEMBERS` + 1,), where m is ``most_members`` and each container counts as one: are written; asked:
    records of the subschemas of which it is to be asked what values they have. (Where a container begins,
    there are m rows at most, and it adds `MOST_MEMBERS` + 1.) counts int64 (`COUNTS_SIZE`,): how many of
    each, and letters of names.
    """
    n_containers = n_members = n_asked = n_letters = 0
    left = _MOST_COMPARED
    begin, end = 0, 1  # containers from ``begin`` on are yet to be described
    containers[0, C_RECORD] = first
    # once more only by itself: who asked was refused what it took, and what it says must be the same
    is_alone = was_described[first] != 0
    was_described[first] = 1
    while begin < end:
        record = containers[begin, C_RECORD]
        flags = records[record, FLAGS]
        members_before, asked_before, letters_before = n_members, n_asked, n_letters
        is_array = flags & PLAIN_ARRAY != 0
        kind = IS_FILLED if flags & FILLED else 0
        at, last = 0, -1
        if not is_array and records[record, MEMBERS] >= 0:
            holder = records[record, MEMBERS]
            at, last = holder + 1, records[holder, LAST]
        n = 0
        while at <= last:
            value, which, left = _value_at(data, records, at, left)
            if value == ASKED:
                asked[n_asked] = which
                which = n_asked
                n_asked += 1
            name = records[at, NAME]
            n_letters += _length(data, name)
            members[n_members, M_NAME] = name
            members[n_members, M_OPTIONAL] = 1 - records[at, IS_REQUIRED]
            members[n_members, M_VALUE] = value
            members[n_members, M_WHICH] = which
            n_members += 1
            n += 1
            at = records[at, LAST] + 1
        inner = records[record, INNER]
        if is_array or inner < 0 or data[records[inner, BEGIN]] != FALSE:
            value, which = OF_A_TYPE, ANY_VALUE
            if inner >= 0:
                value, which, left = _value_at(data, records, inner, left)
            if value == ASKED:
                asked[n_asked] = which
                which = n_asked
                n_asked += 1
            members[n_members, M_NAME] = -1
            members[n_members, M_OPTIONAL] = 1
            members[n_members, M_VALUE] = value
            members[n_members, M_WHICH] = which
            n_members += 1
            kind |= IS_ARRAY if is_array else HAS_OTHERS
        if begin > 0 and (n_members + begin > most_members or n_asked > most_asked):
            n_members, n_asked, n_letters = members_before, asked_before, letters_before
            break
        containers[begin, C_FIRST] = members_before
        containers[begin, C_NAMES] = n
        containers[begin, C_KIND] = kind
        was_described[record] = 1
        begin += 1
        n_containers = begin
        if is_alone:
            break
        for i in range(members_before, n_members):
            which = members[i, M_WHICH]
            if members[i, M_VALUE] == A_CONTAINER and was_described[which] == 0 and end <= most_members:
                is_new = True
                for other in range(begin, end):
                    is_new = is_new and containers[other, C_RECORD] != which
                if is_new:
                    containers[end, C_RECORD] = which
                    end += 1
    counts[N_CONTAINERS] = n_containers
    counts[N_MEMBERS] = n_members
    counts[N_ASKED] = n_asked
    counts[N_LETTERS] = n_letters


@kernel
def _write_names(
    static: Int32Array,
    data: ByteArray,
    members: Int32Array,
    value_count: Int32Array,
    starts: Int32Array,
    block: Int,
    offset: Int,
    first: Int,
    quoted: Int,
) -> Any:
    """Lay out names as `members.write_spelled` does, each once. Returns the blocks, the words and the states
    that they took. starts int32 (members,): is written, the first states, 0 where there is no such member.
    """
    slots = np.zeros(_SLOTS, np.int32)
    n_blocks = n_words = n_states = 0
    for i in range(members.shape[0]):
        name = members[i, M_NAME]
        starts[i] = 0
        if name < 0 or (members[i, M_VALUE] == ASKED and value_count[N_TYPES + members[i, M_WHICH]] == 0):
            continue
        length, text = _length(data, name), _text(data, name)
        slot = length
        for k in range(length):
            slot = (31 * slot + int(data[text + k])) & (_SLOTS - 1)
        while slots[slot] > 0 and not are_same(data, members[slots[slot] - 1, M_NAME], name):
            slot = (slot + 1) & (_SLOTS - 1)
        if slots[slot] > 0:
            starts[i] = starts[slots[slot] - 1]
            continue
        slots[slot] = i + 1
        here = block + n_blocks * BLOCK_SIZE
        write_spelled_block(static, here, SPELLED, length + 1, first + n_states, offset + n_words, quoted)
        for k in range(length):
            static[offset + n_words + k] = int(data[text + k])
        static[offset + n_words + length] = -1
        starts[i] = first + n_states + OPENING
        n_blocks += 1
        n_words += length + 1
        n_states += (length + 1) * UNITS
    return n_blocks, n_words, n_states


@kernel
def _is_before(data: ByteArray, left: Int, right: Int) -> bool:
    """Does a name come before another one, where a longer one comes before what it begins with?"""
    size, other = _length(data, left), _length(data, right)
    at, to = _text(data, left), _text(data, right)
    for k in range(min(size, other)):
        if data[at + k] != data[to + k]:
            return bool(data[at + k] < data[to + k])
    return bool(size > other)


@kernel
def _write_barred(static: Int32Array, data: ByteArray, names: Int32Array, offset: Int) -> Int:
    """Write a list of barred strings (`layout`) at a place. Returns how many words it takes.

    names int32 (n,): where they are written; is sorted.
    """
    for i in range(1, names.shape[0]):
        name, to = names[i], i
        while to > 0 and _is_before(data, name, names[to - 1]):
            names[to] = names[to - 1]
            to -= 1
        names[to] = name
    n = 1
    for i in range(names.shape[0]):
        text = _text(data, names[i])
        for k in range(_length(data, names[i])):
            static[offset + n] = int(data[text + k])
            n += 1
        static[offset + n] = TEXT_ENDS
        n += 1
    static[offset] = n - 1
    return n


@kernel
def lay_out(
    static: Int32Array,
    data: ByteArray,
    containers: Int32Array,
    members: Int32Array,
    value_begin: Int32Array,
    value_count: Int32Array,
    symbols: Int32Array,
    marks: Int32Array,
    any_name: Int32Array,
    state_of: Int32Array,
    inside_of: Int32Array,
    laid: Int32Array,
    counts: Int64Array,
) -> None:
    """Lay out the parser states of containers that `describe` described, and of those in them.

    value_begin, value_count int32 (n,): the symbols of values, by type and behind these by question, in
    symbols int32; a count of -1: to be found when a text comes there. marks int32 (`N_MARKS`,), any_name
    int32 (k,): first states of terminals. state_of, inside_of int32 (records,): the states of containers, 0
    for none, and the first ones in them; are written. laid int32 (m, `LAID_SIZE`): is written, ascending.
    counts int64 (`LAID_COUNTS`,): where the next state, edge, block, word of the heap and state of a terminal
    go, where the heap begins, the states behind a closing quote and behind an object; is written, as it is
    then, with the number of rows of ``laid``.
    """
    number, edge = counts[L_STATES], counts[L_EDGES]
    heap, quoted, done = counts[L_HEAP], counts[L_QUOTED], counts[L_DONE]
    begin, count, final = static[RTN_BEGIN], static[RTN_COUNT], static[RTN_FINAL]
    edges = static[RTN_EDGES]
    n_laid = 0
    for i in range(containers.shape[0] + members.shape[0]):
        # those that are laid out now first
        if i < containers.shape[0]:
            record = containers[i, C_RECORD]
        elif members[i - containers.shape[0], M_VALUE] == A_CONTAINER:
            record = members[i - containers.shape[0], M_WHICH]
        else:
            continue
        if state_of[record] == 0:
            state_of[record] = number
            static[count + number] = UNEXPANDED
            laid[n_laid, 0] = number
            laid[n_laid, 1] = record
            laid[n_laid, 2] = 0
            n_laid += 1
            number += 1
    starts = np.empty(members.shape[0], np.int32)
    n_blocks, n_words, n_states = _write_names(
        static,
        data,
        members,
        value_count,
        starts,
        counts[L_BLOCKS],
        heap + counts[L_WORDS],
        counts[L_SPELLED],
        quoted,
    )
    words = counts[L_WORDS] + n_words
    most = 0
    for i in range(value_count.shape[0]):
        most = max(most, value_count[i])
    described = np.empty(8 + any_name.shape[0] + (3 + most) * (MOST_MEMBERS + 1), np.int32)
    names = np.empty(MOST_MEMBERS, np.int32)
    called = np.empty(1, np.int32)
    for i in range(containers.shape[0]):
        record, kind, n = containers[i, C_RECORD], containers[i, C_KIND], containers[i, C_NAMES]
        first_member = containers[i, C_FIRST]
        state = state_of[record]
        static[begin + state] = edge
        static[final + state] = 0
        # what is beside the names: items, or members with other names
        n_inner, inner = 0, symbols[:0]
        if kind & (IS_ARRAY | HAS_OTHERS):
            n_inner, inner = _values(
                members[first_member + n], value_begin, value_count, symbols, state_of, called
            )
        is_empty = n_inner == 0
        for at in range(first_member, first_member + n):
            is_empty = is_empty and starts[at] == 0
        is_array = kind & IS_ARRAY != 0
        if not is_empty:
            static[edges + 2 * edge] = marks[OPEN_ARRAY if is_array else OPEN_OBJECT]
            static[edges + 2 * edge + 1] = number
            edge += 1
        if not kind & IS_FILLED:
            static[edges + 2 * edge] = marks[EMPTY_ARRAY if is_array else EMPTY_OBJECT]
            static[edges + 2 * edge + 1] = done
            edge += 1
        static[count + state] = edge - static[begin + state]
        inside_of[record] = number
        if is_empty:
            continue
        laid[n_laid, 0] = number
        laid[n_laid, 1] = record
        laid[n_laid, 2] = 1
        n_laid += 1
        if is_array:
            edge = _write_array(static, number, edge, n_inner, inner, marks, done)
            number += ARRAY_STATES
            continue
        described[0] = n
        described[1], described[2], described[3] = marks[COLON], marks[OBJECT_COMMA], marks[END_OBJECT]
        described[4] = 0
        to = 5
        if n_inner != 0:
            barred = 0
            if n > 0:
                names[:n] = members[first_member : first_member + n, M_NAME]
                barred = 1 + words
                words += _write_barred(static, data, names[:n], heap + words)
            described[4] = 3 + any_name.shape[0] + max(n_inner, 0)
            described[5], described[6], described[7] = barred, n_inner, any_name.shape[0]
            to = 8
            for k in range(any_name.shape[0]):
                described[to] = any_name[k]
                to += 1
            for k in range(n_inner):
                described[to] = inner[k]
                to += 1
        value_at = to + 3 * n
        for at in range(first_member, first_member + n):
            n_values, values = _values(members[at], value_begin, value_count, symbols, state_of, called)
            described[to] = starts[at]
            described[to + 1] = members[at, M_OPTIONAL]
            described[to + 2] = n_values
            to += 3
            for k in range(n_values):
                described[value_at] = values[k]
                value_at += 1
        edge += write_members(static, number, edge, described[:value_at], 0, done)
        number += STATES * n + (OTHER_STATES if n_inner != 0 else 0)
    counts[L_STATES], counts[L_EDGES] = number, edge
    counts[L_BLOCKS] += n_blocks * BLOCK_SIZE
    counts[L_WORDS] = words
    counts[L_SPELLED] += n_states
    counts[L_LAID] = n_laid


@kernel
def _values(
    member: Int32Array,
    value_begin: Int32Array,
    value_count: Int32Array,
    symbols: Int32Array,
    state_of: Int32Array,
    called: Int32Array,
) -> Any:
    """The symbols that a value is one of, and how many: -1 where they are not known. called int32 (1,):
    scratch.
    """
    which = member[M_WHICH]
    if member[M_VALUE] == A_CONTAINER:
        called[0] = -state_of[which]
        return 1, called[:1]
    if member[M_VALUE] == ASKED:
        which += N_TYPES
    return int(value_count[which]), symbols[
        value_begin[which] : value_begin[which] + max(0, value_count[which])
    ]


@kernel
def _write_array(
    static: Int32Array, state: Int, edge: Int, n_values: Int, values: Int32Array, marks: Int32Array, done: Int
) -> Int:
    """Lay out the states of an array's items. Returns the next free edge."""
    begin, count, final = static[RTN_BEGIN], static[RTN_COUNT], static[RTN_FINAL]
    edges = static[RTN_EDGES]
    static[begin + state + ITEMS] = edge
    static[count + state + ITEMS] = n_values if n_values >= 0 else UNEXPANDED
    for k in range(n_values):
        static[edges + 2 * edge] = values[k]
        static[edges + 2 * edge + 1] = state + AFTER_ITEM
        edge += 1
    static[begin + state + AFTER_ITEM] = edge
    static[count + state + AFTER_ITEM] = 2
    static[edges + 2 * edge] = marks[ARRAY_COMMA]
    static[edges + 2 * edge + 1] = state + ITEMS
    static[edges + 2 * edge + 2] = marks[END_ARRAY]
    static[edges + 2 * edge + 3] = done
    static[final + state + ITEMS] = static[final + state + AFTER_ITEM] = 0
    return edge + 2
