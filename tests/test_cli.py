"""The command line: what each command prints, its exit status, and how errors read."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from structgen import Compiler, Vocabulary
from structgen.cli import main
from structgen.cli.generate import TerminalStreamer
from structgen.cli.tokenizer_choice import byte_vocabulary
from structgen.expectation import describe_next

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 20},
        "age": {"type": "integer", "minimum": 0, "maximum": 120},
    },
    "required": ["name"],
    "additionalProperties": False,
}
FILES = {
    "person.json": json.dumps(PERSON),
    "people.py": "import enum\nclass Colour(enum.Enum):\n    RED = 'red'\n    def paint(times: int): ...\n",
    "torn.py": "import there_is_no_such_module\n",
    "broken.json": '{"type": "object",\n "properties": }',
    "no_schema.json": '{"type": "objekt"}',
    "unsupported.json": '{"type": "string", "pattern": "(a)\\\\1"}',
    "impossible.json": '{"type": "integer", "minimum": 5, "maximum": 4}',
    "sum.lark": 'start: NUMBER ("+" NUMBER)*\nNUMBER: /[0-9]+/\n',
    "undefined.lark": 'start: "a" other\n',
    "list.gbnf": 'root ::= "[" (root ("," root)*)? "]"\n',
    "broken.gbnf": 'root ::= "a" (\n',
    "endless.gbnf": 'root ::= "a" root\n',
    "good.txt": '{"name": "Ada",\n "age": 36}\n',
    "bad.txt": '{"name": "Ada",\n "age": 360}\n',
}


@dataclass(frozen=True, slots=True)
class Ran:
    code: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with `FILES`, and the current one."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "latin1.txt").write_bytes("größer".encode("latin-1"))
    monkeypatch.chdir(tmp_path)
    # for --type, which imports from here
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.delitem(sys.modules, "people", raising=False)
    return tmp_path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    def run(*arguments: object, stdin: bytes = b"") -> Ran:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err + captured.out
        return Ran(code, captured.out, captured.err)

    yield run


# Bad input: exit status 2, and a message that says what, where and what to do --------------------

BAD_INPUT = {
    "not JSON": (
        ["check", "--schema", "broken.json", "-t", "x"],
        ["broken.json is not JSON", "line 2, column 16", "^"],
    ),
    "not a schema": (["check", "--schema", "no_schema.json", "-t", "x"], ["objekt", "type"]),
    "unsupported keyword": (
        ["check", "--schema", "unsupported.json", "-t", "x"],
        ["pattern", "back-reference"],
    ),
    "unsatisfiable schema": (["check", "--schema", "impossible.json", "-t", "x"], ["no JSON value"]),
    "bad regex": (["check", "--regex", "a(b", "-t", "x"], ["invalid regex", "line 1, column", "a(b", "^"]),
    "unknown dialect": (
        ["check", "--regex", "a", "--dialect", "perl", "-t", "x"],
        ["dialect", "perl", "ecma"],
    ),
    "undefined rule": (["check", "--lark", "undefined.lark", "-t", "x"], ["other", "line 1", "^"]),
    "undefined start": (["check", "--lark", "sum.lark", "--start", "begin", "-t", "x"], ["begin"]),
    "broken GBNF": (["check", "--gbnf", "broken.gbnf", "-t", "x"], ["invalid grammar", "^"]),
    "endless grammar": (["check", "--gbnf", "endless.gbnf", "-t", "x"], ["no text matches"]),
    "unknown builtin": (["check", "--builtin", "cobol", "-t", "x"], ["cobol"]),
    "no grammar": (["check", "-t", "x"], ["no grammar", "--schema FILE"]),
    "two grammars": (["check", "--regex", "a", "--choice", "b", "-t", "x"], ["--regex and --choice"]),
    "schema and type": (["check", "--schema", "person.json", "--type", "a:b", "-t", "x"], ["and --type"]),
    "not a type's place": (["check", "--type", "people", "-t", "x"], ["is not MODULE:NAME", "models:Person"]),
    "no such module": (["check", "--type", "nobody:Person", "-t", "x"], ["no module nobody"]),
    "no such submodule": (["check", "--type", "people.more:Person", "-t", "x"], ["no module people.more"]),
    "no such type": (["check", "--type", "people:Person", "-t", "x"], ["people has no Person"]),
    "a type without schema": (["check", "--type", "people:enum", "-t", "x"], ["Unable to generate"]),
    "no text": (["check", "--regex", "a"], ["no text", "--text"]),
    "two texts": (["check", "--regex", "a", "good.txt", "-t", "x"], ["two texts"]),
    "missing schema": (["check", "--schema", "nowhere.json", "-t", "x"], ["nowhere.json", "No such file"]),
    "missing Lark": (["check", "--lark", "nowhere.lark", "-t", "x"], ["nowhere.lark", "No such file"]),
    "missing text": (["check", "--regex", "a", "nowhere.txt"], ["nowhere.txt", "No such file"]),
    "a folder": (["check", "--schema", ".", "-t", "x"], ["Is a directory"]),
    "not UTF-8": (
        ["check", "--gbnf", "latin1.txt", "-t", "x"],
        ["latin1.txt is not UTF-8", "byte 2 is 0xf6"],
    ),
    "tokenizer without artifact": (
        ["check", "--regex", "a", "--tokenizer", "bytes", "-t", "x"],
        ["--artifact"],
    ),
    "unknown option": (["check", "--frobnicate"], ["No such option", "--frobnicate"]),
    "unknown command": (["frobnicate"], ["No such command"]),
    "missing option": (["compile", "--regex", "a"], ["Missing option", "--output"]),
    "not a number": (["generate", "--regex", "a", "--max-new-tokens", "many"], ["--max-new-tokens"]),
    "no such folder": (["compile", "--regex", "a", "-o", "no/such/a.sgc"], ["no folder"]),
    "existing output": (["compile", "--regex", "a", "-o", "good.txt"], ["good.txt exists", "--force"]),
    "unknown tokenizer": (["info", "no-such-thing.json"], ["no-such-thing.json"]),
    "no tokenizer.json": (["info", "person.json"], ["person.json", "not a tokenizer.json"]),
    "JSON that is none": (["info", "broken.json"], ["broken.json", "not JSON"]),
    "no SentencePiece": (["compile", "--regex", "a", "-o", "a.sgc", "--tokenizer", "good.txt"], ["good.txt"]),
    "no artifact": (["info", "good.txt"], ["good.txt", "not"]),
    "artifact that is none": (["check", "--artifact", "good.txt", "-t", "x"], ["good.txt"]),
    "no prompt": (["generate", "--regex", "a"], ["no prompt", "--prompt"]),
    "no model": (["generate", "--regex", "a", "-p", "x", "--model", "person.json"], ["person.json"]),
}


@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input(case: str, folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    arguments, fragments = BAD_INPUT[case]
    before = sorted(path.name for path in folder.iterdir())
    ran = run(*arguments)
    assert ran.code == 2
    for fragment in fragments:
        assert fragment in ran.err
    assert sorted(path.name for path in folder.iterdir()) == before


# check ------------------------------------------------------------------------------------------

CHECKS = {
    "whole": (["--schema", "person.json", "good.txt"], 0, ["matches"]),
    "last line break counts": (
        ["--schema", "person.json", "--exact", "good.txt"],
        1,
        ["line 2, column 12", "expected: the end of the text"],
    ),
    "too large": (
        ["--schema", "person.json", "bad.txt"],
        1,
        ["line 2, column 11", '\n   "age": 360}\n            ^\n', "expected: ", "'}'"],
    ),
    "unknown key": (["--schema", "person.json", "-t", '{"nome"'], 1, ["column 4", "expected: 'ame\"'"]),
    "ends too early": (
        ["--schema", "person.json", "-t", '{"name"'],
        1,
        ["ends too early", "column 8", "':'"],
    ),
    "ecma's digits": (["--regex", r"\d", "--dialect", "ecma", "-t", "٣"], 1, ["expected: 0-9"]),
    "Python's digits": (["--regex", r"\d", "-t", "٣"], 0, ["matches: 2 bytes"]),
    "python is the whole text": (
        ["--regex", "a+", "-t", "aab"],
        1,
        ["column 3", "'a'", "the end of the text"],
    ),
    "Lark": (["--lark", "sum.lark", "-t", "1+22+3"], 0, ["matches: 6 bytes, sum.lark"]),
    "Lark, no number": (["--lark", "sum.lark", "-t", "1+*"], 1, ["column 3", "expected: 0-9"]),
    "GBNF": (["--gbnf", "list.gbnf", "-t", "[[],[[]]]"], 0, ["matches"]),
    "choice": (
        ["--choice", "größer", "--choice", "größe", "-t", "größen"],
        1,
        ["column 6", "'r'", "the end"],
    ),
    "code points": (
        ["--choice", "größer", "-t", "gröber"],
        1,
        ["column 4", "  gröber\n     ^", "expected: "],
    ),
    "type": (["--type", "people:Colour", "-t", '"red"'], 0, ["matches: 5 bytes, people:Colour"]),
    "function": (["--type", "people:Colour.paint", "-t", '{"times": "'], 1, ["column 11", "0-9"]),
    "type, compact": (["--type", "people:Colour.paint", "--compact", "-t", '{"times": 1}'], 1, ["column 10"]),
    "builtin": (["--builtin", "json", "-t", '{"a": [1, null]}'], 0, ["matches: 16 bytes, builtin json"]),
    "empty text": (["--regex", "a*", "-t", ""], 0, ["matches: 0 bytes"]),
}


@pytest.mark.parametrize("case", CHECKS)
def test_check(case: str, folder: Path, run: Run) -> None:
    arguments, code, fragments = CHECKS[case]
    ran = run("check", *arguments)
    assert ran.code == code
    for fragment in fragments:
        assert fragment in ran.out


def test_check_reads_standard_input(folder: Path, run: Run) -> None:
    assert run("check", "--regex", "a+", "-", stdin=b"aaa\n").code == 0
    assert run("check", "--regex", "a+", "-", stdin=b"aab\n").code == 1


def test_check_of_a_long_text(folder: Path, run: Run) -> None:
    text = "[" * 10_000 + "]" * 10_000
    (folder / "long.txt").write_text(text + "]", encoding="utf-8")
    ran = run("check", "--gbnf", "list.gbnf", "--exact", "long.txt")
    assert ran.code == 1
    assert f"column {len(text) + 1}" in ran.out


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("[a-z]", b"", ["a-z"]),
        ("[a-c0-9_]x", b"", ["0-9", "'_'", "a-c"]),
        ("yes|no", b"", ["'no'", "'yes'"]),
        ("ab?", b"a", ["'b'", "the end of the text"]),
        (r"[\t\n\r ]x", b"", ["white space"]),
        (r"[ \t]x", b"", ["tab", "space"]),
        (r"[^\x00-\x7f]", b"", ["characters beyond ASCII"]),
        ("é", b"\xc3", ["the rest of a character"]),
        (
            r'[^"\x00-\x20]',
            b"",
            ['any visible character except "', "characters beyond ASCII", "control characters"],
        ),
        ("a", b"a", ["the end of the text"]),
        ("x" * 50, b"x", [f"'{'x' * 32}...'"]),
    ],
)
def test_what_is_expected(pattern: str, text: bytes, expected: list[str]) -> None:
    matcher = Compiler(byte_vocabulary()).regex(pattern).matcher()
    assert matcher.accept_bytes(text) or not text
    assert sorted(describe_next(matcher)) == sorted(expected)


# compile, info ----------------------------------------------------------------------------------


def test_compile_info_check(folder: Path, run: Run) -> None:
    ran = run("compile", "--schema", "person.json", "-o", "person.sgc")
    assert ran.code == 0, ran.err
    size = (folder / "person.sgc").stat().st_size
    for fragment in (f"{size:,} bytes", "person.json", "default, ", "parser", "terminal", "s to compile"):
        assert fragment in ran.out
    described = run("info", "person.sgc")
    assert described.code == 0
    for fragment in ("json_schema", "vocabulary", '"minLength": 1'):
        assert fragment in described.out
    for more in ([], ["--tokenizer", "default"]):
        assert run("check", "--artifact", "person.sgc", *more, "good.txt").code == 0
        assert run("check", "--artifact", "person.sgc", *more, "bad.txt").code == 1
    other = run("check", "--artifact", "person.sgc", "--tokenizer", "bytes", "good.txt")
    assert (other.code, "another vocabulary" in other.err) == (2, True)

    data = (folder / "person.sgc").read_bytes()
    for name, damaged in {"cut.sgc": data[: size // 2], "flipped.sgc": data[:-3] + b"\x00\x01\x02"}.items():
        (folder / name).write_bytes(damaged)
        for command in (["info", name], ["check", "--artifact", name, "-t", "x"]):
            refused = run(*command)
            assert refused.code == 2
            assert name in refused.err


def test_compile_overwrites_only_when_told(folder: Path, run: Run) -> None:
    assert run("compile", "--choice", "a", "-o", "a.sgc", "--tokenizer", "bytes").code == 0
    assert run("compile", "--choice", "b", "-o", "a.sgc", "--tokenizer", "bytes").code == 2
    assert run("check", "--artifact", "a.sgc", "-t", "a").code == 0
    assert run("compile", "--choice", "b", "-o", "a.sgc", "--tokenizer", "bytes", "--force").code == 0
    assert run("check", "--artifact", "a.sgc", "-t", "b").code == 0


def test_compile_leaves_no_half_written_file(folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    monkeypatch.setattr(os, "link", fail)
    ran = run("compile", "--choice", "a", "-o", "a.sgc", "--tokenizer", "bytes")
    assert (ran.code, "No space left" in ran.err) == (2, True)
    assert {path.name for path in folder.iterdir()} == {*FILES, "latin1.txt"}


@pytest.mark.parametrize(
    ("tokenizer", "fragments"),
    [
        ("bytes", ["257, of them 256", "EOS ids", "256 of 256"]),
        ("default", ["special tokens", "hash", "trie"]),
    ],
)
def test_info_of_a_tokenizer(tokenizer: str, fragments: list[str], run: Run) -> None:
    ran = run("info", tokenizer)
    assert ran.code == 0
    for fragment in fragments:
        assert fragment in ran.out


def test_info_of_a_tokenizer_file(run: Run) -> None:
    file = Path(__file__).resolve().parents[2] / "shared" / "data" / "tokenizers" / "gpt-neox-20b.json"
    if not file.parent.is_dir():
        pytest.skip("the shared data folder is not here")
    ran = run("info", file)
    assert ran.code == 0
    assert "50,277" in ran.out


def test_grammars(run: Run) -> None:
    ran = run("grammars")
    assert ran.code == 0
    rows = {line.split()[0]: line for line in ran.out.splitlines()}
    assert {"json", "python", "go", "sql", "c", "java", "math", "fol", "csv", "smiles"} <= set(rows)
    for word in ("file_input, statement, expression", "basic", "indentation", "Python 3.11"):
        assert word in rows["python"]


def test_start_rule_of_a_builtin_grammar(folder: Path, run: Run) -> None:
    (folder / "sum.txt").write_text("1 + 2", encoding="utf-8")
    assert run("check", "--builtin", "math", "--start", "expression", "sum.txt").code == 0
    (folder / "relation.txt").write_text("1 = 2", encoding="utf-8")
    assert run("check", "--builtin", "math", "--start", "expression", "relation.txt").code == 1
    assert run("check", "--builtin", "math", "relation.txt").code == 0
    unknown = run("check", "--builtin", "math", "--start", "sum", "sum.txt")
    assert unknown.code == 2
    assert "relation, expression" in unknown.err


# generate ---------------------------------------------------------------------------------------


def test_generate(folder: Path, run: Run) -> None:
    ran = run("generate", "--schema", "person.json", "--seed", "1")
    assert ran.code == 0, ran.err
    person = json.loads(ran.out)
    assert 0 <= person.get("age", 0) <= 120
    assert "complete" in ran.err
    assert run("generate", "--schema", "person.json", "--seed", "1").out == ran.out


def test_generate_says_when_it_was_cut_off(folder: Path, run: Run) -> None:
    ran = run("generate", "--schema", "person.json", "--max-new-tokens", "3", "--greedy")
    assert ran.code == 1
    assert "cut off by --max-new-tokens 3" in ran.err


def test_generate_from_an_artifact(folder: Path, run: Run) -> None:
    assert run("compile", "--choice", "größer", "--choice", "größer", "-o", "a.sgc").code == 0
    ran = run("generate", "--artifact", "a.sgc", "-p", "x", "--temperature", "0")
    assert (ran.code, ran.out) == (0, "größer\n")


def test_streaming_shows_whole_characters_only() -> None:
    vocabulary = Vocabulary([b"\xf0\x9f", b"\x8e\x88!", b"\xf0", None], 3)
    shown: list[str] = []

    class Terminal(io.StringIO):
        def write(self, text: str) -> int:
            shown.append(text)
            return len(text)

    streamer = TerminalStreamer(vocabulary, Terminal())
    streamer._prompt_seen = True
    for token in (0, 1, 3, 2):
        streamer.show([token])
    streamer.end()
    assert shown == ["", "🎈!", "", "", "\ufffd\n"]


# The demo, the process --------------------------------------------------------------------------


def test_demo(run: Run) -> None:
    ran = run("demo", "--greedy")
    assert ran.code == 0, ran.out
    for fragment in ("JSON Schema", "regular expression", "Lark", "GBNF", "with it: 4 of 4"):
        assert fragment in ran.out


def test_readme_examples(folder: Path) -> None:
    """The README's Python blocks run, one after the other, as a newcomer would type them."""
    import torch

    readme = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", readme, flags=re.DOTALL | re.MULTILINE)
    assert len(blocks) >= 5
    names: dict[str, Any] = {}
    for block in blocks:
        if "vocabulary" in names:
            names.setdefault("logits", torch.zeros(1, names["vocabulary"].size))
            names["token"] = names["vocabulary"].tokenize_bytes(b"{")[0]
        # as a file of its own, without what this one imports from __future__
        exec(compile(block, "README.md", "exec", dont_inherit=True), names)
    person = json.loads(names["result"].text)
    assert 0 <= person["age"] <= 120
    assert torch.isinf(names["logits"]).any()


def test_interrupt(folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(spec: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("structgen.cli.tokenizer_choice.load_vocabulary", interrupted)
    ran = run("compile", "--regex", "a", "-o", "a.sgc")
    assert ran.code == 130
    assert ran.err.endswith("interrupted\n")


def test_version_and_help(run: Run) -> None:
    from structgen import __version__

    assert run("--version").out == f"structgen {__version__}\n"
    for arguments in (
        ["--help"],
        ["-h"],
        ["compile", "--help"],
        ["bench", "--help"],
        ["bench", "maskbench", "--help"],
    ):
        ran = run(*arguments)
        assert ran.code == 0
        assert "Usage:" in ran.out


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom structgen.cli import main\nstatus = main(['--help'])\n"
        "heavy = {'torch', 'transformers', 'numba', 'numpy', 'matplotlib'} & set(sys.modules)\n"
        "sys.exit(f'loaded: {heavy}' if heavy or status else 0)\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_unknown_model_id_offline() -> None:
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "HF_HUB_OFFLINE": "1",
    }
    code = "import sys; from structgen.cli import main; sys.exit(main(['info', 'nobody/no-such-model']))"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "no tokenizer 'nobody/no-such-model'" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_module_that_cannot_be_imported_is_its_own_error(folder: Path, run: Run) -> None:
    with pytest.raises(ModuleNotFoundError, match="there_is_no_such_module"):
        run("check", "--type", "torn:Person", "-t", "x")
