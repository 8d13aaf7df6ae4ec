"""What is known of the arms in one pattern: sufficient statistics, and the posterior they give.

The model is y = alpha + theta_a + noise with a level alpha of the pattern, and effects theta_a of its arms. Prior:
alpha ~ N(level), theta_a ~ N(effects[a]); noise of variance `noise[a]`. Given alpha the arms are independent, so that
the joint posterior costs one pass over the arms (Lindley & Smith 1972, "Bayes estimates for the linear model").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Any, NamedTuple, Self

CLIP_SD = 4.0
"""Outcomes further from their prediction, in predictive standard deviations, count as this far."""


class Normal(NamedTuple):
    mean: float
    variance: float


class ArmStatistics:
    """Count, mean and sum of squared deviations of an arm's outcomes (Welford 1962; merging: Chan et al. 1979)."""

    __slots__ = ("m2", "mean", "n")

    def __init__(self, n: int = 0, mean: float = 0.0, m2: float = 0.0) -> None:
        self.n, self.mean, self.m2 = n, mean, m2

    def record(self, outcome: float) -> None:
        self.n += 1
        step = outcome - self.mean
        self.mean += step / self.n
        self.m2 += step * (outcome - self.mean)

    def merge(self, other: ArmStatistics) -> None:
        """Adds what `other` saw; the order of merging makes no difference."""
        if not self.n or not other.n:
            if other.n:
                self.n, self.mean, self.m2 = other.snapshot()
            return
        n = self.n + other.n
        step = other.mean - self.mean
        self.m2 = self.m2 + other.m2 + step * step * (self.n * other.n / n)
        self.mean = (self.n * self.mean + other.n * other.mean) / n
        self.n = n

    def snapshot(self) -> tuple[int, float, float]:
        """What the constructor takes; exact, as JSON keeps floats exactly."""
        return self.n, self.mean, self.m2

    @classmethod
    def merged(cls, one: ArmStatistics, other: ArmStatistics) -> Self:
        both = cls(*one.snapshot())
        both.merge(other)
        return both

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ArmStatistics) and self.snapshot() == other.snapshot()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"ArmStatistics{self.snapshot()}"


def posterior(prior: Normal, seen: ArmStatistics, noise: float) -> Normal:
    """Of a mean, when each outcome adds noise of variance `noise`."""
    if not seen.n:
        return prior
    gain = prior.variance / (prior.variance + noise / seen.n)
    return Normal(prior.mean + gain * (seen.mean - prior.mean), prior.variance * (1 - gain))


def clipped(outcome: float, prediction: Normal, limit: float = CLIP_SD) -> float:
    """The outcome, drawn to within `limit` predictive standard deviations of what was expected."""
    reach = limit * sqrt(prediction.variance)
    return min(max(outcome, prediction.mean - reach), prediction.mean + reach)


class PatternPrior(NamedTuple):
    """What is believed of a pattern before its own outcomes; one entry an arm.

    `shared` is the variance of the arms' common effects against the baseline's, which the pattern's own
    outcomes teach little of; it is not in `effects`.
    """

    level: Normal
    effects: Sequence[Normal]
    shared: Sequence[float]
    noise: Sequence[float]


class PatternPosterior(NamedTuple):
    """`effects`, without the level, are what the arms are compared by; their variances are those given the level.
    Were the level higher by 1, `effects[a]` would be lower by `gains[a]`. `shared` is what is left of the prior's,
    `visits` how many outcomes all this rests on."""

    level: Normal
    effects: list[Normal]
    gains: list[float]
    shared: list[float]
    visits: int

    def prediction(self, arm: int, noise: float) -> Normal:
        """Of the arm's next outcome."""
        effect = self.effects[arm]
        leans = (1 - self.gains[arm]) ** 2 * self.level.variance
        variance = leans + effect.variance + self.shared[arm] + noise
        return Normal(self.level.mean + effect.mean, variance)

    def lift(self, arm: int, baseline: int) -> Normal:
        """The arm's effect less the baseline's."""
        one, other = self.effects[arm], self.effects[baseline]
        leans = (self.gains[arm] - self.gains[baseline]) ** 2 * self.level.variance
        shared = self.shared[arm] + self.shared[baseline]
        return Normal(one.mean - other.mean, one.variance + other.variance + leans + shared)

    def snapshot(self) -> list[Any]:
        return [list(self.level), [list(each) for each in self.effects], self.gains, self.shared, self.visits]

    @classmethod
    def restored(cls, snapshot: Sequence[Any]) -> Self:
        level, effects, gains, shared, visits = snapshot
        return cls(Normal(*level), [Normal(*each) for each in effects], gains, shared, visits)


def pattern_posterior(prior: PatternPrior, seen: Mapping[int, ArmStatistics]) -> PatternPosterior:
    """Level and effects of a pattern after the outcomes in `seen`, by arm."""
    precision = 1 / prior.level.variance
    weighted = precision * prior.level.mean
    for arm, statistics in seen.items():
        effect = prior.effects[arm]
        weight = 1 / (effect.variance + prior.noise[arm] / statistics.n)
        precision += weight
        weighted += weight * (statistics.mean - effect.mean)
    level = Normal(weighted / precision, 1 / precision)
    effects, shared, gains = list(prior.effects), list(prior.shared), [0.0] * len(prior.effects)
    for arm, statistics in seen.items():
        effect = prior.effects[arm]
        gain = effect.variance / (effect.variance + prior.noise[arm] / statistics.n)
        effects[arm] = Normal(
            effect.mean + gain * (statistics.mean - level.mean - effect.mean),
            effect.variance * (1 - gain),
        )
        gains[arm] = gain
        shared[arm] *= (1 - gain) ** 2
    return PatternPosterior(level, effects, gains, shared, sum(statistics.n for statistics in seen.values()))
