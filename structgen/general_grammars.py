"""What the mask store's file holds: the terminals of general JSON texts, written down once.

They are chosen by what JSON and JSON Schema have for everybody, not by any schema that was seen: each type by
itself, each format, lengths, and white space in each of its forms. What a grammar has of its own (names of
properties, patterns, values of an enum) is no business of the file.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from structgen import cache
from structgen.general_store import (
    KIND,
    GeneralStore,
    load_general_store,
    store_key,
    write_general_store,
)
from structgen.growing import GrowingTables
from structgen.mask_store import MaskStore
from structgen.schema_tables import Extent, schema_tables
from structgen.sources.json_schema.formats import FORMATS, open_format_automata
from structgen.store_entries import stored_states
from structgen.vocabulary import Vocabulary

Progress = Callable[[int, int, str], None]
LEAST_NODES = 50_000  # of a trie; in a smaller one an entry costs less to find than to look up
_EXTENT = Extent(2_000, 20_000)
_MOST_STATES = 600  # terminal states of one grammar; in text its further ones are rare, and found then
_LONG = 1000  # more than any token: what is beyond is alike

_ANY: dict[str, Any] = {}
_STRINGS: list[dict[str, Any]] = [
    {"type": "string"},
    {"type": "string", "maxLength": _LONG},
    {"type": "string", "minLength": _LONG},
]
_NUMBERS: list[dict[str, Any]] = [
    {"type": "integer"},
    {"type": "number"},
    {"type": "integer", "minimum": 0},
    {"type": "number", "minimum": 0},
    {"type": "integer", "minimum": 1},
    {"type": "number", "exclusiveMinimum": 0},
]
_CONTAINERS: list[dict[str, Any]] = [
    _ANY,
    {"type": "object"},
    {"type": "object", "additionalProperties": False, "properties": {"a": {"type": "string"}}},
    {"type": "object", "additionalProperties": {"type": "string"}},
    {"type": "array"},
    {"type": "array", "items": {"type": "string"}},
    {"type": "array", "items": {"type": "number"}},
    {"type": "array", "uniqueItems": True},
    {"enum": [True, False, None]},
]
_LAYOUTS: list[dict[str, Any]] = [{}, {"whitespace": "compact"}, {"separators": (", ", ": ")}, {"indent": 2}]


def general_schemas() -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """(name, schema, options) of all that the file is made of."""
    for layout in _LAYOUTS:
        for i, schema in enumerate(_CONTAINERS):
            yield f"container {i}", schema, layout
    for i, schema in enumerate([*_STRINGS, *_NUMBERS]):
        yield f"value {i}", schema, {}
    for escapes in _STRINGS:
        yield "string, as json.dumps writes it", escapes, {"escapes": "needed"}
    for name in sorted(FORMATS):
        yield f"format {name}", {"type": "string", "format": name}, {}


def general_store(vocabulary: Vocabulary, progress: Progress | None = None) -> GeneralStore | None:
    """The vocabulary's store on disk, made when there is none yet; None where the cache folder takes none.

    None as well for a vocabulary whose trie is small. Making it takes seconds; who waits is told on stderr
    unless ``progress(done, total, name)`` is given, which is called after each grammar that it is made from.
    """
    if vocabulary.trie.n_nodes < LEAST_NODES:
        return None
    known = load_general_store(vocabulary)
    if known is not None:
        open_format_automata()
        return known
    if not cache.can_store(KIND, store_key(vocabulary)):
        return None
    if progress is None and sys.stderr is not None:
        print(
            "structgen: making the mask store of this vocabulary, once; this takes a few seconds ...",
            file=sys.stderr,
            flush=True,
        )
    open_format_automata()
    store = MaskStore(vocabulary)
    todo = list(general_schemas())
    for done, (name, schema, options) in enumerate(todo):
        _enter(store, schema, options)
        if progress is not None:
            progress(done + 1, len(todo), name)
    if not write_general_store(vocabulary, store.named(), store.contents(), store.profiles()):
        return None
    return load_general_store(vocabulary)


def _enter(store: MaskStore, schema: Mapping[str, Any], options: Mapping[str, Any]) -> None:
    tables: GrowingTables = schema_tables(schema, options, store.vocabulary, _EXTENT, timed=False)
    for state in stored_states(store.walks, tables)[:_MOST_STATES]:
        store.entry(tables, state)
