"""One round of telling people: a step that fails keeps none of the others from being taken."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

from featurememory.alerts.delivering import deliver_due
from featurememory.alerts.heartbeat import beat
from featurememory.alerts.planning import plan_deliveries
from featurememory.alerts.receiving import expire_external
from featurememory.alerts.refreshing import refresh_alertmanagers

logger = logging.getLogger(__name__)

STEPS: tuple[Callable[[datetime], int | bool], ...] = (
    expire_external,
    plan_deliveries,
    deliver_due,
    refresh_alertmanagers,
    beat,
)


def notify(now: datetime) -> None:
    """Takes every step; what the first that failed has raised is raised once all are taken."""
    failures: list[Exception] = []
    for step in STEPS:
        try:
            step(now)
        except Exception as failure:
            logger.exception("%s failed", step.__name__)
            failures.append(failure)
    if failures:
        raise failures[0]
