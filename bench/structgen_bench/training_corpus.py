"""MaskBench files as training text for the embedded model: corpus, tokenizer, token batches.

A file is ``{"schema": ..., "tests": [{"valid": bool, "data": ...}]}``. Its schema is the prompt, each valid
instance an answer. Everything here is a pure function of the files and the seed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from structgen.errors import OptionError
from structgen.model import EOS_TOKEN, PAD_TOKEN, answer_for, prompt_for

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# Row lengths that batches are padded to. Few, because each is compiled once; chosen so that padding stays
# under a fifth of the tokens (a schema with its instance has 230 tokens in the median).
ROW_LENGTHS = (128, 192, 256, 384, 512, 768)
CONTEXT = ROW_LENGTHS[-1]

# A schema longer than this teaches the tokenizer nothing new; 3 % of the schemas hold half of the text.
_TOKENIZER_CHARACTERS_PER_SCHEMA = 3000

# Share of the examples that are repeated with the schema `{}` (which their answer satisfies too), so that the
# model writes JSON even when the prompt says nothing about it.
_OPEN_SCHEMA_SHARE = 0.04


@dataclass(frozen=True, slots=True)
class Case:
    """One MaskBench file with at least one valid instance. ``answers``: the valid instances."""

    name: str
    schema: Any
    answers: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Example:
    """Token ids of prompt, answer and EOS, int32 (n,); the first ``prompt_length`` are the prompt."""

    ids: NDArray[np.int32]
    prompt_length: int


@dataclass(frozen=True, slots=True)
class Batch:
    """``ids`` int32 (rows, length), padded on the right; ``prompt`` and ``total`` int32 (rows,): lengths."""

    ids: NDArray[np.int32]
    prompt: NDArray[np.int32]
    total: NDArray[np.int32]


def load_cases(folder: Path) -> list[Case]:
    """Every file of a MaskBench folder that has a valid instance, by name.

    Raises `OptionError` when the folder holds none.
    """
    cases = []
    for path in sorted(folder.glob("*.json")):
        content = json.loads(path.read_bytes())
        answers = tuple(test["data"] for test in content["tests"] if test["valid"])
        if answers:
            cases.append(Case(path.stem, content["schema"], answers))
    if not cases:
        raise OptionError("--data", str(folder), "a folder of MaskBench files with valid instances")
    return cases


def train_tokenizer(cases: list[Case], vocab_size: int) -> Tokenizer:
    """A byte-level BPE of ``vocab_size`` tokens: EOS is id 0, padding id 1, all 256 bytes are in it."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()

    def texts() -> Iterator[str]:
        for case in cases:
            yield prompt_for(case.schema)[:_TOKENIZER_CHARACTERS_PER_SCHEMA]
            for answer in case.answers:
                yield answer_for(answer)[:_TOKENIZER_CHARACTERS_PER_SCHEMA]

    tokenizer.train_from_iterator(
        texts(),
        trainers.BpeTrainer(
            vocab_size=vocab_size,
            special_tokens=[EOS_TOKEN, PAD_TOKEN],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            max_token_length=24,
            show_progress=False,
        ),
    )
    return tokenizer


def encode_cases(cases: list[Case], tokenizer: Tokenizer, seed: int = 0) -> list[Example]:
    """The examples of all cases that fit in `CONTEXT` tokens; longer ones are left out.

    Some (`_OPEN_SCHEMA_SHARE`, chosen by the seed) come a second time with the schema ``{}``.
    """
    end = tokenizer.token_to_id(EOS_TOKEN)
    rng = np.random.default_rng([seed, 1])
    prompts = [prompt_for(case.schema) for case in cases]
    encoded_prompts = [item.ids for item in tokenizer.encode_batch_fast(prompts)]
    open_prompt = tokenizer.encode(prompt_for({})).ids
    examples = []
    for case, prompt in zip(cases, encoded_prompts, strict=True):
        for answer in tokenizer.encode_batch_fast([answer_for(data) for data in case.answers]):
            repeated = rng.random() < _OPEN_SCHEMA_SHARE
            for start in (prompt, open_prompt) if repeated else (prompt,):
                ids = [*start, *answer.ids, end]
                if len(ids) <= CONTEXT:
                    examples.append(Example(np.asarray(ids, dtype=np.int32), len(start)))
    return examples


def row_length(example: Example) -> int:
    """The smallest of `ROW_LENGTHS` that holds the example."""
    return next(length for length in ROW_LENGTHS if length >= len(example.ids))


def epoch_batches(examples: list[Example], batch_tokens: int, seed: int, epoch: int) -> list[Batch]:
    """The batches of one epoch, of ``batch_tokens`` tokens each, padding included.

    The order is a function of (seed, epoch). A row length's last, incomplete batch is left out: another
    epoch leaves out others. The number of batches is the same in every epoch.
    """
    rng = np.random.default_rng([seed, 2, epoch])
    waiting: dict[int, list[Example]] = {length: [] for length in ROW_LENGTHS}
    batches = []
    for index in rng.permutation(len(examples)):
        length = row_length(examples[index])
        rows = waiting[length]
        rows.append(examples[index])
        if len(rows) == max(1, batch_tokens // length):
            batches.append(pad_batch(rows, length))
            waiting[length] = []
    return [batches[index] for index in rng.permutation(len(batches))]


def pad_batch(rows: list[Example], length: int) -> Batch:
    """The examples as one array of ``length`` columns, padded on the right with id 0, which no loss reads."""
    ids = np.zeros((len(rows), length), dtype=np.int32)
    for row, example in enumerate(rows):
        ids[row, : len(example.ids)] = example.ids
    return Batch(
        ids,
        np.asarray([example.prompt_length for example in rows], dtype=np.int32),
        np.asarray([len(example.ids) for example in rows], dtype=np.int32),
    )
