"""The schedule: what runs how often. A job is a function with `@job` above it, and nothing more."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from functools import wraps
from typing import Any, TypedDict

from celery import shared_task
from django.db import DatabaseError, transaction

from featurememory.models import Job
from featurememory.scheduling.runs import Scheduled, run_job

logger = logging.getLogger(__name__)

JOBS: dict[str, Scheduled] = {}
"""By name, in the order in which they were defined."""


class ScheduleEntry(TypedDict):
    """One line of Celery's schedule."""

    task: str
    schedule: timedelta
    options: dict[str, float]


def job(*, every: timedelta) -> Callable[[Callable[[], None]], Any]:
    """Has the schedule run the function `every` so often, never twice at once; gives its Celery task."""

    def put_on_schedule(work: Callable[[], None]) -> Any:
        scheduled = JOBS[work.__name__] = Scheduled(work.__name__, every, _first_sentence(work), work)

        @shared_task(name=scheduled.task, bind=True)
        @wraps(work)
        def task(self: Any, asked: int | None = None) -> None:
            def retry(wait: timedelta) -> None:
                self.apply_async(countdown=wait.total_seconds(), expires=every.total_seconds())

            run_job(scheduled, retry, asked)

        return task

    return put_on_schedule


def celery_schedule() -> dict[str, ScheduleEntry]:
    """As Celery's beat takes it. A run that could not begin before the next is due is not made up for."""
    return {
        each.name: {
            "task": each.task,
            "schedule": each.every,
            "options": {"expires": each.every.total_seconds()},
        }
        for each in JOBS.values()
    }


def keep_schedule(jobs: Iterable[Scheduled], now: datetime) -> dict[str, datetime]:
    """Has a row for each job and for no other; gives when those that ever ran last began."""
    wanted = {each.name: each for each in jobs}
    with transaction.atomic():
        Job.objects.exclude(name__in=wanted).delete()
        rows = [
            Job(name=each.name, every_s=each.every.total_seconds(), known_since=now)
            for each in wanted.values()
        ]
        Job.objects.bulk_create(
            rows, update_conflicts=True, unique_fields=["name"], update_fields=["every_s"]
        )
    starts = Job.objects.values_list("name", "started_at")
    return {name: started_at for name, started_at in starts if started_at is not None}


def last_starts(now: datetime) -> dict[str, datetime]:
    """As `keep_schedule` gives them; none where the database does not answer, which the schedule need not wait for."""
    try:
        return keep_schedule(JOBS.values(), now)
    except DatabaseError as failure:
        logger.warning("when the jobs last ran is not known: %s", failure)
        return {}


def _first_sentence(work: Callable[[], None]) -> str:
    text = " ".join((work.__doc__ or "").split())
    sentence, dot, _ = text.partition(". ")
    return sentence + "." if dot else text
