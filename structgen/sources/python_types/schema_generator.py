"""pydantic's core schemas to JSON Schema, so that pydantic takes every text that the schema allows.

pydantic's own JSON Schemas are made to document an interface: what they leave out (the white space that is
stripped before a length is checked, the keys of a ``dict[int, ...]``, that a discriminator must be
there) a model would get wrong, and the text would be refused after all. Here each kind of type for which
the two disagree has its schema made anew. What cannot be said in a JSON Schema is refused by name.
"""

from __future__ import annotations

import math
import re
import zoneinfo
from collections.abc import Mapping
from decimal import Decimal
from enum import Enum
from typing import Any, NoReturn

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, JsonSchemaWarningKind
from pydantic_core import core_schema

from structgen.errors import PythonTypeError
from structgen.sources.python_types import text_forms
from structgen.sources.python_types.foreign_patterns import ForeignPatternError, ecma_pattern

_IN_A_VALIDATOR = "check it in an AfterValidator: it then runs when the text is parsed"
_PLAIN = "use a type that JSON has, or give its schema with pydantic.WithJsonSchema"
_TEMPORAL_BOUNDS = ("gt", "ge", "lt", "le", "now_op")
_DIGITS_OF_A_FLOAT = 15  # decimals of so many digits come through a float unchanged
_DROPPED_FORMATS = frozenset(["binary", "path", "file-path", "directory-path", "password", "fraction"])
_REFUSED_FORMATS = {
    "ipv4network": "the bits that must be zero depend on the length of the prefix",
    "ipv6network": "the bits that must be zero depend on the length of the prefix",
    "ipvanynetwork": "the bits that must be zero depend on the length of the prefix",
    "regex": "which texts are regular expressions is not regular itself",
    "name-email": "its format is pydantic's own",
}
# What pydantic writes where a constraint stands behind a validator function, and what it means.
_STRAY_BOUNDS = {
    "gt": "exclusiveMinimum",
    "ge": "minimum",
    "lt": "exclusiveMaximum",
    "le": "maximum",
    "multiple_of": "multipleOf",
}
_STRAY_LENGTHS = {
    "array": {"minLength": "minItems", "maxLength": "maxItems"},
    "object": {"minLength": "minProperties", "maxLength": "maxProperties"},
}


class ExactJsonSchema(GenerateJsonSchema):
    """JSON Schemas (draft 2020-12) that allow nothing which pydantic's validation, from JSON, refuses.

    Subclass it with ``python_type`` set to the type it is for, which errors name. Raises
    `PythonTypeError`, and what `GenerateJsonSchema` raises.
    """

    python_type: Any = None
    # a default that is no JSON value is left out of the schema, where it would only be a note
    ignored_warning_kinds: set[JsonSchemaWarningKind] = {  # noqa: RUF012 - pydantic declares it so
        "skipped-choice",
        "non-serializable-default",
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._core_configs: list[Mapping[str, Any]] = [{}]
        self._core_definitions: dict[str, Mapping[str, Any]] = {}
        self._owners: list[str] = []

    # -- where we are ------------------------------------------------------------------------------

    def generate_inner(self, schema: Any) -> JsonSchemaValue:
        config = schema.get("config")
        owner = schema.get("cls") if schema["type"] in ("model", "dataclass", "typed-dict") else None
        if config is not None:
            self._core_configs.append(config)
        if owner is not None:
            self._owners.append(owner.__name__)
        try:
            return self._settled(super().generate_inner(schema))
        finally:
            if owner is not None:
                self._owners.pop()
            if config is not None:
                self._core_configs.pop()

    def generate(self, schema: Any, mode: Any = "validation") -> JsonSchemaValue:
        made = super().generate(schema, mode)
        for definition in made.get("$defs", {}).values():
            # of a named type `generate_inner` returns only the reference
            self._settled(definition)
        return made

    def definitions_schema(self, schema: core_schema.DefinitionsSchema) -> JsonSchemaValue:
        for definition in schema["definitions"]:
            self._core_definitions[str(definition.get("ref"))] = definition
        return super().definitions_schema(schema)

    def _setting(self, schema: Mapping[str, Any], name: str, in_config: str) -> Any:
        """A constraint of a type, or of the model around it, as pydantic's validation looks it up."""
        value = schema.get(name)
        return self._core_configs[-1].get(in_config) if value is None else value

    def _refuse(self, reason: str, remedy: str = _PLAIN) -> NoReturn:
        place = f"in {self._owners[-1]}: " if self._owners else ""
        raise PythonTypeError(self.python_type, place + reason, remedy)

    def _settled(self, schema: JsonSchemaValue) -> JsonSchemaValue:
        """Formats that are not JSON Schema's, and keywords that are not, replaced by what they mean."""
        named = schema.get("format")
        if isinstance(named, str) and schema.get("type") == "string":
            if named in _REFUSED_FORMATS:
                self._refuse(f"a text of the format {named!r} cannot be described: {_REFUSED_FORMATS[named]}")
            forms = {
                **text_forms.ADDRESSES,
                "base64": text_forms.BASE64,
                "base64url": text_forms.BASE64_URL,
            }
            if named in forms:
                schema["pattern"] = forms[named]
            if named == "zoneinfo":
                schema["enum"] = sorted(zoneinfo.available_timezones())
            said = named in forms or named == "zoneinfo" or re.fullmatch("uuid[0-9]", named)
            if (said and ("pattern" in schema or "enum" in schema)) or named in _DROPPED_FORMATS:
                del schema["format"]
        if schema.get("type") in ("integer", "number"):
            for stray, keyword in _STRAY_BOUNDS.items():
                if stray in schema:
                    schema.setdefault(keyword, schema.pop(stray))
        for stray, keyword in _STRAY_LENGTHS.get(str(schema.get("type")), {}).items():
            if stray in schema:
                schema.setdefault(keyword, schema.pop(stray))
        return schema

    # -- texts -------------------------------------------------------------------------------------

    def str_schema(self, schema: core_schema.StringSchema) -> JsonSchemaValue:
        made: JsonSchemaValue = {"type": "string"}
        low = self._setting(schema, "min_length", "str_min_length")
        high = self._setting(schema, "max_length", "str_max_length")
        if low:
            made["minLength"] = low
        if high is not None:
            made["maxLength"] = high
        patterns = []
        if schema.get("pattern") is not None:
            patterns.append(self._ecma(schema))
        if (low or patterns) and self._setting(schema, "strip_whitespace", "str_strip_whitespace"):
            # lengths and patterns are checked on what is left after stripping: so nothing to strip
            patterns.append(text_forms.STRIPPED)
        if schema.get("ascii_only"):
            patterns.append(text_forms.ASCII)
        if len(patterns) == 1:
            made["pattern"] = patterns[0]
        elif patterns:
            made["allOf"] = [{"pattern": pattern} for pattern in patterns]
        return made

    def _ecma(self, schema: core_schema.StringSchema) -> str:
        pattern = schema.get("pattern")
        engine = self._setting(schema, "regex_engine", "regex_engine")
        if isinstance(pattern, re.Pattern):
            engine = "python-re"
            flags = pattern.flags & ~re.UNICODE
            pattern = pattern.pattern
            if flags:
                self._refuse(
                    f"the pattern {pattern!r} has {re.RegexFlag(flags)!r}, which JSON Schema has not",
                    "write it into the pattern, as [Aa] for a",
                )
        assert pattern is not None
        try:
            return ecma_pattern(pattern, "python" if engine == "python-re" else "rust")
        except ForeignPatternError as error:
            self._refuse(
                f"{error.construct!r} at offset {error.offset} of the pattern {pattern!r} is not in JSON "
                "Schema's regular expressions, or means another thing there",
                "write it with what ECMA-262 has",
            )

    def bytes_schema(self, schema: core_schema.BytesSchema) -> JsonSchemaValue:
        low, high = schema.get("min_length"), schema.get("max_length")
        encoding = self._core_configs[-1].get("val_json_bytes", "utf8")
        if encoding != "utf8":
            if low or high is not None:
                self._refuse(
                    f"a number of bytes is not a number of characters in {encoding}", _IN_A_VALIDATOR
                )
            form = text_forms.HEXADECIMAL if encoding == "hex" else text_forms.BASE64_URL
            return {"type": "string", "pattern": form}
        made: JsonSchemaValue = {"type": "string"}
        if low:
            made["minLength"] = low
        if high is not None:  # only in ASCII are there no more bytes than characters
            made |= {"maxLength": high, "pattern": text_forms.ASCII}
        return made

    def uuid_schema(self, schema: core_schema.UuidSchema) -> JsonSchemaValue:
        return {"type": "string", "pattern": text_forms.uuid_form(schema.get("version"))}

    def url_schema(self, schema: core_schema.UrlSchema) -> JsonSchemaValue:
        form = text_forms.url_form(
            schema.get("allowed_schemes"), host_required=schema.get("host_required", False)
        )
        made: JsonSchemaValue = {"type": "string", "pattern": form}
        if schema.get("max_length") is not None:
            made["maxLength"] = schema["max_length"]
        return made

    def multi_host_url_schema(self, schema: core_schema.MultiHostUrlSchema) -> JsonSchemaValue:
        return self.url_schema(schema)  # type: ignore[arg-type]  # the same keys; one host is enough

    def complex_schema(self, schema: core_schema.ComplexSchema) -> JsonSchemaValue:
        return {"type": "string", "pattern": text_forms.COMPLEX}

    def json_schema(self, schema: core_schema.JsonSchema) -> JsonSchemaValue:
        self._refuse("a text that holds JSON cannot be described", "use the type that is in it")

    # -- dates and times ---------------------------------------------------------------------------

    def date_schema(self, schema: core_schema.DateSchema) -> JsonSchemaValue:
        self._refuse_bounds(schema, "a date")
        return {"type": "string", "pattern": text_forms.DATE}

    def time_schema(self, schema: core_schema.TimeSchema) -> JsonSchemaValue:
        self._refuse_bounds(schema, "a time")
        return {"type": "string", "pattern": text_forms.time_form(self._offset(schema))}

    def datetime_schema(self, schema: core_schema.DatetimeSchema) -> JsonSchemaValue:
        self._refuse_bounds(schema, "a datetime")
        return {"type": "string", "pattern": text_forms.datetime_form(self._offset(schema))}

    def timedelta_schema(self, schema: core_schema.TimedeltaSchema) -> JsonSchemaValue:
        self._refuse_bounds(schema, "a timedelta")
        return {"type": "string", "pattern": text_forms.DURATION}

    def _refuse_bounds(self, schema: Mapping[str, Any], what: str) -> None:
        for name in _TEMPORAL_BOUNDS:
            if schema.get(name) is not None:
                self._refuse(f"JSON Schema has no bounds for {what} ({name}={schema[name]})", _IN_A_VALIDATOR)

    def _offset(self, schema: Mapping[str, Any]) -> str | None:
        offset = schema.get("tz_constraint")
        if offset is None or isinstance(offset, str):
            return offset
        self._refuse(f"JSON Schema cannot demand the time zone offset {offset}", _IN_A_VALIDATOR)

    # -- numbers -----------------------------------------------------------------------------------

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:
        digits, places = schema.get("max_digits"), schema.get("decimal_places")
        bounds = _bounds(schema)
        forms: list[JsonSchemaValue] = []
        number: JsonSchemaValue = {"type": "number", **bounds}
        # A JSON number comes to pydantic's Decimal through a float: 1e999 is refused, many digits are lost.
        # So texts are the rule, and numbers where they are short, or where bounds leave no choice.
        if places is not None and digits is not None:
            if digits <= _DIGITS_OF_A_FLOAT and "multipleOf" not in bounds:
                forms.append(number | _decimal_range(digits, places, bounds))
        elif digits is None and bounds and not (places is not None and "multipleOf" in bounds):
            forms.append(number if places is None else number | {"multipleOf": _unit(places)})
        if not bounds:
            forms.append({"type": "string", "pattern": text_forms.decimal_form(digits, places)})
        if not forms:
            self._refuse("its digits and its bounds together cannot be described", _IN_A_VALIDATOR)
        return forms[0] if len(forms) == 1 else {"anyOf": forms}

    def fraction_schema(self, schema: Any) -> JsonSchemaValue:
        bounds = _bounds(schema)
        return {"type": "number", **bounds} if bounds else {"type": "string", "pattern": text_forms.FRACTION}

    # -- enumerations ------------------------------------------------------------------------------

    def literal_schema(self, schema: core_schema.LiteralSchema) -> JsonSchemaValue:
        for value in schema["expected"]:
            if isinstance(value, Enum) and not isinstance(value, (str, int)):
                self._refuse(f"no JSON is read as {value!r}", "use its value, or the whole Enum")
        self._check_values([v.value if isinstance(v, Enum) else v for v in schema["expected"]])
        return super().literal_schema(schema)

    def enum_schema(self, schema: core_schema.EnumSchema) -> JsonSchemaValue:
        self._check_values([member.value for member in schema["members"]])
        return super().enum_schema(schema)

    def _check_values(self, values: list[Any]) -> None:
        for value in values:
            plain = value is None or isinstance(value, (str, int, float))
            if not plain or (isinstance(value, float) and not math.isfinite(value)):
                self._refuse(
                    f"the value {value!r} is not read from JSON", "use str, int, float, bool or None"
                )

    # -- arrays ------------------------------------------------------------------------------------

    def set_schema(self, schema: core_schema.SetSchema) -> JsonSchemaValue:
        self._check_hashable(schema)
        return super().set_schema(schema)

    def frozenset_schema(self, schema: core_schema.FrozenSetSchema) -> JsonSchemaValue:
        self._check_hashable(schema)
        return super().frozenset_schema(schema)

    def _check_hashable(self, schema: Mapping[str, Any]) -> None:
        if not self._is_hashable(schema.get("items_schema", {"type": "any"}), frozenset()):
            self._refuse("the items of a set may be unhashable", "use a list, or items that can be hashed")

    def _is_hashable(self, schema: Any, seen: frozenset[str]) -> bool:
        """Whether all values of a core schema can be hashed, as far as it says."""
        kind = schema["type"]
        if kind in ("any", "list", "set", "dict", "typed-dict", "deque", "generator"):
            return False
        if kind in ("model", "dataclass"):
            return schema["cls"].__hash__ is not None
        if kind == "definition-ref":
            ref = schema["schema_ref"]
            return (
                ref in seen
                or ref not in self._core_definitions
                or self._is_hashable(self._core_definitions[ref], seen | {ref})
            )
        inner = schema.get("schema") or schema.get("json_schema") or schema.get("lax_schema")
        if isinstance(inner, Mapping):
            return self._is_hashable(inner, seen)
        parts = schema.get("choices") or (schema.get("items_schema") if kind == "tuple" else None) or []
        choices = parts.values() if isinstance(parts, Mapping) else parts
        return all(self._is_hashable(c[0] if isinstance(c, tuple) else c, seen) for c in choices)

    # -- objects -----------------------------------------------------------------------------------

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        return self._closed(super().model_schema(schema))

    def dataclass_schema(self, schema: core_schema.DataclassSchema) -> JsonSchemaValue:
        return self._closed(super().dataclass_schema(schema))

    def typed_dict_schema(self, schema: core_schema.TypedDictSchema) -> JsonSchemaValue:
        return self._closed(super().typed_dict_schema(schema))

    def _closed(self, schema: JsonSchemaValue) -> JsonSchemaValue:
        """Without members that pydantic would only drop: the object would not say what the text says."""
        if "properties" in schema:
            schema.setdefault("additionalProperties", False)
        return schema

    def field_is_present(self, field: Any) -> bool:
        # pydantic takes a value for a field with init=False, and drops it
        return field.get("init") is not False and super().field_is_present(field)

    def model_field_schema(self, schema: core_schema.ModelField) -> JsonSchemaValue:
        self._check_alias(schema)
        return super().model_field_schema(schema)

    def dataclass_field_schema(self, schema: core_schema.DataclassField) -> JsonSchemaValue:
        self._check_alias(schema)
        return super().dataclass_field_schema(schema)

    def typed_dict_field_schema(self, schema: core_schema.TypedDictField) -> JsonSchemaValue:
        self._check_alias(schema)
        return super().typed_dict_field_schema(schema)

    def _check_alias(self, field: Mapping[str, Any]) -> None:
        alias = field.get("validation_alias")
        if not isinstance(alias, list):
            return
        paths = alias if all(isinstance(path, list) for path in alias) else [alias]
        config = self._core_configs[-1]
        by_name = config.get("validate_by_name") or config.get("populate_by_name")
        if not by_name and not any(len(path) == 1 and isinstance(path[0], str) for path in paths):
            self._refuse(
                f"the AliasPath {paths[0]} is not a member's name", "give the field a plain alias too"
            )

    def tagged_union_schema(self, schema: core_schema.TaggedUnionSchema) -> JsonSchemaValue:
        made = super().tagged_union_schema(schema)
        tag = made.get("discriminator", {}).get("propertyName")
        branches = made["oneOf"]
        if tag is not None:  # pydantic needs it even where it has a default
            branches = [
                {**branch, "required": list(dict.fromkeys([*branch.get("required", []), tag]))}
                for branch in branches
            ]
        # The tags keep the branches apart. Where a function finds the tag, values may fit several.
        return branches[0] if len(branches) == 1 else {"anyOf": branches}

    def is_subclass_schema(self, schema: core_schema.IsSubclassSchema) -> JsonSchemaValue:
        self._refuse("a class has no JSON form")

    # -- dicts -------------------------------------------------------------------------------------

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        return self._mapping(schema)

    def frozendict_schema(self, schema: Any) -> JsonSchemaValue:
        return self._mapping(schema)

    def ordered_dict_schema(self, schema: Any) -> JsonSchemaValue:
        return self._mapping(schema)

    def counter_schema(self, schema: Any) -> JsonSchemaValue:
        return self._mapping(schema)

    def _mapping(self, schema: Mapping[str, Any]) -> JsonSchemaValue:
        keys = self._keys(self.generate_inner(schema["keys_schema"])) if "keys_schema" in schema else {}
        values: Any = self.generate_inner(schema["values_schema"]) if "values_schema" in schema else {}
        values = {name: value for name, value in values.items() if name != "title"} or True
        made: JsonSchemaValue = {"type": "object", "additionalProperties": values}
        if set(keys) == {"enum"}:
            made |= {"properties": dict.fromkeys(keys["enum"], values), "additionalProperties": False}
        elif keys:
            made["propertyNames"] = keys
        if schema.get("min_length"):
            made["minProperties"] = schema["min_length"]
        if schema.get("max_length") is not None:
            made["maxProperties"] = schema["max_length"]
        return made

    def _keys(self, schema: JsonSchemaValue) -> JsonSchemaValue:
        """What the names of members must be for keys that, as values, have this schema; {}: anything."""
        while "$ref" in schema:
            schema = self.resolve_ref_schema(schema)
        asserted = {k: v for k, v in schema.items() if k not in ("title", "description", "type", "examples")}
        kind = schema.get("type")
        values = asserted.get("enum", [asserted["const"]] if "const" in asserted else None)
        if values is not None and all(isinstance(value, str) for value in values):
            return {"enum": list(dict.fromkeys(values))}
        if kind == "string":
            return asserted
        if kind == "boolean" and not asserted:
            return {"enum": ["true", "false"]}
        if kind in ("integer", "number") and not asserted:
            form = text_forms.INTEGER_KEY if kind == "integer" else text_forms.NUMBER_KEY
            return {"pattern": form}
        if not schema:
            return {}
        if set(asserted) == {"anyOf"}:
            branches = [self._keys(b) for b in asserted["anyOf"] if b != {"type": "null"}]
            if {} in branches:
                return {}
            return branches[0] if len(branches) == 1 else {"anyOf": branches}
        self._refuse("keys of a dict that are not texts, plain numbers or bools cannot be described")


def _bounds(schema: Mapping[str, Any]) -> JsonSchemaValue:
    found: JsonSchemaValue = {}
    for name, keyword in _STRAY_BOUNDS.items():
        value = schema.get(name)
        if value is not None and math.isfinite(value):
            found[keyword] = int(value) if value == int(value) else float(value)
    return found


def _unit(places: int) -> float:
    return float(Decimal(1).scaleb(-places)) if places else 1


def _decimal_range(digits: int, places: int, bounds: JsonSchemaValue) -> JsonSchemaValue:
    """What keeps a JSON number within so many digits, beside its own bounds."""
    if digits <= places:
        largest = (Decimal(10) ** digits - 1).scaleb(-places)
    else:
        largest = Decimal(10) ** (digits - places) - Decimal(1).scaleb(-places)
    most = int(largest) if largest == int(largest) else float(largest)
    made: JsonSchemaValue = {"multipleOf": _unit(places)}
    if "maximum" not in bounds or bounds["maximum"] > most:
        made["maximum"] = most
    if "minimum" not in bounds or bounds["minimum"] < -most:
        made["minimum"] = -most
    return made
