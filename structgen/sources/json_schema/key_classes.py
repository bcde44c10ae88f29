"""The names of an object's other members, in classes that are treated alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from structgen.errors import CompileLimitError
from structgen.sources.json_schema.facts import (
    Conjunction,
    MemberTable,
    ObjectFacts,
    OtherMember,
    Pattern,
    StringFacts,
)
from structgen.sources.json_schema.merge import conjoin
from structgen.sources.json_schema.normal_form import NormalForms
from structgen.sources.json_schema.options import SchemaOptions
from structgen.sources.json_schema.spelling import Spelled, is_written, string_automata
from structgen.sources.json_schema.string_samples import surely_has_string, surely_has_strings
from structgen.sources.json_schema.strings import (
    few_texts,
    merge_strings,
    patterns_apart,
    string_language,
    string_values,
)
from structgen.sources.json_schema.values import STRING, is_spellable

# So many other names are told apart one by one when there are no more; of larger sets it is remembered which
# were seen.
_MOST_LISTED = 64
_MOST_NEEDED = 1_000  # names of a finite class that are listed because so many members must be there
_ENOUGH = 17  # names of a class that make it one without end, if no more members must be there
_NONE: frozenset[Any] = frozenset()  # one for all


@dataclass(frozen=True, slots=True)
class KeyClass:
    """Names of other members that are all treated alike. ``patterns``: texts of those that match them."""

    names: StringFacts
    patterns: frozenset[str]
    inner: Conjunction
    keys: frozenset[int]  # places of the witnesses whose ``key`` these names satisfy


_Found = tuple[StringFacts, frozenset[str], frozenset[int]]
"""What `KeyClass` has as ``names``, ``patterns`` and ``keys``."""


class KeyClasses:
    """Finds them, for the facts of objects. ``ordered``: names that are in no class.

    Raises `CompileLimitError` where patterns combine in too many ways.
    """

    __slots__ = ("_facts", "_forms", "_options", "_ordered", "_spelled")

    def __init__(
        self,
        facts: ObjectFacts,
        ordered: Sequence[str],
        forms: NormalForms,
        options: SchemaOptions,
        spelled: Spelled | None,
    ) -> None:
        self._facts = facts
        self._ordered = ordered
        self._forms = forms
        self._options = options
        self._spelled = spelled

    def found(self) -> tuple[tuple[KeyClass, ...], tuple[str, ...], tuple[Conjunction, ...]]:
        """The classes without end, the names of the others, and what names satisfy as witnesses."""
        facts = self._facts
        for table in facts.tables:
            if not table.patterns and table.others and table.others[0].is_false:
                return (), (), ()  # closed, as most are
        deciding: dict[str, Pattern] = {}  # patterns that decide what a member has to satisfy
        witnessing: dict[str, Pattern] = {}
        keys: list[Conjunction] = []
        for table in facts.tables:
            deciding.update((pattern.text, pattern) for pattern, _ in table.patterns)
        for clause in facts.clauses:
            for witness in clause:
                if isinstance(witness, OtherMember):
                    if witness.pattern is not None:
                        witnessing[witness.pattern.text] = witness.pattern
                    if witness.table is not None:
                        deciding.update((pattern.text, pattern) for pattern, _ in witness.table.patterns)
                    if witness.key is not None and witness.key not in keys:
                        keys.append(witness.key)
        found: list[_Found] = [(StringFacts(excluded=frozenset(self._ordered) or _NONE), _NONE, _NONE)]
        if facts.keys:
            found = [
                (merged, _NONE, _NONE)
                for names, _, _ in found
                for allowed in self._forms.of(facts.keys).by_type[STRING]
                if isinstance(allowed, StringFacts) and (merged := merge_strings(names, allowed)) is not None
            ]
        for text, pattern in {**witnessing, **deciding}.items():
            found = self._split(found, text, pattern)
            self._limited(len(found), pattern.pointer)
            self._forms.deadline.check(pattern.pointer)
        for i, key in enumerate(keys):
            held_too = [
                (merged, texts, held | {i})
                for names, texts, held in found
                for allowed in self._forms.of(key).by_type[STRING]
                if isinstance(allowed, StringFacts)
                and (merged := merge_strings(names, allowed)) is not None
                and self._exists(merged)
            ]
            found = [*found, *held_too]
            self._limited(len(found), key[0].pointer if key else "")
        classes: list[KeyClass] = []
        listed: dict[str, None] = {}
        enough = max(_ENOUGH, facts.min_members)
        limit = max(_MOST_LISTED, min(facts.min_members, _MOST_NEEDED))
        for names, texts, held in found:
            inner: Conjunction = ()
            for table in facts.tables:
                inner = conjoin(inner, _of_class(table, texts))
            if inner and inner[0].is_false:
                continue
            if self._spelled is None and surely_has_strings(names, enough):
                classes.append(KeyClass(names, texts, inner, held))
                continue
            values = string_values(names, limit, self._options.max_states)
            if values is None:
                if is_written(string_automata(names, self._options, whole=True), self._spelled):
                    classes.append(KeyClass(names, texts, inner, held))
            else:
                listed.update(dict.fromkeys(values))
        if listed:  # they are names on their own, of which no class may hold another copy
            apart = StringFacts(excluded=frozenset(listed))
            classes = [replace(c, names=merge_strings(c.names, apart) or c.names) for c in classes]
        return tuple(classes), tuple(listed), tuple(keys)

    def _split(self, classes: list[_Found], text: str, pattern: Pattern) -> list[_Found]:
        """Each class in those names that match a pattern and those that do not, as far as there are any."""
        few = few_texts(pattern, _MOST_LISTED)
        if few is not None and all(map(is_spellable, few)):  # names, told from others without an automaton
            meant, others = StringFacts(values=few), StringFacts(excluded=frozenset(few))
        else:
            meant, others = StringFacts(patterns=(pattern,)), StringFacts(missed=(pattern,))
        split: list[_Found] = []
        for names, texts, held in classes:
            if patterns_apart((*names.patterns, pattern)):
                split.append((names, texts, held))
                continue
            inside = merge_strings(names, meant)
            if inside is not None:
                inside = _without_missed_anyway(inside)
                if self._exists(inside):
                    split.append((inside, texts | {text}, held))
            outside = merge_strings(names, others)
            if outside is not None and self._exists(outside):
                split.append((outside, texts, held))
        return split

    def _exists(self, names: StringFacts) -> bool:
        return surely_has_string(names) or bool(string_language(names, self._options.max_states))

    def _limited(self, number: int, pointer: str) -> None:
        if number > self._options.max_alternatives:
            raise CompileLimitError("max_alternatives", self._options.max_alternatives, number, pointer)


def _without_missed_anyway(names: StringFacts) -> StringFacts:
    """The same names, without the patterns that none of them has anyway."""
    if not (names.missed and names.patterns):
        return names
    missed = tuple(p for p in names.missed if not patterns_apart((*names.patterns, p)))
    return names if len(missed) == len(names.missed) else replace(names, missed=missed)


def _of_class(table: MemberTable, texts: frozenset[str]) -> Conjunction:
    found: Conjunction = ()
    matched = False
    for pattern, inner in table.patterns:
        if pattern.text in texts:
            matched = True
            found = conjoin(found, inner)
    return found if matched else table.others
