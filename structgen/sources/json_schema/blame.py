"""Which keywords refuse the beginning of a value: each subschema's are tried one by one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from structgen.automata import json_text
from structgen.automata.dfa import START, Dfa
from structgen.sources.json_schema.document import Node
from structgen.sources.json_schema.facts import (
    Conjunction,
    Facts,
    LiteralFacts,
    NormalForm,
    NumberFacts,
    StringFacts,
)
from structgen.sources.json_schema.keyword_sets import OWN
from structgen.sources.json_schema.keywords import Draft
from structgen.sources.json_schema.normal_form import NormalForms
from structgen.sources.json_schema.numbers import number_language
from structgen.sources.json_schema.options import SchemaOptions
from structgen.sources.json_schema.strings import string_content
from structgen.sources.json_schema.values import ARRAY, BOOLEAN, NULL, NUMBER, OBJECT, STRING, equality_key

_MOST_OPTIONS = 8  # of an anyOf or oneOf, whose own keywords are told
# Keywords that mean something together only.
_TOGETHER = {
    "minimum": ("exclusiveMinimum",),
    "maximum": ("exclusiveMaximum",),
    "exclusiveMinimum": ("minimum",),
    "exclusiveMaximum": ("maximum",),
    "contains": ("minContains", "maxContains"),
}
_OF_TYPE = {
    NUMBER: ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    STRING: ("minLength", "maxLength", "pattern", "format"),
}


class Rule(NamedTuple):
    """A keyword of the subschema at ``pointer``; '' where it is the subschema as a whole (``false``)."""

    pointer: str
    keyword: str


@dataclass(frozen=True, slots=True)
class Beginning:
    """The beginning of a value's text, up to and with the byte that is refused; ``is_whole``: all of it is
    the value, and it is refused that it ends there.
    """

    text: bytes
    is_whole: bool

    @property
    def type(self) -> int | None:
        """The place of its JSON type in `NormalForm.by_type`; None: no JSON value begins so."""
        first = self.text[:1]
        if first in b"-0123456789":
            return NUMBER
        places = {b'"': STRING, b"{": OBJECT, b"[": ARRAY, b"t": BOOLEAN, b"f": BOOLEAN, b"n": NULL}
        return places.get(first)

    @property
    def is_json(self) -> bool:
        """Can JSON go on so, whatever the schema?"""
        if self.type is NUMBER:
            return self._fits(json_text.number(), self.text)
        if self.type is STRING:
            return self._fits(json_text.string(), self.text)
        if self.type in (BOOLEAN, NULL):
            return any(word.startswith(self.text) for word in (b"true", b"false", b"null"))
        return self.type is not None

    def _fits(self, automaton: Dfa, text: bytes) -> bool:
        state = automaton.step(START, text)
        return bool(automaton.accepting[state]) if self.is_whole else state != 0

    def is_refused_by(self, facts: Facts, options: SchemaOptions) -> bool:
        """Does one of the facts, taken alone, refuse it? Of arrays and objects only the bracket counts."""
        if isinstance(facts, LiteralFacts):
            words = [json.dumps(value).encode() for value in facts.values]
            return not any(word.startswith(self.text) for word in words)
        if isinstance(facts, NumberFacts):
            return not self._fits(number_language(facts, max_digits=options.max_digits), self.text)
        return isinstance(facts, StringFacts) and self._is_no_string(facts, options)

    def _is_no_string(self, facts: StringFacts, options: SchemaOptions) -> bool:
        if facts.values is not None:
            return not self._fits(json_text.strings(tuple(sorted(facts.values))), self.text)
        content = self.text[1:-1] if self.is_whole else self.text[1:]
        single = [StringFacts(patterns=(pattern,)) for pattern in facts.patterns]
        single += [StringFacts(missed=(pattern,)) for pattern in facts.missed]
        single += [StringFacts(formats=(name,)) for name in facts.formats]
        single += [StringFacts(other_formats=(name,)) for name in facts.other_formats]
        if not all(self._fits(string_content(one, options.max_states), content) for one in single):
            return True
        length = json_length(content)
        if facts.max_length is not None and length > facts.max_length:
            return True
        if not self.is_whole:
            return False
        return length < facts.min_length or json.loads(self.text) in facts.excluded


def json_length(content: bytes) -> int:
    """Code points of the beginning of a JSON string's inside, an unfinished escape not counted."""
    count, at = 0, 0
    text = content.decode("utf-8", "ignore")
    while at < len(text):
        if text[at] != "\\":
            at += 1
        elif text[at + 1 : at + 2] != "u":
            at += 2
        else:
            at += 12 if text[at + 2 : at + 4].lower() in ("d8", "d9", "da", "db") else 6
        count += at <= len(text)
    return count


class Blame:
    """Names the keywords of a document's subschemas."""

    def __init__(self, forms: NormalForms, options: SchemaOptions) -> None:
        self._forms = forms
        self._options = options
        self.is_joint = False  # the keywords named so far are not each to blame, only all of them

    def of_value(self, conjunction: Conjunction, beginning: Beginning) -> list[Rule]:
        """What in the subschemas refuses the beginning of a value, each by itself."""
        place = beginning.type
        if place is None:
            return []

        def refuses(form: NormalForm) -> bool:
            return all(beginning.is_refused_by(facts, self._options) for facts in form.by_type[place])

        rules: dict[Rule, None] = {}
        for node in conjunction:
            rules.update(dict.fromkeys(self._of_node(node, place, refuses, frozenset())))
        return list(rules)

    def together(self, conjunction: Conjunction, place: int | None) -> list[Rule]:
        """The keywords that speak of a type of value: what refuses it where none does so alone."""
        found: dict[Rule, None] = {}
        for node in self.applied(conjunction):
            for keyword in node.keywords:
                if keyword in _OF_TYPE.get(-1 if place is None else place, ()):
                    found[Rule(node.pointer, keyword)] = None
        return list(found)

    def applied(self, conjunction: Iterable[Node]) -> Iterator[Node]:
        """The subschemas that may apply to the same value, negated ones left out, each once."""
        seen: set[str] = set()
        pending = list(conjunction)[::-1]
        while pending:
            node = pending.pop()
            if node.schema_of_either is not None:
                pending += node.schema_of_either
                continue
            if node.negated or node.is_unknown or node.pointer in seen:
                continue
            seen.add(node.pointer)
            yield node
            pending += reversed(list(self._in_place(node)))

    def _in_place(self, node: Node) -> Iterator[Node]:
        document, schema = self._forms.document, node.keywords
        if "$ref" in schema:
            yield document.resolve(node, schema["$ref"], "$ref")
            if node.draft <= Draft.DRAFT7:
                return
        if "$dynamicRef" in schema or "$recursiveRef" in schema:
            yield document.resolve_dynamic(node)
        for keyword in ("allOf", "anyOf", "oneOf"):
            for i in range(len(schema.get(keyword, ()))):
                yield document.child(node, keyword, i)
        for keyword in ("then", "else"):
            if "if" in schema and keyword in schema:
                yield document.child(node, keyword)
        for keyword in ("dependentSchemas", "dependencies"):
            for name in self._forms.dependents(node, keyword) if keyword in schema else ():
                yield document.child(node, keyword, name)

    def _of_node(
        self, node: Node, place: int, refuses: Callable[[NormalForm], bool], above: frozenset[Node]
    ) -> list[Rule]:
        forms, document = self._forms, self._forms.document
        if node in above or not refuses(forms.of((node,))):
            return []
        above |= {node}
        if node.is_made or node.negated or not isinstance(node.schema, Mapping):
            return [rule_at(node)]
        schema = node.keywords
        if "$ref" in schema and node.draft <= Draft.DRAFT7:
            return self._of_node(document.resolve(node, schema["$ref"], "$ref"), place, refuses, above)
        found: list[Rule] = []
        for keyword, asked in forms.parts(node).items():
            if not any(map(refuses, asked)):
                continue
            deeper: list[Node] = []
            if keyword == "properties":
                found += self._own(node, schema, refuses)
                continue
            if keyword == "$ref":
                deeper = [document.resolve(node, schema["$ref"], "$ref")]
            elif keyword in ("$dynamicRef", "$recursiveRef"):
                deeper = [document.resolve_dynamic(node)]
            elif keyword in ("allOf", "anyOf", "oneOf"):
                deeper = [document.child(node, keyword, i) for i in range(len(schema[keyword]))]
            if keyword in ("anyOf", "oneOf"):
                found.append(Rule(node.pointer, keyword))
                # what refuses the options that are of this type at all
                deeper = [inner for inner in deeper if forms.of((inner,)).by_type[place]][:_MOST_OPTIONS]
            inner_rules = [rule for inner in deeper for rule in self._of_node(inner, place, refuses, above)]
            found += inner_rules
            if not inner_rules and keyword not in ("anyOf", "oneOf"):
                found.append(Rule(node.pointer, keyword))
        if not found:
            self.is_joint = True
            found = self.together((node,), place) or [Rule(node.pointer, "")]
        return found

    def _own(
        self, node: Node, schema: Mapping[str, Any], refuses: Callable[[NormalForm], bool]
    ) -> Iterator[Rule]:
        """Keywords that the specification calls assertions, and those of items and members."""
        for keyword in schema:
            if keyword in OWN:
                names = (keyword, *_TOGETHER.get(keyword, ()))
                alone = {name: schema[name] for name in names if name in schema}
                if keyword == "exclusiveMinimum" or keyword == "exclusiveMaximum":
                    if isinstance(schema[keyword], bool):
                        continue  # draft 4: told with the bound
                    alone = {keyword: schema[keyword]}
                elif not isinstance(schema.get(names[-1]), bool) and keyword in ("minimum", "maximum"):
                    alone = {keyword: schema[keyword]}
                reduced = Node(alone, node.pointer, node.resource, node.scope)
                if refuses(self._forms.assertions.own_form(reduced)):
                    yield Rule(node.pointer, keyword)


_APPLYING = frozenset(
    [
        "additionalProperties", "unevaluatedProperties", "items", "additionalItems", "unevaluatedItems",
        "propertyNames", "contains", "not", "enum", "const", "uniqueItems",
    ]
)  # fmt: skip


def rule_at(node: Node) -> Rule:
    """The rule that a subschema without keywords is: the keyword that holds it."""
    above, _, last = node.pointer.rpartition("/")
    if last in _APPLYING:
        return Rule(above, last)
    return Rule(node.pointer, "not" if node.negated else "")


def equal_items(values: list[Any]) -> tuple[int, int] | None:
    """The first two places of equal values; the last of all values is one of them."""
    keys = [equality_key(value) for value in values]
    if keys[-1] in keys[:-1]:
        return keys.index(keys[-1]), len(keys) - 1
    return None
