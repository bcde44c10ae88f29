"""Token bitmask onto logits, on CUDA."""

from __future__ import annotations

from contextlib import nullcontext

import torch
import triton
import triton.language as tl

WORDS = 128  # words of a program: 4,096 columns


@triton.jit
def mask_rows(  # type: ignore[no-untyped-def]  # Triton reads annotations, and takes no others than its own
    logits, stride, width, bitmask, mask_stride, words, rows, WORDS: tl.constexpr
):
    """Write minus infinity over every logit that its row of the bitmask does not allow.

    One program for each bitmask row and each WORDS words. The logits are never read: allowed ones are
    left alone by the mask of the store, and words that are all ones cost nothing but their own load.

    logits: float* (rows, width), written, rows ``stride`` apart. bitmask: int32 (k, words), read, rows
    ``mask_stride`` apart. rows: int64 (k,), read, the logits row of each bitmask row; or None: the same.
    """
    k = tl.program_id(0)
    row = k.to(tl.int64) if rows is None else tl.load(rows + k)
    w = tl.program_id(1) * WORDS + tl.arange(0, WORDS)
    # Columns past the bitmask get the word 0: nothing is allowed there.
    word = tl.load(bitmask + k.to(tl.int64) * mask_stride + w, mask=w < words, other=0)
    bit = tl.arange(0, 32)
    banned = ((word[:, None] >> bit[None, :]) & 1) == 0
    column = w[:, None] * 32 + bit[None, :]
    tl.store(logits + row * stride + column, float("-inf"), mask=banned & (column < width))


def launch_mask_rows(logits: torch.Tensor, bitmask: torch.Tensor, rows: torch.Tensor | None) -> None:
    """Run `mask_rows` over (rows, V) logits, whose columns have stride 1, on their device and stream."""
    if bitmask.stride(1) != 1:
        bitmask = bitmask.contiguous()
    width = logits.shape[1]
    grid = (len(bitmask), triton.cdiv(width, 32 * WORDS))
    with torch.cuda.device(logits.device) if logits.is_cuda else nullcontext():
        mask_rows[grid](
            logits, logits.stride(0), width, bitmask, bitmask.stride(0), bitmask.shape[1], rows, WORDS=WORDS
        )
