"""The training script of the embedded model: data, schedule, resuming, judging. On a made-up corpus."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from structgen_bench import train_model
from structgen_bench.model_evaluation import Report, format_reports, graded, is_instance
from structgen_bench.train_model import (
    LEARNING_RATE,
    Progress,
    Settings,
    Trainer,
    draw_curve,
    export,
    learning_rate,
    main,
    scored_positions,
    split_cases,
    train,
)
from structgen_bench.training_corpus import (
    CONTEXT,
    Case,
    Example,
    encode_cases,
    epoch_batches,
    load_cases,
    pad_batch,
    train_tokenizer,
)

from structgen.errors import OptionError
from structgen.model import load, prompt_for

TINY = Settings(
    seed=3, vocab_size=300, batch_tokens=512, hidden_size=32, layers=1, heads=2, intermediate_size=48
)


def schema(index: int) -> dict[str, object]:
    return {"type": "object", "properties": {f"p{index}": {"type": "integer"}}, "required": [f"p{index}"]}


CASES = [Case(f"case{index}", schema(index), ({f"p{index}": index},)) for index in range(40)]


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(CASES, TINY.vocab_size)


def test_load_cases_keeps_only_valid_instances(tmp_path):
    tests = [{"valid": True, "data": 1}, {"valid": False, "data": "x"}, {"valid": True, "data": 2}]
    (tmp_path / "b.json").write_text(json.dumps({"schema": {}, "tests": tests}))
    (tmp_path / "a.json").write_text(json.dumps({"schema": {}, "tests": tests[1:2]}))
    assert load_cases(tmp_path) == [Case("b", {}, (1, 2))]


def test_split_keeps_equal_schemas_together(monkeypatch):
    monkeypatch.setattr(train_model, "HELD_OUT", 10)
    twins = CASES + [replace(case, name=case.name + "b") for case in CASES]
    training, held = split_cases(twins, 0)
    assert len(held) == 10
    assert len(training) == 60
    assert not {prompt_for(case.schema) for case in training} & {prompt_for(case.schema) for case in held}
    assert split_cases(twins, 0) == (training, held)
    assert split_cases(twins, 1)[1] != held


def test_examples_hold_prompt_answer_and_end(tokenizer):
    examples = encode_cases(CASES, tokenizer)
    first = examples[0]
    assert tokenizer.decode(first.ids[: first.prompt_length].tolist()) == prompt_for(CASES[0].schema)
    assert tokenizer.decode(first.ids[first.prompt_length : -1].tolist()) == '{"p0": 0}'
    assert first.ids[-1] == tokenizer.token_to_id("<|end|>") == 0
    long = Case("long", {"enum": list(range(2 * CONTEXT))}, (1,))
    assert encode_cases([long], tokenizer) == []


def test_epochs_are_a_function_of_the_seed_and_hold_each_example_once(tokenizer):
    examples = encode_cases(CASES, tokenizer)
    one, again, other, next_epoch = (
        epoch_batches(examples, 512, seed, epoch) for seed, epoch in ((0, 0), (0, 0), (1, 0), (0, 1))
    )
    assert all(np.array_equal(a.ids, b.ids) for a, b in zip(one, again, strict=True))
    assert not all(np.array_equal(a.ids, b.ids) for a, b in zip(one, other, strict=True))
    assert len(one) == len(other) == len(next_epoch) == len(examples) // (512 // 128)
    rows = [row.tobytes() for batch in one for row in batch.ids]
    assert len(rows) == len(set(rows)) or len(rows) == len(examples)


def test_scored_positions_predict_the_answer_and_its_end():
    rows = [
        Example(np.array([5, 6, 7, 8, 0], np.int32), 3),
        Example(np.array([5, 9, 0], np.int32), 1),
    ]
    batch = pad_batch(rows, 6)
    positions, answers = scored_positions(batch, 0, with_prompt=False)
    assert answers == len(positions) == 4
    assert batch.ids.flatten()[positions + 1].tolist() == [8, 0, 9, 0]
    positions, answers = scored_positions(batch, 0, with_prompt=True)
    assert answers == 4
    assert positions[4:].tolist() == [0]
    everything = {int(p) for step in range(8) for p in scored_positions(batch, step, True)[0][4:]}
    assert everything == {0, 1}


def test_learning_rate_warms_up_holds_and_decays():
    rates = [learning_rate(step, 1000) for step in range(1000)]
    assert rates[0] == LEARNING_RATE / 100
    assert set(rates[100:600]) == {LEARNING_RATE}
    assert rates[600:] == sorted(rates[600:], reverse=True)
    assert math.isclose(rates[-1], LEARNING_RATE / 20, rel_tol=0.01)
    # cutting a run before its decay leaves the steps before as they are
    assert [learning_rate(step, 800) for step in range(480)] == rates[:480]


def test_resuming_equals_running_through(tokenizer, tmp_path):
    examples = encode_cases(CASES, tokenizer)

    def trainer(folder: str) -> Trainer:
        return Trainer(TINY, tmp_path / folder, tokenizer, examples, examples[:8])

    through = trainer("a")
    assert train(through, 6)
    half = trainer("b")
    assert not half.resume()
    for _ in range(3):
        half.step(6)
    half.save()
    rest = trainer("b")
    assert rest.resume()
    assert rest.progress.step == 3
    assert train(rest, 6)
    assert rest.progress.train == through.progress.train
    assert rest.progress.validation == through.progress.validation

    other = Trainer(replace(TINY, seed=4), tmp_path / "b", tokenizer, examples, [])
    with pytest.raises(OptionError, match="--work"):
        other.resume()

    export(through, tokenizer, tmp_path / "out")
    model, loaded = load(tmp_path / "out")
    assert model.num_parameters() == sum(weight.numel() for weight in through.model.parameters())
    assert loaded.get_vocab() == tokenizer.get_vocab()
    draw_curve(through.progress, tmp_path / "curve.png")
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_interrupt_ends_the_step_and_saves(tokenizer, tmp_path, monkeypatch):
    import os
    import signal

    examples = encode_cases(CASES, tokenizer)
    trainer = Trainer(TINY, tmp_path, tokenizer, examples, [])
    plain = Trainer.step

    def interrupted(self: Trainer, steps: int) -> float:
        if self.progress.step == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return plain(self, steps)

    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(Trainer, "step", interrupted)
    assert not train(trainer, 100)
    assert signal.getsignal(signal.SIGINT) is before
    assert trainer.progress.step == 3
    again = Trainer(TINY, tmp_path, tokenizer, examples, [])
    assert again.resume()
    assert again.progress.step == 3


@pytest.mark.parametrize(
    ("data", "given", "expected"),
    [
        ({"a": 1}, {"properties": {"a": {"type": "integer"}}}, True),
        ({"a": "1"}, {"properties": {"a": {"type": "integer"}}}, False),
        (1, {"type": "nonesuch"}, False),
        (1, {"$ref": "https://example.com/other.json"}, False),
        ("a", {"pattern": "("}, False),
        ("not a date", {"format": "date"}, True),
    ],
)
def test_the_judge(data, given, expected):
    assert is_instance(data, given) is expected


def test_graded_and_format():
    cases = [Case("a", {"type": "integer"}, (1,))] * 5
    answers = [("1", True), ('"x"', True), ("[1", False), ("1", False), None]
    report = graded("greedy, free", cases, answers, {"UnsupportedSchemaError not": 1}, 2.0)
    assert report == Report("greedy, free", 5, {"UnsupportedSchemaError not": 1}, 2, 3, 2, 1, 2.0)
    text = format_reports([report])
    assert "| greedy, free | 4 | 2 (50.0%) | 3 (75.0%) | 2 (50.0%) | 50.0% | 2 |" in text
    assert "1 refused, UnsupportedSchemaError not" in text


def test_a_folder_without_data_is_an_error_and_no_traceback(tmp_path, capsys):
    assert main(["--data", str(tmp_path)]) == 2
    assert "--data" in capsys.readouterr().err


def test_progress_starts_empty():
    assert Progress() == Progress(0, 0.0, [], [])
