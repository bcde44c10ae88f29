"""Where `structgen.generate` was looked for first; the function lives in `structgen.generation`."""

from __future__ import annotations

from structgen.generation import GenerationResult, generate

__all__ = ["GenerationResult", "generate"]
