"""Alerts of others: what an Alertmanager's webhook says, kept as alerts of ours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from django.db import transaction
from django.db.models import Q

from featurememory.alerts.labels import fingerprint, matchers_of
from featurememory.alerts.silences import Recurrence, Silence
from featurememory.exclusion import Lock, be_alone_with
from featurememory.models import Alert, AlertEvent, AlertSilence
from featurememory.models.alert import Severity

FORGOTTEN_AFTER: Final = timedelta(hours=24)
NOT_HEARD: Final = "Not heard of any more."
SEVERITIES: Final[Mapping[str, Severity]] = {
    **dict.fromkeys(
        (
            "critical",
            "crit",
            "page",
            "error",
            "fatal",
            "emergency",
            "alert",
            "high",
            "p0",
            "p1",
            "sev0",
            "sev1",
        ),
        Severity.CRITICAL,
    ),
    **dict.fromkeys(
        ("info", "information", "informational", "notice", "none", "debug", "low", "p4", "p5"), Severity.INFO
    ),
}


@dataclass(frozen=True, slots=True)
class Heard:
    """One alert of a message."""

    is_firing: bool
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: datetime
    ends_at: datetime | None = None
    """None where nothing is said: Alertmanager's year 1."""
    generator_url: str = ""

    @property
    def name(self) -> str:
        return self.labels.get("alertname", "").strip()[:200] or "unnamed"

    @property
    def own_labels(self) -> dict[str, str]:
        return {name: value for name, value in self.labels.items() if name != "alertname"}

    @property
    def fingerprint(self) -> str:
        return fingerprint(Alert.Source.ALERTMANAGER, self.name, self.own_labels)

    @property
    def severity(self) -> Severity:
        return SEVERITIES.get(self.labels.get("severity", "").strip().lower(), Severity.WARNING)


@dataclass(slots=True)
class Received:
    """What a message came to."""

    opened: int = 0
    updated: int = 0
    closed: int = 0
    unchanged: int = 0
    ids: list[int] = field(default_factory=list)


def receive_alerts(heard: Iterable[Heard], now: datetime) -> Received:
    """Opens, brings up to date and closes; the same message again changes nothing more. A beginning that is no newer
    than that of an alert which is over is old news. An acknowledgement stays."""
    received = Received()
    messages = list(heard)
    with transaction.atomic():
        be_alone_with(Lock.ALERTS)
        known = _newest({each.fingerprint for each in messages})
        silences = _silences(now)
        for each in messages:
            row = known.get(each.fingerprint)
            if each.is_firing:
                row = _fire(each, row, silences, received, now)
            else:
                _resolve(each, row, received, now)
            if row is not None:
                known[each.fingerprint] = row
    return received


def expire_external(now: datetime) -> int:
    """Closes those of others that were not heard of until they were to end, or else for a day; how many."""
    over = Q(ends_at__lte=now) | Q(ends_at=None, seen_at__lte=now - FORGOTTEN_AFTER)
    with transaction.atomic():
        be_alone_with(Lock.ALERTS)
        rows = list(
            Alert.objects.filter(over, source=Alert.Source.ALERTMANAGER)
            .exclude(state=Alert.State.RESOLVED)
            .select_for_update()
        )
        for row in rows:
            _close(row, now, now, NOT_HEARD)
    return len(rows)


def _newest(fingerprints: set[str]) -> dict[str, Alert]:
    """Of each: the open one, else the last."""
    rows = Alert.objects.filter(source=Alert.Source.ALERTMANAGER, fingerprint__in=fingerprints)
    return {row.fingerprint: row for row in rows.select_for_update().order_by("started_at", "pk")}


def _fire(
    heard: Heard, row: Alert | None, silences: Sequence[Silence], received: Received, now: datetime
) -> Alert:
    is_over = row is not None and row.state == Alert.State.RESOLVED
    if row is None or (is_over and _begins_anew(heard, row)):
        received.opened += 1
        return _open(heard, silences, received, now)
    received.ids.append(row.pk)
    if is_over:
        received.unchanged += 1
        return row
    received.updated += 1
    _describe(row, heard)
    row.seen_at = now
    row.save()
    return row


def _begins_anew(heard: Heard, row: Alert) -> bool:
    """What was only not heard of goes on where it left off."""
    if heard.starts_at > row.started_at:
        return True
    last = row.events.filter(kind=AlertEvent.Kind.RESOLVED).first()
    return last is not None and last.note == NOT_HEARD


def _open(heard: Heard, silences: Sequence[Silence], received: Received, now: datetime) -> Alert:
    row = Alert(
        source=Alert.Source.ALERTMANAGER,
        name=heard.name,
        labels=heard.own_labels,
        fingerprint=heard.fingerprint,
        state=Alert.State.FIRING,
        started_at=min(heard.starts_at, now),
        fired_at=now,
        seen_at=now,
    )
    _describe(row, heard)
    told = {**row.labels, "alertname": row.name, "severity": row.severity}
    row.is_silenced = any(silence.covers(told) for silence in silences)
    row.save()
    AlertEvent.objects.create(alert=row, kind=AlertEvent.Kind.FIRING, at=now)
    received.ids.append(row.pk)
    return row


def _describe(row: Alert, heard: Heard) -> None:
    told = heard.annotations
    row.severity = heard.severity
    row.annotations = dict(told)
    row.summary = (told.get("summary") or told.get("message") or told.get("title") or heard.name)[:500]
    row.description = told.get("description", "")
    row.runbook_url = _link(told.get("runbook_url", ""), 500)
    row.generator_url = _link(heard.generator_url, 2_000)
    row.ends_at = heard.ends_at


def _resolve(heard: Heard, row: Alert | None, received: Received, now: datetime) -> None:
    if row is None or row.state == Alert.State.RESOLVED or heard.starts_at < row.started_at:
        received.unchanged += 1
        return
    received.closed += 1
    received.ids.append(row.pk)
    ended_at = now if heard.ends_at is None else min(max(heard.ends_at, row.started_at), now)
    _close(row, ended_at, now, "")


def _close(row: Alert, ended_at: datetime, now: datetime, note: str) -> None:
    row.state = Alert.State.RESOLVED
    row.resolved_at = ended_at
    row.seen_at = row.seen_at if note else now
    row.save(update_fields=["state", "resolved_at", "seen_at"])
    AlertEvent.objects.create(alert=row, kind=AlertEvent.Kind.RESOLVED, at=now, note=note)


def _silences(now: datetime) -> list[Silence]:
    """Those in force: an alert that comes under one is silent from its beginning."""
    rows = AlertSilence.objects.filter(starts_at__lte=now, ends_at__gt=now)
    silences = [
        Silence(
            row.pk,
            matchers_of(row.matchers),
            row.starts_at,
            row.ends_at,
            None if row.recurrence is None else Recurrence.of(row.recurrence),
        )
        for row in rows
    ]
    return [each for each in silences if each.stage(now).is_active]


def _link(url: str, most: int) -> str:
    """Only what a browser may be led to."""
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return ""
    return url.strip() if parts.scheme in ("http", "https") and parts.hostname and len(url) <= most else ""
