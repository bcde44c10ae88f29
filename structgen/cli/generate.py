"""``structgen generate``: a prompt and a grammar in, text that matches out, as it is written."""

from __future__ import annotations

import codecs
import sys
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from structgen.cli.failures import NO_MATCH, UsageError
from structgen.cli.grammar_options import (
    AnyOrderOption,
    ArtifactOption,
    BuiltinOption,
    ChoiceOption,
    CompactOption,
    DialectOption,
    GbnfOption,
    GrammarSource,
    LarkOption,
    RegexOption,
    SchemaOption,
    StartOption,
    TypeOption,
    choose_grammar,
)

if TYPE_CHECKING:
    from structgen import Vocabulary


class TerminalStreamer:
    """Writes tokens as they come (transformers' streamer protocol: ``put`` and ``end``).

    The first ``put`` is the prompt and is not shown. Bytes are decoded across tokens, so that a character
    spread over several appears once, whole.
    """

    def __init__(self, vocabulary: Vocabulary, stream: TextIO) -> None:
        self._vocabulary = vocabulary
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._prompt_seen = False

    def put(self, value: Any) -> None:
        """Show the tokens of an array of ids."""
        if not self._prompt_seen:
            self._prompt_seen = True
            return
        self.show(int(token) for token in value.reshape(-1))

    def show(self, tokens: Iterable[int]) -> None:
        for token in tokens:
            self._stream.write(self._decoder.decode(self._vocabulary.token_bytes(token) or b""))
        self._stream.flush()

    def end(self) -> None:
        """Show what is left of a character that never became whole, and end the line."""
        self._stream.write(self._decoder.decode(b"", final=True) + "\n")
        self._stream.flush()


def generate(
    prompt: Annotated[
        str | None,
        typer.Option(
            "--prompt", "-p", help="The prompt. May be left out with --schema or --type and 'default'."
        ),
    ] = None,
    model: Annotated[
        str, typer.Option(help="'default' (the embedded model), a folder or a Hugging Face model id.")
    ] = "default",
    schema: SchemaOption = None,
    type_: TypeOption = None,
    regex: RegexOption = None,
    lark: LarkOption = None,
    gbnf: GbnfOption = None,
    choice: ChoiceOption = None,
    builtin: BuiltinOption = None,
    artifact: ArtifactOption = None,
    dialect: DialectOption = "python",
    start: StartOption = None,
    compact: CompactOption = False,
    any_order: AnyOrderOption = False,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Stop after so many tokens.")] = 256,
    temperature: Annotated[float, typer.Option(min=0.0, help="0 is the same as --greedy.")] = 1.0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the sampling.")] = 0,
    greedy: Annotated[bool, typer.Option("--greedy", help="Always the likeliest allowed token.")] = False,
) -> None:
    """Text that matches a grammar, written to standard output as it comes; a summary goes to stderr.

    Exit status 0: the text is complete. 1: it was cut off by --max-new-tokens.
    """
    source = choose_grammar(
        schema=schema,
        type_=type_,
        regex=regex,
        lark=lark,
        gbnf=gbnf,
        choice=choice,
        builtin=builtin,
        artifact=artifact,
        dialect=dialect,
        start=start,
        compact=compact,
        any_order=any_order,
    )
    given = _prompt(prompt, model, source)
    from rich.console import Console

    from structgen.model import load

    console = Console(stderr=True, highlight=False)
    with console.status(f"loading {model}"):
        network, tokenizer = load(model)
    with console.status(f"compiling {source.label}"):
        vocabulary = vocabulary_of_model(network, tokenizer)
        grammar = source.compile_or_load(vocabulary)
    from transformers import set_seed

    from structgen import generate as generate_text

    set_seed(seed)
    begin = time.perf_counter()
    result = generate_text(
        network,
        tokenizer,
        given,
        grammar,
        max_new_tokens=max_new_tokens,
        streamer=TerminalStreamer(vocabulary, sys.stdout),
        **sampling_options(greedy, temperature),
    )
    seconds = time.perf_counter() - begin
    cut_off = result.status != "complete"
    status = f"cut off by --max-new-tokens {max_new_tokens}" if cut_off else "complete"
    n_tokens = len(result.token_ids)
    console.print(f"{status}: {n_tokens:,} tokens in {seconds:.2f} s ({n_tokens / seconds:,.1f} a second)")
    if cut_off:
        raise typer.Exit(NO_MATCH)


def sampling_options(greedy: bool, temperature: float) -> dict[str, Any]:
    """The options of transformers' ``generate`` for the command line's."""
    if greedy or temperature == 0:
        return {"do_sample": False}
    return {"do_sample": True, "temperature": temperature}


def vocabulary_of_model(network: Any, tokenizer: Any) -> Vocabulary:
    """The vocabulary as wide as the model's logits, with every EOS id that its configs name."""
    from structgen import Vocabulary
    from structgen.tokenizers import eos_ids_of

    width = network.get_output_embeddings().weight.shape[0]
    return Vocabulary.from_tokenizer(tokenizer, width, eos_ids_of(network, tokenizer))


def _prompt(prompt: str | None, model: str, source: GrammarSource) -> str:
    if prompt is not None:
        return prompt
    if model == "default" and source.kind == "json_schema":
        from structgen.model import prompt_for

        return prompt_for(source.value)
    raise UsageError(
        "no prompt",
        "give --prompt TEXT; only --schema and --type with the embedded model have a prompt of their own",
    )
