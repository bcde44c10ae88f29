"""Regular expressions with assertions to plain ones, exactly.

Every node becomes a set of paths (`paths`), joined as the pattern says; conditions on neighbours are
resolved on the way. At the end a language for one side of a position is an intersection with all that is
on that side. Repeats with assertions inside: `loops`.
"""

from __future__ import annotations

from collections.abc import Sequence

from structgen.charset import CharSet
from structgen.regex.assertions import (
    FREE,
    ONLY_EDGE,
    PLAIN,
    Choice,
    Look,
    Loop,
    Neighbours,
    Node,
    Series,
    Side,
    end_or_last_newline,
    text_end,
    text_start,
    widths,
)
from structgen.regex.construct import (
    charset_of,
    complement,
    concat,
    intersect,
    is_nothing,
    nonempty,
    nullable,
    union,
)
from structgen.regex.derivative import TooComplexError
from structgen.regex.loops import repeated
from structgen.regex.paths import (
    EMPTY_PATH,
    NO_CUT,
    TRUE,
    Cut,
    Guard,
    Path,
    joined,
    limited,
    plain_path,
    pushed_left,
    resolved,
)
from structgen.regex.syntax import ANYTHING, EPSILON, Concat, Literal, Regex, Repeat

_START = ((ONLY_EDGE, FREE),)
_END = ((FREE, ONLY_EDGE),)


def lower(node: Node, search: bool) -> Regex:
    """The texts that ``node`` matches: as a whole, or, with ``search``, anywhere inside.

    Raises `TooComplexError`.
    """
    quick = _anchored(node, search)
    if quick is not None:
        return quick
    if not search:
        node = Series((text_start(0), node, text_end(0)))
    return union(resolved(_closed(path)) for path in _expanded(node))


def _anchored(node: Node, search: bool) -> Regex | None:
    """The common cases, at no cost: ``^`` or ``$`` or both around what has no assertions, and choices
    between such. None for others."""
    if isinstance(node, PLAIN):
        return concat([ANYTHING, node, ANYTHING]) if search else node
    if isinstance(node, Choice):
        options = [_anchored(option, search) for option in node.options]
        made = [option for option in options if option is not None]
        return union(made) if len(made) == len(options) else None
    if not isinstance(node, Series):
        return None
    parts = list(node.parts)
    head = tail = ANYTHING if search else EPSILON
    if isinstance(parts[0], Neighbours) and parts[0].pairs == _START:
        head = EPSILON
        del parts[0]
    last = parts[-1] if parts else None
    if isinstance(last, Neighbours) and last.pairs == _END:
        tail = EPSILON
        del parts[-1]
    elif isinstance(last, Look) and last == end_or_last_newline(last.offset):
        tail = Repeat(Literal("\n"), 0, 1) if search else EPSILON
        del parts[-1]
    plain = [part for part in parts if isinstance(part, PLAIN)]
    return concat([head, *plain, tail]) if len(plain) == len(parts) else None


def _closed(path: Path) -> Path:
    """The path with all that its outermost cuts allow beyond them as pieces of its own."""
    head = path.cuts[0].left.language(ahead=False)
    tail = path.cuts[-1].right.language(ahead=True)
    if not path.pieces:
        return Path((NO_CUT, NO_CUT, NO_CUT), (head, tail))
    path = path.with_cut(0, Cut(TRUE, path.cuts[0].right))
    path = path.with_cut(len(path.pieces), Cut(path.cuts[-1].left, TRUE))
    if head != EPSILON:
        path = Path((NO_CUT, *path.cuts), (head, *path.pieces))
    if tail != EPSILON:
        path = Path((*path.cuts, NO_CUT), (*path.pieces, tail))
    return path


def _expanded(node: Node) -> list[Path]:
    if isinstance(node, PLAIN):
        return [] if is_nothing(node) else [plain_path(node)]
    if isinstance(node, Neighbours):
        cuts = (Cut(Guard(left), Guard(right)) for left, right in node.pairs)
        return [Path((cut,)) for cut in cuts if cut.possible]
    if isinstance(node, Series):
        return _expanded_series(node)
    if isinstance(node, Choice):
        plain = union(option for option in node.options if isinstance(option, PLAIN))
        others = (path for o in node.options if not isinstance(o, PLAIN) for path in _expanded(o))
        return limited([*_expanded(plain), *others])
    try:
        if isinstance(node, Loop):
            return repeated(_expanded(node.item), node.minimum, node.maximum)
        return [Path((cut,)) for cut in _look(node)]
    except TooComplexError as error:
        if error.offset is None:
            error.offset = node.offset
        raise


def _expanded_series(node: Series) -> list[Path]:
    parts: list[Node] = []
    for part in node.parts:
        parts += _flattened(part)
    found = [EMPTY_PATH]
    for i, part in enumerate(parts):
        after = parts[i + 1] if i + 1 < len(parts) else None
        steps = None
        if isinstance(part, Loop) and isinstance(after, Neighbours) and after.pairs == _END:
            steps = _guarded_characters(part)
        found = joined(found, _expanded(part) if steps is None else steps)
    return found


def _flattened(node: Node) -> list[Node]:
    if isinstance(node, Series):
        return [inner for part in node.parts for inner in _flattened(part)]
    return [node]


def _guarded_characters(loop: Loop) -> list[Path] | None:
    """``(?:(?!X)C)*`` before the end of the text: ``C*`` without the texts in which an X begins.

    Much smaller than what `repeated` makes of it, and the most common lookaround in a repeat.
    """
    item = _expanded(loop.item)
    if len(item) != 1 or len(item[0].pieces) != 1:
        return None
    (before, after), (character,) = item[0].cuts, item[0].pieces
    if after != NO_CUT or before.left != TRUE or charset_of(character) is None:
        return None
    offending = nonempty(complement(before.right.whole))
    texts = intersect(
        Repeat(character, loop.minimum, loop.maximum), complement(concat([ANYTHING, offending]))
    )
    return [plain_path(texts)]


def _look(node: Look) -> list[Cut]:
    """The conditions, any of which is enough, that a lookahead or lookbehind puts on its position."""
    item = _expanded(node.item)
    if not node.ahead:
        item = [path.mirrored() for path in item]
    cuts = _suffix_cuts(item)
    if node.negative:
        cuts = _none_of(cuts)
    return cuts if node.ahead else [cut.mirrored() for cut in cuts]


def _suffix_cuts(item: Sequence[Path]) -> list[Cut]:
    """Where a path of ``item`` begins: the conditions on both sides, one for each condition on the left."""
    rights: dict[Guard, list[Guard]] = {}
    for path in item:
        if not path.pieces:
            cut = path.cuts[0]
            rights.setdefault(cut.left, []).append(cut.right)
            continue
        reach = None
        if path.cuts[-1].right == TRUE and not path.rights():
            reach = widths(concat(path.pieces))[1]
        for closed in pushed_left(_with_tail(path)):
            texts: Regex = EPSILON
            for cut, piece in zip(reversed(closed.cuts[:-1]), reversed(closed.pieces), strict=True):
                texts = intersect(concat([piece, texts]), cut.right.whole)
            rights.setdefault(closed.cuts[0].left, []).append(_guard(texts, reach))
    cuts = (Cut(left, _any_of(options)) for left, options in rights.items())
    return [cut for cut in cuts if cut.possible]


def _with_tail(path: Path) -> Path:
    """A path that ends with the text: what its last cut allows beyond it is a piece of its own."""
    tail = path.cuts[-1].right.language(ahead=True)
    last = Cut(path.cuts[-1].left, TRUE)
    return Path((*path.cuts[:-1], last, NO_CUT), (*path.pieces, tail))


def _guard(texts: Regex, reach: int | None) -> Guard:
    """The condition that the right side is one of ``texts``, on the neighbour alone if that says it."""
    if texts == EPSILON:
        return Guard(near=ONLY_EDGE)
    if isinstance(texts, Concat) and len(texts.parts) == 2 and texts.parts[1] == ANYTHING:
        charset = charset_of(texts.parts[0])
        if charset is not None:
            return Guard(near=Side(False, charset))
        if nullable(texts.parts[0]):
            return TRUE
    return TRUE if texts == ANYTHING else Guard(whole=texts, reach=reach)


def _any_of(options: Sequence[Guard]) -> Guard:
    if len(options) == 1:
        return options[0]
    if all(option.whole == ANYTHING for option in options):
        sides = [option.near for option in options]
        members = CharSet.of(pair for side in sides for pair in side.chars.ranges)
        return Guard(near=Side(any(side.edge for side in sides), members))
    reaches = [option.reach for option in options]
    reach = None if None in reaches else max(1, *(r for r in reaches if r is not None))
    return _guard(union(option.language(ahead=True) for option in options), reach)


def _none_of(cuts: Sequence[Cut]) -> list[Cut]:
    """The conditions under which none of ``cuts`` holds."""
    found = [NO_CUT]
    for cut in cuts:
        ways = [Cut(left=guard) for guard in _opposites(cut.left)]
        ways += [Cut(right=guard) for guard in _opposites(cut.right)]
        found = [both for one in found for way in ways if (both := one & way).possible]
        if len(found) > 64:
            raise TooComplexError("a negative lookaround with too many cases")
    return found


def _opposites(guard: Guard) -> list[Guard]:
    found = []
    if guard.near != FREE:
        found.append(Guard(near=~guard.near))
    if guard.whole != ANYTHING:
        found.append(Guard(whole=complement(guard.whole), reach=guard.reach))
    return found
