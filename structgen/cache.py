"""The user's cache folder: what is dear to compute is kept there, shared by all processes.

Nothing here can make a result wrong or a call fail: a damaged file is dropped and computed again, a
folder that cannot be written costs only the caching. Files appear whole (written under a temporary
name, then renamed), so that processes need no lock; of two writers of the same key one wins.
"""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy.typing as npt

from structgen.errors import ArtifactError, OptionError
from structgen.tensor_file import PART_SUFFIX, Arrays, read_tensors, write_tensors

ENVIRONMENT_VARIABLE: Final = "STRUCTGEN_CACHE_DIR"
MAX_BYTES: Final = 4 << 30  # the folder's size; beyond it the files used least recently go
LAYOUT: Final = "v1"  # sub-folder; raise it when the meaning of the files changes

_logger = logging.getLogger(__name__)
_SUFFIX = ".safetensors"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,128}")
_chosen: Path | None = None
_warned: set[str] = set()
_unmeasured = MAX_BYTES  # bytes stored since the folder was last measured; at first, as if all were


def cache_dir() -> Path:
    """The folder of this layout version: that of `set_cache_dir`, else of the environment variable
    ``STRUCTGEN_CACHE_DIR``, else the system's place for a user's caches. It need not exist yet."""
    if _chosen is not None:
        return _chosen / LAYOUT
    named = os.environ.get(ENVIRONMENT_VARIABLE)
    if named:
        return Path(named) / LAYOUT
    import platformdirs

    return Path(platformdirs.user_cache_dir("structgen", appauthor=False)) / LAYOUT


def set_cache_dir(path: str | os.PathLike[str] | None) -> None:
    """Choose the cache folder of this process; None goes back to the default."""
    global _chosen, _unmeasured
    _chosen = None if path is None else Path(path).absolute()
    _unmeasured = MAX_BYTES
    _warned.clear()


def load_arrays(kind: str, key: str, *, verify: bool = True) -> Arrays | None:
    """The arrays stored under a kind and key, read-only and memory-mapped; None where there are none.

    A damaged file, or one of another version, is deleted with a logged warning, and counts as none.
    ``verify=False`` leaves out the checksum over the arrays. Raises `OptionError` for a kind or key
    that is no file name.
    """
    path = _file(kind, key)
    try:
        if not path.exists():
            return None
        arrays = read_tensors(path, f"cache/{kind}/{key}", verify=verify).arrays
        _mark_used(path)
        return arrays
    except ArtifactError as error:
        _logger.warning("%s: %s; it is deleted and made again", path, error.reason)
        discard(kind, key)
    except OSError as error:
        _warn_once(f"cannot read the cache file {path}: {error}")
    return None


def store_arrays(
    kind: str,
    key: str,
    arrays: Mapping[str, npt.NDArray[Any]],
    metadata: Mapping[str, str] | None = None,
) -> bool:
    """Store arrays under a kind (what they are) and a key (a hash of all that they depend on).

    Returns whether they were stored: where the folder cannot be written, that is logged once and costs
    only the caching. Raises `OptionError` for a kind or key that is no file name, or a dtype that
    cannot be stored.
    """
    path = _file(kind, key)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_tensors(path, f"cache/{kind}/{key}", arrays, metadata)
    except OSError as error:
        _warn_once(f"cannot write to the cache folder {path.parent}: {error}; set {ENVIRONMENT_VARIABLE}")
        return False
    _bound_size(sum(array.nbytes for array in arrays.values()))
    return True


def can_store(kind: str, key: str) -> bool:
    """Whether the folder takes files, to be asked before something dear is made for it alone."""
    folder = _file(kind, key).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        _warn_once(f"cannot write to the cache folder {folder}: {error}; set {ENVIRONMENT_VARIABLE}")
        return False
    return os.access(folder, os.W_OK | os.X_OK)


def discard(kind: str, key: str) -> None:
    """Delete what is stored under a kind and key, if anything."""
    path = _file(kind, key)
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        _warn_once(f"cannot delete the cache file {path}: {error}")


def trim(max_bytes: int = MAX_BYTES) -> int:
    """Delete the files used least recently until at most ``max_bytes`` are left, and what writers that
    died left behind. Returns the bytes left. A process that has a deleted file mapped keeps it."""
    entries: list[tuple[float, int, Path]] = []
    yesterday = time.time() - 86_400
    for path in cache_dir().rglob("*"):
        try:
            status = path.stat()
            if path.suffix == PART_SUFFIX and status.st_mtime < yesterday:
                path.unlink(missing_ok=True)
            elif path.suffix == _SUFFIX:
                entries.append((status.st_mtime, status.st_size, path))
        except OSError:
            continue  # another process deleted it meanwhile, or owns it
    left = sum(size for _, size, _ in entries)
    for _, size, path in sorted(entries):
        if left <= max_bytes:
            break
        try:
            path.unlink(missing_ok=True)
            left -= size
        except OSError as error:
            _warn_once(f"cannot delete the cache file {path}: {error}")
    return left


def _bound_size(stored: int) -> None:
    """Measure the folder at the first store of a process, then after each sixteenth of the limit."""
    global _unmeasured
    _unmeasured += stored
    if _unmeasured >= MAX_BYTES // 16:
        _unmeasured = 0
        trim(MAX_BYTES)


def _mark_used(path: Path) -> None:
    try:
        os.utime(path)
    except OSError:
        return  # a folder that is read-only to us: then it is not us who trim it


def _file(kind: str, key: str) -> Path:
    for option, name in (("kind", kind), ("key", key)):
        if not _NAME.fullmatch(name):
            raise OptionError(option, name, "1 to 128 letters, digits, '-' and '_'")
    return cache_dir() / kind / f"{key}{_SUFFIX}"


def _warn_once(message: str) -> None:
    if message not in _warned:
        _warned.add(message)
        _logger.warning("%s", message)
