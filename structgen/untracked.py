"""Values that Python's garbage collector need not look at.

The collector looks for cycles, and for that at every container there is; while it does, everything stops. A
full pass over what the caches of a process hold after 3,000 schemas took 20 ms. But none of that can be in a
cycle: immutable values refer to what was there before them. CPython spares itself tuples and dictionaries of
atoms for that reason; here the same is done for values of our own, by the function that C extensions have
for it. They are freed when nobody refers to them, as ever, and what they refer to lives as long as they do.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from dataclasses import is_dataclass
from functools import wraps
from gc import get_referents, is_tracked
from typing import Any, ParamSpec, TypeVar

_T = TypeVar("_T")
_P = ParamSpec("_P")


class _Judged(dict[type, bool]):
    """Of classes: are their values immutable? Or (``any_of_ours``): are they ours at all? Of C types only a
    few may be untracked, whose functions ask: others take it for granted that they are tracked, or the
    collector does (of weak references).
    """

    def __init__(self, known: dict[type, bool], *, any_of_ours: bool) -> None:
        super().__init__(known)
        self._any = any_of_ours

    def __missing__(self, kind: type) -> bool:
        bases = [base for base in kind.__mro__ if base not in (object, tuple)]
        ours = all(base.__module__.partition(".")[0] == "structgen" for base in bases)
        is_frozen = is_dataclass(kind) and kind.__dataclass_params__.frozen  # type: ignore[attr-defined]
        self[kind] = ours and (self._any or is_frozen or issubclass(kind, tuple))
        return self[kind]


_immutable = _Judged({tuple: True, frozenset: True}, any_of_ours=False)
_may_be = _Judged(dict.fromkeys((tuple, frozenset, list, dict), True), any_of_ours=True)


def _nothing(_: object) -> None:
    """Where there is no such function, the collector looks at all."""


def _from_interpreter() -> Callable[[object], None]:
    if sys.implementation.name != "cpython":
        return _nothing
    prototype = ctypes.PYFUNCTYPE(None, ctypes.py_object)  # keeps Python's lock
    return prototype(("PyObject_GC_UnTrack", ctypes.pythonapi))


_take_off = _from_interpreter()


def untrack(value: _T) -> _T:
    """``value``, which the collector looks at no more, nor at what it is made of: tuples, frozen sets, and
    values of structgen's own immutable classes (named tuples, frozen dataclasses). All else stays as it is.
    """
    pending: list[Any] = [value]
    while pending:
        taken = []
        for each in filter(is_tracked, pending):
            if _immutable[each.__class__]:
                _take_off(each)
                taken.append(each)
        pending = get_referents(*taken)
    return value


def untrack_one(value: object) -> None:
    """The same for an object of a class of structgen's own, a list or a dictionary, though it may change; not
    for what it refers to. Whoever calls this knows that it will never be in a cycle.
    """
    if is_tracked(value) and _may_be[value.__class__]:
        _take_off(value)


def untracked(make: Callable[_P, _T]) -> Callable[_P, _T]:
    """Decorates a function whose arguments and results are kept in a cache: see `untrack`."""

    @wraps(make)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        made = make(*args, **kwargs)
        untrack((args, made, *kwargs.values()))
        return made

    return call
