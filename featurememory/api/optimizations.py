"""Optimizations: what was tried in which pattern, what it gains, and an operator's hand on it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router, Schema
from pydantic import Field

from featurememory.api.auth import ScopedKey, actor_of
from featurememory.api.breakers import Reason, refusals
from featurememory.ingestion.operations import StorableText
from featurememory.models import Optimization, OptimizationEvent
from featurememory.optimization.lifecycle import Status
from featurememory.optimization.operator_actions import ACTIONS, OperatorAction, order
from featurememory.optimization.storage import find_optimization

router = Router()


class OptimizationView(Schema):
    """One parameter set in one pattern. Effects are in units of the objective, over the baseline."""

    id: int
    operation_type: str
    model: str
    pattern: int = Field(description="0: any input.")
    parameters: dict[str, Any]
    origin: str
    status: str
    trials: int
    effect: float | None
    effect_low: float | None
    effect_high: float | None
    is_effective: bool = Field(description="Whether the gain is beyond doubt.")
    created_at: datetime
    changed_at: datetime
    tried_at: datetime | None

    @staticmethod
    def resolve_operation_type(row: Optimization) -> str:
        return row.study.operation_type

    @staticmethod
    def resolve_model(row: Optimization) -> str:
        return row.study.model

    @staticmethod
    def resolve_parameters(row: Optimization) -> dict[str, Any]:
        parameters: dict[str, Any] = row.arm.parameters
        return parameters

    @staticmethod
    def resolve_origin(row: Optimization) -> str:
        return row.arm.origin


class EventView(Schema):
    at: datetime
    before: str
    after: str
    cause: str
    actor: str = Field(description="Empty where evidence moved it.")
    reason: str
    evidence: dict[str, Any]


class OptimizationDetail(OptimizationView):
    events: list[EventView] = Field(description="The newest first, at most 100.")


class OptimizationPage(Schema):
    items: list[OptimizationView]
    next_cursor: str | None


class OptimizationSearch(Schema):
    """What to look for; everything given must hold."""

    operation_type: StorableText | None = None
    model: StorableText | None = None
    pattern: int | None = Field(None, ge=0, le=2**62)
    status: Status | None = None
    cursor: int | None = Field(None, ge=1, le=2**62, description="The last id of the page before.")
    limit: int = Field(100, ge=1, le=500)


class ReasonBody(Schema):
    reason: Reason


@router.get(
    "", auth=ScopedKey("read"), response={200: OptimizationPage, **refusals(401, 403, 422)},
    summary="List optimizations",
)  # fmt: skip
def list_optimizations(request: HttpRequest, search: Query[OptimizationSearch]) -> dict[str, Any]:
    """The newest first."""
    named = {
        "study__operation_type": search.operation_type,
        "study__model": search.model,
        "pattern": search.pattern,
        "status": search.status,
        "pk__lt": search.cursor,
    }
    rows = Optimization.objects.select_related("study", "arm").defer("study__state", "study__estimate")
    rows = rows.filter(**{name: value for name, value in named.items() if value is not None}).order_by("-id")
    found = list(rows[: search.limit + 1])
    page = found[: search.limit]
    return {"items": page, "next_cursor": str(page[-1].pk) if len(found) > search.limit else None}


@router.get(
    "/{int:optimization_id}", auth=ScopedKey("read"), response={200: OptimizationDetail, **refusals(401, 403, 404)},
    summary="One optimization",
)  # fmt: skip
def get_optimization(request: HttpRequest, optimization_id: int) -> Any:
    return _with_events(find_optimization(optimization_id))


def _offer(action: OperatorAction) -> None:
    def act(request: HttpRequest, optimization_id: int, body: ReasonBody) -> Any:
        done = order(optimization_id, action, actor=actor_of(request), reason=body.reason, now=timezone.now())
        return _with_events(done)

    act.__doc__ = action.consequence
    router.post(
        f"/{{int:optimization_id}}/{action.slug}",
        auth=ScopedKey("control"),
        response={200: OptimizationDetail, **refusals(400, 401, 403, 404, 422)},
        summary=f"{action.verb} an optimization"
        if action.slug != "activate"
        else "Make an optimization active",
        operation_id=f"{action.slug}_optimization",
    )(act)


for _action in ACTIONS.values():
    _offer(_action)


def _with_events(found: Optimization) -> Any:
    events = OptimizationEvent.objects.filter(arm=found.arm_id, pattern__in=[found.pattern])
    found.events = list(events.order_by("-id")[:100])  # type: ignore[attr-defined]
    return found
