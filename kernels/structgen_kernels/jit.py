"""The decorator of all kernels: numba, compiled once per machine and set of sources.

Numba keeps compiled code by the file that defines a function and does not see that a function of another
file, or a constant, has changed. Here the folder is named for the content of all kernel sources, so that
an upgrade or an edit never runs half-old code. It lies in ``NUMBA_CACHE_DIR`` where that is set, else in
the user's cache folder (``STRUCTGEN_CACHE_DIR``, or the system's place).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt

Int32Array = npt.NDArray[np.int32]
Int64Array = npt.NDArray[np.int64]
ByteArray = npt.NDArray[np.uint8]
# A machine integer. In compiled code all are int64; in plain Python they are int or numpy scalars, which mypy
# tells apart at every step of arithmetic.
Int = Any
BoolArray = npt.NDArray[np.bool_]
config: Any = numba.config  # its settings are made when it is imported, so mypy sees none
_njit: Any = numba.njit  # of whose options its types leave out `_nrt`
Kernel = TypeVar("Kernel", bound=Callable[..., Any])


@lru_cache(maxsize=1)
def sources_digest() -> str:
    """Hash of all kernel sources."""
    content = hashlib.blake2b(digest_size=8)
    for source in sorted(Path(__file__).parent.glob("*.py")):
        content.update(source.read_bytes())
    return content.hexdigest()


@lru_cache(maxsize=1)
def code_folder() -> Path:
    """Where compiled kernels are kept. It need not exist yet."""
    chosen = os.environ.get("NUMBA_CACHE_DIR") or os.environ.get("STRUCTGEN_CACHE_DIR")
    if chosen:
        root = Path(chosen)
    else:
        import platformdirs

        root = Path(platformdirs.user_cache_dir("structgen", appauthor=False))
    return root / f"kernels-{sources_digest()}"


def kernel(function: Kernel) -> Kernel:
    """``_njit(cache=True, nogil=True)``, with the compiled code in `code_folder`."""
    return _jitted(function, False)


def lean_kernel(function: Kernel) -> Kernel:
    """A `kernel` that makes and returns no arrays, and so counts no references to those it is given.

    Numba counts at every call, for each array, up and down again: a third of the time of small functions.
    """
    return _jitted(function, False, counts_references=False)


def short_kernel(function: Kernel) -> Kernel:
    """A `kernel` of less than a microsecond, during which no other Python code runs: it keeps Python's lock.

    To give that up takes a tenth of the time, and where other threads want it, getting it back takes
    milliseconds.
    """
    return _jitted(function, False, nogil=False)


def reordering_kernel(function: Kernel) -> Kernel:
    """A `kernel` whose float sums may be taken in any order, and products fused into them.

    Else no sum becomes vector code. NaN and infinity still are what they are.
    """
    return _jitted(function, {"reassoc", "contract"})


def _jitted(function: Kernel, fastmath: Any, *, nogil: bool = True, counts_references: bool = True) -> Kernel:
    usual = config.CACHE_DIR
    options = {} if counts_references else {"_nrt": False}
    config.CACHE_DIR = str(code_folder())  # read when the function is decorated, so only ours see it
    try:
        jitted = cast(Kernel, _njit(cache=True, nogil=nogil, fastmath=fastmath, **options)(function))
    finally:
        config.CACHE_DIR = usual
    return jitted
