"""Packed token bitmasks: int32 (rows, ceil(V / 32)); bit i of word w, when set, allows token 32 w + i.

Source of the layout: the convention that XGrammar and llguidance share, so that servers can switch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from structgen.errors import BitmaskError, OptionError

if TYPE_CHECKING:
    import torch

    Bitmask = npt.NDArray[np.int32] | torch.Tensor

_INT32 = np.dtype(np.int32)  # one object for all arrays of this type, but for foreign ones


def allocate_bitmask(rows: int, vocab_size: int) -> npt.NDArray[np.int32]:
    """A bitmask int32 (rows, ceil(vocab_size / 32)) with nothing allowed.

    ``torch.from_numpy`` shares its memory. Raises `OptionError` for sizes below 1.
    """
    for name, value in (("rows", rows), ("vocab_size", vocab_size)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
            raise OptionError(name, value, "a positive int")
    return np.zeros((int(rows), (int(vocab_size) + 31) // 32), np.int32)


def checked_bitmask(bitmask: Bitmask) -> npt.NDArray[np.int32]:
    """``bitmask`` as the array that shares its memory; `BitmaskError` when it cannot be written to."""
    # the usual case first, with as few look-ups as will do: this runs for every token
    if type(bitmask) is np.ndarray and bitmask.dtype is _INT32 and bitmask.ndim == 2 and bitmask.flags.carray:
        return bitmask
    array = bitmask
    if not isinstance(array, np.ndarray):
        if not hasattr(bitmask, "numpy") or not hasattr(bitmask, "device"):
            raise BitmaskError(f"a bitmask is a numpy array or a torch tensor, not {type(bitmask).__name__}")
        if str(bitmask.device) != "cpu":
            raise BitmaskError(
                f"the bitmask is on {bitmask.device}; fill one on the CPU, then copy it to the device"
            )
        array = bitmask.numpy()
    if array.dtype != np.int32:
        raise BitmaskError(f"a bitmask is int32, not {array.dtype}")
    if array.ndim != 2:
        raise BitmaskError(f"a bitmask has two dimensions (rows, words), not shape {array.shape}")
    if not array.flags.c_contiguous or not array.flags.writeable:
        raise BitmaskError("a bitmask has to be C-contiguous and writeable")
    return array
