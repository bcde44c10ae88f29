"""The cases of a fuzz run by number: the same seed and number make the same case, in any process."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path

from structgen_bench.differential import Case
from structgen_bench.hostile_schemas import RECIPES, hostile_schema
from structgen_bench.schema_generator import DRAFTS, WEIGHTS, SchemaGenerator
from structgen_bench.schema_mutation import SchemaMutator

SHARES = {"random": 0.62, "mutated": 0.3, "hostile": 0.08}
_LARGEST_FILE = 16_000  # bytes; beyond it the oracle takes longer than the engine
_MOST_INSTANCES = 8


class CaseMaker:
    """``make(number)``: the case, and the random numbers to check it with.

    ``files``: MaskBench files for the mutated schemas; without any there are none of those. ``shares``: how
    much of each kind. ``weights``: of the generator's keyword groups.
    """

    def __init__(
        self,
        seed: int,
        files: Sequence[Path] = (),
        shares: Mapping[str, float] = SHARES,
        weights: Mapping[str, float] = WEIGHTS,
    ) -> None:
        self.seed = seed
        self.files = [file for file in files if file.stat().st_size <= _LARGEST_FILE]
        self.shares = {
            kind: share for kind, share in shares.items() if share > 0 and (self.files or kind != "mutated")
        }
        self.weights = weights

    def make(self, number: int) -> tuple[Case, random.Random]:
        rng = random.Random(f"{self.seed}/{number}")
        kind = rng.choices(list(self.shares), list(self.shares.values()))[0]
        if kind == "hostile":
            recipe = rng.choice(list(RECIPES))
            return Case(f"hostile/{recipe}", hostile_schema(rng, recipe)), rng
        if kind == "mutated":
            file = rng.choice(self.files)
            document = json.loads(file.read_text(encoding="utf-8"))
            instances = [test["data"] for test in document["tests"]][:_MOST_INSTANCES]
            schema = SchemaMutator(rng).mutated(document["schema"])
            return Case(f"mutated/{file.stem}", schema, tuple(instances)), rng
        draft = rng.choice((None, None, *DRAFTS))
        generator = SchemaGenerator(rng, draft, self.weights, depth=rng.choice((1, 2, 2, 3)))
        return Case(f"random/{draft or 'undeclared'}", generator.document()), rng
