"""Results on disk while a run goes on (a line a file and engine), and the statistics over them."""

from __future__ import annotations

import base64
import json
from array import array
from collections.abc import Iterable
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from structgen_bench.errors import BenchError
from structgen_bench.worker import OUTCOMES, FileResult

PERCENTILES = (50.0, 75.0, 90.0, 99.0, 99.9)
# Where the percentile curves of the plots are read off: denser towards the end, where engines differ.
CURVE = tuple(
    float(q) for q in np.unique(np.concatenate([np.arange(0, 99, 1), 100 - np.logspace(0, -3, 40), [100]]))
)


class Journal:
    """Every result as soon as it is there, so that a killed run loses nothing and can be resumed.

    The first line says what the run is (``identity``); resuming with another one is refused.
    """

    def __init__(self, path: Path, identity: dict[str, Any], *, resume: bool) -> None:
        self.path = path
        self.results: list[FileResult] = []
        if resume and path.is_file():
            whole = self._read(identity)
            with path.open("r+b") as file:
                file.truncate(whole)
            self._file: TextIOWrapper = path.open("a", encoding="utf-8")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("w", encoding="utf-8")
            self._write(identity)

    def add(self, result: FileResult) -> None:
        self.results.append(result)
        self._write(
            {
                "file": result.file,
                "engine": result.engine,
                "outcome": result.outcome,
                "detail": result.detail,
                "compile_us": result.compile_us,
                "ttfm_us": result.ttfm_us,
                "steps_us": base64.b64encode(result.steps_us.tobytes()).decode("ascii"),
                "peak_mib": result.peak_mib,
                "nbytes": result.nbytes,
            }
        )

    def close(self) -> None:
        self._file.close()

    def _write(self, line: dict[str, Any]) -> None:
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()

    def _read(self, identity: dict[str, Any]) -> int:
        """Read the results; the number of bytes that are whole lines (a killed run may leave half a line)."""
        whole = 0
        with self.path.open("rb") as file:
            for number, line in enumerate(file):
                if not line.endswith(b"\n"):
                    break
                try:
                    entry = json.loads(line)
                    if number == 0:
                        self._compare(entry, identity)
                    else:
                        self.results.append(_result(entry))
                except (ValueError, KeyError, TypeError) as error:
                    raise BenchError(
                        f"{self.path.name}, line {number + 1}: not a result of this runner",
                        "start without --resume",
                    ) from error
                whole += len(line)
        return whole

    def _compare(self, found: dict[str, Any], wanted: dict[str, Any]) -> None:
        different = sorted(key for key in found.keys() | wanted.keys() if found.get(key) != wanted.get(key))
        if different:
            raise BenchError(
                f"{self.path.name} is of another run: {', '.join(different)} differ",
                "give the same options, another --output, or start without --resume",
            )


def read_samples(path: Path) -> tuple[list[FileResult], dict[str, Any]]:
    """(results, what the run is) of a journal, as far as its lines are whole. Raises `BenchError`."""
    results: list[FileResult] = []
    header: dict[str, Any] = {}
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file):
                if not line.endswith(b"\n"):
                    break
                entry = json.loads(line)
                if number == 0:
                    header = entry
                else:
                    results.append(_result(entry))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BenchError(f"{path.name}: not the samples of a MaskBench run: {error}") from error
    if header.get("benchmark") != "maskbench":
        raise BenchError(f"{path.name} is not of a MaskBench run")
    return results, header


def _result(entry: dict[str, Any]) -> FileResult:
    steps = array("f")
    steps.frombytes(base64.b64decode(entry.pop("steps_us")))
    return FileResult(**entry, steps_us=steps)


def summarise(values: npt.NDArray[np.float64]) -> dict[str, float | int]:
    """Count, mean, percentiles and maximum; only the count where there are no values."""
    if not values.size:
        return {"n": 0}
    summary: dict[str, float | int] = {"n": int(values.size), "mean": round(float(values.mean()), 3)}
    for percentile, value in zip(PERCENTILES, np.percentile(values, PERCENTILES), strict=True):
        summary[f"p{percentile:g}"] = round(float(value), 3)
    summary["max"] = round(float(values.max()), 3)
    return summary


def steps_of(results: Iterable[FileResult]) -> npt.NDArray[np.float64]:
    """Time between masks of every token of the results, microseconds."""
    parts = [np.frombuffer(result.steps_us, dtype=np.float32) for result in results if result.steps_us]
    return np.concatenate(parts).astype(np.float64) if parts else np.empty(0)


def first_masks_of(results: Iterable[FileResult]) -> npt.NDArray[np.float64]:
    """Time to first mask of every file that came so far, microseconds."""
    return np.array([result.ttfm_us for result in results if result.ttfm_us is not None], dtype=np.float64)


def compile_times_of(results: Iterable[FileResult]) -> npt.NDArray[np.float64]:
    """Compile time of every file that compiles, microseconds."""
    return np.array([r.compile_us for r in results if r.compile_us is not None], dtype=np.float64)


def sizes_of(results: Iterable[FileResult]) -> npt.NDArray[np.float64]:
    """Memory of every compiled schema, KiB, where the engine tells."""
    return np.array([r.nbytes / 1024 for r in results if r.nbytes is not None], dtype=np.float64)


def curve(values: npt.NDArray[np.float64]) -> list[float]:
    """The values at the percentiles `CURVE`."""
    return [round(float(value), 3) for value in np.percentile(values, CURVE)] if values.size else []


def outcome_counts(results: Iterable[FileResult]) -> dict[str, int]:
    """How often each outcome occurs, in the order of gravity, zeros included."""
    counts: dict[str, int] = dict.fromkeys(OUTCOMES, 0)
    for result in results:
        counts[result.outcome] += 1
    return counts
