"""The learning of one (model, operation type): recommends arms for patterns, learns from what came of them.

No clock, no lock, no I/O. `recommend` changes nothing, so that a past recommendation can be had again from the state
and the seed of that time. `re_estimate` is the only slow part, and meant for the background.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from random import Random
from typing import Final, NamedTuple

from featurememory.optimization import neighbours, pooling
from featurememory.optimization.effectiveness import Effectiveness, PatternLift, pattern_lift
from featurememory.optimization.guard import ArmGuard, Direction, PairGuard, Quarantine
from featurememory.optimization.linear import Matrix
from featurememory.optimization.neighbours import Neighbourhood, Residual
from featurememory.optimization.policy import Choice, PolicyConfig, choose, overdraws
from featurememory.optimization.pooling import Pooled
from featurememory.optimization.posterior import (
    ArmStatistics,
    Normal,
    PatternPosterior,
    PatternPrior,
    clipped,
    pattern_posterior,
)

WARM_UP: Final = 5
"""So many operations stay on the baseline before anything is tried: they give the scale of rewards."""
RE_ESTIMATE_EVERY: Final = 20
"""Operations between estimates of what patterns have in common: fewer at the start, more when many are known."""
PASSES: Final = 3
"""Of the estimation, each time: it starts from the last estimates, but at first those are far off."""
ENOUGH_VISITS: Final = 8
"""Patterns with fewer are not spoken of."""


class Alarm(NamedTuple):
    """A change that was noticed; `pattern` is None when it was the arm's as a whole."""

    at: int
    arm: int
    pattern: int | None
    direction: Direction
    quarantined: bool


class Claim(NamedTuple):
    pattern: int
    arm: int
    told: PatternLift


class _Pattern:
    """What is kept of one pattern."""

    __slots__ = ("guards", "near", "prior", "quarantines", "seen", "visits")

    def __init__(self, prior: list[Normal]) -> None:
        self.seen: dict[int, ArmStatistics] = {}
        self.guards: dict[int, PairGuard] = {}
        self.quarantines: dict[int, Quarantine] = {}
        self.near: Neighbourhood = ()
        self.prior = prior
        self.visits = 0


class Learner:
    """`arms` candidates numbered from 0, one of them the baseline. Patterns are numbers that the caller gives.

    `unit` is what an operation on the baseline is worth, for the loss budget; `beta_prior` what sister models know
    (`pooling.sisters_prior`); `pessimism` how many prior standard deviations a candidate is expected below the
    baseline.
    """

    def __init__(
        self,
        arms: int,
        baseline: int,
        config: PolicyConfig | None = None,
        *,
        unit: float = 1.0,
        beta_prior: Sequence[Normal] | None = None,
        pessimism: float = 0.5,
    ) -> None:
        self.arms, self.baseline = arms, baseline
        self.config = (config or PolicyConfig()).checked()
        self.effectiveness = Effectiveness()
        self.alarms: list[Alarm] = []
        self.operations = 0
        self.pooled: Pooled | None = None
        self._unit, self._beta_prior, self._pessimism = unit, beta_prior, pessimism
        self._patterns: dict[int, _Pattern] = {}
        self._arm_guards = [ArmGuard() for _ in range(arms)]
        self._arm_quarantines = [Quarantine()] * arms
        self._all = ArmStatistics()
        self._spent = 0.0
        self._estimate_at = WARM_UP
        self._residuals: dict[int, dict[int, Residual]] = {}
        self._omega = 0.0
        self._archived: tuple[Matrix, list[float]] = ([[0.0] * arms for _ in range(arms)], [0.0] * arms)

    def recommend(self, pattern: int, seed: int, near: Neighbourhood | None = None) -> Choice:
        """`near`: the similar patterns of one that was not met yet."""
        if self.pooled is None:
            return Choice(self.baseline, 1.0, 1.0)
        believed = self.believed(pattern, near)
        return choose(believed, self.baseline, self.config, Random(seed), self._refused(pattern, believed))  # noqa: S311

    def believed(self, pattern: int, near: Neighbourhood | None = None) -> PatternPosterior:
        """The posterior of a pattern; needs `WARM_UP` operations before."""
        pooled = self._known()
        kept = self._patterns.get(pattern)
        gamma = kept.prior if kept and kept.prior else self._gamma_prior(near or ())
        seen = kept.seen if kept else {}
        noise = list(pooled.noise)
        for arm, statistics in seen.items():
            noise[arm] = pooling.pair_noise(noise[arm], statistics)
        effects = [
            Normal(beta.mean + mean, variance)
            for beta, (mean, variance) in zip(pooled.beta, gamma, strict=True)
        ]
        return pattern_posterior(
            PatternPrior(pooled.level, effects, [each.variance for each in pooled.beta], noise), seen
        )

    def learn(
        self, pattern: int, choice: Choice, reward: float | None, near: Neighbourhood | None = None
    ) -> list[Alarm]:
        """Takes one outcome in; None teaches nothing. Gives the alarms it raised."""
        if reward is None:
            return []
        self.operations += 1
        kept = self._patterns.get(pattern)
        if kept is None:
            kept = self._patterns[pattern] = _Pattern(self._gamma_prior(near or ()) if self.pooled else [])
        if near is not None:
            kept.near = near
        kept.visits += 1
        alarms: list[Alarm] = []
        if self.pooled is None:
            kept.seen.setdefault(choice.arm, ArmStatistics()).record(reward)
            self._all.record(reward)
            self.effectiveness.record(reward, True, reward, 1.0)
        else:
            alarms = self._learn(pattern, kept, choice, reward)
        if self.operations >= self._estimate_at:
            self.re_estimate()
        return alarms

    def re_estimate(self) -> None:
        """The common effects, the variances and what neighbours tell, anew from all patterns."""
        done = self.operations
        self._estimate_at = done + max(min(RE_ESTIMATE_EVERY, done // 3), done // 50)
        if self.pooled is None:
            self.pooled = pooling.first_guess(self._all, self.arms, self.baseline, self._pessimism)
        evidence = {pattern: kept.seen for pattern, kept in self._patterns.items()}
        priors = {pattern: kept.prior for pattern, kept in self._patterns.items() if kept.prior}
        for _ in range(PASSES):
            self.pooled = pooling.estimate(
                evidence,
                self.pooled,
                self.baseline,
                gamma_priors=priors,
                beta_prior=self._beta_prior,
                archived=self._archived,
                pessimism=self._pessimism,
            )
        self._residuals = {
            pattern: pooling.residuals(seen, self.pooled) for pattern, seen in evidence.items()
        }
        told_of = {
            pattern: neighbours.told(kept.near, self._residuals) for pattern, kept in self._patterns.items()
        }
        self._omega = neighbours.usefulness(told_of, self._residuals)
        for pattern, kept in self._patterns.items():
            kept.prior = neighbours.effect_priors(self.pooled.gamma, told_of[pattern], self._omega)

    def claims(self) -> list[Claim]:
        """Of each pattern with enough visits its leading arm, where that is not the baseline."""
        claims = []
        for pattern, kept in self._patterns.items():
            if self.pooled is None or kept.visits < ENOUGH_VISITS or not kept.seen:
                continue
            believed = self.believed(pattern)
            arm = max(kept.seen, key=lambda each: believed.effects[each].mean)
            if arm != self.baseline:
                claims.append(Claim(pattern, arm, pattern_lift(believed.lift(arm, self.baseline))))
        return claims

    def gain(self, pattern: int) -> float:
        """By how much a pattern's own outcomes let it do better than with what is known without them."""
        kept = self._patterns.get(pattern)
        if kept is None or self.pooled is None:
            return 0.0
        effects = [each.mean for each in self.believed(pattern).effects]
        expected = [beta.mean + own.mean for beta, own in zip(self.pooled.beta, kept.prior, strict=True)]
        return max(effects) - effects[max(range(self.arms), key=expected.__getitem__)]

    @property
    def typical_gain(self) -> float:
        """The standard deviation of the arms' effects within a pattern; 0 before anything is known."""
        return sqrt(self.pooled.gamma_common) if self.pooled else 0.0

    def forget(self, pattern: int, into: int | None = None) -> None:
        """Lets a pattern go. Its evidence is merged into pattern `into`, or else folded into what is
        known of the arms in general."""
        kept = self._patterns.pop(pattern, None)
        self._residuals.pop(pattern, None)
        if kept is None or self.pooled is None:
            return
        if into is not None and into in self._patterns:
            heir = self._patterns[into]
            for arm, statistics in kept.seen.items():
                heir.seen.setdefault(arm, ArmStatistics()).merge(statistics)
            return
        matrix, vector = pooling.normal_equations(kept.seen, self.pooled, kept.prior)
        kept_matrix, kept_vector = self._archived
        for row, added in zip(kept_matrix, matrix, strict=True):
            row[:] = map(float.__add__, row, added)
        kept_vector[:] = map(float.__add__, kept_vector, vector)

    def statistics(self, pattern: int) -> Mapping[int, ArmStatistics]:
        kept = self._patterns.get(pattern)
        return kept.seen if kept else {}

    def _learn(self, pattern: int, kept: _Pattern, choice: Choice, reward: float) -> list[Alarm]:
        believed, arm, noise = self.believed(pattern), choice.arm, self._known().noise
        seen = kept.seen.setdefault(arm, ArmStatistics())
        own_noise = pooling.pair_noise(noise[arm], seen) if seen.n else noise[arm]
        prediction = believed.prediction(arm, own_noise)
        on_baseline = arm == self.baseline
        expected = believed.level.mean + believed.effects[self.baseline].mean
        if choice.baseline_propensity > 0:
            self.effectiveness.record(reward, on_baseline, expected, choice.baseline_propensity)
        if not on_baseline:
            self._spent += expected - reward
        outcome = clipped(reward, prediction)
        residual = (reward - prediction.mean) / sqrt(prediction.variance)
        seen.record(outcome)
        self._all.record(outcome)
        alarms = []
        guard = kept.guards.setdefault(arm, PairGuard())
        if direction := guard.record(outcome, residual):
            kept.seen[arm] = guard.since(direction)
            kept.guards[arm] = PairGuard()
            alarms.append(self._alarm(pattern, arm, direction))
        if direction := self._arm_guards[arm].record(pattern, outcome, residual):
            self._keep_since(arm, direction)
            alarms.append(self._alarm(None, arm, direction))
        self.alarms += alarms
        return alarms

    def _keep_since(self, arm: int, direction: Direction) -> None:
        """Drops what the arm showed before it changed, in every pattern."""
        since = self._arm_guards[arm].since(direction)
        self._arm_guards[arm] = ArmGuard()
        for pattern, kept in self._patterns.items():
            if arm in kept.seen:
                kept.guards.pop(arm, None)
                if pattern in since:
                    kept.seen[arm] = since[pattern]
                else:
                    del kept.seen[arm]

    def _alarm(self, pattern: int | None, arm: int, direction: Direction) -> Alarm:
        quarantined = False
        if arm != self.baseline:
            self.re_estimate()
            if pattern is None:
                common = self._known().beta[arm]
                quarantined = common.mean < sqrt(common.variance)
                if quarantined:
                    self._arm_quarantines[arm] = self._arm_quarantines[arm].again(self.operations)
            else:
                quarantined = self.believed(pattern).lift(arm, self.baseline).mean < 0
                if quarantined:
                    kept = self._patterns[pattern]
                    kept.quarantines[arm] = kept.quarantines.get(arm, Quarantine()).again(kept.visits)
        return Alarm(self.operations, arm, pattern, direction, quarantined)

    def _refused(self, pattern: int, believed: PatternPosterior) -> set[int]:
        kept = self._patterns.get(pattern)
        refused = {
            arm for arm, quarantine in enumerate(self._arm_quarantines) if quarantine.holds(self.operations)
        }
        if kept:
            refused |= {arm for arm, quarantine in kept.quarantines.items() if quarantine.holds(kept.visits)}
        if self.config.loss_budget is not None:
            refused |= {
                arm
                for arm in range(self.arms)
                if overdraws(
                    believed.lift(arm, self.baseline), self._spent, self.operations, self.config, self._unit
                )
            }
        return refused

    def _gamma_prior(self, near: Neighbourhood) -> list[Normal]:
        return neighbours.effect_priors(
            self._known().gamma, neighbours.told(near, self._residuals), self._omega
        )

    def _known(self) -> Pooled:
        if self.pooled is None:
            raise ValueError(f"nothing is known before {WARM_UP} operations on the baseline")
        return self.pooled
