"""All jobs of the schedule with how they stand, for whoever shows them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from featurememory.models import Job, JobRun
from featurememory.scheduling.due import Outlook, look_ahead
from featurememory.scheduling.runs import Scheduled
from featurememory.scheduling.schedule import JOBS


@dataclass(frozen=True, slots=True)
class Posted:
    """One job. `row` is unsaved where the schedule was never started; `waiting` is a run that was asked for and that
    no worker has begun."""

    job: Scheduled
    row: Job
    ahead: Outlook
    waiting: JobRun | None


def read_jobs(now: datetime) -> list[Posted]:
    """In the order in which they are defined; two queries."""
    rows = {row.name: row for row in Job.objects.all()}
    waiting = {run.job: run for run in JobRun.objects.filter(status=JobRun.Status.WAITING)}
    return [
        _posted(each, rows.get(each.name) or _never_seen(each, now), waiting.get(each.name), now)
        for each in JOBS.values()
    ]


def _posted(job: Scheduled, row: Job, waiting: JobRun | None, now: datetime) -> Posted:
    return Posted(job, row, look_ahead(row.seen, now), waiting)


def _never_seen(job: Scheduled, now: datetime) -> Job:
    return Job(name=job.name, every_s=job.every.total_seconds(), known_since=now)
