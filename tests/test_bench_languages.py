"""The benchmark of builtin grammars: oracles, mutants, and a run on small files."""

from __future__ import annotations

import itertools
import json
import shutil
from pathlib import Path

import pytest
from corpora_files import cases
from structgen_bench.cli import app
from structgen_bench.errors import BenchError
from structgen_bench.language_judges import judge_of
from structgen_bench.language_oracles import (
    go_says,
    json_says,
    later_python_says,
    oracle_for,
    python_says,
    sql_says,
)
from structgen_bench.language_samples import draw_samples
from structgen_bench.language_texts import Text, lexemes, mutants_of, texts_of
from structgen_bench.languages import Task, measure
from structgen_grammars import profiles

NAMES = sorted(profiles())


@pytest.mark.parametrize(
    ("oracle", "good", "bad"),
    [
        (python_says, "match x:\n    case 1: pass\n", "x = = 1"),
        (python_says, "'\\d'", "f() = 1"),
        (sql_says, "select a from no_such_table", "select a from"),
        (sql_says, "select no_such_function(1)", "select 1 order by 1 union select 2"),
        (sql_says, " EXPLAIN select 1; -- c", "explain explain select 1"),
        (sql_says, "; select ';' ; /* ; */ select 2", "select 1; select 2 from"),
        (sql_says, "create trigger a after insert on b begin select 1; select 2; end", "-- c\nselect"),
        (later_python_says, "type X[T = int] = f'{a['b'] # c\n}'", "type X[] = int"),
        (later_python_says, "try: pass\nexcept A, B: pass", "f'{a:\n}'"),
        (json_says, "[1, null]", "[NaN]"),
        (json_says, '"\\ud800"', "[1,]"),
    ],
)
def test_oracles(oracle, good, bad):
    assert oracle(good) is None
    assert oracle(bad)


@pytest.mark.skipif(shutil.which("gofmt") is None, reason="gofmt is not installed")
def test_oracle_of_go():
    assert go_says("package p\nfunc f() {}\n") is None
    assert "expected" in (go_says("package p\nfunc f( {}\n") or "")


@pytest.mark.parametrize("name", ["json", "math", "fol", "csv", "smiles", "c", "java"])
def test_judges_read_the_corpora(name):
    """What lark's parsers do with a grammar's own texts: short ones, since Earley's is slow."""
    _, judge = judge_of(name)
    longest = 40 if name in ("c", "java") else 200
    for kind in ("accept", "reject"):
        for case in cases(name, kind):
            # json.loads takes a lone surrogate that is no UTF-8, and other bytes are no texts
            is_text = case.text.isascii() or name != "json"
            if case.start in (None, profiles()[name].starts[0]) and len(case.text) <= longest and is_text:
                assert (judge(case.text.decode()) is None) is (kind == "accept"), case.id


def test_what_later_versions_of_python_read_by_ruff():
    later = {case.text for case in cases("python", "accept")} - {
        case.text for case in cases("python3.11", "accept")
    }
    assert len(later) >= 60
    assert [text for text in sorted(later) if later_python_says(text.decode()) is not None] == []


@pytest.mark.parametrize("name", NAMES)
def test_texts_that_the_model_ends_are_of_the_language(name):
    """`structgen bench languages --parts samples`, short."""
    if name == "go" and shutil.which("gofmt") is None:
        pytest.skip("gofmt is not installed")
    found = draw_samples(name, 4, seed=1)
    assert found.invalid == []
    assert (found.complete, found.valid) == (4, 4)
    assert found.characters[0] >= 1


def test_grammars_without_an_oracle_have_none():
    assert oracle_for("smiles") is None


def test_lexemes_are_cut_without_blanks_and_comments():
    text = "x = f('a b', 1)  # c\nif y: pass\n"
    assert [text[a:b] for a, b in lexemes(text, "python")] == [
        *("x", "=", "f", "(", "'a b'", ",", "1", ")", "if", "y", ":", "pass"),
    ]
    text = 'a += "b c" // d\n/* e */ f_1'
    assert [text[a:b] for a, b in lexemes(text, "go")] == ["a", "+=", '"b c"', "f_1"]


def test_mutants_differ_by_one_lexeme_and_come_again():
    texts = [Text("t", "alpha beta gamma delta epsilon")]
    some = list(itertools.islice(mutants_of(texts, "sql", 3), 40))
    assert some == list(itertools.islice(mutants_of(texts, "sql", 3), 40))
    words = texts[0].text.split()
    for mutant in some:
        found = mutant.text.split()
        if mutant.kind == "deleted":
            assert len(found) == len(words) - 1
        elif mutant.kind == "doubled":
            assert len(found) == len(words) + 1
        else:
            assert sorted(found) == sorted(words)
            assert found != words
    assert {mutant.kind for mutant in some} == {"deleted", "doubled", "swapped"}


def test_mutants_of_nothing_are_refused():
    with pytest.raises(BenchError, match="short enough"):
        next(mutants_of([Text("t", "x")], "sql", 0))


def test_texts_need_a_folder(tmp_path):
    with pytest.raises(BenchError, match="no texts of go"):
        texts_of("go", None, None)
    with pytest.raises(BenchError, match=r"no \.go files"):
        texts_of("go", tmp_path, None)


def test_each_line_of_sql_is_a_text(tmp_path):
    (tmp_path / "a.sql").write_text("select 1\n\nselect 2;\n", encoding="utf-8")
    assert [(text.name, text.text) for text in texts_of("sql", tmp_path, None)] == [
        ("a.sql:1", "select 1"),
        ("a.sql:3", "select 2;"),
    ]


def test_measure_tells_accepted_refused_and_skipped(tmp_path):
    (tmp_path / "good.json").write_text('{"a": [1, 2, {"b": null}], "c": "d"}', encoding="utf-8")
    (tmp_path / "bad.json").write_text("[1,]", encoding="utf-8")
    found = measure(Task("json", "bytes", None, tmp_path, 0, 20, 1))
    assert (found.files, found.accepted, found.skipped) == (1, 1, 1)
    assert found.mutants_refused == found.mutants_refused_alike == 20
    assert found.mutants_valid == found.mutants_valid_alike
    assert found.mask_us["n"] == found.tokens == 36
    assert not found.refused_files
    assert not found.differences


def test_measure_says_where_a_file_is_refused(tmp_path):
    # smiles has no oracle, so that a text that is none is taken for one.
    (tmp_path / "a.smiles").write_text("CC(=O)X", encoding="utf-8")
    found = measure(Task("smiles", "bytes", None, tmp_path, 0, 0, 1))
    assert (found.files, found.accepted) == (1, 0)
    assert found.refused_files == [["a.smiles", "b'X' refused after b'CC(=O)'"]]


def test_command_writes_its_results(tmp_path):
    (tmp_path / "a.sql").write_text("select a, b from t where c = 'd' order by 1\n", encoding="utf-8")
    output = tmp_path / "out.json"
    arguments = ["languages", "--grammar", "sql", "--tokenizer", "bytes", "--mutants", "5", "--samples", "3"]
    app([*arguments, "--texts", f"sql={tmp_path}", "-o", str(output)], standalone_mode=False)
    document = json.loads(output.read_text(encoding="utf-8"))
    (result,) = document["results"]
    (drawn,) = document["samples"]["grammars"]
    assert (drawn["grammar"], drawn["complete"], drawn["valid"]) == ("sql", 3, 3)
    assert (result["grammar"], result["files"], result["accepted"]) == ("sql", 1, 1)
    assert result["mutants_refused"] == 5
    assert result["store_s"] > 0
    assert Path(output).is_file()


def test_command_refuses_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(BenchError, match="no folder"):
        app(["languages", "--texts", f"sql={tmp_path / 'none'}"], standalone_mode=False)


def test_command_refuses_a_part_that_is_not_there():
    with pytest.raises(BenchError, match="no part 'file'"):
        app(["languages", "--parts", "file"], standalone_mode=False)
