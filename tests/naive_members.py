"""Plain twin of the layout of an object's members: its states one by one, as a source describes them."""

from __future__ import annotations

from structgen.automata.dfa import SpelledText
from structgen.parser_states import (
    BEGIN_KEY,
    END_KEY,
    Call,
    Edge,
    Enter,
    Jump,
    Key,
    Members,
    Others,
    Read,
    State,
    Value,
)

NAME, COLON, VALUE, AFTER = "name", "colon", "value", "after"
OTHER, OTHER_NAME, OTHER_READ = "other", "other name", "other read"
OTHER_COLON, OTHER_VALUE, OTHER_AFTER = "other colon", "other value", "other after"


def naive_members(described: Members, mark: Key) -> dict[Key, State]:
    """The states by (``mark``, place, role); (VALUE) only where the values are given."""
    n = len(described.names)
    required = [i for i in range(n) if not described.optional[i]]
    states: dict[Key, State] = {}
    others = described.beyond if isinstance(described.beyond, Others) else None
    last = described.beyond if others is None else (mark, n, OTHER)
    for i, name in enumerate(described.names):
        beyond = (mark, i + 1, NAME) if i + 1 < n else last
        edges = []
        if name is not None:
            edges.append(Read(SpelledText(name), (mark, i, COLON)))
        if described.optional[i] and beyond is not None:
            edges.append(Jump(beyond))
        states[mark, i, NAME] = State(edges)
        states[mark, i, COLON] = State((Read(described.colon, (mark, i, VALUE)),))
        values = described.values[i]
        if values is not None:
            states[mark, i, VALUE] = State([_valued(value, (mark, i, AFTER)) for value in values])
        edges = []
        if described.beyond is not None or any(later is not None for later in described.names[i + 1 :]):
            edges.append(Read(described.comma, beyond))
        if described.done is not None and all(place <= i for place in required):
            edges.append(Read(described.end, described.done))
        states[mark, i, AFTER] = State(edges)
    if others is not None:
        states[mark, n, OTHER] = State((Jump((mark, n, OTHER_NAME)),), BEGIN_KEY, others.barred)
        states[mark, n, OTHER_NAME] = State([Read(name, (mark, n, OTHER_READ)) for name in others.names])
        states[mark, n, OTHER_READ] = State((Jump((mark, n, OTHER_COLON)),), END_KEY, others.barred)
        states[mark, n, OTHER_COLON] = State((Read(described.colon, (mark, n, OTHER_VALUE)),))
        if others.values is not None:
            after = (mark, n, OTHER_AFTER)
            states[mark, n, OTHER_VALUE] = State([_valued(value, after) for value in others.values])
        states[mark, n, OTHER_AFTER] = State(
            (Read(described.comma, (mark, n, OTHER)), Read(described.end, described.done))
        )
    return states


def _valued(value: Value, target: Key) -> Edge:
    return Call(value.callee, target) if isinstance(value, Enter) else Read(value, target)
