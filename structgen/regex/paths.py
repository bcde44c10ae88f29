"""Paths: plain regular expressions with conditions on both sides of the positions between them.

A path is ``cut piece cut piece .. cut``. A cut says what the text to its left and to its right must be: a
condition on the neighbour (``^``, ``\\b``, ``(?!-)``), or a language for the whole rest of that side (other
lookaround). What stands beyond the outermost cuts is not known here; conditions on it stay on these cuts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from structgen.regex.assertions import FREE, ONLY_EDGE, Side, widths
from structgen.regex.construct import (
    chars,
    concat,
    first_among,
    intersect,
    is_nothing,
    last_among,
    nonempty,
    nullable,
    reverse,
    union,
)
from structgen.regex.derivative import TooComplexError, advance
from structgen.regex.syntax import ANYTHING, EPSILON, NOTHING, Regex

MAX_PATHS = 400


@dataclass(frozen=True, slots=True)
class Guard:
    """A condition on the text on one side of a position.

    ``near``: on the neighbour; ``whole``: on all of the text on that side, in reading order; ``reach``: if
    there are at least so many characters on that side, ``whole`` looks at no others (None: it may).
    """

    near: Side = FREE
    whole: Regex = ANYTHING
    reach: int | None = 0

    def __and__(self, other: Guard) -> Guard:
        if self == TRUE:
            return other
        if other == TRUE:
            return self
        reach = None if self.reach is None or other.reach is None else max(self.reach, other.reach)
        return Guard(self.near & other.near, intersect(self.whole, other.whole), reach)

    @property
    def possible(self) -> bool:
        return self.near.possible and not is_nothing(self.whole)

    def language(self, ahead: bool) -> Regex:
        """The texts that may stand on this side."""
        if self.near == FREE:
            return self.whole
        there: Regex = NOTHING
        if self.near.chars:
            near = chars(self.near.chars)
            there = concat([near, ANYTHING] if ahead else [ANYTHING, near])
        return intersect(union([EPSILON, there]) if self.near.edge else there, self.whole)


TRUE = Guard()


@dataclass(frozen=True, slots=True)
class Cut:
    """The conditions on both sides of a position."""

    left: Guard = TRUE
    right: Guard = TRUE

    def __and__(self, other: Cut) -> Cut:
        if self == NO_CUT:
            return other
        return self if other == NO_CUT else Cut(self.left & other.left, self.right & other.right)

    @property
    def possible(self) -> bool:
        return self.left.possible and self.right.possible

    def mirrored(self) -> Cut:
        left = replace(self.right, whole=reverse(self.right.whole))
        return Cut(left, replace(self.left, whole=reverse(self.left.whole)))


NO_CUT = Cut()


@dataclass(frozen=True, slots=True)
class Path:
    """``cuts[0] pieces[0] cuts[1] pieces[1] .. cuts[n]``."""

    cuts: tuple[Cut, ...] = (NO_CUT,)
    pieces: tuple[Regex, ...] = ()

    def with_cut(self, index: int, cut: Cut) -> Path:
        return Path((*self.cuts[:index], cut, *self.cuts[index + 1 :]), self.pieces)

    def with_span(self, begin: int, end: int, piece: Regex) -> Path:
        """``pieces[begin:end]`` replaced by one piece; the cuts between them go."""
        return Path(
            (*self.cuts[: begin + 1], *self.cuts[end:]),
            (*self.pieces[:begin], piece, *self.pieces[end:]),
        )

    def without_piece(self, index: int) -> Path:
        """The path with a piece taken to be empty: the cuts on its sides become one."""
        cut = self.cuts[index] & self.cuts[index + 1]
        return Path(
            (*self.cuts[:index], cut, *self.cuts[index + 2 :]),
            (*self.pieces[:index], *self.pieces[index + 1 :]),
        )

    def without_left(self, index: int) -> Path:
        return self.with_cut(index, Cut(TRUE, self.cuts[index].right))

    def without_right(self, index: int) -> Path:
        return self.with_cut(index, Cut(self.cuts[index].left, TRUE))

    def mirrored(self) -> Path:
        return Path(
            tuple(cut.mirrored() for cut in reversed(self.cuts)),
            tuple(reverse(piece) for piece in reversed(self.pieces)),
        )

    def lefts(self) -> list[int]:
        """The cuts that want a language of all text to their left."""
        return [i for i, cut in enumerate(self.cuts) if cut.left.whole != ANYTHING]

    def rights(self) -> list[int]:
        return [i for i, cut in enumerate(self.cuts) if cut.right.whole != ANYTHING]


EMPTY_PATH = Path()


def plain_path(node: Regex) -> Path:
    if node == EPSILON:
        return EMPTY_PATH
    return Path((NO_CUT, NO_CUT), (node,))


def limited(paths: Iterable[Path]) -> list[Path]:
    """The paths, each once; those of one piece that differ in nothing else become one.

    Raises `TooComplexError` as soon as more than `MAX_PATHS` are left.
    """
    alike: list[tuple[Path, list[Regex]]] = []
    for path in paths:
        for first, pieces in alike:
            if first.cuts == path.cuts and (first.pieces == path.pieces or len(path.pieces) == 1):
                pieces += path.pieces
                break
        else:
            alike.append((path, list(path.pieces)))
            if len(alike) > MAX_PATHS:
                raise TooComplexError(f"assertions that hold in more than {MAX_PATHS} ways")
    return [
        first.with_span(0, 1, union(pieces)) if len(first.pieces) == 1 else first for first, pieces in alike
    ]


def joined(before: Iterable[Path], after: Iterable[Path]) -> list[Path]:
    """Every path of the one, then every path of the other, with the neighbours at the seam resolved."""
    after = list(after)
    return limited(path for a in before for b in after for path in _settled(_seamed(a, b)))


def _seamed(before: Path, after: Path) -> Path:
    seam = before.cuts[-1] & after.cuts[0]
    path = Path((*before.cuts[:-1], seam, *after.cuts[1:]), before.pieces + after.pieces)
    if seam == NO_CUT and before.pieces and after.pieces:
        middle = len(before.pieces)
        path = path.with_span(middle - 1, middle + 1, concat(path.pieces[middle - 1 : middle + 1]))
    return path


def _settled(path: Path) -> list[Path]:
    """The path with no condition left on a neighbour that is inside of it: split by whether the piece there
    is empty (then the condition is on what comes beyond) or not."""
    for i, cut in enumerate(path.cuts):
        if not cut.possible:
            return []
        if cut.right.near != FREE and i < len(path.pieces):
            kept = path.with_cut(i, Cut(cut.left, replace(cut.right, near=FREE)))
            piece = first_among(nonempty(path.pieces[i]), cut.right.near.chars)
            at = i
        elif cut.left.near != FREE and i > 0:
            kept = path.with_cut(i, Cut(replace(cut.left, near=FREE), cut.right))
            at = i - 1
            piece = last_among(nonempty(path.pieces[at]), cut.left.near.chars)
        else:
            continue
        found = [] if is_nothing(piece) else _settled(kept.with_span(at, at + 1, piece))
        if nullable(path.pieces[at]):
            found += _settled(path.without_piece(at))
        return found
    return [path]


def resolved(path: Path) -> Regex:
    """The texts of a path whose ends are those of the text: nothing is asked of what is beyond them.

    A language for all that is right of a cut is an intersection with the pieces there, when no cut among
    them has a language for its left; and the other way round. Raises `TooComplexError`.
    """
    last = len(path.pieces)
    outer = intersect(path.cuts[0].right.whole, path.cuts[last].left.whole)
    if outer != ANYTHING:
        return intersect(resolved(path.without_right(0).without_left(last)), outer)
    rights, lefts = path.rights(), path.lefts()
    if not rights and not lefts:
        return concat(path.pieces)
    if rights and not any(j > rights[-1] for j in lefts):
        i = rights[-1]
        tail = intersect(concat(path.pieces[i:]), path.cuts[i].right.whole)
        return resolved(path.without_right(i).with_span(i, last, tail))
    if lefts and not any(i < lefts[0] for i in rights):
        j = lefts[0]
        head = intersect(concat(path.pieces[:j]), path.cuts[j].left.whole)
        return resolved(path.without_left(j).with_span(0, j, head))
    # the two overlap: make one of them local to the span between, or pass it on to the end of the span
    i = max(i for i in rights if any(j > i for j in lefts))
    j = min(j for j in lefts if j > i)
    left = path.cuts[j].left
    span = concat(path.pieces[i:j])
    if left.reach is not None and left.reach <= widths(span)[0]:
        return resolved(path.without_left(j).with_span(i, j, intersect(span, left.whole)))
    return union(resolved(passed) for passed in _passed_on(path, i, j))


def pushed_right(path: Path) -> list[Path]:
    """The path with every language for a right side brought to its last cut, for use where more may
    follow. Raises `TooComplexError`."""
    last = len(path.pieces)
    inner = [i for i in path.rights() if i < last]
    if not inner:
        return [path]
    i = inner[-1]
    lefts = [j for j in path.lefts() if j > i]
    if not lefts and path.cuts[last].right.near == ONLY_EDGE:  # no more may follow
        tail = intersect(concat(path.pieces[i:]), path.cuts[i].right.whole)
        return pushed_right(path.without_right(i).with_span(i, last, tail))
    passed = _passed_on(path, i, lefts[0] if lefts else last)
    return limited(done for one in passed for done in pushed_right(one))


def pushed_left(path: Path) -> list[Path]:
    """The mirror image of `pushed_right`."""
    if not any(j > 0 for j in path.lefts()):
        return [path]
    return [done.mirrored() for done in pushed_right(path.mirrored())]


def _passed_on(path: Path, begin: int, end: int) -> list[Path]:
    """The language for the right of cut ``begin`` passed on to cut ``end``."""
    right = path.cuts[begin].right
    span = concat(path.pieces[begin:end])
    path = path.without_right(begin)
    if right.reach is not None and right.reach <= widths(span)[0]:
        return [path.with_span(begin, end, intersect(span, right.whole))]
    passed = []
    for part, rest in advance(right.whole, span):
        one = path.with_span(begin, end, part)
        more = Cut(TRUE, Guard(whole=rest, reach=0 if rest == ANYTHING else right.reach))
        passed.append(one.with_cut(begin + 1, one.cuts[begin + 1] & more))
    return limited(passed)
