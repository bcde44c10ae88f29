"""What a document holds that has to be looked at before it is compiled: its references and patterns, noted
when it is scanned, and told apart by regions: what applies wherever their outermost subschema does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from structgen.sources.json_schema.keywords import HERE, HERE_OR_ITEMS, SCHEMA_VALUES, VALUES
from structgen.sources.json_schema.pointers import Path

HOLDING: Final = frozenset(("$defs", "definitions"))
"""Keywords whose subschemas apply where one is referred to."""

IN_PLACE: Final = frozenset(
    ["allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas", "dependencies"]
)
"""Keywords whose subschemas apply to the same value, or may."""

_CONDITIONAL = frozenset(("then", "else"))


def is_applied(keyword: str, schema: Mapping[str, Any]) -> bool:
    """Do the subschemas of a keyword apply to anything, beside the other keywords of its schema?"""
    if keyword == "additionalItems":
        return isinstance(schema.get("items"), (list, tuple))
    return keyword not in HOLDING and not (keyword in _CONDITIONAL and "if" not in schema)


def subschemas_in(where: str, value: Any) -> list[tuple[str | int, ...]]:
    """The places of the subschemas in a keyword's value. ``where``: as `keywords` says."""
    if where == HERE:
        return [()]
    if where == VALUES:
        return [(name,) for name in value]
    if where == SCHEMA_VALUES:
        return [(name,) for name, inner in value.items() if isinstance(inner, (bool, Mapping))]
    if where != HERE_OR_ITEMS or isinstance(value, (list, tuple)):
        return [(i,) for i in range(len(value))]
    return [()]


class Reference(NamedTuple):
    """A ``$ref``. ``base``: the outermost subschema that applies to the same value."""

    region: int
    base: int
    text: str


class Patterned(NamedTuple):
    """A subschema with ``pattern`` or ``patternProperties``. ``counts``: no $ref beside it overrides it."""

    region: int
    counts: bool
    schema: Mapping[str, Any]
    path: Path


class Contents:
    """What was noted of a document. ``is_plain``: it is all one resource, without anchors and dynamic scopes.

    A region is a number, the same without its sign is the base of its outermost subschema; other bases are
    positive.
    """

    ROOT: Final = 0
    NOWHERE: Final = -1  # the region of what applies to nothing

    __slots__ = ("_regions", "is_plain", "patterned", "references")

    def __init__(self) -> None:
        self.is_plain = True
        self.references: list[Reference] = []
        self.patterned: list[Patterned] = []
        self._regions = {"": self.ROOT}

    @property
    def is_empty(self) -> bool:
        """Is there nothing to look at?"""
        return self.is_plain and not (self.references or self.patterned)

    def add_region(self, pointer: str) -> int:
        """The region that begins at a pointer."""
        return self._regions.setdefault(pointer, len(self._regions))

    def region(self, pointer: str) -> int | None:
        """The region that begins at a pointer, if one does."""
        return self._regions.get(pointer)

    def reached(self, region_at: Callable[[str], int | None]) -> set[int] | None:
        """The regions that the document comes to, where all its references plainly lead to regions and none
        of them leads back to what applies it to the same value. None: that must be looked at closely.

        ``region_at``: finds regions at places where no schema was expected; its references are added here.
        """
        if not self.is_plain:
            return None
        reached = {self.ROOT}
        leading: dict[int, list[Reference]] = {}
        n_sorted = 0
        applied: dict[int, list[int]] = {}  # by base: the bases of what is applied to the same value
        pending = [self.ROOT]
        while pending:
            for reference in self.references[n_sorted:]:
                leading.setdefault(reference.region, []).append(reference)
            n_sorted = len(self.references)
            for _, base, text in leading.get(pending.pop(), ()):
                plain = text[:1] == "#" and "%" not in text
                target = self._regions.get(text[1:]) if plain else None
                if target is None and text[:2] == "#/":
                    target = region_at(text)
                if target is None or not self.is_plain:
                    return None
                if base <= 0:  # a reference leads to no other
                    applied.setdefault(base, []).append(-target)
                if target not in reached:
                    reached.add(target)
                    pending.append(target)
        return None if _has_cycle(applied) else reached


def _has_cycle(edges: Mapping[int, list[int]]) -> bool:
    """Depth first; a place is open while what it leads to is looked at."""
    done: set[int] = set()
    open_: set[int] = set()
    for root in edges:
        stack = [(root, False)]
        while stack:
            place, leaving = stack.pop()
            if leaving:
                open_.discard(place)
                done.add(place)
            elif place in open_:
                return True
            elif place not in done and place in edges:
                open_.add(place)
                stack.append((place, True))
                stack += [(target, False) for target in edges[place] if target not in done]
    return False
