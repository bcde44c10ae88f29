"""The plain containers of a schema that was looked at as a whole: many are described at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from structgen_kernels import plain_containers as kernels
from structgen_kernels.schema_layout import ALIVE, FLAGS, MOST_MEMBERS, PLAIN_ARRAY, PLAIN_OBJECT

from structgen.sources.json_schema.survey import Survey

_MOST_MEMBERS = 128  # described at once, where they are not those of a single object
_MOST_ASKED = 16  # of these, values that are not told by the kernel
_ROOM = _MOST_MEMBERS + MOST_MEMBERS + 2


class Described(NamedTuple):
    """Rows as `structgen_kernels.plain_containers.describe` writes them. ``asked``: records of the subschemas
    of which it is to be said what values they have.
    """

    containers: npt.NDArray[np.int32]
    members: npt.NDArray[np.int32]
    n_letters: int
    asked: list[int]


class SurveyedContainers:
    """Describes each of them once; one that is described again is so by itself."""

    __slots__ = ("_survey", "_was_described")

    def __init__(self, survey: Survey) -> None:
        self._survey = survey
        self._was_described = np.zeros(survey.n_records, np.uint8)

    @property
    def data(self) -> npt.NDArray[np.uint8]:
        """The snapshot."""
        return self._survey.data

    @property
    def n_records(self) -> int:
        return self._survey.n_records

    def is_alive(self, record: int) -> bool:
        """Has a subschema plainly a value?"""
        return self._survey.is_alive(record)

    def set_alive(self, record: int) -> None:
        """A plain container has a value, though that is not plain."""
        self._survey.records[record, FLAGS] |= ALIVE

    def record_of(self, pointer: str) -> int:
        """The record of the plain container that has this JSON Pointer; -1: there is none."""
        record = 0
        if pointer:
            if "~" in pointer or not pointer.isascii():
                return -1
            text = np.frombuffer(pointer.encode(), np.uint8)
            record = int(kernels.record_at(self._survey.data, self._survey.records, text))
        return record if record >= 0 and self._survey.flags(record) & (PLAIN_OBJECT | PLAIN_ARRAY) else -1

    def describe(self, record: int) -> Described:
        """A plain container, and, unless it was described before, others in it, nearest first."""
        containers = np.empty((_ROOM, kernels.CONTAINER_SIZE), np.int32)
        members = np.empty((_ROOM, kernels.MEMBER_SIZE), np.int32)
        asked = np.empty(_ROOM, np.int32)
        counts = np.zeros(kernels.COUNTS_SIZE, np.int64)
        kernels.describe(
            self._survey.data,
            self._survey.records,
            self._was_described,
            record,
            _MOST_MEMBERS,
            _MOST_ASKED,
            containers,
            members,
            asked,
            counts,
        )
        n, n_members, n_asked, n_letters = counts.tolist()
        return Described(containers[:n], members[:n_members], n_letters, asked[:n_asked].tolist())

    def forget(self, described: Described) -> None:
        """All but the first were not described after all."""
        self._was_described[described.containers[1:, kernels.C_RECORD]] = 0
