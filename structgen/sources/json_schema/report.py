"""What becomes of each keyword of a schema: enforced, or why not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from structgen.sources.json_schema.document import Document, Node
from structgen.sources.json_schema.formats import FORMATS, format_is_exact
from structgen.sources.json_schema.keywords import VOCABULARIES, Draft
from structgen.sources.json_schema.options import SchemaOptions
from structgen.sources.json_schema.pointers import escape
from structgen.sources.json_schema.reach import Reach

Status = Literal[
    "enforced",
    "annotation",
    "structure",
    "no effect",
    "unknown keyword",
    "ignored beside $ref",
    "not reached",
    "unsupported",
]
"""``structure``: names, holds or identifies schemas (``$defs``, ``$id``, ...). ``no effect``: another keyword
is missing beside it. ``not reached``: nothing refers to the subschema."""

ANNOTATIONS = frozenset(
    [
        "title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "$comment",
        "contentEncoding", "contentMediaType", "contentSchema",
    ]
)  # fmt: skip
_STRUCTURE = frozenset(
    [
        "$schema", "$id", "id", "$anchor", "$dynamicAnchor", "$recursiveAnchor", "$vocabulary",
        "$defs", "definitions",
    ]
)  # fmt: skip
_NEEDS = {"then": "if", "else": "if", "minContains": "contains", "maxContains": "contains"}
_NAMES = {
    Draft.DRAFT4: "draft 4",
    Draft.DRAFT6: "draft 6",
    Draft.DRAFT7: "draft 7",
    Draft.DRAFT2019: "draft 2019-09",
    Draft.DRAFT2020: "draft 2020-12",
    Draft.UNION: "any draft",
}


@dataclass(frozen=True, slots=True)
class KeywordReport:
    """``pointer``: of the keyword (of an entry of ``patternProperties`` that is unsupported). ``note``: the
    reason, or how far; '' where there is nothing to add.
    """

    pointer: str
    keyword: str
    status: Status
    note: str = ""


@dataclass(frozen=True, slots=True)
class SchemaReport:
    """The keywords of a schema in the order of its text, then those of places and documents that it refers to
    besides. Iterable; printed, it is a table.
    """

    rows: tuple[KeywordReport, ...]

    def __iter__(self) -> Iterator[KeywordReport]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def unsupported(self) -> tuple[KeywordReport, ...]:
        """What keeps the schema from compiling, unless ``lenient=True``."""
        return tuple(row for row in self.rows if row.status == "unsupported")

    @property
    def counts(self) -> dict[str, int]:
        """How many keywords there are of each status."""
        return dict(Counter(row.status for row in self.rows))

    def as_dict(self) -> dict[str, Any]:
        """Only JSON values."""
        return {"counts": self.counts, "keywords": [asdict(row) for row in self.rows]}

    def __str__(self) -> str:
        cells = [(row.pointer, row.status, row.note) for row in self.rows]
        widths = [max((len(cell[i]) for cell in cells), default=0) for i in range(2)]
        return "\n".join(
            f"{pointer:<{widths[0]}}  {status:<{widths[1]}}  {note}".rstrip()
            for pointer, status, note in cells
        )


def schema_report(schema: Mapping[str, Any] | bool | str, **options: object) -> SchemaReport:
    """``schema`` and ``options``: as in `json_schema_states`; nothing is compiled, so a schema that no value
    satisfies has a report too. Raises `InvalidSchemaError`, `CompileLimitError`, `OptionError`.
    """
    chosen = replace(SchemaOptions.parse(options), lenient=True)
    return SchemaReport(tuple(_Reporter(Document(schema, chosen), chosen).rows()))


class _Reporter:
    def __init__(self, document: Document, options: SchemaOptions) -> None:
        self._document = document
        self._asserts_formats = options.format == "assert"
        reach = Reach(document)
        self._reached = reach.nodes
        self._problems = {problem.pointer: problem.reason for problem in reach.problems}

    def rows(self) -> Iterator[KeywordReport]:
        done = set()
        for root in (self._document.node_at(""), *self._reached.values()):
            pending = [root]
            while pending:
                node = pending.pop()
                if node.pointer in done:
                    continue
                done.add(node.pointer)
                if isinstance(node.schema, Mapping):
                    for keyword, value in node.schema.items():
                        yield from self._keyword(node, keyword, value)
                    if root.pointer == "":
                        pending += reversed([inner for _, inner in self._document.inside(node)])

    def _keyword(self, node: Node, keyword: str, value: Any) -> Iterator[KeywordReport]:
        pointer = node.at(keyword)
        status, note = self._status(node, keyword, value)
        yield KeywordReport(pointer, keyword, status, note)
        if keyword == "patternProperties" and status == "enforced":
            for text in value:
                entry = f"{pointer}/{escape(text)}"
                if entry in self._problems:
                    yield KeywordReport(entry, keyword, "unsupported", self._reason(entry))

    def _reason(self, pointer: str) -> str:
        return self._problems[pointer].splitlines()[0]

    def _status(self, node: Node, keyword: str, value: Any) -> tuple[Status, str]:
        schema = node.schema
        if node.at(keyword) in self._problems:
            return "unsupported", self._reason(node.at(keyword))
        if node.pointer not in self._reached:
            return "not reached", ""
        if keyword in _STRUCTURE and not (keyword == "id" and node.draft is not Draft.DRAFT4):
            return "structure", ""
        if "$ref" in schema and keyword != "$ref" and node.draft <= Draft.DRAFT7:
            return "ignored beside $ref", f"in {_NAMES[node.draft]}"
        if keyword in ANNOTATIONS:
            return "annotation", ""
        if keyword not in node.resource.dialect.keywords:
            elsewhere = any(keyword in known for known in VOCABULARIES.values())
            return "unknown keyword", f"not in {_NAMES[node.draft]}'s dialect here" if elsewhere else ""
        if _NEEDS.get(keyword, keyword) not in schema:
            return "no effect", f"there is no {_NEEDS[keyword]!r} beside it"
        if keyword == "additionalItems" and not isinstance(schema.get("items"), (list, tuple)):
            return "no effect", "there is no array 'items' beside it"
        if keyword == "if" and not ("then" in schema or "else" in schema):
            if node.draft <= Draft.DRAFT7:
                return "no effect", "there is neither 'then' nor 'else' beside it"
            return "enforced", "as far as it tells what is evaluated"
        if keyword == "format":
            return self._format(node, value)
        if keyword == "pattern":
            return "enforced", "exact"
        if keyword == "$ref":
            return "enforced", f"is {self._document.resolve(node, value, keyword).pointer or '(root)'}"
        return "enforced", ""

    def _format(self, node: Node, value: Any) -> tuple[Status, str]:
        if not isinstance(value, str) or value not in FORMATS:
            return "annotation", "an unknown format"
        if not (self._asserts_formats or node.resource.dialect.asserts_formats):
            return "annotation", "by the option 'format'"
        return "enforced", "exact" if format_is_exact(value) else "a sound part of the format's texts"
