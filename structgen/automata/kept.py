"""A cache of automata that is bounded by bytes, where `functools.lru_cache` bounds their number."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import wraps
from typing import TypeVar

from structgen.automata.dfa import Dfa
from structgen.untracked import untrack

Key = TypeVar("Key", bound=Hashable)


def kept(max_bytes: int) -> Callable[[Callable[[Key], Dfa]], Callable[[Key], Dfa]]:
    """Keep the results of a function of one argument, those used least recently going first.

    A result that alone is larger than a quarter of ``max_bytes`` is not kept.
    """

    def decorated(make: Callable[[Key], Dfa]) -> Callable[[Key], Dfa]:
        known: OrderedDict[Key, tuple[Dfa, int]] = OrderedDict()
        lock = threading.Lock()
        total = 0

        @wraps(make)
        def call(argument: Key) -> Dfa:
            nonlocal total
            with lock:
                found = known.get(argument)
                if found is not None:
                    known.move_to_end(argument)
                    return found[0]
            made = untrack(make(untrack(argument)))
            size = made.nbytes
            with lock:
                if argument not in known and size <= max_bytes // 4:
                    known[argument] = made, size
                    total += size
                    while total > max_bytes:
                        total -= known.popitem(last=False)[1][1]
            return made

        return call

    return decorated
