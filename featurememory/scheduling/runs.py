"""One run of a job: leased, noted at its start and its end, its failure kept and passed on."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import random

from django.db import DatabaseError, InterfaceError, connection
from django.db.models import F
from django.utils import timezone

from featurememory.models import Job, JobRun
from featurememory.scheduling.due import retry_after
from featurememory.scheduling.leases import lease_kept, new_owner, take_lease

logger = logging.getLogger(__name__)

MAX_ERROR = 2_000
KEPT_FAILURES = 200
"""Failed runs of each job that stay for people to read."""

Retry = Callable[[timedelta], None]
"""Has the job run again after so long."""


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A job as the schedule has it."""

    name: str
    every: timedelta
    purpose: str
    """The first sentence of what its function says of itself."""
    work: Callable[[], None]

    @property
    def task(self) -> str:
        """Celery's name for it."""
        return f"featurememory.{self.name}"


@dataclass(frozen=True, slots=True)
class _Run:
    job: Scheduled
    owner: str
    started_at: datetime
    asked: int | None


def run_job(job: Scheduled, retry: Retry, asked: int | None = None) -> bool:
    """Runs the job unless somebody does already; False then. `asked` is the JobRun that an administrator asked for.

    What the job raises is noted, has a rare job tried again, and is raised on: a database that cannot take the note
    hides nothing.
    """
    now = timezone.now()
    owner = new_owner()
    if not take_lease(job.name, job.every, owner, now, asked=asked is not None):
        _note_asked(asked, status=JobRun.Status.SKIPPED, ended_at=now, error="It was running already.")
        return False
    run = _Run(job, owner, now, asked)
    _note_asked(asked, status=JobRun.Status.RUNNING, started_at=now, worker=owner)
    began = time.perf_counter()
    try:
        with lease_kept(job.name, owner):
            job.work()
    except Exception as failure:
        _note_failure(run, failure, (time.perf_counter() - began) * 1_000, retry)
        raise
    _note_success(run, (time.perf_counter() - began) * 1_000)
    return True


def _note_success(run: _Run, took_ms: float) -> None:
    ended_at = timezone.now()
    try:
        _end(
            run,
            ended_at,
            took_ms,
            result=Job.Result.SUCCEEDED,
            succeeded_at=ended_at,
            failures_in_a_row=0,
            retry_at=None,
        )
        _note_asked(
            run.asked, status=JobRun.Status.SUCCEEDED, ended_at=ended_at, duration_ms=took_ms, error=""
        )
    except (DatabaseError, InterfaceError) as unnoted:
        logger.warning("%s is done, which could not be noted: %s", run.job.name, unnoted)


def _note_failure(run: _Run, failure: Exception, took_ms: float, retry: Retry) -> None:
    ended_at = timezone.now()
    error = f"{type(failure).__name__}: {failure}".replace("\0", "")[:MAX_ERROR]
    if isinstance(failure, DatabaseError | InterfaceError):
        connection.close()  # it may have been cut
    try:
        failures = Job.objects.values_list("failures_in_a_row", flat=True).get(name=run.job.name) + 1
        wait = retry_after(failures, run.job.every, random())  # noqa: S311 - jitter
        _end(
            run,
            ended_at,
            took_ms,
            result=Job.Result.FAILED,
            failed_at=ended_at,
            error=error,
            failures=F("failures") + 1,
            failures_in_a_row=failures,
            retry_at=None if wait is None else ended_at + wait,
        )
        ended = {"status": JobRun.Status.FAILED, "ended_at": ended_at, "duration_ms": took_ms, "error": error}
        if run.asked is None:
            JobRun.objects.create(job=run.job.name, started_at=run.started_at, worker=run.owner, **ended)
        else:
            _note_asked(run.asked, **ended)
    except (DatabaseError, InterfaceError, Job.DoesNotExist) as unnoted:
        logger.warning("the failure of %s could not be noted: %s", run.job.name, unnoted)
        return
    if wait is not None:
        retry(wait)


def _end(run: _Run, ended_at: datetime, took_ms: float, **more: object) -> None:
    """Gives the lease back with what the run came to; nothing where another run has it by now."""
    Job.objects.filter(name=run.job.name, lease_owner=run.owner).update(
        lease_owner="",
        leased_until=None,
        ended_at=ended_at,
        duration_ms=took_ms,
        runs=F("runs") + 1,
        **more,
    )


def _note_asked(asked: int | None, **changes: object) -> None:
    if asked is not None:
        JobRun.objects.filter(pk=asked).update(**changes)


def forget_old_runs() -> None:
    """Drops of each job all failed runs but its newest."""
    for name in JobRun.objects.order_by().values_list("job", flat=True).distinct():
        kept = JobRun.objects.filter(job=name).order_by("-pk").values_list("pk", flat=True)
        if last := kept[KEPT_FAILURES - 1 :].first():
            JobRun.objects.filter(job=name, pk__lt=last, asked_at=None).delete()
