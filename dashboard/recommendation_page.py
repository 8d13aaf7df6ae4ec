"""Why a recommendation was what it was: the candidates as they stood, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q

from dashboard.effects import Bar, Gain, Scale, gain
from dashboard.optimization_words import CAUSES, SOURCES
from dashboard.parameter_sets import ParameterSet, compared
from dashboard.words import OUTCOMES, Look
from featurememory.models import Operation, Optimization, OptimizationEvent, Recommendation
from featurememory.optimization.lifecycle import Status
from featurememory.optimization.why import Candidate, Reason, why


@dataclass(frozen=True, slots=True)
class CandidateRow:
    """One of the parameter sets that were to choose from. `refused`: why it could not be chosen, if it could not;
    `optimization`: its page's number, where it has one."""

    parameters: ParameterSet
    is_baseline: bool
    is_chosen: bool
    propensity: float
    gain: Gain | None
    bar: Bar | None
    refused: str
    optimization: int | None


@dataclass(frozen=True, slots=True)
class RecommendationPage:
    recommendation: Recommendation
    sentence: str
    source: str
    chosen: ParameterSet
    candidates: tuple[CandidateRow, ...]
    same_again: bool | None
    outcome: Look | None
    operation: Operation | None
    """What was done with it, if that is (still) stored."""


def read_recommendation_page(id: UUID) -> RecommendationPage:
    """Five queries; UnknownRecommendation where there is none."""
    reason = why(id)
    kept = reason.recommendation
    pattern = kept.pattern or 0
    keys = [each.arm.pk for each in reason.candidates]
    known = dict(Optimization.objects.filter(arm__in=keys, pattern=pattern).values_list("arm", "pk"))
    scale = Scale.of(_gain(each, reason.aim) for each in reason.candidates)
    refusals = _refusals(reason, pattern)
    operation = Operation.objects.filter(id=kept.operation).first() if kept.operation else None
    return RecommendationPage(
        recommendation=kept,
        sentence=reason.words,
        source=SOURCES.get(kept.source, kept.source),
        chosen=compared(kept.arm.parameters, kept.baseline.parameters),
        candidates=tuple(_row(each, reason, scale, refusals, known) for each in reason.candidates),
        same_again=reason.same_again,
        outcome=OUTCOMES.get(kept.outcome),
        operation=operation,
    )


def _row(
    each: Candidate, reason: Reason, scale: Scale, refusals: Mapping[int, str], known: Mapping[int, int]
) -> CandidateRow:
    kept, gained = reason.recommendation, _gain(each, reason.aim)
    is_baseline = each.arm.pk == kept.baseline_id
    return CandidateRow(
        parameters=compared(each.arm.parameters, kept.baseline.parameters),
        is_baseline=is_baseline,
        is_chosen=each.arm.pk == kept.arm_id,
        propensity=each.propensity,
        gain=gained,
        bar=scale.draw(gained) if gained else None,
        refused=refusals.get(each.arm.pk, "") if each.refused and not is_baseline else "",
        optimization=None if is_baseline else known.get(each.arm.pk),
    )


def _gain(each: Candidate, aim: str | None) -> Gain | None:
    return gain(aim, each.lift.lift, *each.lift.interval) if each.lift else None


def _refusals(reason: Reason, pattern: int) -> dict[int, str]:
    """By arm, what had shut it out then; one query."""
    refused = [each.arm.pk for each in reason.candidates if each.refused]
    if not refused:
        return {}
    before = OptimizationEvent.objects.filter(
        Q(pattern=pattern) | Q(pattern=None), arm__in=refused, at__lte=reason.recommendation.at
    )
    newest: dict[int, OptimizationEvent] = {}
    for event in before.order_by("arm", "-id"):
        newest.setdefault(event.arm_id, event)
    return {arm: _refusal(newest.get(arm)) for arm in refused}


def _refusal(event: OptimizationEvent | None) -> str:
    if event is None or not Status(event.after).is_shut_out:
        return "it could have cost more than the loss budget allowed, or had fallen in other patterns"
    word = "retired" if event.after == Status.RETIRED else "in quarantine"
    cause = CAUSES.get(event.cause, event.cause)
    return f"{word}: {cause[:1].lower()}{cause[1:]}"
