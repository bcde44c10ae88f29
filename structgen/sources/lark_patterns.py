"""The regexes of Lark's terminals, read as Python's `re` reads them, with what matching order means kept.

`structgen.regex` turns a pattern into the set of its texts; there, ``a*`` and ``a*?`` are one. Lark runs
`re` on the text, where the order of the alternatives and laziness decide which match a terminal gets.
So the pattern is read here a second time, with Python's own parser, into nodes that keep the order.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Any

from structgen.charset import ANY, MAX_CODE_POINT, CharSet
from structgen.errors import InvalidRegexError, UnsupportedRegexError

# Python's own reader of patterns, and its opcodes: not public, but the one exact source. Lark uses it too.
_parser: Any = importlib.import_module("re._parser")
_compiler: Any = importlib.import_module("re._compiler")
_op: Any = importlib.import_module("re._constants")


@dataclass(frozen=True, slots=True)
class Char:
    charset: CharSet


@dataclass(frozen=True, slots=True)
class Seq:
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Alt:
    """The options in the order in which `re` tries them; none matches nothing."""

    options: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Rep:
    """``lazy``: fewer iterations are tried first. ``maximum`` None: without bound."""

    item: Node
    minimum: int
    maximum: int | None
    lazy: bool


@dataclass(frozen=True, slots=True)
class Look:
    """A condition on what follows (``ahead``) or precedes a place, or on its absence (``negated``)."""

    item: Node
    ahead: bool
    negated: bool


@dataclass(frozen=True, slots=True)
class _Anchor:
    """``^``, ``$``, ``\\b`` and the like, before it is known what stands around it."""

    name: str
    sign: str
    word: CharSet


Node = Char | Seq | Alt | Rep | Look | _Anchor

NEVER = Alt(())


def read_pattern(pattern: str, stand_ins: Mapping[int, CharSet] = MappingProxyType({})) -> Node:
    """The nodes of a pattern of Python's `re`, all its conditions decided within the match.

    ``stand_ins``: characters that stand for a set of characters each, such as ``\\p{L}``, which `re` lacks.

    Raises `InvalidRegexError` for what `re` refuses and `UnsupportedRegexError` for back-references,
    atomic groups, and conditions (lookaround, anchors) that look at text outside the match: Lark sees
    that text, a terminal alone does not.
    """
    try:
        re.compile(pattern)  # more than the parser finds: look-behind of varying width, ...
        tree = _parser.parse(pattern)
    except re.error as error:
        raise InvalidRegexError(error.msg, text=pattern, offset=error.pos) from error
    except OverflowError as error:
        raise InvalidRegexError(str(error)) from error
    except RecursionError as error:
        raise UnsupportedRegexError("groups nested too deep") from error
    return _settle(_read(tree, tree.state.flags, stand_ins), 0, 0)


@dataclass(frozen=True, slots=True)
class Trailing:
    """One way to match: ``body``, where ``ahead`` (None: anything) follows it, or does not (``negated``)."""

    body: Node
    ahead: Node | None
    negated: bool


def read_trailing(pattern: str, stand_ins: Mapping[int, CharSet] = MappingProxyType({})) -> list[Trailing]:
    """The alternatives of a pattern whose conditions about what follows it stand at the ends of these.

    Raises as `read_pattern`, for all other conditions that look at text outside the match.
    """
    try:
        re.compile(pattern)
        tree = _parser.parse(pattern)
    except re.error as error:
        raise InvalidRegexError(error.msg, text=pattern, offset=error.pos) from error
    except RecursionError as error:
        raise UnsupportedRegexError("groups nested too deep") from error
    found: list[Trailing] = []
    for items in _ways(_read(tree, tree.state.flags, stand_ins)):
        body: Node = Seq(tuple(items))
        ahead, negated = None, False
        last = items[-1] if items else None
        if isinstance(last, _Anchor) and last.name == "boundary":
            before = _last_charset(Seq(tuple(items[:-1])))
            if before is not None and (not before - last.word or not before & last.word):
                last = Look(Char(last.word), ahead=True, negated=not before - last.word)
        if isinstance(last, Look) and last.ahead:
            body, ahead, negated = Seq(tuple(items[:-1])), last.item, last.negated
            if _has_condition(ahead) or not width(ahead)[0]:
                raise UnsupportedRegexError("a condition inside a lookahead, or one that is always true")
        found.append(Trailing(_settle(body, 0, 0), ahead, negated))
    return found


def _ways(node: Node) -> list[list[Node]]:
    """The alternatives of a node whose end has conditions, each as a sequence."""
    if isinstance(node, Alt):
        return [way for option in node.options for way in _ways(option)]
    if isinstance(node, Seq) and node.items:
        *before, last = node.items
        if isinstance(last, Alt | Seq) and _has_condition(last):
            return [[*before, *way] for way in _ways(last)]
        return [list(node.items)]
    return [[node]]


def _last_charset(node: Node) -> CharSet | None:
    """The characters that a match may end with; None where it may be empty."""
    if isinstance(node, Char):
        return node.charset
    if isinstance(node, Alt):
        found = [_last_charset(option) for option in node.options]
    elif isinstance(node, Rep):
        return _last_charset(node.item) if node.minimum else None
    elif isinstance(node, Seq):
        found = []
        for item in reversed(node.items):
            if width(item)[0]:
                found.append(_last_charset(item))
                break
            if not isinstance(item, Rep):
                return None
            found.append(_last_charset(item.item))
        else:
            return None
    else:
        return None
    charset = CharSet.of([])
    for each in found:
        if each is None:
            return None
        charset |= each
    return charset


def _read(tree: Any, flags: int, stand_ins: Mapping[int, CharSet]) -> Node:
    items = [_read_item(op, value, flags, stand_ins) for op, value in tree]
    return items[0] if len(items) == 1 else Seq(tuple(items))


def _read_item(op: Any, value: Any, flags: int, stand_ins: Mapping[int, CharSet]) -> Node:
    if op in (_op.LITERAL, _op.NOT_LITERAL, _op.IN, _op.ANY):
        return Char(_charset(op, value, flags, stand_ins))
    if op is _op.BRANCH:
        return Alt(tuple(_read(option, flags, stand_ins) for option in value[1]))
    if op is _op.SUBPATTERN:
        _group, added, removed, inner = value
        return _read(inner, (flags | added) & ~removed, stand_ins)
    if op in (_op.MAX_REPEAT, _op.MIN_REPEAT):
        minimum, maximum, inner = value
        bound = None if maximum is _op.MAXREPEAT else int(maximum)
        return Rep(_read(inner, flags, stand_ins), int(minimum), bound, op is _op.MIN_REPEAT)
    if op in (_op.ASSERT, _op.ASSERT_NOT):
        direction, inner = value
        return Look(_read(inner, flags, stand_ins), direction > 0, op is _op.ASSERT_NOT)
    if op is _op.FAILURE:
        return NEVER
    if op is _op.AT:
        return _read_anchor(value, flags)
    construct = {
        _op.GROUPREF: "a back-reference",
        _op.GROUPREF_EXISTS: "a conditional group",
        _op.ATOMIC_GROUP: "an atomic group",
        _op.POSSESSIVE_REPEAT: "a possessive quantifier",
    }.get(op, str(op))
    raise UnsupportedRegexError(f"{construct} is not supported")


def _read_anchor(code: Any, flags: int) -> _Anchor:
    word = _category("w", bool(flags & re.ASCII))
    if code is _op.AT_BEGINNING:
        return _Anchor("line start" if flags & re.MULTILINE else "start", "^", word)
    if code is _op.AT_END:
        return _Anchor("line end" if flags & re.MULTILINE else "end or last newline", "$", word)
    if code is _op.AT_BEGINNING_STRING:
        return _Anchor("start", "\\A", word)
    if code is _op.AT_END_STRING:
        return _Anchor("end", "\\Z", word)
    return (
        _Anchor("boundary", "\\b", word) if code is _op.AT_BOUNDARY else _Anchor("no boundary", "\\B", word)
    )


# What each anchor must know of the characters before and after it.
_ANCHOR_REACH = {
    "start": (1, 0),
    "line start": (1, 0),
    "end": (0, 1),
    "line end": (0, 1),
    "end or last newline": (0, 2),
    "boundary": (1, 1),
    "no boundary": (1, 1),
}


def _settle(node: Node, before: int, after: int) -> Node:
    """The node with its anchors spelled out as lookaround.

    ``before`` and ``after``: how many characters of the match surely stand on either side. A condition
    that reaches further is refused.
    """
    if isinstance(node, Seq):
        settled = []
        rest = sum(width(item)[0] for item in node.items)
        for item in node.items:
            own = width(item)[0]
            rest -= own
            settled.append(_settle(item, before, after + rest))
            before += own
        return Seq(tuple(settled))
    if isinstance(node, Alt):
        return Alt(tuple(_settle(option, before, after) for option in node.options))
    if isinstance(node, Rep):
        return Rep(_settle(node.item, before, after), node.minimum, node.maximum, node.lazy)
    if isinstance(node, _Anchor):
        reach_before, reach_after = _ANCHOR_REACH[node.name]
        if before < reach_before or after < reach_after:
            raise _outside(f"{node.sign!r}")
        return _spell_out(node)
    if isinstance(node, Look):
        if _has_condition(node.item):
            raise UnsupportedRegexError("a condition inside a lookaround")
        reach = width(node.item)[1]
        if reach is None or reach > (after if node.ahead else before):
            sign = "(?" + ("" if node.ahead else "<") + ("!" if node.negated else "=")
            raise _outside(f"the lookaround {sign}...)")
    return node


def _outside(what: str) -> UnsupportedRegexError:
    return UnsupportedRegexError(
        f"{what} may look at text outside the terminal",
        remedy="a condition must be decided by the terminal's own characters: drop it, or let the terminal"
        " take the characters that it looks at",
    )


def _spell_out(anchor: _Anchor) -> Node:
    """The anchor, where enough characters surely stand on either side."""
    newline = Char(CharSet.chars("\n"))
    word = Char(anchor.word)
    if anchor.name == "line start":
        return Look(newline, ahead=False, negated=False)
    if anchor.name == "line end":
        return Look(newline, ahead=True, negated=False)
    if anchor.name in ("boundary", "no boundary"):
        same = anchor.name == "no boundary"
        return Alt(
            tuple(
                Seq(
                    (
                        Look(word, ahead=False, negated=negated),
                        Look(word, ahead=True, negated=negated == same),
                    )
                )
                for negated in (False, True)
            )
        )
    return NEVER  # the text neither begins nor ends where characters of the match stand


def _has_condition(node: Node) -> bool:
    if isinstance(node, Seq):
        return any(_has_condition(item) for item in node.items)
    if isinstance(node, Alt):
        return any(_has_condition(option) for option in node.options)
    if isinstance(node, Rep):
        return _has_condition(node.item)
    return isinstance(node, Look | _Anchor)


def width(node: Node) -> tuple[int, int | None]:
    """The least and the greatest number of characters that a match takes."""
    if isinstance(node, Char):
        return 1, 1
    if isinstance(node, Seq):
        widths = [width(item) for item in node.items]
        highs = [high for _, high in widths if high is not None]
        return sum(low for low, _ in widths), sum(highs) if len(highs) == len(widths) else None
    if isinstance(node, Alt):
        widths = [width(option) for option in node.options]
        highs = [high for _, high in widths if high is not None]
        longest = max(highs, default=0) if len(highs) == len(widths) else None
        return min((low for low, _ in widths), default=0), longest
    if isinstance(node, Rep):
        low, high = width(node.item)
        if high == 0 or node.maximum == 0:
            return 0, 0
        if high is None or node.maximum is None:
            return low * node.minimum, None
        return low * node.minimum, high * node.maximum
    return 0, 0


def _charset(op: Any, value: Any, flags: int, stand_ins: Mapping[int, CharSet]) -> CharSet:
    """The characters that one item of a pattern matches."""
    if op is _op.ANY:
        return ANY if flags & re.DOTALL else ~CharSet.chars("\n")
    items = value if op is _op.IN else [(_op.LITERAL, value)]
    negated = op is _op.NOT_LITERAL or (op is _op.IN and items[0][0] is _op.NEGATE)
    found = CharSet.of([])
    for kind, item in items:
        if kind is _op.LITERAL and item in stand_ins:
            if flags & re.IGNORECASE:
                raise UnsupportedRegexError("\\p{...} where case is ignored")
            found |= stand_ins[item]
        elif kind is _op.LITERAL:
            found |= CharSet.of([(item, item)])
        elif kind is _op.RANGE:
            if not stand_ins.keys().isdisjoint(item):
                raise InvalidRegexError("\\p{...} cannot end a range")
            found |= CharSet.of([item])
        elif kind is _op.CATEGORY:
            found |= _named_category(item, flags)
    charset = ~found if negated else found
    if not flags & re.IGNORECASE:
        return charset
    # Case only matters for the characters that have one: ask `re` about each of these.
    state = _parser.State()
    state.flags = flags
    single = _compiler.compile(_parser.SubPattern(state, [(op, value)]), flags)
    matched = CharSet.chars("".join(single.findall(_cased_text())))
    return (charset - _cased()) | matched


def _named_category(category: Any, flags: int) -> CharSet:
    name = str(category).rsplit("_", 1)[-1]  # DIGIT, SPACE, WORD
    letter = {"DIGIT": "d", "SPACE": "s", "WORD": "w"}[name]
    charset = _category(letter, bool(flags & re.ASCII))
    return ~charset if "_NOT_" in str(category) else charset


@cache
def _category(letter: str, ascii_only: bool) -> CharSet:
    """The characters of ``\\d``, ``\\s`` or ``\\w``, asked of `re` itself."""
    last = 0x7F if ascii_only else MAX_CODE_POINT
    runs = re.finditer(f"\\{letter}+", "".join(map(chr, range(last + 1))))
    return CharSet.of((run.start(), run.end() - 1) for run in runs)


@lru_cache(maxsize=1)
def _cased_text() -> str:
    chars = map(chr, range(0x20000))  # no script of the later planes has case
    return "".join(c for c in chars if c.lower() != c or c.upper() != c or c.casefold() != c)


@lru_cache(maxsize=1)
def _cased() -> CharSet:
    return CharSet.chars(_cased_text())
