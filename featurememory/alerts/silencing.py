"""Silences applied to alerts: who is kept quiet, from a silence's start to its end and in its windows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q, QuerySet

from featurememory.alerts.acts import alone_with_alerts
from featurememory.alerts.labels import Labels, Matchers, all_fit, matchers_of
from featurememory.alerts.silences import Recurrence, Silence
from featurememory.models import Alert, AlertEvent, AlertSilence
from featurememory.models.alert import OPEN

_LATELY = timedelta(days=7)
BY_ITSELF = "No silence covers it any more."


@dataclass(frozen=True, slots=True)
class InForce:
    """A silence that is in force, with its row."""

    row: AlertSilence
    silence: Silence


def labels_of(alert: Alert) -> Labels:
    """What matchers see of it: its labels, its name as `alertname`, and its severity."""
    return {**alert.labels, "alertname": alert.name, "severity": alert.severity}


def silence_of(row: AlertSilence) -> Silence:
    return Silence(
        row.pk,
        matchers_of(row.matchers),
        row.starts_at,
        row.ends_at,
        None if row.recurrence is None else Recurrence.of(row.recurrence),
    )


def in_force(now: datetime) -> list[InForce]:
    """One query."""
    rows = AlertSilence.objects.filter(starts_at__lte=now, ends_at__gt=now)
    silences = [InForce(row, silence_of(row)) for row in rows]
    return [each for each in silences if each.silence.stage(now).is_active]


def open_alerts() -> QuerySet[Alert]:
    """What is wrong now."""
    return Alert.objects.filter(state__in=OPEN)


def covered_now(matchers: Matchers) -> list[Alert]:
    """The open alerts that all of these fit."""
    return covered(open_alerts(), matchers)


def covered(alerts: Iterable[Alert], matchers: Matchers) -> list[Alert]:
    return [alert for alert in alerts if all_fit(matchers, labels_of(alert))]


def apply_silences(now: datetime) -> int:
    """Has each alert be silenced as the silences of this moment say; how many changed. One that ended under a silence
    is let go with it, so that its end is told. Two queries while there are no silences, three while nothing changes."""
    with alone_with_alerts():
        silences = in_force(now)
        ended_lately = Q(state=Alert.State.RESOLVED, is_silenced=True, resolved_at__gte=now - _LATELY)
        alerts = Alert.objects.filter(~Q(state=Alert.State.RESOLVED) | ended_lately)
        events = []
        for alert in alerts if silences else alerts.filter(is_silenced=True):
            labels = labels_of(alert)
            by = next((each.row for each in silences if each.silence.covers(labels)), None)
            if alert.is_silenced == (by is not None):
                continue
            events.append(_hush(alert, by, now) if by else _unhush(alert, now))
        if not events:
            return 0
        for is_silenced in (True, False):
            changed = [each.alert_id for each in events if each.alert.is_silenced == is_silenced]
            Alert.objects.filter(pk__in=changed).update(is_silenced=is_silenced)
        AlertEvent.objects.bulk_create(events)
        return len(events)


def _hush(alert: Alert, by: AlertSilence, now: datetime) -> AlertEvent:
    alert.is_silenced = True
    return AlertEvent(
        alert=alert,
        kind=AlertEvent.Kind.SILENCED,
        at=now,
        actor=by.created_by,
        note=by.comment,
        value=alert.value,
    )


def _unhush(alert: Alert, now: datetime) -> AlertEvent:
    alert.is_silenced = False
    return AlertEvent(alert=alert, kind=AlertEvent.Kind.UNSILENCED, at=now, note=BY_ITSELF, value=alert.value)
