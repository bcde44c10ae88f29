"""A disagreement made small: parts of the schema and of the witness are taken away while it stays."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

from structgen_bench.subject import spell

MOST_TRIES = 600


def shrunk(
    schema: Any,
    text: str,
    shows: Callable[[Any, str], bool],
    *,
    seconds: float = 20.0,
    fixed_text: bool = False,
) -> tuple[Any, str]:
    """The smallest (schema, text) found for which ``shows`` holds, as it does for what is given.

    ``fixed_text``: the text is not an instance (but the beginning of one, or not JSON) and stays as it is.
    """
    deadline = time.monotonic() + seconds
    tries = 0

    def holds(candidate: Any, witness: str) -> bool:
        nonlocal tries
        tries += 1
        return shows(candidate, witness)

    changed = True
    while changed and tries < MOST_TRIES and time.monotonic() < deadline:
        changed = False
        for candidate in _smaller(schema):
            if tries >= MOST_TRIES or time.monotonic() > deadline:
                break
            if holds(candidate, text):
                schema, changed = candidate, True
                break
        if changed or fixed_text or not text:
            continue
        try:
            value = json.loads(text)
        except ValueError:
            continue
        compact = ": " not in text and ", " not in text
        for smaller in _smaller(value):
            if tries >= MOST_TRIES or time.monotonic() > deadline:
                break
            witness = spell(smaller, compact=compact, ascii=text.isascii()).decode()
            if len(witness) < len(text) and holds(schema, witness):
                text, changed = witness, True
                break
    return schema, text


def _smaller(value: Any) -> Iterator[Any]:
    """The value with one part less: a part in place of the whole, a member gone, the same within a member."""
    if isinstance(value, dict):
        for inner in value.values():
            if isinstance(inner, (dict, bool)):
                yield inner
            elif isinstance(inner, list):
                yield from (item for item in inner if isinstance(item, dict))
        for name in value:
            yield {other: inner for other, inner in value.items() if other != name}
        for name, inner in value.items():
            if isinstance(inner, dict) and inner:
                yield {**value, name: {}}
            for smaller in _smaller(inner):
                yield {**value, name: smaller}
    elif isinstance(value, list):
        for index in range(len(value)):
            yield value[:index] + value[index + 1 :]
        for index, item in enumerate(value):
            for smaller in _smaller(item):
                yield [*value[:index], copy.deepcopy(smaller), *value[index + 1 :]]
    elif isinstance(value, str) and len(value) > 1:
        yield value[: len(value) // 2]
        yield value[:-1]
