"""What of a document its root comes to, and what of that cannot be enforced: looked at before anything is
compiled, since the rest is worked out only when a text comes there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from structgen.errors import InvalidSchemaError, StructgenError, UnsupportedSchemaError
from structgen.sources.json_schema.contents import IN_PLACE, is_applied
from structgen.sources.json_schema.deadline import Deadline
from structgen.sources.json_schema.document import APPLIES_ITSELF, Document, Node
from structgen.sources.json_schema.keywords import Draft
from structgen.sources.json_schema.large_patterns import check_large_patterns
from structgen.sources.json_schema.options import SchemaOptions
from structgen.sources.json_schema.strings import Pattern, pattern_regex

_EVALUATED = {"unevaluatedProperties": "members", "unevaluatedItems": "items"}
_APPLYING = IN_PLACE | {"$ref"}
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")


def problems_of(document: Document, options: SchemaOptions, deadline: Deadline) -> tuple[Problem, ...]:
    """What cannot be enforced and is left out. Raises as `Reach` and `check_large_patterns`."""
    if _is_plainly_enforced(document, options, deadline):
        problems: tuple[Problem, ...] = ()
    else:
        reach = Reach(document)
        nodes = reach.nodes.values()
        check_large_patterns(((node.keywords, node.pointer) for node in nodes), options, deadline)
        problems = reach.problems
    document.contents = None
    return problems


def _is_plainly_enforced(document: Document, options: SchemaOptions, deadline: Deadline) -> bool:
    """Told from what was noted when the document was scanned; False: look closely, and say what is wrong."""
    contents = document.contents
    if contents is None or document.lenient:
        return False
    if contents.is_empty:
        return True
    try:
        reached = contents.reached(document.region_at)
        if reached is None:
            return False
        patterned = [found for found in contents.patterned if found.region in reached]
        for found in patterned:
            schema = found.schema
            if found.counts and "pattern" in schema and _may_be(schema, "string"):
                pattern_regex(Pattern(schema["pattern"], ""))
            if found.counts and "patternProperties" in schema and _may_be(schema, "object"):
                for text in schema["patternProperties"]:
                    pattern_regex(Pattern(text, ""))
        check_large_patterns(((found.schema, found.path) for found in patterned), options, deadline)
    except StructgenError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Problem:
    """A keyword that cannot be enforced exactly: its place, its name, and why."""

    pointer: str
    keyword: str
    reason: str

    @property
    def warning(self) -> str:
        """What is said of it where it is left out, in a line."""
        what = "is ignored" if self.keyword == "$schema" else "is not enforced"
        return f"{self.keyword} {what}: {self.reason.splitlines()[0]}"


class Reach:
    """``nodes``: pointers of the subschemas that apply to something, where `Document.root` applies.
    ``problems``: what they ask and cannot be enforced.

    Raises `InvalidSchemaError` for a pattern or a reference that is none; in a document that is not lenient
    `UnsupportedSchemaError` for the first problem.
    """

    def __init__(self, document: Document) -> None:
        self._document = document
        self.nodes: dict[str, Node] = {}
        self._problems: dict[str, Problem] = {}
        self._applied: dict[str, list[Node]] = {}  # what a subschema applies to the same value, if anything
        for error in document.strange_dialects:
            self._note(error)
        self._walk()
        self._check_loops()
        if self._problems:
            self._note_what_depends()

    @property
    def problems(self) -> tuple[Problem, ...]:
        return tuple(self._problems.values())

    def _walk(self) -> None:
        pending = [self._document.root]
        while pending:
            node = pending.pop()
            if node.pointer in self.nodes or node.is_unknown:
                continue
            self.nodes[node.pointer] = node
            schema = node.keywords
            if not schema:
                continue
            if not _APPLYING.isdisjoint(schema):
                self._applied[node.pointer] = self._in_place(node, schema)
            found = self._targets(node, schema)
            if not ("$ref" in schema and node.draft <= Draft.DRAFT7):
                self._check_patterns(node, schema)
                found += [inner for _, inner in self._children(node, schema)]
            pending += reversed(found)

    def _check_loops(self) -> None:
        """No subschema applies itself to the same value: nothing could be said of it.

        Where ``$dynamicRef`` leads hangs on the way there, so it is followed when the forms are made.
        """
        open_: set[str] = set()
        done: set[str] = set()
        for root in self._applied:
            stack = [(root, False)]
            while stack:
                pointer, leaving = stack.pop()
                if leaving:
                    open_.discard(pointer)
                    done.add(pointer)
                elif pointer in open_:
                    raise InvalidSchemaError(pointer, APPLIES_ITSELF)
                elif pointer not in done:
                    open_.add(pointer)
                    stack.append((pointer, True))
                    for inner in self._applied.get(pointer, ()):
                        if inner.pointer in self._applied and inner.pointer not in done:
                            stack.append((inner.pointer, False))

    def _in_place(self, node: Node, schema: Mapping[str, Any]) -> list[Node]:
        found = [self._document.resolve(node, schema["$ref"], "$ref")] if "$ref" in schema else []
        if not (found and node.draft <= Draft.DRAFT7):
            found += [inner for keyword, inner in self._children(node, schema) if keyword in IN_PLACE]
        return found

    def _targets(self, node: Node, schema: Mapping[str, Any]) -> list[Node]:
        """What ``node`` refers to."""
        document, found = self._document, []
        for keyword in _REFERENCES:
            if keyword in schema:
                if keyword == "$ref":
                    targets = [document.resolve(node, schema["$ref"], "$ref")]
                else:
                    targets = document.dynamic_targets(node)
                if any(target.is_unknown for target in targets):
                    reason = f"{schema[keyword]!r} is in another document, which is not given"
                    self._note(UnsupportedSchemaError(node.at(keyword), keyword, reason))
                found += targets
        return found

    def _children(self, node: Node, schema: Mapping[str, Any]) -> Iterator[tuple[str, Node]]:
        """The subschemas of keywords that apply them."""
        for keyword, inner in self._document.inside(node):
            if is_applied(keyword, schema):
                yield keyword, inner

    def _check_patterns(self, node: Node, schema: Mapping[str, Any]) -> None:
        if "pattern" in schema and _may_be(schema, "string"):
            self._check_pattern(schema["pattern"], node.at("pattern"), "pattern")
        if "patternProperties" in schema and _may_be(schema, "object"):
            for text in schema["patternProperties"]:
                self._check_pattern(text, node.at("patternProperties", text), "patternProperties")

    def _check_pattern(self, text: str, pointer: str, keyword: str) -> None:
        try:
            pattern_regex(Pattern(text, pointer))
        except UnsupportedSchemaError as error:
            self._note(UnsupportedSchemaError(pointer, keyword, error.reason, error.remedy))

    def _note(self, error: UnsupportedSchemaError) -> None:
        if not self._document.lenient:
            raise error
        self._problems.setdefault(error.pointer, Problem(error.pointer, error.keyword, error.reason))

    # -- what depends on a thing that is left out ----------------------------------------------------

    def _note_what_depends(self) -> None:
        """``additionalProperties`` beside patterns of names that are left out; ``unevaluatedProperties`` and
        ``unevaluatedItems`` beside something that may evaluate more.
        """
        for node in self.nodes.values():
            schema = node.keywords
            if schema.get("additionalProperties", True) is not True and any(
                node.at("patternProperties", text) in self._problems
                for text in schema.get("patternProperties", ())
            ):
                reason = "a name may match what is left out of patternProperties"
                self._note(
                    UnsupportedSchemaError(node.at("additionalProperties"), "additionalProperties", reason)
                )
            for keyword, what in _EVALUATED.items():
                if schema.get(keyword, True) is not True and self._may_evaluate(node, what):
                    reason = f"what is left out may evaluate further {what}"
                    self._note(UnsupportedSchemaError(node.at(keyword), keyword, reason))

    def _may_evaluate(self, node: Node, what: str) -> bool:
        seen = {node.pointer}
        pending = [node]
        while pending:
            node = pending.pop()
            schema = node.keywords
            for problem in map(self._problems.get, (node.at(keyword) for keyword in _REFERENCES)):
                if problem is not None:
                    return True
            if what == "members" and any(
                node.at("patternProperties", text) in self._problems
                for text in schema.get("patternProperties", ())
            ):
                return True
            found = self._targets(node, schema)
            found += [inner for keyword, inner in self._children(node, schema) if keyword in IN_PLACE]
            pending += [inner for inner in found if inner.pointer not in seen]
            seen.update(inner.pointer for inner in found)
        return False


def _may_be(schema: Mapping[str, Any], type_name: str) -> bool:
    given = schema.get("type", type_name)
    return given == type_name if isinstance(given, str) else type_name in given
