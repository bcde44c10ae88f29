"""JSON Schema to `Grammar`, exactly: what is not enforced is refused, by name and place.

The data's way: `Document` (the schema parsed and checked, its references resolved), `own_form` (one
subschema's keywords as facts for each JSON type), `NormalForms` (with ``$ref``, ``allOf`` and ``anyOf``:
alternatives of merged facts), `inhabited` (what has no value at all goes, from the bottom up), `emit`
(rules over ready automata for strings, numbers and punctuation).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from structgen.grammar import Grammar
from structgen.sources.json_schema.assertions import conjunction_of
from structgen.sources.json_schema.document import Document
from structgen.sources.json_schema.emit import emit
from structgen.sources.json_schema.emptiness import inhabited
from structgen.sources.json_schema.normal_form import NormalForms
from structgen.sources.json_schema.options import SchemaOptions

__all__ = ["SchemaOptions", "json_schema_grammar"]


def json_schema_grammar(schema: Mapping[str, Any] | bool | str, **options: object) -> Grammar:
    """The grammar of the JSON texts that validate against ``schema``.

    ``schema``: a mapping, a boolean, or JSON text; drafts 4 to 2020-12 by its ``$schema``, all of them
    together where there is none. ``options``: the fields of `SchemaOptions`.

    Members come in the order of ``properties`` (merged schemas: left to right, the first appearance
    counts), then ``required`` names that are not among them, then others. A name among the others may
    come again: each of its values validates, whichever a reader keeps. Integers are written without
    exponent. Enumerated objects keep the order they are given in.

    Raises `InvalidSchemaError` (not a schema), `UnsupportedSchemaError` (a keyword that would not be
    enforced), `UnsatisfiableSchemaError` (no text validates), `CompileLimitError`, `OptionError`.
    """
    chosen = SchemaOptions.parse(options)
    document = Document(schema, chosen)
    forms = NormalForms(document, max_depth=chosen.max_depth, max_alternatives=chosen.max_alternatives)
    return emit(inhabited(conjunction_of(document, document.root), forms, chosen), chosen)
