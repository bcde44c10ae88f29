"""A model of four layers over a large vocabulary, taught a few sentences: the toy beside genlm-control.

With random weights hardly a text would end, and the estimates of Z would be of nothing. Of the sentences it
is taught about a third do not match ` [a-z ]{1,40}\\.`: they hold a digit, a capital or a comma.
"""

from __future__ import annotations

import random
from pathlib import Path

PROMPT = "A sentence:"
_NOUNS = (
    "man", "woman", "dog", "bird", "house", "river", "stone", "letter", "garden", "king", "road", "child",
    "ship", "song", "winter",
)  # fmt: skip
_VERBS = ("saw", "found", "left", "kept", "made", "lost", "took", "held", "sold", "built")
_QUALITIES = ("old", "red", "small", "quiet", "long", "dark", "young", "cold", "broken", "green")


def sentence(chooser: random.Random) -> str:
    """One of the sentences, with its space in front."""
    first, second = chooser.choice(_NOUNS), chooser.choice(_NOUNS)
    one = f" the {chooser.choice(_QUALITIES)} {first}" if chooser.random() < 0.5 else f" the {first}"
    text = f"{one} {chooser.choice(_VERBS)} a {second}."
    fault = chooser.random()
    if fault < 0.12:
        return text.replace(" a ", f" {chooser.randrange(2, 30)} ")
    if fault < 0.24:
        return text.replace(second, second.capitalize())
    if fault < 0.36:
        return text.replace(first, first + ",")
    return text


def make_toy(tokenizer_file: Path, folder: Path, *, steps: int = 150, seed: int = 0) -> float:
    """Make the model and save it with its tokenizer; the last step's loss. Minutes on one thread."""
    import torch
    import transformers

    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_file=str(tokenizer_file), eos_token="<|endoftext|>", bos_token="<|endoftext|>",
        pad_token="<|endoftext|>",
    )  # fmt: skip
    stop = int(tokenizer.eos_token_id)
    torch.manual_seed(seed)
    model = transformers.LlamaForCausalLM(
        transformers.LlamaConfig(
            vocab_size=len(tokenizer), hidden_size=128, intermediate_size=384, num_hidden_layers=4,
            num_attention_heads=4, max_position_embeddings=256, tie_word_embeddings=True,
            eos_token_id=stop, bos_token_id=stop, pad_token_id=stop,
        )
    )  # fmt: skip
    chooser = random.Random(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    before = tokenizer(PROMPT)["input_ids"]
    for _ in range(steps):
        rows = [tokenizer(sentence(chooser))["input_ids"] + [stop] for _ in range(16)]
        width = max(map(len, rows))
        ids = torch.tensor([before + row + [stop] * (width - len(row)) for row in rows])
        labels = torch.tensor([[-100] * len(before) + row + [-100] * (width - len(row)) for row in rows])
        loss = model(input_ids=ids, labels=labels).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model.eval()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return float(loss.item())
