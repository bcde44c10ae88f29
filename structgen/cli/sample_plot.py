"""The picture of ``structgen sample --plot``: each method's distance to the target against its cost."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import torch

from structgen.cli.failures import UsageError

_METHODS: Final = ("local", "cars", "asap", "smc", "mcmc")
_REFERENCE: Final = 2_000  # draws that stand for the target
_REFERENCE_FORWARDS: Final = 20_000


def draw_distances(common: dict[str, Any], n: int, seed: int, target: Path) -> None:
    """Run every method for n texts and draw the total variation distance of its texts to the target's.

    The target is that of 2,000 exact draws (cars), or, where these cost too much, of as many local ones by
    weight; the picture says which. Each method's own noise is in its distance: n draws of the target have
    some, too, which is drawn as a line.
    """
    try:
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot
    except ImportError as error:
        raise UsageError(
            "pictures need matplotlib, which is not installed", "pip install matplotlib"
        ) from error
    from structgen import Budget, sample

    def run(method: str, count: int, **options: Any) -> Any:
        generator = torch.Generator().manual_seed(seed + 1)
        return sample(**common, method=method, n=count, generator=generator, **options)  # type: ignore[arg-type]

    reference = run("cars", _REFERENCE, budget=Budget(forwards=_REFERENCE_FORWARDS))
    name = f"{len(reference):,} exact draws"
    if len(reference) < _REFERENCE // 10:
        reference = run("local", _REFERENCE)
        name = f"{len(reference):,} local draws by weight"
    wanted = _shares(reference.texts, reference.weights)
    figure, axis = pyplot.subplots(figsize=(7, 4.2), constrained_layout=True)
    for method in _METHODS:
        result = run(method, n, budget=Budget(forwards=_REFERENCE_FORWARDS))
        if not len(result):
            continue
        even = torch.full((len(result),), 1 / len(result)).tolist()
        distance = _distance(_shares(result.texts, even), wanted)
        cost = max(1, result.diagnostics.forwards_physical)
        points = axis.plot(cost, distance, "o", label=f"{method} ({result.guarantee})")
        if method == "local":
            weighted = _distance(_shares(result.texts, result.weights), wanted)
            axis.plot(
                cost, weighted, "s", color=points[0].get_color(), fillstyle="none", label="local, weighted"
            )
    if name.endswith("exact draws"):
        floor = _distance(_shares(reference.texts[:n], [1 / n] * n), wanted)
        axis.axhline(floor, color="grey", linewidth=0.8, linestyle="--", label=f"{n} exact draws")
    axis.set_xscale("log")
    axis.set_xlabel("forward passes (rows that the model ran)")
    axis.set_ylabel("total variation distance")
    axis.set_ylim(0, 1)
    axis.set_title(f"{n} texts of each method against {name}", fontsize=10)
    axis.legend(fontsize=8)
    figure.savefig(target, dpi=140)
    pyplot.close(figure)


def _shares(texts: Any, weights: Any) -> dict[str, float]:
    shares: dict[str, float] = {}
    for text, weight in zip(texts, weights, strict=False):
        shares[text] = shares.get(text, 0.0) + float(weight)
    total = sum(shares.values())
    return {text: share / total for text, share in shares.items()} if total else {}


def _distance(one: dict[str, float], other: dict[str, float]) -> float:
    return 0.5 * sum(abs(one.get(text, 0.0) - other.get(text, 0.0)) for text in one.keys() | other.keys())
