"""Objects as they are written, member by member: what may come next, and can it still be finished.

A place in an object is which names are behind it, how many members there are (as far as that counts), and
which clauses still wait for a witness. A member may bear witness for several clauses at once; whether it
does is chosen when its key is written, so that its value is known to satisfy what they ask.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from functools import lru_cache
from itertools import combinations
from typing import Any, NamedTuple

from structgen.errors import CompileLimitError
from structgen.sources.json_schema.assertions import Properties
from structgen.sources.json_schema.facts import (
    Absent,
    Conjunction,
    LiteralFacts,
    MemberTable,
    MemberWitness,
    NamedMember,
    NormalForm,
    ObjectFacts,
    OtherMember,
    StringFacts,
)
from structgen.sources.json_schema.key_classes import KeyClass, KeyClasses
from structgen.sources.json_schema.merge import conjoin
from structgen.sources.json_schema.normal_form import NormalForms
from structgen.sources.json_schema.options import SchemaOptions
from structgen.sources.json_schema.other_values import Claim, by_value, excluded_values, ways
from structgen.sources.json_schema.spelling import Spelled, key_automaton
from structgen.sources.json_schema.strings import (
    matches,
)
from structgen.sources.json_schema.values import equality_key, is_spellable
from structgen.untracked import untracked

_MOST_CLAIMS = 12  # clauses that one member may bear witness for, or not: two to the power of this

Alive = Callable[[Conjunction], bool]
"""Has a conjunction a value?"""


class Place(NamedTuple):
    """``at``: how many of the names in order are behind (any order: 0). ``seen``: names behind, of those that
    come in any order. ``size``: members, as far as that counts. ``pending``: clauses without a witness.
    """

    at: int
    seen: frozenset[str]
    size: int
    pending: frozenset[int]


_NONE: frozenset[Any] = frozenset()  # one for all


@lru_cache(maxsize=4096)
@untracked
def place_in_order(at: int) -> Place:
    """Where only the names that are behind count: one for all objects."""
    return Place(at, _NONE, 0, _NONE)


_BEGINNING = place_in_order(0)


class Step(NamedTuple):
    """A member that may come next: its name, or its class; what its value satisfies; the place behind it."""

    name: str
    key_class: KeyClass | None
    inner: Conjunction
    after: Place


_Witness = tuple[str, "str | KeyClass", Conjunction]
"""('absent', name, ()), ('name', name, inner) or ('class', class, inner)."""


class ObjectLanguage:
    """The objects of some facts.

    Raises `CompileLimitError` where key patterns or clauses combine in too many ways.
    """

    # Python's garbage collector looks at every container of every schema that is kept: so few of them, and
    # those without members shared
    __slots__ = (
        "_all_possible",
        "_both",
        "_classes",
        "_clauses",
        "_counts",
        "_finishes",
        "_forms",
        "_index_of",
        "_inner",
        "_last_required",
        "_listed",
        "_options",
        "_required",
        "_spelled",
        "_spoken_of",
        "_start",
        "_unsatisfied",
        "_witness_keys",
        "facts",
        "ordered",
    )

    def __init__(
        self, facts: ObjectFacts, forms: NormalForms, options: SchemaOptions, spelled: Spelled | None = None
    ) -> None:
        self.facts = facts
        self._forms = forms
        self._options = options
        self._spelled = spelled
        self._inner: dict[str, Conjunction | None] = {}
        self.ordered = self._names()
        self._index_of = {name: i for i, name in enumerate(self.ordered)}
        self._listed: tuple[str, ...] = ()
        self._witness_keys: tuple[Conjunction, ...] = ()
        self._classes: tuple[KeyClass, ...] | None = None
        self._required = dict.fromkeys(facts.required)  # of strings, so it is none of the collector's
        self._last_required: int | None = None
        self._unsatisfied: frozenset[int] | None = None if facts.clauses else _NONE
        self._spoken_of: tuple[str, ...] | None = None
        self._start: Place | None = None
        self._clauses: list[list[_Witness]] | None = None
        self._counts = facts.min_members > 0 or facts.max_members is not None
        self._finishes: dict[Place, bool] = {}
        self._all_possible: bool | None = None  # are all required members?
        self._both: dict[tuple[Conjunction, Conjunction], Conjunction] = {}

    @property
    def required(self) -> dict[str, None]:
        """The names of members that must be there."""
        return self._required

    @property
    def is_simple(self) -> bool:
        """True when neither counts nor clauses matter: required members are all that must be."""
        return not self._counts and not self._waiting

    def next_in_order(self, at: int, alive: Alive) -> tuple[str, Conjunction | None, bool]:
        """The name at a place in order, what its member has to satisfy (None: there may be none), and whether
        it may be left out. For simple languages that have a value: what was possible at their start, the
        required members that are still ahead, is possible at every place.
        """
        name = self.ordered[at]
        inner = self.inner(name)
        return name, None if inner is None or not alive(inner) else inner, name not in self._required

    @property
    def start(self) -> Place:
        if self._start is None:
            waiting = self._waiting
            self._start = Place(0, _NONE, 0, waiting) if waiting else _BEGINNING
        return self._start

    @property
    def _waiting(self) -> frozenset[int]:
        """The clauses that are not satisfied by what must be there anyway.

        It is what decides between the options of ``oneOf`` that name their kind in a required member.
        """
        if self._unsatisfied is None:
            waiting = (
                c for c, clause in enumerate(self.facts.clauses) if not any(map(self._is_borne, clause))
            )
            self._unsatisfied = frozenset(waiting) or _NONE
        return self._unsatisfied

    def _is_borne(self, witness: MemberWitness) -> bool:
        """Is this witness a required member whose few possible values all satisfy what it asks?"""
        if not isinstance(witness, NamedMember) or witness.name not in self._required:
            return False
        inner = self.inner(witness.name)
        if not inner or len(witness.inner) != 1:
            return False
        values = _listed(self._forms.of(inner))
        if values is None:
            return False
        others = excluded_values(witness.inner[0])
        if others is not None and others.keys().isdisjoint(values):
            return True
        excluded = conjoin(inner, (self._forms.document.negation(witness.inner[0]),))
        return self._forms.of(excluded).is_empty

    # -- names ---------------------------------------------------------------------------------------

    def _names(self) -> tuple[str, ...]:
        """Names that are spoken of, in the order that members have."""
        names: dict[str, Any] = {}
        for table in self.facts.tables:
            names.update(dict.fromkeys(table.properties))
        names.update(dict.fromkeys(self.facts.required))
        for clause in self.facts.clauses:
            for witness in clause:
                if isinstance(witness, (Absent, NamedMember)):
                    names[witness.name] = None
                elif witness.table is not None:
                    names.update(dict.fromkeys(witness.table.properties))
        return tuple(names) if "".join(names).isascii() else tuple(filter(is_spellable, names))

    def inner(self, name: str) -> Conjunction | None:
        """What the member of a name has to satisfy; None when there can be none of that name."""
        tables = self.facts.tables
        if len(tables) == 1 and not (tables[0].patterns or self.facts.keys) and self._spelled is None:
            return tables[0].properties.get(name, tables[0].others)  # as nearly always
        if name in self._inner:
            return self._inner[name]
        allowed = not self.facts.keys or self._forms.string_holds(self.facts.keys, name)
        if allowed and self._spelled is not None:  # the vocabulary may lack bytes for it
            allowed = self._spelled(key_automaton(name, self._options)) is not None
        found: Conjunction = ()
        for table in self.facts.tables:
            found = conjoin(found, _of_table(table, name))
        self._inner[name] = found if allowed else None
        return self._inner[name]

    @property
    def listed(self) -> tuple[str, ...]:
        """Other names, when there are just a few of them: they come after the ordered ones, in any order."""
        self._find_classes()
        return self._listed

    @property
    def spoken_of(self) -> tuple[str, ...]:
        """The names that members of their own have: no class holds any of them. () when there is no class."""
        if self._spoken_of is None:
            names = dict.fromkeys((*self.ordered, *self.listed)) if self.classes else ()
            self._spoken_of = tuple(names)
        return self._spoken_of

    @property
    def classes(self) -> tuple[KeyClass, ...]:
        """All other names, in classes without end."""
        return self._find_classes()

    def _find_classes(self) -> tuple[KeyClass, ...]:
        if self._classes is None:
            found = KeyClasses(self.facts, self.ordered, self._forms, self._options, self._spelled).found()
            self._classes, self._listed, self._witness_keys = found
        return self._classes

    # -- clauses -------------------------------------------------------------------------------------

    @property
    def _witnesses(self) -> list[list[_Witness]]:
        """The clauses with what their witnesses come down to here."""
        if self._clauses is None:
            self._clauses = [
                [concrete for witness in clause for concrete in self._concrete(witness)]
                for clause in self.facts.clauses
            ]
        return self._clauses

    def _concrete(self, witness: object) -> Iterator[_Witness]:
        if isinstance(witness, Absent):
            yield "absent", witness.name, ()
        elif isinstance(witness, NamedMember):
            if is_spellable(witness.name):
                yield "name", witness.name, witness.inner
        elif isinstance(witness, OtherMember):
            classes = self.classes
            for name in (*self.ordered, *self._listed):
                if self._is_meant(witness, name):
                    yield "name", name, witness.inner
            for key_class in classes:
                if witness.pattern is not None and witness.pattern.text not in key_class.patterns:
                    continue
                if witness.table is not None and any(
                    pattern.text in key_class.patterns for pattern, _ in witness.table.patterns
                ):
                    continue
                if witness.key is not None and self._witness_keys.index(witness.key) not in key_class.keys:
                    continue
                yield "class", key_class, witness.inner

    def _is_meant(self, witness: OtherMember, name: str) -> bool:
        if witness.pattern is not None and not matches(witness.pattern, name):
            return False
        if witness.table is not None:
            table = witness.table
            if name in table.properties or any(matches(pattern, name) for pattern, _ in table.patterns):
                return False
        return witness.key is None or self._forms.string_holds(witness.key, name)

    # -- places --------------------------------------------------------------------------------------

    def can_close(self, place: Place) -> bool:
        """May the object end here?"""
        facts = self.facts
        if self.is_simple and not self._options.any_order:
            return place.at > self._found_last_required()
        if place.size < facts.min_members and self._counts:
            return False
        if any(self._is_ahead(name, place) for name in facts.required):
            return False
        return all(
            any(kind == "absent" and self._is_ahead(str(name), place) for kind, name, _ in self._witnesses[c])
            for c in place.pending
        )

    def _found_last_required(self) -> int:
        """Where the last of the required names stands among those in order; -1: none is required."""
        if self._last_required is None:
            self._last_required = max((self._index_of.get(name, -1) for name in self._required), default=-1)
        return self._last_required

    def _is_ahead(self, name: str, place: Place) -> bool:
        """True when a member of this name has not come yet and may still come."""
        if name in place.seen:
            return False
        if self._options.any_order:
            return True
        index = self._index_of.get(name)
        return name in self.listed if index is None else index >= place.at

    def skipped(self, place: Place) -> Place:
        """The place when the next name in order is left out."""
        name = self.ordered[place.at]
        pending = place.pending
        if pending:
            pending = frozenset(c for c in pending if ("absent", name, ()) not in self._witnesses[c])
        if not (place.seen or place.size or pending):
            return place_in_order(place.at + 1)
        return Place(place.at + 1, place.seen, place.size, pending)

    def named_steps(self, name: str, place: Place, alive: Alive) -> Iterator[Step]:
        """The ways to write the member of a name next, after which the object can be finished."""
        inner = self.inner(name)
        if inner is not None:
            yield from self._steps(name, None, inner, place, alive)

    def class_steps(self, key_class: KeyClass, place: Place, alive: Alive) -> Iterator[Step]:
        """The same for a member whose name is of a class."""
        yield from self._steps("", key_class, key_class.inner, place, alive)

    def _steps(
        self, name: str, key_class: KeyClass | None, inner: Conjunction, place: Place, alive: Alive
    ) -> Iterator[Step]:
        count = self._counted(place.size + 1) if self._counts else 0
        most = self.facts.max_members
        if most is not None and place.size >= most:
            return
        if self._options.any_order or key_class is not None or name in self._listed:
            at = place.at if self._options.any_order else len(self.ordered)
            seen = place.seen if key_class is not None else place.seen | {name}
        else:
            at, seen = place.at + 1, place.seen
        pending = place.pending
        if not pending:
            after = Place(at, seen, count, pending) if seen or count else place_in_order(at)
            if alive(inner) and self.can_finish(after, alive):
                yield Step(name, key_class, inner, after)
            return
        freely: frozenset[int] = _NONE
        claims: list[Claim] = []
        for c in sorted(pending):
            for kind, which, extra in self._witnesses[c]:
                if (kind == "name" and key_class is None and which == name) or (
                    kind == "class" and which is key_class
                ):
                    if self._is_implied(inner, extra, alive):
                        freely |= {c}
                    else:
                        claims.append((c, extra))
        claims = [
            (c, extra) for c, extra in claims if c not in freely and self._is_possible(inner, extra, alive)
        ]
        # what no later member could bear witness for, this one must; in which of several ways is a choice
        times = Counter(c for c, _ in claims)
        must = [
            claim
            for claim in claims
            if times[claim[0]] == 1
            and not self.can_finish(Place(at, seen, count, frozenset((claim[0],))), alive)
        ]
        for _, extra in must:
            inner = conjoin(inner, extra)
        pending -= freely | {c for c, _ in must}
        claims = [claim for claim in claims if claim not in must]
        excluding, claims = by_value(claims)
        if len(claims) > _MOST_CLAIMS:
            pointer = claims[0][1][0].pointer
            raise CompileLimitError("max_claims", _MOST_CLAIMS, len(claims), pointer, fixed=True)
        for size in range(len(claims) + 1):
            for chosen in combinations(claims, size):
                value = inner
                for _, extra in chosen:
                    value = conjoin(value, extra)
                left = pending - {c for c, _ in chosen}
                for extra, borne in ways(excluding, self._forms.document):
                    both, after = conjoin(value, extra), Place(at, seen, count, left - borne)
                    if alive(both) and self.can_finish(after, alive):
                        yield Step(name, key_class, both, after)

    def _counted(self, count: int) -> int:
        """Counts past what matters are alike."""
        if self.facts.max_members is None:
            return min(count, self.facts.min_members)
        return count

    # -- can it be finished? -------------------------------------------------------------------------

    def can_finish(self, place: Place, alive: Alive, *, final: bool = True) -> bool:
        """Can an object at this place be finished? ``final``: what ``alive`` says will not change."""
        if not final:
            return self._search(place, alive)
        if not place.pending and not self._counts:
            # what must be there decides, and what is possible at the beginning is so at every place
            if self._all_possible is None:
                self._all_possible = self._search(_BEGINNING, alive)
            return self._all_possible or self._search(place, alive)
        known = self._finishes.get(place)
        if known is None:
            known = self._finishes[place] = self._search(place, alive)
        return known

    def _search(self, place: Place, alive: Alive) -> bool:
        facts = self.facts
        needed = [name for name in facts.required if self._is_ahead(name, place)]
        known = self._looked_up()
        for name in needed:
            if known is not None and known.is_alive(name):
                continue
            inner = self.inner(name)
            if inner is None or not alive(inner):
                return False
        most = facts.max_members
        if most is not None and place.size + len(needed) > most:
            return False
        if not place.pending and place.size + len(needed) >= facts.min_members:
            return True
        if self._is_soon_found(needed, place, alive):
            return True
        present: dict[str, Conjunction] = dict.fromkeys(needed, ())
        open_clauses = []
        for c in place.pending:
            options = [
                witness for witness in self._witnesses[c] if self._can_be(witness, present, place, alive)
            ]
            if not options:
                return False
            if options not in open_clauses:
                open_clauses.append(options)
        open_clauses.sort(key=len)  # what has the fewest ways out fails first
        return self._choose(open_clauses, present, _NONE, [], place, alive)

    def _looked_up(self) -> Properties | None:
        """What says of members at a look whether they have a value, if anything does."""
        facts = self.facts
        if len(facts.tables) != 1 or facts.tables[0].patterns or facts.keys or self._spelled is not None:
            return None
        found = facts.tables[0].properties
        return found if isinstance(found, Properties) and self._options.max_digits is None else None

    def _is_soon_found(self, needed: list[str], place: Place, alive: Alive) -> bool:
        """Does the first witness of each clause that is possible beside those before do? False says nothing.

        Members that are left out come first: of them no value is asked about.
        """
        present: dict[str, Conjunction] = dict.fromkeys(needed, ())
        absent: set[str] = set()
        others: list[tuple[KeyClass, Conjunction]] = []
        left: list[list[_Witness]] = []
        for c in place.pending:
            for kind, which, _ in self._witnesses[c]:
                if kind == "absent" and which not in present and self._is_ahead(str(which), place):
                    absent.add(str(which))
                    break
            else:
                left.append(self._witnesses[c])
        for clause in left:
            for kind, which, extra in clause:
                if isinstance(which, KeyClass):
                    if self._is_possible(which.inner, extra, alive):
                        others.append((which, extra))
                        break
                elif kind == "name" and which not in absent and self._is_ahead(which, place):
                    inner, both = self.inner(which), conjoin(present.get(which, ()), extra)
                    if inner is not None and self._is_possible(inner, both, alive):
                        present[which] = both
                        break
            else:
                return False
        return self._fits(present, frozenset(absent), others, place, alive)

    def _can_be(self, witness: _Witness, present: dict[str, Conjunction], place: Place, alive: Alive) -> bool:
        """Is this witness possible, others apart?"""
        kind, which, extra = witness
        if isinstance(which, KeyClass):
            return self._is_possible(which.inner, extra, alive)
        if not self._is_ahead(which, place):
            return False
        if kind == "absent":
            return which not in present
        inner = self.inner(which)
        return inner is not None and self._is_possible(inner, extra, alive)

    def _choose(
        self,
        clauses: list[list[_Witness]],
        present: dict[str, Conjunction],
        absent: frozenset[str],
        others: list[tuple[KeyClass, Conjunction]],
        place: Place,
        alive: Alive,
    ) -> bool:
        """Find a witness for each clause, such that all of them can be together: backtracking."""
        self._forms.budget.search()
        if not clauses:
            return self._fits(present, absent, others, place, alive)
        rest = clauses[1:]
        for kind, which, extra in clauses[0]:
            if isinstance(which, KeyClass):
                if self._choose(rest, present, absent, [*others, (which, extra)], place, alive):
                    return True
            elif kind == "absent":
                if which not in present and self._choose(
                    rest, present, absent | {which}, others, place, alive
                ):
                    return True
            elif which not in absent:
                inner, before = self.inner(which), present.get(which, ())
                both = conjoin(before, extra)
                if inner is None or (before and not alive(conjoin(inner, both))):
                    continue
                if self._choose(rest, {**present, which: both}, absent, others, place, alive):
                    return True
        return False

    def _is_possible(self, inner: Conjunction, extra: Conjunction, alive: Alive) -> bool:
        """Is there a value for both? The same is asked at every place."""
        both = self._both.get((inner, extra))
        if both is None:
            both = self._both[inner, extra] = conjoin(inner, extra)
        return alive(both)

    def _is_implied(self, inner: Conjunction, extra: Conjunction, alive: Alive) -> bool:
        """Does every value of ``inner`` satisfy ``extra``? Then it is a witness without being chosen so."""
        if all(node in inner for node in extra):
            return True
        return len(extra) == 1 and not self._is_possible(
            inner, (self._forms.document.negation(extra[0]),), alive
        )

    def _fits(
        self,
        present: dict[str, Conjunction],
        absent: frozenset[str],
        others: list[tuple[KeyClass, Conjunction]],
        place: Place,
        alive: Alive,
    ) -> bool:
        """Do the numbers allow these members, and enough more?"""
        facts = self.facts
        count = place.size + len(present)
        if facts.max_members is not None and count + len(others) > facts.max_members:
            if not others or count + 1 > facts.max_members:
                return False
            together: Conjunction = ()  # perhaps one member will do for all
            for key_class, extra in others:
                if key_class is not others[0][0]:
                    return False
                together = conjoin(together, extra)
            if not alive(conjoin(others[0][0].inner, together)):
                return False
            others = others[:1]
        missing = facts.min_members - count - len(others)
        if missing <= 0:
            return True
        if any(alive(key_class.inner) for key_class in self.classes):
            return True
        for name in (*self.ordered, *self._listed):
            if missing <= 0:
                break
            inner = self.inner(name)
            if (
                name not in present
                and name not in absent
                and self._is_ahead(name, place)
                and inner is not None
                and alive(inner)
            ):
                missing -= 1
        return missing <= 0


def _listed(form: NormalForm) -> list[Hashable] | None:
    """The values of a form in which all are listed, as keys of equality."""
    found: list[Hashable] = []
    for group in form.by_type:
        for facts in group:
            if not isinstance(facts, (LiteralFacts, StringFacts)) or facts.values is None:
                return None
            found += map(equality_key, facts.values)
    return found


def _of_table(table: MemberTable, name: str) -> Conjunction:
    if not table.patterns:  # as nearly always
        return table.properties.get(name, table.others)
    found: Conjunction = table.properties.get(name, ())
    matched = name in table.properties
    for pattern, inner in table.patterns:
        if matches(pattern, name):
            matched = True
            found = conjoin(found, inner)
    return found if matched else table.others
