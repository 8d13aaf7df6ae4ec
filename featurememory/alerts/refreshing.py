"""Alertmanagers hear each minute of what still fires: what they do not hear of again ends by itself."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from uuid import uuid4

from django.conf import settings
from django.db.models import Q

from featurememory.alerts.delivering import AT_ONCE
from featurememory.alerts.messages import Answer, Message
from featurememory.alerts.planning import told_alerts
from featurememory.alerts.snapshots import seen, snapshot
from featurememory.alerts.transports import send
from featurememory.alerts.transports.alertmanager import REFRESH_EVERY
from featurememory.models import Alert, AlertChannel, AlertGroup


def refresh_alertmanagers(now: datetime) -> int:
    """Tells those that were not told within the last minute; how many. It makes no delivery: a failure stands at the
    channel, and the next round makes up for it."""
    due = Q(refreshed_at=None) | Q(refreshed_at__lte=now - REFRESH_EVERY)
    channels = AlertChannel.objects.filter(due, kind=AlertChannel.Kind.ALERTMANAGER, is_enabled=True)
    messages = []
    for channel in channels:
        message = _what_fires(channel, now)
        claimed = AlertChannel.objects.filter(due, pk=channel.pk).update(refreshed_at=now)
        if message is not None and claimed:
            messages.append((channel, message))
    if not messages:
        return 0
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="refresh") as pool:
        answers = list(pool.map(lambda each: _send(*each), messages))
    for (channel, _), answer in zip(messages, answers, strict=True):
        AlertChannel.objects.filter(pk=channel.pk).update(refresh_error=answer.error)
    return len(messages)


def _what_fires(channel: AlertChannel, now: datetime) -> Message | None:
    ids = told_alerts(AlertGroup.objects.filter(route__channel=channel))
    rows = Alert.objects.filter(pk__in=ids, state__in=(Alert.State.FIRING, Alert.State.ACKNOWLEDGED))
    alerts = [snapshot(row, is_over=False) for row in rows if seen(row, ()).is_told]
    if not alerts:
        return None
    return Message(
        id=str(uuid4()),
        channel=channel.name,
        kind="refresh",
        alerts=alerts,
        created_at=now,
        address=settings.CONFIGURATION.address,
    )


def _send(channel: AlertChannel, message: Message) -> Answer:
    return send(channel.kind, channel.settings, message, settings.CONFIGURATION.private_targets)
