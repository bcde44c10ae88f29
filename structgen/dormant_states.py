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
from contextlib import suppress
from typing import Any

from structgen.errors import StructgenError
from structgen.parser_states import Key, MemberKey, Members, State
from structgen.sources.json_schema import SchemaStates

MOST_AWAKE = 32

_EXPAND, _MEMBERS, _MEMBER, _RESOLVE = range(4)
_MOST_ASKED = 2_000  # questions: to ask more again would take a second in the middle of a text
_QUESTION_BYTES = 300

_Question = tuple[object, ...]


class DormantStates:
    """A `structgen.parser_states.StateSource` that may sleep: it notes what it is asked.

    The numbers in keys are given in the order of the questions, so that states made anew give the same ones
    to the same questions. Not safe for several threads, but for `sleep`.
    """

    __slots__ = (
        "__weakref__",
        "_asked",
        "_awake",
        "_failed",
        "_make",
        "_states",
        "_stays_awake",
        "start",
        "warnings",
    )

    def __init__(self, states: SchemaStates, make: Callable[[], SchemaStates], awake: Awake) -> None:
        """``make``: the same states, as they were before any question."""
        self._states: SchemaStates | None = states
        self._make = make
        self._awake = awake
        self._stays_awake = False
        # What was asked, with the number of times that it had failed before, in the order of asking. All are
        # tuples of atoms, which the collector drops from its lists.
        self._asked: dict[tuple[_Question, int], None] = {}
        self._failed: dict[_Question, int] = {}
        self.start = states.start
        self.warnings = states.warnings

    @property
    def is_awake(self) -> bool:
        return self._states is not None

    @property
    def nbytes(self) -> int:
        """Bytes that the questions take, about."""
        return _QUESTION_BYTES * len(self._asked)

    def sleep(self) -> None:
        """Give the states back, unless that would cost too much. Whoever is in the middle of a question goes
        on with them.
        """
        if not self._stays_awake and len(self._asked) <= _MOST_ASKED:
            self._states = None

    def expand(self, key: Key) -> State:
        answer: State = self._answer((_EXPAND, key))
        return answer

    def members(self, key: Key) -> Members:
        answer: Members = self._answer((_MEMBERS, key))
        return answer

    def member(self, key: MemberKey) -> Key:
        answer: Key = self._answer((_MEMBER, *key))
        return answer

    def resolve(self, key: Key, text: bytes) -> Key | None:
        answer: Key | None = self._answer((_RESOLVE, key, text))
        return answer

    def _answer(self, question: _Question) -> Any:
        states = self._states
        if states is None:
            states = self._make()
            if states.start != self.start:  # which is the first question
                raise RuntimeError("the states of a schema were made anew, and are others")
            for asked, _ in self._asked:
                # a limit that was met the first time is met again: who asked was told
                with suppress(StructgenError):
                    _ask(states, asked)
            self._states = states
        # once answered, a question gives no new numbers
        self._asked[question, self._failed.get(question, 0)] = None
        self._awake.note(self)
        try:
            return _ask(states, question)
        except StructgenError:
            self._failed[question] = self._failed.get(question, 0) + 1
            raise
        except BaseException:  # an interruption: how far it came will not be repeated
            self._stays_awake = True
            raise


def _ask(states: SchemaStates, question: _Question) -> Any:
    kind, *rest = question
    if kind == _EXPAND:
        return states.expand(rest[0])
    if kind == _MEMBERS:
        return states.members(rest[0])
    if kind == _MEMBER:
        return states.member(MemberKey(*rest))  # type: ignore[arg-type]
    return states.resolve(rest[0], rest[1])  # type: ignore[arg-type]


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
