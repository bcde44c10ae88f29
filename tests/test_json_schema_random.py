"""Random schemas against the `jsonschema` package, in both directions."""

from __future__ import annotations

import json
import os
import random
import warnings
from collections import Counter
from typing import Any

import pytest
from json_schemas import URIS, SchemaMaker, orders, random_values
from json_texts import accepts, compiled, random_text
from jsonschema.validators import Draft202012Validator, validator_for

from structgen.errors import CompileLimitError, InvalidSchemaError, UnsatisfiableSchemaError

ROUNDS = int(os.environ.get("STRUCTGEN_SCHEMA_ROUNDS", "60"))


def oracle(schema: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return validator_for(schema, default=Draft202012Validator)(schema)


def is_valid(validator: Any, value: Any) -> bool | None:
    try:
        return bool(validator.is_valid(value))
    except RecursionError:
        # it follows an endless $ref even where ``type`` or another option of ``anyOf`` has decided
        return None


@pytest.mark.parametrize("draft", [None, *URIS])
def test_against_jsonschema(draft: int | None) -> None:
    rng = random.Random(draft or 0)
    outcomes = Counter[str]()
    for _ in range(ROUNDS):
        schema = SchemaMaker(rng, draft).document()
        validator = oracle(schema)
        validator.check_schema(schema)
        values = random_values(rng, schema, 24)
        try:
            any_order = rng.random() < 0.5
            grammar = compiled(schema, any_order=any_order)
        except InvalidSchemaError as error:
            assert "without end" in str(error), (schema, error)
            outcomes["endless"] += 1
            continue
        except CompileLimitError:
            outcomes["limit"] += 1
            continue
        except UnsatisfiableSchemaError:
            assert not any(is_valid(validator, value) for value in values), schema
            outcomes["unsatisfiable"] += 1
            continue
        outcomes["compiled"] += 1
        for value in values:
            expected = is_valid(validator, value)
            if expected is None:
                continue
            texts = [json.dumps(order, ensure_ascii=rng.random() < 0.5) for order in orders(value)]
            if any_order:
                texts = [rng.choice(texts)]
            accepted = any(accepts(grammar, text) for text in texts)
            assert accepted == expected, (schema, value)
        for _ in range(6):
            text = random_text(grammar, rng)
            outcomes["texts"] += text is not None
            if text is not None:
                assert is_valid(validator, json.loads(text)) is not False, (schema, text)
    assert outcomes["compiled"] > ROUNDS / 2 and outcomes["texts"] > 5 * outcomes["compiled"], outcomes
    assert outcomes["limit"] <= ROUNDS / 20, outcomes
