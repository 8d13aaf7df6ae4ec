"""A pattern as a value: a recurring kind of input, and how it moves, merges and earns its room."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import exp, inf

import numpy as np

from featurememory.core.features import Matrix, Vector

SLOWEST_RATE = 0.02
"""A centroid follows its inputs for ever: as a mean over about the last fifty."""
PROVISIONAL_BELOW = 3
"""Vectors that a pattern must have seen before it is more than a guess."""
VISITS_FADE_OVER = 1_000.0
"""Operations after which a visit counts for 1/e."""
_ROWS_AT_ONCE = 1_024


@dataclass(frozen=True, slots=True, eq=False)
class Pattern:
    """`now` and `seen_at` count operations of the space, not seconds: an idle night makes no pattern useless."""

    id: int
    centroid: Vector
    """At length 1."""
    count: int = 1
    spread: float = 0.0
    """The mean of 1 - cosine between its vectors and its centroid, as they came."""
    visits: float = 1.0
    """Faded as of `seen_at`."""
    seen_at: float = 0.0
    pinned: bool = False

    @property
    def provisional(self) -> bool:
        return self.count < PROVISIONAL_BELOW

    def moved(self, unit: Vector, now: float) -> Pattern:
        """The pattern after one more vector, given at length 1."""
        count = self.count + 1
        rate = max(1 / count, SLOWEST_RATE)
        distance = 1 - float(self.centroid @ unit)
        return replace(
            self,
            centroid=_unit(
                self.centroid + np.float32(rate) * (unit - self.centroid), otherwise=self.centroid
            ),
            count=count,
            spread=self.spread + rate * (max(distance, 0.0) - self.spread),
            visits=self.visits_at(now) + 1,
            seen_at=max(now, self.seen_at),
        )

    def visits_at(self, now: float) -> float:
        """Its visits, each faded with what came since."""
        return self.visits * exp(-max(now - self.seen_at, 0.0) / VISITS_FADE_OVER)

    def usefulness(self, now: float, gain: float, typical_gain: float) -> float:
        """What would be lost without it: how often it comes times what it is known to gain.

        `gain` is what its best optimization gives above what a new pattern would start from; `typical_gain`, in
        the same unit, is a twentieth counted for those that gained nothing yet. Infinite when pinned.
        """
        return inf if self.pinned else self.visits_at(now) * (max(gain, 0.0) + 0.05 * typical_gain)


def merged(kept: Pattern, gone: Pattern) -> Pattern:
    """`kept` with what `gone` has seen; each weighs by its count."""
    count = kept.count + gone.count
    share = gone.count / count
    centroid = _unit(
        np.float32(1 - share) * kept.centroid + np.float32(share) * gone.centroid, otherwise=kept.centroid
    )
    spread = sum(
        weight * (each.spread + max(1 - float(each.centroid @ centroid), 0.0))
        for weight, each in ((1 - share, kept), (share, gone))
    )
    now = max(kept.seen_at, gone.seen_at)
    return replace(
        kept,
        centroid=centroid,
        count=count,
        spread=spread,
        visits=kept.visits_at(now) + gone.visits_at(now),
        seen_at=now,
        pinned=kept.pinned or gone.pinned,
    )


def near_duplicates(centroids: Matrix, threshold: float) -> list[tuple[int, int, float]]:
    """The pairs of rows, lower one first, whose cosine is at least `threshold`; the most similar pair first."""
    pairs = []
    for first in range(0, len(centroids), _ROWS_AT_ONCE):
        cosines = centroids[first : first + _ROWS_AT_ONCE] @ centroids[first:].T
        rows, columns = np.nonzero(np.triu(cosines >= threshold, 1))
        pairs += [
            (first + row, first + column, float(cosines[row, column]))
            for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
        ]
    return sorted(pairs, key=lambda pair: -pair[2])


def _unit(vector: Vector, otherwise: Vector) -> Vector:
    """`vector` at length 1; `otherwise` when opposites have cancelled out."""
    length = float(np.linalg.norm(vector))
    return (vector / np.float32(length)).astype(np.float32) if length > 1e-6 else otherwise
