"""Arrays as they are written, item by item: what may come next, and can it still be finished."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import product
from typing import Any, NamedTuple

from structgen.errors import CompileLimitError
from structgen.sources.json_schema.endless import has_no_end
from structgen.sources.json_schema.facts import ArrayFacts, Conjunction, ItemWitness
from structgen.sources.json_schema.finite import FiniteValues
from structgen.sources.json_schema.merge import conjoin
from structgen.sources.json_schema.normal_form import NormalForms
from structgen.sources.json_schema.objects import Alive
from structgen.sources.json_schema.options import SchemaOptions
from structgen.sources.json_schema.other_values import Claim, by_value, ways
from structgen.sources.json_schema.values import STRING, equality_key
from structgen.untracked import untracked

_MOST_CHOICES = 256  # ways in which one item may count for clauses and contains
_MOST_SEARCHED = 20_000
_MOST_MATCHED = 200  # distinct items that must be, of different finite sets
_MOST_LISTED = 4096  # so many distinct items are told apart when there are no more

# How repeated items are kept out: not at all; by the texts of strings that were seen; by excluding values.
FREELY, BY_TEXT, BY_VALUE = range(3)


_NONE: frozenset[Any] = frozenset()  # one for all


class Spot(NamedTuple):
    """``size``: items so far, as far as that counts. ``counts``: of those that each `Contains` holds of.
    ``pending``: clauses without a witness. ``seen``: the items so far, as keys of equality, where they count;
    ``repeated``: two of them are equal.
    """

    size: int
    counts: tuple[int, ...]
    pending: frozenset[int]
    seen: frozenset[Hashable] = _NONE
    repeated: bool = False


@lru_cache(maxsize=1024)
@untracked
def spot_of_size(size: int) -> Spot:
    """Where only the number of items counts: one for all arrays."""
    return Spot(size, (), _NONE)


class ArrayLanguage:
    """The arrays of some facts. Raises `CompileLimitError` where clauses combine in too many ways."""

    __slots__ = (
        "_endless",
        "_finishes",
        "_forms",
        "_kept_apart",
        "_last",
        "_most",
        "_options",
        "_strings_by_text",
        "_values",
        "facts",
    )

    def __init__(self, facts: ArrayFacts, forms: NormalForms, options: SchemaOptions) -> None:
        self.facts = facts
        self._forms = forms
        self._options = options
        self._values: dict[Hashable, tuple[int, Any]] = {}  # in the order in which they are met
        self._finishes: dict[Spot, bool] = {}
        self._endless: dict[Conjunction, bool] = {}
        self._kept_apart: int | None = None
        self._strings_by_text: bool | None = None
        self._most: int | None = facts.max_items  # see `most_items`
        ends = [len(facts.prefix), facts.min_items]
        for clause in facts.clauses:
            for witness in clause:
                if isinstance(witness, ItemWitness):
                    ends.append(witness.first if witness.end is None else witness.end)
                else:
                    ends.append(witness.length)
        self._last = max(ends)  # indices from here on are alike

    @property
    def start(self) -> Spot:
        facts = self.facts
        if not (facts.contains or facts.clauses):
            return spot_of_size(0)
        pending = frozenset(range(len(facts.clauses))) or _NONE
        return Spot(0, tuple(0 for _ in facts.contains), pending, _NONE, False)

    @property
    def is_simple(self) -> bool:
        """True when only the number of the items counts."""
        facts = self.facts
        return not (facts.contains or facts.clauses or facts.unique or facts.repeats)

    @property
    def remembers(self) -> bool:
        """True when the values of items must be known to go on."""
        return bool(self.facts.repeats) or self.kept_apart == BY_VALUE

    @property
    def kept_apart(self) -> int:
        """How equal items are kept out."""
        if self._kept_apart is None:
            self._kept_apart = self._found_kept_apart()
        return self._kept_apart

    def _found_kept_apart(self) -> int:
        facts = self.facts
        if not facts.unique or (facts.max_items is not None and facts.max_items <= 1):
            return FREELY
        places = (*facts.prefix[: facts.max_items], facts.rest)
        for inner in places:
            form = self._forms.of(inner)
            if any(alternatives for i, alternatives in enumerate(form.by_type) if i != STRING):
                return BY_VALUE
        if len(places) == 1 and not facts.contains and not facts.clauses:
            values = FiniteValues(self._forms, self._options).values(facts.rest, _MOST_LISTED)
            if values is not None:  # they are all for the same places, so their number is all that counts
                self._most = min(len(values), len(values) if self._most is None else self._most)
            return BY_TEXT
        finite = FiniteValues(self._forms, self._options)
        for inner in places:
            if finite.values(inner, _MOST_LISTED) is not None:
                return BY_VALUE
        return BY_TEXT

    @property
    def strings_by_text(self) -> bool:
        """Are strings among items of other types kept apart by their texts, as if there were no others?

        A string equals none of the others. There must be no end to them, so that there is always another.
        """
        if self._strings_by_text is None:
            facts = self.facts
            self._strings_by_text = (
                self.remembers
                and not (facts.repeats or facts.prefix or facts.contains or facts.clauses)
                and bool(self._forms.of(facts.rest).by_type[STRING])
                and FiniteValues(self._forms, self._options).values(self.strings_of(facts.rest), _MOST_LISTED)
                is None
            )
        return self._strings_by_text

    def strings_of(self, inner: Conjunction) -> Conjunction:
        """Of an item, the strings."""
        return conjoin(inner, self._string(negated=False))

    def others_of(self, inner: Conjunction) -> Conjunction:
        """Of an item, all but strings."""
        return conjoin(inner, self._string(negated=True))

    def _string(self, *, negated: bool) -> Conjunction:
        pointer = self.facts.unique[0]
        return (self._forms.document.made({"type": "string"}, "string", pointer, negated=negated),)

    @property
    def most_items(self) -> int | None:
        """How many items there can be at the most (None: no bound), which may be fewer than ``max_items``."""
        self._kept_apart = self.kept_apart
        return self._most

    # -- spots ---------------------------------------------------------------------------------------

    def can_close(self, spot: Spot) -> bool:
        """May the array end here?"""
        facts = self.facts
        if spot.size < facts.min_items or (facts.repeats and not spot.repeated):
            return False
        if any(count < wanted.least for count, wanted in zip(spot.counts, facts.contains, strict=True)):
            return False
        return all(
            any(not isinstance(witness, ItemWitness) and spot.size < witness.length for witness in clause)
            for clause in (facts.clauses[c] for c in spot.pending)
        )

    def steps(self, spot: Spot, alive: Alive) -> Iterable[tuple[Conjunction, Spot]]:
        """What the next item may satisfy, and the spot behind it, from where the array can be finished.

        Where values are remembered, the spot lacks the item yet: see `after_value`.
        """
        if not self.is_simple:
            return self._steps(spot, alive)
        return [
            step for step in self._choices(spot) if alive(step[0]) and self._has_items(step[1], alive)
        ]  # as of most: a generator less

    def _steps(self, spot: Spot, alive: Alive) -> Iterator[tuple[Conjunction, Spot]]:
        for inner, after, is_alive in self._possible(spot, alive):
            if not is_alive:
                continue
            if self.facts.repeats and not spot.repeated:
                yield from self._repeating(inner, after, alive)
            elif self.can_finish(after, alive):
                spoiling = self._spoiling(after) if self.kept_apart == BY_VALUE else _NONE
                allowed = conjoin(inner, self._others_than(spoiling)) if spoiling else inner
                if not spoiling or alive(allowed):
                    yield allowed, after

    def _possible(self, spot: Spot, alive: Alive) -> Iterator[tuple[Conjunction, Spot, bool]]:
        """`_choices`, and whether they have values. Where there is no end to them, those that were seen leave
        others.
        """
        if self.kept_apart == BY_VALUE and spot.seen and not self.facts.repeats:
            before = self._choices(spot._replace(seen=_NONE))
            for (inner, after), (any_, _) in zip(self._choices(spot), before, strict=True):
                yield inner, after, alive(any_) and (self._is_endless(any_, alive) or alive(inner))
        else:
            for inner, after in self._choices(spot):
                yield inner, after, alive(inner)

    def has_step(self, spot: Spot, alive: Alive) -> bool:
        """Is there one of `steps`?

        It is asked behind every text that may be an item. Where there is no end to what items may be, those
        that were seen need not be excluded to tell, which takes most of the time.
        """
        if self.kept_apart == BY_VALUE and spot.seen and not self.facts.repeats:
            for inner, after in self._choices(spot._replace(seen=_NONE)):
                if (
                    alive(inner)
                    and self._is_endless(inner, alive)
                    and self.can_finish(after := after._replace(seen=spot.seen), alive)
                    and not self._spoiling(after)
                ):
                    return True
        return any(True for _ in self.steps(spot, alive))

    def _is_endless(self, inner: Conjunction, alive: Alive) -> bool:
        known = self._endless.get(inner)
        if known is None:
            known = self._endless[inner] = has_no_end(self._forms.of(inner), alive)
        return known

    def _repeating(self, inner: Conjunction, after: Spot, alive: Alive) -> Iterator[tuple[Conjunction, Spot]]:
        """An item where two must be equal: others may be; or it is like one before, or like one to come."""
        if self.can_finish(after, alive):
            yield inner, after
            return
        if not self.can_finish(after._replace(repeated=True), alive):
            return
        like = [self._among(after.seen)] if after.seen else []
        for other in (*like, *self._coming(after, 1)):
            if alive(both := conjoin(inner, other)):
                yield both, after

    def _spoiling(self, after: Spot) -> frozenset[Hashable]:
        """Values that an item may not have, or too few are left for the distinct ones that must come."""
        options = self._needed_values(after)
        if not options or (len(options) == 1 and options[0][0] < len(options[0][1])):
            return _NONE
        return frozenset(
            key
            for _, keys in options
            for key in keys
            if not self._are_distinct(after._replace(seen=after.seen | {key}))
        )

    def _coming(self, spot: Spot, most: int) -> list[Conjunction]:
        """What the next items must satisfy: those of the prefix, and at most so many others."""
        facts = self.facts
        end = max(len(facts.prefix), spot.size) + most
        if facts.max_items is not None:
            end = min(end, facts.max_items)
        return [facts.item(i) for i in range(spot.size, end)]

    def after_value(self, spot: Spot, value: Any, alive: Alive) -> Spot | None:
        """``spot``, which `steps` gave, with the value of the item; None when it may not be."""
        key = equality_key(value)
        if key in spot.seen:
            if self.facts.unique:
                return None
            return spot._replace(repeated=True)
        self._values.setdefault(key, (len(self._values), value))
        after = spot if spot.repeated and not self.facts.unique else spot._replace(seen=spot.seen | {key})
        return after if self.can_finish(after, alive) else None

    def _choices(self, spot: Spot) -> Iterator[tuple[Conjunction, Spot]]:
        facts = self.facts
        most = self.most_items
        if most is not None and spot.size >= most:
            return
        base = facts.item(spot.size)
        if self.is_simple:
            yield base, spot_of_size(min(spot.size + 1, self._last) if most is None else spot.size + 1)
            return
        if self.remembers:
            base = conjoin(base, self._comparable())
        if facts.unique and self.remembers and spot.seen:
            base = conjoin(base, self._others_than(spot.seen))
        # for each contains and clause, what the item may do for it: (what it satisfies, does it count)
        factors: list[list[tuple[Conjunction, bool]]] = []
        for count, wanted in zip(spot.counts, facts.contains, strict=True):
            if wanted.most is not None:
                counting = [(wanted.outer, False)]
                if count < wanted.most:
                    counting.append((wanted.inner, True))
            else:
                counting = [((), False)]
                if count < wanted.least:
                    counting.append((wanted.inner, True))
            factors.append(counting)
        claims: list[Claim] = []
        choosing: list[int] = []  # the other clauses, whose factors come after those of contains
        for c in sorted(spot.pending):
            asked = self._asked_here(c, spot.size)
            if len(asked) == 1 and asked[0]:
                claims.append((c, asked[0]))
                continue
            choosing.append(c)
            factors.append(
                [((), True)] if () in asked else [((), False), *((inner, True) for inner in asked)]
            )
        excluding, claims = by_value(claims)
        for c, inner in claims:
            choosing.append(c)
            factors.append([((), False), (inner, True)])
        apart = list(ways(excluding, self._forms.document))
        number = len(apart)
        for factor in factors:
            number *= len(factor)
        if number > _MOST_CHOICES:
            pointer = base[0].pointer if base else ""
            raise CompileLimitError("max_choices", _MOST_CHOICES, number, pointer, fixed=True)
        index = spot.size + 1
        if most is None:
            index = min(index, self._last)
        for chosen in product(*factors):
            inner = base
            for extra, _ in chosen:
                inner = conjoin(inner, extra)
            counts = tuple(
                count + counted if wanted.most is not None else min(count + counted, wanted.least)
                for count, wanted, (_, counted) in zip(spot.counts, facts.contains, chosen, strict=False)
            )
            held = chosen[len(facts.contains) :]
            left = spot.pending - {c for c, (_, counted) in zip(choosing, held, strict=True) if counted}
            for extra, borne in apart:
                after = Spot(index, counts, (left - borne) or _NONE, spot.seen, spot.repeated)
                yield conjoin(inner, extra), after

    def _asked_here(self, clause: int, index: int) -> list[Conjunction]:
        """What an item must satisfy for each of the ways to be a witness of a clause."""
        return [
            witness.inner
            for witness in self.facts.clauses[clause]
            if isinstance(witness, ItemWitness)
            and index >= witness.first
            and (witness.end is None or index < witness.end)
        ]

    def _comparable(self) -> Conjunction:
        """Numbers as programs hold them: of others, the value could not be kept."""
        bounds = {"minimum": -(10**309), "maximum": 10**309}
        pointer = (self.facts.unique or self.facts.repeats)[0]
        return (self._forms.document.made(bounds, "comparable", pointer),)

    def _among(self, seen: frozenset[Hashable]) -> Conjunction:
        values = [self._values[key][1] for key in sorted(seen, key=repr)]
        pointer = (self.facts.unique or self.facts.repeats)[0]
        return (self._forms.document.made({"enum": values}, ("enum", seen), pointer),)

    def _others_than(self, seen: frozenset[Hashable]) -> Conjunction:
        """None of these values: one subschema each, the last seen last, so that but one of them is new."""
        made, values = self._forms.document.made, self._values
        pointer = (self.facts.unique or self.facts.repeats)[0]
        return tuple(
            made({"const": value}, ("const", key), pointer, negated=True)
            for (_, value), key in sorted(((values[key], key) for key in seen), key=_by_order)
        )

    # -- can it be finished? -------------------------------------------------------------------------

    def can_finish(self, spot: Spot, alive: Alive, *, final: bool = True) -> bool:
        """Can an array at this spot be finished? ``final``: what ``alive`` says will not change."""
        if self.is_simple:
            return self._has_items(spot, alive)
        known = self._finishes.get(spot) if final else None
        if known is None:
            known = self._search(spot, alive)
            if final:
                self._finishes[spot] = known
        return known

    def _search(self, spot: Spot, alive: Alive) -> bool:
        """Depth first over the spots that follow, those first that bear witness for most."""
        if self.facts.unique and self.facts.repeats:
            return False
        if self.facts.repeats and not spot.repeated and not self._can_repeat(spot, alive):
            return False
        plain = spot._replace(seen=_NONE, repeated=bool(self.facts.repeats))
        seen = {plain}
        stack = [plain]
        while stack:
            current = stack.pop()
            if self._is_settled(current):
                if self._has_items(current, alive):
                    return self._are_distinct(spot)
            elif self.can_close(current):
                return self._are_distinct(spot)
            self._forms.deadline.check(self._pointer())
            if len(seen) > _MOST_SEARCHED:
                raise CompileLimitError(
                    "max_searched", _MOST_SEARCHED, len(seen), self._pointer(), fixed=True
                )
            for inner, after in self._choices(current):
                if after not in seen and alive(inner):
                    seen.add(after)
                    stack.append(after)
        return False

    def _pointer(self) -> str:
        inner = self.facts.rest or (self.facts.prefix[0] if self.facts.prefix else ())
        return inner[0].pointer if inner else ""

    def _is_settled(self, spot: Spot) -> bool:
        """True when only items are missing, if anything."""
        return not spot.pending and all(
            count >= wanted.least and wanted.most is None
            for count, wanted in zip(spot.counts, self.facts.contains, strict=True)
        )

    def _has_items(self, spot: Spot, alive: Alive) -> bool:
        """Can there be as many items as there must be?"""
        facts = self.facts
        needed = range(spot.size, min(facts.min_items, len(facts.prefix)))
        if facts.min_items > max(len(facts.prefix), spot.size) and not alive(facts.rest):
            return False
        return all(alive(facts.prefix[i]) for i in needed)

    def _can_repeat(self, spot: Spot, alive: Alive) -> bool:
        items = self._coming(spot, 2)
        for i, inner in enumerate(items):
            if not alive(inner):
                break
            if spot.seen and alive(conjoin(inner, self._among(spot.seen))):
                return True
            if any(alive(conjoin(before, inner)) for before in items[:i]):
                return True
        return False

    def _needed_values(self, spot: Spot) -> list[tuple[int, list[Hashable]]]:
        """Of items that must still come, those with few values: how many of them, which values are left."""
        facts = self.facts
        needed: Counter[Conjunction] = Counter()
        if spot.size >= len(facts.prefix):
            for count, wanted in zip(spot.counts, facts.contains, strict=True):
                needed[conjoin(facts.rest, wanted.inner)] += max(wanted.least - count, 0)
        first = spot.size + needed.total()
        for i in range(first, min(facts.min_items, len(facts.prefix))):
            needed[facts.item(i)] += 1
        needed[facts.rest] += max(facts.min_items - max(first, len(facts.prefix)), 0)
        options: list[tuple[int, list[Hashable]]] = []
        finite = FiniteValues(self._forms, self._options)
        for inner, number in needed.items():
            values = finite.values(inner, needed.total() + len(spot.seen)) if number else None
            if values is not None:
                for value in values:
                    self._values.setdefault(equality_key(value), (len(self._values), value))
                options.append((number, [key for key in map(equality_key, values) if key not in spot.seen]))
        return options

    def _are_distinct(self, spot: Spot) -> bool:
        """Are there distinct values enough for the items that must still come? (Kuhn 1955)"""
        if self.kept_apart == FREELY:
            return True
        if self.kept_apart == BY_TEXT:
            return self._most is None or self.facts.min_items <= self._most
        options = self._needed_values(spot)
        if any(number > len(keys) for number, keys in options):
            return False
        if len(options) <= 1:
            return True
        total = sum(number for number, _ in options)
        if total > _MOST_MATCHED:
            raise CompileLimitError("max_matched", _MOST_MATCHED, total, self.facts.unique[0], fixed=True)
        places = [keys for number, keys in options for _ in range(number)]
        taken: dict[Hashable, int] = {}
        return all(_assigned(i, places, taken, set()) for i in range(total))


def _by_order(met: tuple[tuple[int, Any], Hashable]) -> int:
    return met[0][0]


def _assigned(
    i: int, options: Sequence[Sequence[Hashable]], taken: dict[Hashable, int], tried: set[Hashable]
) -> bool:
    for key in options[i]:
        if key not in tried:
            tried.add(key)
            if key not in taken or _assigned(taken[key], options, taken, tried):
                taken[key] = i
                return True
    return False
