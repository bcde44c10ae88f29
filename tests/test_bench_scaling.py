"""`structgen bench scaling`: the parts with a small vocabulary, the goals, the picture."""

from __future__ import annotations

import itertools
import json
import time
from pathlib import Path

import pytest
from structgen_bench import scaling_batch
from structgen_bench.errors import BenchError
from structgen_bench.scaling import judge
from structgen_bench.scaling_parts import by_length, by_tools, tool_call, tool_schema

from structgen.cli import main
from structgen.compiler import Compiler
from structgen.vocabulary import Vocabulary

BYTES = Vocabulary([*[bytes([byte]) for byte in range(256)], None], 256)


def test_tool_calls_are_of_the_schema():
    compiler = Compiler(BYTES)
    for count in (1, 3):
        matcher = compiler.json_schema(tool_schema(count)).matcher()
        assert matcher.accept_bytes(tool_call(count - 1).encode()) and matcher.is_accepting
    assert 95_000 < len(json.dumps(tool_schema(60))) < 105_000


def test_parts_give_rows_and_goals():
    compiler = Compiler(BYTES, cache_size=0)
    figures = {"tools": by_tools(compiler), "length": by_length(compiler)}
    assert [row["tools"] for row in figures["tools"]] == [5, 10, 20, 40, 60]
    assert all(value > 0 for rows in figures.values() for row in rows for value in row.values())
    assert len(judge(figures)) == 5


def test_goals_are_kept_or_missed():
    slow = {"rows": 256, "ratio": 1.2, "python_us_a_row": 0.5}
    kept = {goal.what: goal.kept for goal in judge({"batch": [slow]})}
    assert kept == {
        "256 known rows, back to back: one thread over two": False,
        "256 known rows: Python, us a row": True,
    }
    gaps = [{"gap_us": gap, "cores": "any", "ratio_p50": 0.9 + gap / 1e5} for gap in (200, 1_000, 20_000)]
    assert [goal.kept for goal in judge({"gaps": gaps})] == [False, True]


def test_batches_with_gaps():
    """Each work has its turns, the first of which do not count, after at least the gap."""
    asked: list[tuple[int, float]] = []
    works = [lambda which=which: asked.append((which, time.perf_counter())) for which in (1, 2)]
    for sleeps in (False, True):
        asked.clear()
        times = scaling_batch._in_a_row(works, 2, 15, 0.001, sleeps)  # type: ignore[arg-type]
        assert [len(spent) for spent in times] == [2 * (15 - scaling_batch.LEFT_OUT)] * 2
        assert [which for which, _ in asked[::15]] == [1, 2, 1, 2]
        moments = [moment for _, moment in asked]
        assert all(later - earlier >= 0.001 for earlier, later in itertools.pairwise(moments))


def test_a_run_writes_results_and_a_picture(tmp_path: Path):
    pytest.importorskip("matplotlib")
    output = tmp_path / "scaling.json"
    arguments = ["bench", "scaling", "--parts", "length", "--tokenizer", "bytes", "--output", str(output)]
    assert main(arguments) == 0
    document = json.loads(output.read_text(encoding="utf-8"))
    assert document["benchmark"] == "scaling" and len(document["figures"]["length"]) == 5
    assert (tmp_path / "scaling.png").read_bytes().startswith(b"\x89PNG")


def test_unknown_parts_are_refused(capsys: pytest.CaptureFixture[str]):
    assert main(["bench", "scaling", "--parts", "length,width"]) != 0
    assert "unknown parts: width" in capsys.readouterr().err


def test_a_plot_of_samples(tmp_path: Path):
    pytest.importorskip("matplotlib")
    from structgen_bench.plot import read_results

    header = {
        "benchmark": "maskbench",
        "tokenizer": {"name": "bytes", "vocab_size": 257},
        "versions": {"structgen": "0"},
    }
    line = {"file": "a", "engine": "structgen", "outcome": "pass", "detail": "", "compile_us": 5.0}
    line |= {"ttfm_us": 7.0, "steps_us": "AACAPwAAAEA=", "peak_mib": 1.0, "nbytes": None}
    path = tmp_path / "run.samples.jsonl"
    path.write_text(json.dumps(header) + "\n" + json.dumps(line) + "\n" + '{"half', encoding="utf-8")
    figures = read_results(path)["engines"]["structgen"]
    assert figures["tbm_us"]["mean"] == 1.5 and figures["ttfm_us"]["max"] == 7.0
    assert main(["bench", "plot", str(path)]) == 0 and (tmp_path / "run.png").exists()
    path.write_text("{}\n", encoding="utf-8")
    with pytest.raises(BenchError, match="not of a MaskBench run"):
        read_results(path)
