"""genlm-control's side of the comparison, run by the Python of an environment that has it.

    PYTHON genlm_probe.py MODEL PROMPT_IDS REGEX PARTICLES SEEDS MAX_TOKENS METHOD

SEEDS is FIRST:LAST. Prints one line of JSON: for each run the estimate of log Z, the texts and their
weights, tokens, seconds and seconds of processor time. Its model keeps the logits of all prefixes that it
ran, from run to run.
It imports nothing of structgen, which that environment does not have.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time


async def main() -> None:
    import numpy as np
    import torch
    from genlm.control import AWRS, EOS, BoolFSA, PromptedLLM, direct_token_sampler

    model, prompt, regex, particles, seeds, max_tokens, method = sys.argv[1:]
    first, last = map(int, seeds.split(":"))
    torch.set_num_threads(1)
    llm = PromptedLLM.from_name(model, backend="hf", prompt_ids=json.loads(prompt))
    fsa = BoolFSA.from_regex(regex).coerce(llm, f=b"".join)
    results = []
    for seed in (-1, *range(first, last)):  # the first one warms up
        random.seed(seed + 1)
        np.random.seed(seed + 1)
        torch.manual_seed(seed + 1)
        if method == "awrs":
            sampler = AWRS(llm, fsa, seed=seed + 1)
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
        results.append(
            {
                "log_z": float(sequences.log_ml),
                "texts": texts,
                "weights": [float(w) for w in sequences.normalized_weights],
                "tokens": sum(len(context) for context, _ in sequences),
                "steps": max(len(context) for context, _ in sequences),
                "seconds": seconds,
                "cpu": cpu,
            }
        )
    print(json.dumps(results))


if __name__ == "__main__":
    asyncio.run(main())
