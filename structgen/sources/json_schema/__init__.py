"""JSON Schema to parser states, exactly: what cannot be enforced is refused, by name and place.

The data's way: `Document` (the schema parsed and checked, its references resolved), `Assertions` (one
subschema's keywords as facts for each JSON type, and their negations), `NormalForms` (with what else applies
to the same value: alternatives of merged facts), `ObjectLanguage` and `ArrayLanguage` (what may come next,
member by member), `Emptiness` (what has no value at all), `SchemaStates` (parser states, made when first
entered).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from structgen.sources.json_schema.assertions import conjunction_of
from structgen.sources.json_schema.deadline import Deadline
from structgen.sources.json_schema.document import Document
from structgen.sources.json_schema.emptiness import Emptiness
from structgen.sources.json_schema.normal_form import NormalForms
from structgen.sources.json_schema.options import SchemaOptions
from structgen.sources.json_schema.reach import problems_of
from structgen.sources.json_schema.snapshot import Snapshot
from structgen.sources.json_schema.spelling import Spelled
from structgen.sources.json_schema.states import SchemaStates

__all__ = ["SchemaOptions", "SchemaStates", "Snapshot", "json_schema_states"]


def json_schema_states(
    schema: Mapping[str, Any] | bool | str | Snapshot, spelled: Spelled | None = None, **options: object
) -> SchemaStates:
    """The parser of the JSON texts that validate against ``schema``.

    ``schema``: a mapping, a boolean, JSON text, or the snapshot of a mapping; drafts 4 to 2020-12 by its
    ``$schema``, all of them together where there is none. ``spelled``: see `structgen.growing.GrowingTables`.
    ``options``: the fields of `SchemaOptions`.

    Members come in the order of ``properties`` (merged schemas: left to right, the first appearance
    counts), then ``required`` names that are not among them, then others, unless ``any_order``. No name
    comes twice, in whatever spelling.

    Raises `InvalidSchemaError` (not a schema), `UnsupportedSchemaError` (a keyword that would not be
    enforced), `UnsatisfiableSchemaError` (no text validates), `CompileLimitError`, `OptionError`.
    """
    chosen = SchemaOptions.parse(options)
    deadline = Deadline(chosen.max_seconds)
    document = Document(schema, chosen)
    problems = problems_of(document, chosen, deadline)
    forms = NormalForms(document, chosen, deadline)
    emptiness = Emptiness(forms, chosen, spelled)
    root = conjunction_of(document, document.root)
    if not emptiness.is_alive(root):
        raise emptiness.why_empty(root)
    warnings = tuple((problem.pointer, problem.warning) for problem in problems)
    return SchemaStates(root, forms, emptiness, chosen, warnings)
