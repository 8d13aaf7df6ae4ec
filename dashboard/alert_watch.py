"""Whether alert rules are evaluated, and how many alerts call for somebody: for every page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Max, Min, Q

from featurememory.alerts.evaluation import STALE_AFTER
from featurememory.models import Alert, AlertRule


@dataclass(frozen=True, slots=True)
class RuleWatch:
    """`at`: the last evaluation of any rule, or since when rules wait for their first."""

    enabled: int
    failing: int
    at: datetime | None
    ever: bool
    is_stale: bool


def read_rule_watch(now: datetime) -> RuleWatch:
    """One query."""
    enabled = Q(is_enabled=True)
    seen = AlertRule.objects.aggregate(
        enabled=Count("pk", filter=enabled),
        failing=Count("pk", filter=enabled & ~Q(error="")),
        last=Max("evaluated_at", filter=enabled),
        since=Min("changed_at", filter=enabled),
    )
    at = seen["last"] or seen["since"]
    is_stale = bool(seen["enabled"]) and at is not None and now - at > STALE_AFTER
    return RuleWatch(seen["enabled"], seen["failing"], at, seen["last"] is not None, is_stale)


def count_calling() -> int:
    """The alerts that fire, are critical or a warning, and that nothing mutes; one query."""
    return Alert.objects.filter(
        state=Alert.State.FIRING, severity__in=("critical", "warning"), is_silenced=False, inhibited_by=None
    ).count()
