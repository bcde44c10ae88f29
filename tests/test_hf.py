from __future__ import annotations

import random
import subprocess
import sys

import numpy as np
import pytest
import torch
import transformers
from conftest import TinyModel

from structgen import LogitsProcessor, allocate_bitmask
from structgen.compiled import CompiledGrammar
from structgen.errors import BitmaskError, GenerationError, OptionError

INF = float("inf")
LIST = 'root ::= "[" item (", " item)* "]"\nitem ::= [0-9]+ | "yes" | "no"'


@pytest.fixture(scope="module")
def grammars(tiny: TinyModel) -> list[CompiledGrammar]:
    return [
        tiny.compiler.gbnf(LIST),
        tiny.compiler.choice(["yes", "no", "yes and no"]),
        tiny.compiler.gbnf("root ::= [ab]+"),
    ]


def allowed_after(grammar: CompiledGrammar, ids: list[int]) -> set[int]:
    """By replay from the beginning."""
    matcher = grammar.matcher()
    for token in ids:
        assert matcher.accept(token), (ids, token)
    bitmask = allocate_bitmask(1, grammar.vocabulary.size)
    matcher.fill_bitmask(bitmask)
    return set(np.flatnonzero(np.unpackbits(bitmask.view(np.uint8), bitorder="little")).tolist())


def finite(row: torch.Tensor) -> set[int]:
    return set(torch.nonzero(row.isfinite()).flatten().tolist())


def prompts_of(tiny: TinyModel, rows: int, length: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(0, 200, (rows, length), generator=torch.Generator().manual_seed(seed))


def extended(ids: torch.Tensor, tokens: list[int]) -> torch.Tensor:
    return torch.cat([ids, torch.tensor(tokens)[:, None]], dim=1)


def check_text(tiny: TinyModel, grammar: CompiledGrammar, generated: list[int]) -> bool:
    """Whether the row is complete; fails where it is no prefix, or goes on after EOS with text."""
    matcher = grammar.matcher()
    for place, token in enumerate(generated):
        if matcher.is_terminated or (token == tiny.tokenizer.pad_token_id and place == 0):
            assert set(generated[place:]) <= {tiny.tokenizer.pad_token_id, *tiny.eos}
            break
        assert matcher.accept(token), (generated, place)
    return matcher.is_terminated


def batch(tiny: TinyModel, *texts: str) -> dict[str, torch.Tensor]:
    return dict(tiny.tokenizer(list(texts), return_tensors="pt", padding=True, padding_side="left"))


# -- in model.generate -------------------------------------------------------------------------------

MODES = [
    {"do_sample": False},
    {"do_sample": True, "temperature": 3.0},
    {"do_sample": True, "top_p": 0.7, "top_k": 5, "renormalize_logits": True},
    {"num_beams": 3},
    {"num_beams": 4, "num_return_sequences": 4, "early_stopping": True},
    {"num_beams": 3, "do_sample": True, "num_return_sequences": 2},
    {"num_beams": 4, "do_sample": True, "top_p": 0.8, "temperature": 2.0},
    {"do_sample": True, "num_return_sequences": 3},
    {"do_sample": True, "repetition_penalty": 1.3},
    {"use_cache": False},
]


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_every_row_follows_its_own_grammar(tiny: TinyModel, grammars, mode) -> None:
    inputs = batch(tiny, "a", "some longer prompt", "yes no")  # padded on the left by different lengths
    length = inputs["input_ids"].shape[1]
    processor = LogitsProcessor(grammars)
    complete = 0
    for seed in range(3):  # one processor for all calls
        torch.manual_seed(seed)
        output = tiny.model.generate(**inputs, max_new_tokens=14, logits_processor=[processor], **mode)
        each = len(output) // 3
        assert each == mode.get("num_return_sequences", 1)
        for row, generated in enumerate(output[:, length:].tolist()):
            complete += check_text(tiny, grammars[row // each], generated)
    assert complete > 0  # some rows ended early, others went on


def test_rows_are_complete_when_the_grammar_leaves_nothing_else(tiny: TinyModel, grammars) -> None:
    inputs = batch(tiny, "x", "yyyy")
    output = tiny.model.generate(**inputs, max_new_tokens=20, logits_processor=[LogitsProcessor(grammars[1])])
    length = inputs["input_ids"].shape[1]
    for generated in output[:, length:].tolist():
        assert check_text(tiny, grammars[1], generated)


@pytest.mark.parametrize("seed", range(6))
def test_sampled_beams_with_fewer_choices_than_beams(tiny: TinyModel, seed: int) -> None:
    """HF then draws candidates of score minus infinity, which the grammar refuses a step later."""
    grammar = tiny.compiler.choice(["yes"])
    torch.manual_seed(seed)
    inputs = batch(tiny, "x", "yyyy")
    output = tiny.model.generate(
        **inputs, max_new_tokens=8, num_beams=5, do_sample=True, logits_processor=[LogitsProcessor(grammar)]
    )
    for generated in output[:, inputs["input_ids"].shape[1] :].tolist():
        assert check_text(tiny, grammar, generated)


def test_one_processor_gives_what_fresh_ones_give(tiny: TinyModel, grammars) -> None:
    reused = LogitsProcessor(grammars[0])
    calls = [("x",), ("x",), ("a", "bcd"), ("y", "no", "12"), ("x",), ("[",), ("[12",)]
    for number, texts in enumerate(calls):
        mode = {"num_beams": 2} if number % 3 == 2 else {}
        outputs = [
            tiny.model.generate(
                **batch(tiny, *texts), max_new_tokens=3 + number % 4, logits_processor=[processor], **mode
            )
            for processor in (reused, LogitsProcessor(grammars[0]))
        ]
        assert torch.equal(*outputs), texts


def test_any_of_the_eos_ids_ends_the_text(tiny: TinyModel) -> None:
    grammar = tiny.compiler.choice(["no"])
    inputs = batch(tiny, "x")
    seen = set()
    for seed in range(12):
        torch.manual_seed(seed)
        output = tiny.model.generate(
            **inputs, max_new_tokens=6, do_sample=True, temperature=50.0, top_k=0,
            logits_processor=[LogitsProcessor(grammar)],
        )  # fmt: skip
        seen.add(output[0, -1].item())
    assert seen == set(tiny.eos)


def test_scores_and_raw_logits_are_kept_apart(tiny: TinyModel, grammars) -> None:
    output = tiny.model.generate(
        **batch(tiny, "x"), max_new_tokens=3, logits_processor=[LogitsProcessor(grammars[2])],
        return_dict_in_generate=True, output_scores=True, output_logits=True,
    )  # fmt: skip
    assert output.logits[0].isfinite().all()
    assert finite(output.scores[0][0]) == allowed_after(grammars[2], [])


def test_a_row_ended_by_another_criterion(tiny: TinyModel, grammars) -> None:
    class FirstRowStops(transformers.StoppingCriteria):
        def __call__(self, input_ids, scores, **_):
            return torch.tensor([input_ids.shape[1] >= length + 2, False])

    inputs = batch(tiny, "x", "y")
    length = inputs["input_ids"].shape[1]
    stop = {"stopping_criteria": [FirstRowStops()], "max_new_tokens": 8}
    processor = LogitsProcessor(grammars[2], pad_token_id=tiny.tokenizer.pad_token_id)
    rows = tiny.model.generate(**inputs, logits_processor=[processor], **stop)[:, length:].tolist()
    assert set(rows[0][2:]) == {tiny.tokenizer.pad_token_id} and len(rows[1]) == 8
    with pytest.raises(GenerationError, match=r"row 0: the grammar refuses token .*pass pad_token_id="):
        tiny.model.generate(**inputs, logits_processor=[LogitsProcessor(grammars[2])], **stop)


# -- step by step --------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(8))
def test_reordered_rows_are_found_by_their_ids(tiny: TinyModel, grammars, seed: int) -> None:
    """Beams as any search might keep them: doubled, dropped, reordered, finished, at every step."""
    choose = random.Random(seed)
    beams = choose.randint(1, 4)
    prompts = prompts_of(tiny, 3, 5, seed).repeat_interleave(beams, dim=0)
    prompts[beams : 2 * beams] = prompts[:beams]  # two prompts of one text, under different grammars
    processor = LogitsProcessor(grammars)
    ids = prompts
    for _ in range(12):
        scores = torch.randn(3 * beams, tiny.width)
        masked = processor(ids, scores)
        rows = []
        for row in range(3 * beams):
            grammar, generated = grammars[row // beams], ids[row, 5:].tolist()
            ended = [i for i, token in enumerate(generated) if token in tiny.eos]
            if ended:
                assert finite(masked[row]) == set(tiny.eos)
            else:
                assert finite(masked[row]) == allowed_after(grammar, generated)
            assert torch.equal(masked[row][masked[row].isfinite()], scores[row][masked[row].isfinite()])
        for row in range(3 * beams):
            parent = row // beams * beams + choose.randrange(beams)
            if any(token in tiny.eos for token in ids[parent, 5:].tolist()):
                token = tiny.tokenizer.pad_token_id
            else:
                token = choose.choice(sorted(finite(masked[parent])))
            rows.append(torch.cat([ids[parent], torch.tensor([token])]))
        ids = torch.stack(rows)


def test_a_finished_row_has_a_finite_score_whatever_others_forbid(tiny: TinyModel, grammars) -> None:
    processor = LogitsProcessor(grammars[1])
    ids = prompts_of(tiny, 1, 3)
    no, end = tiny.tokenizer.encode("no"), tiny.eos[1]
    for token in [*no, end, tiny.tokenizer.pad_token_id]:
        processor(ids, torch.zeros(1, tiny.width))
        ids = extended(ids, [token])
    scores = torch.zeros(1, tiny.width)
    scores[0, list(tiny.eos)] = -INF  # as min_new_tokens does
    assert finite(processor(ids, scores)[0]) == set(tiny.eos)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_the_scores_given_are_not_written(tiny: TinyModel, grammars, dtype) -> None:
    scores = torch.randn(2, tiny.width).to(dtype)
    before = scores.clone()
    masked = LogitsProcessor(grammars[0])(prompts_of(tiny, 2, 3), scores)
    assert torch.equal(scores, before) and masked.dtype == dtype


def test_a_refused_token_is_an_error_and_the_next_call_works(tiny: TinyModel, grammars) -> None:
    processor = LogitsProcessor(grammars[1])
    ids = prompts_of(tiny, 2, 3)
    (yes,) = tiny.tokenizer.encode("yes")
    (a,) = tiny.tokenizer.encode("a")
    processor(ids, torch.zeros(2, tiny.width))
    ids = extended(ids, [yes, yes])
    processor(ids, torch.zeros(2, tiny.width))
    message = rf"row 1: the grammar refuses token {a} \(b'a'\) after b'yes'.*another logits processor"
    with pytest.raises(GenerationError, match=message):
        processor(extended(ids, [tiny.eos[0], a]), torch.zeros(2, tiny.width))
    masked = processor(prompts_of(tiny, 1, 4), torch.zeros(1, tiny.width))
    assert finite(masked[0]) == allowed_after(grammars[1], [])


@pytest.mark.parametrize("token", ["pad", "width", "beyond"])
def test_ids_without_text_are_refused_too(tiny: TinyModel, grammars, token) -> None:
    processor = LogitsProcessor(grammars[1])
    ids = prompts_of(tiny, 1, 3)
    processor(ids, torch.zeros(1, tiny.width))
    forced = {"pad": tiny.tokenizer.pad_token_id, "width": tiny.width - 1, "beyond": 10**9}[token]
    with pytest.raises(GenerationError, match=f"refuses token {forced} \\(None\\) after b''"):
        processor(extended(ids, [forced]), torch.zeros(1, tiny.width))


def test_a_processor_that_forces_a_token_is_found_in_generate(tiny: TinyModel, grammars) -> None:
    class Forces(transformers.LogitsProcessor):
        def __call__(self, input_ids, scores):
            forced = torch.full_like(scores, -INF)
            forced[:, 5] = 0.0
            return forced

    inputs = batch(tiny, "x", "y")
    for mode in ({}, {"do_sample": True}, {"num_beams": 3}, {"num_beams": 3, "do_sample": True}):
        for processors in (
            [Forces(), LogitsProcessor(grammars[1])],
            [LogitsProcessor(grammars[1]), Forces()],
        ):
            with pytest.raises(GenerationError, match="row 0: "):
                tiny.model.generate(**inputs, max_new_tokens=6, logits_processor=processors, **mode)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (-INF, "row 1: every token that the grammar allows here has the score -inf already; another"),
        (float("nan"), "row 1: the model's scores are nan; its weights"),
        (INF, "row 1: the model's scores are inf"),
    ],
)
def test_scores_that_leave_no_choice(tiny: TinyModel, grammars, value, message) -> None:
    scores = torch.zeros(2, tiny.width)
    scores[1, sorted(allowed_after(grammars[1], []))] = value
    with pytest.raises(GenerationError, match=message):
        LogitsProcessor(grammars[1])(prompts_of(tiny, 2, 3), scores)


def test_contradicting_options_of_generate(tiny: TinyModel) -> None:
    processor = LogitsProcessor(tiny.compiler.choice(["no"]))
    with pytest.raises(GenerationError, match=r"has the score -inf already.*min_new_tokens"):
        tiny.model.generate(
            **batch(tiny, "x"), min_new_tokens=5, max_new_tokens=9, logits_processor=[processor]
        )


def test_widths_of_scores(tiny: TinyModel, grammars) -> None:
    ids = prompts_of(tiny, 1, 3)
    expected = allowed_after(grammars[0], [])
    for width in (tiny.width, tiny.width + 1, 3 * tiny.width, len(tiny.tokenizer)):
        masked = LogitsProcessor(grammars[0])(ids, torch.zeros(1, width))
        assert masked.shape == (1, width) and finite(masked[0]) == expected
    message = rf"{tiny.eos[1]} columns for a vocabulary of {tiny.width} ids, of which 1 with text or EOS"
    with pytest.raises(BitmaskError, match=message):
        LogitsProcessor(grammars[0])(ids, torch.zeros(1, tiny.eos[1]))


def test_where_the_prompt_ends(tiny: TinyModel, grammars) -> None:
    prompt = prompts_of(tiny, 1, 4)
    yes = tiny.tokenizer.encode("yes")
    and_no = tiny.tokenizer.encode(" and no")
    whole = torch.cat([prompt, torch.tensor([[*yes, *and_no]])], dim=1)
    scores = torch.zeros(1, tiny.width)

    told = LogitsProcessor(grammars[1], prompt_length=4)
    for length in (whole.shape[1], 5, 4, 6, 5):  # any order: a draft that was given up, say
        expected = allowed_after(grammars[1], whole[0, 4:length].tolist())
        assert finite(told(whole[:, :length], scores)[0]) == expected
    with pytest.raises(GenerationError, match="3 ids, but prompt_length is 4"):
        told(whole[:, :3], scores)
    with pytest.raises(GenerationError, match="refuses token"):
        told(extended(prompt, [7]), scores)

    guessing = LogitsProcessor(grammars[1])
    for length in (4, 5, 6):
        guessing(whole[:, :length], scores)
    with pytest.raises(GenerationError, match=r"a step back in the same call.*prompt_length=.*reset"):
        guessing(whole[:, :5], scores)
    for length in (4, 5, 4):  # back to the prompt itself is a new call
        expected = allowed_after(grammars[1], whole[0, 4:length].tolist())
        assert finite(guessing(whole[:, :length], scores)[0]) == expected
    guessing.reset()
    assert finite(guessing(whole[:, :5], scores)[0]) == allowed_after(grammars[1], [])


def test_wrong_arguments(tiny: TinyModel, grammars) -> None:
    from structgen import Compiler, Vocabulary

    other = Compiler(Vocabulary([b"a", None], 1)).choice(["a"])
    for given, message in [
        ([], r"option 'grammars': got \[\], expected a compiled grammar"),
        ("yes", "got 'yes', expected a compiled grammar"),
        (None, "got None, expected a compiled grammar"),
        ([grammars[0], None], "expected a compiled grammar"),
        ([grammars[0], other], "one and the same vocabulary"),
    ]:
        with pytest.raises(OptionError, match=message):
            LogitsProcessor(given)
    with pytest.raises(OptionError, match="prompt_length"):
        LogitsProcessor(grammars[0], prompt_length=-1)
    with pytest.raises(GenerationError, match="4 rows for 3 grammars"):
        LogitsProcessor(grammars)(prompts_of(tiny, 4, 3), torch.zeros(4, tiny.width))
    with pytest.raises(BitmaskError, match=r"input_ids \(2, 3\), scores \(1, "):
        LogitsProcessor(grammars)(prompts_of(tiny, 2, 3), torch.zeros(1, tiny.width))


def test_it_is_a_processor_of_transformers_loaded_only_when_used(grammars) -> None:
    assert isinstance(LogitsProcessor(grammars[0]), transformers.LogitsProcessor)
    code = "import sys, structgen; print({'torch', 'transformers', 'numba'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
