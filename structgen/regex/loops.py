"""Repeats of what has assertions inside.

The item comes as terms: a plain body with a condition on what stands before it and one on what comes
after. Consecutive items must meet each other's conditions. Where these are on neighbours only, bodies are
split by their first and last characters and the repeat is the set of paths of a small graph (a local
language); where they reach further, the graph's nodes are the conditions not met yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from structgen.charset import ANY, CharSet
from structgen.regex.assertions import FREE, ONLY_EDGE, Side, widths
from structgen.regex.construct import (
    concat,
    first_among,
    intersect,
    is_nothing,
    last_among,
    nonempty,
    nullable,
    repeat,
    union,
)
from structgen.regex.derivative import TooComplexError, advance, canonical, partition, paths
from structgen.regex.paths import (
    EMPTY_PATH,
    NO_CUT,
    TRUE,
    Cut,
    Guard,
    Path,
    joined,
    limited,
    pushed_left,
    pushed_right,
)
from structgen.regex.syntax import ANYTHING, NOTHING, Chars, Regex, Repeat

MAX_UNROLLED = 4
MAX_PENDING = 40


@dataclass(frozen=True, slots=True)
class Term:
    """Texts of ``body``, never the empty one, where the text around meets both conditions."""

    left: Guard
    body: Regex
    right: Guard

    def path(self) -> Path:
        return Path((Cut(left=self.left), Cut(right=self.right)), (self.body,))

    def mirrored(self) -> Term:
        path = self.path().mirrored()
        return Term(path.cuts[0].left, path.pieces[0], path.cuts[1].right)


def repeated(item: Iterable[Path], minimum: int, maximum: int | None) -> list[Path]:
    """The paths of ``item`` from ``minimum`` to ``maximum`` times. Raises `TooComplexError`."""
    item = list(item)
    if maximum == 0:
        return [EMPTY_PATH]
    if maximum == 1:
        return item if minimum else limited([EMPTY_PATH, *item])
    terms, holding = _terms(item)
    if minimum == 0 or NO_CUT in holding:
        return limited([EMPTY_PATH, *(term.path() for term in _several(terms, 1, maximum))])
    if minimum == 1 or not terms:
        # an empty iteration is of use only where there is no other: beside others it can be left out
        ways = [Path((cut,)) for cut in holding]
        return limited([*ways, *(term.path() for term in _several(terms, 1, maximum))])
    if not holding:
        return limited(term.path() for term in _several(terms, minimum, maximum))
    return _unrolled(item, minimum, maximum)


def _unrolled(item: list[Path], minimum: int, maximum: int | None) -> list[Path]:
    if minimum > MAX_UNROLLED:
        raise TooComplexError("an assertion in a repeat of this many times")
    found = repeated(item, 0, None if maximum is None else maximum - minimum)
    for _ in range(minimum):
        found = joined(item, found)
    return found


def _terms(item: Iterable[Path]) -> tuple[list[Term], list[Cut]]:
    """The item's texts that are not empty, and the conditions under which it matches the empty one."""
    bodies: dict[tuple[Guard, Guard], Regex] = {}
    holding: list[Cut] = []
    for path in (right for left in item for one in pushed_left(left) for right in pushed_right(one)):
        if not path.pieces:
            holding.append(path.cuts[0])
            continue
        left, right = path.cuts[0].left, path.cuts[-1].right
        body = concat(path.pieces)
        if nullable(body):
            holding.append(Cut(left, right))
        body = nonempty(body)
        if not is_nothing(body):
            bodies[left, right] = union([bodies.get((left, right), NOTHING), body])
    return [Term(left, body, right) for (left, right), body in bodies.items()], list(dict.fromkeys(holding))


def _several(terms: Sequence[Term], minimum: int, maximum: int | None) -> list[Term]:
    """From ``minimum`` (at least 1) to ``maximum`` terms in a row."""
    if not terms or (minimum, maximum) == (1, 1):
        return list(terms)
    if all(t.left in (TRUE, _EDGE) and t.right in (TRUE, _EDGE) for t in terms):
        return _anchored(terms, minimum, maximum)
    if (minimum, maximum) == (1, None):
        return _any_number(terms)
    sizes = {widths(term.body) for term in terms}
    (low, high), *more = sizes
    if low == high and not more:  # all of one width: the count is a matter of the length
        length = Repeat(Chars(ANY), low * minimum, None if maximum is None else low * maximum)
        return _possible(replace(term, body=intersect(term.body, length)) for term in _any_number(terms))
    most = minimum if maximum is None else maximum
    if most > MAX_UNROLLED:
        raise TooComplexError("an assertion in a repeat of this many times")
    one = [term.path() for term in terms]
    row = [*one] if minimum == 1 else []
    longer = one
    for count in range(2, most + 1):
        longer = joined(longer, one)
        if count >= minimum:
            row += longer
    if maximum is None:
        row += joined(longer, [term.path() for term in _any_number(terms)])
    return _terms(row)[0]


_EDGE = Guard(near=ONLY_EDGE)


def _anchored(terms: Sequence[Term], minimum: int, maximum: int | None) -> list[Term]:
    """Where all conditions are ``^`` and ``$``: these terms come only first, and only last."""
    bodies = {(term.left, term.right): term.body for term in terms}
    free, last = bodies.get((TRUE, TRUE), NOTHING), bodies.get((TRUE, _EDGE), NOTHING)
    first, alone = bodies.get((_EDGE, TRUE), NOTHING), bodies.get((_EDGE, _EDGE), NOTHING)

    def fewer(count: int) -> Regex:
        if maximum is not None and maximum < count:
            return NOTHING
        return repeat(free, max(minimum - count, 0), None if maximum is None else maximum - count)

    both = concat([first, fewer(2), last])
    if minimum == 1:
        both = union([alone, both])
    return _possible(
        [
            Term(TRUE, repeat(free, minimum, maximum), TRUE),
            Term(_EDGE, concat([first, fewer(1)]), TRUE),
            Term(TRUE, concat([fewer(1), last]), _EDGE),
            Term(_EDGE, both, _EDGE),
        ]
    )


def _possible(terms: Iterable[Term]) -> list[Term]:
    return [term for term in terms if not is_nothing(term.body)]


def _any_number(terms: Sequence[Term]) -> list[Term]:
    """One or more terms in a row."""
    if all(t.left.whole == ANYTHING == t.right.whole for t in terms):
        return _local(terms)
    if all(t.left.whole == ANYTHING for t in terms):
        return _pending(terms)
    if all(t.right.whole == ANYTHING for t in terms):
        return [term.mirrored() for term in _pending([term.mirrored() for term in terms])]
    raise TooComplexError("a repeat with assertions about all of the text on both of its sides")


# condition on the left, sets of the first and of the last character, condition on the right
Atom = tuple[Side, int, int, Side]
# the last set of characters, and the language that the rest of the text must be in
Pending = tuple[int, Regex]


def _local(terms: Sequence[Term]) -> list[Term]:
    """Conditions on neighbours only: a graph of bodies, each of one first and one last set of characters."""
    sets = {side.chars for term in terms for side in (term.left.near, term.right.near) if side != FREE}
    blocks = partition(sorted(sets, key=lambda charset: charset.ranges))
    atoms: dict[Atom, Regex] = {}
    for term in terms:
        for first, first_block in enumerate(blocks):
            begun = first_among(term.body, first_block)
            for last, last_block in enumerate(blocks):
                body = NOTHING if is_nothing(begun) else last_among(begun, last_block)
                key = (term.left.near, first, last, term.right.near)
                if not is_nothing(body):
                    atoms[key] = union([atoms.get(key, NOTHING), body])
    followed: dict[tuple[Atom | None, Atom | None], Regex] = {
        (a, b): body
        for a in atoms
        for b, body in atoms.items()
        if _within(blocks[b[1]], a[3]) and _within(blocks[a[2]], b[0])
    }
    found = []
    for left in dict.fromkeys(atom[0] for atom in atoms):
        begun_with = {(None, atom): body for atom, body in atoms.items() if atom[0] == left}
        for right in dict.fromkeys(atom[3] for atom in atoms):
            body = paths(followed | begun_with, None, [atom for atom in atoms if atom[3] == right])
            found.append(Term(Guard(near=left), body, Guard(near=right)))
    return _possible(found)


def _within(block: CharSet, side: Side) -> bool:
    return block.ranges[0][0] in side.chars


def _pending(terms: Sequence[Term]) -> list[Term]:
    """Conditions on all that follows, and on the neighbour before: a graph whose nodes are the last set of
    characters together with what is still asked of the rest of the text."""
    sets = {term.left.near.chars for term in terms if term.left != TRUE}
    blocks = partition(sorted(sets, key=lambda charset: charset.ranges))
    atoms = [
        (term.left.near, last, body, term.right.language(ahead=True))
        for term in terms
        for last, block in enumerate(blocks)
        if not is_nothing(body := last_among(term.body, block))
    ]
    begun: dict[Side, dict[tuple[Pending | None, Pending | None], Regex]] = {}
    states: list[Pending] = []
    for left, last, body, asked in atoms:
        state = (last, canonical(asked))
        first = begun.setdefault(left, {})
        first[None, state] = union([first.get((None, state), NOTHING), body])
        if state not in states:
            states.append(state)
    edges: dict[tuple[Pending | None, Pending | None], Regex] = {}
    for state in states:  # grows while it is gone through
        for left, last, body, asked in atoms:
            if not _within(blocks[state[0]], left):
                continue
            for part, rest in advance(state[1], body):
                after = (last, canonical(intersect(rest, asked)))
                if is_nothing(after[1]):
                    continue
                if after not in states:
                    states.append(after)
                    if len(states) > MAX_PENDING:
                        raise TooComplexError("a lookaround in a repeat with too many states")
                edges[state, after] = union([edges.get((state, after), NOTHING), part])
    found = []
    for left, first in begun.items():
        for asked in dict.fromkeys(state[1] for state in states):
            body = paths(edges | first, None, [state for state in states if state[1] == asked])
            right = TRUE if asked == ANYTHING else Guard(whole=asked, reach=None)
            found.append(Term(Guard(near=left), body, right))
    return _possible(found)
