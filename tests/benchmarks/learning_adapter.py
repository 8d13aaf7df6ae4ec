"""The memory as the learning yardstick asks for it; all that is thought is thought in the product's own code."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from featurememory.core.features import checked_features
from featurememory.core.recognizer import Recognizer
from featurememory.core.spaces import calibrate


class Memory:
    """One feature space with room for `capacity` patterns."""

    def __init__(
        self,
        seed: int,
        capacity: int,
        arms: list[str] | None = None,
        baseline: int | None = None,
        holdout: bool | None = None,
    ) -> None:
        self.capacity = capacity

    def fit_norm(self, vectors: NDArray[Any]) -> None:
        self.recognizer = Recognizer(calibrate(np.stack([checked_features(each) for each in vectors])))

    def observe(self, vector: NDArray[Any]) -> dict[str, Any]:
        _, pattern = self.recognizer.learn(checked_features(vector))
        if len(self.recognizer) > self.capacity:
            for id in self.recognizer.least_useful(1):
                self.recognizer.forget(id)
        return {"id": pattern.id}

    def peek(self, vector: NDArray[Any]) -> dict[str, Any]:
        found = self.recognizer.look_up(checked_features(vector))
        return {
            "pattern": -1 if found.pattern is None else found.pattern,
            "best": found.nearest[0].id if found.nearest else -1,
            "sim": found.similarity,
            "confidence": found.confidence,
            "feat": found.signs,
        }

    def confirm(self, signs: NDArray[np.float64], correct: bool) -> None:
        self.recognizer.confirm(signs, correct)
