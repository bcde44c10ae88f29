"""One schema, structgen against the oracle, both ways: what is written is valid, what is valid may be.

`check` compiles the schema in bounded time, draws texts from the masks, tries instances, and returns every
disagreement as a `Finding`. `shows` tells whether a disagreement is (still) there; shrinking and replaying
use it.
"""

from __future__ import annotations

import json
import random
import re
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from structgen.compiled import CompiledGrammar
from structgen.errors import (
    CompileLimitError,
    InvalidSchemaError,
    StructgenError,
    UnsatisfiableSchemaError,
    UnsupportedSchemaError,
)
from structgen_bench.deadline import TookTooLong, at_most
from structgen_bench.instances import InstanceMaker
from structgen_bench.oracle import Oracle
from structgen_bench.subject import EOS, Subject, spell
from structgen_bench.verdicts import refusal
from structgen_bench.walks import Walker

Kind = Literal[
    "exception", "hang", "slow_matcher", "not_json", "invalid_written", "invalid_accepted", "valid_refused",
    "exponent_refused", "surrogate_refused", "unsatisfiable_yet_valid", "repeated_key", "dead_end",
    "mask_disagrees",
]  # fmt: skip
KIND_MEANING: dict[Kind, str] = {
    "exception": "compiling, or matching, raised what is not one of structgen's errors",
    "hang": "compiling did not end in time",
    "slow_matcher": "masks and accepting did not end in time",
    "not_json": "the masks led to a text that is not JSON",
    "invalid_written": "the masks led to a text that does not validate",
    "invalid_accepted": "an instance that does not validate was accepted",
    "valid_refused": "an instance that validates was refused",
    "exponent_refused": "the same, of an instance with a number in exponent notation",
    "surrogate_refused": "the same, of an instance with a lone surrogate",
    "unsatisfiable_yet_valid": "refused as unsatisfiable, yet an instance validates",
    "repeated_key": "the masks led to an object with a key twice",
    "dead_end": "an empty mask before the end of a text",
    "mask_disagrees": "mask and accept, or mask and is_accepting, disagree",
}
# Spellings that an engine may leave out by a documented decision: reported, but no failure of a run.
DOUBTFUL: frozenset[Kind] = frozenset(("exponent_refused", "surrogate_refused"))
_EXPONENT = re.compile(r"[0-9][eE][+-]?[0-9]")
_MOST_TEXT = 20_000  # bytes of an instance; longer ones are not tried


@dataclass(frozen=True, slots=True)
class Case:
    """A schema to check. ``instances``: the values that came with it. ``name``: how it was made."""

    name: str
    schema: Any
    instances: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """A disagreement. ``text``: the witness (an instance, or a text's beginning), '' where there is none."""

    kind: Kind
    detail: str
    text: str = ""


@dataclass(slots=True)
class Result:
    """What a case came to. ``outcome``: 'compiled' or the class of the error; ``counts``: what was tried."""

    outcome: str
    detail: str = ""
    findings: list[Finding] = field(default_factory=list)
    question: str = ""
    counts: Counter[str] = field(default_factory=Counter)
    stage: str = "compile"


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is tried on a case, and how long it may take."""

    seconds: float = 5.0
    walks: int = 3
    instances: int = 24


def check(subject: Subject, case: Case, rng: random.Random, effort: Effort) -> Result:
    """Compile the schema and, if that succeeds, look for disagreements with the oracle."""
    result = Result("")
    try:
        with at_most(effort.seconds):
            grammar = subject.compile(case.schema)
            result.outcome = "compiled"
    except UnsatisfiableSchemaError as error:
        grammar = None
        result.outcome, result.detail = type(error).__name__, refusal(error)
    except StructgenError as error:
        result.outcome, result.detail = type(error).__name__, refusal(error)
        return _questioned(result, case, error)
    except TookTooLong as error:
        result.outcome = "hang"
        result.findings.append(Finding("hang", str(error)))
        return result
    except Exception as error:  # noqa: BLE001 - whatever it raises but its own errors is the finding
        result.outcome = "exception"
        result.findings.append(Finding("exception", describe(error)))
        return result
    try:
        with at_most(2 * effort.seconds):
            _compare(subject, case, grammar, rng, effort, result)
    except TookTooLong as error:
        if result.stage == "match":
            result.findings.append(Finding("slow_matcher", str(error)))
        else:
            result.counts[f"no time left ({result.stage})"] += 1
    except Exception as error:  # noqa: BLE001 - the engine's is a finding, the oracle's is to be looked at
        if result.stage == "match":
            result.findings.append(Finding("exception", describe(error)))
        else:
            result.question = f"the oracle raised {describe(error)}"
    return result


def _questioned(result: Result, case: Case, error: StructgenError) -> Result:
    """Notes a refusal as 'not a schema' of what is one by its metaschema: perhaps right, to be looked at."""
    if isinstance(error, InvalidSchemaError) and not isinstance(case.schema, str):
        try:
            with at_most(2.0):
                if Oracle(case.schema).is_schema:
                    result.question = "refused as invalid, yet a schema by its metaschema"
        except TookTooLong:
            result.counts["no time left (oracle)"] += 1
    return result


def _compare(
    subject: Subject,
    case: Case,
    grammar: CompiledGrammar | None,
    rng: random.Random,
    effort: Effort,
    result: Result,
) -> None:
    result.stage = "oracle"
    schema = json.loads(case.schema) if isinstance(case.schema, str) else case.schema
    oracle = Oracle(schema)
    if not oracle.is_schema:
        result.question = "compiled, yet no schema by its metaschema"
        return
    maker = InstanceMaker(rng, schema)
    written: list[Any] = []
    if grammar is not None:
        walker = Walker(subject, rng, maker.hints())
        for _ in range(effort.walks):
            value = _write(subject, grammar, oracle, walker, result)
            if value is not _NOTHING:
                written.append(value)
    values = [*case.instances, *maker.candidates(effort.instances)]
    values += [maker.changed(value) for value in written for _ in range(2)]
    for value in (*written, *values):
        result.stage = "oracle"
        _try(subject, grammar, oracle, value, rng.random() < 0.2, result)


_NOTHING = object()


def _write(subject: Subject, grammar: CompiledGrammar, oracle: Oracle, walker: Walker, result: Result) -> Any:
    """One text from the masks, checked; its value, `_NOTHING` where it has none."""
    result.stage = "match"
    walk = walker.walk(grammar)
    result.stage = "oracle"
    shown = walk.text.decode("utf-8", "backslashreplace")
    if walk.problem == "dead_end":
        result.findings.append(Finding("dead_end", walk.detail, shown))
    elif walk.problem:
        result.findings.append(Finding("mask_disagrees", walk.detail, shown))
    if not walk.ended:
        result.counts["unfinished texts"] += 1
        return _NOTHING
    result.counts["texts"] += 1
    try:
        value, repeats = parse(walk.text)
    except ValueError as error:
        result.findings.append(Finding("not_json", str(error), shown))
        return _NOTHING
    if repeats and not subject.keeps_order:
        result.findings.append(Finding("repeated_key", "a key comes twice", shown))
    if repeats:
        return _NOTHING
    verdict = oracle.verdict(walk.text)
    result.counts["texts that the oracle judged"] += verdict is not None
    if verdict is False:
        result.findings.append(Finding("invalid_written", oracle.reason(walk.text), shown))
        return _NOTHING
    return value


def _try(
    subject: Subject,
    grammar: CompiledGrammar | None,
    oracle: Oracle,
    value: Any,
    ascii: bool,
    result: Result,
) -> None:
    """One instance, against the oracle's verdict."""
    text = spell(value, ascii=ascii)
    if len(text) > _MOST_TEXT:
        return
    verdict = oracle.verdict(text)
    if verdict is None:
        result.counts["instances that the oracle cannot judge"] += 1
        return
    result.counts["valid instances" if verdict else "invalid instances"] += 1
    if grammar is None:
        if verdict:
            kind: Kind = "surrogate_refused" if has_surrogate(value) else "unsatisfiable_yet_valid"
            result.findings.append(Finding(kind, result.detail, text.decode()))
        return
    # where the order is kept, a search over the orders is the harness's own time
    result.stage = "orders" if subject.keeps_order else "match"
    for compact in (False, True):
        accepted = subject.accepts_value(grammar, value, compact=compact, ascii=ascii)
        if accepted is None:
            result.counts["instances with too many orders"] += 1
        elif accepted != verdict:
            shown = spell(value, compact=compact, ascii=ascii).decode()
            if verdict:
                result.findings.append(
                    Finding(refused_kind(shown), where_refused(subject, grammar, shown), shown)
                )
            else:
                result.findings.append(Finding("invalid_accepted", oracle.reason(text), shown))
            return


def refused_kind(text: str) -> Kind:
    """Which kind of finding it is that a valid text is refused."""
    if has_surrogate(json.loads(text)):
        return "surrogate_refused"
    return "exponent_refused" if _EXPONENT.search(text) else "valid_refused"


def has_surrogate(value: Any) -> bool:
    """Whether some string in it holds a lone surrogate."""
    if isinstance(value, str):
        return any(0xD800 <= ord(char) < 0xE000 for char in value)
    if isinstance(value, dict):
        return any(has_surrogate(name) or has_surrogate(inner) for name, inner in value.items())
    return isinstance(value, list) and any(map(has_surrogate, value))


def where_refused(subject: Subject, grammar: CompiledGrammar, text: str) -> str:
    """Where a text leaves the grammar, as given."""
    matcher = grammar.matcher()
    data = text.encode()
    for place in range(len(data)):
        if not matcher.accept_bytes(data[place : place + 1]):
            before = data[max(0, place - 40) : place]
            return f"leaves the grammar at byte {place}: {before!r} then {data[place:][:20]!r}"
    return "taken to its end" + ("" if matcher.is_accepting else ", but may not end there")


def parse(text: str | bytes) -> tuple[Any, bool]:
    """(value, whether some object has a key twice). Raises ValueError where it is not JSON."""
    repeats = False

    def table(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal repeats
        made = dict(pairs)
        repeats |= len(made) < len(pairs)
        return made

    def refuse(constant: str) -> Any:
        raise ValueError(f"{constant} is no JSON")

    return json.loads(text, object_pairs_hook=table, parse_constant=refuse), repeats


def describe(error: BaseException) -> str:
    """An exception in a line: type, message, and the functions of structgen that it came through."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f"{frame.name}:{frame.lineno}" for frame in frames if frame.name not in ("check", "_compare")]
    return f"{type(error).__name__}: {str(error)[:200]} in {' > '.join(own[-4:])}"


def shows(
    subject: Subject, kind: Kind, schema: Any, text: str, *, seconds: float = 5.0, detail: str = ""
) -> bool:
    """Whether the schema, with the witness ``text``, (still) is a finding of this kind."""
    try:
        with at_most(seconds):
            return _shows(subject, kind, schema, text)
    except UnsatisfiableSchemaError:
        if kind not in ("unsatisfiable_yet_valid", "surrogate_refused"):
            return False
        try:
            with at_most(seconds):
                return Oracle(schema).verdict(text) is True
        except TookTooLong:
            return False
    except StructgenError:
        return False
    except TookTooLong:
        return kind in ("hang", "slow_matcher")
    except Exception as error:  # noqa: BLE001 - the finding itself, if it is of the same type
        return kind == "exception" and (not detail or detail.startswith(type(error).__name__))


def _shows(subject: Subject, kind: Kind, schema: Any, text: str) -> bool:
    grammar = subject.compile(schema)
    data = text.encode("utf-8", "surrogatepass")
    if kind in ("invalid_written", "invalid_accepted"):
        return Oracle(schema).verdict(text) is False and _accepts(subject, grammar, text) is True
    if kind in ("valid_refused", *DOUBTFUL):
        return Oracle(schema).verdict(text) is True and _accepts(subject, grammar, text) is False
    if kind == "repeated_key":
        return subject.accepts(grammar, data) and parse(text)[1]
    if kind == "not_json":
        return subject.accepts(grammar, data) and not _is_json(text)
    if kind in ("dead_end", "mask_disagrees"):
        matcher = grammar.matcher()
        if not matcher.accept_bytes(data):
            return False
        allowed = set(subject.allowed(matcher).tolist())
        if kind == "dead_end":
            return not allowed
        taken = {token for token in range(subject.vocabulary.size) if matcher.fork().accept(token)}
        return allowed != taken or (EOS in allowed) != matcher.is_accepting
    return False


def _accepts(subject: Subject, grammar: CompiledGrammar, text: str) -> bool | None:
    if not subject.keeps_order or parse(text)[1]:
        return subject.accepts(grammar, text.encode())
    compact = ": " not in text and ", " not in text
    return subject.accepts_value(grammar, json.loads(text), compact=compact, ascii=text.isascii())


def _is_json(text: str) -> bool:
    try:
        parse(text)
    except ValueError:
        return False
    return True


def outcomes() -> Iterator[str]:
    """The outcomes that are no findings."""
    yield "compiled"
    for kind in (UnsupportedSchemaError, UnsatisfiableSchemaError, InvalidSchemaError, CompileLimitError):
        yield kind.__name__
