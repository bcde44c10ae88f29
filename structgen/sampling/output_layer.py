"""A model's output layer on the CPU, run by `structgen_kernels.projection` where that is faster.

Of a pass with few rows over a large vocabulary most of the time goes into the last matrix. While `faster` is
open, the module that a model names as its output embedding computes with our kernel if it is a plain
linear layer in float32 on the CPU and the rows are few; the model's own code runs before and after it as ever
(soft caps, scales). The sums are taken in another order, which changes logits in their last bits, as another
number of threads does.

Where the matrices before it are so small that threads gain little by them, torch runs on one thread then:
its helpers spin for a millisecond after each matrix, on the core that ours are waiting for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, Final

import numpy as np
import torch
from structgen_kernels.projection import FEW_ROWS, packed, project, project_few

from structgen.threads import Team, is_alone

MOST_ROWS: Final = 96  # from there on the library is as fast
LEAST_WEIGHTS: Final = 1 << 20  # below, a pass costs more elsewhere
_CHUNK: Final = 2046  # tokens that a thread takes at a time, in whole tiles
SMALL_PRODUCT: Final = 1 << 20  # products of numbers in a matrix of the model's: 0.05 ms on one core


def plain_output_layer(model: Any) -> torch.nn.Linear | None:
    """The model's output layer, if the kernel can stand in for it."""
    if hasattr(model, "_orig_mod") or getattr(model, "_compiled_call_impl", None) is not None:
        return None  # torch.compile would compile it anew for another forward
    find = getattr(model, "get_output_embeddings", None)
    layer = None if find is None else find()
    # no subclass: a quantised or adapted layer computes something else
    if type(layer) is not torch.nn.Linear or "forward" in vars(layer):
        return None
    weight = layer.weight
    if weight.device.type != "cpu" or weight.dtype != torch.float32 or type(weight) is not torch.nn.Parameter:
        return None
    return layer if weight.is_contiguous() and weight.numel() >= LEAST_WEIGHTS else None


def largest_matrix(model: Any) -> int:
    """Numbers in the largest matrix of a model but the embeddings; 0 where no layer is stood in for."""
    layer = plain_output_layer(model)
    if layer is None:
        return 0
    tokens = layer.weight.shape[0]
    return max((p.numel() for p in model.parameters() if p.dim() > 1 and p.shape[0] != tokens), default=0)


@contextmanager
def _on_one_thread() -> Iterator[None]:
    """Torch on one thread while open. Not beside other threads of Python's: one that comes to torch for the
    first time meanwhile would be on one thread for good.
    """
    before = torch.get_num_threads()
    if before == 1 or not is_alone():
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def faster(model: Any, products: int = SMALL_PRODUCT + 1) -> Iterator[None]:
    """While open, ``model``'s output layer is computed as the module says. Gradients must be off.

    products: of numbers in the largest matrix before it.
    """
    layer = plain_output_layer(model)
    if layer is None:
        yield
        return
    threads = torch.get_num_threads()
    usual: Callable[[torch.Tensor], torch.Tensor] = torch.nn.Linear.forward.__get__(layer)

    def forward(hidden: torch.Tensor) -> torch.Tensor:
        rows = hidden.numel() // layer.in_features
        if not 0 < rows <= MOST_ROWS or hidden.dtype != torch.float32 or torch.is_grad_enabled():
            return usual(hidden)
        out = projected(layer.weight, hidden.reshape(rows, -1), threads).reshape(*hidden.shape[:-1], -1)
        return out if layer.bias is None else out + layer.bias

    vars(layer)["forward"] = forward  # found before the class's
    try:
        with _on_one_thread() if products <= SMALL_PRODUCT else nullcontext():
            yield
    finally:
        vars(layer).pop("forward", None)  # gone already if another thread ran the model, too


def projected(weight: torch.Tensor, hidden: torch.Tensor, threads: int) -> torch.Tensor:
    """hidden float32 (rows, size) times weight float32 (tokens, size): float32 (rows, tokens)."""
    tokens = weight.shape[0]
    weights, rows = weight.detach().numpy(), np.ascontiguousarray(hidden.detach().numpy())
    out = torch.empty(len(rows), tokens)
    written = out.numpy()
    if len(rows) <= FEW_ROWS:

        def columns(begin: int, end: int) -> None:
            project_few(weights, rows, written, begin, end)
    else:
        beside = packed(rows)

        def columns(begin: int, end: int) -> None:
            project(weights, beside, written, begin, end)

    if threads == 1:
        columns(0, tokens)
    else:
        Team(threads, _chunks(columns, tokens)).finish()
    return out


def _chunks(columns: Callable[[int, int], None], tokens: int) -> Callable[[], None]:
    """A task that does chunk after chunk until none is left; for any number of threads at once."""
    left = list(range(0, tokens, _CHUNK))

    def task() -> None:
        while True:
            try:
                begin = left.pop()
            except IndexError:
                return
            columns(begin, min(begin + _CHUNK, tokens))

    return task
