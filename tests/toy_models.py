"""Language models small enough to enumerate every text of, and what can be counted on them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
import transformers

from structgen import Compiler, Vocabulary
from structgen.compiled import CompiledGrammar


class TableConfig(transformers.PreTrainedConfig):
    model_type = "structgen-table"

    def __init__(self, vocab_size: int = 4, **options: Any) -> None:
        super().__init__(**options)
        self.vocab_size = vocab_size


class TableModel(transformers.PreTrainedModel):
    """Logits are looked up: by the last token, the one before, and how many there are (mod 3).

    Keys of the cache are the tokens, so that a wrong row, a lost one or a wrong order gives wrong logits.
    """

    config_class = TableConfig

    def __init__(self, config: TableConfig, seed: int = 0, sharpness: float = 1.5) -> None:
        super().__init__(config)
        width = config.vocab_size
        generator = torch.Generator().manual_seed(seed)
        table = sharpness * torch.randn(3, width + 1, width + 1, width, generator=generator)
        self.table = torch.nn.Parameter(table, requires_grad=False)
        self.positions_run = 0
        self.post_init()

    def forward(self, input_ids, past_key_values=None, use_cache=True, logits_to_keep=0, **_):
        before = past_key_values.get_seq_length() if past_key_values is not None else 0
        self.positions_run += input_ids.numel()
        whole = input_ids
        if past_key_values is not None:
            keys = input_ids[:, None, :, None].to(torch.float32)
            whole = past_key_values.update(keys, keys + 0.5, 0)[0][:, 0, :, 0].long()
            assert torch.equal(past_key_values.layers[0].values, past_key_values.layers[0].keys + 0.5)
        logits = torch.stack(
            [self.lookup(whole[:, : end + 1]) for end in range(before, whole.shape[1])], dim=1
        )
        return SimpleNamespace(logits=logits[:, -logits_to_keep:] if logits_to_keep else logits)

    def lookup(self, ids: torch.Tensor) -> torch.Tensor:
        width = self.config.vocab_size
        last = ids[:, -1]
        before = ids[:, -2] if ids.shape[1] > 1 else torch.full_like(last, width)
        return self.table[ids.shape[1] % 3, last, before]


class ToyTokenizer:
    bos_token_id = None

    def __call__(self, text: str, **_: Any) -> dict[str, list[int]]:
        return {"input_ids": [1] * len(text)}


@dataclass(frozen=True)
class Toy:
    """A model, a grammar and the exact target: every valid text with its probability."""

    model: TableModel
    tokenizer: ToyTokenizer
    grammar: CompiledGrammar
    compiler: Compiler
    max_new_tokens: int
    target: dict[tuple[int, ...], float]  # normalised
    z: float

    def arguments(self) -> dict[str, Any]:
        return {
            "model": self.model, "tokenizer": self.tokenizer, "constraint": self.grammar, "prompt": PROMPT,
            "max_new_tokens": self.max_new_tokens,
        }  # fmt: skip


PROMPT = [1, 2]
LETTERS = [b"a", b"b", b"c", b"ab", b"(", b")"]
# Two stop ids, and a column that the vocabulary lacks.
TOKENS = [*LETTERS, None, None]
STOPS = (6, 7)
WIDTH = 9

GRAMMARS = {
    "regex": ("regex", r"(a|b)(ab|c)*b?", 6),
    "brackets": ("gbnf", 'root ::= "(" root ")" root | "a" | ""', 7),
    "ambiguous": ("gbnf", 'root ::= root root | "ab" | "a" | "b"', 5),
    "choice": ("choice", ["a", "ab", "abc", "cab", "(a)", "((b))", "cccc"], 6),
    "rare": ("regex", r"\(\(?[abc]{1,3}\)\)?", 7),
}


def log_softmax(logits: torch.Tensor, temperature: float = 1.0) -> np.ndarray:
    return torch.log_softmax(logits.double() / temperature, dim=-1).numpy()


def enumerate_target(
    model: TableModel,
    grammar: CompiledGrammar,
    max_new_tokens: int,
    *,
    length: str = "condition",
    temperature: float = 1.0,
    prompt: list[int] = PROMPT,
) -> dict[tuple[int, ...], float]:
    """P of every valid text by trying every token, without masks; not normalised."""
    found: dict[tuple[int, ...], float] = {}
    waiting = [((), 1.0, grammar.matcher())]
    while waiting:
        tokens, probability, matcher = waiting.pop()
        if length == "truncate" and len(tokens) == max_new_tokens:
            found[tokens] = probability
            continue
        p = np.exp(log_softmax(model.lookup(torch.tensor([[*prompt, *tokens]]))[0], temperature))
        if matcher.is_accepting:
            found[tokens] = probability * float(p[list(STOPS)].sum())
        if length == "condition" and len(tokens) == max_new_tokens - 1:
            continue
        for token in range(len(LETTERS)):
            after = matcher.fork()
            if after.accept(token):
                waiting.append(((*tokens, token), probability * float(p[token]), after))
    return found


def make_toy(kind: str, source: Any, max_new_tokens: int, seed: int = 0, sharpness: float = 1.5) -> Toy:
    model = TableModel(TableConfig(WIDTH), seed, sharpness).eval()
    compiler = Compiler(Vocabulary([*TOKENS], STOPS))
    grammar = getattr(compiler, kind)(source)
    found = enumerate_target(model, grammar, max_new_tokens)
    z = math.fsum(found.values())
    return Toy(
        model, ToyTokenizer(), grammar, compiler, max_new_tokens, {w: p / z for w, p in found.items()}, z
    )


def tv_distance(counts: dict[tuple[int, ...], float], target: dict[tuple[int, ...], float]) -> float:
    """Total variation distance of normalised weights to the target."""
    total = sum(counts.values())
    keys = counts.keys() | target.keys()
    return 0.5 * sum(abs(counts.get(w, 0.0) / total - target.get(w, 0.0)) for w in keys)


def counts_of(sequences: Any, weights: Any = None) -> dict[tuple[int, ...], float]:
    counts: dict[tuple[int, ...], float] = {}
    for place, sequence in enumerate(sequences):
        counts[sequence] = counts.get(sequence, 0.0) + (1.0 if weights is None else float(weights[place]))
    return counts


def expected_tv(
    target: dict[tuple[int, ...], float], n: int, seed: int = 0, runs: int = 200
) -> tuple[float, float]:
    """Mean and standard deviation of the TV distance that n independent exact draws have."""
    p = np.array(list(target.values()))
    counts = np.random.default_rng(seed).multinomial(n, p / p.sum(), size=runs)
    distances = 0.5 * np.abs(counts / n - p).sum(axis=1)
    return float(distances.mean()), float(distances.std())


def pooled_chi_square(counts: dict[tuple[int, ...], float], target: dict[tuple[int, ...], float]) -> float:
    """z value of Pearson's statistic, texts with an expected count under 5 put together."""
    n = sum(counts.values())
    cells: list[tuple[float, float]] = []
    rest_seen = rest_expected = 0.0
    for w, p in target.items():
        if n * p >= 5:
            cells.append((counts.get(w, 0.0), n * p))
        else:
            rest_seen += counts.get(w, 0.0)
            rest_expected += n * p
    if rest_expected >= 5:
        cells.append((rest_seen, rest_expected))
    statistic = sum((seen - expected) ** 2 / expected for seen, expected in cells)
    freedom = len(cells) - 1
    # Wilson and Hilferty 1931: the cube root is close to normal
    mean = 1 - 2 / (9 * freedom)
    return ((statistic / freedom) ** (1 / 3) - mean) / math.sqrt(2 / (9 * freedom))


class Branches:
    """All outcomes of a random function: call it again and again, each time along another path.

    for branches in Branches.all(): x = f(branches); total += branches.probability * x
    """

    def __init__(self, path: list[int]) -> None:
        self._path = path
        self._place = 0
        self.options: list[int] = []
        self.probability = 1.0

    def choose(self, probabilities: list[float]) -> int:
        """One of the outcomes, by the path; afterwards by the first one that is possible."""
        possible = [i for i, p in enumerate(probabilities) if p > 0]
        if self._place == len(self._path):
            self._path.append(0)
        at = self._path[self._place]
        self._place += 1
        self.options.append(len(possible))
        self.probability *= probabilities[possible[at]]
        return possible[at]

    @staticmethod
    def all() -> Iterator[Branches]:
        path: list[int] = []
        while True:
            branches = Branches(path)
            yield branches
            while path and path[-1] + 1 == branches.options[len(path) - 1]:
                path.pop()
            if not path:
                return
            path[-1] += 1


def powerset(items: range) -> Iterator[tuple[int, ...]]:
    return itertools.chain.from_iterable(
        itertools.combinations(items, size) for size in range(len(items) + 1)
    )
