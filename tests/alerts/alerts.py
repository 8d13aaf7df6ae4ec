"""Alerts for tests, as an evaluation would have left them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from featurememory.alerts.labels import fingerprint
from featurememory.models import Alert, AlertRule


def stored_rule(now: datetime, name: str = "Calls are slow", **more: Any) -> AlertRule:
    given = {
        "kind": "threshold",
        "signal": "latency_p95",
        "condition": {"operator": "above", "threshold": 5_000.0, "window_s": 300.0},
        "severity": "warning",
        "summary": "{model} is slow: {value}.",
        "changed_at": now,
        "evaluated_at": now,
    }
    return AlertRule.objects.create(name=name, **given | more)


def stored_alert(now: datetime, model: str = "whisper", minutes: float = 5, **more: Any) -> Alert:
    """Fires for so many minutes, of no rule unless one is given."""
    began = now - timedelta(minutes=minutes)
    rule = more.get("rule")
    given = {
        "name": rule.name if rule else "Calls are slow",
        "severity": rule.severity if rule else "warning",
        "labels": {"operation_type": "transcription", "model": model},
        "state": "firing",
        "summary": f"{model} is slow: 9 s.",
        "value": 9_000.0,
        "peak": 9_500.0,
        "started_at": began,
        "fired_at": began,
        "seen_at": now,
    } | more
    given["fingerprint"] = fingerprint("rule", given["name"], given["labels"])
    return Alert.objects.create(**given)
