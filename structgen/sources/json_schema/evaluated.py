"""``unevaluatedProperties`` and ``unevaluatedItems``: what is left depends on which subschemas hold.

So the cases are told apart: for each, which subschemas hold of the value and which do not, and with that
what was evaluated (JSON Schema 2020-12, Core, section 11).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

from structgen.errors import InvalidSchemaError
from structgen.sources.json_schema.assertions import child, negated_child
from structgen.sources.json_schema.document import Node
from structgen.sources.json_schema.facts import (
    ANYTHING,
    FREE,
    ArrayFacts,
    Conjunction,
    ItemWitness,
    MemberTable,
    NormalForm,
    ObjectFacts,
    OtherMember,
    Pattern,
)
from structgen.sources.json_schema.keyword_sets import OWN
from structgen.sources.json_schema.keywords import Draft
from structgen.sources.json_schema.merge import conjoin, merge_forms
from structgen.sources.json_schema.values import ARRAY, OBJECT

if TYPE_CHECKING:
    from structgen.sources.json_schema.normal_form import NormalForms

_UNEVALUATED = ("unevaluatedProperties", "unevaluatedItems")


@dataclass(frozen=True, slots=True)
class Evaluated:
    """Members by name and by pattern, or all; the first items, those that a ``contains`` holds of, or all.

    ``maybe_more_*``: a lenient document left out what would tell.
    """

    names: tuple[str, ...] = ()
    patterns: tuple[Pattern, ...] = ()
    all_members: bool = False
    n_items: int = 0
    contained: tuple[Conjunction, ...] = ()
    all_items: bool = False
    maybe_more_members: bool = False
    maybe_more_items: bool = False

    def and_also(self, other: Evaluated) -> Evaluated:
        return Evaluated(
            tuple(dict.fromkeys(self.names + other.names)),
            tuple(dict.fromkeys(self.patterns + other.patterns)),
            self.all_members or other.all_members,
            max(self.n_items, other.n_items),
            tuple(dict.fromkeys(self.contained + other.contained)),
            self.all_items or other.all_items,
            self.maybe_more_members or other.maybe_more_members,
            self.maybe_more_items or other.maybe_more_items,
        )


_NOTHING_EVALUATED = Evaluated()
Case = tuple[NormalForm, Evaluated]


def needs_evaluation(node: Node) -> bool:
    """True when a subschema has a keyword that depends on what others evaluate."""
    schema = node.keywords
    return any(keyword in schema and schema[keyword] is not True for keyword in _UNEVALUATED)


class Evaluation:
    """The cases of a document's subschemas."""

    def __init__(self, forms: NormalForms) -> None:
        self._forms = forms
        self._cases: dict[tuple[Node, bool], list[Case]] = {}
        self._open: set[tuple[Node, bool]] = set()

    def evaluated(self, node: Node) -> list[Case]:
        """The cases in which ``node``, not negated, holds: together all of them."""
        return self._found(node, complete=True)

    def violations(self, node: Node) -> list[NormalForm]:
        """All keywords but the ``unevaluated`` ones hold, and one of these does not."""
        document, schema = self._forms.document, node.keywords
        found = []
        for form, evaluated in self._found(node, complete=False):
            if "unevaluatedProperties" in schema and not evaluated.all_members:
                inner = negated_child(document, node, "unevaluatedProperties")
                witness = OtherMember(inner, table=_table(evaluated, ()))
                facts = ObjectFacts(clauses=((witness,),))
                found.append(self._merged(form, _only(OBJECT, facts), node))
            if "unevaluatedItems" in schema and not evaluated.all_items:
                inner = negated_child(document, node, "unevaluatedItems")
                for contained in evaluated.contained:
                    inner = conjoin(inner, self._negated(contained))
                clause = (ItemWitness(evaluated.n_items, None, inner),)
                found.append(self._merged(form, _only(ARRAY, ArrayFacts(clauses=(clause,))), node))
        return found

    def _negated(self, conjunction: Conjunction) -> Conjunction:
        return tuple(self._forms.document.negation(node) for node in conjunction)

    def _merged(self, left: NormalForm, right: NormalForm, node: Node) -> NormalForm:
        return merge_forms(left, right, self._forms.budget, node.pointer)

    def _found(self, node: Node, *, complete: bool) -> list[Case]:
        known_cases = self._cases.get((node, complete))
        if known_cases is None:
            if (node, complete) in self._open:
                raise InvalidSchemaError(
                    node.pointer, "the schema applies itself to the same value, without end"
                )
            self._open.add((node, complete))
            known_cases = self._cases[node, complete] = self._find(node, complete)
            self._open.discard((node, complete))
        return known_cases

    def _find(self, node: Node, complete: bool) -> list[Case]:
        forms, document = self._forms, self._forms.document
        if isinstance(node.schema, bool) or node.schema_of_either is not None:
            return [(forms.of_node(node), _NOTHING_EVALUATED)]
        if node.is_unknown:
            return [(ANYTHING, Evaluated(maybe_more_members=True, maybe_more_items=True))]
        schema = node.keywords
        if "$ref" in schema and node.draft <= Draft.DRAFT7:
            return self.evaluated(document.resolve(node, schema["$ref"], "$ref"))
        factors: list[list[Case]] = []
        if not OWN.isdisjoint(schema):
            factors.append([(forms.assertions.own_form(node), self._own(node))])
        for keyword in schema:
            if keyword == "$ref":
                factors.append(self.evaluated(document.resolve(node, schema["$ref"], "$ref")))
            elif keyword == "$dynamicRef" or keyword == "$recursiveRef":
                factors.append(self.evaluated(document.resolve_dynamic(node)))
            elif keyword == "allOf":
                factors += [self.evaluated(inner) for inner in self._options(node, keyword)]
            elif keyword == "anyOf":
                factors.append(self._any_of(self._options(node, keyword), node))
            elif keyword == "oneOf":
                factors.append(self._one_of(self._options(node, keyword), node))
            elif keyword == "not":
                negation = document.negation(document.child(node, "not"))
                factors.append([(forms.of_node(negation), _NOTHING_EVALUATED)])
            elif keyword == "if":
                factors.append(self._conditional(node))
            elif keyword in ("dependentSchemas", "dependencies"):
                factors += [self._dependent(node, keyword, name) for name in forms.dependents(node, keyword)]
        cases: list[Case] = [(ANYTHING, _NOTHING_EVALUATED)]
        for factor in factors:
            cases = self._product(cases, factor, node)
        return [self._with_unevaluated(case, node) for case in cases] if complete else cases

    def _options(self, node: Node, keyword: str) -> list[Node]:
        return [self._forms.document.child(node, keyword, i) for i in range(len(node.keywords[keyword]))]

    def _product(self, left: Sequence[Case], right: Sequence[Case], node: Node) -> list[Case]:
        together: dict[Evaluated, list[NormalForm]] = {}
        for (a, seen), (b, also) in product(left, right):
            form = self._merged(a, b, node)
            if not form.is_empty:
                together.setdefault(seen.and_also(also), []).append(form)
        return [(form, evaluated) for evaluated, found in together.items() for form in found]

    def _own(self, node: Node) -> Evaluated:
        schema, document = node.keywords, self._forms.document
        items = schema.get("items")
        is_list = isinstance(items, (list, tuple))
        contained: tuple[Conjunction, ...] = ()
        if "contains" in schema and node.draft >= Draft.DRAFT2020:
            contained = (child(document, node, "contains"),)
        table = forms_table = self._forms.assertions.member_table(node)
        return Evaluated(
            tuple(table.properties),
            tuple(pattern for pattern, _ in forms_table.patterns),
            "additionalProperties" in schema,
            len(items) if is_list and items is not None else len(schema.get("prefixItems", ())),
            contained,
            (items is not None and not is_list) or (is_list and "additionalItems" in schema),
            any(map(self._forms.assertions.is_left_out, schema.get("patternProperties", ()))),
        )

    def _any_of(self, options: Sequence[Node], node: Node) -> list[Case]:
        """Every set of options that hold, but the empty one. Those that evaluate nothing go together."""
        cases: list[tuple[NormalForm, Evaluated, bool]] = [(ANYTHING, _NOTHING_EVALUATED, False)]
        for option in options:
            negation = self._forms.of_node(self._forms.document.negation(option))
            after: list[tuple[NormalForm, Evaluated, bool]] = []
            for form, evaluated, held in cases:
                after += [
                    (merged, evaluated.and_also(also), True)
                    for inner, also in self.evaluated(option)
                    if not (merged := self._merged(form, inner, node)).is_empty
                ]
                merged = self._merged(form, negation, node)
                if not merged.is_empty:
                    after.append((merged, evaluated, held))
            cases = after
        return [(form, evaluated) for form, evaluated, held in cases if held]

    def _one_of(self, options: Sequence[Node], node: Node) -> list[Case]:
        found: list[Case] = []
        for chosen in options:
            cases = self.evaluated(chosen)
            for other in options:
                if other is not chosen:
                    negation = self._forms.of_node(self._forms.document.negation(other))
                    cases = self._product(cases, [(negation, _NOTHING_EVALUATED)], node)
            found += cases
        return found

    def _conditional(self, node: Node) -> list[Case]:
        document, schema = self._forms.document, node.keywords
        condition = document.child(node, "if")
        holds = self.evaluated(condition)
        if "then" in schema:
            holds = self._product(holds, self.evaluated(document.child(node, "then")), node)
        fails: list[Case] = [(self._forms.of_node(document.negation(condition)), _NOTHING_EVALUATED)]
        if "else" in schema:
            fails = self._product(fails, self.evaluated(document.child(node, "else")), node)
        return [*holds, *fails]

    def _dependent(self, node: Node, keyword: str, name: str) -> list[Case]:
        present: Case = (_only(OBJECT, ObjectFacts(required=(name,))), _NOTHING_EVALUATED)
        inner = self.evaluated(self._forms.document.child(node, keyword, name))
        return [
            (self._forms.without(node, name), _NOTHING_EVALUATED),
            *self._product(inner, [present], node),
        ]

    def _with_unevaluated(self, case: Case, node: Node) -> Case:
        form, evaluated = case
        document, schema = self._forms.document, node.keywords
        if "unevaluatedProperties" in schema:
            if not (evaluated.all_members or evaluated.maybe_more_members):
                inner = child(document, node, "unevaluatedProperties")
                facts = ObjectFacts((_table(evaluated, inner),))
                form = self._merged(form, _else_free(OBJECT, facts), node)
            evaluated = evaluated.and_also(Evaluated(all_members=True))
        if "unevaluatedItems" in schema:
            if not (evaluated.all_items or evaluated.maybe_more_items):
                inner = child(document, node, "unevaluatedItems")
                for contained in evaluated.contained:
                    inner = document.either(inner, contained, node.at("unevaluatedItems"))
                items = ArrayFacts(tuple(() for _ in range(evaluated.n_items)), inner)
                form = self._merged(form, _else_free(ARRAY, items), node)
            evaluated = evaluated.and_also(Evaluated(all_items=True))
        return form, evaluated


def _table(evaluated: Evaluated, others: Conjunction) -> MemberTable:
    return MemberTable(
        dict.fromkeys(evaluated.names, ()), tuple((pattern, ()) for pattern in evaluated.patterns), others
    )


def _only(place: int, facts: ObjectFacts | ArrayFacts) -> NormalForm:
    return NormalForm(tuple((facts,) if i == place else () for i in range(len(FREE))))


def _else_free(place: int, facts: ObjectFacts | ArrayFacts) -> NormalForm:
    return NormalForm(tuple((facts,) if i == place else (free,) for i, free in enumerate(FREE)))
