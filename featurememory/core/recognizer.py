"""Recognition in one feature space: what is this vector like, how sure is that, and what is learned from it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from heapq import nsmallest
from typing import Literal

import numpy as np

from featurememory.core.confidence import CONFIRMATIONS_KEPT, Confidence, Signs, fitted, signs_of
from featurememory.core.features import Vector
from featurememory.core.index import Neighbour, PatternIndex
from featurememory.core.patterns import Pattern
from featurememory.core.spaces import Space

Verdict = Literal["match", "ambiguous", "novel"]

AMBIGUOUS_BELOW = 0.05
"""A margin, in the space's own units, by which chance might have put another pattern first."""
SHOWN = 16
"""Of the nearest patterns: those that may teach it something."""


@dataclass(frozen=True, slots=True, eq=False)
class Recognition:
    """What a vector was found to be like."""

    verdict: Verdict
    """`match`: it is the first of `nearest`. `ambiguous`: it is, but the second is nearly as similar. `novel`: it is
    like none."""
    nearest: tuple[Neighbour, ...]
    """The most similar patterns, best first; none in an empty space."""
    margin: float
    """What lies between the cosines of the first and the second."""
    confidence: float
    """The probability that the first of `nearest` is right."""
    unit: Vector
    """The vector as it was compared."""
    signs: Signs
    """What the confidence was made from; `confirm` takes it back."""
    threshold: float
    """The cosine from which on the space recognises."""

    @property
    def pattern(self) -> int | None:
        """The id of the pattern it belongs to; None when novel."""
        return None if self.verdict == "novel" else self.nearest[0].id

    def others(self, pattern: int | None) -> list[tuple[int, float]]:
        """(id, cosine) of the nearest but `pattern`."""
        return [(each.id, each.similarity) for each in self.nearest if each.id != pattern]

    @property
    def similarity(self) -> float:
        """The cosine with the most similar pattern; -1 in an empty space."""
        return self.nearest[0].similarity if self.nearest else -1.0


class Recognizer:
    """The patterns of one space. Time is counted in operations learned, `clock`. Not for several threads at once."""

    def __init__(
        self,
        space: Space,
        patterns: Iterable[Pattern] = (),
        confidence: Confidence | None = None,
        clock: float = 0.0,
        graph_above: int | None = None,
        next_id: int = 1,
    ) -> None:
        """New patterns are numbered from `next_id` on, or from above the highest of `patterns`."""
        self.space = space
        self.confidence = confidence or Confidence()
        self.clock = clock
        self.patterns = {pattern.id: pattern for pattern in patterns}
        self._index = PatternIndex(space.dimension, graph_above)
        if self.patterns:
            self._index.put_all(
                self.patterns, np.stack([pattern.centroid for pattern in self.patterns.values()])
            )
        self.next_id = max(next_id, max(self.patterns, default=0) + 1)
        self._confirmed: deque[tuple[Signs, bool]] = deque(maxlen=CONFIRMATIONS_KEPT)

    def __len__(self) -> int:
        return len(self.patterns)

    def look_up(self, features: Vector, shown: int = SHOWN) -> Recognition:
        """What checked `features` are like; changes nothing."""
        unit = self.space.normalise(features)
        nearest = self._index.nearest(unit, max(shown, 2))
        best = nearest[0].similarity if nearest else -1.0
        margin = best - (nearest[1].similarity if len(nearest) > 1 else self.space.typical)
        count = self.patterns[nearest[0].id].count if nearest else 0
        signs = signs_of(self.space, best, margin, count)
        return Recognition(
            self._verdict(nearest, margin),
            tuple(nearest),
            margin,
            self.confidence.of(signs) if nearest else 0.0,
            unit,
            signs,
            self.space.tau,
        )

    def nearest_to(self, id: int, count: int) -> list[Neighbour]:
        """Up to `count` other patterns, the most similar first; none where there is no such pattern."""
        pattern = self.patterns.get(id)
        nearest = self._index.nearest(pattern.centroid, count + 1) if pattern else []
        return [each for each in nearest if each.id != id][:count]

    def learn(self, features: Vector) -> tuple[Recognition, Pattern]:
        """Looks `features` up and learns from them: the pattern they belong to, moved, or a new, provisional one."""
        found = self.look_up(features)
        self.clock += 1
        if found.pattern is None:
            pattern = Pattern(self.next_id, found.unit, seen_at=self.clock)
            self.next_id += 1
        else:
            pattern = self.patterns[found.pattern].moved(found.unit, self.clock)
        self.put(pattern)
        return found, pattern

    def put(self, pattern: Pattern) -> None:
        """Takes a pattern in as it is, new or changed."""
        self.patterns[pattern.id] = pattern
        self.next_id = max(self.next_id, pattern.id + 1)
        self._index.put(pattern.id, pattern.centroid)

    def forget(self, id: int) -> Pattern:
        """KeyError when there is none."""
        pattern = self.patterns.pop(id)
        self._index.remove(id)
        return pattern

    def least_useful(
        self, count: int, gains: dict[int, float] | None = None, typical_gain: float = 1.0
    ) -> list[int]:
        """The ids of up to `count` patterns that would be missed least, the very least first; none that is pinned.

        `gains` has what each pattern's best optimization gains, where there is one.
        """
        gains = gains or {}
        free = (pattern for pattern in self.patterns.values() if not pattern.pinned)
        worth = (
            (each.usefulness(self.clock, gains.get(each.id, 0.0), typical_gain), each.id) for each in free
        )
        return [id for _, id in nsmallest(count, worth)]

    def confirm(self, signs: Signs, correct: bool) -> None:
        """Somebody or something says whether a match was right: confidence learns from it."""
        self._confirmed.append((signs, correct))
        self.confidence = fitted(
            np.array([each for each, _ in self._confirmed]), np.array([right for _, right in self._confirmed])
        )

    def _verdict(self, nearest: list[Neighbour], margin: float) -> Verdict:
        if not nearest or nearest[0].similarity < self.space.tau:
            return "novel"
        return "ambiguous" if self.space.scaled(margin) < AMBIGUOUS_BELOW else "match"
