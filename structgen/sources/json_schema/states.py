"""The parser of a JSON Schema, state by state: made when text first comes there.

A state is a tuple whose first member is the method that expands it, and whose others are numbers: of objects
and arrays, of places in these, of conjunctions, in the order in which they are met. Tuples of numbers are
quickly compared, and Python's garbage collector need not look at them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from structgen_kernels.members import (
    AFTER,
    COLON,
    NAME,
    OTHER,
    OTHER_AFTER,
    OTHER_COLON,
    OTHER_NAME,
    OTHER_VALUE,
    STATES,
    VALUE,
)
from structgen_kernels.plain_containers import ITEMS

from structgen.automata.dfa import Dfa, SpelledText
from structgen.parser_states import (
    BEGIN_KEY,
    BEGIN_TEXT,
    END_KEY,
    END_TEXT,
    Edge,
    Jump,
    Key,
    MemberKey,
    Members,
    Others,
    PlainKey,
    Read,
    State,
    Value,
)
from structgen.sources.json_schema.arrays import BY_TEXT, ArrayLanguage, Spot, spot_of_size
from structgen.sources.json_schema.document import Node
from structgen.sources.json_schema.emptiness import Emptiness
from structgen.sources.json_schema.facts import (
    ArrayFacts,
    Conjunction,
    ObjectFacts,
)
from structgen.sources.json_schema.keyword_sets import SAYING
from structgen.sources.json_schema.normal_form import NormalForms
from structgen.sources.json_schema.objects import ObjectLanguage, Place, Step, place_in_order
from structgen.sources.json_schema.options import SchemaOptions
from structgen.sources.json_schema.plain_containers import (
    PlainArray,
    PlainObject,
)
from structgen.sources.json_schema.punctuation import Punctuation
from structgen.sources.json_schema.spelling import key_automaton, keys_automaton
from structgen.sources.json_schema.value_states import DONE, Numbered, ValueStates, end_of_part
from structgen.sources.json_schema.values import ARRAY, OBJECT


@dataclass(frozen=True, slots=True)
class _FreeKeys:
    """Names of members that come in any order: required ones, and the others by what their values satisfy."""

    required: list[tuple[str, Conjunction]]
    groups: list[tuple[tuple[str, ...], Conjunction]]

    @property
    def total(self) -> int:
        return len(self.required) + sum(len(names) for names, _ in self.groups)


_REFERS = frozenset(("$ref", "$dynamicRef", "$recursiveRef"))


def _content(node: Node) -> Node | tuple[object, ...]:
    """Equal for subschemas that plainly say the same: a few keywords with plain values."""
    schema = node.schema
    if not isinstance(schema, dict) or node.schema_of_either is not None or not _REFERS.isdisjoint(schema):
        return node
    said = [(keyword, type(value).__name__, value) for keyword, value in schema.items() if keyword in SAYING]
    if not all(value is None or isinstance(value, (str, int, float)) for _, _, value in said):
        return node
    return tuple(sorted(said)), node.resource.dialect, node.negated


# So many options that begin with their kind are laid out behind it.
_TOLD_APART = 3
_VALUES = frozenset(("const", "enum"))
# Values inside distinct items whose numbers have longer exponents are refused: to exclude them later, they
# would be written out. Items that are numbers themselves never have such (`ArrayLanguage`).
_LONGEST_EXPONENT = 4


class _NotComparableError(ValueError):
    """A number of too large an exponent."""


def _comparable(text: str) -> Decimal:
    exponent = text.lower().partition("e")[2].lstrip("+-0")
    if len(exponent) > _LONGEST_EXPONENT:
        raise _NotComparableError(text)
    return Decimal(text)


class SchemaStates(ValueStates):
    """A `structgen.parser_states.StateSource`. ``root`` is a conjunction that has a value.

    ``warnings``: what a lenient compile left out, as (pointer, what). ``telling_apart``: the pointer of a
    ``uniqueItems`` that was met and tells items apart by their values; '' for none.
    """

    def __init__(
        self,
        root: Conjunction,
        forms: NormalForms,
        emptiness: Emptiness,
        options: SchemaOptions,
        warnings: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(forms, emptiness, options)
        self.warnings = warnings
        self.telling_apart = ""
        self._root = root
        self._numbers: dict[int, int] = {}
        self.places: Numbered[Place] = Numbered()
        self.spots: Numbered[Spot] = Numbered(spot_of_size(0))
        self._free: dict[int, _FreeKeys] = {}
        self._numbered_plain: dict[int, int] = {}  # by record

    @property
    def start(self) -> Key:
        return ("value", self.conjunctions(self._root), 0)

    def expand(self, key: Key) -> State:
        if type(key) is MemberKey:
            self._renew()
            return self._open_value(key)
        if type(key) is PlainKey:
            self._renew()
            return self._open_plain(key)
        if not isinstance(key, tuple):
            raise TypeError(f"{key!r} is no state of a schema")
        self._renew()
        state: State = getattr(self, f"_{key[0]}")(*key[1:])
        return state

    def resolve(self, key: Key, text: bytes) -> Key | None:
        """After an item whose value must be known: where the array goes on."""
        if not isinstance(key, tuple):
            return None
        _, number, spot, level = key
        self._renew()
        try:
            value = json.loads(text, parse_float=_comparable)
        except _NotComparableError:
            return None
        after = self.array(number).after_value(self.spots[spot], value, self._emptiness.is_alive)
        return None if after is None else ("after_item", number, self.spots(after), level)

    def parts(self) -> list[object]:
        """What takes long to free, piece by piece: held elsewhere, it outlives the states."""
        languages = [*self._objects, *self._arrays, *self._emptiness.languages()]
        return [*self._forms.document.kept(), *self._forms.kept(), *languages]

    # -- for messages --------------------------------------------------------------------------------

    @property
    def root(self) -> Conjunction:
        return self._root

    @property
    def forms(self) -> NormalForms:
        return self._forms

    @property
    def options(self) -> SchemaOptions:
        return self._options

    def is_alive(self, conjunction: Conjunction) -> bool:
        """Has the conjunction a value that can be written?"""
        return self._emptiness.is_alive(conjunction)

    def object(self, number: int) -> ObjectLanguage:
        """The language that a state's number names."""
        known = self._objects[number]
        return self.objects_of(known.conjunction)[0] if isinstance(known, PlainObject) else known

    def array(self, number: int) -> ArrayLanguage:
        known = self._arrays[number]
        return self.arrays_of(known.conjunction)[0] if isinstance(known, PlainArray) else known

    def objects_of(self, conjunction: Conjunction) -> list[ObjectLanguage]:
        """The languages of the objects that a conjunction allows."""
        return [
            self._emptiness.object_language(facts)
            for facts in self._forms.of(conjunction).by_type[OBJECT]
            if isinstance(facts, ObjectFacts) and self._emptiness.facts_are_alive(facts)
        ]

    def arrays_of(self, conjunction: Conjunction) -> list[ArrayLanguage]:
        return [
            self._emptiness.array_language(facts)
            for facts in self._forms.of(conjunction).by_type[ARRAY]
            if isinstance(facts, ArrayFacts) and self._emptiness.facts_are_alive(facts)
        ]

    # -- values --------------------------------------------------------------------------------------

    def _several_containers(self, conjunction: int, level: int) -> State:
        edges: list[Edge] = []
        along: list[tuple[Key, State | Members]] = []
        form = self._forms.of(self.conjunctions[conjunction])
        marks = self._marks(level)
        for facts in form.by_type[ARRAY]:
            if isinstance(facts, ArrayFacts) and self._emptiness.facts_are_alive(facts):
                array = self._emptiness.array_language(facts)
                number = self._number(array, self._arrays)
                opened = [*self._opened_array(array, number, level, marks)]
                edges += opened
                along += self._first_items(array, number, level) if opened else ()
        are_told_apart = len(form.by_type[OBJECT]) >= _TOLD_APART
        for facts in form.by_type[OBJECT]:
            if isinstance(facts, ObjectFacts) and self._emptiness.facts_are_alive(facts):
                language = self._emptiness.object_language(facts)
                number = self._number(language, self._objects)
                is_led = are_told_apart and self._is_led(language)
                edges += self._opened_object(language, number, level, marks, is_led=is_led)
        return State(edges, along=along)

    def _is_led(self, language: ObjectLanguage) -> bool:
        """Does the first member, which must be there, have one of a few listed values, as a kind?

        Of options that begin so, one is left behind it: the others need not be laid out.
        """
        if not self._comes_in_order(language) or language.ordered[0] not in language.facts.required:
            return False
        inner = language.inner(language.ordered[0]) or ()
        return any(not (node.negated or _VALUES.isdisjoint(node.keywords)) for node in inner)

    def _number(self, language: Any, languages: list[Any]) -> int:
        number = self._numbers.get(id(language))
        if number is None:
            number = self._numbers[id(language)] = len(languages)
            languages.append(language)
        return number

    # -- objects -------------------------------------------------------------------------------------

    def _opened_object(
        self,
        language: ObjectLanguage,
        number: int,
        level: int,
        marks: Punctuation,
        *,
        is_led: bool = False,
    ) -> Iterator[Edge]:
        """``is_led``: the other members are laid out when text comes behind the first."""
        if self._has_member(language, language.start):
            first: Key = ("first_member", number, level)
            if not is_led and self._comes_in_order(language):
                first = MemberKey(("in_order", number, level), 0, NAME)
            yield Read(marks.open_object, first)
        if language.can_close(language.start):
            yield Read(marks.empty_object, DONE)

    def _has_member(self, language: ObjectLanguage, place: Place) -> bool:
        """May a member come next?"""
        if language.is_simple and self._options.any_order:
            free = self._free_keys(self._number(language, self._objects))
            return self._has_other_members(language) or place.size < free.total
        if language.is_simple:
            for at in range(place.at, len(language.ordered)):
                _, inner, is_optional = language.next_in_order(at, self._emptiness.is_alive)
                if inner is not None or not is_optional:
                    return inner is not None
            place = place._replace(at=len(language.ordered))
        while True:
            for _ in self._steps_here(language, place):
                return True
            if self._options.any_order or place.at == len(language.ordered):
                return False
            if language.ordered[place.at] in language.facts.required:
                return False
            place = language.skipped(place)

    def _steps_here(self, language: ObjectLanguage, place: Place) -> Iterator[Step]:
        """Members that may come next without another name in order being left out."""
        alive = self._emptiness.is_alive
        if self._options.any_order:
            names: tuple[str, ...] = (*language.ordered, *language.listed)
        elif place.at < len(language.ordered):
            yield from language.named_steps(language.ordered[place.at], place, alive)
            return
        else:
            names = language.listed
        for name in names:
            if name not in place.seen:
                yield from language.named_steps(name, place, alive)
        for key_class in language.classes:
            yield from language.class_steps(key_class, place, alive)

    def _first_member(self, number: int, level: int) -> State:
        return self._members(number, self.places(self.object(number).start), level)

    def _comes_in_order(self, language: ObjectLanguage) -> bool:
        """Are the members with names of their own described all at once?"""
        return self._are_laid_out(bool(language.ordered)) and bool(language.ordered) and language.is_simple

    def members(self, key: Key) -> Members:
        """The members of an object whose names come in order, where neither counts nor clauses matter."""
        if not isinstance(key, tuple):
            raise TypeError(f"{key!r} are no members of a schema")
        _, number, level, *rest = key
        first = rest[0] if rest else 0
        known = self._objects[number]
        if isinstance(known, PlainObject):  # further members
            return self._plain_members(known, number, level, first)
        language, marks, alive = known, self._marks(level), self._emptiness.is_alive
        end = end_of_part(language.ordered, language.required, first)
        names: list[str | None] = []
        values: list[Sequence[Value] | None] = []
        optional: list[bool] = []
        for at in range(first, end):
            self._renew()
            name, inner, is_optional = language.next_in_order(at, alive)
            optional.append(is_optional)
            names.append(None if inner is None else name)
            values.append(None if inner is None else self._plain_value(inner, level))
        beyond: Others | Key | None = None
        self._renew()
        if end < len(language.ordered):
            if self._has_member(language, place_in_order(end)):
                beyond = ("more", number, end, level)
        elif language.classes or language.listed:
            place = place_in_order(end)
            if self._has_member(language, place):
                beyond = ("members", number, self.places(place), level)
                if len(language.classes) == 1 and not language.listed:
                    key_class, spoken_of = language.classes[0], language.spoken_of
                    automata = self._name_automata(key_class.names, spoken_of)
                    beyond = Others(spoken_of, automata, self._plain_value(key_class.inner, level))
        done = DONE if language.can_close(place_in_order(end)) else None
        return Members(
            names, optional, values, marks.colon, marks.object_comma, marks.end_object, beyond, done
        )

    def _open_value(self, key: MemberKey) -> State:
        """The value of a member that `members` leaves open."""
        if not isinstance(key.members, tuple):
            raise TypeError(f"{key!r} is no member of a schema")
        _, number, level, *rest = key.members
        target = key._replace(role=AFTER if key.role == VALUE else OTHER_AFTER)
        inner = self.conjunctions(self._inner_of(number, sum(rest, key.at)))
        return State(list(self._written(inner, self._inside(level), target)))

    def _inner_of(self, number: int, at: int) -> Conjunction:
        """What the member at a place in order satisfies; behind the names: one with another name."""
        known = self._objects[number]
        if isinstance(known, PlainObject):
            return known.inner(self._forms.document, at)
        if at == len(known.ordered):
            return known.classes[0].inner
        return known.inner(known.ordered[at]) or ()

    def member(self, key: MemberKey | PlainKey) -> Key:
        """The state of a member in order, or of a plain container, as a key of its own."""
        if isinstance(key, PlainKey):
            return self._plain_member(key)
        if not isinstance(key.members, tuple):
            raise TypeError(f"{key!r} is no member of a schema")
        _, number, level, *rest = key.members
        at = sum(rest, key.at)
        known = self._objects[number]
        is_other = at == len(known.names if isinstance(known, PlainObject) else known.ordered)
        here = self.places(place_in_order(at))
        after = here if is_other else self.places(place_in_order(at + 1))
        if key.role == (OTHER if is_other else NAME):
            return ("members", number, here, level)
        if key.role == (OTHER_AFTER if is_other else AFTER):
            return ("after_member", number, after, level)
        inner = self.conjunctions(self._inner_of(number, at))
        if key.role == (OTHER_VALUE if is_other else VALUE):
            return ("member", number, inner, after, level)
        if key.role == (OTHER_COLON if is_other else COLON):
            return ("colon", number, inner, after, level)
        if key.role == OTHER_NAME:
            return ("other_key", number, 0, inner, after, level)
        return ("key_read", number, inner, after, level)

    def _plain_member(self, key: PlainKey) -> Key:
        record, at = key
        if at < 0:
            inner = (self._forms.document.node_of(record),)
            return ("container", self.conjunctions(inner), 0)
        number = self._numbered_plain.get(record)
        plain = self._plain_at(record)
        if isinstance(plain, PlainArray):
            if number is None:
                number = self._numbered_plain[record] = len(self._arrays)
                self._arrays.append(plain)
            return ("items" if at == ITEMS else "after_item", number, 0, 0)
        if number is None:
            number = self._numbered_plain[record] = len(self._objects)
            self._objects.append(plain)
        place = min(at // STATES, len(plain.names))
        return self.member(MemberKey(("in_order", number, 0), place, at - STATES * place))

    def _members(self, number: int, at: int, level: int) -> State:
        """A key."""
        language, alive, place = self.object(number), self._emptiness.is_alive, self.places[at]
        edges: list[Edge] = []
        remembered: list[Edge] = []
        if language.is_simple:
            if self._options.any_order:
                return self._free_members(number, place, level)
            if 0 < place.at < len(language.ordered) and self._are_laid_out(has_names=True):  # see `_is_led`
                return State((Jump(self._at_name(language, number, level, place.at)),))
            if place.at < len(language.ordered):
                return self._next_in_order(number, place, level)
        for step in self._steps_here(language, place):
            if step.key_class is None:
                target = ("colon", number, self.conjunctions(step.inner), self.places(step.after), level)
                edges.append(Read(self._key_terminal(step.name), target))
            else:
                which = language.classes.index(step.key_class)
                inner, after = self.conjunctions(step.inner), self.places(step.after)
                remembered.append(Jump(("key", number, which, inner, after, level)))
        if not self._options.any_order and place.at < len(language.ordered):
            name = language.ordered[place.at]
            skipped = language.skipped(place)
            if name not in language.facts.required and language.can_finish(skipped, alive):
                edges.append(Jump(("members", number, self.places(skipped), level)))
        return State((*edges, *remembered))

    def _at_name(self, language: ObjectLanguage, number: int, level: int, at: int) -> MemberKey:
        """Where the name at a place in order may come."""
        first, end = 0, end_of_part(language.ordered, language.required, 0)
        while end <= at:
            first, end = end, end_of_part(language.ordered, language.required, end)
        key = ("in_order", number, level, first) if first else ("in_order", number, level)
        return MemberKey(key, at - first, NAME)

    def _next_in_order(self, number: int, place: Place, level: int) -> State:
        """A key, where the names come in order and neither counts nor clauses matter."""
        name, inner, is_optional = self.object(number).next_in_order(place.at, self._emptiness.is_alive)
        after = self.places(Place(place.at + 1, place.seen, place.size, place.pending))
        edges: list[Edge] = []
        if inner is not None:
            target = ("colon", number, self.conjunctions(inner), after, level)
            edges.append(Read(self._key_terminal(name), target))
        if is_optional:
            edges.append(Jump(("members", number, after, level)))
        return State(edges)

    def _key_terminal(self, name: str) -> Dfa | SpelledText:
        return SpelledText(name) if self._options.escapes == "any" else key_automaton(name, self._options)

    def _free_members(self, number: int, place: Place, level: int) -> State:
        """A key, where any order is allowed and nothing else matters than that the required ones come.

        Only these are told apart in ``place``. Others are remembered by their text, like names that are not
        spoken of, all those of like values together: there may be thousands of them.
        """
        language, free = self.object(number), self._free_keys(number)
        count = place.size + 1
        edges: list[Edge] = [
            Read(
                self._key_terminal(name),
                (
                    "colon",
                    number,
                    self.conjunctions(inner),
                    self.places(place._replace(seen=place.seen | {name}, size=count)),
                    level,
                ),
            )
            for name, inner in free.required
            if name not in place.seen
        ]
        after = self.places(place._replace(size=0 if self._has_other_members(language) else count))
        edges += [Jump(("group", number, i, after, level)) for i in range(len(free.groups))]
        edges += [
            Jump(
                (
                    "key",
                    number,
                    language.classes.index(step.key_class),
                    self.conjunctions(step.inner),
                    after,
                    level,
                )
            )
            for key_class in language.classes
            for step in language.class_steps(key_class, place, self._emptiness.is_alive)
            if step.key_class is not None
        ]
        return State(edges)

    def _group(self, number: int, group: int, after: int, level: int) -> State:
        """A key of those with like values begins."""
        return State((Jump(("key_of_group", number, group, after, level)),), BEGIN_KEY)

    def _key_of_group(self, number: int, group: int, after: int, level: int) -> State:
        names, inner = self._free_keys(number).groups[group]
        target = ("key_read", number, self.conjunctions(inner), after, level)
        return State((Read(keys_automaton(names, self._options), target),))

    def _has_other_members(self, language: ObjectLanguage) -> bool:
        return any(self._emptiness.is_alive(key_class.inner) for key_class in language.classes)

    def _free_keys(self, number: int) -> _FreeKeys:
        known = self._free.get(number)
        if known is None:
            language = self.object(number)
            required = set(language.facts.required)
            groups: dict[tuple[object, ...], tuple[list[str], Conjunction]] = {}
            needed = []
            for name in (*language.ordered, *language.listed):
                inner = language.inner(name)
                if inner is None or not self._emptiness.is_alive(inner):
                    continue
                if name in required:
                    needed.append((name, inner))
                else:
                    groups.setdefault(tuple(map(_content, inner)), ([], inner))[0].append(name)
            known = self._free[number] = _FreeKeys(
                needed, [(tuple(sorted(names)), inner) for names, inner in groups.values()]
            )
        return known

    def _key(self, number: int, key_class: int, inner: int, after: int, level: int) -> State:
        """Another key begins: its text is remembered."""
        target = ("other_key", number, key_class, inner, after, level)
        return State((Jump(target),), BEGIN_KEY, self._barred(number))

    def _other_key(self, number: int, key_class: int, inner: int, after: int, level: int) -> State:
        target = ("key_read", number, inner, after, level)
        names = self.object(number).classes[key_class].names
        return State([Read(part, target) for part in self._name_automata(names, self._barred(number))])

    def _barred(self, number: int) -> tuple[str, ...]:
        """Names of an object that its other keys must not be, where automata do not say so."""
        return self.object(number).spoken_of if self._bars_names else ()

    def _key_read(self, number: int, inner: int, after: int, level: int) -> State:
        return State((Jump(("colon", number, inner, after, level)),), END_KEY, self._barred(number))

    def _colon(self, number: int, inner: int, after: int, level: int) -> State:
        return State((Read(self._marks(level).colon, ("member", number, inner, after, level)),))

    def _member(self, number: int, inner: int, after: int, level: int) -> State:
        """The value of a member."""
        target: Key = ("after_member", number, after, level)
        return State(list(self._written(inner, self._inside(level), target)))

    def _after_member(self, number: int, at: int, level: int) -> State:
        language, marks, place = self.object(number), self._marks(level), self.places[at]
        edges: list[Edge] = []
        if self._has_member(language, place):
            edges.append(Read(marks.object_comma, ("members", number, at, level)))
        if language.can_close(place):
            edges.append(Read(marks.end_object, DONE))
        return State(edges)

    # -- arrays --------------------------------------------------------------------------------------

    def _opened_array(
        self, language: ArrayLanguage, number: int, level: int, marks: Punctuation
    ) -> Iterator[Edge]:
        if any(True for _ in language.steps(language.start, self._emptiness.is_alive)):
            yield Read(marks.open_array, ("items", number, self.spots(language.start), level))
        if language.can_close(language.start):
            yield Read(marks.empty_array, DONE)

    def _first_items(
        self, language: ArrayLanguage, number: int, level: int
    ) -> Iterator[tuple[Key, State | Members]]:
        """The states that text comes to first in an array, by their keys."""
        if not language.remembers and language.kept_apart != BY_TEXT:
            self._renew()
            at = self.spots(language.start)
            items = self._items(number, at, level)
            yield ("items", number, at, level), items
            yield from items.along

    def _items(self, number: int, at: int, level: int) -> State:
        """An item."""
        language = self.array(number)
        if language.remembers and not self.telling_apart:
            self.telling_apart = next(iter((*language.facts.unique, *language.facts.repeats)))
        edges: list[Edge] = []
        along: dict[Key, State] = {}
        for conjunction, spot in language.steps(self.spots[at], self._emptiness.is_alive):
            after = self.spots(spot)
            if language.strings_by_text:
                for part, kind in (
                    (language.strings_of(conjunction), "string"),
                    (language.others_of(conjunction), "text"),
                ):
                    if self._emptiness.is_alive(part):
                        edges.append(Jump((kind, number, self.conjunctions(part), after, level)))
                continue
            inner = self.conjunctions(conjunction)
            if language.remembers:
                edges.append(Jump(("text", number, inner, after, level)))
            elif language.kept_apart == BY_TEXT:
                edges.append(Jump(("string", number, inner, after, level)))
            else:
                target = ("after_item", number, after, level)
                edges += self._written(inner, self._inside(level), target)
                along[target] = self._after_item(number, after, level)
        return State(edges, along=[*along.items()])

    def _string(self, number: int, inner: int, after: int, level: int) -> State:
        """A string item begins that must be a new one: its text is remembered, like a key's."""
        return State((Jump(("string_item", number, inner, after, level)),), BEGIN_KEY)

    def _string_item(self, number: int, inner: int, after: int, level: int) -> State:
        target = ("string_read", number, after, level)
        return State(
            [Read(parts[0], target) for parts in self._scalars.found(self.conjunctions[inner], whole=True)]
        )

    def _string_read(self, number: int, after: int, level: int) -> State:
        return State((Jump(("after_item", number, after, level)),), END_KEY)

    def _text(self, number: int, inner: int, after: int, level: int) -> State:
        """An item begins whose value must be known."""
        return State((Jump(("text_item", number, inner, after, level)),), BEGIN_TEXT)

    def _text_item(self, number: int, inner: int, after: int, level: int) -> State:
        return State(list(self._written(inner, self._inside(level), ("text_read", number, after, level))))

    def _text_read(self, number: int, after: int, level: int) -> State:
        return State((), END_TEXT)

    def _after_item(self, number: int, at: int, level: int) -> State:
        language, marks, spot = self.array(number), self._marks(level), self.spots[at]
        edges: list[Edge] = []
        if language.has_step(spot, self._emptiness.is_alive):
            edges.append(Read(marks.array_comma, ("items", number, at, level)))
        if language.can_close(spot):
            edges.append(Read(marks.end_array, DONE))
        return State(edges)
