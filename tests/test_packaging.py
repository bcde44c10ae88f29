"""The wheel, away from the repository: what lies in it, and that it works."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = {"structgen", "structgen_bench", "structgen_grammars", "structgen_kernels"}


def run(*command: str | Path, **options) -> str:
    done = subprocess.run(
        [*map(str, command)], capture_output=True, text=True, timeout=300, check=False, **options
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT)
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def elsewhere(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A folder outside the repository, and an environment in which the installed wheel goes first.

    Kernels run as plain Python there: compiling them anew for a new place takes a minute.
    """
    site = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run(*pip, "--no-deps", "--no-index", "--target", site, wheel)
    return tmp_path_factory.mktemp("work"), os.environ | {"PYTHONPATH": str(site), "NUMBA_DISABLE_JIT": "1"}


def test_the_wheel_holds_four_packages_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    (info,) = {name.split("/")[0] for name in names} - PACKAGES
    assert info.startswith("structgen-") and info.endswith(".dist-info")
    for expected in (
        "structgen/py.typed",
        "structgen/model/default/model.safetensors",
        "structgen/model/default/tokenizer.json",
        "structgen_grammars/json.lark",
        "structgen_kernels/apply_cpu.py",
        "structgen_kernels/py.typed",
        f"{info}/licenses/LICENSE",
    ):
        assert expected in names
    assert not [name for name in names if "__pycache__" in name or "/results/" in name or "/tests/" in name]


def test_the_installed_wheel_compiles_a_regex_away_from_the_repository(elsewhere) -> None:
    code = """
import sys
from structgen import Compiler, Vocabulary
vocabulary = Vocabulary([bytes([i]) for i in range(256)] + [b"12", None], eos_token_ids=257)
matcher = Compiler(vocabulary).regex("[0-9]{2}").matcher()
assert matcher.accept(256) and matcher.is_accepting and not matcher.accept(256) and matcher.accept(257)
import structgen_bench, structgen_grammars, structgen_kernels
loaded = [m for name, m in sys.modules.items() if name.split(".")[0].startswith("structgen")]
print(*{m.__file__ for m in loaded}, sep="\\n")
"""
    folder, environment = elsewhere
    files = run(sys.executable, "-c", code, cwd=folder, env=environment).split("\n")
    site = environment["PYTHONPATH"]
    assert [name for name in files if name and not name.startswith(site)] == []


def test_the_installed_command_works_away_from_the_repository(elsewhere) -> None:
    folder, environment = elsewhere
    command = Path(environment["PYTHONPATH"], "bin", "structgen")
    assert run(command, "--version", cwd=folder, env=environment).startswith("structgen ")


def test_the_folders_of_the_repository_are_no_packages() -> None:
    """With the repository on the path a folder `kernels` must not pass for Hugging Face's package."""
    for folder in ("kernels", "grammars", "bench", "tests"):
        assert not (ROOT / folder / "__init__.py").exists()
    code = "import transformers; from transformers.utils import is_kernels_available as k; print(k())"
    assert run(sys.executable, "-c", code, cwd=ROOT).strip() == "False"
