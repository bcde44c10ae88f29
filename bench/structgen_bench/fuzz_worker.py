"""A process that checks cases by number, so that crashes, hangs in native code and memory stay apart."""

from __future__ import annotations

import json
import multiprocessing
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

from structgen_bench.differential import Effort, Finding, check, shows
from structgen_bench.fuzz_cases import CaseMaker
from structgen_bench.shrink import shrunk
from structgen_bench.subject import Subject
from structgen_bench.walks import Walker

MEMORY_GIB = 8.0
SHRINK_SECONDS = 15.0
_MOST_SHRUNK_PER_CASE = 2
_MOST_NODES = 5_000  # of a schema that is written down
WARMUP: tuple[Any, ...] = (
    True,
    {"type": "string", "minLength": 2, "maxLength": 40, "pattern": "^(a|b)*c?$"},
    {"type": "array", "items": {"type": "integer", "minimum": 3}, "minItems": 1, "maxItems": 5},
    {"properties": {"a": {"enum": ["x", 1, {}]}, "b": {"$ref": "#"}}, "required": ["a"]},
)
_MOST_SHRUNK_PER_KIND = 40  # a process; past it findings are noted as they are
_NOT_SHRUNK = frozenset(("hang", "slow_matcher"))  # each try would take as long as the limit


@dataclass(frozen=True, slots=True)
class Settings:
    """What a worker needs to know: how cases are made, how they are checked, under which options."""

    maker: CaseMaker
    effort: Effort
    options: dict[str, Any] = field(default_factory=dict)
    shrink: bool = True


Record = dict[str, Any]


def check_number(subject: Subject, settings: Settings, number: int, shrunk_before: Counter[str]) -> Record:
    """Make and check a case. The record holds what the run's report and a replay need."""
    begin = time.perf_counter()
    case, rng = settings.maker.make(number)
    result = check(subject, case, rng, settings.effort)
    seconds = time.perf_counter() - begin
    record: Record = {
        "number": number,
        "name": case.name,
        "outcome": result.outcome,
        "detail": result.detail[:300],
        "seconds": round(seconds, 4),
        "counts": dict(result.counts),
    }
    if result.question:
        record["question"] = result.question
        record["schema"] = as_json(case.schema)
    if result.findings:
        one_of_each = list({finding.kind: finding for finding in reversed(result.findings)}.values())
        record["findings"] = [
            _finding_record(subject, settings, case.schema, finding, shrunk_before)
            for finding in one_of_each[:_MOST_SHRUNK_PER_CASE]
        ]
    return record


def _finding_record(
    subject: Subject, settings: Settings, schema: Any, finding: Finding, shrunk_before: Counter[str]
) -> Record:
    written = as_json(schema)
    record: Record = {
        "kind": finding.kind,
        "detail": finding.detail[:1000],
        "text": finding.text,
        "schema": written,
        "found_in": {"schema": written, "text": finding.text},
    }
    wanted = settings.shrink and finding.kind not in _NOT_SHRUNK and isinstance(schema, dict)
    if not wanted or written is None or shrunk_before[finding.kind] >= _MOST_SHRUNK_PER_KIND:
        return record
    shrunk_before[finding.kind] += 1

    def still(candidate: Any, text: str) -> bool:
        seconds = settings.effort.seconds
        return shows(subject, finding.kind, candidate, text, seconds=seconds, detail=finding.detail)

    if not still(schema, finding.text):
        record["unsteady"] = True  # not seen again: it depends on the walk, or on time
        return record
    fixed = finding.kind in ("dead_end", "mask_disagrees", "not_json", "exception", "repeated_key")
    record["schema"], record["text"] = shrunk(
        schema, finding.text, still, seconds=SHRINK_SECONDS, fixed_text=fixed
    )
    return record


def as_json(schema: Any) -> Any:
    """The schema if it is JSON and not huge, else None: such a case is made again from its number."""
    nodes, waiting = 0, [schema]
    while waiting:
        part = waiting.pop()
        nodes += 1
        if nodes > _MOST_NODES:  # or one that holds itself
            return None
        if isinstance(part, dict):
            waiting.extend(part.values())
        elif isinstance(part, list):
            waiting.extend(part)
    try:
        json.dumps(schema)
    except (TypeError, ValueError, RecursionError):
        return None
    return schema


def warm_up(subject: Subject) -> None:
    """Load the kernels before anything is timed: an alarm in the midst of numba's own work breaks numba."""
    for schema in WARMUP:
        grammar = subject.compile(schema)
        for seed in range(3):
            Walker(subject, random.Random(seed), [b'"a"', b"1"]).walk(grammar)


def serve(connection: Connection, settings: Settings) -> None:
    """Answer each number by its record, until None comes or the connection ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the runner's business
    _limit_memory()
    subject = Subject(**settings.options)
    warm_up(subject)
    connection.send(subject.unknown_options)
    shrunk_before: Counter[str] = Counter()
    while True:
        try:
            number = connection.recv()
        except EOFError:
            return
        if number is None:
            return
        record = check_number(subject, settings, number, shrunk_before)
        connection.send(record)
        if _was_interrupted(record):
            return  # what was interrupted may be left half done; a fresh process goes on


def _was_interrupted(record: Record) -> bool:
    return any(name.startswith("no time left") for name in record["counts"]) or any(
        finding["kind"] in _NOT_SHRUNK for finding in record.get("findings", ())
    )


def _limit_memory() -> None:
    import resource

    limit = int(MEMORY_GIB * 2**30)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


class Worker:
    """A worker process and the number that it is at. It is started again when it dies or is killed."""

    def __init__(self, settings: Settings, target: Callable[..., None] = serve) -> None:
        self._settings = settings
        self._target = target
        self.number: int | None = None
        self.begun = 0.0
        self.unknown_options: list[str] = []
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=self._target, args=(theirs, self._settings), daemon=True)
        self._process.start()
        theirs.close()
        self.unknown_options = self.connection.recv()

    @property
    def longest(self) -> float:
        """Seconds after which a case is given up, shrinking included: native code, or a very busy machine."""
        return 10 * self._settings.effort.seconds + _MOST_SHRUNK_PER_CASE * SHRINK_SECONDS + 30

    def give(self, number: int) -> None:
        self.number, self.begun = number, time.monotonic()
        self.connection.send(number)

    def take(self) -> Record:
        """The record of the number given last, or one that says how the process ended."""
        assert self.number is not None
        number = self.number
        try:
            record: Record = self.connection.recv()
        except (EOFError, ConnectionResetError):
            self._process.join(5.0)
            record = self._ended(number, "exception", f"the process ended: {self._process.exitcode}")
        else:
            if _was_interrupted(record):
                self.stop()
                self._start()
        self.number = None
        return record

    def give_up(self) -> Record:
        """Kill the process, which is in native code for too long, and start another."""
        assert self.number is not None
        self._process.kill()
        record = self._ended(self.number, "hang", f"the process did not answer for {self.longest:.0f} s")
        self.number = None
        return record

    def _ended(self, number: int, kind: str, detail: str) -> Record:
        self.stop()
        self._start()
        case, _ = self._settings.maker.make(number)
        finding = {"kind": kind, "detail": detail, "text": "", "schema": as_json(case.schema)}
        return {
            "number": number,
            "name": case.name,
            "outcome": kind,
            "detail": detail,
            "seconds": 0.0,
            "counts": {},
            "findings": [finding],
        }

    def stop(self) -> None:
        self.connection.close()
        self._process.kill()
        self._process.join(10.0)
