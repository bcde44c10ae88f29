"""One sequence under a grammar: which tokens may come next, and taking or giving back tokens."""

from __future__ import annotations

from operator import index
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from structgen.bitmask import checked_bitmask
from structgen.errors import BitmaskError, MatcherError, TokenIdError
from structgen.mask_store import STOP, TEXT
from structgen.threads import readers

if TYPE_CHECKING:
    from structgen.bitmask import Bitmask
    from structgen.compiled import CompiledGrammar

# A linked list of what was before each accepted token: (configuration, terminated, the list before, the token
# or bytes). It is immutable, so that a fork shares it.
_History = tuple[int, bool, "_History", int | bytes] | None


class Matcher:
    """The state of one sequence. Made by `CompiledGrammar.matcher`; not shared between threads.

    The laws: `accept` takes exactly the tokens that `fill_bitmask` sets; a refused token changes nothing;
    ``rollback(k)`` after k accepts is the identity; a fork and its origin never see each other.
    """

    # _config: 0 after a stop id; _place: see `Machine.place`
    __slots__ = (
        "_config",
        "_grammar",
        "_history",
        "_kinds",
        "_machine",
        "_n_words",
        "_place",
        "_terminated",
        "_use",
    )

    def __init__(self, grammar: CompiledGrammar) -> None:
        self._grammar = grammar
        self._machine = grammar.machine
        self._use = grammar.in_use()
        self._place = self._machine.place
        self._kinds = self._machine.store.kinds
        self._n_words = self._machine.store.n_words
        self._config = self._machine.start
        self._terminated = False
        self._history: _History = None

    @property
    def grammar(self) -> CompiledGrammar:
        return self._grammar

    def fill_bitmask(self, bitmask: Bitmask, row: int = 0) -> None:
        """Write the allowed tokens into ``bitmask[row]``, int32 (rows, >= ceil(V / 32)).

        A token id is allowed when the text so far, with its bytes, can be completed; a stop id when the
        text so far is complete. After a stop id nothing is allowed. Words past the vocabulary are cleared.
        Raises `BitmaskError` for a wrong type, dtype, shape, layout or row.
        """
        array = checked_bitmask(bitmask)
        if row.__class__ is not int:
            row = index(row)
        if not -1 < row < array.shape[0]:
            raise self._no_room(array, row)
        if not self._terminated:
            if self._machine.fill(self._config, array, row):  # which looks at the shape, too
                return
            raise self._no_room(array, row)
        if array.shape[1] < self._n_words:
            raise self._no_room(array, row)
        array[row] = 0

    def _no_room(self, array: npt.NDArray[np.int32], row: int) -> BitmaskError:
        """Why a mask has no room in a row."""
        n_rows, n_words = array.shape
        if n_words >= self._n_words:
            return BitmaskError(f"row {row} of a bitmask with {n_rows} rows")
        return BitmaskError(
            f"the vocabulary needs {self._n_words} words a row, the bitmask has "
            f"{n_words}; allocate it for {self._grammar.vocabulary.size} ids"
        )

    def accept(self, token: int) -> bool:
        """Take one token if it is allowed; False, and nothing changed, if it is not.

        Raises `TokenIdError` when the id is outside the vocabulary.
        """
        kinds = self._kinds
        if not 0 <= token < len(kinds):
            raise TokenIdError(token, len(kinds))
        kind = kinds[token]
        if kind != TEXT:
            return kind == STOP and self._accept_stop(token)
        if self._terminated:
            return False
        if self._machine.growth.is_over:
            self._move()
        after = self._machine.accept(self._config, token)
        if after == 0:
            return False
        self._history = (self._config, False, self._history, token)
        self._config = after
        return True

    def _accept_stop(self, token: int) -> bool:
        if self._terminated or not self._machine.is_accepting(self._config):
            return False
        self._history = (self._config, False, self._history, token)
        self._config = 0
        self._terminated = True
        return True

    def accept_bytes(self, data: bytes) -> bool:
        """Take text that is already there, as one step for `rollback`; if refused, False and no change."""
        if self._terminated:
            return False
        if self._machine.growth.is_over:
            self._move()
        after = self._machine.advance(self._config, np.frombuffer(data, np.uint8))
        if after == 0:
            return False
        self._history = (self._config, False, self._history, data)
        self._config = after
        return True

    def rollback(self, n: int = 1) -> None:
        """Undo the last ``n`` accepted tokens. Raises `MatcherError`, unchanged, when there are fewer."""
        if n < 0:
            raise MatcherError(f"rollback of {n} tokens: the number must not be negative")
        config, terminated, history = self._config, self._terminated, self._history
        for done in range(n):
            if history is None:
                raise MatcherError(f"rollback of {n} tokens, but only {done} were accepted")
            config, terminated, history, _ = history
        self._config, self._terminated, self._history = config, terminated, history

    def fork(self) -> Matcher:
        """An independent matcher in the same state. O(1)."""
        other = Matcher.__new__(Matcher)
        other._grammar = self._grammar
        other._machine = self._machine
        other._use = self._use
        other._place = self._place
        other._kinds = self._kinds
        other._n_words = self._n_words
        other._config = self._config
        other._terminated = self._terminated
        other._history = self._history
        return other

    def reset(self) -> None:
        """Back to the beginning."""
        before, machine = self._machine, self._grammar.machine
        self._machine, self._place, self._config = machine, machine.place, machine.start
        self._terminated = False
        self._history = None
        if machine is not before:
            readers.retire(before)  # a batch in another thread may have found its place here

    def _move(self) -> None:
        """Read the text again in the machine that has taken over from a retired one. O(text)."""
        machine = self._grammar.machine
        steps = []
        node = self._history
        while node is not None:
            steps.append(node[3])
            node = node[2]
        config = machine.start
        history: _History = None
        for step in reversed(steps):  # none of them a stop id: what has ended takes no more steps
            history = (config, False, history, step)
            if isinstance(step, bytes):
                config = machine.advance(config, np.frombuffer(step, np.uint8))
            else:
                config = machine.accept(config, step)
        machine.settle()
        before = self._machine
        self._machine, self._place, self._config, self._history = machine, machine.place, config, history
        readers.retire(before)  # a batch in another thread may have found its place here

    @property
    def is_accepting(self) -> bool:
        """True when the text so far is complete (a stop id may come, or came)."""
        return self._terminated or self._machine.is_accepting(self._config)

    @property
    def is_terminated(self) -> bool:
        """True when a stop id was accepted."""
        return self._terminated

    @property
    def configuration(self) -> int:
        """A number that texts share after which the grammar allows the same; 0 after a stop id.

        The other way round it need not hold, and a grammar whose tables were given up and grown again
        numbers anew: good for statistics, not for decisions.
        """
        return self._config

    def forced_bytes(self) -> bytes:
        """The bytes that must follow, up to the first choice; b'' when there is a choice now.

        For jump-forward decoding. Where the text may end, the end is a choice too.
        """
        return b"" if self._terminated else self._machine.forced(self._config)

    def following_bytes(self) -> npt.NDArray[np.bool_]:
        """bool (256,): the bytes that may come next, for messages."""
        if self._terminated:
            return np.zeros(256, np.bool_)
        return self._machine.following_bytes(self._config)

    @property
    def n_accepted(self) -> int:
        """How many steps `rollback` can undo. O(n)."""
        count, history = 0, self._history
        while history is not None:
            count, history = count + 1, history[2]
        return count
