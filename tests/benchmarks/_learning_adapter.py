"""The memory as the learning yardstick asks for it; all that is thought is thought in the product's own code."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from featurememory.core.features import checked_features
from featurememory.core.recognizer import Recognition, Recognizer
from featurememory.core.spaces import calibrate
from featurememory.optimization.learner import Learner
from featurememory.optimization.neighbours import Neighbourhood, neighbourhood
from featurememory.optimization.policy import Choice, PolicyConfig

NEIGHBOURS = 16


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
        self._seed, self._decisions = seed, 0
        self._pend: dict[int, tuple[int, Choice, Neighbourhood]] = {}
        if arms is not None and baseline is not None:
            self.learner = Learner(len(arms), baseline, PolicyConfig(control=0.1 if holdout else 0.0))
            self.alarms: list[tuple[int, str, int]] = []

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

    def recommend(self, vector: NDArray[Any]) -> dict[str, Any]:
        features = checked_features(vector)
        found = self.recognizer.look_up(features, NEIGHBOURS)
        _, pattern = self.recognizer.learn(features)
        near = self._near(found, pattern.id)
        if len(self.recognizer) > self.capacity:
            self._make_room()
        choice = self.learner.recommend(pattern.id, hash((self._seed, self._decisions)), near)
        self._decisions += 1
        self._pend[self._decisions] = pattern.id, choice, near
        return {
            "decision": self._decisions,
            "arm": choice.arm,
            "propensity": choice.propensity,
            "p_baseline": choice.baseline_propensity or 1e-9,
            "pattern": pattern.id,
            "confidence": found.confidence,
        }

    def report(self, decision: int, reward: float) -> None:
        pattern, choice, near = self._pend.pop(decision)
        lesson = self.learner.learn(pattern, choice, float(reward), near)
        self.alarms += [(each.at, each.direction, each.arm) for each in lesson.alarms]
        if self.learner.is_due:
            self.learner.re_estimate()

    def effectiveness(self) -> dict[str, Any]:
        effect = self.learner.effectiveness.effect()
        return {"lift": effect.lift, "ci": effect.interval, "cs": effect.sequence}

    def claims(self) -> list[tuple[int, int, float, float, float, bool]]:
        return [
            (pattern, arm, told.lift, *told.interval, told.effective)
            for pattern, arm, told in self.learner.claims()
        ]

    def _near(self, found: Recognition, pattern: int) -> Neighbourhood:
        return neighbourhood(found.others(pattern), found.threshold)

    def _make_room(self) -> None:
        gains = {id: self.learner.gain(id) for id in self.recognizer.patterns}
        for id in self.recognizer.least_useful(1, gains, self.learner.typical_gain):
            self.recognizer.forget(id)
            self.learner.forget(id)
