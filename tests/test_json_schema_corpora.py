"""Real schemas and the official suite: nothing invalid is accepted, and what is enforced only grows."""

from __future__ import annotations

import json
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from json_schemas import orders
from json_texts import accepts, compiled

from structgen.compiled import CompiledGrammar
from structgen.errors import CompileLimitError, UnsatisfiableSchemaError, UnsupportedSchemaError

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
MASKBENCH = DATA / "maskbench"
SUITE = DATA / "json-schema-test-suite"

needs_maskbench = pytest.mark.skipif(not MASKBENCH.is_dir(), reason=f"no data in {MASKBENCH}")
needs_suite = pytest.mark.skipif(not SUITE.is_dir(), reason=f"no data in {SUITE}")


def spelled(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


@needs_maskbench
def test_maskbench_sample() -> None:
    outcomes: Counter[str] = Counter()
    for path in islice(sorted(MASKBENCH.glob("*.json")), 7, None, 60):
        case = json.loads(path.read_text(encoding="utf-8"))
        try:
            grammar = compiled(case["schema"])
        except UnsupportedSchemaError:
            outcomes["unsupported"] += 1
            continue
        except CompileLimitError:
            outcomes["limit"] += 1
            continue
        outcomes["compiled"] += 1
        for test in case["tests"]:
            accepted = accepts(grammar, spelled(test["data"]))
            assert accepted <= test["valid"], (path.name, test)
            outcomes["order"] += accepted < test["valid"]
            outcomes["right"] += accepted == test["valid"]
    # a ratchet: more may compile, fewer may be out of order
    assert outcomes["compiled"] >= RIGHT["maskbench"], outcomes
    assert outcomes["limit"] <= 1, outcomes  # a pattern of words beside maxLength
    assert outcomes["order"] <= 2, outcomes
    print(outcomes)


DIALECTS = {
    "draft2020-12": "https://json-schema.org/draft/2020-12/schema",
    "draft7": "http://json-schema.org/draft-07/schema#",
    "draft4": "http://json-schema.org/draft-04/schema#",
}
RIGHT = {"maskbench": 100, "draft2020-12": 531, "draft7": 489, "draft4": 339}


@needs_suite
@pytest.mark.parametrize("draft", DIALECTS)
def test_official_suite(draft: str) -> None:
    """Members in any order; a schema that is refused counts for nothing, a wrong verdict fails."""
    right = 0
    for path in sorted((SUITE / draft).glob("*.json")):
        for group in json.loads(path.read_text(encoding="utf-8")):
            schema = group["schema"]
            if isinstance(schema, dict):
                schema = {"$schema": DIALECTS[draft], **schema}
            grammar: CompiledGrammar | None
            try:
                grammar = compiled(schema)
            except UnsupportedSchemaError:
                continue
            except UnsatisfiableSchemaError:
                grammar = None
            for test in group["tests"]:
                texts = map(spelled, orders(test["data"]))
                accepted = grammar is not None and any(accepts(grammar, text) for text in texts)
                assert accepted == test["valid"], (path.name, group["description"], test)
                right += 1
    assert right >= RIGHT[draft]
