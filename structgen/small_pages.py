"""Large arrays in small pages of memory.

From 4 MB on numpy asks for huge pages. The first word of one takes up to 10 ms where the system has to move
others out of the way, in the middle of a mask.
"""

from __future__ import annotations

import mmap

import numpy as np
import numpy.typing as npt

_LARGE = 1 << 22  # bytes


def zeros(n_words: int) -> npt.NDArray[np.int32]:
    """int32 (n_words,). No memory until they are written, and then a small page at a time."""
    if 4 * n_words < _LARGE or not hasattr(mmap, "MAP_ANONYMOUS"):
        return np.zeros(n_words, np.int32)
    pages = mmap.mmap(-1, 4 * n_words, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    return np.frombuffer(pages, np.int32)


def empty(n_words: int) -> npt.NDArray[np.int32]:
    """int32 (n_words,), whatever is in it."""
    return np.empty(n_words, np.int32) if 4 * n_words < _LARGE else zeros(n_words)
