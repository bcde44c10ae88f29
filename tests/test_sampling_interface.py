"""`sample` as its users meet it: predicates, critics, state, budgets, progress, Ctrl-C, wrong arguments."""

from __future__ import annotations

import math
import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import TinyModel
from toy_models import GRAMMARS, PROMPT, Toy, counts_of, make_toy, tv_distance

from structgen import Budget, LogitsProcessor, sample
from structgen.errors import ArtifactError, BitmaskError, GenerationError, OptionError
from structgen.sampling import PredicateConstraint, PrefixTrie, StateError, load_trie, save_trie


@cache
def toy(name: str) -> Toy:
    return make_toy(*GRAMMARS[name])


def run(made: Toy, method: str, seed: int = 0, **options: Any):
    generator = torch.Generator().manual_seed(seed)
    arguments = {**made.arguments(), "batch_size": 256, "generator": generator, **options}
    return sample(**arguments, method=method)


# -- constraints ---------------------------------------------------------------------------------------


class StartsRight:
    """Texts of `(a|b)(ab|c)*b?`, by a predicate on prefixes."""

    name = "starts-right"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def check(self, prefix: str) -> bool:
        self.asked.append(prefix)
        return re.fullmatch(r"|[ab]((ab|c)*(a|b)?)", prefix) is not None

    def accepts(self, text: str) -> bool:
        return re.fullmatch(r"[ab](ab|c)*b?", text) is not None


@pytest.mark.parametrize("method", ["cars", "rejection", "awrs", "smc", "mcmc"])
@pytest.mark.parametrize("with_grammar", [False, True])
def test_a_predicate_alone_and_with_a_grammar(method: str, with_grammar: bool) -> None:
    """With a grammar: texts that have no c after the second character, say."""
    made = toy("regex")
    if with_grammar:
        target = {w: p for w, p in made.target.items() if len(text_of(made, w)) <= 4}
        constraint: Any = (made.grammar, lambda prefix: len(prefix) <= 4)
    else:
        target = made.target
        constraint = PredicateConstraint(
            StartsRight().check, made.grammar.vocabulary, accepts=StartsRight().accepts
        )
    z = sum(target.values())
    target = {w: p / z for w, p in target.items()}
    n = {"rejection": 300, "smc": 300, "mcmc": 200}.get(method, 2_000)
    result = run(made, method, constraint=constraint, n=n, cut="restart", mcmc_steps=40, particles=20)
    assert set(result.sequences) <= set(target)
    assert result.diagnostics.checks > 0
    tv = tv_distance(counts_of(result.sequences, result.weights), target)
    assert tv <= {"cars": 0.06}.get(method, 0.15), tv
    if method != "mcmc":
        assert abs(result.log_z - math.log(made.z * z)) <= 4 * result.log_z_stderr


def text_of(made: Toy, w: tuple[int, ...]) -> str:
    return made.grammar.vocabulary.decode(w).decode()


def test_a_predicate_with_a_mask(tiny: TinyModel) -> None:
    vowels = np.array([bool(t) and set(t) <= set(b"aeiou") for t in tiny.vocabulary.tokens])
    vowels[list(tiny.eos)] = True

    class Vowels:
        def check(self, prefix: str) -> bool:
            return set(prefix) <= set("aeiou")

        def accepts(self, text: str) -> bool:
            return len(text) == 2

        def mask(self, prefix: str) -> np.ndarray:
            return vowels

    result = sample(
        tiny.model, tiny.tokenizer, Vowels(), "x", method="smc", max_new_tokens=4,
        generator=torch.Generator().manual_seed(0),
    )  # fmt: skip
    assert result.texts and all(re.fullmatch("[aeiou]{2}", text) for text in result.texts)


def test_characters_of_several_tokens(tiny: TinyModel) -> None:
    """The predicate sees whole characters only, and no text that is not UTF-8 is valid."""
    seen: set[str] = set()

    def check(prefix: str) -> bool:
        seen.add(prefix)
        return len(prefix) <= 2 and not any(map(str.isascii, prefix))

    result = sample(
        tiny.model, tiny.tokenizer, check, "x", method="smc", particles=64, max_new_tokens=7,
        generator=torch.Generator().manual_seed(0),
    )  # fmt: skip
    assert any(result.texts) and not any(map(str.isascii, "".join(result.texts)))
    assert not any("\ufffd" in text for text in seen)


# -- critics -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["smc", "local", "awrs"])
def test_a_critic_reweights_the_target(method: str) -> None:
    """The potential of the whole text counts; what the critic said of prefixes is undone."""
    made = toy("ambiguous")

    def critic(text: str, complete: bool) -> float:
        wild = 0.7 * text.count("b") - 0.3 * len(text)  # of no meaning, and gone in the end
        return (math.log(3.0) if text.startswith("b") else 0.0) if complete else wild

    target = {w: p * (3 if text_of(made, w).startswith("b") else 1) for w, p in made.target.items()}
    z = sum(target.values())
    target = {w: p / z for w, p in target.items()}
    n = None if method == "smc" else 4_000
    result = run(made, method, critic=critic, n=n, particles=4_000, batch_size=4_000)
    assert tv_distance(counts_of(result.sequences, result.weights), target) <= 0.08
    assert result.log_z == pytest.approx(math.log(z * made.z), abs=0.15)


def test_a_critic_may_forbid(tiny: TinyModel) -> None:
    made = toy("choice")
    result = run(made, "smc", critic=lambda text, _: -math.inf if "c" in text else 0.0, particles=100)
    assert result.texts and not any("c" in text for text in result.texts)
    with pytest.raises(GenerationError, match="the critic returned nan"):
        run(made, "smc", critic=lambda *_: math.nan)


# -- state ---------------------------------------------------------------------------------------------


def test_a_trie_is_kept_saved_and_loaded(tmp_path: Path) -> None:
    made = toy("regex")
    trie = PrefixTrie(None)
    run(made, "cars", n=200, state=trie)
    bound, nodes = trie.root.bound, trie.n_nodes
    assert made.z <= bound < 2 * made.z and nodes > 20
    again = run(made, "cars", seed=1, n=50, state=trie)
    assert again.diagnostics.acceptance > 0.9
    assert again.diagnostics.forwards_physical < 10
    save_trie(trie, tmp_path / "a.trie")
    loaded = load_trie(tmp_path / "a.trie")
    assert loaded.root.bound == pytest.approx(trie.root.bound) and loaded.n_nodes == trie.n_nodes > 1
    assert loaded.root.children.keys() == trie.root.children.keys()
    a = run(made, "cars", seed=2, n=400, state=loaded)
    b = run(made, "cars", seed=2, n=400, state=trie)
    assert a.sequences == b.sequences and a.diagnostics.acceptance > 0.9


def test_tries_are_merged() -> None:
    made = toy("rare")
    one, other = PrefixTrie(None), PrefixTrie(None)
    run(made, "cars", seed=1, n=20, state=one)
    run(made, "asap", seed=2, n=60, state=other)
    bounds = one.root.bound, other.root.bound
    one.merge(other)
    assert made.z * (1 - 1e-9) <= one.root.bound <= min(bounds) * (1 + 1e-9)
    result = run(made, "cars", seed=3, n=3_000, state=one)
    assert tv_distance(counts_of(result.sequences), made.target) < 0.06
    strange = PrefixTrie(None)
    run(toy("regex"), "cars", n=1, state=strange)
    with pytest.raises(StateError, match=r"another (model|constraint)"):
        one.merge(strange)


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"prompt": [2, 1]}, "prompt"),
        ({"temperature": 2.0}, "target"),
        ({"max_new_tokens": 5}, "target"),
        ({"constraint": None}, "constraint"),
        ({"model": None}, "model"),
    ],
    ids=str,
)
def test_a_trie_of_something_else_is_refused(changed: dict[str, Any], what: str, tmp_path: Path) -> None:
    made, other = toy("regex"), make_toy(*GRAMMARS["brackets"], seed=5)
    trie = PrefixTrie(None)
    run(made, "cars", n=5, state=trie)
    save_trie(trie, tmp_path / "a.trie")
    values = {"constraint": made.compiler.regex("a+b"), "model": other.model}
    changed = {name: values.get(name, value) for name, value in changed.items()}
    for state in (trie, load_trie(tmp_path / "a.trie")):
        with pytest.raises(StateError, match=f"belongs to another {what}"):
            run(made, "cars", state=state, **changed)


def test_files_that_are_no_tries(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="no such file"):
        load_trie(tmp_path / "none")
    trie = PrefixTrie(None)
    with pytest.raises(OptionError, match="an unused PrefixTrie"):
        save_trie(trie, tmp_path / "b")
    run(toy("regex"), "cars", n=5, state=trie)
    save_trie(trie, tmp_path / "a")
    data = (tmp_path / "a").read_bytes()
    for broken in (data[:-9], data[: len(data) // 2], data[:-1] + bytes([data[-1] ^ 1]), b"{}"):
        (tmp_path / "c").write_bytes(broken)
        with pytest.raises(ArtifactError):
            load_trie(tmp_path / "c")
    nameless = PrefixTrie(None)
    made = toy("regex")
    rules = PredicateConstraint(lambda text: len(text) < 4, made.grammar.vocabulary)
    run(made, "cars", n=5, state=nameless, constraint=rules)
    run(made, "cars", n=5, state=nameless, constraint=rules)
    with pytest.raises(OptionError, match="a predicate without a name"):
        save_trie(nameless, tmp_path / "d")


def test_a_trie_is_bounded_and_stays_exact() -> None:
    """So little room that it forgets all the time: looser bounds, the same law."""
    made = make_toy("gbnf", 'root ::= [a-c]* "(" [a-c]* ")"', 9, seed=1, sharpness=0.7)
    trie = PrefixTrie(None, max_bytes=1 << 16)
    sequences: list[tuple[int, ...]] = []
    for seed in range(3):
        result = run(made, "cars", seed=seed, n=300, state=trie)
        sequences += result.sequences
        assert trie.nbytes <= trie.max_bytes * 1.01
        assert trie.root.bound >= made.z * (1 - 1e-9)
    free = PrefixTrie(None)
    unbounded = run(made, "cars", n=900, state=free).sequences
    assert free.nbytes > 2 * trie.max_bytes
    by_length = [
        np.bincount([len(w) for w in each], minlength=9) / len(each) for each in (sequences, unbounded)
    ]
    assert np.abs(by_length[0] - by_length[1]).sum() < 0.2
    with pytest.raises(OptionError, match="max_bytes"):
        PrefixTrie(None, max_bytes=10)


# -- budgets, progress, interruption -----------------------------------------------------------------


def test_budgets() -> None:
    made = toy("rare")
    result = run(made, "rejection", n=100_000, budget=Budget(forwards=100), batch_size=8)
    assert result.diagnostics.stopped == "budget" and 100 <= result.diagnostics.forwards_physical < 160
    result = run(made, "awrs", n=5_000, budget=Budget(checks=200), batch_size=16)
    assert result.diagnostics.stopped == "budget" and 200 <= result.diagnostics.checks < 1_000
    for wrong in (0, -3, 1.5, True):
        with pytest.raises(OptionError, match=r"budget\.forwards"):
            Budget(forwards=wrong)  # type: ignore[arg-type]


def test_auto_falls_to_smc_and_says_so() -> None:
    made = toy("rare")
    result = run(made, "auto", n=3, budget=Budget(forwards=20), particles=30)
    assert result.method == "smc" and result.guarantee == "weighted-unbiased"
    assert any("auto chose smc" in note for note in result.diagnostics.notes)
    result = run(made, "auto", n=3)
    assert result.method == "cars" and result.guarantee == "exact-iid"


@pytest.mark.parametrize("method", ["local", "rejection", "cars", "asap", "awrs", "smc", "mcmc", "auto"])
def test_progress_and_interruption(method: str) -> None:
    made = toy("regex")
    seen = []

    def progress(report) -> None:
        if report.method != "smc: pilot":  # whose texts are dropped
            seen.append(report)
        if len(seen) == 12:
            raise KeyboardInterrupt

    result = run(made, method, n=10_000 if method != "smc" else 500, progress=progress, batch_size=16)
    assert len(seen) == 12 and all(0 <= each.done <= each.wanted for each in seen)
    assert result.diagnostics.stopped == "interrupted"
    assert len(result.log_weights) == len(result.texts) == len(result.logp_model)
    if method not in ("rejection", "auto"):
        assert len(result) > 0


@pytest.mark.parametrize("twist", ["learned", "none"])
def test_texts_that_were_interrupted_do_not_count(twist: str) -> None:
    """Whole populations do; where there is none, what is there is returned, without an estimate of Z."""
    made = toy("rare")  # whose texts have two tokens at least

    def stop_in(population: int):
        begun = []

        def progress(now) -> None:
            begun.extend([now] if now.method == "smc" and now.done == 1 else [])
            if len(begun) == population and now.method == "smc" and now.done == 2:
                raise KeyboardInterrupt

        return progress

    options = {"twist": twist, "particles": 32, "batch_size": 32}
    result = run(made, "smc", n=50, progress=stop_in(3), seed=1, **options)
    assert len(result) == 2 and all(result.complete) and math.isfinite(result.log_z)
    assert any("1 unfinished left out" in note for note in result.diagnostics.notes)
    result = run(made, "smc", n=None, progress=stop_in(1), **options)
    assert len(result) > 0 and not all(result.complete) and math.isnan(result.log_z)
    assert any("not yet of the target" in note for note in result.diagnostics.notes)


@pytest.mark.parametrize("method", ["local", "rejection", "cars", "asap", "awrs", "smc", "mcmc", "auto"])
def test_the_same_seed_gives_the_same(method: str) -> None:
    made = toy("regex")
    results = [run(made, method, seed=seed, n=5) for seed in (3, 3, 4)]
    assert results[0].sequences == results[1].sequences
    np.testing.assert_array_equal(results[0].log_weights, results[1].log_weights)
    assert results[0].sequences != results[2].sequences or method == "smc"


def test_resample() -> None:
    made = toy("regex")
    result = run(made, "local", n=3_000)
    texts = result.resample(2_000, torch.Generator().manual_seed(0))
    target: dict[str, float] = {}
    for w, p in made.target.items():
        target[text_of(made, w)] = target.get(text_of(made, w), 0.0) + p
    assert tv_distance(counts_of(texts), target) < 0.08  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="count"):
        result.resample(0)


def test_no_valid_text() -> None:
    made = toy("regex")
    rules = PredicateConstraint(lambda text: len(text) < 3, made.grammar.vocabulary, accepts=lambda _: False)
    for method in ("cars", "smc", "awrs", "mcmc", "auto"):
        result = run(made, method, n=4, constraint=rules, cut="restart", budget=Budget(forwards=3_000))
        assert not len(result) and not result.log_z > -math.inf and result.resample(3) == []


# -- wrong arguments -----------------------------------------------------------------------------------

WRONG = [
    ({"method": "magic"}, "option 'method': got 'magic', expected one of auto, local"),
    ({"n": 0}, "option 'n': got 0, expected a positive int"),
    ({"n": True}, "option 'n'"),
    ({"particles": 0}, "option 'particles'"),
    ({"ess_threshold": 1.5}, "option 'ess_threshold': got 1.5, expected a number from 0"),
    ({"resampling": "multinomial"}, "option 'resampling'.*stratified, systematic"),
    ({"max_new_tokens": 0}, "option 'max_new_tokens'"),
    ({"length": "cut"}, "option 'length': got 'cut', expected 'condition' or 'truncate'"),
    ({"temperature": 0}, "option 'temperature': got 0.*use structgen.generate"),
    ({"temperature": "hot"}, "option 'temperature'"),
    ({"top_k": 0}, "option 'top_k'"),
    ({"top_p": 1.2}, "option 'top_p'"),
    ({"critic": 3, "method": "smc"}, "option 'critic': got 3"),
    ({"critic": lambda *_: 0.0, "method": "cars"}, "option 'critic'.*a critic reweights.*use smc"),
    ({"variant": "fast"}, "option 'variant'"),
    ({"mcmc_steps": 0}, "option 'mcmc_steps'"),
    ({"cut": "middle"}, "option 'cut'.*uniform, priority, restart"),
    ({"budget": 100}, "option 'budget': got 100, expected a structgen.Budget"),
    ({"batch_size": 0}, "option 'batch_size'"),
    ({"generator": 7}, "option 'generator': got 7"),
    ({"state": "a.trie"}, "option 'state'.*load_trie"),
    ({"progress": 1}, "option 'progress'"),
    ({"prompt": []}, "option 'prompt'.*at least one token"),
    ({"prompt": 5}, "option 'prompt': got 5"),
    ({"model": "gpt2"}, "option 'model': got 'str'"),
    ({"tokenizer": None}, "option 'tokenizer'"),
    ({"constraint": "a+"}, "option 'constraint': got 'a\\+', expected a compiled grammar"),
    ({"constraint": int}, "option 'constraint'"),
    ({"constraint": (1, 2)}, "option 'constraint'"),
]


@pytest.mark.parametrize(("wrong", "message"), WRONG, ids=[message for _, message in WRONG])
def test_wrong_arguments(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        sample(**{**toy("choice").arguments(), **wrong})


def test_what_a_predicate_rules_out() -> None:
    made = toy("choice")
    both = (made.grammar, lambda text: True)
    for method in ("local", "asap"):
        with pytest.raises(OptionError, match=r"awrs, smc, cars.*mask of all tokens"):
            run(made, method, constraint=both)
    with pytest.raises(OptionError, match="'restart' with a predicate"):
        run(made, "mcmc", constraint=both)


def test_a_grammar_of_a_wider_vocabulary_is_refused(tiny: TinyModel) -> None:
    made = toy("choice")
    with pytest.raises(BitmaskError, match="9 columns, but id 9"):
        sample(made.model, made.tokenizer, tiny.compiler.choice(["a"]), PROMPT)


# -- in model.generate ---------------------------------------------------------------------------------


@pytest.mark.parametrize("temperature", [1.0, 1.4])
def test_cars_in_generate(temperature: float) -> None:
    """Kept rows have the law of the target, on a model small enough to enumerate."""
    from toy_models import STOPS, enumerate_target, expected_tv

    made = toy("brackets")
    target = enumerate_target(made.model, made.grammar, 7, temperature=temperature)
    z = sum(target.values())
    target = {w: p / z for w, p in target.items()}
    processor = LogitsProcessor(made.grammar, method="cars", temperature=temperature)
    torch.manual_seed(0)
    kept: list[tuple[int, ...]] = []
    for _ in range(25):
        ids = torch.tensor([PROMPT] * 50)
        for _ in range(7):  # what generate does, for a model that is no GenerationMixin
            scores = processor(ids, made.model(ids).logits[:, -1]) / temperature
            ids = torch.cat([ids, torch.multinomial(torch.softmax(scores.double(), 1), 1)], dim=1)
        for row, good in zip(ids[:, 2:].tolist(), processor.accepted(ids), strict=True):
            if good:
                end = next(i for i, token in enumerate(row) if token in STOPS)
                kept.append(tuple(row[:end]))
    assert len(kept) > 800
    mean, deviation = expected_tv(target, len(kept))
    assert abs(tv_distance(counts_of(kept), target) - mean) <= 4 * deviation
    assert z * (1 - 1e-6) <= processor.bounds[0] < 2 * z


def test_asap_and_cars_in_generate(tiny: TinyModel) -> None:
    grammars = [tiny.compiler.gbnf("root ::= [ab]{1,3}"), tiny.compiler.choice(["yes", "no"])]
    inputs = dict(tiny.tokenizer(["a", "bc d"], return_tensors="pt", padding=True, padding_side="left"))
    length = inputs["input_ids"].shape[1]
    options = {"do_sample": True, "top_k": 0, "max_new_tokens": 8, "num_return_sequences": 8}
    for method in ("asap", "cars"):
        processor = LogitsProcessor(grammars, method=method)
        rates = []
        for seed in range(12):
            torch.manual_seed(seed)
            output = tiny.model.generate(**inputs, logits_processor=[processor], **options)
            good = processor.accepted(output)
            rates.append(sum(good))
            for row, (generated, accepted) in enumerate(zip(output[:, length:].tolist(), good, strict=True)):
                matcher = grammars[row // 8].matcher()
                valid = all(matcher.accept(token) for token in generated if not matcher.is_terminated)
                assert (valid and matcher.is_terminated) == accepted
                assert accepted or method == "cars" or not matcher.is_terminated
        assert sum(rates[-4:]) > sum(rates[:4]) or method == "asap"
        bounds = processor.bounds
        assert len(bounds) == 2 and all(bound < 0.9 for bound in bounds)  # a trie for each prompt
    with pytest.raises(GenerationError, match="not for beams"):
        tiny.model.generate(
            **inputs,
            logits_processor=[LogitsProcessor(grammars, method="asap")],
            num_beams=3,
            max_new_tokens=5,
        )
    with pytest.raises(OptionError, match="option 'method'"):
        LogitsProcessor(grammars, method="best")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="nothing else rejects rows"):
        LogitsProcessor(grammars).accepted(output)


def test_a_trie_that_was_taught_needs_no_pilot() -> None:
    """And the weights' mean is Z still, over populations that all know of those before."""
    made, trie = toy("regex"), PrefixTrie(None)
    log_zs, notes = [], []
    for seed in range(40):
        options = {**made.arguments(), "state": trie, "generator": torch.Generator().manual_seed(seed)}
        result = sample(**options, method="smc", particles=6)
        log_zs.append(result.log_z)
        notes.append(result.diagnostics.notes[-1])
    assert notes[0].endswith("small populations") and notes[-1] == "pilot: none, the trie had been taught"
    ratios = np.exp(np.array(log_zs) - math.log(made.z))
    assert abs(ratios.mean() - 1) <= 4 * ratios.std() / math.sqrt(40) + 1e-9
    trie.max_bytes = 1
    trie.update([])  # forgets, and with it that it is settled
    assert not trie.is_settled


@pytest.mark.parametrize("n", [None, 3])
def test_interrupted_in_the_pilot_there_is_nothing_and_nothing_is_claimed(n: int | None) -> None:
    def progress(now) -> None:
        assert now.method == "smc: pilot"
        raise KeyboardInterrupt

    result = run(toy("rare"), "smc", n=n, progress=progress)
    assert len(result) == 0 and math.isnan(result.log_z) and math.isnan(result.log_z_stderr)
    assert result.diagnostics.stopped == "interrupted" and "pilot: interrupted" in result.diagnostics.notes
