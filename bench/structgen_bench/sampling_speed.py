"""AWRS's checks and time a token, and what `local` adds to a model's own time."""

from __future__ import annotations

import math
import statistics
import time
from typing import Any

import numpy as np

SIZES = (1_000, 32_000, 131_072, 152_000)
REJECTED = (0.1, 0.3, 0.45, 0.8)


def awrs_checks(seed: int, tokens: int = 300) -> list[dict[str, Any]]:
    """Constraint checks and time of a token by vocabulary size and rejected mass, and the naive way's.

    P is exponential to the third power over shuffled ids, with the rejected mass set exactly; the checker is
    a regular expression on the text with the token (Python's `re`), as a user's would be.
    """
    import re

    import torch

    from structgen.sampling import awrs
    from structgen.sampling.randomness import Randomness

    pattern = re.compile(r"x[0-8a-n]*")
    rows = []
    for size in SIZES:
        for rejected in REJECTED:
            generator = np.random.default_rng(seed)
            texts = [("x" + np.base_repr(i, 23).lower()) for i in range(size)]  # digits 0-9a-m
            valid = np.array([pattern.fullmatch(text) is not None for text in texts])
            p = generator.exponential(size=size) ** 3
            p[valid] *= (1 - rejected) / p[valid].sum()
            p[~valid] *= rejected / p[~valid].sum()
            logp = torch.from_numpy(np.log(p))
            for variant in ("averaged", "recursive", "geometric", "two-round"):
                randomness = Randomness(torch.Generator().manual_seed(seed))
                counts, times = [], []
                for _ in range(tokens):
                    asked = 0

                    def is_valid(token: int, texts: list[str] = texts) -> bool:
                        nonlocal asked
                        asked += 1
                        return pattern.fullmatch(texts[token]) is not None

                    begin = time.perf_counter()
                    row = awrs.Row(torch.exp(logp).numpy())
                    awrs.weighted_token(row, is_valid, randomness, variant)
                    times.append(time.perf_counter() - begin)
                    counts.append(asked)
                rows.append(
                    {
                        "ids": size,
                        "rejected_mass": rejected,
                        "variant": variant,
                        "checks_median": float(np.median(counts)),
                        "checks_mean": float(np.mean(counts)),
                        "us_a_token": 1e6 * float(np.median(times)),
                    }
                )
            naive = []
            for _ in range(5):
                begin = time.perf_counter()
                allowed = np.array([pattern.fullmatch(text) is not None for text in texts])
                cdf = np.cumsum(np.where(allowed, p, 0.0))
                np.searchsorted(cdf, cdf[-1] * generator.random())
                naive.append(time.perf_counter() - begin)
            rows.append(
                {
                    "ids": size,
                    "rejected_mass": rejected,
                    "variant": "naive",
                    "checks_median": float(size),
                    "us_a_token": 1e6 * statistics.median(naive),
                }
            )
    return rows


def grammar_checker(compiler: Any, vocabulary: Any, seed: int, tokens: int = 200) -> dict[str, Any]:
    """The same with a compiled grammar's `accept` in the checker's place, at 131,072 ids."""
    import torch

    from structgen.sampling import awrs
    from structgen.sampling.randomness import Randomness

    grammar = compiler.regex(r" [a-z ]{1,40}\.")
    randomness = Randomness(torch.Generator().manual_seed(seed))
    generator = np.random.default_rng(seed)
    matcher = grammar.matcher()
    matcher.accept_bytes(b" some ")
    allowed = np.zeros(vocabulary.size, np.bool_)
    begin = time.perf_counter()
    for token in range(vocabulary.size):
        allowed[token] = matcher.fork().accept(token)
    naive = time.perf_counter() - begin
    p = generator.exponential(size=vocabulary.size) ** 3
    p[allowed] *= 0.7 / p[allowed].sum()
    p[~allowed] *= 0.3 / p[~allowed].sum()
    counts, times = [], []
    for _ in range(tokens):
        asked = 0

        def is_valid(token: int) -> bool:
            nonlocal asked
            asked += 1
            return bool(matcher.fork().accept(token))

        begin = time.perf_counter()
        awrs.weighted_token(awrs.Row(p), is_valid, randomness, "recursive")
        times.append(time.perf_counter() - begin)
        counts.append(asked)
    return {
        "ids": vocabulary.size,
        "rejected_mass": 0.3,
        "checks_median": float(np.median(counts)),
        "us_a_token": 1e6 * statistics.median(times),
        "naive_us_a_token": 1e6 * naive,
        "naive_over_awrs": naive / statistics.median(times),
    }


def local_overhead(tokenizer: Any, compiler: Any, seed: int, rounds: int = 30) -> list[dict[str, Any]]:
    """Time a token of `local` against the same model unconstrained: transformers' `generate`, do_sample.

    A Llama of 110 million random parameters over the embedded tokenizer's vocabulary; 16 tokens, the
    contenders by turns, each first as often as the others: a machine's speed changes within a minute by
    more than what is measured. The ratios are of one round's times, their median with the interval that
    holds it in 95 of 100 cases, whatever they are distributed like. The bare loop: passes, cache, a draw.
    """
    import torch
    import transformers

    from structgen import sample

    torch.manual_seed(seed)
    width = compiler.vocabulary.size
    model: Any = transformers.LlamaForCausalLM(
        transformers.LlamaConfig(
            vocab_size=width, hidden_size=768, intermediate_size=2304, num_hidden_layers=14,
            num_attention_heads=12, max_position_embeddings=1024, tie_word_embeddings=True,
            eos_token_id=0, bos_token_id=0, pad_token_id=1,
        )
    )  # fmt: skip
    model.train(False)
    grammar = compiler.regex(r"(.|\n){200,400}")
    prompt = tokenizer("A text:\n")["input_ids"]
    tokens = 16
    results = []
    for batch in (1, 32):

        def constrained(batch: int = batch) -> int:
            result = sample(
                model, tokenizer, grammar, prompt, method="local", n=batch, batch_size=batch,
                max_new_tokens=tokens, length="truncate", generator=torch.Generator().manual_seed(seed),
            )  # fmt: skip
            return result.diagnostics.calls

        def unconstrained(batch: int = batch) -> int:
            model.generate(
                torch.tensor([prompt] * batch), do_sample=True, top_k=0, max_new_tokens=tokens,
                min_new_tokens=tokens, attention_mask=torch.ones(batch, len(prompt), dtype=torch.long),
            )  # fmt: skip
            return tokens

        def bare(batch: int = batch) -> int:
            with torch.no_grad():
                cache = transformers.DynamicCache()
                ids = torch.tensor([prompt] * batch)
                for _ in range(tokens):
                    logits = model(ids, past_key_values=cache, logits_to_keep=1).logits[:, -1]
                    ids = torch.multinomial(torch.softmax(logits, 1), 1)
            return tokens

        contenders = {"local": constrained, "generate": unconstrained, "bare loop": bare}
        times: dict[str, list[float]] = {name: [] for name in contenders}
        for each in contenders.values():
            each()
        names = list(contenders)
        turns = rounds if batch == 1 else max(6, rounds // 3)
        for turn in range(turns):
            for name in names[turn % 3 :] + names[: turn % 3]:
                begin = time.perf_counter()
                passes = contenders[name]()
                times[name].append((time.perf_counter() - begin) / passes)
        results.append(
            {
                "batch": batch,
                "parameters": sum(p.numel() for p in model.parameters()),
                "rounds": turns,
                "ms_a_token": {name: 1e3 * statistics.median(took) for name, took in times.items()},
                "local_over_generate": _ratio(times["local"], times["generate"]),
                "local_over_bare": _ratio(times["local"], times["bare loop"]),
            }
        )
    return results


def _ratio(these: list[float], those: list[float]) -> dict[str, float]:
    """The median of paired ratios, and its 95 % interval by the binomial law of ranks."""
    ratios = sorted(a / b for a, b in zip(these, those, strict=True))
    count = len(ratios)
    below, rank = 0.0, 0
    while below + math.comb(count, rank) / 2**count <= 0.025:
        below += math.comb(count, rank) / 2**count
        rank += 1
    least = max(0, rank - 1)
    return {
        "median": statistics.median(ratios), "from": ratios[least], "to": ratios[count - 1 - least]
    }  # fmt: skip
