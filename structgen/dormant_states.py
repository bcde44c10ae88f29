"""The states of a JSON Schema, given back while nothing new is asked of them, and made again when it is.

Between texts, a compiled schema needs its tables only. The hundreds of Python objects that its states are
made of are all looked at whenever Python's garbage collector makes a full pass, during which everything
stops: with 512 schemas kept, for a fifth of a second. So only those that were asked something last stay
awake.
"""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable

from structgen.errors import StructgenError
from structgen.parser_states import Key, MemberKey, Members, State
from structgen.sources.json_schema import SchemaStates

MOST_AWAKE = 32

_EXPAND, _MEMBERS, _MEMBER, _RESOLVE = range(4)


class DormantStates:
    """A `structgen.parser_states.StateSource` that may sleep: it notes what it is asked.

    The numbers in keys are given in the order of the questions, so that states made anew give the same ones
    to the same questions. Not safe for several threads, but for `sleep`.
    """

    __slots__ = ("__weakref__", "_asked", "_awake", "_make", "_states", "start", "warnings")

    def __init__(self, states: SchemaStates, make: Callable[[], SchemaStates], awake: Awake) -> None:
        """``make``: the same states, as they were before any question."""
        self._states: SchemaStates | None = states
        self._make = make
        self._awake = awake
        self._asked: list[
            tuple[object, ...]
        ] = []  # tuples of atoms, which the collector drops from its lists
        self.start = states.start
        self.warnings = states.warnings

    @property
    def is_awake(self) -> bool:
        return self._states is not None

    def sleep(self) -> None:
        """Give the states back. Whoever is in the middle of a question goes on with them."""
        self._states = None

    def expand(self, key: Key) -> State:
        states = self._noted((_EXPAND, key))
        return states.expand(key)

    def members(self, key: Key) -> Members:
        states = self._noted((_MEMBERS, key))
        return states.members(key)

    def member(self, key: MemberKey) -> Key:
        states = self._noted((_MEMBER, *key))
        return states.member(key)

    def resolve(self, key: Key, text: bytes) -> Key | None:
        states = self._noted((_RESOLVE, key, text))
        return states.resolve(key, text)

    def _noted(self, question: tuple[object, ...]) -> SchemaStates:
        """The states that the question is for."""
        states = self._states
        if states is None:
            states = self._make()
            if states.start != self.start:  # which is the first question
                raise RuntimeError("the states of a schema were made anew, and are others")
            for asked in self._asked:
                _ask_again(states, asked)
            self._states = states
        self._asked.append(question)
        self._awake.note(self)
        return states


def _ask_again(states: SchemaStates, asked: tuple[object, ...]) -> None:
    kind, *rest = asked
    try:
        if kind == _EXPAND:
            states.expand(rest[0])
        elif kind == _MEMBERS:
            states.members(rest[0])
        elif kind == _MEMBER:
            states.member(MemberKey(*rest))  # type: ignore[arg-type]
        else:
            states.resolve(rest[0], rest[1])  # type: ignore[arg-type]
    except StructgenError:  # a limit, as it was met the first time: who asked was told
        pass


class Awake:
    """Which states are awake: at most ``most``, those that were asked something last. Safe for several
    threads.
    """

    def __init__(self, most: int = MOST_AWAKE) -> None:
        self._most = most
        self._held: OrderedDict[int, weakref.ref[DormantStates]] = OrderedDict()
        self._last: weakref.ref[DormantStates] | None = None
        self._lock = threading.Lock()

    def note(self, states: DormantStates) -> None:
        """``states`` were asked something: they are the last to be put to sleep now."""
        last = self._last
        if last is not None and last() is states:
            return
        with self._lock:
            self._held.pop(id(states), None)
            self._last = self._held[id(states)] = weakref.ref(states)
            while len(self._held) > self._most:
                _, oldest = self._held.popitem(last=False)
                asleep = oldest()
                if asleep is not None:
                    asleep.sleep()
