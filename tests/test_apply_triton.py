"""The Triton kernel: run by Triton's interpreter, compiled for a GPU, and run on one where there is one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from structgen.apply import apply_bitmask_

pytest.importorskip("triton", reason="there is no Triton for this system")

FLOATS = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


def compare_with_torch(device: str) -> int:
    """Run both backends on the same input; how many cases agreed (all of them, or an AssertionError)."""
    generator = np.random.default_rng(0)
    cases = 0
    for width in (1, 32, 33, 4096, 4097, 9000):
        words = -(-width // 32)
        for dtype in FLOATS:
            for known, share, rows in [
                (words, 0.5, None),
                (words, 0.01, [2, 0]),
                (max(1, words - 3), 0.99, None),
                (words, 1.0, [1]),
            ]:
                masks = 3 if rows is None else len(rows)
                bits = generator.random((masks, 32 * known)) < share
                bitmask = np.packbits(bits, axis=1, bitorder="little").view(np.int32)
                whole = torch.randn(3, width + 5).to(device, dtype)
                expected = whole.clone()
                apply_bitmask_(whole[:, 2 : 2 + width], bitmask, indices=rows, backend="triton")
                apply_bitmask_(expected[:, 2 : 2 + width], bitmask, indices=rows, backend="torch")
                if not torch.equal(whole, expected):
                    raise AssertionError((width, dtype, known, share, rows))
                cases += 1
    return cases


def run_here(code: str, **variables: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | variables, capture_output=True, text=True, timeout=300,
        check=False, cwd=Path(__file__).parent,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_agrees_with_torch_in_the_interpreter() -> None:
    code = "import test_apply_triton; print(test_apply_triton.compare_with_torch('cpu'))"
    assert run_here(code, TRITON_INTERPRET="1") == "96"


def test_compiles_for_cuda(tmp_path: Path) -> None:
    """The interpreter does not see what the compiler refuses; the compiler needs no GPU. Every value the
    kernel stores goes through a predicate, and no logit is loaded."""
    code = """
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from structgen_kernels.apply_triton import WORDS, mask_rows
for logits in ("fp16", "bf16", "fp32", "fp64"):
    for rows in ("*i64", None):
        signature = {"logits": "*" + logits, "stride": "i64", "width": "i32", "bitmask": "*i32",
                     "mask_stride": "i64", "words": "i32", "rows": rows or "constexpr", "WORDS": "constexpr"}
        constants = {"WORDS": WORDS} | ({} if rows else {"rows": None})
        made = triton.compile(ASTSource(mask_rows, signature, constants), target=GPUTarget("cuda", 90, 32))
        print(made.asm["ptx"].count("ld.global"), made.asm["ptx"].count("st.global") > 0)
"""
    lines = run_here(code, TRITON_CACHE_DIR=str(tmp_path), TRITON_INTERPRET="0").splitlines()
    assert lines == ["2 True", "1 True"] * 4


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_agrees_with_torch_on_the_device() -> None:
    assert compare_with_torch("cuda") == 96
    logits = torch.zeros(2, 100, device="cuda")
    apply_bitmask_(logits, torch.full((2, 4), 1, dtype=torch.int32, device="cuda"))  # "auto"
    assert logits.isfinite().sum().item() == 8
