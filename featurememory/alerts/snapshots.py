"""Alerts as messages carry them, and as grouping sees them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from featurememory.alerts.grouping import Seen
from featurememory.alerts.messages import Snapshot
from featurememory.models import Alert


def seen(alert: Alert, open_alerts: Iterable[int]) -> Seen:
    """What inhibits it does so only while it is open itself: an alert that is over is not looked at any more."""
    is_inhibited = alert.inhibited_by_id is not None and (
        alert.state != Alert.State.RESOLVED or alert.inhibited_by_id in open_alerts
    )
    return Seen(
        id=alert.pk,
        fingerprint=alert.fingerprint,
        state=alert.state,
        severity=alert.severity,
        labels={**_text(alert.labels), "alertname": alert.name, "severity": alert.severity},
        fired_at=alert.fired_at or alert.started_at,
        resolved_at=alert.resolved_at,
        is_muted=alert.is_silenced or is_inhibited,
        is_flapping=alert.is_flapping,
    )


def snapshot(alert: Alert, *, is_over: bool) -> Snapshot:
    """The alert as it is now; `is_over`: as one that has ended."""
    ended_at = alert.resolved_at if is_over else None
    return Snapshot(
        id=alert.pk,
        status="resolved" if is_over else "firing",
        name=alert.name,
        severity=alert.severity,
        labels=_text(alert.labels),
        fingerprint=alert.fingerprint,
        summary=alert.summary,
        description=alert.description,
        runbook_url=alert.runbook_url,
        value=alert.value,
        starts_at=alert.started_at.isoformat(),
        ends_at=None if ended_at is None else ended_at.isoformat(),
        is_acknowledged=alert.state == Alert.State.ACKNOWLEDGED,
        is_flapping=alert.is_flapping,
    )


def _text(labels: Mapping[str, object]) -> dict[str, str]:
    return {str(name): str(value) for name, value in labels.items()}
