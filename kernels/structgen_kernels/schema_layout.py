"""What `schema_survey` writes of a JSON Schema, and is told of its dialect."""

from __future__ import annotations

UNCLEAR = -1

# Columns of a record: of a subschema, or of the object or array that a keyword has its subschemas in.
RECORD_SIZE = 9
BEGIN, LIMIT = 0, 1  # its bytes
LAST = 2  # the last record of what is in it: the next one is beside it, or behind what it is in
PARENT = 3
NAME = 4  # where the keyword or name is written that it stands under; -1 - i of an item
FLAGS = 5
MEMBERS = 6  # of a subschema: the record of its ``properties``; -1: it has none
TARGET = 7  # of a `REFERRING` one: the record of what it names, -1 where that was not looked for
# of a plain container, which is no `REFERRING` one: the record of what its items, or members with other
# names, are; -1: anything
INNER = 7
IS_REQUIRED = 8  # of a property: 1 where a member of this name must be there

ALIVE = 1  # a subschema: it plainly has a value; a container: all in it plainly have, and are harmless
HARMLESS = 2  # to work its form out later raises no error
LISTED = 4  # it is one of a few plain strings, and no more is asked
TAGGABLE = 8  # a plain object whose first member must be there and is `LISTED`
TAGGED = 16  # of a container: all options are `TAGGABLE`, by the same member
HOLDER = 32  # it is no subschema
REFERRING = 64  # no more than a $ref; once that was followed, its flags and members are those of the other
PENDING = 128  # an object that has a value if its required members have
# What it says no more than: that a value is an object of few members with ASCII names, or an array, of such
# children; or of one type, whose bit is `OF_TYPE` times that of ``types``; or nothing at all.
PLAIN_OBJECT = 256
PLAIN_ARRAY = 512
SAYS_TYPE = 1024
SAYS_NOTHING = 2048
OF_TYPE = 1 << 12
FILLED = 1 << 20  # of a plain container: it has a member or an item

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
EVERY_TYPE = 127
ONE_NAME = 128  # beside the types: they are one name, no array

# Words of ``limits``.
MAX_DEPTH, MAX_SUBSCHEMAS, MAX_VALUES, REF_STANDS_ALONE, MAX_LENGTH = range(5)
N_SUBSCHEMAS, N_VALUES, N_NOTES = 5, 6, 7  # are written
# Sets of keywords, bit by bit (`structgen.sources.json_schema.keyword_sets`).
HARMFUL, BESIDE_LISTED, BESIDE_OPTIONS, BESIDE_BOUND, NOT_SCALAR, NO_PLAIN_OBJECT = 8, 9, 10, 11, 12, 13
DIALECT = 14  # where the root's $schema is written, 0 for nowhere; is written
NO_PLAIN_ARRAY, SAYING = 15, 16  # sets of keywords, too
LIMITS_SIZE = 17

WORD_SIZE = 32  # of the table of words: length, number, letters
WORDS = 512

# Columns of a frame.
FRAME_SIZE = 19
(F_KIND, F_RECORD, F_REGION, F_BASE, F_DEPTH, F_SEEN, F_TYPES, F_REQUIRED, F_PROPERTIES, F_ADDITIONAL,
 F_ITEMS, F_LISTED, F_MIN_LENGTH, F_MAX_LENGTH, F_MIN_ITEMS, F_MAX_ITEMS, F_LEFT, F_NUMBER,
 F_OPTIONS) = range(19)  # fmt: skip
AT_SCHEMA, AT_MEMBERS, AT_ITEMS = 0, 1, 2
NEW_BASE = -(1 << 40)
MOST_COMPARED = 1 << 16  # names with names
MOST_LISTED = 8
MANY_MEMBERS = 64
RECORDS_OF_COST = 32  # that are passed in the time of a comparison, about
MOST_OPTIONS = 256
MOST_MEMBERS = 64  # of an object that is plain, and whose states are described at once

MEMBER_SIZE = 4  # where the key begins, the value, where it ends; its record, -1 where it has none
