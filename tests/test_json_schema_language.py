"""What a schema's grammar accepts: one table of schemas with texts in and out of the language."""

# ruff: noqa: E501, E741 (a case a line; I for the integer type)
from __future__ import annotations

import json

import pytest
from json_texts import accepts, compiled

from structgen.errors import UnsatisfiableSchemaError

D4 = "http://json-schema.org/draft-04/schema#"
D6 = "http://json-schema.org/draft-06/schema#"
D7 = "http://json-schema.org/draft-07/schema#"
D2019 = "https://json-schema.org/draft/2019-09/schema"
D2020 = "https://json-schema.org/draft/2020-12/schema"
S, I, N, B = {"type": "string"}, {"type": "integer"}, {"type": "number"}, {"type": "boolean"}
AB = {"properties": {"a": I, "b": I}}
TREE = {
    "$defs": {
        "node": {
            "type": "object",
            "properties": {"v": I, "kids": {"type": "array", "items": {"$ref": "#/$defs/node"}}},
            "required": ["v"],
            "additionalProperties": False,
        }
    },
    "$ref": "#/$defs/node",
}

# name: schema, accepted texts, refused texts
CASES: dict[str, tuple[object, list[str], list[str]]] = {
    "true": (True, ["1", '"a"', "null", "[]", "{}", '[1, {"a": [true]}]'], ["", "tru", "[1,]", "{1}", "[", " 1", "1 "]),
    "empty": ({}, ["1", '{"a": {"a": {}}}'], ["nul", '{"a"}']),
    "types": ({"type": ["null", "boolean"]}, ["null", "true", "false"], ["1", '"a"', "truefalse"]),
    "all types": (
        {"type": ["null", "boolean", "number", "string", "array", "object"]},
        ["null", "1.5e3", "[[]]", '{"x":{}}'],
        ["undefined"],
    ),
    "integer and number": ({"type": ["integer", "number"]}, ["1.5", "1"], ["null"]),
    "integer": (I, ["1", "1.0", "-0", "1e2"], ["1.5", "1e-1", "01"]),
    "integer, draft 4": ({"$schema": D4, **I}, ["1", "-1"], ["1.0"]),
    "integer, draft 6": ({"$schema": D6, **I}, ["1", "1.0"], ["1.1"]),
    # keywords speak about their own type only
    "minLength alone": ({"minLength": 2}, ['"ab"', "1", "[]", "{}", "null"], ['"a"', '""']),
    "required alone": ({"required": ["a"]}, ['{"a":1}', "1", "[]"], ["{}", '{"b":1}']),
    "items alone": ({"items": I}, ["[1]", '"a"', '{"a":"b"}'], ['["a"]']),
    "unused keywords": ({"type": "integer", "format": "date", "patternProperties": {"a": False}}, ["1"], ['"a"']),
    # strings
    "minLength": ({**S, "minLength": 2}, ['"ab"', '"\\u0061b"', '"😀😀"', '"\\ud83d\\ude00\\n"'], ['"😀"', '"\\ud83d\\ude00"']),
    "maxLength": ({**S, "maxLength": 2}, ['""', '"😀é"', '"\\u00e9\\""'], ['"abc"', '"\\u0061\\u0062\\u0063"']),
    "long maxLength": ({**S, "maxLength": 40}, ['"' + "é" * 40 + '"'], ['"' + "e" * 41 + '"']),
    "lengths 2.0": ({**S, "maxLength": 2.0}, ['"ab"'], ['"abc"']),
    "maxLength 0": ({**S, "maxLength": 0}, ['""'], ['"a"']),
    "escapes": (S, ['"\\u00e9\\/\\b"', '"/"'], ['"\x01"', '"\\x"', '"\\ud800"', '"\n"']),
    # enumerations
    "enum": ({"enum": ["a", 1, None, True]}, ['"a"', '"\\u0061"', "1", "1.0", "null", "true"], ["false", '"b"', "0"]),
    "const": ({"const": "é\n"}, ['"é\\n"', '"\\u00E9\\u000a"'], ['"é\n"']),
    "const false": ({"const": False}, ["false"], ["0", "null"]),
    "const 0": ({"const": 0}, ["0", "-0", "0.0"], ["false"]),
    "const array": ({"const": [1, "a", []]}, ['[1,"a",[]]', '[ 1.0 , "\\u0061" ,\n[ ] ]'], ["[1]", '[1,"a"]']),
    "const object": ({"const": {"a": {"b": None}}}, ['{"a":{"b":null}}', '{ "\\u0061" : {"b": null} }'], ["{}", '{"a":{}}']),
    "const, draft 4": ({"$schema": D4, "const": 1}, ["2"], []),
    "enum and type": ({**I, "enum": ["a", 1, 2.5, 3.0]}, ["1", "3", "3.0"], ['"a"', "2.5"]),
    "enum and type, draft 4": ({"$schema": D4, **I, "enum": [1, 2.0]}, ["1", "2"], ["1.0"]),
    "enum and bounds": ({"enum": [1, 5, 10, "x"], "minimum": 2, "maximum": 10}, ["5", "10", '"x"'], ["1"]),
    "enum and number bounds": ({"enum": [0.1, 0.25], "minimum": 0.1, "exclusiveMaximum": 0.25}, ["0.1"], ["0.25"]),
    "enum and lengths": ({"enum": ["a", "😀😀", "abc"], "minLength": 2, "maxLength": 2}, ['"😀😀"'], ['"a"', '"abc"']),
    "enum and items": ({"enum": [[1], ["a"], [1, 2]], "items": I, "maxItems": 1}, ["[1]"], ['["a"]', "[1,2]"]),
    "enum and properties": (
        {"enum": [{"a": 1}, {"a": "x"}, {"b": 1}], "properties": {"a": I}, "required": ["a"]},
        ['{"a":1}'],
        ['{"a":"x"}', '{"b":1}'],
    ),
    "enum and enum": ({"enum": [1, 2, 3], "allOf": [{"enum": [3.0, 1, 4]}]}, ["1", "3"], ["2", "4"]),
    "enum true is not 1": ({"enum": [1, [True]], "allOf": [{"enum": [True, [1], [True]]}]}, ["[true]"], ["1", "true", "[1]"]),
    "enum that is its own property": (
        {"enum": [{"a": {}}, {}, {"a": {"a": 1}}, 1], "properties": {"a": {"$ref": "#"}}},
        ["{}", '{"a":{}}', "1"],
        ['{"a":{"a":1}}', '{"a":{"a":{}}}'],
    ),
    "a lone surrogate is no value": ({"enum": ["\ud800", "a"]}, ['"a"'], ['"\\ud800"']),
    # arrays
    "items": ({"type": "array", "items": I}, ["[]", "[1]", "[1,2 , 3]", "[ ]"], ["[1", "[1,]", "[,1]", '["a"]', "{}"]),
    "minItems": ({"type": "array", "items": I, "minItems": 2}, ["[1,2]", "[1,2,3]"], ["[]", "[1]"]),
    "maxItems": ({"type": "array", "items": I, "maxItems": 2}, ["[]", "[1,2]"], ["[1,2,3]"]),
    "maxItems 0": ({"type": "array", "maxItems": 0}, ["[]", "[ ]"], ["[1]"]),
    "exactly 3": ({"type": "array", "items": I, "minItems": 3, "maxItems": 3}, ["[1,2,3]"], ["[1,2]", "[1,2,3,4]"]),
    "items false": ({"type": "array", "items": False}, ["[]"], ["[1]"]),
    "prefixItems": ({"type": "array", "prefixItems": [I, S]}, ["[]", "[1]", '[1,"a"]', '[1,"a",null]'], ['["a"]', "[1,2]"]),
    "prefixItems and items": (
        {"type": "array", "prefixItems": [I, S], "items": B},
        ["[1]", '[1,"a",true,false]'],
        ['[1,"a",1]', "[true]"],
    ),
    "prefixItems, items false": ({"type": "array", "prefixItems": [I, S], "items": False}, ['[1,"a"]', "[]"], ['[1,"a",1]']),
    "prefixItems, minItems": (
        {"type": "array", "prefixItems": [I, S, B], "minItems": 2, "maxItems": 4},
        ['[1,"a"]', '[1,"a",true]', '[1,"a",true,0]'],
        ["[1]", '[1,"a",true,0,0]'],
    ),
    "prefixItems, minItems beyond": (
        {"type": "array", "prefixItems": [I], "items": S, "minItems": 3},
        ['[1,"a","b"]', '[1,"a","b","c"]'],
        ['[1,"a"]', "[1]"],
    ),
    "a prefix item that cannot be": ({"type": "array", "prefixItems": [I, False, S]}, ["[]", "[1]"], ['[1,"a"]']),
    "12 prefix items": (
        {"type": "array", "prefixItems": [I] * 11 + [S], "items": False},
        ["[]", "[" + "1," * 10 + "1]", "[" + "1," * 11 + '"a"]'],
        ["[" + "1," * 11 + "1]", "[" + "1," * 12 + "1]"],
    ),
    "items array": ({"type": "array", "items": [I, S]}, ['[1,"a",null]', "[1]"], ['["a"]']),
    "items array, additionalItems": (
        {"$schema": D7, "type": "array", "items": [I], "additionalItems": S},
        ['[1,"a"]'],
        ["[1,1]"],
    ),
    "additionalItems beside items": ({"$schema": D7, "items": I, "additionalItems": False}, ["[1,2]"], ['["a"]']),
    # objects
    "properties": (
        {"type": "object", **AB},
        ["{}", '{"a":1}', '{"b":1}', '{"a":1,"b":2}', '{"a":1,"b":2,"c":null}', '{"c":[]}', '{ "a" : 1 }', "{ }"],
        ['{"a":"x"}', '{"b":1,"a":2}', '{"a":1,}', '{,}', '{"a":1 "b":2}', '{"a":1,"a":2}', '{"c":1,"a":2}', '{"\\u0061":"x"}'],
    ),
    "closed": ({**AB, "additionalProperties": False, "type": "object"}, ["{}", '{"b":1}', '{"\\u0061":1}'], ['{"c":1}', '{"a":1,"c":2}']),
    "required": ({**AB, "type": "object", "required": ["b"]}, ['{"b":1}', '{"a":1,"b":2}', '{"b":1,"c":2}'], ["{}", '{"a":1}']),
    "required first": ({**AB, "required": ["a"], "type": "object"}, ['{"a":1}', '{"a":1,"b":2}'], ['{"b":1}', "{}"]),
    "required elsewhere": (
        {**AB, "required": ["z", "b", "y"], "type": "object"},
        ['{"b":1,"z":0,"y":0}', '{"a":1,"b":1,"z":0,"y":0,"x":0}'],
        ['{"b":1,"y":0,"z":0}', '{"b":1,"z":0}', '{"z":0,"b":1,"y":0}'],
    ),
    "required and additionalProperties": (
        {"type": "object", "required": ["z"], "additionalProperties": I},
        ['{"z":1}', '{"z":1,"a":2}'],
        ['{"z":"a"}', "{}", '{"a":1,"z":1}'],
    ),
    "additionalProperties": (
        {"type": "object", "properties": {"a": S}, "additionalProperties": I},
        ['{"a":"x"}', '{"b":1,"c":2}', '{"a":"x","b":1}', '{"":1}', '{"aa":1}'],
        ['{"b":"x"}', '{"a":1}', '{"\\u0061":1}'],
    ),
    "a forbidden property": ({"type": "object", "properties": {"a": False}}, ["{}", '{"b":1}'], ['{"a":1}', '{"\\u0061":1}']),
    "a property that cannot be": (
        {"type": "object", "properties": {"a": {**S, "minLength": 2, "maxLength": 1}, "b": I}},
        ["{}", '{"b":1}', '{"c":1}'],
        ['{"a":"x"}'],
    ),
    "escaped names": ({"type": "object", "properties": {'a"\n/': I}, "required": ['a"\n/']}, ['{"a\\"\\n/":1}', '{"a\\u0022\\n\\/":1}'], ["{}"]),
    "names in pointers": (
        {"$ref": "#/properties/a~1b~0%25", "properties": {"a/b~%": I}},
        ["1"],
        ['"a"', "{}"],
    ),
    "20 optional properties": (
        {"type": "object", "properties": {f"p{i}": I for i in range(20)}, "additionalProperties": False},
        ["{}", '{"p0":1,"p19":1}', '{"p7":1,"p8":1,"p15":1,"p16":1}', '{"p19":1}', '{"p10":1}'],
        ['{"p1":1,"p0":1}', '{"p16":1,"p15":1}', '{"p19":1,"p19":1}', '{"p20":1}'],
    ),
    "required after 20 optional": (
        {"type": "object", "properties": {f"p{i}": I for i in range(21)}, "required": ["p20"], "additionalProperties": False},
        ['{"p20":1}', '{"p0":1,"p20":1}', '{"p9":1,"p10":1,"p19":1,"p20":1}'],
        ["{}", '{"p0":1}', '{"p20":1,"p0":1}'],
    ),
    # nesting and references
    "nested": (
        {"type": "object", "properties": {"a": {"type": "object", "properties": {"b": {"type": "array", "items": AB}}}}},
        ['{"a":{"b":[{"a":1},1]}}', '{"a":{}}'],
        ['{"a":{"b":[{"a":"x"}]}}', '{"a":1}'],
    ),
    "tree": (
        TREE,
        ['{"v":1}', '{"v":1,"kids":[]}', '{"v":1,"kids":[{"v":2,"kids":[{"v":3}]},{"v":4}]}'],
        ["{}", '{"v":1,"kids":[1]}', '{"v":1,"kids":[{"v":2,"kids":[{}]}]}'],
    ),
    "root recursion": (
        {"type": "object", "properties": {"next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}}, "required": ["next"]},
        ['{"next":null}', '{"next":{"next":null}}'],
        ["{}", '{"next":{}}', '{"next":1}'],
    ),
    "$ref with siblings": ({"$defs": {"s": S}, "$ref": "#/$defs/s", "maxLength": 1}, ['"a"'], ['"ab"', "1"]),
    "$ref with siblings, draft 7": (
        {"$schema": D7, "definitions": {"s": S}, "properties": {"a": {"$ref": "#/definitions/s", "maxLength": 1}}},
        ['{"a":"abc"}'],
        ['{"a":1}'],
    ),
    "$ref into an unknown keyword": ({"$ref": "#/stuff/0/x", "stuff": [{"x": S}]}, ['"a"'], ["1"]),
    "$ref chain": ({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/c"}, "c": I}, "$ref": "#/$defs/a"}, ["1"], ['"a"']),
    "$id and pointers inside": (
        {
            "$id": "http://x.org/root.json",
            "$defs": {"in": {"$id": "in.json", "$defs": {"t": S}, "items": {"$ref": "#/$defs/t"}}, "t": I},
            "properties": {"a": {"$ref": "in.json"}, "b": {"$ref": "#/$defs/t"}, "c": {"$ref": "http://x.org/root.json#/$defs/t"}},
        },
        ['{"a":["x"],"b":1,"c":1}'],
        ['{"a":[1]}', '{"b":"x"}', '{"c":"x"}'],
    ),
    "$anchor": ({"$defs": {"t": {"$anchor": "here", **S}}, "$ref": "#here"}, ['"a"'], ["1"]),
    "$id as anchor, draft 7": ({"$schema": D7, "definitions": {"t": {"$id": "#here", **S}}, "allOf": [{"$ref": "#here"}]}, ['"a"'], ["1"]),
    "embedded draft 4": (
        {
            "$schema": D2020,
            "$defs": {"old": {"$id": "http://x.org/old", "$schema": D2019, "items": [I]}},
            "$ref": "http://x.org/old",
        },
        ['[1,"a"]'],
        ['["a"]'],
    ),
    "draft 4 pasted in, without $id": (
        {"$schema": D2020, "properties": {"a": {"$schema": D4, "properties": {"n": I, "m": {"minimum": 1, "exclusiveMinimum": True}}}}},
        ['{"a":{"n":1}}', '{"a":{"m":2}}'],
        ['{"a":{"n":1.0}}', '{"a":{"m":1}}'],
    ),
    # allOf, anyOf
    "allOf": ({"allOf": [{"type": ["string", "integer"]}, {"type": ["integer", "null"]}, {"minimum": 3}]}, ["3"], ["2", '"a"', "null"]),
    "allOf objects": (
        {"allOf": [{"properties": {"a": I}, "required": ["a"]}, {"properties": {"b": S, "a": {"maximum": 5}}}], "type": "object"},
        ['{"a":1}', '{"a":1,"b":"x"}'],
        ['{"a":6}', '{"b":"x","a":1}', "{}"],
    ),
    "allOf and closed": (
        {"type": "object", "properties": {"a": I}, "additionalProperties": False, "allOf": [{"properties": {"b": S}}]},
        ["{}", '{"a":1}'],
        ['{"b":"x"}', '{"a":1,"b":"x"}'],
    ),
    "a member of each of twelve pairs": (
        {"type": "object", "allOf": [{"anyOf": [{"required": [f"p{i}"]}, {"required": [f"q{i}"]}]} for i in range(12)]},
        ["{" + ",".join(f'"{"pq"[i % 2]}{i}":0' for i in range(12)) + "}"],
        ["{" + ",".join(f'"p{i}":0' for i in range(11)) + "}", "{}"],
    ),
    "just one member of each of twelve pairs": (
        {"type": "object", "allOf": [{"oneOf": [{"required": [f"p{i}"]}, {"required": [f"q{i}"]}]} for i in range(12)]},
        ["{" + ",".join(f'"{"pq"[i % 3 > 0]}{i}":0' for i in range(12)) + "}"],
        ["{" + ",".join(f'"p{i}":0' for i in range(12)) + ',"q11":0}', "{" + ",".join(f'"p{i}":0' for i in range(11)) + "}"],
    ),
    "other than an array with a fraction that may not come twice": (
        {"type": "array", "items": {"enum": [True, 0.3, [False, 0.3]]}, "uniqueItems": True},
        ["[true,0.3]", "[[false,0.3],0.3]", "[]"],
        ["[0.3,0.3]", "[[false,0.3],[false,0.3]]", "[0.30,3e-1]"],
    ),
    "more members than there are names of a kind": (
        {"type": "object", "propertyNames": {"pattern": "^[a-d]{3}$"}, "minProperties": 64},
        ["{" + ",".join(f'"{a}{b}{c}":0' for a in "abcd" for b in "abcd" for c in "abcd") + "}"],
        ["{" + ",".join(f'"{a}{b}{c}":0' for a in "abcd" for b in "abcd" for c in "abc") + "}"],
    ),
    "a name that must be there, in a round-about way, does not come twice": (
        {"type": "object", "not": {"propertyNames": {"not": {"const": "ab"}}}},
        ['{"ab":1}', '{"x":0,"ab":1,"y":0}'],
        ['{"ab":1,"ab":2}', '{"x":0}', "{}", '{"x":0,"ab":1,"ab":1}'],
    ),
    "oneOf with a base in common": (
        {
            "$defs": {"base": {"properties": {"id": I}, "required": ["id"]}},
            "oneOf": [
                {"allOf": [{"$ref": "#/$defs/base"}, {"properties": {"a": I}, "required": ["a"]}]},
                {"allOf": [{"$ref": "#/$defs/base"}, {"properties": {"b": I}, "required": ["b"]}]},
            ],
            "type": "object",
        },
        ['{"id":1,"a":1}', '{"id":1,"b":1}', '{"id":1,"a":1,"b":"x"}'],
        ['{"id":1,"a":1,"b":1}', '{"id":1}', '{"a":1}', '{"id":"x","a":1}', '{"id":1,"a":"x","b":"x"}'],
    ),
    "oneOf by a required member": (
        {
            "type": "object",
            "required": ["kind"],
            "oneOf": [{"properties": {"kind": {"enum": [kind]}, kind: I}} for kind in ("p", "q", "r")],
        },
        ['{"kind":"p","p":1}', '{"kind":"q","p":"x"}', '{"kind":"r"}'],
        ['{"kind":"p","p":"x"}', '{"kind":"s"}', '{"p":1}', "{}"],
    ),
    "keys that cannot be of two patterns": (
        {"patternProperties": {"^ab?c": I, "^x[yz]": S, "^.{2}z$": B}, "additionalProperties": False, "type": "object"},
        ['{"ac1":1}', '{"xy":""}', '{"aaz":true}', "{}"],
        ['{"ac1":""}', '{"xyz":true}', '{"abcd":true}', '{"q":1}'],
    ),
    "text order of siblings": (
        {"allOf": [{"properties": {"x": I}}], "properties": {"a": I}, "type": "object"},
        ['{"x":1,"a":1}'],
        ['{"a":1,"x":1}'],
    ),
    "anyOf": ({"anyOf": [S, {"type": "array", "items": I}]}, ['"a"', "[1]"], ["1", '["a"]']),
    "anyOf with siblings": (
        {"type": "object", "properties": {"k": S}, "anyOf": [{"required": ["k"]}, {"properties": {"n": I}, "required": ["n"]}]},
        ['{"k":"a"}', '{"n":1}', '{"k":"a","n":1}', '{"k":"a","n":"x"}'],
        ["{}", '{"n":"x"}', '{"k":1,"n":1}'],
    ),
    "anyOf of anyOf": (
        {"allOf": [{"anyOf": [{"minLength": 3}, {"enum": ["a", 1]}]}, {"anyOf": [{"maxLength": 1}, {"const": "abcd"}]}]},
        ['"a"', '"abcd"', "1", "null"],
        ['"abc"', '""', '"ab"'],
    ),
    "anyOf, one impossible": ({"anyOf": [False, {**I, "minimum": 2, "maximum": 1}, S]}, ['"a"'], ["1"]),
    "anyOf of objects": (
        {"anyOf": [{"properties": {"t": {"const": "a"}, "v": I}, "required": ["t", "v"], "type": "object"},
                   {"properties": {"t": {"const": "b"}, "v": S}, "required": ["t", "v"], "type": "object"}]},
        ['{"t":"a","v":1}', '{"t":"b","v":"x"}'],
        ['{"t":"a","v":"x"}', '{"t":"b","v":1}', '{"t":"c","v":1}'],
    ),
    "merged children": (
        {"allOf": [{"items": {"properties": {"a": I}}}, {"items": {"required": ["a"], "type": "object"}}], "type": "array"},
        ['[{"a":1}]', "[]"],
        ["[{}]", '[{"a":"x"}]', "[1]"],
    ),
    "recursion through a merge": (
        {"$defs": {"n": {"type": "object", "properties": {"c": {"$ref": "#/$defs/n"}}}},
         "allOf": [{"$ref": "#/$defs/n"}, {"properties": {"c": {"required": ["c"]}}}]},
        ["{}", '{"c":{"c":{}}}', '{"c":{"c":{"c":{}}}}'],
        ['{"c":{}}', '{"c":1}'],
    ),
    "recursion without end is optional": (
        {"$defs": {"n": {"type": "object", "properties": {"c": {"$ref": "#/$defs/n"}}, "required": ["c"]}},
         "type": "object", "properties": {"x": {"$ref": "#/$defs/n"}}},
        ["{}", '{"y":1}'],
        ['{"x":{}}', '{"x":{"c":{}}}'],
    ),
    # what constrains nothing
    "annotations": (
        {"title": "t", "description": "d", "default": 1, "examples": [2], "$comment": "c", "readOnly": True, "deprecated": True,
         "contentMediaType": "x/y", "format": "color", "x-mine": {"type": "nonsense"}, "nullable": True, "extends": 3},
        ["1", "null"],
        ["x"],
    ),
    "vacuous keywords": (
        {"uniqueItems": False, "minProperties": 0, "minItems": 0, "patternProperties": {}, "dependentRequired": {"a": []},
         "propertyNames": True, "not": False, "if": {"type": "null"}, "contains": {}, "minContains": 0, "unevaluatedItems": True},
        ["1", "[1,1]", "{}"],
        ["x"],
    ),
    "distinct strings among others": (
        {"type": "array", "items": {"type": ["string", "object", "integer"]}, "uniqueItems": True},
        ['["a","b",{"a":1},1]', '["1",1,{"1":1}]', '[{"a":"a"},"a",{"a":"b"}]', "[]"],
        ['["a","a"]', '["a",1,"a"]', '[1,"a",1]', '[{"a":1},"a",{"a":1}]', '["a",{"a":"a"},"\\u0061"]', '[["a"]]'],
    ),
    "few distinct strings among others": (
        {"items": {"enum": ["a", "b", 1]}, "uniqueItems": True, "minItems": 2, "type": "array"},
        ['["a","b"]', '["a","b",1]'], ['["a"]', '["a","a"]', '[1,"a",1]', '["a","b",1,"a"]'],
    ),
    "other keys of few texts": (
        {
            "type": "object",
            "properties": {"n1": {"const": 0}},
            "patternProperties": {"^n[0-2]$": {"type": "integer"}, "^(m|n1)$": {"maximum": 0}, "^o": {"const": 2}},
            "additionalProperties": {"type": "string"},
        },
        ['{"n1":0,"n0":5,"m":-1,"o":2,"op":2,"x":"y"}', '{"n2":1,"n3":"a","n":"a"}', '{"m":"a"}'],
        ['{"n1":-1}', '{"n0":"a"}', '{"m":1}', '{"o":1}', '{"x":1}', '{"n0":1,"n0":1}', '{"n3":1}'],
    ),
    "uniqueItems of one": ({"type": "array", "uniqueItems": True, "maxItems": 1}, ["[1]"], ["[1,1]"]),
    "minProperties of required": ({"type": "object", "required": ["a", "b"], "minProperties": 2}, ['{"a":1,"b":2}'], ['{"a":1}']),
    "maxProperties of closed": ({**AB, "additionalProperties": False, "maxProperties": 2}, ['{"a":1,"b":2}'], ['{"c":1}']),
    "multipleOf 1": ({**N, "multipleOf": 1}, ["3", "3.0"], ["3.5"]),
    "number bounds on integers only": ({"allOf": [{"minimum": 3}, I]}, ["3"], ["2", "3.5"]),
    "a format where no string can be": (
        {"properties": {"a": {"allOf": [{"format": "date"}, I]}}, "$defs": {"x": {"oneOf": [S, I]}}},
        ['{"a":1}'],
        ['{"a":"2020-01-01"}'],
    ),
    # numbers of any kind
    "multipleOf": ({"multipleOf": 3}, ["0", "-3", "9.0", "1.2e1", '"a"'], ["1", "3.5", "1e1"]),
    "multipleOf 0.01": ({**N, "multipleOf": 0.01}, ["0.01", "1.10", "3"], ["0.001", "1.005"]),
    "bounds of numbers": ({"minimum": 1, "exclusiveMaximum": 2.5}, ["1", "1.0", "2.49", "1e0", "null"], ["0.99", "2.5", "1e1"]),
    # formats
    "format": ({**S, "format": "date"}, ['"2024-02-29"', '"\\u0032024-01-01"'], ['"2023-02-29"', '"x"', '""']),
    "format beside enum": ({"enum": ["a", 1, "a@b.c"], "format": "email"}, ["1", '"a@b.c"'], ['"a"']),
    "format of strings only": ({"type": ["string", "null"], "format": "uuid"}, ["null"], ['"a"']),
    # keys
    "patternProperties": (
        {"type": "object", "patternProperties": {"^a": I}},
        ["{}", '{"ab":1,"b":"x"}', '{"b":null,"a":1}', '{"\\u0061":1}'],
        ['{"a":"x"}', '{"\\u0061b":"x"}', '{"ab":1,"ab":2}', '{"b":1,"b":1}'],
    ),
    "patternProperties, closed": (
        {"type": "object", "patternProperties": {"^a": True}, "additionalProperties": False},
        ["{}", '{"a":1,"ab":null}'],
        ['{"b":1}', '{"a":1,"a":1}', '{"a":1,"\\u0061":1}'],
    ),
    "patternProperties and required": (
        {"patternProperties": {"^a": S}, "additionalProperties": False, "required": ["ab"], "type": "object"},
        ['{"ab":"x"}', '{"ab":"x","a":"y"}'],
        ["{}", '{"a":"x"}', '{"ab":1}', '{"ab":"x","ab":"x"}'],
    ),
    "patternProperties that overlap": (
        {"type": "object", "patternProperties": {"^a": {"minimum": 3}, "b$": {"maximum": 5}}},
        ['{"ab":4,"a":9,"b":1}', '{"c":"x"}'],
        ['{"ab":2}', '{"ab":6}', '{"a":2}', '{"b":6}'],
    ),
    "properties that a pattern matches": (
        {"type": "object", "properties": {"a": {"minimum": 3}}, "patternProperties": {"a": {"maximum": 5}}},
        ['{"a":4}', '{"ba":1}'],
        ['{"a":2}', '{"a":6}', '{"ba":6}'],
    ),
    "propertyNames": (
        {"type": "object", "propertyNames": {"maxLength": 2}},
        ["{}", '{"ab":1,"a":2,"":3}', '{"\\u0061b":1}'],
        ['{"abc":1}', '{"a":1,"a":1}', '{"\\u0061bc":1}'],
    ),
    "propertyNames, few": (
        {"type": "object", "propertyNames": {"enum": ["a", "b"]}, "minProperties": 2},
        ['{"a":1,"b":2}', '{"b":1,"a":2}'],
        ["{}", '{"a":1}', '{"a":1,"c":2}', '{"a":1,"a":1}'],
    ),
    "propertyNames, none": ({"type": "object", "propertyNames": False}, ["{}", "{ }"], ['{"a":1}']),
    "propertyNames and required": (
        {"type": "object", "propertyNames": {"pattern": "^a*$"}, "required": ["aa"]},
        ['{"aa":1}', '{"aa":1,"a":2}'],
        ["{}", '{"aa":1,"b":1}'],
    ),
    "no key twice": (
        {"type": "object"},
        ["{}", '{"a":1,"b":1,"ab":1,"":1}', '{"\\u0061":1,"b":{"a":1}}', '{"😀":1,"😁":1}'],
        ['{"a":1,"a":1}', '{"a":1,"b":1,"\\u0061":1}', '{"":1,"":1}', '{"/":1,"\\/":1}', '{"é":1,"\\u00e9":1}',
         '{"é":1,"\\u00E9":1}', '{"😀":1,"\\ud83d\\ude00":1}', '{"\\ud83D\\uDe00":1,"😀":1}', '{"\\n":1,"\\u000a":1}'],
    ),
    "no key twice, deep": (True, ['[{"a":{"a":1}},{"a":1}]'], ['[{"a":{"b":1,"b":1}}]', '{"a":{},"b":[],"a":{}}']),
    # counts
    "minProperties": ({"type": "object", "minProperties": 1}, ['{"a":1}', '{"a":1,"b":2}'], ["{}", "{ }"]),
    "maxProperties": ({"type": "object", "maxProperties": 1}, ["{}", '{"a":1}'], ['{"a":1,"b":2}', '{"a":1,"a":1}']),
    "minProperties and optional": (
        {**AB, "type": "object", "additionalProperties": False, "minProperties": 1},
        ['{"a":1}', '{"b":1}', '{"a":1,"b":1}'],
        ["{}"],
    ),
    "maxProperties and optional": (
        {"properties": {"a": I, "b": I}, "additionalProperties": False, "maxProperties": 1, "type": "object"},
        ["{}", '{"a":1}', '{"b":1}'],
        ['{"a":1,"b":2}'],
    ),
    "maxProperties and required later": (
        {**AB, "type": "object", "required": ["b"], "maxProperties": 2},
        ['{"b":1}', '{"a":1,"b":1}', '{"b":1,"c":1}'],
        ['{"a":1}', '{"a":1,"b":1,"c":1}'],
    ),
    # dependencies
    "dependentRequired": (
        {**AB, "type": "object", "dependentRequired": {"a": ["b"]}},
        ["{}", '{"b":1}', '{"a":1,"b":1}', '{"c":1}'],
        ['{"a":1}', '{"a":1,"c":1}'],
    ),
    "dependentRequired backwards": (
        {**AB, "type": "object", "dependentRequired": {"b": ["a"]}},
        ["{}", '{"a":1}', '{"a":1,"b":1}'],
        ['{"b":1}'],
    ),
    "dependentSchemas": (
        {**AB, "type": "object", "dependentSchemas": {"a": {"required": ["b"], "properties": {"b": {"minimum": 5}}}}},
        ["{}", '{"b":1}', '{"a":1,"b":5}'],
        ['{"a":1}', '{"a":1,"b":1}'],
    ),
    "dependencies": (
        {"$schema": D7, **AB, "type": "object", "dependencies": {"a": ["b"], "b": {"maxProperties": 2}}},
        ["{}", '{"b":1,"c":1}', '{"a":1,"b":1}'],
        ['{"a":1}', '{"a":1,"b":1,"c":1}', '{"b":1,"c":1,"d":1}'],
    ),
    # unevaluated
    "unevaluatedProperties": (
        {"type": "object", "properties": {"a": I}, "anyOf": [{"properties": {"b": S}, "required": ["b"]}, True],
         "unevaluatedProperties": False},
        ["{}", '{"a":1}', '{"b":"x"}', '{"a":1,"b":"x"}'],
        ['{"c":1}', '{"b":1}', '{"a":1,"b":"x","c":1}'],
    ),
    "unevaluatedProperties and allOf": (
        {"type": "object", "allOf": [{"properties": {"a": I}}, {"patternProperties": {"^x": I}}], "unevaluatedProperties": S},
        ['{"a":1,"xy":1,"b":"x"}'],
        ['{"a":1,"b":1}', '{"xy":"x"}'],
    ),
    "unevaluatedItems": (
        {"type": "array", "prefixItems": [I], "if": {"minItems": 2}, "then": {"prefixItems": [True, S]}, "unevaluatedItems": False},
        ["[]", "[1]", '[1,"a"]'],
        ["[1,2]", '[1,"a",1]'],
    ),
    # items
    "contains": ({"type": "array", "contains": S}, ['["a"]', '[1,"a",null]', '["a","b"]'], ["[]", "[1]", "[1,2,null]"]),
    "contains anything": ({"contains": {}}, ["[1]", "1"], ["[]", "[ ]"]),
    "minContains, maxContains": (
        {"type": "array", "contains": S, "minContains": 2, "maxContains": 3},
        ['["a",1,"b"]', '["a","b","c",1,1]'],
        ["[]", '["a"]', '["a",1]', '["a","b","c","d"]'],
    ),
    "maxContains alone": ({"type": "array", "contains": S, "minContains": 0, "maxContains": 1}, ["[]", "[1,1]", '["a",1]'], ['["a","b"]']),
    "contains in a tuple": (
        {"type": "array", "prefixItems": [I, S], "items": False, "contains": {"type": "string", "minLength": 2}},
        ['[1,"ab"]'],
        ["[]", "[1]", '[1,"a"]'],
    ),
    "uniqueItems": (
        {"type": "array", "uniqueItems": True},
        ["[]", '[1,"1",true,null,[1],{"a":1}]', '[{"a":1},{"a":2}]', "[[1,2],[2,1]]", "[1,true,0,false]"],
        ["[1,1]", "[1,1.0]", "[1,10e-1]", '["a","\\u0061"]', '[{"a":1,"b":2},{"b":2,"a":1}]', "[[1],[1.0]]", "[0,-0]"],
    ),
    "uniqueItems of strings": (
        {"type": "array", "uniqueItems": True, "items": S},
        ['["a","b","ab",""]', '["\\n","n"]', '["😀","\\ud83d\\ude01"]'],
        ['["a","a"]', '["a","b","\\u0061"]', '["",""]', '["/","\\/"]', '["😀","\\ud83d\\ude00"]', "[1]"],
    ),
    "uniqueItems of booleans": (
        {"type": "array", "uniqueItems": True, "items": B},
        ["[]", "[true]", "[true,false]", "[false,true]"],
        ["[true,true]", "[true,false,true]", "[true,]"],
    ),
    "uniqueItems in a tuple": (
        {"type": "array", "uniqueItems": True, "prefixItems": [{"enum": [1, 2]}, {"enum": [1, 2]}], "items": False},
        ["[1,2]", "[2,1]", "[1]", "[]"],
        ["[1,1]", "[2,2.0]"],
    ),
    "not uniqueItems": ({"type": "array", "not": {"uniqueItems": True}}, ["[1,1]", "[1,2,1.0]", "[[],[]]"], ["[]", "[1]", "[1,2]"]),
    # combinations
    "oneOf": ({"oneOf": [S, I]}, ['"a"', "1"], ["1.5", "null"]),
    "oneOf that overlap": ({"oneOf": [{"minimum": 1}, {"maximum": 3}], "type": "integer"}, ["0", "4"], ["1", "2", "3"]),
    "oneOf required": (
        {**AB, "type": "object", "oneOf": [{"required": ["a"]}, {"required": ["b"]}]},
        ['{"a":1}', '{"b":1}', '{"a":1,"c":1}'],
        ["{}", '{"a":1,"b":1}'],
    ),
    "not const": ({"type": "string", "not": {"const": "a"}}, ['"b"', '"aa"', '""'], ['"a"', '"\\u0061"', "1"]),
    "not type": ({"not": {"type": ["string", "object"]}}, ["1", "null", "[{}]"], ['"a"', "{}"]),
    "not required": ({"type": "object", "not": {"required": ["a"]}}, ["{}", '{"b":1}'], ['{"a":1}', '{"b":1,"a":1}']),
    "not enum of objects": ({"type": "object", "not": {"enum": [{"a": 1}, {}]}}, ['{"a":2}', '{"b":1}', '{"a":1,"b":1}'], ["{}", '{"a":1}', '{"a":1.0}']),
    "not not": ({"not": {"not": S}}, ['"a"'], ["1"]),
    "not an array": ({"type": "array", "not": {"items": I}}, ['["a"]', '[1,"a",1]'], ["[]", "[1]"]),
    "if then else": (
        {"if": S, "then": {"maxLength": 2}, "else": {"minimum": 5}},
        ['"ab"', "5", "null"],
        ['"abc"', "4"],
    ),
    "if and else alone": ({"if": S, "else": False}, ['"a"'], ["1", "null"]),
    "if of a property": (
        {"type": "object", "properties": {"k": {"enum": ["i", "s"]}, "v": True}, "required": ["k", "v"],
         "if": {"properties": {"k": {"const": "i"}}}, "then": {"properties": {"v": I}}, "else": {"properties": {"v": S}}},
        ['{"k":"i","v":1}', '{"k":"s","v":"x"}'],
        ['{"k":"i","v":"x"}', '{"k":"s","v":1}'],
    ),
    # references
    "$dynamicRef": (
        {"$id": "http://x.org/tree", "$dynamicAnchor": "node", "type": "object",
         "properties": {"v": I, "kids": {"type": "array", "items": {"$dynamicRef": "#node"}}}},
        ['{"v":1,"kids":[{"v":2}]}'],
        ['{"v":1,"kids":[{"v":"x"}]}', '{"kids":[1]}'],
    ),
    "$recursiveRef": (
        {"$schema": D2019, "type": "object", "properties": {"kid": {"$recursiveRef": "#"}}, "additionalProperties": False},
        ["{}", '{"kid":{"kid":{}}}'],
        ['{"kid":1}', '{"kid":{"x":1}}'],
    ),
    # where it counts only after merging
    "a format behind $ref": ({"$defs": {"d": {"format": "date"}}, "properties": {"x": {"$ref": "#/$defs/d"}}}, ['{"x":"2020-01-01"}', '{"x":1}'], ['{"x":"y"}']),
    "a format in alternatives": ({"anyOf": [I, {"allOf": [S, {"format": "date"}]}]}, ["1", '"2020-01-01"'], ['"y"', "null"]),
    "oneOf inside": ({"items": {"additionalProperties": {"oneOf": [S, I]}}}, ['[{"a":1,"b":"x"}]', "[1]"], ['[{"a":null}]']),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_language(name: str) -> None:
    schema, good, bad = CASES[name]
    grammar = compiled(schema)
    assert [text for text in good if not accepts(grammar, text)] == []
    assert [text for text in bad if accepts(grammar, text)] == []


@pytest.mark.parametrize(
    ("least", "most"), [(0, 513), (512, 513), (513, None), (700, 1025), (514, 514), (3, 600)]
)
def test_many_items(least: int, most: int | None) -> None:
    schema = {"type": "array", "items": {"enum": [0]}, "minItems": least}
    grammar = compiled(schema if most is None else {**schema, "maxItems": most}, whitespace="compact")
    for count in {0, 1, least - 1, least, least + 1, 600, 1024, (most or 0) - 1, most or 0, (most or 0) + 1}:
        accepted = accepts(grammar, "[" + ",".join("0" * count) + "]") if count >= 0 else False
        assert accepted == (count >= 0 and least <= count and (most is None or count <= most)), count


@pytest.mark.parametrize("name", CASES)
def test_schema_as_text(name: str) -> None:
    schema, good, bad = CASES[name]
    grammar = compiled(json.dumps(schema))
    assert all(accepts(grammar, text) for text in good)
    assert not any(accepts(grammar, text) for text in bad)


PATTERNS = [
    ({"pattern": "^[a-c]+$"}, ['"abc"', '"\\u0061"', "1"], ['""', '"d"', '"abcd"']),
    ({"pattern": "b"}, ['"abc"', '"b"', '"\\u0062"'], ['"ac"', '""']),
    ({"pattern": "^é\\d$"}, ['"é1"', '"\\u00e91"'], ['"é"', '"e1"']),
    ({"pattern": "^\\n\"/$"}, ['"\\n\\"/"', '"\\u000a\\u0022\\/"'], ['"\n"/"', '"n"']),
    ({"pattern": "^.$"}, ['"😀"', '"\\ud83d\\ude00"', '"\\""'], ['""', '"ab"', '"\\n"']),
    ({"pattern": "^a*$", "minLength": 2, "maxLength": 3}, ['"aa"', '"aaa"'], ['"a"', '"aaaa"', '"ab"']),
    ({"pattern": "^a{1,3}$", "maxLength": 3}, ['"aaa"'], ['"aaaa"', '""']),
    ({"pattern": "a", "maxLength": 2}, ['"a"', '"xa"'], ['"xxa"', '"x"']),
    ({"pattern": "^[ab]{3,40}$"}, ['"aba"', '"' + "b" * 40 + '"'], ['"ab"', '"' + "b" * 41 + '"', '"abc"']),
    ({"pattern": "^x?é[ab]*$", "minLength": 2, "maxLength": 30}, ['"xé"', '"éa"', '"xéb"', '"é' + "b" * 29 + '"', '"xé' + "b" * 28 + '"'],
     ['"é"', '"x"', '"é' + "b" * 30 + '"', '"xé' + "b" * 29 + '"', '"xéc"']),
    ({"pattern": "^/.+", "maxLength": 1000}, ['"/a"', '"/' + "b" * 999 + '"', '"/a\\n"'], ['"/"', '"/' + "b" * 1000 + '"', '"/\\n"']),
    ({"pattern": "(a+)?", "maxLength": 1000}, ['""', '"' + "b" * 1000 + '"'], ['"' + "b" * 1001 + '"']),
    ({"pattern": "^(ab)+$", "maxLength": 40}, ['"ab"', '"' + "ab" * 20 + '"'], ['""', '"' + "ab" * 21 + '"', '"aba"']),
    ({"pattern": "^(ab|é+)+$", "minLength": 2, "maxLength": 40}, ['"ab"', '"éé"', '"' + "abé" * 13 + 'é"'], ['"é"', '"' + "abé" * 13 + 'ab"', '"aé"']),
    ({"pattern": "^a{20}$", "maxLength": 19}, ["1"], ['"' + "a" * 20 + '"']),
    ({"pattern": "^[a-z]*$", "minLength": 20}, ['"' + "a" * 20 + '"', '"' + "a" * 200 + '"'], ['"' + "a" * 19 + '"']),
    ({"allOf": [{"pattern": "^a"}, {"pattern": "b$"}]}, ['"ab"', '"axb"'], ['"a"', '"b"', '"ba"']),
    ({"pattern": "^b", "enum": ["a", "bc", 1]}, ['"bc"', "1"], ['"a"']),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "good", "bad"), PATTERNS)
def test_pattern(schema: dict[str, object], good: list[str], bad: list[str]) -> None:
    grammar = compiled(schema)
    assert [text for text in good if not accepts(grammar, text)] == []
    assert [text for text in bad if accepts(grammar, text)] == []


def test_patterns_that_exclude_each_other() -> None:
    schema = {"allOf": [{"pattern": "^a$"}, {"pattern": "^b$"}]}
    assert not accepts(compiled(schema), '"a"')
    with pytest.raises(UnsatisfiableSchemaError):
        compiled({"type": "string", **schema})


VALUE = {"a": [1, {}, []], "b": {"c": None}}
ANY_OBJECT = {"type": "object", "properties": {"a": {"type": "array"}}}


@pytest.mark.parametrize("indent", [None, 0, 1, 2, 4, "\t"])
@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": "), (" ,\n", "\t:\r")])
@pytest.mark.parametrize("schema", [True, ANY_OBJECT, {"const": VALUE}])
def test_flexible_white_space(schema: object, indent: int | str | None, separators: tuple[str, str]) -> None:
    grammar = compiled(schema)
    assert accepts(grammar, json.dumps(VALUE, indent=indent, separators=separators))


@pytest.mark.parametrize("width", [1, 3, 64])
def test_white_space_is_bounded(width: int) -> None:
    grammar = compiled(True, max_whitespace=width)
    places = [
        "[{0}]",
        "[{0}1]",
        "[1{0}]",
        "[1{0},2]",
        "[1,{0}2]",
        "{{{0}}}",
        '{{{0}"a":1}}',
        '{{"a"{0}:1}}',
        '{{"a":{0}1}}',
        '{{"a":1{0}}}',
    ]
    for place in places:
        for blank in " \t\n\r":
            assert accepts(grammar, place.format(blank * width))
            assert not accepts(grammar, place.format(blank * (width + 1)))
    for text in (" 1", "1 ", "\n[]", "[]\n"):
        assert not accepts(grammar, text)


@pytest.mark.parametrize("schema", [True, ANY_OBJECT, {"const": VALUE}])
def test_compact(schema: object) -> None:
    grammar = compiled(schema, whitespace="compact")
    assert accepts(grammar, json.dumps(VALUE, separators=(",", ":")))
    assert not accepts(grammar, json.dumps(VALUE))
    assert not accepts(grammar, '{"a":[ ],"b":{"c":null}}')


@pytest.mark.parametrize("schema", [True, ANY_OBJECT, {"const": VALUE}])
def test_fixed_separators(schema: object) -> None:
    grammar = compiled(schema, separators=(", ", ": "))
    assert accepts(grammar, json.dumps(VALUE))
    assert not accepts(grammar, json.dumps(VALUE, separators=(",", ":")))
    assert not accepts(grammar, json.dumps(VALUE, indent=1))


def test_a_chain_of_objects_does_not_explode() -> None:
    definitions: dict[str, object] = {"0": I}
    for i in range(1, 41):  # each level could write the one below it twice, and in two places
        below = {"$ref": f"#/$defs/{i - 1}"}
        definitions[str(i)] = {"type": "object", "properties": {"a": I, "b": below, "c": below}}
    grammar = compiled({"$defs": definitions, "$ref": "#/$defs/40"})
    assert accepts(grammar, '{"b":' * 40 + "1" + "}" * 40)
    assert accepts(grammar, '{"b":{"c":{"a":1}}}')
    assert not accepts(grammar, '{"b":{"c":{"a":null}}}')
    assert grammar.n_parser_states < 40 * 40


def test_parser_states_are_made_when_text_comes_to_them() -> None:
    names = {f"p{i}": {"type": "object", "properties": {f"q{j}": I for j in range(30)}} for i in range(30)}
    grammar = compiled({"type": "object", "properties": names})
    before = grammar.tables.n_expanded
    assert before < 1000
    assert accepts(grammar, '{"p29":{"q29":1}}')
    assert not accepts(grammar, '{"p29":{"q29":null}}')
    assert before < grammar.tables.n_expanded < before + 200


def test_equal_subschemas_share_their_automata() -> None:
    word = {**S, "pattern": "^[a-z]+-[a-z]+$"}
    states = []
    for names in ("ab", "abc", "abcd"):
        schema = {"type": "object", "properties": dict.fromkeys(names, word), "additionalProperties": False}
        grammar = compiled(schema)
        assert accepts(grammar, json.dumps(dict.fromkeys(names, "x-y")))  # so that all of it is made
        states.append(grammar.n_terminal_states)
    assert states[0] == states[1] == states[2]  # neither has a key states of its own: they are implicit
