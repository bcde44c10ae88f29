"""Trains the embedded model: ``python -m structgen_bench.train_model --data ../shared/data/maskbench``.

A Llama of about 4 million parameters learns to answer a JSON Schema with an instance of it. Everything
(held-out files, tokenizer, initial weights, order of the data) follows from ``--seed``; two runs agree bit
for bit only with the same torch build, processor and ``--threads``: sums of floats depend on their order.

Ctrl-C saves; the same command goes on from there. ``--steps`` may change between: the learning rate is
constant until the last `DECAY_SHARE` of the steps (warm-up, hold, cosine to a twentieth), so a run that is
cut before its decay is the run that had fewer steps from the start. docs/model.md says what it reached.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import numpy as np

from structgen.errors import OptionError, StructgenError
from structgen.model import EOS_TOKEN, PAD_TOKEN, default_model_path, prompt_for

from .model_evaluation import evaluate, format_reports, is_instance
from .training_corpus import (
    CONTEXT,
    ROW_LENGTHS,
    Batch,
    Case,
    Example,
    encode_cases,
    epoch_batches,
    load_cases,
    pad_batch,
    row_length,
    train_tokenizer,
)

if TYPE_CHECKING:
    import torch
    from tokenizers import Tokenizer
    from transformers import LlamaForCausalLM

HELD_OUT = 200
DECAY_SHARE = 0.4
WARMUP_STEPS = 100
LEARNING_RATE = 2e-3
WEIGHT_DECAY = 0.1
# The schema is learned too, lightly: it is text of the same language. Only one of its positions in
# PROMPT_STRIDE is scored in a step, since the softmax over the vocabulary is a fifth of the cost.
PROMPT_WEIGHT = 0.1
PROMPT_STRIDE = 8
VALIDATE_EVERY = 250
CHECKPOINT_EVERY = 100


@dataclass(frozen=True, slots=True)
class Settings:
    """What decides the result. A checkpoint made with other settings (steps aside) is refused."""

    seed: int
    vocab_size: int
    batch_tokens: int
    hidden_size: int = 256
    layers: int = 4
    heads: int = 4
    intermediate_size: int = 640


@dataclass(slots=True)
class Progress:
    """Where the run is. ``train``: (step, answer loss); ``validation``: the same, on held-out schemas."""

    step: int = 0
    seconds: float = 0.0
    train: list[tuple[int, float]] = field(default_factory=list)
    validation: list[tuple[int, float]] = field(default_factory=list)


def split_cases(cases: list[Case], seed: int) -> tuple[list[Case], list[Case]]:
    """(training, held-out). Files that share their schema's text stay on one side.

    A held-out schema has at most 2,000 characters, so that it fits the context with an answer, and its first
    answer must be accepted by the `jsonschema` package, which is the judge later.
    """
    rng = np.random.default_rng([seed, 0])
    groups: dict[str, list[Case]] = {}
    for case in cases:
        groups.setdefault(prompt_for(case.schema), []).append(case)
    prompts = list(groups)
    held: list[Case] = []
    held_prompts = set()
    for index in rng.permutation(len(prompts)):
        if len(held) == HELD_OUT:
            break
        case = groups[prompts[index]][0]
        if len(prompts[index]) <= 2000 and is_instance(case.answers[0], case.schema):
            held.append(case)
            held_prompts.add(prompts[index])
    training = [case for case in cases if prompt_for(case.schema) not in held_prompts]
    return training, held


def learning_rate(step: int, steps: int) -> float:
    """Linear warm-up, hold, cosine decay to a twentieth over the last `DECAY_SHARE` of ``steps``."""
    warm = min(1.0, (step + 1) / WARMUP_STEPS)
    start = int(steps * (1 - DECAY_SHARE))
    if step < start:
        return LEARNING_RATE * warm
    part = (step - start) / max(1, steps - start)
    return LEARNING_RATE * warm * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * part)))


def scored_positions(batch: Batch, step: int, with_prompt: bool) -> tuple[np.ndarray[Any, Any], int]:
    """Flat positions (row * length + column) whose next token is scored: answers first, then prompts.

    Returns (positions int64, how many of them are of answers). An answer's last is the one before EOS.
    """
    column = np.arange(batch.ids.shape[1])[None, :]
    answer = (column >= batch.prompt[:, None] - 1) & (column < batch.total[:, None] - 1)
    first = np.flatnonzero(answer)
    if not with_prompt:
        return first, len(first)
    prompt = (column < batch.prompt[:, None] - 1) & ((column + step) % PROMPT_STRIDE == 0)
    return np.concatenate([first, np.flatnonzero(prompt)]), len(first)


def new_model(settings: Settings, tokenizer: Tokenizer) -> LlamaForCausalLM:
    """A freshly initialised Llama with tied embeddings, and the end token in its generation config."""
    import torch
    from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

    torch.manual_seed(settings.seed)
    end, pad = tokenizer.token_to_id(EOS_TOKEN), tokenizer.token_to_id(PAD_TOKEN)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=settings.vocab_size,
            hidden_size=settings.hidden_size,
            intermediate_size=settings.intermediate_size,
            num_hidden_layers=settings.layers,
            num_attention_heads=settings.heads,
            num_key_value_heads=settings.heads,
            max_position_embeddings=1024,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=end,
            pad_token_id=pad,
        )
    )
    model.generation_config = GenerationConfig.from_dict({"eos_token_id": end, "pad_token_id": pad})
    return model


def new_optimizer(model: LlamaForCausalLM) -> torch.optim.AdamW:
    """AdamW; weight decay on matrices only."""
    import torch

    matrices = [weight for weight in model.parameters() if weight.ndim >= 2]
    vectors = [weight for weight in model.parameters() if weight.ndim < 2]
    return torch.optim.AdamW(
        [{"params": matrices, "weight_decay": WEIGHT_DECAY}, {"params": vectors, "weight_decay": 0.0}],
        lr=LEARNING_RATE,
        betas=(0.9, 0.95),
        fused=True,
    )


class Trainer:
    """One run: the model, its optimizer and where it is. ``folder`` holds the checkpoint."""

    def __init__(
        self, settings: Settings, folder: Path, tokenizer: Tokenizer, examples: list[Example],
        validation: list[Example],
    ) -> None:  # fmt: skip
        self.settings = settings
        self.folder = folder
        self.examples = examples
        self.validation = validation
        self.model = new_model(settings, tokenizer)
        self.optimizer = new_optimizer(self.model)
        self.progress = Progress()
        self.batches_per_epoch = len(epoch_batches(examples, settings.batch_tokens, settings.seed, 0))
        self._epoch = -1
        self._batches: list[Batch] = []

    @property
    def checkpoint(self) -> Path:
        return self.folder / "checkpoint.pt"

    def save(self) -> None:
        """Writes the checkpoint whole or not at all."""
        import torch

        self.folder.mkdir(parents=True, exist_ok=True)
        temporary = self.checkpoint.with_suffix(".tmp")
        torch.save(
            {
                "settings": asdict(self.settings),
                "progress": asdict(self.progress),
                "model": self.model.state_dict(),
                "optimizer": self.optimizer.state_dict(),
            },
            temporary,
        )
        temporary.replace(self.checkpoint)

    def resume(self) -> bool:
        """Goes on from the checkpoint if there is one. Raises `OptionError` when it has other settings."""
        import torch

        if not self.checkpoint.exists():
            return False
        state = torch.load(self.checkpoint, weights_only=True)
        if state["settings"] != asdict(self.settings):
            raise OptionError("--work", str(self.folder), f"an empty folder, or the run of {self.settings}")
        self.progress = Progress(**state["progress"])
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        return True

    def batch(self, step: int) -> Batch:
        epoch, index = divmod(step, self.batches_per_epoch)
        if epoch != self._epoch:
            self._batches = epoch_batches(
                self.examples, self.settings.batch_tokens, self.settings.seed, epoch
            )
            self._epoch = epoch
        return self._batches[index]

    def losses(self, batch: Batch, step: int, *, with_prompt: bool) -> tuple[torch.Tensor, torch.Tensor]:
        """(answer loss, prompt loss): mean negative log likelihoods in nats a token, float32 scalars."""
        import torch

        positions, answers = scored_positions(batch, step, with_prompt)
        ids = torch.from_numpy(batch.ids).long()
        chosen = torch.from_numpy(positions)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            hidden = self.model.model(input_ids=ids, use_cache=False).last_hidden_state
            logits = self.model.lm_head(hidden.flatten(0, 1)[chosen])
        each = torch.nn.functional.cross_entropy(logits.float(), ids.flatten()[chosen + 1], reduction="none")
        prompt = each[answers:].mean() if len(positions) > answers else each.new_zeros(())
        return each[:answers].mean(), prompt

    def step(self, steps: int) -> float:
        """One update; returns the answer loss. Raises `FloatingPointError` when it is not finite."""
        import torch

        batch = self.batch(self.progress.step)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.progress.step, steps)
        answer, prompt = self.losses(batch, self.progress.step, with_prompt=True)
        value = answer.item()
        if not math.isfinite(value):
            raise FloatingPointError(f"loss is {value} at step {self.progress.step}; lower LEARNING_RATE")
        (answer + PROMPT_WEIGHT * prompt).backward()  # type: ignore[no-untyped-call]  # torch has no annotation
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.progress.step += 1
        self.progress.train.append((self.progress.step, value))
        return value

    def validate(self) -> float:
        """The answer loss on the held-out schemas, in nats a token."""
        import torch

        total, count = 0.0, 0
        with torch.no_grad():
            for length in ROW_LENGTHS:
                rows = [example for example in self.validation if row_length(example) == length]
                size = max(1, self.settings.batch_tokens // length)
                for first in range(0, len(rows), size):
                    batch = pad_batch(rows[first : first + size], length)
                    answers = int((batch.total - batch.prompt).sum())
                    total += self.losses(batch, 0, with_prompt=False)[0].item() * answers
                    count += answers
        value = total / max(1, count)
        self.progress.validation.append((self.progress.step, value))
        return value


@contextmanager
def interruptions() -> Iterator[list[int]]:
    """A list that a first Ctrl-C (or SIGTERM) appends to: the step under way ends, so its state is whole.

    A second one ends the process as usual.
    """
    received: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        signal.signal(number, before[signal.Signals(number)])

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, note) for number in numbers}
    try:
        yield received
    finally:
        for number in numbers:
            signal.signal(number, before[number])


def train(trainer: Trainer, steps: int) -> bool:
    """Runs until ``steps``; True when it got there, False when Ctrl-C stopped it. The state is saved."""
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    done = trainer.progress
    begin = time.monotonic() - done.seconds
    columns = (TextColumn("training"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
               TextColumn("{task.fields[note]}"))  # fmt: skip
    with interruptions() as stop, Bar(*columns, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("training", total=steps, completed=done.step, note="")
        while done.step < steps and not stop:
            trainer.step(steps)
            recent = [loss for _, loss in done.train[-50:]]
            note = f"loss {sum(recent) / len(recent):.3f}"
            done.seconds = time.monotonic() - begin
            if done.step % VALIDATE_EVERY == 0 or done.step == steps:
                note += f", held-out loss {trainer.validate():.3f}"
            bar.update(task, completed=done.step, note=note)
            if done.step % CHECKPOINT_EVERY == 0 or done.step == steps or stop:
                trainer.save()
            if bar.disable and done.step % 50 == 0:
                print(f"step {done.step}/{steps}  {done.seconds:.0f} s  {note}", flush=True)
    return done.step >= steps


def export(trainer: Trainer, tokenizer: Tokenizer, out: Path) -> None:
    """Writes config, float16 weights and tokenizer in Hugging Face format into ``out``."""
    from transformers import PreTrainedTokenizerFast

    model: Any = new_model(trainer.settings, tokenizer)
    model.load_state_dict(trainer.model.state_dict())
    out.mkdir(parents=True, exist_ok=True)
    model.half().save_pretrained(out)
    fast: Any = PreTrainedTokenizerFast
    fast(
        tokenizer_object=tokenizer,
        eos_token=EOS_TOKEN,
        pad_token=PAD_TOKEN,
        model_max_length=model.config.max_position_embeddings,
        clean_up_tokenization_spaces=False,
        padding_side="left",
    ).save_pretrained(out)
    for path in out.iterdir():
        path.chmod(0o644)  # safetensors makes its files private


def draw_curve(progress: Progress, path: Path) -> None:
    """The training curve as a PNG: loss of training batches (mean of 50) and of held-out schemas."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    steps = np.asarray([step for step, _ in progress.train])
    losses = np.asarray([loss for _, loss in progress.train])
    window = min(50, len(losses))
    smooth = np.convolve(losses, np.ones(window) / window, mode="valid")
    figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
    axes.plot(steps[window - 1 :], smooth, label=f"training batches (mean of {window})", linewidth=1)
    axes.plot(*zip(*progress.validation, strict=True), "o-", label="held-out schemas", markersize=3)
    axes.set_xlabel("step")
    axes.set_ylabel("loss of the answer (nats a token)")
    axes.set_yscale("log")
    axes.set_yticks([0.5, 0.7, 1, 2, 4, 8], ["0.5", "0.7", "1", "2", "4", "8"])
    axes.minorticks_off()
    axes.set_title("embedded model: schema in, instance out")
    axes.grid(alpha=0.3)
    axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m structgen_bench.train_model", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--data", type=Path, required=True, help="folder of MaskBench files")
    parser.add_argument("--out", type=Path, default=default_model_path(), help="where the model goes")
    parser.add_argument("--work", type=Path, default=Path("build/model"), help="where the checkpoint goes")
    parser.add_argument("--curve", type=Path, default=Path("docs/training_curve.png"))
    parser.add_argument("--steps", type=int, default=1570)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--vocab-size", type=int, default=4096)
    parser.add_argument("--batch-tokens", type=int, default=6144, help="tokens an update, padding included")
    parser.add_argument("--export-only", action="store_true", help="write the checkpoint out, no steps")
    parser.add_argument("--evaluate-only", action="store_true", help="judge the model in --out, no steps")
    parser.add_argument("--free-only", action="store_true", help="judge without the constraint only")
    parser.add_argument("--no-evaluate", action="store_true", help="stop after writing the model")
    return parser.parse_args(given)


def run(options: argparse.Namespace) -> None:
    """The whole job: split, tokenizer, training, export, curve, evaluation."""
    if find_spec("matplotlib") is None:  # better now than after half an hour
        raise OptionError("--curve", str(options.curve), "matplotlib installed: pip install structgen[plot]")
    cases = load_cases(options.data)
    training, held = split_cases(cases, options.seed)
    if not options.evaluate_only:
        import torch

        torch.set_num_threads(options.threads)
        settings = Settings(options.seed, options.vocab_size, options.batch_tokens)
        tokenizer = train_tokenizer(training, options.vocab_size)
        examples = encode_cases(training, tokenizer, options.seed)
        validation = encode_cases(held, tokenizer, options.seed)
        trainer = Trainer(settings, options.work, tokenizer, examples, validation)
        parameters = sum(weight.numel() for weight in trainer.model.parameters())
        tokens = sum(len(example.ids) for example in examples)
        print(f"{len(training):,} training schemas, {len(held)} held out")
        print(f"{len(examples):,} examples of at most {CONTEXT} tokens, {tokens:,} tokens an epoch of "
              f"{trainer.batches_per_epoch} steps; {parameters:,} parameters", flush=True)  # fmt: skip
        if trainer.resume():
            print(f"going on from step {trainer.progress.step} ({trainer.checkpoint})", flush=True)
        finished = options.export_only or train(trainer, options.steps)
        export(trainer, tokenizer, options.out)
        if trainer.progress.validation:
            draw_curve(trainer.progress, options.curve)
        size = sum(path.stat().st_size for path in options.out.iterdir())
        print(f"{options.out}: {size / 1e6:.2f} MB after step {trainer.progress.step}", flush=True)
        if not finished:
            print("interrupted: the same command goes on from here")
            return
    if not options.no_evaluate:
        print(format_reports(evaluate(options.out, held, with_constraint=not options.free_only)))


def main(given: list[str] | None = None) -> int:
    """Runs the script; 0 when it worked, 2 when an option or file is wrong (said on stderr)."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        run(arguments(given))
    except (StructgenError, json.JSONDecodeError, FloatingPointError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
