"""Compiled grammars, and the file that holds one."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from gc import is_tracked
from typing import TYPE_CHECKING, Any

import numpy.typing as npt
from referencing import Registry

from structgen.budget import Budget
from structgen.dormant_states import DormantStates, Use
from structgen.errors import ArtifactError
from structgen.general_store import load_general_store
from structgen.growing import GrowingTables
from structgen.growth import Growth
from structgen.lexed_machine import LexedMachine
from structgen.lexed_store import LexedStore
from structgen.lexing.tables import LexedTables, lexed_layout_digest
from structgen.machine import Machine
from structgen.mask_store import MaskStore
from structgen.matcher import Matcher
from structgen.saved_entries import SavedEntries, saved_arrays
from structgen.schema_tables import AHEAD, SavedTables, as_tables, schema_tables
from structgen.sources.json_schema import Snapshot
from structgen.store_entries import stored_states
from structgen.tables import Tables, layout_digest
from structgen.tensor_file import read_tensors, write_tensors
from structgen.untracked import untrack, untrack_one
from structgen.vocabulary import Vocabulary

if TYPE_CHECKING:
    from structgen.explanation import Explanation

_KIND = "compiled-grammar"
MAX_SAVED_ENTRIES = 4096
_SOURCE_BYTES = 20  # for a character of a grammar's text; measured on JSON Schemas
_ENTRIES = "2"  # version of how a file holds the mask store's entries


@dataclass(frozen=True, slots=True)
class GrammarSource:
    """Where a compiled grammar came from: ``kind`` ('regex', 'lark', ...), ``text`` and ``options``.

    ``given``: the text, or a snapshot of a schema that was given as Python objects.
    """

    kind: str
    given: str | Snapshot
    options: Mapping[str, object] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return self.given if isinstance(self.given, str) else self.given.text

    @property
    def nbytes(self) -> int:
        """Bytes that what was given takes; where it is a text, with what is made of it, about."""
        given = self.given
        return _SOURCE_BYTES * len(given) if isinstance(given, str) else given.nbytes


class CompiledGrammar:
    """A grammar for one vocabulary. Immutable but for caches, and safe to share between threads.

    Made by a `Compiler` or by `load`. ``source``: what it was compiled from. ``warnings``: what a lenient
    compile left out, as (where, what).
    """

    __slots__ = (
        "__weakref__",
        "_budget",
        "_lexed_store",
        "_machine",
        "_machine_lock",
        "_saved",
        "_store",
        "source",
        "tables",
        "warnings",
    )

    def __init__(
        self,
        tables: Tables | GrowingTables | LexedTables,
        store: MaskStore,
        source: GrammarSource,
        *,
        warnings: tuple[tuple[str, str], ...] = (),
        saved: SavedEntries | None = None,
        lexed_store: LexedStore | None = None,
        budget: Budget | None = None,
    ) -> None:
        self.tables = tables
        self.source = source
        self.warnings = warnings
        self._store = store
        self._saved = saved
        self._machine: Machine | LexedMachine | None = None
        self._lexed_store = lexed_store
        self._budget = budget
        if isinstance(tables, LexedTables) and lexed_store is None:
            self._lexed_store = LexedStore(tables, store)
        self._machine_lock = threading.Lock()  # of all machines there will be: tables grow under it
        if budget is not None:
            budget.expect(self)

    @property
    def vocabulary(self) -> Vocabulary:
        return self._store.vocabulary

    @property
    def machine(self) -> Machine | LexedMachine:
        """The run-time records that all matchers share, made at the first use."""
        machine = self._machine
        if machine is None or machine.is_retired:
            with self._machine_lock:
                machine = self._machine
                if machine is None or machine.is_retired:
                    machine = self._machine = self._new_machine()
            self.report()
        elif self._budget is not None:
            self._budget.touch(self)
        return machine

    def _new_machine(self) -> Machine | LexedMachine:
        limit = None if self._budget is None else self._budget.machine_bytes
        growth = Growth(limit, None if self._budget is None else self._budget.reference(self))
        if isinstance(self.tables, LexedTables):
            return LexedMachine(self.tables, self._store, self._lexed_store, growth)
        machine = Machine(self.tables, self._store, self._saved, growth, self._machine_lock)
        if not is_tracked(self):
            machine.untrack()
        return machine

    def untrack(self) -> None:
        """Not for the garbage collector to look at (see `structgen.untracked`): hundreds are kept.
        Whoever calls this knows that ``source`` refers to nothing but plain values.
        """
        untrack_one(self)
        untrack(self.source)
        if isinstance(self.tables, GrowingTables):
            untrack_one(self.tables)
            if isinstance(self.tables.source, DormantStates):
                self.tables.source.untrack()
        if isinstance(self._machine, Machine):
            self._machine.untrack()

    def report(self) -> None:
        """Tell the budget how much memory this takes now."""
        if self._budget is not None:
            self._budget.report(self)

    def shed(self) -> None:
        """Drop the run-time records. Matchers that are alive read their text again at their next token."""
        machine = self._machine
        self._machine = None
        if machine is not None:
            machine.growth.end()

    def in_use(self) -> Use | None:
        """To be kept while a text is read under this grammar: its states do not sleep so soon then."""
        source = self.tables.source if isinstance(self.tables, GrowingTables) else None
        return source.use() if isinstance(source, DormantStates) else None

    def matcher(self) -> Matcher:
        """A new matcher at the beginning of a text."""
        return Matcher(self)

    def explain(self, text: str | bytes) -> Explanation | None:
        """Why a text does not match: where, what was allowed there, which rules refused it. None: it matches.

        It is looked at byte by byte: whether tokens spell it so does not count.
        """
        from structgen.explanation import explain

        return explain(self, text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text)

    @property
    def store(self) -> MaskStore:
        return self._store

    @property
    def n_terminal_states(self) -> int:
        """States of all terminal automata (counted terminals' implicit copies not counted)."""
        return self.tables.n_terminal_states

    @property
    def n_parser_states(self) -> int:
        return self.tables.n_parser_states

    @property
    def nbytes(self) -> int:
        """Bytes of memory this grammar holds: tables and run-time records, the shared store not counted.

        What Python's objects take is an estimate.
        """
        machine, lexed = self._machine, self._lexed_store
        size = self.tables.nbytes + self.source.nbytes
        return size + (0 if machine is None else machine.nbytes) + (0 if lexed is None else lexed.nbytes)

    def precompute(self, progress: Callable[[int, int], None] | None = None) -> int:
        """Compute the mask store's entries of all terminal states that need one. Returns how many there are.

        ``progress(done, total)`` is called after each. At most `MAX_SAVED_ENTRIES`; further ones are computed
        when they are met.
        """
        if self._lexed_store is not None:
            return self._lexed_store.complete(progress)
        tables = self._exact_tables()
        states = stored_states(self._store.walks, tables)[:MAX_SAVED_ENTRIES]
        for done, state in enumerate(states):
            self._store.entry(tables, state, self._saved)
            if progress is not None:
                progress(done + 1, len(states))
        return len(states)

    def _exact_tables(self) -> Tables | GrowingTables:
        if isinstance(self.tables, LexedTables):
            raise TypeError("a grammar with a lexer has no terminal states of its own")
        return self.tables

    def save(
        self, path: str | os.PathLike[str], *, progress: Callable[[int, int], None] | None = None
    ) -> None:
        """Write the grammar and its part of the mask store to one file, whole or not at all.

        Raises OSError as the file system does.
        """
        tables = self.tables
        if isinstance(tables, LexedTables):
            self._save_lexed(path, tables, progress)
            return
        if isinstance(tables, GrowingTables):
            # made anew: what was met in a text so far does not belong into a file
            source = self.source
            tables = as_tables(
                schema_tables(source.text, source.options, self.vocabulary, AHEAD, timed=False)
            )
            ahead = CompiledGrammar(tables, self._store, source, warnings=self.warnings)
            ahead.save(path, progress=progress)
            return
        states = stored_states(self._store.walks, tables)[:MAX_SAVED_ENTRIES]
        contents = []
        for done, state in enumerate(states):
            contents.append(self._store.content(tables, state))
            if progress is not None:
                progress(done + 1, len(states))
        arrays: dict[str, npt.NDArray[Any]] = {
            "static": tables.static,
            "classes": tables.classes,
            "bases": tables.bases,
            "digests": tables.digests,
            "heads": tables.heads,
            **saved_arrays(states, contents, self._store),
        }
        metadata = {**self._metadata(_layout()), "accepts_empty": str(int(tables.accepts_empty))}
        write_tensors(path, _KIND, arrays, metadata)

    def _metadata(self, layout_of_tables: str) -> dict[str, str]:
        return {
            "layout": layout_of_tables,
            "vocabulary": self.vocabulary.digest.hex(),
            "source_kind": self.source.kind,
            "source_text": self.source.text,
            "source_options": json.dumps(_written_options(self.source.options), default=str),
            "warnings": json.dumps(self.warnings),
        }

    def _save_lexed(
        self,
        path: str | os.PathLike[str],
        tables: LexedTables,
        progress: Callable[[int, int], None] | None,
    ) -> None:
        if self._lexed_store is None:
            raise TypeError("a grammar with a lexer has a store of its own")
        self._lexed_store.complete(progress)
        arrays = {"static": tables.static, **self._lexed_store.saved()}
        metadata = {
            **self._metadata(lexed_layout_digest()),
            "lexed": "1",
            "names": json.dumps(tables.names),
            "n_conflicts": str(tables.n_conflicts),
        }
        write_tensors(path, _KIND, arrays, metadata)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        vocabulary: Vocabulary,
        *,
        store: MaskStore | None = None,
        budget: Budget | None = None,
    ) -> CompiledGrammar:
        """Read what `save` wrote, memory-mapped. ``store`` and ``budget``: a mask store and a bound of
        memory to share, as `Compiler.load` does.

        Raises `ArtifactError` when the file is missing, damaged, truncated, of another version, or was
        compiled for another vocabulary.
        """
        file = read_tensors(path, _KIND)
        metadata, arrays = file.metadata, file.arrays
        if metadata.get("vocabulary") != vocabulary.digest.hex():
            raise ArtifactError(
                path,
                "compiled for another vocabulary "
                f"({metadata.get('vocabulary', '?')[:8]}, not {vocabulary.digest.hex()[:8]})",
                "compile it again with this tokenizer, or load it with the one it was made for",
            )
        is_lexed = metadata.get("lexed") == "1"
        if metadata.get("layout") != (lexed_layout_digest() if is_lexed else _layout()):
            raise ArtifactError(
                path, "compiled by another version of structgen, which lays its tables out otherwise"
            )
        if store is None:
            store = MaskStore(vocabulary, load_general_store(vocabulary))
        try:
            if is_lexed:
                return cls._loaded_lexed(arrays, metadata, store, budget)
            tables = Tables(
                arrays["static"],
                arrays["classes"],
                arrays["bases"],
                arrays["digests"],
                arrays["heads"],
                metadata["accepts_empty"] == "1",
            )
            saved = SavedEntries(arrays, store.walks)
            source = GrammarSource(
                metadata["source_kind"], metadata["source_text"], json.loads(metadata["source_options"])
            )
            warnings = tuple((str(w[0]), str(w[1])) for w in json.loads(metadata["warnings"]))
            if source.kind == "json_schema":
                tables = SavedTables(
                    tables,
                    path,
                    lambda: schema_tables(source.text, source.options, vocabulary, AHEAD, timed=False),
                )
        except KeyError as error:
            raise ArtifactError(path, f"not a whole artifact: {error} is missing") from None
        return cls(tables, store, source, warnings=warnings, saved=saved, budget=budget)

    @classmethod
    def _loaded_lexed(
        cls,
        arrays: Mapping[str, npt.NDArray[Any]],
        metadata: Mapping[str, str],
        store: MaskStore,
        budget: Budget | None,
    ) -> CompiledGrammar:
        tables = LexedTables(
            arrays["static"], tuple(json.loads(metadata["names"])), int(metadata["n_conflicts"])
        )
        lexed_store = LexedStore(tables, store)
        lexed_store.restore(arrays)
        options = json.loads(metadata["source_options"])
        source = GrammarSource(metadata["source_kind"], metadata["source_text"], options)
        return cls(tables, store, source, lexed_store=lexed_store, budget=budget)

    def __repr__(self) -> str:
        return (
            f"CompiledGrammar({self.source.kind}, {self.n_parser_states:,} parser states, "
            f"{self.n_terminal_states:,} terminal states, {self.nbytes:,} bytes)"
        )


def _layout() -> str:
    return f"{layout_digest()}-{_ENTRIES}"


def _written_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options as JSON has them."""
    written = dict(options)
    registry = written.get("registry")
    if isinstance(registry, (Mapping, Registry)):
        from structgen.sources.json_schema.remote import all_schemas

        written["registry"] = all_schemas(registry)
    return written
