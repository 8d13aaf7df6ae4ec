"""How the memory itself is."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from ninja import Router, Schema

from featurememory.api.auth import ScopedKey
from featurememory.api.problems import Problem
from featurememory.models import HealthSnapshot
from featurememory.observability.health_snapshot import STALE_AFTER

router = Router()


class ComponentView(Schema):
    status: str
    reason: str
    metrics: dict[str, Any]


class HealthView(Schema):
    """The newest snapshot; `unknown` when nothing evaluates any more."""

    status: str
    checked_at: datetime | None
    components: dict[str, ComponentView]


@router.get(
    "/health",
    auth=ScopedKey("read"),
    response={200: HealthView, 401: Problem, 403: Problem},
    summary="Health",
)
def get_health(request: HttpRequest) -> HealthView:
    """Overall and per component, each with its reason."""
    newest = HealthSnapshot.objects.order_by("-at").first()
    if newest is None:
        return HealthView(status="unknown", checked_at=None, components={})
    stale = timezone.now() - newest.at > STALE_AFTER
    return HealthView(
        status="unknown" if stale else newest.status, checked_at=newest.at, components=newest.components
    )
