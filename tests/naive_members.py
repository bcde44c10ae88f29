"""Plain twin of the layout of an object's members: its states one by one, as a source describes them."""

from __future__ import annotations

from structgen.automata.dfa import SpelledText
from structgen.parser_states import Jump, Key, Members, Read, State

NAME, COLON, VALUE, AFTER = "name", "colon", "value", "after"


def naive_members(described: Members, mark: Key) -> dict[Key, State]:
    """The states by (``mark``, place, role); (VALUE) only where the values are given."""
    n = len(described.names)
    required = [i for i in range(n) if not described.optional[i]]
    states: dict[Key, State] = {}
    for i, name in enumerate(described.names):
        beyond = (mark, i + 1, NAME) if i + 1 < n else described.beyond
        edges = []
        if name is not None:
            edges.append(Read(SpelledText(name), (mark, i, COLON)))
        if described.optional[i] and beyond is not None:
            edges.append(Jump(beyond))
        states[mark, i, NAME] = State(edges)
        states[mark, i, COLON] = State((Read(described.colon, (mark, i, VALUE)),))
        values = described.values[i]
        if values is not None:
            states[mark, i, VALUE] = State([Read(value, (mark, i, AFTER)) for value in values])
        edges = []
        if described.beyond is not None or any(later is not None for later in described.names[i + 1 :]):
            edges.append(Read(described.comma, beyond))
        if all(place <= i for place in required):
            edges.append(Read(described.end, described.done))
        states[mark, i, AFTER] = State(edges)
    return states
