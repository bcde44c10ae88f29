"""Minimal automata: as few states as any, the same language, whatever the table looks like."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive_automata import minimal_automaton, places_beside, runs_of_rows
from structgen_kernels.automata import find_places, write_runs
from structgen_kernels.minimise import distinct_columns, minimise


@st.composite
def tables(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Random complete tables, some of them with no cycle, some with columns that are alike, some chains."""
    n = draw(st.integers(2, 40))
    n_classes = draw(st.integers(1, 5))
    seed = draw(st.integers(0, 2**32 - 1))
    shape = draw(st.sampled_from(["any", "acyclic", "chain", "few targets"]))
    random = np.random.default_rng(seed)
    table = np.zeros((n, n_classes), np.int32)
    for state in range(1, n):
        for c in range(n_classes):
            lowest = state + 1 if shape == "acyclic" else 1
            if shape == "chain":
                table[state, c] = state + 1 if state + 1 < n and c == 0 else random.integers(0, 3) // 2
            elif lowest < n and random.random() < 0.7:
                table[state, c] = random.integers(lowest, min(n, 5) if shape == "few targets" else n)
    table = table[:, random.integers(0, n_classes, n_classes + draw(st.integers(0, 3)))]
    accepting = random.random(n) < draw(st.sampled_from([0.1, 0.5, 1.0]))
    accepting[0] = False
    return np.ascontiguousarray(table), accepting


@settings(max_examples=400)
@given(tables())
def test_as_the_naive_one(given_: tuple[np.ndarray, np.ndarray]) -> None:
    table, accepting = given_
    before = table.copy(), accepting.copy()
    least, accepts = minimise(table, accepting)
    expected, expected_accepts = minimal_automaton(table, accepting)
    assert least.tolist() == expected
    assert accepts.tolist() == expected_accepts
    assert np.array_equal(table, before[0])
    assert np.array_equal(accepting, before[1])


@pytest.mark.parametrize("length", [30, 300])
def test_a_long_chain_beside_a_loop(length: int) -> None:
    """A round for each state of the chain; and of two chains that are alike, one is left."""
    table = np.zeros((2 * length + 2, 2), np.int32)
    for i in range(1, length):
        table[i] = i + 1, length + i + 1
        table[length + i] = table[i]
    table[length] = table[2 * length] = length, 2 * length
    accepting = np.zeros(len(table), np.bool_)
    accepting[[length, 2 * length]] = True
    least, accepts = minimise(table, accepting)
    expected, expected_accepts = minimal_automaton(table, accepting)
    assert len(least) == length + 1
    assert least.tolist() == expected
    assert accepts.tolist() == expected_accepts


@given(tables())
def test_runs_of_rows(given_: tuple[np.ndarray, np.ndarray]) -> None:
    table, _ = given_
    runs = np.empty(2 * table.size + len(table) + 1, np.int32)
    assert runs[: write_runs(table, runs)].tolist() == runs_of_rows(table)
    assert write_runs(table, runs[: table.shape[1]]) == 0  # no room


@given(tables())
def test_columns_that_are_alike(given_: tuple[np.ndarray, np.ndarray]) -> None:
    table, _ = given_
    first, like = distinct_columns(table)
    columns = [tuple(column) for column in table.T.tolist()]
    kinds = list(dict.fromkeys(columns))
    assert [columns[c] for c in first.tolist()] == kinds
    assert [kinds[i] for i in like.tolist()] == columns


@given(tables(), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_places_beside_another_automaton(
    given_: tuple[np.ndarray, np.ndarray], n_other: int, seed: int
) -> None:
    table, _ = given_
    n_classes = table.shape[1]
    random = np.random.default_rng(seed)
    # mostly one that is in step: by the number of the state, or of the column
    place_of = np.concatenate(([0], random.integers(1, n_other + 1, len(table) - 1)))
    place_of[1] = 1
    other = np.zeros((n_other + 1, n_classes), np.int32)
    other[1:] = random.integers(seed % 2, n_other + 1, n_classes)
    for state in range(1, len(table)):
        if random.random() < 0.5:
            other[place_of[state]] = place_of[table[state]]
    place = np.zeros(len(table), np.int64)
    found = find_places(table, other, np.arange(n_classes), place)
    expected = places_beside(table.tolist(), other.tolist())
    assert found == (expected is not None)
    if expected is not None:
        assert {state: p for state, p in enumerate(place.tolist()) if p} == expected
