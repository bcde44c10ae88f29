"""Subschemas and their conjunctions in normal form, each worked out once and when first asked for."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from itertools import combinations

from structgen.errors import CompileLimitError, InvalidSchemaError
from structgen.sources.json_schema.assertions import Assertions, false_at
from structgen.sources.json_schema.deadline import Deadline
from structgen.sources.json_schema.document import APPLIES_ITSELF, Document, Node, is_true
from structgen.sources.json_schema.evaluated import Evaluated, Evaluation, needs_evaluation
from structgen.sources.json_schema.facts import (
    ANYTHING,
    FREE,
    NOTHING,
    Alternatives,
    ArrayFacts,
    Conjunction,
    Facts,
    LiteralFacts,
    MemberTable,
    NormalForm,
    NumberFacts,
    ObjectFacts,
    StringFacts,
)
from structgen.sources.json_schema.keyword_sets import EITHER, OWN
from structgen.sources.json_schema.keywords import Draft
from structgen.sources.json_schema.merge import (
    Budget,
    conjoin,
    merge_facts,
    merge_forms,
    merge_many,
    simplified,
    union_forms,
)
from structgen.sources.json_schema.numbers import is_number_empty
from structgen.sources.json_schema.options import SchemaOptions
from structgen.sources.json_schema.string_samples import surely_has_string
from structgen.sources.json_schema.strings import string_language, string_matches
from structgen.sources.json_schema.values import OBJECT, STRING

# How far below two alternatives of a oneOf it is looked whether they exclude each other.
_DISJOINT_DEPTH = 3


class _EntangledError(Exception):
    """A look at what is inside came back to a form that is being worked out."""


class NormalForms:
    """The normal forms of a document's conjunctions.

    Raises, beside the errors of `Assertions`: `InvalidSchemaError` for a schema that applies itself to the
    same value without end, `CompileLimitError` (``max_depth``, ``max_alternatives``,
    ``max_seconds``).
    """

    def __init__(self, document: Document, options: SchemaOptions, deadline: Deadline | None = None) -> None:
        """``deadline``: None for one that begins now."""
        self.deadline = deadline or Deadline(options.max_seconds)
        self.document = document
        self.assertions = Assertions(
            document,
            assert_formats=options.format == "assert",
            plain_integers=options.integers == "plain",
        )
        self._evaluation: Evaluation | None = None
        self._options = options
        # what it knows of this is weak: without cycles a schema's thousands of objects go when it goes
        self.budget = Budget(options.max_alternatives, weakref.proxy(self), self.deadline)
        self._of_node: dict[Node, NormalForm] = {}
        self._open: dict[Node, Iterator[Node]] = {}  # being worked out, the outermost first
        self._floor = 0  # how many of them do not apply to the value that is looked at
        self._n_merging = 0  # quick tests in quick tests
        self._merged_of: dict[Conjunction, NormalForm] = {}  # of several subschemas

    def of(self, conjunction: Conjunction) -> NormalForm:
        if len(conjunction) == 1:
            return self.of_node(conjunction[0])
        if not conjunction:
            return ANYTHING
        form = self._merged_of.get(conjunction)
        if form is None:
            form = NOTHING
            if not self.contradicts(conjunction):
                before = self._merged_of.get(conjunction[:-1])  # as where items that were seen are excluded
                rest = conjunction[1:] if before is None else conjunction[-1:]
                form = self.of_node(conjunction[0]) if before is None else before
                for node in rest:
                    form = merge_forms(form, self.of_node(node), self.budget, node.pointer)
            self._merged_of[conjunction] = form
        return form

    def kept(self) -> list[object]:
        """All forms that were worked out."""
        return [*self._of_node.values(), *self._merged_of.values()]

    def contradicts(self, conjunction: Conjunction) -> bool:
        """Does a subschema stand beside its negation? What is left out of a lenient document refuses nothing,
        nor does its negation.
        """
        if self.document.lenient:
            return False
        denied = {self.document.negation(node) for node in conjunction if node.negated}
        return not denied.isdisjoint(conjunction)

    def string_holds(self, conjunction: Conjunction, text: str) -> bool:
        """Does a string satisfy every subschema?"""
        return any(
            isinstance(facts, StringFacts)
            and (facts.values is None or text in facts.values)
            and string_matches(facts, text)
            for facts in self.of(conjunction).by_type[STRING]
        )

    def of_node(self, node: Node) -> NormalForm:
        """The form of one subschema: its keywords and what it refers to at the same place.

        A depth-first walk over what applies to the same value, with a stack of its own, so that long chains
        meet ``max_depth``, not Python's limit.
        """
        done = self._of_node
        if node in done:
            return done[node]
        path = self._open
        bottom = len(path)
        if not node.negated and _APPLYING.isdisjoint(node.keywords) and bottom < self._options.max_depth:
            self.deadline.check(node.pointer)
            form = done[node] = self.assertions.own_form(node)  # as of most: nothing else is looked at
            return form
        self._enter(node)
        try:
            while len(path) > bottom:
                current = next(reversed(path))
                self.deadline.check(current.pointer)
                for inner in path[current]:
                    if inner not in done:
                        self._enter(inner)
                        break
                else:
                    done[current] = self._combined(current)
                    del path[current]
        finally:
            while len(path) > bottom:
                path.popitem()
        return done[node]

    def _enter(self, node: Node) -> None:
        if node in self._open:
            if list(self._open).index(node) < self._floor:
                raise _EntangledError
            raise InvalidSchemaError(node.pointer, APPLIES_ITSELF)
        if len(self._open) >= self._options.max_depth:
            raise CompileLimitError(
                "max_depth", self._options.max_depth, len(self._open) + 1, node.pointer[:200]
            )
        self._open[node] = iter(self._in_place(node))

    def _in_place(self, node: Node) -> list[Node]:
        """The subschemas that ``node`` applies to the same value, or their negations, as far as it surely
        needs their forms."""
        document = self.document
        if node.schema_of_either is not None:
            return [self._signed(inner, node) for inner in node.schema_of_either]
        schema = node.keywords
        if "$ref" in schema and node.draft <= Draft.DRAFT7:
            return [self._signed(document.resolve(node, schema["$ref"], "$ref"), node)]
        found: list[Node] = []
        for keyword in schema:
            if keyword == "$ref":
                found.append(self._signed(document.resolve(node, schema["$ref"], "$ref"), node))
            elif keyword == "$dynamicRef" or keyword == "$recursiveRef":
                found.append(self._signed(document.resolve_dynamic(node), node))
            elif keyword in ("allOf", "anyOf"):
                found += [self._signed(inner, node) for inner in self._options_of(node, keyword)]
            elif keyword == "oneOf":
                found += self._options_of(node, keyword)
            elif keyword == "not":
                found.append(self._signed(document.negation(document.child(node, "not")), node))
        return found

    def _signed(self, inner: Node, node: Node) -> Node:
        """``inner``, negated where ``node`` is."""
        return self.document.negation(inner) if node.negated else inner

    def _options_of(self, node: Node, keyword: str) -> list[Node]:
        return [self.document.child(node, keyword, i) for i in range(len(node.keywords[keyword]))]

    # -- the keywords of one subschema ---------------------------------------------------------------

    def _combined(self, node: Node) -> NormalForm:
        if node.schema_of_either is not None:
            forms = [self.of_node(self._signed(inner, node)) for inner in node.schema_of_either]
            return self.all_of(forms, node) if node.negated else union_forms(forms)
        if isinstance(node.schema, bool):
            return ANYTHING if node.is_true else NOTHING
        schema = node.keywords
        if "$ref" in schema and node.draft <= Draft.DRAFT7:
            return self.of_node(self._in_place(node)[0])
        if node.negated:
            return self._negation(node)
        if needs_evaluation(node):
            return union_forms([form for form, _ in self._evaluations().evaluated(node)])
        return self.all_of([form for forms in self.parts(node).values() for form in forms], node)

    def parts(self, node: Node) -> dict[str, list[NormalForm]]:
        """What each keyword of a subschema asks, in the order of the text: it is the order of properties.

        The keywords of its own stand together where ``properties`` does.
        """
        schema = node.keywords
        parts: dict[str, list[NormalForm]] = {}
        for keyword in schema:
            if keyword == "properties":
                parts[keyword] = [self.assertions.own_form(node)]
            elif keyword == "$ref":
                parts[keyword] = [self.of_node(self.document.resolve(node, schema["$ref"], "$ref"))]
            elif keyword == "$dynamicRef" or keyword == "$recursiveRef":
                parts[keyword] = [self.of_node(self.document.resolve_dynamic(node))]
            elif keyword == "allOf":
                parts[keyword] = [self.of_node(inner) for inner in self._options_of(node, keyword)]
            elif keyword == "anyOf":
                forms = [self.of_node(inner) for inner in self._options_of(node, keyword)]
                parts[keyword] = [union_forms(forms)]
            elif keyword == "oneOf":
                parts[keyword] = [self.exactly_one(self._options_of(node, keyword), node)]
            elif keyword == "not":
                parts[keyword] = [self.of_node(self.document.negation(self.document.child(node, "not")))]
            elif keyword == "if":
                parts[keyword] = [union_forms(self.conditional(node))]
            elif keyword in ("dependentSchemas", "dependencies"):
                parts[keyword] = [
                    self.dependent(node, keyword, name) for name in self.dependents(node, keyword)
                ]
        if "properties" not in parts and not OWN.isdisjoint(schema):
            own = [self.assertions.own_form(node)]
            # it decides most, so it comes first where it has no place of its own
            parts = {"properties": own, **parts}
        return parts

    def all_of(self, forms: Sequence[NormalForm], node: Node) -> NormalForm:
        result = ANYTHING
        for form in forms:
            result = merge_forms(result, form, self.budget, node.pointer)
        return result

    def exactly_one(self, options: Sequence[Node], node: Node) -> NormalForm:
        """One option holds and no other; what it excludes already need not be excluded again."""
        if len(options) == 1:
            return self.of_node(options[0])
        forms = [self.of_node(option) for option in options]
        held: list[set[Node]] = []
        refuted: dict[tuple[int, frozenset[Node]], NormalForm] = {}  # by what of the option holds anyway
        by_type: list[Alternatives] = []
        for place in range(len(FREE)):
            given = {i: form.by_type[place] for i, form in enumerate(forms) if form.by_type[place]}
            beside: dict[int, list[int]] = {i: [] for i in given}  # the options that are not excluded
            for i, j in combinations(given, 2):
                if not self._exclude(given[i], given[j]):
                    beside[i].append(j)
                    beside[j].append(i)
            found: list[Facts] = []
            for i, others in beside.items():
                chosen = [given[i]]
                if others and not held:
                    held = [self._held(option) for option in options]
                for j in sorted(others):
                    shared = frozenset(held[i] & held[j])
                    if (j, shared) not in refuted:
                        refuted[j, shared] = self._refuted(options[j], held[i])
                    chosen.append(refuted[j, shared].by_type[place])
                found += merge_many(chosen, place, self.budget, node.pointer)
            by_type.append(simplified(found, FREE[place]))
        return NormalForm(tuple(by_type))

    def _held(self, node: Node) -> set[Node]:
        """The subschemas that hold wherever ``node`` does: itself, and what it plainly applies in place."""
        held: set[Node] = set()
        pending = [node]
        while pending:
            current = pending.pop()
            if current not in held:
                held.add(current)
                pending += self._applied(current)
        return held

    def _applied(self, node: Node) -> list[Node]:
        """What ``allOf`` and ``$ref`` apply to the same value."""
        if isinstance(node.schema, bool) or node.negated or node.schema_of_either is not None:
            return []
        schema = node.keywords
        found = [self.document.resolve(node, schema["$ref"], "$ref")] if "$ref" in schema else []
        if "allOf" in schema and not (found and node.draft <= Draft.DRAFT7):
            found += self._options_of(node, "allOf")
        return found

    def _refuted(self, node: Node, held: set[Node]) -> NormalForm:
        """``node`` does not hold, though all of ``held`` do: options of ``oneOf`` often share a base."""
        if node in held:
            return NOTHING
        own = self._held(node)
        if (
            held.isdisjoint(own)
            or len(own) > _MOST_SHARED
            or any(keyword in _IN_PLACE for keyword in node.keywords)
        ):
            return self.of_node(self.document.negation(node))
        forms = [self._refuted(inner, held) for inner in self._applied(node)]
        if not ("$ref" in node.keywords and node.draft <= Draft.DRAFT7):
            forms.insert(0, self.assertions.own_negation(node))
        return union_forms(forms)

    def conditional(self, node: Node) -> list[NormalForm]:
        """``if`` holds and ``then``; or it does not and ``else``."""
        document, schema = self.document, node.keywords
        condition = document.child(node, "if")
        found = []
        for keyword, premise in (("then", condition), ("else", document.negation(condition))):
            form = self.of_node(premise)
            if keyword in schema:
                conclusion = self.of_node(document.child(node, keyword))
                form = merge_forms(form, conclusion, self.budget, node.pointer)
            found.append(form)
        return [ANYTHING] if "then" not in schema and "else" not in schema else found

    def dependents(self, node: Node, keyword: str) -> list[str]:
        """The names in ``dependentSchemas`` or ``dependencies`` that have a schema."""
        return [
            name for name, inner in node.keywords[keyword].items() if not isinstance(inner, (list, tuple))
        ]

    def dependent(self, node: Node, keyword: str, name: str) -> NormalForm:
        """Either there is no member ``name``, or the schema that it brings holds."""
        inner = self.of_node(self.document.child(node, keyword, name))
        present = _of_one_type(OBJECT, (ObjectFacts(required=(name,)),))
        with_it = merge_forms(inner, present, self.budget, node.at(keyword, name))
        return union_forms([self.without(node, name), with_it])

    def without(self, node: Node, name: str) -> NormalForm:
        """No member ``name``; other types are free."""
        absent = ObjectFacts((MemberTable({name: (false_at(self.document, node.pointer),)}),))
        return NormalForm((*((facts,) for facts in FREE[:OBJECT]), (absent,)))

    def _negation(self, node: Node) -> NormalForm:
        """Some keyword does not hold. ``node`` is negated."""
        document, schema = self.document, node.keywords
        plain = document.negation(node)
        forms = [self.assertions.own_negation(plain)]
        for keyword in schema:
            if keyword == "$ref":
                forms.append(self._not(document.resolve(plain, schema["$ref"], "$ref")))
            elif keyword == "$dynamicRef" or keyword == "$recursiveRef":
                forms.append(self._not(document.resolve_dynamic(plain)))
            elif keyword == "allOf":
                forms += [self._not(inner) for inner in self._options_of(plain, keyword)]
            elif keyword == "anyOf":
                none = [self._not(inner) for inner in self._options_of(plain, keyword)]
                forms.append(self.all_of(none, node))
            elif keyword == "oneOf":
                options = self._options_of(plain, keyword)
                forms.append(self.all_of([self._not(inner) for inner in options], node))
                held = [self.of_node(inner) for inner in options]
                forms += [
                    merge_forms(held[i], held[j], self.budget, node.pointer)
                    for i in range(len(held))
                    for j in range(i)
                ]
            elif keyword == "not":
                forms.append(self.of_node(document.child(plain, "not")))
            elif keyword == "if":
                condition = document.child(plain, "if")
                for name, premise in (("then", condition), ("else", document.negation(condition))):
                    if name in schema:
                        conclusion = self._not(document.child(plain, name))
                        form = merge_forms(self.of_node(premise), conclusion, self.budget, node.pointer)
                        forms.append(form)
            elif keyword in ("dependentSchemas", "dependencies"):
                for name in self.dependents(plain, keyword):
                    present = _of_one_type(OBJECT, (ObjectFacts(required=(name,)),))
                    inner = self._not(document.child(plain, keyword, name))
                    forms.append(merge_forms(inner, present, self.budget, node.pointer))
        if needs_evaluation(plain):
            forms += self._evaluations().violations(plain)
        return union_forms(forms)

    def _evaluations(self) -> Evaluation:
        if self._evaluation is None:
            self._evaluation = Evaluation(weakref.proxy(self))
        return self._evaluation

    def _not(self, node: Node) -> NormalForm:
        return self.of_node(self.document.negation(node))

    # -- do two alternatives exclude each other? -----------------------------------------------------

    def _exclude(self, left: Alternatives, right: Alternatives) -> bool:
        """True when surely no value satisfies both; it is only looked so far."""
        for a in left:
            for b in right:
                merged = merge_facts(a, b)
                if merged is not None and not self._is_surely_empty(merged, 0):
                    return False
        return True

    def is_quickly_empty(self, facts: Facts) -> bool:
        """`_is_surely_empty` for merging, which comes back here: recursive schemas would without end."""
        if self._n_merging == _DISJOINT_DEPTH:
            return False
        self._n_merging += 1
        try:
            return self._is_surely_empty(facts, 1)
        finally:
            self._n_merging -= 1

    def _is_surely_empty(self, facts: Facts, depth: int) -> bool:
        if isinstance(facts, LiteralFacts):
            return not facts.values
        if isinstance(facts, NumberFacts):
            return is_number_empty(facts)
        if isinstance(facts, StringFacts):
            return not surely_has_string(facts) and not string_language(facts, self._options.max_states)
        if depth == _DISJOINT_DEPTH:
            return False
        if isinstance(facts, ArrayFacts):
            needed = [facts.item(i) for i in range(min(facts.min_items, len(facts.prefix) + 1))]
        else:
            needed = [named_member(facts, name) for name in facts.required]
        for conjunction in needed:
            if not conjunction:
                continue
            if conjunction[0].is_false:
                return True
            floor, self._floor = self._floor, len(self._open)
            try:
                form = self.of(conjunction)
            except _EntangledError:
                continue  # it holds itself: that is for the emptiness test to find out
            finally:
                self._floor = floor
            if all(self._is_surely_empty(inner, depth + 1) for group in form.by_type for inner in group):
                return True
        return False


# Keywords beside ``allOf`` and ``$ref`` that apply subschemas to the same value, or look at what those saw.
_IN_PLACE = frozenset(
    (
        "anyOf",
        "oneOf",
        "not",
        "if",
        "dependentSchemas",
        "dependencies",
        "$dynamicRef",
        "$recursiveRef",
        "unevaluatedProperties",
        "unevaluatedItems",
    )
)
_APPLYING = _IN_PLACE | {"$ref", "allOf", EITHER}
_MOST_SHARED = 64  # subschemas applied in place; where there are more, none is looked for in other options


def named_member(facts: ObjectFacts, name: str) -> Conjunction:
    """What the member ``name`` has to satisfy, patterns apart."""
    conjunction: Conjunction = ()
    for table in facts.tables:
        inner = table.properties.get(name)
        if inner is None and not table.patterns:
            inner = table.others
        if inner:
            conjunction = conjoin(conjunction, inner)
    return conjunction


def _of_one_type(place: int, alternatives: Alternatives) -> NormalForm:
    return NormalForm(tuple(alternatives if i == place else () for i in range(len(FREE))))


__all__ = ["Evaluated", "NormalForms", "is_true", "named_member"]
