"""A schema that was looked at as a whole, in its snapshot: subschemas are read when a text comes there."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, KeysView, Mapping, ValuesView
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from structgen_kernels import schema_layout as layout
from structgen_kernels import schema_survey as kernels
from structgen_kernels.schema_judgements import place_of
from structgen_kernels.snapshots import DICT, SHORT_ASCII

from structgen.sources.json_schema import keyword_sets as sets
from structgen.sources.json_schema.contents import HOLDING, IN_PLACE, Contents, Patterned, Reference
from structgen.sources.json_schema.dialects import DIALECTS, Dialect
from structgen.sources.json_schema.keywords import (
    HERE,
    HERE_OR_ITEMS,
    ITEMS,
    TYPE_NAMES,
    VALUES,
    VOCABULARIES,
    Draft,
)
from structgen.sources.json_schema.options import SchemaOptions
from structgen.sources.json_schema.pointers import escape
from structgen.sources.json_schema.snapshot import Snapshot, room

_READ_WHOLE = 2048  # bytes: what is no larger is read at once
_MOST_RECORDS = 1 << 20
_SCHEMA_FIRST = b"{z\x07$schema"

# -- what the kernel is told of the keywords ---------------------------------------------------------

_NUMBERED = {
    "type": layout.K_TYPE,
    "enum": layout.K_ENUM,
    "const": layout.K_CONST,
    "required": layout.K_REQUIRED,
    "properties": layout.K_PROPERTIES,
    "additionalProperties": layout.K_ADDITIONAL,
    "items": layout.K_ITEMS,
    "minLength": layout.K_MIN_LENGTH,
    "maxLength": layout.K_MAX_LENGTH,
    "minItems": layout.K_MIN_ITEMS,
    "maxItems": layout.K_MAX_ITEMS,
    "minimum": layout.K_MINIMUM,
    "maximum": layout.K_MAXIMUM,
    "patternProperties": layout.K_PATTERN_PROPERTIES,
    "if": layout.K_IF,
    "then": layout.K_THEN,
    "else": layout.K_ELSE,
    "anyOf": layout.K_ANY_OF,
    "oneOf": layout.K_ONE_OF,
    "$ref": layout.K_REF,
    "minProperties": layout.K_MIN_PROPERTIES,
    "maxProperties": layout.K_MAX_PROPERTIES,
    "uniqueItems": layout.K_UNIQUE_ITEMS,
    "$schema": layout.K_DIALECT,
}
_UNLIMITED = 1 << 62  # of what kernels count
_KEYWORDS = sorted({keyword for known in VOCABULARIES.values() for keyword in known} - set(_NUMBERED))
_NUMBERS: Final = _NUMBERED | {keyword: number for number, keyword in enumerate(_KEYWORDS, layout.FIRST_FREE)}
_CHECKS = {
    "_any": layout.ANY,
    "_string": layout.STRING,
    "_types": layout.TYPES,
    "_array": layout.LISTED_VALUES,
    "_number": layout.NUMBER,
    "_positive": layout.POSITIVE,
    "_count": layout.COUNT,
    "_boolean": layout.BOOLEAN,
    "_number_or_boolean": layout.NUMBER_OR_BOOLEAN,
    "_strings": layout.STRINGS,
    # of values that hold subschemas: it follows from where these are
    "_schema": layout.ANY,
    "_schemas": layout.ANY,
    "_schema_or_list": layout.ANY,
    "_object": layout.ANY,
}
_CHECK_OF_KEYWORD = {
    "$ref": layout.REFERS,
    "pattern": layout.PATTERN,
    "const": layout.ONE_VALUE,
    "$schema": layout.OF_ROOT,
    "$id": layout.OF_ROOT,
    "id": layout.OF_ROOT,
    # scopes, and keywords that take a look at others beside them
    "$anchor": layout.STRANGE,
    "$dynamicAnchor": layout.STRANGE,
    "$dynamicRef": layout.STRANGE,
    "$recursiveRef": layout.STRANGE,
    "additionalItems": layout.STRANGE,
}
_WHERE = {
    None: layout.NOWHERE,
    HERE: layout.HERE,
    ITEMS: layout.ITEMS,
    VALUES: layout.VALUES,
    HERE_OR_ITEMS: layout.HERE_OR_ITEMS,
}
_SETS = {
    layout.HARMFUL: sets.HARMFUL,
    layout.BESIDE_LISTED: sets.BESIDE_LISTED,
    layout.BESIDE_OPTIONS: sets.BESIDE_OPTIONS,
    layout.BESIDE_BOUND: sets.BESIDE_BOUND,
    layout.NOT_SCALAR: sets.NOT_SCALAR,
    layout.NO_PLAIN_OBJECT: sets.NO_PLAIN_OBJECT,
    layout.NO_PLAIN_ARRAY: sets.NO_PLAIN_ARRAY,
    layout.SAYING: sets.SAYING,
}


def _words() -> npt.NDArray[np.uint8]:
    table = np.zeros((layout.WORDS, layout.WORD_SIZE), np.uint8)
    types = {name: layout.FIRST_TYPE + number for number, name in enumerate(TYPE_NAMES)}
    for word, number in {**_NUMBERS, **types}.items():
        text = word.encode()
        slot = int(place_of(text[0], text[-1], len(text)))
        while table[slot, 0]:
            slot = (slot + 1) % layout.WORDS
        table[slot, : 2 + len(text)] = [len(text), number, *text]
    table.flags.writeable = False
    return table


def _rules(dialect: Dialect) -> npt.NDArray[np.int32]:
    rules = np.zeros((layout.FIRST_TYPE, layout.RULE_SIZE), np.int32)
    for keyword, (check, where) in dialect.keywords.items():
        known = _CHECK_OF_KEYWORD.get(keyword, _CHECKS.get(check.__name__))
        if known is None or where not in _WHERE:
            known, where = layout.STRANGE, None
        in_place, holds = keyword in IN_PLACE, keyword in HOLDING
        rules[_NUMBERS[keyword]] = known, _WHERE[where], in_place, holds
    rules.flags.writeable = False
    return rules


def _limits(dialect: Dialect) -> npt.NDArray[np.int64]:
    limits = np.zeros(layout.LIMITS_SIZE, np.int64)
    limits[layout.REF_STANDS_ALONE] = dialect.draft <= Draft.DRAFT7
    limits[layout.MAX_LENGTH] = sets.MAX_LENGTH
    for place, keywords in _SETS.items():
        limits[place] = sum(1 << _NUMBERS[keyword] for keyword in _NUMBERS.keys() & keywords)
    return limits


_tables: dict[Draft, tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]] = {}
_words_table: list[npt.NDArray[np.uint8]] = []


def dialect_at(snapshot: Snapshot) -> int:
    """Where the root's ``$schema`` is written, if it comes first; else 0."""
    return len(_SCHEMA_FIRST) if snapshot.data.startswith(_SCHEMA_FIRST) else 0


def dialect_name(snapshot: Snapshot, at: int) -> Any:
    """What a ``$schema`` is that is written at a place; None at 0, or where that is not plain."""
    if not at:
        return None
    data = snapshot.data
    if data[at] == SHORT_ASCII:
        return data[at + 2 : at + 2 + data[at + 1]].decode()
    with room() as work:
        end = int(kernels.end_of(snapshot.array, at, work.stack))
        return snapshot.part(at, end) if end > 0 else None


class Survey:
    """What a look at a whole schema found. Subschemas are numbered; 0 is the root."""

    __slots__ = ("_array", "_records", "_rows", "n_subschemas", "n_values", "notes", "snapshot")

    def __init__(
        self,
        snapshot: Snapshot,
        records: npt.NDArray[np.int32],
        notes: list[list[int]],
        n_subschemas: int,
        n_values: int,
    ) -> None:
        self.snapshot = snapshot
        self._array = snapshot.array
        self._records = records
        self._rows = records.data
        self.notes = notes
        self.n_subschemas = n_subschemas
        self.n_values = n_values

    @property
    def data(self) -> npt.NDArray[np.uint8]:
        """The snapshot."""
        return self._array

    @property
    def records(self) -> npt.NDArray[np.int32]:
        """int32 (n, `RECORD_SIZE`), as `structgen_kernels.schema_survey` writes them."""
        return self._records

    @property
    def n_records(self) -> int:
        return len(self._records)

    def place(self, number: int) -> tuple[int, str, tuple[str | int, ...]]:
        """The subschema that another one, not the root, stands in; in which keyword; and where in that."""
        parent = self._rows[number, layout.PARENT]
        if not self.flags(parent) & layout.HOLDER:
            return parent, str(self.name(number)), ()
        return self._rows[parent, layout.PARENT], str(self.name(parent)), (self.name(number),)

    def schema(self, number: int) -> Any:
        """A subschema, or what a keyword has its subschemas in; of large ones what is in them is read when it
        is asked for.
        """
        begin, end = self._rows[number, layout.BEGIN], self._rows[number, layout.LIMIT]
        flags = self._rows[number, layout.FLAGS]
        if flags & layout.TAGGED:
            return Options(self, number)  # which may refer to more than they are
        if end - begin <= _READ_WHOLE or self._rows[number, layout.LAST] == number:
            return self.snapshot.part(begin, end)
        if flags & layout.HOLDER:
            return Members(self, number) if self.snapshot.data[begin] == DICT else Options(self, number)
        found: dict[str, Any] = {}
        for key, value, end, inner in self._members(number):
            name = self.snapshot.part(key, value)
            found[name] = self.snapshot.part(value, end) if inner < 0 else self.schema(inner)
        return found

    def _members(self, number: int) -> list[list[int]]:
        room_for = 64
        with room() as work:
            while True:
                members = np.empty((room_for, layout.MEMBER_SIZE), np.int32)
                n = kernels.members_of(self._array, self._records, number, work.stack, members)
                if n >= 0:
                    return members[:n].tolist()  # type: ignore[no-any-return]
                room_for *= 4

    def inside(self, number: int) -> list[int]:
        """The subschemas that are in a keyword's object or array, in their order."""
        rows, last = self._rows, self._rows[number, layout.LAST]
        found = []
        inner = number + 1
        while inner <= last:
            found.append(inner)
            inner = rows[inner, layout.LAST] + 1
        return found

    def is_alive(self, number: int) -> bool:
        """Has a subschema plainly a value? Where it is no more than a $ref: what that names."""
        flags = self.flags(number)
        if flags == layout.REFERRING and self._rows[number, layout.TARGET] >= 0:
            flags = self.flags(self._rows[number, layout.TARGET])
        return bool(flags & layout.ALIVE)

    def first_member(self, number: int) -> int:
        """The first subschema in ``properties``, of a subschema that is known to have one."""
        return int(self._rows[number, layout.MEMBERS]) + 1

    def name(self, number: int) -> str | int:
        """The keyword, name or index that a subschema stands under."""
        at = self._rows[number, layout.NAME]
        if at < 0:
            return int(-1 - at)
        data = self.snapshot.data
        if data[at] == SHORT_ASCII:
            return data[at + 2 : at + 2 + data[at + 1]].decode()
        size = int.from_bytes(data[at + 1 : at + 5], "little")
        name: str = self.snapshot.part(at, at + 5 + size)
        return name

    def pointer(self, number: int) -> str:
        """The JSON Pointer of a subschema."""
        parts: list[str] = []
        while number > 0:
            parts.append(escape(str(self.name(number))))
            number = self._rows[number, layout.PARENT]
        return "/".join(["", *reversed(parts)])

    def flags(self, number: int) -> int:
        """What is plain about it: `structgen_kernels.schema_survey` has the flags."""
        return int(self._rows[number, layout.FLAGS])

    def contents(self) -> Contents:
        """What a scan, subschema by subschema, would have noted."""
        contents = Contents()
        if not self.notes:
            return contents
        references = [note for note in self.notes if note[0] == layout.REFERENCE]
        contents.references += [
            Reference(region, base, self._string(at)) for _, _, region, base, at in references
        ]
        holder, before = -1, ""  # mostly the same for all regions
        for kind, number, region, _, _ in self.notes:
            if kind == layout.REGION:
                if references:
                    if self._rows[number, layout.PARENT] != holder:
                        holder = self._rows[number, layout.PARENT]
                        before = f"{self.pointer(holder)}/"
                    contents.add_region(before + escape(str(self.name(number))))
            elif kind == layout.PATTERNED:
                contents.patterned.append(Patterned(region, True, self.schema(number), self.pointer(number)))
        return contents

    def _string(self, at: int) -> str:
        data = self.snapshot.data
        if data[at] == SHORT_ASCII:
            return data[at + 2 : at + 2 + data[at + 1]].decode()
        found: str = self.snapshot.part(at, at + 5 + int.from_bytes(data[at + 1 : at + 5], "little"))
        return found


class _Unread:
    """In the place of what was not read yet: nobody else takes it for a schema."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<unread>"


_UNREAD = _Unread()


class Members(dict[str, Any]):
    """Subschemas by name, which are read when they are asked for."""

    __slots__ = ("_numbers", "_survey")

    def __init__(self, survey: Survey, number: int) -> None:
        self._survey = survey
        self._numbers: dict[str, int] = {str(survey.name(inner)): inner for inner in survey.inside(number)}
        super().__init__(dict.fromkeys(self._numbers, _UNREAD))

    def __getitem__(self, name: str) -> Any:
        found = super().__getitem__(name)
        if found is _UNREAD:
            found = self._survey.schema(self._numbers[name])
            super().__setitem__(name, found)
        return found

    def is_alive(self, name: str) -> bool:
        """Has one of them plainly a value?"""
        return self._survey.is_alive(self._numbers[name])

    def get(self, name: str, default: Any = None) -> Any:
        found = super().get(name, default)
        return self[name] if found is _UNREAD else found

    def __iter__(self) -> Iterator[str]:  # its being here keeps `dict` from copying what is unread
        return super().__iter__()

    def values(self) -> Any:
        return ValuesView(self)

    def items(self) -> Any:
        return ItemsView(self)

    def keys(self) -> Any:
        return KeysView(self)

    def copy(self) -> dict[str, Any]:
        return dict(self.items())

    def __reduce__(self) -> Any:
        return dict, (self.copy(),)

    def __or__(self, other: Any) -> Any:
        return self.copy() | other

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mapping) and self.copy() == dict(other.items())

    __hash__ = None


class Options(list[Any]):
    """Subschemas in their order, which are read when they are asked for. ``flags``: what is plain of all."""

    __slots__ = ("_numbers", "_survey", "flags")

    def __init__(self, survey: Survey, number: int) -> None:
        self._survey = survey
        self._numbers = survey.inside(number)
        self.flags = survey.flags(number)
        super().__init__([_UNREAD] * len(self._numbers))

    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, slice):
            return [self[i] for i in range(*at.indices(len(self)))]
        found = super().__getitem__(at)
        if found is _UNREAD:
            found = self._survey.schema(self._numbers[at])
            super().__setitem__(at, found)
        return found

    def __iter__(self) -> Iterator[Any]:
        return map(self.__getitem__, range(len(self)))

    def __reversed__(self) -> Iterator[Any]:
        return map(self.__getitem__, range(len(self) - 1, -1, -1))

    def __contains__(self, value: object) -> bool:
        return value in [*self]

    def copy(self) -> list[Any]:
        return [*self]

    def __reduce__(self) -> Any:
        return list, (self.copy(),)

    def __add__(self, other: Any) -> Any:
        return self.copy() + other

    def __eq__(self, other: object) -> bool:
        return [*self] == ([*other] if isinstance(other, Options) else other)

    __hash__ = None

    @property
    def is_alive(self) -> bool:
        """Have all of them plainly a value, and is each harmless (`keyword_sets`)?"""
        return bool(self.flags & layout.ALIVE)

    @property
    def is_tagged(self) -> bool:
        """Are all plain objects that have a value, and whose first member must be there, has the same name
        in each, and is one of a few strings?
        """
        return bool(self.flags & layout.TAGGED)

    @property
    def tag(self) -> str:
        """The name of the first member in all of them, where they are tagged."""
        return str(self._survey.name(self._survey.first_member(self._numbers[0])))

    def tags(self, at: int) -> tuple[str, ...]:
        """The strings that the first member of one of them may be, where they are tagged."""
        asked = self._survey.schema(self._survey.first_member(self._numbers[at]))
        return tuple(dict.fromkeys(asked["enum"] if "enum" in asked else (asked["const"],)))


def survey(
    snapshot: Snapshot, dialect: Dialect, options: SchemaOptions, named_at: int = 0
) -> Survey | int | None:
    """Look at a whole schema in a dialect, named at ``named_at``. A number: it is named there, rather.
    None where it must be looked at closely: it may be no schema, or holds what only a scan of single
    subschemas understands.
    """
    if DIALECTS.get(dialect.draft) is not dialect:
        return None
    known = _tables.get(dialect.draft)
    if known is None:
        known = _tables[dialect.draft] = _rules(dialect), _limits(dialect)
        if not _words_table:
            _words_table.append(_words())
    rules, limits = known[0], known[1].copy()
    limits[layout.MAX_DEPTH] = options.max_depth
    limits[layout.MAX_SUBSCHEMAS] = min(options.max_subschemas, _UNLIMITED)
    limits[layout.MAX_VALUES] = min(options.max_values, _UNLIMITED)
    with room() as work:
        while True:
            n = kernels.survey(
                snapshot.array,
                _words_table[0],
                rules,
                work.records,
                work.notes,
                work.frames,
                work.stack,
                limits,
            )
            if limits[layout.DIALECT] not in (0, named_at):
                return int(limits[layout.DIALECT])
            if n >= 0:
                notes = work.notes[: limits[layout.N_NOTES]].tolist()
                counts = int(limits[layout.N_SUBSCHEMAS]), int(limits[layout.N_VALUES])
                records = work.records[:n].copy()
                snapshot.n_looked_up = records.nbytes
                return Survey(snapshot, records, notes, *counts)
            if n == layout.UNCLEAR or work.records.shape[0] >= _MOST_RECORDS:
                return None
            work.records = np.empty((4 * work.records.shape[0], layout.RECORD_SIZE), np.int32)
            work.notes = np.empty((4 * work.notes.shape[0], layout.NOTE_SIZE), np.int32)


__all__ = ["Members", "Options", "Survey", "dialect_at", "dialect_name", "survey"]
