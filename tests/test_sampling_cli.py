"""`structgen sample` and `structgen bench sampling`: what they print, and how wrong options end."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from toy_models import GRAMMARS, make_toy

from structgen.cli import main
from structgen.sampling import sampler


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    assert "Traceback" not in captured.out + captured.err
    return code, captured.out, captured.err


ASKS = ["sample", "--choice", "yes", "--choice", "no", "-p", "Answer: ", "--max-new-tokens", "6"]


def test_texts_weights_and_figures(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    picture, kept = tmp_path / "a.png", tmp_path / "a.trie"
    code, out, _ = run(capsys, *ASKS, "--method", "cars", "-n", 5, "--plot", picture, "--state", kept)
    assert code == 0
    for part in ("weight", "log P", "by cars (exact-iid)", "log Z = ", "local masking: KL", "forward passes"):
        assert part in out
    assert picture.read_bytes().startswith(b"\x89PNG") and kept.exists()
    code, out, _ = run(capsys, *ASKS, "--method", "cars", "-n", 50, "--state", kept, "--json")
    document = json.loads(out)
    assert code == 0 and len(document["samples"]) == 50 and document["guarantee"] == "exact-iid"
    assert document["forwards_physical"] < 10 < document["forwards_logical"]
    assert math.isclose(sum(each["weight"] for each in document["samples"]), 1)
    assert {each["text"] for each in document["samples"]} <= {"yes", "no"}
    again = json.loads(run(capsys, *ASKS, "--method", "local", "--json")[1])
    assert again == json.loads(run(capsys, *ASKS, "--method", "local", "--json")[1])


def test_ctrl_c_shows_what_is_there(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from structgen.sampling.tries import Tries

    original = Tries.round

    def round_then_stop(self, wanted):
        if self.accepted:
            raise KeyboardInterrupt
        return original(self, wanted)

    monkeypatch.setattr(Tries, "round", round_then_stop)
    code, out, err = run(capsys, *ASKS, "--method", "cars", "-n", 500)
    assert code == 130 and "stopped early: interrupted" in out and "interrupted" in err
    assert "yes" in out or "no" in out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--method", "best"], "option 'method': got 'best'"),
        (["--length", "long"], "option 'length'"),
        (["--temperature", "0"], "option 'temperature'"),
        (["--temperature", "hot"], "--temperature"),
        (["--top-p", "2"], "option 'top_p'"),
        (["--top-k", "-1"], "option 'top_k'"),
        (["-n", "0"], "-n"),
        (["--plot", "no/such/a.png"], "no folder no/such"),
        (["--state", "README.md"], "README.md"),
        (["--regex", "a"], "--regex and --choice"),
    ],
    ids=str,
)
def test_bad_options(options: list[str], message: str, capsys, monkeypatch, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("no trie", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    code, _, err = run(capsys, *ASKS, *options)
    assert code == 2 and message in err


def test_no_prompt_and_no_data(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "sample", "--regex", "a")
    assert code == 2 and "no prompt" in err
    code, _, err = run(capsys, "bench", "sampling")
    assert code == 2 and "no data for the distances" in err
    code, _, err = run(capsys, "bench", "sampling", "--parts", "magic")
    assert code == 2 and "no part 'magic'" in err
    code, _, err = run(capsys, "bench", "sampling", "--parts", "genlm")
    assert code == 2 and "no genlm-control" in err


def test_the_distances_of_the_benchmark() -> None:
    """On a toy that is known exactly: the target, the distances and what exact draws have."""
    from structgen_bench.sampling_distance import distances, exact_target, expected, rejection_cost, shares

    from structgen import sample

    made = make_toy(*GRAMMARS["regex"])
    target, facts = exact_target(made.arguments(), 0, 60.0)
    assert facts["log_z"] == pytest.approx(math.log(made.z), abs=0.01)
    for w, p in target.items():
        assert p == pytest.approx(made.target.get(w, facts["mass_unseen"]), rel=0.02)
    result = sample(**made.arguments(), method="cars", n=500, generator=torch.Generator().manual_seed(1))
    logp = result.logp_model.tolist()
    tv, kl = distances(shares(result.sequences, logp, facts["log_z"], [1 / 500] * 500), target)
    wanted = expected(target, 500, 0)
    assert tv == pytest.approx(wanted[0], rel=0.4) and kl == pytest.approx(wanted[1], rel=0.6)
    cost = rejection_cost(made.arguments(), made.z, 500, 0, 60.0)
    assert cost["tries_expected"] == pytest.approx(500 / made.z)
    # run to its end: as many were accepted as Z says, and each try ran the prompt's last token at least
    assert cost["accepted"] / cost["tries"] == pytest.approx(made.z, rel=0.15)
    assert cost["physical"] == pytest.approx(cost["physical_expected"], rel=0.15)
    assert cost["passes_a_try"] >= 1


def test_a_problem_that_has_no_target_in_time() -> None:
    """Its figures say so, and have no distances."""
    from structgen_bench.sampling_distance import Setting, exact_target, measure_setting

    made = make_toy(*GRAMMARS["rare"])
    target, facts = exact_target(made.arguments(), 0, 0.0)
    assert target == {} and "log_z" not in facts and facts["draws"] < 1_000
    assert facts["log_z_upper"] >= math.log(made.z)
    row = measure_setting(made.arguments(), Setting("cars", "cars", {}), {}, None, 20, 0, 60.0)
    assert row["texts"] == 20 and "tv" not in row
    assert sampler.model_digest(made.model) != sampler.model_digest(
        make_toy(*GRAMMARS["regex"], seed=1).model
    )
