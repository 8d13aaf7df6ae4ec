"""Alerts, channels and routes as tests need them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from featurememory.alerts.labels import fingerprint
from featurememory.models import Alert, AlertChannel, AlertRoute

SECRET = "a-secret-of-the-tests"


def alert(now: datetime, name: str = "Breaker open", **changes: Any) -> Alert:
    """Has fired for a minute."""
    labels = changes.pop("labels", {"breaker": "audioldm"})
    fields = {
        "name": name,
        "severity": "critical",
        "labels": labels,
        "fingerprint": fingerprint("rule", name, labels),
        "state": "firing",
        "summary": f"{name}: it refuses calls",
        "runbook_url": "https://runbooks.example.com/breakers",
        "started_at": now - timedelta(minutes=1),
        "fired_at": now - timedelta(minutes=1),
        "seen_at": now,
    }
    return Alert.objects.create(**fields | changes)


def over(row: Alert, now: datetime) -> None:
    row.state, row.resolved_at = Alert.State.RESOLVED, now
    row.save()


def channel(now: datetime, name: str = "pager", kind: str = "webhook", **settings: Any) -> AlertChannel:
    return AlertChannel.objects.create(
        name=name,
        kind=kind,
        settings=settings,
        created_at=now,
        created_by="t",
        changed_at=now,
        changed_by="t",
    )


def webhook(now: datetime, url: str, name: str = "pager") -> AlertChannel:
    return channel(now, name, url=url, secret=SECRET)


def route(to: AlertChannel, **changes: Any) -> AlertRoute:
    return AlertRoute.objects.create(channel=to, **{"group_wait_s": 0.0} | changes)
