"""Files of named arrays: safetensors layout, checked on reading, memory-mapped read-only.

A file is: 8 bytes, the header's length, little-endian; the header, JSON; the arrays' bytes, without
gaps. Source: the safetensors format (https://github.com/huggingface/safetensors#format). On top of it
``__metadata__`` carries this project's format name and version, the file's kind, and two checksums, so
that a file is refused rather than read wrongly. It can be opened with the safetensors package too.
"""

from __future__ import annotations

import hashlib
import json
import math
import mmap
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from structgen.errors import ArtifactError, OptionError

FORMAT: Final = "structgen"
FORMAT_VERSION: Final = "1"
PART_SUFFIX: Final = ".part"  # of a file that is being written

Arrays = dict[str, npt.NDArray[Any]]

_DTYPES: Final[dict[str, np.dtype[Any]]] = {
    "BOOL": np.dtype("?"),
    "U8": np.dtype("u1"),
    "I8": np.dtype("i1"),
    "U16": np.dtype("<u2"),
    "I16": np.dtype("<i2"),
    "U32": np.dtype("<u4"),
    "I32": np.dtype("<i4"),
    "U64": np.dtype("<u8"),
    "I64": np.dtype("<i8"),
    "F32": np.dtype("<f4"),
    "F64": np.dtype("<f8"),
}
_NAMES: Final = {dtype: name for name, dtype in _DTYPES.items()}
_RESERVED: Final = ("format", "format_version", "kind", "data_checksum", "header_checksum")
_ALIGNMENT: Final = 64  # where the arrays begin: a cache line, and more than any dtype needs
_LONGEST_HEADER: Final = 100_000_000  # the format's own limit


@dataclass(frozen=True, slots=True)
class TensorFile:
    """A file that was read: ``arrays``, read-only, mapped from it; ``metadata``, the writer's own."""

    arrays: Arrays
    metadata: dict[str, str]


def write_tensors(
    path: str | os.PathLike[str],
    kind: str,
    arrays: Mapping[str, npt.NDArray[Any]],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write arrays as one file, whole or not at all: under a temporary name first, then renamed.

    ``kind`` says what the file is, and must be asked for again on reading. Two writers at once leave
    the file of one of them. Raises `OptionError` for a dtype or name that cannot be written, and
    OSError as the file system does.
    """
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{os.getpid()}-{secrets.token_hex(8)}{PART_SUFFIX}")
    blocks = sorted(
        ((name, _as_stored(name, array)) for name, array in arrays.items()),
        key=lambda block: -block[1].itemsize,  # widest first, so that each is aligned without gaps
    )
    header = _header(kind, blocks, metadata or {})
    try:
        with open(temporary, "xb") as file:
            file.write(len(header).to_bytes(8, "little"))
            file.write(header)
            for _, array in blocks:
                file.write(array.data)
        os.replace(temporary, target)
    except BaseException:  # Ctrl-C too must leave no half-written file; it goes on right after
        temporary.unlink(missing_ok=True)
        raise


def read_tensors(path: str | os.PathLike[str], kind: str, *, verify: bool = True) -> TensorFile:
    """The arrays and metadata of a file that `write_tensors` wrote, mapped and read-only.

    ``verify=False`` leaves out the checksum over the arrays (which reads all of them); header, sizes
    and bounds are always checked. Raises `ArtifactError` when the file is missing, truncated, damaged,
    of another version or another kind, and OSError when it cannot be read.
    """
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size < 8:
                raise ArtifactError(path, f"truncated: {size} bytes")
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except FileNotFoundError:
        raise ArtifactError(path, "no such file") from None
    length = int.from_bytes(mapped[:8], "little")
    if length > min(size - 8, _LONGEST_HEADER) or (8 + length) % _ALIGNMENT:
        raise ArtifactError(
            path, f"truncated or not a structgen file: a header of {length:,} bytes in {size:,}"
        )
    header = _parse_header(path, mapped[8 : 8 + length])
    metadata = _checked_metadata(path, kind, header)
    data = np.frombuffer(mapped, np.uint8, offset=8 + length)
    arrays = _map_arrays(path, header, data)
    if verify and _digest(data.data) != metadata["data_checksum"]:
        raise ArtifactError(path, "damaged: the arrays do not have the checksum of the header")
    return TensorFile(arrays, {key: value for key, value in metadata.items() if key not in _RESERVED})


def _as_stored(name: str, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if not name or name == "__metadata__":
        raise OptionError("arrays", name, "a name other than '' and '__metadata__'")
    stored = array.astype(array.dtype.newbyteorder("<"), order="C", copy=False)
    if stored.dtype not in _NAMES:
        raise OptionError(
            "arrays", f"{name}: {array.dtype}", f"one of the dtypes {', '.join(map(str, _NAMES))}"
        )
    return stored


def _header(kind: str, blocks: list[tuple[str, npt.NDArray[Any]]], metadata: Mapping[str, str]) -> bytes:
    header: dict[str, Any] = {}
    checksum = hashlib.blake2b(digest_size=16)
    offset = 0
    for name, array in blocks:
        header[name] = {
            "dtype": _NAMES[array.dtype],
            "shape": list(array.shape),
            "data_offsets": [offset, offset + array.nbytes],
        }
        checksum.update(array.data)
        offset += array.nbytes
    for key in metadata:
        if key in _RESERVED:
            raise OptionError("metadata", key, f"a key other than {', '.join(_RESERVED)}")
    header["__metadata__"] = dict(metadata) | {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "kind": kind,
        "data_checksum": checksum.hexdigest(),
    }
    header["__metadata__"]["header_checksum"] = _header_digest(header)
    text = json.dumps(header, separators=(",", ":")).encode()
    return text + b" " * (-(8 + len(text)) % _ALIGNMENT)


def _header_digest(header: Mapping[str, Any]) -> str:
    """Checksum of a parsed header, its own checksum left out."""
    metadata = {key: value for key, value in header["__metadata__"].items() if key != "header_checksum"}
    content = {**header, "__metadata__": metadata}
    return _digest(json.dumps(content, sort_keys=True, separators=(",", ":")).encode())


def _digest(data: bytes | memoryview) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def _parse_header(path: str | os.PathLike[str], text: bytes) -> dict[str, Any]:
    try:
        header = json.loads(text)
    except (ValueError, RecursionError):
        raise ArtifactError(path, "not a structgen file: its header is not JSON") from None
    metadata = header.get("__metadata__") if isinstance(header, dict) else None
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ArtifactError(path, "not a structgen file: its header has no metadata")
    return dict(header)


def _checked_metadata(path: str | os.PathLike[str], kind: str, header: dict[str, Any]) -> dict[str, str]:
    metadata: dict[str, str] = header["__metadata__"]
    if metadata.get("format") != FORMAT:
        raise ArtifactError(path, f"not a structgen file: its format is {metadata.get('format')!r}")
    if metadata.get("format_version") != FORMAT_VERSION:
        raise ArtifactError(
            path,
            f"format version {metadata.get('format_version')!r}, this structgen reads {FORMAT_VERSION!r}",
        )
    if metadata.get("header_checksum") != _header_digest(header):
        raise ArtifactError(path, "damaged: the header does not have its checksum")
    if metadata.get("kind") != kind:
        raise ArtifactError(path, f"a file of kind {metadata.get('kind')!r}, not {kind!r}")
    return metadata


def _map_arrays(path: str | os.PathLike[str], header: dict[str, Any], data: npt.NDArray[np.uint8]) -> Arrays:
    """Views of ``data``, as the header's entries say, which must fill it."""
    arrays: Arrays = {}
    total = 0
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        match entry:
            case {"dtype": str(code), "shape": [*shape], "data_offsets": [int(begin), int(end)]} if (
                code in _DTYPES and all(type(extent) is int and extent >= 0 for extent in shape)
            ):
                dtype = _DTYPES[code]
            case _:
                raise ArtifactError(path, f"damaged: the header's entry of array {name!r} is {entry!r:.80}")
        if not 0 <= begin <= end <= data.size:
            raise ArtifactError(path, f"truncated: array {name!r} ends at byte {end:,} of {data.size:,}")
        if end - begin != math.prod(shape) * dtype.itemsize or begin % dtype.itemsize:
            raise ArtifactError(path, f"damaged: array {name!r} of {end - begin:,} bytes has shape {shape}")
        arrays[name] = data[begin:end].view(dtype).reshape(shape)
        total += end - begin
    if total != data.size:
        raise ArtifactError(path, f"damaged: {data.size:,} bytes of arrays, {total:,} in the header")
    return arrays
