"""How often a model answers a schema with an instance of it, without and with structgen's constraint.

The judge is the `jsonschema` package (assertions only: no `format`), which structgen shares no code with.
"""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from structgen.errors import CompileLimitError, SchemaError, UnsupportedSchemaError
from structgen.model import load, prompt_for

from .training_corpus import Case

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

MAX_NEW_TOKENS = 384
_ROWS = 20
_SAMPLING_SEED = 0
# transformers samples among the 50 best tokens unless told otherwise
_SAMPLING: dict[bool, dict[str, Any]] = {False: {}, True: {"top_k": 0, "temperature": 1.0}}


@dataclass(frozen=True, slots=True)
class Report:
    """Counts over ``schemas`` prompts, one answer each.

    ``refused``: schemas that structgen does not compile, by reason (they are in no other count). ``ended``:
    the model wrote EOS within `MAX_NEW_TOKENS`; ``parsed``: the text is JSON; ``valid``: an instance of the
    schema; ``ended_valid``: valid among those that ended, which a constraint must bring to ``ended``.
    """

    name: str
    schemas: int
    refused: dict[str, int]
    ended: int
    parsed: int
    valid: int
    ended_valid: int
    seconds: float

    @property
    def answered(self) -> int:
        return self.schemas - sum(self.refused.values())


def is_instance(data: Any, schema: Any) -> bool:
    """Whether `jsonschema` accepts ``data``. False too where the schema is one that it cannot judge.

    The default dialect is draft 2020-12; ``$ref`` to other documents is never fetched.
    """
    import jsonschema
    import referencing
    import referencing.exceptions
    from jsonschema.validators import validator_for

    try:
        judge = validator_for(schema, default=jsonschema.Draft202012Validator)
        judge.check_schema(schema)
        return bool(judge(schema, registry=referencing.Registry()).is_valid(data))
    except (jsonschema.SchemaError, referencing.exceptions.Unresolvable, re.error):
        return False


def batches(prompts: Sequence[str]) -> list[list[int]]:
    """Numbers of the prompts in groups of `_ROWS` of like length, so that little of a batch is padding."""
    order = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))
    return [order[first : first + _ROWS] for first in range(0, len(order), _ROWS)]


def unconstrained(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, prompts: Sequence[str], *, sample: bool
) -> list[tuple[str, bool]]:
    """(text, whether it ended) for each prompt, greedy or sampled at temperature 1, unconstrained."""
    import torch

    torch.manual_seed(_SAMPLING_SEED)
    answers: dict[int, tuple[str, bool]] = {}
    for rows in batches(prompts):
        given: Any = tokenizer(
            [prompts[index] for index in rows], return_tensors="pt", padding=True, add_special_tokens=False
        )
        written: Any = model.generate(  # type: ignore[operator]  # a mixin's method, typed as Tensor
            input_ids=given["input_ids"],
            attention_mask=given["attention_mask"],
            max_new_tokens=MAX_NEW_TOKENS,
            do_sample=sample,
            **_SAMPLING[sample],
        )
        for index, ids in zip(rows, written[:, given["input_ids"].shape[1] :].tolist(), strict=True):
            ended = tokenizer.eos_token_id in ids
            text = ids[: ids.index(tokenizer.eos_token_id)] if ended else ids
            answers[index] = (str(tokenizer.decode(text)), ended)
    return [answers[index] for index in range(len(prompts))]


def constrained(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, cases: Sequence[Case], *, sample: bool
) -> tuple[list[tuple[str, bool] | None], dict[str, int]]:
    """As `unconstrained`, under each case's schema; None where structgen refuses it, and why, counted."""
    import torch

    from structgen import Compiler, Vocabulary, generate

    torch.manual_seed(_SAMPLING_SEED)
    compiler = Compiler(Vocabulary.from_tokenizer(tokenizer, vocab_size=model.config.vocab_size))
    grammars = {}
    refused: Counter[str] = Counter()
    for index, case in enumerate(cases):
        try:
            grammars[index] = compiler.json_schema(case.schema)
        except (SchemaError, CompileLimitError) as error:
            keyword = f" {error.keyword}" if isinstance(error, UnsupportedSchemaError) else ""
            refused[type(error).__name__ + keyword] += 1
    numbers = list(grammars)
    prompts = [prompt_for(cases[index].schema) for index in numbers]
    answers: list[tuple[str, bool] | None] = [None] * len(cases)
    for rows in batches(prompts):
        results = generate(
            model,
            tokenizer,
            [prompts[row] for row in rows],
            [grammars[numbers[row]] for row in rows],
            max_new_tokens=MAX_NEW_TOKENS,
            do_sample=sample,
            **_SAMPLING[sample],
        )
        for row, result in zip(rows, results, strict=True):
            answers[numbers[row]] = (result.text, result.status == "complete")
    return answers, dict(refused)


def graded(
    name: str,
    cases: Sequence[Case],
    answers: Sequence[tuple[str, bool] | None],
    refused: dict[str, int],
    seconds: float,
) -> Report:
    """The report of one run: each answer parsed, and judged by `is_instance`."""
    ended = parsed = valid = ended_valid = 0
    for case, answer in zip(cases, answers, strict=True):
        if answer is None:
            continue
        text, complete = answer
        ended += complete
        try:
            data = json.loads(text)
        except (json.JSONDecodeError, RecursionError):
            continue
        parsed += 1
        if is_instance(data, case.schema):
            valid += 1
            ended_valid += complete
    return Report(name, len(cases), refused, ended, parsed, valid, ended_valid, seconds)


def evaluate(model_path: Path, cases: Sequence[Case], *, with_constraint: bool = True) -> list[Report]:
    """Greedy and sampled answers to the cases' schemas, without and (``with_constraint``) with constraint.

    Raises `ModelLoadError`; `GenerationError` where structgen's own laws are broken.
    """
    model, tokenizer = load(model_path)
    model = model.float()  # float16 is slow on a CPU
    prompts = [prompt_for(case.schema) for case in cases]
    reports = []
    for sample in (False, True):
        how = "sampled, temperature 1" if sample else "greedy"
        begin = time.monotonic()
        free = unconstrained(model, tokenizer, prompts, sample=sample)
        reports.append(graded(f"{how}, free", cases, free, {}, time.monotonic() - begin))
        if with_constraint:
            begin = time.monotonic()
            bound, refused = constrained(model, tokenizer, cases, sample=sample)
            seconds = time.monotonic() - begin
            reports.append(graded(f"{how}, constrained", cases, bound, refused, seconds))
    return reports


def format_reports(reports: Sequence[Report]) -> str:
    """The reports as a Markdown table, shares of the answered schemas."""
    lines = [
        f"| {reports[0].schemas} held-out schemas | answered | ended | JSON | valid | valid of ended "
        "| seconds |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for report in reports:
        base = max(1, report.answered)
        shares = " | ".join(
            f"{count} ({count / base:.1%})" for count in (report.ended, report.parsed, report.valid)
        )
        last = f"{report.ended_valid / max(1, report.ended):.1%}"
        lines.append(f"| {report.name} | {report.answered} | {shares} | {last} | {report.seconds:.0f} |")
    for report in reports:
        for reason, count in sorted(report.refused.items(), key=lambda item: -item[1]):
            lines.append(f"\n{report.name}: {count} refused, {reason}")
    return "\n".join(lines)
