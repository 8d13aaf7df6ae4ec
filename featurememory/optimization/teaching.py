"""What ingestion teaches: operations that are over lead to outcomes of arms, in the transaction that stores them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from json import loads
from typing import Any, NamedTuple
from uuid import UUID

from featurememory.errors import ValidationError
from featurememory.models import Belief, Recommendation, Study
from featurememory.models.optimization import ANY_INPUT
from featurememory.optimization.lifecycle import Cause, Status
from featurememory.optimization.neighbours import Neighbourhood
from featurememory.optimization.parameters import checked
from featurememory.optimization.policy import Choice
from featurememory.optimization.registry import KnownStudy, StudyRegistry
from featurememory.optimization.storage import Move, StudyKey
from featurememory.optimization.study import Taught, Trial, changes_of

INLINE_PAIRS = 400
"""Pairs of pattern and arm that are estimated anew at once (some 6 ms); beyond, a job does it."""


class LocalChoice(NamedTuple):
    """A recommendation that a caller's own process made from a belief it was given. Arms by their keys."""

    belief: int
    seed: int
    arm: int
    baseline: int
    propensity: float
    baseline_propensity: float
    source: str


class Told(NamedTuple):
    """An operation that is over, as far as it can teach. `parameters`: JSON as it came; `started_at` in seconds since
    the Unix epoch; `near` and `pattern` as recognition found them."""

    id: UUID
    key: StudyKey
    parameters: str
    outcome: str
    started_at: float
    duration_ms: float
    score: float | None
    recommendation: UUID | None
    choice: LocalChoice | None
    pattern: int | None
    near: Neighbourhood | None
    is_outage: bool


def learn_from(registry: StudyRegistry, rows: Iterable[Study], told: Sequence[Told], now: datetime) -> None:
    """Teaches the studies in `rows`, whose locks the caller's transaction holds; who rolls it back has the registry
    forget them."""
    by_key: dict[StudyKey, list[Told]] = {}
    for each in told:
        by_key.setdefault(each.key, []).append(each)
    for row in rows:
        if of_study := by_key.get((row.operation_type, row.model)):
            with registry.caught_up(row, is_locked=True) as known:
                _Lessons(row, known, now).take(of_study)


class _Lessons:
    """What a transaction teaches one study."""

    def __init__(self, row: Study, known: KnownStudy, now: datetime) -> None:
        self._row, self._known, self._now = row, known, now
        self._numbers = {arm.pk: number for number, arm in known.arms.items()}

    def take(self, told: Sequence[Told]) -> None:
        given = self._recommendations(told)
        taught: list[Taught] = []
        is_touched = False
        for each in told:
            given_to = given.get(each.recommendation) if each.recommendation else None
            choice = self._choice(each, given_to)
            if given_to is not None and given_to.operation is None:
                given_to.operation, given_to.outcome = each.id, each.outcome
            if choice is not None:
                pattern = each.pattern if each.pattern is not None else given_to.pattern if given_to else None
                trial = _trial(each, choice, ANY_INPUT if pattern is None else pattern)
                taught += self._known.study.take(trial)
                is_touched = True
                if self._known.study.learner.is_due and self._is_small:
                    self._known.re_estimate(self._row)
        self._settle(given, taught)
        if is_touched:
            tried = {(each.trial.pattern, each.trial.choice.arm) for each in taught}
            self._known.keep(self._row, changes_of(taught), tried, self._now, moves=self._alarms(taught))

    @cached_property
    def _is_small(self) -> bool:
        """Whether an estimate need not wait for the job; counted once, since one that waits stays due."""
        return self._known.study.learner.pairs <= INLINE_PAIRS

    def _recommendations(self, told: Sequence[Told]) -> dict[UUID, Recommendation]:
        """Those that the operations followed, by id; what callers chose by themselves is noted here."""
        wanted = [each.recommendation for each in told if each.recommendation]
        if not wanted:
            return {}
        found = Recommendation.objects.select_for_update(of=("self",)).in_bulk(wanted)
        local = {
            each.recommendation: each for each in told if each.choice and each.recommendation not in found
        }
        if local:
            made = self._local(local)
            Recommendation.objects.bulk_create(made)
            found |= {each.id: each for each in made}
        return {id: each for id, each in found.items() if each.study_id == self._row.pk}

    def _local(self, told: Mapping[UUID | None, Told]) -> list[Recommendation]:
        beliefs = Belief.objects.filter(study=self._row).in_bulk(
            [each.choice.belief for each in told.values() if each.choice]
        )
        made = []
        for id, each in told.items():
            choice = each.choice
            if id is None or choice is None or choice.belief not in beliefs:
                continue
            if {choice.arm, choice.baseline} <= self._numbers.keys():
                belief = beliefs[choice.belief]
                made.append(
                    Recommendation(
                        id=id,
                        study=self._row,
                        belief=belief,
                        pattern=belief.pattern,
                        arm_id=choice.arm,
                        baseline_id=choice.baseline,
                        seed=choice.seed,
                        source=choice.source,
                        propensity=choice.propensity,
                        baseline_propensity=choice.baseline_propensity,
                        at=self._now,
                    )
                )
        return made

    def _choice(self, told: Told, given: Recommendation | None) -> Choice | None:
        """Which arm the operation tried, and how it came to; None where that is no arm of the study."""
        if given is not None:
            arm, baseline = self._numbers.get(given.arm_id), self._numbers.get(given.baseline_id)
            if arm is None or baseline is None:
                return None
            if given.operation not in (None, told.id):  # a second operation with the same recommendation
                return Choice(arm, 0.0, 0.0, baseline)
            return Choice(arm, given.propensity, given.baseline_propensity, baseline)
        arm = self._observed(told)
        return None if arm is None else Choice(arm, 0.0, 0.0, self._known.study.learner.baseline)

    def _observed(self, told: Told) -> int | None:
        try:
            parameters: Any = loads(told.parameters)
            arm = self._known.number_of(parameters)
            if arm is not None:
                return arm
            baseline = self._known.arms[self._known.study.learner.baseline].parameters
            checked(parameters, "parameters", like=baseline)
        except (ValueError, ValidationError, KeyError):
            return None
        return self._known.sight(self._row, parameters, self._now)

    def _settle(self, given: Mapping[UUID, Recommendation], taught: Sequence[Taught]) -> None:
        """Notes at each recommendation what came of it."""
        by_token = {str(each.id): each for each in given.values()}
        for each in taught:
            recommendation = by_token.get(each.trial.token)
            if recommendation is not None:
                recommendation.reward, recommendation.learned_at = each.reward, self._now
            elif each.trial.token:  # a failure that was put by in an earlier transaction
                Recommendation.objects.filter(pk=each.trial.token).update(
                    reward=each.reward, learned_at=self._now
                )
        if given:
            Recommendation.objects.bulk_update(
                given.values(), ["operation", "outcome", "reward", "learned_at"], batch_size=100
            )

    def _alarms(self, taught: Sequence[Taught]) -> list[Move]:
        """Arms that were shut out of all patterns."""
        return [
            Move(
                self._known.arms[alarm.arm].pk,
                None,
                Status.ACTIVE,
                Status.QUARANTINED,
                Cause.REGRESSED,
                {"operations": alarm.at},
            )
            for each in taught
            for alarm in each.lesson.alarms
            if alarm.pattern is None and alarm.quarantined and alarm.arm in self._known.arms
        ]


def _trial(told: Told, choice: Choice, pattern: int) -> Trial:
    return Trial(
        str(told.recommendation or ""),
        pattern,
        choice,
        told.outcome,
        told.started_at,
        told.duration_ms,
        told.score,
        told.near,
        told.is_outage,
    )
