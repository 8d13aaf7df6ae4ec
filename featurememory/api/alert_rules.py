"""Alert rules: which there are, trying one on history, creating, changing and deleting one."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone
from ninja import Path, Query, Router, Schema, Status
from pydantic import Field, JsonValue

from featurememory.alerts.rule_actions import delete_rule, find_rule, save_rule
from featurememory.alerts.rules import Rule
from featurememory.alerts.stored_rules import checked_rule
from featurememory.api.alerts import Id, MatcherView
from featurememory.api.auth import ScopedKey, actor_of
from featurememory.api.breakers import Reason, refusals
from featurememory.models import AlertRule
from featurememory.models.alert import Severity

router = Router()


class RuleValues(Schema):
    """`condition` has what its `kind` needs; all is checked together."""

    name: str = Field(max_length=100)
    kind: AlertRule.Kind
    signal: str = Field(max_length=50, description="What it looks at: `latency_p95`, `error_rate`, ...")
    condition: dict[str, JsonValue] = Field(
        {},
        description="threshold: {operator, threshold, resolve_threshold, window_s}; change: {operator, percent, "
        "window_s, against}; absence: {window_s}; burn_rate: {objective, minimum}; event: {within_s, times}.",
    )
    matchers: list[JsonValue] = Field([], max_length=20, description="[{name, operator, value}]")
    for_s: float = Field(0, ge=0, le=86_400)
    keep_firing_for_s: float = Field(0, ge=0, le=86_400)
    no_data: AlertRule.NoData = AlertRule.NoData.KEEP
    severity: Severity
    labels: dict[str, str] = Field({})
    summary: str = Field("", max_length=300)
    description: str = Field("", max_length=5_000)
    runbook_url: str = Field("", max_length=500)
    is_enabled: bool = True


class RuleBody(RuleValues):
    reason: Reason
    version: int | None = Field(
        None, ge=0, le=2**31 - 1, description="Refuses a change (409) where the rule has moved on since."
    )
    request_id: UUID | None = Field(None, description="Given again with the same id nothing is done.")


class DeleteBody(Schema):
    reason: Reason
    version: int | None = Field(None, ge=0, le=2**31 - 1)
    request_id: UUID | None = None


class TestBody(RuleValues):
    """Any rule, stored or not."""

    days: float = Field(7, ge=0.1, le=14)


class RuleView(Schema):
    id: int
    version: int
    name: str
    kind: AlertRule.Kind
    signal: str
    condition: dict[str, Any]
    matchers: list[MatcherView]
    for_s: float
    keep_firing_for_s: float
    no_data: AlertRule.NoData
    severity: Severity
    labels: dict[str, str]
    summary: str
    description: str
    runbook_url: str
    is_enabled: bool
    shipped_as: str | None = Field(
        description="Which of the default rules it began as; such cannot be deleted."
    )
    changed_at: datetime
    changed_by: str
    evaluated_at: datetime | None
    evaluation_ms: float | None
    error: str = Field(description="Of the last evaluation.")


class RulePage(Schema):
    items: list[RuleView]
    next_cursor: str | None


class RuleSearch(Schema):
    cursor: Id | None = Field(None, description="The last id of the page before.")
    limit: int = Field(100, ge=1, le=500)


class FiringView(Schema):
    labels: dict[str, str]
    began: datetime
    ended: datetime | None = Field(description="Null where it would still fire.")
    peak: float | None


class TestAnswer(Schema):
    words: str
    days: float
    threshold: float | None
    unit: str
    firings: list[FiringView] = Field(description="The newest first, at most 500.")


@router.get(
    "",
    auth=ScopedKey("read"),
    response={200: RulePage, **refusals(401, 403, 422)},
    summary="List alert rules",
)
def list_rules(request: HttpRequest, search: Query[RuleSearch]) -> dict[str, Any]:
    """By id."""
    rows = AlertRule.objects.order_by("pk")
    found = list(rows.filter(Q() if search.cursor is None else Q(pk__gt=search.cursor))[: search.limit + 1])
    page = found[: search.limit]
    return {
        "items": [_view(row) for row in page],
        "next_cursor": str(page[-1].pk) if len(found) > search.limit else None,
    }


@router.post(
    "/test", auth=ScopedKey("read"), response={200: TestAnswer, **refusals(400, 401, 403, 422)},
    summary="When would a rule have fired?",
)  # fmt: skip
def test_rule(request: HttpRequest, body: TestBody) -> dict[str, Any]:
    """Tries it on what was; stores nothing."""
    from featurememory.alerts.backtest import backtest

    tried = backtest(_checked(body), timezone.now(), body.days)
    firings = [
        {"labels": dict(each.labels), "began": each.began, "ended": each.ended, "peak": each.peak}
        for each in tried.firings[:500]
    ]
    same = {name: getattr(tried, name) for name in ("words", "days", "threshold", "unit")}
    return same | {"firings": firings}


@router.post(
    "", auth=ScopedKey("control"), response={201: RuleView, **refusals(400, 401, 403, 409, 422)},
    summary="Create an alert rule",
)  # fmt: skip
def post_rule(request: HttpRequest, body: RuleBody) -> Status[dict[str, Any]]:
    """It is evaluated from now on, if it is switched on."""
    return Status(201, _view(_save(request, body, None)))


@router.get(
    "/{id}",
    auth=ScopedKey("read"),
    response={200: RuleView, **refusals(401, 403, 404, 422)},
    summary="One alert rule",
)
def get_rule(request: HttpRequest, id: Path[Id]) -> dict[str, Any]:
    return _view(find_rule(id))


@router.put(
    "/{id}", auth=ScopedKey("control"), response={200: RuleView, **refusals(400, 401, 403, 404, 409, 422)},
    summary="Change an alert rule",
)  # fmt: skip
def put_rule(request: HttpRequest, id: Path[Id], body: RuleBody) -> dict[str, Any]:
    """Replaces all that it sets. The open alerts of one that is switched off are over."""
    find_rule(id)
    return _view(_save(request, body, id))


@router.delete(
    "/{id}", auth=ScopedKey("control"), response={204: None, **refusals(400, 401, 403, 404, 409, 422)},
    summary="Delete an alert rule",
)  # fmt: skip
def remove_rule(request: HttpRequest, id: Path[Id], body: DeleteBody) -> Status[None]:
    """Its open alerts are over. Rules that came with the installation are switched off instead."""
    delete_rule(
        id,
        version=body.version,
        actor=actor_of(request),
        reason=body.reason,
        now=timezone.now(),
        request_id=body.request_id,
    )
    return Status(204, None)


def _save(request: HttpRequest, body: RuleBody, id: int | None) -> AlertRule:
    return save_rule(
        _checked(body).values(),
        id=id,
        version=None if id is None else body.version,
        actor=actor_of(request),
        reason=body.reason,
        now=timezone.now(),
        request_id=body.request_id,
    )


def _checked(body: RuleValues) -> Rule:
    return checked_rule(body.model_dump())


def _view(row: AlertRule) -> dict[str, Any]:
    return {name: getattr(row, name) for name in RuleView.model_fields}
