"""The output layer by its own kernel: the same products, and the module as it was before and after."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch
import transformers

from structgen.sampling import output_layer
from structgen.sampling.output_layer import faster, plain_output_layer, projected
from structgen.threads import is_alone


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize(("tokens", "size"), [(1, 1), (2, 3), (5, 16), (4_103, 33)])
@pytest.mark.parametrize("rows", [1, 2, 3, 4, 5, 7, 8, 13])
def test_products(rows: int, tokens: int, size: int, threads: int) -> None:
    generator = torch.Generator().manual_seed(rows)
    weight = torch.randn(tokens, size, generator=generator)
    hidden = torch.randn(rows, size, generator=generator)
    usual = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        got = projected(weight, hidden, torch.get_num_threads())
    finally:
        torch.set_num_threads(usual)
    torch.testing.assert_close(got.double(), hidden.double() @ weight.double().T, atol=1e-5, rtol=1e-5)


def test_nan_and_infinity_come_through() -> None:
    weight = torch.ones(6, 20)
    weight[1, 3], weight[4, 3] = float("nan"), float("inf")
    hidden = torch.ones(5, 20)
    got = projected(weight, hidden, torch.get_num_threads())
    assert torch.isnan(got[:, 1]).all() and torch.isinf(got[:, 4]).all()
    assert torch.equal(got[:, [0, 2, 3, 5]], torch.full((5, 4), 20.0))


def small_model() -> transformers.LlamaForCausalLM:
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=300, hidden_size=32, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
    )  # fmt: skip
    return transformers.LlamaForCausalLM(config).eval()


@pytest.mark.parametrize("bias", [False, True])
def test_a_model_gives_the_same_logits(monkeypatch: pytest.MonkeyPatch, bias: bool) -> None:
    monkeypatch.setattr(output_layer, "LEAST_WEIGHTS", 1)
    model = small_model()
    if bias:
        model.lm_head.bias = torch.nn.Parameter(torch.randn(300))
    calls = []
    monkeypatch.setattr(output_layer, "projected", lambda *given: calls.append(1) or projected(*given))
    for rows, by_kernel in ((1, 1), (5, 1), (output_layer.MOST_ROWS, 1), (output_layer.MOST_ROWS + 1, 0)):
        ids = torch.randint(0, 300, (rows, 3))
        calls.clear()
        with torch.no_grad():
            wanted = model(ids, logits_to_keep=1).logits
            with faster(model):
                got = model(ids, logits_to_keep=1).logits
        torch.testing.assert_close(got, wanted, atol=1e-5, rtol=1e-5)
        assert len(calls) == by_kernel
        assert "forward" not in vars(model.lm_head)
    with faster(model):  # with gradients it is torch's own
        model(ids[:1], logits_to_keep=1).logits.sum().backward()
    assert len(calls) == 0 and model.lm_head.weight.grad is not None


def test_only_plain_layers_are_stood_in_for(monkeypatch: pytest.MonkeyPatch) -> None:
    model = small_model()
    assert plain_output_layer(model) is None  # too small to gain
    monkeypatch.setattr(output_layer, "LEAST_WEIGHTS", 1)
    assert plain_output_layer(model) is model.lm_head
    assert plain_output_layer(model.bfloat16()) is None

    class Adapted(torch.nn.Linear):
        def forward(self, input: torch.Tensor) -> torch.Tensor:
            return super().forward(input) + 1

    model = small_model()
    model.lm_head = Adapted(32, 300)
    assert plain_output_layer(model) is None
    model = small_model()
    model.lm_head.forward = lambda hidden: hidden  # somebody else's
    assert plain_output_layer(model) is None
    with faster(model):
        pass
    assert "forward" in vars(model.lm_head)
    assert plain_output_layer(object()) is None
    assert plain_output_layer(torch.compile(small_model())) is None
    model = small_model()
    model.compile()
    assert plain_output_layer(model) is None
    with pytest.raises(KeyError), faster(small_model()) as _:
        raise KeyError


def test_it_is_put_back_when_the_model_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output_layer, "LEAST_WEIGHTS", 1)
    model = small_model()
    with pytest.raises(ValueError, match="broken"), faster(model):
        assert "forward" in vars(model.lm_head)
        raise ValueError("broken")
    assert "forward" not in vars(model.lm_head)
    assert np.isfinite(model(torch.tensor([[1]])).logits.detach().numpy()).all()


def test_small_passes_run_on_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch's threads are as they were afterwards, and stay so where others may come to torch meanwhile."""
    monkeypatch.setattr(output_layer, "LEAST_WEIGHTS", 1)
    model = small_model()
    seen: list[int] = []
    model.model.layers[0].register_forward_pre_hook(lambda *_: seen.append(torch.get_num_threads()))
    products = 3 * output_layer.largest_matrix(model)
    assert products == 3 * 32 * 32

    def run(products: int) -> int:
        with torch.no_grad(), faster(model, products):
            model(torch.tensor([[1, 2, 3]]))
        assert torch.get_num_threads() == 2
        return seen[-1]

    usual = torch.get_num_threads()
    torch.set_num_threads(2)
    monkeypatch.setattr(output_layer, "is_alone", lambda: True)  # whatever the test runner has going
    try:
        assert run(products) == 1
        assert run(output_layer.SMALL_PRODUCT + 1) == 2
        with pytest.raises(ValueError, match="broken"), faster(model, products):
            raise ValueError("broken")
        assert torch.get_num_threads() == 2
        monkeypatch.undo()
        monkeypatch.setattr(output_layer, "LEAST_WEIGHTS", 1)
        waits = threading.Event()
        other = threading.Thread(target=waits.wait)
        other.start()
        assert not is_alone() and run(products) == 2
        waits.set()
        other.join()
    finally:
        torch.set_num_threads(usual)
