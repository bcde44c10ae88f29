"""The states of a JSON Schema, given back while nothing new is asked of them, and made again when it is.

Between texts, a compiled schema needs its tables only. The hundreds of Python objects that its states are
made of are all looked at whenever Python's garbage collector makes a full pass, during which everything
stops: with 512 schemas kept, for a fifth of a second. So only those that were asked something last stay
awake, and of these fewer when no text is being read under them: what goes soon after it was made is not there
when the collector comes to look at what is young.
"""

from __future__ import annotations

import marshal
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from structgen.errors import StructgenError
from structgen.parser_states import Containers, Key, MemberKey, Members, PlainKey, State, UsualParts
from structgen.remains import Remains
from structgen.sources.json_schema import SchemaStates
from structgen.untracked import untrack, untrack_one

MOST_AWAKE = 32
MOST_IDLE = 4  # of these, so many that no text is being read under

_EXPAND, _OPEN, _MEMBERS, _MEMBER, _RESOLVE, _CONTAINERS, _PLAIN_OPEN, _PLAIN_MEMBER = range(8)
_MOST_ASKED = 2_000  # questions: to ask more again would take a second in the middle of a text
_QUESTION_BYTES = 300
_FEW_ASKED = 200  # questions: what answered no more is freed in less than a millisecond
_PLAIN = 2  # the version of marshal's format in which equal values are equal bytes

_Question = tuple[object, ...]


class Use:
    """That a text is being read under a schema: lives as long as its matchers."""

    __slots__ = ("__weakref__",)


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
        "_use",
        "n_records",
        "start",
        "warnings",
    )

    def __init__(self, states: SchemaStates, make: Callable[[], SchemaStates], awake: Awake) -> None:
        """``make``: the same states, as they were before any question."""
        self._states: SchemaStates | None = states
        self._make = make
        self._awake = awake
        self._stays_awake = False
        # What was asked, with the number of times that it had failed before, in the order of asking: as
        # bytes, which are none of the collector's.
        self._asked: dict[bytes, None] = {}
        self._failed: dict[_Question, int] = {}
        self._use: weakref.ref[Use] | None = None
        self.start = states.start
        self.n_records = states.n_records
        self.warnings = states.warnings

    def untrack(self) -> None:
        """Not for the garbage collector to look at (see `structgen.untracked`); the states are, while they
        are awake.
        """
        untrack_one(self)
        untrack(self._make)

    def __del__(self) -> None:
        self._give_back()

    @property
    def usual_parts(self) -> UsualParts:
        """Asked with the first containers; it gives no numbers, so it is not noted."""
        states = self._awoken()
        self._awake.note(self)
        return states.usual_parts

    @property
    def is_awake(self) -> bool:
        return self._states is not None

    @property
    def nbytes(self) -> int:
        """Bytes that the questions take, about."""
        return _QUESTION_BYTES * len(self._asked)

    def use(self) -> Use:
        """To be kept by whoever reads a text: the states are not idle then."""
        found = None if self._use is None else self._use()
        if found is None:  # two threads may make two, of which one counts
            found = Use()
            self._use = weakref.ref(found)
        return found

    @property
    def is_idle(self) -> bool:
        return self._use is None or self._use() is None

    def sleep(self) -> None:
        """Give the states back, unless that would cost too much. Whoever is in the middle of a question goes
        on with them.
        """
        if not self._stays_awake and len(self._asked) <= _MOST_ASKED:
            self._give_back()
            if self.is_idle:
                self._use = None

    def _give_back(self) -> None:
        states, self._states = self._states, None
        if states is not None and len(self._asked) > _FEW_ASKED:
            self._awake.remains.keep(states.parts())

    def expand(self, key: Key) -> State:
        question: _Question = _EXPAND, key
        if isinstance(key, MemberKey):  # as bytes it would be any tuple
            question = _OPEN, *key
        elif isinstance(key, PlainKey):
            question = _PLAIN_OPEN, *key
        answer: State = self._answer(question)
        return answer

    def containers(self, record: int) -> Containers:
        answer: Containers = self._answer((_CONTAINERS, record))
        return answer

    def members(self, key: Key) -> Members:
        answer: Members = self._answer((_MEMBERS, key))
        return answer

    def member(self, key: MemberKey | PlainKey) -> Key:
        answer: Key = self._answer((_PLAIN_MEMBER if isinstance(key, PlainKey) else _MEMBER, *key))
        return answer

    def resolve(self, key: Key, text: bytes) -> Key | None:
        answer: Key | None = self._answer((_RESOLVE, key, text))
        return answer

    def _awoken(self) -> SchemaStates:
        states = self._states
        if states is None:
            states = self._make()
            if states.start != self.start:  # which is the first question
                raise RuntimeError("the states of a schema were made anew, and are others")
            for asked in self._asked:
                # a limit that was met the first time is met again: who asked was told
                with suppress(StructgenError):
                    _ask(states, marshal.loads(asked)[0])
            self._states = states
        return states

    def _answer(self, question: _Question) -> Any:
        states = self._awoken()
        # once answered, a question gives no new numbers
        self._asked[_packed((question, self._failed.get(question, 0) if self._failed else 0))] = None
        self._awake.note(self)
        try:
            return _ask(states, question)
        except StructgenError:
            self._failed[question] = self._failed.get(question, 0) + 1
            raise
        except BaseException:  # an interruption: how far it came will not be repeated
            self._stays_awake = True
            raise


def _packed(asked: Any) -> bytes:
    try:
        return marshal.dumps(asked, _PLAIN)
    except ValueError:  # a named tuple in a key: which of the two it is makes no difference to the answer
        return marshal.dumps(_as_tuples(asked), _PLAIN)


def _as_tuples(value: Any) -> Any:
    return tuple(map(_as_tuples, value)) if isinstance(value, tuple) else value


def _ask(states: SchemaStates, question: _Question) -> Any:
    kind, *rest = question
    if kind == _EXPAND:
        return states.expand(rest[0])
    if kind == _OPEN:
        return states.expand(MemberKey(*rest))  # type: ignore[arg-type]
    if kind == _MEMBERS:
        return states.members(rest[0])
    if kind == _CONTAINERS:
        return states.containers(rest[0])  # type: ignore[arg-type]
    if kind == _PLAIN_OPEN:
        return states.expand(PlainKey(*rest))  # type: ignore[arg-type]
    if kind == _PLAIN_MEMBER:
        return states.member(PlainKey(*rest))  # type: ignore[arg-type]
    if kind == _MEMBER:
        return states.member(MemberKey(*rest))  # type: ignore[arg-type]
    return states.resolve(rest[0], rest[1])  # type: ignore[arg-type]


class Awake:
    """Which states are awake: at most ``most``, those that were asked something last, and of idle ones those
    that are among the last ``idle``. Safe for several threads.

    ``remains``: of large states that were put to sleep, or were nobody's any more.
    """

    def __init__(self, most: int = MOST_AWAKE, idle: int = MOST_IDLE) -> None:
        self.remains = Remains()
        self._most = most
        self._idle = idle
        self._held: OrderedDict[int, weakref.ref[DormantStates]] = OrderedDict()
        self._last: weakref.ref[DormantStates] | None = None
        self._lock = threading.Lock()

    def note(self, states: DormantStates) -> None:
        """``states`` were asked something: they are the last to be put to sleep now."""
        self.remains.free_some()
        last = self._last
        if last is not None and last() is states:
            return
        with self._lock:
            known = self._held.pop(id(states), None)
            self._last = self._held[id(states)] = weakref.ref(states)
            if known is None or known() is not states:
                self._put_to_sleep()

    def _put_to_sleep(self) -> None:
        later = len(self._held)
        for key, reference in list(self._held.items()):
            later -= 1  # so many were asked something after these
            if later < self._idle and later < self._most:
                return
            states = reference()
            if states is None or later >= self._most or states.is_idle:
                del self._held[key]
                if states is not None:
                    states.sleep()
