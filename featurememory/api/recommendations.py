"""Which parameters an operation should have, and why an earlier one had those it had."""

from __future__ import annotations

from datetime import datetime
from secrets import randbits
from typing import Any
from uuid import UUID, uuid4

from django.http import HttpRequest
from django.utils import timezone
from ninja import Router, Schema
from pydantic import Field

from featurememory.api.auth import ScopedKey
from featurememory.api.breakers import refusals
from featurememory.ingestion.operations import MAX_DIMENSIONS, Name, OptionalName
from featurememory.optimization.effectiveness import PatternLift
from featurememory.optimization.why import Reason, why

router = Router()
SEED_BITS = 62


class RecommendationBody(Schema):
    """What the parameters are for. The input's pattern is found by `features` of a `space`, or given; without both one
    memory serves all inputs."""

    operation_type: Name
    model: OptionalName = ""
    baseline: dict[str, Any] = Field(description="The parameters that the caller would have used.")
    candidates: list[Any] | None = Field(
        None,
        description="The only sets to choose from beside the baseline; left out: all that were proposed so far.",
    )
    space: OptionalName = ""
    features: list[float] | None = Field(None, min_length=1, max_length=MAX_DIMENSIONS)
    pattern: int | None = Field(None, ge=0, le=2**62, description="Where it is known; 0 means any input.")
    belief: bool = Field(
        False,
        description="Also answer with what it rests on, so that the caller can make its next by itself.",
    )


class Effect(Schema):
    """What is expected to be gained over the baseline, in units of the objective: points of the score, or -ln of the
    duration (0.1 is about 10 % faster)."""

    objective: str
    value: float
    low: float
    high: float
    effective: bool = Field(description="Whether the gain is beyond doubt.")


class BeliefView(Schema):
    """What the next recommendations for the same pattern can be made from, by the same policy."""

    id: int
    content: dict[str, Any]
    arms: dict[int, dict[str, Any]] = Field(description="Parameters by the arms' keys.")
    baseline: int
    pattern: int | None


class RecommendationView(Schema):
    id: UUID = Field(description="Send it with the operation, as its `recommendation`.")
    parameters: dict[str, Any]
    source: str = Field(description="`baseline`, `learned`, `promoted` or `explored`.")
    propensity: float = Field(description="The probability with which these parameters were chosen.")
    baseline_propensity: float = Field(description="The probability of the baseline.")
    pattern: int | None = Field(description="null: the input is like no pattern yet.")
    effect: Effect | None = Field(description="null for the baseline, and while nothing is known.")
    why: str
    belief: BeliefView | None = None


class CandidateView(Schema):
    parameters: dict[str, Any]
    propensity: float
    effect: Effect | None
    refused: bool


class WhyView(Schema):
    """A past recommendation: what was believed, what was chosen, and what came of it."""

    id: UUID
    at: datetime
    operation_type: str
    model: str
    pattern: int | None
    confidence: float | None
    parameters: dict[str, Any]
    baseline: dict[str, Any]
    source: str
    propensity: float
    baseline_propensity: float
    candidates: list[CandidateView]
    same_again: bool | None = Field(
        description="Whether making it again from what is stored gives the same; null where nothing was known."
    )
    operation: UUID | None
    outcome: str
    reward: float | None
    why: str


@router.post(
    "", auth=ScopedKey("ingest"),
    response={200: RecommendationView, **refusals(400, 401, 403, 404, 409, 422)}, summary="Recommend parameters",
)  # fmt: skip
def recommend_parameters(request: HttpRequest, body: RecommendationBody) -> RecommendationView:
    """Stored before it is answered. Report the operation with the `id`, so that what comes of it is learned."""
    from featurememory.optimization.recommending import Question, recommend

    question = Question(**body.dict(exclude={"belief"}))
    given = recommend(question, uuid4(), randbits(SEED_BITS), timezone.now())
    kept = given.recommendation
    return RecommendationView(
        id=kept.id,
        parameters=given.parameters,
        source=kept.source,
        propensity=kept.propensity,
        baseline_propensity=kept.baseline_propensity,
        pattern=kept.pattern,
        effect=_effect(given.aim, given.effect),
        why=given.why,
        belief=BeliefView(
            id=given.belief.pk,
            content=given.belief.content,
            arms=dict(given.arms),
            baseline=kept.baseline_id,
            pattern=kept.pattern,
        )
        if body.belief and given.belief
        else None,
    )


@router.get(
    "/{uuid:recommendation_id}", auth=ScopedKey("read"), response={200: WhyView, **refusals(401, 403, 404)},
    summary="Why were these parameters recommended?",
)  # fmt: skip
def get_recommendation(request: HttpRequest, recommendation_id: UUID) -> WhyView:
    found = why(recommendation_id)
    kept = found.recommendation
    return WhyView(
        id=kept.id,
        at=kept.at,
        operation_type=kept.study.operation_type,
        model=kept.study.model,
        pattern=kept.pattern,
        confidence=kept.confidence,
        parameters=kept.arm.parameters,
        baseline=kept.baseline.parameters,
        source=kept.source,
        propensity=kept.propensity,
        baseline_propensity=kept.baseline_propensity,
        candidates=[_candidate(found, each) for each in found.candidates],
        same_again=found.same_again,
        operation=kept.operation,
        outcome=kept.outcome,
        reward=kept.reward,
        why=found.words,
    )


def _candidate(found: Reason, each: Any) -> CandidateView:
    return CandidateView(
        parameters=each.arm.parameters,
        propensity=each.propensity,
        effect=_effect(found.aim, each.lift),
        refused=each.refused,
    )


def _effect(aim: str | None, lift: PatternLift | None) -> Effect | None:
    if lift is None:
        return None
    return Effect(
        objective=aim or "",
        value=lift.lift,
        low=lift.interval.low,
        high=lift.interval.high,
        effective=lift.effective,
    )
