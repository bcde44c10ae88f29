"""Bitmask onto logits: what is not allowed becomes minus infinity, in place.

One front door, `apply_bitmask_`, checks its arguments once and hands them to one of three backends that
do the same: numba on the CPU, Triton on CUDA, plain torch on other devices (and as the reference that the
tests compare the others with).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, lru_cache
from importlib.util import find_spec
from itertools import pairwise
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from structgen.errors import BitmaskError, OptionError

Backend = Literal["auto", "numba", "triton", "torch"]

_NAMES = get_args(Backend)

# For each float type: the integer type of its width, and the bits of minus infinity in it.
_INTEGER_VIEWS = {
    dtype: (bits, torch.tensor([float("-inf")], dtype=dtype).view(bits).numpy()[0])
    for dtype, bits in (
        (torch.float16, torch.int16),
        (torch.bfloat16, torch.int16),
        (torch.float32, torch.int32),
        (torch.float64, torch.int64),
    )
}

# With fewer bytes of logits to write, one thread is done before a second has woken up (some 50 us).
_PARALLEL_BYTES = 2 << 20
_SAMPLED = 61  # every 61st word tells how many bytes there are to write; prime, so that no pattern hides


def apply_bitmask_(
    logits: torch.Tensor,
    bitmask: torch.Tensor | NDArray[np.int32],
    *,
    indices: Sequence[int] | NDArray[np.integer[Any]] | torch.Tensor | None = None,
    backend: Backend = "auto",
) -> None:
    """Set the logits that the bitmask does not allow to minus infinity, in place.

    logits: float16, bfloat16, float32 or float64, (V,) or (rows, V), on any device; rows may lie any
        distance apart (a slice of a wider tensor works), the columns of one row next to each other.
    bitmask: int32, (words,) or (rows, words), with at most ceil(V / 32) words: bit i of word w allows
        column 32w + i. Columns past 32 * words become minus infinity. A numpy array, or a tensor on
        the logits' device; a numpy array is copied to the device if it must be.
    indices: the logits row that each bitmask row is for, none twice; the other rows stay as they are.
        Without it row r of the bitmask is for row r of the logits.
    backend: "numba" (CPU), "triton" (CUDA), "torch" (any device), or "auto": the first that fits.

    Raises `BitmaskError` if shape, dtype, device or layout do not fit, `OptionError` on an unknown
    backend. Nothing is written then.
    """
    if backend not in _NAMES:
        raise OptionError("backend", backend, "one of " + ", ".join(_NAMES))
    logits = _checked_logits(logits)
    bitmask = _checked_bitmask(bitmask, logits)
    masks, height = bitmask.shape[0], logits.shape[0]
    rows = None
    if indices is not None:
        rows = _checked_rows(indices, masks, height)
    elif masks != height:
        raise BitmaskError(
            f"bitmask: {masks} rows for {height} rows of logits, expected as many; name the rows that "
            "it is for with indices=[...]"
        )
    if masks == 0 or logits.numel() == 0:
        return
    _BACKENDS[_choose(backend, logits)](logits, bitmask, rows)


def _checked_logits(logits: torch.Tensor) -> torch.Tensor:
    """The logits as (rows, V), after all checks that concern them alone."""
    if not isinstance(logits, torch.Tensor):
        raise BitmaskError(f"logits: got {type(logits).__name__}, expected a torch.Tensor")
    if logits.dtype not in _INTEGER_VIEWS:
        names = ", ".join(str(dtype).removeprefix("torch.") for dtype in _INTEGER_VIEWS)
        raise BitmaskError(f"logits: dtype {logits.dtype}, expected one of {names}")
    if logits.dim() not in (1, 2):
        raise BitmaskError(f"logits: shape {tuple(logits.shape)}, expected (V,) or (rows, V)")
    if logits.requires_grad:
        raise BitmaskError("logits: in an autograd graph, which a write in place would break; detach them")
    if logits.layout != torch.strided:
        raise BitmaskError(f"logits: layout {logits.layout}, expected torch.strided")
    if logits.dim() == 1:
        logits = logits.unsqueeze(0)
    height, width = logits.shape
    if width > 1 and logits.stride(1) != 1:
        raise BitmaskError(
            f"logits: strides {logits.stride()}, expected the columns of a row next to each other "
            "(stride 1); apply the mask to a contiguous tensor"
        )
    if height > 1 and logits.stride(0) < width:
        raise BitmaskError(
            f"logits: strides {logits.stride()}: the rows overlap (an expanded tensor?); clone it first"
        )
    return logits


def _checked_bitmask(
    bitmask: torch.Tensor | NDArray[np.int32], logits: torch.Tensor
) -> torch.Tensor | NDArray[np.int32]:
    """The bitmask as (rows, words), after all checks but the number of rows."""
    if isinstance(bitmask, torch.Tensor):
        fits = bitmask.dtype == torch.int32
        if bitmask.device != logits.device:
            raise BitmaskError(
                f"bitmask: on {bitmask.device}, the logits on {logits.device}; expected a tensor on the "
                "same device or a numpy array"
            )
    elif isinstance(bitmask, np.ndarray):
        fits = bitmask.dtype == np.int32
    else:
        raise BitmaskError(f"bitmask: got {type(bitmask).__name__}, expected a torch.Tensor or numpy array")
    if not fits:
        raise BitmaskError(f"bitmask: dtype {bitmask.dtype}, expected int32")
    if bitmask.ndim not in (1, 2):
        raise BitmaskError(f"bitmask: shape {tuple(bitmask.shape)}, expected (words,) or (rows, words)")
    width = logits.shape[1]
    words = -(-width // 32)
    if bitmask.shape[-1] > words:
        raise BitmaskError(
            f"bitmask: {bitmask.shape[-1]} words for logits of {width} columns, expected at most {words}; "
            f"cut it with bitmask[..., :{words}] if the ids beyond cannot be wanted"
        )
    return bitmask[None] if bitmask.ndim == 1 else bitmask


def _checked_rows(
    indices: Sequence[int] | NDArray[np.integer[Any]] | torch.Tensor, masks: int, height: int
) -> NDArray[np.int64]:
    """The logits row of each bitmask row."""
    rows = indices.cpu().numpy() if isinstance(indices, torch.Tensor) else np.asarray(indices)
    if rows.size == 0:
        rows = rows.astype(np.int64)
    if rows.ndim != 1 or rows.dtype.kind not in "iu":
        raise BitmaskError(f"indices: {rows.dtype} {rows.shape}, expected integers (rows,)")
    if len(rows) != masks:
        raise BitmaskError(f"indices: {len(rows)} for a bitmask of {masks} rows, expected one for each")
    if len(rows) and (rows.min() < 0 or rows.max() >= height):
        raise BitmaskError(f"indices: {rows.tolist()}, expected rows of the logits, 0 to {height - 1}")
    if len(np.unique(rows)) != len(rows):
        raise BitmaskError(f"indices: {rows.tolist()}, expected no row twice")
    return rows.astype(np.int64)


def _choose(backend: Backend, logits: torch.Tensor) -> Backend:
    if backend == "auto" and logits.is_cpu:
        return "numba"
    device = logits.device.type
    if backend == "auto":
        return "triton" if device == "cuda" and find_spec("triton") else "torch"
    if backend == "numba" and device != "cpu":
        raise BitmaskError(f"logits: on {logits.device}, expected cpu for backend 'numba'")
    if backend == "triton" and device != "cuda" and os.environ.get("TRITON_INTERPRET") != "1":
        raise BitmaskError(
            f"logits: on {logits.device}, expected cuda for backend 'triton' (or TRITON_INTERPRET=1)"
        )
    return backend


@cache
def _cpu_kernel() -> Callable[..., None]:
    from structgen_kernels.apply_cpu import mask_rows  # numba takes its time to import

    return mask_rows


@lru_cache(maxsize=64)
def _same_rows(height: int) -> NDArray[np.int64]:
    return np.arange(height)


@lru_cache(maxsize=1)
def _pool(process: int) -> ThreadPoolExecutor:
    """The threads of this process: a fork has none of its parent's."""
    return ThreadPoolExecutor(max_workers=os.cpu_count() or 1, thread_name_prefix="structgen-apply")


def _threads_for(bitmask: NDArray[np.int32], row_bytes: int) -> int:
    """How many threads are worth starting; never more than torch may use."""
    allowed = min(torch.get_num_threads(), len(bitmask))
    if allowed == 1:
        return 1
    sample = bitmask[:, ::_SAMPLED]
    written = np.count_nonzero(sample != -1) / sample.size * len(bitmask) * row_bytes
    return allowed if written >= _PARALLEL_BYTES else 1


def _apply_numba(
    logits: torch.Tensor, bitmask: torch.Tensor | NDArray[np.int32], rows: NDArray[np.int64] | None
) -> None:
    bits, minus_infinity = _INTEGER_VIEWS[logits.dtype]
    height, width = logits.shape
    view = logits.view(bits)
    if view.is_contiguous():
        stride = width
    else:
        stride = logits.stride(0)
        view = view.as_strided(((height - 1) * stride + width,), (1,))
    # One dimension whatever the strides, so that numba compiles once for each width of number.
    flat = view.numpy().reshape(-1)
    array = bitmask.numpy() if isinstance(bitmask, torch.Tensor) else bitmask
    if not (array.flags.c_contiguous and array.flags.writeable):
        array = array.copy()  # a read-only array is another type to numba, which would compile again
    if rows is None:
        rows = _same_rows(height)
    mask_rows = _cpu_kernel()
    row_bytes = width * logits.element_size()
    threads = 1 if len(rows) * row_bytes < _PARALLEL_BYTES else _threads_for(array, row_bytes)
    if threads == 1:
        mask_rows(flat, stride, width, array, rows, minus_infinity)
        return
    cuts = [len(rows) * part // threads for part in range(threads + 1)]
    parts = [slice(begin, end) for begin, end in pairwise(cuts)]
    started = [
        _pool(os.getpid()).submit(mask_rows, flat, stride, width, array[part], rows[part], minus_infinity)
        for part in parts[1:]
    ]
    mask_rows(flat, stride, width, array[parts[0]], rows[parts[0]], minus_infinity)
    for future in started:
        future.result()


def _on_device(bitmask: torch.Tensor | NDArray[np.int32], device: torch.device) -> torch.Tensor:
    if isinstance(bitmask, torch.Tensor):
        return bitmask
    if not bitmask.flags.writeable:
        bitmask = bitmask.copy()  # torch has no read-only tensors and warns
    return torch.from_numpy(np.ascontiguousarray(bitmask)).to(device)


def _apply_triton(
    logits: torch.Tensor, bitmask: torch.Tensor | NDArray[np.int32], rows: NDArray[np.int64] | None
) -> None:
    from structgen_kernels.apply_triton import launch_mask_rows

    launch_mask_rows(
        logits,
        _on_device(bitmask, logits.device),
        None if rows is None else torch.from_numpy(rows).to(logits.device),
    )


def apply_bitmask_reference_(
    logits: torch.Tensor, bitmask: torch.Tensor | NDArray[np.int32], rows: NDArray[np.int64] | None = None
) -> None:
    """`apply_bitmask_` in plain torch operations, for (rows, V) logits and arguments known to be right."""
    words = _on_device(bitmask, logits.device)
    allowed = (words[:, :, None] >> torch.arange(32, device=logits.device, dtype=torch.int32)) & 1
    width = logits.shape[1]
    banned = torch.ones((len(words), width), dtype=torch.bool, device=logits.device)
    known = min(width, 32 * words.shape[1])
    banned[:, :known] = allowed.flatten(1)[:, :known] == 0
    if rows is None:
        logits.masked_fill_(banned, float("-inf"))
    else:
        chosen = torch.from_numpy(rows).to(logits.device)
        logits[chosen] = logits[chosen].masked_fill_(banned, float("-inf"))


_BACKENDS = {"numba": _apply_numba, "triton": _apply_triton, "torch": apply_bitmask_reference_}
