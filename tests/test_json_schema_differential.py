"""A short, seeded run of the fuzzer: structgen against `jsonschema`, both ways; and the fuzzer itself.

The long run is ``structgen bench fuzz``; this one checks some hundred schemas in a minute.
"""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from collections.abc import Mapping
from multiprocessing.connection import wait as connection_wait
from pathlib import Path
from typing import Any

import pytest
from structgen_bench import fuzz as fuzz_runner
from structgen_bench.differential import DOUBTFUL, Case, Effort, check, describe, outcomes, parse, shows
from structgen_bench.fuzz import summarise
from structgen_bench.fuzz_cases import SHARES, CaseMaker
from structgen_bench.fuzz_worker import Settings, Worker, as_json, check_number, warm_up
from structgen_bench.hostile_schemas import RECIPES, hostile_schema
from structgen_bench.official_suite import DIALECTS, read_groups, remote_documents
from structgen_bench.oracle import Oracle
from structgen_bench.oracle_formats import KNOWN, CarefulFormats
from structgen_bench.oracle_patterns import Untranslatable, python_pattern
from structgen_bench.schema_generator import FIRST_VERSION, URIS, WEIGHTS, SchemaGenerator
from structgen_bench.schema_mutation import SchemaMutator
from structgen_bench.shrink import shrunk
from structgen_bench.subject import Subject, spell

from structgen.cli import main
from structgen.compiled import CompiledGrammar

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
SUITE = DATA / "json-schema-test-suite"
CASES = int(os.environ.get("STRUCTGEN_FUZZ_CASES", "500"))
SEED = int(os.environ.get("STRUCTGEN_FUZZ_SEED", "7"))
EFFORT = Effort(seconds=10.0)
# hostile schemas have a test of their own, below
TESTED = {kind: share for kind, share in SHARES.items() if kind != "hostile"}


@pytest.fixture(scope="module")
def subject() -> Subject:
    made = Subject(any_order=True)
    warm_up(made)
    return made


@pytest.mark.parametrize("part", range(4))
def test_against_jsonschema(subject: Subject, part: int) -> None:
    files = sorted((DATA / "maskbench").glob("*.json")) if (DATA / "maskbench").is_dir() else []
    maker = CaseMaker(SEED, files, TESTED)
    seen: Counter[str] = Counter()
    for number in range(part * CASES // 4, (part + 1) * CASES // 4):
        case, rng = maker.make(number)
        result = check(subject, case, rng, EFFORT)
        grave = [finding for finding in result.findings if finding.kind not in DOUBTFUL]
        assert not grave, f"case {number}, {case.name}: {grave[0]}\n{json.dumps(case.schema)}"
        seen[result.outcome] += 1
        seen.update(result.counts)
    print(dict(seen))
    assert seen["compiled"] and seen["valid instances"] and seen["invalid instances"] and seen["texts"]


@pytest.mark.parametrize("recipe", RECIPES)
def test_hostile_schemas_end_in_time(subject: Subject, recipe: str) -> None:
    for seed in range(3):
        rng = random.Random(seed)
        result = check(subject, Case(recipe, hostile_schema(rng, recipe)), rng, Effort(10.0, 1, 6))
        kinds = {finding.kind for finding in result.findings} - DOUBTFUL
        assert not kinds, result.findings
        assert result.outcome in outcomes()


# The fuzzer finds what is wrong ------------------------------------------------------------------


class Wrong(Subject):
    """An engine with a bug: it compiles another schema than the one that it is given."""

    def compile(self, schema: Any, **options: Any) -> CompiledGrammar:
        return super().compile(self.spoil(schema), **options)

    def spoil(self, schema: Any) -> Any:
        raise NotImplementedError


class Forgetful(Wrong):
    def spoil(self, schema: Any) -> Any:
        return _without(schema, "maxLength")


class Strict(Wrong):
    def spoil(self, schema: Any) -> Any:
        return {**schema, "maxItems": 1} if isinstance(schema, Mapping) else schema


class Broken(Wrong):
    def spoil(self, schema: Any) -> Any:
        if "enum" in json.dumps(schema):
            raise ZeroDivisionError("oops")
        return schema


class Endless(Wrong):
    def spoil(self, schema: Any) -> Any:
        while "enum" in json.dumps(schema):
            pass
        return schema


def _without(schema: Any, keyword: str) -> Any:
    if isinstance(schema, dict):
        return {name: _without(inner, keyword) for name, inner in schema.items() if name != keyword}
    return [_without(item, keyword) for item in schema] if isinstance(schema, list) else schema


@pytest.mark.parametrize(
    ("bug", "kinds", "keyword"),
    [
        (Forgetful, {"invalid_accepted", "invalid_written"}, "maxLength"),
        (Strict, {"valid_refused"}, None),
        (Broken, {"exception"}, "enum"),
        (Endless, {"hang"}, "enum"),
    ],
)
def test_a_bug_is_found_and_made_small(bug: type[Wrong], kinds: set[str], keyword: str | None) -> None:
    subject = bug(any_order=True)
    maker = CaseMaker(3, shares={"random": 1.0}, weights=FIRST_VERSION)
    settings = Settings(maker, Effort(0.5 if bug is Endless else 5.0))
    found: list[dict[str, Any]] = []
    for number in range(150):
        record = check_number(subject, settings, number, Counter())
        found += [finding for finding in record.get("findings", ()) if finding["kind"] not in DOUBTFUL]
        if len(found) >= 3:
            break
    assert found
    assert {finding["kind"] for finding in found} <= kinds
    for finding in found:
        assert shows(
            subject,
            finding["kind"],
            finding["schema"],
            finding["text"],
            seconds=0.5,
            detail=finding["detail"],
        )
        if bug is not Endless:
            schema = finding["schema"]
            assert len(json.dumps(schema)) <= 120, schema
            assert keyword is None or keyword in json.dumps(schema)


def test_an_empty_mask_and_a_lying_one_are_found(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy as np

    allowed = subject.allowed
    case = Case("x", {"type": "array", "items": {"type": "integer"}})
    monkeypatch.setattr(subject, "allowed", lambda matcher: np.zeros(0, np.int64))
    kinds = [finding.kind for finding in check(subject, case, random.Random(0), EFFORT).findings]
    assert "dead_end" in kinds
    monkeypatch.setattr(subject, "allowed", lambda matcher: np.union1d(allowed(matcher), [ord("x")]))
    kinds = [finding.kind for finding in check(subject, case, random.Random(0), EFFORT).findings]
    assert "mask_disagrees" in kinds


def test_shrinking() -> None:
    def shows(schema: Any, text: str) -> bool:
        return "not" in json.dumps(schema) and "7" in text

    schema = {"type": "object", "properties": {"a": {"allOf": [{"not": {"type": "null"}}, {}]}}}
    small, text = shrunk(schema, '{"a": [1, 7, 3], "b": 2}', shows)
    assert len(json.dumps(small)) < 30
    assert "7" in text and len(text) < 12


# The oracle --------------------------------------------------------------------------------------


@pytest.mark.skipif(not SUITE.is_dir(), reason="the shared data folder is not here")
@pytest.mark.parametrize("draft", DIALECTS)
def test_the_oracle_knows_the_official_suite(draft: str) -> None:
    """All verdicts right but for one: `jsonschema` knows no ``$vocabulary``."""
    remotes = {
        uri: each for uri, each in remote_documents(SUITE).items() if "localhost" in uri and "/v1/" not in uri
    }
    wrong, sure = [], 0
    for group in read_groups(SUITE, draft):
        oracle = Oracle(group.dialected(), remotes, formats=group.format_option == "assert")
        for test, data, valid in group.tests:
            verdict = oracle.verdict(spell(data))
            sure += verdict is not None
            if verdict not in (None, valid):
                wrong.append((group.file, test))
    assert {file for file, _ in wrong} <= {"vocabulary"}
    assert len(wrong) <= 1
    assert sure > 0.85 * sum(len(group.tests) for group in read_groups(SUITE, draft))


@pytest.mark.parametrize(
    ("schema", "text", "verdict"),
    [
        ({"multipleOf": 0.1}, "0.3", True),
        ({"multipleOf": 0.1}, "0.35", False),
        ({"multipleOf": 0.01}, "1e2", True),
        ({"type": "integer"}, "1.0", True),
        ({"type": "integer", "$schema": URIS[4]}, "1.0", False),
        ({"type": "integer"}, "1.5", False),
        ({"type": "number"}, "true", False),
        ({"uniqueItems": True}, '[1, "a", true, 1.0]', False),
        ({"uniqueItems": True}, '[{"a": 1}, [1], true, 1, {"a": true}]', True),
        ({"const": 0.1}, "0.1", True),
        ({"const": 0.1}, "0.10", True),
        ({"enum": [False]}, "0", False),
        ({"pattern": "a$"}, '"a\\n"', False),
        ({"pattern": "^\\d$"}, '"٣"', False),
        ({"patternProperties": {"": False}}, '{"a": 1}', False),
        (
            {"patternProperties": {"^n[0-2]$": False}, "additionalProperties": {"type": "string"}},
            '{"n1": "a"}',
            False,
        ),
        (
            {"patternProperties": {"^n[0-2]$": False}, "additionalProperties": {"type": "string"}},
            '{"n3": "a"}',
            True,
        ),
        ({"patternProperties": {"^n$": True, "^[nm]$": False}}, '{"n": 1}', False),
        ({"not": {"patternProperties": {"^a$": {"const": 1}}}}, '{"b": 1, "a": 2}', True),
        ({"not": {"patternProperties": {"^a$": {"const": 1}}}}, '{"b": 1, "a": 1}', False),
        ({"uniqueItems": True}, '["a", {"a": "a"}, ["a"], "b"]', True),
        ({"uniqueItems": True}, '["a", {"a": "a"}, "b", "a"]', False),
        ({"pattern": "(?<=a)b"}, '"ab"', None),
        ({"format": "email"}, '"no"', False),
        ({"format": "email"}, '"@@@"', None),
        ({"format": "time"}, '"23:59:60Z"', True),
        ({"$ref": "#"}, "1", None),
        ({"$ref": "#/nowhere"}, "1", None),
        ({"minimum": 3}, "NaN", None),
        ({"minimum": 3}, "1e999999", None),
        ({"type": 3}, "1", None),
        ({"items": True, "additionalItems": False, "$schema": URIS[7]}, "[1]", True),
    ],
)
def test_verdicts(schema: Any, text: str, verdict: bool | None) -> None:
    assert Oracle(schema).verdict(text) is verdict


def test_formats_agree_with_their_table() -> None:
    for format, (valid, invalid) in KNOWN.items():
        formats = CarefulFormats()
        for text in (*valid, *invalid):
            assert formats._holds(text, format) == (text in valid)
        assert not formats.unsure


@pytest.mark.parametrize("pattern", ["(?<n>a)", "\\p{L}", "a++", "\\bx", "(", "[]", "\\1"])
def test_untranslatable_patterns(pattern: str) -> None:
    with pytest.raises(Untranslatable):
        python_pattern(pattern)


# Making cases ------------------------------------------------------------------------------------


def test_cases_are_made_again_from_their_numbers() -> None:
    one, two = CaseMaker(5), CaseMaker(5)
    for number in range(200):
        case, rng = one.make(number)
        again, rng_again = two.make(number)
        assert case.name == again.name and rng.random() == rng_again.random()
        if case.name.startswith("random"):
            assert case.schema == again.schema
    assert CaseMaker(6).make(0)[0] != one.make(0)[0]


def test_every_keyword_of_every_draft_comes_up() -> None:
    seen: dict[int, set[str]] = {draft: set() for draft in URIS}

    def walk(part: Any, draft: int) -> None:
        if isinstance(part, dict):
            seen[draft] |= part.keys()
            for inner in part.values():
                walk(inner, draft)
        elif isinstance(part, list):
            for inner in part:
                walk(inner, draft)

    for draft in URIS:
        for seed in range(300):
            rng = random.Random(seed)
            schema = SchemaGenerator(rng, draft, WEIGHTS).document()
            assert Oracle(schema).is_schema, schema
            walk(SchemaMutator(rng).mutated(schema), draft)
    everywhere = {
        "type", "enum", "multipleOf", "maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum",
        "maxLength", "minLength", "pattern", "items", "maxItems", "minItems", "uniqueItems", "maxProperties",
        "minProperties", "required", "properties", "patternProperties", "additionalProperties", "allOf",
        "anyOf",
        "oneOf", "not", "format", "$ref",
    }  # fmt: skip
    old = {"additionalItems", "dependencies", "definitions"}
    modern = {"dependentRequired", "dependentSchemas", "unevaluatedItems", "unevaluatedProperties",
              "minContains", "maxContains", "$defs", "$anchor"}  # fmt: skip
    six = {"const", "contains", "propertyNames"}
    assert everywhere | old | {"id"} <= seen[4]
    assert everywhere | old | six | {"$id"} <= seen[6]
    assert everywhere | old | six | {"if", "then", "else"} <= seen[7]
    assert everywhere | six | modern | {"if", "$recursiveRef", "additionalItems"} <= seen[2019]
    assert everywhere | six | modern | {"if", "$dynamicRef", "$dynamicAnchor", "prefixItems"} <= seen[2020]


@pytest.mark.parametrize("recipe", RECIPES)
def test_hostile_schemas_can_be_made(recipe: str) -> None:
    for seed in range(8):
        as_json(hostile_schema(random.Random(seed), recipe))


def test_repeated_keys_are_seen() -> None:
    assert parse('{"a": {"b": 1, "\\u0062": 2}}')[1]
    assert not parse('{"a": {"b": 1}, "b": 2}')[1]
    with pytest.raises(ValueError, match="no JSON"):
        parse("[NaN]")


def test_descriptions_of_exceptions() -> None:
    try:
        json.loads("[")
    except ValueError as error:
        assert describe(error).startswith("JSONDecodeError: ")


# Whole runs --------------------------------------------------------------------------------------


def test_run_interrupt_resume_replay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "fuzz.json"
    command = ["bench", "fuzz", "--only", "random", "--keywords", "first-version", "--workers", "1"]
    command += ["--json", str(output)]
    calls = 0

    def interrupted(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls > 5:
            raise KeyboardInterrupt
        return connection_wait(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(fuzz_runner, "wait", interrupted)
        assert main([*command, "--cases", "20"]) == 130
    document = json.loads(output.read_text(encoding="utf-8"))
    assert 0 < document["cases"] < 20 and not document["finished"]
    assert main([*command, "--cases", "20", "--resume"]) == 0
    assert json.loads(output.read_text(encoding="utf-8"))["cases"] == 20
    assert main([*command, "--cases", "30", "--resume"]) == 0
    document = json.loads(output.read_text(encoding="utf-8"))
    assert document["cases"] == 30 and document["finished"]
    assert str(tmp_path) not in output.read_text(encoding="utf-8")
    lines = output.with_suffix(".cases.jsonl").read_text(encoding="utf-8").splitlines()
    assert sorted(json.loads(line)["number"] for line in lines[1:]) == list(range(30))
    document["findings"] = [
        {"kind": "valid_refused", "number": 1, "detail": "", "schema": {"type": "string"}, "text": '"a"'},
        {"kind": "exception", "number": 0, "detail": "", "schema": None, "text": ""},
    ]
    output.write_text(json.dumps(document), encoding="utf-8")
    capsys.readouterr()
    assert main(["bench", "fuzz", "--replay", str(output)]) == 0
    assert "0 of 2 findings are still there" in capsys.readouterr().out
    assert main([*command, "--cases", "5", "--resume", "--seed", "9"]) == 2


def _dies(connection: Any, settings: Settings) -> None:
    connection.send([])
    connection.recv()
    os._exit(3)


def test_a_process_that_dies_is_a_finding() -> None:
    worker = Worker(Settings(CaseMaker(0), Effort()), _dies)
    try:
        worker.give(4)
        record = worker.take()
        assert (record["outcome"], record["findings"][0]["kind"]) == ("exception", "exception")
        worker.give(5)
        assert worker.give_up()["outcome"] == "hang"
    finally:
        worker.stop()
    assert summarise([record])["findings_by_kind"] == {"exception": 1}
