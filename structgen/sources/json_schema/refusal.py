"""Why a JSON text is refused where it is: the engine has said where; here that is put into words.

What the engine knows at a byte, the parser states that may begin there, tells which subschemas apply to the
value, key or bracket that it refuses; their keywords are then tried one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from structgen.parser_states import Key
from structgen.sources.json_schema.arrays import ArrayLanguage, Spot
from structgen.sources.json_schema.blame import Beginning, Blame, Rule, equal_items, rule_at
from structgen.sources.json_schema.facts import Conjunction, NamedMember
from structgen.sources.json_schema.objects import ObjectLanguage, Place
from structgen.sources.json_schema.second_opinion import rules_by_jsonschema
from structgen.sources.json_schema.states import SchemaStates
from structgen.sources.json_schema.text_place import (
    NUMBER_BYTES,
    Container,
    Expected,
    TextPlace,
    text_place,
    value_at,
)

KeysAt = Callable[[int], list[Key]]
"""The parser states that the text may go on to after so many bytes."""
_Language = TypeVar("_Language")
_NUMBER_BEGINS = tuple(bytes((byte,)) for byte in b"-0123456789")
_BLANKS = (b" ", b"\t", b"\n", b"\r")
_MOST_NAMED = 5  # missing members


@dataclass(slots=True)
class Refusal:
    """``pointer``: JSON Pointer of the value in the text. ``reasons``: what the rules alone do not tell."""

    pointer: str
    rules: list[Rule] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)

    def add(self, rules: Iterable[Rule], *reasons: str) -> None:
        self.rules += [rule for rule in rules if rule not in self.rules]
        self.reasons += [reason for reason in reasons if reason not in self.reasons]


def refusal(states: SchemaStates, text: bytes, offset: int, keys_at: KeysAt, next_bytes: bytes) -> Refusal:
    """Why the byte at ``offset`` is refused, or the end of ``text``. ``next_bytes``: what may come there."""
    return _Inquiry(states, text, offset, keys_at, next_bytes).found()


class _Inquiry:
    def __init__(
        self, states: SchemaStates, text: bytes, offset: int, keys_at: KeysAt, next_bytes: bytes
    ) -> None:
        self._states = states
        self._text = text
        self._offset = offset
        self._keys_at = keys_at
        self._next = next_bytes
        self._blame = Blame(states.forms, states.options)
        self._place = text_place(text[:offset])
        self._byte = text[offset : offset + 1]
        self._is_vague = False  # no more is known than that it cannot be

    def found(self) -> Refusal:
        place = self._place
        if self._ends_a_value():
            self._complete_value(place)
        result = Refusal(place.pointer)
        if place.expected is Expected.VALUE and self._byte in _BLANKS:
            pass  # told with the layout
        elif place.is_in_value:
            if self._byte == b"]" and place.expected is Expected.VALUE and place.is_first:
                result = Refusal(self._outer_pointer())
                self._end_of_array(place.containers[-1], result)
            else:
                self._value(result)
        elif place.expected in (Expected.KEY, Expected.INSIDE_KEY):
            if self._byte == b"}" and place.is_first:
                self._end_of_object(place.containers[-1], result)
            else:
                self._key(place.containers[-1], place.begin, result)
        elif place.expected is Expected.NEXT:
            self._next_or_end(place.containers[-1], result)
        elif place.expected is Expected.END and self._byte and self._byte not in _BLANKS:
            result.add((), "the document is complete here")
        if not result.rules and not result.reasons and self._byte:
            self._layout(result)
        if not result.rules and (self._is_vague or not result.reasons) and self._byte:
            document, options = self._states.forms.document, self._states.options
            result.add(rules_by_jsonschema(document, options, self._text, result.pointer))
        return result

    # -- places --------------------------------------------------------------------------------------

    def _ends_a_value(self) -> bool:
        """Is a word behind the place, or a number that may be complete there?"""
        place = self._place
        if place.expected is not Expected.INSIDE or not place.containers:
            return False
        if self._text[place.begin : self._offset] in (b"true", b"false", b"null"):
            return True
        return (
            self._text[place.begin : place.begin + 1] in _NUMBER_BEGINS
            and not (self._byte and self._byte[0] in NUMBER_BYTES)
            and any(byte in b",]}" for byte in self._next)
        )

    def _complete_value(self, place: TextPlace) -> None:
        place.containers[-1].items.append((place.begin, self._offset))
        place.expected = Expected.NEXT

    def _outer_pointer(self) -> str:
        return self._place.pointer.rpartition("/")[0]

    def _applying(self, containers: list[Container]) -> list[Conjunction]:
        """What applies to the value in the innermost of these containers: one conjunction for each way."""
        if not containers:
            return [self._states.root]
        container = containers[-1]
        found: dict[Conjunction, None] = {}
        for key in self._keys_at(container.before):
            if not isinstance(key, tuple):
                continue
            if container.is_object and key[0] == "member":
                # plain objects may read members of like values together
                members = self._states.object(key[1])
                inner = members.inner(container.names[-1]) if members.is_simple else None
                found[self._states.conjunctions[key[2]] if inner is None else inner] = None
            elif not container.is_object and key[0] == "items":
                language = self._states.array(key[1])
                steps = [inner for inner, _ in self._steps(language, self._states.spots[key[2]])]
                found.update(dict.fromkeys(steps or [language.facts.item(container.index)]))
        if not found and not container.is_object:  # none may come
            for language, _ in self._arrays(container):
                found[language.facts.item(container.index)] = None
        return list(found)

    def _steps(self, language: ArrayLanguage, spot: Spot) -> list[tuple[Conjunction, Spot]]:
        return list(language.steps(spot, self._states.is_alive))

    def _objects(self, container: Container) -> list[tuple[ObjectLanguage, Place]]:
        """The ways to understand an open object, and where in each it stands."""
        found: dict[tuple[int, Place], None] = {}
        for key in self._keys_at(container.before):
            if not isinstance(key, tuple):
                continue
            if container.names and key[0] == "member":
                found[key[1], self._states.places[key[3]]] = None
        if container.names:
            return [(self._states.object(number), place) for number, place in found]
        languages = self._opened(self._place.containers[:-1], self._states.objects_of)
        return [(language, language.start) for language in languages]

    def _opened(
        self, outer: list[Container], languages: Callable[[Conjunction], list[_Language]]
    ) -> list[_Language]:
        """The languages of an object or array that has just begun."""
        return [language for conjunction in self._applying(outer) for language in languages(conjunction)]

    def _speaking(self, containers: list[Container]) -> list[Any]:
        """All subschemas that may apply to a value, whatever way is taken."""
        together: dict[Any, None] = {}
        for conjunction in self._applying(containers):
            together.update(dict.fromkeys(conjunction))
        return list(self._blame.applied(together))

    # -- values --------------------------------------------------------------------------------------

    def _value(self, result: Refusal) -> None:
        place, text, offset = self._place, self._text, self._offset
        if place.expected is Expected.VALUE and not self._byte:
            return
        whole = text[place.begin : offset + 1]
        beginning = Beginning(whole, whole[:1] == b'"' and len(whole) > 1 and self._closes(whole))
        if place.expected is Expected.INSIDE and whole[:1] != b'"':
            ended = not self._byte or self._byte[0] in b",]} \t\r\n"
            beginning = Beginning(text[place.begin : offset] if ended else whole, ended)
        elif not self._byte:
            return
        if not beginning.is_json:
            result.add((), "no JSON value is written so")
            return
        ways = self._applying(place.containers)
        for conjunction in ways:
            result.add(self._blame.of_value(conjunction, beginning))
        self._repeated_item(place, result)
        if not result.rules:
            for conjunction in ways:
                result.add(self._blame.together(conjunction, beginning.type))
            self._blame.is_joint = bool(result.rules)
        if self._blame.is_joint:
            result.add((), "no keyword refuses it alone, but these do together")
        if not result.rules:
            self._spelling(beginning, result)
            self._counted_items(place, result)

    def _closes(self, whole: bytes) -> bool:
        return self._byte == b'"' and (len(whole) - len(whole[:-1].rstrip(b"\\")) - 1) % 2 == 0

    def _spelling(self, beginning: Beginning, result: Refusal) -> None:
        options = self._states.options
        if options.escapes == "needed" and b"\\" in beginning.text:
            result.add((), "escapes='needed' has one spelling only, without escapes that JSON can do without")
        if options.max_digits is not None and beginning.text[:1] in b"-0123456789":
            result.add((), f"max_digits={options.max_digits}")

    def _repeated_item(self, place: TextPlace, result: Refusal) -> None:
        if not place.containers or place.containers[-1].is_object:
            return
        container = place.containers[-1]
        value, is_whole = value_at(self._text, place.begin)
        if not is_whole:
            return
        values = [value_at(self._text, begin)[0] for begin, _ in container.items]
        twice = equal_items([*values, value])
        if twice is None:
            return
        rules = self._with_keyword(place.containers[:-1], "uniqueItems", bool)
        if rules:
            result.add(rules, f"item {twice[1]} equals item {twice[0]}")

    def _counted_items(self, place: TextPlace, result: Refusal) -> None:
        if place.containers and not place.containers[-1].is_object:
            result.add(self._with_keyword(place.containers[:-1], "contains"))

    # -- objects -------------------------------------------------------------------------------------

    def _key(self, container: Container, begin: int, result: Refusal) -> None:
        """A key is refused, or a comma before one."""
        if self._byte not in (b'"', b",") and self._place.expected is Expected.KEY:
            if self._byte:
                result.add(
                    (), "a key is expected here" if self._byte != b"}" else "another member must follow"
                )
            return
        name, is_whole = value_at(self._text, begin)
        if not is_whole or not isinstance(name, str):
            if self._byte:
                result.add((), "no member may have a name that begins so")
                self._no_such_names(container, result)
            return
        if name in container.names:
            result.add((), f"the member {name!r} is there already: no name may come twice")
            return
        ways = self._objects(container)
        for language, place in ways:
            self._key_in(language, place, name, container, result)
        if ways and not result.rules and not result.reasons:
            self._spelling(Beginning(self._text[begin : self._offset + 1], False), result)
            if not result.reasons:
                self._is_vague = True
                result.add((), f"with a member {name!r} here, the object could not be finished")

    def _no_such_names(self, container: Container, result: Refusal) -> None:
        for node in self._speaking(self._place.containers[:-1]):
            schema = node.keywords
            for keyword in ("propertyNames", "additionalProperties", "unevaluatedProperties"):
                if keyword in schema and schema[keyword] is not True:
                    result.add([Rule(node.pointer, keyword)])

    def _key_in(
        self, language: ObjectLanguage, place: Place, name: str, container: Container, result: Refusal
    ) -> None:
        inner, facts = language.inner(name), language.facts
        if inner is None:
            result.add(
                [rule_at(node) for node in facts.keys] or (), f"the name {name!r} is refused by propertyNames"
            )
            return
        if not self._states.is_alive(inner):
            dead = [node for node in inner if node.is_false or not self._states.is_alive((node,))] or inner
            result.add([rule_at(node) for node in dead], f"no member {name!r} may be there")
            return
        if facts.max_members is not None and len(container.names) >= facts.max_members:
            most = facts.max_members
            rules = self._with_keyword(self._place.containers[:-1], "maxProperties", _at_most(most))
            result.add(rules, f"there are {most:,} members already")
            return
        if self._states.options.any_order:
            return
        order = language.ordered
        at = order.index(name) if name in order else len(order)
        if at < place.at:
            later = next((other for other in container.names if other in order[at:]), None)
            after = f"after {later!r}" if later is not None else "there"
            result.add(
                (), f"in the schema's order {name!r} cannot come {after}; any_order=True takes any order"
            )
            return
        left_out = [other for other in order[place.at : at] if other in facts.required]
        if left_out:
            result.add(
                self._requiring(left_out[:1]),
                f"in the schema's order the required member {left_out[0]!r} comes before {name!r}; "
                "any_order=True takes any order",
            )

    def _requiring(self, names: Iterable[str]) -> list[Rule]:
        wanted = set(names)
        containers = self._place.containers[:-1]
        return self._with_keyword(containers, "required", lambda given: not wanted.isdisjoint(given))

    def _with_keyword(
        self, containers: list[Container], keyword: str, fits: Callable[[Any], bool] = lambda given: True
    ) -> list[Rule]:
        """The subschemas of the value in these containers that have a keyword with such a value."""
        return [
            Rule(node.pointer, keyword)
            for node in self._speaking(containers)
            if keyword in node.keywords and fits(node.keywords[keyword])
        ]

    def _end_of_object(self, container: Container, result: Refusal) -> None:
        ways = self._objects(container)
        outer = self._place.containers[:-1]
        count = len(container.names)
        for language, _ in ways:
            facts = language.facts
            missing = [name for name in facts.required if name not in container.names]
            if missing:
                shown = ", ".join(map(repr, missing[:_MOST_NAMED]))
                more = f" and {len(missing) - _MOST_NAMED} more" if len(missing) > _MOST_NAMED else ""
                rules = self._requiring(missing) or self._with_keyword(outer, "const")
                result.add(rules or self._with_keyword(outer, "enum"), f"missing: {shown}{more}")
                self._is_vague = not result.rules
            elif count < facts.min_members:
                rules = self._with_keyword(outer, "minProperties", _above(count))
                result.add(rules, f"{count:,} of {facts.min_members:,} members")
            else:
                self._dependent(language, container, result)

    def _dependent(self, language: ObjectLanguage, container: Container, result: Refusal) -> None:
        """What another member asks for."""
        outer = self._place.containers[:-1]
        for node in self._speaking(outer):
            schema = node.keywords
            for keyword in ("dependentRequired", "dependencies"):
                for name, needed in schema.get(keyword, {}).items():
                    if isinstance(needed, (list, tuple)) and name in container.names:
                        missing = [other for other in needed if other not in container.names]
                        if missing:
                            shown = ", ".join(map(repr, missing[:_MOST_NAMED]))
                            result.add([Rule(node.pointer, keyword)], f"missing beside {name!r}: {shown}")
        wanted = {
            witness.name
            for clause in language.facts.clauses
            for witness in clause
            if isinstance(witness, NamedMember) and witness.name not in container.names
        }
        if not result.reasons:
            shown = ", ".join(map(repr, sorted(wanted)[:_MOST_NAMED]))
            self._is_vague = True
            hint = f", perhaps {shown}" if wanted else ""
            result.add((), f"something is missing that the members before it ask for{hint}")

    # -- what follows a value --------------------------------------------------------------------------

    def _next_or_end(self, container: Container, result: Refusal) -> None:
        if self._byte == b"," and container.is_object:
            begin = self._offset + 1
            while self._text[begin : begin + 1] in _BLANKS:
                begin += 1
            self._key(container, begin, result)
        elif self._byte == b",":
            self._another_item(container, result)
        elif self._byte == b"}" and container.is_object:
            self._end_of_object(container, result)
        elif self._byte == b"]" and not container.is_object:
            self._end_of_array(container, result)
        elif self._byte and self._byte not in b" \t\r\n":
            result.add((), "a comma or the end is expected here")

    def _arrays(self, container: Container) -> list[tuple[ArrayLanguage, Spot]]:
        """The ways to understand an open array, and where in each the current item stands."""
        found = {
            (key[1], self._states.spots[key[2]]): None
            for key in self._keys_at(container.before)
            if isinstance(key, tuple) and key[0] == "items"
        }
        if found:
            return [(self._states.array(number), spot) for number, spot in found]
        outer = self._place.containers[: self._place.containers.index(container)]
        return [(language, language.start) for language in self._opened(outer, self._states.arrays_of)]

    def _another_item(self, container: Container, result: Refusal) -> None:
        outer, count = self._place.containers[:-1], len(container.items)
        for language, _ in self._arrays(container):
            facts = language.facts
            inner = facts.item(count)
            if facts.max_items is not None and count >= facts.max_items:
                most = facts.max_items
                rules = self._with_keyword(outer, "maxItems", _at_most(most))
                result.add(rules, f"there are {most:,} items already")
            elif not self._states.is_alive(inner):
                dead = [node for node in inner if not self._states.is_alive((node,))] or inner
                result.add([rule_at(node) for node in dead], f"there may be no item {count}")
            elif facts.unique:
                rules = self._with_keyword(outer, "uniqueItems", bool)
                result.add(rules, "all values that another item could have are there already")
            else:
                result.add(self._with_keyword(outer, "maxContains"))

    def _end_of_array(self, container: Container, result: Refusal) -> None:
        outer, count = self._place.containers[:-1], len(container.items)
        for language, _ in self._arrays(container):
            facts = language.facts
            if count < facts.min_items:
                rules = self._with_keyword(outer, "minItems", _above(count))
                result.add(rules, f"{count:,} of {facts.min_items:,} items")
            elif facts.contains:
                rules = self._with_keyword(outer, "contains")
                result.add(rules, "not enough items are as 'contains' asks")
                self._is_vague = not result.rules
            else:
                self._is_vague = True
                result.add((), "the array must have another item")

    def _layout(self, result: Refusal) -> None:
        options = self._states.options
        if self._byte in _BLANKS:
            if options.indent is not None:
                how = f"indent={options.indent} asks for exactly the lines of json.dumps"
            elif options.separators is not None:
                how = "separators are given"
            elif options.whitespace == "compact":
                how = "whitespace='compact' has none"
            elif self._place.containers:
                how = f"at most {options.max_whitespace} blanks in a row"
            else:
                how = "none before or after the document"
            result.add((), f"white space cannot stand here: {how}")
        elif self._place.expected is Expected.COLON:
            result.add((), "a colon is expected here")
        elif any(byte in b" \t\r\n" for byte in self._next):
            result.add((), "white space is expected here, as the options ask")


def _at_most(limit: int) -> Callable[[Any], bool]:
    return lambda given: bool(given <= limit)


def _above(limit: int) -> Callable[[Any], bool]:
    return lambda given: bool(given > limit)
