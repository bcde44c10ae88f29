"""One engine in a process of its own: its memory, its crashes and its endless loops stay apart."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import time
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any, Literal

from structgen_bench.engines import Engine, Refusal, load_engine
from structgen_bench.errors import BenchError
from structgen_bench.machine import peak_memory_mib
from structgen_bench.tokenizers import TokenBytes

Outcome = Literal[
    "pass",
    "unsupported",
    "compile_error",
    "inconsistent",
    "other_order",
    "valid_refused",
    "invalid_accepted",
    "timeout",
    "crash",
]
# In the order of gravity; a file with several gets the last of them.
OUTCOMES: tuple[Outcome, ...] = (
    "pass",
    "unsupported",
    "compile_error",
    "inconsistent",
    "other_order",
    "valid_refused",
    "invalid_accepted",
    "timeout",
    "crash",
)
OUTCOME_MEANING = {
    "pass": "every valid instance accepted and complete, every invalid one refused",
    "unsupported": "refused at compile time, by a typed error that names the keyword",
    "compile_error": "refused at compile time, any other error",
    "inconsistent": "a token in the mask was refused by accept, or the reverse",
    "other_order": "a valid instance was refused, but is accepted with its keys in the schema's order",
    "valid_refused": "a valid instance was refused, or could not end",
    "invalid_accepted": "an invalid instance was accepted to its end",
    "timeout": "took longer than the limit for one file",
    "crash": "raised an error of another kind, or the process died",
}
START_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Job:
    """One file: its schema and its instances, each with its token ids."""

    file: str
    schema: Any
    instances: tuple[tuple[bool, list[int]], ...]


@dataclass(frozen=True, slots=True)
class FileResult:
    """What one engine did with one file. Times in microseconds.

    ``ttfm_us``: compile, matcher and first mask; None when it did not come so far. ``steps_us``: mask and
    accept of each token of each instance, first masks included (float32 values). ``nbytes``: memory that the
    compiled schema holds after its instances were run, where the engine tells.
    """

    file: str
    engine: str
    outcome: Outcome
    detail: str = ""
    compile_us: float | None = None
    ttfm_us: float | None = None
    steps_us: array[float] = field(default_factory=lambda: array("f"))
    peak_mib: float = 0.0
    nbytes: int | None = None


@dataclass(frozen=True, slots=True)
class Ready:
    """What a started engine says of itself."""

    name: str
    version: str
    prepare_s: float
    warmup_s: float
    warmup_outcome: Outcome
    base_mib: float


class EngineDied(Exception):
    """The engine's process ended by itself. ``exitcode``: as `multiprocessing.Process` gives it."""

    def __init__(self, exitcode: int | None) -> None:
        self.exitcode = exitcode
        super().__init__(exitcode)


class EngineProcess:
    """Starts an engine's process, and starts it again when it was killed or died."""

    def __init__(
        self,
        name: str,
        vocabulary: TokenBytes,
        warmup: Job,
        core: int | None,
        memory_gib: float,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.restarts = 0
        self._arguments = (name, vocabulary, warmup, core, memory_gib, dict(options or {}))
        self.ready = self._start()
        self.name = self.ready.name

    def _start(self) -> Ready:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, *self._arguments), daemon=True)
        self._process.start()
        theirs.close()
        try:
            answer = self._receive(START_SECONDS)
        except EngineDied as error:
            reason = (
                f"the process of {self._arguments[0]} ended while it started (exit status {error.exitcode})"
            )
            raise BenchError(reason, "its output above says why; --memory-limit 0 lifts the limit") from error
        if isinstance(answer, Ready):
            return answer
        self.stop()
        if isinstance(answer, BenchError):
            raise answer
        raise BenchError(f"{self._arguments[0]} did not start within {START_SECONDS:.0f} s")

    def _receive(self, seconds: float) -> Any:
        """The next answer, None when none came in time. Raises `EngineDied`."""
        try:
            return self._connection.recv() if self._connection.poll(seconds) else None
        except (EOFError, ConnectionResetError):
            self._process.join(5.0)
            raise EngineDied(self._process.exitcode) from None

    def run(self, job: Job, seconds: float) -> FileResult:
        """Run one file; a time-out or a death is a result, and the process is started again."""
        try:
            self._connection.send(job)
            answer = self._receive(seconds)
        except (EngineDied, BrokenPipeError) as error:
            code = error.exitcode if isinstance(error, EngineDied) else self._process.exitcode
            how = f"signal {-code}" if code is not None and code < 0 else f"exit status {code}"
            result = FileResult(job.file, self.name, "crash", f"the process ended with {how}")
        else:
            if isinstance(answer, FileResult):
                return answer
            result = FileResult(job.file, self.name, "timeout", f"no result within {seconds:g} s")
        self.stop()
        self.restarts += 1
        self._start()
        return result

    def stop(self) -> None:
        """End the process (it may be inside native code, so it is not asked)."""
        self._connection.close()
        self._process.kill()
        self._process.join(10.0)


def serve(
    connection: Connection,
    name: str,
    vocabulary: TokenBytes,
    warmup: Job,
    core: int | None,
    memory_gib: float,
    options: dict[str, Any],
) -> None:
    """The engine's process: says `Ready` or why not, then answers each `Job` by a `FileResult`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the runner's business
    try:
        if core is not None:
            _pin(core)
        _limit_memory(memory_gib)
        engine = load_engine(name)
        engine.options = options
        begin = time.perf_counter()
        engine.prepare(vocabulary)
        prepared = time.perf_counter()
        outcome = measure(engine, warmup, vocabulary).outcome
        warmed = time.perf_counter()
    except BenchError as error:
        connection.send(error)
        return
    gc.collect()
    gc.freeze()  # what is there now would only make the collector's passes longer
    memory = peak_memory_mib()
    connection.send(Ready(engine.name, engine.version, prepared - begin, warmed - prepared, outcome, memory))
    while True:
        try:
            job = connection.recv()
        except EOFError:
            return
        connection.send(measure(engine, job, vocabulary))


def measure(engine: Engine, job: Job, vocabulary: TokenBytes) -> FileResult:
    """Compile the schema, then feed it each instance, token by token."""
    clock = time.perf_counter_ns
    steps = array("f")
    compile_us: float | None = None
    ttfm_us: float | None = None
    outcome: Outcome = "pass"
    detail = ""
    nbytes: int | None = None

    def grade(found: Outcome, why: str) -> None:
        nonlocal outcome, detail
        if OUTCOMES.index(found) > OUTCOMES.index(outcome):
            outcome, detail = found, why

    try:
        begin = clock()
        compiled = engine.compile(job.schema)
        compile_us = (clock() - begin) / 1000
        if not job.instances:
            engine.mask(engine.new_matcher(compiled))
            ttfm_us = (clock() - begin) / 1000
        for index, (valid, tokens) in enumerate(job.instances):
            begin = clock()
            matcher = engine.new_matcher(compiled)
            matcher_us = (clock() - begin) / 1000
            refused_at = -1
            for place, token in enumerate(tokens):
                begin = clock()
                engine.mask(matcher)
                masked = clock()
                if ttfm_us is None:
                    ttfm_us = compile_us + matcher_us + (masked - begin) / 1000
                allowed = engine.allows(token)
                again = clock()
                accepted = engine.accept(matcher, token)
                done = clock()
                steps.append((masked - begin + done - again) / 1000)
                if accepted != allowed:
                    said = "in the mask, yet refused" if allowed else "not in the mask, yet accepted"
                    grade("inconsistent", f"instance {index}: {said}: {_place(vocabulary, tokens, place)}")
                if not (allowed and accepted):
                    refused_at = place
                    break
            if refused_at >= 0:
                if valid:
                    grade(
                        "valid_refused", f"instance {index}: refused {_place(vocabulary, tokens, refused_at)}"
                    )
            elif engine.is_complete(matcher) != valid:
                if valid:
                    grade("valid_refused", f"instance {index}: accepted to the end, but may not end there")
                else:
                    grade("invalid_accepted", f"instance {index}: accepted")
        nbytes = engine.nbytes(compiled)
    except Refusal as error:
        grade("unsupported" if error.unsupported else "compile_error", error.message)
    except Exception as error:  # noqa: BLE001 - an engine under test may raise anything; it is counted, not hidden
        grade("crash", f"{type(error).__name__}: {error}")
    return FileResult(
        job.file, engine.name, outcome, detail, compile_us, ttfm_us, steps, peak_memory_mib(), nbytes
    )


def _place(vocabulary: TokenBytes, tokens: list[int], place: int) -> str:
    before = b"".join(vocabulary.tokens[token] or b"" for token in tokens[max(0, place - 12) : place])
    return f"token {place} of {len(tokens)}, {vocabulary.tokens[tokens[place]]!r} after {before[-60:]!r}"


def _pin(core: int) -> None:
    if not hasattr(os, "sched_setaffinity"):
        raise BenchError("this system cannot pin a process to a core", "leave --core out")
    try:
        os.sched_setaffinity(0, {core})
    except (OSError, ValueError) as error:
        raise BenchError(
            f"cannot pin to core {core}", f"choose among {sorted(os.sched_getaffinity(0))}"
        ) from error


def _limit_memory(gib: float) -> None:
    if gib <= 0:
        return
    import resource

    limit = int(gib * 2**30)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
