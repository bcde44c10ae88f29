"""The rule by the `jsonschema` package, where the text is JSON and what the engine knows names none.

It only names: what is refused, and where, is the engine's word.
"""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from structgen.sources.json_schema.blame import Rule
from structgen.sources.json_schema.document import Document
from structgen.sources.json_schema.keywords import Draft
from structgen.sources.json_schema.options import SchemaOptions
from structgen.sources.json_schema.pointers import escape

_VALIDATORS: dict[Draft, Any] = {
    Draft.DRAFT4: jsonschema.Draft4Validator,
    Draft.DRAFT6: jsonschema.Draft6Validator,
    Draft.DRAFT7: jsonschema.Draft7Validator,
    Draft.DRAFT2019: jsonschema.Draft201909Validator,
    Draft.DRAFT2020: jsonschema.Draft202012Validator,
    Draft.UNION: jsonschema.Draft202012Validator,
}
_MOST_ERRORS = 100


def rules_by_jsonschema(document: Document, options: SchemaOptions, text: bytes, pointer: str) -> list[Rule]:
    """The keywords that refuse the value at ``pointer``; of the one above it where none does."""
    root = document.root
    given: Any = options.registry
    if given is not None and not isinstance(given, Registry):
        given = Registry().with_resources(
            (uri, DRAFT202012.create_resource(contents)) for uri, contents in given.items()
        )
    found: dict[str, list[Rule]] = {}
    try:
        instance = json.loads(text)
        validator = _VALIDATORS[root.draft](root.schema, **({} if given is None else {"registry": given}))
        for number, error in enumerate(validator.iter_errors(instance)):
            if number == _MOST_ERRORS:
                break
            where = _pointer(error.absolute_path)
            *schema, keyword = error.absolute_schema_path or [""]
            found.setdefault(where, []).append(Rule(_pointer(schema), str(keyword)))
    except (
        ValueError,
        RecursionError,
        OverflowError,
        re.error,
        Unresolvable,
        jsonschema.exceptions.UnknownType,
    ):
        return []  # not all JSON, or nothing that the package can judge
    while pointer and pointer not in found:
        pointer = pointer.rpartition("/")[0]
    return found.get(pointer, [])


def _pointer(path: Any) -> str:
    return "".join("/" + escape(str(token)) for token in path)
