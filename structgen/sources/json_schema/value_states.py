"""The parser states of values, one by one: of scalars, and of objects and arrays that plainly are what their
children are.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import replace
from typing import Generic, TypeVar

from structgen_kernels.members import AFTER, NAME, STATES

from structgen.automata.dfa import SpelledText, SpelledTexts
from structgen.errors import CompileLimitError, StructgenError
from structgen.parser_states import (
    ENDS,
    Call,
    Containers,
    Edge,
    Enter,
    Jump,
    Key,
    MemberKey,
    Members,
    Others,
    PlainKey,
    Read,
    State,
    Terminal,
    UsualParts,
    Value,
)
from structgen.sources.json_schema.arrays import ArrayLanguage
from structgen.sources.json_schema.assertions import child, conjunction_of
from structgen.sources.json_schema.document import Node, Resource
from structgen.sources.json_schema.emptiness import Emptiness
from structgen.sources.json_schema.facts import Conjunction, StringFacts
from structgen.sources.json_schema.keywords import TYPE_NAMES, Draft
from structgen.sources.json_schema.normal_form import NormalForms
from structgen.sources.json_schema.objects import ObjectLanguage
from structgen.sources.json_schema.options import SchemaOptions
from structgen.sources.json_schema.plain_containers import (
    ANY_ARRAY,
    ANY_OBJECT,
    PlainArray,
    PlainObject,
    TaggedObjects,
    plain_container,
    tagged_objects,
)
from structgen.sources.json_schema.punctuation import Punctuation, punctuation
from structgen.sources.json_schema.scalars import BESIDE_TYPE, SCALARS, Scalars
from structgen.sources.json_schema.spelling import string_automata
from structgen.sources.json_schema.strings import Automaton
from structgen.sources.json_schema.surveyed_containers import SurveyedContainers
from structgen.sources.json_schema.values import ARRAY, OBJECT

DONE: Key = ("done",)
_MANY = 64  # members, where more are described when a text comes there
# What all sources call the values that nothing is asked of, and what is in them.
_ANY = 0  # the conjunction, the object, the array, the spot in it
_ANY_CONTAINER: Key = ("container", _ANY, 0)
_CONTAINERS = ("object", "array")
_ANY_STRING = StringFacts()
_Numbered = TypeVar("_Numbered")


class Numbered(Generic[_Numbered]):
    """Values and their numbers."""

    def __init__(self, *first: _Numbered) -> None:
        self._values: list[_Numbered] = [*first]
        self._numbers: dict[_Numbered, int] = {value: number for number, value in enumerate(first)}

    def __call__(self, value: _Numbered) -> int:
        number = self._numbers.get(value)
        if number is None:
            number = self._numbers[value] = len(self._values)
            self._values.append(value)
        return number

    def __getitem__(self, number: int) -> _Numbered:
        return self._values[number]


class ValueStates:
    """What `structgen.sources.json_schema.states.SchemaStates` has for values, whatever they are in."""

    def __init__(self, forms: NormalForms, emptiness: Emptiness, options: SchemaOptions) -> None:
        self._forms = forms
        self._emptiness = emptiness
        self._options = options
        self._scalars = Scalars(forms, options)
        self.conjunctions: Numbered[Conjunction] = Numbered(())
        self._objects: list[ObjectLanguage | PlainObject] = [ANY_OBJECT]
        self._arrays: list[ArrayLanguage | PlainArray] = [ANY_ARRAY]
        self._plain: dict[int, PlainObject | PlainArray | None] = {}  # by the number of a conjunction
        self._tagged: dict[int, TaggedObjects | None] = {}
        self._any_name: list[Automaton] | None = None
        self._is_compiled = False
        self._bars_names = False
        self._surveyed: SurveyedContainers | None = None
        self._plain_keys: dict[int, PlainKey | None] = {}  # by the number of a conjunction
        self._usual_parts: UsualParts | None = None

    @property
    def draft(self) -> Draft:
        """The dialect of the schema, but where it names one of its own."""
        return self._root_resource.dialect.draft

    @property
    def _root_resource(self) -> Resource:
        return self._forms.document.root.resource

    def _renew(self) -> None:
        """What is worked out next has limits of its own."""
        if self._is_compiled:  # without a deadline
            self._forms.budget.renew()
        else:
            self._forms.deadline.check()
            self._forms.budget.renew_search()

    def lift_deadline(self) -> None:
        """From here on states are made while texts are read: without ``max_seconds``, and with
        ``max_alternatives`` for each of them.
        """
        self._forms.deadline.lift()
        self._is_compiled = True

    def bar_names(self) -> None:
        """Tell other members' names from those that are spoken of by their text, while they are read.

        An automaton of each object's other names would say the same, and takes longer than most of its text.
        It is needed where it must be known beforehand which texts can be finished.
        """
        self._bars_names = True
        survey = self._forms.document.survey
        is_inline = self._options.indent is None and self._are_laid_out(has_names=True)
        # what the survey says of numbers holds where they may have any number of digits
        is_usual = is_inline and self._options.max_digits is None
        if survey is not None and is_usual and self._emptiness.has_all_bytes:
            self._surveyed = SurveyedContainers(survey)

    def recall_scalars(self) -> None:
        """Lay out values with their object that were found for another document, too: not where the states
        must be the same in another process.
        """
        self._scalars.recalls = True

    def usual_terminals(self) -> tuple[Terminal, ...]:
        """Of values and their punctuation, as hardly any schema does without."""
        marks = () if self._options.indent is not None else self._marks(0)
        pieces: list[Value] = [piece for parts in self._scalars.of(())[0] for piece in parts]
        if self.n_records:  # and of those that values of a single type and names have
            parts = self.usual_parts
            pieces += (*parts.names, *(value for values in parts.types for value in values))
        spelled = SpelledText | SpelledTexts | Enter
        return (*marks, *dict.fromkeys(piece for piece in pieces if not isinstance(piece, spelled)))

    def _marks(self, level: int) -> Punctuation:
        return punctuation(self._options, level)

    def _inside(self, level: int) -> int:
        """The level of what is inside; it counts only where lines are indented by it."""
        return level + 1 if self._options.indent is not None else 0

    def _done(self) -> State:
        return State((), ENDS)

    def _value(self, conjunction: int, level: int) -> State:
        """A value, as a rule of its own."""
        return State(list(self._written(conjunction, level, DONE)))

    def _written(self, conjunction: int, level: int, target: Key) -> Iterator[Edge]:
        """Edges that read a value and go on in ``target``."""
        plain = self._plain_key(conjunction)
        if plain is not None:
            yield Call(plain, target)
            return
        if self._plain_container(conjunction) is not None or self._tagged_objects(conjunction) is not None:
            if self._emptiness.is_alive(self.conjunctions[conjunction]):
                yield Call(("container", conjunction, level), target)
            return
        scalars, has_children = self._scalars.of(self.conjunctions[conjunction])
        for number, parts in enumerate(scalars):
            if len(parts) == 1:
                yield Read(parts[0], target)
            else:
                yield Read(parts[0], ("part", conjunction, number, 1, target))
        if not has_children:
            return
        form = self._forms.of(self.conjunctions[conjunction])
        if any(
            self._emptiness.facts_are_alive(facts) for facts in (*form.by_type[ARRAY], *form.by_type[OBJECT])
        ):
            yield Call(("container", conjunction, level), target)

    def _part(self, conjunction: int, number: int, place: int, target: Key) -> State:
        """Further terminals of a string that takes several."""
        parts = self._scalars.of(self.conjunctions[conjunction])[0][number]
        last = place == len(parts) - 1
        after = target if last else ("part", conjunction, number, place + 1, target)
        return State((Read(parts[place], after),))

    def _plain_container(self, conjunction: int) -> PlainObject | PlainArray | None:
        """What a conjunction plainly allows, where its states are made without its form."""
        if conjunction not in self._plain:
            found = None
            if self._emptiness.has_all_bytes:  # else it hangs on more whether there are such values
                found = plain_container(self._forms.document, self.conjunctions[conjunction])
            if isinstance(found, PlainObject) and not self._are_laid_out(bool(found.names)):
                found = None
            self._plain[conjunction] = found
        return self._plain[conjunction]

    def _container(self, conjunction: int, level: int) -> State:
        """An array or an object."""
        if conjunction == _ANY and self._bars_names and self._emptiness.has_all_bytes:
            array = self._plain_array(ANY_ARRAY, _ANY, level)
            plain_object = self._plain_object(ANY_OBJECT, _ANY, level)
            along = (*array.along, *plain_object.along)
            return State((*array.edges, *plain_object.edges), along=along)
        plain = self._plain_container(conjunction)
        if isinstance(plain, PlainObject):
            self._objects.append(plain)
            return self._plain_object(plain, len(self._objects) - 1, level)
        if plain is not None:
            self._arrays.append(plain)
            return self._plain_array(plain, len(self._arrays) - 1, level)
        if self._tagged_objects(conjunction) is not None:
            return State((Read(self._marks(level).open_object, ("tag", conjunction, level)),))
        return self._several_containers(conjunction, level)

    def _several_containers(self, conjunction: int, level: int) -> State:
        """The same where it takes forms to tell which."""
        raise NotImplementedError

    # -- objects and arrays that are described many at once ----------------------------------------------

    @property
    def n_records(self) -> int:
        """Of the schema, where plain containers are described many at once; else 0."""
        return 0 if self._surveyed is None else self._surveyed.n_records

    def _plain_key(self, conjunction: int) -> PlainKey | None:
        """The state of a plain container among those; None of other values."""
        surveyed = self._surveyed
        if surveyed is None:
            return None
        if conjunction not in self._plain_keys:
            found, record = self.conjunctions[conjunction], -1
            if len(found) == 1 and not found[0].negated and found[0].resource is self._root_resource:
                record = surveyed.record_of(found[0].pointer)
            if record >= 0 and not surveyed.is_alive(record):
                if self._emptiness.is_alive(found):
                    surveyed.set_alive(record)
                else:
                    record = -1
            self._plain_keys[conjunction] = None if record < 0 else PlainKey(record, -1)
        return self._plain_keys[conjunction]

    def containers(self, record: int) -> Containers:
        """The plain container of a record, and others in it."""
        surveyed = self._known_survey()
        described = surveyed.describe(record)
        try:
            values = [*map(self._asked_value, described.asked)]
        except StructgenError as error:
            if isinstance(error, CompileLimitError) and error.limit == "max_seconds":
                raise
            # who comes to the others is told; the first alone, which counts as described, is what was asked
            surveyed.forget(described)
            described = surveyed.describe(record)
            values = [*map(self._asked_value, described.asked)]
        return Containers(surveyed.data, described.containers, described.members, described.n_letters, values)

    def _asked_value(self, record: int) -> Sequence[Value] | None:
        """What a value is one of, as `Containers` has it, that a kernel cannot tell."""
        self._renew()
        # so that whether a limit is met hangs on this question alone, and states made again answer as before
        self._forms.budget.renew()
        inner = conjunction_of(self._forms.document, self._forms.document.node_of(record))
        found = self._plain_value(inner, 0)
        is_there = found or self._known_survey().is_alive(record) or self._emptiness.is_alive(inner)
        return found if is_there else ()

    @property
    def usual_parts(self) -> UsualParts:
        """What the states of plain containers have in common."""
        known = self._usual_parts
        if known is None:
            marks = self._marks(0)
            if self._any_name is None:
                self._any_name = self._name_automata(_ANY_STRING, ())
            known = self._usual_parts = UsualParts(
                (
                    marks.open_object,
                    marks.empty_object,
                    marks.colon,
                    marks.object_comma,
                    marks.end_object,
                    marks.open_array,
                    marks.empty_array,
                    marks.array_comma,
                    marks.end_array,
                ),
                self._values_by_type(),
                self._any_name,
                DONE,
            )
        return known

    def _values_by_type(self) -> list[Sequence[Value]]:
        """What values of each type are, in the order of `TYPE_NAMES`, and any values."""
        typed = self._scalars.typed(self._root_resource.dialect)
        found: list[Sequence[Value]] = []
        for name in TYPE_NAMES:
            if name in SCALARS and name not in typed:
                value = self._plain_value((Node({"type": name}, "", self._root_resource),), 0)
                if value is None:
                    raise TypeError(f"values of type {name!r} take several terminals")
                typed[name] = value
            found.append(typed.get(name, ()))
        return [*found, self._plain_value((), 0) or ()]

    def _open_plain(self, key: PlainKey) -> State:
        """A value that `containers` leaves open."""
        document, record = self._forms.document, key.record
        plain = self._plain_at(record)
        if isinstance(plain, PlainArray):
            inner = plain.inner
        else:
            inner = plain.inner(document, min(key.at // STATES, len(plain.names)))
        target = PlainKey(record, key.at + 1)
        return State([*self._written(self.conjunctions(inner), 0, target)])

    def _plain_at(self, record: int) -> PlainObject | PlainArray:
        document = self._forms.document
        found = plain_container(document, (document.node_of(record),))
        if found is None:
            raise TypeError(f"{document.node_of(record)!r} is no plain container")
        return found

    def _known_survey(self) -> SurveyedContainers:
        if self._surveyed is None:
            raise TypeError("the schema was not looked at as a whole")
        return self._surveyed

    # -- objects of several kinds that the first member tells apart -----------------------------------

    def _tagged_objects(self, conjunction: int) -> TaggedObjects | None:
        """The objects of several kinds that a conjunction allows, where their first member, a few strings,
        tells them apart: the others are looked at when it was read.
        """
        if conjunction not in self._tagged:
            found = tagged_objects(self.conjunctions[conjunction])
            is_read = self._are_laid_out(True) and self._emptiness.has_all_bytes
            self._tagged[conjunction] = found if is_read else None
        return self._tagged[conjunction]

    def _tag(self, conjunction: int, level: int) -> State:
        """The name of the first member."""
        tag, colon = self._known_tagged(conjunction).tag, ("tag_read", conjunction, level)
        after = State((Read(self._marks(level).colon, ("kind", conjunction, level)),))
        return State((Read(SpelledText(tag), colon),), along=((colon, after),))

    def _tag_read(self, conjunction: int, level: int) -> State:
        return State((Read(self._marks(level).colon, ("kind", conjunction, level)),))

    def _kind(self, conjunction: int, level: int) -> State:
        """The value of the first member, which says what kind of object it is."""
        options = self._known_tagged(conjunction).options
        return State(
            [
                Read(SpelledText(text), ("kind_read", conjunction, at, level))
                for at in range(len(options))
                for text in options.tags(at)
            ]
        )

    def _kind_read(self, conjunction: int, at: int, level: int) -> State:
        """Behind the first member: the others of one kind."""
        tagged = self._known_tagged(conjunction)
        known = self._plain_key(self.conjunctions(child(self._forms.document, tagged.node, "anyOf", at)))
        if known is not None:
            return State((Jump(PlainKey(known.record, AFTER)),))
        plain = tagged.option(self._forms.document, at)
        self._objects.append(plain)
        number = len(self._objects) - 1
        key = ("in_order", number, level)
        described = self._plain_members(plain, number, level)
        return State((Jump(MemberKey(key, 0, AFTER)),), along=((key, described),))

    def _known_tagged(self, conjunction: int) -> TaggedObjects:
        found = self._tagged_objects(conjunction)
        if found is None:
            raise TypeError(f"{self.conjunctions[conjunction]!r} is no union of tagged objects")
        return found

    # -- objects and arrays of one kind ----------------------------------------------------------------

    def _plain_object(self, plain: PlainObject, number: int, level: int) -> State:
        marks, key = self._marks(level), ("in_order", number, level)
        described = self._plain_members(plain, number, level)
        edges: list[Edge] = []
        if described.beyond is not None or any(name is not None for name in described.names):
            edges.append(Read(marks.open_object, MemberKey(key, 0, NAME)))
        if not plain.required:
            edges.append(Read(marks.empty_object, DONE))
        return State(edges, along=((key, described),))

    def _plain_array(self, plain: PlainArray, number: int, level: int) -> State:
        marks = self._marks(level)
        items, after_item = ("items", number, _ANY, level), ("after_item", number, _ANY, level)
        edges: list[Edge] = []
        along: list[tuple[Key, State]] = []
        if self._emptiness.is_alive(plain.inner):
            edges.append(Read(marks.open_array, items))
            inner = self.conjunctions(plain.inner)
            ends = (Read(marks.array_comma, items), Read(marks.end_array, DONE))
            along.append((items, State([*self._written(inner, self._inside(level), after_item)])))
            along.append((after_item, State(ends)))
        if not plain.is_filled:
            edges.append(Read(marks.empty_array, DONE))
        return State(edges, along=along)

    def _are_laid_out(self, has_names: bool) -> bool:
        """Are members, of which neither counts nor clauses matter, described all at once?"""
        if not has_names:
            return self._bars_names
        return self._bars_names and self._options.escapes == "any" and not self._options.any_order

    def _more(self, number: int, first: int, level: int) -> State:
        """Further members in order."""
        return State((Jump(MemberKey(("in_order", number, level, first), 0, NAME)),))

    def _plain_members(self, plain: PlainObject, number: int, level: int, first: int = 0) -> Members:
        """The same for an object that is plain, from a place in order on."""
        end = end_of_part(plain.names, plain.required, first)
        marks, alive = self._marks(level), self._emptiness.is_alive
        properties, required = plain.properties, plain.required
        names: list[str | None] = []
        values: list[Sequence[Value] | None] = []
        typed = self._scalars.typed(plain.conjunction[0].resource.dialect) if plain.names else {}
        for at, name in enumerate(plain.names[first:end], first):
            schema, of_type = properties.get(name), None
            if type(schema) is dict and BESIDE_TYPE.isdisjoint(schema):
                of_type = schema.get("type")
                value = typed.get(of_type) if type(of_type) is str else None
                if value is not None:  # as most are
                    names.append(name)
                    values.append(value)
                    continue
            inner = plain.inner(self._forms.document, at)
            found = self._plain_value(inner, level)
            if found and of_type in SCALARS:
                typed[of_type] = found
            self._renew()
            is_there = bool(found) or alive(inner)
            names.append(name if is_there else None)
            values.append(found if is_there else None)
        done: Key | None = DONE
        beyond: Others | Key | None = None
        has_others = plain.others is not None and alive(plain.others)
        if end < len(plain.names):
            ahead = range(end, len(plain.names))
            if not required.isdisjoint(plain.names[end:]):
                done = None
            # others stand behind the last part: a place behind another's names is a name's
            if (
                done is None
                or has_others
                or any(alive(plain.inner(self._forms.document, at)) for at in ahead)
            ):
                beyond = ("more", number, end, level)
        elif plain.others is not None and has_others:
            if self._any_name is None:
                self._any_name = self._name_automata(_ANY_STRING, ())
            beyond = Others(plain.names, self._any_name, self._plain_value(plain.others, level))
        optional = [name not in required for name in plain.names[first:end]]
        return Members(
            names, optional, values, marks.colon, marks.object_comma, marks.end_object, beyond, done
        )

    def _plain_value(self, conjunction: Conjunction, level: int) -> tuple[Value, ...] | None:
        """What a member's value is one of, where it is single terminals, or only objects or only arrays, or
        anything; None where that is not quickly told.
        """
        if not conjunction:
            if self._options.indent is not None:
                return None
            return (*(parts[0] for parts in self._scalars.of(())[0]), Enter(_ANY_CONTAINER))
        if conjunction[0].keywords.get("type") in _CONTAINERS and "$ref" not in conjunction[0].schema:
            if len(conjunction) > 1 or conjunction[0].negated:
                return None
            plain = self._plain_key(self.conjunctions(conjunction))
            if plain is not None:
                return (Enter(plain),)
            if not self._emptiness.is_alive(conjunction):
                return None
            return (Enter(("container", self.conjunctions(conjunction), self._inside(level))),)
        found = self._scalars.easy(conjunction)
        if found is None or found[1] or any(len(parts) > 1 for parts in found[0]):
            return None
        return tuple(parts[0] for parts in found[0])

    def _name_automata(self, names: StringFacts, barred: tuple[str, ...]) -> list[Automaton]:
        if barred:
            names = replace(names, excluded=names.excluded.difference(barred))
        return [parts[0] for parts in string_automata(names, self._options, whole=True)]


def end_of_part(names: Sequence[str], required: Container[str], first: int) -> int:
    """Up to where members in order are described at once: so many that one of them must be there, and text
    comes to the others later.
    """
    end = first
    while end < len(names):
        here, end = end, end + _MANY
        if any(name in required for name in names[here:end]):
            break
    return min(end, len(names))
