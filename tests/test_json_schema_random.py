"""Random schemas against the `jsonschema` package, in both directions."""

from __future__ import annotations

import json
import os
import random
import warnings
from typing import Any

import pytest
from json_schemas import URIS, Sampler, SchemaMaker, orders, random_values
from jsonschema.validators import Draft202012Validator, validator_for
from json_texts import accepts, compiled

from structgen.errors import InvalidSchemaError, UnsatisfiableSchemaError, UnsupportedSchemaError

ROUNDS = int(os.environ.get("STRUCTGEN_SCHEMA_ROUNDS", "60"))
BOUNDS = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}


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
    outcomes = {"compiled": 0, "unsatisfiable": 0, "endless": 0, "bounds": 0}
    for _ in range(ROUNDS):
        schema = SchemaMaker(rng, draft).document()
        validator = oracle(schema)
        validator.check_schema(schema)
        values = random_values(rng, schema, 24)
        try:
            grammar = compiled(schema)
        except InvalidSchemaError as error:
            assert "without end" in str(error), (schema, error)
            outcomes["endless"] += 1
            continue
        except UnsupportedSchemaError as error:
            assert error.keyword in BOUNDS, (schema, error)
            outcomes["bounds"] += 1
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
            accepted = any(accepts(grammar, text) for text in texts)
            assert accepted == expected, (schema, value)
        sampler = Sampler(grammar, rng)
        for _ in range(6):
            text = sampler.text()
            assert accepts(grammar, text)
            assert validator.is_valid(json.loads(text)), (schema, text)
    assert outcomes["compiled"] > ROUNDS / 2, outcomes
