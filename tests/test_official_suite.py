"""The official JSON Schema Test Suite as a ratchet: what was right stays right, and nothing invalid passes.

``tests/expected/suite-*.json`` list the tests that are not right yet. Better results pass, and ask for the
files to be rewritten; worse ones fail::

    STRUCTGEN_UPDATE_EXPECTED=1 pytest tests/test_official_suite.py
    structgen bench suite --data DIR --update-expected
"""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path
from typing import Any

import pytest
from structgen_bench.errors import BenchError
from structgen_bench.official_suite import (
    DIALECTS,
    EXPECTABLE,
    Group,
    Verdict,
    compare,
    expectation,
    judge,
    remote_documents,
)
from structgen_bench.report import write_json
from structgen_bench.subject import Subject
from structgen_bench.suite import expectation_file, make_subject, run_suite

SUITE = Path(__file__).resolve().parents[2] / "shared" / "data" / "json-schema-test-suite"
needs_suite = pytest.mark.skipif(not SUITE.is_dir(), reason="the shared data folder is not here")
UPDATE = os.environ.get("STRUCTGEN_UPDATE_EXPECTED") == "1"


@needs_suite
@pytest.mark.parametrize("draft", DIALECTS)
def test_official_suite(draft: str) -> None:
    file = expectation_file(draft)
    verdicts = run_suite(make_subject(SUITE), SUITE, draft)
    if UPDATE:
        write_json(file, expectation(draft, verdicts))
    found = compare(json.loads(file.read_text(encoding="utf-8")), verdicts)
    assert not found.worse, "\n".join(found.worse[:20])
    if found.better:
        shown = "\n".join(found.better[:10])
        warnings.warn(
            f"{draft}: {len(found.better)} tests are better than {file.name} expects; rewrite it by "
            f"'structgen bench suite --data DIR --draft {draft} --update-expected'\n{shown}",
            stacklevel=1,
        )


@pytest.mark.parametrize("draft", DIALECTS)
def test_nothing_grave_is_ever_expected(draft: str) -> None:
    document = json.loads(expectation_file(draft).read_text(encoding="utf-8"))
    assert {grade for grade, _ in document["not_right"].values()} <= EXPECTABLE - {"right"}


# The harness itself -----------------------------------------------------------------------------


def group(schema: Any, *tests: tuple[Any, bool], file: str = "x", part: Any = "required") -> Group:
    named = tuple((f"test {index}", data, valid) for index, (data, valid) in enumerate(tests))
    return Group("draft7", part, file, "group", schema, named)


@pytest.fixture(scope="module")
def subject() -> Subject:
    return Subject(any_order=True, format="annotate")


def graded(subject: Subject, *groups: Group, seconds: float = 20.0) -> list[str]:
    return [verdict.grade for verdict in judge(subject, iter(groups), seconds=seconds)]


def test_grades(subject: Subject) -> None:
    assert graded(
        subject,
        group({"type": "integer"}, (1, True), ("1", False), ("x", True), (2, False)),
        group({"type": 3}, (1, True)),
        group(False, (1, True), (1, False)),
        group({"properties": {"a": {}, "b": {}}}, ({"b": 1, "a": 2}, True)),  # some other order
    ) == [
        "right",
        "right",
        "valid_rejected",
        "invalid_accepted",
        "refused",
        "valid_rejected",
        "right",
        "right",
    ]


def test_hangs_and_crashes_are_graded(monkeypatch: pytest.MonkeyPatch) -> None:
    subject = Subject()

    def endless(schema: Any, **options: Any) -> Any:
        while schema != "crash":
            pass
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(subject, "compile", endless)
    verdicts = list(judge(subject, iter([group({}, (1, True)), group("crash", (1, True))]), seconds=0.2))
    assert [verdict.grade for verdict in verdicts] == ["timeout", "crash"]
    assert verdicts[1].detail == "ZeroDivisionError: oops"


def test_a_mask_that_disagrees_is_found(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "walk_tokens", lambda grammar, text: (True, "token 3"))
    assert graded(subject, group({"type": "integer"}, (1, True))) == ["inconsistent"]


def verdict(key: str, grade: Any) -> Verdict:
    return Verdict(key, "required", "x", grade, "why")


def test_ratchet() -> None:
    before = [verdict("a", "right"), verdict("b", "refused"), verdict("c", "valid_rejected")]
    file = expectation("draft7", before)
    assert file["not_right"] == {"b": ["refused", "why"], "c": ["valid_rejected", "why"]}
    assert compare(file, before).worse == compare(file, before).better == []
    now = [verdict("a", "refused"), verdict("b", "right"), verdict("c", "invalid_accepted")]
    found = compare(file, now)
    assert [line.partition(":")[0] for line in found.worse] == ["a", "c"]
    assert [line.partition(":")[0] for line in found.better] == ["b"]
    assert len(compare(file, [verdict("a", "right"), verdict("b", "right")]).worse) == 1  # c is gone
    # a grave grade in a file, written by hand, is not expected either
    assert compare({"not_right": {"c": ["invalid_accepted", ""]}}, [verdict("c", "invalid_accepted")]).worse
    with pytest.raises(BenchError, match="never be expected"):
        expectation("draft7", now)


def test_dialects_and_formats() -> None:
    assert group({"type": "string"}).dialected()["$schema"] == DIALECTS["draft7"]
    assert group({"$schema": "x"}).dialected() == {"$schema": "x"}
    assert group(True).dialected() is True
    assert group({}, part="format").format_option == "assert"
    assert group({}).format_option == "annotate"


@needs_suite
def test_remote_documents() -> None:
    documents = remote_documents(SUITE)
    assert documents["http://localhost:1234/integer.json"] == {"type": "integer"}
    assert "https://json-schema.org/draft/2020-12/schema" in documents


def test_unknown_options_are_named() -> None:
    subject = Subject(no_such_option=1, whitespace="compact")
    assert subject.unknown_options == ["no_such_option"]
    assert subject.options == {"whitespace": "compact"}
    subject.compile(True, no_such_option=2)
