"""Alerts: what fires and what is over, and an operator's hand on one."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from ninja import Path, Query, Router, Schema
from pydantic import Field

from featurememory.alerts.errors import AlertNotOpen, UnknownAlert
from featurememory.alerts.labels import MAX_MATCHERS, Matchers, all_fit
from featurememory.alerts.labels import Matcher as LabelMatcher
from featurememory.alerts.operator_actions import ACTIONS, Doing
from featurememory.alerts.silencing import labels_of
from featurememory.api.auth import ScopedKey, actor_of
from featurememory.api.breakers import Reason, refusals
from featurememory.ingestion.operations import StorableText
from featurememory.models import Alert, AlertEvent
from featurememory.models.alert import OPEN, Severity

router = Router()
MOST_READ = 20_000
"""Rows that a search by labels reads for one page; it goes on from there with the next."""
_TOGETHER = 500
Id = Annotated[int, Field(ge=1, le=2**62)]


class MatcherView(Schema):
    """One condition on one label; `alertname` and `severity` are labels too."""

    name: str
    operator: Literal["=", "!=", "=~", "!~"]
    value: str


class AlertView(Schema):
    id: int
    source: Alert.Source
    rule_id: int | None
    name: str
    severity: Severity
    labels: dict[str, str]
    state: Literal["pending", "firing", "acknowledged", "resolved"]
    data: Alert.Data = Field(description="Of the last evaluation.")
    is_silenced: bool
    inhibited_by: int | None = Field(description="The alert that speaks for it.")
    is_flapping: bool
    summary: str
    description: str
    runbook_url: str
    generator_url: str
    annotations: dict[str, Any]
    value: float | None
    peak: float | None
    started_at: datetime
    fired_at: datetime | None
    seen_at: datetime
    acknowledged_at: datetime | None
    acknowledged_by: str
    resolved_at: datetime | None


class AlertEventView(Schema):
    id: int
    kind: str = Field(json_schema_extra={"enum": list(AlertEvent.Kind.values)})
    at: datetime
    actor: str = Field(description="Empty: by itself.")
    note: str
    value: float | None


class AlertDetail(AlertView):
    events: list[AlertEventView] = Field(description="The newest first, at most 500.")


class AlertPage(Schema):
    items: list[AlertView]
    next_cursor: str | None


class AlertSearch(Schema):
    state: Literal["open", "pending", "firing", "acknowledged", "resolved", "all"] = Field(
        "open", description="`open`: firing or acknowledged."
    )
    severity: Severity | None = None
    name: StorableText | None = None
    silenced: bool | None = None
    match: list[StorableText] = Field(
        [],
        max_length=MAX_MATCHERS,
        description='Conditions on labels, all must fit: `model=whisper`, `model!=whisper`, `model=~"whisper.*"`.',
    )
    cursor: Id | None = Field(None, description="The last id of the page before.")
    limit: int = Field(100, ge=1, le=500)


class ActBody(Schema):
    note: Reason
    request_id: UUID | None = Field(None, description="Given again with the same id nothing is done.")


@router.get(
    "", auth=ScopedKey("read"), response={200: AlertPage, **refusals(401, 403, 422)}, summary="List alerts"
)
def list_alerts(request: HttpRequest, search: Query[AlertSearch]) -> dict[str, Any]:
    """The newest first. A page of a search by labels may have fewer than `limit`, and still a next."""
    matchers = tuple(LabelMatcher.parsed(text, f"match[{place}]") for place, text in enumerate(search.match))
    items, last, is_end = _page(_chosen(search), matchers, search.limit)
    return {"items": [view_alert(row) for row in items], "next_cursor": None if is_end else str(last)}


@router.get(
    "/{id}", auth=ScopedKey("read"), response={200: AlertDetail, **refusals(401, 403, 404, 422)},
    summary="One alert, and what happened to it",
)  # fmt: skip
def get_alert(request: HttpRequest, id: Path[Id]) -> dict[str, Any]:
    return _detail(_find(id))


def _offer(slug: str, path: str, summary: str, do: Doing) -> None:
    def act(request: HttpRequest, id: Path[Id], body: ActBody) -> dict[str, Any]:
        acted = do(
            [id], actor=actor_of(request), note=body.note, now=timezone.now(), request_id=body.request_id
        )
        for alert in acted.passed_over:
            raise AlertNotOpen(alert.pk, alert.state)
        return _detail(acted.alerts[0])

    act.__doc__ = ACTIONS[slug].consequence
    router.post(
        f"/{{id}}/{path}",
        auth=ScopedKey("control"),
        response={200: AlertDetail, **refusals(400, 401, 403, 404, 409, 422)},
        summary=summary,
        operation_id=f"{slug}_alert",
    )(act)


_offer("acknowledge", "acknowledge", "Acknowledge an alert", ACTIONS["acknowledge"].do)
_offer("unacknowledge", "unacknowledge", "Give an alert back", ACTIONS["unacknowledge"].do)
_offer("close", "resolve", "Resolve an alert by hand", ACTIONS["close"].do)
_offer("note", "note", "Add a note to an alert", ACTIONS["note"].do)


def _find(id: int) -> Alert:
    row = Alert.objects.filter(pk=id).first()
    if row is None:
        raise UnknownAlert(id)
    return row


def _chosen(search: AlertSearch) -> QuerySet[Alert]:
    rows = Alert.objects.order_by("-pk")
    if search.state == "open":
        rows = rows.filter(state__in=OPEN)
    elif search.state != "all":
        rows = rows.filter(state=search.state)
    wanted = Q()
    for name, value in (
        ("severity", search.severity),
        ("name", search.name),
        ("is_silenced", search.silenced),
    ):
        if value is not None:
            wanted &= Q(**{name: value})
    if search.cursor is not None:
        wanted &= Q(pk__lt=search.cursor)
    return rows.filter(wanted)


def _page(rows: QuerySet[Alert], matchers: Matchers, limit: int) -> tuple[list[Alert], int, bool]:
    """(the alerts, the last id that was looked at, whether there is nothing behind it)."""
    items: list[Alert] = []
    last, read = 0, 0
    while read < MOST_READ:
        together = list((rows.filter(pk__lt=last) if last else rows)[: max(_TOGETHER, limit + 1)])
        for row in together:
            if len(items) == limit:
                return items, last, False
            last = row.pk
            if all_fit(matchers, labels_of(row)):
                items.append(row)
        read += len(together)
        if len(together) < max(_TOGETHER, limit + 1):
            return items, last, True
    return items, last, False


def view_alert(alert: Alert) -> dict[str, Any]:
    return {name: getattr(alert, name) for name in AlertView.model_fields if name != "inhibited_by"} | {
        "inhibited_by": alert.inhibited_by_id
    }


def _detail(alert: Alert) -> dict[str, Any]:
    return view_alert(alert) | {"events": _events(alert)}


def _events(alert: Alert) -> Iterable[dict[str, Any]]:
    events = AlertEvent.objects.filter(alert=alert).order_by("-id")[:500]
    return [{name: getattr(each, name) for name in AlertEventView.model_fields} for each in events]
