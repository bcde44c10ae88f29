"""``structgen demo``: the embedded model with and without a grammar, side by side."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from structgen.cli.failures import NO_MATCH

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from structgen import CompiledGrammar, Vocabulary
    from structgen.cli.demo_tasks import Task

FREE_TOKENS = 96  # without a grammar nothing says when to stop
MAX_TOKENS = 320
TEMPERATURE = 0.8
_SHOWN = 320


@dataclass(frozen=True, slots=True)
class Answer:
    """A generated text, how many tokens it took, whether an EOS id ended it."""

    text: str
    tokens: tuple[int, ...]
    ended: bool


@dataclass(frozen=True, slots=True)
class Times:
    """Of one grammar, from scratch: seconds to compile it, and per token for mask and accept."""

    compile_s: float
    steps_s: tuple[float, ...]


def demo(
    model: Annotated[
        str, typer.Option(help="'default' (the embedded model), a folder or a model id.")
    ] = "default",
    seed: Annotated[int, typer.Option(min=0, help="Seed of the sampling.")] = 4,
    greedy: Annotated[bool, typer.Option("--greedy", help="Always the likeliest token.")] = False,
) -> None:
    """A JSON Schema, a regex, a Lark and a GBNF grammar: what a model writes without and with each.

    Every text is checked by something else than structgen (jsonschema, re, lark, json). Exit status 1 if a
    text written with a grammar is not valid.
    """
    from rich.console import Console

    from structgen import Compiler
    from structgen.cli.demo_tasks import tasks
    from structgen.cli.generate import sampling_options, vocabulary_of_model
    from structgen.model import load

    console = Console()
    options = sampling_options(greedy, TEMPERATURE)
    with console.status("loading the model; the first run on a machine also compiles the kernels"):
        from transformers import set_seed

        network, tokenizer = load(model)
        vocabulary = vocabulary_of_model(network, tokenizer)
        _warm_up(vocabulary)
    console.print(
        f"model {model}: {network.num_parameters():,} parameters, {vocabulary.size:,} token ids, seed {seed}"
    )
    free_valid = valid = 0
    all_tasks = tasks()
    for number, task in enumerate(all_tasks, 1):
        with console.status(f"{task.title}: generating"):
            grammar = task.source.compile(Compiler(vocabulary))
            set_seed(seed)
            free = _free_answer(network, tokenizer, vocabulary, task, options)
            set_seed(seed)
            bound = _bound_answer(network, tokenizer, grammar, task.prompt, options)
            times = _replay(task, vocabulary, bound)
        free_problem = task.problem(free.text)
        problem = task.problem(bound.text) if bound.ended else f"cut off after {MAX_TOKENS} tokens"
        free_valid += not free_problem
        valid += not problem
        _show(console, f"{number}. {task.title}", task, free, free_problem, bound, problem, times)
    console.print(
        f"valid without a grammar: {free_valid} of {len(all_tasks)}; with it: {valid} of {len(all_tasks)}"
    )
    if valid < len(all_tasks):
        raise typer.Exit(NO_MATCH)


def _warm_up(vocabulary: Vocabulary) -> None:
    """Load (on the first run: compile) the kernels, so that no task's times contain it."""
    from structgen import Compiler, allocate_bitmask

    matcher = Compiler(vocabulary).choice(["a", "b"]).matcher()
    matcher.fill_bitmask(allocate_bitmask(1, vocabulary.size))
    matcher.accept(vocabulary.tokenize_bytes(b"a")[0])


def _free_answer(
    network: Any, tokenizer: Any, vocabulary: Vocabulary, task: Task, options: dict[str, Any]
) -> Answer:
    """What the model writes when nothing holds it, up to where it leaves the prompt's JSON string or list."""
    inputs = tokenizer(task.prompt, return_tensors="pt")
    output = network.generate(
        **inputs,
        max_new_tokens=FREE_TOKENS,
        eos_token_id=list(vocabulary.eos_token_ids),
        pad_token_id=vocabulary.eos_token_ids[0],
        **options,
    )
    tokens = tuple(output[0, inputs["input_ids"].shape[1] :].tolist())
    text = vocabulary.decode(tokens).decode("utf-8", "replace")
    if task.until:
        text = text.partition(task.until)[0]
    return Answer(text, tokens, tokens[-1] in vocabulary.eos_token_ids)


def _bound_answer(
    network: Any, tokenizer: Any, grammar: CompiledGrammar, prompt: str, options: dict[str, Any]
) -> Answer:
    """What it writes within the grammar."""
    from structgen import generate

    result = generate(network, tokenizer, prompt, grammar, max_new_tokens=MAX_TOKENS, **options)
    return Answer(result.text, result.token_ids, result.status == "complete")


def _replay(task: Task, vocabulary: Vocabulary, answer: Answer) -> Times:
    """Compile the grammar anew and go over the answer's tokens, without the model."""
    from structgen import Compiler, allocate_bitmask

    compiler = Compiler(vocabulary)
    bitmask = allocate_bitmask(1, vocabulary.size)
    begin = time.perf_counter()
    matcher = task.source.compile(compiler).matcher()
    compiled = time.perf_counter() - begin
    steps = []
    for token in answer.tokens:
        begin = time.perf_counter()
        matcher.fill_bitmask(bitmask)
        matcher.accept(token)
        steps.append(time.perf_counter() - begin)
    return Times(compiled, tuple(steps))


def _show(
    console: Console,
    title: str,
    task: Task,
    free: Answer,
    free_problem: str,
    bound: Answer,
    problem: str,
    times: Times,
) -> None:
    from rich.console import Group
    from rich.panel import Panel
    from rich.syntax import Syntax
    from rich.text import Text

    mean = sum(times.steps_s) / max(1, len(times.steps_s))
    figures = (
        f"{len(bound.tokens)} tokens · compiled in {times.compile_s * 1e3:.1f} ms · mask + accept: "
        f"mean {mean * 1e6:.0f} us, slowest {max(times.steps_s, default=0.0) * 1e6:.0f} us"
    )
    parts: list[RenderableType] = [
        Syntax(task.shown, task.language, word_wrap=True, background_color="default"),
        Text(f"prompt  {_short(task.prompt, 120)}", style="dim"),
        *_verdict("without", free, free_problem),
        *_verdict("with", bound, problem),
        Text(figures, style="dim"),
    ]
    console.print(Panel(Group(*parts), title=title, title_align="left"))


def _verdict(which: str, answer: Answer, problem: str) -> list[RenderableType]:
    from rich.text import Text

    style = "red" if problem else "green"
    mark = f"not valid: {problem}" if problem else "valid"
    heading = Text.assemble((f"{which:<7} ", "bold"), (_short(mark), style))
    return [heading, Text(_short(answer.text), style="" if not problem else "dim")]


def _short(text: str, most: int = _SHOWN) -> str:
    """One line, not endless: its beginning and its end."""
    line = text.replace("\n", "\\n")
    return line if len(line) <= most else f"{line[: most // 2]} ... {line[-most // 2 :]}"
