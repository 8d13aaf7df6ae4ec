"""Alerts as scenes have them: a rule or two, what fires, who has it, what is kept quiet and by whom."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from featurememory.alerts.labels import fingerprint
from featurememory.alerts.silencing import apply_silences
from featurememory.models import Alert, AlertEvent, AlertRule, AlertSilence

BREAKER_RULE = "Breaker is open"
LATENCY_RULE = "Calls are slow"
RUNBOOK = "https://wiki.example.org/runbooks/breaker-open"


def evaluated(now: datetime) -> None:
    """All that is switched on was, just now."""
    AlertRule.objects.filter(is_enabled=True).update(evaluated_at=now, evaluation_ms=4.2)


def rule(now: datetime, name: str = BREAKER_RULE, **more: Any) -> AlertRule:
    given = {
        "kind": "threshold",
        "signal": "breaker_open",
        "condition": {"operator": "above", "threshold": 0, "window_s": 60},
        "severity": "critical",
        "summary": "Breaker {breaker} is open: its calls are refused.",
        "runbook_url": RUNBOOK,
        "changed_at": now - timedelta(days=3),
        "evaluated_at": now,
    }
    return AlertRule.objects.get_or_create(name=name, defaults=given | more)[0]


def alert(
    of: AlertRule, now: datetime, labels: Mapping[str, str], minutes: float, summary: str, **more: Any
) -> Alert:
    """Fires for so many minutes, as its rule would have it."""
    began = now - timedelta(minutes=minutes)
    given = {
        "rule": of,
        "name": of.name,
        "severity": of.severity,
        "labels": dict(labels),
        "fingerprint": fingerprint("rule", of.name, labels),
        "state": "firing",
        "summary": summary,
        "runbook_url": of.runbook_url,
        "value": 1.0,
        "peak": 1.0,
        "started_at": began,
        "fired_at": began,
        "seen_at": now,
    }
    row = Alert.objects.create(**given | more)
    AlertEvent.objects.create(alert=row, kind="firing", at=began, value=row.value)
    return row


def acknowledged(row: Alert, by: str, note: str, at: datetime) -> None:
    row.state, row.acknowledged_by, row.acknowledged_at = "acknowledged", by, at
    row.acknowledged_severity = row.severity
    row.save()
    AlertEvent.objects.create(alert=row, kind="acknowledged", at=at, actor=by, note=note)


def silence(now: datetime, name: str, value: str, comment: str, hours: float = 2) -> AlertSilence:
    return AlertSilence.objects.create(
        matchers=[{"name": name, "operator": "=", "value": value}],
        starts_at=now - timedelta(minutes=20),
        ends_at=now + timedelta(hours=hours),
        comment=comment,
        created_by="olga",
        created_at=now - timedelta(minutes=20),
    )


def quiet_alerts(now: datetime) -> None:
    """One is over; one silence is in force and fits nothing."""
    of = rule(now)
    row = alert(
        of, now, {"breaker": "transcription:whisper-large-v3", "operation_type": "transcription",
        "model": "whisper-large-v3"}, 190, "Breaker transcription:whisper-large-v3 is open: its calls are refused.",
        state="resolved", resolved_at=now - timedelta(minutes=172), acknowledged_by="olga",
    )  # fmt: skip
    AlertEvent.objects.create(
        alert=row,
        kind="acknowledged",
        at=now - timedelta(minutes=185),
        actor="olga",
        note="restarting the worker",
    )
    AlertEvent.objects.create(alert=row, kind="resolved", at=now - timedelta(minutes=172))
    silence(now, "model", "clap-630k", "the new checkpoint warms up")
    evaluated(now)


def loud_alerts(now: datetime) -> None:
    """Two fire; one has somebody, one is silenced, one inhibited, one without data, one pending, one over."""
    of = rule(now)
    slow = rule(
        now, LATENCY_RULE, signal="latency_p95", severity="warning", runbook_url="",
        condition={"operator": "above", "threshold": 8_000, "window_s": 300},
        summary="{operation_type} {model}: p95 is {value}.",
    )  # fmt: skip
    rule(now, "Errors of the night", signal="error_rate", severity="info", is_enabled=False, runbook_url="",
         summary="{model} fails {value}.", changed_by="olga")  # fmt: skip
    audio = {"operation_type": "text_to_audio", "model": "audioldm2"}
    music = {"operation_type": "text_to_audio", "model": "musicgen-medium"}
    whisper = {"operation_type": "transcription", "model": "whisper-large-v3"}
    first = alert(
        of, now, {"breaker": "text_to_audio:audioldm2", **audio}, 14,
        "Breaker text_to_audio:audioldm2 is open: its calls are refused.", is_flapping=True,
    )  # fmt: skip
    held = alert(
        of, now, {"breaker": "text_to_audio:musicgen-medium", **music}, 9,
        "Breaker text_to_audio:musicgen-medium is open: its calls are refused.",
    )  # fmt: skip
    acknowledged(held, "olga", "GPU 3 is being swapped", now - timedelta(minutes=8))
    alert(
        of,
        now,
        {"breaker": "analysis:clap-630k"},
        6,
        "Breaker analysis:clap-630k is open: its calls are refused.",
    )
    silence(now, "breaker", "analysis:clap-630k", "probing the new checkpoint by hand")
    silence(now, "model", "bark", "not in use any more", hours=20)
    alert(
        slow, now, audio, 12, "text_to_audio audioldm2: p95 is 14.2 s.", value=14_200.0, peak=15_800.0,
        inhibited_by=first,
    )  # fmt: skip
    alert(slow, now, whisper, 3, "transcription whisper-large-v3: p95 is 9.1 s.", value=9_100.0, peak=9_400.0,
          data="no_data")  # fmt: skip
    alert(
        slow, now, music, 1, "text_to_audio musicgen-medium: p95 is 8.2 s.", value=8_200.0, state="pending",
        fired_at=None,
    )  # fmt: skip
    alert(slow, now, {"operation_type": "embedding", "model": "mert-330m"}, 80, "embedding mert-330m: p95 is 8.4 s.",
          state="resolved", resolved_at=now - timedelta(minutes=61), peak=8_400.0)  # fmt: skip
    apply_silences(now)
    evaluated(now)
