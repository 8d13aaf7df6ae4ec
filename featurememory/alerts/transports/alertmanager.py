"""Alertmanager's API, version 2. It groups, silences and repeats by itself: it only has to hear what fires, again and
again (REFRESH_EVERY) before what it was told ends by itself (ENDS_AFTER), and what is over."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from featurememory.alerts.messages import Answer, Message, alertmanager_alerts
from featurememory.alerts.transports.http import post

ENDS_AFTER = timedelta(minutes=5)
REFRESH_EVERY = timedelta(minutes=1)


def send(message: Message, settings: Mapping[str, Any], allowed: Sequence[str]) -> Answer:
    until = datetime.now(UTC) + ENDS_AFTER
    alerts = alertmanager_alerts(message.alerts, message.address, until)
    headers = {
        "Content-Type": "application/json",
        "Idempotency-Key": message.id,
        "X-FeatureMemory-Delivery": message.id,
    }
    url = settings["url"].rstrip("/") + "/api/v2/alerts"
    return post(url, json.dumps(alerts, ensure_ascii=False).encode(), headers, allowed)
