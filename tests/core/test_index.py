"""The index finds what a plain list, compared one by one, would find."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from featurememory.core.features import Matrix, Vector
from featurememory.core.index import PatternIndex

DIMENSION = 6


def units(count: int, seed: int = 0, dimension: int = DIMENSION) -> Matrix:
    vectors = np.random.default_rng(seed).normal(size=(count, dimension))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


vectors = st.integers(0, 2**32 - 1).map(lambda seed: units(1, seed)[0])
ids = st.integers(1, 40)


class IndexAgreesWithAPlainList(RuleBasedStateMachine):
    """Small thresholds let a graph come and go on the way."""

    @initialize(graph_above=st.sampled_from([3, 10, 1_000]))
    def begin(self, graph_above: int) -> None:
        self.index = PatternIndex(DIMENSION, graph_above)
        self.model: dict[int, Vector] = {}

    @rule(id=ids, vector=vectors)
    def put(self, id: int, vector: Vector) -> None:
        self.index.put(id, vector)
        self.model[id] = vector

    @rule(first=ids, count=st.integers(0, 12), seed=st.integers(0, 1_000))
    def put_many(self, first: int, count: int, seed: int) -> None:
        many = dict(zip(range(first, first + count), units(count, seed), strict=True))
        self.index.put_all(many, units(count, seed))
        self.model |= many

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        id = data.draw(st.sampled_from(sorted(self.model)))
        self.index.remove(id)
        del self.model[id]

    @rule(vector=vectors, k=st.integers(1, 8))
    def look_up(self, vector: Vector, k: int) -> None:
        expected = sorted(((float(each @ vector), id) for id, each in self.model.items()), reverse=True)[:k]
        found = self.index.nearest(vector, k)
        assert len(found) == len(expected)
        for (similarity, _), neighbour in zip(expected, found, strict=True):
            assert neighbour.similarity == pytest.approx(similarity, abs=1e-5)
            assert float(self.model[neighbour.id] @ vector) == pytest.approx(neighbour.similarity, abs=1e-5)
        assert len({neighbour.id for neighbour in found}) == len(found)

    @invariant()
    def holds_the_same(self) -> None:
        if hasattr(self, "model"):
            assert len(self.index) == len(self.model)
            assert set(self.index.ids) == self.model.keys()
            assert all(self.index.centroid(id).tobytes() == each.tobytes() for id, each in self.model.items())


IndexAgreesWithAPlainList.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestIndexAgreesWithAPlainList = IndexAgreesWithAPlainList.TestCase


def test_an_empty_index_finds_nothing() -> None:
    assert PatternIndex(3).nearest(np.ones(3, np.float32)) == []


def test_of_equals_the_older_id_comes_first() -> None:
    index, (vector, *_) = PatternIndex(DIMENSION), units(1)
    for id in (7, 3, 9):
        index.put(id, vector)
    assert [neighbour.id for neighbour in index.nearest(vector, 3)] == [3, 7, 9]


def test_what_is_not_there_cannot_be_removed() -> None:
    with pytest.raises(KeyError):
        PatternIndex(3).remove(1)


def test_a_graph_finds_the_nearest_of_many() -> None:
    centroids = units(3_000, 1, 32)
    queries = centroids[::6] + 0.1 * units(500, 2, 32)  # inputs are like patterns that are there
    index = PatternIndex(32, graph_above=1_000)
    index.put_all(range(3_000), centroids)
    exact = (queries @ centroids.T).argmax(axis=1).tolist()
    right = sum(index.nearest(query)[0].id == id for query, id in zip(queries, exact, strict=True))
    assert right >= 0.99 * len(queries)


def test_a_graph_follows_centroids_that_move_step_by_step() -> None:
    index, (start, goal, *others) = PatternIndex(32, graph_above=10), units(400, 3, 32)
    index.put_all(range(2, 400), np.array(others))
    index.put(1, start)
    for share in np.linspace(0, 1, 200, dtype=np.float32):
        moved = (1 - share) * start + share * goal
        index.put(1, moved / np.linalg.norm(moved))
    assert index.nearest(goal)[0].id == 1


def test_a_graph_that_is_brought_up_to_date_finds_what_moved_and_not_what_went(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("featurememory.core.index._OUT_OF_DATE", 5)
    index, before, after = PatternIndex(32, graph_above=10), units(400, 4, 32), units(400, 5, 32)
    index.put_all(range(400), before)
    for id in range(100):
        index.put(id, after[id])
    for id in range(100, 150):
        index.remove(id)
    left = [*range(100), *range(150, 400)]
    found = [index.nearest(after[id] if id < 100 else before[id])[0].id for id in left]
    assert set(found) <= set(left)
    assert sum(one == other for one, other in zip(found, left, strict=True)) >= 0.95 * len(left)
