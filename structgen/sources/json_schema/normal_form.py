"""Subschemas and their conjunctions in normal form, each worked out once and when first asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from structgen.errors import CompileLimitError, InvalidSchemaError, UnsupportedSchemaError
from structgen.sources.json_schema.assertions import own_form
from structgen.sources.json_schema.document import Document, Node
from structgen.sources.json_schema.facts import (
    ANYTHING,
    ArrayFacts,
    Conjunction,
    Facts,
    Integer,
    LiteralFacts,
    NormalForm,
    NumberFacts,
    ObjectFacts,
    StringFacts,
)
from structgen.sources.json_schema.keywords import Draft
from structgen.sources.json_schema.merge import Budget, merge_forms, union_forms
from structgen.sources.json_schema.strings import string_matches
from structgen.sources.json_schema.values import common, exact, type_of


class NormalForms:
    """The normal forms of a document's conjunctions.

    Raises, beside the errors of `own_form`: `InvalidSchemaError` for a ``$ref`` that leads back to
    itself, `UnsupportedSchemaError` for an enumerated value whose fate hangs on a keyword that is not
    enforced, `CompileLimitError` (``max_depth``, ``max_alternatives``).
    """

    def __init__(self, document: Document, *, max_depth: int, max_alternatives: int) -> None:
        self._document = document
        self._max_depth = max_depth
        self._budget = Budget(max_alternatives)
        self._of_node: dict[Node, NormalForm] = {}
        self._merged_of: dict[Conjunction, NormalForm] = {(): ANYTHING}
        self._settled_of: dict[Conjunction, NormalForm] = {(): ANYTHING}

    def of(self, conjunction: Conjunction) -> NormalForm:
        form = self._settled_of.get(conjunction)
        if form is None:
            form = self._settled_of[conjunction] = self._settled(self._merged(conjunction))
        return form

    def _merged(self, conjunction: Conjunction) -> NormalForm:
        """The form with enumerated values not yet checked against the facts beside them."""
        form = self._merged_of.get(conjunction)
        if form is None:
            form = self._node_form(conjunction[0])
            for node in conjunction[1:]:
                form = merge_forms(form, self._node_form(node), self._budget, node.pointer)
            self._merged_of[conjunction] = form
        return form

    def holds(self, conjunction: Conjunction, value: Any) -> bool:
        """Does a JSON value satisfy every subschema?"""
        undecided: Facts | None = None
        # not the settled form: to settle it may be what this is asked for, of a value that this one is in
        for facts in self._merged(conjunction).by_type[type_of(value)]:
            if _is_listed(facts, value) and self._facts_hold(facts, value):
                if not facts.residues:
                    return True
                undecided = facts
        if undecided is not None:
            residue = undecided.residues[0]
            raise UnsupportedSchemaError(residue.pointer, residue.keyword, residue.reason)
        return False

    def _node_form(self, node: Node) -> NormalForm:
        """The form of one subschema: its keywords and what it refers to at the same place.

        A depth-first walk over ``$ref``, ``allOf`` and ``anyOf`` with a stack of its own, so that long
        chains meet ``max_depth``, not Python's limit.
        """
        done = self._of_node
        if node in done:
            return done[node]
        path: dict[Node, Iterator[Node]] = {node: self._in_place(node)}
        while path:
            current = next(reversed(path))
            for inner in path[current]:
                if inner in path:
                    raise InvalidSchemaError(
                        inner.pointer, "the schema applies itself to the same value, without end"
                    )
                if inner not in done:
                    if len(path) >= self._max_depth:
                        raise CompileLimitError("max_depth", self._max_depth, len(path) + 1, inner.pointer)
                    path[inner] = self._in_place(inner)
                    break
            else:
                del path[current]
                done[current] = self._combined(current)
        return done[node]

    def _in_place(self, node: Node) -> Iterator[Node]:
        """The subschemas that ``node`` applies to the same value."""
        schema = node.schema
        if isinstance(schema, bool):
            return
        if "$ref" in schema:
            yield self._document.resolve(node, schema["$ref"], "$ref")
            if node.draft <= Draft.DRAFT7:
                return
        for keyword in ("allOf", "anyOf"):
            for i in range(len(schema.get(keyword, ()))):
                yield self._document.node(node.at(keyword, i))

    def _combined(self, node: Node) -> NormalForm:
        """Conjunction of a node's parts, in the order of its text (it is the order of properties)."""
        schema = node.schema
        if isinstance(schema, bool):
            return own_form(self._document, node)
        if "$ref" in schema and node.draft <= Draft.DRAFT7:
            return self._of_node[self._document.resolve(node, schema["$ref"], "$ref")]
        parts: dict[str, list[NormalForm]] = {}
        for keyword in schema:
            if keyword == "$ref":
                parts[keyword] = [self._of_node[self._document.resolve(node, schema[keyword], keyword)]]
            elif keyword == "allOf":
                parts[keyword] = self._forms_of(node, keyword)
            elif keyword == "anyOf":
                parts[keyword] = [union_forms(self._forms_of(node, keyword))]
            elif keyword == "properties":
                parts[keyword] = [own_form(self._document, node)]
        if not parts or (len(parts) == 1 and "properties" in parts):
            return own_form(self._document, node)
        if "properties" not in parts:
            parts["properties"] = [own_form(self._document, node)]
        form = ANYTHING
        for group in parts.values():
            for part in group:
                form = merge_forms(form, part, self._budget, node.pointer)
        return form

    def _forms_of(self, node: Node, keyword: str) -> list[NormalForm]:
        return [
            self._of_node[self._document.node(node.at(keyword, i))] for i in range(len(node.schema[keyword]))
        ]

    def _settled(self, form: NormalForm) -> NormalForm:
        """Enumerated values are checked against the facts beside them; what is left is just values."""
        if not any(_is_enumeration(facts) for alternatives in form.by_type for facts in alternatives):
            return form
        by_type = tuple(
            tuple(settled for facts in alternatives if (settled := self._settled_facts(facts)) is not None)
            for alternatives in form.by_type
        )
        return NormalForm(by_type)  # type: ignore[arg-type]

    def _settled_facts(self, facts: Facts) -> Facts | None:
        if isinstance(facts, LiteralFacts) or facts.values is None:
            return facts
        values = tuple(value for value in facts.values if self._facts_hold(facts, value))
        if not values:
            return None
        residues = facts.residues
        if isinstance(facts, NumberFacts):
            # how an integer may be written outlives the check
            return NumberFacts(facts.integer, values=values, residues=residues)
        if isinstance(facts, StringFacts):
            return StringFacts(values=values, residues=residues)
        if isinstance(facts, ArrayFacts):
            return ArrayFacts(values=values, residues=residues)
        return ObjectFacts({}, values=values, residues=residues)

    def _facts_hold(self, facts: Facts, value: Any) -> bool:
        """Do the facts, their values and residues apart, hold of a value of their type?"""
        if isinstance(facts, LiteralFacts):
            return value in facts.values
        if isinstance(facts, NumberFacts):
            return _number_holds(facts, value)
        if isinstance(facts, StringFacts):
            return string_matches(facts, value)
        # loops rather than all(...): half the Python frames for each level of the value
        if isinstance(facts, ArrayFacts):
            if len(value) < facts.min_items or (facts.max_items is not None and len(value) > facts.max_items):
                return False
            for i, item in enumerate(value):  # noqa: SIM110
                if not self.holds(facts.item(i), item):
                    return False
            return True
        for name, inner in value.items():
            if not self.holds(facts.member(name), inner):
                return False
        return all(name in value for name in facts.required)


def _is_enumeration(facts: Facts) -> bool:
    return not isinstance(facts, LiteralFacts) and facts.values is not None


def _is_listed(facts: Facts, value: Any) -> bool:
    return facts.values is None or bool(common((value,), facts.values))


def _number_holds(facts: NumberFacts, value: int | float) -> bool:
    number = exact(value)
    if facts.integer is not Integer.NO and not isinstance(number, int):
        return False
    if facts.low is not None and (number < facts.low or (facts.low_open and number == facts.low)):
        return False
    return facts.high is None or number < facts.high or (number == facts.high and not facts.high_open)
