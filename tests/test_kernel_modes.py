"""The engine's laws once more with the kernels as plain Python, and with bounds checks.

Out-of-range reads are silent in compiled kernels; a kernel that works by accident fails here.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent


# Plain Python is a hundred times slower: of the remembered texts, rows and histories are enough there, and of
# the grammars with a lexer one text.
MODES = [
    (
        "NUMBA_DISABLE_JIT",
        25,
        [
            "test_texts.py::test_rows",
            "test_texts.py::test_any_history_equals_a_replay",
            "test_batch.py::test_a_matcher_that_has_ended_clears_its_row_and_comes_back",
            "test_whole_masks.py::test_a_table_is_a_dictionary",
            "test_lexed.py::test_masks_along_a_small_text",
            "test_sampling_model.py::test_masses_of_a_row",
            "test_output_layer.py::test_nan_and_infinity_come_through",
            "test_json_schema_numbers.py::test_bounds_of_many_digits",
        ],
    ),
    (
        "NUMBA_BOUNDSCHECK",
        150,
        [
            "test_texts.py",
            "test_lexed_laws.py",
            "test_batch.py",
            "test_whole_masks.py",
            "test_sampling_model.py::test_masses_of_a_row",
            "test_sampling_model.py::test_masked_rows_are_the_same_on_the_cpu_and_on_a_device",
            "test_output_layer.py::test_products",
            "test_json_schema_numbers.py::test_ways_to_write",
        ],
    ),
]


@pytest.mark.parametrize(("variable", "examples", "texts"), MODES)
def test_the_laws_hold_in_every_mode(variable, examples, texts, tmp_path):
    environment = os.environ | {
        variable: "1",
        "STRUCTGEN_LAW_EXAMPLES": str(examples),
        "STRUCTGEN_TEXT_WALKS": "1",
        "NUMBA_CACHE_DIR": str(
            tmp_path
        ),  # code with other flags must not come from, or get into, the usual cache
        "STRUCTGEN_CACHE_DIR": str(tmp_path),
    }
    # numpy warns where compiled arithmetic wraps around, which the hashes mean to
    command = [
        sys.executable,
        "-W",
        "ignore:overflow:RuntimeWarning",
        "-m",
        "pytest",
        "-q",
        "-x",
        "-p",
        "no:cacheprovider",
    ]
    command += ["-p", "no:xdist", str(HERE / "test_laws.py"), *(str(HERE / name) for name in texts)]
    command += ["-W", "ignore:overflow:RuntimeWarning"]
    command += ["--deselect", f"{HERE / 'test_laws.py'}::test_deep_recursion_needs_no_python_stack[3000]"]
    result = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=900, cwd=HERE.parent
    )
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-2000:]
    assert " passed" in result.stdout
