"""What is done without anybody waiting for it. Each job may run twice or late without harm."""

from __future__ import annotations

from datetime import timedelta
from typing import TypedDict

from celery import shared_task
from django.utils import timezone

from featurememory.circuit_breaker.reports import settle_due_breakers
from featurememory.models import HealthSnapshot, ProcessRecord
from featurememory.observability.health_snapshot import take_snapshot
from featurememory.observability.senders import forget_senders

SNAPSHOT_EVERY = timedelta(seconds=15)
KEEP_SNAPSHOTS = timedelta(days=7)
KEEP_PROCESSES = timedelta(hours=1)
KEEP_SENDERS = timedelta(days=7)


@shared_task(name="featurememory.take_health_snapshot")
def take_health_snapshot() -> None:
    """Judges every component and keeps what was found."""
    take_snapshot(timezone.now())


@shared_task(name="featurememory.forget_the_old")
def forget_the_old() -> None:
    """Drops snapshots past their time, and the records of processes and senders that are long gone."""
    now = timezone.now()
    HealthSnapshot.objects.filter(at__lt=now - KEEP_SNAPSHOTS).delete()
    ProcessRecord.objects.filter(seen_at__lt=now - KEEP_PROCESSES).delete()
    forget_senders(unseen_since=now - KEEP_SENDERS)


@shared_task(name="featurememory.settle_breakers")
def settle_breakers() -> None:
    """Moves the breakers that time alone has moved: nobody may call for a long while."""
    settle_due_breakers(timezone.now())


class ScheduleEntry(TypedDict):
    """One line of Celery's schedule."""

    task: str
    schedule: timedelta
    options: dict[str, float]


def _every(interval: timedelta, task: str) -> ScheduleEntry:
    """A run that could not begin before the next is due is not made up for."""
    return {"task": task, "schedule": interval, "options": {"expires": interval.total_seconds()}}


SCHEDULE = {
    "settle breakers": _every(timedelta(seconds=5), "featurememory.settle_breakers"),
    "health snapshot": _every(SNAPSHOT_EVERY, "featurememory.take_health_snapshot"),
    "forget the old": _every(timedelta(minutes=10), "featurememory.forget_the_old"),
}
