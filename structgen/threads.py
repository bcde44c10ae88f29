"""Helper threads for kernels that release the GIL, and memory that such kernels may still be reading."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from queue import SimpleQueue

MOST_HELPERS = 32


def usable_cores() -> int:
    """Processors that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Team:
    """A task that helper threads begin as soon as they wake, and the caller when it calls `finish`.

    Each run is to take work from what is left of it, and return when there is none (yet): a helper that
    comes too late is not waited for. What fails in a helper is to be done once more by the caller.
    """

    __slots__ = ("_claims", "_ended", "_helpers", "_task")

    def __init__(self, threads: int, task: Callable[[], None]) -> None:
        """``threads``: the caller's included."""
        self._task = task
        self._helpers = min(threads - 1, MOST_HELPERS)
        self._claims = [None] * self._helpers  # each the right to begin
        self._ended: SimpleQueue[None] = SimpleQueue()
        for _ in range(self._helpers):
            try:
                helper = _idle.pop()
            except IndexError:
                helper = _Helper()
            helper.jobs.put(self)

    def finish(self) -> None:
        """Do what the helpers leave, and wait for those that have begun."""
        try:
            self._task()
        finally:
            for _ in range(self._helpers):
                if not self._claim():
                    self._ended.get()

    def help(self) -> None:
        """A helper's part."""
        if self._claim():
            try:
                self._task()
            finally:
                self._ended.put(None)

    def _claim(self) -> bool:
        try:
            self._claims.pop()
        except IndexError:
            return False
        return True


class HelperThread(threading.Thread):
    """A thread of ours, which runs Python only for a caller, if ever."""

    def __init__(self) -> None:
        super().__init__(name="structgen", daemon=True)


class _Helper(HelperThread):
    """Waits for jobs. Plain queues wake it in a third of the time that an executor and its futures take."""

    def __init__(self) -> None:
        super().__init__()
        self.jobs: SimpleQueue[Team] = SimpleQueue()
        self.start()

    def run(self) -> None:
        while True:
            self.jobs.get().help()
            _idle.append(self)


def is_alone() -> bool:
    """Whether no thread of Python's runs beside this one, our helpers left out."""
    here = threading.current_thread()
    return all(thread is here or isinstance(thread, HelperThread) for thread in threading.enumerate())


_idle: list[_Helper] = []
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_idle.clear)  # threads do not survive a fork


class Reading:
    """What readers hold who came between two replacements: keeps all that was replaced after that."""

    __slots__ = ("__weakref__", "_kept", "_next")

    def __init__(self) -> None:
        self._kept: list[object] = []
        self._next: Reading | None = None


class Readers:
    """Who reads arrays that their owners may replace meanwhile: those live until the readers are gone.

    A reader holds `now` while it reads, and lets go of it in whatever way it ends: there is no count that
    an interruption, or a fork, could leave too high. `retire` is for what was replaced.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.now = Reading()

    def retire(self, array: object) -> None:
        """Keep ``array``, which nobody finds any more, as long as somebody reads who came before now."""
        with self._lock:
            later, now = Reading(), self.now
            now._next = later
            now._kept.append(array)
            self.now = later

    def forget_others(self) -> None:
        """In the child of a fork: others are not here, so what they hold is to grow no more."""
        self._lock = threading.Lock()
        self.now = Reading()


readers = Readers()  # of the records of all machines, without their locks
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=readers.forget_others)
