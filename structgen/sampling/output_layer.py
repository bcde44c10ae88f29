"""A model's output layer on the CPU, run by `structgen_kernels.projection` where that is faster.

Of a pass with few rows over a large vocabulary most of the time goes into the last matrix. While `faster` is
open, the module that a model names as its output embedding computes with our kernel if it is a plain
linear layer in float32 on the CPU and the rows are few; the model's own code runs before and after it as ever
(soft caps, scales). The sums are taken in another order, which changes logits in their last bits, as another
number of threads does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
import torch
from structgen_kernels.projection import FEW_ROWS, packed, project, project_few

from structgen.threads import Team

MOST_ROWS: Final = 96  # from there on the library is as fast
LEAST_WEIGHTS: Final = 1 << 20  # below, a pass costs more elsewhere
_CHUNK: Final = 2046  # tokens that a thread takes at a time, in whole tiles


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


@contextmanager
def faster(model: Any) -> Iterator[None]:
    """While open, ``model``'s output layer is computed as the module says. Gradients must be off."""
    layer = plain_output_layer(model)
    if layer is None:
        yield
        return
    usual: Callable[[torch.Tensor], torch.Tensor] = torch.nn.Linear.forward.__get__(layer)

    def forward(hidden: torch.Tensor) -> torch.Tensor:
        rows = hidden.numel() // layer.in_features
        if not 0 < rows <= MOST_ROWS or hidden.dtype != torch.float32 or torch.is_grad_enabled():
            return usual(hidden)
        out = projected(layer.weight, hidden.reshape(rows, -1)).reshape(*hidden.shape[:-1], -1)
        return out if layer.bias is None else out + layer.bias

    vars(layer)["forward"] = forward  # found before the class's
    try:
        yield
    finally:
        vars(layer).pop("forward", None)  # gone already if another thread ran the model, too


def projected(weight: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
    """hidden float32 (rows, size) times weight float32 (tokens, size): float32 (rows, tokens)."""
    tokens, threads = weight.shape[0], torch.get_num_threads()
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
