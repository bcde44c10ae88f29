"""A stand-in for the model whose valid texts can be summed: how likely a prefix is to end well, by no pass.

Its next token depends on the *kind* of the constraint's state alone (`State.kind`: states of one kind allow
the same to follow), with the average of P over the prefixes of that kind that the model was run on. Of t
further tokens

    h_t(k) = sum over the tokens a of P(a | k) h_{t-1}(k after a),        h_t(k after the stop) = 1,

so that the constraint's structure and the length that is left are known from the beginning, and the model's
habits are learned. Kinds are looked at in the order of the mass with which the stand-in reaches them.
"""

from __future__ import annotations

import heapq
import math
from typing import Final

import numpy as np
import numpy.typing as npt

from structgen.sampling.constraint import State
from structgen.sampling.mask import TokenMask
from structgen.sampling.prefix_trie import Float64
from structgen.sampling.target import Target

Ids = npt.NDArray[np.int64]

UNKNOWN: Final = -1
STOP: Final = -2
MOST_TOKENS: Final = 64  # of a kind at first, the likeliest; and all of one byte, which show its structure
_MOST_EDGES: Final = 512  # of a kind, with those that the model made likely later
_FEWEST_KINDS: Final = 250  # that are looked at, and so many more as prefixes were counted: 0.2 ms each
_MOST_KINDS: Final = 4_000  # or as many as it takes to find one after which a text may end
_MOST_KNOWN: Final = 16_000  # kinds by name; further ones are unknown
_MOST_STEPS: Final = 256  # h of more tokens is that of so many
_MORE: Final = 1.05  # times the prefixes counted before: up to 0.1 s of work is not done for less
_LEAST_LOG: Final = -1e5  # a twist must not be 0
# of the mean of what prefixes allow: the few that allow much make the arithmetic mean (1), what is typical of
# the many is the geometric one (0). With the first texts wander where they end late, with the other what
# was not looked at is thought hopeless after a few prefixes that allow nothing
_POWER: Final = 0.25


class _Kind:
    """What may follow. tokens: with the kind after each and the sum of P of each over ``visits`` prefixes.

    known: of further tokens the kind after, as well.
    """

    __slots__ = ("after", "grouped", "is_seen", "known", "state", "sums", "tokens", "visits")

    def __init__(self, state: State) -> None:
        self.state = state
        self.is_seen = False  # whether the tokens were looked for
        self.known: dict[int, int] = {}
        self.tokens: Ids = np.zeros(0, np.int64)
        self.after: Ids = np.zeros(0, np.int64)
        self.sums: Float64 = np.zeros(0)
        self.visits = 0
        self.grouped: tuple[list[int], Ids] | None = None

    def add(self, tokens: Ids, after: Ids, sums: Float64) -> None:
        self.tokens = np.append(self.tokens, tokens)
        self.after = np.append(self.after, after)
        self.sums = np.append(self.sums, sums)
        self.grouped = None

    def groups(self) -> tuple[list[int], Ids]:
        """The kinds after, each once, in order, and for each token which of them it leads to."""
        if self.grouped is None:
            kinds, places = np.unique(self.after, return_inverse=True)
            self.grouped = kinds.tolist(), places
        return self.grouped


class Surrogate:
    """`count` what the model says, then `settle`; `log_future` stays as it is in between."""

    def __init__(self, target: Target, mask: TokenMask, start: State) -> None:
        self._target = target
        self._mask = mask
        size = target.vocabulary.size
        self._sums = np.zeros(size)  # of P by token, over the prefixes in whose row it was
        self._counts = np.zeros(size)
        self._n_counted = 0
        self._n_settled = 0  # of these, when h was worked out last
        self._allowed = math.exp(-_POWER)  # sum of powers over the prefixes counted, and one with e^-1
        self._is_byte = np.diff(target.vocabulary.offsets)[:size] == 1
        self._kinds: dict[int, _Kind] = {}
        self._start = self._add(start)
        self._place: dict[int, int] = {}
        self._table: Float64 = np.zeros((1, 0))

    def count(self, state: State, ids: Ids, p: Float64, log_allowed: float) -> None:
        """A prefix that the model was run on. ids, p (k,): likely tokens and P; log_allowed: of all."""
        total = float(p.sum())
        if total > 0:
            p = p * (math.exp(log_allowed) / total)  # the unlikely ones do not count as lost
        self._sums[ids] += p
        self._counts[ids] += 1
        self._n_counted += 1
        self._allowed += math.exp(_POWER * log_allowed)
        number = self._add(state)
        if number == UNKNOWN:
            return
        kind = self._look_at(self._kinds[number])
        kind.visits += 1
        matches, theirs, mine = np.intersect1d(kind.tokens, ids, assume_unique=True, return_indices=True)
        kind.sums[theirs] += p[mine]
        if len(matches) < len(ids):
            after = self.after(state, ids)
            is_new = after != UNKNOWN
            is_new[mine] = False
            room = max(0, _MOST_EDGES - len(kind.tokens))
            kind.add(ids[is_new][:room], after[is_new][:room], p[is_new][:room])

    def after(self, state: State, ids: Ids) -> Ids:
        """The kinds that tokens lead to from a state; `STOP` for the stop, `UNKNOWN` what is not known."""
        number = self._add(state)
        known = {} if number == UNKNOWN else self._kinds[number].known
        found = []
        for token in ids.tolist():
            after = known.get(token)
            if after is None:
                after = known[token] = self._kind_after(state, token)
            found.append(after)
        return np.array(found, np.int64)

    def _kind_after(self, state: State, token: int) -> int:
        if token == self._target.stop:
            return STOP
        after = self._mask.extended(state, token)
        return UNKNOWN if after is None else self._add(after)

    def log_future(self, kinds: Ids, steps: int) -> Float64:
        """log h_steps of each of ``kinds``, NaN where it is not known."""
        row = self._table[min(max(steps, 0), len(self._table) - 1)]
        places = [self._place.get(kind, UNKNOWN) for kind in kinds.tolist()]
        return np.array([math.nan if place == UNKNOWN else float(row[place]) for place in places])

    def settle(self) -> None:
        """Work h out again from what was counted, if that is more than a few prefixes more."""
        if self._start == UNKNOWN or self._n_counted < _MORE * self._n_settled:
            return
        self._n_settled = self._n_counted
        most = min(_MOST_KINDS, _FEWEST_KINDS + self._n_counted)
        waiting = [(0.0, self._start)]
        best = {self._start: 0.0}
        before = {self._start: 0}  # the place of the kind that each is reached from best
        place: dict[int, int] = {}
        sources, targets, masses, ends = [], [], [], []
        has_end = False
        while waiting and len(place) < (most if has_end else _MOST_KINDS):
            cost, number = heapq.heappop(waiting)
            if number in place:
                continue
            here = place[number] = len(place)
            kind = self._look_at(self._kinds[number])
            after, places = kind.groups()
            mass = np.bincount(places, self._p_of(kind), len(after)).tolist()
            ends.append(mass.pop(0) if after[:1] == [STOP] else 0.0)
            if ends[-1] > 0 and not has_end:
                has_end, most = True, max(most, 2 * len(place))  # those near the first end, too
            after = [further for further in after if further != STOP]
            sources += [here] * len(after)
            targets += after
            masses += mass
            for further, p_after in zip(after, mass, strict=True):
                if further in place or p_after <= 0:
                    continue
                behind = cost - math.log(p_after)
                if behind < best.get(further, math.inf):
                    best[further], before[further] = behind, here
                    heapq.heappush(waiting, (behind, further))
        self._place = place
        beyond = len(ends)
        onto = np.array([place.get(number, beyond) for number in targets], np.int64)
        from_ = np.array(sources, np.int64)
        leads_on = onto == beyond
        if has_end:
            parents = [before[number] for number in place]
            onto[leads_on] = _anchors(from_, onto, np.array(ends), parents)[from_[leads_on]]
        else:
            ends.append(1.0)
        self._table = self._tabulated(from_, onto, np.array(masses), np.array(ends))

    def _tabulated(self, sources: Ids, targets: Ids, masses: Float64, ends: Float64) -> Float64:
        """log h by number of tokens and kind, float64 (steps, kinds); the last of further steps, too.

        Of logarithms all along: at the beginning of a long text h is below what a float64 holds, near its end
        it is not.
        """
        # in the order of sources, each with what ends the text behind its targets
        count = len(ends)
        order = np.argsort(np.append(sources, np.arange(count)), kind="stable")
        onto = np.append(targets, np.full(count, count))[order]
        with np.errstate(divide="ignore"):
            logs = np.log(np.append(masses, ends)[order])
        begins = np.searchsorted(np.append(sources, np.arange(count))[order], np.arange(count))
        sizes = np.diff(np.append(begins, len(order)))
        h = np.full(count + 1, 0.0 if self._target.length == "truncate" else -math.inf)
        h[count] = 0.0  # of a text that has ended
        table = [h[:count].copy()]
        for _ in range(min(self._target.max_new_tokens, _MOST_STEPS)):
            terms = logs + h[onto]
            best = np.maximum.reduceat(terms, begins)
            unit = np.where(best > -math.inf, best, 0.0)
            with np.errstate(divide="ignore"):
                after = unit + np.log(np.add.reduceat(np.exp(terms - np.repeat(unit, sizes)), begins))
            table.append(after)
            is_same = np.array_equal(after, h[:count])
            h[:count] = after
            if is_same:
                break
        return np.clip(np.array(table), _LEAST_LOG, 0.0)

    def _add(self, state: State) -> int:
        number = state.kind
        if number is None:
            return UNKNOWN
        if number not in self._kinds:
            if len(self._kinds) >= _MOST_KNOWN:
                return UNKNOWN
            self._kinds[number] = _Kind(state)
        return number

    def _look_at(self, kind: _Kind) -> _Kind:
        """Find the tokens that may follow, where that was not done yet."""
        if kind.is_seen:
            return kind
        kind.is_seen = True
        words = self._mask.of([kind.state], [0])[0]
        allowed = np.unpackbits(words.view(np.uint8), bitorder="little")[: len(self._sums)].astype(np.bool_)
        ends = bool(allowed[self._target.stop])
        allowed[list(self._target.vocabulary.eos_token_ids)] = False
        ids = np.flatnonzero(allowed)
        if len(ids) > MOST_TOKENS:
            likely = ids[self._counts[ids] > 0]
            if len(likely) > MOST_TOKENS:
                means = self._means(likely, 1 / len(self._sums))
                likely = likely[np.argpartition(-means, MOST_TOKENS)[:MOST_TOKENS]]
            ids = np.union1d(likely, ids[self._is_byte[ids]])
        if ends:
            ids = np.append(ids, self._target.stop)
        after = self.after(kind.state, ids)
        known = after != UNKNOWN
        kind.add(ids[known], after[known], np.zeros(int(known.sum())))
        return kind

    def _means(self, ids: Ids, otherwise: float) -> Float64:
        """P of tokens on average where they may come, one prefix with P ``otherwise`` counted with them."""
        means: Float64 = (self._sums[ids] + otherwise) / (self._counts[ids] + 1)
        return means

    @property
    def _usually_allowed(self) -> float:
        mean: float = (self._allowed / (self._n_counted + 1)) ** (1 / _POWER)
        return mean

    def _p_of(self, kind: _Kind) -> Float64:
        """P of each token of a kind that was looked at.

        One prefix is counted with those seen, in which each token has the P that it has elsewhere on average.
        """
        means = self._means(kind.tokens, self._usually_allowed / max(1, len(kind.tokens)))
        p: Float64 = (kind.sums + means / max(1.0, means.sum())) / (kind.visits + 1)
        return p


def _anchors(sources: Ids, targets: Ids, ends: Float64, parents: list[int]) -> Ids:
    """For each kind the one that what lies beyond it is taken to be as good as.

    Itself, if a text can end by what was looked at after it; else the nearest of those that it was reached
    from: that nothing was looked at far enough does not make an end impossible.
    """
    is_inside = targets < len(ends)
    sources, targets = sources[is_inside], targets[is_inside]
    ending = ends > 0
    while True:
        more = ending.copy()
        more[sources[ending[targets]]] = True
        if np.array_equal(more, ending):
            break
        ending = more
    anchors = np.arange(len(ends))
    for here in np.flatnonzero(~ending).tolist():  # parents come first
        anchors[here] = anchors[parents[here]]
    return anchors
