"""The learning of one (operation_type, model) as it meets the world: which operations teach, and how much.

Plain: takes what became of operations, gives what that led to. A run of failures teaches nothing until a later
success shows that it was the parameters' doing: while a model is away all of them fail, whatever was tried.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from math import exp
from typing import Any, Final, NamedTuple

from featurememory.optimization.effectiveness import Effectiveness
from featurememory.optimization.learner import Learner, Lesson
from featurememory.optimization.lifecycle import Change
from featurememory.optimization.neighbours import Neighbourhood
from featurememory.optimization.policy import Choice, PolicyConfig
from featurememory.optimization.posterior import ArmStatistics
from featurememory.optimization.reward import Aim, Objective, RewardScale

OUTAGE_RUN: Final = 20
"""So many failures in a row are an outage, even where no breaker sees it."""


class Trial(NamedTuple):
    """One operation that is over. Moments are seconds since the Unix epoch. `token` is the caller's, to know it again
    by; `is_outage` says that its breaker did not stand closed."""

    token: str
    pattern: int
    choice: Choice
    outcome: str
    started_at: float
    duration_ms: float
    score: float | None = None
    near: Neighbourhood | None = None
    is_outage: bool = False

    @property
    def ended_at(self) -> float:
        return self.started_at + self.duration_ms / 1_000


class Taught(NamedTuple):
    """What a trial taught, once it did."""

    trial: Trial
    reward: float
    lesson: Lesson


class Study:
    """One learner, the scale of its rewards, and the failures that are not understood yet.

    `objective` None: the score where the first operation that teaches has one, else the duration.
    """

    def __init__(self, objective: Objective | None = None, config: PolicyConfig | None = None) -> None:
        self.learner = Learner(1, 0, config)
        self.scale = RewardScale(objective) if objective else None
        self.time = Effectiveness()
        """Milliseconds saved, as `Learner.effectiveness` is of rewards."""
        self._baseline_ms = ArmStatistics()
        self._failures: list[Trial] = []
        self._is_outage = False

    @property
    def aim(self) -> Aim | None:
        """None before the first operation has shown it."""
        return self.scale.objective.aim if self.scale else None

    def recommend(
        self,
        pattern: int,
        seed: int,
        near: Neighbourhood | None = None,
        *,
        baseline: int = 0,
        among: Collection[int] | None = None,
    ) -> Choice:
        """As Learner.recommend; changes nothing."""
        return self.learner.recommend(pattern, seed, near, baseline=baseline, among=among)

    def take(self, trial: Trial) -> list[Taught]:
        """What the trial teaches now, and the failures before it that it sheds light on."""
        if trial.outcome not in ("success", "error", "timeout"):
            return []
        if trial.is_outage:
            self.give_up_failures()
            return []
        if trial.outcome != "success":
            self._put_by(trial)
            return []
        taught = self._understand_failures(trial.started_at)
        if self.scale is None:
            self.scale = RewardScale(Objective("duration" if trial.score is None else "score"))
        reward = self.scale.reward("success", trial.duration_ms, trial.score)
        if reward is not None:
            taught.append(self._teach(trial, reward))
        return taught

    def give_up_failures(self) -> None:
        """Those not understood yet were an outage's."""
        self._failures.clear()

    def clear_arm(self, arm: int) -> None:
        """Lets go of all that is known of an arm, whose number is free then."""
        self._failures = [
            each for each in self._failures if arm not in (each.choice.arm, each.choice.baseline)
        ]
        self.learner.clear_arm(arm)

    def snapshot(self) -> dict[str, Any]:
        """As JSON keeps it, floats exactly; without the learner's records and its estimate."""
        return {
            "learner": self.learner.snapshot(),
            "objective": self.scale and self.scale.objective,
            "worst": self.scale and self.scale.worst,
            "time": self.time.snapshot(),
            "baseline_ms": self._baseline_ms.snapshot(),
            "failures": self._failures,
            "is_outage": self._is_outage,
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Takes over what `snapshot` gave."""
        self.learner.restore(snapshot["learner"])
        objective = snapshot["objective"]
        self.scale = RewardScale(Objective(*objective), snapshot["worst"]) if objective else None
        self.time = Effectiveness(snapshot["time"])
        self._baseline_ms = ArmStatistics(*snapshot["baseline_ms"])
        self._failures = [_trial(each) for each in snapshot["failures"]]
        self._is_outage = snapshot["is_outage"]

    def _put_by(self, failure: Trial) -> None:
        if self._is_outage:
            return
        self._failures.append(failure)
        if len(self._failures) >= OUTAGE_RUN:
            self._is_outage = True
            self._failures.clear()

    def _understand_failures(self, success_began: float) -> list[Taught]:
        """Failures that were over before a success began were not the model's."""
        understood = [each for each in self._failures if each.ended_at <= success_began]
        self._failures = [each for each in self._failures if each.ended_at > success_began]
        self._is_outage = False
        taught = []
        for failure in understood:
            reward = None if self.scale is None else self.scale.reward(failure.outcome)
            if reward is not None:
                taught.append(self._teach(failure, reward))
        return taught

    def _teach(self, trial: Trial, reward: float) -> Taught:
        choice = trial.choice
        lesson = self.learner.learn(trial.pattern, choice, reward, trial.near)
        on_baseline = choice.arm == choice.baseline
        if choice.baseline_propensity > 0:
            expected = trial.duration_ms if lesson.expected is None else self._expected_ms(lesson.expected)
            propensity = 1.0 if lesson.expected is None else choice.baseline_propensity
            self.time.record(-trial.duration_ms, on_baseline, -expected, propensity)
        if on_baseline:
            self._baseline_ms.record(trial.duration_ms)
        return Taught(trial, reward, lesson)

    def _expected_ms(self, expected: float) -> float:
        """How long the baseline was expected to take, `expected` being its reward."""
        return exp(-expected) if self.aim == "duration" else self._baseline_ms.mean


def changes_of(taught: list[Taught]) -> list[Change]:
    """What became of optimizations, in order."""
    return [change for each in taught for change in each.lesson.changes]


def _trial(values: list[Any]) -> Trial:
    token, pattern, choice, outcome, started_at, duration_ms, score, near, is_outage = values
    return Trial(
        token,
        pattern,
        Choice(*choice),
        outcome,
        started_at,
        duration_ms,
        score,
        None if near is None else tuple((other, weight) for other, weight in near),
        is_outage,
    )
