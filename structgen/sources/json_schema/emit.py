"""Normal forms to a `Grammar`: one rule for each conjunction that needs one, the others in place."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence as Items
from typing import Any

from structgen.automata import json_text
from structgen.grammar import (
    EMPTY,
    Choice,
    Expr,
    Grammar,
    Repetition,
    RuleRef,
    Sequence,
    Terminal,
)
from structgen.sources.json_schema.emptiness import Inhabited, children
from structgen.sources.json_schema.facts import (
    ARRAY,
    BOOLEAN,
    NULL,
    NUMBER,
    OBJECT,
    STRING,
    ArrayFacts,
    Conjunction,
    Integer,
    LiteralFacts,
    NormalForm,
    NumberFacts,
    ObjectFacts,
    StringFacts,
)
from structgen.sources.json_schema.numbers import number_language
from structgen.sources.json_schema.options import SchemaOptions
from structgen.sources.json_schema.punctuation import punctuation
from structgen.sources.json_schema.strings import string_language
from structgen.sources.json_schema.values import is_spellable, type_of

# Arrays and objects within one rule, and expressions nested in one: past these they get a rule.
_MAX_INLINE = 3
_MAX_NESTED = 8
# Repetitions up to here are left to the parser's tables, a state for each (two for an item with a comma).
_MAX_REPEATED = 512


def emit(living: Inhabited, options: SchemaOptions) -> Grammar:
    """The grammar of all texts of the values of ``living``; rules are named by JSON Pointers.

    A rule's name is ``#`` and the pointer of its subschema; several that hold together are joined by
    ``&``, ``any`` is a place without constraint.
    """
    return _Emitter(living, options).grammar()


class _Emitter:
    def __init__(self, living: Inhabited, options: SchemaOptions) -> None:
        self._living = living
        self._options = options
        self._marks = punctuation(options)
        self._uses = _count_uses(living)
        self._rules: dict[str, Expr] = {}
        self._name_of: dict[Conjunction, str] = {}
        self._taken: set[str] = set()
        self._waiting: list[Conjunction] = []
        self._scalars_of: dict[Conjunction, tuple[Expr, ...]] = {}

    def grammar(self) -> Grammar:
        start = self._reference(self._living.root).name
        while self._waiting:
            conjunction = self._waiting.pop()
            self._rules[self._name_of[conjunction]] = self._value(conjunction, 0)
        return Grammar(self._rules, start, "json_schema")

    # -- places ----------------------------------------------------------------------------------

    def _place(self, conjunction: Conjunction, level: int, repeated: bool) -> Expr:
        """What may stand where ``conjunction`` must hold.

        ``repeated``: the caller will write the expression more than once.
        """
        form = self._living.forms[conjunction]
        if not form.has_children:
            return _choice(self._scalars(conjunction, form))
        alone = self._uses[conjunction] == 1 and not repeated
        if alone and level < _MAX_INLINE:
            return self._value(conjunction, level)
        return self._reference(conjunction)

    def _reference(self, conjunction: Conjunction) -> RuleRef:
        name = self._name_of.get(conjunction)
        if name is None:
            name = self._fresh(" & ".join("#" + node.pointer for node in conjunction[:8]) or "any")
            self._name_of[conjunction] = name
            self._waiting.append(conjunction)
        return RuleRef(name)

    def _fresh(self, wish: str) -> str:
        name, number = wish, 1
        while name in self._taken:
            number += 1
            name = f"{wish} ({number})"
        self._taken.add(name)
        return name

    def _rule(self, wish: str, body: Expr) -> RuleRef:
        name = self._fresh(wish)
        self._rules[name] = body
        return RuleRef(name)

    # -- values ----------------------------------------------------------------------------------

    def _value(self, conjunction: Conjunction, level: int) -> Expr:
        form = self._living.forms[conjunction]
        options = list(self._scalars(conjunction, form))
        marks = self._marks
        arrays = [self._array(facts, level) for facts in form.by_type[ARRAY] if isinstance(facts, ArrayFacts)]
        objects = [
            self._object(facts, level) for facts in form.by_type[OBJECT] if isinstance(facts, ObjectFacts)
        ]
        if arrays:
            options.append(_sequence(marks.open_array, _choice(arrays)))
        if objects:
            options.append(_sequence(marks.open_object, _choice(objects)))
        return _choice(options)

    def _scalars(self, conjunction: Conjunction, form: NormalForm) -> tuple[Expr, ...]:
        known = self._scalars_of.get(conjunction)
        if known is None:
            known = self._scalars_of[conjunction] = tuple(self._scalar_terminals(form))
        return known

    def _scalar_terminals(self, form: NormalForm) -> list[Expr]:
        terminals: list[Expr] = []
        words = [
            word
            for place in (NULL, BOOLEAN)
            for facts in form.by_type[place]
            if isinstance(facts, LiteralFacts)
            for word in _words(facts)
        ]
        if words:
            words = sorted(set(words))
            terminals.append(Terminal(json_text.words(tuple(words)), "|".join(words)))
        for facts in form.by_type[NUMBER]:
            if isinstance(facts, NumberFacts):
                name = "number" if facts.integer is Integer.NO else "integer"
                terminals.append(Terminal(number_language(facts), name))
        for facts in form.by_type[STRING]:
            if isinstance(facts, StringFacts):
                for parts in string_language(facts, self._options.max_states):
                    terminals.append(_sequence(*(Terminal(part, "string") for part in parts)))
        return terminals

    # -- arrays ----------------------------------------------------------------------------------

    def _array(self, facts: ArrayFacts, level: int) -> Expr:
        """Everything after the opening bracket."""
        marks = self._marks
        if facts.values is not None:
            return _choice([_sequence(*self._items_of(value)) for value in facts.values])
        living = self._living.forms
        prefix: list[Conjunction] = []
        rest: Conjunction | None = facts.rest if facts.rest in living else None
        for inner in facts.prefix:
            if inner not in living:  # no item can stand here, nor after it
                rest = None
                break
            prefix.append(inner)
        most = facts.max_items
        if most is not None and most <= len(prefix):
            prefix, rest = prefix[:most], None
        if not prefix and rest is None:
            return marks.close_array
        body = _sequence(self._items(prefix, rest, facts, level), marks.end_array)
        return body if facts.min_items else _choice([marks.close_array, body])

    def _items(
        self, prefix: Items[Conjunction], rest: Conjunction | None, facts: ArrayFacts, level: int
    ) -> Expr:
        """At least one item, separated by commas."""
        comma = self._marks.comma
        least, most = facts.min_items, facts.max_items
        tail: Expr = EMPTY
        first: Expr = EMPTY
        if rest is not None:
            before = max(len(prefix), 1)
            once_more = None if most is None else most - before
            item = self._place(rest, level + 1, repeated=not prefix and once_more != 0)
            if not prefix:
                first = item
            if once_more != 0:
                tail = self._repeated(_sequence(comma, item), max(least - before, 0), once_more)
        for i in range(len(prefix) - 1, 0, -1):
            tail = _sequence(comma, self._place(prefix[i], level + 1, repeated=False), tail)
            if i >= least:
                tail = _optional(tail)
            if i % _MAX_NESTED == 0:
                tail = self._rule("items", tail)
        if prefix:
            first = self._place(prefix[0], level + 1, repeated=False)
        return _sequence(first, tail)

    def _repeated(self, item: Expr, least: int, most: int | None) -> Expr:
        """``item`` so many times; large numbers in rules of powers of two, so that a million costs 20.

        Up to n times, where n has the highest bit k: 2**k times and then up to n - 2**k, or up to
        2**k - 1 times. That is the same number in one way only.
        """
        if max(least, most or 0) <= _MAX_REPEATED:
            return Repetition(item, least, most)
        powers = [item]  # powers[k]: 2**k times
        for k in range(1, max(least, most or 0).bit_length()):
            powers.append(self._rule(f"{2**k} items", _sequence(powers[-1], powers[-1])))
        exactly = [powers[k] for k in reversed(range(least.bit_length())) if least >> k & 1]
        if most is None:
            return _sequence(*exactly, Repetition(item, 0, None))
        below: Expr = EMPTY  # up to 2**k - 1 times
        up_to: Expr = EMPTY  # up to the number in the last k bits of what is left
        for k in range((most - least).bit_length()):
            if (most - least) >> k & 1:
                up_to = _choice([_sequence(powers[k], up_to), below])
            below = self._rule(
                f"fewer than {2 ** (k + 1)} items", _choice([_sequence(powers[k], below), below])
            )
        return _sequence(*exactly, up_to)

    # -- objects ---------------------------------------------------------------------------------

    def _object(self, facts: ObjectFacts, level: int) -> Expr:
        """Everything after the opening bracket."""
        marks = self._marks
        if facts.values is not None:
            return _choice([_sequence(*self._members_of(value)) for value in facts.values])
        living = self._living.forms
        required = set(facts.required)
        properties = dict(facts.properties)
        for name in facts.required:
            properties.setdefault(name, facts.others)
        present = [(name, inner) for name, inner in properties.items() if inner in living]
        # until the first required member, each one may be the first: it is written twice
        leading = len(present)
        for i, (name, _) in enumerate(present):
            if name in required:
                leading = i
                break
        members = []
        for i, (name, inner) in enumerate(present):
            repeated = 0 < i <= leading or name not in facts.properties
            key = Terminal(json_text.key(name), f'"{name}"')
            members.append((self._member(key, inner, level, repeated), name in required))
        rest: Expr | None = None
        if facts.others in living:
            excluded = frozenset(name for name in properties if is_spellable(name))
            key = Terminal(json_text.string_except(excluded), "another key")
            rest = self._member(key, facts.others, level, leading == len(present))
        if not members and rest is None:
            return marks.close_object
        body = _sequence(self._members(members, leading, rest), marks.end_object)
        return body if required else _choice([marks.close_object, body])

    def _member(self, key: Terminal, inner: Conjunction, level: int, repeated: bool) -> Expr:
        return _sequence(key, self._marks.colon, self._place(inner, level + 1, repeated))

    def _members(self, members: Items[tuple[Expr, bool]], leading: int, rest: Expr | None) -> Expr:
        """At least one member, in order, separated by commas; any number of ``rest`` at the end."""
        comma = self._marks.comma
        more: Expr | None = None if rest is None else Repetition(_sequence(comma, rest), 0, None)
        if leading < len(members):
            begin = self._some(members[: leading + 1], must_end=True)
        elif members:
            begin = self._some(members, must_end=False)
            if rest is not None:
                begin = _choice([begin, rest])
        elif rest is not None:
            begin = rest
        else:
            return EMPTY
        following = [
            _sequence(comma, member) if needed else _optional(_sequence(comma, member))
            for member, needed in members[leading + 1 :]
        ]
        return _sequence(begin, *following, *([] if more is None else [more]))

    def _some(self, members: Items[tuple[Expr, bool]], *, must_end: bool) -> Expr:
        """At least one of these members; ``must_end``: the last one in any case.

        Halving keeps the nesting at the logarithm of the number, each member written as often.
        """
        comma = self._marks.comma
        if len(members) == 1:
            return members[0][0]
        if len(members) <= _MAX_NESTED:
            expression = members[0][0]
            for i, (member, _) in enumerate(members[1:], 1):
                after = _sequence(comma, member)
                needed = must_end and i == len(members) - 1
                expression = _choice([_sequence(expression, after if needed else _optional(after)), member])
            return expression
        middle = len(members) // 2
        tail = [_optional(_sequence(comma, member)) for member, _ in members[middle:]]
        if must_end:
            tail[-1] = _sequence(comma, members[-1][0])
        left = _sequence(self._some(members[:middle], must_end=False), *tail)
        return _choice([left, self._some(members[middle:], must_end=must_end)])

    # -- enumerated values -----------------------------------------------------------------------

    def _text_of(self, value: Any) -> list[Expr]:
        """One value with the white space and spellings that the options allow, as a flat sequence."""
        kind = type_of(value)
        if kind == ARRAY:
            return [self._marks.open_array, *self._items_of(value)]
        if kind == OBJECT:
            return [self._marks.open_object, *self._members_of(value)]
        if kind == STRING:
            return [Terminal(json_text.key(value), "string")]
        if kind == NUMBER:
            return [Terminal(number_language(NumberFacts(values=(value,))), "number")]
        word = _words(LiteralFacts((value,)))[0]
        return [Terminal(json_text.words((word,)), word)]

    def _items_of(self, value: Items[Any]) -> list[Expr]:
        if not value:
            return [self._marks.close_array]
        parts: list[Expr] = []
        for item in value:
            parts += [self._marks.comma, *self._text_of(item)]
        return [*parts[1:], self._marks.end_array]

    def _members_of(self, value: Mapping[str, Any]) -> list[Expr]:
        if not value:
            return [self._marks.close_object]
        parts: list[Expr] = []
        for name, inner in value.items():
            key = Terminal(json_text.key(name), f'"{name}"')
            parts += [self._marks.comma, key, self._marks.colon, *self._text_of(inner)]
        return [*parts[1:], self._marks.end_object]


def _count_uses(living: Inhabited) -> dict[Conjunction, int]:
    uses = dict.fromkeys(living.forms, 0)
    uses[living.root] += 1
    for form in living.forms.values():
        for place in (ARRAY, OBJECT):
            for facts in form.by_type[place]:
                for inner in children(facts):
                    if inner in uses:
                        uses[inner] += 1
    return uses


def _words(facts: LiteralFacts) -> list[str]:
    return ["null" if value is None else "true" if value else "false" for value in facts.values]


def _sequence(*items: Expr) -> Expr:
    flat: list[Expr] = []
    for item in items:
        if isinstance(item, Sequence):
            flat.extend(item.items)
        else:
            flat.append(item)
    return flat[0] if len(flat) == 1 else Sequence(tuple(flat))


def _choice(options: Items[Expr]) -> Expr:
    return options[0] if len(options) == 1 else Choice(tuple(options))


def _optional(item: Expr) -> Expr:
    return Repetition(item, 0, 1)
