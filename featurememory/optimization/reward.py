"""What an operation was worth, and whether it teaches anything.

A reward is the larger the better: the score, or -ln(duration in ms), or a weighted pair of both. A failed operation
gets the worst reward seen so far. What was refused or cancelled never showed what its parameters are worth; nor do
failures while a breaker sees an outage: they fall on whatever arm happened to be tried.
"""

from __future__ import annotations

from math import log
from typing import Literal, NamedTuple

from featurememory.errors import ConfigurationError

SHORTEST_MS = 0.001
Aim = Literal["score", "duration", "both"]


class Objective(NamedTuple):
    """`weight` is the score's share where both count; a score of 1 then outweighs a duration e times as long."""

    aim: Aim = "score"
    weight: float = 0.5

    def checked(self) -> Objective:
        if self.aim not in ("score", "duration", "both"):
            raise ConfigurationError(
                f"aim is {self.aim!r}; it is one of score, duration, both", field="aim", value=self.aim
            )
        if not 0 <= self.weight <= 1:
            raise ConfigurationError(
                f"weight is {self.weight}; it lies in [0, 1]", field="weight", value=self.weight
            )
        return self

    def of_success(self, duration_ms: float | None, score: float | None) -> float | None:
        """None when what it needs is not known (yet)."""
        speed = None if duration_ms is None else -log(max(duration_ms, SHORTEST_MS))
        if self.aim == "score":
            return score
        if self.aim == "duration":
            return speed
        if score is None or speed is None:
            return None
        return self.weight * score + (1 - self.weight) * speed


class RewardScale:
    """The worst reward that successes have had: what a failure is worth."""

    __slots__ = ("objective", "worst")

    def __init__(self, objective: Objective, worst: float | None = None) -> None:
        self.objective, self.worst = objective.checked(), worst

    def reward(
        self,
        outcome: str,
        duration_ms: float | None = None,
        score: float | None = None,
        *,
        outage: bool = False,
    ) -> float | None:
        """Of one operation; None when it teaches nothing. `outage`: its breaker was not closed when it ended."""
        if outcome == "success":
            reward = self.objective.of_success(duration_ms, score)
            if reward is not None and (self.worst is None or reward < self.worst):
                self.worst = reward
            return reward
        if outcome in ("error", "timeout") and not outage:
            return self.worst
        return None
