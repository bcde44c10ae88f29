from __future__ import annotations

import re

import numpy as np
import pytest
import torch
import transformers
from conftest import TinyModel

from structgen import Compiler, Vocabulary, generate
from structgen.compiled import CompiledGrammar
from structgen.errors import GenerationError, OptionError
from structgen.generation import GenerationResult, _decode

LIST = 'root ::= "[" item (", " item)* "]"\nitem ::= [0-9]+ | "yes" | "no"'
WHOLE_LIST = re.compile(r"\[([0-9]+|yes|no)(, ([0-9]+|yes|no))*\]")


@pytest.fixture(scope="module")
def lists(tiny: TinyModel) -> CompiledGrammar:
    return tiny.compiler.gbnf(LIST)


@pytest.fixture(scope="module")
def answer(tiny: TinyModel) -> CompiledGrammar:
    return tiny.compiler.choice(["yes", "no"])


def check(tiny: TinyModel, grammar: CompiledGrammar, result: GenerationResult) -> None:
    matcher = grammar.matcher()
    for token in result.token_ids:  # a viable prefix, whatever the status
        assert token not in tiny.eos and matcher.accept(token)
    assert tiny.vocabulary.decode(result.token_ids).decode() == result.text
    if result.status == "complete":
        assert matcher.is_accepting


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"do_sample": True, "temperature": 2.0},
        {"num_beams": 3},
        {"num_beams": 3, "do_sample": True, "num_return_sequences": 3},
        {"do_sample": True, "num_return_sequences": 4},
    ],
    ids=str,
)
def test_texts_match_or_are_the_beginning_of_a_match(tiny, lists, answer, options) -> None:
    prompts = ["x", "a longer prompt", ""]
    each = options.get("num_return_sequences", 1)
    seen = set()
    for seed in range(4):
        torch.manual_seed(seed)
        grammars = [lists, answer, lists]
        results = generate(tiny.model, tiny.tokenizer, prompts, grammars, max_new_tokens=12, **options)
        assert len(results) == 3 * each
        for row, result in enumerate(results):
            check(tiny, grammars[row // each], result)
            seen.add(result.status)
            if result.status == "complete":
                pattern = re.compile("yes|no") if row // each == 1 else WHOLE_LIST
                assert pattern.fullmatch(result.text)
    assert seen == {"complete", "truncated"}


def test_one_prompt_gives_one_result_and_a_list_a_list(tiny, answer) -> None:
    result = generate(tiny.model, tiny.tokenizer, "x", answer)
    assert isinstance(result, GenerationResult) and result.status == "complete"
    assert generate(tiny.model, tiny.tokenizer, ["x"], answer) == [result]
    assert generate(tiny.model, tiny.tokenizer, [], answer) == []


def test_a_batch_gives_what_single_prompts_give(tiny, lists) -> None:
    prompts = ["a", "bc def", "g hij klm nop"]
    together = generate(tiny.model, tiny.tokenizer, prompts, lists, max_new_tokens=9)
    alone = [generate(tiny.model, tiny.tokenizer, prompt, lists, max_new_tokens=9) for prompt in prompts]
    assert together == alone


def test_status(tiny) -> None:
    def run(gbnf: str, tokens: int) -> GenerationResult:
        return generate(tiny.model, tiny.tokenizer, "x", tiny.compiler.gbnf(gbnf), max_new_tokens=tokens)

    assert run('root ::= "+++"', 2) == GenerationResult("++", "truncated", (10, 10))
    assert run('root ::= "+++"', 3).status == "complete"  # no EOS, but nothing else could follow
    assert run('root ::= "+++"', 4) == GenerationResult("+++", "complete", (10, 10, 10))
    more = generate(  # it may end after each +, but never does
        tiny.model, tiny.tokenizer, "x", tiny.compiler.gbnf('root ::= "+"+'), max_new_tokens=3,
        sequence_bias={(eos,): -1e4 for eos in tiny.eos},
    )  # fmt: skip
    assert more == GenerationResult("+++", "truncated", (10, 10, 10))
    stopped = generate(
        tiny.model, tiny.tokenizer, ["x", "y"], tiny.compiler.gbnf('root ::= [a-z] "+" [0-9]{9}'),
        stop_strings=["+"], max_new_tokens=5,
    )  # fmt: skip
    assert [(result.status, result.text[1:]) for result in stopped] == [("truncated", "+")] * 2


def test_a_character_cut_in_two(tiny) -> None:
    result = generate(tiny.model, tiny.tokenizer, "x", tiny.compiler.choice(["ü€"]), max_new_tokens=3)
    assert result.text == "ü\N{REPLACEMENT CHARACTER}" and result.status == "truncated"
    assert len(result.token_ids) == 3
    assert generate(tiny.model, tiny.tokenizer, "x", tiny.compiler.choice(["ü€"])).text == "ü€"
    for data in (b"a\xffb", b"a\xff", b"\xc3\x28"):
        with pytest.raises(GenerationError, match="not UTF-8"):
            _decode(data)


def test_a_tokenizer_without_pad_or_specials(tiny, lists) -> None:
    bare = transformers.PreTrainedTokenizerFast(tokenizer_object=tiny.tokenizer.backend_tokenizer)
    assert bare.pad_token_id is None
    prompts = ["x", "yyy"]
    results = generate(tiny.model, bare, prompts, lists, max_new_tokens=9)
    assert results == generate(tiny.model, tiny.tokenizer, prompts, lists, max_new_tokens=9)
    with pytest.raises(OptionError, match="option 'prompts': got ''"):
        generate(tiny.model, bare, ["x", ""], lists)


def test_streaming_and_further_processors(tiny, lists) -> None:
    class Collects(transformers.generation.streamers.BaseStreamer):
        pieces: list[int] = []  # noqa: RUF012  # one object of this class

        def put(self, value):
            self.pieces += value.flatten().tolist()

        def end(self):
            self.pieces.append(-1)

    calls = []

    class Counts(transformers.LogitsProcessor):
        def __call__(self, input_ids, scores):
            calls.append(scores.isfinite().all().item())
            return scores

    streamer = Collects()
    result = generate(
        tiny.model,
        tiny.tokenizer,
        "x",
        lists,
        max_new_tokens=5,
        streamer=streamer,
        logits_processor=[Counts()],
    )
    prompt = tiny.tokenizer.encode("x")
    assert streamer.pieces[: len(prompt)] == prompt and streamer.pieces[-1] == -1
    assert tuple(streamer.pieces[len(prompt) :][: len(result.token_ids)]) == result.token_ids
    assert calls and all(calls)  # others come first and see what the model said


def test_only_the_eos_ids_of_the_vocabulary_end_the_text(tiny) -> None:
    """The model's config names another EOS id: neither generate nor the grammar takes it for one."""
    vocabulary = Vocabulary.from_tokenizer(tiny.tokenizer, vocab_size=tiny.width)
    assert vocabulary.eos_token_ids == (tiny.eos[0],)
    grammar = Compiler(vocabulary).choice(["no", "no no"])
    result = generate(tiny.model, tiny.tokenizer, "x", grammar)
    assert result.status == "complete" and result.text in ("no", "no no")


class NotAModel:
    def generate(self) -> None: ...


WRONG = [
    ({"prompts": 3}, "option 'prompts': got 3"),
    ({"prompts": ["a", None]}, "option 'prompts': got None"),
    ({"prompts": b"a"}, "option 'prompts': got b'a'"),
    ({"model": NotAModel()}, "option 'model': got 'NotAModel'"),
    ({"tokenizer": None}, "option 'tokenizer': got 'NoneType'"),
    ({"grammar": "yes|no"}, r"option 'grammar': got 'yes\|no', expected a compiled grammar \(see Compiler\)"),
    ({"grammar": []}, r"option 'grammar': got \[\]"),
    ({"max_new_tokens": 0}, "option 'max_new_tokens': got 0, expected a positive int"),
    ({"max_new_tokens": True}, "option 'max_new_tokens': got True"),
    ({"max_new_tokens": 2.5}, "option 'max_new_tokens': got 2.5"),
    ({"temprature": 2.5}, "option 'temprature': got 2.5, expected an option of transformers' generate"),
    ({"max_length": 5}, "option 'max_length': got 5, expected max_new_tokens"),
    ({"eos_token_id": 5}, "option 'eos_token_id': got 5.*vocabulary"),
    ({"prompt_lookup_num_tokens": 5}, "option 'prompt_lookup_num_tokens'"),
    (
        {"num_return_sequences": 2, "do_sample": True},
        r"option 'num_return_sequences': got 2.*pass \[prompt\]",
    ),
    ({"prompts": ["a", "b"], "streamer": object()}, "option 'streamer'"),
    ({"num_beams": 2, "streamer": object()}, "option 'streamer'"),
]


@pytest.mark.parametrize(("wrong", "message"), WRONG, ids=[message for _, message in WRONG])
def test_wrong_arguments(tiny, answer, wrong, message) -> None:
    call = {"model": tiny.model, "tokenizer": tiny.tokenizer, "prompts": "x", "grammar": answer} | wrong
    with pytest.raises(OptionError, match=message):
        generate(**call)


def test_as_many_grammars_as_prompts(tiny, lists, answer) -> None:
    with pytest.raises(
        OptionError, match="option 'grammar': got '2 grammars', expected one for all prompts, or 3"
    ):
        generate(tiny.model, tiny.tokenizer, ["x", "y", "z"], [lists, answer])
    with pytest.raises(OptionError, match="expected one for all prompts, or 1"):
        generate(tiny.model, tiny.tokenizer, "x", [lists, answer])


def test_an_encoder_decoder_model_is_refused(tiny, answer) -> None:
    config = transformers.T5Config(
        vocab_size=tiny.width, d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2, decoder_start_token_id=0
    )
    with pytest.raises(OptionError, match="a decoder-only model"):
        generate(transformers.T5ForConditionalGeneration(config), tiny.tokenizer, "x", answer)


def test_a_grammar_for_another_tokenizer_is_refused(tiny) -> None:
    tokens = list(tiny.vocabulary.tokens)
    letters = [i for i, token in enumerate(tokens) if token and token.isalnum() and token.isascii()]
    shifted = np.roll(letters, 1)
    for here, there in zip(letters, shifted.tolist(), strict=True):
        tokens[here] = tiny.vocabulary.tokens[there]
    other = Compiler(Vocabulary(tokens, tiny.eos)).choice(["yes"])
    with pytest.raises(
        OptionError, match=r"option 'tokenizer': got .*id \d+ = '.*as in the vocabulary of the"
    ):
        generate(tiny.model, tiny.tokenizer, "x", other)
    small = Compiler(Vocabulary([b"a", None], 1)).choice(["a"])
    with pytest.raises(OptionError, match=r"option 'tokenizer': got '.* ids'"):
        generate(tiny.model, tiny.tokenizer, "x", small)
