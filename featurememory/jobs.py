"""What is done without anybody waiting for it. Each job may run twice or late without harm."""

from __future__ import annotations

from datetime import timedelta
from typing import TypedDict

from celery import shared_task
from django.utils import timezone

from featurememory.circuit_breaker.reports import settle_due_breakers
from featurememory.models import Belief, FeatureSpace, HealthSnapshot, ProcessRecord, Recommendation, Study
from featurememory.observability.health_snapshot import take_snapshot
from featurememory.observability.senders import forget_senders
from featurememory.optimization.upkeep import due_studies, estimate_anew, propose_steps

SNAPSHOT_EVERY = timedelta(seconds=15)
KEEP_SNAPSHOTS = timedelta(days=7)
KEEP_PROCESSES = timedelta(hours=1)
KEEP_SENDERS = timedelta(days=7)
KEEP_RECOMMENDATIONS = timedelta(days=30)


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
    Recommendation.objects.filter(at__lt=now - KEEP_RECOMMENDATIONS).delete()
    Belief.objects.filter(at__lt=now - KEEP_RECOMMENDATIONS).delete()


@shared_task(name="featurememory.settle_breakers")
def settle_breakers() -> None:
    """Moves the breakers that time alone has moved: nobody may call for a long while."""
    settle_due_breakers(timezone.now())


@shared_task(name="featurememory.estimate_studies")
def estimate_studies() -> None:
    """Estimates anew what patterns have in common, where enough was learned since; what is small does not wait for
    this (optimization/teaching.py)."""
    for study in due_studies():
        estimate_anew(study)


@shared_task(name="featurememory.propose_steps")
def propose_small_steps() -> None:
    """Has studies try parameters beside what works best, as far as their settings allow."""
    now = timezone.now()
    for study in Study.objects.values_list("pk", flat=True):
        propose_steps(study, now)


@shared_task(name="featurememory.merge_patterns")
def merge_patterns() -> None:
    """Merges patterns that have drifted into each other."""
    from featurememory.integration.duplicates import merge_near_duplicates  # numpy

    for space in FeatureSpace.objects.filter(version__gt=0).values_list("name", flat=True):
        merge_near_duplicates(space)


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
    "estimate studies": _every(timedelta(seconds=5), "featurememory.estimate_studies"),
    "merge patterns": _every(timedelta(hours=1), "featurememory.merge_patterns"),
    "propose small steps": _every(timedelta(minutes=1), "featurememory.propose_steps"),
    "forget the old": _every(timedelta(minutes=10), "featurememory.forget_the_old"),
}
