"""The centroids of a space in memory, and which of them are nearest to a vector.

All are compared in one product while that takes about a millisecond. Beyond, a graph in half precision names
candidates (usearch: Malkov and Yashunin, "Efficient and robust approximate nearest neighbor search using
Hierarchical Navigable Small World graphs", 2018), which are then compared exactly.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from featurememory.core.features import Matrix, Vector

GRAPH_ABOVE = 6_400_000
"""Numbers to compare from which on a graph is searched: 50,000 patterns of 128 dimensions, 8,333 of 768."""
_FIRST_ROOM = 64
_CANDIDATES = 16
_WEIGHED_TO_ADD, _WEIGHED_TO_FIND = 64, 48
"""Nodes the graph looks at for one that is added or looked up. Among 100,000 embeddings of 768 dimensions 32 take
three quarters of the time and find 99.5 % of the nearest; among vectors without any structure 32 find too few."""
_CAUGHT_UP_PER_CHANGE = 8
_STALE_BELOW = 0.98
"""Cosine with what the graph holds below which a centroid counts as moved away from there."""
_OUT_OF_DATE = 256
"""Entries that may be out of date before the graph is changed: each one taken out or moved can cut others off."""
_MOST_GONE_ASKED_FOR = 32


class Neighbour(NamedTuple):
    id: int
    similarity: float
    """The cosine."""


class PatternIndex:
    """Centroids by id. Not for several threads at once."""

    def __init__(self, dimension: int, graph_above: int | None = None) -> None:
        """Up to `graph_above` patterns are all compared; as many as `GRAPH_ABOVE` gives by default."""
        self._rows = np.empty((_FIRST_ROOM, dimension), np.float32)
        self._ids: list[int] = []
        self._row_of: dict[int, int] = {}
        self._graph_above = GRAPH_ABOVE // dimension if graph_above is None else graph_above
        self._graph: _Graph | None = None
        self._next_row = 0
        self._strayed: set[int] = set()
        """Ids whose centroid is not where the graph has it: they are always compared."""
        self._gone: set[int] = set()
        """Ids that are in the graph alone."""

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, id: int) -> bool:
        return id in self._row_of

    @property
    def ids(self) -> list[int]:
        return list(self._ids)

    @property
    def centroids(self) -> Matrix:
        """In the order of `ids`; a view that the next change may make out of date."""
        return self._rows[: len(self._ids)]

    def centroid(self, id: int) -> Vector:
        """KeyError when there is none."""
        centroid: Vector = self._rows[self._row_of[id]].copy()
        return centroid

    def put(self, id: int, centroid: Vector) -> None:
        """Adds a centroid, given at length 1, or moves the one that is there."""
        row = self._row_of.get(id)
        if row is None:
            row = len(self._ids)
            self._make_room(row + 1)
            self._ids.append(id)
            self._row_of[id] = row
        self._rows[row] = centroid
        self._note_move(id, centroid)
        self._tend_graph()

    def put_all(self, ids: Iterable[int], centroids: Matrix) -> None:
        """Many at once, as after a start; a graph they need is complete afterwards."""
        ids = list(ids)
        self._make_room(len(self._ids) + len(ids))
        for id, centroid in zip(ids, centroids, strict=True):
            if id in self._row_of:
                self.put(id, centroid)
            else:
                self._row_of[id] = len(self._ids)
                self._rows[len(self._ids)] = centroid
                self._ids.append(id)
                self._note_move(id, centroid)
        if len(self._ids) > self._graph_above:
            self._next_row = 0
            self._catch_up(len(self._ids))

    def remove(self, id: int) -> None:
        """The last row takes its place. KeyError when there is none."""
        row, last = self._row_of.pop(id), self._ids.pop()
        if last != id:
            self._rows[row] = self._rows[len(self._ids)]
            self._ids[row] = last
            self._row_of[last] = row
        self._strayed.discard(id)
        if self._graph is not None and id in self._graph:
            self._gone.add(id)
        self._tend_graph()

    def nearest(self, unit: Vector, k: int = 1) -> list[Neighbour]:
        """Up to `k` of the centroids, the most similar first; of equals the one with the lower id."""
        if not self._ids or k < 1:
            return []
        rows = self._candidates(unit, k)
        if rows is None:
            similarities = self.centroids @ unit
            rows = _largest(similarities, k)
            similarities = similarities[rows]
        else:
            similarities = self._rows[rows] @ unit
        found = [Neighbour(self._ids[row], float(s)) for row, s in zip(rows, similarities, strict=True)]
        return sorted(found, key=lambda each: (-each.similarity, each.id))[:k]

    def _candidates(self, unit: Vector, k: int) -> list[int] | None:
        """Rows that the graph names; None while there is no complete one."""
        if self._graph is None or len(self._graph) - len(self._gone) < len(self._ids):
            return None
        count = max(_CANDIDATES, 2 * k) + min(len(self._gone), _MOST_GONE_ASKED_FOR)
        named = self._strayed.union(self._graph.near(unit, count)) - self._gone
        return [self._row_of[id] for id in named]

    def _make_room(self, rows: int) -> None:
        if rows > len(self._rows):
            grown = np.empty((max(rows, 2 * len(self._rows)), self._rows.shape[1]), np.float32)
            grown[: len(self._ids)] = self.centroids
            self._rows = grown

    def _tend_graph(self) -> None:
        """Builds the graph a little with each change, so that none waits for all of it; lets go of one no longer
        needed, at half the size that called for it."""
        if len(self._strayed) + len(self._gone) > _OUT_OF_DATE:
            self._bring_up_to_date()
        if len(self._ids) > self._graph_above:
            self._catch_up(_CAUGHT_UP_PER_CHANGE)
        elif len(self._ids) <= self._graph_above // 2:
            self._graph = None
            self._strayed.clear()
            self._gone.clear()

    def _note_move(self, id: int, centroid: Vector) -> None:
        if self._graph is not None and id in self._graph:
            self._gone.discard(id)
            if self._graph.has_elsewhere(id, centroid):
                self._strayed.add(id)
            else:
                self._strayed.discard(id)

    def _bring_up_to_date(self) -> None:
        if self._graph is not None:
            for id in self._strayed:
                self._graph.move(id, self._rows[self._row_of[id]])
            for id in self._gone:
                self._graph.remove(id)
        self._strayed.clear()
        self._gone.clear()

    def _catch_up(self, most: int) -> None:
        """Puts ids that the graph lacks into it, those of up to `most` rows that follow each other."""
        if self._graph is None:
            self._graph = _Graph(self._rows.shape[1])
            self._next_row = 0
        while len(self._graph) - len(self._gone) < len(self._ids) and most:
            ids = [id for id in self._ids[self._next_row : self._next_row + most] if id not in self._graph]
            self._next_row += most
            if self._next_row >= len(self._ids):
                self._next_row = 0
            if ids:
                self._graph.put_all(ids, self._rows[[self._row_of[id] for id in ids]])
                return


class _Graph:
    """Ids by what their centroids were when they were put in, in half precision."""

    def __init__(self, dimension: int) -> None:
        from usearch.index import Index  # 30 MB that only large spaces need

        self._index: Any = Index(
            ndim=dimension,
            metric="ip",
            dtype="f16",
            expansion_add=_WEIGHED_TO_ADD,
            expansion_search=_WEIGHED_TO_FIND,
        )

    def __len__(self) -> int:
        return len(self._index)

    def __contains__(self, id: int) -> bool:
        return id in self._index

    def put_all(self, ids: list[int], centroids: Matrix) -> None:
        self._index.add(np.array(ids), centroids)

    def has_elsewhere(self, id: int, centroid: Vector) -> bool:
        """Small steps are for the exact comparison."""
        return float(self._index.get(id, np.float32) @ centroid) < _STALE_BELOW

    def move(self, id: int, centroid: Vector) -> None:
        self._index.remove(id)
        self._index.add(id, centroid)

    def remove(self, id: int) -> None:
        self._index.remove(id)

    def near(self, unit: Vector, count: int) -> list[int]:
        ids: list[int] = self._index.search(unit, count).keys.tolist()
        return ids


def _largest(similarities: Vector, k: int) -> list[int]:
    """The rows of the `k` largest, in no order."""
    if k >= len(similarities):
        return list(range(len(similarities)))
    if k == 1:
        return [int(similarities.argmax())]
    rows: list[int] = np.argpartition(similarities, -k)[-k:].tolist()
    return rows
