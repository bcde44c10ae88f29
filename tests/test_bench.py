"""The MaskBench runner, the figures around it, and the choice of schemas."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from array import array
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from structgen_bench import maskbench as runner
from structgen_bench.cold import judge, write_vocabulary
from structgen_bench.cold_probe import read_vocabulary
from structgen_bench.engines import Engine, Refusal, load_engine
from structgen_bench.errors import BenchError
from structgen_bench.keywords import outside_subset
from structgen_bench.maskbench import make_job, select_files
from structgen_bench.order import in_schema_order
from structgen_bench.reasons import labels_of, reason_of
from structgen_bench.records import Journal, summarise
from structgen_bench.soak import Text, run_soak
from structgen_bench.tokenizers import TokenBytes, load_tokenizer
from structgen_bench.worker import EngineProcess, FileResult, Job, measure

from structgen import Compiler, Vocabulary
from structgen.cli import main

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "maskbench"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the shared data folder is not here")
BYTES = load_tokenizer("bytes")


class Literal(Engine):
    """Allows exactly the texts ``schema["texts"]``; other keys of the schema make it misbehave."""

    name: ClassVar[str] = "literal"

    def prepare(self, vocabulary: TokenBytes) -> None:
        self.version = "1"
        self.eos_ids = vocabulary.eos_ids
        self.bitmask = np.zeros((1, (vocabulary.vocab_size + 31) // 32), dtype=np.int32)

    def compile(self, schema: Any) -> Any:
        if schema.get("sleep"):
            time.sleep(60)
        if schema.get("die"):
            os._exit(3)
        if "refuse" in schema:
            raise Refusal("no", unsupported=schema["refuse"] == "unsupported")
        if schema.get("raise"):
            raise ZeroDivisionError("oops")
        return schema

    def new_matcher(self, compiled: Any) -> Any:
        return {"schema": compiled, "done": b""}

    def mask(self, matcher: Any) -> None:
        self.bitmask[:] = 0
        done = matcher["done"]
        for text in matcher["schema"].get("texts", ['"warm"']):
            data = text.encode()
            if data.startswith(done):
                token = data[len(done)] if len(done) < len(data) else 256
                self.bitmask[0, token >> 5] |= (
                    np.int32(1 << (token & 31)) if token & 31 != 31 else np.int32(-(2**31))
                )
        if matcher["schema"].get("lying mask"):
            self.bitmask[0, ord("}") >> 5] |= np.int32(1 << (ord("}") & 31))

    def accept(self, matcher: Any, token: int) -> bool:
        after = matcher["done"] + bytes([token])
        if not any(text.encode().startswith(after) for text in matcher["schema"].get("texts", ['"warm"'])):
            return False
        matcher["done"] = after
        return True


def job(schema: dict[str, Any], *instances: tuple[bool, str]) -> Job:
    return Job("file", schema, tuple((valid, list(text.encode())) for valid, text in instances))


def measured(schema: dict[str, Any], *instances: tuple[bool, str]) -> FileResult:
    engine = Literal()
    engine.prepare(BYTES.vocabulary)
    return measure(engine, job(schema, *instances), BYTES.vocabulary)


@pytest.mark.parametrize(
    ("schema", "instances", "outcome", "detail"),
    [
        ({"texts": ["ab", "c"]}, [(True, "ab"), (True, "c"), (False, "b"), (False, "a")], "pass", ""),
        ({"refuse": "unsupported"}, [(True, "a")], "unsupported", "no"),
        ({"refuse": "other"}, [(True, "a")], "compile_error", "no"),
        (
            {"texts": ["ab"]},
            [(True, "ax")],
            "valid_refused",
            "instance 0: refused token 1 of 2, b'x' after b'a'",
        ),
        (
            {"texts": ["ab"]},
            [(True, "a")],
            "valid_refused",
            "instance 0: accepted to the end, but may not end there",
        ),
        ({"texts": ["a"]}, [(True, "a"), (False, "a")], "invalid_accepted", "instance 1: accepted"),
        ({"texts": ["a"], "lying mask": True}, [(False, "}")], "inconsistent", "in the mask, yet refused"),
        ({"raise": True}, [(True, "a")], "crash", "ZeroDivisionError: oops"),
        # the gravest of several is the file's
        ({"texts": ["a"]}, [(True, "b"), (False, "a"), (True, "c")], "invalid_accepted", "instance 1"),
    ],
)
def test_outcomes(
    schema: dict[str, Any], instances: list[tuple[bool, str]], outcome: str, detail: str
) -> None:
    result = measured(schema, *instances)
    assert result.outcome == outcome
    assert detail in result.detail


def test_every_mask_and_accept_is_timed() -> None:
    result = measured({"texts": ["abc"]}, (True, "abc"), (False, "abx"))
    assert len(result.steps_us) == 6  # the refused token too: its mask was made
    assert all(step > 0 for step in result.steps_us)
    assert result.ttfm_us is not None
    assert result.compile_us is not None
    assert result.ttfm_us > result.compile_us


def test_a_file_without_instances_still_has_a_first_mask() -> None:
    result = measured({"texts": ["a"]})
    assert result.outcome == "pass"
    assert result.ttfm_us is not None


def test_a_process_that_hangs_or_dies_is_a_result() -> None:
    process = EngineProcess(f"{__name__}:Literal", BYTES.vocabulary, job({}, (True, '"warm"')), None, 0)
    try:
        assert (process.name, process.ready.warmup_outcome) == ("literal", "pass")
        assert process.run(job({"sleep": True}), 0.5).outcome == "timeout"
        died = process.run(job({"die": True}), 30.0)
        assert (died.outcome, died.detail) == ("crash", "the process ended with exit status 3")
        assert process.run(job({"texts": ["a"]}, (True, "a")), 30.0).outcome == "pass"
        assert process.restarts == 2
    finally:
        process.stop()


@pytest.mark.parametrize("name", ["nope", "no_such_module:Engine", "json:JSONDecoder"])
def test_unknown_engines(name: str) -> None:
    with pytest.raises(BenchError):
        load_engine(name)


# The subset of schemas --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schema", "outside"),
    [
        (True, []),
        ({"type": "object", "properties": {"not": {"type": "null"}, "oneOf": {}}, "required": ["not"]}, []),
        ({"title": "x", "default": {"not": 1}, "enum": [{"oneOf": []}], "x-anything": 1}, []),
        ({"properties": {"a": {"not": {}}}}, [("/properties/a/not", "not")]),
        ({"$defs": {"unused": {"oneOf": []}}}, []),
        (
            {"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"items": {"uniqueItems": True}}}},
            [("/$defs/a~1b/items/uniqueItems", "uniqueItems")],
        ),
        ({"$ref": "other.json"}, [("/$ref", "$ref")]),
        ({"$ref": "#/nowhere"}, [("/$ref", "$ref")]),
        ({"properties": {"self": {"$ref": "#"}}}, []),
        ({"type": "integer", "minimum": 1, "exclusiveMaximum": 7}, []),
        ({"type": "number", "minimum": 1}, [("/bounds", "bounds")]),
        ({"minimum": 1}, [("/bounds", "bounds")]),
        ({"format": "date"}, [("/format", "format")]),
        ({"format": "an unknown one"}, []),
        ({"items": [{}, {}], "additionalItems": False}, [("/additionalItems", "additionalItems")]),
        ({"items": {}, "additionalItems": False}, []),
        ({"anyOf": [{"allOf": []}, {"prefixItems": [{"contains": {}}]}]}, [("/anyOf/0/allOf", "allOf")]),
        ({"properties": {"a": 3}}, [("/properties/a", "not a schema")]),
    ],
)
def test_outside_subset(schema: Any, outside: list[tuple[str, str]]) -> None:
    found = outside_subset(schema)
    assert bool(found) == bool(outside)
    if outside and "bounds" not in outside[0][1]:
        assert outside[0] in found


@needs_data
def test_how_many_files_are_in_the_subset() -> None:
    assert len(select_files(DATA, subset="supported").files) == 6103


# Property order ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schema", "text", "ordered"),
    [
        ({"properties": {"a": {}, "b": {}}}, '{"x": 1, "b": 2, "a": 3}', '{"a": 3, "b": 2, "x": 1}'),
        (True, '{"b": 1, "a": 2}', '{"b": 1, "a": 2}'),
        (
            {"$ref": "#/$defs/n", "$defs": {"n": {"properties": {"k": {}, "next": {"$ref": "#/$defs/n"}}}}},
            '{"next": {"next": null, "k": 2}, "k": 1}',
            '{"k": 1, "next": {"k": 2, "next": null}}',
        ),
        (
            {
                "anyOf": [
                    {"properties": {"t": {"const": 1}, "a": {}, "b": {}}},
                    {"properties": {"b": {}, "a": {}, "t": {"const": 2}}},
                ]
            },
            '{"t": 2, "a": 0, "b": 0}',
            '{"b": 0, "a": 0, "t": 2}',
        ),
        (
            {"items": {"properties": {"a": {}, "b": {}}}, "prefixItems": [{}]},
            '[{"b": 1, "a": 1}, {"b": 1, "a": 1}]',
            '[{"b": 1, "a": 1}, {"a": 1, "b": 1}]',
        ),
        (
            {"additionalProperties": {"properties": {"a": {}, "b": {}}}},
            '{"x": {"b": 1, "a": 1}}',
            '{"x": {"a": 1, "b": 1}}',
        ),
        ({"$ref": "#/nowhere"}, '{"b": 1, "a": 2}', '{"b": 1, "a": 2}'),
    ],
)
def test_schema_order(schema: Any, text: str, ordered: str) -> None:
    assert json.dumps(in_schema_order(json.loads(text), schema)) == ordered


def test_a_refusal_for_the_order_alone_is_told_apart(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    schema = {"properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}, "type": "object"}
    for name, data in {"order": {"b": 1, "a": 1}, "wrong": {"b": 1, "a": "x"}}.items():
        document = {"schema": schema, "tests": [{"valid": True, "data": data}]}
        (folder / f"{name}.json").write_text(json.dumps(document), encoding="utf-8")
    output = tmp_path / "o.json"
    assert bench("maskbench", "--data", folder, "--tokenizer", "bytes", "-o", output) == 0
    outcomes = json.loads(output.read_text(encoding="utf-8"))["engines"]["structgen"]["outcomes"]
    assert {name: count for name, count in outcomes.items() if count} == {
        "other_order": 1,
        "valid_refused": 1,
    }


# Files, journal, statistics ---------------------------------------------------------------------


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    for index, texts in enumerate((["ab"], ["c"], ["d", "e"])):
        document = {"schema": {"texts": [json.dumps(text) for text in texts]}, "tests": []}
        for text in (*texts, "zzz"):
            document["tests"].append({"valid": text != "zzz", "data": text})
        (folder / f"file{index}.json").write_text(json.dumps(document), encoding="utf-8")
    return folder


def test_select_files(data: Path, tmp_path: Path) -> None:
    names = [path.stem for path in select_files(data).files]
    assert sorted(names) == ["file0", "file1", "file2"]
    assert names == [path.stem for path in select_files(data).files]
    assert [path.stem for path in select_files(data, limit=2).files] == names[:2]
    listing = tmp_path / "names"
    listing.write_text("file1\nfile0.json\n\n", encoding="utf-8")
    assert sorted(path.stem for path in select_files(data, listing=listing).files) == ["file0", "file1"]
    listing.write_text("file9\n", encoding="utf-8")
    with pytest.raises(BenchError, match="file9"):
        select_files(data, listing=listing)


def test_instances_are_written_as_json_dumps_does() -> None:
    document = {"schema": {}, "tests": [{"valid": True, "data": {"ä": [1, 2.5]}}]}
    assert bytes(make_job("x", document, BYTES).instances[0][1]) == '{"ä": [1, 2.5]}'.encode()


def result(file: str) -> FileResult:
    return FileResult(file, "literal", "pass", "", 1.5, 2.5, array("f", [0.25, 4.0]), 7.0)


def test_journal_survives_a_killed_run(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    journal = Journal(path, {"seed": 1}, resume=True)
    journal.add(result("a"))
    journal.add(result("b"))
    journal.close()
    path.write_bytes(path.read_bytes()[:-20])  # the last line was not written whole
    again = Journal(path, {"seed": 1}, resume=True)
    assert again.results == [result("a")]
    again.add(result("c"))
    again.close()
    assert Journal(path, {"seed": 1}, resume=True).results == [result("a"), result("c")]
    with pytest.raises(BenchError, match="seed differ"):
        Journal(path, {"seed": 2}, resume=True)
    assert Journal(path, {"seed": 2}, resume=False).results == []


def test_journal_refuses_what_is_none(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    path.write_text("hello\n", encoding="utf-8")
    with pytest.raises(BenchError, match="line 1"):
        Journal(path, {}, resume=True)


def test_summary() -> None:
    summary = summarise(np.arange(1, 1001, dtype=np.float64))
    assert summary["n"] == 1000
    assert summary["mean"] == 500.5
    assert summary["p50"] == 500.5
    assert summary["p99"] == pytest.approx(990.01)
    assert summary["max"] == 1000
    assert summarise(np.empty(0)) == {"n": 0}


# Reasons ----------------------------------------------------------------------------------------


def test_labels_that_jsonschema_does_not_confirm() -> None:
    tests = [{"valid": True, "data": 1}, {"valid": False, "data": 2}, {"valid": False, "data": "x"}]
    assert labels_of({"type": "integer"}, tests) == (
        {1: "labelled invalid; jsonschema: it validates"},
        "",
    )
    assert labels_of({"format": "date"}, [{"valid": True, "data": "soon"}])[0].keys() == {0}
    assert labels_of({"$ref": "#/nowhere"}, tests)[1].startswith("jsonschema cannot tell: ")
    assert labels_of({"$ref": "#"}, tests)[1] == "jsonschema cannot tell: RecursionError"


@pytest.mark.parametrize(
    ("outcome", "detail", "reason"),
    [
        ("invalid_accepted", "instance 1: accepted", "wrong data: instance 1 is labelled invalid"),
        ("valid_refused", "instance 0: refused token 3", "labels in doubt: instance 1 labelled invalid"),
    ],
)
def test_reasons(outcome: Any, detail: str, reason: str) -> None:
    document = {"schema": {}, "tests": [{"valid": True, "data": 1}, {"valid": False, "data": 2}]}
    assert reason_of(FileResult("x", "e", outcome, detail), document).startswith(reason)


def test_report_of_reasons(data: Path, tmp_path: Path) -> None:
    document = {"schema": {"refuse": "unsupported"}, "tests": [{"valid": True, "data": "a|b"}]}
    (data / "refused.json").write_text(json.dumps(document), encoding="utf-8")
    report = tmp_path / "report.md"
    command = ["maskbench", "--data", data, "--engines", f"{__name__}:Literal", "--tokenizer", "bytes"]
    assert bench(*command, "-o", tmp_path / "run.json", "--report", report) == 0
    text = report.read_text(encoding="utf-8")
    assert "4 files: pass 3, unsupported 1." in text
    assert "| refused | no | jsonschema agrees with the labels |" in text
    assert "| compile, ms | 3 |" in text
    assert str(tmp_path) not in text


def test_size_and_compile_time_of_structgen(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "one.json").write_text(json.dumps(SCHEMA_FILE), encoding="utf-8")
    output = tmp_path / "run.json"
    assert bench("maskbench", "--data", folder, "--tokenizer", "bytes", "-o", output) == 0
    figures = json.loads(output.read_text(encoding="utf-8"))["engines"]["structgen"]
    assert figures["compile_us"]["n"] == figures["compiled_kib"]["n"] == 1
    assert figures["compiled_kib"]["max"] > 1


def test_options_reach_the_engine() -> None:
    adapter = load_engine("structgen")
    adapter.options = {"no_such_option": True}
    with pytest.raises(BenchError, match="no_such_option"):
        adapter.prepare(BYTES.vocabulary)
    adapter.options = {"whitespace": "compact"}
    adapter.prepare(BYTES.vocabulary)
    matcher = adapter.new_matcher(adapter.compile({"type": "array"}))
    assert [adapter.accept(matcher, byte) for byte in b"[ "] == [True, False]


# Whole runs -------------------------------------------------------------------------------------


def bench(*arguments: object) -> int:
    return main(["bench", *map(str, arguments)])


def test_run_interrupt_resume(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "run.json"
    command = ["maskbench", "--data", data, "--engines", f"{__name__}:Literal", "--tokenizer", "bytes"]
    command += ["--output", output]
    run = EngineProcess.run

    def interrupted(self: EngineProcess, job: Job, seconds: float) -> FileResult:
        if job.file == select_files(data).files[2].stem:
            raise KeyboardInterrupt
        return run(self, job, seconds)

    with monkeypatch.context() as patch:
        patch.setattr(runner.EngineProcess, "run", interrupted)
        assert bench(*command) == 130
    document = json.loads(output.read_text(encoding="utf-8"))
    assert (document["finished"], document["engines"]["literal"]["files"]) == (False, 2)
    assert "--resume" in capsys.readouterr().out

    assert bench(*command, "--resume") == 0
    document = json.loads(output.read_text(encoding="utf-8"))
    figures = document["engines"]["literal"]
    assert document["finished"]
    assert figures["outcomes"]["pass"] == 3
    # each instance's quotes and letters, and of the invalid ones up to the refused letter
    assert figures["tbm_us"]["n"] == (4 + 2) + (3 + 2) + (3 + 3 + 2)
    assert figures["ttfm_us"]["n"] == 3
    assert str(tmp_path) not in output.read_text(encoding="utf-8")
    assert "time between masks" in capsys.readouterr().out


def test_ctrl_c_in_a_real_process(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    for index in range(300):
        document = {"schema": {"texts": ['"a"']}, "tests": [{"valid": True, "data": "a"}] * 200}
        (folder / f"{index}.json").write_text(json.dumps(document), encoding="utf-8")
    output = tmp_path / "o.json"
    samples = output.with_suffix(".samples.jsonl")
    command = [sys.executable, "-m", "structgen_bench.maskbench", "--data", folder, "--tokenizer", "bytes"]
    command += ["--engines", f"{__name__}:Literal", "--output", output]
    paths = os.pathsep.join(path for path in sys.path if path)
    process = subprocess.Popen(
        [str(word) for word in command],
        env=os.environ | {"PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # a suite that a shell runs in the background inherits that Ctrl-C is ignored
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        deadline = time.monotonic() + 60
        while not samples.is_file() or samples.read_bytes().count(b"\n") < 3:
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the engines' processes too
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, "Traceback" in err) == (130, False)
    document = json.loads(output.read_text(encoding="utf-8"))
    assert not document["finished"]
    assert 2 <= document["engines"]["literal"]["outcomes"]["pass"] < 300
    assert "--resume" in out


def test_check_option_fails_on_anything_but_pass(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    document = {"schema": {"type": "integer"}, "tests": [{"valid": False, "data": 1}]}
    (folder / "wrong.json").write_text(json.dumps(document), encoding="utf-8")
    command = ["maskbench", "--data", folder, "--tokenizer", "bytes", "-o", tmp_path / "o.json"]
    assert bench(*command) == 0
    assert bench(*command, "--check") == 1


SCHEMA_FILE = {
    "schema": {
        "type": "object",
        "properties": {"name": {"type": "string", "minLength": 2}, "age": {"type": "integer", "maximum": 99}},
        "required": ["name"],
        "additionalProperties": False,
    },
    "tests": [
        {"valid": True, "data": {"name": "Zoë 🎈", "age": 7}},
        {"valid": False, "data": {"name": "Zoë", "age": 100}},
        {"valid": False, "data": {"name": "Z"}},
        {"valid": False, "data": {"age": 3}},
    ],
}


@pytest.mark.parametrize("engine", ["structgen", "llguidance"])
def test_engines_on_a_real_vocabulary(engine: str) -> None:
    pytest.importorskip("mistral_common")
    pytest.importorskip(engine)
    tokenizer = load_tokenizer("tekken")
    adapter = load_engine(engine)
    adapter.prepare(tokenizer.vocabulary)
    outcome = measure(adapter, make_job("file", SCHEMA_FILE, tokenizer), tokenizer.vocabulary)
    assert (outcome.outcome, outcome.detail) == ("pass", "")


def test_xgrammar_adapter() -> None:
    pytest.importorskip("xgrammar")
    adapter = load_engine("xgrammar")
    adapter.prepare(BYTES.vocabulary)
    assert measure(adapter, make_job("file", SCHEMA_FILE, BYTES), BYTES.vocabulary).outcome == "pass"


def test_plot(tmp_path: Path, data: Path) -> None:
    pytest.importorskip("matplotlib")
    output = tmp_path / "run.json"
    engine = f"{__name__}:Literal"
    assert bench("maskbench", "--data", data, "--engines", engine, "--tokenizer", "bytes", "-o", output) == 0
    assert bench("plot", output) == 0
    assert output.with_suffix(".png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["maskbench", "--data", "no/such"], "no folder 'such'"),
        (["maskbench", "--data", ".", "--engines", "nope"], "unknown engine 'nope'"),
        (["maskbench", "--data", ".", "--subset", "nope"], "unknown subset 'nope'"),
        (["maskbench", "--data", ".", "--engines", ""], "no or repeated engine"),
        (["maskbench"], "Missing option"),
        (["plot", "no-such-file.json"], "No such file"),
        (["nothing"], "No such command"),
    ],
)
def test_bad_input(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench(*arguments) == 2
    said = capsys.readouterr().err
    assert message in said
    assert "Traceback" not in said


# Start and memory -------------------------------------------------------------------------------


def test_vocabulary_file_round_trip(tmp_path: Path) -> None:
    tokens: list[bytes | None] = [b"a", None, b"", b"\xf0\x9f", b"ab"]
    again = read_vocabulary(write_vocabulary(TokenBytes(tokens, (1,)), tmp_path / "tokens.npz"))
    assert list(again.tokens) == tokens
    assert again.eos_token_ids == (1,)


def test_limits() -> None:
    figures = {
        "kernels_cold": {"kernels": 61.0},
        "kernels_warm": {"kernels": 0.1},
        "first_mask": {"import_structgen": 0.01, "total": 1.0},
        "memory": {"schemas": 1000, "peak_mib": 900.0},
    }
    assert [limit.kept for limit in judge(figures)] == [False, True, True, True, True, True, True]


# A short soak ----------------------------------------------------------------------------------


def test_a_short_soak_stays_under_its_bound(data: Path) -> None:
    """Thousands of masks over many schemas, with so little room that most is evicted again and again."""
    vocabulary = Vocabulary(BYTES.vocabulary.tokens, BYTES.vocabulary.eos_ids)
    compiler = Compiler(vocabulary, cache_bytes=4 << 20)
    texts = [
        Text(f"{i}", {"properties": {f"name{i}{k}": {"maxLength": k} for k in range(20)}}, [], 0, 0)
        for i in range(40)
    ]
    for i, text in enumerate(texts):
        value = {f"name{i}{k}": "x" * min(k, 5) for k in range(20)}
        text.instances.append(BYTES.encode(json.dumps(value)))
    result = run_soak(compiler, texts, 6000, 60, 0)
    assert result.finished and len(result.steps_us) == 6000 and result.refused == 0
    assert max(point["nbytes"] for point in result.samples) < 1.1 * (4 << 20)
    assert max(point["grammars"] for point in result.samples) < 40
    assert len(result.tenths()) == 10
