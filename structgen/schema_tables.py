"""Tables of a JSON Schema: made from its text, and taken up again from a file."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from structgen.dormant_states import Awake, DormantStates
from structgen.errors import (
    ArtifactError,
    CompileLimitError,
    UnsatisfiableSchemaError,
    UnsupportedSchemaError,
)
from structgen.growing import GrowingTables
from structgen.parser_states import Usual, UsualParts
from structgen.rtn import MAX_PARSER_STATES
from structgen.sources.json_schema import SchemaStates, Snapshot, json_schema_states
from structgen.sources.json_schema.keywords import Draft
from structgen.symbols import spelled
from structgen.tables import Int32Array, Tables, Terminal
from structgen.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class Extent:
    """How far a schema is compiled ahead of its use: until so many parser states were described, or have a
    number, or there are so many states of terminals. ``leaves_open``: without the values of members that take
    more than a look at the schema. The rest is made when text first comes there.
    """

    max_states: int
    max_table: int
    max_numbers: int = MAX_PARSER_STATES
    leaves_open: bool = False


AT_ONCE = Extent(8, 300, 100, True)  # measured: the rest is made in the time of the masks that come to it
AHEAD = Extent(20_000, 200_000)  # of a file
WHOLE = Extent(MAX_PARSER_STATES, 2**26 - 1)


def schema_tables(
    schema: Mapping[str, Any] | bool | str | Snapshot,
    options: Mapping[str, object],
    vocabulary: Vocabulary,
    extent: Extent,
    *,
    timed: bool = True,
    awake: Awake | None = None,
    text: str | Snapshot = "",
) -> GrowingTables:
    """The tables of a schema, whose states are known as far as ``extent`` says.

    ``timed``: does ``max_seconds`` count? Not for what was compiled before. ``awake``: where the states are
    noted, so that they may be given back while they are not needed; ``text``: the schema, as JSON or so,
    from which they are then made again. Raises as `json_schema_states`; and where not every byte is
    a token, so that all states must be known, `CompileLimitError` for a schema that has too many,
    `UnsupportedSchemaError` for one whose states hang on the values of items.
    """
    restricted = _restricted(vocabulary)
    states = _states(schema, options, vocabulary, timed=timed)
    whole = vocabulary.is_byte_complete
    source: SchemaStates | DormantStates = states
    if awake is not None and whole:  # else all states are known
        source = DormantStates(states, _Again(text, options, vocabulary), awake)
    usual = _usual(states, options, vocabulary) if whole else None
    tables = GrowingTables(source, vocabulary.eos_token_ids, vocabulary.max_token_length, restricted, usual)
    chosen = extent if whole else WHOLE
    if chosen.leaves_open:
        states.recall_scalars()
    is_all = tables.expand_some(
        chosen.max_states, chosen.max_table, chosen.max_numbers, leaves_open=chosen.leaves_open
    )
    if not is_all and not whole:
        raise CompileLimitError("max_parser_states", MAX_PARSER_STATES, MAX_PARSER_STATES + 1, fixed=True)
    if states.telling_apart and not whole:
        # whether such an array can be ended hangs on texts that are yet to be written
        reason = "items are told apart by their values, and not every byte is a token of the vocabulary"
        raise UnsupportedSchemaError(states.telling_apart, "uniqueItems", reason)
    states.lift_deadline()
    tables.rest()
    return tables


_Common = tuple[tuple[Terminal, ...], Hashable, UsualParts | None]
# Terminals, their name, and what plain containers have in common, where no option is given: by dialect, and
# by whether the schema was looked at as a whole.
_usual_by_default: dict[tuple[Draft, bool], _Common] = {}


def _usual(states: SchemaStates, options: Mapping[str, object], vocabulary: Vocabulary) -> Usual:
    """What the tables of schemas with these options begin with."""
    any_value = None if options.get("indent") is not None else partial(_any_value, options, vocabulary)
    kind = states.draft, states.n_records > 0
    known: _Common | None = None if options else _usual_by_default.get(kind)
    if known is None:
        terminals = states.usual_terminals()
        digests = tuple(terminal.digest for terminal in terminals)
        known = terminals, digests, states.usual_parts if states.n_records else None
        if not options:
            _usual_by_default[kind] = known
    terminals, name, parts = known
    return Usual(terminals, any_value, name, parts)


def _restricted(vocabulary: Vocabulary) -> Callable[[Terminal], Terminal | None] | None:
    """Takes from terminals what the vocabulary cannot spell; None where it has all bytes."""
    if vocabulary.has_all_bytes:
        return None
    alphabet = vocabulary.alphabet

    def spell(terminal: Terminal) -> Terminal | None:
        return spelled(terminal, alphabet)

    return spell


def _states(
    schema: Mapping[str, Any] | bool | str | Snapshot,
    options: Mapping[str, object],
    vocabulary: Vocabulary,
    *,
    timed: bool,
) -> SchemaStates:
    restricted = _restricted(vocabulary)
    chosen_options = dict(options) if timed else {**options, "max_seconds": float("inf")}
    try:
        states = json_schema_states(schema, restricted, **chosen_options)
    except UnsatisfiableSchemaError as error:
        if restricted is None:
            raise
        reason = f"{error.reason}, as far as the vocabulary's tokens can spell it"
        raise UnsatisfiableSchemaError(error.pointer, reason) from None
    if vocabulary.is_byte_complete:
        states.bar_names()
    return states


def _any_value(options: Mapping[str, object], vocabulary: Vocabulary) -> SchemaStates:
    """The states of the schema ``true``, which those of any other have, too."""
    return _states(True, options, vocabulary, timed=False)


@dataclass(frozen=True, slots=True)
class _Again:
    """Makes the states of a schema again, from its text."""

    text: str | Snapshot
    options: Mapping[str, object]
    vocabulary: Vocabulary

    def __call__(self) -> SchemaStates:
        states = _states(self.text, self.options, self.vocabulary, timed=False)
        states.lift_deadline()
        states.recall_scalars()
        return states


def schema_warnings(tables: GrowingTables) -> tuple[tuple[str, str], ...]:
    """What a lenient compile left out, as (pointer, what)."""
    source = tables.source
    return source.warnings if isinstance(source, SchemaStates | DormantStates) else ()


class SavedTables(Tables):
    """Tables read from a file, which `revived` makes grow again where text comes to a state without edges."""

    __slots__ = ("_made_anew", "_path")
    _made_anew: Callable[[], GrowingTables]
    _path: object

    def __init__(self, tables: Tables, path: object, made_anew: Callable[[], GrowingTables]) -> None:
        super().__init__(
            tables.static, tables.classes, tables.bases, tables.digests, tables.heads, tables.accepts_empty
        )
        object.__setattr__(self, "_path", path)
        object.__setattr__(self, "_made_anew", made_anew)

    def revived(self) -> GrowingTables:
        """The same tables, growing. Raises `ArtifactError` when this version of structgen makes others."""
        tables: GrowingTables = self._made_anew()
        tables.compact()
        if not np.array_equal(tables.static, self.static):
            raise ArtifactError(self._path, "compiled by another version of structgen, whose states differ")
        return tables


def as_tables(growing: GrowingTables) -> Tables:
    """What a file holds of growing tables, which are made compact."""
    growing.compact()
    bases, digests, heads = growing.origins()
    classes = growing.classes.copy()
    static: Int32Array = growing.static.copy()
    for array in (classes, static):
        array.flags.writeable = False
    return Tables(static, classes, bases, digests, heads, growing.accepts_empty)
