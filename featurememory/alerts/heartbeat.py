"""A sign of life for somebody outside: called each minute, and only while rules are evaluated. When it stays away,
whoever waits for it raises the alarm."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q

from featurememory.alerts.channels import without_secrets
from featurememory.alerts.evaluation import last_evaluation
from featurememory.alerts.transports.http import request
from featurememory.models import AlertHeartbeat

EVERY = timedelta(minutes=1)
MAX_TEXT = 500


def beat(now: datetime) -> bool:
    """Calls FEATUREMEMORY_HEARTBEAT_URL where a call is due and rules were evaluated within the last minute."""
    url = settings.CONFIGURATION.heartbeat_url
    if url is None or not _is_alive(now):
        return False
    AlertHeartbeat.objects.get_or_create(pk=1)
    due = Q(called_at=None) | Q(called_at__lte=now - EVERY)
    if not AlertHeartbeat.objects.filter(due, pk=1).update(called_at=now):
        return False
    try:
        answer = request("GET", url, None, {}, settings.CONFIGURATION.private_targets)
        status, error = answer.status, answer.error
    except Exception as failure:
        status, error = None, f"{type(failure).__name__}: {failure}"
    error = without_secrets(error.replace("\0", ""), "slack", {"url": url})[:MAX_TEXT]
    AlertHeartbeat.objects.filter(pk=1).update(answer_status=status, error=error)
    return True


def _is_alive(now: datetime) -> bool:
    evaluated_at = last_evaluation()
    return evaluated_at is not None and now - evaluated_at <= EVERY
