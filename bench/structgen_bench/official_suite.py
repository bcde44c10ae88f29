"""The official JSON Schema Test Suite, read from disk, and each of its tests put to structgen.

After json-schema-org/JSON-Schema-Test-Suite: a folder a draft, a file a keyword, groups of one schema with
its tests; ``remotes`` are the documents that it serves as ``http://localhost:1234/``.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from structgen.compiled import CompiledGrammar
from structgen.errors import StructgenError, UnsatisfiableSchemaError
from structgen_bench.deadline import TookTooLong, at_most
from structgen_bench.errors import BenchError
from structgen_bench.subject import Subject, spell
from structgen_bench.verdicts import refusal

DIALECTS = {
    "draft2020-12": "https://json-schema.org/draft/2020-12/schema",
    "draft7": "http://json-schema.org/draft-07/schema#",
    "draft4": "http://json-schema.org/draft-04/schema#",
}
Part = Literal["required", "optional", "format"]
PARTS: tuple[Part, ...] = get_args(Part)
FOLDERS: dict[Part, str] = {"required": ".", "optional": "optional", "format": "optional/format"}
REMOTES = "http://localhost:1234/"
# Without ``$schema``, and meant so: "draft2020-12" files say what they are, but for these.
UNDECLARED = frozenset(("optional/no-schema", "optional/cross-draft"))
# Files whose schemas say by their metaschema that formats are to be asserted.
ASSERTING = frozenset(("optional/format-assertion",))
# Not run, since they ask for what an implementation may also leave: draft 7's ``contentEncoding`` and
# ``contentMediaType`` as assertions (in structgen annotations, as in every later draft), and ``dependencies``
# in draft 2020-12, which does not know that keyword any more (nor does the `jsonschema` package there).
NOT_RUN = frozenset((("draft7", "optional/content"), ("draft2020-12", "optional/dependencies-compatibility")))

Grade = Literal["right", "refused", "valid_rejected", "timeout", "crash", "inconsistent", "invalid_accepted"]
# From the best to the worst; only the first three may stand in an expectation file.
GRADES: tuple[Grade, ...] = get_args(Grade)
EXPECTABLE: frozenset[Grade] = frozenset(("right", "refused", "valid_rejected"))


@dataclass(frozen=True, slots=True)
class Group:
    """One schema of the suite and its tests. ``file``: as 'not' or 'optional/format/date', no '.json'."""

    draft: str
    part: Part
    file: str
    description: str
    schema: Any
    tests: tuple[tuple[str, Any, bool], ...]

    @property
    def format_option(self) -> str:
        """Formats are annotations in the required and optional tests, and asserted in 'optional/format'."""
        return "assert" if self.part == "format" or self.file in ASSERTING else "annotate"

    def dialected(self) -> Any:
        """The schema with the draft's ``$schema`` where it says none, as the suite's runners do."""
        if not isinstance(self.schema, dict) or "$schema" in self.schema or self.file in UNDECLARED:
            return self.schema
        return {"$schema": DIALECTS[self.draft], **self.schema}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one test. ``key``: unique in its draft. ``detail``: why, where it is not right."""

    key: str
    part: Part
    file: str
    grade: Grade
    detail: str = ""


def read_groups(folder: Path, draft: str, parts: tuple[Part, ...] = PARTS) -> Iterator[Group]:
    """The groups of a draft, file by file. Raises `BenchError` where the folder is not there."""
    if draft not in DIALECTS or not (folder / draft).is_dir():
        raise BenchError(f"no {draft!r} in {folder.name!r}", f"choose among {', '.join(DIALECTS)}")
    for part in parts:
        for path in sorted((folder / draft / FOLDERS[part]).glob("*.json")):
            name = path.stem if part == "required" else f"{FOLDERS[part]}/{path.stem}"
            if (draft, name) in NOT_RUN:
                continue
            for group in json.loads(path.read_text(encoding="utf-8")):
                tests = tuple(
                    (test["description"], test["data"], bool(test["valid"])) for test in group["tests"]
                )
                yield Group(draft, part, name, group["description"], group["schema"], tests)


def remote_documents(folder: Path) -> dict[str, Any]:
    """The documents that the suite's schemas refer to, by URI, the metaschemas of all drafts among them."""
    from jsonschema_specifications import REGISTRY

    documents: dict[str, Any] = {uri: resource.contents for uri, resource in REGISTRY.items()}
    for path in sorted((folder / "remotes").rglob("*.json")):
        uri = REMOTES + path.relative_to(folder / "remotes").as_posix()
        documents[uri] = json.loads(path.read_text(encoding="utf-8"))
    return documents


def judge(subject: Subject, groups: Iterator[Group], *, seconds: float = 20.0) -> Iterator[Verdict]:
    """Each test's verdict. ``seconds``: for one schema with its tests."""
    seen: Counter[str] = Counter()
    for number, group in enumerate(groups):
        graded = _judge_group(subject, group, seconds, tokenwise=number % 5 == 0)
        for (test, _, _), (grade, detail) in zip(group.tests, graded, strict=True):
            key = f"{group.file} | {group.description} | {test}"
            seen[key] += 1
            if seen[key] > 1:
                key += f" #{seen[key]}"
            yield Verdict(key, group.part, group.file, grade, detail)


def _judge_group(
    subject: Subject, group: Group, seconds: float, *, tokenwise: bool
) -> list[tuple[Grade, str]]:
    everything = len(group.tests)
    try:
        with at_most(seconds):
            grammar: CompiledGrammar | None
            try:
                grammar = subject.compile(group.dialected(), format=group.format_option)
            except UnsatisfiableSchemaError:
                grammar = None
            return [_judge_test(subject, grammar, data, valid, tokenwise) for _, data, valid in group.tests]
    except StructgenError as error:
        return [("refused", refusal(error))] * everything
    except TookTooLong as error:
        return [("timeout", str(error))] * everything
    except Exception as error:  # noqa: BLE001 - whatever else the engine raises is what is looked for
        return [("crash", f"{type(error).__name__}: {error}")] * everything


def _judge_test(
    subject: Subject, grammar: CompiledGrammar | None, data: Any, valid: bool, tokenwise: bool
) -> tuple[Grade, str]:
    if grammar is None:
        return ("valid_rejected", "UnsatisfiableSchemaError") if valid else ("right", "")
    for compact in (True, False):
        text = spell(data, compact=compact)
        if bool(subject.accepts_value(grammar, data, compact=compact, ascii=False)) != valid:
            return ("valid_rejected" if valid else "invalid_accepted"), text.decode("utf-8", "replace")
        if tokenwise:
            accepted, disagreement = subject.walk_tokens(grammar, text)
            if disagreement or accepted != subject.accepts(grammar, text):
                return "inconsistent", f"{text!r}: {disagreement or 'tokens and bytes disagree'}"
    return "right", ""


def tally(verdicts: list[Verdict]) -> dict[str, dict[str, int]]:
    """For each part ('required', ...) how often each grade occurs, zeros left out; 'total' too."""
    counted: dict[str, dict[str, int]] = {}
    for part in PARTS:
        grades = Counter(verdict.grade for verdict in verdicts if verdict.part == part)
        if grades:
            counted[part] = {"total": grades.total()} | {g: grades[g] for g in GRADES if grades[g]}
    return counted


def by_file(verdicts: list[Verdict]) -> dict[str, dict[str, int]]:
    """For each file how often each grade occurs."""
    counted: dict[str, Counter[str]] = {}
    for verdict in verdicts:
        counted.setdefault(verdict.file, Counter())[verdict.grade] += 1
    return {file: {g: grades[g] for g in GRADES if grades[g]} for file, grades in counted.items()}


def expectation(draft: str, verdicts: list[Verdict]) -> dict[str, Any]:
    """What an expectation file holds: the tests that are not right, with grade and reason.

    Raises `BenchError` when one of them is of a grade that must never be expected.
    """
    wrong = [verdict for verdict in verdicts if verdict.grade not in EXPECTABLE]
    if wrong:
        shown = "\n".join(f"{verdict.grade}: {verdict.key}: {verdict.detail}" for verdict in wrong[:10])
        raise BenchError(f"{draft}: {len(wrong)} results that may never be expected:\n{shown}")
    return {
        "draft": draft,
        "tests": tally(verdicts),
        "not_right": {v.key: [v.grade, v.detail] for v in verdicts if v.grade != "right"},
    }


@dataclass(frozen=True, slots=True)
class Comparison:
    """Verdicts against an expectation file: what is worse (fails), what is better (asks for an update)."""

    worse: list[str]
    better: list[str]


def compare(expected: Mapping[str, Any], verdicts: list[Verdict]) -> Comparison:
    """Grades against those in the file; a test that it does not name is expected to be right."""
    not_right: Mapping[str, list[str]] = expected["not_right"]
    worse, better = [], []
    for verdict in verdicts:
        before = not_right.get(verdict.key, ["right", ""])[0]
        place = GRADES.index(verdict.grade)
        reached = GRADES.index(before) if before in EXPECTABLE else 0  # type: ignore[arg-type]
        if place > reached:
            worse.append(f"{verdict.key}: expected {before}, is {verdict.grade}: {verdict.detail}")
        elif place < reached:
            better.append(f"{verdict.key}: expected {before}, is {verdict.grade}")
    known = {verdict.key for verdict in verdicts}
    worse.extend(f"{key}: in the file, but no test of that name was run" for key in not_right.keys() - known)
    return Comparison(worse, better)
