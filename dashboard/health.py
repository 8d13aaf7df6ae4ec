"""Health as pages show it: from the newest snapshot, and unknown when that is too old to say anything."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from dashboard.words import HEALTH, Look
from featurememory.models import HealthSnapshot
from featurememory.observability.health_snapshot import STALE_AFTER


@dataclass(frozen=True, slots=True)
class ComponentView:
    name: str
    look: Look
    reason: str

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
        return HealthView(
            HEALTH["unknown"], None, (), "No health snapshot was ever taken: is the worker running?"
        )
    stale = now - newest.at > STALE_AFTER
    components = tuple(
        ComponentView(name, HEALTH["unknown"] if stale else HEALTH[each["status"]], each["reason"])
        for name, each in newest.components.items()
    )
    if stale:
        return HealthView(
            HEALTH["unknown"],
            newest.at,
            components,
            "Nobody has looked since: are worker and schedule running?",
        )
    return HealthView(HEALTH[newest.status], newest.at, components)
