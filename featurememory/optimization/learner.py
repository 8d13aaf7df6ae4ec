"""The learning of one (model, operation type): recommends arms for patterns, learns from what came of them.

No clock, no lock, no I/O. `recommend` changes nothing, so that a past recommendation can be had again from the state
and the seed of that time. `re_estimate` is the only slow part, and meant for the background: it is due when
`is_due` says so.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from math import sqrt
from random import Random
from typing import Any, Final, NamedTuple

from featurememory.optimization import pooling
from featurememory.optimization.arms import ArmBook
from featurememory.optimization.effectiveness import ENOUGH, Effectiveness, PatternLift, pattern_lift
from featurememory.optimization.estimate import Estimate
from featurememory.optimization.guard import ArmGuard, Direction, PairGuard
from featurememory.optimization.lifecycle import Change, Status, after_alarm, after_outcome
from featurememory.optimization.neighbours import Neighbourhood
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
from featurememory.optimization.records import PatternRecord

WARM_UP: Final = 5
"""So many operations stay on the baseline before anything is tried: they give the scale of rewards."""
RE_ESTIMATE_EVERY: Final = 20
"""Operations between estimates of what patterns have in common: fewer at the start, more when many are known."""
PASSES: Final = 3
"""Of the estimation, each time: it starts from the last estimates, but at first those are far off."""
ENOUGH_VISITS: Final = 8
"""Patterns with fewer are not spoken of."""
ENOUGH_TRIALS: Final = 4
"""An arm with fewer in a pattern is neither promoted nor shut out there by what they showed."""
UNKNOWN: Final = -1
"""The pattern of what is like no pattern yet."""


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


class Lesson(NamedTuple):
    """What one outcome led to. `expected`: the reward that the baseline was expected to have."""

    alarms: Sequence[Alarm] = ()
    changes: Sequence[Change] = ()
    expected: float | None = None


class Learner:
    """`arms` candidates numbered from 0, one of them the `baseline` that all are measured against; callers may have
    another one of them as theirs. Patterns are numbers that the caller gives.

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
        beta_prior: Sequence[Normal | None] = (),
        pessimism: float = 0.5,
    ) -> None:
        self.baseline = baseline
        self.config = (config or PolicyConfig()).checked()
        self.book = ArmBook(arms, beta_prior)
        self.effectiveness = Effectiveness()
        self.operations = 0
        self.estimate: Estimate | None = None
        self.records: dict[int, PatternRecord] = {}
        self.changed: set[int] = set()
        """Patterns whose record was changed; whoever keeps them elsewhere clears it."""
        self._unit, self._pessimism = unit, pessimism
        self._all = ArmStatistics()
        self._spent = 0.0
        self.estimate_at = WARM_UP

    @property
    def arms(self) -> int:
        return len(self.book)

    @property
    def pooled(self) -> Pooled | None:
        return None if self.estimate is None else self.estimate.pooled

    @property
    def is_due(self) -> bool:
        """Whether there is enough new to estimate anew."""
        return self.operations >= self.estimate_at

    @property
    def pairs(self) -> int:
        """Of pattern and arm, that were seen: what an estimate costs grows with them."""
        return sum(len(record.seen) for record in self.records.values())

    def recommend(
        self,
        pattern: int,
        seed: int,
        near: Neighbourhood | None = None,
        *,
        baseline: int | None = None,
        among: Collection[int] | None = None,
    ) -> Choice:
        """`near`: the similar patterns of one that was not met yet. `among`: the arms to choose from beside the
        baseline, where not all will do."""
        baseline = self.baseline if baseline is None else baseline
        if self.estimate is None:
            return Choice(baseline, 1.0, 1.0, baseline)
        believed = self.believed(pattern, near)
        refused = self.refused(pattern, believed, baseline)
        if among is not None:
            refused |= set(range(self.arms)) - set(among)
        preferred = self.preferred(pattern)
        return choose(believed, baseline, self.config, Random(seed), refused, preferred)  # noqa: S311

    def believed(self, pattern: int, near: Neighbourhood | None = None) -> PatternPosterior:
        """The posterior of a pattern; needs `WARM_UP` operations before."""
        estimate = self._known()
        pooled = estimate.pooled
        record = self.records.get(pattern)
        gamma = record.prior(estimate) if record else estimate.effect_priors(near or ())
        seen = record.seen if record else {}
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

    def refused(self, pattern: int, believed: PatternPosterior, baseline: int | None = None) -> set[int]:
        """The arms that the pattern must not get now."""
        baseline = self.baseline if baseline is None else baseline
        record = self.records.get(pattern)
        refused = {arm for arm in range(self.arms) if self.is_shut_out(arm)}
        if record:
            refused |= record.shut_out
        if self.config.loss_budget is not None:
            refused |= {
                arm
                for arm in range(self.arms)
                if overdraws(
                    believed.lift(arm, baseline), self._spent, self.operations, self.config, self._unit
                )
            }
        return refused

    def preferred(self, pattern: int) -> int | None:
        """The arm that an operator promoted in the pattern, where one did."""
        record = self.records.get(pattern)
        return record.preferred if record else None

    def is_shut_out(self, arm: int) -> bool:
        """From every pattern."""
        return self.book.is_shut_out(arm, self.operations)

    def learn(
        self, pattern: int, choice: Choice, reward: float | None, near: Neighbourhood | None = None
    ) -> Lesson:
        """Takes one outcome in; None teaches nothing."""
        if reward is None:
            return Lesson()
        self.operations += 1
        self.changed.add(pattern)
        record = self._record(pattern)
        if near is not None:
            record.near = near
        record.visits += 1
        if self.estimate is not None:
            return self._learn(pattern, record, choice, reward)
        record.statistics(choice.arm).record(reward)
        self._all.record(reward)
        if choice.arm == choice.baseline and choice.baseline_propensity:
            self.effectiveness.record(reward, True, reward, 1.0)
        return Lesson((), self._judged(record, choice, None))

    def re_estimate(self) -> None:
        """The common effects, the variances and what neighbours tell, anew from all patterns."""
        done = self.operations
        self.estimate_at = done + max(min(RE_ESTIMATE_EVERY, done // 3), done // 50)
        before = self.estimate or Estimate(
            pooling.first_guess(self._all, self.arms, self.baseline, self._pessimism), {}
        )
        self.records = dict(sorted(self.records.items()))  # sums come out the same, whoever was read when
        evidence = {pattern: record.seen for pattern, record in self.records.items()}
        priors = {pattern: record.prior(before) for pattern, record in self.records.items()}
        pooled = before.pooled
        for _ in range(PASSES):
            pooled = pooling.estimate(
                evidence,
                pooled,
                self.baseline,
                gamma_priors=priors,
                beta_prior=self.book.beta_prior,
                archived=self.book.archived,
                pessimism=self._pessimism,
            )
        near = {pattern: record.near for pattern, record in self.records.items()}
        self.estimate = Estimate.of(pooled, evidence, near)

    def claims(self) -> list[Claim]:
        """Of each pattern with enough visits its leading arm, where that is not the baseline."""
        claims = []
        for pattern, record in self.records.items():
            if self.estimate is None or record.visits < ENOUGH_VISITS or not record.seen:
                continue
            believed = self.believed(pattern)
            arm = max(record.seen, key=lambda each: believed.effects[each].mean)
            if arm != self.baseline:
                claims.append(Claim(pattern, arm, pattern_lift(believed.lift(arm, self.baseline))))
        return claims

    def gain(self, pattern: int) -> float:
        """By how much a pattern's own outcomes let it do better than with what is known without them."""
        record = self.records.get(pattern)
        if record is None or self.estimate is None:
            return 0.0
        return self._gain(record, self.believed(pattern))

    @property
    def typical_gain(self) -> float:
        """The standard deviation of the arms' effects within a pattern; 0 before anything is known."""
        return sqrt(self.estimate.pooled.gamma_common) if self.estimate else 0.0

    def forget(self, pattern: int, into: int | None = None) -> None:
        """Lets a pattern go. Its evidence is merged into pattern `into`, or else folded into what is
        known of the arms in general."""
        record = self.records.pop(pattern, None)
        self.book.forget(pattern)
        if record is None:
            return
        heir = None if into is None else self.records.get(into)
        if into is not None and heir is not None:
            self.changed.add(into)
            heir.visits += record.visits
            for arm, statistics in record.seen.items():
                heir.statistics(arm).merge(statistics)
                heir.standing.setdefault(arm, Status.ACTIVE)
        elif self.estimate is not None:
            prior = record.prior(self.estimate)
            self.book.archive(*pooling.normal_equations(record.seen, self.estimate.pooled, prior))

    def take_over(self, pattern: int, arm: int, seen: ArmStatistics) -> None:
        """Adds what somebody else has seen of an arm in a pattern."""
        record = self._record(pattern)
        record.statistics(arm).merge(seen)
        record.visits += seen.n
        if record.status(arm) is Status.CANDIDATE and arm != self.baseline:
            record.standing[arm] = Status.ACTIVE
        self._all.merge(seen)
        self.operations += seen.n
        self.changed.add(pattern)

    def add_arm(self) -> int:
        """One more candidate, of which nothing is known; gives its number."""
        if self.estimate is not None:
            self.estimate = self.estimate.with_arm(self._pessimism)
        return self.book.add()

    def clear_arm(self, arm: int) -> None:
        """Lets go of all that is known of an arm, and shuts it out until `book.fill`."""
        self.changed |= {pattern for pattern, record in self.records.items() if record.drop(arm)}
        self.book.clear(arm)
        if self.estimate is not None:
            self.estimate = self.estimate.without(arm, self._pessimism)

    def order(self, pattern: int, arm: int, status: Status) -> list[Change]:
        """An operator's word on an arm in a pattern; it holds until his next, but for a promotion that the outcomes
        take back."""
        record = self._record(pattern)
        self.changed.add(pattern)
        return record.order(arm, status)

    def statistics(self, pattern: int) -> Mapping[int, ArmStatistics]:
        record = self.records.get(pattern)
        return record.seen if record else {}

    def snapshot(self) -> dict[str, Any]:
        """All but the records and the estimate, which have snapshots of their own; as JSON keeps it, floats
        exactly."""
        return {
            "baseline": self.baseline,
            "operations": self.operations,
            "effectiveness": self.effectiveness.snapshot(),
            "all": self._all.snapshot(),
            "spent": self._spent,
            "estimate_at": self.estimate_at,
            "book": self.book.snapshot(),
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Takes over what `snapshot` gave."""
        self.baseline = snapshot["baseline"]
        self.operations, self._spent = snapshot["operations"], snapshot["spent"]
        self.effectiveness = Effectiveness(snapshot["effectiveness"])
        self._all = ArmStatistics(*snapshot["all"])
        self.estimate_at = snapshot["estimate_at"]
        self.book = ArmBook.restored(snapshot["book"])

    def _learn(self, pattern: int, record: PatternRecord, choice: Choice, reward: float) -> Lesson:
        believed, arm, noise = self.believed(pattern), choice.arm, self._known().pooled.noise
        seen = record.statistics(arm)
        own_noise = pooling.pair_noise(noise[arm], seen) if seen.n else noise[arm]
        prediction = believed.prediction(arm, own_noise)
        on_baseline = arm == choice.baseline
        expected = believed.level.mean + believed.effects[choice.baseline].mean
        if choice.baseline_propensity > 0:
            self.effectiveness.record(reward, on_baseline, expected, choice.baseline_propensity)
        if not on_baseline:
            self._spent += expected - reward
        outcome = clipped(reward, prediction)
        residual = (reward - prediction.mean) / sqrt(prediction.variance)
        seen.record(outcome)
        self._all.record(outcome)
        record.gain = self._gain(record, believed)
        changes = self._judged(record, choice, believed)
        alarms = []
        guard = record.guards.setdefault(arm, PairGuard())
        if direction := guard.record(outcome, residual):
            record.seen[arm] = guard.since(direction)
            record.guards[arm] = PairGuard()
            alarms.append(self._pair_alarm(record, choice, direction, changes))
        if direction := self.book.guards[arm].record(pattern, outcome, residual):
            self._keep_since(arm, direction)
            alarms.append(self._arm_alarm(arm, direction))
            if direction == "down":
                changes += self._taken_back(arm)
        return Lesson(alarms, changes, expected)

    def _judged(
        self, record: PatternRecord, choice: Choice, believed: PatternPosterior | None
    ) -> list[Change]:
        """What an outcome changes about the standing of its arm, and of those whose quarantine is over."""
        changes, arm = record.end_quarantines(), choice.arm
        if arm == choice.baseline:
            return changes
        lift = None
        if believed is not None and self._is_known(record, arm):
            lift = pattern_lift(believed.lift(arm, choice.baseline))
        move = after_outcome(record.status(arm), lift, is_ordered=record.preferred == arm)
        return changes + record.move(arm, move)

    def _is_known(self, record: PatternRecord, arm: int) -> bool:
        """Whether there is enough to judge an arm in a pattern by: the variances are estimates, too."""
        return (
            self.operations >= ENOUGH
            and record.visits >= ENOUGH_VISITS
            and record.seen[arm].n >= ENOUGH_TRIALS
        )

    def _keep_since(self, arm: int, direction: Direction) -> None:
        """Drops what the arm showed before it changed, in every pattern."""
        since = self.book.guards[arm].since(direction)
        self.book.guards[arm] = ArmGuard()
        for pattern, record in self.records.items():
            if arm in record.seen:
                self.changed.add(pattern)
                record.guards.pop(arm, None)
                if pattern in since:
                    record.seen[arm] = since[pattern]
                else:
                    del record.seen[arm]

    def _pair_alarm(
        self, record: PatternRecord, choice: Choice, direction: Direction, changes: list[Change]
    ) -> Alarm:
        arm, quarantined = choice.arm, False
        if arm != choice.baseline:
            is_worse = self.believed(record.pattern).lift(arm, choice.baseline).mean < 0
            move = after_alarm(record.status(arm), is_worse_than_baseline=is_worse)
            quarantined = move is not None and move[0] is Status.QUARANTINED
            if quarantined or direction == "down":
                changes += record.move(arm, move)
        return Alarm(self.operations, arm, record.pattern, direction, quarantined)

    def _arm_alarm(self, arm: int, direction: Direction) -> Alarm:
        quarantined = False
        if arm != self.baseline:
            self.re_estimate()
            common = self._known().pooled.beta[arm]
            quarantined = common.mean < sqrt(common.variance)
            if quarantined:
                self.book.shut_out(arm, self.operations)
        return Alarm(self.operations, arm, None, direction, quarantined)

    def _taken_back(self, arm: int) -> list[Change]:
        """Its promotions, in whatever pattern: none survives a fall of its outcomes everywhere."""
        changes = []
        for pattern, record in self.records.items():
            if record.status(arm) is Status.PROMOTED:
                move = after_alarm(Status.PROMOTED, is_worse_than_baseline=False)
                changes += record.move(arm, move)
                self.changed.add(pattern)
        return changes

    def _record(self, pattern: int) -> PatternRecord:
        return self.records.setdefault(pattern, PatternRecord(pattern))

    def _gain(self, record: PatternRecord, believed: PatternPosterior) -> float:
        estimate = self._known()
        effects = [each.mean for each in believed.effects]
        prior = record.prior(estimate)
        expected = [beta.mean + own.mean for beta, own in zip(estimate.pooled.beta, prior, strict=True)]
        return max(effects) - effects[max(range(self.arms), key=expected.__getitem__)]

    def _known(self) -> Estimate:
        if self.estimate is None:
            raise ValueError(f"nothing is known before {WARM_UP} operations on the baseline")
        return self.estimate
