"""How the memory itself is, since when, and how it was."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router, Schema
from pydantic import Field

from featurememory.api.auth import ScopedKey
from featurememory.api.breakers import refusals
from featurememory.ingestion.operations import StorableText
from featurememory.models import HealthSnapshot, HealthTransition
from featurememory.observability.health_snapshot import STALE_AFTER, take_snapshot

router = Router()


class ComponentView(Schema):
    status: str
    reason: str
    metrics: dict[str, Any]
    since: datetime | None = Field(None, description="When it became so.")


class HealthView(Schema):
    """The newest snapshot; `unknown` when nothing evaluates any more."""

    status: str
    checked_at: datetime | None
    components: dict[str, ComponentView]


class TransitionView(Schema):
    component: str = Field(description="`all` is the whole.")
    before: str = Field(description="`unknown` where nothing was known before.")
    after: str = Field(description="`unknown` from when nobody looked for a while.")
    reason: str
    at: datetime


class TransitionPage(Schema):
    items: list[TransitionView]
    next_cursor: str | None


class HistorySearch(Schema):
    component: StorableText | None = Field(None, description="One of them; `all` is the whole.")
    cursor: int | None = Field(None, ge=1, le=2**62, description="`next_cursor` of the page before.")
    limit: int = Field(100, ge=1, le=500)


@router.get("", auth=ScopedKey("read"), response={200: HealthView, **refusals(401, 403)}, summary="Health")
def get_health(request: HttpRequest) -> HealthView:
    """Overall and per component, each with its reason."""
    newest = HealthSnapshot.objects.order_by("-at").first()
    if newest is None:
        return HealthView(status="unknown", checked_at=None, components={})
    return _view(newest)


@router.get(
    "/history", auth=ScopedKey("read"), response={200: TransitionPage, **refusals(401, 403, 422)},
    summary="How health has changed",
)  # fmt: skip
def get_history(request: HttpRequest, search: Query[HistorySearch]) -> dict[str, Any]:
    """The newest first."""
    rows = HealthTransition.objects.order_by("-id")
    if search.component is not None:
        rows = rows.filter(component=search.component)
    if search.cursor is not None:
        rows = rows.filter(pk__lt=search.cursor)
    found = list(rows[: search.limit + 1])
    page = found[: search.limit]
    return {"items": page, "next_cursor": str(page[-1].pk) if len(found) > search.limit else None}


@router.post(
    "/check", auth=ScopedKey("control"), response={200: HealthView, **refusals(401, 403)}, summary="Check health now"
)  # fmt: skip
def check_health(request: HttpRequest) -> HealthView:
    """Looks at every component at once, without waiting for the schedule."""
    return _view(take_snapshot(timezone.now()))


def _view(snapshot: HealthSnapshot) -> HealthView:
    stale = timezone.now() - snapshot.at > STALE_AFTER
    return HealthView(
        status="unknown" if stale else snapshot.status, checked_at=snapshot.at, components=snapshot.components
    )
