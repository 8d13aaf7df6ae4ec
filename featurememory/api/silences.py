"""Silences: which there are, creating one, ending one."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone
from ninja import Path, Query, Router, Schema, Status
from pydantic import Field

from featurememory.alerts.labels import MAX_MATCHERS, matchers_of
from featurememory.alerts.silence_actions import create_silence, end_silence, find_silence
from featurememory.alerts.silences import Recurrence
from featurememory.alerts.silencing import covered, open_alerts, silence_of
from featurememory.api.alerts import Id, MatcherView
from featurememory.api.auth import ScopedKey, actor_of
from featurememory.api.breakers import Reason, refusals
from featurememory.ingestion.operations import Moment, StorableText
from featurememory.models import Alert, AlertSilence

router = Router()


class RecurrenceView(Schema):
    """In force only on these days (0 is Monday), from `start` on for so many minutes."""

    weekdays: list[Annotated[int, Field(ge=0, le=6)]] = Field(min_length=1, max_length=7)
    start: str = Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")
    minutes: int = Field(ge=1, le=1_440)
    timezone: str = Field("UTC", max_length=60, description="Like Europe/Berlin.")


class SilenceView(Schema):
    id: int
    matchers: list[MatcherView]
    starts_at: datetime
    ends_at: datetime
    recurrence: RecurrenceView | None
    comment: str
    created_by: str
    created_at: datetime
    ended_by: str = Field(description="Who ended it before its time.")
    is_active: bool
    active_until: datetime | None = Field(
        description="When it stops, or begins where it is not active; null once it is over."
    )
    covers: list[int] = Field(description="The open alerts that it fits, whether it is in force or not.")


class SilencePage(Schema):
    items: list[SilenceView]
    next_cursor: str | None


class SilenceSearch(Schema):
    state: Literal["current", "over", "all"] = Field("current", description="`current`: in force or coming.")
    cursor: Id | None = Field(None, description="The last id of the page before.")
    limit: int = Field(100, ge=1, le=500)


class MatcherBody(Schema):
    name: StorableText
    operator: Literal["=", "!=", "=~", "!~"] = "="
    value: StorableText


class SilenceBody(Schema):
    """Give an end, or how long."""

    matchers: list[MatcherBody] = Field(min_length=1, max_length=MAX_MATCHERS)
    starts_at: Moment | None = Field(None, description="Now, where it is left out.")
    ends_at: Moment | None = None
    minutes: float | None = Field(None, gt=0, le=366 * 1_440, description="How long, where no end is given.")
    recurrence: RecurrenceView | None = None
    comment: Reason
    request_id: UUID | None = Field(None, description="Given again with the same id it is the same silence.")


class EndBody(Schema):
    reason: Reason
    request_id: UUID | None = Field(None, description="Given again with the same id nothing is done.")


@router.get(
    "",
    auth=ScopedKey("read"),
    response={200: SilencePage, **refusals(401, 403, 422)},
    summary="List silences",
)
def list_silences(request: HttpRequest, search: Query[SilenceSearch]) -> dict[str, Any]:
    """The newest first."""
    now = timezone.now()
    rows = AlertSilence.objects.order_by("-pk")
    if search.state != "all":
        rows = rows.filter(ends_at__gt=now) if search.state == "current" else rows.filter(ends_at__lte=now)
    found = list(rows.filter(Q() if search.cursor is None else Q(pk__lt=search.cursor))[: search.limit + 1])
    page, alerts = found[: search.limit], list(open_alerts())
    return {
        "items": [_view(row, alerts, now) for row in page],
        "next_cursor": str(page[-1].pk) if len(found) > search.limit else None,
    }


@router.post(
    "", auth=ScopedKey("control"), response={201: SilenceView, **refusals(400, 401, 403, 422)},
    summary="Create a silence",
)  # fmt: skip
def post_silence(request: HttpRequest, body: SilenceBody) -> Status[dict[str, Any]]:
    """What it covers is quiet at once."""
    now = timezone.now()
    starts_at = body.starts_at or now
    row = create_silence(
        matchers_of([each.model_dump() for each in body.matchers], least=1),
        starts_at,
        body.ends_at or _after(starts_at, body.minutes),
        None if body.recurrence is None else Recurrence.of(body.recurrence.model_dump()),
        comment=body.comment,
        actor=actor_of(request),
        now=now,
        request_id=body.request_id,
    )
    return Status(201, _view(row, list(open_alerts()), now))


@router.get(
    "/{id}", auth=ScopedKey("read"), response={200: SilenceView, **refusals(401, 403, 404, 422)},
    summary="One silence",
)  # fmt: skip
def get_silence(request: HttpRequest, id: Path[Id]) -> dict[str, Any]:
    return _view(find_silence(id), list(open_alerts()), timezone.now())


@router.delete(
    "/{id}", auth=ScopedKey("control"), response={200: SilenceView, **refusals(400, 401, 403, 404, 422)},
    summary="End a silence before its time",
)  # fmt: skip
def delete_silence(request: HttpRequest, id: Path[Id], body: EndBody) -> dict[str, Any]:
    """It stays to be read; one that is over stays as it was."""
    now = timezone.now()
    row = end_silence(id, actor=actor_of(request), reason=body.reason, now=now, request_id=body.request_id)
    return _view(row, list(open_alerts()), now)


def _after(starts_at: datetime, minutes: float | None) -> datetime:
    """Without a length it is over as it begins, which is refused with what to do about it."""
    try:
        return starts_at + timedelta(minutes=minutes or 0)
    except OverflowError:
        return starts_at


def _view(row: AlertSilence, alerts: list[Alert], now: datetime) -> dict[str, Any]:
    silence = silence_of(row)
    stage = silence.stage(now)
    same = (
        "matchers", "starts_at", "ends_at", "recurrence", "comment", "created_by", "created_at", "ended_by",
    )  # fmt: skip
    return {name: getattr(row, name) for name in same} | {
        "id": row.pk,
        "is_active": stage.is_active,
        "active_until": stage.until,
        "covers": [alert.pk for alert in covered(alerts, silence.matchers)] if row.ends_at > now else [],
    }
