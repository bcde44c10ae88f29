"""Which conjunctions have a value: least fixpoints, each over just what must be there."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from math import inf

from structgen.automata import json_text
from structgen.automata.build import literal
from structgen.automata.dfa import Dfa
from structgen.errors import CompileLimitError, UnsatisfiableSchemaError
from structgen.sources.json_schema.arrays import ArrayLanguage
from structgen.sources.json_schema.facts import (
    ArrayFacts,
    Conjunction,
    Facts,
    LiteralFacts,
    NumberFacts,
    ObjectFacts,
    StringFacts,
)
from structgen.sources.json_schema.normal_form import NormalForms, named_member
from structgen.sources.json_schema.numbers import is_number_empty, number_language
from structgen.sources.json_schema.objects import ObjectLanguage
from structgen.sources.json_schema.options import SchemaOptions
from structgen.sources.json_schema.plain_values import Look, plainly_has_value
from structgen.sources.json_schema.pointers import escape
from structgen.sources.json_schema.punctuation import punctuation
from structgen.sources.json_schema.spelling import Spelled, is_written, string_automata
from structgen.sources.json_schema.string_samples import surely_has_string
from structgen.sources.json_schema.strings import Automaton

_DEEPEST = 16  # conjunctions looked at inside each other; each takes some ten frames of Python's stack


class Emptiness:
    """Decides, and keeps, the languages of facts.

    A conjunction has a value when an alternative has one. What an alternative needs is looked at first as if
    nothing had a value; whatever turns out to have one makes more possible, until nothing changes
    (Knaster and Tarski). Only what was needed on the way is looked at: optional members are not.
    """

    def __init__(self, forms: NormalForms, options: SchemaOptions, spelled: Spelled | None) -> None:
        """``spelled``: None where the vocabulary has all bytes."""
        self._forms = forms
        self._options = options
        self._spelled = spelled
        self._decided: dict[Conjunction, bool] = {}
        self._look = Look(forms, options.max_digits is None, self._decided)
        self._most_members, self._most_items = self._most_spelled()
        # by the ids of facts, which are kept with the languages
        self._objects: dict[int, tuple[ObjectFacts, ObjectLanguage]] = {}
        self._arrays: dict[int, tuple[ArrayFacts, ArrayLanguage]] = {}

    def _most_spelled(self) -> tuple[float, float]:
        """How many members and items there is punctuation for in the vocabulary; -1: no brackets."""
        if self._spelled is None:
            return inf, inf
        marks = punctuation(self._options, 1)  # a level with all white space that there may be
        quote = literal(b'"')  # of names
        has = {mark for mark in (*marks, quote) if self._spelled(mark) is not None}

        def most(empty: Dfa, comma: Dfa, *others: Dfa) -> float:
            if not has.issuperset(others):
                return 0 if empty in has else -1
            return inf if comma in has else 1

        around = marks.open_object, marks.end_object, marks.colon, quote
        members = most(marks.empty_object, marks.object_comma, *around)
        return members, most(marks.empty_array, marks.array_comma, marks.open_array, marks.end_array)

    @property
    def has_all_bytes(self) -> bool:
        """Can the vocabulary spell everything?"""
        return self._spelled is None

    def object_language(self, facts: ObjectFacts) -> ObjectLanguage:
        known = self._objects.get(id(facts))
        if known is None:
            given, most = facts, self._most_members
            if most < inf and (facts.max_members is None or facts.max_members > most):
                given = replace(facts, max_members=max(0, int(most)))
            language = ObjectLanguage(given, self._forms, self._options, self._spelled)
            known = self._objects[id(facts)] = facts, language
        return known[1]

    def array_language(self, facts: ArrayFacts) -> ArrayLanguage:
        known = self._arrays.get(id(facts))
        if known is None:
            given, most = facts, self._most_items
            if most < inf and (facts.max_items is None or facts.max_items > most):
                given = replace(facts, max_items=max(0, int(most)))
            known = self._arrays[id(facts)] = facts, ArrayLanguage(given, self._forms, self._options)
        return known[1]

    def languages(self) -> list[object]:
        """All that were made."""
        return [language for _, language in (*self._objects.values(), *self._arrays.values())]

    def is_alive(self, conjunction: Conjunction) -> bool:
        """Has the conjunction a value that can be written?"""
        if not conjunction:
            return True
        known = self._decided.get(conjunction)
        if known is None:
            if self._is_plain(conjunction):
                return True
            if len(conjunction) > 1 and self._forms.contradicts(conjunction):
                self._decided[conjunction] = False
                return False
            self._decide(conjunction)
            known = self._decided[conjunction]
        return known

    def _is_plain(self, conjunction: Conjunction) -> bool:
        """`plainly_has_value`, kept; with a vocabulary that lacks bytes even that may not be written."""
        return self._spelled is None and plainly_has_value(conjunction, self._look)

    def facts_are_alive(self, facts: Facts) -> bool:
        """The same for one alternative."""
        return self._has_value(facts, self.is_alive, final=True)

    def _decide(self, root: Conjunction) -> None:
        """Depth first: what is asked about is looked at there and then, so that the first way that is found
        is the last that is looked for; what it comes back to meanwhile has no value so far.
        """
        search = _Search(self, root)
        while search.open and root not in search.living:
            for current in search.reached:  # it grows meanwhile
                if current not in search.open:
                    continue
                search.open.discard(current)
                if current not in search.living and search.look(current) and current == root:
                    break
        for conjunction in search.living:
            self._decided[conjunction] = True
        if root not in search.living:  # nothing that was looked at and is not alive can become so
            for conjunction in search.reached:
                self._decided[conjunction] = conjunction in search.living

    def _is_living(self, conjunction: Conjunction, alive: Callable[[Conjunction], bool]) -> bool:
        if conjunction[0].is_false:
            return False
        try:
            return self._has_living(conjunction, alive)
        except CompileLimitError as error:
            if error.pointer:
                raise
            pointer = conjunction[-1].pointer
            raise CompileLimitError(
                error.limit, error.allowed, error.given, pointer, fixed=error.fixed
            ) from None

    def _has_living(self, conjunction: Conjunction, alive: Callable[[Conjunction], bool]) -> bool:
        form = self._forms.of(conjunction)
        return any(self._has_value(facts, alive, final=False) for group in form.by_type for facts in group)

    def _has_value(self, facts: Facts, alive: Callable[[Conjunction], bool], *, final: bool) -> bool:
        if isinstance(facts, LiteralFacts):
            if self._spelled is None:
                return bool(facts.values)
            return any(self._is_spelled(json_text.words((json.dumps(value),))) for value in facts.values)
        if isinstance(facts, NumberFacts):
            if self._spelled is None and self._options.max_digits is None:
                return not is_number_empty(facts)
            return self._is_spelled(number_language(facts, max_digits=self._options.max_digits))
        if isinstance(facts, StringFacts):
            if self._spelled is None and surely_has_string(facts):
                return True
            return is_written(string_automata(facts, self._options), self._spelled)
        if isinstance(facts, ArrayFacts):
            if facts.min_items > self._most_items:
                return False
            arrays = self.array_language(facts)
            return arrays.can_finish(arrays.start, alive, final=final)
        if facts.min_members > self._most_members:
            return False
        objects = self.object_language(facts)
        return objects.can_finish(objects.start, alive, final=final)

    def _is_spelled(self, automaton: Automaton) -> bool:
        if isinstance(automaton, Dfa) and automaton.is_empty:
            return False
        return self._spelled is None or self._spelled(automaton) is not None

    def why_empty(self, root: Conjunction) -> UnsatisfiableSchemaError:
        """Follow what is needed and has no value down to where the reason is."""
        conjunction, pointer, path = root, "", ""
        seen: set[Conjunction] = set()
        while conjunction not in seen:
            seen.add(conjunction)
            if conjunction:
                pointer = conjunction[-1].pointer
            step = self._first_dead(conjunction)
            if step is None:
                where = f" (the value at {path})" if path else ""
                return UnsatisfiableSchemaError(pointer, f"no JSON value satisfies this{where}")
            name, conjunction = step
            path = f"{path}/{escape(name)}"
        pointer = conjunction[-1].pointer if conjunction else pointer
        return UnsatisfiableSchemaError(pointer, f"the value at {path} contains itself without end")

    def _first_dead(self, conjunction: Conjunction) -> tuple[str, Conjunction] | None:
        for group in self._forms.of(conjunction).by_type:
            for facts in group:
                if isinstance(facts, ObjectFacts):
                    for name in facts.required:
                        inner = named_member(facts, name)
                        if not self.is_alive(inner):
                            return name, inner
                elif isinstance(facts, ArrayFacts):
                    for i in range(min(facts.min_items, len(facts.prefix) + 1)):
                        if not self.is_alive(facts.item(i)):
                            return str(i), facts.item(i)
        return None


class _Search:
    """What is known while it is decided whether a conjunction has a value. (No closures: two that call each
    other are a cycle, which only the garbage collector frees.)
    """

    __slots__ = ("_asked_by", "_leaning", "_looking", "_members", "_owner", "living", "open", "reached")

    def __init__(self, owner: Emptiness, root: Conjunction) -> None:
        self._owner = owner
        self.reached = [root]  # in the order in which they are asked for
        self.living: set[Conjunction] = set()
        self.open = {root}  # what may have a value by what is known now
        self._members = {root}
        self._asked_by: dict[Conjunction, set[Conjunction]] = {}  # of what has none so far: who would need it
        self._looking: list[Conjunction] = []  # the innermost last
        self._leaning: set[Conjunction] = set()  # had no value by what may still change

    def alive(self, conjunction: Conjunction) -> bool:
        """Has it a value, by what is known now?"""
        if not conjunction:
            return True
        owner = self._owner
        known = owner._decided.get(conjunction)
        if known is not None:
            return known
        if conjunction in self.living:
            return True
        current = self._looking[-1]
        if conjunction not in self._members:
            if owner._is_plain(conjunction):
                return True
            if len(owner._decided) + len(self.reached) >= owner._options.max_rules:
                limit = owner._options.max_rules
                raise CompileLimitError("max_rules", limit, limit + 1, conjunction[0].pointer)
            self._members.add(conjunction)
            self.reached.append(conjunction)
            if len(self._looking) >= _DEEPEST:
                self.open.add(conjunction)
            elif self.look(conjunction):
                return True
            elif conjunction not in self._leaning:
                owner._decided[conjunction] = False
                return False
        self._asked_by.setdefault(conjunction, set()).add(current)
        self._leaning.add(current)
        return False

    def look(self, conjunction: Conjunction) -> bool:
        """Look for a value, and at who would need it, once more, where there is one."""
        self._owner._forms.deadline.check(conjunction[-1].pointer)
        self._leaning.discard(conjunction)
        self._looking.append(conjunction)
        found = self._owner._is_living(conjunction, self.alive)
        self._looking.pop()
        if found:
            self.living.add(conjunction)
            self.open.update(self._asked_by.pop(conjunction, set()) - self.living)
        return found
