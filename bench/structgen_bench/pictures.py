"""matplotlib, without a display."""

from __future__ import annotations

from typing import Any

from structgen_bench.errors import BenchError


def pyplot() -> Any:
    """``matplotlib.pyplot`` that draws into files. Raises `BenchError` where it is not installed."""
    try:
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot as plots
    except ImportError as error:
        raise BenchError(
            "pictures need matplotlib, which is not installed", "pip install matplotlib"
        ) from error
    return plots
