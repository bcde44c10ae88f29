"""genlm-control's side of the comparison, run by the Python of an environment that has it.

    PYTHON genlm_probe.py MODEL PROMPT_IDS REGEX PARTICLES SEEDS MAX_TOKENS METHOD PREFIXES THREADS

SEEDS is FIRST:LAST. METHOD is "awrs" (the regex as an automaton), "predicate" (AWRS, too, but what the
constraint knows is two answers: whether a text matches REGEX, and whether a beginning matches PREFIXES) or
"direct". Prints one line of JSON: for each run the estimate of log Z, the texts and their
weights, tokens, seconds and seconds of processor time. Its model keeps the logits of all prefixes that it
ran, from run to run.
It imports nothing of structgen, which that environment does not have.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import sys
import time


async def main() -> None:
    import numpy as np
    import torch
    from genlm.control import AWRS, EOS, BoolFSA, Potential, PromptedLLM, direct_token_sampler

    class Predicate(Potential):
        """`structgen.sampling.PredicateConstraint`'s information: answers about texts, no alphabet."""

        def __init__(self, vocabulary, whole, beginning):
            super().__init__(vocabulary)
            self._whole, self._beginning = re.compile(whole), re.compile(beginning)
            self.checks = 0

        async def complete(self, context):
            return self._answer(self._whole, context)

        async def prefix(self, context):
            return self._answer(self._beginning, context)

        def _answer(self, pattern, context):
            self.checks += 1
            try:
                text = b"".join(bytes(token) for token in context).decode()
            except UnicodeDecodeError:
                return float("-inf")
            return 0.0 if pattern.fullmatch(text) else float("-inf")

    model, prompt, regex, particles, seeds, max_tokens, method, prefixes, threads = sys.argv[1:]
    first, last = map(int, seeds.split(":"))
    torch.set_num_threads(int(threads))
    llm = PromptedLLM.from_name(model, backend="hf", prompt_ids=json.loads(prompt))
    fsa = None if method == "predicate" else BoolFSA.from_regex(regex).coerce(llm, f=b"".join)
    results = []
    for seed in (-1, *range(first, last)):  # the first one warms up
        random.seed(seed + 1)
        np.random.seed(seed + 1)
        torch.manual_seed(seed + 1)
        if method == "awrs":
            sampler = AWRS(llm, fsa, seed=seed + 1)
        elif method == "predicate":
            predicate = Predicate(llm.vocab, regex, prefixes)
            sampler = AWRS(llm, predicate, seed=seed + 1)
        else:
            sampler = direct_token_sampler(llm * fsa)
        begin, cpu = time.perf_counter(), time.process_time()
        sequences = await sampler.smc(
            n_particles=int(particles), ess_threshold=0.5, max_tokens=int(max_tokens)
        )
        seconds, cpu = time.perf_counter() - begin, time.process_time() - cpu
        if seed < 0:
            continue
        texts = [b"".join(bytes(t) for t in context if t is not EOS).decode(errors="replace")
                 for context, _ in sequences]  # fmt: skip
        tokens = sum(len(context) for context, _ in sequences)
        results.append(
            {
                "log_z": float(sequences.log_ml),
                "texts": texts,
                "weights": [float(w) for w in sequences.normalized_weights],
                "tokens": tokens,
                "steps": max(len(context) for context, _ in sequences),
                "seconds": seconds,
                "cpu": cpu,
            }
            | ({"checks": predicate.checks / max(1, tokens)} if method == "predicate" else {})
        )
    print(json.dumps(results))


if __name__ == "__main__":
    asyncio.run(main())
