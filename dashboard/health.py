"""Health as pages show it: from the newest snapshot, and unknown when that is too old to say anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dashboard.words import HEALTH, Look
from featurememory.models import HealthSnapshot
from featurememory.observability.health_snapshot import STALE_AFTER

NEVER_LOOKED = "No health snapshot was ever taken: is the worker running?"
LOOKS_NO_MORE = "Nobody has looked since: are worker and schedule running?"


@dataclass(frozen=True, slots=True)
class Watch:
    """Whether anybody still looks: the newest snapshot's time, and what is wrong with it."""

    at: datetime | None
    words: str

    @property
    def is_stale(self) -> bool:
        return bool(self.words)


def read_watch(now: datetime) -> Watch:
    """One query, for every page."""
    at = HealthSnapshot.objects.order_by("-at").values_list("at", flat=True).first()
    if at is None:
        return Watch(None, NEVER_LOOKED)
    return Watch(at, LOOKS_NO_MORE if now - at > STALE_AFTER else "")


@dataclass(frozen=True, slots=True)
class ComponentView:
    name: str
    look: Look
    reason: str
    since: datetime | None

    @property
    def is_well(self) -> bool:
        return self.look.tone == "ok"


@dataclass(frozen=True, slots=True)
class HealthView:
    """`look` is unknown, and `stale` says why, when no snapshot is fresh: never green without data."""

    look: Look
    at: datetime | None
    components: tuple[ComponentView, ...]
    stale: str = ""


def read_health(now: datetime) -> HealthView:
    """One query."""
    newest = HealthSnapshot.objects.order_by("-at").first()
    if newest is None:
        return HealthView(HEALTH["unknown"], None, (), NEVER_LOOKED)
    stale = now - newest.at > STALE_AFTER
    components = tuple(
        ComponentView(
            name, HEALTH["unknown"] if stale else HEALTH[each["status"]], each["reason"], _since(each)
        )
        for name, each in newest.components.items()
    )
    if stale:
        return HealthView(
            HEALTH["unknown"],
            newest.at,
            components,
            LOOKS_NO_MORE,
        )
    return HealthView(HEALTH[newest.status], newest.at, components)


def _since(component: Mapping[str, Any]) -> datetime | None:
    """Snapshots from before health had a history say nothing of it."""
    since = component.get("since")
    return datetime.fromisoformat(since) if since else None
