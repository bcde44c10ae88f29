"""Which conjunctions have a value at all: a least fixpoint over everything the root can reach."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from structgen.errors import CompileLimitError, UnsatisfiableSchemaError, UnsupportedSchemaError
from structgen.sources.json_schema.document import escape
from structgen.sources.json_schema.facts import (
    ARRAY,
    NUMBER,
    OBJECT,
    STRING,
    ArrayFacts,
    Conjunction,
    Facts,
    Integer,
    NormalForm,
    NumberFacts,
    ObjectFacts,
    StringFacts,
)
from structgen.sources.json_schema.normal_form import NormalForms
from structgen.sources.json_schema.numbers import number_language
from structgen.sources.json_schema.options import SchemaOptions
from structgen.sources.json_schema.strings import string_language


@dataclass(frozen=True, slots=True)
class Inhabited:
    """The conjunctions that have a value, with the alternatives that have one.

    An optional property or item whose conjunction is not in ``forms`` can never be there.
    """

    root: Conjunction
    forms: dict[Conjunction, NormalForm]


def inhabited(root: Conjunction, forms: NormalForms, options: SchemaOptions) -> Inhabited:
    """Explore all that ``root`` reaches and keep what has a value.

    Raises `UnsatisfiableSchemaError` when the root has none, `UnsupportedSchemaError` where a value
    that is possible depends on a keyword that is not enforced, `CompileLimitError` (``max_rules``), and
    whatever the normal forms and the languages of strings raise.
    """
    reached = _explore(root, forms, options)
    living = _least_fixpoint(reached)
    if root not in living:
        raise _why_empty(root, reached, living)
    kept: dict[Conjunction, NormalForm] = {}
    pending = [root]
    while pending:  # again from the root: what only dead alternatives reach is of no interest
        conjunction = pending.pop()
        if conjunction in kept:
            continue
        form = kept[conjunction] = _living_part(reached[conjunction], living)
        for alternatives in form.by_type:
            for facts in alternatives:
                if facts.residues:
                    residue = facts.residues[0]
                    raise UnsupportedSchemaError(residue.pointer, residue.keyword, residue.reason)
                pending.extend(inner for inner in _living_children(facts, living) if inner not in kept)
    return Inhabited(root, kept)


def children(facts: Facts) -> Iterator[Conjunction]:
    """The conjunctions of all items and members that a value may have, needed or not."""
    if isinstance(facts, ArrayFacts) and facts.values is None:
        reachable = len(facts.prefix) if facts.max_items is None else facts.max_items
        yield from facts.prefix[:reachable]
        if facts.max_items is None or facts.max_items > len(facts.prefix):
            yield facts.rest
    elif isinstance(facts, ObjectFacts) and facts.values is None:
        yield from facts.properties.values()
        yield facts.others


def _living_children(facts: Facts, living: set[Conjunction]) -> Iterator[Conjunction]:
    in_order = isinstance(facts, ArrayFacts)
    for inner in children(facts):
        if inner in living:
            yield inner
        elif in_order:  # no item can follow one that cannot be
            return


def needed(facts: Facts) -> Iterator[Conjunction]:
    """The conjunctions of the items and members that every value has."""
    if isinstance(facts, ArrayFacts) and facts.values is None:
        yield from facts.prefix[: facts.min_items]
        if facts.min_items > len(facts.prefix):
            yield facts.rest
    elif isinstance(facts, ObjectFacts) and facts.values is None:
        for name in facts.required:
            yield facts.member(name)


def _explore(root: Conjunction, forms: NormalForms, options: SchemaOptions) -> dict[Conjunction, NormalForm]:
    """The forms of all that can be reached, without strings and numbers that do not exist."""
    reached: dict[Conjunction, NormalForm] = {}
    pending = [root]
    while pending:
        conjunction = pending.pop()
        if conjunction in reached:
            continue
        if len(reached) >= options.max_rules:
            pointer = conjunction[0].pointer if conjunction else ""
            raise CompileLimitError("max_rules", options.max_rules, len(reached) + 1, pointer)
        form = reached[conjunction] = _scalars_checked(forms.of(conjunction), options)
        if form.has_children:
            for place in (ARRAY, OBJECT):
                for facts in form.by_type[place]:
                    pending.extend(inner for inner in children(facts) if inner not in reached)
    return reached


def _scalars_checked(form: NormalForm, options: SchemaOptions) -> NormalForm:
    by_type = form.by_type
    numbers = tuple(facts for facts in map(_number_checked, by_type[NUMBER]) if facts is not None)
    strings = tuple(facts for facts in by_type[STRING] if _has_string(facts, options))
    if len(numbers) == len(by_type[NUMBER]) and len(strings) == len(by_type[STRING]):
        unchanged = all(a is b for a, b in zip(numbers, by_type[NUMBER], strict=True))
        if unchanged:
            return form
    return NormalForm((*by_type[:NUMBER], numbers, strings, *by_type[ARRAY:]))  # type: ignore[arg-type]


def _number_checked(facts: Facts) -> Facts | None:
    if not isinstance(facts, NumberFacts) or (facts.low is None and facts.high is None):
        return facts
    if facts.integer is Integer.NO and facts.values is None:
        return replace(facts, residues=facts.residues + facts.unless_integer)
    return None if number_language(facts).is_empty else facts


def _has_string(facts: Facts, options: SchemaOptions) -> bool:
    if not isinstance(facts, StringFacts) or not facts.patterns:
        return True
    return bool(string_language(facts, options.max_states))


def _least_fixpoint(reached: dict[Conjunction, NormalForm]) -> set[Conjunction]:
    living: set[Conjunction] = set()
    waiting: dict[Conjunction, list[set[Conjunction]]] = {}
    for conjunction, form in reached.items():
        needs = []
        for alternatives in form.by_type:
            for facts in alternatives:
                needs.append(set(needed(facts)))
                if not needs[-1]:
                    break
            if needs and not needs[-1]:
                break
        if needs and not needs[-1]:
            living.add(conjunction)
        elif needs:
            waiting[conjunction] = needs
    grown = True
    while grown and waiting:
        alive = [c for c, needs in waiting.items() if any(need <= living for need in needs)]
        living.update(alive)
        for conjunction in alive:
            del waiting[conjunction]
        grown = bool(alive)
    return living


def _living_part(form: NormalForm, living: set[Conjunction]) -> NormalForm:
    """Without the alternatives that need a conjunction that has no value."""
    if not form.has_children:
        return form
    by_type = list(form.by_type)
    for place in (ARRAY, OBJECT):
        by_type[place] = tuple(
            facts for facts in by_type[place] if all(inner in living for inner in needed(facts))
        )
    return NormalForm(tuple(by_type))  # type: ignore[arg-type]


def _why_empty(
    root: Conjunction, reached: dict[Conjunction, NormalForm], living: set[Conjunction]
) -> UnsatisfiableSchemaError:
    """Follow what is needed and has no value down to where the reason is."""
    conjunction, pointer = root, ""
    seen: set[Conjunction] = set()
    path = ""
    while conjunction not in seen:
        seen.add(conjunction)
        if conjunction:
            pointer = conjunction[-1].pointer
        step = _first_dead(reached[conjunction], living)
        if step is None:
            where = f" (the value at {path})" if path else ""
            return UnsatisfiableSchemaError(pointer, f"no JSON value satisfies this{where}")
        name, conjunction = step
        path = f"{path}/{escape(name)}"
    pointer = conjunction[-1].pointer if conjunction else pointer
    return UnsatisfiableSchemaError(pointer, f"the value at {path} contains itself without end")


def _first_dead(form: NormalForm, living: set[Conjunction]) -> tuple[str, Conjunction] | None:
    for place in (OBJECT, ARRAY):
        for facts in form.by_type[place]:
            if isinstance(facts, ObjectFacts):
                for name in facts.required:
                    if facts.member(name) not in living:
                        return name, facts.member(name)
            elif isinstance(facts, ArrayFacts):
                for i in range(min(facts.min_items, len(facts.prefix) + 1)):
                    if facts.item(i) not in living:
                        return str(i), facts.item(i)
    return None
