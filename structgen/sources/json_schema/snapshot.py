"""A snapshot of a schema: bytes that nobody changes, which are compared and kept in its place, and from which
parts are read when they are wanted.
"""

from __future__ import annotations

import json
import marshal
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from structgen_kernels.schema_layout import FRAME_SIZE, NOTE_SIZE, RECORD_SIZE
from structgen_kernels.snapshots import OTHER, TOO_LARGE, count_colons, pass_over, write_out

_FORMAT: Final = 4  # of `marshal`, which `write_out` reads
_MOST_BYTES = 16 << 20
_LARGE = 1 << 20  # bytes of a snapshot
_MOST_KEPT = 4  # rooms, for as many threads
_DEEPEST = 400  # twice what a schema may be; Python's own recursion has to write it as text
_READ_BYTES = 20  # of objects, for a byte of a schema that was read; measured


class Room:
    """Memory that kernels work in, used again by who comes next: fresh memory costs as much as the work."""

    __slots__ = ("frames", "noted", "notes", "out", "records", "stack", "stack_pairs")

    def __init__(self) -> None:
        self.out = np.empty(1 << 17, np.uint8)
        self.noted = np.empty((1 << 12, 2), np.int32)
        self.stack_pairs = np.empty((_DEEPEST, 2), np.int32)
        self.stack = np.empty(_DEEPEST + 3, np.int32)
        self.records = np.empty((1 << 10, RECORD_SIZE), np.int32)
        self.notes = np.empty((1 << 9, NOTE_SIZE), np.int32)
        self.frames = np.empty((2 * 200 + 8, FRAME_SIZE), np.int64)


_rooms: list[Room] = []


class room:
    """A `Room` for as long as it is needed. (A generator of `contextlib` takes five times as long.)"""

    __slots__ = ("_found",)

    def __enter__(self) -> Room:
        try:
            self._found = _rooms.pop()
        except IndexError:
            self._found = Room()
        return self._found

    def __exit__(self, kind: object, *_: object) -> None:
        found = self._found
        is_small = found.out.shape[0] <= _LARGE and found.records.shape[0] <= _LARGE // 16
        # what a huge schema took is given back
        if kind is None and len(_rooms) < _MOST_KEPT and is_small:
            _rooms.append(found)


class Snapshot:
    """The bytes of a schema, as `structgen_kernels.snapshots` has them: equal for equal schemas whose keys
    have the same order. Immutable.
    """

    __slots__ = ("_given", "_hash", "_n_read", "data", "n_looked_up")

    def __init__(self, data: bytes, given: str | None = None) -> None:
        """``given``: the JSON text that it was taken of."""
        self._given = given
        self.data = data
        self._hash = hash(data)
        self._n_read = 0
        self.n_looked_up = 0  # bytes of what is known of its places

    @staticmethod
    def of_text(text: str) -> Snapshot | None:
        """Of JSON text. None where it is not plainly the text of an object in which no key comes twice."""
        try:
            schema = json.loads(text)
            encoded = np.frombuffer(text.encode(), np.uint8)
        except (ValueError, RecursionError):
            return None
        found = Snapshot.of(schema) if type(schema) is dict else None
        if found is None:
            return None
        counted = np.zeros(3, np.int32)
        with room() as work:
            if pass_over(found.array, 0, work.stack, counted) < 0 or counted[2] != count_colons(encoded):
                return None
        found._given = text
        return found

    @staticmethod
    def of(schema: dict[Any, Any]) -> Snapshot | None:
        """Taken at once, whatever other threads do. None where the schema is not plainly JSON, is very large
        or deep, or holds itself.
        """
        try:
            given = np.frombuffer(marshal.dumps(schema, _FORMAT), np.uint8)
        except ValueError:  # a Mapping, a number of another library, too deep
            return None
        with room() as work:
            if given.shape[0] > work.out.shape[0] and given.shape[0] <= _MOST_BYTES // 2:
                work.out = np.empty(2 * given.shape[0], np.uint8)  # mostly enough
                work.noted = np.empty((given.shape[0] // 8, 2), np.int32)
            while True:
                size = write_out(given, work.out, work.noted, work.stack_pairs)
                if size != TOO_LARGE:
                    break
                if work.out.shape[0] >= _MOST_BYTES or work.noted.shape[0] >= _MOST_BYTES // 4:
                    return None
                work.out = np.empty(4 * work.out.shape[0], np.uint8)
                work.noted = np.empty((4 * work.noted.shape[0], 2), np.int32)
            return None if size == OTHER else Snapshot(work.out[:size].tobytes())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Snapshot) and self.data == other.data and self._given == other._given

    def __hash__(self) -> int:
        return self._hash

    @property
    def array(self) -> npt.NDArray[np.uint8]:
        """The bytes, as kernels take them."""
        return np.frombuffer(self.data, np.uint8)

    def value(self) -> Any:
        """The schema, made anew."""
        self._n_read += len(self.data)
        return marshal.loads(self.data)

    def part(self, begin: int, end: int) -> Any:
        """A value that is written between two places."""
        self._n_read += end - begin
        return marshal.loads(self.data[begin:end])

    @property
    def nbytes(self) -> int:
        """Bytes that it takes, and about those of what was read from it."""
        size = len(self.data)
        size += 0 if self._given is None else len(self._given)
        return size + self.n_looked_up + _READ_BYTES * min(self._n_read, len(self.data))

    @property
    def text(self) -> str:
        """The schema as JSON text: as it was given, if so."""
        return self._given if self._given is not None else json.dumps(marshal.loads(self.data))
