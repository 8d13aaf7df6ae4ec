"""Recommendations: the parameters that one operation should have, from what is believed at this moment.

What was believed, how was chosen and from which seed is kept, so that every recommendation can be asked why and be made
again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import transaction

from featurememory.core.errors import UnknownSpace
from featurememory.core.storage import find_pattern
from featurememory.errors import ResourceConstraintError, ValidationError
from featurememory.models import Arm, Belief, Recommendation, Study
from featurememory.models.optimization import ANY_INPUT
from featurememory.optimization import choosing
from featurememory.optimization.effectiveness import PatternLift, pattern_lift
from featurememory.optimization.learner import UNKNOWN
from featurememory.optimization.neighbours import Neighbourhood, neighbourhood
from featurememory.optimization.parameters import Parameters, checked
from featurememory.optimization.posterior import PatternPosterior
from featurememory.optimization.registry import MAX_ARMS, KnownStudy, studies
from featurememory.optimization.storage import StudyKey, lock_or_make_study
from featurememory.optimization.why import words

MAX_CANDIDATES = MAX_ARMS - 1


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody wants parameters for. The pattern: by its number, or by features of a space, or any input."""

    operation_type: str
    model: str
    baseline: Parameters
    candidates: Sequence[Parameters] | None = None
    """The sets to choose from beside the baseline; None: all that the study has."""
    pattern: int | None = None
    space: str = ""
    features: Sequence[float] | None = None

    @property
    def key(self) -> StudyKey:
        return self.operation_type, self.model

    def checked(self) -> None:
        """ValidationError names the field that is wrong."""
        checked(self.baseline, "baseline")
        if self.candidates is not None:
            if len(self.candidates) > MAX_CANDIDATES:
                raise _refused(
                    "candidates", "too_many", f"at most {MAX_CANDIDATES}, not {len(self.candidates)}"
                )
            for place, each in enumerate(self.candidates):
                checked(each, f"candidates.{place}", like=self.baseline)
        if self.pattern is not None and self.features is not None:
            raise _refused("pattern", "both", "either the pattern or features, not both")
        if self.features is not None and not self.space:
            raise _refused("space", "missing", "the features' space: its name goes with them")


class Place(NamedTuple):
    """Where the input belongs. `pattern` UNKNOWN: it is like none yet."""

    pattern: int
    near: Neighbourhood | None = None
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Recommended:
    """What is recommended. `effect` is what it is expected to gain over the baseline, None where nothing is known;
    `why` says it in words."""

    recommendation: Recommendation
    parameters: dict[str, Any]
    effect: PatternLift | None
    aim: str | None
    why: str
    belief: Belief | None = None
    arms: Mapping[int, dict[str, Any]] = field(default_factory=dict)
    """Parameters by arm key, of all that the belief speaks of."""


def recommend(question: Question, id: UUID, seed: int, now: datetime) -> Recommended:
    """In a transaction of its own. ValidationError, UnknownPattern; ResourceConstraintError where there
    is no room for another study, or for another baseline or candidate."""
    question.checked()
    place = _place(question)
    registry = studies()
    with transaction.atomic():
        row = lock_or_make_study(question.key, settings.CONFIGURATION.max_studies, now)
        if row is None:
            raise _full(question.key)
        with registry.changing([row]), registry.caught_up(row, is_locked=True) as known:
            return _Advice(question, place, row, known, now).give(id, seed)


class _Advice:
    def __init__(
        self, question: Question, place: Place, row: Study, known: KnownStudy, now: datetime
    ) -> None:
        self._question, self._place, self._row, self._known, self._now = question, place, row, known, now

    def give(self, id: UUID, seed: int) -> Recommended:
        baseline, among = self._arms()
        learner = self._known.study.learner
        pattern, near, confidence = self._place
        choice = self._known.study.recommend(pattern, seed, near, baseline=baseline, among=among)
        belief, believed, source = None, None, "baseline"
        if learner.estimate is not None:
            believed = learner.believed(pattern, near)
            thought = self._thought(believed, baseline)
            belief, source = self._kept(thought), thought.source(choice)
        recommendation = Recommendation.objects.create(
            id=id,
            study=self._row,
            belief=belief,
            pattern=None if pattern == UNKNOWN else pattern,
            confidence=confidence,
            arm=self._known.arms[choice.arm],
            baseline=self._known.arms[baseline],
            among=None if among is None else sorted(among),
            seed=seed,
            source=source,
            propensity=choice.propensity,
            baseline_propensity=choice.baseline_propensity,
            at=self._now,
        )
        is_baseline = choice.arm == baseline
        known = believed is not None and not is_baseline
        return Recommended(
            recommendation,
            dict(self._question.baseline if is_baseline else self._known.arms[choice.arm].parameters),
            pattern_lift(believed.lift(choice.arm, baseline)) if believed and known else None,
            self._known.study.aim,
            words(source, believed and believed.visits, learner.operations),
            belief,
            {arm.pk: arm.parameters for arm in self._known.arms.values()},
        )

    def _arms(self) -> tuple[int, set[int] | None]:
        """Numbers of the baseline and of the candidates to choose from; new ones are made."""
        question, before = self._question, dict(self._known.arms)
        baseline = self._number(question.baseline, Arm.Origin.BASELINE, "baseline")
        among = None
        if question.candidates is not None:
            among = {
                self._number(each, Arm.Origin.CALLER, f"candidates.{place}")
                for place, each in enumerate(question.candidates)
            }
        new = self._known.arms.keys() - before.keys()
        if new:
            self._known.keep(
                self._row, (), ((self._pattern, number) for number in new - {baseline}), self._now
            )
        return baseline, among

    @property
    def _pattern(self) -> int:
        return ANY_INPUT if self._place.pattern == UNKNOWN else self._place.pattern

    def _number(self, parameters: Parameters, origin: Arm.Origin, field: str) -> int:
        number = self._known.number_of(parameters)
        if number is None:
            number = self._known.add_arm(self._row, parameters, origin, self._now)
        if number is None:
            raise ResourceConstraintError(
                f"{field} would be one more than the {MAX_ARMS} parameter sets that {self._row} compares: retire one, "
                "or leave what changes with each operation (a prompt, a seed) out of the parameters.",
                resource="parameter sets",
                limit=MAX_ARMS,
                field=field,
            )
        return number

    def _thought(self, believed: PatternPosterior, baseline: int) -> choosing.Belief:
        learner, pattern, arms = self._known.study.learner, self._place.pattern, self._known.arms
        return choosing.Belief(
            believed,
            tuple(arms[number].pk if number in arms else None for number in range(learner.arms)),
            frozenset(learner.refused(pattern, believed, baseline)),
            learner.preferred(pattern),
            learner.config,
        )

    def _kept(self, thought: choosing.Belief) -> Belief:
        """What is believed now, kept once for as long as nothing is learned."""
        learner, pattern = self._known.study.learner, self._place.pattern
        if pattern in learner.records and learner.config.loss_budget is None:
            known = Belief.objects.filter(
                study=self._row, pattern=pattern, revision=self._row.revision
            ).first()
            if known is not None:
                return known
        return Belief.objects.create(
            study=self._row,
            pattern=None if pattern == UNKNOWN else pattern,
            revision=self._row.revision,
            content=thought.snapshot() | {"operations": learner.operations, "aim": self._known.study.aim},
            at=self._now,
        )


def _place(question: Question) -> Place:
    if question.pattern is not None:
        if question.pattern != ANY_INPUT:
            find_pattern(question.pattern)
        return Place(question.pattern)
    if question.features is None:
        return Place(ANY_INPUT)
    from featurememory.core.features import checked_features  # numpy, where there are features alone
    from featurememory.integration.spaces import spaces

    try:
        found = spaces().recognise(question.space, question.features)
    except UnknownSpace:
        checked_features(question.features)
        found = None
    if found is None:
        return Place(ANY_INPUT)
    pattern = UNKNOWN if found.pattern is None else found.pattern
    return Place(pattern, neighbourhood(found.others(found.pattern), found.threshold), found.confidence)


def _full(key: StudyKey) -> ResourceConstraintError:
    limit = settings.CONFIGURATION.max_studies
    return ResourceConstraintError(
        f"{limit} operation types and models are learned from already, so {key} cannot be: raise "
        "FEATUREMEMORY_MAX_STUDIES.",
        resource="studies",
        limit=limit,
    )


def _refused(field: str, code: str, message: str) -> ValidationError:
    return ValidationError(
        "The recommendation cannot be made.", [{"field": field, "code": code, "message": message}]
    )
