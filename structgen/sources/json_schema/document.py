"""A schema document: parsed, its subschemas found and checked, its references resolved."""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import unquote, urljoin

from structgen.errors import CompileLimitError, InvalidSchemaError, UnsupportedSchemaError
from structgen.sources.json_schema.dialects import DIALECTS, Dialect, dialect_of
from structgen.sources.json_schema.keywords import (
    HERE,
    ITEMS,
    SCHEMA_VALUES,
    VALUES,
    Draft,
    Schema,
    is_writable,
    kind,
)
from structgen.sources.json_schema.options import SchemaOptions
from structgen.sources.json_schema.remote import remote_schema


@dataclass(frozen=True, slots=True, eq=False)
class Resource:
    """A part of the document with its own base URI (``$id``) and dialect; the document itself is one."""

    uri: str
    pointer: str
    root: Schema
    dialect: Dialect
    anchors: dict[str, str] = field(default_factory=dict)
    dynamic_anchors: dict[str, str] = field(default_factory=dict)


EITHER = ("either",)
"""The keyword, no string, of made subschemas that hold where one of several nodes does."""

UNKNOWN = ("unknown",)
"""The keyword of a made subschema of which nothing is known: neither it nor its negation refuses a value."""

APPLIES_ITSELF = "the schema applies itself to the same value, without end"

Scope = tuple[Resource, ...]
"""The resources that evaluation came through, each once, the outermost first: where ``$dynamicRef`` looks."""


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One subschema at its place, or (``negated``) what it does not hold of.

    Nodes are the same exactly when they are the same object. ``scope`` is empty in documents without
    ``$dynamicRef`` and ``$recursiveRef``.
    """

    schema: Schema
    pointer: str
    resource: Resource
    scope: Scope = ()
    negated: bool = False
    keywords: Mapping[str, Any] = field(init=False)
    """``schema`` without the keywords that its dialect does not know; {} for a boolean."""

    def __post_init__(self) -> None:
        schema = self.schema
        keywords = schema
        if isinstance(schema, bool):
            keywords = {}
        elif not (vocabulary := self.resource.dialect.keywords).keys() >= schema.keys():
            keywords = {keyword: value for keyword, value in schema.items() if keyword in vocabulary}
        object.__setattr__(self, "keywords", keywords)

    @property
    def is_true(self) -> bool:
        """True when plainly every value satisfies it."""
        return self.schema is False if self.negated else is_true(self.schema)

    @property
    def is_false(self) -> bool:
        """True when plainly no value satisfies it."""
        return is_true(self.schema) if self.negated else self.schema is False

    @property
    def schema_of_either(self) -> tuple[Node, ...] | None:
        """The nodes that a subschema made by `Document.either` is the disjunction of."""
        if isinstance(self.schema, dict):
            nodes: tuple[Node, ...] | None = self.schema.get(EITHER)
            return nodes
        return None

    @property
    def draft(self) -> Draft:
        return self.resource.dialect.draft

    @property
    def is_unknown(self) -> bool:
        """True for what `Document.unknown` made."""
        return isinstance(self.schema, dict) and UNKNOWN in self.schema

    def at(self, *tokens: str | int) -> str:
        """The JSON Pointer of a place inside this subschema."""
        return self.pointer + "".join("/" + escape(str(token)) for token in tokens)


class Document:
    """All subschemas of one document, by JSON Pointer.

    Raises `InvalidSchemaError` where something is not a schema, `UnsupportedSchemaError` for a dialect
    that is not known, `CompileLimitError` (``max_depth``, ``max_subschemas``, ``max_values``).
    """

    def __init__(self, schema: Mapping[str, Any] | bool | str, options: SchemaOptions) -> None:
        parsed = parse_text(schema, options.max_depth) if isinstance(schema, str) else schema
        self.lenient = options.lenient
        self.strange_dialects: list[UnsupportedSchemaError] = []  # left out, where that is allowed
        self._max_depth = options.max_depth
        self._max_subschemas = options.max_subschemas
        self._max_values = options.max_values
        self._n_values = 0
        self._nodes: dict[str, Node] = {}
        self._inside: dict[str, list[tuple[str, str]]] = {}  # keywords and pointers of what is inside a node
        self._leading_out: list[tuple[Node, str]] = []  # references to other documents, or by a whole URI
        self._resource_at: dict[str, Resource] = {}
        self._resource_of: dict[str, Resource] = {}
        self._registry = options.registry
        self._loaded: set[str] = set()
        self._made_resource = Resource("", "", True, DIALECTS[Draft.UNION])
        self._is_dynamic = False
        self._scoped: dict[tuple[Node, Scope], Node] = {}
        self._resolved: dict[
            tuple[str, str], Node
        ] = {}  # by the pointer of a resource, and a reference in it
        self._negations: dict[Node, Node] = {}
        self._made: dict[tuple[Hashable, str, bool], Node] = {}
        dialect = self._dialect(parsed, "", DIALECTS[Draft.UNION])
        uri = _own_id(parsed, dialect.draft) or ""
        self._add_resource(Resource(uri.partition("#")[0], "", parsed, dialect))
        self._scan(parsed, "", self._resource_at[""])
        self._load_remotes()
        self.root = self._in_scope(self._nodes[""], ())

    def dynamic_targets(self, node: Node) -> list[Node]:
        """What the ``$dynamicRef`` or ``$recursiveRef`` of ``node`` may name, in one scope or another."""
        targets = [self.resolve_dynamic(node)]
        name = unquote(node.schema.get("$dynamicRef", "").partition("#")[2])
        for resource in self._resource_at.values():
            if name in resource.dynamic_anchors:
                targets.append(self._nodes[resource.dynamic_anchors[name]])
            if "$recursiveRef" in node.schema and _has_recursive_anchor(resource.root):
                targets.append(self._nodes[resource.pointer])
        return targets

    @property
    def nodes(self) -> Iterator[Node]:
        """All subschemas found so far, in the order of the text as far as they belong together."""
        return iter(self._nodes.values())

    def child(self, node: Node, *place: str | int) -> Node:
        """The subschema at a place inside ``node`` that is known to hold one; never negated."""
        return self._in_scope(self._nodes[node.at(*place)], node.scope)

    def negation(self, node: Node) -> Node:
        """What ``node`` does not hold of."""
        known = self._negations.get(node)
        if known is None:
            known = Node(node.schema, node.pointer, node.resource, node.scope, not node.negated)
            self._negations[node] = known
            self._negations[known] = node
        return known

    def made(self, schema: Schema, key: Hashable, pointer: str, *, negated: bool = False) -> Node:
        """A subschema that is not in the text, for what the one at ``pointer`` comes down to.

        ``schema`` holds no subschemas; ``key`` tells it from others.
        """
        place = key, pointer, negated
        known = self._made.get(place)
        if known is None:
            known = self._made[place] = Node(schema, pointer, self._made_resource, (), negated)
        return known

    def is_made(self, node: Node) -> bool:
        """True for what `made` gave: its pointer is that of a keyword."""
        return node.resource is self._made_resource

    def either(self, left: tuple[Node, ...], right: tuple[Node, ...], pointer: str) -> tuple[Node, ...]:
        """The disjunction of two conjunctions of at most one node each, as such a conjunction."""
        if not left or not right:
            return ()
        if left[0].is_false:
            return right
        nodes = (left[0], right[0])
        return (self.made({EITHER: nodes}, ("either", nodes), pointer),)

    def resolve(self, node: Node, reference: str, keyword: str) -> Node:
        """The subschema that a ``$ref`` of ``node`` names.

        Raises `UnsupportedSchemaError` for one in another document that the registry does not have,
        `InvalidSchemaError` for one that leads nowhere.
        """
        place = node.resource.pointer, reference
        known = self._resolved.get(place)
        if known is None:
            known = self._target(node, reference, keyword)
            if self.is_made(known):
                return known
            self._resolved[place] = known
        return self._in_scope(known, node.scope)

    def _target(self, node: Node, reference: str, keyword: str) -> Node:
        where = node.at(keyword)
        uri, _, fragment = reference.partition("#")
        resource = node.resource
        if uri:
            absolute = _joined(resource.uri, uri, where)
            resource_or_none = self._resource_of.get(absolute) or self._from_registry(
                absolute, node.resource.dialect
            )
            if resource_or_none is None and self.lenient:
                return self.unknown(where)
            if resource_or_none is None:
                raise UnsupportedSchemaError(
                    where,
                    keyword,
                    f"{reference!r} is in another document",
                    "give that document with the option 'registry', or copy its schema into $defs",
                )
            resource = resource_or_none
        fragment = unquote(fragment)
        if fragment and not fragment.startswith("/"):
            pointer = resource.anchors.get(fragment)
            if pointer is None:
                raise InvalidSchemaError(where, f"{reference!r} names no anchor of the schema")
            return self._nodes[pointer]
        return self._descend(resource, fragment, where, reference)

    def resolve_dynamic(self, node: Node) -> Node:
        """The subschema that the ``$dynamicRef`` or ``$recursiveRef`` of ``node`` names in its scope."""
        if "$dynamicRef" in node.schema:
            reference = node.schema["$dynamicRef"]
            target = self.resolve(node, reference, "$dynamicRef")
            name = unquote(reference.partition("#")[2])
            if target.resource.dynamic_anchors.get(name) != target.pointer:
                return target
            for resource in node.scope:
                if name in resource.dynamic_anchors:
                    return self._in_scope(self._nodes[resource.dynamic_anchors[name]], node.scope)
            return target
        target = self.resolve(node, node.schema["$recursiveRef"], "$recursiveRef")
        if not _has_recursive_anchor(target.schema):
            return target
        for resource in node.scope:
            if _has_recursive_anchor(resource.root):
                return self._in_scope(self._nodes[resource.pointer], node.scope)
        return target

    def _load_remotes(self) -> None:
        """Load what is referred to, so that it is known whether scopes matter."""
        for node, keyword in self._leading_out:  # it grows: what is loaded may refer to more
            uri = node.schema[keyword].partition("#")[0]
            absolute = _joined(node.resource.uri, uri, node.at(keyword))
            if absolute not in self._resource_of:
                self._from_registry(absolute, node.resource.dialect)

    def _dialect(self, schema: Schema, pointer: str, default: Dialect) -> Dialect:
        try:
            return dialect_of(schema, pointer, default, self._registry)
        except UnsupportedSchemaError as error:
            if not self.lenient:
                raise
            self.strange_dialects.append(error)
            return default

    def unknown(self, pointer: str) -> Node:
        """Something of which nothing is known, at a place in the document."""
        node = self.made({UNKNOWN: True}, "unknown", pointer)
        self._negations.setdefault(node, node)
        return node

    def _in_scope(self, node: Node, scope: Scope) -> Node:
        if not self._is_dynamic:
            return node
        if node.resource not in scope:
            scope = (*scope, node.resource)
        known = self._scoped.get((node, scope))
        if known is None:
            known = Node(node.schema, node.pointer, node.resource, scope)
            self._scoped[node, scope] = known
        return known

    def _from_registry(self, uri: str, dialect: Dialect) -> Resource | None:
        """The resource that a document of the caller's, or a meta-schema, has under a URI."""
        if uri in self._loaded:
            return None
        self._loaded.add(uri)
        schema = remote_schema(uri, self._registry)
        if schema is None:
            return None
        pointer = f"{uri}#"
        dialect = self._dialect(schema, pointer, dialect)
        resource = Resource(uri, pointer, schema, dialect)
        self._add_resource(resource)
        identifier = _own_id(schema, dialect.draft)
        if identifier:
            absolute = _joined(uri, identifier.partition("#")[0], pointer)
            self._resource_of.setdefault(absolute, resource)
        self._scan(schema, pointer, resource)
        return resource

    def _descend(self, resource: Resource, fragment: str, where: str, reference: str) -> Node:
        value, pointer = resource.root, resource.pointer
        for raw in fragment.split("/")[1:]:
            token = raw.replace("~1", "/").replace("~0", "~")
            if isinstance(value, Mapping) and token in value:
                value = value[token]
            elif isinstance(value, (list, tuple)) and _is_index(token, len(value)):
                value = value[int(token)]
            else:
                raise InvalidSchemaError(
                    where, f"{reference!r} leads nowhere: there is no {token!r} in {pointer or '(root)'}"
                )
            pointer = f"{pointer}/{escape(token)}"
            resource = self._resource_at.get(pointer, resource)
        known = self._nodes.get(pointer)
        if known is None:  # a place where no keyword expects a schema, or one in an unknown keyword
            self._scan(value, pointer, resource)
            known = self._nodes[pointer]
        return known

    def _add_resource(self, resource: Resource) -> None:
        self._resource_at[resource.pointer] = resource
        self._resource_of.setdefault(resource.uri, resource)

    def node_at(self, pointer: str) -> Node:
        """The subschema at a pointer; KeyError where there is none."""
        return self._nodes[pointer]

    def inside(self, node: Node) -> Iterator[tuple[str, Node]]:
        """The subschemas in the keywords of ``node``, each with its keyword, in the order of the text."""
        for keyword, pointer in self._inside.get(node.pointer, ()):
            yield keyword, self._nodes[pointer]

    def _scan(self, schema: Schema, pointer: str, resource: Resource) -> None:
        """Check every subschema from here down, and note nodes, base URIs and anchors."""
        # iterative, so that deep nesting is met by the limit rather than by Python's
        pending: list[tuple[Schema, str, Resource, int]] = [(schema, pointer, resource, 1)]
        while pending:
            schema, pointer, resource, depth = pending.pop()
            if pointer in self._nodes:  # met before, on the way of another $ref
                continue
            if depth > self._max_depth:
                raise CompileLimitError("max_depth", self._max_depth, depth, pointer[:200])
            if len(self._nodes) >= self._max_subschemas:
                # Python objects may hold the same one in many places, 2**n of them
                raise CompileLimitError("max_subschemas", self._max_subschemas, len(self._nodes) + 1, pointer)
            if schema is True or schema is False:
                self._nodes[pointer] = Node(schema, pointer, resource)
                continue
            if type(schema) is not dict and not isinstance(schema, Mapping):
                raise InvalidSchemaError(
                    pointer, f"a schema must be an object or a boolean, not {kind(schema)}"
                )
            if depth > 1 and ("$id" in schema or "id" in schema):
                resource = self._embedded_resource(schema, pointer, resource)
            elif depth > 1 and "$schema" in schema:
                resource = self._in_dialect(schema, pointer, resource)
            node = self._nodes[pointer] = Node(schema, pointer, resource)
            vocabulary = resource.dialect.keywords
            inside: list[tuple[str, str]] = []
            for keyword, value in schema.items():
                known = vocabulary.get(keyword)
                if known is None:
                    if not isinstance(keyword, str):
                        raise InvalidSchemaError(pointer, f"a keyword must be a string, not {kind(keyword)}")
                    continue
                check, subschemas = known
                expected = check(value)
                if expected:
                    raise InvalidSchemaError(
                        f"{pointer}/{escape(keyword)}",
                        f"{keyword!r} must be {expected}, not {_shown(value)}",
                        _REMEDIES.get((keyword, kind(value)), ""),
                    )
                if subschemas is not None:
                    before = f"{pointer}/{keyword}"
                    for place, inner in subschemas_in(subschemas, value):
                        at = before + place
                        inside.append((keyword, at))
                        pending.append((inner, at, resource, depth + 1))
                elif keyword == "$ref":
                    if value[:1] not in ("", "#"):
                        self._leading_out.append((node, keyword))
                elif keyword == "$anchor":
                    resource.anchors[value] = pointer
                elif keyword == "$dynamicAnchor":
                    resource.anchors[value] = resource.dynamic_anchors[value] = pointer
                elif keyword == "$dynamicRef" or keyword == "$recursiveRef":
                    self._is_dynamic = True
                    if keyword == "$dynamicRef" and value[:1] not in ("", "#"):
                        self._leading_out.append((node, keyword))
                elif keyword == "enum" or keyword == "const":
                    self._check_value(value, f"{pointer}/{keyword}")
            if inside:
                self._inside[pointer] = inside

    def _embedded_resource(self, schema: Schema, pointer: str, outer: Resource) -> Resource:
        """The resource that begins here, or the one around it; ``"$id": "#name"`` is an old anchor."""
        identifier = _own_id(schema, outer.dialect.draft)
        if not identifier or pointer in self._resource_at:
            return self._resource_at.get(pointer, outer)
        if identifier.startswith("#"):
            outer.anchors[identifier[1:]] = pointer
            return outer
        dialect = self._dialect(schema, pointer, outer.dialect)
        uri = _joined(outer.uri, identifier.partition("#")[0], pointer)
        resource = Resource(uri, pointer, schema, dialect)
        self._add_resource(resource)
        return resource

    def _in_dialect(self, schema: Schema, pointer: str, outer: Resource) -> Resource:
        """The resource around a subschema, in the dialect that ``$schema`` names there.

        The specification keeps ``$schema`` to the root of a resource; schemas pasted into others have it
        all the same, and mean it, as `jsonschema` reads them.
        """
        if pointer not in self._resource_at:
            dialect = self._dialect(schema, pointer, outer.dialect)
            if dialect is outer.dialect:
                return outer
            self._resource_at[pointer] = replace(outer, dialect=dialect)
        return self._resource_at[pointer]

    def _check_value(self, value: object, pointer: str) -> None:
        """An enumerated value is JSON, and not too deep."""
        pending: list[tuple[object, int]] = [(value, 0)]
        while pending:
            value, depth = pending.pop()
            self._n_values += 1
            if self._n_values > self._max_values:
                raise CompileLimitError("max_values", self._max_values, self._n_values, pointer)
            if depth > self._max_depth:
                raise CompileLimitError("max_depth", self._max_depth, depth, pointer)
            if value is None or isinstance(value, (str, bool)):
                continue
            if isinstance(value, (int, float)):
                if not is_writable(value):
                    raise InvalidSchemaError(pointer, "a number is infinite, or has thousands of digits")
            elif isinstance(value, (list, tuple)):
                pending.extend((item, depth + 1) for item in value)
            elif isinstance(value, Mapping) and all(isinstance(name, str) for name in value):
                pending.extend((item, depth + 1) for item in value.values())
            else:
                raise InvalidSchemaError(pointer, f"{value!r} is not a JSON value")


_REMEDIES = {
    ("required", "a boolean"): "list the required names in the object around it (draft 4 and later)",
    ("items", "an array"): "draft 2020-12 calls this prefixItems",
}


def escape(token: str) -> str:
    """A name as part of a JSON Pointer (RFC 6901)."""
    return token.replace("~", "~0").replace("/", "~1") if "~" in token or "/" in token else token


def parse_text(text: str, max_depth: int) -> Any:
    """JSON text to Python values. Raises `InvalidSchemaError` with line and column."""
    try:
        return json.loads(text, object_pairs_hook=_unique_pairs, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise InvalidSchemaError(
            "", f"not JSON: {error.msg} (line {error.lineno}, column {error.colno})"
        ) from None
    except RecursionError:
        raise CompileLimitError("max_depth", max_depth, _bracket_depth(text)) from None
    except ValueError as error:  # a number of thousands of digits, NaN, a repeated key
        raise InvalidSchemaError("", f"not JSON that can be read: {error}") from None


def _unique_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} stands twice in one object")
    return members


def _bracket_depth(text: str) -> int:
    depth = deepest = 0
    for mark in re.findall(r"[\[{\]}]", re.sub(r'"(?:[^"\\]|\\.)*"', "", text)):
        depth += 1 if mark in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def subschemas_in(where: str, value: Any) -> list[tuple[str, Any]]:
    """The subschemas in a keyword's value, with their pointers from it. ``where``: as `keywords` says."""
    if where == HERE:
        return [("", value)]
    if where == VALUES:
        return [("/" + escape(name), inner) for name, inner in value.items()]
    if where == ITEMS or (where != SCHEMA_VALUES and isinstance(value, (list, tuple))):
        return [(f"/{i}", inner) for i, inner in enumerate(value)]
    if where == SCHEMA_VALUES:
        schemas = value.items()
        return [("/" + escape(name), inner) for name, inner in schemas if isinstance(inner, (bool, Mapping))]
    return [("", value)]


def _joined(base: str, uri: str, where: str) -> str:
    try:
        return urljoin(base, uri)
    except ValueError as error:
        raise InvalidSchemaError(where, f"{uri!r} beside {base!r} is no URI: {error}") from None


def _own_id(schema: Schema, draft: Draft) -> str | None:
    if not isinstance(schema, Mapping):
        return None
    if draft <= Draft.DRAFT7 and "$ref" in schema:
        return None  # siblings of $ref do not count
    identifier = schema.get("id" if draft is Draft.DRAFT4 else "$id")
    return identifier if isinstance(identifier, str) else None


def is_true(schema: Schema) -> bool:
    """True for ``true`` and ``{}``."""
    # most schemas are mappings that are not empty
    return schema is True or (not schema and schema is not False and isinstance(schema, Mapping))


def _has_recursive_anchor(schema: Schema) -> bool:
    return isinstance(schema, Mapping) and schema.get("$recursiveAnchor") is True


def _is_index(token: str, length: int) -> bool:
    return token.isascii() and token.isdigit() and (token == "0" or token[0] != "0") and int(token) < length


def _shown(value: object) -> str:
    if isinstance(value, int) and not is_writable(value):
        return "a number of thousands of digits"
    text = f"{kind(value)} ({value!r})"
    return text if len(text) <= 100 else kind(value)
