"""Dialects: what ``$schema`` names, a draft or a meta-schema of the caller's with its own ``$vocabulary``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from structgen.errors import InvalidSchemaError, UnsupportedSchemaError
from structgen.sources.json_schema.keywords import DRAFT_OF_URI, VOCABULARIES, Check, Draft, Schema, kind
from structgen.sources.json_schema.remote import SchemaRegistry, remote_schema

_MOST_META_SCHEMAS = 16  # one described by the next one
_ALL_KEYWORDS = frozenset(keyword for known in VOCABULARIES.values() for keyword in known)


@dataclass(frozen=True, slots=True, eq=False)
class Dialect:
    """``keywords``: the known ones, with the check of their value and where their subschemas are.

    ``asserts_formats``: its vocabularies say so, whatever the option ``format`` says. ``foreign``: keywords
    that others know and this one does not.
    """

    draft: Draft
    keywords: Mapping[str, tuple[Check, str | None]]
    asserts_formats: bool = False
    foreign: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "foreign", _ALL_KEYWORDS.difference(self.keywords))


DIALECTS = {draft: Dialect(draft, keywords) for draft, keywords in VOCABULARIES.items()}

_CORE = frozenset(
    ["$id", "$schema", "$ref", "$anchor", "$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$defs"]
)
_UNEVALUATED = frozenset(("unevaluatedItems", "unevaluatedProperties"))
_APPLICATOR = frozenset(
    [
        "allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas",
        "prefixItems", "items", "additionalItems", "contains",
        "properties", "patternProperties", "additionalProperties", "propertyNames",
    ]
)  # fmt: skip
_VALIDATION = frozenset(
    [
        "type", "enum", "const",
        "multipleOf", "maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum",
        "maxLength", "minLength", "pattern",
        "maxItems", "minItems", "uniqueItems", "maxContains", "minContains",
        "maxProperties", "minProperties", "required", "dependentRequired",
    ]
)  # fmt: skip
_FORMAT = frozenset(("format",))
_NONE: frozenset[str] = frozenset()
_2019 = "https://json-schema.org/draft/2019-09/vocab/"
_2020 = "https://json-schema.org/draft/2020-12/vocab/"
_VOCABULARY_OF_URI = {
    _2019 + "core": _CORE,
    _2019 + "applicator": _APPLICATOR | _UNEVALUATED,
    _2019 + "validation": _VALIDATION,
    _2019 + "meta-data": _NONE,
    _2019 + "format": _FORMAT,
    _2019 + "content": _NONE,
    _2020 + "core": _CORE,
    _2020 + "applicator": _APPLICATOR,
    _2020 + "unevaluated": _UNEVALUATED,
    _2020 + "validation": _VALIDATION,
    _2020 + "meta-data": _NONE,
    _2020 + "format-annotation": _FORMAT,
    _2020 + "format-assertion": _FORMAT,
    _2020 + "content": _NONE,
}


def dialect_of(schema: Schema, pointer: str, default: Dialect, registry: SchemaRegistry | None) -> Dialect:
    """The dialect that ``$schema`` names; ``default`` where there is none.

    Raises `UnsupportedSchemaError` where neither a draft nor ``registry`` knows it, or where it needs a
    vocabulary that is not known; `InvalidSchemaError` where it is no string.
    """
    if not isinstance(schema, (dict, Mapping)) or "$schema" not in schema:  # mostly told by the first
        return default
    where = f"{pointer}/$schema"
    name = schema["$schema"]
    if not isinstance(name, str):
        raise InvalidSchemaError(where, f"'$schema' must be a string, not {kind(name)}")
    return _named(name, where, registry, 0)


def _named(name: str, where: str, registry: SchemaRegistry | None, depth: int) -> Dialect:
    draft = DRAFT_OF_URI.get(name.strip().removesuffix("#").partition("://")[2])
    if draft is not None:
        return DIALECTS[draft]
    meta_schema = remote_schema(name, registry)
    if not isinstance(meta_schema, Mapping) or depth == _MOST_META_SCHEMAS:
        raise UnsupportedSchemaError(
            where,
            "$schema",
            f"{name!r} is no known dialect",
            "name draft 4, 6, 7, 2019-09 or 2020-12, leave '$schema' out, or give that meta-schema with the "
            "option 'registry'",
        )
    outer = meta_schema.get("$schema")
    base = DIALECTS[Draft.UNION]
    if isinstance(outer, str):
        base = _named(outer, where, registry, depth + 1)
    vocabularies = meta_schema.get("$vocabulary")
    if base.draft < Draft.DRAFT2019 or not isinstance(vocabularies, Mapping):
        return base
    return _with_vocabularies(name, base, vocabularies, where)


def _with_vocabularies(name: str, base: Dialect, vocabularies: Mapping[str, Any], where: str) -> Dialect:
    """The specification (2020-12, Core, section 8.1.2): what is not listed is not there; what is listed as
    true must be understood."""
    keywords = set(_CORE)
    for uri, required in vocabularies.items():
        vocabulary = _VOCABULARY_OF_URI.get(uri)
        if vocabulary is not None:
            keywords |= vocabulary
        elif required is not False:
            raise UnsupportedSchemaError(
                where,
                "$schema",
                f"{name!r} needs the vocabulary {uri!r}, which is not known",
                "leave '$schema' out, or name a dialect without that vocabulary",
            )
    return Dialect(
        base.draft,
        {keyword: known for keyword, known in VOCABULARIES[base.draft].items() if keyword in keywords},
        _2020 + "format-assertion" in vocabularies or vocabularies.get(_2019 + "format") is True,
    )
