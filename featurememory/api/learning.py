"""What is learned from, how, and what it gains."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router, Schema
from pydantic import Field

from featurememory.api.auth import ScopedKey, actor_of
from featurememory.api.breakers import Reason, refusals
from featurememory.ingestion.operations import Name, OptionalName
from featurememory.models import Arm
from featurememory.optimization.configuration import configure_learning
from featurememory.optimization.figures import EffectFigures, StudyFigures, overall, study_figures
from featurememory.optimization.operator_actions import add_candidate, retire_arm
from featurememory.optimization.settings import Settings
from featurememory.optimization.storage import find_study, settings_of

router = Router()


class EffectivenessView(Schema):
    """What the recommendations gained over the baseline, by augmented inverse propensity weighting: never before and
    after. `sequence` holds however often it is looked at."""

    objective: str = Field(
        description="`score`: points; `duration`: -ln of the duration, 0.1 is about 10 % faster."
    )
    operations: int
    lift: float | None
    interval: tuple[float, float] | None
    sequence: tuple[float, float] | None
    check: float | None = Field(
        description="Mean of 1{baseline} / propensity: stays near 1 where propensities hold."
    )
    verdict: str = Field(description="In words; `not enough evidence yet` where that is the truth.")


class ArmView(Schema):
    id: int
    parameters: dict[str, Any]
    origin: str
    is_baseline: bool
    retired_at: datetime | None


class StudyView(Schema):
    """The learning of one (operation_type, model)."""

    operation_type: str
    model: str
    objective: str | None = Field(description="null: no operation has shown it yet.")
    operations: int
    patterns: int
    parameter_sets: list[ArmView]
    effectiveness: EffectivenessView
    saved_ms: EffectivenessView = Field(description="The same of milliseconds saved, per operation.")


class Overview(Schema):
    studies: list[StudyView]
    overall: list[EffectivenessView] = Field(description="For each kind of objective.")


class StudyKeys(Schema):
    operation_type: Name
    model: OptionalName = ""


class SettingsBody(Schema):
    """What is set for the operation type; what is left out falls to what is set for all, then to the defaults."""

    values: dict[str, Any] = Field(
        description="`aim` (score, duration, both), `weight`, `control`, `unproven`, `loss_budget`, `observe`, `steps`."
    )
    reason: Reason


class SettingsView(Schema):
    operation_type: str
    aim: str | None
    weight: float
    control: float
    unproven: float
    loss_budget: float | None
    observe: bool
    steps: dict[str, Any]


class CandidateBody(StudyKeys):
    parameters: dict[str, Any]
    reason: Reason


class ReasonOnly(Schema):
    reason: Reason


@router.get(
    "", auth=ScopedKey("read"), response={200: Overview, **refusals(401, 403)}, summary="What learning gains"
)
def get_learning(request: HttpRequest) -> Overview:
    figures = study_figures()
    return Overview(
        studies=[_study(each) for each in figures],
        overall=[_effect(aim, each) for aim, each in overall(figures).items()],
    )


@router.get(
    "/settings", auth=ScopedKey("read"), response={200: SettingsView, **refusals(401, 403, 422)},
    summary="How an operation type is learned from",
)  # fmt: skip
def get_settings(request: HttpRequest, operation_type: Query[OptionalName] = "") -> SettingsView:
    return _settings(operation_type, settings_of(operation_type))


@router.put(
    "/settings", auth=ScopedKey("control"), response={200: SettingsView, **refusals(400, 401, 403, 422)},
    summary="Set how an operation type is learned from",
)  # fmt: skip
def put_settings(
    request: HttpRequest, body: SettingsBody, operation_type: Query[OptionalName] = ""
) -> SettingsView:
    """Without `operation_type`: for all. Another objective makes the studies that it concerns begin anew."""
    now = timezone.now()
    done = configure_learning(
        operation_type, body.values, actor=actor_of(request), reason=body.reason, now=now
    )
    return _settings(operation_type, done)


@router.post(
    "/candidates", auth=ScopedKey("control"), response={200: ArmView, **refusals(400, 401, 403, 404, 409, 422)},
    summary="Propose a parameter set",
)  # fmt: skip
def post_candidate(request: HttpRequest, body: CandidateBody) -> ArmView:
    """It must have the baseline's keys. It is tried in every pattern, as carefully as any other."""
    arm = add_candidate(
        body.operation_type,
        body.model,
        body.parameters,
        actor=actor_of(request),
        reason=body.reason,
        now=timezone.now(),
    )
    return _arm(arm)


@router.post(
    "/candidates/{int:arm_id}/retire", auth=ScopedKey("control"),
    response={200: ArmView, **refusals(400, 401, 403, 404, 422)}, summary="Retire a parameter set everywhere",
)  # fmt: skip
def post_retirement(request: HttpRequest, arm_id: int, body: ReasonOnly) -> ArmView:
    """In every pattern; what was learned of it goes."""
    return _arm(retire_arm(arm_id, actor=actor_of(request), reason=body.reason, now=timezone.now()))


@router.get(
    "/study", auth=ScopedKey("read"), response={200: StudyView, **refusals(401, 403, 404, 422)}, summary="One study"
)  # fmt: skip
def get_study(request: HttpRequest, which: Query[StudyKeys]) -> StudyView:
    (figures,) = study_figures(find_study(which.operation_type, which.model).pk)
    return _study(figures)


def _study(figures: StudyFigures) -> StudyView:
    return StudyView(
        operation_type=figures.study.operation_type,
        model=figures.study.model,
        objective=figures.aim,
        operations=figures.study.operations,
        patterns=figures.patterns,
        parameter_sets=[_arm(arm) for arm in figures.arms],
        effectiveness=_effect(figures.aim or "", figures.effect),
        saved_ms=_effect("ms", figures.saved_ms),
    )


def _arm(arm: Arm) -> ArmView:
    return ArmView(
        id=arm.pk,
        parameters=arm.parameters,
        origin=arm.origin,
        is_baseline=arm.number == 0,
        retired_at=arm.retired_at,
    )


def _effect(objective: str, figures: EffectFigures) -> EffectivenessView:
    return EffectivenessView(objective=objective, **figures._asdict())


def _settings(operation_type: str, settings: Settings) -> SettingsView:
    return SettingsView(
        operation_type=operation_type,
        aim=settings.aim,
        weight=settings.weight,
        control=settings.control,
        unproven=settings.unproven,
        loss_budget=settings.loss_budget,
        observe=settings.observe,
        steps={name: each.to_mapping() for name, each in settings.steps.items()},
    )
