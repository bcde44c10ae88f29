"""Texts that the embedded model writes in a builtin grammar, each judged by another parser.

The model knows JSON only, so what it writes in other languages is noise within the grammar: that is the
test. A text counts when the model ended it itself. How it is led there: each text has a length it is to
reach, drawn evenly from `GOALS` tokens. Before, it may not end unless nothing else may come. From then on
the stop token, and tokens of nothing but closing characters, gain a little with each token; all others
but `{` and a line feed lose as much. The mask alone says what is allowed. A text that has not ended after
`MOST_TOKENS` is given up and counted, and another one begun, at most `MOST_TRIES` times as many as are
wanted.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from rich.table import Table

from structgen_bench.errors import BenchError
from structgen_bench.language_judges import judge_of

GOALS = (1, 40)
MOST_TOKENS = 160
MOST_TRIES = 8
GAIN = 0.5  # of a logit, for each token past the goal
RULE = {"goals": GOALS, "gain": GAIN, "most_tokens": MOST_TOKENS, "most_tries": MOST_TRIES, "temperature": 1}
_BATCH = 50
_CLOSING = re.compile(rb"[)\]};>\"'`]+")
_FULL_STOP = ("fol",)  # where it ends a statement
_NEITHER = re.compile(rb"\n|\{[)\]};]*")


@dataclass(slots=True)
class Samples:
    """What the model wrote in one grammar. ``invalid``: texts that the judge refuses, with its words."""

    grammar: str
    judge: str
    complete: int = 0
    valid: int = 0
    distinct: int = 0
    tries: int = 0
    given_up: int = 0
    characters: list[int] = field(default_factory=list)  # of the complete texts: least, median, most
    tokens: int = 0
    seconds: float = 0.0
    invalid: list[list[str]] = field(default_factory=list)
    examples: list[str] = field(default_factory=list)


def draw_samples(grammar: str, wanted: int, seed: int) -> Samples:
    """``wanted`` complete texts of a builtin grammar, judged. Raises `BenchError` where too few end."""
    from structgen.model import load_default

    model, tokenizer = load_default()
    writer = _Writer(model, tokenizer, grammar, seed)
    name, judge = judge_of(grammar)
    result = Samples(grammar, name)
    began = time.process_time()
    texts: list[str] = []
    while len(texts) < wanted:
        if result.tries >= MOST_TRIES * wanted:
            raise BenchError(f"{len(texts)} of {result.tries} texts of {grammar} ended", "raise MOST_TOKENS")
        batch = min(_BATCH, 2 * wanted)
        ended, tokens = writer.write(batch)
        result.tries += batch
        result.given_up += batch - len(ended)
        result.tokens += tokens
        texts += ended
    texts = texts[:wanted]  # whole batches were drawn: the first that ended, in order
    result.seconds = round(time.process_time() - began, 1)
    _judge(texts, judge, result)
    return result


def _judge(texts: list[str], judge: Callable[[str], str | None], result: Samples) -> None:
    for text in texts:
        verdict = judge(text)
        result.valid += verdict is None
        if verdict is not None:
            result.invalid.append([text, verdict])
    lengths = sorted(map(len, texts))
    result.complete, result.distinct = len(texts), len(set(texts))
    result.characters = [lengths[0], lengths[len(lengths) // 2], lengths[-1]]
    result.examples = texts[:3]


def samples_table(drawn: list[Samples]) -> Table:
    table = Table(title="texts that the embedded model wrote and ended")
    for head in ("grammar", "judge", "valid", "distinct", "tries", "not ended", "characters", "seconds"):
        table.add_column(head, justify="left" if head in ("grammar", "judge") else "right")
    for one in drawn:
        table.add_row(
            one.grammar,
            one.judge,
            f"{one.valid:,}/{one.complete:,}",
            f"{one.distinct:,}",
            f"{one.tries:,}",
            f"{one.given_up:,}",
            "-".join(map(str, one.characters)),
            f"{one.seconds:.0f}",
        )
    return table


class _Writer:
    """The model, held to a grammar, many texts side by side."""

    def __init__(self, model: Any, tokenizer: Any, grammar: str, seed: int) -> None:
        import torch

        from structgen import Compiler, allocate_bitmask
        from structgen.cli.generate import vocabulary_of_model
        from structgen.sampling.language_model import prompt_ids

        self._model = model
        vocabulary = vocabulary_of_model(model, tokenizer)
        self._compiled = Compiler(vocabulary).grammar(grammar)
        self._vocabulary = vocabulary
        self._prompt = prompt_ids(tokenizer, f"{grammar}\n")
        self._generator = torch.Generator().manual_seed(seed)
        self._random = random.Random(seed)
        self._bitmask = allocate_bitmask(_BATCH, vocabulary.size)
        self._stops = list(vocabulary.eos_token_ids)
        pull = torch.full((vocabulary.size,), -GAIN)
        for token, data in enumerate(vocabulary.tokens):
            if data and (_CLOSING.fullmatch(data) or (grammar in _FULL_STOP and data == b".")):
                pull[token] = GAIN
            elif data and _NEITHER.fullmatch(data):
                pull[token] = 0.0
        pull[self._stops] = GAIN
        self._pull = pull

    def write(self, n: int) -> tuple[list[str], int]:
        """The texts of ``n`` that ended, and the number of tokens of all."""
        import torch

        goals = torch.tensor([self._random.randint(*GOALS) for _ in range(n)])
        matchers = [self._compiled.matcher() for _ in range(n)]
        taken: list[list[int]] = [[] for _ in range(n)]
        rows = list(range(n))  # those that have not ended
        ids = torch.tensor([self._prompt] * n)
        past = None
        with torch.inference_mode():
            for step in range(MOST_TOKENS):
                output = self._model(input_ids=ids, past_key_values=past, use_cache=True)
                past = output.past_key_values
                logits = output.logits[:, -1, : self._vocabulary.size].float()
                chosen = self._choose(logits, [matchers[row] for row in rows], step - goals[rows])
                for row, token in zip(rows, chosen.tolist(), strict=True):
                    if not matchers[row].accept(token):
                        raise BenchError(f"token {token} is in the mask and was refused")
                    taken[row].append(token)
                going_on = [place for place, row in enumerate(rows) if not matchers[row].is_terminated]
                if not going_on:
                    break
                if len(going_on) < len(rows):
                    rows = [rows[place] for place in going_on]
                    chosen = chosen[going_on]
                    past.batch_select_indices(torch.tensor(going_on))
                ids = chosen[:, None]
        texts = [
            self._vocabulary.decode(tokens[:-1]).decode()
            for tokens, matcher in zip(taken, matchers, strict=True)
            if matcher.is_terminated
        ]
        return texts, sum(map(len, taken))

    def _choose(self, logits: Any, matchers: list[Any], past_goal: Any) -> Any:
        """A token for each row. ``past_goal``: how many tokens it is past its goal, negative before."""
        import torch

        for row, matcher in enumerate(matchers):
            matcher.fill_bitmask(self._bitmask, row)
        bits = torch.from_numpy(self._bitmask[: len(matchers)].view("uint8"))
        flat = (bits[:, :, None] >> torch.arange(8, dtype=torch.uint8) & 1).reshape(len(matchers), -1)
        allowed = flat[:, : self._vocabulary.size].bool()
        others = allowed.clone()
        others[:, self._stops] = False
        early = (past_goal < 0) & others.any(1)
        allowed = torch.where(early[:, None], others, allowed)
        scores = logits + past_goal.clamp(min=0)[:, None] * self._pull
        weights = scores.masked_fill(~allowed, -torch.inf).softmax(1)
        return torch.multinomial(weights, 1, generator=self._generator)[:, 0]
