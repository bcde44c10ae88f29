from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from structgen import apply
from structgen.apply import apply_bitmask_
from structgen.errors import BitmaskError, OptionError

FLOATS = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
INTEGERS = {
    torch.float16: torch.int16,
    torch.bfloat16: torch.int16,
    torch.float32: torch.int32,
    torch.float64: torch.int64,
}
NOT_JITTED = os.environ.get("NUMBA_DISABLE_JIT") == "1"


def naive_apply(logits: list[list[float]], bitmask: np.ndarray, rows: list[int]) -> list[list[float]]:
    """What `apply_bitmask_` is to do, bit by bit."""
    result = [list(row) for row in logits]
    for words, row in zip(bitmask.tolist(), rows, strict=True):
        for column in range(len(result[row])):
            allowed = column < 32 * len(words) and (words[column // 32] >> column % 32) & 1
            if not allowed:
                result[row][column] = float("-inf")
    return result


def random_bitmask(generator: np.random.Generator, rows: int, words: int, share: float) -> np.ndarray:
    bits = generator.random((rows, 32 * words)) < share
    # whole words and whole groups of one value too: they take other ways through the kernel
    for first in range(0, words, 3):
        if generator.random() < 0.5:
            bits[:, 32 * first : 32 * (first + 11)] = generator.random() < share
    return np.packbits(bits, axis=1, bitorder="little").view(np.int32)


@pytest.mark.parametrize("backend", ["numba", "torch"])
@settings(max_examples=40 if NOT_JITTED else 150)
@given(data=st.data())
def test_agrees_with_the_naive_loop(backend: str, data: st.DataObject) -> None:
    dtype = data.draw(st.sampled_from(FLOATS), "dtype")
    height = data.draw(st.integers(1, 4), "rows")
    width = data.draw(st.one_of(st.integers(1, 70), st.integers(250, 600)), "width")
    words = data.draw(st.integers(1, -(-width // 32)), "words")
    before, after = data.draw(st.tuples(st.integers(0, 3), st.integers(0, 3)), "columns around")
    rows = data.draw(st.none() | st.lists(st.integers(0, height - 1), unique=True), "indices")
    seed = data.draw(st.integers(0, 10**6), "seed")
    share = data.draw(st.sampled_from([0.0, 0.02, 0.5, 0.98, 1.0]), "share allowed")

    generator = np.random.default_rng(seed)
    masks = height if rows is None else len(rows)
    bitmask = random_bitmask(generator, masks, words, share)
    whole = torch.randn(height, before + width + after, generator=torch.Generator().manual_seed(seed)).to(
        dtype
    )
    around = whole.clone()
    around[:, before : before + width] = 0
    logits = whole[:, before : before + width]
    expected = naive_apply(logits.tolist(), bitmask, list(range(height)) if rows is None else rows)

    apply_bitmask_(logits, bitmask, indices=rows, backend=backend)

    assert logits.tolist() == expected
    outside = whole.clone()
    outside[:, before : before + width] = 0
    assert torch.equal(outside, around), "columns beside the logits were written"


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("backend", ["numba", "torch"])
def test_allowed_logits_keep_their_bits(dtype: torch.dtype, backend: str) -> None:
    odd = [
        float("nan"),
        float("inf"),
        float("-inf"),
        -0.0,
        0.0,
        torch.finfo(dtype).tiny / 2,
        torch.finfo(dtype).max,
    ]
    logits = torch.tensor([odd * 12], dtype=dtype)
    before = logits.view(INTEGERS[dtype]).clone()
    bitmask = np.full((1, 3), -1, np.int32)
    bitmask[0, 1] = 0x5A5A5A5A
    apply_bitmask_(logits, bitmask, backend=backend)
    allowed = [(int(bitmask[0, i // 32]) >> i % 32) & 1 == 1 for i in range(84)]
    assert torch.equal(logits.view(INTEGERS[dtype])[0, allowed], before[0, allowed])
    assert logits[0, [not a for a in allowed]].eq(float("-inf")).all()


def test_one_dimension_tensor_and_read_only_masks_do() -> None:
    mask = np.array([0b101, 1], np.int32)
    expected = [0.0 if i in (0, 2, 32) else float("-inf") for i in range(40)]
    mask.flags.writeable = False
    apart = np.stack([mask, mask], axis=1)[:, 0]  # words 8 bytes apart
    for given_mask in (mask, mask[None], torch.tensor(mask.tolist(), dtype=torch.int32), apart):
        for backend in ("auto", "torch"):
            logits = torch.zeros(40)
            apply_bitmask_(logits, given_mask, backend=backend)
            assert logits.tolist() == expected
            wide = torch.zeros(1, 40)
            apply_bitmask_(wide, given_mask, backend=backend)
            assert wide[0].tolist() == expected


def test_nothing_to_do_is_fine() -> None:
    apply_bitmask_(torch.zeros(0, 40), np.zeros((0, 2), np.int32))
    apply_bitmask_(torch.zeros(2, 0), np.zeros((2, 0), np.int32))
    logits = torch.zeros(2, 40)
    apply_bitmask_(logits, np.zeros((0, 2), np.int32), indices=[])
    assert logits.eq(0).all()
    apply_bitmask_(logits, np.zeros((2, 0), np.int32))  # no word: no column is allowed
    assert logits.eq(float("-inf")).all()


@pytest.mark.skipif(NOT_JITTED, reason="too large for the interpreter; the kernel itself is tested above")
@pytest.mark.parametrize("threads", [2, 3])
def test_threads_do_the_same(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    generator = np.random.default_rng(5)
    for share, parallel in [(0.5, threads), (0.0, threads), (1.0, 1)]:
        bitmask = np.packbits(generator.random((40, 65536)) < share, axis=1, bitorder="little").view(np.int32)
        assert apply._threads_for(bitmask, 65536 * 2) == parallel  # 5 MB of logits
        logits = torch.randn(80, 65536).to(torch.bfloat16)
        expected = logits.clone()
        rows = generator.permutation(80)[:40]
        apply_bitmask_(logits, bitmask, indices=rows)
        apply_bitmask_(expected, bitmask, indices=rows, backend="torch")
        assert torch.equal(logits, expected)


FINE = np.zeros((2, 2), np.int32)
BAD_CALLS = [
    (np.zeros((2, 40), np.float32), FINE, {}, "logits: got ndarray, expected a torch.Tensor"),
    (torch.zeros(2, 40, dtype=torch.int64), FINE, {}, "dtype torch.int64, expected one of float16, "),
    (torch.zeros(2, 40, 1), FINE, {}, r"shape \(2, 40, 1\), expected \(V,\) or \(rows, V\)"),
    (torch.zeros(2, 40, requires_grad=True), FINE, {}, "autograd graph.*detach"),
    (torch.zeros(40, 2).T, FINE, {}, "next to each other.*contiguous"),
    (torch.zeros(40).expand(2, 40), FINE, {}, "rows overlap.*clone"),
    (torch.zeros(2, 40).to_sparse(), FINE, {}, "layout torch.sparse_coo"),
    (torch.zeros(2, 40), [[0, 0], [0, 0]], {}, "bitmask: got list"),
    (torch.zeros(2, 40), FINE.astype(np.int64), {}, "bitmask: dtype int64, expected int32"),
    (torch.zeros(2, 40), FINE.view(np.uint32), {}, "bitmask: dtype uint32, expected int32"),
    (torch.zeros(2, 40), torch.zeros(2, 2, dtype=torch.bool), {}, "bitmask: dtype torch.bool, "),
    (torch.zeros(2, 40), np.zeros((2, 2, 1), np.int32), {}, r"shape \(2, 2, 1\), expected \(words,\) or"),
    (torch.zeros(2, 40), np.zeros((2, 3), np.int32), {}, r"3 words for logits of 40.*at most 2.*\[..., :2\]"),
    (torch.zeros(2, 40), np.zeros((3, 2), np.int32), {}, "3 rows for 2 rows of logits.*indices"),
    (torch.zeros(2, 40), np.zeros(2, np.int32), {}, "1 rows for 2 rows"),
    (torch.zeros(2, 40), torch.zeros(2, 2, dtype=torch.int32, device="meta"), {}, "on meta, the logits"),
    (torch.zeros(2, 40), FINE, {"indices": [0]}, "1 for a bitmask of 2 rows"),
    (torch.zeros(2, 40), FINE, {"indices": [0, 2]}, "rows of the logits, 0 to 1"),
    (torch.zeros(2, 40), FINE, {"indices": [-1, 0]}, "rows of the logits, 0 to 1"),
    (torch.zeros(2, 40), FINE, {"indices": [1, 1]}, "no row twice"),
    (torch.zeros(2, 40), FINE, {"indices": [True, False]}, "bool.*expected integers"),
    (torch.zeros(2, 40), FINE, {"indices": [[0, 1]]}, "expected integers"),
    (torch.zeros(2, 40, device="meta"), FINE, {"backend": "numba"}, "on meta, expected cpu"),
    (torch.zeros(2, 40), FINE, {"backend": "triton"}, "on cpu, expected cuda"),
]  # fmt: skip


@pytest.mark.parametrize(("logits", "bitmask", "options", "message"), BAD_CALLS)
def test_bad_calls_say_what_is_expected_and_write_nothing(logits, bitmask, options, message) -> None:
    with pytest.raises(BitmaskError, match=message):
        apply_bitmask_(logits, bitmask, **options)
    if isinstance(logits, torch.Tensor) and logits.device.type == "cpu" and not logits.is_sparse:
        assert logits.eq(0).all()


def test_an_unknown_backend_is_refused() -> None:
    with pytest.raises(OptionError, match="'cuda', expected one of auto, numba, triton, torch"):
        apply_bitmask_(torch.zeros(2, 40), FINE, backend="cuda")


@pytest.mark.parametrize("variable", ["NUMBA_DISABLE_JIT", "NUMBA_BOUNDSCHECK"])
def test_the_kernel_in_other_modes(variable: str, tmp_path: Path) -> None:
    """Without the compiler, and with every index checked (cached apart from the unchecked)."""
    environment = os.environ | {variable: "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    command = [
        sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error::RuntimeWarning",
        __file__,
        "-k", "naive_loop and numba or keep_their_bits and numba or one_dimension or nothing",
    ]  # fmt: skip
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
