"""The tokens that may come next, the rule for the length included."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from structgen.apply import apply_bitmask_
from structgen.bitmask import allocate_bitmask
from structgen.sampling.constraint import Bitmask, State
from structgen.sampling.target import Target


class TokenMask:
    """Writes masks of many states at once."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._bitmask = allocate_bitmask(1, target.vocabulary.size)
        self._stop = target.stop

    def apply_(self, logp: torch.Tensor, states: Sequence[State], depths: Sequence[int]) -> None:
        """Set what may not follow to -inf in ``logp`` float64 (rows, width), in place."""
        apply_bitmask_(logp, self.of(states, depths)[:, : -(-logp.shape[1] // 32)])

    def of(self, states: Sequence[State], depths: Sequence[int]) -> Bitmask:
        """What may follow, int32 (rows, words); good until the next call."""
        if len(self._bitmask) < len(states):
            self._bitmask = allocate_bitmask(len(states), self._target.vocabulary.size)
        bitmask = self._bitmask[: len(states)]
        for row, (state, depth) in enumerate(zip(states, depths, strict=True)):
            if self._target.only_stop_fits(depth):
                bitmask[row] = 0
                if state.is_complete():
                    word = bitmask[row].view(np.uint32)
                    word[self._stop // 32] |= np.uint32(1 << (self._stop % 32))
            else:
                state.fill(bitmask, row)
        return bitmask

    def extended(self, state: State, token: int) -> State | None:
        """The state after a token that is no stop, None where the token may not come."""
        return None if token >= self._target.vocabulary.size else state.extended(token)
