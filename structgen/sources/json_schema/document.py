"""A schema document: parsed, its subschemas found and checked, its references resolved."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import unquote, urljoin

from structgen_kernels.schema_layout import ALIVE

from structgen.errors import CompileLimitError, InvalidSchemaError, UnsupportedSchemaError
from structgen.sources.json_schema.contents import (
    HOLDING,
    IN_PLACE,
    Contents,
    Patterned,
    Reference,
    is_applied,
    subschemas_in,
)
from structgen.sources.json_schema.dialects import DIALECTS, Dialect, dialect_of
from structgen.sources.json_schema.keyword_sets import EITHER, UNKNOWN
from structgen.sources.json_schema.keywords import (
    HERE,
    HERE_OR_ITEMS,
    SCHEMA_VALUES,
    VALUES,
    Draft,
    Schema,
    is_writable,
    kind,
)
from structgen.sources.json_schema.options import SchemaOptions
from structgen.sources.json_schema.pointers import Path, escape, written
from structgen.sources.json_schema.remote import remote_schema
from structgen.sources.json_schema.schema_text import parse_text
from structgen.sources.json_schema.snapshot import Snapshot
from structgen.sources.json_schema.survey import Survey, dialect_at, dialect_name, survey


@dataclass(frozen=True, slots=True, eq=False)
class Resource:
    """A part of the document with its own base URI (``$id``) and dialect; the document itself is one."""

    uri: str
    pointer: str
    root: Schema
    dialect: Dialect
    anchors: dict[str, str] = field(default_factory=dict)
    dynamic_anchors: dict[str, str] = field(default_factory=dict)


_MADE = Resource("", "", True, DIALECTS[Draft.UNION])  # of subschemas that are not in the text

_NOTED = frozenset(
    ["$ref", "pattern", "enum", "const", "$anchor", "$dynamicAnchor", "$dynamicRef", "$recursiveRef"]
)
_NO_KEYWORDS: Final[Mapping[str, Any]] = {}

APPLIES_ITSELF = "the schema applies itself to the same value, without end"

Scope = tuple[Resource, ...]
"""The resources that evaluation came through, each once, the outermost first: where ``$dynamicRef`` looks."""


class Node:
    """One subschema at its place, or (``negated``) what it does not hold of.

    Nodes are the same exactly when they are the same object, and never change. ``scope`` is empty in
    documents without ``$dynamicRef`` and ``$recursiveRef``. ``keywords``: ``schema`` without what its dialect
    does not know though others do; {} for a boolean.
    """

    __slots__ = ("keywords", "negated", "pointer", "resource", "schema", "scope")

    # not a frozen dataclass: its __init__ takes four times as long, and most schemas have dozens of nodes
    def __init__(
        self, schema: Schema, pointer: str, resource: Resource, scope: Scope = (), negated: bool = False
    ) -> None:
        self.schema = schema
        self.pointer = pointer
        self.resource = resource
        self.scope = scope
        self.negated = negated
        keywords: Mapping[str, Any] = _NO_KEYWORDS
        if not isinstance(schema, bool):
            keywords = schema
            foreign = resource.dialect.foreign
            if not foreign.isdisjoint(schema):
                keywords = {keyword: value for keyword, value in schema.items() if keyword not in foreign}
        self.keywords = keywords

    def __repr__(self) -> str:
        return f"Node({'not ' if self.negated else ''}{self.pointer or '(root)'})"

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
        if self.resource is not _MADE or isinstance(self.schema, bool):
            return None
        nodes: tuple[Node, ...] | None = self.schema.get(EITHER)
        return nodes

    @property
    def draft(self) -> Draft:
        return self.resource.dialect.draft

    @property
    def is_unknown(self) -> bool:
        """True for what `Document.unknown` made."""
        return self.is_made and isinstance(self.schema, dict) and UNKNOWN in self.schema

    @property
    def is_made(self) -> bool:
        """True for what `Document.made` gave: its pointer is that of a keyword."""
        return self.resource is _MADE

    def at(self, *tokens: str | int) -> str:
        """The JSON Pointer of a place inside this subschema."""
        pointer = self.pointer
        for token in tokens:
            pointer = f"{pointer}/{escape(token) if isinstance(token, str) else token}"
        return pointer


class Document:
    """All subschemas of one document, by JSON Pointer.

    Raises `InvalidSchemaError` where something is not a schema, `UnsupportedSchemaError` for a dialect
    that is not known, `CompileLimitError` (``max_depth``, ``max_subschemas``, ``max_values``).
    """

    def __init__(self, schema: Mapping[str, Any] | bool | str | Snapshot, options: SchemaOptions) -> None:
        self.lenient = options.lenient
        self.strange_dialects: tuple[UnsupportedSchemaError, ...] = ()  # left out, where that is allowed
        self._max_depth = options.max_depth
        self._max_subschemas = options.max_subschemas
        self._max_values = options.max_values
        self._n_values = self._n_subschemas = 0
        self._nodes: dict[str, Node] = {}  # those that were asked for
        # by pointer: places where no keyword expects a schema, and a $ref found one
        self._scanned: dict[str, Resource] = {}
        # references to other documents, or by a whole URI; None when they have been followed
        self._leading_out: list[tuple[Node, str]] | None = []
        self._resource_at: dict[str, Resource] = {}
        self._resource_of: dict[str, Resource] = {}
        self._registry = options.registry
        self._loaded: dict[str, None] = {}
        self._is_dynamic = False
        self._scoped: dict[tuple[Node, Scope], Node] = {}
        self._resolved: dict[tuple[str, str], Node] = {}  # by a resource's pointer, and a reference in it
        self._negations: dict[Node, Node] = {}
        self._made: dict[tuple[Hashable, str, bool], Node] = {}
        self.is_alive = False
        """Was it seen, when the document was looked at as a whole, that the root plainly has a value?"""
        self.survey: Survey | None = None
        """What was found then; None where the document was looked at subschema by subschema."""
        self.alone: dict[Node, tuple[Node, ...]] = {}
        """What `conjunction_of` found: one tuple for all that ask."""
        dialect, parsed, found = DIALECTS[Draft.UNION], schema, None
        if isinstance(schema, str):
            parsed = parse_text(schema, options.max_depth)
        elif isinstance(schema, Snapshot):
            found, parsed, dialect = self._surveyed(schema, dialect, options)
        if found is None:
            dialect = self._dialect(parsed, "", dialect)
        uri = _own_id(parsed, dialect.draft) or ""
        self._add_resource(Resource(uri.partition("#")[0], "", parsed, dialect))
        self.contents: Contents | None = Contents() if found is None else found.contents()
        """What to look at before compiling; whoever has done so sets it to None."""
        if found is None:
            self._scan(parsed, "", self._resource_at[""])
        else:
            self._n_subschemas, self._n_values = found.n_subschemas, found.n_values
            self.is_alive = bool(found.flags(0) & ALIVE)
            self.survey = found
            self._nodes[""] = Node(parsed, "", self._resource_at[""])
        self._load_remotes()
        self.root = self._in_scope(self.node_at(""), ())

    def _surveyed(
        self, snapshot: Snapshot, default: Dialect, options: SchemaOptions
    ) -> tuple[Survey | None, Any, Dialect]:
        """What a look at the whole document found, if that suffices, the document, and its dialect then."""
        if not self.lenient:
            dialect = default
            found: Survey | int | None = dialect_at(snapshot)
            while isinstance(found, int):  # twice where $schema does not come first
                named = dialect_name(snapshot, found)
                dialect = default if named is None else self._dialect({"$schema": named}, "", default)
                found = survey(snapshot, dialect, options, found)
            if found is not None:
                return found, found.schema(0), dialect
        return None, snapshot.value(), default

    def dynamic_targets(self, node: Node) -> list[Node]:
        """What the ``$dynamicRef`` or ``$recursiveRef`` of ``node`` may name, in one scope or another."""
        targets = [self.resolve_dynamic(node)]
        name = unquote(node.schema.get("$dynamicRef", "").partition("#")[2])
        for resource in self._resource_at.values():
            if name in resource.dynamic_anchors:
                targets.append(self.node_at(resource.dynamic_anchors[name]))
            if "$recursiveRef" in node.schema and _has_recursive_anchor(resource.root):
                targets.append(self.node_at(resource.pointer))
        return targets

    def child(self, node: Node, keyword: str, *place: str | int) -> Node:
        """The subschema at a place inside ``node`` that is known to hold one; never negated."""
        pointer = f"{node.pointer}/{keyword}"  # in which there is nothing to escape
        for token in place:  # as `Node.at`, for most of what is made while a text is read comes here
            pointer += f"/{escape(token)}" if isinstance(token, str) else f"/{token}"
        known = self._nodes.get(pointer)
        if known is None:
            schema = node.schema[keyword]
            for token in place:
                schema = schema[token]
            resource = self._resource_at.get(pointer, node.resource)
            known = self._nodes[pointer] = Node(schema, pointer, resource)
        return self._in_scope(known, node.scope) if self._is_dynamic else known

    def children(self, node: Node, keyword: str) -> Iterator[tuple[str, Node]]:
        """The same for all values of a keyword's object, with their names: most subschemas are properties."""
        nodes, before = self._nodes, f"{node.pointer}/{keyword}/"
        for name, schema in node.schema[keyword].items():
            pointer = before + escape(name)
            known = nodes.get(pointer)
            if known is None:
                resource = self._resource_at.get(pointer, node.resource)
                known = nodes[pointer] = Node(schema, pointer, resource)
            yield name, self._in_scope(known, node.scope) if self._is_dynamic else known

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
            known = self._made[place] = Node(schema, pointer, _MADE, (), negated)
        return known

    def kept(self) -> list[object]:
        """All nodes that were asked for."""
        return [*self._nodes.values(), *self._negations.values(), *self._made.values()]

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
            if known.is_made:
                return known
            self._resolved[place] = known
        return self._in_scope(known, node.scope) if self._is_dynamic else known

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
            return self.node_at(pointer)
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
                    return self._in_scope(self.node_at(resource.dynamic_anchors[name]), node.scope)
            return target
        target = self.resolve(node, node.schema["$recursiveRef"], "$recursiveRef")
        if not _has_recursive_anchor(target.schema):
            return target
        for resource in node.scope:
            if _has_recursive_anchor(resource.root):
                return self._in_scope(self.node_at(resource.pointer), node.scope)
        return target

    def _load_remotes(self) -> None:
        """Load what is referred to, so that it is known whether scopes matter."""
        for node, keyword in self._leading_out or ():  # it grows: what is loaded may refer to more
            uri = node.schema[keyword].partition("#")[0]
            absolute = _joined(node.resource.uri, uri, node.at(keyword))
            if absolute not in self._resource_of:
                self._from_registry(absolute, node.resource.dialect)
        self._leading_out = None

    def _dialect(self, schema: Schema, pointer: str, default: Dialect) -> Dialect:
        try:
            return dialect_of(schema, pointer, default, self._registry)
        except UnsupportedSchemaError as error:
            if not self.lenient:
                raise
            self.strange_dialects += (error,)
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
        self._loaded[uri] = None
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

    def region_at(self, reference: str) -> int | None:
        """The region of a place in the document where no keyword expects a schema and a ``$ref`` names one,
        which is scanned. None: it is another place. Raises as `resolve`.
        """
        resource = self._resource_at[""]
        pointer = self._descend(resource, unquote(reference[1:]), "", reference).pointer
        return self.contents.region(pointer) if self.contents is not None else None

    def _descend(self, resource: Resource, fragment: str, where: str, reference: str) -> Node:
        value, pointer = resource.root, resource.pointer
        scanned_in = self._resource_at.get(pointer, resource)
        # has the place been scanned as a schema; else: where are schemas in what is here?
        is_schema, below = True, ""
        is_one = len(self._resource_at) == 1 and not self._scanned
        for raw in fragment.split("/")[1:]:
            token = raw.replace("~1", "/").replace("~0", "~") if "~" in raw else raw
            if (type(value) is dict or isinstance(value, Mapping)) and token in value:
                value = value[token]
            elif isinstance(value, (list, tuple)) and _is_index(token, len(value)):
                value = value[int(token)]
            else:
                raise InvalidSchemaError(
                    where, f"{reference!r} leads nowhere: there is no {token!r} in {pointer or '(root)'}"
                )
            if is_schema:
                is_schema, below = _of_keyword(scanned_in.dialect, token, value)
            elif below:
                is_schema = below != SCHEMA_VALUES or isinstance(value, (bool, Mapping))
                below = ""
            pointer = f"{pointer}/{escape(token)}"
            if is_one:
                continue
            scanned_in = self._resource_at.get(pointer, scanned_in)
            resource = self._resource_at.get(pointer, resource)
            if pointer in self._scanned:
                is_schema, scanned_in = True, self._scanned[pointer]
        known = self._nodes.get(pointer)
        if known is None:
            if not is_schema:  # a place where no keyword expects a schema, or one in an unknown keyword
                self._scan(value, pointer, resource)
                self._scanned[pointer] = scanned_in = resource
            known = self._nodes[pointer] = Node(value, pointer, scanned_in)
        return known

    def _add_resource(self, resource: Resource) -> None:
        self._resource_at[resource.pointer] = resource
        self._resource_of.setdefault(resource.uri, resource)

    def node_at(self, pointer: str) -> Node:
        """The subschema at the pointer of a resource or an anchor."""
        return self._nodes[pointer]

    def node_of(self, record: int) -> Node:
        """The subschema that the survey gave a number."""
        if record == 0 or self.survey is None:
            return self.root
        around, keyword, place = self.survey.place(record)
        return self.child(self.node_of(around), keyword, *place)

    def inside(self, node: Node) -> Iterator[tuple[str, Node]]:
        """The subschemas in the keywords of ``node``, each with its keyword, in the order of the text."""
        if isinstance(node.schema, bool):
            return
        vocabulary = node.resource.dialect.keywords
        for keyword, value in node.schema.items():
            known = vocabulary.get(keyword)
            if known is not None and known[1] is not None:
                for place in subschemas_in(known[1], value):
                    yield keyword, self.child(node, keyword, *place)

    def _scan(self, schema: Schema, pointer: str, resource: Resource) -> None:
        """Check every subschema from here down, and note base URIs, anchors and contents.

        Subschemas get their nodes when they are asked for: most never are, before a text comes there.
        """
        whole, around = schema, resource
        contents = self.contents or Contents()
        # what was met before, on the way of another $ref
        inner_roots = {place for place in self._scanned if place.startswith(f"{pointer}/")}
        number = contents.add_region(pointer)
        # iterative, so that deep nesting is met by the limit rather than by Python's
        pending: list[tuple[Schema, Path, Resource, int, int, int | None]]
        pending = [(schema, pointer, resource, 1, number, -number)]
        while pending:
            schema, path, resource, depth, region, base = pending.pop()
            if depth > self._max_depth:
                raise CompileLimitError("max_depth", self._max_depth, depth, written(path)[:200])
            if inner_roots and written(path) in inner_roots:
                contents.references.append(Reference(region, base or 0, f"#{written(path)}"))
                continue
            if self._n_subschemas >= self._max_subschemas:
                # Python objects may hold the same one in many places, 2**n of them
                limit = self._max_subschemas
                raise CompileLimitError("max_subschemas", limit, limit + 1, written(path))
            self._n_subschemas += 1
            if schema is True or schema is False:
                continue
            if type(schema) is not dict and not isinstance(schema, Mapping):
                raise InvalidSchemaError(
                    written(path), f"a schema must be an object or a boolean, not {kind(schema)}"
                )
            if depth > 1:
                if "$id" in schema or "id" in schema:
                    outer = resource
                    resource = self._embedded_resource(schema, written(path), outer)
                    contents.is_plain = contents.is_plain and resource is outer
                elif "$schema" in schema:
                    resource = self._in_dialect(schema, written(path), resource)
            vocabulary = resource.dialect.keywords
            if base is None:
                base = self._n_subschemas
            within = region
            if "$ref" in schema and resource.dialect.draft <= Draft.DRAFT7:
                within = Contents.NOWHERE  # siblings of $ref do not count
            for keyword, value in schema.items():
                known = vocabulary.get(keyword)
                if known is None:
                    if not isinstance(keyword, str):
                        raise InvalidSchemaError(
                            written(path), f"a keyword must be a string, not {kind(keyword)}"
                        )
                    continue
                check, where = known
                expected = check(value)
                if expected:
                    raise InvalidSchemaError(
                        f"{written(path)}/{escape(keyword)}",
                        f"{keyword!r} must be {expected}, not {_shown(value)}",
                        _REMEDIES.get((keyword, kind(value)), ""),
                    )
                if where is None:
                    if keyword not in _NOTED:
                        continue
                    if keyword == "$ref":
                        contents.references.append(Reference(region, base, value))
                        if value[:1] not in ("", "#"):
                            self._lead_out(schema, path, resource, keyword)
                    elif keyword == "pattern":
                        contents.patterned.append(Patterned(region, within == region, schema, path))
                    else:
                        self._note(keyword, value, schema, path, resource, contents)
                elif keyword in HOLDING:
                    for name, inner in value.items():
                        at = (path, keyword, name)
                        number = contents.add_region(written(at))
                        pending.append((inner, at, resource, depth + 1, number, -number))
                elif where == VALUES and keyword not in IN_PLACE:
                    if keyword == "patternProperties":
                        contents.patterned.append(Patterned(region, within == region, schema, path))
                    for name, inner in value.items():
                        pending.append((inner, (path, keyword, name), resource, depth + 1, within, None))
                else:
                    region_inside = within if is_applied(keyword, schema) else Contents.NOWHERE
                    base_inside = base if keyword in IN_PLACE else None
                    for place in subschemas_in(where, value):
                        inner = value[place[0]] if place else value
                        at = (path, keyword, *place)
                        pending.append((inner, at, resource, depth + 1, region_inside, base_inside))
        self._nodes.setdefault(pointer, Node(whole, pointer, around))

    def _note(
        self, keyword: str, value: Any, schema: Schema, path: Path, resource: Resource, contents: Contents
    ) -> None:
        """What later stages need to know of a keyword that was found."""
        if keyword == "enum" or keyword == "const":
            self._check_value(value, path, keyword)
            return
        contents.is_plain = False
        if keyword == "$anchor" or keyword == "$dynamicAnchor":
            pointer = written(path)
            self._nodes.setdefault(pointer, Node(schema, pointer, resource))
            resource.anchors[value] = pointer
            if keyword == "$dynamicAnchor":
                resource.dynamic_anchors[value] = pointer
        else:  # $dynamicRef, $recursiveRef
            self._is_dynamic = True
            if keyword == "$dynamicRef" and value[:1] not in ("", "#"):
                self._lead_out(schema, path, resource, keyword)

    def _lead_out(self, schema: Schema, path: Path, resource: Resource, keyword: str) -> None:
        if self._leading_out is not None:
            pointer = written(path)
            node = self._nodes.setdefault(pointer, Node(schema, pointer, resource))
            self._leading_out.append((node, keyword))

    def _embedded_resource(self, schema: Schema, pointer: str, outer: Resource) -> Resource:
        """The resource that begins here, or the one around it; ``"$id": "#name"`` is an old anchor."""
        identifier = _own_id(schema, outer.dialect.draft)
        if not identifier or pointer in self._resource_at:
            return self._resource_at.get(pointer, outer)
        if identifier.startswith("#"):
            self._nodes.setdefault(pointer, Node(schema, pointer, outer))
            outer.anchors[identifier[1:]] = pointer
            return outer
        dialect = self._dialect(schema, pointer, outer.dialect)
        uri = _joined(outer.uri, identifier.partition("#")[0], pointer)
        resource = Resource(uri, pointer, schema, dialect)
        self._add_resource(resource)
        self._nodes.setdefault(pointer, Node(schema, pointer, resource))
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

    def _check_value(self, value: object, path: Path, keyword: str) -> None:
        """An enumerated value is JSON, and not too deep."""
        left = self._max_values - self._n_values
        # as nearly always
        if isinstance(value, list) and len(value) < left and all(type(item) is str for item in value):
            self._n_values += 1 + len(value)
            return
        pointer = f"{written(path)}/{keyword}"
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


def _of_keyword(dialect: Dialect, keyword: str, value: Any) -> tuple[bool, str]:
    """Is a keyword's value a subschema; else: where are they in it? '' for nowhere."""
    where = dialect.keywords.get(keyword, (None, None))[1]
    if where is None:
        return False, ""
    is_schema = where == HERE or (where == HERE_OR_ITEMS and not isinstance(value, (list, tuple)))
    return is_schema, "" if is_schema else where


def _joined(base: str, uri: str, where: str) -> str:
    try:
        return urljoin(base, uri)
    except ValueError as error:
        raise InvalidSchemaError(where, f"{uri!r} beside {base!r} is no URI: {error}") from None


def _own_id(schema: Schema, draft: Draft) -> str | None:
    if not isinstance(schema, (dict, Mapping)):
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
